package notify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/notify"
	"tocsin.dev/store"
)

// verify is a receiver's check of a signature, written from the specification of Standard Webhooks and from nothing of ours.
func verify(t testing.TB, secret string, got taken, now time.Time) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("the secret is not in its form: %v", err)
	}
	stamp, err := strconv.ParseInt(got.header.Get("webhook-timestamp"), 10, 64)
	if err != nil || now.Unix()-stamp > 300 || stamp-now.Unix() > 300 {
		t.Errorf("the time %q is not now", got.header.Get("webhook-timestamp"))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(got.header.Get("webhook-id") + "." + got.header.Get("webhook-timestamp") + "." + got.body))
	want := mac.Sum(nil)
	for one := range strings.SplitSeq(got.header.Get("webhook-signature"), " ") {
		version, value, _ := strings.Cut(one, ",")
		if sum, err := base64.StdEncoding.DecodeString(value); version == "v1" && err == nil && hmac.Equal(sum, want) {
			return true
		}
	}
	return false
}

type hook struct {
	Type      string
	Timestamp time.Time
	Data      struct {
		Findings   []notify.Finding
		Total      int
		Severities map[string]int
		First      bool `json:"first_sync"`
		More       string
	}
}

func read(t testing.TB, got taken) (h hook) {
	t.Helper()
	if err := json.Unmarshal([]byte(got.body), &h); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	return h
}

// TestTold: a finding is told when it opens, grows worse, comes back and, where that is wanted, is fixed; each once,
// whatever facts come besides.
func TestTold(t *testing.T) {
	onBoth(t, func(b *bed) {
		r := b.receiver(nil)
		b.channel(acme, notify.Webhook, r.URL+"/hook", func(s *notify.Settings) { s.Filter.Changes = notify.Changes })
		step := func(severity tocsin.Severity, what string) {
			b.found(acme, finding("f1", severity), what)
			b.fold()
			b.serve()
			b.later(time.Hour)
		}
		step(tocsin.Medium, "raised") // below what the channel wants
		step(tocsin.High, "updated")
		step(tocsin.High, "updated")
		step(tocsin.Critical, "updated")
		step(tocsin.Critical, "fixed")
		step(tocsin.Critical, "fixed")
		step(tocsin.High, "reopened")
		step(tocsin.High, "updated")
		var types []string
		for _, g := range r.taken() {
			h := read(b, g)
			types = append(types, h.Type)
			if len(h.Data.Findings) != 1 || h.Data.Findings[0].URL != "https://tocsin.example/t/"+string(acme)+"/findings/f1" || h.Data.Findings[0].TenantName != "Acme" {
				b.Errorf("told: %s", g.body)
			}
		}
		if want := []string{"finding.opened", "finding.worse", "finding.fixed", "finding.reopened"}; !slices.Equal(types, want) {
			b.Errorf("told %q, want %q", types, want)
		}
		if got := b.rows(acme, `select state, count(*) from alert where tenant = $1 group by state`); !slices.Equal(got, []string{"sent 4"}) {
			b.Errorf("the log: %q", got)
		}
		if got := b.rows(acme, `select outcome, status from alert_try where tenant = $1 group by outcome, status`); !slices.Equal(got, []string{"taken 200"}) {
			b.Errorf("the tries: %q", got)
		}
	})
}

// TestWhom: a tenant's channel hears of that tenant, the installation's of all or of those it names; rules, severities
// and what was found before it are sorted out.
func TestWhom(t *testing.T) {
	onBoth(t, func(b *bed) {
		old := finding("old", tocsin.High)
		b.found(acme, old, "raised")
		b.later(time.Minute)
		r := b.receiver(nil)
		b.channel(acme, notify.Webhook, r.URL+"/acme", nil)
		b.channel(globex, notify.Webhook, r.URL+"/globex", nil)
		b.channel(notify.Installation, notify.Webhook, r.URL+"/all", nil)
		b.channel(notify.Installation, notify.Webhook, r.URL+"/some", func(s *notify.Settings) { s.Filter.Tenants = []tocsin.TenantID{globex} })
		b.channel(acme, notify.Webhook, r.URL+"/rule", func(s *notify.Settings) { s.Filter.Rules = []string{"opaque-rule"} })
		b.channel(acme, notify.Webhook, r.URL+"/off", func(s *notify.Settings) { s.Enabled = false })
		b.channel(acme, notify.Webhook, r.URL+"/critical", func(s *notify.Settings) { s.Filter.Severity = tocsin.Critical })
		b.found(acme, finding("a", tocsin.High), "raised")
		b.found(globex, finding("g", tocsin.High), "raised")
		b.found(acme, old, "updated")
		b.fold()
		b.serve()
		old.Severity = tocsin.Critical
		b.found(acme, old, "updated")
		b.fold()
		b.serve()
		var got []string
		for _, g := range r.taken() {
			f := read(b, g).Data.Findings[0]
			got = append(got, g.path+" "+f.ID+" "+f.Change)
		}
		slices.Sort(got)
		want := []string{"/acme a opened", "/acme old worse", "/all a opened", "/all g opened", "/all old worse", "/globex g opened", "/some g opened"}
		if !slices.Equal(got, want) {
			b.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestSignature: what a webhook gets is signed with its secret; a rotated one signs beside the new one for a day.
func TestSignature(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	r := b.receiver(nil)
	c, first := b.channel(acme, notify.Webhook, r.URL, nil)
	_, other := b.channel(globex, notify.Webhook, r.URL, nil)
	last := func() taken {
		t.Helper()
		if res, err := b.a.Test(t.Context(), acme, c.ID); err != nil || !res.OK {
			t.Fatalf("test: %+v %v", res, err)
		}
		got := r.taken()
		return got[len(got)-1]
	}
	g := last()
	if !verify(t, first, g, b.st.Clock().Now()) || verify(t, other, g, b.st.Clock().Now()) {
		t.Error("the signature is not that of the secret")
	}
	if h := read(t, g); h.Type != "test" {
		t.Errorf("a test is of the type %q", h.Type)
	}
	var second string
	b.update(acme, func(tn *store.Tenant) (err error) {
		_, second, _, err = b.a.Rotate(t.Context(), tn, "test", c.ID)
		return err
	})
	if g = last(); !verify(t, first, g, b.st.Clock().Now()) || !verify(t, second, g, b.st.Clock().Now()) || first == second {
		t.Error("in the overlap both secrets must sign")
	}
	b.later(25 * time.Hour)
	if g = last(); verify(t, first, g, b.st.Clock().Now()) || !verify(t, second, g, b.st.Clock().Now()) {
		t.Error("after the overlap the new secret alone must sign")
	}
	g.body += " "
	if verify(t, second, g, b.st.Clock().Now()) {
		t.Error("an altered body verifies")
	}
	for _, table := range []string{"channel", "alert", "alert_message", "alert_try", "fact"} {
		for _, row := range b.rows(acme, `select * from `+table+` where tenant = $1`) {
			if strings.Contains(row, strings.TrimPrefix(second, "whsec_")) || strings.Contains(row, r.Listener.Addr().String()+"/h") {
				t.Errorf("%s holds a secret: %s", table, row)
			}
		}
	}
}

// TestRefusals: a receiver that refuses, is slow, cuts or answers nonsense is tried again later with the same message, for
// a day; then the alert is dead and shown.
func TestRefusals(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request, _ int) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = c.Write([]byte("HTTP/1.1 2"))
		c.Close()
	}
	garbage := func(w http.ResponseWriter, _ *http.Request, _ int) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = c.Write([]byte("\x00\xff not http at all\r\n\r\n"))
		c.Close()
	}
	for name, c := range map[string]struct {
		do      func(http.ResponseWriter, *http.Request, int)
		because string
	}{
		"500": {status(500), "it answered 500"},
		"404": {status(404), "it answered 404"},
		"429": {status(429), "too many messages"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request, _ int) {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusPermanentRedirect)
		}, "leads elsewhere"},
		"cut":     {cut, "cut before it answered"},
		"garbage": {garbage, "cut before it answered"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, storetestSQLite(t))
			r := b.receiver(c.do)
			ch, _ := b.channel(acme, notify.Webhook, r.URL, nil)
			b.found(acme, finding("f1", tocsin.High), "raised")
			b.fold()
			b.serve()
			got := b.rows(acme, `select m.state, m.tries, m.because from alert a join alert_message m on m.tenant = a.tenant and m.id = a.message where a.tenant = $1`)
			if len(got) != 1 || !strings.HasPrefix(got[0], "waiting 1 ") || !strings.Contains(got[0], c.because) {
				t.Fatalf("after a try: %q", got)
			}
			b.exec(acme, `update alert_message set due = due + 60000 where tenant = $1`) // however long this machine takes
			b.serve()                                                                    // it is not due yet
			if n := len(r.taken()); n != 1 {
				t.Errorf("%d requests at once", n)
			}
			b.exec(acme, `update alert_message set due = due - 60000 where tenant = $1`)
			b.later(10 * time.Second)
			b.serve()
			r.answer(nil)
			b.later(time.Minute)
			b.serve()
			var ids []string
			for _, g := range r.taken() {
				if id := g.header.Get("webhook-id"); !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
			if len(r.taken()) != 3 || len(ids) != 1 || r.taken()[0].body != r.taken()[2].body {
				t.Errorf("%d tries under %q", len(r.taken()), ids)
			}
			if got := b.rows(acme, `select state, ended > 0 from alert where tenant = $1`); len(got) != 1 || !strings.HasPrefix(got[0], "sent") {
				t.Errorf("in the end: %q", got)
			}
			if got := b.rows(acme, `select failures, because from channel where tenant = $1 and id = $2`, ch.ID); got[0] != "0 " {
				t.Errorf("the channel: %q", got)
			}
		})
	}
}

// TestDead: what nobody takes for a day is given up, what says that it is gone at once.
func TestDead(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	r := b.receiver(status(503))
	b.channel(acme, notify.Webhook, r.URL, nil)
	b.found(acme, finding("f1", tocsin.High), "raised")
	b.fold()
	for range 200 {
		b.serve()
		b.later(15 * time.Minute)
	}
	if got := b.rows(acme, `select state from alert where tenant = $1`); !slices.Equal(got, []string{"dead"}) {
		t.Errorf("after two days: %q", got)
	}
	if n := len(r.taken()); n < 20 || n > 60 {
		t.Errorf("%d tries in a day", n)
	}
	if got := b.rows(acme, `select failures > 10, because from channel where tenant = $1`); !strings.HasSuffix(got[0], "it answered 503") {
		t.Errorf("the channel: %q", got)
	}
	r.answer(status(410))
	b.found(acme, finding("f2", tocsin.High), "raised")
	b.fold()
	n := len(r.taken())
	for range 5 {
		b.serve()
		b.later(time.Hour)
	}
	if got := b.rows(acme, `select state from alert where tenant = $1 and finding = 'f2'`); !slices.Equal(got, []string{"dead"}) || len(r.taken()) != n+1 {
		t.Errorf("gone: %q after %d tries", got, len(r.taken())-n)
	}
}

// TestRetryAfter: the receiver's word on when to come again is kept.
func TestRetryAfter(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	r := b.receiver(func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			w.Header().Set("Retry-After", "1800")
			w.WriteHeader(429)
		}
	})
	b.channel(acme, notify.Slack, r.URL, nil)
	b.found(acme, finding("f1", tocsin.High), "raised")
	b.fold()
	for range 28 {
		b.serve()
		b.later(time.Minute)
	}
	if n := len(r.taken()); n != 1 {
		t.Errorf("%d requests before the time", n)
	}
	b.later(3 * time.Minute)
	b.serve()
	if n := len(r.taken()); n != 2 {
		t.Errorf("%d requests after it", n)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "5": 5 * time.Second, "-5": 0, "soon": 0, "99999999": 24 * time.Hour, "Sun, 01 Mar 2026 12:01:00 GMT": time.Minute, "Sun, 01 Mar 2020 12:01:00 GMT": 0, "1e9": 0} {
		if got := notify.RetryAfter(text, now); got != want {
			t.Errorf("Retry-After: %q is %s, want %s", text, got, want)
		}
	}
	for tries := range 30 {
		if d := notify.Backoff(tries, 0); d < 5*time.Second || d > time.Hour {
			t.Errorf("after %d tries %s", tries, d)
		}
	}
}

// TestErased: of a tenant that is erased the installation's channels keep nothing, and what waited to be told of it is not.
func TestErased(t *testing.T) {
	onBoth(t, func(b *bed) {
		r := b.receiver(nil)
		c, _ := b.channel(notify.Installation, notify.Slack, r.URL, nil)
		b.found(acme, finding("f1", tocsin.Critical), "raised")
		b.found(globex, finding("f2", tocsin.Critical), "raised")
		b.fold()
		b.exec(notify.Installation, `update alert set state = 'sending', message = 'm' where tenant = $1 and about = $2`, string(acme))
		b.exec(notify.Installation, `insert into alert_message (tenant, id, channel, kind, alerts, state, created, due) values ($1, 'm', $2, 'single', 1, 'waiting', 1, 1)`, c.ID)
		if err := b.st.Erase(context.Background(), acme, "connection", "tenant"); err != nil {
			b.Fatal(err)
		}
		if left := append(b.rows(notify.Installation, `select about from alert where tenant = $1`), b.rows(notify.Installation, `select about from alert_told where tenant = $1`)...); strings.Join(left, " ") != string(globex)+" "+string(globex) {
			b.Errorf("left: %v", left)
		}
		for range 2 {
			b.serve()
		}
		if got := r.taken(); len(got) != 1 || !strings.Contains(got[0].body, "f2") {
			b.Errorf("told: %v", got)
		}
		if state := b.rows(notify.Installation, `select state from alert_message where tenant = $1 and id = 'm'`)[0]; state != "dropped" {
			b.Errorf("the message that waited is %s", state)
		}
	})
}
