package api

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// CallbackPath is where Microsoft sends browsers back to.
const CallbackPath = "/connect/callback"

// callback is our address that Microsoft sends a browser back to: where browsers reach the pages, by the setting url; without
// it, the address that was asked, where that is this machine's own. What a stranger's Host header says is not taken.
func (s *Service) callback(ctx context.Context) (string, error) {
	if s.o.Origin != "" {
		return strings.TrimRight(s.o.Origin, "/") + CallbackPath, nil
	}
	if r := requestOf(ctx); r != nil && r.host != "" {
		host, _, err := net.SplitHostPort(r.host)
		if err != nil {
			host = r.host
		}
		a, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback() {
			scheme := "http://"
			if s.o.TLS {
				scheme = "https://"
			}
			return scheme + r.host + CallbackPath, nil
		}
	}
	return "", tocsin.Problemf(tocsin.Conflict, "Set url to the address at which browsers reach this server, such as https://tocsin.example, and restart it.",
		"This server does not know its own address, so Microsoft could not send anybody back to it.")
}

// connecting says who asks for something that package connect does for the installation, if they may and it can be done.
func (s *Service) connecting(ctx context.Context, name string, in any) (Caller, error) {
	c, err := s.allow(ctx, name, Everywhere)
	if err == nil {
		err = valid(in)
	}
	if err == nil && s.o.Connections == nil {
		err = errNoConnect
	}
	return c, err
}

// ListRegistrations lists the app registrations of the installation. Of a credential only its kind leaves the table.
func (s *Service) ListRegistrations(ctx context.Context, in RegistrationsIn) (Page[Registration], error) {
	if _, err := s.connecting(ctx, "registrations list", in); err != nil {
		return Page[Registration]{}, err
	}
	return slice("registrations", in.Paging, func() ([]Registration, error) {
		all, err := s.o.Connections.Registrations(ctx)
		out := []Registration{}
		for _, r := range all {
			out = append(out, registrationOf(r))
		}
		return out, err
	}, func(r Registration) string { return r.Tier })
}

func registrationOf(r connect.Registration) Registration {
	return Registration{Tier: string(r.Tier), ClientID: r.Client, Cloud: r.Cloud, Method: r.Method, Authority: r.Own.Authority, Graph: r.Own.Graph, Ends: r.Ends, Changed: r.Changed, ChangedBy: r.By}
}

// SetRegistration enters an app registration, in place of the tier's there was.
func (s *Service) SetRegistration(ctx context.Context, in SetRegistrationIn) (_ Registration, err error) {
	c, err := s.connecting(ctx, "registrations set", in)
	defer func() { s.noteAfter(ctx, "registrations set", Everywhere, in, c, err) }()
	if err != nil {
		return Registration{}, err
	}
	tier, err := connect.ParseTier(in.Tier)
	if err != nil {
		return Registration{}, err
	}
	b := in.Body
	if err := tocsin.Together(ConnectionNew{Secret: b.Secret, Certificate: b.Certificate, Authority: b.Authority, Graph: b.Graph}.faults()...); err != nil {
		return Registration{}, err
	}
	r, err := s.o.Connections.SetRegistration(ctx, c.Email, connect.NewRegistration{Tier: tier, Client: b.ClientID, Secret: b.Secret, Certificate: b.Certificate, Cloud: b.Cloud,
		Own: connect.Own{Authority: b.Authority, Graph: b.Graph, CA: b.CA}})
	return registrationOf(r), err
}

// DeleteRegistration forgets an app registration and its credential.
func (s *Service) DeleteRegistration(ctx context.Context, in RegistrationIn) (_ None, err error) {
	c, err := s.connecting(ctx, "registrations delete", in)
	defer func() { s.noteAfter(ctx, "registrations delete", Everywhere, in, c, err) }()
	if err != nil {
		return None{}, err
	}
	tier, err := connect.ParseTier(in.Tier)
	if err != nil {
		return None{}, err
	}
	return None{}, s.o.Connections.DeleteRegistration(ctx, tier)
}

// GuideConnection says what to do in Entra to make an app registration.
func (s *Service) GuideConnection(ctx context.Context, in GuideIn) (Guide, error) {
	if _, err := s.allow(ctx, "connections guide", Everywhere); err != nil {
		return Guide{}, err
	}
	if err := valid(in); err != nil {
		return Guide{}, err
	}
	tier, err := connect.ParseTier(in.Tier)
	if err != nil {
		return Guide{}, err
	}
	products, err := connect.ParseProducts(in.For)
	if err != nil {
		return Guide{}, err
	}
	way := connect.ByCredentials
	if in.Way == string(connect.ByOAuth) {
		way = connect.ByOAuth
	}
	redirect, err := s.callback(ctx)
	if err != nil && way == connect.ByOAuth {
		return Guide{}, err
	}
	return guideOf(connect.MakeGuide(tier, way, products, redirect, in.Cloud), redirect), nil
}

func guideOf(g connect.Guide, redirect string) Guide {
	out := Guide{Tier: string(g.Tier), Way: string(g.Way), Products: []string{}, Steps: g.Steps, Permissions: []Asked{}, Manifest: g.Manifest, AzureCLI: g.AzureCLI, PowerShell: g.PowerShell, Who: g.Who}
	if g.Way == connect.ByOAuth {
		out.RedirectURI = redirect
	}
	for _, p := range g.Products {
		out.Products = append(out.Products, string(p))
	}
	for _, a := range g.Permissions {
		p := Asked{Name: a.Permission.Name, ID: a.Permission.ID, Service: a.Permission.ServiceName(), For: []string{}, Why: a.Why, Optional: a.Optional}
		for _, c := range a.For {
			p.For = append(p.For, c.Title)
		}
		out.Permissions = append(out.Permissions, p)
	}
	return out
}

// ChooseProducts switches products of a connection on, and the others off.
func (s *Service) ChooseProducts(ctx context.Context, in ChooseIn) (Connection, error) {
	var products []connect.Product
	if len(in.Body.Products) > 0 {
		var err error
		if products, err = connect.ParseProducts(in.Body.Products); err != nil {
			return Connection{}, err
		}
	}
	return s.changeConnection(ctx, "connections choose", in, func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
		if s.o.Connections == nil {
			return errNoConnect
		}
		return s.o.Connections.Choose(ctx, actor, tenant, id, products)
	})
}

// asker is the caller as package connect wants it: with what only their session of a browser has.
func (s *Service) asker(ctx context.Context, c Caller) (connect.Asker, error) {
	if c.By != "session" || s.o.Connections == nil {
		return connect.Asker{}, tocsin.Problemf(tocsin.Denied, "Sign in to Tocsin in a browser and connect from there; or use connections create with API credentials.", "A consent is begun in a browser's session.")
	}
	return connect.Asker{Account: c.Account, Email: c.Email, Session: s.sessions.Token(ctx)}, nil
}

// mayConnect says whether the caller may connect a tenant: an admin of the installation any, an admin of a tenant that one.
func mayConnect(c Caller) func(tocsin.TenantID) error {
	return func(tenant tocsin.TenantID) error {
		if c.Role(tenant).Includes(Admin) {
			return nil
		}
		return tocsin.Problemf(tocsin.Denied, "Ask an administrator of this installation to connect it.", "You may not connect the tenant %s here.", tenant)
	}
}

// administers says whether the caller is an admin of anything.
func administers(c Caller) bool {
	for _, g := range c.Grants {
		if g.Role.Includes(Admin) {
			return true
		}
	}
	return false
}

// BeginConsent begins to connect a tenant by signing in to it: the answer is where to send the browser.
func (s *Service) BeginConsent(ctx context.Context, in BeginConsentIn) (_ ConsentStep, err error) {
	c, err := s.allow(ctx, "consents begin", Everywhere)
	defer func() { s.noteAfter(ctx, "consents begin", Everywhere, nil, c, err) }()
	if err != nil {
		return ConsentStep{}, err
	}
	if err := valid(in); err != nil {
		return ConsentStep{}, err
	}
	who, err := s.asker(ctx, c)
	if err != nil {
		return ConsentStep{}, err
	}
	if !administers(c) {
		return ConsentStep{}, tocsin.Problemf(tocsin.Denied, "Ask an administrator of this installation to connect it.", "Your role may not connect a tenant.")
	}
	tier, err := connect.ParseTier(in.Body.Tier)
	if err != nil {
		return ConsentStep{}, err
	}
	products, err := connect.ParseProducts(in.Body.Products)
	if err != nil {
		return ConsentStep{}, err
	}
	redirect, err := s.callback(ctx)
	if err != nil {
		return ConsentStep{}, err
	}
	next, err := s.o.Connections.BeginConsent(ctx, who, connect.Begin{Tier: tier, Products: products, Tenant: in.Body.Tenant, Redirect: redirect})
	return ConsentStep{Next: next}, err
}

// FinishConsent takes what Microsoft sent a browser back with: the answer is where to send it next, or the connection.
func (s *Service) FinishConsent(ctx context.Context, in FinishConsentIn) (_ ConsentStep, err error) {
	c, err := s.allow(ctx, "consents finish", Everywhere)
	defer func() { s.noteAfter(ctx, "consents finish", Everywhere, nil, c, err) }()
	if err != nil {
		return ConsentStep{}, err
	}
	if err := valid(in); err != nil {
		return ConsentStep{}, err
	}
	who, err := s.asker(ctx, c)
	if err != nil {
		return ConsentStep{}, err
	}
	b := in.Body
	step, err := s.o.Connections.FinishConsent(ctx, who, connect.Answer{State: b.State, Code: b.Code, Tenant: b.Tenant, AdminConsent: b.AdminConsent, Error: b.Error, Description: b.Description}, mayConnect(c))
	out := ConsentStep{Next: step.Next, Tenant: step.Connection.Tenant, Connection: step.Connection.ID, Begun: &ConsentNew{Tier: string(step.Begin.Tier), Tenant: step.Begin.Tenant}}
	if step.Email.ID != "" {
		out.Tenant, out.Email = step.Email.Tenant, step.Email.ID
	}
	for _, p := range step.Begin.Products {
		out.Begun.Products = append(out.Begun.Products, string(p))
	}
	return out, err
}

// consentsOf fills in who consented to connections, and for what they are.
func consentsOf(ctx context.Context, t *store.Tenant, list []Connection) error {
	type more struct {
		id, tier, products string
	}
	rows, err := find(ctx, t, (&query{}).add("select id, tier, products from connection where tenant = $1"), func(r *more) []any { return []any{&r.id, &r.tier, &r.products} })
	if err != nil {
		return err
	}
	type consent struct {
		connection, granted string
		Consent
		at int64
	}
	consents, err := find(ctx, t, (&query{}).add("select connection, at, name, upn, actor, granted from consented where tenant = $1 order by at desc, id desc"), func(r *consent) []any {
		return []any{&r.connection, &r.at, &r.Name, &r.UPN, &r.Actor, &r.granted}
	})
	if err != nil {
		return err
	}
	for i := range list {
		c := &list[i]
		c.Products, c.Consents = []string{}, []Consent{}
		for _, r := range rows {
			if r.id == c.ID {
				c.Tier = r.tier
				if err := json.Unmarshal([]byte(r.products), &c.Products); err != nil {
					return err
				}
			}
		}
		for _, r := range consents {
			if r.connection != c.ID {
				continue
			}
			r.At, r.Granted = tocsin.FromMillis(r.at), []string{}
			if err := json.Unmarshal([]byte(r.granted), &r.Granted); err != nil {
				return err
			}
			c.Consents = append(c.Consents, r.Consent)
		}
	}
	return nil
}

// Consent is that a tenant consented. Who is named signed in directly before; Microsoft does not tell whether another account
// was chosen on its consent page.
type Consent struct {
	At      time.Time `json:"at"`
	Name    string    `json:"name"`
	UPN     string    `json:"upn"`
	Actor   string    `json:"actor"`   // who connected it, here
	Granted []string  `json:"granted"` // what the app's token granted then
}

// Registration is an app registration of the installation, by which tenants consent: one for each tier.
type Registration struct {
	Tier      string    `json:"tier"` // read, respond, privileged or inbox
	ClientID  string    `json:"client_id"`
	Cloud     string    `json:"cloud"`
	Method    string    `json:"method"` // secret or certificate
	Authority string    `json:"authority,omitempty"`
	Graph     string    `json:"graph,omitempty"`
	Ends      time.Time `json:"ends,omitzero"` // of its certificate
	Changed   time.Time `json:"changed,omitzero"`
	ChangedBy string    `json:"changed_by"`
}

// RegistrationNew is what makes one. Give a secret, or a certificate with its key as PEM.
type RegistrationNew struct {
	ClientID    string `json:"client_id" minLength:"1" maxLength:"200" doc:"The app registration's application (client) id"`
	Secret      string `json:"client_secret,omitempty" maxLength:"4096" doc:"A client secret's value"`
	Certificate string `json:"certificate,omitempty" maxLength:"65536" doc:"A certificate with its private key, as PEM"`
	Cloud       string `json:"cloud,omitempty" maxLength:"200" doc:"global, usgov, dod or china; or own with the addresses"`
	Authority   string `json:"authority,omitempty" maxLength:"1000" doc:"Sign-in address of a cloud of one's own"`
	Graph       string `json:"graph,omitempty" maxLength:"1000" doc:"Graph address of a cloud of one's own"`
	CA          string `json:"ca,omitempty" maxLength:"65536" doc:"Certificate authority of a cloud of one's own, as PEM"`
}

// Guide is what somebody does in Entra to make an app registration: the steps by hand, or one of the scripts.
type Guide struct {
	Tier        string   `json:"tier"`
	Way         string   `json:"way"` // oauth or credentials
	Products    []string `json:"products"`
	RedirectURI string   `json:"redirect_uri,omitempty"`
	Who         string   `json:"who"` // may consent
	Steps       []string `json:"steps"`
	Permissions []Asked  `json:"permissions"`
	Manifest    string   `json:"manifest"` // requiredResourceAccess, JSON
	AzureCLI    string   `json:"azure_cli"`
	PowerShell  string   `json:"powershell"`
}

// Asked is a permission that is asked for, and why.
type Asked struct {
	Name     string   `json:"name"`
	ID       string   `json:"id,omitempty"`
	Service  string   `json:"service"`
	For      []string `json:"for"` // capabilities
	Why      []string `json:"why"`
	Optional bool     `json:"optional"` // what needs it works without it, less well
}

// ConsentStep is what comes next when a tenant is connected by consent: an address at Microsoft, or the connection.
type ConsentStep struct {
	Next       string          `json:"next,omitempty"`
	Tenant     tocsin.TenantID `json:"tenant,omitempty"`
	Connection string          `json:"connection,omitempty"`
	Email      string          `json:"email_connection,omitempty"` // id of the e-mail connection, where that is what was begun
	Begun      *ConsentNew     `json:"begun,omitempty"`            // with what it was begun
}

// RegistrationsIn lists app registrations.
type RegistrationsIn struct {
	Paging
}

// RegistrationIn names an app registration by its tier.
type RegistrationIn struct {
	Tier string `path:"tier" minLength:"1" maxLength:"20" doc:"read, respond, privileged or inbox"`
}

// SetRegistrationIn enters an app registration.
type SetRegistrationIn struct {
	RegistrationIn
	Body RegistrationNew
}

// GuideIn asks for the guide to an app registration.
type GuideIn struct {
	Tier  string   `query:"tier" enum:"read,respond,investigate,privileged,inbox" doc:"What for; read when absent; investigate is for a mail configuration, inbox for shared mailboxes"`
	For   []string `query:"for" enum:"outlook,entra,intune,sharepoint,teams" doc:"Which products; all when absent"`
	Way   string   `query:"way" enum:"oauth,credentials" doc:"For tenants that sign in, or for one tenant's own credentials; credentials when absent"`
	Cloud string   `query:"cloud" enum:"global,gcc,usgov,dod,china,own" doc:"Microsoft's cloud; global when absent"`
}

// ChooseIn switches products of a connection on and off.
type ChooseIn struct {
	ByIDAct
	Body Choice
}

// Choice is which products shall be on.
type Choice struct {
	Products []string `json:"products" enum:"outlook,entra,intune,sharepoint,teams" doc:"Those that are on; Entra always is"`
}

// BeginConsentIn begins a consent.
type BeginConsentIn struct {
	Body ConsentNew
}

// ConsentNew is what a consent is begun with.
type ConsentNew struct {
	Tier     string   `json:"tier,omitempty" enum:"read,respond,privileged" doc:"What for; read when absent"`
	Products []string `json:"products,omitempty" enum:"outlook,entra,intune,sharepoint,teams" doc:"Which products; all when absent"`
	Tenant   string   `json:"tenant,omitempty" maxLength:"253" doc:"Id or domain; the tenant of whoever signs in when absent"`
}

// FinishConsentIn is what Microsoft sent a browser back with.
type FinishConsentIn struct {
	Body ConsentAnswer
}

// ConsentAnswer is the query of an address that Microsoft sent a browser back to.
type ConsentAnswer struct {
	State        string `json:"state" maxLength:"500"`
	Code         string `json:"code,omitempty" maxLength:"20000"`
	Tenant       string `json:"tenant,omitempty" maxLength:"500"`
	AdminConsent string `json:"admin_consent,omitempty" maxLength:"100"`
	Error        string `json:"error,omitempty" maxLength:"1000"`
	Description  string `json:"error_description,omitempty" maxLength:"20000"`
}
