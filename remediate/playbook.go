package remediate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Playbook is several acts on one person, asked for at once and approved at once: the soft ones first, and the hard ones when
// these have ended.
type Playbook struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Says  string `json:"says"` // when it is of use, a sentence
	Steps []Kind `json:"steps"`

	Own     bool  `json:"own"`     // the customer's own; the others come with Tocsin
	Version int64 `json:"version"` // of one's own, else 0
	Fits    Fit   `json:"fits"`    // on which stories it is offered
}

// Playbooks are those that come with Tocsin. A step on rules is one action for each rule of the person on which a finding is open.
var Playbooks = []Playbook{
	{Name: "contain", Title: "Contain the account", Says: "Ends what is going on and lets the person go on working: for a first answer, while it is looked into.",
		Steps: []Kind{RevokeSessions, DisableRule}},
	{Name: "recover", Title: "Take the account back", Says: "For an account that was taken over: whoever has the password, a session or a method of their own is out, and the person comes back by a temporary access pass.",
		Steps: []Kind{RevokeSessions, DisableRule, ForcePassword, RemoveMethods}},
	{Name: "lock", Title: "Lock the account", Says: "Nobody gets in, the person included: for a leaver, or while nothing else is sure.",
		Steps: []Kind{RevokeSessions, DisableRule, Suspend}},
}

// Asking is a playbook that is asked for.
type Asking struct {
	Playbook string
	Person   tocsin.PersonID
	Finding  string
	Why      string
	Force    bool
}

// PlaybookPlan is a playbook with the plan of each of its steps, in their order. What of it cannot be done says why, and is left out.
type PlaybookPlan struct {
	Playbook Playbook
	Ask      Asking
	Steps    []*Draft
}

// Run is a playbook that was asked for.
type Run struct {
	ID, Playbook        string
	Version             int64  // of one's own playbook, else 0
	Undoes              string // the run that it undoes, else empty
	Person              tocsin.PersonID
	Who, Finding, Why   string
	AskedBy, AskedEmail string
	Created             time.Time
	Steps               []*Action // in their order
}

// PlanPlaybook plans each step. Nothing is recorded, and nothing changed.
func (d *Desk) PlanPlaybook(ctx context.Context, tenant tocsin.TenantID, ask Asking) (*PlaybookPlan, error) {
	out := &PlaybookPlan{Ask: ask}
	var rules []string
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if out.Playbook, err = playbookNamed(ctx, t, ask.Playbook); err != nil {
			return err
		}
		if _, err := personOf(ctx, t, ask.Person); err != nil {
			return err
		}
		rules, err = suspect(ctx, t, ask.Person)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, k := range out.Playbook.Steps {
		targets := []string{""}
		if k.OnRule() {
			targets = rules
		}
		for _, id := range targets {
			f, err := d.Plan(ctx, tenant, Ask{Kind: k, Person: ask.Person, Target: id, Finding: ask.Finding, Why: ask.Why, Force: ask.Force})
			if err != nil {
				return nil, err
			}
			out.Steps = append(out.Steps, f)
		}
	}
	slices.SortStableFunc(out.Steps, func(a, b *Draft) int { return cmp.Compare(order(a.Ask.Kind), order(b.Ask.Kind)) })
	return out, nil
}

// order brings the soft steps before the hard ones.
func order(k Kind) int {
	if k.Hard() {
		return 1
	}
	return 0
}

// suspect are the rules of a person that are on and on which a finding is open.
func suspect(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (out []string, err error) {
	rows, err := t.Query(ctx, `select r.id from mail_rule r where r.tenant = $1 and r.person = $2 and r.deleted = 0 and r.enabled
		and exists (select 1 from finding f where f.tenant = r.tenant and f.person = r.person and f.subject = r.id and f.status in ('open', 'in_work')) order by r.id limit 20`, person)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// Possible says whether a step can be done by whoever asks.
func (f *Draft) Possible(who Who) bool { return f.Plan.Already == "" && against(f, who) == nil }

// RecordPlaybook makes an action of each step that can be done: they are planned and wait for approval or are approved, all in
// this transaction. It is a conflict when nothing can be done.
func (d *Desk) RecordPlaybook(ctx context.Context, t *store.Tenant, who Who, p *PlaybookPlan) (*Run, error) {
	r := &Run{ID: tocsin.NewID(), Playbook: p.Playbook.Name, Version: p.Playbook.Version, Person: p.Ask.Person, Finding: p.Ask.Finding, Why: p.Ask.Why, AskedBy: who.Account, AskedEmail: who.Email, Created: t.Tx().Clock().Now()}
	for i, f := range p.Steps {
		if !f.Possible(who) {
			continue
		}
		f.run, f.step = r.ID, int64(i)
		a, err := d.Record(ctx, t, who, f)
		if err != nil {
			return nil, err
		}
		r.Who, r.Steps = a.Who, append(r.Steps, a)
	}
	if len(r.Steps) == 0 {
		return nil, tocsin.Problemf(tocsin.Conflict, "Look at the plan: each step says why not.", "No step of the playbook can be done.")
	}
	return r, r.record(ctx, t)
}

func (r *Run) record(ctx context.Context, t *store.Tenant) error {
	_, err := t.Exec(ctx, `insert into playbook_run (tenant, id, playbook, person, who, finding, why, asked_by, asked_email, created, version, undoes) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		r.ID, r.Playbook, r.Person, r.Who, r.Finding, r.Why, r.AskedBy, r.AskedEmail, r.Created, r.Version, r.Undoes)
	return err
}

// PlanUndoRun plans the undo of each step of a run that was done and can be undone, the last first.
func (d *Desk) PlanUndoRun(ctx context.Context, tenant tocsin.TenantID, id, why string, force bool) (*Run, []*Draft, error) {
	var r *Run
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) { r, err = GetRun(ctx, t, id); return err })
	if err != nil {
		return nil, nil, err
	}
	if r.alive() {
		return nil, nil, tocsin.Problemf(tocsin.Conflict, "Refuse or cancel the steps that are still to come, or wait for them.", "Some steps of it have not ended yet.")
	}
	var out []*Draft
	var last error
	for _, a := range slices.Backward(r.Steps) {
		if err := undoable(a); err != nil {
			last = cmp.Or(last, err)
			continue
		}
		f, err := d.PlanUndo(ctx, tenant, a.ID, why, force)
		if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Conflict {
			last = err // somebody has changed the target since: the other steps are undone
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, nil, cmp.Or[error](last, tocsin.Problemf(tocsin.Conflict, "Look at how far it has come.", "Nothing of it can be undone."))
	}
	return r, out, nil
}

// RecordUndoRun records the undo of a run, as a run of its own whose steps are asked for, and approved, with one word.
func (d *Desk) RecordUndoRun(ctx context.Context, t *store.Tenant, who Who, of *Run, why string, drafts []*Draft) (*Run, error) {
	r := &Run{ID: tocsin.NewID(), Playbook: of.Playbook, Version: of.Version, Undoes: of.ID, Person: of.Person, Who: of.Who, Finding: of.Finding, Why: why, AskedBy: who.Account, AskedEmail: who.Email, Created: t.Tx().Clock().Now()}
	var last error
	for i, f := range drafts {
		if !f.Possible(who) { // somebody has changed the target since: the other steps are undone
			last = cmp.Or(last, against(f, who))
			continue
		}
		f.run, f.step = r.ID, int64(i)
		a, err := d.Record(ctx, t, who, f)
		if err != nil {
			return nil, err
		}
		r.Steps = append(r.Steps, a)
	}
	if len(r.Steps) == 0 {
		return nil, cmp.Or[error](last, tocsin.Problemf(tocsin.Conflict, "Look at its steps.", "Nothing of it is left to undo."))
	}
	return r, r.record(ctx, t)
}

// alive says whether a step of it is still to come.
func (r *Run) alive() bool {
	return slices.ContainsFunc(r.Steps, func(a *Action) bool { return slices.Contains(Alive, a.State) })
}

// Undoable is how many of its steps were done and can be undone, once all have ended.
func (r *Run) Undoable() (n int) {
	if r.alive() {
		return 0
	}
	for _, a := range r.Steps {
		if a.Undoable() {
			n++
		}
	}
	return n
}

// GetRun is a run of a playbook with its steps.
func GetRun(ctx context.Context, t *store.Tenant, id string) (*Run, error) {
	r := &Run{}
	var created int64
	err := t.QueryRow(ctx, `select id, playbook, person, who, finding, why, asked_by, asked_email, created, version, undoes from playbook_run where tenant = $1 and id = $2`, id).
		Scan(&r.ID, &r.Playbook, &r.Person, &r.Who, &r.Finding, &r.Why, &r.AskedBy, &r.AskedEmail, &created, &r.Version, &r.Undoes)
	if errors.Is(err, store.ErrNone) {
		return nil, tocsin.Problemf(tocsin.NotFound, "Look in the list of actions.", "There is no such run of a playbook.")
	}
	if err != nil {
		return nil, err
	}
	r.Created = tocsin.FromMillis(created)
	r.Steps, err = List(ctx, t, Filter{Run: id, Limit: 100})
	slices.SortStableFunc(r.Steps, func(a, b *Action) int { return cmp.Compare(a.Step, b.Step) })
	return r, err
}

// ApproveRun approves, with one word, every step of a run that waits for it, and RefuseRun refuses them.
func ApproveRun(ctx context.Context, t *store.Tenant, who Who, id, note string) (*Run, error) {
	return decideRun(ctx, t, who, id, note, Approve)
}

// RefuseRun ends every step of a run that waits for approval.
func RefuseRun(ctx context.Context, t *store.Tenant, who Who, id, note string) (*Run, error) {
	return decideRun(ctx, t, who, id, note, Refuse)
}

func decideRun(ctx context.Context, t *store.Tenant, who Who, id, note string, do func(context.Context, *store.Tenant, Who, string, string) (*Action, error)) (*Run, error) {
	r, err := GetRun(ctx, t, id)
	if err != nil {
		return nil, err
	}
	n := 0
	for i, a := range r.Steps {
		if a.State != Waiting {
			continue
		}
		if r.Steps[i], err = do(ctx, t, who, a.ID, note); err != nil {
			return nil, err
		}
		n++
	}
	if n == 0 {
		return nil, tocsin.Problemf(tocsin.Conflict, "Look at how far it has come.", "No step of it waits for approval.")
	}
	return r, nil
}
