package inbox

import (
	"context"
	"errors"
	"slices"

	"tocsin.dev"
	"tocsin.dev/store"
)

// erasedAtOnce is how many threads are deleted in one transaction.
const erasedAtOnce = 100

// ofThreads are the tables whose rows belong to a thread of an inbox, ofBox those that belong to the inbox alone.
var (
	ofThreads = []string{"inbox_reference", "inbox_entry", "inbox_thread_tag", "inbox_mention", "inbox_seen"}
	ofBox     = []string{"inbox_wish", "inbox_upload", "inbox_outgoing", "inbox_message", "inbox_folder", "inbox_member"} // who looked stays in inbox_look
)

// erase deletes an inbox with all that was read and written in it, its key first: what a backup still holds of its mail opens no more without a backup of
// the key. It works in small transactions; interrupted, it is called again.
func (a *Addresses) erase(ctx context.Context, tenant tocsin.TenantID, actor, inbox string) error {
	update := func(do func(t *store.Tenant) error) error { return a.Store.UpdateTenant(ctx, tenant, do) }
	if err := update(func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update inbox set sealed = $3 where tenant = $1 and id = $2`, inbox, []byte{})
		return err
	}); err != nil {
		return err
	}
	for more := true; more; {
		if err := update(func(t *store.Tenant) (err error) { more, err = eraseThreads(ctx, t, inbox); return err }); err != nil {
			return err
		}
	}
	return update(func(t *store.Tenant) error {
		for _, table := range ofBox {
			if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and inbox = $2`, inbox); err != nil {
				return err
			}
		}
		if _, err := t.Exec(ctx, `delete from inbox where tenant = $1 and id = $2`, inbox); err != nil {
			return err
		}
		return tellInbox(ctx, t, inbox, actor, "erased")
	})
}

// eraseThreads deletes some threads with what belongs to them, and says whether there are more.
func eraseThreads(ctx context.Context, t *store.Tenant, inbox string) (more bool, err error) {
	rows, err := t.Query(ctx, `select id from inbox_thread where tenant = $1 and inbox = $2 order by id limit $3`, inbox, erasedAtOnce)
	if err != nil {
		return false, err
	}
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return false, errors.Join(err, rows.Close())
		}
		ids = append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return false, err
	}
	for _, id := range ids {
		for _, table := range append(slices.Clone(ofThreads), "inbox_message", "inbox_outgoing") {
			if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and inbox = $2 and thread = $3`, inbox, id); err != nil {
				return false, err
			}
		}
		if _, err := t.Exec(ctx, `delete from inbox_thread where tenant = $1 and inbox = $2 and id = $3`, inbox, id); err != nil {
			return false, err
		}
	}
	return len(ids) == erasedAtOnce, nil
}
