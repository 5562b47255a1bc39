package web

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin.dev/api"
)

// The geometry of the plots about people. A plot is an SVG without a view box: what lies across is in per cent of its width, what
// lies down in pixels, so that its words keep their size in any window and its marks stay round. Curves are in an SVG within it that
// is stretched.

// scale is an axis that begins at 0: Most is its end, at a round number, and Ticks what is written beside it, the highest first.
type scale struct {
	Most  float64
	Ticks []float64
}

// scaleTo is an axis on which most has its place, with two to five steps of 1, 2, 2.5 or 5 times a power of ten; of whole numbers
// where the steps would be smaller than 1 and whole says so.
func scaleTo(most float64, whole bool) scale {
	if !(most > 0) || math.IsInf(most, 0) {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most/2)))
	for _, by := range []float64{1, 2, 2.5, 5, 10} {
		if most/(step*by) <= 4 {
			step *= by
			break
		}
	}
	if whole {
		step = max(1, math.Ceil(step))
	}
	n := max(1, int(math.Ceil(most/step-1e-9)))
	s := scale{Most: float64(n) * step}
	for i := n; i >= 0; i-- {
		s.Ticks = append(s.Ticks, float64(i)*step)
	}
	return s
}

// down is where v is, counted from the top, on an axis that is height high; what lies outside stands at its edge.
func (s scale) down(v, height float64) float64 {
	return height * (1 - min(1, max(0, v/s.Most)))
}

// tick is a number beside an axis.
func tick(v float64) string {
	if v >= 1000 && v == math.Trunc(v) {
		return thousands(int(v))
	}
	return units(v)
}

// across is a share of a plot's width, as its attributes have it.
func across(f float64) string { return units(100*f) + "%" }

// plotPin is an anomaly on a plot: a numbered mark that leads to its explanation.
type plotPin struct {
	N     int
	X, Y  float64 // across as a share, down in pixels
	To    string  // where its explanation is
	Title string
}

// plotBar is a bar of a plot: across in shares of the width, down in pixels.
type plotBar struct {
	X, W, Y, H float64
	Class      string
	Title      string
}

// plotTick is a word below a plot.
type plotTick struct {
	X      float64
	Anchor string // start, middle, end
	Word   string
}

// heatSteps are the shares from which a step of the heat map begins, and its words for the key.
var heatSteps = []struct {
	From float64
	Word string
}{{0, "never"}, {0.005, "under 5 % of days"}, {0.05, "5 to 15 %"}, {0.15, "15 to 35 %"}, {0.35, "35 to 65 %"}, {0.65, "65 % or more"}}

// heatClass is the class of a cell of the heat map.
func heatClass(share float64) string {
	step := 0
	for i, s := range heatSteps {
		if i > 0 && share >= s.From {
			step = i
		}
	}
	return fmt.Sprintf("heat-%d", step)
}

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// heatRow is the height of a row of the heat map.
const heatRow = 22

// heatMap are the cells of 168 hours, Monday 0:00 first: a row for each weekday. Nothing where there are not 168.
func heatMap(hours []float64) []plotBar {
	if len(hours) != 168 {
		return nil
	}
	out := make([]plotBar, 0, 168)
	for i, v := range hours {
		d, h := i/24, i%24
		out = append(out, plotBar{X: float64(h) / 24, W: 1.0 / 24, Y: float64(d * heatRow), H: heatRow, Class: heatClass(v),
			Title: fmt.Sprintf("%s %02d:00 to %02d:00: on %s of these days", weekdays[d], h, h+1, shareWord(v))})
	}
	return out
}

// shareWord is a share as per cent; what is not 0 is never said to be.
func shareWord(v float64) string {
	switch p := 100 * v; {
	case p <= 0:
		return "0 %"
	case p < 1:
		return "under 1 %"
	default:
		return fmt.Sprintf("%.0f %%", min(p, 100))
	}
}

// hoursSay is the heat map in a sentence.
func hoursSay(hours []float64, zone string) string {
	if len(hours) != 168 {
		return "Nothing is known of the hours yet."
	}
	var days []string
	var by [24]float64
	active := 0
	for d := range 7 {
		most := slices.Max(hours[24*d : 24*d+24])
		if most < 0.15 {
			continue
		}
		active++
		days = append(days, weekdays[d])
		for h := range 24 {
			by[h] += hours[24*d+h]
		}
	}
	if active == 0 {
		return "Mail is sent too rarely for an hour to stand out."
	}
	first, last := -1, -1
	most := slices.Max(by[:])
	for h, v := range by {
		if v >= most/4 {
			if first < 0 {
				first = h
			}
			last = h
		}
	}
	when := fmt.Sprintf("between %02d:00 and %02d:00", first, last+1)
	if first == 0 && last == 23 {
		when = "around the clock"
	}
	s := fmt.Sprintf("Sends mail mostly %s, %s (%s).", daysWord(days), when, nameOr(zone, "UTC"))
	if rest := 7 - active; rest > 0 && active >= 3 {
		var quiet []string
		for _, d := range weekdays {
			if !slices.Contains(days, d) {
				quiet = append(quiet, d)
			}
		}
		s += " Hardly ever on " + daysWord(quiet) + "."
	}
	return s
}

// daysWord are weekdays as people say them: three or more in a row by the first and the last.
func daysWord(days []string) string {
	if len(days) == 7 {
		return "every day"
	}
	if len(days) > 2 {
		at := slices.Index(weekdays, days[0])
		if at+len(days) <= 7 && slices.Equal(weekdays[at:at+len(days)], days) {
			return days[0] + " to " + days[len(days)-1]
		}
	}
	return andWords(days)
}

// andWords are words with commas, and an "and" before the last.
func andWords(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// volumePlot is how much was sent by day, with what was expected.
type volumePlot struct {
	Height float64
	Scale  scale
	Band   []plotBar // what nine of ten such days have
	Bars   []plotBar // what was sent
	Ticks  []plotTick
	Days   int // from the first to the last
	Above  int // days above their band
	Usual  float64
	Says   string
	first  time.Time
}

// at is where a day's middle is, and whether it is within the plot.
func (v *volumePlot) at(day string) (float64, bool) {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil || v.Days == 0 {
		return 0, false
	}
	n := int(t.Sub(v.first).Hours() / 24)
	return (float64(n) + .5) / float64(v.Days), n >= 0 && n < v.Days
}

// volumeOf makes the plot of days, the oldest first; it goes on to until, where that is later and not by more than a month.
func volumeOf(days []api.PersonaDay, until string) volumePlot {
	v := volumePlot{Height: 140}
	most := 0.0
	var usual []float64
	for _, d := range days {
		most = max(most, float64(d.Sent), d.High)
		if d.Sent > 0 {
			usual = append(usual, d.Usual)
		}
		if d.High > 0 && float64(d.Sent) > d.High {
			v.Above++
		}
	}
	v.Scale = scaleTo(most, true)
	if len(days) == 0 {
		v.Says = "No mail was learned yet."
		return v
	}
	v.first, _ = time.Parse(time.DateOnly, days[0].Day)
	last, _ := time.Parse(time.DateOnly, days[len(days)-1].Day)
	if end, err := time.Parse(time.DateOnly, until); err == nil && end.After(last) && end.Sub(last) < 31*24*time.Hour {
		last = end
	}
	v.Days = max(1, int(last.Sub(v.first).Hours()/24)+1)
	if short := 14 - v.Days; short > 0 { // two weeks at least, so that a bar is a bar
		v.first, v.Days = v.first.AddDate(0, 0, -short), 14
	}
	w := 1 / float64(v.Days)
	for _, d := range days {
		mid, ok := v.at(d.Day)
		if !ok {
			continue
		}
		x := mid - w/2
		title := daySays(d)
		if d.High > 0 {
			top, foot := v.Scale.down(d.High, v.Height), v.Scale.down(d.Low, v.Height)
			v.Band = append(v.Band, plotBar{X: x, W: w, Y: top, H: max(foot-top, 1), Class: "band", Title: title})
		}
		if d.Sent > 0 {
			y := v.Scale.down(float64(d.Sent), v.Height)
			class := "bar"
			if d.High > 0 && float64(d.Sent) > d.High {
				class = "bar over"
			}
			v.Bars = append(v.Bars, plotBar{X: x + w*.18, W: w * .64, Y: y, H: max(v.Height-y, 1.5), Class: class, Title: title})
		}
	}
	v.Ticks = dayTicks(v.first, v.Days)
	slices.Sort(usual)
	if len(usual) > 0 {
		v.Usual = usual[len(usual)/2]
	}
	v.Says = fmt.Sprintf("On a day with mail, about %s usual.", mailsAre(v.Usual))
	switch {
	case v.Above == 0:
		v.Says += " No day was above what was expected."
	case v.Above == 1:
		v.Says += " One day was above what was expected."
	default:
		v.Says += fmt.Sprintf(" %d of %s were above what was expected; one in twenty is by chance.", v.Above, plural(len(days), "day", "days"))
	}
	return v
}

func mailsAre(n float64) string {
	s := number(n)
	if s == "1" {
		return "one mail is"
	}
	return s + " mails are"
}

// number is a figure that was reckoned: with one digit after the point below 10, none above.
func number(v float64) string {
	if v < 10 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return thousands(int(math.Round(v)))
}

func daySays(d api.PersonaDay) string {
	s := fmt.Sprintf("%s: %d sent", longDay(d.Day), d.Sent)
	if d.High > 0 {
		s += fmt.Sprintf(", %s to %s expected", number(d.Low), number(d.High))
	}
	return s
}

// longDay is Mon 2 Mar 2026 of 2026-03-02.
func longDay(s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	return t.Format("Mon 2 Jan 2006")
}

// dayTicks are the first of the weeks that have room below days that begin at first: five at most.
func dayTicks(first time.Time, days int) []plotTick {
	every := 7 * max(1, (days/7+4)/5)
	if days <= 10 {
		every = max(1, (days+4)/5)
	}
	var out []plotTick
	for i := 0; i < days; i++ {
		t := first.AddDate(0, 0, i)
		monday := (int(t.Weekday()) + 6) % 7
		if days > 10 && (i-((7-(int(first.Weekday())+6)%7)%7))%every != 0 || days > 10 && monday != 0 || days <= 10 && i%every != 0 {
			continue
		}
		x := (float64(i) + .5) / float64(days)
		anchor := "middle"
		if x < .06 {
			anchor = "start"
		} else if x > .94 {
			anchor = "end"
		}
		out = append(out, plotTick{X: x, Anchor: anchor, Word: t.Format("2 Jan")})
	}
	return out
}

// sharePlot is what share of the mail goes outside, week by week, with its trend.
type sharePlot struct {
	Height float64
	Scale  scale
	Points []plotBar // marks: X and Y is the middle
	Path   string    // through them, 1,000 wide
	Trend  string
	Ticks  []plotTick
	Says   string
	weeks  []string
}

// at is where the week of a day is.
func (v *sharePlot) at(day string) (float64, bool) {
	for i := len(v.weeks) - 1; i >= 0; i-- {
		if v.weeks[i] <= day {
			return v.x(i), i < len(v.weeks)-1 || within7(v.weeks[i], day)
		}
	}
	return 0, false
}

func within7(monday, day string) bool {
	a, err := time.Parse(time.DateOnly, monday)
	b, err2 := time.Parse(time.DateOnly, day)
	return err == nil && err2 == nil && b.Sub(a) < 7*24*time.Hour
}

func (v *sharePlot) x(i int) float64 { return (float64(i) + .5) / float64(len(v.weeks)) }

// shareOf makes the plot of weeks, the oldest first.
func shareOf(weeks []api.PersonaWeek) sharePlot {
	v := sharePlot{Height: 7 * heatRow}
	most := 0.1
	for _, w := range weeks {
		most = max(most, w.Share, min(1, w.Line))
		v.weeks = append(v.weeks, w.Week)
	}
	v.Scale = scaleTo(math.Ceil(min(100, 100*most)), true)
	v.Scale.Most = min(v.Scale.Most, 100)
	v.Scale.Ticks = slices.DeleteFunc(v.Scale.Ticks, func(t float64) bool { return t > 100 })
	if len(weeks) == 0 {
		v.Says = "No week was learned yet."
		return v
	}
	every := max(1, (len(weeks)+4)/5)
	for i, w := range weeks {
		x, y := v.x(i), v.Scale.down(100*w.Share, v.Height)
		if w.Sent > 0 {
			v.Points = append(v.Points, plotBar{X: x, Y: y, Class: "dot", Title: fmt.Sprintf("Week of %s: %d of %s outside, %s", longDay(w.Week), w.Outside, plural(w.Sent, "mail", "mails"), shareWord(w.Share))})
			v.Path += step(v.Path) + units(1000*x) + " " + units(y)
		}
		v.Trend += step(v.Trend) + units(1000*x) + " " + units(v.Scale.down(100*w.Line, v.Height))
		if i%every == 0 {
			anchor := "middle"
			if x < .06 {
				anchor = "start"
			} else if x > .94 {
				anchor = "end"
			}
			v.Ticks = append(v.Ticks, plotTick{X: x, Anchor: anchor, Word: shortDay(w.Week)})
		}
	}
	last := weeks[len(weeks)-1]
	v.Says = fmt.Sprintf("In the last week %s of what was sent went outside.", shareWord(last.Share))
	if len(weeks) > 2 {
		by := 100 * (last.Line - weeks[0].Line) / float64(len(weeks)-1)
		switch {
		case math.Abs(by) < 0.5:
			v.Says += " The trend is level."
		case by > 0:
			v.Says += fmt.Sprintf(" The trend rises by %s points a week.", number(by))
		default:
			v.Says += fmt.Sprintf(" The trend falls by %s points a week.", number(-by))
		}
	}
	return v
}

// step begins a path, or goes on with it.
func step(path string) string {
	if path == "" {
		return "M"
	}
	return "L"
}

// unstack moves pins that would lie on each other apart, downwards; apart is how near they may be across.
func unstack(pins []plotPin, apart float64) {
	for i := range pins {
		for again := true; again; {
			again = false
			for _, q := range pins[:i] {
				if math.Abs(q.X-pins[i].X) < apart && math.Abs(q.Y-pins[i].Y) < 17 {
					pins[i].Y, again = q.Y+18, true
				}
			}
		}
	}
}

// endsAt is how a word at n of all is anchored, so that it stays within the plot.
func endsAt(n, all int) string {
	switch n {
	case 0:
		return "start"
	case all:
		return "end"
	}
	return "middle"
}
