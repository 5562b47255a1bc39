package api

import (
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/investigate"
	"tocsin.dev/store"
)

var errNoSearch = tocsin.Problemf(tocsin.Unavailable, "Run a server that is connected to Microsoft.", "This server cannot search mailboxes.")

func searchView(r *investigate.Run, now time.Time) *Search {
	s := &Search{ID: r.ID, N: r.N, Version: r.Version, State: r.State, Because: r.Because, Mend: r.Mend, Cause: r.Cause, Query: r.Query, Mailboxes: r.Mailboxes, Glanced: r.Glanced, Searched: r.Searched, Incomplete: r.Incomplete,
		OutOfScope: r.OutOfScope, Matches: r.Matches, Looked: r.Looked, Fetched: r.Fetched, Calls: r.Calls, Trace: r.Trace, Plan: r.Plan, First: -1, Started: r.Started, Ended: r.Ended}
	s.Rate, s.Ends = r.Rate(now)
	if !r.FirstMatch.IsZero() {
		s.First = r.FirstMatch.Sub(r.Started).Milliseconds()
	}
	return s
}

func investigationView(ctx context.Context, t *store.Tenant, v *investigate.Investigation) (Investigation, error) {
	out := Investigation{ID: v.ID, Name: v.Name, Query: v.Query, Scope: v.Scope, Trigger: v.Trigger, Every: int(v.Every / time.Minute), Depth: v.Depth, Then: v.Then, Status: v.Status, Because: v.Because, Mend: v.Mend,
		Expiry: v.Ends, Next: v.Due, Reason: v.Reason, Conn: v.Connection, From: v.From, Created: v.Created, By: v.By, Changed: v.Changed, Version: v.Version}
	var err error
	if out.Matches, out.Boxes, out.Unknown, out.Acted, out.Clusters, err = investigate.Sums(ctx, t, v.ID); err != nil {
		return out, err
	}
	if v.Run == "" {
		return out, nil
	}
	r, err := investigate.GetRun(ctx, t, v.Run)
	if err != nil {
		return out, err
	}
	out.Search = searchView(r, t.Tx().Clock().Now())
	return out, nil
}

// ListInvestigations are a tenant's, the last made first.
func (s *Service) ListInvestigations(ctx context.Context, in InvestigationsIn) (Page[Investigation], error) {
	return view(ctx, s, "investigations list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Investigation], error) {
		var p Page[Investigation]
		after, err := parseCursor(in.After, "investigations", 1)
		if err != nil {
			return p, err
		}
		f := investigate.Filter{Status: in.Status, Trigger: in.Trigger, Before: after.text(0), Limit: in.limit() + 1}
		if strings.TrimSpace(in.Q) != "" {
			f.Like = contains(in.Q)
		}
		list, err := investigate.List(ctx, t, f)
		if err != nil {
			return p, err
		}
		var items []Investigation
		for _, v := range list {
			item, err := investigationView(ctx, t, v)
			if err != nil {
				return p, err
			}
			items = append(items, item)
		}
		return paged(items, in.limit(), func(v Investigation) string { return cursor("investigations", v.ID) }), nil
	})
}

func investigationDetail(ctx context.Context, t *store.Tenant, id string) (InvestigationDetail, error) {
	d := InvestigationDetail{Versions: []InvestigationVersion{}, Searches: []Search{}}
	v, err := investigate.Get(ctx, t, id)
	if err != nil {
		return d, err
	}
	if d.Investigation, err = investigationView(ctx, t, v); err != nil {
		return d, err
	}
	versions, err := investigate.Versions(ctx, t, id)
	if err != nil {
		return d, err
	}
	for _, k := range versions {
		d.Versions = append(d.Versions, InvestigationVersion(k))
	}
	runs, err := investigate.Runs(ctx, t, id, 20)
	for _, r := range runs {
		d.Searches = append(d.Searches, *searchView(r, t.Tx().Clock().Now()))
	}
	return d, err
}

// GetInvestigation is an investigation with its versions and searches.
func (s *Service) GetInvestigation(ctx context.Context, in ByID) (InvestigationDetail, error) {
	return view(ctx, s, "investigations get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (InvestigationDetail, error) {
		return investigationDetail(ctx, t, in.ID)
	})
}

// investigationOf is what somebody typed, checked.
func investigationOf(ctx context.Context, t *store.Tenant, c Caller, n InvestigationNew) (*investigate.Investigation, error) {
	v := &investigate.Investigation{Name: n.Name, Query: n.Query, Scope: n.Scope, Trigger: n.Trigger, Every: time.Duration(n.Every) * time.Minute, Depth: n.Depth, Then: n.Then, Ends: n.Expiry, Reason: n.Reason,
		Connection: n.Connection, From: n.From, ThenBy: c.Account}
	if n.Connection != "" {
		var one int
		if err := t.QueryRow(ctx, `select count(*) from connection where tenant = $1 and id = $2`, n.Connection).Scan(&one); err != nil {
			return nil, err
		}
		if one == 0 {
			return nil, notFound("connection")
		}
	}
	return v, v.Sound(t.Tx().Clock().Now())
}

// CreateInvestigation makes an investigation, and starts it where that is asked for.
func (s *Service) CreateInvestigation(ctx context.Context, in CreateInvestigationIn) (InvestigationDetail, error) {
	return act(ctx, s, "investigations create", in, func(ctx context.Context, t *store.Tenant, c Caller) (InvestigationDetail, error) {
		v, err := investigationOf(ctx, t, c, in.Body)
		if err != nil {
			return InvestigationDetail{}, err
		}
		if err := investigate.Create(ctx, t, c.Email, v); err != nil {
			return InvestigationDetail{}, err
		}
		if in.Body.Start {
			if s.o.Investigations == nil {
				return InvestigationDetail{}, errNoSearch
			}
			if _, err := investigate.Start(ctx, t, c.Email, v.ID); err != nil {
				return InvestigationDetail{}, err
			}
		}
		return investigationDetail(ctx, t, v.ID)
	})
}

// UpdateInvestigation gives an investigation another text; every version is kept.
func (s *Service) UpdateInvestigation(ctx context.Context, in UpdateInvestigationIn) (InvestigationDetail, error) {
	return act(ctx, s, "investigations update", in, func(ctx context.Context, t *store.Tenant, c Caller) (InvestigationDetail, error) {
		v, err := investigationOf(ctx, t, c, in.Body.InvestigationNew)
		if err != nil {
			return InvestigationDetail{}, err
		}
		v.ID, v.Version = in.ID, in.Body.Version
		if err := investigate.Update(ctx, t, c.Email, in.Body.Note, v); err != nil {
			return InvestigationDetail{}, err
		}
		return investigationDetail(ctx, t, in.ID)
	})
}

// turn starts, stops or resumes an investigation.
func (s *Service) turn(ctx context.Context, name string, in StartInvestigationIn, do func(context.Context, *store.Tenant, Caller) error) (InvestigationDetail, error) {
	return act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (InvestigationDetail, error) {
		if s.o.Investigations == nil {
			return InvestigationDetail{}, errNoSearch
		}
		if err := do(ctx, t, c); err != nil {
			return InvestigationDetail{}, err
		}
		return investigationDetail(ctx, t, in.ID)
	})
}

// StartInvestigation begins a search of every mailbox in scope.
func (s *Service) StartInvestigation(ctx context.Context, in StartInvestigationIn) (InvestigationDetail, error) {
	return s.turn(ctx, "investigations start", in, func(ctx context.Context, t *store.Tenant, c Caller) error {
		_, err := investigate.Start(ctx, t, c.Email, in.ID)
		return err
	})
}

// StopInvestigation ends the work on it at once.
func (s *Service) StopInvestigation(ctx context.Context, in StartInvestigationIn) (InvestigationDetail, error) {
	return s.turn(ctx, "investigations stop", in, func(ctx context.Context, t *store.Tenant, c Caller) error {
		_, err := investigate.Stop(ctx, t, c.Email, in.ID, in.Body.Note)
		return err
	})
}

// ResumeInvestigation goes on where it stood.
func (s *Service) ResumeInvestigation(ctx context.Context, in StartInvestigationIn) (InvestigationDetail, error) {
	return s.turn(ctx, "investigations resume", in, func(ctx context.Context, t *store.Tenant, c Caller) error {
		_, err := investigate.Resume(ctx, t, c.Email, in.ID)
		return err
	})
}

// DeleteInvestigation forgets an investigation with all that it found.
func (s *Service) DeleteInvestigation(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "investigations delete", in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		return None{}, investigate.Delete(ctx, t, c.Email, in.ID)
	})
}

// PlanInvestigation says what a search would do: nothing is searched, and nothing recorded.
func (s *Service) PlanInvestigation(ctx context.Context, in PlanInvestigationIn) (investigate.SearchPlan, error) {
	tenant := tenantOf(in)
	if _, err := s.allow(ctx, "investigations plan", tenant); err != nil {
		return investigate.SearchPlan{}, err
	}
	if err := valid(in); err != nil {
		return investigate.SearchPlan{}, err
	}
	if s.o.Investigations == nil {
		return investigate.SearchPlan{}, errNoSearch
	}
	return s.o.Investigations.Plan(ctx, tenant, investigate.Ask{Query: in.Body.Query, Scope: in.Body.Scope, Depth: in.Body.Depth, Connection: in.Body.Connection})
}

// ListSearchMailboxes says what became of each mailbox in a search.
func (s *Service) ListSearchMailboxes(ctx context.Context, in SearchMailboxesIn) (Page[SearchMailbox], error) {
	return view(ctx, s, "investigations mailboxes", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[SearchMailbox], error) {
		var p Page[SearchMailbox]
		after, err := parseCursor(in.After, "search mailboxes", 1)
		if err != nil {
			return p, err
		}
		v, err := investigate.Get(ctx, t, in.ID)
		if err != nil {
			return p, err
		}
		run := in.Search
		if run == "" {
			run = v.Run
		} else if r, err := investigate.GetRun(ctx, t, run); err != nil || r.Investigation != v.ID {
			return p, notFound("search")
		}
		f := investigate.BoxFilter{State: in.State, After: after.text(0), Limit: in.limit() + 1}
		if strings.TrimSpace(in.Q) != "" {
			f.Like = contains(in.Q)
		}
		list, err := investigate.Boxes(ctx, t, run, f)
		if err != nil {
			return p, err
		}
		items := make([]SearchMailbox, len(list))
		for i, b := range list {
			items[i] = SearchMailbox{Person: b.Person, Address: b.Address, State: b.State, Because: b.Because, Mend: b.Mend, Looked: b.Looked, Fetched: b.Fetched, Matches: b.Matches, Tries: b.Tries, Due: b.Due, Changed: b.Changed}
		}
		return paged(items, in.limit(), func(b SearchMailbox) string { return cursor("search mailboxes", string(b.Person)) }), nil
	})
}
