package collect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// TestLateLooks: what stood in a list when it was read, or was given up and comes again, is not taken for how a message is where
// it may be older than what is held: the message is looked at.
func TestLateLooks(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("Amy")[0]
		seen := func(modified int64, read bool) *mailSeen {
			return &mailSeen{ID: "m1", Folder: "F", Modified: modified, Received: 5_000, Created: 5_000, Read: read}
		}
		const events, held = `select action from event where tenant = $1 and type = 'EMAIL' order by at, action`, `select is_read, deleted > 0 from mail where tenant = $1`
		listed := func(l ...mailLook) journal.Item {
			return b.item(kindMail, amy, mailLooks{Gap: &mailSpan{Began: 1, Ended: 2, Because: "x"}, Looks: l})
		}
		b.fold(b.item(kindMail, amy, mailLooks{Looks: []mailLook{{ID: "m1", Change: "created", At: 9_000, Message: seen(5_000, false)}, {ID: "m1", Change: "deleted", At: 9_001}}}))
		old := mailLook{ID: "m1", Change: "updated", At: 8_999, Message: seen(5_000, false)}
		b.fold(listed(old))
		b.want("what is gone stays gone", held, "0 1")
		b.want("no event", events, "email_received", "email_deleted")
		b.want("nothing was found", `select count(*) from mail_gap where tenant = $1`, "0")
		b.want("it is looked at", `select because from parked where tenant = $1`, "How it was found may be older than what is known.")
		b.fold(b.item(kindMail, amy, mailLooks{Looks: []mailLook{{ID: "m1", Change: "updated", At: 9_002, Waited: true}}}))
		b.want("it was gone", held, "0 1")
		b.want("nothing waits", `select count(*) from parked where tenant = $1`, "0")

		j, err := journal.Open(b.Context(), journal.Config{Dir: b.TempDir(), Patience: time.Minute})
		if err != nil {
			b.Fatal(err)
		}
		defer j.Close()
		letter := b.item(kindMail, amy, mailLooks{Looks: []mailLook{old}})
		whole, err := encode(letter)
		if err != nil {
			b.Fatal(err)
		}
		if err := Replay(b.Context(), j, 9_003, b.tenant, kindMail, "", whole); err != nil {
			b.Fatal(err)
		}
		for e, err := range j.Read(b.Context(), j.Partition(b.tenant, amy), journal.Position{}) {
			if err != nil {
				b.Fatal(err)
			}
			b.fold(e.Item)
			break
		}
		b.want("after it was given up", held, "0 1")
		b.want("it is looked at again", `select count(*) from parked where tenant = $1`, "1")
		b.exec(`delete from parked where tenant = $1`)

		b.fold(listed(mailLook{ID: "m1", Change: "deleted", At: 9_004}))
		b.want("an end needs no look", `select count(*) from parked where tenant = $1`, "0")
		b.want("the end is told once", events, "email_received", "email_deleted")
	})
}

// TestOldIsNotReceivedAgain: of a message whose row is no longer kept, or that came before its mailbox was watched, a first look
// says only that it changed; or that it was moved, where Graph said that it was deleted and created.
func TestOldIsNotReceivedAgain(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("Amy")[0]
		now := b.st.Clock().Now()
		ago := func(days int) int64 { return tocsin.Millis(now.AddDate(0, 0, -days)) }
		b.exec(`insert into mail_ledger (tenant, person, since) values ($1, $2, $3)`, string(amy), ago(300))
		look := func(id, change string, days int) {
			m := &mailSeen{ID: id, Folder: "F", Modified: ago(1), Received: ago(days), Created: ago(days)}
			b.fold(b.item(kindMail, amy, mailLooks{Looks: []mailLook{{ID: id, Change: strings.TrimPrefix(change, "deleted and "), Moved: strings.HasPrefix(change, "deleted and "), At: ago(0), Message: m}}}))
		}
		look("kept", "updated", 80)
		look("trimmed", "updated", 100)
		look("moved", "created", 100) // which Graph may call created
		look("before", "created", 400)
		look("put away", "deleted and created", 400)
		look("put away, came since", "deleted and created", 80)
		const actions = `select m.native, e.action from event e join mail m on m.tenant = e.tenant and e.body like '"' || m.native || '"%' where e.tenant = $1 order by 1`
		b.want("what happened", actions, "before email_updated", "kept email_received", "moved email_updated", "put away email_moved", "put away, came since email_received", "trimmed email_updated")
		if err := b.st.Update(b.Context(), func(tx *store.Tx) error { return tx.SetRetention(b.Context(), "message_states", 365) }); err != nil {
			b.Fatal(err)
		}
		look("longer", "updated", 100)
		b.want("where they are kept longer", actions, "before email_updated", "kept email_received", "longer email_received", "moved email_updated", "put away email_moved", "put away, came since email_received", "trimmed email_updated")
	})
}

// TestPutAway: what Graph tells as an end and a coming, in whatever order and however often, is a move; and only that.
func TestPutAway(t *testing.T) {
	for told, want := range map[string]bool{"deleted created": true, "created deleted": true, "deleted updated created": true, "deleted deleted created updated": true,
		"created": false, "created updated created": false, "deleted deleted": false, "updated deleted": false} {
		b := openBox{byID: map[string]int{}}
		for _, change := range strings.Fields(told) {
			b.want(mailLook{ID: "m", Change: change, Named: 1})
		}
		if len(b.looks) != 1 || b.looks[0].Moved != want {
			t.Errorf("%s: %+v", told, b.looks)
		}
	}
}

// TestGoneIsSaidByExchange: a 404 that is not Exchange's about the message is no end of it: it is looked at again.
func TestGoneIsSaidByExchange(t *testing.T) {
	for code, gone := range map[string]bool{"ErrorItemNotFound": true, "errorItemNotFound": true, "": false, "UnknownError": false, "Request_ResourceNotFound": false, "ResourceNotFound": false, "ErrorInvalidUser": false} {
		err := error(&graph.NotFound{Code: code})
		box := &openBox{}
		o := &opening{now: time.Unix(1_000, 0)}
		o.answer(question{box: box, look: &mailLook{ID: "m1", Change: "updated"}}, graph.Result{Err: err})
		if messageGone(err) != gone || len(box.out.Looks) == 1 != gone || len(box.out.Parked) == 0 != gone {
			t.Errorf("%q: looked %d, waits %d", code, len(box.out.Looks), len(box.out.Parked))
		}
	}
	if messageGone(errors.New("other")) {
		t.Error("another error is an end")
	}
}

// readable makes a person's mailbox one that is read and told of since a time.
func (b *bed) readable(since int64, people ...tocsin.PersonID) {
	b.Helper()
	for _, p := range people {
		b.exec(`update person set mailbox = 'read' where tenant = $1 and person = $2`, string(p))
		b.exec(`insert into mail_ledger (tenant, person, since) values ($1, $2, $3)`, string(p), since)
	}
}

// TestGapsKeepNobodyWaiting: a gap that cannot be closed waits longer with every try, while others are closed; that of a mailbox
// that cannot be read any more is closed as such; and one is closed only behind what was found.
func TestGapsKeepNobodyWaiting(t *testing.T) {
	inBoth(t, 8, "", func(f *field) {
		f.c.Webhook.URL = "https://x.example/hook"
		f.ask("users")
		people := f.rows(`select p.person from person p where p.tenant = $1 and p.kind <> 'guest' and p.licensed = true and p.enabled = true and p.deleted = 0 order by p.person limit 4`)
		if len(people) < 4 {
			t.Fatalf("%d people", len(people))
		}
		now := tocsin.Millis(f.st.Clock().Now())
		for i, p := range people {
			f.readable(now-24*hour, tocsin.PersonID(p))
			f.exec(`insert into mail_gap (tenant, person, began, ended, because) values ($1, $2, $3, $4, 'x')`, p, now-10*hour+int64(i), now-9*hour)
		}
		f.exec(`update person set mailbox = 'out_of_scope' where tenant = $1 and person = $2`, people[0])
		f.exec(`update person set deleted = 1 where tenant = $1 and person = $2`, people[1])
		broken := f.rows(`select object_id from person where tenant = $1 and person = $2`, people[2])[0]
		if err := f.w.Fault(sim.Fault{Kind: sim.Broken, Path: "/users/" + broken + "/messages"}); err != nil {
			t.Fatal(err)
		}
		const gaps = `select person, closed > 0, tries, due > 0, trouble <> '', lost from mail_gap where tenant = $1 order by began`
		f.ask("catch_up")
		if got := f.rows(`select because from source where tenant = $1 and name = 'catch_up'`); len(got) != 1 || got[0] == "" {
			t.Errorf("the source says %q", got)
		}
		f.want("gaps", gaps, people[0]+" 1 0 0 0 "+notReadable, people[1]+" 1 0 0 0 "+nothingToRead, people[2]+" 0 1 1 1 ", people[3]+" 1 0 0 0 "+lostForGood)
		f.want("what is checked", `select person from mail_ledger where tenant = $1 and checked > 0`, people[3])
		asked := f.calls("/messages")
		f.ask("catch_up")
		if n := f.calls("/messages"); n != asked {
			t.Errorf("what is not due was asked for %d times", n-asked)
		}
		if is, err := (func() (out StreamCount, err error) {
			return out, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) (err error) { out, err = countStream(f.Context(), t); return err })
		})(); err != nil || is.Open != 1 || is.Vain == "" {
			t.Errorf("it is said %d %q, %v", is.Open, is.Vain, err)
		}
		f.w.Heal()
		f.st.Clock().Advance(time.Hour)
		f.ask("catch_up")
		f.want("it is closed", gaps, people[0]+" 1 0 0 0 "+notReadable, people[1]+" 1 0 0 0 "+nothingToRead, people[2]+" 1 1 1 0 "+lostForGood, people[3]+" 1 0 0 0 "+lostForGood)
	})
}

// TestClosedBehindWhatWasFound: until what was found is folded a gap is open, and nothing counts as looked through.
func TestClosedBehindWhatWasFound(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("Amy")[0]
		b.readable(1_000, amy)
		b.exec(`insert into mail_gap (tenant, person, began, ended, because) values ($1, $2, 2000, 3000, 'x')`, string(amy))
		is := b.item(kindMail, amy, mailLooks{Gap: &mailSpan{Began: 2_000, Ended: 3_000, Because: "x"}, Close: &closing{Began: 2_000, Ended: 3_000, Lost: "y", Checked: 4_000}})
		b.same("facts", b.since(func() { b.fold(is) }), "gap.closed "+string(amy))
		b.want("closed", `select closed > 0, lost from mail_gap where tenant = $1`, "1 y")
		b.want("until when all is known", `select checked from mail_ledger where tenant = $1`, "4000")
		b.exec(`update mail_gap set closed = 0, ended = 5000 where tenant = $1`)
		b.same("one that has grown", b.since(func() { b.fold(is) }))
		b.want("stays open", `select closed from mail_gap where tenant = $1`, "0")
	})
}

// TestOutageOf: of an outage those mailboxes have a gap that may have missed something and can be read, in one fact.
func TestOutageOf(t *testing.T) {
	onBoth(t, func(b *bed) {
		names := make([]string, outageAtOnce+5)
		for i := range names {
			names[i] = "p" + strconv.Itoa(i)
		}
		people := b.settle(names...)
		b.readable(1_000, people...)
		b.exec(`update person set mailbox = 'out_of_scope' where tenant = $1 and person = $2`, string(people[0]))
		b.exec(`update person set deleted = 1 where tenant = $1 and person = $2`, string(people[1]))
		out := func(which func(tocsin.TenantID, tocsin.PersonID) bool) []string {
			return b.since(func() {
				if err := b.st.Update(b.Context(), func(tx *store.Tx) error {
					return Outage(b.Context(), tx, time.UnixMilli(5_000), time.UnixMilli(9_000), "x", which)
				}); err != nil {
					b.Fatal(err)
				}
			})
		}
		b.same("facts of one", out(func(_ tocsin.TenantID, p tocsin.PersonID) bool { return p == people[2] }), "gap.opened")
		b.want("of one", `select person, began, ended from mail_gap where tenant = $1`, string(people[2])+" 1000 9000")
		b.same("facts of all", out(nil), "gap.opened")
		b.want("of all", `select count(*), min(began), max(ended) from mail_gap where tenant = $1 and closed = 0`, fmt.Sprint(len(people)-2, " 1000 9000"))
	})
}

// TestLeftOutIsNotUnderWay: what changed in the last minutes may still be told: reconciling blames nobody for it, and finds it later.
func TestLeftOutIsNotUnderWay(t *testing.T) {
	inBoth(t, 8, "", func(f *field) {
		f.c.Webhook.URL = "https://x.example/hook"
		f.ask("users")
		p := tocsin.PersonID(f.rows(`select p.person from person p where p.tenant = $1 and p.kind <> 'guest' and p.licensed = true and p.enabled = true and p.deleted = 0 order by p.person limit 1`)[0])
		now := tocsin.Millis(f.st.Clock().Now())
		f.readable(now-48*hour, p)
		// One that is held, and gone from the mailbox.
		gone := &mailSeen{ID: "AAMkADgone", Folder: "I", Modified: now - 30*hour, Received: now - 30*hour, Created: now - 30*hour}
		f.fold(f.item(kindMail, p, mailLooks{Looks: []mailLook{{ID: gone.ID, Change: "created", At: now, Message: gone}}}))
		c, ends := &f.c.missing, `select count(*) from event where tenant = $1 and action = 'email_deleted'`
		f.ask("reconcile")
		f.want("its end may be under way", ends, "0")
		f.want("it is looked again", `select checked from mail_ledger where tenant = $1`, "0")
		if c.long(p, gone.ID, now-1) || !c.long(p, gone.ID, now+hour) {
			t.Error("it is not known since when it is missing")
		}
		f.st.Clock().Advance(time.Hour)
		f.ask("reconcile")
		f.want("it is gone", ends, "1")
		f.want("it was left out", `select found > 0 from mail_gap where tenant = $1`, "1")
		if got := f.rows(`select 1 from mail_ledger where tenant = $1 and checked > $2 and checked <= $3`, now, tocsin.Millis(f.st.Clock().Now())-underWay.Milliseconds()); len(got) != 1 {
			t.Errorf("until when all is known: %q", f.rows(`select checked from mail_ledger where tenant = $1`))
		}
	})
}
