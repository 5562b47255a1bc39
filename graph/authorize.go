package graph

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A person's part in connecting a tenant: who signs in proves which tenant is theirs, then consents for it. Nothing is
// done in their name, so nothing is asked for but who they are.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow

// AnyOrganization is the tenant of a sign-in by which a tenant is found out.
const AnyOrganization = "organizations"

// SignInProof is what goes with a sign-in and comes back in its token, or is asked for when its code is redeemed.
type SignInProof struct {
	Redirect string // where to come back to, as the app registration has it
	State    string
	Nonce    string
	Verifier string // PKCE's; only its hash leaves before the code is redeemed
}

// Secret is 256 random bits as text, for a state, a nonce or a verifier.
func Secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// SignInAddress is where a person signs in to tenant (an id, a domain, or [AnyOrganization]) for the app client.
func SignInAddress(cloud Cloud, tenant, client string, c SignInProof) string {
	proof := sha256.Sum256([]byte(c.Verifier))
	return strings.TrimRight(cloud.Authority, "/") + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/authorize?" + url.Values{
		"client_id": {client}, "response_type": {"code"}, "response_mode": {"query"}, "redirect_uri": {c.Redirect}, "scope": {"openid profile"},
		"state": {c.State}, "nonce": {c.Nonce}, "prompt": {"select_account"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(proof[:])}, "code_challenge_method": {"S256"}}.Encode()
}

// ConsentAddress is where an administrator of tenant consents to all that the app registration asks for.
// https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
func ConsentAddress(cloud Cloud, tenant, client, redirect, state string) string {
	return strings.TrimRight(cloud.Authority, "/") + "/" + url.PathEscape(tenant) + "/v2.0/adminconsent?" + url.Values{
		"client_id": {client}, "scope": {strings.TrimRight(cloud.Graph, "/") + "/.default"}, "redirect_uri": {redirect}, "state": {state}}.Encode()
}

// Person is who signed in, by a token of their tenant.
type Person struct {
	Tenant string // the tenant's id
	ID     string // object id
	Name   string
	UPN    string
}

// Redeem turns the code of a sign-in into who signed in. The client's tenant is the one that was signed in to. A refusal is
// a [Revoked]; so is a token that proves nothing.
func (c *Client) Redeem(ctx context.Context, code string, ch SignInProof) (Person, error) {
	if c.paused() {
		return Person{}, ErrPaused
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {c.cfg.Client}, "code": {code}, "redirect_uri": {ch.Redirect},
		"code_verifier": {ch.Verifier}, "scope": {"openid profile"}}
	address := c.authority() + "/oauth2/v2.0/token"
	if err := c.vouch(form, address); err != nil {
		return Person{}, err
	}
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if err := c.signInCall(ctx, http.MethodPost, address, form, &answer); err != nil {
		return Person{}, err
	}
	return c.verifyPerson(ctx, answer.IDToken, ch.Nonce)
}

func (c *Client) authority() string {
	return strings.TrimRight(c.cfg.Cloud.Authority, "/") + "/" + c.cfg.Tenant
}

// vouch adds the app's own proof to a form: its secret, or an assertion signed with its certificate's key.
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
func (c *Client) vouch(form url.Values, address string) error {
	if len(c.cfg.Certificate) == 0 {
		form.Set("client_secret", c.cfg.Secret)
		return nil
	}
	if err := valid(c.tokens.leaf, time.Now()); err != nil {
		return err
	}
	_, key, err := parsePEM(append(append([]byte{}, c.cfg.Certificate...), append([]byte("\n"), c.cfg.Key...)...))
	if err != nil {
		return err
	}
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodPS256, jwt.RegisteredClaims{Issuer: c.cfg.Client, Subject: c.cfg.Client, Audience: jwt.ClaimStrings{address},
		ID: Secret(), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(5 * time.Minute))})
	sum := sha256.Sum256(c.tokens.leaf.Raw)
	t.Header["x5t#S256"] = base64.RawURLEncoding.EncodeToString(sum[:])
	text, err := t.SignedString(key)
	if err != nil {
		return unreadable("The certificate's key cannot sign.")
	}
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", text)
	return nil
}

// signInCall asks the sign-in service once: a code is good for one try. Nothing that was sent or answered is in an error.
func (c *Client) signInCall(ctx context.Context, method, address string, form url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, signInTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the sign-in address cannot be used")
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return &Unavailable{What: "the sign-in service does not answer in time"}
		}
		return &Unavailable{What: c.signInSilence(err), Err: uncertified(err)}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, signInBody))
	if err != nil {
		return &Unavailable{What: "the answer of the sign-in service broke off"}
	}
	if res.StatusCode != http.StatusOK {
		code, kind := signInCode(body)
		switch {
		case res.StatusCode == http.StatusTooManyRequests:
			return &Throttled{After: after(res.Header, time.Now(), backoff(c.cfg.Backoff, 3))}
		case res.StatusCode >= 500 || passing[code] || kind == "temporarily_unavailable":
			return &Unavailable{What: fmt.Sprintf("the sign-in service answered %d", res.StatusCode), Code: kind}
		case code == 0 && kind == "":
			return &Unavailable{What: fmt.Sprintf("the sign-in address answered %d, and not as Microsoft's does", res.StatusCode)}
		}
		return refused(code, kind)
	}
	if json.Unmarshal(body, into) != nil {
		return &Unavailable{What: "the sign-in address answers with something that is not JSON: a proxy or another server may stand in between"}
	}
	return nil
}

// personClaims are those of an id token. https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
type personClaims struct {
	jwt.RegisteredClaims
	Nonce   string `json:"nonce"`
	Name    string `json:"name"`
	UPN     string `json:"preferred_username"`
	ID      string `json:"oid"`
	Tenant  string `json:"tid"`
	Version string `json:"ver"`
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// consumers is the tenant of accounts that belong to no organisation.
const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

// verifyPerson holds an id token to all that makes it one: signed by the authority, for this app, of the tenant it names,
// of now, and answering the nonce that was sent.
func (c *Client) verifyPerson(ctx context.Context, text, nonce string) (Person, error) {
	var claims personClaims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(c.cfg.Client), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(tolerated))
	_, err := parser.ParseWithClaims(text, &claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		return c.signingKey(ctx, id)
	})
	if _, ok := errors.AsType[*Unavailable](err); ok {
		return Person{}, err
	}
	switch {
	case err != nil:
		return Person{}, unproven(tokenFault(err))
	case !guid.MatchString(claims.Tenant) || claims.Version != "2.0" || claims.ID == "":
		return Person{}, unproven("it does not say which tenant and person it is about")
	case claims.Issuer != strings.TrimRight(c.cfg.Cloud.Authority, "/")+"/"+claims.Tenant+"/v2.0":
		return Person{}, unproven("it was not issued by the tenant it names")
	case nonce == "" || subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(nonce)) != 1:
		return Person{}, unproven("it answers another sign-in")
	case strings.EqualFold(claims.Tenant, consumers):
		return Person{}, &Revoked{Code: "consumer", What: "That is a personal Microsoft account, which belongs to no organisation.", Do: "Sign in with an account of the organisation."}
	case guid.MatchString(c.cfg.Tenant) && !strings.EqualFold(c.cfg.Tenant, claims.Tenant):
		return Person{}, unproven("it is of another tenant than was signed in to")
	}
	return Person{Tenant: strings.ToLower(claims.Tenant), ID: clip(claims.ID, 100), Name: clip(claims.Name, 200), UPN: clip(claims.UPN, 320)}, nil
}

func unproven(why string) *Revoked {
	return &Revoked{Code: "id_token", What: "The sign-in proves nothing: its token cannot be trusted, since " + why + ".", Do: "Begin again; if it stays, compare the cloud of the app registration and this server's clock."}
}

func tokenFault(err error) string {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired), errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return "it is not of now, or this server's clock is wrong"
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return "it was made for another app"
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return "it was not signed by Microsoft"
	}
	return "it is not a token as Microsoft makes them"
}

// signingKey is the authority's key of that id.
func (c *Client) signingKey(ctx context.Context, id string) (*rsa.PublicKey, error) {
	keys, err := c.signingKeys(ctx)
	if err != nil {
		return nil, err
	}
	if k, ok := keys[id]; ok {
		return k.key, nil
	}
	return nil, errors.New("no key of that id")
}

// TokenTenant is the tenant that the app's own token is of, in lower case: another than was asked for proves that somebody
// else answered. Empty where the token cannot be read, which Microsoft reserves the right to make so.
func (c *Client) TokenTenant(ctx context.Context) (string, error) {
	if c.paused() {
		return "", ErrPaused
	}
	t, err := c.tokens.get(ctx, "")
	if err != nil {
		return "", err
	}
	parts := strings.Split(t, ".")
	if len(parts) != 3 {
		return "", nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Tenant string `json:"tid"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return "", nil
	}
	return strings.ToLower(claims.Tenant), nil
}

// RedirectRefusal is what the error of a redirect means, and what mends it. Its description comes from outside, and none of it is
// shown.
func RedirectRefusal(kind, description string) *Revoked {
	code := 0
	if m := aadsts.FindStringSubmatch(description); m != nil {
		_, _ = fmt.Sscan(m[1], &code) // digits
	}
	if code == 0 {
		switch kind {
		case "access_denied":
			return refused(65004, kind)
		case "consent_required", "interaction_required":
			return refused(65001, kind)
		case "temporarily_unavailable", "server_error":
			return &Revoked{Code: kind, What: "Microsoft's sign-in is out of order for the moment.", Do: "Begin again in some minutes."}
		}
	}
	return refused(code, clip(kind, 60))
}
