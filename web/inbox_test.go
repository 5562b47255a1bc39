package web

import (
	"net/http"
	"strings"
	"testing"
)

// TestInbox works a thread by its forms, as without scripts; an agent sees the inbox and nothing else of the tenant; who is of no team
// gives a reason first.
func TestInbox(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	thread := at + "/inbox/threads/" + threadID
	_, body := s.get(at + "/inbox?section=unassigned")
	if !strings.Contains(body, "/inbox/threads/"+threadID+"?section=unassigned") || !strings.Contains(body, "The account&#39;s password was changed.") {
		t.Errorf("the list:\n%s", body)
	}
	if _, body = s.post(thread+"/change", "assignee", "me", "back", thread); !strings.Contains(body, "It is assigned to ") || !strings.Contains(body, "assigned it to") {
		t.Errorf("assigned:\n%s", body)
	}
	if _, body = s.post(thread+"/note", "text", "Ask @owner <b>first</b>.", "back", thread); !strings.Contains(body, "The note is kept.") || !strings.Contains(body, "Ask <wbr>@owner &lt;b&gt;first&lt;/b&gt;.") {
		t.Errorf("noted:\n%s", body)
	}
	if _, body = s.get(at + "/inbox?section=mentioned"); !strings.Contains(body, threadID) {
		t.Errorf("mentions:\n%s", body)
	}
	if _, body = s.post(thread+"/change", "state", "snoozed", "until", "soon", "back", thread); !strings.Contains(body, "Choose a day and an hour.") {
		t.Errorf("asleep until no time:\n%s", body)
	}
	if _, body = s.post(thread+"/change", "state", "resolved", "back", at+"/inbox"); !strings.Contains(body, "It is resolved.") || strings.Contains(body, `data-key="`+threadID+`"`) {
		t.Errorf("resolved:\n%s", body)
	}
	if code, body := s.get(at + "/inbox?inbox=" + closedID); code != http.StatusOK || !strings.Contains(body, "Why do you have to read it?") {
		t.Errorf("another team's inbox: %d\n%s", code, body)
	}
	if _, body = s.post(at+"/inbox/boxes/"+closedID+"/look", "reason", "A complaint", "back", at+"/inbox?inbox="+closedID); !strings.Contains(body, "You read this inbox for an hour.") || strings.Contains(body, "Why do you have to read it?") {
		t.Errorf("looked:\n%s", body)
	}
	if _, body = s.post(at+"/inbox/boxes/"+closedID+"/members", "member", "everyone:"); !strings.Contains(body, "1 person works in this inbox now.") || !strings.Contains(body, "A complaint") {
		t.Errorf("members:\n%s", body)
	}

	s.post("/settings/accounts", "email", "ann@acme.example", "name", "Ann", "password", password, "role", "agent", "on", string(tenantID))
	s.Client = s.browser()
	_, body = s.post("/sign-in", "email", "ann@acme.example", "password", password)
	if !strings.Contains(body, "<h1>Inbox</h1>") || strings.Contains(body, "/findings") {
		t.Errorf("an agent's first page:\n%s", body)
	}
	if code, _ := s.get(at + "/findings"); code != http.StatusForbidden {
		t.Errorf("an agent at the findings: %d", code)
	}
	if code, body := s.get(thread); code != http.StatusOK || !strings.Contains(body, "Take it") {
		t.Errorf("an agent's thread: %d", code)
	}
}

// TestSpans: what people type as a length of time is what the form shows again.
func TestSpans(t *testing.T) {
	for typed, want := range map[string]string{"": "", "30": "30m", "30m": "30m", "4h": "4h", "90m": "1h 30m", "1H 30m": "1h 30m", "2d": "2d", "1d 1h 1m": "1d 1h 1m", "-4h": "bad", "soon": "bad", "4w": "bad"} {
		n, err := typedSpan(typed)
		if got := spanWord(n); want == "bad" && err == nil || want != "bad" && (err != nil || got != want) {
			t.Errorf("%q is %q, %v", typed, got, err)
		}
	}
}
