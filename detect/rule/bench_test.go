package rule

import (
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// ordinary is a mailbox with three rules such as most people have.
func ordinary() (*detect.Org, *detect.Mailbox) {
	o := &detect.Org{
		Domains: map[string]bool{"fabrikam.com": true}, Partners: map[string]bool{"trusted.example": true}, Now: time.Unix(1_770_000_000, 0),
		Lookup: func(string) detect.Known { return detect.Known{Kind: detect.Person} },
	}
	on := true
	m := &detect.Mailbox{Person: "amy", Address: "amy@fabrikam.com", Name: "Amy Adams", Purpose: "user", SignIn: &on, Rules: []detect.Rule{
		{MailRule: tocsin.MailRule{ID: "1", Name: "Newsletters", Enabled: true, MarkRead: true, MoveTo: &tocsin.Folder{ID: "A", Name: "Newsletters", WellKnown: "none"},
			Conditions: []tocsin.Term{{Name: "sender_contains", Values: []string{"newsletter@shop.example", "noreply@news.example"}}}}},
		{MailRule: tocsin.MailRule{ID: "2", Name: "Projekt Überblick", Enabled: true, MoveTo: &tocsin.Folder{ID: "B", Name: "Projekte", WellKnown: "none"},
			Conditions: []tocsin.Term{{Name: "subject_contains", Values: []string{"Überblick", "status report", "[JIRA]"}}}}},
		{MailRule: tocsin.MailRule{ID: "3", Name: "Deputy", Enabled: true, Forward: []tocsin.Address{{Address: "bob@fabrikam.com"}},
			Conditions: []tocsin.Term{{Name: "subject_contains", Values: []string{"holiday"}}}}},
	}}
	return o, m
}

func BenchmarkMailbox(b *testing.B) {
	o, m := ordinary()
	b.ReportAllocs()
	for b.Loop() {
		if fs := Mailbox(o, m); len(fs) != 0 {
			b.Fatalf("found %d", len(fs))
		}
	}
}

func BenchmarkMailboxOfAnIntruder(b *testing.B) {
	o, m := ordinary()
	m.Rules = append(m.Rules, detect.Rule{MailRule: tocsin.MailRule{ID: "4", Name: ".", Enabled: true, MarkRead: true,
		Forward: []tocsin.Address{{Address: "eve@evil.example"}}, MoveTo: &tocsin.Folder{WellKnown: "rssfeeds"}}})
	b.ReportAllocs()
	for b.Loop() {
		if fs := Mailbox(o, m); len(fs) == 0 {
			b.Fatal("found nothing")
		}
	}
}
