package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// handler makes a page's component. A nil component means that it has answered itself.
type handler func(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error)

// inside is a page of whoever is signed in, of the tenant they looked at last.
func (w *web) inside(section, title string, h handler) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		p, ok := w.begin(rw, r, section, title)
		if !ok {
			return
		}
		if c, err := r.Cookie("tenant"); err == nil {
			p.Tenant = tenantOf(p.Me, tocsin.TenantID(c.Value))
		}
		if p.Tenant != nil && p.Tenant.Erasing {
			p.Tenant = nil
		}
		for i := range p.Me.Tenants {
			if p.Tenant == nil && !p.Me.Tenants[i].Erasing {
				p.Tenant = &p.Me.Tenants[i]
			}
		}
		w.show(rw, r, p, h)
	}
}

// inTenant is a page of one tenant. A tenant that the viewer has no grant for does not exist for them.
func (w *web) inTenant(section, title string, h handler) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		p, ok := w.begin(rw, r, section, title)
		if !ok {
			return
		}
		p.Tenant = tenantOf(p.Me, tocsin.TenantID(r.PathValue("tenant")))
		if p.Tenant == nil {
			w.fail(rw, r, p, tocsin.Problemf(tocsin.NotFound, "Choose another from the menu.", "There is no such tenant."))
			return
		}
		w.cookie(rw, "tenant", string(p.Tenant.ID), 365*24*3600)
		w.show(rw, r, p, h)
	}
}

// begin finds out who looks; a stranger is sent to the sign-in, and back after it.
func (w *web) begin(rw http.ResponseWriter, r *http.Request, section, title string) (*page, bool) {
	if _, ok := api.CallerOf(r.Context()); !ok {
		w.toDoor(rw, r)
		return nil, false
	}
	l := lookOf(r.Context())
	p := &page{Title: title, Section: section, Path: r.URL.RequestURI(), Theme: l.theme, Zone: zoneName(l), Notice: w.takeNotice(rw, r)}
	if r.Method != http.MethodGet {
		p.Path = r.URL.Path
	}
	me, err := w.svc.Me(r.Context(), api.NoInput{})
	if err != nil {
		w.sorry(rw, r, err)
		return nil, false
	}
	p.Me = &me
	return p, true
}

func (w *web) show(rw http.ResponseWriter, r *http.Request, p *page, h handler) {
	if p.Tenant != nil { // before the page is made: what happens while it is made, and until it follows, is told to it
		follow := w.svc.FollowFacts
		if p.agent() {
			follow = w.svc.FollowInboxes
		}
		if after, _, err := follow(r.Context(), api.FactsIn{Tenant: p.Tenant.ID}); err == nil {
			p.Fact = strconv.FormatInt(after, 10)
		}
	}
	c, err := h(rw, r, p)
	switch {
	case err != nil:
		w.fail(rw, r, p, err)
	case c != nil:
		w.render(rw, r, http.StatusOK, c)
	}
}

// fail shows a problem in place of the page.
func (w *web) fail(rw http.ResponseWriter, r *http.Request, p *page, err error) {
	w.note(r, err)
	p.Title = "Something is in the way"
	if tocsin.AsProblem(err).Code == tocsin.NotFound {
		p.Title = "Not found"
	}
	w.render(rw, r, api.StatusOf(err), problemPage(p, tocsin.AsProblem(err)))
}

// sorry shows a problem where not even the shell can be made.
func (w *web) sorry(rw http.ResponseWriter, r *http.Request, err error) {
	w.note(r, err)
	w.render(rw, r, api.StatusOf(err), sorryPage(lookOf(r.Context()).theme, tocsin.AsProblem(err)))
}

// note logs what is our fault.
func (w *web) note(r *http.Request, err error) {
	if p := tocsin.AsProblem(err); p.Code == tocsin.Internal && r.Context().Err() == nil {
		w.log.Error("page", "path", r.URL.Path, "error", err)
	}
}

// toDoor sends a stranger to the sign-in; a part of a page that is fetched reloads the whole instead.
func (w *web) toDoor(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("HX-Request") != "" {
		rw.Header().Set("HX-Refresh", "true")
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	back := ""
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		back = r.URL.RequestURI()
	}
	http.Redirect(rw, r, with("/sign-in", "back", back), http.StatusSeeOther)
}

// act is a form: it does what is asked, then leads to where it says, with a notice of how it went.
func (w *web) act(do func(r *http.Request) (to string, n *notice, err error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if _, ok := api.CallerOf(r.Context()); !ok {
			w.toDoor(rw, r)
			return
		}
		r.Body = http.MaxBytesReader(rw, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			w.sorry(rw, r, tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read."))
			return
		}
		to, n, err := do(r)
		if err != nil {
			w.note(r, err)
			p := tocsin.AsProblem(err)
			n = &notice{Kind: "bad", What: p.What, Do: p.Do}
		}
		if n != nil {
			w.leaveNotice(rw, n)
		}
		http.Redirect(rw, r, local(to), http.StatusSeeOther)
	}
}

// leaveNotice keeps a notice for the next page, in a cookie of a minute.
func (w *web) leaveNotice(rw http.ResponseWriter, n *notice) {
	b, err := json.Marshal(n)
	if err == nil && len(b) < 2500 {
		w.cookie(rw, "notice", base64.RawURLEncoding.EncodeToString(b), 60)
	}
}

func (w *web) takeNotice(rw http.ResponseWriter, r *http.Request) *notice {
	c, err := r.Cookie("notice")
	if err != nil || r.Header.Get("HX-Request") != "" {
		return nil
	}
	w.cookie(rw, "notice", "", -1)
	b, err := base64.RawURLEncoding.DecodeString(c.Value)
	var n notice
	if err != nil || json.Unmarshal(b, &n) != nil || n.What == "" || !has([]string{"good", "warn", "bad"}, n.Kind) {
		return nil
	}
	return &n
}

func (w *web) cookie(rw http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(rw, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: name != "theme", Secure: w.o.TLS, SameSite: http.SameSiteLaxMode})
}

// local is an address of ours, or the start: nobody is led elsewhere by what a form says.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}

func tenantOf(me *api.Me, id tocsin.TenantID) *api.Tenant {
	for i := range me.Tenants {
		if me.Tenants[i].ID == id {
			return &me.Tenants[i]
		}
	}
	return nil
}

func zoneName(l *look) string {
	if n := l.zone.String(); n != "UTC" {
		return strings.ReplaceAll(n, "_", " ") + ", " + l.now.In(l.zone).Format("MST")
	}
	return "UTC"
}

// start leads to the overview of the tenant looked at last, or says how to come to one.
func (w *web) start(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	if p.Tenant != nil {
		if p.Notice != nil {
			w.leaveNotice(rw, p.Notice) // it is for the page that is seen
		}
		to := "overview"
		if p.agent() {
			to = "inbox"
		}
		http.Redirect(rw, r, p.at(to), http.StatusSeeOther)
		return nil, nil
	}
	return startPage(p, p.installs(api.Admin)), nil
}

func (w *web) lost(http.ResponseWriter, *http.Request, *page) (templ.Component, error) {
	return nil, tocsin.Problemf(tocsin.NotFound, "Go on from the navigation.", "There is no such page.")
}
