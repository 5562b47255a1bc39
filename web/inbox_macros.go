package web

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/inbox/work"
	"tocsin.dev/mail"
)

// inboxMacrosView are the canned replies, and what can be put into them.
type inboxMacrosView struct {
	Macros []api.Macro
	inboxNames
}

// inboxNames are what macros and rules name: inboxes, people, teams and tags.
type inboxNames struct {
	Boxes  []api.SharedInbox
	People []api.Worker
	Teams  []api.Team
	Tags   []api.Tag
}

// inboxNames reads them; people are those of the inboxes that one works in.
func (w *web) inboxNames(r *http.Request, p *page) (n inboxNames, err error) {
	in := api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}
	boxes, err := w.svc.ListInboxes(r.Context(), in)
	if err != nil {
		return n, err
	}
	tags, err := w.svc.ListTags(r.Context(), in)
	if err != nil {
		return n, err
	}
	v := &inboxView{Boxes: boxes.Items}
	if err := w.inboxPeople(r, p, v); err != nil {
		return n, err
	}
	teams, err := w.svc.ListTeams(r.Context(), in)
	return inboxNames{Boxes: boxes.Items, People: v.People, Teams: teams.Items, Tags: tags.Items}, err
}

// box is an inbox's name; every where none is named.
func (n inboxNames) box(id string) string {
	if id == "" {
		return "Every inbox"
	}
	if i := slices.IndexFunc(n.Boxes, func(b api.SharedInbox) bool { return b.ID == id }); i >= 0 {
		return n.Boxes[i].Name
	}
	return "An inbox that is gone"
}

func (n inboxNames) boxChoices() [][2]string {
	out := [][2]string{{"", "Every inbox"}}
	for _, b := range n.Boxes {
		out = append(out, [2]string{b.ID, b.Name})
	}
	return out
}

func (n inboxNames) peopleChoices(first ...[2]string) [][2]string {
	for _, o := range n.People {
		first = append(first, [2]string{o.Account, workerName(&o)})
	}
	return first
}

func (n inboxNames) teamChoices() [][2]string {
	out := [][2]string{{"", "As it is"}}
	for _, g := range n.Teams {
		out = append(out, [2]string{g.ID, g.Name})
	}
	return out
}

var (
	thenStates     = [][2]string{{"", "As it is"}, {"open", "Open"}, {"waiting", "Waiting for them"}, {"resolved", "Resolved"}, {"spam", "Spam"}}
	thenPriorities = append([][2]string{{"", "As it is"}}, priorityChoices[1:]...)
)

// does is what is done to a thread, in words.
func (n inboxNames) does(assignee, team *string, state string, priority int, add []string) string {
	var out []string
	if assignee != nil {
		switch *assignee {
		case "":
			out = append(out, "gives it to nobody")
		case "me":
			out = append(out, "assigns it to who uses it")
		default:
			v := inboxView{People: n.People}
			out = append(out, "assigns it to "+v.workerWord(*assignee))
		}
	}
	if team != nil && *team != "" {
		out = append(out, "gives it to the team "+teamWord(n.Teams, *team))
	}
	if state != "" {
		_, word := threadState(state)
		out = append(out, "sets it to "+strings.ToLower(word))
	}
	if priority > 0 {
		out = append(out, "makes its priority "+strings.ToLower(priorityWord(priority)))
	}
	for _, g := range add {
		out = append(out, "adds the tag "+tagWord(n.Tags, g))
	}
	return andWords(out)
}

func (v inboxMacrosView) says(m api.Macro) string {
	c := m.Change
	return v.does(c.Assignee, c.Team, c.State, c.Priority, c.Add)
}

func (w *web) inboxMacros(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	var v inboxMacrosView
	got, err := w.svc.ListMacros(r.Context(), api.MacrosIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	v.Macros = got.Items
	if v.inboxNames, err = w.inboxNames(r, p); err != nil {
		return nil, err
	}
	return inboxMacrosPage(p, v), nil
}

// inboxMacroDo makes, changes or forgets a macro.
func (w *web) inboxMacroDo(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	back, f := tenantAt(tenant, "inbox", "macros"), r.PostForm
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: f.Get("id")}}
	if r.PathValue("do") == "delete" {
		_, err := w.svc.DeleteMacro(r.Context(), at)
		return back, &notice{Kind: "good", What: "The macro is forgotten."}, err
	}
	version, _ := strconv.ParseInt(f.Get("version"), 10, 64) // none is none that fits
	n := api.MacroNew{Inbox: f.Get("inbox"), Name: trim(f.Get("name")), Shortcut: trim(f.Get("shortcut")), Version: version}
	n.Change.State, n.Change.Priority, n.Change.Add = f.Get("state"), atoi(f.Get("priority")), slices.DeleteFunc(f["add"], func(s string) bool { return s == "" })
	switch who := f.Get("assignee"); who {
	case "":
	case "none":
		n.Change.Assignee = new(string)
	default:
		n.Change.Assignee = &who
	}
	if team := f.Get("team"); team != "" {
		n.Change.Team = &team
	}
	var err error
	if n.Text, err = w.macroText(r.Context(), at.ByID, f); err != nil {
		return back, nil, err
	}
	switch r.PathValue("do") {
	case "create":
		m, err := w.svc.CreateMacro(r.Context(), api.CreateMacroIn{In: api.In{Tenant: tenant}, Body: n})
		return back, &notice{Kind: "good", What: "The macro " + m.Name + " is made."}, err
	case "edit":
		m, err := w.svc.EditMacro(r.Context(), api.EditMacroIn{ByIDAct: at, Body: n})
		return back, &notice{Kind: "good", What: "The macro " + m.Name + " is changed."}, err
	}
	return back, nil, errNoSuchDeed
}

// macroText is what a form holds of a macro's text.
func (w *web) macroText(ctx context.Context, at api.ByID, f url.Values) (string, error) {
	had := ""
	if at.ID != "" {
		list, err := w.svc.ListMacros(ctx, api.MacrosIn{In: at.In, Paging: api.Paging{Limit: 200}})
		if err != nil {
			return "", err
		}
		for _, m := range list.Items {
			if m.ID == at.ID {
				had = m.Text
			}
		}
	}
	return richText(f, "text", had), nil
}

// richText is what a field for formatted text holds, as HTML; of a form without scripts it is plain, and what was there stays as it is, formatted,
// where that says the same.
func richText(f url.Values, name, had string) string {
	if f.Has(name + "_html") {
		if text := mail.Compose(f.Get(name + "_html")); plainText(text) != "" {
			return text
		}
		return ""
	}
	if typed := strings.ReplaceAll(f.Get(name), "\r\n", "\n"); strings.TrimSpace(typed) != plainText(had) {
		return typedHTML(typed)
	}
	return had
}

// typedHTML is a text that was typed, as HTML, so that it is shown again as it was typed.
func typedHTML(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	return "<p>" + strings.ReplaceAll(html.EscapeString(s), "\n", "<br>") + "</p>"
}

// macroExample is a thread for which a macro shows how it reads.
var macroExample = &work.Thread{N: 4711, Subject: "Where is my order?", From: "jane.doe@example.com", FromName: "Jane Doe"}

// macroReads is how a macro reads when it is used by the viewer.
func macroReads(p *page, v inboxMacrosView, m api.Macro) string {
	box := v.box(m.Inbox)
	if m.Inbox == "" {
		box = "Support"
	}
	return work.Macro{Text: m.Text}.Fill(macroExample, accountName(p.Me), box)
}

// macroNames are what is filled in, for the hint of the form.
func macroNames() string {
	var out []string
	for _, n := range work.Names {
		out = append(out, "{{"+n+"}}")
	}
	return strings.Join(out, " ")
}

func macroAssignee(m api.Macro) string {
	switch {
	case m.Change.Assignee == nil:
		return ""
	case *m.Change.Assignee == "":
		return "none"
	}
	return *m.Change.Assignee
}

func macroTeam(m api.Macro) string {
	if m.Change.Team == nil {
		return ""
	}
	return *m.Change.Team
}
