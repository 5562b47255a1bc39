package inbox

import (
	"context"
	"errors"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Merge puts the mails of a thread, and what was written in it, into another of the same inbox; the first is not shown any more and names the second.
func Merge(ctx context.Context, t *store.Tenant, inbox, from, into string) error {
	if from == into {
		return tocsin.Problemf(tocsin.Invalid, "Choose another.", "A thread cannot be merged into itself.")
	}
	for _, id := range []string{from, into} {
		var merged string
		err := t.QueryRow(ctx, `select merged from inbox_thread where tenant = $1 and inbox = $2 and id = $3`, inbox, id).Scan(&merged)
		if errors.Is(err, store.ErrNone) {
			return tocsin.Problemf(tocsin.NotFound, "Choose threads of one inbox.", "There is no such thread in this inbox.")
		}
		if err != nil {
			return err
		}
		if merged != "" {
			return tocsin.Problemf(tocsin.Conflict, "Look at the thread that it was merged into.", "The thread was merged into another before.")
		}
	}
	for _, q := range []string{`update inbox_message set thread = $4 where tenant = $1 and inbox = $2 and thread = $3`,
		`update inbox_outgoing set thread = $4 where tenant = $1 and inbox = $2 and thread = $3`,
		`update inbox_entry set thread = $4 where tenant = $1 and inbox = $2 and thread = $3`,
		`insert into inbox_reference (tenant, inbox, internet_id, thread) select tenant, inbox, internet_id, $4 from inbox_reference where tenant = $1 and inbox = $2 and thread = $3 on conflict (tenant, inbox, internet_id, thread) do nothing`,
		`update inbox_thread set merged = $4 where tenant = $1 and inbox = $2 and merged = $3`,
	} {
		if _, err := t.Exec(ctx, q, inbox, from, into); err != nil {
			return err
		}
	}
	if _, err := t.Exec(ctx, `delete from inbox_reference where tenant = $1 and inbox = $2 and thread = $3`, inbox, from); err != nil {
		return err
	}
	now := tocsin.Millis(t.Tx().Clock().Now())
	if _, err := t.Exec(ctx, `update inbox_thread set merged = $4, messages = 0, unread = 0, waiting = 0, changed = $5, version = version + 1 where tenant = $1 and inbox = $2 and id = $3`, inbox, from, into, now); err != nil {
		return err
	}
	return again(ctx, t, inbox, into, now)
}

// Split puts mails of a thread into a thread of their own, and gives its id. One mail at least stays.
func Split(ctx context.Context, t *store.Tenant, inbox, thread string, messages []string) (string, error) {
	args := []any{inbox, thread}
	for _, m := range messages {
		args = append(args, m)
	}
	var found, all int
	if err := t.QueryRow(ctx, `select count(*) from inbox_message where tenant = $1 and inbox = $2 and thread = $3 and erased = 0 and id in (`+store.In(len(messages), 4)+`)`, args...).Scan(&found); err != nil {
		return "", err
	}
	if err := t.QueryRow(ctx, `select count(*) from inbox_message where tenant = $1 and inbox = $2 and thread = $3 and erased = 0`, inbox, thread).Scan(&all); err != nil {
		return "", err
	}
	switch {
	case found == 0 || found != len(messages):
		return "", tocsin.Problemf(tocsin.NotFound, "Choose mails of the thread.", "Not all of these mails are in the thread.")
	case found == all:
		return "", tocsin.Problemf(tocsin.Invalid, "Leave one mail at least.", "Nothing would be left of the thread.")
	}
	id, now := tocsin.NewID(), tocsin.Millis(t.Tx().Clock().Now())
	var n int64
	if err := t.QueryRow(ctx, `update inbox set numbers = numbers + 1 where tenant = $1 and id = $2 returning numbers`, inbox).Scan(&n); err != nil {
		return "", err
	}
	// Without the conversation and the folded subject: what comes joins it by the ids of its mails, and the other by what Exchange says.
	_, err := t.Exec(ctx, `insert into inbox_thread (tenant, inbox, id, n, subject, state, silent, created, changed)
		select tenant, inbox, $4, $5, subject, 'open', silent, $6, $6 from inbox_thread where tenant = $1 and inbox = $2 and id = $3`, inbox, thread, id, n, now)
	if err != nil {
		return "", err
	}
	args = append([]any{inbox, id, thread}, args[2:]...)
	if _, err := t.Exec(ctx, `update inbox_message set thread = $3 where tenant = $1 and inbox = $2 and thread = $4 and id in (`+store.In(len(messages), 5)+`)`, args...); err != nil {
		return "", err
	}
	if err := again(ctx, t, inbox, thread, now); err != nil {
		return "", err
	}
	return id, again(ctx, t, inbox, id, now)
}

// again makes a thread's row from the mails that it has now.
func again(ctx context.Context, t *store.Tenant, inbox, thread string, now int64) error {
	wells := map[string]string{}
	rows, err := t.Query(ctx, `select known, id from inbox_folder where tenant = $1 and inbox = $2 and known <> ''`, inbox)
	if err != nil {
		return err
	}
	if err := pairs(rows, wells); err != nil {
		return err
	}
	return refresh(ctx, t, inbox, thread, wells["deleteditems"], wells["junkemail"], now)
}
