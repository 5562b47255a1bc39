package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Ways gives the connection of a tenant through which something can be done, and its client; else a problem that says
// what is lacking and how to mend it. It is [connect.Connections.For].
type Ways func(ctx context.Context, tenant tocsin.TenantID, capability string) (id, name string, gc *graph.Client, err error)

// person is whom an action is about.
type person struct {
	id           tocsin.PersonID
	object       string
	name, who    string
	guest, there bool
	addresses    []string // canonical, the sign-in name among them
}

func personOf(ctx context.Context, t *store.Tenant, id tocsin.PersonID) (p person, err error) {
	var upn, mail, kind, addresses string
	var deleted int64
	err = t.QueryRow(ctx, `select person, object_id, name, upn, mail, kind, addresses, deleted from person where tenant = $1 and person = $2`, id).
		Scan(&p.id, &p.object, &p.name, &upn, &mail, &kind, &addresses, &deleted)
	if errors.Is(err, store.ErrNone) {
		return p, tocsin.Problemf(tocsin.NotFound, "Look in the list for who is there now.", "There is no such person.")
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(addresses), &p.addresses); err != nil {
		return p, err
	}
	p.who, p.guest, p.there = mail, kind == "guest", deleted == 0
	if p.who == "" {
		p.who = upn
	}
	for i, a := range p.addresses {
		p.addresses[i] = tocsin.CanonicalAddress(a)
	}
	p.addresses = append(p.addresses, tocsin.CanonicalAddress(upn), tocsin.CanonicalAddress(mail))
	return p, nil
}

// seen is a target as it is now.
type seen struct {
	gone     bool            // the rule is not there
	raw      json.RawMessage // the rule, or since when sessions are valid, as Microsoft gave it
	rule     *graph.MessageRule
	rules    []*graph.MessageRule // all of the mailbox, for what deletes and makes
	sessions time.Time
}

// look reads the target of an action of the kind. A rule that is not there is no error.
func look(ctx context.Context, gc *graph.Client, kind Kind, object, rule string) (s seen, err error) {
	switch kind {
	case RevokeSessions:
		return lookSessions(ctx, gc, object)
	case DeleteRule, RestoreRule:
		return lookRules(ctx, gc, object, rule)
	}
	var r graph.MessageRule
	err = gc.Get(ctx, "messageRules.get", graph.P{"user": object, "folder": "inbox", "rule": rule}, &r)
	if _, ok := errors.AsType[*graph.NotFound](err); ok {
		return seen{gone: true}, nil
	}
	return seen{raw: bare(r.Raw), rule: &r}, err
}

func lookRules(ctx context.Context, gc *graph.Client, object, rule string) (s seen, err error) {
	s.gone = true
	for r, err := range graph.Pages[graph.MessageRule](ctx, gc, "messageRules.list", graph.P{"user": object, "folder": "inbox"}) {
		if err != nil {
			return s, err
		}
		s.rules = append(s.rules, &r)
		if r.ID == rule {
			s.gone, s.raw, s.rule = false, bare(r.Raw), &r
		}
	}
	return s, nil
}

func lookSessions(ctx context.Context, gc *graph.Client, object string) (s seen, err error) {
	var u struct {
		Valid *time.Time `json:"signInSessionsValidFromDateTime"`
	}
	if err := gc.Get(ctx, "users.sessions", graph.P{"user": object}, &u); err != nil {
		return s, err
	}
	if u.Valid != nil {
		s.sessions = *u.Valid
	}
	s.raw, err = json.Marshal(map[string]any{"signInSessionsValidFromDateTime": u.Valid})
	return s, err
}

// sessionsIn is since when sessions were valid, from what was kept of it.
func sessionsIn(raw json.RawMessage) time.Time {
	var v struct {
		Valid time.Time `json:"signInSessionsValidFromDateTime"`
	}
	if json.Unmarshal(raw, &v) != nil { // null leaves the zero time
		return time.Time{}
	}
	return v.Valid
}

// beside are the other rules' places.
func (s seen) beside(rule string) []Place {
	var out []Place
	for _, r := range s.rules {
		if r.ID != rule {
			out = append(out, Place{r.ID, r.Sequence})
		}
	}
	return out
}

// Through is the ways of the connections that are kept.
func Through(c *connect.Connections) Ways {
	return func(ctx context.Context, tenant tocsin.TenantID, capability string) (id, name string, gc *graph.Client, err error) {
		conn, gc, err := c.For(ctx, tenant, capability)
		return conn.ID, conn.Name, gc, err
	}
}
