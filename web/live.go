package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
)

// How often a live page is told at most that something changed, how often a quiet stream says that it is there, and
// how long one lasts before the browser comes again.
const (
	liveGather = 400 * time.Millisecond
	liveBeat   = 20 * time.Second
	liveLife   = 15 * time.Minute
)

// tidings are the facts of a moment: how many of each kind. What changed is read by fetching the page again.
type tidings struct {
	last  int64
	kinds map[string]int
}

// live tells a page what kinds of facts arrive, as server-sent events, so that it fetches what depends on them.
func (w *web) live(rw http.ResponseWriter, r *http.Request) {
	c, ok := api.CallerOf(r.Context())
	if !ok {
		http.Error(rw, "You are not signed in.", http.StatusUnauthorized)
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	in := api.FactsIn{Tenant: tocsin.TenantID(r.URL.Query().Get("tenant")), After: r.URL.Query().Get("after"), Last: r.Header.Get("Last-Event-ID")}
	follow, may := w.svc.FollowFacts, w.svc.MayFollow
	if c.Role(in.Tenant) == api.Agent {
		follow, may = w.svc.FollowInboxes, w.svc.MayFollowInboxes
	}
	after, facts, err := follow(ctx, in)
	if err != nil {
		http.Error(rw, tocsin.AsProblem(err).What, api.StatusOf(err))
		return
	}
	out := http.NewResponseController(rw)
	_ = out.SetWriteDeadline(time.Time{}) // a server without deadlines has none to lift
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("X-Accel-Buffering", "no")
	rw.WriteHeader(http.StatusOK)
	send := func(text string) bool {
		_, err := rw.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	if !send(fmt.Sprintf("retry: 3000\nid: %d\nevent: hello\ndata: {}\n\n", after)) { // with it the page comes back
		return
	}
	came := make(chan api.Fact, 64)
	var following sync.WaitGroup
	following.Go(func() {
		defer close(came)
		for f, err := range facts {
			if err != nil {
				return
			}
			select {
			case came <- f:
			case <-ctx.Done():
				return
			}
		}
	})
	w.tell(r, func() error { return may(r.Context(), in.Tenant) }, came, send)
	stop()
	following.Wait()
}

// tell gathers facts and sends them, until the page goes away, may no longer follow, or has followed long enough.
func (w *web) tell(r *http.Request, may func() error, came <-chan api.Fact, send func(string) bool) {
	beat, end := time.NewTicker(liveBeat), time.NewTimer(liveLife)
	defer beat.Stop()
	defer end.Stop()
	var gather <-chan time.Time
	t := tidings{kinds: map[string]int{}}
	for {
		select {
		case f, ok := <-came:
			if !ok {
				return
			}
			t.last = f.ID
			t.kinds[f.Kind]++
			if gather == nil {
				gather = time.After(liveGather)
			}
		case <-gather:
			gather = nil
			if !send(t.event()) {
				return
			}
			clear(t.kinds)
		case <-beat.C:
			if may() != nil || !send(": here\n\n") {
				return
			}
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// event is the tidings as a server-sent event.
func (t tidings) event() string {
	b, err := json.Marshal(t.kinds)
	if err != nil {
		b = []byte("{}") // a map of numbers is always JSON
	}
	return fmt.Sprintf("id: %d\nevent: facts\ndata: %s\n\n", t.last, strings.ReplaceAll(string(b), "\n", " "))
}
