package graph

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	longest    = 24 * time.Hour // that a Retry-After is believed
	maxBackoff = 30 * time.Second
)

// parseAfter reads Retry-After: whole or fractional seconds (Microsoft's own sample has 2.128), or an HTTP date.
// now is the sender's clock.
func parseAfter(s string, now time.Time) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if t, err := http.ParseTime(s); err == nil {
		return bounded(t.Sub(now)), true
	}
	if strings.ContainsAny(s, "xXpPnN_") { // hexadecimal, NaN, Infinity: Go reads them, HTTP has none
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 {
		return 0, false
	}
	if f > longest.Seconds() {
		return longest, true
	}
	return bounded(time.Duration(f * float64(time.Second))), true
}

func bounded(d time.Duration) time.Duration { return min(max(d, 0), longest) }

// after is how long the headers ask to wait, or otherwise when they do not say. A date is read by the clock of who sent it.
func after(h http.Header, now time.Time, otherwise time.Duration) time.Duration {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		now = t
	}
	if d, ok := parseAfter(h.Get("Retry-After"), now); ok {
		return d
	}
	return otherwise
}

// backoff doubles with each try, from base on, and is spread so that those who failed together do not come back together.
func backoff(base time.Duration, try int) time.Duration {
	d := min(base<<min(try-1, 16), maxBackoff)
	return d/2 + rand.N(d/2+1)
}
