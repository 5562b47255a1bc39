package inbox_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/inbox"
	"tocsin.dev/secret"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// desk is a tenant whose service account has signed in.
type desk struct {
	*testing.T
	w          *sim.Sim
	s          *connect.Connections
	a          *inbox.Addresses
	tenant     tocsin.TenantID
	connection string
	app        string
}

const back = "https://tocsin.example/connect/callback"

func newDesk(t *testing.T, st *store.Store) *desk {
	t.Helper()
	w, err := sim.New(sim.Config{Users: 30, Content: true, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	keeper, err := secret.Open(t.Context(), secret.Source{File: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, w: w, tenant: tocsin.TenantID(w.Tenant())}
	d.s = &connect.Connections{Store: st, Keeper: keeper, Log: slog.New(slog.DiscardHandler), HTTP: w.Client()}
	d.a = &inbox.Addresses{Store: st, Keeper: keeper, Client: d.s.Mailbox, Forget: d.s.DeleteEmail}
	own := connect.Own{Authority: sim.Address, Graph: sim.Address}
	app, key := w.AddApp("Tocsin (inbox)")
	d.app = app
	w.RequestScopes(app, connect.InboxScopes...)
	if _, err := d.s.SetRegistration(t.Context(), "jo@example.com", connect.NewRegistration{Tier: connect.Inbox, Client: app, Secret: key, Own: own}); err != nil {
		t.Fatal(err)
	}
	d.connection = d.signIn("")
	return d
}

// signIn has an administrator consent and the service account sign in, for a new connection or to reconnect one.
func (d *desk) signIn(reconnect string) string {
	d.Helper()
	who := connect.Asker{Account: "a", Email: "jo@example.com", Session: "s"}
	next, err := d.s.BeginEmail(d.Context(), who, connect.BeginEmail{Tenant: string(d.tenant), Consent: true, Reconnect: reconnect, Redirect: back})
	var step connect.Step
	for _, account := range []string{"global", "service"} {
		if err != nil {
			d.Fatal(err)
		}
		to, bad := d.w.Visit(next, account)
		if bad != nil {
			d.Fatal(bad)
		}
		q := to.Query()
		step, err = d.s.FinishConsent(d.Context(), who, connect.Answer{State: q.Get("state"), Code: q.Get("code"), Tenant: q.Get("tenant"), AdminConsent: q.Get("admin_consent")}, func(tocsin.TenantID) error { return nil })
		next = step.Next
	}
	if err != nil {
		d.Fatal(err)
	}
	return step.Email.ID
}

func says(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(tocsin.AsProblem(err).What, want) || tocsin.AsProblem(err).Do == "" {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// TestAddresses: an address is connected when it is open, has its own inbox, whatever becomes of its connection; and the right to send from it is tried.
func TestAddresses(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		ctx, jo := t.Context(), "jo@example.com"
		add := func(address string) (inbox.Inbox, error) {
			return d.a.Connect(ctx, jo, d.tenant, inbox.NewAddress{Connection: d.connection, Address: address, BackfillDays: 30})
		}
		box, err := d.w.AddShared("Support", "support")
		if err != nil {
			t.Fatal(err)
		}
		_, err = add(box)
		says(t, "no member", err, "is not shared with the service account")
		if do := tocsin.AsProblem(err).Do; !strings.Contains(do, "Add-MailboxPermission -Identity "+box) {
			t.Errorf("what to do about it: %s", do)
		}
		_, err = add("nobody@" + d.w.Domain())
		says(t, "nobody", err, "has no mailbox")
		_, err = add("no address")
		says(t, "no address", err, "is not an address")
		if err := d.w.Share(box, "service", sim.FullAccess); err != nil {
			t.Fatal(err)
		}
		in, err := add(" " + strings.ToUpper(box))
		if err != nil || in.Address != box || in.Name != "support" || in.State != inbox.Connected || in.Sending != inbox.SendUnknown || in.BackfillDays != 30 {
			t.Fatalf("connected as %+v, %v", in, err)
		}
		if err := st.ViewTenant(ctx, d.tenant, func(t *store.Tenant) error { _, err := inbox.OpenKey(ctx, t, d.a.Keeper, in.ID); return err }); err != nil {
			t.Errorf("its key: %v", err)
		}

		mails := func() int {
			all, err := d.w.Messages(box)
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		before := mails()
		for _, c := range []struct{ right, want, because string }{{"", inbox.SendRefused, "Add-RecipientPermission"}, {sim.SendOnBehalf, inbox.SendBehalf, "on behalf of " + box}, {sim.SendAs, inbox.SendAs, ""}} {
			rights := []string{sim.FullAccess}
			if c.right != "" {
				rights = append(rights, c.right)
			}
			if err := d.w.Share(box, "service", rights...); err != nil {
				t.Fatal(err)
			}
			got, err := d.a.TestSending(ctx, jo, d.tenant, in.ID)
			if err != nil || got.Sending != c.want || !strings.Contains(got.SendingBecause, c.because) || got.SendingAt.IsZero() {
				t.Errorf("with %q: %+v, %v", c.right, got, err)
			}
			if n := mails(); n != before {
				t.Errorf("with %q the mailbox holds %d mails, and held %d", c.right, n, before)
			}
		}

		out, err := d.a.Disconnect(ctx, jo, d.tenant, in.ID)
		if err != nil || out.State != inbox.Disconnected || out.Connection != "" || out.Because == "" {
			t.Fatalf("disconnected: %+v, %v", out, err)
		}
		_, err = d.a.TestSending(ctx, jo, d.tenant, in.ID)
		says(t, "sending while disconnected", err, "is disconnected")
		_, err = d.a.Reconnect(ctx, jo, d.tenant, in.ID, "")
		says(t, "reconnected by nothing", err, "has no connection")
		again, err := d.a.Reconnect(ctx, jo, d.tenant, in.ID, d.connection)
		if err != nil || again.ID != in.ID || again.State != inbox.Connected || again.Because != "" {
			t.Fatalf("connected again: %+v, %v", again, err)
		}

		if err := d.w.Become("service", sim.RevokeSessions); err != nil {
			t.Fatal(err)
		}
		if c, err := d.s.TestEmail(ctx, d.tenant, d.connection); err != nil || c.State != connect.Broken { // the token out lives on for an hour
			t.Errorf("after the sign-in was revoked: %+v, %v", c, err)
		}
		d.w.Advance(1e9)
		if id := d.signIn(d.connection); id != d.connection {
			t.Errorf("reconnected as %s", id)
		}

		if err := d.a.DisconnectAll(ctx, jo, d.tenant, d.connection, false); err != nil {
			t.Fatal(err)
		}
		if _, err := d.s.Mailbox(ctx, d.tenant, d.connection); err == nil {
			t.Error("the connection is there after it was disconnected")
		}
		d.connection = d.signIn("")
		if in, err := add(box); err != nil || in.ID != again.ID {
			t.Errorf("by another connection: %+v, %v", in, err)
		}
		var left int
		count := func() {
			if err := st.ViewTenant(ctx, d.tenant, func(t *store.Tenant) error {
				return t.QueryRow(ctx, `select count(*) from inbox where tenant = $1`).Scan(&left)
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.a.DisconnectAll(ctx, jo, d.tenant, d.connection, true); err != nil {
			t.Fatal(err)
		}
		if count(); left != 0 {
			t.Errorf("%d inboxes are left after they were erased", left)
		}
		if err := d.a.DisconnectAll(context.WithoutCancel(ctx), jo, d.tenant, "nothing", false); err == nil {
			t.Error("a connection that is not there was disconnected")
		}
	})
}
