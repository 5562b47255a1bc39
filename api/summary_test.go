package api

import (
	"testing"

	"tocsin.dev"
)

// TestSummaryReadsAsEnglish says what rules do that look at what is either so or not.
func TestSummaryReadsAsEnglish(t *testing.T) {
	yes := []string{"true"}
	for _, c := range []struct {
		terms []tocsin.Term
		want  string
	}{
		{[]tocsin.Term{{Name: "is_meeting_response", Values: yes}}, "Mail where it is a meeting response is deleted."},
		{[]tocsin.Term{{Name: "is_automatic_reply", Values: yes}, {Name: "sent_cc_me", Values: yes}}, "Mail where it is an automatic reply and the owner is in copy is deleted."},
		{[]tocsin.Term{{Name: "is_encrypted", Values: yes}}, "Mail where it is encrypted is deleted."},
		{[]tocsin.Term{{Name: "subject_contains", Values: []string{"x"}}}, "Mail where subject contains “x” is deleted."},
	} {
		if got := summary(tocsin.MailRule{Enabled: true, Delete: true, Conditions: c.terms}); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := summary(tocsin.MailRule{Enabled: true, Importance: "high"}); got != "All mail is marked with high importance." {
		t.Errorf("%q", got)
	}
}
