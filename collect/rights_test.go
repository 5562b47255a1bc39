package collect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/stream"
)

// day is when what these tests tell of happens, before the clock's now.
var day = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// record is an audit record of a cmdlet that an administrator ran some minutes after nine.
func record(id string, minute int, operation string, params ...string) *detect.Record {
	r := &detect.Record{ID: id, Time: day.Add(time.Duration(minute) * time.Minute), Operation: operation, Workload: "Exchange", Actor: "root@x.example", ActorKind: "admin", Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		r.Params[params[i]] = params[i+1]
	}
	return r
}

// tells are the items that a record makes.
func (b *bed) tells(list ...*detect.Record) (out []journal.Item) {
	for _, r := range list {
		for _, s := range rule.Rights(r) {
			out = append(out, b.item(kindRights, "", s))
		}
	}
	return out
}

// state is all that is held of forwarding and rights, with since when and by whom.
func (b *bed) state() []string {
	b.Helper()
	out := b.rows(`select p.name, s.name, s.value, s.since, s.actor from mailbox_setting s join person p on p.tenant = s.tenant and p.person = s.person where s.tenant = $1 order by 1, 2`)
	return append(out, b.rows(`select o.name, d.kind, d.folder, coalesce(p.name, d.trustee), d.levels, d.since, d.actor from delegation d join person o on o.tenant = d.tenant and o.person = d.owner
		left join person p on p.tenant = d.tenant and p.person = d.trustee where d.tenant = $1 and d.removed = 0 order by 1, 2, 3, 4`)...)
}

func at(minute int) int64 { return tocsin.Millis(day.Add(time.Duration(minute) * time.Minute)) }

// permutations calls f with every order of 0 … n-1.
func permutations(n int, f func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var walk func(int)
	walk = func(k int) {
		if k == n {
			f(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			walk(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	walk(0)
}

// orders goes over every order of n things on SQLite, and over that in which they are and its reverse on PostgreSQL: which order it is is
// the fold's affair, and the database's only which statements there are.
func (b *bed) orders(n int, f func([]int)) {
	if strings.HasSuffix(b.Name(), "/sqlite") {
		permutations(n, f)
		return
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	f(order)
	slices.Reverse(order)
	f(order)
}

// TestRightsInAnyOrder: what was told last is held, in whichever order it is told, and however often.
func TestRightsInAnyOrder(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob", "cyd")
		look := func(minute int, s rightsSeen) journal.Item {
			s.Source, s.At = "invoke_command", at(minute)
			return b.item(kindRights, people[0], s)
		}
		full := func(who string) detect.RightSeen {
			return detect.RightSeen{Trustee: who, Kind: detect.RightFullAccess, Levels: []string{"FullAccess"}}
		}
		for _, c := range []struct {
			name  string
			items []journal.Item
			want  []string
		}{
			{"forwarding set, changed, and a copy kept no more", b.tells(
				record("1", 1, "Set-Mailbox", "Identity", "amy", "ForwardingSmtpAddress", "smtp:old@evil.example", "DeliverToMailboxAndForward", "True"),
				record("2", 2, "Set-Mailbox", "Identity", "amy@x.example", "ForwardingSmtpAddress", "smtp:Eve@Evil.example"),
				record("3", 3, "Set-Mailbox", "Identity", "amy.alias@x.example", "DeliverToMailboxAndForward", "$false"),
				record("4", 4, "Set-Mailbox", "Identity", "Amy", "ForwardingSmtpAddress", "smtp:eve@evil.example"),
			), []string{
				fmt.Sprintf("Amy forwarding_deliver 0 %d root@x.example", at(3)),
				fmt.Sprintf("Amy forwarding_smtp eve@evil.example %d root@x.example", at(2))}},
			{"forwarding set and removed", b.tells(
				record("1", 1, "Set-Mailbox", "Identity", "amy", "ForwardingAddress", "bob"),
				record("2", 2, "Set-Mailbox", "Identity", "amy", "ForwardingAddress", ""),
			), []string{fmt.Sprintf("Amy forwarding_recipient  %d root@x.example", at(2))}},
			{"granted, taken, granted again", b.tells(
				record("1", 1, "Add-MailboxPermission", "Identity", "amy", "User", "bob@x.example", "AccessRights", "FullAccess"),
				record("2", 2, "Remove-MailboxPermission", "Identity", "amy", "User", "bob", "AccessRights", "FullAccess"),
				record("3", 3, "Add-MailboxPermission", "Identity", "amy", "User", "Bob", "AccessRights", "FullAccess"),
			), []string{fmt.Sprintf("Amy full_access  Bob FullAccess %d root@x.example", at(3))}},
			{"to send as her, no more", b.tells(
				record("4", 4, "Add-RecipientPermission", "Identity", "amy", "Trustee", "cyd", "AccessRights", "SendAs"),
				record("5", 5, "Remove-RecipientPermission", "Identity", "amy", "Trustee", "cyd", "AccessRights", "SendAs"),
			), nil},
			{"in the same second", b.tells(
				record("1", 1, "Add-MailboxPermission", "Identity", "amy", "User", "bob", "AccessRights", "FullAccess"),
				record("2", 1, "Remove-MailboxPermission", "Identity", "amy", "User", "bob", "AccessRights", "FullAccess"),
			), []string{fmt.Sprintf("Amy full_access  Bob FullAccess %d root@x.example", at(1))}},
			{"on behalf: a list, one more, one less", b.tells(
				record("1", 1, "Set-Mailbox", "Identity", "amy", "GrantSendOnBehalfTo", "bob;cyd"),
				record("2", 2, "Set-Mailbox", "Identity", "amy", "GrantSendOnBehalfTo", "@{Remove=\"bob\"}"),
				record("3", 3, "Set-Mailbox", "Identity", "amy", "GrantSendOnBehalfTo", "@{Add=\"eve@evil.example\"}"),
			), []string{
				fmt.Sprintf("Amy send_on_behalf  Cyd SendOnBehalf %d root@x.example", at(1)),
				fmt.Sprintf("Amy send_on_behalf  eve@evil.example SendOnBehalf %d root@x.example", at(3))}},
			{"a folder: another level, none", b.tells(
				record("1", 1, "Add-MailboxFolderPermission", "Identity", `amy:\Inbox`, "User", "bob", "AccessRights", "Reviewer"),
				record("2", 2, "Set-MailboxFolderPermission", "Identity", `amy@x.example:\Inbox`, "User", "bob", "AccessRights", "Editor"),
				record("3", 3, "Add-MailboxFolderPermission", "Identity", `amy:\Calendar`, "User", "Default", "AccessRights", "Reviewer"),
				record("4", 4, "Set-MailboxFolderPermission", "Identity", `amy:\Calendar`, "User", "Default", "AccessRights", "None"),
			), []string{fmt.Sprintf("Amy folder inbox Bob Editor %d root@x.example", at(2))}},
		} {
			b.orders(len(c.items), func(order []int) {
				for _, i := range order {
					b.fold(c.items[i])
				}
				b.fold(c.items[order[0]]) // again
				b.same(fmt.Sprint(c.name, order), b.state(), c.want...)
				b.forget()
			})
		}
		// A look at all there is, between records: nothing from before it counts against it.
		between := append(b.tells(
			record("1", 1, "Add-MailboxPermission", "Identity", "amy", "User", "bob", "AccessRights", "FullAccess"),
			record("2", 2, "Add-MailboxPermission", "Identity", "amy", "User", "cyd", "AccessRights", "FullAccess"),
			record("3", 4, "Add-MailboxPermission", "Identity", "amy", "User", "eve@evil.example", "AccessRights", "FullAccess"),
			record("4", 2, "Set-Mailbox", "Identity", "amy", "ForwardingSmtpAddress", "eve@evil.example"),
		), look(3, rightsSeen{Whole: []string{detect.RightFullAccess, detect.RightForwarding}, Settings: detect.Forwards("", "", false), Rights: []detect.RightSeen{full("cyd@x.example")}}))
		b.orders(len(between), func(order []int) {
			for _, i := range order {
				b.fold(between[i])
			}
			b.want(fmt.Sprint("rights", order), `select p.name || d.trustee from delegation d left join person p on p.tenant = d.tenant and p.person = d.trustee where d.tenant = $1 and removed = 0 and p.name <> '' order by 1`,
				"Cyd"+string(people[2]))
			b.want(fmt.Sprint("a stranger", order), `select since, actor from delegation where tenant = $1 and removed = 0 and trustee = 'eve@evil.example'`, fmt.Sprintf("%d root@x.example", at(4)))
			b.want(fmt.Sprint("cyd since", order), `select since, actor from delegation where tenant = $1 and removed = 0 and trustee = '`+string(people[2])+`'`, fmt.Sprintf("%d root@x.example", at(2)))
			b.want(fmt.Sprint("forwarding", order), `select value from mailbox_setting where tenant = $1 and name = 'forwarding_smtp'`, "")
			b.forget()
		})
	})
}

// forget takes away all that was told.
func (b *bed) forget() {
	b.Helper()
	for _, table := range strings.Fields("mailbox_setting delegation rights_look rights_change rights_waiting mailflow_rule mailbox_verdict") {
		b.exec(`delete from ` + table + ` where tenant = $1`)
	}
}

// TestCover: what a source tells whole reaches on as long as there is no gap.
func TestCover(t *testing.T) {
	onBoth(t, func(b *bed) {
		cover := func(since, until int) {
			b.fold(b.item(kindCover, "", coverSeen{Source: "audit", Kinds: []string{"forwarding"}, Since: at(since), Until: at(until)}))
		}
		is := func(what string, since, until int) {
			b.Helper()
			b.want(what, `select since, until from rights_cover where tenant = $1`, fmt.Sprintf("%d %d", at(since), at(until)))
		}
		cover(10, 20)
		is("first", 10, 20)
		cover(20, 30)
		is("on", 10, 30)
		cover(12, 25)
		is("again", 10, 30)
		cover(5, 15)
		is("back", 5, 30)
		cover(1, 3)
		is("long ago", 5, 30)
		cover(40, 50)
		is("after a gap", 40, 50)
	})
}

// listens folds an audit record as the reader of the feed does: what the rules find on it is filed, and the state takes it in.
func (b *bed) listens(rec *detect.Record) {
	b.Helper()
	b.st.Clock().Advance(time.Millisecond)
	if err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		r := newRun(t)
		org, err := r.organisation(b.Context())
		if err != nil {
			return err
		}
		f := filing{t: t, now: org.Now}
		if err := f.told(b.Context(), rule.Record(&org.Org, &detect.Memory{}, rec)); err != nil {
			return err
		}
		if err := r.rights(b.Context(), rec); err != nil {
			return err
		}
		return r.finish(b.Context())
	}); err != nil {
		b.Fatal(err)
	}
	if err := stream.Fold(b.Context(), b.st, "sweep", store.Lane(b.tenant), Sweep); err != nil {
		b.Fatal(err)
	}
}

// TestOneFinding: a record, the state after it, a look that finds the same, and the record told again are one finding; it is
// fixed when the cause is gone, and a late record of what is gone opens nothing.
func TestOneFinding(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob", "root")
		all := func() []string {
			return b.rows(`select rule, subject, cause, status, count from finding where tenant = $1 order by rule, subject`)
		}
		set := record("1", 1, "Set-Mailbox", "Identity", "amy", "ForwardingSmtpAddress", "smtp:eve@evil.example", "DeliverToMailboxAndForward", "False")
		b.listens(set)
		open := "mailbox-forwards-outside amy@x.example eve@evil.example open 1"
		b.same("set", all(), open)
		b.same("told again", b.since(func() { b.listens(set) }))
		b.fold(b.item(kindRights, people[0], rightsSeen{Source: "export", At: at(5), Whole: []string{detect.RightForwarding}, Settings: detect.Forwards("eve@evil.example", "", false)}))
		b.same("a look finds the same", all(), open)
		body := b.rows(`select body from finding where tenant = $1`)[0]
		if !strings.Contains(body, `"id":"1","source":"audit_log"`) || !strings.Contains(body, "no copy stays") {
			b.Errorf("the finding does not rest on the record: %s", body)
		}
		b.want("the verdict", `select forwards, delegates, risky from mailbox_verdict where tenant = $1`, "outside 0 0")
		b.want("the row", `select place, risk > 60 from mailbox_setting where tenant = $1 and name = 'forwarding_smtp'`, "outside 1")

		b.listens(record("2", 6, "Set-Mailbox", "Identity", "amy", "ForwardingSmtpAddress", "$null"))
		b.want("cleared", `select status from finding where tenant = $1 and rule = 'mailbox-forwards-outside'`, "fixed")
		b.want("the verdict then", `select forwards from mailbox_verdict where tenant = $1`, "")
		b.listens(record("3", 2, "Set-Mailbox", "Identity", "amy", "ForwardingSmtpAddress", "smtp:eve@evil.example"))
		b.want("a late record", `select status, count from finding where tenant = $1 and rule = 'mailbox-forwards-outside'`, "fixed 1")
		b.listens(record("4", 7, "Set-Mailbox", "Identity", "amy", "ForwardingSmtpAddress", "smtp:eve@evil.example"))
		b.want("set again", `select status, count from finding where tenant = $1 and rule = 'mailbox-forwards-outside'`, "open 2")
		b.exec(`delete from finding where tenant = $1`)

		// What only the record's rule saw stays as long as the grant does, and the grant is not told beside it.
		grant := record("5", 8, "Add-MailboxPermission", "Identity", "amy", "User", "bob", "AccessRights", "FullAccess")
		b.listens(grant)
		b.want("granted", `select rule, cause, status from finding where tenant = $1 and rule like 'mailbox-full%'`, "mailbox-full-access-granted bob@x.example open")
		b.exec(`delete from finding where tenant = $1`)
		if err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
			org, err := loadOrg(b.Context(), t)
			if err != nil {
				return err
			}
			f := filing{t: t, now: org.Now}
			return f.told(b.Context(), []tocsin.Finding{{Rule: "delegation-to-look-alike", Person: people[0], Who: "amy@x.example", Subject: "amy@x.example", Cause: "bob@x.example", Severity: tocsin.High,
				Evidence: []tocsin.Evidence{{ID: "5", Source: "audit_log"}}}})
		}); err != nil {
			b.Fatal(err)
		}
		b.fold(b.item(kindJudge, people[0], struct{}{}))
		b.exec(`insert into exception (tenant, id, rule, scope, value, owner, reason, expires, created, created_by) values ($1, 'x', 'delegation-to-look-alike', 'person', 'amy@x.example', 'o', 'r', 0, 1, 'c')`)
		b.fold(b.item(kindJudge, people[0], struct{}{}))
		b.want("excused", `select rule, status from finding where tenant = $1 and cause = 'bob@x.example' order by rule`, "delegation-to-look-alike fixed", "mailbox-full-access-granted open")
		b.exec(`delete from exception where tenant = $1`)
		b.exec(`delete from finding where tenant = $1 and rule = 'mailbox-full-access-granted'`)
		b.exec(`update finding set status = 'open' where tenant = $1 and rule = 'delegation-to-look-alike'`)
		b.fold(b.item(kindJudge, people[0], struct{}{}))
		b.want("the weightier", `select rule, status from finding where tenant = $1 and person = '`+string(people[0])+`' and cause = 'bob@x.example'`, "delegation-to-look-alike open")
		b.listens(record("6", 9, "Remove-MailboxPermission", "Identity", "amy", "User", "bob", "AccessRights", "FullAccess"))
		b.want("taken away", `select rule, status from finding where tenant = $1 and cause = 'bob@x.example'`, "delegation-to-look-alike fixed")

		b.listens(record("7", 10, "New-TransportRule", "Name", "Archive", "BlindCopyTo", "eve@evil.example"))
		b.want("a mail flow rule", `select rule, subject, status, count from finding where tenant = $1 and rule like 'transport%'`, "transport-rule-takes-mail archive open 1")
		b.want("its row", `select name, enabled, place, risk > 60 from mailflow_rule where tenant = $1`, "Archive 1 outside 1")
		b.listens(record("8", 11, "Remove-TransportRule", "Identity", "Archive"))
		b.want("removed", `select status from finding where tenant = $1 and rule = 'transport-rule-takes-mail'`, "fixed")
		b.listens(record("9", 12, "Set-MailboxAuditBypassAssociation", "Identity", "bob", "AuditBypassEnabled", "True"))
		b.want("bypass", `select subject, status, count from finding where tenant = $1 and rule = 'mailbox-audit-bypass'`, "bob@x.example open 1")
		b.listens(record("10", 13, "Set-MailboxAuditBypassAssociation", "Identity", "bob", "AuditBypassEnabled", "False"))
		b.want("no bypass", `select subject, status, count from finding where tenant = $1 and rule = 'mailbox-audit-bypass'`, "bob@x.example fixed 1")
	})
}

// TestOneFindingByAlias: a record that names both the mailbox and the newcomer it forwards to by alias, and the state after
// it, are one finding.
func TestOneFindingByAlias(t *testing.T) {
	onBoth(t, func(b *bed) {
		b.settle("amy", "root")
		id, p := b.amy("bob")
		p.Created = at(-60)
		b.fold(b.item(kindPerson, id, p))
		b.listens(record("1", 1, "Set-Mailbox", "Identity", "amy.alias", "ForwardingAddress", "bob.alias"))
		b.want("one finding", `select rule, subject, cause, status, count from finding where tenant = $1`, "mailbox-forwards-to-new-account amy@x.example bob@x.example open 1")
		b.want("inside", `select forwards from mailbox_verdict where tenant = $1`, "inside")
		p.Created = 0
		b.fold(b.item(kindPerson, id, p))
		b.want("when the account was made is not known any more", `select status from finding where tenant = $1`, "open")
		b.listens(record("2", 2, "Set-Mailbox", "Identity", "amy", "ForwardingAddress", ""))
		b.want("gone", `select status from finding where tenant = $1 and rule = 'mailbox-forwards-to-new-account'`, "fixed")
	})
}

// TestTrusteeChanges: a trustee whose account is blocked, or who becomes a guest, has the mailboxes judged that were opened
// to him.
func TestTrusteeChanges(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob")
		b.fold(b.item(kindRights, people[0], rightsSeen{Source: "export", At: at(1), Whole: []string{detect.RightFullAccess},
			Rights: []detect.RightSeen{{Trustee: "bob@x.example", Kind: detect.RightFullAccess}}}))
		b.want("a colleague", `select count(*) from finding where tenant = $1`, "0")
		j := b.journal()
		r := b.reads(j)
		b.follow(j)
		b.folded(r)
		id, p := b.amy("bob")
		p.Enabled = no()
		b.fold(b.item(kindPerson, id, p))
		b.follow(j)
		b.folded(r)
		b.want("who left", `select rule, status from finding where tenant = $1`, "mailbox-full-access-granted open")
		b.want("marked", `select marks, risk > 50 from delegation where tenant = $1`, "blocked 1")
		b.want("the verdict", `select delegates, risky from mailbox_verdict where tenant = $1`, "1 1")
		p.Enabled = yes()
		b.fold(b.item(kindPerson, id, p))
		b.follow(j)
		b.folded(r)
		b.want("who is back", `select status from finding where tenant = $1`, "fixed")
		b.want("unmarked", `select marks, risk from delegation where tenant = $1`, " 0")
	})
}

// TestMailFlowInAnyOrder: of each parameter what was told last holds, and a rule is there unless its removal was told last.
func TestMailFlowInAnyOrder(t *testing.T) {
	list := []*detect.Record{
		record("1", 1, "New-TransportRule", "Name", "Archive", "BlindCopyTo", "old@evil.example", "SentTo", "amy"),
		record("2", 2, "Remove-TransportRule", "Identity", "Archive"),
		record("3", 3, "New-TransportRule", "Name", "archive", "BlindCopyTo", "eve@evil.example"),
		record("4", 4, "Set-TransportRule", "Identity", "Archive", "RedirectMessageTo", "mal@evil.example"),
		record("5", 5, "Disable-TransportRule", "Identity", "Archive"),
	}
	first := ""
	permutations(len(list), func(order []int) {
		var f flowState
		for _, i := range append(order, order[0]) {
			for _, s := range rule.Rights(list[i]) {
				for j := range s.MailFlow {
					f.tell(&s, &s.MailFlow[j])
				}
			}
		}
		p := f.params()
		got := fmt.Sprint(f.gone(), p["blindcopyto"].Value, p["redirectmessageto"].Value, p["sentto"].Value, p["enabled"].Value, p["blindcopyto"].Record, p["blindcopyto"].Since.Unix())
		if first == "" {
			first = got
			if want := fmt.Sprint(0, "eve@evil.example", "mal@evil.example", "", "false", "3", at(3)/1000); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		if got != first {
			t.Errorf("%v: %s, want %s", order, got, first)
		}
	})
}

// TestAdopted: what was told by a name before the directory told of anybody is theirs when it does.
func TestAdopted(t *testing.T) {
	onBoth(t, func(b *bed) {
		b.fold(b.tells(record("1", 1, "Set-Mailbox", "Identity", "amy", "ForwardingSmtpAddress", "smtp:eve@evil.example"))...)
		b.want("it waits", `select name from rights_waiting where tenant = $1`, "amy")
		cyd := b.settle("cyd")[0]
		b.fold(b.tells(
			record("2", 2, "Add-MailboxPermission", "Identity", "cyd", "User", "amy.alias@x.example", "AccessRights", "FullAccess"),
			record("3", 3, "Remove-MailboxPermission", "Identity", "cyd", "User", "amy", "AccessRights", "FullAccess"),
			record("4", 2, "Add-RecipientPermission", "Identity", "cyd", "Trustee", "Amy", "AccessRights", "SendAs"))...)
		amy := b.settle("amy")[0]
		b.want("nothing waits", `select name from rights_waiting where tenant = $1`)
		b.want("hers", `select person, value from mailbox_setting where tenant = $1`, string(amy)+" eve@evil.example")
		b.want("judged", `select person, status from finding where tenant = $1 and rule = 'mailbox-forwards-outside'`, string(amy)+" open")
		b.want("a trustee", `select kind, trustee, removed > 0 from delegation where tenant = $1 and owner = '`+string(cyd)+`' order by kind`, "full_access "+string(amy)+" 1", "send_as "+string(amy)+" 0")
	})
}

// BenchmarkRights folds 100,000 rights, ten over each of 10,000 mailboxes, then a look that finds the same.
func BenchmarkRights(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		st := storetest.SQLite(b)
		if err := st.Update(b.Context(), func(tx *store.Tx) error {
			_, err := tx.Tenant(acme).Exec(b.Context(), `insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		const n = 10_000
		fold := func(items []journal.Item) {
			f := &Fold{}
			for len(items) > 0 {
				k := min(400, len(items))
				if err := st.Update(b.Context(), func(tx *store.Tx) error { return f.Step(b.Context(), tx, items[:k]) }); err != nil {
					b.Fatal(err)
				}
				items = items[k:]
			}
		}
		item := func(kind string, person tocsin.PersonID, body any) journal.Item {
			raw, err := encode(body)
			if err != nil {
				b.Fatal(err)
			}
			return journal.Item{Tenant: acme, Person: person, Kind: kind, At: 1, Body: raw}
		}
		people := []journal.Item{item(kindDomains, "", domainsSeen{Domains: []domainSeen{{Name: "x.example", Default: true}}})}
		id := func(i int) tocsin.PersonID { return tocsin.NewPersonID(acme, fmt.Sprint("object-", i)) }
		for i := range n {
			a := fmt.Sprintf("p%d@x.example", i)
			people = append(people, item(kindPerson, id(i), personSeen{Object: fmt.Sprint("object-", i), Name: a, UPN: a, Mail: a, Kind: "member", Enabled: yes()}))
		}
		fold(people)
		look := func(at int64) (out []journal.Item) {
			for i := range n {
				s := rightsSeen{Source: "invoke_command", At: at, Whole: []string{detect.RightFullAccess}}
				for j := range 10 {
					s.Rights = append(s.Rights, detect.RightSeen{Trustee: fmt.Sprintf("p%d@x.example", (i+j+1)%n), Kind: detect.RightFullAccess, Levels: []string{"FullAccess"}})
				}
				out = append(out, item(kindRights, id(i), s))
			}
			return out
		}
		first, again := look(2), look(3)
		b.StartTimer()
		began := time.Now()
		fold(first)
		b.ReportMetric(float64(time.Since(began).Microseconds())/(10*n), "µs/right")
		began = time.Now()
		fold(again)
		b.ReportMetric(float64(time.Since(began).Microseconds())/(10*n), "µs/right_again")
		began = time.Now()
		if err := st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error { return sweep(b.Context(), t) }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/sweep")
	}
}
