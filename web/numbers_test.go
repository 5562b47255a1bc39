package web

import (
	"regexp"
	"strings"
	"testing"

	"tocsin.dev/api"
)

// TestTrendSum: what the days brought and what of it is open are told together, so that the two figures of the overview agree.
func TestTrendSum(t *testing.T) {
	for _, c := range []struct {
		all, open int
		want      string
	}{
		{1, 1, "1 finding, still open"}, {3, 3, "3 findings, all still open"}, {17, 13, "17 findings: 13 open, 4 closed"}, {4, 0, "4 findings, all closed"},
	} {
		days := []api.Day{{Day: "2026-03-14", Severities: api.Severities{High: 1}, Open: min(1, c.open)}}
		if c.all > 1 {
			days = append(days, api.Day{Day: "2026-03-15", Severities: api.Severities{Low: c.all - 1}, Open: max(0, c.open-1)})
		}
		if got := trendOf(days, 14).sum(); got != c.want {
			t.Errorf("%d of which %d are open: %q, want %q", c.all, c.open, got, c.want)
		}
	}
	for want, n := range map[string][2]int{
		"none of them first seen in the last 24 hours": {4, 0}, "2 of them first seen in the last 24 hours": {4, 2},
		"all of them first seen in the last 24 hours": {4, 4}, "first seen in the last 24 hours": {1, 1},
	} {
		if got := freshWords(n[0], n[1]); got != want {
			t.Errorf("%d, %d new: %q, want %q", n[0], n[1], got, want)
		}
	}
}

// TestMailboxCounts: the overview counts the mailboxes that the list of mailboxes has, and who has none apart from them.
func TestMailboxCounts(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	at := tenantAt(tenantID)
	figure := func(path, pattern string) string {
		t.Helper()
		code, body := s.get(path)
		m := regexp.MustCompile(pattern).FindStringSubmatch(strings.Join(strings.Fields(body), " "))
		if code != 200 || m == nil {
			t.Fatalf("%s: %d, nothing like %s in\n%s", path, code, pattern, body)
		}
		return m[1]
	}
	if all, listed := figure(at+"/overview", `</strong> of ([\d\x{202f}]+) mailboxes`), figure(at+"/mailboxes", `<strong>([\d\x{202f}]+)</strong> mailboxes`); all != listed {
		t.Errorf("the overview counts %s mailboxes, their list %s", all, listed)
	}
	if none, listed := figure(at+"/overview", `>(\d+) (?:person has|people have) no mailbox`), figure(at+"/mailboxes?state=none", `<strong>(\d+)</strong> (?:person|people) without a mailbox`); none != listed {
		t.Errorf("the overview counts %s without a mailbox, their list %s", none, listed)
	}
}
