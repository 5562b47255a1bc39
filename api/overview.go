package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// Overview is a tenant at a glance.
func (s *Service) Overview(ctx context.Context, in In) (Overview, error) {
	return view(ctx, s, "overview get", in, func(ctx context.Context, t *store.Tenant, c Caller) (Overview, error) {
		o := Overview{At: s.now(), ByStatus: map[tocsin.Status]int{}}
		for _, part := range []func(context.Context, *store.Tenant, Caller, *Overview) error{
			s.tenantPart, findingsPart, s.daysPart, recentPart, rulesPart, s.sourcesPart, coveragePart,
		} {
			if err := part(ctx, t, c, &o); err != nil {
				return o, err
			}
		}
		return o, nil
	})
}

func (s *Service) tenantPart(ctx context.Context, t *store.Tenant, c Caller, o *Overview) (err error) {
	o.Tenant, err = tenantView(ctx, t, c)
	return err
}

// findingsPart counts findings, from the index alone, and lists the worst.
func findingsPart(ctx context.Context, t *store.Tenant, _ Caller, o *Overview) error {
	type row struct {
		status  tocsin.Status
		rank, n int
	}
	q := (&query{}).add("select status, severity_rank, count(*) from finding where tenant = $1 group by status, severity_rank")
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.status, &r.rank, &r.n} })
	if err != nil {
		return err
	}
	for _, r := range rows {
		o.ByStatus[r.status] += r.n
		if slices.Contains(openStatuses, r.status) {
			o.Open.add(severityOf(r.rank), r.n)
		}
	}
	p, err := listFindings(ctx, t, FindingsIn{Paging: Paging{Limit: 200}})
	if err != nil {
		return err
	}
	o.Worst = p.Items[:min(8, len(p.Items))]
	if o.TopPeople, err = worstPeople(ctx, t); err != nil {
		return err
	}
	for _, f := range p.Items {
		o.Risk = max(o.Risk, f.Risk)
	}
	by, err := openByRule(ctx, t)
	o.TopRules = []RuleCount{}
	for _, r := range by {
		o.TopRules = append(o.TopRules, r)
	}
	slices.SortFunc(o.TopRules, func(a, b RuleCount) int {
		return cmp.Or(b.Severity.Rank()-a.Severity.Rank(), b.Open-a.Open, cmp.Compare(a.Rule, b.Rule))
	})
	o.TopRules = o.TopRules[:min(8, len(o.TopRules))]
	return err
}

// severityOf is the severity of a rank.
func severityOf(rank int) tocsin.Severity {
	return allSeverities[len(allSeverities)-1-min(max(rank, 0), len(allSeverities)-1)]
}

// days is how many days an overview goes back.
const days = 30

// daysPart counts what is new, by the day it was first seen, from the index finding_first alone.
func (s *Service) daysPart(ctx context.Context, t *store.Tenant, _ Caller, o *Overview) error {
	first := o.At.Truncate(24*time.Hour).AddDate(0, 0, 1-days)
	for i := range days {
		o.Days = append(o.Days, Day{Day: first.AddDate(0, 0, i).Format(time.DateOnly)})
	}
	type row struct{ day, rank, n, open, fresh int }
	q := (&query{}).add(`select (first_seen - ?) / 86400000, severity_rank, count(*), sum(case when status in ('open', 'in_work') then 1 else 0 end),
			sum(case when first_seen >= ? and status in ('open', 'in_work') then 1 else 0 end)
		from finding where tenant = $1 and first_seen >= ? group by 1, severity_rank`,
		tocsin.Millis(first), tocsin.Millis(o.At.Add(-24*time.Hour)), tocsin.Millis(first))
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.day, &r.rank, &r.n, &r.open, &r.fresh} })
	for _, r := range rows {
		o.New24h.add(severityOf(r.rank), r.fresh)
		if r.day < days {
			o.Days[r.day].add(severityOf(r.rank), r.n)
			o.Days[r.day].Open += r.open
		}
	}
	return err
}

// worstPeople are the people at the highest risk.
func worstPeople(ctx context.Context, t *store.Tenant) ([]Identity, error) {
	ids, err := find(ctx, t, (&query{}).add("select person from identity_risk where tenant = $1 and risk > 0 order by risk desc, person limit 8"), func(p *tocsin.PersonID) []any { return []any{p} })
	if err != nil {
		return nil, err
	}
	return identities(ctx, t, ids...)
}

func recentPart(ctx context.Context, t *store.Tenant, _ Caller, o *Overview) error {
	events, err := listEvents(ctx, t, EventsIn{Type: "RULE", Paging: Paging{Limit: 12}})
	o.Recent = events.Items
	return err
}

func rulesPart(ctx context.Context, t *store.Tenant, _ Caller, o *Overview) error {
	err := t.QueryRow(ctx, `select
		(select count(*) from mail_rule where tenant = $1 and deleted = 0),
		(select count(*) from mail_rule where tenant = $1 and deleted = 0 and targets > 0),
		(select count(*) from mail_rule where tenant = $1 and deleted = 0 and targets > 0 and outside),
		(select count(*) from mail_rule where tenant = $1 and deleted = 0 and risk > 0),
		(select count(*) from mail_rule where tenant = $1 and deleted > 0),
		(select count(*) from mail_rule where tenant = $1 and deleted > $2)`, o.At.AddDate(0, 0, -7)).
		Scan(&o.Rules.All, &o.Rules.Sends, &o.Rules.Outside, &o.Rules.Risky, &o.Rules.Deleted, &o.Rules.Deletes7)
	if err != nil {
		return err
	}
	q := (&query{}).add(`select address, count(distinct person), count(*) from rule_target where tenant = $1 and outside group by address order by 2 desc, 3 desc, address limit 8`)
	o.Destinations, err = find(ctx, t, q, func(d *Destination) []any { return []any{&d.Address, &d.Mailboxes, &d.Rules} })
	for i := range o.Destinations {
		o.Destinations[i].Domain = tocsin.Address{Address: o.Destinations[i].Address}.Domain()
	}
	return err
}

func (s *Service) sourcesPart(ctx context.Context, t *store.Tenant, _ Caller, o *Overview) (err error) {
	if o.Sources, err = sourcesOf(ctx, t, o.At); err != nil {
		return err
	}
	o.Connections, err = connectionsOf(ctx, t, "", o.At)
	return err
}

// coveragePart says of how much the rest is said. Partial data reads incomplete, never clean.
func coveragePart(ctx context.Context, t *store.Tenant, _ Caller, o *Overview) error {
	c := Coverage{ByState: map[string]int{}, NotReadBy: []ReasonCount{}, Incomplete: []string{}, Connections: len(o.Connections)}
	// In the order of the index person_mailbox, so that nothing is sorted: of "deleted = 0" SQLite would conclude that
	// grouping by deleted is needless, and then sort all people.
	q := (&query{}).add("select mailbox, mailbox_because, count(*) from person where tenant = $1 and deleted <= 0 group by mailbox, deleted, mailbox_because")
	rows, err := find(ctx, t, q, func(r *ReasonCount) []any { return []any{&r.State, &r.Because, &r.Count} })
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b ReasonCount) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.State, b.State), cmp.Compare(a.Because, b.Because))
	})
	for _, r := range rows {
		c.People += r.Count
		c.ByState[r.State] += r.Count
		if r.State == mailboxRead {
			c.Mailboxes += r.Count
			continue
		}
		c.NotRead += r.Count
		c.NotReadBy = append(c.NotReadBy, r)
	}
	var oldest, newest int64
	err = t.QueryRow(ctx, `select coalesce((select m.rules_seen from mailbox m join person p on p.tenant = m.tenant and p.person = m.person
			where m.tenant = $1 and m.rules_seen > 0 and p.deleted = 0 and p.mailbox = 'read' order by m.rules_seen limit 1), 0),
		coalesce((select max(rules_seen) from mailbox where tenant = $1), 0), (select count(*) from mailbox where tenant = $1 and rules_seen > 0)`).
		Scan(&oldest, &newest, &c.Read)
	c.Read = min(c.Read, c.Mailboxes)
	c.OldestRead, c.NewestRead = tocsin.FromMillis(oldest), tocsin.FromMillis(newest)
	c.judge(o)
	o.Coverage = c
	return err
}

// had says whether nothing is unseen for want of a capability: it is one to act, or another connection has it.
func had(connections []Connection, name string) bool {
	if connect.Acts(name) {
		return true
	}
	for _, c := range connections {
		for _, k := range c.Capabilities {
			if k.Name == name && k.State == "works" {
				return true
			}
		}
	}
	return false
}

// judge says why the picture is incomplete, where it is.
func (c *Coverage) judge(o *Overview) {
	say := func(yes bool, text string) {
		if yes {
			c.Incomplete = append(c.Incomplete, text)
		}
	}
	say(c.Connections == 0, "The tenant is not connected.")
	for _, n := range o.Connections {
		say(n.State != "on", "The connection "+n.Name+" is "+n.State+".")
		for _, k := range n.Capabilities {
			say(n.State == "on" && k.State != "works" && !had(o.Connections, k.Name), k.Title+" are "+k.State+": "+k.Because)
		}
	}
	for _, s := range o.Sources {
		say(s.State == "failed", "The source "+s.Name+" could not be read: "+s.Because)
		say(s.State == "late", "The source "+s.Name+" is late.")
		say(s.State == "waiting" || s.State == "reading" && s.Succeeded.IsZero(), "The source "+s.Name+" is not read for the first time yet.")
	}
	say(c.Read < c.Mailboxes, "Not every mailbox's rules were read yet.")
	say(c.ByState["unknown"] > 0, "Whether some people have a mailbox is not known yet.")
	c.Complete = len(c.Incomplete) == 0
}
