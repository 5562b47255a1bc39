package posture

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/detect"
	"tocsin.dev/sharedtest"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is a snapshot made of JSON texts by path.
func world(t testing.TB, collections map[string]string) *State {
	t.Helper()
	s := &Snapshot{Collections: map[string][]json.RawMessage{}}
	for path, text := range collections {
		list, err := elements([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		s.Collections[path] = list
	}
	return NewState(s, now)
}

func result(t testing.TB, s *State, id string, exceptions ...detect.Exception) Result {
	t.Helper()
	for i := range Checks {
		if Checks[i].ID == id {
			return Checks[i].Judge(s, exceptions)
		}
	}
	t.Fatalf("there is no check %s", id)
	return Result{}
}

// TestTable holds the table to its form: an id of its own, a known area, a sentence to mend it, and no path that is not named.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks {
		if seen[c.ID] || c.ID != strings.ToLower(c.ID) || strings.ContainsAny(c.ID, " _") {
			t.Errorf("%q is no id, or there twice", c.ID)
		}
		seen[c.ID] = true
		if !slices.Contains(Areas, c.Area) || c.Title == "" || c.Fails == "" || c.Fails == c.Title || !strings.HasSuffix(c.Mend, ".") || len(c.Needs) == 0 || c.Severity == "" || c.judge == nil {
			t.Errorf("%s: something lacks", c.ID)
		}
	}
	if len(Checks) < 180 || len(Checks) > 200 {
		t.Errorf("there are %d checks; pages and reports ask for 200 at once", len(Checks))
	}
	var eidsca []string
	for i, c := range Checks {
		if at := slices.Index(Areas, c.Area); i > 0 && at < slices.Index(Areas, Checks[i-1].Area) {
			t.Errorf("%s stands behind another area, and pages would have its area twice", c.ID)
		}
		eidsca = append(eidsca, c.EIDSCA...)
	}
	slices.Sort(eidsca)
	if eidsca = slices.Compact(eidsca); len(eidsca) != 44 {
		t.Errorf("of EIDSCA's 44 controls %d are judged: %v", len(eidsca), eidsca)
	}
}

// TestAsOf: what rests on a path that could not be read again is not said to be so now.
func TestAsOf(t *testing.T) {
	judged := func(on bool, m Missing) Result {
		s := world(t, map[string]string{pathMailLog: fmt.Sprintf(`[{"Name":"A","UnifiedAuditLogIngestionEnabled":%t}]`, on)}).snap
		s.Read = map[string]time.Time{pathMailLog: now.AddDate(0, 0, -18)}
		if m.Reason != "" {
			s.Missing = map[string]Missing{pathMailLog: m}
		}
		return result(t, NewState(s, now), "mail-audit-log")
	}
	refused := Missing{Reason: Permission, Why: "Exchange.ManageAsApp is not granted."}
	if r := judged(true, Missing{}); r.Status != Pass {
		t.Errorf("read, and it is %s: %s", r.Status, r.Why)
	}
	if r := judged(true, refused); r.Status != Unknown || r.Reason != Permission || !strings.HasPrefix(r.Why, "On 3 November 2026 this was so: ") || !strings.HasSuffix(r.Why, "Exchange.ManageAsApp is not granted.") {
		t.Errorf("it passed then, and is %s, %s: %s", r.Status, r.Reason, r.Why)
	}
	if r := judged(false, refused); r.Status != Fail || len(r.Found) != 1 || !strings.Contains(r.Why, "That was on 3 November 2026; since then "+pathMailLog+" could not be read") {
		t.Errorf("it failed then, and is %s: %s", r.Status, r.Why)
	}
	if r := judged(true, Missing{Reason: NotCollected}); r.Status != Pass {
		t.Errorf("it is not offered any more, and is %s: %s", r.Status, r.Why)
	}
}

// TestNothingKnown says of a tenant of which nothing was collected that nothing is known, and never that anything is well or ill.
func TestNothingKnown(t *testing.T) {
	s := NewState(&Snapshot{Missing: map[string]Missing{"/v1.0/Users": {Reason: Permission, Why: "User.Read.All was not granted."}}}, now)
	for _, r := range Judge(s, nil) {
		if r.Status != Unknown || r.Reason == "" || !strings.HasSuffix(r.Why, ".") {
			t.Errorf("%s: %s %s: %s", r.ID, r.Status, r.Reason, r.Why)
		}
	}
	if r := result(t, s, "guests-stale"); r.Reason != Permission || r.Why != "/users could not be read: User.Read.All was not granted." {
		t.Errorf("%s: %s", r.Reason, r.Why)
	}
}

const grid = `[
 {"id":"p1","displayName":"MFA for all","state":"enabled","conditions":{"clientAppTypes":["all"],"users":{"includeUsers":["All"],"excludeUsers":["bg"],"excludeGroups":["contractors"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}},
 {"id":"p2","displayName":"No legacy","state":"enabled","conditions":{"clientAppTypes":["exchangeActiveSync","other"],"users":{"includeUsers":["All"],"excludeUsers":["bg"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}},
 {"id":"p3","displayName":"Not from Elbonia","state":"enabled","conditions":{"clientAppTypes":["all"],"users":{"includeUsers":["All"],"excludeUsers":["bg"]},"applications":{"includeApplications":["All"]},"locations":{"includeLocations":["elbonia"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}},
 {"id":"p4","displayName":"Compliant for contractors","state":"enabledForReportingButNotEnforced","conditions":{"clientAppTypes":["all"],"users":{"includeGroups":["contractors"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"AND","builtInControls":["mfa","compliantDevice"]}}
]`

const people = `[{"id":"anna","displayName":"Anna","accountEnabled":true,"userType":"Member"},{"id":"carl","displayName":"Carl","accountEnabled":true,"userType":"Member"},
 {"id":"bg","displayName":"Break Glass","accountEnabled":true,"userType":"Member"},{"id":"gina","displayName":"Gina","accountEnabled":true,"userType":"Guest"},{"id":"old","displayName":"Old","accountEnabled":false}]`

// TestWhatIf asks about sign-ins person by person.
func TestWhatIf(t *testing.T) {
	s := world(t, map[string]string{
		"/identity/conditionalAccess/policies":      grid,
		"/users":                                    people,
		"/groups":                                   `[{"id":"contractors","displayName":"Contractors"}]`,
		"/groups/contractors/transitiveMembers":     `[{"id":"carl"}]`,
		"identity/conditionalaccess/namedlocations": `[{"id":"elbonia","displayName":"Elbonia","countriesAndRegions":["EB"]}]`,
	})
	for _, c := range []struct {
		name                 string
		a                    Attempt
		blocked, mfa, unsure bool
	}{
		{"anna at home", Attempt{Person: "anna", Client: "browser", Place: "home"}, false, true, false},
		{"anna from Elbonia", Attempt{Person: "anna", Client: "browser", Place: "elbonia"}, true, true, false},
		{"anna by IMAP", Attempt{Person: "anna", Client: "other", Place: "home"}, true, true, false},
		{"anna, place not told", Attempt{Person: "anna", Client: "browser"}, false, true, true},
		{"a contractor at home", Attempt{Person: "carl", Client: "browser", Place: "home"}, false, false, false},
		{"the emergency account", Attempt{Person: "bg", Client: "browser", Place: "elbonia"}, false, false, false},
		{"a guest", Attempt{Person: "gina", Client: "browser", Place: "home"}, false, true, false},
	} {
		o := s.WhatIf(c.a)
		if o.Blocked != c.blocked || o.MFA != c.mfa || o.Unsure != c.unsure {
			t.Errorf("%s: blocked %t, mfa %t, unsure %t; want %t, %t, %t", c.name, o.Blocked, o.MFA, o.Unsure, c.blocked, c.mfa, c.unsure)
		}
	}
	r := result(t, s, "ca-mfa-everyone")
	if r.Status != Fail || len(r.Found) != 1 || r.Found[0].Name != "Carl" || !strings.Contains(r.Found[0].Why, "Contractors") {
		t.Errorf("%s: %s %+v", r.Status, r.Why, r.Found)
	}
	if r := result(t, s, "ca-mfa-guests"); r.Status != Pass {
		t.Errorf("guests: %s %s", r.Status, r.Why)
	}
	if r := result(t, s, "ca-emergency-accounts"); r.Status != Pass || r.Found[0].Name != "Break Glass" {
		t.Errorf("emergency: %s %s", r.Status, r.Why)
	}
	if r := result(t, s, "ca-exclusions"); r.Status != Pass {
		// the group is excluded from the policy for MFA and taken in by the ones that block
		t.Errorf("exclusions: %s %s", r.Status, r.Why)
	}
}

// TestNotKnownWhoIsIn says that it cannot be told where who is in an excluded group was not collected.
func TestNotKnownWhoIsIn(t *testing.T) {
	s := world(t, map[string]string{"/identity/conditionalAccess/policies": grid, "/users": people})
	if r := result(t, s, "ca-mfa-everyone"); r.Status != Unknown || r.Reason != Undecided {
		t.Errorf("%s %s: %s", r.Status, r.Reason, r.Why)
	}
}

// TestExceptions holds that an exception needs an owner, a reason and time left, and covers what it names alone.
func TestExceptions(t *testing.T) {
	s := world(t, map[string]string{"/deviceManagement/managedDevices": `[{"id":"d1","deviceName":"KIOSK-1","isEncrypted":false},{"id":"d2","deviceName":"LAPTOP-2","isEncrypted":false}]`})
	e := detect.Exception{Rule: "device-encrypted", Scope: detect.ScopeSubject, Value: "KIOSK-1", Owner: "Ines", Reason: "stands in a locked room", Expires: now.Add(24 * time.Hour)}
	if r := result(t, s, "device-encrypted", e); r.Status != Fail || len(r.Found) != 1 || r.Found[0].Name != "LAPTOP-2" {
		t.Errorf("one of two: %s %+v", r.Status, r.Found)
	}
	both := []detect.Exception{e, e}
	both[1].Value, both[1].Expires = "d2", time.Time{}
	r := result(t, s, "device-encrypted", both...)
	if r.Status != Excepted || r.Exception == nil || !strings.Contains(r.Why, "Excepted by Ines until 2026-11-22: stands in a locked room") {
		t.Errorf("both: %s %s", r.Status, r.Why)
	}
	for name, wrong := range map[string]func(*detect.Exception){
		"no owner": func(e *detect.Exception) { e.Owner = "" }, "no reason": func(e *detect.Exception) { e.Reason = "" },
		"past": func(e *detect.Exception) { e.Expires = now }, "another check": func(e *detect.Exception) { e.Rule = "device-stale" },
	} {
		all := detect.Exception{Rule: "device-encrypted", Scope: detect.ScopeAll, Value: "*", Owner: "Ines", Reason: "r"}
		if r := result(t, s, "device-encrypted", all); r.Status != Excepted {
			t.Errorf("all: %s", r.Status)
		}
		wrong(&all)
		if r := result(t, s, "device-encrypted", all); r.Status != Fail {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
}

// TestRoles takes who is an administrator from assignments, eligible ones and groups.
func TestRoles(t *testing.T) {
	s := world(t, map[string]string{
		"/users":                           `[{"id":"g1","displayName":"Global One"},{"id":"g2","displayName":"Global Two","onPremisesSyncEnabled":true},{"id":"g3","displayName":"Global Three"},{"id":"ext","displayName":"Ext","userType":"Guest"}]`,
		"/groups":                          `[{"id":"admins","displayName":"Admins","isAssignableToRole":true}]`,
		"/groups/admins/transitiveMembers": `[{"id":"ext"}]`,
		"/roleManagement/directory/roleAssignmentScheduleInstances":  `[{"principalId":"g1","roleDefinitionId":"62e90394-69f5-4237-9190-012177145e10","assignmentType":"Assigned"},{"principalId":"admins","roleDefinitionId":"29232cdf-9323-42fd-ade2-1d097af3e4de","assignmentType":"Assigned","endDateTime":"2027-01-01T00:00:00Z"}]`,
		"/roleManagement/directory/roleEligibilityScheduleInstances": `[{"principalId":"g2","roleDefinitionId":"62E90394-69F5-4237-9190-012177145E10"},{"principalId":"g3","roleDefinitionId":"62e90394-69f5-4237-9190-012177145e10"}]`,
	})
	for id, want := range map[string]string{"admin-globals": "", "admin-permanent": "Global One", "admin-cloud-only": "Global Two", "admin-guest": "Ext"} {
		r := result(t, s, id)
		if want == "" && r.Status != Pass || want != "" && (r.Status != Fail || len(r.Found) != 1 || r.Found[0].Name != want) {
			t.Errorf("%s: %s %s %+v", id, r.Status, r.Why, r.Found)
		}
	}
	for _, h := range s.Holdings() {
		if h.Principal == "ext" && h.Group != "admins" {
			t.Errorf("%+v does not come by the group", h)
		}
	}
}

// TestTaking judges how roles are taken: by approval that somebody is named to give, and with a second factor.
func TestTaking(t *testing.T) {
	policy := func(role, rules string) string {
		return `{"roleDefinitionId":"` + role + `","policy":{"rules":[` + rules + `]}}`
	}
	const (
		asked     = `{"id":"Enablement_EndUser_Assignment","enabledRules":["MultiFactorAuthentication","Justification"]}`
		bare      = `{"id":"Enablement_EndUser_Assignment","enabledRules":["Justification"]}`
		context   = `{"id":"AuthenticationContext_EndUser_Assignment","isEnabled":true,"claimValue":"c1"}`
		approved  = `{"id":"Approval_EndUser_Assignment","setting":{"isApprovalRequired":true,"approvalStages":[{"primaryApprovers":[{"userId":"x"}]}]}}`
		nobody    = `{"id":"Approval_EndUser_Assignment","setting":{"isApprovalRequired":true,"approvalStages":[{"primaryApprovers":[]}]}}`
		forAll    = `{"id":"Approval_EndUser_Assignment","setting":{"isApprovalRequired":false}}`
		ordinary  = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b" // Directory Readers
		exchanges = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	)
	for _, c := range []struct {
		name, body                   string
		activation, global, becoming Status
	}{
		{"as it should be", policy(roleGlobal, asked+","+approved) + "," + policy(rolePrivileged, bare+","+context+","+approved), Pass, Pass, Pass},
		{"nobody approves", policy(roleGlobal, asked+","+nobody) + "," + policy(exchanges, bare), Fail, Fail, Unknown},
		{"a role that is not high", policy(ordinary, bare+","+forAll), Unknown, Unknown, Unknown},
		{"without a rule", policy(roleGlobal, ""), Unknown, Unknown, Unknown},
	} {
		s := world(t, map[string]string{"/policies/roleManagementPolicyAssignments": "[" + c.body + "]"})
		for id, want := range map[string]Status{"admin-activation": c.activation, "admin-approval-global": c.global, "admin-approval-privileged": c.becoming} {
			if r := result(t, s, id); r.Status != want {
				t.Errorf("%s: %s is %s, want %s: %s", c.name, id, r.Status, want, r.Why)
			}
		}
	}
}

// TestRests: a result names what it rests on, also where another check has looked at it before, and what is not there.
func TestRests(t *testing.T) {
	s := world(t, map[string]string{"/identity/conditionalAccess/policies": grid, "/users": people, "/groups": "[]"})
	for _, again := range []bool{false, true} {
		for id, want := range map[string][]string{
			"ca-mfa-everyone":       {"/identity/conditionalAccess/policies", "/users", "/groups/contractors/transitiveMembers", "/policies/authenticationStrengthPolicies"},
			"admin-permanent":       {"/roleManagement/directory/roleAssignments", "/v1.0/roleManagement/directory/roleAssignmentScheduleInstances"},
			"ca-emergency-accounts": {"/identity/conditionalAccess/policies", "/users"},
		} {
			r := result(t, s, id)
			for _, path := range want {
				if !RestsOn(r.Rests, path) {
					t.Errorf("again %t: %s does not rest on %s but on %q", again, id, path, r.Rests)
				}
			}
			if RestsOn(r.Rests, "/deviceManagement/managedDevices") {
				t.Errorf("%s rests on devices", id)
			}
		}
	}
	// Loaded as it is looked at, the verdicts are the same; what cannot be loaded is told.
	lazy := &Snapshot{Collections: map[string][]json.RawMessage{}, Load: func(path string) ([]json.RawMessage, error) { return s.snap.Collections[path], nil }}
	for path := range s.snap.Collections {
		lazy.Collections[path] = nil
	}
	late := NewState(lazy, now)
	for i, r := range Judge(s, nil) {
		if got := Checks[i].Judge(late, nil); got.Status != r.Status || got.Why != r.Why {
			t.Errorf("%s: %s %s, loaded late %s %s", r.ID, r.Status, r.Why, got.Status, got.Why)
		}
	}
	if late.Err() != nil {
		t.Error(late.Err())
	}
	lazy.Load = func(string) ([]json.RawMessage, error) { return nil, errForm }
	broken := NewState(lazy, now)
	Judge(broken, nil)
	if broken.Err() == nil {
		t.Error("what could not be loaded is not told")
	}
}

// TestPermissions names what an application's permissions give.
func TestPermissions(t *testing.T) {
	s := world(t, map[string]string{"/servicePrincipals": `[
	 {"id":"graph","appId":"00000003-0000-0000-c000-000000000000","displayName":"Microsoft Graph","appOwnerOrganizationId":"f8cdef31-a31e-4b4a-93e4-5f571e91255a","appRoles":[{"id":"r1","value":"Mail.ReadWrite"},{"id":"r2","value":"User.Read.All"}]},
	 {"id":"a","displayName":"Archiver","appRoleAssignments":[{"appRoleId":"r1","resourceId":"graph"},{"appRoleId":"r2","resourceId":"graph"}]},
	 {"id":"b","displayName":"Badges","appRoleAssignments":[{"appRoleId":"r2","resourceId":"graph"}]}]`})
	r := result(t, s, "app-overprivileged")
	if r.Status != Fail || len(r.Found) != 1 || r.Found[0].Name != "Archiver" || r.Found[0].Why != "Mail.ReadWrite (reads and changes all mail)" {
		t.Errorf("%s %+v", r.Status, r.Found)
	}
}

// TestScuba judges the tenant that CISA's ScubaGear exported; the answers below were read from the file by hand.
func TestScuba(t *testing.T) {
	f, err := os.Open(sharedtest.File(t, "data/scubagear/ProviderSettingsExport.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	snap, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	s := NewState(snap, now)
	for id, want := range map[string]Status{
		"ca-legacy-blocked": Fail, "ca-mfa-everyone": Fail, "ca-mfa-guests": Fail, "ca-report-only": Fail, "ca-phishing-resistant-administrators": Fail,
		"admin-globals": Fail, "admin-cloud-only": Pass, "admin-approval-global": Fail,
		"users-consent": Fail, "users-register-applications": Fail, "users-consent-workflow": Fail, "guests-access": Fail, "guests-invited-by": Fail, "users-self-join": Fail,
		"users-risky-consent": Unknown, "methods-weak": Unknown, "device-encrypted": Unknown,
		"sharing-sharepoint": Fail, "sharing-onedrive": Fail, "sharing-anyone-expires": Fail, "sharing-anyone-reads": Fail, "sharing-default-link": Fail, "sharing-legacy": Fail, "sharing-reauthentication": Fail,
	} {
		if r := result(t, s, id); r.Status != want {
			t.Errorf("%s: %s, want %s: %s", id, r.Status, want, r.Why)
		}
	}
	n := map[Status]int{}
	for _, r := range Judge(s, nil) {
		n[r.Status]++
	}
	t.Logf("of %d checks: %v", len(Checks), n)
}

// FuzzRead reads strangers' bytes and judges them.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"tenant":{"id":"t"},"collections":{"/users":` + people + `,"/identity/conditionalAccess/policies":` + grid + `}}`))
	f.Add([]byte(`{"collections":{"/policies/authorizationPolicy":{"allowInvitesFrom":"everyone"},"/policies/activityBasedTimeoutPolicies":[{"definition":["{\"ActivityBasedTimeoutPolicy\":{\"ApplicationPolicies\":[{\"ApplicationId\":\"default\",\"WebSessionIdleTimeout\":\"1.02:03:04\"}]}}"]}]}}`))
	f.Add([]byte(`{"conditional_access_policies":{"State":"enabled"},"privileged_users":{"x":{"DisplayName":"X"}},"SPO_tenant":[{"SharingCapability":2}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		for _, r := range Judge(NewState(s, now), nil) {
			if r.Status == "" || r.Why == "" {
				t.Errorf("%s says nothing", r.ID)
			}
		}
	})
}
