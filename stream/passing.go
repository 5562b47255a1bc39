package stream

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"tocsin.dev"
)

// again marks an error as one to be tried again.
type again struct{ error }

func (a *again) Unwrap() error { return a.error }

// passing says whether an error tells of the moment (the store is busy, full or away) and not of what was to be done.
func passing(err error) bool {
	if _, ok := errors.AsType[*again](err); ok {
		return true
	}
	if _, ok := errors.AsType[*Poison](err); ok {
		return false
	}
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && (p.Code == tocsin.Unavailable || p.Code == tocsin.Throttled) {
		return true
	}
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return passingPostgres(err) || passingSQLite(err)
}

// passingPostgres reads the classes of https://www.postgresql.org/docs/15/errcodes-appendix.html: connection, rollback,
// resources, not in state, intervention, system.
func passingPostgres(err error) bool {
	var pe interface {
		error
		SQLState() string
	}
	return errors.As(err, &pe) && len(pe.SQLState()) == 5 && strings.Contains("08 40 53 55 57 58", pe.SQLState()[:2])
}

// passingSQLite reads the codes of https://www.sqlite.org/rescode.html.
func passingSQLite(err error) bool {
	var se interface {
		error
		Code() int
	}
	if !errors.As(err, &se) {
		return false
	}
	switch se.Code() & 0xff {
	case 5, 6, 7, 8, 9, 10, 13, 14, 15: // busy, locked, no memory, read-only, interrupted, I/O, full, cannot open, protocol
		return true
	}
	return false
}
