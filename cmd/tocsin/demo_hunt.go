package main

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/investigate"
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

// hunt investigates the demo's campaign day and night, once who has a mailbox is known: two people report it, and what came to one
// department is moved to quarantine, so that there is something to judge and to restore.
func (th *theatre) hunt(ctx context.Context, s *server.Server, wave *sim.Wave) error {
	in := api.In{Tenant: tocsin.TenantID(th.world.Access().Tenant)}
	ctx = api.WithCaller(ctx, api.Caller{Email: demoOwner, By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	had, err := s.API.ListInvestigations(ctx, api.InvestigationsIn{In: in, Paging: api.Paging{Limit: 1}})
	if err != nil || len(had.Items) > 0 {
		return err
	}
	made, err := s.API.CreateInvestigation(ctx, api.CreateInvestigationIn{In: in, Body: api.InvestigationNew{Name: "Invoices that lead to " + wave.Domain, Query: "url.domain:" + wave.Domain, Trigger: "standing", Expiry: s.Clock.Now().AddDate(0, 0, 14),
		Reason: "Two people in Finance reported an invoice that asks for a sign-in", Start: true}})
	if err != nil {
		return err
	}
	if err := th.report(ctx, s, in, wave); err != nil {
		return err
	}
	at := api.ByID{In: in, ID: made.ID}
	for { // until every mailbox was searched once
		d, err := s.API.GetInvestigation(ctx, at)
		if err != nil {
			return leaving(ctx, err)
		}
		if d.Search != nil && !d.Search.Ended.IsZero() {
			break
		}
		if !pause(ctx, 300*time.Millisecond) {
			return nil
		}
	}
	found, err := s.API.ListMatches(ctx, api.MatchesIn{ByID: at, Paging: api.Paging{Limit: 200}, MatchFilter: api.MatchFilter{Department: "Finance", State: "found", Truth: "yes"}})
	if err != nil || len(found.Items) == 0 {
		return leaving(ctx, err)
	}
	ask := api.MailActNew{Investigation: made.ID, Kind: investigate.Quarantine, Why: "Finance pays invoices: theirs go first"}
	for _, m := range found.Items {
		ask.Matches = append(ask.Matches, m.ID)
	}
	_, err = s.API.CreateMailAct(ctx, api.MailActCreateIn{In: in, Body: ask})
	return leaving(ctx, err)
}

// report lets two of those who got a mail of the campaign send it to the help desk, to which people report here.
func (th *theatre) report(ctx context.Context, s *server.Server, in api.In, wave *sim.Wave) error {
	desk, thanks := "helpdesk@"+th.world.Domain(), true
	had, err := s.API.GetReportedSettings(ctx, in)
	if err != nil {
		return leaving(ctx, err)
	}
	if _, err := s.API.SetReportedSettings(ctx, api.SetReportedIn{In: in, Body: api.ReportedNew{Mailbox: &desk, Thanks: &thanks, Version: had.Version}}); err != nil {
		return leaving(ctx, err)
	}
	told := 0
	for _, p := range wave.Planted {
		if p.Innocent || p.Folder != "inbox" || p.Mailbox == desk || told == 2 {
			continue
		}
		raw := fmt.Sprintf("From: Accounts <%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe invoice is overdue. See and pay it here: %s\r\n",
			p.Sender, p.Mailbox, mime.QEncoding.Encode("utf-8", p.Subject), p.Received.UTC().Format(time.RFC1123Z), p.MessageID, p.URL)
		_, err := th.world.Put(desk, sim.Mail{From: p.Mailbox, Subject: "Is this ours?", Text: []string{"I have ordered nothing from them. Should I pay?", "It wants me to sign in. I did not."}[told], Attachments: []sim.File{{Name: "invoice.eml", Type: "message/rfc822", Data: []byte(raw)}}})
		if err != nil {
			return err
		}
		told++
	}
	return nil
}

// leaving is the error of what was asked for, unless the demo is at its end.
func leaving(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pause waits, and says whether the demo goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// again lets the campaign's next wave come while one looks: the investigation stands, and meets it.
func (th *theatre) again(ctx context.Context) error {
	if !pause(ctx, th.over/2) {
		return nil
	}
	_, err := th.world.Campaign(sim.Campaign{Name: "demo", Wave: 1, Mails: 8, Fresh: true})
	return err
}
