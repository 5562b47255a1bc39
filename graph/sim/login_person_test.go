package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// answered is what a page of the sign-in answered to a form: where it leads to, or its text.
func (p *probe) answered(path string, query, form url.Values) (*url.URL, string) {
	p.t.Helper()
	c := p.s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.PostForm(Address+path+"?"+query.Encode(), form)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	to, err := res.Location()
	if err != nil {
		return nil, string(text)
	}
	return to, ""
}

const backTo = "https://here.example/back?x=1"

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (p *probe) asked() url.Values {
	return url.Values{"client_id": {p.s.ClientID()}, "response_type": {"code"}, "redirect_uri": {backTo}, "scope": {"openid profile"}, "state": {"s1"}, "nonce": {"n1"},
		"code_challenge": {challenge("v1")}, "code_challenge_method": {"S256"}}
}

// TestPersonSignsIn: a code is for one redeeming, with the verifier and the address it was asked with.
func TestPersonSignsIn(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	const at = "/organizations/oauth2/v2.0/authorize"
	code := func() string {
		to, text := p.answered(at, p.asked(), url.Values{"account": {"global"}})
		if to == nil || to.Query().Get("state") != "s1" || to.Query().Get("x") != "1" || to.Query().Get("code") == "" {
			t.Fatalf("led to %v, %s", to, text)
		}
		return to.Query().Get("code")
	}
	form := func(code string) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "client_id": {p.s.ClientID()}, "client_secret": {p.s.Secret()}, "code": {code}, "redirect_uri": {backTo}, "code_verifier": {"v1"}}
	}
	one := code()
	status, body := p.tokenFor(form(one), "organizations")
	if status != 200 || body["id_token"] == nil || body["refresh_token"] != nil {
		t.Fatalf("%d %v", status, body)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", Address+"/v1.0/users", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+body["access_token"].(string))
	res, err := p.s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a person's token opens the directory: %d", res.StatusCode)
	}
	for name, c := range map[string]struct {
		change func(url.Values)
		code   int
	}{
		"again":            {func(f url.Values) { f.Set("code", one) }, 54005},
		"another verifier": {func(f url.Values) { f.Set("code_verifier", "v2") }, 501481},
		"no verifier":      {func(f url.Values) { f.Del("code_verifier") }, 501481},
		"another address":  {func(f url.Values) { f.Set("redirect_uri", "https://here.example/") }, 50011},
		"an invented code": {func(f url.Values) { f.Set("code", "0.Ax") }, 9002313},
		"no code":          {func(f url.Values) { f.Del("code") }, 900144},
		"the wrong secret": {func(f url.Values) { f.Set("client_secret", "x") }, 7000215},
		"another client":   {func(f url.Values) { f.Set("client_id", "6731de76-14a6-49ae-97bc-6eba6914391e") }, 700016},
	} {
		f := form(code())
		c.change(f)
		if _, body := p.tokenFor(f, "organizations"); errorCode(body) != c.code {
			t.Errorf("%s: %v, want AADSTS%d", name, body, c.code)
		}
	}
	for name, c := range map[string]struct {
		change func(url.Values)
		form   url.Values
		error  string // of the redirect
		text   string // of the page
	}{
		"left":                    {func(url.Values) {}, url.Values{"cancel": {"yes"}}, "access_denied", ""},
		"a token is asked for":    {func(q url.Values) { q.Set("response_type", "token") }, nil, "unsupported_response_type", ""},
		"plain PKCE":              {func(q url.Values) { q.Set("code_challenge_method", "plain") }, nil, "invalid_request", ""},
		"no openid":               {func(q url.Values) { q.Set("scope", "profile") }, nil, "invalid_request", ""},
		"another application":     {func(q url.Values) { q.Set("client_id", "x") }, nil, "", "AADSTS700016"},
		"an address that is none": {func(q url.Values) { q.Set("redirect_uri", "back") }, nil, "", "AADSTS90102"},
		"in the clear":            {func(q url.Values) { q.Set("redirect_uri", "http://here.example/") }, nil, "", "AADSTS50011"},
		"nobody":                  {func(url.Values) {}, url.Values{"account": {"x"}}, "", "AADSTS50034"},
	} {
		q := p.asked()
		c.change(q)
		to, text := p.answered(at, q, c.form)
		if c.error != "" && (to == nil || to.Query().Get("error") != c.error) || c.text != "" && (to != nil || !strings.Contains(text, c.text)) {
			t.Errorf("%s: led to %v, %s", name, to, text)
		}
	}
	if _, text := p.answered("/"+p.s.Tenant()+"/oauth2/v2.0/authorize", p.asked(), url.Values{"account": {"elsewhere"}}); !strings.Contains(text, "AADSTS50020") {
		t.Errorf("somebody of another organisation: %s", text)
	}
	p.s.Redirects("https://only.example/here")
	if to, text := p.answered(at, p.asked(), url.Values{"account": {"global"}}); to != nil || !strings.Contains(text, "AADSTS50011") {
		t.Errorf("an address that is not registered: %v, %s", to, text)
	}
}

// TestAdministratorConsents: who may grants what is ticked, and the service principal is there; who may not is told so.
func TestAdministratorConsents(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	p.s.Request("User.Read.All", "MailboxSettings.Read")
	p.s.Consent("Mail.Read") // granted before, and no longer asked for
	p.s.Remove(true)
	at := "/" + p.s.Tenant() + "/v2.0/adminconsent"
	q := url.Values{"client_id": {p.s.ClientID()}, "redirect_uri": {backTo}, "state": {"s1"}, "scope": {scope}}
	for _, account := range []string{"application", "user"} {
		if to, text := p.answered(at, q, url.Values{"account": {account}, "permission": {"User.Read.All"}}); to != nil || !strings.Contains(text, "Need admin approval") {
			t.Errorf("%s: %v, %s", account, to, text)
		}
	}
	for field, want := range map[string]string{"cancel": "AADSTS65004", "return": "AADSTS90094"} {
		to, _ := p.answered(at, q, url.Values{field: {"yes"}})
		if to == nil || to.Query().Get("error") != "access_denied" || !strings.Contains(to.Query().Get("error_description"), want) {
			t.Errorf("%s: %v", field, to)
		}
	}
	if status, _ := p.tokenFor(secretForm(p.s), p.s.Tenant()); status == 200 {
		t.Error("a token before anybody has consented")
	}
	to, text := p.answered(at, q, url.Values{"account": {"privileged"}, "permission": {"User.Read.All", "Directory.ReadWrite.All"}})
	if to == nil || to.Query().Get("tenant") != p.s.Tenant() || to.Query().Get("admin_consent") != "True" || to.Query().Get("state") != "s1" {
		t.Fatalf("consented: %v, %s", to, text)
	}
	if got := p.s.app.granted(); !slices.Equal(got, []string{"Mail.Read", "User.Read.All"}) {
		t.Errorf("granted %v", got)
	}
	if status, body := p.tokenFor(secretForm(p.s), p.s.Tenant()); status != 200 {
		t.Errorf("a token after the consent: %d %v", status, body)
	}
	if to, text := p.answered("/6731de76-14a6-49ae-97bc-6eba6914391e/v2.0/adminconsent", q, url.Values{"account": {"global"}}); to != nil || !strings.Contains(text, "AADSTS90002") {
		t.Errorf("a tenant that is not there: %v, %s", to, text)
	}
}
