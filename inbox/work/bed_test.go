package work

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const tenant = tocsin.TenantID("11111111-1111-4111-8111-111111111111")

// bed is a tenant with two inboxes: ann and bob work in the first, as a team; everyone in the second.
type bed struct {
	testing.TB
	st *store.Store
}

func each(t *testing.T, test func(*testing.T, *bed)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		b := &bed{t, st}
		b.update(func(ctx context.Context, t *store.Tenant) error {
			for _, q := range []string{
				`insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`,
				`insert into inbox (tenant, id, name, address, state, sealed, created, changed) values ($1, 'one', 'One', 'one@acme.example', 'connected', '', 1, 1), ($1, 'two', 'Two', 'two@acme.example', 'connected', '', 1, 1), ($1, 'three', 'Three', 'three@acme.example', 'connected', '', 1, 1)`,
				`insert into inbox_team (tenant, id, name, created) values ($1, 'team', 'Team', 1)`,
				`insert into inbox_team_member (tenant, team, account) values ($1, 'team', 'ann'), ($1, 'team', 'bob')`,
				`insert into inbox_member (tenant, inbox, kind, member, added) values ($1, 'one', 'team', 'team', 1), ($1, 'two', 'everyone', '', 1), ($1, 'three', 'account', 'cat', 1)`,
			} {
				if _, err := t.Exec(ctx, q); err != nil {
					return err
				}
			}
			return nil
		})
		test(t, b)
	})
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func (b *bed) update(do func(context.Context, *store.Tenant) error) {
	b.Helper()
	must(b, b.st.UpdateTenant(b.Context(), tenant, func(t *store.Tenant) error { return do(b.Context(), t) }))
}

func (b *bed) view(do func(context.Context, *store.Tenant) error) {
	b.Helper()
	must(b, b.st.ViewTenant(b.Context(), tenant, func(t *store.Tenant) error { return do(b.Context(), t) }))
}

func (b *bed) reach(account string) (r Reach) {
	b.Helper()
	b.view(func(ctx context.Context, t *store.Tenant) (err error) { r, err = ReachOf(ctx, t, account); return err })
	return r
}

// fill puts n threads into an inbox: every tenth is bob's, every 20th open, the others resolved or waiting; the last is the newest.
func (b *bed) fill(box string, n int) {
	b.Helper()
	b.update(func(ctx context.Context, t *store.Tenant) error {
		var rows [][]any
		for i := range n {
			at := int64(1_000_000 + i*1000)
			state, who := "resolved", ""
			if i%20 == 0 {
				state = "open"
			} else if i%20 == 1 {
				state = "waiting"
			}
			if i%10 == 0 {
				who = "bob"
			}
			rows = append(rows, []any{box, fmt.Sprintf("%s-%06d", box, i), i + 1, fmt.Sprintf("Invoice %d", i), fmt.Sprintf("from%d@out.example", i%1000), state, who, at, at, at, 1, 1})
		}
		return t.Insert(ctx, store.Into{Table: "inbox_thread", Columns: []string{"inbox", "id", "n", "subject", "from_address", "state", "assignee", "first_in", "last_in", "last", "created", "changed"}}, rows)
	})
}

func (b *bed) thread(account, id string) (v *Thread) {
	b.Helper()
	r := b.reach(account)
	b.view(func(ctx context.Context, t *store.Tenant) (err error) { v, err = Get(ctx, t, r, id); return err })
	return v
}

func (b *bed) apply(account, id string, c Change) (v *Thread, err error) {
	b.Helper()
	r := b.reach(account)
	err = b.st.UpdateTenant(b.Context(), tenant, func(t *store.Tenant) (err error) { v, err = Apply(b.Context(), t, r, account, id, c); return err })
	return v, err
}

func (b *bed) now() time.Time { return b.st.Clock().Now() }

// benchStore is SQLite, or PostgreSQL where the environment names one.
func benchStore(tb testing.TB) *store.Store {
	if os.Getenv("BENCH_POSTGRES") != "" {
		return storetest.Postgres(tb)
	}
	return storetest.SQLite(tb)
}
