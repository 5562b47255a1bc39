package server

import (
	"context"
	"errors"

	"tocsin.dev/connect"
	"tocsin.dev/investigate"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// investigating is the lease of whoever searches mailboxes.
const investigating = "investigate"

// investigations is where searches are planned, and trails followed.
func (s *Server) investigations() *investigate.Desk {
	return &investigate.Desk{Store: s.Store, Ways: investigate.Through(s.Connections), Boundary: connect.Boundary}
}

// investigate searches mailboxes, while this process holds the lease.
func (s *Server) investigate(ctx context.Context) error {
	epoch, ok, err := s.Store.Lease(ctx, investigating, s.owner, s.leaseFor())
	if err != nil || !ok {
		return errors.Join(err, store.ErrLost)
	}
	e := &investigate.Engine{Store: s.Store, Ways: investigate.Through(s.Connections), Boundary: connect.Boundary, Refused: s.actRefused, Act: s.byItself, Log: s.log,
		Guard: func(ctx context.Context, tx *store.Tx) error { return tx.Guard(ctx, investigating, s.owner, epoch) }}
	return e.Run(ctx)
}

// byItself asks for what an investigation does with what it finds, as whoever set it to.
func (s *Server) byItself(ctx context.Context, t *store.Tenant, v *investigate.Investigation, matches []string) error {
	who := investigate.Actor{Who: remediate.Who{Account: v.ThenBy, Email: v.By}}
	ask := investigate.ActAsk{Investigation: v.ID, Kind: investigate.ActKind(v.Then.Kind), Options: investigate.ActOptions{Notice: v.Then.Notice}, Matches: matches, Why: "By itself: " + v.Reason}
	_, err := s.actDesk().ActByItself(ctx, t, who, v.Version, ask)
	return err
}

// standing notes mail that came for the investigations that stand.
func (s *Server) standing(ctx context.Context, lane int) error {
	return stream.Fold(ctx, s.Store, "standing", lane, investigate.Heard)
}
