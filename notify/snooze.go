package notify

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// What a snooze can be of.
const (
	OfFinding = "finding"
	OfRule    = "rule"
	OfChannel = "channel"
)

// SnoozeNew is what makes a snooze.
type SnoozeNew struct {
	Scope, Value, Reason string
	Until                time.Time
}

// Snooze keeps alerts back until a date. It gives the snooze's id.
func (a *Alerts) Snooze(ctx context.Context, t *store.Tenant, actor string, n SnoozeNew) (string, error) {
	now := a.Store.Clock().Now()
	n.Value, n.Reason = strings.TrimSpace(n.Value), strings.TrimSpace(n.Reason)
	if !n.Until.After(now) || n.Until.After(now.AddDate(1, 0, 1)) {
		return "", tocsin.Problemf(tocsin.Invalid, "Give a time that is still to come, within a year.", "until cannot be %s.", n.Until.UTC().Format("2006-01-02 15:04"))
	}
	if err := snoozable(ctx, t, n); err != nil {
		return "", err
	}
	id := tocsin.NewID()
	if _, err := t.Exec(ctx, `delete from snooze where tenant = $1 and scope = $2 and value = $3`, n.Scope, n.Value); err != nil {
		return "", err
	}
	_, err := t.Exec(ctx, `insert into snooze (tenant, id, scope, value, until, reason, created, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		id, n.Scope, n.Value, n.Until, n.Reason, now, actor)
	if err != nil {
		return "", err
	}
	return id, tell(ctx, t, "snooze.changed", n.Value, actor)
}

// snoozable says whether there is what is to be snoozed.
func snoozable(ctx context.Context, t *store.Tenant, n SnoozeNew) error {
	var query string
	switch n.Scope {
	case OfRule:
		if is, err := knownRule(ctx, t, n.Value); err != nil {
			return err
		} else if !is {
			return tocsin.Problemf(tocsin.Invalid, "Use a name or a family of tocsin detections list.", "There is no detection %q.", n.Value)
		}
		return nil
	case OfFinding:
		query = `select 1 from finding where tenant = $1 and id = $2`
	case OfChannel:
		query = `select 1 from channel where tenant = $1 and id = $2`
	default:
		return tocsin.Problemf(tocsin.Invalid, "Use finding, rule or channel.", "A %q cannot be snoozed.", n.Scope)
	}
	var one int
	err := t.QueryRow(ctx, query, n.Value).Scan(&one)
	if errors.Is(err, store.ErrNone) {
		return tocsin.Problemf(tocsin.NotFound, "Look at the list for its id.", "There is no such %s here.", n.Scope)
	}
	return err
}

// EndSnooze ends a snooze: what it held goes out.
func (a *Alerts) EndSnooze(ctx context.Context, tx *store.Tx, tenant tocsin.TenantID, actor, id string) error {
	t := tx.Tenant(tenant)
	var value string
	err := t.QueryRow(ctx, `delete from snooze where tenant = $1 and id = $2 returning value`, id).Scan(&value)
	if errors.Is(err, store.ErrNone) {
		return tocsin.Problemf(tocsin.NotFound, "Look at tocsin snoozes list.", "There is no such snooze.")
	}
	if err != nil {
		return err
	}
	for _, owner := range []tocsin.TenantID{tenant, Installation} {
		// What is held for another reason is held again at once.
		if _, err := tx.Tenant(owner).Exec(ctx, `update alert set held_until = 0 where tenant = $1 and state = 'waiting' and held = 'snoozed'`); err != nil {
			return err
		}
	}
	return tell(ctx, t, "snooze.changed", value, actor)
}

// snoozesFor gives until when an alert of the channel is snoozed; the zero time for now.
func snoozesFor(ctx context.Context, tx *store.Tx, c *Channel, list []*queued, now time.Time) (func(*queued) time.Time, error) {
	type key struct {
		tenant       tocsin.TenantID
		scope, value string
	}
	until := map[key]time.Time{}
	asked := map[tocsin.TenantID]bool{}
	ask := func(tenant tocsin.TenantID) error {
		if asked[tenant] {
			return nil
		}
		asked[tenant] = true
		rows, err := tx.Tenant(tenant).Query(ctx, `select scope, value, until from snooze where tenant = $1 and until > $2`, now)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			k := key{tenant: tenant}
			var ms int64
			if err := rows.Scan(&k.scope, &k.value, &ms); err != nil {
				return err
			}
			until[k] = tocsin.FromMillis(ms)
		}
		return rows.Err()
	}
	if err := errors.Join(ask(c.Owner), ask(Installation)); err != nil {
		return nil, err
	}
	for _, q := range list {
		if err := ask(tocsin.TenantID(q.about)); err != nil {
			return nil, err
		}
	}
	return func(q *queued) time.Time {
		var latest time.Time
		about := tocsin.TenantID(q.about)
		for _, k := range []key{{c.Owner, OfChannel, c.ID}, {about, OfFinding, q.finding}, {about, OfRule, q.rule}, {about, OfRule, familyOf(q.rule)},
			{Installation, OfRule, q.rule}, {Installation, OfRule, familyOf(q.rule)}} {
			if t := until[k]; t.After(latest) {
				latest = t
			}
		}
		return latest
	}, nil
}
