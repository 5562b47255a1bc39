package collect

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Identity Protection tells two things: what was detected, which is a log like the others and is judged like it, and whom it holds
// to be at risk now, which is a state. It answers one request a second for all apps of a tenant, so neither is ever asked per person.

// askRiskDetections reads what was detected since the last round, of people and, where that is licensed, of applications.
func (c *Collector) askRiskDetections(ctx context.Context) error {
	if err := c.peopleFirst(ctx); err != nil {
		return err
	}
	if err := c.readLog(ctx, riskLogs[0]); err != nil {
		return err
	}
	return lesser(c.readLog(ctx, riskLogs[1]))
}

// lesser is a failure of what a source goes on without: a refusal is told, and the round was good.
func lesser(err error) error {
	if _, denied := errors.AsType[*graph.Denied](err); denied || notOffered(err) {
		return &partly{[]error{err}}
	}
	return err
}

// riskyObject is a riskyUser or riskyServicePrincipal.
type riskyObject struct {
	ID      string    `json:"id"`
	Deleted bool      `json:"isDeleted"`
	Detail  string    `json:"riskDetail"`
	Updated time.Time `json:"riskLastUpdatedDateTime"`
	Level   string    `json:"riskLevel"`
	State   string    `json:"riskState"`
	Name    string    `json:"userDisplayName"`
	UPN     string    `json:"userPrincipalName"`
	Display string    `json:"displayName"`
}

// protectionStates are Microsoft's words for what became of a risk, in ours.
// https://learn.microsoft.com/graph/api/resources/riskyuser#properties
var protectionStates = map[string]string{"none": "none", "confirmedSafe": "safe", "remediated": "remediated", "dismissed": "dismissed", "atRisk": "at_risk", "confirmedCompromised": "confirmed"}

// askProtection reads whom Identity Protection holds to be at risk, and what changed of that since the last round.
func (c *Collector) askProtection(ctx context.Context) error {
	row, err := c.row(ctx, "protection")
	if err != nil {
		return err
	}
	if err := c.readRisky(ctx, "riskyUsers.list", "user", row.Succeeded); err != nil {
		return err
	}
	roles, err := c.Graph.RolesFor(ctx, "")
	if err != nil || !anyOf(roles, graph.Find("riskyServicePrincipals.list").Permissions) {
		return nil // not granted: the capability says so
	}
	return lesser(c.readRisky(ctx, "riskyServicePrincipals.list", "application", row.Succeeded))
}

func anyOf(roles, wanted []string) bool {
	for _, r := range roles {
		for _, w := range wanted {
			if r == w {
				return true
			}
		}
	}
	return false
}

// readRisky reads one of the lists: whole at first, then what changed from an hour before the last round on.
func (c *Collector) readRisky(ctx context.Context, call, kind string, last int64) error {
	params := graph.P{}
	if last > 0 {
		params["$filter"] = "riskLastUpdatedDateTime ge " + tocsin.FromMillis(last).Add(-time.Hour).UTC().Format(time.RFC3339)
	}
	var some []riskyObject
	for o, err := range graph.Pages[riskyObject](ctx, c.Graph, call, params) {
		if err != nil {
			return err
		}
		if some = append(some, o); len(some) == 200 {
			if err := c.keepRisky(ctx, kind, some); err != nil {
				return err
			}
			some = some[:0]
		}
	}
	return c.keepRisky(ctx, kind, some)
}

func (c *Collector) keepRisky(ctx context.Context, kind string, list []riskyObject) error {
	if len(list) == 0 {
		return nil
	}
	now := tocsin.Millis(c.Store.Clock().Now())
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		for _, o := range list {
			if err := keepOneRisky(ctx, t, kind, o, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func keepOneRisky(ctx context.Context, t *store.Tenant, kind string, o riskyObject, now int64) error {
	state, known := protectionStates[o.State]
	if !known {
		state = "none"
	}
	level := strings.ToLower(o.Level)
	if level == "unknownfuturevalue" || level == "" || o.Deleted {
		level = "none"
	}
	name := o.Name
	for _, other := range []string{o.Display, o.UPN, o.ID} {
		if name == "" {
			name = other
		}
	}
	person := ""
	if kind == "user" { // whether they were read yet or not
		person = string(tocsin.NewPersonID(t.ID(), o.ID))
	}
	n, err := t.Exec(ctx, `insert into protection (tenant, object_id, kind, person, name, level, state, detail, at, seen) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		on conflict (tenant, object_id) do update set person = excluded.person, name = excluded.name, level = excluded.level, state = excluded.state, detail = excluded.detail, at = excluded.at, seen = excluded.seen
			where protection.level <> excluded.level or protection.state <> excluded.state or protection.at <> excluded.at`,
		o.ID, kind, person, clipped(name, 400), level, state, o.Detail, tocsin.Millis(o.Updated), now)
	if err != nil || n == 0 {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "protection.changed", Subject: o.ID, Person: person})
}
