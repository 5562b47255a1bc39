package collect

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"tocsin.dev"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// OwnText is a rule of the customer's own as it is to be kept.
type OwnText struct {
	*sigma.Bundle
	Text   string
	State  string
	Who    string // who wrote it
	Origin string // the file it came from; empty where somebody wrote it here
}

// ErrOwnStale says that a rule was changed since it was looked at.
var ErrOwnStale = errors.New("the rule was changed since")

// row is what a rule's row says of its text.
func (o *OwnText) row() (title, level, sources string, err error) {
	var s struct {
		Names []string `json:"names"`
		Lacks string   `json:"lacks"`
	}
	for _, src := range o.Sources() {
		if !slices.Contains(s.Names, src.Name) {
			s.Names = append(s.Names, src.Name)
		}
	}
	s.Lacks = o.Uncollected()
	raw, err := json.Marshal(s)
	h := o.Head()
	return h.Title, h.Level, string(raw), err
}

// AddOwn keeps a rule and gives its id.
func AddOwn(ctx context.Context, t *store.Tenant, o OwnText) (id string, err error) {
	names := map[string]bool{}
	running := 0
	err = each(ctx, t, func(scan func(...any) error) error {
		var name, state string
		err := scan(&name, &state)
		names[name] = true
		if state == OwnTesting || state == OwnLive {
			running++
		}
		return err
	}, `select name, state from own_rule where tenant = $1`)
	if err != nil {
		return "", err
	}
	if len(names) >= MaxOwnRules {
		return "", tocsin.Problemf(tocsin.Conflict, "Delete some that are of no use.", "There are %d rules, which is as many as there may be.", len(names))
	}
	if err := enough(running, "", o.State); err != nil {
		return "", err
	}
	title, level, sources, err := o.row()
	if err != nil {
		return "", err
	}
	id = tocsin.NewID()
	name := sigma.NameOf(title, func(n string) bool { return names[n] })
	now := tocsin.Millis(t.Tx().Clock().Now())
	_, err = t.Exec(ctx, `insert into own_rule (tenant, id, name, title, level, state, origin, sources, version, created, created_by, changed, changed_by, text)
		values ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $9, $10, $11)`, id, name, title, level, o.State, o.Origin, sources, now, o.Who, o.Text)
	if err != nil {
		return "", err
	}
	return id, errors.Join(noteVersion(ctx, t, id, 1, now, &o), OwnChanged(ctx, t))
}

// enough refuses one more that is judged, where there are as many as may be.
func enough(running int, was, state string) error {
	runs := func(s string) bool { return s == OwnTesting || s == OwnLive }
	if runs(state) && !runs(was) && running >= MaxOwnRunning {
		return tocsin.Problemf(tocsin.Conflict, "Switch some off.", "%d rules are tested or live, which is as many as may be.", running)
	}
	return nil
}

func noteVersion(ctx context.Context, t *store.Tenant, id string, version, at int64, o *OwnText) error {
	_, err := t.Exec(ctx, `insert into own_rule_version (tenant, rule, version, at, who, state, text) values ($1, $2, $3, $4, $5, $6, $7)`, id, version, at, o.Who, o.State, o.Text)
	if err != nil || version <= 100 {
		return err
	}
	_, err = t.Exec(ctx, `delete from own_rule_version where tenant = $1 and rule = $2 and version <= $3`, id, version-100)
	return err
}

// ChangeOwn gives a rule another text or state. version is the one that was looked at.
func ChangeOwn(ctx context.Context, t *store.Tenant, id string, version int64, o OwnText) error {
	title, level, sources, err := o.row()
	if err != nil {
		return err
	}
	var was string
	var running int
	if err := t.QueryRow(ctx, `select state, (select count(*) from own_rule r where r.tenant = $1 and r.state in ('testing', 'live')) from own_rule where tenant = $1 and id = $2`, id).Scan(&was, &running); err != nil {
		return err
	}
	if err := enough(running, was, o.State); err != nil {
		return err
	}
	now := tocsin.Millis(t.Tx().Clock().Now())
	n, err := t.Exec(ctx, `update own_rule set title = $4, level = $5, sources = $6, state = $7, text = $8, changed = $9, changed_by = $10, version = version + 1 where tenant = $1 and id = $2 and version = $3`,
		id, version, title, level, sources, o.State, o.Text, now, o.Who)
	if err == nil && n == 0 {
		return ErrOwnStale
	}
	if err != nil {
		return err
	}
	return errors.Join(noteVersion(ctx, t, id, version+1, now, &o), OwnChanged(ctx, t))
}

// DeleteOwn forgets a rule. What it found stays.
func DeleteOwn(ctx context.Context, t *store.Tenant, id string) error {
	for _, q := range []string{`delete from own_rule where tenant = $1 and id = $2`, `delete from own_rule_version where tenant = $1 and rule = $2`, `delete from own_rule_day where tenant = $1 and rule = $2`} {
		if _, err := t.Exec(ctx, q, id); err != nil {
			return err
		}
	}
	return OwnChanged(ctx, t)
}
