package connect

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// inbox enters the registration for shared mailboxes, and gives the app.
func (b *bench) inbox() (app, secret string) {
	b.Helper()
	app, secret = b.w.AddApp("Tocsin (inbox)")
	b.w.RequestScopes(app, InboxScopes...)
	if _, err := b.s.SetRegistration(b.Context(), "ops@x.example", NewRegistration{Tier: Inbox, Client: app, Secret: secret, Own: Own{Authority: sim.Address, Graph: sim.Address}}); err != nil {
		b.Fatal(err)
	}
	return app, secret
}

// email goes the way of an e-mail connection to its end, as those who answer Microsoft's pages.
func (b *bench) email(in BeginEmail, accounts ...string) (Step, error) {
	b.Helper()
	in.Tenant, in.Redirect = b.w.Tenant(), callback
	next, err := b.s.BeginEmail(b.Context(), asker, in)
	var step Step
	for _, account := range accounts {
		if err != nil {
			return step, err
		}
		to, bad := b.w.Visit(next, account)
		if bad != nil {
			return step, bad
		}
		step, err = b.finish(answerOf(to.Query()))
		next = step.Next
	}
	return step, err
}

// TestEmailByAccount: an administrator consents, the service account signs in, and its mailboxes open; what ends the sign-in stands at the connection, which
// signs in again and is the same; forgotten, nothing is asked by it any more.
func TestEmailByAccount(t *testing.T) {
	onBoth(t, func(b *bench) {
		t, ctx, tenant := b.T, b.Context(), tocsin.TenantID(b.w.Tenant())
		if _, err := b.email(BeginEmail{Consent: true}); what(err) != "No app registration is entered for the tier inbox." {
			t.Errorf("without a registration: %v", err)
		}
		app, _ := b.inbox()
		box, err := b.w.AddShared("Support", "support")
		if err == nil {
			err = b.w.Share(box, "service", sim.FullAccess)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.email(BeginEmail{}, "service"); err == nil || !strings.Contains(err.Error(), "Need admin approval") {
			t.Errorf("before the consent: %v", err)
		}
		b.w.RequestScopes(app, InboxScopes[:4]...) // not offline_access
		if _, err := b.email(BeginEmail{Consent: true}, "global", "service"); !strings.Contains(what(err), "offline_access is not among what was consented to") {
			t.Errorf("without offline_access: %v", err)
		}
		b.w.RequestScopes(app, InboxScopes...)
		if _, err := b.email(BeginEmail{Consent: true}, "user"); err == nil || !strings.Contains(err.Error(), "Need admin approval") {
			t.Errorf("consent of somebody who may not: %v", err)
		}
		step, err := b.email(BeginEmail{Consent: true, Name: "Service"}, "application", "service")
		if err != nil {
			t.Fatal(err)
		}
		c := step.Email
		if c.Account != "inbox.service@"+b.w.Domain() || c.Method != MethodDelegated || c.Consented.IsZero() || c.ConsentedBy != asker.Email || c.SignedIn.IsZero() || c.State != On || c.Name != "Service" {
			t.Fatalf("the connection is %+v", c)
		}
		gc, err := b.s.Mailbox(ctx, tenant, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := gc.Get(ctx, "mailFolders.get", graph.P{"user": box, "folder": "inbox"}, new(any)); err != nil {
			t.Errorf("the shared mailbox: %v", err)
		}
		if again, err := b.s.Mailbox(ctx, tenant, c.ID); err != nil || again != gc {
			t.Errorf("another client where nothing changed: %v", err)
		}
		for _, x := range []struct {
			what, says string
			do         func() error
		}{
			{"password", "password was changed", func() error { return b.w.Become("service", sim.ChangePassword) }},
			{"revoked", "sessions were revoked", func() error { return b.w.Become("service", sim.RevokeSessions) }},
			{"blocked", "Conditional Access blocks", func() error { return b.w.Block("service", 53003) }},
			{"no consent", "The consent is missing", func() error { return b.w.ConsentScopes(app) }},
			{"expired", "90 days", func() error { b.w.Advance(91 * 24 * time.Hour); return nil }},
		} {
			b.w.Advance(time.Second)
			if err := x.do(); err != nil {
				t.Fatal(err)
			}
			got, err := b.s.TestEmail(ctx, tenant, c.ID)
			if err != nil || got.State != Broken || !strings.Contains(got.Because, x.says) || got.Mend == "" {
				t.Errorf("%s: %+v, %v", x.what, got, err)
			}
			b.w.Advance(time.Second)
			if err := errors.Join(b.w.Block("service", 0), b.w.ConsentScopes(app, InboxScopes...)); err != nil {
				t.Fatal(err)
			}
			step, err := b.email(BeginEmail{Reconnect: c.ID}, "service")
			if err != nil || step.Email.ID != c.ID || step.Email.Name != "Service" || !step.Email.Consented.Equal(c.Consented) {
				t.Fatalf("%s, reconnected: %+v, %v", x.what, step.Email, err)
			}
			if got, err := b.s.TestEmail(ctx, tenant, c.ID); err != nil || got.State != On || got.Because != "" {
				t.Errorf("%s, mended: %+v, %v", x.what, got, err)
			}
		}
		if step, err := b.email(BeginEmail{}, "service"); err != nil || step.Email.ID != c.ID { // the same account is the same connection
			t.Errorf("connected twice: %+v, %v", step.Email, err)
		}
		if _, err := b.email(BeginEmail{}, "elsewhere"); err == nil || !strings.Contains(err.Error(), "AADSTS50020") {
			t.Errorf("an account of another tenant: %v", err)
		}
		if err := b.s.DeleteRegistration(ctx, Inbox); !strings.Contains(what(err), "sign in by this app registration") {
			t.Errorf("the registration was deleted though a connection signs in by it: %v", err)
		}
		if gc, err = b.s.Mailbox(ctx, tenant, c.ID); err != nil { // the one in use by now
			t.Fatal(err)
		}
		if err := b.s.DeleteEmail(ctx, "amy@x.example", tenant, c.ID); err != nil {
			t.Fatal(err)
		}
		if err := gc.Get(ctx, "me.get", nil, nil); !errors.Is(err, graph.ErrPaused) {
			t.Errorf("a client in use after the connection was forgotten: %v", err)
		}
		if _, err := b.s.Mailbox(ctx, tenant, c.ID); what(err) != "There is no such e-mail connection." {
			t.Errorf("after it was forgotten: %v", err)
		}
		if err := b.s.DeleteEmail(ctx, "amy@x.example", tenant, c.ID); err == nil {
			t.Error("forgotten twice")
		}
	})
}

// TestEmailByApp: an app of the tenant's own does without a service account, if it has its two permissions.
func TestEmailByApp(t *testing.T) {
	onBoth(t, func(b *bench) {
		t, ctx := b.T, b.Context()
		less, secretOfLess := b.w.AddApp("less", "Mail.Read")
		in := NewEmail{Tenant: b.w.Tenant(), Client: less, Secret: secretOfLess, Own: Own{Authority: sim.Address, Graph: sim.Address}}
		if _, err := b.s.CreateEmail(ctx, "amy@x.example", in); what(err) != "The app lacks the permission Mail.ReadWrite and Mail.Send." {
			t.Errorf("with less: %v", err)
		}
		in.Client, in.Secret = b.w.AddApp("inbox", "Mail.ReadWrite", "Mail.Send")
		wrong := in
		wrong.Secret = "wrong"
		if _, err := b.s.CreateEmail(ctx, "amy@x.example", wrong); what(err) != "The client secret is wrong." {
			t.Errorf("with a wrong secret: %v", err)
		}
		made, err := b.s.CreateEmail(ctx, "amy@x.example", in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.s.CreateEmail(ctx, "amy@x.example", in)
		if err != nil || again.ID != made.ID || again.Version != made.Version+1 {
			t.Errorf("entered again: %+v, %v", again, err)
		}
		var all []EmailConnection
		if err := b.s.Store.ViewTenant(ctx, made.Tenant, func(t *store.Tenant) (err error) { all, err = EmailConnections(ctx, t, ""); return err }); err != nil || len(all) != 1 || all[0].Method != "secret" || all[0].Account != "" {
			t.Errorf("kept as %+v, %v", all, err)
		}
		gc, err := b.s.Mailbox(ctx, made.Tenant, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		b.w.AllowContentOf(in.Client, true)
		if err := gc.Get(ctx, "mailFolders.get", graph.P{"user": "invoices@" + b.w.Domain(), "folder": "inbox"}, new(any)); err != nil {
			t.Errorf("a mailbox: %v", err)
		}
		if _, err := b.s.BeginEmail(ctx, asker, BeginEmail{Tenant: b.w.Tenant(), Reconnect: made.ID, Redirect: callback}); err == nil {
			t.Error("an app was asked to sign in")
		}
	})
}

// TestInboxGuide: the guide asks for delegated permissions by their ids, or for two of the app's own.
func TestInboxGuide(t *testing.T) {
	g := MakeGuide(Inbox, ByOAuth, nil, callback, "")
	if !slices.Equal(g.Names(), InboxScopes) || strings.Count(g.Manifest, `"Scope"`) != 5 || strings.Contains(g.Manifest, `"Role"`) || !strings.Contains(strings.Join(g.Steps, "\n"), "Delegated permissions") || !strings.Contains(g.PowerShell, "Oauth2PermissionScopes") {
		t.Errorf("by account: %v\n%s\n%v", g.Names(), g.Manifest, g.Steps)
	}
	g = MakeGuide(Inbox, ByCredentials, nil, "", "")
	if !slices.Equal(g.Names(), []string{"Mail.ReadWrite", "Mail.Send"}) || strings.Contains(g.Manifest, `"Scope"`) || !strings.Contains(g.PowerShell, "AppRoles") {
		t.Errorf("by app: %v\n%s", g.Names(), g.Manifest)
	}
}
