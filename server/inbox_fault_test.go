package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// post is a tenant in whose name a service account works in shared mailboxes.
type post struct {
	*testing.T
	w          *sim.Sim
	c          *connect.Connections
	app        string
	connection string
}

// newPost enters the registration of the inbox tier and signs the service account in.
func newPost(t *testing.T, w *sim.Sim, c *connect.Connections, own connect.Own) *post {
	t.Helper()
	app, key := w.AddApp("Tocsin (inbox)")
	w.RequestScopes(app, connect.InboxScopes...)
	w.AllowContentOf(app, true)
	d := &post{T: t, w: w, c: c, app: app}
	_, err := c.SetRegistration(t.Context(), "jo@example.com", connect.NewRegistration{Tier: connect.Inbox, Client: app, Secret: key, Own: own})
	d.must(err)
	d.signIn("")
	return d
}

func (d *post) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// signIn has an administrator consent and the service account sign in; reconnect is the connection that does so again.
func (d *post) signIn(reconnect string) {
	d.Helper()
	who := connect.Asker{Account: "a", Email: "jo@example.com", Session: "s"}
	next, err := d.c.BeginEmail(d.Context(), who, connect.BeginEmail{Tenant: d.w.Tenant(), Consent: true, Reconnect: reconnect, Redirect: "https://tocsin.example/connect/callback"})
	d.must(err)
	for _, account := range []string{"global", "service"} {
		to, err := d.w.Visit(next, account)
		d.must(err)
		q := to.Query()
		step, err := d.c.FinishConsent(d.Context(), who, connect.Answer{State: q.Get("state"), Code: q.Get("code"), Tenant: q.Get("tenant"), AdminConsent: q.Get("admin_consent")}, func(tocsin.TenantID) error { return nil })
		d.must(err)
		if next = step.Next; next == "" {
			d.connection = step.Email.ID
		}
	}
}

// share makes a shared mailbox with a mail to be answered, of which the service account is a member.
func (d *post) share(name string, rights ...string) (address string) {
	d.Helper()
	address, err := d.w.AddShared(name, strings.ToLower(name))
	d.must(err)
	d.must(d.w.Share(address, "service", rights...))
	_, err = d.w.Put(address, sim.Mail{From: "jo@contoso.example", Subject: "Bill", Text: "Is it paid?"})
	d.must(err)
	return address
}

// sentOf are how many mails went from a mailbox, by its own account.
func (d *post) sentOf(address string) (n int) {
	d.Helper()
	for _, l := range truthOf(d.T, d.w) {
		if strings.EqualFold(l.Mailbox, address) && l.Action == "sent" && l.By == "graph" {
			n++
		}
	}
	return n
}

// drafts are how many lie in a mailbox.
func (d *post) drafts(address string) (n int) {
	d.Helper()
	all, err := d.w.Messages(address)
	d.must(err)
	for _, m := range all {
		if m.Draft {
			n++
		}
	}
	return n
}

// TestInboxFaults: whatever Microsoft refuses a service account, the inbox, its connection and the mail that was to be sent say so with what to do
// about it, nothing is lost, nothing is sent twice, and all goes on by itself or by signing in again.
func TestInboxFaults(t *testing.T) {
	t.Parallel()
	w := world(t, 12)
	clock := &tocsin.Clock{}
	s := startAt(t, settings(t), Options{HTTP: w.Client(), Clock: clock})
	d := newPost(t, w, s.Connections, own(w).Own)
	tenant, ctx := tocsin.TenantID(w.Tenant()), as(t.Context(), api.Owner)
	box := d.share("Support", sim.FullAccess, sim.SendAs)
	days := 0
	address, err := s.API.ConnectEmailAddress(ctx, api.ConnectAddressIn{In: api.In{Tenant: tenant}, Body: api.EmailAddressNew{Connection: d.connection, Address: box, BackfillDays: &days}})
	d.must(err)
	by := func(id string) api.ByID { return api.ByID{In: api.In{Tenant: tenant}, ID: id} }
	// The clocks of both sides go on for as long as something is waited for.
	in := func(what string, check func() string) {
		t.Helper()
		eventually(t, what, func() string {
			clock.Advance(2 * time.Second)
			w.Advance(2 * time.Second)
			return check()
		})
	}
	says := func(is, because, mend string) {
		t.Helper()
		in(because, func() string {
			v, err := s.API.GetInbox(ctx, by(address.ID))
			if err != nil || v.State != is || !strings.Contains(v.Because, because) || !strings.Contains(v.Mend, mend) || (v.Because == "") != (v.Mend == "") {
				return fmt.Sprintf("the inbox is %s: %s %s, %v", v.State, v.Because, v.Mend, err)
			}
			return ""
		})
	}
	fine := func() { t.Helper(); says(inbox.Connected, "", "") }
	broken := func(because, mend string) { t.Helper(); says(inbox.Broken, because, mend) }
	connection := func(state, because, mend string) {
		t.Helper()
		c, err := s.API.GetEmailConnection(ctx, by(d.connection))
		if err != nil || c.State != state || !strings.Contains(c.Because, because) || !strings.Contains(c.Mend, mend) {
			t.Errorf("the connection is %s: %s %s, %v; want %s: %s", c.State, c.Because, c.Mend, err, state, because)
		}
	}
	thread := ""
	in("the first reading", func() string {
		all, err := s.API.ListThreads(ctx, api.ThreadsIn{In: api.In{Tenant: tenant}, ThreadFilter: api.ThreadFilter{State: "any"}})
		i := slices.IndexFunc(all.Items, func(v api.Thread) bool { return v.Subject == "Bill" })
		if err != nil || i < 0 {
			return fmt.Sprintf("has %d threads, %v", len(all.Items), err)
		}
		thread = all.Items[i].ID
		return ""
	})
	sent := 0
	answer := func(text string) (id string) {
		t.Helper()
		o, err := s.API.ReplyOutgoing(ctx, api.WriteIn{ByIDAct: api.ByIDAct{ByID: by(thread)}, Body: api.OutgoingNew{OutgoingText: api.OutgoingText{Text: text, Quote: true}}})
		d.must(err)
		_, err = s.API.SendOutgoing(ctx, api.SendOutgoingIn{ByIDAct: api.ByIDAct{ByID: by(o.ID)}, Body: api.OutgoingSend{Anyway: true}})
		d.must(err)
		return o.ID
	}
	became := func(id, state, because, mend string) {
		t.Helper()
		in("the mail "+state, func() string {
			o, err := s.API.GetOutgoing(ctx, by(id))
			if err != nil || o.State != state || !strings.Contains(o.Because, because) || !strings.Contains(o.Mend, mend) || !strings.Contains(o.HTML, "answer") {
				return fmt.Sprintf("is %s: %s %s (%q), %v", o.State, o.Because, o.Mend, o.HTML, err)
			}
			return ""
		})
		if state == inbox.Sent {
			sent++
		}
		if n := d.sentOf(box); n != sent {
			t.Errorf("%d mails went, want %d", n, sent)
		}
	}
	again := func(id string) {
		t.Helper()
		_, err := s.API.SendOutgoing(ctx, api.SendOutgoingIn{ByIDAct: api.ByIDAct{ByID: by(id)}, Body: api.OutgoingSend{Anyway: true}})
		d.must(err)
		became(id, inbox.Sent, "", "")
	}

	// A storm of 429: nobody is bothered, and the mail goes once it is over.
	drafts := d.drafts(box)
	storm, err := w.Strike(sim.Fault{Kind: sim.Throttle, Path: "users/**", Times: 25, After: "0.02"})
	d.must(err)
	became(answer("answer in a storm"), inbox.Sent, "", "")
	in("the storm", func() string {
		if n := storm.Times(); n < 25 {
			return fmt.Sprintf("%d of 25", n)
		}
		return ""
	})
	fine()
	w.Heal()

	// Send As is taken away: the mail says so, and so does the inbox before the next is sent.
	d.must(w.Share(box, "service", sim.FullAccess))
	id := answer("answer without the right")
	became(id, inbox.Failed, "neither to send as it nor on its behalf", "Add-RecipientPermission")
	fine()
	if v, err := s.API.GetInbox(ctx, by(address.ID)); err != nil || v.Sending != inbox.SendRefused || v.SendingReason == "" {
		t.Errorf("the right to send is %s: %s, %v", v.Sending, v.SendingReason, err)
	}
	if _, err := s.API.SendOutgoing(ctx, api.SendOutgoingIn{ByIDAct: api.ByIDAct{ByID: by(id)}, Body: api.OutgoingSend{Anyway: true}}); err == nil || !strings.Contains(tocsin.AsProblem(err).Do, "Test sending") {
		t.Errorf("sent where it is known to be refused: %v", err)
	}
	d.must(w.Share(box, "service", sim.FullAccess, sim.SendOnBehalf))
	if v, err := s.API.TestSending(ctx, api.ByIDAct{ByID: by(address.ID)}); err != nil || v.Sending != inbox.SendBehalf {
		t.Fatalf("tried again it is %s: %s, %v", v.Sending, v.SendingBecause, err)
	}
	sent = d.sentOf(box) // the trial sent one to itself
	again(id)

	// The account is no member of the mailbox any more, in the middle of a mail.
	d.must(w.Share(box, "service"))
	id = answer("answer to a shut door")
	broken("no longer open to the connection", "Add-MailboxPermission")
	became(id, inbox.Failed, "no longer open to the connection", "Add-MailboxPermission")
	connection(connect.On, "", "")
	d.must(w.Share(box, "service", sim.FullAccess, sim.SendAs))
	fine()
	again(id)

	// The sign-in is revoked, and with it the token: the connection says so. Signed in again it keeps its ids, and the mail goes.
	for _, c := range []struct {
		name               string
		end, mend          func()
		because, mendWords string
	}{
		{"token", func() { d.must(w.Become("service", sim.RevokeSessions)) }, func() {}, "revoked", "econnect"},
		{"password", func() { d.must(w.Become("service", sim.ChangePassword)) }, func() {}, "password was changed", "econnect"},
		{"consent", func() { d.must(w.ConsentScopes(d.app)) }, func() {}, "consent", "econnect"},
		{"account", func() { d.must(w.Become("service", sim.DisableAccount)) }, func() { d.must(w.Become("service", sim.EnableAccount)) }, "disabled", ""},
	} {
		c.end()
		cut, err := w.Strike(sim.Fault{Kind: sim.Unauthorized, Path: "users/**"}) // no token of before is good any more
		d.must(err)
		id = answer("answer after the " + c.name)
		broken(c.because, c.mendWords)
		became(id, inbox.Failed, c.because, c.mendWords)
		connection(connect.Broken, c.because, c.mendWords)
		cut.Heal()
		c.mend()
		w.Advance(time.Second)
		was := d.connection
		d.signIn(d.connection)
		if d.connection != was {
			t.Fatalf("the %s: reconnected as another", c.name)
		}
		fine()
		connection(connect.On, "", "")
		again(id)
	}

	if n := d.drafts(box); n != drafts {
		t.Errorf("%d drafts are left in the mailbox, and %d were there", n, drafts)
	}
	eventually(t, "all answers in the thread", func() string { // each is sent first, and then read
		if v, err := s.API.GetThread(ctx, by(thread)); err != nil || v.Messages != sent {
			return fmt.Sprint(v.Messages, err)
		}
		return ""
	})
	// The mailbox is deleted: what was read stays.
	d.must(w.DeleteUser(box))
	id = answer("answer to nobody")
	broken("There is no mailbox "+box, "30 days")
	became(id, inbox.Failed, "There is no mailbox", "30 days")
	v, err := s.API.GetThread(ctx, by(thread))
	if err != nil || v.Messages != 1+sent-1 { // what came, and all that went but the trial
		t.Errorf("of the thread %d mails are there, %v, want %d", v.Messages, err, sent)
	}
	var wishes int
	d.must(s.Store.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
		return tt.QueryRow(t.Context(), `select count(*) from inbox_outgoing where tenant = $1 and state not in ('sent', 'failed')`).Scan(&wishes)
	}))
	if wishes != 0 {
		t.Errorf("%d mails hang", wishes)
	}
	if v := w.Violations(); len(v) > 0 {
		t.Error(v)
	}
}
