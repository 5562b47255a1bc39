package detect

import "strings"

// Alike says whether a domain can be taken for another: the same name under another top level (contoso.co, contoso.com), letters
// that look alike (c0ntoso, contoso with a Cyrillic о, rn for m), one letter more, less, other or two exchanged, or an affix
// (contoso-mail.com). What differs in numbers alone is not (partner1 and partner2), nor is a domain and what lies under it,
// nor one where anybody has a mailbox.
func Alike(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if a == b || a == "" || b == "" || freeMail[a] || freeMail[b] || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a) {
		return false
	}
	x, y := shape(a), shape(b)
	switch {
	case min(len(x), len(y)) < 4:
		return false
	case x == y:
		return !numbersApart(a, b)
	}
	return min(len(x), len(y)) >= 6 && (near(x, y) || near(y, x)) && !numbersApart(a, b)
}

// numbersApart says whether two domains have the same letters and other digits.
func numbersApart(a, b string) bool {
	la, da := split(a)
	lb, db := split(b)
	return la == lb && da != db
}

func split(s string) (letters, digits string) {
	var l, d strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' {
			d.WriteByte(c)
		} else {
			l.WriteByte(c)
		}
	}
	return l.String(), d.String()
}
