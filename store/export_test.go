package store

import (
	"context"
	"database/sql"
	"io/fs"
)

// What the tests reach inside for.

var NamesTenant = namesTenant

func (s *Store) Writer() *sql.DB                                { return s.write }
func (s *Store) MigrateWith(ctx context.Context, f fs.FS) error { return s.migrateWith(ctx, f) }
func (tx *Tx) WriteFacts(ctx context.Context) error             { return tx.writeFacts(ctx) }

// Waiting is how many wait for SQLite's writer.
func (s *Store) Waiting() int {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	return len(s.gate.people) + len(s.gate.patient)
}

// Quiet pretends that no fact was written for long.
func (s *Store) Quiet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = s.told.Add(-settled)
}
