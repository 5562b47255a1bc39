package collect

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"strings"
	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

var statePeople = flag.Int("state.people", 10_000, "how many people the tenant of BenchmarkState has")

// BenchmarkState collects and judges how a large tenant is set, within the limits that Microsoft publishes, and then again after one
// person was blocked: how long, how many requests, how many objects written and checks judged, and the most memory in use.
func BenchmarkState(b *testing.B) {
	for b.Loop() {
		benchState(b)
	}
}

func benchState(b *testing.B) {
	conf := sim.Config{Users: *statePeople, Seed: 7, Quiet: true}
	begins, err := story.Parse("bench", strings.NewReader("domain fabrikamfreight.com\nperson ines \"Ines\"\n"))
	if err != nil {
		b.Fatal(err)
	}
	conf.Stories = append(conf.Stories, begins)
	w, err := sim.New(conf)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	w.Consent(stateRoles...)
	st := storetest.SQLite(b)
	tenant := tocsin.TenantID(w.Tenant())
	if err := st.UpdateTenant(b.Context(), tenant, func(t *store.Tenant) error {
		_, err := t.Exec(b.Context(), `insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	gc, err := graph.New(graph.Config{Cloud: graph.Own(sim.Address, sim.Address), Tenant: w.Tenant(), Client: w.ClientID(), Secret: w.Secret(), HTTP: &http.Client{Transport: w.Client().Transport}})
	if err != nil {
		b.Fatal(err)
	}
	c := &Collector{Tenant: tenant, Graph: gc, Store: st, Log: slog.New(slog.DiscardHandler)}
	round := func(name string, sources ...string) {
		asked, began := w.Requests().Total, time.Now()
		peak := watchHeap(b)
		for _, s := range sources {
			if err := c.askState(s)(b.Context()); err != nil {
				if _, ok := err.(*partly); !ok {
					b.Fatal(err)
				}
			}
		}
		collected := time.Since(began)
		stand, err := c.postureStand(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		checks, _ := stand.checks(st.Clock().Now())
		began = time.Now()
		if err := c.askPosture(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, name+"-judge-ms")
		b.ReportMetric(collected.Seconds(), name+"-collect-s")
		b.ReportMetric(float64(w.Requests().Total-asked), name+"-requests")
		b.ReportMetric(float64(len(checks)), name+"-checks")
		b.ReportMetric(peak(), name+"-peak-MB")
	}
	round("first", "access", "privileges", "applications", "registrations", "devices", "settings_of_people")
	st.Clock().Advance(10 * time.Minute)
	blocked, err := story.Parse("bench", strings.NewReader("domain fabrikamfreight.com\nperson ines \"Ines\"\nmon 09:00 ines is blocked\n"))
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Play(blocked); err != nil {
		b.Fatal(err)
	}
	round("again", "access", "privileges", "settings_of_people")
	b.ReportMetric(0, "ns/op")
}

// watchHeap gives the most memory of the heap in use until it is called, in MB.
func watchHeap(b *testing.B) func() float64 {
	runtime.GC()
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	var most atomic.Uint64
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() float64 { stop(); <-done; return float64(most.Load()) / 1e6 }
}
