package detect

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// lookalikes are the letters of other scripts that are drawn as a Latin letter: the part of Unicode's confusables that
// is met in words written to deceive. See https://www.unicode.org/reports/tr39/.
var lookalikes = func() map[rune]rune {
	m := map[rune]rune{}
	for _, pair := range []string{
		// Cyrillic
		"аa", "АA", "ВB", "сc", "СC", "ԁd", "еe", "ЕE", "ёe", "һh", "НH", "іi", "ІI", "јj", "ЈJ", "ӏl", "ӀI", "КK", "кk", "МM", "мm",
		"оo", "ОO", "рp", "РP", "ԛq", "ѕs", "ЅS", "ТT", "тt", "ԝw", "ԜW", "хx", "ХX", "уy", "УY", "ѵv", "пn", "гr", "вb", "нh", "ьb",
		// Greek
		"αa", "ΑA", "ΒB", "ςc", "ΕE", "εe", "ΗH", "ηn", "ΙI", "ιi", "ΚK", "κk", "ΜM", "ΝN", "νv", "οo", "ΟO", "ρp", "ΡP", "ΤT", "τt",
		"υu", "ΥY", "ΧX", "χx", "ΖZ", "ωw", "γy",
		// Armenian and Cherokee
		"օo", "սu", "ոn", "հh", "զq", "ցg", "ԱU", "ᎪA", "ᏴB", "ᏟC", "ᎬE", "ᎻH", "ᎫJ", "ᏞL", "ᎷM", "ᏢP", "ᏚS", "ᎢT", "ᏙV", "ᏃZ",
		// Latin letters that are drawn as others
		"ɑa", "ɡg", "ıi", "ɩi", "ꞁl", "ǀl",
	} {
		r := []rune(pair)
		m[r[0]] = r[1]
	}
	return m
}()

// Skeleton is s as it looks: invisible characters gone, look-alike letters turned into the Latin ones, styled letters
// made plain, in lower case.
func Skeleton(s string) string {
	s = norm.NFKC.String(Visible(s))
	return Fold(strings.Map(func(r rune) rune {
		if l, ok := lookalikes[r]; ok {
			return l
		}
		return r
	}, s))
}

// Deceives says whether a word of s mixes letters of scripts that look alike (a Cyrillic а in a Latin word), or is
// written in letters styled for mathematics, and gives the word as it looks.
func Deceives(s string) (string, bool) {
	if ascii(s) {
		return "", false
	}
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		if mixes(w) || styled(w) {
			return Skeleton(w), true
		}
	}
	return "", false
}

// mixes says whether w has Latin letters beside letters of another script that all look Latin.
func mixes(w string) bool {
	latin, alike := false, false
	for _, r := range w {
		_, like := lookalikes[r]
		switch {
		case unicode.Is(unicode.Latin, r):
			latin = true
		case like:
			alike = true
		case unicode.IsLetter(r):
			return false
		}
	}
	return latin && alike
}

// styled says whether w is written in mathematical letters (𝐢𝐧𝐯𝐨𝐢𝐜𝐞).
func styled(w string) bool {
	for _, r := range w {
		if r >= 0x1d400 && r <= 0x1d7ff {
			return true
		}
	}
	return false
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
