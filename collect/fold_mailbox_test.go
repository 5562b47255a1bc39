package collect

import (
	"encoding/json"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// TestFoldRules: a first look makes state; after it what was made, changed and deleted is an event with before and after.
func TestFoldRules(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		r1, r2 := forwards("r1", "One", "bob@x.example"), forwards("r2", "Two", "bob@x.example")
		b.same("a first look", b.since(func() { b.rules(amy, r1) }), "mailbox.changed ×1", "rule.created ×1")
		b.want("no event", `select count(*) from event where tenant = $1`, "0")
		b.want("its history", `select rule, change from rule_change where tenant = $1`, "r1 found")

		seen := b.rows(`select rules_seen from mailbox where tenant = $1`)
		b.same("the same again", b.since(func() { b.rules(amy, r1); b.rules(amy, r1) }))
		if now := b.rows(`select rules_seen from mailbox where tenant = $1`); now[0] <= seen[0] {
			b.Errorf("looked at %s, and before at %s: the later look is not noted", now, seen)
		}

		b.same("made", b.since(func() { b.rules(amy, r1, r2) }), "rule.created r2")
		r2.Name, r2.Enabled = "Too", false
		b.same("changed", b.since(func() { b.rules(amy, r1, r2) }), "rule.updated r2")
		b.same("deleted", b.since(func() { b.rules(amy, r2) }), "rule.deleted r1")
		b.same("both at once", b.since(func() { b.rules(amy, r1) }), "rule.created r1", "rule.deleted r2")
		b.want("events", `select action from event where tenant = $1 order by at, action`, "rule_created", "rule_updated", "rule_deleted", "rule_created", "rule_deleted")
		b.want("the list", `select id, name, deleted > 0 from mail_rule where tenant = $1 order by id`, "r1 One 0", "r2 Too 1")
		b.want("the mailbox", `select rules_count from mailbox where tenant = $1`, "1")

		var e tocsin.Event
		body := b.rows(`select body from event where tenant = $1 and action = 'rule_updated'`)
		if err := json.Unmarshal([]byte(body[0]), &e); err != nil {
			b.Fatal(err)
		}
		var raw struct{ Before, After tocsin.MailRule }
		if err := json.Unmarshal(e.RawMetadata, &raw); err != nil || raw.Before.Name != "Two" || raw.After.Name != "Too" || raw.After.Enabled {
			b.Errorf("what changed: %+v, %v", raw, err)
		}
		if e.EventType != "RULE" || e.TUID != amy || e.DomainID != acme || e.PlatformEventID != "r2" || e.Timestamp.IsZero() {
			b.Errorf("the event: %+v", e)
		}
	})
}

// TestLateAnswer: what a poll asked before a mailbox was looked at anew, and was answered or refused after it, says nothing of it.
func TestLateAnswer(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		r1 := forwards("r1", "One", "bob@x.example")
		b.rules(amy, r1)
		b.st.Clock().Advance(time.Second)
		answered, refused := b.item(kindRules, amy, rulesSeen{Rules: []ruleSeen{r1}}), b.item(kindRules, amy, rulesSeen{State: "out_of_scope", Absent: "It is kept from the app."})
		b.st.Clock().Advance(time.Second)
		b.same("we deleted it, and looked", b.since(func() { b.rules(amy) }), "rule.deleted r1")
		b.same("the answers from before", b.since(func() { b.fold(answered, refused) }))
		b.want("the list", `select id, deleted > 0 from mail_rule where tenant = $1`, "r1 1")
		b.want("the mailbox", `select mailbox from person where tenant = $1 and person = '`+string(amy)+`'`, "read")
	})
	// What a poll gives is of when it asked.
	inBoth(t, 20, "", func(f *field) {
		f.ask("domains", "users")
		f.exec(`insert into source (tenant, name, started) values ($1, 'rules', $2)`, tocsin.Millis(f.st.Clock().Now()))
		began := f.st.Clock().Now()
		if err := f.c.poll(f.Context(), asking(func(owners []owner) ([]any, error) {
			f.st.Clock().Advance(time.Minute)
			out := make([]any, len(owners))
			for i := range out {
				out[i] = rulesSeen{}
			}
			return out, nil
		})); err != nil {
			f.Fatal(err)
		}
		f.folded(f.r)
		if got := f.rows(`select count(*) > 0, sum(case when rules_seen < $2 then 0 else 1 end) from mailbox where tenant = $1`, tocsin.Millis(began.Add(30*time.Second)))[0]; got != "1 0" && got != "true 0" {
			f.Errorf("whether any was told, and how many bear the time of the answer: %s", got)
		}
	})
}

// TestFoldRulesOfEmptyMailbox: a mailbox that had no rule at the first look has an event for its first.
func TestFoldRulesOfEmptyMailbox(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob")
		b.fold(b.item(kindRules, people[0], rulesSeen{}), b.item(kindRules, people[1], rulesSeen{}))
		b.same("the first rule", b.since(func() { b.rules(people[0], forwards("r1", "One", "bob@x.example")) }), "rule.created r1")
		// Several looks at one mailbox in a run are folded in their order.
		got := b.since(func() {
			b.fold(b.item(kindRules, people[1], rulesSeen{Rules: []ruleSeen{forwards("r", "A", "amy@x.example")}}),
				b.item(kindRules, people[1], rulesSeen{Rules: []ruleSeen{forwards("r", "B", "amy@x.example")}}),
				b.item(kindRules, people[1], rulesSeen{}))
		})
		b.same("three looks in a run", got, "rule.created r", "rule.updated r", "rule.deleted r")
		b.want("their events", `select action from event where tenant = $1 and person = '`+string(people[1])+`' order by action`, "rule_created", "rule_deleted", "rule_updated")
	})
}

// TestFolderLearned: what we learn of a folder is no change of the rule, and has it judged anew.
func TestFolderLearned(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		hide := func(f tocsin.Folder) ruleSeen {
			return ruleSeen{MailRule: tocsin.MailRule{ID: "r1", Name: "x", Enabled: true, MoveTo: &f, MarkRead: true}}
		}
		b.rules(amy, hide(tocsin.Folder{ID: "F"}))
		b.want("not known", `select count(*) from finding where tenant = $1 and rule = 'hidden-folder'`, "0")
		known := tocsin.Folder{ID: "F", Name: "Conversation History", WellKnown: "conversationhistory"}
		got := b.since(func() {
			b.fold(b.item(kindRules, amy, rulesSeen{Rules: []ruleSeen{hide(known)}, Folders: map[string]tocsin.Folder{"F": known}}))
		})
		if len(got) == 0 || got[0][:8] != "finding." {
			b.Errorf("facts %q: a rule that did not change was told as changed, or not judged", got)
		}
		b.want("known", `select count(*) from finding where tenant = $1 and rule = 'hidden-folder' and status = 'open'`, "1")
		b.want("no event", `select count(*) from event where tenant = $1`, "0")
		b.want("the history", `select change from rule_change where tenant = $1`, "found")
		b.want("kept", `select folders from mailbox where tenant = $1`, `{"F":{"id":"F","name":"Conversation History","well_known":"conversationhistory"}}`)
		// Moving to another folder is a change.
		other := hide(tocsin.Folder{ID: "G"})
		b.rules(amy, other)
		b.want("another folder", `select action from event where tenant = $1`, "rule_updated")
	})
}

// TestFoldSettings: settings that differ are kept and judged; the same are only noted as seen.
func TestFoldSettings(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		plain := settingsSeen{Purpose: "user", TimeZone: "W. Europe Standard Time", Language: "de-DE", AutoReply: &tocsin.AutoReply{Status: "disabled"}}
		b.same("a first look", b.since(func() { b.fold(b.item(kindSettings, amy, plain)) }), "mailbox.changed ×2") // the settings, and that there is a mailbox
		b.same("the same again", b.since(func() { b.fold(b.item(kindSettings, amy, plain)) }))
		away := plain
		away.AutoReply = &tocsin.AutoReply{Status: "always_enabled", Audience: "all", Links: []string{"pay@evil.example"}}
		b.fold(b.item(kindSettings, amy, away))
		b.same("a foreign address", b.findings(), "auto-reply-foreign-address "+b.rows(`select subject from finding where tenant = $1`)[0]+" open 1")
		b.fold(b.item(kindSettings, amy, plain))
		b.want("mended", `select status from finding where tenant = $1`, "fixed")

		shared := plain
		shared.Purpose = "shared"
		b.fold(b.item(kindSettings, amy, shared))
		b.want("a shared mailbox that can sign in", `select status from finding where tenant = $1 and rule = 'shared-mailbox-sign-in'`, "open")
		id, p := b.amy("amy")
		p.Enabled = no()
		b.fold(b.item(kindPerson, id, p))
		b.want("and no longer can", `select status from finding where tenant = $1 and rule = 'shared-mailbox-sign-in'`, "fixed")
	})
}

// TestFoldAbsence: a mailbox that is not there is said with its reason, and again when it comes.
func TestFoldAbsence(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob")
		b.fold(b.item(kindRules, people[0], rulesSeen{State: "none", Absent: "No licence."}), b.item(kindSettings, people[1], settingsSeen{State: "out_of_scope", Absent: "Kept out."}))
		b.want("absent", `select name, mailbox, mailbox_because, mailbox_asked > 0 from person where tenant = $1 order by name`, "Amy none No licence. 1", "Bob out_of_scope Kept out. 1")
		b.fold(b.item(kindRules, people[0], rulesSeen{}))
		b.want("there", `select mailbox, mailbox_because from person where tenant = $1 and name = 'Amy'`, "read ")
		b.fold(b.item(kindRules, people[0], rulesSeen{State: "none", Absent: "Gone."}))
		b.same("back, though its rules are the same", b.since(func() { b.fold(b.item(kindRules, people[0], rulesSeen{})) }), "mailbox.changed ×1")
		b.want("there again", `select mailbox from person where tenant = $1 and name = 'Amy'`, "read")
	})
}

// TestAbsent: each reason for which a mailbox cannot be read, and nothing for what passes.
func TestAbsent(t *testing.T) {
	missing, kept := &graph.NoMailbox{Code: "MailboxNotEnabledForRESTAPI"}, &graph.Denied{OutOfScope: true}
	for _, c := range []struct {
		name  string
		o     owner
		err   error
		alone bool
		state string
		says  string
	}{
		{"no plan", owner{licensed: no()}, missing, false, "none", "No licence with Exchange Online is assigned."},
		{"on-premises", owner{licensed: no(), synced: yes()}, missing, false, "none", "on-premises"},
		{"on-premises, licence unknown", owner{synced: yes()}, missing, false, "none", "on-premises"},
		{"blocked", owner{licensed: yes(), can: no()}, missing, false, "none", "blocked"},
		{"being made", owner{licensed: yes(), can: yes()}, missing, false, "none", "some minutes"},
		{"licence unknown", owner{}, missing, false, "none", "has no mailbox"},
		{"gone", owner{}, &graph.NotFound{}, false, "none", "no longer knows"},
		{"out of scope", owner{}, kept, false, "out_of_scope", "RBAC"},
		{"refused alone", owner{}, &graph.Denied{Code: "AccessDenied"}, true, "out_of_scope", "AccessDenied"},
		{"refused to all", owner{}, &graph.Denied{}, false, "", ""},
		{"throttled", owner{}, &graph.Throttled{}, true, "", ""},
		{"down", owner{}, &graph.Unavailable{}, true, "", ""},
	} {
		state, because := c.o.absent(c.err, c.alone)
		if state != c.state || !contains(because, c.says) || c.state == "" && because != "" {
			t.Errorf("%s: %q, %q", c.name, state, because)
		}
	}
}

// TestFoldHistory: a rule turned outward, and one that was made and deleted, are judged by their history.
func TestFoldHistory(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.rules(amy, forwards("r1", "Pay", "bob@x.example"))
		b.st.Clock().Advance(time.Hour)
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"))
		b.want("turned outward", `select status from finding where tenant = $1 and rule = 'turned-outward'`, "open")
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"), forwards("r2", "Quick", "drop@evil.example"))
		b.st.Clock().Advance(10 * time.Minute)
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"))
		b.want("made, used and deleted", `select subject, status from finding where tenant = $1 and rule = 'short-lived-rule'`, "r2 open")
		b.want("the row", `select outside, risk > 0 from mail_rule where tenant = $1 and id = 'r1'`, "1 1")
	})
}
