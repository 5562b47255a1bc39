package server

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/store"
)

// newPosts is how long Microsoft Graph waits for the answer to what it posts. What is answered 202 is on stable storage by
// then. Graph drops what is sent to an address of which one post in ten takes longer than ten seconds, and notes three:
// https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
func newPosts() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tocsin_hook_request_duration_seconds", Help: "From a post to the webhook until it is answered: 202 when it is stored.",
		Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10}}, []string{"code"})
}

// acks measures how long the webhook's answers take.
func (m *metrics) acks(next http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.posts, next)
}

// lagHistogram counts how long it takes from a notification's coming until it is queryable, as this server tallies the facts.
// One replica tallies a fact; the sum over replicas is all of them.
type lagHistogram struct {
	desc   *prometheus.Desc
	bounds []float64

	mu sync.Mutex
	by map[tocsin.TenantID]*lagCount
}

type lagCount struct {
	in  []uint64 // by bound, the last for what took longer
	sum int64    // milliseconds
}

func newLagHistogram() *lagHistogram {
	h := &lagHistogram{by: map[tocsin.TenantID]*lagCount{},
		desc: prometheus.NewDesc("tocsin_mail_received_to_queryable_seconds", "From a notification's coming until what it tells is queryable, of what this server tallied.", []string{"tenant"}, nil)}
	for _, b := range collect.LagBounds {
		h.bounds = append(h.bounds, float64(b)/1000)
	}
	return h
}

// Describe is for prometheus.Collector.
func (h *lagHistogram) Describe(ch chan<- *prometheus.Desc) { ch <- h.desc }

// Collect is for prometheus.Collector.
func (h *lagHistogram) Collect(ch chan<- prometheus.Metric) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for tenant, c := range h.by {
		below, all := map[float64]uint64{}, uint64(0)
		for i, bound := range h.bounds {
			all += c.in[i]
			below[bound] = all
		}
		all += c.in[len(h.bounds)]
		ch <- prometheus.MustNewConstHistogram(h.desc, all, float64(c.sum)/1000, below, string(tenant))
	}
}

// take counts what facts tell.
func (h *lagHistogram) take(facts []store.Fact) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range facts {
		var a collect.Arrivals
		if f.Kind != "mail.changed" || json.Unmarshal(f.Body, &a) != nil || len(a.Lag) == 0 {
			continue
		}
		c := h.by[f.Tenant]
		if c == nil {
			c = &lagCount{in: make([]uint64, len(h.bounds)+1)}
			h.by[f.Tenant] = c
		}
		c.sum += a.LagMS
		for i, b := range collect.LagBounds {
			c.in[i] += uint64(a.Lag[strconv.FormatInt(b, 10)])
		}
		c.in[len(h.bounds)] += uint64(a.Lag[collect.LagMore])
	}
}

// lagRound is a run over a lane's facts. What a step was given counts when the next step is another, or the run has ended: a
// transaction that is tried again is given the same once more.
type lagRound struct {
	h    *lagHistogram
	wait []store.Fact
}

func (h *lagHistogram) begin() *lagRound { return &lagRound{h: h} }

func (r *lagRound) step(facts []store.Fact, err error) {
	if len(r.wait) > 0 && (len(facts) == 0 || facts[0].N > r.wait[len(r.wait)-1].N) {
		r.h.take(r.wait)
	}
	if r.wait = nil; err == nil {
		r.wait = facts
	}
}

func (r *lagRound) end() {
	r.h.take(r.wait)
	r.wait = nil
}
