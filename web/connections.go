package web

import (
	"net/http"

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
