package store

import (
	"context"
	"time"
)

// patrol is how long a fact committed by another replica, or between a read and the Wait after it, can go unseen.
const patrol = 500 * time.Millisecond

// Wait returns when facts may have been written since it was called, at the latest after half a second, or when ctx
// ends. Who reads must look again after it in any case.
func (s *Store) Wait(ctx context.Context) {
	timer := time.NewTimer(patrol)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.Appended():
	}
}

// Appended is closed when a transaction of this process has committed facts after the call. Taken before reading, it
// misses none of them.
func (s *Store) Appended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.news
}

func (s *Store) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}
