package sim

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits are the published ones where a field is zero; a negative one is no limit.
// See https://learn.microsoft.com/graph/throttling-limits.
type Limits struct {
	Mailbox    int // requests to a mailbox in ten minutes: 10,000
	Concurrent int // requests to a mailbox at a time: 4
	Directory  int // resource units in ten seconds: 3,500, 5,000 or 8,000 by the number of users
	Writes     int // of the directory in 150 seconds: 3,000
	Global     int // requests in ten seconds: 130,000
}

const mailboxWindow = 10 * time.Minute

// limits count what was asked.
type limits struct {
	Limits
	mu     sync.Mutex
	boxes  map[string]*usage
	units  window
	writes window
	all    window
}

// usage is of one mailbox.
type usage struct {
	window
	busy int
}

// window is a count that begins anew when its time is over.
type window struct {
	start time.Time
	used  int
}

func newLimits(l Limits, users int) *limits {
	set := func(v *int, published int) {
		if *v == 0 {
			*v = published
		}
		if *v < 0 {
			*v = math.MaxInt
		}
	}
	units := 8000
	if users <= 500 {
		units = 5000
	}
	if users < 50 {
		units = 3500
	}
	set(&l.Mailbox, 10000)
	set(&l.Concurrent, 4)
	set(&l.Directory, units)
	set(&l.Writes, 3000)
	set(&l.Global, 130000)
	return &limits{Limits: l, boxes: map[string]*usage{}}
}

// take adds n to the window; where that is too much it says how long until it begins anew. What is refused counts too.
func (w *window) take(now time.Time, length time.Duration, n, limit int) (time.Duration, bool) {
	if now.Sub(w.start) >= length || now.Before(w.start) {
		w.start, w.used = now, 0
	}
	if w.used += n; w.used > limit {
		return w.start.Add(length).Sub(now), false
	}
	return 0, true
}

// slots are how often a batch holds a mailbox: Graph sends at most four of a batch at a time to one, the others wait.
type slots map[string]int

// charge counts a call against its limits; done gives back what it held.
func (s *Sim) charge(r *request, held slots) (done func(), bad *reply) {
	now := s.clock.Now()
	l := s.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait, ok := l.all.take(now, 10*time.Second, 1, l.Global); !ok {
		return nil, s.tooMany(r, "TooManyRequests", wait, true)
	}
	if r.route.outlook {
		return s.chargeBox(r, held, now)
	}
	if wait, ok := l.units.take(now, 10*time.Second, s.cost(r), l.Directory); !ok {
		return nil, s.tooMany(r, "TooManyRequests", wait, true)
	}
	if r.method != http.MethodGet {
		if wait, ok := l.writes.take(now, 150*time.Second, 1, l.Writes); !ok {
			return nil, s.tooMany(r, "TooManyRequests", wait, true)
		}
	}
	return func() {}, nil
}

// chargeBox counts a call of a mailbox. The caller holds limits.mu.
func (s *Sim) chargeBox(r *request, held slots, now time.Time) (func(), *reply) {
	l := s.limits
	key := strings.ToLower(r.vars[0])
	if strings.Contains(key, "@") { // one mailbox, whatever it is called by
		s.mu.RLock()
		if p := s.world.find(key); p != nil {
			key = p.id
		}
		s.mu.RUnlock()
	}
	u := l.boxes[key]
	if u == nil {
		u = &usage{}
		l.boxes[key] = u
	}
	if wait, ok := u.take(now, mailboxWindow, 1, l.Mailbox); !ok {
		return nil, s.tooMany(r, "ApplicationThrottled", wait, false)
	}
	if held[key] > 0 && (held[key] >= 4 || u.busy >= l.Concurrent) {
		return func() {}, nil
	}
	if u.busy >= l.Concurrent {
		return nil, s.tooMany(r, "ApplicationThrottled", time.Second, false)
	}
	u.busy++
	if held != nil {
		held[key]++
	}
	free := func() {
		l.mu.Lock()
		u.busy--
		l.mu.Unlock()
	}
	return free, nil
}

// tooMany is the 429. Outlook says fractions of a second, the directory whole ones and whose limit it was.
func (s *Sim) tooMany(r *request, code string, wait time.Duration, directory bool) *reply {
	after := strconv.FormatFloat(wait.Seconds(), 'f', 3, 64)
	if directory {
		after = strconv.Itoa(int(math.Ceil(wait.Seconds())))
	}
	out := s.throttled(r, code, after)
	if directory {
		out = out.with("x-ms-throttle-scope", fmt.Sprintf("Tenant_Application/ReadWrite/%s/%s", s.app.id, s.cfg.Tenant)).
			with("x-ms-throttle-information", "ResourceUnitLimitExceeded").with("x-ms-resource-unit", "1")
	}
	return &out
}

// cost is the call's price in resource units: $select and a small $top lower it, $expand raises it.
func (s *Sim) cost(r *request) int {
	n := r.route.cost
	for _, p := range r.query {
		switch p.name {
		case "$select":
			n--
		case "$expand":
			n++
		case "$top":
			if top, err := strconv.Atoi(p.value); err == nil && top < 20 {
				n--
			}
		}
	}
	return max(1, n)
}
