package server

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// alertMetrics are what became of alerts, and the channels that fail. The tenant is the channel's owner, * the installation.
type alertMetrics struct {
	alerts  *prometheus.Desc
	failing *prometheus.Desc
}

func newAlertMetrics() alertMetrics {
	return alertMetrics{
		alerts:  prometheus.NewDesc("tocsin_alerts", "Alerts of the last 30 days, by what became of them.", []string{"tenant", "state"}, nil),
		failing: prometheus.NewDesc("tocsin_channels_failing", "Channels whose last try to deliver failed.", []string{"tenant"}, nil),
	}
}

func (m alertMetrics) describe(ch chan<- *prometheus.Desc) {
	ch <- m.alerts
	ch <- m.failing
}

func (m alertMetrics) collect(ctx context.Context, s *Server, ch chan<- prometheus.Metric) {
	list, err := s.Alerts.Count(ctx)
	if err != nil {
		s.log.Warn("the metrics of alerts were not read", "error", err)
		return
	}
	for _, c := range list {
		for state, n := range c.Alerts {
			ch <- prometheus.MustNewConstMetric(m.alerts, prometheus.GaugeValue, float64(n), string(c.Owner), state)
		}
		ch <- prometheus.MustNewConstMetric(m.failing, prometheus.GaugeValue, float64(c.Failing), string(c.Owner))
	}
}
