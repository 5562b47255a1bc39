package server

import (
	"context"
	"errors"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/graph"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// remediating is the lease of whoever does what was approved.
const remediating = "remediate"

// remediate does what was approved, while this process holds the lease.
func (s *Server) remediate(ctx context.Context) error {
	epoch, ok, err := s.Store.Lease(ctx, remediating, s.owner, s.leaseFor())
	if err != nil || !ok {
		return errors.Join(err, store.ErrLost)
	}
	e := &remediate.Executor{Store: s.Store, Ways: remediate.Through(s.Connections), Look: s.lookAt, Refused: s.actRefused, Log: s.log,
		Guard: func(ctx context.Context, tx *store.Tx) error { return tx.Guard(ctx, remediating, s.owner, epoch) }}
	return e.Run(ctx)
}

// lookAt reads a mailbox's rules after one of them was changed.
func (s *Server) lookAt(ctx context.Context, tenant tocsin.TenantID, gc *graph.Client, person tocsin.PersonID) error {
	c := &collect.Collector{Tenant: tenant, Graph: gc, Store: s.Store, Journal: s.Journal, Log: s.log}
	return c.LookAt(ctx, person)
}

// actRefused notes on a connection what came of an act: a permission that was taken away shows there.
func (s *Server) actRefused(ctx context.Context, tenant tocsin.TenantID, connection string, err error) error {
	c, gone := s.Connections.Get(ctx, tenant, connection)
	if gone != nil || err == nil {
		return nil
	}
	return s.Connections.Refused(ctx, c, err)
}
