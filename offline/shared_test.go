package offline

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/sharedtest"
)

// result is what an analysis gave.
type result struct {
	sum      Summary
	findings []tocsin.Finding
}

func (r result) rules() []string {
	var out []string
	for _, f := range r.findings {
		out = append(out, f.Rule)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r result) has(rule string) bool { return slices.Contains(r.rules(), rule) }

func analyze(t testing.TB, opt Options) result {
	t.Helper()
	var r result
	sum, err := Analyze(context.Background(), opt, func(f tocsin.Finding) { r.findings = append(r.findings, f) })
	if err != nil {
		t.Fatalf("analyze %v: %v", opt.Files, err)
	}
	r.sum = sum
	return r
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// peerCase is a unit test of a peer's rule.
type peerCase struct {
	RuleID    string          `json:"rule_id"`
	RuleFile  string          `json:"rule_file"`
	Test      string          `json:"test"`
	Expected  bool            `json:"expected"`
	Threshold *int            `json:"threshold"`
	Log       json.RawMessage `json:"log"`
}

func (c peerCase) file() string {
	return strings.TrimSuffix(filepath.Base(c.RuleFile), ".yml")
}

// peers maps the peer's rules to ours.
var peers = map[string][]string{
	"azure_auth_methods_policy_oidc_change":     {"sign-in-provider-changed"},
	"azure_device_code_broker_client":           {"device-code-through-broker"},
	"azure_domain_trust_settings_modified":      {"domain-federation-changed"},
	"azure_elevate_user_access_admin":           {"elevated-access-to-azure"},
	"azure_excessive_account_lockouts":          {"account-lockouts"},
	"azure_failed_signins":                      {"brute-force"},
	"azure_graph_session_multiple_ips":          {"session-from-several-addresses"},
	"azure_high_risk_signin":                    {"risky-sign-in-let-through"},
	"azure_invite_external_users":               {"guest-invited"},
	"azure_legacyauth":                          {"legacy-authentication"},
	"azure_mfa_disabled":                        {"conditional-access-weakened"},
	"azure_multiple_protection_alerts":          {"several-risk-alerts"},
	"azure_policy_changed":                      {"directory-policy-changed", "conditional-access-weakened"},
	"azure_risklevel_passthrough":               {"risky-sign-in-let-through", "risky-sign-in"},
	"azure_role_changed_pim":                    {"role-granted-through-pim"},
	"azure_ropc_login_no_mfa":                   {"password-grant-sign-in"},
	"azure_service_principal_credentials_added": {"application-credential-added"},
	"azure_vscode_oauth_phishing":               {"first-party-client-to-graph"},
	"defender_detection_passthrough":            {"microsoft-alert"},
	"microsoft365_brute_force_login_by_user":    {"brute-force"},
	"microsoft365_external_sharing":             {"file-shared-outside"},
	"microsoft365_mfa_disabled":                 {"mfa-removed"},
	"microsoft_exchange_external_forwarding":    {"mailbox-forwards-outside", "forward-outside", "forward-everything"},
	"microsoft_graph_passthrough":               {"microsoft-alert"},
}

// outOfScope are the peer's rules on what Tocsin does not look at, and why.
var outOfScope = map[string]string{
	"azure_storage_cpk_ransomware":    "a correlation over Azure storage; the cases carry no records",
	"windows_credential_dumping_tool": "Windows event logs",
	"sign_in_from_rogue_state":        "the country comes from an enrichment that the case mocks; the record itself says US",
}

// differing are the cases in which we do not agree with the peer, and why.
var differing = map[string]string{
	"microsoft365_external_sharing/Allowed Folder": "the peer's source has a list of allowed folders that the case does not carry; an exception would do it here",
	"microsoft365_external_sharing/Allowed User":   "the peer's source has a list of allowed addresses that the case does not carry; --partner with the address would do it here",
}

// given are the options that stand for a peer's own lists, by case.
var given = map[string]Options{
	"microsoft365_external_sharing/Allowed Domain": {Partners: []string{"alloweddomain.com"}},
	"azure_legacyauth/Sign-In with legacy auth, KNOWN_EXCEPTION": {Exceptions: []detect.Exception{{
		Rule: "legacy-authentication", Scope: detect.ScopePerson, Value: "homer.simpson@springfield.org", Owner: "peer", Reason: "in the case's mock",
	}}},
}

// TestPeerCases holds every case of the peer that concerns Microsoft 365 against our rules, one by one.
func TestPeerCases(t *testing.T) {
	path := sharedtest.File(t, "data/panther-m365-azure/cases.jsonl")
	cases := readCases(t, path)
	seen := map[string]bool{}
	held := 0
	for _, c := range cases {
		key := c.file() + "/" + c.Test
		if strings.Contains(c.RuleFile, "azure_activity_rules") || outOfScope[c.file()] != "" {
			continue
		}
		ours, ok := peers[c.file()]
		if !ok {
			t.Errorf("%s: no rule of ours is named for it, and it is not listed as out of scope", key)
			continue
		}
		held++
		got := analyzeCase(t, c, given[key])
		fired := slices.ContainsFunc(ours, got.has)
		why, differs := differing[key]
		seen[key] = differs
		switch {
		case fired == c.Expected && differs:
			t.Errorf("%s: listed as differing (%s), but it agrees: take it off the list", key, why)
		case fired != c.Expected && !differs:
			t.Errorf("%s: the peer expects %v, we gave %v (rules that fired: %v)", key, c.Expected, fired, got.rules())
		}
	}
	for key := range differing {
		if !seen[key] {
			t.Errorf("%s is listed as differing and is no case", key)
		}
	}
	if held < 70 {
		t.Errorf("only %d cases were held", held)
	}
	t.Logf("%d cases held, %d differ", held, len(differing))
}

func readCases(t *testing.T, path string) []peerCase {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []peerCase
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var c peerCase
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// analyzeCase gives the case's record as often as its threshold asks, each with an id and a time of its own. The peer counts
// distinct addresses where the rule is about them, so each has its own there.
func analyzeCase(t *testing.T, c peerCase, opt Options) result {
	t.Helper()
	times := 1
	if c.Threshold != nil {
		times = *c.Threshold
	}
	var lines strings.Builder
	for i := range times {
		lines.Write(variant(t, c, i))
		lines.WriteByte('\n')
	}
	opt.Files = []string{write(t, "case.jsonl", []byte(lines.String()))}
	got := analyze(t, opt)
	if got.sum.Broken > 0 {
		t.Errorf("%s/%s: broken: %v", c.file(), c.Test, got.sum.First)
	}
	return got
}

func variant(t *testing.T, c peerCase, i int) []byte {
	t.Helper()
	if i == 0 {
		return c.Log
	}
	var m map[string]any
	if err := json.Unmarshal(c.Log, &m); err != nil {
		t.Fatal(err)
	}
	change := func(m map[string]any) {
		for k, v := range m {
			s, ok := v.(string)
			switch low := strings.ToLower(k); {
			case !ok:
			case low == "id" || low == "correlationid":
				m[k] = fmt.Sprintf("%s-%d", s, i)
			case low == "time" || low == "creationtime" || low == "createddatetime":
				if at := audit.Time(s); !at.IsZero() {
					m[k] = at.Add(time.Duration(i) * time.Second).Format("2006-01-02T15:04:05.000Z")
				}
			case (low == "ipaddress" || low == "calleripaddress") && c.file() == "azure_graph_session_multiple_ips":
				m[k] = fmt.Sprintf("198.51.%d.7", i)
			}
		}
	}
	change(m)
	if props, ok := m["properties"].(map[string]any); ok {
		change(props)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEveryRecord reads every Microsoft 365 audit record in ../shared/data: all is understood, and what must be found is.
func TestEveryRecord(t *testing.T) {
	data := sharedtest.File(t, "data")
	for _, c := range []struct {
		file    string
		records int
		strange int
		broken  int
		rules   []string
	}{
		{"otrf-goldensaml/AADAuditEvents.json", 4, 0, 0, []string{"application-credential-added", "consent-for-everybody"}},
		{"otrf-goldensaml/OfficeActivityEvents.json", 1, 0, 0, nil},
		{"otrf-goldensaml/Microsoft365DefenderEvents.json", 9, 0, 0, []string{"account-takeover", "consent-by-user", "directory-replicated", "federation-key-read", "mail-read-after-consent"}},
		{"sentinel-training-lab/AuditLogs_Hunting.csv", 5, 0, 0, []string{"application-credential-added"}},
		{"sentinel-training-lab/disable_accounts.csv", 4, 0, 0, []string{"disabled-account-sign-in"}},
		{"sentinel-training-lab/office_activity.csv", 266, 0, 0, []string{"anonymous-link", "sharing-policy-weakened"}},
		{"sentinel-training-lab/office_activity_inbox_rule.csv", 2, 0, 0, lab()},
		{"sentinel-training-lab/sign-in_adelete.csv", 56, 0, 0, nil},
		{"sentinel-training-lab/azureActivity_adele.csv", 23, 0, 0, nil}, // Azure resources: known, not judged
		{"sentinel-training-lab/signinLogs.csv", 0, 1, 0, nil},           // the result of a query, no record
		{"sentinel-training-lab/HighRiskApps.csv", 0, 5, 0, nil},         // a list of names
		{"sentinel-training-lab/PenTestsIPaddresses.csv", 0, 0, 1, nil},  // a list of addresses
	} {
		t.Run(c.file, func(t *testing.T) {
			got := analyze(t, Options{Files: []string{filepath.Join(data, filepath.FromSlash(c.file))}})
			if got.sum.Records != c.records || got.sum.Strange != c.strange || got.sum.Broken != c.broken {
				t.Errorf("records %d, not understood %d, broken %d (%v); want %d, %d, %d",
					got.sum.Records, got.sum.Strange, got.sum.Broken, got.sum.First, c.records, c.strange, c.broken)
			}
			if !slices.Equal(got.rules(), c.rules) {
				t.Errorf("rules %v, want %v", got.rules(), c.rules)
			}
		})
	}
}

// lab is what the lab's own alert rule "Malicious Inbox Rule" finds in its two records: one that hides mail with "do not open"
// among the junk. The words are detect's; while it does not know these, neither live nor offline finds it.
func lab() []string {
	if _, known := detect.Notices.Find("do not open"); known {
		return []string{"hides-security-notices"}
	}
	return nil
}

// TestLabStory reads the lab's files together: the address that tries a disabled account is the one that signs in as Adele.
func TestLabStory(t *testing.T) {
	data := sharedtest.File(t, "data/sentinel-training-lab")
	got := analyze(t, Options{Files: []string{filepath.Join(data, "sign-in_adelete.csv"), filepath.Join(data, "disable_accounts.csv"), filepath.Join(data, "office_activity.csv")}})
	i := slices.IndexFunc(got.findings, func(f tocsin.Finding) bool { return f.Rule == "disabled-account-sign-in" })
	if i < 0 {
		t.Fatalf("no finding on the disabled account; rules %v", got.rules())
	}
	f := got.findings[i]
	if !strings.Contains(f.Why, "adelev@") || f.Severity.Rank() < tocsin.High.Rank() {
		t.Errorf("%s %d: %s; want the success as adelev, at least high", f.Severity, f.Risk, f.Why)
	}
}

// TestGoldenSAML reads the recorded attack whole: every step that an export tells of is found, and they join.
func TestGoldenSAML(t *testing.T) {
	data := sharedtest.File(t, "data/otrf-goldensaml")
	got := analyze(t, Options{Files: []string{filepath.Join(data, "AADAuditEvents.json"), filepath.Join(data, "Microsoft365DefenderEvents.json"), filepath.Join(data, "OfficeActivityEvents.json")}})
	for _, c := range []struct{ step, rule, who string }{
		{"the key of AD FS is read", "federation-key-read", "wardog@simulandlabs.com"},
		{"the directory is copied", "directory-replicated", "pgustavo@simulandlabs.com"},
		{"an application is allowed for everybody", "consent-for-everybody", "pgustavo@simulandlabs.com"},
		{"a credential is added to it", "application-credential-added", "pgustavo@simulandlabs.com"},
		{"mail is read with it", "mail-read-after-consent", "pgustavo@simulandlabs.com"},
		{"all of it is one takeover", "account-takeover", "pgustavo@simulandlabs.com"},
	} {
		i := slices.IndexFunc(got.findings, func(f tocsin.Finding) bool { return f.Rule == c.rule && string(f.Person) == c.who })
		if i < 0 {
			t.Errorf("%s: no %s of %s among %v", c.step, c.rule, c.who, got.rules())
			continue
		}
		if c.rule == "account-takeover" && (got.findings[i].Severity != tocsin.Critical || len(got.findings[i].Evidence) < 4) {
			t.Errorf("%s %+v", got.findings[i].Severity, got.findings[i].Evidence)
		}
	}
	if len(got.sum.Stories) != 1 {
		t.Errorf("%d stories: %+v", len(got.sum.Stories), got.sum.Stories)
	}
}

// TestLabAttacks reads all the lab's logs at once: what its own alert rules look for is found.
func TestLabAttacks(t *testing.T) {
	data := sharedtest.File(t, "data/sentinel-training-lab")
	var files []string
	for _, name := range []string{"AuditLogs_Hunting.csv", "disable_accounts.csv", "office_activity.csv", "office_activity_inbox_rule.csv", "sign-in_adelete.csv", "azureActivity_adele.csv"} {
		files = append(files, filepath.Join(data, name))
	}
	got := analyze(t, Options{Files: files})
	for _, c := range []struct{ attack, rule, who string }{
		{"Sign-ins from addresses that attempt sign-ins to disabled accounts", "disabled-account-sign-in", "adelev@m365x816222.onmicrosoft.com"},
		{"Malicious Inbox Rule", "hides-security-notices", "adelev@contoso.onmicrosoft.com"},
		{"Credential added after another to an application (hunting)", "application-credential-added", "victim@buildseccxpninja.onmicrosoft.com"},
		{"Files shared by a link that asks for no sign-in, from the address of the attack", "anonymous-link", "adelev@m365x816222.onmicrosoft.com"},
	} {
		if !slices.ContainsFunc(got.findings, func(f tocsin.Finding) bool { return f.Rule == c.rule && strings.EqualFold(string(f.Person), c.who) }) {
			t.Errorf("%s: no %s of %s among %v", c.attack, c.rule, c.who, got.rules())
		}
	}
}

// TestOwnRules has a rule of one's own judge beside: what no detection looks at is read for it, from rows and from JSON.
func TestOwnRules(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"viewed.yml": "title: A page was viewed\nlevel: high\nlogsource: {product: m365, service: audit}\ndetection: {s: {Operation: PageViewed}, condition: s}\n",
		"many.yml":   "title: Many pages\nlevel: critical\ncorrelation: {type: event_count, rules: [v], group-by: [UserId], timespan: 1h, condition: {gte: 3}}\n---\ntitle: One\nname: v\nlogsource: {product: m365}\ndetection: {s: {Operation: PageViewed}, condition: s}\n",
		"bad.yml":    "title: x\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	for i := range 4 {
		fmt.Fprintf(&log, `{"Id":"v%d","CreationTime":"2026-03-02T02:0%d:00","Operation":"PageViewed","Workload":"SharePoint","UserId":"amy@fabrikam.com"}`+"\n", i, i)
	}
	file := write(t, "log.jsonl", []byte(log.String()))
	out, notes, err := run(t, "--rules", dir, "--json", file)
	if err != nil || !strings.Contains(notes, "bad.yml: line 1:") || !strings.Contains(notes, "2 rules of your own, 1 that cannot be read") {
		t.Errorf("%v %s", err, notes)
	}
	if strings.Count(out, `"rule":"own-a-page-was-viewed"`) != 1 || strings.Count(out, `"rule":"own-many-pages"`) != 1 {
		t.Errorf("found %s", out)
	}
	if out, _, err := run(t, "--json", file); err != nil || strings.Contains(out, "own-") {
		t.Errorf("without rules: %s %v", out, err)
	}
}

// TestRepeatedFile reads a file twice: the records count once and the findings are the same.
func TestRepeatedFile(t *testing.T) {
	file := sharedtest.File(t, "data/sentinel-training-lab/office_activity.csv")
	once, twice := analyze(t, Options{Files: []string{file}}), analyze(t, Options{Files: []string{file, file}})
	if twice.sum.Repeated != once.sum.Records || twice.sum.Judged != once.sum.Judged {
		t.Errorf("twice: %d repeated, %d judged; want %d, %d", twice.sum.Repeated, twice.sum.Judged, once.sum.Records, once.sum.Judged)
	}
	if a, b := asLines(t, once), asLines(t, twice); a != b {
		t.Errorf("findings differ:\n%s\n%s", a, b)
	}
}

func asLines(t *testing.T, r result) string {
	t.Helper()
	var b strings.Builder
	for _, f := range r.findings {
		if err := WriteJSON(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
