package server

import (
	"context"
	"errors"

	"tocsin.dev/store"
)

// reporting is the lease of whoever reads the reports mailboxes and sends the answers.
const reporting = "reported"

// takeReports takes in what people report, while this process holds the lease.
func (s *Server) takeReports(ctx context.Context) error {
	epoch, ok, err := s.Store.Lease(ctx, reporting, s.owner, s.leaseFor())
	if err != nil || !ok {
		return errors.Join(err, store.ErrLost)
	}
	w := *s.reported
	w.Guard = func(ctx context.Context, tx *store.Tx) error { return tx.Guard(ctx, reporting, s.owner, epoch) }
	return w.Run(ctx)
}
