package server

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// inboxes keeps the shared inboxes of every tenant in step with their mailboxes, each tenant's under a lease of its own.
func (s *Server) inboxes(ctx context.Context) error {
	var running loops // by tenant
	defer running.all.Wait()
	for ctx.Err() == nil {
		list, err := s.inboxTenants(ctx, false)
		if err != nil {
			s.log.Warn("the shared inboxes were not read", "error", err)
			pause(ctx, s.leaseFor()/10)
			continue
		}
		wanted := map[string]wish{}
		for _, tenant := range list {
			wanted[string(tenant)] = wish{"1", func(ctx context.Context) {
				_ = s.hold(ctx, inboxLease(tenant), func(ctx context.Context) error { return s.inbox(ctx, tenant) }) // ends with ctx alone
			}}
		}
		running.keep(ctx, wanted)
		s.waitForConnections(ctx)
	}
	return ctx.Err()
}

func inboxLease(tenant tocsin.TenantID) string { return "inbox/" + string(tenant) }

// inboxTenants are the tenants with inboxes that have a mailbox; all where those that have none count too.
func (s *Server) inboxTenants(ctx context.Context, all bool) (out []tocsin.TenantID, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `select distinct tenant from inbox where $1 or connection <> '' order by tenant`, all)
		if err != nil {
			return err
		}
		defer rows.Close()
		out = nil
		for rows.Next() {
			var id tocsin.TenantID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			out = append(out, id)
		}
		return rows.Err()
	})
	return out, err
}

// newInboxes is an engine that only reads for people; one that works in a tenant has the tenant's lease besides.
func (s *Server) newInboxes() *inbox.Engine {
	return &inbox.Engine{Store: s.Store, Keeper: s.keeper, Client: s.mailbox, Log: s.log, Counts: s.inboxCounts, Arrived: work.Arrived, Merged: work.Merged}
}

// mailbox is the client by which a shared mailbox is read.
func (s *Server) mailbox(ctx context.Context, tenant tocsin.TenantID, connection string) (*graph.Client, error) {
	return s.Connections.Mailbox(ctx, tenant, connection)
}

// inbox works in a tenant's inboxes, while this process holds the lease.
func (s *Server) inbox(ctx context.Context, tenant tocsin.TenantID) error {
	lease := inboxLease(tenant)
	epoch, ok, err := s.Store.Lease(ctx, lease, s.owner, s.leaseFor())
	if err != nil || !ok {
		return errors.Join(err, store.ErrLost)
	}
	e := s.newInboxes()
	e.Guard = func(ctx context.Context, tx *store.Tx) error { return tx.Guard(ctx, lease, s.owner, epoch) }
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.Run(ctx, tenant) })
	g.Go(func() error { return s.inboxWork(ctx, tenant, e.Guard) })
	return g.Wait()
}

// inboxWork does what is due on threads by itself: snoozes that are over, mails that are gathered for the search.
func (s *Server) inboxWork(ctx context.Context, tenant tocsin.TenantID, guard func(context.Context, *store.Tx) error) error {
	for {
		err := work.Round(ctx, s.Store, s.keeper, tenant, guard, s.log)
		if errors.Is(err, store.ErrLost) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			s.log.Warn("what is due in shared inboxes was not done; it is tried again", "tenant", tenant, "error", err)
		}
		if !pause(ctx, 5*time.Second) {
			return ctx.Err()
		}
	}
}

// sweepInboxes deletes what is older than the retention of the inboxes.
func (s *Server) sweepInboxes(ctx context.Context) error {
	list, err := s.inboxTenants(ctx, true)
	for _, tenant := range list {
		_, failed := inbox.Sweep(ctx, s.Store, tenant)
		err = errors.Join(err, failed)
	}
	return err
}
