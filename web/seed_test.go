package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/dial"
	exports "tocsin.dev/export"
	"tocsin.dev/graph"
	"tocsin.dev/investigate"
	"tocsin.dev/notify"
	"tocsin.dev/remediate"
	"tocsin.dev/secret"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const (
	tenantID = tocsin.TenantID("7e1b1f7a-5c2e-4a36-9d5e-0a4b5f7d2c11")
	otherID  = tocsin.TenantID("0b7c8f1e-1111-4a36-9d5e-0a4b5f7d2c22")
	bareID   = tocsin.TenantID("5a5a8f1e-2222-4a36-9d5e-0a4b5f7d2c33")
	owner    = "owner@acme.example"
	password = "correct horse battery staple"

	// Names that strangers wrote, as hostile as they come.
	evilScript = `<script>alert(1)</script><img src=x onerror=alert(2)>`
	evilBidi   = "invoice\u202egpj.exe"
	evilBlank  = "\u200b\u200b"
)

// site is the pages on a store, with a browser that keeps cookies.
type site struct {
	*httptest.Server
	st  *store.Store
	svc *api.Service
	t   testing.TB
	*http.Client
	keeper *secret.Keeper
}

// newSite serves the pages on an empty store.
func newSite(t testing.TB) *site {
	st := storetest.SQLite(t)
	keeper, err := secret.Open(context.Background(), secret.Source{File: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	alerts := &notify.Alerts{Store: st, Keeper: keeper, Guard: &dial.Guard{}, SMTP: notify.SMTP{Host: "127.0.0.1", Port: 1, From: "tocsin@acme.example", TLS: notify.Plain}}
	svc := api.New(st, api.Options{Sealer: keeper, Alerts: alerts, Exports: &exports.Exports{Store: st, Keeper: keeper, Guard: &dial.Guard{}}, Desk: noWay(st), Investigations: noSearch(st), Connections: &connect.Connections{Store: st, Keeper: keeper}, Connect: api.Connect{
		Test:   func(context.Context, string, tocsin.TenantID, string) error { return nil },
		Limits: seedLimits,
		Create: func(_ context.Context, _ string, c api.ConnectionNew) (tocsin.TenantID, string, error) {
			return "", "", tocsin.Problemf(tocsin.Invalid, "Copy the secret's value, not its id.", "Microsoft does not accept the secret for %s.", c.ClientID)
		},
	}})
	srv := httptest.NewServer(New(svc, Options{Clock: st.Clock()}))
	t.Cleanup(srv.Close)
	s := &site{Server: srv, st: st, svc: svc, keeper: keeper, t: t}
	s.Client = s.browser()
	return s
}

// noWay is a desk that can plan, and whose tenants are connected to nothing.
func noWay(st *store.Store) *remediate.Desk {
	return &remediate.Desk{Store: st, Ways: func(context.Context, tocsin.TenantID, string) (string, string, *graph.Client, error) {
		return "", "", nil, tocsin.Problemf(tocsin.Denied, "Grant it.", "The permission is not granted.")
	}}
}

// noSearch is a desk for investigations whose tenants are connected to nothing.
func noSearch(st *store.Store) *investigate.Desk {
	return &investigate.Desk{Store: st, Ways: func(context.Context, tocsin.TenantID, string, string) (investigate.Way, error) {
		return investigate.Way{}, tocsin.Problemf(tocsin.Denied, "Grant it.", "The permission is not granted.")
	}}
}

// browser is a client with cookies of its own.
func (s *site) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 2 * time.Minute}
}

// claim makes the first owner and signs them in.
func (s *site) claim() {
	s.t.Helper()
	token, err := s.svc.SetupLink(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	code, body := s.post("/setup", "token", token, "email", owner, "name", "Olga Owner", "password", password)
	if code != http.StatusOK || !strings.Contains(body, "Sign out") {
		s.t.Fatalf("claim: %d\n%s", code, body)
	}
}

// get gives a page's status and text.
func (s *site) get(path string) (int, string) {
	s.t.Helper()
	r, err := s.Get(s.URL + path)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.StatusCode, text(s.t, r)
}

// post sends a form and follows where it leads.
func (s *site) post(path string, pairs ...string) (int, string) {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r, err := s.PostForm(s.URL+path, form)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.StatusCode, text(s.t, r)
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	var b strings.Builder
	if _, err := fmt.Fprint(&b, readAll(t, r)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// seeder writes rows of a tenant, and fails the test where one is refused.
type seeder struct {
	t   testing.TB
	tn  *store.Tenant
	now time.Time
}

func (s seeder) add(q string, args ...any) {
	s.t.Helper()
	if _, err := s.tn.Exec(context.Background(), q, args...); err != nil {
		s.t.Fatalf("%s: %v", q, err)
	}
}

func (s seeder) ago(d time.Duration) int64 { return tocsin.Millis(s.now.Add(-d)) }

func js(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type seedPerson struct {
	id                           tocsin.PersonID
	name, upn, title, department string
	mailbox, because, purpose    string
	admin, guest, blocked        bool
}

// fill seeds a tenant with people, mailboxes, rules, findings and all the rest, hostile names among them.
func (s *site) fill() {
	s.t.Helper()
	ctx := context.Background()
	err := s.st.Update(ctx, func(tx *store.Tx) error {
		for _, t := range []struct {
			id           tocsin.TenantID
			name, domain string
		}{{tenantID, "Acme Industries", "acme.onmicrosoft.example"}, {otherID, "Umbra Foods", "umbra.onmicrosoft.example"}, {bareID, "Bare Ltd", "bare.onmicrosoft.example"}} {
			if _, err := tx.Tenant(t.id).Exec(ctx, `insert into tenant (tenant, name, initial_domain, created) values ($1, $2, $3, $4)`, t.name, t.domain, tocsin.Millis(s.st.Clock().Now())); err != nil {
				return err
			}
		}
		d := seeder{s.t, tx.Tenant(tenantID), s.st.Clock().Now()}
		d.surroundings()
		people := d.people()
		d.rules(people)
		d.findings(people)
		d.entra(people)
		d.behaviour(people)
		d.hunt()
		d.inbox()
		return nil
	})
	if err == nil {
		err = errors.Join(collect.AgeRisks(ctx, s.st), collect.Relist(ctx, s.st))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (d seeder) surroundings() {
	d.add(`insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, created, proven) values ($1, 'c1', 'Acme, read', 'global', 'b0f8a1d2-7a41-4d7e-8f2f-3c1d2a9e7b10', 'certificate', $2, 'on', $3, $4)`, []byte("x"), d.ago(40*24*time.Hour), d.ago(3*time.Minute))
	for _, c := range [][4]string{
		{"directory", "works", "", ""}, {"domains", "works", "", ""}, {"roles", "works", "", ""}, {"mailbox-rules", "works", "", ""},
		{"mailbox-settings", "degraded", "MailboxSettings.Read is granted for some mailboxes only: shared mailboxes outside the scope are not known.", "In Entra, widen the application access policy, then test the connection."},
		{"mailbox-forwarding", "off", "Microsoft Graph does not tell of them. Forwarding set on the mailbox itself, delegation and transport rules are not seen here.", "Export the unified audit log from Purview and run `tocsin analyze` on it."},
	} {
		d.add(`insert into capability (tenant, connection, name, state, because, mend, checked) values ($1, 'c1', $2, $3, $4, $5, $6)`, c[0], c[1], c[2], c[3], d.ago(3*time.Minute))
	}
	for i, n := range []string{"users", "groups", "domains", "roles", "mailbox-rules", "mailbox-settings"} {
		d.add(`insert into source (tenant, name, started, succeeded, due, done, total) values ($1, $2, $3, $4, $5, 412, 412)`, n, d.ago(time.Duration(i+4)*time.Minute), d.ago(time.Duration(i+2)*time.Minute), tocsin.Millis(d.now.Add(time.Duration(i+3)*time.Minute)))
	}
	d.add(`update source set failed = $3, because = 'Microsoft answered 403: the permission GroupMember.Read.All is not granted.', mend = 'Add it to the app registration and grant consent.', succeeded = 0 where tenant = $1 and name = $2`, "groups", d.ago(time.Minute))
	for _, n := range []string{"acme.example", "acme.onmicrosoft.example", "acme-labs.example"} {
		d.add(`insert into domain (tenant, name, is_default, is_verified, authentication, seen) values ($1, $2, $3, true, 'Managed', $4)`, n, n == "acme.example", d.ago(time.Minute))
	}
	d.add(`insert into partner (tenant, domain, owner, reason, expires, created) values ($1, 'auditors.example', 'olga@acme.example', $2, $3, $4)`, evilScript, tocsin.Millis(d.now.AddDate(0, 5, 0)), d.ago(24*time.Hour))
	for i, st := range []string{"waiting_approval", "verified", "failed", "undone"} {
		id := tocsin.NewID()
		d.add(`insert into action (tenant, id, kind, state, person, who, object_id, target, name, finding, why, plan, asked_by, asked_email, because, created, changed) values ($1, $2, 'delete_rule', $3, $4, 'jane.doe@acme.example', 'o', $10, $5, '', $6, $7, 'x', 'olga@acme.example', $8, $9, $9)`,
			id, st, string(tocsin.NewPersonID(tenantID, "jane.doe@acme.example")), evilBidi, evilScript, js(map[string]any{"does": "Deletes " + evilScript, "touches": []string{evilBlank}, "before": map[string]any{"displayName": evilScript}, "can_undo": true, "undo": "It can."}), "Because it is so.", d.ago(time.Duration(i)*time.Hour), seedRules()[0].ID)
		d.add(`insert into action_change (tenant, action, id, at, who, change, note) values ($1, $2, $3, $4, '', $5, $6)`, id, tocsin.NewID(), d.ago(time.Hour), st, evilScript)
	}
	d.add(`insert into exception (tenant, id, rule, scope, value, owner, reason, expires, created, created_by) values ($1, 'x1', '*', 'address', $2, 'olga@acme.example', 'The archive of the works council', $3, $4, 'olga@acme.example')`, "archive"+evilBlank+"@vault.example", tocsin.Millis(d.now.AddDate(0, 2, 0)), d.ago(48*time.Hour))
}

func (d seeder) people() []seedPerson {
	ps := []seedPerson{
		{name: "Jane Doe", upn: "jane.doe@acme.example", title: "Chief Financial Officer", department: "Finance", mailbox: "read", purpose: "user"},
		{name: "Mirko Petrović", upn: "mirko@acme.example", title: "IT administrator", department: "IT", mailbox: "read", purpose: "user", admin: true},
		{name: "Invoices", upn: "invoices@acme.example", mailbox: "read", purpose: "shared"},
		{name: evilScript, upn: "x\"'><b>@acme.example", title: evilBidi, mailbox: "read", purpose: "user"},
		{name: "Board Room", upn: "board@acme.example", mailbox: "read", purpose: "room", blocked: true},
		{name: "Gus Guest", upn: "gus_partner.example#EXT#@acme.example", mailbox: "none", because: "No licence with Exchange Online is assigned.", guest: true},
		{name: "Pat On-Prem", upn: "pat@acme.example", title: "Plant manager", department: "Production", mailbox: "none", because: "The mailbox is on-premises, or there is none: the account is synchronised and has no Exchange Online plan."},
		{name: "Nora New", upn: "nora@acme.example", title: "Buyer", department: "Purchasing", mailbox: "unknown"},
	}
	first := []string{"Amara", "Ben", "Chen", "Dana", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kofi", "Lena"}
	last := []string{"Abebe", "Brandt", "Costa", "Diallo", "Eriksen", "Fischer", "Gomez", "Haas"}
	for i := range 60 {
		f, l := first[i%len(first)], last[(i*5+i/12)%len(last)]
		p := seedPerson{name: f + " " + l, upn: strings.ToLower(fmt.Sprintf("%s.%s%d@acme.example", f, l, i)), title: []string{"Engineer", "Buyer", "Accountant", "Sales"}[i%4], department: []string{"R&D", "Purchasing", "Finance", "Sales"}[i%4], mailbox: "read", purpose: "user"}
		if i%17 == 0 {
			p.mailbox, p.because = "out_of_scope", "Exchange lets this application into some mailboxes only, and this is none of them (RBAC for Applications or an application access policy)."
		}
		ps = append(ps, p)
	}
	for i := range ps {
		p := &ps[i]
		p.id = tocsin.NewPersonID(tenantID, p.upn)
		kind := "member"
		if p.guest {
			kind = "guest"
		}
		d.add(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, synced, licensed, department, title, addresses, created, mailbox, mailbox_because, seen, changed) values ($1, $2, $3, $4, $5, $5, $6, $7, $8, true, $9, $10, $11, $12, $13, $14, $15, $15)`,
			p.id, fmt.Sprintf("00000000-0000-4000-8000-%012d", i), p.name, p.upn, kind, !p.blocked, i%3 == 0, p.department, p.title, js([]string{p.upn, "alias." + p.upn}), d.ago(time.Duration(300+i)*24*time.Hour), p.mailbox, p.because, d.ago(5*time.Minute))
		d.add(`insert into person_address (tenant, address, person) values ($1, $2, $3)`, strings.ToLower(p.upn), p.id)
		if p.mailbox == "read" {
			d.add(`insert into mailbox (tenant, person, purpose, timezone, language, auto_reply, rules_seen, rules_count, settings_seen) values ($1, $2, $3, 'Europe/Berlin', 'de-DE', $4, $5, $6, $5)`, p.id, p.purpose, js(tocsin.AutoReply{Status: "disabled"}), d.ago(time.Duration(2+i%9)*time.Minute), i%3)
		}
	}
	d.add(`insert into directory_role (tenant, id, name, template, seen) values ($1, 'r1', 'Global Administrator', '62e90394-69f5-4237-9190-012177145e10', $2)`, d.ago(time.Minute))
	d.add(`insert into role_member (tenant, role, object_id, person, name, seen) values ($1, 'r1', 'o1', $2, 'Mirko Petrović', $3)`, ps[1].id, d.ago(time.Minute))
	return ps
}

// entra is what the directory tells of people: methods, managers, devices, sign-ins, and of one of them that she is at risk.
func (d seeder) entra(ps []seedPerson) {
	object := func(path, id, name, body string) {
		d.add(`insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) values ($1, $2, $3, $4, $5, 'h', 1, 1, 0)`, path, id, name, body)
	}
	for _, path := range []string{"/users", "/reports/authenticationMethods/userRegistrationDetails", "/deviceManagement/managedDevices", "/roleManagement/directory/roleEligibilityScheduleInstances", "/roleManagement/directory/roleAssignmentScheduleInstances", "/roleManagement/directory/roleAssignments", "/roleManagement/directory/roleDefinitions"} {
		d.add(`insert into state_path (tenant, path, read_at, changed, reason, because) values ($1, $2, 1, 1, '', '')`, path)
	}
	id := func(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }
	for i, p := range ps {
		if i%4 != 3 {
			object("/users", id(i), p.name, fmt.Sprintf(`{"id":%q,"displayName":%s,"signInActivity":{"lastSignInDateTime":%q},"manager":{"id":%q,"displayName":%s}}`, id(i), js(p.name), d.now.Add(-time.Duration(i*7)*time.Hour).UTC().Format(time.RFC3339), id(3), js(evilScript)))
			object("/reports/authenticationMethods/userRegistrationDetails", id(i), p.name, fmt.Sprintf(`{"id":%q,"isMfaRegistered":%v,"isMfaCapable":%v,"methodsRegistered":["microsoftAuthenticatorPush","fido2SecurityKey"]}`, id(i), i%5 != 1, i%5 != 2))
		}
	}
	jane := ps[0]
	object("/deviceManagement/managedDevices", "dev1", "LE-0001", fmt.Sprintf(`{"id":"dev1","deviceName":%s,"userId":%q,"operatingSystem":"Windows","osVersion":"10.0.26100.2161","complianceState":"compliant","isEncrypted":true,"lastSyncDateTime":"2026-03-01T00:00:00Z"}`, js(evilBidi), id(0)))
	object("/deviceManagement/managedDevices", "dev2", "AP-0002", fmt.Sprintf(`{"id":"dev2","deviceName":"AP-0002","userId":%q,"operatingSystem":"iOS","osVersion":"18.1","complianceState":"noncompliant","isEncrypted":false,"lastSyncDateTime":null}`, id(0)))
	object("/roleManagement/directory/roleDefinitions", "62e90394-69f5-4237-9190-012177145e10", "Global Administrator", `{"id":"62e90394-69f5-4237-9190-012177145e10","templateId":"62e90394-69f5-4237-9190-012177145e10","displayName":"Global Administrator"}`)
	object("/roleManagement/directory/roleEligibilityScheduleInstances", "e1", "", fmt.Sprintf(`{"id":"e1","principalId":%q,"roleDefinitionId":"62e90394-69f5-4237-9190-012177145e10","directoryScopeId":"/"}`, id(0)))
	d.add(`insert into protection (tenant, object_id, kind, person, name, level, state, detail, at, seen) values ($1, $2, 'user', $3, 'Jane Doe', 'high', 'at_risk', 'none', $4, $4)`, id(0), jane.id, d.ago(3*time.Hour))
	for i := range 24 {
		place := []struct{ city, country, ip, asn, at, to, result string }{{"Leeds", "GB", "81.2.69.160", "2856", "53.8", "-1.55", "success"}, {"Lagos", "NG", "105.112.0.9", "29465", "6.45", "3.39", "success"}, {"Bucharest", "RO", "185.220.101.7", "9009", "44.43", "26.1", "failure"}, {"", "BR", "200.1.1.1", "", "", "", "failure"}}[max(0, i%8-4)%4]
		sid, at := fmt.Sprintf("seed-sign-in-%d", i), d.ago(time.Duration(i*11)*time.Hour)
		d.add(`insert into sign_in (tenant, id, record, at, seen, kind, person, actor, app, ip, asn, country, city, latitude, longitude, client, system, browser, result, error, mfa, risk) values ($1, $2, $2, $3, $3, 'interactive', $4, $5, 'Office 365 Exchange Online', $6, $7, $8, $9, $10, $11, 'Browser', 'Windows 11', 'Edge 140.0.0', $12, $13, $14, $15)`,
			sid, at, jane.id, jane.upn, place.ip, place.asn, place.country, place.city, place.at, place.to, place.result, map[string]string{"failure": "50126", "success": "0"}[place.result], []string{"asked", "claim", "single"}[i%3], []string{"", "high"}[map[bool]int{true: 1}[place.city == "Lagos"]])
		body := tocsin.Event{EventType: "SIGN_IN", Payload: json.RawMessage(fmt.Sprintf(`{"user":%q,"action":"signed_in","app":%s,"ip":%q,"country":%q,"city":%q,"result":%q,"error":"50126","mfa":"asked"}`, jane.upn, js(evilScript), place.ip, place.country, place.city, place.result))}
		d.add(`insert into event (tenant, id, at, type, action, person, body) values ($1, $2, $3, 'SIGN_IN', 'signed_in', $4, $5)`, tocsin.NewID(), at, jane.id, js(body))
	}
	d.add(`insert into event (tenant, id, at, type, action, person, body) values ($1, $2, $3, 'AUDIT', 'directory_changed', $4, $5)`, tocsin.NewID(), d.ago(2*time.Hour), jane.id, `{"event_type":"AUDIT","payload":{"user":"mirko@acme.example","action":"directory_changed","name":"Update user","target":"jane.doe@acme.example"}}`)
	for i, r := range []int{12, 40, 40, 95, 71} {
		d.add(`insert into identity_risk_change (tenant, person, at, risk, why) values ($1, $2, $3, $4, 'A rule sends mail outside')`, jane.id, d.ago(time.Duration(30-6*i)*24*time.Hour), r)
	}
}

func seedRules() []tocsin.MailRule {
	out := func(a string) []tocsin.Address { return []tocsin.Address{{Name: "x", Address: a}} }
	return []tocsin.MailRule{
		{ID: "AQAAAJ5dZp8=", Name: ".", Enabled: true, Forward: out("collector@mailbox-drop.example"), MarkRead: true, Stop: true,
			Conditions: []tocsin.Term{{Name: "body_or_subject_contains", Values: []string{"invoice", "IBAN", "wire\u200b transfer"}}}, MoveTo: &tocsin.Folder{ID: "f1", Name: "RSS Feeds", WellKnown: "rssfeeds"}},
		{ID: "AQAAAJ5dZp9+/", Name: evilBlank, Enabled: true, Redirect: out("collector@mailbox-drop.example"), Delete: true},
		{ID: "AQAAAJ5dZpA=", Name: evilScript, Enabled: true, Forward: out(`"><script>alert(3)</script>@evil.example`)},
		{ID: "AQAAAJ5dZpB=", Name: evilBidi, Enabled: false, Delete: true, Conditions: []tocsin.Term{{Name: "from_addresses", Values: []string{"security@acme.example"}}}},
		{ID: "AQAAAJ5dZpC=", Name: "Newsletters", Enabled: true, MoveTo: &tocsin.Folder{ID: "f2", Name: "Newsletters", WellKnown: "none"}, Conditions: []tocsin.Term{{Name: "sender_contains", Values: []string{"news@"}}}, Exceptions: []tocsin.Term{{Name: "sent_to_me", Values: []string{"true"}}}},
		{ID: "AQAAAJ5dZpD=", Name: "To my deputy", Enabled: true, Forward: out("mirko@acme.example"), Conditions: []tocsin.Term{{Name: "subject_contains", Values: []string{"urgent"}}}},
	}
}

func (d seeder) rules(ps []seedPerson) {
	risks := []int64{95, 82, 71, 44, 0, 0}
	for i, r := range seedRules() {
		p := ps[i%4]
		outside := i < 3
		raw := js(map[string]any{"id": r.ID, "displayName": r.Name, "sequence": i + 1, "isEnabled": r.Enabled, "isReadOnly": false, "hasError": false,
			"conditions": map[string]any{"bodyOrSubjectContains": []string{"invoice", "wire\u200b transfer"}}, "actions": map[string]any{"forwardTo": []any{map[string]any{"emailAddress": map[string]string{"name": "x", "address": "collector@mailbox-drop.example"}}}, "markAsRead": true}})
		deleted := int64(0)
		if i == 3 {
			deleted = d.ago(26 * time.Hour)
		}
		d.add(`insert into mail_rule (tenant, person, id, name, enabled, body, raw, targets, outside, risk, first_seen, changed, seen, deleted) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			p.id, r.ID, r.Name, r.Enabled, js(r), raw, len(r.Targets()), outside, risks[i], d.ago(time.Duration(i*30+3)*time.Hour), d.ago(time.Duration(i*20+2)*time.Hour), d.ago(3*time.Minute), deleted)
		for _, a := range r.Forward {
			d.add(`insert into rule_target (tenant, address, person, rule, verb, outside) values ($1, $2, $3, $4, 'forward', $5)`, a.Canonical(), p.id, r.ID, outside)
		}
		for _, a := range r.Redirect {
			d.add(`insert into rule_target (tenant, address, person, rule, verb, outside) values ($1, $2, $3, $4, 'redirect', $5)`, a.Canonical(), p.id, r.ID, outside)
		}
		before := r
		before.Enabled, before.Forward, before.Name = !r.Enabled, nil, "Old name"
		d.add(`insert into rule_change (tenant, person, rule, at, id, change, before, after) values ($1, $2, $3, $4, $5, 'updated', $6, $7)`, p.id, r.ID, d.ago(time.Duration(i*20+2)*time.Hour), tocsin.NewID(), js(before), js(r))
		d.add(`insert into rule_change (tenant, person, rule, at, id, change, before, after) values ($1, $2, $3, $4, $5, 'created', '', $6)`, p.id, r.ID, d.ago(time.Duration(i*30+3)*time.Hour), tocsin.NewID(), js(before))
		d.add(`insert into event (tenant, id, at, type, action, person, body) values ($1, $2, $3, 'RULE', $4, $5, '{}')`, tocsin.NewID(), d.ago(time.Duration(i*20+2)*time.Hour), []string{"rule_created", "rule_updated", "rule_deleted"}[i%3], p.id)
	}
}

func (d seeder) findings(ps []seedPerson) {
	rules := seedRules()
	type row struct {
		rule, title string
		sev         tocsin.Severity
		risk, who   int
		status      tocsin.Status
		subject     string
		why         string
	}
	rows := []row{
		{"forward-outside", "A rule sends mail outside", tocsin.Critical, 95, 0, tocsin.Open, rules[0].ID, "The rule “.” forwards mail about invoice, IBAN or wire transfer to collector@mailbox-drop.example, marks it as read and moves it to RSS Feeds; the mailbox is the Chief Financial Officer's, and the same address collects from 2 mailboxes."},
		{"forward-everything", "A rule redirects every mail outside", tocsin.Critical, 88, 1, tocsin.InWork, rules[1].ID, "A rule without a name and without any condition redirects all mail of an administrator outside and deletes it."},
		{"shared-destination", "One outside address collects from several mailboxes", tocsin.Critical, 86, 0, tocsin.Open, "collector@mailbox-drop.example", "2 mailboxes send to collector@mailbox-drop.example, which nobody in the organisation has ever written to."},
		{"forward-outside", "A rule sends mail outside", tocsin.High, 71, 2, tocsin.Open, rules[2].ID, "The rule " + evilScript + " forwards every mail of a shared mailbox outside."},
		{"obfuscated-name", "A rule's name hides", tocsin.Medium, 44, 3, tocsin.Open, rules[3].ID, "The name " + evilBidi + " turns its reading direction."},
		{"obfuscated-name", "A rule with a name nobody gives", tocsin.Medium, 41, 0, tocsin.Open, rules[0].ID, "The rule's name is a single dot."},
		{"auto-reply-foreign-address", "An automatic reply carries an outside link", tocsin.Low, 18, 4, tocsin.Open, "", "The automatic reply points to https://bit.example/x."},
		{"shared-mailbox-sign-in", "A shared mailbox may sign in", tocsin.Low, 22, 2, tocsin.Accepted, "", "The account of the shared mailbox invoices@acme.example is not blocked."},
		{"opaque-rule", "A rule that cannot be read", tocsin.Info, 10, 5, tocsin.FalseAlarm, "", "The rule shows neither conditions nor actions."},
	}
	for i := range 70 {
		rows = append(rows, row{"hidden-folder", "A rule moves mail to a folder nobody opens", []tocsin.Severity{tocsin.High, tocsin.Medium, tocsin.Medium, tocsin.Low}[i%4], []int{68, 47, 52, 20}[i%4], 8 + i%50, []tocsin.Status{tocsin.Open, tocsin.Open, tocsin.Open, tocsin.Fixed}[i%4], fmt.Sprint("s", i), "Mail from the bank is moved to Conversation History; 3 of 412 mailboxes have such a rule."})
	}
	for i, r := range rows {
		p := ps[r.who]
		f := tocsin.Finding{ID: tocsin.NewFindingID(tenantID, r.rule, r.subject, fmt.Sprint(i)), Rule: r.rule, Title: r.title, Severity: r.sev, Risk: r.risk, Person: p.id, Who: p.upn, Subject: r.subject, Why: r.why, Stage: "exfiltration",
			Time: d.now.Add(-time.Hour), Attack: []string{"T1114.003", "T1564.008"}, Actions: []string{"disable_rule", "revoke_sessions", "search_mailbox"},
			Terms:    []tocsin.RiskTerm{{Points: 45, Why: "sends mail to an address outside, collector@mailbox-drop.example"}, {Points: 20, Why: "words of money in its conditions: invoice, IBAN"}, {Points: 15, Why: "hides what it sends: marks as read, moves to RSS Feeds"}, {Points: 10, Why: "the owner is an officer"}, {Points: r.risk - 90, Why: "the rest"}},
			Evidence: []tocsin.Evidence{{ID: r.subject, Source: "mailbox_rule", What: "the rule's name", Raw: evilBidi + evilScript}, {ID: "settings", Source: "mailbox_settings", What: "as read", Raw: `{"name":"a\u202eb","n":[1,true,null],"x":"<b>"}`}}}
		d.add(`insert into finding (tenant, id, rule, title, severity, severity_rank, risk, person, who, subject, cause, why, stage, body, status, owner, reason, accepted_until, first_seen, last_seen, count) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
			f.ID, f.Rule, f.Title, f.Severity, f.Severity.Rank(), f.Risk, f.Person, f.Who, f.Subject, "", f.Why, f.Stage, js(f), r.status, map[bool]string{true: owner}[r.status == tocsin.InWork], "", map[bool]int64{true: tocsin.Millis(d.now.AddDate(0, 1, 3))}[r.status == tocsin.Accepted],
			d.ago(time.Duration(i*i%300+i/2)*time.Hour), d.ago(time.Duration(i%40)*time.Minute), 1+i%5)
		for _, h := range [][2]string{{"raised", ""}, {"updated", "The risk rose from 71 to 82"}, {"updated", "The risk rose from 82 to 95"}} {
			d.add(`insert into finding_change (tenant, finding, id, at, who, change, note) values ($1, $2, $3, $4, 'tocsin', $5, $6)`, f.ID, tocsin.NewID(), d.ago(time.Hour), h[0], h[1])
		}
	}
}

// seedLimits are limits in every state there is.
func seedLimits(context.Context, tocsin.TenantID, string) ([]graph.Use, error) {
	at := time.Now().Add(-3 * time.Minute)
	return []graph.Use{
		{Limit: "all", Level: "app", Unit: "requests", Of: 130_000, In: 10 * time.Second, Used: 412, Spent: 1_204_311},
		{Limit: "directory", Level: "app and tenant", Unit: "units", Of: 3_500, In: 10 * time.Second, Used: 2_980, Spent: 80_121, Waits: 12, Waited: 40 * time.Second},
		{Limit: "reports", Level: "app and tenant", Unit: "requests", Of: 5, In: 10 * time.Second, Used: 4, Spent: 311, Waiting: 3, Waits: 77, Waited: 11 * time.Minute},
		{Limit: "protection", Level: "tenant", Unit: "requests", Of: 1, In: time.Second, Used: 1, Spent: 900, Throttled: 2, Blocked: 2 * time.Second,
			Last: &graph.Refusal{At: at, Call: "riskyUsers.list", After: 2 * time.Second, Code: "TooManyRequests"}},
		{Limit: "trace", Level: "tenant", Unit: "requests", Of: 100, In: 5 * time.Minute},
		{Limit: "mailbox", Level: "mailbox", Unit: "requests", Of: 10_000, In: 10 * time.Minute, Used: 38, Spent: 90_001, Mailboxes: 250, Mailbox: "jane.doe@acme.example"},
		{Limit: "mailbox-at-once", Level: "mailbox", Unit: "places", Of: 4, Used: 2},
		{Limit: "mailbox-upload", Level: "mailbox", Unit: "bytes", Of: 150_000_000, In: 5 * time.Minute, Used: 12_400, Spent: 1_240_000},
	}, nil
}

func TestLimitsPage(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	code, body := s.get("/t/" + string(tenantID) + "/connections/limits")
	if code != http.StatusOK {
		t.Fatalf("%d\n%s", code, body)
	}
	sound(t, "limits", body)
	for _, want := range []string{"2\u202f980 of 3\u202f500 units", "86 %", "Near", "Calls wait", "3 wait now", "Kept off", "riskyUsers.list", "in 10 min", "a second", "at once", "12.4 kB of 150 MB", "jane.doe@acme.example",
		"1 more limit that no call has counted in", "of all apps in this tenant", `data-every="5"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if code, body := s.get("/t/" + string(bareID) + "/connections/limits"); code != http.StatusOK || !strings.Contains(body, "No connection") {
		t.Errorf("without a connection: %d", code)
	}
}
