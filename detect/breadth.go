package detect

import (
	"fmt"
	"strconv"
	"strings"

	"tocsin.dev"
)

// Breadth says how much of a person's mail a rule takes.
type Breadth int

// The breadths. Every: there is no condition, or none that leaves anything out. Some: by subject, size, kind … .
// ByAuthor: only what certain senders wrote, the way people sort newsletters.
const (
	Every Breadth = iota
	Some
	ByAuthor
)

// RuleBreadth judges a rule's conditions; all must hold for a mail to be taken.
func RuleBreadth(r *tocsin.MailRule) Breadth {
	b := Every
	for _, t := range r.Conditions {
		switch {
		case TakesAll(t):
		case t.Name == "from_addresses" || t.Name == "sender_contains":
			return ByAuthor
		default:
			b = Some
		}
	}
	return b
}

// TakesAll says whether a condition leaves next to nothing out: mail that is sent to the person, words that every mail
// has, a size that every mail has.
func TakesAll(t tocsin.Term) bool {
	switch t.Name {
	case "sent_to_me", "sent_to_or_cc_me":
		return true
	case "within_size_range", "within_size_range_minimum", "within_size_range_maximum":
		least, most, ok := Size(t)
		return ok && least <= 10 && (most == 0 || most >= 10_000)
	case "importance", "sensitivity":
		return len(t.Values) == 1 && strings.EqualFold(t.Values[0], "normal")
	case "header_contains":
		return anyIn(t.Values, func(s string) bool { return commonHeaders[s] || len([]rune(s)) <= 1 })
	case "sender_contains", "recipient_contains", "from_addresses", "sent_to_addresses":
		return anyIn(t.Values, func(s string) bool { return s == "@" || s == "." || s == ".com" || s == "" })
	case "subject_contains", "body_contains", "body_or_subject_contains":
		return anyIn(t.Values, func(s string) bool { return s == "" || len(s) == 1 && strings.Contains("aeiou .,-:@/", s) })
	}
	return false
}

// commonHeaders stand in every mail that arrives.
var commonHeaders = map[string]bool{
	"received": true, "received:": true, "from": true, "from:": true, "to:": true, "date": true, "date:": true, "subject": true, "subject:": true, "message-id": true,
	"message-id:": true, "mime-version": true, "mime-version:": true, "content-type": true, "content-type:": true, "return-path": true, "return-path:": true, "x-ms": true,
}

func anyIn(values []string, holds func(string) bool) bool {
	const longest = 24 // of what stands in every mail; no need to read more
	for _, v := range values {
		if len(v) <= longest && holds(Fold(v)) {
			return true
		}
	}
	return false
}

// Size reads a condition on size, in kilobytes; most is 0 where there is no upper end. Its values are "10-2000", "10-" or
// "10" for at least; or "minimumSize=10" and "maximumSize=2000"; or one number where the condition's name tells which end.
func Size(t tocsin.Term) (least, most int, ok bool) {
	for _, v := range t.Values {
		v = strings.ToLower(strings.ReplaceAll(v, " ", ""))
		from, to, _ := strings.Cut(v, "-")
		if rest, is := strings.CutPrefix(v, "maximumsize="); is || t.Name == "within_size_range_maximum" {
			from, to = "", rest
		}
		from = strings.TrimPrefix(from, "minimumsize=")
		if n, err := strconv.Atoi(from); err == nil {
			least, ok = n, n >= 0
		} else if from != "" {
			return 0, 0, false
		}
		if n, err := strconv.Atoi(to); err == nil {
			most, ok = n, n >= 0
		} else if to != "" {
			return 0, 0, false
		}
	}
	return least, most, ok
}

// SizePhrase is a condition on size in words: "of at least 10 kB".
func SizePhrase(t tocsin.Term) string {
	least, most, ok := Size(t)
	switch {
	case !ok:
		return "of a certain size"
	case most == 0:
		return fmt.Sprintf("of at least %d kB", least)
	case least == 0:
		return fmt.Sprintf("of at most %d kB", most)
	}
	return fmt.Sprintf("of %d to %d kB", least, most)
}
