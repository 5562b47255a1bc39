package web

import (
	"net/http"
	"strings"
	"testing"

	"tocsin.dev"
)

// TestStreamSettings changes how a connection's mail is watched, as a person does; what is refused stays in the form.
func TestStreamSettings(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	_, list := s.get("/t/" + string(tenantID) + "/connections")
	_, rest, _ := strings.Cut(list, `/t/`+string(tenantID)+`/connections/`)
	id, _, _ := strings.Cut(strings.TrimPrefix(rest, "limits"), `"`)
	for strings.Contains(rest, "/connections/") && len(id) < 8 {
		_, rest, _ = strings.Cut(rest, "/connections/")
		id, _, _ = strings.Cut(rest, `"`)
	}
	at := "/t/" + string(tenantID) + "/connections/" + id + "/stream"
	code, body := s.get(at)
	if code != http.StatusOK {
		t.Fatalf("%s: %d", at, code)
	}
	sound(t, at, body)
	_, body = s.post(at, "version", "0", "mailboxes", "only", "departments", "Nowhere at all", "form", "basic", "changes", "created", "batch", "20", "gather", "0")
	if !strings.Contains(body, "Nowhere at all</textarea>") || !strings.Contains(body, "Nobody is in a department") {
		t.Error("what was refused is not in the form, with the reason")
	}
	s.post(at, "version", "0", "mailboxes", "except", "people", "jane.doe@acme.example", "form", "basic", "changes", "created", "changes", "deleted", "folders", "drafts", "batch", "7", "gather", "250")
	_, body = s.get(at)
	for _, want := range []string{"jane.doe@acme.example</textarea>", `name="batch" min="1" max="20" required value="7"`, `value="250"`, `value="drafts" checked`} {
		if !strings.Contains(body, want) {
			t.Errorf("the settings do not have %s", want)
		}
	}
	_, body = s.post(at, "version", "0", "mailboxes", "all", "form", "basic", "changes", "created", "batch", "20", "gather", "0")
	if !strings.Contains(body, "changed meanwhile") {
		t.Error("a version that is not the last is taken")
	}
	where := "/t/" + string(tenantID) + "/stream/mailboxes?q=jane.doe"
	code, body = s.get(where)
	if code != http.StatusOK || !strings.Contains(body, "/mailboxes/"+string(tocsin.NewPersonID(tenantID, "jane.doe@acme.example"))) {
		t.Errorf("%s: %d, or without jane", where, code)
	}
	sound(t, where, body)
}
