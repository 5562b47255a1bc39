package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
)

func (w *web) retention(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	list, err := w.svc.ListRetention(r.Context(), api.RetentionIn{})
	if err != nil {
		return nil, err
	}
	return retentionPage(p, list.Items), nil
}

func (w *web) retentionSet(r *http.Request) (string, *notice, error) {
	const to = "/settings/retention"
	days, err := strconv.Atoi(trim(r.PostFormValue("days")))
	if err != nil {
		return to, nil, tocsin.Problemf(tocsin.Invalid, "Give it as 90.", "%q is no number of days.", r.PostFormValue("days"))
	}
	k, err := w.svc.SetRetention(r.Context(), api.SetRetentionIn{Class: r.PostFormValue("class"), Body: api.RetentionNew{Days: days}})
	return to, &notice{Kind: "good", What: fmt.Sprintf("%s: kept for %s. What is older goes within an hour.", keptName(k.Class), plural(days, "day", "days"))}, err
}

func keptName(class string) string { return sentence(strings.ReplaceAll(class, "_", " ")) }
