package store

import (
	"context"
	"iter"
	"strings"
	"sync"

	"tocsin.dev"
)

// changes count what may have changed: before each commit, after it, and where another process may have written.
type changes struct {
	mu      sync.Mutex
	of      map[scope]uint64
	version int64 // of the file, see Tenant.Changes; 0: not known
}

// scope is the rows of a tenant in a table; "" is any tenant, any table.
type scope struct {
	tenant tocsin.TenantID
	table  string
}

// scopesOf are those by which a change of a tenant's rows in the tables may have been counted.
func scopesOf(tenant tocsin.TenantID, tables []string) iter.Seq[scope] {
	return func(yield func(scope) bool) {
		for _, table := range append([]string{""}, tables...) {
			if !yield(scope{"", table}) || !yield(scope{tenant, table}) {
				return
			}
		}
	}
}

// Alone says whether this transaction writes and nobody else does meanwhile: on SQLite.
func (tx *Tx) Alone() bool { return tx.write && tx.store.gate != nil }

// Changes gives a number, never 0, which it gives again as long as nobody has changed the tenant's rows of the tables (named as in the
// schema): what was read of them then is as it was. It is not ok, and the number 0, where that cannot be told: in a transaction that is
// not alone, that has changed some of them itself, or of which a statement failed. Its error is the database's.
//
// It counts the statements that go through the store, by how they begin. What another process has changed, SQLite tells a connection
// of (https://www.sqlite.org/pragma.html#pragma_data_version); there is one that writes, and when it may be another, nothing holds.
func (t *Tenant) Changes(ctx context.Context, tables ...string) (n uint64, ok bool, err error) {
	if !t.tx.Alone() || t.tx.err != nil {
		return 0, false, nil
	}
	for r := range scopesOf(t.id, tables) {
		if t.tx.changed[r] {
			return 0, false, nil
		}
	}
	var version int64
	if err := t.tx.QueryRow(ctx, `pragma data_version`).Scan(&version); err != nil {
		return 0, false, err
	}
	c := &t.tx.store.changes
	c.mu.Lock()
	if version != c.version {
		c.version = version
		c.count(scope{})
	}
	c.mu.Unlock()
	n, ok = t.tx.store.Changes(t.id, tables...)
	return n, ok, nil
}

// Changes gives the number of [Tenant.Changes] to those who only read, and take it before they begin: what they read is at least as new
// as it. What another process writes is seen once a transaction has asked. It is not ok on PostgreSQL.
func (s *Store) Changes(tenant tocsin.TenantID, tables ...string) (n uint64, ok bool) {
	if s.gate == nil {
		return 0, false
	}
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	n = 1
	for r := range scopesOf(tenant, tables) {
		n += s.changes.of[r]
	}
	return n, true
}

// touches notes what a statement may change. some says whether it may have changed a row of the table that it names.
func (tx *Tx) touches(tenant tocsin.TenantID, q string, some bool) {
	if !tx.Alone() {
		return
	}
	table, changes := changedBy(q)
	if !changes || table != "" && !some {
		return
	}
	if tx.changed == nil {
		tx.changed = map[scope]bool{}
	}
	tx.changed[scope{tenant, table}] = true
}

// ends counts what a transaction may have changed, before it is committed, when nobody knows yet whether it will be, and after it,
// when those who read see it.
func (c *changes) ends(changed map[scope]bool) {
	if len(changed) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range changed {
		c.count(r)
	}
}

// unsure is called when the connection that writes may be another one from now on.
func (c *changes) unsure() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = 0
}

func (c *changes) count(r scope) {
	if c.of == nil {
		c.of = map[scope]uint64{}
	}
	c.of[r]++
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
