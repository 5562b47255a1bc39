package collect

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// stateRoles are the permissions with which all but sharing is read.
var stateRoles = append(slices.Clone(sim.ReadTier), "RoleManagement.Read.Directory", "DeviceManagementManagedDevices.Read.All", "DeviceManagementConfiguration.Read.All", "Policy.Read.DeviceConfiguration",
	"OnPremDirectorySynchronization.Read.All")

// stateSources are the sources of what a tenant is set to, in an order in which each finds what it builds on.
var stateSources = []string{"access", "privileges", "applications", "registrations", "settings_of_people"}

// TestState collects what a simulated tenant is set to and judges it: a second round writes nothing, one change costs one object, a
// finding is raised once, grows, and is fixed when the setting is mended.
func TestState(t *testing.T) {
	inBoth(t, 60, "", func(f *field) {
		f.w.Consent(stateRoles...)
		f.ask("domains", "users")
		f.ask(stateSources...)
		f.ask("devices", "sharing", "posture")
		f.ok(append(slices.Clone(stateSources), "devices", "posture")...)
		if got := f.rows(`select count(*) from state_object where tenant = $1 and path = '/identity/conditionalAccess/policies'`); got[0] != "5" {
			t.Errorf("%s policies", got[0])
		}
		if got := f.rows(`select count(*) from state_path where tenant = $1 and path like '/groups/%/transitiveMembers'`); got[0] == "0" {
			t.Error("nobody asked who is in the group that a policy leaves out")
		}
		for id, want := range map[string]string{"ca-legacy-blocked": "pass", "ca-mfa-everyone": "fail", "ca-report-only": "fail", "methods-weak": "fail", "methods-number": "pass", "users-consent": "fail",
			"partners-trust": "fail", "app-long-lived": "fail", "app-expired": "fail", "device-encrypted": "fail", "admin-permanent": "fail", "sharing-sharepoint": "unknown", "session-idle": "fail",
			"admin-approval-global": "pass", "admin-approval-privileged": "fail", "sync-takeover": "fail", "sync-hashes": "pass", "sync-seamless": "unknown", "password-own-words": "pass", "password-on-premises": "fail", "password-lockout-tries": "pass",
			"password-expiry": "pass", "users-create-groups": "fail", "device-join": "fail", "device-local-global": "fail", "device-local-password": "pass", "device-secure-by-default": "fail", "app-credentials-restricted": "fail"} {
			if got := f.rows(`select status, reason from posture_result where tenant = $1 and id = $2`, id); len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Errorf("%s: %q, want %s", id, got, want)
			}
		}
		if got := f.rows(`select reason, why from posture_result where tenant = $1 and id = 'sharing-sharepoint'`); got[0] != "permission /admin/sharepoint/settings could not be read: the permission SharePointTenantSettings.Read.All is not granted." {
			t.Errorf("why it is unknown is not told: %q", got)
		}
		if got := f.rows(`select severity, status from finding where tenant = $1 and rule = 'ca-mfa-everyone'`); len(got) != 1 || got[0] != "critical open" {
			t.Errorf("the finding: %q", got)
		}
		if got := f.rows(`select count(*) from finding where tenant = $1 and rule = 'app-expired'`); got[0] != "0" {
			t.Error("what is of no weight is a finding")
		}

		before := f.rows(`select path, id, changed from state_object where tenant = $1 order by path, id`)
		facts := f.rows(`select count(*) from fact where tenant = $1 and kind = 'state.changed'`)
		f.st.Clock().Advance(time.Minute)
		f.ask(stateSources...)
		f.ask("posture")
		if after := f.rows(`select path, id, changed from state_object where tenant = $1 order by path, id`); !slices.Equal(before, after) || !slices.Equal(facts, f.rows(`select count(*) from fact where tenant = $1 and kind = 'state.changed'`)) {
			t.Error("a round in which nothing changed wrote")
		}

		f.w.Set("policies/authenticationMethodsPolicy", `{"id":"authenticationMethodsPolicy","policyMigrationState":"migrationComplete","authenticationMethodConfigurations":[
			{"@odata.type":"#microsoft.graph.smsAuthenticationMethodConfiguration","id":"Sms","state":"disabled"},{"@odata.type":"#microsoft.graph.voiceAuthenticationMethodConfiguration","id":"Voice","state":"disabled"}]}`)
		until := tocsin.Millis(f.st.Clock().Now())
		f.st.Clock().Advance(time.Minute)
		f.ask("access", "posture")
		changed := f.rows(fmt.Sprintf(`select path from state_object where tenant = $1 and changed > %d`, until))
		if len(changed) != 1 || changed[0] != "/policies/authenticationMethodsPolicy" {
			t.Errorf("one change wrote %q", changed)
		}
		if got := f.rows(`select status from finding where tenant = $1 and rule = 'methods-weak'`); len(got) != 1 || got[0] != "fixed" {
			t.Errorf("mended, and the finding is %q", got)
		}

		// What is kept and what `tocsin snapshot` writes are judged the same.
		var snap *posture.Snapshot
		if err := f.st.ViewTenant(t.Context(), f.tenant, func(tx *store.Tenant) (err error) {
			snap, err = StateOf(t.Context(), tx, f.st.Clock().Now(), nil)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(snap)
		if err != nil {
			t.Fatal(err)
		}
		again, err := posture.Read(strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range posture.Judge(posture.NewState(again, f.st.Clock().Now()), nil) {
			if got := f.rows(`select status from posture_result where tenant = $1 and id = $2`, r.ID); got[0] != string(r.Status) {
				t.Errorf("%s: %s here, %s from the file", r.ID, got[0], r.Status)
			}
		}
	})
}

// TestStateChanges: a person who is blocked costs one request for what changed of people, one object, and the judgement of what rests on
// people; a token that has expired, and a day that has gone, cost a whole reading. A refusal for want of a licence says so.
func TestStateChanges(t *testing.T) {
	inBoth(t, 60, "domain fabrikamfreight.com\nperson ines \"Ines\"\nperson bruno \"Bruno\"\n", func(f *field) {
		f.w.Consent(stateRoles...)
		f.between = func(r *http.Request, res *http.Response) *http.Response {
			if strings.HasSuffix(r.URL.Path, "/roleAssignmentScheduleInstances") {
				res.Body.Close()
				const text = `{"error":{"code":"AadPremiumLicenseRequired","message":"The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."}}`
				res.StatusCode, res.Body, res.ContentLength = http.StatusBadRequest, io.NopCloser(strings.NewReader(text)), int64(len(text))
			}
			return res
		}
		f.ask("domains", "users")
		f.ask(stateSources...)
		f.ask("devices", "posture")
		f.ok(append(slices.Clone(stateSources), "posture")...)
		if got := f.rows(`select reason from state_path where tenant = $1 and path = '/roleManagement/directory/roleAssignmentScheduleInstances'`); len(got) != 1 || got[0] != "licence" {
			t.Errorf("refused for want of a licence, and it says %q", got)
		}
		until := tocsin.Millis(f.st.Clock().Now())
		written := func() []string {
			return f.rows(fmt.Sprintf(`select path, id from state_object where tenant = $1 and changed > %d order by path, id`, until))
		}
		f.st.Clock().Advance(time.Minute)
		f.play("domain fabrikamfreight.com\nperson ines \"Ines\"\nmon 09:00 ines is blocked\n")
		whole := f.calls(" /users")
		f.ask("settings_of_people")
		if got := written(); len(got) != 1 || !strings.HasPrefix(got[0], "/users ") {
			t.Errorf("one who is blocked wrote %q", got)
		}
		if got := f.rows(`select body from state_object where tenant = $1 and path = '/users' and name = 'Ines'`); len(got) != 1 || !strings.Contains(got[0], `"accountEnabled":false`) || !strings.Contains(got[0], "signInActivity") {
			t.Errorf("what is held of her is %q", got)
		}
		if n := f.calls(" /users"); n != whole {
			t.Errorf("all people were read again, %d times", n-whole)
		}
		s, err := f.c.postureStand(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checks, all := s.checks(f.st.Clock().Now())
		var names []string
		for _, c := range checks {
			names = append(names, c.ID)
		}
		if all || !slices.Contains(names, "ca-mfa-everyone") || slices.Contains(names, "methods-weak") || slices.Contains(names, "device-encrypted") {
			t.Errorf("of %d checks these rest on people: %q, all: %t", len(posture.Checks), names, all)
		}
		f.ask("posture")
		if s, err = f.c.postureStand(t.Context()); err != nil {
			t.Fatal(err)
		}
		if checks, _ := s.checks(f.st.Clock().Now()); len(checks) > 0 {
			t.Errorf("judged, and %d checks are to be judged again", len(checks))
		}

		f.fault(sim.Fault{Kind: sim.Gone, Path: "users/delta", Times: 1})
		f.ask("settings_of_people")
		f.ok("settings_of_people")
		if n := f.calls(" /users"); n <= whole {
			t.Error("the token has expired, and people were not read anew")
		}
		whole = f.calls(" /users")
		f.st.Clock().Advance(25 * time.Hour)
		f.ask("settings_of_people")
		if n := f.calls(" /users"); n <= whole {
			t.Error("a day has gone, and people were not read anew")
		}
		if got := f.rows(`select count(*) from state_object where tenant = $1 and path = '/users' and deleted > 0`); got[0] != "0" {
			t.Errorf("%s people are gone", got[0])
		}
	})
}

// TestStateUngranted is silent until Policy.Read.All is granted, says so, and comes on by itself; a throttled round is made up.
func TestStateUngranted(t *testing.T) {
	inBoth(t, 60, "", func(f *field) {
		f.w.Consent("User.Read.All", "Directory.Read.All")
		if f.c.granted(t.Context(), f.source("access")) {
			t.Error("it is asked without the permission")
		}
		f.ask("domains", "users", "settings_of_people", "privileges", "posture")
		for id, want := range map[string]string{"ca-legacy-blocked": "unknown permission", "users-consent": "unknown permission", "methods-capable": "unknown permission", "admin-globals": "pass "} {
			if got := f.rows(`select status, reason from posture_result where tenant = $1 and id = $2`, id); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q, want %s", id, got, want)
			}
		}
		if n := f.calls("/identity/conditionalAccess/policies"); n != 0 {
			t.Errorf("%d calls that may not be made", n)
		}
		f.w.Consent(sim.ReadTier...)
		f.c.Graph = f.client()
		f.fault(sim.Fault{Kind: sim.Broken, Path: "**/namedLocations", Status: 503, Times: 2})
		f.ask("access")
		f.st.Clock().Advance(time.Minute)
		f.ask("access", "posture")
		f.ok("access")
		if got := f.rows(`select status from posture_result where tenant = $1 and id = 'ca-legacy-blocked'`); got[0] != "pass" {
			t.Errorf("granted, and it is %q", got)
		}
		f.w.Consent("User.Read.All", "Directory.Read.All")
		f.c.Graph = f.client()
		f.st.Clock().Advance(2 * time.Hour)
		f.ask("posture")
		if got := f.rows(`select status, reason, why from posture_result where tenant = $1 and id = 'ca-legacy-blocked'`); !strings.HasPrefix(got[0], "unknown permission On ") || !strings.Contains(got[0], "since then /identity/conditionalAccess/policies could not be read: ") {
			t.Errorf("taken away again, and it is %q", got)
		}
	})
}

// TestMailSettings: what Exchange is set to is read by its cmdlets, kept and judged as Graph's objects are; a second round writes nothing,
// and where nothing of Exchange may be read each check says which permission lacks.
func TestMailSettings(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 20, "")
	f.w.Consent(stateRoles...)
	f.ask("domains", "users", "access", "posture")
	if got := f.rows(`select status, reason, why from posture_result where tenant = $1 and id = 'mail-forwarding'`); len(got) != 1 || !strings.HasPrefix(got[0], "unknown permission ") || !strings.Contains(got[0], "Exchange.ManageAsApp") {
		t.Errorf("without the permission: %q", got)
	}
	f.w.Consent(append([]string{"Exchange.ManageAsApp"}, stateRoles...)...)
	f.c.Graph = f.client()
	f.st.Clock().Advance(time.Hour)
	f.ask("mail_settings", "posture")
	f.ok("mail_settings", "posture")
	for id, want := range map[string]string{"mail-forwarding": "fail", "mail-audit": "pass", "mail-modern": "pass", "mail-smtp": "pass", "mail-direct-send": "fail", "mail-tips": "fail", "mail-add-ins": "fail",
		"mail-signed": "pass", "mail-rules-redirect": "pass", "mail-audit-bypass": "pass", "mail-calendars": "fail", "mail-outside-marked": "pass", "mail-remote-forwarding": "fail",
		"mail-phishing": "fail", "mail-links": "fail", "mail-attachments": "pass", "mail-malware-types": "pass", "mail-preset": "fail", "mail-preset-strict": "pass", "mail-audit-log": "pass", "mail-impersonation": "pass",
		"mail-shared-sign-in": "unknown"} {
		if got := f.rows(`select status, why from posture_result where tenant = $1 and id = $2`, id); len(got) != 1 || !strings.HasPrefix(got[0], want+" ") {
			t.Errorf("%s: %q, want %s", id, got, want)
		}
	}
	before := f.rows(`select path, id, changed from state_object where tenant = $1 and path like '/exchange/%' order by path, id`)
	f.st.Clock().Advance(time.Hour)
	f.ask("mail_settings")
	if after := f.rows(`select path, id, changed from state_object where tenant = $1 and path like '/exchange/%' order by path, id`); len(before) < 10 || !slices.Equal(before, after) {
		t.Errorf("a round in which nothing changed wrote: %q and %q", before, after)
	}
	// The round through all mailboxes tells of those that checks look at.
	f.ask("settings_of_people", "exchange", "posture")
	f.ok("exchange")
	for id, want := range map[string]string{"mail-shared-sign-in": "fail", "mail-audit-mailboxes": "pass", "mail-own-domain": "pass"} {
		if got := f.rows(`select status, why from posture_result where tenant = $1 and id = $2`, id); len(got) != 1 || !strings.HasPrefix(got[0], want+" ") {
			t.Errorf("%s: %q, want %s", id, got, want)
		}
	}
	if got := f.rows(`select name from state_object where tenant = $1 and path = '/exchange/Get-Mailbox' and deleted = 0`); len(got) == 0 || len(got) > 3 {
		t.Errorf("of the mailboxes are kept %q", got)
	}
}

// TestReach: who reaches further than roles say is collected and judged: other tenants, owners, devices that Entra alone knows, links that
// anybody can use. What is not granted is unknown, with the permission that lacks; a second round writes nothing.
func TestReach(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 40, "")
	f.w.Consent(append([]string{"Sites.Read.All"}, stateRoles...)...)
	f.ask("domains", "users")
	f.ask(stateSources...)
	f.ask("joined", "sites", "posture")
	f.ok("joined")
	for id, want := range map[string]string{
		"guests-domains":       "unknown permission /policies/b2bManagementPolicies could not be read: the permission Policy.Read.B2BManagementPolicy is not granted.",
		"sharing-anyone-links": "unknown permission /reports/getSharePointSiteUsageDetail could not be read: the permission Reports.Read.All is not granted.",
	} {
		if got := f.rows(`select status, reason, why from posture_result where tenant = $1 and id = $2`, id); len(got) != 1 || got[0] != want {
			t.Errorf("%s without its permission: %q", id, got)
		}
	}
	f.w.Consent(append([]string{"Sites.Read.All", "Reports.Read.All", "Policy.Read.B2BManagementPolicy", "SharePointTenantSettings.Read.All"}, stateRoles...)...)
	f.c.Graph = f.client()
	f.st.Clock().Advance(time.Hour)
	f.ask("access", "applications", "sites", "sharing", "posture")
	f.ok("access", "sites", "sharing", "posture")
	for id, want := range map[string]string{"guests-domains": "fail", "partners-sync": "pass", "partners-direct-all": "pass", "partners-administer": "fail", "groups-owners": "fail", "groups-ownerless": "pass", "app-role-owner": "pass",
		"app-owner": "pass", "device-unmanaged": "fail", "device-forgotten": "fail", "sharing-anyone-links": "fail", "sharing-invited": "fail"} {
		if got := f.rows(`select status, why from posture_result where tenant = $1 and id = $2`, id); len(got) != 1 || !strings.HasPrefix(got[0], want+" ") {
			t.Errorf("%s: %q, want %s", id, got, want)
		}
	}
	if got := f.rows(`select why from posture_result where tenant = $1 and id = 'sharing-anyone-links'`); !strings.Contains(got[0], " links, of ") || strings.Contains(got[0], "-") {
		t.Errorf("a site is not called by its name: %q", got)
	}
	if got := f.rows(`select body from state_object where tenant = $1 and path = '/reports/getSharePointSiteUsageDetail' limit 1`); len(got) != 1 || strings.Contains(got[0], "ownerDisplayName") || strings.Contains(got[0], "fileCount") {
		t.Errorf("of the report is kept %q", got)
	}
	known := f.rows(`select count(distinct path) from state_path where tenant = $1 and path like '/groups/%/transitiveMembers' and reason = ''`)
	if groups := f.rows(`select count(*) from state_object where tenant = $1 and path = '/groups' and deleted = 0`); !slices.Equal(known, groups) {
		t.Errorf("the members of %s of %s groups are known", known, groups)
	}
	before := f.rows(`select path, id, changed from state_object where tenant = $1 order by path, id`)
	f.st.Clock().Advance(time.Hour)
	f.ask("access", "applications", "settings_of_people", "joined", "sites")
	if after := f.rows(`select path, id, changed from state_object where tenant = $1 order by path, id`); !slices.Equal(before, after) {
		t.Errorf("a round in which nothing changed wrote: %q", slices.DeleteFunc(after, func(row string) bool { return slices.Contains(before, row) }))
	}
}
