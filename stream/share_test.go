package stream

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"tocsin.dev/store/storetest"
)

// TestPartitionsAreSharedOut: readers that come and go have as many partitions each as the others, and every item is
// folded once.
func TestPartitionsAreSharedOut(t *testing.T) {
	onBoth(t, func(b *bench) {
		if b.st.Kind() == "sqlite" {
			return // one server has all
		}
		b.j.Close()
		b.dir = b.t.TempDir()
		b.open(6)
		var readers []*Reader
		var stops []func()
		for _, owner := range []string{"one", "two", "three"} {
			r := b.reader(tally)
			r.Owner, r.Lease = owner, time.Second
			stops = append(stops, b.run(r))
			readers = append(readers, r)
		}
		next := 0
		shared := func(want ...int) {
			b.t.Helper()
			var got []int
			for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				got = got[:0]
				for _, r := range readers {
					n := 0
					for _, p := range r.Status() {
						if p.Held {
							n++
						}
					}
					got = append(got, n)
				}
				if slices.Equal(got, want) {
					break
				}
				if time.Now().After(deadline) {
					b.t.Fatalf("the readers have %v partitions, want %v", got, want)
				}
				b.add(fmt.Sprint("p", next%12), next, 1)
				next++
			}
		}
		shared(2, 2, 2)
		stops[1]()
		readers = []*Reader{readers[0], readers[2]}
		shared(3, 3)
		stops[0]()
		readers = readers[1:]
		shared(6)
		b.folded(readers[0])
		b.check()
	})
}

// TestWhatNobodyTakesIsAnybodys: a replica that says it is there and takes nothing keeps nothing from being done.
func TestWhatNobodyTakesIsAnybodys(t *testing.T) {
	st := storetest.Postgres(t)
	idle := &Share{Store: st, Group: "some", Owner: "idle", For: time.Minute, Log: slog.New(slog.DiscardHandler)}
	able := true
	busy := &Share{Store: st, Group: "some", Owner: "busy", For: time.Minute, Log: idle.Log, Able: func() bool { return able }}
	for n := range 4 {
		idle.Want(fmt.Sprint("some/", n))
		busy.Want(fmt.Sprint("some/", n))
	}
	had := map[string]context.Context{}
	round := func(s *Share) {
		t.Helper()
		for deadline := time.Now().Add(90 * time.Second); ; {
			err := s.look(t.Context())
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	take := func() {
		t.Helper()
		for n := range 4 {
			name := fmt.Sprint("some/", n)
			if had[name] == nil && busy.May(name) {
				if _, ok, err := st.Lease(t.Context(), name, "busy", time.Hour); err != nil || !ok {
					t.Fatal(ok, err)
				}
				had[name], _ = busy.Took(t.Context(), name)
			}
		}
	}
	round(idle)
	round(busy)
	take()
	if len(had) != 2 || busy.Members() != 2 {
		t.Fatalf("it has %d of 4, of %d members", len(had), busy.Members())
	}
	for deadline := time.Now().Add(90 * time.Second); len(had) < 4; time.Sleep(50 * time.Millisecond) {
		round(idle)
		busy.mu.Lock()
		for _, w := range busy.wanted { // a minute later
			if !w.free.IsZero() {
				w.free = w.free.Add(-busy.For)
			}
		}
		busy.mu.Unlock()
		round(busy)
		take()
		if time.Now().After(deadline) {
			t.Fatalf("it has %d of 4", len(had))
		}
	}
	able = false
	round(busy)
	for name, ctx := range had {
		if context.Cause(ctx) != ErrShare {
			t.Errorf("%s is kept by one that cannot do the work: %v", name, context.Cause(ctx))
		}
	}
	if round(idle); idle.Members() != 1 {
		t.Errorf("%d members, want one", idle.Members())
	}
}
