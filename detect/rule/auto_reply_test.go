package rule

import (
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// TestScheduledReplyHasNoTime holds a finding on a scheduled reply to no time: its start is not when it was written.
func TestScheduledReplyHasNoTime(t *testing.T) {
	o := &detect.Org{Domains: map[string]bool{"fabrikam.com": true}, Now: monday}
	reply := &tocsin.AutoReply{Status: "scheduled", Audience: "all", Start: monday.Add(-48 * time.Hour), End: monday.Add(48 * time.Hour), Links: []string{"eve@evil.example"}}
	found := judgeAutoReply(o, &detect.Mailbox{Person: "amy", Address: "amy@fabrikam.com", AutoReply: reply})
	if len(found) != 1 || !found[0].Time.IsZero() {
		t.Errorf("found %+v", found)
	}
}

// TestUnseenInSentence shows what nobody sees in an address as it is shown in a name.
func TestUnseenInSentence(t *testing.T) {
	o := &detect.Org{Domains: map[string]bool{"fabrikam.com": true}, Now: monday}
	reply := &tocsin.AutoReply{Status: "always_enabled", Links: []string{"e\u200bve@evil.example"}}
	found := judgeAutoReply(o, &detect.Mailbox{Person: "amy", Address: "amy@fabrikam.com", AutoReply: reply})
	if len(found) != 1 || !strings.Contains(found[0].Why, `e\u200bve@evil.example`) {
		t.Errorf("found %+v", found)
	}
}
