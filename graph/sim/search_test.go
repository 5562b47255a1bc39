package sim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// subjectsOf are the subjects of a list, in its order.
func subjectsOf(list []map[string]any) string {
	var out []string
	for _, m := range list {
		out = append(out, m["subject"].(string))
	}
	return strings.Join(out, ",")
}

// searching is a mailbox of whose mails each has something to be found by.
func searching(t *testing.T) (*probe, string) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy := p.s.world.person(3)
	now := p.s.clock.Now()
	for _, m := range []Mail{
		{From: "billing@evil.example", FromName: "Accounts", Subject: "one", HTML: `<p>Overdue invoice, <a href="https://pay.evil.example/x">view it</a></p>`, Received: now.Add(-time.Hour)},
		{From: "news@partner.example", Subject: "two", Text: "A quarterly report of figures", Cc: []string{"boss@partner.example"}, Received: now.Add(-2 * time.Hour),
			Attachments: []File{{Name: "Report Q3.pdf", Type: "application/pdf", Data: make([]byte, 9000)}}},
		{From: "news@partner.example", Subject: "three", Text: "figures quarterly", Received: now.AddDate(0, 0, -40), Folder: "deleteditems",
			Attachments: []File{{Name: "logo.png", Type: "image/png", Inline: true, ContentID: "logo", Data: []byte("x")}}},
		{From: "billing@evil.example", Subject: "four", Text: "invoices", Received: now.Add(-3 * time.Hour), Folder: "recoverableitemsdeletions"},
	} {
		if _, err := p.s.Put(amy.mail, m); err != nil {
			t.Fatal(err)
		}
	}
	p.s.Advance(11 * time.Second)
	return p, "users/" + amy.id
}

// TestSearchFindsWhatKQLSays: words are whole, properties look where they say, and operators bind as in KQL.
func TestSearchFindsWhatKQLSays(t *testing.T) {
	p, who := searching(t)
	day := p.s.clock.Now().AddDate(0, 0, -40).Format(time.DateOnly)
	for kql, want := range map[string]string{
		`from:evil.example`: "one", `from:"billing@evil.example"`: "one", `from:accounts`: "one", `from:evil`: "one", `from:bil`: "", `from:bil*`: "one",
		`subject:two`: "two", `body:invoice`: "one", `body:invoi`: "", `body:invoi*`: "one", `pay.evil.example`: "", // what a link leads to is not text
		`body:\"quarterly report\"`: "two", `body:quarterly`: "two,three", `quarterly figures`: "two,three", `quarterly AND NOT report`: "three",
		`subject:one OR subject:two`: "one,two", `(subject:one OR subject:two) AND hasAttachments:true`: "two", `hasattachments:true subject:three`: "",
		`cc:boss`: "two", `participants:boss@partner.example`: "two", `attachment:report`: "two", `attachment:logo.png`: "",
		`size>9000 from:partner.example`: "two", `size:1..9000 from:partner.example`: "three", `received<=` + day + ` from:partner.example`: "three",
		`received:` + day + `..` + day + ` body:figures`: "three", `received>` + day + ` from:partner.example`: "two", `importance:normal subject:one`: "one",
	} {
		if got := subjectsOf(values(p.get(who + "/messages?$select=subject&$top=50&$search=" + url.QueryEscape(`"`+kql+`"`)))); got != want {
			t.Errorf("%s finds %q, want %q", kql, got, want)
		}
	}
	for _, wrong := range []string{`"isdeleted:true"`, `"(a"`, `"from:"`, `"*a"`, `subject:a`, `"received:tomorrow"`, `"a`, `"size:big"`, `"subject>a"`} {
		p.call("GET", who+"/messages?$search="+url.QueryEscape(wrong), nil, 400)
	}
}

// TestSearchKeepsToItsLimits: what Graph does not take together it refuses, no more than so many are found, and what came just
// now is not known yet.
func TestSearchKeepsToItsLimits(t *testing.T) {
	p, who := searching(t)
	for query, want := range map[string]string{
		"$search=\"a\"&$filter=isRead eq false":                                                           "SearchWithFilter",
		"$search=\"a\"&$orderby=receivedDateTime desc":                                                    "SearchWithOrderBy",
		"$filter=isRead eq false&$orderby=receivedDateTime desc":                                          "InefficientFilter",
		"$filter=contains(subject,'a') and receivedDateTime ge 2020-01-01&$orderby=receivedDateTime desc": "InefficientFilter",
		"$filter=toRecipients/any(r:r/emailAddress/address eq 'a@evil.example')":                          "ErrorInvalidUrlQueryFilter",
		"$filter=contains(body/content,'a')":                                                              "ErrorInvalidUrlQueryFilter",
		"$filter=endswith(from/emailAddress/address,'evil.example')":                                      "ErrorInvalidUrlQueryFilter",
		"$filter=internetMessageHeaders/any(h:h/name eq 'X')":                                             "ErrorInvalidUrlQueryFilter",
	} {
		if got := code(p.call("GET", who+"/messages?"+strings.ReplaceAll(query, " ", "%20"), nil, 400)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for filter, want := range map[string]string{
		"from/emailAddress/address eq 'billing@evil.example'": "one", "contains(from/emailAddress/address,'partner.example')": "three,two", "contains(subject,'ON')": "one",
		"startswith(subject,'tw')": "two", "subject eq 'two' and hasAttachments eq true": "two",
	} {
		if got := subjectsOf(values(p.get(who + "/messages?$select=subject&$filter=" + url.QueryEscape(filter)))); got != want {
			t.Errorf("%s finds %q, want %q", filter, got, want)
		}
	}
	const news = "/messages?$select=subject&$search=%22subject:fresh%22"
	p.s.SetSearch(Search{Lag: Duration(time.Hour)})
	for n := range 300 {
		if _, err := p.s.Put(strings.TrimPrefix(who, "users/"), Mail{From: "x@evil.example", Subject: fmt.Sprint("fresh ", n)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := values(p.get(who + news)); len(got) != 0 {
		t.Errorf("%d are found that came just now", len(got))
	}
	p.s.Advance(time.Hour + time.Second)
	all, _ := p.pages(who + news + "&$top=100")
	if len(all) != 250 || all[0]["subject"] != "fresh 299" {
		t.Errorf("%d of 300 are found, from %v on", len(all), all[0])
	}
	p.s.SetSearch(Search{Most: -1})
	if all, _ = p.pages(who + news + "&$top=100"); len(all) != 300 {
		t.Errorf("%d of 300 are found where there is no limit", len(all))
	}
}

// TestRecoverableItemsAreInTheirFolderAlone: no list and no search of the whole mailbox has them.
func TestRecoverableItemsAreInTheirFolderAlone(t *testing.T) {
	p, who := searching(t)
	for path, want := range map[string]string{
		"/messages?$select=subject&$filter=subject%20eq%20'four'":                                "",
		"/messages?$select=subject&$search=%22subject:four%22":                                   "",
		"/mailFolders/recoverableitemsdeletions/messages?$select=subject":                        "four",
		"/mailFolders/recoverableitemsdeletions/messages?$select=subject&$search=%22invoices%22": "four",
	} {
		if got := subjectsOf(values(p.get(who + path))); got != want {
			t.Errorf("%s has %q, want %q", path, got, want)
		}
	}
	if all, _ := p.pages(who + "/mailFolders?includeHiddenFolders=true"); strings.Contains(fmt.Sprint(all), "Deletions") {
		t.Error("the recoverable items stand among the folders")
	}
}
