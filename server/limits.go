package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// size tells the client how many users the tenant has, again and again until ctx ends: Microsoft gives a large one more.
// It counts no further than it matters.
func (s *Server) size(ctx context.Context, tenant tocsin.TenantID, client *graph.Client) {
	enough := s.Config.Limits.graph().OrDefaults().DirectoryLargeFrom
	for {
		var n int
		err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
			return t.QueryRow(ctx, `select count(*) from (select 1 from person where tenant = $1 and deleted = 0 limit $2) as few`, enough).Scan(&n)
		})
		if err == nil {
			client.Users(n)
		}
		every := 10 * time.Second // while the first sync goes on, a larger bucket is of use
		if n >= enough {
			every = time.Hour
		}
		if s.Clock.Sleep(ctx, every) != nil {
			return
		}
	}
}

// count keeps the count of a large tenant's mailboxes.
func (s *Server) count(ctx context.Context, tenant tocsin.TenantID) {
	for ctx.Err() == nil {
		if err := collect.KeepCount(ctx, s.Store, tenant); err != nil && ctx.Err() == nil {
			s.log.Warn("the mailboxes were not counted; it is tried again", "tenant", tenant, "error", err)
			pause(ctx, 10*time.Second)
		}
	}
}

// limitMetrics tell how near every limit of Microsoft's is, by this process's count. A limit that tenants share has no tenant,
// one that apps share no app.
type limitMetrics struct {
	of, used, waiting, blocked             *prometheus.Desc
	spent, held, waited, turned, throttled *prometheus.Desc
}

func newLimitMetrics() limitMetrics {
	by := []string{"tenant", "app", "kind", "limit"}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("tocsin_limit_"+name, help, by, nil)
	}
	return limitMetrics{
		of:        desc("of", "What Microsoft allows in the limit's window: requests, resource units or bytes."),
		used:      desc("used", "What is used of it in the window that ends now; of the busiest mailbox for a mailbox's."),
		waiting:   desc("waiting", "Calls held back now to keep it."),
		blocked:   desc("blocked_seconds", "How long Microsoft still wants us to keep off."),
		spent:     desc("spent_total", "What was used of it since the process began."),
		held:      desc("held_total", "Calls that were held back to keep it."),
		waited:    desc("held_seconds_total", "How long calls were held back, together."),
		turned:    desc("turned_away_total", "Calls given up because they would have been held back too long."),
		throttled: desc("throttled_total", "Calls that Microsoft refused for it (429)."),
	}
}

func (m limitMetrics) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.of, m.used, m.waiting, m.blocked, m.spent, m.held, m.waited, m.turned, m.throttled} {
		ch <- d
	}
}

// collect tells of every limit once: one that is shared comes up under each that shares it.
func (m limitMetrics) collect(pairs []graph.PairUse, ch chan<- prometheus.Metric) {
	type series struct{ tenant, app, limit string }
	told := map[series]bool{}
	for _, p := range pairs {
		for _, u := range p.Limits {
			tenant, app := p.Tenant, p.App
			switch u.Level {
			case "app":
				tenant = ""
			case "tenant":
				app = ""
			}
			key := series{tenant, app, u.Limit}
			if told[key] {
				continue
			}
			told[key] = true
			gauge := func(d *prometheus.Desc, v float64) {
				ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, tenant, app, u.Kind.String(), u.Limit)
			}
			count := func(d *prometheus.Desc, v float64) {
				ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, tenant, app, u.Kind.String(), u.Limit)
			}
			gauge(m.of, float64(u.Of))
			gauge(m.used, float64(u.Used))
			gauge(m.waiting, float64(u.Waiting))
			gauge(m.blocked, u.Blocked.Seconds())
			count(m.spent, float64(u.Spent))
			count(m.held, float64(u.Waits))
			count(m.waited, u.Waited.Seconds())
			count(m.turned, float64(u.Refused))
			count(m.throttled, float64(u.Throttled))
		}
	}
}
