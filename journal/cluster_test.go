package journal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin.dev"
)

// cluster starts NATS servers that know each other, and gives them and their addresses.
func cluster(t *testing.T, n int) (servers []*server.Server, addresses string) {
	t.Helper()
	var routes []*url.URL
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		routes = append(routes, &url.URL{Scheme: "nats", Host: l.Addr().String()})
		l.Close()
	}
	var all []string
	for i := range n {
		opts := &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: -1, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 30,
		}
		if n > 1 {
			opts.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]}
			opts.Routes = routes
		}
		ns, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		ns.Start()
		t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
		servers = append(servers, ns)
	}
	for _, ns := range servers {
		if !ns.ReadyForConnections(90 * time.Second) {
			t.Fatal("a NATS server does not start")
		}
		all = append(all, ns.ClientURL())
	}
	for deadline := time.Now().Add(90 * time.Second); n > 1 && !chosen(servers); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the NATS cluster has no leader")
		}
	}
	return servers, strings.Join(all, ",")
}

func chosen(servers []*server.Server) bool {
	for _, ns := range servers {
		if ns.JetStreamIsLeader() && len(ns.JetStreamClusterPeers()) == len(servers) {
			return true
		}
	}
	return false
}

// TestAClusterCarriesOnWithoutOneOfItsServers appends from two replicas while the leader of a partition is stopped.
func TestAClusterCarriesOnWithoutOneOfItsServers(t *testing.T) {
	servers, addresses := cluster(t, 3)
	conf := Config{URL: addresses, Partitions: 2}
	replicas := make([]*Journal, 2)
	var all sync.WaitGroup
	for i := range replicas { // both make the streams at the same time
		all.Go(func() {
			j, err := Open(t.Context(), conf)
			if err != nil {
				t.Error(err, errors.Unwrap(err))
				return
			}
			t.Cleanup(j.Close)
			replicas[i] = j
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	if a, b := replicas[0], replicas[1]; a.Stream() != b.Stream() || a.Stream() == "" || a.parts[1].id == a.Stream() {
		t.Errorf("the replicas have the streams %s and %s", a.Stream(), b.Stream())
	}
	if w := replicas[0].Warn(); strings.Contains(w, "no cluster") || !strings.Contains(w, "sync_interval") {
		t.Errorf("got the warning %q", w)
	}
	_, err := Open(t.Context(), Config{URL: addresses, Partitions: 3})
	problem(t, err, tocsin.Conflict, "to 2")
	if info := stream(t, replicas[0], 0).CachedInfo(); info.Config.Replicas != 3 {
		t.Errorf("the stream has %d replicas, want 3", info.Config.Replicas)
	}

	const each = 60
	stopped := make(chan struct{})
	for i, j := range replicas {
		all.Go(func() {
			for n := range each {
				if n == each/3 && i == 0 {
					stop(t, servers, j)
					close(stopped)
				}
				until(t, func() error { return j.Append(t.Context(), numbered(fmt.Sprint("p", i), n)) })
			}
		})
	}
	r := make(map[tocsin.PersonID]int)
	for i := range replicas {
		person := tocsin.PersonID(fmt.Sprint("p", i))
		reader := read(t, replicas[1-i], replicas[i].Partition(tenant, person), Position{})
		for r[person] < each {
			e := reader.entry()
			if e.Person != person {
				continue
			}
			// What was refused may be there all the same, and is sent again: a number may come twice, none may be left out.
			if int(e.Item.At) > r[person] {
				t.Fatalf("%s: got %d, want %d", person, e.Item.At, r[person])
			}
			if int(e.Item.At) == r[person] {
				r[person]++
			}
		}
	}
	all.Wait()
	<-stopped
	until(t, func() error { return replicas[0].Ready(t.Context()) })
}

// TestOnlyALeaderIsBelieved: a member that knows of no leader says how far it has come itself, which is not taken for the end.
func TestOnlyALeaderIsBelieved(t *testing.T) {
	t.Parallel()
	servers, addresses := cluster(t, 3)
	j := start(t, Config{URL: addresses, Partitions: 1})
	until(t, func() error { return j.Append(t.Context(), numbered("amy", 1)) })
	r := read(t, j, 0, Position{})
	r.entry()
	stop(t, servers, j)
	until(t, func() error { // it has a leader again
		_, err := j.Last(t.Context(), 0)
		return err
	})
	stop(t, servers, j)
	until(t, func() error {
		stream, err := j.js.Stream(t.Context(), j.parts[0].name)
		if err == nil && stream.CachedInfo().Cluster.Leader != "" {
			err = errors.New("there is a leader")
		}
		return err
	})
	if last, err := j.Last(t.Context(), 0); !errors.Is(err, errNotLed) {
		t.Errorf("without a leader the end is %v, %v", last, err)
	}
}

func TestLed(t *testing.T) {
	others := []*jetstream.PeerInfo{{Name: "n1"}, {Name: "n2"}}
	for _, c := range []struct {
		what string
		is   *jetstream.ClusterInfo
		want bool
	}{
		{"no cluster", nil, true},
		{"the leader", &jetstream.ClusterInfo{Leader: "n0", Replicas: others}, true},
		{"a member that knows of none", &jetstream.ClusterInfo{Replicas: others}, false},
		{"a member that has just heard of one", &jetstream.ClusterInfo{Leader: "n1", Replicas: others}, false},
	} {
		if got := led(c.is); got != c.want {
			t.Errorf("%s: %t", c.what, got)
		}
	}
}

// stop stops the server that leads the first partition.
func stop(t *testing.T, servers []*server.Server, j *Journal) {
	until(t, func() error {
		stream, err := j.js.Stream(t.Context(), j.parts[0].name)
		if err != nil {
			return err
		}
		for _, ns := range servers {
			if leader := stream.CachedInfo().Cluster.Leader; ns.Name() == leader && ns.Running() {
				ns.Shutdown()
				return nil
			}
		}
		return errors.New("nobody leads it")
	})
}

// until does something until it works, as Graph does with a notification that was answered 503.
func until(t *testing.T, do func() error) {
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Error(err)
			return
		}
	}
}

func TestASingleServerIsWarnedOfAndAStrangersStreamRefused(t *testing.T) {
	_, address := cluster(t, 1)
	j := start(t, Config{URL: address, Partitions: 1})
	if w := j.Warn(); !strings.Contains(w, "no cluster") {
		t.Errorf("got the warning %q", w)
	}
	until(t, func() error { return j.Append(t.Context(), numbered("amy", 1)) })
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for name, conf := range map[string]jetstream.StreamConfig{
		"strange-0": {Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew},
		"drops-0":   {Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, Metadata: map[string]string{metaID: "x", metaPartitions: "1"}},
	} {
		conf.Name = name
		if _, err := j.js.CreateStream(ctx, conf); err != nil {
			t.Fatal(err)
		}
		_, err := Open(ctx, Config{URL: address, Partitions: 1, Name: strings.TrimSuffix(name, "-0")})
		problem(t, err, tocsin.Conflict, name)
	}
	// The stream is deleted and made again by another replica: the end is lost, and the old one's reader says so.
	r := read(t, j, 0, Position{})
	before := r.entry().At
	if err := j.js.DeleteStream(ctx, j.parts[0].name); err != nil {
		t.Fatal(err)
	}
	other := start(t, Config{URL: address, Partitions: 1})
	appendAll(t, other, numbered("amy", 2))
	if g := r.gap(); g.From.Stream != before.Stream || g.Resume.Stream != other.Stream() {
		t.Errorf("got %v", g)
	}
	if got := r.bodies(1); got != "2" {
		t.Errorf("got %s", got)
	}
	if err := j.Append(ctx, numbered("amy", 3)); err != nil && !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}
