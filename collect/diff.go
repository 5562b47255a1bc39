package collect

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"tocsin.dev"
	"tocsin.dev/store"
)

// heldRule is a rule as the table holds it.
type heldRule struct {
	id, body string
	deleted  int64
}

// diff compares a mailbox's rules with those held, and writes what was made, changed and deleted: the rule's row, its
// history, an event and a fact. A first look makes state only.
func (r *run) diff(ctx context.Context, p pending[rulesSeen], first bool) error {
	had, err := r.heldRules(ctx, p.person)
	if err != nil {
		return err
	}
	for i := range p.body.Rules {
		rule := &p.body.Rules[i]
		old, known := had[rule.ID]
		delete(had, rule.ID)
		body, err := encode(rule.MailRule)
		if err != nil {
			return err
		}
		switch {
		case !known || old.deleted > 0:
			err = r.ruleIs(ctx, p, rule, string(body), change{first: first, what: "created", before: ""})
		case old.body != string(body):
			err = r.ruleIs(ctx, p, rule, string(body), change{what: "updated", before: old.body})
		}
		if err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(had) {
		if old := had[id]; old.deleted == 0 {
			if err := r.ruleGone(ctx, p, old); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) heldRules(ctx context.Context, person tocsin.PersonID) (map[string]heldRule, error) {
	q, err := r.t.Query(ctx, `select id, body, deleted from mail_rule where tenant = $1 and person = $2`, string(person))
	if err != nil {
		return nil, err
	}
	defer q.Close()
	had := map[string]heldRule{}
	for q.Next() {
		var h heldRule
		if err := q.Scan(&h.id, &h.body, &h.deleted); err != nil {
			return nil, err
		}
		had[h.id] = h
	}
	return had, q.Err()
}

type change struct {
	first  bool
	what   string // created, updated, deleted
	before string
}

// ruleIs writes a rule's new state.
func (r *run) ruleIs(ctx context.Context, p pending[rulesSeen], rule *ruleSeen, body string, c change) error {
	org, err := r.organisation(ctx)
	if err != nil {
		return err
	}
	targets := rule.Targets()
	outside := slices.ContainsFunc(targets, org.Outside)
	if _, err := r.t.Exec(ctx, `insert into mail_rule (tenant, person, id, name, enabled, body, raw, targets, outside, first_seen, changed, seen)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10)
		on conflict (tenant, person, id) do update set name = excluded.name, enabled = excluded.enabled, body = excluded.body, raw = excluded.raw,
			targets = excluded.targets, outside = excluded.outside, changed = $10, seen = excluded.seen, deleted = 0`,
		string(p.person), rule.ID, rule.Name, rule.Enabled, body, string(rule.Raw), len(targets), outside, p.at, 0); err != nil {
		return err
	}
	if _, err := r.t.Exec(ctx, `delete from rule_target where tenant = $1 and person = $2 and rule = $3`, string(p.person), rule.ID); err != nil {
		return err
	}
	var reach [][]any
	for verb, list := range map[string][]tocsin.Address{"forward": rule.Forward, "redirect": rule.Redirect, "attach": rule.Attach} {
		for _, a := range list {
			reach = append(reach, []any{a.Canonical(), string(p.person), rule.ID, verb, org.Outside(a)})
		}
	}
	columns := []string{"address", "person", "rule", "verb", "outside"}
	if err := r.t.Insert(ctx, store.Into{Table: "rule_target", Columns: columns, Key: columns[:4]}, reach); err != nil {
		return err
	}
	return r.tell(ctx, p, rule.ID, c, body)
}

func (r *run) ruleGone(ctx context.Context, p pending[rulesSeen], old heldRule) error {
	if _, err := r.t.Exec(ctx, `update mail_rule set deleted = $4, changed = $4 where tenant = $1 and person = $2 and id = $3`, string(p.person), old.id, p.at); err != nil {
		return err
	}
	if _, err := r.t.Exec(ctx, `delete from rule_target where tenant = $1 and person = $2 and rule = $3`, string(p.person), old.id); err != nil {
		return err
	}
	return r.tell(ctx, p, old.id, change{what: "deleted", before: old.body}, "")
}

// tell writes the history of a rule's change, and (unless it is a first look) its event and its fact.
func (r *run) tell(ctx context.Context, p pending[rulesSeen], rule string, c change, after string) error {
	what := c.what
	if c.first {
		what = "found"
	}
	eventID := tocsin.NewEventID(r.t.ID(), string(p.person), rule, what, c.before, after, timeKey(p.at))
	if _, err := r.t.Exec(ctx, `insert into rule_change (tenant, person, rule, at, id, change, before, after) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
		string(p.person), rule, p.at, eventID, what, c.before, after); err != nil {
		return err
	}
	if c.first {
		r.touched["rule.created"]++
		return nil
	}
	event, err := ruleEvent(r.t.ID(), p.person, rule, what, eventID, c.before, after, p.at)
	if err != nil {
		return err
	}
	if err := r.event(ctx, event); err != nil {
		return err
	}
	return r.t.Append(ctx, store.Fact{Kind: "rule." + what, Subject: rule, Person: string(p.person)})
}

func timeKey(ms int64) string { return tocsin.FromMillis(ms).Format("2006-01-02T15:04:05.000") }

// ruleEvent is the outward event of a rule's change. Graph does not say when a rule was changed: the time is when we saw it.
func ruleEvent(tenant tocsin.TenantID, person tocsin.PersonID, rule, what, id, before, after string, at int64) (tocsin.Event, error) {
	now := after
	if now == "" {
		now = before
	}
	var m tocsin.MailRule
	if err := json.Unmarshal([]byte(now), &m); err != nil {
		return tocsin.Event{}, err
	}
	payload, err := encode(map[string]any{"event_id": rule, "action": "rule_" + what, "rule_id": rule, "rule_name": m.Name, "is_enabled": m.Enabled})
	if err != nil {
		return tocsin.Event{}, err
	}
	raw, err := encode(map[string]any{"platform_event_id": rule, "change_type": what, "before": orNull(before), "after": orNull(after), "source_platform": "microsoft_outlook"})
	if err != nil {
		return tocsin.Event{}, err
	}
	return tocsin.Event{EventID: id, EventType: "RULE", Source: "OUTLOOK", SignalType: "COMMUNICATIONS", DomainID: tenant, TUID: person,
		Timestamp: tocsin.FromMillis(at), Payload: payload, RawMetadata: raw, PlatformEventID: rule, PlatformEventSource: "MICROSOFT_GRAPH_OUTLOOK_API"}, nil
}

func orNull(s string) json.RawMessage {
	if s == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(s)
}

func (r *run) event(ctx context.Context, e tocsin.Event) error {
	body, err := encode(e)
	if err != nil {
		return err
	}
	var p struct {
		Action string `json:"action"`
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return errors.Join(errors.New("an event of our own making"), err)
	}
	_, err = r.t.Exec(ctx, `insert into event (tenant, id, at, type, action, person, body) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing`,
		e.EventID, tocsin.Millis(e.Timestamp), e.EventType, p.Action, string(e.TUID), string(body))
	return err
}
