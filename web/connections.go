package web

import (
	"net/http"
	"strconv"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

func (w *web) connections(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	in := api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}
	cs, err := w.svc.ListConnections(r.Context(), in)
	if err != nil {
		return nil, err
	}
	sources, err := w.svc.ListSources(r.Context(), in)
	if err != nil {
		return nil, err
	}
	return connectionsPage(p, cs.Items, sources.Items), nil
}

func (w *web) connection(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	c, err := w.svc.GetConnection(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = c.Name
	return connectionPage(p, c), nil
}

// connectionDo tests, pauses, resumes or forgets a connection.
func (w *web) connectionDo(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	in := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}
	to := tenantAt(tenant, "connections", id)
	switch r.PathValue("do") {
	case "test":
		c, err := w.svc.TestConnection(r.Context(), in)
		if err != nil {
			return to, nil, err
		}
		return to, tested(c), nil
	case "pause":
		_, err := w.svc.PauseConnection(r.Context(), in)
		return to, &notice{Kind: "good", What: "Paused: no call is made to Microsoft."}, err
	case "resume":
		_, err := w.svc.ResumeConnection(r.Context(), in)
		return to, &notice{Kind: "good", What: "Resumed: it is read again."}, err
	case "rotate", "reopen":
		act, say := w.svc.RotateConnection, "The new credential is proven and at work; the old one can be removed from the app registration."
		if r.PathValue("do") == "reopen" {
			act, say = w.svc.ReopenConnection, "It is open again, with its history."
		}
		_, err := act(r.Context(), api.RotateIn{ByIDAct: in, Body: api.CredentialNew{Secret: trim(r.PostFormValue("client_secret")), Certificate: trim(r.PostFormValue("certificate")), Expires: r.PostFormValue("expires")}})
		return to, &notice{Kind: "good", What: say}, err
	case "metadata":
		version, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
		if err != nil {
			return to, nil, tocsin.Problemf(tocsin.Invalid, "Use the buttons of the page.", "The version is missing.")
		}
		only := r.PostFormValue("metadata_only") != "no"
		_, err = w.svc.EditConnection(r.Context(), api.EditConnectionIn{ByIDAct: in, Body: api.ConnectionEdit{Version: version, MetadataOnly: &only}})
		say := "Content may be read now, where something asks for it."
		if only {
			say = "Metadata only: calls that read content are refused."
		}
		return to, &notice{Kind: "good", What: say}, err
	case "close":
		what := r.PostFormValue("what")
		_, err := w.svc.CloseConnection(r.Context(), api.CloseIn{ByIDAct: in, Body: api.Closing{What: what, Confirm: r.PostFormValue("confirm")}})
		if err != nil {
			return to, nil, err
		}
		if what == "erase" {
			return "/", &notice{Kind: "good", What: "Disconnected. Everything kept of the tenant is being erased."}, nil
		}
		return to, &notice{Kind: "good", What: "Disconnected: nothing is asked of Microsoft any more."}, nil
	case "delete":
		if r.PostFormValue("sure") != "yes" {
			return to, nil, tocsin.Problemf(tocsin.Invalid, "Tick “I mean it” and send again.", "Nothing was forgotten.")
		}
		_, err := w.svc.DeleteConnection(r.Context(), in)
		if err != nil {
			return to, nil, err
		}
		return tenantAt(tenant, "connections"), &notice{Kind: "good", What: "The connection and its credentials are forgotten."}, nil
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

// tested says how a test went.
func tested(c api.Connection) *notice {
	if c.State == "failed" || c.State == "broken" {
		return &notice{Kind: "bad", What: nameOr(c.Because, "The credentials do not work."), Do: c.Mend}
	}
	lacking := 0
	for _, k := range c.Capabilities {
		if k.State != "works" && k.State != "on" && !connect.Acts(k.Name) {
			lacking++
		}
	}
	if lacking > 0 {
		return &notice{Kind: "good", What: "The credentials work.", Do: plural(lacking, "capability is", "capabilities are") + " not whole; each says why below."}
	}
	return &notice{Kind: "good", What: "The credentials work, and all that is asked for is granted."}
}

// underWay says whether how far a source has come tells something: while it is read, or where it stopped before its end.
// After a round it would only tell how much had changed, which reads as though there were no more.
func underWay(s api.Source) bool {
	return s.Total > 0 && (s.State == "reading" || s.Done < s.Total)
}

// rotateOrReopen is what a new credential does to a connection.
func rotateOrReopen(c api.Connection) string {
	if c.State == "closed" {
		return "reopen"
	}
	return "rotate"
}
