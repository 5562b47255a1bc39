package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// machine is a process that a test starts, kills and starts again: the test binary, with orders.
type machine struct {
	t      testing.TB
	name   string
	env    string // the variable that names the file of its orders
	orders any
	log    string // file of what it says on standard error
	cmd    *exec.Cmd
	dead   chan struct{}
}

// start starts it and returns when it says that it is ready. What does not get ready ends the test.
func (m *machine) start() {
	m.t.Helper()
	if err := m.launch(); err != nil {
		m.t.Fatalf("%s: %v\n%s", m.name, err, m.said())
	}
}

// together starts machines at the same time.
func together(all []*machine) {
	var starting sync.WaitGroup
	failed := make([]error, len(all))
	for i, m := range all {
		starting.Go(func() { failed[i] = m.launch() })
	}
	starting.Wait()
	for i, m := range all {
		if failed[i] != nil {
			m.t.Fatalf("%s: %v\n%s", m.name, failed[i], m.said())
		}
	}
}

// said is the end of its log.
func (m *machine) said() string {
	b, _ := os.ReadFile(m.log) // the failure is told without it, if need be
	return string(b[max(0, len(b)-4000):])
}

func (m *machine) launch() error {
	raw, err := json.Marshal(m.orders)
	if err != nil {
		return err
	}
	if m.log == "" {
		m.log = filepath.Join(m.t.TempDir(), "log")
		m.t.Cleanup(func() {
			m.kill()
			if m.t.Failed() {
				m.t.Logf("%s said at the end:\n%s", m.name, m.said())
			}
		})
	}
	path := m.log + ".orders"
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	m.cmd = exec.Command(os.Args[0])
	m.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TOCSIN_") }), m.env+"="+path)
	m.cmd.Stderr = log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	m.dead = make(chan struct{})
	ready := make(chan bool, 1)
	go func(cmd *exec.Cmd, dead chan struct{}) {
		defer close(dead)
		for s := bufio.NewScanner(out); s.Scan(); {
			if s.Text() == "ready" {
				ready <- true
			}
		}
		_ = cmd.Wait() // it was killed, that is its error
	}(m.cmd, m.dead)
	select {
	case <-ready:
		return nil
	case <-m.dead:
		return errors.New("it ended by itself")
	case <-time.After(90 * time.Second):
		return errors.New("it is not ready after 90 seconds")
	}
}

// kill ends it as the kernel ends one for which there is no memory.
func (m *machine) kill() {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Kill() // it may have ended by itself
	<-m.dead
	m.cmd = nil
}

// natsOrders are those of a node of a NATS cluster.
type natsOrders struct {
	Name, Dir   string
	Port, Route int
	Routes      []int
}

// natsNode is a node until it is killed. It syncs before it acknowledges, as the documentation asks for.
func natsNode(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var o natsOrders
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	opts := &natsserver.Options{ServerName: o.Name, Host: "127.0.0.1", Port: o.Port, NoSigs: true,
		JetStream: true, StoreDir: o.Dir, SyncAlways: true, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 4 << 30,
		Cluster: natsserver.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: o.Route}}
	for _, r := range o.Routes {
		opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", r)})
	}
	ns, err := natsserver.NewServer(opts)
	if err != nil {
		return err
	}
	ns.Start()
	if !ns.ReadyForConnections(60 * time.Second) {
		return errors.New("the node does not start")
	}
	fmt.Println("ready")
	ns.WaitForShutdown()
	return errors.New("the node ended")
}

// ports are free ones of this machine.
func ports(t testing.TB, n int) (out []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all of them at the end, so that no two are the same
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// natsCluster starts three nodes, each a process of its own on a disk of its own, if disks are given, and gives their addresses.
func natsCluster(t testing.TB, disks []*disk) (nodes []*machine, address string) {
	t.Helper()
	p := ports(t, 6)
	var urls []string
	for n := range 3 {
		dir := ""
		if len(disks) == 0 {
			dir = t.TempDir()
		} else {
			dir = filepath.Join(disks[n].dir, "nats")
		}
		nodes = append(nodes, &machine{t: t, name: fmt.Sprint("node ", n), env: "TOCSIN_TEST_NATS",
			orders: natsOrders{Name: fmt.Sprint("n", n), Dir: dir, Port: p[n], Route: p[3+n], Routes: p[3:]}})
		urls = append(urls, fmt.Sprint("nats://127.0.0.1:", p[n]))
	}
	together(nodes)
	return nodes, strings.Join(urls, ",")
}

// balance stands before the replicas as a load balancer does: each request goes to another, and to the next where one does
// not answer.
type balance struct {
	to     []string // addresses
	next   atomic.Int64
	client http.Client
}

func balanced(t testing.TB, to []string) string {
	b := &balance{to: to, client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}, Timeout: 20 * time.Second}}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	return s.URL
}

func (b *balance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	first := int(b.next.Add(1))
	for i := range b.to {
		out, err := http.NewRequestWithContext(r.Context(), r.Method, b.to[(first+i)%len(b.to)]+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			break
		}
		out.Header = r.Header.Clone()
		resp, err := b.client.Do(out)
		if err != nil {
			continue
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body) // whoever is gone asks again
		return
	}
	w.WriteHeader(http.StatusBadGateway)
}
