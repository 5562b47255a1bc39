package investigate

import (
	"context"
	"errors"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// The capabilities that searching needs; see connect.Capabilities.
const (
	CanSearch = "investigate"
	CanTrace  = "message-trace"
)

// Way is the connection by which mailboxes are searched.
type Way struct {
	ID, Name string
	Graph    *graph.Client
	Metadata bool // it may read metadata only
}

// Ways gives the connection that has a capability: the one of that id, or the first that has it where the id is empty. Where none has, the
// problem says why and how to mend it.
type Ways func(ctx context.Context, tenant tocsin.TenantID, id, capability string) (Way, error)

// Through gives ways through the connections of the installation.
func Through(all *connect.Connections) Ways {
	return func(ctx context.Context, tenant tocsin.TenantID, id, capability string) (Way, error) {
		if id == "" {
			c, gc, err := all.For(ctx, tenant, capability)
			return Way{ID: c.ID, Name: c.Name, Graph: gc, Metadata: c.MetadataOnly}, err
		}
		c, err := all.Get(ctx, tenant, id)
		if err != nil {
			return Way{}, err
		}
		if err := may(ctx, all.Store, c, capability); err != nil {
			return Way{}, err
		}
		gc, err := all.Client(ctx, c)
		return Way{ID: c.ID, Name: c.Name, Graph: gc, Metadata: c.MetadataOnly}, err
	}
}

// may is a problem where a connection cannot be used for a capability. One for metadata only may search, by what that tells.
func may(ctx context.Context, st *store.Store, c connect.Connection, capability string) error {
	if c.State == connect.Paused {
		return tocsin.Problemf(tocsin.Conflict, "Resume the connection "+c.Name+" first.", "The connection is paused: nothing is asked of Graph.")
	}
	if c.State != connect.On {
		return tocsin.Problemf(tocsin.Denied, c.Mend, "%s", c.Because)
	}
	if c.MetadataOnly {
		return nil
	}
	var state, because, mend string
	err := st.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select state, because, mend from capability where tenant = $1 and connection = $2 and name = $3`, c.ID, capability).Scan(&state, &because, &mend)
	})
	if errors.Is(err, store.ErrNone) {
		return tocsin.Problemf(tocsin.Denied, "Test the connection "+c.Name+".", "What the connection may do was not judged yet.")
	}
	if err == nil && state != string(connect.Works) && state != string(connect.Degraded) {
		return tocsin.Problemf(tocsin.Denied, mend, "%s", because)
	}
	return err
}

// Boundary says in whose mailboxes a connection may search: in all, or in those with an address in one of the domains.
type Boundary func(ctx context.Context, t *store.Tenant, connection string) (domains []string, all bool, err error)

// target is a mailbox in scope.
type target struct {
	person  tocsin.PersonID
	object  string
	address string
	out     string // why the boundary keeps it out; empty: it is searched
}

const beyond = "It is outside of the domains that the connection is authorised for."

// insideOf says whether the boundary has an address in it. It is hard: an address without a domain is outside.
func insideOf(address string, domains []string, all bool) bool {
	return all || slices.Contains(domains, tocsin.Address{Address: address}.Domain())
}

// targets are the mailboxes that a scope names, by person, each with whether the boundary keeps it out; without is how many people in scope
// have none. members are those of the scope's groups; only narrows it to some people.
func targets(ctx context.Context, t *store.Tenant, s Scope, members map[tocsin.PersonID]bool, domains []string, all bool, only ...any) (out []target, without int64, err error) {
	named := map[tocsin.PersonID]bool{}
	for _, who := range s.People {
		ids, err := peopleNamed(ctx, t, who)
		if err != nil {
			return nil, 0, err
		}
		for _, id := range ids {
			named[id] = true
		}
	}
	q := `select person, object_id, case when mail <> '' then mail else upn end, department, mailbox from person
		where tenant = $1 and deleted = 0 and kind <> 'guest' and object_id <> ''`
	if len(only) > 0 {
		q += ` and person in (` + store.In(len(only), 2) + `)`
	}
	rows, err := t.Query(ctx, q+` order by person`, only...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var g target
		var department, mailbox string
		if err := rows.Scan(&g.person, &g.object, &g.address, &department, &mailbox); err != nil {
			return nil, 0, err
		}
		domain := tocsin.Address{Address: g.address}.Domain()
		if !s.All() && !named[g.person] && !members[g.person] && !slices.ContainsFunc(s.Departments, func(d string) bool { return strings.EqualFold(d, department) }) && !slices.Contains(s.Domains, domain) {
			continue
		}
		if mailbox == "none" {
			without++
			continue
		}
		if !insideOf(g.address, domains, all) { // one that the tenant keeps from who reads it may be open to who searches it
			g.out = beyond
		}
		out = append(out, g)
	}
	return out, without, rows.Err()
}

// peopleNamed are the people of an id or address.
func peopleNamed(ctx context.Context, t *store.Tenant, who string) (out []tocsin.PersonID, err error) {
	rows, err := t.Query(ctx, `select person from person where tenant = $1 and (person = $2 or lower(upn) = $3 or lower(mail) = $3)
		union select person from person_address where tenant = $1 and address = $3`, who, tocsin.CanonicalAddress(who))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id tocsin.PersonID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// membersOf reads who is in the scope's groups, at every depth.
func membersOf(ctx context.Context, st *store.Store, tenant tocsin.TenantID, gc *graph.Client, groups []string) (map[tocsin.PersonID]bool, error) {
	out := map[tocsin.PersonID]bool{}
	for _, name := range groups {
		id := ""
		err := st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
			return t.QueryRow(ctx, `select id from (select id from mail_group where tenant = $1 and deleted = 0 and (lower(id) = $2 or lower(mail) = $2)
				union select group_id as id from group_address where tenant = $1 and address = $2
				union select object as id from listed where tenant = $1 and kind = 'group' and (lower(object) = $2 or lower(name) = $2)) g order by id limit 1`, tocsin.CanonicalAddress(name)).Scan(&id)
		})
		if err != nil && !errors.Is(err, store.ErrNone) {
			return nil, err
		}
		if id == "" {
			return nil, tocsin.Problemf(tocsin.Invalid, "Name it by its address or its id.", "There is no group %q.", name)
		}
		for m, err := range graph.Pages[graph.Member](ctx, gc, "groups.transitiveMembers", graph.P{"group": id}) {
			if err != nil {
				return nil, err
			}
			out[tocsin.NewPersonID(tenant, m.ID)] = true
		}
	}
	return out, nil
}
