package work

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// lookLasts is how long a reason given holds.
const lookLasts = time.Hour

// What somebody outside the team reads.
const (
	LookAsked   = "asked" // the reason was given
	LookList    = "list"
	LookThread  = "thread"
	LookMessage = "message"
	LookFile    = "file"
	LookSearch  = "search"
)

// Look is a look at an inbox by somebody outside its team.
type Look struct {
	ID, Inbox, Of          string // of is the look that allowed it
	At, Until              time.Time
	Account, Email, Reason string
	What, Thread, Message  string
}

// Ask begins a look: the account may read the inbox for an hour, and all that it reads is noted.
func Ask(ctx context.Context, t *store.Tenant, box, account, email, reason string) (Look, error) {
	now := t.Tx().Clock().Now()
	l := Look{ID: tocsin.NewID(), Inbox: box, At: now, Until: now.Add(lookLasts), Account: account, Email: email, Reason: strings.TrimSpace(reason), What: LookAsked}
	return l, l.keep(ctx, t)
}

func (l *Look) keep(ctx context.Context, t *store.Tenant) error {
	_, err := t.Exec(ctx, `insert into inbox_look (tenant, inbox, id, of, at, until, account, email, reason, what, thread, message) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		l.Inbox, l.ID, l.Of, l.At, l.Until, l.Account, l.Email, l.Reason, l.What, l.Thread, l.Message)
	return err
}

// Looking is the look by which an account may read an inbox now; its ID is empty where there is none.
func Looking(ctx context.Context, t *store.Tenant, box, account string) (l Look, err error) {
	var until int64
	err = t.QueryRow(ctx, `select id, inbox, until, account, email, reason from inbox_look where tenant = $1 and inbox = $2 and account = $3 and until > $4 order by until desc limit 1`, box, account, t.Tx().Clock().Now()).
		Scan(&l.ID, &l.Inbox, &until, &l.Account, &l.Email, &l.Reason)
	if errors.Is(err, store.ErrNone) {
		return Look{}, nil
	}
	l.Until = tocsin.FromMillis(until)
	return l, err
}

// Read notes what was read by a look.
func (l Look) Read(ctx context.Context, t *store.Tenant, what, thread, message string) error {
	l.Of, l.ID, l.At, l.Until, l.What, l.Thread, l.Message = l.ID, tocsin.NewID(), t.Tx().Clock().Now(), time.Time{}, what, thread, message
	return l.keep(ctx, t)
}

// Looks are the looks at an inbox, the newest first, behind the id after where it is not empty.
func Looks(ctx context.Context, t *store.Tenant, box, after string, limit int) ([]Look, error) {
	rows, err := t.Query(ctx, `select id, inbox, of, at, until, account, email, reason, what, thread, message from inbox_look where tenant = $1 and inbox = $2 and ($3 = '' or id < $3) order by id desc limit $4`, box, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Look{}
	for rows.Next() {
		var l Look
		var at, until int64
		if err := rows.Scan(&l.ID, &l.Inbox, &l.Of, &at, &until, &l.Account, &l.Email, &l.Reason, &l.What, &l.Thread, &l.Message); err != nil {
			return nil, err
		}
		l.At, l.Until = tocsin.FromMillis(at), tocsin.FromMillis(until)
		out = append(out, l)
	}
	return out, rows.Err()
}
