package investigate

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// field is a tenant in the tables and the same in the simulator, with mailboxes to search.
type field struct {
	testing.TB
	st     *store.Store
	w      *sim.Sim
	tenant tocsin.TenantID
	mu     sync.Mutex
	way    Way
	off    error // why there is no way
	trace  bool
	domain []string // the boundary; nil: all
}

func eachField(t *testing.T, users int, test func(*field)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { test(newField(t, st, sim.Config{Users: users, Seed: 5})) })
}

func newField(t testing.TB, st *store.Store, c sim.Config) *field {
	t.Helper()
	c.Quiet, c.Content = true, true
	c.Roles = append(slices.Concat(sim.ReadTier, sim.RespondTier), "Mail.ReadWrite", "ExchangeMessageTrace.Read.All")
	w, err := sim.New(c)
	fine(t, err)
	t.Cleanup(func() { w.Close() })
	f := &field{TB: t, st: st, w: w, tenant: tocsin.TenantID(w.Tenant())}
	f.way = Way{ID: "c1", Name: "Mail", Graph: f.client(nil)}
	f.people()
	return f
}

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *field) client(metadata func() bool) *graph.Client {
	f.Helper()
	in := f.w.Access()
	gc, err := graph.New(graph.Config{Cloud: graph.Cloud{Authority: in.Authority, Graph: in.Graph}, Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, HTTP: f.w.Client(), MetadataOnly: metadata, Backoff: time.Millisecond})
	fine(f, err)
	return gc
}

// people puts everybody of the simulator into the tables.
func (f *field) people() {
	f.Helper()
	var rows, addresses [][]any
	var parts []graph.Part
	var of []int
	for u, err := range graph.Pages[graph.User](f.Context(), f.way.Graph, "users.list", nil) {
		fine(f, err)
		kind, box := "member", "read"
		if u.UserType == "Guest" {
			kind, box = "guest", "none"
		}
		if u.Mail == "" {
			box = "none"
		}
		id := string(tocsin.NewPersonID(f.tenant, u.ID))
		if box == "read" {
			parts = append(parts, graph.Part{Call: "mailFolders.get", P: graph.P{"user": u.ID, "folder": "inbox"}})
			of = append(of, len(rows))
		}
		rows = append(rows, []any{id, u.ID, u.DisplayName, u.UserPrincipalName, u.Mail, kind, u.Department, box, 1, 1})
		if u.Mail != "" {
			addresses = append(addresses, []any{strings.ToLower(u.Mail), id})
		}
	}
	results, err := f.way.Graph.Batch(f.Context(), parts)
	fine(f, err)
	for i, r := range results { // as the collector finds them
		if gone(r.Err) {
			rows[of[i]][7] = "none"
		} else if r.Err != nil {
			rows[of[i]][7] = "out_of_scope"
		}
	}
	fine(f, f.st.Update(f.Context(), func(tx *store.Tx) error {
		if _, err := tx.Exec(f.Context(), `insert into tenant (tenant, name, created) values ($1, 'Contoso', 1)`, string(f.tenant)); err != nil {
			return err
		}
		t := tx.Tenant(f.tenant)
		if err := t.Insert(f.Context(), store.Into{Table: "person", Columns: []string{"person", "object_id", "name", "upn", "mail", "kind", "department", "mailbox", "seen", "changed"}}, rows); err != nil {
			return err
		}
		return t.Insert(f.Context(), store.Into{Table: "person_address", Columns: []string{"address", "person"}, Key: []string{"address", "person"}}, addresses)
	}))
}

func (f *field) ways(_ context.Context, _ tocsin.TenantID, _, capability string) (Way, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off != nil {
		return Way{}, f.off
	}
	if capability == CanTrace && !f.trace {
		return Way{}, tocsin.Problemf(tocsin.Denied, "Grant it.", "The message trace is not granted.")
	}
	return f.way, nil
}

func (f *field) boundary(context.Context, *store.Tenant, string) ([]string, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.domain, f.domain == nil, nil
}

func (f *field) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *field) engine() *Engine {
	return &Engine{Store: f.st, Ways: f.ways, Boundary: f.boundary, Log: slog.New(slog.DiscardHandler)}
}

func (f *field) desk() *Desk { return f.engine().desk() }

// tx runs a transaction.
func (f *field) tx(do func(context.Context, *store.Tenant) error) error {
	return f.st.UpdateTenant(f.Context(), f.tenant, func(t *store.Tenant) error { return do(f.Context(), t) })
}

// made makes an investigation.
func (f *field) made(v Investigation) *Investigation {
	f.Helper()
	if v.Name == "" {
		v.Name = "Test"
	}
	v.Reason = "A person reported it."
	fine(f, f.tx(func(ctx context.Context, t *store.Tenant) error {
		if err := v.Sound(t.Tx().Clock().Now()); err != nil {
			return err
		}
		return Create(ctx, t, "jo@example.com", &v)
	}))
	return &v
}

func (f *field) started(v Investigation) string {
	f.Helper()
	id := f.made(v).ID
	fine(f, f.tx(func(ctx context.Context, t *store.Tenant) error {
		_, err := Start(ctx, t, "jo@example.com", id)
		return err
	}))
	return id
}

// runs has an engine work until the investigation's search has ended, or some time has passed.
func (f *field) runs(e *Engine, id string) *Run {
	f.Helper()
	ctx, stop := context.WithCancel(f.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	defer func() { stop(); <-ended }()
	return f.until(id, func(_ *Investigation, r *Run) bool { return r.State != RunRunning })
}

// until waits until an investigation and its search are as they should.
func (f *field) until(id string, is func(*Investigation, *Run) bool) *Run {
	f.Helper()
	var r *Run
	var v *Investigation
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		fine(f, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) (err error) {
			if v, err = Get(f.Context(), t, id); err != nil {
				return err
			}
			r, err = GetRun(f.Context(), t, v.Run)
			return err
		}))
		if is(v, r) {
			return r
		}
		pause(f.Context(), 10*time.Millisecond)
	}
	f.Fatalf("it never came to it: %+v\n%+v", v, r)
	return nil
}

func (f *field) get(id string) (v *Investigation) {
	f.Helper()
	fine(f, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) (err error) { v, err = Get(f.Context(), t, id); return err }))
	return v
}

// found are the matches of an investigation, by message.
func (f *field) found(id string) map[string]Match {
	f.Helper()
	out := map[string]Match{}
	fine(f, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) error {
		list, err := Matches(f.Context(), t, id, MatchFilter{}, Place{}, 100_000)
		for _, m := range list {
			out[m.Message] = m
		}
		return err
	}))
	return out
}

func (f *field) boxes(run, state string) (out []Box) {
	f.Helper()
	fine(f, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) (err error) {
		out, err = Boxes(f.Context(), t, run, BoxFilter{State: state, Limit: 100_000})
		return err
	}))
	return out
}

func (f *field) campaign(c sim.Campaign) *sim.Wave {
	f.Helper()
	w, err := f.w.Campaign(c)
	fine(f, err)
	return w
}

// whole checks that an investigation found all of a wave and nothing innocent.
func (f *field) whole(id string, waves ...*sim.Wave) {
	f.Helper()
	found := f.found(id)
	all, wrong := 0, 0
	defer func() {
		if wrong > 0 {
			f.Errorf("%d of %d are not as they should be", wrong, all)
		}
	}()
	for _, w := range waves {
		for message, p := range w.Bad() {
			all++
			if m, ok := found[message]; !ok {
				if wrong++; wrong < 4 {
					f.Errorf("not found: %+v", p)
				}
			} else if m.Truth != "yes" || m.Address != p.Mailbox || m.Subject != p.Subject {
				f.Errorf("found as %+v, planted %+v", m, p)
			}
		}
		for message, p := range w.Innocent() {
			if m, ok := found[message]; ok {
				f.Errorf("an innocent was found: %+v because %v", p, m.Why)
			}
		}
	}
	if len(found) != all {
		f.Errorf("%d were found, %d planted", len(found), all)
	}
}

func (f *field) fault(x sim.Fault) { f.Helper(); fine(f, f.w.Fault(x)) }

func dump(v any) string {
	raw, _ := json.MarshalIndent(v, "", " ")
	return string(raw)
}
