// Package graph speaks to Microsoft Graph: calls, tokens, limits, pages, delta, batch.
//
// [Calls] is every request it can make, with the permission and the documentation of each; nothing else is ever sent.
// A [Client] is one app registration in one tenant. It signs in by itself, keeps Microsoft's published limits before
// it is told to, waits where it is told to, and tries again what is safe to try again. What remains is an error of a
// type that says what to do: [Throttled], [Gone], [Denied], [NoMailbox], [NotFound], [Revoked], [Challenge],
// [Unauthorized], [Unavailable], [Failed], [ForeignLink], [ContentRefused], or [ErrPaused].
//
//	me, err := graph.New(graph.Config{Cloud: graph.Global, Tenant: …, Client: …, Secret: …})
//	for user, err := range graph.Pages[graph.User](ctx, me, "users.list", nil) { … }
//
// Metadata only: no call's $select names a subject, body, preview or attachment, and a caller cannot widen it, but for the
// calls whose Content is set, which a client of a metadata-only connection refuses.
// The package keeps no state but limits and the current token; delta tokens are the caller's to store.
package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Cloud is one of Microsoft's clouds, or one that stands in for it. Both are https addresses.
// An empty Activity or Exchange is a service that the cloud does not have.
type Cloud struct {
	Authority string // where one signs in, without the tenant
	Graph     string // without /v1.0
	Activity  string // of the Management Activity API
	Exchange  string // of Exchange's administration

	ActivityAudience, ExchangeAudience string // whom tokens are for, where that is not the address
}

// Microsoft's clouds: https://learn.microsoft.com/graph/deployments, the activity feed's addresses from
// https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-reference, Exchange's from
// https://learn.microsoft.com/microsoft-365/enterprise/microsoft-365-endpoints. China's has no activity feed.
var (
	Global = Cloud{Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com",
		Activity: "https://manage.office.com", Exchange: "https://outlook.office365.com"}
	USGCC = Cloud{Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com",
		Activity: "https://manage-gcc.office.com", Exchange: "https://outlook.office365.com"}
	USGov = Cloud{Authority: "https://login.microsoftonline.us", Graph: "https://graph.microsoft.us",
		Activity: "https://manage.office365.us", Exchange: "https://outlook.office365.us"}
	USDoD = Cloud{Authority: "https://login.microsoftonline.us", Graph: "https://dod-graph.microsoft.us",
		Activity: "https://manage.protection.apps.mil", Exchange: "https://webmail.apps.mil"}
	China = Cloud{Authority: "https://login.partner.microsoftonline.cn", Graph: "https://microsoftgraph.chinacloudapi.cn",
		Exchange: "https://partner.outlook.cn"}
)

// Config is what a client needs to know. Cloud, Tenant, Client and one credential must be set; the rest has defaults.
type Config struct {
	Cloud  Cloud  // the zero value is Global
	Tenant string // the tenant's id; a domain works too
	Client string // the app registration's id

	Secret      string // one of Secret, Certificate or Tokens
	Certificate []byte // PEM; may hold the key too
	Key         []byte // PEM, PKCS #8 or PKCS #1, RSA, not encrypted

	// Tokens gives tokens made elsewhere, for a person signed in. fresh asks for one that is not from a cache.
	Tokens func(ctx context.Context, fresh bool) (token string, expires time.Time, err error)
	// Delegated has the client act in the name of an account that signed in, for the calls alone that have Scopes; nil: as the app itself.
	Delegated *Delegated

	HTTP      *http.Client     // the zero value is a client of our own
	Now       func() time.Time // by which limits are kept; the zero value is time.Now
	Limits    Limits
	Shared    *Shared // keeps the limits of many clients, in place of Now and Limits; the zero value is this client's own
	Log       *slog.Logger
	UserAgent string

	MetadataOnly func() bool // asked before every call; true refuses those that read content, with a [ContentRefused]

	Paused  func() bool   // asked before every single request; true stops them all with ErrPaused
	Timeout time.Duration // of one attempt, its body included; the zero value is a minute
	Backoff time.Duration // the first wait before trying again; the zero value is half a second
	Tries   int           // attempts at a safe call that fails by itself (not by throttling); the zero value is 4
	MaxBody int64         // bytes of one answer; the zero value is 64 MiB
	Batches int           // batch requests at a time; the zero value is 16
}

// String hides the credential, from %v and %+v too.
func (cfg Config) String() string {
	return fmt.Sprintf("graph.Config{Tenant: %q, Client: %q, Graph: %q}", cfg.Tenant, cfg.Client, cfg.Cloud.Graph)
}

// GoString hides it from %#v.
func (cfg Config) GoString() string { return cfg.String() }

// LogValue hides it from slog.
func (cfg Config) LogValue() slog.Value { return slog.StringValue(cfg.String()) }

// Client makes the calls. It is safe for use by many at once.
type Client struct {
	cfg    Config
	base   *url.URL // of Graph, without a version
	http   *http.Client
	gate   *gate
	log    *slog.Logger
	tokens *tokens // for Graph
	reach  map[Service]*reach
	limits *limiter
}

// String hides the credential.
func (c *Client) String() string { return c.cfg.String() }

// GoString hides it too.
func (c *Client) GoString() string { return c.cfg.String() }

// New makes a client. Nothing is sent: a wrong secret shows at the first call, a key that does not fit its certificate now.
func New(cfg Config) (*Client, error) {
	cfg.defaults()
	base, err := address("graph", cfg.Cloud.Graph)
	if err != nil {
		return nil, err
	}
	if _, err := address("authority", cfg.Cloud.Authority); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, base: base, log: cfg.Log, limits: cfg.Shared.of(cfg.Cloud, cfg.Client, cfg.Tenant)}
	own := *cfg.HTTP
	own.CheckRedirect = c.mayRedirect
	c.gate = &gate{next: own.Transport, paused: c.paused, now: map[*passage]struct{}{}}
	if c.gate.next == nil {
		c.gate.next = http.DefaultTransport
	}
	own.Transport = c.gate
	c.http = &own
	c.reach = map[Service]*reach{}
	for _, s := range []Service{"", ActivityFeed, ExchangeAdmin} {
		r, err := c.newReach(s)
		if err != nil {
			return nil, err
		}
		if r != nil {
			c.reach[s] = r
		}
	}
	c.tokens = c.reach[""].tokens
	return c, nil
}

// newReach is where a service is; nil where the cloud has none.
func (c *Client) newReach(s Service) (*reach, error) {
	at, audience := c.cfg.Cloud.place(s)
	if at == "" {
		return nil, nil
	}
	base, err := address(or(string(s), "graph"), at)
	if err != nil {
		return nil, err
	}
	tokens, err := c.newTokens(strings.TrimRight(audience, "/")+"/.default", s)
	if err != nil {
		return nil, err
	}
	return &reach{base: base, root: base.String(), tokens: tokens}, nil
}

func (cfg *Config) defaults() {
	if cfg.Cloud == (Cloud{}) {
		cfg.Cloud = Global
	}
	if cfg.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 64 // many batches at once go to one host
		cfg.HTTP = &http.Client{Transport: t}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "graph-go/1.0"
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Backoff <= 0 {
		cfg.Backoff = 500 * time.Millisecond
	}
	if cfg.Tries <= 0 {
		cfg.Tries = 4
	}
	if cfg.Batches <= 0 {
		cfg.Batches = 16
	}
	if cfg.Shared == nil {
		cfg.Shared = NewShared(cfg.Limits, cfg.Now)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 64 << 20
	}
}

func address(what, s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the %s address of the cloud is not an address: %q", what, s)
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("the %s address of the cloud must begin with https, or tokens travel in the open: %q", what, s)
	}
	return u, nil
}

// Get makes a call and decodes its answer into into, which may be a *json.RawMessage, a *[]byte for the answer as it came, or nil.
// P gives the placeholders of the call's path by name, and the query options that the call allows by theirs ("$filter").
// A list that may have several pages is for [Pages].
func (c *Client) Get(ctx context.Context, call string, p P, into any) error {
	return c.Act(ctx, call, p, nil, into)
}

// Act makes a call that changes something, with body as its JSON (none where nil), and decodes its answer into into, which
// may be nil. A refusal for throttling did nothing, and is tried again; anything else is sent once: after an
// [Unavailable] it may have taken effect, so the caller looks before it tries again.
func (c *Client) Act(ctx context.Context, call string, p P, body, into any) error {
	r, err := c.request(call, p)
	if err != nil {
		return err
	}
	if body != nil {
		if r.body, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
	}
	rep, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	return rep.decode(r.call, into)
}

// Paused is [Config.Paused]'s answer.
func (c *Client) paused() bool { return c.cfg.Paused != nil && c.cfg.Paused() }

// ErrPaused says that no call was made, because calls are stopped.
var ErrPaused = errors.New("calls to Microsoft Graph are stopped, because the connection is disabled")

// decode puts the body of a good answer into into.
func (rep *reply) decode(call Call, into any) error {
	switch into := into.(type) {
	case nil:
		return nil
	case *json.RawMessage:
		*into = rep.body
		return nil
	case *[]byte:
		*into = rep.body
		return nil
	}
	if len(rep.body) == 0 {
		return &Unavailable{Where: rep.where(call), What: "the answer is empty"}
	}
	if err := json.Unmarshal(rep.body, into); err != nil {
		return &Unavailable{Where: rep.where(call), What: "the answer does not read as expected: " + jsonFault(err)}
	}
	return nil
}

// jsonFault is what is wrong with JSON, without quoting any of it.
func jsonFault(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s holds a JSON %s", strings.TrimPrefix(e.Struct+"."+e.Field, "."), kindOf(e.Value))
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("not JSON at byte %d", e.Offset)
	}
	return "not the JSON that was expected"
}

// kindOf is the kind of JSON value alone: "number 12" is a number.
func kindOf(value string) string {
	kind, _, _ := strings.Cut(value, " ")
	return kind
}
