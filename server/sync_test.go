package server

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

var syncUsers = flag.Int("sync.users", 800, "how many mailboxes TestFullSync reads")

// TestFullSync reads a whole tenant from a simulator that answers after 50 ms, and says how long it took against a bare
// reader that makes the same calls under the same limiter and drops the bodies; and how much memory it took at most.
// It asserts only that everything was read: time is for `make bench`.
func TestFullSync(t *testing.T) {
	w, err := sim.New(sim.Config{Users: *syncUsers, Seed: 3, Quiet: true, Latency: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	bare, calls := bareRead(t, w)

	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	c.Every.Rules, c.Every.Directory, c.Every.Settings = time.Hour, time.Hour, time.Hour
	s := start(t, c, w.Client())
	began := time.Now()
	conn := join(t, s, w)
	syncedIn(t, time.Hour, s, conn.Tenant)
	took := time.Since(began)
	eventuallyIn(t, time.Hour, "what looks across mailboxes", func() string {
		if whole(t.Context(), s, conn.Tenant) {
			return ""
		}
		return "not yet"
	})
	t.Logf("%d users: read, folded and judged in %.1f s, looked across in %.1f s; a bare reader of the same people, rules and settings (%d calls) took %.1f s; ratio %.2f; peak memory of server and simulator together %d MiB",
		*syncUsers, took.Seconds(), time.Since(began).Seconds(), calls, bare.Seconds(), took.Seconds()/bare.Seconds(), peak())
	people, read := counts(t, s, conn.Tenant)
	if people < *syncUsers || read == 0 {
		t.Errorf("%d people and %d mailboxes of %d users were read", people, read, *syncUsers)
	}
	if n := w.Requests().Throttled; n > 0 {
		t.Errorf("the simulator had to answer 429 %d times: a limit was not kept", n)
	}
}

// bareRead makes the calls of a first sync and drops what they give.
func bareRead(t *testing.T, w *sim.Sim) (time.Duration, int) {
	t.Helper()
	n := own(w)
	gc, err := graph.New(graph.Config{Cloud: graph.Own(n.Own.Authority, n.Own.Graph), Tenant: n.Tenant, Client: n.Client, Secret: n.Secret, HTTP: w.Client()})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	began := time.Now()
	var people []string
	for change, err := range graph.Delta[json.RawMessage](ctx, gc, "users.delta", nil, "").All() {
		if err != nil {
			t.Fatal(err)
		}
		var u struct{ UserType string }
		if err := json.Unmarshal(change.Raw, &u); err != nil {
			t.Fatal(err)
		}
		if u.UserType != "Guest" {
			people = append(people, change.ID)
		}
	}
	var mu sync.Mutex
	calls := 0
	g, ctx := errgroup.WithContext(ctx)
	for _, call := range []string{"messageRules.list", "mailboxSettings.get"} {
		g.Go(func() error {
			g, ctx := errgroup.WithContext(ctx)
			g.SetLimit(Defaults().Batches)
			for from := 0; from < len(people); from += 20 {
				var parts []graph.Part
				for _, id := range people[from:min(from+20, len(people))] {
					parts = append(parts, graph.Part{Call: call, P: graph.P{"user": id, "folder": "inbox"}})
				}
				if call == "mailboxSettings.get" {
					for i := range parts {
						delete(parts[i].P, "folder")
					}
				}
				g.Go(func() error {
					results, err := gc.Batch(ctx, parts)
					for _, r := range results {
						_, _ = io.Discard.Write(r.Body)
					}
					mu.Lock()
					calls += len(results)
					mu.Unlock()
					return err
				})
			}
			return g.Wait()
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began), calls
}

// counts is how many people there are, and how many mailboxes' rules were read.
func counts(t *testing.T, s *Server, tenant tocsin.TenantID) (people, read int) {
	t.Helper()
	if err := s.Store.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
		if err := tt.QueryRow(t.Context(), `select count(*) from person where tenant = $1`).Scan(&people); err != nil {
			return err
		}
		return tt.QueryRow(t.Context(), `select count(*) from mailbox where tenant = $1 and rules_seen > 0`).Scan(&read)
	}); err != nil {
		t.Fatal(err)
	}
	return people, read
}

// peak is the most memory this process had resident, in MiB; 0 where the system does not say.
func peak() int {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(kb)[0])
			return n / 1024
		}
	}
	return 0
}
