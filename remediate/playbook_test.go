package remediate

import (
	"context"
	"strings"
	"testing"

	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

func (b *bed) playbook(who Who, name string) (r *Run, err error) {
	b.Helper()
	p, err := b.desk.PlanPlaybook(b.Context(), b.tenant, Asking{Playbook: name, Person: b.amy, Why: "Taken over."})
	if err != nil {
		return nil, err
	}
	err = b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		r, err = b.desk.RecordPlaybook(b.Context(), t, who, p)
		return err
	})
	return r, err
}

func (b *bed) run(id string) (r *Run) {
	b.Helper()
	must(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) { r, err = GetRun(b.Context(), t, id); return err }))
	return r
}

// TestPlaybook: several acts are planned, asked for and approved at once; the soft ones are done without waiting, the hard ones
// when they are approved and those have ended; one that fails holds up no other, and what each came to is on its own record.
func TestPlaybook(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.directory()
		b.set(func(s *Settings) { s.Approval, s.PerHour, s.AtOnce = SecondForHard, 1, 1 })
		must(t, b.w.AddMethod("amy@fabrikam.com", "phone"))
		b.exec(`insert into finding (tenant, id, rule, title, severity, severity_rank, risk, person, who, subject, cause, why, stage, body, status, first_seen, last_seen) values ($1, 'f', 'forward-outside', 't', 'high', 3, 72, $2, 'amy', $3, '', 'w', 'exfiltration', '{}', 'open', 1, 1)`,
			b.amy, b.rule(".").ID)
		r, err := b.playbook(jo, "recover")
		must(t, err)
		var kinds []string
		for _, a := range r.Steps {
			kinds = append(kinds, string(a.Kind)+" "+string(a.State))
		}
		b.equal("the steps", kinds, []string{"revoke_sessions approved", "disable_rule approved", "force_password_change waiting_approval", "mfa_enroll waiting_approval"})
		if _, err := b.playbook(jo, "contain"); code(err) != "conflict" {
			t.Errorf("a second playbook beyond the limit at once: %v", err)
		}
		b.fault(sim.Fault{Kind: sim.Denied, Method: "PATCH", Path: "**/messageRules/*"})
		for _, a := range r.Steps[:2] {
			b.runs(b.executor(), a.ID)
		}
		b.w.Heal()
		b.is(b.get(r.Steps[0].ID), Verified)
		b.is(b.get(r.Steps[1].ID), Failed)
		b.is(b.get(r.Steps[2].ID), Waiting)
		decide := func(do func(context.Context, *store.Tenant, Who, string, string) (*Run, error), who Who) error {
			return b.st.UpdateTenant(t.Context(), b.tenant, func(tt *store.Tenant) error { _, err := do(t.Context(), tt, who, r.ID, "go"); return err })
		}
		if err := decide(ApproveRun, jo); code(err) != "denied" {
			t.Errorf("approving one's own: %v", err)
		}
		must(t, decide(ApproveRun, mia))
		for _, a := range r.Steps[2:] {
			b.is(b.runs(b.executor(), a.ID), Verified)
		}
		if err := decide(ApproveRun, mia); code(err) != "conflict" {
			t.Errorf("approving twice: %v", err)
		}
		if r := b.run(r.ID); len(r.Steps) != 4 || r.Who != "amy@fabrikam.com" || r.Steps[3].ApprovedEmail != mia.Email {
			t.Errorf("the run is %+v", r)
		}
		if left := b.at(OnMethods, b.object, ""); !left.gone {
			t.Errorf("%s is left", left.raw)
		}
	})
}

// TestPlaybookOrder: a hard step that is approved waits for the soft ones before it, and says so.
func TestPlaybookOrder(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	b.directory()
	r, err := b.playbook(jo, "lock")
	must(t, err)
	if len(r.Steps) != 2 {
		t.Fatalf("%d steps", len(r.Steps))
	}
	b.fault(sim.Fault{Kind: sim.Throttle, Path: "**/revokeSignInSessions", After: "30", Times: 1})
	must(t, b.executor().Round(t.Context()))
	must(t, b.executor().Round(t.Context()))
	if a := b.get(r.Steps[1].ID); a.State != Approved && b.get(r.Steps[0].ID).State != Verified {
		t.Errorf("the account was disabled before its sessions were revoked: %s (%s)", a.State, a.Because)
	}
	for _, a := range r.Steps {
		b.is(b.runs(b.executor(), a.ID), Verified)
	}
	if got := strings.Join(b.truth(), " "); got != "sessions.revoked user.updated" {
		t.Errorf("it was done in this order: %s", got)
	}
	if _, err := b.playbook(jo, "nonsense"); code(err) != "invalid" {
		t.Errorf("a playbook there is not: %v", err)
	}
}
