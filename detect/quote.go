package detect

import (
	"fmt"
	"strconv"
	"strings"
)

// Quote is a name or word in a sentence: in quotes, cut where it is very long, and with the characters nobody sees
// written as escapes (\u200b), so that the sentence itself hides nothing.
func Quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// Shown is s with each character that nobody sees written as Quote writes it (\u200b); what Quote has written stays as it is.
func Shown(s string) string {
	if strings.IndexFunc(s, invisible) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !invisible(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
