package detect

import "strconv"

// Quote is a name or word in a sentence: in quotes, cut where it is very long, and with the characters nobody sees
// written as escapes (\u200b), so that the sentence itself hides nothing.
func Quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
