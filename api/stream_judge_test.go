package api

import (
	"strings"
	"testing"
)

// TestJudge: whole is said only where nothing at all is lacking.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		is             Stream
		vain           string
		state, because string
	}{
		{Stream{Mailboxes: 3, Told: 3}, "", "whole", ""},
		{Stream{Mailboxes: 3, Told: 3, Dead: 1}, "", "incomplete", "Given up: 1 notification."},
		{Stream{Mailboxes: 3, Told: 3, Silent: 2}, "", "incomplete", "Nothing comes, though it should, to 2 mailboxes."},
		{Stream{Mailboxes: 3, Told: 3, Gaps: 2}, "", "incomplete", "Being closed: 2 gaps."},
		{Stream{Mailboxes: 3, Told: 3, Gaps: 2}, "Microsoft Graph is down.", "incomplete", "Not closed yet: 2 gaps. Microsoft Graph is down."},
		{Stream{Mailboxes: 3, Told: 3, Gaps: 2, Dead: 1}, "", "incomplete", "Being closed: 2 gaps."},
	} {
		s := c.is
		if s.judge(c.vain); s.State != c.state || s.Because != c.because || c.state != "whole" && !strings.HasSuffix(s.Mend, ".") {
			t.Errorf("%+v is %s, %q, %q", c.is, s.State, s.Because, s.Mend)
		}
	}
}
