package detect

import (
	"strings"
	"unicode"
)

// unseen are characters that leave no mark of their own, besides the categories Cc and Cf.
var unseen = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // combining grapheme joiner
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, // Mongolian selectors
		{Lo: 0x2028, Hi: 0x2029, Stride: 1}, // line and paragraph separators
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // the empty Braille pattern
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, // variation selectors
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // half-width Hangul filler
	},
	R32: []unicode.Range32{{Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}}, // tags, more selectors
}

// invisible says whether r leaves no mark when it is shown; a blank or a tab is not invisible.
func invisible(r rune) bool {
	if r < 0x80 {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unseen)
}

// Visible is s without the characters that nobody sees.
func Visible(s string) string {
	if strings.IndexFunc(s, invisible) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
}

// Hidden gives the first character of s that nobody sees and that ordinary writing does not need, or false. Writing
// needs joiners in Arabic, Indic scripts and emoji, direction marks beside right-to-left letters, and selectors and tags
// behind emoji.
func Hidden(s string) (rune, bool) {
	if strings.IndexFunc(s, invisible) < 0 {
		return 0, false
	}
	rtl := strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana)
	})
	var before rune
	for _, r := range s {
		if invisible(r) && !needed(r, before, rtl) {
			return r, true
		}
		if !invisible(r) {
			before = r
		}
	}
	return 0, false
}

// needed says whether writing needs the invisible r behind the letter or sign before it.
func needed(r, before rune, rtl bool) bool {
	switch {
	case r == 0x200c || r == 0x200d: // non-joiner, joiner
		return joining(before)
	case r == 0x200e || r == 0x200f || r == 0x061c: // direction marks
		return rtl
	case r == 0xfe0e || r == 0xfe0f || r >= 0xe0020 && r <= 0xe007f: // emoji selectors, flags
		return unicode.Is(unicode.So, before) || unicode.In(before, unicode.Sm, unicode.Po, unicode.Nd, unicode.Sk)
	}
	return false
}

func joining(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Devanagari, unicode.Bengali, unicode.Tamil, unicode.Telugu, unicode.Kannada,
		unicode.Malayalam, unicode.Gujarati, unicode.Gurmukhi, unicode.Oriya, unicode.Sinhala, unicode.Khmer, unicode.Myanmar,
		unicode.So, unicode.Sk)
}
