package connect

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// An e-mail connection by a service account comes about in two steps, each a way to Microsoft and back to the same address, by the installation's app
// registration of the tier inbox:
//
//	consent   once for the tenant, an administrator consents to the delegated permissions, for everybody
//	sign-in   the service account signs in, which gives the token that lasts
//
// Where the consent was given before, the first is left out. To reconnect is to sign in again: the connection, its addresses and threads stay.

// BeginEmail is what a service account's sign-in is begun with.
type BeginEmail struct {
	Tenant    string // id
	Name      string // what to call the connection; empty: by the account
	Consent   bool   // an administrator consents first
	Reconnect string // id of the connection that signs in again; empty: a new one
	Redirect  string // our address that Microsoft sends back to
}

const stepEmailConsent, stepEmailSignIn = "email-consent", "email-sign-in"

// BeginEmail gives the address at Microsoft where an administrator consents, or the service account signs in.
func (s *Connections) BeginEmail(ctx context.Context, who Asker, b BeginEmail) (string, error) {
	b.Tenant = strings.ToLower(strings.TrimSpace(b.Tenant))
	if _, err := uuid.Parse(b.Tenant); err != nil {
		return "", tocsin.Problemf(tocsin.Invalid, "Copy the tenant ID from Entra → Overview; it looks like 1b2c3d4e-0000-4000-8000-1234567890ab.", "%q is not a tenant id.", b.Tenant)
	}
	r, n, err := s.registered(ctx, Inbox)
	if err != nil {
		return "", err
	}
	u := underWay{Step: stepEmailSignIn, Begin: Begin{Tier: Inbox, Tenant: b.Tenant, Redirect: b.Redirect}, Client: r.Client, emailStep: emailStep{Email: &b}}
	if b.Reconnect != "" {
		c, err := s.EmailConnection(ctx, tocsin.TenantID(b.Tenant), b.Reconnect)
		if err != nil {
			return "", err
		}
		if c.Method != MethodDelegated {
			return "", tocsin.Problemf(tocsin.Conflict, "Enter a new secret or certificate of the app in its place.", "The connection %s has no account that signs in.", c.Name)
		}
		u.Hint = c.Account
	}
	if !b.Consent {
		return s.toSignIn(ctx, who, u, n)
	}
	u.Step = stepEmailConsent
	state, err := s.leave(ctx, who, u)
	if err != nil {
		return "", err
	}
	return graph.ConsentAddress(cloudOf(n), b.Tenant, r.Client, b.Redirect, state), nil
}

// toSignIn is where the service account signs in.
func (s *Connections) toSignIn(ctx context.Context, who Asker, u underWay, n New) (string, error) {
	u.Step, u.Nonce, u.Verifier = stepEmailSignIn, graph.Secret(), graph.Secret()
	state, err := s.leave(ctx, who, u)
	if err != nil {
		return "", err
	}
	return graph.DelegatedAddress(cloudOf(n), u.Email.Tenant, u.Client, u.Hint, InboxScopes,
		graph.SignInProof{Redirect: u.Begin.Redirect, State: state, Nonce: u.Nonce, Verifier: u.Verifier}), nil
}

// emailCameBack goes on with what Microsoft answered: to the sign-in after the consent, to the connection after that.
func (s *Connections) emailCameBack(ctx context.Context, who Asker, u underWay, a Answer, n New, may func(tocsin.TenantID) error) (next string, c EmailConnection, err error) {
	tenant := tocsin.TenantID(u.Email.Tenant)
	if err := may(tenant); err != nil {
		return "", c, err
	}
	if u.Step == stepEmailConsent {
		if !strings.EqualFold(a.AdminConsent, "true") {
			return "", c, asProblem(graph.OfAccount(graph.RedirectRefusal("access_denied", "")))
		}
		if !strings.EqualFold(a.Tenant, u.Email.Tenant) {
			return "", c, otherTenant(u.Email.Tenant, "another tenant")
		}
		u.Consented = s.Store.Clock().Now()
		next, err := s.toSignIn(ctx, who, u, n)
		return next, c, err
	}
	n.Tenant = u.Email.Tenant
	gc, err := s.open(n, nil)
	if err != nil {
		return "", c, err
	}
	g, err := gc.RedeemDelegated(ctx, a.Code, InboxScopes, graph.SignInProof{Redirect: u.Begin.Redirect, Nonce: u.Nonce, Verifier: u.Verifier})
	if err != nil {
		return "", c, entered(asProblem(err))
	}
	if g.Person.Tenant != u.Email.Tenant {
		return "", c, otherTenant(u.Email.Tenant, g.Person.Tenant)
	}
	if lacks := missing(InboxScopes, g.Scopes); len(lacks) > 0 {
		return "", c, tocsin.Problemf(tocsin.Denied, "Put "+strings.Join(lacks, ", ")+" into the app registration (API permissions → Delegated permissions), and begin again with an administrator's consent.",
			"The consent lacks %s. Nothing was connected.", strings.Join(lacks, " and "))
	}
	if g.Refresh == "" {
		return "", c, tocsin.Problemf(tocsin.Denied, "Put offline_access into the app registration (API permissions → Delegated permissions), and begin again with an administrator's consent.",
			"Microsoft gave no lasting sign-in, since offline_access is not among what was consented to: the mailboxes could be read for an hour and no longer. Nothing was connected.")
	}
	made := EmailConnection{Tenant: tenant, ID: u.Email.Reconnect, Name: strings.TrimSpace(u.Email.Name), Cloud: n.Cloud, Client: n.Client, Method: MethodDelegated, own: n.Own,
		Account: tocsin.CanonicalAddress(g.Person.UPN), AccountID: g.Person.ID, AccountName: g.Person.Name, SignedIn: s.Store.Clock().Now(), SignedInBy: who.Email}
	if !u.Consented.IsZero() {
		made.Consented, made.ConsentedBy = u.Consented, who.Email
	}
	c, err = s.keepEmail(ctx, who.Email, made, organisation{}, g.Refresh)
	return "", c, err
}

// emailStep is what is remembered of an e-mail connection between leaving and coming back, beside what every consent has.
type emailStep struct {
	Email     *BeginEmail `json:",omitempty"`
	Hint      string      `json:",omitempty"` // the account that is meant
	Consented time.Time   `json:",omitzero"`
}
