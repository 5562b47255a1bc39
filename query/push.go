package query

import (
	"slices"
	"strings"
	"time"
)

// Push is what of the query Graph can filter, at the time now.
func (q *Query) Push(now time.Time) Push {
	b := &pusher{now: now}
	var p Push
	filter, exact := b.node(q.root, true)
	b.words = true
	narrow, _ := b.node(q.root, true)
	p.From, p.To = b.bounds(q.root)
	p.Exact = exact && filter != ""
	p.Filter = b.led(filter, p.From)
	if narrow != filter {
		p.Narrow = b.led(narrow, p.From)
	}
	p.Search, _ = b.search(q.root)
	if p.Search != "" && !strings.ContainsAny(p.Search, ":") && len(p.Search) < 2 {
		p.Search = ""
	}
	b.words = false
	q.root.each(func(t *term) {
		said := t.String()
		if f, _ := b.term(t, true); f != "" && p.Filter != "" && b.used(q.root, t) {
			p.Pushed = append(p.Pushed, said)
		} else {
			p.Here = append(p.Here, said)
		}
	})
	p.Pushed, p.Here = once(p.Pushed), once(p.Here)
	return p
}

func once(all []string) []string {
	var out []string
	for _, s := range all {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// pusher writes a query as Graph's $filter.
type pusher struct {
	now   time.Time
	words bool // words of the subject too
}

// led is a filter that begins with receivedDateTime: Graph takes $orderby of it only then.
// https://learn.microsoft.com/en-us/graph/api/user-list-messages#using-filter-and-orderby-in-the-same-query
func (b *pusher) led(filter string, from time.Time) string {
	switch {
	case filter == "":
		return ""
	case strings.HasPrefix(filter, "receivedDateTime"):
		return filter
	case from.IsZero():
		return "receivedDateTime ge 1900-01-01T00:00:00Z and " + bracket(filter)
	}
	return "receivedDateTime ge " + stamp(from) + " and " + bracket(filter)
}

func bracket(s string) string {
	if strings.Contains(s, " or ") && !(strings.HasPrefix(s, "(") && strings.Index(s, ")") == len(s)-1) {
		return "(" + s + ")"
	}
	return s
}

// node gives a filter that loses no match of n (super), or one that finds nothing else (not super); exact where it is both. Empty
// where there is none.
func (b *pusher) node(n *node, super bool) (filter string, exact bool) {
	switch n.op {
	case not:
		inner, exact := b.node(n.kids[0], !super)
		if inner == "" {
			return "", false
		}
		return "not (" + inner + ")", exact
	case and, or:
		// A conjunction may leave a member out and find more, a disjunction and find less; the other way round all must be there.
		may := super == (n.op == and)
		var all []string
		exact = true
		for _, k := range b.received(n) {
			f, e := b.node(k, super)
			if f == "" && !may {
				return "", false
			}
			exact = exact && e && f != ""
			if f != "" {
				if k.op == or && n.op == and {
					f = bracket(f)
				}
				all = append(all, f)
			}
		}
		if n.op == or && len(all) > 1 {
			return "(" + strings.Join(all, " or ") + ")", exact
		}
		return strings.Join(all, " and "), exact
	}
	return b.term(n.term, super)
}

// received are the members of n, those that name when it was received first.
func (b *pusher) received(n *node) []*node {
	first := func(k *node) bool { return k.op == word && k.term.prop.name == "received" }
	out := make([]*node, 0, len(n.kids))
	for _, want := range []bool{true, false} {
		for _, k := range n.kids {
			if first(k) == want {
				out = append(out, k)
			}
		}
	}
	return out
}

func stamp(t time.Time) string {
	if u := t.UTC().Truncate(time.Second); u.Equal(t) {
		return u.Format("2006-01-02T15:04:05Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// term is a term as a filter. Only what Graph compares as is done here is pushed: addresses, dates, ids, flags.
func (b *pusher) term(t *term, super bool) (filter string, exact bool) {
	if t.re != nil {
		return "", false
	}
	switch t.prop.name {
	case "received", "sent":
		from, to, ok := t.span(b.now)
		if !ok {
			return "", false
		}
		field := t.prop.name + "DateTime"
		var all []string
		// Graph keeps whole seconds: a bound between two is widened by less than one.
		if !from.IsZero() {
			all = append(all, field+" ge "+stamp(from.Truncate(time.Second)))
		}
		if !to.IsZero() {
			up := to.Truncate(time.Second)
			if !up.Equal(to) {
				up = up.Add(time.Second)
			}
			all = append(all, field+" lt "+stamp(up))
		}
		whole := from.Truncate(time.Second).Equal(from) && to.Truncate(time.Second).Equal(to)
		if len(all) == 0 || !super && !whole {
			return "", false
		}
		return strings.Join(all, " and "), whole
	case "hasattachments":
		return "hasAttachments eq " + t.text, true
	case "importance":
		if t.star {
			return "", false
		}
		return "importance eq " + literal(t.text), true
	case "messageid":
		if t.star || !super { // its angle brackets are a matter of who wrote it
			return "", false
		}
		return "internetMessageId eq " + literal("<"+t.text+">"), false
	case "from":
		if super && !t.star && strings.Contains(t.text, "@") && !strings.HasPrefix(t.text, "@") {
			return "from/emailAddress/address eq " + literal(t.text), false
		}
	case "subject":
		if b.words && super {
			var all []string
			for _, w := range strings.Fields(t.folded) {
				all = append(all, "contains(subject,"+literal(w)+")")
			}
			return strings.Join(all, " and "), false
		}
	}
	return "", false
}

// used says whether a term's filter is in the whole's: it is lost where it stands beside one that has none in a disjunction.
func (b *pusher) used(n *node, t *term) bool {
	switch n.op {
	case word:
		return n.term == t
	case or, not:
		if f, _ := b.node(n, true); f == "" {
			return false
		}
	}
	return slices.ContainsFunc(n.kids, func(k *node) bool { return b.used(k, t) })
}

// bounds is when what n matches was received; zero where it is open.
func (b *pusher) bounds(n *node) (from, to time.Time) {
	switch n.op {
	case word:
		if n.term.prop.name == "received" {
			if from, to, ok := n.term.span(b.now); ok {
				return from, to
			}
		}
	case and:
		for _, k := range n.kids {
			f, t := b.bounds(k)
			if f.After(from) {
				from = f
			}
			if !t.IsZero() && (to.IsZero() || t.Before(to)) {
				to = t
			}
		}
	case or:
		from, to = b.bounds(n.kids[0])
		for _, k := range n.kids[1:] {
			f, t := b.bounds(k)
			if f.IsZero() || f.Before(from) {
				from = f
			}
			if t.IsZero() || !to.IsZero() && t.After(to) {
				to = t
			}
		}
	}
	return from, to
}

// search is n in the words of Exchange's index, finding about what n finds; empty where that knows too little of it.
func (b *pusher) search(n *node) (string, bool) {
	switch n.op {
	case and:
		var all []string
		for _, k := range n.kids {
			if s, ok := b.search(k); ok && k.op != not {
				all = append(all, s)
			}
		}
		return strings.Join(all, " AND "), len(all) > 0
	case or:
		var all []string
		for _, k := range n.kids {
			s, ok := b.search(k)
			if !ok {
				return "", false
			}
			all = append(all, s)
		}
		return "(" + strings.Join(all, " OR ") + ")", true
	case not:
		return "", false
	}
	t := n.term
	if t.re != nil {
		return "", false
	}
	name := t.prop.name
	switch name {
	case "received", "sent":
		from, to, ok := t.span(b.now)
		if !ok {
			return "", false
		}
		var all []string
		if !from.IsZero() {
			all = append(all, name+">="+from.UTC().Format("2006-01-02"))
		}
		if !to.IsZero() {
			all = append(all, name+"<="+to.UTC().Format("2006-01-02"))
		}
		return strings.Join(all, " AND "), len(all) > 0
	case "hasattachments":
		return "hasAttachments:" + t.text, true
	case "", "from", "to", "cc", "bcc", "participants", "recipients", "subject", "body", "attachment":
		words := strings.Join(strings.Fields(t.folded), " ")
		if strings.Contains(t.text, "@") && !strings.HasPrefix(t.text, "@") {
			words = strings.NewReplacer(`"`, "", `\`, "").Replace(t.text)
		}
		if words == "" {
			return "", false
		}
		if strings.Contains(words, " ") || strings.Contains(words, "@") {
			words = `\"` + words + `\"`
		} else if t.star {
			words += "*"
		}
		if name == "" {
			return words, true
		}
		return name + ":" + words, true
	}
	return "", false
}
