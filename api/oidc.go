package api

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"tocsin.dev"
	"tocsin.dev/dial"
	"tocsin.dev/store"
)

// OIDC is the identity provider people may sign in by, beside their passwords (https://openid.net/specs/openid-connect-core-1_0.html).
// It says who somebody is; whether they have an account here, and what it may do, is said here.
type OIDC struct {
	Issuer       string
	Client       string
	Secret       string
	Name         string      // on the button
	Redirect     string      // where the provider sends browsers back to
	TrustAddress bool        // an address without email_verified is believed: for a provider of one organisation that does not say it
	Guard        *dial.Guard // before the addresses that the provider names; the zero value where nil

	mu       sync.Mutex
	provider *oidc.Provider
}

// oidcLife is how long somebody may take at the provider.
const oidcLife = 10 * time.Minute

// What a session holds of a sign-in by the provider that has begun.
const (
	keyState    = "oidc.state"
	keyNonce    = "oidc.nonce"
	keyVerifier = "oidc.verifier"
	keyBack     = "oidc.back"
	keyBegun    = "oidc.begun"
)

// Redirection is where to send the browser.
type Redirection struct {
	Next string `json:"next"`
}

// BeginOIDCIn begins a sign-in by the provider.
type BeginOIDCIn struct {
	Body struct {
		Back string `json:"back,omitempty" maxLength:"2000" doc:"Where to go afterwards, on this server"`
	}
}

// FinishOIDCIn is what the provider sent a browser back with.
type FinishOIDCIn struct {
	Body struct {
		State       string `json:"state" maxLength:"500" doc:"The state that came back"`
		Code        string `json:"code,omitempty" maxLength:"4096" doc:"The code"`
		Error       string `json:"error,omitempty" maxLength:"500" doc:"Or what went wrong"`
		Description string `json:"error_description,omitempty" maxLength:"2000" doc:"In the provider's words"`
	}
}

// SignedInBy is a sign-in by the provider that has ended well.
type SignedInBy struct {
	SignedIn
	Back string `json:"back"`
}

// OIDCName is the provider's name for the button; empty where there is none.
func (s *Service) OIDCName() string {
	if s.o.OIDC == nil {
		return ""
	}
	return s.o.OIDC.Name
}

var noOIDC = tocsin.Problemf(tocsin.Denied, "Sign in with a password; the operator sets oidc.issuer to have one.", "This server has no identity provider.")

// connect reads what the provider says of itself, once.
func (o *OIDC) connect(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps the context for its keys: it must outlive this request.
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), o.client()), o.Issuer)
	if err != nil {
		p := tocsin.Problemf(tocsin.Unavailable, "Sign in with a password, or have the operator look at the setting oidc.issuer and at the network.", "The identity provider does not answer as one.")
		p.Err = err
		return nil, p
	}
	o.provider = p
	return p, nil
}

// client calls the provider where the operator says it is, and what the provider names elsewhere only where that is no way
// into the server's own network.
func (o *OIDC) client() *http.Client {
	guard := o.Guard
	if guard == nil {
		guard = &dial.Guard{}
	}
	host := ""
	if u, err := url.Parse(o.Issuer); err == nil {
		host = u.Host
	}
	return guard.Partner(host, 20*time.Second)
}

func (o *OIDC) config(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: o.Client, ClientSecret: o.Secret, Endpoint: p.Endpoint(), RedirectURL: o.Redirect, Scopes: []string{oidc.ScopeOpenID, "email", "profile"}}
}

// BeginOIDC begins a sign-in by the provider: the browser's session keeps the state, the nonce and the verifier, so that only
// this browser can end it, once.
func (s *Service) BeginOIDC(ctx context.Context, in BeginOIDCIn) (Redirection, error) {
	if _, err := s.allow(ctx, "session begin-oidc", Everywhere); err != nil {
		return Redirection{}, err
	}
	if err := valid(in); err != nil {
		return Redirection{}, err
	}
	req := requestOf(ctx)
	switch {
	case s.o.OIDC == nil:
		return Redirection{}, noOIDC
	case req == nil || !req.session:
		return Redirection{}, invalid("Use the token as it is: it needs no session.", "A session is for browsers.")
	}
	if err := s.attempt(ctx, "address|"+req.address, perAddress); err != nil {
		return Redirection{}, err
	}
	p, err := s.o.OIDC.connect(ctx)
	if err != nil {
		return Redirection{}, err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return Redirection{}, err
	}
	state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	for k, v := range map[string]string{keyState: state, keyNonce: nonce, keyVerifier: verifier, keyBack: in.Body.Back} {
		s.sessions.Put(ctx, k, v)
	}
	s.sessions.Put(ctx, keyBegun, tocsin.Millis(s.now()))
	next := s.o.OIDC.config(p).AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	return Redirection{Next: next}, nil
}

// FinishOIDC ends it: the code is redeemed, the token checked, and its subject's account signed in.
func (s *Service) FinishOIDC(ctx context.Context, in FinishOIDCIn) (out SignedInBy, err error) {
	who := Caller{}
	defer func() { s.refused(ctx, "session finish-oidc", Everywhere, nil, who, err) }()
	if _, err := s.allow(ctx, "session finish-oidc", Everywhere); err != nil {
		return out, err
	}
	if err := valid(in); err != nil {
		return out, err
	}
	req := requestOf(ctx)
	switch {
	case s.o.OIDC == nil:
		return out, noOIDC
	case req == nil || !req.session:
		return out, invalid("Use the token as it is: it needs no session.", "A session is for browsers.")
	}
	if err := s.attempt(ctx, "address|"+req.address, perAddress); err != nil {
		return out, err
	}
	state, nonce, verifier := s.sessions.PopString(ctx, keyState), s.sessions.PopString(ctx, keyNonce), s.sessions.PopString(ctx, keyVerifier)
	back, begun := s.sessions.PopString(ctx, keyBack), tocsin.FromMillis(s.sessions.GetInt64(ctx, keyBegun))
	s.sessions.Remove(ctx, keyBegun)
	b := in.Body
	if state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(b.State)) != 1 || s.now().Sub(begun) > oidcLife {
		return out, tocsin.Problemf(tocsin.Denied, "Begin again from the sign-in page, in this browser.", "This sign-in was not begun here, was used already, or took longer than ten minutes.")
	}
	if b.Error != "" {
		return out, tocsin.Problemf(tocsin.Denied, "Begin again, or sign in with a password.", "The identity provider refused: %s.", strings.TrimSuffix(clip(cmp.Or(b.Description, b.Error), 300), "."))
	}
	sub, err := s.o.OIDC.redeem(ctx, b.Code, nonce, verifier)
	who.Email = clip(sub.address(), 320)
	if err != nil {
		return out, err
	}
	a, err := s.subjectAccount(ctx, sub)
	if err != nil {
		return out, err
	}
	out.Back = back
	out.SignedIn, err = s.begin(ctx, req, a, "oidc")
	return out, err
}

// subject is who a token speaks of.
type subject struct {
	key      string // issuer and sub
	Email    string `json:"email"`
	Verified any    `json:"email_verified"` // some say it as a text
	Name     string `json:"name"`
	UPN      string `json:"preferred_username"`
	trusted  bool
}

func (s subject) address() string {
	if s.Email == "" && s.trusted {
		return tocsin.CanonicalAddress(s.UPN)
	}
	return tocsin.CanonicalAddress(s.Email)
}

// vouched says whether the provider vouches for the address.
func (s subject) vouched() bool { return s.trusted || s.Verified == true || s.Verified == "true" }

func (o *OIDC) redeem(ctx context.Context, code, nonce, verifier string) (sub subject, err error) {
	sub.trusted = o.TrustAddress
	refuse := func(err error) error {
		p := tocsin.Problemf(tocsin.Denied, "Begin again; if it stays, have the operator look at the settings of oidc.", "The identity provider’s answer could not be used.")
		p.Err = err
		if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
			p.Err = errors.New("token endpoint: " + clip(e.ErrorCode, 80)) // its body can hold what was sent
		} else if e, ok := errors.AsType[*url.Error](err); ok {
			p.Err = e.Err
		}
		return p
	}
	p, err := o.connect(ctx)
	if err != nil {
		return sub, err
	}
	client := o.client()
	defer client.CloseIdleConnections()
	ctx = oidc.ClientContext(ctx, client)
	token, err := o.config(p).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return sub, refuse(err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return sub, refuse(errors.New("there is no id_token"))
	}
	id, err := p.Verifier(&oidc.Config{ClientID: o.Client}).Verify(ctx, raw)
	if err != nil {
		return sub, refuse(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 || nonce == "" {
		return sub, refuse(errors.New("the nonce is another"))
	}
	if err := id.Claims(&sub); err != nil {
		return sub, refuse(err)
	}
	sub.key = id.Issuer + "|" + id.Subject
	return sub, nil
}

// subjectAccount is the account of whom a token speaks: by the provider's own id, or, the first time, by an address that
// the provider vouches for. From then on the account is bound to that id.
func (s *Service) subjectAccount(ctx context.Context, sub subject) (a *account, err error) {
	none := tocsin.Problemf(tocsin.Denied, "Ask an owner of this installation for an account with your address.", "The identity provider knows you, but there is no account here for %s.", cmp.Or(sub.address(), "you"))
	err = s.st.Update(ctx, func(tx *store.Tx) error {
		a, err = loadAccount(ctx, tx, `subject = $1`, sub.key)
		if err == nil || !errors.Is(err, store.ErrNone) {
			return err
		}
		if sub.address() == "" || !sub.vouched() {
			return none
		}
		if a, err = loadAccount(ctx, tx, `email = $1 and subject = ''`, sub.address()); errors.Is(err, store.ErrNone) {
			return none
		} else if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update account set subject = $2 where id = $1 and subject = ''`, a.id, sub.key); err != nil {
			return err
		}
		return accountFact(ctx, tx, Everywhere, a.id, a.email, "bound to the identity provider")
	})
	if err == nil && a.disabled {
		return nil, tocsin.Problemf(tocsin.Denied, "Ask an owner of this installation.", "The account %s is shut out.", a.email)
	}
	return a, err
}
