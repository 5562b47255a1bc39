package graph

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// authority stands for the sign-in service: it has a key, and answers every code with the token that it was given.
type authority struct {
	key   *rsa.PrivateKey
	token string
	c     *Client
}

const (
	someTenant = "1b2c3d4e-0000-4000-8000-1234567890ab"
	someApp    = "6731de76-14a6-49ae-97bc-6eba6914391e"
)

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	var err error
	if a.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any = map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "kid": "k1", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(a.key.N.Bytes())}}}
		if strings.HasSuffix(r.URL.Path, "/token") {
			answer = map[string]any{"id_token": a.token}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	a.c, err = New(Config{Cloud: Cloud{Authority: s.URL, Graph: s.URL}, Tenant: AnyOrganization, Client: someApp, Secret: "s", HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// good are the claims of a token that proves something.
func (a *authority) good() jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{"iss": a.c.cfg.Cloud.Authority + "/" + someTenant + "/v2.0", "aud": someApp, "sub": "x", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"nonce": "n1", "tid": someTenant, "oid": "o1", "name": "Ada", "preferred_username": "ada@contoso.com", "ver": "2.0"}
}

func (a *authority) sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.Claims, kid string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestForgedIDTokens: a token that anything is wrong with proves nothing.
func TestForgedIDTokens(t *testing.T) {
	a := newAuthority(t)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, v any) jwt.MapClaims {
		c := a.good()
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
		return c
	}
	rs := func(c jwt.Claims) string { return a.sign(t, jwt.SigningMethodRS256, a.key, c, "k1") }
	public := new(big.Int).Set(a.key.N).Bytes()
	redeem := func(token string) (Person, error) {
		a.token = token
		return a.c.Redeem(t.Context(), "code", SignInProof{Nonce: "n1", Redirect: "https://tocsin.example/connect/callback", Verifier: "v"})
	}
	who, err := redeem(rs(a.good()))
	if err != nil || who != (Person{Tenant: someTenant, ID: "o1", Name: "Ada", UPN: "ada@contoso.com"}) {
		t.Fatalf("a good token: %+v, %v", who, err)
	}
	for name, token := range map[string]string{
		"nothing":                     "",
		"garbage":                     "a.b.c",
		"not signed":                  a.sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, a.good(), "k1"),
		"signed with the public key":  a.sign(t, jwt.SigningMethodHS256, public, a.good(), "k1"),
		"signed by another":           a.sign(t, jwt.SigningMethodRS256, foreign, a.good(), "k1"),
		"no key named":                a.sign(t, jwt.SigningMethodRS256, a.key, a.good(), ""),
		"another key named":           a.sign(t, jwt.SigningMethodRS256, a.key, a.good(), "k2"),
		"for another app":             rs(with("aud", "another")),
		"for nobody":                  rs(with("aud", nil)),
		"issued by another tenant":    rs(with("iss", a.c.cfg.Cloud.Authority+"/"+someApp+"/v2.0")),
		"issued by another authority": rs(with("iss", "https://evil.example/"+someTenant+"/v2.0")),
		"issued by nobody":            rs(with("iss", nil)),
		"of another tenant":           rs(with("tid", someApp)),
		"of no tenant":                rs(with("tid", nil)),
		"of a tenant that is a path":  rs(with("tid", someTenant+"/../x")),
		"of nobody":                   rs(with("oid", nil)),
		"of version 1":                rs(with("ver", "1.0")),
		"expired":                     rs(with("exp", time.Now().Add(-time.Hour).Unix())),
		"without an end":              rs(with("exp", nil)),
		"not yet":                     rs(with("nbf", time.Now().Add(time.Hour).Unix())),
		"from the future":             rs(with("iat", time.Now().Add(time.Hour).Unix())),
		"another nonce":               rs(with("nonce", "n2")),
		"no nonce":                    rs(with("nonce", nil)),
	} {
		who, err := redeem(token)
		e, ok := errors.AsType[*Revoked](err)
		if !ok || who != (Person{}) || e.What == "" || e.Do == "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	personal := with("tid", consumers)
	personal["iss"] = a.c.cfg.Cloud.Authority + "/" + consumers + "/v2.0"
	if _, err := redeem(rs(personal)); err == nil || !strings.Contains(err.Error(), "personal Microsoft account") {
		t.Errorf("a personal account: %v", err)
	}
	a.token = rs(with("nonce", ""))
	if _, err := a.c.Redeem(t.Context(), "code", SignInProof{}); err == nil {
		t.Error("an empty nonce was taken for an answer to none")
	}
	a.c.cfg.Tenant = "6731de76-14a6-49ae-97bc-6eba6914391f"
	if _, err := redeem(rs(a.good())); err == nil || !strings.Contains(err.Error(), "another tenant than was signed in to") {
		t.Errorf("signed in to another tenant: %v", err)
	}
}

// FuzzIDToken: whatever comes as a token, nothing is proven by it, and nothing breaks.
func FuzzIDToken(f *testing.F) {
	a := newAuthority(f)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.sign(f, jwt.SigningMethodRS256, foreign, a.good(), "k1"))
	f.Add(a.sign(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, a.good(), "k1"))
	f.Add("..")
	f.Add("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.")
	a.c.http = &http.Client{Transport: &keyServer{keys: map[string]*rsa.PrivateKey{"k1": a.key}}} // what a server besides runs is no path of ours
	f.Fuzz(func(t *testing.T, token string) {
		if who, err := a.c.verifyPerson(context.Background(), token, "n1"); err == nil {
			t.Errorf("%q proves %+v", token, who)
		}
	})
}

// FuzzRedirectRefusal: whatever an address says of an error, the sentence is ours.
func FuzzRedirectRefusal(f *testing.F) {
	f.Add("access_denied", "AADSTS65004: User declined")
	f.Add("", "AADSTS99999999999999999999")
	f.Add("<script>", "<b>")
	f.Fuzz(func(t *testing.T, kind, description string) {
		e := RedirectRefusal(kind, description)
		if e.What == "" || e.Do == "" || len(e.What) > 400 {
			t.Errorf("%q, %q: %+v", kind, description, e)
		}
	})
}

func TestRedirectRefusals(t *testing.T) {
	for _, c := range []struct{ kind, description, want string }{
		{"access_denied", "AADSTS65004: User declined to consent to access the app.", "AADSTS65004"},
		{"access_denied", "", "AADSTS65004"},
		{"access_denied", "AADSTS90094: The grant requires admin permission.", "AADSTS90094"},
		{"unauthorized_client", "AADSTS700016: Application with identifier 'x' was not found", "AADSTS700016"},
		{"invalid_client", "AADSTS50011: The redirect URI", "AADSTS50011"},
		{"invalid_request", "AADSTS50194: Application is not configured as a multi-tenant application.", "AADSTS50194"},
		{"consent_required", "", "AADSTS65001"},
		{"server_error", "", "server_error"},
		{"something_new", "AADSTS1234567: New.", "AADSTS1234567"},
	} {
		if got := RedirectRefusal(c.kind, c.description); got.Code != c.want || got.What == "" || got.Do == "" {
			t.Errorf("%s, %s: %+v", c.kind, c.description, got)
		}
	}
}
