package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

var (
	loadFor      = flag.Duration("load.for", 2*time.Second, "for how long TestStreamLoad has the simulator send")
	loadRate     = flag.Int("load.rate", 200, "how many notifications a second it sends")
	loadUsers    = flag.Int("load.users", 60, "of how many people")
	loadLatency  = flag.Duration("load.latency", 0, "how long the simulator takes to answer")
	loadDatabase = flag.String("load.database", "sqlite", "or postgres")
	loadProfile  = flag.String("load.profile", "", "what the files begin with that say what the processor did in each part of TestStreamLoad")
)

const simEnv, aloneEnv = "TOCSIN_TEST_SIM", "TOCSIN_TEST_ALONE"

// simulateAlone is a simulator in a process of its own, until its input ends.
func simulateAlone(conf string) error {
	var c sim.Config
	if err := json.Unmarshal([]byte(conf), &c); err != nil {
		return err
	}
	s, err := sim.New(c)
	if err != nil {
		return err
	}
	defer s.Close()
	running, err := s.Serve(context.Background(), "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(running); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return running.Close()
}

// apart is a simulator in another process.
type apart struct {
	*testing.T
	sim.Running
}

func simulated(t *testing.T, c sim.Config) *apart {
	t.Helper()
	conf, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), simEnv+"="+string(conf))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	a := &apart{T: t}
	if err := json.NewDecoder(out).Decode(&a.Running); err != nil {
		t.Fatal(err)
	}
	return a
}

// tell posts to the simulator's control.
func (a *apart) tell(path string, body any) {
	a.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		a.Fatal(err)
	}
	res, err := http.Post(a.Control+path, "application/json", bytes.NewReader(raw))
	if err != nil {
		a.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		a.Fatal(path, res.Status)
	}
}

// ask reads what the control says, value by value.
func ask[T any](a *apart, path string, each func(T)) {
	a.Helper()
	res, err := http.Get(a.Control + path)
	if err != nil {
		a.Fatal(err)
	}
	defer res.Body.Close()
	for d := json.NewDecoder(res.Body); ; {
		var v T
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			a.Fatal(path, err)
		}
		each(v)
	}
}

func (a *apart) deliveries() (d sim.Deliveries) {
	a.Helper()
	ask(a, "/deliveries", func(v sim.Deliveries) { d = v })
	return d
}

// durations are how long something took, again and again.
type durations struct {
	mu   sync.Mutex
	list []time.Duration
}

func (d *durations) add(some ...time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, some...)
}

// String gives the half, the hundredth and the longest, and forgets them.
func (d *durations) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.list
	d.list = nil
	if len(list) == 0 {
		return "none"
	}
	slices.Sort(list)
	at := func(part float64) time.Duration {
		return list[int(part*float64(len(list)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %v, p99 %v, most %v", at(0.5), at(0.99), at(1))
}

// processor is how much of it this process took so far.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the most memory that this process took so far, in megabytes.
func resident(t *testing.T) int64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Maxrss >> 10
}

// TestStreamLoad has a simulator in a process of its own send at a rate, and then as fast as both carry, and says how long it
// took until what was posted was acknowledged and until it could be queried, and what it took of the processor in this
// process, which is all of Tocsin's and nothing of the simulator's. Afterwards everything is in the tables as the truth
// has it. It asserts only that; time is for `make bench`.
func TestStreamLoad(t *testing.T) {
	Tune()
	w := simulated(t, sim.Config{Users: *loadUsers, Seed: 7, Quiet: true, Latency: *loadLatency, TruthPath: filepath.Join(t.TempDir(), "truth"), Delivery: sim.Delivery{Connections: 64}})
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	if *loadDatabase == "postgres" {
		c.Database = storetest.PostgresAddress(t)
	}
	c.Every.Rules, c.Every.Directory, c.Every.Settings, c.Every.Members, c.Every.Roles, c.Every.Domains = time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Hooks.URL = "http://" + l.Addr().String()
	b := &load{T: t, w: w, s: start(t, c, nil)}
	b.listen(l)
	conn, err := b.s.Connections.Create(t.Context(), "test", connect.New{Tenant: w.Tenant, Client: w.ClientID, Secret: w.ClientSecret, Cloud: "own", Own: connect.Own{Authority: w.Authority, Graph: w.Graph, CA: w.CA}})
	if err != nil {
		t.Fatal(err)
	}
	b.tenant = conn.Tenant
	eventuallyIn(t, 5*time.Minute, "the subscriptions", func() string {
		on, all := b.count(`select count(*) from subscription where tenant = $1 and state = 'on'`), b.count(`select count(*) from person where tenant = $1 and mailbox = 'read'`)
		if on == 0 || on < all || !whole(t.Context(), b.s, b.tenant) {
			b.soon("subscriptions")
			return fmt.Sprintf("%d of %d", on, all)
		}
		return ""
	})
	eventuallyIn(t, 5*time.Minute, "the folders of those mailboxes", func() string { // once an hour, which is no part of what an event costs
		if on, seen := b.count(`select count(*) from subscription where tenant = $1 and state = 'on'`), b.count(`select count(*) from folder_look where tenant = $1 and token <> ''`); seen < on {
			b.soon("mail_folders")
			return fmt.Sprintf("%d of %d", seen, on)
		}
		return ""
	})
	first := 0
	ask(w, "/truth", func(line sim.Truth) { first = line.N + 1 })

	b.measure(fmt.Sprintf("%d a second", *loadRate), func() {
		w.tell("/rate", map[string]int{"rate": *loadRate})
		time.Sleep(*loadFor)
		w.tell("/rate", map[string]int{"rate": 0})
	})
	b.measure("as fast as both carry", func() {
		for rest := int(loadFor.Seconds() * float64(*loadRate)); rest > 0; rest -= 500 {
			w.tell("/traffic", map[string]int{"changes": min(rest, 500)})
			b.keepUp()
		}
	})
	b.whole(first)
}

// keepUp waits until no more waits than some three seconds' worth: who is sent more than it carries only tells how long the queue is.
func (b *load) keepUp() {
	const most = 30_000
	for ; ; time.Sleep(10 * time.Millisecond) {
		lag, err := b.s.reader.Lag(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if b.w.deliveries().Waiting+int64(lag) <= most {
			return
		}
	}
}

// load is a server under load.
type load struct {
	*testing.T
	w      *apart
	s      *Server
	tenant tocsin.TenantID
	acks   durations // from the request's head to its answer
	folded durations // from when a notification came to when what it told of could be queried
	runs   atomic.Int64
}

// listen answers the webhook.
func (b *load) listen(l net.Listener) {
	b.s.reader.Done = func(items []journal.Item) {
		now := tocsin.Millis(b.s.Clock.Now())
		took := make([]time.Duration, len(items))
		for i := range items {
			took[i] = time.Duration(now-items[i].At) * time.Millisecond
		}
		b.folded.add(took...)
		b.runs.Add(1)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(hookPath, func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		b.s.Hook.ServeHTTP(w, r)
		b.acks.add(time.Since(began))
	})
	hs := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- hs.Serve(l) }()
	b.Cleanup(func() {
		hs.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			b.Error(err)
		}
	})
}

func (b *load) count(query string, args ...any) (n int) {
	b.Helper()
	err := b.s.Store.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error { return t.QueryRow(b.Context(), query, args...).Scan(&n) })
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// soon has a source asked that would wait for its minute.
func (b *load) soon(source string) {
	b.Helper()
	err := b.s.Store.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		_, err := t.Exec(b.Context(), `update source set due = 0 where tenant = $1 and name = $2`, source)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
}

// profile keeps what the processor does until stop is called, in a file of the measurement's own.
func (b *load) profile(name string) (stop func()) {
	b.Helper()
	if *loadProfile == "" {
		return func() {}
	}
	f, err := os.Create(*loadProfile + "-" + strings.ReplaceAll(name, " ", "-"))
	if err != nil {
		b.Fatal(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		b.Fatal(err)
	}
	return func() { pprof.StopCPUProfile(); f.Close() }
}

// insertAlone is what an event takes of the processor, in microseconds, that is put into the table of events with others and synced,
// and nothing else, in a process of its own: what it costs at least, on this machine, now.
func insertAlone(how string) error {
	const run, mailboxes, tenant = 1_000, 2_000, tocsin.TenantID("11111111-2222-4333-8444-555555555555")
	number, dir, _ := strings.Cut(how, " ")
	events, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	Tune()
	ctx := context.Background()
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "alone.db"), nil)
	if err != nil {
		return err
	}
	defer st.Close()
	into := store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body", "known", "run"}}
	into.Keep = into.Columns
	body, known, spent := strings.Repeat("received ", 47), strings.Repeat("told ", 42), processor()
	for from := 0; from < events; from += run {
		rows := make([][]any, run)
		for i := range rows {
			person := tocsin.NewPersonID(tenant, strconv.Itoa(rand.N(mailboxes)))
			rows[i] = []any{uuid.Must(uuid.NewV7()).String(), from + i, "EMAIL", "email_received", string(person), body, known, from}
		}
		if err := st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error { return t.Insert(ctx, into, rows) }); err != nil {
			return err
		}
	}
	_, err = fmt.Printf("%g", float64((processor()-spent).Microseconds())/float64(events))
	return err
}

// alone asks another process for insertAlone.
func (b *load) alone() (us float64) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", aloneEnv, 1_000*min(40, 1+*loadRate/100), b.TempDir()))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		us, err = strconv.ParseFloat(string(out), 64)
	}
	if err != nil {
		b.Fatal(err)
	}
	return us
}

// measure says what it takes until all that send has the simulator do is folded.
func (b *load) measure(name string, send func()) {
	b.Helper()
	_, _ = b.acks.String(), b.folded.String()
	alone := b.alone()
	stop := b.profile(name)
	before, began, spent, runs := b.w.deliveries(), time.Now(), processor(), b.runs.Load()
	send()
	sent := time.Since(began)
	var d sim.Deliveries
	eventuallyIn(b, 10*time.Minute, "the stream", func() string {
		d = b.w.deliveries()
		lag, err := b.s.reader.Lag(b.Context())
		if err != nil || d.Waiting > 0 || lag > 0 {
			return fmt.Sprintf("%+v, lag %d, %v", d, lag, err)
		}
		if parked := b.count(`select count(*) from parked where tenant = $1`); parked > 0 {
			return fmt.Sprintf("%d are parked", parked)
		}
		return ""
	})
	took := time.Since(began)
	eventuallyIn(b, 10*time.Minute, "the learner", func() string { // which lets the stream go before
		if n := b.count(`select count(*) from fact where tenant = $1 and kind = 'mail.changed' and n > (select fact from learned where tenant = $1)`); n > 0 {
			return fmt.Sprintf("%d runs are not learned from", n)
		}
		return ""
	})
	cost := processor() - spent
	stop()
	alone = (alone + b.alone()) / 2
	n := d.Delivered - before.Delivered
	if n == 0 {
		b.Fatal("nothing was sent")
	}
	b.Logf("%s: %d notifications in %d POSTs, %d failed; sent in %.1f s, folded in %.1f s (%.0f a second); acknowledged %v; queryable %v; %.0f µs of the processor each with what is learned, %.1f times an insert alone in SQLite (%.1f µs), %d in a transaction; %d MB of memory at most",
		name, n, d.Posts-before.Posts, d.Failed-before.Failed, sent.Seconds(), took.Seconds(), float64(n)/took.Seconds(), &b.acks, &b.folded, float64(cost.Microseconds())/float64(n), float64(cost.Microseconds())/float64(n)/alone, alone, int64(n)/max(1, b.runs.Load()-runs), resident(b.T))
}

// whole checks that the tables say what the truth does since its line first: what came has one event of its coming, what
// was deleted one of that, and every message is held as it is.
func (b *load) whole(first int) {
	b.Helper()
	type told struct{ came, gone int }
	events, held, watched := map[string]told{}, map[string]string{}, map[string]bool{}
	rows := func(query string, row func(scan func(...any) error) error) {
		b.Helper()
		err := b.s.Store.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
			q, err := t.Query(b.Context(), query)
			if err != nil {
				return err
			}
			defer q.Close()
			for q.Next() {
				if err := row(q.Scan); err != nil {
					return err
				}
			}
			return q.Err()
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	rows(`select p.mail from person p join subscription s on s.tenant = p.tenant and s.person = p.person where p.tenant = $1`, func(scan func(...any) error) error {
		var mail string
		err := scan(&mail)
		watched[mail] = true
		return err
	})
	rows(`select action, body from event where tenant = $1 and type = 'EMAIL'`, func(scan func(...any) error) error {
		var is tocsin.EventRow
		if err := scan(&is.Action, &is.Body); err != nil {
			return err
		}
		had := events[is.Native()]
		switch is.Action {
		case "email_received", "email_sent":
			had.came++
		case "email_deleted":
			had.gone++
		}
		events[is.Native()] = had
		return nil
	})
	rows(`select native, folder, is_read, flag, deleted from mail where tenant = $1`, func(scan func(...any) error) error {
		var id, folder, flag string
		var read bool
		var deleted int64
		err := scan(&id, &folder, &read, &flag, &deleted)
		if held[id] = fmt.Sprint(folder, read, flag); deleted > 0 {
			held[id] = "gone"
		}
		return err
	})
	came, gone, boxes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	ask(b.w, "/truth?change=message.", func(line sim.Truth) {
		if line.N < first || !watched[line.Mailbox] {
			return
		}
		boxes[line.Mailbox] = true
		switch line.Change {
		case "message.created":
			came[line.ID] = true
		case "message.deleted":
			gone[line.ID] = true
		}
	})
	is := map[string]string{}
	for box := range boxes {
		ask(b.w, "/messages?mailbox="+url.QueryEscape(box), func(m sim.MessageState) { is[m.ID] = fmt.Sprint(m.Folder, m.IsRead, m.Flag) })
	}
	short, wrong := 0, 0
	lacks := func(format string, args ...any) {
		if wrong++; wrong <= 10 {
			b.Errorf(format, args...)
		}
	}
	for id := range came {
		switch e := events[id]; {
		case e.came == 0 && gone[id] && (held[id] == "" || held[id] == "gone"):
			short++
		case e.came != 1:
			lacks("%d events of the coming of %s, which is held as %s", e.came, id, held[id])
		}
	}
	for id := range gone {
		if e := events[id]; held[id] != "" && (e.gone != 1 || held[id] != "gone") {
			lacks("%d events of the end of %s, which is held as %s", e.gone, id, held[id])
		}
	}
	for id, state := range held {
		if want, there := is[id]; there && state != want || !there && state != "gone" {
			lacks("%s is held as %s, and is %q", id, state, want)
		}
	}
	if unseen := b.count(`select coalesce(sum(unseen), 0) from mail_ledger where tenant = $1`); unseen < short {
		lacks("%d came and went unseen, and %d are counted", short, unseen)
	}
	if n := b.count(`select count(*) from mail_gap where tenant = $1`); n > 0 {
		lacks("%d gaps", n)
	}
	b.Logf("%d messages came and %d went, of which %d were gone before they were looked at; %d events, %d differences", len(came), len(gone), short, b.count(`select count(*) from event where tenant = $1 and type = 'EMAIL'`), wrong)
}
