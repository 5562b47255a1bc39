package server

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

const takenOver = `# An account is taken over while another signs in as ever.
domain fabrikamfreight.com
person amy "Amy Okafor" amy@fabrikamfreight.com
person bob "Bob Brown" bob@fabrikamfreight.com
mon 09:00 amy signs in from Leeds session=s1
mon 09:02 amy signs in from Lagos session=s2 risk=high risk_types=anomalousToken mfa=claim
mon 09:10 amy audits "User registered security info" target amy workload AzureActiveDirectory
mon 09:20 amy audits "Register device" target amy workload AzureActiveDirectory
mon 09:30 bob signs in from Leeds session=s3
`

// TestBrowserStory: an analyst finds a takeover as one story at the top, reads what happened in order, goes on to the person and sees
// why they are at risk, from where they signed in and what was changed; the risk falls when the findings are settled.
func TestBrowserStory(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	st, err := story.Parse("taken over", strings.NewReader(takenOver))
	if err != nil {
		t.Fatal(err)
	}
	w, err := sim.New(sim.Config{Users: 40, Seed: 3, Quiet: true, Stories: []*story.Story{st}, Roles: connect.MakeGuide(connect.Read, connect.ByCredentials, nil, "", "").Names()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
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
	p.do("the empty stories", chromedp.Navigate(at+"/stories"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shoot("stories-empty")

	p.until("the story comes by itself, once", `document.querySelectorAll("main table tbody tr").length === 1 && document.body.innerText.includes("An account was taken over")`)
	p.shoot("stories")
	p.narrow(at + "/stories")
	p.do("back to the stories", chromedp.Navigate(at+"/stories"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.press("the story", `main table tbody a.title`)
	p.shows("what happened", "A second factor was registered about a suspicious sign-in")
	p.until("in the order of time", `[...document.querySelectorAll("main .timeline time")].map((x) => x.dateTime).every((x, i, all) => !i || all[i - 1] <= x)`)
	p.shoot("story")
	p.press("the finding of the takeover", `main .verdict a[href*="/findings/"]`)
	p.shows("the finding", "An account was taken over")
	p.shows("its story", "Part of the story")
	p.shoot("takeover")

	p.do("the people", chromedp.Navigate(at+"/identities"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.until("she stands at the top", `document.querySelector("main table tbody tr").innerText.includes("amy@fabrikamfreight.com")`)
	p.shoot("identities-risk")
	p.narrow(at + "/identities")
	p.do("the people again", chromedp.Navigate(at+"/identities"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.press("the person", `main table tbody a.title`)
	for _, text := range []string{"Why the risk", "Identity Protection", "Lagos, NG", "At risk: high"} {
		if text == "Why the risk" {
			p.until("the risk's terms", `document.querySelector("#id-risk") && document.querySelectorAll("table.terms tr").length > 1`)
			continue
		}
		p.shows("the person's "+text, text)
	}
	p.until("a map with two places", `document.querySelectorAll("svg.world circle").length === 2`)
	p.until("a line of time with sign-ins and changes", `document.querySelectorAll(".list.time .t-signin").length >= 2 && document.querySelectorAll(".list.time .t-directory").length >= 2`)
	p.shoot("person")
}
