package server

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
	"tocsin.dev/mail"
	"tocsin.dev/sharedtest"
	"tocsin.dev/store"
)

var displayed = flag.Int("display.mails", 60, "how many mails of each set TestInboxDisplaysMails shows, spread evenly; 0: all")

// TestInboxDisplaysMails loads real mail of several collections, and what is known to attack webmail, as a shared mailbox, and shows every one in the frame of
// its thread in a browser: each shows its words, and none runs, asks for or leads to anything.
func TestInboxDisplaysMails(t *testing.T) {
	t.Parallel()
	sets := [][]string{filesOf(sharedtest.File(t, "data/spamassassin")), filesOf(sharedtest.File(t, "data/enron-categories")), filesOf(sharedtest.File(t, "data/mime-suites")), filesOf(sharedtest.File(t, "data/sublime-emls"))}
	w := world(t, 12)
	clock := &tocsin.Clock{}
	s := startAt(t, settings(t), Options{HTTP: w.Client(), Clock: clock})
	d := newPost(t, w, s.Connections, own(w).Own)
	tenant, ctx := tocsin.TenantID(w.Tenant()), as(t.Context(), api.Owner)
	box := d.share("Support", sim.FullAccess)
	words := map[string][]string{} // by Graph's id, of what it says
	from := map[string]string{}
	put := func(what string, m sim.Mail, said string) {
		m.Received = w.Clock().Now().Add(-time.Duration(len(words)) * time.Minute)
		id, err := w.Put(box, m)
		d.must(err)
		words[id], from[id] = wordsOf(said), what
	}
	for _, all := range sets {
		every := 1
		if *displayed > 0 {
			every = max(1, len(all) / *displayed)
		}
		for i := 0; i < len(all); i += every {
			raw, err := os.ReadFile(all[i])
			d.must(err)
			m := mail.Parse(raw)
			put(all[i], letterOf(m), m.Text)
		}
	}
	for i, v := range xssVectors {
		put(fmt.Sprint("attack ", i), sim.Mail{From: "evil@load.example", Subject: fmt.Sprint("attack ", i), HTML: hostile("inbox", i, v)}, "")
	}
	days := 0
	address, err := s.API.ConnectEmailAddress(ctx, api.ConnectAddressIn{In: api.In{Tenant: tenant}, Body: api.EmailAddressNew{Connection: d.connection, Address: box, BackfillDays: &days}})
	d.must(err)
	frames := map[string]string{} // address of the frame to Graph's id
	eventually(t, "the first reading", func() string {
		clock.Advance(5 * time.Second)
		clear(frames)
		d.must(s.Store.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
			rows, err := tt.Query(t.Context(), `select thread, id from inbox_message where tenant = $1 and inbox = $2`, address.ID)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var thread, id string
				if err := rows.Scan(&thread, &id); err != nil {
					return err
				}
				if from[id] != "" {
					frames["/t/"+string(tenant)+"/inbox/threads/"+thread+"/mails/"+url.PathEscape(id)] = id
				}
			}
			return rows.Err()
		}))
		if len(frames) < len(words) {
			return fmt.Sprintf("%d of %d", len(frames), len(words))
		}
		return ""
	})
	d.must(s.Store.UpdateTenant(t.Context(), tenant, func(tt *store.Tenant) error {
		_, err := tt.Exec(t.Context(), `insert into inbox_member (tenant, inbox, kind, member, added) values ($1, $2, 'everyone', '', 1)`, address.ID)
		return err
	}))

	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, browser(t, chromedp.Flag("disable-features", "IsolateSandboxedIframes")), hs.URL}
	p.claims(s)
	watch := &strangers{own: hs.URL + "/", paths: map[string]bool{}}
	d.must(chromedp.Listen(p.ctx, watch.see))
	p.do("a page of the product", chromedp.Navigate(hs.URL+"/t/"+string(tenant)+"/inbox"), chromedp.WaitVisible(chromedp.CSS("main")))
	all := make([]string, 0, len(frames))
	for at := range frames {
		all = append(all, at)
	}
	slices.Sort(all)
	for some := range slices.Chunk(all, 60) {
		raw, err := json.Marshal(some)
		d.must(err)
		var got []struct {
			At, Text string
			Pictures int
			Bad      []string
		}
		text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf(showFrames, raw), chromedp.EvalAwaitPromise))
		d.must(err)
		d.must(json.Unmarshal([]byte(text), &got))
		if len(got) != len(some) {
			t.Fatalf("%d of %d frames were shown", len(got), len(some))
		}
		for _, f := range got {
			id := frames[f.At]
			if len(f.Bad) > 0 {
				t.Errorf("%s: in its frame there is %q", from[id], f.Bad)
			}
			if !strings.HasPrefix(from[id], "attack") && !shows(f.Text, words[id]) && f.Pictures == 0 {
				t.Errorf("%s does not display: want one of %q, the frame says %.300q", from[id], words[id], f.Text)
			}
		}
		if strange := watch.found(); len(strange) > 0 {
			t.Fatalf("a mail led away: %q", strange)
		}
	}
	if n := watch.seen("/mails/"); n != len(all) {
		t.Errorf("%d frames were asked for, want %d: the network was not seen whole", n, len(all))
	}
	t.Logf("%d mails were shown", len(all))
}

// showFrames shows mails one after another in the frame that a thread has, and gives what each shows and what has no place in it.
const showFrames = `(async () => {
	const out = [];
	for (const at of %s) {
		const f = document.createElement("iframe");
		f.setAttribute("sandbox", "allow-same-origin");
		f.setAttribute("referrerpolicy", "no-referrer");
		f.width = 800; f.height = 600;
		const came = new Promise((done) => { f.onload = () => done(true); setTimeout(() => done(false), 60000); });
		f.src = at;
		document.body.prepend(f);
		const bad = [];
		if (!(await came)) bad.push("nothing: it did not load");
		const d = f.contentDocument;
		if (!d || d.location.pathname !== at) bad.push("another page: " + (d ? d.location.href : "none"));
		else {
			for (const x of d.querySelectorAll("script, iframe, frame, object, embed, form, base, link, audio, video, meta[http-equiv]")) bad.push(x.outerHTML.slice(0, 200));
			for (const x of d.querySelectorAll("*")) for (const a of x.attributes)
				if (/^on/i.test(a.name) || /^\s*(javascript|vbscript|data):/i.test(a.value) && a.name !== "src" || (a.name === "src" || a.name === "srcset" || a.name === "background" || a.name === "poster") && !a.value.startsWith("data:image/")) bad.push(a.name + "=" + a.value.slice(0, 200));
		}
		out.push({At: at, Text: d && d.body ? d.body.innerText.slice(0, 400000) : "", Pictures: d ? d.images.length : 0, Bad: bad});
		f.remove();
	}
	return JSON.stringify(out);
})()`

// strangers are requests that leave a page for somewhere else, dialogs, and pages that were gone to.
type strangers struct {
	mu     sync.Mutex
	own    string
	paths  map[string]bool
	found_ []string
}

func (w *strangers) see(ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		if at := ev.Request.URL; strings.HasPrefix(at, w.own) {
			w.paths[at] = true
		} else if !strings.HasPrefix(at, "data:") {
			w.found_ = append(w.found_, "a request: "+at)
		}
	case *cdpage.EventJavascriptDialogOpening:
		w.found_ = append(w.found_, "a dialog: "+ev.Message)
	case *cdpage.EventFrameNavigated:
		if at := ev.Frame.URL; !strings.HasPrefix(at, w.own) && at != "about:blank" {
			w.found_ = append(w.found_, "a page: "+at)
		}
	}
}

func (w *strangers) found() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.found_
}

func (w *strangers) seen(part string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at := range w.paths {
		if strings.Contains(at, part) {
			n++
		}
	}
	return n
}

// filesOf are the mails below a folder.
func filesOf(dir string) (out []string) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error { // what cannot be read is none
		if err == nil && !e.IsDir() && slices.Contains([]string{".eml", ".txt", ".raw", ".golden"}, filepath.Ext(path)) && filepath.Ext(path) != ".golden" {
			out = append(out, path)
		}
		return nil
	})
	return out
}

// letterOf is a mail as Exchange keeps it: what is shown, and its pictures and files.
func letterOf(m *mail.Message) sim.Mail {
	out := sim.Mail{From: "nobody@nowhere.example", Subject: m.Subject, HTML: m.HTML, Text: m.Text}
	if len(m.From) > 0 && strings.Contains(m.From[0].Address, "@") {
		out.From, out.FromName = m.From[0].Address, m.From[0].Name
	}
	for _, a := range m.Attachments {
		if c := a.Content(); len(c) > 0 {
			out.Attachments = append(out.Attachments, sim.File{Name: a.Name, Type: a.Type, ContentID: a.ContentID, Inline: a.Inline, Data: c})
		}
	}
	return out
}

var plainWord = regexp.MustCompile(`[A-Za-z]{5,12}`)

// wordsOf are some words of a text.
func wordsOf(text string) []string { return plainWord.FindAllString(text, 8) }

// shows says whether a frame says one of the words; of a mail without words anything will do.
func shows(text string, words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(w)) })
}
