package api

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// countThreads is how far threads are counted.
const countThreads = 1_000

// countView is how far those of a saved list are: what narrows it may have no index.
const countView = 100

type inboxRow struct {
	SharedInbox
	created int64
}

const inboxColumns = `id, name, address, state, because, mend, sending, sending_because, connection, backfill_days, retention_days, created, version`

func (v *inboxRow) fields() []any {
	return []any{&v.ID, &v.Name, &v.Address, &v.State, &v.Because, &v.Mend, &v.Sending, &v.SendingReason, &v.Connection, &v.BackfillDays, &v.RetentionDays, &v.created, &v.Version}
}

// inboxes are those that one sees: an agent their own, who may look from outside all of them.
func (r *inboxReader) inboxes(ctx context.Context, t *store.Tenant, id string) ([]SharedInbox, error) {
	rows, err := find(ctx, t, (&query{}).add(`select `+inboxColumns+` from inbox where tenant = $1 and (? = '' or id = ?) order by lower(name), id`, id, id), (*inboxRow).fields)
	out := []SharedInbox{}
	for _, v := range rows {
		v.Created, v.Member = tocsin.FromMillis(v.created), r.In(v.ID)
		if !v.Member && !r.Role(r.tenant).Includes(Analyst) {
			continue
		}
		if !v.Member {
			l, err := work.Looking(ctx, t, v.ID, r.Caller.Account)
			if err != nil {
				return nil, err
			}
			v.Looking = l.Until
			out = append(out, v.SharedInbox)
			continue
		}
		f := work.Filter{Inboxes: []string{v.ID}, States: []string{inbox.Open}}
		if v.Open, err = work.Count(ctx, t, r.Reach, f, countThreads); err != nil {
			return nil, err
		}
		f.Assignee = work.None
		if v.Unassigned, err = work.Count(ctx, t, r.Reach, f, countThreads); err != nil {
			return nil, err
		}
		out = append(out, v.SharedInbox)
	}
	return out, err
}

// ListInboxes are the shared inboxes that one sees.
func (s *Service) ListInboxes(ctx context.Context, in ListIn) (Page[SharedInbox], error) {
	return inboxView(ctx, s, "inboxes list", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (Page[SharedInbox], error) {
		list, err := r.inboxes(ctx, t, "")
		if err != nil {
			return Page[SharedInbox]{}, err
		}
		return piece(in.Paging, "inboxes", list, func(v SharedInbox) string { return v.ID })
	})
}

type folderRow struct {
	InboxFolder
	looked int64
}

func oneInbox(ctx context.Context, t *store.Tenant, r *inboxReader, id string) (SharedInbox, error) {
	list, err := r.inboxes(ctx, t, id)
	if err != nil || len(list) == 0 {
		return SharedInbox{}, cmp.Or(err, error(notFound("inbox")))
	}
	v := list[0]
	folders, err := find(ctx, t, (&query{}).add(`select id, name, known, filled, total, looked from inbox_folder where tenant = $1 and inbox = ? and followed order by lower(name), id`, id), func(f *folderRow) []any {
		return []any{&f.ID, &f.Name, &f.Known, &f.Filled, &f.Total, &f.looked}
	})
	for _, f := range folders {
		f.Looked = tocsin.FromMillis(f.looked)
		v.Folders = append(v.Folders, f.InboxFolder)
	}
	return v, err
}

// GetInbox is one inbox with its folders.
func (s *Service) GetInbox(ctx context.Context, in ByID) (SharedInbox, error) {
	return inboxView(ctx, s, "inboxes get", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (SharedInbox, error) {
		return oneInbox(ctx, t, r, in.ID)
	})
}

// LookInbox lets somebody outside the team read an inbox for an hour, for a reason that its team sees.
func (s *Service) LookInbox(ctx context.Context, in LookInboxIn) (InboxLook, error) {
	return inboxAct(ctx, s, "inboxes look", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (InboxLook, error) {
		if _, err := oneInbox(ctx, t, r, in.ID); err != nil {
			return InboxLook{}, err
		}
		if r.In(in.ID) {
			return InboxLook{}, tocsin.Problemf(tocsin.Conflict, "Read it.", "You are of this inbox's team: no reason is needed.")
		}
		l, err := work.Ask(ctx, t, in.ID, r.Caller.Account, r.Email, in.Body.Reason)
		return lookView(l), err
	})
}

func lookView(l work.Look) InboxLook {
	return InboxLook{ID: l.ID, Of: l.Of, At: l.At, Until: l.Until, Who: l.Email, Reason: l.Reason, What: l.What, Thread: l.Thread, Message: l.Message}
}

// ListInboxLooks are the looks at an inbox from outside its team.
func (s *Service) ListInboxLooks(ctx context.Context, in InboxLooksIn) (Page[InboxLook], error) {
	return inboxView(ctx, s, "inboxes looks", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (p Page[InboxLook], err error) {
		if _, err := oneInbox(ctx, t, r, in.ID); err != nil {
			return p, err
		}
		after, err := parseCursor(in.After, "inbox looks", 1)
		if err != nil {
			return p, err
		}
		list, err := work.Looks(ctx, t, in.ID, after.text(0), in.limit()+1)
		out := make([]InboxLook, len(list))
		for i, l := range list {
			out[i] = lookView(l)
		}
		return paged(out, in.limit(), func(l InboxLook) string { return cursor("inbox looks", l.ID) }), err
	})
}

// team is who works in an inbox.
func team(ctx context.Context, t *store.Tenant, box string) (InboxTeam, error) {
	out := InboxTeam{Members: []InboxMember{}, People: []Worker{}, Teams: []Team{}}
	members, err := work.Members(ctx, t, box)
	if err != nil {
		return out, err
	}
	if out.Teams, err = teams(ctx, t, ""); err != nil {
		return out, err
	}
	everyone, err := everyWorker(ctx, t)
	if err != nil {
		return out, err
	}
	people := map[string]bool{}
	for _, m := range members {
		v := InboxMember{Kind: m.Kind, ID: m.ID, Added: m.Added}
		switch m.Kind {
		case work.Everyone:
			v.Name = "Everyone"
			for id := range everyone {
				people[id] = true
			}
		case work.Team:
			for _, g := range out.Teams {
				if g.ID == m.ID {
					v.Name = g.Name
					for _, w := range g.People {
						people[w.Account] = true
					}
				}
			}
		default:
			v.Name, people[m.ID] = everyone.name(m.ID), true
		}
		out.Members = append(out.Members, v)
	}
	for id := range people {
		if w, ok := everyone[id]; ok { // who may not any more is not given work
			out.People = append(out.People, w)
		}
	}
	slices.SortFunc(out.People, func(a, b Worker) int {
		return cmp.Or(cmp.Compare(strings.ToLower(firstOf(a.Name, a.Email)), strings.ToLower(firstOf(b.Name, b.Email))), cmp.Compare(a.Account, b.Account))
	})
	return out, nil
}

// GetInboxTeam is who works in an inbox.
func (s *Service) GetInboxTeam(ctx context.Context, in ByID) (InboxTeam, error) {
	return inboxView(ctx, s, "inboxes team", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (InboxTeam, error) {
		if _, err := oneInbox(ctx, t, r, in.ID); err != nil {
			return InboxTeam{}, err
		}
		return team(ctx, t, in.ID)
	})
}

// SetInboxMembers says who works in an inbox.
func (s *Service) SetInboxMembers(ctx context.Context, in SetMembersIn) (InboxTeam, error) {
	return inboxAct(ctx, s, "inboxes set-members", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (InboxTeam, error) {
		if _, err := oneInbox(ctx, t, r, in.ID); err != nil {
			return InboxTeam{}, err
		}
		all, err := everyWorker(ctx, t)
		if err != nil {
			return InboxTeam{}, err
		}
		groups, err := work.Teams(ctx, t, "")
		if err != nil {
			return InboxTeam{}, err
		}
		var members []work.Member
		for _, m := range in.Body.Members {
			switch m.Kind {
			case work.Everyone:
				m.ID = ""
			case work.Account:
				if _, ok := all[m.ID]; !ok {
					return InboxTeam{}, invalid("Give somebody the role agent first.", "An account %q that may work in inboxes is not there.", m.ID)
				}
			case work.Team:
				if !slices.ContainsFunc(groups, func(g work.Group) bool { return g.ID == m.ID }) {
					return InboxTeam{}, notFound("team")
				}
			default:
				return InboxTeam{}, invalid("Use account, team or everyone.", "A member cannot be of kind %q.", m.Kind)
			}
			members = append(members, work.Member{Kind: m.Kind, ID: m.ID})
		}
		if err := work.SetMembers(ctx, t, in.ID, members); err != nil {
			return InboxTeam{}, err
		}
		if err := t.Append(ctx, store.Fact{Kind: "inbox.inbox", Subject: in.ID, Actor: r.Email}); err != nil {
			return InboxTeam{}, err
		}
		return team(ctx, t, in.ID)
	})
}
