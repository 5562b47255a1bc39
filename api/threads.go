package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// filter is what is asked for, as the tables have it.
func (f ThreadFilter) filter(ctx context.Context, t *store.Tenant, r *inboxReader) (work.Filter, error) {
	out := work.Filter{Inboxes: r.List(), Team: f.Team, Tag: f.Tag, Priority: f.Priority, From: f.From, Unread: f.Unread, Attachments: f.Attachments, Since: tocsin.Millis(f.Since), Until: tocsin.Millis(f.Until)}
	if f.Inbox != "" {
		if err := r.may(ctx, t, f.Inbox, work.LookList, "", ""); err != nil {
			return out, err
		}
		out.Inboxes = []string{f.Inbox}
	}
	if out.Assignee = f.Assignee; f.Assignee == "me" {
		out.Assignee = r.Caller.Account
	}
	switch f.Section {
	case "mine":
		out.Assignee = r.Caller.Account
	case "unassigned":
		out.Assignee = work.None
	case "mentioned":
		out.Mentioned = true
	}
	switch {
	case f.State == "any" || f.State == "" && out.Mentioned:
	case f.State == "":
		out.States = []string{inbox.Open}
	case f.State == "work":
		out.States = []string{inbox.Open, inbox.Waiting}
	default:
		out.States = []string{f.State}
	}
	return out, nil
}

// fits says whether a thread that was found by its words is one of the filter; where it names no state, in any. Who a note names is not looked at.
func (f ThreadFilter) fits(v *work.Thread, r *inboxReader) bool {
	none := func(s string) string { return strings.TrimSuffix(s, work.None) }
	who := f.Assignee
	switch {
	case f.Section == "mine" || who == "me":
		who = r.Caller.Account
	case f.Section == "unassigned":
		who = work.None
	}
	switch {
	case who != "" && v.Assignee != none(who),
		f.Team != "" && v.Team != none(f.Team),
		f.State == "work" && v.State != inbox.Open && v.State != inbox.Waiting,
		f.State != "" && f.State != "any" && f.State != "work" && v.State != f.State,
		f.Tag != "" && !slices.Contains(v.Tags, f.Tag),
		f.Priority != 0 && v.Priority != f.Priority,
		f.From != "" && v.From != tocsin.CanonicalAddress(f.From),
		f.Unread && !v.Unread,
		f.Attachments && !v.Attachments,
		!f.Since.IsZero() && v.Last.Before(f.Since),
		!f.Until.IsZero() && !v.Last.Before(f.Until):
		return false
	}
	return true
}

// ListThreads are threads of the inboxes that one works in, the one with the newest mail first.
func (s *Service) ListThreads(ctx context.Context, in ThreadsIn) (Page[Thread], error) {
	return inboxView(ctx, s, "threads list", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (p Page[Thread], err error) {
		after, err := parseCursor(in.After, "threads", 2)
		if err != nil {
			return p, err
		}
		if in.View != "" {
			saved, err := work.ViewOf(ctx, t, r.Caller.Account, in.View)
			if err != nil {
				return p, err
			}
			v, err := threadView(saved)
			if err != nil {
				return p, err
			}
			in.ThreadFilter = v.Filter
		}
		f, err := in.ThreadFilter.filter(ctx, t, r)
		if err != nil {
			return p, err
		}
		f.Last, f.ID, f.Limit = after.number(0), after.text(1), in.limit()+1
		list, err := work.List(ctx, t, r.Reach, f)
		if err != nil {
			return p, err
		}
		out, err := threadViews(ctx, t, list)
		return paged(out, in.limit(), func(v Thread) string { return cursor("threads", tocsin.Millis(v.Last), v.ID) }), err
	})
}

// threadViews are threads as they are answered, with the names of what they hold.
func threadViews(ctx context.Context, t *store.Tenant, list []*work.Thread) ([]Thread, error) {
	out := make([]Thread, len(list))
	var ids []string
	tagged, teamed := false, false
	for _, v := range list {
		ids = append(ids, v.Assignee)
		tagged, teamed = tagged || len(v.Tags) > 0, teamed || v.Team != ""
	}
	who, err := workersOf(ctx, t, ids...)
	if err != nil {
		return nil, err
	}
	tags, groups := map[string]Tag{}, map[string]string{}
	if tagged {
		all, err := work.Tags(ctx, t)
		if err != nil {
			return nil, err
		}
		for _, g := range all {
			tags[g.ID] = Tag(g)
		}
	}
	if teamed {
		all, err := work.Teams(ctx, t, "")
		if err != nil {
			return nil, err
		}
		for _, g := range all {
			groups[g.ID] = g.Name
		}
	}
	for i, v := range list {
		o := Thread{ID: v.ID, Inbox: v.Inbox, N: v.N, Subject: v.Subject, From: v.From, FromName: v.FromName, Preview: v.Preview, State: v.State, Assignee: who.of(v.Assignee), Team: v.Team, TeamName: groups[v.Team],
			Priority: v.Priority, Until: v.Snoozed, Messages: v.Messages, Unread: v.Unread, Attachments: v.Attachments, Tags: []Tag{}, FirstIn: v.FirstIn, LastIn: v.LastIn, LastOut: v.LastOut, Waiting: v.Waiting,
			Answered: v.Answered, Resolved: v.Resolved, Last: v.Last, Merged: v.Merged, Due: v.Due, DueKind: v.DueKind, Version: v.Version}
		for _, id := range v.Tags {
			if g, ok := tags[id]; ok {
				o.Tags = append(o.Tags, g)
			}
		}
		out[i] = o
	}
	return out, nil
}

// CountThreads says how many threads each section has.
func (s *Service) CountThreads(ctx context.Context, in In) (ThreadCounts, error) {
	return inboxView(ctx, s, "threads counts", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (c ThreadCounts, err error) {
		c.Inboxes, c.Views = map[string]int{}, map[string]int{}
		for _, box := range r.List() {
			if c.Inboxes[box], err = work.Count(ctx, t, r.Reach, work.Filter{Inboxes: []string{box}, States: []string{inbox.Open}}, countThreads); err != nil {
				return c, err
			}
			c.Open = min(c.Open+c.Inboxes[box], countThreads)
		}
		f := work.Filter{Inboxes: r.List(), States: []string{inbox.Open}, Assignee: r.Caller.Account}
		if c.Mine, err = work.Count(ctx, t, r.Reach, f, countThreads); err != nil {
			return c, err
		}
		f.Assignee = work.None
		if c.Unassigned, err = work.Count(ctx, t, r.Reach, f, countThreads); err != nil {
			return c, err
		}
		if err = countViews(ctx, t, r, c.Views); err != nil {
			return c, err
		}
		c.Mentioned, err = number(ctx, t, (&query{}).add(`select count(*) from (select distinct inbox, thread from inbox_mention where tenant = $1 and account = ? and seen = 0 limit ?) unseen`, r.Caller.Account, countThreads))
		return c, err
	})
}

// countViews counts the threads of saved lists; those of an inbox that one does not work in are left out.
func countViews(ctx context.Context, t *store.Tenant, r *inboxReader, out map[string]int) error {
	saved, err := work.Views(ctx, t, r.Caller.Account)
	if err != nil {
		return err
	}
	for _, one := range saved {
		v, err := threadView(one)
		if err != nil {
			return err
		}
		if v.Filter.Inbox != "" && !r.In(v.Filter.Inbox) {
			continue
		}
		f, err := v.Filter.filter(ctx, t, r)
		if err != nil {
			return err
		}
		if out[v.ID], err = work.Count(ctx, t, r.Reach, f, countView); err != nil {
			return err
		}
	}
	return nil
}

// GetThread is a thread with its mails and what was done with it.
func (s *Service) GetThread(ctx context.Context, in ByID) (ThreadDetail, error) {
	return inboxView(ctx, s, "threads get", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadDetail, error) {
		v, err := r.thread(ctx, t, in.ID, work.LookThread, "")
		if err != nil {
			return ThreadDetail{}, err
		}
		return threadDetail(ctx, t, r, v)
	})
}

func threadDetail(ctx context.Context, t *store.Tenant, r *inboxReader, v *work.Thread) (d ThreadDetail, err error) {
	views, err := threadViews(ctx, t, []*work.Thread{v})
	if err != nil {
		return d, err
	}
	d.Thread = views[0]
	if d.Mails, d.Cut, err = threadMails(ctx, t, v.Inbox, v.ID); err != nil {
		return d, err
	}
	if d.Clocks, err = threadClocks(ctx, t, v.Inbox, v.ID); err != nil {
		return d, err
	}
	if d.Here, err = presences(ctx, t, v, r.Caller.Account); err != nil {
		return d, err
	}
	writing, err := inbox.Outgoings(ctx, t, v.Inbox, v.ID)
	if err != nil {
		return d, err
	}
	if d.Outgoing, err = outgoingViews(ctx, t, slices.DeleteFunc(writing, func(o *inbox.Outgoing) bool { return o.State == inbox.Sent })); err != nil {
		return d, err
	}
	d.Entries, err = threadEntries(ctx, t, v)
	return d, err
}

func threadEntries(ctx context.Context, t *store.Tenant, v *work.Thread) ([]ThreadEntry, error) {
	list, err := work.Entries(ctx, t, v.Inbox, v.ID, 500)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range list {
		ids = append(append(ids, e.Who, e.What.From, e.What.To), e.What.Mentions...)
	}
	who, err := workersOf(ctx, t, ids...)
	if err != nil {
		return nil, err
	}
	names, err := namesOfWork(ctx, t)
	out := []ThreadEntry{}
	for _, e := range list {
		o := ThreadEntry{ID: e.ID, At: e.At, Kind: e.Kind, Who: who.of(e.Who), Text: e.What.Text, Edited: tocsin.FromMillis(e.What.Edited), Says: entrySays(e, who, names)}
		for _, id := range e.What.Mentions {
			o.Mentions = append(o.Mentions, *who.of(id))
		}
		out = append(out, o)
	}
	return out, err
}

// namesOfWork are the names of tags and teams by id.
func namesOfWork(ctx context.Context, t *store.Tenant) (map[string]string, error) {
	out := map[string]string{}
	tags, err := work.Tags(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, g := range tags {
		out[g.ID] = g.Name
	}
	groups, err := work.Teams(ctx, t, "")
	for _, g := range groups {
		out[g.ID] = g.Name
	}
	return out, err
}

// entrySays is an entry in a sentence, without who.
func entrySays(e work.Entry, who workers, names map[string]string) (says string) {
	w := e.What
	switch e.Kind {
	case work.Noted:
		return ""
	case work.Assigned:
		switch {
		case w.To == "" && w.From != "":
			says = "took it from " + who.name(w.From)
		case w.To != w.From:
			says = "assigned it to " + who.name(w.To)
		case w.Team == "":
			says = "took it from its team"
		}
		if w.Team != "" {
			says = strings.TrimPrefix(says+", team "+firstOf(names[w.Team], "that is gone"), ", ")
		}
	case work.Stated:
		says = map[string]string{inbox.Open: "opened it", inbox.Waiting: "set it to waiting", inbox.Snoozed: "snoozed it", inbox.Resolved: "resolved it", inbox.Spam: "marked it as spam"}[w.To]
		if w.Until != 0 {
			says += " until " + tocsin.FromMillis(w.Until).Format("2006-01-02 15:04") + " UTC"
		}
	case work.Reported:
		says = "reported it to security"
	case "merged":
		says = "merged “" + w.Text + "” into it"
	case "split":
		says = "made some of its mails a thread of their own"
	case "rule":
		return w.Because
	case work.Prioritied:
		says = "changed the priority from " + w.From + " to " + w.To
	case work.Tagged:
		var parts []string
		for _, g := range w.Added {
			parts = append(parts, "added the tag "+firstOf(names[g], "that is gone"))
		}
		for _, g := range w.Removed {
			parts = append(parts, "took away the tag "+firstOf(names[g], "that is gone"))
		}
		says = strings.Join(parts, ", ")
	}
	if w.Because != "" {
		says += " (" + w.Because + ")"
	}
	return says
}

// ChangeThread assigns a thread, changes how it stands, its priority and tags.
func (s *Service) ChangeThread(ctx context.Context, in ChangeThreadIn) (ThreadDetail, error) {
	return inboxAct(ctx, s, "threads change", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadDetail, error) {
		if _, err := r.works(ctx, t, in.ID); err != nil {
			return ThreadDetail{}, err
		}
		v, err := r.change(ctx, t, in.ID, in.Body)
		if err != nil {
			return ThreadDetail{}, err
		}
		return threadDetail(ctx, t, r, v)
	})
}

// change changes a thread; what is spam goes into the mailbox's junk folder as well, and comes back from it, where the mailbox can be reached.
func (r *inboxReader) change(ctx context.Context, t *store.Tenant, id string, b ThreadChange) (*work.Thread, error) {
	before, err := work.Get(ctx, t, r.Reach, id)
	if err != nil {
		return nil, err
	}
	v, err := work.Apply(ctx, t, r.Reach, r.Caller.Account, id, b.change(r.Caller.Account))
	if err != nil || (before.State == inbox.Spam) == (v.State == inbox.Spam) {
		return v, err
	}
	folder := "junkemail"
	if v.State != inbox.Spam {
		folder = "inbox"
	}
	err = wishes(ctx, t, r.Caller.Account, v, ThreadMailbox{Folder: folder})
	if code := tocsin.AsProblem(err).Code; err != nil && (code == tocsin.Conflict || code == tocsin.NotFound || code == tocsin.Invalid) {
		err = nil // it is spam here; the mailbox is disconnected, or has no such folder
	}
	return v, err
}

func (b ThreadChange) change(me string) work.Change {
	c := work.Change{Assignee: b.Assignee, Team: b.Team, Until: b.Until, Add: b.Add, Remove: b.Remove, Version: b.Version}
	if b.Assignee != nil && *b.Assignee == "me" {
		c.Assignee = &me
	}
	if b.State != "" {
		c.State = &b.State
	}
	if b.Priority != 0 {
		c.Priority = &b.Priority
	}
	return c
}

// SeeThread notes that one has read a thread, or makes it new again.
func (s *Service) SeeThread(ctx context.Context, in SeenThreadIn) (None, error) {
	return inboxAct(ctx, s, "threads seen", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (None, error) {
		v, err := r.works(ctx, t, in.ID)
		if err != nil {
			return None{}, err
		}
		if in.Body.Unread {
			return None{}, work.Unsee(ctx, t, r.Caller.Account, v)
		}
		if err := work.See(ctx, t, r.Caller.Account, v); err != nil || v.UnreadMails == 0 {
			return None{}, err
		}
		read := true
		err = wishes(ctx, t, r.Caller.Account, v, ThreadMailbox{Read: &read})
		if code := tocsin.AsProblem(err).Code; err != nil && (code == tocsin.Conflict || code == tocsin.NotFound || code == tocsin.Invalid) {
			err = nil // the mailbox is disconnected: that one has read it is one's own
		}
		return None{}, err
	})
}

// noted is what notes have in common: who is named is found in the inbox's team.
func (s *Service) noted(ctx context.Context, name string, in any, id string, n NoteNew, do func(context.Context, *store.Tenant, *inboxReader, []string) (*work.Thread, error)) (ThreadDetail, error) {
	return inboxAct(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadDetail, error) {
		v, err := r.works(ctx, t, id)
		if err != nil {
			return ThreadDetail{}, err
		}
		people, err := team(ctx, t, v.Inbox)
		if err != nil {
			return ThreadDetail{}, err
		}
		if v, err = do(ctx, t, r, mentioned(people.People, n.Text, n.Mentions)); err != nil {
			return ThreadDetail{}, err
		}
		return threadDetail(ctx, t, r, v)
	})
}

// CreateNote writes a private note into a thread.
func (s *Service) CreateNote(ctx context.Context, in NoteIn) (ThreadDetail, error) {
	return s.noted(ctx, "thread-notes create", in, in.ID, in.Body, func(ctx context.Context, t *store.Tenant, r *inboxReader, mentions []string) (*work.Thread, error) {
		v, _, err := work.Note(ctx, t, r.Reach, in.ID, in.Body.Text, mentions)
		return v, err
	})
}

// EditNote changes a note of one's own.
func (s *Service) EditNote(ctx context.Context, in EditNoteIn) (ThreadDetail, error) {
	return s.noted(ctx, "thread-notes edit", in, in.ID, in.Body, func(ctx context.Context, t *store.Tenant, r *inboxReader, mentions []string) (*work.Thread, error) {
		return work.EditNote(ctx, t, r.Reach, in.ID, in.Note, in.Body.Text, mentions)
	})
}

// DeleteNote takes a note of one's own away.
func (s *Service) DeleteNote(ctx context.Context, in DeleteNoteIn) (ThreadDetail, error) {
	return s.noted(ctx, "thread-notes delete", in, in.ID, NoteNew{}, func(ctx context.Context, t *store.Tenant, r *inboxReader, _ []string) (*work.Thread, error) {
		return work.EditNote(ctx, t, r.Reach, in.ID, in.Note, "", nil)
	})
}

// decoded reads a list that a table keeps as JSON.
func decoded[T any](text string) ([]T, error) {
	out := []T{}
	err := json.Unmarshal([]byte(text), &out)
	if out == nil {
		out = []T{}
	}
	return out, err
}
