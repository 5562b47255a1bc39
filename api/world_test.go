package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/dial"
	"tocsin.dev/export"
	"tocsin.dev/graph"
	"tocsin.dev/inbox"
	"tocsin.dev/investigate"
	"tocsin.dev/notify"
	"tocsin.dev/remediate"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Two tenants in which everything there is exists once, under ids that differ.
const (
	acme   = tocsin.TenantID("11111111-1111-4111-8111-111111111111")
	globex = tocsin.TenantID("22222222-2222-4222-8222-222222222222")
	nobody = tocsin.TenantID("33333333-3333-4333-8333-333333333333") // no such tenant
)

func personOf(t tocsin.TenantID) tocsin.PersonID { return tocsin.PersonID("person-" + string(t)) }

// ids of the one thing of each kind in a tenant.
func findingOf(t tocsin.TenantID) string     { return "finding-" + string(t) }
func letterOf(t tocsin.TenantID) string      { return "letter-" + string(t) }
func storyIDOf(t tocsin.TenantID) string     { return "story-" + string(t) }
func ruleOf(t tocsin.TenantID) string        { return "rule-" + string(t) }
func recordOf(t tocsin.TenantID) string      { return "record-" + string(t) }
func queryOf(t tocsin.TenantID) string       { return "query-" + string(t) }
func exceptionOf(t tocsin.TenantID) string   { return "exception-" + string(t) }
func channelOf(t tocsin.TenantID) string     { return "channel-" + string(t) }
func exportOf(t tocsin.TenantID) string      { return "export-" + string(t) }
func alertOf(t tocsin.TenantID) string       { return "alert-" + string(t) }
func snoozeOf(t tocsin.TenantID) string      { return "snooze-" + string(t) }
func connectionOf(t tocsin.TenantID) string  { return "connection-" + string(t) }
func groupOf(t tocsin.TenantID) string       { return "group-" + string(t) }
func deviceOf(t tocsin.TenantID) string      { return "device-" + string(t) }
func bookOf(t tocsin.TenantID) string        { return "own-" + string(t)[:8] }
func runOf(t tocsin.TenantID) string         { return "run-" + string(t) }
func caseOf(t tocsin.TenantID) string        { return "case-" + string(t) }
func reportedOf(t tocsin.TenantID) string    { return "reported-" + string(t) }
func evidenceOf(t tocsin.TenantID) string    { return "evidence-" + string(t) }
func anomalyOf(t tocsin.TenantID) string     { return "anomaly-" + string(t) }
func ownOf(t tocsin.TenantID) string         { return "own-rule-" + string(t) }
func mailActOf(t tocsin.TenantID) string     { return "mail-act-" + string(t) } // waits for approval
func actedCaseOf(t tocsin.TenantID) string   { return "acted-case-" + string(t) }
func actionOf(t tocsin.TenantID) string      { return "action-" + string(t) } // waits for approval
func doneOf(t tocsin.TenantID) string        { return "done-" + string(t) }   // disabled the rule
func inboxOf(t tocsin.TenantID) string       { return "inbox-" + string(t) }
func emailOf(t tocsin.TenantID) string       { return "email-" + string(t) }
func closedInboxOf(t tocsin.TenantID) string { return "closed-" + inboxOf(t) } // nobody is of its team
func threadOf(t tocsin.TenantID) string      { return "thread-" + string(t) }
func teamOf(t tocsin.TenantID) string        { return "team-" + string(t) }
func outgoingOf(t tocsin.TenantID) string    { return "outgoing-" + string(t) } // somebody else writes it
func viewOf(t tocsin.TenantID) string        { return "view-" + string(t) }
func macroOf(t tocsin.TenantID) string       { return "macro-" + string(t) }
func inboxRuleOf(t tocsin.TenantID) string   { return "inbox-rule-" + string(t) }
func tagOf(t tocsin.TenantID) string         { return "tag-" + string(t) }
func partnerOf(t tocsin.TenantID) string     { return "partner-" + string(t)[:4] + ".example" }
func domainOf(t tocsin.TenantID) string      { return "t" + string(t)[:4] + ".example" }

// server is a service on a store, reachable by HTTP, with an owner who has a token.
type server struct {
	t     *testing.T
	st    *store.Store
	api   *api.Service
	http  *httptest.Server
	owner *api.Client
}

func keeper(tb testing.TB) *secret.Keeper {
	tb.Helper()
	k, err := secret.Open(context.Background(), secret.Source{File: filepath.Join(tb.TempDir(), "key")})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// sealer is the key of the tests, the same for all that is sealed in them.
var sealer = sync.OnceValue(func() *secret.Keeper {
	k, err := secret.Open(context.Background(), secret.Source{Value: strings.Repeat("ab", 32)})
	if err != nil {
		panic(err)
	}
	return k
})

func sealedChannel(tb testing.TB, tenant tocsin.TenantID) []byte {
	tb.Helper()
	b, err := sealer().Seal([]byte(`{"url":"https://127.0.0.1:1/SEALED-SECRET","secret":"whsec_U0VBTEVELVNFQ1JFVC1TRUFMRUQ="}`), "channel|"+string(tenant)+"|"+channelOf(tenant))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func sealedExport(tb testing.TB, tenant tocsin.TenantID) []byte {
	tb.Helper()
	b, err := sealer().Seal([]byte(`{"url":"https://127.0.0.1:1/SEALED-SECRET","credential":"SEALED-SECRET","secret":"whsec_U0VBTEVELVNFQ1JFVC1TRUFMRUQ="}`), "export|"+string(tenant)+"|"+exportOf(tenant))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

const ownerToken = "tcs_owner-token-of-the-tests-0123456789"

func serve(t *testing.T, st *store.Store) *server { return serveWith(t, st, func(*api.Options) {}) }

// serveWith is serve with other options.
func serveWith(t *testing.T, st *store.Store, set func(*api.Options)) *server {
	t.Helper()
	k := sealer()
	alerts := &notify.Alerts{Store: st, Keeper: k, Guard: &dial.Guard{}}
	o := api.Options{Connect: connections(st), Connections: &connect.Connections{Store: st, Keeper: k}, Alerts: alerts, Exports: &export.Exports{Store: st, Keeper: k, Guard: &dial.Guard{}}, Desk: desk(t, st), ActDesk: actDesk(st), Investigations: searchDesk(st), Seal: k.Seal, Unseal: k.Open, Sealer: k, Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	set(&o)
	s := api.New(st, o)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	if err := s.EnsureOwner(t.Context(), "Owner@Tocsin.example", ownerToken); err != nil {
		t.Fatal(err)
	}
	return &server{t: t, st: st, api: s, http: h, owner: &api.Client{URL: h.URL, Token: ownerToken}}
}

// actDesk plans with a connection that can do everything.
func actDesk(st *store.Store) *investigate.ActDesk {
	return &investigate.ActDesk{Store: st, Way: func(context.Context, tocsin.TenantID, string, string) (string, string, *graph.Client, error) {
		return "connection", "test", nil, nil
	}}
}

// searchDesk has no connection by which mailboxes can be searched.
func searchDesk(st *store.Store) *investigate.Desk {
	return &investigate.Desk{Store: st, Ways: func(context.Context, tocsin.TenantID, string, string) (investigate.Way, error) {
		return investigate.Way{}, tocsin.Problemf(tocsin.Unavailable, "Grant it.", "No connection may search.")
	}}
}

// keptMail is a mail of 24 bytes as it is kept: its hash, its key and its body.
func keptMail(tb testing.TB, tenant tocsin.TenantID) []any {
	tb.Helper()
	raw := []byte("Subject: Payslip\r\n\r\nHi\r\n")
	sum := sha256.Sum256(raw)
	sealed, body, err := sealer().Envelope(raw, string(tenant)+"|evidence|"+evidenceOf(tenant))
	if err != nil {
		tb.Fatal(err)
	}
	return []any{hex.EncodeToString(sum[:]), sealed, body}
}

// inboxKey is a key for the inbox of a tenant, sealed.
func inboxKey(tb testing.TB, tenant tocsin.TenantID) []byte {
	tb.Helper()
	sealed, err := inbox.NewKey(sealer(), tenant, inboxOf(tenant))
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

// desk plans with a Graph that answers for every person, and with every rule switched off.
func desk(t *testing.T, st *store.Store) *remediate.Desk {
	t.Helper()
	m := http.NewServeMux()
	m.HandleFunc("GET /v1.0/users/{user}", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"id":"x","signInSessionsValidFromDateTime":"2026-01-01T00:00:00Z"}`)
	})
	m.HandleFunc("GET /v1.0/users/{user}/mailFolders/inbox/messageRules/{rule}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"id":%q,"displayName":"..","sequence":1,"isEnabled":false,"actions":{"delete":true}}`, r.PathValue("rule"))
	})
	h := httptest.NewTLSServer(m)
	t.Cleanup(h.Close)
	gc, err := graph.New(graph.Config{Cloud: graph.Cloud{Authority: h.URL, Graph: h.URL}, Tenant: "t", Client: "c", HTTP: h.Client(),
		Tokens: func(context.Context, bool) (string, time.Time, error) { return "token", time.Now().Add(time.Hour), nil }})
	if err != nil {
		t.Fatal(err)
	}
	return &remediate.Desk{Store: st, Ways: func(_ context.Context, tenant tocsin.TenantID, _ string) (string, string, *graph.Client, error) {
		return connectionOf(tenant), "main", gc, nil
	}}
}

// connections does to the table what package connect does to it and to Microsoft.
func connections(st *store.Store) api.Connect {
	state := func(state string) func(context.Context, string, tocsin.TenantID, string) error {
		return func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
			return st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
				_, err := t.Exec(ctx, `update connection set state = $3, version = version + 1 where tenant = $1 and id = $2`, id, state)
				return err
			})
		}
	}
	return api.Connect{
		Create: func(ctx context.Context, actor string, c api.ConnectionNew) (tocsin.TenantID, string, error) {
			tenant, id := tocsin.TenantID(c.Tenant), tocsin.NewID()
			return tenant, id, st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
				if _, err := t.Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'new', 1) on conflict (tenant) do nothing`); err != nil {
					return err
				}
				_, err := t.Exec(ctx, `insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, created) values ($1, $2, $3, 'global', $4, 'secret', $5, 'on', 1)`,
					id, c.Name, c.ClientID, []byte("sealed"))
				return err
			})
		},
		Test: state("on"), Pause: state("paused"), Resume: state("on"),
		Delete: func(ctx context.Context, _ string, tenant tocsin.TenantID, id string) error {
			return st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
				_, err := t.Exec(ctx, `delete from connection where tenant = $1 and id = $2`, id)
				return err
			})
		},
	}
}

func forwarding(id, to string) tocsin.MailRule {
	return tocsin.MailRule{ID: id, Name: "..", Enabled: true, Forward: []tocsin.Address{{Address: to}}, Delete: true,
		Conditions: []tocsin.Term{{Name: "subject_contains", Values: []string{"invoice", "payment"}}}}
}

func text(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// settle puts a tenant with one of everything into the store, or puts back what was changed or deleted.
func settle(tb testing.TB, st *store.Store, tenant tocsin.TenantID) {
	tb.Helper()
	ctx := context.Background()
	now := tocsin.Millis(time.Date(2026, 3, 15, 9, 0, 0, 0, time.UTC))
	later := tocsin.Millis(time.Now().AddDate(0, 6, 0))
	p, rule := string(personOf(tenant)), forwarding(ruleOf(tenant), "drop@evil.example")
	before := rule
	before.Forward, before.Delete = nil, false
	finding := tocsin.Finding{Rule: "forward-outside", Title: "Mail is forwarded outside", Severity: tocsin.High, Risk: 72, Person: personOf(tenant),
		Who: "jane@" + domainOf(tenant), Subject: ruleOf(tenant), Why: "A rule forwards to drop@evil.example.", Stage: "exfiltration", Attack: []string{"T1114.003"},
		Terms:    []tocsin.RiskTerm{{Points: 60, Why: "outside"}, {Points: 12, Why: "deletes"}},
		Evidence: []tocsin.Evidence{{ID: ruleOf(tenant), Source: "mailbox_rule", What: "the rule"}}, Actions: []string{"disable_rule"}}
	err := st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		for _, q := range []struct {
			text string
			args []any
		}{
			{`insert into tenant (tenant, name, initial_domain, created) values ($1, $2, $3, 1) on conflict (tenant) do nothing`, []any{"Tenant " + domainOf(tenant), domainOf(tenant)}},
			{`delete from connection where tenant = $1`, nil},
			{`delete from stream_setting where tenant = $1`, nil},
			{`insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, created) values ($1, $2, 'main', 'global', 'app', 'secret', $3, 'on', 1)`, []any{connectionOf(tenant), []byte("SEALED-SECRET")}},
			{`delete from mail_configuration where tenant = $1`, nil},
			{`insert into mail_configuration (tenant, connection, test_address, all_domains, tested, passed, created, changed, version) values ($1, $2, $3, $4, 1, $4, 1, 1, 1)`, []any{connectionOf(tenant), "jane@" + domainOf(tenant), false}},
			{`insert into mail_domain (tenant, connection, domain) values ($1, $2, $3) on conflict do nothing`, []any{connectionOf(tenant), domainOf(tenant)}},
			{`insert into capability (tenant, connection, name, state, because, mend, checked) values ($1, $2, 'mailbox-rules', 'works', '', '', 1) on conflict do nothing`, []any{connectionOf(tenant)}},
			{`insert into source (tenant, name, started, succeeded) values ($1, 'rules', $2, $3) on conflict do nothing`, []any{now, now + 1}},
			{`insert into domain (tenant, name, is_default, seen) values ($1, $2, $3, 1) on conflict do nothing`, []any{domainOf(tenant), true}},
			{`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, mailbox, seen, changed) values ($1, $2, $3, 'Jane Doe', $4, $5, 'member', $6, $7, 'read', 1, 1) on conflict do nothing`,
				[]any{p, "object-" + string(tenant), "jane@" + domainOf(tenant), "jane@" + domainOf(tenant), true, text(tb, []string{"jane@" + domainOf(tenant)})}},
			{`insert into person_address (tenant, address, person) values ($1, $2, $3) on conflict do nothing`, []any{"jane@" + domainOf(tenant), p}},
			{`insert into directory_role (tenant, id, name, template, seen) values ($1, 'ga', 'Global Administrator', 'tpl', 1) on conflict do nothing`, nil},
			{`insert into role_member (tenant, role, object_id, person, name, seen) values ($1, 'ga', $2, $3, 'Jane Doe', 1) on conflict do nothing`, []any{"object-" + string(tenant), p}},
			{`insert into mail_group (tenant, id, name, mail, kind, outside, seen) values ($1, $3, 'All', 'all@x.example', 'unified', $2, 1) on conflict do nothing`, []any{text(tb, []tocsin.Address{{Address: "out@evil.example"}}), groupOf(tenant)}},
			{`insert into state_path (tenant, path, read_at, changed, reason, because) values ($1, '/deviceManagement/managedDevices', $2, $2, '', '') on conflict do nothing`, []any{now}},
			{`insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) values ($1, '/deviceManagement/managedDevices', $2, 'LAPTOP-1', $3, '', 1, 1, 0) on conflict do nothing`,
				[]any{deviceOf(tenant), text(tb, map[string]any{"id": deviceOf(tenant), "deviceName": "LAPTOP-1", "operatingSystem": "Windows", "osVersion": "10.0.19045.1", "complianceState": "noncompliant", "isEncrypted": false, "lastSyncDateTime": "2026-03-14T09:00:00Z"})}},
			{`insert into mailbox (tenant, person, purpose, rules_seen, rules_count, settings_seen, auto_reply) values ($1, $2, 'user', $3, 1, $3, $4) on conflict do nothing`, []any{p, now, text(tb, tocsin.AutoReply{Status: "disabled"})}},
			{`insert into mail_rule (tenant, person, id, name, enabled, body, raw, targets, outside, risk, first_seen, changed, seen) values ($1, $2, $3, '..', $4, $5, '{"id":"raw"}', 1, $4, 72, $6, $6, $6) on conflict do nothing`,
				[]any{p, ruleOf(tenant), true, text(tb, rule), now}},
			{`insert into rule_target (tenant, address, person, rule, verb, outside) values ($1, 'drop@evil.example', $2, $3, 'forward', $4) on conflict do nothing`, []any{p, ruleOf(tenant), true}},
			{`insert into group_address (tenant, address, group_id) values ($1, 'drop@evil.example', $2) on conflict do nothing`, []any{groupOf(tenant)}},
			{`insert into rule_change (tenant, person, rule, at, id, change, before, after) values ($1, $2, $3, $4, 'c1', 'updated', $5, $6) on conflict do nothing`, []any{p, ruleOf(tenant), now, text(tb, before), text(tb, rule)}},
			{`insert into dead_letter (tenant, id, kind, subject, body, because, at) values ($1, $2, 'notified', $3, '{}', 'Refused.', 1) on conflict do nothing`, []any{letterOf(tenant), p}},
			{`insert into event (tenant, id, at, type, action, person, body) values ($1, $2, $3, 'RULE', 'rule_updated', $4, '{"event_id":"e"}') on conflict do nothing`, []any{"event-" + string(tenant), now, p}},
			{`delete from finding where tenant = $1`, nil},
			{`insert into finding (tenant, id, rule, title, severity, severity_rank, risk, person, who, subject, cause, why, stage, body, status, first_seen, last_seen) values ($1, $2, $3, $4, 'high', 3, 72, $5, $6, $7, '', $8, 'exfiltration', $9, 'open', $10, $10)`,
				[]any{findingOf(tenant), finding.Rule, finding.Title, p, finding.Who, finding.Subject, finding.Why, text(tb, finding), now}},
			{`delete from identity_risk where tenant = $1`, nil},
			{`insert into identity_risk (tenant, person, risk, terms, judged, due) values ($1, $2, 72, '[{"points":72,"why":"Mail is forwarded outside"}]', $3, 0)`, []any{p, now}},
			{`insert into identity_risk_change (tenant, person, at, risk, why) values ($1, $2, $3, 72, 'Mail is forwarded outside') on conflict do nothing`, []any{p, now}},
			{`insert into attack_story (tenant, id, person, who, title, why, severity, severity_rank, score, stage, stages, attack, terms, takeover, began, ended, findings, open, changed) values ($1, $2, $3, 'jane', 'T', 'W', 'high', 3, 80, 'exfiltration', '["access","exfiltration"]', '["T1114.003"]', '[{"points":80,"why":"w"}]', '', $4, $4, 1, 1, $4) on conflict do nothing`, []any{storyIDOf(tenant), p, now}},
			{`insert into attack_story_part (tenant, finding, story) values ($1, $2, $3) on conflict do nothing`, []any{findingOf(tenant), storyIDOf(tenant)}},
			{`delete from action where tenant = $1`, nil},
			{`delete from response_settings where tenant = $1`, nil},
			{`delete from canary where tenant = $1`, nil},
			{`insert into action (tenant, id, kind, state, person, who, object_id, finding, why, plan, asked_by, asked_email, created, changed) values ($1, $2, 'disable_rule', 'waiting_approval', $3, 'jane', 'object', $4, 'w', '{}', 'somebody', 'somebody@x.example', $5, $5)`,
				[]any{actionOf(tenant), p, findingOf(tenant), now}},
			{`insert into action (tenant, id, kind, state, person, who, object_id, why, plan, asked_by, asked_email, created, changed, run) values ($1, $2, 'suspend', 'waiting_approval', $3, 'jane', 'object', 'w', '{}', 'somebody', 'somebody@x.example', $4, $4, $5)`,
				[]any{"step-" + string(tenant), p, now, runOf(tenant)}},
			{`delete from anomaly where tenant = $1`, nil},
			{`insert into anomaly (tenant, id, person, day, at, class, one_in, why, terms, odd, early, finding, found) values ($1, $2, $3, 20000, $4, 'graph', 5000, 'w', '[{"class":"graph","one_in":900}]', '["x@out.example"]', false, '', $4)`, []any{anomalyOf(tenant), p, now}},
			{`delete from learn_settings where tenant = $1`, nil},
			{`delete from playbook_run where tenant = $1`, nil},
			{`delete from playbook where tenant = $1`, nil},
			{`delete from playbook_version where tenant = $1`, nil},
			{`insert into playbook (tenant, name, version, title, body, created, changed, deleted) values ($1, $2, 1, 'Own', '{"title":"Own","steps":["revoke_sessions"]}', 1, 1, 0)`, []any{bookOf(tenant)}},
			{`insert into playbook_run (tenant, id, playbook, person, who, why, asked_by, asked_email, created) values ($1, $2, 'lock', $3, 'jane', 'w', 'somebody', 'somebody@x.example', $4)`, []any{runOf(tenant), p, now}},
			{`insert into action (tenant, id, kind, state, person, who, object_id, target, name, why, plan, asked_by, asked_email, created, changed, sent, run) values ($1, $2, 'disable_rule', 'verified', $3, 'jane', 'object', $4, '..', 'w', $5, 'somebody', 'somebody@x.example', $6, $6, $6, $7)`,
				[]any{doneOf(tenant), p, ruleOf(tenant), `{"can_undo":true,"before":{"id":"x","displayName":"..","sequence":1,"isEnabled":true,"actions":{"delete":true}}}`, now, "done-" + runOf(tenant)}},
			{`insert into playbook_run (tenant, id, playbook, person, who, why, asked_by, asked_email, created) values ($1, $2, 'contain', $3, 'jane', 'w', 'somebody', 'somebody@x.example', $4)`, []any{"done-" + runOf(tenant), p, now}},
			{`insert into audit_record (tenant, id, at, seen, source, operation, workload, actor, actor_kind, judge, judged, body) values ($1, $2, 1, 1, 'feed', 'Set-Mailbox', 'Exchange', 'a@b.example', 'user', true, true, '{"Id":"1"}') on conflict do nothing`, []any{recordOf(tenant)}},
			{`insert into sign_in (tenant, id, record, at, seen, kind, actor, ip, country, result) values ($1, $2, $2, 1, 1, 'interactive', 'a@b.example', '203.0.113.7', 'NL', 'success') on conflict do nothing`, []any{recordOf(tenant)}},
			{`insert into audit_query (tenant, id, by_whom, since, until, state, created) values ($1, $2, 'c', 1, 2, 'done', 1) on conflict do nothing`, []any{queryOf(tenant)}},
			{`insert into exception (tenant, id, rule, scope, value, owner, reason, expires, created, created_by) values ($1, $2, '*', 'address', 'x@y.example', 'o', 'r', $3, 1, 'c') on conflict do nothing`, []any{exceptionOf(tenant), later}},
			{`delete from search_run where tenant = $1`, nil},
			{`delete from investigation_version where tenant = $1`, nil},
			{`delete from investigation where tenant = $1 and query = 'subject:payslip'`, nil},
			{`insert into investigation (tenant, id, name, query, reason, mode, depth, status, created, created_by, changed) values ($1, $2, 'Payslips', 'subject:payslip', 'r', 'once', 'whole', 'draft', 1, 'c', 1), ($1, $3, 'Payslips', 'subject:payslip', 'r', 'once', 'whole', 'running', 1, 'c', 1), ($1, $4, 'Payslips', 'subject:payslip', 'r', 'once', 'whole', 'stopped', 1, 'c', 1)`, []any{caseOf(tenant), "running-" + caseOf(tenant), "stopped-" + caseOf(tenant)}},
			{`insert into mail_match (tenant, investigation, person, message, id, address, internet_message_id, conversation, sender, sender_name, sender_domain, subject, received, day, folder, folder_name, found, seen, changed) values ($1, $2, $3, 'm', $4, $5, '<m@x>', '', $5, '', '', 'Payslip', 1, '1970-01-01', 'f', 'Inbox', 1, 1, 1) on conflict do nothing`,
				[]any{caseOf(tenant), p, "match-" + caseOf(tenant), "jane@" + domainOf(tenant)}},
			{`delete from reported_mail where tenant = $1`, nil},
			{`delete from reported_reply where tenant = $1`, nil},
			{`delete from reported_settings where tenant = $1`, nil},
			{`insert into reported_mail (tenant, id, at, way, source, part, reporter, reporter_name, reporter_person, proven, note, state, subject, evidence, changed) values ($1, $2, $3, 'mailbox', 'm', 0, $4, 'Jane', $5, true, 'n', 'found', 'Payslip', $6, 1)`,
				[]any{reportedOf(tenant), now, "jane@" + domainOf(tenant), p, evidenceOf(tenant)}},
			{`delete from evidence where tenant = $1`, nil},
			{`insert into evidence (tenant, id, at, kept_by, reason, origin, origin_id, person, message, internet_message_id, sender, subject, received, sha256, size, sealed, body) values ($1, $2, 1, '', 'r', 'report', $3, $4, 'm', '', 'x@y.example', 'Payslip', 1, $5, 24, $6, $7)`,
				append([]any{evidenceOf(tenant), reportedOf(tenant), p}, keptMail(tb, tenant)...)},
			{`delete from own_rule where tenant = $1`, nil},
			{`delete from own_rule_version where tenant = $1`, nil},
			{`insert into own_rule (tenant, id, name, title, level, state, sources, version, created, created_by, changed, changed_by, samples, text)
				values ($1, $2, 'own-hidden', 'Hidden', 'high', 'draft', '{"names":["the unified audit log"],"lacks":""}', 1, 1, 'c', 1, 'c', '[]', $3)`, []any{ownOf(tenant), ownText}},
			{`delete from export where tenant = $1`, nil},
			{`insert into export (tenant, id, kind, name, settings, sealed, state, done, done_at, created, created_by) values ($1, $2, 'webhook', 'Events', '{"address":"https://127.0.0.1:1/…","form":"native","body":"lines","header":"Authorization","batch":500,"wait_ms":500}', $3, 'running', 0, 1, 1, 'c')`,
				[]any{exportOf(tenant), sealedExport(tb, tenant)}},
			{`delete from channel where tenant = $1`, nil},
			{`insert into channel (tenant, id, kind, name, address, sealed, filter, quiet, digest_over, digest_minutes, enabled, since, created, created_by) values ($1, $2, 'webhook', 'SIEM', 'https://127.0.0.1:1/…', $3, '{"severity":"high","changes":["opened"]}', '{}', 10, 15, $4, 1, 1, 'c')`,
				[]any{channelOf(tenant), sealedChannel(tb, tenant), true}},
			{`delete from alert where tenant = $1`, nil},
			{`insert into alert (tenant, id, channel, about, finding, rule, severity, severity_rank, change, body, at, early, state, message) values ($1, $2, $3, $1, $4, 'forward-outside', 'high', 3, 'opened', '{}', 1, $5, 'sent', 'm')`,
				[]any{alertOf(tenant), channelOf(tenant), findingOf(tenant), false}},
			{`insert into snooze (tenant, id, scope, value, until, reason, created, created_by) values ($1, $2, 'rule', 'forward-outside', $3, 'r', 1, 'c') on conflict do nothing`, []any{snoozeOf(tenant), later}},
			{`delete from mail_act where tenant = $1`, nil},
			{`delete from mail_act_item where tenant = $1`, nil},
			{`delete from mail_act_count where tenant = $1`, nil},
			{`delete from mail_act_settings where tenant = $1`, nil},
			{`insert into investigation (tenant, id, name, query, created, created_by, changed) values ($1, $2, 'Invoices', 'from:x', 1, 'c', 1) on conflict do nothing`, []any{actedCaseOf(tenant)}},
			{`insert into mail_match (tenant, investigation, person, message, id, address, internet_message_id, conversation, sender, sender_name, sender_domain, subject, received, day, folder, folder_name, found, seen, changed)
				values ($1, $2, $3, 'message', $4, 'jane', '<m@x>', '', 'bad@evil.example', '', '', 'Invoice', $5, '', 'f', '', 1, 1, 1) on conflict do nothing`, []any{actedCaseOf(tenant), p, "match-" + string(tenant), now}},
			{`insert into mail_act (tenant, id, investigation, kind, state, options, why, plan, asked_by, asked_email, created, changed) values ($1, $2, $3, 'junk', 'waiting_approval', '{}', 'w', '{}', 'somebody', 'somebody@x.example', $4, $4)`, []any{mailActOf(tenant), actedCaseOf(tenant), now}},
			{`insert into mail_act (tenant, id, investigation, kind, state, options, why, plan, asked_by, asked_email, created, changed, began, ended) values ($1, $2, $3, 'junk', 'done', '{}', 'w', '{}', 'somebody', 'somebody@x.example', $4, $4, $4, $4)`, []any{"done-" + mailActOf(tenant), actedCaseOf(tenant), now}},
			{`insert into mail_act_item (tenant, act, id, part, person, object_id, who, message, state, before, after) values ($1, $2, 'item', 'mail', $3, 'object', 'jane', 'moved', 'done', '{"id":"moved","folder":"f"}', '{"id":"moved","folder":"g"}')`, []any{"done-" + mailActOf(tenant), p}},
			{`insert into mail_act_count (tenant, act, part, state, n) values ($1, $2, 'mail', 'done', 1)`, []any{"done-" + mailActOf(tenant)}},
			{`delete from inbox where tenant = $1`, nil},
			{`delete from email_connection where tenant = $1`, nil},
			{`insert into email_connection (tenant, id, name, method, cloud, client_id, sealed, account, proven, created, changed) values ($1, $2, 'Inbox Service', 'delegated', 'global', 'app', $3, 'inbox.service@contoso.example', 1, 1, 1)`, []any{emailOf(tenant), []byte("SEALED-SECRET")}},
			{`insert into inbox (tenant, id, name, address, state, sealed, created, changed, numbers) values ($1, $2, 'Invoices', $3, 'connected', $5, 1, 1, 2), ($1, $4, 'Closed', $6, 'connected', $5, 1, 1, 0)`, []any{inboxOf(tenant), "invoices@" + domainOf(tenant), closedInboxOf(tenant), inboxKey(tb, tenant), "closed@" + domainOf(tenant)}},
			{`insert into inbox_member (tenant, inbox, kind, member, added) values ($1, $2, 'everyone', '', 1) on conflict do nothing`, []any{inboxOf(tenant)}},
			{`delete from inbox_look where tenant = $1`, nil},
			{`delete from inbox_team where tenant = $1`, nil},
			{`insert into inbox_team (tenant, id, name, created) values ($1, $2, 'Accounts', 1)`, []any{teamOf(tenant)}},
			{`delete from inbox_tag where tenant = $1`, nil},
			{`insert into inbox_tag (tenant, id, name, created) values ($1, $2, 'urgent', 1)`, []any{tagOf(tenant)}},
			{`delete from inbox_message where tenant = $1`, nil},
			{`delete from inbox_wish where tenant = $1`, nil},
			{`delete from inbox_outgoing where tenant = $1`, nil},
			{`insert into inbox_outgoing (tenant, inbox, id, kind, state, created, created_by, changed) values ($1, $2, $3, 'new', 'draft', 1, 'somebody', 1)`, []any{inboxOf(tenant), outgoingOf(tenant)}},
			{`delete from inbox_view where tenant = $1`, nil},
			{`insert into inbox_view (tenant, id, name, filter, created) values ($1, $2, 'All', '{}', 1)`, []any{viewOf(tenant)}},
			{`delete from inbox_macro where tenant = $1`, nil},
			{`insert into inbox_macro (tenant, id, name, text, created) values ($1, $2, 'Hello', 'Hello {{name}}', 1)`, []any{macroOf(tenant)}},
			{`delete from inbox_rule where tenant = $1`, nil},
			{`insert into inbox_rule (tenant, id, name, body, created) values ($1, $2, 'Spam', '{"when":[{"field":"attachments"}],"then":{"state":"spam"}}', 1)`, []any{inboxRuleOf(tenant)}},
			{`delete from inbox_service where tenant = $1`, nil},
			{`delete from inbox_thread where tenant = $1`, nil},
			{`insert into inbox_thread (tenant, inbox, id, n, subject, from_address, messages, first_in, last_in, last, created, changed) values ($1, $2, $3, 1, 'Invoice 7', 'x@out.example', 1, $4, $4, $4, 1, 1)`, []any{inboxOf(tenant), threadOf(tenant), now}},
			{`insert into inbox_message (tenant, inbox, id, thread, folder, direction, subject, from_address, at, seen) values ($1, $2, $3, $4, 'f', 'in', 'Invoice 7', 'x@out.example', $5, 1) on conflict do nothing`, []any{inboxOf(tenant), "mail-" + string(tenant), threadOf(tenant), now}},
			{`insert into inbox_message (tenant, inbox, id, thread, folder, direction, subject, from_address, at, seen) values ($1, $2, $3, $4, 'f', 'in', 'Invoice 7', 'x@out.example', $5, 1)`, []any{inboxOf(tenant), "second-mail-" + string(tenant), threadOf(tenant), now}},
			{`insert into inbox_thread (tenant, inbox, id, n, subject, from_address, state, created, changed) values ($1, $2, $3, 2, 'Invoice 8', 'x@out.example', 'resolved', 1, 1)`, []any{inboxOf(tenant), "other-" + threadOf(tenant)}},
			{`insert into partner (tenant, domain, owner, reason, expires, created) values ($1, $2, 'o', 'r', $3, 1) on conflict do nothing`, []any{partnerOf(tenant), later}},
		} {
			if _, err := t.Exec(ctx, q.text, q.args...); err != nil {
				return fmt.Errorf("%s: %w", q.text, err)
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	if err := collect.Relist(ctx, st); err != nil {
		tb.Fatal(err)
	}
}

// token makes an account with a role in a tenant ("" for no role at all) and gives a client with a token of it.
func (s *server) token(role api.Role, tenant string) *api.Client {
	s.t.Helper()
	secret := "tcs_" + tocsin.NewID() + tocsin.NewID()
	id := tocsin.NewID()
	h := api.HashToken(secret)
	err := s.st.Update(s.t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Exec(s.t.Context(), `insert into account (id, email, name, password, created) values ($1, $2, '', '', 1)`, id, id+"@tocsin.example"); err != nil {
			return err
		}
		if role == "" {
			role = api.Owner // of the token; the account has no grant
		} else if _, err := tx.Exec(s.t.Context(), `insert into role_grant (account, tenant, role) values ($1, $2, $3)`, id, tenant, role); err != nil {
			return err
		}
		_, err := tx.Exec(s.t.Context(), `insert into api_token (id, account, name, hash, role, tenant, created, expires) values ($1, $2, 't', $3, $4, '*', 1, 0)`, id, id, h, role)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return &api.Client{URL: s.http.URL, Token: secret}
}

// code is the code of a problem; empty for none, "unknown" for an error that is none.
func code(err error) tocsin.Code {
	if err == nil {
		return ""
	}
	if p, ok := err.(*tocsin.Problem); ok {
		return p.Code
	}
	return "unknown"
}

func call[O any](t *testing.T, c *api.Client, name string, in any) O {
	t.Helper()
	var out O
	if err := c.Do(t.Context(), name, in, &out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func newHTTP(t *testing.T, s *api.Service) *httptest.Server {
	t.Helper()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h
}

// ownText is a rule of the customer's own.
const ownText = "title: Hidden\nlevel: high\nlogsource: {product: m365, service: audit}\ndetection:\n  s: {Operation: Set-Mailbox}\n  condition: s\ntests:\n  - {name: n, expect: match, events: [{Id: x, Operation: Set-Mailbox, Workload: Exchange}]}\n"
