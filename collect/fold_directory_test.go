package collect

import (
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/journal"
)

// TestFoldPeople: a first look is one fact for all, a change one of its own, the same again nothing.
func TestFoldPeople(t *testing.T) {
	onBoth(t, func(b *bed) {
		var people []journal.Item
		for _, name := range []string{"amy", "bob", "eve"} {
			id, p := b.amy(name)
			people = append(people, b.item(kindPerson, id, p))
		}
		b.same("a first look", b.since(func() { b.fold(people...) }), "person.changed ×3")
		b.same("the same again", b.since(func() { b.fold(people...) }))
		b.want("addresses", `select address from person_address where tenant = $1 order by address`,
			"amy.alias@x.example", "amy@x.example", "bob.alias@x.example", "bob@x.example", "eve.alias@x.example", "eve@x.example")

		amy, p := b.amy("amy")
		p.Mail, p.Addresses, p.Enabled = "amy.new@x.example", []string{"SMTP:amy.new@x.example", "X500:/o=x"}, no()
		b.same("a change", b.since(func() { b.fold(b.item(kindPerson, amy, p)) }), "person.changed "+string(amy))
		b.want("addresses after it", `select address from person_address where tenant = $1 and address like 'amy%' order by address`, "amy.new@x.example", "amy@x.example")
		b.want("the person after it", `select mail, enabled, deleted from person where tenant = $1 and name = 'Amy'`, "amy.new@x.example 0 0")

		// Twice in one run: the later holds, and both are told.
		first, second := p, p
		first.Name, second.Name = "Amy A.", "Amy B."
		got := b.since(func() { b.fold(b.item(kindPerson, amy, first), b.item(kindPerson, amy, second)) })
		b.same("two changes in a run", got, "person.changed "+string(amy), "person.changed "+string(amy))
		b.want("the later", `select name from person where tenant = $1 and name like 'Amy%'`, "Amy B.")
		b.fold(b.item(kindPerson, "nobody", personSeen{Object: "never-seen", Removed: true}))
		b.want("a removal of nobody", `select count(*) from person where tenant = $1`, "3")
	})
}

// TestFoldRemoval: who is removed takes rules and findings along, and is looked at afresh when they come back.
func TestFoldRemoval(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"))
		b.same("before", b.findings(), "forward-outside r1 open 1")
		gone := b.item(kindPerson, amy, personSeen{Object: "object-amy", Removed: true})
		b.same("the removal", b.since(func() { b.fold(gone) }), "person.changed "+string(amy), "finding.fixed "+b.rows(`select id from finding where tenant = $1`)[0])
		b.same("after", b.findings(), "forward-outside r1 fixed 1")
		b.same("again", b.since(func() { b.fold(gone) }))
		b.want("destinations", `select count(*) from rule_target where tenant = $1`, "0")
		b.want("rules", `select deleted > 0 from mail_rule where tenant = $1`, "1")

		_, p := b.amy("amy")
		b.fold(b.item(kindPerson, amy, p))
		b.want("back", `select deleted, mailbox_asked from person where tenant = $1`, "0 0")
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"))
		b.same("and found again", b.findings(), "forward-outside r1 open 2")
		b.want("no event", `select count(*) from event where tenant = $1`, "0")
		b.want("the rule's history", `select change from rule_change where tenant = $1 order by at`, "found", "found")
	})
}

// TestFoldLicence: who gets a licence is asked for a mailbox at once, not after a day.
func TestFoldLicence(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy, p := b.amy("amy")
		p.Licensed = no()
		b.fold(b.item(kindPerson, amy, p))
		b.fold(b.item(kindRules, amy, rulesSeen{State: "none", Absent: "No licence."}))
		b.want("without", `select mailbox, mailbox_because, mailbox_asked > 0 from person where tenant = $1`, "none No licence. 1")
		p.Licensed = yes()
		b.fold(b.item(kindPerson, amy, p))
		b.want("with", `select mailbox, mailbox_asked from person where tenant = $1`, "none 0")
		b.fold(b.item(kindRules, amy, rulesSeen{}))
		b.want("read", `select mailbox, mailbox_because from person where tenant = $1`, "read ")
	})
}

func TestFoldGroups(t *testing.T) {
	onBoth(t, func(b *bed) {
		finance := groupSeen{ID: "g1", Name: "Finance", Mail: "finance@x.example", Kind: "distribution", Addresses: []string{"SMTP:finance@x.example", "smtp:money@x.example"}}
		other := groupSeen{ID: "g2", Name: "Other", Kind: "security"}
		one, two := b.item(kindGroup, "g1", finance), b.item(kindGroup, "g2", other)
		b.same("a first look", b.since(func() { b.fold(one, two) }), "group.changed ×2")
		b.same("the same again", b.since(func() { b.fold(one, two, one) }))
		finance.Addresses = finance.Addresses[:1]
		b.same("a change", b.since(func() { b.fold(b.item(kindGroup, "g1", finance)) }), "group.changed g1")
		b.want("addresses", `select address, group_id from group_address where tenant = $1`, "finance@x.example g1")

		members := membersSeen{Group: "g1", Outside: []tocsin.Address{{Name: "Eve", Address: "eve@evil.example"}}}
		b.same("members", b.since(func() { b.fold(b.item(kindMembers, "g1", members)) }), "group.changed g1")
		b.same("the same members", b.since(func() { b.fold(b.item(kindMembers, "g1", members)) }))
		b.same("members of no group", b.since(func() { b.fold(b.item(kindMembers, "g9", membersSeen{Group: "g9"})) }))

		removal := b.item(kindGroup, "g1", groupSeen{ID: "g1", Removed: true})
		b.same("a removal", b.since(func() { b.fold(removal, removal) }), "group.changed g1")
		b.same("a removal again", b.since(func() { b.fold(removal) }))
		b.same("back", b.since(func() { b.fold(b.item(kindGroup, "g1", finance)) }), "group.changed g1")
		b.want("its state", `select deleted from mail_group where tenant = $1 and id = 'g1'`, "0")
	})
}

func TestFoldRoles(t *testing.T) {
	onBoth(t, func(b *bed) {
		admins := roleSeen{ID: "r", Name: "Global Administrator", Template: "62e9", Members: []roleMember{{Object: "o1", Name: "Amy", Person: "p1"}, {Object: "o2", Name: "An app"}}}
		b.same("a first look", b.since(func() { b.fold(b.item(kindRole, "r", admins)) }), "role.changed r", "role.changed r")
		b.same("the same again", b.since(func() { b.fold(b.item(kindRole, "r", admins)) }))
		admins.Members = admins.Members[1:]
		b.same("one less", b.since(func() { b.fold(b.item(kindRole, "r", admins)) }), "role.changed r")
		b.want("of whom it was told", `select person from fact where tenant = $1 and kind = 'role.changed' order by n`, "", "p1", "p1")
		b.want("members", `select object_id, person from role_member where tenant = $1`, "o2 ")
	})
}

func TestFoldDomains(t *testing.T) {
	onBoth(t, func(b *bed) {
		both := domainsSeen{Tenant: "Acme Ltd", Domains: []domainSeen{{Name: "X.example"}, {Name: "y.example", Authentication: "Federated"}}}
		b.same("one more", b.since(func() { b.fold(b.item(kindDomains, "", both)) }), "settings.changed domains")
		b.same("the same again", b.since(func() { b.fold(b.item(kindDomains, "", both)) }))
		b.want("domains", `select name, authentication from domain where tenant = $1 order by name`, "x.example ", "y.example Federated")
		b.want("the tenant", `select name from tenant where tenant = $1`, "Acme Ltd")
		both.Domains = both.Domains[:1]
		b.same("one less", b.since(func() { b.fold(b.item(kindDomains, "", both)) }), "settings.changed domains")
	})
}

// TestFoldInBulk: more people and mailboxes than a statement takes are all there, and each once.
func TestFoldInBulk(t *testing.T) {
	onBoth(t, func(b *bed) {
		const n = 1501
		var people, rules []journal.Item
		for i := range n {
			id, p := b.amy("u" + strings.Repeat("a", i%7) + tocsin.FromMillis(int64(i)*60_000).Format("150405"))
			people = append(people, b.item(kindPerson, id, p))
			r := rulesSeen{}
			if i%3 == 0 {
				r.Rules = []ruleSeen{forwards("r", "Pay", "drop@evil.example"), forwards("s", "Inside", "amy@x.example")}
			}
			rules = append(rules, b.item(kindRules, id, r))
		}
		began := time.Now()
		b.fold(people...)
		b.fold(rules...)
		b.Logf("%d people and mailboxes in %v", n, time.Since(began))
		b.want("people", `select count(*) from person where tenant = $1`, "1501")
		b.want("mailboxes", `select count(*) from mailbox where tenant = $1 and rules_seen > 0`, "1501")
		b.want("read", `select count(*) from person where tenant = $1 and mailbox = 'read'`, "1501")
		b.want("rules", `select count(*), sum(targets) from mail_rule where tenant = $1`, "1002 1002")
		b.want("findings", `select count(*) from finding where tenant = $1 and rule = 'forward-outside'`, "501")
		b.same("the same again", b.since(func() { b.fold(people...); b.fold(rules...) }))
	})
}
