package connect

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

// New is what makes a connection: a secret, or a certificate with its key as PEM.
type New struct {
	Name, Tenant, Client string
	Secret               string
	Certificate          string
	Cloud                string // global, usgov, dod, china; or own, with the three below
	Own                  Own

	Products []Product // switched on; none: all
	Tier     Tier      // empty: read
	// Expires is when the secret ends, where somebody knows; a certificate says so itself.
	Expires time.Time
	// Consent is who consented, by OAuth: the credential is then the registration's, and none is kept with the connection.
	Consent   *Consent
	delegated *graph.Delegated // how an account is acted for; nil: the app by itself
	// Mail is what a connection to investigate is configured for; see [Connections.CreateMail].
	Mail *MailSettings
}

// Own is a cloud of one's own: a simulator, or a proxy.
type Own struct {
	Authority string `json:"authority,omitempty"`
	Graph     string `json:"graph,omitempty"`
	CA        string `json:"ca,omitempty"` // PEM
}

// States of a connection.
const (
	On     = "on"
	Paused = "paused"
	Broken = "broken" // its credentials no longer work; because and mend say why

	Closing = "closing" // it is being closed: nothing is asked, and what belongs to it is being put away
	Closed  = "closed"  // its credential is erased; what it read stays, and it can be opened again
)

// Connection is a way to a tenant.
type Connection struct {
	Tenant                  tocsin.TenantID
	ID, Name, Cloud, Client string
	Method, State           string
	Tier                    Tier
	Because, Mend           string
	Created, Proven         time.Time
	Version                 int64
	Registered              int64     // the version of the app registration by which it signs in, as [Connections.List] gives it; 0 where it has a credential of its own
	Looked                  time.Time // when what is granted was last read from the tenant
	Expires                 time.Time // of the credential; zero where that is not known
	MetadataOnly            bool
	closing                 string // keep or erase
	told                    string // the step of the credential's end that was told last
}

// Collects says whether something may be asked of Graph by it. One that is broken is tried all the same: that is how it
// mends itself when what was wrong is set right.
func (c Connection) Collects() bool { return !c.stopped() }

// stopped says whether nothing is asked of Graph by it.
func (c Connection) stopped() bool {
	return c.State == Paused || c.State == Closing || c.State == Closed
}

var errClosed = tocsin.Problemf(tocsin.Conflict, "Open it again with a new credential.", "The connection is closed: its credential is erased.")

// asks says why nothing may be asked of Graph, where nothing may.
func (c Connection) asks() error {
	switch c.State {
	case Paused:
		return tocsin.Problemf(tocsin.Conflict, "Resume it first.", "The connection is paused: nothing is asked of Graph.")
	case Closing:
		return tocsin.Problemf(tocsin.Conflict, "Wait until it is closed; that takes some seconds, more where much is erased.", "The connection is being closed.")
	case Closed:
		return errClosed
	}
	return nil
}

// Connections keeps the connections and hands out their Graph clients.
type Connections struct {
	Store  *store.Store
	Keeper *secret.Keeper
	Limits *graph.Shared // what all connections use of Microsoft's limits; nil: each client keeps its own
	Log    *slog.Logger
	// Allow are networks in which a cloud of one's own may stand, though they are not public.
	Allow []netip.Prefix
	// Unheard says that this server has no address that Graph could tell of mail.
	Unheard bool
	// HTTP is used in place of a client of our own, in tests and the demo with the simulator in process.
	HTTP *http.Client

	mu      sync.Mutex
	clients map[string]*client // by tenant/connection

	knowing sync.Mutex
	known   map[string]known // by tenant/app
}

// client is a Graph client in use, and the switch that stops it.
type client struct {
	graph   *graph.Client
	version int64
	paused  atomic.Bool
	content atomic.Bool // may be read

	carries []string // permissions that its tokens carry, and since when; guarded by Connections.mu
	since   time.Time
}

// set turns the switches as the connection's row has them.
func (c *client) set(k kept) {
	c.paused.Store(k.state == Paused || k.state == Closing || k.state == Closed)
	c.content.Store(!k.metadataOnly)
}

// clouds are Microsoft's, by the name settings use.
var clouds = map[string]graph.Cloud{"global": graph.Global, "gcc": graph.USGCC, "usgov": graph.USGov, "dod": graph.USDoD, "china": graph.China}

// check says what cannot be right about n before anything is sent.
func (n *New) check() error {
	if n.Cloud == "" {
		n.Cloud = "global"
		if n.Own.Graph != "" {
			n.Cloud = "own"
		}
	}
	n.Tenant = strings.ToLower(strings.TrimSpace(n.Tenant))
	n.Client = strings.TrimSpace(n.Client)
	return tocsin.Together(n.Faults()...)
}

// Faults are all that cannot be right about n, whatever Microsoft would say to it.
func (n New) Faults() (all []*tocsin.Problem) {
	bad := func(do, what string, args ...any) {
		all = append(all, tocsin.Problemf(tocsin.Invalid, do, what, args...))
	}
	if _, err := uuid.Parse(strings.TrimSpace(n.Tenant)); err != nil {
		bad("Copy the tenant ID from Entra → Overview; it looks like 1b2c3d4e-0000-4000-8000-1234567890ab.", "%q is not a tenant id.", n.Tenant)
	}
	if _, err := uuid.Parse(strings.TrimSpace(n.Client)); err != nil {
		bad("Copy the Application (client) ID from the app registration's overview.", "%q is not an application id.", n.Client)
	}
	switch {
	case n.Secret == "" && n.Certificate == "":
		bad("Give client_secret, or certificate with its private key, as PEM.", "The credential is missing.")
	case n.Secret != "" && n.Certificate != "":
		bad("Give one of client_secret and certificate.", "There are two credentials.")
	}
	if _, err := uuid.Parse(n.Secret); err == nil {
		bad("Copy the column Value of the client secret, not the Secret ID; it is shown only once, so make a new secret if it is gone.", "That is a secret's id, not its value.")
	}
	_, known := clouds[n.Cloud]
	switch addresses := addressed(n.Own.Graph) && addressed(n.Own.Authority); {
	case !known && n.Cloud != "" && n.Cloud != "own":
		bad("Use global, gcc, usgov, dod or china, or give the addresses of a cloud of your own.", "No cloud is called %q.", n.Cloud)
	case !addresses && (n.Cloud == "own" || n.Own.Graph != "" || n.Own.Authority != ""):
		bad("Give both, authority and graph, as https:// addresses.", "A cloud of one's own needs the addresses of Graph and of its sign-in.")
	}
	return all
}

// addressed says whether s is an https address, without a query or a user.
func addressed(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// Create makes a connection once it has proven itself, and judges its capabilities. The actor is who asked for it.
// Where the tenant is connected by the same app already, and that connection is broken, it gets the new credential:
// nothing that was collected is lost, and what was broken goes on.
func (s *Connections) Create(ctx context.Context, actor string, n New) (Connection, error) {
	if err := n.check(); err != nil {
		return Connection{}, err
	}
	if err := s.reachable(ctx, n); err != nil {
		return Connection{}, err
	}
	gc, err := s.open(n, nil)
	if err != nil {
		return Connection{}, err
	}
	var org organisation
	if n.Consent != nil {
		org, err = s.proveConsented(ctx, gc, &n)
	} else {
		org, err = prove(ctx, gc, tocsin.TenantID(n.Tenant))
	}
	if err != nil {
		return Connection{}, entered(err)
	}
	c := Connection{Tenant: tocsin.TenantID(n.Tenant), ID: tocsin.NewID(), Name: n.Name, Cloud: n.Cloud, Client: n.Client,
		Method: method(n), State: On, Tier: cmp.Or(n.Tier, Read), Created: s.Store.Clock().Now(), Version: 1}
	c.Proven = c.Created
	if err := s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error { return s.insert(ctx, t, &c, n, org, actor) }); err != nil {
		return Connection{}, err
	}
	if err := s.ends(ctx, c, n); err != nil {
		return Connection{}, err
	}
	if _, err := s.capabilities(ctx, c, gc); err != nil {
		return Connection{}, err
	}
	return c, nil
}

// insert writes a connection that has proven itself; c is the one it takes the place of, where there is one.
func (s *Connections) insert(ctx context.Context, t *store.Tenant, c *Connection, n New, org organisation, actor string) error {
	named := org.name
	if named == "" {
		named = string(c.Tenant)
	}
	if _, err := t.Exec(ctx, `insert into tenant (tenant, name, initial_domain, created) values ($1, $2, $3, $4) on conflict (tenant) do nothing`,
		named, org.domain, tocsin.Millis(c.Created)); err != nil {
		return err
	}
	if org.name != "" {
		if _, err := t.Exec(ctx, `update tenant set name = $2, initial_domain = $3 where tenant = $1`, org.name, org.domain); err != nil {
			return err
		}
	}
	if c.Name == "" {
		if err := t.QueryRow(ctx, `select name from tenant where tenant = $1`).Scan(&c.Name); err != nil {
			return err
		}
		c.Name += map[Tier]string{Respond: ", to respond", Investigate: ", mail", Privileged: ", privileged"}[c.Tier]
	}
	var state, by string
	var tier Tier
	err := t.QueryRow(ctx, `select id, name, state, version, tier, method from connection where tenant = $1 and client_id = $2`, c.Client).Scan(&c.ID, &c.Name, &state, &c.Version, &tier, &by)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return err
	}
	if err == nil && state == Closing {
		return (Connection{State: Closing}).asks()
	}
	if err == nil && n.Mail != nil {
		if err := n.mayTake(ctx, t, c.ID, tier, state, by); err != nil {
			return err
		}
		c.Name = cmp.Or(n.Name, c.Name)
	} else if err == nil && state != Broken && state != Closed && n.Consent == nil {
		return tocsin.Problemf(tocsin.Conflict, "Open that connection instead; it can be given another credential.", "This tenant is connected by this app already.")
	}
	if err == nil {
		c.Version++
	}
	credential := n.Secret + n.Certificate
	if n.Consent != nil {
		credential = "" // the registration's is used
	}
	sealed, err := s.Keeper.Seal([]byte(credential), about(c.Tenant, c.ID))
	if err != nil {
		return fmt.Errorf("seal the credential: %w", err)
	}
	settings, err := json.Marshal(n.Own)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, settings, created, proven, version)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)
		on conflict (tenant, id) do update set name = excluded.name, cloud = excluded.cloud, method = excluded.method, sealed = excluded.sealed, state = excluded.state, because = '', mend = '',
			settings = excluded.settings, proven = excluded.proven, version = excluded.version, closing = ''`,
		c.ID, c.Name, c.Cloud, c.Client, c.Method, sealed, c.State, string(settings), tocsin.Millis(c.Created), c.Version); err != nil {
		return err
	}
	if err := n.keepMore(ctx, t, c.ID); err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: c.ID, Actor: actor})
}

// keepMore writes what a connection was made for, and by whose consent.
func (n New) keepMore(ctx context.Context, t *store.Tenant, id string) error {
	products, err := json.Marshal(allOr(n.Products))
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `update connection set tier = $3, products = $4 where tenant = $1 and id = $2`, id, string(cmp.Or(n.Tier, Read)), string(products)); err != nil {
		return err
	}
	// What was refused before may be granted now: it is asked again, and outweighs no grant until then.
	if _, err := t.Exec(ctx, `update source set due = 0, failed = 0, because = '', mend = '' where tenant = $1 and failed > succeeded`); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `delete from refusal where tenant = $1 and connection = $2`, id); err != nil {
		return err
	}
	if n.Mail != nil {
		if _, err := t.Exec(ctx, `update connection set metadata_only = $3 where tenant = $1 and id = $2`, id, false); err != nil {
			return err
		}
		if err := n.Mail.keep(ctx, t, id); err != nil {
			return err
		}
	}
	if n.Consent == nil {
		return nil
	}
	return keepConsent(ctx, t, id, *n.Consent)
}

// entered is a refusal of what somebody has just entered: that can be corrected at once.
func entered(err error) error {
	if _, ok := errors.AsType[*graph.Revoked](err); ok {
		p := *asProblem(err)
		p.Code = tocsin.Invalid
		return &p
	}
	return err
}

func method(n New) string {
	if n.Consent != nil {
		return MethodOAuth
	}
	if n.Certificate != "" {
		return "certificate"
	}
	return "secret"
}

// about binds a sealed credential to its connection.
func about(t tocsin.TenantID, id string) string { return string(t) + "|" + id + "|credential" }

// cloudOf is where n's tenant is.
func cloudOf(n New) graph.Cloud {
	if n.Cloud == "own" {
		return graph.Own(strings.TrimRight(n.Own.Authority, "/"), strings.TrimRight(n.Own.Graph, "/"))
	}
	return clouds[n.Cloud]
}

// open makes a Graph client; by, where given, are the switches that stop every call of it, or those that read content.
func (s *Connections) open(n New, by *client) (*graph.Client, error) {
	if by == nil {
		by = &client{}
	}
	hc := s.HTTP
	if n.Cloud == "own" && hc == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.Proxy, t.DialContext, t.MaxIdleConnsPerHost = nil, s.guard().Dialer().DialContext, 64
		if n.Own.CA != "" {
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM([]byte(n.Own.CA)) {
				return nil, tocsin.Problemf(tocsin.Invalid, "Give the certificate authority as PEM (-----BEGIN CERTIFICATE-----).", "The certificate authority cannot be read.")
			}
			t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
		hc = &http.Client{Transport: t}
	}
	gc, err := graph.New(graph.Config{Cloud: cloudOf(n), Tenant: n.Tenant, Client: n.Client, Secret: n.Secret,
		Certificate: []byte(n.Certificate), HTTP: hc, Now: s.Store.Clock().Now, Shared: s.Limits, Log: s.Log,
		Delegated: n.delegated, Paused: by.paused.Load, MetadataOnly: func() bool { return !by.content.Load() }})
	if err != nil {
		return nil, entered(asProblem(err))
	}
	return gc, nil
}

// skewed says that this machine's clock is wrong, which Graph tells as a token that is not valid.
func skewed(ahead time.Duration, cause error) *tocsin.Problem {
	side := "behind"
	if ahead < 0 {
		side = "ahead of"
	}
	p := tocsin.Problemf(tocsin.Invalid, "Set this machine's clock, and keep it set by NTP.", "This machine's clock is %s %s Microsoft's, so its tokens are not accepted.", ahead.Abs().Round(time.Second), side)
	p.Err = cause
	return p
}

// organisation is what a token proves the tenant to be; empty where it may not be asked for its name.
type organisation struct{ name, domain string }

func opensAnother(is string, named tocsin.TenantID) error {
	return tocsin.Problemf(tocsin.Invalid, "Give the tenant id that the app registration belongs to, or was consented in.", "These credentials open the tenant %s, not %s.", is, named)
}

// prove fetches a token and reads the organisation it belongs to, which must be the tenant that was named.
func prove(ctx context.Context, gc *graph.Client, tenant tocsin.TenantID) (organisation, error) {
	ctx = graph.WithPriority(ctx, graph.High) // somebody looks on
	of, err := gc.TokenTenant(ctx)            // empty where the token cannot be read
	if err != nil {
		return organisation{}, asProblem(err)
	}
	if of != "" && of != string(tenant) {
		return organisation{}, opensAnother(of, tenant)
	}
	var org organisation
	named := false
	for o, err := range graph.Pages[graph.Organization](ctx, gc, "organization.list", nil) {
		if _, ok := errors.AsType[*graph.Denied](err); ok {
			return organisation{}, nil // the token names the tenant; its name is a convenience
		}
		if _, ok := errors.AsType[*graph.Unauthorized](err); ok && gc.Skew().Abs() > 2*time.Minute {
			return org, skewed(gc.Skew(), err)
		}
		if err != nil {
			return org, asProblem(err)
		}
		if !strings.EqualFold(o.ID, string(tenant)) {
			return org, opensAnother(o.ID, tenant)
		}
		org.name, named = o.DisplayName, true
		for _, d := range o.VerifiedDomains {
			if d.IsInitial {
				org.domain = d.Name
			}
		}
	}
	if !named {
		return org, tocsin.Problemf(tocsin.Unavailable, "Try again; if it stays, see whether a proxy stands between Tocsin and Microsoft.", "Microsoft Graph names no organisation for these credentials, so they prove no tenant.")
	}
	return org, nil
}
