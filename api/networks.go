package api

import (
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/store"
)

// Network is what the organisation told of a network from which people sign in.
type Network struct {
	Network string    `json:"network" doc:"AS9009, 203.0.113.7 or 203.0.113.0/24"`
	Kind    string    `json:"kind" doc:"office or relay: many people come from there, wherever they are; vpn or hosting: it hides where somebody is"`
	Name    string    `json:"name"`
	Set     time.Time `json:"set"`
}

// ListNetworks lists the networks that the organisation told of.
func (s *Service) ListNetworks(ctx context.Context, in ListIn) (Page[Network], error) {
	return view(ctx, s, "networks list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Network], error) {
		return slice("networks", in.Paging, func() ([]Network, error) { return networks(ctx, t) }, func(v Network) string { return v.Network })
	})
}

func networks(ctx context.Context, t *store.Tenant) ([]Network, error) {
	type row struct {
		Network
		at int64
	}
	rows, err := find(ctx, t, (&query{}).add("select network, kind, name, at from network where tenant = $1 order by network"),
		func(r *row) []any { return []any{&r.Network.Network, &r.Kind, &r.Name, &r.at} })
	out := make([]Network, len(rows))
	for i, r := range rows {
		r.Set = tocsin.FromMillis(r.at)
		out[i] = r.Network
	}
	return out, err
}

// NetworksNew are the networks in the place of those there were.
type NetworksNew struct {
	Text string `json:"text" maxLength:"1000000" doc:"A line each: AS9009 vpn M247, or 203.0.113.0/24 office Leeds; comments behind #. Kinds are office, relay, vpn and hosting"`
}

// SetNetworksIn sets the networks.
type SetNetworksIn struct {
	In
	Key
	Body NetworksNew
}

// NetworksSet says how many networks there are now.
type NetworksSet struct {
	Networks int `json:"networks"`
}

// SetNetworks puts networks in the place of those there were; sign-ins are judged by them from now on.
func (s *Service) SetNetworks(ctx context.Context, in SetNetworksIn) (NetworksSet, error) {
	return act(ctx, s, "networks set", in, func(ctx context.Context, t *store.Tenant, c Caller) (NetworksSet, error) {
		list, err := detect.ParseNetworks(strings.NewReader(in.Body.Text))
		if err != nil {
			return NetworksSet{}, invalid("Write a line for each network: AS9009 vpn M247, or 203.0.113.0/24 office Leeds.", "The networks cannot be read: %v.", err)
		}
		if _, err := t.Exec(ctx, `delete from network where tenant = $1`); err != nil {
			return NetworksSet{}, err
		}
		var rows [][]any
		had := map[string]bool{}
		for _, n := range list {
			if name := n.String(); !had[name] {
				had[name] = true
				rows = append(rows, []any{name, string(n.Kind), n.Name, tocsin.Millis(s.now())})
			}
		}
		if len(rows) > 0 {
			if err := t.Insert(ctx, store.Into{Table: "network", Columns: []string{"network", "kind", "name", "at"}}, rows); err != nil {
				return NetworksSet{}, err
			}
		}
		return NetworksSet{len(rows)}, t.Append(ctx, store.Fact{Kind: "settings.networks", Actor: c.Email})
	})
}
