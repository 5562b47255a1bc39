package collect

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

var riskPeople = flag.Int("risk.people", 2_000, "how many people at risk the tenant of BenchmarkRisk has")

// BenchmarkRisk reckons the risk of everybody in a large tenant, each of whom something was found about: for the first time, a day after,
// when all of it has decayed, and again for one person whose roles changed.
func BenchmarkRisk(b *testing.B) {
	for b.Loop() {
		st := storetest.SQLite(b)
		if err := st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
			if _, err := t.Exec(b.Context(), `insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`); err != nil {
				return err
			}
			var people, findings [][]any
			now := tocsin.Millis(t.Tx().Clock().Now())
			for i := range *riskPeople {
				id, mail := fmt.Sprint("person-", i), fmt.Sprintf("p%d@x.example", i)
				people = append(people, []any{id, id, mail, mail, mail, "member", true, "[]", "read", 1, 1})
				findings = append(findings, []any{fmt.Sprint("finding-", i), "risky-sign-in-let-through", "t", "high", 3, 70, id, mail, mail, "", "w", "access", `{"attack":["T1078"]}`, "open", now, now})
			}
			if err := t.Insert(b.Context(), store.Into{Table: "person", Key: []string{"person"}, Columns: []string{"person", "object_id", "name", "upn", "mail", "kind", "enabled", "addresses", "mailbox", "seen", "changed"}}, people); err != nil {
				return err
			}
			return t.Insert(b.Context(), store.Into{Table: "finding", Key: []string{"id"}, Columns: []string{"id", "rule", "title", "severity", "severity_rank", "risk", "person", "who", "subject", "cause", "why", "stage", "body",
				"status", "first_seen", "last_seen"}}, findings)
		}); err != nil {
			b.Fatal(err)
		}
		each := func(name string) {
			began := time.Now()
			if err := AgeRisks(b.Context(), st); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(began).Microseconds())/float64(*riskPeople), name+"-µs/person")
		}
		each("first")
		st.Clock().Advance(riskAgain + time.Minute)
		each("decayed")
		began := time.Now()
		if err := st.Update(b.Context(), func(tx *store.Tx) error {
			return sweepRisk(b.Context(), tx, []store.Fact{{Tenant: acme, Kind: "role.changed", Person: "person-1"}})
		}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "one-ms")
		b.ReportMetric(0, "ns/op")
	}
}
