package collect

import (
	"context"
	"testing"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// TestForwardedBy: a rule forwarded a message only where that is certain.
func TestForwardedBy(t *testing.T) {
	mine := func(a string) bool { return a == "amy@x.example" }
	amy, bob, eve := tocsin.Address{Address: "Amy@x.example"}, tocsin.Address{Address: "bob@x.example"}, tocsin.Address{Address: "Eve@Evil.example"}
	attached, bare := true, false
	mail := func(change func(*mailSeen)) *mailSeen {
		m := &mailSeen{ID: "1", Folder: "I", From: eve, To: []tocsin.Address{amy}, Counts: [3]int{1, 0, 0}, Importance: "normal", Received: 5_000, Attachments: &bare}
		if change != nil {
			change(m)
		}
		return m
	}
	term := func(name string, values ...string) tocsin.Term { return tocsin.Term{Name: name, Values: values} }
	to := func(id string, terms ...tocsin.Term) standingRule {
		return standingRule{MailRule: tocsin.MailRule{ID: id, Enabled: true, Conditions: terms, Forward: []tocsin.Address{bob}}, since: 1_000}
	}
	rule := func(change func(*standingRule)) standingRule {
		r := to("r")
		change(&r)
		return r
	}
	for _, c := range []struct {
		name  string
		rules []standingRule
		is    *mailSeen
		want  string
	}{
		{"all of it", []standingRule{to("r")}, mail(nil), "r"},
		{"to an address as an attachment", []standingRule{rule(func(r *standingRule) { r.Attach, r.Forward = r.Forward, nil })}, mail(nil), "r"},
		{"none that sends on", []standingRule{rule(func(r *standingRule) { r.Forward, r.Delete = nil, true })}, mail(nil), ""},
		{"by who wrote it", []standingRule{to("r", term("from_addresses", "eve@evil.example"))}, mail(nil), "r"},
		{"by who did not", []standingRule{to("r", term("from_addresses", "bob@x.example"))}, mail(nil), ""},
		{"by what is not kept", []standingRule{to("r", term("subject_contains", "e"))}, mail(nil), ""},
		{"sent to me", []standingRule{to("r", term("sent_to_me", "true"))}, mail(nil), "r"},
		{"sent to others", []standingRule{to("r", term("sent_to_me", "true"))}, mail(func(m *mailSeen) { m.To = []tocsin.Address{bob} }), ""},
		{"sent to so many that nobody kept them all", []standingRule{to("r", term("not_sent_to_me", "true"))}, mail(func(m *mailSeen) { m.To, m.Counts[0] = []tocsin.Address{bob}, 60 }), ""},
		{"not sent to me", []standingRule{to("r", term("not_sent_to_me", "true"))}, mail(func(m *mailSeen) { m.To = []tocsin.Address{bob} }), "r"},
		{"a copy to me", []standingRule{to("r", term("sent_to_or_cc_me", "true"))}, mail(func(m *mailSeen) { m.To, m.Cc, m.Counts[1] = []tocsin.Address{bob}, []tocsin.Address{amy}, 1 }), "r"},
		{"to me alone", []standingRule{to("r", term("sent_only_to_me", "true"))}, mail(nil), "r"},
		{"to me and others", []standingRule{to("r", term("sent_only_to_me", "true"))}, mail(func(m *mailSeen) { m.To, m.Counts[0] = append(m.To, bob), 2 }), ""},
		{"with an attachment", []standingRule{to("r", term("has_attachments", "true"))}, mail(func(m *mailSeen) { m.Attachments = &attached }), "r"},
		{"with none that Graph counts", []standingRule{to("r", term("has_attachments", "true"))}, mail(nil), ""},
		{"important", []standingRule{to("r", term("importance", "high"))}, mail(func(m *mailSeen) { m.Importance = "high" }), "r"},
		{"excepted", []standingRule{rule(func(r *standingRule) { r.Exceptions = []tocsin.Term{term("sent_to_me", "true")} })}, mail(nil), ""},
		{"excepted perhaps", []standingRule{rule(func(r *standingRule) { r.Exceptions = []tocsin.Term{term("body_contains", "x")} })}, mail(nil), ""},
		{"an exception that does not hold", []standingRule{rule(func(r *standingRule) { r.Exceptions = []tocsin.Term{term("from_addresses", "bob@x.example")} })}, mail(nil), "r"},
		{"behind one that stops", []standingRule{rule(func(r *standingRule) { r.ID, r.Forward, r.Stop = "s", nil, true }), to("r")}, mail(nil), ""},
		{"behind one that may stop", []standingRule{rule(func(r *standingRule) {
			r.ID, r.Forward, r.Stop, r.Conditions = "s", nil, true, []tocsin.Term{term("subject_contains", "x")}
		}), to("r")}, mail(nil), ""},
		{"behind one that does not take it", []standingRule{rule(func(r *standingRule) {
			r.ID, r.Stop, r.Conditions = "s", true, []tocsin.Term{term("from_addresses", "bob@x.example")}
		}), to("r")}, mail(nil), "r"},
		{"made after it came", []standingRule{rule(func(r *standingRule) { r.since = 6_000 })}, mail(nil), ""},
		{"in error", []standingRule{rule(func(r *standingRule) { r.HasError = true })}, mail(nil), ""},
		{"with something nobody knows", []standingRule{rule(func(r *standingRule) { r.Unknown = []string{"x"} })}, mail(nil), ""},
	} {
		got := ""
		for _, id := range forwardedBy(c.rules, c.is, mine) {
			got += id
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestMailMeaning: a reply, a forward and a rule that forwards are told, once each, whichever way they are noticed; and
// what we did ourselves is marked as ours, once.
func TestMailMeaning(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.exec(`insert into mail_ledger (tenant, person, since) values ($1, $2, 1)`, string(amy))
		b.exec(`insert into mail_folder (tenant, id, person, name, known, seen) values ($1, 'I', $2, 'Posteingang', 'inbox', 1), ($1, 'P', $2, 'Projects', '', 1)`, string(amy))
		now := tocsin.Millis(b.st.Clock().Now())
		m := mailSeen{ID: "m1", Folder: "I", From: tocsin.Address{Address: "eve@evil.example"}, To: []tocsin.Address{{Address: "amy@x.example"}}, Counts: [3]int{1, 0, 0}, Modified: now, Received: now, Created: now}
		at := now
		look := func(change func(*mailSeen)) mailLook {
			at += 1_000
			m.Modified = at
			change(&m)
			seen := m
			return mailLook{ID: m.ID, Change: "updated", At: at, Message: &seen}
		}
		fold := func(gap *mailSpan, looks ...mailLook) {
			b.fold(b.item(kindMail, amy, mailLooks{Looks: looks, Gap: gap}))
		}
		told := func(what string, want ...string) {
			b.Helper()
			b.want(what, `select action from event where tenant = $1 and type = 'EMAIL' order by at, action`, want...)
			b.exec(`delete from event where tenant = $1`)
		}

		fold(nil, look(func(*mailSeen) {}))
		told("it came", "email_received")
		replied := look(func(m *mailSeen) { m.Verb, m.VerbAt = graph.Replied, at })
		fold(nil, replied)
		b.want("well-known folders in every language", `select count(*) from event where tenant = $1 and action = 'email_replied' and body like '%"inbox"`+"\n"+`"Posteingang"%'`, "1")
		told("a reply", "email_replied")
		fold(nil, replied)
		fold(&mailSpan{Began: 1, Ended: 2, Because: "x"}, replied)
		told("the same by catching up")
		fold(nil, look(func(m *mailSeen) { m.Verb, m.VerbAt = 0, 0 }))
		told("a look that does not show it")
		fold(nil, look(func(m *mailSeen) { m.Verb, m.VerbAt = graph.Forwarded, at }))
		told("a forward", "email_forwarded")

		all := forwards("r1", "All", "bob@x.example")
		all.Conditions = nil
		b.rules(amy, all)
		m = mailSeen{ID: "m2", Folder: "I", From: m.From, To: m.To, Counts: m.Counts, Created: now, Received: at + 3_600_000}
		fold(nil, look(func(*mailSeen) {}))
		b.want("by the rule", `select count(*) from event where tenant = $1 and action = 'email_forwarded' and body like '%`+"\n"+`"r1"`+"\n"+`%'`, "1")
		told("forwarded by a rule", "email_forwarded", "email_received")

		err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
			return Expect(context.Background(), t, Echo{Person: amy, Object: "m2", Changes: []string{"email_moved", "email_deleted"}, Act: "a1", From: at, Until: at + 600_000})
		})
		if err != nil {
			b.Fatal(err)
		}
		ours := `select action, body like '%` + "\n" + `"a1"` + "\n" + `%' from event where tenant = $1 order by at, action`
		fold(nil, look(func(m *mailSeen) { m.Folder, m.Read = "P", true }))
		b.want("what we did and somebody else did", ours, "email_moved 1", "email_read 0")
		b.want("folders by name", `select count(*) from event where tenant = $1 and action = 'email_moved' and body like '%"Projects"`+"\n"+`"Posteingang"%'`, "1")
		b.exec(`delete from event where tenant = $1`)
		fold(nil, look(func(m *mailSeen) { m.Folder = "I" }))
		b.want("an act explains a change once", ours, "email_moved 0")
		b.exec(`delete from event where tenant = $1`)
		fold(nil, mailLook{ID: "m2", Change: "deleted", At: at + 700_000})
		b.want("too late to be ours", ours, "email_deleted 0")
		b.want("what is left", `select change from echo where tenant = $1`, "email_deleted")
	})
}
