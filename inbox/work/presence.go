package work

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// What somebody does with a thread that is before them.
const (
	Viewing  = "viewing"
	Replying = "replying"
	Left     = "left"
)

// How long a sign of presence holds; pages renew it every third of that.
const (
	viewingLasts  = 45 * time.Second
	replyingLasts = 2 * time.Minute
)

// Present is somebody who has a thread before them.
type Present struct {
	Account, Kind string
	Since, Until  time.Time
}

// Presences are who has a thread before them now.
func Presences(ctx context.Context, t *store.Tenant, box, thread string) ([]Present, error) {
	rows, err := t.Query(ctx, `select account, kind, since, until from inbox_presence where tenant = $1 and inbox = $2 and thread = $3 and until > $4 order by since, account`, box, thread, t.Tx().Clock().Now())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Present{}
	for rows.Next() {
		var p Present
		var since, until int64
		if err := rows.Scan(&p.Account, &p.Kind, &since, &until); err != nil {
			return nil, err
		}
		p.Since, p.Until = tocsin.FromMillis(since), tocsin.FromMillis(until)
		out = append(out, p)
	}
	return out, rows.Err()
}

// Holder is who holds the answer to a thread, other than the account; empty for nobody.
func Holder(ctx context.Context, t *store.Tenant, box, thread, account string) (string, error) {
	list, err := Presences(ctx, t, box, thread)
	for _, p := range list {
		if p.Kind == Replying && p.Account != account {
			return p.Account, err
		}
	}
	return "", err
}

// Be says what an account does with a thread. Only one answers at a time: held is who does, where it is another, and nothing is changed then;
// take takes the answer over. Others are told when it changes, not when it is renewed.
func Be(ctx context.Context, t *store.Tenant, r Reach, v *Thread, kind string, take bool) (held string, err error) {
	now := t.Tx().Clock().Now()
	// One at a time: who comes second waits here for the first on PostgreSQL.
	if _, err := t.Exec(ctx, `update inbox_thread set changed = changed where tenant = $1 and inbox = $2 and id = $3`, v.Inbox, v.ID); err != nil {
		return "", err
	}
	list, err := Presences(ctx, t, v.Inbox, v.ID)
	if err != nil {
		return "", err
	}
	was := Left
	for _, p := range list {
		switch {
		case p.Account == r.Account:
			was = p.Kind
		case p.Kind == Replying && kind == Replying && !take:
			return p.Account, nil
		case p.Kind == Replying && kind == Replying:
			if _, err := t.Exec(ctx, `update inbox_presence set kind = 'viewing', until = $5 where tenant = $1 and inbox = $2 and thread = $3 and account = $4`, v.Inbox, v.ID, p.Account, now.Add(viewingLasts)); err != nil {
				return "", err
			}
		}
	}
	if kind == Left {
		_, err = t.Exec(ctx, `delete from inbox_presence where tenant = $1 and inbox = $2 and thread = $3 and (account = $4 or until <= $5)`, v.Inbox, v.ID, r.Account, now)
	} else {
		lasts := viewingLasts
		if kind == Replying {
			lasts = replyingLasts
		}
		_, err = t.Exec(ctx, `insert into inbox_presence (tenant, inbox, thread, account, kind, since, until) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (tenant, inbox, thread, account) do update set since = case when inbox_presence.kind = excluded.kind then inbox_presence.since else excluded.since end, kind = excluded.kind, until = excluded.until`, v.Inbox, v.ID, r.Account, kind, now, now.Add(lasts))
	}
	if err != nil || was == kind {
		return "", err
	}
	return "", tell(ctx, t, v, r.Account)
}

// Woken opens threads whose snooze is over, at most so many; it says how many.
func Woken(ctx context.Context, t *store.Tenant, most int) (int, error) {
	rows, err := t.Query(ctx, `select id from inbox_thread where tenant = $1 and state = 'snoozed' and snoozed <= $2 order by snoozed, id limit $3`, t.Tx().Clock().Now(), most)
	if err != nil {
		return 0, err
	}
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			rows.Close()
			return 0, err
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	rows.Close()
	open := inbox.Open
	for _, id := range ids {
		if _, err := Apply(ctx, t, Reach{}, "", id, Change{State: &open, Because: "its time has come"}); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
