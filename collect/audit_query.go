package collect

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// search is an audit search that somebody asked for and that has not ended: table audit_query.
type search struct {
	id, address, operations, remote string
	since, until                    int64
}

// askQueries takes audit searches to their end: it has Microsoft begin them, looks until they have ended, which takes minutes,
// and puts what they found through the same way as the feed's records. What was cut short goes on where it stood; records that
// are read twice change nothing.
func (c *Collector) askQueries(ctx context.Context) error {
	for round, refused := 0, []error(nil); ; round++ {
		list, err := c.searches(ctx)
		switch {
		case err != nil:
			return err
		case len(list) == 0 && round == 0:
			return errNothing
		case len(list) == 0 && refused != nil:
			return &partly{refused}
		case len(list) == 0:
			return nil
		}
		waiting := false
		for i := range list {
			more, err := c.search(ctx, &list[i])
			if err == nil {
				waiting = waiting || more
				continue
			}
			if ctx.Err() != nil || errors.Is(err, graph.ErrPaused) {
				return err
			}
			if passing(err) {
				return err // the round is asked again, and the search with it
			}
			if _, ok := errors.AsType[*graph.Denied](err); ok {
				refused = append(refused, err)
			}
			p := Explain(err)
			if err := c.searched(ctx, list[i].id, `state = 'failed', because = $3, mend = $4, ended = $5`, p.What, p.Do, tocsin.Millis(c.Store.Clock().Now())); err != nil {
				return err
			}
		}
		if waiting { // somebody may look on, so soon at first
			if err := c.Store.Clock().Sleep(ctx, min(time.Duration(round+1)*2*time.Second, 30*time.Second)); err != nil {
				return err
			}
		}
	}
}

// passing says whether an error goes by itself.
func passing(err error) bool {
	if _, ok := errors.AsType[*graph.Throttled](err); ok {
		return true
	}
	_, ok := errors.AsType[*graph.Unavailable](err)
	return ok
}

func (c *Collector) searches(ctx context.Context) (list []search, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		list = nil
		return each(ctx, t, func(scan func(...any) error) error {
			var q search
			err := scan(&q.id, &q.address, &q.operations, &q.remote, &q.since, &q.until)
			list = append(list, q)
			return err
		}, `select id, address, operations, remote, since, until from audit_query where tenant = $1 and state in ('waiting', 'running', 'reading') order by created, id`)
	})
	return list, err
}

// searched changes a search's row and tells it.
func (c *Collector) searched(ctx context.Context, id, set string, args ...any) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `update audit_query set `+set+` where tenant = $1 and id = $2 and state in ('waiting', 'running', 'reading')`, append([]any{id}, args...)...); err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "audit.query", Subject: id})
	})
}

// search takes a search a step on; more says that it has to be looked at again.
func (c *Collector) search(ctx context.Context, q *search) (more bool, err error) {
	var state struct{ ID, Status string }
	if q.remote == "" {
		ask := map[string]any{"displayName": "Tocsin " + q.id, "filterStartDateTime": tocsin.FromMillis(q.since).UTC().Format(time.RFC3339),
			"filterEndDateTime": tocsin.FromMillis(q.until).UTC().Format(time.RFC3339)}
		var operations []string
		if err := json.Unmarshal([]byte(q.operations), &operations); err != nil {
			return false, err
		}
		if len(operations) > 0 {
			ask["operationFilters"] = operations
		}
		if q.address != "" {
			ask["userPrincipalNameFilters"] = []string{q.address}
		}
		if err := c.Graph.Act(ctx, "auditQueries.create", nil, ask, &state); err != nil {
			return false, err
		}
		return true, c.searched(ctx, q.id, `state = 'running', remote = $3`, state.ID)
	}
	if err := c.Graph.Get(ctx, "auditQueries.get", graph.P{"query": q.remote}, &state); err != nil {
		return false, err
	}
	switch state.Status {
	case "succeeded":
		return false, c.found(ctx, q)
	case "failed", "cancelled":
		return false, tocsin.Problemf(tocsin.Unavailable, "Ask for it again, over a shorter time.", "Microsoft ended the search without a result (%s).", state.Status)
	}
	return true, nil
}

// found reads what a search found.
func (c *Collector) found(ctx context.Context, q *search) error {
	if err := c.searched(ctx, q.id, `state = 'reading'`); err != nil {
		return err
	}
	n := 0
	var some []json.RawMessage
	flush := func() error {
		err := c.appendRecords(ctx, FromQuery, "", some)
		some = some[:0]
		return err
	}
	for raw, err := range graph.Pages[json.RawMessage](ctx, c.Graph, "auditQueries.records", graph.P{"query": q.remote}) {
		if err != nil {
			return err
		}
		n++
		if some = append(some, inner(raw)); len(some) == 500 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return c.searched(ctx, q.id, `state = 'done', records = $3, ended = $4`, n, tocsin.Millis(c.Store.Clock().Now()))
}

// inner is the record within what the search gives, so that it is the same as the feed's; else all of it.
func inner(raw json.RawMessage) json.RawMessage {
	var found struct{ AuditData json.RawMessage }
	if json.Unmarshal(raw, &found) != nil || len(found.AuditData) < 3 || found.AuditData[0] != '{' {
		return raw
	}
	var m struct{ Operation string }
	if json.Unmarshal(found.AuditData, &m) != nil || m.Operation == "" {
		return raw
	}
	return found.AuditData
}
