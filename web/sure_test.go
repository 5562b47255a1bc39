package web

import (
	"net/http"
	"strings"
	"testing"
)

// TestSureBeforeQuieting: trusting a domain that open findings mention says how many, and does nothing until it is meant.
func TestSureBeforeQuieting(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	form := []string{"domain", "mailbox-drop.example", "owner", owner, "reason", "r", "until", s.st.Clock().Now().AddDate(0, 3, 0).Format("2006-01-02")}
	code, body := s.post(at+"/settings/partners", form...)
	if code != http.StatusOK || !strings.Contains(body, "This quiets ") || !strings.Contains(body, " of them critical.") || !strings.Contains(body, `value="mailbox-drop.example"`) {
		t.Fatalf("%d\n%s", code, body)
	}
	if _, body := s.get(at + "/settings/organisation"); strings.Contains(body, "mailbox-drop.example") {
		t.Error("it is trusted before it was meant")
	}
	if _, body := s.post(at+"/settings/partners", append(form, "sure", "yes")...); !strings.Contains(body, "mailbox-drop.example is trusted from now on.") {
		t.Errorf("meant:\n%s", body)
	}
	if _, body := s.post(at+"/settings/partners", append([]string{"domain", "calm.example"}, form[2:]...)...); !strings.Contains(body, "calm.example is trusted from now on.") {
		t.Errorf("a domain that no finding mentions:\n%s", body)
	}
	_, body = s.post(at+"/settings/exceptions", "rule", "*", "scope", "address", "value", "collector@mailbox-drop.example", "owner", owner, "reason", "r", "until", form[7])
	if !strings.Contains(body, "This quiets ") {
		t.Errorf("an exception:\n%s", body)
	}
}
