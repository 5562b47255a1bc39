package server

import (
	"testing"
	"time"

	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
)

// configured makes a mail configuration for the tenant, by an app of its own that may do what a configuration asks for and no more.
func configured(t testing.TB, s *Server, w *sim.Sim, address string) connect.Connection {
	t.Helper()
	c, err := s.Connections.CreateMail(t.Context(), "test", ownMail(w), connect.MailSettings{TestAddress: address, AllDomains: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ownMail is own for a mail configuration.
func ownMail(w *sim.Sim) connect.New {
	n := own(w)
	n.Client, n.Secret = ownApp(w)
	return n
}

func ownApp(w *sim.Sim) (client, secret string) {
	var may []string
	for _, m := range connect.MailPermissions {
		may = append(may, m.Name)
	}
	client, secret = w.AddApp("Tocsin, to investigate", may...)
	w.AllowContentOf(client, true)
	return client, secret
}

// TestInvestigation: through the operations, a campaign is found whole with no innocent, and its second wave by the standing query as it comes.
func TestInvestigation(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		w, err := sim.New(sim.Config{Users: 40, Seed: 21, Quiet: true, Roles: sim.ReadTier})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		first, err := w.Campaign(sim.Campaign{Mails: 30, Innocents: 10, Over: sim.Duration(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		c := settings(t)
		c.Database = address
		b := hears(t, c, w)
		configured(t, b.s, w, first.Planted[0].Mailbox)
		b.subscribed()
		ctx := as(b.Context(), api.Analyst)
		in := api.CreateInvestigationIn{Body: api.InvestigationNew{Name: "Invoices", Query: "url.domain:" + first.Domain, Trigger: "standing", Expiry: b.s.Clock.Now().Add(48 * time.Hour), Reason: "Reported.", Start: true}}
		in.Tenant = b.tenant()
		made, err := b.s.API.CreateInvestigation(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		id := api.ByID{ID: made.ID}
		id.Tenant = b.tenant()
		found := func(waves ...*sim.Wave) string {
			d, err := b.s.API.GetInvestigation(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if d.Status != "running" || d.Search == nil || d.Search.State == "stopped" {
				t.Fatalf("the investigation: %+v %+v", d.Investigation, d.Search)
			}
			all := 0
			for _, w := range waves {
				all += w.Mails
			}
			if d.Search.State != "done" || int(d.Matches) < all {
				return d.Search.State + " with too few matches"
			}
			if int(d.Matches) != all || d.Boxes == 0 || d.Clusters == 0 {
				t.Fatalf("%d are found, %d planted: %+v", d.Matches, all, d)
			}
			return ""
		}
		eventually(t, "the first wave", func() string { return found(first) })
		second, err := w.Campaign(sim.Campaign{Wave: 1, Mails: 20, Innocents: 10, Fresh: true})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the second wave", func() string { return found(first, second) })
		list := api.MatchesIn{ByID: id}
		list.Limit = 200
		page, err := b.s.API.ListMatches(ctx, list)
		if err != nil || len(page.Items) != 50 {
			t.Fatalf("the list has %d: %v", len(page.Items), err)
		}
		told := 0
		for _, m := range page.Items {
			if m.Way == "standing" {
				told++
			}
		}
		if told != 20 {
			t.Errorf("%d of the second wave were caught as they came", told)
		}
		counts, err := b.s.API.CountMatches(ctx, api.FacetsIn{ByID: id})
		if err != nil || counts.Total != 50 || len(counts.Senders) == 0 || len(counts.Days) == 0 || len(counts.Folders) == 0 {
			t.Errorf("the counts: %+v %v", counts, err)
		}
		file, err := b.s.API.ExportMatches(ctx, api.FacetsIn{ByID: id})
		if err != nil || file.Rows != 50 {
			t.Errorf("the file: %+v %v", file, err)
		}
		groups, err := b.s.API.ListClusters(ctx, api.ClustersIn{ByID: id})
		if err != nil || len(groups.Items) == 0 || groups.Items[0].Matches < 20 {
			t.Errorf("the clusters: %+v %v", groups, err)
		}
		boxes, err := b.s.API.ListSearchMailboxes(ctx, api.SearchMailboxesIn{ByID: id})
		if err != nil || len(boxes.Items) == 0 {
			t.Errorf("the mailboxes: %+v %v", boxes, err)
		}
		trails, err := b.s.API.ListTrails(ctx, api.TrailsIn{ByID: id, Mail: page.Items[0].InternetMessageID})
		if err != nil || len(trails.Items) == 0 || trails.Items[0].Opened == "unknown" {
			t.Errorf("the trails: %+v %v", trails, err)
		}
		asked := api.QueryFromIn{Body: api.QueryFrom{Match: page.Items[0].ID}}
		asked.Tenant = b.tenant()
		query, err := b.s.API.MakeQuery(ctx, asked)
		if err != nil || query.Query == "" || len(query.Terms) == 0 {
			t.Errorf("the query: %+v %v", query, err)
		}
	})
}
