package web

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
)

// count is findings of one severity.
type count struct {
	Severity tocsin.Severity
	Count    int
}

// severityCounts are the counts in order, the worst first.
func severityCounts(s api.Severities) []count {
	return []count{{tocsin.Critical, s.Critical}, {tocsin.High, s.High}, {tocsin.Medium, s.Medium}, {tocsin.Low, s.Low}, {tocsin.Info, s.Info}}
}

// rect is a rectangle of a chart, in the units of its view box.
type rect struct {
	X, Y, W, H float64
	Class      string
	Title      string
}

func (r rect) x() string { return units(r.X) }
func (r rect) y() string { return units(r.Y) }
func (r rect) w() string { return units(r.W) }
func (r rect) h() string { return units(r.H) }

func units(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}

// stacked lays counts side by side over a width of 1000, each at least 12 wide so that one finding is seen.
func stacked(s api.Severities) []rect {
	parts := severityCounts(s)
	total, least := 0, 0.0
	for _, p := range parts {
		total += p.Count
		if p.Count > 0 {
			least += 12
		}
	}
	if total == 0 {
		return nil
	}
	var out []rect
	x := 0.0
	for _, p := range parts {
		if p.Count == 0 {
			continue
		}
		w := 12 + (1000-least)*float64(p.Count)/float64(total)
		out = append(out, rect{X: x, W: max(w-4, 4), H: 10, Class: "f-" + string(p.Severity),
			Title: plural(p.Count, string(p.Severity)+" finding", string(p.Severity)+" findings")})
		x += w
	}
	out[len(out)-1].W += 4
	return out
}

// trend is the chart of the last days: a column a day, stacked by severity, the worst at the bottom.
type trend struct {
	Columns []rect // the coloured pieces
	Tracks  []rect // a faint foot under every day, with the day's title
	First   string
	Last    string
	Max     int
	Total   int
	Open    int // of the total
}

// sum says how many findings the days brought, and what became of them.
func (t trend) sum() string {
	s := plural(t.Total, "finding", "findings")
	switch closed := t.Total - t.Open; {
	case closed == 0 && t.Total == 1:
		return s + ", still open"
	case closed == 0:
		return s + ", all still open"
	case t.Open == 0:
		return s + ", all closed"
	default:
		return fmt.Sprintf("%s: %s open, %s closed", s, thousands(t.Open), thousands(closed))
	}
}

// freshWords says how many of the open findings are new.
func freshWords(open, fresh int) string {
	switch {
	case fresh == 0:
		return "none of them first seen in the last 24 hours"
	case fresh == open && open > 1:
		return "all of them first seen in the last 24 hours"
	case fresh == open:
		return "first seen in the last 24 hours"
	}
	return thousands(fresh) + " of them first seen in the last 24 hours"
}

// trendOf makes the chart of the last n days, 700 units wide and 100 high.
func trendOf(days []api.Day, n int) trend {
	if len(days) > n {
		days = days[len(days)-n:]
	}
	var t trend
	for _, d := range days {
		t.Max = max(t.Max, d.All())
		t.Total += d.All()
		t.Open += d.Open
	}
	if len(days) == 0 {
		return t
	}
	t.First, t.Last = shortDay(days[0].Day), shortDay(days[len(days)-1].Day)
	step := 700 / float64(len(days))
	for i, d := range days {
		x, w := float64(i)*step+step*.14, step*.72
		t.Tracks = append(t.Tracks, rect{X: x, Y: 98, W: w, H: 2, Class: "f-edge", Title: shortDay(d.Day) + ": " + daySentence(d)})
		y := 97.0
		for _, c := range severityCounts(d.Severities) {
			if c.Count == 0 {
				continue
			}
			h := max(95*float64(c.Count)/float64(max(t.Max, 4)), 2.5)
			y -= h
			t.Columns = append(t.Columns, rect{X: x, Y: y, W: w, H: max(h-1, 1.5), Class: "f-" + string(c.Severity), Title: shortDay(d.Day) + ": " + daySentence(d)})
		}
	}
	return t
}

func daySentence(d api.Day) string {
	if d.All() == 0 {
		return "no new findings"
	}
	var parts []string
	for _, c := range severityCounts(d.Severities) {
		if c.Count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.Count, c.Severity))
		}
	}
	return strings.Join(parts, ", ")
}

// shortDay is 15 Mar of 2026-03-15.
func shortDay(s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	return t.Format("2 Jan")
}

// share is part of whole as a width of 1000.
func share(part, whole int) string {
	if whole <= 0 {
		return "0"
	}
	return units(1000 * float64(min(part, whole)) / float64(whole))
}

// percent is part of whole, never 100 unless all.
func percent(part, whole int) string {
	switch {
	case whole <= 0:
		return "0%"
	case part >= whole:
		return "100%"
	}
	return fmt.Sprintf("%d%%", min(99, 100*part/whole))
}
