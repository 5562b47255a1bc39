package connect

import (
	"errors"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/store"
)

// TestForFindsTheWayThatMay: of several connections of a tenant the one that may act is given; where none may, the problem
// says why and what mends it.
func TestForFindsTheWayThatMay(t *testing.T) {
	onBoth(t, func(b *bench) {
		reading := b.create(b.good())
		_, _, err := b.s.For(b.Context(), reading.Tenant, RuleChange)
		p, ok := errors.AsType[*tocsin.Problem](err)
		if !ok || p.Code != tocsin.Denied || !strings.Contains(p.What, "MailboxSettings.ReadWrite") || !strings.Contains(p.Do, "MailboxSettings.ReadWrite") {
			t.Errorf("with reading alone: %v", err)
		}
		// A second app registration, to act: the simulator knows one, so its row is made by hand.
		const id = "acting"
		sealed, err := b.s.Keeper.Seal([]byte(b.w.Secret()), about(reading.Tenant, id))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.s.Store.UpdateTenant(t.Context(), reading.Tenant, func(tt *store.Tenant) error {
			_, err := tt.Exec(t.Context(), `insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, settings, created)
				select tenant, $2, 'to act', cloud, 'other', method, $3, state, settings, created + 1 from connection where tenant = $1`, id, sealed)
			if err == nil {
				_, err = tt.Exec(t.Context(), `insert into capability (tenant, connection, name, state, because, mend, checked) values ($1, $2, $3, 'works', '', '', 1)`, id, RuleChange)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		c, gc, err := b.s.For(b.Context(), reading.Tenant, RuleChange)
		if err != nil || c.ID != id || gc == nil {
			t.Errorf("it gives %q, %v", c.ID, err)
		}
		if _, _, err := b.s.For(b.Context(), reading.Tenant, RevokeSessions); err == nil {
			t.Error("what neither may is given")
		}
		if err := b.s.Pause(b.Context(), "test", reading.Tenant, id); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.s.For(b.Context(), reading.Tenant, RuleChange); err == nil {
			t.Error("a paused connection is given")
		}
		if _, _, err := b.s.For(b.Context(), "00000000-0000-4000-8000-000000000009", RuleChange); err == nil {
			t.Error("a tenant that is not connected is given a way")
		}
	})
}
