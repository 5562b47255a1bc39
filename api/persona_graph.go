package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// graphRows is how many pairs of a window are looked at.
const graphRows = 200_000

// graphBefore is how many weeks before the window an edge must not have been seen in to be called new.
const graphBefore = 12

// noDepartment is the node of those who are in none.
const noDepartment = "no department"

// flow is what somebody of the organisation sent an address in a week.
type flow struct {
	week, sent      int64
	person, who     tocsin.PersonID
	address         string
	outside         bool
	department, his string // the sender's, and that of whom it was sent to
}

// GetPersonaGraph is who writes with whom in a window of time.
func (s *Service) GetPersonaGraph(ctx context.Context, in PersonaGraphIn) (PersonaGraph, error) {
	return view(ctx, s, "personas graph", in, func(ctx context.Context, t *store.Tenant, _ Caller) (PersonaGraph, error) {
		g := PersonaGraph{By: cmp.Or(in.By, "department"), Nodes: []PersonaGraphNode{}, Edges: []PersonaGraphEdge{}, Weeks: []PersonaGraphWeek{}}
		until := in.Until
		if until.IsZero() {
			until = s.now()
		}
		since := in.Since
		if since.IsZero() {
			since = until.AddDate(0, 0, -21)
		}
		if since.After(until) {
			return g, invalid("Give a since that is before until.", "The window ends before it begins.")
		}
		first, last := weekOf(dayOf(since)), weekOf(dayOf(until))
		g.Since, g.Until = dateOf(first), dateOf(last+6)
		of := in.Of
		if of != "" {
			var err error
			if of, err = personNamed(ctx, t, of); err != nil {
				return g, err
			}
		}
		if err := g.weeks(ctx, t); err != nil {
			return g, err
		}
		if len(g.Weeks) == 0 {
			g.Because = "No mail was learned yet."
			return g, nil
		}
		flows, err := flowsOf(ctx, t, first-7*graphBefore, last, of)
		if err != nil {
			return g, err
		}
		cut := len(flows) > graphRows
		if cut {
			flows = flows[:graphRows] // of the weeks before it is not known what there was
			g.Because = "There is more mail in the window than is looked at: choose a shorter one, or one person."
		}
		odd, err := anomalies(ctx, t, (&query{}).add("select "+anomalyColumns+" from anomaly where tenant = $1 and day >= ? and day <= ? order by at desc, id limit 500", first, last+6))
		if err != nil {
			return g, err
		}
		b := graphBuilder{g: &g, first: int64(first), nodes: map[string]*graphNode{}, edges: map[[2]string]*graphEdge{}, begun: !cut && g.Weeks[0].Week < dateOf(first)}
		for i := range flows {
			b.add(&flows[i])
		}
		b.mark(odd)
		return g, b.finish(ctx, t, in.Group, cmp.Or(in.Limit, 150))
	})
}

func (g *PersonaGraph) weeks(ctx context.Context, t *store.Tenant) error {
	type row struct {
		week int64
		n    int
	}
	fields := func(r *row) []any { return []any{&r.week, &r.n} }
	rows, err := find(ctx, t, (&query{}).add("select week, sent from contact_total where tenant = $1 order by week"), fields)
	if err != nil {
		return err
	}
	odd, err := find(ctx, t, (&query{}).add("select day, count(*) from anomaly where tenant = $1 group by day"), fields)
	if err != nil {
		return err
	}
	n := map[int32]int{}
	for _, r := range odd {
		n[weekOf(int32(r.week))] += r.n
	}
	for _, r := range rows {
		g.Weeks = append(g.Weeks, PersonaGraphWeek{Week: dateOf(int32(r.week)), Mails: r.n, Anomalies: n[int32(r.week)]})
	}
	return nil
}

func flowsOf(ctx context.Context, t *store.Tenant, first, last int32, of tocsin.PersonID) ([]flow, error) {
	q := (&query{}).add("select c.week, c.person, c.address, c.who, c.outside, c.sent, coalesce(p.department, ''), coalesce(o.department, '') from contact_week c "+
		"left join person p on p.tenant = c.tenant and p.person = c.person left join person o on o.tenant = c.tenant and o.person = c.who "+
		"where c.tenant = $1 and c.week >= ? and c.week <= ? and c.sent > 0", first, last)
	if of != "" {
		return flowsOfOne(ctx, t, first, last, of)
	}
	return find(ctx, t, q.add(" order by c.week desc, c.person, c.address limit ?", graphRows+1), func(f *flow) []any {
		return []any{&f.week, &f.person, &f.address, &f.who, &f.outside, &f.sent, &f.department, &f.his}
	})
}

// flowsOfOne are the flows from and to a person: each week's rows are found by their key.
func flowsOfOne(ctx context.Context, t *store.Tenant, first, last int32, of tocsin.PersonID) ([]flow, error) {
	type row struct {
		flow
		received     int64
		his, address string
	}
	var out []flow
	for week := last; week >= first; week -= 7 {
		q := (&query{}).add("select c.week, c.address, c.who, c.outside, c.sent, c.received, coalesce(p.department, ''), coalesce(o.department, ''), coalesce(case when p.mail <> '' then p.mail else p.upn end, '') from contact_week c "+
			"left join person p on p.tenant = c.tenant and p.person = c.person left join person o on o.tenant = c.tenant and o.person = c.who "+
			"where c.tenant = $1 and c.week = ? and c.person = ? order by c.address", week, of)
		rows, err := find(ctx, t, q, func(r *row) []any {
			return []any{&r.week, &r.flow.address, &r.who, &r.outside, &r.sent, &r.received, &r.department, &r.his, &r.address}
		})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			f := r.flow
			f.person, f.his = of, r.his
			if f.sent > 0 {
				out = append(out, f)
			}
			if r.received > 0 && r.who != "" && r.who != of {
				out = append(out, flow{week: r.week, sent: r.received, person: r.who, who: of, address: tocsin.CanonicalAddress(r.address), department: r.his, his: r.department})
			}
		}
	}
	return out, nil
}

type graphNode struct {
	PersonaGraphNode
	people map[tocsin.PersonID]bool
}

type graphEdge struct {
	PersonaGraphEdge
	pairs  map[string]bool
	before bool // it was there before the window
}

type graphBuilder struct {
	g     *PersonaGraph
	first int64
	begun bool // mail from before the window is known
	nodes map[string]*graphNode
	edges map[[2]string]*graphEdge
}

// ends are the nodes of a flow.
func (b *graphBuilder) ends(f *flow) (from, to *graphNode) {
	_, host, _ := strings.Cut(f.address, "@")
	switch b.g.By {
	case "person":
		from = b.node("person", "p:"+string(f.person), "", f.person, false)
		if f.who != "" {
			return from, b.node("person", "p:"+string(f.who), "", f.who, false)
		}
		return from, b.node("person", "a:"+f.address, f.address, "", f.outside)
	case "domain":
		from = b.node("domain", "d:inside", "inside", "", false)
		if !f.outside {
			return from, b.node("domain", "d:inside", "inside", "", false)
		}
		return from, b.node("domain", "d:"+host, host, "", true)
	}
	from = b.node("department", "g:"+cmp.Or(f.department, noDepartment), cmp.Or(f.department, noDepartment), "", false)
	if f.outside {
		return from, b.node("domain", "d:"+host, host, "", true)
	}
	return from, b.node("department", "g:"+cmp.Or(f.his, noDepartment), cmp.Or(f.his, noDepartment), "", false)
}

func (b *graphBuilder) node(kind, id, name string, person tocsin.PersonID, outside bool) *graphNode {
	n := b.nodes[id]
	if n == nil {
		n = &graphNode{PersonaGraphNode: PersonaGraphNode{ID: id, Kind: kind, Name: name, Person: person, Outside: outside}, people: map[tocsin.PersonID]bool{}}
		b.nodes[id] = n
	}
	return n
}

func (b *graphBuilder) add(f *flow) {
	from, to := b.ends(f)
	k := [2]string{from.ID, to.ID}
	e := b.edges[k]
	if e == nil {
		e = &graphEdge{PersonaGraphEdge: PersonaGraphEdge{From: from.ID, To: to.ID, Anomalies: []string{}}, pairs: map[string]bool{}}
		b.edges[k] = e
	}
	if f.week < b.first {
		e.before = true
		return
	}
	e.pairs[string(f.person)+" "+f.address] = true
	e.Mails += int(f.sent)
	from.Mails, to.Mails = from.Mails+int(f.sent), to.Mails+int(f.sent)
	from.people[f.person] = true
	if f.who != "" {
		to.people[f.who] = true
	} else {
		to.people[f.person] = true
	}
}

// mark puts anomalies on the edges that they are about.
func (b *graphBuilder) mark(odd []Anomaly) {
	by := map[string][]*Anomaly{}
	for i := range odd {
		for _, a := range odd[i].Odd {
			k := string(odd[i].Person) + " " + a
			by[k] = append(by[k], &odd[i])
		}
	}
	for _, e := range b.edges {
		for _, pair := range slices.Sorted(maps.Keys(e.pairs)) {
			for _, a := range by[pair] {
				if !slices.Contains(e.Anomalies, a.ID) {
					e.Anomalies, e.Odd = append(e.Anomalies, a.ID), true
					e.Why = cmp.Or(e.Why, a.Why)
				}
			}
		}
		e.Pairs = len(e.pairs)
		if e.New = b.begun && !e.before; e.New && e.Why == "" {
			e.Why = fmt.Sprintf("Nothing went this way in the %d weeks before, as far as they are known.", graphBefore)
		}
	}
}

// finish picks what there is room for.
func (b *graphBuilder) finish(ctx context.Context, t *store.Tenant, group string, limit int) error {
	var edges []*graphEdge
	for _, e := range b.edges {
		if e.Mails > 0 && (group == "" || e.From == group || e.To == group) {
			edges = append(edges, e)
		}
	}
	rank := func(e *graphEdge) int {
		if e.Odd {
			return 0
		}
		return 1
	}
	slices.SortFunc(edges, func(x, y *graphEdge) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(y.Mails, x.Mails), cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To))
	})
	b.g.LeftOut = max(0, len(edges)-limit)
	used, people := map[string]bool{}, map[tocsin.PersonID]bool{}
	for _, e := range edges[:min(limit, len(edges))] {
		b.g.Edges = append(b.g.Edges, e.PersonaGraphEdge)
		used[e.From], used[e.To] = true, true
	}
	for id := range used {
		if p := b.nodes[id].Person; p != "" {
			people[p] = true
		}
	}
	names, err := namesOf(ctx, t, people)
	if err != nil {
		return err
	}
	for id := range used {
		n := b.nodes[id]
		n.People = len(n.people)
		if n.Person != "" {
			n.Name = firstOf(names[n.Person].name, names[n.Person].address)
		}
		b.g.Nodes = append(b.g.Nodes, n.PersonaGraphNode)
	}
	slices.SortFunc(b.g.Nodes, func(x, y PersonaGraphNode) int { return cmp.Or(cmp.Compare(y.Mails, x.Mails), cmp.Compare(x.ID, y.ID)) })
	return nil
}
