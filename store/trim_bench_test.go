package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// BenchmarkTrimEvents writes events of mail as folds do, 2,000 in a transaction, and deletes them when they are old, 500 in a
// transaction: what one costs beside the other says whether deleting keeps up (docs/decisions/0027).
func BenchmarkTrimEvents(b *testing.B) {
	const rows = 40_000
	body := `{"event_id":"` + strings.Repeat("x", 1400) + `"}`
	known := `{"by":"told","noticed":1774000000000,"looked":1774000000120,"folded":1774000000160,"named":1,"change":"created","etag":"W/\"CQAAABYAAAD\"","subscription":"0a4b5f7d-2c11-4a36-9d5e-000000000001"}`
	both(b, func(b *testing.B, st *store.Store) {
		ctx, old := b.Context(), tocsin.Millis(st.Clock().Now().AddDate(0, 0, -500))
		fold(b, st, func(tn *store.Tenant) error {
			_, err := tn.Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'n', 1) on conflict (tenant) do nothing`)
			return err
		})
		var wrote, deleted time.Duration
		for b.Loop() {
			began := time.Now()
			for from := 0; from < rows; from += 2000 {
				fold(b, st, func(tn *store.Tenant) error {
					all := make([][]any, 2000)
					for i := range all {
						all[i] = []any{tocsin.NewEventID(tn.ID(), fmt.Sprint(from+i)), old + int64(from+i), "EMAIL", "email_received", fmt.Sprintf("8a645229-af3a-542b-bafd-%012d", i), body, known, from + 1}
					}
					return tn.Insert(ctx, store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body", "known", "run"}}, all)
				})
			}
			wrote += time.Since(began)
			began = time.Now()
			if err := st.Trim(ctx); err != nil {
				b.Fatal(err)
			}
			deleted += time.Since(began)
		}
		n := float64(rows * b.N)
		b.ReportMetric(float64(wrote.Microseconds())/n, "µs/written")
		b.ReportMetric(float64(deleted.Microseconds())/n, "µs/deleted")
	})
}
