package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tocsin.dev"
)

// elsewhere are the tables in which the installation (tenant *) keeps what tells of a tenant, whose id is in column about.
var elsewhere = []string{"alert_told", "alert"}

// Erase deletes everything that is kept of a tenant: every row of every table that has a column tenant, and
// what the installation's own alerts told of it. It works in small
// transactions, so that nobody waits long for it; interrupted, it is called again. The tables named in last are emptied
// after all others, in that order and in one transaction, so that until then they tell that there is work left.
func (s *Store) Erase(ctx context.Context, tenant tocsin.TenantID, last ...string) error {
	ctx = Patient(ctx)
	if tenant == "" || tenant == "*" {
		return fmt.Errorf("erase: %q is no tenant", tenant)
	}
	tables, err := s.TenantTables(ctx)
	if err != nil {
		return fmt.Errorf("erase a tenant: %w", err)
	}
	for _, table := range tables {
		if slices.Contains(last, table) {
			continue
		}
		if err := s.trim(ctx, table, "tenant = $1", string(tenant)); err != nil {
			return err
		}
	}
	return s.Update(ctx, func(tx *Tx) error {
		t := tx.Tenant(tenant)
		// Who writes of the tenant holds its row (see Tenant.Known): nobody does from here on.
		if _, err := t.Exec(ctx, `update tenant set name = name where tenant = $1`); err != nil {
			return fmt.Errorf("erase a tenant: %w", err)
		}
		for _, table := range slices.Concat(tables, last) { // again, for what was written meanwhile
			if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1`); err != nil {
				return fmt.Errorf("erase %s: %w", table, err)
			}
		}
		for _, table := range elsewhere {
			if _, err := tx.Tenant("*").Exec(ctx, `delete from `+table+` where tenant = $1 and about = $2`, string(tenant)); err != nil {
				return fmt.Errorf("erase of %s: %w", table, err)
			}
		}
		return nil
	})
}

// TenantTables are the tables that have a column tenant, by name.
func (s *Store) TenantTables(ctx context.Context) (out []string, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out = nil
		q, err := tx.Query(ctx, s.kind.withTenant())
		if err != nil {
			return err
		}
		defer q.Close()
		for q.Next() {
			var name string
			if err := q.Scan(&name); err != nil {
				return err
			}
			out = append(out, name)
		}
		return q.Err()
	})
	return out, err
}

// Known says whether there is such a tenant, and keeps it from being erased until the transaction ends.
func (t *Tenant) Known(ctx context.Context) (bool, error) {
	var one int
	err := t.QueryRow(ctx, `select 1 from tenant where tenant = $1`+t.tx.store.kind.forShare()).Scan(&one)
	if errors.Is(err, ErrNone) {
		return false, nil
	}
	return err == nil, err
}
