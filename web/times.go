package web

import (
	"context"
	"fmt"
	"time"
)

// look is how one request wishes to see things; components find it in their context.
type look struct {
	now   time.Time
	zone  *time.Location
	theme string // light, dark, or empty for what the system says
}

type lookKey struct{}

func withLook(ctx context.Context, l *look) context.Context {
	return context.WithValue(ctx, lookKey{}, l)
}

func lookOf(ctx context.Context) *look {
	if l, ok := ctx.Value(lookKey{}).(*look); ok {
		return l
	}
	return &look{now: time.Now(), zone: time.UTC}
}

// exact is t to the second in the viewer's zone, for tooltips and print.
func exact(ctx context.Context, t time.Time) string {
	l := lookOf(ctx)
	return t.In(l.zone).Format("2006-01-02 15:04:05 MST")
}

// exactMillis is t to the millisecond in the viewer's zone.
func exactMillis(ctx context.Context, t time.Time) string {
	return t.In(lookOf(ctx).zone).Format("2 Jan 2006, 15:04:05.000")
}

// day is t's date in the viewer's zone.
func day(ctx context.Context, t time.Time) string {
	return t.In(lookOf(ctx).zone).Format("2 Jan 2006")
}

// clock is t to the minute in the viewer's zone.
func clock(ctx context.Context, t time.Time) string {
	return t.In(lookOf(ctx).zone).Format("2 Jan 2006, 15:04")
}

// ago is how long t is past, or ahead, in the coarsest unit that still says something.
func ago(ctx context.Context, t time.Time) string {
	d := lookOf(ctx).now.Sub(t)
	switch {
	case d > -45*time.Second && d < -time.Second: // less is a clock read a little later
		return "in a moment"
	case d >= -time.Second && d < 45*time.Second:
		return "just now"
	case d < 0:
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// span is d in one unit: minutes below an hour, then hours to two days, days, months, years.
func span(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min", max(1, int(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d < 60*24*time.Hour:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	case d < 700*24*time.Hour:
		return fmt.Sprintf("%d months", int(d.Hours()/24/30.4+.5))
	}
	return fmt.Sprintf("%.1f years", d.Hours()/24/365.25)
}

// thousands is n with thin spaces between groups of three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// plural is n with the word for it.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}
