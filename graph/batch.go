package graph

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Part is one call of a batch.
type Part struct {
	Call string
	P    P
}

// Result is what became of a part. Body is the whole list when the call is one, its pages put together.
type Result struct {
	Status int
	Body   json.RawMessage
	Err    error // of the same types that Get gives
}

const (
	batchSize  = 20  // parts in one request: https://learn.microsoft.com/graph/json-batching
	batchAhead = 400 // parts looked at to fill one, where those in front must wait
	batchIdle  = 20 * time.Millisecond
)

// Batch makes any number of reading calls, twenty in a request, requests side by side, each part under its own mailbox's
// limits and tried again by itself. Results are in the order of parts. The error is one that stopped them all (ctx's end,
// ErrPaused, Revoked); the results hold what was done till then, and Err for the rest.
// A list's next pages are followed, unless the part says "$top": then it is as many elements as were asked for.
func (c *Client) Batch(ctx context.Context, parts []Part) ([]Result, error) {
	return c.BatchOf(ctx, batchSize, parts)
}

// BatchOf is [Client.Batch] with at most n calls in a request, 1 to 20.
func (c *Client) BatchOf(ctx context.Context, n int, parts []Part) ([]Result, error) {
	b := &batch{c: c, size: max(1, min(n, batchSize)), results: make([]Result, len(parts)), done: make(chan round)}
	for i, p := range parts {
		b.enqueue(i, p)
	}
	err := b.run(ctx)
	if err != nil {
		for _, it := range b.queue {
			b.results[it.i].Err = err
			c.limits.letGo(&it.hold)
		}
	}
	return b.results, err
}

// item is a part that is not done.
type item struct {
	i         int // in results
	r         request
	tries     int
	notBefore time.Time
	alone     bool              // Graph would not take the request it was in: made by itself
	pages     bool              // next pages are followed
	list      []json.RawMessage // of the pages before
	seen      map[uint64]bool   // their links
	ticket    *ticket
	hold      hold // the limit for which it waits
}

// round is a request that came back.
type round struct {
	items []*item
	reps  map[string]*reply // by part id; nil when err is set
	err   error
}

// batch is one call of Batch; only its caller's goroutine touches it, the requests hand in rounds.
type batch struct {
	c       *Client
	size    int // calls in a request
	queue   []*item
	results []Result
	done    chan round
	flying  int
	fatal   error
}

func (b *batch) enqueue(i int, p Part) {
	r, err := b.c.request(p.Call, p.P)
	if err == nil && r.call.Method != http.MethodGet {
		err = errors.New(p.Call + ": a batch holds reading calls only")
	}
	if err == nil && r.call.Raw {
		err = errors.New(p.Call + ": a batch holds JSON only")
	}
	if err == nil && r.call.Beta {
		err = errors.New(p.Call + ": a batch does not mix versions") // it is sent to v1.0
	}
	if err != nil {
		b.results[i] = Result{Err: err}
		return
	}
	b.queue = append(b.queue, &item{i: i, r: r, pages: p.P["$top"] == ""})
}

// run sends what may go, takes in what comes back, and ends when nothing is left.
func (b *batch) run(ctx context.Context) error {
	for len(b.queue) > 0 || b.flying > 0 {
		if b.fatal == nil && ctx.Err() != nil {
			b.fatal = context.Cause(ctx)
		}
		if b.fatal == nil && b.c.paused() {
			b.fatal = ErrPaused
		}
		if b.fatal != nil && b.flying == 0 {
			return b.fatal
		}
		var wait time.Duration
		if b.fatal == nil && b.flying < b.c.cfg.Batches {
			var items []*item
			if items, wait = b.pick(ctx); len(items) > 0 {
				b.launch(ctx, items)
				continue
			}
		}
		b.await(ctx, wait)
	}
	return b.fatal
}

// pick takes up to twenty parts that may go now off the queue; when none may, it says when to look again.
func (b *batch) pick(ctx context.Context) (items []*item, wait time.Duration) {
	now, late := time.Now(), false
	wait = time.Minute
	for n, it := range b.queue {
		if len(items) == b.size || n == batchAhead || len(items) == 1 && items[0].alone {
			break
		}
		if d := it.notBefore.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		if it.alone && len(items) > 0 {
			continue
		}
		t, d, ok := b.c.limits.try(it.r.ask(ctx), &it.hold)
		if !ok {
			late = b.late(ctx, it, d) || late
			wait = min(wait, max(d, batchIdle))
			continue
		}
		it.ticket = t
		items = append(items, it)
	}
	b.drop(items)
	if late {
		b.queue = slices.DeleteFunc(b.queue, func(it *item) bool { return b.results[it.i].Err != nil })
	}
	return items, wait
}

// late gives up a part that would have to wait for longer than ctx or MaxWait allow. Its turn in line does not count.
func (b *batch) late(ctx context.Context, it *item, wait time.Duration) bool {
	if wait <= b.c.limits.lim.MaxWait && inTime(ctx, wait) {
		return false
	}
	e := b.c.limits.refuse(&it.hold, wait)
	e.Call = it.r.call.Name
	b.results[it.i].Err = e
	return true
}

// drop takes items off the queue. They lie near its front, in its order, so what lies behind them is not moved.
func (b *batch) drop(items []*item) {
	var kept []*item
	at := 0
	for n := 0; n < len(items); at++ {
		if b.queue[at] == items[n] {
			n++
		} else {
			kept = append(kept, b.queue[at])
		}
	}
	at -= len(kept)
	copy(b.queue[at:], kept)
	b.queue = b.queue[at:]
}

// launch sends a request; its round comes on done.
func (b *batch) launch(ctx context.Context, items []*item) {
	b.flying++
	go func() {
		rd := b.c.batchOnce(ctx, items)
		for n, it := range items {
			b.c.settle(it.ticket, rd.reps[strconv.Itoa(n+1)])
		}
		b.done <- rd
	}()
}

// await waits for a round, for the time to look again, or for the end.
func (b *batch) await(ctx context.Context, wait time.Duration) {
	var clock <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		clock = timer.C
	}
	if b.flying == 0 && wait == 0 {
		return
	}
	var end <-chan struct{}
	if b.fatal == nil {
		end = ctx.Done()
	}
	select {
	case rd := <-b.done:
		b.flying--
		b.settle(ctx, rd)
	case <-clock:
	case <-end:
	}
}
