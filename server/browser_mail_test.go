package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev/api"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// watcher is a proxy that a browser is made to use for everything that is not on this machine: it notes what is asked for and answers nothing.
type watcher struct {
	mu    sync.Mutex
	asked []string
}

func (w *watcher) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, r.Method+" "+r.URL.String()+map[bool]string{true: r.Host}[r.Method == http.MethodConnect])
	w.mu.Unlock()
	rw.Header().Set("Access-Control-Allow-Origin", "*")
	http.Error(rw, "", http.StatusNotFound)
}

// which are the numbers of the mails of which something was asked for from a host, for a layer.
func (w *watcher) which(host, layer string) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []int
	for _, a := range w.asked {
		_, rest, ok := strings.Cut(a, "http://"+host+"/"+layer+"/")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimRightFunc(rest, func(r rune) bool { return r < '0' || r > '9' })); err == nil && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// anywhere is everything that was asked of the hosts of the mails, or that cannot be told apart from it.
func (w *watcher) anywhere(layer string) (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.asked {
		if strings.Contains(a, ".example/"+layer+"/") || strings.Contains(a, "ran.example:") || strings.Contains(a, "load.example:") {
			out = append(out, a)
		}
	}
	return out
}

// hostile is a mail with a vector in it.
func hostile(layer string, i int, vector string) string {
	html := strings.ReplaceAll(vector, "URL", fmt.Sprintf("http://load.example/%s/%d", layer, i))
	return strings.ReplaceAll(html, "JS", fmt.Sprintf("fetch(`http://ran.example/%s/%d`)", layer, i))
}

// TestBrowserMail: of a hundred mails that try to run or to load something where they are shown, none does in a preview; and each of what
// holds them back holds all of them by itself: the HTML that was made safe, without any policy around it, and the policy, around the HTML
// as it came. That most of them would is seen first.
func TestBrowserMail(t *testing.T) {
	t.Parallel()
	var watch watcher
	proxy := httptest.NewServer(&watch)
	defer proxy.Close()
	ctx := quietBrowser(t, chromedp.ProxyServer(proxy.URL))
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	w := world(t, 12)
	b := begin(t, c, w, nil)
	var paths sync.Map // what was asked of the server itself
	hs := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		paths.Store(r.Method+" "+r.URL.Path, true)
		b.s.Handler().ServeHTTP(rw, r)
	}))
	defer hs.Close()
	p := page{t, ctx, hs.URL}
	p.claims(b.s)
	tenant := b.tenant()

	// The mails are kept as evidence.
	ids := make([]string, len(xssVectors))
	if err := b.s.Store.UpdateTenant(t.Context(), tenant, func(tt *store.Tenant) error {
		for i, v := range xssVectors {
			raw := "From: evil@load.example\r\nTo: amy@fabrikam.com\r\nSubject: <img src=x onerror=\"" + hostile("kept", i, "JS") + "\">\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + hostile("kept", i, v)
			it, err := evidence.Keep(t.Context(), tt, b.s.keeper, evidence.Item{Reason: "test", Origin: evidence.FromReport, OriginID: fmt.Sprint(i), Subject: v}, []byte(raw))
			if err != nil {
				return err
			}
			ids[i] = it.ID
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	safe := make([]string, len(ids))
	for i, id := range ids {
		got, err := b.s.API.PreviewEvidence(as(t.Context(), api.Owner), api.LookIn{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}, Body: api.Reason{Reason: "To make it safe."}})
		if err != nil {
			t.Fatal(err)
		}
		safe[i] = got.HTML
	}
	policy := framePolicy(t, p, b, ids[0])

	// Three layers beside the product: as it came, made safe, and as it came under the policy.
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		layer, n, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if !one {
			fmt.Fprint(rw, "<!DOCTYPE html><title>Mails</title>")
			for i := range xssVectors { // all within the window: what is not in sight is not drawn
				fmt.Fprintf(rw, `<iframe src="/%s/%d" style="position:fixed;border:0;width:96px;height:90px;left:%dpx;top:%dpx"></iframe>`, layer, i, i%14*100, i/14*95)
			}
			return
		}
		i, err := strconv.Atoi(n)
		if err != nil || i < 0 || i >= len(xssVectors) {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch layer {
		case "bare":
			io.WriteString(rw, "<!DOCTYPE html><body>"+hostile("bare", i, xssVectors[i]))
		case "safe":
			io.WriteString(rw, "<!DOCTYPE html><body>"+strings.NewReplacer("/kept/", "/safe/").Replace(safe[i]))
		case "policy":
			rw.Header().Set("Content-Security-Policy", policy)
			io.WriteString(rw, "<!DOCTYPE html><body>"+hostile("policy", i, xssVectors[i]))
		}
	}))
	defer other.Close()
	layers := []string{"bare", "safe", "policy"}
	for _, layer := range layers {
		p.do("the mails of the layer "+layer, chromedp.Navigate(other.URL+"/"+layer), chromedp.WaitReady(chromedp.CSS("iframe")))
		watch.settles(t, layer)
	}
	// What did nothing in a frame, say because only one frame has the focus, is a page of its own in each layer.
	fired := append(watch.which("ran.example", "bare"), watch.which("load.example", "bare")...)
	for _, layer := range layers {
		for i := range xssVectors {
			if !slices.Contains(fired, i) {
				visit(ctx, fmt.Sprintf("%s/%s/%d", other.URL, layer, i))
			}
		}
		watch.settles(t, layer)
	}
	ran, loaded := watch.which("ran.example", "bare"), watch.which("load.example", "bare")
	t.Logf("of %d mails, %d run something and %d load something where nothing holds them", len(xssVectors), len(ran), len(loaded))
	if len(ran) < 40 || len(loaded) < 20 {
		t.Errorf("the control is too weak: run %v, load %v", ran, loaded)
	}
	for _, layer := range []string{"safe", "policy"} {
		if got := watch.anywhere(layer); len(got) > 0 && layer == "safe" {
			t.Errorf("made safe, without a policy: %q", got)
		} else if got := watch.which("ran.example", layer); len(got) > 0 {
			t.Errorf("under the policy, as it came, these run: %v", got)
		}
	}

	// The product: the page with its form; the frame is filled by it. The first as it stands, the others in frames that are copies of its
	// frame, by copies of its form.
	paths.Clear()
	p.do("the preview", chromedp.Navigate(hs.URL+"/t/"+string(tenant)+"/evidence/"+ids[0]+"/preview"), chromedp.WaitVisible(chromedp.CSS("#look")))
	p.script("say why and look", `document.getElementById("reason").value = "To judge it."; document.querySelector("#look button.primary").click()`)
	eventually(t, "the frame is filled", b.looked(ids[:1]))
	p.shoot("mail-preview")
	others, _ := json.Marshal(ids[1:]) // of texts
	p.script("look at the others", `(async () => {
		const form = document.getElementById("look"), frame = document.querySelector("iframe.mail-frame");
		for (const [i, id] of `+string(others)+`.entries()) {
			const f = frame.cloneNode(), g = form.cloneNode(true);
			f.name = g.target = "mail-" + i;
			g.action = form.action.replace("`+ids[0]+`", id);
			g.style.display = "none";
			g.querySelector("[name=reason]").value = "To judge it.";
			f.style.cssText = "position:fixed;z-index:9;min-height:0;width:96px;height:90px;left:" + i % 14 * 100 + "px;top:" + Math.floor(i / 14) * 95 + "px";
			document.body.append(f, g);
			const filled = new Promise((done) => f.addEventListener("load", done));
			g.querySelector("button.primary").click();
			await filled;
		}
	})()`)
	eventually(t, "the frames are filled", b.looked(ids))
	watch.settles(t, "kept")
	if got := watch.anywhere("kept"); len(got) > 0 {
		t.Errorf("from the previews was asked for: %q", got)
	}
	paths.Range(func(path, _ any) bool {
		s := path.(string)
		if !strings.Contains(s, "/static/") && !strings.HasSuffix(s, "/preview") && !strings.HasSuffix(s, "/live") && !strings.HasSuffix(s, "/favicon.ico") && s != "POST /theme" {
			t.Errorf("the previews asked the server for %s", s)
		}
		return true
	})
	// Who may not, and who does not say why, sees nothing and leaves no look.
	p.script("say nothing", `{const f = document.getElementById("look"); f.noValidate = true; document.getElementById("reason").value = ""; f.querySelector("button.primary").click()}`)
	watch.settles(t, "kept")
	n := 0
	if err := b.s.Store.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
		return tt.QueryRow(t.Context(), `select count(*) from evidence_look where tenant = $1 and what = 'shown' and reason = ''`).Scan(&n)
	}); err != nil || n != 0 {
		t.Errorf("%d looks without a reason, %v", n, err)
	}
}

// quietBrowser is browser for pages that are meant to complain.
func quietBrowser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	return browserOf(t, func(string) bool { return true }, more...)
}

// looked says which of the mails was not looked at once, to judge it.
func (b *subject) looked(ids []string) func() string {
	return func() (lacking string) {
		if err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(tt *store.Tenant) error {
			for i, id := range ids {
				n := 0
				if err := tt.QueryRow(b.Context(), `select count(*) from evidence_look where tenant = $1 and evidence = $2 and what = 'shown' and reason = 'To judge it.'`, id).Scan(&n); err != nil {
					return err
				}
				if n != 1 {
					lacking = fmt.Sprintf("mail %d was looked at %d times", i, n)
					return nil
				}
			}
			return nil
		}); err != nil {
			return err.Error()
		}
		return lacking
	}
}

// visit opens a page of its own, and gives what it wants to do a moment: by this test's clock, for in a sandbox the page's own stands still.
func visit(ctx context.Context, at string) {
	limited, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	_ = chromedp.Do(limited, chromedp.Navigate(at)) // one that leads away is not there
	time.Sleep(60 * time.Millisecond)
}

// settles lets what was begun in a layer come to its end: for a second nothing more was asked for.
func (w *watcher) settles(t *testing.T, layer string) {
	t.Helper()
	n, since := -1, time.Now()
	eventually(t, "the layer "+layer+" comes to rest", func() string {
		if got := len(w.anywhere(layer)); got != n {
			n, since = got, time.Now()
		}
		if time.Since(since) < time.Second {
			return fmt.Sprintf("%d were asked for until now", n)
		}
		return ""
	})
}

// framePolicy is the policy of what goes into the frame, as the server sends it.
func framePolicy(t *testing.T, p page, b *subject, id string) string {
	t.Helper()
	form := url.Values{"reason": {"To see the policy."}}
	r := httptest.NewRequest("POST", "/t/"+string(b.tenant())+"/evidence/"+id+"/preview", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r = r.WithContext(as(r.Context(), api.Owner))
	rec := httptest.NewRecorder()
	b.s.Handler().ServeHTTP(rec, r)
	policy := rec.Header().Get("Content-Security-Policy")
	if rec.Code != http.StatusOK || !strings.HasPrefix(policy, "sandbox;") || strings.Contains(policy, "allow-") || rec.Header().Get("X-Frame-Options") != "SAMEORIGIN" {
		t.Fatalf("%d, policy %q", rec.Code, policy)
	}
	return policy
}

// TestBrowserAddin: the task pane, in a frame as Outlook has it and with a stub of Office.js, reports the mail that is open; once more says so; a page
// of a stranger cannot frame it.
func TestBrowserAddin(t *testing.T) {
	t.Parallel()
	office := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host == "appsforoffice.microsoft.com" && r.URL.Path == "/lib/1/hosted/office.js":
			rw.Header().Set("Content-Type", "text/javascript")
			io.WriteString(rw, officeStub)
		case r.URL.Path == "/frame":
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(rw, `<!DOCTYPE html><title>Outlook</title><iframe id=pane width=320 height=500 src=%q></iframe>`, r.URL.Query().Get("pane"))
		default:
			http.NotFound(rw, r)
		}
	}))
	defer office.Close()
	at := strings.TrimPrefix(office.URL, "https://")
	ctx := browserOf(t, func(text string) bool {
		return strings.Contains(text, "frame-ancestors") || strings.Contains(text, "ERR_BLOCKED_BY_RESPONSE") || strings.Contains(text, "status of 404") // the report of nobody is refused
	},
		chromedp.Flag("host-resolver-rules", "MAP *.microsoft.com "+at+",MAP outlook.office.com "+at+",MAP evil.example "+at), chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("disable-features", "LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessForNavigations,IsolateSandboxedIframes,HttpsUpgrades"))
	c := settings(t)
	c.Database, c.URL = storetest.SQLiteAddress(t), "https://tocsin.example"
	w := world(t, 12, fraud) // in which there is an Amy
	b := begin(t, c, w, nil)
	hs := httptest.NewServer(b.s.Handler())
	defer hs.Close()
	p := page{t, ctx, hs.URL}
	synced(t, b.s, b.tenant(), "users")
	owner := as(t.Context(), api.Owner)
	in := api.In{Tenant: b.tenant()}
	set, err := b.s.API.SetReportedSettings(owner, api.SetReportedIn{In: in, Body: api.ReportedNew{Addin: new(true)}})
	if err != nil {
		t.Fatal(err)
	}
	path, _ := strings.CutPrefix(strings.TrimSuffix(set.Manifest, "/manifest.xml"), "https://tocsin.example")
	if path == "" || path == set.Manifest {
		t.Fatalf("the manifest is at %q", set.Manifest)
	}
	manifest := get(t, hs.URL+path+"/manifest.xml")
	for _, want := range []string{"https://tocsin.example" + path + "/pane", "<Permissions>ReadItem</Permissions>", `xsi:type="MailApp"`, "icon-64.png"} {
		if !strings.Contains(manifest, want) {
			t.Errorf("the manifest lacks %q:\n%s", want, manifest)
		}
	}
	for _, size := range []string{"16", "32", "64", "80", "128"} {
		if icon := get(t, hs.URL+path+"/icon-"+size+".png"); !strings.HasPrefix(icon, "\x89PNG") {
			t.Errorf("the icon of %s is no picture", size)
		}
	}
	mailbox := "amy@" + w.Domain()
	pane := hs.URL + path + "/pane"
	// It is driven as a page of its own; that it stands in Outlook's frame is seen below.
	p.do("the pane", chromedp.Navigate(pane+"?mailbox="+mailbox), chromedp.WaitVisible(chromedp.CSS("#report")))
	p.shows("which mail is open", "Your payslip")
	p.shows("a direction that is turned", "[U+202E]")
	p.shoot("addin")
	p.script("report it", `document.getElementById("note").value = "I did not ask for it."; document.getElementById("send").click()`)
	p.shows("that it was taken", "Thank you.")
	p.do("the pane again", chromedp.Navigate(pane+"?mailbox="+mailbox), chromedp.WaitVisible(chromedp.CSS("#report")))
	p.script("report it again", `document.getElementById("send").click()`)
	p.shows("that it was reported before", "You have reported this mail before.")
	p.do("the pane of nobody", chromedp.Navigate(pane+"?mailbox=nobody@"+w.Domain()), chromedp.WaitVisible(chromedp.CSS("#report")))
	p.script("report as nobody", `document.getElementById("send").click()`)
	p.shows("that it was not taken", "There is no such mailbox here.")
	list, err := b.s.API.ListReported(owner, api.ReportedIn{In: in, Status: "all"})
	if err != nil || len(list.Items) != 1 || list.Items[0].Way != "addin" || list.Items[0].Reporter.Address != mailbox || list.Items[0].Note != "I did not ask for it." || list.Items[0].InternetMessageID != "<phish-1@paydesk.example>" {
		t.Errorf("reported: %+v, %v", list.Items, err)
	}
	// Frames: Outlook's loads it, a stranger's does not.
	for host, want := range map[string]bool{"outlook.office.com": true, "evil.example": false} {
		p.do("in the frame of "+host, chromedp.Navigate("https://"+host+"/frame?pane="+url.QueryEscape(pane+"?mailbox="+mailbox)))
		got := framed(t, ctx, want)
		if got != want {
			t.Errorf("in a frame of %s the pane is shown: %v", host, got)
		}
	}
	// Another key: the old address is gone.
	if set, err = b.s.API.SetReportedSettings(owner, api.SetReportedIn{In: in, Body: api.ReportedNew{NewKey: true, Version: set.Version}}); err != nil || strings.Contains(set.Manifest, path) {
		t.Fatalf("%q, %v", set.Manifest, err)
	}
	if resp, err := http.Get(pane); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("the old pane: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

// framed says whether the frame of the page shows the pane: the pane tells the page around it that it stands, by the stub. Where it ought to,
// it is waited for as long as it takes.
func framed(t *testing.T, ctx context.Context, want bool) bool {
	t.Helper()
	wait := 3000
	if want {
		wait = 60_000
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(`new Promise(done => { addEventListener("message", e => done(e.data === "pane")); const f = document.getElementById("pane"); f.src = f.src; setTimeout(() => done(false), %d); })`, wait), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func get(t *testing.T, at string) string {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", at, resp.StatusCode, err)
	}
	return string(body)
}

// officeStub is as much of Office.js as the pane uses, with a mail open.
var officeStub = func() string {
	subject, _ := json.Marshal("Your payslip\u202e") // of a text that is one
	return `window.Office = { onReady: f => addEventListener("DOMContentLoaded", () => { parent.postMessage("pane", "*"); f({host: "Outlook"}); }), context: { mailbox: {
	userProfile: { emailAddress: new URLSearchParams(location.search).get("mailbox") },
	convertToRestId: (id, v) => { if (v !== "v2.0") throw new Error(v); return id.replaceAll("/", "-"); },
	item: { itemId: "AAMk/1", internetMessageId: "<phish-1@paydesk.example>", subject: ` + string(subject) + `, from: { displayName: "Payroll", emailAddress: "payroll@paydesk.example" }, getSharedPropertiesAsync: done => done({status: "failed"}) },
} } };`
}()
