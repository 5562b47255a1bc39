package sim

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tocsin.dev"
	"tocsin.dev/story"
)

// Config says what tenant there shall be. The zero value is a world of 250 users, with the read tier consented.
type Config struct {
	Users     int // of the directory, mailboxes and others; 0: 250
	Seed      int64
	Tenant    string    // id; "": from the seed
	ClientID  string    // of the registered application; "": from the seed
	Secret    string    // "": from the seed
	Start     time.Time // Monday 00:00 of the stories' first week; zero: the latest week in which all their acts are past
	Stories   []*story.Story
	Live      bool          // the stories begin when Run does, and are compressed into Over
	Over      time.Duration // of a living story; 0: three minutes
	Rate      float64       // of everyday mail in Run: changes of mailboxes a second
	Active    int           // everyday mail is among the first so many people; 0: all
	TruthPath string        // file of JSON lines; "": kept in memory only
	Latency   time.Duration // of every answer
	Roles     []string      // application permissions consented; nil: ReadTier
	Content   bool          // the connection may read subjects and bodies; otherwise asking for them is a violation
	Limits    Limits        // zero fields: as published
	Feed      Feed          // how the Management Activity API delivers
	Search    Search        // how $search finds messages
	Traces    Traces        // how message traces are told
	Reports   Reports       // how the directory's own logs deliver, and who signs in every day
	Delivery  Delivery      // how notifications go out
	HookCA    string        // PEM of who vouches for addresses of notifications, besides the system's
	Quiet     bool          // no log
	Log       *slog.Logger
}

// ReadTier is what the first connection asks for.
var ReadTier = []string{"User.Read.All", "Directory.Read.All", "AuditLog.Read.All", "Application.Read.All", "Policy.Read.All",
	"Mail.Read", "MailboxSettings.Read"}

// RespondTier is what acting asks for besides.
var RespondTier = []string{"User.RevokeSessions.All", "MailboxSettings.ReadWrite", "User.EnableDisableAccount.All", "IdentityRiskyUser.ReadWrite.All"}

// PrivilegedTier is what acting asks for besides where it could take the tenant.
var PrivilegedTier = []string{"User-PasswordProfile.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All", "RoleManagement.ReadWrite.Directory", "DelegatedPermissionGrant.ReadWrite.All",
	"AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All"}

// Sim is a simulated tenant. Make it with New; it is safe for use by several goroutines.
type Sim struct {
	cfg    Config
	clock  tocsin.Clock
	log    *slog.Logger
	table  *table
	limits *limits
	baked  queries
	faults faults
	counts counts
	hook   hook

	courier *http.Client // delivers notifications

	mu        sync.RWMutex // guards world, feed, reports, queue and truth
	world     *world
	feed      feed
	reports   reports
	queue     []scheduled
	chats     int             // steps of everyday mail
	talkers   map[int]*person // who was in them
	began     atomic.Bool     // the living stories
	forgotten atomic.Int64    // Unix seconds before which delta tokens are unknown
	due       atomic.Int64    // Unix nanoseconds of the first act in the queue; 0: none
	truth     truth
	app       *app
	more      moreApps // see AddApp
	keys      keyring
	vouchers  vouchers
	codes     codes
	sessions  sessions // of who signed in, see delegated.go
	uploads   uploads
	tokens    sync.Map // token → *claims, those whose signature was found right

	clientOnce sync.Once

	clientPEM string
	clientErr error
}

// New makes a tenant. Stories that are past by the clock have happened when it returns.
func New(cfg Config) (*Sim, error) {
	if cfg.Users == 0 {
		cfg.Users = 250
	}
	if cfg.Users < 0 {
		return nil, errors.New("sim: the number of users is negative")
	}
	if cfg.Roles == nil {
		cfg.Roles = ReadTier
	}
	if cfg.Log == nil || cfg.Quiet {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := &Sim{cfg: cfg, log: cfg.Log, table: newTable(), talkers: map[int]*person{}}
	s.cfg.Search, s.cfg.Traces = cfg.Search.filled(), cfg.Traces.filled()
	ids := seed(mix(uint64(cfg.Seed)))
	if s.cfg.Tenant == "" {
		s.cfg.Tenant = ids.guid(askApp, 1)
	}
	s.world = newWorld(cfg.Seed, cfg.Users, s.cfg.Tenant, time.Now().UTC().Truncate(time.Hour))
	s.feed = feed{Feed: cfg.Feed, byParcel: map[string]*parcel{}, started: map[string]time.Time{}, disabled: map[string]bool{}, searches: map[string]*search{}}
	s.reports = reports{Reports: cfg.Reports, until: s.firstSignIns(time.Now().UTC())}
	s.hook.open(cfg.Delivery)
	s.world.touched = s.notifyDirectory
	var err error
	if s.courier, err = newCourier(s.hook.how.Connections, cfg.HookCA); err != nil {
		return nil, err
	}
	s.app = newApp(s.world.seed, cfg)
	s.limits = newLimits(cfg.Limits, cfg.Users)
	if err := s.truth.open(cfg.TruthPath); err != nil {
		return nil, err
	}
	if s.cfg.Over == 0 {
		s.cfg.Over = 3 * time.Minute
	}
	for _, st := range cfg.Stories {
		if cfg.Live {
			if err := s.people(st); err != nil {
				return nil, err
			}
			continue
		}
		if err := s.schedule(st, s.anchor(st)); err != nil {
			return nil, err
		}
	}
	s.catchUp()
	return s, nil
}

// Clock is the simulator's time; Advance of it is as good as the Sim's own.
func (s *Sim) Clock() *tocsin.Clock { return &s.clock }

// Advance moves the clock ahead; what was due until then has happened when it returns.
func (s *Sim) Advance(d time.Duration) {
	s.clock.Advance(d)
	s.catchUp()
}

// Tenant is the tenant's id, ClientID the application's, Secret its secret.
func (s *Sim) Tenant() string { return s.cfg.Tenant }

// ClientID is the id of the registered application.
func (s *Sim) ClientID() string { return s.app.id }

// Secret is the application's client secret.
func (s *Sim) Secret() string {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	return s.app.secret
}

// Domain is the tenant's default domain.
func (s *Sim) Domain() string { return s.world.domain }

// Close closes the truth's file and the connections to those who were notified.
func (s *Sim) Close() error {
	s.courier.CloseIdleConnections()
	return s.truth.close()
}
