package sim

import (
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

// Past is what people wrote each other, and outside, in so many days before a time, in the order of time: mostly on working
// days and in the hours of work, to a few colleagues, to anybody inside, and to addresses outside. The same seed gives the same.
func Past(world int64, until time.Time, days int, people []string) []Letter {
	s := seed(world)
	var out []Letter
	begin := until.UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)
	for i, from := range people {
		_, domain, _ := strings.Cut(from, "@")
		for d := range days {
			day := begin.AddDate(0, 0, d)
			if w := day.Weekday(); (w == time.Saturday || w == time.Sunday) && s.at(7100, i*1000+d)%4 > 0 {
				continue
			}
			k := i*10_000 + d*20
			for n := range 3 + int(s.at(7101, k)%5) {
				h := s.at(7102, k+n)
				l := Letter{At: day.Add(8*time.Hour + time.Duration(h%uint64(9*3600))*time.Second), From: from, Files: h>>30%6 == 0}
				if h>>34%10 == 0 { // now and then at any hour
					l.At = day.Add(time.Duration(h%86_400) * time.Second)
				}
				switch h >> 8 % 4 { // as everyday mail goes: to an order desk, to the same few, to anybody
				case 0:
					l.To = []string{"orders@" + outsiders[h>>20%uint64(len(outsiders))]}
				case 1:
					l.To = []string{people[h>>16%uint64(len(people))]}
				default:
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
