package web

import (
	"net/http"
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

// standing is the title of the capability that a sentence is about, where it can never be had.
func standing(why string) string {
	for _, k := range connect.Capabilities {
		if k.Not != "" && strings.HasPrefix(why, k.Name+" is ") {
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

// coverage says how far a tenant has been looked at, so that a list can say whether it is all.
func (w *web) coverage(r *http.Request, tenant tocsin.TenantID) (reach, error) {
	o, err := w.svc.Overview(r.Context(), api.In{Tenant: tenant})
	return reachOf(o.Coverage), err
}
