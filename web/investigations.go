package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/investigate"
)

// investigationsView is what the list of investigations shows.
type investigationsView struct {
	Query url.Values
	In    api.InvestigationsIn
	Page  api.Page[api.Investigation]
}

// investigationTabs are the ways of looking at investigations.
var investigationTabs = []struct{ Name, Status string }{
	{"All", ""}, {"Running", investigate.Running}, {"Drafts", investigate.Draft}, {"Stopped", investigate.Stopped}, {"Finished", investigate.Finished}, {"Expired", investigate.Expired},
}

func (v investigationsView) filtered() bool {
	for _, k := range []string{"status", "trigger", "q", "after"} {
		if v.Query.Get(k) != "" {
			return true
		}
	}
	return false
}

func (w *web) investigations(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := investigationsView{Query: kept(r), In: api.InvestigationsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Trigger: q.Get("trigger"), Q: q.Get("q")}}
	if s := q.Get("status"); s != "" {
		v.In.Status = []string{s}
	}
	var err error
	if v.Page, err = w.svc.ListInvestigations(r.Context(), v.In); err != nil {
		return nil, err
	}
	return investigationsPage(p, v), nil
}

// investigationView is one investigation, live.
type investigationView struct {
	api.InvestigationDetail
	Latest  []api.Match         // found last
	Lacking []api.SearchMailbox // mailboxes that could not be searched whole
	Acts    []api.MailAct       // done to what it found
	Inside  []api.Insider       // people of the tenant who sent what it found
}

func byID(r *http.Request, p *page) api.ByID {
	return api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")}
}

func (w *web) investigation(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, at := investigationView{}, byID(r, p)
	var err error
	if v.InvestigationDetail, err = w.svc.GetInvestigation(r.Context(), at); err != nil {
		return nil, err
	}
	latest, err := w.svc.ListMatches(r.Context(), api.MatchesIn{ByID: at, Paging: api.Paging{Limit: 12}})
	if err != nil {
		return nil, err
	}
	v.Latest = latest.Items
	if v.Search != nil && v.Search.Incomplete > 0 {
		lacking, err := w.svc.ListSearchMailboxes(r.Context(), api.SearchMailboxesIn{ByID: at, Paging: api.Paging{Limit: 6}, State: investigate.Incomplete})
		if err != nil {
			return nil, err
		}
		v.Lacking = lacking.Items
	}
	acts, err := w.svc.ListMailActs(r.Context(), api.MailActsIn{In: at.In, Paging: api.Paging{Limit: 6}, Investigation: at.ID})
	if err != nil {
		return nil, err
	}
	v.Acts = acts.Items
	inside, err := w.svc.ListInsiders(r.Context(), at)
	if err != nil {
		return nil, err
	}
	v.Inside = inside.Items
	p.Title = v.Name
	return investigationPage(p, v), nil
}

// investigationDo starts, stops, resumes or deletes an investigation.
func (w *web) investigationDo(r *http.Request) (string, *notice, error) {
	f, tenant, id := r.PostFormValue, tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "investigations", id)
	if f("back") == "list" {
		to = tenantAt(tenant, "investigations")
	}
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}, Key: api.Key{Key: f("key")}}
	in := api.StartInvestigationIn{ByIDAct: at, Body: api.ActionNote{Note: trim(f("note"))}}
	var err error
	said := ""
	switch r.PathValue("do") {
	case "start":
		_, err = w.svc.StartInvestigation(r.Context(), in)
		said = "It is started. What is found stands here as it comes; nothing need be reloaded."
	case "resume":
		_, err = w.svc.ResumeInvestigation(r.Context(), in)
		said = "It goes on where it was stopped."
	case "stop":
		_, err = w.svc.StopInvestigation(r.Context(), in)
		said = "It is stopped. What was found stays, and it can go on."
	case "delete":
		_, err = w.svc.DeleteInvestigation(r.Context(), at)
		if err == nil {
			to = tenantAt(tenant, "investigations")
		}
		said = "The investigation is deleted, with what it had found. What was done to mails stays in the ledger."
	default:
		return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
	}
	return to, &notice{Kind: "good", What: said}, err
}

// historyView is an investigation's versions and searches.
func (w *web) investigationHistory(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetInvestigation(r.Context(), byID(r, p))
	if err != nil {
		return nil, err
	}
	p.Title = d.Name
	return investigationHistoryPage(p, d), nil
}

// searchedView is what became of each mailbox of a search.
type searchedView struct {
	Query url.Values
	Of    api.InvestigationDetail
	In    api.SearchMailboxesIn
	Page  api.Page[api.SearchMailbox]
	Run   *api.Search // the one that is shown; nil where there was none
}

func (w *web) investigationMailboxes(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := searchedView{Query: kept(r), In: api.SearchMailboxesIn{ByID: byID(r, p), Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Search: q.Get("search"), State: q.Get("state"), Q: q.Get("q")}}
	var err error
	if v.Of, err = w.svc.GetInvestigation(r.Context(), v.In.ByID); err != nil {
		return nil, err
	}
	v.Run = v.Of.Search
	for i, s := range v.Of.Searches {
		if s.ID == v.In.Search {
			v.Run = &v.Of.Searches[i]
		}
	}
	if v.Page, err = w.svc.ListSearchMailboxes(r.Context(), v.In); err != nil {
		return nil, err
	}
	p.Title = v.Of.Name
	return searchedPage(p, v), nil
}

// clustersView are the campaigns among what was found.
type clustersView struct {
	Query url.Values
	Of    api.InvestigationDetail
	Page  api.Page[api.Cluster]
}

func (w *web) investigationClusters(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := clustersView{Query: kept(r)}
	at := byID(r, p)
	var err error
	if v.Of, err = w.svc.GetInvestigation(r.Context(), at); err != nil {
		return nil, err
	}
	if v.Page, err = w.svc.ListClusters(r.Context(), api.ClustersIn{ByID: at, Paging: api.Paging{Limit: pageSize, After: r.URL.Query().Get("after")}}); err != nil {
		return nil, err
	}
	p.Title = v.Of.Name
	return clustersPage(p, v), nil
}

// trailsView is who received, opened, answered and forwarded what was found.
type trailsView struct {
	Query url.Values
	Of    api.InvestigationDetail
	In    api.TrailsIn
	Page  api.Page[api.Trail]
}

func (w *web) investigationTrails(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := trailsView{Query: kept(r), In: api.TrailsIn{ByID: byID(r, p), Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Mail: q.Get("mail"), Person: tocsin.PersonID(q.Get("person"))}}
	var err error
	if v.Of, err = w.svc.GetInvestigation(r.Context(), v.In.ByID); err != nil {
		return nil, err
	}
	if v.Page, err = w.svc.ListTrails(r.Context(), v.In); err != nil {
		return nil, err
	}
	p.Title = v.Of.Name
	return trailsPage(p, v), nil
}

// The words of investigations.

func investigationState(status string) (kind, word string) {
	w, ok := map[string][2]string{investigate.Draft: {"off", "Draft"}, investigate.Running: {"busy", "Running"}, investigate.Stopped: {"paused", "Stopped"},
		investigate.Finished: {"ok", "Finished"}, investigate.Expired: {"off", "Expired"}}[status]
	if !ok {
		return "unknown", sentence(status)
	}
	return w[0], w[1]
}

// triggerWord says when an investigation searches.
func triggerWord(i api.Investigation) string {
	switch i.Trigger {
	case investigate.Standing:
		return "Day and night"
	case investigate.Schedule:
		return "Every " + everyWord(i.Every)
	}
	return "Once"
}

// everyWord is so many minutes as people say them.
func everyWord(minutes int) string {
	switch {
	case minutes == 60:
		return "hour"
	case minutes == 1440:
		return "day"
	case minutes >= 1440 && minutes%1440 == 0:
		return plural(minutes/1440, "day", "days")
	case minutes >= 60 && minutes%60 == 0:
		return plural(minutes/60, "hour", "hours")
	}
	return plural(minutes, "minute", "minutes")
}

// searchedStates are what became of a mailbox, in the order of the bar: its shape, its words, its colour.
var searchedStates = []struct{ State, Kind, Word, Class string }{
	{investigate.Searched, "ok", "Searched", "f-ok"},
	{investigate.Incomplete, "part", "Incomplete", "f-medium"},
	{investigate.OutOfScope, "off", "Out of scope", "f-info"},
	{investigate.Waiting, "busy", "Waiting", "f-track"},
}

func searchedState(s string) (kind, word string) {
	for _, x := range searchedStates {
		if x.State == s {
			return x.Kind, x.Word
		}
	}
	return "unknown", sentence(s)
}

// searchedCount is how many mailboxes of a search are in a state.
func searchedCount(s *api.Search, state string) int {
	switch state {
	case investigate.Searched:
		return int(s.Searched)
	case investigate.Incomplete:
		return int(s.Incomplete)
	case investigate.OutOfScope:
		return int(s.OutOfScope)
	}
	return int(max(0, s.Mailboxes-s.Searched-s.Incomplete-s.OutOfScope))
}

func searchParts(s *api.Search) (out []portion) {
	for _, x := range searchedStates {
		out = append(out, portion{Class: x.Class, Word: lower(x.Word), Count: searchedCount(s, x.State)})
	}
	return out
}

// searchEnded is how many mailboxes have their outcome.
func searchEnded(s *api.Search) int { return int(s.Searched + s.Incomplete + s.OutOfScope) }

// searchSays is how far a search has come, in words.
func searchSays(s *api.Search) string {
	return fmt.Sprintf("%s of %s", thousands(searchEnded(s)), plural(int(s.Mailboxes), "mailbox", "mailboxes"))
}

// firstWord is how long it took to the first match.
func firstWord(ms int64) string {
	switch {
	case ms < 0:
		return "none yet"
	case ms < 1000:
		return strconv.FormatInt(ms, 10) + " ms"
	}
	return lasting(float64(ms) / 1000)
}

// tookWord is how long a search took, or has taken so far.
func tookWord(ctx context.Context, s *api.Search) string {
	end := s.Ended
	if end.IsZero() {
		end = lookOf(ctx).now
	}
	if s.Started.IsZero() || end.Before(s.Started) {
		return "–"
	}
	return lasting(end.Sub(s.Started).Round(100 * time.Millisecond).Seconds())
}

// scopeWords say whose mailboxes are searched.
func scopeWords(s investigate.Scope) string {
	if s.All() {
		return "Every mailbox that the connection may search"
	}
	var all []string
	for _, x := range []struct {
		list []string
		word string
	}{{s.Groups, "group "}, {s.Departments, "department "}, {s.Domains, ""}, {s.People, ""}} {
		for _, v := range firstN(x.list, 3) {
			all = append(all, x.word+v)
		}
		if len(x.list) > 3 {
			all = append(all, plural(len(x.list)-3, "more", "more"))
		}
	}
	return andWords(all)
}

// thenWord says what is done with each match by itself.
func thenWord(t investigate.Then) string {
	if t.Kind == "" {
		return "Nothing"
	}
	word := mailActWord(investigate.ActKind(t.Kind))
	if t.Notice {
		word += ", with a notice in the mailbox"
	}
	return word
}

// deliveryWord is what the message trace says of a delivery.
func deliveryWord(s string) string {
	if s == "" {
		return "Not asked"
	}
	return sentence(s)
}

// investigationNext is the one thing that fits an investigation's state.
func investigationNext(i api.Investigation) (do, word, picture string) {
	switch i.Status {
	case investigate.Draft:
		return "start", "Start", "play"
	case investigate.Running:
		return "stop", "Stop", "close"
	case investigate.Stopped:
		return "resume", "Go on", "play"
	case investigate.Finished:
		return "start", "Search again", "refresh"
	}
	return "", "", ""
}

// everyWhile lets the page be fetched again every so often while something runs.
func everyWhile(i api.Investigation) templ.Attributes {
	if i.Status != investigate.Running {
		return nil
	}
	return templ.Attributes{"data-every": "2"}
}

// causeWord is who or what began a search.
func causeWord(cause string) string {
	switch cause {
	case investigate.Schedule:
		return "the schedule"
	case investigate.Standing:
		return "the standing query"
	}
	return cause
}

// lookedWord says how many messages a search looked at, and of how many it read the content.
func lookedWord(s *api.Search) string {
	out := plural(int(s.Looked), "message", "messages")
	if s.Fetched > 0 {
		out += ", content of " + thousands(int(s.Fetched))
	}
	return out
}
