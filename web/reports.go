package web

import (
	"net/http"

	"tocsin.dev"
	"tocsin.dev/api"
)

// report answers with a document that stands by itself: to be read, printed or kept.
func (w *web) report(of func(r *http.Request, in api.In) (api.Report, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if _, ok := api.CallerOf(r.Context()); !ok {
			w.toDoor(rw, r)
			return
		}
		doc, err := of(r, api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))})
		if err != nil {
			w.sorry(rw, r, err)
			return
		}
		h := rw.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", api.ReportPolicy+"; frame-ancestors 'none'; sandbox allow-modals")
		h.Set("Content-Disposition", `inline; filename="tocsin-report-`+doc.Made.UTC().Format("2006-01-02")+`.html"`)
		h.Set("Cache-Control", "no-store")
		_, _ = rw.Write([]byte(doc.HTML)) // who has gone away needs no report
	}
}

func (w *web) tenantReport(r *http.Request, in api.In) (api.Report, error) {
	return w.svc.ReportTenant(r.Context(), in)
}

func (w *web) personReport(r *http.Request, in api.In) (api.Report, error) {
	return w.svc.ReportPerson(r.Context(), api.ByPerson{In: in, Person: tocsin.PersonID(r.PathValue("person"))})
}

func (w *web) caseReport(r *http.Request, in api.In) (api.Report, error) {
	return w.svc.ReportCase(r.Context(), api.ByID{In: in, ID: r.PathValue("id")})
}
