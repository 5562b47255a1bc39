package web

import (
	"bytes"
	"encoding/json"
	"strings"
)

// token is a run of a raw value with its class, or an invisible character's mark.
type token struct {
	piece
	Class string
}

// rawTokens cuts a raw value into runs to show: JSON is laid out and its parts classed, invisible characters in it
// (also those that JSON writes as \u202e) become marks; what is no JSON stays as it is, with marks.
func rawTokens(s string) []token {
	var b bytes.Buffer
	if json.Indent(&b, []byte(s), "", "  ") != nil || !strings.ContainsAny(s[:1], "{[\"") {
		return lines(s, "")
	}
	var out []token
	for in := b.String(); in != ""; {
		n, class := jsonRun(in)
		run := in[:n]
		in = in[n:]
		if class == "" {
			out = append(out, token{piece: piece{Text: run}})
			continue
		}
		if class == "j-str" && strings.HasPrefix(strings.TrimLeft(in, " "), ":") {
			class = "j-key"
		}
		out = append(out, lines(spellOut(run), class)...)
	}
	return out
}

// jsonRun is the length and the class of what s begins with: a string, a number, a literal, or all between.
func jsonRun(s string) (int, string) {
	switch c := s[0]; {
	case c == '"':
		for i := 1; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if s[i] == '"' {
				return i + 1, "j-str"
			}
		}
		return len(s), "j-str"
	case c == '-' || c >= '0' && c <= '9':
		return until(s, ",]} \n"), "j-num"
	case c == 't' || c == 'f' || c == 'n':
		return until(s, ",]} \n"), "j-lit"
	}
	return until(s[1:], "\"-0123456789tfn") + 1, ""
}

func until(s, stop string) int {
	if i := strings.IndexAny(s, stop); i >= 0 {
		return i
	}
	return len(s)
}

// spellOut replaces the escapes of a JSON string that stand for an invisible character by the character, so that it
// is marked; other escapes stay as they are written.
func spellOut(s string) string {
	if !strings.Contains(s, `\u`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		n := 2
		if s[i+1] == 'u' && i+6 <= len(s) {
			n = 6
		}
		b.WriteString(unescape(s[i : i+n]))
		i += n - 1
	}
	return b.String()
}

// unescape is the character that one JSON escape stands for, if it cannot be seen; else the escape.
func unescape(esc string) string {
	var c string
	if len(esc) != 6 || json.Unmarshal([]byte(`"`+esc+`"`), &c) != nil || c == "\uFFFD" {
		return esc
	}
	if p := visible(c); len(p) == 1 && p[0].Mark != "" && c != " " {
		return c
	}
	return esc
}

// lines is s as runs of a class, invisible characters marked; line feeds and blanks stay, for this is laid-out text.
func lines(s, class string) []token {
	var out []token
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			out = append(out, token{piece: piece{Text: "\n"}})
		}
		for _, p := range visible(line) {
			if p.Mark == "SP" {
				p = piece{Text: " "}
			}
			out = append(out, token{p, class})
		}
	}
	return out
}
