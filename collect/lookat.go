package collect

import (
	"context"
	"encoding/json"
	"errors"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// LookAt reads one mailbox's inbox rules now, beside the polls: after something was done to one of them. What it finds
// goes the way of every look.
func (c *Collector) LookAt(ctx context.Context, person tocsin.PersonID) error {
	o := owner{person: person}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		var folders *string
		err := t.QueryRow(ctx, `select p.object_id, p.licensed, p.synced, p.enabled, p.mailbox = 'read', m.folders from person p
			left join mailbox m on m.tenant = p.tenant and m.person = p.person where p.tenant = $1 and p.person = $2 and p.deleted = 0`, person).
			Scan(&o.object, &o.licensed, &o.synced, &o.can, &o.read, &folders)
		if err != nil || folders == nil || *folders == "" {
			return err
		}
		return json.Unmarshal([]byte(*folders), &o.folders)
	})
	if errors.Is(err, store.ErrNone) {
		return nil // gone meanwhile: there is nothing to look at
	}
	if err != nil {
		return err
	}
	at := c.Store.Clock().Now()
	bodies, err := c.rulesOf(ctx, []owner{o})
	if err != nil {
		return err
	}
	if r, refused := bodies[0].(refusal); refused {
		return r.err
	}
	if bodies[0] == nil {
		return nil
	}
	it, err := c.itemAt(at, kindRules, person, bodies[0])
	if err != nil {
		return err
	}
	return c.append(ctx, []journal.Item{it})
}
