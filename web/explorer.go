package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// explorerView is what an investigation found, with what the mails have in common.
type explorerView struct {
	Query  url.Values
	Of     api.InvestigationDetail
	In     api.MatchesIn
	Page   api.Page[api.Match]
	Facets api.Facets
	Pivot  pivotOf
}

// pivotOf is what mails can have in common: the key of its filter, and how it is said.
type pivotOf struct {
	Key, Word string
	List      func(api.Facets) []api.Facet
}

// pivots are the ways in which the explorer parts mails; the first is where one begins.
var pivots = []pivotOf{
	{"day", "Day", func(f api.Facets) []api.Facet { return f.Days }},
	{"sender", "Sender", func(f api.Facets) []api.Facet { return f.Senders }},
	{"domain", "Sender's domain", func(f api.Facets) []api.Facet { return f.Domains }},
	{"subject", "Subject", func(f api.Facets) []api.Facet { return f.Subjects }},
	{"department", "Department", func(f api.Facets) []api.Facet { return f.Departments }},
	{"folder", "Folder", func(f api.Facets) []api.Facet { return f.Folders }},
	{"cluster", "Campaign", func(f api.Facets) []api.Facet { return f.Clusters }},
	{"read", "Opened", func(f api.Facets) []api.Facet { return f.Read }},
	{"state", "State", func(f api.Facets) []api.Facet { return f.States }},
}

// matchKeys are the keys of an address by which matches are filtered.
var matchKeys = []string{"sender", "domain", "subject", "day", "folder", "department", "person", "cluster", "without", "state", "truth", "read", "q"}

// pivotMost is how many values of a pivot are drawn; the others are said.
const pivotMost = 12

func matchesIn(tenant tocsin.TenantID, investigation string, q url.Values) api.MatchesIn {
	return api.MatchesIn{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: investigation}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, MatchFilter: matchFilter(q)}
}

func matchFilter(q url.Values) api.MatchFilter {
	return api.MatchFilter{Sender: q.Get("sender"), Domain: q.Get("domain"), Subject: q.Get("subject"), Day: q.Get("day"), Folder: q.Get("folder"), Department: q.Get("department"),
		Person: tocsin.PersonID(q.Get("person")), Cluster: q.Get("cluster"), Without: q.Get("without"), State: q.Get("state"), Truth: q.Get("truth"), Read: q.Get("read"), Q: q.Get("q")}
}

func (w *web) explorer(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := explorerView{Query: kept(r), In: matchesIn(p.Tenant.ID, r.PathValue("id"), q), Pivot: pivots[0]}
	for _, x := range pivots {
		if x.Key == q.Get("pivot") {
			v.Pivot = x
		}
	}
	var err error
	if v.Of, err = w.svc.GetInvestigation(r.Context(), v.In.ByID); err != nil {
		return nil, err
	}
	if v.Page, err = w.svc.ListMatches(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.Facets, err = w.svc.CountMatches(r.Context(), api.FacetsIn{ByID: v.In.ByID, MatchFilter: v.In.MatchFilter}); err != nil {
		return nil, err
	}
	p.Title = v.Of.Name
	return explorerPage(p, v), nil
}

// filters are what is filtered by, as chips: key, value and how it is said.
func (v explorerView) filters() (out [][3]string) {
	for _, k := range matchKeys {
		value := v.Query.Get(k)
		if value == "" || k == "q" {
			continue
		}
		word := value
		switch k {
		case "read":
			word = map[string]string{"yes": "opened", "no": "not opened"}[value]
		case "truth":
			word = map[string]string{"yes": "fits for certain", "unknown": "may fit"}[value]
		case "state":
			_, word = matchState(value)
		case "day":
			word = longDay(value)
		case "without":
			word = lower(withoutWords[value])
		case "cluster":
			word = "one campaign"
			for _, f := range v.Facets.Clusters {
				if f.Value == value && f.Name != "" {
					word = "campaign: " + f.Name
				}
			}
		case "person":
			word = "one mailbox"
			if len(v.Page.Items) > 0 {
				word = v.Page.Items[0].Address
			}
		}
		out = append(out, [3]string{k, value, word})
	}
	return out
}

func (v explorerView) filtered() bool {
	return len(v.filters()) > 0 || v.In.Q != "" || v.In.After != ""
}

// withoutWords say what mails lack that have no value of a pivot.
var withoutWords = map[string]string{"department": "No department", "subject": "No subject", "cluster": "In no campaign"}

// at is the explorer's address with the filter changed by the pairs.
func (v explorerView) at(p *page, pairs ...string) string {
	return change(p.at("investigations", v.Of.ID, "explorer"), v.Query, pairs...)
}

// bars are the values of the pivot, each with where a click on it leads.
func (v explorerView) bars(p *page) (out []pivotBar) {
	key := v.Pivot.Key
	for _, f := range v.Pivot.List(v.Facets) {
		if f.Count == 0 {
			continue
		}
		b := pivotBar{Key: f.Value, Word: nameOr(f.Name, f.Value), Count: int(f.Count), On: v.Query.Get(key) == f.Value && f.Value != ""}
		switch key {
		case "read":
			b.Word = map[string]string{"yes": "Opened", "no": "Not opened"}[f.Value]
		case "state":
			_, b.Word = matchState(f.Value)
		}
		name, value := key, f.Value
		if value == "" && withoutWords[key] != "" {
			b.Word, name, value, b.On = withoutWords[key], "without", key, v.Query.Get("without") == key
		}
		b.To = v.at(p, name, value)
		if b.On {
			b.To = v.at(p, name, "")
		}
		out = append(out, b)
	}
	return out
}

// act is where the wizard is for all mails that the filter leaves.
func (v explorerView) act(p *page) string {
	q := url.Values{}
	for _, k := range matchKeys {
		if v.Query.Get(k) != "" {
			q[k] = v.Query[k]
		}
	}
	at := p.at("investigations", v.Of.ID, "act")
	if len(q) == 0 {
		return at
	}
	return at + "?" + q.Encode()
}

// matchStates are the states of a match: its shape and words.
var matchStates = map[string][2]string{
	"found": {"part", "In the mailbox"}, "dealt": {"busy", "Being dealt with"}, "acted": {"ok", "Dealt with"}, "restored": {"off", "Restored"}, "gone": {"off", "Gone"},
}

func matchState(s string) (kind, word string) {
	if w, ok := matchStates[s]; ok {
		return w[0], w[1]
	}
	return "unknown", sentence(s)
}

// attachmentNames are the names of a mail's files, three at most.
func attachmentNames(m api.Match) string {
	var names []string
	for _, a := range firstN(m.Attachments, 3) {
		names = append(names, a.Name)
	}
	if n := len(m.Attachments) - 3; n > 0 {
		names = append(names, plural(n, "more", "more"))
	}
	return strings.Join(names, ", ")
}

// matchView is one mail that was found.
type matchView struct {
	Of     api.InvestigationDetail
	Match  api.Match
	Trails []api.Trail
}

func (w *web) match(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	var v matchView
	at := byID(r, p)
	var err error
	if v.Of, err = w.svc.GetInvestigation(r.Context(), at); err != nil {
		return nil, err
	}
	if v.Match, err = w.svc.GetMatch(r.Context(), api.MatchIn{ByID: at, Match: r.PathValue("match")}); err != nil {
		return nil, err
	}
	trails, err := w.svc.ListTrails(r.Context(), api.TrailsIn{ByID: at, Paging: api.Paging{Limit: 20}, Person: v.Match.Person, Mail: v.Match.InternetMessageID})
	if err != nil {
		return nil, err
	}
	v.Trails = slices.DeleteFunc(trails.Items, func(t api.Trail) bool { return t.Match != "" && t.Match != v.Match.ID })
	p.Title = nameOr(v.Match.Subject, "Mail")
	return matchPage(p, v), nil
}

// matchesCSV is what the explorer shows as a file: as filtered, all of it.
func (w *web) matchesCSV(rw http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	w.csv(func(tenant tocsin.TenantID, q url.Values) export {
		return export{[]string{"mailbox", "department", "subject", "sender", "sender_name", "recipients", "received", "folder", "opened", "attachments", "sha256", "links", "state", "certain", "why", "internet_message_id", "campaign", "id"},
			func(ctx context.Context, after string) (rows [][]string, next string, err error) {
				in := matchesIn(tenant, id, q)
				in.Limit, in.After = 200, after
				p, err := w.svc.ListMatches(ctx, in)
				for _, m := range p.Items {
					var names, hashes []string
					for _, a := range m.Attachments {
						names, hashes = append(names, a.Name), append(hashes, a.SHA256)
					}
					rows = append(rows, []string{m.Address, m.Department, m.Subject, m.Sender, m.SenderName, strings.Join(m.Recipients, "; "), stamp(m.Received), m.FolderName, strconv.FormatBool(m.Read), strings.Join(names, "; "), strings.Join(hashes, "; "), strings.Join(m.Links, " "), m.State, m.Truth, strings.Join(m.Why, "; "), m.InternetMessageID, m.Cluster, m.ID})
				}
				return rows, p.Next, err
			}}
	})(rw, r)
}
