package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"tocsin.dev"
)

// atOnce are the numbers of rows or values for which statements are made: a statement of which there are few comes again, and is
// then prepared. More than a hundred makes neither engine faster (BenchmarkFold).
var atOnce = []int{100, 25, 5, 1}

// Batch is how many of n rows go into the next statement.
func Batch(n int) int {
	for _, size := range atOnce {
		if n >= size {
			return size
		}
	}
	return 0
}

// Batches are the arguments of statements that read what is named by width of them each: one of them is named again in the last
// statement, and again, until that is one of those that come again.
func Batches(args []any, width int) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for part := range slices.Chunk(args, width*atOnce[0]) {
			for i := len(atOnce) - 1; i >= 0; i-- {
				if size := width * atOnce[i]; size >= len(part) {
					for len(part) < size {
						part = append(slices.Clip(part), part[:width]...)
					}
					break
				}
			}
			if !yield(part) {
				return
			}
		}
	}
}

// Into says what many rows are written into at once.
type Into struct {
	Table   string
	Columns []string // in the order of a row's values
	Key     []string // where a row with these columns equal is there, it is updated; none: that is an error
	Keep    []string // columns that such a row keeps, first_seen for one
}

// Insert writes rows, many in a statement, which spares most of the time of one by one. Where two of them have the
// same key, the later is written.
func (tx *Tx) Insert(ctx context.Context, into Into, rows [][]any) error {
	_, err := tx.insert(ctx, "", into, rows)
	return err
}

// insert is Insert of rows the first value of which is the tenant, where there is one.
func (tx *Tx) insert(ctx context.Context, tenant tocsin.TenantID, into Into, rows [][]any) (touched int64, err error) {
	var first []any
	if tenant != "" {
		first = []any{string(tenant)}
	}
	rows = lastOfEach(into, rows, len(first))
	text, of := "", 0 // the statement, and of how many rows it is
	for len(rows) > 0 {
		n := Batch(len(rows))
		if n != of {
			text, of = into.statement(n, tx.store.kind), n
		}
		args := make([]any, 0, n*len(into.Columns))
		for _, row := range rows[:n] {
			if len(first)+len(row) != len(into.Columns) {
				return touched, tx.failed(fmt.Errorf("insert into %s: %d values for %d columns", into.Table, len(row), len(into.Columns)-len(first)))
			}
			args = append(append(args, first...), row...)
		}
		some, err := tx.exec(ctx, tenant, text, args)
		if err != nil {
			return touched, fmt.Errorf("insert into %s: %w", into.Table, err)
		}
		touched += some
		rows = rows[n:]
	}
	return touched, nil
}

// Insert writes rows of the tenant: Columns and Key do not name the column tenant, nor do the rows hold it; it is
// put in.
func (t *Tenant) Insert(ctx context.Context, into Into, rows [][]any) error {
	_, err := t.InsertCount(ctx, into, rows)
	return err
}

// InsertCount is Insert, and says how many rows that wrote: not those that are there, where all columns are kept.
func (t *Tenant) InsertCount(ctx context.Context, into Into, rows [][]any) (written int64, err error) {
	if err := t.tellRows(into, rows); err != nil {
		return 0, err
	}
	into.Columns = append([]string{"tenant"}, into.Columns...)
	if len(into.Key) > 0 {
		into.Key = append([]string{"tenant"}, into.Key...)
	}
	return t.tx.insert(ctx, t.id, into, rows)
}

func (into Into) statement(rows int, kind dialect) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s (%s) values ", kind.into(), into.Table, strings.Join(into.Columns, ", "))
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("(" + kind.placeholders(len(into.Columns), i*len(into.Columns)+1) + ")")
	}
	if len(into.Key) == 0 {
		return b.String()
	}
	var set []string
	for _, c := range into.Columns {
		if !slices.Contains(into.Key, c) && !slices.Contains(into.Keep, c) {
			set = append(set, c+" = excluded."+c)
		}
	}
	fmt.Fprintf(&b, " on conflict (%s) do ", strings.Join(into.Key, ", "))
	if len(set) == 0 {
		return b.String() + "nothing"
	}
	return b.String() + "update set " + strings.Join(set, ", ")
}

// lastOfEach leaves out the rows whose key comes again later: PostgreSQL refuses to touch a row twice in a statement. Rows
// lack the first columns.
func lastOfEach(into Into, rows [][]any, first int) [][]any {
	if len(into.Key) == 0 {
		return rows
	}
	var at []int
	for i, c := range into.Columns[first:] {
		if slices.Contains(into.Key, c) {
			at = append(at, i)
		}
	}
	seen := make(map[string]bool, len(rows))
	out := make([][]any, 0, len(rows))
	var key []byte
	for _, row := range slices.Backward(rows) {
		key = key[:0]
		for _, i := range at {
			if i >= len(row) {
				continue
			}
			if s, ok := row[i].(string); ok {
				key = append(key, s...)
			} else {
				key = fmt.Append(key, row[i])
			}
			key = append(key, 0)
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			out = append(out, row)
		}
	}
	slices.Reverse(out)
	return out
}
