package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
)

// exported says whether facts of a kind are what exports may want, beside events.
func exported(kind string) bool {
	switch kind {
	case "finding.raised", "finding.updated", "finding.fixed", "finding.decided", "action.changed":
		return true
	}
	return false
}

// tell remembers what the transaction brought of a tenant, for exports: the id of an event, or a fact's kind and subject
// with a blank between.
func (tx *Tx) tell(tenant tocsin.TenantID, things ...string) {
	if tx.things == nil {
		tx.things = map[tocsin.TenantID][]string{}
	}
	tx.things[tenant] = append(tx.things[tenant], things...)
}

// tellRows remembers the events among rows that are written.
func (t *Tenant) tellRows(into Into, rows [][]any) error {
	if into.Table != "event" || len(rows) == 0 {
		return nil
	}
	at := slices.Index(into.Columns, "id")
	if at < 0 {
		return t.tx.failed(errors.New("insert into event: without ids"))
	}
	things := make([]string, 0, len(rows))
	for _, row := range rows {
		if at < len(row) {
			if id, ok := row[at].(string); ok {
				things = append(things, id)
			}
		}
	}
	t.tx.tell(t.id, things...)
	return nil
}

// writeThings notes what the transaction brought for those tenants that have exports. The place's row stays locked until
// the commit. Tenants are taken in order, so no two transactions wait crosswise.
func (tx *Tx) writeThings(ctx context.Context) error {
	things := tx.things
	tx.things = nil
	tenants := make([]tocsin.TenantID, 0, len(things))
	for id := range things {
		tenants = append(tenants, id)
	}
	slices.Sort(tenants)
	for _, id := range tenants {
		list := things[id]
		t := tx.Tenant(id)
		var last int64
		err := t.QueryRow(ctx, `update export_place set last = last + $2 where tenant = $1 and wanted returning last`, len(list)).Scan(&last)
		if errors.Is(err, ErrNone) {
			continue
		}
		if err != nil {
			return fmt.Errorf("place of what is exported: %w", err)
		}
		_, err = t.Exec(ctx, `insert into export_run (tenant, last, at, things) values ($1, $2, $3, $4)`, last, tx.store.clock.Now(), strings.Join(list, "\n"))
		if err != nil {
			return fmt.Errorf("note what is exported: %w", err)
		}
	}
	return nil
}

// Run is what one transaction brought that exports may want: things are ids of events, or a fact's kind and subject with a
// blank between. Last is the place of the last of them.
type Run struct {
	Last, At int64 // At in Unix milliseconds
	Things   []string
}

// Runs are the runs that hold places behind after, in order, at most limit of them; last is the place of the last thing
// there is. Where the first begins behind after + 1, what lay between was deleted.
func (t *Tenant) Runs(ctx context.Context, after int64, limit int) (out []Run, last int64, err error) {
	if err := t.QueryRow(ctx, `select coalesce(max(last), 0) from export_place where tenant = $1`).Scan(&last); err != nil || last <= after {
		return nil, last, err
	}
	rows, err := t.Query(ctx, `select last, at, things from export_run where tenant = $1 and last > $2 order by last limit $3`, after, limit)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Run
		var things string
		if err := rows.Scan(&r.Last, &r.At, &things); err != nil {
			return nil, 0, err
		}
		r.Things = strings.Split(things, "\n")
		out = append(out, r)
	}
	return out, last, rows.Err()
}

// Want says whether what comes of the tenant is noted for exports, and gives the place of the last thing that was.
func (t *Tenant) Want(ctx context.Context, wanted bool) (last int64, err error) {
	err = t.QueryRow(ctx, `insert into export_place (tenant, wanted, last) values ($1, $2, 0)
		on conflict (tenant) do update set wanted = excluded.wanted returning last`, wanted).Scan(&last)
	return last, err
}
