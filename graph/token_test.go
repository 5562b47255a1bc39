package graph

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const theSecret = "S3cr3t~value.that/must=not show"

// entra stands in for the sign-in service beside Graph: the token endpoint is answered by answer.
func entra(t *testing.T, answer http.HandlerFunc, change ...func(*Config)) (*Client, *fake) {
	t.Helper()
	h := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
			base := "https://" + r.Host + "/contoso.example"
			reply200(w, fmt.Sprintf(`{"token_endpoint":%q,"issuer":%q,"authorization_endpoint":%q}`, base+"/oauth2/v2.0/token", base+"/v2.0", base+"/oauth2/v2.0/authorize"))
		case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			answer(w, r)
		default:
			reply200(w, oneUser)
		}
	}
	credential := func(c *Config) { c.Tokens, c.Secret = nil, theSecret }
	return serve(t, h, append([]func(*Config){credential}, change...)...)
}

func issued(w http.ResponseWriter, token string, seconds int) {
	reply200(w, fmt.Sprintf(`{"token_type":"Bearer","expires_in":%d,"ext_expires_in":%d,"access_token":%q}`, seconds, seconds, token))
}

func sign(roles ...string) string {
	b, _ := json.Marshal(map[string]any{"roles": roles, "tid": "t"})
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(b) + ".c2lnbmF0dXJl"
}

func TestSignInBySecret(t *testing.T) {
	var form url.Values
	c, f := entra(t, func(w http.ResponseWriter, r *http.Request) {
		form = r.PostForm
		issued(w, sign("User.Read.All", "MailboxSettings.Read"), 3599)
	})
	for range 3 {
		if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for k, want := range map[string]string{
		"grant_type": "client_credentials", "client_id": "app", "client_secret": theSecret,
	} {
		if got := form.Get(k); got != want {
			t.Errorf("%s is %q, want %q", k, got, want)
		}
	}
	if !slices.Contains(strings.Fields(form.Get("scope")), f.URL+"/.default") {
		t.Errorf("scope is %q", form.Get("scope"))
	}
	var tokens, calls int
	for _, r := range f.requests() {
		switch {
		case strings.HasSuffix(r.URL.Path, "/token"):
			tokens++
		case strings.HasPrefix(r.URL.Path, "/v1.0/"):
			calls++
			if got := r.Header.Get("Authorization"); got != "Bearer "+sign("User.Read.All", "MailboxSettings.Read") {
				t.Errorf("called with %q", got)
			}
		}
	}
	if tokens != 1 || calls != 3 {
		t.Errorf("%d tokens for %d calls", tokens, calls)
	}
	roles, err := c.Roles(ctxFor(t))
	if err != nil || !slices.Equal(roles, []string{"User.Read.All", "MailboxSettings.Read"}) {
		t.Errorf("roles %q, %v", roles, err)
	}
}

func TestManyAskingGetOneToken(t *testing.T) {
	var n atomic.Int32
	c, _ := entra(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		time.Sleep(50 * time.Millisecond) // so that all of them come meanwhile
		issued(w, sign(), 3599)
	})
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := c.tokens.get(ctxFor(t), ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n.Load() != 1 {
		t.Errorf("%d tokens were made", n.Load())
	}
}

func TestTokensAreReplacedBeforeTheyEnd(t *testing.T) {
	var n atomic.Int32
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { reply200(w, oneUser) }, func(c *Config) {
		c.Tokens = func(context.Context, bool) (string, time.Time, error) {
			return fmt.Sprint("token-number-", n.Add(1)), time.Now().Add(time.Hour), nil
		}
	})
	first, err := c.tokens.get(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	c.tokens.mu.Lock()
	c.tokens.cur.renew = time.Now().Add(-time.Second) // as if an hour had gone, but for five minutes
	c.tokens.mu.Unlock()
	second, err := c.tokens.get(t.Context(), "")
	if err != nil || first == second {
		t.Errorf("%q, %q, %v", first, second, err)
	}
}

func TestAnOldTokenServesWhileTheSignInIsDown(t *testing.T) {
	var down atomic.Bool
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {}, func(c *Config) {
		c.Tokens = func(context.Context, bool) (string, time.Time, error) {
			if down.Load() {
				return "", time.Time{}, &Unavailable{What: "down"}
			}
			return "the-old-token", time.Now().Add(time.Minute), nil
		}
	})
	if _, err := c.tokens.get(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	c.tokens.mu.Lock()
	c.tokens.cur.renew = time.Now()
	c.tokens.mu.Unlock()
	if got, err := c.tokens.get(t.Context(), ""); err != nil || got != "the-old-token" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := c.tokens.get(t.Context(), "the-old-token"); err == nil {
		t.Error("a refused token was given again")
	}
}

func TestRefusalsOfTheSignIn(t *testing.T) {
	for code, want := range map[int]string{
		7000215: "secret is wrong", 7000222: "secret has expired", 700016: "not in this tenant", 90002: "does not exist",
		900023: "neither an id nor a domain", 700027: "certificate", 7000112: "disabled", 500011: "not known in this tenant",
		65001: "consented", 53003: "Conditional Access", 50034: "account does not exist", 7000229: "no enterprise application",
		700024: "clock", 123456789: "refuses the app's sign-in", 4242: "refuses the app's sign-in",
	} {
		var log bytes.Buffer
		var n atomic.Int32
		c, f := entra(t, func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			w.WriteHeader(401)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":"AADSTS%d: secret %s is odd. Trace ID: x","error_codes":[%d],"timestamp":"2026-01-01 00:00:00Z"}`, code, theSecret, code)
		}, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil)
		e := as[*Revoked](t, err)
		if e.Code != fmt.Sprint("AADSTS", code) || !strings.Contains(e.What, want) || e.Do == "" || !strings.HasSuffix(e.What, ".") {
			t.Errorf("%d: %+v, want it to say %q", code, e, want)
		}
		c.tokens.mu.Lock()
		if c.tokens.until.IsZero() {
			t.Errorf("%d: the refusal is not believed", code)
		}
		c.tokens.until = time.Now().Add(time.Hour) // not as long as this machine takes
		c.tokens.mu.Unlock()
		_ = c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil)
		if n.Load() != 1 {
			t.Errorf("%d: the sign-in was asked %d times within a moment", code, n.Load())
		}
		for _, r := range f.requests() {
			if strings.HasPrefix(r.URL.Path, "/v1.0/") {
				t.Errorf("%d: Graph was called without a token", code)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v %s", err, err, e, &log); strings.Contains(text, theSecret) || strings.Contains(text, url.QueryEscape(theSecret)) {
			t.Errorf("%d: the secret shows: %s", code, text)
		}
	}
}

// TestSignInDoesNotJoin: who tests a credential hears what Microsoft says now, not the refusal of a sign-in that was under
// way when it was mended; nor is that refusal believed when it comes.
func TestSignInDoesNotJoin(t *testing.T) {
	var n atomic.Int32
	asked, mended := make(chan bool), make(chan bool)
	c, _ := entra(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 1 {
			issued(w, sign(), 3599)
			return
		}
		close(asked)
		<-mended
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":"unauthorized_client","error_description":"AADSTS700016: it is not found.","error_codes":[700016]}`)
	})
	before := make(chan error, 1)
	go func() { before <- c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil) }()
	<-asked
	now := make(chan error, 1)
	go func() { now <- c.SignIn(ctxFor(t)) }()
	select {
	case err := <-now:
		if err != nil {
			t.Errorf("the test of the credential says %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the test of the credential waits for a sign-in that was under way")
	}
	close(mended)
	as[*Revoked](t, <-before)
	if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil); err != nil {
		t.Errorf("after the test: %v", err)
	}
}

// TestAnOlderTokenIsNotKept: a token that was asked for before somebody signed in anew does not take the place of the newer.
func TestAnOlderTokenIsNotKept(t *testing.T) {
	var n atomic.Int32
	asked, released := make(chan bool), make(chan bool)
	c, _ := entra(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 1 {
			issued(w, sign("new"), 3599)
			return
		}
		close(asked)
		<-released
		issued(w, sign("old"), 3599)
	})
	before := make(chan error, 1)
	go func() { before <- c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil) }()
	<-asked
	if err := c.SignIn(ctxFor(t)); err != nil {
		t.Error(err)
	}
	close(released)
	if err := <-before; err != nil {
		t.Error(err)
	}
	if is, err := c.Roles(ctxFor(t)); err != nil || !slices.Equal(is, []string{"new"}) {
		t.Errorf("the token is that of %v (%v)", is, err)
	}
}

func TestUnknownTenantIsKnownFromDiscovery(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		fmt.Fprint(w, `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant 'contoso.example' not found."}`)
	}, func(c *Config) { c.Tokens, c.Secret = nil, theSecret })
	if e := as[*Revoked](t, c.SignIn(ctxFor(t))); e.Code != "AADSTS90002" {
		t.Errorf("got %+v", e)
	}
}

func TestSignInFaultsThatPass(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{
		"503": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) },
		"transient": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"temporarily_unavailable","error_description":"AADSTS90033: a transient error"}`)
		},
		"429": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "0.01")
			w.WriteHeader(429)
		},
		"cut": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"garbage": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "<html>%s", r.PostForm.Get("client_secret"))
		},
	} {
		var n atomic.Int32
		c, _ := entra(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				bad(w, r)
				return
			}
			issued(w, sign(), 3599)
		})
		if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil); err != nil || n.Load() != 2 {
			t.Errorf("%s once: %v after %d requests", name, err, n.Load())
		}
		always, _ := entra(t, bad, func(c *Config) { c.Tries = 2; c.Limits.MaxWait = time.Second })
		err := always.SignIn(ctxFor(t))
		if _, revoked := err.(*Revoked); revoked || err == nil {
			t.Errorf("%s always: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), theSecret) {
			t.Errorf("%s: the secret shows: %v", name, err)
		}
	}
}

func TestTheSignInCannotBeReached(t *testing.T) {
	c, f := entra(t, nil)
	f.Close()
	e := as[*Unavailable](t, c.SignIn(ctxFor(t)))
	if !strings.Contains(e.What, "sign-in service cannot be reached") {
		t.Errorf("got %v", e)
	}
}

// TestUnknownAuthority: who asks sees that it was the server's certificate, for the sign-in and for Graph.
func TestUnknownAuthority(t *testing.T) {
	plain := func(c *Config) { c.HTTP = &http.Client{}; c.Tries = 1 }
	in, _ := entra(t, nil, plain)
	asked, _ := serve(t, func(http.ResponseWriter, *http.Request) {}, plain)
	for what, err := range map[string]error{"the sign-in": in.SignIn(ctxFor(t)), "Graph": asked.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil)} {
		as[*Unavailable](t, err)
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAnotherAuthoritySpeaks(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		reply200(w, `{"token_endpoint":"https://evil.example/token","issuer":"https://evil.example/x","authorization_endpoint":"https://evil.example/a"}`)
	}, func(c *Config) { c.Tokens, c.Secret = nil, theSecret })
	if e := as[*Unavailable](t, c.SignIn(ctxFor(t))); !strings.Contains(e.What, "another authority") {
		t.Errorf("got %v", e)
	}
}

// TestTheSecretStaysWithTheAuthority: discovery that names another server for tokens, though it speaks for the right authority,
// has nothing sent there.
func TestTheSecretStaysWithTheAuthority(t *testing.T) {
	var leaked atomic.Bool
	_, other := serve(t, func(w http.ResponseWriter, r *http.Request) { leaked.Store(true); issued(w, sign(), 3599) })
	for _, endpoint := range []string{other.URL + "/t/oauth2/v2.0/token", "http://HOST/t/oauth2/v2.0/token", "https://HOST@" + strings.TrimPrefix(other.URL, "https://") + "/token"} {
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			base := "https://" + r.Host + "/contoso.example"
			reply200(w, fmt.Sprintf(`{"token_endpoint":%q,"issuer":%q,"authorization_endpoint":%q}`, strings.ReplaceAll(endpoint, "HOST", r.Host), base+"/v2.0", base+"/a"))
		}, func(c *Config) { c.Tokens, c.Secret = nil, theSecret })
		if e := as[*Unavailable](t, c.SignIn(ctxFor(t))); !strings.Contains(e.What, "another server") {
			t.Errorf("%s: %v", endpoint, e)
		}
	}
	if leaked.Load() {
		t.Error("the secret was sent elsewhere")
	}
}

func TestAWrongClockIsNamed(t *testing.T) {
	c, _ := entra(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(17*time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS700024: Client assertion is not within its valid time range."}`)
	})
	e := as[*Revoked](t, c.SignIn(ctxFor(t)))
	if !strings.Contains(e.What, "behind Microsoft's") || !strings.Contains(e.Do, "NTP") || c.Skew() < 16*time.Minute {
		t.Errorf("%+v, skew %s", e, c.Skew())
	}
}

// pair makes a certificate and its key as PEM.
func pair(t *testing.T, key any, pub any, from, to time.Time) (cert, keyPEM []byte) {
	t.Helper()
	signer, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})
}

func TestSignInByCertificate(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	cert, keyPEM := pair(t, key, key.Public(), now.Add(-time.Hour), now.Add(time.Hour))
	for name, set := range map[string]func(*Config){
		"two files": func(c *Config) { c.Certificate, c.Key = cert, keyPEM },
		"one file":  func(c *Config) { c.Certificate = append(bytes.Clone(keyPEM), cert...) },
		"PKCS #1": func(c *Config) {
			c.Certificate = cert
			c.Key = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
		},
	} {
		var form url.Values
		c, _ := entra(t, func(w http.ResponseWriter, r *http.Request) { form = r.PostForm; issued(w, sign(), 3599) },
			func(c *Config) { c.Secret = ""; set(c) })
		if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if form.Get("client_secret") != "" || strings.Count(form.Get("client_assertion"), ".") != 2 {
			t.Errorf("%s: the form is %v", name, form)
		}
		if c.CertificateExpires().IsZero() {
			t.Errorf("%s: no expiry", name)
		}
	}
}

func TestCertificatesThatCannotServe(t *testing.T) {
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good, goodKey := pair(t, key, key.Public(), now.Add(-time.Hour), now.Add(time.Hour))
	_, otherKey := pair(t, other, other.Public(), now, now)
	ecCert, ecKey := pair(t, curve, curve.Public(), now.Add(-time.Hour), now.Add(time.Hour))
	old, _ := pair(t, key, key.Public(), now.Add(-2*time.Hour), now.Add(-time.Hour))
	young, _ := pair(t, key, key.Public(), now.Add(time.Hour), now.Add(2*time.Hour))
	locked := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	for _, tc := range []struct {
		name, code string
		cert, key  []byte
	}{
		{"expired", "certificate_expired", old, goodKey},
		{"not yet valid", "certificate_not_yet_valid", young, goodKey},
		{"another's key", "certificate_mismatch", good, otherKey},
		{"no key", "certificate_unreadable", good, nil},
		{"locked key", "certificate_unreadable", good, locked},
		{"not RSA", "certificate_unreadable", ecCert, ecKey},
		{"no certificate", "certificate_unreadable", goodKey, nil},
		{"garbage", "certificate_unreadable", []byte("hello"), goodKey},
		{"bad DER", "certificate_unreadable", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), goodKey},
	} {
		var sent atomic.Int32
		f := func(c *Config) { c.Tokens, c.Certificate, c.Key = nil, tc.cert, tc.key }
		cfg := Config{Tenant: "t", Client: "c", HTTP: &http.Client{Transport: count{&sent}}}
		f(&cfg)
		c, err := New(cfg)
		if err == nil {
			err = c.SignIn(ctxFor(t))
		}
		if e := as[*Revoked](t, err); e.Code != tc.code || e.Do == "" {
			t.Errorf("%s: %+v, want %s", tc.name, e, tc.code)
		}
		if sent.Load() != 0 {
			t.Errorf("%s: something was sent", tc.name)
		}
		if strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// count is a transport that goes nowhere.
type count struct{ n *atomic.Int32 }

func (c count) RoundTrip(*http.Request) (*http.Response, error) {
	c.n.Add(1)
	return nil, fmt.Errorf("no network in this test")
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no credential": {Tenant: "t", Client: "c"},
		"no tenant":     {Client: "c", Secret: "s"},
		"odd tenant":    {Tenant: "t/../x", Client: "c", Secret: "s"},
		"plain http":    {Cloud: Cloud{Authority: "https://login.example", Graph: "http://graph.example"}, Tenant: "t", Client: "c", Secret: "s"},
		"plain login":   {Cloud: Cloud{Authority: "http://login.example", Graph: "https://graph.example"}, Tenant: "t", Client: "c", Secret: "s"},
		"no address":    {Cloud: Cloud{Authority: "https://login.example", Graph: "graph"}, Tenant: "t", Client: "c", Secret: "s"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(Config{Cloud: USGov, Tenant: "t", Client: "c", Secret: "s"}); err != nil {
		t.Error(err)
	}
}
