package collect

import (
	"errors"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
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

		j, err := journal.Open(b.Context(), journal.Config{Dir: b.TempDir()})
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

// TestOldIsNotReceivedAgain: of a message whose row is no longer kept a first look says only that it changed.
func TestOldIsNotReceivedAgain(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("Amy")[0]
		now := b.st.Clock().Now()
		ago := func(days int) int64 { return tocsin.Millis(now.AddDate(0, 0, -days)) }
		b.exec(`insert into mail_ledger (tenant, person, since) values ($1, $2, $3)`, string(amy), ago(300))
		look := func(id, change string, days int) {
			m := &mailSeen{ID: id, Folder: "F", Modified: ago(1), Received: ago(days), Created: ago(days)}
			b.fold(b.item(kindMail, amy, mailLooks{Looks: []mailLook{{ID: id, Change: change, At: ago(0), Message: m}}}))
		}
		look("kept", "updated", 80)
		look("trimmed", "updated", 100)
		look("moved", "created", 100) // which Graph may call created
		look("before", "created", 400)
		const actions = `select m.native, e.action from event e join mail m on m.tenant = e.tenant and e.body like '%"platform_event_id":"' || m.native || '"%' where e.tenant = $1 order by 1`
		b.want("what happened", actions, "before email_received", "kept email_received", "moved email_updated", "trimmed email_updated")
		if err := b.st.Update(b.Context(), func(tx *store.Tx) error { return tx.SetRetention(b.Context(), "message_states", 365) }); err != nil {
			b.Fatal(err)
		}
		look("longer", "updated", 100)
		b.want("where they are kept longer", actions, "before email_received", "kept email_received", "longer email_received", "moved email_updated", "trimmed email_updated")
	})
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
