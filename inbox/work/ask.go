package work

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tocsin.dev"
)

// Wanted is what is searched for: all terms.
type Wanted struct{ Terms []Term }

// Term is a word, the beginning of one (inv*) or words in this order ("net 30 days"), anywhere or in one field; with Not it must not be there.
type Term struct {
	Field  string // from, to, subject; empty: anywhere
	Words  []string
	Prefix bool // the last word is a beginning
	Not    bool
}

// ParseSearch reads what somebody typed: words, "phrases", beginnings*, from:, to: and subject: before them, and - for what must not be there.
func ParseSearch(text string) (Wanted, error) {
	var a Wanted
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeftFunc(text, unicode.IsSpace) {
		var t Term
		if strings.HasPrefix(text, "-") {
			t.Not, text = true, text[1:]
		}
		for _, f := range []string{"from", "to", "subject"} {
			if len(text) > len(f) && strings.EqualFold(text[:len(f)], f) && text[len(f)] == ':' {
				t.Field, text = f, text[len(f)+1:]
				break
			}
		}
		var said string
		if strings.HasPrefix(text, `"`) {
			said, text, _ = strings.Cut(text[1:], `"`)
		} else if end := strings.IndexFunc(text, unicode.IsSpace); end >= 0 {
			said, text = text[:end], text[end:]
		} else {
			said, text = text, ""
		}
		t.Prefix = strings.HasSuffix(said, "*")
		t.Words = inOrder(said)
		if len(t.Words) > 0 {
			a.Terms = append(a.Terms, t)
		}
	}
	switch {
	case len(a.Terms) > 20:
		return a, tocsin.Problemf(tocsin.Invalid, "Use fewer words.", "More than twenty terms are searched for.")
	case !slices.ContainsFunc(a.Terms, func(t Term) bool { return !t.Not && t.found("") != nil }):
		return a, tocsin.Problemf(tocsin.Invalid, "Give a word, or three letters of one and a star.", "There is nothing to search for.")
	}
	return a, nil
}

// inOrder are the words of a text as they come.
func inOrder(text string) (out []string) {
	for _, w := range strings.FieldsFunc(plain(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if utf8.RuneCountInString(w) > longestWord {
			w = string([]rune(w)[:longestWord])
		}
		out = append(out, w)
	}
	return out
}

// found are the keys that a mail with the term has; none where it cannot be looked for.
func (t Term) found(salt string) (out []uint32) {
	if t.Not {
		return nil
	}
	for i, w := range t.Words {
		if i < len(t.Words)-1 || !t.Prefix {
			out = append(out, hash(salt, w))
		} else if k, ok := beginning(salt, w); ok {
			out = append(out, k)
		}
	}
	return out
}

// keys are all keys that a mail that is found has, in order.
func (a Wanted) keys(salt string) (out []uint32) {
	for _, t := range a.Terms {
		out = append(out, t.found(salt)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// says is a mail in the words in which it is searched.
type says struct{ from, to, subject, body []string }

// met says whether a mail is what is asked for.
func (a Wanted) met(m says) bool {
	for _, t := range a.Terms {
		fields := [][]string{m.subject, m.body, m.from, m.to}
		switch t.Field {
		case "from":
			fields = [][]string{m.from}
		case "to":
			fields = [][]string{m.to}
		case "subject":
			fields = [][]string{m.subject}
		}
		if slices.ContainsFunc(fields, t.in) == t.Not {
			return false
		}
	}
	return true
}

// in says whether the term's words stand in a text in their order.
func (t Term) in(text []string) bool {
	n := len(t.Words)
	for i := 0; i+n <= len(text); i++ {
		ok := slices.Equal(text[i:i+n-1], t.Words[:n-1])
		last, want := text[i+n-1], t.Words[n-1]
		if ok && (last == want || t.Prefix && strings.HasPrefix(last, want)) {
			return true
		}
	}
	return false
}

// around is the piece of a text about the first term that is found in it.
func (a Wanted) around(text string) string {
	const before, length = 60, 200
	text = strings.Join(strings.Fields(text), " ")
	at := 0
	low := plain(text)
	if len(low) == len(text) { // nothing in it was folded to another length
		for _, t := range a.Terms {
			if i := strings.Index(low, t.Words[0]); !t.Not && i >= 0 {
				at = i
				break
			}
		}
	}
	from := max(at-before, 0)
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	out := []rune(text[from:min(len(text), from+4*length)])
	piece := string(out[:min(len(out), length)])
	piece = strings.ToValidUTF8(piece, "")
	if from > 0 {
		piece = "…" + piece
	}
	if len(out) > length || from+4*length < len(text) {
		piece += "…"
	}
	return piece
}

// Plain is a text as it is compared with what is searched for: small letters, without accents.
func Plain(text string) string { return plain(text) }
