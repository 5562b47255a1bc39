package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// TestMailChanges: what happened follows from what was held and what is, in every case, and nothing is guessed.
func TestMailChanges(t *testing.T) {
	in := folderNames{"S": "sentitems", "D": "deleteditems", "W": "drafts", "J": "junkemail"}
	mine := func(a string) bool { return a == "amy@x.example" }
	amy, eve := tocsin.Address{Address: "Amy@x.example"}, tocsin.Address{Address: "eve@evil.example"}
	mail := func(change func(*mailSeen)) *mailSeen {
		m := &mailSeen{ID: "1", Folder: "I", From: eve, To: []tocsin.Address{amy}, Modified: 7, Flag: "notFlagged"}
		if change != nil {
			change(m)
		}
		return m
	}
	as := func(m *mailSeen) *mailHeld {
		return &mailHeld{folder: m.Folder, flag: m.Flag, verb: m.verbed(), rest: m.rest(), read: m.Read, draft: m.Draft, modified: m.Modified}
	}
	verb := func(v graph.Verb, at int64) func(*mailSeen) { return func(m *mailSeen) { m.Verb, m.VerbAt = v, at } }
	held := as(mail(nil))
	gone := *held
	gone.deleted = 5
	for _, c := range []struct {
		name  string
		had   *mailHeld
		is    *mailSeen
		fresh bool
		want  []string
	}{
		{"came", nil, mail(nil), true, []string{"email_received"}},
		{"sent", nil, mail(func(m *mailSeen) { m.Folder, m.From, m.To = "S", amy, []tocsin.Address{eve} }), true, []string{"email_sent"}},
		{"sent and filed by a rule", nil, mail(func(m *mailSeen) { m.Folder, m.From, m.To = "P", amy, []tocsin.Address{eve} }), true, []string{"email_sent"}},
		{"sent and thrown away before it was seen", nil, mail(func(m *mailSeen) { m.Folder, m.From, m.To = "D", amy, []tocsin.Address{eve} }), true, []string{"email_sent"}},
		{"came and was thrown away before it was seen", nil, mail(func(m *mailSeen) { m.Folder = "D" }), true, []string{"email_received"}},
		{"forged in our name", nil, mail(func(m *mailSeen) { m.Folder, m.From, m.To = "J", amy, []tocsin.Address{eve} }), true, []string{"email_received"}},
		{"to oneself, the copy that came", nil, mail(func(m *mailSeen) { m.From = amy }), true, []string{"email_received"}},
		{"to oneself, the copy that was sent", nil, mail(func(m *mailSeen) { m.Folder, m.From = "S", amy }), true, []string{"email_sent"}},
		{"a draft", nil, mail(func(m *mailSeen) { m.Folder, m.Draft, m.From = "W", true, amy }), true, []string{"email_drafted"}},
		{"an old one seen for the first time", nil, mail(nil), false, []string{"email_updated"}},
		{"one that was gone before it was seen", nil, nil, true, nil},
		{"the same again", held, mail(nil), true, nil},
		{"read", held, mail(func(m *mailSeen) { m.Read = true }), false, []string{"email_read"}},
		{"unread", as(mail(func(m *mailSeen) { m.Read = true })), mail(nil), false, []string{"email_updated"}},
		{"flagged", held, mail(func(m *mailSeen) { m.Flag = "flagged" }), false, []string{"email_flagged"}},
		{"moved", held, mail(func(m *mailSeen) { m.Folder = "P" }), false, []string{"email_moved"}},
		{"thrown away is moved", held, mail(func(m *mailSeen) { m.Folder = "D" }), false, []string{"email_moved"}},
		{"read, flagged, filed and categorised between two looks", held, mail(func(m *mailSeen) { m.Read, m.Flag, m.Folder, m.Categories = true, "flagged", "P", []string{"Red"} }), false,
			[]string{"email_moved", "email_read", "email_flagged", "email_updated"}},
		{"a draft that is written on", as(mail(func(m *mailSeen) { m.Draft = true })), mail(func(m *mailSeen) { m.Draft, m.Modified = true, 9 }), false, nil},
		{"a draft that was sent", as(mail(func(m *mailSeen) { m.Folder, m.Draft = "W", true })), mail(func(m *mailSeen) { m.Folder = "S" }), false, []string{"email_sent"}},
		{"replied to", held, mail(verb(graph.Replied, 6_000)), false, []string{"email_replied"}},
		{"replied to all", held, mail(verb(graph.RepliedAll, 6_000)), false, []string{"email_replied"}},
		{"forwarded", held, mail(verb(graph.Forwarded, 6_000)), false, []string{"email_forwarded"}},
		{"forwarded after a reply", as(mail(verb(graph.Replied, 6_000))), mail(verb(graph.Forwarded, 7_000)), false, []string{"email_forwarded"}},
		{"replied to once more", as(mail(verb(graph.Replied, 6_000))), mail(verb(graph.Replied, 7_000)), false, []string{"email_replied"}},
		{"the reply seen again", as(mail(verb(graph.Replied, 6_000))), mail(verb(graph.Replied, 6_000)), false, nil},
		{"seen without what was done with it", as(mail(verb(graph.Replied, 6_000))), mail(nil), false, nil},
		{"an old one, replied to while it is watched, seen for the first time", nil, mail(verb(graph.Replied, 6_000)), false, []string{"email_replied"}},
		{"an old one that was replied to before", nil, mail(verb(graph.Replied, 4_000)), false, []string{"email_updated"}},
		{"replied to before, and only now seen so", held, mail(verb(graph.Replied, 4_000)), false, nil},
		{"came and was forwarded before it was looked at", nil, mail(verb(graph.Forwarded, 6_000)), true, []string{"email_received", "email_forwarded"}},
		{"replied to at a time that is not known", held, mail(verb(graph.Replied, 0)), false, []string{"email_replied"}},
		{"an old one with no time", nil, mail(verb(graph.Replied, 0)), false, []string{"email_updated"}},
		{"opened, which is a verb too", held, mail(verb(5, 6_000)), false, nil},
		{"deleted", held, nil, false, []string{"email_deleted"}},
		{"deleted again", &gone, nil, false, nil},
		{"brought back", &gone, mail(nil), false, []string{"email_moved"}},
	} {
		var got []string
		for _, e := range mailChanges(c.had, c.is, in, mine, 5_000, c.fresh) {
			got = append(got, e.action)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestCaughtUpFurtherBack: of what catching up finds that was so before the mailbox was watched, the state is kept and nothing is
// told; what was changed since is an event.
func TestCaughtUpFurtherBack(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.exec(`insert into mail_ledger (tenant, person, since) values ($1, $2, 500500)`, string(amy))
		look := func(id string, modified int64, read bool) mailLook {
			return mailLook{ID: id, Change: "updated", At: 900_000, Message: &mailSeen{ID: id, Folder: "I", From: tocsin.Address{Address: "eve@evil.example"}, Received: 5_000, Created: 5_000, Modified: modified, Read: read, Flag: "notFlagged"}}
		}
		gap := &mailSpan{Began: 500_500, Ended: 800_000, Because: "x"}
		b.fold(b.item(kindMail, amy, mailLooks{Gap: gap, Looks: []mailLook{look("before", 499_000, false), look("since", 500_000, false)}}))
		b.want("told", `select action, body like '"since"%' from event where tenant = $1 and type = 'EMAIL'`, "email_updated 1")
		b.want("held", `select count(*) from mail where tenant = $1`, "2")
		b.fold(b.item(kindMail, amy, mailLooks{Looks: []mailLook{look("before", 850_000, true)}}))
		b.want("what happens then", `select action from event where tenant = $1 and type = 'EMAIL' and body like '"before"%'`, "email_read")
	})
}

// TestFoldMail: looks make events once each, in whatever order and however often they come; what waits is parked and taken back.
func TestFoldMail(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		seen := func(modified int64, change func(*mailSeen)) *mailSeen {
			m := &mailSeen{ID: "m1", Folder: "I", From: tocsin.Address{Address: "eve@evil.example"}, To: []tocsin.Address{{Address: "amy@x.example"}}, Counts: [3]int{1, 0, 0}, Modified: modified, Received: 5_000, Flag: "notFlagged"}
			if change != nil {
				change(m)
			}
			return m
		}
		looked := func(l ...mailLook) journal.Item { return b.item(kindMail, amy, mailLooks{Looks: l}) }
		came := mailLook{ID: "m1", Change: "created", At: 9_000, Message: seen(10, nil)}
		read := mailLook{ID: "m1", Change: "updated", At: 9_001, Message: seen(11, func(m *mailSeen) { m.Read = true })}
		got := b.since(func() {
			b.fold(looked(came, came), looked(came))
			b.fold(looked(read), looked(came), looked(read)) // the older look comes again, behind the newer
			b.fold(looked(mailLook{ID: "m1", Change: "deleted", At: 9_002}, mailLook{ID: "m2", Change: "created", At: 9_003}))
		})
		b.same("facts", got, "mail.changed ×1", "mail.changed ×1", "mail.changed ×2")
		b.want("events", `select action, at from event where tenant = $1 and type = 'EMAIL' order by at`, "email_read 11", "email_received 5000", "email_deleted 9002", "email_deleted 9003")
		b.want("the state", `select native, is_read, deleted from mail where tenant = $1 order by native`, "m1 1 9002", "m2 0 9003")
		b.want("what came and went", `select unseen from mail_ledger where tenant = $1`, "1")

		// Nobody ever saw these: their end is told once, their coming counted once, in whatever order they are named.
		b.fold(looked(mailLook{ID: "m2", Change: "created", At: 9_004}, mailLook{ID: "m5", Change: "deleted", At: 9_005}), looked(mailLook{ID: "m5", Change: "created", At: 9_006}, mailLook{ID: "m5", Change: "created", At: 9_007}))
		b.want("what came and went", `select unseen from mail_ledger where tenant = $1`, "2")
		b.want("their end", `select at from event where tenant = $1 and action = 'email_deleted' and at > 9002 order by at`, "9003", "9005")
		found := seen(12, nil)
		found.ID = "m2"
		b.fold(looked(mailLook{ID: "m2", Change: "created", At: 9_008, Message: found}))
		b.want("one was there after all", `select unseen from mail_ledger where tenant = $1`, "1")
		b.want("its coming", `select count(*) from event where tenant = $1 and action = 'email_received'`, "2")

		b.fold(b.item(kindMail, amy, mailLooks{Parked: []wait{{ID: "m3", Change: "created", At: 9_004, Because: "Graph is down.", Retry: 1}, {ID: "m4", At: 9_005, Because: "It is refused.", Dead: true, Tries: 10}}}))
		b.want("parked", `select kind, subject = '`+string(amy)+`', because from parked where tenant = $1`, "notified 1 Graph is down.")
		b.want("given up", `select because from dead_letter where tenant = $1`, "It is refused.")
		third := seen(12, nil)
		third.ID = "m3"
		b.fold(looked(mailLook{ID: "m3", Change: "created", At: 9_004, Message: third, Waited: true}))
		b.want("taken back", `select count(*) from parked where tenant = $1`, "0")
		b.want("it came", `select count(*) from event where tenant = $1 and action = 'email_received'`, "3")
	})
}

// TestParkedCame: that a message came is not forgotten when more is told of it while it waits; who is gone by then is counted as one
// that nobody saw.
func TestParkedCame(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.exec(`insert into mail_ledger (tenant, person, folders) values ($1, $2, '{"I":"inbox"}')`, string(amy))
		park := func(waits ...wait) { b.fold(b.item(kindMail, amy, mailLooks{Parked: waits})) }
		park(wait{ID: "m1", Change: "created", At: 1, Retry: 5}, wait{ID: "m2", Change: "deleted", At: 1, Retry: 5}, wait{ID: "m3", Change: "updated", At: 1, Retry: 5})
		park(wait{ID: "m1", Change: "deleted", At: 2, Retry: 6}, wait{ID: "m2", Change: "created", At: 2, Retry: 6}, wait{ID: "m3", Change: "deleted", At: 2, Retry: 6})
		park(wait{ID: "m1", Change: "updated", At: 3, Retry: 7})
		b.want("what waits", `select at, retry from parked where tenant = $1 order by retry`, "1 6", "1 6", "1 7")
		o := &Opener{Store: b.st, Log: slog.New(slog.DiscardHandler), Client: func(context.Context, tocsin.TenantID) (*graph.Client, error) { return nil, graph.ErrPaused }}
		box := &openBox{person: amy, byID: map[string]int{}, tries: map[string]int64{}}
		open := &opening{o: o, tenant: acme, boxes: map[tocsin.PersonID]*openBox{amy: box}, order: []*openBox{box}, now: b.st.Clock().Now()}
		if err := open.held(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.fold(b.item(kindMail, amy, mailLooks{Looks: box.looks})) // none is there any more
		b.want("the account", `select unseen from mail_ledger where tenant = $1`, "2")
		b.want("nothing waits", `select count(*) from parked where tenant = $1`, "0")
	})
}

// TestQuestions: of a mailbox to which much came the others are not kept waiting, and of each in the order in which it came.
func TestQuestions(t *testing.T) {
	box := func(name string, looks ...string) *openBox {
		b := &openBox{object: name, watched: true, places: true}
		for _, id := range looks {
			b.looks = append(b.looks, mailLook{ID: name + id})
		}
		return b
	}
	full, waits, fresh, gone := box("full", "1", "2", "3", "4"), box("waits", "1"), box("new", "1", "2"), box("gone", "1")
	waits.waits, fresh.places, gone.watched = true, false, false
	open := &opening{order: []*openBox{full, waits, fresh, gone}, places: []string{"inbox", "archive"}}
	var got []string
	for _, q := range open.questions() {
		if q.look == nil {
			got = append(got, q.box.object+" "+q.place)
		} else {
			got = append(got, q.look.ID)
		}
	}
	want := []string{"full1", "new inbox", "full2", "new archive", "full3", "new1", "full4", "new2"}
	if !slices.Equal(got, want) || len(waits.out.Parked) != 1 || !gone.out.Dropped {
		t.Errorf("%q; want %q; %+v, %+v", got, want, waits.out, gone.out)
	}
}

// TestOpenerWithoutATenant: while all is paused what is told of waits; once nothing is read any more it is dropped, with what waits.
func TestOpenerWithoutATenant(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		var why error = graph.ErrPaused
		o := &Opener{Store: b.st, Log: slog.New(slog.DiscardHandler), Client: func(context.Context, tocsin.TenantID) (*graph.Client, error) { return nil, why }}
		tell := func(id string) {
			items, err := o.Open(b.Context(), []journal.Item{b.item(kindNotified, amy, notified{ID: id, Change: "created"}), b.item(kindNotified, amy, notified{ID: id, Change: "updated"})})
			if err != nil || len(items) != 2 {
				b.Fatalf("%d items, %v", len(items), err)
			}
			b.fold(items...)
		}
		tell("m1")
		tell("m2")
		b.want("it waits", `select count(*), min(because) from parked where tenant = $1`, "2 The connection is paused.")
		why = nil
		tell("m3")
		b.want("it is dropped", `select count(*) from parked where tenant = $1`, "0")
		b.want("and makes nothing", `select count(*) from event where tenant = $1`, "0")
	})
}

// BenchmarkFoldMail is a run of 2,000 looks at messages of 2,000 mailboxes, folded in a transaction: at new ones, and then at
// the same, which were read. Beside it is what it costs to follow the facts of such runs.
func BenchmarkFoldMail(b *testing.B) {
	st, err := store.Open(b.Context(), "sqlite:"+b.TempDir()+"/t.db", &tocsin.Clock{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	const size, mailboxes = 2000, 2000
	f := &Fold{Log: slog.New(slog.DiscardHandler)}
	step := func(items []journal.Item) {
		if err := st.Update(b.Context(), func(tx *store.Tx) error { return f.Step(b.Context(), tx, items) }); err != nil {
			b.Fatal(err)
		}
	}
	if err := st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
		_, err := t.Exec(b.Context(), `insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	var people []journal.Item
	for i := range mailboxes {
		name := fmt.Sprintf("p%d@x.example", i)
		raw, err := json.Marshal(personSeen{Object: name, Name: name, UPN: name, Mail: name, Kind: "member", Addresses: []string{"SMTP:" + name}})
		if err != nil {
			b.Fatal(err)
		}
		people = append(people, journal.Item{Tenant: acme, Person: tocsin.NewPersonID(acme, name), Kind: kindPerson, At: 1, Body: raw})
	}
	step(people)
	n := 0
	run := func(change string, read bool) []journal.Item {
		items := make([]journal.Item, size)
		for i := range items {
			to, at := fmt.Sprintf("p%d@x.example", i%mailboxes), int64(1_767_000_000_000+n*1000+i)
			id := fmt.Sprintf("AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OABGAAAAAADUuTJK1K9aTpCdqXop_4NaBwCd9nJ-tVysQos2hTfspaWRAAAAAAEJAACd%012d", n*size+i)
			m := &mailSeen{ID: id, Internet: "<" + id[100:] + "@mail.evil.example>", Conversation: id[40:], Folder: id[:100], From: tocsin.Address{Name: "Somebody", Address: fmt.Sprintf("p%d@x.example", (i+n)%mailboxes)},
				To: []tocsin.Address{{Address: to}}, Counts: [3]int{1, 0, 0}, Importance: "normal", Flag: "notFlagged", Created: at, Modified: at, Received: at, Sent: at}
			if read {
				m.Read, m.Modified = true, at+1
			}
			items[i] = journal.Item{Tenant: acme, Person: tocsin.NewPersonID(acme, to), Kind: kindMail, At: at, Made: mailLooks{Looks: []mailLook{{ID: id, Change: change, At: at, Named: 1, Message: m}}}}
		}
		return items
	}
	var fresh, again, follow time.Duration
	for b.Loop() {
		for _, part := range []struct {
			cost *time.Duration
			do   func()
			run  []journal.Item
		}{{&fresh, nil, run("created", false)}, {&again, nil, run("updated", true)}, {&follow, func() {
			if err := stream.Fold(b.Context(), st, "tally", store.Lane(acme), Tally); err != nil {
				b.Fatal(err)
			}
		}, nil}} {
			before := spent(b)
			if part.do != nil {
				part.do()
			} else {
				step(part.run)
			}
			*part.cost += spent(b) - before
		}
		n++
	}
	for _, m := range []struct {
		name string
		cost time.Duration
		of   int
	}{{"cpu-µs/new", fresh, size}, {"cpu-µs/read", again, size}, {"tally-cpu-µs/event", follow, 2 * size}} {
		b.ReportMetric(float64(m.cost.Microseconds())/float64(b.N)/float64(m.of), m.name)
	}
	if got := count(b, st, `select count(*) from event where tenant = $1`); got != 2*size*n {
		b.Errorf("%d events of %d", got, 2*size*n)
	}
}

func count(tb testing.TB, st *store.Store, query string) (n int) {
	tb.Helper()
	err := st.ViewTenant(tb.Context(), acme, func(t *store.Tenant) error { return t.QueryRow(tb.Context(), query).Scan(&n) })
	if err != nil {
		tb.Fatal(err)
	}
	return n
}
