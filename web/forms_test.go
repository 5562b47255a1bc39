package web

import (
	"bufio"
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
)

const at = "/t/" + string(tenantID)

func TestFirstStart(t *testing.T) {
	s := newSite(t)
	if _, body := s.get("/"); !strings.Contains(body, "waits for its owner") {
		t.Errorf("a stranger at a new server sees:\n%s", body)
	}
	token, err := s.svc.SetupLink(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if code, body := s.get("/setup?token=" + token); code != http.StatusOK || !strings.Contains(body, `value="`+token+`"`) {
		t.Errorf("the set-up link: %d\n%s", code, body)
	}
	if code, body := s.post("/setup", "token", "wrong", "email", owner, "password", password); code < 400 || !strings.Contains(body, `role="alert"`) || !strings.Contains(body, owner) {
		t.Errorf("a wrong secret: %d\n%s", code, body)
	}
	if code, body := s.post("/setup", "token", token, "email", owner, "password", password); code != http.StatusOK || !strings.Contains(body, "Connect a Microsoft 365 tenant") {
		t.Errorf("claimed: %d\n%s", code, body)
	}
	if _, body := s.get("/setup?token=" + token); strings.Contains(body, "Become the owner") {
		t.Error("a server with an owner can be claimed again")
	}
}

func TestSignIn(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	s.Client = s.browser()
	if _, body := s.get(at + "/findings?severity=high"); !strings.Contains(body, "<h1>Sign in</h1>") || !strings.Contains(body, "severity=high") {
		t.Errorf("a stranger is not led to the sign-in and back:\n%s", body)
	}
	if code, body := s.post("/sign-in", "email", owner, "password", "let-me-in-please"); code < 400 || !strings.Contains(body, `role="alert"`) || strings.Contains(body, "let-me-in-please") {
		t.Errorf("a wrong password: %d\n%s", code, body)
	}
	if code, body := s.post("/sign-in", "email", owner, "password", password, "back", at+"/findings"); code != http.StatusOK || !strings.Contains(body, "<h1>Findings</h1>") {
		t.Errorf("signed in: %d\n%.800s", code, body)
	}
	if _, body := s.post("/sign-out"); !strings.Contains(body, "<h1>Sign in</h1>") {
		t.Errorf("signed out:\n%s", body)
	}
	for _, evil := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/\t/evil.example"} {
		if got := local(evil); got != "/" {
			t.Errorf("local(%q) = %q", evil, got)
		}
	}
}

// TestDecide decides one finding, then several; a decision on what has changed meanwhile is refused with what to do.
func TestDecide(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	id := tocsin.NewFindingID(tenantID, "forward-outside", seedRules()[0].ID, "0")
	_, body := s.get(at + "/findings/" + id)
	if before, after, ok := strings.Cut(body, "Once before that,"); !ok || !strings.Contains(before, "from 82 to 95") || !strings.Contains(after, "from 71 to 82") {
		t.Error("what was seen anew twice on end is not one entry of the history")
	}
	_, body = s.post(at+"/findings/"+id+"/decide", "version", "1", "status", "in_work", "owner", owner, "reason", "")
	if !strings.Contains(body, "The decision was kept: in work.") || !strings.Contains(body, "with <strong>"+owner) {
		t.Errorf("decided:\n%s", body)
	}
	if _, body = s.get(at + "/findings/" + id); strings.Contains(body, "The decision was kept") {
		t.Error("a notice is shown twice")
	}
	if _, body = s.post(at+"/findings/"+id+"/decide", "version", "1", "status", "fixed"); !strings.Contains(body, "changed it since") && !strings.Contains(body, "banner bad") {
		t.Errorf("a stale decision:\n%s", body)
	}
	if _, body = s.post(at+"/findings/"+id+"/decide", "version", "2", "status", "accepted", "reason", "why", "until", "soon"); !strings.Contains(body, "Give a date") {
		t.Errorf("a date that is none:\n%s", body)
	}
	other := tocsin.NewFindingID(tenantID, "obfuscated-name", seedRules()[3].ID, "4")
	if _, body = s.post(at+"/findings/decide", "finding", id+":2", "finding", other+":1", "status", "false_alarm", "reason", "a drill", "back", at+"/findings?status=false_alarm"); !strings.Contains(body, "2 findings were decided.") {
		t.Errorf("several:\n%s", body)
	}
	if _, body = s.post(at+"/findings/decide", "finding", id+":2", "finding", other+":2", "status", "open"); !strings.Contains(body, "1 of 2 were decided.") {
		t.Errorf("several, one of them stale:\n%s", body)
	}
}

// TestViewerSeesNoForms makes a viewer of one tenant: they see it without what changes it, and nothing of the other.
func TestViewerSeesNoForms(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	if _, body := s.post("/settings/accounts", "email", "vera@acme.example", "name", "Vera", "password", password, "role", "viewer", "on", string(tenantID)); !strings.Contains(body, "vera@acme.example may sign in.") {
		t.Fatalf("account:\n%s", body)
	}
	s.Client = s.browser()
	s.post("/sign-in", "email", "vera@acme.example", "password", password)
	id := tocsin.NewFindingID(tenantID, "forward-outside", seedRules()[0].ID, "0")
	code, body := s.get(at + "/findings/" + id)
	if code != http.StatusOK || strings.Contains(body, "Keep the decision") {
		t.Errorf("a viewer: %d, form: %v", code, strings.Contains(body, "Keep the decision"))
	}
	if _, body := s.post(at+"/findings/"+id+"/decide", "version", "1", "status", "fixed"); !strings.Contains(body, "needs the role analyst") {
		t.Errorf("a viewer decides:\n%s", body)
	}
	for _, path := range []string{"/t/" + string(otherID) + "/overview", "/t/" + string(otherID) + "/findings/" + id, at + "/findings/none", at + "/rules/x/y", at + "/nothing", "/nothing"} {
		if code, body := s.get(path); code != http.StatusNotFound || strings.Contains(body, "Umbra") {
			t.Errorf("%s: %d", path, code)
		}
	}
	for _, path := range []string{"/settings/accounts", "/connect"} {
		if code, _ := s.get(path); code != http.StatusForbidden {
			t.Errorf("%s for a viewer: %d", path, code)
		}
	}
	if _, body := s.post("/settings/you/password", "old", password, "new", password); !strings.Contains(body, "The new password is the present one.") {
		t.Errorf("the same password again:\n%s", body)
	}
}

func TestExport(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	r, err := s.Get(s.URL + at + "/findings.csv?status=all")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	rows, err := csv.NewReader(r.Body).ReadAll()
	if err != nil || len(rows) != 80 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if got := r.Header.Get("Content-Disposition"); got != `attachment; filename="findings.csv"` {
		t.Error(got)
	}
	if got := harmless([]string{"=1+1", "-x", "@a", "+4", "a=b", ""}); strings.Join(got, "|") != "'=1+1|'-x|'@a|'+4|a=b|" {
		t.Error(got)
	}
}

// TestConnectRefused shows what was typed again, but not the secret.
func TestConnectRefused(t *testing.T) {
	s := newSite(t)
	s.claim()
	code, body := s.post("/connect", "tenant", string(tenantID), "client_id", "b0f8a1d2-7a41-4d7e-8f2f-3c1d2a9e7b10", "method", "secret", "client_secret", "s3cr3t-value", "cloud", "usgov", "name", evilScript)
	if code != http.StatusUnprocessableEntity || !strings.Contains(body, "Copy the secret") || !strings.Contains(body, "b0f8a1d2") || strings.Contains(body, "s3cr3t-value") || !strings.Contains(body, `value="usgov" selected`) {
		t.Errorf("%d\n%s", code, body)
	}
	sound(t, "/connect", body)
}

// TestToken shows a token's secret once.
func TestToken(t *testing.T) {
	s := newSite(t)
	s.claim()
	_, body := s.post("/settings/tokens", "name", "SIEM", "role", "viewer", "on", "*", "days", "30")
	_, secret, ok := strings.Cut(body, `<code id="token-secret">`)
	secret, _, _ = strings.Cut(secret, "<")
	if !ok || len(secret) < 20 {
		t.Fatalf("no secret:\n%s", body)
	}
	if _, body = s.get("/settings/tokens"); strings.Contains(body, secret) || !strings.Contains(body, "SIEM") {
		t.Error("the secret is shown again, or the token is not listed")
	}
}

func TestTheme(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	for theme, want := range map[string]bool{"dark": true, "auto": false} {
		_, body := s.post("/theme", "theme", theme, "back", at+"/rules")
		if strings.Contains(body, `data-theme="dark"`) != want || !strings.Contains(body, "<h1>Rules and forwarding</h1>") {
			t.Errorf("theme %s:\n%.400s", theme, body)
		}
	}
}

// TestLive follows a tenant as a page does: it is told of the kinds that came, of this tenant alone.
func TestLive(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	if code, _ := s.get("/live?tenant=" + string(tocsin.NewID())); code != http.StatusNotFound {
		t.Errorf("another's tenant: %d", code)
	}
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/live?tenant="+string(tenantID), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	next := func(prefix string) string {
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				return rest
			}
		}
		t.Fatalf("the stream ended before %q: %v", prefix, lines.Err())
		return ""
	}
	last, err := s.st.LastFact(ctx, store.Lane(tenantID))
	if err != nil {
		t.Fatal(err)
	}
	if got := next("id: "); got != strconv.FormatInt(last, 10) {
		t.Errorf("the stream begins with %s; want %d, so that who comes back misses nothing", got, last)
	}
	if got := next("event: "); got != "hello" {
		t.Errorf("first: %q", got)
	}
	for tenant, kind := range map[tocsin.TenantID]string{tenantID: "rule.created", otherID: "connection.changed"} {
		err := s.st.UpdateTenant(ctx, tenant, func(tn *store.Tenant) error {
			return tn.Append(ctx, store.Fact{Kind: kind, Subject: "x", Body: []byte(`{}`)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := next("event: "); got != "facts" {
		t.Errorf("then: %q", got)
	}
	if got := next("data: "); got != `{"rule.created":1}` {
		t.Errorf("told %s", got)
	}
}

// TestIncompleteIsNeverClean looks at an empty list under each way of not knowing.
func TestIncompleteIsNeverClean(t *testing.T) {
	whole := api.Coverage{Connections: 1, People: 3, Mailboxes: 3, Read: 3, Incomplete: []string{"mailbox-forwarding is off: ActivityFeed.Read is not granted."}}
	if r := reachOf(whole); !r.Whole || len(r.Limits) != 1 || len(r.Warn) != 0 {
		t.Errorf("what Graph never tells is no warning: %+v", r)
	}
	late := whole
	late.Incomplete = append([]string{"The source mailbox_rules is late."}, late.Incomplete...)
	if r := reachOf(late); r.Whole || len(r.Warn) != 1 || r.Warn[0] != "Inbox rules is late." {
		t.Errorf("a late source: %+v", r)
	}
	for name, c := range map[string]struct {
		reach
		want string
	}{
		"calm":        {reachOf(whole), "Nothing dangerous is open"},
		"late":        {reachOf(late), "it is incomplete"},
		"first":       {reachOf(api.Coverage{Connections: 1}), "first reading is under way"},
		"unconnected": {reachOf(api.Coverage{}), "Nothing is looked at"},
	} {
		var b strings.Builder
		if err := noFindings(&page{}, c.reach).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), c.want) || name != "calm" && strings.Contains(b.String(), `empty calm`) {
			t.Errorf("%s: %s", name, b.String())
		}
	}
}
