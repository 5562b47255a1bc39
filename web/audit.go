package web

import (
	"net/http"
	"net/url"
	"slices"
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
	Off     *api.Capability // why nothing can be searched for; nil where it can
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
	in := api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: r.URL.Query().Get("after")}}
	v := auditView{Query: kept(r)}
	var err error
	if v.Queries, err = w.svc.ListAuditQueries(r.Context(), in); err != nil {
		return nil, err
	}
	in.Paging = api.Paging{Limit: 200}
	all, err := w.svc.ListCapabilities(r.Context(), in)
	if err != nil {
		return nil, err
	}
	v.Off = capabilityOff(all.Items, "audit-search", "No connection is there to search it with.")
	return auditQueriesPage(p, v), nil
}

// auditQuery shows a search and what it finds.
func (w *web) auditQuery(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q, err := w.svc.GetAuditQuery(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	v := auditView{Query: kept(r)}
	v.Page, err = w.svc.ListAudit(r.Context(), api.AuditIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: r.URL.Query().Get("after")}, Search: q.ID})
	p.Title = "Search: " + searchedFor(q)
	return auditQueryPage(p, v, q), err
}

// searchFor are what people look for in an audit log, with the operations by which Microsoft records it.
var searchFor = []struct {
	Name, Title, Means string
	Operations         []string
}{
	{"rules", "Inbox rules", "Made, changed, switched on or off, removed", []string{"New-InboxRule", "Set-InboxRule", "Enable-InboxRule", "Disable-InboxRule", "Remove-InboxRule", "UpdateInboxRules"}},
	{"forwarding", "Forwarding and transport rules", "Mail that a mailbox or the organisation sends on", []string{"Set-Mailbox", "New-TransportRule", "Set-TransportRule", "Enable-TransportRule", "Disable-TransportRule", "Remove-TransportRule"}},
	{"rights", "Rights over mailboxes", "Full Access, Send As, opened folders: given and taken", []string{"Add-MailboxPermission", "Remove-MailboxPermission", "Add-RecipientPermission", "Remove-RecipientPermission", "Add-MailboxFolderPermission", "Set-MailboxFolderPermission", "Remove-MailboxFolderPermission"}},
	{"read", "Mail that was read", "By whom and through which app; there are many of these", []string{"MailItemsAccessed"}},
	{"sent", "Mail that was sent", "Also as somebody else, or on their behalf", []string{"Send", "SendAs", "SendOnBehalf"}},
}

// auditQueryAdd asks for a search, and goes to it.
func (w *web) auditQueryAdd(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	in := api.CreateAuditQueryIn{In: api.In{Tenant: tenant}, Key: api.Key{Key: r.PostFormValue("key")}}
	in.Body = api.AuditQueryNew{Address: trim(r.PostFormValue("address")), Since: dayOf(r.PostFormValue("since"))}
	if until := dayOf(r.PostFormValue("until")); !until.IsZero() {
		in.Body.Until = until.AddDate(0, 0, 1) // that day with it
	}
	for _, f := range searchFor {
		if has(r.PostForm["for"], f.Name) {
			in.Body.Operations = append(in.Body.Operations, f.Operations...)
		}
	}
	for _, o := range strings.FieldsFunc(r.PostFormValue("operations"), func(c rune) bool { return c == ',' || c == '\n' }) {
		if o = trim(o); o != "" && !has(in.Body.Operations, o) {
			in.Body.Operations = append(in.Body.Operations, o)
		}
	}
	q, err := w.svc.CreateAuditQuery(r.Context(), in)
	if err != nil { // with what was typed
		again := url.Values{"ask": {"yes"}, "for": r.PostForm["for"]}
		for _, k := range []string{"address", "since", "until", "operations"} {
			again.Set(k, r.PostFormValue(k))
		}
		return tenantAt(tenant, "audit", "queries") + "?" + again.Encode(), nil, err
	}
	return tenantAt(tenant, "audit", "queries", q.ID), &notice{Kind: "good", What: "The search is asked for.", Do: "Microsoft takes minutes for it; this page shows how far it has come."}, nil
}

func (w *web) auditLedger(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	list, err := w.svc.ListAuditWindows(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	return auditLedgerPage(p, auditView{Query: kept(r), Windows: list.Items}), err
}

// auditSource says how a record came.
func auditSource(s string) string {
	if w, ok := map[string]string{"feed": "Activity feed", "query": "Search", "file": "Imported file", "graph": "Graph"}[s]; ok {
		return w
	}
	return s
}

// contentWord is a part of the audit log as people say it.
func contentWord(s string) string {
	if w, ok := map[string]string{"Audit.Exchange": "Mailboxes (Exchange)", "Audit.AzureActiveDirectory": "Directory and sign-ins (Entra)", "Audit.General": "Other services", "Audit.SharePoint": "Files (SharePoint)",
		"DirectoryAudits": "Directory audits", "SignIns.interactive": "Sign-ins of people", "SignIns.non_interactive": "Sign-ins on people's behalf", "SignIns.service_principal": "Sign-ins of applications",
		"SignIns.managed_identity": "Sign-ins of managed identities"}[s]; ok {
		return w
	}
	return s
}

func searchedFor(q api.AuditQuery) string {
	out := "Everything"
	if len(q.Operations) > 0 {
		out = strings.Join(searchWords(q.Operations), ", ")
	}
	if q.Address != "" {
		out += " by " + q.Address
	}
	return out
}

// searchWords are operations in the words of [searchFor] where all of one are there, the rest as they are.
func searchWords(operations []string) (out []string) {
	rest := slices.Clone(operations)
	for _, f := range searchFor {
		if slices.ContainsFunc(f.Operations, func(o string) bool { return !has(rest, o) }) {
			continue
		}
		title := f.Title
		if len(out) > 0 {
			title = strings.ToLower(title[:1]) + title[1:]
		}
		out = append(out, title)
		rest = slices.DeleteFunc(rest, func(o string) bool { return has(f.Operations, o) })
	}
	return append(out, rest...)
}

// searchTicked says whether the form asks for something from the start: for what this server judges, unless something else
// was typed before.
func searchTicked(v auditView, name string) bool {
	if v.Query.Get("ask") != "" {
		return has(v.Query["for"], name)
	}
	return name == "rules" || name == "forwarding" || name == "rights"
}

// lastDay is the last day of a search's time: its end is before midnight.
func lastDay(q api.AuditQuery) time.Time { return q.Until.Add(-time.Millisecond) }

// searchStates are a search's states: mark and word.
var searchStates = map[string][2]string{
	"waiting": {"busy", "Waits"}, "running": {"busy", "Microsoft searches"}, "reading": {"busy", "Reading"}, "done": {"ok", "Done"}, "failed": {"bad", "Failed"},
}
