package collect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// sourceRow is how fresh a source is: table source.
type sourceRow struct {
	Token     string
	Started   int64
	Succeeded int64
	Failed    int64
	Due       int64
}

func (c *Collector) row(ctx context.Context, name string) (r sourceRow, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		err := t.QueryRow(ctx, `select token, started, succeeded, failed, due from source where tenant = $1 and name = $2`, name).
			Scan(&r.Token, &r.Started, &r.Succeeded, &r.Failed, &r.Due)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	return r, err
}

// resumable is how long a round that was cut short by the end of the process may be taken up again.
const resumable = time.Hour

// began notes that a round of the source has begun, and gives when. A round that was cut short keeps its beginning, so
// that what it had read already is not asked again; so does one that failed, but only as long as it would have been good
// for, lest a single mailbox that always fails keep the others from being read anew. It is due from now on, so that
// somebody who makes it due while it is under way (due is 0 then) is not taken for how it was before.
func (c *Collector) began(ctx context.Context, s source) (time.Time, error) {
	now := c.Store.Clock().Now()
	var started int64
	err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `insert into source (tenant, name, started, due) values ($1, $2, $3, $3)
			on conflict (tenant, name) do update set due = excluded.due, started = case
				when source.started > source.succeeded and source.started > source.failed and source.started > $4 then source.started
				when source.started > source.succeeded and source.started <= source.failed and source.started > $5 then source.started
				else excluded.started end
			returning started`,
			s.name, tocsin.Millis(now), tocsin.Millis(now.Add(-resumable)), tocsin.Millis(now.Add(-s.every))).Scan(&started)
	})
	return tocsin.FromMillis(started), err
}

// ended notes how the round that began at a time went, and when the next is due. Who made the source due meanwhile has it
// asked again at once; and where all is to be asked from the beginning (see [AskAll]), the round counts for nothing.
func (c *Collector) ended(ctx context.Context, name string, began time.Time, failed error, next time.Time) error {
	now := c.Store.Clock().Now()
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		var err error
		if failed == nil {
			if err := firstEnded(ctx, t, name); err != nil {
				return err
			}
			_, err = t.Exec(ctx, `update source set succeeded = $3, failed = 0, because = '', mend = '', due = case when due = 0 then due else $4 end, done = total
				where tenant = $1 and name = $2 and started = $5`, name, tocsin.Millis(now), tocsin.Millis(next), tocsin.Millis(began))
		} else {
			p := Explain(failed)
			_, err = t.Exec(ctx, `update source set failed = $3, because = $4, mend = $5, due = case when due = 0 then due else $6 end
				where tenant = $1 and name = $2 and started = $7`, name, tocsin.Millis(now), p.What, p.Do, tocsin.Millis(next), tocsin.Millis(began))
		}
		if err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "source.changed", Subject: name})
	})
}

// firstEnded tells, when the rules are about to have been read whole for the first time, that whoever was judged before
// all the people and groups were known is to be judged again. The round has waited for all people to be folded. Who has a
// mailbox is known by now, so they are subscribed to at once.
func firstEnded(ctx context.Context, t *store.Tenant, name string) error {
	if name != "rules" {
		return nil
	}
	var succeeded int64
	err := t.QueryRow(ctx, `select succeeded from source where tenant = $1 and name = $2`, name).Scan(&succeeded)
	if err != nil && !errors.Is(err, store.ErrNone) || succeeded > 0 {
		return err
	}
	if _, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'subscriptions'`); err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "person.changed"})
}

// settled waits until what is in the journal now is folded: what a round asks for depends on what others have brought.
func (c *Collector) settled(ctx context.Context) error {
	for p := range c.Journal.Partitions() {
		last, err := c.Journal.Last(ctx, p)
		if err != nil {
			return fmt.Errorf("the end of the journal: %w", err)
		}
		for last.Seq > 0 {
			news := c.Store.Appended()
			var at store.Checkpoint
			if err := c.Store.View(ctx, func(tx *store.Tx) (err error) { at, err = tx.Checkpoint(ctx, ReaderName, p); return err }); err != nil {
				return err
			}
			if at.Stream == last.Stream && (at.Seq > last.Seq || at.Seq == last.Seq && at.Index >= last.Index) {
				break
			}
			if err := soon(ctx, news); err != nil {
				return err
			}
		}
	}
	return nil
}

// soon waits for news, or a moment.
func soon(ctx context.Context, news <-chan struct{}) error {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-news:
	case <-timer.C:
	}
	return nil
}

// progress notes how far a round has come.
func (c *Collector) progress(ctx context.Context, name string, done, total int) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `update source set done = $3, total = $4 where tenant = $1 and name = $2`, name, done, total); err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "source.changed", Subject: name})
	})
}

// keep stores the source's delta token in place of the one that the round began with; what it stands behind is in the
// journal by then. Where that one was taken away meanwhile, all is to be read again, and the new one is dropped.
func (c *Collector) keep(ctx context.Context, name, began, token string) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update source set token = $3 where tenant = $1 and name = $2 and token = $4`, name, token, began)
		return err
	})
}

// Explain is a refusal of Graph as a person may read it: what happened, and what to do.
func Explain(err error) *tocsin.Problem { return connect.Explain(err) }

// AskAll makes every source due at once, from the beginning.
func AskAll(ctx context.Context, tx *store.Tx) error {
	all, err := tenants(ctx, tx)
	if err != nil {
		return err
	}
	for _, id := range all {
		if _, err := tx.Tenant(id).Exec(ctx, `update source set token = '', due = 0, started = 0, succeeded = 0 where tenant = $1`); err != nil {
			return err
		}
	}
	return nil
}

// tenants are all there are.
func tenants(ctx context.Context, tx *store.Tx) ([]tocsin.TenantID, error) {
	q, err := tx.Query(ctx, `select tenant from tenant order by tenant`)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var all []tocsin.TenantID
	for q.Next() {
		var id tocsin.TenantID
		if err := q.Scan(&id); err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, q.Err()
}
