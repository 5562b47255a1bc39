package story

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxLine is the longest line that is read, in bytes.
const maxLine = 1 << 20

// Parse reads a story; name is the file's, for errors. The error is a *tocsin.Problem that names file and line, or r's.
func Parse(name string, r io.Reader) (*Story, error) {
	p := &parser{story: &Story{Name: name}, people: map[string]string{}}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	for sc.Scan() {
		n++
		if err := p.line(n, sc.Text()); err != nil {
			return nil, err
		}
	}
	if sc.Err() == bufio.ErrTooLong {
		return nil, (&line{file: name, n: n + 1}).wrong("the line is too long", "lines of up to 1 MiB")
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	return p.story, nil
}

type parser struct {
	story  *Story
	people map[string]string // short name → address
	titled bool
}

func (p *parser) line(n int, text string) error {
	text = strings.TrimRight(text, " \t\r")
	if n == 1 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	if rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \t"), "#"); ok {
		if !p.titled {
			p.story.Title, p.titled = clean(rest), true
		}
		return nil
	}
	l := &line{file: p.story.Name, n: n}
	var err error
	if l.toks, err = lex(text); err != nil {
		return l.wrong(err.Error(), `text in quotes, with \" for a quote and \\ for a backslash in it`)
	}
	if l.done() {
		return nil
	}
	if err := p.statement(l); err != nil {
		return err
	}
	return l.end()
}

// clean is a title without what a line cannot hold.
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.TrimFunc(s, unicode.IsSpace)
}

const statements = "domain, partner, person, group, contact, exception, expect, silent, or an act that begins with a day (mon, tue, wed, thu, fri, sat, sun)"

func (p *parser) statement(l *line) error {
	t := l.peek()
	if t.quoted {
		return l.refuse(statements)
	}
	switch Kind(t.text) {
	case Domain, Partner:
		return p.domain(l)
	case Person:
		return p.person(l)
	case Group, Contact:
		return p.listed(l)
	case Exception:
		return p.exception(l)
	case "expect":
		return p.expect(l)
	case "silent":
		return p.silent(l)
	}
	if _, ok := day(t.text); ok {
		return p.act(l)
	}
	return l.refuse(statements)
}

func (p *parser) expect(l *line) error {
	l.next()
	e := Expect{Line: l.n}
	var err error
	if e.Rule, err = l.word("a rule's name"); err != nil {
		return err
	}
	if e.Who, err = l.word("whom it is found at"); err != nil {
		return err
	}
	for !l.done() {
		switch {
		case l.take("risk"):
			n, err := strconv.Atoi(l.peek().text)
			if err != nil || n < 1 || n > 100 {
				return l.refuse("a risk from 1 to 100")
			}
			e.Risk = n
			l.next()
		case l.take("says"):
			if e.Says, err = l.word("a part of the sentence"); err != nil {
				return err
			}
		default:
			return l.refuse("risk, says")
		}
	}
	p.story.Expects = append(p.story.Expects, e)
	return nil
}

func (p *parser) silent(l *line) error {
	l.next()
	if l.done() {
		p.story.Silent = true
		return nil
	}
	name, err := l.word("a rule's name")
	p.story.Quiet = append(p.story.Quiet, name)
	return err
}

// addresses takes a list of short names and addresses, and gives addresses.
func (p *parser) addresses(l *line) ([]string, error) {
	var out []string
	for {
		a, err := p.address(l)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
		if !l.take(",") {
			return out, nil
		}
	}
}

func (p *parser) address(l *line) (string, error) {
	t := l.peek()
	if a, ok := p.people[t.text]; ok && !t.quoted {
		l.next()
		return a, nil
	}
	if !strings.Contains(t.text, "@") && !t.quoted {
		return "", l.refuse("an address, or the short name of a declared person")
	}
	if strings.Contains(t.text, ",") {
		return "", l.refuse("an address without a comma")
	}
	return l.next().text, nil
}

var days = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// maxWeeks is how many weeks a story may last.
const maxWeeks = 520

// day reads mon … sun, with +N for the week.
func day(s string) (time.Duration, bool) {
	s, week, later := strings.Cut(s, "+")
	n := 0
	if later {
		var err error
		if n, err = strconv.Atoi(week); err != nil || n < 1 || n > maxWeeks || week[0] == '+' {
			return 0, false
		}
	}
	for i, d := range days {
		if d == s {
			return time.Duration(n*7+i) * 24 * time.Hour, true
		}
	}
	return 0, false
}

// when takes a day and an hour.
func (l *line) when() (time.Duration, error) {
	at, ok := day(l.peek().text)
	if !ok || l.peek().quoted {
		return 0, l.refuse("mon, tue, wed, thu, fri, sat, sun, with +N for a later week")
	}
	l.next()
	clock, err := time.Parse("15:04", l.peek().text)
	if err != nil || len(l.peek().text) != 5 {
		return 0, l.refuse("an hour such as 09:30")
	}
	l.next()
	return at + time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute, nil
}
