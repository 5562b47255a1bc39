package sim

import (
	"container/heap"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Delivery says how notifications go out. Zero fields: as documented.
type Delivery struct {
	Batch       int      `json:"batch"`       // notifications in a POST, at most: 10
	Connections int      `json:"connections"` // POSTs at a time: 8
	Latency     Duration `json:"latency"`     // from a change to its notification, by the clock: at once
	Jitter      Duration `json:"jitter"`      // up to so much more, differently for each, so that they overtake one another
	Retry       Duration `json:"retry"`       // wait after the first failure, doubled each time: 10s
	Longest     Duration `json:"longest"`     // wait after a failure: 20m
	GiveUp      Duration `json:"give_up"`     // after so long a notification is dropped and missed: 4h
	Timeout     Duration `json:"timeout"`     // for an answer, by the wall clock: 10s
	Authorized  Duration `json:"authorized"`  // how long a token behind a subscription holds: 1h; negative: for ever
}

func (d Delivery) filled() Delivery {
	set := func(v *Duration, to time.Duration) {
		if *v == 0 {
			*v = Duration(to)
		}
	}
	if d.Batch <= 0 {
		d.Batch = 10
	}
	if d.Connections <= 0 {
		d.Connections = 8
	}
	set(&d.Retry, 10*time.Second)
	set(&d.Longest, 20*time.Minute)
	set(&d.GiveUp, 4*time.Hour)
	set(&d.Timeout, 10*time.Second)
	set(&d.Authorized, time.Hour)
	return d
}

// latency is how long a notification is on its way; h chooses.
func (d Delivery) latency(h uint64) time.Duration {
	if d.Jitter <= 0 {
		return time.Duration(d.Latency)
	}
	return time.Duration(d.Latency) + time.Duration(h%uint64(d.Jitter))
}

// hook holds the subscriptions and what waits for delivery. Whoever holds Sim.mu may take mu, never the other way about.
type hook struct {
	mu        sync.Mutex
	how       Delivery
	subs      map[string]*subscription
	order     []*subscription // in which they were made; with gaps: see living
	dead      int             // how many of order have ended
	boxes     map[int][]*subscription
	directory []*subscription
	ends      time.Time // when the next subscription ends or is to be asked about, but no more than once a second
	endpoints map[string]*endpoint
	busy      []*endpoint // those that have something ready, served in turn
	later     notices     // what waits for its time
	carried   int         // notices in POSTs under way
	posts     int         // ever
	told      int         // lifecycle events, ever
	wake      chan struct{}
	due       atomic.Int64 // Unix ns of the first thing in later, or of ends; 0: none
	sums      Deliveries
}

func (h *hook) open(d Delivery) {
	h.how, h.wake = d.filled(), make(chan struct{}, 1)
	h.subs, h.boxes, h.endpoints = map[string]*subscription{}, map[int][]*subscription{}, map[string]*endpoint{}
}

// endpoint is an address that notifications go to.
type endpoint struct {
	url   string
	ready []*notice
	held  *notice // waits to be overtaken by the next one
	busy  bool    // stands in hook.busy
	health
}

// notice is one notification on its way to one subscription.
type notice struct {
	sub       *subscription
	url       string
	of        int    // number of the change in the truth; 0 for lifecycle events
	lifecycle string // the event; "" for changes
	head      []byte // JSON, up to where encrypted content stands
	tail      []byte // JSON, from there on
	plain     []byte // what is to be encrypted; nil: nothing
	lock      *lock  // for whom
	raw       []byte // the whole POST, which is no notification; nil: it is one
	first     time.Time
	due       time.Time
	tries     int
	waits     bool // for its subscription to be authorized again
}

// notices is a heap by due time.
type notices []*notice

func (h notices) Len() int           { return len(h) }
func (h notices) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h notices) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *notices) Push(v any)        { *h = append(*h, v.(*notice)) }
func (h *notices) Pop() any {
	old := *h
	n := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return n
}

// of are the subscriptions to a mailbox, or to objects of the directory.
func (h *hook) of(t target) []*subscription {
	if t.kind == ofMessages {
		return h.boxes[t.box]
	}
	return h.directory
}

func (h *hook) add(sub *subscription) {
	h.subs[sub.id] = sub
	h.order = append(h.order, sub)
	if t := sub.target; t.kind == ofMessages {
		h.boxes[t.box] = append(h.boxes[t.box], sub)
	} else {
		h.directory = append(h.directory, sub)
	}
	h.soonest(sub)
	h.schedule()
}

// living are the subscriptions in the order in which they were made.
func (h *hook) living() []*subscription {
	if h.dead > 0 {
		h.order = slices.DeleteFunc(h.order, func(s *subscription) bool { return h.subs[s.id] != s })
		h.dead = 0
	}
	return h.order
}

// drop ends a subscription.
func (h *hook) drop(sub *subscription) {
	if h.subs[sub.id] != sub {
		return
	}
	is := func(s *subscription) bool { return s == sub }
	delete(h.subs, sub.id)
	h.dead++
	if t := sub.target; t.kind == ofMessages {
		if h.boxes[t.box] = slices.DeleteFunc(h.boxes[t.box], is); len(h.boxes[t.box]) == 0 {
			delete(h.boxes, t.box)
		}
	} else {
		h.directory = slices.DeleteFunc(h.directory, is)
	}
}

// soonest notes that something is to be done about a subscription then.
func (h *hook) soonest(sub *subscription) {
	for _, at := range []time.Time{sub.expires, sub.asks()} {
		if !at.IsZero() && (h.ends.IsZero() || at.Before(h.ends)) {
			h.ends = at
		}
	}
}

// expire drops what has ended.
func (h *hook) expire(now time.Time) {
	for _, sub := range h.living() {
		if !now.Before(sub.expires) {
			h.drop(sub)
		}
	}
}

// schedule notes when something is due.
func (h *hook) schedule() {
	at := h.ends
	if len(h.later) > 0 && (at.IsZero() || h.later[0].due.Before(at)) {
		at = h.later[0].due
	}
	if at.IsZero() {
		h.due.Store(0)
		return
	}
	h.due.Store(at.UnixNano())
}

// stir makes due what waited for a subscription's renewal.
func (h *hook) stir(sub *subscription, now time.Time) {
	for _, n := range h.later {
		if n.sub == sub && n.waits {
			n.due, n.waits = now, false
		}
	}
	heap.Init(&h.later)
	h.soonest(sub)
	h.schedule()
}

// push puts a notice where the next free worker takes it.
func (h *hook) push(n *notice) {
	e := h.endpoint(n.url)
	e.ready = append(e.ready, n)
	e.release()
	h.rouse(e)
}

// release lets go whatever was to be overtaken.
func (h *hook) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.endpoints {
		e.release()
		h.rouse(e)
	}
}

// release lets go what was to be overtaken.
func (e *endpoint) release() {
	if e.held != nil {
		e.ready, e.held = append(e.ready, e.held), nil
	}
}

func (h *hook) rouse(e *endpoint) {
	if !e.busy && len(e.ready) > 0 {
		e.busy = true
		h.busy = append(h.busy, e)
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *hook) endpoint(url string) *endpoint {
	e := h.endpoints[url]
	if e == nil {
		e = &endpoint{url: url}
		h.endpoints[url] = e
	}
	return e
}

// take gives what the next POST carries; nil where nothing is ready.
func (h *hook) take() []*notice {
	if len(h.busy) == 0 {
		return nil
	}
	e := h.busy[0]
	n := min(len(e.ready), h.how.Batch)
	for i, one := range e.ready[:n] {
		if one.raw != nil { // goes alone
			n = max(i, 1)
			break
		}
	}
	out := e.ready[:n:n]
	if e.ready = e.ready[n:]; len(e.ready) == 0 {
		e.ready = nil
	}
	h.busy = append(h.busy[:0], h.busy[1:]...)
	if e.busy = len(e.ready) > 0; e.busy {
		h.busy = append(h.busy, e)
	}
	return out
}
