package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Delegated is how a client acts in the name of an account that signed in once: by its refresh token, which Entra replaces at every use.
// The app's own credential goes with it. https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#refresh-the-access-token
type Delegated struct {
	Scopes []string // that are asked for, offline_access among them
	// Load gives the refresh token as it is kept, before each use: another replica may have replaced it.
	Load func(ctx context.Context) (refresh string, err error)
	// Keep puts next in the place of used, in one step, if used is what is kept by then. Where it fails the token that was used stays good.
	Keep func(ctx context.Context, used, next string) error
	// Refused is told when the sign-in is refused for good; nil: nobody is.
	Refused func(ctx context.Context, why *Revoked)
}

// String hides it.
func (d *Delegated) String() string { return "(delegated)" }

// Grant is what somebody's sign-in lets an app do in their name.
type Grant struct {
	Person  Person
	Scopes  []string // that were granted, without those of OpenID Connect
	Refresh string   // the refresh token; empty where offline_access was not granted
}

// String hides the token.
func (g Grant) String() string { return fmt.Sprintf("graph.Grant{Person: %q}", g.Person.UPN) }

// GoString hides it from %#v.
func (g Grant) GoString() string { return g.String() }

// signedInAnswer is what the token endpoint answers to who signed in.
type signedInAnswer struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	IDToken string `json:"id_token"`
	Scope   string `json:"scope"`
	Expires int    `json:"expires_in"` // seconds
}

// DelegatedAddress is where somebody signs in to tenant (an id or a domain) so that the app client acts in their name within scopes. hint is the account that is
// meant, where that is known.
func DelegatedAddress(cloud Cloud, tenant, client, hint string, scopes []string, c SignInProof) string {
	u, err := url.Parse(SignInAddress(cloud, tenant, client, c))
	if err != nil {
		return "" // made of parts that were checked
	}
	q := u.Query()
	q.Set("scope", strings.Join(append([]string{"openid", "profile"}, resourced(cloud, scopes)...), " "))
	if hint != "" {
		q.Set("login_hint", hint)
		q.Del("prompt") // an account that is signed in already goes on
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// resourced are scopes with the address of Graph before them, which another cloud than the global one needs.
func resourced(cloud Cloud, scopes []string) []string {
	out := slices.Clone(scopes)
	for i, s := range out {
		if s != "offline_access" {
			out[i] = strings.TrimRight(cloud.Graph, "/") + "/" + s
		}
	}
	return out
}

// RedeemDelegated turns the code of a sign-in at [DelegatedAddress] into who signed in and what they let the app do. A refusal is a [Revoked].
func (c *Client) RedeemDelegated(ctx context.Context, code string, scopes []string, ch SignInProof) (Grant, error) {
	if c.paused() {
		return Grant{}, ErrPaused
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {c.cfg.Client}, "code": {code}, "redirect_uri": {ch.Redirect}, "code_verifier": {ch.Verifier},
		"scope": {strings.Join(append([]string{"openid", "profile"}, resourced(c.cfg.Cloud, scopes)...), " ")}}
	address := c.authority() + "/oauth2/v2.0/token"
	if err := c.vouch(form, address); err != nil {
		return Grant{}, err
	}
	var answer signedInAnswer
	if err := c.signInCall(ctx, http.MethodPost, address, form, &answer); err != nil {
		return Grant{}, OfAccount(err)
	}
	who, err := c.verifyPerson(ctx, answer.IDToken, ch.Nonce)
	return Grant{Person: who, Scopes: scopesIn(answer.Scope), Refresh: answer.Refresh}, err
}

// scopesIn are Graph's scopes in an answer, without the address before them and without OpenID Connect's.
func scopesIn(text string) (out []string) {
	for _, s := range strings.Fields(text) {
		s = s[strings.LastIndexByte(s, '/')+1:]
		if !slices.Contains([]string{"openid", "profile", "email", "offline_access"}, s) {
			out = append(out, s)
		}
	}
	return out
}

// refreshed gets an access token by the refresh token that is kept, and keeps the next. Another replica may have been quicker: a token
// that is refused is looked at again once.
func (c *Client) refreshed(ctx context.Context) (token, error) {
	t, err := c.refresh(ctx)
	if e, ok := errors.AsType[*Revoked](err); ok && c.cfg.Delegated.Refused != nil {
		c.cfg.Delegated.Refused(ctx, e)
	}
	return t, err
}

func (c *Client) refresh(ctx context.Context) (token, error) {
	d := c.cfg.Delegated
	for last := ""; ; {
		used, err := d.Load(ctx)
		if err != nil {
			return token{}, err
		}
		if used == "" || used == last {
			return token{}, &Revoked{Code: NotSignedIn, What: "The account has not signed in, or its sign-in is forgotten.", Do: "Reconnect: sign in with the account again."}
		}
		t, err := c.refreshOnce(ctx, used)
		if _, ok := errors.AsType[*Revoked](err); !ok || last != "" {
			return t, err
		}
		if now, again := d.Load(ctx); again != nil || now == used {
			return t, err
		}
		last = used
	}
}

func (c *Client) refreshOnce(ctx context.Context, used string) (token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {c.cfg.Client}, "refresh_token": {used}, "scope": {strings.Join(resourced(c.cfg.Cloud, c.cfg.Delegated.Scopes), " ")}}
	address := c.authority() + "/oauth2/v2.0/token"
	if err := c.vouch(form, address); err != nil {
		return token{}, err
	}
	var answer signedInAnswer
	for try := 1; ; try++ {
		err := c.signInCall(ctx, http.MethodPost, address, form, &answer)
		if err == nil {
			break
		}
		wait, again := c.signInWait(err, try)
		if !again || sleep(ctx, wait) != nil {
			return token{}, OfAccount(err)
		}
	}
	if answer.Access == "" {
		return token{}, &Unavailable{What: "the sign-in service answered without a token"}
	}
	if answer.Refresh != "" && answer.Refresh != used {
		if err := c.cfg.Delegated.Keep(ctx, used, answer.Refresh); err != nil {
			c.log.Warn("the next refresh token was not kept; the one that was used stays good", "tenant", c.cfg.Tenant, "error", err)
		}
	}
	return newToken(answer.Access, time.Now().Add(time.Duration(answer.Expires)*time.Second)), nil
}

// Delegates says whether the client acts in the name of an account.
func (c *Client) Delegates() bool { return c.cfg.Delegated != nil }
