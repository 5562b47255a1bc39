package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// trail is what people did: everything for admins of the installation, else the tenant's.
func (w *web) trail(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	f := api.TrailFilter{Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Who: trim(q.Get("who")), Outcome: q.Get("outcome")}
	at := "/settings/trail"
	var list api.Page[api.TrailEntry]
	var err error
	if tenant := tocsin.TenantID(r.PathValue("tenant")); tenant != "" {
		at = tenantAt(tenant, "settings", "trail")
		list, err = w.svc.TenantTrail(r.Context(), api.TenantTrailIn{In: api.In{Tenant: tenant}, TrailFilter: f})
	} else {
		list, err = w.svc.ListTrail(r.Context(), api.TrailIn{TrailFilter: f})
	}
	if err != nil {
		return nil, err
	}
	return trailPage(p, list, onward(at, kept(r), list.Next), at, f), nil
}

// sessionEnd ends a session of one's own.
func (w *web) sessionEnd(r *http.Request) (string, *notice, error) {
	_, err := w.svc.EndSession(r.Context(), api.SessionIn{ID: r.PostFormValue("id")})
	return "/settings/you", &notice{Kind: "good", What: "The session has ended."}, err
}

// trailDetail is what is shown of an act's body, in one order.
func trailDetail(e api.TrailEntry) string {
	var out []string
	for k, v := range e.Detail {
		out = append(out, sentence(k)+": "+v)
	}
	slices.Sort(out)
	return strings.Join(out, " · ")
}

// browserWord is a browser as people call it, from what it says it is.
func browserWord(agent string) string {
	system := ""
	for _, s := range [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, s[0]) {
			system = s[1]
			break
		}
	}
	for _, b := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, b[0]) {
			if system == "" {
				return b[1]
			}
			return fmt.Sprintf("%s on %s", b[1], system)
		}
	}
	return "An unknown browser"
}

// trailWhere is the tenant in which something was done.
func trailWhere(p *page, e api.TrailEntry) string {
	if e.Tenant == api.Everywhere {
		return "the installation"
	}
	return tenantName(p, e.Tenant)
}
