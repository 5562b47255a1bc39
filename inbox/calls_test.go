package inbox

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tocsin.dev/graph"
)

// TestCallsOfAccounts: whatever is asked of a mailbox here can be asked in the name of a service account.
func TestCallsOfAccounts(t *testing.T) {
	named := regexp.MustCompile(`"((?:messages|mailFolders|attachments)\.[a-zA-Z.]+)"`)
	files, err := filepath.Glob("*.go")
	must(t, err)
	n := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(path)
		must(t, err)
		for _, m := range named.FindAllSubmatch(raw, -1) {
			if n++; len(graph.Find(string(m[1])).Scopes) == 0 {
				t.Errorf("%s: %s is not made in the name of an account", path, m[1])
			}
		}
	}
	if n < 15 {
		t.Errorf("%d calls were found", n)
	}
}
