package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// hears makes a server that the tenant can tell of mail, and runs both.
func hears(t *testing.T, c Config, w *sim.Sim) *subject {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	hooks := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := handler.Load(); h != nil {
			(*h).ServeHTTP(rw, r)
			return
		}
		rw.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(hooks.Close)
	c.Hooks.URL = hooks.URL
	b := begin(t, c, w, nil)
	h := b.s.Handler()
	handler.Store(&h)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return b
}

// count gives the number that a query of the tenant gives.
func (b *subject) count(query string, args ...any) (n int) {
	b.Helper()
	err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error { return t.QueryRow(b.Context(), query, args...).Scan(&n) })
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// mailTruth counts what the simulator did to messages since its line n, by change.
func mailTruth(t *testing.T, w *sim.Sim, n int) map[string]int {
	t.Helper()
	all, err := w.Truth()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, line := range all[n:] {
		if strings.HasPrefix(line.Change, "message.") {
			out[line.Change]++
		}
	}
	return out
}

// TestStream: what people do with their mail is in the events, once each, shortly after it happened.
func TestStream(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		w := world(t, 30, "# nothing\n"+crew)
		c := pressed(t)
		c.Database = address
		b := hears(t, c, w)
		eventually(t, "the subscriptions", func() string {
			on, all := b.count(`select count(*) from subscription where tenant = $1 and state = 'on'`), b.count(`select count(*) from person where tenant = $1 and mailbox = 'read'`)
			if on == 0 || on < all {
				return fmt.Sprintf("%d of %d", on, all)
			}
			return ""
		})
		before, err := w.Truth()
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			play(t, w, "# mail\n"+crew+fmt.Sprintf("mon %02d:00 amy receives from someone%d@outside.example subject \"Papers\"\nmon %02d:10 amy sends to friend@elsewhere.example, other@outside.example subject \"Re\"\n", i, i, i))
		}
		want := mailTruth(t, w, len(before))
		eventually(t, "the events", func() string {
			n := b.count(`select count(*) from event where tenant = $1 and type = 'EMAIL' and action in ('email_received', 'email_sent')`)
			if n != want["message.created"] {
				return fmt.Sprintf("%d events of %v; parked %d; %v", n, want, b.count(`select count(*) from parked where tenant = $1`), w.Deliveries())
			}
			return ""
		})
		if v := w.Violations(); len(v) > 0 {
			t.Errorf("it asked for content: %v", v)
		}
	})
}

var _ = time.Second
