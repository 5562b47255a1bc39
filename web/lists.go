package web

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

func rulesIn(tenant tocsin.TenantID, q url.Values) api.RulesIn {
	return api.RulesIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Sends: on(q, "sends"), Outside: on(q, "outside"), Hides: on(q, "hides"), Deleted: on(q, "deleted"),
		Person: tocsin.PersonID(q.Get("person")), Destination: q.Get("destination"), Q: q.Get("q")}
}

func on(q url.Values, key string) bool { return q.Get(key) == "true" }

func (w *web) rules(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := rulesView{Query: kept(r), In: rulesIn(p.Tenant.ID, r.URL.Query())}
	var err error
	if v.Page, err = w.svc.ListRules(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.Coverage, err = w.coverage(r, p.Tenant.ID, len(v.Page.Items) == 0); err != nil {
		return nil, err
	}
	if v.In.Person != "" {
		v.Person = w.personName(r, p.Tenant.ID, v.In.Person)
	}
	return rulesPage(p, v), nil
}

func (w *web) rule(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetRule(r.Context(), api.RuleIn{ByPerson: byPerson(r, p), ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = "Rule of " + d.Who
	return rulePage(p, d), nil
}

func mailboxesIn(tenant tocsin.TenantID, q url.Values) api.MailboxesIn {
	return api.MailboxesIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Read: q.Get("read"), State: q.Get("state"), Boxes: q.Get("state") != "none", Purpose: q.Get("purpose"), Q: q.Get("q"), Sort: nameOr(q.Get("sort"), "riskiest")}
}

func (w *web) mailboxes(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := mailboxesView{Query: kept(r), In: mailboxesIn(p.Tenant.ID, r.URL.Query())}
	var err error
	if v.Page, err = w.svc.ListMailboxes(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.Coverage, err = w.coverage(r, p.Tenant.ID, len(v.Page.Items) == 0); err != nil {
		return nil, err
	}
	return mailboxesPage(p, v), nil
}

func (w *web) mailbox(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	m, err := w.svc.GetMailbox(r.Context(), byPerson(r, p))
	if err != nil {
		return nil, err
	}
	p.Title = nameOr(m.Name, m.Address)
	return mailboxPage(p, m), nil
}

func identitiesIn(tenant tocsin.TenantID, q url.Values) api.IdentitiesIn {
	return api.IdentitiesIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Q: q.Get("q"), Kind: q.Get("kind"), Role: q.Get("role"), Risk: q.Get("risk"), NoMFA: on(q, "no_mfa"), Mailbox: q.Get("mailbox"), Deleted: on(q, "deleted"), Sort: nameOr(q.Get("sort"), "riskiest")}
}

func (w *web) identities(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := identitiesView{Query: kept(r), In: identitiesIn(p.Tenant.ID, r.URL.Query())}
	var err error
	if v.Page, err = w.svc.ListIdentities(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.Coverage, err = w.coverage(r, p.Tenant.ID, len(v.Page.Items) == 0); err != nil {
		return nil, err
	}
	return identitiesPage(p, v), nil
}

func byPerson(r *http.Request, p *page) api.ByPerson {
	return api.ByPerson{In: api.In{Tenant: p.Tenant.ID}, Person: tocsin.PersonID(r.PathValue("person"))}
}

func (w *web) detections(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	ds, err := w.catalogue(r, p.Tenant.ID)
	if err != nil {
		return nil, err
	}
	var fs []family
	for _, d := range ds {
		i := slices.IndexFunc(fs, func(f family) bool { return f.Name == d.Family })
		if i < 0 {
			i = len(fs)
			fs = append(fs, family{Name: d.Family})
		}
		fs[i].List = append(fs[i].List, d)
	}
	for _, f := range fs {
		slices.SortStableFunc(f.List, func(a, b api.Detection) int { return b.Severity.Rank() - a.Severity.Rank() })
	}
	return detectionsPage(p, fs, len(ds), r.URL.Query().Get("show") == "all"), nil
}

// catalogue is every detection, all pieces of the list together.
func (w *web) catalogue(r *http.Request, tenant tocsin.TenantID) ([]api.Detection, error) {
	var all []api.Detection
	for in := (api.ListIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: 200}}); ; {
		ds, err := w.svc.ListDetections(r.Context(), in)
		if err != nil {
			return nil, err
		}
		all = append(all, ds.Items...)
		if in.After = ds.Next; in.After == "" {
			return all, nil
		}
	}
}
