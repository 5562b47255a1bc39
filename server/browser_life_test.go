package server

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
)

// claims makes the newcomer the server's owner, by its one-time link.
func (p page) claims(s *Server) {
	p.t.Helper()
	link, err := s.API.SetupLink(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	p.do("claim the server", chromedp.Navigate(p.base+"/setup?token="+link), chromedp.WaitVisible(chromedp.CSS("#password")),
		chromedp.SendKeys(chromedp.CSS("#email"), "jo@example.com"), chromedp.SendKeys(chromedp.CSS("#name"), "Jo"), chromedp.SendKeys(chromedp.CSS("#password"), "a bell in the night"),
		chromedp.Click(chromedp.CSS("form button.primary")))
	p.until("the welcome", `!document.location.pathname.startsWith("/setup")`)
}

// rotates gives a new secret on a connection's page.
func (p page) rotates(what, secret string) {
	p.t.Helper()
	p.script(what, `document.querySelector("#rotate-panel details").open = true`)
	p.fill(what, "new-secret", secret)
	p.press(what, `form[action$="/rotate"] button`)
}

// closes disconnects by a connection's page; what is keep or erase.
func (p page) closes(what, confirm, becomes string) {
	p.t.Helper()
	p.script(what, `document.querySelector("#close-panel details").open = true`)
	p.fill(what, "close-confirm", confirm)
	p.press(what, `#close-panel input[value="`+becomes+`"]`)
	p.press(what, `#close-panel form button`)
}

// alone holds that no two open findings say the same: what an audit record tells of a rule and what the mailbox shows is one.
func alone(t *testing.T, s *Server, tenant tocsin.TenantID) {
	t.Helper()
	eventually(t, "that each finding stands alone", func() string {
		list, err := s.API.ListFindings(as(t.Context(), api.Viewer), api.FindingsIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: 200}})
		if err != nil {
			return err.Error()
		}
		said := map[string]bool{}
		for _, f := range list.Items {
			key := f.Rule + " " + f.Who
			if said[key] {
				return "twice: " + f.Why
			}
			said[key] = true
		}
		return ""
	})
}

// TestBrowserLife: a newcomer lives with a connection by its page: mends what is off, rotates its credential, changes it,
// pauses it, sees it break and come back, disconnects, opens it again with its history, and disconnects with erasing.
func TestBrowserLife(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 40, fraud)
	asks := connect.MakeGuide(connect.Read, connect.ByCredentials, nil, "", "").Names()
	w.Consent(slices.DeleteFunc(slices.Clone(asks), func(p string) bool { return p == "MailboxSettings.Read" })...)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)

	p.do("the wizard", chromedp.Navigate(hs.URL+"/connect?way=credentials"), chromedp.WaitVisible(chromedp.CSS("#secret")))
	p.fill("the credentials", "cloud", "own", "authority", sim.Address, "graph", sim.Address, "tenant", w.Tenant(), "client", w.ClientID(), "secret", w.Secret())
	p.press("connect", `form[action="/connect"] .panel-foot button.primary`)
	p.until("the result", `document.location.pathname.endsWith("/tested")`)
	all, err := s.Connections.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("connections: %+v, %v", all, err)
	}
	tenant := all[0].Tenant
	at := hs.URL + "/t/" + string(tenant)
	mine := at + "/connections/" + all[0].ID

	// What is off comes on by itself when it is granted, with the page open.
	p.press("open the connection", `.page-head a.btn[href*="/connections/"]`)
	p.shows("the scope warning", "Less is granted to the app registration than what it needs.")
	p.shows("what that costs", "Forwarding, hiding and deleting by inbox rules is not seen.")
	p.until("that it stands under its product", `document.querySelector("#caps-outlook").closest("section").innerText.includes("MailboxSettings.Read is not granted.")`)
	p.shoot("connection-lesser")
	p.script("mark the page", `window.unreloaded = true`)
	w.Consent(asks...)
	p.until("that all works, live", `window.unreloaded && !document.body.innerText.includes("MailboxSettings.Read is not granted.") && !document.body.innerText.includes("Less is granted")`)
	p.until("what was granted", `document.querySelector("[aria-labelledby=conn-drift]").innerText.includes("MailboxSettings.Read")`)
	synced(t, s, tenant)
	amy := "forward-outside amy@" + w.Domain()
	eventually(t, "the finding", func() string {
		if findings(t, s, tenant)[amy].ID == "" {
			return "is not there"
		}
		return ""
	})
	p.shoot("connection-full")

	p.do("searches", chromedp.Navigate(at+"/audit/queries"), chromedp.WaitVisible(chromedp.CSS("#search-panel form")))
	p.shoot("searches-empty")
	p.press("search", `#search-panel form button`)
	p.shows("that it is under way", "Microsoft takes minutes for it")
	p.until("the result", `document.querySelector(".page-head").innerText.includes("found by Microsoft") && document.body.innerText.includes("New-InboxRule")`)
	p.shoot("search-done")
	eventually(t, "the record that the finding rests on", func() string { // what the search brought is judged a moment later
		f, err := s.API.GetFinding(as(t.Context(), api.Viewer), api.ByID{In: api.In{Tenant: tenant}, ID: findings(t, s, tenant)[amy].ID})
		if err != nil || len(f.Records) == 0 {
			return fmt.Sprintf("is not there, %v: %+v", err, f.Evidence)
		}
		return ""
	})
	p.do("the finding", chromedp.Navigate(at+"/findings/"+findings(t, s, tenant)[amy].ID), chromedp.WaitVisible(chromedp.CSS("main")))
	found := findings(t, s, tenant)[amy]
	p.press("the record that it rests on", `[aria-labelledby="evidence"] a[href*="/audit/"]`)
	p.shows("the record", "As Microsoft wrote it")
	alone(t, s, tenant)
	p.do("searches", chromedp.Navigate(at+"/audit/queries"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shows("the search", "Inbox rules, forwarding and transport rules, rights over mailboxes")
	p.shoot("searches")

	p.do("the connection", chromedp.Navigate(mine), chromedp.WaitVisible(chromedp.CSS("#rotate-panel")))
	p.rotates("rotate to a wrong one", "not-this-one")
	p.shows("what is wrong", "The client secret is wrong.")
	p.shows("that the old one stays", "The old one stays at work.")
	p.until("that it is not echoed", `!document.documentElement.outerHTML.includes("not-this-one")`)
	p.press("test", `form[action$="/test"] button`)
	p.shows("that the old one works", "The credentials work.")
	w.AddSecret("fresh~secret", time.Time{})
	p.rotates("rotate", "fresh~secret")
	p.shows("that it is at work", "The new credential is proven and at work")
	w.ReplaceSecret("fresh~secret", time.Time{})
	p.press("test", `form[action$="/test"] button`)
	p.shows("that the new one works", "The credentials work.")

	p.script("unfold", `document.querySelector("[aria-labelledby=conn-edit] details").open = true; document.getElementById("conn-metadata").checked = false`)
	p.fill("the name", "conn-name", "The freight house")
	p.press("keep it", `form[action$="/edit"] button`)
	p.shows("that content may be read", "Kept. Content may be read")
	p.until("the name", `document.querySelector("h1").innerText === "The freight house"`)
	p.script("metadata only again", `document.getElementById("conn-metadata").checked = true`)
	p.press("keep it", `form[action$="/edit"] button`)
	p.shows("that it is for metadata only", "It reads metadata only")

	p.press("pause", `form[action$="/pause"] button`)
	p.shows("that it is paused", "Paused: no call is made to Microsoft.")
	asked := w.Requests().Total
	p.shoot("connection-paused")
	if n := w.Requests().Total; n != asked {
		t.Errorf("%d requests were made while it was paused", n-asked)
	}
	p.press("resume", `form[action$="/resume"] button`)
	p.shows("that it goes on", "Resumed: it is read again.")

	w.Disable(true)
	p.press("test", `form[action$="/test"] button`)
	p.shows("that it is disabled", "The app is disabled in this tenant.")
	w.Disable(false)
	w.Remove(true)
	p.press("test", `form[action$="/test"] button`)
	p.shows("that it is deleted", "The app is not in this tenant")
	p.do("the page by itself", chromedp.Navigate(mine), chromedp.WaitVisible(chromedp.CSS(".banner.bad")))
	p.shoot("connection-broken")
	w.Remove(false)
	p.press("test", `form[action$="/test"] button`)
	p.shows("that it is back", "The credentials work.")

	p.closes("disconnect without the name", "something else", "keep")
	p.shows("that it was not", "The name does not confirm it; nothing was closed.")
	p.closes("disconnect", "The freight house", "keep")
	p.shows("that it is disconnected", "Disconnected: its credential is erased.")
	p.shoot("connection-closed")
	p.do("the finding", chromedp.Navigate(at+"/findings/"+findings(t, s, tenant)[amy].ID), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("what was read", "drop@evil.example")
	p.do("the connection", chromedp.Navigate(mine), chromedp.WaitVisible(chromedp.CSS("#reopen-panel")))
	p.fill("the secret", "new-secret", "fresh~secret")
	p.press("open it again", `form[action$="/reopen"] button`)
	p.shows("that it is open", "It is open again, with its history.")
	p.until("that it works", `document.querySelector(".page-head").innerText.includes("Connected")`)
	if now := findings(t, s, tenant)[amy]; now.ID != found.ID || !now.FirstSeen.Equal(found.FirstSeen) {
		t.Errorf("the finding is %+v, and was %+v", now, found)
	}

	p.do("the trail", chromedp.Navigate(at+"/settings/trail"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shows("what became of what was read", "The freight house · What was read: stays")
	p.shows("the refused rotation", "The client secret is wrong.")
	p.shows("the new name", "Name: The freight house · Metadata only: no")
	p.shoot("trail")

	p.do("the connection", chromedp.Navigate(mine), chromedp.WaitVisible(chromedp.CSS("#close-panel")))
	p.closes("disconnect and erase", "The freight house", "erase")
	p.shows("that it is being erased", "Everything kept of the tenant is being erased.")
	eventually(t, "the erasing", func() string {
		if list, err := s.Connections.List(t.Context()); err != nil || len(list) > 0 {
			return "is not done"
		}
		return ""
	})
	p.do("the first page", chromedp.Navigate(hs.URL+"/"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("that nothing is connected", "Connect a Microsoft 365 tenant")
	p.do("the trail", chromedp.Navigate(hs.URL+"/settings/trail"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shows("who erased it", "The freight house · What was read: is erased, with all that is kept of the tenant")
	if list, err := s.API.ListTenants(as(t.Context(), api.Owner), api.TenantsIn{}); err != nil || len(list.Items) > 0 {
		t.Errorf("tenants: %+v, %v", list.Items, err)
	}
}
