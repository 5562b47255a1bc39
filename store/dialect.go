package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"tocsin.dev"
)

// dialect is the engine; everything in which the two differ for a statement or an error is in this file, how each is
// opened in sqlite.go and postgres.go.
type dialect string

const (
	sqlite   dialect = "sqlite"
	postgres dialect = "postgres"
)

// goose is the engine's name for goose.
func (d dialect) goose() goose.Dialect {
	if d == postgres {
		return goose.DialectPostgres
	}
	return goose.DialectSQLite3
}

// forShare keeps a row that was read from being changed until the transaction ends. SQLite's writer is alone anyway.
func (d dialect) forShare() string {
	if d == postgres {
		return " for share"
	}
	return ""
}

// placeholders are those of In, for statements with thousands: SQLite looks each $n up among all before it.
func (d dialect) placeholders(n, from int) string {
	if d == sqlite && n > 0 {
		return strings.Repeat("?,", n-1) + "?"
	}
	return In(n, from)
}

// brief is a long statement without the numbers of its placeholders, where they stand in order: SQLite looks each up among
// all before it, when it reads the statement and again when it is given the values.
func (d dialect) brief(q string) string {
	if d != sqlite || len(q) < longStatement {
		return q
	}
	b := make([]byte, 0, len(q))
	for i, n := 0, 1; i < len(q); {
		switch c := q[i]; c {
		case '\'':
			end := after(q, i+1, "'")
			b = append(b, q[i:end]...)
			i = end
		case '$':
			number := strconv.Itoa(n)
			rest, ok := strings.CutPrefix(q[i+1:], number)
			if !ok || rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				return q
			}
			b = append(b, '?')
			i += 1 + len(number)
			n++
		default:
			b = append(b, c)
			i++
		}
	}
	return string(b)
}

// into begins an insert. SQLite keeps what each page was, so that a statement of many rows can be taken back by itself, unless
// it is told not to: here a transaction is taken back whole.
func (d dialect) into() string {
	if d == sqlite {
		return "insert or fail into "
	}
	return "insert into "
}

// now is the time in Unix milliseconds, of $n, which is Store.now: on PostgreSQL its own, which all replicas share.
func (d dialect) now(n int) string {
	if d == postgres {
		return fmt.Sprintf("((extract(epoch from clock_timestamp()) * 1000)::bigint + $%d::bigint)", n)
	}
	return fmt.Sprintf("$%d", n)
}

// row is the place of a row in its table, which both engines have without an index: a number, or a text such as (0,1).
func (d dialect) row() string {
	if d == postgres {
		return "ctid"
	}
	return "rowid"
}

// noRow is a place before all.
func (d dialect) noRow() any {
	if d == postgres {
		return "(0,0)"
	}
	return int64(-1 << 63)
}

// asRow is the placeholder of a place.
func (d dialect) asRow(n int) string {
	if d == postgres {
		return fmt.Sprintf("$%d::text::tid", n)
	}
	return fmt.Sprintf("$%d", n)
}

// asRows is In for places.
func (d dialect) asRows(n, from int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = d.asRow(from + i)
	}
	return strings.Join(all, ",")
}

// again says whether a transaction failed only because of others at work at the same time
// (https://www.postgresql.org/docs/15/mvcc-serialization-failure-handling.html).
func again(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pe.Code == "40001" || pe.Code == "40P01")
}

// Duplicate says whether err is that a row with the same key is there already.
func Duplicate(err error) bool {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code == "23505"
	}
	if se, ok := errors.AsType[*driver.Error](err); ok {
		return se.Code() == code.SQLITE_CONSTRAINT_UNIQUE || se.Code() == code.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// refusedWrite says whether err is that nothing can be written here.
func refusedWrite(err error) bool {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code == "25006"
	}
	se, ok := errors.AsType[*driver.Error](err)
	return ok && se.Code()&0xff == code.SQLITE_READONLY
}

// explain gives an error of the engine that a person can do something about as a Problem, and every other as it is.
func (s *Store) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*tocsin.Problem](err); ok {
		return err
	}
	var p *tocsin.Problem
	if s.kind == postgres {
		p = explainPostgres(err)
	} else {
		p = explainSQLite(err)
	}
	if p == nil {
		return err
	}
	p.Err = err
	return p
}

// explainSQLite reads the codes of https://www.sqlite.org/rescode.html.
func explainSQLite(err error) *tocsin.Problem {
	se, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return nil
	}
	switch se.Code() & 0xff {
	case code.SQLITE_FULL:
		return tocsin.Problemf(tocsin.Unavailable, "Make room on the disk of the data directory.", "The disk is full: the database cannot grow, and nothing was saved.")
	case code.SQLITE_BUSY, code.SQLITE_LOCKED:
		return tocsin.Problemf(tocsin.Unavailable, "End the other program (a second Tocsin, a backup, an sqlite3 shell) that has it open.",
			"Another program holds the database file locked.")
	case code.SQLITE_IOERR, code.SQLITE_CANTOPEN, code.SQLITE_PERM, code.SQLITE_READONLY:
		return tocsin.Problemf(tocsin.Unavailable, "Look at the disk and at the rights of the data directory; the log has the cause.",
			"The database file cannot be read or written.")
	case code.SQLITE_NOTADB:
		return tocsin.Problemf(tocsin.Invalid, "Give the path of another file, or remove this one.", "The file given as the database is something else.")
	case code.SQLITE_CORRUPT:
		return tocsin.Problemf(tocsin.Unavailable, "Stop Tocsin and restore the database from a backup.", "The database file is damaged.")
	}
	return nil
}

// explainPostgres reads the codes of https://www.postgresql.org/docs/15/errcodes-appendix.html.
func explainPostgres(err error) *tocsin.Problem {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if _, net := errors.AsType[*net.OpError](err); net || pgconn.SafeToRetry(err) {
			return tocsin.Problemf(tocsin.Unavailable, "See whether it runs and can be reached; Tocsin goes on by itself when it is back.", "PostgreSQL does not answer.")
		}
		return nil
	}
	switch {
	case pe.Code == "53100":
		return tocsin.Problemf(tocsin.Unavailable, "Make room on the disk of PostgreSQL.", "The disk of PostgreSQL is full, and nothing was saved.")
	case pe.Code == "53300":
		return tocsin.Problemf(tocsin.Unavailable, "Raise max_connections of PostgreSQL, or run fewer replicas.", "PostgreSQL takes no more connections.")
	case pe.Code[:2] == "57":
		return tocsin.Problemf(tocsin.Unavailable, "Tocsin goes on by itself when it is back.", "PostgreSQL is stopping or starting.")
	case pe.Code == "25006":
		return tocsin.Problemf(tocsin.Unavailable, "Point Tocsin at the primary server.", "This PostgreSQL server can only be read.")
	case pe.Code == "42501":
		return tocsin.Problemf(tocsin.Denied, "Make Tocsin's role the owner of its database.", "PostgreSQL refuses: %s.", pe.Message)
	}
	return nil
}

// postgresProblem is why the first connection could not be made.
func postgresProblem(err error, cfg *pgx.ConnConfig) error {
	where := fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
	p := tocsin.Problemf(tocsin.Unavailable, "See whether it runs there and can be reached from here, and correct the address if not.",
		"PostgreSQL at %s does not answer.", where)
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pe.Code {
		case "28P01", "28000":
			p = tocsin.Problemf(tocsin.Denied, "Correct user and password in the address.", "PostgreSQL at %s does not let the user %s in.", where, cfg.User)
		case "3D000":
			p = tocsin.Problemf(tocsin.Invalid, "Make it (create database), or correct the address.", "PostgreSQL at %s has no database %s.", where, cfg.Database)
		default:
			p = tocsin.Problemf(tocsin.Unavailable, "Correct that, or the address.", "PostgreSQL at %s refuses: %s.", where, pe.Message)
		}
	}
	p.Err = err
	return p
}

// snapshot is the isolation in which a reading transaction sees one state throughout; SQLite's always does.
func (d dialect) snapshot() sql.IsolationLevel {
	if d == postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// withTenant is the query for the tables that have a column tenant.
func (d dialect) withTenant() string {
	if d == postgres {
		return `select table_name from information_schema.columns where table_schema = current_schema() and column_name = 'tenant' order by table_name`
	}
	return `select m.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and c.name = 'tenant' order by m.name`
}
