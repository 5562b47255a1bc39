package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// house is a server with the simulator's app entered, and people who sign in to it from browsers.
type house struct {
	*testing.T
	s    *Server
	w    *sim.Sim
	http *httptest.Server
	log  *logged
}

// logged is a log that is written to and read by several.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to it.
func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const (
	guestPassword = "correct horse battery staple 7"
	publicURL     = "https://tocsin.example"
)

func newHouse(t *testing.T, address string, way ...func(*http.Client)) *house {
	t.Helper()
	h := &house{T: t, w: world(t, 20), log: &logged{}}
	c := settings(t)
	c.Database, c.URL = address, publicURL
	c.Owner.Email, c.Owner.Token = "owner@tocsin.example", "tcs_owner-token-of-the-tests-0123456789"
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	hc := h.w.Client()
	for _, by := range way {
		by(hc)
	}
	var err error
	if h.s, err = New(t.Context(), c, Options{HTTP: hc, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.s.Close)
	h.http = httptest.NewTLSServer(h.s.Handler())
	t.Cleanup(h.http.Close)
	in := own(h.w)
	if _, err := h.s.Connections.SetRegistration(t.Context(), "owner@tocsin.example", connect.NewRegistration{Tier: connect.Read, Client: in.Client, Secret: in.Secret, Own: in.Own}); err != nil {
		t.Fatal(err)
	}
	h.w.Redirects(publicURL + api.CallbackPath)
	return h
}

// visitor is somebody's browser. It follows no redirect, so that each can be looked at.
type visitor struct {
	*house
	c *http.Client
}

// visit opens a browser of somebody with a role, "" for a stranger, in a tenant or all (*).
func (h *house) visit(role api.Role, on string) *visitor {
	h.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.Fatal(err)
	}
	c := *h.http.Client()
	c.Jar, c.CheckRedirect = jar, func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &visitor{h, &c}
	if role == "" {
		return v
	}
	email := tocsin.NewID() + "@guest.example"
	owner := api.WithCaller(h.Context(), api.Caller{Account: "test", Email: "owner@tocsin.example", By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	if _, err := h.s.API.CreateAccount(owner, api.CreateAccountIn{Body: api.AccountNew{Email: email, Name: "Guest", Password: guestPassword, Role: role, On: on}}); err != nil {
		h.Fatal(err)
	}
	v.signIn(email)
	return v
}

func (v *visitor) signIn(email string) {
	v.Helper()
	if res, body := v.send("POST", "/sign-in", url.Values{"email": {email}, "password": {guestPassword}}, nil); res.StatusCode != http.StatusSeeOther {
		v.Fatalf("signed in: %d %s", res.StatusCode, body)
	}
}

// send asks the server, under the name that it has for browsers unless another is given.
func (v *visitor) send(method, path string, form url.Values, header http.Header) (*http.Response, string) {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), method, v.http.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, vs := range header {
		r.Header[k] = vs
		if k == "Host" {
			for _, c := range v.c.Jar.Cookies(r.URL) { // which the client keeps from another host
				r.AddCookie(c)
			}
			r.Host = vs[0]
		}
	}
	res, err := v.c.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.Fatal(err)
	}
	return res, string(body)
}

// begin begins a consent, and gives the address at Microsoft.
func (v *visitor) begin() string {
	v.Helper()
	res, body := v.send("POST", "/connect/consent", url.Values{"tier": {"read"}}, nil)
	_, to, ok := strings.Cut(res.Header.Get("Refresh"), "url=")
	if !ok || !strings.HasPrefix(to, sim.Address+"/organizations/oauth2/v2.0/authorize?") {
		v.Fatalf("begun: %d %s %s", res.StatusCode, res.Header, body)
	}
	return to
}

// atMicrosoft answers a page there, and gives the path that the browser is sent back to here.
func (v *visitor) atMicrosoft(address string, form url.Values) string {
	v.Helper()
	c := v.w.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.PostForm(address, form)
	if err != nil {
		v.Fatal(err)
	}
	defer res.Body.Close()
	path, ok := strings.CutPrefix(res.Header.Get("Location"), publicURL)
	if !ok {
		v.Fatalf("sent to %q", res.Header.Get("Location"))
	}
	return path
}

// arrive comes back from Microsoft, and gives where it is sent on to.
func (v *visitor) arrive(path string) string {
	v.Helper()
	res, body := v.send("GET", path, nil, nil)
	if res.StatusCode != http.StatusSeeOther {
		v.Fatalf("back: %d %s", res.StatusCode, body)
	}
	return res.Header.Get("Location")
}

// nothing holds that no tenant is connected.
func (h *house) nothing(why string) {
	h.Helper()
	if all, err := h.s.Connections.List(h.Context()); err != nil || len(all) > 0 {
		h.Errorf("%s: connected %+v (%v)", why, all, err)
	}
}

var tickedAll = url.Values{"account": {"global"}, "permission": sim.ReadTier}

// TestConsentInBrowsers: a consent is finished by the browser that began it, comes back to our own address only, and leads to
// nowhere else; neither codes nor secrets stand in the log.
func TestConsentInBrowsers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		h := newHouse(t, address)
		jo, eve := h.visit(api.Admin, api.Everywhere), h.visit(api.Admin, api.Everywhere)
		global := url.Values{"account": {"global"}}

		// Session fixation: what Eve began is finished by Jo's browser, and the other way round.
		hers := eve.atMicrosoft(eve.begin(), global)
		if to := jo.arrive(hers); !strings.HasPrefix(to, "/connect?way=oauth") {
			t.Errorf("another's state leads to %s", to)
		}
		his := jo.atMicrosoft(jo.begin(), global)
		if to := eve.arrive(his); !strings.HasPrefix(to, "/connect?way=oauth") {
			t.Errorf("another's answer leads to %s", to)
		}
		// Another session of the same person.
		if res, _ := jo.send("POST", "/sign-out", nil, nil); res.StatusCode != http.StatusSeeOther {
			t.Errorf("signed out: %d", res.StatusCode)
		}
		if to := jo.arrive(his); !strings.HasPrefix(to, "/sign-in?back=") {
			t.Errorf("a stranger who comes back is led to %s", to)
		}
		jo = h.visit(api.Admin, api.Everywhere)
		if to := jo.arrive(his); !strings.HasPrefix(to, "/connect?way=oauth") {
			t.Errorf("another session's answer leads to %s", to)
		}

		// Where it leads: nowhere but to us and to the authority, whatever the address says.
		for _, path := range []string{"?next=https://evil.example", "?state=x&redirect_uri=https://evil.example", "?error=access_denied&error_uri=https://evil.example&state=//evil.example", "?state=%0d%0aLocation:%20https://evil.example"} {
			if to := jo.arrive(api.CallbackPath + path); !strings.HasPrefix(to, "/connect?") {
				t.Errorf("%s leads to %s", path, to)
			}
		}
		res, body := jo.send("POST", "/connect/consent", url.Values{"tier": {"read"}}, http.Header{"Host": {"evil.example"}})
		if _, to, _ := strings.Cut(res.Header.Get("Refresh"), "url="); strings.Contains(to, "evil") || !strings.Contains(to, url.QueryEscape(publicURL+api.CallbackPath)) {
			t.Errorf("a forged Host has Microsoft send people to %s: %d %s", to, res.StatusCode, body)
		}
		res, body = jo.send("POST", "/connect/consent", url.Values{"tier": {"read"}}, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
		if res.StatusCode < 400 || res.Header.Get("Refresh") != "" {
			t.Errorf("begun from another site: %d %s", res.StatusCode, body)
		}
		h.nothing("before anybody has consented")

		// The way it goes.
		code := jo.atMicrosoft(jo.begin(), global)
		next := jo.arrive(code)
		if !strings.HasPrefix(next, sim.Address+"/"+h.w.Tenant()+"/v2.0/adminconsent?") {
			t.Fatalf("after the sign-in: %s", next)
		}
		granted := jo.atMicrosoft(next, tickedAll)
		mixed := strings.Replace(granted, "tenant="+h.w.Tenant(), "tenant=6731de76-14a6-49ae-97bc-6eba6914391e", 1)
		if to := jo.arrive(mixed); !strings.HasPrefix(to, "/connect?") {
			t.Errorf("a redirect that names another tenant leads to %s", to)
		}
		h.nothing("a redirect that names another tenant")
		if to := jo.arrive(granted); !strings.HasPrefix(to, "/connect?") {
			t.Errorf("the same state once more leads to %s", to)
		}
		granted = jo.atMicrosoft(jo.arrive(jo.atMicrosoft(jo.begin(), global)), tickedAll)
		if to := jo.arrive(granted); !strings.HasSuffix(to, "/tested") {
			t.Errorf("connected, and led to %s", to)
		}
		if all, err := h.s.Connections.List(t.Context()); err != nil || len(all) != 1 || string(all[0].Tenant) != h.w.Tenant() {
			t.Errorf("connected: %+v, %v", all, err)
		}
		u, err := url.Parse(code)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{u.Query().Get("code"), u.Query().Get("state"), h.w.Secret(), "eyJ"} {
			if secret == "" || strings.Contains(h.log.String(), secret) {
				t.Errorf("%.12s… stands in the log", secret)
			}
		}
	})
}

// ending is a way to Graph on which the tokens that were used can be made to end.
type ending struct {
	next  http.RoundTripper
	mu    sync.Mutex
	ended map[string]bool
}

// now ends the tokens that were used.
func (e *ending) now() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for token := range e.ended {
		e.ended[token] = true
	}
}

// RoundTrip refuses tokens that have ended.
func (e *ending) RoundTrip(r *http.Request) (*http.Response, error) {
	if token := r.Header.Get("Authorization"); token != "" {
		e.mu.Lock()
		ended := e.ended[token]
		if e.ended == nil {
			e.ended = map[string]bool{}
		}
		e.ended[token] = ended
		e.mu.Unlock()
		if ended {
			return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
				Body: io.NopCloser(strings.NewReader(`{"error":{"code":"InvalidAuthenticationToken","message":"Lifetime validation failed, the token is expired."}}`))}, nil
		}
	}
	return e.next.RoundTrip(r)
}

// TestRegistrationReplaced: a tenant that consented to the installation's app is read with the credential that was entered last, from
// when it is entered on, and stays connected when the one before it ends.
func TestRegistrationReplaced(t *testing.T) {
	t.Parallel()
	ends := &ending{}
	h := newHouse(t, storetest.SQLiteAddress(t), func(c *http.Client) { ends.next, c.Transport = c.Transport, ends })
	h.s.Config.Every.Directory = time.Second
	jo := h.visit(api.Admin, api.Everywhere)
	global := url.Values{"account": {"global"}}
	if to := jo.arrive(jo.atMicrosoft(jo.arrive(jo.atMicrosoft(jo.begin(), global)), tickedAll)); !strings.HasSuffix(to, "/tested") {
		t.Fatalf("connected, and led to %s", to)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	all, err := h.s.Connections.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("connected: %v, %v", all, err)
	}
	b := &subject{T: t, s: h.s, w: h.w, conn: all[0]}
	b.reads(time.Time{}, "users")

	const next = "another~secret~0123456789"
	h.w.AddSecret(next, time.Time{})
	in := own(h.w)
	if _, err := h.s.Connections.SetRegistration(t.Context(), "owner@tocsin.example", connect.NewRegistration{Tier: connect.Read, Client: in.Client, Secret: next, Own: in.Own}); err != nil {
		t.Fatal(err)
	}
	h.w.ReplaceSecret(next, time.Time{})
	ends.now()
	b.reads(h.s.Clock.Now(), "users")
	eventually(t, "the connection", func() string {
		if c := b.connection(); c.State != "on" {
			return fmt.Sprintf("is %s: %s", c.State, c.Because)
		}
		return ""
	})
}

// TestConsentByWhom: who administers a tenant may connect that one anew and no other; others begin nothing, nor does a token.
func TestConsentByWhom(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		h := newHouse(t, address)
		const other = "6731de76-14a6-49ae-97bc-6eba6914391e"
		for _, role := range []api.Role{api.Viewer, api.Analyst, api.Agent} {
			v := h.visit(role, api.Everywhere)
			for _, path := range []string{"/connect", "/settings/registrations"} {
				if res, _ := v.send("GET", path, nil, nil); res.StatusCode != http.StatusForbidden {
					t.Errorf("%s by %s: %d", path, role, res.StatusCode)
				}
			}
			if res, _ := v.send("POST", "/connect/consent", nil, nil); res.Header.Get("Refresh") != "" || res.StatusCode < 400 {
				t.Errorf("begun by %s: %d", role, res.StatusCode)
			}
			form := url.Values{"tier": {"read"}, "client_id": {other}, "method": {"secret"}, "client_secret": {"x"}}
			if res, _ := v.send("POST", "/settings/registrations", form, nil); res.StatusCode != http.StatusForbidden {
				t.Errorf("a registration by %s: %d", role, res.StatusCode)
			}
		}
		global := url.Values{"account": {"global"}}
		for _, id := range []string{other, h.w.Tenant()} { // both are known here, and not connected
			if err := h.s.Store.UpdateTenant(t.Context(), tocsin.TenantID(id), func(tn *store.Tenant) error {
				_, err := tn.Exec(t.Context(), `insert into tenant (tenant, name, created) values ($1, 'known', 1)`)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		there := h.visit(api.Admin, other)
		if to := there.arrive(there.atMicrosoft(there.begin(), global)); !strings.HasPrefix(to, "/connect?") {
			t.Errorf("an admin of another tenant is led to %s", to)
		}
		if res, _ := there.send("POST", "/settings/registrations", url.Values{"tier": {"read"}, "do": {"delete"}}, nil); res.StatusCode != http.StatusSeeOther {
			t.Errorf("forgetting by an admin of a tenant: %d", res.StatusCode)
		}
		if all, err := h.s.Connections.Registrations(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("an admin of one tenant has forgotten the installation's registration: %v, %v", all, err)
		}
		h.nothing("those who may not")
		here := h.visit(api.Admin, h.w.Tenant())
		if to := here.arrive(here.atMicrosoft(here.arrive(here.atMicrosoft(here.begin(), global)), tickedAll)); !strings.HasSuffix(to, "/tested") {
			t.Errorf("an admin of the tenant is led to %s", to)
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", h.http.URL+"/api/v1/consents", strings.NewReader(`{"tier":"read"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer tcs_owner-token-of-the-tests-0123456789")
		r.Header.Set("Content-Type", "application/json")
		res, err := h.http.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusForbidden || !strings.Contains(string(text), "begun in a browser's session") {
			t.Errorf("a token: %d %s", res.StatusCode, text)
		}
	})
}

// TestOwnNetworks: the server's own loopback is called for a cloud of one's own only where nobody else reaches the server, or
// where it is allowed.
func TestOwnNetworks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen, url, allow string
		loopback, private  bool
	}{
		{"127.0.0.1:8420", "", "", true, false},
		{"localhost:8420", "", "", true, false},
		{"[::1]:8420", "", "", true, false},
		{"127.0.0.1:8420", "https://tocsin.example", "", false, false},
		{":8420", "", "", false, false},
		{"0.0.0.0:8420", "", "", false, false},
		{":8420", "", "127.0.0.0/8", true, false},
		{"127.0.0.1:8420", "", "10.0.0.0/8", false, true},
		{"127.0.0.1:8420", "", "none", false, false},
	} {
		var conf Config
		conf.Listen, conf.URL, conf.Cloud.Allow = c.listen, c.url, c.allow
		s := &connect.Connections{Allow: conf.ownNetworks()}
		for host, want := range map[string]bool{"127.0.0.1": c.loopback, "10.0.0.1": c.private, "169.254.169.254": false} {
			err := s.Reachable(context.Background(), "https://"+host+":1")
			if (err == nil) != want {
				t.Errorf("listen %q, url %q, allow %q: %s is called: %v", c.listen, c.url, c.allow, host, fmt.Sprint(err))
			}
		}
	}
}
