package investigate

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// works has an engine work until it is stopped, or the test ends.
func (f *field) works(e *Engine) (stop func()) {
	f.Helper()
	ctx, end := context.WithCancel(f.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() { end(); <-ended })
	f.Cleanup(stop)
	return stop
}

// TestSchedule: what has a schedule searches again when it is due, finds what came since, deals with each match once, and ends at its expiry.
func TestSchedule(t *testing.T) {
	eachField(t, 40, func(f *field) {
		first := f.campaign(sim.Campaign{Mails: 20, Innocents: 5, Over: sim.Duration(time.Hour)})
		v := f.made(Investigation{Query: bad, Trigger: Schedule, Every: 10 * time.Minute, Ends: f.st.Clock().Now().Add(time.Hour), Then: Then{Kind: "quarantine"}})
		acted := map[string]int{}
		e := f.engine()
		e.Act = func(_ context.Context, _ *store.Tenant, v *Investigation, matches []string) error {
			for _, id := range matches {
				f.set(func() { acted[id]++ })
			}
			return nil
		}
		fine(f, f.tx(func(ctx context.Context, t *store.Tenant) error {
			_, err := Start(ctx, t, "jo@example.com", v.ID)
			return err
		}))
		stop := f.works(e)
		f.until(v.ID, func(_ *Investigation, r *Run) bool { return r.State == RunDone && r.N == 1 })
		f.whole(v.ID, first)
		second := f.campaign(sim.Campaign{Wave: 1, Mails: 10, Innocents: 5, Fresh: true})
		f.st.Clock().Advance(11 * time.Minute)
		r := f.until(v.ID, func(_ *Investigation, r *Run) bool { return r.State == RunDone && r.N == 2 })
		if r.Cause != CauseSchedule || r.Matches != 10 {
			f.Errorf("the second search: %s", dump(r))
		}
		f.whole(v.ID, first, second)
		f.st.Clock().Advance(time.Hour)
		f.until(v.ID, func(v *Investigation, _ *Run) bool { return v.Status == Expired })
		stop()
		all := slices.Collect(maps.Values(acted))
		if len(all) != 30 || slices.Max(all) != 1 {
			f.Errorf("acted on %d matches, on one of them %d times", len(all), slices.Max(all))
		}
		if v := f.get(v.ID); !v.Due.IsZero() || v.Run != r.ID {
			f.Errorf("expired: %s", dump(v))
		}
	})
}

// came has mail told of as it comes.
func (f *field) came(id string, w *sim.Wave) {
	f.Helper()
	var rows [][]any
	for _, p := range w.Planted {
		rows = append(rows, []any{id, string(tocsin.NewPersonID(f.tenant, p.Person)), p.ID, p.Received})
	}
	fine(f, f.tx(func(ctx context.Context, t *store.Tenant) error {
		return t.Insert(ctx, store.Into{Table: "standing_mail", Columns: []string{"investigation", "person", "message", "at"}, Key: []string{"investigation", "person", "message"}}, rows)
	}))
}

// TestArrivedInTrouble: mail that comes while consent is taken away waits and says why; given back, it is matched, through a storm of 429 too,
// and dealt with once; what is gone by then is no match and holds up nothing.
func TestArrivedInTrouble(t *testing.T) {
	eachField(t, 40, func(f *field) {
		id := f.started(Investigation{Query: bad, Trigger: Standing, Ends: f.st.Clock().Now().Add(24 * time.Hour), Then: Then{Kind: "junk"}})
		f.runs(f.engine(), id)
		acted := map[string]int{}
		e := f.engine()
		e.Act = func(_ context.Context, _ *store.Tenant, v *Investigation, matches []string) error {
			for _, id := range matches {
				f.set(func() { acted[id]++ })
			}
			return nil
		}
		denied, err := f.w.Strike(sim.Fault{Path: "/users/*/messages/**", Kind: sim.Denied})
		fine(f, err)
		w := f.campaign(sim.Campaign{Mails: 20, Innocents: 10, Fresh: true})
		lost := w.Planted[0]
		f.came(id, w)
		stop := f.works(e)
		f.until(id, func(v *Investigation, _ *Run) bool {
			return strings.Contains(v.Because, "no longer lets") && v.Mend != ""
		})
		f.fault(sim.Fault{Path: "/users/" + lost.Person + "/messages/" + lost.ID + "/**", Kind: sim.Missing})
		f.fault(sim.Fault{Path: "/users/" + lost.Person + "/messages/" + lost.ID, Kind: sim.Missing})
		f.fault(sim.Fault{Path: "/users/*/messages/*", Kind: sim.Throttle, Every: 2, Times: 30, After: "0.01"})
		denied.Heal() // the last: none is looked at between
		left := func() (n int) {
			fine(f, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) error {
				return t.QueryRow(f.Context(), `select count(*) from standing_mail where tenant = $1`).Scan(&n)
			}))
			return n
		}
		for n, deadline := 0, time.Now().Add(90*time.Second); left() > 0; n++ {
			if time.Now().After(deadline) {
				f.Fatalf("%d are not matched: %s", left(), dump(f.get(id)))
			}
			if n < 500 { // well below the hour after which all is caught up with
				f.st.Clock().Advance(time.Second)
			}
			pause(f.Context(), 10*time.Millisecond)
		}
		found := f.found(id)
		for message, p := range w.Bad() {
			m, ok := found[message]
			if ok == (message == lost.ID) || ok && m.Way != "standing" {
				f.Errorf("%+v is %+v", p, m)
			}
		}
		for message := range w.Innocent() {
			if _, ok := found[message]; ok {
				f.Errorf("an innocent was found: %s", message)
			}
		}
		stop()
		if all := slices.Collect(maps.Values(acted)); len(all) != 19 || slices.Max(all) != 1 {
			f.Errorf("acted on %v", acted)
		}
	})
}
