package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

// hookPath is where Graph posts.
const hookPath = "/hooks/graph"

// hookReadyPath says whether notifications can be taken here: for a load balancer before the webhook. They are taken while
// the tables do not answer, so it asks the journal only, as readyz does not.
const hookReadyPath = "/hooks/readyz"

func (s *Server) hookReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	s.tellReady(w, map[string]string{"journal": readiness(s.Journal.Ready(ctx))})
}

// hookKeyName is the row of the installation that holds the key of clientState, sealed.
const (
	hookKeyName = "hook.key"
	hookKeyMark = "sealed:"
)

// hookKey is the installation's key by which clientState is sealed, made at the first start. All replicas have the same.
func (s *Server) hookKey(ctx context.Context, keeper *secret.Keeper) (key []byte, err error) {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails
	shut, err := keeper.Seal(fresh, hookKeyName)
	if err != nil {
		return nil, err
	}
	var kept string
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `insert into installation (key, value) values ($1, $2) on conflict (key) do nothing`, hookKeyName, hookKeyMark+base64.StdEncoding.EncodeToString(shut)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select value from installation where key = $1`, hookKeyName).Scan(&kept)
	})
	if err != nil {
		return nil, err
	}
	if shut, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(kept, hookKeyMark)); err != nil {
		return nil, fmt.Errorf("the key of the webhook: %w", err)
	}
	return keeper.Open(shut, hookKeyName)
}

// webhook is where Graph is to tell of a connection's mailboxes.
func (s *Server) webhook(c connect.Connection) collect.Webhook {
	if s.Config.Hooks.URL == "" {
		return collect.Webhook{}
	}
	return collect.Webhook{URL: strings.TrimRight(s.Config.Hooks.URL, "/") + hookPath + "?of=" + collect.HookMark(s.Hook.Key), Key: s.Hook.Key, Connection: c.ID, Certificates: s.Certificates}
}

// vouch says what a validation token vouches for, of the tenants that are connected.
func (s *Server) vouch(ctx context.Context, token string) (graph.Vouched, error) {
	return s.vouchers.Check(ctx, token, s.Connections.Of)
}

// behind says that more waits to be folded than three seconds bring at the rate that one machine is to carry (DESIGN.md part 10): one
// second's is gathered, one opened and one folded at any time.
func (s *Server) behind(ctx context.Context) bool {
	lag, err := s.reader.Lag(ctx)
	return err == nil && lag > 15_000
}

// forgetCertificates drops the keys under which nothing can come any more.
func (s *Server) forgetCertificates(ctx context.Context) error {
	lag, err := s.reader.Lag(ctx)
	if err != nil {
		return err
	}
	var age time.Duration
	if lag > 0 {
		if age, err = s.Journal.Age(ctx); err != nil {
			return err
		}
	}
	n, err := s.Certificates.Forget(ctx, age)
	if n > 0 {
		s.log.Info("keys of certificates were dropped under which nothing can come any more", "count", n)
	}
	return err
}

// OpenHooks opens the address of the webhook; nil where it is that of the pages.
func (c Config) OpenHooks() (net.Listener, error) {
	if c.Hooks.Listen == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", c.Hooks.Listen)
	if err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "Stop what listens there, or name another address in the setting hooks.listen.", "The address %s cannot be listened on: %v.", c.Hooks.Listen, unwrapped(err))
	}
	return l, nil
}

// hookTime is how long Graph may take to send a post, and waits for its answer.
// https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
const hookTime = 10 * time.Second

// readWithin cuts off whoever takes longer to send a request: at an address that others share, which has no such bound.
func readWithin(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(d)) // a writer that cannot is no connection
		next.ServeHTTP(w, r)
	})
}

// ServeHooks answers what Graph posts to l until ctx ends. A server that is full keeps nobody waiting for long: Graph
// drops what is sent to an address that is slow.
func (s *Server) ServeHooks(ctx context.Context, l net.Listener) error {
	if l == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle(hookPath, s.metrics.acks(s.Hook))
	mux.HandleFunc("GET "+hookReadyPath, s.hookReady)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	hs := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: hookTime, WriteTimeout: hookTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if s.Config.TLS.Certificate != "" {
			err = hs.ServeTLS(l, s.Config.TLS.Certificate, s.Config.TLS.Key)
		} else {
			err = hs.Serve(l)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	})
	g.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return hs.Shutdown(stop)
	})
	return g.Wait()
}

// wake opens what is parked of a tenant's mailboxes when it is due.
func (s *Server) wake(ctx context.Context, tenant tocsin.TenantID) {
	for ctx.Err() == nil {
		n, err := s.opener.Wake(ctx, s.Journal, tenant)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("what is parked was not looked at; it is tried again", "tenant", tenant, "error", err)
		}
		if n > 0 {
			pause(ctx, time.Second) // until these are folded
		}
		_ = s.Clock.Sleep(ctx, time.Second) // ctx's end ends the loop
	}
}

// unreached is how long this server may be away before something may be lost. Graph tries for four hours, waiting ever
// longer: its last try may come long before these are over.
const unreached = 2 * time.Hour

const heartbeatName = "hook.alive"

// ear is what this process knows of when notifications could be stored, whether or not the tables answered meanwhile.
type ear struct {
	mu             sync.Mutex
	good           []stretch // oldest first; what lies between two is longer than unreached
	deaf           time.Time // when they could not, last
	since          time.Time // when they could not first, since they last could; zero: they can
	told           time.Time // until when what is lacking was told of while it lasted
	stored, failed int64     // the webhook's counts as of then
}

type stretch struct{ from, to time.Time }

// heard notes that notifications can be stored now.
func (e *ear) heard(now time.Time) {
	e.since, e.told = time.Time{}, time.Time{}
	if n := len(e.good); n > 0 && now.Sub(e.good[n-1].to) <= unreached {
		e.good[n-1].to = now
		return
	}
	e.good = append(e.good, stretch{now, now})
}

// lacks are the times between from and to, longer than unreached, in which notifications could not be stored as far as is known.
func (e *ear) lacks(from, to time.Time) (out []stretch) {
	for _, g := range append(slices.Clone(e.good), stretch{to, to}) {
		if g.from.After(to) {
			g = stretch{to, to}
		}
		if g.from.Sub(from) > unreached {
			out = append(out, stretch{from, g.from})
		}
		if g.to.After(from) {
			from = g.to
		}
	}
	return out
}

// listens looks whether notifications can be stored: the journal is ready, and did not refuse all that was posted since the
// last look.
func (s *Server) listens(ctx context.Context) (time.Time, bool) {
	now := s.Clock.Now()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := s.Journal.Ready(ctx)
	stored, failed := s.Hook.Count(collect.HookStored), s.Hook.Count(collect.HookFailed)
	s.ear.mu.Lock()
	defer s.ear.mu.Unlock()
	if err == nil && failed > s.ear.failed && stored == s.ear.stored {
		err = errors.New("the journal refused all that was posted")
	}
	s.ear.stored, s.ear.failed = stored, failed
	if err != nil {
		if s.ear.deaf = now; s.ear.since.IsZero() {
			s.ear.since = now
		}
		s.log.Warn("notifications cannot be stored", "error", err)
		return now, false
	}
	s.ear.heard(now)
	return now, true
}

// listen looks every minute, on every replica, whether notifications can be stored.
func (s *Server) listen(ctx context.Context) error {
	for ctx.Err() == nil {
		s.listens(ctx)
		if err := s.Clock.Sleep(ctx, time.Minute); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// heartbeat notes every minute that this server can be told something and store it. Where it could not for long, notifications
// may be lost, and every mailbox has a gap. While the tables do not answer, nothing is lost that the journal takes.
func (s *Server) heartbeat(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.beat(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the heartbeat was not written", "error", err)
		}
		if err := s.Clock.Sleep(ctx, time.Minute); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *Server) beat(ctx context.Context) error {
	now, ok := s.listens(ctx)
	if !ok && !s.ear.tell(now) {
		return nil // what was noted last stays the beginning of what is lacking
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		var last string
		err := tx.QueryRow(ctx, `select value from installation where key = $1`, heartbeatName).Scan(&last)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		if before, err := time.Parse(time.RFC3339, last); err == nil {
			s.ear.mu.Lock()
			lacks, deaf := s.ear.lacks(before, now), s.ear.deaf
			s.ear.mu.Unlock()
			for _, l := range lacks {
				because := "Tocsin could not be reached for so long that Microsoft Graph may have given up."
				if deaf.After(l.from) && !deaf.After(l.to) {
					because = "Notifications could not be stored for so long that Microsoft Graph may have given up: the journal was full or away."
				}
				if err := collect.Outage(ctx, tx, l.from, l.to, because, nil); err != nil {
					return err
				}
			}
		}
		if !ok {
			return nil
		}
		_, err = tx.Exec(ctx, `insert into installation (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value`, heartbeatName, now.UTC().Format(time.RFC3339))
		return err
	})
	if err != nil {
		return err
	}
	s.ear.mu.Lock()
	defer s.ear.mu.Unlock()
	if !ok {
		s.ear.told = now
		return nil
	}
	s.ear.good = slices.DeleteFunc(s.ear.good, func(g stretch) bool { return now.Sub(g.to) > unreached })
	return nil
}

// tell says whether what is lacking is to be told of though it is not over: when it has become long, and every hour from then on, in
// which the gaps grow.
func (e *ear) tell(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.since.IsZero() && now.Sub(e.since) > unreached && now.Sub(e.told) >= time.Hour
}

// cannotHear is since when notifications cannot be stored here; zero: they can.
func (s *Server) cannotHear() time.Time {
	s.ear.mu.Lock()
	defer s.ear.mu.Unlock()
	return s.ear.since
}
