package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"tocsin.dev"
)

// openPostgres opens the pool. Every parameter of the address is pgx's (https://pkg.go.dev/github.com/jackc/pgx/v5#ParseConfig);
// behind PgBouncer add default_query_exec_mode=exec.
func (s *Store) openPostgres(ctx context.Context, addr string) error {
	s.kind = postgres
	cfg, err := pgx.ParseConfig(addr)
	if err != nil {
		p := tocsin.Problemf(tocsin.Invalid, addressHelp, "The address of the PostgreSQL database cannot be read.")
		p.Err = err // pgx leaves the password out of it
		return p
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	// A replica that froze inside a transaction must not hold the others' rows for ever. A statement is planned each time: a plan that
	// was kept while a table was small reads the whole of it until PostgreSQL next counts its rows, a minute in which nothing else gets done.
	for name, value := range map[string]string{"application_name": "tocsin", "idle_in_transaction_session_timeout": "60000", "plan_cache_mode": "force_custom_plan"} {
		if _, set := cfg.RuntimeParams[name]; !set {
			cfg.RuntimeParams[name] = value
		}
	}
	db := sql.OpenDB(stdlib.GetConnector(*cfg))
	db.SetMaxOpenConns(24)
	db.SetMaxIdleConns(12)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s.write, s.read = db, db
	var encoding string
	if err := db.QueryRowContext(ctx, `show server_encoding`).Scan(&encoding); err != nil {
		return postgresProblem(err, cfg)
	}
	if encoding != "UTF8" {
		return tocsin.Problemf(tocsin.Invalid, "Make one with: create database tocsin encoding 'UTF8' template template0.",
			"The PostgreSQL database %s holds its text as %s, and Tocsin needs UTF8.", cfg.Database, encoding)
	}
	return nil
}
