package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

func tell(t *testing.T, st *store.Store, tenant tocsin.TenantID, subjects ...string) {
	t.Helper()
	for _, s := range subjects {
		if err := st.UpdateTenant(t.Context(), tenant, func(tn *store.Tenant) error {
			return tn.Append(t.Context(), store.Fact{Kind: "finding.raised", Subject: s, Actor: "test"})
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// events opens the stream as a browser does, and gives the ids and subjects of what comes.
func events(ctx context.Context, t *testing.T, s *server, token, last string) (<-chan string, *http.Response) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", s.http.URL+"/api/v1/facts?tenant="+string(acme), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		defer res.Body.Close()
		id := ""
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if v, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				_, subject, _ := strings.Cut(v, `"subject":"`)
				subject, _, _ = strings.Cut(subject, `"`)
				out <- id + " " + subject
			}
		}
	}()
	return out, res
}

func next(t *testing.T, ch <-chan string) string {
	t.Helper()
	select {
	case s, ok := <-ch:
		if !ok {
			return "ended"
		}
		return s
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing came")
		return ""
	}
}

func TestStreamResumes(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		settle(t, st, globex)
		tell(t, st, acme, "before")
		ctx, stop := context.WithCancel(t.Context())
		ch, res := events(ctx, t, s, ownerToken, "")
		if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" {
			t.Errorf("content type %q", ct)
		}
		tell(t, st, globex, "another tenant's")
		tell(t, st, acme, "one", "two", "three")
		var ids []string
		for _, want := range []string{"one", "two", "three"} {
			id, subject, _ := strings.Cut(next(t, ch), " ")
			if subject != want {
				t.Fatalf("came %q, want %q", subject, want)
			}
			ids = append(ids, id)
		}
		stop()
		for range ch { // until the connection is gone
		}
		tell(t, st, acme, "four")
		ctx, stop = context.WithCancel(t.Context())
		defer stop()
		ch, _ = events(ctx, t, s, ownerToken, ids[1])
		for _, want := range []string{"three", "four"} {
			if _, subject, _ := strings.Cut(next(t, ch), " "); subject != want {
				t.Errorf("resumed behind two: came %q, want %q", subject, want)
			}
		}
		if err := s.do(t, s.owner, "facts stream", api.FactsIn{Tenant: acme, After: "x1"}); code(err) != tocsin.Invalid {
			t.Errorf("from x1: %v, want invalid", err)
		}
	})
}

// TestStreamEndsWithTheRole takes the role away from who follows.
func TestStreamEndsWithTheRole(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	s.api.SetHeartbeat(10 * time.Millisecond)
	settle(t, st, acme)
	c := s.token(api.Viewer, string(acme))
	ch, _ := events(t.Context(), t, s, c.Token, "")
	tell(t, st, acme, "one")
	if got := next(t, ch); !strings.HasSuffix(got, " one") {
		t.Fatal(got)
	}
	me := call[api.Me](t, c, "me get", api.NoInput{})
	call[api.Account](t, s.owner, "accounts revoke", api.RevokeIn{AccountIn: api.AccountIn{ID: me.Account.ID}, On: string(acme)})
	for got := next(t, ch); got != "ended"; got = next(t, ch) {
		if strings.HasSuffix(got, " secret") {
			t.Fatal("a fact came after the role was taken away")
		}
	}
	tell(t, st, acme, "secret")
}

// TestCommands runs commands as a person does.
func TestCommands(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	settle(t, st, acme)
	for _, c := range []struct{ line, want string }{
		{"findings list", "SEVERITY  RISK  STATUS  TITLE"},
		{"findings list", "high      72    open    Mail is forwarded outside  jane@"},
		{"findings list --severity low,info", "nothing\n"},
		{"groups list", "out@evil.example"},
		{"groups list --json", `"led_to":true`},
		{"findings list --json", `{"id":"` + findingOf(acme) + `","rule":"forward-outside"`},
		{"findings get " + findingOf(acme), "points 60, why outside"},
		{"findings decide " + findingOf(acme) + " --status accepted --reason known --until 90d --version 1", "status: accepted"},
		{"findings decide " + findingOf(acme) + " --status in_work --version 1", "! Somebody has changed it since you looked."},
		{"findings decide " + findingOf(acme) + " --status in_work", "status: in_work"}, // of the version there is
		{"findings decide " + findingOf(acme), "! --status is missing. Give it."},
		{"findings decide none --status fixed", "! There is no such finding."},
		{"response-settings set --approval none", "approval: none"},
		{"connections set-stream " + connectionOf(acme) + " --gather 200", "gather: 200"}, // of the version there is, none at first
		{"connections set-stream " + connectionOf(acme) + " --changes created,deleted", "version: 2"},
		{"connections set-stream " + connectionOf(acme) + " --batch 5 --version 1", "! The settings were changed meanwhile."},
		{"canary set", "version: 1"},
		{"canary set", "version: 2"},
		{"rules list", "RISK  NAME"},
		{"rules list", "jane@" + domainOf(acme) + "  " + ruleOf(acme) + "\n"}, // as rules get takes them
		{"rules list --deleted=perhaps", `! invalid argument "perhaps"`},
		{"rules get jane@" + domainOf(acme) + " " + ruleOf(acme), "read only: no"},
		{"connections list", "ID"},
		{"connections create --cloud mars --tenant x", `! --client-id is missing. Give it. "x" is not a tenant id. Copy the tenant ID from Entra`},
		{"connections create --cloud mars --tenant x", `The credential is missing. Give --client-secret, or certificate with its private key, as PEM. No cloud is called "mars".`},
		{"connections create --certificate @none.pem", "--certificate cannot be read: there is no file none.pem that can be opened."},
		{"rules get jane@" + domainOf(acme) + " " + ruleOf(acme), "summary: Mail with “invoice” or “payment” in the subject"},
		{"mailboxes list --read no", "nothing\n"},
		{"tenants list --json", `"id":"` + string(acme) + `"`},
		{"exceptions create --rule * --scope domain --value partner.example --owner me --reason because --expires 2w", `is not a time such as 2026-12-31`},
		{"exceptions create --rule * --scope domain --value partner.example --owner me --reason because --expires 30d", "value: partner.example"},
		{"snoozes create --scope rule --value own-hidden --until 30d", "value: own-hidden"},
		{"snoozes create --scope rule --value own-nothing --until 30d", `! There is no detection "own-nothing".`},
		{"findings list --status closed", `! --status cannot be "closed". Use one of open, in_work, fixed, accepted, false_alarm, all.`},
		{"findings get none", "! There is no such finding. Look in the list for what is there now."},
		{"partners delete " + partnerOf(acme), ""},
		{"connections create --name new --tenant " + string(globex) + " --client-id " + string(acme) + " --client-secret s", "name: new"},
		{"connections guide --tier read --for outlook,entra", "--- manifest: requiredResourceAccess\n["},
		{"connections guide --for entra", "1. In the Entra admin center open App registrations → New registration. Name it Tocsin (read)."},
		{"connections guide --tier respond --json", `"tier":"respond"`},
		{"connections guide --for excel", "! --for cannot be \"excel\"."},
		{"registrations set read --client-id b0f8a1d2-7a41-4d7e-8f2f-3c1d2a9e7b10 --client-secret s3cret", "client id: b0f8a1d2"},
		{"registrations list", "read"},
		{"registrations delete read", ""},
		{"findings list ", "! There are several tenants. Name one with --tenant; tocsin tenants list shows them."},
		{"sources list --tenant " + string(acme), "rules  fresh"},
	} {
		got, err := s.run(t, strings.Fields(c.line))
		if err != nil {
			got = "! " + err.Error()
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("tocsin %s:\n%s\nwant %s", c.line, got, c.want)
		}
	}
}

func (s *server) run(t *testing.T, args []string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := s.runInto(t, &out, args)
	return out.String(), err
}

func (s *server) runInto(t *testing.T, out io.Writer, args []string) error {
	t.Helper()
	for _, noun := range api.Commands(func() (*api.Client, error) { return s.owner, nil }) {
		if noun.Name() != args[0] {
			continue
		}
		noun.SetOut(out)
		noun.SetErr(out)
		noun.SilenceErrors = true
		noun.SetArgs(args[1:])
		return noun.ExecuteContext(t.Context())
	}
	return fmt.Errorf("there is no command %s", args[0])
}

// told is what a command writes; first is called once it begins to, rules once it says that rules are read.
type told struct {
	text         strings.Builder
	first, rules func()
}

func (w *told) Write(b []byte) (int, error) {
	n, err := w.text.Write(b)
	if w.first != nil {
		w.first()
		w.first = nil
	}
	if w.rules != nil && strings.Contains(string(b), "Reading rules.") {
		w.rules()
		w.rules = nil
	}
	return n, err
}

// TestWaitForFirstSync has a connection's first sync end while the command waits.
func TestWaitForFirstSync(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	line := fmt.Sprintf(`{"graph":"https://127.0.0.1:1/","authority":"https://127.0.0.1:1/","ca":"PEM","tenant":%q,"client_id":"%[1]s","client_secret":"s3cret","certificate":"PEM"}`, globex)
	file := t.TempDir() + "/sim.json"
	if err := writeFile(file, line+"\n"); err != nil {
		t.Fatal(err)
	}
	done, answered, reading := make(chan error, 1), make(chan struct{}), make(chan struct{})
	said := &told{first: func() { close(answered) }, rules: func() { close(reading) }}
	go func() { done <- s.runInto(t, said, []string{"connections", "create", "--from", file, "--wait"}) }()
	select {
	case <-answered: // it has made the connection, of which nothing is read yet
	case <-time.After(2 * time.Minute):
		t.Fatal("no connection was made")
	}
	sync := func(name string, succeeded int64) {
		t.Helper()
		if err := st.UpdateTenant(t.Context(), globex, func(tn *store.Tenant) error {
			_, err := tn.Exec(t.Context(), `insert into source (tenant, name, started, succeeded) values ($1, $2, 1, $3)`, name, succeeded)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	sync("users", 2)
	sync("settings", 2)
	select {
	case err := <-done:
		t.Fatalf("it ended before the rules were read: %v", err)
	case <-reading:
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not say that it reads the rules")
	}
	sync("rules", 2)
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
		if text := said.text.String(); strings.Contains(text, "\r") || strings.Count(text, "Reading rules.\n") != 1 || strings.Contains(text, "sources:") {
			t.Errorf("into a file it says\n%q", text)
		}
	case <-time.After(2 * time.Minute):
		t.Error("it did not end when all was read")
	}
}

// TestStreamEndsWithSession: signing out, and the session's end, close a stream that began before.
func TestStreamEndsWithSession(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		s.api.SetHeartbeat(10 * time.Millisecond)
		settle(t, st, acme)
		s.account(t, "jane@acme.example", api.Viewer, string(acme))
		for name, end := range map[string]func(*browser){
			"sign-out": func(b *browser) {
				if a := b.do("DELETE", "/api/v1/session", nil); a.status >= 300 {
					t.Fatalf("sign-out: %d %s", a.status, a.body)
				}
			},
			"the session's end": func(*browser) {
				if err := st.Update(t.Context(), func(tx *store.Tx) error {
					_, err := tx.Exec(t.Context(), `update session set expiry = $1`, tocsin.Millis(time.Now().Add(-time.Second)))
					return err
				}); err != nil {
					t.Fatal(err)
				}
			},
		} {
			b := s.browser(t)
			b.signIn("jane@acme.example", password, "")
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			req, err := http.NewRequestWithContext(ctx, "GET", s.http.URL+"/api/v1/facts?tenant="+string(acme), nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := b.http.Do(req)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatal(err, res.Status)
			}
			lines := bufio.NewScanner(res.Body)
			for beats := 0; beats < 3 && lines.Scan(); {
				if strings.HasPrefix(lines.Text(), ": still") {
					beats++
				}
			}
			end(b)
			for lines.Scan() {
			}
			if ctx.Err() != nil {
				t.Errorf("%s did not end the stream", name)
			}
			res.Body.Close()
			stop()
		}
	})
}
