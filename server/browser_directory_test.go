package server

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev/api"
	"tocsin.dev/store/storetest"
)

// TestBrowserDirectory: with little granted the lists of the directory say what is not known, and why; with all of it an analyst filters
// guests, opens one and a group of theirs, and finds a device that fails a check.
func TestBrowserDirectory(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 60, signingIn)
	w.Consent("User.Read.All", "Mail.Read", "MailboxSettings.Read")
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	c.Every.Posture = time.Second
	c.Limits.Reports, c.Limits.Protection = 100_000, 100
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)
	conn := join(t, s, w)
	at := hs.URL + "/t/" + string(conn.Tenant)
	open := func(path string) {
		t.Helper()
		p.do(path, chromedp.Navigate(at+path), chromedp.WaitVisible(chromedp.CSS("main")))
	}
	synced(t, s, conn.Tenant, "users", "posture")
	for path, why := range map[string]string{"/devices": "DeviceManagementManagedDevices.Read.All", "/sites": "Sites.Read.All", "/guests": "Policy.Read.All", "/groups": "Group"} {
		open(path)
		p.shows("why nothing is known of "+path, why)
		p.shoot("empty-" + path[1:])
	}

	w.Consent(allOfState...)
	in := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: conn.Tenant}, ID: conn.ID}}
	if _, err := s.API.TestConnection(as(t.Context(), api.Owner), in); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Minute)
	synced(t, s, conn.Tenant, "access", "privileges", "settings_of_people", "registrations", "devices", "sharing", "sites")
	for _, path := range []string{"/guests", "/groups", "/devices", "/sites"} {
		open(path)
		p.until("that something stands there", `document.querySelectorAll("main .table tbody tr").length > 1`)
		p.shoot("full-" + path[1:])
		p.narrow(at + path)
	}

	open("/guests")
	p.script("those of whom nothing is asked", `document.querySelector("input[name=no_factor]").click()`)
	p.until("only they stand there", `document.location.search.includes("no_factor=true") && [...document.querySelectorAll("main .table tbody tr")].every((x) => x.innerText.includes("Not asked for")) && document.querySelector("#csv").href.includes("no_factor=true")`)
	p.press("one of them", `main .table td.lead a`)
	p.shows("what a guest is", "Carrier Partners")
	p.until("why no second factor is asked", `document.querySelector("#id-guest").closest("section").innerText.includes("Not asked for")`)
	p.shoot("full-guest")
	p.press("their group", `#id-groups ~ ul a, section[aria-labelledby=id-groups] a`)
	p.shows("what the group means", "left out of the policy")
	p.until("who owns it", `document.querySelector("#owners").closest("section").querySelector("table, ul, .list") !== null`)
	p.shoot("full-group")

	open("/devices?failing=true")
	p.press("a device", `main .table td.lead a`)
	p.shows("what it fails", "Its finding")
	p.shoot("full-device")
	p.press("whose it is", `section[aria-labelledby=about] a`)
	p.until("the person's page", `document.location.pathname.includes("/identities/")`)
	open("/sites")
	p.shows("with whom is shared", "without signing in")
	p.until("how many links anybody can use", `[...document.querySelectorAll("main td[data-label=Links]")].some((x) => Number(x.innerText) > 0)`)

	open("/identities?role=any")
	p.until("who administers, and who may", `document.querySelectorAll("main .table tbody tr").length > 1 && document.querySelector("main .table").innerText.includes("May take")`)
	p.shoot("full-identities-admins")
	p.narrow(at + "/identities?role=any")
	open("/applications")
	p.press("an application", `main .table td.lead a`)
	p.shows("on whose behalf it acts", "On whose behalf it acts")
	p.shows("why it cannot be acted on", "cannot be done from here now")
	p.shoot("full-application")

	open("/report")
	p.shows("the tenant's report", "CISA SCuBA")
	p.until("that it has its style", `getComputedStyle(document.querySelector("header")).borderBottomStyle === "solid"`)
	p.shoot("report-tenant")
	open("/identities/amy@" + w.Domain() + "/report")
	p.shows("the person's report", "Report on Amy Okafor")
	p.shoot("report-person")
}
