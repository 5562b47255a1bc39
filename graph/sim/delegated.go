package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Somebody who signs in lets an application act in their name: within the scopes that the tenant consented to, and never beyond what
// they may do themselves. https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow

// graphScopes are the delegated permissions that the simulator knows.
var graphScopes = []string{"User.Read", "Mail.ReadBasic", "Mail.Read", "Mail.ReadWrite", "Mail.Send", "Mail.Read.Shared", "Mail.ReadWrite.Shared", "Mail.Send.Shared", "offline_access"}

// refreshLife is for how long a refresh token is good that nobody uses.
// https://learn.microsoft.com/entra/identity-platform/refresh-tokens
const refreshLife = 90 * 24 * time.Hour

// session is a sign-in that a refresh token goes on with.
type session struct {
	account Account
	app     string // client id
	scopes  []string
	issued  time.Time // of the token, by the simulator's clock
	began   time.Time // when the account signed in
	strong  bool      // with a second factor
}

// standing is what has become of an account.
type standing struct {
	disabled bool
	password time.Time // when it was changed
	revoked  time.Time // when its sessions were
	blocked  int       // AADSTS code of what Conditional Access or an assignment has against it; 0: nothing
}

// sessions are the refresh tokens that were given out, and the accounts' standing by object id.
type sessions struct {
	mu       sync.Mutex
	refresh  map[string]session
	standing map[string]standing
}

// scopesOf are the scopes that a request names, without the resource's address before them, and whether all of them are Graph's.
func scopesOf(text string) (scopes []string, known bool) {
	known = true
	for _, p := range strings.Fields(text) {
		name := p[strings.LastIndexByte(p, '/')+1:]
		if slices.Contains(reserved, name) && name != "offline_access" {
			continue
		}
		if name == ".default" {
			scopes = append(scopes, name)
			continue
		}
		i := slices.IndexFunc(graphScopes, func(s string) bool { return strings.EqualFold(s, name) })
		if i < 0 {
			known = false
			continue
		}
		if !slices.Contains(scopes, graphScopes[i]) {
			scopes = append(scopes, graphScopes[i])
		}
	}
	return scopes, known
}

// delegates says whether scopes let an application act, not only know who signed in.
func delegates(scopes []string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return s != "offline_access" })
}

// consentedScopes are those that an application may have in the name of an account: by an administrator for everybody, or by the account.
func (s *Sim) consentedScopes(a *app, account string) (out []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, g := range s.world.responded.grants {
		if g.text("clientId") == a.objectID && (g.text("consentType") == "AllPrincipals" || g.text("principalId") == account) {
			out = append(out, strings.Fields(g.text("scope"))...)
		}
	}
	return out
}

// lacking are the scopes that were not consented to. That somebody stays signed in (offline_access) is not asked for by itself.
func lacking(scopes, consented []string) (out []string) {
	for _, name := range scopes {
		if name != "offline_access" && name != ".default" && !slices.Contains(consented, name) {
			out = append(out, name)
		}
	}
	return out
}

// RequestScopes sets the delegated permissions that an application's registration asks for, offline_access among them: they stand on the consent page.
func (s *Sim) RequestScopes(app string, scopes ...string) {
	a := s.appBy(app)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asksScopes = slices.Clone(scopes)
}

// ConsentScopes has an administrator consent, for everybody, to delegated permissions of an application in place of those before; none
// takes the consent back.
func (s *Sim) ConsentScopes(app string, scopes ...string) error {
	a := s.appBy(app)
	a.mu.Lock()
	a.removed = false
	a.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.responded.grants = slices.DeleteFunc(slices.Clone(s.world.responded.grants), func(g obj) bool {
		return g.text("clientId") == a.objectID && g.text("consentType") == "AllPrincipals"
	})
	if len(scopes) == 0 {
		return nil
	}
	_, err := s.giveConsent("control", obj{{"clientId", a.objectID}, {"consentType", "AllPrincipals"}, {"resourceId", s.world.seed.guid(askApp, services[0].seed)}, {"scope", strings.Join(scopes, " ")}})
	return err
}

// What can become of an account that signed in.
const (
	ChangePassword = "password" // its refresh tokens are good no longer
	RevokeSessions = "revoke"   // the same, and nothing has become of the password
	DisableAccount = "disable"
	EnableAccount  = "enable"
)

// Become lets something become of an account, by its key or user principal name.
func (s *Sim) Become(account, what string) error {
	return s.stand(account, func(st *standing) error {
		now := s.clock.Now()
		switch what {
		case ChangePassword:
			st.password = now
		case RevokeSessions:
			st.revoked = now
		case DisableAccount:
			st.disabled = true
		case EnableAccount:
			st.disabled = false
		default:
			return fmt.Errorf("sim: nothing called %q becomes of an account", what)
		}
		return nil
	})
}

// Block has Conditional Access or an assignment stand against an account by its AADSTS code: 50076 (a second factor, which whoever signs in
// on the page gives), 50079, 53000, 53003, 50105, 50053, 50055. 0 takes it away.
func (s *Sim) Block(account string, code int) error {
	if _, known := obstacles[code]; !known && code != 0 {
		return fmt.Errorf("sim: no obstacle has the code %d", code)
	}
	return s.stand(account, func(st *standing) error { st.blocked = code; return nil })
}

func (s *Sim) stand(key string, change func(*standing) error) error {
	a, ok := s.account(key)
	if !ok {
		return fmt.Errorf("sim: nobody signs in as %q", key)
	}
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	st := s.sessions.standing[a.ID]
	if err := change(&st); err != nil {
		return err
	}
	if s.sessions.standing == nil {
		s.sessions.standing = map[string]standing{}
	}
	s.sessions.standing[a.ID] = st
	return nil
}

// obstacles are what stands in the way of a sign-in, as Entra says it.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var obstacles = map[int]string{
	50076: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '" + graphID + "'.",
	50079: "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '" + graphID + "'.",
	53000: "Device is not in required device state: domainJoined. Conditional Access policy requires a compliant device, and the device is not compliant.",
	53003: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
	50105: "Your administrator has configured the application to block users unless they are specifically granted ('assigned') access to the application. The signed in user is blocked because they are not a direct member of a group with access, nor had access directly assigned by an administrator.",
	50053: "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
	50055: "The password is expired.",
}

// standingOf is an account's standing, with what has become of a person of the directory.
func (s *Sim) standingOf(a Account) standing {
	s.sessions.mu.Lock()
	st := s.sessions.standing[a.ID]
	s.sessions.mu.Unlock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.world.find(a.ID)
	if p == nil {
		return st
	}
	st.disabled = st.disabled || !p.enabled
	get := s.world.user(p)
	at := func(name string) time.Time {
		switch v, _ := get(name); v := v.(type) {
		case time.Time:
			return v
		case string:
			t, _ := time.Parse(time.RFC3339, v)
			return t
		}
		return time.Time{}
	}
	if t := at("signInSessionsValidFromDateTime"); t.After(st.revoked) && !t.Equal(p.created) {
		st.revoked = t
	}
	if t := at("lastPasswordChangeDateTime"); t.After(st.password) && !t.Equal(p.created) {
		st.password = t
	}
	return st
}

// maySignIn says why an account may not sign in to an application now. page: somebody sits before it, and can give a second factor.
func (s *Sim) maySignIn(a Account, page, strong bool) *aadError {
	st := s.standingOf(a)
	switch {
	case st.disabled:
		return aad(http.StatusBadRequest, 50057, "invalid_grant", "The user account is disabled.")
	case st.blocked == 50076 && (page || strong):
		return nil
	case st.blocked != 0:
		return aad(http.StatusBadRequest, st.blocked, map[bool]string{true: "interaction_required", false: "invalid_grant"}[st.blocked == 50076 || st.blocked == 50079 || st.blocked == 53003], "%s", obstacles[st.blocked])
	}
	return nil
}

// keepSession gives a refresh token.
func (s *Sim) keepSession(in session) string {
	token := "1.A" + secretText()
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	if s.sessions.refresh == nil {
		s.sessions.refresh = map[string]session{}
	}
	in.issued = s.clock.Now()
	s.sessions.refresh[token] = in
	return token
}

// refreshed answers a refresh token with an access token and another refresh token. The one that was used stays good, as Entra's do.
func (s *Sim) refreshed(w http.ResponseWriter, r *http.Request, tenant string, now time.Time) {
	f := r.PostForm
	in, e := s.goOn(r, f.Get("refresh_token"), tenant, now)
	if e == nil && f.Get("scope") != "" {
		want, known := scopesOf(f.Get("scope"))
		switch {
		case !known:
			e = aad(http.StatusBadRequest, 70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid.")
		case delegates(want) && !slices.Contains(want, ".default"):
			in.scopes = want
		}
	}
	if e == nil {
		if a := s.appBy(in.app); len(lacking(in.scopes, s.consentedScopes(a, in.account.ID))) > 0 {
			e = noConsent(a)
		}
	}
	if e == nil {
		e = s.answerTokens(w, r, in, signedIn{account: in.account, scope: "openid profile"}, now)
	}
	if e != nil {
		s.refuseLogin(w, r, e)
	}
}

func noConsent(a *app) *aadError {
	return aad(http.StatusBadRequest, 65001, "invalid_grant", "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", a.id, a.name)
}

// goOn is the session of a refresh token, unless something ended it.
func (s *Sim) goOn(r *http.Request, token, tenant string, now time.Time) (session, *aadError) {
	a := s.appBy(r.PostForm.Get("client_id"))
	a.mu.Lock()
	e := s.known(a, r.PostForm.Get("client_id"))
	if e == nil {
		e = s.prove(a, r, tenant, now)
	}
	a.mu.Unlock()
	if e != nil {
		return session{}, e
	}
	s.sessions.mu.Lock()
	in, ok := s.sessions.refresh[token]
	s.sessions.mu.Unlock()
	if !ok || in.app != a.id {
		return session{}, aad(http.StatusBadRequest, 9002313, "invalid_grant", "Invalid request. Request is malformed or invalid.")
	}
	if e := s.inTenant(in.account, tenant); e != nil {
		return session{}, e
	}
	if e := s.maySignIn(in.account, false, in.strong); e != nil {
		return session{}, e
	}
	st := s.standingOf(in.account)
	switch {
	case s.clock.Now().Sub(in.issued) > refreshLife:
		return session{}, aad(http.StatusBadRequest, 700082, "invalid_grant", "The refresh token has expired due to inactivity. The token was issued on %s and was inactive for 90.00:00:00.", in.issued.Format(fine))
	case st.password.After(in.began):
		return session{}, aad(http.StatusBadRequest, 50133, "invalid_grant", "The session is not valid due to password expiration or recent password change.")
	case st.revoked.After(in.began):
		return session{}, aad(http.StatusBadRequest, 50173, "invalid_grant", "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '%s' and the TokensValidFrom date (before which tokens are not valid) for this user is '%s'.", in.issued.Format(fine), st.revoked.Format(fine))
	}
	return in, nil
}

// answerTokens gives what a sign-in or a refresh comes to. A refresh token is given only to who asked to stay signed in and has the consent for it.
func (s *Sim) answerTokens(w http.ResponseWriter, r *http.Request, in session, who signedIn, now time.Time) *aadError {
	a := s.appBy(in.app)
	access, e := s.issueFor(a, in, now)
	if e != nil {
		return e
	}
	id, e := s.person(r, a, who, now, "")
	if e != nil {
		return e
	}
	answer := map[string]any{"token_type": "Bearer", "scope": "openid profile " + strings.Join(grantedIn(in.scopes), " "), "expires_in": 3599, "ext_expires_in": 3599, "access_token": access, "id_token": id, "client_info": clientInfo(in.account)}
	if slices.Contains(in.scopes, "offline_access") && slices.Contains(s.consentedScopes(a, in.account.ID), "offline_access") {
		answer["refresh_token"] = s.keepSession(in)
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// grantedIn are the scopes as a token names them.
func grantedIn(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == "offline_access" || s == ".default" })
}

// issueFor makes an access token by which an application acts in somebody's name.
func (s *Sim) issueFor(a *app, in session, now time.Time) (string, *aadError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return s.signed(&claims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: "https://sts.windows.net/" + s.cfg.Tenant + "/", Subject: in.account.ID, Audience: jwt.ClaimStrings{audience},
		IssuedAt: jwt.NewNumericDate(now.Add(-5 * time.Minute)), NotBefore: jwt.NewNumericDate(now.Add(-5 * time.Minute)),
		ExpiresAt: jwt.NewNumericDate(now.Add(3599 * time.Second)), ID: randomGUID()},
		AppID: a.id, AppName: a.name, IDType: "user", ObjectID: in.account.ID, Tenant: s.cfg.Tenant, Version: "1.0",
		Scope: strings.Join(grantedIn(in.scopes), " "), UPN: in.account.UPN, Name: in.account.Name})
}
