package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// both runs a benchmark on both engines.
func both(b *testing.B, run func(*testing.B, *store.Store)) {
	b.Run("sqlite", func(b *testing.B) { run(b, storetest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { run(b, storetest.Postgres(b)) })
}

var rules = store.Into{Table: "mail_rule", Key: []string{"person", "id"}, Keep: []string{"first_seen"},
	Columns: []string{"person", "id", "name", "enabled", "body", "raw", "first_seen", "changed", "seen"}}

func ruleRow(i int) []any {
	return []any{fmt.Sprint("person ", i/3), fmt.Sprint("rule ", i), "Invoices", true, `{"id":"AQAAA","name":"Invoices","enabled":true}`, `{"raw":"…"}`, 1, 2, 3}
}

// BenchmarkFold writes 1,000 rows and 1,000 facts in a transaction: one by one, and many in a statement.
func BenchmarkFold(b *testing.B) {
	const rows = 1000
	b.Run("one by one", func(b *testing.B) {
		both(b, func(b *testing.B, st *store.Store) {
			ctx := b.Context()
			q := `insert into mail_rule (tenant, person, id, name, enabled, body, raw, first_seen, changed, seen) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
				on conflict (tenant, person, id) do update set name = excluded.name, enabled = excluded.enabled, body = excluded.body, raw = excluded.raw, changed = excluded.changed, seen = excluded.seen`
			for b.Loop() {
				fold(b, st, func(tn *store.Tenant) error {
					for i := range rows {
						if _, err := tn.Exec(ctx, q, ruleRow(i)...); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	})
	b.Run("Insert", func(b *testing.B) {
		both(b, func(b *testing.B, st *store.Store) {
			for b.Loop() {
				fold(b, st, func(tn *store.Tenant) error {
					all := make([][]any, rows)
					for i := range all {
						all[i] = ruleRow(i)
					}
					return tn.Insert(b.Context(), rules, all)
				})
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	})
	b.Run("facts alone", func(b *testing.B) {
		both(b, func(b *testing.B, st *store.Store) {
			for b.Loop() {
				fold(b, st, func(tn *store.Tenant) error {
					for range rows {
						if err := tn.Append(b.Context(), fact("x")); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	})
}

func fold(b *testing.B, st *store.Store, do func(tn *store.Tenant) error) {
	if err := st.UpdateTenant(b.Context(), contoso, do); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRead reads a row by its key in a View.
func BenchmarkRead(b *testing.B) {
	both(b, func(b *testing.B, st *store.Store) {
		fold(b, st, func(tn *store.Tenant) error { return tn.Insert(b.Context(), rules, [][]any{ruleRow(1)}) })
		for b.Loop() {
			err := st.ViewTenant(b.Context(), contoso, func(tn *store.Tenant) error {
				var name string
				return tn.QueryRow(b.Context(), `select name from mail_rule where tenant = $1 and person = $2 and id = $3`, "person 0", "rule 1").Scan(&name)
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPersonBehindFolds is how long a person's small write takes while four machines fold 2,000 rows again and
// again: patient, and not.
func BenchmarkPersonBehindFolds(b *testing.B) {
	for _, c := range []struct {
		name string
		ctx  func(context.Context) context.Context
	}{{"patient", store.Patient}, {"not", func(ctx context.Context) context.Context { return ctx }}} {
		b.Run(c.name, func(b *testing.B) {
			both(b, func(b *testing.B, st *store.Store) {
				ctx, stop := context.WithCancel(b.Context())
				var machines sync.WaitGroup
				var folds atomic.Int64
				for m := range 4 {
					machines.Go(func() {
						rows := make([][]any, 2000)
						for i := range rows {
							rows[i] = ruleRow(m*10_000 + i)
						}
						for ctx.Err() == nil {
							err := st.UpdateTenant(c.ctx(ctx), contoso, func(tn *store.Tenant) error { return tn.Insert(ctx, rules, rows) })
							if err == nil {
								folds.Add(1)
							}
						}
					})
				}
				var longest time.Duration
				for b.Loop() {
					start := time.Now()
					if err := st.Update(ctx, func(tx *store.Tx) error { return set(ctx, tx, "a", "1") }); err != nil {
						b.Fatal(err)
					}
					longest = max(longest, time.Since(start))
				}
				b.ReportMetric(float64(longest.Milliseconds()), "ms-longest")
				b.ReportMetric(float64(folds.Load())/b.Elapsed().Seconds(), "folds/s")
				stop()
				machines.Wait()
			})
		})
	}
}
