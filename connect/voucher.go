package connect

import (
	"context"
	"errors"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Of gives the Graph client of the app that a tenant is connected by; nil where it is not connected by that app. Tenant and
// app are ids in lower case, from whoever says so.
func (s *Connections) Of(ctx context.Context, tenant, app string) (*graph.Client, error) {
	var id string
	err := s.Store.ViewTenant(ctx, tocsin.TenantID(tenant), func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select id from connection where tenant = $1 and lower(client_id) = $2 and state not in ('closing', 'closed') order by created limit 1`, app).Scan(&id)
	})
	if errors.Is(err, store.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := s.Get(ctx, tocsin.TenantID(tenant), id)
	if err != nil {
		return nil, err
	}
	return s.Client(ctx, c)
}
