package web

import (
	"fmt"
	"time"

	"tocsin.dev"
)

// The ids of what is seeded of an investigation.
const (
	huntID   = "0190a000-0000-7000-8000-0000000000c1"
	huntRun  = "0190a000-0000-7000-8000-0000000000d1"
	huntAct  = "0190a000-0000-7000-8000-0000000000e1"
	huntMail = "0190a000-0000-7000-8000-0000000000f0"
	huntSaid = "0190a000-0000-7000-8000-0000000000a1"
)

// hunt is an investigation that found what strangers wrote, what was done to it, and a report of it.
func (d seeder) hunt() {
	jane, mirko := tocsin.NewPersonID(tenantID, "jane.doe@acme.example"), tocsin.NewPersonID(tenantID, "mirko@acme.example")
	d.add(`insert into investigation (tenant, id, name, query, mode, every, status, reason, run, ends, created, created_by, changed) values ($1, $2, $3, 'subject:invoice AND body:pay', 'schedule', 360, 'running', $4, $5, $6, $7, 'olga@acme.example', $7)`,
		huntID, evilScript, evilBidi, huntRun, tocsin.Millis(d.now.AddDate(0, 0, 9)), d.ago(time.Hour))
	d.add(`insert into investigation_version (tenant, investigation, version, at, who, note, body) values ($1, $2, 1, $3, 'olga@acme.example', $4, $5)`, huntID, d.ago(time.Hour), evilBidi, js(map[string]any{"query": "subject:invoice"}))
	d.add(`insert into search_run (tenant, id, investigation, n, version, query, cause, state, mailboxes, searched, incomplete, out_of_scope, matches, looked, fetched, calls, started, first_match) values ($1, $2, $3, 1, 1, 'subject:invoice', 'olga@acme.example', 'running', 4, 1, 1, 1, 2, 1200, 14, 40, $4, $5)`,
		huntRun, huntID, d.ago(2*time.Minute), d.ago(2*time.Minute-300*time.Millisecond))
	for i, st := range []string{"searched", "incomplete", "out_of_scope", "waiting"} {
		d.add(`insert into search_mailbox (tenant, run, person, address, object_id, state, because, mend, matches, looked, changed) values ($1, $2, $3, $4, 'o', $5, $6, '', 1, 300, $7)`,
			huntRun, []string{string(jane), string(mirko), string(tocsin.NewPersonID(tenantID, "invoices@acme.example")), string(tocsin.NewPersonID(tenantID, "board@acme.example"))}[i], fmt.Sprintf("%d%s@acme.example", i, evilBlank), st, map[bool]string{true: "Microsoft asked to wait, again and again."}[st == "incomplete"], d.ago(time.Minute))
	}
	for i, subject := range []string{"Your invoice 4711", evilBidi, "", evilScript} {
		d.add(`insert into mail_match (tenant, investigation, person, message, id, address, internet_message_id, conversation, sender, sender_name, sender_domain, recipients, subject, received, day, folder, folder_name, is_read, has_attachments, department, truth, why, links, attachments, cluster, run, state, found, seen, changed)
			values ($1, $2, $3, $4, $5, 'jane.doe@acme.example', $6, 'c', $7, $8, 'evil.example', '["jane.doe@acme.example"]', $9, $10, $11, 'inbox', $12, $13, true, 'Finance', $14, $15, $16, $17, $18, $19, $20, $21, $21, $21)`,
			huntID, string([]tocsin.PersonID{jane, mirko}[i%2]), fmt.Sprintf("m%d", i), huntMail[:len(huntMail)-1]+fmt.Sprint(i), "<"+evilScript+fmt.Sprint(i)+"@evil.example>", evilBidi+"@evil.example", evilScript, subject, d.ago(time.Duration(30*i+1)*time.Hour), d.now.Add(-time.Duration(30*i+1)*time.Hour).UTC().Format(time.DateOnly), evilBidi, i%2 == 0,
			[]string{"yes", "unknown"}[i%2], js([]string{"subject:invoice", evilScript}), js([]string{"https://evil.example/" + evilScript}), js([]map[string]any{{"name": evilBidi, "type": "text/html", "size": 1200}}), map[bool]string{true: "k1"}[i < 2], huntRun, []string{"found", "acted", "gone", "restored"}[i], d.ago(time.Minute))
	}
	d.add(`insert into mail_cluster (tenant, investigation, id, subject, sender, body, created) values ($1, $2, 'k1', $3, $4, '{}', $5)`, huntID, evilBidi, evilScript, d.ago(time.Minute))
	plan := map[string]any{"does": "Moves " + evilScript, "touches": []string{"its folder"}, "not": []string{}, "can_undo": true, "undo": "It can be restored.", "approvals": []string{"More than 500 mails."}, "approval": true, "at": d.now, "blast": map[string]any{"messages": 2, "mailboxes": 2, "of": 40, "share": .05,
		"notable": []map[string]any{{"person": mirko, "who": "mirko@acme.example", "name": evilScript, "why": "Global Administrator", "messages": 1}}, "notables": 1, "senders": []any{}, "samples": []any{}, "left": []any{}}}
	for i, st := range []string{"running", "waiting_approval", "done"} {
		id := huntAct[:len(huntAct)-1] + fmt.Sprint(i+1)
		d.add(`insert into mail_act (tenant, id, investigation, kind, state, options, why, plan, asked_by, asked_email, because, created, changed, began) values ($1, $2, $3, 'quarantine', $4, '{}', $5, $6, 'x', 'olga@acme.example', $7, $8, $8, $8)`, id, huntID, st, evilScript, js(plan), map[bool]string{true: "Because it is so."}[i == 1], d.ago(time.Duration(i+1)*time.Minute))
		d.add(`insert into mail_act_change (tenant, act, id, at, who, change, note) values ($1, $2, $3, $4, '', 'planned', $5)`, id, tocsin.NewID(), d.ago(time.Minute), evilScript)
		for j, item := range []string{"done", "refused", "waiting"} {
			d.add(`insert into mail_act_item (tenant, act, id, part, person, object_id, who, message, sender, subject, state, because, changed) values ($1, $2, $3, 'mail', $4, 'o', 'jane.doe@acme.example', $5, $6, $7, $8, $9, $10)`,
				id, tocsin.NewID(), string(jane), fmt.Sprintf("m%d", j), evilScript, evilBidi, item, map[bool]string{true: "The mailbox is on hold."}[item == "refused"], d.ago(time.Minute))
			d.add(`insert into mail_act_count (tenant, act, part, state, n) values ($1, $2, 'mail', $3, 1)`, id, item)
		}
	}
	for i, st := range []string{"open", "in_work", "judged"} {
		id := huntSaid[:len(huntSaid)-1] + fmt.Sprint(i+1)
		d.add(`insert into reported_mail (tenant, id, at, way, source, part, reporter, reporter_name, reporter_person, proven, note, person, message, folder, state, because, sender, sender_name, sender_domain, subject, received, alike, status, verdict, judged_by, changed) values ($1, $2, $3, 'mailbox', $4, 0, 'jane.doe@acme.example', $5, $6, false, $7, $6, 'm1', $8, 'found', '', $9, $10, 'evil.example', $11, $3, $4, $12, $13, $14, $3)`,
			id, d.ago(time.Duration(i+1)*time.Hour), fmt.Sprintf("s%d", i), evilScript, string(jane), evilScript, evilBidi, evilBidi+"@evil.example", evilScript, evilBidi, st, map[bool]string{true: "malicious"}[st == "judged"], map[bool]string{true: "olga@acme.example"}[st == "judged"])
		d.add(`insert into reported_change (tenant, id, reported, at, who, change, note) values ($1, $2, $3, $4, '', 'reported', $5)`, tocsin.NewID(), id, d.ago(time.Hour), evilScript)
	}
}
