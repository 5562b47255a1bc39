package web

import (
	"net/http"
	"net/url"

	"github.com/a-h/templ"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// An installation that has no tenant yet, or gets another for its shared mailboxes alone, begins here: the tenant is there once its service
// account has signed in.

// emailStartView is the page of the first e-mail connection of a tenant.
type emailStartView struct {
	Tenant  string // that was typed
	Entered bool   // the installation has an app registration for shared mailboxes
	App     api.EmailConnectionNew
	Method  string
	Refused error
}

// emailStart begins an e-mail connection of a tenant that is not known yet; where one is, its page is where that is done.
func (w *web) emailStart(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	if p.Tenant != nil && p.may(api.Admin) && r.URL.Query().Get("tenant") != "new" {
		http.Redirect(rw, r, p.at("settings", "email"), http.StatusSeeOther)
		return nil, nil
	}
	v := emailStartView{Method: "secret", App: api.EmailConnectionNew{Cloud: "global"}}
	var err error
	if p.installs(api.Admin) {
		v.Entered, err = w.entered(r, connect.Inbox)
	}
	return emailStartPage(p, v), err
}

// emailStartDo leaves for Microsoft, or connects an app.
func (w *web) emailStartDo(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 256<<10)
	v := emailStartView{Tenant: trim(r.FormValue("tenant")), Method: "secret", App: api.EmailConnectionNew{Cloud: "global"}}
	switch r.PathValue("do") {
	case "consent":
		step, err := w.svc.BeginEmailConnection(r.Context(), api.BeginEmailConnectionIn{Body: api.EmailSignInNew{Tenant: v.Tenant, Consent: r.FormValue("consent") == "yes"}})
		if err != nil {
			v.Refused = err
			break
		}
		host := step.Next
		if u, err := url.Parse(step.Next); err == nil {
			host = u.Host
		}
		rw.Header().Set("Refresh", "0; url="+step.Next)
		return leavingPage(p, host, step.Next), nil
	case "app":
		in := typedEmailApp(r, v.Tenant)
		got, err := w.svc.CreateEmailConnection(r.Context(), api.CreateEmailConnectionIn{Body: in})
		if err != nil {
			in.Secret, in.Certificate = "", ""
			v.App, v.Method, v.Refused = in, r.FormValue("method"), err
			break
		}
		w.leaveNotice(rw, &notice{Kind: "good", What: "The app is connected.", Do: "Connect the addresses of shared mailboxes."})
		http.Redirect(rw, r, tenantAt(got.Tenant, "settings", "email"), http.StatusSeeOther)
		return nil, nil
	default:
		return nil, errNoSuchDeed
	}
	w.note(r, v.Refused)
	var err error
	if p.installs(api.Admin) {
		if v.Entered, err = w.entered(r, connect.Inbox); err != nil {
			return nil, v.Refused
		}
	}
	w.render(rw, r, api.StatusOf(v.Refused), emailStartPage(p, v))
	return nil, nil
}

// typedEmailApp is an app registration of a tenant's own, as its form has it.
func typedEmailApp(r *http.Request, tenant string) api.EmailConnectionNew {
	f := r.FormValue
	in := api.EmailConnectionNew{Name: trim(f("name")), Tenant: tenant, ClientID: trim(f("client_id")), Cloud: f("cloud")}
	if f("method") == "certificate" {
		in.Certificate = f("certificate")
	} else {
		in.Secret = trim(f("client_secret"))
	}
	if in.Cloud == "own" {
		in.Authority, in.Graph, in.CA = trim(f("authority")), trim(f("graph")), f("ca")
	}
	return in
}
