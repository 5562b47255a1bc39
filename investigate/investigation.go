package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/query"
	"tocsin.dev/store"
)

// Investigation is a query and whose mailboxes it is asked of.
type Investigation struct {
	ID         string
	Name       string
	Query      string // KQL
	Scope      Scope
	Trigger    string // Once, Standing, Schedule
	Every      time.Duration
	Depth      string // Whole, Index
	Then       Then
	ThenBy     string // the account that set it
	Status     string
	Because    string
	Mend       string
	Reason     string
	Connection string // the connection's id; empty: the first that may search
	From       string // what the query was made of
	Run        string // the last
	Due        time.Time
	Ends       time.Time
	Created    time.Time
	By         string // e-mail
	Changed    time.Time
	Version    int64
}

// Shortest and longest times between the searches of a schedule, and the longest that an investigation runs by itself.
const (
	leastEvery = 5 * time.Minute
	mostEvery  = 30 * 24 * time.Hour
	mostLife   = 366 * 24 * time.Hour
)

// catchUpEvery is how often a standing investigation searches the mailboxes that are not told of.
const catchUpEvery = 15 * time.Minute

var (
	errNone  = tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such investigation.")
	errStale = tocsin.Problemf(tocsin.Conflict, "Load it again, look at what changed, and save anew.", "Somebody has changed the investigation since you looked at it.")
)

// Sound checks what a person typed, and trims it.
func (v *Investigation) Sound(now time.Time) error {
	v.Name, v.Query, v.Reason = strings.TrimSpace(v.Name), strings.TrimSpace(v.Query), strings.TrimSpace(v.Reason)
	if v.Trigger == "" {
		v.Trigger = Once
	}
	if v.Depth == "" {
		v.Depth = Whole
	}
	switch {
	case v.Name == "":
		return tocsin.Problemf(tocsin.Invalid, "Give one.", "The name is missing.")
	case v.Reason == "":
		return tocsin.Problemf(tocsin.Invalid, "Say why mail is searched: it is kept in the audit trail.", "The reason is missing.")
	case !slices.Contains([]string{Once, Standing, Schedule}, v.Trigger):
		return tocsin.Problemf(tocsin.Invalid, "Give once, standing or schedule.", "There is no trigger %q.", v.Trigger)
	case v.Depth != Whole && v.Depth != Index:
		return tocsin.Problemf(tocsin.Invalid, "Give whole or index.", "There is no depth %q.", v.Depth)
	case !slices.Contains(thens, v.Then.Kind):
		return tocsin.Problemf(tocsin.Invalid, "Give warn, quarantine, junk or soft_delete: what cannot be undone is never done by itself.", "%q cannot be done by itself.", v.Then.Kind)
	case v.Trigger == Schedule && (v.Every < leastEvery || v.Every > mostEvery):
		return tocsin.Problemf(tocsin.Invalid, "Give from 5 to 43200 minutes.", "A schedule needs to know how often.")
	case v.Trigger != Once && v.Ends.IsZero():
		return tocsin.Problemf(tocsin.Invalid, "Give an expiry: what reads mail by itself ends by itself.", "The expiry is missing.")
	case !v.Ends.IsZero() && v.Ends.Sub(now) > mostLife:
		return tocsin.Problemf(tocsin.Invalid, "Give one within a year; it can be prolonged.", "The expiry is more than a year away.")
	}
	if v.Trigger != Schedule {
		v.Every = 0
	}
	q, err := query.Parse(v.Query)
	if err != nil {
		return err
	}
	v.Query = q.String()
	return v.Scope.sound()
}

const columns = `id, name, query, scope, mode, every, depth, act, act_by, status, because, mend, reason, connection, made_from, run, due, ends, created, created_by, changed, version`

func scanned(row interface{ Scan(...any) error }) (*Investigation, error) {
	v := &Investigation{}
	var scope, then string
	var every, due, ends, created, changed int64
	err := row.Scan(&v.ID, &v.Name, &v.Query, &scope, &v.Trigger, &every, &v.Depth, &then, &v.ThenBy, &v.Status, &v.Because, &v.Mend, &v.Reason, &v.Connection, &v.From, &v.Run,
		&due, &ends, &created, &v.By, &changed, &v.Version)
	if err != nil {
		return nil, err
	}
	v.Every = time.Duration(every) * time.Millisecond
	v.Due, v.Ends, v.Created, v.Changed = tocsin.FromMillis(due), tocsin.FromMillis(ends), tocsin.FromMillis(created), tocsin.FromMillis(changed)
	if err := errors.Join(json.Unmarshal([]byte(scope), &v.Scope), json.Unmarshal([]byte(then), &v.Then)); err != nil {
		return nil, fmt.Errorf("investigation %s: %w", v.ID, err)
	}
	return v, nil
}

// Get is an investigation of the tenant.
func Get(ctx context.Context, t *store.Tenant, id string) (*Investigation, error) {
	v, err := scanned(t.QueryRow(ctx, `select `+columns+` from investigation where tenant = $1 and id = $2`, id))
	if errors.Is(err, store.ErrNone) {
		return nil, errNone
	}
	return v, err
}

// Filter says which investigations are asked for.
type Filter struct {
	Status  []string
	Trigger string
	Like    string // a pattern for name, query and author, in small letters
	Before  string // an id: only older ones
	Limit   int
}

// List are a tenant's investigations, the last made first.
func List(ctx context.Context, t *store.Tenant, f Filter) (out []*Investigation, err error) {
	q, args := `select `+columns+` from investigation where tenant = $1`, []any{}
	add := func(text string, values ...any) {
		q += strings.Replace(text, "?", store.In(len(values), len(args)+2), 1)
		args = append(args, values...)
	}
	if len(f.Status) > 0 {
		all := make([]any, len(f.Status))
		for i, s := range f.Status {
			all[i] = s
		}
		add(` and status in (?)`, all...)
	}
	if f.Trigger != "" {
		add(` and mode = ?`, f.Trigger)
	}
	if f.Like != "" {
		add(` and lower(name || ' ' || query || ' ' || created_by) like ? escape '\'`, f.Like)
	}
	if f.Before != "" {
		add(` and id < ?`, f.Before)
	}
	add(` order by id desc limit ?`, f.Limit)
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scanned(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Create keeps a new investigation as a draft. It must be sound; who is the e-mail of whoever makes it.
func Create(ctx context.Context, t *store.Tenant, who string, v *Investigation) error {
	now := t.Tx().Clock().Now()
	v.ID, v.Status, v.By, v.Created, v.Changed, v.Version = tocsin.NewID(), Draft, who, now, now, 1
	scope, then, err := v.texts()
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `insert into investigation (tenant, `+columns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', '', $12, $13, $14, '', 0, $15, $16, $17, $16, 1)`,
		v.ID, v.Name, v.Query, scope, v.Trigger, v.Every.Milliseconds(), v.Depth, then, v.ThenBy, v.Status, v.Reason, v.Connection, v.From, v.Ends, now, who)
	if err != nil {
		return err
	}
	if err := v.keepVersion(ctx, t, who, "created"); err != nil {
		return err
	}
	return v.tell(ctx, t, who, "created")
}

func (v *Investigation) texts() (scope, then string, err error) {
	a, err := json.Marshal(v.Scope)
	b, err2 := json.Marshal(v.Then)
	return string(a), string(b), errors.Join(err, err2)
}

// Update gives an investigation another text, where it still is the version that was looked at. One that runs goes on by it: a search
// under way ends as it began, the next one and what comes are matched by the new text.
func Update(ctx context.Context, t *store.Tenant, who, note string, v *Investigation) error {
	had, err := Get(ctx, t, v.ID)
	if err != nil {
		return err
	}
	if had.Version != v.Version {
		return errStale
	}
	v.Status, v.Run, v.By, v.Created, v.Due, v.Because, v.Mend = had.Status, had.Run, had.By, had.Created, had.Due, had.Because, had.Mend
	v.Version, v.Changed = had.Version+1, t.Tx().Clock().Now()
	if v.From == "" {
		v.From = had.From
	}
	if v.Then == had.Then && had.ThenBy != "" {
		v.ThenBy = had.ThenBy // whoever changes the text has not chosen what is done
	}
	if v.Status == Running {
		v.Due = v.firstDue(v.Changed)
	}
	scope, then, err := v.texts()
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `update investigation set name = $3, query = $4, scope = $5, mode = $6, every = $7, act = $8, reason = $9, connection = $10, made_from = $11, ends = $12, due = $13, changed = $14, version = $15, depth = $16, act_by = $17
		where tenant = $1 and id = $2`, v.ID, v.Name, v.Query, scope, v.Trigger, v.Every.Milliseconds(), then, v.Reason, v.Connection, v.From, v.Ends, v.Due, v.Changed, v.Version, v.Depth, v.ThenBy)
	if err != nil {
		return err
	}
	if note == "" {
		note = "changed"
	}
	if err := v.keepVersion(ctx, t, who, note); err != nil {
		return err
	}
	return v.tell(ctx, t, who, "changed")
}

// firstDue is when the next search by itself begins.
func (v *Investigation) firstDue(now time.Time) time.Time {
	switch v.Trigger {
	case Schedule:
		return now.Add(v.Every)
	case Standing:
		return now.Add(catchUpEvery)
	}
	return time.Time{}
}

// Version is a text that an investigation had.
type Version struct {
	Version int64
	At      time.Time
	Who     string
	Note    string
	Query   string
}

// kept is what a version holds.
type kept struct {
	Name    string `json:"name"`
	Query   string `json:"query"`
	Scope   Scope  `json:"scope"`
	Trigger string `json:"trigger"`
	Every   int64  `json:"every"` // minutes
	Depth   string `json:"depth"`
	Then    Then   `json:"then"`
	Expiry  string `json:"expiry,omitempty"`
	Reason  string `json:"reason"`
}

func (v *Investigation) keepVersion(ctx context.Context, t *store.Tenant, who, note string) error {
	k := kept{Name: v.Name, Query: v.Query, Scope: v.Scope, Trigger: v.Trigger, Every: int64(v.Every / time.Minute), Depth: v.Depth, Then: v.Then, Reason: v.Reason}
	if !v.Ends.IsZero() {
		k.Expiry = v.Ends.Format(time.RFC3339)
	}
	body, err := json.Marshal(k)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `insert into investigation_version (tenant, investigation, version, at, who, note, body) values ($1, $2, $3, $4, $5, $6, $7)`,
		v.ID, v.Version, v.Changed, who, note, string(body))
	return err
}

// Versions are an investigation's, the newest first.
func Versions(ctx context.Context, t *store.Tenant, id string) (out []Version, err error) {
	rows, err := t.Query(ctx, `select version, at, who, note, body from investigation_version where tenant = $1 and investigation = $2 order by version desc limit 100`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v Version
		var at int64
		var body string
		if err := rows.Scan(&v.Version, &at, &v.Who, &v.Note, &body); err != nil {
			return nil, err
		}
		var k kept
		if err := json.Unmarshal([]byte(body), &k); err != nil {
			return nil, err
		}
		v.At, v.Query = tocsin.FromMillis(at), k.Query
		out = append(out, v)
	}
	return out, rows.Err()
}

// tell appends the fact that an investigation changed; pages follow it.
func (v *Investigation) tell(ctx context.Context, t *store.Tenant, actor, what string) error {
	body, err := json.Marshal(map[string]string{"what": what})
	if err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "investigation.changed", Subject: v.ID, Actor: actor, Body: body})
}
