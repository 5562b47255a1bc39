package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tocsin.dev/query"
)

// TestQueryRows holds that the builder loses nothing: what rows show of a text is that text, and what they cannot show stays text.
func TestQueryRows(t *testing.T) {
	for _, text := range []string{
		`from:bad.example`, `from:bad.example AND (subject:"overdue invoice" OR attachment:*.html)`, `subject:invo* AND NOT body:/pay[0-9]+/ AND hasattachments:false`,
		`header.reply-to:evil AND received:2026-11-01..2026-11-22 AND size>5MB`, `received>=2026-11-01 AND received<2026-11-22`, `received:7d OR "last words"`, `received<=2026-11-22`,
		`NOT url.domain:bad.example AND attachment.sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`, `NOT subject:invo* AND importance:high`,
	} {
		said := saidQuery(text)
		if said.Wrong != nil || said.Beyond != "" || len(said.Rows) == 0 {
			t.Errorf("%s is not shown as rows: %+v", text, said)
			continue
		}
		if got, want := queryText(said.Rows), query.MustParse(text).String(); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
		form := url.Values{}
		for _, r := range said.Rows {
			form.Add("join", map[bool]string{true: "or", false: "and"}[r.Or])
			for k, v := range map[string]string{"field": r.Field, "header": r.Name, "op": r.Op, "value": r.Value, "to": r.To} {
				form.Add(k, v)
			}
		}
		if got, want := queryText(rowsTyped(form)), query.MustParse(text).String(); got != want {
			t.Errorf("%s, sent as a form, became %s", text, got)
		}
	}
	for _, text := range []string{`(from:a.example AND subject:b) OR subject:c`, `NOT (subject:a OR subject:b)`, `received>7d`, `size:1KB..2KB`} {
		if said := saidQuery(text); said.Wrong != nil || said.Beyond == "" || len(said.Rows) > 0 || said.Text != text {
			t.Errorf("%s is shown as less than it says: %+v", text, said)
		}
	}
	if said := saidQuery("from:"); said.Wrong == nil || said.Wrong.Do == "" {
		t.Errorf("a text that cannot be read: %+v", said)
	}
	if said := fromRows([]queryRow{{Field: "attachment.sha256", Op: "has", Value: "no hash"}}); said.Wrong == nil {
		t.Error("a row that cannot be is taken")
	}
}

// TestQueryForm drives the builder without scripts, by its buttons: what was changed last counts, and what was typed stays.
func TestQueryForm(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	to := at + "/investigations/new"
	send := func(pairs ...string) string {
		code, body := s.post(to, append(pairs, "name", "Mine", "reason", evilScript, "people", "amy@acme.example")...) // in the order of the page
		if code != http.StatusOK || !strings.Contains(body, `value="Mine"`) || !strings.Contains(body, "amy@acme.example") {
			t.Fatalf("%v: %d\n%s", pairs, code, body)
		}
		sound(t, to, body)
		return body
	}
	row := []string{"join", "and", "field", "subject", "header", "", "op", "has", "value", "overdue invoice", "to", ""}
	if body := send(append(row, "do", "rows", "query", "", "was", "")...); !strings.Contains(body, "subject:&#34;overdue invoice&#34;</textarea>") {
		t.Errorf("rows are not written as text:\n%s", body)
	}
	if body := send(append(row, "do", "text", "query", "from:bad.example", "was", "")...); !strings.Contains(body, `value="bad.example"`) || strings.Contains(body, "overdue") {
		t.Errorf("a text that was changed is not read into rows:\n%s", body)
	}
	if body := send(append(row, "do", "or", "query", "x", "was", "x")...); strings.Count(body, "q-row") < 2 || !strings.Contains(body, `class="q-row q-or"`) {
		t.Errorf("no alternative was added:\n%s", body)
	}
	if body := send(append(row, "do", "drop-0", "query", "x", "was", "x")...); strings.Contains(body, "overdue invoice") {
		t.Errorf("the row is still there:\n%s", body)
	}
	if body := send(append(row, "do", "plan", "query", "from:", "was", "")...); !strings.Contains(body, `aria-invalid="true"`) {
		t.Errorf("a query that cannot be read is planned:\n%s", body)
	}
	if body := send("do", "mail"); !strings.Contains(body, "No mail was handed in") {
		t.Errorf("no mail:\n%s", body)
	}
}

// TestPivot holds the charts to what they stand for.
func TestPivot(t *testing.T) {
	v := daysPivot([]pivotBar{{Key: "2026-11-20", Count: 3}, {Key: "2026-11-22", Count: 30, On: true}, {Key: "none", Count: 1}})
	if len(v.Bars) != 2 || !strings.HasPrefix(v.Says, "34 mails") || v.Bars[1].Class != "bar over" || v.Bars[1].H <= v.Bars[0].H {
		t.Errorf("%+v", v)
	}
	for _, b := range v.Bars {
		if b.X < 0 || b.X+b.W > 1 || b.Y < 0 || b.Y+b.H > v.Height+.01 {
			t.Errorf("a bar outside of the chart: %+v", b)
		}
	}
	if v := daysPivot([]pivotBar{{Key: "2020-01-01", Count: 2}, {Key: "2026-11-22", Count: 1}}); len(v.Bars) != 1 || !strings.Contains(v.Says, "2 mails are older") {
		t.Errorf("%+v", v)
	}
	all := 0.0
	for _, r := range portions([]portion{{"a", "x", 1}, {"b", "y", 0}, {"c", "z", 9999}}, 10_000) {
		if all += r.W; r.W < 4 {
			t.Errorf("what there is is not seen: %+v", r)
		}
	}
	if all < 999 || all > 1001 {
		t.Errorf("the parts are %v wide", all)
	}
}
