package server

import (
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
)

// TestBrowserPlaybooks: an administrator writes a playbook and changes it, which is its second version; it is offered on the story that
// it fits, run from there, and undone with one word.
func TestBrowserPlaybooks(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 40, takenOver+"mon 09:40 amy makes rule \".\" forward to drop@evil.example\n")
	w.Consent(slices.Concat(allOfState, sim.RespondTier)...)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	c.Every.SignIns = time.Second
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
	keep := func(what, js string) {
		t.Helper()
		p.script(what, `{const f = document.querySelector("main form fieldset").form, set = (name, to) => { f.elements[name].value = to }, tick = (value, on) => { f.querySelector("input[value=" + value + "]").checked = on }; `+js+`; f.querySelector("button.primary").click()}`)
	}

	open("/playbooks")
	p.shoot("playbooks-empty")
	p.press("write one", `main a[href$="/playbooks/own/new"]`)
	p.shows("what it can do", "Offered on a story where")
	p.shoot("playbook-new")
	keep("one that undoes itself", `set("name", "finance"); set("title", "An account in finance"); tick("suspend", true); tick("reinstate", true)`)
	p.shows("why it is refused", "undo each other")
	p.shoot("playbook-refused")
	keep("without that", `tick("reinstate", false); set("says", "When somebody who pays is taken over."); tick("exfiltration", false); set("severity", "critical")`)
	p.shows("that it is kept", "The playbook is kept")
	p.shoot("playbook-own-first")
	keep("another text", `set("note", "Also before it is critical."); set("severity", "medium"); tick("yes", true)`)
	p.shows("that it is kept", "Kept as version 2.")
	p.until("both versions", `document.querySelectorAll("section[aria-labelledby=versions] li").length === 2 && document.querySelector("section[aria-labelledby=versions]").innerText.includes("Also before it is critical.")`)
	p.shoot("playbook-own")
	open("/playbooks")
	p.shows("it among them", "Your own, version 2")
	p.shoot("playbooks")
	p.narrow(at + "/playbooks")

	open("/stories")
	p.press("the story, which comes by itself", `main table tbody a.title`)
	p.shows("the playbook that fits", "Your own playbooks that fit")
	p.shoot("story-playbooks")
	p.press("run it", `main section[aria-labelledby=offered] a`)
	p.shows("its dry run", "Nothing has been done yet")
	p.shoot("playbook-plan-own")
	p.fill("why", "why", "Her bank called.")
	p.press("run it", `main form button.danger`)
	p.until("that every step is verified, live", `[...document.querySelectorAll("#run-steps tbody tr")].length > 1 && [...document.querySelectorAll("#run-steps tbody tr")].every((r) => r.innerText.includes("Verified"))`)
	p.shows("which of them can be undone", "can be undone")
	p.until("which version ran", `document.querySelector(".page-head").innerText.includes("version 2")`)
	p.shoot("playbook-run-own")
	p.fill("why", "undo-why", "It was her after all.")
	p.press("undo it", `#undo-form button`)
	p.until("that it is undone, live", `document.querySelector("h1").innerText.startsWith("Undo:") && [...document.querySelectorAll("#run-steps tbody tr")].every((r) => r.innerText.includes("Verified"))`)
	p.shoot("playbook-run-undo")
	p.press("what is undone", `.page-head a[href*="/playbooks/"]`)
	p.until("what is undone", `document.querySelector("#run-steps") && document.querySelector("#run-steps").innerText.includes("Undone") && !document.querySelector("#undo-panel")`)
	p.shoot("playbook-run-undone")
}
