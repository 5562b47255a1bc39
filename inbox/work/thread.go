package work

import (
	"context"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// Priorities of a thread.
const (
	Low    = 1
	Normal = 2
	High   = 3
	Urgent = 4
)

// States are all that a thread can be in.
var States = []string{inbox.Open, inbox.Waiting, inbox.Snoozed, inbox.Resolved, inbox.Spam}

// Thread is a conversation as people work on it.
type Thread struct {
	Inbox, ID                               string
	N                                       int64 // its number in the inbox
	Subject, From, FromName, Preview        string
	State, Assignee, Team                   string // assignee is an account, team one of Teams; empty: none
	Priority                                int
	Snoozed                                 time.Time // until when
	Messages, UnreadMails                   int
	Attachments                             bool
	FirstIn, LastIn, LastOut, Waiting, Last time.Time
	Answered, Resolved                      time.Time
	Silent                                  bool   // it came with the first reading, and nothing since
	Merged                                  string // into which thread
	Created, Changed                        time.Time
	Version                                 int64
	Tags                                    []string  // ids
	Unread                                  bool      // to the account that asks
	Due                                     time.Time // of the service time that is due first; zero: none runs
	DueKind                                 string
}

const threadColumns = `t.inbox, t.id, t.n, t.subject, t.from_address, t.from_name, t.preview, t.state, t.assignee, t.team, t.priority, t.snoozed, t.messages, t.unread, t.attachments,
	t.first_in, t.last_in, t.last_out, t.waiting, t.last, t.answered, t.resolved, t.silent, t.merged, t.created, t.changed, t.version`

func (v *Thread) scan(scan func(...any) error) error {
	var snoozed, firstIn, lastIn, lastOut, waiting, last, answered, resolved, created, changed int64
	err := scan(&v.Inbox, &v.ID, &v.N, &v.Subject, &v.From, &v.FromName, &v.Preview, &v.State, &v.Assignee, &v.Team, &v.Priority, &snoozed, &v.Messages, &v.UnreadMails, &v.Attachments,
		&firstIn, &lastIn, &lastOut, &waiting, &last, &answered, &resolved, &v.Silent, &v.Merged, &created, &changed, &v.Version)
	v.Tags = []string{}
	for _, at := range []struct {
		to *time.Time
		of int64
	}{{&v.Snoozed, snoozed}, {&v.FirstIn, firstIn}, {&v.LastIn, lastIn}, {&v.LastOut, lastOut}, {&v.Waiting, waiting}, {&v.Last, last}, {&v.Answered, answered}, {&v.Resolved, resolved}, {&v.Created, created}, {&v.Changed, changed}} {
		*at.to = tocsin.FromMillis(at.of)
	}
	return err
}

// NoThread says that there is none, or none for who asks.
var NoThread = tocsin.Problemf(tocsin.NotFound, "Look at the list of threads.", "There is no such thread.")

// Get is a thread as an account sees it.
func Get(ctx context.Context, t *store.Tenant, r Reach, id string) (*Thread, error) {
	var v Thread
	err := v.scan(t.QueryRow(ctx, `select `+threadColumns+` from inbox_thread t where t.tenant = $1 and t.id = $2`, id).Scan)
	if errors.Is(err, store.ErrNone) {
		return nil, NoThread
	}
	if err != nil {
		return nil, err
	}
	list := []*Thread{&v}
	return &v, adorn(ctx, t, r, list)
}

// adorn puts tags, and what is new to the account, into threads.
func adorn(ctx context.Context, t *store.Tenant, r Reach, list []*Thread) error {
	by := map[string]*Thread{}
	boxes := map[string][]any{}
	for _, v := range list {
		by[v.ID] = v
		boxes[v.Inbox] = append(boxes[v.Inbox], v.ID)
		since, in := r.Inboxes[v.Inbox]
		v.Unread = in && v.LastIn.After(since)
	}
	for box, ids := range boxes {
		rows, err := t.Query(ctx, `select thread, tag, 0 from inbox_thread_tag where tenant = $1 and inbox = $2 and thread in (`+store.In(len(ids), 4)+`)
			union all select thread, '', at from inbox_seen where tenant = $1 and account = $3 and inbox = $2 and thread in (`+store.In(len(ids), 4)+`) order by 1, 2`, append([]any{box, r.Account}, ids...)...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var thread, tag string
			var seen int64
			if err := rows.Scan(&thread, &tag, &seen); err != nil {
				rows.Close()
				return err
			}
			if v := by[thread]; tag != "" {
				v.Tags = append(v.Tags, tag)
			} else {
				v.Unread = v.Unread && tocsin.Millis(v.LastIn) > seen
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		clocks, err := clocksOf(ctx, t, box, ids...)
		if err != nil {
			return err
		}
		for id, list := range clocks {
			for _, c := range list {
				if v := by[id]; c.Ended.IsZero() && !c.Due.IsZero() && (v.Due.IsZero() || c.Due.Before(v.Due)) {
					v.Due, v.DueKind = c.Due, c.Kind
				}
			}
		}
	}
	return nil
}

// See notes that an account has read a thread as it is now.
func See(ctx context.Context, t *store.Tenant, account string, v *Thread) error {
	if _, err := t.Exec(ctx, `update inbox_mention set seen = $5 where tenant = $1 and account = $2 and inbox = $3 and thread = $4 and seen = 0`, account, v.Inbox, v.ID, t.Tx().Clock().Now()); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `insert into inbox_seen (tenant, account, inbox, thread, at) values ($1, $2, $3, $4, $5)
		on conflict (tenant, account, inbox, thread) do update set at = case when inbox_seen.at < excluded.at then excluded.at else inbox_seen.at end`, account, v.Inbox, v.ID, v.Last)
	return err
}

// Unsee makes a thread new to an account again.
func Unsee(ctx context.Context, t *store.Tenant, account string, v *Thread) error {
	_, err := t.Exec(ctx, `insert into inbox_seen (tenant, account, inbox, thread, at) values ($1, $2, $3, $4, 0)
		on conflict (tenant, account, inbox, thread) do update set at = 0`, account, v.Inbox, v.ID)
	return err
}
