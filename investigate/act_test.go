package investigate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// restorable are the kinds with how they are asked for.
var restorable = []ActAsk{{Kind: Warn}, {Kind: Quarantine}, {Kind: Junk}, {Kind: SoftDelete}, {Kind: SoftDelete, Options: ActOptions{DeletedItems: true}}}

// TestMailActs: each kind is planned, recorded, done and read back; what it was not on is as it was; a restore gives every message
// its folder, read state, flag and categories again, by Graph and by the simulator's own digest.
func TestMailActs(t *testing.T) {
	eachAct(t, func(t *testing.T, b *actBed) {
		before, digest := b.world(), fmt.Sprint(b.w.Digest())
		for _, ask := range restorable {
			had := len(b.did())
			a, err := b.tried(ann, ask)
			ok(t, err)
			b.is(a, ActRunning)
			if n := len(b.did()) - had; n != 0 {
				t.Errorf("recording %s did %d things", ask.Kind, n)
			}
			if p := a.Plan.Blast; p.Messages != 6 || p.Mailboxes != 5 || len(p.Samples) != 5 || p.Senders[0].Messages != 6 {
				t.Errorf("%s reaches %+v", ask.Kind, p)
			}
			a = b.runs(b.executor(), a.ID)
			b.is(a, ActDone)
			b.counts(a.ID, map[ItemState]int{ItemDone: 6})
			changed, now := 0, b.world() // which has nothing of Recoverable Items
			for id, was := range before {
				if now[id] != was {
					changed++
				}
			}
			if changed != 6 || len(b.did())-had != 6 {
				t.Errorf("%s changed %d messages: %v", ask.Kind, changed, b.did()[had:])
			}
			for _, it := range b.items(a.ID) {
				if it.Before == nil || it.After == nil || it.Before.equal(it.After) {
					t.Errorf("%s: the ledger has %+v", ask.Kind, it)
				}
			}
			if got := fmt.Sprint(b.matches()); got != "map[acted:6]" {
				t.Errorf("the matches are %s", got)
			}
			r := b.runs(b.executor(), b.restore(a.ID).ID)
			b.is(r, ActDone)
			b.counts(r.ID, map[ItemState]int{ItemDone: 6})
			b.same("after restoring "+string(ask.Kind), b.world(), before)
			if now := fmt.Sprint(b.w.Digest()); now != digest {
				t.Errorf("after restoring %s the digest differs", ask.Kind)
			}
			for _, it := range b.items(r.ID) {
				if !strings.Contains(it.Because, "read back equal") {
					t.Errorf("a restored message says %q", it.Because)
				}
			}
			if got := fmt.Sprint(b.matches()); got != "map[restored:6]" {
				t.Errorf("the matches are %s", got)
			}
			if _, err := b.record(second(b.desk.PlanRestore(t.Context(), b.tenant, ann, a.ID, "", nil))); actCode(err) != "conflict" {
				t.Errorf("restoring twice: %v", err)
			}
			b.exec(`update mail_match set state = 'found' where tenant = $1`)
		}
	})
}

func second(f *ActDraft, err error) *ActDraft {
	if err != nil {
		panic(err)
	}
	return f
}

// TestMailPurge: deleting for good is for administrators, where the settings have it; it says that it cannot be undone, and is not.
func TestMailPurge(t *testing.T) {
	eachAct(t, func(t *testing.T, b *actBed) {
		if _, err := b.tried(max_, ActAsk{Kind: Purge}); actCode(err) != "conflict" {
			t.Errorf("purging where the settings do not have it: %v", err)
		}
		b.set(func(s *ActSettings) { s.Purge = true })
		if _, err := b.tried(ann, ActAsk{Kind: Purge}); actCode(err) != "conflict" {
			t.Errorf("purging as an analyst: %v", err)
		}
		a := b.ask(Purge)
		if a.Plan.CanUndo || !strings.Contains(a.Plan.Undo, "cannot be undone") {
			t.Errorf("the plan says %+v", a.Plan)
		}
		had := len(b.world())
		a = b.runs(b.executor(), a.ID)
		b.counts(a.ID, map[ItemState]int{ItemDone: 6})
		if n := had - len(b.world()); n != 6 || len(b.twice(0)) > 0 {
			t.Errorf("%d messages are gone; %v", n, b.did())
		}
		if _, err := b.desk.PlanRestore(t.Context(), b.tenant, max_, a.ID, "", nil); err != nil && actCode(err) != "conflict" || err == nil {
			t.Errorf("restoring what was purged: %v", err)
		}
	})
}

func (b *actBed) set(change func(*ActSettings)) {
	b.Helper()
	ok(b, b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		s, err := ActSettingsOf(b.Context(), t)
		if err != nil {
			return err
		}
		change(&s)
		_, err = SetActs(b.Context(), t, max_, s, s.Version)
		return err
	}))
}

// TestMailBrokenOff: wherever an act breaks off, another executor ends it, and nothing is done twice or left out.
func TestMailBrokenOff(t *testing.T) {
	eachAct(t, func(t *testing.T, b *actBed) {
		b.set(func(s *ActSettings) { s.Purge, s.PerHour = true, 0 })
		before := b.world()
		for _, point := range []string{"recorded", "sent", "done"} {
			for _, kind := range []ActKind{Warn, Restore, Quarantine, Restore, Junk, Restore, SoftDelete, Restore} {
				had := len(b.did())
				var a *Act
				if kind == Restore {
					a = b.restore(b.last().ID)
				} else {
					a = b.ask(kind)
				}
				n := 0
				rough, died := b.executor(), errors.New("the process died")
				var mu sync.Mutex
				rough.at = func(at string) error {
					mu.Lock()
					defer mu.Unlock()
					if at == point {
						n++
					}
					if n >= 3 { // in the middle of several
						return died
					}
					return nil
				}
				if err := rough.Round(t.Context()); !errors.Is(err, died) {
					t.Fatalf("%s at %s: %v", kind, point, err)
				}
				a = b.runs(b.executor(), a.ID)
				b.is(a, ActDone)
				b.counts(a.ID, map[ItemState]int{ItemDone: 6})
				if got := b.did()[had:]; len(got) != 6 || len(b.twice(had)) > 0 {
					t.Errorf("%s broken off at %s: %v was done", kind, point, got)
				}
				b.exec(`update mail_match set state = 'found' where tenant = $1`)
			}
		}
		b.same("after all", b.world(), before)
	})
}

// last is the newest act that is none to restore.
func (b *actBed) last() *Act {
	b.Helper()
	var list []*Act
	ok(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) {
		list, err = Acts(b.Context(), t, ActFilter{Kinds: []ActKind{Warn, Quarantine, Junk, SoftDelete, Purge}, Limit: 1})
		return err
	}))
	return list[0]
}

// TestMailLimits: above the limits a second person must approve, who is not the one that asked; refusing ends it; what is too much
// cannot be asked for.
func TestMailLimits(t *testing.T) {
	eachAct(t, func(t *testing.T, b *actBed) {
		b.set(func(s *ActSettings) { s.PerAct = 5 })
		a := b.ask(Junk)
		b.is(a, ActWaiting)
		if len(a.Plan.Approvals) != 1 || a.Because == "" {
			t.Errorf("the plan says %v; because %q", a.Plan.Approvals, a.Because)
		}
		ok(t, b.executor().Round(t.Context()))
		if len(b.did()) != 0 {
			t.Errorf("before approval %v was done", b.did())
		}
		if err := b.decide(ApproveAct, max_, a.ID); actCode(err) != "denied" {
			t.Errorf("approving one's own: %v", err)
		}
		if _, err := b.tried(ann, ActAsk{Kind: SoftDelete}); actCode(err) != "conflict" {
			t.Errorf("asking for what waits already: %v", err)
		}
		ok(t, b.decide(RefuseAct, ann, a.ID))
		b.is(b.get(a.ID), ActRefused)
		b.counts(a.ID, map[ItemState]int{ItemLeft: 6})
		if got := fmt.Sprint(b.matches()); got != "map[found:6]" {
			t.Errorf("the matches are %s", got)
		}
		a = b.ask(Junk)
		ok(t, b.decide(ApproveAct, ann, a.ID))
		a = b.runs(b.executor(), a.ID)
		b.counts(a.ID, map[ItemState]int{ItemDone: 6})
		if a.ApprovedEmail != ann.Email {
			t.Errorf("approved by %q", a.ApprovedEmail)
		}
		r := b.restore(a.ID) // never held up
		b.is(r, ActRunning)
		b.runs(b.executor(), r.ID)

		b.exec(`update mail_match set state = 'found' where tenant = $1`)
		b.set(func(s *ActSettings) { s.PerAct, s.PerHour = 0, 8 })
		first, err := b.tried(ann, ActAsk{Kind: Junk, People: []tocsin.PersonID{b.person("amy")}})
		ok(t, err)
		b.is(first, ActRunning)
		b.runs(b.executor(), first.ID)
		if _, err = b.tried(ann, ActAsk{Kind: SoftDelete, People: []tocsin.PersonID{b.person("amy")}}); err != nil {
			t.Fatal(err)
		}
		b.is(b.last(), ActRunning)
		b.is(must1(b.tried(ann, ActAsk{Kind: Junk, People: []tocsin.PersonID{b.person("bob"), b.person("cat"), b.person("dan"), b.person("eve")}})), ActRunning)
		b.runs(b.executor(), b.last().ID)
		b.is(must1(b.tried(ann, ActAsk{Kind: SoftDelete, People: []tocsin.PersonID{b.person("bob")}})), ActWaiting)

		b.set(func(s *ActSettings) { s.Most = 3 })
		if _, err := b.tried(ann, ActAsk{Kind: Junk, People: []tocsin.PersonID{b.person("cat"), b.person("dan"), b.person("eve"), b.person("amy")}}); actCode(err) != "conflict" {
			t.Errorf("asking for more than the most: %v", err)
		}
	})
}

func must1(a *Act, err error) *Act {
	if err != nil {
		panic(err)
	}
	return a
}

// TestMailBlast: a dry run names administrators and the spared, leaves out what may not be touched, and says so; only an owner
// can have the spared touched.
func TestMailBlast(t *testing.T) {
	b := newActBed(t, storetest.SQLite(t))
	b.exec(`insert into directory_role (tenant, id, name, template, seen) values ($1, 'r', 'Global Administrator', 't', 1)`)
	b.exec(`insert into role_member (tenant, role, object_id, person, name, seen) values ($1, 'r', $2, $3, 'AMY', 1)`, b.users["amy"], b.person("amy"))
	ok(t, b.st.UpdateTenant(t.Context(), b.tenant, func(tt *store.Tenant) error {
		s, err := remediate.SettingsOf(t.Context(), tt)
		if err != nil {
			return err
		}
		s.Spared = []string{"bob@fabrikam.com"}
		_, err = remediate.Set(t.Context(), tt, owen.Who, s, s.Version)
		return err
	}))
	b.exec(`update mail_match set truth = 'unknown' where tenant = $1 and person = $2`, b.person("cat"))
	b.exec(`update person set mail = 'dan@other.example', upn = 'dan@other.example' where tenant = $1 and person = $2`, b.person("dan"))
	b.inside = []string{"fabrikam.com"}
	f, err := b.desk.Plan(t.Context(), b.tenant, ann, ActAsk{Investigation: b.found, Kind: Junk})
	ok(t, err)
	p := f.Plan.Blast
	if p.Messages != 3 || p.Mailboxes != 2 || p.Of != 5 || len(p.Left) != 3 || len(p.Notable) != 1 || p.Notable[0].Who != "amy@fabrikam.com" || p.Notable[0].Messages != 2 || !strings.Contains(p.Notable[0].Why, "Global") {
		t.Errorf("it reaches %+v", p)
	}
	f, err = b.desk.Plan(t.Context(), b.tenant, owen, ActAsk{Investigation: b.found, Kind: Junk, Force: true})
	ok(t, err)
	if f.Plan.Blast.Messages != 4 {
		t.Errorf("an owner reaches %+v", f.Plan.Blast)
	}
	b.exec(`insert into reported_inbox (tenant, person, since) values ($1, $2, 1)`, b.person("eve"))
	f, err = b.desk.Plan(t.Context(), b.tenant, ann, ActAsk{Investigation: b.found, Kind: Junk})
	ok(t, err)
	if p := f.Plan.Blast; p.Messages != 2 || !slices.ContainsFunc(p.Left, func(l BlastLeft) bool { return strings.Contains(l.Why, "people report") && l.Messages == 1 }) {
		t.Errorf("what was reported is not left where it is: %+v", p)
	}
	f, err = b.desk.Plan(t.Context(), b.tenant, ann, ActAsk{Investigation: b.found, Kind: Junk, Matches: b.matchesOf("eve")})
	ok(t, err)
	if p := f.Plan.Blast; p.Messages != 1 || len(p.Left) != 0 {
		t.Errorf("what is named is reached: %+v", p)
	}
	b.exec(`delete from reported_inbox where tenant = $1`)
	if n := len(b.did()); n != 0 {
		t.Errorf("planning did %d things", n)
	}
	a := b.ask(Junk)
	b.inside = []string{"elsewhere.example"} // narrowed after it was asked for
	b.counts(b.runs(b.executor(), a.ID).ID, map[ItemState]int{ItemRefused: 3})
	if len(b.did()) != 0 {
		t.Errorf("outside of the domains %v was done", b.did())
	}
	b.off = actProblem(graph.ErrPaused)
	if _, err := b.tried(ann, ActAsk{Kind: Junk}); actCode(err) != "conflict" {
		t.Errorf("asking without a connection: %v", err)
	}
	if _, err := b.tried(ann, ActAsk{Investigation: "none", Kind: Junk}); actCode(err) != "not_found" {
		t.Errorf("of no investigation: %v", err)
	}
	if _, err := b.tried(ann, ActAsk{Kind: Restore}); actCode(err) != "invalid" {
		t.Errorf("asking for a restore by itself: %v", err)
	}
}

// TestMailByItself: an investigation acts on each match once; what it finds later joins its act; once somebody has stopped it,
// nothing more is done until the investigation is changed.
func TestMailByItself(t *testing.T) {
	eachAct(t, func(t *testing.T, b *actBed) {
		by := func(epoch int64, people ...string) (id string) {
			ask := ActAsk{Investigation: b.found, Kind: Quarantine, Why: "By itself."}
			for _, p := range people {
				ask.People = append(ask.People, b.person(p))
			}
			ok(t, b.st.UpdateTenant(t.Context(), b.tenant, func(tt *store.Tenant) (err error) {
				id, err = b.desk.ActByItself(t.Context(), tt, ann, epoch, ask)
				return err
			}))
			return id
		}
		first := by(1, "amy")
		if again := by(1, "amy"); again != "" {
			t.Errorf("the same matches made %q", again)
		}
		b.runs(b.executor(), first)
		if more := by(1, "bob", "cat"); more != first {
			t.Errorf("later matches made %q, not %q", more, first)
		}
		b.is(b.get(first), ActRunning)
		a := b.runs(b.executor(), first)
		b.counts(first, map[ItemState]int{ItemDone: 4})
		if !a.ByItself || a.Plan.Blast.Messages != 4 || a.Plan.Blast.Mailboxes != 3 {
			t.Errorf("the act is %+v", a.Plan.Blast)
		}
		by(1, "dan")
		ok(t, b.decide(StopAct, max_, first))
		if stopped := by(1, "eve"); stopped != "" {
			t.Errorf("after a stop it made %q", stopped)
		}
		changed := by(2, "eve")
		if changed == "" || changed == first {
			t.Errorf("after a change it made %q", changed)
		}
		b.runs(b.executor(), b.last().ID)
		if len(b.twice(0)) > 0 || len(b.did()) != 5 {
			t.Errorf("%v was done", b.did())
		}
		// A limit is not got round by finding little at a time.
		b.set(func(s *ActSettings) { s.PerAct = 1 })
		b.exec(`update mail_match set state = 'found' where tenant = $1`)
		more := by(2, "bob")
		b.is(b.get(more), ActWaiting)
		if same := by(2, "cat"); more == changed || same != more {
			t.Errorf("above the limit it made %q and %q, after %q", more, same, changed)
		}
	})
}

// TestMailNotice: each mailbox in which something was done gets one notice, that looks delivered; a lost answer makes no second
// one; a restore takes them away.
func TestMailNotice(t *testing.T) {
	b := newActBed(t, storetest.SQLite(t))
	b.play("mon 11:00 bob purges mail \"Invoice 471\"\n")
	a, err := b.tried(ann, ActAsk{Kind: Junk, Options: ActOptions{Notice: true}})
	ok(t, err)
	b.fault(sim.Fault{Kind: sim.Lost, Method: "POST", Path: "**/mailFolders/*/messages", Times: 2})
	had := map[string]int{}
	for _, p := range actPeople {
		had[p] = len(b.mails(p))
	}
	a = b.runs(b.executor(), a.ID)
	b.counts(a.ID, map[ItemState]int{ItemDone: 5 + 4, ItemGone: 1, ItemLeft: 1})
	for _, p := range actPeople {
		want := map[bool]int{true: 0, false: 1}[p == "bob"]
		if n := len(b.mails(p)) - had[p]; n != want {
			t.Errorf("%s got %d notices", p, n)
		}
		for _, m := range b.mails(p) {
			if strings.HasPrefix(m.InternetMessageID, "<notice-") && (*m.IsDraft || bool(*m.IsRead)) {
				t.Errorf("the notice of %s is %+v", p, m)
			}
		}
	}
	r := b.runs(b.executor(), b.restore(a.ID).ID)
	b.counts(r.ID, map[ItemState]int{ItemDone: 9})
}
