package connect

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// Usage is what is used of each of Microsoft's limits that the connection's calls count in, by this process.
func (s *Connections) Usage(ctx context.Context, tenant tocsin.TenantID, id string) ([]graph.Use, error) {
	c, err := s.Get(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	if s.Limits == nil {
		gc, err := s.Client(ctx, c)
		if err != nil {
			return nil, err
		}
		return gc.Usage(), nil
	}
	k, err := s.kept(ctx, c)
	if err != nil {
		return nil, err
	}
	cloud := clouds[k.cloud]
	if k.cloud == "own" {
		var own Own
		if err := json.Unmarshal([]byte(k.settings), &own); err != nil {
			return nil, fmt.Errorf("settings of connection %s: %w", c.ID, err)
		}
		cloud.Graph = strings.TrimRight(own.Graph, "/")
	}
	return s.Limits.Of(cloud, c.Client, string(tenant)), nil
}
