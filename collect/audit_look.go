package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// askLooks reads the rules of mailboxes in which an audit record says that a rule was changed, without waiting for their turn.
// One that cannot be read holds up no other: a refusal is for the polls to tell, and one that did not answer is looked at again.
func (c *Collector) askLooks(ctx context.Context) error {
	var failed error
	tried := map[tocsin.PersonID]bool{}
	for {
		var people []tocsin.PersonID
		err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			people = nil
			return each(ctx, t, func(scan func(...any) error) error {
				var p tocsin.PersonID
				err := scan(&p)
				if !tried[p] {
					people = append(people, p)
				}
				return err
			}, fmt.Sprintf(`select person from audit_look where tenant = $1 order by at limit %d`, 100+len(tried)))
		})
		if err != nil || len(people) == 0 {
			return cmp.Or(err, failed)
		}
		for _, p := range people {
			tried[p] = true
			err := c.LookAt(ctx, p)
			if _, down := errors.AsType[*graph.Unavailable](err); down && ctx.Err() == nil {
				failed = cmp.Or(failed, err)
				continue
			}
			if err != nil && !ofOne(err) {
				return err
			}
			if err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
				_, err := t.Exec(ctx, `delete from audit_look where tenant = $1 and person = $2`, string(p))
				return err
			}); err != nil {
				return err
			}
		}
	}
}

// ofOne says whether a refusal is of one mailbox.
func ofOne(err error) bool {
	_, denied := errors.AsType[*graph.Denied](err)
	_, none := errors.AsType[*graph.NoMailbox](err)
	_, gone := errors.AsType[*graph.NotFound](err)
	_, failed := errors.AsType[*graph.Failed](err)
	return denied || none || gone || failed
}
