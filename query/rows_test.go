package query

import (
	"slices"
	"testing"
)

// TestRows holds that what a form shows of a query is that query, and that what rows cannot say is not shown as less.
func TestRows(t *testing.T) {
	for _, text := range []string{
		`from:bad.example`, `from:bad.example AND (subject:"overdue invoice" OR attachment:*.html)`, `NOT subject:invoice* AND size>5mb AND hasattachments:true`,
		`header.reply-to:evil AND received:2026-11-01..2026-11-22`, `(/inv[0-9]+\/x/ OR word OR "two words") AND NOT url.domain:bad.example`, `subject:a OR NOT subject:b`,
	} {
		q := MustParse(text)
		rows, ok := q.Rows()
		if !ok {
			t.Errorf("%s has no rows", text)
			continue
		}
		again, err := Parse(FromRows(rows))
		if err != nil || again.String() != q.String() {
			t.Errorf("%s became %s, %v", q, FromRows(rows), err)
			continue
		}
		if back, _ := again.Rows(); !slices.Equal(back, rows) {
			t.Errorf("%s: rows %+v became %+v", text, rows, back)
		}
	}
	for _, text := range []string{`(from:a.example AND subject:b) OR subject:c`, `NOT (subject:a OR subject:b)`} {
		if rows, ok := MustParse(text).Rows(); ok {
			t.Errorf("%s is told as rows: %+v", text, rows)
		}
	}
	if got := FromRows([]Row{{Property: "from", Op: ":"}, {Or: true, Property: "subject", Op: ":", Text: "x"}}); got != "subject:x" {
		t.Errorf("an empty row leaves %q", got)
	}
}
