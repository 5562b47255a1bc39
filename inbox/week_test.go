package inbox

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

var weekMails = flag.Int("mailbox", 300, "messages of the mailbox that is worked for a week, 50000 for the long form")

// TestWeek: for a week people in Outlook and people here do as they like with one mailbox, while Graph throttles, forgets and loses answers; at the end
// both sides are equal, by the account of the simulator.
func TestWeek(t *testing.T) {
	b := newBed(t, storetest.SQLite(t), sim.Config{}, 0)
	b.delegate() // a service account, which may do less than an app
	now := b.w.Clock().Now()
	for i := *weekMails; i > 0; i-- {
		b.put(sim.Mail{From: fmt.Sprintf("c%d@example.com", i%97), Subject: fmt.Sprint("Case ", i), Text: "How is it going?", Received: now.Add(-time.Duration(i) * 2 * time.Hour), Read: i%3 > 0})
	}
	b.work()
	r := rand.New(rand.NewPCG(1, 2))
	wishes := 0
	for day := range 7 {
		for hour := range 24 {
			b.trouble(day, hour)
			b.inOutlook(r, 8)
			wishes += b.inTocsin(r, 6)
			if hour%2 == 0 { // not every hour is looked: several things happen to one mail between two looks
				if _, _, err := b.e.Round(context.Background(), b.tenant, b.inbox, true); err != nil {
					t.Fatal(err)
				}
			}
			b.pass(time.Hour)
		}
	}
	b.w.Heal()
	for range 8 { // what failed for a time is due again within ten minutes
		b.pass(10 * time.Minute)
		b.work()
	}
	b.pass(25 * time.Hour) // and once a day everything is compared
	b.work()
	b.work()
	b.equal()
	if n := b.count(`select count(*) from inbox_wish where tenant = $1 and state = 'due'`); n > 0 {
		t.Errorf("%d wishes are not made good", n)
	}
	done, failed := b.count(`select count(*) from inbox_wish where tenant = $1 and state = 'done'`), b.count(`select count(*) from inbox_wish where tenant = $1 and state = 'failed'`)
	t.Logf("%d mails; %d wishes, %d made good, %d could not be, the others were overtaken", len(b.there()), wishes, done, failed)
	if done < wishes/2 || failed > 0 {
		t.Errorf("of %d wishes %d were made good and %d failed", wishes, done, failed)
	}
	b.consistent()
}

// trouble is what Graph does to us in a week.
func (b *bed) trouble(day, hour int) {
	b.Helper()
	var f sim.Fault
	switch {
	case hour == 3:
		f = sim.Fault{Kind: sim.Throttle, Path: "users/*/messages/**", Times: 5, After: "0.01"}
	case hour == 5:
		f = sim.Fault{Kind: sim.Lost, Method: "PATCH", Path: "users/*/messages/*", Times: 2}
	case hour == 8:
		f = sim.Fault{Kind: sim.Lost, Method: "POST", Path: "users/*/messages/*/move", Times: 2}
	case hour == 11:
		f = sim.Fault{Kind: sim.Broken, Path: "users/*/mailFolders/**", Times: 3}
	case hour == 16 && day%2 == 0:
		f = sim.Fault{Kind: sim.Gone, Path: "users/*/mailFolders/*/messages/delta", Times: 2}
	default:
		return
	}
	must(b, b.w.Fault(f))
}

// some are ids of mails that are in the mailbox, in an order that a seed gives.
func (b *bed) some(r *rand.Rand, n int) []string {
	all := slices.Sorted(maps.Keys(b.there()))
	out := make([]string, 0, n)
	for range n {
		out = append(out, all[r.IntN(len(all))])
	}
	return out
}

// inOutlook lets people do so many things with the mailbox.
func (b *bed) inOutlook(r *rand.Rand, n int) {
	b.Helper()
	for i, id := range b.some(r, n) {
		var err error
		switch r.IntN(9) {
		case 0, 1:
			b.put(sim.Mail{From: fmt.Sprintf("c%d@example.com", r.IntN(97)), Subject: fmt.Sprint("New ", i, r.IntN(1e9)), Text: "A question."})
		case 2:
			err = b.w.ActOnMail(shared, id, story.ReadsMail, "")
		case 3:
			err = b.w.ActOnMail(shared, id, story.UnreadsMail, "")
		case 4:
			err = b.w.ActOnMail(shared, id, story.FlagsMail, "")
		case 5:
			err = b.w.ActOnMail(shared, id, story.SortsMail, "Red category")
		case 6:
			err = b.w.ActOnMail(shared, id, story.MovesMail, []string{"archive", "junkemail", "inbox", "deleteditems"}[r.IntN(4)])
		case 7: // out and back at once, which a delta by immutable ids does not tell
			if err = b.w.ActOnMail(shared, id, story.MovesMail, "archive"); err == nil {
				err = b.w.ActOnMail(shared, id, story.UnreadsMail, "")
			}
			if err == nil {
				err = b.w.ActOnMail(shared, id, story.MovesMail, "inbox")
			}
		case 8:
			if r.IntN(3) == 0 {
				err = b.w.ActOnMail(shared, id, story.PurgesMail, "")
			} else {
				err = b.w.ActOnMail(shared, id, story.RepliesTo, "")
			}
		}
		if err != nil && !strings.Contains(err.Error(), "no mail of that id") {
			b.Fatal(err)
		}
	}
}

// inTocsin lets agents do so many things, and gives how many were wishes.
func (b *bed) inTocsin(r *rand.Rand, n int) (wishes int) {
	b.Helper()
	var all []string
	b.view(func(ctx context.Context, t *store.Tenant) (err error) {
		all, err = texts(ctx, t, `select id from inbox_message where tenant = $1 and gone = 0 order by id`)
		return err
	})
	for range n {
		id := all[r.IntN(len(all))]
		before := b.count(`select count(*) from inbox_wish where tenant = $1`)
		err := b.st.UpdateTenant(context.Background(), b.tenant, func(t *store.Tenant) error {
			ctx := context.Background()
			switch r.IntN(6) {
			case 0, 1:
				return WishRead(ctx, t, "bob", b.inbox, id, r.IntN(2) == 0)
			case 2:
				return WishMove(ctx, t, "bob", b.inbox, id, []string{"archive", "inbox", "junkemail"}[r.IntN(3)])
			case 3:
				return WishFlag(ctx, t, "bob", b.inbox, id, []string{"", "flagged"}[r.IntN(2)])
			case 4:
				return WishCategories(ctx, t, "bob", b.inbox, id, []string{"Blue category", "Green category"}[:r.IntN(3)])
			}
			return WishDelete(ctx, t, "bob", b.inbox, id)
		})
		if err != nil && !strings.Contains(err.Error(), "deleted in the mailbox") {
			b.Fatal(err)
		}
		wishes += b.count(`select count(*) from inbox_wish where tenant = $1`) - before
	}
	return wishes
}

// consistent holds the threads against their mails.
func (b *bed) consistent() {
	b.Helper()
	if n := b.count(`select count(*) from inbox_thread t where t.tenant = $1 and t.merged = '' and t.messages <> (select count(*) from inbox_message m where m.tenant = $1 and m.inbox = t.inbox and m.thread = t.id and m.gone = 0 and m.erased = 0)`); n > 0 {
		b.Errorf("%d threads count other mails than they have", n)
	}
	if n := b.count(`select count(*) from inbox_message m where m.tenant = $1 and not exists (select 1 from inbox_thread t where t.tenant = $1 and t.inbox = m.inbox and t.id = m.thread and t.merged = '')`); n > 0 {
		b.Errorf("%d mails are in no thread", n)
	}
	if n := b.count(`select count(*) from (select internet_id from inbox_message where tenant = $1 and internet_id <> '' group by internet_id having count(distinct thread) > 1) x`); n > 0 {
		b.Errorf("%d mails are in two threads", n)
	}
}

// TestEcho: what was wished for and comes back is no news, and what cannot be is shown as it is.
func TestEcho(t *testing.T) {
	each(t, func(b *bed) {
		id := b.put(sim.Mail{From: "jo@example.com", Subject: "Hello", Text: "x"})
		b.work()
		wish := func(do func(context.Context, *store.Tenant) error) { b.update(do) }
		facts := func() int { return b.count(`select count(*) from fact where tenant = $1 and kind = 'inbox.thread'`) }
		wish(func(ctx context.Context, t *store.Tenant) error { return WishRead(ctx, t, "bob", b.inbox, id, true) })
		before := facts()
		// An old word of the mailbox's, told before the wish is made good, does not turn it back.
		must(b, b.w.ActOnMail(shared, id, story.FlagsMail, ""))
		_, _, err := b.e.Round(context.Background(), b.tenant, b.inbox, true)
		must(b, err)
		b.pass(time.Minute)
		b.work()
		b.equal()
		if n := b.count(`select count(*) from inbox_message where tenant = $1 and id = $2 and is_read and flag = 'flagged'`, id); n != 1 || facts() > before+1 {
			b.Errorf("read and flagged: %d; %d facts, want that of the flag alone", n, facts()-before)
		}
		// The mailbox refuses.
		must(b, b.w.Fault(sim.Fault{Kind: sim.OutOfScope, Method: "POST", Path: "users/*/messages/*/move", Times: 1}))
		wish(func(ctx context.Context, t *store.Tenant) error {
			return WishMove(ctx, t, "bob", b.inbox, id, "archive")
		})
		b.work()
		b.equal()
		if got := b.word(`select state || ' ' || because from inbox_wish where tenant = $1 and kind = 'move'`); !strings.HasPrefix(got, "failed The mailbox") || !strings.Contains(got, "Give the account full access") {
			b.Errorf("the move is %q", got)
		}
		// It was deleted for good meanwhile.
		must(b, b.w.ActOnMail(shared, id, story.PurgesMail, ""))
		wish(func(ctx context.Context, t *store.Tenant) error { return WishDelete(ctx, t, "bob", b.inbox, id) })
		b.work()
		b.equal()
		if n := b.count(`select count(*) from inbox_message where tenant = $1 and id = $2 and gone > 0`, id); n != 1 {
			b.Error("what was deleted for good is still there")
		}
	})
}

// TestLive: what happens in Outlook changes the thread: an answer opens it, ours lets it wait, junk is spam, a folder that goes takes its mails.
func TestLive(t *testing.T) {
	each(t, func(b *bed) {
		b.work()
		is := func(what, subject string) {
			b.Helper()
			if got := b.word(`select state || ' ' || messages || ' ' || unread from inbox_thread where tenant = $1 and subject = $2`, subject); got != what {
				b.Errorf("%s is %q, want %q", subject, got, what)
			}
		}
		id := b.put(sim.Mail{From: "jo@example.com", Subject: "Bill", Text: "x", MessageID: "<q1@example.com>"})
		b.pass(time.Minute)
		b.work()
		is("open 1 1", "Bill")
		must(b, b.w.ActOnMail(shared, id, story.RepliesTo, ""))
		must(b, b.w.ActOnMail(shared, id, story.ReadsMail, ""))
		b.pass(time.Minute)
		b.work()
		is("waiting 2 0", "Bill")
		b.exec(`update inbox_thread set state = 'resolved' where tenant = $1 and subject = 'Bill'`)
		again := b.put(sim.Mail{From: "jo@example.com", Subject: "Re: Bill", Text: "x", Headers: [][2]string{{"In-Reply-To", "<q1@example.com>"}}})
		b.pass(time.Minute)
		b.work()
		is("open 3 1", "Bill")
		must(b, b.w.ActOnMail(shared, again, story.MovesMail, "junkemail"))
		b.pass(time.Minute)
		b.work()
		is("spam 3 0", "Bill")
		must(b, b.w.ActOnMail(shared, again, story.MovesMail, "inbox"))
		_, err := b.w.ChangeFolder(shared, sim.FolderCreated, "Bills", "")
		must(b, err)
		b.pass(time.Minute)
		b.work()
		is("open 3 1", "Bill")
		if n := b.count(`select count(*) from inbox_folder where tenant = $1 and name = 'Bills' and followed`); n != 1 {
			b.Error("a new folder is not followed")
		}
		in := b.put(sim.Mail{From: "al@example.com", Subject: "Filed", Text: "x", Folder: "Bills"})
		b.pass(2 * time.Minute)
		b.work()
		b.equal()
		is("open 1 1", "Filed")
		if n := b.count(`select count(*) from inbox_entry where tenant = $1 and kind = 'state' and who = ''`); n < 4 {
			b.Errorf("%d changes of state are noted", n)
		}
		_ = in
	})
}
