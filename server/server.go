// Package server is all wiring, for the command, the demo and the tests: every constructor, once, in order.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/export"
	"tocsin.dev/graph"
	"tocsin.dev/inbox"
	"tocsin.dev/investigate/reported"
	"tocsin.dev/journal"
	"tocsin.dev/notify"
	"tocsin.dev/remediate"
	"tocsin.dev/secret"
	"tocsin.dev/store"
	"tocsin.dev/stream"
	"tocsin.dev/web"
)

// Options are what only a program can give.
type Options struct {
	Log     *slog.Logger
	Clock   *tocsin.Clock // the system's where nil
	HTTP    *http.Client  // to Graph, in place of one of our own: a simulator in process
	Version string
	// TestClock offers POST /test/clock, which moves the clock ahead. It is refused once a real cloud is connected.
	TestClock bool
	// Lease is how long what a server did stays its own once it is gone; 0: as long as is good in use.
	Lease time.Duration
}

// Server is Tocsin, made and not yet running.
type Server struct {
	Config      Config
	Clock       *tocsin.Clock
	Store       *store.Store
	Journal     *journal.Journal
	Connections *connect.Connections
	Alerts      *notify.Alerts
	Exports     *export.Exports
	API         *api.Service
	keeper      *secret.Keeper
	Hook        *collect.Hook
	// Certificates are those for which Graph encrypts what changed.
	Certificates *collect.Certificates
	opener       *collect.Opener
	reader       *stream.Reader
	tenants      *stream.Share         // whose collectors run here
	unleased     atomic.Pointer[error] // why the last lease could not be written; nil: it could
	ear          ear                   // when notifications could be stored
	auditor      *collect.AuditJudge
	reported     *reported.Worker
	handed       collect.Handed // mail between the fold and the learners
	inboxCounts  *inbox.Counts
	folder       *collect.OwnFolder // of rules of one's own; nil where there is none
	owner        string             // of leases: this process
	log          *slog.Logger
	options      Options
	handler      http.Handler
	metrics      *metrics
	vouchers     graph.Vouchers
}

// New makes a server. What stands in its way is a tocsin.Problem. Close it when it no longer runs.
func New(ctx context.Context, c Config, o Options) (s *Server, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	s = &Server{Config: c, Clock: o.Clock, owner: tocsin.NewID(), log: o.Log, options: o}
	if s.Clock == nil {
		s.Clock = &tocsin.Clock{}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	keeper, err := secret.Open(ctx, c.keySource())
	if err != nil {
		return s, err
	}
	s.keeper = keeper
	if w := keeper.Warn(); w != "" {
		s.log.Warn(w)
	}
	// The journal before the tables: it refuses a directory that another server uses.
	if s.Journal, err = journal.Open(ctx, c.journal(s.log)); err != nil {
		return s, err
	}
	if w := s.Journal.Warn(); w != "" {
		s.log.Warn(w)
	}
	if s.Store, err = store.Open(ctx, c.database(), s.Clock); err != nil {
		return s, err
	}
	s.Connections = &connect.Connections{Store: s.Store, Keeper: keeper, Limits: graph.NewShared(c.Limits.graph(), s.Clock.Now), Log: s.log, HTTP: o.HTTP, Allow: c.ownNetworks()}
	if c.Journal.URL != "" { // a cluster: whoever holds a tenant's lease leads
		s.Connections.Limits.Follow()
	}
	fold := &collect.Fold{Log: s.log, Unseal: keeper.Open, Handed: &s.handed}
	s.auditor = &collect.AuditJudge{Store: s.Store}
	if c.Sigma.Directory != "" {
		s.folder = &collect.OwnFolder{Store: s.Store, Dir: c.Sigma.Directory, State: c.Sigma.State}
	}
	s.Certificates = &collect.Certificates{Store: s.Store, Keeper: keeper}
	s.opener = &collect.Opener{Store: s.Store, Client: s.Connections.Reading, Certificates: s.Certificates, Log: s.log}
	hookKey, err := s.hookKey(ctx, keeper)
	if err != nil {
		return s, err
	}
	s.Hook = &collect.Hook{Key: hookKey, Journal: s.Journal, Clock: s.Clock, Log: s.log, Vouch: s.vouch}
	s.Connections.Unheard = c.Hooks.URL == ""
	s.reader = &stream.Reader{Store: s.Store, Journal: s.Journal, Name: collect.ReaderName, Owner: s.owner, Step: fold.Step, Open: s.opener.Open, Gather: s.opener.Gather, Reborn: s.reborn, Log: s.log, Lease: o.Lease}
	s.tenants = &stream.Share{Store: s.Store, Group: "tenants", Owner: s.owner, For: s.leaseFor(), Log: s.log}
	if s.Alerts, err = c.alerts(); err != nil {
		return s, err
	}
	s.Alerts.Store, s.Alerts.Keeper, s.Alerts.Log = s.Store, keeper, s.log
	s.Exports = &export.Exports{Store: s.Store, Keeper: keeper, Guard: s.Alerts.Guard, Dir: c.Exports.Directory, Late: c.Exports.Late, Version: o.Version, Log: s.log}
	provider, err := c.oidc()
	if err != nil {
		return s, err
	}
	s.inboxCounts = &inbox.Counts{}
	s.reported = &reported.Worker{Store: s.Store, Ways: reported.Through(s.Connections), Keeper: keeper, Log: s.log}
	s.API = api.New(s.Store, api.Options{Sealer: keeper, Inboxes: s.newInboxes(), Reported: s.reported, Stream: s.streamOptions(), OIDC: provider, Connect: s.connect(), Connections: s.Connections, Alerts: s.Alerts, Exports: s.Exports, Certificates: s.Certificates, Desk: &remediate.Desk{Store: s.Store, Ways: remediate.Through(s.Connections), Refused: s.actRefused}, ActDesk: s.actDesk(), Investigations: s.investigations(), Importer: &collect.Importer{Store: s.Store, Journal: s.Journal, Lag: s.reader.Lag}, Seal: keeper.Seal, Unseal: keeper.Open,
		TLS: c.TLS.Certificate != "" || strings.HasPrefix(c.URL, "https://"), Origin: c.URL, Proxies: c.proxies(), Version: o.Version, Log: s.log})
	s.metrics = newMetrics(s)
	s.handler = s.routes()
	if c.Owner.Email != "" {
		err = s.API.EnsureOwner(ctx, c.Owner.Email, c.Owner.Token)
	}
	return s, err
}

// journal is where the journal is: in the cluster where one is named, else embedded in the data.
func (c Config) journal(log *slog.Logger) journal.Config {
	out := journal.Config{URL: c.Journal.URL, Partitions: c.Journal.Partitions, Log: log}
	if out.URL == "" {
		out.Dir = filepath.Join(c.Data, "journal")
	}
	return out
}

// routes is every address the server answers.
func (s *Server) routes() http.Handler {
	c := s.Config
	mux := http.NewServeMux()
	mux.Handle("/api/", s.API)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.API.Authenticate(s.installation(s.metrics.handler())))
	if s.options.TestClock {
		mux.Handle("POST /test/clock", s.API.Authenticate(http.HandlerFunc(s.testClock)))
	}
	if c.Hooks.Listen == "" {
		mux.Handle(hookPath, readWithin(hookTime, s.metrics.acks(s.Hook)))
		mux.HandleFunc("GET "+hookReadyPath, s.hookReady)
	}
	mux.Handle("/", web.New(s.API, web.Options{Clock: s.Clock, Origin: c.URL, TLS: c.TLS.Certificate != "" || strings.HasPrefix(c.URL, "https://"), Log: s.log}))
	return mux
}

// installation lets only those through who have a role on the whole installation: what next tells is of all tenants.
func (s *Server) installation(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := api.CallerOf(r.Context()); !ok || c.Installation() == "" {
			refuse(w, tocsin.Problemf(tocsin.Denied, "Use an API token of an account with a role on all tenants: Authorization: Bearer tcs_….", "This is for those who run the installation."), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Handler answers the pages, the API and the probes.
func (s *Server) Handler() http.Handler { return s.handler }

// Run does the server's work until ctx ends: it folds what the journal holds, sweeps, and collects from every
// connected tenant. It does not listen; see [Server.Serve].
func (s *Server) Run(ctx context.Context) error {
	ctx = store.Patient(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.reader.Run(ctx) })
	g.Go(func() error { return s.follow(ctx, "sweep", s.sweep) })
	g.Go(func() error { return s.follow(ctx, "judge", s.judge) })
	g.Go(func() error { return s.follow(ctx, "audit", s.audit) })
	g.Go(func() error { return s.follow(ctx, "tally", s.tally) })
	g.Go(func() error { return s.follow(ctx, notify.Follower, s.alert) })
	g.Go(func() error { return s.hold(ctx, "alerts", s.Alerts.Run) })
	g.Go(func() error { return s.export(ctx) })
	g.Go(func() error { return s.announce(ctx) })
	g.Go(func() error { return s.collect(ctx) })
	g.Go(func() error { return s.hold(ctx, "chores", s.chores) })
	g.Go(func() error { return s.hold(ctx, "closing", s.closing) })
	g.Go(func() error { return s.listen(ctx) })
	g.Go(func() error { return s.hold(ctx, "heartbeat", s.heartbeat) })
	g.Go(func() error { return s.hold(ctx, "consents", s.looks) })
	g.Go(func() error { return s.hold(ctx, remediating, s.remediate) })
	g.Go(func() error { return s.hold(ctx, actingOnMail, s.actOnMail) })
	g.Go(func() error { return s.hold(ctx, reporting, s.takeReports) })
	g.Go(func() error { return s.inboxes(ctx) })
	g.Go(func() error { return s.follow(ctx, "standing", s.standing) })
	g.Go(func() error { return s.hold(ctx, investigating, s.investigate) })
	if err := g.Wait(); ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// reborn is called when the journal is another than the one the checkpoint is in, or a part of a partition cannot be read: what
// was in it is lost. State is asked for again by the next polls; only that it happened must be said. Of a journal that was made
// anew nobody knows which mailboxes were in which partition.
func (s *Server) reborn(ctx context.Context, tx *store.Tx, partition int, old, now journal.Position) error {
	s.log.Error("what the journal held and was not folded is gone; every source is read again", "partition", partition, "old", old.Stream, "new", now.Stream)
	var which func(tocsin.TenantID, tocsin.PersonID) bool
	if old.Stream == now.Stream {
		which = func(t tocsin.TenantID, p tocsin.PersonID) bool { return s.Journal.Partition(t, p) == partition }
	}
	err := collect.Outage(ctx, tx, time.Time{}, s.Clock.Now(), "The journal was lost, and what it held of the mailbox with it.", which)
	if err != nil {
		return err
	}
	return collect.AskAll(ctx, tx)
}

// Close lets go of all that New opened.
func (s *Server) Close() {
	if s.Store != nil {
		if err := s.Store.Close(); err != nil {
			s.log.Error("the tables did not close", "error", err)
		}
	}
	if s.Journal != nil {
		s.Journal.Close()
	}
}
