package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

const (
	// claim is for how long a message belongs to who has begun to send it: after that it was cut off, and is tried again.
	claim = 2 * time.Minute
	// giveUp is after how long a message that nobody takes is dead.
	giveUp = 24 * time.Hour
	// atOnce is how many channels are sent to at the same time, so that a slow one holds up no other.
	atOnce = 16
	// rest is how long the sender waits before it looks again, where nothing tells it of news.
	rest = 500 * time.Millisecond
)

// waits are how long after a try the next one is, before chance is let in: doubled up to an hour.
var waits = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour}

// backoff is how long to wait after a try: between half of the wait and all of it, so that what failed together does not
// come again together; and what the receiver asked for, where that is more.
func backoff(tries int, after time.Duration) time.Duration {
	d := waits[min(max(tries, 1), len(waits))-1]
	return max(d/2+rand.N(d/2), after)
}

// Run sends what waits until ctx ends. Several may run: a message is taken by one at a time.
func (a *Alerts) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, atOnce)
	done := make(chan struct{}, 1)
	for ctx.Err() == nil {
		news := a.Store.Appended()
		list, err := a.due(ctx)
		if err != nil && ctx.Err() == nil {
			a.log().Error("alerts that wait were not read; it is tried again", "error", err)
			list = nil
		}
		for _, c := range list {
			if !a.take(&c) {
				continue
			}
			all.Go(func() {
				defer a.leave(&c)
				select {
				case slots <- struct{}{}:
					defer func() { <-slots }()
				case <-ctx.Done():
					return
				}
				if err := a.serve(ctx, &c); err != nil && ctx.Err() == nil {
					a.log().Error("a channel's alerts are held up; it is tried again", "channel", c.ID, "error", err)
					pause(ctx, 2*time.Second)
				}
				select {
				case done <- struct{}{}:
				default:
				}
			})
		}
		select {
		case <-ctx.Done():
		case <-news:
			pause(ctx, 100*time.Millisecond) // what comes together goes together
		case <-done:
		case <-time.After(rest):
		}
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// take takes a channel, unless it is being served.
func (a *Alerts) take(c *Channel) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := string(c.Owner) + "/" + c.ID
	if a.busy[key] {
		return false
	}
	if a.busy == nil {
		a.busy = map[string]bool{}
	}
	a.busy[key] = true
	return true
}

func (a *Alerts) leave(c *Channel) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.busy, string(c.Owner)+"/"+c.ID)
}

// due are the channels for which something waits.
func (a *Alerts) due(ctx context.Context) ([]Channel, error) {
	var out []Channel
	err := a.Store.View(ctx, func(tx *store.Tx) error {
		owners, err := owners(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range owners {
			list, err := dueOf(ctx, tx.Tenant(id), tx.Clock().Now())
			if err != nil {
				return err
			}
			out = append(out, list...)
		}
		return nil
	})
	return out, err
}

// owners are those who have channels.
func owners(ctx context.Context, tx *store.Tx) ([]tocsin.TenantID, error) {
	rows, err := tx.Query(ctx, `select distinct tenant from channel order by tenant`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []tocsin.TenantID
	for rows.Next() {
		var id tocsin.TenantID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

func dueOf(ctx context.Context, t *store.Tenant, now time.Time) ([]Channel, error) {
	return channels(ctx, t, `select `+channelColumns+` from channel where tenant = $1 and (id in (select channel from alert where tenant = $1 and state = 'waiting' and held_until <= $2)
		or id in (select channel from alert_message where tenant = $1 and state = 'waiting' and due <= $2)) order by id`, now)
}

// serve packs what waits for a channel and sends it, until nothing is due.
func (a *Alerts) serve(ctx context.Context, c *Channel) error {
	ctx = store.Patient(ctx)
	if err := a.Store.Update(ctx, func(tx *store.Tx) error { return a.pack(ctx, tx, c) }); err != nil {
		return fmt.Errorf("pack alerts: %w", err)
	}
	for ctx.Err() == nil {
		p, err := a.claim(ctx, c)
		if err != nil || p == nil {
			return err
		}
		if _, err := a.send(ctx, c, p); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// parcel is a message whose turn it is.
type parcel struct {
	id, kind string
	created  time.Time
	try      int
	message  *Message
	tenants  []tocsin.TenantID
}

// claim takes the next message of a channel that is due, and writes down that it is tried. nil where none is.
func (a *Alerts) claim(ctx context.Context, c *Channel) (*parcel, error) {
	var p *parcel
	err := a.Store.UpdateTenant(ctx, c.Owner, func(t *store.Tenant) error {
		p = &parcel{}
		now := t.Tx().Clock().Now()
		var created int64
		err := t.QueryRow(ctx, `update alert_message set tries = tries + 1, due = $4 where tenant = $1 and state = 'waiting' and due <= $3
			and id = (select id from alert_message where tenant = $1 and channel = $2 and state = 'waiting' and due <= $3 order by id limit 1)
			returning id, kind, created, tries`, c.ID, now, now.Add(claim)).Scan(&p.id, &p.kind, &created, &p.try)
		if errors.Is(err, store.ErrNone) {
			p = nil
			return nil
		}
		if err != nil {
			return err
		}
		p.created = tocsin.FromMillis(created)
		if err := begin(ctx, t, p, now); err != nil {
			return err
		}
		if p.message, p.tenants, err = a.load(ctx, t, c, p.id, p.kind, p.created); err != nil || p.message.Total > 0 || p.message.Test {
			return err
		}
		// What it told of was erased with its tenant.
		_, err = t.Exec(ctx, `update alert_message set state = 'dropped', ended = $3 where tenant = $1 and id = $2`, p.id, now)
		p = nil
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("take a message: %w", err)
	}
	return p, nil
}

// begin writes down a try before it is made.
func begin(ctx context.Context, t *store.Tenant, p *parcel, now time.Time) error {
	_, err := t.Exec(ctx, `insert into alert_try (tenant, message, n, at, outcome) values ($1, $2, $3, $4, 'unknown')`, p.id, p.try, now)
	return err
}

// send sends a message once and writes down how that went.
func (a *Alerts) send(ctx context.Context, c *Channel, p *parcel) (outcome, error) {
	began := time.Now()
	o := a.deliver(ctx, c, p.message)
	if ctx.Err() != nil {
		return o, ctx.Err() // it is not known how it went: the try stays as it is, and there will be another
	}
	took := time.Since(began)
	err := a.Store.UpdateTenant(ctx, c.Owner, func(t *store.Tenant) error { return a.record(ctx, t, c, p, o, took) })
	if err != nil {
		return o, fmt.Errorf("record a message: %w", err)
	}
	if !o.ok {
		a.log().Warn("an alert was not delivered", "channel", c.ID, "kind", c.Kind, "message", p.id, "try", p.try, "status", o.status, "because", o.because)
	}
	return o, nil
}

// record writes down how a try went, and what becomes of the message.
func (a *Alerts) record(ctx context.Context, t *store.Tenant, c *Channel, p *parcel, o outcome, took time.Duration) error {
	now := t.Tx().Clock().Now()
	if _, err := t.Exec(ctx, `update alert_try set outcome = $4, status = $5, took = $6, because = $7 where tenant = $1 and message = $2 and n = $3`,
		p.id, p.try, o.word(), o.status, took.Milliseconds(), o.because); err != nil {
		return err
	}
	state, due := waiting, now.Add(backoff(p.try, o.after))
	switch {
	case o.ok:
		state = sent
	case o.forever || p.kind == "test" || due.Sub(p.created) > giveUp:
		state = dead
	}
	ended := time.Time{}
	if state != waiting {
		ended = now
	}
	n, err := t.Exec(ctx, `update alert_message set state = $4, due = $5, ended = $6, because = $7, mend = $8 where tenant = $1 and id = $2 and tries = $3 and state = 'waiting'`,
		p.id, p.try, state, due, ended, o.because, o.mend)
	if err != nil || n == 0 { // somebody else has tried it meanwhile: what they found out counts
		return err
	}
	if state != waiting {
		if _, err := t.Exec(ctx, `update alert set state = $3, ended = $4 where tenant = $1 and message = $2`, p.id, state, now); err != nil {
			return err
		}
	}
	q := `update channel set failed = $3, failures = failures + 1, because = $4, mend = $5 where tenant = $1 and id = $2`
	args := []any{c.ID, now, o.because, o.mend}
	if o.ok {
		q = `update channel set delivered = $3, failures = 0, because = $4, mend = $5 where tenant = $1 and id = $2` // some of the recipients may have been refused
	}
	if _, err := t.Exec(ctx, q, args...); err != nil {
		return err
	}
	told := p.tenants
	if c.Owner != Installation && !slices.Contains(told, c.Owner) {
		told = append(told, c.Owner)
	}
	for _, id := range told {
		if err := tell(ctx, t.Tx().Tenant(id), "alert.changed", c.ID, ""); err != nil {
			return err
		}
	}
	return nil
}

// Result is how a test went.
type Result struct {
	OK     bool
	Status int // of the answer; 0 for none
	What   string
	Do     string
	Took   time.Duration
}

// Test sends a test message by a channel and gives how that went; it is in the log like any other.
func (a *Alerts) Test(ctx context.Context, owner tocsin.TenantID, id string) (Result, error) {
	var c Channel
	p := &parcel{id: tocsin.NewID(), kind: "test", try: 1}
	err := a.Store.UpdateTenant(ctx, owner, func(t *store.Tenant) (err error) {
		if c, err = Get(ctx, t, id); err != nil {
			return err
		}
		now := t.Tx().Clock().Now()
		p.created = now
		if _, err := t.Exec(ctx, `insert into alert_message (tenant, id, channel, kind, alerts, state, created, due, tries) values ($1, $2, $3, 'test', 1, 'waiting', $4, $5, 1)`,
			p.id, id, now, now.Add(claim)); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `insert into alert (tenant, id, channel, about, finding, rule, severity, severity_rank, change, body, at, early, state, message)
			values ($1, $2, $3, $4, '', '', 'info', 0, 'test', '{}', $5, $6, 'sending', $7)`, tocsin.NewID(), id, string(owner), now, false, p.id); err != nil {
			return err
		}
		if err := begin(ctx, t, p, now); err != nil {
			return err
		}
		p.message, _, err = a.load(ctx, t, &c, p.id, p.kind, now)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	o, err := a.send(ctx, &c, p)
	if err != nil {
		return Result{}, err
	}
	r := Result{OK: o.ok, Status: o.status, Do: o.mend, Took: time.Since(began), What: "The test message was taken by the receiver."}
	if !o.ok {
		r.What = "The test message was not taken: " + o.because + "."
	}
	return r, nil
}
