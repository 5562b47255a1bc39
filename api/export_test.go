package api

import (
	"time"

	"tocsin.dev"
)

// HashToken is what is kept of a token, for tests that write the row themselves.
func HashToken(secret string) string { return hashToken(secret) }

// SetHeartbeat makes streams look more often whether their caller still may.
func (s *Service) SetHeartbeat(d time.Duration) { s.heartbeat = d }

// ParseCursor is for the fuzz test.
func ParseCursor(s, list string, values int) ([]any, error) {
	p, err := parseCursor(s, list, values)
	return p.values, err
}

// Cursor is for the fuzz test.
func Cursor(list string, values ...any) string { return cursor(list, values...) }

// Watching is how many watch a tenant's tail.
func (s *Service) Watching(tenant tocsin.TenantID) int {
	s.tailing.Lock()
	defer s.tailing.Unlock()
	l := s.tails[tenant]
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, of := range l.filters {
		n += of
	}
	return n
}
