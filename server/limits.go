package server

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// size tells the client how many users the tenant has, again and again until ctx ends: Microsoft gives a large one more.
// It counts no further than it matters.
func (s *Server) size(ctx context.Context, tenant tocsin.TenantID, client *graph.Client) {
	enough := s.Config.Limits.graph().OrDefaults().DirectoryLargeFrom
	for {
		var n int
		err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
			return t.QueryRow(ctx, `select count(*) from (select 1 from person where tenant = $1 and deleted = 0 limit $2) as some`, enough).Scan(&n)
		})
		if err == nil {
			client.Users(n)
		}
		every := 10 * time.Second // while the first sync goes on, a larger bucket is of use
		if n >= enough {
			every = time.Hour
		}
		if !pause(ctx, every) {
			return
		}
	}
}
