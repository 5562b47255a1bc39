package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// Listen opens the address of the pages.
func (c Config) Open() (net.Listener, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "Stop what listens there, or name another address in the setting listen, such as 127.0.0.1:0.", "The address %s cannot be listened on: %v.", c.Listen, unwrapped(err))
	}
	return l, nil
}

func unwrapped(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// Tune has garbage collected half as often as Go does by itself, unless GOGC says how often: a server that folds mail leaves
// a hundred megabytes of it a second, and holds little.
func Tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// Serve runs the server and answers on l until ctx ends; requests under way are given ten seconds to end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.Alerts.URL == "" {
		s.Alerts.URL = s.Config.Address(l) // nothing has been sent yet
	}
	hooks, err := s.Config.OpenHooks()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	hs := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error { return s.ServeHooks(ctx, hooks) })
	g.Go(func() error {
		var err error
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
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return hs.Shutdown(stop)
	})
	return g.Wait()
}

// Ready says whether the server can do its work: the tables, the journal and the leases answer.
func (s *Server) Ready(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return map[string]string{"store": readiness(s.Store.Ping(ctx)), "journal": readiness(s.Journal.Ready(ctx)), "leases": readiness(s.leases(ctx))}
}

// readiness is ok, or what is wrong.
func readiness(err error) string {
	if err != nil {
		return tocsin.AsProblem(err).What
	}
	return "ok"
}

// leases says whether leases can be read and, as was seen last, written: without them nothing is folded.
func (s *Server) leases(ctx context.Context) error {
	if failed := s.unleased.Load(); failed != nil {
		return *failed
	}
	_, err := s.Store.Leases(ctx)
	return err
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	s.tellReady(w, s.Ready(r.Context()))
}

// tellReady answers 200 where all is ok, else 503, and says what is not, in words that a stranger may read.
func (s *Server) tellReady(w http.ResponseWriter, state map[string]string) {
	status := http.StatusOK
	for what, v := range state {
		if v != "ok" {
			s.log.Warn("the server is not ready", "what", what, "why", v)
			state[what], status = plainly(v), http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(state)
}

// plainly is a sentence without what may name a host, a user, a database or a file: whoever may know these reads the log.
func plainly(why string) string {
	switch {
	case strings.HasPrefix(why, "PostgreSQL at "):
		return "PostgreSQL does not answer."
	case strings.ContainsAny(why, `/\@"0123456789`):
		return "It is not well; the log says why."
	}
	return why
}

// connect is package connect as the operations need it.
func (s *Server) connect() api.Connect {
	return api.Connect{
		Create: func(ctx context.Context, actor string, n api.ConnectionNew) (tocsin.TenantID, string, error) {
			products, err := connect.ParseProducts(n.Products)
			if err != nil {
				return "", "", err
			}
			c, err := s.Connections.Create(ctx, actor, connect.New{Name: n.Name, Tenant: n.Tenant, Client: n.ClientID, Secret: n.Secret, Certificate: n.Certificate,
				Cloud: n.Cloud, Own: connect.Own{Authority: n.Authority, Graph: n.Graph, CA: n.CA}, Products: products, Tier: connect.Tier(n.Tier), Expires: n.Ends()})
			return c.Tenant, c.ID, err
		},
		Test: func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
			_, err := s.Connections.Test(ctx, tenant, id)
			return err
		},
		Pause:  s.Connections.Pause,
		Resume: s.Connections.Resume,
		Delete: s.Connections.Delete,
		Limits: s.Connections.Usage,
	}
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, p *tocsin.Problem, status int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}

// testClock moves the clock ahead: {"advance":"24h"}.
func (s *Server) testClock(w http.ResponseWriter, r *http.Request) {
	c, ok := api.CallerOf(r.Context())
	if !ok || c.Installation() != api.Owner {
		refuse(w, tocsin.Problemf(tocsin.Denied, "Use an owner's token.", "The clock is an owner's to move."), http.StatusForbidden)
		return
	}
	list, err := s.Connections.List(r.Context())
	if err != nil {
		refuse(w, tocsin.AsProblem(err), http.StatusInternalServerError)
		return
	}
	for _, c := range list {
		if c.Cloud != "own" {
			refuse(w, tocsin.Problemf(tocsin.Denied, "Use a server that is connected to a simulated tenant only.", "A real tenant is connected."), http.StatusForbidden)
			return
		}
	}
	var in struct {
		Advance string `json:"advance"`
	}
	err = json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&in)
	d, derr := time.ParseDuration(in.Advance)
	if err != nil || derr != nil || d < 0 {
		refuse(w, tocsin.Problemf(tocsin.Invalid, `Send {"advance":"24h"}.`, "That is no time to move ahead by."), http.StatusUnprocessableEntity)
		return
	}
	s.Clock.Advance(d)
	w.WriteHeader(http.StatusNoContent)
}

// Address is where browsers reach what listens at l.
func (c Config) Address(l net.Listener) string {
	if c.URL != "" {
		return strings.TrimRight(c.URL, "/")
	}
	scheme := "http"
	if c.TLS.Certificate != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return scheme + "://" + l.Addr().String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Claim makes the first owner by a one-time link, as the set-up page does.
func (s *Server) Claim(ctx context.Context, link, email, name, password string) error {
	_, err := s.API.ClaimSetup(ctx, api.SetupIn{Body: api.Setup{Token: link, Email: email, Name: name, Password: password}})
	return err
}
