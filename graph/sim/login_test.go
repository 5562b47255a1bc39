package sim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tocsin.dev/graph/permission"
)

const scope = "https://graph.microsoft.com/.default"

func secretForm(s *Sim) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {s.ClientID()}, "client_secret": {s.Secret()}, "scope": {scope}}
}

func errorCode(body map[string]any) int {
	list, _ := body["error_codes"].([]any)
	if len(list) == 0 {
		return 0
	}
	return int(list[0].(float64))
}

func TestSignInRefusals(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	set := func(k, v string) func(url.Values) { return func(f url.Values) { f.Set(k, v) } }
	for name, c := range map[string]struct {
		change func(url.Values)
		tenant string
		code   int
		kind   string
		status int
	}{
		"unknown app":      {set("client_id", "6731de76-14a6-49ae-97bc-6eba6914391e"), "", 700016, "unauthorized_client", 400},
		"wrong secret":     {set("client_secret", "x"), "", 7000215, "invalid_client", 401},
		"no secret":        {set("client_secret", ""), "", 7000218, "invalid_client", 401},
		"unknown tenant":   {func(url.Values) {}, "11111111-1111-1111-1111-111111111111", 90002, "invalid_request", 400},
		"foreign scope":    {set("scope", "https://vault.azure.net/.default"), "", 70011, "invalid_scope", 400},
		"no .default":      {set("scope", "User.Read"), "", 1002012, "invalid_scope", 400},
		"no scope":         {set("scope", ""), "", 900144, "invalid_request", 400},
		"other grant":      {set("grant_type", "password"), "", 70003, "unsupported_grant_type", 400},
		"broken assertion": {set("client_assertion", "x.y.z"), "", 900144, "invalid_request", 400},
	} {
		form := secretForm(p.s)
		c.change(form)
		tenant := c.tenant
		if tenant == "" {
			tenant = p.s.Tenant()
		}
		status, body := p.tokenFor(form, tenant)
		if status != c.status || errorCode(body) != c.code || body["error"] != c.kind {
			t.Errorf("%s: %d %v", name, status, body)
		}
		for _, field := range []string{"error_description", "timestamp", "trace_id", "correlation_id", "error_uri"} {
			if text, _ := body[field].(string); text == "" {
				t.Errorf("%s has no %s", name, field)
			}
		}
	}
	if status, _ := p.tokenFor(secretForm(p.s), p.s.Domain()); status != 200 {
		t.Errorf("a tenant named by its domain: %d", status)
	}
	p.s.Disable(true)
	if _, body := p.tokenFor(secretForm(p.s), p.s.Tenant()); errorCode(body) != 7000112 {
		t.Errorf("disabled: %v", body)
	}
	p.call("GET", "users", nil, 401)
	p.s.Disable(false)
	p.s.Remove(true)
	if _, body := p.tokenFor(secretForm(p.s), p.s.Tenant()); errorCode(body) != 700016 {
		t.Errorf("removed: %v", body)
	}
	p.s.Remove(false)
	p.s.ReplaceSecret("new", time.Now().Add(-time.Minute))
	if _, body := p.tokenFor(secretForm(p.s), p.s.Tenant()); errorCode(body) != 7000222 {
		t.Errorf("expired secret: %v", body)
	}
}

// assertion makes the JWT that MSAL sends.
func assertion(t *testing.T, certificate string, alg jwt.SigningMethod, change func(header map[string]any, claims jwt.MapClaims), id, aud string) string {
	t.Helper()
	block, rest := pem.Decode([]byte(certificate))
	key, _ := pem.Decode(rest)
	parsed, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	h256, h1 := sha256.Sum256(block.Bytes), sha1.Sum(block.Bytes)
	c := jwt.MapClaims{"aud": aud, "iss": id, "sub": id, "jti": randomGUID(), "nbf": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix()}
	tok := jwt.NewWithClaims(alg, c)
	tok.Header["x5t#S256"] = base64.StdEncoding.EncodeToString(h256[:])
	if alg == jwt.SigningMethodRS256 {
		delete(tok.Header, "x5t#S256")
		tok.Header["x5t"] = base64.RawURLEncoding.EncodeToString(h1[:])
	}
	if change != nil {
		change(tok.Header, c)
	}
	text, err := tok.SignedString(parsed.(*rsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSignInByCertificate(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	own, err := p.s.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := NewCertificate("stranger", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	old, err := NewCertificate("old", time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.s.Register([]byte(old)); err != nil {
		t.Fatal(err)
	}
	aud := Address + "/" + p.s.Tenant() + "/oauth2/v2.0/token"
	claim := func(k string, v any) func(map[string]any, jwt.MapClaims) {
		return func(_ map[string]any, c jwt.MapClaims) { c[k] = v }
	}
	ownBlock, _ := pem.Decode([]byte(own))
	ownPrint := sha256.Sum256(ownBlock.Bytes)
	forge := func(h map[string]any, _ jwt.MapClaims) {
		h["x5t#S256"] = base64.StdEncoding.EncodeToString(ownPrint[:])
	}
	for name, c := range map[string]struct {
		cert   string
		alg    jwt.SigningMethod
		change func(map[string]any, jwt.MapClaims)
		aud    string
		code   int
	}{
		"PS256":            {own, jwt.SigningMethodPS256, nil, aud, 0},
		"RS256":            {own, jwt.SigningMethodRS256, nil, aud, 0},
		"stranger":         {stranger, jwt.SigningMethodPS256, nil, aud, 700027},
		"forged":           {stranger, jwt.SigningMethodPS256, forge, aud, 700027},
		"expired":          {old, jwt.SigningMethodPS256, nil, aud, 700027},
		"wrong audience":   {own, jwt.SigningMethodPS256, nil, "https://login.example/token", 700023},
		"late":             {own, jwt.SigningMethodPS256, claim("exp", time.Now().Add(-10*time.Minute).Unix()), aud, 700024},
		"early":            {own, jwt.SigningMethodPS256, claim("nbf", time.Now().Add(10*time.Minute).Unix()), aud, 700024},
		"no jti":           {own, jwt.SigningMethodPS256, claim("jti", ""), aud, 50027},
		"another's issuer": {own, jwt.SigningMethodPS256, claim("iss", "x"), aud, 700021},
	} {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {p.s.ClientID()}, "scope": {scope},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {assertion(t, c.cert, c.alg, c.change, p.s.ClientID(), c.aud)}}
		status, body := p.tokenFor(form, p.s.Tenant())
		if errorCode(body) != c.code || (status == 200) != (c.code == 0) {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	if err := p.s.Fault(Fault{Kind: Clock, Delay: Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {p.s.ClientID()}, "scope": {scope},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion(t, own, jwt.SigningMethodPS256, nil, p.s.ClientID(), aud)}}
	if _, body := p.tokenFor(form, p.s.Tenant()); errorCode(body) != 700024 {
		t.Errorf("a clock that is an hour wrong: %v", body)
	}
}

func TestTokensAreCheckedOnEveryCall(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	good := p.token
	key, err := p.s.keys.newest()
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(key *rsa.PrivateKey, change func(*claims)) string {
		c := &claims{RegisteredClaims: jwt.RegisteredClaims{Audience: jwt.ClaimStrings{audience}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))},
			Tenant: p.s.Tenant(), Roles: ReadTier}
		change(c)
		tok := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
		mine, _ := p.s.keys.newest()
		tok.Header["kid"] = keyID(&mine.PublicKey)
		text, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, token := range map[string]string{
		"none":      "",
		"garbage":   "x",
		"signature": sign(other, func(*claims) {}),
		"tampered":  good[:len(good)-4] + "AAAA",
		"expired":   sign(key, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }),
		"audience":  sign(key, func(c *claims) { c.Audience = jwt.ClaimStrings{"https://vault.azure.net"} }),
		"tenant":    sign(key, func(c *claims) { c.Tenant = "other" }),
	} {
		p.token = token
		if got := code(p.call("GET", "users", nil, 401)); got != "InvalidAuthenticationToken" {
			t.Errorf("%s: %s", name, got)
		}
	}
	p.token = sign(key, func(c *claims) { c.Roles = nil })
	if got := code(p.call("GET", "users", nil, 403)); got != "Authorization_RequestDenied" {
		t.Errorf("no role: %s", got)
	}
	if got := code(p.call("GET", "users/"+p.s.world.person(3).id+"/mailboxSettings", nil, 403)); got != "ErrorAccessDenied" {
		t.Errorf("no role for Outlook: %s", got)
	}
	p.token = good
	p.s.Consent("Mail.Read")
	p.get("users") // a token keeps the roles it was made with
	p.login()
	p.call("GET", "users", nil, 403)
	p.s.Consent(ReadTier...)
	p.login()
	assigned := values(p.get("servicePrincipals(appId='" + p.s.ClientID() + "')/appRoleAssignments"))
	var names []string
	for _, a := range assigned {
		for _, r := range permission.All {
			if r.ID == a["appRoleId"] {
				names = append(names, r.Name)
			}
		}
	}
	if !slices.Equal(names, ReadTier) {
		t.Errorf("assigned are %v", names)
	}
	if err := p.s.keys.rotate(true); err != nil {
		t.Fatal(err)
	}
	p.s.tokens.Clear()
	p.call("GET", "users", nil, 401)
}

func TestSignInMetadata(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	for _, tenant := range []string{p.s.Tenant(), "common", p.s.Domain()} {
		body := p.signIn("/" + tenant + "/v2.0/.well-known/openid-configuration")
		if !strings.HasSuffix(body["token_endpoint"].(string), "/"+tenant+"/oauth2/v2.0/token") {
			t.Errorf("%s: %v", tenant, body)
		}
	}
	keys := p.signIn("/common/discovery/v2.0/keys")["keys"].([]any)
	if len(keys) != 1 || keys[0].(map[string]any)["kty"] != "RSA" {
		t.Errorf("keys: %v", keys)
	}
	found := p.signIn("/common/discovery/instance?api-version=1.1&authorization_endpoint=" + url.QueryEscape(Address+"/"+p.s.Tenant()+"/oauth2/v2.0/authorize"))
	if found["tenant_discovery_endpoint"] != Address+"/"+p.s.Tenant()+"/v2.0/.well-known/openid-configuration" {
		t.Errorf("discovery: %v", found)
	}
}

func (p *probe) signIn(path string) map[string]any {
	p.t.Helper()
	resp, err := p.s.Client().Get(Address + path)
	if err != nil {
		p.t.Fatal(err)
	}
	return decode(p.t, resp)
}
