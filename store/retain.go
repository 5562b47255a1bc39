package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"tocsin.dev"
)

// Class is a kind of data that is kept for so many days. How many is a setting within its bounds.
type Class struct {
	Name    string
	Default int // days
	Least   int
	Most    int
	sets    []oldRows
}

// oldRows are rows of a table that are of no use any more, where which holds of $1, the time before which they are.
type oldRows struct {
	table, which string
	column       string // when they are from, where an index by tenant begins with it; which holds besides it
	when         string // where the column alone does not say that they may go: what has to hold as well, of $2, the time
}

// Classes are all kinds of data for which it can be set how long they are kept.
var Classes = []Class{
	{Name: "mail_events", Default: 400, Least: 7, Most: 3650, sets: []oldRows{{table: "event", which: "type = 'EMAIL'", column: "at"}}},
	{Name: "other_events", Default: 400, Least: 30, Most: 3650, sets: append(eventsOf("RULE", "FOLDER", "SIGN_IN", "AUDIT", "DEVICE", "FINDING", "ACTION"),
		oldRows{table: "rule_change", which: "at < $1"}, oldRows{table: "rights_change", which: "at < $1"}, oldRows{table: "rights_waiting", which: "at < $1"})},
	{Name: "message_states", Default: 90, Least: 30, Most: 730, sets: []oldRows{{table: "mail", which: "1 = 1", column: "received", when: "changed < $2"}}},
	{Name: "mail_counts", Default: 400, Least: 7, Most: 3650, sets: []oldRows{{table: "mail_tally", which: "grain > 60000 and at < $1"}}},
	{Name: "gaps", Default: 400, Least: 30, Most: 3650, sets: []oldRows{{table: "mail_gap", which: "closed <> 0 and closed < $1"}}},
	{Name: "given_up", Default: 400, Least: 7, Most: 730, sets: []oldRows{{table: "dead_letter", which: "at < $1"}}},
	{Name: "finding_history", Default: 400, Least: 90, Most: 3650, sets: []oldRows{{table: "finding_change", which: "at < $1"}, {table: "own_rule_day", which: "day < $1"}}},
	{Name: "audit_records", Default: 180, Least: 30, Most: 3650, sets: []oldRows{{table: "audit_record", which: "1 = 1", column: "at", when: "seen < $2 and judged"}, {table: "sign_in", which: "1 = 1", column: "at", when: "seen < $2"}}},
	{Name: "alerts", Default: 30, Least: 7, Most: 730, sets: []oldRows{{table: "alert_try", which: "at < $1"}, {table: "alert", which: "ended <> 0 and ended < $1"}, {table: "alert_message", which: "ended <> 0 and ended < $1"}}},
	{Name: "facts", Default: 30, Least: 7, Most: 400},
	{Name: "reported_mails", Default: 400, Least: 30, Most: 3650, sets: []oldRows{{table: "reported_mail", which: "1 = 1", column: "at"}, {table: "reported_change", which: "at < $1"}, {table: "reported_reply", which: "changed < $1"}, {table: "reported_seen", which: "at < $1"}}},
	{Name: "evidence", Default: 730, Least: 30, Most: 3650, sets: []oldRows{{table: "evidence", which: "1 = 1", column: "at"}, {table: "evidence_look", which: "1 = 1", column: "at"}}},
	{Name: "trail", Default: 400, Least: 180, Most: 3650, sets: []oldRows{{table: "trail", which: "at < $1"}}},
}

// eventsOf are the events of each of some types by themselves, as the index has them.
func eventsOf(types ...string) (sets []oldRows) {
	for _, name := range types {
		sets = append(sets, oldRows{table: "event", which: "type = '" + name + "'", column: "at"})
	}
	return sets
}

// ClassNamed is the class of a name.
func ClassNamed(name string) (Class, bool) {
	for _, c := range Classes {
		if c.Name == name {
			return c, true
		}
	}
	return Class{}, false
}

// Retention is how many days each class is kept: what was set, else its default.
func (tx *Tx) Retention(ctx context.Context) (map[string]int, error) {
	days := map[string]int{}
	for _, c := range Classes {
		days[c.Name] = c.Default
	}
	rows, err := tx.Query(ctx, `select class, days from retention`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		if c, ok := ClassNamed(name); ok {
			days[name] = min(max(n, c.Least), c.Most)
		}
	}
	return days, rows.Err()
}

// SetRetention sets how many days a class is kept.
func (tx *Tx) SetRetention(ctx context.Context, class string, days int) error {
	_, err := tx.Exec(ctx, `insert into retention (class, days) values ($1, $2) on conflict (class) do update set days = excluded.days`, class, days)
	return err
}

// Held is how much is held of a class, counted no further than most, and the time of the oldest; zero where that is not known.
func (tx *Tx) Held(ctx context.Context, c Class, most int) (n int, oldest time.Time, err error) {
	tenants, err := tx.texts(ctx, `select tenant from tenant`)
	if err != nil {
		return n, oldest, err
	}
	count := func(text string, args ...any) error {
		var some int
		err := tx.QueryRow(ctx, fmt.Sprintf(`select count(*) from (%s limit %d) few`, text, most-n), args...).Scan(&some)
		n += some
		return err
	}
	for _, set := range c.sets {
		if set.column == "" && n < most {
			if err := count(fmt.Sprintf(`select 1 as one from %s`, set.table)); err != nil {
				return n, oldest, err
			}
		}
		for _, id := range tenants { // by the index that begins with it
			if set.column == "" || n >= most {
				continue
			}
			if err := count(fmt.Sprintf(`select 1 as one from %s where tenant = $1 and %s`, set.table, set.which), id); err != nil {
				return n, oldest, err
			}
		}
	}
	for _, set := range c.sets {
		for _, id := range tenants {
			if set.column == "" || set.when != "" || n == 0 {
				continue
			}
			var ms int64
			err := tx.QueryRow(ctx, fmt.Sprintf(`select coalesce(min(%s), 0) from %s where tenant = $1 and %s`, set.column, set.table, set.which), id).Scan(&ms)
			if err != nil {
				return n, oldest, err
			}
			if at := tocsin.FromMillis(ms); ms > 0 && (oldest.IsZero() || at.Before(oldest)) {
				oldest = at
			}
		}
	}
	return n, oldest, nil
}

func (tx *Tx) texts(ctx context.Context, q string) (out []string, err error) {
	rows, err := tx.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// trimClasses deletes what is older than its class is kept. Where an index by tenant has the time, the oldest are taken from
// it, so that what is kept is not read.
func (s *Store) trimClasses(ctx context.Context, days map[string]int) error {
	var tenants []string
	err := s.View(ctx, func(tx *Tx) (err error) {
		tenants, err = tx.texts(ctx, `select tenant from tenant`)
		return err
	})
	for _, c := range Classes {
		before := tocsin.Millis(s.clock.Now().AddDate(0, 0, -days[c.Name]))
		for _, set := range c.sets {
			if set.column == "" {
				err = errors.Join(err, s.trim(ctx, set.table, set.which, before))
				continue
			}
			for _, id := range tenants {
				err = errors.Join(err, s.trimOldest(ctx, set, id, before))
			}
		}
	}
	return err
}

// trimOldest deletes a tenant's rows, the oldest first, a few in a transaction. What is as old and stays (a message that came
// long ago and changed since, say) is passed once.
func (s *Store) trimOldest(ctx context.Context, set oldRows, tenant string, before int64) error {
	row, when := s.kind.row(), cmp.Or(set.when, "1 = 1")
	last := int64(math.MinInt64)
	for {
		var found []any
		err := s.View(ctx, func(tx *Tx) error {
			var err error
			found, err = tx.rows(ctx, fmt.Sprintf(`select %[1]s from %[2]s where tenant = $1 and %[3]s and %[4]s and %[5]s >= $3 and %[5]s < $2 order by %[5]s limit %[6]d`, row, set.table, set.which, when, set.column, trimBatch), tenant, before, last)
			if err != nil || len(found) < trimBatch {
				return err
			}
			return tx.QueryRow(ctx, fmt.Sprintf(`select %s from %s where tenant = $1 and %s = %s`, set.column, set.table, row, s.kind.asRow(2)), tenant, found[len(found)-1]).Scan(&last)
		})
		if err != nil || len(found) == 0 {
			return wrapTrim(err, set.table)
		}
		err = s.Update(ctx, func(tx *Tx) error {
			_, err := tx.Exec(ctx, fmt.Sprintf(`delete from %s where tenant = $1 and %s < $2 and %s and %s in (%s)`, set.table, set.column, when, row, s.kind.asRows(len(found), 3)), append([]any{tenant, before}, found...)...)
			return err
		})
		if err != nil || len(found) < trimBatch {
			return wrapTrim(err, set.table)
		}
	}
}
