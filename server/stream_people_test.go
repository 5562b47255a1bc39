package server

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// until lets time pass until something is so of a person's subscriptions: there are so many.
func (l *life) until(what string, person tocsin.PersonID, subscriptions int) {
	l.Helper()
	eventually(l.T, what, func() string {
		l.w.Deliver(l.Context())
		n := l.count(`select count(*) from subscription where tenant = $1 and person = $2 and state = 'on'`, string(person))
		all := l.count(`select count(*) from subscription where tenant = $1 and person = $2`, string(person))
		if n == subscriptions && all == n {
			return ""
		}
		l.pass(20 * time.Second)
		return fmt.Sprintf("%d of %d subscriptions are on", n, all)
	})
}

// passing lets time pass until nothing is under way: what is tried again need not be waited for.
func (l *life) passing() {
	l.Helper()
	eventually(l.T, "the stream", func() string {
		l.pass(20 * time.Second)
		return l.open()
	})
}

// TestPeopleChange: a person's licence is taken and given again, a person is renamed, and one is deleted and restored, while
// their mail goes on: no message ends that did not, what nobody told of is found, and all is the same person's.
func TestPeopleChange(t *testing.T) {
	t.Parallel()
	w := world(t, 12)
	c := calmly(t)
	c.Every.Absent = time.Minute
	l := lives(t, c, w)
	l.mail(60)
	l.whole()
	address := func(who string) string { return who + "@" + w.Domain() }
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	poor := l.people[0]
	person := l.personOf(poor)
	l.now(poor + ` receives from x@elsewhere.example subject "last"`)
	do(w.License(address(poor), false)) // before anybody could look
	l.mail(30)
	l.until("the mailbox without a licence", person, 0)
	l.passing()
	do(w.License(address(poor), true))
	l.now(poor + ` flags mail "last"`)
	l.until("the mailbox with a licence", person, 1)
	l.mail(40)
	l.passing()
	l.whole()
	called := l.people[1]
	person = l.personOf(called)
	gaps := l.count(`select count(*) from mail_gap where tenant = $1 and person = $2`, string(person))
	l.now(called + ` receives from x@elsewhere.example subject "old name"`)
	do(w.Rename(address(called), address("new.name")))
	eventually(t, "the new name", func() string {
		l.w.Deliver(t.Context())
		if l.count(`select count(*) from person where tenant = $1 and person = $2 and mail = $3`, string(person), address("new.name")) == 0 {
			l.pass(20 * time.Second)
			return "is not known"
		}
		return ""
	})
	l.meet()
	l.now(`new.name receives from x@elsewhere.example subject "new name"`, `new.name flags mail "old name"`)
	l.mail(30)
	l.passing()
	l.whole()
	if got := l.personOf("new.name"); got != person {
		t.Errorf("whoever was renamed is %s, and was %s", got, person)
	}
	if n := l.count(`select count(*) from event where tenant = $1 and person = $2 and action = 'email_received' and body like '%`+"\n"+`"`+address("new.name")+`"`+"\n"+`%'`, string(person)); n == 0 {
		t.Error("no event is of the new name")
	}
	if n := l.count(`select count(*) from mail_gap where tenant = $1 and person = $2`, string(person)); n != gaps {
		t.Errorf("a new name makes %d gaps", n-gaps)
	}

	left := l.people[2]
	person = l.personOf(left)
	var object string
	do(l.s.Store.ViewTenant(t.Context(), l.tenant(), func(tt *store.Tenant) error {
		return tt.QueryRow(t.Context(), `select object_id from person where tenant = $1 and person = $2`, string(person)).Scan(&object)
	}))
	l.now(left+` receives from x@elsewhere.example subject "kept"`, left+` receives from x@elsewhere.example subject "flagged"`)
	do(w.DeleteUser(address(left)))
	l.until("the mailbox of one who left", person, 0)
	l.mail(30)
	l.passing()
	do(w.RestoreUser(object))
	l.now(left + ` flags mail "flagged"`)
	l.until("the mailbox of one who is back", person, 1)
	l.mail(40)
	l.passing()
	l.whole()
	if got := l.personOf(left); got != person {
		t.Errorf("whoever is back is %s, and was %s", got, person)
	}
}

// folderTruth is what became of folders that a test made, by id: its name, "" where it is deleted.
type folderTruth map[string]string

// TestStreamTokensForgotten: Microsoft forgets every delta token, and answers 410 in the middle of catching up: what changed
// meanwhile is found all the same, folders and people too, and the gap closes by itself.
func TestStreamTokensForgotten(t *testing.T) {
	t.Parallel()
	w := world(t, 10)
	c := calmly(t)
	l := lives(t, c, w)
	looked := func() {
		t.Helper()
		eventually(t, "the folders", func() string {
			n := l.count(`select count(*) from subscription s where s.tenant = $1 and not exists (select 1 from folder_look l where l.tenant = s.tenant and l.person = s.person and l.whole > 0 and l.tries = 0 and l.due > $2)`, tocsin.Millis(l.clock.Now()))
			if n > 0 {
				l.pass(20 * time.Second)
				return fmt.Sprintf("%d mailboxes' are to be looked at", n)
			}
			return folded(t, l.s)
		})
	}
	looked()
	is, gone := folderTruth{}, l.people[len(l.people)-1]
	away := l.personOf(gone)
	change := func(who, what, name, to string) {
		t.Helper()
		id, err := w.ChangeFolder(who+"@"+w.Domain(), what, name, to)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case who == gone: // of whom nothing more is to be seen
		case what == sim.FolderCreated:
			is[id] = name
		case what == sim.FolderRenamed:
			is[id] = to
		case what == sim.FolderDeleted:
			is[id] = ""
		}
	}
	for _, who := range l.people {
		change(who, sim.FolderCreated, "Stays", "")
		change(who, sim.FolderCreated, "Goes", "")
		change(who, sim.FolderCreated, "Old", "")
	}
	l.mail(40)
	l.pass(2 * time.Hour)
	l.whole()
	looked()
	for _, who := range l.people {
		change(who, sim.FolderDeleted, "Goes", "")
		change(who, sim.FolderRenamed, "Old", "New")
		change(who, sim.FolderCreated, "Later", "Stays")
	}
	w.ForgetDeltas()
	if err := w.DeleteUser(gone + "@" + w.Domain()); err != nil {
		t.Fatal(err)
	}
	forgets := l.strike(sim.Fault{Kind: sim.Gone, Path: "/users/*/messages", Times: 5})
	went := l.clock.Now()
	removed, err := w.RemoveSubscriptions("", 2, true)
	if err != nil || removed == 0 {
		t.Fatal(removed, err)
	}
	l.mail(60)
	l.hurry()
	l.until("the mailbox of one who left", away, 0)
	l.pass(2 * time.Hour)
	l.whole()
	looked()
	if n := forgets.Times(); n != 5 {
		t.Errorf("410 was answered %d times", n)
	}
	covered := map[tocsin.PersonID]bool{}
	for _, g := range l.gaps() { // whatever is seen first names it
		if !g.Began.After(went) && g.Ended.After(went) {
			covered[g.Person] = true
		}
	}
	if len(covered) < removed-1 { // one of them may be whoever left
		t.Errorf("%d mailboxes have a gap over %s, when %d subscriptions were removed: %+v", len(covered), went, removed, l.gaps())
	}
	if n := l.count(`select count(*) from person where tenant = $1 and person = $2 and deleted > 0`, string(away)); n != 1 {
		t.Error("whoever was deleted while the token was forgotten is there")
	}
	l.folders(is)
}

// folders holds the folders and what is told of them against what is so.
func (l *life) folders(is folderTruth) {
	l.Helper()
	type told struct {
		name    string
		deleted bool
		actions []string
	}
	got := map[string]told{}
	err := l.s.Store.ViewTenant(l.Context(), l.tenant(), func(t *store.Tenant) error {
		clear(got)
		rows, err := t.Query(l.Context(), `select id, name, deleted > 0 from mail_folder where tenant = $1`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var f told
			if err := rows.Scan(&id, &f.name, &f.deleted); err != nil {
				return err
			}
			got[id] = f
		}
		if err := rows.Err(); err != nil {
			return err
		}
		events, err := t.Query(l.Context(), `select action, body from event where tenant = $1 and type = 'FOLDER' order by at, action`)
		if err != nil {
			return err
		}
		defer events.Close()
		for events.Next() {
			var action, body string
			var e tocsin.Event
			if err := errors.Join(events.Scan(&action, &body), json.Unmarshal([]byte(body), &e)); err != nil {
				return err
			}
			f := got[e.PlatformEventID]
			f.actions = append(f.actions, action)
			got[e.PlatformEventID] = f
		}
		return events.Err()
	})
	if err != nil {
		l.Fatal(err)
	}
	wants := map[string][]string{"Stays": {"folder_created"}, "Later": {"folder_created"}, "New": {"folder_created", "folder_renamed"}, "": {"folder_created", "folder_deleted"}}
	for id, name := range is {
		f := got[id]
		if f.deleted != (name == "") || name != "" && f.name != name || !slices.Equal(f.actions, wants[name]) {
			l.Errorf("a folder is %q, and is held as %+v", name, f)
		}
	}
}

var hugeMailbox = flag.Int("huge", 20_000, "messages in the mailbox of TestHugeMailbox")

// TestHugeMailbox: an outage of a mailbox with 200,000 messages (make prove; fewer otherwise) is closed with few requests,
// whatever it holds.
func TestHugeMailbox(t *testing.T) {
	t.Parallel()
	w := world(t, 6)
	l := lives(t, calmly(t), w)
	who := l.people[0]
	mail := who + "@" + w.Domain()
	if err := w.Fill(mail, *hugeMailbox, 25*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	l.mail(40)
	l.now(who + ` flags mail "Weekly figures"`) // an old one is held too, so all of the time since is to be looked through
	l.whole()
	lists := func() (n int64) {
		for call, of := range w.Requests().Calls {
			if strings.HasPrefix(call, "GET") && strings.Contains(call, "/messages") {
				n += of.Count
			}
		}
		return n
	}
	before := lists()
	if n, err := w.RemoveSubscriptions(mail, 1, true); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	for i := range 5 {
		name := fmt.Sprintf("%q", fmt.Sprintf("news %d", i))
		l.now(who+" receives from x@elsewhere.example subject "+name, who+" reads mail "+name)
	}
	l.now(who+` receives from x@elsewhere.example subject "gone"`, who+` purges mail "gone"`)
	l.hurry()
	a := l.whole()
	n := lists() - before
	t.Logf("%d requests of messages closed the gap: %+v", n, a)
	if n > 100 {
		t.Errorf("%d requests closed a gap of a few messages", n)
	}
	if boxes, found := l.because("The subscription was not there any more"); boxes != 1 || found < 5 {
		t.Errorf("%d gaps, in which %d events were found", boxes, found)
	}
}

// TestOneTenantDown: while the Graph of one tenant does not answer, or refuses, what is told of another is told as ever; and
// afterwards the first one's is whole too.
func TestOneTenantDown(t *testing.T) {
	t.Parallel()
	w := world(t, 8)
	other, err := sim.New(sim.Config{Users: 9, Seed: 8, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	hc := &http.Client{Transport: eachHost{"sim.invalid": w.Client().Transport, "other.invalid": other.Client().Transport}}
	c := calmly(t)
	b := hearsBy(t, c, w, hc)
	in := own(other)
	in.Own = connect.Own{Authority: "https://other.invalid", Graph: "https://other.invalid"}
	second, err := b.s.Connections.Create(t.Context(), "test", in)
	if err != nil {
		t.Fatal(err)
	}
	well := &subject{T: t, s: b.s, w: other, conn: second}
	first, then := b.subscribed(), well.subscribed()
	traffic := func(of *subject) {
		t.Helper()
		if err := of.w.Traffic(60); err != nil {
			t.Fatal(err)
		}
	}
	told := func(of *subject, since int) {
		t.Helper()
		eventually(t, "the stream of a tenant", func() string {
			of.w.Deliver(t.Context())
			if lacks := of.accounts(since).lacks; len(lacks) > 0 {
				return fmt.Sprintf("%d differ, such as %s", len(lacks), lacks[0])
			}
			return ""
		})
	}
	traffic(b)
	traffic(well)
	told(b, first)
	told(well, then)
	for _, down := range []sim.Fault{{Kind: sim.Slow, Path: "/**", Delay: sim.Duration(6 * time.Second)}, {Kind: sim.Broken, Path: "/**"}} {
		struck, err := w.Strike(down)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			traffic(b)
			w.Deliver(t.Context())
			eventually(t, "what is parked of the tenant that is down", func() string {
				if b.count(`select count(*) from parked where tenant = $1`) == 0 {
					return "nothing: " + string(down.Kind)
				}
				return ""
			})
			traffic(well)
			told(well, then)
		}
		if n := well.count(`select count(*) from parked where tenant = $1`); n > 0 {
			t.Errorf("%s: %d messages of the tenant that is well are parked", down.Kind, n)
		}
		struck.Heal()
		eventually(t, "the tenant that was down", func() string {
			b.s.Clock.Advance(time.Minute)
			b.w.Deliver(t.Context())
			return b.open()
		})
		told(b, first)
		told(well, then)
	}
}
