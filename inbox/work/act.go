package work

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// What entries of a thread tell.
const (
	Noted      = "note"
	Assigned   = "assigned"
	Stated     = "state"
	Prioritied = "priority"
	Tagged     = "tags"
	Reported   = "reported" // an investigation was opened
)

// Entry is something that happened in a thread beside its mails.
type Entry struct {
	ID   string
	At   time.Time
	Kind string
	Who  string // an account; empty: Tocsin
	What What
}

// What is what an entry says; which of it is there depends on the kind.
type What struct {
	Text     string   `json:"text,omitempty"` // a note's
	Mentions []string `json:"mentions,omitempty"`
	From     string   `json:"from,omitempty"` // before
	To       string   `json:"to,omitempty"`   // after
	Team     string   `json:"team,omitempty"`
	Until    int64    `json:"until,omitempty"` // ms
	Added    []string `json:"added,omitempty"`
	Removed  []string `json:"removed,omitempty"`
	Edited   int64    `json:"edited,omitempty"` // ms
	Because  string   `json:"because,omitempty"`
}

// Change is what is to become of a thread; nil leaves it as it is.
type Change struct {
	Assignee *string // an account; empty: nobody
	Team     *string
	State    *string
	Until    time.Time // of Snoozed
	Priority *int
	Add      []string // tags
	Remove   []string
	Version  int64 // that it must have; 0: any
	Because  string
	Reported string // the investigation that was opened of one of its mails
}

// Apply changes a thread as who (an account; empty for Tocsin) says, writes down what changed, and tells of it.
func Apply(ctx context.Context, t *store.Tenant, r Reach, who, id string, c Change) (*Thread, error) {
	v, err := begin(ctx, t, r, id, c.Version)
	if err != nil {
		return nil, err
	}
	var wrote []Entry
	if w, err := assign(ctx, t, v, c); err != nil {
		return nil, err
	} else if w != nil {
		wrote = append(wrote, Entry{Kind: Assigned, What: *w})
	}
	if w, err := state(ctx, t, v, c); err != nil {
		return nil, err
	} else if w != nil {
		wrote = append(wrote, Entry{Kind: Stated, What: *w})
	}
	if c.Priority != nil && *c.Priority != v.Priority {
		wrote = append(wrote, Entry{Kind: Prioritied, What: What{From: priorityName(v.Priority), To: priorityName(*c.Priority)}})
		v.Priority = *c.Priority
	}
	if w, err := retag(ctx, t, v, c); err != nil {
		return nil, err
	} else if w != nil {
		wrote = append(wrote, Entry{Kind: Tagged, What: *w})
	}
	_, err = t.Exec(ctx, `update inbox_thread set assignee = $4, team = $5, state = $6, snoozed = $7, priority = $8, resolved = $9, waiting = $10, changed = $11 where tenant = $1 and inbox = $2 and id = $3`,
		v.Inbox, v.ID, v.Assignee, v.Team, v.State, v.Snoozed, v.Priority, v.Resolved, v.Waiting, t.Tx().Clock().Now())
	if err != nil {
		return nil, err
	}
	if c.Reported != "" {
		wrote = append(wrote, Entry{Kind: Reported, What: What{To: c.Reported}})
	}
	if err := Time(ctx, t, v); err != nil {
		return nil, err
	}
	for _, e := range wrote {
		e.What.Because = c.Because
		if _, err := write(ctx, t, v, who, e.Kind, e.What); err != nil {
			return nil, err
		}
	}
	return v, tell(ctx, t, v, who)
}

// begin takes a thread to change it: on PostgreSQL others who would wait.
func begin(ctx context.Context, t *store.Tenant, r Reach, id string, version int64) (*Thread, error) {
	if err := changed(ctx, t, NoThread, "inbox_thread", id, version, `changed = $4`, t.Tx().Clock().Now()); err != nil {
		return nil, err
	}
	return Get(ctx, t, r, id)
}

func assign(ctx context.Context, t *store.Tenant, v *Thread, c Change) (*What, error) {
	w := What{From: v.Assignee, To: v.Assignee, Team: v.Team}
	if c.Assignee != nil && *c.Assignee != "" {
		r, err := ReachOf(ctx, t, *c.Assignee)
		if err != nil {
			return nil, err
		}
		if !r.In(v.Inbox) {
			return nil, tocsin.Problemf(tocsin.Invalid, "Add them to the inbox first, or choose somebody else.", "Who is to be assigned does not work in this inbox.")
		}
	}
	if c.Team != nil && *c.Team != "" {
		if list, err := Teams(ctx, t, *c.Team); err != nil {
			return nil, err
		} else if len(list) == 0 {
			return nil, noTeam
		}
	}
	if c.Assignee != nil {
		w.To = *c.Assignee
	}
	if c.Team != nil {
		w.Team = *c.Team
	}
	if w.To == v.Assignee && w.Team == v.Team {
		return nil, nil
	}
	v.Assignee, v.Team = w.To, w.Team
	return &w, nil
}

func state(ctx context.Context, t *store.Tenant, v *Thread, c Change) (*What, error) {
	if c.State == nil {
		return nil, nil
	}
	now := t.Tx().Clock().Now()
	to := *c.State
	if !slices.Contains(States, to) {
		return nil, tocsin.Problemf(tocsin.Invalid, "Use open, waiting, snoozed, resolved or spam.", "A thread cannot be %q.", to)
	}
	if to == inbox.Snoozed && !c.Until.After(now) {
		return nil, tocsin.Problemf(tocsin.Invalid, "Give a time that is still to come.", "A thread is snoozed until a time.")
	}
	if to == v.State && (to != inbox.Snoozed || c.Until.Equal(v.Snoozed)) {
		return nil, nil
	}
	w := What{From: v.State, To: to}
	v.State, v.Snoozed = to, time.Time{}
	switch to {
	case inbox.Snoozed:
		v.Snoozed, w.Until = c.Until, tocsin.Millis(c.Until)
	case inbox.Resolved:
		v.Resolved, v.Waiting = now, time.Time{}
	case inbox.Spam:
		v.Waiting = time.Time{}
	}
	if to != inbox.Resolved {
		v.Resolved = time.Time{}
	}
	return &w, nil
}

func retag(ctx context.Context, t *store.Tenant, v *Thread, c Change) (*What, error) {
	w := What{}
	if len(c.Add)+len(c.Remove) == 0 {
		return nil, nil
	}
	known, err := Tags(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, id := range c.Add {
		if !slices.ContainsFunc(known, func(g Tag) bool { return g.ID == id }) {
			return nil, noTag
		}
	}
	for _, id := range c.Add {
		if slices.Contains(v.Tags, id) {
			continue
		}
		if _, err := t.Exec(ctx, `insert into inbox_thread_tag (tenant, inbox, thread, tag, added) values ($1, $2, $3, $4, $5) on conflict do nothing`, v.Inbox, v.ID, id, t.Tx().Clock().Now()); err != nil {
			return nil, err
		}
		v.Tags, w.Added = append(v.Tags, id), append(w.Added, id)
	}
	for _, id := range c.Remove {
		if !slices.Contains(v.Tags, id) {
			continue
		}
		if _, err := t.Exec(ctx, `delete from inbox_thread_tag where tenant = $1 and inbox = $2 and thread = $3 and tag = $4`, v.Inbox, v.ID, id); err != nil {
			return nil, err
		}
		v.Tags, w.Removed = slices.DeleteFunc(v.Tags, func(g string) bool { return g == id }), append(w.Removed, id)
	}
	if len(w.Added)+len(w.Removed) == 0 {
		return nil, nil
	}
	return &w, nil
}

func priorityName(n int) string {
	return []string{"", "low", "normal", "high", "urgent"}[min(max(n, 0), 4)]
}

// write writes an entry, and gives its id.
func write(ctx context.Context, t *store.Tenant, v *Thread, who, kind string, w What) (string, error) {
	body, err := json.Marshal(w)
	if err != nil {
		return "", err
	}
	id := tocsin.NewID()
	_, err = t.Exec(ctx, `insert into inbox_entry (tenant, inbox, thread, id, at, kind, who, what) values ($1, $2, $3, $4, $5, $6, $7, $8)`, v.Inbox, v.ID, id, t.Tx().Clock().Now(), kind, who, json.RawMessage(body))
	return id, err
}

// tell tells those who look at pages, and what follows the facts.
func tell(ctx context.Context, t *store.Tenant, v *Thread, who string) error {
	body, err := json.Marshal(map[string]string{"inbox": v.Inbox})
	if err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "inbox.thread", Subject: v.ID, Actor: who, Body: body})
}

// Entries are those of a thread, in order; the last most of them.
func Entries(ctx context.Context, t *store.Tenant, box, thread string, most int) ([]Entry, error) {
	rows, err := t.Query(ctx, `select id, at, kind, who, what from inbox_entry where tenant = $1 and inbox = $2 and thread = $3 order by id desc limit $4`, box, thread, most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Entry{}
	for rows.Next() {
		var e Entry
		var at int64
		var what string
		if err := rows.Scan(&e.ID, &at, &e.Kind, &e.Who, &what); err != nil {
			return nil, err
		}
		e.At = tocsin.FromMillis(at)
		if err := json.Unmarshal([]byte(what), &e.What); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	slices.Reverse(out)
	return out, rows.Err()
}
