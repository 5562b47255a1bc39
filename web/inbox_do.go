package web

import (
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
)

func threadAct(r *http.Request) api.ByIDAct {
	return api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}, ID: r.PathValue("id")}}
}

// threadDo does to a thread what its forms ask for.
func (w *web) threadDo(r *http.Request) (string, *notice, error) {
	back, at := inboxBack(r), threadAct(r)
	switch r.PathValue("do") {
	case "change":
		c, err := threadChange(r)
		if err != nil {
			return back, nil, err
		}
		d, err := w.svc.ChangeThread(r.Context(), api.ChangeThreadIn{ByIDAct: at, Body: c})
		return back, changeNotice(c, d), err
	case "unread":
		_, err := w.svc.SeeThread(r.Context(), api.SeenThreadIn{ByIDAct: at, Body: api.ThreadSeen{Unread: true}})
		return tenantAt(at.Tenant, "inbox") + queryOf(back), &notice{Kind: "good", What: "It is new to you again."}, err
	case "report":
		got, err := w.svc.ReportThread(r.Context(), api.ReportThreadIn{ByIDAct: at, Body: api.ThreadReport{Note: trim(r.PostFormValue("note"))}})
		n := &notice{Kind: "good", What: "It is reported. An investigation looks for it and its like in all mailboxes once an analyst starts it."}
		if got.Started {
			n.What = "It is reported, and all mailboxes are searched."
		}
		return back, n, err
	case "note":
		_, err := w.svc.CreateNote(r.Context(), api.NoteIn{ByIDAct: at, Body: api.NoteNew{Text: trim(r.PostFormValue("text"))}})
		return back, &notice{Kind: "good", What: "The note is kept. Only your team sees it."}, err
	case "note-edit":
		_, err := w.svc.EditNote(r.Context(), api.EditNoteIn{ByIDAct: at, Note: r.PostFormValue("note"), Body: api.NoteNew{Text: trim(r.PostFormValue("text"))}})
		return back, &notice{Kind: "good", What: "The note is changed."}, err
	case "note-delete":
		_, err := w.svc.DeleteNote(r.Context(), api.DeleteNoteIn{ByIDAct: at, Note: r.PostFormValue("note")})
		return back, &notice{Kind: "good", What: "The note is taken away."}, err
	}
	return w.writeDo(r)
}

// threadChange is what a form asks to become of a thread: of what it does not name, nothing.
func threadChange(r *http.Request) (c api.ThreadChange, err error) {
	f := r.PostForm
	if f.Has("assignee") {
		c.Assignee = new(f.Get("assignee"))
	}
	if f.Has("team") {
		c.Team = new(f.Get("team"))
	}
	c.State = f.Get("state")
	if c.State == "snoozed" {
		if c.Until, err = snoozeUntil(r); err != nil {
			return c, err
		}
	}
	if p := f.Get("priority"); p != "" {
		if c.Priority, err = strconv.Atoi(p); err != nil {
			return c, tocsin.Problemf(tocsin.Invalid, "Choose one of the list.", "%q is no priority.", p)
		}
	}
	if f.Get("add") != "" {
		c.Add = f["add"]
	}
	if f.Get("remove") != "" {
		c.Remove = f["remove"]
	}
	return c, nil
}

// snoozeUntil is when a thread comes back: an instant of a button, or a day and hour of a field in the viewer's zone.
func snoozeUntil(r *http.Request) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, r.PostFormValue("until")); err == nil {
		return at.UTC(), nil
	}
	at, err := time.ParseInLocation("2006-01-02T15:04", r.PostFormValue("at"), lookOf(r.Context()).zone)
	if err != nil {
		return at, tocsin.Problemf(tocsin.Invalid, "Choose a day and an hour.", "There is no time until when it sleeps.")
	}
	return at.UTC(), nil
}

// snooze is a time that is offered.
type snooze struct {
	Name string
	At   time.Time
}

// snoozes are the times that are offered, of the viewer's day.
func snoozes(l *look) []snooze {
	now := l.now.In(l.zone)
	morning := func(days int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+days, 9, 0, 0, 0, l.zone)
	}
	monday := (int(time.Monday) - int(now.Weekday()) + 7) % 7
	if monday == 0 {
		monday = 7
	}
	out := []snooze{{"In 3 hours", now.Add(3 * time.Hour).Truncate(time.Minute)}, {"Tomorrow morning", morning(1)}}
	if monday != 1 {
		out = append(out, snooze{"Monday morning", morning(monday)})
	}
	return append(out, snooze{"In a week", morning(7)}, snooze{"In a month", morning(30)})
}

func changeNotice(c api.ThreadChange, d api.ThreadDetail) *notice {
	var said []string
	add := func(s string) { said = append(said, s) }
	if c.Assignee != nil {
		if d.Assignee == nil {
			add("It is nobody's now.")
		} else {
			add("It is assigned to " + nameOr(d.Assignee.Name, d.Assignee.Email) + ".")
		}
	}
	if c.Team != nil {
		if d.Team == "" {
			add("It is of no team now.")
		} else {
			add("It is " + d.TeamName + "’s now.")
		}
	}
	switch c.State {
	case "open":
		add("It is open.")
	case "waiting":
		add("It waits for them.")
	case "snoozed":
		add("It sleeps, and comes back by itself.")
	case "resolved":
		add("It is resolved.")
	case "spam":
		add("It is spam.")
	}
	if c.Priority != 0 {
		add("Its priority is " + strings.ToLower(priorityWord(c.Priority)) + ".")
	}
	if len(c.Add)+len(c.Remove) > 0 {
		add("Its tags are changed.")
	}
	return &notice{Kind: "good", What: nameOr(strings.Join(said, " "), "Nothing was to be changed.")}
}

// inboxLook begins to read an inbox from outside its team.
func (w *web) inboxLook(r *http.Request) (string, *notice, error) {
	_, err := w.svc.LookInbox(r.Context(), api.LookInboxIn{ByIDAct: threadAct(r), Body: api.Reason{Reason: trim(r.PostFormValue("reason"))}})
	return inboxBack(r), &notice{Kind: "warn", What: "You read this inbox for an hour.", Do: "Its team sees that you do, why, and what you open."}, err
}

func queryOf(address string) string {
	_, q, ok := strings.Cut(address, "?")
	if !ok {
		return ""
	}
	return "?" + q
}

// priorityWord is a priority as people say it.
func priorityWord(n int) string {
	switch n {
	case 1:
		return "Low"
	case 3:
		return "High"
	case 4:
		return "Urgent"
	}
	return "Normal"
}

// priorityKind is the shape beside it.
func priorityKind(n int) string {
	switch n {
	case 1:
		return "info"
	case 3:
		return "high"
	case 4:
		return "critical"
	}
	return "low"
}

// threadState is a thread's state: its mark and word.
func threadState(s string) (kind, word string) {
	switch s {
	case "open":
		return "busy", "Open"
	case "waiting":
		return "paused", "Waiting"
	case "snoozed":
		return "paused", "Snoozed"
	case "resolved":
		return "ok", "Resolved"
	case "spam":
		return "off", "Spam"
	}
	return "unknown", sentence(s)
}

// boxState is an inbox's state: its mark and word.
func boxState(s string) (kind, word string) {
	switch s {
	case "connected":
		return "ok", "Connected"
	case "broken":
		return "bad", "Not connected"
	case "disconnected":
		return "off", "Disconnected"
	}
	return "unknown", sentence(s)
}

// workerName is what somebody is called.
func workerName(w *api.Worker) string {
	if w == nil {
		return "Nobody"
	}
	return nameOr(w.Name, nameOr(w.Email, "Somebody who is gone"))
}

// namesMe says that a note names the account.
func (o *openThread) namesMe() bool {
	for _, e := range o.Entries {
		for _, m := range e.Mentions {
			if m.Account == o.Me {
				return true
			}
		}
	}
	return false
}

// tagged says that the thread has a tag.
func (o *openThread) tagged(id string) bool {
	return slices.ContainsFunc(o.Tags, func(g api.Tag) bool { return g.ID == id })
}

// people are the names that a note can tell, a line each, as they are typed.
func (o *openThread) people() string {
	var out []string
	for _, w := range o.Team.People {
		local, _, _ := strings.Cut(w.Email, "@")
		out = append(out, local+"\t"+workerName(&w))
	}
	return strings.Join(out, "\n")
}

// repliesElsewhere says that an answer to a mail would go to another address than it is from.
func repliesElsewhere(m api.ThreadMail) bool {
	return m.Direction == "in" && slices.ContainsFunc(m.ReplyTo, func(a api.MailAddress) bool { return !strings.EqualFold(a.Address, m.From) })
}

// anchorOf is an id of a page made of Graph's id of a mail.
func anchorOf(id string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return strconv.FormatUint(h.Sum64(), 36)
}

// askBox is the inbox for which a reason is asked.
func (v *inboxView) askBox() string { return v.In.Inbox }

func (v *inboxView) pathOfList(p *page) string { return p.at("inbox") }

func tagChoices(tags []api.Tag) [][2]string {
	out := [][2]string{{"", "Any tag"}}
	for _, g := range tags {
		out = append(out, [2]string{g.ID, g.Name})
	}
	return out
}

// emailSettingsAt is where addresses are connected.
func emailSettingsAt(p *page) string { return p.at("settings", "email") }

// reconnectAt is where an inbox is connected again.
func reconnectAt(p *page, b api.SharedInbox) string { return emailSettingsAt(p) + "#address-" + b.ID }

// signTone is the hue and shape of a sign.
func signTone(level string) string {
	switch level {
	case "danger":
		return "critical"
	case "warning":
		return "high"
	case "good":
		return "ok"
	}
	return "info"
}
