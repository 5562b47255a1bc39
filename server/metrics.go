package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tocsin.dev/collect"
	"tocsin.dev/store"
)

// metrics is what /metrics tells. No series names a person or an address.
type metrics struct {
	server   *Server
	registry *prometheus.Registry
	lag      *prometheus.Desc
	open     *prometheus.Desc
	fresh    *prometheus.Desc
	state    *prometheus.Desc
	limits   limitMetrics
	alerts   alertMetrics
	exports  exportMetrics
	inboxes  inboxMetrics
	posts    *prometheus.HistogramVec
	lags     *lagHistogram
	hook     *prometheus.Desc
	told     *prometheus.Desc
	gaps     *prometheus.Desc
	parked   *prometheus.Desc
	dead     *prometheus.Desc
	heard    *prometheus.Desc
	mailLag  *prometheus.Desc
	mailCame *prometheus.Desc
	held     *prometheus.Desc
	folded   *prometheus.Desc
	canary   *prometheus.Desc
	silent   *prometheus.Desc
	rich     *prometheus.Desc
	ends     *prometheus.Desc
}

func newMetrics(s *Server) *metrics {
	m := &metrics{server: s, registry: prometheus.NewRegistry(),
		lag:   prometheus.NewDesc("tocsin_journal_lag_messages", "Messages in the journal that are not folded yet.", nil, nil),
		open:  prometheus.NewDesc("tocsin_findings_open", "Findings that are open or in work.", []string{"tenant", "severity"}, nil),
		fresh: prometheus.NewDesc("tocsin_source_succeeded_timestamp_seconds", "When a source was last read whole.", []string{"tenant", "source"}, nil),
		state: prometheus.NewDesc("tocsin_connection_on", "1 while the connection is on.", []string{"tenant", "connection"}, nil),
	}
	m.hook = prometheus.NewDesc("tocsin_hook_notifications_total", "What became of what was posted to the webhook: stored, forged, unreadable, too_long, cut_off, not_stored, not_vouched_for, keys_missing, too_much_at_once.", []string{"outcome"}, nil)
	m.told = prometheus.NewDesc("tocsin_subscriptions", "Subscriptions to mailboxes, by state: wanted, on, refused, ending.", []string{"tenant", "state"}, nil)
	m.gaps = prometheus.NewDesc("tocsin_mail_gaps", "Times of which not every change of a mailbox was told: open, closed.", []string{"tenant", "state"}, nil)
	m.rich = prometheus.NewDesc("tocsin_rich_notifications_total", "What became of what Microsoft Graph sent encrypted: opened; or looked at instead: no_key, sealed, lacking.", []string{"outcome"}, nil)
	m.ends = prometheus.NewDesc("tocsin_rich_certificate_expires_timestamp_seconds", "Until when the newest certificate for rich notifications holds.", nil, nil)
	m.parked = prometheus.NewDesc("tocsin_parked_items", "Items that wait to be looked at.", []string{"tenant", "kind"}, nil)
	m.dead = prometheus.NewDesc("tocsin_dead_letters", "Items that were given up.", []string{"tenant", "kind"}, nil)
	m.heard = prometheus.NewDesc("tocsin_mail_heard_timestamp_seconds", "When the last notification of a tenant's mail was taken.", []string{"tenant"}, nil)
	m.mailLag = prometheus.NewDesc("tocsin_mail_lag_seconds", "From a notification's coming until it is queryable, in the last hour: the bound below which this share of them is.", []string{"tenant", "quantile"}, nil)
	m.mailCame = prometheus.NewDesc("tocsin_mail_events_last_hour", "Events of mail in the last hour, by action.", []string{"tenant", "action"}, nil)
	m.held = prometheus.NewDesc("tocsin_journal_partition_held", "1 while this server reads the partition of the journal.", []string{"partition"}, nil)
	m.folded = prometheus.NewDesc("tocsin_journal_partition_folded_total", "Items of the partition that this server folded.", []string{"partition"}, nil)
	m.canary = prometheus.NewDesc("tocsin_canary_lag_seconds", "How long the last canary took from its mailbox into the tables; -1 where it was not told of.", []string{"tenant"}, nil)
	m.silent = prometheus.NewDesc("tocsin_mailboxes_silent", "Mailboxes to which nothing comes, though it should.", []string{"tenant"}, nil)
	m.limits = newLimitMetrics()
	m.alerts = newAlertMetrics()
	m.exports = newExportMetrics()
	m.inboxes = newInboxMetrics()
	m.posts = newPosts()
	m.lags = newLagHistogram()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m, m.posts, m.lags)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Describe is for prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.lag
	ch <- m.open
	ch <- m.fresh
	ch <- m.state
	ch <- m.hook
	ch <- m.told
	ch <- m.gaps
	ch <- m.parked
	ch <- m.dead
	ch <- m.heard
	ch <- m.mailLag
	ch <- m.mailCame
	ch <- m.held
	ch <- m.folded
	ch <- m.canary
	ch <- m.silent
	ch <- m.rich
	ch <- m.ends
	m.limits.describe(ch)
	m.alerts.describe(ch)
	m.exports.describe(ch)
	m.inboxes.describe(ch)
}

// Collect is for prometheus.Collector: it reads the tables when it is asked.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if lag, err := m.server.reader.Lag(ctx); err == nil {
		ch <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, float64(lag))
	}
	for _, p := range m.server.reader.Status() {
		held := 0.0
		if p.Held {
			held = 1
		}
		ch <- prometheus.MustNewConstMetric(m.held, prometheus.GaugeValue, held, strconv.Itoa(p.Number))
		ch <- prometheus.MustNewConstMetric(m.folded, prometheus.CounterValue, float64(p.Folded), strconv.Itoa(p.Number))
	}
	for what, name := range collect.HookNames {
		ch <- prometheus.MustNewConstMetric(m.hook, prometheus.CounterValue, float64(m.server.Hook.Count(what)), name)
	}
	for what, name := range collect.RichNames {
		ch <- prometheus.MustNewConstMetric(m.rich, prometheus.CounterValue, float64(m.server.opener.Rich.Count(what)), name)
	}
	if list, err := m.server.Certificates.List(ctx); err == nil && len(list) > 0 {
		ch <- prometheus.MustNewConstMetric(m.ends, prometheus.GaugeValue, float64(list[0].Expires.Unix()))
	}
	m.limits.collect(m.server.Connections.Limits.Usage(), ch)
	m.alerts.collect(ctx, m.server, ch)
	m.exports.collect(ctx, m.server, ch)
	m.inboxes.collect(ctx, m.server, ch)
	list, err := m.server.Connections.List(ctx)
	if err != nil {
		m.server.log.Warn("metrics were not read", "error", err)
		return
	}
	told := map[string]bool{}
	for _, c := range list {
		on := 0.0
		if c.State == "on" {
			on = 1
		}
		ch <- prometheus.MustNewConstMetric(m.state, prometheus.GaugeValue, on, string(c.Tenant), c.ID)
		if told[string(c.Tenant)] {
			continue
		}
		told[string(c.Tenant)] = true
		if err := m.server.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error { return m.tenant(ctx, t, ch) }); err != nil {
			m.server.log.Warn("metrics were not read", "error", err)
		}
	}
}

func (m *metrics) tenant(ctx context.Context, t *store.Tenant, ch chan<- prometheus.Metric) error {
	counted := func(d *prometheus.Desc, scale float64, query string) error {
		q, err := t.Query(ctx, query)
		if err != nil {
			return err
		}
		defer q.Close()
		for q.Next() {
			var label string
			var n int64
			if err := q.Scan(&label, &n); err != nil {
				return err
			}
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n)*scale, string(t.ID()), label)
		}
		return q.Err()
	}
	if err := counted(m.open, 1, `select severity, count(*) from finding where tenant = $1 and status in ('open', 'in_work') group by severity`); err != nil {
		return err
	}
	for _, q := range []struct {
		desc *prometheus.Desc
		text string
	}{
		{m.told, `select state, count(*) from subscription where tenant = $1 group by state`},
		{m.gaps, `select case when closed = 0 then 'open' else 'closed' end, count(*) from mail_gap where tenant = $1 group by 1`},
		{m.parked, `select kind, count(*) from parked where tenant = $1 group by kind`},
	} {
		if err := counted(q.desc, 1, q.text); err != nil {
			return err
		}
	}
	if err := counted(m.dead, 1, `select kind, count(*) from dead_letter where tenant = $1 group by kind`); err != nil {
		return err
	}
	if err := m.mail(ctx, t, ch); err != nil {
		return err
	}
	if err := m.canaries(ctx, t, ch); err != nil {
		return err
	}
	return counted(m.fresh, 0.001, `select name, succeeded from source where tenant = $1`)
}

// mail tells what the tally has of the last hour of a tenant's mail.
func (m *metrics) mail(ctx context.Context, t *store.Tenant, ch chan<- prometheus.Metric) error {
	var heard int64
	if err := t.QueryRow(ctx, `select coalesce(max(heard), 0) from mail_ledger where tenant = $1`).Scan(&heard); err != nil {
		return err
	}
	if heard > 0 {
		ch <- prometheus.MustNewConstMetric(m.heard, prometheus.GaugeValue, float64(heard)/1000, string(t.ID()))
	}
	q, err := t.Query(ctx, `select what, sum(n) from mail_tally where tenant = $1 and grain = $2 and at >= $3 group by what`, collect.Minute, t.Tx().Clock().Now().Add(-time.Hour))
	if err != nil {
		return err
	}
	defer q.Close()
	lags := map[string]int{}
	for q.Next() {
		var what string
		var n int
		if err := q.Scan(&what, &n); err != nil {
			return err
		}
		if lag, ok := strings.CutPrefix(what, "lag/"); ok {
			lags[lag] = n
			continue
		}
		ch <- prometheus.MustNewConstMetric(m.mailCame, prometheus.GaugeValue, float64(n), string(t.ID()), what)
	}
	for percent, name := range map[int]string{50: "0.5", 99: "0.99"} {
		if ms, _, ok := collect.LagBelow(lags, percent); ok {
			ch <- prometheus.MustNewConstMetric(m.mailLag, prometheus.GaugeValue, float64(ms)/1000, string(t.ID()), name)
		}
	}
	return q.Err()
}

// canaries tells how long the way from a mailbox takes, and how many mailboxes are silent.
func (m *metrics) canaries(ctx context.Context, t *store.Tenant, ch chan<- prometheus.Metric) error {
	var lag, silent int64
	err := t.QueryRow(ctx, `select count(*) from silence where tenant = $1 and ended = 0`).Scan(&silent)
	if err != nil {
		return err
	}
	ch <- prometheus.MustNewConstMetric(m.silent, prometheus.GaugeValue, float64(silent), string(t.ID()))
	err = t.QueryRow(ctx, `select case when because <> '' then -1000 else lag end from canary_try where tenant = $1 and lag >= 0 and (heard > 0 or because <> '') order by at desc, id desc limit 1`).Scan(&lag)
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	if err == nil {
		ch <- prometheus.MustNewConstMetric(m.canary, prometheus.GaugeValue, float64(lag)/1000, string(t.ID()))
	}
	return err
}
