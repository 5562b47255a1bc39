package sim

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestDeltaTellsWhatChanged(t *testing.T) {
	p := newProbe(t, Config{Users: 90, Roles: everyRole})
	p.head.Set("Prefer", "odata.maxpagesize=25")
	all, link := p.pages("users/delta?$select=id,displayName,accountEnabled")
	if len(all) != 90 || link == "" {
		t.Fatalf("%d users, link %q", len(all), link)
	}
	if none, _ := p.pages(link); len(none) != 0 {
		t.Fatalf("nothing changed, and yet %v", none)
	}
	p.play("# x\ndomain fabrikamfreight.com\nperson amy amy@fabrikamfreight.com\nmon 09:00 amy is blocked\n")
	who := p.s.world.person(2)
	if err := p.s.DeleteUser(who.id); err != nil {
		t.Fatal(err)
	}
	got, second := p.pages(link)
	if len(got) != 2 {
		t.Fatalf("changes: %v", got)
	}
	for _, c := range got {
		if c["id"] == who.id {
			if c["@removed"].(map[string]any)["reason"] != "changed" {
				t.Errorf("removal: %v", c)
			}
		} else if c["displayName"] != "amy" || c["accountEnabled"] != false {
			t.Errorf("new: %v", c)
		}
	}
	if again, _ := p.pages(link); len(again) != 2 {
		t.Errorf("the same link again gives %v", again)
	}
	if none, _ := p.pages(second); len(none) != 0 {
		t.Errorf("the next round repeats %v", none)
	}
	p.call("GET", "users/"+who.id, nil, 404)
}

func TestDeltaTokensEnd(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	_, link := p.pages("users/delta?$deltatoken=latest")
	if link == "" {
		t.Fatal("no link for from now on")
	}
	p.s.Advance(6 * 24 * time.Hour)
	p.get(link)
	p.s.Advance(2 * 24 * time.Hour)
	resp := p.raw("GET", link, nil)
	if body := decode(t, resp); resp.StatusCode != 410 || code(body) != "resyncRequired" || resp.Header.Get("Location") == "" {
		t.Errorf("%d %v", resp.StatusCode, body)
	}
	p.call("GET", "users/delta?$deltatoken=made-up", nil, 400)
	inbox := "users/" + p.s.world.person(3).id + "/mailFolders/inbox/messages/delta?$select=id,isRead"
	p.call("GET", inbox+"&$deltatoken=latest", nil, 400)
	_, link = p.pages(inbox)
	p.s.ForgetDeltas()
	resp = p.raw("GET", link, nil)
	if body := decode(t, resp); resp.StatusCode != 410 || code(body) != "syncStateNotFound" {
		t.Errorf("%d %v", resp.StatusCode, body)
	}
}

func TestGroupDeltaTellsMembersInPieces(t *testing.T) {
	p := newProbe(t, Config{Users: 3000})
	all, link := p.pages("groups/delta?$select=displayName,members")
	if plain, _ := p.pages("groups/delta?$select=displayName"); len(plain) != len(p.s.world.groups) || plain[0]["members@delta"] != nil {
		t.Errorf("%d groups without their members, of %d", len(plain), len(p.s.world.groups))
	}
	if strings.Contains(link, "select") {
		t.Errorf("the link %s tells what was asked", link)
	}
	seen := map[string]int{}
	members := map[string]bool{}
	for _, g := range all {
		seen[g["id"].(string)]++
		list, _ := g["members@delta"].([]any)
		for _, m := range list {
			members[g["id"].(string)+m.(map[string]any)["id"].(string)] = true
		}
	}
	g := p.s.world.groups[0]
	if seen[g.id] < 2 {
		t.Errorf("the members of %s came in %d pieces", g.name, seen[g.id])
	}
	count := 0
	for key := range members {
		if strings.HasPrefix(key, g.id) {
			count++
		}
	}
	if want := len(p.s.world.list(g)); count != want || want < 300 {
		t.Errorf("%d members of %d", count, want)
	}
	p.play("# x\ndomain fabrikamfreight.com\nperson amy amy@fabrikamfreight.com\ngroup new@fabrikamfreight.com with amy, out@evil.example\n")
	got, _ := p.pages(link)
	if len(got) != 1 || got[0]["displayName"] != "new@fabrikamfreight.com" || len(got[0]["members@delta"].([]any)) != 2 {
		t.Errorf("new group: %v", got)
	}
	listed, _ := p.pages("groups/" + g.id + "/members?$select=id&$top=999")
	if len(listed) != count {
		t.Errorf("members lists %d, delta %d", len(listed), count)
	}
}

func TestMessageDeltaSeesMoves(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Roles: everyRole})
	who := "users/" + p.s.world.person(3).id
	_, from := p.pages(who + "/mailFolders/inbox/messages/delta?$select=id,isRead")
	_, to := p.pages(who + "/mailFolders/archive/messages/delta?$select=id,isRead")
	m := values(p.get(who + "/mailFolders/inbox/messages?$select=id&$top=1"))[0]["id"].(string)
	p.head.Set("Prefer", `IdType="ImmutableId"`)
	fixed := values(p.get(who + "/mailFolders/inbox/messages?$select=id&$top=1"))[0]["id"].(string)
	p.head.Del("Prefer")
	moved := p.call("POST", who+"/messages/"+url.PathEscape(m)+"/move", map[string]any{"destinationId": "archive"}, 201)
	if moved["id"] == m || m == fixed {
		t.Error("a mutable id outlived a move")
	}
	if _, told := moved["subject"]; told {
		t.Error("the answer to a move shows a metadata-only connection the subject")
	}
	gone, _ := p.pages(from)
	if len(gone) != 1 || gone[0]["id"] != m || gone[0]["@removed"] == nil {
		t.Errorf("the folder left: %v, want %s removed", gone, m)
	}
	come, _ := p.pages(to)
	if len(come) != 1 || come[0]["id"] != moved["id"] {
		t.Errorf("the folder it went to: %v", come)
	}
	p.call("GET", who+"/messages/"+url.PathEscape(m)+"?$select=id", nil, 404)
	p.head.Set("Prefer", `IdType="ImmutableId"`)
	if got := p.get(who + "/messages/" + url.PathEscape(fixed) + "?$select=id")["id"]; got != fixed {
		t.Errorf("the immutable id gives %v", got)
	}
}

func TestMetadataOnlyConnectionsAreRefusedContent(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	who := "users/" + p.s.world.person(3).id
	p.get(who + "/messages?$select=id,from,receivedDateTime")
	if v := p.s.Violations(); len(v) != 0 {
		t.Fatal(v)
	}
	for n, path := range []string{"/messages", "/messages?$select=id,subject", "/mailFolders/inbox/messages?$select=bodyPreview", "/messages?$select=id&$search=\"invoice\"",
		"/mailFolders/inbox/messages/delta", "/messages?$select=id&$expand=attachments"} {
		if got := code(p.call("GET", who+path, nil, 403)); got != "SimulatorMetadataOnly" {
			t.Errorf("%s: %s", path, got)
		}
		if v := p.s.Violations(); len(v) != n+1 {
			t.Errorf("%s is not noted: %v", path, v)
		}
	}
	p.s.AllowContent(true)
	p.get(who + "/messages?$select=subject")
}

func TestMessagesFilterAndOrder(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	who := "users/" + p.s.world.person(3).id
	p.call("GET", who+"/messages?$select=id&$filter=isRead eq false&$orderby=receivedDateTime", nil, 400)
	p.get(who + "/messages?$select=id&$filter=receivedDateTime ge 2020-01-01T00:00:00Z and isRead eq false&$orderby=receivedDateTime desc")
	all, _ := p.pages(who + "/messages?$select=id,receivedDateTime&$top=3")
	resp := p.raw("GET", who+"/messages/$count", nil)
	var buf strings.Builder
	if _, err := resp.Body.(interface{ Read([]byte) (int, error) }).Read(nil); err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 8)
	n, _ := resp.Body.Read(raw)
	buf.Write(raw[:n])
	if buf.String() != itoa(len(all)) {
		t.Errorf("$count is %s, the list has %d", buf.String(), len(all))
	}
}

func itoa(n int) string { return string(appendJSON(nil, n)) }

// TestFilteredDeltaEndsAtFiveThousand: what lies beyond is not told, and nothing says so.
func TestFilteredDeltaEndsAtFiveThousand(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	amy := p.s.world.person(3)
	p.receive(amy, 5100)
	p.head.Set("Prefer", "odata.maxpagesize=900")
	const path = "/mailFolders/inbox/messages/delta?$select=id"
	if all, _ := p.pages("users/" + amy.id + path + "&$filter=receivedDateTime ge 2000-01-01T00:00:00Z"); len(all) != 5000 {
		t.Errorf("%d with a filter", len(all))
	}
	if all, link := p.pages("users/" + amy.id + path); len(all) < 5100 || link == "" {
		t.Errorf("%d without one", len(all))
	}
}
