package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin.dev"
)

// Tx is a transaction of the installation: it runs statements on tables that hold no tenant's data. Tenant gives one
// tenant's rows. A Tx is used by one goroutine and ends with the function it was given to.
type Tx struct {
	store *Store
	tx    *sql.Tx
	write bool
	facts []Fact
	// things are what exports may want, by tenant.
	things map[tocsin.TenantID][]string
	// changed is what it may have changed, where it is alone.
	changed map[scope]bool
	err     error // of the first statement that failed; nothing can be committed after it
}

// View runs do in a transaction that only reads and sees one state of the database throughout.
func (s *Store) View(ctx context.Context, do func(*Tx) error) error {
	if s.gate != nil {
		s.asked.prepare(ctx, s.read)
	}
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.kind.snapshot()})
	if err != nil {
		return s.explain(err)
	}
	defer tx.Rollback() // nothing was written
	err = do(&Tx{store: s, tx: tx})
	if refusedWrite(err) { // our mistake, nothing that a person could mend
		return fmt.Errorf("write in a View: %w", err)
	}
	return s.explain(err)
}

// Update runs do in a transaction and commits it when do returns nil and none of its statements failed. On PostgreSQL
// (read committed: what others commit meanwhile is seen) it is run again after a conflict with others, so do has no
// effects outside. Do not call Update within do: SQLite has one writer, and it is busy.
func (s *Store) Update(ctx context.Context, do func(*Tx) error) error {
	for try := 1; ; try++ {
		err := s.update(ctx, do)
		if err == nil || try == 10 || !again(err) || ctx.Err() != nil {
			return s.explain(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(time.Duration(try) * 5 * time.Millisecond)):
		}
	}
}

func (s *Store) update(ctx context.Context, do func(*Tx) error) (err error) {
	if s.gate != nil {
		if err := s.gate.enter(ctx); err != nil {
			return err
		}
		defer s.gate.leave()
		s.written.prepare(ctx, s.write)
	}
	whole := true // the connection is as it was, as far as we know
	defer func() {
		if err != nil && (!whole || ctx.Err() != nil) {
			s.changes.unsure()
		}
	}()
	inner, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		whole = false
		return err
	}
	defer inner.Rollback() // does nothing after a commit
	tx := &Tx{store: s, tx: inner, write: true}
	if err := do(tx); err != nil {
		return err
	}
	if tx.err != nil {
		return tx.err
	}
	told := len(tx.facts) > 0
	if err := tx.writeFacts(ctx); err != nil {
		return err
	}
	if err := tx.writeThings(ctx); err != nil {
		return err
	}
	s.changes.ends(tx.changed)
	defer s.changes.ends(tx.changed)
	if err := inner.Commit(); errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err() // database/sql has rolled back by itself, before we came
	} else if err != nil {
		whole = false
		return err
	}
	if told {
		s.announce()
	}
	return nil
}

// ViewTenant is View for one tenant's rows.
func (s *Store) ViewTenant(ctx context.Context, id tocsin.TenantID, do func(*Tenant) error) error {
	return s.View(ctx, func(tx *Tx) error { return do(tx.Tenant(id)) })
}

// UpdateTenant is Update for one tenant's rows.
func (s *Store) UpdateTenant(ctx context.Context, id tocsin.TenantID, do func(*Tenant) error) error {
	return s.Update(ctx, func(tx *Tx) error { return do(tx.Tenant(id)) })
}

// Exec runs a statement and returns how many rows it touched.
func (tx *Tx) Exec(ctx context.Context, q string, args ...any) (int64, error) {
	return tx.exec(ctx, "", q, args)
}

// exec is Exec of a statement that touches rows of a tenant alone; "": of any.
func (tx *Tx) exec(ctx context.Context, tenant tocsin.TenantID, q string, args []any) (int64, error) {
	q = tx.store.kind.brief(q)
	var res sql.Result
	var err error
	if ready := tx.ready(q); ready != nil {
		res, err = tx.tx.StmtContext(ctx, ready).ExecContext(ctx, clean(args)...)
	} else {
		res, err = tx.tx.ExecContext(ctx, q, clean(args)...)
	}
	if err != nil {
		return 0, tx.failed(err)
	}
	n, err := res.RowsAffected()
	tx.touches(tenant, q, n > 0)
	return n, tx.failed(err)
}

// Query runs a statement that gives rows. Close them before the next statement: PostgreSQL has one at a time.
func (tx *Tx) Query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return tx.query(ctx, "", q, args)
}

func (tx *Tx) query(ctx context.Context, tenant tocsin.TenantID, q string, args []any) (*sql.Rows, error) {
	tx.touches(tenant, q, true)
	q = tx.store.kind.brief(q)
	if ready := tx.ready(q); ready != nil {
		rows, err := tx.tx.StmtContext(ctx, ready).QueryContext(ctx, clean(args)...)
		return rows, tx.failed(err)
	}
	rows, err := tx.tx.QueryContext(ctx, q, clean(args)...)
	return rows, tx.failed(err)
}

// ready is the statement, where it was prepared.
func (tx *Tx) ready(q string) *sql.Stmt {
	switch {
	case tx.store.gate == nil:
		return nil
	case tx.write:
		return tx.store.written.note(q)
	}
	return tx.store.asked.note(q)
}

// QueryRow runs a statement that gives one row, or ErrNone when it is scanned.
func (tx *Tx) QueryRow(ctx context.Context, q string, args ...any) *sql.Row {
	return tx.queryRow(ctx, "", q, args)
}

func (tx *Tx) queryRow(ctx context.Context, tenant tocsin.TenantID, q string, args []any) *sql.Row {
	tx.touches(tenant, q, true)
	var row *sql.Row
	if ready := tx.ready(q); ready != nil {
		row = tx.tx.StmtContext(ctx, ready).QueryRowContext(ctx, clean(args)...)
	} else {
		row = tx.tx.QueryRowContext(ctx, q, clean(args)...)
	}
	tx.failed(row.Err())
	return row
}

// Clock is the store's.
func (tx *Tx) Clock() *tocsin.Clock { return tx.store.clock }

// failed remembers the first error of a statement, so that the transaction cannot be committed in parts.
func (tx *Tx) failed(err error) error {
	if err != nil && tx.err == nil && !errors.Is(err, ErrNone) {
		tx.err = err
	}
	return err
}

// clean gives the arguments in a form in which both engines keep the same: see the package's comment.
func clean(args []any) []any {
	for i, a := range args {
		switch v := a.(type) {
		case nil, int, int64, bool, []byte:
		case string:
			if !isClean(v) { // else it need not be boxed anew
				args[i] = cleanText(v)
			}
		case json.RawMessage:
			args[i] = cleanText(string(v))
		case time.Time:
			args[i] = tocsin.Millis(v)
		default:
			if r := reflect.ValueOf(a); r.Kind() == reflect.String {
				args[i] = cleanText(r.String())
			}
		}
	}
	return args
}

func isClean(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

func cleanText(s string) string {
	if isClean(s) {
		return s
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// Pairs is In for n pairs: Pairs(2, 4) is "($4,$5),($6,$7)".
func Pairs(n, from int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "(" + In(2, from+2*i) + ")"
	}
	return strings.Join(all, ",")
}

// In is n placeholders from $from on, for a list: In(3, 4) is "$4,$5,$6". For none it is "null", which is in no list.
// Keep to some hundreds: SQLite's time for them grows with the square.
func In(n, from int) string {
	if n <= 0 {
		return "null"
	}
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}
