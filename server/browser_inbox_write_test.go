package server

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestBrowserInboxWrite: mails of a simulated shared mailbox are read with their pictures and files, answered with formatted text, a macro and a
// file, kept while they are written, sent, merged, split, and begun anew; what was sent stands in the mailbox's sent items.
func TestBrowserInboxWrite(t *testing.T) {
	t.Parallel()
	elsewhere := func(text string) bool { // a picture that was asked for, and that nobody serves; and a style that Chromium gives what is inserted, which the policy refuses
		return strings.Contains(text, "ERR_") || strings.Contains(text, "Applying inline style")
	}
	p := page{t: t, ctx: browserOf(t, elsewhere)}
	w := world(t, 12)
	app, secret := w.AddApp("Tocsin (inbox)", "Mail.ReadWrite", "Mail.Send")
	w.AllowContentOf(app, true)
	box, err := w.AddShared("Support", "support")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	var dot bytes.Buffer
	must(png.Encode(&dot, image.NewRGBA(image.Rect(0, 0, 40, 40))))
	put := func(m sim.Mail) {
		t.Helper()
		_, err := w.Put(box, m)
		must(err)
	}
	put(sim.Mail{From: "lena@adventure.example", FromName: "Lena Fischer", Subject: "Damaged goods", MessageID: "<damaged@adventure.example>", Received: time.Now().Add(-time.Hour),
		HTML:        `<p>Two boxes came <b>open</b>: <img src="cid:box1" width="40"></p><p><img src="https://track.example.invalid/seen.gif"> See <a href="https://adventure.example/claims/7">our claim</a>.</p>`,
		Attachments: []sim.File{{Name: "box.png", Type: "image/png", ContentID: "box1", Inline: true, Data: dot.Bytes()}, {Name: "photo.png", Type: "image/png", Data: dot.Bytes()}, {Name: "claim.txt", Type: "text/plain", Data: []byte("claim seven")}}})
	put(sim.Mail{From: "lena@adventure.example", FromName: "Lena Fischer", Subject: "One more thing", MessageID: "<more@adventure.example>", Text: "A third box is missing."})

	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p.base = hs.URL
	p.claims(s)
	conn, err := s.Connections.CreateEmail(t.Context(), "jo@example.com", connect.NewEmail{Tenant: w.Tenant(), Client: app, Secret: secret, Own: connect.Own{Authority: sim.Address, Graph: sim.Address}})
	must(err)
	owner := api.WithCaller(t.Context(), api.Caller{Account: "test", Email: "test", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	in := api.In{Tenant: conn.Tenant}
	made, err := s.API.ConnectEmailAddress(owner, api.ConnectAddressIn{In: in, Body: api.EmailAddressNew{Connection: conn.ID, Address: box, Name: "Support"}})
	must(err)
	_, err = s.API.SetInboxMembers(owner, api.SetMembersIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: in, ID: made.ID}}, Body: api.MembersNew{Members: []api.InboxMember{{Kind: "everyone"}}}})
	must(err)
	_, err = s.API.CreateMacro(owner, api.CreateMacroIn{In: in, Body: api.MacroNew{Name: "Thanks", Shortcut: "thx", Text: "<p>Thank you, {{first_name}}.</p>"}})
	must(err)
	must(s.Store.UpdateTenant(t.Context(), conn.Tenant, func(tn *store.Tenant) error {
		return inbox.Set(t.Context(), tn, made.ID, inbox.Settings{Signature: "<p>Support team<br>Fabrikam</p>"}) // without time to take it back: that is another test's
	}))
	at := hs.URL + "/t/" + string(conn.Tenant) + "/inbox"
	eventually(t, "the mails", func() string {
		list, err := s.API.ListThreads(api.WithCaller(t.Context(), api.Caller{Account: "test", Email: "test", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}}), api.ThreadsIn{In: in})
		if err != nil || len(list.Items) != 2 {
			return fmt.Sprint(len(list.Items), err)
		}
		return ""
	})
	sends := func(what string) {
		t.Helper()
		p.script(what, `document.querySelector("[data-editor]").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", ctrlKey: true, bubbles: true, cancelable: true}))`)
		p.until(what, `(() => {
			const refused = document.querySelector(".toast.bad, .compose [role=alert]:not([hidden])")?.innerText;
			if (refused) throw new Error("the page said: " + refused);
			return !document.querySelector(".compose");
		})()`)
	}

	// Reading: the mail's own picture is shown, another's only when it is asked for; a file is what it is.
	p.do("the inbox", chromedp.Navigate(at), chromedp.WaitVisible(chromedp.CSS("table.tl")))
	p.script("open the first mail", `[...document.querySelectorAll("a[data-open]")].find((a) => a.textContent.includes("Damaged goods")).click()`)
	const frame = `document.querySelector(".th-items iframe.mail-body")?.contentDocument`
	p.until("its own picture, and not the other", frame+`?.querySelector("img[src^='data:image/png']") && !`+frame+`.querySelector("img[src^='https:']")`)
	p.until("that it says what is not loaded", frame+`.querySelector("aside").innerText.includes("track.example.invalid")`)
	p.shoot("write-read")
	p.script("load it", frame+`.querySelector("aside a").click()`)
	p.until("the picture that was asked for", frame+`?.querySelector("img[src^='https://track.example.invalid/']") && !`+frame+`.querySelector("aside")`)
	p.script("a file", `(async () => {
		const a = [...document.querySelectorAll(".mail .files a")].find((a) => a.textContent.includes("claim.txt")), r = await fetch(a.href);
		window.fetched = r.headers.get("content-disposition") + " " + r.headers.get("content-type") + " " + await r.text();
	})()`)
	p.until("the file, to be kept", `window.fetched === 'attachment; filename=claim.txt application/octet-stream claim seven'`)
	p.script("look at a picture", `document.querySelector(".file-show summary").click()`)
	p.until("the picture", `document.querySelector(".file-show img").naturalWidth === 40`)

	// Answering.
	p.keyed("answer", "r")
	p.until("the field", `document.activeElement?.matches("[data-editor]") && document.querySelector(".compose [name=to]").value.includes("lena@adventure.example") && document.querySelector(".compose [name=subject]").value === "Re: Damaged goods"`)
	p.typed("[data-editor]", "We send ")
	p.script("bold", `document.querySelector("[data-format=bold]").click()`)
	p.typed("[data-editor]", "two new boxes")
	p.script("not bold", `document.querySelector("[data-format=bold]").click()`)
	p.typed("[data-editor]", ". /th")
	p.until("that the macro is offered", `document.querySelector(".compose .mentions:not([hidden]) button")?.innerText.includes("Thanks")`)
	p.shoot("write-slash")
	p.script("take it", `document.querySelector("[data-editor]").focus(); document.querySelector("[data-editor]").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}))`)
	p.until("its text", `document.querySelector("[data-editor]").innerText.includes("Thank you, Lena.") && !document.querySelector("[data-editor]").innerText.includes("/th")`)
	p.script("drop a file", `(() => {
		const dt = new DataTransfer();
		dt.items.add(new File(["the label"], "label.txt", {type: "text/plain"}));
		dt.items.add(new File(["to be left out"], "wrong.txt", {type: "text/plain"}));
		document.querySelector(".compose").dispatchEvent(new DragEvent("drop", {dataTransfer: dt, bubbles: true, cancelable: true}));
	})()`)
	p.until("both files", `document.querySelectorAll(".compose .files li").length === 2`)
	p.script("take one away", `[...document.querySelectorAll(".compose [data-detach]")].at(-1).click()`)
	p.until("that it is gone", `document.querySelector(".compose .files").innerText.includes("label.txt") && document.querySelectorAll(".compose .files li").length === 1`)
	p.script("paste a picture", `(() => {
		const at = document.querySelector("[data-editor]"), s = getSelection(), dt = new DataTransfer();
		at.focus();
		s.selectAllChildren(at);
		s.collapseToEnd();
		const png = Uint8Array.from(atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="), (c) => c.charCodeAt(0));
		dt.items.add(new File([png], "crack.png", {type: "image/png"}));
		at.dispatchEvent(new ClipboardEvent("paste", {clipboardData: dt, bubbles: true, cancelable: true}));
	})()`)
	p.until("it in the text, and among the files", `document.querySelector("[data-editor] img[data-cid]")?.naturalWidth === 1 && /crack.png[^]*in the text/.test(document.querySelector(".compose .files").innerText)`)
	p.shoot("write-picture")
	p.until("that it is kept", `document.querySelector("[data-kept]").textContent.startsWith("Kept at")`)
	p.do("the page anew", chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("[data-editor]")))
	p.until("what was written, bold and with its file", `/<(b|strong)>two new boxes/.test(document.querySelector("[data-editor]").innerHTML) && document.querySelector(".compose .files").innerText.includes("label.txt")`)
	p.until("the picture, seen and by its name", `document.querySelector("[data-editor] img").naturalWidth === 1 && document.querySelector("[data-editor] img").src.endsWith("?show=true") && /@tocsin$/.test(document.querySelector("[data-editor] img").dataset.cid) && document.querySelector("[data-editor] img").alt === "crack.png"`)
	p.shoot("write-answer")
	sends("that it is sent")
	p.until("the answer in the thread, with its file", `[...document.querySelectorAll(".mail.out")].some((m) => m.innerText.includes("Sent") && m.innerText.includes("label.txt")) && !document.querySelector(".going")`)
	p.until("its picture, as whoever gets it sees it", `[...document.querySelectorAll(".mail.out iframe.mail-body")].some((f) => f.contentDocument?.querySelector("img[src^='data:image/png']")?.naturalWidth === 1)`)
	sent(t, w, box, 1)

	// The thread of the other mail is merged into this one, and its mail split off again.
	p.script("open the other", `[...document.querySelectorAll("a[data-open]")].find((a) => a.textContent.includes("One more thing")).click()`)
	p.until("it", `document.querySelector(".th h2").innerText.includes("One more thing")`)
	p.script("merge it", `document.querySelector("a[data-command='Merge into another thread']").click()`)
	p.until("where it may go", `document.querySelector(".merge-list")?.innerText.includes("Damaged goods")`)
	p.shoot("write-merge")
	p.script("into the first", `document.querySelector(".merge-list button").click()`)
	p.until("that they are one", `document.querySelector(".th h2").innerText.includes("Damaged goods") && document.querySelectorAll(".th-items .mail").length === 3`)
	p.script("split it off", `[...document.querySelectorAll(".th-items .mail")].find((m) => m.textContent.includes("third box")).querySelector("button[title^='This mail and those after']").click()`)
	p.until("that it is one of its own", `document.querySelectorAll(".th-items .mail").length < 3`)

	// Anew: plain text, and what is not sent stays among the drafts.
	p.keyed("forward", "f")
	p.until("what is forwarded", `document.querySelector(".compose")?.innerText.includes("The mail and its files stand below")`)
	p.script("leave it", `document.querySelector(".inbox-nav a[href$='/inbox/write']").click()`)
	p.until("that it is among the drafts", `document.querySelector("table.tl")?.innerText.includes("Fw: ")`)
	p.keyed("a new mail", "c")
	p.until("a new mail", `document.activeElement?.name === "to" && location.pathname.includes("/inbox/write/")`)
	p.typed(".compose [name=to]", "tom@contoso.example")
	p.typed(".compose [name=subject]", "Your order")
	p.typed("[data-editor]", "It is on its way.")
	p.until("that it is kept", `document.querySelector("[data-kept]").textContent.startsWith("Kept at") && document.querySelector("table.tl").innerText.includes("Your order")`)
	p.shoot("write-new")
	sends("that it goes")
	sent(t, w, box, 2)
	if v := w.Violations(); len(v) > 0 {
		t.Error(v)
	}
}

// sent waits until a mailbox has sent so many mails, and not one more.
func sent(t *testing.T, w *sim.Sim, box string, want int) {
	t.Helper()
	eventually(t, "that the mailbox has sent it", func() string {
		lines, err := w.Truth()
		if err != nil {
			return err.Error()
		}
		n := 0
		for _, l := range lines {
			if strings.EqualFold(l.Mailbox, box) && l.Action == "sent" && l.By == "graph" {
				n++
			}
		}
		if n != want {
			return fmt.Sprint(n, " were sent")
		}
		return ""
	})
}
