package work

import (
	"context"
	"errors"
	"log/slog"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// The tables whose rows belong to a thread, and go with it when it is erased. Who looked from outside stays written down.
func init() {
	for _, table := range []string{"inbox_thread_tag", "inbox_mention", "inbox_seen", "inbox_presence", "inbox_clock"} {
		inbox.Belongs(table)
	}
}

// Arrived does what rules say of a mail that came, and times its thread, in the transaction in which it came. What a first reading brings is left
// alone.
func Arrived(ctx context.Context, t *store.Tenant, a inbox.Arrival) error {
	if a.Silent {
		return nil
	}
	if a.Direction == inbox.In {
		m := Incoming{Inbox: a.Inbox, Thread: a.Thread, Message: a.Message, First: a.First, Text: a.Text}
		var to, cc, files string
		err := t.QueryRow(ctx, `select subject, from_address, to_list, cc_list, attachments from inbox_message where tenant = $1 and inbox = $2 and id = $3`, a.Inbox, a.Message).Scan(&m.Subject, &m.From, &to, &cc, &files)
		if err != nil {
			return err
		}
		if err := m.lists(to, cc, files); err != nil {
			return err
		}
		if err := Follow(ctx, t, m); err != nil {
			return err
		}
	}
	v, err := Get(ctx, t, Reach{}, a.Thread)
	if err != nil {
		return err
	}
	return Time(ctx, t, v)
}

// Merged takes tags, mentions and clocks of a thread over into the one that it was merged into.
func Merged(ctx context.Context, t *store.Tenant, box, from, into string) error {
	for _, q := range []string{
		`insert into inbox_thread_tag (tenant, inbox, thread, tag, added) select tenant, inbox, $4, tag, added from inbox_thread_tag where tenant = $1 and inbox = $2 and thread = $3 on conflict do nothing`,
		`insert into inbox_mention (tenant, account, inbox, thread, entry, at, seen) select tenant, account, inbox, $4, entry, at, seen from inbox_mention where tenant = $1 and inbox = $2 and thread = $3 on conflict do nothing`,
	} {
		if _, err := t.Exec(ctx, q, box, from, into); err != nil {
			return err
		}
	}
	for _, table := range []string{"inbox_thread_tag", "inbox_mention", "inbox_clock", "inbox_presence", "inbox_seen"} {
		if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and inbox = $2 and thread = $3`, box, from); err != nil {
			return err
		}
	}
	v, err := Get(ctx, t, Reach{}, into)
	if err != nil {
		return err
	}
	return Time(ctx, t, v)
}

// Join merges threads into one, as who says.
func Join(ctx context.Context, t *store.Tenant, r Reach, into string, from []string) (*Thread, error) {
	v, err := begin(ctx, t, r, into, 0)
	if err != nil {
		return nil, err
	}
	for _, id := range from {
		other, err := Get(ctx, t, r, id)
		if err != nil {
			return nil, err
		}
		if other.Inbox != v.Inbox {
			return nil, tocsin.Problemf(tocsin.Invalid, "Choose threads of one inbox.", "The threads are of two inboxes.")
		}
		if err := inbox.Merge(ctx, t, v.Inbox, id, into); err != nil {
			return nil, err
		}
		if err := Merged(ctx, t, v.Inbox, id, into); err != nil {
			return nil, err
		}
		if _, err := write(ctx, t, v, r.Account, "merged", What{Text: other.Subject}); err != nil {
			return nil, err
		}
		if err := tell(ctx, t, other, r.Account); err != nil {
			return nil, err
		}
	}
	if v, err = Get(ctx, t, r, into); err != nil {
		return nil, err
	}
	return v, tell(ctx, t, v, r.Account)
}

// Part puts mails of a thread into one of their own, as who says.
func Part(ctx context.Context, t *store.Tenant, r Reach, id string, messages []string) (*Thread, error) {
	v, err := begin(ctx, t, r, id, 0)
	if err != nil {
		return nil, err
	}
	made, err := inbox.Split(ctx, t, v.Inbox, id, messages)
	if err != nil {
		return nil, err
	}
	own, err := Get(ctx, t, r, made)
	if err != nil {
		return nil, err
	}
	for _, one := range []*Thread{v, own} {
		if _, err := write(ctx, t, one, r.Account, "split", What{To: made}); err != nil {
			return nil, err
		}
		if err := tell(ctx, t, one, r.Account); err != nil {
			return nil, err
		}
	}
	return own, Time(ctx, t, own)
}

// Round does what is due in a tenant's inboxes by itself: it wakes threads whose snooze is over, and gathers mails for the search. Each piece is a
// transaction of its own; guard fails where the lease is another's.
func Round(ctx context.Context, st *store.Store, k inbox.Keeper, tenant tocsin.TenantID, guard func(context.Context, *store.Tx) error, log *slog.Logger) error {
	update := func(do func(*store.Tenant) error) error {
		return st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
			if guard != nil {
				if err := guard(ctx, t.Tx()); err != nil {
					return err
				}
			}
			return do(t)
		})
	}
	for n := 50; n == 50 && ctx.Err() == nil; {
		if err := update(func(t *store.Tenant) (err error) { n, err = Woken(ctx, t, 50); return err }); err != nil {
			return err
		}
	}
	var list []*inbox.Inbox
	if err := st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) { list, err = inbox.List(ctx, t); return err }); err != nil {
		return err
	}
	for _, in := range list {
		for more := true; more && ctx.Err() == nil; {
			err := update(func(t *store.Tenant) (err error) { more, err = Index(ctx, t, k, in.ID); return err })
			if errors.Is(err, inbox.ErrErased) {
				break
			}
			if err != nil {
				log.Warn("mails of a shared inbox were not gathered for the search; it is tried again", "tenant", tenant, "inbox", in.ID, "error", err)
				break // the others are not kept waiting
			}
		}
	}
	return ctx.Err()
}
