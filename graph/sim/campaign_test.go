package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTracesTellWhoGotAMail: by sender, recipient, subject and id, ten days at a time, within ninety, a hundred requests in five
// minutes; what became of the mail does not matter.
func TestTracesTellWhoGotAMail(t *testing.T) {
	p := newProbe(t, Config{Users: 40, Content: true, Roles: everyRole})
	amy, bob := p.s.world.person(3), p.s.world.person(4)
	for _, who := range []*person{amy, bob} {
		id, err := p.s.Put(who.mail, Mail{From: "Billing@evil.example", Subject: "Overdue " + who.first, MessageID: "<" + who.first + "@evil.example>"})
		if err != nil {
			t.Fatal(err)
		}
		p.call("POST", "users/"+who.id+"/messages/"+url.PathEscape(id)+"/permanentDelete", nil, 204)
	}
	p.play("# x\nmon 09:00 " + amy.mail + " sends to out@partner.example subject \"Reply\"\n")
	p.s.SetTraces(Traces{})
	const path = "admin/exchange/tracing/messageTraces?$filter="
	mine := url.QueryEscape("senderAddress eq 'billing@evil.example'")
	if got := values(p.get(path + mine)); len(got) != 0 {
		t.Errorf("traced at once: %v", got)
	}
	p.s.Advance(3 * time.Minute)
	for filter, want := range map[string]int{
		"senderAddress eq 'billing@evil.example'": 2, "recipientAddress eq '" + amy.mail + "' and senderAddress eq 'billing@evil.example'": 1, "contains(subject,'overdue')": 2, "messageId eq '<" + bob.first + "@evil.example>'": 1,
		"status eq 'failed'": 0,
	} {
		if got := values(p.get(path + url.QueryEscape(filter))); len(got) != want {
			t.Errorf("%s: %d, want %d: %v", filter, len(got), want, got)
		}
	}
	week := p.s.clock.Now().AddDate(0, 0, -9).Format(time.RFC3339)
	if got := values(p.get(path + url.QueryEscape("recipientAddress eq 'out@partner.example' and receivedDateTime ge "+week))); len(got) != 1 || got[0]["senderAddress"] != amy.mail {
		t.Errorf("outside: %v", got)
	}
	now := p.s.clock.Now()
	for from, want := range map[time.Duration]int{11 * 24 * time.Hour: 400, 91 * 24 * time.Hour: 400, -time.Hour: 400, 9 * 24 * time.Hour: 200} {
		p.call("GET", path+url.QueryEscape("receivedDateTime ge "+now.Add(-from).Format(time.RFC3339)), nil, want)
	}
	p.call("GET", path+url.QueryEscape("receivedDateTime gt "+now.Format(time.RFC3339)), nil, 400)
	p.call("GET", "admin/exchange/tracing/messageTraces?$select=id", nil, 400)
	p.call("GET", "admin/exchange/tracing/messageTraces?$top=5001", nil, 400)
	span := "receivedDateTime ge " + now.AddDate(0, 0, -40).Format(time.RFC3339) + " and receivedDateTime le " + now.AddDate(0, 0, -31).Format(time.RFC3339)
	p.get(path + url.QueryEscape(span))
	all, _ := p.pages(path + url.QueryEscape("receivedDateTime ge "+week) + "&$top=20")
	whole := values(p.get(path + url.QueryEscape("receivedDateTime ge "+week) + "&$top=5000"))
	if len(all) < 30 || len(all) != len(whole) {
		t.Errorf("%d by pages, %d at once", len(all), len(whole))
	}
	throttled := 0
	for range 110 {
		resp := p.raw("GET", path+mine, nil)
		resp.Body.Close()
		if resp.StatusCode == 429 {
			throttled++
		}
	}
	if throttled < 10 {
		t.Errorf("%d of 110 are throttled", throttled)
	}
}

// TestCampaignIsAsItsTruthSays: every bad mail links to the campaign's domain and no innocent one does, each stands where the
// truth has it, and the same world has the same campaign.
func TestCampaignIsAsItsTruthSays(t *testing.T) {
	p := newProbe(t, Config{Users: 250, Seed: 11, Content: true, Roles: everyRole, Limits: Limits{Mailbox: -1}})
	in := Campaign{Mails: 300, Innocents: 60, Over: Duration(6 * time.Hour)}
	wave, err := p.s.Campaign(in)
	if err != nil {
		t.Fatal(err)
	}
	bad, innocent := wave.Bad(), wave.Innocent()
	if len(bad) != 300 || len(innocent) != 60 {
		t.Fatalf("%d bad and %d innocent", len(bad), len(innocent))
	}
	p.head.Set("Prefer", `IdType="ImmutableId"`)
	various := map[string]map[string]int{"subject": {}, "sender": {}, "file": {}, "hash": {}, "folder": {}, "mailbox": {}}
	for _, m := range wave.Planted {
		one := "users/" + m.Person + "/messages/" + url.PathEscape(m.ID)
		got := p.get(one + "?$select=subject,from,body,hasAttachments,internetMessageId,receivedDateTime")
		body := got["body"].(map[string]any)["content"].(string)
		links := strings.Contains(body, "."+wave.Domain+"/") || strings.Contains(body, "."+wave.Domain+"%2F")
		if got["subject"] != m.Subject || got["internetMessageId"] != m.MessageID || links == m.Innocent || got["hasAttachments"] != (m.Attachment != "") || got["from"].(map[string]any)["emailAddress"].(map[string]any)["address"] != m.Sender {
			t.Fatalf("%+v is %v", m, got)
		}
		if !m.Innocent && !strings.Contains(body, strings.ReplaceAll(m.URL, "&", "&amp;")) {
			t.Fatalf("%s does not stand in %s", m.URL, body)
		}
		for _, a := range values(p.get(one + "/attachments?$select=id,name")) {
			sum := sha256.Sum256(p.bytesOf(one + "/attachments/" + url.PathEscape(a["id"].(string)) + "/$value"))
			if a["name"] != m.Attachment || hex.EncodeToString(sum[:]) != m.SHA256 {
				t.Errorf("%s has the attachment %v", m.ID, a)
			}
		}
		if m.Innocent {
			continue
		}
		words := strings.FieldsFunc(m.Subject, func(r rune) bool { return r >= '0' && r <= '9' })
		for kind, v := range map[string]string{"subject": strings.Join(words, "N"), "sender": m.Sender, "file": m.Attachment, "hash": m.SHA256, "folder": m.Folder, "mailbox": m.Mailbox} {
			various[kind][v]++
		}
	}
	for kind, least := range map[string]int{"subject": 8, "sender": 20, "file": 150, "hash": 5, "folder": 5, "mailbox": 200} {
		if n := len(various[kind]); n < least {
			t.Errorf("%d variants of %s, want %d", n, kind, least)
		}
	}
	if most := slices.Max(slices.Collect(maps.Values(various["mailbox"]))); most > 2 {
		t.Errorf("a mailbox has %d before all have one", most)
	}
	again := newProbe(t, Config{Users: 250, Seed: 11})
	again.s.clock.Advance(p.s.clock.Now().Sub(again.s.clock.Now()))
	same, err := again.s.Campaign(in)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range same.Planted {
		if w := wave.Planted[i]; m.ID != w.ID || m.Subject != w.Subject || m.Sender != w.Sender || m.SHA256 != w.SHA256 || m.Folder != w.Folder || m.Innocent != w.Innocent {
			t.Fatalf("the same world has %+v, and before %+v", m, w)
		}
	}
	next, err := p.s.Campaign(Campaign{Wave: 1, Mails: 10, Fresh: true})
	if err != nil || len(next.Bad()) != 10 || len(p.s.Campaigns()) != 2 {
		t.Fatal(err)
	}
	for _, m := range next.Planted {
		if m.Folder != "inbox" || bad[m.ID].ID != "" {
			t.Errorf("the second wave put %+v", m)
		}
	}
	truth, _ := p.s.Truth()
	sown := map[string]int{}
	for _, l := range truth {
		sown[l.By]++
	}
	if sown["campaign invoices"] != 310 || sown["campaign invoices (innocent)"] != 60 {
		t.Errorf("the truth tells of %v", sown)
	}
	for _, wrong := range []Campaign{{}, {Mails: -1}, {Mails: 1, Innocents: -1}, {Mails: 1, Over: -1}} {
		if _, err := p.s.Campaign(wrong); err == nil {
			t.Errorf("%+v was taken", wrong)
		}
	}
}

// TestCampaignOfTenThousandMailboxesIsCheap: what nobody asks for is not made.
func TestCampaignOfTenThousandMailboxesIsCheap(t *testing.T) {
	s, err := New(Config{Users: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	wave, err := s.Campaign(Campaign{Mails: 3000, Innocents: 500, Over: Duration(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	boxes := map[string]bool{}
	for _, m := range wave.Bad() {
		boxes[m.Mailbox] = true
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); len(boxes) != 3000 || grown > 80<<20 {
		t.Errorf("3,000 mails lie in %d mailboxes and take %d MB", len(boxes), grown>>20)
	}
	fmt.Fprintln(t.Output(), "heap", (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10, "KB")
}
