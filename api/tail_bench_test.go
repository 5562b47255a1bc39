package api_test

import (
	"context"
	"fmt"
	"iter"
	"syscall"
	"testing"
	"time"

	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// spent is the CPU this process used so far.
func spent() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTail is what it costs the server to show a second in which 10,000 events came, in 20 runs, to one who filters by
// nothing and to one who filters: CPU, which a busy machine does not change.
func BenchmarkTail(b *testing.B) {
	st := storetest.SQLite(b)
	s := api.New(st, api.Options{})
	settle(b, st, acme)
	ctx := api.WithCaller(b.Context(), api.Caller{Account: "a", By: "session", Grants: []api.Grant{{Tenant: string(acme), Role: api.Viewer}}})
	run := 100
	for name, in := range map[string]api.EventsIn{"all": {}, "filtered": {From: "outside", Domain: "evil.example"}} {
		b.Run(name, func(b *testing.B) {
			in.Tenant = acme
			var cpu time.Duration
			n := 0
			for b.Loop() {
				last, err := st.LastFact(b.Context(), store.Lane(acme))
				if err != nil {
					b.Fatal(err)
				}
				for range 20 {
					run++
					arrive(b, st, run, 500)
				}
				inner, cancel := context.WithCancel(ctx)
				moments, err := s.Tail(inner, api.TailIn{EventsIn: in, Begin: fmt.Sprint(last)})
				if err != nil {
					b.Fatal(err)
				}
				next, stop := iter.Pull2(moments)
				before := spent()
				m, err, _ := next()
				cpu += spent() - before
				n++
				if err != nil || m.Count != 10_000 {
					b.Fatalf("%d came: %v", m.Count, err)
				}
				cancel()
				stop()
			}
			b.ReportMetric(float64(cpu.Microseconds())/1000/float64(n), "cpu-ms/10,000")
		})
	}
}

// BenchmarkTimeline asks for mailboxes' time in a table of many events.
func BenchmarkTimeline(b *testing.B) {
	st := storetest.SQLite(b)
	s := api.New(st, api.Options{})
	settle(b, st, acme)
	ctx := api.WithCaller(b.Context(), api.Caller{Account: "a", By: "session", Grants: []api.Grant{{Tenant: string(acme), Role: api.Viewer}}})
	const all, boxes = 600_000, 300
	now := time.Now().UnixMilli()
	err := st.UpdateTenant(b.Context(), acme, func(tn *store.Tenant) error {
		var rows [][]any
		for i := range all {
			person := string(personOf(acme))
			if i%boxes != 0 {
				person = fmt.Sprintf("box-%d", i%boxes)
			}
			kind, action := "EMAIL", "email_received"
			if i%1000 == 0 {
				kind, action = "RULE", "rule_created"
			}
			rows = append(rows, []any{fmt.Sprintf("%x", i*7919%all) + "-x", now - int64(i)*100, kind, action, person, `{"platform_event_id":"m","payload":{"user":"jane@x.example"},"raw_metadata":{"from_address":"eve@evil.example","from_domain":"evil.example","is_external":true}}`})
			if len(rows) == 5000 {
				if err := tn.Insert(b.Context(), store.Into{Table: "event", Columns: []string{"id", "at", "type", "action", "person", "body"}}, rows); err != nil {
					return err
				}
				rows = rows[:0]
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, kinds := range []string{"", "mail", "rule"} {
		b.Run("kinds "+kinds, func(b *testing.B) {
			before := spent()
			for b.Loop() {
				if _, err := s.GetTimeline(ctx, api.TimelineIn{ByPerson: api.ByPerson{In: in(acme), Person: personOf(acme)}, Paging: api.Paging{Limit: 100}, Kinds: kinds}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((spent()-before).Microseconds())/1000/float64(b.N), "cpu-ms")
		})
	}
}
