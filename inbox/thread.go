package inbox

import (
	"context"

	"tocsin.dev/store"
)

// line is what a thread's row is made of.
type line struct {
	at                              int64
	direction, folder, subject      string
	preview, from, name, to, refers string
	read, attached                  bool
}

// refresh makes a thread's row from its mails: how many, from whom, when the first and the last came and went, since when they wait.
func (p *pass) refresh(ctx context.Context, thread string) error {
	return refresh(ctx, p.t, p.ID, thread, p.well("deleteditems"), p.well("junkemail"), p.now)
}

func refresh(ctx context.Context, t *store.Tenant, inbox, thread, deleted, junk string, now int64) error {
	rows, err := t.Query(ctx, `select at, direction, folder, subject, preview, from_address, from_name, is_read, has_attachments from inbox_message where tenant = $1 and inbox = $2 and thread = $3 and gone = 0 and erased = 0 order by at, id`, inbox, thread)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []line
	for rows.Next() {
		var l line
		if err := rows.Scan(&l.at, &l.direction, &l.folder, &l.subject, &l.preview, &l.from, &l.name, &l.read, &l.attached); err != nil {
			return err
		}
		all = append(all, l)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows.Close()
	if len(all) == 0 { // nothing is left in the mailbox: the thread stays for what was written in it, without mails
		_, err := t.Exec(ctx, `update inbox_thread set messages = 0, unread = 0, waiting = 0, changed = $4, version = version + 1 where tenant = $1 and inbox = $2 and id = $3`, inbox, thread, now)
		return err
	}
	var firstIn, lastIn, lastOut, waiting, answered int64
	unread, attached, shown := 0, false, 0
	var who line
	for _, l := range all {
		attached = attached || l.attached
		aside := l.folder == deleted || l.folder == junk
		if !aside {
			shown++
		}
		if l.direction == Out {
			lastOut, waiting = l.at, 0
			if answered == 0 && firstIn > 0 {
				answered = l.at
			}
			continue
		}
		lastIn = l.at
		if firstIn == 0 {
			firstIn, who = l.at, l
		}
		if waiting == 0 {
			waiting = l.at
		}
		if !l.read && !aside {
			unread++
		}
	}
	first, last := all[0], all[len(all)-1]
	if who.from == "" {
		who = first
	}
	folded, answer := fold(first.subject)
	_, err = t.Exec(ctx, `update inbox_thread set subject = $4, folded = $5, bare = $6, from_address = $7, from_name = $8, preview = $9, messages = $10, unread = $11, attachments = $12,
		first_in = $13, last_in = $14, last_out = $15, waiting = $16, answered = $17, last = $18, changed = $19, version = version + 1 where tenant = $1 and inbox = $2 and id = $3`,
		inbox, thread, first.subject, folded, answer, who.from, who.name, last.preview, len(all), unread, attached, firstIn, lastIn, lastOut, waiting, answered, last.at, now)
	if err != nil {
		return err
	}
	// History that nobody has looked at here is open where its last mail waits to be read, and done where it does not.
	state := Resolved
	if last.direction == In && !last.read {
		state = Open
	}
	if shown > 0 {
		_, err = t.Exec(ctx, `update inbox_thread set state = $4 where tenant = $1 and inbox = $2 and id = $3 and silent and state <> 'spam' and not exists
			(select 1 from inbox_entry e where e.tenant = $1 and e.inbox = $2 and e.thread = $3)`, inbox, thread, state)
	}
	return err
}
