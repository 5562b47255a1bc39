package web

import (
	"context"
	"flag"
	"fmt"

	"tocsin.dev"
	"tocsin.dev/store"
)

var benchMails = flag.Int("pages.mails", 3000, "how many mails each of BenchmarkPages' thirty investigations found")

const benchHunts = 30

// huntOf is the id of one of the benchmark's investigations, and actOf of the act on what it found.
func huntOf(i int) string { return fmt.Sprintf("0190a000-0000-7000-8000-0001%08d", i) }
func actOf(i int) string  { return fmt.Sprintf("0190a000-0000-7000-8000-0002%08d", i) }

// manyMails stores thirty investigations of so many mails each, a search of every mailbox and an act on all of them.
func (s *site) manyMails(n, people int) {
	s.t.Helper()
	ms := tocsin.Millis(s.st.Clock().Now())
	series := func(n int) string {
		return fmt.Sprintf(`with recursive s(n) as (select 0 union all select n + 1 from s where n < %d) `, n-1)
	}
	person := fmt.Sprintf("printf('8a645229-af3a-542b-bafd-%%012d', n %% %d)", people)
	if err := s.st.UpdateTenant(context.Background(), tenantID, func(t *store.Tenant) error {
		for i := range benchHunts {
			id, run, act := huntOf(i), fmt.Sprintf("0190a000-0000-7000-8000-0003%08d", i), actOf(i)
			for _, q := range []struct {
				text string
				args []any
			}{
				{`insert into investigation (tenant, id, name, query, mode, every, status, reason, run, ends, created, created_by, changed) values ($1, $2, 'Invoices', 'url.domain:bad.example', 'once', 0, 'finished', 'Reported', $3, 0, $4, 'olga@acme.example', $4)`, []any{id, run, ms}},
				{`insert into investigation_version (tenant, investigation, version, at, who, note, body) values ($1, $2, 1, $3, 'olga@acme.example', '', '{"query":"url.domain:bad.example"}')`, []any{id, ms}},
				{`insert into search_run (tenant, id, investigation, n, version, query, cause, state, mailboxes, searched, incomplete, out_of_scope, matches, looked, fetched, calls, started, first_match) values ($1, $2, $3, 1, 1, 'url.domain:bad.example', 'olga@acme.example', 'done', $4, $4, 0, 0, $5, 1200, 14, 40, $6, $6)`, []any{run, id, people, n, ms}},
				{`insert into search_mailbox (tenant, run, person, address, object_id, state, because, mend, matches, looked, changed) ` + series(people) + `select $1, $2, ` + person + `, 'user' || n || '@acme.example', 'o' || n, case when n % 100 = 7 then 'incomplete' else 'searched' end, '', '', 1, 300, $3 from s`, []any{run, ms}},
				{`insert into mail_match (tenant, investigation, person, message, id, address, internet_message_id, conversation, sender, sender_name, sender_domain, recipients, subject, received, day, folder, folder_name, is_read, has_attachments, department, truth, why, links, attachments, cluster, run, state, found, seen, changed) ` + series(n) +
					`select $1, $2, ` + person + `, 'm' || n, printf('0190a000-0000-7000-8000-%04d%08d', $3, n), 'user' || (n % ` + fmt.Sprint(people) + `) || '@acme.example', '<' || n || '@bad.example>', 'c' || n, 'billing' || (n % 20) || '@bad.example', 'Billing', 'bad.example', '["user@acme.example"]', 'Invoice ' || (n % 400), $4 - n * 60000, strftime('%Y-%m-%d', ($4 - n * 60000) / 1000, 'unixepoch'), 'inbox', 'Inbox', n % 3 = 0, true, 'Department ' || (n % 12), case when n % 50 = 3 then 'unknown' else 'yes' end, '["url.domain:bad.example"]', '["https://pay.bad.example/x"]', '[{"name":"invoice.html","type":"text/html","size":1200}]', 'k' || (n % 7), $5, case when n % 2 = 0 then 'acted' else 'found' end, $4, $4, $4 from s`, []any{id, 4000 + i, ms, run}},
				{`insert into mail_act (tenant, id, investigation, kind, state, options, why, plan, asked_by, asked_email, because, created, changed, began) values ($1, $2, $3, 'quarantine', 'done', '{}', 'Phish', '{"does":"Moves them","touches":[],"not":[],"approvals":[],"blast":{"notable":[],"senders":[],"samples":[],"left":[]}}', 'x', 'olga@acme.example', '', $4, $4, $4)`, []any{act, id, ms}},
				{`insert into mail_act_item (tenant, act, id, part, person, object_id, who, message, sender, subject, state, because, changed) ` + series(n) + `select $1, $2, printf('0190a000-0000-7000-8000-%04d%08d', $3, n), 'mail', ` + person + `, 'o', 'user@acme.example', 'm' || n, 'billing@bad.example', 'Invoice', 'done', '', $4 from s`, []any{act, 5000 + i, ms}},
			} {
				if _, err := t.Exec(context.Background(), q.text, q.args...); err != nil {
					return fmt.Errorf("%.200s: %w", q.text, err)
				}
			}
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

// benchPage is a page that is measured.
type benchPage struct {
	name string
	path func(i int) string
}

func huntPages(at string) []benchPage {
	of := func(i int) string { return at + "/investigations/" + huntOf(i%benchHunts) }
	return []benchPage{
		{"investigations", func(int) string { return at + "/investigations" }},
		{"an investigation", of},
		{"explorer", func(i int) string { return of(i) + "/explorer" }},
		{"explorer, by sender, not opened", func(i int) string { return of(i) + "/explorer?pivot=sender&read=no" }},
		{"campaigns", func(i int) string { return of(i) + "/campaigns" }},
		{"who received and opened", func(i int) string { return of(i) + "/trails" }},
		{"mailboxes of a search", func(i int) string { return of(i) + "/mailboxes" }},
		{"mailboxes of a search, incomplete", func(i int) string { return of(i) + "/mailboxes?state=incomplete" }},
		{"history", func(i int) string { return of(i) + "/history" }},
		{"an act's choice", func(i int) string { return of(i) + "/act" }},
		{"acts on mails", func(int) string { return at + "/mailacts" }},
		{"an act on mails", func(i int) string { return at + "/mailacts/" + actOf(i%benchHunts) }},
		{"reported mails", func(int) string { return at + "/reported" }},
		{"mail configurations", func(int) string { return at + "/mail-configurations" }},
	}
}
