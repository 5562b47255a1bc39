package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"tocsin.dev"
)

// Tenant is one tenant's rows within a transaction.
type Tenant struct {
	tx *Tx
	id tocsin.TenantID
}

// Tenant hands out the rows of a tenant.
func (tx *Tx) Tenant(id tocsin.TenantID) *Tenant { return &Tenant{tx: tx, id: id} }

// ID is the tenant's id.
func (t *Tenant) ID() tocsin.TenantID { return t.id }

// Tx is the transaction it belongs to.
func (t *Tenant) Tx() *Tx { return t.tx }

// Exec runs a statement whose $1 is the tenant; args are $2 and on. It returns how many rows it touched, which are the tenant's: that
// others' are as they were is what [Tenant.Changes] says by it.
func (t *Tenant) Exec(ctx context.Context, q string, args ...any) (int64, error) {
	if err := t.check(q); err != nil {
		return 0, err
	}
	return t.tx.exec(ctx, t.id, q, t.with(args))
}

// Query runs a statement that gives rows; $1 is the tenant, args are $2 and on.
func (t *Tenant) Query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if err := t.check(q); err != nil {
		return nil, err
	}
	return t.tx.query(ctx, t.id, q, t.with(args))
}

// QueryRow runs a statement that gives one row, or ErrNone when it is scanned; $1 is the tenant, args are $2 and on.
func (t *Tenant) QueryRow(ctx context.Context, q string, args ...any) *sql.Row {
	if err := t.check(q); err != nil {
		return refusedRow(ctx, err)
	}
	return t.tx.queryRow(ctx, t.id, q, t.with(args))
}

// Append writes a fact about the tenant in this transaction.
func (t *Tenant) Append(ctx context.Context, f Fact) error {
	f.Tenant = t.id
	return t.tx.Append(ctx, f)
}

func (t *Tenant) with(args []any) []any {
	all := make([]any, 0, len(args)+1)
	return append(append(all, string(t.id)), args...)
}

// check refuses a statement that could touch another tenant's rows because it does not say whose it means. Like every
// failed statement it fails the transaction.
func (t *Tenant) check(q string) error {
	if t.id == "" {
		return t.tx.failed(errors.New("store: a statement for no tenant"))
	}
	if !checked.scoped(q) {
		return t.tx.failed(fmt.Errorf("store: this statement names no tenant = $1: %s", q))
	}
	return nil
}

// checked remembers the statements that passed. Programs have a few hundred; those built of parts are not kept for ever.
var checked cache

type cache struct {
	passed sync.Map
	size   atomic.Int64
}

func (c *cache) scoped(q string) bool {
	if _, ok := c.passed.Load(q); ok {
		return true
	}
	if !namesTenant(q) {
		return false
	}
	if c.size.Load() < 2000 {
		if _, had := c.passed.LoadOrStore(q, true); !had {
			c.size.Add(1)
		}
	}
	return true
}

// Asked are the statements on tenants' rows that this process has asked, for tests of how their rows are found.
func Asked() iter.Seq[string] {
	return func(yield func(string) bool) {
		checked.passed.Range(func(q, _ any) bool { return yield(q.(string)) })
	}
}

// namesTenant says whether the statement has the word tenant and the placeholder $1, outside of its texts and comments.
func namesTenant(q string) bool {
	var word, first bool
	for i := 0; i < len(q); {
		switch c := q[i]; {
		case c == '\'':
			i = after(q, i+1, "'")
		case c == '-' && i+1 < len(q) && q[i+1] == '-':
			i = after(q, i, "\n")
		case c == '/' && i+1 < len(q) && q[i+1] == '*':
			i = after(q, i+2, "*/")
		case c == '$' || letter(c):
			end := i + 1
			for end < len(q) && (letter(q[end]) || q[end] >= '0' && q[end] <= '9') {
				end++
			}
			word = word || q[i:end] == "tenant"
			first = first || q[i:end] == "$1"
			i = end
		default:
			i++
		}
	}
	return word && first
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// after is the place behind the next end in q from i on.
func after(q string, i int, end string) int {
	for ; i < len(q); i++ {
		if i+len(end) <= len(q) && q[i:i+len(end)] == end {
			return i + len(end)
		}
	}
	return len(q)
}

// refusedRow is a row that gives err when it is scanned. database/sql makes one only through a connection, so this is
// a connection that cannot be made.
func refusedRow(ctx context.Context, err error) *sql.Row {
	db := sql.OpenDB(refusal{err})
	defer db.Close()
	return db.QueryRowContext(ctx, "")
}

type refusal struct{ err error }

func (r refusal) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (r refusal) Driver() driver.Driver                        { return nil }
