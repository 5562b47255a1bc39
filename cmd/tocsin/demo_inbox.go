package main

import (
	"context"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/server"
)

// shared are the demo's shared mailboxes, each with a mail that came.
var shared = []struct{ name, local, from, subject, text string }{
	{"Invoices", "invoices", "billing@northwindtraders.com", "Invoice 2044", "Please find our invoice for March. The account is the one you know."},
	{"Support", "support", "ann.dubois@tailspintoys.com", "Where is our container?", "It should have come on Monday, and the gate says that they know nothing of it."},
	{"Security", "security", "abuse@proseware.com", "Mail from your domain", "We have got mails that name you as their sender. Are they yours?"},
}

// joinInbox connects the demo's shared mailboxes as an administrator and the service account would, who answer Microsoft's pages.
func (th *theatre) joinInbox(ctx context.Context, s *server.Server) error {
	in := th.world.Access()
	app, secret := th.world.AddApp("Tocsin (inbox)")
	th.world.RequestScopes(app, connect.InboxScopes...)
	th.world.AllowContentOf(app, true)
	if _, err := s.Connections.SetRegistration(ctx, demoOwner, connect.NewRegistration{Tier: connect.Inbox, Client: app, Secret: secret, Own: connect.Own{Authority: in.Authority, Graph: in.Graph}}); err != nil {
		return err
	}
	who := connect.Asker{Account: demoOwner, Email: demoOwner, Session: "demo"}
	next, err := s.Connections.BeginEmail(ctx, who, connect.BeginEmail{Tenant: in.Tenant, Consent: true, Redirect: "https://tocsin.example" + api.CallbackPath})
	var step connect.Step
	for _, account := range []string{"global", "service"} {
		if err != nil {
			return err
		}
		to, bad := th.world.Visit(next, account)
		if bad != nil {
			return bad
		}
		q := to.Query()
		step, err = s.Connections.FinishConsent(ctx, who, connect.Answer{State: q.Get("state"), Code: q.Get("code"), Tenant: q.Get("tenant"), AdminConsent: q.Get("admin_consent"), Error: q.Get("error"), Description: q.Get("error_description")},
			func(tocsin.TenantID) error { return nil })
		next = step.Next
	}
	if err != nil {
		return err
	}
	ctx = api.WithCaller(ctx, api.Caller{Email: demoOwner, By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	days := 30
	for i, m := range shared {
		address, err := th.world.AddShared(m.name, m.local)
		if err == nil {
			err = th.world.Share(address, "service", sim.FullAccess, sim.SendAs)
		}
		if err == nil {
			_, err = th.world.Put(address, sim.Mail{From: m.from, Subject: m.subject, Text: m.text, Received: s.Clock.Now().Add(-time.Duration(i+2) * time.Hour)})
		}
		var made api.EmailAddress
		if err == nil {
			made, err = s.API.ConnectEmailAddress(ctx, api.ConnectAddressIn{In: api.In{Tenant: tocsin.TenantID(in.Tenant)}, Body: api.EmailAddressNew{Connection: step.Email.ID, Address: address, Name: m.name, BackfillDays: &days}})
		}
		if err == nil { // whoever looks at the demo is of the team
			team := api.SetMembersIn{Body: api.MembersNew{Members: []api.InboxMember{{Kind: "everyone"}}}}
			team.Tenant, team.ID = tocsin.TenantID(in.Tenant), made.ID
			_, err = s.API.SetInboxMembers(ctx, team)
		}
		if err != nil {
			return fmt.Errorf("connect the shared mailbox %s: %w", m.local, err)
		}
	}
	return nil
}
