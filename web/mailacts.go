package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/investigate"
)

// mailActsView is what the list of acts on mails shows.
type mailActsView struct {
	Query   url.Values
	In      api.MailActsIn
	Page    api.Page[api.MailAct]
	Waiting []api.MailAct // for approval, on top of the first piece
	Of      string        // the name of the investigation that is filtered by
}

// mailActTabs are the ways of looking at acts on mails.
var mailActTabs = []struct {
	Name, Show string
	States     []investigate.ActState
}{
	{"All", "", nil},
	{"Waiting for approval", "waiting", []investigate.ActState{investigate.ActWaiting}},
	{"Under way", "running", []investigate.ActState{investigate.ActRunning, investigate.ActStopping}},
	{"Done", "done", []investigate.ActState{investigate.ActDone}},
	{"Stopped or refused", "ended", []investigate.ActState{investigate.ActStopped, investigate.ActRefused}},
}

func (v mailActsView) filtered() bool {
	return v.Query.Get("show") != "" || v.Query.Get("kind") != "" || v.Query.Get("investigation") != "" || v.Query.Get("after") != ""
}

func (w *web) mailActs(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := mailActsView{Query: kept(r), In: api.MailActsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Investigation: q.Get("investigation")}}
	for _, t := range mailActTabs {
		if t.Show == q.Get("show") {
			v.In.State = t.States
		}
	}
	if k := investigate.ActKind(q.Get("kind")); k != "" {
		v.In.Kind = []investigate.ActKind{k}
	}
	var err error
	if v.Page, err = w.svc.ListMailActs(r.Context(), v.In); err != nil {
		return nil, err
	}
	if q.Get("after") == "" && q.Get("show") == "" {
		waiting, err := w.svc.ListMailActs(r.Context(), api.MailActsIn{In: v.In.In, Paging: api.Paging{Limit: 20}, Investigation: v.In.Investigation, State: []investigate.ActState{investigate.ActWaiting}})
		if err != nil {
			return nil, err
		}
		v.Waiting = waiting.Items
	}
	for _, a := range slices.Concat(v.Waiting, v.Page.Items) {
		if a.Investigation == v.In.Investigation {
			v.Of = a.Title
		}
	}
	return mailActsPage(p, v), nil
}

// mailActView is an act on mails, and what became of each.
type mailActView struct {
	Query url.Values
	Act   api.MailActDetail
	In    api.MailActItemsIn
	Items api.Page[api.MailActItem]
}

func (w *web) mailAct(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	at := api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")}
	v := mailActView{Query: kept(r), In: api.MailActItemsIn{ByID: at, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Part: investigate.Part(q.Get("part")), Person: tocsin.PersonID(q.Get("person"))}}
	for _, s := range q["state"] {
		v.In.State = append(v.In.State, investigate.ItemState(s))
	}
	var err error
	if v.Act, err = w.svc.GetMailAct(r.Context(), at); err != nil {
		return nil, err
	}
	if v.Items, err = w.svc.ListMailActItems(r.Context(), v.In); err != nil {
		return nil, err
	}
	p.Title = mailActWord(v.Act.Kind)
	return mailActPage(p, v), nil
}

// history is what happened to the act: each message was read back before it is done, so done is more than that Microsoft accepted it.
func (v mailActView) history() []api.ActionChange {
	out := slices.Clone(v.Act.History)
	for i := range out {
		if out[i].Change == string(investigate.ActDone) {
			out[i].Change = "acted"
		}
	}
	return out
}

// mailActDo decides an act on mails, stops it, or restores what it did.
func (w *web) mailActDo(r *http.Request) (string, *notice, error) {
	f, tenant, id := r.PostFormValue, tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "mailacts", id)
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}, Key: api.Key{Key: f("key")}}
	in := api.MailActDecideIn{ByIDAct: at, Body: api.ActionNote{Note: trim(f("note"))}}
	switch r.PathValue("do") {
	case "approve":
		_, err := w.svc.ApproveMailAct(r.Context(), in)
		return to, &notice{Kind: "good", What: "Approved: it goes ahead by itself."}, err
	case "refuse":
		_, err := w.svc.RefuseMailAct(r.Context(), in)
		return to, &notice{Kind: "good", What: "Refused: nothing is done."}, err
	case "stop":
		_, err := w.svc.StopMailAct(r.Context(), in)
		return to, &notice{Kind: "good", What: "Stopped: nothing more is sent.", Do: "What was done before stands below, and can be restored."}, err
	case "restore":
		a, err := w.svc.RestoreMailAct(r.Context(), api.MailActRestoreIn{ByIDAct: at, Body: api.MailActRestore{Why: trim(f("why"))}})
		if err != nil {
			return to, nil, err
		}
		return tenantAt(tenant, "mailacts", a.ID), mailActAsked(a), nil
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

// mailActAsked says what became of asking.
func mailActAsked(a api.MailAct) *notice {
	if a.State == investigate.ActWaiting {
		return &notice{Kind: "good", What: "It is written down and waits for approval by a second person."}
	}
	return &notice{Kind: "good", What: "It is written down and goes ahead by itself."}
}

// mailActWords are the kinds as buttons and headings say them, what each does, and its icon.
var mailActWords = map[investigate.ActKind][3]string{
	investigate.Warn:       {"Warn", "A coloured category on each mail, and a notice in the mailbox if you wish. The mail stays where it is. Can be restored.", "alert"},
	investigate.Quarantine: {"Move to quarantine", "Into a folder of ours that Outlook does not show. Can be restored.", "lock"},
	investigate.Junk:       {"Move to Junk Email", "Where people can still look at it, and links do not work. Can be restored.", "down"},
	investigate.SoftDelete: {"Delete", "Into Recoverable Items, or Deleted Items if you wish. Can be restored while Microsoft keeps it.", "trash"},
	investigate.Purge:      {"Delete for good", "Cannot be undone, neither by us nor by the person. For administrators alone.", "trash"},
	investigate.Restore:    {"Restore", "Back to where each mail was: folder, read state, flag, categories.", "undo"},
}

func mailActWord(k investigate.ActKind) string {
	if w, ok := mailActWords[k]; ok {
		return w[0]
	}
	return sentence(string(k))
}

func mailActIcon(k investigate.ActKind) string {
	if w, ok := mailActWords[k]; ok {
		return w[2]
	}
	return "actions"
}

// mailActTakes says whether the button is one of danger: something goes.
func mailActTakes(k investigate.ActKind) bool {
	return k == investigate.SoftDelete || k == investigate.Purge
}

// mailActButton says what will happen, with how much: Move 214 mails in 180 mailboxes to quarantine.
func mailActButton(k investigate.ActKind, b investigate.Blast) string {
	many := plural(b.Messages, "mail", "mails") + " in " + plural(b.Mailboxes, "mailbox", "mailboxes")
	switch k {
	case investigate.Warn:
		return "Warn of " + many
	case investigate.Quarantine:
		return "Move " + many + " to quarantine"
	case investigate.Junk:
		return "Move " + many + " to Junk Email"
	case investigate.SoftDelete:
		return "Delete " + many
	case investigate.Purge:
		return "Delete " + many + " for good"
	}
	return mailActWord(k) + " " + many
}

// mailActState is a state's shape and word.
func mailActState(s investigate.ActState) (kind, word string) {
	w, ok := map[investigate.ActState][2]string{
		investigate.ActWaiting: {"part", "Waiting for approval"}, investigate.ActRunning: {"busy", "Under way"}, investigate.ActStopping: {"paused", "Stopping"},
		investigate.ActStopped: {"off", "Stopped"}, investigate.ActDone: {"ok", "Done"}, investigate.ActRefused: {"off", "Refused"},
	}[s]
	if !ok {
		return "unknown", sentence(string(s))
	}
	return w[0], w[1]
}

// itemStates are what became of a message, in the order of the bar: its shape, its words, and its colour there.
var itemStates = []struct {
	State             investigate.ItemState
	Kind, Word, Class string
}{
	{investigate.ItemDone, "ok", "Done", "f-ok"},
	{investigate.ItemAlready, "ok", "Already so", "f-low"},
	{investigate.ItemGone, "off", "Gone", "f-info"},
	{investigate.ItemRefused, "bad", "Refused", "f-high"},
	{investigate.ItemFailed, "bad", "Failed", "f-critical"},
	{investigate.ItemUnknown, "unknown", "Outcome unknown", "f-medium"},
	{investigate.ItemLeft, "off", "Left", "f-edge"},
	{investigate.ItemSent, "busy", "Sent, being read back", "f-accent"},
	{investigate.ItemWaiting, "busy", "Waiting", "f-track"},
}

func itemState(s investigate.ItemState) (kind, word string) {
	for _, w := range itemStates {
		if w.State == s {
			return w.Kind, w.Word
		}
	}
	return "unknown", sentence(string(s))
}

// itemCount is how many of an act's items are in a state.
func itemCount(c api.MailActCounts, s investigate.ItemState) int {
	return map[investigate.ItemState]int{investigate.ItemDone: c.Done, investigate.ItemAlready: c.Already, investigate.ItemGone: c.Gone, investigate.ItemRefused: c.Refused,
		investigate.ItemFailed: c.Failed, investigate.ItemUnknown: c.Unknown, investigate.ItemLeft: c.Left, investigate.ItemSent: c.Sent, investigate.ItemWaiting: c.Waiting}[s]
}

// mailActParts are an act's items by what became of them.
func mailActParts(c api.MailActCounts) (out []portion) {
	for _, s := range itemStates {
		out = append(out, portion{Class: s.Class, Word: lower(s.Word), Count: itemCount(c, s.State)})
	}
	return out
}

// mailActSays is the counts in words, for a list: 214 of 300 done, 3 refused.
func mailActSays(c api.MailActCounts) string {
	s := fmt.Sprintf("%s of %s done", thousands(c.Done+c.Already), thousands(c.Total))
	for _, x := range []struct {
		n    int
		word string
	}{{c.Gone, "gone"}, {c.Refused, "refused"}, {c.Failed, "failed"}, {c.Unknown, "unknown"}, {c.Left, "left"}} {
		if x.n > 0 {
			s += ", " + thousands(x.n) + " " + x.word
		}
	}
	return s
}

// rateWord is how fast something goes, a minute or a second, whichever reads well.
func rateWord(perMinute float64) string {
	if perMinute >= 120 {
		return thousands(int(perMinute/60+.5)) + " a second"
	}
	if perMinute >= 10 {
		return thousands(int(perMinute+.5)) + " a minute"
	}
	return fmt.Sprintf("%.1f a minute", perMinute)
}

// aboutLong is a stretch of time as one says it beforehand.
func aboutLong(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "a few seconds"
	case d < time.Minute:
		return "less than a minute"
	case d < 90*time.Second:
		return "about a minute"
	case d < 90*time.Minute:
		return fmt.Sprintf("about %.0f minutes", d.Minutes())
	case d < 36*time.Hour:
		return fmt.Sprintf("about %.0f hours", d.Hours())
	}
	return fmt.Sprintf("about %.0f days", d.Hours()/24)
}

// stateDiff is what of a mail differs between two states, in words.
func stateDiff(before, after *investigate.MailState) (out []string) {
	if before == nil || after == nil {
		return nil
	}
	if before.Folder != after.Folder {
		out = append(out, "another folder")
	}
	if before.Read != after.Read {
		out = append(out, map[bool]string{true: "marked as read", false: "marked as unread"}[after.Read])
	}
	if string(before.Flag) != string(after.Flag) {
		out = append(out, "another flag")
	}
	for _, c := range after.Categories {
		if !slices.Contains(before.Categories, c) {
			out = append(out, "category “"+c+"”")
		}
	}
	for _, c := range before.Categories {
		if !slices.Contains(after.Categories, c) {
			out = append(out, "without the category “"+c+"”")
		}
	}
	return out
}

// mailActSettingsSet sets how mails may be acted on.
func (w *web) mailActSettingsSet(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	to := tenantAt(tenant, "settings", "response")
	var bad error
	number := func(name string) *int {
		n, err := strconv.Atoi(trim(r.PostFormValue(name)))
		if err != nil {
			bad = tocsin.Problemf(tocsin.Invalid, "Give a whole number; 0 is no limit.", "That is not a number.")
		}
		return &n
	}
	purge := r.PostFormValue("purge") == "yes"
	n := api.MailActSettingsNew{PerAct: number("per_act"), PerHour: number("per_hour"), Share: number("share"), Most: number("most"), Purge: &purge, Version: int64(*number("version"))}
	if bad != nil {
		return to, nil, bad
	}
	_, err := w.svc.SetMailActSettings(r.Context(), api.SetMailActSettingsIn{In: api.In{Tenant: tenant}, Body: n})
	return to, &notice{Kind: "good", What: "The limits hold from now on, also for what waits."}, err
}
