package connect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Consent in two steps, each a way to Microsoft and back to the same address:
//
//	sign-in   who signs in proves, by a token of theirs, which tenant is theirs
//	consent   an administrator of that tenant consents to what the app registration asks for
//
// What comes back is believed only with the state that was sent: it is kept hashed, belongs to one account and one session
// of a browser, expires after ten minutes and is gone once used. The tenant is never taken from an address: it is the one
// of the token, then of the app's own token there and of /organization, and what the address says must agree.

// stateLife is how long somebody may take at Microsoft.
const stateLife = 10 * time.Minute

// Asker is who connects a tenant: their account, and a value that only their session of a browser has.
type Asker struct {
	Account string // id
	Email   string
	Session string
}

// Begin is what a consent is begun with.
type Begin struct {
	Tier     Tier
	Products []Product // none: all
	Tenant   string    // id or domain; empty: the tenant of whoever signs in
	Redirect string    // our address that Microsoft sends back to
}

// Answer is what an address that Microsoft sent a browser back to says.
type Answer struct {
	State, Code, Tenant string
	AdminConsent        string
	Error, Description  string
}

// Step is what comes of an answer: another address to go to, or a connection.
type Step struct {
	Begin      Begin // what was begun, where the answer belongs to something, also with an error
	Next       string
	Connection Connection
	Email      EmailConnection // that was made or reconnected, in place of a connection
}

// underWay is what is remembered between leaving and coming back; sealed.
type underWay struct {
	Step     string // sign-in, consent
	Begin    Begin
	Client   string // of the registration, which must not change in between
	Nonce    string
	Verifier string
	Person   graph.Person
	emailStep
}

const stepSignIn, stepConsent = "sign-in", "consent"

var domainName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)+$`)

// BeginConsent gives the address at Microsoft where somebody signs in, to connect their tenant.
func (s *Connections) BeginConsent(ctx context.Context, who Asker, b Begin) (string, error) {
	b.Tenant = strings.ToLower(strings.TrimSpace(b.Tenant))
	_, err := uuid.Parse(b.Tenant)
	if b.Tenant != "" && err != nil && (len(b.Tenant) > 253 || !domainName.MatchString(b.Tenant)) {
		return "", tocsin.Problemf(tocsin.Invalid, "Give the tenant's id or one of its domains, such as contoso.com; or leave it empty to take the tenant of whoever signs in.", "%q is neither a tenant id nor a domain.", b.Tenant)
	}
	r, n, err := s.registered(ctx, b.Tier)
	if err != nil {
		return "", err
	}
	b.Products = allOr(b.Products)
	u := underWay{Step: stepSignIn, Begin: b, Client: r.Client, Nonce: graph.Secret(), Verifier: graph.Secret()}
	state, err := s.leave(ctx, who, u)
	if err != nil {
		return "", err
	}
	tenant := b.Tenant
	if tenant == "" {
		tenant = graph.AnyOrganization
	}
	return graph.SignInAddress(cloudOf(n), tenant, r.Client, graph.SignInProof{Redirect: b.Redirect, State: state, Nonce: u.Nonce, Verifier: u.Verifier}), nil
}

// leave remembers u under a new state, and gives the state.
func (s *Connections) leave(ctx context.Context, who Asker, u underWay) (string, error) {
	if who.Account == "" || who.Session == "" {
		return "", tocsin.Problemf(tocsin.Denied, "Sign in to Tocsin in a browser and connect from there.", "A consent is begun in a browser's session.")
	}
	plain, err := json.Marshal(u)
	if err != nil {
		return "", err
	}
	state := graph.Secret()
	hash := hashed(state)
	sealed, err := s.Keeper.Seal(plain, aboutConsent(hash))
	if err != nil {
		return "", err
	}
	now := s.Store.Clock().Now()
	return state, s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `delete from consent where expires <= $1`, tocsin.Millis(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into consent (hash, account, session, sealed, expires) values ($1, $2, $3, $4, $5)`,
			hash, who.Account, hashed(who.Session), sealed, tocsin.Millis(now.Add(stateLife)))
		return err
	})
}

func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// comeBack takes out what was remembered under a state, for whom it was remembered, once.
func (s *Connections) comeBack(ctx context.Context, who Asker, state string) (u underWay, err error) {
	var sealed []byte
	hash := hashed(state)
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `delete from consent where hash = $1 and account = $2 and session = $3 and expires > $4 returning sealed`,
			hash, who.Account, hashed(who.Session), tocsin.Millis(s.Store.Clock().Now())).Scan(&sealed)
	})
	if errors.Is(err, store.ErrNone) {
		return u, tocsin.Problemf(tocsin.Denied, "Begin again from Connections → Browse.",
			"This answer of Microsoft's belongs to no consent that was begun in this browser, is older than ten minutes, or was used already.")
	}
	if err != nil {
		return u, err
	}
	plain, err := s.Keeper.Open(sealed, aboutConsent(hash))
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(plain, &u)
}

// FinishConsent takes what Microsoft sent a browser back with. may says whether the asker may connect that tenant.
func (s *Connections) FinishConsent(ctx context.Context, who Asker, a Answer, may func(tocsin.TenantID) error) (Step, error) {
	u, err := s.comeBack(ctx, who, a.State)
	if err != nil {
		return Step{}, err
	}
	step := Step{Begin: u.Begin}
	if a.Error != "" && u.Email != nil {
		return step, asProblem(graph.OfAccount(graph.RedirectRefusal(a.Error, a.Description)))
	}
	if a.Error != "" {
		return step, asProblem(graph.RedirectRefusal(a.Error, a.Description))
	}
	r, n, err := s.registered(ctx, u.Begin.Tier)
	if err != nil {
		return step, err
	}
	if r.Client != u.Client {
		return step, tocsin.Problemf(tocsin.Conflict, "Begin again.", "Another app registration was entered meanwhile.")
	}
	if u.Email != nil {
		step.Next, step.Email, err = s.emailCameBack(ctx, who, u, a, n, may)
		return step, err
	}
	if u.Step == stepSignIn {
		step.Next, err = s.signedIn(ctx, who, u, a, n, may)
	} else {
		step.Connection, err = s.consented(ctx, who, u, a, n, may)
	}
	return step, err
}

// signedIn is the first way back: the code is redeemed for who signed in, who is sent on to consent.
func (s *Connections) signedIn(ctx context.Context, who Asker, u underWay, a Answer, n New, may func(tocsin.TenantID) error) (string, error) {
	n.Tenant = graph.AnyOrganization
	if u.Begin.Tenant != "" {
		n.Tenant = u.Begin.Tenant
	}
	gc, err := s.open(n, nil)
	if err != nil {
		return "", err
	}
	u.Person, err = gc.Redeem(ctx, a.Code, graph.SignInProof{Redirect: u.Begin.Redirect, Nonce: u.Nonce, Verifier: u.Verifier})
	if err != nil {
		return "", entered(asProblem(err))
	}
	if _, err := uuid.Parse(u.Begin.Tenant); err == nil && u.Begin.Tenant != u.Person.Tenant {
		return "", otherTenant(u.Begin.Tenant, u.Person.Tenant)
	}
	if err := may(tocsin.TenantID(u.Person.Tenant)); err != nil {
		return "", err
	}
	u.Step, u.Nonce, u.Verifier = stepConsent, "", ""
	state, err := s.leave(ctx, who, u)
	if err != nil {
		return "", err
	}
	return graph.ConsentAddress(cloudOf(n), u.Person.Tenant, n.Client, u.Begin.Redirect, state), nil
}

func otherTenant(want, got string) error {
	return tocsin.Problemf(tocsin.Invalid, "Begin again, and use an account of the tenant that is to be connected.", "The tenant %s was to be connected, and the answer is of %s. Nothing was connected.", want, got)
}

// consented is the second way back: what the address claims must agree with who signed in, and is then proven.
func (s *Connections) consented(ctx context.Context, who Asker, u underWay, a Answer, n New, may func(tocsin.TenantID) error) (Connection, error) {
	if !strings.EqualFold(a.AdminConsent, "true") {
		return Connection{}, asProblem(graph.RedirectRefusal("access_denied", ""))
	}
	if !strings.EqualFold(a.Tenant, u.Person.Tenant) {
		said := a.Tenant
		if _, err := uuid.Parse(said); err != nil {
			said = "no tenant"
		}
		return Connection{}, otherTenant(u.Person.Tenant, said)
	}
	if err := may(tocsin.TenantID(u.Person.Tenant)); err != nil { // a role may have been taken meanwhile
		return Connection{}, err
	}
	n.Tenant, n.Tier, n.Products = u.Person.Tenant, u.Begin.Tier, u.Begin.Products
	n.Consent = &Consent{At: s.Store.Clock().Now(), Name: u.Person.Name, UPN: u.Person.UPN, ID: u.Person.ID, Actor: who.Email}
	return s.Create(ctx, who.Email, n)
}

// Consent is that a tenant consented: who signed in for it, when, and what the app's token granted then. Microsoft does not
// tell whether another account was chosen on its consent page; who signed in directly before is who is named.
type Consent struct {
	At        time.Time
	Name, UPN string
	ID        string // object id
	Actor     string // who connected it, here
	Granted   []string
}

// proveConsented proves a fresh consent: the app's own token there is of that tenant. A directory knows a new app everywhere
// only after some seconds; they are waited for.
func (s *Connections) proveConsented(ctx context.Context, gc *graph.Client, n *New) (organisation, error) {
	for wait := 500 * time.Millisecond; ; wait *= 2 {
		org, err := s.proveOnce(ctx, gc, n)
		e, ok := errors.AsType[*graph.Revoked](err)
		if !ok || wait > 4*time.Second || e.Code != "AADSTS700016" && e.Code != "AADSTS7000229" && e.Code != "AADSTS65001" {
			if ok && wait > 4*time.Second {
				return org, &tocsin.Problem{Code: tocsin.Unavailable, Err: err, What: "The consent was given, and Microsoft's directory does not know the app in the tenant yet.",
					Do: "Wait a minute and connect again. " + FreshGrant}
			}
			return org, err
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return org, ctx.Err()
		case <-t.C:
		}
		if err := gc.SignIn(ctx); ctx.Err() != nil {
			return org, errors.Join(ctx.Err(), err)
		}
	}
}

func (s *Connections) proveOnce(ctx context.Context, gc *graph.Client, n *New) (organisation, error) {
	org, err := prove(ctx, gc, tocsin.TenantID(n.Tenant))
	if err != nil {
		return org, err
	}
	n.Consent.Granted, err = gc.Roles(ctx)
	return org, err
}

// keepConsent writes who consented, within the transaction that writes the connection.
func keepConsent(ctx context.Context, t *store.Tenant, connection string, c Consent) error {
	granted, err := json.Marshal(c.Granted)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `insert into consented (tenant, connection, id, at, name, upn, object_id, actor, granted) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		connection, tocsin.NewID(), tocsin.Millis(c.At), c.Name, c.UPN, c.ID, c.Actor, string(granted))
	return err
}

// Choose switches products of a connection on, and all others off. Entra stays on: the others rest on it.
func (s *Connections) Choose(ctx context.Context, actor string, tenant tocsin.TenantID, id string, products []Product) error {
	if len(products) == 0 {
		products = []Product{Entra}
	}
	text, err := json.Marshal(allOr(products))
	if err != nil {
		return err
	}
	c, err := s.Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	return s.update(ctx, actor, c, `update connection set products = $3, version = version + 1 where tenant = $1 and id = $2 and products <> $3`, string(text))
}

// chosen gives the products that are switched on.
func chosen(ctx context.Context, t *store.Tenant, id string) (out []Product, err error) {
	var text string
	if err := t.QueryRow(ctx, `select products from connection where tenant = $1 and id = $2`, id).Scan(&text); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, fmt.Errorf("products of connection %s: %w", id, err)
	}
	return out, nil
}

// switchedOff says of the capabilities of products that are not switched on that they are off for that.
func switchedOff(list []Verdict, on []Product) {
	for i, v := range list {
		for _, p := range Products {
			if p.Product != v.Product || v.Not != "" || slices.Contains(on, p.Product) {
				continue
			}
			list[i].State, list[i].Because, list[i].Mend = Off, p.Title+" is switched off for this connection. "+v.Cost, "Switch "+p.Title+" on under Connections → Browse."
		}
	}
}

// SourcesOff are the sources that a connection does not read, since their product is switched off.
func (s *Connections) SourcesOff(ctx context.Context, c Connection) (out []string, err error) {
	var on []Product
	if err := s.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) (err error) { on, err = chosen(ctx, t, c.ID); return err }); err != nil {
		return nil, err
	}
	for source, call := range sources {
		if source == askedBySearch {
			continue // somebody asks for it
		}
		for _, k := range Capabilities {
			if slices.Contains(on, k.Product) {
				continue
			}
			for _, need := range k.Needs {
				if need == call {
					out = append(out, source)
				}
			}
		}
	}
	return out, nil
}

// aboutConsent binds what is remembered of a consent to its state.
func aboutConsent(hash string) string { return "consent|" + hash }
