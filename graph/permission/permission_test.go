package permission_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tocsin.dev/graph"
	"tocsin.dev/graph/permission"
	"tocsin.dev/sharedtest"
)

// undescribedPermissions are in Microsoft's permissions reference, and not in the file that the tests are given.
var undescribedPermissions = []string{"OrgContact.Read.All", "Team.ReadBasic.All", "OnPremDirectorySynchronization.Read.All", "Policy.Read.DeviceConfiguration", "Policy.Read.B2BManagementPolicy", "Reports.Read.All"}

// TestPermissionIDs holds the ids of permissions to Microsoft's own file.
func TestPermissionIDs(t *testing.T) {
	text, err := os.ReadFile(sharedtest.File(t, "graph/permissions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		IDs map[string]struct{ ID string } `json:"ids"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	seen := map[string]string{}
	for _, p := range permission.All {
		if p.ID != "" && seen[p.ID] != "" {
			t.Errorf("%s and %s have one id", p.Name, seen[p.ID])
		}
		seen[p.ID] = p.Name
		if p.App == "" && !slices.Contains([]string{"Policy.Read.B2BManagementPolicy", "ExchangeMessageTrace.Read.All"}, p.Name) || p.ID != "" { // no page that can be had here gives those
			if !id.MatchString(p.ID) {
				t.Errorf("%s: %q is no id", p.Name, p.ID)
			}
		}
		if p.App != "" || slices.Contains(undescribedPermissions, p.Name) {
			continue
		}
		if want := file.IDs["Application "+p.Name].ID; want != p.ID {
			t.Errorf("%s is %s, in Microsoft's file %q", p.Name, p.ID, want)
		}
	}
	for _, c := range graph.Calls {
		for _, name := range c.Permissions {
			if _, ok := permission.Find(name); !ok {
				t.Errorf("%s needs %s, which has no id in the table of permissions", c.Name, name)
			}
		}
	}
	if p, ok := permission.Find("user.read.all"); !ok || p.Service() != permission.Graph || p.ServiceName() != "Microsoft Graph" {
		t.Errorf("found %+v", p)
	}
	if p, _ := permission.Find("ActivityFeed.Read"); p.Service() != permission.Management || !strings.Contains(p.ServiceName(), "Management") {
		t.Errorf("found %+v", p)
	}
}
