package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"tocsin.dev"
)

// ErrNone says that there is no such row; it is sql.ErrNoRows.
var ErrNone = sql.ErrNoRows

// Store is an open database. It is safe for concurrent use.
type Store struct {
	kind  dialect
	clock *tocsin.Clock
	write *sql.DB // SQLite: a single connection. PostgreSQL: the pool, the same as read.
	read  *sql.DB
	gate  *gate // before write, SQLite only

	written, asked prepared // statements of the writer's, and of those that only read
	changes        changes

	mu      sync.Mutex
	news    chan struct{} // closed and replaced when facts were committed
	told    time.Time     // when that was last
	looked  time.Time     // PostgreSQL: when the counters were last asked about other replicas' facts
	counted int64         // … and their sum then
}

// Open opens the database at addr and brings its tables up to date. addr is sqlite:/path/tocsin.db, a bare path, or
// postgres://user:password@host/database. The file and its directory are made where they are missing. Whatever is wrong
// is a tocsin.Problem.
func Open(ctx context.Context, addr string, clock *tocsin.Clock) (*Store, error) {
	s := &Store{clock: clock, news: make(chan struct{})}
	var err error
	switch scheme, rest, found := strings.Cut(addr, ":"); {
	case strings.TrimSpace(addr) == "":
		return nil, tocsin.Problemf(tocsin.Invalid, addressHelp, "The address of the database is empty.")
	case scheme == "postgres" || scheme == "postgresql":
		err = s.openPostgres(ctx, addr)
	case scheme == "sqlite":
		err = s.openSQLite(ctx, strings.TrimPrefix(rest, "//"))
	case found && strings.HasPrefix(rest, "//"):
		return nil, tocsin.Problemf(tocsin.Invalid, addressHelp, "Tocsin cannot keep its tables in a database of the kind %q.", scheme)
	default:
		err = s.openSQLite(ctx, addr)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	err = s.migrate(ctx)
	if err == nil {
		err = s.tellStatistics(ctx)
	}
	if err != nil {
		s.Close()
		return nil, s.explain(err)
	}
	return s, nil
}

const addressHelp = "Give sqlite:/path/to/tocsin.db, a path, or postgres://user:password@host/database."

// Close closes all connections.
func (s *Store) Close() error {
	var err error
	if s.read != nil && s.read != s.write {
		err = s.read.Close()
	}
	if s.write != nil {
		if e := s.write.Close(); e != nil {
			err = e
		}
	}
	return err
}

// Ping asks whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.read.QueryRowContext(ctx, `select 1`).Scan(&one); err != nil {
		return s.explain(fmt.Errorf("ping the database: %w", err))
	}
	return nil
}

// Clock is the clock the store was opened with.
func (s *Store) Clock() *tocsin.Clock { return s.clock }

// Kind is "sqlite" or "postgres".
func (s *Store) Kind() string { return string(s.kind) }
