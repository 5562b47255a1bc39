package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Ways gives the connection of a tenant through which something can be done, and its client; else a problem that says
// what is lacking and how to mend it. It is [connect.Connections.For].
type Ways func(ctx context.Context, tenant tocsin.TenantID, capability string) (id, name string, gc *graph.Client, err error)

// whom an action is about: a person, or an application.
type whom struct {
	id           tocsin.PersonID // empty of an application
	object       string
	name, who    string
	guest, there bool
	addresses    []string // canonical, the sign-in name among them

	app   string // of an application: its id in every tenant
	owner string // and the tenant whose it is
}

var (
	errNobody = tocsin.Problemf(tocsin.NotFound, "Look in the list for who is there now.", "There is no such person.")
	errNoApp  = tocsin.Problemf(tocsin.NotFound, "Look in the list of applications for what is there now; they are read every hour.", "There is no such application.")
)

// whomOf is the person, or the application of that service principal.
func whomOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID, app string) (whom, error) {
	if app != "" {
		return appOf(ctx, t, app)
	}
	return personOf(ctx, t, person)
}

func personOf(ctx context.Context, t *store.Tenant, id tocsin.PersonID) (p whom, err error) {
	var upn, mail, kind, addresses string
	var deleted int64
	err = t.QueryRow(ctx, `select person, object_id, name, upn, mail, kind, addresses, deleted from person where tenant = $1 and person = $2`, id).
		Scan(&p.id, &p.object, &p.name, &upn, &mail, &kind, &addresses, &deleted)
	if errors.Is(err, store.ErrNone) {
		return p, errNobody
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

// appOf is an application as it was last read.
func appOf(ctx context.Context, t *store.Tenant, id string) (p whom, err error) {
	var body string
	var deleted int64
	err = t.QueryRow(ctx, `select id, body, deleted from state_object where tenant = $1 and path = '/servicePrincipals' and id = $2`, id).Scan(&p.object, &body, &deleted)
	if errors.Is(err, store.ErrNone) {
		return p, errNoApp
	}
	if err != nil {
		return p, err
	}
	var o graph.ServicePrincipal
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		return p, err
	}
	p.name, p.who, p.app, p.owner, p.there = o.DisplayName, o.DisplayName, o.AppID, o.AppOwnerOrganizationID, deleted == 0
	if p.who == "" {
		p.who = o.AppID
	}
	return p, nil
}

// is says whether somebody is meant by an address or an id.
func (w whom) is(named string) bool {
	return named == string(w.id) && named != "" || strings.EqualFold(named, w.object) || w.app != "" && strings.EqualFold(named, w.app) || slices.Contains(w.addresses, named)
}

// Through is the ways of the connections that are kept.
func Through(c *connect.Connections) Ways {
	return func(ctx context.Context, tenant tocsin.TenantID, capability string) (id, name string, gc *graph.Client, err error) {
		conn, gc, err := c.For(ctx, tenant, capability)
		return conn.ID, conn.Name, gc, err
	}
}
