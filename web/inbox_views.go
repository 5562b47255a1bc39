package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"tocsin.dev"
	"tocsin.dev/api"
)

// A saved list of threads is in the address as view, with nothing beside it; where it is filtered otherwise, as of, beside all that is filtered.

// inboxViews reads the saved lists, and puts the filter of the one that is shown in place of the address's.
func (w *web) inboxViews(r *http.Request, p *page, v *inboxView) error {
	got, err := w.svc.ListThreadViews(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return err
	}
	v.Views = got.Items
	named := func(key string) *api.ThreadView {
		if i := slices.IndexFunc(v.Views, func(o api.ThreadView) bool { return o.ID == v.Query.Get(key) }); i >= 0 {
			return &v.Views[i]
		}
		return nil
	}
	if v.View = named("of"); v.View != nil {
		v.Changed = v.View.Filter != v.In.ThreadFilter
		return nil
	}
	if v.Query.Get("view") == "" {
		return nil
	}
	if v.View = named("view"); v.View == nil {
		v.Lost = true // somebody has forgotten it, perhaps while it is looked at
		v.Query.Del("view")
		return nil
	}
	v.In.ThreadFilter = v.View.Filter
	return nil
}

// asked is all that is filtered, as an address has it.
func (v *inboxView) asked() url.Values {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	f := v.In.ThreadFilter
	set("section", f.Section)
	set("inbox", f.Inbox)
	set("state", f.State)
	set("assignee", f.Assignee)
	set("team", f.Team)
	set("tag", f.Tag)
	set("from", f.From)
	if f.Priority > 0 {
		set("priority", strconv.Itoa(f.Priority))
	}
	if f.Unread {
		set("unread", "true")
	}
	if f.Attachments {
		set("attachments", "true")
	}
	if v.View != nil {
		set("of", v.View.ID)
	}
	set("q", v.Q)
	return q
}

// narrowing is one of the filter that is taken away by a click.
type narrowing struct{ Key, Word string }

// conditions are those that no control above the list shows.
func (v *inboxView) conditions() (out []narrowing) {
	add := func(key, word string) { out = append(out, narrowing{key, word}) }
	f := v.In.ThreadFilter
	if f.Assignee != "" {
		add("assignee", "Assigned to "+v.workerWord(f.Assignee))
	}
	if f.Team != "" {
		add("team", "Team "+teamWord(v.Teams, f.Team))
	}
	if f.Tag != "" {
		add("tag", "Tag "+tagWord(v.Tags, f.Tag))
	}
	if f.Priority > 0 {
		add("priority", priorityWord(f.Priority)+" priority")
	}
	if f.From != "" {
		add("from", "From "+f.From)
	}
	if f.Attachments {
		add("attachments", "With files")
	}
	return out
}

func (v *inboxView) workerWord(id string) string {
	switch id {
	case "me":
		return "me"
	case "none":
		return "nobody"
	}
	if i := slices.IndexFunc(v.People, func(w api.Worker) bool { return w.Account == id }); i >= 0 {
		return workerName(&v.People[i])
	}
	return "somebody else"
}

func teamWord(teams []api.Team, id string) string {
	if i := slices.IndexFunc(teams, func(g api.Team) bool { return g.ID == id }); i >= 0 {
		return teams[i].Name
	}
	if id == "none" {
		return "none"
	}
	return "that is gone"
}

func tagWord(tags []api.Tag, id string) string {
	if i := slices.IndexFunc(tags, func(g api.Tag) bool { return g.ID == id }); i >= 0 {
		return tags[i].Name
	}
	return "that is gone"
}

// assigneeChoices are those whose threads the list can be narrowed to.
func (v *inboxView) assigneeChoices() [][2]string {
	out := [][2]string{{"", "Anybody"}, {"me", "Me"}, {"none", "Nobody"}}
	for _, o := range v.People {
		out = append(out, [2]string{o.Account, workerName(&o)})
	}
	return out
}

func (v *inboxView) teamChoices() [][2]string {
	out := [][2]string{{"", "Any team"}, {"none", "No team"}}
	for _, g := range v.Teams {
		out = append(out, [2]string{g.ID, g.Name})
	}
	return out
}

var priorityChoices = [][2]string{{"", "Any priority"}, {"4", "Urgent"}, {"3", "High"}, {"2", "Normal"}, {"1", "Low"}}

// viewAt is where a saved list stands.
func viewAt(p *page, id string) string { return with(p.at("inbox"), "view", id) }

// viewMark is a saved list's picture.
func viewMark(v api.ThreadView) string {
	if v.Shared {
		return "identities"
	}
	return "eye"
}

// inboxViewDo saves, changes or forgets a list of threads.
func (w *web) inboxViewDo(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	back, f := inboxBack(r), r.PostForm
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: f.Get("view")}}
	version, _ := strconv.ParseInt(f.Get("version"), 10, 64) // none is none that fits
	n := api.ThreadViewNew{Name: trim(f.Get("name")), Shared: f.Get("shared") != "", Version: version}
	asked, err := url.ParseQuery(f.Get("filter"))
	if err != nil {
		return back, nil, tocsin.Problemf(tocsin.Invalid, "Use the page's buttons.", "The filter could not be read.")
	}
	n.Filter = threadFilter(asked)
	to := func(id string) string { return with(tenantAt(tenant, "inbox"), "view", id) }
	switch r.PathValue("do") {
	case "create":
		v, err := w.svc.CreateThreadView(r.Context(), api.CreateThreadViewIn{In: api.In{Tenant: tenant}, Body: n})
		if err != nil {
			return back, nil, err
		}
		return to(v.ID), &notice{Kind: "good", What: "The view " + v.Name + " is saved."}, nil
	case "edit":
		v, err := w.svc.EditThreadView(r.Context(), api.EditThreadViewIn{ByIDAct: at, Body: n})
		if err != nil {
			return back, nil, err
		}
		return to(v.ID), &notice{Kind: "good", What: "The view is changed."}, nil
	case "delete":
		_, err := w.svc.DeleteThreadView(r.Context(), at)
		if err != nil {
			return back, nil, err
		}
		return tenantAt(tenant, "inbox"), &notice{Kind: "good", What: "The view is forgotten. Its threads stay."}, nil
	}
	return back, nil, tocsin.Problemf(tocsin.NotFound, "Use the page's buttons.", "There is no such thing to do.")
}

// filterOfView is the filter of the view as it is saved, as an address has it.
func (v *inboxView) filterOfView() string {
	saved := inboxView{In: api.ThreadsIn{ThreadFilter: v.View.Filter}}
	return saved.asked().Encode()
}

// stateChoices are how threads stand, for the filter; where nothing else is said, of what is searched and of mentions any.
func (v *inboxView) stateChoices() [][2]string {
	if v.Q == "" && v.In.Section != "mentioned" {
		return inboxStates
	}
	return append([][2]string{{"", "Any state"}, {"open", "Open"}}, inboxStates[1:len(inboxStates)-1]...)
}

// manyStates says that the list holds threads that stand differently.
func (v *inboxView) manyStates() bool {
	return v.In.State == "any" || v.In.State == "work" || v.In.State == "" && v.In.Section == "mentioned"
}

func viewSays(v api.ThreadView) string {
	if v.Shared {
		return v.Name + ": everybody's view"
	}
	return v.Name + ": your view"
}

// viewCount is how many threads a view has, which is counted to 100.
func viewCount(n int) string {
	if n >= 100 {
		return "99+"
	}
	return strconv.Itoa(n)
}

func numberOr(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // of our own numbers
	return n
}
