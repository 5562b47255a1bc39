package web

import (
	"net/http"

	"github.com/a-h/templ"

	"tocsin.dev/api"
)

func (w *web) certificates(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	list, err := w.svc.ListCertificates(r.Context(), api.CertificatesIn{})
	if err != nil {
		return nil, err
	}
	return certificatesPage(p, list.Items), nil
}

// certificateReplace puts another certificate in the place of the newest.
func (w *web) certificateReplace(r *http.Request) (string, *notice, error) {
	_, err := w.svc.ReplaceCertificate(r.Context(), api.ReplaceCertificateIn{Body: api.CertificateReplaced{ID: r.PostFormValue("id")}})
	return "/settings/certificates", &notice{Kind: "good", What: "Another certificate is made.", Do: "Subscriptions are renewed with it now; the list says how many have it."}, err
}
