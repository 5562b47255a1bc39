package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tocsin.dev"
)

// clue says whether a message is one that a $search is for.
type clue func(*world, *mailbox, *message) bool

// kqlParser reads what $search asks of messages: words, "phrases", property:value, property>=value, from..to, AND, OR, NOT and
// parentheses; what stands side by side must all be there. Words are whole, or begin so with a * at their end.
// See https://learn.microsoft.com/graph/search-query-parameter, whose properties these are.
type kqlParser struct {
	text string
	now  time.Time
	deep int
}

// parseKQL reads a $search, which stands in double quotes; within them a quote is written \".
func parseKQL(v string, now time.Time) (clue, error) {
	if inner, ok := strings.CutPrefix(v, `"`); ok {
		if inner, ok = strings.CutSuffix(inner, `"`); !ok {
			return nil, errors.New("there is an unterminated string")
		}
		v = strings.ReplaceAll(inner, `\"`, `"`)
	} else if i := strings.IndexFunc(v, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != ' ' }); i >= 0 {
		return nil, fmt.Errorf("character '%s' is not valid at position %d in '%s'", string(v[i]), i, v)
	}
	p := &kqlParser{text: v, now: now}
	c, err := p.or()
	if err == nil && p.peek() != 0 {
		err = fmt.Errorf("syntax error at '%s'", p.text)
	}
	return c, err
}

func (p *kqlParser) peek() byte {
	p.text = strings.TrimLeft(p.text, " \t")
	if p.text == "" {
		return 0
	}
	return p.text[0]
}

// word takes the operator off, where it stands next.
func (p *kqlParser) word(op string) bool {
	p.peek()
	rest, ok := strings.CutPrefix(p.text, op)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '(' && rest[0] != '"' {
		return false
	}
	p.text = rest
	return true
}

func (p *kqlParser) or() (clue, error) {
	left, err := p.and()
	for err == nil && p.word("OR") {
		var right clue
		if right, err = p.and(); err == nil {
			l := left
			left = func(w *world, b *mailbox, m *message) bool { return l(w, b, m) || right(w, b, m) }
		}
	}
	return left, err
}

func (p *kqlParser) and() (clue, error) {
	left, err := p.unary()
	for err == nil && p.peek() != 0 && p.peek() != ')' && !strings.HasPrefix(p.text, "OR ") && !strings.HasPrefix(p.text, "OR(") {
		p.word("AND")
		var right clue
		if right, err = p.unary(); err == nil {
			l := left
			left = func(w *world, b *mailbox, m *message) bool { return l(w, b, m) && right(w, b, m) }
		}
	}
	return left, err
}

func (p *kqlParser) unary() (clue, error) {
	if p.deep++; p.deep > 40 {
		return nil, errors.New("the search is nested too deep")
	}
	defer func() { p.deep-- }()
	switch {
	case p.word("NOT"):
		c, err := p.unary()
		return func(w *world, b *mailbox, m *message) bool { return !c(w, b, m) }, err
	case p.peek() == '(':
		p.text = p.text[1:]
		c, err := p.or()
		if err == nil && p.peek() != ')' {
			return nil, errors.New("a closing parenthesis is missing")
		}
		if err == nil {
			p.text = p.text[1:]
		}
		return c, err
	}
	return p.term()
}

// term reads a word, a phrase, or a property with its value.
func (p *kqlParser) term() (clue, error) {
	if p.peek() != '"' {
		end := strings.IndexAny(p.text, `:=<>" ()`)
		if end > 0 && strings.IndexByte(`:=<>`, p.text[end]) >= 0 {
			name := strings.ToLower(p.text[:end])
			op := p.text[end : end+1]
			if p.text = p.text[end+1:]; op != ":" && strings.HasPrefix(p.text, "=") {
				op, p.text = op+"=", p.text[1:]
			}
			return p.property(name, op)
		}
	}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	return hasWords(value, "from", "subject", "body")
}

func (p *kqlParser) value() (string, error) {
	switch p.peek() {
	case 0, ')':
		return "", errors.New("a value is missing")
	case '"':
		v, rest, ok := strings.Cut(p.text[1:], `"`)
		if !ok {
			return "", errors.New("a closing quote is missing")
		}
		p.text = rest
		return v, nil
	}
	end := strings.IndexAny(p.text, " ()")
	if end < 0 {
		end = len(p.text)
	}
	v := p.text[:end]
	p.text = p.text[end:]
	return v, nil
}

// searchable are the properties whose words $search looks at, with what each is made of.
var searchable = map[string][]string{
	"from": {"from"}, "to": {"to"}, "cc": {"cc"}, "bcc": {"bcc"}, "recipients": {"to", "cc", "bcc"}, "participants": {"from", "to", "cc", "bcc"},
	"subject": {"subject"}, "body": {"body"}, "attachment": {"attachment"},
}

func (p *kqlParser) property(name, op string) (clue, error) {
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	if of := searchable[name]; of != nil {
		if op != ":" && op != "=" {
			return nil, fmt.Errorf("'%s' does not order texts", op)
		}
		return hasWords(value, of...)
	}
	switch name {
	case "received", "sent":
		return p.times(name, op, value)
	case "size":
		return sizes(op, value)
	case "hasattachment", "hasattachments":
		want, err := strconv.ParseBool(strings.ToLower(value))
		return func(_ *world, _ *mailbox, m *message) bool { return m.attached == want }, err
	case "importance":
		return func(_ *world, _ *mailbox, m *message) bool { return strings.EqualFold(m.importance, value) }, nil
	case "kind":
		return func(*world, *mailbox, *message) bool { return strings.EqualFold(value, "email") }, nil
	}
	return nil, fmt.Errorf("'%s' is no property that can be searched", name)
}

// times compares whole days, or moments.
func (p *kqlParser) times(name, op, value string) (clue, error) {
	from, to, ranged := strings.Cut(value, "..")
	a, endA, err := day(from)
	if err != nil {
		return nil, err
	}
	b, endB := a, endA
	if ranged {
		if b, endB, err = day(to); err != nil {
			return nil, err
		}
	}
	return func(_ *world, _ *mailbox, m *message) bool {
		at := m.received
		if name == "sent" {
			at = m.sent
		}
		switch op {
		case ">":
			return !at.Before(endA)
		case ">=":
			return !at.Before(a)
		case "<":
			return at.Before(b)
		case "<=":
			return at.Before(endB)
		}
		return !at.Before(a) && at.Before(endB)
	}, nil
}

// day is the moment that a text names, and the one after what it names.
func day(text string) (from, to time.Time, err error) {
	for _, layout := range []string{time.DateOnly, "01/02/2006", "1/2/2006"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, t.AddDate(0, 0, 1), nil
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, t, fmt.Errorf("'%s' is no date", text)
	}
	return t, t.Add(time.Second), nil
}

func sizes(op, value string) (clue, error) {
	from, to, ranged := strings.Cut(value, "..")
	a, err := strconv.Atoi(from)
	b := a
	if err == nil && ranged {
		b, err = strconv.Atoi(to)
	}
	if err != nil {
		return nil, fmt.Errorf("'%s' is no size in bytes", value)
	}
	return func(w *world, box *mailbox, m *message) bool {
		n := w.letter(box, m).size()
		switch op {
		case ">":
			return n > a
		case ">=":
			return n >= a
		case "<":
			return n < a
		case "<=":
			return n <= a
		}
		return n >= a && n <= b
	}, nil
}

// hasWords asks that the words stand one after the other in one of the parts of a message.
func hasWords(value string, parts ...string) (clue, error) {
	prefix := strings.HasSuffix(value, "*")
	if strings.HasPrefix(value, "*") {
		return nil, errors.New("a word cannot begin with *")
	}
	want := wordsOf(value)
	if len(want) == 0 {
		return nil, errors.New("a word is missing")
	}
	return func(w *world, b *mailbox, m *message) bool {
		for _, part := range parts {
			for _, text := range w.partTexts(b, m, part) {
				if standIn(want, wordsOf(text), prefix) {
					return true
				}
			}
		}
		return false
	}, nil
}

func (w *world) partTexts(b *mailbox, m *message, part string) []string {
	people := func(list ...tocsin.Address) (out []string) {
		for _, a := range list {
			out = append(out, a.Name, a.Address)
		}
		return out
	}
	switch part {
	case "from":
		return people(m.from)
	case "to":
		return people(m.to...)
	case "cc":
		return people(m.cc...)
	case "subject":
		return []string{m.subject}
	case "body":
		return []string{w.letter(b, m).plain()}
	case "attachment":
		if !m.attached {
			return nil
		}
		var out []string
		for _, a := range w.letter(b, m).attachments {
			out = append(out, a.name)
		}
		return out
	}
	return nil // nobody sees who got a blind copy
}

func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// standIn says whether the words stand in the text in their order, side by side; the last may be the beginning of one.
func standIn(want, have []string, prefix bool) bool {
	last := len(want) - 1
	for i := 0; i+last < len(have); i++ {
		if slices.Equal(have[i:i+last], want[:last]) && (have[i+last] == want[last] || prefix && strings.HasPrefix(have[i+last], want[last])) {
			return true
		}
	}
	return false
}
