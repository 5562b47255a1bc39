package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// inboxMetrics are how shared inboxes stand. No series names an address.
type inboxMetrics struct {
	on, looked, filled, due, outgoing, done *prometheus.Desc
}

func newInboxMetrics() inboxMetrics {
	one := func(name, says string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tocsin_inbox_"+name, says, labels, nil)
	}
	return inboxMetrics{
		on:       one("connected", "1 while the mailbox of a shared inbox can be read.", "tenant", "inbox"),
		looked:   one("looked_timestamp_seconds", "When the mailbox of a shared inbox was last read without trouble.", "tenant", "inbox"),
		filled:   one("filled_ratio", "How much of the first reading of a mailbox is done, 0 to 1.", "tenant", "inbox"),
		due:      one("wishes_due", "What was wished in a mailbox and is not made good yet.", "tenant", "inbox"),
		outgoing: one("outgoing", "Mails that are being sent, or were and did not go: sending, failed, unknown.", "tenant", "inbox", "state"),
		done:     one("done_total", "What this server did in mailboxes since it started: looks, mails, wishes, sent, failed, unknown.", "what"),
	}
}

func (m inboxMetrics) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.on, m.looked, m.filled, m.due, m.outgoing, m.done} {
		ch <- d
	}
}

func (m inboxMetrics) collect(ctx context.Context, s *Server, ch chan<- prometheus.Metric) {
	for what, n := range s.inboxCounts.All() {
		ch <- prometheus.MustNewConstMetric(m.done, prometheus.CounterValue, float64(n), what)
	}
	tenants, err := s.inboxTenants(ctx, true)
	for _, tenant := range tenants {
		if err == nil {
			err = s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error { return m.tenant(ctx, t, ch) })
		}
	}
	if err != nil {
		s.log.Warn("the metrics of shared inboxes were not read", "error", err)
	}
}

func (m inboxMetrics) tenant(ctx context.Context, t *store.Tenant, ch chan<- prometheus.Metric) error {
	list, err := inbox.List(ctx, t)
	if err != nil {
		return err
	}
	tenant := string(t.ID())
	for _, in := range list {
		r, err := inbox.ReadingOf(ctx, t, in.ID)
		if err != nil {
			return err
		}
		on := 0.0
		if in.State == inbox.Connected {
			on = 1
		}
		ch <- prometheus.MustNewConstMetric(m.on, prometheus.GaugeValue, on, tenant, in.ID)
		ch <- prometheus.MustNewConstMetric(m.looked, prometheus.GaugeValue, seconds(r.Looked), tenant, in.ID)
		ch <- prometheus.MustNewConstMetric(m.filled, prometheus.GaugeValue, r.Part, tenant, in.ID)
		ch <- prometheus.MustNewConstMetric(m.due, prometheus.GaugeValue, float64(r.Waiting), tenant, in.ID)
		for _, state := range []string{inbox.Sending, inbox.Failed, inbox.Unknown} {
			var n int
			if err := t.QueryRow(ctx, `select count(*) from inbox_outgoing where tenant = $1 and inbox = $2 and state = $3`, in.ID, state).Scan(&n); err != nil {
				return err
			}
			ch <- prometheus.MustNewConstMetric(m.outgoing, prometheus.GaugeValue, float64(n), tenant, in.ID, state)
		}
	}
	return nil
}

// seconds is a time as metrics tell it; 0 for none.
func seconds(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.UnixMilli()) / 1000
}
