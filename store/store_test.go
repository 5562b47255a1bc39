package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const (
	contoso  tocsin.TenantID = "c0000000-0000-0000-0000-000000000001"
	fabrikam tocsin.TenantID = "f0000000-0000-0000-0000-000000000002"
)

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// problem checks that err is a Problem that says what and what to do.
func problem(t *testing.T, err error, what string) {
	t.Helper()
	p, ok := errors.AsType[*tocsin.Problem](err)
	if !ok || !strings.Contains(p.What, what) || p.Do == "" {
		t.Fatalf("error: %v; want a problem that says %q and what to do", err, what)
	}
}

// eventually waits until what is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

func TestOpenAgain(t *testing.T) {
	for _, c := range []struct {
		kind string
		addr func(testing.TB) string
	}{{"sqlite", func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "new.db") }}, {"postgres", storetest.BlankPostgres}} {
		t.Run(c.kind, func(t *testing.T) {
			ctx, addr := t.Context(), c.addr(t)
			for want := range 3 {
				st, err := store.Open(ctx, addr, &tocsin.Clock{})
				do(t, err)
				do(t, st.Ping(ctx))
				if st.Kind() != c.kind {
					t.Fatalf("kind %s", st.Kind())
				}
				var n int
				do(t, st.Update(ctx, func(tx *store.Tx) error {
					if err := tx.QueryRow(ctx, `select count(*) from setup_link`).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, `insert into setup_link (hash, expires) values ($1, $2)`, tocsin.NewID(), 0)
					return err
				}))
				if n != want {
					t.Fatalf("%d rows after opening %d times; want %d", n, want, want)
				}
				do(t, st.Close())
			}
		})
	}
}

// TestStartTogether: replicas that start at the same time on an empty database wait for one another.
func TestStartTogether(t *testing.T) {
	addr := storetest.BlankPostgres(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			st, err := store.Open(context.Background(), addr, &tocsin.Clock{})
			if err == nil {
				err = st.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Errorf("%v: %v", err, errors.Unwrap(err))
		}
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "50%.db", "what?_pragma=x.db", "a#b.db", "Grüße.db"} {
		path := filepath.Join(t.TempDir(), "data", name)
		st, err := store.Open(t.Context(), path, &tocsin.Clock{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		do(t, st.Close())
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want 0600", name, info, err)
		}
	}
}

func TestCannotOpen(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	do(t, os.WriteFile(text, []byte(strings.Repeat("no database. ", 100)), 0o600))
	for _, c := range []struct{ name, addr, what string }{
		{"nothing", " ", "empty"},
		{"another kind", "mysql://root@localhost/x", `"mysql"`},
		{"below a file", "sqlite:" + filepath.Join(text, "data", "tocsin.db"), "not a directory"},
		{"a directory", "sqlite:" + dir, "is a directory"},
		{"another file", text, "something else"},
		{"no PostgreSQL address", "postgres://localhost:port/x", "cannot be read"},
		{"no PostgreSQL there", "postgres://tocsin@127.0.0.1:1/tocsin", "127.0.0.1:1 does not answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, err := store.Open(t.Context(), c.addr, &tocsin.Clock{})
			if err == nil {
				st.Close()
			}
			problem(t, err, c.what)
		})
	}
	t.Run("no such database", func(t *testing.T) {
		addr := storetest.PostgresAddress(t)
		_, err := store.Open(t.Context(), strings.Replace(addr, "/tocsin_", "/absent_", 1), &tocsin.Clock{})
		problem(t, err, "has no database absent_")
	})
	t.Run("no such user", func(t *testing.T) {
		addr := storetest.PostgresAddress(t)
		_, err := store.Open(t.Context(), strings.Replace(addr, "//tocsin", "//mallory", 1), &tocsin.Clock{})
		problem(t, err, "does not let the user mallory in")
	})
}

func TestNewerVersion(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		newer := fstest.MapFS{
			"0001_first_light.sql": {Data: []byte("-- +goose Up\nselect 1;\n")},
			"0999_later.sql":       {Data: []byte("-- +goose Up\ncreate table later (n bigint);\n")},
		}
		do(t, st.MigrateWith(t.Context(), newer))
		older := fstest.MapFS{"0001_first_light.sql": newer["0001_first_light.sql"]}
		problem(t, st.MigrateWith(t.Context(), older), "newer version of Tocsin (its tables are of version 999, this one knows 1)")
	})
}

// TestMigrationFails: what fails half-way leaves nothing, and is done whole the next time.
func TestMigrationFails(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		first := &fstest.MapFile{Data: []byte("-- +goose Up\nselect 1;\n")}
		bad := fstest.MapFS{"0001_first_light.sql": first,
			"0999_next.sql": {Data: []byte("-- +goose Up\ncreate table half (n bigint);\ninsert into absent values (1);\n")}}
		if err := st.MigrateWith(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "absent") {
			t.Fatalf("error %v; want one about the absent table", err)
		}
		good := fstest.MapFS{"0001_first_light.sql": first, "0999_next.sql": {Data: []byte("-- +goose Up\ncreate table half (n bigint);\n")}}
		do(t, st.MigrateWith(t.Context(), good))
	})
}
