package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

// world makes a simulated tenant in which the stories have happened.
func world(t testing.TB, users int, stories ...string) *sim.Sim {
	t.Helper()
	c := sim.Config{Users: users, Seed: 7, Quiet: true, Limits: sim.Limits{Reports: 100_000}}
	for i, text := range stories {
		s, err := story.Parse(fmt.Sprintf("story%d", i), strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c.Stories = append(c.Stories, s)
	}
	w, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// play lets a story happen in w now.
func play(t testing.TB, w *sim.Sim, text string) {
	t.Helper()
	s, err := story.Parse("play", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Play(s); err != nil {
		t.Fatal(err)
	}
}

// settings are a server's for a test: polls by the hour, so that what a test does not ask for does not happen.
func settings(t testing.TB) Config {
	c := Defaults()
	c.Data = t.TempDir()
	storetest.SQLiteAt(t, filepath.Join(c.Data, "tocsin.db"))
	c.Every.Rules, c.Every.Directory, c.Every.Settings = 2*time.Second, 2*time.Second, 2*time.Second
	c.Every.Members, c.Every.Roles, c.Every.Domains = 2*time.Second, 2*time.Second, 2*time.Second
	return c
}

// start makes a server and runs it until the test ends.
func start(t testing.TB, c Config, hc *http.Client) *Server {
	t.Helper()
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelWarn
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	s, err := New(t.Context(), c, Options{HTTP: hc, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the server ended with %v", err)
		}
		s.Close()
	})
	return s
}

// onBoth runs test on each engine, with the address of a database of its own.
func onBoth(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, storetest.SQLiteAddress(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, storetest.PostgresAddress(t)) })
}

// databases are new ones, by their kind.
var databases = map[string]func(testing.TB) string{"sqlite": storetest.SQLiteAddress, "postgres": storetest.PostgresAddress}

// own is w as a connection's input.
func own(w *sim.Sim) connect.New {
	in := w.Access()
	return connect.New{Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, Cloud: "own", Own: connect.Own{Authority: in.Authority, Graph: in.Graph}}
}

// join connects s to w.
func join(t testing.TB, s *Server, w *sim.Sim) connect.Connection {
	t.Helper()
	c, err := s.Connections.Create(t.Context(), "test", own(w))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits until check is satisfied: it gives "" then, else what is still lacking.
func eventually(t testing.TB, what string, check func() string) {
	t.Helper()
	eventuallyIn(t, 90*time.Second, what, check)
}

func eventuallyIn(t testing.TB, limit time.Duration, what string, check func() string) {
	t.Helper()
	until := time.Now().Add(limit)
	eventuallyBy(t, &until, what, check)
}

// eventuallyBy waits until a time that check may put off.
func eventuallyBy(t testing.TB, until *time.Time, what string, check func() string) {
	t.Helper()
	for {
		lacking := check()
		if lacking == "" {
			return
		}
		if time.Now().After(*until) {
			t.Fatalf("%s: %s", what, lacking)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// synced waits until every source has been read whole, and all of it is folded.
func synced(t testing.TB, s *Server, tenant tocsin.TenantID, sources ...string) {
	t.Helper()
	syncedIn(t, 90*time.Second, s, tenant, sources...)
}

func syncedIn(t testing.TB, limit time.Duration, s *Server, tenant tocsin.TenantID, sources ...string) {
	t.Helper()
	if len(sources) == 0 {
		sources = []string{"domains", "users", "groups", "contacts", "roles", "rules", "settings"}
	}
	eventuallyIn(t, limit, "the first sync", func() string {
		for _, name := range sources {
			var succeeded int64
			var because string
			err := s.Store.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
				return tt.QueryRow(t.Context(), `select succeeded, because from source where tenant = $1 and name = $2`, name).Scan(&succeeded, &because)
			})
			if err != nil || succeeded == 0 {
				return fmt.Sprintf("%s is not read: %v %s", name, err, because)
			}
		}
		return folded(t, s)
	})
}

func folded(t testing.TB, s *Server) string {
	if lag, err := s.reader.Lag(t.Context()); err != nil || lag > 0 {
		return fmt.Sprintf("%d messages are not folded (%v)", lag, err)
	}
	return ""
}

// as is ctx of a caller with a role on everything.
func as(ctx context.Context, role api.Role) context.Context {
	return api.WithCaller(ctx, api.Caller{Account: "test", Email: "test@example.com", By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: role}}})
}

// findings gives the findings by rule and person's address.
func findings(t testing.TB, s *Server, tenant tocsin.TenantID, status ...string) map[string]api.Finding {
	t.Helper()
	out := map[string]api.Finding{}
	after := ""
	for {
		in := api.FindingsIn{}
		in.Tenant, in.Limit, in.After, in.Status = tenant, 200, after, []tocsin.Status{"all"}
		page, err := s.API.ListFindings(as(t.Context(), api.Viewer), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Items {
			if len(status) == 0 || string(f.Status) == status[0] {
				out[f.Rule+" "+f.Who] = f
			}
		}
		if after = page.Next; after == "" {
			return out
		}
	}
}

const fraud = `# Two mailboxes are taken over.
domain fabrikamfreight.com
person amy "Amy Okafor"
person bruno "Bruno Lindqvist"
person ines "Inês Carvalho"
mon 08:10 ines makes rule "Newsletters" when from_addresses news@industry-weekly.example move to "Newsletters"
mon 09:03 amy makes rule "." when subject_contains "invoice", "payment" forward to drop@evil.example and mark read and move to conversationhistory
mon 09:11 bruno makes rule "x" redirect to drop@evil.example
`

// TestFirstLight: a simulated tenant is read, its dangerous rules are found, and what happens next is seen.
func TestFirstLight(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		w := world(t, 80, fraud)
		c := settings(t)
		c.Database = address
		s := start(t, c, w.Client())
		conn := join(t, s, w)
		synced(t, s, conn.Tenant)
		amy, bruno, ines := "amy@"+w.Domain(), "bruno@"+w.Domain(), "ines@"+w.Domain()
		eventually(t, "the findings", func() string {
			had := findings(t, s, conn.Tenant, "open")
			for _, want := range []string{"forward-outside " + amy, "hidden-folder " + amy, "forward-everything " + bruno} {
				if _, ok := had[want]; !ok {
					return fmt.Sprintf("%q is not among %v", want, keys(had))
				}
			}
			if !strings.Contains(strings.Join(keys(had), "\n"), "shared-destination") {
				return fmt.Sprintf("one destination in two mailboxes is not found: %v", keys(had))
			}
			return ""
		})
		for name := range findings(t, s, conn.Tenant) {
			if strings.HasSuffix(name, ines) {
				t.Errorf("a harmless rule raised %s", name)
			}
		}

		play(t, w, "# Mended, and another.\ndomain fabrikamfreight.com\nperson bruno\nperson ines\nmon 10:00 bruno deletes rule \"x\"\nmon 10:01 ines makes rule \"y\" forward to drop@evil.example")
		eventually(t, "what happened since", func() string {
			had := findings(t, s, conn.Tenant)
			if f := had["forward-everything "+bruno]; f.Status != tocsin.Fixed {
				return "the deleted rule's finding is " + string(f.Status)
			}
			if f, ok := had["forward-everything "+ines]; !ok || f.Status != tocsin.Open {
				return "the new rule is not found"
			}
			return ""
		})
		var events int
		if err := s.Store.ViewTenant(t.Context(), conn.Tenant, func(tt *store.Tenant) error {
			return tt.QueryRow(t.Context(), `select count(*) from event where tenant = $1`).Scan(&events)
		}); err != nil || events != 2 {
			t.Errorf("%d events (%v); want the two differences since the first look", events, err)
		}
		if v := w.Violations(); len(v) > 0 {
			t.Errorf("a metadata-only connection asked for content: %v", v)
		}
	})
}

func keys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// escape is a native id as a part of a path.
func escape(id string) string { return url.PathEscape(id) }
