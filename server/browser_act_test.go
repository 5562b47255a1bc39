package server

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
)

// click clicks what fits the selector, and waits for the page that comes.
func (p page) click(what, selector string) {
	p.t.Helper()
	p.reaches(what, selector)
	p.do(what, chromedp.Click(chromedp.CSS(selector)))
}

// reaches waits until the page is there and what fits the selector is in reach and keeps still.
func (p page) reaches(what, selector string) {
	p.t.Helper()
	p.do(what, chromedp.WaitVisible(chromedp.CSS(selector)))
	p.until("that "+selector+" is in reach and keeps still", fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getBoundingClientRect(), at = [r.x, r.y, r.width, r.height].join(), still = window.stillAt === at;
		window.stillAt = at;
		const hit = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
		return still && document.readyState === "complete" && hit && (e.contains(hit) || hit.contains(e) && hit.tagName === "LABEL");
	})()`, selector))
}

// typed types into a field.
func (p page) typed(selector, text string) {
	p.t.Helper()
	p.reaches("type", selector)
	p.do("type", chromedp.SendKeys(chromedp.CSS(selector), text))
}

// TestBrowserAct: a newcomer stops the attack from its finding: the rule is disabled, the sessions are revoked, both are
// verified and seen live; the rule is undone, and is what it was. Then a second person has to approve.
func TestBrowserAct(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 60, fraud)
	w.Consent(slices.Concat(sim.ReadTier, sim.RespondTier)...)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)
	conn := join(t, s, w)
	synced(t, s, conn.Tenant)
	at := hs.URL + "/t/" + string(conn.Tenant)
	amy := "amy@" + w.Domain()
	eventually(t, "the finding", func() string {
		if findings(t, s, conn.Tenant)["forward-outside "+amy].ID == "" {
			return "is not there"
		}
		return ""
	})
	finding := findings(t, s, conn.Tenant)["forward-outside "+amy]
	before := w.Digest()[amy]
	p.do("no action yet", chromedp.Navigate(at+"/actions"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("the empty page", "Nothing was done from here yet")
	p.shoot("actions-empty")

	p.do("the finding", chromedp.Navigate(at+"/findings/"+finding.ID), chromedp.WaitVisible(chromedp.CSS("#acts")))
	p.shoot("finding-acts")
	p.click("disable", `a[href*="kind=disable_rule"]`)
	p.shows("the dry run", "Nothing has been done yet")
	p.shows("what cannot be undone", "switched on again, exactly as it was")
	p.shoot("action-plan")
	if w.Digest()[amy] != before {
		t.Error("the dry run did something")
	}
	p.typed("#why", "It forwards the invoices to a stranger.")
	p.click("do it", `form[action$="/actions"] button.btn`)
	p.until("the action's page", `/\/actions\/[0-9a-f-]{36}$/.test(document.location.pathname)`)
	p.until("that it is verified, live", `document.querySelector(".stages [aria-current]")?.innerText.includes("Verified")`)
	p.shows("the history", "Verified by reading back")
	p.shoot("action-verified")
	action, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.location.href`))
	if err != nil {
		t.Fatal(err)
	}
	if w.Digest()[amy] == before {
		t.Error("nothing was done at Microsoft")
	}
	p.do("the finding again", chromedp.Navigate(at+"/findings/"+finding.ID), chromedp.WaitVisible(chromedp.CSS("#acts")))
	p.shows("the finding is fixed", "Rule disabled")
	p.until("the finding is fixed", `document.querySelector(".verdict .facts").innerText.includes("Fixed")`)
	p.shoot("finding-stopped")

	p.click("revoke", `a[href*="kind=revoke_sessions"]`)
	p.shows("that it cannot be undone", "It cannot be undone: the person signs in again.")
	p.shoot("action-plan-revoke")
	p.typed("#why", "Taken over.")
	p.click("do it", `form[action$="/actions"] button.btn`)
	p.until("that it is verified, live", `document.querySelector(".stages [aria-current]")?.innerText.includes("Verified")`)
	lines, err := w.Truth()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(lines, func(l sim.Truth) bool { return l.Change == "sessions.revoked" && strings.EqualFold(l.Mailbox, amy) }) {
		t.Error("no session was revoked at Microsoft")
	}

	p.do("undo", chromedp.Navigate(action), chromedp.WaitVisible(chromedp.CSS("main")))
	p.click("undo", `a[href$="/undo"]`)
	p.shows("the dry run of the undo", "on again, as it was before")
	p.shoot("action-plan-undo")
	p.typed("#why", "It was the accountant's own.")
	p.click("undo it", `form[action$="/undo"] button.btn`)
	p.until("that the undo is verified, live", `document.querySelector(".stages [aria-current]")?.innerText.includes("Verified")`)
	if w.Digest()[amy] != before {
		t.Error("the undo did not bring back what was before")
	}
	p.do("the action that was undone", chromedp.Navigate(action), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("that it is undone", "Undone")
	eventually(t, "the finding is open again", func() string {
		if st := findings(t, s, conn.Tenant)["forward-outside "+amy].Status; st != "open" {
			return "it is " + string(st)
		}
		return ""
	})

	p.do("the person", chromedp.Navigate(at+"/identities/"+string(finding.Person)), chromedp.WaitVisible(chromedp.CSS("#acts")))
	p.click("what cannot be done", ".acts-off summary")
	p.shows("an act that is not granted, with what mends it", "User-PasswordProfile.ReadWrite.All")
	p.shoot("person-acts")
	p.click("a playbook", `a[href*="playbook=lock"]`)
	p.shows("its dry run", "What will happen, in this order")
	p.shows("that the rule is a step of it", "Disable the rule")
	p.shoot("playbook-plan")
	p.typed("#why", "Nothing else is sure.")
	p.click("run it", `form[action$="/playbooks"] button.btn`)
	p.until("that all steps are verified, live", `[...document.querySelectorAll("#live-part table tbody tr")].length === 3 && [...document.querySelectorAll("#live-part table tbody tr")].every(r => r.innerText.includes("Verified"))`)
	p.shoot("playbook-run")
	if w.Digest()[amy] == before {
		t.Error("the playbook left the rule on")
	}

	p.do("the settings", chromedp.Navigate(at+"/settings/response"), chromedp.WaitVisible(chromedp.CSS(`input[value="second_person"]`)))
	p.shoot("settings-response")
	p.click("a second person", `input[value="second_person"]`)
	p.typed("#spared", "breakglass@"+w.Domain())
	p.click("keep the settings", "form fieldset button.primary")
	p.shows("the settings were kept", "hold from now on")
	p.do("ask again", chromedp.Navigate(at+"/findings/"+finding.ID), chromedp.WaitVisible(chromedp.CSS("main")))
	p.click("ask again", `a[href*="kind=delete_rule"]`)
	p.typed("#why", "It is the attacker's after all.")
	p.click("ask for approval", `form[action$="/actions"] button.btn`)
	p.shows("it waits", "You asked for it, so somebody else")
	p.shoot("action-waiting")
	p.do("the overview", chromedp.Navigate(at+"/overview"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("the hint", "waits for approval")
	p.shoot("overview-waiting")
	p.do("the list", chromedp.Navigate(at+"/actions"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shoot("actions")
	p.do("the rule", chromedp.Navigate(at+"/rules/"+string(finding.Person)+"/"+escape(finding.Subject)), chromedp.WaitVisible(chromedp.CSS("#acts")))
	p.shows("whose change it was", "by an action from here")
	p.shoot("rule-acts")
}
