package investigate

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin.dev/mail"
	"tocsin.dev/query"
	"tocsin.dev/sharedtest"
)

const bait = "From: Accounts <billing@pay.example>\r\nTo: amy@fabrikamfreight.com\r\nSubject: =?utf-8?q?RE=3A_Fwd=3A_Your_=22invoice=22_4711_is_overdue?=\r\nMessage-ID: <a1@pay.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/html\r\n\r\n<p>Pay <a href=\"https://login.pay-portal.example/x\">here</a>, or see <a href=\"https://www.microsoft.com\">this</a>, or <a href=\"https://fabrikamfreight.com/intranet\">that</a></p>\r\n" +
	"--b\r\nContent-Type: application/pdf; name=invoice.pdf\r\nContent-Disposition: attachment; filename=invoice.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n--b--\r\n"

// TestFromMail: the query that is made of a mail finds it, and copies of it that are alike in one thing; not the innocent.
func TestFromMail(t *testing.T) {
	made := FromMail(mail.Parse([]byte(bait)), []string{"fabrikamfreight.com"})
	q, err := query.Parse(made.Query)
	if err != nil {
		t.Fatalf("%s: %v", made.Query, err)
	}
	if made.Sender != "billing@pay.example" || len(made.Terms) != 4 || strings.Contains(made.Query, "microsoft") || strings.Contains(made.Query, "fabrikam") {
		t.Errorf("%+v", made)
	}
	turn := strings.NewReplacer
	for name, c := range map[string]struct {
		turned string
		want   query.Truth
	}{
		"the mail itself": {bait, query.Yes},
		"the same subject by the same sender, answered": {turn("<a1@", "<a2@", "pay-portal.example", "elsewhere.example", "JVBERi0xLjQK", "JVBERi0xLjUK", "RE=3A_Fwd=3A_", "").Replace(bait), query.Yes},
		"another sender, subject and file, one link":    {turn("<a1@", "<a2@", "billing@pay", "hr@other", "4711_is_overdue", "for_you", "JVBERi0xLjQK", "JVBERi0xLjUK").Replace(bait), query.Yes},
		"the same file alone":                           {turn("<a1@", "<a2@", "billing@pay", "hr@other", "4711_is_overdue", "for_you", "login.pay-portal.example", "elsewhere.example", "invoice.pdf", "x.pdf").Replace(bait), query.Yes},
		"the same sender, nothing else":                 {turn("<a1@", "<a2@", "4711_is_overdue", "for_you", "pay-portal.example", "elsewhere.example", "JVBERi0xLjQK", "JVBERi0xLjUK").Replace(bait), query.No},
		"the same subject by another, nothing else":     {turn("<a1@", "<a2@", "billing@pay", "hr@other", "pay-portal.example", "elsewhere.example", "JVBERi0xLjQK", "JVBERi0xLjUK").Replace(bait), query.No},
	} {
		if got, why := q.Match(query.DocOf(mail.Parse([]byte(c.turned)))); got != c.want {
			t.Errorf("%s: %v %v, want %v, by %s", name, got, why, c.want, made.Query)
		}
	}
	for name, made := range map[string]Made{
		"a match":              FromMatch(&Match{Subject: "Payment", Sender: "a@b.example", InternetMessageID: "<x@y>", Links: []string{"https://c.b.example/z", "https://aka.ms/q", "://"}}, nil),
		"a match without text": FromMatch(&Match{Subject: `"`, Sender: "a@b.example"}, nil),
		"an event":             FromEnvelope("<x@y>", "A@b.example"),
		"nothing":              FromMail(mail.Parse(nil), nil),
	} {
		if _, err := query.Parse(made.Query); made.Query != "" && err != nil || (made.Query == "") != (name == "nothing") {
			t.Errorf("%s: %q: %v", name, made.Query, err)
		}
		if name != "a match" && len(made.Lacks) == 0 {
			t.Errorf("%s does not say what it lacks", name)
		}
	}
}

// TestFromMailShared: of every real mail the query reads, and finds the mail that it was made of.
func TestFromMailShared(t *testing.T) {
	n, none := 0, 0
	for _, dir := range []string{"data/spamassassin", "data/sublime-emls", "data/mime-suites"} {
		err := filepath.WalkDir(sharedtest.File(t, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains([]string{".eml", ".txt", ".msg"}, filepath.Ext(path)) {
				return err
			}
			if n++; testing.Short() && n%20 != 0 {
				return nil
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			m := mail.Parse(raw)
			made := FromMail(m, nil)
			if made.Query == "" {
				none++
				return nil
			}
			q, err := query.Parse(made.Query)
			if err != nil {
				t.Errorf("%s: %s: %v", path, made.Query, err)
				return nil
			}
			if got, _ := q.Match(query.DocOf(m)); got != query.Yes {
				t.Errorf("%s is not found by its own query: %v, %s", path, got, made.Query)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d mails, of %d no query can be made", n, none)
}
