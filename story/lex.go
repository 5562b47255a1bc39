package story

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"tocsin.dev"
)

// token is a word, a quoted text or a comma of one line.
type token struct {
	text   string
	quoted bool
	tight  bool // stands directly after the token before, as the value of KEY="value"
}

func (t token) is(word string) bool { return !t.quoted && t.text == word }

// comma says whether t is the separator of a list.
func (t token) comma() bool { return t.is(",") }

// lex cuts a line into tokens.
func lex(line string) ([]token, error) {
	var out []token
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == ',':
			out = append(out, token{text: ","})
			i++
		case c == '"':
			q, err := strconv.QuotedPrefix(line[i:])
			if err != nil {
				return nil, fmt.Errorf("the quotes that open at column %d are not closed, or hold an unknown escape", i+1)
			}
			text, err := strconv.Unquote(q)
			if err != nil {
				return nil, fmt.Errorf("the quoted text at column %d cannot be read", i+1)
			}
			tight := i > 0 && line[i-1] != ' ' && line[i-1] != '\t' && line[i-1] != ',' && line[i-1] != '"'
			out = append(out, token{text: text, quoted: true, tight: tight})
			i += len(q)
		default:
			end := i + wordLen(line[i:])
			out = append(out, token{text: line[i:end]})
			i = end
		}
	}
	return out, nil
}

func wordLen(s string) int {
	if n := strings.IndexAny(s, " \t,\""); n >= 0 {
		return n
	}
	return len(s)
}

// plain says whether s can stand bare in a line.
func plain(s string) bool {
	if s == "" || s[0] == '#' || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("@._+-/:#$*'&!~?|", r):
		default:
			return false
		}
	}
	return true
}

// bare writes s as a word where it can be one, else in quotes.
func bare(s string) string {
	if plain(s) {
		return s
	}
	return strconv.Quote(s)
}

// line reads the tokens of one line, one after the other.
type line struct {
	file string
	n    int
	toks []token
}

func (l *line) done() bool { return len(l.toks) == 0 }

func (l *line) peek() token {
	if l.done() {
		return token{}
	}
	return l.toks[0]
}

func (l *line) next() token {
	t := l.peek()
	if !l.done() {
		l.toks = l.toks[1:]
	}
	return t
}

// take drops the next token if it is the bare word w.
func (l *line) take(w string) bool {
	if l.done() || !l.toks[0].is(w) {
		return false
	}
	l.toks = l.toks[1:]
	return true
}

// refuse is the error that says what stands there and what may.
func (l *line) refuse(allowed string) error {
	what := "the line ends too early"
	if !l.done() {
		what = strconv.Quote(l.peek().text) + " is not understood here"
	}
	return l.wrong(what, allowed)
}

func (l *line) wrong(what, allowed string) error {
	return tocsin.Problemf(tocsin.Invalid, "Allowed: "+allowed+".", "%s:%d: %s.", l.file, l.n, what)
}

// word takes the next token, which must not be a comma; what says what it is for.
func (l *line) word(what string) (string, error) {
	if l.done() || l.peek().comma() {
		return "", l.refuse(what)
	}
	return l.next().text, nil
}

// want drops the bare word w, or refuses.
func (l *line) want(w string) error {
	if !l.take(w) {
		return l.refuse(w)
	}
	return nil
}

// list takes one or more tokens joined by commas.
func (l *line) list(what string) ([]string, error) {
	var out []string
	for {
		s, err := l.word(what)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
		if !l.take(",") {
			return out, nil
		}
	}
}

// end refuses what is left over.
func (l *line) end() error {
	if l.done() {
		return nil
	}
	return l.refuse("the end of the line")
}
