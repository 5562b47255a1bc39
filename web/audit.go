package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
)

// auditView is what the pages of the audit log show: records, searches or the ledger.
type auditView struct {
	Query   url.Values
	In      api.AuditIn
	Person  string // the name of the person that is filtered by
	Page    api.Page[api.AuditRecord]
	Queries api.Page[api.AuditQuery]
	Windows []api.AuditWindow
}

func (v auditView) filtered() bool {
	for _, k := range []string{"operation", "person", "ip", "since", "until", "after"} {
		if v.Query.Get(k) != "" {
			return true
		}
	}
	return false
}

func (w *web) audit(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := auditView{Query: kept(r), In: api.AuditIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Operation: strings.TrimSpace(q.Get("operation")), Person: tocsin.PersonID(q.Get("person")), IP: strings.TrimSpace(q.Get("ip"))}}
	v.In.Since = dayOf(q.Get("since"))
	if until := dayOf(q.Get("until")); !until.IsZero() {
		v.In.Until = until.AddDate(0, 0, 1) // that day with it
	}
	var err error
	if v.Page, err = w.svc.ListAudit(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.In.Person != "" {
		v.Person = w.personName(r, p.Tenant.ID, v.In.Person)
	}
	return auditPage(p, v), nil
}

// dayOf is a day as a form gives it; zero where it is none.
func dayOf(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func (w *web) auditRecord(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	a, err := w.svc.GetAudit(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = a.Operation
	return auditRecordPage(p, a), nil
}

func (w *web) auditQueries(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := auditView{Query: kept(r)}
	var err error
	v.Queries, err = w.svc.ListAuditQueries(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: r.URL.Query().Get("after")}})
	return auditQueriesPage(p, v), err
}

func (w *web) auditLedger(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	list, err := w.svc.ListAuditWindows(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	return auditLedgerPage(p, auditView{Query: kept(r), Windows: list.Items}), err
}

// auditSource says how a record came.
func auditSource(s string) string {
	if w, ok := map[string]string{"feed": "Activity feed", "query": "Search", "file": "Imported file"}[s]; ok {
		return w
	}
	return s
}

// contentWord is a part of the audit log as people say it.
func contentWord(s string) string {
	if w, ok := map[string]string{"Audit.Exchange": "Mailboxes (Exchange)", "Audit.AzureActiveDirectory": "Directory and sign-ins (Entra)", "Audit.General": "Other services", "Audit.SharePoint": "Files (SharePoint)"}[s]; ok {
		return w
	}
	return s
}

func searchedFor(q api.AuditQuery) string {
	out := "Everything"
	if len(q.Operations) > 0 {
		out = strings.Join(q.Operations, ", ")
	}
	if q.Address != "" {
		out += " by " + q.Address
	}
	return out
}
