package web

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/api"
)

// bulkMost is how many threads of a list are changed at once, where all of it are chosen.
const bulkMost = 2_000

// bulkPiece is how many an operation changes.
const bulkPiece = 200

// bulkDone is what became of several threads.
type bulkDone struct {
	Changed int               `json:"changed"`
	Refused []api.BulkRefused `json:"refused,omitempty"`
	Undo    string            `json:"undo,omitempty"` // what a form sends to have them as they were
	cut     bool              // there are more than were changed
}

// inboxPeople are those who can be given threads of the list, and the teams: of the inbox, or of those that one works in.
func (w *web) inboxPeople(r *http.Request, p *page, v *inboxView) error {
	boxes := v.mine(true)
	if b := v.box(v.In.Inbox); b != nil {
		boxes = []api.SharedInbox{*b}
	}
	for _, b := range firstN(boxes, min(len(boxes), 8)) {
		team, err := w.svc.GetInboxTeam(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: b.ID})
		if err != nil {
			return err
		}
		v.Teams = team.Teams
		for _, o := range team.People {
			if !slices.ContainsFunc(v.People, func(h api.Worker) bool { return h.Account == o.Account }) {
				v.People = append(v.People, o)
			}
		}
	}
	slices.SortFunc(v.People, func(a, b api.Worker) int {
		return cmp.Compare(strings.ToLower(workerName(&a)), strings.ToLower(workerName(&b)))
	})
	return nil
}

// inboxBulk does something to the threads that are chosen, or to all of the list.
func (w *web) inboxBulk(r *http.Request) (string, *notice, *bulkDone, error) {
	back, f := inboxBack(r), r.PostForm
	in := api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}
	if raw := f.Get("undo"); raw != "" {
		return w.bulkUndo(r, in, back, raw)
	}
	ids, done := f["thread"], &bulkDone{}
	if f.Get("all") != "" {
		asked, err := url.ParseQuery(f.Get("filter"))
		if err != nil {
			return back, nil, nil, tocsin.Problemf(tocsin.Invalid, "Choose them on the page.", "The list could not be read.")
		}
		if ids, done.cut, err = w.bulkAll(r.Context(), in.Tenant, asked); err != nil {
			return back, nil, nil, err
		}
	}
	if len(ids) == 0 {
		return back, nil, nil, tocsin.Problemf(tocsin.Invalid, "Mark rows with x, or click the boxes beside them.", "No thread is chosen.")
	}
	if f.Get("delete") != "" {
		err := w.bulkDelete(r, in, ids, done)
		return back, done.notice("moved to the mailbox's deleted items"), done, err
	}
	if f.Has("untag") { // a field of the name remove would hide the form's own
		f["remove"] = f["untag"]
	}
	if f.Has("until") {
		f.Set("state", "snoozed")
	}
	c, err := threadChange(r)
	if err != nil {
		return back, nil, nil, err
	}
	var undo []api.BulkThreads
	for some := range slices.Chunk(ids, bulkPiece) {
		got, err := w.svc.ChangeThreads(r.Context(), api.BulkThreadsIn{In: in, Body: api.BulkThreads{Threads: some, Change: c, Seen: f.Get("seen") != ""}})
		if err != nil {
			return back, nil, nil, err
		}
		done.Changed += got.Changed
		done.Refused, undo = append(done.Refused, got.Refused...), append(undo, got.Undo...)
	}
	if len(undo) > 0 {
		raw, err := json.Marshal(undo)
		if err != nil {
			return back, nil, nil, err
		}
		done.Undo = string(raw)
	}
	return back, done.notice(bulkWord(c)), done, nil
}

// bulkAll are the threads of a list, the newest first; cut says that there are more.
func (w *web) bulkAll(ctx context.Context, tenant tocsin.TenantID, asked url.Values) (ids []string, cut bool, err error) {
	in := inboxIn(tenant, asked)
	in.Limit = 200
	for {
		got, err := w.svc.ListThreads(ctx, in)
		if err != nil {
			return nil, false, err
		}
		for _, t := range got.Items {
			ids = append(ids, t.ID)
		}
		if in.After = got.Next; in.After == "" || len(ids) >= bulkMost {
			return firstN(ids, min(len(ids), bulkMost)), in.After != "", nil
		}
	}
}

// bulkDelete moves the mails of threads to the deleted items of their mailbox, each that can be.
func (w *web) bulkDelete(r *http.Request, in api.In, ids []string, done *bulkDone) error {
	for _, id := range ids {
		_, err := w.svc.ChangeThreadMailbox(r.Context(), api.ThreadMailboxIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: in, ID: id}}, Body: api.ThreadMailbox{Delete: true}})
		switch problem := tocsin.AsProblem(err); {
		case err == nil:
			done.Changed++
		case problem.Code == tocsin.Internal || problem.Code == tocsin.Unavailable || problem.Code == tocsin.Throttled:
			return err
		default:
			done.Refused = append(done.Refused, api.BulkRefused{Thread: id, Because: problem.What})
		}
	}
	return nil
}

// bulkUndo has threads be as they were before they were changed together.
func (w *web) bulkUndo(r *http.Request, in api.In, back, raw string) (string, *notice, *bulkDone, error) {
	var list []api.BulkThreads
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return back, nil, nil, tocsin.Problemf(tocsin.Invalid, "Change them by hand.", "What was done could not be read.")
	}
	done := &bulkDone{}
	for _, b := range list {
		for some := range slices.Chunk(b.Threads, bulkPiece) {
			got, err := w.svc.ChangeThreads(r.Context(), api.BulkThreadsIn{In: in, Body: api.BulkThreads{Threads: some, Change: b.Change}})
			if err != nil {
				return back, nil, nil, err
			}
			done.Changed += got.Changed
			done.Refused = append(done.Refused, got.Refused...)
		}
	}
	return back, done.notice("as before"), done, nil
}

// notice says what was done with how many; why others were left is said of each on the page, and of all in the notice of a page without scripts.
func (d *bulkDone) notice(word string) *notice {
	n := &notice{Kind: "good", What: plural(d.Changed, "thread is", "threads are") + " " + word + "."}
	if d.cut {
		n.Do = "There are more: choose all again to go on."
	}
	if len(d.Refused) == 0 {
		return n
	}
	n.Kind = "warn"
	if d.Changed == 0 {
		n.Kind, n.What = "bad", "Nothing was done."
	}
	var why []string
	by := map[string]int{}
	for _, r := range d.Refused {
		if by[r.Because]++; by[r.Because] == 1 {
			why = append(why, r.Because)
		}
	}
	n.Do = plural(len(d.Refused), "was", "were") + " left as before: " + strings.Join(firstN(why, min(len(why), 3)), " ")
	return n
}

// bulkWord is what a change makes of threads.
func bulkWord(c api.ThreadChange) string {
	switch {
	case c.Assignee != nil && *c.Assignee == "":
		return "nobody's now"
	case c.Assignee != nil && *c.Assignee == "me":
		return "yours now"
	case c.Assignee != nil:
		return "assigned"
	case c.Team != nil:
		return "given to the team"
	case c.State == "waiting":
		return "set to waiting"
	case c.State == "spam":
		return "marked as spam"
	case c.State != "":
		return map[string]string{"open": "open", "resolved": "resolved", "snoozed": "snoozed"}[c.State]
	case c.Priority != 0:
		return "of " + strings.ToLower(priorityWord(c.Priority)) + " priority now"
	case len(c.Add) > 0:
		return "tagged"
	case len(c.Remove) > 0:
		return "without the tag"
	}
	return "read"
}
