package api

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// heartbeat is how often a quiet stream says that it lives, and whether its caller still may is looked at again.
const heartbeat = 15 * time.Second

// FollowFacts gives what changes in a tenant, as it changes, until ctx ends. The role is checked before it begins; who
// follows for long looks again with [Service.MayFollow]. after is the number of the fact it begins behind: who is told
// of it first, and goes away before the first fact, misses nothing by coming back with it.
func (s *Service) FollowFacts(ctx context.Context, in FactsIn) (after int64, facts iter.Seq2[Fact, error], err error) {
	after, err = view(ctx, s, "facts stream", in, func(context.Context, *store.Tenant, Caller) (int64, error) { return placeOf(in) })
	if err != nil {
		return 0, nil, err
	}
	tenant := tenantOf(in)
	if after < 0 {
		if after, err = s.st.LastFact(ctx, store.Lane(tenant)); err != nil {
			return 0, nil, err
		}
	}
	return after, func(yield func(Fact, error) bool) {
		for f, err := range stream.Follow(ctx, s.st, tenant, after) {
			v := Fact{ID: f.N, At: f.At, Kind: f.Kind, Subject: f.Subject, Person: f.Person, Actor: f.Actor, Body: rawJSON(string(f.Body))}
			if !yield(v, err) {
				return
			}
		}
	}, nil
}

// placeOf is the number that a stream begins after; -1 for what comes from now on. What a browser gives back when it
// comes again counts more than where it began.
func placeOf(in FactsIn) (int64, error) {
	text := firstOf(in.Last, in.After)
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, invalid("Give the id of a fact, or leave it away.", "%q is not a place in the stream.", text)
	}
	return n, nil
}

// MayFollow says whether the caller still has the role that following a tenant needs.
func (s *Service) MayFollow(ctx context.Context, tenant tocsin.TenantID) error {
	return s.stillMay(ctx, "facts stream", tenant)
}

// stillMay says whether the caller may do an operation by what they are granted now.
func (s *Service) stillMay(ctx context.Context, name string, tenant tocsin.TenantID) error {
	c, ok := CallerOf(ctx)
	if !ok {
		return stranger
	}
	now, err := s.still(ctx, c)
	if err != nil {
		return err
	}
	if now == nil {
		return stranger
	}
	_, err = s.allow(WithCaller(ctx, *now), name, tenant)
	return err
}

// follow is the table's line for the stream, which in REST is server-sent events.
func follow(name, route string, least Role, help string, s *Service) Op {
	o := op(name, route, least, help, func(ctx context.Context, in FactsIn) (None, error) {
		_, _, err := s.FollowFacts(ctx, in)
		return None{}, err
	})
	o.stream, o.out = true, reflect.TypeFor[Fact]()
	o.register = func(api huma.API, o Op) {
		d := describe(o)
		schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Fact](), true, "Fact")
		d.Responses["200"] = &huma.Response{Description: "Events: id is the fact's number, event its kind, data the fact as JSON",
			Content: map[string]*huma.MediaType{"text/event-stream": {Schema: schema}}}
		huma.Register(api, d, func(ctx context.Context, in *FactsIn) (*huma.StreamResponse, error) {
			ctx, stop := context.WithCancel(ctx)
			after, facts, err := s.FollowFacts(ctx, *in)
			if err != nil {
				stop()
				return nil, restError(err)
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				defer stop()
				_, w := humago.Unwrap(hc)
				s.send(ctx, stop, w, tenantOf(in), after, facts)
			}}, nil
		})
	}
	return o
}

// send writes facts as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) until who
// reads goes away or may no longer.
func (s *Service) send(ctx context.Context, stop func(), w http.ResponseWriter, tenant tocsin.TenantID, after int64, facts iter.Seq2[Fact, error]) {
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // a server without deadlines has none to lift
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	var writing sync.Mutex
	write := func(text string) bool {
		writing.Lock()
		defer writing.Unlock()
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	var beating sync.WaitGroup
	beating.Go(func() {
		defer stop()
		s.beat(ctx, tenant, write)
	})
	defer beating.Wait()
	defer stop()
	if !write(fmt.Sprintf("retry: 2000\nid: %d\n\n", after)) {
		return
	}
	s.pump(facts, write)
}

// pump writes each fact as it comes.
func (s *Service) pump(facts iter.Seq2[Fact, error], write func(string) bool) {
	for f, err := range facts {
		if err != nil {
			s.log.Error("a stream of facts ended", "error", err)
			return
		}
		body, err := json.Marshal(f)
		if err != nil {
			s.log.Error("a fact is not JSON", "error", err)
			return
		}
		if !write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", f.ID, f.Kind, body)) {
			return
		}
	}
}

// beat writes a comment now and then, and ends the stream when the caller may no longer.
func (s *Service) beat(ctx context.Context, tenant tocsin.TenantID, write func(string) bool) {
	tick := time.NewTicker(s.heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.MayFollow(ctx, tenant) != nil || !write(": still here\n\n") {
			return
		}
	}
}
