package notify

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Counts are an owner's alerts by state, and how many of their channels fail.
type Counts struct {
	Owner   tocsin.TenantID
	Alerts  map[string]int
	Failing int
}

// Count gives the counts of everybody who has channels.
func (a *Alerts) Count(ctx context.Context) ([]Counts, error) {
	var out []Counts
	err := a.Store.View(ctx, func(tx *store.Tx) error {
		ids, err := owners(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			c, err := countOf(ctx, tx.Tenant(id))
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

func countOf(ctx context.Context, t *store.Tenant) (Counts, error) {
	c := Counts{Owner: t.ID(), Alerts: map[string]int{}}
	if err := t.QueryRow(ctx, `select count(*) from channel where tenant = $1 and enabled and failures > 0`).Scan(&c.Failing); err != nil {
		return c, err
	}
	rows, err := t.Query(ctx, `select state, count(*) from alert where tenant = $1 group by state`)
	if err != nil {
		return c, err
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return c, err
		}
		c.Alerts[state] = n
	}
	return c, rows.Err()
}
