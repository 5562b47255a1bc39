package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

func set(ctx context.Context, tx *store.Tx, key, value string) error {
	_, err := tx.Exec(ctx, `insert into installation (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value`, key, value)
	return err
}

func get(t *testing.T, st *store.Store, key string) string {
	t.Helper()
	var value string
	err := st.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `select value from installation where key = $1`, key).Scan(&value)
	})
	if errors.Is(err, store.ErrNone) {
		return ""
	}
	do(t, err)
	return value
}

func TestRollsBack(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		oops := errors.New("oops")
		err := st.Update(ctx, func(tx *store.Tx) error {
			do(t, set(ctx, tx, "a", "1"))
			return oops
		})
		if !errors.Is(err, oops) || get(t, st, "a") != "" {
			t.Fatalf("%v, a = %q; want the error, and nothing saved", err, get(t, st, "a"))
		}
		func() {
			defer func() { _ = recover() }()
			_ = st.Update(ctx, func(tx *store.Tx) error {
				do(t, set(ctx, tx, "a", "1"))
				panic("oops")
			})
		}()
		do(t, st.Update(ctx, func(tx *store.Tx) error { return set(ctx, tx, "b", "1") })) // and the writer is free
		if get(t, st, "a") != "" || get(t, st, "b") != "1" {
			t.Fatal("a panic saved something, or nothing can be saved after it")
		}
		ended, end := context.WithCancel(ctx)
		err = st.Update(ended, func(tx *store.Tx) error {
			do(t, set(ctx, tx, "a", "1"))
			end()
			return nil
		})
		if !errors.Is(err, context.Canceled) || get(t, st, "a") != "" {
			t.Fatalf("%v, a = %q; want nothing saved when the context has ended", err, get(t, st, "a"))
		}
	})
}

// TestSwallowedError: a transaction does not commit the half of it that did not fail.
func TestSwallowedError(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		for name, fail := range map[string]func(*store.Tx){
			"Exec":       func(tx *store.Tx) { tx.Exec(ctx, `insert into installation (key) values ($1)`, "b") },
			"Query":      func(tx *store.Tx) { tx.Query(ctx, `select absent from installation`) },
			"QueryRow":   func(tx *store.Tx) { tx.QueryRow(ctx, `select absent from installation`) },
			"Tenant":     func(tx *store.Tx) { tx.Tenant(contoso).Exec(ctx, `delete from person`) },
			"Tenant row": func(tx *store.Tx) { tx.Tenant(contoso).QueryRow(ctx, `select count(*) from person`) },
			"no tenant":  func(tx *store.Tx) { tx.Tenant("").Exec(ctx, `delete from person where tenant = $1`) },
			"odd fact":   func(tx *store.Tx) { tx.Append(ctx, store.Fact{Tenant: contoso}) },
			"lease":      func(tx *store.Tx) { tx.Guard(ctx, "x", "me", 1) },
			"wrong insert": func(tx *store.Tx) {
				tx.Insert(ctx, store.Into{Table: "lease", Columns: []string{"name"}}, [][]any{{1, 2}})
			},
		} {
			err := st.Update(ctx, func(tx *store.Tx) error {
				do(t, set(ctx, tx, "a", "1"))
				fail(tx)
				return nil
			})
			if err == nil || get(t, st, "a") != "" {
				t.Errorf("%s: %v, a = %q; want an error, and nothing saved", name, err, get(t, st, "a"))
			}
		}
		do(t, st.Update(ctx, func(tx *store.Tx) error { // no row is no failure
			var v string
			if err := tx.QueryRow(ctx, `select value from installation where key = 'none'`).Scan(&v); !errors.Is(err, store.ErrNone) {
				t.Errorf("error %v; want ErrNone", err)
			}
			return set(ctx, tx, "a", "1")
		}))
	})
}

// TestCommitFails: an error that only the commit finds is the Update's.
func TestCommitFails(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		if st.Kind() == "sqlite" {
			_, err := st.Writer().ExecContext(ctx, `pragma foreign_keys = 1`)
			do(t, err)
		}
		for _, q := range []string{`create table parent (id bigint primary key)`,
			`create table child (parent bigint references parent (id) deferrable initially deferred)`} {
			_, err := st.Writer().ExecContext(ctx, q)
			do(t, err)
		}
		err := st.Update(ctx, func(tx *store.Tx) error {
			do(t, set(ctx, tx, "a", "1"))
			_, err := tx.Exec(ctx, `insert into child (parent) values (1)`)
			do(t, err)
			return tx.Append(ctx, store.Fact{Tenant: contoso, Kind: "person.changed"})
		})
		if err == nil || get(t, st, "a") != "" {
			t.Fatalf("%v, a = %q; want an error, and nothing saved", err, get(t, st, "a"))
		}
		do(t, st.Update(ctx, func(tx *store.Tx) error { return set(ctx, tx, "a", "2") }))
	})
}

func TestDiskFull(t *testing.T) {
	st, ctx := storetest.SQLite(t), t.Context()
	var pages int
	do(t, st.Writer().QueryRowContext(ctx, `pragma page_count`).Scan(&pages))
	limit := func(n int) {
		_, err := st.Writer().ExecContext(ctx, fmt.Sprintf(`pragma max_page_count = %d`, n))
		do(t, err)
	}
	limit(pages + 2)
	err := st.Update(ctx, func(tx *store.Tx) error {
		do(t, set(ctx, tx, "small", "1"))
		_ = set(ctx, tx, "large", strings.Repeat("x", 1<<20)) // not even passed on
		return nil
	})
	problem(t, err, "disk is full")
	if get(t, st, "small") != "" {
		t.Fatal("half of a transaction was saved")
	}
	limit(1 << 30)
	do(t, st.Update(ctx, func(tx *store.Tx) error { return set(ctx, tx, "small", "1") }))
}

// TestLocked: what another program does to the file is said plainly.
func TestLocked(t *testing.T) {
	addr, ctx := storetest.SQLiteAddress(t), t.Context()
	mine, err := store.Open(ctx, addr, &tocsin.Clock{})
	do(t, err)
	defer mine.Close()
	theirs, err := store.Open(ctx, addr, &tocsin.Clock{})
	do(t, err)
	defer theirs.Close()
	_, err = mine.Writer().ExecContext(ctx, `pragma busy_timeout = 1`)
	do(t, err)
	do(t, theirs.Update(ctx, func(tx *store.Tx) error {
		do(t, set(ctx, tx, "a", "1"))
		problem(t, mine.Update(ctx, func(tx *store.Tx) error { return nil }), "Another program")
		return nil
	}))
}

func TestViewOnlyReads(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		err := st.View(ctx, func(tx *store.Tx) error { return set(ctx, tx, "a", "1") })
		if err == nil || get(t, st, "a") != "" || !strings.Contains(err.Error(), "write in a View") {
			t.Fatalf("a View wrote: %v", err)
		}
		if err := st.View(ctx, func(tx *store.Tx) error { return tx.Append(ctx, store.Fact{Tenant: contoso, Kind: "x"}) }); err == nil {
			t.Fatal("a View told a fact")
		}
	})
}

// TestOneState: a View sees one state, whatever is committed meanwhile, and does not hold the writer up.
func TestOneState(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		do(t, st.Update(ctx, func(tx *store.Tx) error { return set(ctx, tx, "a", "1") }))
		do(t, st.View(ctx, func(tx *store.Tx) error {
			for range 2 {
				var v string
				do(t, tx.QueryRow(ctx, `select value from installation where key = 'a'`).Scan(&v))
				if v != "1" {
					t.Errorf("a = %s within one View; want 1", v)
				}
				do(t, st.Update(ctx, func(tx *store.Tx) error { return set(ctx, tx, "a", "2") }))
			}
			return nil
		}))
	})
}

// TestRunAgain: transactions that wait for each other crosswise both succeed.
func TestRunAgain(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		do(t, st.Update(ctx, func(tx *store.Tx) error { return errors.Join(set(ctx, tx, "a", ""), set(ctx, tx, "b", "")) }))
		var both, met sync.WaitGroup
		met.Add(2)
		for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
			both.Go(func() {
				var once sync.Once
				for range 20 {
					err := st.Update(ctx, func(tx *store.Tx) error {
						for i, key := range order {
							if i == 1 && st.Kind() == "postgres" { // each has its first row now, and wants the other's
								once.Do(func() { met.Done(); met.Wait() })
							}
							if _, err := tx.Exec(ctx, `update installation set value = value || 'x' where key = $1`, key); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
		if want := strings.Repeat("x", 40); get(t, st, "a") != want || get(t, st, "b") != want {
			t.Fatalf("a = %s, b = %s; want 40 each", get(t, st, "a"), get(t, st, "b"))
		}
	})
}

// TestSameOnBoth: what is written comes back the same from either engine.
func TestSameOnBoth(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		at := time.Date(2025, 3, 4, 5, 6, 7, 8_000_000, time.UTC)
		do(t, st.Update(ctx, func(tx *store.Tx) error {
			no := false
			// The placeholders stand in another order than their numbers.
			_, err := tx.Exec(ctx, `insert into person (person, tenant, name, object_id, upn, mail, kind, enabled, synced, licensed, addresses, seen, changed)
				values ($2, $1, $3, '', $4, '', $5, $6, $7, $8, $9, $10, 0)`,
				string(contoso), tocsin.PersonID("p"), "a\x00b\xffc", "Ägypten@x", tocsin.Code("user"), true, &no, nil, json.RawMessage(`["\u0000"]`), at)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `insert into session (token, data, expiry) values ($1, $2, $3)`, "t", []byte{0, 255, 1}, uint64(7))
			return err
		}))
		do(t, st.View(ctx, func(tx *store.Tx) error {
			var id tocsin.PersonID
			var name, addresses string
			var enabled bool
			var synced, licensed *bool
			var seen int64
			do(t, tx.QueryRow(ctx, `select person, name, addresses, enabled, synced, licensed, seen from person where tenant = $1 and enabled and not synced and seen = $2`,
				contoso, at).Scan(&id, &name, &addresses, &enabled, &synced, &licensed, &seen))
			if id != "p" || name != "a\uFFFDb\uFFFDc" || addresses != `["\u0000"]` || !enabled || synced == nil || *synced || licensed != nil || !tocsin.FromMillis(seen).Equal(at) {
				t.Errorf("read %q %q %q %v %v %v %d", id, name, addresses, enabled, synced, licensed, seen)
			}
			var data []byte
			do(t, tx.QueryRow(ctx, `select data from session where token = 't'`).Scan(&data))
			if !bytes.Equal(data, []byte{0, 255, 1}) {
				t.Errorf("bytes %v", data)
			}
			var exact, like, in, none int
			do(t, tx.QueryRow(ctx, `select count(*) from person where name like $1`, "A%").Scan(&exact))
			do(t, tx.QueryRow(ctx, `select count(*) from person where lower(name) like lower($1)`, "A%").Scan(&like))
			do(t, tx.QueryRow(ctx, `select count(*) from person where person in (`+store.In(2, 1)+`)`, "q", "p").Scan(&in))
			do(t, tx.QueryRow(ctx, `select count(*) from person where person in (`+store.In(0, 1)+`)`).Scan(&none))
			if exact != 0 || like != 1 || in != 1 || none != 0 {
				t.Errorf("like %d, lower like %d, in %d, in none %d; want 0 1 1 0", exact, like, in, none)
			}
			return nil
		}))
	})
}

func TestDuplicate(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		add := func() error {
			return st.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, `insert into account (id, email, name, password, created) values ($1, 'ann@x', '', '', 0)`, tocsin.NewID())
				return err
			})
		}
		do(t, add())
		if err := add(); !store.Duplicate(err) {
			t.Fatalf("error %v; want a duplicate", err)
		}
		err := st.View(ctx, func(tx *store.Tx) error { _, err := tx.Query(ctx, `select absent`); return err })
		if store.Duplicate(err) || store.Duplicate(nil) {
			t.Fatal("another error is no duplicate")
		}
	})
}
