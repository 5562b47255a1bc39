package server

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/graph/sim"
)

// strike makes something go wrong.
func (l *life) strike(f sim.Fault) *sim.Struck {
	l.Helper()
	k, err := l.w.Strike(f)
	if err != nil {
		l.Fatal(err)
	}
	return k
}

// TestStreamTroubles: one trouble after another comes over the same tenant, and after each the stream agrees with the truth.
func TestStreamTroubles(t *testing.T) {
	t.Parallel()
	w := world(t, 12)
	c := calmly(t)
	c.Every.Reconcile = 10 * time.Minute
	l := lives(t, c, w)
	refused := func() int64 { // posts; what could not be stored in time is refused rightly
		return int64(w.Deliveries().Failed) - int64(l.s.Hook.Count(collect.HookFailed))
	}
	for _, trouble := range []struct {
		name string
		do   func()
	}{
		{"lost, repeated, delayed and overtaken at once, with garbage between", func() {
			for _, f := range []sim.Fault{{Kind: sim.NoticeLost, Every: 10}, {Kind: sim.NoticeRepeated, Every: 10}, {Kind: sim.NoticeDelayed, Every: 7, Delay: sim.Duration(2 * time.Minute)},
				{Kind: sim.NoticeOvertaken, Every: 5}, {Kind: sim.NoticeGarbage, Every: 12}} {
				l.strike(f)
			}
			for i := range 4 {
				l.mail(40)
				l.comeAndGo(i)
				l.pass(30 * time.Second)
			}
			w.Heal()
			for range 2 { // what is missing is said to be gone when it is missed again
				l.pass(11 * time.Minute)
				eventually(t, "the looking without being told", func() string {
					if l.count(`select count(*) from source where tenant = $1 and name = 'reconcile' and due > $2`, tocsin.Millis(l.clock.Now())) == 0 {
						return "has not been"
					}
					return ""
				})
			}
		}},
		{"removed in silence, with moves, arrivals and ends before anybody notices", func() {
			if n, err := w.RemoveSubscriptions("", 2, true); err != nil || n == 0 {
				t.Fatal(n, err)
			}
			for i, who := range l.people {
				name := fmt.Sprintf("%q", fmt.Sprintf("moved %d", i))
				l.now(who+" receives from x@elsewhere.example subject "+name, who+" moves mail "+name+" to archive", who+" flags mail "+name)
				l.comeAndGo(i)
			}
			l.hurry()
		}},
		{"said to have missed some, and to reauthorize", func() {
			if _, err := w.Lifecycle("missed", "", 2); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Lapse("", 3); err != nil {
				t.Fatal(err)
			}
			l.mail(40)
		}},
		{"Graph's clock five minutes ahead", func() {
			w.Advance(5 * time.Minute)
			l.mail(40)
			if _, err := w.RemoveSubscriptions("", 2, true); err != nil {
				t.Fatal(err)
			}
			l.mail(40)
			l.hurry()
		}},
		{"Graph's clock five minutes behind", func() {
			l.clock.Advance(10 * time.Minute)
			l.mail(40)
			if _, err := w.RemoveSubscriptions("", 2, true); err != nil {
				t.Fatal(err)
			}
			l.mail(40)
			l.hurry()
			l.settle()
			w.Advance(5 * time.Minute)
		}},
		{"Graph down, and notifications taken all the same", func() {
			down := l.strike(sim.Fault{Kind: sim.Broken, Path: "/$batch"})
			alone := l.strike(sim.Fault{Kind: sim.Broken, Path: "/users/*/messages/**"})
			failed := refused()
			l.mail(80)
			l.pass(time.Second)
			eventually(t, "what is parked", func() string {
				if l.count(`select count(*) from parked where tenant = $1`) == 0 {
					return "nothing"
				}
				return ""
			})
			l.mail(20)
			l.pass(time.Minute)
			if n := refused(); n > failed {
				t.Errorf("%d posts were refused while Graph was down", n-failed)
			}
			down.Heal()
			alone.Heal()
		}},
		{"a storm of 429, and slow answers", func() {
			failed := refused()
			storm := l.strike(sim.Fault{Kind: sim.Throttle, Path: "/users/**", Every: 3, After: "1"})
			slow := l.strike(sim.Fault{Kind: sim.Slow, Path: "/$batch", Delay: sim.Duration(700 * time.Millisecond), Every: 2})
			for range 3 {
				l.mail(30)
				l.pass(time.Second)
			}
			if n := refused(); n > failed {
				t.Errorf("%d posts were refused while Graph was slow", n-failed)
			}
			storm.Heal()
			slow.Heal()
		}},
		{"ended and begun again in the middle of catching up", func() {
			if n, err := w.RemoveSubscriptions("", 1, true); err != nil || n == 0 {
				t.Fatal(n, err)
			}
			l.mail(60)
			slow := l.strike(sim.Fault{Kind: sim.Slow, Path: "/users/*/messages", Delay: sim.Duration(300 * time.Millisecond), Skip: 4})
			l.hurry()
			eventually(t, "catching up", func() string {
				if slow.Times() == 0 {
					return "has not begun"
				}
				return ""
			})
			l.sleep()
			slow.Heal()
			l.wake()
			l.mail(20)
		}},
		{"the journal is lost with what was acknowledged", func() {
			l.sleep()
			s, err := New(t.Context(), l.conf, Options{HTTP: l.client, Clock: l.clock})
			if err != nil {
				t.Fatal(err)
			}
			h := s.Handler() // it takes what comes, and folds nothing
			l.door.Store(&h)
			taken := w.Deliveries().Delivered
			l.mail(60)
			l.pass(time.Second)
			eventually(t, "the notifications", func() string {
				if d := w.Deliveries(); d.Delivered < taken+60 {
					l.pass(10 * time.Second) // one that was not stored in time comes again
					return fmt.Sprintf("%d were taken", d.Delivered-taken)
				}
				return ""
			})
			l.door.Store(nil)
			s.Close()
			if err := os.RemoveAll(filepath.Join(l.conf.Data, "journal")); err != nil {
				t.Fatal(err)
			}
			l.wake()
		}},
	} {
		began := time.Now()
		l.mail(20)
		l.pass(time.Second)
		trouble.do()
		a := l.whole()
		t.Logf("%s: %+v, %s", trouble.name, a, time.Since(began).Round(time.Millisecond))
		if t.Failed() {
			t.Fatalf("after %s", trouble.name)
		}
	}
	for _, because := range []string{"Microsoft Graph left something out", "The subscription was not there any more", "Microsoft Graph said that it left", "The journal was lost"} {
		if boxes, _ := l.because(because); boxes == 0 {
			t.Errorf("no gap says %q", because)
		}
	}
	if n := l.count(`select count(*) from dead_letter where tenant = $1`); n > 0 {
		t.Errorf("%d dead letters", n)
	}
}
