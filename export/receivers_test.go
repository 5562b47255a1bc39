package export_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin.dev/export"
	"tocsin.dev/store/storetest"
)

var header = regexp.MustCompile(`^<(\d+)>1 2026-03-15T09:00:00\.\d{3}Z - tocsin - email_received \[tocsin@32473 event_id="(event-\d{6})" event_type="EMAIL" action="email_received" tuid="(\w+)"\] (\{.*\})$`)

func syslogMessage(tb testing.TB, r *receiver, m []byte) {
	part := header.FindSubmatch(m)
	if part == nil {
		tb.Errorf("no syslog message: %.300s", m)
		return
	}
	if string(part[1]) != "86" {
		tb.Errorf("priority %s", part[1])
	}
	r.line(tb, part[4])
}

// read takes in messages with their length before them, until the end.
func read(tb testing.TB, r *receiver, c io.Reader) error {
	in := bufio.NewReader(c)
	for {
		length, err := in.ReadString(' ')
		if err == io.EOF && length == "" {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			tb.Errorf("no length: %q", length)
			return err
		}
		m := make([]byte, n)
		if _, err := io.ReadFull(in, m); err != nil {
			return err
		}
		syslogMessage(tb, r, m)
	}
}

// TestSyslog: over TLS and TCP a receiver that dies in the middle, before it has read all or while it does, gets what it has
// not read again.
func TestSyslog(t *testing.T) {
	for _, scheme := range []string{"tls", "tcp"} {
		t.Run(scheme, func(t *testing.T) {
			b := newBed(t, storetest.SQLite(t))
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			address := scheme + "://" + l.Addr().String()
			if scheme == "tls" {
				h := httptest.NewUnstartedServer(nil)
				h.StartTLS()
				defer h.Close()
				b.roots.AddCert(h.Certificate())
				l = tls.NewListener(l, &tls.Config{Certificates: h.TLS.Certificates})
			}
			var got receiver
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					if rand.N(3) == 0 { // dies, when it has read some of it
						io.CopyN(io.Discard, c, int64(rand.N(20_000)))
						if raw, ok := c.(*net.TCPConn); ok {
							raw.SetLinger(0)
						} else if raw, ok := c.(*tls.Conn).NetConn().(*net.TCPConn); ok {
							raw.SetLinger(0)
							raw.Close()
						}
						c.Close()
						continue
					}
					if err := read(t, &got, c); err != nil {
						t.Errorf("a connection that ends in a message: %v", err)
					}
					c.Close()
				}
			}()
			e, _ := b.makes(export.Syslog, address, "", func(s *export.Settings) { s.Batch = 20 })
			b.serve(e.ID)
			for range 5 {
				b.happen(40)
			}
			b.caughtUp(e.ID)
			if wrong, repeats := got.whole(200); wrong != "" {
				t.Errorf("%s (%d repeats)", wrong, repeats)
			}
			if e := b.get(e.ID); e.Sent != 200 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestSyslogHeldOpen: where the receiver never says that it has read everything, nothing counts as sent, unless it is set so.
func TestSyslogHeldOpen(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var got receiver
	var conns atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go read(t, &got, c)
		}
	}()
	e, _ := b.makes(export.Syslog, "tcp://"+l.Addr().String(), "", func(s *export.Settings) { s.Unconfirmed, s.Batch = true, 5 })
	b.serve(e.ID)
	b.happen(20)
	b.caughtUp(e.ID)
	b.happen(20)
	b.caughtUp(e.ID)
	b.eventually("it is read", func() string { wrong, _ := got.whole(40); return wrong })
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want one that is kept", n)
	}
}

// TestSyslogDatagrams: over UDP each message is one datagram.
func TestSyslogDatagrams(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e, _ := b.makes(export.Syslog, "udp://"+c.LocalAddr().String(), "", nil)
	b.serve(e.ID)
	b.happen(9)
	b.caughtUp(e.ID)
	var got receiver
	buf := make([]byte, 64<<10)
	for range 9 {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		syslogMessage(t, &got, buf[:n])
	}
	if wrong, _ := got.whole(9); wrong != "" {
		t.Error(wrong)
	}
}

// TestFiles: files are whole lines, in order; they end by size and by time, are compressed, and the oldest are deleted. What a
// crash left of a line is gone when the next is written.
func TestFiles(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	e, _ := b.makes(export.File, "", "", func(s *export.Settings) { s.Batch, s.Gzip, s.Keep, s.To = 10, true, 2, "{type}.jsonl" })
	dir := filepath.Join(b.x.Dir, string(acme), e.ID)
	stop := b.serve(e.ID)
	b.happen(25)
	b.caughtUp(e.ID)
	stop()
	now := filepath.Join(dir, "email.jsonl")
	f, err := os.OpenFile(now, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"event_id":"event-0000`); err != nil { // the power went
		t.Fatal(err)
	}
	f.Close()
	b.serve(e.ID)
	b.happen(5)
	b.caughtUp(e.ID)
	text, err := os.ReadFile(now)
	if err != nil {
		t.Fatal(err)
	}
	var got receiver
	got.lines(t, text)
	if wrong, repeats := got.whole(30); wrong != "" || repeats != 0 {
		t.Errorf("%s, %d repeats", wrong, repeats)
	}
	for range 4 {
		b.st.Clock().Advance(25 * time.Hour)
		b.happen(5)
		b.caughtUp(e.ID)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range list {
		names = append(names, d.Name())
	}
	if len(names) != 3 || names[2] != "email.jsonl" || !strings.HasSuffix(names[0], "Z.jsonl.gz") || !strings.HasSuffix(names[1], "Z.jsonl.gz") {
		t.Fatalf("files: %v", names)
	}
	z, err := os.Open(filepath.Join(dir, names[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	r, err := gzip.NewReader(z)
	if err != nil {
		t.Fatal(err)
	}
	text, err = io.ReadAll(r)
	if n := bytes.Count(text, []byte("\n")); err != nil || n != 5 {
		t.Errorf("%d lines in a complete file, %v", n, err)
	}
	if err := os.Chmod(dir, 0o500); err != nil || os.Getuid() == 0 {
		return // root may write everywhere
	}
}

// TestSampleFile: a sample goes to a file of its own, for who writes the export's knows how long that is, and somebody follows
// it line by line.
func TestSampleFile(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	e, _ := b.makes(export.File, "", "", func(s *export.Settings) { s.To = "{type}.jsonl" })
	dir := filepath.Join(b.x.Dir, string(acme), e.ID)
	b.serve(e.ID)
	for n := range 3 {
		b.happen(1)
		b.caughtUp(e.ID)
		if r, err := b.x.Test(t.Context(), acme, e.ID); err != nil || !r.OK || !strings.Contains(r.What, "sample-") {
			t.Fatalf("%+v, %v", r, err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "email.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		var got receiver
		got.lines(t, text)
		if wrong, _ := got.whole(n + 1); wrong != "" {
			t.Error(wrong)
		}
	}
	if names, err := filepath.Glob(filepath.Join(dir, "sample-*.jsonl")); err != nil || len(names) != 1 {
		t.Errorf("samples in %v, %v", names, err)
	}
}

// natsServer is a real server with JetStream and a stream for the subjects.
func natsServer(tb testing.TB, dir string, port int) *server.Server {
	tb.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
	if err != nil {
		tb.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		tb.Fatal("nats does not start")
	}
	tb.Cleanup(s.Shutdown)
	return s
}

// TestNATS: a server that is killed again and again keeps each event once, in order of its person, under the subject that is
// made of it.
func TestNATS(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	dir := t.TempDir()
	s := natsServer(t, dir, -1)
	port := s.Addr().(*net.TCPAddr).Port
	e, _ := b.makes(export.NATS, fmt.Sprintf("nats://127.0.0.1:%d", port), "", func(s *export.Settings) { s.Batch, s.Form = 15, export.OCSF })
	b.serve(e.ID)
	b.happen(10)
	b.eventually("it says that there is no stream", func() string {
		if e := b.get(e.ID); e.Because != "no stream takes the subject" {
			return e.Because
		}
		return ""
	})
	connect := func() (*nats.Conn, jetstream.JetStream) {
		c, err := nats.Connect(s.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return c, js
	}
	c, js := connect()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "tocsin", Subjects: []string{"tocsin.>"}}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	for range 3 {
		b.happen(60)
		time.Sleep(time.Duration(rand.N(20)) * time.Millisecond)
		s.Shutdown()
		s.WaitForShutdown()
		s = natsServer(t, dir, port)
	}
	b.caughtUp(e.ID)
	c, js = connect()
	defer c.Close()
	stream, err := js.Stream(t.Context(), "tocsin")
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != 190 {
		t.Fatalf("%d messages, want 190: %v", info.State.Msgs, err)
	}
	var got receiver
	for i := uint64(1); i <= info.State.LastSeq; i++ {
		m, err := stream.GetMsg(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject != "tocsin."+string(acme)+".email.email_received" {
			t.Errorf("subject %s", m.Subject)
		}
		got.line(t, m.Data)
	}
	if wrong, repeats := got.whole(190); wrong != "" || repeats != 0 {
		t.Errorf("%s, %d repeats", wrong, repeats)
	}
}

// TestKafka: brokers that fail, and answer late, get everything; a person's events stand in one partition, in order.
func TestKafka(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(4, "tocsin-email"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "p"), kfake.Superuser("SCRAM-SHA-256", "u", "p"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	var failures atomic.Int64
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if failures.Load() > 0 && rand.N(4) > 0 {
			return nil, nil, false
		}
		failures.Add(1)
		if rand.N(2) == 0 {
			return nil, fmt.Errorf("the connection is cut"), true
		}
		produce := r.(*kmsg.ProduceRequest)
		out := produce.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range produce.Topics {
			t := kmsg.NewProduceResponseTopic()
			t.Topic, t.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				a := kmsg.NewProduceResponseTopicPartition()
				a.Partition, a.ErrorCode = p.Partition, kerr.NotLeaderForPartition.Code
				t.Partitions = append(t.Partitions, a)
			}
			out.Topics = append(out.Topics, t)
		}
		return out, nil, true
	})
	address := "tcp://" + strings.Join(cluster.ListenAddrs(), ",")
	stranger, _ := b.makes(export.Kafka, address, "p", func(s *export.Settings) { s.To, s.SASL, s.User = "tocsin-{type}", "scram-sha-256", "nobody" })
	e, _ := b.makes(export.Kafka, address, "p", func(s *export.Settings) { s.To, s.SASL, s.User, s.Batch = "tocsin-{type}", "scram-sha-256", "u", 20 })
	b.serve(e.ID)
	for range 2 {
		b.happen(50)
	}
	b.caughtUp(e.ID)
	if failures.Load() == 0 {
		t.Error("the broker never failed")
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("tocsin-email"), kgo.SASL(plainAuth("u", "p")), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var got receiver
	partitions := map[string]int32{}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for got.count() < 100 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d came: %v", got.count(), err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			person := string(r.Key)
			if p, known := partitions[person]; known && p != r.Partition || !slices.Contains(people, person) {
				t.Errorf("%s in partitions %d and %d", person, p, r.Partition)
			}
			partitions[person] = r.Partition
			got.line(t, r.Value)
		})
	}
	if wrong, repeats := got.whole(100); wrong != "" {
		t.Errorf("%s (%d repeats)", wrong, repeats)
	}
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		out := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		out.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return out, nil, true
	})
	b.serve(stranger.ID)
	b.eventually("who is not known is turned away", func() string {
		if e := b.get(stranger.ID); e.State != export.Paused || !strings.HasPrefix(e.Because, "the broker does not let it in") {
			return fmt.Sprintf("%s %s", e.State, e.Because)
		}
		return ""
	})
}
