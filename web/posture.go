package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/detect/posture"
)

// postureView is what the page of the checks shows.
type postureView struct {
	Query url.Values
	In    api.ChecksIn
	All   []api.PostureCheck // of every result, for the counts
	Shown []postureArea
	Days  []api.PostureDay // the newest first
}

// postureArea are the checks of an area that are shown.
type postureArea struct {
	Name   string
	Checks []api.PostureCheck
}

// fails is how many checks of the area fail.
func (a postureArea) fails() (n int) {
	for _, c := range a.Checks {
		if c.Status == posture.Fail {
			n++
		}
	}
	return n
}

// passes is how many of them pass.
func (a postureArea) passes() (n int) {
	for _, c := range a.Checks {
		if c.Status == posture.Pass {
			n++
		}
	}
	return n
}

// count is how many checks came to a result.
func (v postureView) count(s posture.Status) (n int) {
	for _, c := range v.All {
		if c.Status == s && (v.In.Area == "" || c.Area == v.In.Area) && (v.In.Framework == "" || slices.Contains(c.Frameworks.Names(), v.In.Framework)) {
			n++
		}
	}
	return n
}

// of is which checks are counted, whatever they came to.
func (v postureView) of() string {
	name := map[string]string{"scuba": "CISA SCuBA", "cis": "CIS Microsoft 365", "eidsca": "EIDSCA"}[v.In.Framework]
	switch {
	case name == "" && v.In.Area == "":
		return "In all"
	case name == "":
		return "Of " + v.In.Area
	case v.In.Area == "":
		return "Of " + name
	}
	return "Of " + name + ", " + v.In.Area
}

// judged says whether the tenant was judged at all.
func (v postureView) judged() bool {
	return slices.ContainsFunc(v.All, func(c api.PostureCheck) bool { return !c.Judged.IsZero() })
}

// lacks are the reasons for which checks are unknown, with how many are, most first: a permission that was not granted, say.
func (v postureView) lacks() []string {
	n := map[string]int{}
	for _, c := range v.All {
		if c.Status == posture.Unknown && (c.Reason == posture.Permission || c.Reason == posture.Licence) {
			_, why, _ := strings.Cut(c.Why, " could not be read: ") // which of its paths does not matter here
			n[strings.TrimSuffix(nameOr(why, c.Why), ".")]++
		}
	}
	var out []string
	for why := range n {
		out = append(out, why)
	}
	slices.SortFunc(out, func(a, b string) int {
		if n[a] != n[b] {
			return n[b] - n[a]
		}
		return strings.Compare(a, b)
	})
	for i, why := range out {
		out[i] = fmt.Sprintf("%s: %s", why, plural(n[why], "check", "checks"))
	}
	return out
}

func (w *web) posture(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := postureView{Query: kept(r), In: api.ChecksIn{In: api.In{Tenant: p.Tenant.ID}, Area: q.Get("area"), Status: q.Get("status"), Framework: q.Get("framework")}}
	all, err := w.svc.ListChecks(r.Context(), api.ChecksIn{In: v.In.In, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	v.All = all.Items
	shown, some := v.In, all
	shown.Limit = 200
	if v.In.Area+v.In.Status+v.In.Framework != "" {
		if some, err = w.svc.ListChecks(r.Context(), shown); err != nil {
			return nil, err
		}
	}
	for _, c := range some.Items {
		if n := len(v.Shown); n == 0 || v.Shown[n-1].Name != c.Area {
			v.Shown = append(v.Shown, postureArea{Name: c.Area})
		}
		a := &v.Shown[len(v.Shown)-1]
		a.Checks = append(a.Checks, c)
	}
	for _, a := range v.Shown {
		slices.SortStableFunc(a.Checks, func(a, b api.PostureCheck) int {
			if x, y := resultRank(a.Status), resultRank(b.Status); x != y {
				return x - y
			}
			return b.Severity.Rank() - a.Severity.Rank()
		})
	}
	days, err := w.svc.PostureTrend(r.Context(), api.TrendIn{In: v.In.In, Paging: api.Paging{Limit: 30}, Area: v.In.Area, Framework: v.In.Framework})
	v.Days = days.Items
	return posturePage(p, v), err
}

func resultRank(s posture.Status) int {
	return slices.Index([]posture.Status{posture.Fail, posture.Unknown, posture.Excepted, posture.Pass}, s)
}

// resultWord is a result as people say it, and the tone it has.
func resultWord(s posture.Status) (word, tone string) {
	switch s {
	case posture.Pass:
		return "Pass", "ok"
	case posture.Fail:
		return "Fail", "high"
	case posture.Excepted:
		return "Excepted", "accent"
	}
	return "Unknown", "line"
}

func reasonWord(r posture.Reason) string {
	return map[posture.Reason]string{posture.Permission: "permission", posture.Licence: "licence", posture.NotCollected: "not collected", posture.Undecided: "cannot be told"}[r]
}

// benchmarks are a check's ids in the benchmarks, for a line.
func benchmarks(f posture.Frameworks) []string {
	out := slices.Clone(f.SCuBA)
	for _, id := range f.CIS {
		out = append(out, "CIS "+id)
	}
	return append(out, f.EIDSCA...)
}

// postureBars is the chart of the days: a column a day, oldest first, what fails at the bottom.
func postureBars(days []api.PostureDay) []rect {
	var out []rect
	const width, height = 1000.0, 60.0
	most := 1
	for _, d := range days {
		most = max(most, d.Pass+d.Fail+d.Unknown+d.Excepted)
	}
	step := width / float64(max(len(days), 14))
	for i, d := range slices.Backward(days) {
		x, y := float64(len(days)-1-i)*step, height
		for _, part := range []struct {
			n           int
			class, word string
		}{{d.Fail, "f-high", "fail"}, {d.Unknown, "f-track", "unknown"}, {d.Excepted, "f-low", "excepted"}, {d.Pass, "f-ok", "pass"}} {
			h := height * float64(part.n) / float64(most)
			y -= h
			out = append(out, rect{X: x, Y: y, W: step * .8, H: h, Class: part.class, Title: fmt.Sprintf("%s: %d %s", d.Day, part.n, part.word)})
		}
	}
	return out
}

// accessView is what the page of conditional access shows.
type accessView struct {
	Query    url.Values
	Policies []posture.PolicyView
	Places   []posture.PlaceView
	Gaps     []api.PostureCheck // the checks of conditional access that fail
	Ask      api.AccessIn
	Answer   *api.AccessAnswer
	Refused  *tocsin.Problem
	Known    bool   // policies were collected
	Why      string // else why not
}

func (w *web) access(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	in := api.In{Tenant: p.Tenant.ID}
	v := accessView{Query: kept(r), Ask: api.AccessIn{In: in, Person: tocsin.PersonID(strings.TrimSpace(q.Get("person"))), App: q.Get("app"), Client: q.Get("client"), Platform: q.Get("platform"), Place: q.Get("place")}}
	list, err := w.svc.ListAccessPolicies(r.Context(), api.ListIn{In: in, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	v.Policies = list.Items
	places, err := w.svc.ListPlaces(r.Context(), api.ListIn{In: in, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	v.Places = places.Items
	checks, err := w.svc.ListChecks(r.Context(), api.ChecksIn{In: in, Paging: api.Paging{Limit: 200}, Area: posture.Access})
	if err != nil {
		return nil, err
	}
	v.Known = true
	for _, c := range checks.Items {
		if c.ID == "ca-all-applications" && c.Status == posture.Unknown {
			v.Known, v.Why = false, c.Why
		}
		if c.Status == posture.Fail && c.Severity.Rank() >= tocsin.Medium.Rank() {
			v.Gaps = append(v.Gaps, c)
		}
	}
	slices.SortStableFunc(v.Gaps, func(a, b api.PostureCheck) int { return b.Severity.Rank() - a.Severity.Rank() })
	if v.Ask.Person != "" {
		answer, err := w.svc.AskAccess(r.Context(), v.Ask)
		if err != nil {
			if v.Refused = tocsin.AsProblem(err); v.Refused.Code == tocsin.Internal {
				return nil, err
			}
		} else {
			v.Answer = &answer
		}
	}
	return accessPage(p, v), nil
}

func policyWord(state string) (word, tone string) {
	switch state {
	case "enabled":
		return "On", "ok"
	case "report_only":
		return "Only reports", "medium"
	}
	return "Off", "line"
}

// says is the answer in a sentence.
func (v accessView) says() string {
	a := v.Answer
	switch {
	case a.Blocked:
		return a.Person + " is kept out."
	case a.Resistant:
		return a.Person + " must sign in by a way that no phishing site can pass on."
	case a.MFA:
		return a.Person + " must give a second factor."
	case a.Unsure:
		return "It hangs on what is not told here whether " + a.Person + " must give a second factor."
	}
	return a.Person + " signs in with a password alone."
}

func (w *web) privileges(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	in := api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: r.URL.Query().Get("after")}}
	list, err := w.svc.ListPrivileges(r.Context(), in)
	return privilegesPage(p, kept(r), list), err
}

func (w *web) applications(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	in := api.ApplicationsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: paging(q), Q: q.Get("q"), Risky: on(q, "risky"), Dangerous: on(q, "dangerous"), Whose: q.Get("whose")}
	v := directoryView[api.ApplicationsIn, api.Application]{Query: kept(r), In: in}
	var err error
	v.Page, err = w.svc.ListApplications(r.Context(), in)
	return applicationsPage(p, v), err
}

func (w *web) application(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetApplication(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	p.Title = d.Name
	return applicationPage(p, d), err
}

func howWord(how string) (word, tone string) {
	switch how {
	case "permanent":
		return "At all times", "medium"
	case "eligible":
		return "Eligible", "line"
	}
	return "For a time", "ok"
}

func whoseWord(whose string) string {
	return map[string]string{"ours": "Ours", "microsoft": "Microsoft’s", "foreign": "Another organisation’s"}[whose]
}

// whatHolds says what has a role, where it is no person.
func whatHolds(what string) string {
	return map[string]string{"application": "An application", "group": "A group, whose members are not known"}[what]
}

// restOf are the permissions that a row does not show.
func restOf(held []posture.Held) string {
	var out []string
	for _, h := range held[min(4, len(held)):] {
		out = append(out, h.Permission)
	}
	return strings.Join(out, ", ")
}

// inWords is a list in words, or what it means when there is none.
func inWords(of []string, none string) string {
	if len(of) == 0 {
		return none
	}
	return strings.Join(of, ", ")
}

func credentialsWord(a posture.AppView) string {
	var out []string
	if a.Secrets > 0 {
		out = append(out, plural(a.Secrets, "secret", "secrets"))
	}
	if a.Keys > 0 {
		out = append(out, plural(a.Keys, "certificate", "certificates"))
	}
	return inWords(out, "none")
}
