package inbox

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// How many threads or mails are deleted in one transaction.
const sweepAtOnce = 100

// ofThread are the tables that hold what belongs to a thread. Other packages add theirs by [Belongs]. Who looked at one stays in inbox_look.
var ofThread = []string{"inbox_reference", "inbox_entry", "inbox_thread_tag", "inbox_mention", "inbox_seen"}

// Belongs tells of a table whose rows belong to a thread: it has the columns tenant, inbox and thread. It is for the start of a program.
func Belongs(table string) {
	if !slices.Contains(ofThread, table) {
		ofThread = append(ofThread, table)
	}
}

// ofInbox are the tables whose rows belong to an inbox alone.
var ofInbox = []string{"inbox_wish", "inbox_upload", "inbox_outgoing", "inbox_message", "inbox_thread", "inbox_folder", "inbox_member", "inbox_segment", "inbox_segment_part", "inbox_service", "inbox_macro", "inbox_rule", "inbox_look"}

// Sweep deletes what is older than the retention of the inboxes of a tenant: threads whose last mail is, with all that was written in them.
// The mailbox is left as it is. n is how many threads went.
func Sweep(ctx context.Context, st *store.Store, tenant tocsin.TenantID) (n int, err error) {
	var list []*Inbox
	if err := st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		list, err = List(ctx, t)
		return err
	}); err != nil {
		return 0, err
	}
	for _, in := range list {
		if in.RetentionDays <= 0 {
			continue
		}
		for before := st.Clock().Now().AddDate(0, 0, -in.RetentionDays); ; {
			some := 0
			err := st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
				old, err := texts(ctx, t, `select id from inbox_thread where tenant = $1 and inbox = $2 and last < $3 and changed < $3 order by last, id limit $4`, in.ID, before, sweepAtOnce)
				if err == nil {
					err = dropThreads(ctx, t, in.ID, old)
				}
				if some = len(old); err == nil && some > 0 {
					_, err = t.Exec(ctx, `update inbox set floor = $3 where tenant = $1 and id = $2 and floor < $3`, in.ID, before)
				}
				return err
			})
			if err != nil {
				return n, err
			}
			if n += some; some < sweepAtOnce {
				break
			}
		}
	}
	return n, nil
}

// dropThreads deletes threads and all that belongs to them.
func dropThreads(ctx context.Context, t *store.Tenant, inbox string, all []string) error {
	for _, thread := range all {
		for _, q := range []string{`delete from inbox_upload where tenant = $1 and inbox = $2 and outgoing in (select id from inbox_outgoing where tenant = $1 and inbox = $2 and thread = $3)`,
			`delete from inbox_wish where tenant = $1 and inbox = $2 and message in (select id from inbox_message where tenant = $1 and inbox = $2 and thread = $3)`,
			`delete from inbox_outgoing where tenant = $1 and inbox = $2 and thread = $3`, `delete from inbox_message where tenant = $1 and inbox = $2 and thread = $3`} {
			if _, err := t.Exec(ctx, q, inbox, thread); err != nil {
				return err
			}
		}
		for _, table := range ofThread {
			if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and inbox = $2 and thread = $3`, inbox, thread); err != nil {
				return err
			}
		}
		if _, err := t.Exec(ctx, `delete from inbox_thread where tenant = $1 and inbox = $2 and (id = $3 or merged = $3)`, inbox, thread); err != nil {
			return err
		}
		if err := tellThread(ctx, t, inbox, thread, "erased", ""); err != nil {
			return err
		}
	}
	return nil
}

// Erase deletes an inbox and everything that was read and written in it, its key first: what a backup still holds of its mail opens no more
// without the backup of the key. The mailbox is left as it is. It works in small transactions; interrupted, it is called again.
func Erase(ctx context.Context, st *store.Store, tenant tocsin.TenantID, who, inbox string) error {
	err := st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		n, err := t.Exec(ctx, `update inbox set sealed = $3, connection = '', state = 'disconnected', changed = $4, version = version + 1 where tenant = $1 and id = $2`, inbox, []byte{}, st.Clock().Now())
		if err == nil && n == 0 {
			return noInbox
		}
		if err != nil {
			return err
		}
		return tell(ctx, t, inbox, "erasing")
	})
	if err != nil {
		return err
	}
	for {
		some := 0
		if err := st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
			all, err := texts(ctx, t, `select id from inbox_thread where tenant = $1 and inbox = $2 order by id limit $3`, inbox, sweepAtOnce)
			some = len(all)
			if err != nil {
				return err
			}
			return dropThreads(ctx, t, inbox, all)
		}); err != nil {
			return err
		}
		if some == 0 {
			break
		}
	}
	return st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		for _, table := range append(append([]string{}, ofThread...), ofInbox...) {
			if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and inbox = $2`, inbox); err != nil {
				return err
			}
		}
		if _, err := t.Exec(ctx, `delete from inbox_view where tenant = $1 and filter like $2`, `%"inbox":"`+inbox+`"%`); err != nil { // lists of its threads alone
			return err
		}
		if _, err := t.Exec(ctx, `delete from inbox where tenant = $1 and id = $2`, inbox); err != nil {
			return err
		}
		return tell(ctx, t, inbox, "erased")
	})
}

// Forget erases what one person outside wrote to the inboxes of a tenant, and what was written to them alone: what the mails say, their subjects
// and names. Of mails between others that they got too, their address and name go from the envelope; what those say stays. That there was a
// mail stays known by its id, so that it is not read again; the mailbox is left as it is. It gives how many mails were erased whole.
func Forget(ctx context.Context, st *store.Store, tenant tocsin.TenantID, who, address string) (n int, err error) {
	address = tocsin.CanonicalAddress(address)
	if tocsin.CanonicalAddress(address) == "" {
		return 0, tocsin.Problemf(tocsin.Invalid, "Give their address.", "Nobody has no address.")
	}
	for {
		some := 0
		err := st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
			list, err := messages(ctx, t, `from_address = $2 and erased = 0 order by at limit $3`, address, sweepAtOnce)
			if err == nil && len(list) == 0 {
				list, err = sentTo(ctx, t, address)
			}
			some = len(list)
			for _, m := range list {
				if err == nil {
					err = m.forget(ctx, t)
				}
			}
			return err
		})
		if err != nil {
			return n, err
		}
		if n += some; some == 0 {
			return n, unname(ctx, st, tenant, address)
		}
	}
}

// unname takes somebody's address and name from the envelopes of the mails that are left, and of what was sent.
func unname(ctx context.Context, st *store.Store, tenant tocsin.TenantID, address string) error {
	pattern, not := `%"address":"`+like(address)+`"%`, func(list []tocsin.Address) json.RawMessage {
		return text(slices.DeleteFunc(list, func(a tocsin.Address) bool { return a.Canonical() == address }))
	}
	for after, some := "", sweepAtOnce; some == sweepAtOnce; {
		if err := st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
			list, err := messages(ctx, t, `erased = 0 and id > $2 and (lower(to_list) like $3 or lower(cc_list) like $3 or lower(bcc_list) like $3 or lower(reply_to) like $3 or sender_address = $4) order by id limit $5`, after, pattern, address, sweepAtOnce)
			some = len(list)
			for _, m := range list {
				if after = m.ID; m.Sender == address {
					m.Sender = ""
				}
				if err == nil {
					_, err = t.Exec(ctx, `update inbox_message set to_list = $4, cc_list = $5, bcc_list = $6, reply_to = $7, sender_address = $8 where tenant = $1 and inbox = $2 and id = $3`, m.Inbox, m.ID, not(m.To), not(m.Cc), not(m.Bcc), not(m.ReplyTo), m.Sender)
				}
			}
			return err
		}); err != nil {
			return err
		}
	}
	inboxes := []*Inbox{}
	if err := st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) { inboxes, err = List(ctx, t); return err }); err != nil {
		return err
	}
	for _, in := range inboxes {
		if err := st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
			list, err := outgoings(ctx, t, `inbox = $2 and (lower(to_list) like $3 or lower(cc_list) like $3 or lower(bcc_list) like $3)`, in.ID, pattern)
			for _, o := range list {
				if err == nil && o.State != Held && o.State != Sending { // what is on its way goes
					_, err = t.Exec(ctx, `update inbox_outgoing set to_list = $4, cc_list = $5, bcc_list = $6, version = version + 1 where tenant = $1 and inbox = $2 and id = $3`, in.ID, o.ID, not(o.To), not(o.Cc), not(o.Bcc))
				}
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// sentTo are mails of ours that went to one person and nobody else.
func sentTo(ctx context.Context, t *store.Tenant, address string) (out []*Message, err error) {
	inboxes, err := List(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, in := range inboxes {
		list, err := messages(ctx, t, `inbox = $2 and direction = 'out' and erased = 0 and cc_list = '[]' and bcc_list = '[]' and lower(to_list) like $3 limit $4`, in.ID, `[{%"address":"`+like(address)+`"}]`, sweepAtOnce)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			if len(m.To) == 1 {
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// like is text as it stands in a pattern; the signs of patterns in an address stand for any one sign.
func like(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r == '%' || r == '\\' {
			out[i] = '_'
		}
	}
	return string(out)
}

// forget erases one mail.
func (m *Message) forget(ctx context.Context, t *store.Tenant) error {
	now := t.Tx().Clock().Now()
	if _, err := t.Exec(ctx, `update inbox_message set erased = $4, subject = '', preview = '', from_address = '', from_name = '', sender_address = '', reply_to = '[]', to_list = '[]', cc_list = '[]', bcc_list = '[]', authentication = '',
		attachments = '[]', categories = '[]', body = null, size = 0 where tenant = $1 and inbox = $2 and id = $3`, m.Inbox, m.ID, now); err != nil {
		return err
	}
	left, err := messages(ctx, t, `inbox = $2 and thread = $3 and erased = 0 order by at limit 1`, m.Inbox, m.Thread)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return refreshed(ctx, t, m.Inbox, m.Thread)
	}
	// Nothing of the thread is left: what was noted in it is about them too.
	for _, table := range ofThread {
		if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and inbox = $2 and thread = $3`, m.Inbox, m.Thread); err != nil {
			return err
		}
	}
	if _, err := t.Exec(ctx, `delete from inbox_outgoing where tenant = $1 and inbox = $2 and thread = $3`, m.Inbox, m.Thread); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `update inbox_thread set subject = '', folded = '', from_address = '', from_name = '', preview = '', messages = 0, unread = 0, state = 'resolved', changed = $4, version = version + 1 where tenant = $1 and inbox = $2 and id = $3`, m.Inbox, m.Thread, now); err != nil {
		return err
	}
	return tellThread(ctx, t, m.Inbox, m.Thread, "erased", "")
}

// KeepFor sets for how many days after its last mail a thread is kept; 0: for ever.
func KeepFor(ctx context.Context, t *store.Tenant, inbox string, days int) error {
	if days < 0 || days > 36500 {
		return tocsin.Problemf(tocsin.Invalid, "Give 0 to 36500 days.", "Mails cannot be kept for %d days.", days)
	}
	n, err := t.Exec(ctx, `update inbox set retention_days = $3, changed = $4, version = version + 1 where tenant = $1 and id = $2`, inbox, days, t.Tx().Clock().Now().Truncate(time.Millisecond))
	if err == nil && n == 0 {
		err = noInbox
	}
	if err != nil {
		return err
	}
	return tell(ctx, t, inbox, "settings")
}
