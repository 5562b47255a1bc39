package api

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/store"
)

// ListEvents lists what happened, newest first.
func (s *Service) ListEvents(ctx context.Context, in EventsIn) (Page[Event], error) {
	return view(ctx, s, "events list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Event], error) {
		p, err := listEvents(ctx, t, in)
		if err != nil {
			return p, err
		}
		return total(in.Paging, p, func() (int, bool, error) {
			from := (&query{}).add("event where tenant = $1")
			eventFilters(from, in)
			return counted(ctx, t, from)
		})
	})
}

func eventFilters(q *query, in EventsIn) {
	if in.Person != "" {
		q.add(" and person = ?", in.Person)
	}
	if in.Type != "" {
		q.add(" and type = ?", in.Type)
	}
	if !in.Since.IsZero() {
		q.add(" and at >= ?", in.Since)
	}
}

func listEvents(ctx context.Context, t *store.Tenant, in EventsIn) (Page[Event], error) {
	var p Page[Event]
	after, err := parseCursor(in.After, "events", 2)
	if err != nil {
		return p, err
	}
	type row struct {
		Event
		at   int64
		body string
	}
	n := in.limit()
	q := (&query{}).add("select id, at, type, action, person, body from event where tenant = $1")
	eventFilters(q, in)
	if !after.begins() {
		q.add(" and (at, id) < (?, ?)", after.number(0), after.text(1))
	}
	q.add(" order by at desc, id desc limit ?", n+1)
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.ID, &r.at, &r.Type, &r.Action, &r.Person, &r.body} })
	if err != nil {
		return p, err
	}
	pieces := paged(rows, n, func(r row) string { return cursor("events", r.at, r.ID) })
	people := map[tocsin.PersonID]bool{}
	for _, r := range pieces.Items {
		people[r.Person] = true
	}
	names, err := namesOf(ctx, t, people)
	p.Items, p.Next = make([]Event, len(pieces.Items)), pieces.Next
	for i, r := range pieces.Items {
		r.At, r.Body, r.What = tocsin.FromMillis(r.at), rawJSON(r.body), eventWords(r.Action)
		r.Who, r.Name = names[r.Person].address, names[r.Person].name
		p.Items[i] = r.Event
	}
	return p, err
}
