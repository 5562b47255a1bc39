package mail

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// decodeWords decodes the encoded words (RFC 2047) of a header's text. A word that cannot be decoded stays as it is; bytes that
// are no UTF-8 are taken for Windows-1252.
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return tidy(s)
	}
	var out strings.Builder
	var held []byte // of words in one charset that follow each other: a letter may be cut between two
	heldSet := ""
	flush := func() {
		if len(held) > 0 {
			text, _ := toUTF8(held, heldSet)
			out.WriteString(text)
		}
		held, heldSet = held[:0], ""
	}
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		set, content, rest, ok := cutWord(s[i+2:])
		if !ok {
			flush()
			out.WriteString(tidy(s[:i+2]))
			s = s[i+2:]
			continue
		}
		if gap := s[:i]; heldSet == "" || strings.TrimSpace(gap) != "" {
			flush()
			out.WriteString(tidy(gap))
		} else if !strings.EqualFold(set, heldSet) {
			flush()
		}
		heldSet = set
		held = append(held, content...)
		s = rest
	}
	flush()
	out.WriteString(tidy(s))
	return out.String()
}

// cutWord reads an encoded word after its "=?".
func cutWord(s string) (set string, content []byte, rest string, ok bool) {
	mark := strings.IndexByte(s[:min(len(s), 80)], '?')
	if mark < 0 {
		return "", nil, "", false
	}
	set, s = s[:mark], s[mark+1:]
	if set == "" || strings.ContainsAny(set, " \t=") || len(s) < 2 || s[1] != '?' {
		return "", nil, "", false
	}
	set, _, _ = strings.Cut(set, "*") // RFC 2231's language
	coding := s[0]
	s = s[2:]
	end := strings.Index(s[:min(len(s), 16<<10)], "?=") // 75 letters by the standard; some write on
	if end < 0 {
		return "", nil, "", false
	}
	word, rest := s[:end], s[end+2:]
	switch coding {
	case 'b', 'B':
		content, _ = decodeBase64([]byte(word))
	case 'q', 'Q':
		content = make([]byte, 0, len(word))
		for i := 0; i < len(word); i++ {
			switch {
			case word[i] == '_':
				content = append(content, ' ')
			case word[i] == '=' && i+2 < len(word) && isHex(word[i+1:i+3]):
				content = append(content, unhex(word[i+1])<<4|unhex(word[i+2]))
				i += 2
			default:
				content = append(content, word[i])
			}
		}
	default:
		return "", nil, "", false
	}
	return set, content, rest, true
}

func isHex(s string) bool {
	if len(s) != 2 {
		return false
	}
	for i := range 2 {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

// tidy is s in UTF-8, without zero bytes.
func tidy(s string) string {
	if !utf8.ValidString(s) {
		s, _ = charmap.Windows1252.NewDecoder().String(s)
		s = strings.ToValidUTF8(s, "�")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

// lookup finds a charset by the names that mails give it; nil for UTF-8 and for what needs no decoding.
func lookup(set string) (encoding.Encoding, bool) {
	set = strings.ToLower(strings.Trim(set, "\"' \t"))
	switch set {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "x-unknown", "default", "default_charset":
		return nil, true
	case "utf-7":
		return nil, false
	}
	if e, _ := charset.Lookup(set); e != nil {
		return e, true
	}
	for _, prefix := range []string{"x-", "cs"} {
		if e, _ := charset.Lookup(strings.TrimPrefix(set, prefix)); e != nil {
			return e, true
		}
	}
	if n, ok := strings.CutPrefix(set, "cp"); ok {
		if e, _ := charset.Lookup("windows-" + n); e != nil {
			return e, true
		}
	}
	if n, ok := strings.CutPrefix(strings.ReplaceAll(set, "_", "-"), "iso"); ok {
		if e, _ := charset.Lookup("iso-" + strings.TrimLeft(n, "-")); e != nil {
			return e, true
		}
	}
	return nil, false
}

// toUTF8 decodes b. It is false where the charset is not known; then, as where b is not what it says, what is no UTF-8 is taken
// for Windows-1252.
func toUTF8(b []byte, set string) (string, bool) {
	e, known := lookup(set)
	if e == nil || utf8.Valid(b) && !holdsEscapes(b, set) {
		return tidy(string(b)), known
	}
	text, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return tidy(string(b)), false
	}
	return tidy(string(text)), true
}

// holdsEscapes says whether b, valid UTF-8, means something else in set: charsets of seven bits that shift with escapes, and wide ones.
func holdsEscapes(b []byte, set string) bool {
	for _, c := range b {
		if c >= 0x80 || c == 0x1b || c == 0 || c == '~' {
			return true
		}
	}
	return strings.HasPrefix(strings.ToLower(set), "utf-16")
}
