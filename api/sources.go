package api

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// ListSources lists what is read of a tenant, and how fresh it is.
func (s *Service) ListSources(ctx context.Context, in ListIn) (Page[Source], error) {
	return view(ctx, s, "sources list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Source], error) {
		return slice("sources", in.Paging, func() ([]Source, error) { return sourcesOf(ctx, t, s.now()) }, func(v Source) string { return v.Name })
	})
}

// slice is a piece of a short list that is read whole, in the order of its unique key.
func slice[T any](name string, in Paging, all func() ([]T, error), key func(T) string) (Page[T], error) {
	after, err := parseCursor(in.After, name, 1)
	if err != nil {
		return Page[T]{}, err
	}
	list, err := all()
	if err != nil {
		return Page[T]{}, err
	}
	n := in.limit()
	rest := []T{}
	for _, v := range list {
		if key(v) > after.text(0) && len(rest) <= n {
			rest = append(rest, v)
		}
	}
	p := paged(rest, n, func(v T) string { return cursor(name, key(v)) })
	if in.After == "" {
		p.Total = len(list)
	}
	return p, nil
}

func sourcesOf(ctx context.Context, t *store.Tenant, now time.Time) ([]Source, error) {
	type row struct {
		Source
		started, succeeded, failed, due int64
	}
	paused, err := allPaused(ctx, t)
	if err != nil {
		return nil, err
	}
	q := (&query{}).add("select name, started, succeeded, failed, because, mend, due, done, total from source where tenant = $1 order by name")
	rows, err := find(ctx, t, q, func(r *row) []any {
		return []any{&r.Name, &r.started, &r.succeeded, &r.failed, &r.Because, &r.Mend, &r.due, &r.Done, &r.Total}
	})
	out := make([]Source, len(rows))
	for i, r := range rows {
		r.Started, r.Succeeded, r.Failed, r.Due = tocsin.FromMillis(r.started), tocsin.FromMillis(r.succeeded), tocsin.FromMillis(r.failed), tocsin.FromMillis(r.due)
		if r.State = freshness(r.Source, now); paused {
			r.State = "paused"
		}
		out[i] = r.Source
	}
	return out, err
}

// allPaused says whether nothing is read of a tenant since each of its connections that reads is paused or closed.
func allPaused(ctx context.Context, t *store.Tenant) (bool, error) {
	var all, paused int
	err := t.QueryRow(ctx, `select count(*), coalesce(sum(case when state in ('paused', 'closing', 'closed') then 1 else 0 end), 0) from connection where tenant = $1 and tier = 'read'`).Scan(&all, &paused)
	return all > 0 && all == paused, err
}

// freshness is the state of a source.
func freshness(s Source, now time.Time) string {
	switch {
	case s.Started.IsZero():
		return "waiting"
	case !s.Failed.IsZero() && s.Failed.After(s.Succeeded):
		return "failed"
	case s.Succeeded.Before(s.Started) && (s.Succeeded.IsZero() || s.Due.IsZero() || now.Sub(s.Due) < 15*time.Minute):
		return "reading"
	case !s.Due.IsZero() && now.Sub(s.Due) > 5*time.Minute:
		return "late"
	}
	return "fresh"
}

// ListCapabilities lists what a tenant's connections allow.
func (s *Service) ListCapabilities(ctx context.Context, in ListIn) (Page[Capability], error) {
	return view(ctx, s, "capabilities list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Capability], error) {
		return slice("capabilities", in.Paging, func() ([]Capability, error) { return capabilitiesUnder(ctx, t) }, func(c Capability) string { return c.Connection + "\n" + c.Name })
	})
}

// titleOf is a capability's name as people read it.
func titleOf(name string) string {
	for _, c := range connect.Capabilities {
		if c.Name == name {
			return c.Title
		}
	}
	return name
}

// capabilitiesUnder are the capabilities as they stand with their connections.
func capabilitiesUnder(ctx context.Context, t *store.Tenant) ([]Capability, error) {
	list, err := capabilitiesOf(ctx, t)
	if err != nil {
		return nil, err
	}
	type row struct{ id, state, because, mend string }
	rows, err := find(ctx, t, (&query{}).add("select id, state, because, mend from connection where tenant = $1"),
		func(r *row) []any { return []any{&r.id, &r.state, &r.because, &r.mend} })
	for i, c := range list {
		for _, r := range rows {
			if r.id == c.Connection {
				list[i] = c.under(r.state, r.because, r.mend)
			}
		}
	}
	return list, err
}

// under is a capability as it stands with a connection in a state: of one that is not on, nothing works, for its reason.
func (c Capability) under(state, because, mend string) Capability {
	switch state {
	case connect.Broken:
		c.State, c.Because, c.Mend = "off", because, mend
	case connect.Paused:
		c.State, c.Because, c.Mend = "off", "The connection is paused: nothing is asked of Graph.", "Resume it."
	}
	return c
}

func capabilitiesOf(ctx context.Context, t *store.Tenant) ([]Capability, error) {
	type row struct {
		Capability
		checked int64
	}
	rows, err := find(ctx, t, (&query{}).add("select connection, name, state, because, mend, checked from capability where tenant = $1 order by connection, name"),
		func(r *row) []any { return []any{&r.Connection, &r.Name, &r.State, &r.Because, &r.Mend, &r.checked} })
	out := make([]Capability, len(rows))
	for i, r := range rows {
		r.Checked, r.Title = tocsin.FromMillis(r.checked), titleOf(r.Name)
		out[i] = r.Capability
	}
	return out, err
}
