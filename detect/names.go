package detect

import (
	"fmt"
	"strings"
	"unicode"
)

// OddName judges the name of a rule or a folder: what speaks for its having been chosen so that nobody sees or reads it,
// as points of risk and a phrase that follows "the name". Zero points: an ordinary name.
func OddName(name string) (points int, why string) {
	if r, ok := Hidden(name); ok {
		return 35, hiddenWhy(r)
	}
	seen := strings.TrimSpace(Visible(name))
	if seen == "" {
		return 25, "is empty"
	}
	if looks, ok := Deceives(name); ok {
		return 35, fmt.Sprintf("is written with letters of another script so that it looks like %q", looks)
	}
	return plainName(seen)
}

func hiddenWhy(r rune) string {
	switch {
	case r == 0:
		return "holds a null character"
	case r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
		return fmt.Sprintf("holds a character that turns the direction of writing (%U)", r)
	case unicode.IsControl(r):
		return fmt.Sprintf("holds a control character (%U)", r)
	}
	return fmt.Sprintf("holds a character nobody sees (%U)", r)
}

// plainName judges a name of visible characters.
func plainName(s string) (points int, why string) {
	var letters []rune
	picture := false
	for _, r := range s {
		switch {
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			letters = append(letters, unicode.ToLower(r))
		case unicode.Is(unicode.So, r):
			picture = true
		}
	}
	switch {
	case picture: // an emoji says something
		return 0, ""
	case len(letters) == 0:
		return 25, "is nothing but punctuation"
	case ideographic(letters): // one character is a word
		return 0, ""
	case len(letters) == 1:
		return 20, "is a single character"
	case same(letters):
		return 20, "is one character repeated"
	case len(letters) == 2 && s == strings.ToUpper(s) && unicode.IsLetter(letters[0]): // HR, IT
		return 5, "has two characters"
	case len(letters) == 2:
		return 15, "has only two characters"
	}
	return 0, ""
}

func ideographic(rs []rune) bool {
	for _, r := range rs {
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
			return true
		}
	}
	return false
}

func same(rs []rune) bool {
	for _, r := range rs {
		if r != rs[0] {
			return false
		}
	}
	return true
}
