package store

import (
	"strings"
	"testing"
)

// TestBrief: a long statement loses the numbers of its placeholders where they stand in order, and only there.
func TestBrief(t *testing.T) {
	long := strings.Repeat(" ", longStatement)
	for q, want := range map[string]string{
		"a = $1":                              "a = $1",
		"a = $1 and b in ($2,$3)" + long:      "a = ? and b in (?,?)" + long,
		"a = $1 and b = '$7' and c=$2" + long: "a = ? and b = '$7' and c=?" + long,
		"a = $1 and b = $1" + long:            "a = $1 and b = $1" + long,
		"a = $2 and b = $1" + long:            "a = $2 and b = $1" + long,
		"a = $1 and b = $22" + long:           "a = $1 and b = $22" + long,
		"a in (" + In(12, 1) + ")" + long:     "a in (" + strings.Repeat("?,", 11) + "?)" + long,
	} {
		if got := sqlite.brief(q); got != want {
			t.Errorf("%s\nbecomes %s", q, got)
		}
		if got := postgres.brief(q); got != q {
			t.Errorf("on PostgreSQL %s\nbecomes %s", q, got)
		}
	}
}
