package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"tocsin.dev"
	"tocsin.dev/store"
)

// looked is a mailbox's list of rules as it was seen, for the first time or again.
type looked struct {
	pending[rulesSeen]
	first bool
}

// heldRule is a rule as the table holds it.
type heldRule struct {
	id, body         string
	changed, deleted int64
}

// diff compares the mailboxes' rules with those held, and writes what was made, changed and deleted: the rule's row, its
// history, an event and a fact. A first look makes state only. Rows are gathered and written together.
func (r *run) diff(ctx context.Context, list []looked) error {
	if len(list) == 0 {
		return nil
	}
	held, err := r.heldRules(ctx, list)
	if err != nil {
		return err
	}
	org, err := r.organisation(ctx)
	if err != nil {
		return err
	}
	d := &difference{run: r, org: org}
	people := make([]any, len(list))
	for i := range list {
		people[i] = string(list[i].person)
	}
	if d.ours, err = ourActs(ctx, r.t, people, tocsin.Millis(org.Now.Add(-recently))); err != nil {
		return err
	}
	if d.users, err = r.users(ctx, people); err != nil {
		return err
	}
	for i := range list {
		if err := d.mailbox(ctx, &list[i], held[list[i].person]); err != nil {
			return err
		}
	}
	return d.write(ctx)
}

// users are people's addresses.
func (r *run) users(ctx context.Context, people []any) (map[tocsin.PersonID]string, error) {
	out := map[tocsin.PersonID]string{}
	for part := range slices.Chunk(people, 400) {
		err := each(ctx, r.t, func(scan func(...any) error) error {
			var person tocsin.PersonID
			var mail, upn string
			err := scan(&person, &mail, &upn)
			out[person] = cmp.Or(mail, upn)
			return err
		}, `select person, mail, upn from person where tenant = $1 and person in (`+store.In(len(part), 2)+`)`, part...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *run) heldRules(ctx context.Context, list []looked) (map[tocsin.PersonID]map[string]heldRule, error) {
	args := make([]any, len(list))
	held := make(map[tocsin.PersonID]map[string]heldRule, len(list))
	for i := range list {
		args[i] = string(list[i].person)
		held[list[i].person] = map[string]heldRule{}
	}
	err := each(ctx, r.t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var h heldRule
		err := scan(&person, &h.id, &h.body, &h.changed, &h.deleted)
		held[person][h.id] = h
		return err
	}, `select person, id, body, changed, deleted from mail_rule where tenant = $1 and person in (`+store.In(len(list), 2)+`)`, args...)
	return held, err
}

// difference gathers the rows of what differs.
type difference struct {
	*run
	org                             *organisation
	rules, targets, history, events [][]any
	ours                            map[tocsin.PersonID][]ourAct
	users                           map[tocsin.PersonID]string // their addresses
	stale                           [][2]string                // rules whose destinations held are not theirs any more: person, rule
}

func (d *difference) mailbox(ctx context.Context, l *looked, had map[string]heldRule) error {
	for i := range l.body.Rules {
		rule := &l.body.Rules[i]
		old, known := had[rule.ID]
		delete(had, rule.ID)
		body, err := encode(rule.MailRule)
		if err != nil {
			return err
		}
		what, before := "", ""
		switch {
		case known && old.deleted == 0 && old.body == string(body):
			continue
		case l.first && (!known || old.deleted > 0): // deleted with the account, which is back
			what = "found"
		case !known || old.deleted > 0:
			what = "created"
		case !sameRule(old.body, &rule.MailRule):
			what, before = "updated", old.body
		}
		if err := d.is(ctx, l, rule, change{what: what, before: before, after: string(body)}, old, known); err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(had) {
		if old := had[id]; old.deleted == 0 {
			if err := d.gone(ctx, l, old); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameRule says whether the rule held differs only in what we know of its folders: that is news of ours and no change.
func sameRule(held string, now *tocsin.MailRule) bool {
	var old tocsin.MailRule
	if json.Unmarshal([]byte(held), &old) != nil {
		return false
	}
	was, err := encode(unresolved(old))
	if err != nil {
		return false
	}
	is, err := encode(unresolved(*now))
	return err == nil && string(was) == string(is)
}

func unresolved(r tocsin.MailRule) tocsin.MailRule {
	for _, f := range []**tocsin.Folder{&r.MoveTo, &r.CopyTo} {
		if *f != nil {
			*f = &tocsin.Folder{ID: (*f).ID}
		}
	}
	return r
}

// change is what happened to a rule: found, created, updated, deleted; or nothing but that we know more of it.
type change struct {
	what, before, after string
	action              string // of ours that did it
}

// rules are the rule before and after.
func (c change) rules() (was, is *tocsin.MailRule, err error) {
	for _, x := range []struct {
		text string
		into **tocsin.MailRule
	}{{c.before, &was}, {c.after, &is}} {
		if x.text == "" {
			continue
		}
		*x.into = &tocsin.MailRule{}
		if err := json.Unmarshal([]byte(x.text), *x.into); err != nil {
			return nil, nil, err
		}
	}
	return was, is, nil
}

// is notes a rule's new state.
func (d *difference) is(ctx context.Context, l *looked, rule *ruleSeen, c change, old heldRule, known bool) error {
	targets := rule.Targets()
	changed := int64(0)
	switch {
	case known && c.what == "":
		changed = old.changed
	case known:
		changed = l.at
	}
	d.rules = append(d.rules, []any{string(l.person), rule.ID, rule.Name, rule.Enabled, c.after, string(rule.Raw), len(targets),
		slices.ContainsFunc(targets, d.org.Outside), l.at, changed, l.at, 0})
	if known {
		d.stale = append(d.stale, [2]string{string(l.person), rule.ID})
	}
	for _, v := range []struct {
		verb string
		to   []tocsin.Address
	}{{"forward", rule.Forward}, {"redirect", rule.Redirect}, {"attach", rule.Attach}} {
		for _, a := range v.to {
			d.targets = append(d.targets, []any{a.Canonical(), string(l.person), rule.ID, v.verb, d.org.Outside(a)})
		}
	}
	return d.tell(ctx, l, rule.ID, c)
}

// gone notes that a rule is there no more.
func (d *difference) gone(ctx context.Context, l *looked, old heldRule) error {
	if _, err := d.t.Exec(ctx, `update mail_rule set deleted = $4, changed = $4 where tenant = $1 and person = $2 and id = $3`, string(l.person), old.id, l.at); err != nil {
		return err
	}
	d.stale = append(d.stale, [2]string{string(l.person), old.id})
	return d.tell(ctx, l, old.id, change{what: "deleted", before: old.body})
}

// tell notes the history of a rule's change and (unless it is a first look) its event and its fact.
func (d *difference) tell(ctx context.Context, l *looked, rule string, c change) error {
	if c.what == "" {
		return nil
	}
	was, is, err := c.rules()
	if err != nil {
		return err
	}
	c.action = did(d.ours[l.person], c.what, rule, was, is)
	eventID := tocsin.NewEventID(d.t.ID(), string(l.person), rule, c.what, c.before, c.after, timeKey(l.at))
	d.history = append(d.history, []any{string(l.person), rule, l.at, eventID, c.what, c.before, c.after, c.action})
	if c.what == "found" {
		d.touched["rule.created"]++
		return nil
	}
	event, err := ruleEvent(d.t.ID(), l.person, d.users[l.person], rule, eventID, c, l.at)
	if err != nil {
		return err
	}
	body, err := encode(event)
	if err != nil {
		return err
	}
	d.events = append(d.events, []any{eventID, l.at, event.EventType, "rule_" + c.what, string(l.person), string(body)})
	return d.t.Append(ctx, store.Fact{Kind: "rule." + c.what, Subject: rule, Person: string(l.person), Body: ourBody(c.action)})
}

// write writes what was gathered.
func (d *difference) write(ctx context.Context) error {
	for _, s := range d.stale {
		if _, err := d.t.Exec(ctx, `delete from rule_target where tenant = $1 and person = $2 and rule = $3`, s[0], s[1]); err != nil {
			return err
		}
	}
	for _, w := range []struct {
		into store.Into
		rows [][]any
	}{
		{store.Into{Table: "mail_rule", Key: []string{"person", "id"}, Keep: []string{"first_seen"},
			Columns: []string{"person", "id", "name", "enabled", "body", "raw", "targets", "outside", "first_seen", "changed", "seen", "deleted"}}, d.rules},
		{store.Into{Table: "rule_target", Key: []string{"address", "person", "rule", "verb"}, Columns: []string{"address", "person", "rule", "verb", "outside"}}, d.targets},
		{store.Into{Table: "rule_change", Key: []string{"person", "rule", "at", "id"}, Columns: []string{"person", "rule", "at", "id", "change", "before", "after", "action"}}, d.history},
		{store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}}, d.events},
	} {
		if err := d.t.Insert(ctx, w.into, w.rows); err != nil {
			return err
		}
	}
	return nil
}

// ourBody says in a fact which action of ours it comes from.
func ourBody(action string) json.RawMessage {
	if action == "" {
		return nil
	}
	b, err := encode(map[string]string{"action": action})
	if err != nil {
		return nil // a map of texts is always JSON
	}
	return b
}

func timeKey(ms int64) string { return tocsin.FromMillis(ms).Format("2006-01-02T15:04:05.000") }

// ruleEvent is the outward event of a rule's change. Graph does not say when a rule was changed: the time is when we asked for what
// shows it.
func ruleEvent(tenant tocsin.TenantID, person tocsin.PersonID, user, rule, id string, c change, at int64) (tocsin.Event, error) {
	now := c.after
	if now == "" {
		now = c.before
	}
	var m tocsin.MailRule
	if err := json.Unmarshal([]byte(now), &m); err != nil {
		return tocsin.Event{}, err
	}
	payload, err := encode(map[string]any{"event_id": rule, "user": known(user), "action": "rule_" + c.what, "rule_id": rule, "rule_name": m.Name, "is_enabled": m.Enabled})
	if err != nil {
		return tocsin.Event{}, err
	}
	told := map[string]any{"platform_event_id": rule, "change_type": c.what, "before": orNull(c.before), "after": orNull(c.after), "source_platform": "microsoft_outlook"}
	if c.action != "" {
		told["action_id"] = c.action // we did it
	}
	raw, err := encode(told)
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
