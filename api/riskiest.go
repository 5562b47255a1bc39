package api

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/store"
)

// byRisk gives a piece of the people that among picks (a condition of risky.person: "exists (select …", so that of those at risk
// each is looked up, and not everybody gathered): those at risk, the highest first; then, unless only these are meant, those that
// calm picks by name. calm is a query of
// person and upn, of people named p, to which conditions can be added.
func byRisk(ctx context.Context, t *store.Tenant, list, after string, n int, among func(*query), calm func() *query) (ids []tocsin.PersonID, next string, err error) {
	type row struct {
		person tocsin.PersonID
		risk   int64
		upn    string
	}
	at, err := parseCursor(after, list, 3)
	if err != nil {
		return nil, "", err
	}
	var rows []row
	if at.begins() || at.number(0) > 0 {
		q := &query{}
		q.add("select person, risk from identity_risk risky where tenant = $1 and risk > 0 and ")
		among(q)
		if !at.begins() {
			q.add(" and (risk < ? or (risk = ? and person > ?))", at.number(0), at.number(0), at.text(2))
		}
		rows, err = find(ctx, t, q.add(" order by risk desc, person limit ?", n+1), func(r *row) []any { return []any{&r.person, &r.risk} })
		if err != nil {
			return nil, "", err
		}
	}
	if calm != nil && len(rows) <= n {
		q := calm().add(" and not exists (select 1 from identity_risk r where r.tenant = $1 and r.person = p.person and r.risk > 0)")
		if !at.begins() && at.number(0) == 0 {
			q.add(" and (p.upn, p.person) > (?, ?)", at.text(1), at.text(2))
		}
		more, err := find(ctx, t, q.add(" order by p.upn, p.person limit ?", n+1-len(rows)), func(r *row) []any { return []any{&r.person, &r.upn} })
		if err != nil {
			return nil, "", err
		}
		rows = append(rows, more...)
	}
	p := paged(rows, n, func(r row) string { return cursor(list, r.risk, r.upn, string(r.person)) })
	for _, r := range p.Items {
		ids = append(ids, r.person)
	}
	return ids, p.Next, nil
}

// identitiesRiskiest lists those with open findings, the highest risk first, and then the others by name.
func identitiesRiskiest(ctx context.Context, t *store.Tenant, in IdentitiesIn) (Page[Identity], error) {
	var p Page[Identity]
	ids, next, err := byRisk(ctx, t, "identities/riskiest", in.After, in.limit(), func(q *query) {
		q.add("exists (select 1 from person where tenant = $1 and person = risky.person")
		personFilters(q, in)
		q.add(")")
	}, func() *query {
		q := (&query{}).add("select p.person, p.upn from person p where p.tenant = $1")
		personFilters(q, in)
		return q
	})
	if err != nil {
		return p, err
	}
	p.Next = next
	if p.Items, err = identities(ctx, t, ids...); err != nil {
		return p, err
	}
	return total(in.Paging, p, func() (int, bool, error) {
		from := (&query{}).add("person where tenant = $1")
		personFilters(from, in)
		return counted(ctx, t, from)
	})
}

// mailboxesByRisk lists the mailboxes of those with open findings, the highest risk first, and then, where the riskiest are
// asked for, the others by address.
func mailboxesByRisk(ctx context.Context, t *store.Tenant, in MailboxesIn) (Page[Mailbox], error) {
	var p Page[Mailbox]
	states, people, err := statesAsked(ctx, t, in)
	if err != nil {
		return p, err
	}
	among := func(q *query) {
		q.add("exists (select 1" + mailboxFrom + " and p.person = risky.person")
		mailboxFilters(q, in, states, true)
		q.add(")")
	}
	calm := func() *query {
		q := (&query{}).add("select p.person, p.upn" + mailboxFrom)
		mailboxFilters(q, in, states, people < few)
		return q
	}
	if in.Sort == "risk" {
		calm = nil
	}
	ids, next, err := byRisk(ctx, t, "mailboxes/"+in.Sort, in.After, in.limit(), among, calm)
	if err != nil {
		return p, err
	}
	found, err := mailboxes(ctx, t, ids...)
	if err != nil {
		return p, err
	}
	by := map[tocsin.PersonID]Mailbox{}
	for _, m := range found {
		by[m.Person] = m
	}
	p = Page[Mailbox]{Items: make([]Mailbox, 0, len(ids)), Next: next}
	for _, id := range ids {
		if m, ok := by[id]; ok {
			p.Items = append(p.Items, m)
		}
	}
	return total(in.Paging, p, func() (int, bool, error) {
		from := &query{}
		if in.Sort == "risk" {
			from.add("identity_risk risky where tenant = $1 and risk > 0 and ")
			among(from)
		} else {
			from.add(mailboxFrom[len(" from "):])
			mailboxFilters(from, in, states, true)
		}
		return counted(ctx, t, from)
	})
}
