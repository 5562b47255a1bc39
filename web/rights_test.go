package web

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"tocsin.dev"
)

// TestRightsPages looks at the pages of forwarding and delegations, full and empty: what is not known stands above, hostile
// names are only text, and every link leads somewhere.
func TestRightsPages(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	at := "/t/" + string(tenantID)
	look := func(path string, parts ...string) string {
		t.Helper()
		code, body := s.get(path)
		if code != http.StatusOK {
			t.Fatalf("%s: %d", path, code)
		}
		sound(t, path, body)
		for n := range root(t, body).Descendants() {
			if n.Type == html.TextNode && strings.ContainsAny(n.Data, "\u202e\u200b") && n.Parent.Data != "title" {
				t.Errorf("%s: an invisible character stands unmarked in <%s>%.80q", path, n.Parent.Data, n.Data)
			}
		}
		for _, n := range nodes(t, body) {
			if n.Data == "script" && !strings.HasPrefix(attr(n, "src"), "/static/") || n.Data == "img" && attr(n, "src") == "x" {
				t.Errorf("%s: a name became <%s>", path, n.Data)
			}
		}
		for _, p := range parts {
			if !strings.Contains(body, p) {
				t.Errorf("%s: %q is not there", path, p)
			}
		}
		return body
	}
	look(at+"/forwarding?kind=mailbox", "No source of mailbox forwarding is on", "Nothing is known, and not all is known")
	look(at+"/delegations", "No source of full access is on", "No right is known, and not all is known")
	look(at+"/delegations?view=matrix", "No right is known")
	look(at+"/mailboxes", "Unknown")

	s.rights()
	box := tocsin.NewPersonID(tenantID, "mirko@acme.example")
	look(at+"/forwarding", "The mailbox itself", "Mail flow rule", "Leads outside", "Sources")
	look(at+"/forwarding?kind=mailbox", "ForwardingSmtpAddress", "evil.example", "ZWSP")
	look(at+"/forwarding?kind=transport", "mal@evil.example", "Lets mail past the spam filter", "Scanner")
	list := look(at+"/delegations", "eve@gmail.com", "Everybody inside", "at first look", "rights over folders is on", "By the audit log")
	look(at+"/delegations?risky=true&right=full_access", "Outside")
	look(at+"/delegations?q=nothing+like+this", "No right fits the filter")
	matrix := look(at+"/delegations?view=matrix", "<caption", `scope="row"`, "Full access", `tabindex="0"`)
	look(at+"/mailboxes/"+string(box), "Is opened by", "May open", "Told by")
	look(at+"/identities/"+string(box), "Is opened by", "May open")
	if strings.Count(matrix, `scope="col"`) > matrixColumns+2+5 { // the sources have five
		t.Error("the matrix has more columns than it should")
	}
	seen := map[string]bool{}
	for _, n := range append(nodes(t, list), nodes(t, matrix)...) {
		if href := attr(n, "href"); strings.HasPrefix(href, at) && !seen[href] && len(seen) < 80 {
			seen[href] = true
			if code, _ := s.get(href); code != http.StatusOK {
				t.Errorf("%s: %d", href, code)
			}
		}
	}
	for _, file := range []string{"/forwarding.csv", "/delegations.csv?risky=true"} {
		code, body := s.get(at + file)
		if code != http.StatusOK || strings.Count(body, "\n") < 3 {
			t.Errorf("%s: %d\n%s", file, code, body)
		}
	}
}
