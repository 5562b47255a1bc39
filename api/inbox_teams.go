package api

import (
	"context"
	"strings"

	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

func teams(ctx context.Context, t *store.Tenant, id string) ([]Team, error) {
	list, err := work.Teams(ctx, t, id)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, g := range list {
		ids = append(ids, g.Accounts...)
	}
	who, err := workersOf(ctx, t, ids...)
	out := []Team{}
	for _, g := range list {
		v := Team{ID: g.ID, Name: g.Name, People: []Worker{}, Version: g.Version}
		for _, a := range g.Accounts {
			v.People = append(v.People, *who.of(a))
		}
		out = append(out, v)
	}
	return out, err
}

// ListTeams are the teams that work in inboxes.
func (s *Service) ListTeams(ctx context.Context, in ListIn) (Page[Team], error) {
	return view(ctx, s, "inbox-teams list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Team], error) {
		list, err := teams(ctx, t, "")
		if err != nil {
			return Page[Team]{}, err
		}
		return piece(in.Paging, "inbox teams", list, func(v Team) string { return v.ID })
	})
}

func saveTeam(ctx context.Context, t *store.Tenant, id string, n TeamNew) (Team, error) {
	all, err := everyWorker(ctx, t)
	if err != nil {
		return Team{}, err
	}
	for _, a := range n.Accounts {
		if _, ok := all[a]; !ok {
			return Team{}, invalid("Give somebody the role agent first.", "An account %q that may work in inboxes is not there.", a)
		}
	}
	g, err := work.SaveTeam(ctx, t, work.Group{ID: id, Name: strings.TrimSpace(n.Name), Accounts: n.Accounts, Version: n.Version})
	if err != nil {
		return Team{}, err
	}
	list, err := teams(ctx, t, g.ID)
	if err != nil {
		return Team{}, err
	}
	return list[0], nil
}

// CreateTeam makes a team.
func (s *Service) CreateTeam(ctx context.Context, in CreateTeamIn) (Team, error) {
	return act(ctx, s, "inbox-teams create", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Team, error) {
		return saveTeam(ctx, t, "", in.Body)
	})
}

// EditTeam changes a team's name and who is of it.
func (s *Service) EditTeam(ctx context.Context, in EditTeamIn) (Team, error) {
	return act(ctx, s, "inbox-teams edit", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Team, error) {
		return saveTeam(ctx, t, in.ID, in.Body)
	})
}

// DeleteTeam forgets a team.
func (s *Service) DeleteTeam(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "inbox-teams delete", in, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		return None{}, work.DeleteTeam(ctx, t, in.ID)
	})
}

// ListTags are the tags of threads.
func (s *Service) ListTags(ctx context.Context, in ListIn) (Page[Tag], error) {
	return view(ctx, s, "inbox-tags list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Tag], error) {
		list, err := work.Tags(ctx, t)
		if err != nil {
			return Page[Tag]{}, err
		}
		out := []Tag{}
		for _, g := range list {
			out = append(out, Tag(g))
		}
		return piece(in.Paging, "inbox tags", out, func(v Tag) string { return v.ID })
	})
}

// CreateTag makes a tag.
func (s *Service) CreateTag(ctx context.Context, in CreateTagIn) (Tag, error) {
	return act(ctx, s, "inbox-tags create", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Tag, error) {
		g, err := work.SaveTag(ctx, t, work.Tag{Name: strings.TrimSpace(in.Body.Name), Colour: in.Body.Colour})
		return Tag(g), err
	})
}

// EditTag changes a tag's name and colour.
func (s *Service) EditTag(ctx context.Context, in EditTagIn) (Tag, error) {
	return act(ctx, s, "inbox-tags edit", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Tag, error) {
		g, err := work.SaveTag(ctx, t, work.Tag{ID: in.ID, Name: strings.TrimSpace(in.Body.Name), Colour: in.Body.Colour, Version: in.Body.Version})
		return Tag(g), err
	})
}

// DeleteTag forgets a tag, on every thread.
func (s *Service) DeleteTag(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "inbox-tags delete", in, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		return None{}, work.DeleteTag(ctx, t, in.ID)
	})
}
