package remediate

import (
	"context"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Record makes an action of a draft: it is planned, and then waits for approval or is approved, all in this transaction.
// What stands against it is a conflict, unless it may be forced and is.
func (d *Desk) Record(ctx context.Context, t *store.Tenant, who Who, f *Draft) (*Action, error) {
	if err := against(f, who); err != nil {
		return nil, err
	}
	if f.Plan.Already != "" {
		return nil, tocsin.Problemf(tocsin.Conflict, "There is nothing to do.", "%s", f.Plan.Already)
	}
	if err := alone(ctx, t); err != nil {
		return nil, err
	}
	settings, err := SettingsOf(ctx, t)
	if err != nil {
		return nil, err
	}
	// Once more within the transaction: another may have asked meanwhile.
	stops, err := standing(ctx, t, f, settings)
	if err != nil {
		return nil, err
	}
	if err := against(&Draft{Ask: f.Ask, Plan: Plan{Stops: stops}}, who); err != nil {
		return nil, err
	}
	for _, s := range stops { // those that were forced are kept: by whom they may be is looked at again
		if !slices.Contains(f.Plan.Stops, s) {
			f.Plan.Stops = append(f.Plan.Stops, s)
		}
	}
	f.Plan.Approval = settings.needs(f.Ask.Kind)
	now := t.Tx().Clock().Now()
	a := &Action{ID: tocsin.NewID(), Kind: f.Ask.Kind, State: Planned, Person: f.whom.id, Who: f.whom.who, Object: f.whom.object, Target: f.Ask.Target, Name: f.name,
		Finding: f.Ask.Finding, Why: f.Ask.Why, Plan: f.Plan, Forced: f.Ask.Force, AskedBy: who.Account, AskedEmail: who.Email, RunID: f.run, Step: f.step, Created: now, Changed: now, Version: 1}
	if f.original != nil {
		a.Undoes = f.original.ID
		if err := begin(ctx, t, a, f.original.ID, who); err != nil {
			return nil, err
		}
	}
	if err := a.insert(ctx, t); err != nil {
		return nil, err
	}
	if a.Plan.Approval {
		return a, a.move(ctx, t, Waiting, who.Email, "A second person must approve it.")
	}
	return a, a.move(ctx, t, Approved, who.Email, "No approval is needed.")
}

// begin notes on an action that it is being undone.
func begin(ctx context.Context, t *store.Tenant, undo *Action, id string, who Who) error {
	original, err := Get(ctx, t, id)
	if err != nil {
		return err
	}
	original.UndoneBy = undo.ID
	original.Because, original.Mend = "", ""
	return original.move(ctx, t, Undoing, who.Email, undo.Why)
}

// against is the first thing that stands against an action and was not forced.
func against(f *Draft, who Who) error {
	for _, s := range f.Plan.Stops {
		if f.Ask.Force && (s.Force == "analyst" || s.Force == "owner" && who.Owner) {
			continue
		}
		return tocsin.Problemf(tocsin.Conflict, s.Do, "%s", s.What)
	}
	return nil
}

// Approve lets an action go ahead. Whoever asked for it cannot, by whatever session or token.
func Approve(ctx context.Context, t *store.Tenant, who Who, id, note string) (*Action, error) {
	a, err := decidable(ctx, t, id, Approved)
	if err != nil {
		return nil, err
	}
	if a.AskedBy == who.Account {
		return nil, tocsin.Problemf(tocsin.Denied, "Ask somebody else with the role analyst or more.", "You asked for this action, so you cannot approve it.")
	}
	a.ApprovedBy, a.ApprovedEmail, a.Due = who.Account, who.Email, t.Tx().Clock().Now()
	a.Because, a.Mend = "", ""
	return a, a.move(ctx, t, Approved, who.Email, note)
}

// Refuse ends an action that waits for approval.
func Refuse(ctx context.Context, t *store.Tenant, who Who, id, note string) (*Action, error) {
	a, err := decidable(ctx, t, id, Refused)
	if err != nil {
		return nil, err
	}
	a.Because, a.Mend = "It was refused by "+who.Email+".", "Ask again if it is needed after all."
	if err := a.move(ctx, t, Refused, who.Email, note); err != nil {
		return nil, err
	}
	return a, vain(ctx, t, a)
}

// Cancel ends an action that has not begun.
func Cancel(ctx context.Context, t *store.Tenant, who Who, id, note string) (*Action, error) {
	a, err := decidable(ctx, t, id, Cancelled)
	if err != nil {
		return nil, err
	}
	a.Because = "It was cancelled by " + who.Email + "."
	if err := a.move(ctx, t, Cancelled, who.Email, note); err != nil {
		return nil, err
	}
	return a, vain(ctx, t, a)
}

// decidable is an action that may still come to the state by somebody's decision.
func decidable(ctx context.Context, t *store.Tenant, id string, to State) (*Action, error) {
	a, err := Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	from := []State{Waiting}
	if to == Cancelled {
		from = append(from, Approved)
	}
	if !slices.Contains(from, a.State) {
		return nil, tocsin.Problemf(tocsin.Conflict, "Look at how far it has come.", "The action is %s: that can no longer be decided.", words(a.State))
	}
	return a, nil
}

// vain notes on the action that an undo was to undo that the undo came to nothing: what was done is still so.
func vain(ctx context.Context, t *store.Tenant, undo *Action) error {
	if undo.Undoes == "" {
		return nil
	}
	a, err := Get(ctx, t, undo.Undoes)
	if err != nil || a.State != Undoing || a.UndoneBy != undo.ID {
		return err
	}
	a.UndoneBy = ""
	a.Because, a.Mend = "It was to be undone, and that came to nothing: "+undo.Because, undo.Mend
	return a.move(ctx, t, Verified, "", "The undo came to nothing; what was done is still so.")
}

// PlanUndo plans the undo of an action that was verified.
func (d *Desk) PlanUndo(ctx context.Context, tenant tocsin.TenantID, id, why string, force bool) (*Draft, error) {
	f := &Draft{}
	var settings Settings
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if f.original, err = Get(ctx, t, id); err != nil {
			return err
		}
		if err := undoable(f.original); err != nil {
			return err
		}
		a := f.original
		f.name = a.Name
		f.Ask = Ask{Kind: a.Kind.Undo(), Person: a.Person, App: a.app(), Target: a.Target, Finding: a.Finding, Why: why, Force: force}
		if f.whom, err = whomOf(ctx, t, f.Ask.Person, f.Ask.App); err != nil {
			return err
		}
		settings, err = SettingsOf(ctx, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.Plan.Original = f.original.Plan.Before
	if err := d.finish(ctx, tenant, f, settings); err != nil {
		return nil, err
	}
	return f, f.drifted()
}

// app is the application's service principal, where the action is on one.
func (a *Action) app() string {
	if a.Kind.On().OfApp() {
		return a.Object
	}
	return ""
}

// Undoable says whether it was done, and can be undone.
func (a *Action) Undoable() bool { return undoable(a) == nil }

// undoable says why an action cannot be undone.
func undoable(a *Action) error {
	switch {
	case a.State == Undone || a.State == Undoing:
		return tocsin.Problemf(tocsin.Conflict, "Look at its history.", "It is undone already, or is being undone.")
	case a.State != Verified:
		return tocsin.Problemf(tocsin.Conflict, "Look at how far it has come.", "Only what was done and verified can be undone; the action is %s.", words(a.State))
	case a.Kind.Undo() == "" || !a.Plan.CanUndo:
		return tocsin.Problemf(tocsin.Conflict, "See the plan of the action, which said so.", "%s", a.Plan.Undo)
	}
	return nil
}

// drifted adds to the plan of an undo that the rule is no longer what it was after the action.
func (f *Draft) drifted() error {
	if f.Ask.Kind != EnableRule || len(f.Plan.Before) == 0 {
		return nil
	}
	names, err := differ(f.Plan.Before, f.Plan.Original, "isEnabled", "sequence")
	if err != nil || len(names) == 0 {
		return err
	}
	s := hasChanged
	s.What = "The rule was changed by somebody since it was switched off (" + strings.Join(names, ", ") + "), so switching it on would not bring back what was."
	f.Plan.Stops = append(f.Plan.Stops, s)
	return nil
}
