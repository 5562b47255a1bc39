package web

import (
	"net/http"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// reach says how far a tenant has been looked at. What Microsoft Graph can never tell is a standing limit, said once
// and calmly; what is lacking for now is a warning, with its reason.
type reach struct {
	api.Coverage
	Whole  bool     // nothing is lacking that could be had
	Warn   []string // what is lacking, a sentence each
	Limits []string // what can never be had, by title
}

// reachOf sorts what the coverage says into the two.
func reachOf(c api.Coverage) reach {
	out := reach{Coverage: c}
	for _, why := range c.Incomplete {
		if limit := standing(why); limit != "" {
			out.Limits = append(out.Limits, limit)
			continue
		}
		out.Warn = append(out.Warn, readable(why))
	}
	out.Whole = len(out.Warn) == 0 && (c.Complete || len(out.Limits) == len(c.Incomplete)) && c.Connections > 0
	return out
}

// boxes is how many mailboxes there are or may be: all people but those who are known to have none.
func (c reach) boxes() int {
	n := c.People
	for _, r := range c.NotReadBy {
		if r.State == "none" {
			n -= r.Count
		}
	}
	return n
}

// missing are the mailboxes that there are or may be and that are not read, by reason.
func (c reach) missing() []api.ReasonCount {
	return slices.DeleteFunc(slices.Clone(c.NotReadBy), func(r api.ReasonCount) bool { return r.State == "none" })
}

// standing is the title of the capability that a sentence is about, where it can never be had, or was left out by who granted.
func standing(why string) string {
	for _, k := range connect.Capabilities {
		if (k.Not != "" || k.Optional && strings.Contains(why, "not granted")) && (strings.HasPrefix(why, k.Name+" is ") || strings.HasPrefix(why, k.Title+" is ") || strings.HasPrefix(why, k.Title+" are ")) {
			return k.Title
		}
	}
	return ""
}

// readable puts titles in place of the names of capabilities and sources.
func readable(why string) string {
	for _, k := range connect.Capabilities {
		if rest, ok := strings.CutPrefix(why, k.Name+" is "); ok {
			return k.Title + ": " + rest
		}
	}
	if rest, ok := strings.CutPrefix(why, "The source "); ok {
		if name, after, ok := strings.Cut(rest, " "); ok {
			return sourceWord(name) + " " + after
		}
	}
	return why
}

// coverage says how far a tenant has been looked at, so that a list can say whether it is all. Only an empty list needs
// the counts of people, which a large tenant takes a tenth of a second for.
func (w *web) coverage(r *http.Request, tenant tocsin.TenantID, empty bool) (reach, error) {
	if empty {
		o, err := w.svc.Overview(r.Context(), api.In{Tenant: tenant})
		return reachOf(o.Coverage), err
	}
	in := api.ListIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: 200}}
	connections, err := w.svc.ListConnections(r.Context(), in)
	if err != nil {
		return reach{}, err
	}
	sources, err := w.svc.ListSources(r.Context(), in)
	return reachOf(api.Coverage{Connections: len(connections.Items), Incomplete: lacking(connections.Items, sources.Items)}), err
}

// lacking says what connections and sources lack, in the words of the overview's coverage.
func lacking(connections []api.Connection, sources []api.Source) (out []string) {
	for _, c := range connections {
		if c.State != "on" && c.State != "connected" {
			out = append(out, "The connection "+c.Name+" is "+c.State+".")
		}
		for _, k := range c.Capabilities {
			if k.State != "works" && k.State != "on" && !connect.Acts(k.Name) {
				out = append(out, k.Name+" is "+k.State+": "+k.Because)
			}
		}
	}
	for _, s := range sources {
		switch {
		case s.State == "failed":
			out = append(out, "The source "+s.Name+" could not be read: "+s.Because)
		case s.State == "late":
			out = append(out, "The source "+s.Name+" is late.")
		case s.State == "waiting", s.State == "reading" && s.Succeeded.IsZero():
			out = append(out, "The source "+s.Name+" is not read for the first time yet.")
		}
	}
	return out
}
