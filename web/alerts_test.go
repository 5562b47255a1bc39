package web

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
)

// seedAlerts makes a channel of each state, a log with each outcome, and snoozes.
func seedAlerts(s *site) {
	s.t.Helper()
	ctx := context.Background()
	finding := tocsin.NewFindingID(tenantID, "forward-outside", seedRules()[0].ID, "0")
	err := s.st.UpdateTenant(ctx, tenantID, func(tn *store.Tenant) error {
		d := seeder{s.t, tn, s.st.Clock().Now()}
		for i, c := range []struct{ kind, name, address, because string }{
			{"slack", "SOC " + evilScript, "https://hooks.slack.com/…", ""}, {"teams", "Service desk", "https://default.environment.api.powerplatform.com/…", ""},
			{"email", "On call", "oncall@acme.example, soc@acme.example", ""}, {"webhook", "SIEM", "https://siem.acme.example/…", "it answered 503"},
		} {
			failures, delivered := 0, d.ago(time.Duration(i+1)*time.Hour)
			if c.because != "" {
				failures = 3
			}
			d.add(`insert into channel (tenant, id, kind, name, address, sealed, filter, quiet, digest_over, digest_minutes, enabled, since, created, created_by, delivered, failed, failures, because, mend)
				values ($1, $2, $3, $4, $5, $6, '{"severity":"high","rules":["forward-outside"],"changes":["opened","worse"]}', '{"from":"22:00","to":"07:00","days":["sun"],"zone":"Europe/Berlin","except":"critical"}', 10, 15, $7, 1, 1, $8, $9, $9, $10, $11, '')`,
				"00000000-0000-7000-8000-00000000000"+string(rune('1'+i)), c.kind, c.name, c.address, []byte("x"), i != 1, owner, delivered, failures, c.because)
		}
		for i, a := range []struct{ state, held, because, change string }{
			{"sent", "", "", "opened"}, {"sending", "", "it answered 503", "worse"}, {"waiting", "quiet hours", "", "reopened"}, {"dead", "", "it answered 410: the receiver is gone", "fixed"}, {"dropped", "it was fixed before anybody was told", "", "opened"},
		} {
			n := string(rune('1' + i))
			d.add(`insert into alert (tenant, id, channel, about, finding, rule, severity, severity_rank, change, body, at, early, state, held, held_until, message) values ($1, $2, $3, $1, $4, 'forward-outside', 'high', 3, $5, '{}', $6, $7, $8, $9, $10, $11)`,
				"a"+n, "00000000-0000-7000-8000-00000000000"+string(rune('1'+i%4)), finding, a.change, d.ago(time.Duration(5-i)*time.Hour), false, a.state, a.held, d.ago(-time.Hour), "m"+n)
			d.add(`insert into alert_message (tenant, id, channel, kind, alerts, state, created, due, tries, because, mend) values ($1, $2, 'c', 'digest', 4, 'waiting', 1, $3, 2, $4, '')`, "m"+n, d.ago(-10*time.Minute), a.because)
		}
		until := d.ago(-5 * 24 * time.Hour)
		d.add(`insert into snooze (tenant, id, scope, value, until, reason, created, created_by) values ($1, 'z1', 'finding', $2, $3, 'The vendor moves', $4, $5)`, finding, until, d.ago(time.Hour), owner)
		d.add(`insert into snooze (tenant, id, scope, value, until, reason, created, created_by) values ($1, 'z2', 'rule', 'opaque-rule', $2, '', $3, $4)`, until, d.ago(time.Hour), owner)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestAlertsPages: the pages of alerts are sound, show each state in words, and no secret.
func TestAlertsPages(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	for _, path := range []string{at + "/settings/alerts", at + "/settings/alerts/new?kind=email", at + "/settings/alerts/new?kind=slack", at + "/settings/alerts/new?kind=teams", at + "/settings/alerts/new?kind=webhook"} {
		code, body := s.get(path)
		if code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
		sound(t, path, body)
	}
	if code, _ := s.get(at + "/settings/alerts/new?kind=pigeon"); code != http.StatusNotFound {
		t.Errorf("a kind that there is not: %d", code)
	}
	seedAlerts(s)
	_, body := s.get(at + "/settings/alerts")
	sound(t, "alerts", body)
	for _, want := range []string{"Delivered", "On its way", "Waits", "Given up", "Not sent", "Quiet hours", "It answered 503", "Failing", "The vendor moves", "opaque-rule", "One of 4 in a message"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(body, "<script>alert") {
		t.Error("a channel's name is markup")
	}
	if _, body = s.get(at + "/settings/alerts?state=dead"); !strings.Contains(body, "Given up") || strings.Contains(body, "it was fixed before anybody was told") {
		t.Error("the log is not filtered by state")
	}
}

// TestChannelForms makes, tests, changes, rotates, snoozes and forgets a channel by the pages.
func TestChannelForms(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	form := []string{"kind", "webhook", "of", "own", "name", "SIEM", "address", "https://127.0.0.1:1/secret-path", "severity", "high", "change", "opened", "enabled", "yes", "quiet_from", "", "quiet_to", "", "quiet_zone", "UTC", "quiet_except", "critical"}
	_, body := s.post(at+"/settings/alerts", form...)
	if !strings.Contains(body, "does not call for others") || !strings.Contains(body, `value="SIEM"`) || strings.Contains(body, "secret-path") {
		t.Errorf("an address of the inside:\n%.3000s", body)
	}
	form[7] = "https://siem.invalid/secret-path"
	_, body = s.post(at+"/settings/alerts", form...)
	if !strings.Contains(body, "whsec_") || !strings.Contains(body, "shown this once") {
		t.Fatalf("made:\n%.3000s", body)
	}
	sound(t, "made", body)
	list, err := s.svc.ListChannels(api.WithCaller(t.Context(), api.Caller{Grants: []api.Grant{{Tenant: "*", Role: api.Owner}}}), api.ListIn{In: api.In{Tenant: tenantID}})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	to := at + "/settings/alerts/own/" + list.Items[0].ID
	if _, body = s.get(to); strings.Contains(body, "whsec_U") || strings.Contains(body, "secret-path") || !strings.Contains(body, "https://siem.invalid/…") {
		t.Error("a secret is shown again")
	}
	if _, body = s.post(to + "/test"); !strings.Contains(body, "The test message was not taken") || !strings.Contains(body, "banner bad") {
		t.Errorf("a test that cannot arrive:\n%.3000s", body)
	}
	edit := append([]string{"version", "1"}, form...)
	edit[7], edit[9] = "Renamed", ""
	if _, body = s.post(to+"/edit", edit...); !strings.Contains(body, "The channel “Renamed” was changed.") || !strings.Contains(body, "https://siem.invalid/…") {
		t.Errorf("changed:\n%.3000s", body)
	}
	if _, body = s.post(to+"/edit", edit...); !strings.Contains(body, "Somebody has changed the channel meanwhile") {
		t.Error("a stale change is kept")
	}
	if _, body = s.post(to + "/rotate"); !strings.Contains(body, "signed with the old one as well") {
		t.Error("rotated without a word")
	}
	if _, body = s.post(to+"/snooze", "until", time.Now().AddDate(0, 0, 3).Format(time.DateOnly)); !strings.Contains(body, "Snoozed") {
		t.Error("not snoozed")
	}
	if _, body = s.post(to + "/delete"); !strings.Contains(body, "The channel was forgotten") || !strings.Contains(body, "Nobody is told") {
		t.Error("not forgotten")
	}
	finding := tocsin.NewFindingID(tenantID, "forward-outside", seedRules()[0].ID, "0")
	if _, body = s.post(at+"/settings/alerts/snoozes", "what", "finding:"+finding, "until", time.Now().AddDate(0, 0, 3).Format(time.DateOnly), "back", at+"/findings/"+finding); !strings.Contains(body, "Nobody is told of it until") {
		t.Errorf("a finding:\n%.2000s", body)
	}
	form[3] = "all"
	_, body = s.post(at+"/settings/alerts", form...)
	if strings.Contains(body, "banner bad") {
		t.Error("the owner of all cannot make a channel of the installation")
	}
	as := api.WithCaller(t.Context(), api.Caller{Grants: []api.Grant{{Tenant: "*", Role: api.Owner}}})
	if list, err = s.svc.ListChannels(as, api.ListIn{In: api.In{Tenant: api.Everywhere}}); err != nil || len(list.Items) != 1 {
		t.Fatalf("the installation's: %v %v", list, err)
	}
	s.post(at+"/settings/alerts/all/"+list.Items[0].ID+"/snooze", "until", time.Now().AddDate(0, 0, 3).Format(time.DateOnly))
	zs, err := s.svc.ListSnoozes(as, api.ListIn{In: api.In{Tenant: api.Everywhere}})
	if err != nil || len(zs.Items) != 1 {
		t.Fatalf("snoozed: %v %v", zs, err)
	}
	if _, body = s.post(at+"/settings/alerts/snoozes/delete", "of", "all", "id", zs.Items[0].ID); !strings.Contains(body, "The snooze has ended") {
		t.Error("the snooze of an installation's channel is not ended")
	}
}
