package web

import (
	"net/http"
	"strings"
	"testing"

	"tocsin.dev/inbox"
	"tocsin.dev/store"
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
	if code, body := s.get(at + "/inbox?view=nowhere"); code != http.StatusOK || !strings.Contains(body, "The view is there no more.") || strings.Contains(body, "view=nowhere&") {
		t.Errorf("a view that was forgotten: %d", code)
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

// TestInboxWrite writes an answer by its forms, as without scripts: formatting that is kept stays, an older form is refused, one that is sent twice
// sends once, and what strangers wrote stands nowhere as HTML.
func TestInboxWrite(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	sealed, err := inbox.NewKey(s.keeper, tenantID, boxID)
	if err == nil {
		err = s.st.UpdateTenant(t.Context(), tenantID, func(tn *store.Tenant) error {
			_, err := tn.Exec(t.Context(), `update inbox set sealed = $3 where tenant = $1 and id = $2`, boxID, sealed)
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	thread := at + "/inbox/threads/" + threadID
	_, body := s.post(thread+"/reply", "kind", "reply_all", "back", thread)
	id := between(body, `id="compose-`, `"`)
	if id == "" || !strings.Contains(body, "Reply to all from") {
		t.Fatalf("begun:\n%s", body)
	}
	write := at + "/inbox/write/" + id
	version := between(body, `name="version" value="`, `"`)
	_, body = s.post(write+"/save", "back", thread, "version", version, "to", `"Doe, Jo" <jo@out.example>, amy@out.example`, "subject", "Re: x", "text_html", `<b>Bold</b> <script>alert(77)</script><img src=x onerror=alert(77)>`, "quote", "yes")
	if !strings.Contains(body, "The draft is kept.") || !strings.Contains(body, "<b>Bold</b>") || strings.Contains(body, "alert(77)") || !strings.Contains(body, "Doe, Jo") {
		t.Errorf("kept:\n%s", body)
	}
	if _, body = s.post(write+"/save", "back", thread, "version", version, "to", "x@out.example", "text", "Another"); !strings.Contains(body, "Somebody else has changed this mail meanwhile.") {
		t.Errorf("an older form:\n%s", body)
	}
	version = between(body, `name="version" value="`, `"`)
	if _, body = s.post(write+"/save", "back", thread, "version", version, "to", "jo@out.example", "text", "Bold"); !strings.Contains(body, "<b>Bold</b>") {
		t.Errorf("the same text without its format:\n%s", body)
	}
	if _, body = s.post(write+"/send", "back", thread, "to", "jo@", "text", "x"); !strings.Contains(body, "is no address.") {
		t.Errorf("to no address:\n%s", body)
	}
	if _, body = s.get(at + "/inbox/write"); !strings.Contains(body, "jo@out.example") {
		t.Errorf("the drafts:\n%s", body)
	}
	if _, body = s.post(write+"/discard", "back", thread); !strings.Contains(body, "The draft is thrown away.") || strings.Contains(body, `id="compose-`) {
		t.Errorf("thrown away:\n%s", body)
	}
	if code, _ := s.get(at + "/inbox/threads/" + threadID + "/merge?q=" + "x"); code != http.StatusOK {
		t.Errorf("where it can be merged into: %d", code)
	}
	_, body = s.post(at+"/inbox/write", "inbox", boxID, "back", at+"/inbox")
	if id = between(body, `id="compose-`, `"`); id == "" || !strings.Contains(body, "New mail from") {
		t.Fatalf("a new mail:\n%s", body)
	}
	if code, _ := s.post(at+"/inbox/write", "inbox", closedID, "back", at+"/inbox"); code != http.StatusOK {
		t.Errorf("from another team's inbox: %d", code)
	}
}

// between is what stands in s between two texts; nothing where they are not there.
func between(s, from, to string) string {
	_, rest, ok := strings.Cut(s, from)
	if !ok {
		return ""
	}
	out, _, _ := strings.Cut(rest, to)
	return out
}
