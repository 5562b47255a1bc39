package sim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Account is somebody who can sign in on the simulator's pages.
type Account struct {
	Key    string // the value of the button
	Name   string
	UPN    string
	Role   string // directory role, empty for none
	Tenant string
	ID     string // object id
}

// consents says whether who has the role may consent to application permissions of Microsoft Graph for the tenant.
// https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent
func (a Account) consents() bool {
	return a.Role == "Global Administrator" || a.Role == "Privileged Role Administrator"
}

// Accounts are those who can sign in: administrators of several kinds, somebody without a role, and an administrator of
// another organisation, and the service account of a team inbox, which is a member of mailboxes (see [Sim.Share]) and has none itself.
func (s *Sim) Accounts() []Account {
	ids := seed(mix(uint64(s.cfg.Seed) + 77))
	elsewhere := ids.guid(askApp, 20)
	at := func(name string) string { return name + "@" + s.world.domain }
	return []Account{
		{"global", "Gloria Global", at("gloria.global"), "Global Administrator", s.cfg.Tenant, ids.guid(askApp, 21)},
		{"privileged", "Prisca Role", at("prisca.role"), "Privileged Role Administrator", s.cfg.Tenant, ids.guid(askApp, 22)},
		{"application", "Apollo App", at("apollo.app"), "Application Administrator", s.cfg.Tenant, ids.guid(askApp, 23)},
		{"user", "Uma User", at("uma.user"), "", s.cfg.Tenant, ids.guid(askApp, 24)},
		{"elsewhere", "Elsa Where", "elsa@elsewhere.example", "Global Administrator", elsewhere, ids.guid(askApp, 25)},
		{"service", "Inbox Service", at("inbox.service"), "", s.cfg.Tenant, ids.guid(askApp, 26)},
	}
}

// account is that of a key, or of a user principal name; people of the directory have one as well.
func (s *Sim) account(key string) (Account, bool) {
	all := s.Accounts()
	i := slices.IndexFunc(all, func(a Account) bool { return a.Key == key || strings.EqualFold(a.UPN, key) })
	if i >= 0 {
		return all[i], true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.world.find(key)
	if p == nil || p.kind == guest {
		return Account{}, false
	}
	return Account{Key: p.upn(), Name: p.display, UPN: p.upn(), Tenant: s.cfg.Tenant, ID: p.id}, true
}

// signedIn is what a code stands for.
type signedIn struct {
	account             Account
	app                 string // client id
	redirect, challenge string
	nonce, scope        string
	made                time.Time
	used                bool
}

// codes are the authorization codes that were given out.
type codes struct {
	mu  sync.Mutex
	all map[string]*signedIn
}

// Redirects sets the addresses that the application has registered to come back to. While there are none, any https
// address will do, and any on this machine.
func (s *Sim) Redirects(addresses ...string) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.app.redirects = slices.Clone(addresses)
}

// Request sets the application permissions that the registration asks for: those on the consent page.
func (s *Sim) Request(roles ...string) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.app.requests = slices.Clone(roles)
}

// returns says where to send back to; what Entra does not send back, it shows as a page of its own.
func (s *Sim) returns(r *http.Request) (*url.URL, *aadError) {
	q := r.URL.Query()
	a := s.appBy(q.Get("client_id"))
	a.mu.Lock()
	defer a.mu.Unlock()
	if !strings.EqualFold(q.Get("client_id"), a.id) {
		return nil, s.unknownApp(q.Get("client_id"))
	}
	given := q.Get("redirect_uri")
	to, err := url.Parse(given)
	if err != nil || to.Host == "" {
		return nil, aad(http.StatusBadRequest, 90102, "invalid_request", "'redirect_uri' value must be a valid absolute URI.")
	}
	ok := slices.Contains(a.redirects, given)
	if len(a.redirects) == 0 {
		ok = to.Scheme == "https" || to.Scheme == "http" && here(to.Hostname())
	}
	if !ok {
		return nil, aad(http.StatusBadRequest, 50011, "invalid_request", "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal.", given, a.id)
	}
	return to, nil
}

func here(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// back sends the browser back with these query values.
func back(w http.ResponseWriter, r *http.Request, to *url.URL, pairs ...string) {
	q := to.Query()
	q.Set("state", r.URL.Query().Get("state"))
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// inTenant says whether the account can be used at an address that names tenant.
func (s *Sim) inTenant(a Account, tenant string) *aadError {
	if tenant == "common" || tenant == "organizations" || strings.EqualFold(a.Tenant, tenant) || a.Tenant == s.cfg.Tenant && s.ours(tenant) {
		return nil
	}
	return aad(http.StatusBadRequest, 50020, "interaction_required", "User account '%s' from identity provider 'live.com' does not exist in tenant '%s' and cannot access the application '%s' in that tenant. The account needs to be added as an external user in the tenant first.", a.UPN, tenant, s.app.name)
}

// tenanted says whether there is such a tenant to sign in to: ours, or any that somebody can be from.
func (s *Sim) tenanted(tenant string) bool {
	return tenant == "common" || tenant == "organizations" || s.ours(tenant) ||
		slices.ContainsFunc(s.Accounts(), func(a Account) bool { return strings.EqualFold(a.Tenant, tenant) })
}

// authorize is the sign-in page: GET shows the accounts, POST chooses one.
func (s *Sim) authorize(w http.ResponseWriter, r *http.Request, tenant string) {
	to, e := s.returns(r)
	if e == nil && !s.tenanted(tenant) {
		e = s.unknownTenant(tenant)
	}
	if e != nil {
		s.errorPage(w, e)
		return
	}
	q := r.URL.Query()
	app := s.appBy(q.Get("client_id"))
	scopes, known := scopesOf(q.Get("scope"))
	switch {
	case !known:
		back(w, r, to, "error", "invalid_client", "error_description", "AADSTS650053: The application '"+app.name+"' asked for a scope that doesn't exist on the resource '"+graphID+"'. Contact the app vendor.")
		return
	case q.Get("response_type") != "code":
		back(w, r, to, "error", "unsupported_response_type", "error_description", "AADSTS70005: The requested response_type is not supported: only 'code' is.")
		return
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		back(w, r, to, "error", "invalid_request", "error_description", "AADSTS900144: The request must contain the scope 'openid'.")
		return
	case q.Get("code_challenge") != "" && q.Get("code_challenge_method") != "S256":
		back(w, r, to, "error", "invalid_request", "error_description", "AADSTS501491: Invalid code_challenge_method: only S256 is supported.")
		return
	}
	if r.Method != http.MethodPost {
		s.page(w, http.StatusOK, signInPage, map[string]any{"Accounts": s.Accounts(), "App": app.name})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if r.FormValue("cancel") != "" {
		back(w, r, to, "error", "access_denied", "error_subcode", "cancel", "error_description", "AADSTS65004: User declined to consent to access the app.")
		return
	}
	a, ok := s.account(r.FormValue("account"))
	if !ok {
		s.errorPage(w, aad(http.StatusBadRequest, 50034, "invalid_request", "The user account does not exist in the directory."))
		return
	}
	if e := s.inTenant(a, tenant); e != nil {
		s.errorPage(w, e)
		return
	}
	if e := s.maySignIn(a, true, false); e != nil {
		s.errorPage(w, e)
		return
	}
	if delegates(scopes) && len(lacking(scopes, s.consentedScopes(app, a.ID))) > 0 {
		s.page(w, http.StatusOK, approvalPage, map[string]any{"Name": a.Name, "UPN": a.UPN, "App": app.name})
		return
	}
	code := "0.A" + secretText()
	s.codes.mu.Lock()
	if s.codes.all == nil {
		s.codes.all = map[string]*signedIn{}
	}
	s.codes.all[code] = &signedIn{account: a, app: app.id, redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), nonce: q.Get("nonce"), scope: q.Get("scope"), made: time.Now()}
	s.codes.mu.Unlock()
	back(w, r, to, "code", code, "session_state", randomGUID())
}

func secretText() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// idClaims are those of an id token.
type idClaims struct {
	jwt.RegisteredClaims
	Name     string `json:"name"`
	Nonce    string `json:"nonce,omitempty"`
	ObjectID string `json:"oid"`
	UPN      string `json:"preferred_username"`
	Tenant   string `json:"tid"`
	Version  string `json:"ver"`
	Scope    string `json:"scp,omitempty"`
}

// redeem gives the tokens that a code stands for, once.
func (s *Sim) redeem(w http.ResponseWriter, r *http.Request, tenant string, now time.Time) {
	f := r.PostForm
	a := s.appBy(f.Get("client_id"))
	a.mu.Lock()
	var e *aadError
	switch {
	case !strings.EqualFold(f.Get("client_id"), a.id):
		e = s.unknownApp(f.Get("client_id"))
	case f.Get("code") == "":
		e = aad(http.StatusBadRequest, 900144, "invalid_request", "The request body must contain the following parameter: 'code'.")
	default:
		e = s.prove(a, r, tenant, now)
	}
	a.mu.Unlock()
	var in signedIn
	if e == nil {
		in, e = s.spend(f)
	}
	if e == nil && !strings.EqualFold(in.app, a.id) {
		e = aad(http.StatusBadRequest, 9002313, "invalid_grant", "Invalid request. Request is malformed or invalid.")
	}
	if e == nil {
		e = s.inTenant(in.account, tenant)
	}
	if scopes, _ := scopesOf(in.scope); e == nil && delegates(scopes) {
		if e = s.answerTokens(w, r, session{account: in.account, app: a.id, scopes: scopes, began: s.clock.Now(), strong: true}, in, now); e == nil {
			return
		}
	}
	var id, access string
	if e == nil {
		id, e = s.person(r, a, in, now, "")
	}
	if e == nil {
		access, e = s.person(r, a, in, now, "openid profile")
	}
	if e != nil {
		s.refuseLogin(w, r, e)
		return
	}
	answer := map[string]any{"token_type": "Bearer", "scope": "openid profile", "expires_in": 3599, "ext_expires_in": 3599,
		"access_token": access, "id_token": id, "client_info": clientInfo(in.account)}
	if slices.Contains(strings.Fields(in.scope), "offline_access") {
		answer["refresh_token"] = "1.A" + secretText()
	}
	writeJSON(w, http.StatusOK, answer)
}

// clientInfo is whose tokens they are, as MSAL reads it.
func clientInfo(a Account) string {
	info, _ := json.Marshal(map[string]string{"uid": a.ID, "utid": a.Tenant}) // texts
	return base64.RawURLEncoding.EncodeToString(info)
}

// spend takes a code that is there, not used, not old, and fits what is said with it.
func (s *Sim) spend(f url.Values) (signedIn, *aadError) {
	s.codes.mu.Lock()
	defer s.codes.mu.Unlock()
	in := s.codes.all[f.Get("code")]
	proof := sha256.Sum256([]byte(f.Get("code_verifier")))
	switch {
	case in == nil:
		return signedIn{}, aad(http.StatusBadRequest, 9002313, "invalid_grant", "Invalid request. Request is malformed or invalid.")
	case in.used:
		return signedIn{}, aad(http.StatusBadRequest, 54005, "invalid_grant", "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	case time.Since(in.made) > 10*time.Minute:
		return signedIn{}, aad(http.StatusBadRequest, 70008, "invalid_grant", "The provided authorization code or refresh token has expired due to inactivity.")
	case in.redirect != f.Get("redirect_uri"):
		return signedIn{}, aad(http.StatusBadRequest, 50011, "invalid_client", "The redirect URI '%s' specified in the request does not match the one the code was given for.", f.Get("redirect_uri"))
	case in.challenge != "" && f.Get("code_verifier") == "":
		return signedIn{}, aad(http.StatusBadRequest, 501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request: it is missing.")
	case in.challenge != "" && in.challenge != base64.RawURLEncoding.EncodeToString(proof[:]):
		return signedIn{}, aad(http.StatusBadRequest, 501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	}
	in.used = true
	return *in, nil
}

// person signs a token about who signed in: an id token, or with a scope an access token that opens nothing in Graph.
func (s *Sim) person(r *http.Request, a *app, in signedIn, now time.Time, scope string) (string, *aadError) {
	to := a.id
	if scope != "" {
		to = graphID
	}
	c := &idClaims{RegisteredClaims: jwt.RegisteredClaims{Issuer: scheme(r) + "://" + r.Host + "/" + in.account.Tenant + "/v2.0", Subject: in.account.ID,
		Audience: jwt.ClaimStrings{to}, IssuedAt: jwt.NewNumericDate(now.Add(-5 * time.Minute)), NotBefore: jwt.NewNumericDate(now.Add(-5 * time.Minute)),
		ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour))},
		Name: in.account.Name, ObjectID: in.account.ID, UPN: in.account.UPN, Tenant: in.account.Tenant, Version: "2.0", Scope: scope}
	if scope == "" {
		c.Nonce = in.nonce
	}
	return s.signed(c)
}

// adminConsent is the page on which an administrator consents: to all that the application asks for, or, which Entra does
// not offer and a registration with fewer permissions comes to, to some of it.
func (s *Sim) adminConsent(w http.ResponseWriter, r *http.Request, tenant string) {
	to, e := s.returns(r)
	if e == nil && !s.tenanted(tenant) {
		e = s.unknownTenant(tenant)
	}
	if e != nil {
		s.errorPage(w, e)
		return
	}
	app := s.appBy(r.URL.Query().Get("client_id"))
	app.mu.Lock()
	asks, scopes := slices.Clone(app.requests), slices.Clone(app.asksScopes)
	app.mu.Unlock()
	if r.Method != http.MethodPost {
		s.page(w, http.StatusOK, consentPage, map[string]any{"Accounts": s.Accounts(), "App": app.name, "Asks": slices.Concat(asks, scopes), "Organisation": s.world.name})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if r.FormValue("cancel") != "" {
		back(w, r, to, "error", "access_denied", "error_subcode", "cancel", "error_description", "AADSTS65004: User declined to consent to access the app.", "admin_consent", "True", "tenant", s.cfg.Tenant)
		return
	}
	if r.FormValue("return") != "" {
		back(w, r, to, "error", "access_denied", "error_description", "AADSTS90094: The grant requires admin permission. Ask an administrator to consent.")
		return
	}
	a, ok := s.account(r.FormValue("account"))
	if !ok {
		s.errorPage(w, aad(http.StatusBadRequest, 50034, "invalid_request", "The user account does not exist in the directory."))
		return
	}
	if e := s.inTenant(a, tenant); e != nil {
		s.errorPage(w, e)
		return
	}
	if !a.consents() && (len(asks) > 0 || a.Role != "Application Administrator") { // who may consent to delegated permissions alone
		s.page(w, http.StatusOK, approvalPage, map[string]any{"Name": a.Name, "UPN": a.UPN, "App": app.name})
		return
	}
	if a.Tenant == s.cfg.Tenant {
		s.consentTo(app, asks, r.Form["permission"])
		if len(scopes) > 0 {
			if err := s.ConsentScopes(app.id, slices.DeleteFunc(scopes, func(name string) bool { return !slices.Contains(r.Form["permission"], name) })...); err != nil {
				s.errorPage(w, aad(http.StatusInternalServerError, 90033, "temporarily_unavailable", "A transient error has occurred. Please try again."))
				return
			}
		}
	}
	back(w, r, to, "tenant", a.Tenant, "admin_consent", "True")
}

// consentTo grants what was left ticked, beside what was granted and is not asked for any more; the service principal is
// there from now on.
func (s *Sim) consentTo(a *app, asks, ticked []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	roles := slices.DeleteFunc(slices.Clone(a.roles), func(r string) bool { return slices.Contains(asks, r) })
	for _, r := range asks {
		if slices.Contains(ticked, r) {
			roles = append(roles, r)
		}
	}
	a.roles, a.removed = roles, false
	a.consented = s.clock.Now().Truncate(time.Second)
}

// errorPage is how Entra tells a person what it does not send back to the application.
func (s *Sim) errorPage(w http.ResponseWriter, e *aadError) {
	s.page(w, e.status, failedPage, map[string]any{"Text": e.Error()})
}

func (s *Sim) page(w http.ResponseWriter, status int, t *template.Template, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := t.Execute(w, data); err != nil {
		fmt.Fprintln(w, "the page could not be made")
	}
}

const pageHead = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated sign-in</title><link rel="icon" href="data:,"><style>body{font:15px/1.5 system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem;color:#222}
button{font:inherit;padding:.4rem .9rem;margin:.2rem 0;width:100%;text-align:left}label{display:block;padding:.1rem 0}.row button{width:auto}small{color:#555}</style>
<p><small>Simulated Microsoft Entra ID</small></p>`

var (
	signInPage = template.Must(template.New("sign-in").Parse(pageHead + `<h1>Pick an account</h1><p>to continue to {{.App}}</p><form method="post">
{{range .Accounts}}<button name="account" value="{{.Key}}">{{.Name}} <small>{{.UPN}}{{with .Role}}, {{.}}{{end}}</small></button>
{{end}}<p class="row"><button name="cancel" value="yes">Cancel</button></p></form>`))
	consentPage = template.Must(template.New("consent").Parse(pageHead + `<h1>Permissions requested</h1><p>{{.App}} asks for these in {{.Organisation}}:</p><form method="post">
{{range .Asks}}<label><input type="checkbox" name="permission" value="{{.}}" checked> {{.}}</label>
{{end}}<p>Answer as</p>{{range $i, $a := .Accounts}}<label><input type="radio" name="account" value="{{$a.Key}}"{{if eq $i 0}} checked{{end}}> {{$a.Name}} <small>{{with $a.Role}}{{.}}{{else}}no role{{end}}</small></label>
{{end}}<p class="row"><button name="cancel" value="yes">Cancel</button> <button name="accept" value="yes">Accept</button></p></form>`))
	approvalPage = template.Must(template.New("approval").Parse(pageHead + `<h1>Need admin approval</h1><p>{{.App}} needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it.</p>
<p><small>{{.Name}}, {{.UPN}} · AADSTS90094</small></p><form method="post"><p class="row"><button name="return" value="yes">Return to the application without granting consent</button></p></form>`))
	failedPage = template.Must(template.New("failed").Parse(pageHead + `<h1>Sorry, but we're having trouble signing you in.</h1><p>{{.Text}}</p>`))
)
