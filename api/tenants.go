package api

import (
	"context"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// ListTenants lists the tenants that the caller may see, by name.
func (s *Service) ListTenants(ctx context.Context, in TenantsIn) (Page[Tenant], error) {
	return install(ctx, s, "tenants list", in, s.st.View, func(ctx context.Context, tx *store.Tx, c Caller) (Page[Tenant], error) {
		var p Page[Tenant]
		after, err := parseCursor(in.After, "tenants", 1)
		if err != nil {
			return p, err
		}
		n := in.limit()
		found, err := tenantsOf(ctx, tx, c, after.text(0), n+1)
		if err != nil {
			return p, err
		}
		p = paged(found, n, func(t Tenant) string { return cursor("tenants", t.Name+"\n"+string(t.ID)) })
		if in.After == "" {
			where, args := visibleTenants(c)
			err = tx.QueryRow(ctx, `select count(*) from tenant where `+where, args...).Scan(&p.Total)
		}
		return p, err
	})
}

// visibleTenants is the condition for the tenants that a caller has a role in.
func visibleTenants(c Caller) (string, []any) {
	ids := []any{}
	for _, g := range c.Grants {
		if g.Tenant == Everywhere {
			return `tenant <> ''`, nil
		}
		ids = append(ids, g.Tenant)
	}
	return `tenant in (` + store.In(len(ids), 1) + `)`, ids
}

// tenantsOf are the tenants that a caller has a role in, by name and id, behind after ("name\nid").
func tenantsOf(ctx context.Context, tx *store.Tx, c Caller, after string, limit int) ([]Tenant, error) {
	where, args := visibleTenants(c)
	name, id, _ := strings.Cut(after, "\n")
	n := len(args)
	args = append(args, name, id, limit)
	rows, err := tx.Query(ctx, `select tenant, name, initial_domain, created from tenant where `+where+
		` and (name, tenant) > (`+store.In(2, n+1)+`) order by name, tenant limit `+store.In(1, n+3), args...)
	if err != nil {
		return nil, err
	}
	type row struct {
		Tenant
		created int64
	}
	found, err := scan(rows, func(r *row) []any { return []any{&r.ID, &r.Name, &r.InitialDomain, &r.created} })
	if err != nil {
		return nil, err
	}
	out := []Tenant{}
	for _, r := range found {
		r.Created, r.Role = tocsin.FromMillis(r.created), c.Role(r.ID)
		if err := fillTenant(ctx, tx.Tenant(r.ID), &r.Tenant); err != nil {
			return nil, err
		}
		out = append(out, r.Tenant)
	}
	return out, nil
}

// tenantView is one tenant as the caller may see it.
func tenantView(ctx context.Context, t *store.Tenant, c Caller) (Tenant, error) {
	v := Tenant{ID: t.ID(), Role: c.Role(t.ID())}
	var created int64
	err := t.QueryRow(ctx, `select name, initial_domain, created from tenant where tenant = $1`).Scan(&v.Name, &v.InitialDomain, &created)
	if err != nil {
		return v, err
	}
	v.Created = tocsin.FromMillis(created)
	return v, fillTenant(ctx, t, &v)
}

func fillTenant(ctx context.Context, t *store.Tenant, v *Tenant) error {
	err := t.QueryRow(ctx, `select (select count(*) from connection where tenant = $1), (select count(*) from finding where tenant = $1 and status in ('open', 'in_work')),
		(select count(*) from action where tenant = $1 and state = 'waiting_approval'),
		exists (select 1 from connection where tenant = $1 and closing = 'erase')`).
		Scan(&v.Connections, &v.OpenFindings, &v.Waiting, &v.Erasing)
	if err != nil {
		return err
	}
	q := (&query{}).add("select name, is_default, is_verified, authentication from domain where tenant = $1 order by is_default desc, name limit 1000")
	v.Domains, err = find(ctx, t, q, func(d *Domain) []any { return []any{&d.Name, &d.Default, &d.Verified, &d.Authentication} })
	return err
}
