package query

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tocsin.dev/mail"
)

// FuzzQuery gives any text to the parser: it does not panic; what it reads is written so that it is read as the same, matches as the
// same, and takes a bounded time.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{`from:a@b.c AND (subject:"x y" OR NOT body:/z+/)`, `received:2026-01-01..today size>1MB -x* +y`, `url.domain:é.com header.X-A:* attachment:*.exe`, `https://a/b "q""uo\"te"*`, `a:=b c<>d messageid:<x@y>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s)
		if err != nil {
			if _, ok := err.(*Error); !ok {
				t.Errorf("%T", err)
			}
			return
		}
		again, err := Parse(q.String())
		if err != nil {
			t.Fatalf("%q is written %q, and that is: %v", s, q, err)
		}
		if again.String() != q.String() {
			t.Errorf("%q is written %q and then %q", s, q, again)
		}
		a, _ := q.Match(sample())
		b, _ := again.Match(sample())
		if a != b {
			t.Errorf("%q: %v, and written as %q: %v", s, a, q, b)
		}
		q.Push(time.Unix(1e9, 0))
	})
}

// FuzzFold: folding is the same again, and holds no letter but small ones and blanks.
func FuzzFold(f *testing.F) {
	f.Add("Über Ｆull 𝗯𝗼𝗹𝗱 発票 in\u00advoice")
	f.Fuzz(func(t *testing.T, s string) {
		once := foldText(s)
		if !strings.HasPrefix(once, " ") || !strings.HasSuffix(once, " ") || strings.Contains(once, "  ") {
			t.Errorf("%q folds to %q", s, once)
		}
	})
}

// TestSuperset: whatever a query matches, its filter lets through; and what is exact lets nothing else through. The filter is
// evaluated here as Graph does it, over envelopes and queries made at random.
func TestSuperset(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	var make func(depth int) string
	make = func(depth int) string {
		if depth == 0 || r.IntN(4) == 0 {
			return pick("from:a@x.com", "from:b@x.com", "from:x.com", "hasattachments:true", "hasattachments:false", "subject:invoice", `subject:"overdue invoice"`, "importance:high", "received:2026-01-10..2026-01-20",
				"received>=2026-01-15", "received<2026-01-12", "received:7d", "sent>2026-01-14", "messageid:m1@x", "to:c@x.com", "subject:/over/", "subject:inv*")
		}
		switch r.IntN(4) {
		case 0:
			return "NOT (" + make(depth-1) + ")"
		case 1:
			return "(" + make(depth-1) + " OR " + make(depth-1) + ")"
		}
		return "(" + make(depth-1) + " AND " + make(depth-1) + ")"
	}
	now := time.Date(2026, 1, 18, 12, 0, 0, 0, time.UTC)
	matches, pushed, exact := 0, 0, 0
	for range 1000 {
		text := make(3)
		q := MustParse(text)
		p := q.Push(now)
		if p.Filter != "" {
			pushed++
		}
		if p.Exact {
			exact++
		}
		for range 20 {
			d := &Doc{Known: Everything, Now: now, From: []mail.Address{{Address: pick("a@x.com", "b@x.com", "A@X.com", "c@y.org")}}, To: []mail.Address{{Address: pick("c@x.com", "d@x.com")}}, Subject: pick("Overdue invoice", "INVOICES overdue: invoice", "lunch", "reinvoice"),
				MessageID: pick("m1@x", "m2@x"), Importance: pick("high", "normal"), HasAttachments: Is(r.IntN(2) == 0),
				Received: time.Date(2026, 1, 9+r.IntN(13), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)}
			d.Sent = d.Received.Add(-time.Minute)
			truth, _ := q.Match(d)
			for _, f := range []string{p.Filter, p.Narrow} {
				if f == "" {
					continue
				}
				through := odata(t, f, d)
				if truth == Yes && !through {
					t.Fatalf("%s matches %+v, and its filter does not let it through: %s", text, d, f)
				}
				if f == p.Filter && p.Exact && through != (truth == Yes) {
					t.Fatalf("%s is said to be exact and is %v, through %v: %s", text, truth, through, f)
				}
			}
			if truth == Yes {
				matches++
				if !p.From.IsZero() && d.Received.Before(p.From) || !p.To.IsZero() && !d.Received.Before(p.To) {
					t.Fatalf("%s matches a mail of %v outside of %v to %v", text, d.Received, p.From, p.To)
				}
			}
		}
	}
	if matches < 2500 || pushed < 250 || exact < 25 {
		t.Errorf("%d matches, %d filters, %d exact: too few to say much", matches, pushed, exact)
	}
}

// odata evaluates a filter as Graph does, as far as Push writes it.
func odata(t *testing.T, filter string, d *Doc) bool {
	t.Helper()
	o := &odataReader{t: t, rest: filter, doc: d}
	v := o.or()
	if o.rest != "" {
		t.Fatalf("%q: %q is left", filter, o.rest)
	}
	return v
}

type odataReader struct {
	t    *testing.T
	rest string
	doc  *Doc
}

func (o *odataReader) take(s string) bool {
	if strings.HasPrefix(o.rest, s) {
		o.rest = o.rest[len(s):]
		return true
	}
	return false
}

func (o *odataReader) or() bool {
	v := o.and()
	for o.take(" or ") {
		v = o.and() || v
	}
	return v
}

func (o *odataReader) and() bool {
	v := o.one()
	for o.take(" and ") {
		v = o.one() && v
	}
	return v
}

func (o *odataReader) one() bool {
	switch {
	case o.take("not ("):
		v := !o.or()
		o.take(")")
		return v
	case o.take("("):
		v := o.or()
		o.take(")")
		return v
	case o.take("contains(subject,"):
		v := strings.Contains(strings.ToLower(o.doc.Subject), strings.ToLower(o.literal()))
		o.take(")")
		return v
	case o.take("from/emailAddress/address eq "):
		return strings.EqualFold(o.doc.From[0].Address, o.literal())
	case o.take("internetMessageId eq "):
		return "<"+o.doc.MessageID+">" == o.literal()
	case o.take("importance eq "):
		return o.doc.Importance == o.literal()
	case o.take("hasAttachments eq "):
		if o.take("true") {
			return o.doc.HasAttachments == Yes
		}
		return o.take("false") && o.doc.HasAttachments == No
	}
	for field, at := range map[string]time.Time{"receivedDateTime": o.doc.Received, "sentDateTime": o.doc.Sent} {
		if !o.take(field) {
			continue
		}
		var op, stamp string
		if _, err := fmt.Sscanf(o.rest, " %s %s", &op, &stamp); err != nil {
			o.t.Fatalf("%q: %v", o.rest, err)
		}
		stamp = strings.TrimRight(stamp, ")")
		o.rest = o.rest[len(op)+len(stamp)+2:]
		bound, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			o.t.Fatal(err)
		}
		return op == "ge" && !at.Before(bound) || op == "lt" && at.Before(bound)
	}
	o.t.Fatalf("not of OData: %q", o.rest)
	return false
}

func (o *odataReader) literal() string {
	if !o.take("'") {
		o.t.Fatalf("no literal: %q", o.rest)
	}
	s, rest, _ := strings.Cut(o.rest, "'")
	o.rest = rest
	return s
}

// TestRegexBombs: expressions made to take long, over long texts, take a bounded number of steps, and say so.
func TestRegexBombs(t *testing.T) {
	long := strings.Repeat("a", 256<<10)
	for _, pattern := range []string{`(a+)+$b`, `(a|a)*b`, `(a*)*b`, `([a-z]+)*\d`, `a{0,200}b`, `(.*)(.*)(.*)(.*)b`} {
		q, err := Parse("body:/" + pattern + "/")
		if err != nil {
			continue
		}
		d := &Doc{Known: Everything, Text: long}
		if got, _ := q.Match(d); got == Yes {
			t.Errorf("%s is met", pattern)
		}
	}
	if _, err := Parse(strings.Repeat(`body:/a{0,900}/ OR `, 20) + "x"); err == nil {
		t.Error("many large expressions are taken")
	}
}
