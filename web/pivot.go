package web

import (
	"fmt"
	"time"
)

// pivotBar is a value that mails have in common, with how many have it; a click on it filters by it, and takes the filter away.
type pivotBar struct {
	Key   string // the value; a day in the form 2026-11-22
	Word  string // how it is said; empty for the key
	Count int
	To    string
	On    bool // it is filtered by
}

// pivotDays is the chart of mails by day.
type pivotDays struct {
	Height float64
	Scale  scale
	Bars   []pivotDay
	Ticks  []plotTick
	Says   string
}

// pivotDay is a day's bar, and where it leads.
type pivotDay struct {
	plotBar
	To   string
	On   bool
	Says string
}

// daysPivot makes the chart of days in any order; days between them without mail have no bar. A span of more than 400 days is cut
// to its last, with what lies before said.
func daysPivot(bars []pivotBar) pivotDays {
	v := pivotDays{Height: 120}
	var first, last time.Time
	most, before, all := 0, 0, 0
	at := func(b pivotBar) (time.Time, bool) {
		t, err := time.Parse(time.DateOnly, b.Key)
		return t, err == nil
	}
	for _, b := range bars {
		if t, ok := at(b); ok {
			if last.IsZero() || t.After(last) {
				last = t
			}
			if first.IsZero() || t.Before(first) {
				first = t
			}
		}
	}
	if last.IsZero() {
		v.Scale = scaleTo(1, true)
		v.Says = "No mail has a day."
		return v
	}
	if edge := last.AddDate(0, 0, -399); first.Before(edge) {
		first = edge
	}
	days := int(last.Sub(first).Hours()/24) + 1
	if short := 14 - days; short > 0 {
		first, days = first.AddDate(0, 0, -short), 14
	}
	for _, b := range bars {
		all += b.Count
		if t, ok := at(b); ok && t.Before(first) {
			before += b.Count
		} else if ok {
			most = max(most, b.Count)
		}
	}
	v.Scale = scaleTo(float64(most), true)
	w := 1 / float64(days)
	for _, b := range bars {
		t, ok := at(b)
		if !ok || t.Before(first) || b.Count == 0 {
			continue
		}
		y := v.Scale.down(float64(b.Count), v.Height)
		class := "bar"
		if b.On {
			class = "bar over"
		}
		says := longDay(b.Key) + ": " + plural(b.Count, "mail", "mails")
		x := t.Sub(first).Hours() / 24 * w
		v.Bars = append(v.Bars, pivotDay{plotBar{X: x + w*.14, W: w * .72, Y: y, H: max(v.Height-y, 2), Class: class, Title: says}, b.To, b.On, says})
	}
	v.Ticks = dayTicks(first, days)
	v.Says = fmt.Sprintf("%s on %s, at most %s on one.", plural(all, "mail", "mails"), plural(len(bars), "day", "days"), thousands(most))
	if before > 0 {
		v.Says += " " + plural(before, "mail is", "mails are") + " older than what is drawn."
	}
	return v
}

// mostOf is the highest count.
func mostOf(bars []pivotBar) int {
	n := 0
	for _, b := range bars {
		n = max(n, b.Count)
	}
	return n
}

// portion is a part of a whole, with its colour and words.
type portion struct {
	Class, Word string
	Count       int
}

// portions lays parts side by side over a width of 1000; a part that there is has at least 4.
func portions(parts []portion, whole int) []rect {
	total, small := 0, 0
	for _, p := range parts {
		total += p.Count
		if p.Count > 0 {
			small += 4
		}
	}
	whole = max(whole, total)
	if whole == 0 {
		return nil
	}
	var out []rect
	x := 0.0
	for _, p := range parts {
		if p.Count == 0 {
			continue
		}
		w := 4 + (1000-float64(small))*float64(p.Count)/float64(whole)
		out = append(out, rect{X: x, W: w, H: 10, Class: p.Class, Title: thousands(p.Count) + " " + p.Word})
		x += w
	}
	return out
}
