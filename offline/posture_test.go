package offline

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin.dev"
)

// runPosture runs "tocsin posture" and gives what it printed.
func runPosture(t *testing.T, args ...string) (string, string, error) {
	t.Helper()
	var out, notes bytes.Buffer
	c := Posture(new(tocsin.Clock))
	c.SetOut(&out)
	c.SetErr(&notes)
	c.SetArgs(args)
	c.SilenceErrors = true
	err := c.Execute()
	return out.String(), notes.String(), err
}

func TestPostureCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	snap := write("contoso.json", `{"taken":"2026-11-21T00:00:00Z","tenant":{"id":"t","displayName":"Contoso"},"collections":{
		"/deviceManagement/managedDevices":[{"id":"d1","deviceName":"KIOSK-1\u001b[31m","isEncrypted":false}],
		"/policies/authorizationPolicy":{"id":"authorizationPolicy","allowInvitesFrom":"none","defaultUserRolePermissions":{"permissionGrantPoliciesAssigned":[]}}},
		"missing":{"/identity/conditionalAccess/policies":{"reason":"permission","why":"Policy.Read.All was not granted."}}}`)
	out, notes, err := runPosture(t, "--json", snap)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]any{}
	for line := range strings.Lines(out) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, name := range []string{"check", "status", "why", "frameworks", "evidence"} {
			if _, ok := one[name]; !ok {
				t.Errorf("%s lacks %s", line, name)
			}
		}
		if len(one) != 5 {
			t.Errorf("%d members: %s", len(one), line)
		}
		got[one["check"].(string)] = one
	}
	for check, status := range map[string]string{"device-encrypted": "fail", "guests-invited-by": "pass", "users-consent": "pass", "ca-legacy-blocked": "unknown", "guests-access": "unknown"} {
		if got[check]["status"] != status {
			t.Errorf("%s: %v, want %s", check, got[check], status)
		}
	}
	if why := got["ca-legacy-blocked"]["why"]; why != "/identity/conditionalAccess/policies could not be read: Policy.Read.All was not granted." {
		t.Errorf("the reason is not told: %v", why)
	}
	if !strings.Contains(notes, " fail,") {
		t.Errorf("no summary: %q", notes)
	}

	excused := write("accepted.json", `[{"rule":"device-encrypted","scope":"subject","value":"d1","owner":"Ines","reason":"stands in a locked room","expires":"2026-12-31T00:00:00Z"}]`)
	out, _, err = runPosture(t, "--exceptions", excused, snap)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "excepted  medium    device-encrypted") || !strings.Contains(out, "Excepted by Ines until 2026-12-31") || strings.ContainsRune(out, '\x1b') {
		t.Errorf("not excepted, or it steers a terminal:\n%s", out)
	}

	for name, args := range map[string][]string{
		"no file": {filepath.Join(dir, "none.json")}, "no snapshot": {write("list.json", `[1,2]`)}, "cut off": {write("cut.json", `{"collections":{"/users":[`)},
		"no owner": {"--exceptions", write("bare.json", `[{"rule":"*","scope":"*"}]`), snap},
	} {
		if out, _, err := runPosture(t, args...); err == nil || out != "" {
			t.Errorf("%s: %v %q", name, err, out)
		}
	}
}
