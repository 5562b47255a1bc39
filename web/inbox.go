package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// inboxPiece is how many threads the list of the inbox shows at a time.
const inboxPiece = 50

// inboxView is the inbox: where one is in it, the list of threads, and the one that is open.
type inboxView struct {
	Query  url.Values
	In     api.ThreadsIn
	Boxes  []api.SharedInbox
	Counts api.ThreadCounts
	List   api.Page[api.Thread]
	Ask    *tocsin.Problem // a reason has to be given before this inbox is read
	Tags   []api.Tag
	Open   *openThread

	Q       string           // the words that are looked for
	Found   []foundThread    // by them
	Refused *tocsin.Problem  // why they were not looked for
	Views   []api.ThreadView // one's own, and everybody's
	View    *api.ThreadView  // the one that the list is of
	Changed bool             // the list is filtered otherwise than the view
	Lost    bool             // the view that was asked for is no more
	People  []api.Worker     // who can be given a thread of the list
	Teams   []api.Team
}

// openThread is a thread with what stands beside it.
type openThread struct {
	api.ThreadDetail
	Box     api.SharedInbox
	Team    api.InboxTeam
	Earlier []api.Thread
	Items   []threadItem
	Next    string // the id of the thread below it in the list
	Me      string

	Security api.ThreadSecurity
	Writing  *composing  // what the viewer writes in it
	Macros   []api.Macro // that they can use
}

// threadItem is a mail or an entry of a thread.
type threadItem struct {
	At    time.Time
	Mail  *api.ThreadMail
	Entry *api.ThreadEntry
	Open  bool // a mail that is shown whole
}

// inboxSections are the parts of the inbox that go over all mailboxes.
var inboxSections = []struct{ Key, Name, Icon, Says string }{
	{"mine", "Assigned to me", "user", "What is yours, in every inbox"},
	{"unassigned", "Unassigned", "mail", "What nobody has taken yet"},
	{"mentioned", "Mentions", "edit", "Where a note names you"},
	{"all", "All", "mailboxes", "Every thread of your inboxes"},
}

// inboxStates are how threads stand, for the filter above the list.
var inboxStates = [][2]string{{"", "Open"}, {"waiting", "Waiting for them"}, {"snoozed", "Snoozed"}, {"resolved", "Resolved"}, {"spam", "Spam"}, {"any", "All"}}

func inboxIn(tenant tocsin.TenantID, q url.Values) api.ThreadsIn {
	return api.ThreadsIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: inboxPiece, After: q.Get("after")}, ThreadFilter: threadFilter(q)}
}

// threadFilter is the filter that an address names.
func threadFilter(q url.Values) api.ThreadFilter {
	priority, _ := strconv.Atoi(q.Get("priority")) // none is any
	f := api.ThreadFilter{Section: q.Get("section"), Inbox: q.Get("inbox"), State: q.Get("state"), Assignee: q.Get("assignee"), Team: q.Get("team"), Tag: q.Get("tag"),
		Priority: priority, From: q.Get("from"), Unread: on(q, "unread"), Attachments: on(q, "attachments")}
	if f.Section == "" && f.Inbox == "" {
		f.Section = "all"
	}
	return f
}

// inbox is the list with no thread open.
func (w *web) inbox(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := w.inboxList(r, p)
	if err != nil {
		return nil, err
	}
	return inboxPage(p, v), nil
}

// inboxThread is the list with a thread open.
func (w *web) inboxThread(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := w.inboxList(r, p)
	if err != nil {
		return nil, err
	}
	d, err := w.svc.GetThread(r.Context(), byID(r, p))
	switch {
	case err != nil && tocsin.AsProblem(err).Code == tocsin.Denied:
		v.Ask = tocsin.AsProblem(err)
		return inboxPage(p, v), nil
	case err != nil:
		return nil, err
	}
	o := &openThread{ThreadDetail: d, Items: threadItems(d), Me: p.Me.Account.ID}
	for _, b := range v.Boxes {
		if b.ID == d.Inbox {
			o.Box = b
		}
	}
	if o.Team, err = w.svc.GetInboxTeam(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: d.Inbox}); err != nil {
		return nil, err
	}
	if o.Security, err = w.svc.GetThreadSecurity(r.Context(), byID(r, p)); err != nil {
		return nil, err
	}
	if err := w.answering(r, p, o); err != nil {
		return nil, err
	}
	if d.From != "" {
		earlier, err := w.svc.ListThreads(r.Context(), api.ThreadsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 6}, ThreadFilter: api.ThreadFilter{Inbox: d.Inbox, From: d.From, State: "any"}})
		if err != nil {
			return nil, err
		}
		o.Earlier = firstN(slices.DeleteFunc(earlier.Items, func(t api.Thread) bool { return t.ID == d.ID }), 5)
	}
	ids := v.ids()
	if i := slices.Index(ids, d.ID); i >= 0 {
		if i+1 < len(ids) {
			o.Next = ids[i+1]
		}
		if d.Unread && o.Box.Member && opensThread(r) {
			v.seen(i)
		}
	}
	if o.Box.Member && opensThread(r) && (d.Unread || o.namesMe()) {
		if _, err := w.svc.SeeThread(r.Context(), api.SeenThreadIn{ByIDAct: api.ByIDAct{ByID: byID(r, p)}}); err != nil {
			return nil, err
		}
	}
	v.Open = o
	p.Title = nameOr(d.Subject, "No subject")
	return inboxPage(p, v), nil
}

// opensThread says that somebody opens the thread, and that it is not their page that freshens itself while they may be elsewhere, or a
// browser that fetches ahead.
func opensThread(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "" && r.Header.Get("Sec-Purpose") == "" || strings.HasSuffix(r.Header.Get("HX-Source"), "#inbox-go")
}

// inboxList reads what stands around a thread.
func (w *web) inboxList(r *http.Request, p *page) (*inboxView, error) {
	in := api.In{Tenant: p.Tenant.ID}
	v := &inboxView{Query: kept(r), In: inboxIn(p.Tenant.ID, r.URL.Query())}
	boxes, err := w.svc.ListInboxes(r.Context(), api.ListIn{In: in, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	v.Boxes = boxes.Items
	if v.Counts, err = w.svc.CountThreads(r.Context(), in); err != nil {
		return nil, err
	}
	tags, err := w.svc.ListTags(r.Context(), api.ListIn{In: in, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	v.Tags = tags.Items
	if err := w.inboxViews(r, p, v); err != nil {
		return nil, err
	}
	if err := w.inboxPeople(r, p, v); err != nil {
		return nil, err
	}
	if v.Q = trim(v.Query.Get("q")); v.Q != "" {
		err = w.inboxFind(r, v)
	} else {
		v.List, err = w.svc.ListThreads(r.Context(), v.In)
	}
	if err != nil && tocsin.AsProblem(err).Code == tocsin.Denied && v.In.Inbox != "" {
		v.Ask, err = tocsin.AsProblem(err), nil
	}
	return v, err
}

// ids are the threads of the list, in order.
func (v *inboxView) ids() (out []string) {
	for _, t := range v.List.Items {
		out = append(out, t.ID)
	}
	for _, f := range v.Found {
		out = append(out, f.Thread)
	}
	return out
}

// seen has a thread of the list be new no more.
func (v *inboxView) seen(i int) {
	if v.Q != "" {
		v.Found[i].Unread = false
	} else {
		v.List.Items[i].Unread = false
	}
}

// threadItems are the mails and entries of a thread in order of time; the last mail is shown whole, and those from outside that came since
// the last of ours.
func threadItems(d api.ThreadDetail) []threadItem {
	var out []threadItem
	for i := range d.Mails {
		out = append(out, threadItem{At: d.Mails[i].At, Mail: &d.Mails[i]})
	}
	for n, i := 0, len(out)-1; i >= 0 && n < 3; n, i = n+1, i-1 {
		if n > 0 && out[i].Mail.Direction == "out" {
			break
		}
		out[i].Open = true
	}
	for i := range d.Entries {
		out = append(out, threadItem{At: d.Entries[i].At, Entry: &d.Entries[i]})
	}
	slices.SortStableFunc(out, func(a, b threadItem) int { return a.At.Compare(b.At) })
	return out
}

// here says whether the viewer is at a section or an inbox.
func (v *inboxView) here(section, box string) bool {
	if v.View != nil {
		return false
	}
	if box != "" {
		return v.In.Inbox == box
	}
	return v.In.Inbox == "" && v.In.Section == section
}

// title is what the list shows.
func (v *inboxView) title() string {
	if v.View != nil {
		return v.View.Name
	}
	for _, b := range v.Boxes {
		if b.ID == v.In.Inbox {
			return b.Name
		}
	}
	for _, s := range inboxSections {
		if s.Key == v.In.Section {
			return s.Name
		}
	}
	if v.In.Section == "drafts" {
		return "Drafts"
	}
	return "Threads"
}

// box is the inbox that the list is of; nil for several.
func (v *inboxView) box(id string) *api.SharedInbox {
	for i := range v.Boxes {
		if v.Boxes[i].ID == id {
			return &v.Boxes[i]
		}
	}
	return nil
}

// mine are the inboxes whose team the viewer is of, others those that they may only look at.
func (v *inboxView) mine(member bool) (out []api.SharedInbox) {
	for _, b := range v.Boxes {
		if b.Member == member {
			out = append(out, b)
		}
	}
	return out
}

// filtered says that conditions are set beside where one is.
func (v *inboxView) filtered() bool {
	f := v.In.ThreadFilter
	f.Section, f.Inbox = "", ""
	return f != api.ThreadFilter{}
}

// threadAt is the address of a thread beside the list that is shown.
func (v *inboxView) threadAt(p *page, id string) string {
	return withQuery(p.at("inbox", "threads", id), v.Query)
}

// listAt is the address of the list, without a thread.
func (v *inboxView) listAt(p *page) string { return withQuery(p.at("inbox"), v.Query) }

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// sectionCount is how many threads wait in a section.
func (v *inboxView) sectionCount(section string) int {
	switch section {
	case "mine":
		return v.Counts.Mine
	case "unassigned":
		return v.Counts.Unassigned
	case "mentioned":
		return v.Counts.Mentioned
	}
	return v.Counts.Open
}

// boundedCount is a count that goes no further than 1000.
func boundedCount(n int) string {
	if n >= 1000 {
		return "999+"
	}
	return thousands(n)
}

// inboxAnswer is what a form of the inbox answers to the page's script.
type inboxAnswer struct {
	notice
	To   string    `json:"to"`
	Bulk *bulkDone `json:"bulk,omitempty"`
}

// inboxAct is a form of the inbox: as [web.act], and where the page's script sends it the answer is JSON, so that the page stays.
func (w *web) inboxAct(do func(r *http.Request) (to string, n *notice, err error)) http.HandlerFunc {
	return w.inboxActs(func(r *http.Request) (string, *notice, *bulkDone, error) {
		to, n, err := do(r)
		return to, n, nil, err
	})
}

// inboxActs is [web.inboxAct] for what is done to several threads.
func (w *web) inboxActs(do func(r *http.Request) (to string, n *notice, done *bulkDone, err error)) http.HandlerFunc {
	plain := w.act(func(r *http.Request) (string, *notice, error) {
		to, n, _, err := do(r)
		return to, n, err
	})
	return func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "application/json" {
			plain(rw, r)
			return
		}
		if _, ok := api.CallerOf(r.Context()); !ok {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.Body = http.MaxBytesReader(rw, r.Body, 1<<20)
		var a inboxAnswer
		err := r.ParseForm()
		if err != nil {
			err = tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read.")
		} else {
			var n *notice
			a.To, n, a.Bulk, err = do(r)
			if n != nil {
				a.notice = *n
			}
		}
		status := http.StatusOK
		if err != nil {
			w.note(r, err)
			pr := tocsin.AsProblem(err)
			a.notice, status = notice{Kind: "bad", What: pr.What, Do: pr.Do}, api.StatusOf(err)
		}
		a.To = local(a.To)
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Cache-Control", "no-store")
		rw.WriteHeader(status)
		_ = json.NewEncoder(rw).Encode(a) // who has gone away needs none
	}
}

// inboxBack is where a form of the inbox leads: to the page that it stands on.
func inboxBack(r *http.Request) string {
	return cmp.Or(r.PostFormValue("back"), tenantAt(tocsin.TenantID(r.PathValue("tenant")), "inbox"))
}

// sizeWord is a size in words.
func sizeWord(n int64) string { return (&framed{}).Bytes(n) }
