package reseal

import (
	"context"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

// A server that runs says which keys it holds, the one it seals with first, by a lease: its name is the server's, its owner the
// keys. So a rotation seals nothing anew that a running server could not open.

// Announce says which keys the server of that name holds, for d from now, after it has looked for newer ones.
func Announce(ctx context.Context, k *secret.Keeper, st *store.Store, server string, d time.Duration) error {
	if err := k.Refresh(); err != nil {
		return err
	}
	var ids []string
	for _, id := range k.Keys() {
		ids = append(ids, id.String())
	}
	owner := strings.Join(ids, " ")
	return st.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `insert into lease (name, owner, epoch, expires) values ($1, $2, 1, $3)
			on conflict (name) do update set owner = excluded.owner, expires = excluded.expires`, serverLease+server, owner, st.Clock().Now().Add(d))
		return err
	})
}

// Leave takes back what Announce said.
func Leave(ctx context.Context, st *store.Store, server string) error {
	return st.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `delete from lease where name = $1`, serverLease+server)
		return err
	})
}

type holder struct {
	name string
	keys []string
}

func (r *Rotation) servers(ctx context.Context) (out []holder, err error) {
	list, err := r.Store.Leases(ctx)
	for _, l := range list {
		if name, ok := strings.CutPrefix(l.Name, serverLease); ok {
			out = append(out, holder{name, strings.Fields(l.Owner)})
		}
	}
	return out, err
}

// seen waits until every server that runs seals with the newest key.
func (r *Rotation) seen(ctx context.Context) error {
	newest := r.Keeper.Keys()[0].String()
	d := r.Patience
	if d <= 0 {
		d = 20 * time.Second
	}
	for until := time.Now().Add(d); ; {
		servers, err := r.servers(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(servers, func(h holder) bool { return len(h.keys) == 0 || h.keys[0] != newest })
		if i < 0 {
			return nil
		}
		if time.Now().After(until) {
			return tocsin.Problemf(tocsin.Conflict, "Give it the same key as here (the same key file, or key.command or TOCSIN_KEY_VALUE with the new key first), and run this again. Nothing was sealed anew yet.",
				"The server %s runs and does not seal with the key %s.", servers[i].name, newest)
		}
		if err := pause(ctx, d/100); err != nil {
			return err
		}
	}
}
