package inbox

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
)

var benchMails = flag.Int("bench-mails", 3000, "messages of the mailbox that BenchmarkFill reads, 50000 for the long form")

// BenchmarkFill reads a mailbox for the first time, against a bare reader of the same pages that drops them, and against the time that
// Microsoft's limit of 10,000 requests in ten minutes alone would take for as many requests.
func BenchmarkFill(b *testing.B) {
	x := newBed(b, storetest.SQLite(b), sim.Config{Latency: 50 * time.Millisecond}, 0)
	now := x.w.Clock().Now()
	for i := *benchMails; i > 0; i-- {
		x.put(sim.Mail{From: fmt.Sprintf("c%d@example.com", i%997), Subject: fmt.Sprint("Case ", i), Received: now.Add(-time.Duration(i) * 10 * time.Minute), Read: i%3 > 0,
			HTML: "<html><body>" + fmt.Sprintf("<p>Paragraph %d of a mail that says something, as long as mails are.</p>", i)[:60] + fmt.Sprint(make([]int, 1500)) + "</body></html>"})
	}
	ctx := context.Background()
	bare := func() time.Duration {
		began := time.Now()
		n := 0
		for _, err := range graph.Delta[wire](ctx, x.gc, "messages.inbox.delta", graph.P{"user": shared, "folder": "inbox"}, "").All() {
			must(b, err)
			n++
		}
		if n < *benchMails {
			b.Fatalf("the bare reader had %d mails", n)
		}
		return time.Since(began)
	}
	x.work() // once, so that both are warm
	for b.Loop() {
		b.StopTimer()
		floor := bare()
		for _, table := range []string{"inbox_message", "inbox_thread", "inbox_reference", "inbox_folder"} {
			x.exec(`delete from ` + table + ` where tenant = $1`)
		}
		x.exec(`update inbox set since = 0, tree = '', filling = 'due' where tenant = $1`)
		before := x.w.Requests().Total
		began := time.Now()
		b.StartTimer()
		x.work()
		b.StopTimer()
		took, requests := time.Since(began), x.w.Requests().Total-before
		b.ReportMetric(took.Seconds()/floor.Seconds(), "ratio")
		b.ReportMetric(took.Seconds()/(float64(requests)*0.06), "of-throttle")
		b.ReportMetric(float64(took.Microseconds())/float64(*benchMails), "µs/mail")
		b.StartTimer()
	}
}
