package collect

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/detect/posture"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// stateSources are the sources of what a tenant is set to, in an order in which each finds what it builds on.
var stateSources = []string{"access", "privileges", "applications", "registrations", "settings_of_people"}

// TestState collects what a simulated tenant is set to and judges it: a second round writes nothing, one change costs one object, a
// finding is raised once, grows, and is fixed when the setting is mended.
func TestState(t *testing.T) {
	inBoth(t, 60, "", func(f *field) {
		f.w.Consent(append(slices.Clone(sim.ReadTier), "RoleManagement.Read.Directory", "DeviceManagementManagedDevices.Read.All")...)
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
			"partners-trust": "fail", "app-long-lived": "fail", "app-expired": "fail", "device-encrypted": "fail", "admin-permanent": "fail", "sharing-sharepoint": "unknown", "session-idle": "unknown"} {
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
		f.st.Clock().Advance(time.Minute)
		f.ask("access", "posture")
		changed := f.rows(`select path from state_object where tenant = $1 and changed > (select min(changed) + 50000 from state_object where tenant = $1)`)
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
	})
}
