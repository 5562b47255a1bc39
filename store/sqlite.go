package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"tocsin.dev"
)

// readers is how many reads SQLite answers at a time; each has a page cache of its own.
const readers = 4

// openSQLite opens the file: one connection that writes, whose transactions take the write lock at their beginning, and
// a few that only read. WAL lets them read while it writes; synchronous=FULL has a commit on the disk when it returns
// (https://www.sqlite.org/pragma.html#pragma_synchronous). The log is written back when it has 48 MB: a run of mail touches
// the same pages again and again.
func (s *Store) openSQLite(ctx context.Context, path string) error {
	s.kind = sqlite
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := makeFile(path); err != nil {
		return err
	}
	if err := isDatabase(path); err != nil {
		return err
	}
	s.gate = &gate{}
	if s.write, err = sql.Open("sqlite", sqliteDSN(path, "_txlock=immediate", "_journal_mode=WAL", "_pragma=cache_size(-64000)", "_pragma=wal_autocheckpoint(12000)")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.write.PingContext(ctx); err != nil { // the first touch of the file
		return s.explain(err)
	}
	if s.read, err = sql.Open("sqlite", sqliteDSN(path, "_query_only=1", "_pragma=cache_size(-2000)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	return nil
}

// sqliteDSN is the file as a URI, so that no character of its path is taken for a parameter.
func sqliteDSN(path string, extra ...string) string {
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() +
		"?_busy_timeout=5000&_synchronous=FULL&_dqs=0&_pragma=case_sensitive_like(1)&_pragma=temp_store(2)"
	for _, e := range extra {
		dsn += "&" + e
	}
	return dsn
}

// makeFile makes the database's directory and file where they are missing, for the owner's eyes only, so that a
// directory one cannot write is said plainly before SQLite stumbles over it.
func makeFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fileProblem(err, "The directory %s for the database cannot be made", dir)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fileProblem(err, "The database file %s cannot be opened for writing", path)
	}
	if err := f.Close(); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".tocsin-*") // the write-ahead log will lie beside the file
	if err != nil {
		return fileProblem(err, "The directory %s of the database cannot be written", dir)
	}
	probe.Close()
	return os.Remove(probe.Name())
}

func fileProblem(err error, what string, args ...any) error {
	do := "Choose another place for the data, or let Tocsin's user write there."
	if cause, ok := errors.AsType[syscall.Errno](err); ok {
		what += ": " + cause.Error()
	}
	p := tocsin.Problemf(tocsin.Unavailable, do, what+".", args...)
	p.Err = err
	return p
}

// isDatabase refuses a file that is something else: SQLite takes one shorter than a page for an empty database, and writes
// over it. Every database begins with the same 16 bytes (https://www.sqlite.org/fileformat.html#the_database_header).
func isDatabase(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return tocsin.Problemf(tocsin.Unavailable, "Look at the rights of the file and its directory.", "The database file %s cannot be read.", path)
	}
	defer f.Close()
	begin := make([]byte, 16)
	n, err := io.ReadFull(f, begin)
	if n == 0 && errors.Is(err, io.EOF) || string(begin[:n]) == "SQLite format 3\x00" {
		return nil
	}
	return tocsin.Problemf(tocsin.Invalid, "Give the path of another file, or remove this one.", "The file given as the database (%s) is something else.", path)
}
