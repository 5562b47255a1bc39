package investigate

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// TestSums: what is counted by indexes is what one counts by hand, and a filter for what has none of something leaves just that.
func TestSums(t *testing.T) {
	eachField(t, 30, func(f *field) {
		f.campaign(sim.Campaign{Mails: 40, Over: sim.Duration(time.Hour)})
		id := f.started(Investigation{Query: bad})
		sums := func(f *field, id string) string {
			var out [5]int64
			fine(f, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) (err error) {
				out[0], out[1], out[2], out[3], out[4], err = Sums(f.Context(), t, id)
				return err
			}))
			return fmt.Sprint(out)
		}
		if got := sums(f, id); got != "[0 0 0 0 0]" {
			f.Errorf("of nothing: %s", got)
		}
		f.runs(f.engine(), id)
		fine(f, f.tx(func(ctx context.Context, t *store.Tenant) error {
			for i, q := range []string{`state = 'acted'`, `truth = 'unknown'`, `department = '', cluster = 'another'`, `cluster = ''`, `subject = ''`} {
				n, err := t.Exec(ctx, `update mail_match set `+q+` where tenant = $1 and investigation = $2 and message in
					(select message from mail_match where tenant = $1 and investigation = $2 order by person, message limit $3)`, id, 20-3*i)
				if err != nil || n == 0 {
					return fmt.Errorf("%d: %w", n, err)
				}
			}
			return nil
		}))
		lacks := map[string]int{}
		people, clusters := map[string]bool{}, map[string]bool{}
		var unknown, acted int
		all := f.found(id)
		for _, m := range all {
			people[string(m.Person)] = true
			for what, value := range map[string]string{"department": m.Department, "subject": m.Subject, "cluster": m.Cluster} {
				if value == "" {
					lacks[what]++
				}
			}
			if m.Cluster != "" {
				clusters[m.Cluster] = true
			}
			if m.Truth == "unknown" {
				unknown++
			}
			if m.State == "acted" {
				acted++
			}
		}
		if got, want := sums(f, id), fmt.Sprint([]int{len(all), len(people), unknown, acted, len(clusters)}); got != want || len(all) != 40 || unknown == 0 || acted == unknown || len(clusters) < 2 {
			f.Errorf("got %s, want %s", got, want)
		}
		fine(f, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) error {
			for what, n := range lacks {
				list, err := Matches(f.Context(), t, id, MatchFilter{Without: what}, Place{}, 1000)
				if err != nil || len(list) != n || n == 0 || n == 40 {
					f.Errorf("without %s: %d of %d, %v", what, len(list), n, err)
				}
			}
			return nil
		}))
	})
}
