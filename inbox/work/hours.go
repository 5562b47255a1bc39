package work

import (
	"time"

	"tocsin.dev"
)

// BusinessHours are business hours: per day of the week from when to when, in minutes since midnight of a zone. With no day they are always.
type BusinessHours struct {
	Zone     string    `json:"zone"`     // IANA, Europe/Berlin; empty: UTC
	Week     [7][2]int `json:"week"`     // Sunday first; [0 0]: closed; [0 1440]: the whole day
	Holidays []string  `json:"holidays"` // 2026-12-25
}

// Sound says what is wrong with the hours.
func (h BusinessHours) Sound() error {
	if _, err := time.LoadLocation(h.Zone); err != nil {
		return tocsin.Problemf(tocsin.Invalid, "Give a zone such as Europe/Berlin.", "There is no time zone %q.", h.Zone)
	}
	for _, d := range h.Week {
		if d[0] < 0 || d[1] > 24*60 || d[0] > d[1] {
			return tocsin.Problemf(tocsin.Invalid, "Give minutes since midnight, 0 to 1440, the end after the beginning.", "A day cannot be open from %d to %d.", d[0], d[1])
		}
	}
	for _, d := range h.Holidays {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return tocsin.Problemf(tocsin.Invalid, "Give days such as 2026-12-25.", "%q is not a day.", d)
		}
	}
	if len(h.Holidays) > 400 {
		return tocsin.Problemf(tocsin.Invalid, "Leave out those that are over.", "There are more than 400 holidays.")
	}
	return nil
}

// always says that no day is given.
func (h *BusinessHours) always() bool { return h.Week == [7][2]int{} }

// day is when a day is open; the zero times where it is not. On a day with a change of clocks its hours are as the clock on the wall shows them.
func (h *BusinessHours) day(at time.Time) (from, to time.Time) {
	y, m, d := at.Date()
	of := h.Week[at.Weekday()]
	if of[0] == of[1] {
		return time.Time{}, time.Time{}
	}
	for _, off := range h.Holidays {
		if off == at.Format(time.DateOnly) {
			return time.Time{}, time.Time{}
		}
	}
	return time.Date(y, m, d, 0, of[0], 0, 0, at.Location()), time.Date(y, m, d, 0, of[1], 0, 0, at.Location())
}

func (h *BusinessHours) in(t time.Time) time.Time {
	zone, err := time.LoadLocation(h.Zone)
	if err != nil {
		zone = time.UTC // it was sound when it was kept; a server without this zone counts in UTC
	}
	return t.In(zone)
}

// mostDays is how far business time is counted: what is due later than that is due then.
const mostDays = 3 * 366

// Add is when a span of business time after a moment is over.
func (h *BusinessHours) Add(at time.Time, span time.Duration) time.Time {
	if h.always() {
		return at.Add(span)
	}
	day := h.in(at)
	for range mostDays {
		from, to := h.day(day)
		if from.Before(at) {
			from = at
		}
		if to.After(from) {
			if left := to.Sub(from); span <= left {
				return from.Add(span)
			} else {
				span -= left
			}
		}
		day = nextDay(day)
	}
	return day
}

// Between is how much business time lies between two moments; 0 where the second is not after the first.
func (h *BusinessHours) Between(a, b time.Time) (sum time.Duration) {
	if !b.After(a) {
		return 0
	}
	if h.always() {
		return b.Sub(a)
	}
	day := h.in(a)
	for range mostDays {
		from, to := h.day(day)
		if from.Before(a) {
			from = a
		}
		if to.After(b) {
			to = b
		}
		if to.After(from) {
			sum += to.Sub(from)
		}
		if day = nextDay(day); day.After(b) {
			break
		}
	}
	return sum
}

// nextDay is the beginning of the day after.
func nextDay(at time.Time) time.Time {
	y, m, d := at.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, at.Location())
}
