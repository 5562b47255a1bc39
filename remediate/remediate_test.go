package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestActs: each kind is planned, recorded, done, verified and, where that is possible, undone to what was before.
func TestActs(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		before := b.rules()
		rule := b.rule(".")
		e := b.executor()

		a := b.ask(DisableRule, rule.ID)
		b.is(a, Approved)
		if len(b.acted()) != 0 {
			t.Errorf("recording an action did something: %v", b.acted())
		}
		a = b.runs(e, a.ID)
		b.is(a, Verified)
		if b.rule(".").IsEnabled {
			t.Error("the rule is still on")
		}
		b.equal("history", b.history(a.ID), []string{"planned", "approved", "running", "sending", "done", "verified"})
		b.equal("evidence", a.Plan.Before, bare(rule.Raw))
		u := b.runs(e, b.undo(a.ID).ID)
		b.is(u, Verified)
		b.is(b.get(a.ID), Undone)
		b.equal("the rules after the undo", b.rules(), before)

		a = b.runs(e, b.ask(DeleteRule, rule.ID).ID)
		b.is(a, Verified)
		if b.rule(".").ID != "" {
			t.Error("the rule is still there")
		}
		u = b.runs(e, b.undo(a.ID).ID)
		b.is(u, Verified)
		b.is(b.get(a.ID), Undone)
		if u.Made == "" || u.Made == rule.ID {
			t.Errorf("the new rule's id is %q", u.Made)
		}
		if names, err := differ(b.rule(".").Raw, rule.Raw); err != nil || len(names) > 0 {
			t.Errorf("the rule that was made again differs in %v (%v)", names, err)
		}

		a = b.runs(e, b.ask(RevokeSessions, "").ID)
		b.is(a, Verified)
		if _, err := b.desk.PlanUndo(t.Context(), b.tenant, a.ID, "", false); code(err) != "conflict" {
			t.Errorf("undoing a revocation: %v", err)
		}
		b.equal("what was done", b.acted(), []string{"rule.updated", "rule.updated", "rule.deleted", "rule.created", "sessions.revoked"})
		if _, err := b.desk.PlanUndo(t.Context(), b.tenant, u.Undoes, "", false); code(err) != "conflict" {
			t.Errorf("undoing twice: %v", err)
		}
	})
}

// TestTwiceInASecond: Microsoft's date of a revocation has whole seconds; a second one within the same ends well all the same.
func TestTwiceInASecond(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	for range 2 {
		a, err := b.tried(own, Ask{Kind: RevokeSessions, Person: b.amy, Why: "x"})
		must(t, err)
		b.is(b.runs(b.executor(), a.ID), Verified)
	}
	b.equal("what was done", b.acted(), []string{"sessions.revoked", "sessions.revoked"})
}

var points = []string{"running", "recorded", "sent", "done", "verified"}

// TestBrokenOff: wherever an act breaks off, another executor ends it, and nothing is done twice or left out.
func TestBrokenOff(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		before := b.rules()
		for _, point := range points {
			for _, kind := range []Kind{RevokeSessions, DisableRule, EnableRule, DeleteRule, RestoreRule} {
				b.st.Clock().Advance(2 * time.Hour) // out of the hour's limit
				b.w.Advance(2 * time.Hour)
				had := len(b.acted())
				a := b.begun(kind)
				rough, died := b.executor(), errors.New("the process died")
				rough.at = func(at string) error {
					if at == point {
						return died
					}
					return nil
				}
				if err := rough.Round(t.Context()); !errors.Is(err, died) {
					t.Fatalf("%s at %s: %v", kind, point, err)
				}
				a = b.runs(b.executor(), a.ID)
				b.is(a, Verified)
				if got := b.acted()[had:]; len(got) != 1 {
					t.Errorf("%s broken off at %s: %v was done", kind, point, got)
				}
				h := b.history(a.ID)
				if n := count(h, "verified"); n != 1 || count(h, "done") != 1 || count(h, "running") != 1 {
					t.Errorf("%s broken off at %s: the history is %v", kind, point, h)
				}
			}
		}
		b.same(before)
	})
}

// same holds that amy's rules are those of before, but for the id.
func (b *bed) same(before []graph.MessageRule) {
	b.Helper()
	now := b.rules()
	if len(now) != len(before) {
		b.Fatalf("there are %d rules, and were %d", len(now), len(before))
	}
	for i := range now {
		if names, err := differ(now[i].Raw, before[i].Raw); err != nil || len(names) > 0 {
			b.Errorf("the rule %q differs in %v (%v)", before[i].DisplayName, names, err)
		}
	}
}

// begun is an action of the kind on the rule "."; an undo is one of what was done to it last.
func (b *bed) begun(kind Kind) *Action {
	b.Helper()
	switch kind {
	case RevokeSessions:
		return b.ask(kind, "")
	case EnableRule, RestoreRule:
		var list []*Action
		of := map[Kind]Kind{EnableRule: DisableRule, RestoreRule: DeleteRule}[kind]
		must(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) {
			list, err = List(b.Context(), t, Filter{Kinds: []Kind{of}, States: []State{Verified}, Limit: 1})
			return err
		}))
		return b.undo(list[0].ID)
	}
	r := b.rule(".")
	b.keep(r)
	return b.ask(kind, r.ID)
}

func count(list []string, s string) (n int) {
	for _, x := range list {
		if x == s {
			n++
		}
	}
	return n
}

// TestAnswerLost: an answer that says it may have failed, or that breaks off, or that is garbage, though the act was done;
// or one that fails before it was done. All end well, once.
func TestAnswerLost(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		before := b.rules()
		calls := map[Kind]string{RevokeSessions: "POST **/revokeSignInSessions", DisableRule: "PATCH **/messageRules/*", EnableRule: "PATCH **/messageRules/*",
			DeleteRule: "DELETE **/messageRules/*", RestoreRule: "POST **/messageRules"}
		for _, f := range []sim.Fault{{Kind: sim.Lost}, {Kind: sim.Cut}, {Kind: sim.Garbage}, {Kind: sim.Broken, Times: 2}, {Kind: sim.Throttle, After: "0.1", Times: 2}} {
			for _, kind := range []Kind{RevokeSessions, DisableRule, EnableRule, DeleteRule, RestoreRule} {
				b.st.Clock().Advance(2 * time.Hour)
				b.w.Advance(2 * time.Hour)
				had := len(b.acted())
				a := b.begun(kind)
				f.Method, f.Path, _ = strings.Cut(calls[kind], " ")
				if f.Times == 0 {
					f.Times = 1
				}
				b.fault(f)
				a = b.runs(b.executor(), a.ID)
				b.w.Heal()
				b.is(a, Verified)
				if got := b.acted()[had:]; len(got) != 1 {
					t.Errorf("%s under %s: %v was done; %v", kind, f.Kind, got, b.history(a.ID))
				}
			}
		}
		b.same(before)
	})
}

// TestRefused: a permission that is taken away between planning and acting ends the action with the reason; nothing is done.
func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		a := b.ask(DisableRule, b.rule(".").ID)
		b.fault(sim.Fault{Kind: sim.Denied, Method: "PATCH", Path: "**/messageRules/*"})
		a = b.runs(b.executor(), a.ID)
		b.is(a, Failed)
		if !strings.Contains(a.Because, "MailboxSettings.ReadWrite") || a.Mend == "" || len(b.acted()) != 0 {
			t.Errorf("because %q, mend %q; %v was done", a.Because, a.Mend, b.acted())
		}
		b.w.Heal()

		a = b.ask(DisableRule, b.rule(".").ID)
		must(t, b.ways.Pause(t.Context(), "test", b.tenant, a.connection(b)))
		a = b.runs(b.executor(), a.ID)
		b.is(a, Failed)
		if !strings.Contains(a.Because, "paused") {
			t.Errorf("because %q", a.Because)
		}
	})
}

func (a *Action) connection(b *bed) string {
	list, err := b.ways.List(b.Context())
	must(b, err)
	return list[0].ID
}

// TestNotGranted: without the permission the plan says so, and nothing can be recorded.
func TestNotGranted(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.exec(`update capability set state = 'off', because = 'Not granted.', mend = 'Grant it.' where tenant = $1 and name = 'rule-change'`)
		f, err := b.desk.Plan(t.Context(), b.tenant, Ask{Kind: DisableRule, Person: b.amy, Target: b.rule(".").ID, Why: "x", Force: true})
		must(t, err)
		if len(f.Plan.Stops) != 1 || f.Plan.Stops[0].What != "Not granted." || f.Plan.Stops[0].Do != "Grant it." || f.Plan.Does == "" {
			t.Errorf("the plan is %+v", f.Plan)
		}
		if _, err := b.record(own, f); code(err) != "conflict" {
			t.Errorf("recording it all the same: %v", err)
		}
		b.is(b.ask(RevokeSessions, ""), Approved) // the other capability is granted
	})
}

// TestChanged: a rule that changed since it was looked at, or between planning and acting, is left alone unless forced.
func TestChanged(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		rule := b.rule(".")
		f, err := b.desk.Plan(t.Context(), b.tenant, Ask{Kind: DeleteRule, Person: b.amy, Target: rule.ID, Why: "x"})
		must(t, err)
		looked := f.Plan.Seen
		a, err := b.record(jo, f)
		must(t, err)
		b.alter(rule.ID, map[string]any{"displayName": "..", "actions": map[string]any{"delete": true}})
		a = b.runs(b.executor(), a.ID)
		b.is(a, Refused)
		if !strings.Contains(a.Because, "its name") || !strings.Contains(a.Because, "what it does") {
			t.Errorf("because %q", a.Because)
		}
		if _, err := b.tried(jo, Ask{Kind: DeleteRule, Person: b.amy, Target: rule.ID, Why: "x", Seen: looked}); code(err) != "conflict" {
			t.Errorf("asking with what was seen before: %v", err)
		}
		a, err = b.tried(jo, Ask{Kind: DisableRule, Person: b.amy, Target: rule.ID, Why: "x", Seen: looked, Force: true})
		must(t, err)
		b.alter(rule.ID, map[string]any{"displayName": "..."})
		a = b.runs(b.executor(), a.ID)
		b.is(a, Verified)

		// Somebody changes it while it is off: the undo says so, and leaves it.
		b.alter(rule.ID, map[string]any{"actions": map[string]any{"markAsRead": true}})
		f, err = b.desk.PlanUndo(t.Context(), b.tenant, a.ID, "x", false)
		must(t, err)
		if _, err := b.record(jo, f); code(err) != "conflict" {
			t.Errorf("undoing what somebody changed: %v", err)
		}
		b.is(b.get(a.ID), Verified)
	})
}

func (b *bed) alter(rule string, body any) {
	b.Helper()
	must(b, b.gc.Act(b.Context(), "messageRules.update", graph.P{"user": b.object, "folder": "inbox", "rule": rule}, body, nil))
}

// TestAlready: what is so already is not done again, by plan or by act.
func TestAlready(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		rule := b.rule(".")
		a := b.ask(DisableRule, rule.ID)
		b.alter(rule.ID, map[string]any{"isEnabled": false})
		had := len(b.acted())
		a = b.runs(b.executor(), a.ID)
		b.is(a, Verified)
		if a.Plan.CanUndo || !a.Sent.IsZero() || len(b.acted()) != had {
			t.Errorf("it can be undone: %v; sent %v; done %v", a.Plan.CanUndo, a.Sent, b.acted()[had:])
		}
		if _, err := b.tried(jo, Ask{Kind: DisableRule, Person: b.amy, Target: rule.ID, Why: "x"}); code(err) != "conflict" {
			t.Errorf("asking for what is so: %v", err)
		}
	})
}

// TestApproval: where a second person must approve, nothing happens before; who asked cannot approve; refusing and
// cancelling end it.
func TestApproval(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.set(func(s *Settings) { s.Approval, s.Kinds = SecondPerson, []Kind{DeleteRule, DisableRule, RestoreRule} })
		decide := func(do func(context.Context, *store.Tenant, Who, string, string) (*Action, error), who Who, id string) error {
			return b.st.UpdateTenant(t.Context(), b.tenant, func(tt *store.Tenant) error { _, err := do(t.Context(), tt, who, id, "note"); return err })
		}
		a := b.ask(DeleteRule, b.rule(".").ID)
		b.is(a, Waiting)
		must(t, b.executor().Round(t.Context()))
		b.is(b.get(a.ID), Waiting)
		if err := decide(Approve, jo, a.ID); code(err) != "denied" {
			t.Errorf("approving one's own: %v", err)
		}
		must(t, decide(Approve, mia, a.ID))
		a = b.runs(b.executor(), a.ID)
		b.is(a, Verified)
		b.equal("history", b.history(a.ID), []string{"planned", "waiting_approval", "approved", "running", "sending", "done", "verified"})
		if a.ApprovedEmail != mia.Email {
			t.Errorf("approved by %q", a.ApprovedEmail)
		}
		if err := decide(Approve, mia, a.ID); code(err) != "conflict" {
			t.Errorf("approving twice: %v", err)
		}

		u := b.undo(a.ID)
		b.is(u, Waiting)
		b.is(b.get(a.ID), Undoing)
		must(t, decide(Refuse, mia, u.ID))
		b.is(b.get(u.ID), Refused)
		b.is(b.get(a.ID), Verified) // what was done is still so, and can be undone after all
		u = b.undo(a.ID)
		must(t, decide(Cancel, jo, u.ID))
		b.is(b.get(u.ID), Cancelled)
		u = b.undo(a.ID)
		must(t, decide(Approve, mia, u.ID))
		b.is(b.runs(b.executor(), u.ID), Verified)
		b.is(b.get(a.ID), Undone)

		// Settings that become stricter hold for what was asked before.
		b.set(func(s *Settings) { s.Approval = "none" })
		r := b.ask(RevokeSessions, "")
		b.is(r, Approved)
		b.set(func(s *Settings) { s.Approval, s.Kinds = SecondPerson, nil })
		must(t, b.executor().Round(t.Context()))
		b.is(b.get(r.ID), Waiting)
		if len(b.acted()) != 2 {
			t.Errorf("%v was done", b.acted())
		}
	})
}

func (b *bed) set(change func(*Settings)) {
	b.Helper()
	must(b, b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		s, err := SettingsOf(b.Context(), t)
		if err != nil {
			return err
		}
		change(&s)
		_, err = Set(b.Context(), t, own, s, s.Version)
		return err
	}))
}

// TestLimits: at once, in an hour, and people who are spared.
func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.set(func(s *Settings) { s.AtOnce, s.PerHour = 2, 1 })
		first := b.ask(DisableRule, b.rule(".").ID)
		second := b.ask(DisableRule, b.rule("Kept").ID)
		if _, err := b.tried(jo, Ask{Kind: DisableRule, Person: b.amy, Target: b.rule("Last").ID, Why: "x"}); code(err) != "conflict" {
			t.Errorf("a third at once: %v", err)
		}
		if _, err := b.tried(jo, Ask{Kind: DisableRule, Person: b.amy, Target: first.Target, Why: "x"}); code(err) != "conflict" {
			t.Errorf("the same twice: %v", err)
		}
		for range 5 {
			must(t, b.executor().Round(t.Context()))
		}
		b.is(b.get(first.ID), Verified)
		held := b.get(second.ID)
		b.is(held, Approved)
		if !strings.Contains(held.Because, "limit") || count(b.history(second.ID), "held") != 1 {
			t.Errorf("because %q; %v", held.Because, b.history(second.ID))
		}
		b.st.Clock().Advance(2 * time.Hour)
		b.is(b.runs(b.executor(), second.ID), Verified)
		b.is(b.runs(b.executor(), b.undo(first.ID).ID), Verified) // an undo is not held up

		b.set(func(s *Settings) { s.Spared, s.PerHour = []string{"AMY@fabrikam.com"}, 0 })
		ask := Ask{Kind: RevokeSessions, Person: b.amy, Why: "x", Force: true}
		if _, err := b.tried(jo, ask); code(err) != "conflict" {
			t.Errorf("a spared person, by no owner: %v", err)
		}
		ask.Force = false
		if _, err := b.tried(own, ask); code(err) != "conflict" {
			t.Errorf("a spared person, by an owner without force: %v", err)
		}
		ask.Force = true
		a, err := b.tried(own, ask)
		must(t, err)
		b.is(b.runs(b.executor(), a.ID), Verified)
	})
}

// TestLimitWhileOthersBegin: an action that has begun and is not sent yet counts, so that several at once do not all come just
// below the limit.
func TestLimitWhileOthersBegin(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.set(func(s *Settings) { s.PerHour = 1 })
		first, second := b.ask(DisableRule, b.rule(".").ID), b.ask(DisableRule, b.rule("Kept").ID)
		b.exec(`update action set state = 'running', due = $3 where tenant = $1 and id = $2`, first.ID, b.st.Clock().Now().Add(time.Hour))
		must(t, b.executor().Round(t.Context()))
		if b.is(b.get(second.ID), Approved); len(b.acted()) != 0 {
			t.Errorf("it was done though another was about to be: %v", b.acted())
		}
	})
}

// TestAskedAtOnce: of several who ask for the same at the same time one is heard, and the limit at once holds.
func TestAskedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.set(func(s *Settings) { s.AtOnce = 2 })
		var asks []Ask
		for range 4 {
			asks = append(asks, Ask{Kind: RevokeSessions, Person: b.amy, Why: "x"})
		}
		for _, r := range b.rules() {
			asks = append(asks, Ask{Kind: DisableRule, Person: b.amy, Target: r.ID, Why: "x"})
		}
		drafts := make([]*Draft, len(asks))
		for i, ask := range asks {
			var err error
			drafts[i], err = b.desk.Plan(t.Context(), b.tenant, ask)
			must(t, err)
		}
		var all sync.WaitGroup
		var heard, sessions atomic.Int64
		for i := range drafts {
			all.Go(func() {
				a, err := b.record(jo, drafts[i])
				switch {
				case err == nil:
					heard.Add(1)
					if a.Kind == RevokeSessions {
						sessions.Add(1)
					}
				case code(err) != "conflict":
					t.Error(err)
				}
			})
		}
		all.Wait()
		if heard.Load() != 2 || sessions.Load() > 1 {
			t.Errorf("%d were heard, %d of them the same", heard.Load(), sessions.Load())
		}
	})
}

// TestSparedMeanwhile: what an analyst forced for another reason does not reach a person who is spared since.
func TestSparedMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.set(func(s *Settings) { s.Approval = SecondPerson })
		a, err := b.tried(jo, Ask{Kind: RevokeSessions, Person: b.amy, Why: "x", Force: true})
		must(t, err)
		byOwner, err := b.tried(own, Ask{Kind: DisableRule, Person: b.amy, Target: b.rule(".").ID, Why: "x", Force: true})
		must(t, err)
		b.set(func(s *Settings) { s.Spared = []string{"amy@fabrikam.com"} })
		forced, err := b.tried(own, Ask{Kind: DisableRule, Person: b.amy, Target: b.rule("Kept").ID, Why: "x", Force: true})
		must(t, err)
		for _, id := range []string{a.ID, byOwner.ID, forced.ID} {
			must(t, b.st.UpdateTenant(t.Context(), b.tenant, func(tt *store.Tenant) error { _, err := Approve(t.Context(), tt, mia, id, ""); return err }))
		}
		b.is(b.runs(b.executor(), a.ID), Refused)
		b.is(b.runs(b.executor(), byOwner.ID), Refused) // nobody had told the owner
		b.is(b.runs(b.executor(), forced.ID), Verified)
		if got := b.acted(); len(got) != 1 {
			t.Errorf("done: %v", got)
		}
	})
}

// TestNotQuiteAsItWas: a rule that went while it was switched off, or that has another place when it is on again, is said to.
func TestNotQuiteAsItWas(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		r := b.rule(".")
		a := b.ask(DisableRule, r.ID)
		e := b.executor()
		e.at = func(point string) error {
			if point == "done" {
				return b.gc.Act(t.Context(), "messageRules.delete", graph.P{"user": b.object, "folder": "inbox", "rule": r.ID}, nil, nil)
			}
			return nil
		}
		got := b.runs(e, a.ID)
		b.is(got, Verified)
		if !strings.Contains(got.Because, "no longer there") || got.Plan.CanUndo {
			t.Errorf("it is gone, and is said to be so: %q, can be undone: %v", got.Because, got.Plan.CanUndo)
		}

		off := b.runs(b.executor(), b.ask(DisableRule, b.rule("Last").ID).ID)
		undo := b.undo(off.ID)
		must(t, b.gc.Act(t.Context(), "messageRules.update", graph.P{"user": b.object, "folder": "inbox", "rule": off.Target}, map[string]any{"sequence": 1}, nil))
		got = b.runs(b.executor(), undo.ID)
		b.is(got, Verified)
		if !strings.Contains(got.Because, "its place in the order") {
			t.Errorf("it is elsewhere, and is said to be so: %q", got.Because)
		}
	})
}

// TestOursIsNoRefusal: what fails on our side, the tables or the key, ends no action: it goes on when that is mended.
func TestOursIsNoRefusal(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	for _, ours := range []error{errors.New("the tables do not answer"), tocsin.Problemf(tocsin.Unavailable, "Wait.", "The key cannot be had.")} {
		e := b.executor()
		ways, failing := e.Ways, true
		e.Ways = func(ctx context.Context, tenant tocsin.TenantID, capability string) (string, string, *graph.Client, error) {
			if failing {
				return "", "", nil, ours
			}
			return ways(ctx, tenant, capability)
		}
		a := b.ask(RevokeSessions, "")
		for range 3 {
			_ = e.Round(t.Context()) // an error of the tables is for the log
			b.st.Clock().Advance(time.Minute)
		}
		b.is(b.get(a.ID), Running)
		failing = false
		b.w.Advance(time.Minute) // sessions are valid from a second on, and another was that of the first
		b.is(b.runs(e, a.ID), Verified)
	}
}

// TestOneHoldsUpNoOther: while Microsoft does not answer for one person, what is asked for another is done.
func TestOneHoldsUpNoOther(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	var ben string
	for u, err := range graph.Pages[graph.User](t.Context(), b.gc, "users.list", nil) {
		must(t, err)
		if u.ID != b.object {
			ben = u.ID
			break
		}
	}
	person := tocsin.NewPersonID(b.tenant, ben)
	b.exec(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, mailbox, seen, changed) values ($1, $2, $3, 'Ben', 'ben@fabrikam.com', 'ben@fabrikam.com', 'member', true, '[]', 'read', 1, 1)`, person, ben)
	e := b.executor()
	ways, hung, release := e.Ways, make(chan struct{}), make(chan struct{})
	var once sync.Once
	e.Ways = func(ctx context.Context, tenant tocsin.TenantID, capability string) (string, string, *graph.Client, error) {
		first := false
		once.Do(func() { first = true })
		if first {
			close(hung)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return ways(ctx, tenant, capability)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	slow := b.ask(RevokeSessions, "")
	go func() { ended <- e.Run(ctx) }()
	<-hung
	quick, err := b.tried(jo, Ask{Kind: RevokeSessions, Person: person, Why: "x"})
	must(t, err)
	for deadline := time.Now().Add(30 * time.Second); b.get(quick.ID).State != Verified; time.Sleep(5 * time.Millisecond) {
		b.st.Clock().Advance(time.Second)
		if time.Now().After(deadline) {
			t.Fatalf("it is %s while another hangs", b.get(quick.ID).State)
		}
	}
	b.is(b.get(slow.ID), Running)
	close(release)
	for deadline := time.Now().Add(30 * time.Second); b.get(slow.ID).State != Verified; time.Sleep(5 * time.Millisecond) {
		b.st.Clock().Advance(time.Second)
		if time.Now().After(deadline) {
			t.Fatalf("it is %s", b.get(slow.ID).State)
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// TestTwoExecutors: of several at once only the holder of the lease acts, and one that has lost it stops before it sends.
func TestTwoExecutors(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		var ids []string
		for _, r := range b.rules() {
			ids = append(ids, b.ask(DeleteRule, r.ID).ID)
		}
		ids = append(ids, b.ask(RevokeSessions, "").ID)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				owner := fmt.Sprint("replica", i)
				for ctx.Err() == nil {
					epoch, ok, err := b.st.Lease(ctx, "remediate", owner, time.Minute)
					if err != nil || !ok {
						time.Sleep(time.Millisecond)
						continue
					}
					e := b.executor()
					e.Guard = func(ctx context.Context, tx *store.Tx) error { return tx.Guard(ctx, "remediate", owner, epoch) }
					e.at = func(point string) error {
						if point == "recorded" && rand.N(3) == 0 { // the lease runs out at the worst moment
							b.st.Clock().Advance(2 * time.Minute)
						}
						return nil
					}
					_ = e.Round(ctx) // one that was overtaken fails, and the other goes on
					b.st.Clock().Advance(5 * time.Second)
				}
			})
		}
		deadline := time.Now().Add(time.Minute)
		for !slices.Equal(b.states(ids), []State{Verified, Verified, Verified, Verified}) {
			if time.Now().After(deadline) {
				t.Fatalf("they are %v", b.states(ids))
			}
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		all.Wait()
		got := b.acted()
		slices.Sort(got)
		b.equal("what was done", slices.Compact(slices.Clone(got)), []string{"rule.deleted", "sessions.revoked"})
		if count(got, "rule.deleted") != 3 {
			t.Errorf("%v was done", got)
		}
		for _, id := range ids {
			if h := b.history(id); count(h, "verified") != 1 || count(h, "done") != 1 {
				t.Errorf("the history is %v", h)
			}
		}
	})
}

func (b *bed) states(ids []string) (out []State) {
	for _, id := range ids {
		out = append(out, b.get(id).State)
	}
	return out
}

// TestAnotherTenant: nothing of one tenant is reached from another.
func TestAnotherTenant(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		a := b.ask(DisableRule, b.rule(".").ID)
		other := tocsin.TenantID("00000000-0000-4000-8000-000000000001")
		must(t, b.st.UpdateTenant(t.Context(), other, func(tt *store.Tenant) error {
			_, err := tt.Exec(t.Context(), `insert into tenant (tenant, name, created) values ($1, 'other', 1)`)
			return err
		}))
		for name, err := range map[string]error{
			"plan": second(b.desk.Plan(t.Context(), other, Ask{Kind: DisableRule, Person: b.amy, Target: a.Target})),
			"undo": second(b.desk.PlanUndo(t.Context(), other, a.ID, "", false)),
			"approve": b.st.UpdateTenant(t.Context(), other, func(tt *store.Tenant) error {
				return second(Approve(t.Context(), tt, mia, a.ID, ""))
			}),
			"cancel": b.st.UpdateTenant(t.Context(), other, func(tt *store.Tenant) error { return second(Cancel(t.Context(), tt, mia, a.ID, "")) }),
		} {
			if code(err) != "not_found" {
				t.Errorf("%s from another tenant: %v", name, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestReadOnly: a rule that Graph lets nobody change is said to be so before.
func TestReadOnly(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		s := `# Opaque.
domain fabrikam.com
person amy "Amy Adams" amy@fabrikam.com
mon 10:00 amy makes rule "Opaque" readonly forward to drop@evil.example
`
		play(b, s)
		r := b.rule("Opaque")
		if r.ID == "" || !r.IsReadOnly {
			t.Fatalf("the rule is %+v", r)
		}
		b.keep(r)
		f, err := b.desk.Plan(t.Context(), b.tenant, Ask{Kind: DeleteRule, Person: b.amy, Target: r.ID, Why: "x"})
		must(t, err)
		if len(f.Plan.Stops) != 1 || f.Plan.Stops[0] != readOnly {
			t.Errorf("it says %+v", f.Plan.Stops)
		}
	})
}

// TestUndoEquality: whatever the rule, deleting it and undoing that gives the same rule in the same place, but for its id.
func TestUndoEquality(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.set(func(s *Settings) { s.PerHour = 0 })
		random := rand.New(rand.NewPCG(3, 4))
		e := b.executor()
		for i := range 25 {
			var made graph.MessageRule
			must(t, b.gc.Act(t.Context(), "messageRules.create", graph.P{"user": b.object, "folder": "inbox"}, anyRule(random, i), &made))
			b.keep(b.rule(made.DisplayName))
			before := b.rules()
			a := b.runs(e, b.ask(DeleteRule, made.ID).ID)
			b.is(a, Verified)
			u := b.runs(e, b.undo(a.ID).ID)
			b.is(u, Verified)
			after := b.rules()
			if len(after) != len(before) {
				t.Fatalf("%d rules, and were %d", len(after), len(before))
			}
			for _, x := range before {
				id := x.ID
				if id == made.ID {
					id = u.Made
				}
				k := slices.IndexFunc(after, func(r graph.MessageRule) bool { return r.ID == id })
				if k < 0 {
					t.Fatalf("the rule %q is gone", x.DisplayName)
				}
				if names, err := differ(after[k].Raw, x.Raw); err != nil || len(names) > 0 {
					t.Errorf("%q differs in %v (%v):\n%s\n%s", x.DisplayName, names, err, x.Raw, after[k].Raw)
				}
			}
		}
	})
}

// anyRule is some rule that Graph takes.
func anyRule(r *rand.Rand, i int) map[string]any {
	maybe := func() bool { return r.IntN(3) == 0 }
	person := func() map[string]any {
		return map[string]any{"emailAddress": map[string]any{"name": fmt.Sprintf("P %d <&\">", r.IntN(9)), "address": fmt.Sprintf("p%d@evil.example", r.IntN(9))}}
	}
	conditions, actions := map[string]any{}, map[string]any{"stopProcessingRules": maybe()}
	set := func(m map[string]any, name string, v any) {
		if maybe() {
			m[name] = v
		}
	}
	for _, name := range []string{"subjectContains", "bodyContains", "senderContains", "headerContains", "categories"} {
		set(conditions, name, []any{"Straße\u200b", "İ", "", `"'<>&`, fmt.Sprint(r.Uint64())}[:1+r.IntN(5)])
	}
	for _, name := range []string{"hasAttachments", "isEncrypted", "sentToMe", "notSentToMe"} {
		set(conditions, name, maybe())
	}
	set(conditions, "fromAddresses", []any{person(), person()})
	set(conditions, "importance", "high")
	set(conditions, "withinSizeRange", map[string]any{"minimumSize": r.IntN(10), "maximumSize": 20 + r.IntN(10)})
	set(actions, "forwardTo", []any{person()})
	set(actions, "redirectTo", []any{person(), person()})
	set(actions, "assignCategories", []any{"Red", "Blue"})
	set(actions, "markImportance", "low")
	for _, name := range []string{"delete", "markAsRead", "permanentDelete"} {
		set(actions, name, maybe())
	}
	out := map[string]any{"displayName": fmt.Sprintf("%d \u200b.", i), "sequence": 1 + r.IntN(9), "isEnabled": maybe(), "actions": actions}
	if len(conditions) > 0 {
		out["conditions"] = conditions
	}
	if maybe() {
		out["exceptions"] = map[string]any{"subjectContains": []any{"not this"}}
	}
	return out
}

// FuzzWhole: no rule that Microsoft could send breaks the comparison, and each is the same as itself and as what an undo
// sends of it.
func FuzzWhole(f *testing.F) {
	f.Add([]byte(`{"id":"x","displayName":".","sequence":2,"isEnabled":true,"conditions":{"subjectContains":["a"],"hasAttachments":null},"actions":{"delete":true,"@odata.type":"x"}}`))
	f.Add([]byte(`{"sequence":1e400,"conditions":[],"actions":7}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		body, err := again(raw)
		if err != nil {
			return
		}
		lost(raw)
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if names, err := differ(raw, b); err != nil || len(names) > 0 {
			t.Errorf("what is sent differs in %v (%v): %s and %s", names, err, raw, b)
		}
	})
}
