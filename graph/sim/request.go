package sim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request is a call of Graph, alone or as a part of a batch.
type request struct {
	method, version string
	path            string // after the version, as it came
	query           query
	header          http.Header
	body            []byte
	base            string // scheme, host and version
	id              string
	claims          *claims
	route           *route
	vars            [4]string
	batched         bool
	part            float64 // of the directory's resource units that is used with this call
}

// service is of which service beside Graph the call is; "" for Graph.
func (r *request) service() string {
	if r.version == "api" || r.version == "adminapi" {
		return r.version
	}
	return ""
}

func (r *request) clientID() string {
	if id := r.header.Get("client-request-id"); id != "" {
		return id
	}
	return r.id
}

// prefers gives the value of a preference of the Prefer header; ok where it is named.
func (r *request) prefers(name string) (value string, ok bool) {
	for _, line := range r.header.Values("Prefer") {
		for _, p := range strings.Split(line, ",") {
			k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			if strings.EqualFold(strings.TrimSpace(k), name) {
				return strings.Trim(strings.TrimSpace(v), `"`), true
			}
		}
	}
	return "", false
}

// immutable says whether ids that survive moves were asked for.
func (r *request) immutable() bool {
	v, _ := r.prefers("IdType")
	return strings.EqualFold(v, "ImmutableId")
}

// basic says whether the roles open mail but not what is written in it: no body, attachments or extended properties.
func (r *request) basic() bool {
	return slices.Contains(r.claims.Roles, "Mail.ReadBasic.All") && !slices.Contains(r.claims.Roles, "Mail.Read") && !slices.Contains(r.claims.Roles, "Mail.ReadWrite")
}

// eventual says whether the client takes a lagging index, which advanced queries of the directory need.
func (r *request) eventual() bool {
	return strings.EqualFold(r.header.Get("ConsistencyLevel"), "eventual")
}

// query is the query's names, without the $ that v1.0 lets one leave out, and values, in order.
type query []struct{ name, value string }

func (q query) get(name string) string { v, _ := q.find(name); return v }

func (q query) find(name string) (string, bool) {
	for _, p := range q {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// options are the query's names that OData knows; all may lose their $.
var options = map[string]bool{"select": true, "filter": true, "top": true, "skip": true, "expand": true, "orderby": true,
	"search": true, "count": true, "skiptoken": true, "deltatoken": true, "format": true}

func parseQuery(raw string) (query, error) {
	var q query
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(k)
		if err != nil {
			return nil, errors.New("the query cannot be read")
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return nil, errors.New("the query cannot be read")
		}
		if bare := strings.ToLower(strings.TrimPrefix(name, "$")); options[bare] {
			name = "$" + bare
		}
		if _, twice := q.find(name); twice {
			return nil, fmt.Errorf("Query option '%s' was specified more than once, but it must be specified at most once.", name)
		}
		q = append(q, struct{ name, value string }{name, value})
	}
	return q, nil
}

// encode writes the query for a link, with some names replaced and those with an empty value left out.
func (q query) encode(change map[string]string) string {
	var b strings.Builder
	add := func(k, v string) {
		if v == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(strings.ReplaceAll(url.QueryEscape(k), "%24", "$"))
		b.WriteByte('=')
		b.WriteString(strings.ReplaceAll(url.QueryEscape(v), "%24", "$"))
	}
	for _, p := range q {
		if _, changed := change[p.name]; !changed {
			add(p.name, p.value)
		}
	}
	for _, k := range []string{"$skip", "$skiptoken", "$deltatoken"} {
		add(k, change[k])
	}
	return b.String()
}
