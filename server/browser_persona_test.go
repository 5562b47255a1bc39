package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin.dev"
	"tocsin.dev/learn"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const wellKnown = tocsin.TenantID("7e1b1f7a-5c2e-4a36-9d5e-0a4b5f7d2c11")

// known puts into a tenant what was learned of amy in ten weeks, who wrote to strangers in the night of the last day.
func known(t *testing.T, s *Server) tocsin.PersonID {
	t.Helper()
	now := s.Store.Clock().Now()
	today := int32(now.Unix() / 86400)
	amy := tocsin.NewPersonID(wellKnown, "amy@fabrikamfreight.com")
	names := learn.NewNames("fabrikamfreight.com")
	m, me := learn.New(learn.Options{}), names.Of("amy@fabrikamfreight.com")
	to := []string{"bob@fabrikamfreight.com", "carla@fabrikamfreight.com", "orders@contoso.example", "drop@evil.example"}
	monday := func(day int32) int32 { return day - ((day+3)%7+7)%7 }
	err := s.Store.UpdateTenant(t.Context(), wellKnown, func(tn *store.Tenant) error {
		add := func(q string, args ...any) {
			if _, err := tn.Exec(t.Context(), q, args...); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
		at := func(day int32, hour int) int64 { return int64(day)*86_400_000 + int64(hour)*3_600_000 }
		add(`insert into tenant (tenant, name, initial_domain, created) values ($1, 'Fabrikam Freight', 'fabrikamfreight.onmicrosoft.com', 1)`)
		for i, n := range []string{"Amy Okafor", "Bob Brown", "Carla Dune"} {
			a := []string{"amy", "bob", "carla"}[i] + "@fabrikamfreight.com"
			add(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, department, addresses, created, mailbox, mailbox_because, seen, changed) values ($1, $2, $3, $4, $5, $5, 'member', true, $6, '[]', 1, 'read', '', 1, 1)`,
				tocsin.NewPersonID(wellKnown, a), a, n, a, []string{"Operations", "Finance", "Sales"}[i])
			add(`insert into person_address (tenant, address, person) values ($1, $2, $3)`, a, tocsin.NewPersonID(wellKnown, a))
			add(`insert into mailbox (tenant, person, purpose, timezone, language, auto_reply, rules_seen, rules_count, settings_seen) values ($1, $2, 'user', 'W. Europe Standard Time', 'en', '{}', 1, 0, 1)`, tocsin.NewPersonID(wellKnown, a))
		}
		contact := func(i int, since, until int64, n int) (who tocsin.PersonID) {
			if i < 2 {
				who = tocsin.NewPersonID(wellKnown, to[i])
			}
			add(`insert into contact (tenant, person, address, who, outside, first_sent, last_sent, sent, first_received, last_received, received) values ($1, $2, $3, $4, $5, $6, $7, $8, $6, $7, $9)`, amy, to[i], who, i > 1, since, until, n, n/2)
			return who
		}
		for day := today - 70; day < today; day++ {
			if (day+3)%7 < 5 {
				sent := 6 + int(day)%5
				m.Mail(learn.Mail{At: at(day, 7), From: names.Of(to[0]), To: []*learn.Address{me}, ID: fmt.Sprint(day, "in")})
				for i := range sent {
					m.Mail(learn.Mail{At: at(day, 8+i%9), From: me, To: []*learn.Address{names.Of(to[i%3])}, ID: fmt.Sprint(day, i)})
				}
				if day == monday(today-7) {
					sent = 24
				}
				add(`insert into persona_day (tenant, person, day, sent, received, outside, files, usual, low, high) values ($1, $2, $3, $4, 4, $5, 1, 8000, 4000, 13000)`, amy, day, sent, 1+int(day-today+70)/20)
			}
			m.Close(day)
		}
		for i, n := range []int{160, 90, 60, 4} {
			since := at(today-70+int32(11*i), 9)
			if i == 3 {
				since = at(today-1, 2)
			}
			who := contact(i, since, at(today-1, 2), n)
			first := monday(today - 70)
			if i == 3 {
				first = monday(today - 1)
			}
			for week := first; week < today; week += 7 {
				add(`insert into contact_week (tenant, week, person, address, who, outside, sent, received) values ($1, $2, $3, $4, $5, $6, $7, 2)`, week, amy, to[i], who, i > 1, max(n/10, 4))
			}
		}
		add(`insert into contact_total (tenant, week, sent) select tenant, week, sum(sent) from contact_week where tenant = $1 group by tenant, week`)
		for day := today - 60; day < today; day++ {
			for i, x := range []struct {
				every          int32
				country, city  string
				since, results int32
			}{{1, "DE", "Bremen", 60, 1}, {4, "DE", "Hamburg", 60, 1}, {1, "NG", "Lagos", 2, 1}, {3, "RU", "Omsk", 9, 0}} {
				if day%x.every == 0 && day >= today-x.since {
					add(`insert into sign_in (tenant, id, record, at, seen, kind, person, actor, country, city, result) values ($1, $2, $2, $3, 1, 'interactive', $4, 'amy', $5, $6, $7)`,
						fmt.Sprint("sign-in ", day, " ", i), at(day, 8+i), string(amy), x.country, x.city, []string{"failure", "success"}[x.results])
				}
			}
		}
		add(`insert into learned (tenant, shut, fact, began, version) values ($1, $2, 1, $3, 1)`, today-1, today-70)
		add(`insert into learned_part (tenant, kind, key, day, body) values ($1, 'person', $2, $3, $4)`, string(amy), today-1, m.Persona(me).State())
		odd := func(id, class string, day int32, hour, oneIn int, why, about string) {
			add(`insert into anomaly (tenant, id, person, day, at, class, one_in, why, terms, odd, early, finding, found) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false, '', $5)`, id, amy, day, at(day, hour), class, oneIn, why,
				fmt.Sprintf(`[{"class":%q,"one_in":%d},{"class":"off_hours","one_in":90}]`, class, oneIn), about)
		}
		odd("strangers", "graph", today-1, 2, 54_000, "Amy Okafor wrote to drop@evil.example, an address that this person had never written to; usual is a new one every 12 days; about one day in 54,000 is as unusual.", `["drop@evil.example"]`)
		odd("night", "off_hours", today-1, 2, 2_100, "Amy Okafor sent 4 mails in hours in which this person hardly ever writes (3:00); about one day in 2,100 is as unusual.", `[]`)
		odd("grows", "drift", monday(today-20), 10, 700, "Amy Okafor writes more to orders@contoso.example every week: 1, 2, 3, 4, 5, 6 mails in the last 6 weeks; about one day in 700 is as unusual.", `["orders@contoso.example"]`)
		add(`insert into event (tenant, id, at, type, action, person, body) values ($1, 'the-mail', $2, 'EMAIL', 'email_received', $3, $4)`, at(today-1, 2), amy,
			`{"event_type":"EMAIL","payload":{"user":"amy@fabrikamfreight.com","action":"email_received"},"raw_metadata":{"from_address":"drop@evil.example","from_domain":"evil.example","is_external":true,"has_attachments":false}}`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return amy
}

// TestBrowserPersona: an analyst goes from an odd day to what is usual for the person, follows a pin by keyboard, says that it was a false
// alarm and takes it back; moves the graph's window by the arrow keys; sees what of a breach is looked for, and that a mail is a first contact.
func TestBrowserPersona(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, http.DefaultClient)
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)
	amy := known(t, s)
	at := hs.URL + "/t/" + string(wellKnown)

	p.do("the anomalies", chromedp.Navigate(at+"/behaviour"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shoot("behaviour")
	p.narrow(at + "/behaviour")
	p.do("the anomalies of one class", chromedp.Navigate(at+"/behaviour?class=graph"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.press("the odd day", `main table tbody a.title`)
	p.until("that it is explained", `document.querySelector("#a-strangers:target")?.innerText.includes("had never written to")`)
	p.shoot("baseline")
	p.script("a pin has the focus", `document.querySelector('svg.share a.pin, svg.volume a.pin[href="#a-grows"]').focus()`)
	p.do("it is followed by keyboard", chromedp.KeyEvent("\r"))
	p.until("that it leads to what it marks", `location.hash === "#a-grows"`)
	p.until("that each plot has words and a table", `[...document.querySelectorAll("figure")].length === 3 && [...document.querySelectorAll("figure")].every((x) => x.querySelector("figcaption").innerText.length > 20 && x.querySelectorAll("table tr").length > 5)`)
	p.until("that answers and places have sentences and tables", `["replies", "places"].every((x) => { const s = document.getElementById(x).closest("section"); return s.querySelector(".sub").innerText.length > 40 && s.querySelectorAll("table tbody tr").length > 1 })`)
	p.shows("a country that is new", "New country")
	p.press("the table of the hours", `figure .as-table summary`)
	p.until("that it can be read", `document.querySelector("figure .grid-table").checkVisibility()`)
	p.press("a false alarm", `#a-strangers button[value="false_alarm"]`)
	p.shows("what it changed", "times rarer than others have to be")
	p.press("it is taken back", `#a-strangers button[value="none"]`)
	p.shows("that it is", "Taken back.")

	p.do("the graph", chromedp.Navigate(at+"/behaviour/graph"), chromedp.WaitVisible(chromedp.CSS(".graph-lines")))
	p.until("the odd edge", `document.querySelector(".edge.odd") && document.querySelector("main table tbody tr").innerText.includes("Odd")`)
	p.shoot("graph")
	p.script("remember the window", `window.windowWas = document.querySelector("#week").value; document.querySelector("#week").focus()`)
	p.do("a week earlier, by key", chromedp.KeyEvent("\u0302"))
	p.until("that the window moved", `document.querySelector("#week").value === String(window.windowWas - 1) && location.search.includes("week=" + (window.windowWas - 1)) && !document.querySelector("main").innerText.includes("evil.example")`)
	p.until("that the slider keeps the focus", `document.activeElement.id === "week"`)
	p.do("the coverage", chromedp.Navigate(at+"/behaviour/coverage"), chromedp.WaitVisible(chromedp.CSS("main table")))
	p.shows("why something is off", "No connection is there to read it by")
	p.shoot("coverage")
	p.narrow(at + "/behaviour/coverage")
	p.do("a stage by its name", chromedp.Navigate(at+"/behaviour/coverage#stage-exfiltration"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.until("that it is open", `document.getElementById("stage-exfiltration").checkVisibility()`)
	p.do("the mail", chromedp.Navigate(at+"/stream/events/the-mail"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("that it is a first contact", "First contact")
	p.shoot("first-contact")
	p.do("the person", chromedp.Navigate(at+"/identities/"+string(amy)), chromedp.WaitVisible(chromedp.CSS("main")))
	p.press("the baseline", `#views a[href$="/baseline"]`)
	p.shows("it", "Unlike this person")
	p.do("the baseline of somebody else", chromedp.Navigate(at+"/identities/"+string(tocsin.NewPersonID(wellKnown, "bob@fabrikamfreight.com"))+"/baseline"), chromedp.WaitVisible(chromedp.CSS("main")))
	p.shows("why there is none", "No connection is there to read sign-ins by.")
	p.shoot("baseline-empty")
}
