package detect

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold is s for comparing words: without characters nobody sees, without accents, in lower case, full-width letters
// made plain, and ß, ø, ł and their like spelled with plain letters.
func Fold(s string) string {
	if ascii(s) {
		return strings.ToLower(Visible(s))
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKD.String(Visible(s)) {
		if unicode.Is(unicode.Mn, r) && !kana(r) {
			continue
		}
		r = unicode.ToLower(r)
		if p, ok := plainLetters[r]; ok {
			b.WriteString(p)
			continue
		}
		b.WriteRune(r)
	}
	return norm.NFC.String(b.String())
}

// kana says whether r is the sign that makes another sound of a Japanese letter, which is no accent.
func kana(r rune) bool { return r == 0x3099 || r == 0x309a }

var plainLetters = map[rune]string{
	'ß': "ss", 'ø': "o", 'æ': "ae", 'œ': "oe", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i", 'ς': "σ",
	'أ': "ا", 'إ': "ا", 'آ': "ا", 'ى': "ي", 'ة': "ه", 'ـ': "",
}
