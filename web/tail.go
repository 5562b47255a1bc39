package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
)

// tailNews is a moment as the page's script takes it: figures, and rows that are made here as all rows are.
type tailNews struct {
	Span    float64        `json:"span"` // seconds
	Count   int            `json:"count"`
	Fits    int            `json:"fits"`
	Shown   int            `json:"shown"`
	Passed  int            `json:"passed"`
	Actions map[string]int `json:"actions"` // by the word for it
	Rows    string         `json:"rows"`
}

// tail tells a page what comes of a tenant's mail, a moment at a time, as server-sent events.
func (w *web) tail(rw http.ResponseWriter, r *http.Request) {
	if _, ok := api.CallerOf(r.Context()); !ok {
		http.Error(rw, "You are not signed in.", http.StatusUnauthorized)
		return
	}
	q := r.URL.Query()
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	in := api.TailIn{EventsIn: mailAsked(tenant, q), Begin: q.Get("after")}
	in.Limit, in.After = 0, ""
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		in.Begin = last
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	moments, err := w.svc.Tail(ctx, in)
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
	if !send("retry: 3000\nevent: hello\ndata: {}\n\n") {
		return
	}
	came := make(chan api.Moment)
	var following sync.WaitGroup
	following.Go(func() {
		defer close(came)
		for m, err := range moments {
			if err != nil {
				w.note(r, err)
				return
			}
			select {
			case came <- m:
			case <-ctx.Done():
				return
			}
		}
	})
	w.tellTail(r, &page{Tenant: &api.Tenant{ID: tenant}}, came, send)
	stop()
	following.Wait()
}

func (w *web) tellTail(r *http.Request, p *page, came <-chan api.Moment, send func(string) bool) {
	beat, end := time.NewTicker(liveBeat), time.NewTimer(liveLife)
	defer beat.Stop()
	defer end.Stop()
	for {
		select {
		case m, ok := <-came:
			if !ok {
				return
			}
			text, err := tailEvent(w.nowLook(r.Context()), p, m)
			if err != nil {
				w.note(r, err)
				return
			}
			if !send(text) {
				return
			}
		case <-beat.C:
			if w.svc.MayFollow(r.Context(), p.Tenant.ID) != nil || !send(": here\n\n") {
				return
			}
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// nowLook is how the viewer looks at things, at this moment rather than when they came.
func (w *web) nowLook(ctx context.Context) context.Context {
	l := *lookOf(ctx)
	l.now = w.o.Clock.Now()
	return withLook(ctx, &l)
}

// tailEvent is a moment as a server-sent event.
func tailEvent(ctx context.Context, p *page, m api.Moment) (string, error) {
	var rows bytes.Buffer
	if err := streamRows(p, m.Events).Render(ctx, &rows); err != nil {
		return "", err
	}
	words := map[string]int{}
	for action, n := range m.Actions {
		words[mailWord(action)] += n
	}
	body, err := json.Marshal(tailNews{Span: m.Span.Seconds(), Count: m.Count, Fits: m.Fits, Shown: len(m.Events), Passed: m.Passed, Actions: words, Rows: rows.String()})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("id: %d\nevent: moment\ndata: %s\n\n", m.ID, body), nil
}
