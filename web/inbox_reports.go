package web

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// inboxReportsView is how inboxes did in a time: one of them, or each.
type inboxReportsView struct {
	Inbox string
	Days  int
	Since time.Time
	Boxes []api.SharedInbox
	List  []boxReport
	Plot  mailPlot
}

// boxReport is how an inbox did.
type boxReport struct {
	Box api.SharedInbox
	api.InboxReport
}

var reportDays = [][2]string{{"7", "7 days"}, {"30", "30 days"}, {"90", "90 days"}, {"365", "1 year"}}

// mostReports is of how many inboxes a page has reports.
const mostReports = 50

func (w *web) inboxReportsOf(ctx context.Context, tenant tocsin.TenantID, q url.Values) (v inboxReportsView, err error) {
	v.Inbox, v.Days = q.Get("inbox"), 30
	if n := atoi(q.Get("days")); n > 0 && n <= 3650 {
		v.Days = n
	}
	in := api.In{Tenant: tenant}
	boxes, err := w.svc.ListInboxes(ctx, api.ListIn{In: in, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return v, err
	}
	v.Boxes = boxes.Items
	now := lookOf(ctx).now
	v.Since = now.AddDate(0, 0, -v.Days)
	for _, b := range v.Boxes {
		if v.Inbox != "" && b.ID != v.Inbox || len(v.List) == mostReports {
			continue
		}
		got, err := w.svc.ReportInbox(ctx, api.InboxReportIn{ByID: api.ByID{In: in, ID: b.ID}, Since: v.Since, Until: now})
		if err != nil {
			return v, err
		}
		v.List = append(v.List, boxReport{b, got})
	}
	if v.Inbox != "" && len(v.List) == 0 {
		return v, tocsin.Problemf(tocsin.NotFound, "Choose another.", "There is no such inbox.")
	}
	v.Plot = mailsByDay(v.days(), v.Since, v.Days)
	return v, nil
}

func (w *web) inboxReports(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := w.inboxReportsOf(r.Context(), p.Tenant.ID, r.URL.Query())
	return inboxReportsPage(p, v), err
}

// days are the mails of a day, of all inboxes of the report.
func (v inboxReportsView) days() (out []api.InboxReportDay) {
	by := map[string]*api.InboxReportDay{}
	for _, b := range v.List {
		for _, d := range b.Days {
			if by[d.Day] == nil {
				by[d.Day] = &api.InboxReportDay{Day: d.Day}
			}
			by[d.Day].In += d.In
			by[d.Day].Out += d.Out
		}
	}
	for _, d := range by {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b api.InboxReportDay) int {
		if a.Day < b.Day {
			return -1
		}
		return 1
	})
	return out
}

// sum adds a figure of all inboxes of the report.
func (v inboxReportsView) sum(of func(api.InboxReport) int) (n int) {
	for _, b := range v.List {
		n += of(b.InboxReport)
	}
	return n
}

func (v inboxReportsView) boxChoices() [][2]string {
	out := [][2]string{{"", "Every inbox"}}
	for _, b := range v.Boxes {
		out = append(out, [2]string{b.ID, b.Name})
	}
	return out
}

// metWord is the share of service times that were met, of what was timed.
func metWord(met, missed int) string {
	if met+missed == 0 {
		return "–"
	}
	return shareWord(float64(met) / float64(met+missed))
}

func totalOf(by map[string]int) (n int) {
	for _, x := range by {
		n += x
	}
	return n
}

// minutesWord is minutes as people say them.
func minutesWord(s api.InboxSpread, minutes float64) string {
	switch {
	case s.N == 0:
		return "–"
	case minutes < 1:
		return "under 1 min"
	case minutes < 90:
		return fmt.Sprintf("%.0f min", minutes)
	case minutes < 48*60:
		return number(minutes/60) + " h"
	}
	return number(minutes/60/24) + " days"
}

// mailPlot is how many mails came and went by day.
type mailPlot struct {
	Height float64
	Scale  scale
	Bars   []plotBar
	Ticks  []plotTick
	Says   string
}

// mailsByDay makes the plot of days from the first on; of long times a bar is a week.
func mailsByDay(days []api.InboxReportDay, first time.Time, n int) mailPlot {
	v := mailPlot{Height: 140}
	first, step := first.UTC().Truncate(24*time.Hour), 1
	if n++; n > 120 { // the day on which it began counts too
		step = 7
	}
	type sum struct{ in, out int }
	bars, came, went := make([]sum, (n+step-1)/step), 0, 0
	for _, d := range days {
		at, err := time.Parse(time.DateOnly, d.Day)
		if i := int(at.Sub(first).Hours()/24) / step; err == nil && !at.Before(first) && i < len(bars) {
			bars[i].in += d.In
			bars[i].out += d.Out
		}
		came, went = came+d.In, went+d.Out
	}
	most := 0
	for _, b := range bars {
		most = max(most, b.in, b.out)
	}
	v.Scale = scaleTo(float64(most), true)
	w := 1 / float64(len(bars))
	for i, b := range bars {
		day := first.AddDate(0, 0, i*step)
		title := day.Format("Mon 2 Jan 2006")
		if step > 1 {
			title = "Week from " + title
		}
		title += ": " + plural(b.in, "mail", "mails") + " came, " + thousands(b.out) + " sent"
		for j, x := range []int{b.in, b.out} {
			if x > 0 {
				y := v.Scale.down(float64(x), v.Height)
				v.Bars = append(v.Bars, plotBar{X: (float64(i) + .14 + .36*float64(j)) * w, W: .34 * w, Y: y, H: max(v.Height-y, 1.5), Class: []string{"bar", "bar sent"}[j], Title: title})
			}
		}
	}
	v.Ticks = dayTicks(first, n)
	v.Says = plural(came, "mail", "mails") + " came, " + thousands(went) + " sent."
	return v
}

// inboxReportsCSV is a table of the report as a file: by inbox, agent, tag or day.
func (w *web) inboxReportsCSV(rw http.ResponseWriter, r *http.Request) {
	if _, ok := api.CallerOf(r.Context()); !ok {
		w.toDoor(rw, r)
		return
	}
	v, err := w.inboxReportsOf(r.Context(), tocsin.TenantID(r.PathValue("tenant")), r.URL.Query())
	if err != nil {
		w.sorry(rw, r, err)
		return
	}
	by := r.URL.Query().Get("by")
	rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
	rw.Header().Set("Content-Disposition", `attachment; filename="inbox-report.csv"`)
	rw.Header().Set("Cache-Control", "no-store")
	out := csv.NewWriter(rw)
	for _, row := range v.rows(by) {
		_ = out.Write(harmless(row)) // an error stays in out
	}
	out.Flush()
}

// rows are the report as a table; minutes are of business time where an inbox has hours.
func (v inboxReportsView) rows(by string) [][]string {
	minutes := func(s api.InboxSpread) []string {
		if s.N == 0 {
			return []string{"0", "", "", ""}
		}
		f := func(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }
		return []string{strconv.Itoa(s.N), f(s.Median), f(s.Ninety), f(s.Most)}
	}
	spreads := []string{"answered", "first_answer_median_minutes", "first_answer_p90_minutes", "first_answer_most_minutes", "resolved", "resolution_median_minutes", "resolution_p90_minutes", "resolution_most_minutes"}
	var out [][]string
	switch by {
	case "day":
		out = append(out, []string{"day", "in", "out"})
		for _, d := range v.days() {
			out = append(out, []string{d.Day, strconv.Itoa(d.In), strconv.Itoa(d.Out)})
		}
	case "agent":
		out = append(out, append([]string{"inbox", "agent", "address", "threads"}, spreads...))
		for _, b := range v.List {
			for _, p := range b.People {
				name, address := "nobody", ""
				if p.Who != nil {
					name, address = workerName(p.Who), p.Who.Email
				}
				out = append(out, append(append([]string{b.Box.Name, name, address, strconv.Itoa(p.Threads)}, minutes(p.Answer)...), minutes(p.Resolution)...))
			}
		}
	case "tag":
		out = append(out, append([]string{"inbox", "tag", "threads"}, spreads...))
		for _, b := range v.List {
			for _, g := range b.Tags {
				out = append(out, append(append([]string{b.Box.Name, g.Tag.Name, strconv.Itoa(g.Threads)}, minutes(g.Answer)...), minutes(g.Resolution)...))
			}
		}
	default:
		out = append(out, append([]string{"inbox", "address", "threads", "spam", "from_first_reading", "service_met", "service_missed"}, spreads...))
		for _, b := range v.List {
			out = append(out, append(append([]string{b.Box.Name, b.Box.Address, strconv.Itoa(b.Threads), strconv.Itoa(b.Spam), strconv.Itoa(b.Silent), strconv.Itoa(totalOf(b.Met)), strconv.Itoa(totalOf(b.Missed))}, minutes(b.Answer)...), minutes(b.Resolution)...))
		}
	}
	return out
}

func (v inboxReportsView) csvAt(p *page, by string) string {
	return with(p.at("inbox", "reports.csv"), "by", by, "inbox", v.Inbox, "days", strconv.Itoa(v.Days))
}
