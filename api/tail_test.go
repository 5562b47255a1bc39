package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// arrive writes n events of mail as a run does, every tenth from outside, and its fact.
func arrive(t testing.TB, st *store.Store, run, n int) {
	t.Helper()
	a := collect.Arrivals{Count: n, Run: int64(run), Actions: map[string]int{"email_received": n}}
	var rows [][]any
	for i := range n {
		id := fmt.Sprintf("mail-%d-%d", run, i)
		from, outside := "amy@"+domainOf(acme), "false"
		if i%10 == 0 {
			from, outside = "eve@evil.example", "true"
		}
		body := fmt.Sprintf(`{"platform_event_id":"m%d","payload":{"user":"jane@%s"},"raw_metadata":{"from_address":%q,"from_domain":%q,"is_external":%s,"to_domains":[],"cc_domains":[]}}`,
			i, domainOf(acme), from, tocsin.Address{Address: from}.Domain(), outside)
		rows = append(rows, []any{id, 1_000_000 + i, "EMAIL", "email_received", string(personOf(acme)), body, "", run})
		if len(a.Some) < collect.SomeArrivals {
			a.Some = append(a.Some, id)
		}
	}
	err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
		if err := tn.Insert(t.Context(), store.Into{Table: "event", Columns: []string{"id", "at", "type", "action", "person", "body", "known", "run"}}, rows); err != nil {
			return err
		}
		body, err := json.Marshal(a)
		if err != nil {
			return err
		}
		return tn.Append(t.Context(), store.Fact{Kind: "mail.changed", Body: body})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTail: who watches is given the true counts and at most twenty of what fits, and who comes back goes on where they were.
func TestTail(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		as := func(ctx context.Context) context.Context {
			return api.WithCaller(ctx, api.Caller{Account: "a", By: "session", Grants: []api.Grant{{Tenant: string(acme), Role: api.Viewer}}})
		}
		watch := func(in api.EventsIn, begin string) (func() api.Moment, func()) {
			t.Helper()
			in.Tenant = acme
			ctx, cancel := context.WithTimeout(as(t.Context()), 60*time.Second)
			moments, err := s.api.Tail(ctx, api.TailIn{EventsIn: in, Begin: begin})
			if err != nil {
				t.Fatal(err)
			}
			next, stop := iter.Pull2(moments)
			return func() api.Moment {
				t.Helper()
				m, err, ok := next()
				if err != nil || !ok {
					t.Fatalf("the tail ended: %v", err)
				}
				return m
			}, func() { stop(); cancel() }
		}
		last, err := st.LastFact(t.Context(), store.Lane(acme))
		if err != nil {
			t.Fatal(err)
		}
		begin := fmt.Sprint(last)
		arrive(t, st, 7, 300)
		all, end := watch(api.EventsIn{}, begin)
		defer end()
		m := all()
		seen := map[string]bool{}
		for _, e := range m.Events {
			seen[e.ID] = true
		}
		if m.Count != 300 || m.Fits != 300 || m.Actions["email_received"] != 300 || len(seen) != 20 || m.Passed != 0 {
			t.Errorf("of 300: %d came, %d fit, %v, %d shown, %d passed", m.Count, m.Fits, m.Actions, len(seen), m.Passed)
		}
		outside, end := watch(api.EventsIn{From: "outside", Domain: "evil.example", Q: "EVE@"}, "")
		defer end()
		nobody, end := watch(api.EventsIn{Mailbox: "nobody@"}, "")
		defer end()
		var pair [2]api.Moment
		var both sync.WaitGroup
		both.Go(func() { pair[0] = outside() })
		both.Go(func() { pair[1] = nobody() })
		for s.api.Watching(acme) < 3 { // they watch before the next comes: the first of them reads for all
			time.Sleep(time.Millisecond)
		}
		arrive(t, st, 8, 400)
		both.Wait()
		if o := pair[0]; o.Count != 400 || o.Fits != 40 || len(o.Events) != 20 || o.Events[0].What == "" {
			t.Errorf("from outside: %d of %d fit, %d shown", o.Fits, o.Count, len(o.Events))
		}
		if n := pair[1]; n.Fits != 0 || len(n.Events) != 0 {
			t.Errorf("in a mailbox that is not there: %d fit", n.Fits)
		}
		again, end := watch(api.EventsIn{}, fmt.Sprint(m.ID))
		defer end()
		if m := again(); m.Count != 400 || m.ID != pair[0].ID {
			t.Errorf("who comes back is given %d events up to %d, want 400 up to %d", m.Count, m.ID, pair[0].ID)
		}
		if _, err := s.api.Tail(as(t.Context()), api.TailIn{EventsIn: api.EventsIn{In: in(globex)}}); code(err) != tocsin.NotFound {
			t.Errorf("another tenant's: %v", err)
		}
	})
}

// TestEventsThrough: what no index knows is looked for piece by piece.
func TestEventsThrough(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	settle(t, st, acme)
	arrive(t, st, 9, 100)
	ask := api.EventsIn{In: in(acme), Paging: api.Paging{Limit: 7}, From: "outside"}
	n := 0
	for {
		p := call[api.Page[api.Event]](t, s.owner, "events list", ask)
		n += len(p.Items)
		if p.Next == "" {
			break
		}
		ask.After = p.Next
	}
	if n != 10 {
		t.Errorf("%d of 100 are from outside, want 10", n)
	}
}
