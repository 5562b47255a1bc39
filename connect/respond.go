package connect

import (
	"context"
	"slices"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Acts says whether a capability is one to act, not to read: it is off until it is granted, and nothing is unseen without it.
func Acts(name string) bool {
	for _, c := range Capabilities {
		if c.Name == name {
			return c.Tier.Acts()
		}
	}
	return false
}

// For gives the tenant's connection that has a capability, and its client: the first that is on and where it works. Reading
// and acting may be two app registrations. To investigate mail goes by the connections that have a mail configuration, where
// the tenant has any (see [Boundary]). Where none has it, the problem says why and how to mend it.
func (s *Connections) For(ctx context.Context, tenant tocsin.TenantID, capability string) (Connection, *graph.Client, error) {
	var all []Connection
	verdicts := map[string]Verdict{}
	err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if all, err = list(ctx, t, ""); err != nil {
			return err
		}
		q, err := t.Query(ctx, `select connection, state, because, mend from capability where tenant = $1 and name = $2`, capability)
		if err != nil {
			return err
		}
		defer q.Close()
		for q.Next() {
			var id string
			var v Verdict
			if err := q.Scan(&id, &v.State, &v.Because, &v.Mend); err != nil {
				return err
			}
			verdicts[id] = v
		}
		if err := q.Err(); err != nil || !Bounded(capability) {
			return err
		}
		within, err := bounds(ctx, t)
		if len(within) > 0 {
			all = slices.DeleteFunc(all, func(c Connection) bool { _, configured := within[c.ID]; return !configured })
		}
		return err
	})
	if err != nil {
		return Connection{}, nil, err
	}
	lack := tocsin.Problemf(tocsin.Denied, "Connect the tenant first.", "The tenant is not connected.")
	for _, c := range all {
		v, judged := verdicts[c.ID]
		switch {
		case c.State == Paused:
			lack = tocsin.Problemf(tocsin.Conflict, "Resume the connection "+c.Name+" first.", "The connection is paused: nothing is asked of Graph.")
		case c.State != On:
			lack = tocsin.Problemf(tocsin.Denied, c.Mend, "%s", c.Because)
		case !judged:
			lack = tocsin.Problemf(tocsin.Denied, "Test the connection "+c.Name+".", "What the connection may do was not judged yet.")
		case v.State != Works && v.State != Degraded: // degraded works in part: the target itself says whether it is kept from us
			lack = tocsin.Problemf(tocsin.Denied, v.Mend, "%s", v.Because)
		default:
			gc, err := s.Client(ctx, c)
			return c, gc, err
		}
	}
	return Connection{}, nil, lack
}

// Reading gives the client by which a tenant is read: that of the first of its connections that reads. The error is
// graph.ErrPaused while all of these are paused; there is neither client nor error where the tenant is not read any more.
func (s *Connections) Reading(ctx context.Context, tenant tocsin.TenantID) (*graph.Client, error) {
	var all []Connection
	err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) { all, err = list(ctx, t, ""); return err })
	if err != nil {
		return nil, err
	}
	var paused error
	for _, c := range readers(all) {
		if c.Collects() {
			return s.Client(ctx, c)
		}
		if c.State == Paused {
			paused = graph.ErrPaused
		}
	}
	return nil, paused
}

// Readers are the connections of any tenants by which each is read, one for a tenant, in their order.
func Readers(all []Connection) (out []Connection) {
	of := map[tocsin.TenantID][]Connection{}
	for _, c := range all {
		of[c.Tenant] = append(of[c.Tenant], c)
	}
	taken := map[tocsin.TenantID]bool{}
	for _, c := range all {
		if taken[c.Tenant] {
			continue
		}
		taken[c.Tenant] = true
		if some := readers(of[c.Tenant]); slices.ContainsFunc(some, Connection.Collects) {
			out = append(out, some[slices.IndexFunc(some, Connection.Collects)])
		}
	}
	return out
}

// readers are those of a tenant's connections that read it: one to investigate does where the tenant has no other to read,
// not while that is paused.
func readers(all []Connection) (out []Connection) {
	for _, tier := range []Tier{Read, Investigate} {
		for _, c := range all {
			if c.Tier == tier && c.State != Closed && c.State != Closing {
				out = append(out, c)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}
