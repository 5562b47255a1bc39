package inbox

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tocsin.dev/graph/sim"
	"tocsin.dev/mail"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// threadsOf are the mails by thread: each a list of subjects in order of time.
func (b *bed) threadsOf(of string) (out [][]string) {
	b.Helper()
	b.view(func(ctx context.Context, t *store.Tenant) error {
		ids, err := texts(ctx, t, `select id from inbox_thread where tenant = $1 and merged = '' order by n`)
		for _, id := range ids {
			some, err := texts(ctx, t, `select `+of+` from inbox_message where tenant = $1 and thread = $2 order by at, id`, id)
			if err != nil {
				return err
			}
			out = append(out, some)
		}
		return err
	})
	return out
}

// TestJoin: mails join by what their headers say, whatever order they come in; where headers are broken, by subject and people; and no further.
func TestJoin(t *testing.T) {
	each(t, func(b *bed) {
		now := b.w.Clock().Now().Add(-100 * time.Hour)
		n := 0
		put := func(from, subject, id, reply, refs string) {
			n++
			m := sim.Mail{From: from, Subject: subject, Text: "x", MessageID: id, Received: now.Add(time.Duration(n) * time.Hour)}
			for k, v := range map[string]string{"In-Reply-To": reply, "References": refs} {
				if v != "" {
					m.Headers = append(m.Headers, [2]string{k, v})
				}
			}
			if from == shared {
				m.To, m.Folder = []string{"jo@example.com"}, "sentitems"
			}
			b.put(m)
		}
		put("jo@example.com", "Bill 7", "<a1@example.com>", "", "")
		put(shared, "AW: Bill 7", "<a2@fabrikam.com>", "<a1@example.com>", "") // from Sent Items, read later than what answers it
		put("jo@example.com", "RE: Bill 7 paid", "<a3@example.com>", "<a2@fabrikam.com>", "<a1@example.com>\r\n <a2@fabrikam.com>")
		put("al@example.net", "Order", "<b1@example.net>", "", "")
		put("al@example.net", "Order", "<b2@example.net>", "", "")                                     // the same words from the same, and another matter
		put("bo@example.org", "Re: Order", "<c1@example.org>", "", "")                                 // somebody else
		put("al@example.net", "Re[2]: order", "<b3@example.net>", "<lost@outlook>", "")                // headers that lead nowhere
		put("cy@example.org", "Hello", "<d1@example.org>", "Message from \"Cy\" <cy@example.org>", "") // an address is no id
		put("cy@example.org", "World", "<d2@example.org>", "Message from \"Cy\" <cy@example.org>", "")
		put("mo@example.com", "Q", "<e2@example.com>", "<gone@example.com>", "") // two answers to what is not here
		put("no@example.com", "Q too", "<e3@example.com>", "<gone@example.com>", "")
		b.work()
		want := [][]string{{"Bill 7", "AW: Bill 7", "RE: Bill 7 paid"}, {"Order"}, {"Order", "Re[2]: order"}, {"Re: Order"}, {"Hello"}, {"World"}, {"Q", "Q too"}}
		got := b.threadsOf("subject")
		key := func(all [][]string) (out []string) {
			for _, s := range all {
				out = append(out, fmt.Sprint(s))
			}
			slices.Sort(out)
			return out
		}
		got = slices.DeleteFunc(got, func(s []string) bool { return len(s) > 0 && seeded[s[0]] })
		if !slices.Equal(key(got), key(want)) {
			b.Errorf("the threads are %q, want %q", key(got), key(want))
		}
	})
}

// seeded are subjects of the mails that the simulator's mailboxes begin with.
var seeded = map[string]bool{"Arrival notice": true, "Invoice for March": true, "Gate times tomorrow": true, "Weekly figures": true, "Lunch?": true, "Customs papers": true, "Your booking": true, "Minutes of the meeting": true}

// sharedData is the folder of data beside the working tree, where it is there.
func sharedData(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("TOCSIN_SHARED"); dir != "" {
		return filepath.Join(dir, "data")
	}
	dir, err := os.Getwd()
	must(t, err)
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "..", "shared", "data")); err == nil {
			return filepath.Join(dir, "..", "shared", "data")
		}
		if filepath.Dir(dir) == dir {
			t.Skip("SKIPPED: ../shared is not there, so threads of real mail were not tested")
		}
	}
}

func fold1(subject string) string { folded, _ := fold(subject); return folded }

var allMails = flag.Bool("threads.all", false, "TestRealThreads loads every mail of the shared data, not those of two folders")

// mailFiles are the mails that TestRealThreads loads.
func mailFiles(t testing.TB, root string) (out []string) {
	dirs := []string{"spamassassin/easy-ham-2", "spamassassin/hard-ham-1"}
	if *allMails {
		dirs = []string{"spamassassin", "enron-categories", "mime-suites", "sublime-emls"}
	}
	for _, dir := range dirs {
		must(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && slices.Contains([]string{".eml", ".txt", ".raw"}, filepath.Ext(path)) {
				out = append(out, path)
			}
			return err
		}))
	}
	return out
}

// TestRealThreads loads real mail as a shared mailbox: each answer stands with what it answers, and what no header connects is seldom together.
func TestRealThreads(t *testing.T) {
	root := sharedData(t)
	b := newBed(t, storetest.SQLite(t), sim.Config{}, 0)
	byID, parents := map[string]string{}, map[string][]string{} // Message-ID to Graph's id, and back to what it answers
	subject := map[string]string{}
	var order []string
	for _, path := range mailFiles(t, root) {
		raw, err := os.ReadFile(path)
		must(t, err)
		m := mail.ParseParts(raw, mail.ReadText)
		if m.MessageID == "" || len(m.From) == 0 || byID[m.MessageID] != "" {
			continue
		}
		at := m.Date
		if at.Year() < 1995 || at.Year() > 2010 {
			at = time.Date(2002, 8, 1, 0, 0, 0, 0, time.UTC)
		}
		in := sim.Mail{From: m.From[0].Address, FromName: m.From[0].Name, Subject: m.Subject, HTML: m.HTML, Text: m.Text, MessageID: "<" + m.MessageID + ">", Received: at}
		for _, a := range m.To {
			in.To = append(in.To, a.Address)
		}
		for _, name := range []string{"In-Reply-To", "References"} {
			if v := m.Get(name); v != "" {
				in.Headers = append(in.Headers, [2]string{name, v})
			}
		}
		id := b.put(in)
		byID[m.MessageID], subject[m.MessageID] = id, m.Subject
		order = append(order, m.MessageID)
		if m.InReplyTo != "" {
			parents[m.MessageID] = append(parents[m.MessageID], m.InReplyTo)
		}
		parents[m.MessageID] = append(parents[m.MessageID], m.References...)
	}
	b.work()
	thread := map[string]string{}
	b.view(func(ctx context.Context, t *store.Tenant) error {
		list, err := messages(ctx, t, `inbox = $2`, b.inbox)
		for _, m := range list {
			thread[m.ID] = m.Thread
		}
		return err
	})
	// What the headers connect, by union of each mail with all it refers to.
	root_ := map[string]string{}
	var find func(string) string
	find = func(x string) string {
		if root_[x] == "" || root_[x] == x {
			return x
		}
		root_[x] = find(root_[x])
		return root_[x]
	}
	resolved, apart := 0, 0
	for _, id := range order {
		for i, p := range parents[id] {
			root_[find(id)] = find(p)
			if i == 0 && byID[p] != "" {
				resolved++
				if thread[byID[id]] != thread[byID[p]] {
					apart++
				}
			}
		}
	}
	first := map[string]string{} // of each thread
	joined, strange := 0, 0
	for _, id := range order {
		th := thread[byID[id]]
		if th == "" {
			t.Fatalf("%s is not there", id)
		}
		if first[th] == "" {
			first[th] = id
		} else if find(first[th]) != find(id) {
			joined++
		}
	}
	// With what has one subject in a thread taken together, nothing else is.
	for _, id := range order {
		if th := thread[byID[id]]; th != "" {
			root_[find(id)] = find(th + " " + fold1(subject[id]))
		}
	}
	for _, id := range order {
		if one := first[thread[byID[id]]]; find(one) != find(id) {
			strange++
			t.Logf("together by nothing: %q and %q", subject[id], subject[one])
		}
	}
	t.Logf("%d mails in %d threads; %d answers whose parent is there, %d apart from it; %d joined by subject and people", len(order), len(first), resolved, apart, joined)
	if resolved < 600 || apart > 0 || joined > len(order)/4 || strange > len(order)/100 {
		t.Errorf("%d of %d answers are apart from what they answer; of %d mails %d are joined by no header, %d of them by no subject either", apart, resolved, len(order), joined, strange)
	}
}
