package rule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// FuzzMailbox judges any rule that a source could give: it ends, and every finding is sound.
func FuzzMailbox(f *testing.F) {
	f.Add("Sort", "subject_contains", "invoice", "eve@evil.example", "rssfeeds", "RSS", byte(255))
	f.Add("\u200b", "within_size_range", "minimumSize=1", "finance@fabrikam.com", "none", "\u202egnp", byte(3))
	f.Add("", "body_contains", "ph\x00ishing", "/o=ExchangeLabs/cn=amy", "", `Inbox\.`, byte(0))
	f.Fuzz(func(t *testing.T, name, term, value, to, wellKnown, folder string, bits byte) {
		o := &detect.Org{Domains: map[string]bool{"fabrikam.com": true}, Now: time.Unix(1_770_000_000, 0), Lookup: func(a string) detect.Known {
			if strings.HasPrefix(a, "finance@") {
				return detect.Known{Kind: detect.Group, Name: name, Outside: []string{value}}
			}
			return detect.Known{}
		}}
		bit := func(n int) bool { return bits&(1<<n) != 0 }
		r := tocsin.MailRule{ID: "1", Name: name, Enabled: bit(0), ReadOnly: bit(1), HasError: bit(2), Delete: bit(3), Purge: bit(4), MarkRead: bit(5)}
		r.Conditions = []tocsin.Term{{Name: term, Values: []string{value, name}}, {Name: term}}
		if bit(6) {
			r.Forward = []tocsin.Address{{Address: to}}
		}
		if bit(7) {
			r.MoveTo = &tocsin.Folder{WellKnown: wellKnown, Name: folder}
		}
		m := &detect.Mailbox{Person: "p", Address: "amy@fabrikam.com", Name: name, AutoReply: &tocsin.AutoReply{Status: "always_enabled", Links: []string{value, to}}}
		m.Rules = []detect.Rule{
			{MailRule: r, Before: &tocsin.MailRule{}},
			{MailRule: r, FirstSeen: o.Now.Add(-time.Hour), DeletedAt: o.Now},
		}
		found := append(Mailbox(o, m), Across(o, []*detect.Mailbox{m})...)
		for _, x := range found {
			if x.Risk < 0 || x.Risk > 100 || x.Why == "" || len(x.Terms) == 0 {
				t.Fatalf("not sound: %+v", x)
			}
			if _, err := json.Marshal(x); err != nil {
				t.Fatal(err)
			}
		}
	})
}
