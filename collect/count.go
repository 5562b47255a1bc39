package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// StreamCount is how a tenant's mailboxes stand with what is told of them. Times are Unix milliseconds.
type StreamCount struct {
	Mailboxes int   `json:"mailboxes"` // that can be read
	LeftOut   int   `json:"left_out"`  // of them, by choice
	Since     int64 `json:"since"`     // the first of them is told of
	Heard     int64 `json:"heard"`     // the last notification that was folded
	Unseen    int   `json:"unseen"`    // messages that came and went between two looks

	States []StateCount   `json:"states"`                   // of subscriptions, the most first
	Rich   int            `json:"rich"`                     // mailboxes that are told of richly
	ByCert map[string]int `json:"by_certificate,omitempty"` // of these, by the certificate

	Vain   string `json:"vain"` // why one of the gaps could not be closed yet
	Open   int    `json:"open"` // gaps
	Closed int    `json:"closed"`
	Found  int    `json:"found"` // events, by closing them

	Silent  int    `json:"silent"`  // mailboxes; the whole tenant is one
	Parked  int    `json:"parked"`  // items that wait
	Told    int    `json:"told"`    // of these, notifications
	Parking string `json:"parking"` // why, of one of them
	Waiting int64  `json:"waiting"` // since when the first of them waits
	Dead    int    `json:"dead"`    // items that were given up
	Lost    int    `json:"lost"`    // of these, notifications and what came of them
}

// StateCount is how many subscriptions are in a state.
type StateCount struct {
	State   string `json:"state"`
	Count   int    `json:"count"`
	Expires int64  `json:"expires"` // the first of them
	Due     int64  `json:"due"`     // the first of them is seen to
	Because string `json:"because"` // of one of them
}

// In is the count of a state; zero where none is in it.
func (c *StreamCount) In(state string) StateCount {
	for _, s := range c.States {
		if s.State == state {
			return s
		}
	}
	return StateCount{State: state}
}

// countLarge is from how many mailboxes on they are counted beside what changes them: then a page need not.
const countLarge = 5000

// countLasts is for how long a count is good that nobody renews.
const countLasts = 5 * time.Minute

// CountStream is how a tenant's mailboxes stand: as counted a moment ago where there are many, else now.
func CountStream(ctx context.Context, t *store.Tenant) (out StreamCount, err error) {
	var at int64
	var body string
	err = t.QueryRow(ctx, `select at, body from stream_count where tenant = $1`).Scan(&at, &body)
	now := t.Tx().Clock().Now()
	if age := now.Sub(tocsin.FromMillis(at)); err == nil && age < countLasts && age > -countLasts {
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			return out, fmt.Errorf("how mailboxes stand: %w", err)
		}
		return out, nil
	}
	if err != nil && !errors.Is(err, store.ErrNone) {
		return out, err
	}
	return countStream(ctx, t)
}

// countStream counts. It reads a row of each mailbox.
func countStream(ctx context.Context, t *store.Tenant) (out StreamCount, err error) {
	for _, q := range []struct {
		text string
		into []any
	}{
		{`select count(*) from person where tenant = $1 and mailbox = 'read' and deleted = 0`, []any{&out.Mailboxes}},
		{`select count(*) from subscription s join mail_ledger l on l.tenant = s.tenant and l.person = s.person where s.tenant = $1 and s.state in ('off', 'ending') and l.unwatched > 0`, []any{&out.LeftOut}},
		{`select coalesce(min(case when since > 0 then since end), 0), coalesce(max(heard), 0), coalesce(sum(unseen), 0) from mail_ledger where tenant = $1`, []any{&out.Since, &out.Heard, &out.Unseen}},
		{`select coalesce(sum(case when closed = 0 then 1 else 0 end), 0), coalesce(sum(case when closed > 0 then 1 else 0 end), 0), coalesce(sum(found), 0), coalesce(max(case when closed = 0 then trouble end), '') from mail_gap where tenant = $1`, []any{&out.Open, &out.Closed, &out.Found, &out.Vain}},
		{`select count(*) from silence where tenant = $1 and ended = 0`, []any{&out.Silent}},
		{`select count(*), coalesce(sum(case when kind = 'notified' then 1 else 0 end), 0), coalesce(min(because), ''), coalesce(min(at), 0) from parked where tenant = $1`, []any{&out.Parked, &out.Told, &out.Parking, &out.Waiting}},
		{`select count(*), coalesce(sum(case when kind in ('notified', 'mail') then 1 else 0 end), 0) from dead_letter where tenant = $1`, []any{&out.Dead, &out.Lost}},
	} {
		if err := t.QueryRow(ctx, q.text).Scan(q.into...); err != nil {
			return out, err
		}
	}
	err = each(ctx, t, func(scan func(...any) error) error {
		var s StateCount
		var rich int
		err := scan(&s.State, &s.Count, &s.Expires, &s.Due, &s.Because, &rich)
		if s.State == "on" {
			out.Rich = rich
		}
		out.States = append(out.States, s)
		return err
	}, `select state, count(*), coalesce(min(case when expires > 0 then expires end), 0), coalesce(min(due), 0), coalesce(max(because), ''), sum(case when made = 'rich' then 1 else 0 end)
		from subscription where tenant = $1 group by state order by 2 desc, 1`)
	if err != nil || out.Rich == 0 {
		return out, err
	}
	out.ByCert = map[string]int{}
	return out, each(ctx, t, func(scan func(...any) error) error {
		var id string
		var n int
		err := scan(&id, &n)
		out.ByCert[id] = n
		return err
	}, `select certificate, count(*) from subscription where tenant = $1 and state = 'on' and made = 'rich' group by certificate`)
}

// KeepCount counts how a tenant's mailboxes stand, where they are many, whenever something may have changed and not more than
// a fiftieth of the time, until ctx ends. Whoever collects from the tenant keeps it.
func KeepCount(ctx context.Context, st *store.Store, tenant tocsin.TenantID) error {
	defer func() { // what nobody keeps is not what it was
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = st.UpdateTenant(end, tenant, func(t *store.Tenant) error { // if not, it is too old in a while
			_, err := t.Exec(end, `delete from stream_count where tenant = $1`)
			return err
		})
	}()
	for ctx.Err() == nil {
		news, began := st.Appended(), time.Now()
		large, err := keepCount(ctx, st, tenant)
		if err != nil {
			return err
		}
		wait := 30 * time.Second
		if large {
			wait = max(2*time.Second, min(50*time.Since(began), time.Minute))
		}
		rest := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
		rest = time.NewTimer(time.Minute) // a count that stands is renewed
		select {
		case <-ctx.Done():
		case <-news:
		case <-rest.C:
		}
		rest.Stop()
	}
	return ctx.Err()
}

func keepCount(ctx context.Context, st *store.Store, tenant tocsin.TenantID) (large bool, err error) {
	var body []byte
	err = st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		var n int
		if err := t.QueryRow(ctx, `select count(*) from (select 1 from person where tenant = $1 and mailbox = 'read' and deleted = 0 limit $2) as few`, countLarge).Scan(&n); err != nil {
			return err
		}
		if large = n >= countLarge; !large {
			return nil
		}
		is, err := countStream(ctx, t)
		if err != nil {
			return err
		}
		body, err = json.Marshal(is)
		return err
	})
	if err != nil {
		return large, err
	}
	return large, st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		if !large {
			_, err := t.Exec(ctx, `delete from stream_count where tenant = $1`)
			return err
		}
		known, err := t.Known(ctx)
		if err != nil || !known {
			return err
		}
		_, err = t.Exec(ctx, `insert into stream_count (tenant, at, body) values ($1, $2, $3) on conflict (tenant) do update set at = excluded.at, body = excluded.body`, t.Tx().Clock().Now(), string(body))
		return err
	})
}
