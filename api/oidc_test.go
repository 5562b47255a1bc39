package api_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tocsin.dev/api"
	"tocsin.dev/dial"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// idp is an identity provider, whose answers a test can spoil.
type idp struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims jwt.MapClaims // of the next token, with nonce filled in
	asked  url.Values    // the last authorize request
	signer *rsa.PrivateKey
	status int // of the token endpoint; 0: 200
	codes  map[string]bool
	says   map[string]string // what it says of itself in place of the truth
}

// guard knows the provider's certificate and lets nothing of the inside through.
func (p *idp) guard() *dial.Guard {
	return &dial.Guard{Roots: p.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{key: key, signer: key, codes: map[string]bool{}}
	write := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	m := http.NewServeMux()
	m.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		own := map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}}
		for k, v := range p.says {
			own[k] = v
		}
		write(w, own)
	})
	m.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())}}})
	})
	m.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if p.status != 0 || p.codes[r.Form.Get("code")] || base64.RawURLEncoding.EncodeToString(sum[:]) != p.asked.Get("code_challenge") {
			w.WriteHeader(max(p.status, 400))
			write(w, map[string]any{"error": "invalid_grant"})
			return
		}
		p.codes[r.Form.Get("code")] = true
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, p.claims)
		token.Header["kid"] = "k"
		signed, err := token.SignedString(p.signer)
		if err != nil {
			t.Error(err)
		}
		write(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": signed, "expires_in": 3600})
	})
	p.Server = httptest.NewTLSServer(m)
	t.Cleanup(p.Close)
	return p
}

// TestOIDC: who the provider vouches for is signed in, by an account that is there, once a begun sign-in, in the browser
// that began it; everything forged or mixed up is refused.
func TestOIDC(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		p := newIDP(t)
		s := serveWith(t, st, func(o *api.Options) {
			o.OIDC = &api.OIDC{Issuer: p.URL, Client: "tocsin", Secret: "s", Name: "Entra", Redirect: "https://tocsin.example/sign-in/oidc", Guard: p.guard()}
		})
		settle(t, st, acme)
		s.account(t, "jane@acme.example", api.Analyst, string(acme))
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		begin := func(b *browser) {
			t.Helper()
			a := b.do("POST", "/api/v1/session/oidc", map[string]any{"back": "/t/x"})
			var out api.Redirection
			if err := json.Unmarshal(a.body, &out); err != nil || a.status != 200 {
				t.Fatalf("begin: %d %s", a.status, a.body)
			}
			u, err := url.Parse(out.Next)
			if err != nil || !strings.HasPrefix(out.Next, p.URL+"/authorize?") {
				t.Fatalf("it leads to %s", out.Next)
			}
			p.asked = u.Query()
			if p.asked.Get("code_challenge_method") != "S256" || p.asked.Get("nonce") == "" || p.asked.Get("redirect_uri") != "https://tocsin.example/sign-in/oidc" {
				t.Fatalf("it asks for %v", p.asked)
			}
			p.claims = jwt.MapClaims{"iss": p.URL, "aud": "tocsin", "sub": "42", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
				"nonce": p.asked.Get("nonce"), "email": "Jane@Acme.example", "email_verified": true}
			p.signer, p.status = p.key, 0
		}
		finish := func(b *browser, code string) answer {
			t.Helper()
			return b.do("POST", "/api/v1/session/oidc/finish", map[string]any{"state": p.asked.Get("state"), "code": code})
		}
		in := func(b *browser) bool { return b.do("GET", "/api/v1/me", nil).status == 200 }

		// What is refused, and what the account still is afterwards: nobody's.
		for what, spoil := range map[string]func(){
			"another's key":          func() { p.signer = other },
			"another audience":       func() { p.claims["aud"] = "somebody-else" },
			"another issuer":         func() { p.claims["iss"] = "https://evil.example" },
			"an old token":           func() { p.claims["exp"] = time.Now().Add(-time.Hour).Unix() },
			"another nonce":          func() { p.claims["nonce"] = "another" },
			"no nonce":               func() { delete(p.claims, "nonce") },
			"an unverified address":  func() { p.claims["email_verified"] = false },
			"no word on the address": func() { delete(p.claims, "email_verified") },
			"a stranger":             func() { p.claims["email"] = "eve@evil.example" },
			"no address":             func() { delete(p.claims, "email") },
			"a refusal":              func() { p.status = 400 },
			"a broken provider":      func() { p.status = 500 },
			"another state":          func() { p.asked.Set("state", "another") },
			"no state":               func() { p.asked.Set("state", "") },
		} {
			b := s.browser(t)
			begin(b)
			spoil()
			if a := finish(b, what); a.status == 200 || a.what == "" || in(b) {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
			if a := finish(b, what+" again"); a.status == 200 || in(b) {
				t.Errorf("%s, again: %d %s", what, a.status, a.body)
			}
		}
		// Another browser cannot end what one began.
		first, second := s.browser(t), s.browser(t)
		begin(first)
		if a := finish(second, "fixed"); a.status == 200 || in(second) {
			t.Errorf("another browser: %d %s", a.status, a.body)
		}
		a := finish(first, "good")
		var out api.SignedInBy
		if err := json.Unmarshal(a.body, &out); err != nil || a.status != 200 || out.Back != "/t/x" || !in(first) {
			t.Fatalf("signed in: %d %s", a.status, a.body)
		}
		if a := finish(first, "good"); a.status == 200 {
			t.Errorf("the code again: %d %s", a.status, a.body)
		}
		// Bound from now on: by the id, whatever the address says; and nobody else by the same address.
		renamed := s.browser(t)
		begin(renamed)
		p.claims["email"], p.claims["email_verified"] = "jane.new@acme.example", false
		if a := finish(renamed, "renamed"); a.status != 200 || !in(renamed) {
			t.Errorf("renamed at the provider: %d %s", a.status, a.body)
		}
		double := s.browser(t)
		begin(double)
		p.claims["sub"] = "43"
		if a := finish(double, "double"); a.status == 200 || in(double) {
			t.Errorf("another subject with the same address: %d %s", a.status, a.body)
		}
		// Shut out here is shut out, whatever the provider says.
		call[api.Account](t, s.owner, "accounts disable", api.AccountIn{ID: "jane@acme.example"})
		if in(first) {
			t.Error("a disabled account is still signed in")
		}
		shut := s.browser(t)
		begin(shut)
		if a := finish(shut, "shut"); a.status != 403 || in(shut) {
			t.Errorf("a disabled account: %d %s", a.status, a.body)
		}
	})
}

// TestOIDCNamesTheInside: where the provider's own word says that its tokens or keys are to be had in the server's network, by
// a redirect or in the clear, nothing goes there, and nobody is signed in.
func TestOIDCNamesTheInside(t *testing.T) {
	var hits atomic.Int64
	count := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"keys":[]}`)
	})
	inner, plain := httptest.NewTLSServer(count), httptest.NewServer(count)
	t.Cleanup(inner.Close)
	t.Cleanup(plain.Close)
	for what, says := range map[string]map[string]string{
		"tokens in the network":           {"token_endpoint": inner.URL + "/token"},
		"keys in the network":             {"jwks_uri": inner.URL + "/keys"},
		"tokens in the clear":             {"token_endpoint": plain.URL + "/token"},
		"keys in the clear":               {"jwks_uri": plain.URL + "/keys"},
		"keys at the metadata service":    {"jwks_uri": "https://169.254.169.254/latest"},
		"keys at an IPv4 address in IPv6": {"jwks_uri": strings.Replace(inner.URL, "127.0.0.1", "[::ffff:7f00:1]", 1)},
		"tokens behind a redirect":        {"token_endpoint": "/away"},
		"keys behind a redirect":          {"jwks_uri": "/away"},
		"keys without end":                {"jwks_uri": "/endless"},
	} {
		p := newIDP(t)
		m := p.Config.Handler
		p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/away":
				http.Redirect(w, r, inner.URL, http.StatusTemporaryRedirect)
			case "/endless":
				w.Write(append([]byte(`{"keys":[`), bytes.Repeat([]byte(" "), 2<<20)...))
			default:
				m.ServeHTTP(w, r)
			}
		})
		p.says = map[string]string{}
		for k, v := range says {
			if strings.HasPrefix(v, "/") {
				v = p.URL + v
			}
			p.says[k] = v
		}
		guard := p.guard()
		guard.Roots.AddCert(inner.Certificate())
		s := serveWith(t, storetest.SQLite(t), func(o *api.Options) {
			o.OIDC = &api.OIDC{Issuer: p.URL, Client: "tocsin", Secret: "s", Redirect: "https://tocsin.example/sign-in/oidc", Guard: guard}
		})
		settle(t, s.st, acme)
		s.account(t, "jane@acme.example", api.Analyst, string(acme))
		b := s.browser(t)
		a := b.do("POST", "/api/v1/session/oidc", map[string]any{})
		var out api.Redirection
		if err := json.Unmarshal(a.body, &out); err != nil || a.status != 200 {
			t.Fatalf("%s: begin: %d %s", what, a.status, a.body)
		}
		u, err := url.Parse(out.Next)
		if err != nil {
			t.Fatal(err)
		}
		p.asked = u.Query()
		p.claims = jwt.MapClaims{"iss": p.URL, "aud": "tocsin", "sub": "42", "exp": time.Now().Add(time.Hour).Unix(), "nonce": p.asked.Get("nonce"), "email": "jane@acme.example", "email_verified": true}
		a = b.do("POST", "/api/v1/session/oidc/finish", map[string]any{"state": p.asked.Get("state"), "code": "c"})
		if a.status != 403 || !strings.Contains(a.what, "could not be used") {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests came where none may", hits.Load())
	}
}
