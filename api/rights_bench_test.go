package api_test

import (
	"fmt"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// BenchmarkDelegations lists 100,000 rights over 20,000 mailboxes, and gives the matrix of them.
func BenchmarkDelegations(b *testing.B) {
	st := storetest.SQLite(b)
	s := api.New(st, api.Options{})
	const owners = 20_000
	var people, rights [][]any
	for i := range owners {
		p, who := fmt.Sprintf("p%05d", i), fmt.Sprintf("user%05d@x.example", i)
		people = append(people, []any{p, "o" + p, fmt.Sprintf("User %05d", i), who, who, "member", true, "[]", "read", 1, 1})
		for j := range 5 {
			rights = append(rights, []any{p, "full_access", "", fmt.Sprintf("p%05d", (i+j+1)%owners), "x", "FullAccess", 1, "export", 1, []int{0, 0, 0, 0, 60}[(i+j)%5] / (1 + i%3)})
		}
	}
	if err := st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
		if _, err := t.Exec(b.Context(), `insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`); err != nil {
			return err
		}
		if err := t.Insert(b.Context(), store.Into{Table: "person", Columns: []string{"person", "object_id", "name", "upn", "mail", "kind", "enabled", "addresses", "mailbox", "seen", "changed"}}, people); err != nil {
			return err
		}
		return t.Insert(b.Context(), store.Into{Table: "delegation", Columns: []string{"owner", "kind", "folder", "trustee", "name", "levels", "at", "source", "first_seen", "risk"}}, rights)
	}); err != nil {
		b.Fatal(err)
	}
	ctx := api.WithCaller(b.Context(), everybodysOwner)
	ask := api.DelegationsIn{In: api.In{Tenant: acme}}
	run := func(name string, in api.DelegationsIn, do func(api.DelegationsIn) error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := do(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	list := func(in api.DelegationsIn) error { _, err := s.ListDelegations(ctx, in); return err }
	one, text := ask, ask
	one.Owner, text.Q = tocsin.PersonID("p00077"), "user00077"
	run("list", ask, list)
	run("owner", one, list)
	run("text", text, list)
	run("matrix", ask, func(in api.DelegationsIn) error { _, err := s.DelegationMatrix(ctx, in); return err })
}
