package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"tocsin.dev"
)

// How long is kept what nobody needs to keep for ever, besides what can be set ([Classes]). A source tells with every round that it was read, and
// the fold of mail with every run that it brought some, which are by far the most of all facts.
const (
	keepSourceFacts = 24 * time.Hour
	keepAnswers     = 24 * time.Hour // under an idempotency key
	keepAttempts    = 24 * time.Hour
	keepMinutes     = 48 * time.Hour       // counts of mail by the minute; those by the hour stay as long as history
	keepTokens      = 30 * 24 * time.Hour  // after they expired
	keepAlerts      = 30 * 24 * time.Hour  // after they ended
	keepParcels     = 8 * 24 * time.Hour   // which Microsoft keeps for seven
	keepHistory     = 400 * 24 * time.Hour // a year, and time to look back on it
)

// followers are the names under which the facts are followed. What one of them has not dealt with yet stays, and so do all
// facts of a lane in which one has not begun.
var followers = []string{"sweep", "judge", "audit", "alerts", "tally"}

// trimBatch is how many rows are deleted in one transaction, so that nobody waits long for it.
const trimBatch = 500

// Trim deletes what is too old to be of use: facts that every follower has dealt with, answers kept for repeated requests,
// attempts to sign in, sessions, links and tokens that have expired, and history. It may be called at any time; what one
// table's trouble leaves is deleted the next time.
func (s *Store) Trim(ctx context.Context) error {
	ctx = Patient(ctx)
	now := s.clock.Now()
	ago := func(d time.Duration) int64 { return tocsin.Millis(now.Add(-d)) }
	var failed error
	var days map[string]int
	if err := s.View(ctx, func(tx *Tx) (err error) { days, err = tx.Retention(ctx); return err }); err != nil {
		return err
	}
	for lane := range Lanes {
		failed = errors.Join(failed, s.trimFacts(ctx, lane, tocsin.Millis(now.AddDate(0, 0, -days["facts"])), ago(keepSourceFacts)))
	}
	failed = errors.Join(failed, s.trimRuns(ctx), s.trimClasses(ctx, days))
	for _, old := range []struct {
		table, which string
		before       int64
	}{
		{"request_key", "at < $1", ago(keepAnswers)},
		{"login_attempt", "since < $1", ago(keepAttempts)},
		{"session", "expiry < $1", tocsin.Millis(time.Now())},              // by the system's clock, as the cookies
		{"lease", "expires < $1 and name like 'keys/%'", ago(keepAnswers)}, // of servers that are no more
		{"setup_link", "expires < $1", ago(0)},
		{"api_token", "expires <> 0 and expires < $1", ago(keepTokens)},
		{"snooze", "until < $1", ago(keepAlerts)},
		{"signed_in", "ends < $1", ago(keepTokens)},
		{"mail_tally", "grain = 60000 and at < $1", ago(keepMinutes)},
		{"export_run", "at < $1", ago(keepHistory)},
		{"export_refused", "at < $1", ago(keepHistory)},
		{"echo", "until < $1", ago(keepAnswers)},
		{"mail_folder", "deleted <> 0 and deleted < $1", ago(keepHistory)},
		{"silence", "ended <> 0 and ended < $1", ago(keepHistory)},
		{"canary_try", "at < $1 and (cleared or object = '')", ago(keepParcels)},
		{"audit_parcel", "created < $1", ago(keepParcels)},
		{"audit_import", "at < $1", ago(keepHistory)},
		{"audit_query", "ended <> 0 and ended < $1", ago(keepHistory)},
		{"anomaly", "at < $1", ago(keepHistory)},
		{"persona_day", "day < $1", ago(keepHistory) / dayMillis},
		{"contact_week", "week < $1", ago(keepHistory) / dayMillis},
		{"contact", "last_sent < $1 and last_received < $1", ago(keepHistory)},
	} {
		failed = errors.Join(failed, s.trim(ctx, old.table, old.which, old.before))
	}
	return failed
}

// dayMillis is a day in milliseconds: some tables count days.
const dayMillis = int64(24 * time.Hour / time.Millisecond)

// trimFacts deletes a lane's old facts up to where the slowest follower stands. What tells of mail that is still to be learned is as
// old as other facts before it goes.
func (s *Store) trimFacts(ctx context.Context, lane int, before, sourcesBefore int64) error {
	var slowest int64
	err := s.View(ctx, func(tx *Tx) error {
		for i, name := range followers {
			n, err := tx.Cursor(ctx, name, lane)
			if err != nil {
				return err
			}
			if i == 0 || n < slowest {
				slowest = n
			}
		}
		return nil
	})
	if err != nil || slowest == 0 {
		return err
	}
	learned, err := s.learned(ctx, lane)
	if err != nil {
		return err
	}
	return s.trimAlong(ctx, "fact", "lane", "n", lane, slowest, "(at < $4 or at < $5 and (kind = 'source.changed' or kind = 'mail.changed' and n <= $6))", before, sourcesBefore, learned)
}

// learned is up to which of a lane's facts everybody's mail was learned.
func (s *Store) learned(ctx context.Context, lane int) (upto int64, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		upto = math.MaxInt64
		rows, err := tx.Query(ctx, `select tenant, fact from learned`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var tenant tocsin.TenantID
			var fact int64
			if err := rows.Scan(&tenant, &fact); err != nil {
				return err
			}
			if Lane(tenant) == lane {
				upto = min(upto, fact)
			}
		}
		return rows.Err()
	})
	return upto, err
}

// trimRuns deletes what every export of a tenant is done with. One that is paused, or that sends the past first, stays where it
// is, and so does what it has before it.
func (s *Store) trimRuns(ctx context.Context) error {
	var tenants []string
	err := s.View(ctx, func(tx *Tx) (err error) {
		tenants, err = tx.texts(ctx, `select tenant from export_place`)
		return err
	})
	for _, id := range tenants {
		var done int64 // of the slowest; where there is no export, of the last there was
		err2 := s.View(ctx, func(tx *Tx) error {
			return tx.QueryRow(ctx, `select coalesce((select min(done) from export where tenant = $1), last) from export_place where tenant = $1`, id).Scan(&done)
		})
		if err2 == nil {
			err2 = s.trimAlong(ctx, "export_run", "tenant", "last", id, done, "1 = 1")
		}
		err = errors.Join(err, err2)
	}
	return err
}

// trimAlong deletes rows of a table in the order of its key, up to a place: those that begin with first, and for which which
// holds of $4 and so on.
func (s *Store) trimAlong(ctx context.Context, table, key, along string, first any, upto int64, which string, args ...any) error {
	where := fmt.Sprintf(`from %[1]s where %[2]s = $1 and %[3]s > $2 and %[3]s <= $3 and %[4]s`, table, key, along, which)
	for last := int64(math.MinInt64); ; {
		next, n := last, 0
		err := s.View(ctx, func(tx *Tx) error {
			next, n = last, 0
			return tx.QueryRow(ctx, fmt.Sprintf(`select coalesce(max(few.at), $2), count(*) from (select %[1]s as at %[2]s order by %[1]s limit %[3]d) few`, along, where, trimBatch),
				append([]any{first, last, upto}, args...)...).Scan(&next, &n)
		})
		if err == nil && n > 0 {
			err = s.Update(ctx, func(tx *Tx) error {
				_, err := tx.Exec(ctx, `delete `+where, append([]any{first, last, next}, args...)...)
				return err
			})
		}
		if err != nil || n < trimBatch {
			return wrapTrim(err, table)
		}
		last = next
	}
}

// trim deletes the rows of a table for which which holds. They are looked for while others may write, and looked at again
// when they are deleted.
func (s *Store) trim(ctx context.Context, table, which string, args ...any) error {
	row, last := s.kind.row(), s.kind.noRow()
	for {
		var found []any
		err := s.View(ctx, func(tx *Tx) (err error) {
			found, err = tx.rows(ctx, fmt.Sprintf(`select %[1]s from %[2]s where %[3]s and %[1]s > %[4]s order by %[1]s limit %[5]d`,
				row, table, which, s.kind.asRow(len(args)+1), trimBatch), append(args[:len(args):len(args)], last)...)
			return err
		})
		if err != nil || len(found) == 0 {
			return wrapTrim(err, table)
		}
		last = found[len(found)-1]
		err = s.Update(ctx, func(tx *Tx) error {
			_, err := tx.Exec(ctx, fmt.Sprintf(`delete from %s where %s and %s in (%s)`, table, which, row, s.kind.asRows(len(found), len(args)+1)),
				append(args[:len(args):len(args)], found...)...)
			return err
		})
		if err != nil || len(found) < trimBatch {
			return wrapTrim(err, table)
		}
	}
}

func wrapTrim(err error, table string) error {
	if err != nil {
		return fmt.Errorf("delete old rows of %s: %w", table, err)
	}
	return nil
}

// rows are the places of rows that a query gives.
func (tx *Tx) rows(ctx context.Context, q string, args ...any) ([]any, error) {
	rows, err := tx.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []any
	for rows.Next() {
		at := tx.store.kind.noRow()
		switch v := at.(type) {
		case int64:
			err = rows.Scan(&v)
			at = v
		case string:
			err = rows.Scan(&v)
			at = v
		}
		if err != nil {
			return nil, err
		}
		out = append(out, at)
	}
	return out, rows.Err()
}
