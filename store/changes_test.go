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
			if n, ok, err = tx.Tenant("t").Changes(t.Context(), tables...); err == nil && (!ok || n == 0) {
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
		{"an insert or nothing", "insert or ignore into person_address(tenant, person, address) values ('t', 'p', 'b')", st, true, nil},
		{"a row that is there", "insert or ignore into person_address(tenant, person, address) values ('t', 'p', 'b')", st, true, nil},
		{"an update or nothing", "update or ignore person_address set person = 's' where address = 'b'", st, true, nil},
		{"a deletion", "delete from person_address where tenant = 't'", st, true, nil},
		{"another table", "delete from person where tenant = 't'", st, false, nil},
		{"nothing is committed", insert, st, false, stays},
		{"who knows what", "with x as (select 1) insert into person_address (tenant, person, address) values ('t', 'p', 'c')", st, true, nil},
		{"another process", "delete from person_address where tenant = 't'", other, true, nil},
	} {
		before := number("person_address", "mail_folder")
		read, _ := st.Changes("t", "person_address", "mail_folder")
		err := c.by.Update(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query(t.Context(), c.q)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			rows.Close()
			if _, ok, err := tx.Tenant("t").Changes(t.Context(), "mail_folder", "person_address"); err != nil || ok == (c.another || c.fails != nil) && c.by == st {
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
		if after, _ := st.Changes("t", "person_address", "mail_folder"); (after != read) != c.another {
			t.Errorf("%s: who reads was given %d, and is given %d", c.what, read, after)
		}
	}
}

// TestChangesOfRows: rows that are inserted are seen; a statement that found none to change, is not.
func TestChangesOfRows(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		do := func(do func(tn *store.Tenant) error) {
			t.Helper()
			if err := st.UpdateTenant(t.Context(), "t", do); err != nil {
				t.Fatal(err)
			}
		}
		number := func() uint64 {
			n, ok := st.Changes("t", "mail_hour")
			if ok != (st.Kind() == "sqlite") {
				t.Fatalf("on %s: %v", st.Kind(), ok)
			}
			return n
		}
		before := number()
		do(func(tn *store.Tenant) error {
			_, err := tn.Exec(t.Context(), `update mail_hour set n = 2 where tenant = $1 and n = 1`)
			return err
		})
		if after := number(); after != before {
			t.Errorf("nothing was changed: %d, and %d", before, after)
		}
		if err := st.UpdateTenant(t.Context(), "another", func(tn *store.Tenant) error {
			return tn.Insert(t.Context(), store.Into{Table: "mail_hour", Columns: []string{"person", "hour", "n"}}, [][]any{{"p", 1, 1}})
		}); err != nil {
			t.Fatal(err)
		}
		if after := number(); after != before {
			t.Errorf("a row of another tenant was inserted: %d, and %d", before, after)
		}
		do(func(tn *store.Tenant) error {
			return tn.Insert(t.Context(), store.Into{Table: "mail_hour", Columns: []string{"person", "hour", "n"}}, [][]any{{"p", 1, 1}})
		})
		if after := number(); after == before && st.Kind() == "sqlite" {
			t.Errorf("a row was inserted: %d, and %d", before, after)
		}
	})
}

// TestNothingChangesBeside: rows change by the statements that name them alone, on which counting rests: there is no trigger, and no
// key that takes others' rows along.
func TestNothingChangesBeside(t *testing.T) {
	st := storetest.SQLite(t)
	if err := st.View(t.Context(), func(tx *store.Tx) error {
		var what string
		err := tx.QueryRow(t.Context(), `select name from sqlite_master where type in ('trigger', 'view') or lower(sql) like '% on delete %' or lower(sql) like '% on update %' limit 1`).Scan(&what)
		if err == nil {
			t.Errorf("%s changes rows of which no statement says so", what)
		} else if !errors.Is(err, store.ErrNone) {
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
