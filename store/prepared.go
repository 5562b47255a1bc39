package store

import (
	"context"
	"database/sql"
	"sync"
)

// prepared are the statements of SQLite that come again: to parse one takes longer than to run most. PostgreSQL's driver does the
// same by itself.
type prepared struct {
	mu     sync.Mutex
	seen   map[string]int
	ready  map[string]*sql.Stmt
	wanted []string
}

const (
	longStatement  = 300 // bytes: to make it shorter pays
	seenOften      = 3
	mostPrepared   = 192  // some kilobytes each, in every connection
	mostStatements = 1000 // that are counted
)

// note counts a statement, and gives it where it is ready.
func (p *prepared) note(q string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.ready[q]; s != nil {
		return s
	}
	if p.seen == nil || len(p.seen) > mostStatements {
		p.seen = map[string]int{}
	}
	if p.seen[q]++; p.seen[q] == seenOften && len(p.ready)+len(p.wanted) < mostPrepared {
		p.wanted = append(p.wanted, q)
	}
	return nil
}

// prepare makes what was wanted ready, between two transactions: within one the writer's connection is taken. What cannot be
// prepared is run as it is, and says itself what is wrong.
func (p *prepared) prepare(ctx context.Context, db *sql.DB) {
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	for _, q := range wanted {
		s, err := db.PrepareContext(ctx, q)
		if err != nil {
			continue
		}
		p.mu.Lock()
		if p.ready == nil {
			p.ready = map[string]*sql.Stmt{}
		}
		p.ready[q] = s
		p.mu.Unlock()
	}
}
