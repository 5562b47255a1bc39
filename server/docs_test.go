package server

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"tocsin.dev/connect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/graph"
)

var update = flag.Bool("update", false, "write the generated documents anew")

// TestDocuments: what docs says of permissions and detections is what the program has.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"../docs/permissions.md": permissions(), "../docs/detections.md": detections()} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s is stale (%v): run make generate", path, err)
		}
	}
}

func permissions() string {
	var b strings.Builder
	b.WriteString("# Permissions\n\nGenerated from `graph.Calls` and `connect.Capabilities`. All but those for shared mailboxes are application permissions of Microsoft Graph, granted with administrator\nconsent. A capability whose permission is lacking is off or degraded, and says so.\n\n| permission | for |\n|---|---|\n")
	for _, p := range connect.Permissions(connect.Read) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.Name, strings.Join(p.For, "; "))
	}
	b.WriteString("\nTo act, each off until granted, on the same app registration or one of its own:\n\n| permission | for |\n|---|---|\n")
	for _, p := range connect.Permissions(connect.Respond) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.Name, strings.Join(p.For, "; "))
	}
	b.WriteString("\nTo act by what could take the tenant, on an app registration of its own, or not at all:\n\n| permission | for |\n|---|---|\n")
	for _, p := range connect.Permissions(connect.Privileged) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.Name, strings.Join(p.For, "; "))
	}
	b.WriteString("\nFor shared mailboxes, delegated to a service account, on an app registration of its own ([inbox.md](inbox.md)); an app that does without one needs `Mail.ReadWrite` and `Mail.Send`:\n\n| permission | for |\n|---|---|\n")
	for _, p := range connect.MakeGuide(connect.Inbox, connect.ByOAuth, nil, "", "").Permissions {
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.Permission.Name, strings.Join(p.Why, " "))
	}
	b.WriteString("\n## Capabilities\n\n| capability | needs | helped by | without it |\n|---|---|---|---|\n")
	for _, c := range connect.Capabilities {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Title, codes(c.Needs), codes(c.Helps), strings.TrimSpace(c.Not+" "+c.Cost+" "+c.Instead))
	}
	b.WriteString("\n## Every request\n\nNothing else is ever sent to a tenant.\n\n| call | request | any one of | delegated, to a team inbox's account | why |\n|---|---|---|---|---|\n")
	for _, c := range graph.Calls {
		fmt.Fprintf(&b, "| [%s](%s) | `%s %s` | %s | %s | %s |\n", c.Name, c.Docs, c.Method, c.Path, codes(c.Permissions), codes(c.Scopes), c.Why)
	}
	return b.String()
}

func detections() string {
	var b strings.Builder
	b.WriteString("# Detections\n\nGenerated from `detect/rule`. Each has stories in `detect/rule/testdata` in which it must fire and must stay silent.\n\n| detection | severity | ATT&CK | looks for | source |\n|---|---|---|---|---|\n")
	for _, m := range rule.All() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Severity, strings.Join(m.Attack, ", "), strings.ReplaceAll(m.Says, "|", `\|`), m.Source)
	}
	return b.String()
}

func codes(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "`" + strings.Join(list, "`, `") + "`"
}
