package connect

import (
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/store"
)

// TestBoundary: a mail configuration's domains are all that its connection may search and act in, and no other connection of
// the tenant leads around it.
func TestBoundary(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		boundary := func(id string) ([]string, bool) {
			b.Helper()
			var domains []string
			var all bool
			if err := b.s.Store.ViewTenant(b.Context(), c.Tenant, func(t *store.Tenant) (err error) {
				domains, all, err = Boundary(b.Context(), t, id)
				return err
			}); err != nil {
				b.Fatal(err)
			}
			return domains, all
		}
		want := func(what, id string, domains []string, all bool) {
			b.Helper()
			if d, a := boundary(id); !slices.Equal(d, domains) || a != all {
				b.Errorf("%s: %v, %t; want %v, %t", what, d, a, domains, all)
			}
		}
		want("no mail configuration", c.ID, nil, true)
		want("no such connection", "nobody", nil, false)

		const other = "another"
		b.exec(c.Tenant, `insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, created) select tenant, 'another', 'Mail', cloud, 'c', method, sealed, 'on', created from connection where tenant = $1`)
		b.exec(c.Tenant, `insert into mail_configuration (tenant, connection, test_address, all_domains, created, changed, version) values ($1, 'another', 'a@b.example', false, 1, 1, 1)`)
		want("configured without a domain", other, nil, false)
		b.exec(c.Tenant, `insert into mail_domain (tenant, connection, domain) values ($1, 'another', 'b.example'), ($1, 'another', 'a.example')`)
		want("configured", other, []string{"a.example", "b.example"}, false)
		want("beside one that is configured", c.ID, nil, false)

		b.exec(c.Tenant, `insert into capability (tenant, connection, name, state, because, mend, checked) select tenant, id, 'investigate', 'works', '', '', 1 from connection where tenant = $1
			on conflict (tenant, connection, name) do update set state = 'works'`)
		if got, _, err := b.s.For(b.Context(), c.Tenant, Investigations); got.ID != other { // its credential is another's, and does not open
			b.Errorf("to investigate goes by %q (%v), want the one that is configured", got.ID, err)
		}
		b.exec(c.Tenant, `update mail_configuration set all_domains = true where tenant = $1`)
		want("configured for all", other, nil, true)
		want("beside one that is configured for all", c.ID, nil, false)
		b.exec(c.Tenant, `update connection set state = 'paused' where tenant = $1 and id = 'another'`)
		want("beside one that is paused", c.ID, nil, false)
		if got, _, err := b.s.For(b.Context(), c.Tenant, Investigations); err == nil || !strings.Contains(err.Error(), "paused") {
			b.Errorf("while the configured one is paused it goes by %q: %v", got.ID, err)
		}
		b.exec(c.Tenant, `update connection set state = 'closed' where tenant = $1 and id = 'another'`)
		want("beside one that is closed", c.ID, nil, true)
		b.exec(c.Tenant, `update connection set state = 'on' where tenant = $1 and id = 'another'`)
		if err := b.s.Delete(b.Context(), "amy", c.Tenant, other); err != nil {
			b.Fatal(err)
		}
		want("once it is deleted", c.ID, nil, true)
		if n := b.count(c, `select count(*) from mail_domain where tenant = $1`); n != 0 {
			b.Errorf("%d domains outlived their configuration", n)
		}
	})
}

// TestInside: a subdomain is another domain, and case and brackets are nothing.
func TestInside(t *testing.T) {
	domains := []string{"contoso.com"}
	for address, want := range map[string]bool{"amy@contoso.com": true, "SMTP:Amy@CONTOSO.COM": true, "<amy@contoso.com>": true,
		"amy@eu.contoso.com": false, "amy@notcontoso.com": false, "amy@contoso.com.evil.example": false, "amy@evil.example@contoso.com": true, "amy": false, "": false} {
		if got := Inside(address, domains, false); got != want {
			t.Errorf("%q is inside: %t, want %t", address, got, want)
		}
		if !Inside(address, nil, true) || Inside(address, nil, false) {
			t.Errorf("%q: all is all, and nothing is nothing", address)
		}
	}
}

func (b *bench) exec(tenant tocsin.TenantID, query string) {
	b.Helper()
	if err := b.s.Store.UpdateTenant(b.Context(), tenant, func(t *store.Tenant) error { _, err := t.Exec(b.Context(), query); return err }); err != nil {
		b.Fatal(err)
	}
}
