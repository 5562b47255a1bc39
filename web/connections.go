package web

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/a-h/templ"
	"tocsin.dev/api"
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

// underWay says whether how far a source has come tells something: while it is read, or where it stopped before its end.
// After a round it would only tell how much had changed, which reads as though there were no more.
func underWay(s api.Source) bool {
	return s.Total > 0 && (s.State == "reading" || s.Done < s.Total)
}

// byWord are sources in the order of their names.
func byWord(list []api.Source) []api.Source {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b api.Source) int { return cmp.Compare(sourceWord(a.Name), sourceWord(b.Name)) })
	return out
}
