package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// States of an alert and of a message. An alert waits, is in a message that is being sent, and ends; a message waits
// (between tries as well) and ends.
const (
	waiting = "waiting"
	sending = "sending"
	sent    = "sent"
	dead    = "dead"    // given up
	dropped = "dropped" // overtaken by what happened while it waited
)

// packMost is how many alerts are looked at, and put into a digest, at once.
const packMost = 2000

// patience is how long an alert of a first sync waits for that to end.
const patience = time.Hour

// queued is an alert that waits.
type queued struct {
	id, about, finding, rule, change, body, held string
	rank                                         int
	at                                           time.Time
	early                                        bool
	severity                                     tocsin.Severity
	until                                        time.Time // while it is held
	why                                          string
}

// pack puts the alerts of a channel that may go out into messages. What is overtaken is dropped, what must wait says why.
func (a *Alerts) pack(ctx context.Context, tx *store.Tx, c *Channel) error {
	owner, now := tx.Tenant(c.Owner), tx.Clock().Now()
	// The channel's row is taken first, so that of two that pack the second finds what the first has left.
	if n, err := owner.Exec(ctx, `update channel set failures = failures where tenant = $1 and id = $2`, c.ID); err != nil || n == 0 {
		return err
	}
	held, err := Get(ctx, owner, c.ID)
	if err != nil {
		return err
	}
	*c = held // as it is now
	all, err := waitingFor(ctx, owner, c.ID, now)
	if err != nil || len(all) == 0 {
		return err
	}
	left, gone := overtaken(all)
	if !c.Enabled {
		left, gone = nil, all
		for _, q := range gone {
			q.why = "the channel is switched off"
		}
	}
	for _, q := range gone {
		if _, err := owner.Exec(ctx, `update alert set state = 'dropped', held = $3, ended = $4 where tenant = $1 and id = $2`, q.id, q.why, now); err != nil {
			return err
		}
	}
	if err := a.hold(ctx, tx, c, left, now); err != nil {
		return err
	}
	decided, err := settledMeanwhile(ctx, tx, left)
	if err != nil {
		return err
	}
	ready, released := []*queued{}, 0
	for _, q := range left {
		if decided[q.about+"|"+q.finding] && q.change != Fixed && q.until.IsZero() {
			if _, err := owner.Exec(ctx, `update alert set state = 'dropped', held = 'somebody decided on it meanwhile', ended = $3 where tenant = $1 and id = $2`, q.id, now); err != nil {
				return err
			}
			continue
		}
		if q.until.IsZero() {
			ready = append(ready, q)
			if q.held != "" {
				released++
			}
		}
	}
	if err := a.rate(ctx, owner, c, ready, released > 1, now); err != nil {
		return err
	}
	for _, q := range left {
		if q.until.IsZero() {
			continue
		}
		if _, err := owner.Exec(ctx, `update alert set held = $3, held_until = $4 where tenant = $1 and id = $2`, q.id, q.why, q.until); err != nil {
			return err
		}
	}
	return nil
}

// waitingFor are the alerts that wait for a channel, in the order they came; those that may go out now, where there are very many.
func waitingFor(ctx context.Context, owner *store.Tenant, channel string, now time.Time) ([]*queued, error) {
	rows, err := owner.Query(ctx, `select id, about, finding, rule, severity, severity_rank, change, body, at, early, held from alert
		where tenant = $1 and state = 'waiting' and channel = $2 order by case when held_until <= $3 then 0 else 1 end, id limit $4`, channel, now, packMost)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*queued
	for rows.Next() {
		q := &queued{}
		var at int64
		if err := rows.Scan(&q.id, &q.about, &q.finding, &q.rule, &q.severity, &q.rank, &q.change, &q.body, &at, &q.early, &q.held); err != nil {
			return nil, err
		}
		q.at = tocsin.FromMillis(at)
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b *queued) int { return strings.Compare(a.id, b.id) })
	return out, rows.Err()
}

// overtaken sorts out what changed again while it waited: of one finding the last alert stays, as what the first was; and
// none where it is fixed before anybody was told.
func overtaken(all []*queued) (left, gone []*queued) {
	last := map[string]*queued{}
	first := map[string]*queued{}
	for _, q := range all {
		key := q.about + "|" + q.finding
		last[key] = q
		if first[key] == nil {
			first[key] = q
		}
	}
	for _, q := range all {
		key := q.about + "|" + q.finding
		switch {
		case last[key] != q:
			q.why = "a later change of the same finding took its place"
		case q.change == Fixed && first[key] != q && first[key].change != Fixed && first[key].change != Worse:
			q.why = "it was fixed before anybody was told"
		default:
			if first[key] != q && q.change == Worse && first[key].change != Fixed {
				q.change = first[key].change
			}
			left = append(left, q)
			continue
		}
		gone = append(gone, q)
	}
	return left, gone
}

// hold finds out what must wait, why and until when.
func (a *Alerts) hold(ctx context.Context, tx *store.Tx, c *Channel, list []*queued, now time.Time) error {
	snoozed, err := snoozesFor(ctx, tx, c, list, now)
	if err != nil {
		return err
	}
	calm := map[string]bool{}
	for _, q := range list {
		if until := snoozed(q); !until.IsZero() {
			q.until, q.why = until, "snoozed"
			continue
		}
		if q.early && now.Sub(q.at) < patience {
			settled, known := calm[q.about]
			if !known {
				s, err := settling(ctx, tx.Tenant(tocsin.TenantID(q.about)))
				if err != nil {
					return err
				}
				settled = !s
				calm[q.about] = settled
			}
			if !settled {
				q.until, q.why = now.Add(10*time.Second), "the first sync is under way"
				continue
			}
		}
		if q.early { // they go as one, whenever it is
			q.held = "early"
		}
		if except := c.Quiet.Except; except == "" || q.rank < except.Rank() {
			if until := c.Quiet.until(now); !until.IsZero() {
				q.until, q.why = until, "quiet hours"
			}
		}
	}
	return nil
}

// settledMeanwhile are the findings that are no longer open: nobody needs to be told that they opened.
func settledMeanwhile(ctx context.Context, tx *store.Tx, list []*queued) (map[string]bool, error) {
	by := map[string][]any{}
	for _, q := range list {
		if q.held != "" && q.until.IsZero() { // what was never held is as it was a moment ago
			by[q.about] = append(by[q.about], q.finding)
		}
	}
	out := map[string]bool{}
	for about, all := range by {
		for ids := range slices.Chunk(all, 200) {
			rows, err := tx.Tenant(tocsin.TenantID(about)).Query(ctx, `select id from finding where tenant = $1 and status not in ('open', 'in_work') and id in (`+store.In(len(ids), 2)+`)`, ids...)
			if err != nil {
				return nil, err
			}
			for rows.Next() {
				var id string
				if err := rows.Scan(&id); err != nil {
					rows.Close()
					return nil, err
				}
				out[about+"|"+id] = true
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// rate puts what is ready into messages: one each while there are few, and one for all where there are many.
func (a *Alerts) rate(ctx context.Context, owner *store.Tenant, c *Channel, ready []*queued, together bool, now time.Time) error {
	if len(ready) == 0 {
		return nil
	}
	window := time.Duration(c.DigestMinutes) * time.Minute
	var lately int
	var lastDigest int64
	err := owner.QueryRow(ctx, `select coalesce(sum(case when kind = 'single' then 1 else 0 end), 0), coalesce(max(case when kind = 'digest' then created else 0 end), 0)
		from alert_message where tenant = $1 and channel = $2 and created > $3`, c.ID, now.Add(-window)).Scan(&lately, &lastDigest)
	if err != nil {
		return err
	}
	switch {
	case lastDigest > 0 && !together:
		for _, q := range ready {
			q.until, q.why = tocsin.FromMillis(lastDigest).Add(window), "gathered for the next digest"
		}
		return nil
	case together || lately+len(ready) > c.DigestOver:
		return message(ctx, owner, c, "digest", ready, now)
	}
	for _, q := range ready {
		if err := message(ctx, owner, c, "single", []*queued{q}, now); err != nil {
			return err
		}
	}
	return nil
}

// message makes a message of alerts.
func message(ctx context.Context, owner *store.Tenant, c *Channel, kind string, alerts []*queued, now time.Time) error {
	id := tocsin.NewID()
	if err := owner.Insert(ctx, store.Into{Table: "alert_message", Columns: strings.Fields("id channel kind alerts state created due")},
		[][]any{{id, c.ID, kind, len(alerts), waiting, now, now}}); err != nil {
		return err
	}
	for chunk := range slices.Chunk(alerts, 200) {
		args := []any{id}
		for _, q := range chunk {
			args = append(args, q.id)
		}
		if _, err := owner.Exec(ctx, `update alert set state = 'sending', held = '', message = $2 where tenant = $1 and id in (`+store.In(len(chunk), 3)+`)`, args...); err != nil {
			return err
		}
		for _, q := range chunk {
			if err := recast(ctx, owner, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// recast keeps an alert's change where it took the place of an earlier one.
func recast(ctx context.Context, owner *store.Tenant, q *queued) error {
	var f Finding
	if err := json.Unmarshal([]byte(q.body), &f); err != nil {
		return err
	}
	if f.Change == q.change {
		return nil
	}
	f.Change = q.change
	body, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = owner.Exec(ctx, `update alert set change = $3, body = $4 where tenant = $1 and id = $2`, q.id, q.change, string(body))
	return err
}

// load is a message as it is sent: the worst of its alerts' findings, and how many there are.
func (a *Alerts) load(ctx context.Context, owner *store.Tenant, c *Channel, id, kind string, created time.Time) (*Message, []tocsin.TenantID, error) {
	m := &Message{ID: id, Created: created, By: map[tocsin.Severity]int{}, Test: kind == "test"}
	if m.Test {
		m.Total = 0
		return m, nil, nil
	}
	rows, err := owner.Query(ctx, `select about, severity, count(*), sum(case when early then 1 else 0 end) from alert where tenant = $1 and message = $2 group by about, severity`, id)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var tenants []tocsin.TenantID
	early := 0
	for rows.Next() {
		var about tocsin.TenantID
		var severity tocsin.Severity
		var n, e int
		if err := rows.Scan(&about, &severity, &n, &e); err != nil {
			return nil, nil, err
		}
		if !slices.Contains(tenants, about) {
			tenants = append(tenants, about)
		}
		m.Total += n
		m.By[severity] += n
		early += e
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	rows.Close()
	m.First = early > 0
	most := listed
	if each(c.Kind) {
		most = packMost
	}
	bodies, err := owner.Query(ctx, `select body from alert where tenant = $1 and message = $2 order by severity_rank desc, id limit $3`, id, most)
	if err != nil {
		return nil, nil, err
	}
	defer bodies.Close()
	for bodies.Next() {
		var body string
		var f Finding
		if err := bodies.Scan(&body); err != nil {
			return nil, nil, err
		}
		if err := json.Unmarshal([]byte(body), &f); err != nil {
			return nil, nil, fmt.Errorf("alert of message %s: %w", id, err)
		}
		m.Findings = append(m.Findings, f)
	}
	if m.digest() && len(tenants) == 1 {
		m.More = a.link(tenants[0], "findings")
	} else if m.digest() && a.URL != "" {
		m.More = strings.TrimRight(a.URL, "/") + "/"
	}
	return m, tenants, bodies.Err()
}
