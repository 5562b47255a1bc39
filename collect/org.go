package collect

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/store"
)

// organisation is what the tables tell a rule of the organisation. A look-up that the store refuses is kept in err,
// since rules are pure and cannot be told.
type organisation struct {
	detect.Org
	err error
}

// organisation gives the organisation as of this transaction.
func (r *run) organisation(ctx context.Context) (*organisation, error) {
	if r.org != nil {
		return r.org, nil
	}
	o, err := loadOrg(ctx, r.t)
	if err == nil {
		r.org = o
	}
	return o, err
}

// strict is the organisation as if it trusted and excused nobody.
func (o *organisation) strict() *detect.Org {
	s := o.Org
	s.Partners, s.Exceptions = nil, nil
	return &s
}

func loadOrg(ctx context.Context, t *store.Tenant) (*organisation, error) {
	now := t.Tx().Clock().Now()
	o := &organisation{Org: detect.Org{Tenant: t.ID(), Domains: map[string]bool{}, Partners: map[string]bool{}, Now: now}}
	err := each(ctx, t, func(scan func(...any) error) error {
		var name string
		if err := scan(&name); err != nil {
			return err
		}
		o.Domains[strings.ToLower(name)] = true
		return nil
	}, `select name from domain where tenant = $1 and is_verified`)
	if err != nil {
		return nil, err
	}
	err = each(ctx, t, func(scan func(...any) error) error {
		var name string
		if err := scan(&name); err != nil {
			return err
		}
		o.Partners[strings.ToLower(name)] = true
		return nil
	}, `select domain from partner where tenant = $1 and (expires = 0 or expires > $2)`, tocsin.Millis(now))
	if err != nil {
		return nil, err
	}
	err = each(ctx, t, func(scan func(...any) error) error {
		var e detect.Exception
		var expires int64
		if err := scan(&e.ID, &e.Rule, &e.Scope, &e.Value, &e.Owner, &e.Reason, &expires); err != nil {
			return err
		}
		e.Expires = tocsin.FromMillis(expires)
		o.Exceptions = append(o.Exceptions, e)
		return nil
	}, `select id, rule, scope, value, owner, reason, expires from exception where tenant = $1`)
	if err != nil {
		return nil, err
	}
	err = each(ctx, t, func(scan func(...any) error) error {
		var network, kind, name string
		if err := scan(&network, &kind, &name); err != nil {
			return err
		}
		if n, err := detect.ParseNetwork(network, kind, name); err == nil { // it was read when it was set
			o.Networks = append(o.Networks, n)
		}
		return nil
	}, `select network, kind, name from network where tenant = $1`)
	if err != nil {
		return nil, err
	}
	o.Spared = o.spared(ctx, t)
	aliases := &run{t: t, org: o}
	known := map[string]detect.Known{}
	o.Lookup = func(addr string) detect.Known {
		k, ok := known[addr]
		if !ok {
			var err error
			if k, err = aliases.find(ctx, o.Domains, addr); err != nil && o.err == nil {
				o.err = err
			}
			known[addr] = k
		}
		return k
	}
	return o, nil
}

// spared gives what [detect.Org.Spared] is; the policies are read when one is first asked for.
func (o *organisation) spared(ctx context.Context, t *store.Tenant) func(string) []string {
	var by map[string][]string
	load := func() error {
		by = map[string][]string{}
		err := each(ctx, t, func(scan func(...any) error) error {
			var name, body string
			if err := scan(&name, &body); err != nil {
				return err
			}
			var p struct {
				State      string
				Conditions struct {
					Users struct{ ExcludeGroups []string }
				}
			}
			if json.Unmarshal([]byte(body), &p) != nil || p.State != "enabled" {
				return nil
			}
			for _, id := range p.Conditions.Users.ExcludeGroups {
				by[strings.ToLower(id)] = append(by[strings.ToLower(id)], name)
			}
			return nil
		}, `select name, body from state_object where tenant = $1 and path = '/identity/conditionalAccess/policies' and deleted = 0 order by name`)
		for _, id := range sortedKeys(by) {
			var name string
			if err == nil {
				err = t.QueryRow(ctx, `select name from mail_group where tenant = $1 and id = $2`, id).Scan(&name)
			}
			if errors.Is(err, store.ErrNone) {
				err = nil
			} else if err == nil && name != "" {
				by[strings.ToLower(name)] = append(by[strings.ToLower(name)], by[id]...)
			}
		}
		return err
	}
	return func(group string) []string {
		if by == nil {
			if err := load(); err != nil && o.err == nil {
				o.err = err
			}
		}
		return by[strings.ToLower(group)]
	}
}

// find is lookup for whatever names somebody: an alias or a display name of one person is as good as the address.
func (r *run) find(ctx context.Context, domains map[string]bool, name string) (detect.Known, error) {
	if strings.Contains(name, "@") || name == "" || strings.HasPrefix(name, "/") {
		return lookup(ctx, r.t, domains, name)
	}
	if err := r.lookUp(ctx, []string{name}); err != nil {
		return detect.Known{}, err
	}
	who := r.names[named(name)]
	if who == "" {
		return detect.Known{}, nil
	}
	var address string
	query := `select case when mail <> '' then mail else upn end from person where tenant = $1 and person = $2`
	if group, is := strings.CutPrefix(who, groupMark); is {
		who, query = group, `select mail from mail_group where tenant = $1 and id = $2`
	}
	err := r.t.QueryRow(ctx, query, who).Scan(&address)
	if errors.Is(err, store.ErrNone) || err == nil && address == "" {
		return detect.Known{}, nil
	} else if err != nil {
		return detect.Known{}, err
	}
	return lookup(ctx, r.t, domains, tocsin.CanonicalAddress(address))
}

// lookup finds what stands behind an address: a person, a group with its members outside, or a contact with its addresses
// outside, which are those at none of domains. Of several, as while an
// address moves from one to another, it is always the same one: a member before a guest, then by id.
func lookup(ctx context.Context, t *store.Tenant, domains map[string]bool, addr string) (detect.Known, error) {
	var k detect.Known
	var kind string
	var enabled *bool
	var created int64
	var roles int
	err := t.QueryRow(ctx, `select p.person, p.kind, p.mail, p.name, p.enabled, p.created,
			(select count(*) from role_member m where m.tenant = p.tenant and m.person = p.person) + (select count(*) from role_holding h where h.tenant = p.tenant and h.person = p.person) from person_address a
		join person p on p.tenant = a.tenant and p.person = a.person where a.tenant = $1 and a.address = $2 and p.deleted = 0
		order by case p.kind when 'guest' then 1 else 0 end, p.person limit 1`, addr).
		Scan(&k.Person, &kind, &k.Address, &k.Name, &enabled, &created, &roles)
	if err == nil {
		k.Admin = roles > 0
		k.Kind = detect.Person
		if k.Address == "" {
			k.Address = addr
		}
		if kind == "guest" {
			k.Kind = detect.Guest
			k.Outside = []string{k.Address}
		}
		k.Blocked = enabled != nil && !*enabled
		k.Created = tocsin.FromMillis(created)
		return k, nil
	} else if !errors.Is(err, store.ErrNone) {
		return k, err
	}
	var outside, addresses string
	err = t.QueryRow(ctx, `select g.mail, g.name, g.kind, g.addresses, g.outside from group_address a
		join mail_group g on g.tenant = a.tenant and g.id = a.group_id where a.tenant = $1 and a.address = $2 and g.deleted = 0
		order by g.id limit 1`, addr).
		Scan(&k.Address, &k.Name, &kind, &addresses, &outside)
	if errors.Is(err, store.ErrNone) {
		return detect.Known{}, nil
	} else if err != nil {
		return k, err
	}
	if kind == "contact" {
		k.Kind = detect.Contact
		var list []string
		err := json.Unmarshal([]byte(addresses), &list)
		for _, a := range canonical(append([]string{k.Address}, list...)) {
			if _, domain, _ := strings.Cut(a, "@"); a != addr && !domains[domain] {
				k.Outside = append(k.Outside, a)
			}
		}
		return k, err
	}
	k.Kind = detect.Group
	if outside == "" {
		k.Partial = true
		return k, nil
	}
	var members []tocsin.Address
	if err := json.Unmarshal([]byte(outside), &members); err != nil {
		return k, err
	}
	for _, m := range members {
		k.Outside = append(k.Outside, m.Canonical())
	}
	return k, nil
}

// each calls row with the scanner of every row that the query gives.
func each(ctx context.Context, t *store.Tenant, row func(scan func(...any) error) error, query string, args ...any) error {
	q, err := t.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer q.Close()
	for q.Next() {
		if err := row(q.Scan); err != nil {
			return err
		}
	}
	return q.Err()
}
