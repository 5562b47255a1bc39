package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/story"
)

// life is a server that comes and goes, with the clock that it and the tenant share. Notifications go out when the test
// says so.
type life struct {
	*subject
	conf   Config
	clock  *tocsin.Clock
	client *http.Client
	door   atomic.Pointer[http.Handler]
	end    func()
	people []string // of some of the watched mailboxes, the part before the @
	since  int      // line of the truth from which on everything is to be told
}

// lives makes a server that the tenant can tell of mail, runs it, and waits until every mailbox is told of.
func lives(t *testing.T, c Config, w *sim.Sim) *life { return livesOn(t, c, w, allSources...) }

// livesOn is lives where only these sources can be read.
func livesOn(t *testing.T, c Config, w *sim.Sim, sources ...string) *life {
	t.Helper()
	l := &life{conf: c, clock: &tocsin.Clock{}, client: w.Client(), subject: &subject{T: t, w: w}}
	hooks := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := l.door.Load(); h != nil {
			(*h).ServeHTTP(rw, r)
			return
		}
		rw.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(hooks.Close)
	t.Cleanup(func() { l.sleep() })
	l.conf.Hooks.URL = hooks.URL
	l.wake()
	l.since = l.subscribedOf(sources...)
	l.meet()
	return l
}

// meet learns who the people of the watched mailboxes are.
func (l *life) meet() {
	l.Helper()
	l.people = nil
	err := l.s.Store.ViewTenant(l.Context(), l.tenant(), func(t *store.Tenant) error {
		rows, err := t.Query(l.Context(), `select p.mail from person p join mail_ledger l on l.tenant = p.tenant and l.person = p.person where p.tenant = $1 and p.deleted = 0 order by p.mail`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var mail string
			if err := rows.Scan(&mail); err != nil {
				return err
			}
			who, _, _ := strings.Cut(mail, "@")
			l.people = append(l.people, who)
		}
		return rows.Err()
	})
	if err != nil {
		l.Fatal(err)
	}
}

// wake starts the server, as after a restart.
func (l *life) wake() {
	l.Helper()
	s, err := New(l.Context(), l.conf, Options{HTTP: l.client, Clock: l.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		l.Fatal(err)
	}
	l.s = s
	if l.conn.ID == "" {
		l.conn = join(l.T, s, l.w)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(l.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	h := s.Handler()
	l.door.Store(&h)
	l.end = func() {
		l.door.Store(nil)
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			l.Errorf("the server ended with %v", err)
		}
		s.Close()
	}
}

// sleep ends the server.
func (l *life) sleep() {
	if l.end != nil {
		l.end()
		l.end = nil
	}
}

// pass lets time pass for both, and sends what is due.
func (l *life) pass(d time.Duration) {
	l.clock.Advance(d)
	l.w.Advance(d)
	l.w.Deliver(l.Context())
}

// mail lets people write, read and throw away.
func (l *life) mail(changes int) {
	l.Helper()
	if err := l.w.Traffic(changes); err != nil {
		l.Fatal(err)
	}
}

// now lets a story's lines happen at once.
func (l *life) now(lines ...string) {
	l.Helper()
	text := "# Now.\ndomain " + l.w.Domain() + "\n"
	for _, who := range l.people {
		text += "person " + who + "\n"
	}
	for _, line := range lines {
		text += "mon 09:00 " + line + "\n"
	}
	st, err := story.Parse("now", strings.NewReader(text))
	if err == nil {
		err = l.w.Live(st, 0)
	}
	if err != nil {
		l.Fatal(err)
	}
	if l.w.Advance(0); len(l.w.Failed()) > 0 {
		l.Fatal(l.w.Failed())
	}
}

// comeAndGo lets a mail come to somebody, and be gone for good in the same moment.
func (l *life) comeAndGo(n int) {
	l.Helper()
	who, name := l.people[n%len(l.people)], fmt.Sprintf("%q", fmt.Sprintf("brief %d", n))
	l.now(who+" receives from x@elsewhere.example subject "+name, who+" purges mail "+name)
}

// settle sends and waits until nothing is under way any more.
func (l *life) settle() {
	l.Helper()
	eventually(l.T, "the stream", func() string {
		l.w.Deliver(l.Context())
		if l.w.Deliveries().Waiting > 0 { // for its time
			l.pass(20 * time.Second)
		}
		return l.open()
	})
}

// open is what is still under way; "" for nothing.
func (b *subject) open() string {
	d := b.w.Deliveries()
	lag, err := b.s.reader.Lag(b.Context())
	parked, gaps := b.count(`select count(*) from parked where tenant = $1`), b.count(`select count(*) from mail_gap where tenant = $1 and closed = 0`)
	signals := b.count(`select count(*) from subscription where tenant = $1 and (signal <> '' or state <> 'on')`)
	if err != nil || d.Waiting > 0 || lag > 0 || parked > 0 || gaps > 0 || signals > 0 {
		return fmt.Sprintf("%+v, lag %d, parked %d, open gaps %d, subscriptions to see to %d, %v", d, lag, parked, gaps, signals, err)
	}
	return ""
}

// account is the stream held against the truth.
type account struct {
	Came    int // messages that came
	Told    int // of them, those of which an event says so
	Unseen  int // of them, those that were said to have come and were gone before anybody looked
	Ends    int // of them, those of which only the end was told
	Unknown int // of them, those of which Graph told nothing, and can tell nothing any more
	Gone    int // messages that were deleted, of which an event says so
	Acked   int // changes of which a notification was acknowledged
	Stored  int // of them, those of messages of which the tables know
	Twice   int // messages whose coming or end was told more than once
	lacks   []string
}

func (a *account) lack(format string, args ...any) {
	a.lacks = append(a.lacks, fmt.Sprintf(format, args...))
}

// held is what the tables say of a message.
type heldMessage struct {
	came, gone int
	as         string // how it came: received, sent
	actions    []string
	state      string // folder, read and flag; "gone"
}

// span is a gap.
type span struct{ began, ended time.Time }

// watching are the mailboxes that are told of, and their gaps, by Entra's id of the person, who may be renamed.
func (b *subject) watching() map[string][]span {
	b.Helper()
	out := map[string][]span{}
	err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		clear(out)
		rows, err := t.Query(b.Context(), `select p.object_id, coalesce(g.began, 0), coalesce(g.ended, 0) from person p join mail_ledger l on l.tenant = p.tenant and l.person = p.person
			left join mail_gap g on g.tenant = p.tenant and g.person = p.person and g.closed > 0 and g.lost <> '' where p.tenant = $1 and p.deleted = 0`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var object string
			var began, ended int64
			if err := rows.Scan(&object, &began, &ended); err != nil {
				return err
			}
			if began == 0 {
				out[object] = append(out[object], []span{}...)
				continue
			}
			out[object] = append(out[object], span{tocsin.FromMillis(began), tocsin.FromMillis(ended)})
		}
		return rows.Err()
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// kept is what the tables hold of every message, by Graph's id.
func (b *subject) kept() map[string]heldMessage {
	b.Helper()
	out := map[string]heldMessage{}
	err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		clear(out)
		rows, err := t.Query(b.Context(), `select action, body from event where tenant = $1 and type = 'EMAIL'`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var is tocsin.EventRow
			if err := rows.Scan(&is.Action, &is.Body); err != nil {
				return err
			}
			m := out[is.Native()]
			m.actions = append(m.actions, is.Action)
			switch is.Action {
			case "email_received", "email_sent":
				m.came++
				m.as = strings.TrimPrefix(is.Action, "email_")
			case "email_deleted":
				m.gone++
			}
			out[is.Native()] = m
		}
		if err := rows.Err(); err != nil {
			return err
		}
		states, err := t.Query(b.Context(), `select m.native, m.folder, m.is_read, m.flag, m.deleted from mail m join person p on p.tenant = m.tenant and p.person = m.person and p.deleted = 0 where m.tenant = $1`)
		if err != nil {
			return err
		}
		defer states.Close()
		for states.Next() {
			var id, folder, flag string
			var read bool
			var deleted int64
			if err := states.Scan(&id, &folder, &read, &flag, &deleted); err != nil {
				return err
			}
			m := out[id]
			if m.state = fmt.Sprint(folder, read, flag); deleted > 0 {
				m.state = "gone"
			}
			out[id] = m
		}
		return states.Err()
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// fate is what truly became of a message.
type fate struct {
	box           string
	came, gone    time.Time
	as            string // how it came: received, sent, drafted
	toldCame      bool   // the notification of its coming was taken
	toldSomething bool   // that of any change was
	toldMoved     bool   // that of a move was, which may say created
	put           bool   // it was put into another folder: of mail to oneself nobody can say by then which copy it is
	lost          bool   // one was thrown away by a fault, and nobody says so
	taken         int    // notifications that were
	did           []string
}

// fates are the messages of the watched mailboxes that anything happened to since line n.
func (b *subject) fates(n int, watched map[string][]span) map[string]*fate {
	b.Helper()
	lines := b.truth(n)
	taken, lost := map[int]bool{}, map[int]bool{}
	for _, line := range lines {
		for _, of := range line.Of {
			switch {
			case line.Change == "delivery.answered" && line.Status/100 == 2:
				taken[of] = true
			case line.Change == "notification.lost":
				lost[of] = true
			}
		}
	}
	out := map[string]*fate{}
	for _, line := range lines {
		if _, ok := watched[line.Person]; !ok || !strings.HasPrefix(line.Change, "message.") {
			continue
		}
		f := out[line.ID]
		if f == nil {
			f = &fate{box: line.Person}
			out[line.ID] = f
		}
		f.did = append(f.did, fmt.Sprintf("%s %s at %s (told %v)", line.Change, line.Action, line.Time.Format(time.TimeOnly), taken[line.N]))
		if taken[line.N] {
			f.toldSomething = true
			f.taken++
		}
		f.put = f.put || line.Change == "message.moved"
		f.toldMoved = f.toldMoved || taken[line.N] && line.Change == "message.moved"
		f.lost = f.lost || lost[line.N]
		switch line.Change {
		case "message.created":
			f.came, f.as, f.toldCame = line.Time, line.Action, taken[line.N]
		case "message.deleted":
			f.gone = line.Time
		}
	}
	return out
}

// accounts holds the stream against what truly happened since line n: what came and what went is an event, once each;
// every message is held as it is; and what is not an event is counted, or lies in a gap that says so.
func (b *subject) accounts(n int) account {
	b.Helper()
	var a account
	watched, kept := b.watching(), b.kept()
	fates := b.fates(n, watched)
	boxes, moved := map[string]bool{}, 0 // moved: of which nobody can say whether they came, or were there before
	for id, f := range fates {
		boxes[f.box] = true
		m := kept[id]
		a.Acked += f.taken
		if m.state != "" || len(m.actions) > 0 {
			a.Stored += f.taken
		}
		if m.came > 1 || m.gone > 1 {
			a.Twice++
		}
		if !f.came.IsZero() {
			a.Came++
			switch {
			case m.came == 1 && m.as != f.as && f.as != "drafted" && !f.put:
				a.lack("%s is said to be %s, and did %v; events %v", id, m.as, f.did, m.actions)
			case m.came == 1:
				a.Told++
			case m.came > 1 || f.gone.IsZero():
				a.lack("%d events say that %s came, which did %v; events %v, held as %q", m.came, id, f.did, m.actions, m.state)
			case f.toldCame:
				a.Unseen++
			case f.toldSomething:
				a.Ends++
				if f.toldMoved {
					moved++
				}
			default:
				a.Unknown++
				within := func(g span) bool {
					return !f.came.Before(g.began.Add(-10*time.Minute)) && !f.gone.After(g.ended.Add(10*time.Minute))
				}
				if !f.lost && !slices.ContainsFunc(watched[f.box], within) {
					a.lack("%s did %v, and no gap of %s says that something is not known: %v", id, f.did, f.box, watched[f.box])
				}
			}
		}
		if !f.gone.IsZero() {
			switch {
			case m.gone == 1 && m.state == "gone":
				a.Gone++
				if f.came.IsZero() && f.toldMoved && len(m.actions) == 1 {
					moved++
				}
			case m.gone > 0 || m.state != "" || f.toldSomething:
				a.lack("%d events say that %s ended, which did %v; events %v, held as %q", m.gone, id, f.did, m.actions, m.state)
			}
		}
	}
	b.states(&a, boxes, kept)
	if unseen := b.count(`select coalesce(sum(unseen), 0) from mail_ledger where tenant = $1`); unseen < a.Unseen || unseen > a.Unseen+moved {
		a.lack("%d are counted as having come and gone unseen, of %d, and %d that moved", unseen, a.Unseen, moved)
	} else {
		a.Ends -= min(a.Ends, unseen-a.Unseen)
		a.Unseen = unseen
	}
	return a
}

// states holds every message that is held against what it is.
func (b *subject) states(a *account, boxes map[string]bool, kept map[string]heldMessage) {
	b.Helper()
	is := map[string]string{}
	for box := range boxes {
		list, err := b.w.Messages(box)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range list {
			is[m.ID] = fmt.Sprint(m.Folder, m.IsRead, m.Flag)
		}
	}
	for id, m := range kept {
		if want, there := is[id]; m.state != "" && (there && m.state != want || !there && m.state != "gone") {
			a.lack("%s is held as %s, and is %q; events %v", id, m.state, want, m.actions)
		}
	}
}

// whole waits until the stream agrees with the truth, and holds the API's account against it.
func (l *life) whole() account {
	l.Helper()
	l.settle()
	var a account
	eventually(l.T, "the account", func() string {
		if a = l.accounts(l.since); len(a.lacks) > 0 {
			return fmt.Sprintf("%d differ, such as %s", len(a.lacks), a.lacks[0])
		}
		return l.open()
	})
	s, err := l.s.API.GetStream(as(l.Context(), api.Viewer), api.In{Tenant: l.tenant()})
	if err != nil {
		l.Fatal(err)
	}
	if s.State != "whole" || s.Gaps != 0 || s.Unseen != a.Unseen || s.Dead != 0 || s.Told != s.Mailboxes {
		l.Errorf("the API says %+v, and the truth is %+v", s, a)
	}
	l.metadataOnly()
	return a
}

// gaps are those that the API lists.
func (l *life) gaps() []api.Gap {
	l.Helper()
	in := api.ListIn{}
	in.Tenant, in.Limit = l.tenant(), 200
	page, err := l.s.API.ListGaps(as(l.Context(), api.Viewer), in)
	if err != nil {
		l.Fatal(err)
	}
	return page.Items
}

// because counts the gaps whose reason begins so, of as many mailboxes.
func (l *life) because(begins string) (boxes int, found int) {
	l.Helper()
	seen := map[tocsin.PersonID]bool{}
	for _, g := range l.gaps() {
		if strings.HasPrefix(g.Because, begins) {
			seen[g.Person] = true
			found += g.Found
			if g.Closed.IsZero() || g.Lost == "" || g.Ended.Before(g.Began) {
				l.Errorf("a gap reads %+v", g)
			}
		}
	}
	return len(seen), found
}

// calmly are settings under which only mail is seen to at once, and a clock that jumps makes no storm.
func calmly(t testing.TB) Config {
	c := pressed(t)
	c.Every.Roles, c.Every.Domains = time.Hour, time.Hour
	return c
}

// TestOutage: for five hours nobody is there, and Graph gives up after four. Gaps open, close by themselves, and say what
// nobody can tell any more.
func TestOutage(t *testing.T) {
	t.Parallel()
	w := world(t, 12)
	l := lives(t, calmly(t), w)
	l.mail(60)
	l.settle()
	l.sleep()
	asleep := l.clock.Now()
	for i := range 15 {
		l.mail(25)
		l.comeAndGo(i)
		l.pass(20 * time.Minute)
	}
	if d := w.Deliveries(); d.Dropped == 0 || d.Waiting == 0 {
		t.Fatalf("Graph gave nothing up, or everything: %+v", d)
	}
	awake := l.clock.Now()
	l.wake()
	l.mail(40)
	a := l.whole()
	if a.Unknown == 0 {
		t.Errorf("nothing was unknowable, which this is a test of: %+v", a)
	}
	// Whatever is seen first at the start (the outage, something left out, a subscription that is gone) names the gap: each mailbox has one.
	boxes, found := l.because("Tocsin could not be reached")
	_, more := l.because("Microsoft Graph left something out")
	covered := map[tocsin.PersonID]bool{}
	for _, g := range l.gaps() {
		if !g.Began.After(asleep) && g.Ended.After(awake.Add(-15*time.Minute)) {
			covered[g.Person] = true
		}
	}
	if all := len(l.watching()); boxes == 0 || len(covered) < all || found+more == 0 {
		t.Errorf("of %d mailboxes %d have a gap for the outage, of %d that it covers, in which %d and %d events were found", all, boxes, len(covered), found, more)
		for _, g := range l.gaps() {
			t.Logf("%+v", g)
		}
	}
	l.mail(40)
	if b := l.whole(); b.Unknown != a.Unknown {
		t.Errorf("%d are unknowable, of %d in the outage", b.Unknown, a.Unknown)
	}
	t.Logf("%+v", a)
}

// TestReadyIsSilent: whoever asks whether the server is ready learns no address.
func TestReadyIsSilent(t *testing.T) {
	for why, want := range map[string]string{
		"PostgreSQL at db.internal:5432 does not answer: connection refused.": "PostgreSQL does not answer.",
		"PostgreSQL at db does not let the user tocsin in.":                   "PostgreSQL does not answer.",
		"PostgreSQL does not answer.":                                         "PostgreSQL does not answer.",
		"PostgreSQL refuses: permission denied for database \"acme\".":        "It is not well; the log says why.",
		"The database file /var/lib/tocsin/x.db cannot be read.":              "It is not well; the log says why.",
		"The disk is full: the database cannot grow, and nothing was saved.":  "The disk is full: the database cannot grow, and nothing was saved.",
	} {
		if got := plainly(why); got != want {
			t.Errorf("%q reads %q", why, got)
		}
	}
}

// personOf is the person with that part of an address before the @; ownerOf the same part of whose mailbox holds a message.
func (l *life) personOf(who string) (id tocsin.PersonID) {
	l.Helper()
	err := l.s.Store.ViewTenant(l.Context(), l.tenant(), func(t *store.Tenant) error {
		return t.QueryRow(l.Context(), `select person from person where tenant = $1 and mail = $2`, who+"@"+l.w.Domain()).Scan(&id)
	})
	if err != nil {
		l.Fatal(err)
	}
	return id
}

func (l *life) ownerOf(message string) (who string) {
	l.Helper()
	err := l.s.Store.ViewTenant(l.Context(), l.tenant(), func(t *store.Tenant) error {
		return t.QueryRow(l.Context(), `select p.mail from mail m join person p on p.tenant = m.tenant and p.person = m.person where m.tenant = $1 and m.native = $2`, message).Scan(&who)
	})
	if err != nil {
		l.Fatal(err)
	}
	who, _, _ = strings.Cut(who, "@")
	return who
}
