package collect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// status gives a finding's status, and how its history reads.
func (b *bed) life(rule string) (status, history string) {
	b.Helper()
	rows := b.rows(`select status, id from finding where tenant = $1 and rule = $2`, rule)
	if len(rows) != 1 {
		b.Fatalf("%d findings of %s: %q", len(rows), rule, rows)
	}
	status, id, _ := strings.Cut(rows[0], " ")
	return status, strings.Join(b.rows(`select change from finding_change where tenant = $1 and finding = $2 order by at, id`, id), " ")
}

func (b *bed) expect(what, rule, status, history string) {
	b.Helper()
	if s, h := b.life(rule); s != status || h != history {
		b.Errorf("%s: %s (%s), want %s (%s)", what, s, h, status, history)
	}
}

// TestFindingLives: the same cause is one finding that grows; gone it is fixed, back it is open again.
func TestFindingLives(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		r := forwards("r1", "Pay", "drop@evil.example")
		b.rules(amy, r)
		b.expect("raised", "forward-outside", "open", "raised")
		before := b.rows(`select first_seen from finding where tenant = $1`)[0]

		r.Forward = append(r.Forward, tocsin.Address{Address: "second@evil.example"})
		b.st.Clock().Advance(time.Hour)
		b.rules(amy, r)
		b.expect("grown", "forward-outside", "open", "raised updated")
		if after := b.rows(`select first_seen from finding where tenant = $1 and rule = 'forward-outside'`)[0]; after != before {
			b.Errorf("a finding that grew was first seen at %s, before at %s", after, before)
		}
		b.rules(amy, r)
		b.expect("the same again", "forward-outside", "open", "raised updated")

		b.rules(amy)
		b.expect("fixed", "forward-outside", "fixed", "raised updated fixed")
		b.fold(b.item(kindJudge, amy, struct{}{}))
		b.expect("judged again", "forward-outside", "fixed", "raised updated fixed")
		b.rules(amy, r)
		b.expect("back", "forward-outside", "open", "raised updated fixed reopened")
		b.want("counted", `select count from finding where tenant = $1 and rule = 'forward-outside'`, "2")
	})
}

func (b *bed) decide(rule string, status tocsin.Status, until time.Time) {
	b.Helper()
	b.exec(`update finding set status = $2, accepted_until = $3 where tenant = $1 and rule = $4`, string(status), tocsin.Millis(until), rule)
}

// TestAcceptedFinding: it is silent until the acceptance ends, whether its mailbox changes or not.
func TestAcceptedFinding(t *testing.T) {
	onBoth(t, func(b *bed) {
		j := b.journal()
		r := b.reads(j)
		amy := b.settle("amy")[0]
		rule := forwards("r1", "Pay", "drop@evil.example")
		b.rules(amy, rule)
		b.decide("forward-outside", tocsin.Accepted, b.st.Clock().Now().Add(time.Hour))
		ends := func() {
			b.Helper()
			if err := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error { return tellEnds(b.Context(), t) }); err != nil {
				b.Fatal(err)
			}
			b.follow(j)
			b.folded(r)
		}
		ends()
		b.fold(b.item(kindJudge, amy, struct{}{}))
		b.expect("accepted", "forward-outside", "accepted", "raised")

		b.rules(amy)
		b.rules(amy, rule)
		if s, h := b.life("forward-outside"); s != "accepted" || contains(h, "reopened") || contains(h, "fixed") {
			b.Errorf("gone and back while it was accepted: %s (%s)", s, h)
		}
		b.st.Clock().Advance(2 * time.Hour)
		ends()
		if s, h := b.life("forward-outside"); s != "open" || !strings.HasSuffix(h, "reopened") {
			b.Errorf("after the acceptance ended: %s (%s)", s, h)
		}
		b.same("it is told once", b.since(ends))
	})
}

// TestAcceptedFindingMended: one whose cause went meanwhile is fixed when the acceptance ends.
func TestAcceptedFindingMended(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"))
		b.decide("forward-outside", tocsin.Accepted, b.st.Clock().Now().Add(time.Hour))
		b.rules(amy)
		b.expect("accepted", "forward-outside", "accepted", "raised")
		b.st.Clock().Advance(2 * time.Hour)
		b.fold(b.item(kindJudge, amy, struct{}{}))
		b.expect("mended", "forward-outside", "fixed", "raised fixed")
	})
}

// TestFalseAlarmStays: what somebody has called a false alarm is not raised again, nor fixed.
func TestFalseAlarmStays(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		r := forwards("r1", "Pay", "drop@evil.example")
		b.rules(amy, r)
		b.decide("forward-outside", tocsin.FalseAlarm, time.Time{})
		b.fold(b.item(kindJudge, amy, struct{}{}))
		b.rules(amy)
		b.rules(amy, r)
		b.st.Clock().Advance(1000 * time.Hour)
		b.fold(b.item(kindJudge, amy, struct{}{}))
		if s, h := b.life("forward-outside"); s != "false_alarm" || contains(h, "reopened") || contains(h, "fixed") {
			b.Errorf("a false alarm is %s (%s)", s, h)
		}
	})
}

// TestRejudged: what mailboxes are judged by changes, and they are judged anew: exceptions, partners, domains, the
// members of a group, the ends of these, and the person behind an address.
func TestRejudged(t *testing.T) {
	onBoth(t, func(b *bed) {
		j := b.journal()
		r := b.reads(j)
		people := b.settle("amy", "bob")
		b.fold(b.item(kindGroup, "g1", groupSeen{ID: "g1", Name: "Finance", Mail: "finance@x.example", Kind: "distribution"}))
		b.rules(people[0], forwards("r1", "Pay", "drop@evil.example"))
		b.rules(people[1], forwards("r2", "Team", "finance@x.example"))
		after := func(what, rule, status string) {
			b.Helper()
			b.follow(j)
			b.folded(r)
			b.want(what, `select status from finding where tenant = $1 and rule = '`+rule+`'`, status)
		}
		fact := func(kind, subject string) {
			b.Helper()
			if err := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
				return t.Append(b.Context(), store.Fact{Kind: kind, Subject: subject})
			}); err != nil {
				b.Fatal(err)
			}
		}
		soon := tocsin.Millis(b.st.Clock().Now().Add(time.Hour))

		b.exec(`insert into exception (tenant, id, rule, scope, value, owner, reason, expires, created, created_by) values ($1, 'e1', '*', 'domain', 'evil.example', 'Amy', 'ours', $2, 1, 'Amy')`, soon)
		fact("exception.changed", "e1")
		after("an exception", "forward-outside", "fixed")
		b.exec(`insert into partner (tenant, domain, owner, reason, expires, created) values ($1, 'evil.example', 'Amy', 'ours', $2, 1)`, soon+tocsin.Millis(tocsin.FromMillis(1).Add(time.Hour)))
		b.exec(`delete from exception where tenant = $1`)
		fact("exception.changed", "e1")
		after("a partner in its place", "forward-outside", "fixed")
		b.want("a partner's address", `select outside from rule_target where tenant = $1 and address = 'drop@evil.example'`, "0")

		ends := func() {
			b.Helper()
			if err := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error { return tellEnds(b.Context(), t) }); err != nil {
				b.Fatal(err)
			}
		}
		ends()
		b.st.Clock().Advance(3 * time.Hour)
		ends()
		after("the partner's end", "forward-outside", "open")
		b.want("and the address", `select outside from rule_target where tenant = $1 and address = 'drop@evil.example'`, "1")

		b.fold(b.item(kindDomains, "", domainsSeen{Domains: []domainSeen{{Name: "x.example"}, {Name: "evil.example"}}}))
		after("a domain of ours", "forward-outside", "fixed")
		b.fold(b.item(kindDomains, "", domainsSeen{Domains: []domainSeen{{Name: "x.example"}}}))
		after("no longer", "forward-outside", "open")

		b.fold(b.item(kindMembers, "g1", membersSeen{Group: "g1", Outside: []tocsin.Address{{Address: "eve@evil.example"}}}))
		after("a member outside", "forward-to-group-or-contact", "open")
		b.fold(b.item(kindMembers, "g1", membersSeen{Group: "g1", Outside: []tocsin.Address{}}))
		after("who left", "forward-to-group-or-contact", "fixed")

		// Bob forwards to Amy; when Amy becomes a guest, Bob's rule is judged again.
		b.rules(people[1], forwards("r2", "Team", "amy.alias@x.example"))
		id, p := b.amy("amy")
		p.Kind, p.Mail = "guest", "amy@evil.example"
		b.fold(b.item(kindPerson, id, p))
		b.follow(j)
		b.folded(r)
		b.want("a guest behind an address", `select subject, status from finding where tenant = $1 and rule = 'forward-to-group-or-contact' and person = '`+string(people[1])+`'`, "r2 open")
	})
}

// TestExceptionEnds: an exception that ends is acted on without anybody changing anything.
func TestExceptionEnds(t *testing.T) {
	onBoth(t, func(b *bed) {
		j := b.journal()
		r := b.reads(j)
		soon := tocsin.Millis(b.st.Clock().Now().Add(time.Hour))
		b.exec(`insert into exception (tenant, id, rule, scope, value, owner, reason, expires, created, created_by) values ($1, 'e1', '*', 'domain', 'evil.example', 'Amy', 'ours', $2, 1, 'Amy')`, soon)
		b.rules(b.settle("amy")[0], forwards("r1", "Pay", "drop@evil.example"))
		b.follow(j)
		b.folded(r)
		b.same("excepted", b.findings())
		b.st.Clock().Advance(2 * time.Hour)
		if err := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error { return tellEnds(b.Context(), t) }); err != nil {
			b.Fatal(err)
		}
		b.follow(j)
		b.folded(r)
		b.same("ended", b.findings(), "forward-outside r1 open 1")
	})
}

// TestSweep: one destination in two mailboxes is found by the sweep, and fixed when one of them goes.
func TestSweep(t *testing.T) {
	onBoth(t, func(b *bed) {
		sweep := func() {
			b.Helper()
			if err := stream.Fold(b.Context(), b.st, "sweep", store.Lane(acme), Sweep); err != nil {
				b.Fatal(err)
			}
		}
		people := b.settle("amy", "bob", "eve")
		b.rules(people[0], forwards("r1", "Pay", "drop@evil.example"))
		sweep()
		b.want("one mailbox", `select count(*) from finding where tenant = $1 and rule = 'shared-destination'`, "0")
		b.rules(people[1], forwards("r2", ".", "drop@evil.example"))
		b.rules(people[2], forwards("r3", "On", "amy@x.example"))
		sweep()
		b.want("two mailboxes", `select subject, status from finding where tenant = $1 and rule = 'shared-destination'`, "drop@evil.example open")
		b.want("a chain", `select person, status from finding where tenant = $1 and rule = 'forward-chain'`, string(people[2])+" open")
		b.want("the checks' own stay", `select count(*) from finding where tenant = $1 and rule = 'forward-outside' and status = 'open'`, "2")
		b.same("nothing new", b.since(sweep))

		b.fold(b.item(kindPerson, people[1], personSeen{Object: "object-bob", Removed: true}))
		sweep()
		b.want("one is removed", `select status from finding where tenant = $1 and rule = 'shared-destination'`, "fixed")
		b.rules(people[0])
		sweep()
		b.want("the chain's end is gone", `select status from finding where tenant = $1 and rule = 'forward-chain'`, "fixed")
	})
}

// TestChainStands: mail that gets out through a colleague's mailbox is one finding, by whichever rules it gets in and out, and
// it is fixed only when none is left. It names the colleague.
func TestChainStands(t *testing.T) {
	onBoth(t, func(b *bed) {
		sweep := func() {
			b.Helper()
			if err := stream.Fold(b.Context(), b.st, "sweep", store.Lane(acme), Sweep); err != nil {
				b.Fatal(err)
			}
		}
		people := b.settle("amy", "bob")
		older, newer := forwards("r1", "To the team", "bob@x.example"), forwards("r2", "Tenders", "bob@x.example")
		out := forwards("o1", "Out", "drop@evil.example")
		for _, step := range []struct {
			what       string
			amy, bob   []ruleSeen
			subject    string
			status     string
			namesOlder string
		}{
			{"begun", []ruleSeen{older}, []ruleSeen{out}, "r1", "open", "0"},
			{"a newer rule takes the same way", []ruleSeen{older, newer}, []ruleSeen{out}, "r2", "open", "1"},
			{"another rule leads out first", []ruleSeen{older, newer}, []ruleSeen{forwards("a0", "First", "b@other.example"), out}, "r2", "open", "1"},
			{"the newer is gone", []ruleSeen{older}, []ruleSeen{forwards("a0", "First", "b@other.example"), out}, "r1", "open", "0"},
			{"nothing leads out", []ruleSeen{older}, nil, "r1", "fixed", "0"},
		} {
			b.st.Clock().Advance(time.Minute)
			b.rules(people[1], step.bob...)
			b.st.Clock().Advance(time.Minute)
			b.rules(people[0], step.amy...)
			sweep()
			b.want(step.what, `select subject, status from finding where tenant = $1 and rule = 'forward-chain'`, step.subject+" "+step.status)
			b.want(step.what+": the colleague is named", `select count(distinct person) from finding_part where tenant = $1 and person = '`+string(people[1])+`'`, "1")
			b.want(step.what+": the older rule is named", `select count(*) from finding_part where tenant = $1 and rule = 'r1'`, step.namesOlder)
		}
		_, history := b.life("forward-chain")
		if strings.Count(history, "fixed") != 1 || strings.Contains(history, "reopened") {
			b.Errorf("the finding was %s", history)
		}
	})
}

// TestFixedSaysWhatIsLeft: a finding that another about the same rule takes the place of does not say that its cause is gone.
func TestFixedSaysWhatIsLeft(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		r := forwards("r1", "Pay", "drop@evil.example")
		b.rules(amy, r)
		r.Conditions = nil
		b.rules(amy, r)
		b.want("the narrower", `select note from finding_change c join finding f on f.tenant = c.tenant and f.id = c.finding where c.tenant = $1 and f.rule = 'forward-outside' and c.change = 'fixed'`,
			"It is no finding by itself any more. About the same, “All mail of a mailbox leaves the organisation” is still open.")
		b.rules(amy)
		b.want("the wider", `select note from finding_change c join finding f on f.tenant = c.tenant and f.id = c.finding where c.tenant = $1 and f.rule = 'forward-everything' and c.change = 'fixed'`,
			"The cause is gone.")
	})
}

// TestRecordBeforeMailbox: what an audit record told of a rule before its mailbox was read is one with what the mailbox shows then: the finding
// that stays rests on both, and the other says so.
func TestRecordBeforeMailbox(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		address := b.rows(`select mail from person where tenant = $1 and person = $2`, string(amy))[0]
		judge := &AuditJudge{Store: b.st}
		at := b.st.Clock().Now().UTC().Add(-time.Hour)
		b.records(judge, []json.RawMessage{json.RawMessage(fmt.Sprintf(`{"Id":"made","CreationTime":%q,"Operation":"New-InboxRule","Workload":"Exchange","RecordType":1,"UserId":%q,"ObjectId":"%s\\Pay","Parameters":[
			{"Name":"Name","Value":"Pay"},{"Name":"SubjectContainsWords","Value":"invoice"},{"Name":"ForwardTo","Value":"drop@evil.example"}]}`, at.Format("2006-01-02T15:04:05"), address, address))}, 1)
		const open = `select subject, body from finding where tenant = $1 and rule = 'forward-outside' and status = 'open'`
		if got := b.rows(open); len(got) != 1 || !strings.Contains(got[0], `\Pay`) {
			b.Fatalf("the record raised %q", got)
		}
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"))
		if got := b.rows(open); len(got) != 1 || !strings.HasPrefix(got[0], "r1 ") || !strings.Contains(got[0], `"made"`) {
			b.Errorf("the mailbox was read, and open is %q", got)
		}
		b.want("the record's own", `select c.note from finding_change c join finding f on f.tenant = c.tenant and f.id = c.finding where c.tenant = $1 and f.rule = 'forward-outside' and c.change = 'fixed'`,
			"It is no finding by itself any more. About the same, “A rule sends mail outside” is still open.")
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example")) // nothing new
		if got := b.rows(open); len(got) != 1 || !strings.Contains(got[0], `"made"`) {
			b.Errorf("read again, and open is %q", got)
		}
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"), forwards("r2", "More", "drop@evil.example")) // so that the mailbox is judged again
		if got := b.rows(open); len(got) != 2 || !strings.Contains(got[0]+got[1], `"made"`) {
			b.Errorf("judged again, and open is %q", got)
		}
		var again []json.RawMessage
		for i := range 25 {
			again = append(again, json.RawMessage(fmt.Sprintf(`{"Id":"set %d","CreationTime":%q,"Operation":"Set-InboxRule","Workload":"Exchange","RecordType":1,"UserId":%q,"ObjectId":"%s\\Pay","Parameters":[
				{"Name":"Name","Value":"Pay"},{"Name":"SubjectContainsWords","Value":"invoice"},{"Name":"ForwardTo","Value":"drop@evil.example"}]}`, i, at.Add(time.Duration(i+1)*time.Minute).Format("2006-01-02T15:04:05"), address, address)))
		}
		b.records(judge, again, 1)
		body := strings.Join(b.rows(open), "\n")
		if !strings.Contains(body, `"set 24"`) || strings.Contains(body, `"made"`) {
			b.Errorf("of 26 records the newest do not stay: %s", body)
		}
	})
}

// TestPoison: an item that cannot be read becomes a dead letter, and those around it are folded.
func TestPoison(t *testing.T) {
	onBoth(t, func(b *bed) {
		j := b.journal()
		amy, p := b.amy("amy")
		bob, q := b.amy("bob")
		bad := func(kind, body string) journal.Item {
			it := b.item(kindPerson, amy, p)
			it.Kind, it.Body = kind, []byte(body)
			return it
		}
		items := []journal.Item{b.item(kindPerson, amy, p), bad(kindPerson, `{"object":7}`), bad("no-such-kind", `{}`), bad(kindRules, `[]`), bad(kindRole, `"x"`), b.item(kindPerson, bob, q)}
		if err := j.Append(b.Context(), items...); err != nil {
			b.Fatal(err)
		}
		r := b.reads(j)
		b.folded(r)
		b.want("the others", `select name from person where tenant = $1 order by name`, "Amy", "Bob")
		b.want("the dead", `select kind from dead_letter where tenant = $1 order by kind`, "no-such-kind", "person", "role", "rules")
		if err := j.Append(b.Context(), b.item(kindRules, bob, rulesSeen{Rules: []ruleSeen{forwards("r", "Pay", "drop@evil.example")}})); err != nil {
			b.Fatal(err)
		}
		b.folded(r)
		b.same("and it goes on", b.findings(), "forward-outside r open 1")
	})
}

// TestTwoTenantsInARun: items of two tenants in one run are each tenant's own.
func TestTwoTenantsInARun(t *testing.T) {
	onBoth(t, func(b *bed) {
		const other = tocsin.TenantID("99999999-2222-4333-8444-555555555555")
		amy, p := b.amy("amy")
		mine := b.item(kindPerson, amy, p)
		theirs := mine
		theirs.Tenant = other
		b.tenant = other
		b.exec(`insert into tenant (tenant, name, created) values ($1, 'Other', 1)`)
		b.tenant = acme
		rules := b.item(kindRules, amy, rulesSeen{Rules: []ruleSeen{forwards("r", "Pay", "drop@evil.example")}})
		b.fold(mine, theirs, rules)
		b.want("mine", `select count(*) from mail_rule where tenant = $1`, "1")
		b.tenant = other
		b.want("theirs", `select count(*) from person where tenant = $1`, "1")
		b.want("not theirs", `select count(*) from mail_rule where tenant = $1`, "0")
		b.tenant = acme
	})
}
