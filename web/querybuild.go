package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/query"
)

// queryRow is a condition of the builder. A row that begins with "or" belongs to the row above it: rows joined by "and" must all
// hold, and of a row with its "or" rows one must.
type queryRow struct {
	Or    bool
	Field string // of queryFields
	Name  string // of a header
	Op    string // of the field's ops
	Value string
	To    string // the other end of a range of dates
}

// queryField is what a condition can be about.
type queryField struct {
	Name, Word, Kind, Hint string
}

// queryFields are what a condition can be about, as people of Outlook and Purview know it.
var queryFields = []queryField{
	{"from", "Sender", "text", "bad.example, name@bad.example or a name"},
	{"replyto", "Replies go to", "text", "bad.example, or an address"},
	{"sender", "Sent on behalf by", "text", "bad.example, or an address"},
	{"recipients", "Any recipient", "text", "an address, a domain or a name"},
	{"to", "To", "text", "an address, a domain or a name"},
	{"cc", "Cc", "text", "an address, a domain or a name"},
	{"bcc", "Bcc", "text", "an address, a domain or a name"},
	{"participants", "Anybody in it", "text", "an address, a domain or a name"},
	{"subject", "Subject", "text", "a word or a phrase"},
	{"body", "Body", "text", "a word or a phrase"},
	{"", "Anywhere", "text", "a word or a phrase"},
	{"attachment", "Attachment's name", "text", "invoice, or *.html"},
	{"attachment.type", "Attachment's type", "exact", "application/pdf"},
	{"attachment.sha256", "Attachment's SHA-256", "exact", "64 hexadecimal digits"},
	{"url", "Link", "text", "a part of the address"},
	{"url.domain", "Link's domain", "exact", "bad.example"},
	{"header", "Header", "header", "a word or a phrase of it"},
	{"messageid", "Message id", "exact", "<…@…>"},
	{"received", "Received", "date", ""},
	{"sent", "Sent", "date", ""},
	{"size", "Size", "size", "5MB"},
	{"hasattachments", "Has attachments", "yesno", ""},
	{"importance", "Importance", "exact", "high, normal or low"},
}

// queryOps are how a condition of each kind can hold; the first is what a new row has.
var queryOps = map[string][][2]string{
	"text":   {{"has", "contains"}, {"begins", "has a word that begins with"}, {"matches", "fits the pattern"}, {"not", "does not contain"}, {"unlike", "does not fit the pattern"}},
	"header": {{"has", "contains"}, {"begins", "has a word that begins with"}, {"matches", "fits the pattern"}, {"not", "does not contain"}, {"unlike", "does not fit the pattern"}},
	"exact":  {{"has", "is"}, {"not", "is not"}},
	"date":   {{"between", "from … until"}, {"since", "on or after"}, {"before", "before"}, {"within", "within"}},
	"size":   {{"over", "more than"}, {"under", "less than"}},
	"yesno":  {{"yes", "yes"}, {"no", "no"}},
}

// maxRows is how many conditions the builder takes; a longer query is written as text.
const maxRows = 60

func queryFieldOf(name string) queryField {
	if i := slices.IndexFunc(queryFields, func(f queryField) bool { return f.Name == name }); i >= 0 {
		return queryFields[i]
	}
	return queryFields[0]
}

func (r queryRow) kind() queryField { return queryFieldOf(r.Field) }

// op is how the row holds: the first of its field's where it has none of them.
func (r queryRow) op() string {
	ops := queryOps[r.kind().Kind]
	if slices.ContainsFunc(ops, func(o [2]string) bool { return o[0] == r.Op }) {
		return r.Op
	}
	return ops[0][0]
}

// row is the condition as the language has it; without a text where it says nothing yet.
func (r queryRow) row() query.Row {
	out := query.Row{Or: r.Or, Property: r.kind().Name, Op: ":", Text: trim(r.Value)}
	if r.kind().Kind == "header" {
		out.Property = "header." + strings.ReplaceAll(trim(r.Name), " ", "")
		if out.Property == "header." {
			out.Text = ""
		}
	}
	switch op := r.op(); op {
	case "not", "unlike", "no":
		out.Not, out.Pattern = op != "no", op == "unlike"
	case "begins":
		out.Star, out.Text = out.Text != "", strings.TrimRight(out.Text, "*")
	case "matches":
		out.Pattern = true
	case "between":
		switch {
		case out.Text == "" && r.To != "":
			out.Op, out.Text = "<=", r.To
		case out.Text != "" && r.To == "":
			out.Op = ">="
		case out.Text != "":
			out.Text += ".." + r.To
		}
	case "since", "before":
		out.Op, out.Text = map[string]string{"since": ">=", "before": "<"}[op], nameOr(out.Text, r.To)
	case "over", "under":
		out.Op = map[string]string{"over": ">", "under": "<"}[op]
	}
	switch r.op() {
	case "has", "not": // a * that was typed is one
		if cut, ok := strings.CutSuffix(out.Text, "*"); ok && cut != "" && r.kind().Kind != "exact" {
			out.Star, out.Text = true, cut
		}
	case "yes", "no":
		out.Text = map[string]string{"yes": "true", "no": "false"}[r.op()]
	}
	return out
}

// rowOf is a row of the language as the builder shows it; false where it cannot.
func rowOf(x query.Row) (r queryRow, ok bool) {
	r = queryRow{Or: x.Or, Field: x.Property, Value: x.Text}
	if name, header := strings.CutPrefix(x.Property, "header."); header {
		r.Field, r.Name = "header", name
	}
	if !slices.ContainsFunc(queryFields, func(f queryField) bool { return f.Name == r.Field }) {
		return r, false
	}
	isDay := func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }
	switch r.kind().Kind {
	case "text", "header":
		r.Op = map[[2]bool]string{{false, false}: "has", {true, false}: "not", {false, true}: "matches", {true, true}: "unlike"}[[2]bool{x.Not, x.Pattern}]
		if x.Star && x.Not {
			r.Value += "*"
		} else if x.Star {
			r.Op = "begins"
		}
		return r, r.Value != ""
	case "exact":
		r.Op = map[bool]string{false: "has", true: "not"}[x.Not]
		return r, !x.Pattern && !x.Star
	case "date":
		from, to, both := strings.Cut(x.Text, "..")
		switch {
		case x.Not || x.Pattern || x.Star:
			return r, false
		case x.Op == ":" && both && isDay(from) && isDay(to):
			r.Op, r.Value, r.To = "between", from, to
		case x.Op == ":":
			r.Op = "within"
		case x.Op == ">=" && isDay(x.Text):
			r.Op = "since"
		case x.Op == "<" && isDay(x.Text):
			r.Op, r.Value, r.To = "before", "", x.Text
		case x.Op == "<=" && isDay(x.Text):
			r.Op, r.Value, r.To = "between", "", x.Text
		default:
			return r, false
		}
		return r, true
	case "size":
		r.Op = map[string]string{">": "over", "<": "under"}[x.Op]
		return r, r.Op != "" && !x.Not
	}
	r.Op, r.Value = map[bool]string{true: "yes", false: "no"}[(x.Text == "true") != x.Not], ""
	return r, true
}

// queryText is the rows as KQL.
func queryText(rows []queryRow) string {
	var all []query.Row
	for _, r := range rows {
		all = append(all, r.row())
	}
	return query.FromRows(all)
}

// rowsTyped are the rows as they stand in a form.
func rowsTyped(f url.Values) (rows []queryRow) {
	at := func(key string, i int) string {
		if all := f[key]; i < len(all) {
			return trim(all[i])
		}
		return ""
	}
	for i := range min(len(f["field"]), maxRows) {
		r := queryRow{Or: at("join", i) == "or", Field: at("field", i), Name: at("header", i), Op: at("op", i), Value: at("value", i), To: at("to", i)}
		r.Op = r.op()
		rows = append(rows, r)
	}
	if len(rows) > 0 {
		rows[0].Or = false
	}
	return rows
}

// rowHint is what stands in an empty field of a row.
func rowHint(r queryRow) string {
	switch r.op() {
	case "matches", "unlike":
		return "invoice-[0-9]{4}"
	case "begins":
		return "invo"
	case "within":
		return "7d, today, last week, 2026-11"
	}
	return r.kind().Hint
}

// querySaid is a query as the builder shows it.
type querySaid struct {
	Text   string
	Rows   []queryRow
	Beyond string          // why it has no rows
	Wrong  *tocsin.Problem // what is wrong with the text
}

// saidQuery reads a text into rows, as far as they can say it.
func saidQuery(text string) querySaid {
	s := querySaid{Text: trim(text)}
	if s.Text == "" {
		return s
	}
	q, err := query.Parse(s.Text)
	if err != nil {
		s.Wrong, s.Beyond = tocsin.AsProblem(err), "Once the text can be read, its conditions stand here."
		return s
	}
	rows, ok := q.Rows()
	for _, x := range rows {
		r, fits := rowOf(x)
		ok = ok && fits
		s.Rows = append(s.Rows, r)
	}
	if !ok || len(s.Rows) > maxRows {
		s.Rows, s.Beyond = nil, "The text says more than rows of conditions can show. It holds as it is written."
	}
	return s
}

// fromRows is a query of rows, with what is wrong with what was typed into them.
func fromRows(rows []queryRow) querySaid {
	s := querySaid{Text: queryText(rows), Rows: rows}
	if s.Text != "" {
		if _, err := query.Parse(s.Text); err != nil {
			s.Wrong = tocsin.AsProblem(err)
		}
	}
	return s
}

// queryHelpLines are the words of a query, each with what it asks.
var queryHelpLines = [][2]string{
	{"from:", "who sent it: an address, a domain with those below it, a name"},
	{"to: cc: bcc:", "whom it was sent to; recipients: is any of them"},
	{"participants:", "anybody in it, sender or recipient"},
	{"subject:", "words of the subject; \"a phrase\" in quotes"},
	{"body:", "words of the text"},
	{"attachment:", "words of a file's name; *.html is an ending"},
	{"attachment.sha256:", "the hash of a file, in archives too"},
	{"url:  url.domain:", "a part of a link; its domain. In QR codes too"},
	{"header.NAME:", "any header, as header.reply-to:evil"},
	{"received:", "2026-11-01..2026-11-22, >=2026-11-01, 7d, today"},
	{"size>5MB", "larger; smaller with <"},
	{"hasattachments:true", "with files, or without: false"},
	{"/invoice-\\d+/", "a pattern (RE2), alone or behind a colon"},
	{"invo*", "words that begin so"},
	{"AND OR NOT ( )", "join and part conditions, written large"},
}
