package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const password = "correct horse battery staple"

// browser is a client with cookies, as pages are used.
type browser struct {
	t    *testing.T
	s    *server
	http *http.Client
	head http.Header // sent with every request
}

func (s *server) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, s: s, http: &http.Client{Jar: jar}, head: http.Header{}}
}

// answer is what came: the status, and the problem or the answer's members.
type answer struct {
	status int
	code   string
	what   string
	body   []byte
	header http.Header
}

func (b *browser) do(method, path string, body any) answer {
	b.t.Helper()
	var r io.Reader
	if body != nil {
		r = bytes.NewReader([]byte(text(b.t, body)))
	}
	req, err := http.NewRequest(method, b.s.http.URL+path, r)
	if err != nil {
		b.t.Fatal(err)
	}
	for k, v := range b.head {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		b.t.Fatal(err)
	}
	var p struct{ Code, What string }
	if err := json.Unmarshal(a.body, &p); err == nil {
		a.code, a.what = p.Code, p.What
	}
	return a
}

func (b *browser) signIn(email, password, code string) answer {
	b.t.Helper()
	return b.do("POST", "/api/v1/session", api.SignIn{Email: email, Password: password, Code: code})
}

func (s *server) account(t *testing.T, email string, role api.Role, on string) api.Account {
	t.Helper()
	return call[api.Account](t, s.owner, "accounts create", api.CreateAccountIn{Body: api.AccountNew{Email: email, Password: password, Role: role, On: on}})
}

func TestSignIn(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		s.account(t, "Jane@Acme.example", api.Analyst, string(acme))
		b := s.browser(t)
		wrong := b.signIn("jane@acme.example", "wrong wrong wrong", "")
		ghost := b.signIn("ghost@acme.example", "wrong wrong wrong", "")
		if wrong.status != 403 || wrong.what != ghost.what {
			t.Errorf("a wrong password answers %d %q, an unknown account %d %q; want the same", wrong.status, wrong.what, ghost.status, ghost.what)
		}
		if a := b.do("GET", "/api/v1/me", nil); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("me without a session: %d %s", a.status, a.body)
		}
		in := b.signIn(" JANE@acme.example", password, "")
		if in.status != 200 {
			t.Fatalf("sign-in: %d %s", in.status, in.body)
		}
		cookie := in.header.Get("Set-Cookie")
		for _, want := range []string{"tocsin=", "HttpOnly", "SameSite=Lax", "Path=/"} {
			if !strings.Contains(cookie, want) {
				t.Errorf("the cookie %q lacks %s", cookie, want)
			}
		}
		if a := b.do("GET", "/api/v1/me", nil); a.status != 200 || !strings.Contains(string(a.body), `"by":"session"`) {
			t.Errorf("me: %d %s", a.status, a.body)
		}
		if a := b.do("GET", "/api/v1/tenants/"+string(globex)+"/overview", nil); a.code != "not_found" {
			t.Errorf("another tenant: %d %s", a.status, a.body)
		}
		value, _, _ := strings.Cut(strings.TrimPrefix(cookie, "tocsin="), ";")
		if n := count(t, st, `select count(*) from session where token = $1`, value); n != 0 {
			t.Error("the session's row has the cookie itself: who reads the table can sign in")
		}
		if a := b.do("DELETE", "/api/v1/session", nil); a.status != 200 {
			t.Errorf("sign-out: %d %s", a.status, a.body)
		}
		if a := b.do("GET", "/api/v1/me", nil); a.status != 401 {
			t.Errorf("me after the sign-out: %d", a.status)
		}
		if n := count(t, st, `select count(*) from session`); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

func count(t *testing.T, st *store.Store, q string, args ...any) (n int) {
	t.Helper()
	if err := st.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(t.Context(), q, args...).Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOtherSites sends a change as a page of another site would have a browser send it.
func TestOtherSites(t *testing.T) {
	s := serve(t, storetest.SQLite(t))
	settle(t, s.st, acme)
	s.account(t, "jane@acme.example", api.Owner, "*")
	b := s.browser(t)
	b.signIn("jane@acme.example", password, "")
	change := func() answer {
		return b.do("POST", "/api/v1/tokens", api.TokenNew{Name: "n", Role: api.Viewer})
	}
	if a := change(); a.status != 201 {
		t.Fatalf("from here: %d %s", a.status, a.body)
	}
	for _, head := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}} {
		b.head = head
		if a := change(); a.status != 403 || a.code != "denied" {
			t.Errorf("with %v: %d %s, want denied", head, a.status, a.body)
		}
		if a := b.do("GET", "/api/v1/me", nil); a.status != 200 {
			t.Errorf("reading with %v: %d", head, a.status)
		}
	}
	b.head = http.Header{"Authorization": {"Bearer " + ownerToken}, "Origin": {"https://evil.example"}}
	if a := change(); a.status != 201 {
		t.Errorf("a program with a token: %d %s", a.status, a.body)
	}
}

func TestSignInLimits(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		s.account(t, "jane@acme.example", api.Viewer, "*")
		b := s.browser(t)
		for i := range 8 {
			if a := b.signIn("jane@acme.example", "wrong wrong wrong", ""); a.code != "denied" {
				t.Fatalf("attempt %d: %d %s", i, a.status, a.body)
			}
		}
		a := b.signIn("jane@acme.example", password, "")
		if a.status != 429 || a.what != "There were too many attempts to sign in." || !regexp.MustCompile("Wait 1[345]m").Match(a.body) {
			t.Errorf("the ninth, with the right password: %d %s, want throttled", a.status, a.body)
		}
		st.Clock().Advance(16 * time.Minute)
		if a := b.signIn("jane@acme.example", password, ""); a.status != 200 {
			t.Errorf("later: %d %s", a.status, a.body)
		}
		for i := range 5 { // a sign-in that succeeds begins the count anew
			if a := b.signIn("jane@acme.example", password, ""); a.status != 200 {
				t.Errorf("sign-in %d: %d", i, a.status)
			}
		}
	})
}

func TestSecondFactor(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		jane := s.account(t, "jane@acme.example", api.Viewer, "*")
		b := s.browser(t)
		b.signIn("jane@acme.example", password, "")
		var e api.Enrolment
		if err := json.Unmarshal(b.do("POST", "/api/v1/me/totp", nil).body, &e); err != nil || !strings.HasPrefix(e.URI, "otpauth://totp/Tocsin:") || e.QR == "" {
			t.Fatalf("enrolment %+v, %v", e, err)
		}
		var kept string
		if err := st.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), `select totp from account where id = $1`, jane.ID).Scan(&kept)
		}); err != nil || strings.Contains(kept, e.Secret) {
			t.Errorf("the secret is kept as %q, %v", kept, err)
		}
		now := func() string {
			c, err := totp.GenerateCode(e.Secret, st.Clock().Now())
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if a := s.browser(t).signIn("jane@acme.example", password, ""); strings.Contains(string(a.body), `"needs_code":true`) {
			t.Error("a factor that is not confirmed is asked for")
		}
		if a := b.do("POST", "/api/v1/me/totp/confirm", api.Code{Code: "000000"}); a.code != "denied" {
			t.Errorf("confirmed by a wrong code: %d %s", a.status, a.body)
		}
		first := now()
		if a := b.do("POST", "/api/v1/me/totp/confirm", api.Code{Code: first}); a.status != 200 {
			t.Fatalf("confirm: %d %s", a.status, a.body)
		}
		c := s.browser(t)
		if a := c.signIn("jane@acme.example", password, ""); !strings.Contains(string(a.body), `"needs_code":true`) || !strings.Contains(string(a.body), `"me":null`) {
			t.Fatalf("the first step answers %s", a.body)
		}
		if a := c.do("GET", "/api/v1/me", nil); a.status != 401 {
			t.Errorf("me after the first step alone: %d", a.status)
		}
		if a := c.signIn("", "", first); a.code != "denied" {
			t.Errorf("a code that was used already: %d %s", a.status, a.body)
		}
		st.Clock().Advance(time.Minute)
		if a := c.signIn("", "", now()); a.status != 200 {
			t.Errorf("the second step: %d %s", a.status, a.body)
		}
		if a := c.do("GET", "/api/v1/me", nil); a.status != 200 {
			t.Errorf("me after both: %d", a.status)
		}
		st.Clock().Advance(time.Minute)
		d := s.browser(t)
		d.signIn("jane@acme.example", password, "")
		st.Clock().Advance(6 * time.Minute)
		if a := d.signIn("", "", now()); a.code != "denied" {
			t.Errorf("a second step after six minutes: %d %s", a.status, a.body)
		}
		call[api.Account](t, s.owner, "accounts reset", api.ResetIn{AccountIn: api.AccountIn{ID: "jane@acme.example"}, Body: api.Reset{Password: password + "!"}})
		if a := c.do("GET", "/api/v1/me", nil); a.status != 401 {
			t.Errorf("a session after the account was reset: %d", a.status)
		}
		if a := s.browser(t).signIn("jane@acme.example", password+"!", ""); a.status != 200 || strings.Contains(string(a.body), `"needs_code":true`) {
			t.Errorf("after the reset: %d %s", a.status, a.body)
		}
	})
}

func TestPasswordChangeEndsOtherSessions(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		jane := s.account(t, "jane@acme.example", api.Viewer, "*")
		here, there := s.browser(t), s.browser(t)
		here.signIn("jane@acme.example", password, "")
		there.signIn("jane@acme.example", password, "")
		change := func(old, next string) answer {
			return here.do("POST", "/api/v1/me/password", api.PasswordChange{Old: old, New: next})
		}
		for _, x := range []struct{ old, next, want string }{
			{"not the old one", "another long password", "The present password is not that."},
			{password, "short", "The password is too short: it has 5 characters."},
			{password, "aaaaaaaaaaaaaaaa", "The password is one character again and again."},
			{password, "Jane@acme.example", "The password is the e-mail address."},
		} {
			if a := change(x.old, x.next); a.what != x.want {
				t.Errorf("to %q: %d %s, want %s", x.next, a.status, a.body, x.want)
			}
		}
		if a := change(password, "another long password"); a.status != 200 {
			t.Fatalf("change: %d %s", a.status, a.body)
		}
		if a := here.do("GET", "/api/v1/me", nil); a.status != 200 {
			t.Errorf("the session here: %d", a.status)
		}
		if a := there.do("GET", "/api/v1/me", nil); a.status != 401 {
			t.Errorf("the session elsewhere: %d, want it ended", a.status)
		}
		call[api.Account](t, s.owner, "accounts disable", api.AccountIn{ID: jane.ID})
		if a := here.do("GET", "/api/v1/me", nil); a.status != 401 {
			t.Errorf("a disabled account's session: %d", a.status)
		}
		if a := here.signIn("jane@acme.example", "another long password", ""); a.code != "denied" {
			t.Errorf("a disabled account signs in: %d", a.status)
		}
	})
}

func TestTokens(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		settle(t, st, globex)
		c := s.token(api.Analyst, string(acme))
		make := func(n api.TokenNew) (api.Token, error) {
			var tok api.Token
			err := c.Do(t.Context(), "tokens create", api.CreateTokenIn{Body: n}, &tok)
			return tok, err
		}
		if _, err := make(api.TokenNew{Name: "n", Role: api.Admin, On: string(acme)}); code(err) != tocsin.Denied {
			t.Errorf("a token with more than one has: %v", err)
		}
		if _, err := make(api.TokenNew{Name: "n", Role: api.Owner}); code(err) != tocsin.Denied {
			t.Errorf("a token with more than one has, everywhere: %v", err)
		}
		tok, err := make(api.TokenNew{Name: "robot", Role: api.Viewer, Days: 1})
		if err != nil || !strings.HasPrefix(tok.Secret, "tcs_") {
			t.Fatalf("%+v, %v", tok, err)
		}
		robot := &api.Client{URL: s.http.URL, Token: tok.Secret}
		see := func() error { return robot.Do(t.Context(), "overview get", in(acme), nil) }
		if err := see(); err != nil {
			t.Error(err)
		}
		if err := robot.Do(t.Context(), "findings assign", matrix["findings assign"].in(acme), nil); code(err) != tocsin.Denied {
			t.Errorf("a viewer's token of an analyst: %v, want denied", err)
		}
		if err := robot.Do(t.Context(), "overview get", in(globex), nil); code(err) != tocsin.NotFound {
			t.Errorf("a token elsewhere: %v, want not_found", err)
		}
		list := call[api.Page[api.Token]](t, c, "tokens list", api.TokensIn{})
		if len(list.Items) != 2 || list.Items[0].Secret != "" || list.Items[0].Used.IsZero() {
			t.Errorf("tokens: %+v", list.Items)
		}
		if err := c.Do(t.Context(), "tokens list", api.TokensIn{All: true}, nil); code(err) != tocsin.Denied {
			t.Errorf("everybody's tokens by an analyst: %v", err)
		}
		longer := call[api.Token](t, robot, "tokens create", api.CreateTokenIn{Body: api.TokenNew{Name: "longer", Role: api.Viewer, Days: 700}})
		if longer.Expires.After(tok.Expires) {
			t.Errorf("a token that ends %s made one that ends %s", tok.Expires, longer.Expires)
		}
		st.Clock().Advance(25 * time.Hour)
		if err := see(); code(err) != tocsin.Denied || !strings.Contains(err.Error(), "not valid, or no longer") {
			t.Errorf("after its day: %v", err)
		}
		tok, err = make(api.TokenNew{Name: "robot", Role: api.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		robot.Token = tok.Secret
		if err := s.token(api.Viewer, string(acme)).Do(t.Context(), "tokens revoke", api.TokenIn{ID: tok.ID}, nil); code(err) != tocsin.NotFound {
			t.Errorf("revoked by somebody else: %v", err)
		}
		call[api.None](t, c, "tokens revoke", api.TokenIn{ID: tok.ID})
		if err := see(); code(err) != tocsin.Denied {
			t.Errorf("after it was revoked: %v", err)
		}
	})
}

func TestSetup(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		k := keeper(t)
		svc := api.New(st, api.Options{Seal: k.Seal, Unseal: k.Open})
		s := &server{t: t, st: st, api: svc}
		s.http = newHTTP(t, svc)
		b := s.browser(t)
		link, err := svc.SetupLink(t.Context())
		if err != nil || link == "" {
			t.Fatal(link, err)
		}
		old := link
		if link, err = svc.SetupLink(t.Context()); err != nil || link == old {
			t.Fatal(link, err)
		}
		claim := func(token, password string) answer {
			return b.do("POST", "/api/v1/setup", api.Setup{Token: token, Email: "jane@acme.example", Password: password})
		}
		if a := b.do("GET", "/api/v1/setup", nil); !strings.Contains(string(a.body), `"open":true`) {
			t.Errorf("before: %s", a.body)
		}
		if a := claim(old, password); a.code != "denied" {
			t.Errorf("with the link before: %d %s", a.status, a.body)
		}
		if a := claim(link, "short"); a.code != "invalid" {
			t.Errorf("with a short password: %d %s", a.status, a.body)
		}
		if a := claim(link, password); a.status != 201 || !strings.Contains(string(a.body), `"installation":"owner"`) {
			t.Fatalf("claim: %d %s", a.status, a.body)
		}
		if a := b.do("GET", "/api/v1/accounts", nil); a.status != 200 {
			t.Errorf("the owner's session: %d %s", a.status, a.body)
		}
		if a := claim(link, password); a.code != "denied" {
			t.Errorf("again: %d %s", a.status, a.body)
		}
		if link, err := svc.SetupLink(t.Context()); err != nil || link != "" {
			t.Errorf("a link where there is an owner: %q, %v", link, err)
		}
	})
}

func TestSetupLinkEnds(t *testing.T) {
	st := storetest.SQLite(t)
	svc := api.New(st, api.Options{})
	s := &server{t: t, st: st, api: svc, http: newHTTP(t, svc)}
	link, err := svc.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st.Clock().Advance(25 * time.Hour)
	if a := s.browser(t).do("POST", "/api/v1/setup", api.Setup{Token: link, Email: "jane@acme.example", Password: password}); a.code != "denied" {
		t.Errorf("after a day: %d %s", a.status, a.body)
	}
}

func TestEnsureOwner(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		for _, bad := range []struct{ email, token string }{{"no address", ownerToken}, {"a@b.example", "short"}} {
			if err := s.api.EnsureOwner(t.Context(), bad.email, bad.token); code(err) != tocsin.Invalid {
				t.Errorf("%v: %v, want invalid", bad, err)
			}
		}
		facts := count(t, st, `select count(*) from fact`)
		if err := s.api.EnsureOwner(t.Context(), "owner@tocsin.example", ownerToken); err != nil {
			t.Fatal(err)
		}
		if n := count(t, st, `select count(*) from fact`); n != facts {
			t.Errorf("the second start with the same told %d facts", n-facts)
		}
		if err := s.api.EnsureOwner(t.Context(), "owner@tocsin.example", ownerToken+"2"); err != nil {
			t.Fatal(err)
		}
		if err := s.owner.Do(t.Context(), "me get", api.NoInput{}, nil); code(err) != tocsin.Denied {
			t.Errorf("the token of before: %v, want denied", err)
		}
		if n := count(t, st, `select count(*) from account`); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

func TestLastOwnerStays(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		owner := api.AccountIn{ID: "owner@tocsin.example"}
		for name, in := range map[string]any{
			"accounts revoke":  api.RevokeIn{AccountIn: owner, On: "*"},
			"accounts grant":   api.GrantIn{AccountIn: owner, Body: api.GrantNew{On: "*", Role: api.Viewer}},
			"accounts disable": owner,
		} {
			if err := s.owner.Do(t.Context(), name, in, nil); code(err) != tocsin.Conflict {
				t.Errorf("%s of the last owner: %v, want conflict", name, err)
			}
		}
		s.account(t, "second@tocsin.example", api.Owner, "*")
		if err := s.owner.Do(t.Context(), "accounts revoke", api.RevokeIn{AccountIn: owner, On: "*"}, nil); err != nil {
			t.Errorf("with a second owner: %v", err)
		}
		if err := s.owner.Do(t.Context(), "accounts list", api.AccountsIn{}, nil); code(err) != tocsin.Denied {
			t.Errorf("afterwards: %v, want denied", err)
		}
	})
}

// TestSuccessForgetsAttempts: who signs in has their wrong attempts forgotten, and the address has not.
func TestSuccessForgetsAttempts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		s.account(t, "jane@acme.example", api.Viewer, string(acme))
		b := s.browser(t)
		b.signIn("jane@acme.example", "wrong wrong wrong", "")
		b.signIn("other@acme.example", "wrong wrong wrong", "")
		if n := count(t, st, `select count(*) from login_attempt where key like '%jane@%'`); n != 2 {
			t.Fatalf("%d counters after a wrong attempt; want 2", n)
		}
		if in := b.signIn("jane@acme.example", password, ""); in.status != 200 {
			t.Fatalf("sign-in: %d %s", in.status, in.body)
		}
		if n := count(t, st, `select count(*) from login_attempt where key like '%jane@%'`); n != 0 {
			t.Errorf("%d counters of the account after it signed in; want none", n)
		}
		if n := count(t, st, `select count(*) from login_attempt where key like '%other@%' or key = 'address|127.0.0.1'`); n != 3 {
			t.Errorf("%d counters of the other account and the address; want 3", n)
		}
	})
}

// TestAddressesCounted looks at whom an attempt to sign in is counted against, with and without a trusted proxy.
func TestAddressesCounted(t *testing.T) {
	for _, c := range []struct {
		proxies []netip.Prefix
		header  string
		want    string
	}{
		{nil, "203.0.113.9", "127.0.0.1"},
		{[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "nonsense", "127.0.0.1"},
	} {
		st := storetest.SQLite(t)
		svc := api.New(st, api.Options{Proxies: c.proxies})
		s := &server{t: t, st: st, api: svc, http: newHTTP(t, svc)}
		b := s.browser(t)
		b.head = http.Header{"X-Forwarded-For": {c.header}}
		b.signIn("ghost@acme.example", password, "")
		if n := count(t, st, `select count(*) from login_attempt where key = $1`, "address|"+c.want); n != 1 {
			t.Errorf("X-Forwarded-For %q behind %v is not counted against %s", c.header, c.proxies, c.want)
		}
	}
}
