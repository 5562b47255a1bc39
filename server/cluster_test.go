package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// fleet is an installation of Tocsin, each part a process of its own, beside a tenant in this process that knows the truth.
type fleet struct {
	*subject
	servers []*machine
	urls    []string
	nodes   []*machine
	pg      *storetest.Own // nil: SQLite
	disks   []*disk        // of the server, or of the nodes; nil: the machine's own
	tables  string         // their address

	tablesDisk *disk // PostgreSQL's; nil: the machine's own
	events     int   // that were stored when that was last proven
	from       int   // where the truth stood when all was subscribed
}

// partitions of a cluster's journal; any number of replicas up to three has a whole part of them.
const partitions = 6

// fleetOf starts so many servers: one with SQLite and the embedded journal, or several with PostgreSQL and NATS. The one, or the
// three nodes, have disks of their own where some are given; a fourth is PostgreSQL's.
func fleetOf(t *testing.T, replicas, users int, disks ...*disk) *fleet {
	t.Helper()
	w := world(t, users)
	w.SetDelivery(sim.Delivery{Retry: sim.Duration(200 * time.Millisecond), Longest: sim.Duration(5 * time.Second), Authorized: -1})
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	running, err := w.Serve(ctx, "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{subject: &subject{T: t, w: w}, disks: disks}
	tables := ""
	if replicas > 1 && len(disks)%3 == 1 { // one, or a fourth
		f.tablesDisk, f.disks = disks[len(disks)-1], slices.Clone(disks[:len(disks)-1])
		tables = f.tablesDisk.dir
	}
	c := settings(t)
	if len(f.disks) > 0 && replicas == 1 {
		c.Data = filepath.Join(disks[0].dir, "data")
	}
	c.Every = Defaults().Every
	c.Every.Directory, c.Every.Rules = 2*time.Second, time.Second
	c.Key.Value = base64.StdEncoding.EncodeToString([]byte("the key that all replicas share.."[:32]))
	c.Owner.Email, c.Owner.Token = "owner@tocsin.example", landlordToken
	c.Database = filepath.Join(c.Data, "tocsin.db")
	if replicas > 1 {
		f.pg = storetest.PostgresToKill(t, tables)
		f.nodes, c.Journal.URL = natsCluster(t, f.disks)
		c.Journal.Partitions, c.Database = partitions, f.pg.Address
	}
	for _, p := range ports(t, replicas) {
		f.urls = append(f.urls, fmt.Sprint("http://127.0.0.1:", p))
	}
	c.Hooks.URL = balanced(t, f.urls)
	for n, u := range f.urls {
		own := c
		own.Listen = strings.TrimPrefix(u, "http://")
		own.Cloud.Allow = "127.0.0.0/8"
		if n > 0 {
			own.Data = t.TempDir()
		}
		m := &machine{t: t, name: fmt.Sprint("server ", n), env: "TOCSIN_TEST_SERVER", orders: orders{Config: own, Serve: true, Lease: 2 * time.Second,
			Connect: connect.New{Tenant: running.Tenant, Client: running.ClientID, Secret: running.ClientSecret, Cloud: "own",
				Own: connect.Own{Authority: running.Authority, Graph: running.Graph, CA: running.CA}}}}
		f.servers = append(f.servers, m)
	}
	f.servers[0].start() // it connects the tenant
	together(f.servers[1:])
	f.conn.Tenant = tocsin.TenantID(running.Tenant)
	f.tables = c.Database
	defer f.open()()
	eventually(t, "the subscriptions", func() string {
		on, all := f.count(`select count(*) from subscription where tenant = $1 and state = 'on'`), f.count(`select count(*) from person where tenant = $1 and deleted = 0 and kind <> 'guest' and mailbox in ('read', 'unknown')`)
		read := f.count(`select count(*) from source where tenant = $1 and succeeded > 0 and name in ('users', 'rules', 'settings')`)
		if read < 3 || on == 0 || on < all { // before these are read there may be mailboxes that nobody knows yet
			return fmt.Sprintf("%d of %d", on, all)
		}
		return ""
	})
	f.from = len(f.truth(0))
	return f
}

// open opens the tables in this process, until what it gives is called. They are not open while something is killed:
// whoever has them open could mend what the killed one left.
func (f *fleet) open() func() {
	f.Helper()
	st, err := store.Open(f.Context(), f.tables, &tocsin.Clock{})
	if err != nil {
		f.Fatal(err)
	}
	f.s = &Server{Store: st}
	return func() {
		if err := st.Close(); err != nil {
			f.Error(err)
		}
	}
}

// get asks a server, as its owner.
func (f *fleet) get(url string) (int, string, error) {
	r, err := http.NewRequestWithContext(f.Context(), http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+landlordToken)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// lag is how many items are not folded, as the first server says.
func (f *fleet) lag() (int, error) {
	status, body, err := f.get(f.urls[0] + "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(body) {
		if v, ok := strings.CutPrefix(line, "tocsin_journal_lag_messages "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return int(n), err
		}
	}
	return 0, fmt.Errorf("/metrics says no lag (%d)", status)
}

// number is count for a database that may just have been killed.
func (f *fleet) number(query string) (n int, err error) {
	err = f.s.Store.ViewTenant(f.Context(), f.tenant(), func(t *store.Tenant) error { return t.QueryRow(f.Context(), query).Scan(&n) })
	return n, err
}

// settled waits until nothing is under way: no notification, no item, nothing parked, no gap. However much waits, it waits
// as long as it becomes less.
func (f *fleet) settled() {
	f.Helper()
	const patience = 3 * time.Minute
	least, until := int64(math.MaxInt64), time.Now().Add(patience)
	eventuallyBy(f.T, &until, "the stream", func() string {
		d := f.w.Deliveries()
		lag, err := f.lag()
		if left := d.Waiting + int64(lag); err == nil && left < least {
			least, until = left, time.Now().Add(patience)
		}
		if d.Waiting > 0 || lag > 0 || err != nil {
			return fmt.Sprintf("%+v, lag %d, %v", d, lag, err)
		}
		for what, query := range map[string]string{
			"parked":           `select count(*) from parked where tenant = $1`,
			"open gaps":        `select count(*) from mail_gap where tenant = $1 and closed = 0`,
			"subscriptions to": `select count(*) from subscription where tenant = $1 and (signal <> '' or state <> 'on')`,
		} {
			if n, err := f.number(query); n > 0 || err != nil {
				return fmt.Sprintf("%d %s, %v", n, what, err)
			}
		}
		return ""
	})
}

// alive ends the test where something ended that was not killed.
func (f *fleet) alive() {
	f.Helper()
	for _, m := range slices.Concat(f.servers, f.nodes) {
		select {
		case <-m.dead:
			f.Fatalf("%s ended by itself", m.name)
		default:
		}
	}
}

// proven waits until all is settled, and holds what is stored to the truth: each message's coming and going once, and its
// state as it is. It gives the account.
func (f *fleet) proven() (a account) {
	f.Helper()
	f.alive()
	defer f.open()()
	f.settled()
	if d := f.w.Deliveries(); d.Dropped > 0 {
		f.Fatalf("Microsoft threw %d notifications away, since answers were slow: send fewer (prove.rate)", d.Dropped)
	}
	eventually(f.T, "the events", func() string {
		if a = f.accounts(f.from); len(a.lacks) > 0 {
			return fmt.Sprintf("%d differ, such as %s", len(a.lacks), a.lacks[0])
		}
		return ""
	})
	for _, wrong := range f.disordered() {
		f.Error(wrong)
	}
	for what, query := range map[string]string{
		"dead letters": `select count(*) from dead_letter where tenant = $1`,
		"gaps":         `select count(*) from mail_gap where tenant = $1`,
	} {
		if n := f.count(query); n > 0 {
			f.Errorf("%d %s", n, what)
		}
	}
	f.events = f.count(`select count(*) from event where tenant = $1`)
	if a.Acked != a.Stored || a.Twice > 0 {
		f.Errorf("%d changes were acknowledged and %d are stored; %d messages were told twice", a.Acked, a.Stored, a.Twice)
	}
	return a
}

// disordered are the messages of which something was told before their coming or after their end, by the order in which
// events were written. What was written in one transaction nobody sees one without the other, and PostgreSQL puts it wherever
// there is room: by when it happened then.
func (f *fleet) disordered() (wrong []string) {
	f.Helper()
	written := map[string]string{"sqlite": "rowid", "postgres": "xmin::text::bigint, at, case when action in ('email_received', 'email_sent') then 0 when action = 'email_deleted' then 2 else 1 end"}[f.s.Store.Kind()]
	told := map[string][]string{}
	err := f.s.Store.ViewTenant(f.Context(), f.tenant(), func(t *store.Tenant) error {
		clear(told)
		rows, err := t.Query(f.Context(), `select action, body from event where tenant = $1 and type = 'EMAIL' order by `+written)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var is tocsin.EventRow
			if err := rows.Scan(&is.Action, &is.Body); err != nil {
				return err
			}
			told[is.Native()] = append(told[is.Native()], is.Action)
		}
		return rows.Err()
	})
	if err != nil {
		f.Fatal(err)
	}
	came := map[string]bool{"email_received": true, "email_sent": true}
	for id, list := range told {
		for i, action := range list {
			if came[action] && i > 0 || action == "email_deleted" && i < len(list)-1 {
				wrong = append(wrong, fmt.Sprintf("%s was told in this order: %v", id, list))
			}
		}
	}
	return wrong
}

// readers is who reads how many partitions.
func (f *fleet) readers() map[string]int {
	f.Helper()
	leases, err := f.s.Store.Leases(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	out := map[string]int{}
	for _, l := range leases {
		if strings.HasPrefix(l.Name, "journal/") {
			out[l.Owner]++
		}
	}
	return out
}

// collects is who collects from the tenant; empty for nobody.
func (f *fleet) collects() string {
	f.Helper()
	leases, err := f.s.Store.Leases(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for _, l := range leases {
		if l.Name == "tenant/"+string(f.tenant()) {
			return l.Owner
		}
	}
	return ""
}

// shared waits until each of so many servers reads as many partitions as the others, and one of them collects from the tenant.
func (f *fleet) shared(servers int) {
	f.Helper()
	defer f.open()()
	eventually(f.T, "the partitions", func() string {
		got := f.readers()
		if who := f.collects(); got[who] == 0 {
			return fmt.Sprintf("%q collects, and reads nothing of %v", who, got)
		}
		if len(got) != servers {
			return fmt.Sprintf("%v, want %d readers", got, servers)
		}
		for _, n := range got {
			if n != partitions/servers {
				return fmt.Sprint(got)
			}
		}
		return ""
	})
}

// TestCluster: two servers, three nodes of NATS and PostgreSQL carry the stream; one server and one node are killed and
// come back, and nothing is lost, told twice or out of order.
func TestCluster(t *testing.T) {
	t.Parallel() // it mostly waits
	began := time.Now()
	phase := func(what string) { t.Logf("%v: %s", time.Since(began).Round(time.Millisecond), what) }
	var disks []*disk
	if canMount() == nil {
		disks = []*disk{newDisk(t)}
	}
	f := fleetOf(t, 2, 9, disks...)
	phase("all run and every mailbox is subscribed to")
	f.shared(2)
	phase("the partitions are shared")
	f.w.SetRate(80, 0)
	time.Sleep(500 * time.Millisecond)
	if n := f.w.Throttled(); n > 0 {
		t.Errorf("the two together were refused %d calls: they did not share Graph's limits", n)
	}
	lost := []*machine{f.servers[0], f.nodes[1]} // the first came before the other, and collects
	for _, m := range lost {
		m.kill()
	}
	died := time.Now()
	f.shared(1)
	took := time.Since(died)
	together(lost)
	phase("what was killed is back")
	// Without its database a server takes notifications all the same. It loses its power, where it has a disk that can.
	if f.tablesDisk != nil {
		f.tablesDisk.tell("off", 0)
	}
	f.pg.Kill()
	before := f.w.Deliveries().Delivered
	f.isReady("/readyz", http.StatusServiceUnavailable, "does not answer")
	eventually(t, "notifications while there is no database", func() string {
		if d := f.w.Deliveries(); d.Delivered < before+30 {
			return fmt.Sprintf("%+v", d)
		}
		return ""
	})
	f.isReady("/hooks/readyz", http.StatusOK, "")
	if f.tablesDisk != nil {
		f.tablesDisk.tell("on", 0)
	}
	f.pg.Start()
	phase("the database is back")
	f.w.SetRate(0, 0)
	f.shared(2)
	phase("the partitions are shared again")
	a := f.proven()
	d := f.w.Deliveries()
	t.Logf("%d notifications, %d POSTs failed, taken over in %v, %d events, %d came and went, %d calls throttled", d.Delivered, d.Failed, took.Round(time.Millisecond), f.events, a.short(), f.w.Throttled())
	if d.Delivered < 100 {
		t.Errorf("only %d notifications were delivered", d.Delivered)
	}
}

// TestDisk: a disk that is slow, then full, then loses its power, never makes the webhook say that it has what it has not;
// and afterwards everything goes on by itself.
func TestDisk(t *testing.T) {
	t.Parallel() // it mostly waits
	d := newDisk(t)
	f := fleetOf(t, 1, 9, d)
	f.w.SetRate(50, 0)
	d.tell("delay", 2500) // longer than a notification may wait
	f.refused("slow")
	d.tell("delay", 0)
	f.isReady("/readyz", http.StatusOK, "")
	d.tell("room", 32<<10)
	f.refused("full")
	f.isReady("/readyz", http.StatusServiceUnavailable, "disk is full")
	d.tell("room", 1<<40)
	f.isReady("/readyz", http.StatusOK, "")
	for _, c := range cuts {
		mend := c.strike(f, nil)
		mend()
		time.Sleep(200 * time.Millisecond)
	}
	f.w.SetRate(0, 0)
	a := f.proven()
	got := f.w.Deliveries()
	t.Logf("%d notifications, %d POSTs failed, %d events, %d came and went", got.Delivered, got.Failed, f.events, a.short())
}

// refused waits until more notifications were refused than before.
func (f *fleet) refused(disk string) {
	f.Helper()
	before := f.w.Deliveries().Failed
	eventually(f.T, "a notification that a "+disk+" disk refuses", func() string {
		if d := f.w.Deliveries(); d.Failed < before+3 {
			return fmt.Sprintf("%+v", d)
		}
		return ""
	})
}

// isReady waits until the first server says of itself that it is, or is not, and why.
func (f *fleet) isReady(path string, want int, says string) {
	f.Helper()
	eventually(f.T, path, func() string {
		status, body, err := f.get(f.urls[0] + path)
		if err != nil || status != want || !strings.Contains(body, says) {
			return fmt.Sprint(status, body, err)
		}
		return ""
	})
}
