package export_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"

	"tocsin.dev/export"
	"tocsin.dev/store/storetest"
)

// BenchmarkExport is how many events a second an export sends, by kind, from the table through to the receiver's answer, and
// what part that is of the same bytes sent in the same run with nothing read and nothing written down.
func BenchmarkExport(b *testing.B) {
	for _, kind := range []string{"webhook", "webhook ocsf", "syslog", "file", "nats", "kafka"} {
		b.Run(kind, func(tb *testing.B) {
			b := newBed(tb, storetest.SQLite(tb))
			b.x.Log = nil
			form := export.Native
			var address string
			switch kind, _, ocsf := strings.Cut(kind, " "); kind {
			case "webhook":
				if ocsf {
					form = export.OCSF
				}
				address = b.hook(func(*http.Request, []byte) (int, string) { return 200, "" }).URL
			case "syslog":
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				go func() {
					for c, err := l.Accept(); err == nil; c, err = l.Accept() {
						io.Copy(io.Discard, c)
						c.Close()
					}
				}()
				address = "tcp://" + l.Addr().String()
			case "nats":
				s := natsServer(b, b.TempDir(), -1)
				c, err := nats.Connect(s.ClientURL())
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				js, err := jetstream.New(c)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "tocsin", Subjects: []string{"tocsin.>"}}); err != nil {
					b.Fatal(err)
				}
				address = s.ClientURL()
			case "kafka":
				c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "tocsin-events"))
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				address = "tcp://" + c.ListenAddrs()[0]
			}
			kind, _, _ := strings.Cut(kind, " ")
			e, _ := b.makes(kind, address, "", func(s *export.Settings) { s.Form = form })
			const n = 20_000
			crowd := func(i int) string { return fmt.Sprint("person-", i%2000) }
			people = nil
			for i := range 2000 {
				people = append(people, crowd(i))
			}
			for range n / 500 {
				b.happen(500)
			}
			e = b.get(e.ID)
			bare := func() time.Duration {
				began := time.Now()
				err := b.x.Bare(context.Background(), &e, n, func(i int) (string, string, string) {
					id := fmt.Sprint("bare-", time.Now().UnixNano(), i)
					return id, crowd(i), mail(id, crowd(i), time.Unix(0, 0))
				})
				if err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			var ours, theirs time.Duration
			for tb.Loop() {
				theirs += bare()
				began := time.Now()
				stop := b.serve(e.ID)
				for b.get(e.ID).Behind > 0 {
					time.Sleep(5 * time.Millisecond)
				}
				ours += time.Since(began)
				stop()
				tb.StopTimer()
				for range n / 500 {
					b.happen(500)
				}
				tb.StartTimer()
			}
			tb.ReportMetric(n*float64(tb.N)/ours.Seconds(), "events/s")
			tb.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-bare")
		})
	}
}
