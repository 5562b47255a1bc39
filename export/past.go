package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// The past of an export are the events that are stored when it is made. They go out first, in the order of time, and what
// comes meanwhile waits, so that a person's events come in order. An event that comes late may be as old as what the past is
// made of: each look into the past notes how far in time it came and which place was the last when it looked. What comes
// later and was there already at such a look has been sent.

const (
	// skew is how far Microsoft's clock may be before ours: what is stored may have happened a little later than now.
	skew = 15 * time.Minute
	// manyPast is how many events are looked at in one look into the past.
	manyPast = 2000
)

// pastBatch is what one look into the past found.
type pastBatch struct {
	parcels []parcel
	at      int64 // the last that was looked at …
	id      string
	place   int64 // … and the last place when that was
	end     bool  // there is nothing behind it
}

// readPast looks into the past behind where the export stands. The place is read in the same snapshot as the events, so every
// event up to it is seen.
func (x *Exports) readPast(ctx context.Context, e *Export) (b pastBatch, err error) {
	err = x.Store.ViewTenant(ctx, e.Tenant, func(t *store.Tenant) error {
		b = pastBatch{at: tocsin.Millis(e.BackAt), id: e.backID}
		if err := t.QueryRow(ctx, `select coalesce(max(last), 0) from export_place where tenant = $1`).Scan(&b.place); err != nil {
			return err
		}
		rows, err := t.Query(ctx, `select id, at, type, action, person, body from event where tenant = $1 and at >= $2 and (at > $2 or id > $3) and at <= $4 order by at, id limit $5`,
			b.at, b.id, e.BackTo, manyPast)
		if err != nil {
			return err
		}
		defer rows.Close()
		n, size := 0, 0
		for rows.Next() {
			p, is, err := scanEvent(rows, e.Tenant)
			if err != nil {
				return err
			}
			n++
			if e.wants(p.kind, p.action, p.person) {
				body := is.AppendJSON(nil)
				if k := len(b.parcels); k == e.Batch || k > 0 && size+len(body) > mostBytes {
					return nil
				}
				if p.body, err = oneLine(body); err != nil {
					return fmt.Errorf("event %s: %w", p.id, err)
				}
				if e.Form == OCSF {
					if p.body, p.severity, err = toOCSF(p.body); err != nil {
						return fmt.Errorf("event %s: %w", p.id, err)
					}
				}
				size += len(p.body)
				b.parcels = append(b.parcels, p)
			}
			b.at, b.id = is.At, p.id
		}
		b.end = n < manyPast
		return rows.Err()
	})
	if err != nil {
		return b, fmt.Errorf("read the past for an export: %w", err)
	}
	return b, nil
}

// sendPast sends a piece of the past and writes down how far that went.
func (x *Exports) sendPast(ctx context.Context, s sender, e *Export) error {
	b, err := x.readPast(ctx, e)
	if err != nil {
		return err
	}
	n, o := 0, outcome{ok: true}
	if len(b.parcels) > 0 {
		n, o = deliver(ctx, s, b.parcels)
	}
	if ctx.Err() != nil && !o.ok {
		return ctx.Err() // it is not known how it went: there will be another try
	}
	return x.recordPast(context.WithoutCancel(ctx), ctx, e, b, n, o)
}

// recordPast writes down how far a piece of the past went.
func (x *Exports) recordPast(ctx, alive context.Context, e *Export, b pastBatch, n int, o outcome) error {
	at, id := b.at, b.id
	if n < len(b.parcels) {
		at, id, b.end = tocsin.Millis(e.BackAt), e.backID, false
		if n > 0 {
			at, id = tocsin.Millis(b.parcels[n-1].at), b.parcels[n-1].id
		}
	}
	now := x.Store.Clock().Now()
	var buried [][]any
	for i, because := range o.refused {
		if i < n {
			p := b.parcels[i]
			buried = append(buried, []any{e.ID, p.id, now, because, string(p.body)})
		}
	}
	next, told := e.after(now, o, n, len(b.parcels), len(buried))
	next.BackAt, next.backID, next.BackSent = tocsin.FromMillis(at), id, e.BackSent+int64(n-len(buried))
	moved := at != tocsin.Millis(e.BackAt) || id != e.backID
	if moved {
		next.backPlace = b.place
	}
	if b.end {
		next.BackTo, told = time.Time{}, true
		if next.backPlace <= next.Done {
			next.backPlace = 0
		}
	}
	changed := false // edited, paused or deleted while it was sent: what was taken counts all the same
	err := x.Store.UpdateTenant(ctx, e.Tenant, func(t *store.Tenant) error {
		changed = false
		n, err := t.Exec(ctx, `update export set back_to = $3, back_at = $4, back_id = $5, back_place = $6, back_sent = $7, sent = $8, sent_at = $9, buried = $10 where tenant = $1 and id = $2 and back_at = $11 and back_id = $12`,
			e.ID, next.BackTo, next.BackAt, next.backID, next.backPlace, next.BackSent, next.Sent, next.SentAt, next.Refused, e.BackAt, e.backID)
		if err == nil && n == 0 {
			return store.ErrLost
		}
		if err != nil {
			return err
		}
		n, err = t.Exec(ctx, `update export set failures = $3, failed = $4, next = $5, because = $6, mend = $7, state = $8 where tenant = $1 and id = $2 and version = $9 and state = 'running'`,
			e.ID, next.Failures, next.Failed, next.Next, next.Because, next.Mend, next.State, e.Version)
		if err != nil {
			return err
		}
		changed = n == 0
		switch {
		case next.backPlace == 0 && b.end:
			err = forgetPast(ctx, t, e.ID)
		case moved: // one note for all looks at which the same place was the last
			if _, err = t.Exec(ctx, `delete from export_back where tenant = $1 and export = $2 and place = $3`, e.ID, b.place); err == nil {
				_, err = t.Exec(ctx, `insert into export_back (tenant, export, at, id, place) values ($1, $2, $3, $4, $5)`, e.ID, at, id, b.place)
			}
		}
		if err != nil {
			return err
		}
		if err := bury(ctx, t, buried); err != nil {
			return err
		}
		if told {
			return tell(ctx, t, e.ID, "")
		}
		return nil
	})
	if errors.Is(err, store.ErrLost) || err == nil && changed {
		e.State = "changed"
		return nil
	}
	if err != nil {
		return fmt.Errorf("record an export: %w", err)
	}
	*e = next
	return x.again(alive, e, o)
}

func forgetPast(ctx context.Context, t *store.Tenant, id string) error {
	_, err := t.Exec(ctx, `delete from export_back where tenant = $1 and export = $2`, id)
	return err
}

// sentBefore says whether an event that came at a place went out with the past.
func sentBefore(ctx context.Context, t *store.Tenant, e *Export, p *parcel, place int64) (bool, error) {
	if p.at.Before(e.BackFrom) {
		return false, nil
	}
	var seen int64
	err := t.QueryRow(ctx, `select place from export_back where tenant = $1 and export = $2 and at >= $3 and (at > $3 or id >= $4) order by at, id limit 1`, e.ID, p.at, p.id).Scan(&seen)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return err == nil && place <= seen, err
}
