package api_test

import (
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestInboxTeams: an agent sees the inboxes whose team they are of and no other; somebody else of rank reads one only for a reason, each read
// is written down where its team sees it, and does nothing there.
func TestInboxTeams(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		agent, other, admin := s.token(api.Agent, string(acme)), s.token(api.Agent, string(acme)), s.token(api.Admin, string(acme))
		me := call[api.Me](t, agent, "me get", api.NoInput{}).Account.ID
		team := call[api.Team](t, admin, "inbox-teams create", api.CreateTeamIn{In: in(acme), Body: api.TeamNew{Name: "Night", Accounts: []string{me}}})
		box := api.ByID{In: in(acme), ID: inboxOf(acme)}
		got := call[api.InboxTeam](t, admin, "inboxes set-members", api.SetMembersIn{ByIDAct: api.ByIDAct{ByID: box}, Body: api.MembersNew{Members: []api.InboxMember{{Kind: "team", ID: team.ID}}}})
		if len(got.People) != 1 || got.People[0].Account != me || got.Members[0].Name != "Night" {
			t.Errorf("the team is %+v", got)
		}
		thread := api.ByID{In: in(acme), ID: threadOf(acme)}
		list := api.ThreadsIn{In: in(acme), ThreadFilter: api.ThreadFilter{Inbox: inboxOf(acme)}}

		if p := call[api.Page[api.Thread]](t, agent, "threads list", list); len(p.Items) != 1 || p.Items[0].Unread { // it came before they were of the team
			t.Errorf("the agent's threads: %+v", p)
		}
		for name, in := range map[string]any{"inboxes get": box, "threads get": thread, "threads list": list, "threads seen": api.SeenThreadIn{ByIDAct: api.ByIDAct{ByID: thread}}} {
			if err := other.Do(t.Context(), name, in, nil); code(err) != tocsin.NotFound {
				t.Errorf("%s by an agent of no team: %v", name, err)
			}
		}
		if p := call[api.Page[api.SharedInbox]](t, other, "inboxes list", api.ListIn{In: in(acme)}); len(p.Items) != 0 {
			t.Errorf("an agent of no team sees %+v", p.Items)
		}

		for name, in := range map[string]any{"threads get": thread, "threads list": list} {
			if err := admin.Do(t.Context(), name, in, nil); code(err) != tocsin.Denied || !strings.Contains(err.Error(), "why") {
				t.Errorf("%s by an administrator of another team: %v", name, err)
			}
		}
		if p := call[api.Page[api.Thread]](t, admin, "threads list", api.ThreadsIn{In: in(acme)}); len(p.Items) != 0 {
			t.Errorf("without asking: %+v", p.Items)
		}
		call[api.InboxLook](t, admin, "inboxes look", api.LookInboxIn{ByIDAct: api.ByIDAct{ByID: box}, Body: api.Reason{Reason: "The auditor asks."}})
		if d := call[api.ThreadDetail](t, admin, "threads get", thread); len(d.Mails) != 2 || d.Unread {
			t.Errorf("%+v", d)
		}
		call[api.Page[api.Thread]](t, admin, "threads list", list)
		for name, in := range map[string]any{"threads change": api.ChangeThreadIn{ByIDAct: api.ByIDAct{ByID: thread}, Body: api.ThreadChange{State: "spam"}},
			"thread-notes create": api.NoteIn{ByIDAct: api.ByIDAct{ByID: thread}, Body: api.NoteNew{Text: "Hi."}}} {
			if err := admin.Do(t.Context(), name, in, nil); code(err) != tocsin.Denied {
				t.Errorf("%s from outside: %v", name, err)
			}
		}
		looks := call[api.Page[api.InboxLook]](t, agent, "inboxes looks", api.InboxLooksIn{ByID: box}).Items
		if len(looks) != 3 || looks[0].What != "list" || looks[1].What != "thread" || looks[1].Thread != thread.ID || looks[2].What != "asked" || looks[1].Reason != "The auditor asks." || looks[1].Of != looks[2].ID {
			t.Errorf("written down: %+v", looks)
		}
		s.st.Clock().Advance(2 * 3600e9)
		if err := admin.Do(t.Context(), "threads get", thread, nil); code(err) != tocsin.Denied {
			t.Errorf("after two hours: %v", err)
		}

		d := call[api.ThreadDetail](t, agent, "threads change", api.ChangeThreadIn{ByIDAct: api.ByIDAct{ByID: thread}, Body: api.ThreadChange{Assignee: new("me"), Team: &team.ID, Add: []string{tagOf(acme)}}})
		if d.Assignee == nil || d.Assignee.Account != me || d.TeamName != "Night" || len(d.Tags) != 1 {
			t.Errorf("%+v", d.Thread)
		}
		if c := call[api.ThreadCounts](t, agent, "threads counts", in(acme)); c.Mine != 1 || c.Unassigned != 0 || c.Open != 1 || c.Inboxes[inboxOf(acme)] != 1 {
			t.Errorf("counts %+v", c)
		}
		d = call[api.ThreadDetail](t, agent, "thread-notes create", api.NoteIn{ByIDAct: api.ByIDAct{ByID: thread}, Body: api.NoteNew{Text: "A secret for @" + me + "@tocsin.example."}})
		if n := d.Entries[len(d.Entries)-1]; len(n.Mentions) != 1 || n.Mentions[0].Account != me || d.Entries[0].Says == "" {
			t.Errorf("the note is %+v", n)
		}
		if c := call[api.ThreadCounts](t, agent, "threads counts", in(acme)); c.Mentioned != 1 {
			t.Errorf("counts %+v", c)
		}
		if trail := call[api.Page[api.TrailEntry]](t, s.owner, "trail of", api.TenantTrailIn{In: in(acme)}); strings.Contains(text(t, trail), "A secret") {
			t.Error("the trail tells what was noted")
		}
	})
}
