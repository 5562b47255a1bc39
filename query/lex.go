package query

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"tocsin.dev"
)

// Error is a query that cannot be read: where, and as a problem what is wrong and what to do.
type Error struct {
	Column  int // of the query, in letters, from 1
	Problem *tocsin.Problem
}

func (e *Error) Error() string { return e.Problem.Error() }

// Unwrap gives the problem.
func (e *Error) Unwrap() error { return e.Problem }

// kind is a token's.
type kind int

const (
	end kind = iota
	open
	shut
	and
	or
	not
	word     // text, maybe with * at its end
	quoted   // text that stood in quotes
	pattern  // text that stood between slashes
	property // text is its name; op its operator
)

type token struct {
	kind kind
	text string
	op   string
	star bool // * at the end of a word or behind a phrase
	at   int  // byte
	glue bool // no blank before it
}

type lexer struct {
	text string
	at   int
}

func (l *lexer) wrong(at int, do, what string, args ...any) *Error {
	column := utf8.RuneCountInString(l.text[:min(at, len(l.text))]) + 1
	return &Error{column, tocsin.Problemf(tocsin.Invalid, do, "At column %d of the query: %s.", column, fmt.Sprintf(what, args...))}
}

// next reads a token. value says that a property stood before it: then a colon is part of a word.
func (l *lexer) next(value bool) (token, error) {
	start := l.at
	for l.at < len(l.text) {
		c, n := utf8.DecodeRuneInString(l.text[l.at:])
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\u00a0' {
			break
		}
		l.at += n
	}
	t := token{at: l.at, glue: l.at == start && start > 0}
	if l.at == len(l.text) {
		return t, nil
	}
	c, size := utf8.DecodeRuneInString(l.text[l.at:])
	if c == utf8.RuneError && size == 1 {
		return t, l.wrong(l.at, "Write it in UTF-8.", "there is a byte that is no text")
	}
	switch c {
	case '(':
		l.at++
		t.kind = open
		return t, nil
	case ')':
		l.at++
		t.kind = shut
		return t, nil
	case '"', '“', '”':
		return l.phrase(t, size)
	case '/':
		return l.pattern(t)
	case '-':
		if !value && l.at+1 < len(l.text) && !strings.ContainsRune(" \t\r\n)", rune(l.text[l.at+1])) {
			l.at++
			t.kind = not
			return t, nil
		}
	case '+':
		if !value && l.at+1 < len(l.text) && l.text[l.at+1] != ' ' {
			l.at++ // "must be there" is what every term is
			return l.next(false)
		}
	}
	return l.word(t, value)
}

// phrase reads up to the closing quote; a doubled quote or \" is one of the text.
func (l *lexer) phrase(t token, size int) (token, error) {
	var b strings.Builder
	i := l.at + size
	for i < len(l.text) {
		c, n := utf8.DecodeRuneInString(l.text[i:])
		switch {
		case c == '\\' && i+1 < len(l.text) && (l.text[i+1] == '"' || l.text[i+1] == '\\'):
			b.WriteByte(l.text[i+1])
			i += 2
			continue
		case c == '"' && i+1 < len(l.text) && l.text[i+1] == '"':
			b.WriteByte('"')
			i += 2
			continue
		case c == '"' || c == '“' || c == '”':
			t.kind, t.text = quoted, b.String()
			l.at = i + n
			if l.at < len(l.text) && l.text[l.at] == '*' {
				t.star = true
				l.at++
			}
			if inner, ok := strings.CutSuffix(t.text, "*"); ok {
				t.text, t.star = inner, true
			}
			return t, nil
		}
		b.WriteRune(c)
		i += n
	}
	return t, l.wrong(t.at, `Close it with ".`, "the phrase is not closed")
}

// pattern reads up to the closing slash.
func (l *lexer) pattern(t token) (token, error) {
	var b strings.Builder
	for i := l.at + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '\\' && i+1 < len(l.text):
			if l.text[i+1] != '/' {
				b.WriteByte(c)
			}
			i++
			b.WriteByte(l.text[i])
		case c == '/':
			t.kind, t.text = pattern, b.String()
			l.at = i + 1
			return t, nil
		default:
			b.WriteByte(c)
		}
	}
	return t, l.wrong(t.at, `Close it with /, write \/ for a slash in it, or put the text in quotes if it is no expression.`, "the expression is not closed")
}

// word reads a word, an operator, or the name of a property with the operator behind it.
func (l *lexer) word(t token, value bool) (token, error) {
	i := l.at
	for i < len(l.text) {
		c, n := utf8.DecodeRuneInString(l.text[i:])
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\u00a0' || c == '(' || c == ')' || c == '"' || c == '“' || c == '”' {
			break
		}
		if !value && (c == ':' || c == '=' || c == '<' || c == '>') {
			return l.property(t, i)
		}
		i += n
	}
	text := l.text[l.at:i]
	l.at = i
	if !value {
		switch text {
		case "AND", "&&":
			t.kind = and
			return t, nil
		case "OR", "||":
			t.kind = or
			return t, nil
		case "NOT":
			t.kind = not
			return t, nil
		case "NEAR", "ONEAR", "WORDS", "XRANK":
			return t, l.wrong(t.at, `Use AND or a phrase; put it in quotes to look for the word.`, "%s is not known here", text)
		}
		if strings.HasPrefix(text, "NEAR(") || strings.HasPrefix(text, "ONEAR(") {
			return t, l.wrong(t.at, "Use AND or a phrase.", "NEAR is not known here")
		}
	}
	t.kind, t.text = word, text
	if inner, ok := strings.CutSuffix(text, "*"); ok {
		t.text, t.star = inner, true
	}
	return t, nil
}

func (l *lexer) property(t token, i int) (token, error) {
	name := l.text[l.at:i]
	rest := l.text[i:]
	op := rest[:1]
	for _, two := range []string{"<>", "<=", ">=", ":=", ":>", ":<"} {
		if strings.HasPrefix(rest, two) {
			op = two
		}
	}
	if three := rest[:min(3, len(rest))]; three == ":>=" || three == ":<=" || three == ":<>" {
		op = three
	}
	if k := known(name); op[0] == ':' && (k == nil || k.form != formDate && k.form != formSize) {
		op = ":" // messageid:<a@b>
	}
	if op == ":" && strings.HasPrefix(rest, "://") { // a link that stands alone
		j := strings.IndexAny(rest, " \t\r\n()\"")
		if j < 0 {
			j = len(rest)
		}
		t.kind, t.text, t.op = property, "url", ":"
		if inner := l.text[l.at : i+j]; inner != "" {
			t.star = true // the value is here already
			t.text = inner
		}
		l.at = i + j
		return t, nil
	}
	l.at = i + len(op)
	if len(op) > 1 && op[0] == ':' {
		op = op[1:]
	}
	t.kind, t.text, t.op = property, name, op
	if name == "" {
		return t, l.wrong(t.at, "Write a property before it, as in received>=2026-01-31, or put the text in quotes.", "%s has no property before it", op)
	}
	return t, nil
}
