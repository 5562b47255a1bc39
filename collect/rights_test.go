package collect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/journal"
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
			permutations(len(c.items), func(order []int) {
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
		permutations(len(between), func(order []int) {
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
