package api_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestOverviewCounts: findings by day and by detection, whatever their status, and people by their mailbox, but for
// those who are gone.
func TestOverviewCounts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		now := st.Clock().Now()
		err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			for _, q := range []string{`delete from finding where tenant = $1`, `delete from person where tenant = $1`} {
				if _, err := tn.Exec(t.Context(), q); err != nil {
					return err
				}
			}
			for i, f := range []struct {
				status tocsin.Status
				rank   int
				days   int
			}{{tocsin.Open, 1, 0}, {tocsin.Open, 1, 0}, {tocsin.InWork, 3, 0}, {tocsin.Fixed, 4, 0}, {tocsin.Open, 2, 3}, {tocsin.Open, 4, 40}} {
				seen := now.AddDate(0, 0, -f.days)
				_, err := tn.Exec(t.Context(), `insert into finding (tenant, id, rule, title, severity, severity_rank, risk, person, who, subject, cause, why, stage, body, status, first_seen, last_seen)
					values ($1, $2, $3, '', '', $4, 1, '', '', '', '', '', '', '{}', $5, $6, $6)`, fmt.Sprint(i), []string{"a", "b"}[f.days/40], f.rank, string(f.status), tocsin.Millis(seen))
				if err != nil {
					return err
				}
			}
			for i, p := range []struct {
				mailbox, because string
				deleted          int64
			}{{"none", "x", 0}, {"none", "x", 0}, {"read", "", 0}, {"none", "a", 0}, {"none", "a", 0}, {"denied", "x", 0}, {"none", "x", 9}, {"read", "", 5}} {
				id := fmt.Sprint(i)
				_, err := tn.Exec(t.Context(), `insert into person (tenant, person, object_id, name, upn, mail, kind, mailbox, mailbox_because, deleted, seen, changed)
					values ($1, $2, $2, '', '', '', '', $3, $4, $5, 1, 1)`, id, p.mailbox, p.because, p.deleted)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		o := call[api.Overview](t, s.owner, "overview get", in(acme))
		today := o.Days[len(o.Days)-1]
		if o.New24h.All() != 3 || today.Day != now.UTC().Format(time.DateOnly) || today.Critical != 1 || today.High != 1 || today.Low != 2 || today.Open != 3 || o.Days[len(o.Days)-4].Medium != 1 {
			t.Errorf("new in a day %+v; by day %+v", o.New24h, o.Days[len(o.Days)-4:])
		}
		var rules []string
		for _, r := range o.TopRules {
			rules = append(rules, fmt.Sprint(r.Rule, " ", r.Severity, " ", r.Open))
		}
		if want := []string{"b critical 1", "a high 4"}; !slices.Equal(rules, want) {
			t.Errorf("detections %q; want %q", rules, want)
		}
		var reasons []string
		for _, r := range o.Coverage.NotReadBy {
			reasons = append(reasons, fmt.Sprint(r.State, " ", r.Because, " ", r.Count))
		}
		if want := []string{"none a 2", "none x 2", "denied x 1"}; !slices.Equal(reasons, want) || o.Coverage.People != 6 || o.Coverage.Mailboxes != 1 {
			t.Errorf("not read %q; want %q; of %d people %d read", reasons, want, o.Coverage.People, o.Coverage.Mailboxes)
		}
	})
}
