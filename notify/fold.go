package notify

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// Follower is the name under which Fold follows the facts.
const Follower = "alerts"

// Fold is a step over facts, for stream.Fold: it writes an alert for each channel that wants a finding's new state and has
// not been told of it.
func (a *Alerts) Fold(ctx context.Context, tx *store.Tx, facts []store.Fact) error {
	by := map[tocsin.TenantID][]store.Fact{}
	for _, f := range facts {
		if f.Tenant != Installation {
			by[f.Tenant] = append(by[f.Tenant], f)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(by)) {
		if err := a.fold(ctx, tx, id, by[id]); err != nil {
			return err
		}
	}
	return nil
}

// fold is Fold for one tenant's facts.
func (a *Alerts) fold(ctx context.Context, tx *store.Tx, tenant tocsin.TenantID, facts []store.Fact) error {
	t := tx.Tenant(tenant)
	early, err := settling(ctx, t)
	if err != nil {
		return err
	}
	raised := map[string]time.Time{} // findings that a fact concerns; when they were raised, where a fact says it
	for _, f := range facts {
		switch f.Kind {
		case "finding.raised":
			if at, ok := raised[f.Subject]; !ok || at.IsZero() {
				raised[f.Subject] = f.At
			}
		case "finding.updated", "finding.fixed", "finding.decided":
			if _, ok := raised[f.Subject]; !ok {
				raised[f.Subject] = time.Time{}
			}
		}
	}
	if len(raised) == 0 {
		return nil
	}
	list, err := listening(ctx, tx, tenant)
	if err != nil || len(list) == 0 {
		return err
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(raised)), 200) {
		found, err := a.findings(ctx, t, ids)
		if err != nil {
			return err
		}
		for _, c := range list {
			if err := a.alert(ctx, tx, &c, found, raised, early); err != nil {
				return err
			}
		}
	}
	return nil
}

// listening are the channels that may want to hear of a tenant.
func listening(ctx context.Context, tx *store.Tx, tenant tocsin.TenantID) ([]Channel, error) {
	own, err := List(ctx, tx.Tenant(tenant))
	if err != nil {
		return nil, err
	}
	all, err := List(ctx, tx.Tenant(Installation))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append(own, all...), func(c Channel) bool {
		return !c.Enabled || len(c.Filter.Tenants) > 0 && !slices.Contains(c.Filter.Tenants, tenant)
	}), nil
}

// wants says whether the filter lets a finding through, whatever has become of it.
func (f *Filter) wants(x *Finding) bool {
	if x.Severity.Rank() < f.Severity.Rank() {
		return false
	}
	return len(f.Rules) == 0 || slices.ContainsFunc(f.Rules, func(r string) bool { return r == x.Rule || r == familyOf(x.Rule) })
}

// familyOf is the family of a detection; of the customer's own there is one.
func familyOf(name string) string {
	if sigma.Owns(name) {
		return sigma.Family
	}
	return families()[name]
}

// families are the detections' families, by name.
var families = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for _, m := range rule.All() {
		out[m.Name] = m.Family
	}
	return out
})

// findings are findings as messages tell them, as they are now.
func (a *Alerts) findings(ctx context.Context, t *store.Tenant, ids []string) (map[string]*Finding, error) {
	var name string
	if err := t.QueryRow(ctx, `select name from tenant where tenant = $1`).Scan(&name); err != nil && !errors.Is(err, store.ErrNone) {
		return nil, err
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	rows, err := t.Query(ctx, `select id, rule, title, severity, risk, status, person, who, why, stage, body, first_seen, last_seen, count
		from finding where tenant = $1 and id in (`+store.In(len(ids), 2)+`)`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]*Finding{}
	for rows.Next() {
		f := &Finding{Tenant: t.ID(), TenantName: name}
		var body string
		var first, last int64
		if err := rows.Scan(&f.ID, &f.Rule, &f.Title, &f.Severity, &f.Risk, &f.Status, &f.Person, &f.Who, &f.Why, &f.Stage, &body, &first, &last, &f.Times); err != nil {
			return nil, err
		}
		var x struct {
			Attack []string `json:"attack"`
		}
		if err := json.Unmarshal([]byte(body), &x); err != nil {
			return nil, err
		}
		f.Attack, f.FirstSeen, f.LastSeen = x.Attack, tocsin.FromMillis(first), tocsin.FromMillis(last)
		if f.Attack == nil {
			f.Attack = []string{}
		}
		f.URL = a.link(t.ID(), "findings/"+f.ID)
		out[f.ID] = f
	}
	return out, rows.Err()
}

// told is what a channel was last told of a finding.
type told struct {
	round, rank int
	fixed       bool
}

// change is what a finding's state is to a channel that was told had (nil for nothing yet): the change, or nothing, and
// what it has been told then.
func change(had *told, x *Finding) (string, told) {
	open := x.Status == tocsin.Open || x.Status == tocsin.InWork
	now := told{round: x.Times, rank: x.Severity.Rank()}
	switch {
	case open && had == nil && x.Times > 1:
		return Reopened, now
	case open && had == nil:
		return Opened, now
	case had == nil:
		return "", now
	case open && (had.fixed || x.Times > had.round):
		return Reopened, now
	case open && now.rank > had.rank:
		return Worse, now
	case x.Status == tocsin.Fixed && !had.fixed:
		now.fixed, now.rank = true, had.rank
		return Fixed, now
	}
	return "", *had
}

// alert writes the alerts of a channel for findings that a fact concerned. A takeover is one alert, not one for each of its parts.
func (a *Alerts) alert(ctx context.Context, tx *store.Tx, c *Channel, found map[string]*Finding, raised map[string]time.Time, early bool) error {
	owner := tx.Tenant(c.Owner)
	ids := slices.Sorted(maps.Keys(found))
	if len(ids) == 0 {
		return nil
	}
	tenant := found[ids[0]].Tenant
	had, err := toldOf(ctx, owner, c.ID, tenant, ids)
	if err != nil {
		return err
	}
	whole, err := takeovers(ctx, tx.Tenant(tenant), ids)
	if err != nil {
		return err
	}
	now := tx.Clock().Now()
	var alerts, marks [][]any
	for _, id := range ids {
		x, before := found[id], had[id]
		if before == nil && !c.Filter.wants(x) {
			continue
		}
		if w := whole[id]; before == nil && w != nil && c.Filter.wants(w) {
			continue // the takeover that it is a part of is told, once
		}
		what, then := change(before, x)
		if what == "" {
			continue
		}
		marks = append(marks, []any{c.ID, string(tenant), id, then.round, then.rank, then.fixed})
		if before == nil {
			at := raised[id]
			if at.IsZero() {
				if at, err = raisedAt(ctx, tx.Tenant(tenant), id); err != nil {
					return err
				}
			}
			if at.Before(c.Since) {
				continue // it was there before the channel: only what becomes of it is news
			}
		}
		if !slices.Contains(c.Filter.Changes, what) || before != nil && what != Fixed && !c.Filter.wants(x) {
			continue
		}
		x.Change = what
		body, err := json.Marshal(x)
		if err != nil {
			return err
		}
		alerts = append(alerts, []any{tocsin.NewID(), c.ID, string(tenant), id, x.Rule, string(x.Severity), x.Severity.Rank(), what, string(body), now, early, waiting})
	}
	if len(marks) == 0 {
		return nil
	}
	if err := owner.Insert(ctx, store.Into{Table: "alert_told", Columns: strings.Fields("channel about finding round rank fixed"), Key: strings.Fields("channel about finding")}, marks); err != nil {
		return err
	}
	return owner.Insert(ctx, store.Into{Table: "alert", Columns: strings.Fields("id channel about finding rule severity severity_rank change body at early state")}, alerts)
}

// takeovers are, of findings that are part of a takeover, the finding that says so, while it is open.
func takeovers(ctx context.Context, t *store.Tenant, ids []string) (map[string]*Finding, error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	rows, err := t.Query(ctx, `select p.finding, f.rule, f.severity from attack_story_part p join attack_story s on s.tenant = p.tenant and s.id = p.story
		join finding f on f.tenant = s.tenant and f.id = s.takeover
		where p.tenant = $1 and f.status in ('open', 'in_work') and p.finding in (`+store.In(len(ids), 2)+`)`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]*Finding{}
	for rows.Next() {
		var id string
		w := &Finding{}
		if err := rows.Scan(&id, &w.Rule, &w.Severity); err != nil {
			return nil, err
		}
		out[id] = w
	}
	return out, rows.Err()
}

func toldOf(ctx context.Context, owner *store.Tenant, channel string, tenant tocsin.TenantID, ids []string) (map[string]*told, error) {
	args := []any{channel, string(tenant)}
	for _, id := range ids {
		args = append(args, id)
	}
	rows, err := owner.Query(ctx, `select finding, round, rank, fixed from alert_told where tenant = $1 and channel = $2 and about = $3 and finding in (`+store.In(len(ids), 4)+`)`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]*told{}
	for rows.Next() {
		var id string
		h := &told{}
		if err := rows.Scan(&id, &h.round, &h.rank, &h.fixed); err != nil {
			return nil, err
		}
		out[id] = h
	}
	return out, rows.Err()
}

// raisedAt is when a finding was raised last.
func raisedAt(ctx context.Context, t *store.Tenant, id string) (time.Time, error) {
	var ms int64
	err := t.QueryRow(ctx, `select coalesce(max(at), 0) from finding_change where tenant = $1 and finding = $2 and change in ('raised', 'reopened')`, id).Scan(&ms)
	return tocsin.FromMillis(ms), err
}

const (
	// settleFor is how long after a tenant's first sync its findings still belong to it: all are judged once more then.
	settleFor = 2 * time.Minute
	// settleMost is after how long a tenant that cannot be read whole, because a permission lacks, is treated as if it had been.
	settleMost = 6 * time.Hour
)

// settling says whether a tenant's first sync is under way. Its end is kept under a name of its own, in milliseconds.
func settling(ctx context.Context, t *store.Tenant) (bool, error) {
	now := tocsin.Millis(t.Tx().Clock().Now())
	end, err := t.Tx().Cursor(ctx, settled(t.ID()), 0)
	if err != nil {
		return false, err
	}
	if end > 0 {
		return now < end, nil
	}
	var created int64
	err = t.QueryRow(ctx, `select created from tenant where tenant = $1`).Scan(&created)
	if errors.Is(err, store.ErrNone) || err == nil && now > created+settleMost.Milliseconds() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var read int
	err = t.QueryRow(ctx, `select count(*) from source where tenant = $1 and name in ('users', 'rules', 'settings') and succeeded > 0`).Scan(&read)
	if err != nil || read < 3 {
		return true, err
	}
	return true, t.Tx().MoveCursor(ctx, settled(t.ID()), 0, 0, now+settleFor.Milliseconds())
}

func settled(tenant tocsin.TenantID) string { return "alerts/settled/" + string(tenant) }
