package main

import (
	"context"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/server"
)

// hunted is the domain to which every bad mail of the demo's campaign leads.
func (th *theatre) hunted() (*sim.Wave, error) {
	if all := th.world.Campaigns(); len(all) > 0 {
		return all[0], nil // a kept world remembers
	}
	return th.world.Campaign(sim.Campaign{Name: "demo", Mails: 60, Innocents: 15, Over: sim.Duration(36 * time.Hour)})
}

// joinMail connects an app to investigate mail with, by a mail configuration of its own.
func (th *theatre) joinMail(ctx context.Context, s *server.Server, wave *sim.Wave) error {
	in := th.world.Access()
	var may []string
	for _, m := range connect.MailPermissions {
		may = append(may, m.Name)
	}
	for _, m := range connect.MailExtras {
		may = append(may, m.Name)
	}
	app, secret := th.world.AddApp("Tocsin, to investigate", may...)
	th.world.AllowContentOf(app, true)
	n := connect.New{Name: "Mail of the demo", Tenant: in.Tenant, Client: app, Secret: secret, Cloud: "own", Own: connect.Own{Authority: in.Authority, Graph: in.Graph}}
	_, err := s.Connections.CreateMail(ctx, demoOwner, n, connect.MailSettings{TestAddress: wave.Planted[0].Mailbox, AllDomains: true})
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Conflict {
		return nil // --data of an earlier demo
	}
	return err
}

// hunt investigates the demo's campaign day and night, once who has a mailbox is known.
func (th *theatre) hunt(ctx context.Context, s *server.Server, wave *sim.Wave) error {
	in := api.In{Tenant: tocsin.TenantID(th.world.Access().Tenant)}
	ctx = api.WithCaller(ctx, api.Caller{Email: demoOwner, By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	had, err := s.API.ListInvestigations(ctx, api.InvestigationsIn{In: in, Paging: api.Paging{Limit: 1}})
	if err != nil || len(had.Items) > 0 {
		return err
	}
	_, err = s.API.CreateInvestigation(ctx, api.CreateInvestigationIn{In: in, Body: api.InvestigationNew{Name: "Invoices that lead to " + wave.Domain, Query: "url.domain:" + wave.Domain, Trigger: "standing", Expiry: s.Clock.Now().AddDate(0, 0, 14),
		Reason: "Two people in Finance reported an invoice that asks for a sign-in", Start: true}})
	return err
}

// again lets the campaign's next wave come while one looks: the investigation stands, and meets it.
func (th *theatre) again(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(th.over / 2):
	}
	_, err := th.world.Campaign(sim.Campaign{Name: "demo", Wave: 1, Mails: 8, Fresh: true})
	return err
}
