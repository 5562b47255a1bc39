package audit

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// zoned are the forms of a time that name their zone; unzoned are those that do not and are UTC: Microsoft's audit times
// are, and Log Analytics' tables where their column says [UTC].
var (
	zoned   = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999Z07:00"}
	unzoned = []string{
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "1/2/2006, 3:04:05.999999999 PM", "1/2/2006 3:04:05.999999999 PM",
		"1/2/2006 15:04:05", "1/2/2006 3:04 PM", "2006-01-02T15:04", "2006-01-02", "02.01.2006 15:04:05",
	}
)

// Time reads a time; the zero time where it is none. A fraction may have nine digits.
func Time(s string) time.Time {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}
	}
	if ms, ok := strings.CutPrefix(s, "/Date("); ok { // .NET's JSON
		n, err := strconv.ParseInt(strings.TrimRight(ms, ")/"), 10, 64)
		if err != nil {
			return time.Time{}
		}
		return sane(time.UnixMilli(n))
	}
	for _, form := range zoned {
		if t, err := time.Parse(form, s); err == nil {
			return sane(t)
		}
	}
	for _, form := range unzoned {
		if t, err := time.Parse(form, s); err == nil {
			return sane(t)
		}
	}
	return time.Time{}
}

// sane keeps times that an audit log can have; others are none.
func sane(t time.Time) time.Time {
	if y := t.UTC().Year(); y < 2000 || y > 2200 {
		return time.Time{}
	}
	return t.UTC()
}

// addressOf is an IP address without its port, in its shortest form: "1.2.3.4:443", "[2001:db8::1]:443" or bare. What is none
// is empty.
func addressOf(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone("").String()
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone("").String()
	}
	if i := strings.LastIndexByte(s, ']'); i > 0 && s[0] == '[' { // a port that is no number
		return addressOf(s[1:i])
	}
	return ""
}
