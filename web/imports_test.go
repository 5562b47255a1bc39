package web

import (
	"os"
	"strings"
	"testing"
)

// TestImportsPage: the page has both forms and the lines of PowerShell that the documentation has.
func TestImportsPage(t *testing.T) {
	docs, err := os.ReadFile("../docs/imports.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	s.claim()
	s.fill()
	_, body := s.get(at + "/audit/imports")
	for kind, list := range importCommands {
		if !strings.Contains(body, `action="`+at+`/audit/imports/`+kind+`"`) {
			t.Errorf("no form for %s", kind)
		}
		for _, c := range list {
			if !strings.Contains(string(docs), c.Text) {
				t.Errorf("docs/imports.md does not have %q", c.Title)
			}
			if !strings.Contains(body, c.Title) {
				t.Errorf("the page does not have %q", c.Title)
			}
		}
	}
	if _, body := s.get(at + "/delegations"); !strings.Contains(body, at+"/audit/imports#import-mailboxes") {
		t.Error("what is unknown of delegations does not lead to the import")
	}
}
