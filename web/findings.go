package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// pageSize is how many rows a list shows at a time.
const pageSize = 25

func findingsIn(tenant tocsin.TenantID, q url.Values) api.FindingsIn {
	in := api.FindingsIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Rule: q.Get("rule"), Person: tocsin.PersonID(q.Get("person")), Owner: q.Get("owner"), Q: q.Get("q"), Sort: q.Get("sort")}
	for _, s := range q["status"] {
		if s != "" {
			in.Status = append(in.Status, tocsin.Status(s))
		}
	}
	for _, s := range q["severity"] {
		if s != "" {
			in.Severity = append(in.Severity, tocsin.Severity(s))
		}
	}
	return in
}

func (w *web) findings(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := findingsView{Query: kept(r), In: findingsIn(p.Tenant.ID, r.URL.Query())}
	var err error
	if v.Page, err = w.svc.ListFindings(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.Coverage, err = w.coverage(r, p.Tenant.ID, len(v.Page.Items) == 0); err != nil {
		return nil, err
	}
	if v.In.Person != "" {
		v.Person = w.personName(r, p.Tenant.ID, v.In.Person)
	}
	return findingsPage(p, v), nil
}

func (w *web) finding(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	f, err := w.svc.GetFinding(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = f.Title
	return findingPage(p, f), nil
}

// decide keeps what a person decided of one finding.
func (w *web) decide(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "findings", id)
	version, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if err != nil {
		return to, nil, tocsin.Problemf(tocsin.Invalid, "Load the page again.", "The form is not whole.")
	}
	d, err := decision(r, version)
	if err != nil {
		return to, nil, err
	}
	if owner, ok := r.PostForm["owner"]; ok && len(owner) == 1 {
		d.Owner = &owner[0]
	}
	_, err = w.svc.DecideFinding(r.Context(), api.DecideIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}, Body: d})
	if err != nil {
		return to, nil, err
	}
	return to, &notice{Kind: "good", What: "The decision was kept: " + strings.ToLower(statusWord(d.Status)) + "."}, nil
}

// decideMany keeps one decision for the findings that were chosen; one that has changed meanwhile is left as it is.
func (w *web) decideMany(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	to := nameOr(r.PostFormValue("back"), tenantAt(tenant, "findings"))
	chosen := r.PostForm["finding"]
	if len(chosen) == 0 || len(chosen) > 200 {
		return to, nil, tocsin.Problemf(tocsin.Invalid, "Choose between 1 and 200 findings.", "No finding was decided.")
	}
	done := 0
	var refused error
	for _, c := range chosen {
		id, v, _ := strings.Cut(c, ":")
		version, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return to, nil, tocsin.Problemf(tocsin.Invalid, "Load the page again.", "The form is not whole.")
		}
		d, err := decision(r, version)
		if err != nil {
			return to, nil, err
		}
		if _, err := w.svc.DecideFinding(r.Context(), api.DecideIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}, Body: d}); err != nil {
			refused = err
			continue
		}
		done++
	}
	if refused != nil {
		p := tocsin.AsProblem(refused)
		return to, &notice{Kind: "warn", What: fmt.Sprintf("%d of %d were decided. Of the others: %s", done, len(chosen), p.What), Do: p.Do}, nil
	}
	return to, &notice{Kind: "good", What: plural(done, "finding was", "findings were") + " decided."}, nil
}

// decision reads what was decided from a form. Accepted lasts to the end of its last day.
func decision(r *http.Request, version int64) (api.Decision, error) {
	d := api.Decision{Status: tocsin.Status(r.PostFormValue("status")), Reason: strings.TrimSpace(r.PostFormValue("reason")), Version: version}
	if d.Status == tocsin.Accepted {
		until, err := formDay(r, "until")
		if err != nil {
			return d, err
		}
		d.Until = until
	}
	return d, nil
}

// formDay is the end of the day that a form names, in the viewer's zone.
func formDay(r *http.Request, field string) (time.Time, error) {
	l := lookOf(r.Context())
	t, err := time.ParseInLocation(time.DateOnly, r.PostFormValue(field), l.zone)
	if err != nil {
		return t, tocsin.Problemf(tocsin.Invalid, "Give a date such as 2026-12-31.", "There is no date until when it holds.")
	}
	return t.AddDate(0, 0, 1).Add(-time.Second).UTC(), nil
}

// kept is the query of a list, without what is empty, so that addresses stay short.
func kept(r *http.Request) url.Values {
	out := url.Values{}
	for k, vs := range r.URL.Query() {
		for _, v := range vs {
			if v != "" {
				out.Add(k, v)
			}
		}
	}
	return out
}

// personName is a person's name for a filter; their id where they are gone.
func (w *web) personName(r *http.Request, tenant tocsin.TenantID, person tocsin.PersonID) string {
	i, err := w.svc.GetIdentity(r.Context(), api.ByPerson{In: api.In{Tenant: tenant}, Person: person})
	if err != nil {
		return string(person)
	}
	return nameOr(i.Name, i.UPN)
}
