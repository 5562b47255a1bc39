package server

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev/api"
	"tocsin.dev/store/storetest"
)

const fromAfar = `# Amy signs in from far away.
domain fabrikamfreight.com
person amy "Amy Okafor"
mon 08:30 amy signs in from 203.0.113.7/NL mfa=asked session=s1
`

// nowIn is a story's line at a time of the simulator's clock, so long ago.
func nowIn(now time.Time, ago time.Duration, act string) string {
	at := now.Add(-ago).UTC()
	return strings.ToLower(at.Weekday().String()[:3]) + " " + at.Format("15:04") + " " + act + "\n"
}

// TestBrowserOwnRules writes a rule on its page: its faults are told with their lines, its tests run, what is stored is played to
// it, and set live it finds what comes.
func TestBrowserOwnRules(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	w := world(t, 60, fromAfar)
	w.Consent(allOfState...)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	c.Every.SignIns = time.Second
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)
	conn := join(t, s, w)
	at := hs.URL + "/t/" + string(conn.Tenant)
	synced(t, s, conn.Tenant, "users", "sign_ins", "directory_audits")
	in := api.In{Tenant: conn.Tenant}
	eventually(t, "the sign-in", func() string {
		got, err := s.API.ListSignIns(as(t.Context(), api.Viewer), api.SignInsIn{In: in})
		if err != nil || len(got.Items) == 0 {
			return fmt.Sprintf("is not there: %v", err)
		}
		return ""
	})
	open := func(path string) {
		t.Helper()
		p.do(path, chromedp.Navigate(at+path), chromedp.WaitVisible(chromedp.CSS("main")))
	}
	write := func(what, text, button string) {
		t.Helper()
		p.script(what, fmt.Sprintf(`{const f = document.querySelector("main form[enctype]"); f.elements.text.value = %q; f.querySelector("button[value=%s]").click()}`, text, button))
	}
	open("/detections/own")
	p.shows("that there is none", "There is no rule of your own yet")
	p.shoot("own-empty")
	open("/detections/own/new")
	p.shoot("own-new")
	write("a rule with a fault", "title: T\nlogsource: {product: azure, service: signinlogs}\ndetection:\n  s: {location|like: NL}\n  condition: s\n", "save")
	p.shows("where the fault is", "Line 4: There is no modifier")
	p.shoot("own-fault")
	const text = "title: A sign-in from the Netherlands\nlevel: medium\ntags: [attack.initial-access, attack.t1078.004]\nlogsource: {product: azure, service: signinlogs}\ndetection:\n  s: {ResultType: 0, location: NL}\n  condition: s\ntests:\n  - name: from there\n    expect: match\n    events: [{ResultType: 0, Location: NL, UserPrincipalName: a@b.example}]\n"
	write("a rule whose test fails", strings.Replace(text, "expect: match", "expect: silent", 1), "check")
	p.shows("that the test fails", "It should be silent, and matches")
	write("a rule that is right", text, "save")
	p.shows("that it is kept", "The rule is kept, as a draft.")
	p.press("what it would have found", `main form[method=get] button`)
	p.shows("what it would have found", "It would have spoken 1 time on 1 day")
	p.shoot("own-replay")
	p.script("set it live", `document.querySelector('main form[action$="/live"] button').click()`)
	p.shows("that it is live", "It is live")
	now := w.Clock().Now()
	play(t, w, "# Again.\ndomain fabrikamfreight.com\nperson amy\n"+nowIn(now, 2*time.Minute, "amy signs in from 203.0.113.9/NL mfa=asked session=s2"))
	rule := "own-a-sign-in-from-the-netherlands"
	eventually(t, "the finding", func() string {
		if f := findings(t, s, conn.Tenant)[rule+" amy@"+w.Domain()]; f.ID == "" {
			return fmt.Sprint("is not there: ", findings(t, s, conn.Tenant))
		}
		return ""
	})
	open("/detections/own")
	p.shoot("own-list")
	p.narrow(at + "/detections/own")
	open("/findings?rule=" + rule)
	p.press("the finding", `main a[href*="/findings/"]`)
	p.shows("why", "meets the rule")
	p.press("the rule of the finding", fmt.Sprintf(`main a[href$="/detections/own/%s"]`, rule))
	p.shows("what it met", "1 hit")
	p.shoot("own-live")
}
