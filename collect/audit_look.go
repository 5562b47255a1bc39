package collect

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/store"
)

// askLooks reads the rules of mailboxes in which an audit record says that a rule was changed, without waiting for their turn.
func (c *Collector) askLooks(ctx context.Context) error {
	for {
		var people []tocsin.PersonID
		err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			people = nil
			return each(ctx, t, func(scan func(...any) error) error {
				var p tocsin.PersonID
				err := scan(&p)
				people = append(people, p)
				return err
			}, `select person from audit_look where tenant = $1 order by at limit 100`)
		})
		if err != nil || len(people) == 0 {
			return err
		}
		for _, p := range people {
			if err := c.LookAt(ctx, p); err != nil {
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
