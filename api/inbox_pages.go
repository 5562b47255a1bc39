package api

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// InboxWorkers are all who may work in inboxes of a tenant, by name: for administrators, who make teams of them. To others it is empty.
func (s *Service) InboxWorkers(ctx context.Context, in In) ([]Worker, error) {
	return view(ctx, s, "inbox-teams list", in, func(ctx context.Context, t *store.Tenant, c Caller) (out []Worker, err error) {
		if !c.Role(t.ID()).Includes(Admin) {
			return nil, nil
		}
		all, err := everyWorker(ctx, t)
		for _, w := range all {
			out = append(out, w)
		}
		slices.SortFunc(out, func(a, b Worker) int {
			return cmp.Or(cmp.Compare(strings.ToLower(firstOf(a.Name, a.Email)), strings.ToLower(firstOf(b.Name, b.Email))), cmp.Compare(a.Account, b.Account))
		})
		return out, err
	})
}

// FollowInboxes is [Service.FollowFacts] for agents: it tells only of the inboxes whose team the caller is of when it begins.
func (s *Service) FollowInboxes(ctx context.Context, in FactsIn) (after int64, facts iter.Seq2[Fact, error], err error) {
	var reach work.Reach
	after, err = view(ctx, s, "threads counts", In{Tenant: in.Tenant}, func(ctx context.Context, t *store.Tenant, c Caller) (n int64, err error) {
		if reach, err = work.ReachOf(ctx, t, c.Account); err != nil {
			return 0, err
		}
		return placeOf(in)
	})
	if err != nil {
		return 0, nil, err
	}
	if after < 0 {
		if after, err = s.st.LastFact(ctx, store.Lane(in.Tenant)); err != nil {
			return 0, nil, err
		}
	}
	return after, func(yield func(Fact, error) bool) {
		for f, err := range stream.Follow(ctx, s.st, in.Tenant, after) {
			if err == nil && !ofInboxes(reach, f) {
				continue
			}
			if !yield(Fact{ID: f.N, At: f.At, Kind: f.Kind, Subject: f.Subject}, err) {
				return
			}
		}
	}, nil
}

// ofInboxes says whether a fact is of one of the inboxes.
func ofInboxes(reach work.Reach, f store.Fact) bool {
	if !strings.HasPrefix(f.Kind, "inbox.") {
		return false
	}
	box := f.Subject
	if f.Kind != "inbox.inbox" {
		var body struct {
			Inbox string `json:"inbox"`
		}
		if json.Unmarshal(f.Body, &body) != nil {
			return false
		}
		box = body.Inbox
	}
	return reach.In(box)
}

// MayFollowInboxes says whether the caller still may follow inboxes of a tenant.
func (s *Service) MayFollowInboxes(ctx context.Context, tenant tocsin.TenantID) error {
	return s.stillMay(ctx, "threads counts", tenant)
}
