package sim

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// graphID is the application id of Microsoft Graph.
const graphID = "00000003-0000-0000-c000-000000000000"

const audience = "https://graph.microsoft.com"

// audiences are whom tokens are for, by how the service's paths begin; resources are the ids by which tokens are asked for.
var (
	audiences = map[string]string{"": audience, "api": "https://manage.office.com", "adminapi": "https://outlook.office365.com"}
	resources = map[string]string{"c5393580-f805-4401-95e8-94b7a6ef2fc2": audiences["api"], audiences["api"]: audiences["api"],
		"00000002-0000-0ff1-ce00-000000000000": audiences["adminapi"], audiences["adminapi"]: audiences["adminapi"]}
)

// audienceOf is whom a token with that scope is for.
func audienceOf(scope string) string {
	for _, p := range strings.Fields(scope) {
		if base, ok := strings.CutSuffix(p, "/.default"); ok && resources[base] != "" {
			return resources[base]
		}
	}
	return audience
}

// resourceOf is the audience whose tokens bear an application permission.
func resourceOf(role string) string {
	switch {
	case strings.HasPrefix(role, "ActivityFeed."):
		return audiences["api"]
	case strings.HasPrefix(role, "Exchange."):
		return audiences["adminapi"]
	}
	return audience
}

// aadError is an error of the sign-in service: AADSTS and its number.
type aadError struct {
	status int
	code   int
	kind   string // OAuth's error
	text   string
}

func (e *aadError) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.code, e.text) }

func aad(status, code int, kind, format string, args ...any) *aadError {
	return &aadError{status, code, kind, fmt.Sprintf(format, args...)}
}

// login answers the sign-in service's paths.
func (s *Sim) login(w http.ResponseWriter, r *http.Request) {
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch rest {
	case "oauth2/v2.0/token", "oauth2/token":
		s.tokenEndpoint(w, r, tenant)
	case "v2.0/.well-known/openid-configuration", ".well-known/openid-configuration":
		s.metadata(w, r, tenant)
	case "discovery/v2.0/keys", "discovery/keys":
		writeJSON(w, http.StatusOK, s.keys.public())
	case "discovery/instance":
		s.instance(w, r)
	case "adminconsent", "v2.0/adminconsent":
		s.adminConsent(w, r, tenant)
	case "oauth2/v2.0/authorize":
		s.authorize(w, r, tenant)
	default:
		http.NotFound(w, r)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (s *Sim) ours(tenant string) bool {
	return strings.EqualFold(tenant, s.cfg.Tenant) || s.accepted(tenant)
}

func (s *Sim) accepted(domain string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.world.accepted(domain)
}

func (s *Sim) unknownTenant(tenant string) *aadError {
	return aad(http.StatusBadRequest, 90002, "invalid_request", "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", tenant)
}

func (s *Sim) metadata(w http.ResponseWriter, r *http.Request, tenant string) {
	if tenant != "common" && tenant != "organizations" && !s.ours(tenant) {
		s.refuseLogin(w, r, s.unknownTenant(tenant))
		return
	}
	id := s.cfg.Tenant
	if tenant == "common" || tenant == "organizations" {
		id = "{tenantid}"
	}
	host := scheme(r) + "://" + r.Host
	base := host + "/" + tenant
	writeJSON(w, http.StatusOK, map[string]any{
		"token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
		"device_authorization_endpoint":         base + "/oauth2/v2.0/devicecode",
		"end_session_endpoint":                  base + "/oauth2/v2.0/logout",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"issuer":                                host + "/" + id + "/v2.0",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "oid"},
		"tenant_region_scope":                   "EU", "cloud_instance_name": r.Host, "msgraph_host": r.Host,
		"http_logout_supported": true, "frontchannel_logout_supported": true,
	})
}

// instance answers MSAL's question whether an authority is a cloud of Microsoft's.
func (s *Sim) instance(w http.ResponseWriter, r *http.Request) {
	host, tenant := r.Host, "common"
	if u, err := url.Parse(r.URL.Query().Get("authorization_endpoint")); err == nil && u.Host != "" {
		host = u.Host
		tenant, _, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": scheme(r) + "://" + host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []any{map[string]any{"preferred_network": host, "preferred_cache": host, "aliases": []string{host}}},
	})
}

func (s *Sim) tokenEndpoint(w http.ResponseWriter, r *http.Request, tenant string) {
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("x-ms-request-id", randomGUID())
	if r.Method != http.MethodPost {
		s.refuseLogin(w, r, aad(http.StatusBadRequest, 900561, "invalid_request", "The endpoint only accepts POST requests. Received a %s request.", r.Method))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		s.refuseLogin(w, r, aad(http.StatusBadRequest, 900144, "invalid_request", "The request body must contain the following parameter: 'grant_type'."))
		return
	}
	skew := s.faults.skew()
	if r.PostForm.Get("grant_type") == "authorization_code" {
		s.redeem(w, r, tenant, time.Now().Add(skew))
		return
	}
	if r.PostForm.Get("grant_type") == "refresh_token" {
		s.refreshed(w, r, tenant, time.Now().Add(skew))
		return
	}
	token, err := s.grant(r, tenant, time.Now().Add(skew))
	if err != nil {
		s.refuseLogin(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})
}

// grant checks a request for a token and makes it.
func (s *Sim) grant(r *http.Request, tenant string, now time.Time) (string, *aadError) {
	f := r.PostForm
	if id, secret, ok := r.BasicAuth(); ok && f.Get("client_id") == "" {
		f.Set("client_id", id)
		f.Set("client_secret", secret)
	}
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if f.Get(name) == "" {
			return "", aad(http.StatusBadRequest, 900144, "invalid_request", "The request body must contain the following parameter: '%s'.", name)
		}
	}
	if f.Get("grant_type") != "client_credentials" {
		return "", aad(http.StatusBadRequest, 70003, "unsupported_grant_type", "The app requested an unsupported grant type '%s'.", f.Get("grant_type"))
	}
	if tenant == "common" || tenant == "organizations" || tenant == "consumers" {
		return "", aad(http.StatusBadRequest, 53003, "invalid_request", "A tenant-specific endpoint is required for this application: '%s' is not allowed with client credentials.", tenant)
	}
	if !s.ours(tenant) {
		return "", s.unknownTenant(tenant)
	}
	a := s.appBy(f.Get("client_id"))
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := s.known(a, f.Get("client_id")); err != nil {
		return "", err
	}
	if err := scoped(r, f.Get("scope")); err != nil {
		return "", err
	}
	if err := s.prove(a, r, tenant, now); err != nil {
		return "", err
	}
	return s.issueTo(a, now, audienceOf(f.Get("scope")))
}

func (s *Sim) unknownApp(id string) *aadError {
	return aad(http.StatusBadRequest, 700016, "unauthorized_client", "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", id, s.world.name)
}

// known says whether there is such an application and it may sign in. The caller holds its mu.
func (s *Sim) known(a *app, id string) *aadError {
	switch {
	case !strings.EqualFold(id, a.id) || a.removed:
		return s.unknownApp(id)
	case a.disabled:
		return aad(http.StatusBadRequest, 7000112, "unauthorized_client", "Application '%s'(%s) is disabled.", a.id, a.name)
	}
	return nil
}

// reserved are the scopes of OpenID Connect.
var reserved = []string{"openid", "offline_access", "profile", "email"}

func scoped(r *http.Request, scope string) *aadError {
	want := audience + "/.default"
	for _, p := range strings.Fields(scope) {
		if slices.Contains(reserved, p) {
			continue // Entra takes them and gives nothing for them; MSAL for Go always sends them
		}
		base, ok := strings.CutSuffix(p, "/.default")
		if !ok {
			return aad(http.StatusBadRequest, 1002012, "invalid_scope", "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", scope)
		}
		if own := scheme(r) + "://" + r.Host; p != want && base != graphID && base != own && resources[base] == "" {
			return aad(http.StatusBadRequest, 70011, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", scope)
		}
	}
	return nil
}

// prove checks the secret or the certificate. The caller holds its mu.
func (s *Sim) prove(a *app, r *http.Request, tenant string, now time.Time) *aadError {
	f := r.PostForm
	if assertion := f.Get("client_assertion"); assertion != "" {
		if f.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return aad(http.StatusBadRequest, 900144, "invalid_request", "The request body must contain the following parameter: 'client_assertion_type'.")
		}
		return s.assertion(a, r, assertion, tenant, now)
	}
	secret := f.Get("client_secret")
	kept, known := a.secretOf(secret)
	switch {
	case secret == "":
		return aad(http.StatusUnauthorized, 7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	case !known:
		return aad(http.StatusUnauthorized, 7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", a.id)
	case !kept.ends.IsZero() && now.After(kept.ends):
		return aad(http.StatusUnauthorized, 7000222, "invalid_client", "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", a.id)
	}
	return nil
}

// assertion checks a JWT that the application signed with its certificate's key.
func (s *Sim) assertion(a *app, r *http.Request, text, tenant string, now time.Time) *aadError {
	bad := func(reason string) *aadError {
		return aad(http.StatusUnauthorized, 700027, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - %s]", reason)
	}
	var cert *x509.Certificate
	var claims jwt.RegisteredClaims
	p := jwt.NewParser(jwt.WithValidMethods([]string{"PS256", "RS256"}), jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithoutClaimsValidation())
	_, err := p.ParseWithClaims(text, &claims, func(t *jwt.Token) (any, error) {
		var err error
		if cert, err = a.certificate(t.Header); err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	})
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return bad("The key was found, but use of the key to verify the signature failed., Thumbprint of key used by client: '" + thumbprint(cert) + "'")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return aad(http.StatusBadRequest, 50027, "invalid_request", "JWT token is invalid or malformed.")
	case err != nil:
		return bad("The key was not found.")
	case now.After(cert.NotAfter) || now.Before(cert.NotBefore):
		return bad("The key used is expired., Thumbprint of key used by client: '" + thumbprint(cert) + "'")
	}
	return s.assertionClaims(a, r, claims, tenant, now)
}

func (s *Sim) assertionClaims(of *app, r *http.Request, c jwt.RegisteredClaims, tenant string, now time.Time) *aadError {
	if c.Subject != of.id || c.Issuer != of.id {
		return aad(http.StatusUnauthorized, 700021, "invalid_client", "Client assertion application identifier doesn't match 'client_id' parameter.")
	}
	if c.ID == "" {
		return aad(http.StatusUnauthorized, 50027, "invalid_client", "JWT token is invalid or malformed: it has no 'jti'.")
	}
	const leeway = 5 * time.Minute
	if c.ExpiresAt == nil || now.After(c.ExpiresAt.Add(leeway)) || c.NotBefore != nil && now.Before(c.NotBefore.Add(-leeway)) {
		return aad(http.StatusUnauthorized, 700024, "invalid_client", "Client assertion is not within its valid time range. Current time: %s.", now.UTC().Format(time.RFC3339))
	}
	host := scheme(r) + "://" + r.Host + "/"
	for _, a := range c.Audience {
		for _, t := range []string{tenant, s.cfg.Tenant} {
			if a == host+t+"/oauth2/v2.0/token" || a == host+t+"/v2.0" || a == host+t+"/oauth2/token" {
				return nil
			}
		}
	}
	return aad(http.StatusUnauthorized, 700023, "invalid_client", "Client assertion audience claim does not match Realm issuer.")
}

func (s *Sim) refuseLogin(w http.ResponseWriter, r *http.Request, e *aadError) {
	trace, correlation := randomGUID(), r.Header.Get("client-request-id")
	if correlation == "" {
		correlation = randomGUID()
	}
	now := time.Now().UTC().Format("2006-01-02 15:04:05Z")
	writeJSON(w, e.status, map[string]any{
		"error":             e.kind,
		"error_description": fmt.Sprintf("%s Trace ID: %s Correlation ID: %s Timestamp: %s", e.Error(), trace, correlation, now),
		"error_codes":       []int{e.code}, "timestamp": now, "trace_id": trace, "correlation_id": correlation,
		"error_uri": fmt.Sprintf("%s://%s/error?code=%d", scheme(r), r.Host, e.code),
	})
}

func scheme(r *http.Request) string {
	if r.TLS != nil || r.URL.Scheme == "https" {
		return "https"
	}
	return "http"
}

// thumbprint is the certificate's, as Entra shows it: SHA-1 in upper-case hex.
func thumbprint(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	h := sha1.Sum(c.Raw)
	return strings.ToUpper(hex.EncodeToString(h[:]))
}

// namesKey says whether a JWT's header names the certificate, by x5t#S256, x5t or kid. MSAL writes the first in standard base64.
func namesKey(header map[string]any, c *x509.Certificate) bool {
	h1, h256 := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
	for name, sum := range map[string][]byte{"x5t": h1[:], "x5t#S256": h256[:]} {
		v, ok := header[name].(string)
		if !ok {
			continue
		}
		v = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(v)
		return v == base64.RawURLEncoding.EncodeToString(sum)
	}
	kid, _ := header["kid"].(string)
	return strings.EqualFold(kid, thumbprint(c))
}
