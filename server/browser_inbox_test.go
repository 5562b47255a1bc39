package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const (
	inboxTenant = tocsin.TenantID("33333333-3333-4333-8333-333333333333")
	inboxBox    = "0190a000-0000-7000-8000-00000000b001"
)

// mailroom puts a shared inbox with threads into the tables, as a mailbox that was read.
func mailroom(t *testing.T, s *Server) {
	t.Helper()
	now := s.Clock.Now()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	sealed, err := inbox.NewKey(s.keeper, inboxTenant, inboxBox)
	must(err)
	_, ok, err := s.Store.Lease(t.Context(), inboxLease(inboxTenant), "another server", time.Hour) // so that nothing is read from a mailbox, or sent
	must(err)
	if !ok {
		t.Fatal("the inboxes of the tenant are worked in already")
	}
	must(s.Store.UpdateTenant(t.Context(), inboxTenant, func(tn *store.Tenant) error {
		do := func(q string, args ...any) {
			_, err := tn.Exec(t.Context(), q, args...)
			must(err)
		}
		list := func(v any) string {
			raw, err := json.Marshal(v)
			must(err)
			return string(raw)
		}
		do(`insert into tenant (tenant, name, initial_domain, created) values ($1, 'Fabrikam Freight', 'fabrikamfreight.onmicrosoft.com', 1)`)
		do(`insert into inbox (tenant, id, name, address, connection, state, sending, sealed, created, changed) values ($1, $2, 'Support', 'support@fabrikamfreight.com', 'c', 'connected', 'as', $4, $3, $3)`, inboxBox, now, sealed)
		do(`insert into inbox (tenant, id, name, address, state, because, mend, sealed, created, changed) values ($1, 'invoices', 'Invoices', 'invoices@fabrikamfreight.com', 'broken', 'The password of the service account was changed.', 'Reconnect it: sign in again.', '', $2, $2)`, now)
		do(`insert into inbox_member (tenant, inbox, kind, member, added) values ($1, $2, 'everyone', '', 1), ($1, 'invoices', 'everyone', '', 1)`, inboxBox)
		for i, tag := range [][]string{{"complaint", "red"}, {"order", "blue"}, {"invoice", "amber"}} {
			do(`insert into inbox_tag (tenant, id, name, colour, created) values ($1, $2, $3, $4, 1)`, fmt.Sprint("tag", i), tag[0], tag[1])
		}
		people := [][2]string{{"Priya Raman", "priya@northwind.example"}, {"Tom Okafor", "tom.okafor@contoso.example"}, {"", "no-reply@parcels.example"}, {"Lena Fischer", "lena@adventure.example"}}
		subjects := []string{"Where is order 4711?", "Changed bank details for invoice 2093", "Delivery notice: two pallets on Thursday, please have somebody at the gate who can sign", "Damaged goods, photos attached", "Quote for 40 units"}
		for i := range 60 {
			who, id, last := people[i%4], fmt.Sprintf("0190a000-0000-7000-8000-0000000%05d", i), now.Add(-time.Duration(i*i*7+3)*time.Minute)
			preview := "Hello, I wrote last week and have not had an answer yet. Could you tell me when it will arrive?"
			do(`insert into inbox_thread (tenant, inbox, id, n, subject, from_address, from_name, preview, priority, messages, attachments, first_in, last_in, last, waiting, created, changed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $12, $12, $12)`,
				inboxBox, id, i+1, subjects[i%5], who[1], who[0], preview, []int{2, 3, 2, 4, 2}[i%5], 1+i%3, i%5 == 3, tocsin.Millis(last.Add(-26*time.Hour)), tocsin.Millis(last))
			if i%3 == 0 {
				do(`insert into inbox_thread_tag (tenant, inbox, thread, tag, added) values ($1, $2, $3, $4, 1)`, inboxBox, id, fmt.Sprint("tag", i%4%3))
			}
			for j := range 1 + i%3 {
				from, to, way := who, [2]string{"Support", "support@fabrikamfreight.com"}, "in"
				if j == 1 {
					from, to, way = to, who, "out"
				}
				do(`insert into inbox_message (tenant, inbox, id, thread, folder, direction, subject, preview, from_address, from_name, reply_to, to_list, attachments, at, seen) values ($1, $2, $3, $4, 'f', $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)`,
					inboxBox, fmt.Sprintf("AAk%d-%d=", i, j), id, way, subjects[i%5], preview, from[1], from[0], list([]map[string]string{}), list([]map[string]string{{"address": to[1], "name": to[0]}}), list([]map[string]any{{"id": "1", "name": "photo-of-the-pallet.jpg", "type": "image/jpeg", "size": 245_000}}), tocsin.Millis(last.Add(-time.Duration(i%3-j)*13*time.Hour)))
			}
		}
		return nil
	}))
}

// signIn signs somebody in.
func (p page) signIn(email, password string) {
	p.t.Helper()
	p.do("sign in", chromedp.Navigate(p.base+"/sign-in"), chromedp.WaitVisible(chromedp.CSS("#password")), chromedp.SendKeys(chromedp.CSS("#email"), email), chromedp.SendKeys(chromedp.CSS("#password"), password), chromedp.Click(chromedp.CSS("form button.primary")))
	p.until("that they are in", `!document.location.pathname.startsWith("/sign-in")`)
}

// keyed presses a key as if on the page, not in a field.
func (p page) keyed(what, key string) {
	p.t.Helper()
	p.script(what, fmt.Sprintf(`document.activeElement?.blur(); document.body.dispatchEvent(new KeyboardEvent("keydown", {key: %q, bubbles: true, cancelable: true}))`, key))
}

// TestBrowserInbox: two agents work in one inbox, each in a browser of their own: what one does the other sees without a reload.
func TestBrowserInbox(t *testing.T) {
	t.Parallel()
	ann := page{t: t, ctx: browser(t)}
	ben := page{t: t, ctx: browser(t)}
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, nil)
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	ann.base, ben.base = hs.URL, hs.URL
	at := hs.URL + "/t/" + string(inboxTenant)
	ann.claims(s)
	mailroom(t, s)
	if err := addAgent(t.Context(), s, "ben@example.com", "Ben Adeyemi"); err != nil {
		t.Fatal(err)
	}
	ben.signIn("ben@example.com", "a bell in the night")
	ben.until("that an agent begins in the inbox", `document.location.pathname.endsWith("/inbox")`)
	ann.do("the inbox", chromedp.Navigate(at+"/inbox"), chromedp.WaitVisible(chromedp.CSS("table.tl")))
	ann.until("live", `document.querySelector("#live-switch").dataset.state === "on"`)
	ben.until("live, to an agent", `document.querySelector("#live-switch").dataset.state === "on"`)
	ann.shows("what is broken, in the list itself", "The password of the service account was changed.")
	ann.shoot("inbox")

	ann.script("mark the page", `window.unreloaded = true`)
	ann.keyed("the first row", "j")
	ann.keyed("open it", "Enter")
	ann.until("the thread beside the list", `document.location.pathname.includes("/inbox/threads/") && document.querySelector(".th h2") && window.unreloaded`)
	ann.keyed("take it", "a")
	ann.until("that it is hers, without a reload", `document.querySelector(".th-assignee")?.textContent === "Jo" && window.unreloaded`)
	ben.do("unassigned", chromedp.Navigate(at+"/inbox?section=all"), chromedp.WaitVisible(chromedp.CSS("table.tl")))
	ben.until("that Ben sees whose it is", `document.querySelector("table.tl tbody tr .tl-mine")?.title === "Assigned to Jo"`)
	ben.click("the same thread", "table.tl tbody tr:first-child a[data-open]")
	ben.until("it", `document.querySelector(".th-assignee")?.textContent === "Jo"`)

	ann.keyed("a note", "n")
	ann.typed("textarea[data-note]", "@ben could you ask the carrier?")
	ann.script("keep it", `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", ctrlKey: true, bubbles: true, cancelable: true}))`)
	ann.until("the note", `document.querySelector(".note .mail-text")?.innerText.includes("ask the carrier") && document.querySelector("textarea[data-note]").value === ""`)
	ben.until("that Ben sees the note, live", `document.querySelector(".note .mail-text")?.innerText.includes("ask the carrier")`)
	ben.until("that he is told", `document.querySelector(".inbox-nav a[data-place='3'] .count")`)
	ann.shoot("inbox-thread")
	ann.keyed("answer", "r")
	ann.typed("[data-editor]", "It comes on Friday.")
	ben.until("that Ben sees who answers", `document.querySelector(".th-main").innerText.includes("Jo is replying")`)
	ann.script("send it", `document.querySelector("[data-editor]").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", ctrlKey: true, bubbles: true, cancelable: true}))`)
	ann.until("that it goes", `(() => {
		const refused = document.querySelector(".toast.bad, .compose [role=alert]:not([hidden])")?.innerText;
		window.refused ??= refused;
		if (window.refused) throw new Error("the page said: " + window.refused);
		return document.querySelector(".going button");
	})()`)
	ann.click("take it back", ".going button")
	ann.until("that it is a draft again, with its words", `!document.querySelector(".going") && document.querySelector("[data-editor]")?.innerText.includes("It comes on Friday.")`)
	ann.shoot("inbox-draft")
	ben.typed("textarea[data-note]", "half written")
	ann.keyed("resolve it", "e")
	ann.until("that the next is shown", `document.querySelectorAll(".th").length === 1 && !document.querySelector(".note") && window.unreloaded`)
	ben.until("that Ben sees it resolved, and keeps what he writes", `document.querySelector(".th-sub").innerText.includes("Resolved") && document.querySelector("textarea[data-note]").value === "half written"`)

	ann.script("the palette", `document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "k", ctrlKey: true, bubbles: true, cancelable: true}))`)
	ann.typed("#palette-q", "assign ben")
	ann.until("that it finds", `document.querySelector("#palette-list li[aria-selected=true]")?.textContent.startsWith("Assign to Ben")`)
	ann.shoot("inbox-palette")
	ann.script("do it", `document.querySelector("#palette-q").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}))`)
	ann.until("that it is Ben's", `document.querySelector(".th-assignee")?.textContent.startsWith("Ben")`)
	for _, path := range []string{"/inbox/boxes/" + inboxBox, "/inbox/teams", "/inbox?section=mine"} {
		ann.do(path, chromedp.Navigate(at+path), chromedp.WaitVisible(chromedp.CSS("main")))
		ann.shoot("inbox-page" + escape(path))
	}
}

// addAgent makes an account that works in inboxes.
func addAgent(ctx context.Context, s *Server, email, name string) error {
	owner := api.WithCaller(ctx, api.Caller{Account: "test", Email: "test", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	_, err := s.API.CreateAccount(owner, api.CreateAccountIn{Body: api.AccountNew{Email: email, Name: name, Password: "a bell in the night", Role: api.Agent, On: string(inboxTenant)}})
	return err
}
