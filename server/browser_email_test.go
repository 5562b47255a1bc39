package server

import (
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestBrowserEmail: an administrator enters the app registration, consents, has the service account sign in, connects the address of a
// mailbox that it is a member of, tries sending, and sees what a changed password does.
func TestBrowserEmail(t *testing.T) {
	t.Parallel()
	ctx := browser(t, chromedp.Flag("ignore-certificate-errors", true)) // the simulator's are of its own authority
	w := world(t, 40)
	served, err := w.Serve(t.Context(), "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	app, secret := w.AddApp("Tocsin (inbox)")
	w.RequestScopes(app, connect.InboxScopes...)
	w.AllowContentOf(app, true)
	box, err := w.AddShared("Support", "support")
	if err != nil {
		t.Fatal(err)
	}
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, nil)
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)
	n := own(w)
	n.Own = connect.Own{Authority: served.Authority, Graph: served.Graph, CA: served.CA}
	conn, err := s.Connections.Create(t.Context(), "jo@example.com", n)
	if err != nil {
		t.Fatal(err)
	}
	at := hs.URL + "/t/" + string(conn.Tenant) + "/settings/email"

	p.do("the page", chromedp.Navigate(at), chromedp.WaitVisible(chromedp.CSS("#email-connections")))
	p.shows("that nothing is connected", "Nothing is connected")
	p.shoot("email-empty")
	p.press("enter the app registration", `a[href="/settings/registrations?tier=inbox"]`)
	p.shows("which permissions it asks for", "Mail.Send.Shared")
	p.shoot("email-registration")
	p.fill("the registration", "cloud", "own", "authority", served.Authority, "graph", served.Graph, "ca", served.CA, "client", app, "secret", secret)
	p.press("enter it", `form[data-busy="Entering"] button.primary`)
	p.shows("that it is entered", "The app registration is entered.")

	signIn := func(what string) {
		p.press(what, `button[value="service"]`)
		p.until("that it is back", `document.location.pathname.endsWith("/settings/email")`)
		p.shows(what, "The service account has signed in.")
	}
	p.do("the page", chromedp.Navigate(at), chromedp.WaitVisible(chromedp.CSS("#email-consent")))
	p.press("sign in without a consent", "#email-sign-in")
	p.press("as the service account", `button[value="service"]`)
	p.shows("Microsoft's page", "Need admin approval")
	p.do("the page", chromedp.Navigate(at), chromedp.WaitVisible(chromedp.CSS("#email-consent")))
	p.press("consent", "#email-consent")
	p.press("as an administrator", `input[value="global"]`)
	p.press("accept", `button[name="accept"]`)
	signIn("that it signed in")
	p.shows("the account", "inbox.service@"+w.Domain())
	p.shoot("email-connected")

	const add = `form[action$="/settings/email/addresses"] button.primary`
	p.fill("the address", "address", box, "inbox-name", "Support")
	if err := w.Share(box, "service", sim.FullAccess, sim.SendOnBehalf); err != nil {
		t.Fatal(err)
	}
	p.press("connect it", add)
	p.shows("that it is connected", box+" is connected.")
	members := 0
	if err := s.Store.ViewTenant(t.Context(), conn.Tenant, func(tt *store.Tenant) error {
		return tt.QueryRow(t.Context(), `select count(*) from inbox_member where tenant = $1 and kind = 'account'`).Scan(&members)
	}); err != nil || members != 1 {
		t.Errorf("whoever connected it is not of its team: %d, %v", members, err)
	}
	p.press("try sending", `form[action$="/test"][data-busy="Sending"] button`)
	p.shows("as whom it sends", "on behalf of "+box)
	p.shoot("email-address")
	p.narrow(at)
	p.do("wide again", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(at), chromedp.WaitVisible(chromedp.CSS("#email-addresses")))

	if err := w.Become("service", sim.ChangePassword); err != nil {
		t.Fatal(err)
	}
	p.press("test the connection", `form[action$="/test"][data-busy="Testing"] button`)
	p.shows("what ended the sign-in", "password was changed")
	p.shoot("email-broken")
	if v := w.Violations(); len(v) > 0 {
		t.Error(v)
	}
}
