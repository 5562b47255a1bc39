package server

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/chromedp"

	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
)

// browser opens a page in headless Chromium, and fails the test for what the page writes to the console as an error.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	return browserOf(t, func(string) bool { return false }, more...)
}

// browserOf is browser, but for errors on the console that are meant.
func browserOf(t *testing.T, meant func(text string) bool, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Chromium is not installed: run .ci/setup")
		}
		t.Skip("Chromium is not installed (.ci/setup does it): the pages were not driven")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("force-prefers-reduced-motion", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900))
	options = append(options, more...)
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if strings.Contains(m.Text, "Viewport size changed") || strings.Contains(m.Text, "Transition was aborted") {
				continue // this test resizes the window, and goes on, in the middle of a transition
			}
			if strings.Contains(m.Text, "status of 422") {
				continue // a form that was refused says so
			}
			if meant(m.Text) {
				continue
			}
			if m.IsException() || m.Type == "error" {
				t.Errorf("the console of %s: %s", m.URL, m.Text)
			}
		}
	}()
	return ctx
}

// page is a browser on a server's pages.
type page struct {
	t    *testing.T
	ctx  context.Context
	base string
}

func (p page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p.ctx, 90*time.Second)
	defer stop()
	var err error
	for _, step := range steps {
		for err = chromedp.Do(ctx, step); taken(err); err = chromedp.Do(ctx, step) {
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.location + "\n" + document.body.innerText.slice(0, 2000)`))
		p.t.Fatalf("%s: %v, on\n%s", what, err, text)
	}
}

// taken says whether nothing was done because the node was gone that a step had just found: the page came anew in between.
func taken(err error) bool {
	e, ok := errors.AsType[*cdproto.Error](err)
	return ok && e.Code == -32000 && strings.Contains(e.Message, "node with given id")
}

// shows waits until the page shows the text.
func (p page) shows(what, text string) {
	p.t.Helper()
	p.until(what, fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

func (p page) until(what, condition string) {
	p.t.Helper()
	deadline, pause := time.Now().Add(90*time.Second), 50*time.Millisecond
	for looks := 1; ; looks++ {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`document.readyState !== "loading" && !!(`+condition+")"))
		if ok && err == nil {
			return
		}
		if time.Now().After(deadline) {
			text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.location + "\n" + document.body.innerText.slice(0, 1500)`))
			p.t.Fatalf("%s: it does not hold: %s, %v, on\n%s", what, condition, err, text)
		}
		if time.Sleep(pause); looks == 20 { // it leaves the processor to what it waits for
			pause = 200 * time.Millisecond
		}
	}
}

// shoot takes the page's picture, light and dark, wide and narrow, into the directory TOCSIN_TEST_SHOTS, where one is
// named: people look at them; and holds that nothing is wider than the window.
func (p page) shoot(name string) {
	p.t.Helper()
	dir := os.Getenv("TOCSIN_TEST_SHOTS")
	for _, width := range []int64{1440, 390} {
		p.do("resize", chromedp.EmulateViewport(width, 900))
		wide, err := chromedp.Run(p.ctx, chromedp.Evaluate[float64](`document.documentElement.scrollWidth`))
		if err != nil {
			p.t.Fatal(err)
		}
		if int64(wide) > width {
			p.t.Errorf("%s is %.0f pixels wide in a window of %d", name, wide, width)
		}
		if dir == "" {
			continue
		}
		for _, theme := range []string{"light", "dark"} {
			p.do("theme", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
				_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(`new Promise((painted) => { document.documentElement.dataset.theme=%q; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => painted(true), 100))) })`, theme), chromedp.EvalAwaitPromise))
				return err
			}))
			picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				p.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, theme)), picture, 0o600); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	p.do("resize", chromedp.EmulateViewport(1440, 900))
}

// narrow holds a list to a window of 400 pixels: nothing is wider, a row is a card of a few lines in which nothing stands
// that is empty, and the page is no taller than 25 of them need, but for the catalogue where families of detections are unfolded.
func (p page) narrow(path string) {
	p.t.Helper()
	p.do(path, chromedp.EmulateViewport(400, 900), chromedp.Navigate(path), chromedp.WaitVisible(chromedp.CSS("main")))
	wrong, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`(() => {
		const out = [], page = document.documentElement;
		if (page.scrollWidth > 400) out.push("the page is " + page.scrollWidth + " pixels wide");
		if (page.scrollHeight > 4500 && !document.querySelector("main details.family[open]")) out.push("the page is " + page.scrollHeight + " pixels tall");
		for (const box of document.querySelectorAll("main .table-wrap")) if (box.scrollWidth > box.clientWidth + 1) out.push("a table is " + box.scrollWidth + " pixels wide: " + [...box.querySelectorAll("*")].filter((x) => x.getBoundingClientRect().right > box.getBoundingClientRect().right + 1).map((x) => x.outerHTML.slice(0, 80)).slice(0, 3).join(" "));
		const rows = document.querySelectorAll("main .table.lines > tbody > tr");
		if (rows.length > 40) out.push(rows.length + " rows");
		for (const row of rows) {
			if (row.offsetHeight > 150) out.push("a row of " + row.offsetHeight + " pixels: " + row.innerText);
			for (const cell of row.cells) {
				if (getComputedStyle(cell).display !== "none" && /^[–?-]?$/.test(cell.innerText.trim()) && !cell.querySelector("input, svg")) out.push("an empty " + cell.dataset.label + ": " + row.innerText);
			}
		}
		return out.slice(0, 3).join("\n");
	})()`))
	if err != nil || wrong != "" {
		p.t.Errorf("%s, narrow: %s %v", path, wrong, err)
	}
	p.do("resize", chromedp.EmulateViewport(1440, 900))
}

// TestBrowser: a stranger claims the server, finds the attack explained, sees the next one come without a reload,
// decides, and looks at every page.
func TestBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 60, fraud)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}

	p.claims(s)
	p.shoot("welcome-empty")

	conn := join(t, s, w)
	synced(t, s, conn.Tenant)
	amy := "amy@" + w.Domain()
	eventually(t, "the findings", func() string {
		if _, ok := findings(t, s, conn.Tenant)["forward-outside "+amy]; !ok {
			return "not there"
		}
		return ""
	})
	at := hs.URL + "/t/" + string(conn.Tenant)
	p.do("overview", chromedp.Navigate(at+"/overview"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("the overview", amy)
	p.shoot("overview")

	p.do("findings", chromedp.Navigate(at+"/findings"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shows("the findings list", amy)
	p.shoot("findings")
	live(t, p, w)

	detail := findings(t, s, conn.Tenant)["forward-outside "+amy]
	p.do("the finding", chromedp.Navigate(at+"/findings/"+detail.ID), chromedp.WaitVisible(chromedp.CSS("main")))
	for _, text := range []string{"drop@evil.example", "T1114.003"} {
		p.shows("the finding's explanation", text)
	}
	p.shoot("finding")
	for _, name := range []string{"rules", "mailboxes", "identities", "detections", "connections", "connections/limits", "settings/organisation", "settings/exceptions"} {
		p.do(name, chromedp.Navigate(at+"/"+name), chromedp.WaitVisible(chromedp.CSS("main")))
		p.shoot(strings.ReplaceAll(name, "/", "-"))
	}
	for _, path := range []string{at + "/findings", at + "/detections", at + "/mailboxes", at + "/mailboxes?state=none", at + "/identities", at + "/rules", at + "/forwarding", at + "/delegations", at + "/actions", hs.URL + "/settings/trail"} {
		p.narrow(path)
	}
	p.do("the organisation", chromedp.Navigate(at+"/settings/organisation"), chromedp.WaitVisible(chromedp.CSS("#until")))
	p.until("that a date is said as elsewhere", `/^\d+ [A-Z][a-z]{2} 2\d{3}$/.test(document.querySelector("label[for=until] .day-said")?.textContent)`)
	p.do("the rules, wide", chromedp.Navigate(at+"/rules"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.until("that no address is broken more than once", `[...document.querySelectorAll("main td.dest .said")].every((x) => new Set([...x.getClientRects()].map((r) => Math.round(r.top))).size <= 2)`)
	p.do("a detection by its name", chromedp.Navigate(at+"/detections#opaque-rule"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.until("that it and its family are open", `document.getElementById("opaque-rule").checkVisibility()`)
	person := string(detail.Person)
	p.do("the rule", chromedp.Navigate(at+"/rules/"+person+"/"+escape(detail.Subject)), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("the rule", "drop@evil.example")
	p.shoot("rule")
	p.do("the identity", chromedp.Navigate(at+"/identities/"+person), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("the identity", amy)
	p.shoot("identity")
	p.do("the mailbox", chromedp.Navigate(at+"/mailboxes/"+person), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shoot("mailbox")
	p.do("the connection", chromedp.Navigate(at+"/connections/"+conn.ID), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("the capabilities", "Inbox rules")
	p.shoot("connection")
	for _, name := range []string{"/connect", "/settings", "/settings/accounts", "/settings/tokens", "/settings/you"} {
		p.do(name, chromedp.Navigate(hs.URL+name), chromedp.WaitVisible(chromedp.CSS("main")))
		p.shoot(strings.Trim(strings.ReplaceAll(name, "/", "-"), "-"))
	}
}

// live: another attack appears in the list that is open, without a reload.
func live(t *testing.T, p page, w *sim.Sim) {
	t.Helper()
	p.do("mark the page", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[any](`window.unreloaded = true`))
		return err
	}))
	play(t, w, "# While somebody looks.\ndomain fabrikamfreight.com\nperson carla \"Carla Dune\"\nmon 10:00 carla makes rule \"zz\" forward to drop@evil.example")
	p.shows("the new finding, live", "carla@"+w.Domain())
	p.until("that the page was not reloaded", `window.unreloaded === true`)
}
