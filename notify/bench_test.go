package notify_test

import (
	"context"
	"fmt"
	"testing"

	"tocsin.dev"
	"tocsin.dev/notify"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// BenchmarkQueued is findings followed into the outbox of one channel, facts and all: alerts/s queued.
func BenchmarkQueued(b *testing.B) {
	t := newBed(b, storetest.SQLite(b))
	t.a.Log = nil
	t.channel(acme, notify.Webhook, "https://hooks.example/x", nil)
	ctx := context.Background()
	rows := make([][]any, b.N)
	t.update(acme, func(tn *store.Tenant) error {
		for i := range rows {
			f := finding(fmt.Sprint("f", i), tocsin.High)
			rows[i] = []any{f.ID, f.Rule, f.Title, string(f.Severity), f.Severity.Rank(), f.Risk, "", f.Who, "r", "", f.Why, "", "{}", "open", 1, 1}
			if err := tn.Append(ctx, store.Fact{Kind: "finding.raised", Subject: f.ID}); err != nil {
				return err
			}
		}
		return tn.Insert(ctx, store.Into{Table: "finding", Columns: []string{"id", "rule", "title", "severity", "severity_rank", "risk", "person", "who", "subject", "cause", "why", "stage", "body", "status", "first_seen", "last_seen"}}, rows)
	})
	b.ResetTimer()
	t.fold()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
	b.StopTimer()
	if got := t.rows(acme, `select count(*) from alert where tenant = $1`); got[0] != fmt.Sprint(b.N) {
		b.Fatalf("%s alerts of %d", got[0], b.N)
	}
}

// BenchmarkRendered is one finding in each form.
func BenchmarkRendered(b *testing.B) {
	m := messages("A rule with a name")[0]
	for form, render := range m.Renders() {
		b.Run(form, func(b *testing.B) {
			for b.Loop() {
				if _, err := render(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}
