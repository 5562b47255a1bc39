package query

import (
	"strconv"
	"strings"
	"time"
)

// moment is a day, a minute or a second as written, from its beginning to its end.
type moment func(now time.Time) (from, to time.Time)

// dateForms are the forms of a date, and how long each lasts.
var dateForms = []struct {
	layout string
	lasts  func(time.Time) time.Time
}{
	{"2006-01-02", days(1)}, {"2006-01-02T15:04:05Z07:00", lasts(time.Second)}, {"2006-01-02T15:04:05", lasts(time.Second)}, {"2006-01-02T15:04Z07:00", lasts(time.Minute)},
	{"2006-01-02T15:04", lasts(time.Minute)}, {"2006-01-02 15:04", lasts(time.Minute)}, {"2006-01-02 15:04:05", lasts(time.Second)}, {"1/2/2006", days(1)},
	{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }}, {"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
}

func days(n int) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return t.AddDate(0, 0, n) }
}

func lasts(d time.Duration) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return t.Add(d) }
}

// momentOf reads a date; relative ones are told by the day on which is asked, in UTC.
func momentOf(s string) moment {
	s = strings.TrimSpace(s)
	for _, f := range dateForms {
		if t, err := time.Parse(f.layout, s); err == nil && t.Year() >= 1970 && t.Year() < 3000 {
			t = t.UTC()
			return func(time.Time) (time.Time, time.Time) { return t, f.lasts(t) }
		}
	}
	day := func(now time.Time) time.Time {
		y, m, d := now.UTC().Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	low := strings.ToLower(strings.Join(strings.Fields(s), " "))
	switch low {
	case "now":
		return func(now time.Time) (time.Time, time.Time) { return now, now }
	case "today":
		return func(now time.Time) (time.Time, time.Time) { return day(now), day(now).AddDate(0, 0, 1) }
	case "yesterday":
		return func(now time.Time) (time.Time, time.Time) { return day(now).AddDate(0, 0, -1), day(now) }
	case "this week", "last week": // from Monday
		return func(now time.Time) (time.Time, time.Time) {
			monday := day(now).AddDate(0, 0, -(int(day(now).Weekday())+6)%7)
			if low == "last week" {
				monday = monday.AddDate(0, 0, -7)
			}
			return monday, monday.AddDate(0, 0, 7)
		}
	case "this month", "last month":
		return func(now time.Time) (time.Time, time.Time) {
			first := day(now).AddDate(0, 0, 1-day(now).Day())
			if low == "last month" {
				first = first.AddDate(0, -1, 0)
			}
			return first, first.AddDate(0, 1, 0)
		}
	case "this year", "last year":
		return func(now time.Time) (time.Time, time.Time) {
			y := now.UTC().Year()
			if low == "last year" {
				y--
			}
			return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(y+1, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	}
	if len(low) > 1 && len(low) < 6 {
		n, err := strconv.Atoi(low[:len(low)-1])
		if err == nil && n >= 0 {
			switch low[len(low)-1] {
			case 'h':
				return func(now time.Time) (time.Time, time.Time) {
					return now.Add(-time.Duration(n) * time.Hour), now.Add(-time.Duration(n) * time.Hour)
				}
			case 'd':
				return func(now time.Time) (time.Time, time.Time) { return now.AddDate(0, 0, -n), now.AddDate(0, 0, -n) }
			}
		}
	}
	return nil
}

// relative says whether a moment depends on when is asked.
func relative(m moment) bool {
	a, _ := m(time.Unix(0, 0))
	b, _ := m(time.Unix(1e9, 0))
	return !a.Equal(b)
}

func (p *parser) date(t *term, value token) error {
	bad := func() error {
		return p.wrong(value.at, `Write 2026-01-31, 2026-01-01..2026-01-31, 2026-01-31T15:04, today, yesterday, "last week" or, for seven days ago, 7d.`, "%q is no date", value.text)
	}
	if value.star {
		return bad()
	}
	low, high, both := strings.Cut(value.text, "..")
	first := momentOf(low)
	if first == nil || both && t.op != ":" {
		return bad()
	}
	last := first
	if both {
		if last = momentOf(high); last == nil {
			return bad()
		}
		if !relative(first) && !relative(last) {
			a, _ := first(time.Time{})
			if _, b := last(time.Time{}); !a.Before(b) {
				return p.wrong(value.at, "Write the earlier one first.", "the range is empty")
			}
		}
	}
	moving := relative(first) || relative(last)
	op := t.op
	t.span = func(now time.Time) (from, to time.Time, ok bool) {
		if moving && now.IsZero() {
			return from, to, false
		}
		a, b := first(now)
		if both {
			_, b = last(now)
		}
		switch op {
		case ":":
			from, to = a, b
			if a.Equal(b) { // "7d": the last seven days
				from, to = a, now
			}
		case ">":
			from = b
			if a.Equal(b) {
				from = b.Add(time.Nanosecond)
			}
		case ">=":
			from = a
		case "<":
			to = a
		case "<=":
			to = b
			if a.Equal(b) {
				to = b.Add(time.Nanosecond)
			}
		}
		return from, to, true
	}
	return nil
}
