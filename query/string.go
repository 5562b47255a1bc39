package query

import (
	"strings"
)

// String is the query in its one form: AND, OR and brackets written out, values as they were. Parsed again it is the same query.
func (q *Query) String() string {
	var b strings.Builder
	q.root.write(&b, end)
	return b.String()
}

func (n *node) write(b *strings.Builder, within kind) {
	switch n.op {
	case word:
		b.WriteString(n.term.String())
	case not:
		b.WriteString("NOT ")
		n.kids[0].write(b, not)
	default:
		brackets := within == not || within == and
		if brackets {
			b.WriteByte('(')
		}
		for i, k := range n.kids {
			if i > 0 {
				b.WriteString(map[kind]string{and: " AND ", or: " OR "}[n.op])
			}
			k.write(b, n.op)
		}
		if brackets {
			b.WriteByte(')')
		}
	}
}

// String is the term as it is written in a query.
func (t *term) String() string {
	var b strings.Builder
	if t.prop != anywhere {
		b.WriteString(t.prop.name)
		b.WriteString(t.op)
	}
	switch t.kind {
	case pattern:
		b.WriteString("/" + slashes(t.text) + "/")
	case quoted:
		b.WriteString(quote(t.text))
		if t.star {
			b.WriteByte('*')
		}
	default:
		if plainWord(t.text, t.prop == anywhere) {
			b.WriteString(t.text)
		} else if t.text != "" {
			b.WriteString(quote(t.text))
		}
		if t.star {
			b.WriteByte('*')
		}
	}
	return b.String()
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// slashes writes a slash of an expression as \/.
func slashes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i++
		case s[i] == '/':
			b.WriteString(`\/`)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// plainWord says whether s needs no quotes.
func plainWord(s string, alone bool) bool {
	if s == "" || strings.ContainsAny(s, " \t\r\n\u00a0()\"“”") || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "*") && alone {
		return false
	}
	if !alone {
		return true
	}
	switch s {
	case "AND", "OR", "NOT", "NEAR", "ONEAR", "WORDS", "XRANK", "&&", "||":
		return false
	}
	return !strings.ContainsAny(s, ":=<>") && s[0] != '-' && s[0] != '+'
}
