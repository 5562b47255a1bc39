package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

const columns = `id, kind, state, person, who, object_id, target, name, finding, why, plan, forced, undoes, undone_by, asked_by, asked_email,
	approved_by, approved_email, connection, made, because, mend, tries, due, created, changed, sent, ended, version, run, step`

// scan reads a row of the columns.
func scan(row interface{ Scan(...any) error }) (*Action, error) {
	a := &Action{}
	var plan string
	var due, created, changed, sent, ended int64
	err := row.Scan(&a.ID, &a.Kind, &a.State, &a.Person, &a.Who, &a.Object, &a.Target, &a.Name, &a.Finding, &a.Why, &plan, &a.Forced, &a.Undoes, &a.UndoneBy,
		&a.AskedBy, &a.AskedEmail, &a.ApprovedBy, &a.ApprovedEmail, &a.Connection, &a.Made, &a.Because, &a.Mend, &a.Tries, &due, &created, &changed, &sent, &ended, &a.Version, &a.RunID, &a.Step)
	if err != nil {
		return nil, err
	}
	a.Due, a.Created, a.Changed, a.Sent, a.Ended = tocsin.FromMillis(due), tocsin.FromMillis(created), tocsin.FromMillis(changed), tocsin.FromMillis(sent), tocsin.FromMillis(ended)
	if err := json.Unmarshal([]byte(plan), &a.Plan); err != nil {
		return nil, fmt.Errorf("plan of action %s: %w", a.ID, err)
	}
	return a, nil
}

var errNone = tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such action.")

// Get is an action of the tenant.
func Get(ctx context.Context, t *store.Tenant, id string) (*Action, error) {
	a, err := scan(t.QueryRow(ctx, `select `+columns+` from action where tenant = $1 and id = $2`, id))
	if errors.Is(err, store.ErrNone) {
		return nil, errNone
	}
	return a, err
}

// Filter says which actions are asked for.
type Filter struct {
	States  []State
	Kinds   []Kind
	Person  tocsin.PersonID
	Finding string
	Object  string // of an application, say
	Run     string
	Before  string // an id: only older ones
	Limit   int
}

// List are a tenant's actions, the newest first.
func List(ctx context.Context, t *store.Tenant, f Filter) ([]*Action, error) {
	q, args := `select `+columns+` from action where tenant = $1`, []any{}
	add := func(text string, values ...any) {
		q += strings.Replace(text, "?", store.In(len(values), len(args)+2), 1)
		args = append(args, values...)
	}
	if len(f.States) > 0 {
		add(` and state in (?)`, anys(f.States)...)
	}
	if len(f.Kinds) > 0 {
		add(` and kind in (?)`, anys(f.Kinds)...)
	}
	if f.Person != "" {
		add(` and person = ?`, string(f.Person))
	}
	if f.Finding != "" {
		add(` and finding = ?`, f.Finding)
	}
	if f.Object != "" {
		add(` and object_id = ?`, f.Object)
	}
	if f.Run != "" {
		add(` and run = ?`, f.Run)
	}
	if f.Before != "" {
		add(` and id < ?`, f.Before)
	}
	add(` order by id desc limit ?`, f.Limit)
	return list(ctx, t, q, args...)
}

func list(ctx context.Context, t *store.Tenant, q string, args ...any) ([]*Action, error) {
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Action
	for rows.Next() {
		a, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

func anys[T ~string](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

// insert writes a new action, and the first line of its history.
func (a *Action) insert(ctx context.Context, t *store.Tenant) error {
	plan, err := json.Marshal(a.Plan)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `insert into action (tenant, `+columns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
		$18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)`, a.ID, a.Kind, a.State, a.Person, a.Who, a.Object, a.Target, a.Name, a.Finding, a.Why, string(plan),
		a.Forced, a.Undoes, a.UndoneBy, a.AskedBy, a.AskedEmail, a.ApprovedBy, a.ApprovedEmail, a.Connection, a.Made, a.Because, a.Mend, a.Tries,
		a.Due, a.Created, a.Changed, a.Sent, a.Ended, a.Version, a.RunID, a.Step); err != nil {
		return err
	}
	return a.note(ctx, t, a.AskedEmail, string(a.State), a.Why)
}

// move takes the action a step forward: its row, its history and the fact are this one transaction. Whoever moved it
// meanwhile was quicker, and this is a conflict.
func (a *Action) move(ctx context.Context, t *store.Tenant, to State, who, note string) error {
	if !a.State.mayGo(to) {
		return tocsin.Problemf(tocsin.Conflict, "Look at how far it has come.", "The action is %s: it cannot become %s.", words(a.State), words(to))
	}
	a.State, a.Changed = to, t.Tx().Clock().Now()
	if to.Ended() {
		a.Ended = a.Changed
	}
	if err := a.save(ctx, t); err != nil {
		return err
	}
	return a.note(ctx, t, who, string(to), note)
}

func words(s State) string { return strings.ReplaceAll(string(s), "_", " ") }

// save writes what can change of the row, if it is still the version that was read.
func (a *Action) save(ctx context.Context, t *store.Tenant) error {
	plan, err := json.Marshal(a.Plan)
	if err != nil {
		return err
	}
	n, err := t.Exec(ctx, `update action set state = $4, plan = $5, undone_by = $6, approved_by = $7, approved_email = $8, connection = $9, made = $10, because = $11,
		mend = $12, tries = $13, due = $14, changed = $15, sent = $16, ended = $17, version = version + 1 where tenant = $1 and id = $2 and version = $3`,
		a.ID, a.Version, a.State, string(plan), a.UndoneBy, a.ApprovedBy, a.ApprovedEmail, a.Connection, a.Made, a.Because, a.Mend, a.Tries, a.Due, a.Changed, a.Sent, a.Ended)
	if err != nil {
		return err
	}
	if n == 0 {
		return errStale
	}
	a.Version++
	return nil
}

// note writes a line of the history, and tells it.
func (a *Action) note(ctx context.Context, t *store.Tenant, who, change, note string) error {
	if _, err := t.Exec(ctx, `insert into action_change (tenant, action, id, at, who, change, note) values ($1, $2, $3, $4, $5, $6, $7)`,
		a.ID, tocsin.NewID(), t.Tx().Clock().Now(), who, change, note); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"kind": string(a.Kind), "state": string(a.State), "change": change, "finding": a.Finding})
	if err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "action.changed", Subject: a.ID, Person: string(a.Person), Actor: who, Body: body})
}

// Change is a line of an action's history. Change is the state it came to, or sending, throttled, no_answer, held.
type Change struct {
	ID, Who, Change, Note string
	At                    int64
}

// History is an action's, the oldest first.
func History(ctx context.Context, t *store.Tenant, id string) ([]Change, error) {
	rows, err := t.Query(ctx, `select id, at, who, change, note from action_change where tenant = $1 and action = $2 order by id limit 1000`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Change
	for rows.Next() {
		var c Change
		if err := rows.Scan(&c.ID, &c.At, &c.Who, &c.Change, &c.Note); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
