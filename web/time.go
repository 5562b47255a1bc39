package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
)

// timeView is what the page of a mailbox's time shows.
type timeView struct {
	api.Timeline
	Query url.Values
	Kinds []string // chosen; none: all
	Days  []timeDay
	Until string
}

// timeDay is a day's items under its heading.
type timeDay struct {
	Name  string
	Items []api.TimelineItem
}

// timeKinds are what can be chosen, with how it is called.
var timeKinds = []struct{ Kind, Name, One string }{
	{"mail", "Mail", "Mail"}, {"folder", "Folders", "Folder"}, {"rule", "Rules", "Rule"}, {"signin", "Sign-ins", "Sign-in"}, {"directory", "Directory", "Directory"}, {"finding", "Findings", "Finding"}, {"action", "Actions", "Action"}, {"gap", "Not watched", "Not watched"},
}

func (w *web) mailboxTime(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := timeView{Query: kept(r), Kinds: q["kind"], Until: q.Get("until")}
	in := api.TimelineIn{ByPerson: api.ByPerson{In: api.In{Tenant: p.Tenant.ID}, Person: tocsin.PersonID(r.PathValue("person"))}, Paging: api.Paging{Limit: 100}, Kinds: strings.Join(v.Kinds, ","), Zone: lookOf(r.Context()).zone.String()}
	if v.Until != "" {
		at, err := time.Parse(time.RFC3339, v.Until)
		if err != nil {
			return nil, tocsin.Problemf(tocsin.Invalid, "Begin again with the mailbox's newest.", "%q is not a time.", v.Until)
		}
		in.Until = at
	}
	var err error
	if v.Timeline, err = w.svc.GetTimeline(r.Context(), in); err != nil {
		return nil, err
	}
	v.Days = daysOf(r.Context(), v.Items)
	p.Title = "Mailbox over time"
	return timePage(p, v), nil
}

// daysOf puts items under the days of the viewer's zone.
func daysOf(ctx context.Context, items []api.TimelineItem) []timeDay {
	zone := lookOf(ctx).zone
	var out []timeDay
	for _, i := range items {
		name := i.At.In(zone).Format("Monday, 2 January 2006")
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, timeDay{Name: name})
		}
		out[len(out)-1].Items = append(out[len(out)-1].Items, i)
	}
	return out
}

func (v timeView) chosen(kind string) bool { return slices.Contains(v.Kinds, kind) }

// older is where the next piece is.
func (v timeView) older(path string) string {
	next := url.Values{}
	for k, vs := range v.Query {
		next[k] = vs
	}
	next.Set("until", v.Next.UTC().Format("2006-01-02T15:04:05.000Z"))
	return path + "?" + next.Encode()
}

func kindName(kind string) string {
	for _, k := range timeKinds {
		if k.Kind == kind {
			return k.One
		}
	}
	return sentence(kind)
}

// timeWord is what an item is, in a word or two.
func timeWord(i api.TimelineItem) string {
	switch i.Kind {
	case "mail":
		return mailWord(i.Action)
	case "finding":
		return "Finding"
	case "action":
		return sentence(strings.ReplaceAll(i.Action, "_", " "))
	case "gap":
		return "Not watched"
	}
	return kindName(i.Kind)
}

// timeAt is where an item's own page is; empty where it has none.
func timeAt(p *page, v timeView, i api.TimelineItem) string {
	switch i.Kind {
	case "finding":
		return p.at("findings", i.ID)
	case "action":
		return p.at("actions", i.ID)
	case "gap":
		return p.at("stream", "gaps")
	}
	return p.at("stream", "events", i.ID)
}

// hourBars are a day's hours as bars, 240 units wide and 48 high.
func hourBars(hours []int) []rect {
	most := 1
	for _, n := range hours {
		most = max(most, n)
	}
	var out []rect
	for h, n := range hours {
		high := 46 * float64(n) / float64(most)
		if n > 0 {
			high = max(high, 1.5)
		}
		out = append(out, rect{X: float64(10*h + 1), Y: 48 - high, W: 8, H: high, Class: "f-accent", Title: fmt.Sprintf("%02d:00 to %02d:00: %s", h, h+1, plural(n, "event", "events"))})
	}
	return out
}

// hourWords say when most happens.
func hourWords(v timeView) string {
	if v.Of == 0 {
		return "Nothing in the last 30 days."
	}
	best := 0
	for h, n := range v.Hours {
		if n > v.Hours[best] {
			best = h
		}
	}
	return fmt.Sprintf("%s in the last 30 days; most between %02d:00 and %02d:00.", plural(v.Of, "event", "events"), best, best+1)
}

// clockOf is t's time of day in the viewer's zone.
func clockOf(ctx context.Context, t time.Time) string {
	return t.In(lookOf(ctx).zone).Format("15:04:05")
}
