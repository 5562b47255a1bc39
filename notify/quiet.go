package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
)

// Quiet is when a channel does not tell: between two times of day, and on whole days, by the clock of a place. What is at
// least as severe as Except comes through.
type Quiet struct {
	From   string          `json:"from,omitempty"` // 22:00; empty for no hours
	To     string          `json:"to,omitempty"`   // 07:00
	Days   []string        `json:"days,omitempty"` // sat, sun
	Zone   string          `json:"zone,omitempty"` // IANA: Europe/Berlin
	Except tocsin.Severity `json:"except,omitempty"`
}

// Days are the words for the days of the week.
var Days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (q *Quiet) some() bool { return q.From != "" || len(q.Days) > 0 }

// check says what cannot be right about q.
func (q *Quiet) check() error {
	if _, err := time.LoadLocation(q.Zone); err != nil || strings.EqualFold(q.Zone, "local") {
		return tocsin.Problemf(tocsin.Invalid, "Give a time zone such as Europe/Berlin or America/New_York.", "There is no time zone %q.", q.Zone)
	}
	if (q.From == "") != (q.To == "") {
		return tocsin.Problemf(tocsin.Invalid, "Give both times, or neither.", "Quiet hours need a beginning and an end.")
	}
	if q.From != "" {
		from, ok := minuteOf(q.From)
		to, ok2 := minuteOf(q.To)
		if !ok || !ok2 {
			return tocsin.Problemf(tocsin.Invalid, "Write times as 22:00 and 07:00.", "The quiet hours %s to %s are no times of day.", q.From, q.To)
		}
		if from == to {
			return tocsin.Problemf(tocsin.Invalid, "Switch the channel off instead, or give different times.", "Quiet hours from %s to %s would be all day.", q.From, q.To)
		}
	}
	for _, d := range q.Days {
		if !slices.Contains(Days, d) {
			return tocsin.Problemf(tocsin.Invalid, "Use mon, tue, wed, thu, fri, sat and sun.", "There is no day %q.", d)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(q.Days)))) == 7 {
		return tocsin.Problemf(tocsin.Invalid, "Switch the channel off instead.", "All days would be quiet.")
	}
	return nil
}

// minuteOf is a time of day in minutes.
func minuteOf(s string) (int, bool) {
	var h, m int
	if n, err := fmt.Sscanf(s, "%02d:%02d", &h, &m); err != nil || n != 2 || fmt.Sprintf("%02d:%02d", h, m) != s || h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	return h*60 + m, true
}

// is says whether it is quiet when the clocks of the zone show local.
func (q *Quiet) is(local time.Time) bool {
	if slices.Contains(q.Days, Days[local.Weekday()]) {
		return true
	}
	from, ok := minuteOf(q.From)
	to, ok2 := minuteOf(q.To)
	if !ok || !ok2 {
		return false
	}
	now := local.Hour()*60 + local.Minute()
	if from < to {
		return now >= from && now < to
	}
	return now >= from || now < to
}

// until is when the quiet that holds at now ends; the zero time where it does not hold. It goes by what clocks show, minute
// by minute, so that an hour that is left out or comes twice in a year is as it should be.
func (q *Quiet) until(now time.Time) time.Time {
	if !q.some() {
		return time.Time{}
	}
	zone, err := time.LoadLocation(q.Zone)
	if err != nil || !q.is(now.In(zone)) {
		return time.Time{}
	}
	t := now.Truncate(time.Minute)
	for range 8 * 24 * 60 {
		if t = t.Add(time.Minute); !q.is(t.In(zone)) {
			break
		}
	}
	return t.UTC()
}
