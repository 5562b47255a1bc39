package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
)

// healthView is what the page of the stream's health shows.
type healthView struct {
	api.Stream
	Health api.StreamHealth
}

func (w *web) health(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	in := api.In{Tenant: p.Tenant.ID}
	var v healthView
	var err error
	if v.Stream, err = w.svc.GetStream(r.Context(), in); err != nil {
		return nil, err
	}
	if v.Health, err = w.svc.GetStreamHealth(r.Context(), in); err != nil {
		return nil, err
	}
	return healthPage(p, v), nil
}

func (w *web) letterReplay(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	_, err := w.svc.ReplayLetter(r.Context(), api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: r.PostFormValue("id")}})
	return tenantAt(tenant, "stream", "health"), &notice{Kind: "good", What: "It is tried again, behind what waits already."}, err
}

// subscriptionWords are the states of subscriptions as people say them.
var subscriptionWords = map[string]string{"on": "On", "wanted": "Being made", "refused": "Refused", "ending": "Being ended", "off": "Left out"}

// subscriptionWay is the way in which the mailboxes of a state are seen, as their list is filtered by.
var subscriptionWay = map[string]string{"on": api.WayTold, "wanted": api.WayWaits, "refused": api.WayRefused, "ending": api.WayLeftOut, "off": api.WayLeftOut}

func subscriptionWord(s string) string { return nameOr(subscriptionWords[s], sentence(s)) }

// minuteBars are the last hour's events as bars, 600 units wide and 48 high.
func minuteBars(minutes []int) (bars []rect, most, all int) {
	for _, n := range minutes {
		most, all = max(most, n), all+n
	}
	for i, n := range minutes {
		if n == 0 {
			continue
		}
		h := max(46*float64(n)/float64(max(most, 4)), 1.5)
		bars = append(bars, rect{X: float64(10*i + 1), Y: 48 - h, W: 8, H: h, Class: "f-accent", Title: fmt.Sprintf("%d min ago: %s", len(minutes)-1-i, plural(n, "event", "events"))})
	}
	return bars, most, all
}

// lagBar is a row of the lag's histogram.
type lagBar struct {
	Name  string
	Count int
	Share string // of the most, in a width of 1000
}

func lagBars(lag []api.StreamLag) []lagBar {
	most := 0
	for _, l := range lag {
		most = max(most, l.Count)
	}
	var out []lagBar
	last := 0
	for i, l := range lag {
		if l.Count > 0 {
			last = i
		}
	}
	for i, l := range lag {
		if i > max(last, 4) {
			break
		}
		name := "up to " + api.LagWord(l.Within)
		if l.Within == 0 {
			name = "longer"
		}
		out = append(out, lagBar{name, l.Count, share(l.Count, most)})
	}
	return out
}

// postedWords are what became of what was posted to the webhook, in the order they are told.
var postedWords = []struct{ Name, Word, Note string }{
	{"stored", "Stored", "on stable storage before it was acknowledged"},
	{"forged", "Not authentic", "not ours, or another tenant's: acknowledged, and dropped"},
	{"unreadable", "Not readable", "no notification, or none of a message"},
	{"too_long", "Too long", "more than 4 MB"},
	{"cut_off", "Broken off", "the sender hung up in the middle"},
	{"not_stored", "Could not be stored", "answered 503: Microsoft sends it again, for four hours"},
}

// postedRow is what became of so many.
type postedRow struct {
	Word, Note string
	Count      int64
}

// postedRows are the counts under their words; what has none stands under its name, behind them.
func postedRows(counts map[string]int64) []postedRow {
	var out []postedRow
	said := map[string]bool{}
	for _, w := range postedWords {
		out = append(out, postedRow{w.Word, w.Note, counts[w.Name]})
		said[w.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if !said[name] {
			out = append(out, postedRow{sentence(strings.ReplaceAll(name, "_", " ")), "", counts[name]})
		}
	}
	return out
}

func letterWord(l api.Letter) string {
	if l.Kind == "notified" {
		return "A message that could not be looked at"
	}
	return "An item that could not be folded (" + l.Kind + ")"
}
