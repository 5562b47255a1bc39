package web

import (
	"net/http"

	"github.com/a-h/templ"
	"tocsin.dev/api"
)

func (w *web) overview(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	o, err := w.svc.Overview(r.Context(), api.In{Tenant: p.Tenant.ID})
	if err != nil {
		return nil, err
	}
	return overviewPage(p, o), nil
}
