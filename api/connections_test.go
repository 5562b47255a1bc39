package api_test

import (
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestOwnCloud: who administers one tenant cannot have the server call addresses of their choice.
func TestOwnCloud(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		there, all := s.token(api.Owner, string(acme)), s.token(api.Admin, "*")
		const inside = "https://inside.example"
		for _, n := range []api.ConnectionNew{
			{Cloud: "own"}, {Authority: inside, Graph: inside}, {Cloud: "global", Authority: inside, Graph: inside},
			{CA: "-----BEGIN CERTIFICATE-----"}, {Cloud: "own", Authority: inside, Graph: inside, CA: "x"},
		} {
			n.Tenant, n.ClientID, n.Secret = string(acme), tocsin.NewID(), "s"
			in := api.CreateConnectionIn{Body: n}
			if got := code(s.do(t, there, "connections create", in)); got != tocsin.Denied {
				t.Errorf("the tenant's owner with cloud %q, authority %q, ca %q: got %q, want denied", n.Cloud, n.Authority, n.CA, got)
			}
			want := tocsin.Code("")
			if n.Cloud == "own" && n.Graph == "" {
				want = tocsin.Invalid // it has no addresses
			}
			if got := code(s.do(t, all, "connections create", in)); got != want {
				t.Errorf("the installation's admin with cloud %q, authority %q, ca %q: got %q", n.Cloud, n.Authority, n.CA, got)
			}
		}
	})
}
