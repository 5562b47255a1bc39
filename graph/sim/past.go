package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Letter is a mail of the past.
type Letter struct {
	At    time.Time
	From  string
	To    []string
	Files bool // it has attachments
}

// Past is what people wrote each other, and outside, on the working days of so many days before a time, in the order of time: each
// has a few colleagues and some addresses outside, and writes to them in the hours of work. The same seed gives the same.
func Past(world int64, until time.Time, days int, people []string) []Letter {
	s := seed(world)
	var out []Letter
	begin := until.UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)
	for i, from := range people {
		_, domain, _ := strings.Cut(from, "@")
		for d := range days {
			day := begin.AddDate(0, 0, d)
			if w := day.Weekday(); w == time.Saturday || w == time.Sunday {
				continue
			}
			k := i*10_000 + d*20
			for n := range 3 + int(s.at(7101, k)%5) {
				h := s.at(7102, k+n)
				l := Letter{At: day.Add(8*time.Hour + time.Duration(h%uint64(9*3600))*time.Second), From: from, Files: h>>30%6 == 0}
				if h>>8%4 == 0 {
					l.To = []string{fmt.Sprintf("contact%d@%s", (i+int(h>>16%3))%9, outsiders[(uint64(i)+h>>20%2)%uint64(len(outsiders))])}
				} else {
					l.To = []string{people[(i+1+int(h>>16%6))%len(people)]}
				}
				if l.To[0] != from && l.At.Before(until) && domain != "" {
					out = append(out, l)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Letter) int { return a.At.Compare(b.At) })
	return out
}
