package api

import (
	"context"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// ListIdentities lists people by their sign-in name, or by their risk.
func (s *Service) ListIdentities(ctx context.Context, in IdentitiesIn) (Page[Identity], error) {
	return view(ctx, s, "identities list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Identity], error) {
		if in.Sort == "risk" {
			return identitiesByRisk(ctx, t, in)
		}
		if in.Sort == "riskiest" {
			return identitiesRiskiest(ctx, t, in)
		}
		return identitiesByName(ctx, t, in)
	})
}

func identitiesByName(ctx context.Context, t *store.Tenant, in IdentitiesIn) (Page[Identity], error) {
	var p Page[Identity]
	after, err := parseCursor(in.After, "identities", 2)
	if err != nil {
		return p, err
	}
	n := in.limit()
	q := (&query{}).add("select " + personColumns + " from person where tenant = $1")
	personFilters(q, in)
	if !after.begins() {
		q.add(" and (upn, person) > (?, ?)", after.text(0), after.text(1))
	}
	q.add(" order by upn, person limit ?", n+1)
	rows, err := find(ctx, t, q, (*personRow).fields)
	if err != nil {
		return p, err
	}
	people := make([]Identity, len(rows))
	for i := range rows {
		people[i] = rows[i].view()
	}
	p = paged(people, n, func(i Identity) string { return cursor("identities", i.UPN, string(i.Person)) })
	if err := surround(ctx, t, p.Items); err != nil {
		return p, err
	}
	return total(in.Paging, p, func() (int, bool, error) {
		from := (&query{}).add("person where tenant = $1")
		personFilters(from, in)
		return counted(ctx, t, from)
	})
}

// riskLevels are the least risk of each level, as detect.Grade has them.
var riskLevels = map[string]int{"low": 15, "medium": 40, "high": 65, "critical": 85}

// personFilters adds what is asked for.
func personFilters(q *query, in IdentitiesIn) {
	if !in.Deleted {
		q.add(" and deleted = 0")
	}
	if in.Kind != "" {
		q.add(" and kind = ?", in.Kind)
	}
	if in.Mailbox != "" {
		q.add(" and mailbox = ?", in.Mailbox)
	}
	switch in.Role {
	case "":
	case "any":
		q.add(" and person in (select person from role_member where tenant = $1 union select person from role_holding where tenant = $1)")
	default:
		role := q.arg(in.Role)
		q.add(" and person in (select m.person from role_member m join directory_role d on d.tenant = m.tenant and d.id = m.role where m.tenant = $1 and (d.id = " + role + " or d.name = " + role + ") union select person from role_holding where tenant = $1 and (role = " + role + " or name = " + role + "))")
	}
	if least, ok := riskLevels[in.Risk]; ok {
		q.add(" and person in (select person from identity_risk where tenant = $1 and risk >= ?)", least)
	}
	if in.NoMFA {
		q.add(` and object_id in (select id from state_object where tenant = $1 and path = ? and deleted = 0 and body like '%"isMfaRegistered":false%')`, pathFactors)
	}
	if strings.TrimSpace(in.Q) != "" {
		like := q.arg(contains(in.Q))
		q.add(` and (lower(name) like ` + like + ` escape '\' or lower(upn) like ` + like + ` escape '\' or
			person in (select person from person_address where tenant = $1 and address like ` + like + ` escape '\'))`)
	}
}

// identitiesByRisk lists those at risk, the highest first.
func identitiesByRisk(ctx context.Context, t *store.Tenant, in IdentitiesIn) (Page[Identity], error) {
	var p Page[Identity]
	after, err := parseCursor(in.After, "identities/risk", 2)
	if err != nil {
		return p, err
	}
	type row struct {
		person tocsin.PersonID
		risk   int64
	}
	n := in.limit()
	q := riskyPeople(in)
	if !after.begins() {
		q.add(" and (risk < ? or (risk = ? and person > ?))", after.number(0), after.number(0), after.text(1))
	}
	q.add(" order by risk desc, person limit ?", n+1)
	full := (&query{args: q.args}).add("select person, risk from " + q.text.String())
	rows, err := find(ctx, t, full, func(r *row) []any { return []any{&r.person, &r.risk} })
	if err != nil {
		return p, err
	}
	pieces := paged(rows, n, func(r row) string { return cursor("identities/risk", r.risk, string(r.person)) })
	ids := make([]tocsin.PersonID, len(pieces.Items))
	for i, r := range pieces.Items {
		ids[i] = r.person
	}
	p.Next = pieces.Next
	if p.Items, err = identities(ctx, t, ids...); err != nil {
		return p, err
	}
	return total(in.Paging, p, func() (int, bool, error) { return counted(ctx, t, riskyPeople(in)) })
}

func riskyPeople(in IdentitiesIn) *query {
	q := (&query{}).add("identity_risk where tenant = $1 and risk > 0 and person in (select person from person where tenant = $1")
	personFilters(q, in)
	return q.add(")")
}
