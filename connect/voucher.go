package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

const (
	ofTime  = 2 * time.Second  // for looking up, since Graph waits
	ofFor   = 10 * time.Second // after which it is looked up again
	ofStale = time.Hour        // for how long what was found is good while nothing can be looked up
	mostOf  = 10_000
)

// known is an app that was found.
type known struct {
	client *graph.Client
	found  time.Time
	again  time.Time // when to look again
}

// Of gives the Graph client of the app that a tenant is connected by; nil where it is not connected by that app. Tenant and
// app are ids in lower case, from whoever says so. While the tables do not answer, what was found within the last hour holds;
// else it is an error within two seconds.
func (s *Connections) Of(ctx context.Context, tenant, app string) (*graph.Client, error) {
	key, now := tenant+"/"+app, time.Now()
	s.knowing.Lock()
	had := s.known[key]
	s.knowing.Unlock()
	if now.Before(had.again) {
		return had.client, nil
	}
	ctx, stop := context.WithTimeout(ctx, ofTime)
	defer stop()
	c, err := s.of(ctx, tenant, app)
	is := known{c, now, now.Add(ofFor)}
	if err != nil {
		if had.client == nil || now.Sub(had.found) > ofStale || ctx.Err() == nil && tocsin.AsProblem(err).Code != tocsin.Unavailable {
			return nil, err
		}
		is.client, is.found = had.client, had.found
	}
	s.knowing.Lock()
	defer s.knowing.Unlock()
	if is.client == nil {
		delete(s.known, key) // whoever makes up tenants is not remembered
		return nil, nil
	}
	if s.known == nil || len(s.known) >= mostOf {
		s.known = map[string]known{}
	}
	s.known[key] = is
	return is.client, nil
}

// unknow has every app looked up anew.
func (s *Connections) unknow() {
	s.knowing.Lock()
	defer s.knowing.Unlock()
	s.known = nil
}

func (s *Connections) of(ctx context.Context, tenant, app string) (*graph.Client, error) {
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
	for !s.mu.TryLock() { // whoever holds it may wait for tables that do not answer
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("find a connection: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	defer s.mu.Unlock()
	return s.clientOf(ctx, c)
}
