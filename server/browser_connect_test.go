package server

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store/storetest"
)

// script runs JavaScript on the page.
func (p page) script(what, js string) {
	p.t.Helper()
	p.do(what, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[any](js+"; 0"))
		return err
	}))
}

// press clicks the element that a selector names, when it is there. It is clicked by its own method: a mouse would hit the
// picture of a page that is being changed for another.
func (p page) press(what, selector string) {
	p.t.Helper()
	p.do(what, chromedp.WaitVisible(chromedp.CSS(selector)))
	p.script(what, fmt.Sprintf(`document.querySelector(%q).click()`, selector))
}

// fill sets fields of the page's forms by their ids.
func (p page) fill(what string, pairs ...string) {
	p.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		p.script(what, fmt.Sprintf(`{const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event("change", {bubbles: true}))}`, pairs[i], pairs[i+1]))
	}
}

// consents goes from the wizard's second step through Microsoft's pages, and back: as who signs in and who consents, with
// how the consent page is left.
func (p page) consents(what, signsIn, account, press string, untick ...string) {
	p.t.Helper()
	p.press(what, `form[action="/connect/consent"] button.primary`)
	p.press(what, `button[value="`+signsIn+`"]`)
	p.press(what, `input[value="`+account+`"]`)
	for _, name := range untick {
		p.press(what, `input[value="`+name+`"]`)
	}
	p.press(what, press)
}

// TestBrowserConnect: a newcomer connects the simulated tenant by both ways: by consent refused, by somebody who may not,
// to less, to all; and by API credentials.
func TestBrowserConnect(t *testing.T) {
	t.Parallel()
	ctx := browser(t, chromedp.Flag("ignore-certificate-errors", true)) // the simulator's are of its own authority
	w := world(t, 40)
	asks := connect.MakeGuide(connect.Read, connect.ByOAuth, nil, "", "").Names()
	w.Request(asks...)
	w.Consent()
	w.Remove(true) // before a consent the app is not in the tenant
	sim, err := w.Serve(t.Context(), "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, nil)
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)

	p.do("browse", chromedp.Navigate(hs.URL+"/browse"), chromedp.WaitVisible(chromedp.CSS(".cards")))
	p.shows("that nothing is connected", "Not connected")
	p.shoot("browse-empty")
	p.press("connect Outlook", `#content a[href="/connect?for=outlook"]`)
	p.shows("what stands in the way of a consent", "no app registration for this yet")
	p.shoot("wizard-choose-unregistered")
	p.press("enter the app registration", `a[href^="/settings/registrations"].btn`)
	p.shows("where Microsoft sends back to", hs.URL+"/connect/callback")
	p.script("unfold the manifest", `document.querySelector("details.script").open = true`)
	p.shoot("registrations-empty")
	own := []string{"cloud", "own", "authority", sim.Authority, "graph", sim.Graph, "ca", sim.CA}
	p.fill("the registration", append(own, "client", w.ClientID(), "secret", tocsin.NewID())...)
	p.press("enter it with a secret's id", `form[data-busy="Entering"] button.primary`)
	p.shows("that it is a secret's id", "That is a secret's id, not its value")
	p.fill("the registration", "secret", w.Secret())
	p.press("enter it", `form[data-busy="Entering"] button.primary`)
	p.shows("that it is entered", "The app registration is entered.")
	p.until("that the secret is nowhere on the page", fmt.Sprintf(`!document.documentElement.outerHTML.includes(%q)`, w.Secret()))
	p.shoot("registrations")

	toWizard := func() {
		p.do("the wizard", chromedp.Navigate(hs.URL+"/connect"), chromedp.WaitVisible(chromedp.CSS(`button[value="oauth"]`)))
	}
	toWizard()
	p.shoot("wizard-choose")
	p.press("by consent", `button[value="oauth"]`)
	p.shows("who may consent", "Only a Global Administrator or a Privileged Role Administrator")
	p.shoot("wizard-consent")

	// Somebody who may not consent.
	p.consents("an ordinary user", "user", "user", `button[name="accept"]`)
	p.shows("Microsoft's page", "Need admin approval")
	p.press("go back", `button[name="return"]`)
	p.shows("who may", "The account may not consent for the organisation.")
	p.shoot("wizard-refused")
	// Consent refused.
	p.consents("an administrator who refuses", "global", "global", `button[name="cancel"]`)
	p.shows("that it was refused", "The consent was refused")
	if all, err := s.Connections.List(t.Context()); err != nil || len(all) > 0 {
		t.Fatalf("connected all the same: %v, %v", all, err)
	}
	// Consent to less.
	p.consents("an administrator who grants less", "global", "global", `button[name="accept"]`, "MailboxSettings.Read")
	p.until("the result", `document.location.pathname.endsWith("/tested")`)
	p.shows("what is off, and why", "MailboxSettings.Read is not granted.")
	p.shows("that a grant takes a while", "takes Microsoft some minutes")
	p.shoot("tested-lesser")
	// Consent to all.
	p.press("consent to more", `a[href^="/connect?tenant="], a[href^="/connect?"][href*="way=oauth"]`)
	p.until("that the tenant is named", fmt.Sprintf(`document.getElementById("consent-tenant").value === %q`, w.Tenant()))
	p.consents("an administrator who grants all", "privileged", "global", `button[name="accept"]`)
	p.until("the result", `document.location.pathname.endsWith("/tested") && !document.body.innerText.includes("MailboxSettings.Read is not granted")`)
	p.shoot("tested-full")
	p.press("open the connection", `.page-head a.btn[href*="/connections/"]`)
	p.shows("who consented", "Prisca Role")
	p.shows("who consented before", "Gloria Global")
	p.shoot("connection-oauth")
	all, err := s.Connections.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Method != connect.MethodOAuth {
		t.Fatalf("connections: %+v, %v", all, err)
	}
	synced(t, s, all[0].Tenant)

	p.do("browse", chromedp.Navigate(hs.URL+"/browse"), chromedp.WaitVisible(chromedp.CSS(".cards")))
	p.shows("that it is connected", "Connected")
	p.press("switch Outlook off", `button[aria-label="Switch Microsoft Outlook off"]`)
	p.shows("that it is off", "Microsoft Outlook is switched off.")
	p.shoot("browse")
	p.press("switch Outlook on", `button[aria-label="Switch Microsoft Outlook on"]`)
	p.shows("that it is on", "Microsoft Outlook is switched on.")

	// The other way: the tenant's own credentials.
	if err := s.Connections.Delete(t.Context(), "jo@example.com", all[0].Tenant, all[0].ID); err != nil {
		t.Fatal(err)
	}
	toWizard()
	p.press("by API credentials", `button[value="credentials"]`)
	p.shows("numbered steps", "Certificates & secrets")
	p.script("unfold a script", `document.querySelectorAll("details.script")[1].open = true`)
	p.shoot("wizard-credentials")
	p.fill("wrong credentials", append(own, "tenant", w.Tenant(), "client", w.ClientID(), "secret", "wrong")...)
	p.press("connect", `form[action="/connect"] .panel-foot button.primary`)
	p.shows("what is wrong", "The client secret is wrong.")
	p.until("that the secret is not echoed", `document.getElementById("secret").value === ""`)
	p.fill("right credentials", "secret", w.Secret())
	p.press("connect", `form[action="/connect"] .panel-foot button.primary`)
	p.until("the result", `document.location.pathname.endsWith("/tested")`)
	p.press("test again", `form[action$="/again"] button`)
	p.shows("the result of it", "The credentials work")
	if all, err = s.Connections.List(t.Context()); err != nil || len(all) != 1 || all[0].Method != "secret" {
		t.Fatalf("connections: %+v, %v", all, err)
	}
	if v := w.Violations(); len(v) > 0 {
		t.Error(strings.Join(v, "\n"))
	}
}
