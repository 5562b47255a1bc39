package rule

import (
	"strings"
	"time"
	"unicode"

	"tocsin.dev"
	"tocsin.dev/detect"
)

const noteNames = "name" // people seen in the log, for look-alikes; one list

func noteName(mem *detect.Memory, r *detect.Record, address string) {
	a := tocsin.CanonicalAddress(address)
	if !strings.Contains(a, "@") {
		return
	}
	if _, seen := mem.Last(noteNames, a); seen {
		return
	}
	mem.Add(noteNames, a, detect.Note{At: r.Time, ID: r.ID})
	mem.Add(noteNames, "", detect.Note{At: r.Time, ID: r.ID, Value: a})
}

// lookAlike is a known address that trustee can be mistaken for: the mailbox, the actor, or somebody seen before.
func lookAlike(mem *detect.Memory, trustee string, known ...string) string {
	for _, n := range mem.Since(noteNames, "", time.Time{}) {
		known = append(known, n.Value)
	}
	for _, k := range known {
		if mistakable(trustee, k) {
			return tocsin.CanonicalAddress(k)
		}
	}
	return ""
}

// Mistakable says whether an address can be taken for another at a glance: see [lookAlike].
func Mistakable(a, b string) bool { return mistakable(a, b) }

// mistakable compares two addresses: the same on sight (look-alike characters), or one letter apart in a name of six or more.
func mistakable(a, b string) bool {
	a, b = tocsin.CanonicalAddress(a), tocsin.CanonicalAddress(b)
	if a == b || !strings.Contains(a, "@") || !strings.Contains(b, "@") {
		return false
	}
	if onSight(a) == onSight(b) {
		return true
	}
	la, da, _ := strings.Cut(a, "@")
	lb, db, _ := strings.Cut(b, "@")
	switch {
	case da == db:
		return min(len(la), len(lb)) >= 6 && oneEdit(la, lb)
	case la == lb:
		return oneEdit(da, db) || onSight(da) == onSight(db)
	}
	return false
}

// onSightPairs are letters and pairs that are drawn alike in most fonts.
var onSightPairs = strings.NewReplacer("rn", "m", "vv", "w", "cl", "d", "0", "o", "1", "l", "i", "l", "|", "l", "5", "s", "_", "-")

// onSight folds what looks alike into one.
func onSight(s string) string { return onSightPairs.Replace(detect.Skeleton(s)) }

// oneEdit says whether a and b differ by one letter more, less or other, or by two neighbours exchanged. A difference in
// digits only is none: numbered accounts are usual.
func oneEdit(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y)-len(x) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	tail := func(n, m int) bool { return n <= len(x) && m <= len(y) && string(x[n:]) == string(y[m:]) }
	if i < len(y) && unicode.IsDigit(y[i]) && (i >= len(x) || unicode.IsDigit(x[i]) || len(x) < len(y)) {
		return false
	}
	if len(x) < len(y) {
		return tail(i, i+1)
	}
	return tail(i+1, i+1) || i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && tail(i+2, i+2)
}
