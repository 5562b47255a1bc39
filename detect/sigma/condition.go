package sigma

import (
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// expr is a condition, compiled. The forms of it are and, or, not and a selection.
type expr interface{ holds(e *Event) bool }

type (
	and []expr
	or  []expr
	not struct{ of expr }
)

func (x and) holds(e *Event) bool {
	for _, one := range x {
		if !one.holds(e) {
			return false
		}
	}
	return true
}

func (x or) holds(e *Event) bool {
	for _, one := range x {
		if one.holds(e) {
			return true
		}
	}
	return false
}

func (x not) holds(e *Event) bool { return !x.of.holds(e) }

// selection is a named part of a detection: it holds where one of its groups does.
type selection struct {
	name string
	any  []group
}

// group holds where all of its items do.
type group []*item

func (s *selection) holds(e *Event) bool {
	for _, g := range s.any {
		if g.holds(e) {
			return true
		}
	}
	return false
}

func (g group) holds(e *Event) bool {
	for _, it := range g {
		if !it.holds(e) {
			return false
		}
	}
	return true
}

var (
	identifier = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.\-]*$`)
	token      = regexp.MustCompile(`^\s*([()|]|[^\s()|]+)`)
)

// reading is a condition on its way.
type reading struct {
	*parser
	node  *yaml.Node
	all   []*selection
	words []string
	depth int
	bad   bool
}

// condition compiles a condition; nil where something is wrong with it, which was said.
func (p *parser) condition(n *yaml.Node, all []*selection) expr {
	s := text(n)
	if s == "" || len(s) > maxCondition {
		p.say(n, "Write one such as “selection and not filter”, of at most 2,000 characters.", "The condition is empty or too long.")
		return nil
	}
	r := &reading{parser: p, node: n, all: all}
	for rest := s; ; {
		m := token.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		rest = rest[len(m[0]):]
		r.words = append(r.words, m[1])
	}
	e := r.or()
	if !r.bad && len(r.words) > 0 {
		if r.words[0] == "|" {
			r.wrong("Write a correlation rule (event_count, value_count) beside it: docs/rules.md.", "A condition that counts behind a | belongs to Sigma's first version.")
		} else {
			r.wrong("Join selections by “and” or “or”.", "The condition goes on with %q where it should end.", r.words[0])
		}
	}
	if r.bad {
		return nil
	}
	return e
}

func (r *reading) wrong(do, what string, args ...any) expr {
	if !r.bad {
		r.bad = true
		r.say(r.node, do, what, args...)
	}
	return and{}
}

func (r *reading) is(word string) bool {
	return len(r.words) > 0 && strings.EqualFold(r.words[0], word)
}

func (r *reading) take(word string) bool {
	if r.is(word) {
		r.words = r.words[1:]
		return true
	}
	return false
}

func (r *reading) or() expr {
	list := or{r.and()}
	for !r.bad && r.take("or") {
		list = append(list, r.and())
	}
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func (r *reading) and() expr {
	list := and{r.not()}
	for !r.bad && r.take("and") {
		list = append(list, r.not())
	}
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func (r *reading) not() expr {
	if r.depth++; r.depth > maxDepth {
		return r.wrong("Make it simpler.", "The condition is nested more than %d deep.", maxDepth)
	}
	defer func() { r.depth-- }()
	if r.take("not") {
		return not{r.not()}
	}
	if r.take("(") {
		e := r.or()
		if !r.bad && !r.take(")") {
			return r.wrong("Close it with ).", "A ( in the condition is not closed.")
		}
		return e
	}
	return r.named()
}

// named reads a selection's name, or “1 of selection_*”, “all of them”.
func (r *reading) named() expr {
	if len(r.words) == 0 {
		return r.wrong("Name a selection there.", "The condition ends where a selection should stand.")
	}
	word := r.words[0]
	r.words = r.words[1:]
	if quantity := strings.ToLower(word); len(r.words) > 0 && strings.EqualFold(r.words[0], "of") {
		r.words = r.words[1:]
		if quantity != "1" && quantity != "any" && quantity != "all" {
			return r.wrong("Use “1 of” or “all of”.", "“%s of” is not known.", word)
		}
		return r.many(quantity == "all")
	}
	for _, s := range r.all {
		if s.name == word {
			return s
		}
	}
	if strings.ContainsAny(word, "*") {
		return r.wrong("Write “1 of %s” or “all of %s”.", "The condition has %q without saying how many of them.", word)
	}
	return r.wrong("Name one of the selections: "+r.names()+".", "There is no selection %q.", word)
}

func (r *reading) names() string {
	var out []string
	for _, s := range r.all {
		if len(out) < 10 {
			out = append(out, s.name)
		}
	}
	return strings.Join(out, ", ")
}

func (r *reading) many(all bool) expr {
	if len(r.words) == 0 {
		return r.wrong("Write “1 of them”, or a name with a *.", "The condition ends after “of”.")
	}
	pattern := r.words[0]
	r.words = r.words[1:]
	var list []expr
	for _, s := range r.all {
		hit := strings.EqualFold(pattern, "them") && !strings.HasPrefix(s.name, "_")
		if ok, err := path.Match(pattern, s.name); err == nil && ok {
			hit = true
		}
		if hit {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return r.wrong("Name selections that are there: "+r.names()+".", "No selection is called %q.", pattern)
	}
	if all {
		return and(list)
	}
	return or(list)
}

// needed is a field that has one of these values wherever the rule matches: the index goes by it.
type needed struct {
	field  *field
	values []string // in lower case
}

// needsOf is what a condition cannot do without; nil where there is nothing so simple.
func needsOf(x expr) *needed {
	switch x := x.(type) {
	case *selection:
		var parts []*needed
		for _, g := range x.any {
			parts = append(parts, g.needs())
		}
		return joint(parts)
	case and:
		var best *needed
		for _, one := range x {
			best = fewer(best, needsOf(one))
		}
		return best
	case or:
		var parts []*needed
		for _, one := range x {
			parts = append(parts, needsOf(one))
		}
		return joint(parts)
	}
	return nil
}

func (g group) needs() *needed {
	var best *needed
	for _, it := range g {
		if list := it.exact(); list != nil {
			best = fewer(best, &needed{it.field, list})
		}
	}
	return best
}

func fewer(a, b *needed) *needed {
	if a == nil || b != nil && len(b.values) < len(a.values) {
		return b
	}
	return a
}

// joint is what is needed by one or another of several: the same field.
func joint(parts []*needed) *needed {
	var out *needed
	for _, n := range parts {
		switch {
		case n == nil || out != nil && n.field.key != out.field.key:
			return nil
		case out == nil:
			out = &needed{n.field, n.values}
		default:
			out.values = append(out.values[:len(out.values):len(out.values)], n.values...)
		}
	}
	return out
}
