package detect

import (
	"slices"
	"strings"
	"unicode"
)

// Lexicon is a set of words in many languages that is looked for in the words of a rule's conditions.
type Lexicon struct {
	whole   map[string]bool       // words
	stems   map[string]bool       // beginnings of words
	starts  map[string]bool       // beginnings of stems, of five bytes or more
	phrases map[string][][]string // several words in a row, by the first
	inside  []string              // of scripts that do not part words
	longest int                   // of the stems, in bytes
}

// lexicon makes one of lines such as "invoice* · wire transfer · 发票"; * stands at the end of a beginning.
func lexicon(lines ...string) *Lexicon {
	l := &Lexicon{whole: map[string]bool{}, stems: map[string]bool{}, starts: map[string]bool{}, phrases: map[string][][]string{}}
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, "·") {
			l.add(Fold(strings.TrimSpace(entry)))
		}
	}
	return l
}

func (l *Lexicon) add(entry string) {
	stem, isStem := strings.CutSuffix(entry, "*")
	words := tokens(stem)
	switch {
	case len(words) == 0:
	case unparted(stem):
		l.inside = append(l.inside, stem)
	case len(words) > 1:
		l.phrases[words[0]] = append(l.phrases[words[0]], words[1:])
	case isStem:
		l.stems[stem] = true
		l.longest = max(l.longest, len(stem))
		for n := 5; n <= len(stem); n++ {
			l.starts[stem[:n]] = true
		}
	default:
		l.whole[stem] = true
	}
}

// Find gives the part of text that is in the lexicon, folded, or false. Words are matched whole, as the entries say;
// where a script does not part words, anywhere. A text that is itself the beginning of an entry, of five letters or
// more ("invoic"), is found too: that is how a condition catches every form of a word.
func (l *Lexicon) Find(text string) (string, bool) {
	folded := Fold(text)
	if w, ok := l.find(folded); ok {
		return w, true
	}
	if _, mixed := Deceives(text); mixed {
		return l.find(Skeleton(text))
	}
	return "", false
}

func (l *Lexicon) find(folded string) (string, bool) {
	words := tokens(folded)
	for i, w := range words {
		if l.whole[w] || l.whole[strings.TrimPrefix(w, "ال")] {
			return w, true
		}
		if l.begins(w) || l.begins(strings.TrimPrefix(w, "ال")) {
			return w, true
		}
		for _, rest := range l.phrases[w] {
			if n := len(rest); i+n < len(words) && slices.Equal(words[i+1:i+1+n], rest) {
				return strings.Join(words[i:i+1+n], " "), true
			}
		}
	}
	if len(words) == 1 && l.starts[words[0]] {
		return words[0], true
	}
	if ascii(folded) {
		return "", false
	}
	for _, s := range l.inside {
		if strings.Contains(folded, s) {
			return s, true
		}
	}
	return "", false
}

// begins says whether w begins with one of the stems.
func (l *Lexicon) begins(w string) bool {
	for n := min(len(w), l.longest); n > 2; n-- {
		if l.stems[w[:n]] {
			return true
		}
	}
	return false
}

// tokens are the words of a folded text: runs of letters and digits.
func tokens(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// unparted says whether s is of a script that does not part words, or joins small words to them.
func unparted(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai)
	})
}
