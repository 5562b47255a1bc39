package web

import (
	"net/http"
	"strings"
	"testing"
	"time"
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

// TestNoQuestionOfWhatIsRefused: what cannot be trusted or excused at all is refused at once, with no number of what it quiets.
func TestNoQuestionOfWhatIsRefused(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	until := s.st.Clock().Now().AddDate(0, 3, 0).Format("2006-01-02")
	for path, form := range map[string][]string{
		"/settings/partners":   {"domain", "example", "owner", owner, "reason", "r", "until", until},
		"/settings/exceptions": {"rule", "*", "scope", "domain", "value", "example", "owner", owner, "reason", "r", "until", until},
	} {
		if _, body := s.post(at+path, form...); strings.Contains(body, "This quiets ") || !strings.Contains(body, "is not a domain") {
			t.Errorf("%s:\n%s", path, body)
		}
	}
}

// TestSetupLinkThatIsNot: a wrong set-up link is called one when it is opened.
func TestSetupLinkThatIsNot(t *testing.T) {
	s := newSite(t)
	if _, body := s.get("/setup?token=wrong"); !strings.Contains(body, "The set-up link is not valid") {
		t.Errorf("%s", body)
	}
}

func TestAgoOfWhatIsAhead(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ctx := withLook(t.Context(), &look{now: now, zone: time.UTC})
	for at, want := range map[time.Duration]string{10 * time.Second: "in a moment", 0: "just now", -10 * time.Second: "just now", 5 * time.Minute: "in 5 min"} {
		if got := ago(ctx, now.Add(at)); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}
