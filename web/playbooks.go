package web

import (
	"net/http"
	"slices"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/remediate"
)

// playbookView is the dry run of a playbook.
type playbookView struct {
	Ask  api.PlaybookNew
	Plan api.PlaybookPlan
	Who  string
	Key  string // so that pressing twice runs it once
}

// possible says whether some step can be done at once; forcible, whether more can where what stands against it is read.
func (v playbookView) possible() bool {
	return slices.ContainsFunc(v.Plan.Plans, func(p api.ActionPlan) bool { return p.Possible })
}

func (v playbookView) forcible() bool {
	return slices.ContainsFunc(v.Plan.Plans, func(p api.ActionPlan) bool { return p.Forcible })
}

// approval says whether a step waits for a second person.
func (v playbookView) approval() bool {
	return slices.ContainsFunc(v.Plan.Plans, func(p api.ActionPlan) bool { return p.Approval && (p.Possible || p.Forcible) })
}

// playbookNew shows what a playbook would do, and asks for it.
func (w *web) playbookNew(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := playbookView{Ask: api.PlaybookNew{Playbook: q.Get("playbook"), Person: tocsin.PersonID(q.Get("person")), Finding: q.Get("finding"), Why: "dry run"}, Key: tocsin.NewID()}
	var err error
	if v.Plan, err = w.svc.PlanPlaybook(r.Context(), api.PlanPlaybookIn{In: api.In{Tenant: p.Tenant.ID}, Body: v.Ask}); err != nil {
		return nil, err
	}
	for _, one := range v.Plan.Plans {
		v.Who = one.Who
	}
	p.Title = v.Plan.Title
	return playbookPage(p, v), nil
}

// playbookRun runs a playbook, and leads to where its progress shows.
func (w *web) playbookRun(r *http.Request) (string, *notice, error) {
	f, tenant := r.PostFormValue, tocsin.TenantID(r.PathValue("tenant"))
	in := api.PlaybookNew{Playbook: f("playbook"), Person: tocsin.PersonID(f("person")), Finding: f("finding"), Why: trim(f("why")), Force: f("force") == "yes"}
	run, err := w.svc.RunPlaybook(r.Context(), api.RunPlaybookIn{In: api.In{Tenant: tenant}, Key: api.Key{Key: f("key")}, Body: in})
	if err != nil {
		return with(tenantAt(tenant, "playbooks", "new"), "playbook", f("playbook"), "person", f("person"), "finding", f("finding")), nil, err
	}
	said := "It is written down and goes ahead by itself."
	if run.Waiting > 0 {
		said = "It is written down. " + plural(run.Waiting, "step waits", "steps wait") + " for approval by a second person; the others go ahead by themselves."
	}
	return tenantAt(tenant, "playbooks", run.ID), &notice{Kind: "good", What: said}, nil
}

func (w *web) playbook(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	run, err := w.svc.GetPlaybookRun(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = playbookTitle(run.Playbook)
	return playbookRunPage(p, run), nil
}

// playbookDo approves or refuses what waits of a run.
func (w *web) playbookDo(r *http.Request) (string, *notice, error) {
	f, tenant, id := r.PostFormValue, tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "playbooks", id)
	in := api.ActionDecideIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}, Key: api.Key{Key: f("key")}}, Body: api.ActionNote{Note: trim(f("note"))}}
	switch r.PathValue("do") {
	case "approve":
		_, err := w.svc.ApprovePlaybook(r.Context(), in)
		return to, &notice{Kind: "good", What: "Approved: it goes ahead by itself."}, err
	case "refuse":
		_, err := w.svc.RefusePlaybook(r.Context(), in)
		return to, &notice{Kind: "good", What: "Refused: nothing more is done."}, err
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

func playbookTitle(name string) string {
	for _, b := range remediate.Playbooks {
		if b.Name == name {
			return b.Title
		}
	}
	return sentence(name)
}

// playbookLink leads to the dry run of a playbook.
func playbookLink(p *page, name string, person tocsin.PersonID, finding string) string {
	return with(p.at("playbooks", "new"), "playbook", name, "person", string(person), "finding", finding)
}
