package rule

import (
	"strings"
	"testing"
	"time"

	"tocsin.dev"
)

func TestBurst(t *testing.T) {
	entry := monday.Add(9 * time.Hour)
	hour := func(n, to int) []Sent { return []Sent{{Hour: entry, Messages: n, Recipients: to, IDs: []string{"e1"}}} }
	const month = 30 * 24 * time.Hour
	for name, c := range map[string]struct {
		known         time.Duration
		before, after []Sent
		risk          int
	}{
		"nothing":                       {month, nil, nil, 0},
		"as ever":                       {month, hour(40, 60), hour(41, 60), 0},
		"many, and never so many":       {month, hour(8, 9), hour(40, 60), 55},
		"not three times as many":       {month, hour(20, 20), hour(40, 60), 0},
		"few messages to many":          {month, hour(2, 4), hour(3, 240), 55},
		"very many":                     {month, hour(2, 4), hour(300, 1200), 70},
		"who never wrote":               {month, nil, hour(30, 30), 60},
		"nothing is known of before":    {time.Hour, nil, hour(300, 1200), 0},
		"fewer than are worth a word":   {month, nil, hour(29, 99), 0},
		"to many, as the person always": {month, hour(2, 80), hour(2, 200), 0},
	} {
		f := Burst("person-amy", "amy@fabrikam.com", entry, c.known, c.before, c.after)
		if got := 0; f == nil && c.risk != 0 || f != nil && f.Risk != c.risk {
			if f != nil {
				got = f.Risk
			}
			t.Errorf("%s: risk %d, want %d", name, got, c.risk)
		}
		if f != nil {
			sound(t, f)
			if f.Severity != tocsin.High && f.Severity != tocsin.Medium || !strings.Contains(f.Why, "after a suspicious sign-in") {
				t.Errorf("%s: %s %s", name, f.Severity, f.Why)
			}
		}
	}
}
