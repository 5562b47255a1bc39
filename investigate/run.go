package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// The states of a run.
const (
	RunRunning = "running"
	RunStopped = "stopped"
	RunDone    = "done"
)

// Run is an investigation's query asked of every mailbox in its scope once.
type Run struct {
	ID            string
	Investigation string
	N             int64
	Version       int64
	Query         string
	Cause         string // an account's e-mail, CauseSchedule, CauseStanding
	State         string
	Because       string
	Mend          string
	Prepared      bool // its mailboxes are written down
	Mailboxes     int64
	Glanced       int64 // had a first look
	Searched      int64
	Incomplete    int64
	OutOfScope    int64
	Matches       int64 // that it met first
	Looked        int64
	Fetched       int64
	Calls         int64
	Trace         Trace
	Plan          SearchPlan
	Started       time.Time
	FirstMatch    time.Time
	Resumed       time.Time     // when it began to run, or was resumed last
	Worked        time.Duration // before that, without the times in which it was stopped
	Ended         time.Time
	Since         time.Time // only what came after; zero: all
}

// What begins a run by itself.
const (
	CauseSchedule = "schedule"
	CauseStanding = "standing"
)

const runColumns = `id, investigation, n, version, query, cause, state, because, mend, prepared, mailboxes, glanced, searched, incomplete, out_of_scope, matches, looked, fetched, calls, trace, plan,
	started, first_match, resumed, worked, ended, since`

func scanRun(row interface{ Scan(...any) error }) (*Run, error) {
	r := &Run{}
	var trace, plan string
	var started, first, resumed, worked, ended, since int64
	err := row.Scan(&r.ID, &r.Investigation, &r.N, &r.Version, &r.Query, &r.Cause, &r.State, &r.Because, &r.Mend, &r.Prepared, &r.Mailboxes, &r.Glanced, &r.Searched, &r.Incomplete, &r.OutOfScope,
		&r.Matches, &r.Looked, &r.Fetched, &r.Calls, &trace, &plan, &started, &first, &resumed, &worked, &ended, &since)
	if err != nil {
		return nil, err
	}
	r.Started, r.FirstMatch, r.Resumed = tocsin.FromMillis(started), tocsin.FromMillis(first), tocsin.FromMillis(resumed)
	r.Ended, r.Since = tocsin.FromMillis(ended), tocsin.FromMillis(since)
	r.Worked = time.Duration(worked) * time.Millisecond
	if err := errors.Join(json.Unmarshal([]byte(trace), &r.Trace), json.Unmarshal([]byte(plan), &r.Plan)); err != nil {
		return nil, fmt.Errorf("search %s: %w", r.ID, err)
	}
	return r, nil
}

// GetRun is a run of the tenant.
func GetRun(ctx context.Context, t *store.Tenant, id string) (*Run, error) {
	r, err := scanRun(t.QueryRow(ctx, `select `+runColumns+` from search_run where tenant = $1 and id = $2`, id))
	if errors.Is(err, store.ErrNone) {
		return nil, tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such search.")
	}
	return r, err
}

// Runs are an investigation's, the newest first.
func Runs(ctx context.Context, t *store.Tenant, investigation string, limit int) ([]*Run, error) {
	return runs(ctx, t, `select `+runColumns+` from search_run where tenant = $1 and investigation = $2 order by n desc limit $3`, investigation, limit)
}

func runs(ctx context.Context, t *store.Tenant, q string, args ...any) (out []*Run, err error) {
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRun(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// Rate is how many mailboxes a minute it has ended, and Ends when it will have ended the rest at that rate; both are zero where that is not
// known: before the first mailbox, and when it does not run.
func (r *Run) Rate(now time.Time) (rate float64, ends time.Time) {
	done := r.Searched + r.Incomplete
	worked := r.worked(now)
	if r.State != RunRunning || done == 0 || worked <= 0 {
		return 0, time.Time{}
	}
	rate = float64(done) / worked.Minutes()
	left := r.Mailboxes - done - r.OutOfScope
	return rate, now.Add(time.Duration(float64(left) / rate * float64(time.Minute)))
}

// worked is for how long it has been running, pauses apart.
func (r *Run) worked(now time.Time) time.Duration {
	if r.State != RunRunning {
		return r.Worked
	}
	return r.Worked + now.Sub(r.Resumed)
}

// start makes a run of the investigation, in place of the last.
func start(ctx context.Context, t *store.Tenant, v *Investigation, cause string, since time.Time) (*Run, error) {
	now := t.Tx().Clock().Now()
	var n int64
	if err := t.QueryRow(ctx, `select coalesce(max(n), 0) from search_run where tenant = $1 and investigation = $2`, v.ID).Scan(&n); err != nil {
		return nil, err
	}
	r := &Run{ID: tocsin.NewID(), Investigation: v.ID, N: n + 1, Version: v.Version, Query: v.Query, Cause: cause, State: RunRunning, Started: now, Resumed: now, Since: since}
	_, err := t.Exec(ctx, `insert into search_run (tenant, id, investigation, n, version, query, cause, state, started, resumed, since) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)`,
		r.ID, r.Investigation, r.N, r.Version, r.Query, r.Cause, r.State, now, since)
	if err != nil {
		return nil, err
	}
	_, err = t.Exec(ctx, `update investigation set run = $3 where tenant = $1 and id = $2`, v.ID, r.ID)
	v.Run = r.ID
	return r, err
}

// halt ends the work on a run for now: it can be resumed.
func halt(ctx context.Context, t *store.Tenant, r *Run, because, mend string) error {
	now := t.Tx().Clock().Now()
	_, err := t.Exec(ctx, `update search_run set state = $3, because = $4, mend = $5, worked = $6, ended = $7 where tenant = $1 and id = $2 and state = 'running'`,
		r.ID, RunStopped, because, mend, r.worked(now).Milliseconds(), now)
	r.State, r.Because, r.Mend = RunStopped, because, mend
	return err
}

// Box is what becomes of a mailbox in a run.
type Box struct {
	Person  tocsin.PersonID
	Address string
	Object  string // Entra's id
	State   string
	Because string
	Mend    string
	Rank    int64  // a first look before the whole
	Place   string // how far a search has come
	Looked  int64
	Fetched int64
	Matches int64
	Tries   int64
	Due     time.Time
	Changed time.Time
}

// BoxFilter says which mailboxes of a run are asked for.
type BoxFilter struct {
	State string
	Like  string // a pattern for the address
	After string // a person: only those behind
	Limit int
}

const boxColumns = `person, address, object_id, state, because, mend, rank, place, looked, fetched, matches, tries, due, changed`

// Boxes are a run's mailboxes, by person.
func Boxes(ctx context.Context, t *store.Tenant, run string, f BoxFilter) ([]Box, error) {
	q, args := `select `+boxColumns+` from search_mailbox where tenant = $1 and run = $2`, []any{run}
	add := func(text string, value any) {
		args = append(args, value)
		q += strings.Replace(text, "?", fmt.Sprintf("$%d", len(args)+1), 1)
	}
	if f.State != "" {
		add(` and state = ?`, f.State)
	}
	if f.Like != "" {
		add(` and lower(address) like ? escape '\'`, f.Like)
	}
	if f.After != "" {
		add(` and person > ?`, f.After)
	}
	add(` order by person limit ?`, f.Limit)
	return boxRows(ctx, t, q, args...)
}

func boxRows(ctx context.Context, t *store.Tenant, q string, args ...any) (out []Box, err error) {
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var b Box
		var due, changed int64
		if err := rows.Scan(&b.Person, &b.Address, &b.Object, &b.State, &b.Because, &b.Mend, &b.Rank, &b.Place, &b.Looked, &b.Fetched, &b.Matches, &b.Tries, &due, &changed); err != nil {
			return nil, err
		}
		b.Due, b.Changed = tocsin.FromMillis(due), tocsin.FromMillis(changed)
		out = append(out, b)
	}
	return out, rows.Err()
}
