package store_test

import (
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

func TestNamesTenant(t *testing.T) {
	for q, want := range map[string]bool{
		`select name from person where tenant = $1`:                              true,
		`select p.name from person p where p.tenant=$1 and person = $2`:          true,
		`insert into partner (tenant, domain) values ($1,$2)`:                    true,
		`select "tenant" from person where "tenant" = $1`:                        true,
		`select name from person`:                                                false,
		`select name from person where person = $1`:                              false,
		`select tenant from person`:                                              false,
		`select name from person where tenant = $10`:                             false,
		`select name from person where tenant = $2`:                              false,
		`select name from person where tenants = $1`:                             false,
		`select name from person where my_tenant = $1`:                           false,
		`select name from person where name = 'tenant' and person = $1`:          false,
		`select name from person where person = $1 -- of the tenant`:             false,
		"select name from person -- who\nwhere tenant = $1":                      true,
		`select name from person /* tenant = $1 */ where person = $2`:            false,
		`select name from person where tenant = '$1'`:                            false,
		`select name from person where name = 'it''s' and tenant = $1`:           true,
		`select name from person where name = 'unclosed and tenant = $1`:         false,
		`update person set name = $2 where tenant = $1 and person = $3 /* open `: true,
	} {
		if got := store.NamesTenant(q); got != want {
			t.Errorf("%s: %v; want %v", q, got, want)
		}
	}
}

func TestTenantsApart(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		for _, id := range []tocsin.TenantID{contoso, fabrikam} {
			do(t, st.UpdateTenant(ctx, id, func(tn *store.Tenant) error {
				if tn.ID() != id {
					t.Errorf("handed out %s for %s", tn.ID(), id)
				}
				n, err := tn.Exec(ctx, `insert into domain (tenant, name, seen) values ($1, $2, $3)`, "example.com", 1)
				if n != 1 {
					t.Errorf("%d rows", n)
				}
				return err
			}))
		}
		do(t, st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error {
			n, err := tn.Exec(ctx, `delete from domain where tenant = $1`)
			if n != 1 {
				t.Errorf("deleted %d rows; want 1, one's own", n)
			}
			return err
		}))
		for id, want := range map[tocsin.TenantID]int{contoso: 0, fabrikam: 1} {
			do(t, st.ViewTenant(ctx, id, func(tn *store.Tenant) error {
				rows, err := tn.Query(ctx, `select name from domain where tenant = $1 and name = $2`, "example.com")
				do(t, err)
				defer rows.Close()
				got := 0
				for rows.Next() {
					got++
				}
				if got != want {
					t.Errorf("%s has %d domains; want %d", id, got, want)
				}
				return rows.Err()
			}))
		}
	})
}

func TestRefusesStatement(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		err := st.ViewTenant(ctx, contoso, func(tn *store.Tenant) error {
			for range 2 { // the second time as well
				if _, err := tn.Query(ctx, `select name from domain`); err == nil {
					t.Error("Query let it pass")
				}
				if _, err := tn.Exec(ctx, `delete from domain where name = $1`, "x"); err == nil {
					t.Error("Exec let it pass")
				}
			}
			var n int
			return tn.QueryRow(ctx, `select count(*) from domain`).Scan(&n)
		})
		if err == nil || !strings.Contains(err.Error(), "names no tenant = $1: select count(*) from domain") {
			t.Fatalf("error: %v; want one that shows the statement", err)
		}
	})
}
