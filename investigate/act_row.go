package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

const actColumns = `id, investigation, kind, state, restores, restored_by, by_itself, epoch, options, why, plan, asked_by, asked_email,
	approved_by, approved_email, connection, because, mend, due, created, changed, began, ended, version`

func scanAct(row interface{ Scan(...any) error }) (*Act, error) {
	a := &Act{}
	var options, plan string
	var due, created, changed, began, ended int64
	err := row.Scan(&a.ID, &a.Investigation, &a.Kind, &a.State, &a.Restores, &a.RestoredBy, &a.ByItself, &a.Epoch, &options, &a.Why, &plan, &a.AskedBy, &a.AskedEmail,
		&a.ApprovedBy, &a.ApprovedEmail, &a.Connection, &a.Because, &a.Mend, &due, &created, &changed, &began, &ended, &a.Version)
	if err != nil {
		return nil, err
	}
	a.Due, a.Created, a.Changed, a.Began, a.Ended = tocsin.FromMillis(due), tocsin.FromMillis(created), tocsin.FromMillis(changed), tocsin.FromMillis(began), tocsin.FromMillis(ended)
	if err := json.Unmarshal([]byte(options), &a.Options); err != nil {
		return nil, fmt.Errorf("options of the act %s: %w", a.ID, err)
	}
	if err := json.Unmarshal([]byte(plan), &a.Plan); err != nil {
		return nil, fmt.Errorf("plan of the act %s: %w", a.ID, err)
	}
	return a, nil
}

var errNoAct = tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such act.")

// GetAct is an act of the tenant.
func GetAct(ctx context.Context, t *store.Tenant, id string) (*Act, error) {
	a, err := scanAct(t.QueryRow(ctx, `select `+actColumns+` from mail_act where tenant = $1 and id = $2`, id))
	if errors.Is(err, store.ErrNone) {
		return nil, errNoAct
	}
	return a, err
}

// ActFilter says which acts are asked for.
type ActFilter struct {
	Investigation string
	States        []ActState
	Kinds         []ActKind
	Before        string // an id: only older ones
	Limit         int
}

// Acts are a tenant's, the newest first.
func Acts(ctx context.Context, t *store.Tenant, f ActFilter) ([]*Act, error) {
	q, args := `select `+actColumns+` from mail_act where tenant = $1`, []any{}
	add := func(text string, values ...any) {
		q += strings.Replace(text, "?", store.In(len(values), len(args)+2), 1)
		args = append(args, values...)
	}
	if f.Investigation != "" {
		add(` and investigation = ?`, f.Investigation)
	}
	if len(f.States) > 0 {
		add(` and state in (?)`, texts(f.States)...)
	}
	if len(f.Kinds) > 0 {
		add(` and kind in (?)`, texts(f.Kinds)...)
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
	var out []*Act
	for rows.Next() {
		a, err := scanAct(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

func texts[T ~string](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

// insert writes a new act and the first line of its history.
func (a *Act) insert(ctx context.Context, t *store.Tenant) error {
	options, plan, err := a.bodies()
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `insert into mail_act (tenant, `+actColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`,
		a.ID, a.Investigation, a.Kind, a.State, a.Restores, a.RestoredBy, a.ByItself, a.Epoch, options, a.Why, plan, a.AskedBy, a.AskedEmail,
		a.ApprovedBy, a.ApprovedEmail, a.Connection, a.Because, a.Mend, a.Due, a.Created, a.Changed, a.Began, a.Ended, a.Version); err != nil {
		return err
	}
	return a.note(ctx, t, a.AskedEmail, "asked", a.Why)
}

func (a *Act) bodies() (options, plan string, err error) {
	o, err := json.Marshal(a.Options)
	if err != nil {
		return "", "", err
	}
	p, err := json.Marshal(a.Plan)
	return string(o), string(p), err
}

// move takes the act a step forward: its row, its history and the fact are this one transaction. Whoever moved it meanwhile was
// quicker, and this is a conflict.
func (a *Act) move(ctx context.Context, t *store.Tenant, to ActState, who, note string) error {
	if !slices.Contains(actForward[a.State], to) {
		return tocsin.Problemf(tocsin.Conflict, "Look at how far it has come.", "The act is %s: it cannot become %s.", spoken(a.State), spoken(to))
	}
	a.State, a.Changed = to, t.Tx().Clock().Now()
	switch {
	case to == ActRunning && a.Began.IsZero():
		a.Began = a.Changed
	case to == ActRunning:
		a.Ended = tocsin.FromMillis(0)
	case to.Ended():
		a.Ended = a.Changed
	}
	if err := a.save(ctx, t); err != nil {
		return err
	}
	return a.note(ctx, t, who, string(to), note)
}

func spoken[T ~string](s T) string { return strings.ReplaceAll(string(s), "_", " ") }

// save writes what can change of the row, if it is still the version that was read.
func (a *Act) save(ctx context.Context, t *store.Tenant) error {
	_, plan, err := a.bodies()
	if err != nil {
		return err
	}
	n, err := t.Exec(ctx, `update mail_act set state = $4, plan = $5, restored_by = $6, approved_by = $7, approved_email = $8, connection = $9, because = $10, mend = $11, due = $12,
		changed = $13, began = $14, ended = $15, version = version + 1 where tenant = $1 and id = $2 and version = $3`,
		a.ID, a.Version, a.State, plan, a.RestoredBy, a.ApprovedBy, a.ApprovedEmail, a.Connection, a.Because, a.Mend, a.Due, a.Changed, a.Began, a.Ended)
	if err != nil {
		return err
	}
	if n == 0 {
		return errActStale
	}
	a.Version++
	return nil
}

// note writes a line of the history, and tells it.
func (a *Act) note(ctx context.Context, t *store.Tenant, who, change, note string) error {
	if _, err := t.Exec(ctx, `insert into mail_act_change (tenant, act, id, at, who, change, note) values ($1, $2, $3, $4, $5, $6, $7)`,
		a.ID, tocsin.NewID(), t.Tx().Clock().Now(), who, change, note); err != nil {
		return err
	}
	return tellAct(ctx, t, a, who, change)
}

// tellAct appends the fact that an act has come further.
func tellAct(ctx context.Context, t *store.Tenant, a *Act, who, change string) error {
	body, err := json.Marshal(map[string]string{"kind": string(a.Kind), "state": string(a.State), "change": change, "investigation": a.Investigation})
	if err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "mail_act.changed", Subject: a.ID, Actor: who, Body: body})
}

// ActChange is a line of an act's history. Change is the state it came to, or asked, held, restored.
type ActChange struct {
	ID, Who, Change, Note string
	At                    int64
}

// ActHistory is an act's, the oldest first.
func ActHistory(ctx context.Context, t *store.Tenant, id string) ([]ActChange, error) {
	rows, err := t.Query(ctx, `select id, at, who, change, note from mail_act_change where tenant = $1 and act = $2 order by id limit 1000`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []ActChange
	for rows.Next() {
		var c ActChange
		if err := rows.Scan(&c.ID, &c.At, &c.Who, &c.Change, &c.Note); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// ActsCounted are how far some acts have come, by act and part.
func ActsCounted(ctx context.Context, t *store.Tenant, acts []*Act) (map[string]map[Part]ActCounts, error) {
	out := map[string]map[Part]ActCounts{}
	if len(acts) == 0 {
		return out, nil
	}
	ids := make([]any, len(acts))
	for i, a := range acts {
		ids[i], out[a.ID] = a.ID, map[Part]ActCounts{}
	}
	rows, err := t.Query(ctx, `select act, part, state, n from mail_act_count where tenant = $1 and act in (`+store.In(len(ids), 2)+`)`, ids...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var act string
		var part Part
		var state ItemState
		var n int
		if err := rows.Scan(&act, &part, &state, &n); err != nil {
			return nil, err
		}
		c := out[act][part]
		c.add(state, n)
		out[act][part] = c
	}
	return out, rows.Err()
}

func (c *ActCounts) add(s ItemState, n int) {
	c.Total += n
	for state, to := range map[ItemState]*int{ItemWaiting: &c.Waiting, ItemSent: &c.Sent, ItemDone: &c.Done, ItemAlready: &c.Already, ItemGone: &c.Gone,
		ItemRefused: &c.Refused, ItemFailed: &c.Failed, ItemUnknown: &c.Unknown, ItemLeft: &c.Left} {
		if s == state {
			*to += n
		}
	}
}

// counted is how many items of one act and part are in some states.
func counted(ctx context.Context, t *store.Tenant, act string, states ...ItemState) (n int, err error) {
	args := append([]any{act}, texts(states)...)
	err = t.QueryRow(ctx, `select coalesce(sum(n), 0) from mail_act_count where tenant = $1 and act = $2 and state in (`+store.In(len(states), 3)+`)`, args...).Scan(&n)
	return n, err
}
