package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/export"
	"tocsin.dev/graph"
	"tocsin.dev/inbox"
	"tocsin.dev/investigate"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/investigate/reported"
	"tocsin.dev/notify"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// Options is what a service is given besides its store.
type Options struct {
	// OIDC is the identity provider people may sign in by; nil: none.
	OIDC *OIDC

	Connect Connect
	Stream  StreamOptions
	Alerts  *notify.Alerts  // nil: channels can be looked at and not changed
	Exports *export.Exports // nil: exports can be looked at and not changed
	// Certificates are those for rich notifications; without them none can be replaced.
	Certificates *collect.Certificates
	// Connections keeps app registrations and consents. Without it there are none.
	Connections *connect.Connections
	// Desk is where actions are planned and recorded; without it none can be.
	Desk *remediate.Desk
	// ActDesk is where acts on mails are planned and recorded; without it none can be.
	ActDesk *investigate.ActDesk
	// Investigations is where searches of mailboxes are planned, and trails followed; without it none can be started.
	Investigations *investigate.Desk
	// Importer brings exported files in; without it none can be.
	Importer *collect.Importer
	// Seal and Unseal protect second factors at rest ([secret.Keeper]'s Seal and Open). Without them none can be enrolled.
	Seal   func(plain []byte, about string) ([]byte, error)
	Unseal func(sealed []byte, about string) ([]byte, error)
	// Sealer seals evidence and the add-in's key; without it neither is there.
	Sealer interface {
		reported.Seals
		evidence.Keeper
	}
	// Inboxes reads files of mails in shared mailboxes; without it there are none to be had.
	Inboxes *inbox.Engine
	// Reported reads mail where somebody looks at it; without it only what is kept can be looked at.
	Reported *reported.Worker
	// TLS says that pages are reached over TLS, by us or by a proxy before us: cookies are then marked secure.
	TLS bool
	// Origin is where browsers reach the pages (https://tocsin.example), where a proxy hides it from us; else empty.
	Origin string
	// Proxies are those whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	Version string
	Log     *slog.Logger
}

// Connect is what is done to connections, by package connect. Each is called after the caller's role was checked; actor
// is who asks.
type Connect struct {
	Create func(ctx context.Context, actor string, c ConnectionNew) (tocsin.TenantID, string, error) // the new connection's tenant and id
	Test   func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error
	Pause  func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error
	Resume func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error
	Delete func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error
	// Limits says how much of each of Microsoft's limits a connection uses; nil where that is not known.
	Limits func(ctx context.Context, tenant tocsin.TenantID, id string) ([]graph.Use, error)
}

// Service does the operations. Its methods check the caller's role and tenant themselves.
type Service struct {
	st        *store.Store
	clock     *tocsin.Clock
	o         Options
	log       *slog.Logger
	sessions  *scs.SessionManager
	origins   *http.CrossOriginProtection
	ops       map[string]Op
	handler   http.Handler
	heartbeat time.Duration
	importing chan struct{} // files that come in: so many at once
	hashing   chan struct{} // argon2id takes 19 MiB a piece: so many at once
	tailing   sync.Mutex
	tails     map[tocsin.TenantID]*tail // those that are watched
}

// New makes the service.
func New(st *store.Store, o Options) *Service {
	s := &Service{st: st, clock: st.Clock(), o: o, log: o.Log, importing: make(chan struct{}, atOnce), hashing: make(chan struct{}, 4), heartbeat: heartbeat, tails: map[tocsin.TenantID]*tail{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.sessions = newSessions(st, o.TLS)
	s.origins = newOrigins(o.Origin)
	s.ops = map[string]Op{}
	for _, o := range Ops(s) {
		s.ops[o.Name] = o
	}
	s.handler = s.routes()
	return s
}

// table is the operations by name, without a service.
var table = sync.OnceValue(func() map[string]Op {
	m := map[string]Op{}
	for _, o := range Ops(nil) {
		m[o.Name] = o
	}
	return m
})

// allow is the one place where it is decided who may: it gives the caller, or the problem. The tenant is the one that
// is asked for, or [Everywhere]. Where the caller has no grant, the tenant does not exist for them.
func (s *Service) allow(ctx context.Context, name string, tenant tocsin.TenantID) (Caller, error) {
	o, ok := s.ops[name]
	if !ok {
		panic("api: no operation is called " + name) // a method that names itself wrong; every test of it would meet this
	}
	c, known := CallerOf(ctx)
	switch {
	case o.Role == Stranger:
		return c, nil
	case !known:
		return c, stranger
	case o.Role == Self:
		return c, nil
	}
	has := c.Role(tenant)
	switch {
	case has == "" && tenant != Everywhere:
		return c, notFound("tenant")
	case has.Includes(o.Role):
		return c, nil
	}
	return c, denied(o, has)
}

func denied(o Op, has Role) *tocsin.Problem {
	if has == "" {
		return tocsin.Problemf(tocsin.Denied, "Ask an owner of this installation.", "%s is for the role %s on the installation.", sentence(o.Help), o.Role)
	}
	if o.Role == Member {
		return tocsin.Problemf(tocsin.Denied, "Ask an owner for the role agent.", "%s is for who works in shared inboxes; your role is %s.", sentence(o.Help), has)
	}
	return tocsin.Problemf(tocsin.Denied, "Ask an owner for the role "+string(o.Role)+".", "%s needs the role %s; yours is %s.", sentence(o.Help), o.Role, has)
}

func sentence(help string) string { return "“" + help + "”" }

// view runs a reading operation on a tenant, after its input and the caller's role were checked.
func view[O any](ctx context.Context, s *Service, name string, in any, do func(context.Context, *store.Tenant, Caller) (O, error)) (O, error) {
	var out O
	tenant := tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	if err != nil {
		return out, err
	}
	if err := valid(in); err != nil {
		return out, err
	}
	err = s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		if err := exists(ctx, t); err != nil {
			return err
		}
		out, err = do(ctx, t, c)
		return err
	})
	return out, err
}

// act runs a changing operation on a tenant, after its input and the caller's role were checked. What it changes, the
// facts it appends and the answer kept under an idempotency key are one transaction.
func act[O any](ctx context.Context, s *Service, name string, in any, do func(context.Context, *store.Tenant, Caller) (O, error)) (out O, err error) {
	tenant := tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	defer func() { s.refused(ctx, name, tenant, in, c, err) }()
	if err != nil {
		return out, err
	}
	if err := valid(in); err != nil {
		return out, err
	}
	err = s.st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		if err := exists(ctx, t); err != nil {
			return err
		}
		return s.once(ctx, t, name, c, in, &out, func() (err error) {
			if out, err = do(ctx, t, c); err != nil {
				return err
			}
			return s.note(ctx, t.Tx(), name, tenant, in, c, nil)
		})
	})
	return out, err
}

// exists is not found unless the tenant is there.
func exists(ctx context.Context, t *store.Tenant) error {
	var one int
	err := t.QueryRow(ctx, `select 1 from tenant where tenant = $1`).Scan(&one)
	if errors.Is(err, store.ErrNone) {
		return notFound("tenant")
	}
	return err
}

// install runs an operation of the installation, changing or reading, after its input and the caller's role were checked.
func install[O any](ctx context.Context, s *Service, name string, in any, run func(context.Context, func(*store.Tx) error) error,
	do func(context.Context, *store.Tx, Caller) (O, error)) (out O, err error) {
	c, err := s.allow(ctx, name, Everywhere)
	defer func() { s.refused(ctx, name, Everywhere, in, c, err) }()
	if err != nil {
		return out, err
	}
	if err := valid(in); err != nil {
		return out, err
	}
	err = run(ctx, func(tx *store.Tx) (err error) {
		if out, err = do(ctx, tx, c); err != nil {
			return err
		}
		return s.note(ctx, tx, name, Everywhere, in, c, nil)
	})
	return out, err
}

func (s *Service) now() time.Time { return s.clock.Now() }
