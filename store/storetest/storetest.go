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

// SQLiteAddress is the address of an SQLite database that is not there yet.
func SQLiteAddress(tb testing.TB) string {
	return "sqlite:" + filepath.Join(tb.TempDir(), "tocsin.db")
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
	addr, err := server()
	switch {
	case err == errAbsent && os.Getenv("CI") == "":
		tb.Skip("NOT TESTED ON POSTGRESQL: " + err.Error())
	case err != nil:
		tb.Fatalf("PostgreSQL for the test: %v", err)
	}
	name := "tocsin_" + strings.ToLower(rand.Text()[:12])
	admin(tb, addr, "create database "+name)
	tb.Cleanup(func() { admin(tb, addr, "drop database "+name+" with (force)") })
	u, err := url.Parse(addr)
	if err != nil {
		tb.Fatalf("TOCSIN_TEST_POSTGRES is no address: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

func admin(tb testing.TB, addr, q string) {
	tb.Helper()
	db, err := sql.Open("pgx", addr)
	if err == nil {
		_, err = db.Exec(q)
		db.Close()
	}
	if err != nil {
		tb.Errorf("%s: %v", q, err)
	}
}
