package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/stream"
)

// TestJudge: whole is said only where nothing at all is lacking.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		is             Stream
		vain           string
		state, because string
	}{
		{Stream{Mailboxes: 3, Told: 3}, "", "whole", ""},
		{Stream{Mailboxes: 3, Told: 3, Dead: 1}, "", "incomplete", "Given up: 1 notification."},
		{Stream{Mailboxes: 3, Told: 3, Silent: 2}, "", "incomplete", "Nothing comes, though it should, to 2 mailboxes."},
		{Stream{Mailboxes: 3, Told: 3, Gaps: 2}, "", "incomplete", "Being closed: 2 gaps."},
		{Stream{Mailboxes: 3, Told: 3, Gaps: 2}, "Microsoft Graph is down.", "incomplete", "Not closed yet: 2 gaps. Microsoft Graph is down."},
		{Stream{Mailboxes: 3, Told: 3, Gaps: 2, Dead: 1}, "", "incomplete", "Being closed: 2 gaps."},
	} {
		s := c.is
		if s.judge(c.vain); s.State != c.state || s.Because != c.because || c.state != "whole" && !strings.HasSuffix(s.Mend, ".") {
			t.Errorf("%+v is %s, %q, %q", c.is, s.State, s.Because, s.Mend)
		}
	}
}

// TestLate: what is acknowledged and not in the tables is not said to be seen.
func TestLate(t *testing.T) {
	st := storetest.SQLite(t)
	const tenant = tocsin.TenantID("11111111-1111-4111-8111-111111111111")
	held, waiting := stream.Partition{Held: true}, uint64(0)
	s := New(st, Options{Stream: StreamOptions{Partitions: func() []stream.Partition { return []stream.Partition{held} },
		Lag: func(context.Context) (uint64, error) { return waiting, nil }}})
	tally := func(lag string, n int, ago time.Duration) {
		t.Helper()
		at := tocsin.Millis(s.now().Add(-ago)) / collect.Minute * collect.Minute
		if err := st.UpdateTenant(t.Context(), tenant, func(t *store.Tenant) error {
			_, err := t.Exec(context.Background(), `insert into mail_tally (tenant, grain, at, what, n) values ($1, $2, $3, $4, $5)`, collect.Minute, at, "lag/"+lag, n)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	because := func() string {
		t.Helper()
		var out Stream
		if err := st.ViewTenant(t.Context(), tenant, func(t *store.Tenant) error { return s.late(context.Background(), t, &out) }); err != nil {
			t.Fatal(err)
		}
		if (out.State == "") != (out.Because == "") || (out.State == "") != (out.Mend == "") {
			t.Errorf("%+v", out)
		}
		return out.Because
	}
	tally("2000", 990, 0)
	tally("30000", 10, 0)
	tally("300000", 5000, time.Hour)
	if got := because(); got != "" {
		t.Errorf("99 of 100 came within 2 s: %s", got)
	}
	tally("60000", 1, 0)
	if got := because(); got != "" {
		t.Errorf("more than 1 of 100 took over 10 s, and all is in the tables: %q", got)
	}
	waiting = 50_000
	if got := because(); !strings.Contains(got, "30 s") {
		t.Errorf("more than 1 of 100 took over 10 s, and much waits: %q", got)
	}
	held.Trouble = "the disk is full"
	if got := because(); !strings.Contains(got, "held up") || strings.Contains(got, "disk") {
		t.Errorf("the reader is held up: %q", got)
	}
}
