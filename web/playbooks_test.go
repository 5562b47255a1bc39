package web

import (
	"net/http"
	"strings"
	"testing"
)

// TestOwnPlaybookPages: a playbook is written in a form, refused with what was typed when it is wrong, changed as another version, and
// deleted; the list shows it beside those that come with Tocsin.
func TestOwnPlaybookPages(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	at := "/t/" + string(tenantID) + "/playbooks"
	shows := func(path string, want ...string) string {
		t.Helper()
		code, body := s.get(path)
		if code != http.StatusOK {
			t.Fatalf("%s: %d", path, code)
		}
		sound(t, path, body)
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s does not say %q", path, w)
			}
		}
		return body
	}
	shows(at, "Take the account back", "On every story", "Write a playbook")
	shows(at+"/own/new", "Offered on a story where", "Revoke sessions")
	if _, body := s.post(at+"/own", "name", "finance", "title", "Finance <b>", "step", "suspend", "step", "reinstate"); !strings.Contains(body, "undo each other") || !strings.Contains(body, "Finance &lt;b&gt;") {
		t.Errorf("a playbook against itself: %.2000s", body)
	}
	if _, body := s.post(at+"/own", "name", "finance", "title", "Finance", "step", "suspend", "step", "revoke_sessions", "severity", "high", "takeover", "yes", "stage", "exfiltration", "rules", "forward-outside"); !strings.Contains(body, "The playbook is kept") || !strings.Contains(body, "cannot be done now") {
		t.Errorf("it is not kept, or nothing says what it lacks: %.2000s", body)
	}
	shows(at, "Finance", "Your own, version 1", "Where the account looks taken over, and the severity is high or worse, and it came to exfiltration, and found by forward-outside")
	if _, body := s.post(at+"/own/finance", "version", "1", "title", "Finance 2", "step", "revoke_sessions", "note", "Softer"); !strings.Contains(body, "Kept as version 2.") || !strings.Contains(body, "Softer") {
		t.Errorf("the second version: %.2000s", body)
	}
	if _, body := s.post(at+"/own/finance", "version", "1", "title", "Finance 3", "step", "revoke_sessions"); !strings.Contains(body, "Load it again") || !strings.Contains(body, "Finance 3") {
		t.Errorf("a stale edit: %.2000s", body)
	}
	s.post(at + "/own/finance/delete")
	if body := shows(at); strings.Contains(body, "Finance") {
		t.Error("it is still offered")
	}
	shows(at+"/own/finance", "It is no longer offered.", "Softer")
}
