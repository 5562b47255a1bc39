package query

import "strings"

// Row is a condition of a query as a form shows it. Rows must all hold; of a row and the rows behind it with Or, one must.
type Row struct {
	Or       bool
	Not      bool
	Property string // as from, or header.reply-to; empty for anywhere
	Op       string // ":", and for dates and sizes "<", "<=", ">" and ">=" too
	Text     string // the value as written, without quotes, slashes and the * at its end
	Star     bool   // the value's last word only begins so
	Pattern  bool   // the value is an expression
}

// Rows are the query as rows; false where it says more than they can, as (a b) OR c.
func (q *Query) Rows() ([]Row, bool) {
	groups := []*node{q.root}
	if q.root.op == and {
		groups = q.root.kids
	}
	var rows []Row
	for _, g := range groups {
		terms := []*node{g}
		if g.op == or {
			terms = g.kids
		}
		for i, n := range terms {
			not := n.op == not
			if not {
				n = n.kids[0]
			}
			if n.op != word {
				return nil, false
			}
			t := n.term
			rows = append(rows, Row{Or: i > 0, Not: not, Property: t.prop.name, Op: t.op, Text: t.text, Star: t.star, Pattern: t.kind == pattern})
		}
	}
	return rows, true
}

// String is the row as a query has it, without what joins it to the row before; it is parsed no further than that.
func (r Row) String() string {
	t := term{prop: known(r.Property), op: r.Op, kind: word, text: r.Text, star: r.Star}
	if t.prop == nil {
		t.prop = anywhere
	}
	if r.Pattern {
		t.kind = pattern
	}
	if r.Not {
		return "NOT " + t.String()
	}
	return t.String()
}

// FromRows is the query of rows, as text; a row without a value is left out.
func FromRows(rows []Row) string {
	var groups [][]string
	for _, r := range rows {
		if r.Text == "" && !r.Star {
			continue
		}
		if r.Or && len(groups) > 0 {
			groups[len(groups)-1] = append(groups[len(groups)-1], r.String())
		} else {
			groups = append(groups, []string{r.String()})
		}
	}
	var all []string
	for _, g := range groups {
		text := strings.Join(g, " OR ")
		if len(g) > 1 && len(groups) > 1 {
			text = "(" + text + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, " AND ")
}
