package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// inboxBoxView is an inbox's settings: who works in it, how far it is read, who looked at it from outside.
type inboxBoxView struct {
	Box   api.SharedInbox
	Team  api.InboxTeam
	Looks api.Page[api.InboxLook]
	All   []api.Worker // who can be of it; for administrators

	Settings api.InboxSettings
}

func (w *web) inboxBoxPage(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	var v inboxBoxView
	var err error
	if v.Box, err = w.svc.GetInbox(r.Context(), byID(r, p)); err != nil {
		return nil, err
	}
	if v.Team, err = w.svc.GetInboxTeam(r.Context(), byID(r, p)); err != nil {
		return nil, err
	}
	if v.All, err = w.svc.InboxWorkers(r.Context(), api.In{Tenant: p.Tenant.ID}); err != nil {
		return nil, err
	}
	if v.Looks, err = w.svc.ListInboxLooks(r.Context(), api.InboxLooksIn{ByID: byID(r, p), Paging: paging(r.URL.Query())}); err != nil {
		return nil, err
	}
	if v.Settings, err = w.svc.GetInboxSettings(r.Context(), byID(r, p)); err != nil {
		return nil, err
	}
	p.Title = v.Box.Name
	return inboxSettingsPage(p, v), nil
}

// candidate is somebody or a team that can be of an inbox.
type candidate struct {
	Kind, ID, Name, Under string
	In                    bool
}

// candidates are all that can be of an inbox: everyone, teams, people.
func (v inboxBoxView) candidates() []candidate {
	is := func(kind, id string) bool {
		return slices.ContainsFunc(v.Team.Members, func(m api.InboxMember) bool { return m.Kind == kind && m.ID == id })
	}
	out := []candidate{{"everyone", "", "Everyone who may work in inboxes", "Agents, analysts, administrators and owners", is("everyone", "")}}
	for _, g := range v.Team.Teams {
		out = append(out, candidate{"team", g.ID, g.Name, "Team of " + plural(len(g.People), "person", "people"), is("team", g.ID)})
	}
	for _, o := range v.All {
		out = append(out, candidate{"account", o.Account, workerName(&o), o.Email, is("account", o.Account)})
	}
	return out
}

// inboxMembers says who works in an inbox.
func (w *web) inboxMembers(r *http.Request) (string, *notice, error) {
	at := threadAct(r)
	var members []api.InboxMember
	for _, m := range r.PostForm["member"] {
		kind, id, _ := strings.Cut(m, ":")
		members = append(members, api.InboxMember{Kind: kind, ID: id})
	}
	t, err := w.svc.SetInboxMembers(r.Context(), api.SetMembersIn{ByIDAct: at, Body: api.MembersNew{Members: members}})
	return tenantAt(at.Tenant, "inbox", "boxes", at.ID), &notice{Kind: "good", What: plural(len(t.People), "person works", "people work") + " in this inbox now."}, err
}

// inboxTeamsView are the teams and tags of a tenant.
type inboxTeamsView struct {
	Teams   []api.Team
	Tags    []api.Tag
	Workers []api.Worker
}

func (w *web) inboxTeams(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	in := api.In{Tenant: p.Tenant.ID}
	teams, err := w.svc.ListTeams(r.Context(), api.ListIn{In: in, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	tags, err := w.svc.ListTags(r.Context(), api.ListIn{In: in, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	workers, err := w.svc.InboxWorkers(r.Context(), in)
	if err != nil {
		return nil, err
	}
	return inboxTeamsPage(p, inboxTeamsView{Teams: teams.Items, Tags: tags.Items, Workers: workers}), nil
}

// inboxTeamDo makes, changes or forgets a team.
func (w *web) inboxTeamDo(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	back, f := tenantAt(tenant, "inbox", "teams"), r.PostForm
	version, _ := strconv.ParseInt(f.Get("version"), 10, 64) // none is none that fits
	n := api.TeamNew{Name: trim(f.Get("name")), Accounts: f["account"], Version: version}
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: f.Get("id")}}
	switch r.PathValue("do") {
	case "create":
		g, err := w.svc.CreateTeam(r.Context(), api.CreateTeamIn{In: api.In{Tenant: tenant}, Body: n})
		return back, &notice{Kind: "good", What: "The team " + g.Name + " is made.", Do: "Give it inboxes in their settings."}, err
	case "edit":
		_, err := w.svc.EditTeam(r.Context(), api.EditTeamIn{ByIDAct: at, Body: n})
		return back, &notice{Kind: "good", What: "The team is changed."}, err
	case "delete":
		_, err := w.svc.DeleteTeam(r.Context(), at)
		return back, &notice{Kind: "good", What: "The team is forgotten."}, err
	}
	return back, nil, tocsin.Problemf(tocsin.NotFound, "Use the page's buttons.", "There is no such thing to do.")
}

// inboxTagDo makes, changes or forgets a tag.
func (w *web) inboxTagDo(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	back, f := tenantAt(tenant, "inbox", "teams"), r.PostForm
	version, _ := strconv.ParseInt(f.Get("version"), 10, 64) // none is none that fits
	n := api.TagNew{Name: trim(f.Get("name")), Colour: f.Get("colour"), Version: version}
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: f.Get("id")}}
	switch r.PathValue("do") {
	case "create":
		_, err := w.svc.CreateTag(r.Context(), api.CreateTagIn{In: api.In{Tenant: tenant}, Body: n})
		return back, &notice{Kind: "good", What: "The tag is made."}, err
	case "edit":
		_, err := w.svc.EditTag(r.Context(), api.EditTagIn{ByIDAct: at, Body: n})
		return back, &notice{Kind: "good", What: "The tag is changed."}, err
	case "delete":
		_, err := w.svc.DeleteTag(r.Context(), at)
		return back, &notice{Kind: "good", What: "The tag is forgotten, on every thread."}, err
	}
	return back, nil, tocsin.Problemf(tocsin.NotFound, "Use the page's buttons.", "There is no such thing to do.")
}

// tagColours are the colours of tags.
var tagColours = [][2]string{{"slate", "Slate"}, {"red", "Red"}, {"amber", "Amber"}, {"green", "Green"}, {"blue", "Blue"}, {"violet", "Violet"}}

func inTeam(g api.Team, account string) bool {
	return slices.ContainsFunc(g.People, func(w api.Worker) bool { return w.Account == account })
}

// sendsWord is what is known of the right to send from an inbox's address.
func sendsWord(s string) string {
	switch s {
	case "as":
		return "As the address (Send As)"
	case "behalf":
		return "On behalf of the address; the account's own is shown beside it"
	case "refused":
		return "Refused"
	}
	return "Not known before a mail was sent: Test sending tries it"
}
