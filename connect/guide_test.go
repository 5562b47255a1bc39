package connect

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tocsin.dev/graph"
	"tocsin.dev/graph/permission"
)

// TestGuide: what the guide asks for is what the capabilities that were ticked need, and no more; manifest and scripts say
// the same as the list.
func TestGuide(t *testing.T) {
	for _, tier := range Tiers {
		for _, way := range []Way{ByOAuth, ByCredentials} {
			g := MakeGuide(tier, way, nil, "https://tocsin.example/connect/callback", "global")
			if len(g.Permissions) == 0 {
				t.Fatalf("%s asks for nothing", tier)
			}
			var manifest []struct {
				ResourceAppID  string
				ResourceAccess []struct{ ID, Type string }
			}
			if err := json.Unmarshal([]byte(g.Manifest), &manifest); err != nil {
				t.Fatalf("%s: %v\n%s", tier, err, g.Manifest)
			}
			in := map[string]string{}
			for _, r := range manifest {
				for _, a := range r.ResourceAccess {
					in[a.ID] = r.ResourceAppID
					if a.Type != "Role" {
						t.Errorf("%s is a %s", a.ID, a.Type)
					}
				}
			}
			steps := strings.Join(g.Steps, "\n")
			for _, p := range g.Permissions {
				if len(p.Why) == 0 || len(p.For) == 0 && p.Permission.Name != "Organization.Read.All" {
					t.Errorf("%s is asked for without a reason: %+v", p.Permission.Name, p)
				}
				if p.Permission.ID != "" && in[p.Permission.ID] != p.Permission.Service() {
					t.Errorf("%s is not in the manifest", p.Permission.Name)
				}
				if !strings.Contains(steps, "`"+p.Permission.Name+"`") || !strings.Contains(g.PowerShell, "'"+p.Permission.Name+"'") {
					t.Errorf("%s: %s is not in the steps or the script", tier, p.Permission.Name)
				}
			}
			for _, text := range []string{g.Steps[0], g.AzureCLI, g.PowerShell} {
				if strings.Contains(text, "https://tocsin.example/connect/callback") != (way == ByOAuth) {
					t.Errorf("%s, %s: the redirect URI in\n%s", tier, way, text)
				}
			}
			if !strings.Contains(g.AzureCLI, g.Manifest) || strings.Contains(g.AzureCLI, "admin-consent") != (way == ByCredentials) {
				t.Errorf("the script:\n%s", g.AzureCLI)
			}
		}
	}
	few := MakeGuide(Read, ByCredentials, []Product{Teams}, "", "usgov")
	if names := few.Names(); slices.Contains(names, "MailboxSettings.Read") || !slices.Contains(names, "User.Read.All") {
		t.Errorf("for Teams: %v", names)
	}
	if !strings.Contains(few.AzureCLI, "AzureUSGovernment") || !strings.Contains(few.PowerShell, "-Environment USGov ") {
		t.Errorf("for another cloud:\n%s\n%s", few.AzureCLI, few.PowerShell)
	}
}

// TestEveryNeedIsAsked: every capability's needs are met by what the guide of its tier asks for.
func TestEveryNeedIsAsked(t *testing.T) {
	for _, tier := range Tiers {
		granted := MakeGuide(tier, ByOAuth, nil, "", "").Names()
		for _, c := range Capabilities {
			if c.Tier != tier {
				continue
			}
			for _, name := range append(slices.Clone(c.Needs), c.Helps...) {
				call := graph.Find(name)
				if len(call.Permissions) > 0 && !slices.Contains(granted, call.Permissions[0]) {
					t.Errorf("%s: %s needs %s, which is not asked for", c.Name, name, call.Permissions[0])
				}
				for _, p := range call.Permissions {
					if _, ok := permission.Find(p); !ok {
						t.Errorf("%s: %s is not known by an id", name, p)
					}
				}
			}
		}
	}
}

// TestScriptsQuote: an address becomes one word of a script, whatever is in it.
func TestScriptsQuote(t *testing.T) {
	g := MakeGuide(Read, ByOAuth, nil, `https://x.example/'; rm -rf / #`, "")
	if !strings.Contains(g.AzureCLI, `'https://x.example/'\''; rm -rf / #'`) || !strings.Contains(g.PowerShell, `'https://x.example/''; rm -rf / #'`) {
		t.Errorf("%s\n%s", g.AzureCLI, g.PowerShell)
	}
}
