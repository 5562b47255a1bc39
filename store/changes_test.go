package store_test

import (
	"errors"
	"testing"

	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestChanges: the number is the same as long as a table is not changed, by whomever and however, and another from then on; what a
// transaction has changed itself it does not tell of.
func TestChanges(t *testing.T) {
	path := t.TempDir() + "/t.db"
	storetest.SQLiteAt(t, path)
	open := func() *store.Store {
		st, err := store.Open(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	st, other := open(), open()
	number := func(tables ...string) (n uint64) {
		t.Helper()
		if err := st.Update(t.Context(), func(tx *store.Tx) (err error) {
			var ok bool
			if n, ok, err = tx.Changes(t.Context(), tables...); err == nil && (!ok || n == 0) {
				t.Errorf("it is not told: %d, %v", n, ok)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const insert = "insert into person_address (tenant, person, address) values ('t', 'p', 'a')"
	stays := errors.New("it is not committed")
	for _, c := range []struct {
		what, q string
		by      *store.Store
		another bool // is the number then
		fails   error
	}{
		{"nothing", "select 1", st, false, nil},
		{"a row", insert, st, true, nil},
		{"an update", "\n\tUPDATE person_address set person = 'q'", st, true, nil},
		{"an update that gives rows", "update person_address set person = 'r' returning address", st, true, nil},
		{"a deletion", "delete from person_address where tenant = 't'", st, true, nil},
		{"another table", "delete from person where tenant = 't'", st, false, nil},
		{"nothing is committed", insert, st, false, stays},
		{"who knows what", "with x as (select 1) insert into person_address (tenant, person, address) values ('t', 'p', 'c')", st, true, nil},
		{"another process", "delete from person_address where tenant = 't'", other, true, nil},
	} {
		before := number("person_address", "mail_folder")
		err := c.by.Update(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query(t.Context(), c.q)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			rows.Close()
			if _, ok, err := tx.Changes(t.Context(), "mail_folder", "person_address"); err != nil || ok == (c.another || c.fails != nil) && c.by == st {
				t.Errorf("%s: in the transaction it is told: %v, %v", c.what, ok, err)
			}
			return c.fails
		})
		if !errors.Is(err, c.fails) {
			t.Fatalf("%s: %v", c.what, err)
		}
		if after := number("person_address", "mail_folder"); (after != before) != c.another {
			t.Errorf("%s: it was %d, and is %d", c.what, before, after)
		}
		if again := number("mail_folder"); c.by == st && c.what != "who knows what" && again != number("mail_folder") {
			t.Errorf("%s: the number of another table is not the same twice", c.what)
		}
	}
}

func TestInsertIsSeen(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		number := func() (n uint64, ok bool) {
			if err := st.Update(t.Context(), func(tx *store.Tx) (err error) { n, ok, err = tx.Changes(t.Context(), "mail_hour"); return err }); err != nil {
				t.Fatal(err)
			}
			return n, ok
		}
		before, ok := number()
		if ok != (st.Kind() == "sqlite") {
			t.Fatalf("on %s: %v", st.Kind(), ok)
		}
		if err := st.UpdateTenant(t.Context(), "t", func(tn *store.Tenant) error {
			return tn.Insert(t.Context(), store.Into{Table: "mail_hour", Columns: []string{"person", "hour", "n"}}, [][]any{{"p", 1, 1}})
		}); err != nil {
			t.Fatal(err)
		}
		if after, _ := number(); ok && after == before {
			t.Errorf("rows that were inserted are not seen: %d", after)
		}
	})
}
