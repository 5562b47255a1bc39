package collect

import (
	"testing"

	"tocsin.dev"
	"tocsin.dev/store"
)

// TestOpenerRecalls: what is kept of mailboxes is what the tables say, whatever is changed in them and by whomever; on PostgreSQL, where
// others write too, nothing is kept.
func TestOpenerRecalls(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob")
		amy, bob := people[0], people[1]
		b.exec(`insert into mail_ledger (tenant, person, folders) values ($1, $2, '{"I":"inbox"}'), ($1, $3, '{}')`, string(amy), string(bob))
		b.exec(`insert into subscription (tenant, person, connection) values ($1, $2, 'c')`, string(amy))
		o := &Opener{Store: b.st}
		type seen struct {
			object                       string
			watched, places, rich, waits bool
		}
		look := func(person tocsin.PersonID) (is seen, known bool) {
			b.Helper()
			box := &openBox{person: person, byID: map[string]int{}, tries: map[string]int64{}}
			open := &opening{o: o, tenant: acme, boxes: map[tocsin.PersonID]*openBox{person: box}, order: []*openBox{box}, now: b.st.Clock().Now()}
			if err := open.held(b.Context()); err != nil {
				b.Fatal(err)
			}
			return seen{box.object, box.watched, box.places, box.rich, box.waits}, box.known
		}
		keeps := b.st.Kind() == "sqlite"
		want := func(what string, person tocsin.PersonID, want seen, known bool) {
			b.Helper()
			if is, was := look(person); is != want || was != (known && keeps) {
				b.Errorf("%s: %+v, known %v; want %+v, %v", what, is, was, want, known && keeps)
			}
		}
		is := seen{object: "amy@x.example", watched: true, places: true}
		is.object, _ = func() (string, bool) { s, known := look(amy); return s.object, known }()
		want("the second time", amy, is, true)
		none, _ := look(bob)
		want("of whom the folders are to be asked for", bob, none, false)
		for _, c := range []struct {
			what, q string
			is      func(*seen)
		}{
			{"it cannot be read", `update person set mailbox = 'refused' where tenant = $1 and person = $2`, func(s *seen) { s.watched = false }},
			{"it can again", `update person set mailbox = 'read' where tenant = $1 and person = $2`, func(s *seen) { s.watched = true }},
			{"Graph sends what changed", `update subscription set made = 'rich' where tenant = $1 and person = $2`, func(s *seen) { s.rich = true }},
			{"something is parked", `insert into parked (tenant, id, kind, subject, body, because, at, retry, person) values ($1, $2, 'notified', '', '{"id":"m"}', '', 1, 99999999999999, $2)`, func(s *seen) { s.waits = true }},
			{"nothing is any more", `delete from parked where tenant = $1 and person = $2`, func(s *seen) { s.waits = false }},
			{"it is removed", `update person set deleted = 1 where tenant = $1 and person = $2`, func(s *seen) { s.watched = false }},
		} {
			b.exec(c.q, string(amy))
			c.is(&is)
			want(c.what, amy, is, false)
			want(c.what+", the second time", amy, is, !is.waits)
		}
		b.exec(`update person set name = 'x' where tenant = $1 and person = 'nobody'`)
		want("nothing was changed", amy, is, true)
	})
}

// TestFoldRecalls: what the fold keeps of people, addresses, folders, rules and acts of ours is forgotten when they are changed, and what
// was read in a transaction that is not committed is not kept.
func TestFoldRecalls(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		seen := func(id, folder, from, to string, at int64) mailLooks {
			return mailLooks{Looks: []mailLook{{ID: id, Change: "created", At: at, Message: &mailSeen{ID: id, Folder: folder, From: tocsin.Address{Address: from}, To: []tocsin.Address{{Address: to}}, Counts: [3]int{1, 0, 0}, Modified: at, Received: at, Flag: "notFlagged"}}}}
		}
		told := func(what, id string, want string) {
			b.Helper()
			b.want(what, `select action from event where tenant = $1 and type = 'EMAIL' and body like '"`+id+`"%'`, want)
		}
		b.exec(`insert into mail_ledger (tenant, person, folders) values ($1, $2, '{"I":"inbox"}')`, string(amy))
		b.fold(b.item(kindMail, amy, seen("m1", "I", "eve@evil.example", "amy@x.example", 5_000)))
		b.fold(b.item(kindMail, amy, seen("m2", "I", "eve@evil.example", "amy@x.example", 6_000)))
		told("from outside", "m2", "email_received")

		// An address of hers that comes later makes what is from it sent by her.
		b.exec(`update person set addresses = '["smtp:eve@evil.example"]' where tenant = $1 and person = $2`, string(amy))
		b.fold(b.item(kindMail, amy, seen("m3", "S", "eve@evil.example", "joe@x.example", 7_000)))
		told("from her own address", "m3", "email_sent")

		// A folder is called as it is called now.
		name := func(is string) {
			if err := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
				return t.Insert(b.Context(), store.Into{Table: "mail_folder", Key: []string{"id", "person"}, Columns: []string{"person", "id", "name", "seen"}}, [][]any{{string(amy), "F", is, 1}})
			}); err != nil {
				b.Fatal(err)
			}
		}
		for at, is := range []string{"Invoices", "Bills"} {
			name(is)
			id := "f" + is
			b.fold(b.item(kindMail, amy, seen(id, "F", "joe@x.example", "amy@x.example", int64(8_000+at))))
			b.want("the folder", `select count(*) from event where tenant = $1 and body like '"`+id+`"%' and body like '%"`+is+`"%'`, "1")
		}
	})
}
