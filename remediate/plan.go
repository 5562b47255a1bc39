package remediate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Desk is where actions are planned and recorded. It sends nothing that changes anything.
type Desk struct {
	Store *store.Store
	Ways  Ways
	// Refused is told what Microsoft refused where a target was read for a plan; nil where nobody needs to know.
	Refused func(ctx context.Context, tenant tocsin.TenantID, connection string, err error) error
}

// Draft is a plan with what is known of whom it is about: what [Desk.Record] makes an action of.
type Draft struct {
	Ask  Ask
	Plan Plan

	person   person
	name     string
	original *Action // of an undo
}

// Plan says what an action would do, from the target as it is now. Nothing is recorded, and nothing changed. What stands
// against the action is in the plan; an error is that no plan can be made.
func (d *Desk) Plan(ctx context.Context, tenant tocsin.TenantID, ask Ask) (*Draft, error) {
	f := &Draft{Ask: ask}
	var settings Settings
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if f.person, err = personOf(ctx, t, ask.Person); err != nil {
			return err
		}
		if err := known(ctx, t, f); err != nil {
			return err
		}
		if settings, err = SettingsOf(ctx, t); err != nil {
			return err
		}
		f.Plan.Stops, err = standing(ctx, t, f, settings)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.Plan.Kind, f.Plan.Approval = ask.Kind, settings.needs(ask.Kind)
	f.Plan.At = d.Store.Clock().Now()
	return f, d.read(ctx, tenant, f)
}

// known finds the rule and the finding that an action names.
func known(ctx context.Context, t *store.Tenant, f *Draft) error {
	if f.Ask.Kind.OnRule() && f.original == nil {
		err := t.QueryRow(ctx, `select name from mail_rule where tenant = $1 and person = $2 and id = $3`, f.Ask.Person, f.Ask.Rule).Scan(&f.name)
		if errors.Is(err, store.ErrNone) {
			return tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such rule.")
		}
		if err != nil {
			return err
		}
	}
	if f.Ask.Finding == "" {
		return nil
	}
	var one int
	err := t.QueryRow(ctx, `select 1 from finding where tenant = $1 and id = $2`, f.Ask.Finding).Scan(&one)
	if errors.Is(err, store.ErrNone) {
		return tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such finding.")
	}
	return err
}

// standing is what our own tables say against an action.
func standing(ctx context.Context, t *store.Tenant, f *Draft, s Settings) (out []Stop, err error) {
	if !f.person.there {
		out = append(out, Stop{What: "The person was deleted from the directory.", Do: "There is nothing to act on any more."})
	}
	if f.Ask.Kind == RevokeSessions && f.person.guest {
		out = append(out, Stop{What: "The person is a guest, who signs in at their own organisation: their sessions cannot be revoked here.", Do: "Block the guest in Entra, and tell their organisation."})
	}
	if s.spares(f.person) {
		out = append(out, Stop{What: "This person is spared: the settings keep them from being acted on.", Do: "Only an owner may do it nevertheless.", Force: "owner"})
	}
	var alive string
	err = t.QueryRow(ctx, `select id from action where tenant = $1 and person = $2 and rule = $3 and kind = $4 and state in ('planned', 'waiting_approval', 'approved', 'running', 'done') limit 1`,
		f.Ask.Person, f.Ask.Rule, f.Ask.Kind).Scan(&alive)
	if err == nil {
		out = append(out, Stop{What: "The same action is under way already.", Do: "Look at it on the page Actions."})
	} else if !errors.Is(err, store.ErrNone) {
		return nil, err
	}
	if f.original != nil {
		return out, nil // an undo is never held up by limits
	}
	n := 0
	err = t.QueryRow(ctx, `select count(*) from action where tenant = $1 and undoes = '' and state in ('planned', 'waiting_approval', 'approved', 'running', 'done')`).Scan(&n)
	if s.AtOnce > 0 && n >= s.AtOnce {
		out = append(out, Stop{What: fmt.Sprintf("%d actions wait or are under way, which is the limit at once.", n), Do: "Wait for some to end, or let an administrator raise the limit."})
	}
	return out, err
}

// read adds to the plan what the target's own state says.
func (d *Desk) read(ctx context.Context, tenant tocsin.TenantID, f *Draft) error {
	connection, way, gc, err := d.Ways(ctx, tenant, f.Ask.Kind.Needs())
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code != tocsin.Internal {
		f.Plan.Stops = append(f.Plan.Stops, stop(p, ""))
		f.Plan.describe(f, seen{})
		return nil
	}
	if err != nil {
		return err
	}
	f.Plan.Way = way
	now, err := look(graph.WithPriority(ctx, graph.High), gc, f.Ask.Kind, f.person.object, f.target())
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.Refused != nil {
			if err := d.Refused(ctx, tenant, connection, err); err != nil {
				return err
			}
		}
		f.Plan.Stops = append(f.Plan.Stops, stop(problem(err), ""))
		f.Plan.describe(f, seen{})
		return nil
	}
	f.Plan.Before, f.Plan.Beside = now.raw, now.beside(f.target())
	f.Plan.describe(f, now)
	if now.rule == nil {
		f.Plan.Seen = string(now.raw)
		return nil
	}
	f.Plan.Seen, err = fingerprint(now.raw)
	return err
}

// target is the id of the rule as it is at Microsoft now.
func (f *Draft) target() string { return f.Ask.Rule }

// describe puts the plan into words.
func (p *Plan) describe(f *Draft, now seen) {
	who, rule := f.person.who, "the rule “"+shown(f.name)+"”"
	switch f.Ask.Kind {
	case RevokeSessions:
		p.Does = "Ends the sessions of " + who + " by making every token that was given out until now invalid."
		p.Touches = []string{"the sign-in sessions of " + who + ", on every device"}
		p.Not = []string{
			"An access token that is out already works until it runs out, for about an hour, except where Microsoft evaluates access continuously.",
			"The password, the sign-in methods and the apps that were consented to stay as they are.",
		}
		p.Undo = "It cannot be undone: the person signs in again."
	case DisableRule:
		p.Does = "Switches off " + rule + " of " + who + "."
		p.Touches = []string{rule + " in the mailbox of " + who}
		p.Not = []string{"The rule stays in the mailbox, so its owner, or whoever took the mailbox over, can switch it on again.", "Mail that it has moved, deleted or sent on stays where it is."}
		p.CanUndo, p.Undo = true, "It can be undone: the rule is switched on again, exactly as it was."
		p.already(now, now.rule != nil && !now.rule.IsEnabled, "The rule is off already.")
	case DeleteRule:
		p.Does = "Deletes " + rule + " of " + who + ". It is kept here whole."
		p.Touches = []string{rule + " in the mailbox of " + who}
		p.Not = []string{"Mail that it has moved, deleted or sent on stays where it is."}
		p.CanUndo, p.Undo = true, "It can be undone: the rule is made again from what is kept here, and compared with it."
		if now.raw != nil {
			p.Lost = lost(now.raw)
		}
		p.already(now, false, "")
	case EnableRule:
		p.Does = "Switches " + rule + " of " + who + " on again, as it was before."
		p.Touches = []string{rule + " in the mailbox of " + who}
		p.Undo = "The rule can be switched off again by a new action."
		p.already(now, now.rule != nil && now.rule.IsEnabled, "The rule is on already.")
		if now.gone {
			p.Already = ""
			p.Stops = append(p.Stops, Stop{What: "The rule is no longer there, so it cannot be switched on.", Do: "Its owner, or somebody else, has deleted it since."})
		}
	case RestoreRule:
		p.Does = "Makes " + rule + " of " + who + " again, as it was before it was deleted."
		p.Touches = []string{"the inbox rules of " + who}
		p.Lost = lost(f.original.Plan.Before)
		p.Undo = "The rule can be deleted again by a new action."
	}
	if now.rule != nil && now.rule.IsReadOnly && f.Ask.Kind != RestoreRule {
		p.Stops = append(p.Stops, readOnly)
	}
	p.changed(f)
}

var readOnly = Stop{What: "The rule is read-only: Microsoft Graph lets nobody change it.", Do: "Remove it in Outlook, or with Remove-InboxRule in Exchange Online PowerShell."}

// already says why there is nothing to do.
func (p *Plan) already(now seen, so bool, why string) {
	switch {
	case now.gone:
		p.Already = "The rule is no longer there."
	case so:
		p.Already = why
	}
	if p.Already != "" {
		p.CanUndo, p.Undo = false, "There is nothing to undo, since nothing is changed."
	}
}

// changed says whether the target is another than the one that was looked at.
func (p *Plan) changed(f *Draft) {
	if f.Ask.Seen == "" || !f.Ask.Kind.OnRule() || len(p.Before) == 0 {
		return
	}
	if is, err := fingerprint(p.Before); err == nil && is != f.Ask.Seen {
		p.Stops = append(p.Stops, hasChanged)
	}
}

var hasChanged = Stop{What: "The rule has changed since you looked.", Do: "Look at it again. It can be done nevertheless.", Force: "analyst"}

// shown is a rule's name for a sentence.
func shown(name string) string {
	if name == "" {
		return "(no name)"
	}
	return name
}

// problem is a refusal of Graph as a person may read it.
func problem(err error) *tocsin.Problem {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		return p
	}
	as := func(code tocsin.Code, do, what string, args ...any) *tocsin.Problem {
		p := tocsin.Problemf(code, do, what, args...)
		p.Err = err
		return p
	}
	if e, ok := errors.AsType[*graph.Revoked](err); ok {
		return as(tocsin.Denied, e.Do, "%s", e.What)
	}
	if e, ok := errors.AsType[*graph.Denied](err); ok {
		if e.OutOfScope {
			return as(tocsin.Denied, "Add the mailbox to the scope in Exchange (RBAC for Applications).", "Exchange keeps this mailbox from the app.")
		}
		return as(tocsin.Denied, "Grant the permission to the app registration in Entra, give administrator consent, wait a few minutes, and test the connection.", "Microsoft refused it: the permission %s is not granted.", first(e.Permissions))
	}
	if _, ok := errors.AsType[*graph.NoMailbox](err); ok {
		return as(tocsin.NotFound, "Look at the person in Entra.", "The person has no mailbox in Exchange Online any more.")
	}
	if _, ok := errors.AsType[*graph.NotFound](err); ok {
		return as(tocsin.NotFound, "Look at the person in Entra.", "Microsoft Graph no longer knows this account.")
	}
	if _, ok := errors.AsType[*graph.Throttled](err); ok {
		return as(tocsin.Throttled, "Wait a little and try again.", "Microsoft asks to wait before it is asked again.")
	}
	if e, ok := errors.AsType[*graph.Failed](err); ok {
		return as(tocsin.Conflict, "Look at the rule in Outlook.", "Microsoft refused it: %s.", cmp.Or(strings.TrimRight(e.Message, "."), e.Code))
	}
	if errors.Is(err, graph.ErrPaused) {
		return as(tocsin.Conflict, "Resume the connection first.", "The connection is paused: nothing is asked of Graph.")
	}
	return as(tocsin.Unavailable, "Try again; if it stays, look at the network between Tocsin and Microsoft.", "Microsoft Graph gave no answer that can be used.")
}

func first(list []string) string {
	if len(list) == 0 {
		return "for it"
	}
	return list[0]
}

// Who is the address of whom the draft is about; Name the name of the rule.
func (f *Draft) Who() string { return f.person.who }

// Name is the rule's name, where it is about one.
func (f *Draft) Name() string { return f.name }
