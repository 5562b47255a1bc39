package inbox

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

// TestFill: the first reading brings everything, newest first and in silence, goes on where it was cut short, and what comes meanwhile is there at once.
func TestFill(t *testing.T) {
	each(t, func(b *bed) {
		now := b.w.Clock().Now()
		for i := 359; i >= 0; i-- { // as mails come: the simulator gives the last that came first
			s := fmt.Sprintf("Order %03d", i)
			b.put(sim.Mail{From: fmt.Sprintf("c%d@example.com", i%40), Subject: s, HTML: "<p>Goods of " + s + "</p><script>alert(1)</script>", Received: now.Add(-time.Duration(i+1) * time.Hour), Read: i > 2,
				Attachments: map[bool][]sim.File{true: {{Name: "bill.pdf", Type: "application/pdf", Data: []byte("%PDF")}}}[i%50 == 0]})
		}
		b.e.Page = 1
		killed := 0
		b.e.at = func(point string) error { // many a page is the last of its life
			if killed++; killed%2 == 0 && killed < 12 {
				return errKilled
			}
			return nil
		}
		for i := 0; ; i++ {
			if i == 1 { // while the first reading is under way
				b.put(sim.Mail{From: "new@example.com", Subject: "Just now", Text: "Hello"})
			}
			_, again, err := b.e.Round(context.Background(), b.tenant, b.inbox, true)
			if err != nil && err != errKilled || i > 100 {
				b.Fatal(i, err)
			}
			if i == 2 && b.count(`select count(*) from inbox_message where tenant = $1 and subject = 'Just now'`) != 1 {
				b.Fatal("what came during the first reading is not there")
			}
			if i == 2 && b.count(`select count(*) from inbox_message where tenant = $1 and subject in ('Order 001', 'Order 359')`) != 1 {
				b.Fatal("the newest do not come first")
			}
			if err == nil && !again {
				break
			}
		}
		b.e = b.engine()
		b.work()
		b.equal()
		if n := b.count(`select count(*) from inbox_thread where tenant = $1 and silent and subject like 'Order%'`); n != 360 {
			b.Errorf("%d threads of history, want 360", n)
		}
		if n := b.count(`select count(*) from inbox_thread where tenant = $1 and silent and state = 'open' and subject like 'Order%'`); n != 3 {
			b.Errorf("%d threads of history are open, want the three that nobody has read", n)
		}
		if got := b.word(`select state || ' ' || case when silent then 'silent' else 'told' end from inbox_thread where tenant = $1 and subject = 'Just now'`); got != "open told" {
			b.Errorf("the mail that came meanwhile is %s", got)
		}
		if n := b.count(`select count(*) from fact where tenant = $1 and kind = 'inbox.thread'`); n != 1 {
			b.Errorf("%d threads were told of, want the new one alone", n)
		}
		if n := b.count(`select count(*) from inbox_message where tenant = $1 and attachments like '%bill.pdf%'`); n != 8 {
			b.Errorf("%d mails have their file's name, want 8", n)
		}
		id := b.word(`select id from inbox_message where tenant = $1 and subject = 'Order 007'`)
		b.view(func(ctx context.Context, t *store.Tenant) error {
			body, err := BodyOf(ctx, t, b.keeper, b.inbox, id)
			if err != nil || !strings.Contains(body.Text, "Goods of Order 007") || strings.Contains(body.HTML, "script") || !strings.Contains(body.HTML, "<p>Goods") {
				b.Errorf("it says %+v, %v", body, err)
			}
			r, err := ReadingOf(ctx, t, b.inbox)
			if err != nil || r.State != "done" || r.Part != 1 || r.Looked.IsZero() || len(r.Folders) < 8 {
				b.Errorf("the reading is %+v, %v", r, err)
			}
			return err
		})
		if raw := b.word(`select subject from inbox_message where tenant = $1 and id = $2`, id); raw != "Order 007" {
			b.Errorf("its subject is %q", raw)
		}
	})
}

// TestBounded: only so many days are read; a reading that is cancelled ends, and what comes is read all the same.
func TestBounded(t *testing.T) {
	each(t, func(b *bed) {
		b.exec(`update inbox set backfill_days = 10 where tenant = $1`)
		now := b.w.Clock().Now()
		for i := 239; i >= 0; i-- {
			b.put(sim.Mail{From: "a@example.com", Subject: fmt.Sprint("Mail ", i), Text: "x", Received: now.Add(-time.Duration(i) * 2 * time.Hour)})
		}
		b.e.Page = 1
		_, _, err := b.e.Round(context.Background(), b.tenant, b.inbox, true)
		must(b, err)
		b.update(func(ctx context.Context, t *store.Tenant) error { return Cancel(ctx, t, b.inbox) })
		b.work()
		n := b.count(`select count(*) from inbox_message where tenant = $1 and subject like 'Mail%'`)
		if n < 90 || n > 110 {
			b.Errorf("%d mails were read before it was cancelled, want a page of 100", n)
		}
		one := b.word(`select id from inbox_message where tenant = $1 and subject = 'Mail 90'`)
		must(b, b.w.ActOnMail(shared, one, story.ReadsMail, ""))
		b.put(sim.Mail{From: "a@example.com", Subject: "Mail after", Text: "x"})
		b.pass(time.Minute)
		b.work()
		if b.count(`select count(*) from inbox_message where tenant = $1 and subject = 'Mail after'`) != 1 || b.count(`select count(*) from inbox_message where tenant = $1 and id = $2 and is_read`, one) != 1 {
			b.Error("after it was cancelled nothing is followed")
		}
		b.update(func(ctx context.Context, t *store.Tenant) error { return Refill(ctx, t, b.inbox, 15) })
		b.work()
		if n := b.count(`select count(*) from inbox_message where tenant = $1 and subject like 'Mail %'`); n < 178 || n > 182 {
			b.Errorf("%d mails of 15 days, want 180 and the new one", n)
		}
	})
}

// TestLongMails: pages that are too long to be taken in are read in smaller ones, and a mail that is too long for those by itself.
func TestLongMails(t *testing.T) {
	b := newBed(t, storetest.SQLite(t), sim.Config{}, 0)
	in := b.w.Access()
	var err error
	b.gc, err = graph.New(graph.Config{Cloud: graph.Cloud{Authority: in.Authority, Graph: in.Graph}, Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, HTTP: b.w.Client(), Now: b.st.Clock().Now, Backoff: time.Millisecond, MaxBody: 300 << 10})
	must(t, err)
	now := b.w.Clock().Now()
	kilobytes := map[string]int{}
	put := func(i, kb int, at time.Time) {
		kilobytes[b.put(sim.Mail{From: "jo@example.com", Subject: fmt.Sprint("Long ", i), HTML: "<p>" + strings.Repeat("0123456789abcdef", kb*64) + "</p>", Received: at})] = kb
	}
	for i := range 40 {
		kb := 1
		if i > 20 && i < 25 {
			kb = 120
		}
		if i == 30 {
			kb = 700
		}
		put(i, kb, now.Add(-time.Duration(i)*time.Hour))
	}
	b.e.Page = 1
	_, again, err := b.e.Round(context.Background(), b.tenant, b.inbox, true)
	must(t, err)
	if !again {
		t.Fatal("the first reading is over after a page")
	}
	for i := range 5 { // come while history is read
		put(100+i, 100, b.w.Clock().Now())
	}
	b.work()
	b.equal()
	for id, kb := range kilobytes {
		body, err := b.e.Show(context.Background(), b.tenant, b.inbox, id, false)
		if err != nil || len(body.Text) < kb<<10 {
			t.Errorf("of a mail of %d kB %d bytes are kept, %v", kb, len(body.Text), err)
		}
	}
}

// TestRestOfASecond: mails of one second that lie behind what a delta gives are read whole, however many pages they are.
func TestRestOfASecond(t *testing.T) {
	b := newBed(t, storetest.SQLite(t), sim.Config{}, 0)
	at := b.w.Clock().Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 330 {
		received := at
		if i >= 250 {
			received = at.Add(-time.Duration(i) * time.Second)
		}
		b.put(sim.Mail{From: "alerts@example.com", Subject: fmt.Sprint("Alert ", i), Text: "x", Received: received})
	}
	b.work()
	x, err := b.e.open(context.Background(), b.tenant, b.inbox)
	must(t, err)
	b.exec(`delete from inbox_message where tenant = $1`)
	x.gc = b.gc
	f := x.folders[x.well("inbox")]
	f.next, f.reached = rest, tocsin.Millis(at)
	_, _, err = x.fillRest(context.Background(), f, 100)
	must(t, err)
	if n := b.count(`select count(*) from inbox_message where tenant = $1 and subject like 'Alert %'`); n != 330 || f.next != "" {
		t.Errorf("%d mails were read of 330; it goes on at %q", n, f.next)
	}
}
