package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

const itemColumns = `act, id, part, person, object_id, who, message, internet_message_id, sender, subject, received, original, state, because, mend,
	before, after, moved_to, tries, due, sent, accepted, changed`

func scanItem(row interface{ Scan(...any) error }) (*ActItem, error) {
	it := &ActItem{}
	var before, after string
	var received, due, sent, accepted, changed int64
	err := row.Scan(&it.Act, &it.ID, &it.Part, &it.Person, &it.Object, &it.Who, &it.Message, &it.Internet, &it.Sender, &it.Subject, &received, &it.Original, &it.State, &it.Because, &it.Mend,
		&before, &after, &it.MovedTo, &it.Tries, &due, &sent, &accepted, &changed)
	if err != nil {
		return nil, err
	}
	it.Received, it.Due, it.Sent, it.Accepted, it.Changed = tocsin.FromMillis(received), tocsin.FromMillis(due), tocsin.FromMillis(sent), tocsin.FromMillis(accepted), tocsin.FromMillis(changed)
	if it.Before, err = readState(before); err == nil {
		it.After, err = readState(after)
	}
	if err != nil {
		return nil, fmt.Errorf("item %s of the act %s: %w", it.ID, it.Act, err)
	}
	return it, nil
}

func readState(text string) (*MailState, error) {
	if text == "" {
		return nil, nil
	}
	s := &MailState{}
	return s, json.Unmarshal([]byte(text), s)
}

func (s *MailState) text() (string, error) {
	if s == nil {
		return "", nil
	}
	b, err := json.Marshal(s)
	return string(b), err
}

// GetItem is an item of an act.
func GetItem(ctx context.Context, t *store.Tenant, act, id string) (*ActItem, error) {
	it, err := scanItem(t.QueryRow(ctx, `select `+itemColumns+` from mail_act_item where tenant = $1 and act = $2 and id = $3`, act, id))
	if errors.Is(err, store.ErrNone) {
		return nil, tocsin.Problemf(tocsin.NotFound, "Look in the act's list.", "The act has no such item.")
	}
	return it, err
}

// ItemFilter says which items of an act are asked for.
type ItemFilter struct {
	Act    string
	States []ItemState
	Part   Part
	Person tocsin.PersonID
	After  string // an id: only later ones
	Limit  int    // 0: all
}

func (f ItemFilter) where() (string, []any) {
	q, args := ` from mail_act_item where tenant = $1 and act = $2`, []any{f.Act}
	add := func(text string, values ...any) {
		q += strings.Replace(text, "?", store.In(len(values), len(args)+2), 1)
		args = append(args, values...)
	}
	if len(f.States) > 0 {
		add(` and state in (?)`, texts(f.States)...)
	}
	if f.Part != "" {
		add(` and part = ?`, string(f.Part))
	}
	if f.Person != "" {
		add(` and person = ?`, string(f.Person))
	}
	if f.After != "" {
		add(` and id > ?`, f.After)
	}
	return q, args
}

// Items are an act's, in the order in which they are done.
func Items(ctx context.Context, t *store.Tenant, f ItemFilter) ([]*ActItem, error) {
	where, args := f.where()
	q := `select ` + itemColumns + where + ` order by id`
	if f.Limit > 0 {
		args = append(args, f.Limit)
		q += ` limit ` + store.In(1, len(args)+1)
	}
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*ActItem
	for rows.Next() {
		it, err := scanItem(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, rows.Err()
}

// CountItems is how many there are.
func CountItems(ctx context.Context, t *store.Tenant, f ItemFilter) (n int, err error) {
	where, args := f.where()
	err = t.QueryRow(ctx, `select count(*)`+where, args...).Scan(&n)
	return n, err
}

// insertItems writes the ledger of an act, nothing of which is done yet.
func insertItems(ctx context.Context, t *store.Tenant, items []*ActItem) error {
	rows := make([][]any, len(items))
	n := map[Part]int{}
	for i, it := range items {
		rows[i] = []any{it.Act, it.ID, it.Part, it.Person, it.Object, it.Who, it.Message, it.Internet, it.Sender, it.Subject, it.Received, it.Original, it.State, it.MovedTo}
		n[it.Part]++
	}
	if err := t.Insert(ctx, store.Into{Table: "mail_act_item", Columns: []string{"act", "id", "part", "person", "object_id", "who", "message", "internet_message_id",
		"sender", "subject", "received", "original", "state", "moved_to"}}, rows); err != nil {
		return err
	}
	for part, n := range n {
		if err := count(ctx, t, items[0].Act, part, ItemWaiting, n); err != nil {
			return err
		}
	}
	return nil
}

// count changes how many items of an act are in a state.
func count(ctx context.Context, t *store.Tenant, act string, part Part, state ItemState, by int) error {
	_, err := t.Exec(ctx, `insert into mail_act_count (tenant, act, part, state, n) values ($1, $2, $3, $4, $5)
		on conflict (tenant, act, part, state) do update set n = mail_act_count.n + excluded.n`, act, part, state, by)
	return err
}

// errOvertaken says that an item is no longer as it was read: somebody stopped the act.
var errOvertaken = errors.New("the item was changed meanwhile")

// save writes what became of an item, if it still is as it was read: in that state, sent so often.
func (it *ActItem) save(ctx context.Context, t *store.Tenant, was ItemState, tries int64) error {
	before, err := it.Before.text()
	if err != nil {
		return err
	}
	after, err := it.After.text()
	if err != nil {
		return err
	}
	it.Changed = t.Tx().Clock().Now()
	n, err := t.Exec(ctx, `update mail_act_item set state = $6, because = $7, mend = $8, before = $9, after = $10, moved_to = $11, tries = $12, due = $13, sent = $14, accepted = $15, changed = $16
		where tenant = $1 and act = $2 and id = $3 and state = $4 and tries = $5`,
		it.Act, it.ID, was, tries, it.State, it.Because, it.Mend, before, after, it.MovedTo, it.Tries, it.Due, it.Sent, it.Accepted, it.Changed)
	if err != nil {
		return err
	}
	if n == 0 {
		return errOvertaken
	}
	if was == it.State {
		return nil
	}
	if err := count(ctx, t, it.Act, it.Part, was, -1); err != nil {
		return err
	}
	return count(ctx, t, it.Act, it.Part, it.State, 1)
}
