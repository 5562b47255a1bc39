package server

import (
	"context"
	"errors"

	"tocsin.dev/connect"
	"tocsin.dev/investigate"
	"tocsin.dev/store"
)

// actingOnMail is the lease of whoever acts on the mails that investigations found.
const actingOnMail = "mail-acts"

// actDesk is where acts on mails are planned and recorded.
func (s *Server) actDesk() *investigate.ActDesk {
	return &investigate.ActDesk{Store: s.Store, Way: investigate.ActThrough(s.Connections), Bounds: connect.Boundary}
}

// actOnMail does what was asked for on mails, while this process holds the lease.
func (s *Server) actOnMail(ctx context.Context) error {
	epoch, ok, err := s.Store.Lease(ctx, actingOnMail, s.owner, s.leaseFor())
	if err != nil || !ok {
		return errors.Join(err, store.ErrLost)
	}
	e := &investigate.ActExecutor{Store: s.Store, Way: investigate.ActThrough(s.Connections), Bounds: connect.Boundary, Refused: s.actRefused, Log: s.log,
		Guard: func(ctx context.Context, tx *store.Tx) error { return tx.Guard(ctx, actingOnMail, s.owner, epoch) }}
	return e.Run(ctx)
}
