package server

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
)

// fills puts a text into a field in place of what stands in it, and leaves the field.
func (p page) fills(selector, text string) {
	p.t.Helper()
	p.do("fill "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q; e.dispatchEvent(new Event("change", {bubbles: true})); })()`, selector, text))); err != nil {
		p.t.Fatal(err)
	}
}

// TestBrowserInvestigate: somebody says what a bad mail looks like, sees the plan, sees the mails come in, looks at what they have
// in common, moves them to quarantine in three steps, and brings them back: every mailbox is then what it was.
func TestBrowserInvestigate(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w, err := sim.New(sim.Config{Users: 40, Seed: 7, Quiet: true, Limits: sim.Limits{Reports: 100_000}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.Consent(slices.Concat(sim.ReadTier, sim.RespondTier)...)
	wave, err := w.Campaign(sim.Campaign{Name: "invoice", Mails: 30, Innocents: 10})
	if err != nil {
		t.Fatal(err)
	}
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)
	conn := join(t, s, w)
	var may []string
	for _, m := range connect.MailPermissions {
		may = append(may, m.Name)
	}
	app, secret := w.AddApp("Tocsin, to investigate", may...)
	w.AllowContentOf(app, true)
	n := own(w)
	n.Client, n.Secret = app, secret
	if _, err := s.Connections.CreateMail(t.Context(), "test", n, connect.MailSettings{TestAddress: wave.Planted[0].Mailbox, AllDomains: true}); err != nil {
		t.Fatal(err)
	}
	synced(t, s, conn.Tenant)
	at := hs.URL + "/t/" + string(conn.Tenant)

	for _, path := range []string{"/investigations", "/mailacts", "/reported", "/settings/reported", "/settings/response"} {
		p.do(path, chromedp.Navigate(at+path), chromedp.WaitVisible(chromedp.CSS("main")))
		p.shoot("empty" + strings.ReplaceAll(path, "/", "-"))
	}

	p.do("the limits", chromedp.Navigate(at+"/settings/response"), chromedp.WaitVisible(chromedp.CSS("#share")))
	p.fill("nearly everybody has one of the mails", "share", "100")
	p.press("keep it", "#mails button.primary")
	p.shows("that it is kept", "The limits hold from now on")
	p.do("a new one", chromedp.Navigate(at+"/investigations/new"), chromedp.WaitVisible(chromedp.CSS("#kql")))
	p.fills(`.q-row input[name="value"]`, "example")
	p.until("that the row is written as text", `document.querySelector("#kql").value === "from:example"`)
	p.click("another condition", `button[value="add"]`)
	p.until("two rows", `document.querySelectorAll(".q-row").length === 2`)
	p.fills(`.q-row:nth-of-type(2) input[name="value"]`, "overdue invoice")
	p.until("that a phrase is put in quotes", `document.querySelector("#kql").value.includes('subject:"overdue invoice"')`)
	p.fills("#kql", "(url.domain:"+wave.Domain+" OR subject:nothing) AND NOT size>50MB")
	p.until("that the text is too much for rows", `!document.querySelector(".q-row") && document.querySelector("#query").innerText.includes("more than rows")`)
	p.fills("#kql", "url.domain:")
	p.until("that a text that cannot be read says so", `document.querySelector("#kql[aria-invalid]") && document.querySelector("#kql-said").innerText.length > 10`)
	p.fills("#kql", "url.domain:"+wave.Domain+" AND hasattachments:true")
	p.until("that the text is read into rows", `document.querySelectorAll(".q-row").length === 2`)
	p.click("a condition taken away", `.q-row:nth-of-type(2) .q-drop`)
	p.until("one row", `document.querySelectorAll(".q-row").length === 1 && document.querySelector("#kql").value === "url.domain:`+wave.Domain+`"`)
	p.shoot("investigation-new")
	p.typed("#name", "The invoice campaign")
	p.typed("#reason", "Reported by two people in Finance")
	p.click("the plan", `button[value="plan"]`)
	p.shows("the plan", "What the search will do")
	p.shows("its name", "The invoice campaign")
	p.shoot("investigation-plan")
	p.click("search", `button[value="start"]`)
	p.until("the investigation's page", `/\/investigations\/[0-9a-f-]{36}$/.test(document.location.pathname)`)
	p.until("that it has ended, live", `document.querySelector("#live-part").innerText.includes("Finished")`)
	p.until("that all are found", fmt.Sprintf(`document.querySelector(".figures dd").innerText.trim() === "%d"`, len(wave.Bad())))
	p.shoot("investigation")
	here, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.location.href`))
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []string{"campaigns", "trails", "mailboxes", "history", "edit", "explorer?pivot=sender"} {
		p.do(view, chromedp.Navigate(here+"/"+view), chromedp.WaitVisible(chromedp.CSS("main")))
		name, _, _ := strings.Cut(view, "?")
		p.shoot("investigation-" + name)
	}
	p.until("bars by sender", `document.querySelectorAll(".pivot li").length > 1`)
	p.click("a bar", ".pivot li:first-child a")
	p.until("that it filters", `document.location.search.includes("sender=") && document.querySelector(".chip[aria-current]")`)
	p.do("a mail", chromedp.Navigate(here+"/explorer"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.click("a mail", "main tbody tr:first-child a[data-open]")
	p.shows("why it fits", "Why it fits")
	p.shoot("match")

	p.do("those not opened", chromedp.Navigate(here+"/explorer?read=no"), chromedp.WaitVisible(chromedp.CSS("#act-all")))
	p.shoot("investigation-explorer-days")
	unread, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("#live-part strong").innerText.split(" ")[0]`))
	if err != nil || unread == "0" || unread == fmt.Sprint(len(wave.Bad())) {
		t.Fatalf("not opened: %q, %v", unread, err)
	}
	p.click("act on them", "#act-all")
	p.click("what it reaches", ".act-kinds ~ p .btn.primary")
	p.until("that it reaches them alone", fmt.Sprintf(`document.querySelector(".figures dd").innerText.trim() === "%s"`, unread))

	before := w.Digest()
	p.do("act on all", chromedp.Navigate(here+"/explorer"), chromedp.WaitVisible(chromedp.CSS("#act-all")))
	p.click("act on all", "#act-all")
	p.click("quarantine", `input[value="quarantine"]`)
	p.shoot("act-choose")
	p.click("what it reaches", ".act-kinds ~ p .btn.primary")
	p.until("the blast radius", fmt.Sprintf(`document.querySelector(".figures dd").innerText.trim() === "%d"`, len(wave.Bad())))
	p.shoot("act-reach")
	p.click("go on", "#to-confirm")
	p.typed("#why", "It was confirmed by Finance.")
	p.shoot("act-confirm")
	if after := w.Digest(); !same(before, after) {
		t.Error("a mailbox was changed before anybody confirmed")
	}
	p.click("confirm", `form[action$="/act"] button.btn`)
	p.until("the action's page", `/\/mailacts\/[0-9a-f-]{36}$/.test(document.location.pathname)`)
	act, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.location.href`))
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.body.innerText.includes("Waiting for approval")`)); ok {
		t.Fatal("the act waits for a second person, with 30 mails")
	}
	p.until("that it is done, live", `document.querySelector("#live-part .state").innerText.includes("Done")`)
	p.shoot("mailact-done")
	if same(before, w.Digest()) {
		t.Error("nothing was moved at Microsoft")
	}
	p.do("the list", chromedp.Navigate(at+"/mailacts"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shoot("mailacts")
	p.do("the act", chromedp.Navigate(act), chromedp.WaitVisible(chromedp.CSS("#restore-why")))
	p.typed("#restore-why", "It was a drill.")
	p.click("restore", "#restore-panel button.btn")
	p.until("the restore's page", `/\/mailacts\/[0-9a-f-]{36}$/.test(document.location.pathname) && document.location.href !== `+fmt.Sprintf("%q", act))
	p.until("that it is done, live", `document.querySelector("#live-part .state").innerText.includes("Done")`)
	p.shoot("mailact-restored")
	if after := w.Digest(); !same(before, after) {
		t.Error("the restore did not bring back what was before")
	}
	for _, path := range []string{here + "/explorer", here + "/mailboxes", at + "/investigations", at + "/mailacts", act} {
		p.narrow(path)
	}
}

// same says whether every mailbox is what it was.
func same(a, b map[string]string) bool {
	for who, d := range a {
		if b[who] != d {
			return false
		}
	}
	return len(a) == len(b)
}
