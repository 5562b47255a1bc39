package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

var dayUsers = flag.Int("day.users", 500, "of the large tenant of TestADayWithoutA429; from 500 on Graph allows most")

// TestADayWithoutA429: a first sync and a day of polling, with what people ask for between, of a small tenant and of one of
// many users, end with no 429, by a simulator that enforces every published limit over any stretch of its time.
func TestADayWithoutA429(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		users int
		step  time.Duration
	}{{40, 20 * time.Minute}, {*dayUsers, 30 * time.Minute}} {
		t.Run(fmt.Sprint(tc.users), func(t *testing.T) {
			t.Parallel()
			aDay(t, tc.users, tc.step)
		})
	}
}

func aDay(t *testing.T, users int, step time.Duration) {
	w := world(t, users, fraud)
	c := settings(t)
	c.Database, c.Every = storetest.SQLiteAddress(t), Defaults().Every
	s := startAt(t, c, Options{HTTP: w.Client(), Clock: w.Clock()}) // Microsoft's time and ours are one
	began := time.Now()
	conn := join(t, s, w)
	stop := people(t, s, conn)
	syncedIn(t, 4*time.Minute, s, conn.Tenant)
	for left := 24 * time.Hour; left > 0; left -= step {
		w.Advance(step)
		now := s.Clock.Now().UnixMilli()
		eventuallyIn(t, 2*time.Minute, "the round after the clock moved", func() string { return passing(w, unread(t, s, conn, now)) })
	}
	asked := stop()
	got := w.Limited()
	t.Logf("%d users: a day in %.1f s; %d calls, %d of them for people", users, time.Since(began).Seconds(), w.Requests().Total, asked)
	for _, l := range got.Limits {
		if l.Spent > 0 {
			t.Logf("%-16s at most %d of %d in %s, %d in all", l.Limit, l.Most, l.Of, l.In, l.Spent)
		}
	}
	if got.Refused+got.Faults > 0 {
		t.Errorf("the simulator had to answer 429: %+v", got)
	}
	if asked == 0 || got.Limits[0].Spent < int64(users) {
		t.Errorf("little was asked: %d for people, %d in all", asked, got.Limits[0].Spent)
	}
	whatTheServerSays(t, s, conn, users)
}

// passing lets a second of the simulator's time go by while something is lacking, so that nobody waits for a limit in ours.
func passing(w *sim.Sim, lacking string) string {
	if lacking != "" {
		w.Advance(time.Second)
	}
	return lacking
}

// TestAFirstSyncUnderTightLimits: where what is allowed is far less than what is to be asked, calls wait and none is refused,
// while people get what is kept for them.
func TestAFirstSyncUnderTightLimits(t *testing.T) {
	t.Parallel()
	w, err := sim.New(sim.Config{Users: 200, Seed: 5, Quiet: true, Latency: 20 * time.Millisecond, Limits: sim.Limits{Global: 300, Directory: 60}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	c := settings(t)
	c.Database, c.Every = storetest.SQLiteAddress(t), Defaults().Every
	c.Limits = Limits{Requests: 300, DirectoryUnits: 60}
	s := startAt(t, c, Options{HTTP: w.Client(), Clock: w.Clock()})
	conn := join(t, s, w)
	ctx, end := context.WithCancel(graph.WithPriority(t.Context(), graph.High))
	asked := make(chan int)
	go func() {
		n := 0
		defer func() { asked <- n }()
		for pause(ctx, time.Second) {
			gc, err := s.Connections.Client(ctx, conn)
			if err == nil {
				err = gc.Get(ctx, "organization.list", nil, nil)
			}
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			n++
		}
	}()
	syncedIn(t, 3*time.Minute, s, conn.Tenant)
	end()
	people := <-asked
	got := w.Limited()
	if got.Refused+got.Faults > 0 {
		t.Errorf("the simulator had to answer 429: %+v", got)
	}
	uses, err := s.Connections.Usage(t.Context(), conn.Tenant, conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]int64{}
	for _, u := range uses {
		held[u.Limit] = u.Waits
	}
	t.Logf("%d calls, %d for people; held back: %v", got.Limits[0].Spent, people, held)
	if held["all"] == 0 || people == 0 {
		t.Errorf("held back %v, %d calls for people: the limits were not met", held, people)
	}
}

// startAt is start with options.
func startAt(t testing.TB, c Config, o Options) *Server {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := New(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
		s.Close()
	})
	return s
}

// unread is a source that is read every five minutes and has not been since.
func unread(t *testing.T, s *Server, conn connect.Connection, since int64) string {
	for _, name := range []string{"users", "groups", "rules"} {
		var succeeded int64
		var because string
		err := s.Store.ViewTenant(t.Context(), conn.Tenant, func(tt *store.Tenant) error {
			return tt.QueryRow(t.Context(), `select succeeded, because from source where tenant = $1 and name = $2`, name).Scan(&succeeded, &because)
		})
		if err != nil || succeeded < since {
			return fmt.Sprintf("%s was read %d ms before: %v %s", name, since-succeeded, err, because)
		}
	}
	return ""
}

// people ask for things all the while, by the connection that is there and by ones made anew, as after another secret. What is given stops
// them, and says how much they asked.
func people(t *testing.T, s *Server, conn connect.Connection) (stop func() int) {
	ctx, end := context.WithCancel(graph.WithPriority(t.Context(), graph.High))
	var group sync.WaitGroup
	asked := 0
	group.Go(func() {
		for n := 0; pause(ctx, 40*time.Millisecond); n++ {
			gc, err := s.Connections.Client(ctx, conn)
			if err == nil && n%50 == 49 {
				_, err = s.Connections.Test(ctx, conn.Tenant, conn.ID)
			}
			if err == nil {
				err = gc.Get(ctx, "subscribedSkus.list", nil, nil)
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			asked++
		}
	})
	return func() int {
		end()
		group.Wait()
		return asked
	}
}

// whatTheServerSays: the operation and the metrics tell what was used, and that there was no 429.
func whatTheServerSays(t *testing.T, s *Server, conn connect.Connection, users int) {
	t.Helper()
	uses, err := s.Connections.Usage(t.Context(), conn.Tenant, conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	units := map[bool]int{true: 3500, false: 8000}[users < 50]
	for _, u := range uses {
		if u.Throttled > 0 || u.Last != nil || u.Waiting > 0 && u.Limit != "reports" && u.Limit != "protection" { // of which so few are allowed that some mostly wait
			t.Errorf("%+v", u)
		}
		if u.Limit == "directory" && (u.Of != units || u.Spent == 0) {
			t.Errorf("%d users: %+v", users, u)
		}
		if u.Limit == "mailbox" && u.Spent < int64(users) {
			t.Errorf("%+v", u)
		}
	}
	registry := httptest.NewRecorder()
	s.metrics.handler().ServeHTTP(registry, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		fmt.Sprintf(`tocsin_limit_of{app="%s",kind="directory",limit="directory",tenant="%s"} %d`, conn.Client, conn.Tenant, units),
		fmt.Sprintf(`tocsin_limit_throttled_total{app="%s",kind="mailbox",limit="mailbox",tenant="%s"} 0`, conn.Client, conn.Tenant),
		fmt.Sprintf(`tocsin_limit_of{app="",kind="protection",limit="protection",tenant="%s"} 1`, conn.Tenant),
		fmt.Sprintf(`tocsin_limit_of{app="%s",kind="other",limit="all",tenant=""} 130000`, conn.Client),
	} {
		if !strings.Contains(registry.Body.String(), want) {
			t.Errorf("the metrics do not hold %s", want)
		}
	}
}

// byTenant sends each request to the simulator of the tenant whose sign-in it is, or whose token it has.
type byTenant map[string]*sim.Sim

// RoundTrip makes the request.
func (b byTenant) RoundTrip(r *http.Request) (*http.Response, error) {
	tenant, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if parts := strings.Split(r.Header.Get("Authorization"), "."); len(parts) == 3 {
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			return nil, err
		}
		var token struct {
			Tenant string `json:"tid"`
		}
		if err := json.Unmarshal(raw, &token); err != nil {
			return nil, err
		}
		tenant = token.Tenant
	}
	if b[tenant] == nil {
		return nil, fmt.Errorf("no tenant %q", tenant)
	}
	return b[tenant].Client().Transport.RoundTrip(r)
}

// Two tenants of one app: its limit over all tenants is one, the others are their own, and the metrics hold together.
func TestOneAppInTwoTenants(t *testing.T) {
	t.Parallel()
	sims := byTenant{}
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	app := "0a0b0c0d-0000-4000-8000-00000000a99e"
	var conns []connect.Connection
	for i := range 2 {
		w, err := sim.New(sim.Config{Users: 30, Seed: int64(40 + i), Quiet: true, ClientID: app, Secret: "the same secret value"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		sims[w.Tenant()] = w
	}
	s := start(t, c, &http.Client{Transport: sims})
	for _, w := range sims {
		conns = append(conns, join(t, s, w))
	}
	for _, conn := range conns {
		synced(t, s, conn.Tenant)
	}
	asOwner := api.WithCaller(t.Context(), api.Caller{Account: "test", Grants: []api.Grant{{Tenant: "*", Role: api.Owner}}})
	of := func(conn connect.Connection, name string) api.Limit {
		list, err := s.API.ListLimits(asOwner, api.ListIn{In: api.In{Tenant: conn.Tenant}})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list.Items {
			if l.Name == name {
				return l
			}
		}
		t.Fatalf("no limit %s", name)
		return api.Limit{}
	}
	for i := range conns {
		if err := s.Connections.Pause(t.Context(), "test", conns[i].Tenant, conns[i].ID); err != nil {
			t.Fatal(err)
		}
	}
	a, b := of(conns[0], "all"), of(conns[1], "all")
	if a.Spent != b.Spent || a.Spent < of(conns[0], "mailbox").Spent+of(conns[1], "mailbox").Spent {
		t.Errorf("the app's limit is not one: %+v %+v", a, b)
	}
	if m := of(conns[0], "mailbox"); m.MailboxName == "" || m.Mailbox == "" || m.State != "calm" {
		t.Errorf("the busiest mailbox is not named: %+v", m)
	}
	if _, err := s.metrics.registry.Gather(); err != nil {
		t.Error(err)
	}
}
