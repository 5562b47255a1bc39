package server

import (
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// TestBrowserStream: the pages of the stream lead from a count to the mailboxes it counts; the canary's mailbox is set where the
// stream is set, and the page says what the canary finds; an export of the past is made, and the certificate replaced.
func TestBrowserStream(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 3, "domain amys.example\nperson amy\n")
	w.Consent(append([]string{"Mail.ReadWrite"}, slices.Concat(sim.ReadTier, sim.RespondTier)...)...)
	conf := pressed(t)
	conf.Every.Canary, conf.Exports.Late, conf.Alerts.Allow = time.Second, time.Millisecond, "127.0.0.0/8"
	conf.Silence = -1 // the one that is written here stays
	b := hears(t, conf, w)
	hs := httptest.NewServer(b.s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(b.s)
	b.subscribed()
	at := hs.URL + "/t/" + string(b.tenant())
	open := func(path string) {
		t.Helper()
		p.do(path, chromedp.Navigate(path), chromedp.WaitVisible(chromedp.CSS("main")))
	}
	settings := at + "/connections/" + b.conn.ID + "/stream"
	pictures := map[string]string{"gaps": at + "/stream/gaps", "tail": at + "/stream", "health": at + "/stream/health", "watched": at + "/stream/mailboxes", "settings": settings, "exports": at + "/settings/exports",
		"export-new": at + "/settings/exports/new?kind=kafka", "certificates": hs.URL + "/settings/certificates"}
	for name, path := range pictures {
		open(path)
		p.shoot("empty-" + name)
	}

	// The canary's mailbox, refused and set.
	open(settings)
	p.fill("a mailbox that there is not", "canary-mailbox", "nobody@amys.example")
	p.press("keep it", `form[action$="/canary"] button`)
	p.shows("that there is none", "There is no mailbox nobody@amys.example here.")
	open(settings)
	p.fill("amy's", "canary-mailbox", "amy@amys.example")
	p.press("keep it", `form[action$="/canary"] button`)
	p.shows("that it is kept", "The canary makes a draft in amy@amys.example")
	b.until("what was heard", `select cast(case when count(*) > 0 then 1 else 0 end as text) from canary_try where tenant = $1 and way = 'active' and heard > 0`, "1")
	open(settings)
	p.until("what it measured", `/(try|tries) in the last day/.test(document.querySelector("#canary").closest("section").innerText)`)

	amy := b.texts(`select person from person where tenant = $1 and mail = 'amy@amys.example'`)[0]
	err := b.s.Store.UpdateTenant(t.Context(), b.tenant(), func(tn *store.Tenant) error {
		now := time.Now().UnixMilli()
		for _, q := range []string{
			`insert into silence (tenant, person, began, found, expected, lost) values ($1, $2, $3 - 14400000, $3, 40000, false)`,
			`insert into parked (tenant, id, kind, subject, body, because, at, retry, person) values ($1, 'p1', 'notified', 's', '{}', 'Microsoft Graph does not answer.', $3 - 600000, $3 + 3600000, $2)`,
			`insert into mail_gap (tenant, person, began, ended, because, closed, found, lost) values ($1, $2, $3 - 7200000, $3 - 3600000, 'The server was off, or could not store what came.', $3 - 3000000, 12, 'Messages that came and were deleted within it.')`,
			`insert into mail_gap (tenant, person, began, ended, because) select $1, person, $3 + 7200000, $3 + 7300000, 'Microsoft Graph said that it left notifications out.' from person where tenant = $1 and mailbox = 'read' and person <> $2`,
			`insert into dead_letter (tenant, id, kind, subject, body, because, at) values ($1, 'one', 'notified', $2, '{}', 'Microsoft Graph refuses the message again and again.', $3 - 900000)`,
		} {
			if _, err := tn.Exec(t.Context(), q, amy, now); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.s.Certificates.Newest(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ from, link, lack string }{{"/stream/health", "state=silent", "Nothing comes since"}, {"/stream/health", "state=parked", "to be looked at"}, {"/stream", "state=silent", "Nothing comes since"}, {"/stream/health", "state=told", "notifications of every change"}} {
		open(at + x.from)
		p.press(x.link, `main a[href*="`+x.link+`"]`)
		p.shows("the mailboxes of "+x.link, x.lack)
		p.shows("amy among them", "amy@amys.example")
	}

	// An export of the past that reaches nobody is told of, until somebody pauses it.
	open(at + "/settings/exports/new?kind=nats")
	p.fill("the export", "name", "Bus", "address", "tls://127.0.0.1:1", "from", time.Now().AddDate(0, 0, -3).Format(time.DateOnly))
	p.press("make it", `form[action$="/settings/exports"] button.primary`)
	p.shows("that the past goes first", "It sends what is stored first, then what comes.")
	const said = `select status from finding where tenant = $1 and rule = 'export-late'`
	eventually(t, "that it is told of", func() string {
		b.s.Clock.Advance(20 * time.Second)
		if got := b.texts(said); len(got) != 1 || got[0] != "open" {
			return fmt.Sprint(got, b.texts(`select state || ' ' || because from export where tenant = $1`))
		}
		return ""
	})
	open(at + "/findings")
	p.shows("the finding", "Events do not reach their receiver")
	shots := os.Getenv("TOCSIN_TEST_SHOTS") != ""
	if shots {
		pictures["export"] = at + "/settings/exports/" + b.texts(`select id from export where tenant = $1`)[0]
		pictures["finding"] = at + "/findings/" + b.texts(`select id from finding where tenant = $1 and rule = 'export-late'`)[0]
		for name, path := range pictures {
			open(path)
			p.shoot("full-" + name)
		}
	}
	open(at + "/settings/exports/" + b.texts(`select id from export where tenant = $1`)[0])
	p.press("pause it", `form[action$="/pause"] button`)
	eventually(t, "that it is settled", func() string {
		b.s.Clock.Advance(20 * time.Second)
		if got := b.texts(said); got[0] != "fixed" {
			return fmt.Sprint(got)
		}
		return ""
	})

	open(hs.URL + "/settings/certificates")
	p.script("say yes", `window.confirm = () => true`)
	p.press("replace it", `form[action="/settings/certificates"] button`)
	p.shows("that there is another", "Another certificate is made.")
	p.until("the old one, replaced", `document.querySelectorAll("main table tbody tr").length === 2`)

	// The key by which names are hashed does not open: the page says that mail waits, and makes another.
	yes := true
	b.sets(api.StreamEdit{Hashing: &yes})
	open(settings)
	p.until("that the key opens", `!document.querySelector("#key-shut")`)
	err = b.s.Store.UpdateTenant(t.Context(), b.tenant(), func(tn *store.Tenant) error {
		_, err := tn.Exec(t.Context(), `update tenant_key set sealed = $2 where tenant = $1`, []byte("\x01\xff\xff\xff\xff of another key"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	open(settings)
	p.shows("that mail waits", "The key by which names are hashed does not open")
	p.shoot("full-settings-key-shut")
	p.script("say yes", `window.confirm = () => true`)
	p.press("make a new key", `form[action$="/hash-key"] button`)
	p.shows("that there is a new one", "Names are hashed with a new key from now on.")
	p.until("that nothing waits for a key", `!document.querySelector("#key-shut")`)
}
