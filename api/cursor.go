package api

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// A cursor is the key of the last item of a piece: the list's name and the values of its order, as JSON in base64. It
// comes back from outside, so it is data and never trusted further: its values only ever become arguments.
type place struct{ values []any }

// cursor makes one. Values are strings and int64.
func cursor(list string, values ...any) string {
	body, err := json.Marshal(append([]any{list}, values...))
	if err != nil {
		panic("api: a cursor is not JSON: " + err.Error()) // strings and numbers always are
	}
	return base64.RawURLEncoding.EncodeToString(body)
}

var badCursor = invalid("Begin again without after.", "after is not a place in this list.")

// parseCursor reads one of the list, with as many values; the empty one is the list's beginning, with no values.
func parseCursor(s, list string, values int) (place, error) {
	if s == "" {
		return place{}, nil
	}
	body, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return place{}, badCursor
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var all []any
	if d.Decode(&all) != nil || len(all) != values+1 || all[0] != list || d.More() {
		return place{}, badCursor
	}
	p := place{}
	for _, v := range all[1:] {
		switch v := v.(type) {
		case string:
			p.values = append(p.values, v)
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				return place{}, badCursor
			}
			p.values = append(p.values, n)
		default:
			return place{}, badCursor
		}
	}
	return p, nil
}

func (p place) begins() bool { return p.values == nil }

// text is the value at i, empty where it is none.
func (p place) text(i int) string {
	if i < len(p.values) {
		s, _ := p.values[i].(string)
		return s
	}
	return ""
}

// number is the value at i, 0 where it is none.
func (p place) number(i int) int64 {
	if i < len(p.values) {
		n, _ := p.values[i].(int64)
		return n
	}
	return 0
}

// paged makes a piece of n from up to n+1 items: that there is one more says that the list goes on.
func paged[T any](items []T, n int, at func(T) string) Page[T] {
	p := Page[T]{Items: items}
	if len(items) > n {
		p.Items = items[:n]
		p.Next = at(items[n-1])
	}
	if p.Items == nil {
		p.Items = []T{}
	}
	return p
}

// scan reads all rows into values; fields gives where a row's columns go.
func scan[T any](rows *sql.Rows, fields func(*T) []any) ([]T, error) {
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		var v T
		if err := rows.Scan(fields(&v)...); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// contains is the pattern for lower(column) like … escape '\' that finds q anywhere; for an empty q it is everything.
func contains(q string) string {
	q = strings.ToLower(strings.TrimSpace(q))
	q = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q)
	return "%" + q + "%"
}
