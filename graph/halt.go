package graph

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// gate is what every request of a client goes through, sign-ins and redirects too: it is shut while calls are stopped, and
// knows which requests are under way, so that they can be ended.
type gate struct {
	next   http.RoundTripper
	paused func() bool

	mu  sync.Mutex
	now map[*passage]struct{}
}

// passage is a request under way.
type passage struct {
	safe bool // to be broken off: it changes nothing
	stop context.CancelFunc
	done chan struct{}
	once sync.Once
}

// RoundTrip makes a request unless calls are stopped.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, stop := context.WithCancel(req.Context())
	p := &passage{stop: stop, done: make(chan struct{}),
		safe: req.Method == http.MethodGet || strings.HasSuffix(req.URL.Path, "/$batch") || strings.HasSuffix(req.URL.Path, "/token")}
	// It is among those under way before it asks whether it may go: whoever stops calls afterwards finds it.
	g.mu.Lock()
	g.now[p] = struct{}{}
	g.mu.Unlock()
	if g.paused() {
		g.left(p)
		return nil, ErrPaused
	}
	res, err := g.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		g.left(p)
		return nil, err
	}
	res.Body = &leaving{ReadCloser: res.Body, left: func() { g.left(p) }}
	return res, nil
}

func (g *gate) left(p *passage) {
	p.once.Do(func() {
		p.stop()
		g.mu.Lock()
		delete(g.now, p)
		g.mu.Unlock()
		close(p.done)
	})
}

// leaving is the body of an answer, whose end is the end of the request.
type leaving struct {
	io.ReadCloser
	left func()
}

// Close ends the request.
func (l *leaving) Close() error {
	err := l.ReadCloser.Close()
	l.left()
	return err
}

// writes is how long a request that changes something is given to end by itself: breaking it off would leave open whether
// it was done.
const writes = 10 * time.Second

// Halt ends what is under way after calls were stopped (see [Config.Paused]), and returns when nothing is: no request goes
// out afterwards. Those that read are broken off, those that change something are given ten seconds to end.
func (c *Client) Halt() {
	c.gate.mu.Lock()
	var all []*passage
	for p := range c.gate.now {
		all = append(all, p)
	}
	c.gate.mu.Unlock()
	patience := time.NewTimer(writes)
	defer patience.Stop()
	for _, p := range all {
		if p.safe {
			p.stop()
		}
	}
	for _, p := range all {
		select {
		case <-p.done:
		case <-patience.C:
			patience.Reset(0) // for those after it too
			p.stop()
			<-p.done
		}
	}
}
