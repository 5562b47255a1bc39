package server

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

var kills = flag.Int("kills", 5, "how often TestKill kills the server during its first sync, TestActKill in the middle of acts, and three quarters as often TestInvestigationKill")

var killSeed = flag.Uint64("kills.seed", 0, "what TestActKill kills is told by it; 0: another one each time")

// TestMain lets the test binary be the server that is killed.
func TestMain(m *testing.M) {
	flag.Parse()
	if path := os.Getenv("TOCSIN_TEST_SERVER"); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if path := os.Getenv("TOCSIN_TEST_NATS"); path != "" {
		fmt.Fprintln(os.Stderr, natsNode(path))
		os.Exit(1)
	}
	if path := os.Getenv("TOCSIN_TEST_DISK"); path != "" {
		fmt.Fprintln(os.Stderr, spin(path))
		os.Exit(1)
	}
	if how := os.Getenv(aloneEnv); how != "" {
		if err := insertAlone(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if conf := os.Getenv(simEnv); conf != "" {
		if err := simulateAlone(conf); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(storetest.Main(m))
}

// orders is what the killed server is told.
type orders struct {
	Config  Config
	Connect connect.New
	Acts    []string // to be done one after another; see TestActKill
	On      targets  // of Acts
	Hunt    *hunting // see TestInvestigationKill
	Serve   bool     // listen and serve, see launch
	Lease   time.Duration
	Ahead   time.Duration // of its clock, see TestInboxKill
}

// child is the server that is killed: it says "ready" once it runs, and "synced" when everything was read and folded.
func child(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var o orders
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	ctx := context.Background()
	level := slog.LevelError
	if o.Serve {
		level = slog.LevelInfo
	}
	clock := &tocsin.Clock{}
	clock.Advance(o.Ahead)
	s, err := New(ctx, o.Config, Options{Clock: clock, Lease: o.Lease, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		return err
	}
	if list, err := s.Connections.List(ctx); err != nil {
		return err
	} else if len(list) == 0 && o.Connect.Client != "" {
		if _, err := s.Connections.Create(ctx, "test", o.Connect); err != nil {
			return err
		}
	}
	if o.Serve {
		l, err := o.Config.Open()
		if err != nil {
			return err
		}
		fmt.Println("ready")
		return s.Serve(ctx, l)
	}
	fmt.Println("ready")
	failed := make(chan error, 1)
	go func() { failed <- s.Run(ctx) }()
	if o.Connect.Client == "" { // it works in inboxes alone
		return <-failed
	}
	if len(o.Acts) > 0 {
		return keepActing(ctx, s, o)
	}
	if o.Hunt != nil {
		return keepHunting(ctx, s, o)
	}
	for {
		select {
		case err := <-failed:
			return err
		case <-time.After(20 * time.Millisecond):
		}
		if whole(ctx, s, tocsin.TenantID(o.Connect.Tenant)) {
			fmt.Println("synced")
		}
	}
}

// whole says whether every source was read, everything is folded, and what follows the facts has caught up.
func whole(ctx context.Context, s *Server, tenant tocsin.TenantID) bool {
	// What stands in state comes from these; others (the audit feed, the admin API) go their own pace beside them.
	var sources int
	err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select count(*) from source where tenant = $1 and succeeded > 0
			and name in ('users', 'groups', 'contacts', 'domains', 'roles', 'rules', 'settings')`).Scan(&sources)
	})
	if lag, lagErr := s.reader.Lag(ctx); err != nil || lagErr != nil || lag > 0 || sources < 7 {
		return false
	}
	last, err := s.Store.LastFact(ctx, store.Lane(tenant))
	if err != nil {
		return false
	}
	for _, name := range []string{"sweep", "judge"} {
		var at int64
		if err := s.Store.View(ctx, func(tx *store.Tx) (err error) { at, err = tx.Cursor(ctx, name, store.Lane(tenant)); return err }); err != nil || at < last {
			return false
		}
	}
	lag, err := s.reader.Lag(ctx)
	return err == nil && lag == 0
}

// ofState are the rules that judge what whole waits for, in SQL: those of sign-ins, of the audit log and of the tenant's settings find
// something when these come, which is sooner or later.
var ofState = func() string {
	var list []string
	for _, m := range rule.All() {
		if slices.Contains([]string{"mailbox_rule", "mailbox_settings", "mailbox_forwarding", "directory"}, m.Source) {
			list = append(list, "'"+m.Name+"'")
		}
	}
	return "rule in (" + strings.Join(list, ", ") + ")"
}()

// state is everything that was concluded, without the times at which it was: two ways to the same end are equal.
var state = []string{
	`select person, object_id, name, upn, mail, kind, enabled, synced, licensed, department, addresses, deleted > 0, mailbox, mailbox_because from person where tenant = $1 order by person`,
	`select address, person from person_address where tenant = $1 order by address, person`,
	`select role, object_id, person, name from role_member where tenant = $1 order by role, object_id`,
	`select id, name, mail, kind, addresses, outside from mail_group where tenant = $1 order by id`,
	`select name, is_default, authentication from domain where tenant = $1 order by name`,
	`select person, purpose, timezone, language, auto_reply, folders, rules_hash, rules_count, settings_hash from mailbox where tenant = $1 order by person`,
	`select person, id, name, enabled, body, targets, outside, risk, deleted > 0 from mail_rule where tenant = $1 order by person, id`,
	`select address, person, rule, verb, outside from rule_target where tenant = $1 order by address, person, rule, verb`,
	`select person, rule, change, after from rule_change where tenant = $1 order by person, rule, id`,
	`select id, rule, severity, risk, person, subject, cause, status, count from finding where tenant = $1 and ` + ofState + ` order by id`,
	`select finding, change from finding_change where tenant = $1 and change <> 'updated' and finding in (select id from finding where tenant = $1 and ` + ofState + `) order by finding, at, change`,
	`select kind, subject, because from dead_letter where tenant = $1 order by id`,
}

// digest gives a hash for each query of state.
func digest(t testing.TB, address string, tenant tocsin.TenantID) map[string]string {
	t.Helper()
	st, err := store.Open(t.Context(), address, &tocsin.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	out := map[string]string{}
	for _, query := range state {
		err := st.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
			rows, err := tt.Query(t.Context(), query)
			if err != nil {
				return err
			}
			defer rows.Close()
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			h, n := sha256.New(), 0
			for rows.Next() {
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(any)
				}
				if err := rows.Scan(values...); err != nil {
					return err
				}
				for _, v := range values {
					fmt.Fprintf(h, "%v\x00", *v.(*any))
				}
				n++
			}
			out[query] = fmt.Sprintf("%d rows %s", n, hex.EncodeToString(h.Sum(nil)[:8]))
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestKill: a server that is killed again and again during its first sync ends in the same state as one that is not.
func TestKill(t *testing.T) {
	t.Parallel()
	people := 500
	if *kills > 5 { // `make prove`
		people = 1500
	}
	w := world(t, people, fraud)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running, err := w.Serve(ctx, "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Slow enough that the kills fall into the sync.
	if err := w.Fault(sim.Fault{Kind: sim.Slow, Delay: sim.Duration(30 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	orders := func(dir string) orders {
		c := settings(t)
		c.Data = dir
		c.Batches = 4
		c.Every.Rules, c.Every.Directory, c.Every.Settings = time.Hour, time.Hour, time.Hour
		c.Every.Roles, c.Every.Domains = time.Hour, time.Hour
		return orders{Config: c, Connect: connect.New{Tenant: running.Tenant, Client: running.ClientID, Secret: running.ClientSecret, Cloud: "own",
			Own: connect.Own{Authority: running.Authority, Graph: running.Graph, CA: running.CA}}}
	}
	tenant := tocsin.TenantID(running.Tenant)
	calm := t.TempDir()
	took := runChild(t, orders(calm), 0)
	want := digest(t, filepath.Join(calm, "tocsin.db"), tenant)

	rough := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range *kills {
		after := time.Duration(random.Int64N(int64(took)/int64(min(*kills, 10)) + 1))
		runChild(t, orders(rough), max(after, time.Millisecond))
		if testing.Verbose() {
			t.Logf("kill %d after %v", i+1, after)
		}
	}
	runChild(t, orders(rough), 0)
	got := digest(t, filepath.Join(rough, "tocsin.db"), tenant)
	for _, q := range state {
		if got[q] != want[q] {
			t.Errorf("%s\n  killed %d times: %s\n  undisturbed:     %s", q, *kills, got[q], want[q])
		}
	}
	if strings.HasPrefix(want[state[0]], "0 rows") || strings.HasPrefix(want[state[9]], "0 rows") {
		t.Errorf("the state that is compared is empty: %v", want)
	}
}

// runChild runs the server as a process of its own until it is synced, or, with a time, kills it that long after it
// was ready. It gives how long that took.
func runChild(t *testing.T, o orders, kill time.Duration) time.Duration {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "orders.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TOCSIN_") }), "TOCSIN_TEST_SERVER="+path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	var began time.Time
	var dead <-chan time.Time
	limit := time.After(3 * time.Minute)
	for {
		select {
		case line, ok := <-lines:
			switch {
			case !ok:
				t.Fatal("the server ended by itself")
			case line == "ready":
				began = time.Now()
				if kill > 0 {
					dead = time.After(kill)
				}
			case line == "synced" && kill == 0:
				return time.Since(began)
			}
		case <-dead:
			return kill
		case <-limit:
			t.Fatal("the server did not sync in three minutes")
		}
	}
}
