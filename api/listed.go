package api

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"tocsin.dev/collect"
	"tocsin.dev/store"
)

// listing is a list of things of the directory, from table listed: filtered, sorted and paged there, so that a page costs what it
// shows. Those that mean most come first in some lists: they are few, their rank is reckoned here, and the others follow.
type listing struct {
	kind  string         // a constant of this package
	name  string         // of its cursors
	by    string         // rank, at or seen: what it is sorted by, before name and id; a constant too
	that  func(*query)   // adds conditions
	first map[string]int // those that come first, by folded id: by how much
	only  bool           // the others are not in it
}

// listed is a place in a listing.
type listed struct {
	head   int64 // its rank where it is one of the first, else 0
	by     int64
	name   string
	id     string
	object string // as the directory has its id
}

func (l *listing) cursor(r listed) string { return cursor(l.name, r.head, r.by, r.name, r.id) }

// marked is a condition on a row's marks.
func marked(q *query, is bool, name, value string) {
	not := ""
	if !is {
		not = "not "
	}
	word := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(collect.Mark(name, value))
	q.add(" and marks "+not+`like ? escape '\'`, "%"+word+"%")
}

// texted is a condition on what is looked in.
func texted(q *query, text string) {
	if folded(text) != "" {
		q.add(` and text like ? escape '\'`, contains(text))
	}
}

// rows adds the table and the conditions.
func (l *listing) rows(q *query) *query {
	q.add("listed where tenant = $1 and kind = '" + l.kind + "'")
	if l.that != nil {
		l.that(q)
	}
	return q
}

func (l *listing) columns() string { return "select " + l.by + ", name, id, object from " }

func (r *listed) fields() []any { return []any{&r.by, &r.name, &r.id, &r.object} }

func compareListed(a, b listed) int {
	return cmp.Or(cmp.Compare(b.head, a.head), cmp.Compare(a.by, b.by), cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
}

// heads are those that come first, in their order.
func (l *listing) heads(ctx context.Context, t *store.Tenant) ([]listed, error) {
	ids := make([]any, 0, len(l.first))
	for id := range l.first {
		ids = append(ids, id)
	}
	var out []listed
	for some := range slices.Chunk(ids, 400) {
		q := &query{}
		q.add(l.columns())
		l.rows(q).add(" and id in (" + q.in(some...) + ")")
		rows, err := find(ctx, t, q, (*listed).fields)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			r.head = int64(l.first[r.id])
			out = append(out, r)
		}
	}
	slices.SortFunc(out, compareListed)
	return out, nil
}

// after are up to n of the list behind a place, and all of the first ones that the conditions leave.
func (l *listing) after(ctx context.Context, t *store.Tenant, in place, n int) (out, heads []listed, err error) {
	at := listed{head: in.number(0), by: in.number(1), name: in.text(2), id: in.text(3)}
	if l.first != nil && (in.begins() || at.head > 0) {
		if heads, err = l.heads(ctx, t); err != nil {
			return nil, nil, err
		}
		for _, r := range heads {
			if len(out) < n && (in.begins() || compareListed(r, at) > 0) {
				out = append(out, r)
			}
		}
	}
	if l.only {
		return out, heads, nil
	}
	if in.begins() || at.head > 0 {
		at = listed{by: math.MinInt64}
	}
	for len(out) < n {
		piece := n - len(out) + min(len(l.first), 1000)
		q := &query{}
		q.add(l.columns())
		l.rows(q).add(" and ("+l.by+", name, id) > (?, ?, ?)", at.by, at.name, at.id).add(" order by "+l.by+", name, id limit ?", piece)
		rows, err := find(ctx, t, q, (*listed).fields)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range rows {
			if _, is := l.first[r.id]; !is && len(out) < n {
				out = append(out, r)
			}
		}
		if len(rows) < piece {
			break
		}
		at = rows[len(rows)-1]
	}
	return out, heads, nil
}

// count is how many there are.
func (l *listing) count(ctx context.Context, t *store.Tenant, heads []listed) (int, bool, error) {
	if l.only {
		return len(heads), false, nil
	}
	return counted(ctx, t, l.rows(&query{}))
}

// pageOf is a page of a listing: load gives the things with these ids, in any order.
func pageOf[T any](ctx context.Context, t *store.Tenant, l *listing, in Paging, load func(objects []any) ([]T, error), id func(*T) string) (Page[T], error) {
	none := Page[T]{Items: []T{}}
	at, err := parseCursor(in.After, l.name, 4)
	if err != nil {
		return none, err
	}
	n := in.limit()
	rows, heads, err := l.after(ctx, t, at, n+1)
	if err != nil {
		return none, err
	}
	p := paged(rows, n, l.cursor)
	things, err := loaded(p.Items, load, id)
	if err != nil {
		return none, err
	}
	return total(in, Page[T]{Items: things, Next: p.Next}, func() (int, bool, error) { return l.count(ctx, t, heads) })
}

// loaded are the things at these places, in their order.
func loaded[T any](rows []listed, load func([]any) ([]T, error), id func(*T) string) ([]T, error) {
	if len(rows) == 0 {
		return []T{}, nil
	}
	objects, at := make([]any, len(rows)), map[string]int{}
	for i, r := range rows {
		objects[i], at[r.id] = r.object, i
	}
	things, err := load(objects)
	if err != nil {
		return nil, err
	}
	things = slices.DeleteFunc(things, func(x T) bool { _, is := at[strings.ToLower(id(&x))]; return !is })
	slices.SortFunc(things, func(a, b T) int { return at[strings.ToLower(id(&a))] - at[strings.ToLower(id(&b))] })
	return things, nil
}

// ones have each of these be among the first.
func ones[T any](of map[string]T) map[string]int {
	out := map[string]int{}
	for id := range of {
		out[id] = 1
	}
	return out
}
