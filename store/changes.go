package store

import (
	"context"
	"strings"
	"sync"
)

// changes count the transactions that may have changed a table.
type changes struct {
	mu      sync.Mutex
	of      map[string]uint64 // by table; of "" those that may have changed any
	version int64             // of the file, as SQLite counts what others than this connection have changed
}

// Alone says whether nobody else writes while this transaction does: on SQLite.
func (tx *Tx) Alone() bool { return tx.write && tx.store.gate != nil }

// Changes gives a number, never 0, which it gives again as long as nobody has changed the tables: what was read of them then is as it
// was. It is not ok where that cannot be told: in a transaction that is not alone, or that has changed one of them itself.
func (tx *Tx) Changes(ctx context.Context, tables ...string) (n uint64, ok bool, err error) {
	if !tx.Alone() || tx.changed[""] {
		return 0, false, nil
	}
	var version int64
	if err := tx.QueryRow(ctx, `pragma data_version`).Scan(&version); err != nil { // https://www.sqlite.org/pragma.html#pragma_data_version
		return 0, false, err
	}
	c := &tx.store.changes
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]uint64{}
	}
	if version != c.version { // another process wrote, or this is the first time
		c.version = version
		c.of[""]++
	}
	n = c.of[""]
	for _, table := range tables {
		if tx.changed[table] {
			return 0, false, nil
		}
		n += c.of[table]
	}
	return n, true, nil
}

// Changes gives the same number to those who only read, and take it before they begin: what they read is at least as new as it.
// What another process writes is seen by the next transaction that asks. It is not ok on PostgreSQL.
func (s *Store) Changes(tables ...string) (n uint64, ok bool) {
	if s.gate == nil {
		return 0, false
	}
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	n = 1 + s.changes.of[""]
	for _, table := range tables {
		n += s.changes.of[table]
	}
	return n, true
}

// touches notes what a statement may change.
func (tx *Tx) touches(q string) {
	if !tx.Alone() {
		return
	}
	table, changes := changedBy(q)
	if !changes {
		return
	}
	if tx.changed == nil {
		tx.changed = map[string]bool{}
	}
	tx.changed[table] = true
}

// ends counts what a transaction may have changed, before it is committed, when nobody knows yet whether it will be, and after it,
// when those who read see it.
func (c *changes) ends(changed map[string]bool) {
	if len(changed) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]uint64{}
	}
	for table := range changed {
		c.of[table]++
	}
}

// changedBy is the table that a statement changes; "" where it may be any.
func changedBy(q string) (table string, changes bool) {
	before := ""
	for word := range strings.FieldsSeq(q[:min(len(q), 200)]) {
		word = strings.ToLower(word)
		switch before {
		case "":
			switch word {
			case "select", "pragma":
				return "", false
			case "insert", "delete", "update":
			default:
				return "", true
			}
		case "into", "from", "update":
			table, _, _ = strings.Cut(word, "(")
			if strings.Trim(table, "abcdefghijklmnopqrstuvwxyz_0123456789") != "" || table == "or" {
				return "", true
			}
			return table, true
		}
		before = word
	}
	return "", true
}
