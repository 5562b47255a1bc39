package web

import (
	"strconv"
	"strings"
	"unicode"
)

// piece is a run of text as it stands, or one invisible character shown as a mark.
type piece struct {
	Text string
	Mark string // short name of the character, such as ZWSP
	Name string // what it is, for the tooltip
}

// invisible names the characters that hide in names and addresses: nothing is seen of them, or they turn the
// direction of what is. Others of their Unicode categories are shown by their code point.
var invisible = map[rune][2]string{
	0x00A0: {"NBSP", "no-break space"},
	0x00AD: {"SHY", "soft hyphen"},
	0x034F: {"CGJ", "combining grapheme joiner"},
	0x061C: {"ALM", "Arabic letter mark"},
	0x115F: {"HF", "Hangul choseong filler"},
	0x1160: {"HF", "Hangul jungseong filler"},
	0x17B4: {"KIV", "Khmer inherent vowel"},
	0x17B5: {"KIV", "Khmer inherent vowel"},
	0x180E: {"MVS", "Mongolian vowel separator"},
	0x200B: {"ZWSP", "zero width space"},
	0x200C: {"ZWNJ", "zero width non-joiner"},
	0x200D: {"ZWJ", "zero width joiner"},
	0x200E: {"LRM", "left-to-right mark"},
	0x200F: {"RLM", "right-to-left mark"},
	0x2028: {"LSEP", "line separator"},
	0x2029: {"PSEP", "paragraph separator"},
	0x202A: {"LRE", "left-to-right embedding"},
	0x202B: {"RLE", "right-to-left embedding"},
	0x202C: {"PDF", "pop directional formatting"},
	0x202D: {"LRO", "left-to-right override"},
	0x202E: {"RLO", "right-to-left override"},
	0x2060: {"WJ", "word joiner"},
	0x2066: {"LRI", "left-to-right isolate"},
	0x2067: {"RLI", "right-to-left isolate"},
	0x2068: {"FSI", "first strong isolate"},
	0x2069: {"PDI", "pop directional isolate"},
	0x2800: {"BRL", "Braille pattern blank"},
	0x3164: {"HF", "Hangul filler"},
	0xFEFF: {"BOM", "zero width no-break space"},
	0xFFA0: {"HF", "halfwidth Hangul filler"},
	'\t':   {"TAB", "tab"},
	'\n':   {"LF", "line feed"},
	'\r':   {"CR", "carriage return"},
	' ':    {"SP", "space"},
}

// visible cuts s into what can be seen and marks for what cannot: controls, formats, blanks that are no plain space,
// and plain spaces at the ends or in a row, which the eye does not count.
func visible(s string) []piece {
	var out []piece
	var run strings.Builder
	flush := func() {
		if run.Len() > 0 {
			out = append(out, piece{Text: run.String()})
			run.Reset()
		}
	}
	rs := []rune(s)
	for i, r := range rs {
		if !hidden(rs, i) {
			run.WriteRune(r)
			continue
		}
		flush()
		out = append(out, markOf(r))
	}
	flush()
	return out
}

// hidden says whether the rune at i cannot be seen where it stands.
func hidden(rs []rune, i int) bool {
	r := rs[i]
	if r == ' ' {
		return i == 0 || i == len(rs)-1 || rs[i-1] == ' ' || rs[i+1] == ' ' && i+2 == len(rs)
	}
	if _, ok := invisible[r]; ok {
		return true
	}
	if r == 0xFFFD {
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zs, unicode.Zl, unicode.Zp) || variation(r)
}

// variation says whether r selects a variant or is a tag: neither has a form of its own.
func variation(r rune) bool {
	return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0000 && r <= 0xE01EF
}

// markOf is the mark for an invisible rune.
func markOf(r rune) piece {
	code := "U+" + strings.ToUpper(pad(strconv.FormatInt(int64(r), 16)))
	if n, ok := invisible[r]; ok {
		return piece{Mark: n[0], Name: code + " " + n[1] + ", an invisible character"}
	}
	return piece{Mark: code, Name: code + ", an invisible character"}
}

func pad(s string) string {
	if len(s) < 4 {
		return strings.Repeat("0", 4-len(s)) + s
	}
	return s
}

// oddName says whether a name is one that people do not give: empty, a few signs, or with something hidden in it.
func oddName(s string) bool {
	letters := 0
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			letters++
		}
	}
	if letters < 2 {
		return true
	}
	for _, p := range visible(s) {
		if p.Mark != "" {
			return true
		}
	}
	return false
}
