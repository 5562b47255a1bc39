package investigate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/query"
	"tocsin.dev/store"
)

// Desk is where investigations are planned.
type Desk struct {
	Store    *store.Store
	Ways     Ways
	Boundary Boundary // nil: there is none
}

// Ask is what a plan is asked for.
type Ask struct {
	Query      string
	Scope      Scope
	Depth      string
	Connection string
	Since      time.Time
}

// planned is a plan with what the search needs of it.
type planned struct {
	SearchPlan
	way     Way
	query   *query.Query
	push    query.Push
	targets []target
}

// Plan says what a search would do. Nothing is searched, and nothing recorded.
func (d *Desk) Plan(ctx context.Context, tenant tocsin.TenantID, ask Ask) (SearchPlan, error) {
	p, err := d.plan(ctx, tenant, ask)
	if err != nil {
		return SearchPlan{}, err
	}
	return p.SearchPlan, nil
}

func (d *Desk) plan(ctx context.Context, tenant tocsin.TenantID, ask Ask) (*planned, error) {
	q, err := query.Parse(ask.Query)
	if err != nil {
		return nil, err
	}
	if err := ask.Scope.sound(); err != nil {
		return nil, err
	}
	p := &planned{query: q}
	if p.way, err = d.Ways(ctx, tenant, ask.Connection, CanSearch); err != nil {
		return nil, err
	}
	members, err := membersOf(ctx, d.Store, tenant, p.way.Graph, ask.Scope.Groups)
	if err != nil {
		return nil, err
	}
	err = d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		domains, all, err := d.boundary(ctx, t, p.way.ID)
		if err != nil {
			return err
		}
		p.targets, p.Without, err = targets(ctx, t, ask.Scope, members, domains, all)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.push = q.Push(d.Store.Clock().Now())
	p.fill(ask)
	_, off := d.Ways(ctx, tenant, "", CanTrace)
	switch ofTrace := traceable(q); {
	case off != nil:
		p.Trace, p.Because = "off", tocsin.AsProblem(off).What
	case len(ofTrace) == 0:
		p.Trace, p.Because = "off", "The query names no sender, subject or message id by which traces can be asked for."
	default:
		p.Trace = "ask"
	}
	return p, nil
}

func (d *Desk) boundary(ctx context.Context, t *store.Tenant, connection string) (domains []string, all bool, err error) {
	if d.Boundary == nil {
		return nil, true, nil
	}
	return d.Boundary(ctx, t, connection)
}

// What Microsoft grants an app in ten seconds, of which a search takes a part; and how long a request takes, about.
const (
	grantedIn10s = 130_000
	perRequest   = 250 * time.Millisecond
	inFlight     = searchers * 2 * 20 // parts at a time
)

// fill says what is going to be done, in words and numbers.
func (p *planned) fill(ask Ask) {
	p.Query, p.Exact, p.Connection = p.query.String(), p.push.Exact, p.way.Name
	p.Depth = ask.Depth
	if p.Depth == "" {
		p.Depth = Whole
	}
	p.Pushed, p.Here, p.From, p.To = p.push.Pushed, p.push.Here, p.push.From, p.push.To
	if ask.Since.After(p.From) {
		p.From = ask.Since
	}
	for _, g := range p.targets {
		if g.out == "" {
			p.Mailboxes++
		} else {
			p.OutOfScope++
		}
	}
	needs := p.query.Needs(&query.Doc{})
	switch {
	case needs == 0:
		p.Content = "none"
	case p.way.Metadata:
		p.Content = "refused"
	default:
		p.Content = "some"
	}
	first, filter := passesOf(p.push, p.way.Metadata, p.Depth)
	p.Filter, p.First = filter.filter, first.words()
	if p.Depth == Index {
		p.Filter, p.Search = first.filter, first.search
	}
	perBox := int64(2)
	if p.First != "" && p.Depth == Whole {
		perBox = 4
	}
	p.Calls = p.Mailboxes * perBox
	took := time.Duration(p.Calls/inFlight+1) * perRequest
	p.Seconds = max(1, int64(took/time.Second))
	p.Quota = min(1, float64(p.Calls)/(float64(grantedIn10s)*max(1, took.Seconds()/10)))
	p.Notes = p.notes()
}

// notes say what is out of reach, and what else should be known before.
func (p *planned) notes() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	say("All folders are searched, those deleted and hidden too, and the recoverable items. Archive mailboxes are out of reach: Microsoft Graph does not open them.")
	if p.way.Metadata {
		say("The connection may read metadata only. What the query asks of subjects, texts and attachments stays unknown, and recoverable items are not searched.")
	}
	if p.Filter == "" && p.From.IsZero() && p.To.IsZero() && p.Depth == Whole {
		say("Nothing of the query narrows what Graph gives back, so every message of every mailbox is looked at. Name a sender or a time, and it is quicker by far.")
	}
	if p.Content == "some" && len(p.Here) > 0 {
		say("Subjects, texts or attachments are read of those messages that their envelopes leave open. How many these are is not known before: each costs a request more than is counted here.")
	}
	if p.Depth == Index {
		say("Only what Exchange's index gives is looked at: at most 1,000 messages of a mailbox, and none that the index passes over.")
	}
	if p.OutOfScope > 0 {
		say("%d mailboxes are outside of what the connection is authorised for, and are not searched.", p.OutOfScope)
	}
	if p.Without > 0 {
		say("%d people in scope have no mailbox in Exchange Online.", p.Without)
	}
	return out
}

// prepare says what a run is going to do, and in which mailboxes.
func (e *Engine) prepare(ctx context.Context, tenant tocsin.TenantID, r *Run, v *Investigation) (*planned, error) {
	p, err := e.desk().plan(ctx, tenant, Ask{Query: r.Query, Scope: v.Scope, Depth: v.Depth, Connection: v.Connection, Since: r.Since})
	if err != nil {
		return nil, err
	}
	if r.Cause == CauseStanding {
		if p.targets, err = e.untold(ctx, tenant, p.targets); err != nil {
			return nil, err
		}
	}
	r.Plan, r.Mailboxes, r.OutOfScope = p.SearchPlan, int64(len(p.targets)), 0
	for _, g := range p.targets {
		if g.out != "" {
			r.OutOfScope++
		}
	}
	return p, nil
}

// rank is that of a mailbox which nothing tells of yet.
func (p *planned) rank() int64 {
	if first, _ := passesOf(p.push, p.way.Metadata, p.Depth); !first.none {
		return firstRank
	}
	return plainRank
}

// ahead are the first mailboxes that are to be searched, n at most.
func (p *planned) ahead(n int) (out []Box) {
	for _, g := range p.targets {
		if g.out == "" && len(out) < n {
			out = append(out, Box{Person: g.person, Address: g.address, Object: g.object, State: Waiting, Rank: p.rank()})
		}
	}
	return out
}

// writeDown writes down the mailboxes of a run, and what is going to be done.
func (e *Engine) writeDown(ctx context.Context, tenant tocsin.TenantID, r *Run, p *planned) error {
	plan, err := json.Marshal(p.SearchPlan)
	if err != nil {
		return err
	}
	rank := p.rank()
	return e.update(ctx, tenant, func(t *store.Tenant) error {
		now := t.Tx().Clock().Now()
		rows := make([][]any, 0, len(p.targets))
		for _, g := range p.targets {
			state := Waiting
			if g.out != "" {
				state = OutOfScope
			}
			rows = append(rows, []any{r.ID, string(g.person), g.address, g.object, state, g.out, rank, now})
		}
		err := t.Insert(ctx, store.Into{Table: "search_mailbox", Columns: []string{"run", "person", "address", "object_id", "state", "because", "rank", "changed"}, Key: []string{"run", "person"}}, rows)
		if err != nil {
			return err
		}
		_, err = t.Exec(ctx, `update search_run set prepared = true, mailboxes = $3, out_of_scope = $4, plan = $5 where tenant = $1 and id = $2`, r.ID, r.Mailboxes, r.OutOfScope, string(plan))
		return err
	})
}

// untold leaves those mailboxes of which it is not told as mail comes.
func (e *Engine) untold(ctx context.Context, tenant tocsin.TenantID, all []target) ([]target, error) {
	told := map[tocsin.PersonID]bool{}
	err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		rows, err := t.Query(ctx, `select s.person from subscription s where s.tenant = $1 and s.state = 'on'`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id tocsin.PersonID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			told[id] = true
		}
		return rows.Err()
	})
	return slices.DeleteFunc(all, func(g target) bool { return told[g.person] }), err
}
