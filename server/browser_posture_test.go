package server

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev/api"
	"tocsin.dev/detect/posture"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
)

// allOfState are the permissions with which everything that a tenant is set to can be read.
var allOfState = append(slices.Clone(sim.ReadTier), "RoleManagement.Read.Directory", "DeviceManagementManagedDevices.Read.All", "DeviceManagementConfiguration.Read.All", "SharePointTenantSettings.Read.All",
	"Sites.Read.All", "Policy.Read.DeviceConfiguration", "Policy.Read.B2BManagementPolicy", "Reports.Read.All", "OnPremDirectorySynchronization.Read.All", "Exchange.ManageAsApp")

const signingIn = `# People sign in, one of them from far away.
domain fabrikamfreight.com
person amy "Amy Okafor" admin
mon 08:30 amy signs in from Leeds mfa=asked session=s1 compliant=true device="FF-1"
mon 08:40 amy signs in from 203.0.113.7/NL failing
mon 09:03 "Nightly Export" signs in from Leeds kind=service_principal credential=clientSecret
`

// TestBrowserPosture: with little granted the pages of posture say what is not known, and why; with all of it they show how the tenant
// is set, what fails with whom it concerns, and answer what if.
func TestBrowserPosture(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 60, signingIn)
	w.Consent("User.Read.All", "Mail.Read", "MailboxSettings.Read")
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	c.Every.Posture, c.Every.SignIns = time.Second, time.Second
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
	pages := []string{"/posture", "/access", "/privileges", "/applications", "/signins"}

	synced(t, s, conn.Tenant, "users", "posture")
	for _, path := range pages {
		open(path)
		p.shoot("empty-" + path[1:])
	}
	open("/posture")
	p.until("that nothing is well", `!document.querySelector("main .pill.ok")`)
	open("/access")
	p.shows("why nothing is known", "Policy.Read.All")
	open("/signins")
	p.shows("what lacks", "AuditLog.Read.All")

	w.Consent(allOfState...)
	in := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: conn.Tenant}, ID: conn.ID}}
	if _, err := s.API.TestConnection(as(t.Context(), api.Owner), in); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Minute) // a source that nothing is granted for looks again after a minute
	synced(t, s, conn.Tenant, "access", "privileges", "applications", "settings_of_people", "registrations", "devices", "sharing", "mail_settings", "sign_ins")
	eventually(t, "what is judged", func() string {
		got, err := s.API.ListChecks(as(t.Context(), api.Viewer), api.ChecksIn{In: in.In, Paging: api.Paging{Limit: 200}})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range got.Items {
			if k.Status == posture.Unknown && k.Reason == posture.Permission {
				return fmt.Sprintf("%s: %s", k.ID, k.Why)
			}
		}
		return ""
	})
	for _, path := range pages {
		open(path)
		p.until("that something stands there", `document.querySelectorAll("main .table tbody tr, main .detection").length > 1`)
		p.shoot("full-" + path[1:])
		if path != "/posture" {
			p.narrow(at + path)
		}
	}
	p.do("findings", chromedp.Navigate(at+"/findings"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shoot("findings-of-nobody")
	p.narrow(at + "/findings")

	open("/posture?status=fail")
	p.until("that only what fails stands there", `[...document.querySelectorAll(".detection")].every((x) => x.innerText.includes("Fail"))`)
	p.script("open a check", `document.getElementById("ca-mfa-everyone").closest("details").open = true`)
	p.shows("how it is mended", "How to mend")
	p.shoot("full-posture-check")
	p.press("its finding", `a[href*="rule=ca-mfa-everyone"]`)
	p.shows("the finding", "MFA is not required for all users")

	open("/access")
	p.script("ask about amy", `{const f = document.querySelector("main form"); f.elements.person.value = "amy@fabrikamfreight.com"; f.elements.place.value = "elsewhere"; f.requestSubmit()}`)
	p.shows("the answer", "Amy Okafor must give a second factor.")
	p.shows("what each policy does", "CA004 - Block device code flow")
	p.shoot("full-access-asked")
	p.script("ask about nobody", `{const f = document.querySelector("main form"); f.elements.person.value = "nobody@fabrikamfreight.com"; f.requestSubmit()}`)
	p.shows("that there is nobody", "There is no such person.")
	p.shoot("full-access-refused")

	open("/privileges")
	p.press("a person who has a role", `main td.lead a[href*="/identities/"]`)
	p.until("the person's page", `document.location.pathname.includes("/identities/")`)

	open("/signins?result=failure")
	p.shows("who was refused", "Refused")
	p.press("it", `main td.lead a`)
	p.shows("it whole", "As Microsoft wrote it")
	p.shoot("full-signin")
}
