package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// subjects are the subjects of the facts that are left in a lane.
func subjects(t *testing.T, st *store.Store, lane int) (left []string) {
	t.Helper()
	facts, err := st.Facts(t.Context(), lane, 0, 10_000)
	do(t, err)
	for _, f := range facts {
		left = append(left, f.Subject)
	}
	return left
}

func moveTo(ctx context.Context, t *testing.T, st *store.Store, name string, lane int, from, to int64) {
	t.Helper()
	do(t, st.Update(ctx, func(tx *store.Tx) error { return tx.MoveCursor(ctx, name, lane, from, to) }))
}

// TestTrimFacts: old facts go, those of sources sooner, and none that a follower has still before it.
func TestTrimFacts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx, now, lane := t.Context(), st.Clock().Now(), store.Lane(contoso)
		day := 24 * time.Hour
		for _, f := range []struct {
			subject, kind string
			age           time.Duration
		}{
			{"old", "person.changed", 31 * day}, {"old source", "source.changed", 25 * time.Hour},
			{"fresh", "person.changed", 29 * day}, {"fresh source", "source.changed", 23 * time.Hour},
			{"old, late", "person.changed", 31 * day}, {"old source, late", "source.changed", 25 * time.Hour},
		} {
			do(t, st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error {
				return tn.Append(ctx, store.Fact{Kind: f.kind, Subject: f.subject, At: now.Add(-f.age)})
			}))
		}
		all := subjects(t, st, lane)
		check := func(when string, want ...string) {
			t.Helper()
			do(t, st.Trim(ctx))
			if got := subjects(t, st, lane); !slices.Equal(got, want) {
				t.Errorf("%s: %q are left; want %q", when, got, want)
			}
		}
		moveTo(ctx, t, st, "sweep", lane, 0, 6)
		moveTo(ctx, t, st, "alerts", lane, 0, 6)
		moveTo(ctx, t, st, "audit", lane, 0, 6)
		moveTo(ctx, t, st, "tally", lane, 0, 6)
		moveTo(ctx, t, st, "ends/"+string(contoso), lane, 0, 1) // this one counts milliseconds
		check("the second follower has not begun", all...)
		moveTo(ctx, t, st, "judge", lane, 0, 1)
		check("the second follower is at the first", all[1:]...)
		moveTo(ctx, t, st, "judge", lane, 1, 5)
		check("the second follower is at the fifth", "fresh", "fresh source", "old source, late")
		moveTo(ctx, t, st, "judge", lane, 5, 6)
		check("both have dealt with all", "fresh", "fresh source")
		if n, err := st.LastFact(ctx, lane); err != nil || n != 6 {
			t.Errorf("the last fact is %d, %v; want 6: numbers are not given twice", n, err)
		}
	})
}

// TestTrimTables: of each table that only grows one row goes and one stays.
func TestTrimTables(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), st.Clock().Now()
		before := func(d time.Duration) int64 { return tocsin.Millis(now.Add(-d)) }
		hour, day := time.Hour, 24*time.Hour
		type table struct {
			name, insert string
			old, kept    int64
		}
		tables := []table{
			{"request_key", `insert into request_key (tenant, key, account, answer, at) values ('t', $1, 'a', '', $2)`, before(25 * hour), before(23 * hour)},
			{"login_attempt", `insert into login_attempt (key, count, since) values ($1, 1, $2)`, before(25 * hour), before(23 * hour)},
			{"session", `insert into session (token, data, expiry) values ($1, 'x', $2)`, before(hour), before(-hour)},
			{"setup_link", `insert into setup_link (hash, expires) values ($1, $2)`, before(hour), before(-hour)},
			{"api_token", `insert into api_token (id, account, name, hash, role, tenant, created, expires) values ($1, 'a', 'n', $1, 'viewer', '*', 1, $2)`, before(31 * day), before(29 * day)},
			{"rule_change", `insert into rule_change (tenant, person, rule, at, id, change, before, after) values ('t', 'p', 'r', $2, $1, '', '', '')`, before(401 * day), before(399 * day)},
			{"event", `insert into event (tenant, id, at, type, action, person, body) values ('t', $1, $2, 'EMAIL', '', '', '')`, before(401 * day), before(399 * day)},
			{"mail", `insert into mail (tenant, person, key, native, folder, is_read, is_draft, flag, verb, rest, received, modified, body, changed) values ('t', 'p', $1, '', '', true, false, '', '', '', 1, 1, '', $2)`, before(91 * day), before(89 * day)},
			{"audit_record", `insert into audit_record (tenant, id, at, seen, source, operation, workload, actor, actor_kind, judge, judged, body) values ('t', $1, 1, $2, '', '', '', '', '', true, true, '')`, before(181 * day), before(179 * day)},
			{"mail_gap", `insert into mail_gap (tenant, person, began, ended, because, closed) values ('t', $1, 1, 2, '', $2)`, before(401 * day), before(399 * day)},
			{"finding_change", `insert into finding_change (tenant, finding, id, at, who, change) values ('t', 'f', $1, $2, '', '')`, before(401 * day), before(399 * day)},
			{"alert", `insert into alert (tenant, id, channel, about, finding, rule, severity, severity_rank, change, body, at, early, state, ended) values ('t', $1, '', 't', '', '', '', 0, '', '', 1, false, 'sent', $2)`, before(31 * day), before(29 * day)},
			{"alert_message", `insert into alert_message (tenant, id, channel, kind, alerts, state, created, due, ended) values ('t', $1, '', '', 1, 'sent', 1, 1, $2)`, before(31 * day), before(29 * day)},
			{"alert_try", `insert into alert_try (tenant, message, n, at, outcome) values ('t', $1, 1, $2, '')`, before(31 * day), before(29 * day)},
			{"snooze", `insert into snooze (tenant, id, scope, value, until, reason, created, created_by) values ('t', $1, '', '', $2, '', 1, '')`, before(31 * day), before(29 * day)},
			{"dead_letter", `insert into dead_letter (tenant, id, kind, subject, body, because, at) values ('t', $1, '', '', 'x', '', $2)`, before(401 * day), before(399 * day)},
		}
		count := func(name string) (n int) {
			do(t, st.View(ctx, func(tx *store.Tx) error { return tx.QueryRow(ctx, `select count(*) from `+name).Scan(&n) }))
			return n
		}
		do(t, st.Update(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec(ctx, `insert into tenant (tenant, name, created) values ('t', 'T', 1)`); err != nil {
				return err
			}
			for _, c := range tables {
				for id, at := range map[string]int64{"old": c.old, "kept": c.kept} {
					if _, err := tx.Exec(ctx, c.insert, id, at); err != nil {
						return fmt.Errorf("%s: %w", c.name, err)
					}
				}
			}
			_, err := tx.Exec(ctx, tables[4].insert, "for ever", 0)
			return err
		}))
		do(t, st.Trim(ctx))
		for _, c := range tables {
			want := 1
			if c.name == "api_token" {
				want = 2 // one of them never expires
			}
			if n := count(c.name); n != want {
				t.Errorf("%s has %d rows; want %d", c.name, n, want)
			}
		}
	})
}

// TestTrimManyRows: more than go in one transaction, old and kept ones mixed.
func TestTrimManyRows(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx, old := t.Context(), st.Clock().Now().Add(-500*24*time.Hour)
		rows := make([][]any, 2400)
		for i := range rows {
			rows[i] = []any{fmt.Sprint(i), "EMAIL", "", "", "", old.Add(time.Duration(i%2) * 499 * 24 * time.Hour)}
		}
		do(t, st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error {
			if _, err := tn.Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'Contoso', 1)`); err != nil {
				return err
			}
			return tn.Insert(ctx, store.Into{Table: "event", Columns: []string{"id", "type", "action", "person", "body", "at"}}, rows)
		}))
		do(t, st.Trim(ctx))
		do(t, st.View(ctx, func(tx *store.Tx) error {
			var n, odd int
			err := tx.QueryRow(ctx, `select count(*), count(*) filter (where at > $1) from event`, old.Add(time.Hour)).Scan(&n, &odd)
			if n != 1200 || odd != 1200 {
				t.Errorf("%d rows are left, %d of them young; want 1200 and 1200", n, odd)
			}
			return err
		}))
	})
}

// TestTrimPassesWhatStays: messages that came long ago and changed since stay, however many lie before those that go; and so
// do audit records that no rule has judged.
func TestTrimPassesWhatStays(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), st.Clock().Now()
		day := func(n int) int64 { return tocsin.Millis(now.AddDate(0, 0, -n)) }
		var mails, records [][]any
		for i := range 3000 {
			changed, judged := day(100), true
			if i%3 != 0 && i < 2400 {
				changed, judged = day(10), false
			}
			mails = append(mails, []any{"p", fmt.Sprint(i), "", "", true, false, "", "", "", day(400) + int64(i/600), 1, "", changed})
			records = append(records, []any{fmt.Sprint(i), day(300) + int64(i/600), day(300), "", "", "", "", "", true, judged, ""})
		}
		do(t, st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error {
			if _, err := tn.Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'Contoso', 1)`); err != nil {
				return err
			}
			err := tn.Insert(ctx, store.Into{Table: "mail", Columns: []string{"person", "key", "native", "folder", "is_read", "is_draft", "flag", "verb", "rest", "received", "modified", "body", "changed"}}, mails)
			if err != nil {
				return err
			}
			return tn.Insert(ctx, store.Into{Table: "audit_record", Columns: []string{"id", "at", "seen", "source", "operation", "workload", "actor", "actor_kind", "judge", "judged", "body"}}, records)
		}))
		for range 2 {
			do(t, st.Trim(ctx))
			do(t, st.View(ctx, func(tx *store.Tx) error {
				var mails, old, records, judged int
				if err := tx.QueryRow(ctx, `select count(*), count(*) filter (where changed < $1) from mail`, day(90)).Scan(&mails, &old); err != nil {
					return err
				}
				err := tx.QueryRow(ctx, `select count(*), count(*) filter (where judged) from audit_record`).Scan(&records, &judged)
				if mails != 1600 || old != 0 || records != 1600 || judged != 0 {
					t.Errorf("left are %d messages (%d old) and %d records (%d judged); want 1600, none old, none judged", mails, old, records, judged)
				}
				return err
			}))
		}
	})
}

// TestTrimRuns: what every export of a tenant is done with goes, and nothing that one has yet before it.
func TestTrimRuns(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		at := tocsin.Millis(st.Clock().Now())
		do(t, st.Update(ctx, func(tx *store.Tx) error {
			for _, tenant := range []tocsin.TenantID{"two", "one", "none"} {
				tt := tx.Tenant(tenant)
				if _, err := tt.Want(ctx, true); err != nil {
					return err
				}
				var rows [][]any
				for n := range 1200 { // more than are deleted at once
					rows = append(rows, []any{10 * (n + 1), at, "x"})
				}
				if err := tt.Insert(ctx, store.Into{Table: "export_run", Key: []string{"last"}, Columns: []string{"last", "at", "things"}}, rows); err != nil {
					return err
				}
				if _, err := tt.Exec(ctx, `update export_place set last = 12000 where tenant = $1`); err != nil {
					return err
				}
				for i, done := range map[tocsin.TenantID][]int{"two": {11985, 40}, "one": {11985}}[tenant] {
					if _, err := tt.Exec(ctx, `insert into export (tenant, id, kind, name, settings, sealed, state, done, done_at, created, created_by) values ($1, $2, 'file', 'n', '{}', '', 'paused', $3, 1, 1, 'o')`, string(rune('a'+i)), done); err != nil {
						return err
					}
				}
			}
			return nil
		}))
		do(t, st.Trim(ctx))
		for tenant, want := range map[tocsin.TenantID]int{"two": 1196, "one": 2, "none": 0} {
			do(t, st.ViewTenant(ctx, tenant, func(tt *store.Tenant) error {
				var n int
				err := tt.QueryRow(ctx, `select count(*) from export_run where tenant = $1`).Scan(&n)
				if n != want {
					t.Errorf("%s: %d runs are left, want %d", tenant, n, want)
				}
				return err
			}))
		}
	})
}
