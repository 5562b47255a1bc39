// Package storetest gives tests a real store: SQLite in a file, and PostgreSQL, the one at TOCSIN_TEST_POSTGRES
// (postgres://…, its user may create databases) or else one started here for the test process from the installed binaries.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"tocsin.dev"
	"tocsin.dev/store"
)

var errAbsent = errors.New("no PostgreSQL is installed and TOCSIN_TEST_POSTGRES is not set")

// Run runs test once on SQLite and once on PostgreSQL, each time with an empty database of its own.
func Run(t *testing.T, test func(t *testing.T, st *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite opens an empty SQLite database that is gone after the test.
func SQLite(tb testing.TB) *store.Store {
	tb.Helper()
	return open(tb, SQLiteAddress(tb))
}

// Postgres opens an empty PostgreSQL database that is gone after the test. Where there is no PostgreSQL the test is
// skipped, or fails where the environment says CI.
func Postgres(tb testing.TB) *store.Store {
	tb.Helper()
	return open(tb, PostgresAddress(tb))
}

// SQLiteAddress is the address of an empty SQLite database that is gone after the test.
func SQLiteAddress(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "tocsin.db")
	SQLiteAt(tb, path)
	return "sqlite:" + path
}

// SQLiteAt makes an empty SQLite database: a copy of one whose tables are there, since making them takes seconds under the
// race detector.
func SQLiteAt(tb testing.TB, path string) {
	tb.Helper()
	empty, err := emptySQLite()
	if err == nil {
		err = os.WriteFile(path, empty, 0o600)
	}
	if err != nil {
		tb.Fatalf("an empty SQLite database: %v", cause(err))
	}
}

var emptySQLite = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "tocsin-empty-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tocsin.db")
	if err := fill("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// fill makes the tables.
func fill(addr string) error {
	st, err := store.Open(context.Background(), addr, &tocsin.Clock{})
	if err != nil {
		return err
	}
	return st.Close()
}

func open(tb testing.TB, addr string) *store.Store {
	tb.Helper()
	st, err := store.Open(context.Background(), addr, &tocsin.Clock{})
	if err != nil {
		tb.Fatalf("open a store for the test: %v", cause(err))
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Errorf("close the store: %v", err)
		}
	})
	return st
}

// cause shows what lies under a Problem, too.
func cause(err error) string {
	if p := tocsin.AsProblem(err); p.Err != nil {
		return fmt.Sprintf("%v (%v)", p, p.Err)
	}
	return err.Error()
}

// server is this process's PostgreSQL.
var server = sync.OnceValues(func() (string, error) {
	if addr := os.Getenv("TOCSIN_TEST_POSTGRES"); addr != "" {
		return addr, nil
	}
	return start()
})

// PostgresAddress is the address of a new and empty PostgreSQL database that is dropped after the test.
func PostgresAddress(tb testing.TB) string {
	tb.Helper()
	addr := serves(tb)
	from, err := emptyPostgres()
	if err != nil {
		tb.Fatalf("an empty PostgreSQL database: %v", cause(err))
	}
	return create(tb, addr, from)
}

// BlankPostgres is PostgresAddress of a database that has no tables yet.
func BlankPostgres(tb testing.TB) string {
	tb.Helper()
	return create(tb, serves(tb), "")
}

// serves is the address of this process's PostgreSQL. Where there is none the test is skipped, or fails where the
// environment says CI.
func serves(tb testing.TB) string {
	tb.Helper()
	addr, err := server()
	switch {
	case err == errAbsent && os.Getenv("CI") == "":
		tb.Skip("NOT TESTED ON POSTGRESQL: " + err.Error())
	case err != nil:
		tb.Fatalf("PostgreSQL for the test: %v", err)
	}
	return addr
}

func create(tb testing.TB, addr, from string) string {
	tb.Helper()
	name := "tocsin_" + strings.ToLower(rand.Text()[:12])
	if err := admin(addr, "create database "+name+from); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := admin(addr, "drop database "+name+" with (force)"); err != nil {
			tb.Error(err)
		}
	})
	to, err := database(addr, name)
	if err != nil {
		tb.Fatal(err)
	}
	return to
}

// emptyPostgres is what a new database is made from: one whose tables are there, on a server that is this process's own.
// On another's nothing would take it away again.
var emptyPostgres = sync.OnceValues(func() (string, error) {
	addr, err := server()
	if err != nil || os.Getenv("TOCSIN_TEST_POSTGRES") != "" {
		return "", err
	}
	if err := admin(addr, "create database tocsin_empty"); err != nil {
		return "", err
	}
	to, err := database(addr, "tocsin_empty")
	if err == nil {
		err = fill(to)
	}
	return " template tocsin_empty", err
})

func database(addr, name string) (string, error) {
	u, err := url.Parse(addr)
	if err != nil {
		return "", fmt.Errorf("TOCSIN_TEST_POSTGRES is no address: %w", err)
	}
	u.Path = "/" + name
	q := u.Query()
	q.Set("connect_timeout", "60") // seconds: this machine may be busy
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func admin(addr, q string) error {
	db, err := sql.Open("pgx", addr)
	if err == nil {
		_, err = db.Exec(q)
		db.Close()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", q, err)
	}
	return nil
}
