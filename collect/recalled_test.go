package collect

import (
	"errors"
	"fmt"
	"testing"

	"tocsin.dev"
	"tocsin.dev/journal"
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
		b.exec(`insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, created) values ($1, 'c', '', '', '', '', '', 'on', 1)`)
		b.exec(`insert into stream_setting (tenant, connection, folders) values ($1, 'c', '["archive"]')`)
		is.places = false
		want("another folder is left out, of which it is not known which it is", amy, is, false)

		// What is done in another tenant does not matter here.
		b.exec(`delete from stream_setting where tenant = $1`)
		is.places = true
		want("no more", amy, is, false)
		if err := b.st.UpdateTenant(b.Context(), "22222222-2222-4333-8444-555555555555", func(t *store.Tenant) error {
			_, err := t.Exec(b.Context(), `insert into parked (tenant, id, kind, subject, body, because, at, retry, person) values ($1, 'x', 'notified', '', '{}', '', 1, 1, 'x')`)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		want("something is parked elsewhere", amy, is, true)
	})
}

// TestFoldRecalls: what the fold keeps of people, addresses, folders and acts of ours is forgotten when they are changed; what was
// read in a transaction that was not committed, is not kept. All tests of a bed fold with one Fold (TestMailMeaning has the rules).
func TestFoldRecalls(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		n := 0
		come := func(change func(*mailSeen)) (id string) {
			n++
			id = fmt.Sprintf("m%d", n)
			at := int64(5_000 * n)
			m := &mailSeen{ID: id, Folder: "I", From: tocsin.Address{Address: "eve@evil.example"}, To: []tocsin.Address{{Address: "amy@x.example"}}, Counts: [3]int{1, 0, 0}, Modified: at, Received: at, Flag: "notFlagged"}
			if change != nil {
				change(m)
			}
			b.fold(b.item(kindMail, amy, mailLooks{Looks: []mailLook{{ID: id, Change: "created", At: at, Message: m}}}))
			return id
		}
		told := func(what, id string, actions ...string) {
			b.Helper()
			b.want(what, `select action from event where tenant = $1 and type = 'EMAIL' and body like '"`+id+`"%' order by action`, actions...)
		}
		says := func(what, id, text string, want string) {
			b.Helper()
			b.want(what, `select count(*) from event where tenant = $1 and type = 'EMAIL' and body like '"`+id+`"%' and body like '%"`+text+`"%'`, want)
		}
		b.exec(`insert into mail_ledger (tenant, person, folders) values ($1, $2, '{"I":"inbox"}')`, string(amy))
		come(nil)
		told("from outside", come(nil), "email_received")

		eve := tocsin.NewPersonID(acme, "object-eve")
		says("somebody unknown", come(nil), string(eve), "0")
		b.exec(`insert into person_address (tenant, person, address) values ($1, $2, 'eve@evil.example')`, string(eve))
		says("somebody known", come(nil), string(eve), "1")

		for _, name := range []string{"Invoices", "Bills"} {
			b.exec(`insert into mail_folder (tenant, person, id, name, seen) values ($1, $2, 'F', $3, 1) on conflict (tenant, id, person) do update set name = excluded.name`, string(amy), name)
			says("the folder as it is called", come(func(m *mailSeen) { m.Folder = "F" }), name, "1")
		}

		read := func(id string) {
			at := int64(5_000*n + 1_000)
			b.fold(b.item(kindMail, amy, mailLooks{Looks: []mailLook{{ID: id, Change: "updated", At: at, Message: &mailSeen{ID: id, Folder: "I", Read: true, From: tocsin.Address{Address: "eve@evil.example"}, Modified: at, Received: at, Flag: "notFlagged"}}}}))
		}
		id := come(nil)
		if err := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
			return Expect(b.Context(), t, Echo{Person: amy, Object: id, Changes: []string{"email_read"}, Act: "act-1", From: 1, Until: 1 << 50})
		}); err != nil {
			b.Fatal(err)
		}
		read(id)
		says("what we did", id, "act-1", "1")

		// The transaction removes her, tells of mail, and is not committed: she is there for the next. What was known of her before
		// is not any more, so that she is looked for in it.
		b.exec(`update person set title = 'x' where tenant = $1 and person = $2`, string(amy))
		stays := errors.New("it is not committed")
		gone := []journal.Item{b.item(kindMail, amy, mailLooks{Looks: []mailLook{{ID: "never", Change: "created", At: 1, Message: &mailSeen{ID: "never", Folder: "I", Flag: "notFlagged"}}}})}
		if err := b.st.Update(b.Context(), func(tx *store.Tx) error {
			if _, err := tx.Tenant(acme).Exec(b.Context(), `delete from person where tenant = $1 and person = $2`, string(amy)); err != nil {
				return err
			}
			return errors.Join(b.by.Step(b.Context(), tx, gone), stays)
		}); !errors.Is(err, stays) {
			b.Fatal(err)
		}
		told("after what was taken back", come(nil), "email_received")
		b.exec(`update person set mail = 'new@x.example' where tenant = $1 and person = $2`, string(amy))
		says("her address now", come(nil), "new@x.example", "1")
	})
}

// TestMemo: what was not found to its end is not known, whether finding failed or panicked, though nobody changed anything.
func TestMemo(t *testing.T) {
	onBoth(t, func(b *bed) {
		var m memo[string, string]
		asked := 0
		read := func(find func(has map[string]string) error, keys ...string) (err error) {
			if up := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
				defer func() {
					if p := recover(); p != nil {
						err = fmt.Errorf("%v", p)
					}
				}()
				err = m.read(b.Context(), t, "mail_folder", keys, func(lacking []string) error {
					asked += len(lacking)
					return find(m.has)
				})
				return nil
			}); up != nil {
				b.Fatal(up)
			}
			return err
		}
		all := func(has map[string]string) error { has["a"], has["b"] = "A", "B"; return nil }
		for _, c := range []struct {
			what string
			find func(has map[string]string) error
		}{
			{"it fails", func(has map[string]string) error { has["a"] = "A"; return errors.New("no") }},
			{"it panics", func(has map[string]string) error { has["a"] = "A"; panic("no") }},
		} {
			m = memo[string, string]{}
			if err := read(func(map[string]string) error { return nil }, "another"); err != nil {
				b.Fatal(err)
			}
			asked = 0
			if err := read(c.find, "a", "b"); err == nil || asked != 2 {
				b.Fatalf("%s: %v, asked for %d", c.what, err, asked)
			}
			if err := read(all, "a", "b"); err != nil || asked != 4 || m.has["b"] != "B" {
				b.Errorf("after %s: %v, asked for %d: %v", c.what, err, asked, m.has)
			}
			again := 4
			if b.st.Kind() != "sqlite" {
				again = 6
			}
			if err := read(all, "a", "b"); err != nil || asked != again || m.has["a"] != "A" {
				b.Errorf("the third time after %s: %v, asked for %d: %v", c.what, err, asked, m.has)
			}
		}
	})
}
