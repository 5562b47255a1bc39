package web

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"tocsin.dev"
	"tocsin.dev/api"
)

func readAll(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// nodes are all elements of a page.
func nodes(t testing.TB, page string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var out []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	return out
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// sound holds a page to what every page must be: a title, one main landmark and heading, names for all that is acted
// on, and no script, style or handler written into it.
func sound(t *testing.T, path, page string) {
	t.Helper()
	counts, ids := map[string]int{}, map[string]bool{}
	labels := map[string]bool{}
	all := nodes(t, page)
	for _, n := range all {
		if n.Data == "label" {
			labels[attr(n, "for")] = true
		}
	}
	for _, n := range all {
		counts[n.Data]++
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("%s: the id %q is there twice", path, id)
			}
			ids[id] = true
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s: <%s %s=%q> would be refused by the policy", path, n.Data, a.Key, a.Val)
			}
			if (a.Key == "href" || a.Key == "action" || a.Key == "src") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				t.Errorf("%s: %s=%q", path, a.Key, a.Val)
			}
		}
		switch n.Data {
		case "script":
			if attr(n, "src") == "" || n.FirstChild != nil || !strings.HasPrefix(attr(n, "src"), "/static/") {
				t.Errorf("%s: a script that is not ours: %v %q", path, n.Attr, textOf(n))
			}
		case "iframe":
			if strings.Contains(path, "/inbox/threads/") && attr(n, "sandbox") == "allow-same-origin" && strings.HasPrefix(attr(n, "src"), "/t/") {
				continue // a mail in its thread: scripts are off, and the page may see how high it is
			}
			if !hasAttr(n, "sandbox") || attr(n, "sandbox") != "" || hasAttr(n, "src") || hasAttr(n, "srcdoc") {
				t.Errorf("%s: a frame that is not sandboxed, or not filled by a form: %v", path, n.Attr)
			}
		case "style", "object", "embed", "base":
			t.Errorf("%s: <%s>", path, n.Data)
		case "img":
			if !hasAttr(n, "alt") {
				t.Errorf("%s: an image without words", path)
			}
		case "a", "button":
			if textOf(n) == "" && attr(n, "aria-label") == "" {
				t.Errorf("%s: a <%s %v> without a name", path, n.Data, n.Attr)
			}
		case "input", "select", "textarea":
			if attr(n, "type") == "hidden" || hasAttr(n, "hidden") || attr(n, "aria-label") != "" || labels[attr(n, "id")] && attr(n, "id") != "" || within(n, "label") {
				continue
			}
			t.Errorf("%s: a field without a label: %v", path, n.Attr)
		}
	}
	for _, one := range []string{"title", "main", "h1"} {
		if counts[one] != 1 && !(one == "title" && counts["title"] > 1) { // charts have titles of their own
			t.Errorf("%s: %d <%s>", path, counts[one], one)
		}
	}
}

func within(n *html.Node, tag string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == tag {
			return true
		}
	}
	return false
}

// TestEveryPage crawls from the start as an owner: every page is sound, every link to us leads somewhere.
func TestEveryPage(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	seen := map[string]bool{}
	queue := []string{"/", "/connect", "/connect?way=oauth", "/connect?way=credentials&tier=respond&for=outlook", "/browse", "/settings/registrations?tier=respond", "/t/" + string(bareID) + "/overview", "/t/" + string(tenantID) + "/findings?q=nothing+like+this", "/t/" + string(tenantID) + "/rules?q=nothing", "/t/" + string(tenantID) + "/mailboxes?q=nothing", "/t/" + string(tenantID) + "/identities?q=nothing"}
	kinds := map[string]int{}
	id := regexp.MustCompile(`[^/]*[0-9A-F]{8}[^/]*|[0-9a-f]{8}-[^/]*`)
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		where, _, _ := strings.Cut(path, "#")
		kind := id.ReplaceAllString(strings.Split(where, "?")[0], "*")
		if seen[where] || kinds[kind] > 14 {
			continue
		}
		if strings.Contains(where, "/mails/") { // what strangers sent: it is no page of ours, and comes from a mailbox
			continue
		}
		seen[where] = true
		kinds[kind]++
		r, err := s.Get(s.URL + where)
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, r)
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", where, r.Status)
			continue
		}
		got := r.Header.Get("Content-Security-Policy")
		if strings.HasSuffix(where, "/report") { // a document by itself: what it must be is held in package api
			if !strings.HasPrefix(got, api.ReportPolicy) || !strings.Contains(got, "sandbox") || strings.Contains(body, "<script") {
				t.Errorf("%s: policy %q, or a script", where, got)
			}
			continue
		}
		if got != policy {
			t.Errorf("%s: policy %q", where, got)
		}
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			continue
		}
		sound(t, where, body)
		for _, n := range nodes(t, body) {
			if href := attr(n, "href"); strings.HasPrefix(href, "/") {
				queue = append(queue, href)
			}
			if src := attr(n, "src"); strings.HasPrefix(src, "/") {
				queue = append(queue, src)
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("the crawl came to %d addresses only", len(seen))
	}
	for _, want := range []string{"/t/*/overview", "/t/*/findings", "/t/*/findings/*", "/t/*/findings.csv", "/t/*/stories", "/t/*/stories/*", "/t/*/actions", "/t/*/actions/*", "/t/*/actions/*/undo", "/t/*/settings/response", "/t/*/settings/reported", "/t/*/investigations", "/t/*/investigations/new", "/t/*/investigations/*", "/t/*/investigations/*/explorer", "/t/*/investigations/*/matches.csv", "/t/*/investigations/*/matches/*", "/t/*/investigations/*/campaigns", "/t/*/investigations/*/trails", "/t/*/investigations/*/mailboxes", "/t/*/investigations/*/history", "/t/*/investigations/*/edit", "/t/*/investigations/*/act", "/t/*/investigations/*/report", "/t/*/reported", "/t/*/reported/*", "/t/*/inbox", "/t/*/inbox/threads/*", "/t/*/inbox/boxes/*", "/t/*/inbox/teams", "/t/*/inbox/macros", "/t/*/inbox/rules", "/t/*/inbox/rules/*", "/t/*/inbox/reports", "/t/*/inbox/boxes/*/service", "/t/*/mailacts", "/t/*/mailacts/*", "/t/*/audit", "/t/*/audit/queries", "/t/*/audit/ledger", "/t/*/audit/imports", "/t/*/rules", "/t/*/mailboxes", "/t/*/mailboxes/*", "/t/*/identities", "/t/*/identities/*", "/t/*/detections", "/t/*/connections", "/t/*/connections/limits", "/t/*/settings/organisation", "/t/*/settings/exceptions", "/settings/accounts", "/settings/registrations", "/browse", "/settings/trail", "/settings/tokens", "/settings/you", "/connect"} {
		if kinds[want] == 0 {
			t.Errorf("no page links to %s", want)
		}
	}
}

// TestHostileNames looks at every page with names that strangers wrote to harm: nothing of them becomes markup, and
// what cannot be seen is marked.
func TestHostileNames(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	at := "/t/" + string(tenantID)
	evil := tocsin.NewPersonID(tenantID, "x\"'><b>@acme.example")
	jane, mirko := tocsin.NewPersonID(tenantID, "jane.doe@acme.example"), tocsin.NewPersonID(tenantID, "mirko@acme.example")
	invoices := tocsin.NewPersonID(tenantID, "invoices@acme.example")
	finding := tocsin.NewFindingID(tenantID, "forward-outside", seedRules()[2].ID, "3")
	hidden := tocsin.NewFindingID(tenantID, "obfuscated-name", seedRules()[3].ID, "4")
	rules := seedRules()
	for path, marks := range map[string][]string{
		at + "/overview":                                                         {},
		at + "/findings?rule=obfuscated-name":                                    {"RLO"},
		at + "/findings/" + finding:                                              {"RLO"},
		at + "/findings/" + hidden:                                               {"RLO"},
		at + "/rules":                                                            {"ZWSP"},
		at + "/rules?deleted=true":                                               {"RLO"},
		tenantAt(tenantID, "rules", string(jane), rules[0].ID):                   {"ZWSP"},
		tenantAt(tenantID, "rules", string(mirko), rules[1].ID):                  {"ZWSP"},
		tenantAt(tenantID, "rules", string(invoices), rules[2].ID):               {},
		tenantAt(tenantID, "rules", string(evil), rules[3].ID):                   {"RLO"},
		at + "/mailboxes":                                                        {},
		at + "/mailboxes/" + string(evil):                                        {"RLO"},
		at + "/identities?q=script":                                              {"RLO"},
		at + "/identities/" + string(evil):                                       {"RLO"},
		at + "/settings/organisation":                                            {},
		at + "/investigations":                                                   {},
		at + "/investigations/" + huntID:                                         {"RLO"},
		at + "/investigations/" + huntID + "/explorer?pivot=subject":             {"RLO"},
		at + "/investigations/" + huntID + "/campaigns":                          {"RLO"},
		at + "/investigations/" + huntID + "/mailboxes":                          {"ZWSP"},
		at + "/investigations/" + huntID + "/history":                            {"RLO"},
		at + "/investigations/" + huntID + "/matches/" + huntMail:                {"RLO"},
		at + "/mailacts":                                                         {},
		at + "/mailacts/" + huntAct:                                              {"RLO"},
		at + "/reported?status=all":                                              {"RLO"},
		at + "/reported/" + huntSaid:                                             {"RLO"},
		at + "/settings/exceptions":                                              {"ZWSP"},
		at + "/inbox":                                                            {"RLO"},
		at + "/inbox/threads/" + threadID:                                        {"RLO", "ZWSP"},
		at + "/inbox/boxes/" + boxID:                                             {"RLO"},
		at + "/inbox/teams":                                                      {},
		at + "/inbox/macros":                                                     {"RLO"},
		at + "/inbox/rules":                                                      {"RLO"},
		at + "/inbox/rules/" + ruleID:                                            {"RLO"},
		at + "/inbox/reports":                                                    {"RLO"},
		at + "/inbox/boxes/" + boxID + "/service":                                {"RLO"},
		at + "/findings?q=" + "%3Cscript%3Ealert(9)%3C/script%3E":                {},
		at + "/findings?person=" + "%22%3E%3Cscript%3Ealert(9)%3C%2Fscript%3E":   {},
		at + "/rules?destination=" + "%22%3E%3Cscript%3Ealert(9)%3C%2Fscript%3E": {},
	} {
		code, body := s.get(path)
		if code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
			continue
		}
		sound(t, path, body)
		for _, n := range nodes(t, body) {
			if n.Data == "script" && !strings.HasPrefix(attr(n, "src"), "/static/") || n.Data == "img" && attr(n, "src") == "x" || n.Data == "b" && attr(n, "class") == "" && textOf(n) == "@acme.example" {
				t.Errorf("%s: a name became <%s>", path, n.Data)
			}
		}
		for _, m := range marks {
			if !strings.Contains(body, `class="inv"`) || !strings.Contains(body, ">"+m+"</span>") {
				t.Errorf("%s: no mark %s", path, m)
			}
		}
		for n := range root(t, body).Descendants() {
			if n.Type == html.TextNode && strings.ContainsAny(n.Data, "\u202e\u200b") && n.Parent.Data != "title" && n.Parent.Data != "option" && n.Parent.Data != "textarea" && !edited(n) {
				t.Errorf("%s: an invisible character stands unmarked in <%s>%.80q", path, n.Parent.Data, n.Data)
			}
		}
	}
}

// edited says whether it stands in a field in which it is written, as it is.
func edited(n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if attr(n, "contenteditable") == "true" {
			return true
		}
	}
	return false
}

func root(t *testing.T, page string) *html.Node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
