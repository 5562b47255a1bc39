package query

import (
	"encoding/hex"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"

	"tocsin.dev/mail"
)

// node is a part of a query: an operator over others, or a term.
type node struct {
	op   kind // and, or, not; word for a term
	kids []*node
	term *term
}

// term is a condition.
type term struct {
	prop *prop
	op   string // ":", "<>", "<", "<=", ">", ">="
	kind kind   // word, quoted, pattern
	text string // as written
	star bool

	folded string         // " word word " as foldText makes it
	re     *regexp.Regexp // of a pattern
	size   int            // of re's program
	span   func(now time.Time) (from, to time.Time, ok bool)
	least  int64 // bytes
	most   int64 // bytes, -1 for no end
	yes    bool
}

type parser struct {
	lexer
	tok     token
	depth   int
	terms   int
	program int
}

// Parse reads a query. The error is an [Error]; its problem says where, what, and what to do.
func Parse(text string) (*Query, error) {
	p := &parser{lexer: lexer{text: text}}
	if len(text) > MaxLength {
		return nil, p.wrong(0, "Make two of it.", "it is longer than %d letters", MaxLength)
	}
	if err := p.advance(false); err != nil {
		return nil, err
	}
	if p.tok.kind == end {
		return nil, p.wrong(0, `Write what to look for, as in subject:"overdue invoice" or from:contoso.com.`, "it is empty")
	}
	root, err := p.any(nil)
	if err != nil {
		return nil, err
	}
	if p.tok.kind == shut {
		return nil, p.wrong(p.tok.at, "Take it away, or open a bracket before it.", "a bracket is closed that was not opened")
	}
	return &Query{root}, nil
}

// MustParse is Parse for queries that a program writes itself.
func MustParse(text string) *Query {
	q, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return q
}

func (p *parser) advance(value bool) (err error) {
	p.tok, err = p.next(value)
	return err
}

// any reads terms joined with OR. of is the property of the group in which they stand.
func (p *parser) any(of *token) (*node, error) {
	n, err := p.all(of)
	if err != nil {
		return nil, err
	}
	kids := []*node{n}
	for p.tok.kind == or {
		if err := p.advance(false); err != nil {
			return nil, err
		}
		n, err := p.all(of)
		if err != nil {
			return nil, err
		}
		kids = append(kids, n)
	}
	return joinNodes(or, kids), nil
}

// all reads terms joined with AND, or standing side by side.
func (p *parser) all(of *token) (*node, error) {
	var kids []*node
	for {
		n, err := p.one(of)
		if err != nil {
			return nil, err
		}
		kids = append(kids, n)
		switch p.tok.kind {
		case and:
			if err := p.advance(false); err != nil {
				return nil, err
			}
		case end, shut, or:
			return joinNodes(and, kids), nil
		}
	}
}

// joinNodes makes one node of several, without brackets that say nothing.
func joinNodes(op kind, kids []*node) *node {
	if len(kids) == 1 {
		return kids[0]
	}
	flat := make([]*node, 0, len(kids))
	for _, k := range kids {
		if k.op == op {
			flat = append(flat, k.kids...)
		} else {
			flat = append(flat, k)
		}
	}
	return &node{op: op, kids: flat}
}

// deeper guards the stack against brackets in brackets.
func (p *parser) deeper() error {
	if p.depth++; p.depth > MaxDepth {
		return p.wrong(p.tok.at, "Write it flatter.", "brackets lie more than %d deep in each other", MaxDepth)
	}
	return nil
}

func (p *parser) one(of *token) (*node, error) {
	t := p.tok
	switch t.kind {
	case not:
		if err := p.deeper(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		if err := p.advance(false); err != nil {
			return nil, err
		}
		n, err := p.one(of)
		if err != nil {
			return nil, err
		}
		if n.op == not {
			return n.kids[0], nil
		}
		return &node{op: not, kids: []*node{n}}, nil
	case open:
		return p.group(of)
	case property:
		if of != nil {
			return nil, p.wrong(t.at, "Write it outside of the brackets of "+of.text+":.", "%s stands in the brackets of another property", t.text)
		}
		return p.property(t)
	case word, quoted, pattern:
		if of != nil {
			value := t
			n, err := p.term(*of, value)
			if err != nil {
				return nil, err
			}
			return n, p.advance(false)
		}
		n, err := p.term(token{at: t.at, op: ":"}, t)
		if err != nil {
			return nil, err
		}
		return n, p.advance(false)
	case end:
		return nil, p.wrong(t.at, "Write a term there, or take the operator away.", "a term is missing at the end")
	case shut:
		return nil, p.wrong(t.at, "Write a term before it.", "a term is missing before the bracket")
	}
	return nil, p.wrong(t.at, "Write a term on both of its sides; put the word in quotes to look for it.", "a term is missing before %s", [...]string{and: "AND", or: "OR"}[t.kind])
}

func (p *parser) group(of *token) (*node, error) {
	at := p.tok.at
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(false); err != nil {
		return nil, err
	}
	n, err := p.any(of)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != shut {
		return nil, p.wrong(at, "Close it with ).", "the bracket is not closed")
	}
	return n, p.advance(false)
}

func (p *parser) property(t token) (*node, error) {
	if t.star { // a link that stands alone
		n, err := p.term(token{text: "url", op: ":", at: t.at}, token{kind: word, text: t.text, at: t.at})
		if err != nil {
			return nil, err
		}
		return n, p.advance(false)
	}
	if known(t.text) == nil {
		return nil, p.wrong(t.at, "Known are "+strings.Join(names, " ")+"; put the text in quotes to look for it as it is.", "%q is no property", t.text+t.op)
	}
	if err := p.advance(true); err != nil {
		return nil, err
	}
	switch p.tok.kind {
	case open:
		return p.group(&t)
	case word, quoted, pattern:
		n, err := p.term(t, p.tok)
		if err != nil {
			return nil, err
		}
		return n, p.advance(false)
	}
	return nil, p.wrong(p.tok.at, "Write it behind, as in subject:invoice.", "%s has no value", t.text+t.op)
}

// term makes a term of a property and a value.
func (p *parser) term(of, value token) (*node, error) {
	if p.terms++; p.terms > MaxTerms {
		return nil, p.wrong(value.at, "Make two queries of it.", "it has more than %d terms", MaxTerms)
	}
	t := &term{prop: anywhere, op: of.op, kind: value.kind, text: value.text, star: value.star}
	if of.text != "" {
		t.prop = known(of.text)
	}
	if t.op == "=" {
		t.op = ":"
	}
	negate := t.op == "<>"
	if negate {
		t.op = ":"
	}
	ordered := t.prop.form == formDate || t.prop.form == formSize
	if t.op != ":" && !ordered {
		return nil, p.wrong(of.at, "Use : there.", "%s cannot be compared with %s", t.prop.name, t.op)
	}
	var err error
	switch {
	case value.kind == pattern:
		err = p.expression(t, value)
	case ordered && t.prop.form == formDate:
		err = p.date(t, value)
	case ordered:
		err = p.size(t, value)
	default:
		err = p.value(t, value)
	}
	if err != nil {
		return nil, err
	}
	n := &node{op: word, term: t}
	if negate {
		n = &node{op: not, kids: []*node{n}}
	}
	return n, nil
}

func (p *parser) value(t *term, value token) error {
	name := t.prop.name
	if t.text == "" {
		if t.star && value.kind == word && (t.prop.form == formWords || t.prop.form == formAddress || t.prop.form == formFile || t.prop.form == formURL) && name != "" {
			return nil // anything
		}
		return p.wrong(value.at, "Write what to look for.", "the value is empty")
	}
	switch t.prop.form {
	case formWords, formFile:
		text := t.text
		if ending, ok := strings.CutPrefix(text, "*."); ok && t.prop.form == formFile && !t.star && ending != "" && !strings.Contains(ending, "*") {
			return nil
		}
		if strings.Contains(text, "*") && value.kind == word {
			return p.wrong(value.at, "Write it at the end, or an expression between slashes.", "a * may stand at the end of a word only")
		}
		if t.folded = foldText(text); strings.TrimSpace(t.folded) == "" {
			return p.wrong(value.at, "Write a word; an expression between slashes finds signs.", "%q has neither letters nor digits", text)
		}
	case formAddress:
		if strings.Contains(t.text, "*") {
			return p.wrong(value.at, "Every address of a domain is found by from:contoso.com.", "a * may stand at the end of a word only")
		}
		t.text = strings.ToLower(strings.Trim(strings.TrimPrefix(strings.ToLower(t.text), "smtp:"), "<> "))
		if t.folded = foldText(t.text); strings.TrimSpace(t.folded) == "" {
			return p.wrong(value.at, "Write an address, a domain or a name.", "%q has neither letters nor digits", t.text)
		}
	case formHash:
		t.text = strings.ToLower(t.text)
		if b, err := hex.DecodeString(t.text); err != nil || len(b) != 32 || t.star {
			return p.wrong(value.at, "It has 64 hexadecimal digits.", "%q is no SHA-256", t.text)
		}
	case formExact:
		if name == "messageid" {
			t.text = strings.Trim(t.text, "<>")
		}
		if name == "importance" {
			t.text = strings.ToLower(t.text)
			if t.text != "low" && t.text != "normal" && t.text != "high" {
				return p.wrong(value.at, "Use low, normal or high.", "there is no importance %q", t.text)
			}
		}
	case formURL:
		t.text = strings.ToLower(t.text)
	case formDomain:
		t.text = mail.Host("//" + strings.TrimPrefix(strings.ToLower(t.text), "@"))
		if t.text == "" {
			return p.wrong(value.at, "Write a domain, as in contoso.com.", "there is no domain in it")
		}
	case formBool:
		switch strings.ToLower(t.text) {
		case "true", "yes", "1":
			t.yes, t.text = true, "true"
		case "false", "no", "0":
			t.text = "false"
		default:
			return p.wrong(value.at, "Use true or false.", "%q is neither true nor false", t.text)
		}
	}
	return nil
}

// expression compiles an expression, and holds all of a query to a size at which matching stays fast.
func (p *parser) expression(t *term, value token) error {
	switch t.prop.form {
	case formDate, formSize, formBool, formHash:
		return p.wrong(value.at, "Write its value.", "%s takes no expression", t.prop.name)
	}
	if len(value.text) == 0 {
		return p.wrong(value.at, "Write an expression between the slashes.", "the expression is empty")
	}
	if len(value.text) > MaxPattern {
		return p.wrong(value.at, "Write a shorter one.", "the expression is longer than %d letters", MaxPattern)
	}
	tree, err := syntax.Parse("(?i)(?:"+value.text+")", syntax.Perl)
	if err != nil {
		why := err.Error()
		if e, ok := err.(*syntax.Error); ok {
			why = string(e.Code)
			if e.Expr != "" {
				why += " (" + e.Expr + ")"
			}
		}
		return p.wrong(value.at, "Expressions are RE2's: https://github.com/google/re2/wiki/Syntax.", "the expression cannot be read: %s", why)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return p.wrong(value.at, "Write a simpler one.", "the expression cannot be compiled")
	}
	t.size = len(program.Inst)
	if p.program += t.size; p.program > MaxProgram {
		return p.wrong(value.at, "Write simpler ones: repetitions such as {1,100} multiply what stands before them.", "the expressions would take too long to match")
	}
	t.re, err = regexp.Compile("(?i)(?:" + value.text + ")")
	if err != nil {
		return p.wrong(value.at, "Write a simpler one.", "the expression cannot be compiled")
	}
	return nil
}

// units of sizes; Outlook's KB are 1,024 bytes.
var units = []struct {
	name string
	of   float64
}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}, {"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"b", 1}, {"", 1}}

func bytesOf(s string) (int64, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0) || n*u.of > 1<<50 {
			return 0, false
		}
		return int64(n * u.of), true
	}
	return 0, false
}

func (p *parser) size(t *term, value token) error {
	bad := func() error {
		return p.wrong(value.at, "Write size>1MB, size:10KB..2MB or size<5000.", "%q is no size", value.text)
	}
	if value.star {
		return bad()
	}
	low, high, both := strings.Cut(value.text, "..")
	n, ok := bytesOf(low)
	if !ok || both && t.op != ":" {
		return bad()
	}
	switch t.op {
	case ":":
		t.least, t.most = n, n
		if both {
			if t.most, ok = bytesOf(high); !ok {
				return bad()
			}
			if t.most < t.least {
				return p.wrong(value.at, "Write the smaller one first.", "the range is empty")
			}
		}
	case ">":
		t.least, t.most = n+1, -1
	case ">=":
		t.least, t.most = n, -1
	case "<":
		t.least, t.most = 0, n-1
		if n == 0 {
			return p.wrong(value.at, "Write a larger size.", "nothing is smaller than 0")
		}
	case "<=":
		t.least, t.most = 0, n
	}
	return nil
}
