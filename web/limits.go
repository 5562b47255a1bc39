package web

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev/api"
)

// limits shows how near each connection of the tenant is to Microsoft's limits.
func (w *web) limits(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	in := api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}
	cs, err := w.svc.ListConnections(r.Context(), in)
	if err != nil {
		return nil, err
	}
	var all []api.Limit
	for {
		list, err := w.svc.ListLimits(r.Context(), in)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if in.After = list.Next; in.After == "" {
			break
		}
	}
	return limitsPage(p, nearness(cs.Items, all)), nil
}

// near is how near a connection is to its limits.
type near struct {
	api.Connection
	Used, Idle []api.Limit // those that calls have counted in, and those that none has
	Waiting    int
	Throttled  int64
	Nearest    *api.Limit // by its percentage
	Last       *api.Limit // the one with the latest refusal
}

func nearness(cs []api.Connection, all []api.Limit) []near {
	var out []near
	for _, c := range cs {
		n := near{Connection: c}
		for _, l := range all {
			if l.Connection != c.ID {
				continue
			}
			if l.Spent == 0 && l.Used == 0 && l.Held == 0 && l.Throttled == 0 && l.State == "calm" {
				n.Idle = append(n.Idle, l)
				continue
			}
			n.Used = append(n.Used, l)
			n.Waiting += l.Waiting
			n.Throttled += l.Throttled
			if l.Limit >= 10 && (n.Nearest == nil || l.Percent > n.Nearest.Percent) { // of a few calls one alone is much
				n.Nearest = &n.Used[len(n.Used)-1]
			}
			if l.Last != nil && (n.Last == nil || l.Last.At.After(n.Last.Last.At)) {
				n.Last = &n.Used[len(n.Used)-1]
			}
		}
		out = append(out, n)
	}
	return out
}

// limitStates are the shape and the words of a limit's state.
var limitStates = map[string][2]string{
	"calm":    {"ok", "Calm"},
	"near":    {"part", "Near"},
	"holding": {"busy", "Calls wait"},
	"blocked": {"bad", "Kept off"},
}

func limitState(name string) (mark, word string) {
	if w, ok := limitStates[name]; ok {
		return w[0], w[1]
	}
	return "unknown", sentence(name)
}

// sharers says in words who shares a limit.
func sharers(l api.Limit) string {
	switch l.Shared {
	case "app_and_tenant":
		return "of this app in this tenant"
	case "app":
		return "of this app in all its tenants"
	case "tenant":
		return "of all apps in this tenant"
	case "mailbox":
		return "of this app, each mailbox"
	}
	return strings.ReplaceAll(l.Shared, "_", " ")
}

// windowWord is a limit's window as people say it.
func windowWord(seconds float64) string {
	short := func(f float64) string { return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64) }
	switch {
	case seconds <= 0:
		return "at once"
	case seconds == 1:
		return "a second"
	case seconds < 120:
		return "in " + short(seconds) + " s"
	}
	return "in " + short(seconds/60) + " min"
}

// amount is a number of a limit's unit.
func amount(n int, unit string) string {
	if unit != "bytes" {
		return thousands(n)
	}
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	case n < 10_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1_000_000)
	}
	return fmt.Sprintf("%s MB", thousands(n/1_000_000))
}

// usedWord says how much of a limit is used: 1,240 of 3,500 units.
func usedWord(l api.Limit) string {
	s := amount(l.Used, l.Unit) + " of " + amount(l.Limit, l.Unit)
	if l.Unit == "bytes" {
		return s
	}
	if l.Limit == 1 {
		return s + " " + strings.TrimSuffix(l.Unit, "s")
	}
	return s + " " + l.Unit
}

// lasting is a stretch of time in few letters.
func lasting(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Minute {
		return strconv.FormatFloat(math.Ceil(seconds*10)/10, 'f', -1, 64) + " s"
	}
	if d < 2*time.Hour {
		return fmt.Sprintf("%.0f min", math.Ceil(d.Minutes()))
	}
	return fmt.Sprintf("%.0f h", math.Ceil(d.Hours()))
}

// barWidth is a percentage as a bar of a hundred shows it; what is used at all is seen.
func barWidth(percent int) string {
	if percent > 0 {
		percent = max(percent, 1)
	}
	return fmt.Sprint(min(percent, 100))
}

// barTone is the colour of a bar; its length and the words beside it say the same.
func barTone(l api.Limit) string {
	switch l.State {
	case "blocked":
		return "f-critical"
	case "near", "holding":
		return "f-medium"
	}
	return "f-accent"
}
