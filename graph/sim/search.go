package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Search is how $search finds messages.
type Search struct {
	Most int      `json:"most"` // messages that it gives, however many there are: 250; negative: all
	Lag  Duration `json:"lag"`  // from a delivery until its index knows of it: 10s; negative: none
}

func (c Search) filled() Search {
	if c.Most == 0 {
		c.Most = 250
	}
	if c.Lag == 0 {
		c.Lag = Duration(10 * time.Second)
	}
	return c
}

// SetSearch changes how $search finds from now on; a field that is zero is as at first.
func (s *Sim) SetSearch(c Search) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Search = c.filled()
}

// search answers $search: newest first, no more than it gives, and nothing that its index does not know yet. Its pages have a
// $skiptoken and no $skip.
// https://learn.microsoft.com/graph/search-query-parameter
func (s *Sim) search(r *request, b *mailbox, l list, all []*message) (list, *reply) {
	for _, no := range []struct{ name, code string }{{"$filter", "SearchWithFilter"}, {"$orderby", "SearchWithOrderBy"}, {"$skip", "SearchWithSkip"}} {
		if _, ok := r.query.find(no.name); ok {
			bad := s.refuse(r, http.StatusBadRequest, no.code, "The query parameter '%s' is not supported with '$search'.", no.name)
			return l, &bad
		}
	}
	is, err := parseKQL(r.query.get("$search"), s.clock.Now())
	if err != nil {
		bad := s.badRequest(r, "Syntax error: %s.", err)
		return l, &bad
	}
	known := s.clock.Now().Add(-time.Duration(s.cfg.Search.Lag))
	var hits []*message
	for _, m := range all {
		if !m.arrived.After(known) && is(s.world, b, m) {
			hits = append(hits, m)
		}
	}
	slices.SortStableFunc(hits, func(a, b *message) int { return b.received.Compare(a.received) })
	if most := s.cfg.Search.Most; most > 0 && len(hits) > most {
		hits = hits[:most]
	}
	l.total, l.skips = len(hits), false
	l.at = func(i int) (item, bool) { return s.messageFor(r, b, hits[i]), true }
	return l, nil
}

// unfilterable are the properties of a message by which Outlook does not filter.
var unfilterable = []string{"body", "bodyPreview", "uniqueBody", "toRecipients", "ccRecipients", "bccRecipients", "replyTo", "internetMessageHeaders", "attachments"}

// filterFault is what Outlook refuses of a filter over messages; "" where it takes it.
func (s *Sim) filterFault(r *request) (code, why string) {
	v, ok := r.query.find("$filter")
	if !ok {
		return "", ""
	}
	_, p, err := parseFilter(v, messageProperties)
	if err != nil {
		return "", "" // said by whoever reads it
	}
	for _, f := range p.fields {
		if name, _, _ := strings.Cut(f, "/"); slices.Contains(unfilterable, name) {
			return "ErrorInvalidUrlQueryFilter", fmt.Sprintf("The query filter contains one or more invalid nodes: '%s'.", name)
		}
	}
	if p.used["endswith"] {
		return "ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes: 'endswith'."
	}
	if p.used["contains"] && r.query.get("$orderby") != "" {
		return "InefficientFilter", "The restriction or sort order is too complex for this operation."
	}
	return "", ""
}
