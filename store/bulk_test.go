package store_test

import (
	"fmt"
	"slices"
	"testing"

	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

func TestInsert(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		into := store.Into{Table: "mail_rule", Key: []string{"person", "id"}, Keep: []string{"first_seen"},
			Columns: []string{"person", "id", "name", "enabled", "body", "raw", "first_seen", "changed", "seen"}}
		rows := func(seen int) [][]any {
			out := make([][]any, 1203)
			for i := range out {
				out[i] = []any{"p", fmt.Sprint(i), fmt.Sprint("rule ", i), i%2 == 0, "{}", "{}", seen, seen, seen}
			}
			again := []any{"p", "7", "renamed", false, "{}", "{}", seen, seen, seen} // the later counts
			return slices.Insert(out, 9, again)
		}
		for _, seen := range []int{1, 2} {
			do(t, st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error { return tn.Insert(ctx, into, rows(seen)) }))
		}
		do(t, st.UpdateTenant(ctx, fabrikam, func(tn *store.Tenant) error { return tn.Insert(ctx, into, rows(3)[:1]) }))
		do(t, st.ViewTenant(ctx, contoso, func(tn *store.Tenant) error {
			var n, first, last int
			var name string
			do(t, tn.QueryRow(ctx, `select count(*), max(first_seen), min(seen) from mail_rule where tenant = $1`).Scan(&n, &first, &last))
			do(t, tn.QueryRow(ctx, `select name from mail_rule where tenant = $1 and id = $2`, "7").Scan(&name))
			if n != 1203 || first != 1 || last != 2 || name != "renamed" {
				t.Errorf("%d rows, first seen %d, seen %d, name %s; want 1203, 1, 2, renamed", n, first, last, name)
			}
			return nil
		}))
		keyOnly := store.Into{Table: "person_address", Columns: []string{"address", "person"}, Key: []string{"address", "person"}}
		for range 2 {
			do(t, st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error { return tn.Insert(ctx, keyOnly, [][]any{{"a@x", "p"}}) }))
		}
		keyOnly.Key = nil
		if err := st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error { return tn.Insert(ctx, keyOnly, [][]any{{"a@x", "p"}}) }); !store.Duplicate(err) {
			t.Errorf("error %v; want a duplicate", err)
		}
		do(t, st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error { return tn.Insert(ctx, keyOnly, nil) }))
	})
}

// TestBatches: whatever number there is of rows and values, statements are made for few, and each is named.
func TestBatches(t *testing.T) {
	lengths := map[int]bool{}
	for n := range 350 {
		var args []any
		for i := range n {
			args = append(args, 2*i, 2*i+1)
		}
		named, last := map[any]bool{}, 0
		for part := range store.Batches(args, 2) {
			lengths[len(part)] = true
			for i := 0; i < len(part); i += 2 {
				if named[part[i].(int)] = true; part[i].(int)+1 != part[i+1].(int) {
					t.Fatalf("of %d: %v", n, part)
				}
			}
			last += len(part)
		}
		if len(named) != n || n > 0 && last > 10*n {
			t.Errorf("of %d there are %d, in %d values", n, len(named), last)
		}
		rest, statements := n, 0
		for ; rest > 0; statements++ {
			size := store.Batch(rest)
			lengths[2*size] = true
			rest -= size
		}
		if rest != 0 || statements > n/100+11 {
			t.Errorf("%d rows are %d statements and %d", n, statements, rest)
		}
	}
	if len(lengths) != 4 {
		t.Errorf("there are statements of %d lengths", len(lengths))
	}
}
