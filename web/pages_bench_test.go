package web

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

var (
	benchEvents = flag.Int("pages.events", 200_000, "how many events BenchmarkPages has stored (10,000,000 take some 8 GB in TMPDIR)")
	benchThings = flag.Int("pages.things", 2000, "how many groups, guests, devices, sites and applications BenchmarkPages has, of each")
	benchPeople = flag.Int("pages.people", 2000, "how many mailboxes BenchmarkPages has")
)

// manyEvents stores events of a year and a month, the last of a moment ago, of people in turn: nearly all mail, as
// in a tenant. They are written by the database itself, and indexed when they are all there.
func (s *site) manyEvents(n, people int) {
	s.t.Helper()
	ctx := context.Background()
	now := s.st.Clock().Now()
	do := func(q string, args ...any) {
		s.t.Helper()
		if err := s.st.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(ctx, q, args...); return err }); err != nil {
			s.t.Fatalf("%.300s: %v", q, err)
		}
	}
	const person = `printf('8a645229-af3a-542b-bafd-%%012d', %s)`
	to := func(column string) string { return fmt.Sprintf(person, column) }
	series := func(from, to int) string {
		return fmt.Sprintf(`with recursive s(n) as (select %d union all select n + 1 from s where n < %d) `, from, to)
	}
	day := int64(24 * time.Hour / time.Millisecond)
	ms := tocsin.Millis(now)
	do(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, licensed, mailbox, seen, changed) `+series(0, people-1)+
		`select $1, `+to("n")+`, 'o' || n, 'User ' || n, 'user' || n || '@acme.example', 'user' || n || '@acme.example', 'member', true, true, 'read', $2, $2 from s`, string(tenantID), ms)
	do(`insert into mailbox (tenant, person, purpose, timezone, rules_seen, settings_seen) `+series(0, people-1)+`select $1, `+to("n")+`, 'user', 'W. Europe Standard Time', $2, $2 from s`, string(tenantID), ms)
	do(`insert into subscription (tenant, person, connection, id, address, state, created, expires, due) `+series(0, people-1)+
		`select $1, `+to("n")+`, 'c1', 's' || n, 'https://hooks.example', case when n % 500 = 7 then 'refused' else 'on' end, $2, $2 + 500000000, $2 + 250000000 from s`, string(tenantID), ms)
	do(`insert into mail_ledger (tenant, person, since, heard, checked) `+series(0, people-1)+`select $1, `+to("n")+`, $2 - 30 * 86400000, $2 - n % 3600000, $2 - n % 86400000 from s`, string(tenantID), ms)
	do(`insert into mail_gap (tenant, person, began, ended, because, closed, found, lost) `+series(0, people*2-1)+
		`select $1, `+to(fmt.Sprintf("n %% %d", people))+`, $2 - 86400000 * (1 + n / `+fmt.Sprint(people)+`), $2 - 80000000, 'The server was off.', case when n % 1000 = 3 then 0 else $2 end, 3, 'What came and went.' from s`, string(tenantID), ms)
	do(`insert into mail_tally (tenant, grain, at, what, n) `+series(0, 48*60-1)+`select $1, 60000, ($2 / 60000 - n) * 60000, 'email_received', 100 from s`, string(tenantID), ms)
	do(`insert into mail_tally (tenant, grain, at, what, n) `+series(0, 48*60-1)+`select $1, 60000, ($2 / 60000 - n) * 60000, 'lag/500', 100 from s`, string(tenantID), ms)
	indexes := []string{"event_at on event (tenant, at)", "event_person on event (tenant, person, at)", "event_person_rare on event (tenant, person, at) where type <> 'EMAIL'", "event_run on event (tenant, run) where run > 0", "event_type on event (tenant, type, at)"}
	do(`create table told as select * from sqlite_stat1 where tbl = 'event'`) // what SQLite believes of an index goes with it
	for _, name := range []string{"event_at", "event_person", "event_person_rare", "event_run", "event_type"} {
		do(`drop index ` + name)
	}
	step := float64(395*day) / float64(n)
	for from := 0; from < n; from += 100_000 {
		last := min(from+100_000, n) - 1
		do(`insert into event (tenant, id, at, type, action, person, body, known, run) `+series(from, last)+`
			select $1, printf('5f0c4d3e-0000-5000-8000-%012d', n), cast($2 + n * $3 as integer), case when n % 200 = 11 then 'RULE' when n % 400 = 13 then 'FOLDER' else 'EMAIL' end,
			case when n % 200 = 11 then 'rule_created' when n % 400 = 13 then 'folder_created' when n % 9 < 3 then 'email_received' when n % 9 < 6 then 'email_read' when n % 9 = 6 then 'email_sent' when n % 9 = 7 then 'email_moved' else 'email_deleted' end,
			`+to(fmt.Sprintf("(n * 7919) %% %d", people))+`,
			'{"event_id":"' || n || '","event_type":"EMAIL","source":"OUTLOOK","payload":{"user":"user' || ((n * 7919) % `+fmt.Sprint(people)+`) || '@acme.example","from_domain":"' || case when n % 4 = 0 then 'partner' || (n % 50) || '.example' else 'acme.example' end
				|| '","is_external_sender":' || case when n % 4 = 0 then 'true' else 'false' end || ',"recipient_count":2,"to_domains":["acme.example"]},"raw_metadata":{"from_address":"user' || (n % 1000) || '@' || case when n % 4 = 0 then 'partner' || (n % 50) || '.example' else 'acme.example' end
				|| '","from_name":"Somebody","internet_message_id":"<' || n || '@acme.example>","conversation_id":"c' || (n / 7) || '","folder":"inbox"},"platform_event_id":"AAMk' || n || '"}',
			'{"by":"told","noticed":1774000000000,"looked":1774000000120,"folded":1774000000160,"named":1,"change":"created"}', n / 100 + 1 from s`,
			string(tenantID), ms-395*day, step)
	}
	for _, x := range indexes {
		do(`create index ` + x)
	}
	do(`insert into sqlite_stat1 select * from told`)
	do(`drop table told`)
	do(`analyze sqlite_schema`)
}

// manyState stores how the tenant of so many people is set, and what the checks came to, five of them for a thousand persons.
func (s *site) manyState(people int) {
	s.t.Helper()
	ctx := context.Background()
	ms := tocsin.Millis(s.st.Clock().Now())
	series := func(n int) string {
		return fmt.Sprintf(`with recursive s(n) as (select 0 union all select n + 1 from s where n < %d) `, n-1)
	}
	object := func(path string, n int, body string) string {
		return fmt.Sprintf(`insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) %s select $1, '%s', printf('00000000-0000-4000-8000-%%012d', n), 'Name ' || n, %s, n, $2, $2, 0 from s where true on conflict do nothing`, series(n), path, body)
	}
	id := `printf('00000000-0000-4000-8000-%012d', n)`
	queries := []string{
		object("/users", people, `'{"id":"' || `+id+` || '","displayName":"User ' || n || '","userPrincipalName":"user' || n || '@acme.example","userType":"Member","accountEnabled":true,"assignedLicenses":[{"skuId":"05e9a617-0261-4cee-bb44-138d3ef5d965"}],"signInActivity":{"lastSignInDateTime":"2026-03-01T08:00:00Z"}}'`),
		object("/deviceManagement/managedDevices", *benchThings, `'{"id":"' || `+id+` || '","deviceName":"PC-' || n || '","operatingSystem":"Windows","osVersion":"10.0.' || (19045 + n % 3 * 3500) || '.1","complianceState":"' || case when n % 50 = 0 then 'noncompliant' else 'compliant' end || '","isEncrypted":true,"manufacturer":"Maker","model":"Model ' || (n % 40) || '","userPrincipalName":"user' || n || '@acme.example","lastSyncDateTime":"2026-0' || (1 + n % 9) || '-01T00:00:00Z"}'`),
		object("/sites", *benchThings, `'{"id":"' || `+id+` || '","displayName":"Group ' || n || '","webUrl":"https://acme.sharepoint.example/sites/' || n || '","createdDateTime":"2024-0' || (1 + n % 9) || '-01T00:00:00Z"}'`),
		object("/groups", *benchThings, `'{"id":"' || `+id+` || '","displayName":"Group ' || n || '","visibility":"' || case when n % 500 = 7 then 'Public' else 'Private' end || '","groupTypes":["Unified"]}'`),
		object("/identity/conditionalAccess/policies", 30, `'{"id":"' || `+id+` || '","displayName":"CA' || n || '","state":"enabled","conditions":{"clientAppTypes":["all"],"users":{"includeUsers":["All"],"excludeUsers":["' || `+id+` || '"],"excludeGroups":["' || `+id+` || '"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}'`),
		object("/roleManagement/directory/roleAssignments", 200, `'{"id":"' || `+id+` || '","principalId":"' || `+id+` || '","roleDefinitionId":"62e90394-69f5-4237-9190-012177145e10","directoryScopeId":"/"}'`),
		object("/servicePrincipals", *benchThings, `'{"id":"' || `+id+` || '","appId":"' || `+id+` || '","displayName":"App ' || n || '","accountEnabled":true,"appRoles":[],"appRoleAssignments":[]}'`),
	}
	var found []posture.Object
	for i := range 1000 {
		found = append(found, posture.Object{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: fmt.Sprintf("User %d", i), Path: "/users", Why: "no policy asks a second factor"})
	}
	long, err := json.Marshal(found)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.st.UpdateTenant(ctx, tenantID, func(t *store.Tenant) error {
		for _, q := range queries {
			if _, err := t.Exec(ctx, q, ms); err != nil {
				return fmt.Errorf("%.300s: %w", q, err)
			}
		}
		if _, err := t.Exec(ctx, `insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, licensed, mailbox, created, seen, changed) `+series(*benchThings)+`select $1, 'guest-' || n, 'guest-' || n, 'Guest ' || n, 'guest' || n || '_partner' || (n % 50) || '.example#EXT#@acme.example', 'guest' || n || '@partner' || (n % 50) || '.example', 'guest', true, false, 'none', $2 - n * 60000, $2, $2 from s`, ms); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) `+series(*benchThings)+`select $1, '/users', 'guest-' || n, 'Guest ' || n, '{"id":"guest-' || n || '","displayName":"Guest ' || n || '","userType":"Guest","externalUserState":"' || case when n % 20 = 0 then 'PendingAcceptance' else 'Accepted' end || '","signInActivity":{"lastSignInDateTime":"2026-02-01T08:00:00Z"}}', n, $2, $2, 0 from s`, ms); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `insert into state_path (tenant, path, read_at, changed, reason, because) select distinct tenant, path, $2, $2, '', '' from state_object where tenant = $1 on conflict do nothing`, ms); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `update state_path set listed = 0 where tenant = $1`); err != nil {
			return err
		}
		for i, c := range posture.Checks {
			of := "[]"
			if i%25 == 0 {
				of = string(long)
			}
			if _, err := t.Exec(ctx, `insert into posture_result (tenant, id, status, reason, why, found, owner, expires, since, judged, n) values ($1, $2, 'fail', '', 'So it is.', $3, '', 0, $4, $4, 1000) on conflict do nothing`, c.ID, of, ms); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	if err := collect.Relist(ctx, s.st); err != nil {
		s.t.Fatal(err)
	}
}

// BenchmarkPages asks every page that lists events, or counts what is told of mailboxes, with -pages.events of them stored, as
// people do: whole pages over HTTP, each time as if for the first. What counts is p95: DESIGN part 10 has it below 100 ms with 10 million.
func BenchmarkPages(b *testing.B) {
	s := newSite(b)
	s.claim()
	s.fill()
	began := time.Now()
	s.manyEvents(*benchEvents, *benchPeople)
	s.manyState(*benchPeople)
	s.manyMails(*benchMails, *benchPeople)
	b.Logf("%d events of %d mailboxes stored in %s", *benchEvents, *benchPeople, time.Since(began).Round(time.Millisecond))
	ctx, stop := context.WithCancel(context.Background())
	kept := make(chan error, 1)
	go func() { kept <- collect.KeepCount(ctx, s.st, tenantID) }()
	defer func() { stop(); <-kept }()
	if *benchPeople >= 5000 {
		for counted, by := 0, time.Now().Add(5*time.Minute); counted == 0; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(by) {
				b.Fatal("the mailboxes were not counted in 5 minutes")
			}
			if err := s.st.ViewTenant(ctx, tenantID, func(t *store.Tenant) error {
				return t.QueryRow(ctx, `select count(*) from stream_count where tenant = $1`).Scan(&counted)
			}); err != nil {
				b.Fatal(err)
			}
		}
	}
	at := "/t/" + string(tenantID)
	of := func(i int) string { return fmt.Sprintf("8a645229-af3a-542b-bafd-%012d", i*104729%*benchPeople) }
	for _, p := range append(huntPages(at), []benchPage{
		{"tail", func(int) string { return at + "/stream" }},
		{"tail, of an action", func(i int) string { return at + "/stream?action=" + []string{"email_sent", "email_moved"}[i%2] }},
		{"tail, from a domain outside", func(i int) string { return fmt.Sprintf("%s/stream?from=outside&domain=partner%d.example", at, i%50) }},
		{"tail, of a person", func(i int) string { return at + "/stream?person=" + of(i) }},
		{"tail, of a mailbox", func(i int) string { return fmt.Sprintf("%s/stream?mailbox=user%d@acme.example", at, i*31%*benchPeople) }},
		{"tail, nothing fits", func(i int) string { return fmt.Sprintf("%s/stream?q=nobody%d", at, i) }},
		{"an event", func(i int) string {
			return fmt.Sprintf("%s/stream/events/5f0c4d3e-0000-5000-8000-%012d", at, i*99991%*benchEvents)
		}},
		{"health", func(int) string { return at + "/stream/health" }},
		{"gaps", func(int) string { return at + "/stream/gaps" }},
		{"mailboxes", func(int) string { return at + "/stream/mailboxes" }},
		{"mailboxes refused", func(int) string { return at + "/stream/mailboxes?state=refused" }},
		{"mailboxes with a gap", func(int) string { return at + "/stream/mailboxes?state=gaps" }},
		{"mailboxes silent", func(int) string { return at + "/stream/mailboxes?state=silent" }},
		{"a mailbox", func(i int) string { return at + "/mailboxes/" + of(i) }},
		{"a mailbox over time", func(i int) string { return at + "/mailboxes/" + of(i) + "/time" }},
		{"a mailbox over time, rules", func(i int) string { return at + "/mailboxes/" + of(i) + "/time?kind=rule" }},
		{"an identity", func(i int) string { return at + "/identities/" + of(i) }},
		{"identities", func(int) string { return at + "/identities" }},
		{"findings", func(int) string { return at + "/findings" }},
		{"overview", func(int) string { return at + "/overview" }},
		{"posture", func(int) string { return at + "/posture" }},
		{"posture, what fails", func(int) string { return at + "/posture?status=fail" }},
		{"conditional access", func(int) string { return at + "/access" }},
		{"conditional access, asked", func(i int) string { return fmt.Sprintf("%s/access?person=user%d@acme.example", at, i*31%*benchPeople) }},
		{"roles", func(int) string { return at + "/privileges" }},
		{"applications", func(int) string { return at + "/applications" }},
		{"applications, of a name", func(i int) string { return fmt.Sprintf("%s/applications?q=app+%d", at, i*31%*benchThings) }},
		{"groups", func(int) string { return at + "/groups" }},
		{"groups, of a name", func(i int) string { return fmt.Sprintf("%s/groups?q=group+%d", at, i*31%*benchThings) }},
		{"groups, that mean something", func(int) string { return at + "/groups?sort=meaning" }},
		{"groups, public", func(int) string { return at + "/groups?public=true" }},
		{"guests", func(int) string { return at + "/guests" }},
		{"guests, of a name", func(i int) string { return fmt.Sprintf("%s/guests?q=guest%d@", at, i*31%*benchThings) }},
		{"guests, pending", func(int) string { return at + "/guests?state=pending" }},
		{"guests, whom nobody asks", func(int) string { return at + "/guests?no_factor=true" }},
		{"devices", func(int) string { return at + "/devices" }},
		{"devices, of a name", func(i int) string { return fmt.Sprintf("%s/devices?q=pc-%d", at, i*31%*benchThings) }},
		{"devices, silent longest", func(int) string { return at + "/devices?sort=synced" }},
		{"devices, not compliant", func(int) string { return at + "/devices?compliance=noncompliant" }},
		{"sites", func(int) string { return at + "/sites" }},
		{"sites, of a name", func(i int) string { return fmt.Sprintf("%s/sites?q=sites/%d", at, i*31%*benchThings) }},
		{"exports", func(int) string { return at + "/settings/exports" }},
		{"retention", func(int) string { return "/settings/retention" }},
	}...) {
		b.Run(p.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				path := p.path(len(took))
				began := time.Now()
				r, err := s.Get(s.URL + path)
				if err != nil {
					b.Fatal(err)
				}
				_, err = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				took = append(took, time.Since(began))
				if err != nil || r.StatusCode != http.StatusOK {
					b.Fatalf("%s: %d %v", path, r.StatusCode, err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
