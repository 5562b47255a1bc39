package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// field is what was typed into a form.
type field struct{ Name, Value string }

// sure does what a form asks for, after saying how many open findings it quiets where there are some: it is asked again
// with sure=yes. Who may not do it is refused by the doing; and so is, at once, what could not be done anyhow.
func (w *web) sure(quiets func(r *http.Request, p *page) api.FindingsIn, check func(r *http.Request) error, do func(r *http.Request) (string, *notice, error)) handler {
	return func(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
		r.Body = http.MaxBytesReader(rw, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			return nil, tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read.")
		}
		in := quiets(r, p)
		if r.PostFormValue("sure") != "yes" && (in.Q != "" || in.Rule != "" || in.Person != "") && p.may(api.Analyst) && check(r) == nil {
			all, err := w.svc.ListFindings(r.Context(), in)
			if err != nil {
				return nil, err
			}
			in.Severity = []tocsin.Severity{tocsin.Critical}
			critical, err := w.svc.ListFindings(r.Context(), in)
			if err != nil {
				return nil, err
			}
			if all.Total > 0 {
				return surePage(p, typed(r), r.URL.Path, all.Total, all.TotalIsMore, critical.Total, all.Items), nil
			}
		}
		w.act(do)(rw, r)
		return nil, nil
	}
}

func typed(r *http.Request) []field {
	var out []field
	for k, vs := range r.PostForm {
		for _, v := range vs {
			out = append(out, field{k, v})
		}
	}
	slices.SortFunc(out, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// partnerQuiets are the findings that mention a domain.
func (w *web) partnerQuiets(r *http.Request, p *page) api.FindingsIn {
	return api.FindingsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 5}, Q: trim(r.PostFormValue("domain"))}
}

// exceptionQuiets are the findings of a detection that mention what is excused.
func (w *web) exceptionQuiets(r *http.Request, p *page) api.FindingsIn {
	in := api.FindingsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 5}}
	if in.Rule = r.PostFormValue("rule"); in.Rule == "*" {
		in.Rule = ""
	}
	switch value := trim(r.PostFormValue("value")); {
	case value == "*":
	case r.PostFormValue("scope") == "person" && len(value) == 36: // an id
		in.Person = tocsin.PersonID(value)
	case r.PostFormValue("scope") == "subject":
		in.Rule = "" // findings are not looked for by their subject: nothing is asked
	default:
		in.Q = value
	}
	return in
}
