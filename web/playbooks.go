package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

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
	return tenantAt(tenant, "playbooks", run.ID), runSaid(run, "It is"), nil
}

// runSaid is what a run that was just asked for comes to, of what begins so.
func runSaid(run api.PlaybookRun, begins string) *notice {
	if run.Waiting == 0 {
		return &notice{Kind: "good", What: begins + " written down and goes ahead by itself."}
	}
	others := "; the others go ahead by themselves."
	if run.Waiting == len(run.Actions) {
		others = "."
	}
	return &notice{Kind: "good", What: begins + " written down. " + plural(run.Waiting, "step waits", "steps wait") + " for approval by a second person" + others}
}

func (w *web) playbook(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	run, err := w.svc.GetPlaybookRun(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = run.Title
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
	case "undo":
		run, err := w.svc.UndoPlaybook(r.Context(), api.UndoIn{ByIDAct: in.ByIDAct, Body: api.UndoNew{Why: trim(f("why"))}})
		if err != nil {
			return to, nil, err
		}
		return tenantAt(tenant, "playbooks", run.ID), runSaid(run, "The undo of "+plural(len(run.Actions), "step", "steps")+", the last first, is"), nil
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

// playbookLink leads to the dry run of a playbook.
func playbookLink(p *page, name string, person tocsin.PersonID, finding string) string {
	return with(p.at("playbooks", "new"), "playbook", name, "person", string(person), "finding", finding)
}

// ownPlaybooks are those of a list that the customer wrote.
func ownPlaybooks(list []remediate.Playbook) []remediate.Playbook {
	return slices.DeleteFunc(slices.Clone(list), func(b remediate.Playbook) bool { return !b.Own })
}

// playbookSteps are the kinds of which a playbook can be made, the soft ones first.
func playbookSteps() (out []remediate.Kind) {
	for _, hard := range []bool{false, true} {
		for _, k := range remediate.Asked {
			if k.ForPlaybook() && k.Hard() == hard {
				out = append(out, k)
			}
		}
	}
	return out
}

// playbookForm is a playbook as it stands in a form.
type playbookForm struct {
	Name string
	Text remediate.PlaybookText
	Note string
	Had  *api.OwnPlaybook // the one that is changed; nil for a new one
}

func (w *web) playbooks(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	got, err := w.svc.ListPlaybooks(r.Context(), api.PlaybooksIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	return playbooksPage(p, got.Items), nil
}

func (w *web) playbookWrite(_ http.ResponseWriter, _ *http.Request, p *page) (templ.Component, error) {
	return playbookFormPage(p, playbookForm{Text: remediate.PlaybookText{Steps: []remediate.Kind{remediate.RevokeSessions, remediate.DisableRule}}}), nil
}

func (w *web) playbookOwn(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	f, err := w.heldPlaybook(r, p)
	return playbookFormPage(p, f), err
}

func (w *web) heldPlaybook(r *http.Request, p *page) (f playbookForm, err error) {
	had, err := w.svc.GetOwnPlaybook(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("name")})
	if err != nil {
		return f, err
	}
	p.Title = had.Title
	return playbookForm{Name: had.Name, Text: remediate.PlaybookText{Title: had.Title, Says: had.Says, Steps: had.Steps, Fits: had.Fits}, Had: &had}, nil
}

// typedPlaybook is what stands in the form.
func typedPlaybook(rw http.ResponseWriter, r *http.Request) (f playbookForm, err error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return f, tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read.")
	}
	v := r.PostForm
	f.Name, f.Note = trim(v.Get("name")), trim(v.Get("note"))
	f.Text = remediate.PlaybookText{Title: trim(v.Get("title")), Says: trim(v.Get("says")), Fits: remediate.Fit{Severity: tocsin.Severity(v.Get("severity")), Takeover: v.Get("takeover") == "yes", Admin: v.Get("admin") == "yes", Stages: v["stage"],
		Rules: strings.FieldsFunc(v.Get("rules"), func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' })}}
	for _, k := range v["step"] {
		f.Text.Steps = append(f.Text.Steps, remediate.Kind(k))
	}
	return f, nil
}

// wrongPlaybook shows the form again with what is wrong with it.
func (w *web) wrongPlaybook(r *http.Request, p *page, f playbookForm, err error) (templ.Component, error) {
	w.note(r, err)
	problem := tocsin.AsProblem(err)
	p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
	return playbookFormPage(p, f), nil
}

func (w *web) playbookAdd(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	f, err := typedPlaybook(rw, r)
	if err != nil {
		return nil, err
	}
	made, err := w.svc.CreateOwnPlaybook(r.Context(), api.CreateOwnPlaybookIn{In: api.In{Tenant: p.Tenant.ID}, Body: api.OwnPlaybookNew{Name: f.Name, Text: f.Text, Note: f.Note}})
	if err != nil {
		return w.wrongPlaybook(r, p, f, err)
	}
	p.Title, p.Notice = made.Title, &notice{Kind: "good", What: "The playbook is kept, and offered on the stories that it fits."}
	return playbookFormPage(p, playbookForm{Name: made.Name, Text: remediate.PlaybookText{Title: made.Title, Says: made.Says, Steps: made.Steps, Fits: made.Fits}, Had: &made}), nil
}

func (w *web) playbookSave(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	f, err := typedPlaybook(rw, r)
	if err != nil {
		return nil, err
	}
	version, _ := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("name")}}
	_, failed := w.svc.UpdateOwnPlaybook(r.Context(), api.UpdateOwnPlaybookIn{ByIDAct: at, Body: api.OwnPlaybookEdit{Text: f.Text, Note: f.Note, Version: version}})
	held, err := w.heldPlaybook(r, p)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		f.Name, f.Had = held.Name, held.Had
		return w.wrongPlaybook(r, p, f, failed)
	}
	p.Notice = &notice{Kind: "good", What: "Kept as version " + strconv.FormatInt(held.Had.Version, 10) + "."}
	return playbookFormPage(p, held), nil
}

func (w *web) playbookDrop(r *http.Request) (string, *notice, error) {
	tenant, name := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("name")
	_, err := w.svc.DeleteOwnPlaybook(r.Context(), api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: name}})
	if err != nil {
		return tenantAt(tenant, "playbooks", "own", name), nil, err
	}
	return tenantAt(tenant, "playbooks"), &notice{Kind: "good", What: "The playbook is no longer offered. What runs goes on, and its versions stay."}, nil
}

// stepWords are the steps of a playbook, in their order.
func stepWords(steps []remediate.Kind) string {
	var all []string
	for _, k := range steps {
		all = append(all, actWord(k))
	}
	return strings.Join(all, ", ")
}

// fitWords say on which stories a playbook is offered.
func fitWords(f remediate.Fit) string {
	var all []string
	if f.Takeover {
		all = append(all, "the account looks taken over")
	}
	if f.Admin {
		all = append(all, "the person has a role")
	}
	if f.Severity != "" {
		all = append(all, "the severity is "+string(f.Severity)+" or worse")
	}
	if len(f.Stages) > 0 {
		all = append(all, "it came to "+strings.ReplaceAll(strings.Join(f.Stages, " or "), "_", " "))
	}
	if len(f.Rules) > 0 {
		all = append(all, "found by "+strings.Join(f.Rules, " or "))
	}
	if len(all) == 0 {
		return "On every story"
	}
	return "Where " + strings.Join(all, ", and ")
}

func playbookAt(p *page, f playbookForm) string {
	if f.Had == nil {
		return p.at("playbooks", "own")
	}
	return p.at("playbooks", "own", f.Had.Name)
}
