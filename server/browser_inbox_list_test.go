package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin.dev/graph"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// written gives the mails of the mailroom's inbox their texts, as a reading does, so that they can be looked for.
func written(t *testing.T, s *Server) {
	t.Helper()
	err := s.Store.UpdateTenant(t.Context(), inboxTenant, func(tn *store.Tenant) error {
		key, err := inbox.OpenKey(t.Context(), tn, s.keeper, inboxBox)
		if err != nil {
			return err
		}
		for i := range 60 {
			for j := range 1 + i%3 {
				id, text := fmt.Sprintf("AAk%d-%d=", i, j), "Hello, could you tell me when the pallets will arrive?"
				if i%5 == 3 {
					text = "The glass was broken when the courier left it at the gate. Two of the crates are wet as well, photos are attached."
				}
				raw, err := json.Marshal(map[string]string{"type": "text", "content": text})
				if err != nil {
					return err
				}
				if _, err := tn.Exec(t.Context(), `update inbox_message set body = $4 where tenant = $1 and inbox = $2 and id = $3`, inboxBox, id, key.Seal(raw, string(inboxTenant)+"|inbox|"+inboxBox+"|message|"+id)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBrowserInboxList: what is in an inbox is searched, chosen and changed together, taken back, and kept as a view.
func TestBrowserInboxList(t *testing.T) {
	t.Parallel()
	ann := page{t: t, ctx: browserOf(t, func(text string) bool { return strings.Contains(text, "status of 409") })}
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, nil)
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	ann.base = hs.URL
	at := hs.URL + "/t/" + string(inboxTenant)
	ann.claims(s)
	mailroom(t, s)
	written(t, s)

	ann.do("the inbox", chromedp.Navigate(at+"/inbox"), chromedp.WaitVisible(chromedp.CSS("table.tl")))
	ann.shoot("list")
	ann.keyed("to the search", "/")
	ann.until("that / is the search", `document.activeElement?.name === "q"`)
	ann.script("look for words", `document.activeElement.value = "glass brok*"; document.activeElement.form.requestSubmit()`)
	ann.until("what matched, marked", `document.querySelector(".is-found mark")?.textContent === "glass" && [...document.querySelectorAll(".is-found mark")].some((m) => m.textContent === "broken") && document.querySelectorAll(".is-found").length === 12`)
	ann.shows("in which inbox", "Support")
	ann.shoot("search")
	ann.script("narrow it", `{ const s = document.querySelector('.il-find select[name="state"]'); s.value = "resolved"; s.dispatchEvent(new Event("change", { bubbles: true })) }`)
	ann.shows("that nothing fits", "No mail has these words and fits the filter.")
	ann.press("without the filter", `.inbox-list .empty a.btn`)
	ann.until("what matched again", `document.querySelectorAll(".is-found").length === 12`)
	ann.script("look for what is nowhere", `{ const q = document.querySelector('.il-find [name="q"]'); q.value = "zeppelin"; q.form.requestSubmit() }`)
	ann.shows("what to do where nothing is found", "Try fewer words, or the beginning of one with a star")
	ann.shoot("search-none")

	ann.do("the inbox", chromedp.Navigate(at+"/inbox"), chromedp.WaitVisible(chromedp.CSS("table.tl")))
	ann.script("what is said stays", `{ const later = setTimeout; window.setTimeout = (f, ms, ...x) => later(f, ms === 5000 || ms === 12000 ? 600000 : ms, ...x) }`)
	ann.script("choose four", `document.querySelectorAll("[data-pick]")[0].click();
		document.querySelectorAll("[data-pick]")[3].dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }))`)
	ann.shows("how many are chosen", "4 chosen")
	ann.shoot("bulk")
	ann.script("open the menu of people", `document.querySelector('.bulk summary[data-key-do="i"]').click()`)
	ann.shoot("bulk-assign")
	ann.script("close it", `document.querySelector('.bulk details[open]').open = false`)
	ann.keyed("take those chosen", "a")
	ann.shows("what was done", "4 threads are yours now.")
	ann.until("whose they are", `document.querySelectorAll(".tl-mine").length === 4 && document.querySelector("[data-bulkbar]").hidden`)
	ann.script("take it back", `[...document.querySelectorAll(".toast button")].find((b) => b.textContent === "Undo").click()`)
	ann.shows("that it was taken back", "4 threads are as before.")
	ann.until("that they are nobody's", `document.querySelectorAll(".tl-mine").length === 0`)
	ann.script("choose all of the list", `document.querySelector("[data-pick-all]").click(); document.querySelector("[data-bulk-more]").click()`)
	ann.shows("that all are", "All of this list are chosen")
	ann.script("resolve", `document.querySelector('.bulk [value="resolved"]').click()`)
	ann.shows("how many were", "60 threads are resolved.")
	ann.shows("that nothing is left", "Nothing is open")
	ann.script("take it back", `[...document.querySelectorAll(".toast button")].findLast((b) => b.textContent === "Undo").click()`)
	ann.until("the list again", `document.querySelectorAll("table.tl tbody tr").length === 50`)

	ann.script("filter", `{ const p = document.querySelector('.filter-menu [name="priority"]'); p.value = "4"; p.dispatchEvent(new Event("change", { bubbles: true })) }`)
	ann.until("the urgent ones", `document.querySelectorAll("table.tl tbody tr").length === 12 && document.querySelector(".il-chips")`)
	ann.script("keep it", `{ const f = document.querySelector('.il-save details form'); f.closest("details").open = true; f.elements.name.value = "Burning"; f.elements.shared.checked = true }`)
	ann.shoot("view-save")
	ann.script("save", `document.querySelector('.il-save details form').requestSubmit()`)
	ann.until("the view with its count", `document.querySelector(".inbox-list h2").textContent.trim() === "Burning" && [...document.querySelectorAll(".inbox-nav a")].some((a) => a.textContent.includes("Burning") && a.querySelector(".count")?.textContent === "12")`)
	ann.script("filter the view", `{ const n = document.querySelector('.il-find [name="unread"]'); n.click() }`)
	ann.shows("that the view is left", "Keep in the view")
	ann.script("rename it", `{ const f = document.querySelector('.view-menu form'); f.elements.name.value = "On fire"; f.requestSubmit(f.querySelector("button")) }`)
	ann.until("its new name", `document.querySelector(".inbox-list h2").textContent.trim() === "On fire"`)
	ann.shoot("view")
	ann.script("forget it", `document.querySelector('.view-menu .danger').click()`)
	ann.until("that it is gone", `!document.querySelector(".view-menu") && !document.querySelector(".inbox-nav").textContent.includes("On fire")`)

	set := at + "/inbox"
	ann.do("macros", chromedp.Navigate(set+"/macros"), chromedp.WaitVisible(chromedp.CSS("#macro-name-new")))
	ann.shows("what a macro is for", "A macro is an answer under a name")
	ann.fill("a macro", "macro-name-new", "On its way", "macro-short-new", "way", "macro-state-new", "resolved")
	ann.script("its text, formatted", `document.querySelector('form[action$="/macros/create"] [data-editor]').innerHTML = "<div>Dear <b>{{first_name}}</b>,</div><div>your order is on its way.</div><div>Kind regards, {{agent}}</div>"`)
	ann.press("make it", `form[action$="/macros/create"] button.primary`)
	ann.shows("that it is made", "The macro On its way is made.")
	ann.script("open it", `document.querySelector(".macro").open = true`)
	ann.shows("how it reads", "Dear Jane,")
	ann.until("bold as it was written", `document.querySelector(".macro-reads b")?.textContent === "Jane" && document.querySelector('.macro [data-editor] b')?.textContent === "{{first_name}}"`)
	ann.shoot("macros")

	ann.do("rules", chromedp.Navigate(set+"/rules"), chromedp.WaitVisible(chromedp.CSS(".empty")))
	ann.shows("what a rule is for", "Try it on the mail that is there before it runs.")
	ann.shoot("rules-none")
	ann.press("write one", `.empty a.btn.primary`)
	ann.do("the rule's page", chromedp.WaitVisible(chromedp.CSS("#rule-try")))
	ann.script("what it looks for", `{ document.querySelector('.rule-row [name="field"]').value = "subject"; document.querySelector('.rule-row [name="value"]').value = "damaged, bank details" }`)
	ann.fill("what it does", "rule-name", "What burns", "rule-priority", "4")
	ann.script("add a tag", `document.querySelector('.then [name="add"]').checked = true`)
	ann.press("try it", "#rule-try")
	ann.shows("which threads it would have changed, and how", "would make its priority urgent (now high), add the tag complaint")
	ann.shows("that one is so already", "make its priority")
	ann.shoot("rule-tried")
	ann.press("keep it", "#rule-keep")
	ann.shows("that it is kept", "The rule is kept.")
	ann.shoot("rules")

	ann.do("service times", chromedp.Navigate(set+"/boxes/"+inboxBox+"/service"), chromedp.WaitVisible(chromedp.CSS("#service-keep")))
	ann.shows("that nothing is timed", "Nothing is timed yet.")
	ann.script("open the week", `for (const d of [1, 2, 3, 4, 5]) { document.querySelector('[name="open' + d + '"]').checked = true; document.querySelector('[name="to' + d + '"]').value = "17:30" }
		document.querySelector('[name="normal-first"]').value = "4h"; document.querySelector('[name="urgent-first"]').value = "30m"`)
	ann.press("keep it", "#service-keep")
	ann.shows("that it is kept", "The service times are kept.")
	ann.until("as it was typed", `document.querySelector('[name="normal-first"]').value === "4h" && document.querySelector('[name="to5"]').value === "17:30" && !document.querySelector('[name="open0"]').checked && document.querySelectorAll(".week-strip .bar").length === 5`)
	ann.shoot("service")

	ann.do("the inbox's settings", chromedp.Navigate(set+"/boxes/"+inboxBox), chromedp.WaitVisible(chromedp.CSS("#undo")))
	ann.fill("how it sends", "undo", "30", "retention", "365")
	ann.do("the signature", chromedp.Click(chromedp.CSS("[data-rich] [data-editor]")), chromedp.SendKeys(chromedp.CSS("[data-rich] [data-editor]"), "Kind regards"))
	ann.script("make it bold", `getSelection().selectAllChildren(document.querySelector("[data-rich] [data-editor]")); document.querySelector('[data-rich] [data-format="bold"]').click(); getSelection().collapseToEnd()`)
	ann.press("keep it", `form[action$="/keep"] button.primary`)
	ann.shows("for how long it keeps", "for 365 days")
	ann.until("the signature", `/<(b|strong)>Kind regards/.test(document.querySelector("[data-rich] [data-editor]").innerHTML) && document.querySelector("#undo").value === "30"`)
	ann.shoot("box")
	ann.script("plain text instead", `document.querySelector("[data-rich] [data-plain]").click()`)
	ann.until("it as plain text", `document.querySelector("#signature").value === "Kind regards" && document.querySelector("[data-rich] [data-editor]").hidden`)
	ann.script("formatted again", `document.querySelector("[data-rich] [data-plain]").click()`)

	ann.do("reports", chromedp.Navigate(set+"/reports?days=90"), chromedp.WaitVisible(chromedp.CSS("#by-agent")))
	ann.until("figures, a chart, and tables", `document.querySelectorAll("svg.mails .bar").length > 5 && document.querySelector("#by-tag") && document.body.textContent.includes("complaint")`)
	ann.shoot("reports")

	broken(t, s)
	ann.do("what cannot be read", chromedp.Navigate(at+"/settings/email"), chromedp.WaitVisible(chromedp.CSS("#email-addresses")))
	ann.until("one click for each that a sign-in mends, and none where it does not", `(() => {
		const row = (id) => document.getElementById("address-" + id), has = (id, word) => [...row(id).querySelectorAll("button")].some((b) => b.textContent === word);
		return has("lost", "Reconnect") && !has("gone", "Reconnect") && has("gone", "Look again") && !has("mute", "Look again") && document.querySelectorAll("#email-connections").length === 1;
	})()`)
	ann.shoot("email-states")
	ann.do("another tenant", chromedp.Navigate(hs.URL+"/settings/email?tenant=new"), chromedp.WaitVisible(chromedp.CSS("#email-begin")))
	ann.shows("what is needed first", "Enter the app registration")
	ann.shoot("email-start")
}

// broken seeds a connection for each thing that ends a service account's sign-in, and addresses that are broken by it or by themselves.
func broken(t *testing.T, s *Server) {
	t.Helper()
	now := s.Clock.Now()
	err := s.Store.UpdateTenant(t.Context(), inboxTenant, func(tn *store.Tenant) error {
		for i, code := range []int{65001, 50133, 700082, 53003, 0} {
			state, because, mend := "on", "", ""
			if r, ok := errors.AsType[*graph.Revoked](graph.OfAccount(&graph.Revoked{Code: fmt.Sprint("AADSTS", code)})); ok && code > 0 {
				if state, because, mend = "broken", r.What, r.Do; because == "" {
					t.Errorf("AADSTS%d says nothing", code)
				}
			}
			if _, err := tn.Exec(t.Context(), `insert into email_connection (tenant, id, name, method, cloud, client_id, sealed, account, consented, consented_by, signed_in, signed_in_by, proven, state, because, mend, created, changed)
				values ($1, $2, $3, 'delegated', 'global', 'c', '', $4, $5, 'jo@example.com', $5, 'jo@example.com', $5, $6, $7, $8, $5, $5)`, fmt.Sprint("by", i), fmt.Sprint("Service account ", i+1), fmt.Sprintf("inbox.service%d@fabrikamfreight.com", i+1), now, state, because, mend); err != nil {
				return err
			}
		}
		for _, a := range [][]string{{"lost", "billing", "by1", "broken", "The account's password was changed.", "Reconnect it: sign in again.", "as", ""},
			{"gone", "returns", "by4", "broken", "There is no mailbox returns@fabrikamfreight.com any more.", "Look in Exchange whether it was deleted or renamed.", "as", ""},
			{"mute", "press", "by4", "connected", "", "", "refused", "The account may not send as press@fabrikamfreight.com: give it Send As in Exchange, wait up to an hour, and test sending again."}} {
			if _, err := tn.Exec(t.Context(), `insert into inbox (tenant, id, name, address, connection, state, because, mend, sending, sending_because, sealed, created, changed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, $11)`,
				a[0], a[1], a[1]+"@fabrikamfreight.com", a[2], a[3], a[4], a[5], a[6], a[7], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
