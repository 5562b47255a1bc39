package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
)

// watchedView is what the list of the ways in which mailboxes are seen shows.
type watchedView struct {
	Query  url.Values
	In     api.WatchedIn
	Stream api.Stream
	Page   api.Page[api.Watched]
}

// ways are those in which a mailbox is seen: the mark, the word.
var ways = []struct{ State, Kind, Word string }{
	{api.WayTold, "ok", "Told of"}, {api.WayWaits, "part", "Waits"}, {api.WayRefused, "bad", "Refused"}, {api.WayLeftOut, "off", "Left out"}, {api.WayUnreadable, "unknown", "Not readable"},
}

// lacks are what a mailbox can lack, however it is seen.
var lacks = []struct{ State, Word string }{{api.LackGaps, "with a gap"}, {api.LackParked, "with mail that waits"}, {api.LackSilent, "silent"}}

func seenWord(state string) (kind, word string) {
	for _, w := range ways {
		if w.State == state {
			return w.Kind, w.Word
		}
	}
	return "unknown", "Not known"
}

func (w *web) watched(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := watchedView{Query: kept(r), In: api.WatchedIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, State: q.Get("state"), Q: q.Get("q")}}
	var err error
	if v.Stream, err = w.svc.GetStream(r.Context(), v.In.In); err != nil {
		return nil, err
	}
	if v.Page, err = w.svc.ListWatched(r.Context(), v.In); err != nil {
		return nil, err
	}
	return watchedPage(p, v), nil
}

// streamForm is how a connection's mail is watched, as the form has it.
type streamForm struct {
	C                                                 api.Connection
	Is                                                api.StreamSettings
	People, Departments, Domains, Groups, Basic, Rich string // a line each
	Stream                                            api.Stream
}

func (w *web) streamSettings(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := w.streamForm(r, p)
	if err != nil {
		return nil, err
	}
	return streamSettingsPage(p, v), nil
}

func (w *web) streamForm(r *http.Request, p *page) (v streamForm, err error) {
	at := api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")}
	if v.C, err = w.svc.GetConnection(r.Context(), at); err != nil {
		return v, err
	}
	if v.Is, err = w.svc.StreamSettingsOf(r.Context(), at); err != nil {
		return v, err
	}
	v.Stream, err = w.svc.GetStream(r.Context(), at.In)
	v.People, v.Departments, v.Domains, v.Groups = namesIn(v.Is.People), namesIn(v.Is.Departments), namesIn(v.Is.Domains), namesIn(v.Is.Groups)
	v.Basic, v.Rich = namesIn(v.Is.Basic), namesIn(v.Is.Rich)
	p.Title = "How mail is watched"
	return v, err
}

// namesIn are names as they are typed, a line each.
func namesIn(list []api.ScopeName) string {
	var out []string
	for _, n := range list {
		switch {
		case n.Address != "":
			out = append(out, n.Address)
		case n.Name != "" && n.Members == nil:
			out = append(out, n.Name)
		default:
			out = append(out, n.ID)
		}
	}
	return strings.Join(out, "\n")
}

// linesOf are the lines of a field; none is an empty list, which clears what was there.
func linesOf(text string) []string {
	out := []string{}
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ';' }) {
		if line = trim(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// streamSettingsDo keeps what was entered; what is refused stays in the form.
func (w *web) streamSettingsDo(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := w.streamForm(r, p)
	if err != nil {
		return nil, err
	}
	f := func(name string) string { return r.PostFormValue(name) }
	v.People, v.Departments, v.Domains, v.Groups, v.Basic, v.Rich = f("people"), f("departments"), f("domains"), f("groups"), f("basic"), f("rich")
	version, _ := strconv.ParseInt(f("version"), 10, 64)
	v.Is.Version = version
	v.Is.Mailboxes, v.Is.Form = f("mailboxes"), f("form")
	v.Is.Folders, v.Is.Changes = r.PostForm["folders"], r.PostForm["changes"]
	v.Is.Hashing = f("hashing") == "yes"
	var faults []*tocsin.Problem
	for name, into := range map[string]*int{"batch": &v.Is.Batch, "gather": &v.Is.Gather} {
		n, err := strconv.Atoi(trim(f(name)))
		if err != nil {
			faults = append(faults, tocsin.Problemf(tocsin.Invalid, "Give a number.", "%q is no number.", f(name)))
			continue
		}
		*into = n
	}
	err = tocsin.Together(faults...)
	if err == nil {
		list := func(have []string) []string {
			if have == nil {
				return []string{}
			}
			return have
		}
		_, err = w.svc.SetStream(r.Context(), api.SetStreamIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: v.C.ID}}, Body: api.StreamEdit{Version: version,
			Mailboxes: &v.Is.Mailboxes, People: linesOf(v.People), Departments: linesOf(v.Departments), Domains: linesOf(v.Domains), Groups: linesOf(v.Groups),
			Folders: list(v.Is.Folders), Changes: list(v.Is.Changes), Form: &v.Is.Form, Basic: linesOf(v.Basic), Rich: linesOf(v.Rich), Batch: &v.Is.Batch, Gather: &v.Is.Gather, Hashing: &v.Is.Hashing}})
	}
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		return streamSettingsPage(p, v), nil
	}
	w.leaveNotice(rw, &notice{Kind: "good", What: "Kept. It is in force within seconds, on every server."})
	http.Redirect(rw, r, local(p.at("connections", v.C.ID, "stream")), http.StatusSeeOther)
	return nil, nil
}

// newHashKey makes another key by which names are hashed.
func (w *web) newHashKey(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	_, err := w.svc.SetStream(r.Context(), api.SetStreamIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}, Body: api.StreamEdit{Version: version, NewHashKey: true}})
	return tenantAt(tenant, "connections", id, "stream"), &notice{Kind: "good", What: "Names are hashed with a new key from now on.", Do: "What waited is looked at now."}, err
}

// canarySet names the mailbox in which the canary makes its drafts, or takes it away.
func (w *web) canarySet(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	in := api.SetCanaryIn{In: api.In{Tenant: tenant}, Body: api.CanaryNew{Mailbox: trim(r.PostFormValue("mailbox")), Version: version}}
	set, err := w.svc.SetCanary(r.Context(), in)
	said := &notice{Kind: "good", What: "The canary makes a draft in " + set.Mailbox + " every few minutes, from now on.", Do: "What it finds stands here and on Mail activity."}
	if set.Mailbox == "" {
		said = &notice{Kind: "good", What: "The canary makes no drafts. It looks at what comes to busy mailboxes."}
	}
	return tenantAt(tenant, "connections", r.PathValue("id"), "stream") + "#canary", said, err
}

// foldersLeft are the folders that can be left out, as Outlook calls them.
var foldersLeft = func() (out []struct{ Name, Word string }) {
	words := map[string]string{"junkemail": "Junk Email", "deleteditems": "Deleted Items", "drafts": "Drafts", "sentitems": "Sent Items", "archive": "Archive",
		"conversationhistory": "Conversation History", "clutter": "Clutter", "syncissues": "Sync Issues"}
	for _, f := range collect.FoldersLeft {
		out = append(out, struct{ Name, Word string }{f, words[f]})
	}
	return out
}()

// changesTold are the types of changes, with what each is for.
var changesTold = []struct{ Name, Word, Cost string }{
	{"created", "Created", "What comes and what is sent. Without it neither is in the events."},
	{"updated", "Updated", "What is read, flagged, moved, answered and forwarded: more than half of all notifications. Without it these are in no event, and a draft that is sent is seen a day late."},
	{"deleted", "Deleted", "What is deleted for good. Without it the daily look still finds that a message is gone, and no event says so."},
}

// watchWord says in a sentence which mailboxes are watched.
func watchWord(s api.StreamSettings) string {
	var parts []string
	for _, of := range []struct {
		n         int
		one, many string
	}{{len(s.People), "person", "people"}, {len(s.Departments), "department", "departments"}, {len(s.Domains), "domain", "domains"}, {len(s.Groups), "group", "groups"}} {
		if of.n > 0 {
			parts = append(parts, plural(of.n, of.one, of.many))
		}
	}
	switch s.Mailboxes {
	case collect.WatchOnly:
		return "Only " + strings.Join(parts, ", ")
	case collect.WatchExcept:
		return "All but " + strings.Join(parts, ", ")
	}
	return "All that can be read"
}

// changesWord says what is told of.
func changesWord(list []string) string {
	if len(list) == len(collect.Changes) {
		return "every change"
	}
	return strings.Join(list, " and ") + " only"
}
