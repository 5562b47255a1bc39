package server

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin.dev/export"
)

// exportMetrics are how far exports have come.
type exportMetrics struct {
	behind, seconds, failures, paused, sent, refused, lost *prometheus.Desc
}

func newExportMetrics() exportMetrics {
	one := func(name, says string) *prometheus.Desc {
		return prometheus.NewDesc("tocsin_export_"+name, says, []string{"tenant", "export", "kind"}, nil)
	}
	return exportMetrics{
		behind:   one("behind", "Events that came and are not dealt with yet."),
		seconds:  one("behind_seconds", "How long the oldest of them waits; 0 where none does."),
		failures: one("failures", "Tries that failed since the last that went well."),
		paused:   one("paused", "1 where the export is paused, by somebody or because it was turned away."),
		sent:     one("sent_total", "Events that the receiver took."),
		refused:  one("refused_total", "Events that the receiver refused while it took others."),
		lost:     one("lost_total", "Events that were deleted before they could be sent."),
	}
}

func (m exportMetrics) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.behind, m.seconds, m.failures, m.paused, m.sent, m.refused, m.lost} {
		ch <- d
	}
}

func (m exportMetrics) collect(ctx context.Context, s *Server, ch chan<- prometheus.Metric) {
	list, err := s.Exports.All(ctx)
	if err != nil {
		s.log.Warn("the metrics of exports were not read", "error", err)
		return
	}
	for _, e := range list {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
			ch <- prometheus.MustNewConstMetric(d, kind, v, string(e.Tenant), e.ID, e.Kind)
		}
		seconds, paused := 0.0, 0.0
		if !e.Since.IsZero() {
			seconds = max(0, s.Clock.Now().Sub(e.Since).Seconds())
		}
		if e.State == export.Paused {
			paused = 1
		}
		tell(m.behind, prometheus.GaugeValue, float64(e.Behind))
		tell(m.seconds, prometheus.GaugeValue, seconds)
		tell(m.failures, prometheus.GaugeValue, float64(e.Failures))
		tell(m.paused, prometheus.GaugeValue, paused)
		tell(m.sent, prometheus.CounterValue, float64(e.Sent))
		tell(m.refused, prometheus.CounterValue, float64(e.Refused))
		tell(m.lost, prometheus.CounterValue, float64(e.Lost))
	}
}
