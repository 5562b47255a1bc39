package sim

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
)

// tally counts the calls of one route. Its numbers are read while calls go on.
type tally struct {
	calls, batched, throttled, refused, failed atomic.Int64
	mu                                         sync.Mutex
	selects                                    map[string]int
}

// counts is what was asked of the simulator.
type counts struct {
	total, throttled, unknown atomic.Int64
	batches                   atomic.Int64
	mu                        sync.Mutex
	violations                []string
	failed                    []string
}

// Requests is what was asked so far.
type Requests struct {
	Total      int64                `json:"total"`      // calls, those in batches each
	Batches    int64                `json:"batches"`    // POST $batch
	Throttled  int64                `json:"throttled"`  // answers of 429
	Unknown    int64                `json:"unknown"`    // calls of paths that are not served
	Calls      map[string]Requested `json:"calls"`      // by method and path
	Violations []string             `json:"violations"` // what a metadata-only connection asked for and must not
}

// Requested is what was asked of one path.
type Requested struct {
	Count     int64          `json:"count"`
	Batched   int64          `json:"batched"`   // of them, as parts of batches
	Throttled int64          `json:"throttled"` // answers of 429
	Refused   int64          `json:"refused"`   // other answers of 4xx
	Failed    int64          `json:"failed"`    // answers of 5xx
	Select    map[string]int `json:"select,omitempty"`
}

// maxSelects is how many different $select values are remembered of a path.
const maxSelects = 100

// counted notes the answer and hands it on.
func (s *Sim) counted(r *request, out reply) reply {
	s.counts.total.Add(1)
	if out.status == http.StatusTooManyRequests {
		s.counts.throttled.Add(1)
	}
	if r.route == nil {
		s.counts.unknown.Add(1)
		return out
	}
	t := r.route.seen
	t.calls.Add(1)
	if r.batched {
		t.batched.Add(1)
	}
	switch {
	case out.status == http.StatusTooManyRequests:
		t.throttled.Add(1)
	case out.status >= 500:
		t.failed.Add(1)
	case out.status >= 400:
		t.refused.Add(1)
	}
	if v := r.query.get("$select"); v != "" {
		t.mu.Lock()
		if t.selects == nil {
			t.selects = map[string]int{}
		}
		if _, known := t.selects[v]; known || len(t.selects) < maxSelects {
			t.selects[v]++
		}
		t.mu.Unlock()
	}
	return out
}

func (c *counts) violate(r *request, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.violations) < 1000 {
		c.violations = append(c.violations, fmt.Sprintf("%s /%s asked for %s", r.method, r.path, what))
	}
}

func (c *counts) fail(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = append(c.failed, what)
}

// Failed are the acts of stories that could not happen, by file and line; a test with any has failed.
func (s *Sim) Failed() []string {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return append([]string{}, s.counts.failed...)
}

// Violations are the calls in which a metadata-only connection asked for content; a test with any has failed.
func (s *Sim) Violations() []string { return s.Requests().Violations }

// Requests is what was asked so far.
func (s *Sim) Requests() Requests {
	out := Requests{Total: s.counts.total.Load(), Batches: s.counts.batches.Load(), Throttled: s.counts.throttled.Load(),
		Unknown: s.counts.unknown.Load(), Calls: map[string]Requested{}, Violations: []string{}}
	for _, list := range s.table {
		for _, r := range list {
			t := r.seen
			if t.calls.Load() == 0 {
				continue
			}
			t.mu.Lock()
			out.Calls[r.method+" /"+r.path] = Requested{Count: t.calls.Load(), Batched: t.batched.Load(), Throttled: t.throttled.Load(),
				Refused: t.refused.Load(), Failed: t.failed.Load(), Select: maps.Clone(t.selects)}
			t.mu.Unlock()
		}
	}
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	out.Violations = append(out.Violations, s.counts.violations...)
	return out
}
