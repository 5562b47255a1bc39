package store_test

import (
	"strings"
	"testing"

	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestPlans: what is read of large tables again and again, SQLite finds by an index and in order.
func TestPlans(t *testing.T) {
	st := storetest.SQLite(t)
	for _, c := range []struct {
		what, q string
		args    []any
	}{
		{"old facts", `select n from fact where lane = $1 and n > $2 and n <= $3 and (at < $4 or at < $5 and kind in ('source.changed', 'mail.changed')) order by n limit 500`, []any{1, 2, 3, 4, 5}},
		{"runs that are done", `select last from export_run where tenant = $1 and last > $2 and last <= $3 and 1 = 1 order by last limit 500`, []any{"t", 1, 2}},
		{"events of a type", `select 1 from event where tenant = $1 and type = 'RULE' limit 10001`, []any{"t"}},
		{"the oldest event of a type", `select coalesce(min(at), 0) from event where tenant = $1 and type = 'RULE'`, []any{"t"}},
	} {
		err := st.View(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query(t.Context(), "explain query plan "+c.q, c.args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id, parent, zero int
				var step string
				if err := rows.Scan(&id, &parent, &zero, &step); err != nil {
					return err
				}
				if strings.Contains(step, "TEMP B-TREE") || strings.HasPrefix(step, "SCAN") {
					t.Errorf("%s: %s", c.what, step)
				}
			}
			return rows.Err()
		})
		do(t, err)
	}
}
