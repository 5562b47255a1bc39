package collect

import (
	"context"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// sourceRow is how fresh a source is: table source.
type sourceRow struct {
	Token     string
	Started   int64
	Succeeded int64
	Due       int64
}

func (c *Collector) row(ctx context.Context, name string) (r sourceRow, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		err := t.QueryRow(ctx, `select token, started, succeeded, due from source where tenant = $1 and name = $2`, name).
			Scan(&r.Token, &r.Started, &r.Succeeded, &r.Due)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	return r, err
}

// began notes that a round of the source has begun. A round that was cut short within the last hour keeps its
// beginning, so that what it had read already is not asked again.
func (c *Collector) began(ctx context.Context, name string, at time.Time) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `insert into source (tenant, name, started) values ($1, $2, $3)
			on conflict (tenant, name) do update set started = case when source.started > source.succeeded and source.started > $4 then source.started else $3 end`,
			name, tocsin.Millis(at), tocsin.Millis(at.Add(-time.Hour)))
		return err
	})
}

// ended notes how a round went, and when the next is due.
func (c *Collector) ended(ctx context.Context, name string, failed error, next time.Time) error {
	now := c.Store.Clock().Now()
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		var err error
		if failed == nil {
			_, err = t.Exec(ctx, `update source set succeeded = $3, failed = 0, because = '', mend = '', due = $4, done = total
				where tenant = $1 and name = $2`, name, tocsin.Millis(now), tocsin.Millis(next))
		} else {
			p := Explain(failed)
			_, err = t.Exec(ctx, `update source set failed = $3, because = $4, mend = $5, due = $6 where tenant = $1 and name = $2`,
				name, tocsin.Millis(now), p.What, p.Do, tocsin.Millis(next))
		}
		if err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "source.changed", Subject: name})
	})
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

// keep stores the source's delta token; what the token stands behind is in the journal by then.
func (c *Collector) keep(ctx context.Context, name, token string) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update source set token = $3 where tenant = $1 and name = $2`, name, token)
		return err
	})
}

// Explain is a refusal of Graph as a person may read it: what happened, and what to do.
func Explain(err error) *tocsin.Problem {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*graph.Throttled](err); ok {
		p := tocsin.Problemf(tocsin.Throttled, "Nothing to do: it goes on by itself.", "Microsoft Graph asked to wait %s.", e.After.Round(time.Second))
		p.Err = err
		return p
	}
	if e, ok := errors.AsType[*graph.Denied](err); ok {
		p := tocsin.Problemf(tocsin.Denied, "Grant it to the app registration in Entra (API permissions → Application permissions), give administrator consent, and wait a few minutes.",
			"%s", e.Error())
		if len(e.Permissions) > 0 {
			p.What = "The permission " + e.Permissions[0] + " is not granted."
		}
		p.Err = err
		return p
	}
	if e, ok := errors.AsType[*graph.Revoked](err); ok {
		return &tocsin.Problem{Code: tocsin.Denied, What: e.What, Do: e.Do, Err: err}
	}
	p := tocsin.Problemf(tocsin.Unavailable, "Nothing to do: it is tried again by itself. If it stays, look at the network between Tocsin and Microsoft Graph.",
		"Microsoft Graph could not be read: %s.", err)
	p.Err = err
	return p
}

// AskAll makes every source due at once, from the beginning.
func AskAll(ctx context.Context, tx *store.Tx) error {
	q, err := tx.Query(ctx, `select tenant from tenant`)
	if err != nil {
		return err
	}
	defer q.Close()
	var all []tocsin.TenantID
	for q.Next() {
		var id tocsin.TenantID
		if err := q.Scan(&id); err != nil {
			return err
		}
		all = append(all, id)
	}
	if err := q.Err(); err != nil {
		return err
	}
	for _, id := range all {
		if _, err := tx.Tenant(id).Exec(ctx, `update source set token = '', due = 0, started = 0, succeeded = 0 where tenant = $1`); err != nil {
			return err
		}
	}
	return nil
}
