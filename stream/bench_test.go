package stream

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// BenchmarkReader is what an item costs from the journal through the reader, with a step that writes nothing: the rest of
// an event's cost is the step's.
func BenchmarkReader(b *testing.B) {
	j, err := journal.Open(b.Context(), journal.Config{Dir: filepath.Join(b.TempDir(), "journal")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(j.Close)
	items := make([]journal.Item, 500)
	for i := range items {
		items[i] = item("amy", i)
		items[i].Body = json.RawMessage(`"` + strings.Repeat("x", 510) + `"`)
	}
	n := 0
	for ; n < b.N; n += len(items) {
		if err := j.Append(b.Context(), items...); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	folded, runs := 0, 0
	r := &Reader{Store: storetest.SQLite(b), Journal: j, Name: "bench", Owner: "one", Step: func(_ context.Context, _ *store.Tx, items []journal.Item) error {
		runs++
		if folded += len(items); folded == n {
			cancel()
		}
		return nil
	}}
	b.ResetTimer()
	if err := r.Run(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "items/s")
	b.ReportMetric(float64(folded)/float64(runs), "items/run")
}
