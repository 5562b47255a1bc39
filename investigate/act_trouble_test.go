package investigate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
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
	"tocsin.dev/story"
)

// TestMailAnswerLost: answers that say that it may have failed, or break off, or are garbage, though it was done; or that fail before
// it was done; or a storm of refusals. All ends well, once.
func TestMailAnswerLost(t *testing.T) {
	b := newActBed(t, storetest.SQLite(t))
	b.set(func(s *ActSettings) { s.Purge, s.PerHour = true, 0 })
	before := b.world()
	calls := map[ActKind]string{Warn: "PATCH **/messages/*", Quarantine: "POST **/move", Junk: "POST **/move", Restore: "POST **/move"}
	for _, f := range []sim.Fault{{Kind: sim.Lost, Times: 4}, {Kind: sim.Cut, Times: 3}, {Kind: sim.Garbage, Times: 3}, {Kind: sim.Broken, Times: 5}, {Kind: sim.Throttle, After: "0.01", Times: 30}} {
		for _, kind := range []ActKind{Warn, Restore, Quarantine, Restore, Junk, Restore} {
			had := len(b.did())
			var a *Act
			if kind == Restore {
				a = b.restore(b.last().ID)
			} else {
				a = b.ask(kind)
			}
			f.Method, f.Path, _ = strings.Cut(calls[kind], " ")
			if kind == Restore && b.last().Kind == Warn {
				f.Method, f.Path = "PATCH", "**/messages/*"
			}
			b.fault(f)
			a = b.runs(b.executor(), a.ID)
			b.w.Heal()
			b.counts(a.ID, map[ItemState]int{ItemDone: 6})
			if got := b.did()[had:]; len(got) != 6 || len(b.twice(had)) > 0 {
				t.Errorf("%s under %s: %v was done", kind, f.Kind, got)
			}
			b.exec(`update mail_match set state = 'found' where tenant = $1`)
		}
	}
	b.same("after all", b.world(), before)
	a := b.ask(Purge)
	had := len(b.did())
	b.fault(sim.Fault{Kind: sim.Lost, Times: 3, Method: "POST", Path: "**/permanentDelete"})
	b.counts(b.runs(b.executor(), a.ID).ID, map[ItemState]int{ItemDone: 6})
	if got := b.did()[had:]; len(got) != 6 || len(b.twice(had)) > 0 {
		t.Errorf("purging under lost answers: %v", got)
	}
}

// TestMailPartial: each message has its own outcome: done, so already, gone, out of the app's scope, its mailbox gone; and a person
// whose message moved under our hand has it acted on where it is, and back there by a restore.
func TestMailPartial(t *testing.T) {
	b := newActBed(t, storetest.SQLite(t))
	a := b.ask(Junk)
	b.play(`mon 11:00 bob purges mail "Invoice 471"
mon 11:01 cat moves mail "Invoice 472" to junkemail
mon 11:02 dan moves mail "Invoice 473" to inbox
`)
	before := b.world()
	ok(t, b.w.DeleteUser(b.users["eve"]))
	b.fault(sim.Fault{Kind: sim.OutOfScope, Path: "/users/" + b.users["amy"] + "/**", Times: 1})
	a = b.runs(b.executor(), a.ID)
	b.is(a, ActDone)
	b.counts(a.ID, map[ItemState]int{ItemDone: 2, ItemGone: 2, ItemAlready: 1, ItemRefused: 1})
	for _, it := range b.items(a.ID) {
		if it.Because == "" || it.State == ItemRefused && it.Mend == "" {
			t.Errorf("%s is %s, and says %q %q", it.Who, it.State, it.Because, it.Mend)
		}
	}
	r := b.runs(b.executor(), b.restore(a.ID).ID)
	b.counts(r.ID, map[ItemState]int{ItemDone: 2})
	after := b.world()
	for id, was := range before {
		if !strings.HasPrefix(id, "eve ") && after[id] != was {
			t.Errorf("%s is %s, and was %s", id, after[id], was)
		}
	}
}

func (b *actBed) play(acts string) {
	b.Helper()
	var head strings.Builder
	head.WriteString("# More.\ndomain fabrikam.com\n")
	for _, p := range actPeople {
		fmt.Fprintf(&head, "person %s \"%s\" %s@fabrikam.com\n", p, strings.ToUpper(p), p)
	}
	s, err := story.Parse("more", strings.NewReader(head.String()+acts))
	ok(b, err)
	ok(b, b.w.Play(s))
}

// TestMailMovedSince: what somebody changed between an act and its restore stays as they left it, and is said.
func TestMailMovedSince(t *testing.T) {
	b := newActBed(t, storetest.SQLite(t))
	a := b.runs(b.executor(), b.ask(Junk).ID)
	b.play(`mon 11:00 bob moves mail "Invoice 471" to archive
mon 11:01 cat categorises mail "Invoice 472" as "BLUE"
mon 11:02 dan unreads mail "Invoice 473"
`)
	r := b.runs(b.executor(), b.restore(a.ID).ID)
	b.counts(r.ID, map[ItemState]int{ItemDone: 5, ItemRefused: 1})
	says := map[string]string{"bob@fabrikam.com": "moved it since", "cat@fabrikam.com": "its categories", "dan@fabrikam.com": "its read state", "amy@fabrikam.com": "read back equal"}
	for _, it := range b.items(r.ID) {
		if !strings.Contains(it.Because, says[it.Who]) {
			t.Errorf("%s: %q, want %q", it.Who, it.Because, says[it.Who])
		}
	}
	// A restore of the mails of one mailbox alone.
	b.exec(`update mail_match set state = 'found' where tenant = $1`)
	a = b.runs(b.executor(), b.ask(SoftDelete).ID)
	first := b.items(a.ID)[0]
	r = b.runs(b.executor(), b.restore(a.ID, first.ID).ID)
	b.counts(r.ID, map[ItemState]int{ItemDone: 1})
	r = b.runs(b.executor(), b.restore(a.ID).ID)
	b.counts(r.ID, map[ItemState]int{ItemDone: 5})
}

// TestMailRevoked: where consent is taken away in the middle, the act waits and says why; given back, it goes on, and nothing is
// done twice. What is left after a day is not done.
func TestMailRevoked(t *testing.T) {
	b := newActBed(t, storetest.SQLite(t))
	a := b.ask(Junk)
	b.fault(sim.Fault{Kind: sim.Denied, Method: "POST", Path: "**/move", Skip: 2})
	e := b.executor()
	for range 4 {
		ok(t, e.Round(t.Context()))
		b.st.Clock().Advance(31 * time.Second)
	}
	a = b.get(a.ID)
	if a.State != ActRunning || !strings.Contains(a.Because, "Mail.ReadWrite") || a.Mend == "" || !slices.Contains(b.history(a.ID), "held") {
		t.Errorf("it is %s because %q %q; %v", a.State, a.Because, a.Mend, b.history(a.ID))
	}
	if c := b.states(a.ID); c[ItemDone] != 2 || c[ItemWaiting] != 4 {
		t.Errorf("the items are %v", c)
	}
	b.w.Heal()
	a = b.runs(b.executor(), a.ID)
	b.counts(a.ID, map[ItemState]int{ItemDone: 6})
	if a.Because != "" || len(b.did()) != 6 || len(b.twice(0)) > 0 {
		t.Errorf("because %q; %v was done", a.Because, b.did())
	}

	b.exec(`update mail_match set state = 'found' where tenant = $1`)
	b.off = actProblem(graph.ErrPaused)
	a = b.ask2(SoftDelete)
	for range 3 {
		ok(t, b.executor().Round(t.Context()))
		b.st.Clock().Advance(10 * time.Hour)
	}
	a = b.runs(b.executor(), a.ID)
	b.counts(a.ID, map[ItemState]int{ItemFailed: 6})
	if !strings.Contains(b.items(a.ID)[0].Because, "paused") {
		t.Errorf("it says %q", b.items(a.ID)[0].Because)
	}
}

// ask2 records an act though the connection is paused just then.
func (b *actBed) ask2(kind ActKind) *Act {
	b.Helper()
	off := b.off
	b.off = nil
	defer func() { b.off = off }()
	return b.ask(kind)
}

// TestMailStop: a stop is at once: what has not begun is left, and what was sent without an answer is looked at, not sent again.
func TestMailStop(t *testing.T) {
	eachAct(t, func(t *testing.T, b *actBed) {
		a := b.ask(Junk)
		b.fault(sim.Fault{Kind: sim.Lost, Method: "POST", Path: "**/move", Times: 1})
		b.fault(sim.Fault{Kind: sim.Broken, Method: "POST", Path: "**/move", Times: 1})
		e := b.executor()
		n := 0
		var mu sync.Mutex
		e.at = func(at string) error {
			mu.Lock()
			defer mu.Unlock()
			if at != "recorded" {
				return nil
			}
			if n++; n == 3 { // two are on their way, and this one too
				return b.decide(StopAct, ann, a.ID)
			}
			return nil
		}
		ok(t, e.Round(t.Context()))
		a = b.runs(b.executor(), a.ID)
		b.is(a, ActStopped)
		c := b.states(a.ID)
		if c[ItemDone]+c[ItemLeft] != 6 || c[ItemDone] != len(b.did()) || c[ItemLeft] < 1 || len(b.twice(0)) > 0 {
			t.Errorf("the items are %v; %v was done: %v", c, b.did(), b.said(a.ID))
		}
		if m := b.matches(); m["acted"] != c[ItemDone] || m["found"] != c[ItemLeft] {
			t.Errorf("the matches are %v, the items %v", m, c)
		}
		if err := b.decide(StopAct, ann, a.ID); actCode(err) != "conflict" {
			t.Errorf("stopping twice: %v", err)
		}
		r := b.runs(b.executor(), b.restore(a.ID).ID)
		b.counts(r.ID, map[ItemState]int{ItemDone: c[ItemDone]})
	})
}

// TestMailTwoExecutors: of several at once only the holder of the lease acts, and one that has lost it stops before it sends.
func TestMailTwoExecutors(t *testing.T) {
	eachAct(t, func(t *testing.T, b *actBed) {
		a := b.ask(SoftDelete)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var stood atomic.Int32    // an item that was late is tried again, and eight times at most
		var onTheWay sync.RWMutex // held for reading while something is being sent: that takes no two minutes
		for i := range 3 {
			all.Go(func() {
				owner := fmt.Sprint("replica", i)
				for ctx.Err() == nil {
					epoch, mine, err := b.st.Lease(ctx, "acts", owner, time.Minute)
					if err != nil || !mine {
						time.Sleep(time.Millisecond)
						continue
					}
					e := b.executor()
					e.Guard = func(ctx context.Context, tx *store.Tx) error { return tx.Guard(ctx, "acts", owner, epoch) }
					e.at = func(point string) error {
						switch point {
						case "recorded":
							if rand.N(3) == 0 && stood.Add(1) <= 4 { // this one stands still, and the lease runs out at the worst moment
								onTheWay.Lock()
								b.st.Clock().Advance(2 * time.Minute)
								onTheWay.Unlock()
							}
							onTheWay.RLock()
						case "sent", "late":
							onTheWay.RUnlock()
						}
						return nil
					}
					_ = e.Round(ctx) // one that was overtaken fails, and the other goes on
					b.st.Clock().Advance(5 * time.Second)
				}
			})
		}
		for deadline := time.Now().Add(3 * time.Minute); b.get(a.ID).State != ActDone; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it is %s: %v", b.get(a.ID).State, b.said(a.ID))
			}
		}
		stop()
		all.Wait()
		b.counts(a.ID, map[ItemState]int{ItemDone: 6})
		if len(b.did()) != 6 || len(b.twice(0)) > 0 {
			t.Errorf("%v was done", b.did())
		}
	})
}

// killer breaks off everything at a request: before it is made, or after it was answered.
type killer struct {
	under http.RoundTripper
	after bool
	mu    sync.Mutex
	left  int
	kill  context.CancelFunc
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	k.left--
	now := k.left == 0
	k.mu.Unlock()
	if now && !k.after {
		k.kill()
		return nil, context.Canceled
	}
	res, err := k.under.RoundTrip(r)
	if now {
		k.kill()
	}
	return res, err
}

// TestMailKilledAnywhere: an executor that ends at any request it makes, before or after it, leaves what another brings to its end,
// with nothing done twice.
func TestMailKilledAnywhere(t *testing.T) {
	b := newActBed(t, storetest.SQLite(t))
	b.set(func(s *ActSettings) { s.PerHour = 0 })
	before := b.world()
	for n := 1; n <= 24; n += 1 + n/8 {
		for _, after := range []bool{false, true} {
			for _, kind := range []ActKind{Quarantine, Restore} {
				had := len(b.did())
				var a *Act
				if kind == Restore {
					a = b.restore(b.last().ID)
				} else {
					a = b.ask(kind)
				}
				ctx, kill := context.WithCancel(t.Context())
				own := *b.w.Client()
				own.Transport = &killer{under: own.Transport, after: after, left: n + 1, kill: kill} // the first is for the token
				gc := actClient(t, b.w, &own)
				rough := b.executor()
				rough.Way = func(context.Context, tocsin.TenantID, string, string) (string, string, *graph.Client, error) {
					return "connection", "test", gc, nil
				}
				_ = rough.Round(ctx)
				kill()
				a = b.runs(b.executor(), a.ID)
				b.counts(a.ID, map[ItemState]int{ItemDone: 6})
				if got := b.did()[had:]; len(got) != 6 || len(b.twice(had)) > 0 {
					t.Errorf("%s killed at %d: %v was done", kind, n, got)
				}
				b.exec(`update mail_match set state = 'found' where tenant = $1`)
			}
		}
	}
	b.same("after all", b.world(), before)
}

// TestMailMade: a folder or category of ours whose making was not answered is there once; where the list of categories may not be
// changed, the message is marked all the same; where the folder cannot be made, nothing is claimed.
func TestMailMade(t *testing.T) {
	b := newActBed(t, storetest.SQLite(t))
	b.set(func(s *ActSettings) { s.PerHour = 0 })
	b.fault(sim.Fault{Kind: sim.Lost, Method: "POST", Path: "/users/*/mailFolders", Times: 3})
	b.fault(sim.Fault{Kind: sim.Lost, Method: "POST", Path: "/users/*/outlook/masterCategories", Times: 3})
	for _, kind := range []ActKind{Quarantine, Warn} {
		a := b.runs(b.executor(), b.ask(kind).ID)
		b.counts(a.ID, map[ItemState]int{ItemDone: 6})
		b.runs(b.executor(), b.restore(a.ID).ID)
		b.exec(`update mail_match set state = 'found' where tenant = $1`)
	}
	for _, p := range actPeople {
		n := 0
		for f, err := range graph.Pages[struct{ DisplayName string }](t.Context(), b.gc, "mailFolders.list", graph.P{"user": b.users[p], "includeHiddenFolders": "true"}) {
			ok(t, err)
			if f.DisplayName == QuarantineFolder {
				n++
			}
		}
		m := 0
		for c, err := range graph.Pages[struct{ DisplayName string }](t.Context(), b.gc, "masterCategories.list", graph.P{"user": b.users[p]}) {
			ok(t, err)
			if c.DisplayName == WarnCategory {
				m++
			}
		}
		if n != 1 || m != 1 {
			t.Errorf("%s has %d folders and %d categories of ours", p, n, m)
		}
	}
	b.w.Heal()
	b.fault(sim.Fault{Kind: sim.Denied, Path: "/users/*/outlook/masterCategories"})
	a := b.runs(b.executor(), b.ask(Warn).ID)
	b.counts(a.ID, map[ItemState]int{ItemDone: 6})
	b.exec(`update mail_match set state = 'found' where tenant = $1`)
	b.fault(sim.Fault{Kind: sim.Denied, Method: "GET", Path: "/users/*/mailFolders"})
	a = b.ask(Quarantine)
	ok(t, b.executor().Round(t.Context()))
	if c := b.states(a.ID); c[ItemWaiting] != 6 || b.get(a.ID).Because == "" {
		t.Errorf("without the folder the items are %v, because %q", c, b.get(a.ID).Because)
	}
}
