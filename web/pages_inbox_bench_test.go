package web

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

var benchThreads = flag.Int("pages.threads", 100_000, "how many threads BenchmarkInboxPages has in one inbox")

// manyThreads puts threads into an inbox: a fifth open, most resolved, as one that was worked for years; one in ten tagged.
func (s *site) manyThreads(n int) {
	s.t.Helper()
	ms := tocsin.Millis(s.st.Clock().Now())
	series := fmt.Sprintf(`with recursive s(n) as (select 0 union all select n + 1 from s where n < %d) `, n-1)
	id := `printf('0190a000-0000-7000-8000-%012d', 100000000 + n)`
	for _, q := range []string{
		`insert into inbox_thread (tenant, inbox, id, n, subject, from_address, from_name, preview, state, assignee, priority, messages, attachments, first_in, last_in, last, created, changed) ` + series +
			`select $1, '` + boxID + `', ` + id + `, 100 + n, 'Order ' || n || ': when does it come?', 'user' || (n % 5000) || '@acme.example', 'User ' || (n % 5000), 'Hello, I wrote last week and have had no answer yet.',
			case when n % 5 = 0 then 'open' when n % 50 = 1 then 'waiting' else 'resolved' end, case when n % 3 = 0 then '' else 'account' || (n % 20) end, 1 + n % 4, 1 + n % 5, n % 7 = 0, $2 - n * 300000 - 60000, $2 - n * 300000 - 60000, $2 - n * 300000 - 60000, $2 - n * 300000, $2 - n * 300000 from s`,
		`insert into inbox_tag (tenant, id, name, colour, created) values ($1, 'bench', 'bench', 'red', $2)`,
		`insert into inbox_thread_tag (tenant, inbox, thread, tag, added) ` + series + `select $1, '` + boxID + `', ` + id + `, 'bench', $2 from s where n % 10 = 3`,
		`insert into inbox_view (tenant, id, account, name, filter, created) values ($1, 'urgent', '', 'Urgent', '{"section":"all","priority":4}', $2), ($1, 'rare', '', 'With a tag', '{"section":"all","state":"any","tag":"bench"}', $2), ($1, 'one', '', 'Of one', '{"section":"all","state":"any","from":"user7@acme.example"}', $2)`,
	} {
		if err := s.st.UpdateTenant(context.Background(), tenantID, func(t *store.Tenant) error {
			_, err := t.Exec(context.Background(), q, ms)
			return err
		}); err != nil {
			s.t.Fatalf("%.200s: %v", q, err)
		}
	}
}

// BenchmarkInboxPages asks for the list of the inbox as people do, with few threads and with -pages.threads: what counts is that with many
// it costs what it does with few (times: the second p50 by the first).
func BenchmarkInboxPages(b *testing.B) {
	pages := [][2]string{{"all", "?section=all"}, {"unassigned", "?section=unassigned"}, {"inbox", "?inbox=" + boxID}, {"any", "?section=all&state=any"}, {"tag", "?section=all&state=any&tag=bench"}, {"from", "?section=all&state=any&from=user7@acme.example"},
		{"files", "?section=all&state=any&attachments=true"}, {"priority", "?section=all&priority=4"}, {"new", "?section=all&unread=true"}, {"view", "?view=urgent"}}
	few := map[string]time.Duration{}
	for _, n := range []int{100, *benchThreads} {
		s := newSite(b)
		s.claim()
		s.fill()
		s.manyThreads(n)
		for _, p := range pages {
			b.Run(fmt.Sprintf("%s/%d", p[0], n), func(b *testing.B) {
				var took []time.Duration
				for b.Loop() {
					began := time.Now()
					r, err := s.Get(s.URL + at + "/inbox" + p[1])
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
						b.Fatal(r.Status, err)
					}
					_ = r.Body.Close() // it was read to its end
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				half := took[len(took)/2]
				b.ReportMetric(float64(half.Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
				if n == 100 {
					few[p[0]] = half
				} else if few[p[0]] > 0 {
					b.ReportMetric(float64(half)/float64(few[p[0]]), "times")
				}
			})
		}
	}
}
