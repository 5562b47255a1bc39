package api_test

import (
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/investigate"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestMailActs: what is asked for waits for somebody else where the limits say so; the same key asks once; purging needs the switch
// and an administrator; lists, items and settings tell what is so.
func TestMailActs(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		call[api.ResponseSettings](t, s.owner, "response-settings set", api.SetResponseIn{In: in(acme), Body: api.ResponseNew{Approval: "second_person"}})
		asker, other, admin := s.token(api.Analyst, string(acme)), s.token(api.Analyst, string(acme)), s.token(api.Admin, string(acme))
		plan := call[api.MailActPlan](t, asker, "mail-acts plan", api.MailActPlanIn{In: in(acme), Body: junkOne(acme)})
		if !plan.Possible || !plan.Approval || len(plan.Approvals) != 1 || plan.Blast.Messages != 1 || plan.Blast.Mailboxes != 1 || len(plan.Blast.Notable) != 1 || !strings.Contains(plan.Does, "1 message in 1 mailbox") {
			t.Errorf("the plan is %+v", plan)
		}
		ask := api.MailActCreateIn{In: in(acme), Key: api.Key{Key: "once"}, Body: junkOne(acme)}
		a := call[api.MailAct](t, asker, "mail-acts create", ask)
		if a.State != "waiting_approval" || !a.Mine || a.Counts.Waiting != 1 || a.Title != "Invoices" || !a.CanStop || a.CanRestore {
			t.Errorf("it is %+v", a)
		}
		if b := call[api.MailAct](t, asker, "mail-acts create", ask); b.ID != a.ID {
			t.Errorf("the same key asked twice: %s and %s", a.ID, b.ID)
		}
		at := api.ByIDAct{ByID: api.ByID{In: in(acme), ID: a.ID}}
		if err := asker.Do(t.Context(), "mail-acts approve", api.MailActDecideIn{ByIDAct: at}, nil); code(err) != tocsin.Denied {
			t.Errorf("approved by who asked: %v", err)
		}
		if b := call[api.MailAct](t, other, "mail-acts approve", api.MailActDecideIn{ByIDAct: at}); b.State != "running" || b.ApprovedBy == "" || b.Mine {
			t.Errorf("approved by somebody else: %+v", b)
		}
		list := call[api.Page[api.MailAct]](t, other, "mail-acts list", api.MailActsIn{In: in(acme), Investigation: actedCaseOf(acme), State: []investigate.ActState{"running"}})
		if len(list.Items) != 1 || list.Items[0].ID != a.ID || list.Next != "" {
			t.Errorf("the list is %+v", list)
		}
		list = call[api.Page[api.MailAct]](t, other, "mail-acts list", api.MailActsIn{In: in(acme), Paging: api.Paging{Limit: 2}})
		if rest := call[api.Page[api.MailAct]](t, other, "mail-acts list", api.MailActsIn{In: in(acme), Paging: api.Paging{After: list.Next}}); len(list.Items) != 2 || len(rest.Items) != 1 || list.Total != 3 {
			t.Errorf("the list is %+v and %+v", list, rest)
		}
		items := call[api.Page[api.MailActItem]](t, other, "mail-acts items", api.MailActItemsIn{ByID: at.ByID})
		if len(items.Items) != 1 || items.Items[0].Message != "message" || items.Items[0].State != "waiting" || items.Items[0].Sender != "bad@evil.example" {
			t.Errorf("the items are %+v", items)
		}
		if b := call[api.MailAct](t, other, "mail-acts stop", api.MailActDecideIn{ByIDAct: at}); b.State != "stopped" || b.Counts.Left != 1 || b.Percent != 100 {
			t.Errorf("stopped: %+v", b)
		}
		if d := call[api.MailActDetail](t, other, "mail-acts get", at.ByID); len(d.History) < 4 || d.Plan.Blast.Messages != 1 {
			t.Errorf("the detail is %+v", d)
		}

		back := api.MailActRestoreIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: in(acme), ID: "done-" + mailActOf(acme)}, Key: api.Key{Key: "back"}}, Body: api.MailActRestore{Why: "w"}}
		if p := call[api.MailActPlan](t, asker, "mail-acts plan-restore", back); !p.Possible || p.Blast.Messages != 1 {
			t.Errorf("the restore's plan is %+v", p)
		}
		r := call[api.MailAct](t, asker, "mail-acts restore", back)
		if r.Kind != "restore" || r.State != "running" || r.Restores != back.ID {
			t.Errorf("the restore is %+v", r)
		}
		if again := call[api.MailAct](t, asker, "mail-acts restore", back); again.ID != r.ID {
			t.Errorf("the same key restored twice: %s and %s", r.ID, again.ID)
		}
		back.Key.Key = "another"
		if err := other.Do(t.Context(), "mail-acts restore", back, nil); code(err) != tocsin.Conflict {
			t.Errorf("restored twice: %v", err)
		}

		purge := api.MailActCreateIn{In: in(acme), Body: junkOne(acme)}
		purge.Body.Kind = "purge"
		if err := admin.Do(t.Context(), "mail-acts create", purge, nil); code(err) != tocsin.Conflict {
			t.Errorf("purged without the switch: %v", err)
		}
		set := api.SetMailActSettingsIn{In: in(acme), Body: api.MailActSettingsNew{Purge: new(true), PerAct: new(7)}}
		if v := call[api.MailActSettings](t, admin, "mail-act-settings set", set); !v.Purge || v.PerAct != 7 || v.PerHour != 2000 || v.Version != 1 || v.ChangedBy == "" {
			t.Errorf("the settings are %+v", v)
		}
		if err := admin.Do(t.Context(), "mail-act-settings set", set, nil); code(err) != tocsin.Conflict {
			t.Errorf("set twice from the same version: %v", err)
		}
		if err := asker.Do(t.Context(), "mail-acts create", purge, nil); code(err) != tocsin.Conflict {
			t.Errorf("purged by an analyst: %v", err)
		}
		if b := call[api.MailAct](t, admin, "mail-acts create", purge); b.Kind != "purge" || b.CanRestore {
			t.Errorf("purged by an administrator: %+v", b)
		}
	})
}
