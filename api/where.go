package api

import (
	"context"
	"strconv"
	"strings"

	"tocsin.dev/store"
)

// newest has the newest rows come first, of one moment by their ids.
const newest = " order by at desc, id desc limit ?"

// query builds a statement on one tenant's rows. Its text is made of constants of this package only; whatever comes
// from outside goes through arg.
type query struct {
	text strings.Builder
	args []any // $2 and on
}

// add appends text, in which each ? becomes the placeholder of the next of args.
func (q *query) add(text string, args ...any) *query {
	for _, a := range args {
		before, after, ok := strings.Cut(text, "?")
		if !ok {
			panic("api: more arguments than places in " + text)
		}
		q.text.WriteString(before)
		q.text.WriteString(q.arg(a))
		text = after
	}
	q.text.WriteString(text)
	return q
}

// arg is the placeholder of an argument.
func (q *query) arg(a any) string {
	q.args = append(q.args, a)
	return "$" + strconv.Itoa(len(q.args)+1)
}

// in is a list of placeholders.
func (q *query) in(values ...any) string {
	if len(values) == 0 {
		return "null"
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = q.arg(v)
	}
	return strings.Join(out, ",")
}

// find runs the query and reads its rows.
func find[T any](ctx context.Context, t *store.Tenant, q *query, fields func(*T) []any) ([]T, error) {
	rows, err := t.Query(ctx, q.text.String(), q.args...)
	if err != nil {
		return nil, err
	}
	return scan(rows, fields)
}

// number runs a query that gives one number.
func number(ctx context.Context, t *store.Tenant, q *query) (n int, err error) {
	err = t.QueryRow(ctx, q.text.String(), q.args...).Scan(&n)
	return n, err
}

// countTo is how far a filtered list is counted where no index has the number.
const countTo = 10_000

// counted counts the rows of from (table and conditions), no further than countTo.
func counted(ctx context.Context, t *store.Tenant, from *query) (n int, more bool, err error) {
	q := &query{args: from.args}
	q.add("select count(*) from (select 1 as one from " + from.text.String() + " limit " + strconv.Itoa(countTo+1) + ") several")
	n, err = number(ctx, t, q)
	return min(n, countTo), n > countTo, err
}

// total adds to the first piece of a list how long the whole is: it is counted only where there is more than the piece.
func total[T any](in Paging, p Page[T], count func() (int, bool, error)) (Page[T], error) {
	if in.After != "" {
		return p, nil
	}
	if p.Next == "" {
		p.Total = len(p.Items)
		return p, nil
	}
	var err error
	p.Total, p.TotalIsMore, err = count()
	return p, err
}

func anys[T ~string](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
