package store

import (
	"context"
	"time"
)

const (
	// patrol is how long a fact of another replica, or one committed between a read and the Wait after it, goes unseen.
	patrol = 500 * time.Millisecond
	// settled is after how long without facts nobody can be between such a read and its Wait any more.
	settled = 10 * time.Second
)

// Wait returns when facts may have been written since the caller last read them, or when ctx ends. It may return for
// nothing. A fact committed before the call is seen after half a second at the latest; to see it at once, take Appended
// before reading.
func (s *Store) Wait(ctx context.Context) {
	s.mu.Lock()
	news, quiet := s.news, time.Since(s.told) > settled
	s.mu.Unlock()
	if quiet && s.kind == sqlite { // whose facts are all of this process: no need to look
		select {
		case <-ctx.Done():
		case <-news:
		}
		return
	}
	tick := time.NewTicker(patrol)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
			return
		case <-tick.C:
			if !quiet || !s.look(ctx) {
				return
			}
		}
	}
}

// look asks, for all who wait, whether other replicas have written facts, and announces it; false if it cannot be known.
func (s *Store) look(ctx context.Context) bool {
	s.mu.Lock()
	if time.Since(s.looked) < patrol*3/4 {
		s.mu.Unlock()
		return true
	}
	s.looked = time.Now()
	s.mu.Unlock()
	var sum int64
	if err := s.read.QueryRowContext(ctx, `select coalesce(sum(n), 0) from fact_counter`).Scan(&sum); err != nil {
		return false // who waits reads, and meets the error
	}
	s.mu.Lock()
	fresh := sum != s.counted
	s.counted = sum
	s.mu.Unlock()
	if fresh {
		s.announce()
	}
	return true
}

// Appended is closed when a transaction of this process has committed facts after the call, or those of another were
// noticed. Taken before reading, it misses none of this process.
func (s *Store) Appended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.news
}

func (s *Store) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = time.Now()
	close(s.news)
	s.news = make(chan struct{})
}
