package sim

import (
	"errors"
	"fmt"
	"strings"
)

// condition is a parsed $filter.
type condition func(getter) bool

// filter parses an OData filter over resources with the given properties. The operators are eq ne gt ge lt le in and or
// not, the functions startswith endswith contains, and any and all over lists.
// See https://learn.microsoft.com/graph/filter-query-parameter.
type filterParser struct {
	toks     []string // literals keep their quotes
	props    properties
	advanced bool // something was used that the directory's plain index cannot do
	fields   []string
	used     map[string]bool // functions
	lambda   string
	depth    int
}

// parseFilter gives the condition, and the parser for what it noted.
func parseFilter(text string, props properties) (condition, *filterParser, error) {
	p := &filterParser{props: props}
	var err error
	if p.toks, err = lexFilter(text); err != nil {
		return nil, nil, err
	}
	c, err := p.or()
	if err != nil {
		return nil, nil, err
	}
	if len(p.toks) > 0 {
		return nil, nil, fmt.Errorf("Syntax error at '%s' in the filter.", p.toks[0])
	}
	return c, p, nil
}

func lexFilter(s string) ([]string, error) {
	var out []string
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '(' || c == ')' || c == ',':
			out = append(out, s[i:i+1])
			i++
		case c == '\'':
			j := i + 1
			for {
				k := strings.IndexByte(s[j:], '\'')
				if k < 0 {
					return nil, fmt.Errorf("There is an unterminated string literal at position %d in the filter.", i)
				}
				if j += k + 1; j >= len(s) || s[j] != '\'' {
					break
				}
				j++ // a doubled quote stands for one
			}
			out = append(out, s[i:j])
			i = j
		default:
			j := i
			for j < len(s) && strings.IndexByte(" \t(),'", s[j]) < 0 {
				j++
			}
			out = append(out, s[i:j])
			i = j
		}
		if len(out) > 400 {
			return nil, errors.New("The node count limit of the filter has been exceeded.")
		}
	}
	return out, nil
}

func (p *filterParser) peek() string {
	if len(p.toks) == 0 {
		return ""
	}
	return p.toks[0]
}

func (p *filterParser) next() string {
	t := p.peek()
	if len(p.toks) > 0 {
		p.toks = p.toks[1:]
	}
	return t
}

func (p *filterParser) want(t string) error {
	if got := p.next(); got != t {
		return fmt.Errorf("Syntax error: '%s' expected at '%s' in the filter.", t, got)
	}
	return nil
}

func (p *filterParser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.peek() == "or" {
		p.next()
		var right condition
		if right, err = p.and(); err == nil {
			l := left
			left = func(g getter) bool { return l(g) || right(g) }
		}
	}
	return left, err
}

func (p *filterParser) and() (condition, error) {
	left, err := p.unary()
	for err == nil && p.peek() == "and" {
		p.next()
		var right condition
		if right, err = p.unary(); err == nil {
			l := left
			left = func(g getter) bool { return l(g) && right(g) }
		}
	}
	return left, err
}

func (p *filterParser) unary() (condition, error) {
	if p.depth++; p.depth > 60 {
		return nil, errors.New("The recursion limit of the filter has been exceeded.")
	}
	defer func() { p.depth-- }()
	switch p.peek() {
	case "not":
		p.next()
		p.advanced = true
		c, err := p.unary()
		if err != nil {
			return nil, err
		}
		return func(g getter) bool { return !c(g) }, nil
	case "(":
		p.next()
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		return c, p.want(")")
	case "startswith", "endswith", "contains":
		return p.function()
	}
	return p.comparison()
}

func (p *filterParser) function() (condition, error) {
	name := p.next()
	if p.used == nil {
		p.used = map[string]bool{}
	}
	p.used[name] = true
	if err := p.want("("); err != nil {
		return nil, err
	}
	field, err := p.field()
	if err != nil {
		return nil, err
	}
	if err = p.want(","); err != nil {
		return nil, err
	}
	v, err := literal(p.next())
	text, isText := v.(string)
	if err != nil || !isText {
		return nil, fmt.Errorf("The second argument of %s must be a string.", name)
	}
	if err = p.want(")"); err != nil {
		return nil, err
	}
	if name == "endswith" || name == "contains" {
		p.advanced = true
	}
	text = strings.ToLower(text)
	match := map[string]func(string, string) bool{"startswith": strings.HasPrefix, "endswith": strings.HasSuffix, "contains": strings.Contains}[name]
	c := func(g getter) bool {
		s, ok := field(g).(string)
		return ok && match(strings.ToLower(s), text)
	}
	switch p.peek() { // startswith(a,'b') eq true
	case "eq", "ne":
		op := p.next()
		v, err := literal(p.next())
		b, isBool := v.(bool)
		if err != nil || !isBool {
			return nil, errors.New("A Boolean is expected after the function in the filter.")
		}
		return func(g getter) bool { return c(g) == (b == (op == "eq")) }, nil
	}
	return c, nil
}

// field reads a property's path: a, a/b, or the variable of a lambda with a path.
func (p *filterParser) field() (func(getter) any, error) {
	t := p.next()
	path := strings.Split(t, "/")
	if p.lambda != "" && path[0] == p.lambda {
		rest := path[1:]
		return func(g getter) any { v, _ := g(""); return dig(v, rest) }, nil
	}
	if p.lambda != "" {
		return nil, fmt.Errorf("Could not find the range variable '%s' in the filter.", path[0])
	}
	if _, ok := p.props[path[0]]; !ok {
		return nil, fmt.Errorf("Invalid filter clause: Could not find a property named '%s'.", path[0])
	}
	p.fields = append(p.fields, t)
	return func(g getter) any { v, _ := g(path[0]); return dig(v, path[1:]) }, nil
}

// dig follows a path into objects.
func dig(v any, path []string) any {
	for _, name := range path {
		o, ok := v.(obj)
		if !ok {
			return nil
		}
		v, _ = o.get(name)
	}
	return v
}

func (p *filterParser) comparison() (condition, error) {
	if t := p.peek(); strings.HasSuffix(t, "/any") || strings.HasSuffix(t, "/all") {
		return p.quantifier()
	}
	field, err := p.field()
	if err != nil {
		return nil, err
	}
	op := p.next()
	switch op {
	case "in":
		return p.in(field)
	case "eq", "ne", "gt", "ge", "lt", "le":
	case "":
		return func(g getter) bool { return field(g) == true }, nil
	default:
		return nil, fmt.Errorf("Syntax error at '%s' in the filter.", op)
	}
	if op == "ne" {
		p.advanced = true
	}
	want, err := literal(p.next())
	if err != nil {
		return nil, err
	}
	return func(g getter) bool { return compare(field(g), op, want) }, nil
}

func (p *filterParser) in(field func(getter) any) (condition, error) {
	if err := p.want("("); err != nil {
		return nil, err
	}
	var all []any
	for {
		v, err := literal(p.next())
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		if t := p.next(); t == ")" {
			break
		} else if t != "," {
			return nil, errors.New("A comma or a closing parenthesis is expected in the filter.")
		}
	}
	return func(g getter) bool {
		v := field(g)
		for _, w := range all {
			if compare(v, "eq", w) {
				return true
			}
		}
		return false
	}, nil
}

// quantifier reads list/any(x:condition) or list/all(x:condition), or list/any().
func (p *filterParser) quantifier() (condition, error) {
	t := p.next()
	list, every := t[:len(t)-4], strings.HasSuffix(t, "/all")
	p.toks = append([]string{list}, p.toks...)
	if p.lambda != "" {
		return nil, errors.New("A lambda within a lambda is not supported.")
	}
	field, err := p.field()
	if err != nil {
		return nil, err
	}
	if err = p.want("("); err != nil {
		return nil, err
	}
	if p.peek() == ")" && !every {
		p.next()
		return func(g getter) bool { return len(elements(field(g))) > 0 }, nil
	}
	name, rest, ok := strings.Cut(p.next(), ":")
	if !ok || name == "" {
		return nil, errors.New("A range variable and a colon are expected in the filter.")
	}
	if rest != "" {
		p.toks = append([]string{rest}, p.toks...)
	}
	p.lambda = name
	c, err := p.or()
	p.lambda = ""
	if err != nil {
		return nil, err
	}
	if err = p.want(")"); err != nil {
		return nil, err
	}
	return func(g getter) bool {
		for _, e := range elements(field(g)) {
			if c(func(string) (any, bool) { return e, true }) != every {
				return !every
			}
		}
		return every
	}, nil
}

func elements(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	}
	return nil
}
