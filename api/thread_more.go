package api

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// ThreadPresence is who has a thread before them.
type ThreadPresence struct {
	Worker
	Kind  string    `json:"kind"` // viewing, replying
	Since time.Time `json:"since"`
	You   bool      `json:"you,omitempty"`
}

// PresenceIn says what one does with a thread.
type PresenceIn struct {
	ByIDAct
	Body PresenceNew
}

// PresenceNew is it. Viewing holds for 45 seconds and replying for two minutes, unless it is said again.
type PresenceNew struct {
	Kind string `json:"kind" enum:"viewing,replying,left" doc:"What you do with it"`
	Take bool   `json:"take,omitempty" doc:"Take the answer over from who holds it"`
}

// ThreadPresences are who has a thread before them.
type ThreadPresences struct {
	People []ThreadPresence `json:"people"`
	Held   *Worker          `json:"held_by,omitempty"` // who answers already, where that is why yours was not taken
}

func presences(ctx context.Context, t *store.Tenant, v *work.Thread, me string) (out ThreadPresences, err error) {
	out.People = []ThreadPresence{}
	list, err := work.Presences(ctx, t, v.Inbox, v.ID)
	if err != nil {
		return out, err
	}
	var ids []string
	for _, p := range list {
		ids = append(ids, p.Account)
	}
	who, err := workersOf(ctx, t, ids...)
	for _, p := range list {
		out.People = append(out.People, ThreadPresence{Worker: *who.of(p.Account), Kind: p.Kind, Since: p.Since, You: p.Account == me})
	}
	return out, err
}

// BePresent says what one does with a thread, and answers who has it before them. One answers at a time.
func (s *Service) BePresent(ctx context.Context, in PresenceIn) (ThreadPresences, error) {
	return inboxAct(ctx, s, "threads presence", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadPresences, error) {
		v, err := r.works(ctx, t, in.ID)
		if err != nil {
			return ThreadPresences{}, err
		}
		held, err := work.Be(ctx, t, r.Reach, v, in.Body.Kind, in.Body.Take)
		if err != nil {
			return ThreadPresences{}, err
		}
		out, err := presences(ctx, t, v, r.Caller.Account)
		if held != "" && err == nil {
			who, err := workersOf(ctx, t, held)
			out.Held = who.of(held)
			return out, err
		}
		return out, err
	})
}

// BulkThreadsIn changes several threads alike.
type BulkThreadsIn struct {
	In
	Key
	Body BulkThreads
}

// BulkThreads names them, and what is to become of them.
type BulkThreads struct {
	Threads []string     `json:"threads" maxLength:"100" doc:"Their ids, 200 at most"`
	Change  ThreadChange `json:"change" doc:"What is to become of each"`
	Seen    bool         `json:"seen,omitempty" doc:"You have read them"`
}

// BulkOutcome says what became of each.
type BulkOutcome struct {
	Changed int           `json:"changed"`
	Refused []BulkRefused `json:"refused"`
	Undo    []BulkThreads `json:"undo"` // what makes those that were changed as they were before
}

// BulkRefused is one that was left as it is.
type BulkRefused struct {
	Thread  string `json:"thread"`
	Because string `json:"because"`
}

// ChangeThreads changes several threads alike: each that can be.
func (s *Service) ChangeThreads(ctx context.Context, in BulkThreadsIn) (BulkOutcome, error) {
	return inboxAct(ctx, s, "threads bulk", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (BulkOutcome, error) {
		out := BulkOutcome{Refused: []BulkRefused{}, Undo: []BulkThreads{}}
		if len(in.Body.Threads) == 0 || len(in.Body.Threads) > 200 {
			return out, invalid("Name 1 to 200.", "%d threads cannot be changed at once.", len(in.Body.Threads))
		}
		b := in.Body.Change
		b.Version = 0
		if err := valid(b); err != nil {
			return out, err
		}
		for _, id := range in.Body.Threads {
			before, err := r.works(ctx, t, id)
			v := before
			if err == nil {
				v, err = r.change(ctx, t, id, b)
			}
			if err == nil && in.Body.Seen {
				err = work.See(ctx, t, r.Caller.Account, v)
			}
			if err == nil {
				out.Changed++
				out.undo(before, v)
				continue
			}
			p := tocsin.AsProblem(err)
			if p.Code == tocsin.Internal || p.Code == tocsin.Unavailable {
				return out, err
			}
			out.Refused = append(out.Refused, BulkRefused{Thread: id, Because: p.What})
		}
		return out, nil
	})
}

// undo adds what makes a thread as it was; those that were alike are changed back together.
func (out *BulkOutcome) undo(was, is *work.Thread) {
	var c ThreadChange
	if was.Assignee != is.Assignee {
		c.Assignee = &was.Assignee
	}
	if was.Team != is.Team {
		c.Team = &was.Team
	}
	if was.State != is.State || !was.Snoozed.Equal(is.Snoozed) {
		c.State = was.State
		if was.State == inbox.Snoozed {
			c.Until = was.Snoozed
		}
	}
	if was.Priority != is.Priority {
		c.Priority = was.Priority
	}
	for _, g := range was.Tags {
		if !slices.Contains(is.Tags, g) {
			c.Add = append(c.Add, g)
		}
	}
	for _, g := range is.Tags {
		if !slices.Contains(was.Tags, g) {
			c.Remove = append(c.Remove, g)
		}
	}
	if reflect.DeepEqual(c, ThreadChange{}) {
		return // it was so already
	}
	for i := range out.Undo {
		if reflect.DeepEqual(out.Undo[i].Change, c) {
			out.Undo[i].Threads = append(out.Undo[i].Threads, was.ID)
			return
		}
	}
	out.Undo = append(out.Undo, BulkThreads{Threads: []string{was.ID}, Change: c})
}

// ThreadView is a list of threads under a name.
type ThreadView struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Shared  bool         `json:"shared"` // everybody's
	Filter  ThreadFilter `json:"filter"`
	Version int64        `json:"version"`
}

// ThreadViewNew is a view to be made, or changed.
type ThreadViewNew struct {
	Name    string       `json:"name" minLength:"1" maxLength:"100" doc:"What it is called"`
	Shared  bool         `json:"shared,omitempty" doc:"Everybody sees it"`
	Filter  ThreadFilter `json:"filter" doc:"Which threads"`
	Version int64        `json:"version,omitempty" doc:"The version that is changed"`
}

// CreateThreadViewIn makes a view.
type CreateThreadViewIn struct {
	In
	Key
	Body ThreadViewNew
}

// EditThreadViewIn changes a view.
type EditThreadViewIn struct {
	ByIDAct
	Body ThreadViewNew
}

func threadView(v work.View) (ThreadView, error) {
	out := ThreadView{ID: v.ID, Name: v.Name, Shared: v.Account == "", Version: v.Version}
	return out, json.Unmarshal(v.Filter, &out.Filter)
}

// ListThreadViews are one's own views, and everybody's.
func (s *Service) ListThreadViews(ctx context.Context, in ListIn) (Page[ThreadView], error) {
	return view(ctx, s, "inbox-views list", in, func(ctx context.Context, t *store.Tenant, c Caller) (Page[ThreadView], error) {
		list, err := work.Views(ctx, t, c.Account)
		if err != nil {
			return Page[ThreadView]{}, err
		}
		out := []ThreadView{}
		for _, v := range list {
			o, err := threadView(v)
			if err != nil {
				return Page[ThreadView]{}, err
			}
			out = append(out, o)
		}
		return piece(in.Paging, "inbox views", out, func(v ThreadView) string { return v.ID })
	})
}

func saveThreadView(ctx context.Context, t *store.Tenant, c Caller, id string, n ThreadViewNew) (ThreadView, error) {
	if err := valid(n.Filter); err != nil {
		return ThreadView{}, err
	}
	filter, err := json.Marshal(n.Filter)
	if err != nil {
		return ThreadView{}, err
	}
	v := work.View{ID: id, Account: c.Account, Name: strings.TrimSpace(n.Name), Filter: filter, Version: n.Version}
	if n.Shared {
		v.Account = ""
	}
	if v, err = work.SaveView(ctx, t, c.Account, v); err != nil {
		return ThreadView{}, err
	}
	return threadView(v)
}

// CreateThreadView makes a view.
func (s *Service) CreateThreadView(ctx context.Context, in CreateThreadViewIn) (ThreadView, error) {
	return act(ctx, s, "inbox-views create", in, func(ctx context.Context, t *store.Tenant, c Caller) (ThreadView, error) {
		return saveThreadView(ctx, t, c, "", in.Body)
	})
}

// EditThreadView changes a view.
func (s *Service) EditThreadView(ctx context.Context, in EditThreadViewIn) (ThreadView, error) {
	return act(ctx, s, "inbox-views edit", in, func(ctx context.Context, t *store.Tenant, c Caller) (ThreadView, error) {
		return saveThreadView(ctx, t, c, in.ID, in.Body)
	})
}

// DeleteThreadView forgets a view.
func (s *Service) DeleteThreadView(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "inbox-views delete", in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		return None{}, work.DeleteView(ctx, t, c.Account, in.ID)
	})
}
