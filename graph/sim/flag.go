package sim

import (
	"slices"
	"strings"
	"time"
)

// flagDates are the days of a follow-up flag, as they were given.
type flagDates struct{ start, due, completed *flagDate }

// flagDate is Graph's dateTimeTimeZone.
type flagDate struct{ DateTime, TimeZone string }

func (d *flagDate) object() obj { return obj{{"dateTime", d.DateTime}, {"timeZone", d.TimeZone}} }

// flagObject is the message's flag; days that are not set are not there.
func (m *message) flagObject() obj {
	o := obj{{"flagStatus", m.flagged()}}
	if m.flagDates == nil {
		return o
	}
	for _, d := range []struct {
		name string
		at   *flagDate
	}{{"completedDateTime", m.flagDates.completed}, {"dueDateTime", m.flagDates.due}, {"startDateTime", m.flagDates.start}} {
		if d.at != nil {
			o = append(o, member{d.name, d.at.object()})
		}
	}
	return o
}

// flagState is the flag with its days, as one text.
func (m *message) flagState() string {
	out := m.flagged()
	for _, part := range m.flagObject()[1:] {
		out += " " + part.k + "=" + part.v.(obj).text("dateTime")
	}
	return out
}

// mailFlag is what a request says of a flag.
type mailFlag struct {
	FlagStatus        string
	StartDateTime     *flagDate
	DueDateTime       *flagDate
	CompletedDateTime *flagDate
}

// wrong says what Graph refuses: https://learn.microsoft.com/graph/api/resources/followupflag.
func (f *mailFlag) wrong() string {
	switch {
	case !slices.Contains([]string{"notFlagged", "flagged", "complete"}, f.FlagStatus):
		return "The flagStatus '" + f.FlagStatus + "' is not known."
	case f.DueDateTime != nil && f.StartDateTime == nil:
		return "The dueDateTime of a flag needs its startDateTime."
	case f.FlagStatus == "notFlagged" && (f.DueDateTime != nil || f.StartDateTime != nil || f.CompletedDateTime != nil):
		return "A message that is not flagged has no dates."
	}
	for _, d := range []*flagDate{f.StartDateTime, f.DueDateTime, f.CompletedDateTime} {
		if d == nil {
			continue
		}
		if _, err := time.Parse("2006-01-02T15:04:05.9999999", d.DateTime); err != nil || d.TimeZone == "" {
			return "A date of the flag is not a dateTimeTimeZone."
		}
	}
	return ""
}

func (f *mailFlag) into(m *message) {
	m.flag, m.flagDates = strings.TrimPrefix(f.FlagStatus, "notFlagged"), nil
	if f.StartDateTime != nil || f.DueDateTime != nil || f.CompletedDateTime != nil {
		m.flagDates = &flagDates{f.StartDateTime, f.DueDateTime, f.CompletedDateTime}
	}
}
