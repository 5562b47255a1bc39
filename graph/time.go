package graph

import (
	"encoding/json"
	"strings"
	"time"
)

// Time is a time as Graph writes it, in UTC. What cannot be read is the zero time: one odd date must not cost the rest.
type Time struct{ time.Time }

// UnmarshalJSON reads RFC 3339, also without a zone; null and anything else is the zero time.
func (t *Time) UnmarshalJSON(b []byte) error {
	s, ok := asString(b)
	if !ok && json.Unmarshal(b, &s) != nil {
		s = ""
	}
	t.Time, _ = parseTime(s)
	return nil
}

// DateTimeTimeZone is a time of day somewhere.
type DateTimeTimeZone struct {
	DateTime string `json:"dateTime,omitempty"` // 2016-03-19T02:00:00.0000000
	TimeZone string `json:"timeZone,omitempty"` // UTC, an IANA name, or Windows's
}

// At is the moment meant; false when the zone is a Windows name, or the time cannot be read.
func (d DateTimeTimeZone) At() (time.Time, bool) {
	zone := time.UTC
	if d.TimeZone != "" && !strings.EqualFold(d.TimeZone, "UTC") {
		loc, err := time.LoadLocation(d.TimeZone)
		if err != nil || loc == time.Local {
			return time.Time{}, false
		}
		zone = loc
	}
	if t, err := time.Parse(time.RFC3339Nano, d.DateTime); err == nil {
		return t.UTC(), true
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", d.DateTime, zone)
	return t.UTC(), err == nil
}

// Flag is a boolean that was seen as the string "true" in Microsoft's own samples.
type Flag bool

// UnmarshalJSON reads true, "true" and "True" as true, and null as no change.
func (f *Flag) UnmarshalJSON(b []byte) error {
	if isNull(b) {
		return nil
	}
	*f = Flag(strings.EqualFold(strings.Trim(string(b), `"`), "true"))
	return nil
}
