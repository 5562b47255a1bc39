package store

import (
	"context"
	"database/sql"
)

// prepared are the long statements of SQLite's one writer, those that come again: to parse one of a hundred rows takes as
// long as to write ten of them. PostgreSQL's driver does the same by itself. Whoever is in the gate has it alone.
type prepared struct {
	seen   map[string]int
	ready  map[string]*sql.Stmt
	wanted []string
}

const (
	longStatement  = 300 // bytes
	seenOften      = 3
	mostPrepared   = 64
	mostStatements = 500 // that are counted
)

// note counts a statement, and gives it where it is ready.
func (p *prepared) note(q string) *sql.Stmt {
	if len(q) < longStatement {
		return nil
	}
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

// prepare makes what was wanted ready, between two transactions: within one the connection is taken. What cannot be
// prepared is run as it is, and says itself what is wrong.
func (p *prepared) prepare(ctx context.Context, db *sql.DB) {
	for _, q := range p.wanted {
		if s, err := db.PrepareContext(ctx, q); err == nil {
			if p.ready == nil {
				p.ready = map[string]*sql.Stmt{}
			}
			p.ready[q] = s
		}
	}
	p.wanted = nil
}
