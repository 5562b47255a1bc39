package query

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// foldText is a text as words are looked for in it: words in lower case, each between blanks. What is written with invisible
// letters between, in full width or as mathematical letters, is as it reads; each letter of a script without blanks is a word.
func foldText(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte(' ')
	blank := true
	plain := 0
	for plain < len(s) && s[plain] < utf8.RuneSelf {
		c := s[plain]
		plain++
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		default:
			if !blank {
				b.WriteByte(' ')
				blank = true
			}
			continue
		}
		b.WriteByte(c)
		blank = false
	}
	if plain < len(s) {
		// A letter and the marks behind it are one: the last plain letter may have a mark.
		if plain > 0 && !blank {
			folded := b.String()
			last := folded[len(folded)-1]
			b.Reset()
			b.Grow(len(s) + 2)
			b.WriteString(folded[:len(folded)-1])
			s = string(last) + s[plain:]
		} else {
			s = s[plain:]
		}
		blank = foldWide(&b, s, blank || b.Len() == 0)
	}
	if !blank {
		b.WriteByte(' ')
	}
	return b.String()
}

// foldWide is foldText for letters of any script.
func foldWide(b *strings.Builder, s string, blank bool) bool {
	var it norm.Iter
	it.InitString(norm.NFKC, strip(s))
	for !it.Done() {
		for piece := it.Next(); len(piece) > 0; {
			c, n := utf8.DecodeRune(piece)
			piece = piece[n:]
			switch {
			case c < utf8.RuneSelf && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9'):
			case unicode.IsLetter(c) || unicode.IsNumber(c):
				c = unicode.ToLower(c)
			case unicode.IsMark(c):
				if blank {
					continue
				}
			default:
				if !blank {
					b.WriteByte(' ')
					blank = true
				}
				continue
			}
			alone := c >= 0x0e00 && (unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai))
			if alone && !blank {
				b.WriteByte(' ')
			}
			b.WriteRune(c)
			blank = false
			if alone {
				b.WriteByte(' ')
				blank = true
			}
		}
	}
	return blank
}

// strip takes out what is not seen: soft hyphens, joiners, marks of direction, variation selectors.
func strip(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0xad {
			return c
		}
		if unicode.Is(unicode.Cf, c) || c == 0x34f || c >= 0xfe00 && c <= 0xfe0f || c == 0x115f || c == 0x1160 || c == 0x3164 || c == 0x17b4 || c == 0x17b5 {
			return -1
		}
		return c
	}, s)
}
