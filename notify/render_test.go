package notify_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/html"

	"tocsin.dev"
	"tocsin.dev/notify"
	"tocsin.dev/store"
)

type (
	httpWriter  = http.ResponseWriter
	httpRequest = http.Request
)

// hostile is what attackers name rules.
var hostile = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "<!channel> <!here> <@U123> <https://evil.example|Sign in>", "*bold* _it_ ~s~ `c` &lt;!channel&gt;",
	"[Sign in](https://evil.example) **x** <at>everyone</at>", "a\r\nBcc: victim@acme.example\r\n\r\nbody", "invoice\u202egpj.exe", "\u200b\u200b", "\x00\x07\x1b[31m", strings.Repeat("A", 100_000),
	"{{.URL}} ${jndi:ldap://x} %s %n", "\xff\xfe not text", "\u2028\u2029\u0085", ". ", "=?utf-8?q?=0D=0ABcc:x?=",
}

// messages are a message of each kind, with text in every place where strangers write.
func messages(text string) []*notify.Message {
	f := notify.Finding{Change: notify.Opened, ID: "f1", Tenant: acme, TenantName: text, Rule: "forward-outside", Title: text, Severity: tocsin.High, Risk: 70, Status: tocsin.Open, Who: text, Why: text,
		Stage: "exfiltration", Attack: []string{"T1114.003"}, Times: 1, URL: "https://tocsin.example/t/x/findings/f1"}
	many := make([]notify.Finding, 20)
	for i := range many {
		many[i] = f
	}
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	return []*notify.Message{
		{ID: "m1", Created: now, Findings: []notify.Finding{f}, Total: 1, By: map[tocsin.Severity]int{tocsin.High: 1}},
		{ID: "m2", Created: now, Findings: many, Total: 57, By: map[tocsin.Severity]int{tocsin.High: 50, tocsin.Critical: 7}, More: "https://tocsin.example/t/x/findings"},
		{ID: "m3", Created: now, Findings: many[:5], Total: 5, By: map[tocsin.Severity]int{tocsin.High: 5}, First: true},
		{ID: "m4", Created: now, Test: true, By: map[tocsin.Severity]int{}},
	}
}

// harmless fails unless a message with that text, in every form, is what its form must be, and the text is only text in it.
func harmless(t *testing.T, text string) {
	t.Helper()
	for _, m := range messages(text) {
		if h := m.Headline(); strings.ContainsFunc(h, unicode.IsControl) || len([]rune(h)) > 500 || h == "" {
			t.Errorf("a headline of %d characters: %.100q", len([]rune(h)), h)
		}
		for form, render := range m.Renders() {
			out, err := render()
			if err != nil {
				t.Errorf("%s of %.40q: %v", form, text, err)
				continue
			}
			switch form {
			case "slack":
				slackSound(t, out)
			case "teams":
				teamsSound(t, out)
			case "json":
				if !json.Valid(out) {
					t.Errorf("json of %.40q is none", text)
				}
			case "html":
				htmlSound(t, string(out))
			case "text":
				if strings.ContainsFunc(string(out), func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
					t.Errorf("the text of %.40q holds control characters", text)
				}
			}
		}
	}
}

// walk visits every object in JSON.
func walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, x := range v {
			walk(x, visit)
		}
	case []any:
		for _, x := range v {
			walk(x, visit)
		}
	}
}

func slackSound(t *testing.T, out []byte) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatal(err)
	}
	if text, _ := v["text"].(string); strings.ContainsAny(text, "<>") {
		t.Errorf("Slack marks this up: %q", text)
	}
	blocks, _ := v["blocks"].([]any)
	if len(blocks) == 0 || len(blocks) > 50 {
		t.Errorf("%d blocks", len(blocks))
	}
	walk(v, func(o map[string]any) {
		if o["type"] == "mrkdwn" {
			t.Errorf("marked up: %v", o)
		}
		text, _ := o["text"].(map[string]any)
		s, _ := text["text"].(string)
		most := map[any]int{"header": 150, "section": 3000, "button": 75}[o["type"]]
		if most > 0 && (text["type"] != "plain_text" || len([]rune(s)) > most || s == "") {
			t.Errorf("a %v with %d characters of %v", o["type"], len([]rune(s)), text["type"])
		}
	})
}

func teamsSound(t *testing.T, out []byte) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatal(err)
	}
	if len(out) > 28<<10 {
		t.Errorf("a card of %d bytes", len(out))
	}
	runs := 0
	walk(v, func(o map[string]any) {
		switch o["type"] {
		case "TextBlock", "FactSet", "Container", "Image":
			t.Errorf("Teams reads Markdown in a %v", o["type"])
		case "TextRun":
			runs++
			if o["selectAction"] != nil || o["text"] == "" {
				t.Errorf("a run: %v", o)
			}
		case "Action.OpenUrl":
			if s, _ := o["url"].(string); !strings.HasPrefix(s, "https://tocsin.example/") {
				t.Errorf("a button leads to %q", s)
			}
		}
	})
	if runs == 0 || v["type"] != "message" {
		t.Errorf("no card: %.200s", out)
	}
}

// elements are all that the HTML form is made of.
var elements = map[string]bool{"html": true, "head": true, "meta": true, "title": true, "body": true, "div": true, "p": true, "h1": true, "bdi": true, "table": true, "tbody": true, "tr": true, "td": true, "a": true}

func htmlSound(t *testing.T, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("a comment: %.80q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !elements[n.Data] {
			t.Errorf("an element <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" && !strings.HasPrefix(a.Val, "https://tocsin.example/") || a.Key == "style" && strings.Contains(a.Val, "url(") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
}

func TestHostileNames(t *testing.T) {
	for _, text := range append(hostile, "", "Plain") {
		harmless(t, text)
	}
	if got := notify.Clean(" a\r\n\tb \u202ec\u200b ", 100); got != "a b \ufffdc\ufffd" {
		t.Errorf("clean: %q", got)
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { harmless(t, s) })
}

// FuzzRetryAfter: whatever a receiver answers is a time between nothing and a day.
func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Sun, 01 Mar 2026 12:01:00 GMT")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := notify.RetryAfter(s, now); d < 0 || d > 24*time.Hour {
			t.Errorf("%q: %s", s, d)
		}
	})
}

// postman is a mail server that keeps what it takes; refuse answers at RCPT and DATA.
type postman struct {
	mu   sync.Mutex
	got  []letter
	rcpt error
	data error
	gone string // a recipient that there is not
	s    *smtp.Server
	addr *net.TCPAddr
}

type letter struct {
	from string
	to   []string
	text string
}

type session struct {
	p *postman
	l letter
}

func (p *postman) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{p: p}, nil }
func (s *session) Reset()                                      { s.l = letter{} }
func (s *session) Logout() error                               { return nil }
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.l.from = from
	return nil
}
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if to == s.p.gone {
		return &smtp.SMTPError{Code: 550, Message: "no such mailbox"}
	}
	s.l.to = append(s.l.to, to)
	return s.p.rcpt
}
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.data != nil {
		return s.p.data
	}
	s.l.text = string(b)
	s.p.got = append(s.p.got, s.l)
	return nil
}

// postman starts a mail server with TLS; b sends by it from then on.
func (b *bed) postman(mode string) *postman {
	b.Helper()
	p := &postman{}
	p.s = smtp.NewServer(p)
	p.s.Domain = "mail.test"
	p.s.MaxMessageBytes = 1 << 20
	p.s.ErrorLog = quiet{}
	web := b.receiver(nil) // for its certificate
	p.s.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	p.addr = l.Addr().(*net.TCPAddr)
	if mode == notify.Implicit {
		l = tls.NewListener(l, p.s.TLSConfig)
	}
	go func() { _ = p.s.Serve(l) }() // ends with Close
	b.Cleanup(func() { p.s.Close() })
	b.a.SMTP = notify.SMTP{Host: "127.0.0.1", Port: p.addr.Port, From: "Tocsin <tocsin@soc.example>", TLS: mode, Roots: b.roots}
	return p
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (p *postman) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letter(nil), p.got...)
}

func (p *postman) refuse(rcpt, data error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rcpt, p.data = rcpt, data
}

// parts are an e-mail's parts by type, decoded.
func parts(t *testing.T, m *mail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("a letter of type %s: %v", kind, err)
	}
	out := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var body io.Reader = p
		if strings.EqualFold(p.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			body = quotedprintable.NewReader(p)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		out[kind] = string(text)
	}
}

// TestEmail: an e-mail reaches all recipients with a plain and an HTML part, under the same Message-ID at every try; names
// add no header.
func TestEmail(t *testing.T) {
	for _, mode := range []string{notify.StartTLS, notify.Implicit, notify.Plain} {
		t.Run(mode, func(t *testing.T) {
			b := newBed(t, storetestSQLite(t))
			p := b.postman(mode)
			b.channel(acme, notify.Email, "soc@acme.example; oncall@acme.example", nil)
			evil := finding("f1", tocsin.High)
			evil.Title = "Rule a\r\nBcc: victim@acme.example\r\nX-Evil: 1\r\n\r\n<script>alert(1)</script>"
			evil.Who = "jane@acme.example\nTo: other@acme.example"
			b.found(acme, evil, "raised")
			b.fold()
			p.refuse(nil, &smtp.SMTPError{Code: 451, Message: "later"})
			b.serve()
			p.refuse(nil, nil)
			b.later(time.Minute)
			b.serve()
			got := p.letters()
			if len(got) != 1 || strings.Join(got[0].to, " ") != "soc@acme.example oncall@acme.example" || got[0].from != "tocsin@soc.example" {
				t.Fatalf("letters: %+v", got)
			}
			m, err := mail.ReadMessage(bufio.NewReader(strings.NewReader(got[0].text)))
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range []string{"Bcc", "X-Evil", "Cc"} {
				if m.Header.Get(h) != "" {
					t.Errorf("a name has made a header %s: %q", h, m.Header.Get(h))
				}
			}
			subject, err := (&mime.WordDecoder{}).DecodeHeader(m.Header.Get("Subject"))
			if err != nil || !strings.HasPrefix(subject, "[High] Rule a Bcc: victim@acme.example") {
				t.Errorf("subject %q, %v", subject, err)
			}
			if to, err := m.Header.AddressList("To"); err != nil || len(to) != 2 {
				t.Errorf("to %v, %v", to, err)
			}
			ids := b.rows(acme, `select id from alert_message where tenant = $1`)
			if m.Header.Get("Message-Id") != "<"+ids[0]+"@soc.example>" || m.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("headers: %v", m.Header)
			}
			has := parts(t, m)
			htmlSound(t, has["text/html"])
			if !strings.Contains(has["text/plain"], "https://tocsin.example/t/"+string(acme)+"/findings/f1") || !strings.Contains(has["text/html"], "&lt;script&gt;") {
				t.Errorf("parts: %q", has)
			}
			want(t, "tries", b.rows(acme, `select n, outcome, status from alert_try where tenant = $1 order by n`), "1 refused 451", "2 taken 250")
		})
	}
}

// TestEmailRefused: what a mail server refuses for ever is given up at once, all else is tried again; without a server no
// channel sends e-mail.
func TestEmailRefused(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	p := b.postman(notify.StartTLS)
	b.channel(acme, notify.Email, "gone@acme.example", nil)
	b.found(acme, finding("f1", tocsin.High), "raised")
	b.fold()
	p.refuse(&smtp.SMTPError{Code: 550, Message: "no such mailbox"}, nil)
	b.serve()
	got := b.rows(acme, `select m.state, m.because from alert_message m where m.tenant = $1`)
	if len(got) != 1 || !strings.HasPrefix(got[0], "dead") || !strings.Contains(got[0], "refused a recipient") || !strings.Contains(got[0], "550") {
		t.Errorf("550: %q", got)
	}
	b.found(acme, finding("f2", tocsin.High), "raised")
	b.fold()
	p.s.Close()
	b.serve()
	if got = b.rows(acme, `select state, because from alert_message where tenant = $1 and state = 'waiting'`); len(got) != 1 || !strings.Contains(got[0], "cannot be reached") {
		t.Errorf("no server: %q", got)
	}
	b.a.SMTP.Roots = nil
	q := b.postman(notify.StartTLS)
	b.a.SMTP.Roots = nil
	b.later(time.Minute)
	b.serve()
	if got = b.rows(acme, `select because from alert_message where tenant = $1 and state = 'waiting'`); len(got) != 1 || !strings.Contains(got[0], "certificate") || len(q.letters()) != 0 {
		t.Errorf("a certificate of nobody: %q", got)
	}
	b.a.SMTP = notify.SMTP{}
	s := notify.Usual()
	s.Name, s.Address = "n", "a@b.example"
	err := b.st.UpdateTenant(t.Context(), acme, func(tn *tenant) error { _, _, err := b.a.Create(t.Context(), tn, "ann", notify.Email, s); return err })
	if tocsin.AsProblem(err).Code != tocsin.Unavailable {
		t.Errorf("no mail server: %v", err)
	}
	b.postman(notify.Plain)
	for _, bad := range []string{"nobody", "a@b.example\r\nBcc: x@y.example,", "Jane <jane@x.example>", "a b@x.example", ",", strings.Repeat("a@b.example,", 51), "jané@x.example"} {
		s.Address = bad
		err := b.st.UpdateTenant(t.Context(), acme, func(tn *tenant) error { _, _, err := b.a.Create(t.Context(), tn, "ann", notify.Email, s); return err })
		if tocsin.AsProblem(err).Code != tocsin.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestEmailToSome: a recipient that there is no more keeps the message from nobody else, and is named.
func TestEmailToSome(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	p := b.postman(notify.StartTLS)
	p.gone = "left@acme.example"
	b.channel(acme, notify.Email, "soc@acme.example, left@acme.example, oncall@acme.example", nil)
	b.found(acme, finding("f1", tocsin.High), "raised")
	b.fold()
	b.serve()
	var to []string
	for _, l := range p.letters() {
		to = append(to, l.to...)
	}
	want(t, "who got it", to, "soc@acme.example", "oncall@acme.example")
	want(t, "the log", b.rows(acme, `select state, because from alert_message where tenant = $1`), "sent it was refused for left@acme.example")
	want(t, "the channel", b.rows(acme, `select failures, because from channel where tenant = $1`), "0 it was refused for left@acme.example")
}

// TestFormsOfEachKind: each kind of channel gets its form.
func TestFormsOfEachKind(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	r := b.receiver(nil)
	for _, kind := range []string{notify.Slack, notify.Teams, notify.Webhook} {
		b.channel(acme, kind, r.URL+"/"+kind, nil)
	}
	b.found(acme, finding("f1", tocsin.High), "raised")
	b.fold()
	b.serve()
	got := r.taken()
	if len(got) != 3 {
		t.Fatalf("%d messages", len(got))
	}
	for _, g := range got {
		switch g.path {
		case "/slack":
			slackSound(t, []byte(g.body))
		case "/teams":
			teamsSound(t, []byte(g.body))
		}
		if !strings.Contains(g.body, "findings/f1") || !strings.HasPrefix(g.header.Get("Content-Type"), "application/json") || (g.header.Get("webhook-signature") != "") != (g.path == "/webhook") {
			t.Errorf("%s: %v %s", g.path, g.header, g.body)
		}
	}
}

// TestInside: a channel whose name leads to the inside is refused when it is called, and says so without the address.
func TestInside(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	r := b.receiver(nil)
	c, _ := b.channel(acme, notify.Webhook, r.URL+"/token-in-the-path", nil)
	b.a.Guard.Allow = nil
	res, err := b.a.Test(t.Context(), acme, c.ID)
	if err != nil || res.OK || !strings.Contains(res.What, "loopback") || strings.Contains(res.What, "token-in-the-path") || len(r.taken()) != 0 {
		t.Errorf("loopback: %+v %v", res, err)
	}
	if p := b.rows(acme, `select because, mend from alert_message where tenant = $1`); len(p) != 1 || strings.Contains(p[0], "token-in-the-path") {
		t.Errorf("the log: %q", p)
	}
}

// TestInsideByEveryKind: no kind of channel leads into the server's own network: not by an address in any of its spellings, not
// by an edit, not by a name that leads there, and not by a redirect.
func TestInsideByEveryKind(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	r := b.receiver(nil)
	_, port, err := net.SplitHostPort(r.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	redirecting := b.receiver(func(w http.ResponseWriter, q *http.Request, _ int) {
		http.Redirect(w, q, r.URL, http.StatusTemporaryRedirect)
	})
	hosts := []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "0.0.0.0", "168.63.129.16"}
	for _, kind := range []string{notify.Slack, notify.Teams, notify.Webhook, notify.OCSF, notify.Syslog} {
		at := func(host string) string {
			if kind == notify.Syslog {
				return host + ":" + port
			}
			return "https://" + host + ":" + port + "/in"
		}
		s := notify.Usual()
		s.Name = kind
		create := func(address string) (c notify.Channel, err error) {
			s.Address = address
			err = b.st.UpdateTenant(t.Context(), acme, func(tt *store.Tenant) (err error) {
				c, _, err = b.a.Create(t.Context(), tt, "eve", kind, s)
				return err
			})
			return c, err
		}
		b.a.Guard.Allow = nil
		c, err := create(at("hooks.acme.example"))
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range hosts {
			if _, err := create(at(host)); tocsin.AsProblem(err).Code != tocsin.Invalid || !strings.Contains(err.Error(), "does not call for others") {
				t.Errorf("%s to %s: %v", kind, host, err)
			}
			s.Address = at(host)
			if err := b.st.UpdateTenant(t.Context(), acme, func(tt *store.Tenant) error {
				_, err := b.a.Edit(t.Context(), tt, "eve", c.ID, c.Version, s)
				return err
			}); tocsin.AsProblem(err).Code != tocsin.Invalid {
				t.Errorf("%s edited to %s: %v", kind, host, err)
			}
		}
		for _, name := range []string{"localhost", "2130706433", "0x7f.1", "127.1"} { // what these lead to is known when they are dialled
			c, err := create(at(name))
			if err != nil {
				continue // refused at once is as good
			}
			if res, err := b.a.Test(t.Context(), acme, c.ID); err != nil || res.OK || name == "localhost" && !strings.Contains(res.What, "loopback") {
				t.Errorf("%s to %s: %+v %v", kind, name, res, err)
			}
		}
		if kind == notify.Syslog {
			continue
		}
		b.a.Guard.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		if c, err = create(redirecting.URL); err != nil {
			t.Fatal(err)
		}
		if res, err := b.a.Test(t.Context(), acme, c.ID); err != nil || res.OK || res.Status != http.StatusTemporaryRedirect || !strings.Contains(res.What, "not followed") {
			t.Errorf("%s redirected: %+v %v", kind, res, err)
		}
	}
	if n := len(r.taken()); n != 0 {
		t.Errorf("%d messages came inside", n)
	}
}
