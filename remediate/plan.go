package remediate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/permission"
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

	whom     whom
	name     string
	original *Action // of an undo
	run      string  // the playbook's run of which it is a step
	step     int64
}

// Plan says what an action would do, from the target as it is now. Nothing is recorded, and nothing changed. What stands
// against the action is in the plan; an error is that no plan can be made.
func (d *Desk) Plan(ctx context.Context, tenant tocsin.TenantID, ask Ask) (*Draft, error) {
	f := &Draft{Ask: ask}
	if err := ask.Sound(); err != nil {
		return nil, err
	}
	var settings Settings
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if f.whom, err = whomOf(ctx, t, ask.Person, ask.App); err != nil {
			return err
		}
		if err := known(ctx, t, f); err != nil {
			return err
		}
		settings, err = SettingsOf(ctx, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, d.finish(ctx, tenant, f, settings)
}

// finish reads the target, and adds what stands against the action.
func (d *Desk) finish(ctx context.Context, tenant tocsin.TenantID, f *Draft, settings Settings) error {
	f.Plan.Kind, f.Plan.Approval, f.Plan.At = f.Ask.Kind, settings.needs(f.Ask.Kind), d.Store.Clock().Now()
	if err := d.read(ctx, tenant, f); err != nil {
		return err
	}
	return d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		stops, err := standing(ctx, t, f, settings)
		f.Plan.Stops = append(stops, f.Plan.Stops...)
		return err
	})
}

// known finds the rule and the finding that an action names.
func known(ctx context.Context, t *store.Tenant, f *Draft) error {
	if on := f.Ask.Kind.On(); on == OnRule && f.original == nil {
		err := t.QueryRow(ctx, `select name from mail_rule where tenant = $1 and person = $2 and id = $3`, f.Ask.Person, f.Ask.Target).Scan(&f.name)
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

// Sound says what is wrong with what is asked for, before anything is looked up.
func (a Ask) Sound() error {
	on := a.Kind.On()
	switch {
	case on == "":
		return tocsin.Problemf(tocsin.Invalid, "Give one of the kinds that can be asked for.", "There is no action of the kind %q.", a.Kind)
	case on.OfApp() && a.App == "":
		return tocsin.Problemf(tocsin.Invalid, "Give the id of the application's service principal.", "app is missing.")
	case !on.OfApp() && a.Person == "":
		return tocsin.Problemf(tocsin.Invalid, "Give the person's id, or address.", "person is missing.")
	case on.Part() && a.Target == "":
		return tocsin.Problemf(tocsin.Invalid, "Give the id of what it is to be done to.", "target is missing.")
	}
	return nil
}

// standing is what our own tables say against an action.
func standing(ctx context.Context, t *store.Tenant, f *Draft, s Settings) (out []Stop, err error) {
	out, err = guards(ctx, t, f.Ask.Kind, f.whom, f.Plan.evidence(), s)
	if err != nil {
		return nil, err
	}
	var alive string
	err = t.QueryRow(ctx, `select id from action where tenant = $1 and object_id = $2 and target = $3 and kind = $4 and state in ('planned', 'waiting_approval', 'approved', 'running', 'done') limit 1`,
		f.whom.object, f.Ask.Target, f.Ask.Kind).Scan(&alive)
	if err == nil {
		out = append(out, Stop{What: "The same action is under way already.", Do: "Look at it on the page Actions."})
	} else if !errors.Is(err, store.ErrNone) {
		return nil, err
	}
	if f.original != nil {
		return out, nil // an undo is never held up by limits
	}
	n := 0 // a playbook counts as one
	err = t.QueryRow(ctx, `select count(distinct case when run = '' then id else run end) from action where tenant = $1 and undoes = '' and (run = '' or run <> $2)
		and state in ('planned', 'waiting_approval', 'approved', 'running', 'done')`, f.run).Scan(&n)
	if s.AtOnce > 0 && n >= s.AtOnce {
		out = append(out, Stop{What: fmt.Sprintf("%d actions wait or are under way, which is the limit at once.", n), Do: "Wait for some to end, or let an administrator raise the limit."})
	}
	return out, err
}

// evidence is the target as it was read, or what is to be brought back.
func (p *Plan) evidence() json.RawMessage {
	if len(p.Original) > 0 {
		return p.Original
	}
	return p.Before
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
	act := table[f.Ask.Kind]
	now, err := act.look(graph.WithPriority(ctx, graph.High), gc, target{f.whom.object, f.Ask.Target})
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
	f.Plan.Before, f.Plan.Beside = now.raw, now.beside(f.Ask.Target)
	if f.name == "" && act.on.Part() && len(now.raw) > 0 {
		if f.name, err = d.called(ctx, tenant, act.on, now.raw); err != nil {
			return err
		}
	}
	f.Plan.describe(f, now)
	f.Plan.Seen = string(now.raw)
	if shape := shapes[act.on]; shape != nil && len(now.raw) > 0 {
		f.Plan.Seen, err = shape.fingerprint(now.raw)
	}
	return err
}

// called is what people call a role, a consent or a permission.
func (d *Desk) called(ctx context.Context, tenant tocsin.TenantID, on On, raw json.RawMessage) (name string, err error) {
	var o struct{ RoleDefinitionID, DirectoryScopeID, AppRoleID string }
	if err := json.Unmarshal(raw, &o); err != nil {
		return "", err
	}
	switch on {
	case OnRole, OnEligibility:
		err = d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
			name, err = roleName(ctx, t, o.RoleDefinitionID)
			return err
		})
		if o.DirectoryScopeID != "" && o.DirectoryScopeID != "/" {
			name += " (within " + o.DirectoryScopeID + ")"
		}
	case OnGrant:
		name = scopeIn(raw)
	case OnPermission:
		name = o.AppRoleID
		for _, p := range permission.All {
			if p.ID != "" && strings.EqualFold(p.ID, o.AppRoleID) {
				name = p.Name
			}
		}
	}
	return name, err
}

// describe puts the plan into words.
func (p *Plan) describe(f *Draft, now seen) {
	table[f.Ask.Kind].plan(p, f, now)
	p.changed(f)
}

// already says why there is nothing to do.
func (p *Plan) already(now seen, so bool, why string) {
	switch {
	case now.gone:
		p.Already = "It is no longer there."
		if p.Kind.OnRule() {
			p.Already = "The rule is no longer there."
		}
	case so:
		p.Already = why
	}
	if p.Already != "" {
		p.CanUndo, p.Undo = false, "There is nothing to undo, since nothing is changed."
	}
}

// changed says whether the target is another than the one that was looked at.
func (p *Plan) changed(f *Draft) {
	shape := shapes[f.Ask.Kind.On()]
	if f.Ask.Seen == "" || shape == nil || len(p.Before) == 0 {
		return
	}
	if is, err := shape.fingerprint(p.Before); err == nil && is != f.Ask.Seen {
		p.Stops = append(p.Stops, hasChanged)
	}
}

var hasChanged = Stop{What: "The rule has changed since you looked.", Do: "Look at it again. It can be done nevertheless.", Force: "analyst"}

// shown is the target's name for a sentence.
func (f *Draft) shown() string { return shown(f.name) }

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

// Who is the address of whom the draft is about, or the name of the application.
func (f *Draft) Who() string { return f.whom.who }

// Name is the target's name, where it has one.
func (f *Draft) Name() string { return f.name }
