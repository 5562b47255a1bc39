package server

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
)

// TestBrowserMailConfiguration: an administrator makes a mail configuration by its form: is told what cannot be, sees which permission fails
// and that a fresh grant takes minutes, tests again until all passes, changes where it may go, and deletes it.
func TestBrowserMailConfiguration(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 40, fraud)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)
	conn, err := s.Connections.Create(t.Context(), "jo@example.com", own(w))
	if err != nil {
		t.Fatal(err)
	}
	at := hs.URL + "/t/" + string(conn.Tenant)
	var names []string
	for _, m := range connect.MailPermissions {
		names = append(names, m.Name)
	}
	client, secret := w.AddApp("Tocsin, mail", names...)
	w.AllowContentOf(client, true)

	p.do("the list", chromedp.Navigate(at+"/mail-configurations"), chromedp.WaitVisible(chromedp.CSS(".empty")))
	p.shows("that there is none", "No mail configuration")
	p.shoot("mail-empty")
	p.press("make one", `a[href^="/connect/mail"]`)
	p.until("that the tenant is named", fmt.Sprintf(`document.getElementById("tenant")?.value === %q`, w.Tenant()))
	p.shows("what it needs", "Mail.ReadWrite")
	p.shoot("mail-new")
	const save = `form[action="/connect/mail"] .panel-foot button.primary`
	p.fill("the form", "name", "Contoso, mail", "cloud", "own", "authority", sim.Address, "graph", sim.Address, "client", client, "secret", secret, "domains", "elsewhere.example", "test-address", "amy@"+w.Domain())
	p.press("make it for another domain", save)
	p.shows("that the test address is not authorised", "The test address is in "+w.Domain()+", which is not authorised.")
	p.until("that what was typed is there, and the secret is not", fmt.Sprintf(`document.getElementById("domains").value === "elsewhere.example" && document.getElementById("client").value === %q && !document.documentElement.outerHTML.includes(%q)`, client, secret))
	p.shoot("mail-refused")

	k, err := w.Strike(sim.Fault{Method: "POST", Path: "users/*/messages", Kind: sim.Denied})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Heal)
	p.fill("the form", "domains", w.Domain(), "secret", secret)
	p.press("make it", save)
	p.until("its page", `document.location.pathname.includes("/mail-configurations/")`)
	p.shows("what fails", "Mail.ReadWrite is not granted, or not honoured yet.")
	p.shows("that a fresh grant takes a while", "takes Microsoft some minutes")
	p.shoot("mail-failed")
	p.do("the list", chromedp.Navigate(at+"/mail-configurations"), chromedp.WaitVisible(chromedp.CSS("table")))
	p.shows("that it failed", "Failed")
	p.shoot("mail-list-failed")
	k.Heal()
	p.press("test it", `tr form[action$="/test"] button`)
	p.shows("that it passed", "The test passed")
	p.until("the tick", `document.querySelector("td .state.ok")?.innerText.includes("Passed")`)
	p.shoot("mail-list")
	p.press("open it", `td a.title`)
	p.until("its steps", `[...document.querySelectorAll("[aria-labelledby=mail-tests] .state.ok")].length === 8`)
	p.shoot("mail-passed")

	p.script("the whole tenant", `document.querySelector("input[name=reach][value=all]").click()`)
	p.fill("the form", "name", "All of Contoso")
	p.press("save it", `form[data-busy="Keeping"] .panel-foot button`)
	p.shows("that it was changed", "The mail configuration was changed.")
	all, err := s.Connections.List(t.Context())
	if err != nil || len(all) != 2 || all[1].Tier != connect.Investigate || all[1].Name != "All of Contoso" {
		t.Fatalf("connections: %+v, %v", all, err)
	}
	p.narrow(at + "/mail-configurations")
	p.do("its connection", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(at+"/connections/"+all[1].ID), chromedp.WaitVisible(chromedp.CSS("#caps")))
	p.shows("what it can", "Searching mailboxes for a bad mail")
	p.shoot("mail-connection")
	p.do("its page", chromedp.Navigate(at+"/mail-configurations/"+all[1].ID), chromedp.WaitVisible(chromedp.CSS("#mail-delete")))
	p.script("unfold", `document.querySelector("[aria-labelledby=mail-delete] details").open = true`)
	p.fill("another name", "confirm", "Contoso")
	p.press("delete it", `form[action$="/delete"] button`)
	p.shows("that it is there", "nothing was deleted")
	p.script("unfold", `document.querySelector("[aria-labelledby=mail-delete] details").open = true`)
	p.fill("its name", "confirm", "All of Contoso")
	p.press("delete it", `form[action$="/delete"] button`)
	p.shows("that there is none", "No mail configuration")
	if all, err := s.Connections.List(t.Context()); err != nil || len(all) != 1 {
		t.Fatalf("connections: %+v, %v", all, err)
	}
}
