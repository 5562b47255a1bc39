package investigate

import (
	"context"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// BenchmarkSearch searches 10,000 mailboxes of a simulator with 50 ms latency, against a reader with the same limiter that makes the same
// requests and drops the bodies. DESIGN.md part 10: within 1.2 of it, first match below a second.
func BenchmarkSearch(b *testing.B) {
	f := newField(b, storetest.SQLite(b), sim.Config{Users: 10_000, Seed: 9, Latency: 50 * time.Millisecond})
	w := f.campaign(sim.Campaign{Mails: 3000, Innocents: 500, Over: sim.Duration(2 * time.Hour), Fresh: true})
	sender := w.Planted[0].Sender
	query := `from:` + sender
	var search, bare, first time.Duration
	for b.Loop() {
		id := f.made(Investigation{Query: query}).ID
		began := time.Now()
		fine(b, f.tx(func(ctx context.Context, t *store.Tenant) error {
			_, err := Start(ctx, t, "jo@example.com", id)
			return err
		}))
		r := f.runs(f.engine(), id)
		search += time.Since(began)
		first += r.FirstMatch.Sub(r.Started)
		if r.State != RunDone || r.Searched+r.OutOfScope != r.Mailboxes || r.Matches == 0 {
			b.Fatal(dump(r))
		}
		began = time.Now()
		f.bare(r)
		bare += time.Since(began)
	}
	b.ReportMetric(search.Seconds()/float64(b.N), "s/search")
	b.ReportMetric(bare.Seconds()/float64(b.N), "s/bare")
	b.ReportMetric(search.Seconds()/bare.Seconds(), "×bare")
	b.ReportMetric(float64(first.Milliseconds())/float64(b.N), "ms-to-first-match")
}

// bare makes the requests of a run, and drops what comes.
func (f *field) bare(r *Run) {
	f.Helper()
	pass := pass{filter: r.Plan.Filter}
	g, ctx := errgroup.WithContext(f.Context())
	g.SetLimit(searchers)
	for some := range slices.Chunk(f.boxes(r.ID, Searched), portion) {
		g.Go(func() error {
			var parts []graph.Part
			for i := range some {
				for folder := range folders {
					parts = append(parts, pass.ask(&some[i], place{Folder: folder}, r.Since, false, pageText))
				}
			}
			results, err := f.way.Graph.Batch(ctx, parts)
			for _, r := range results {
				if r.Err != nil {
					return r.Err
				}
			}
			return err
		})
	}
	fine(f, g.Wait())
}

// BenchmarkMatch is what a message costs that is held against a query: by its envelope, and put into clusters.
func BenchmarkMatch(b *testing.B) {
	st := storetest.SQLite(b)
	f := newField(b, st, sim.Config{Users: 40, Seed: 9})
	w := f.campaign(sim.Campaign{Mails: 40, Over: sim.Duration(time.Hour)})
	c, err := f.engine().clusters(b.Context(), f.tenant, "x")
	fine(b, err)
	var all []Match
	for _, p := range w.Planted {
		all = append(all, Match{Subject: p.Subject, Sender: p.Sender, Links: []string{p.URL}})
	}
	for b.Loop() {
		fine(b, st.UpdateTenant(b.Context(), f.tenant, func(t *store.Tenant) error { return c.sort(b.Context(), t, all) }))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/match")
}
