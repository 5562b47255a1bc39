package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/learn"
)

// behaviour is what was learned of a person who writes to a few people and once wrote to strangers at night, and a mail to them.
func (d seeder) behaviour(ps []seedPerson) {
	jane, names := ps[0], learn.NewNames("acme.example")
	m := learn.New(learn.Options{Budget: .03})
	me := names.Of(jane.upn)
	to := []string{ps[1].upn, ps[8].upn, "orders@contoso.example", evilScript + "@evil.example"}
	today := int32(d.now.Unix() / 86400)
	monday := func(day int32) int32 { return day - ((day+3)%7+7)%7 }
	began := today - 60
	for day := began; day < today; day++ {
		at := int64(day) * 86_400_000
		if (day+3)%7 < 5 {
			m.Mail(learn.Mail{At: at + 8*3_600_000, From: names.Of(to[0]), To: []*learn.Address{me}, ID: fmt.Sprint(day, "in")})
			for i := range 6 {
				m.Mail(learn.Mail{At: at + int64(9+i)*3_600_000, From: me, To: []*learn.Address{names.Of(to[i%3])}, ID: fmt.Sprint(day, i)})
			}
			sent, high := 6, 11000
			if day == monday(today-20) {
				sent = 25
			}
			d.add(`insert into persona_day (tenant, person, day, sent, received, outside, files, usual, low, high) values ($1, $2, $3, $4, 4, 2, 1, 6000, 3000, $5)`, jane.id, day, sent, high)
		}
		m.Close(day)
		if day == monday(day) {
			for i, a := range to[:3] {
				who, outside := tocsin.PersonID(""), i > 1
				if !outside {
					who = []tocsin.PersonID{ps[1].id, ps[8].id}[i]
				}
				d.add(`insert into contact_week (tenant, week, person, address, who, outside, sent, received) values ($1, $2, $3, $4, $5, $6, $7, 3)`, day, jane.id, a, who, outside, 10-3*i)
			}
		}
	}
	d.add(`insert into learned (tenant, shut, fact, began, version) values ($1, $2, 1, $3, 1)`, today-1, began)
	d.add(`insert into learned_part (tenant, kind, key, day, body) values ($1, 'person', $2, $3, $4)`, string(jane.id), today-1, m.Persona(me).State())
	for i, a := range to {
		who, since := tocsin.PersonID(""), d.ago(time.Duration(58-10*i)*24*time.Hour)
		switch i {
		case 0, 1:
			who = []tocsin.PersonID{ps[1].id, ps[8].id}[i]
		case 3:
			since = d.ago(26 * time.Hour)
		}
		d.add(`insert into contact (tenant, person, address, who, outside, first_sent, last_sent, sent, first_received, last_received, received) values ($1, $2, $3, $4, $5, $6, $7, $8, $6, $7, $9)`, jane.id, a, who, i > 1, since, d.ago(26*time.Hour), 80-20*i+1, 40-10*i)
	}
	d.add(`insert into contact_week (tenant, week, person, address, who, outside, sent, received) values ($1, $2, $3, $4, '', true, 4, 0)`, monday(today-1), jane.id, to[3])
	d.add(`insert into contact_total (tenant, week, sent) select tenant, week, sum(sent) from contact_week where tenant = $1 group by tenant, week`)
	for i, c := range learn.Kinds {
		odd := "[]"
		if c == learn.Graph {
			odd = js([]string{to[3]})
		}
		d.add(`insert into anomaly (tenant, id, person, day, at, class, one_in, why, terms, odd, early, finding, found) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', $5)`,
			fmt.Sprintf("odd-%d", i), jane.id, today-1-int32(i), d.ago(time.Duration(24*i+26)*time.Hour), string(c), 300*(i*i*i*i+1), evilScript+" is unlike Jane.", js([]map[string]any{{"class": string(c), "one_in": 900}, {"class": "off_hours", "one_in": 40}}), odd, i == 0)
	}
	d.add(`insert into event (tenant, id, at, type, action, person, body) values ($1, 'mail-of-a-stranger', $2, 'EMAIL', 'email_received', $3, $4)`, d.ago(26*time.Hour), jane.id,
		js(map[string]any{"event_type": "EMAIL", "payload": map[string]any{"user": jane.upn, "action": "email_received"}, "raw_metadata": map[string]any{"from_address": to[3], "is_external": true}}))
}

// figures are a page's figures: each has words, and a table.
func figures(t *testing.T, page string) (out []*html.Node) {
	t.Helper()
	for _, n := range nodes(t, page) {
		if n.Data == "figure" {
			out = append(out, n)
			has := map[string]int{}
			for d := range n.Descendants() {
				has[d.Data]++
			}
			if has["figcaption"] != 1 || has["svg"] == 0 {
				t.Errorf("a figure has %d captions and %d drawings", has["figcaption"], has["svg"])
			}
		}
	}
	return out
}

// TestBaseline: each plot of a person's baseline has its words and its table; each anomaly is pinned and explained once; what is said of
// one moves that class's threshold, is shown with who said it, and can be taken back; a viewer can say nothing.
func TestBaseline(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	jane := tocsin.NewPersonID(tenantID, "jane.doe@acme.example")
	path := at + "/identities/" + string(jane) + "/baseline"
	code, page := s.get(path)
	if code != http.StatusOK {
		t.Fatal(code, page)
	}
	sound(t, path, page)
	fs := figures(t, page)
	if len(fs) != 3 {
		t.Fatalf("%d figures", len(fs))
	}
	for _, f := range fs {
		if !strings.Contains(textOf(f), "As a table") {
			t.Errorf("a plot without a table: %s", textOf(f))
		}
	}
	for i := range learn.Kinds {
		id := fmt.Sprintf("a-odd-%d", i)
		if strings.Count(page, `id="`+id+`"`) != 1 || !strings.Contains(page, `href="#`+id+`"`) {
			t.Errorf("%s is not explained once and pinned", id)
		}
	}
	for _, want := range []string{"Sends mail mostly Monday to Friday", "One day was above what was expected", "One is new", "same threshold as for everybody", "Europe/Berlin",
		"17 % of what this person sends", "Sign-in places", "Signed in from 2 places", "country=NG", "did not succeed", "Incomplete: No connection is there to read sign-ins by."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}

	code, page = s.post(at+"/behaviour/odd-2/say", "verdict", "false_alarm", "note", "A new project", "back", path+"#a-odd-2")
	for _, want := range []string{"Kept as a false alarm", "times rarer", "A new project", "Take back", "1 false alarm"} {
		if code != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("after a false alarm, %d: no %q", code, want)
		}
	}
	if _, page = s.post(at+"/behaviour/odd-2/say", "verdict", "none", "back", path); !strings.Contains(page, "Taken back") || strings.Contains(page, "1 false alarm") {
		t.Error("it was not taken back")
	}
	if _, page = s.post(at+"/behaviour/odd-2/say", "verdict", "nonsense", "back", path); strings.Contains(page, "Kept") {
		t.Error("nonsense was kept")
	}
	_, page = s.get(at + "/identities/" + string(tocsin.NewPersonID(tenantID, "nora@acme.example")) + "/baseline")
	for _, want := range []string{"Nothing is known yet", "Sign-in places", "No sign-in of this person that succeeded"} {
		if !strings.Contains(page, want) {
			t.Errorf("of somebody who is not known it is not said: %q", want)
		}
	}
}

// TestPlacesNew: a place that is new is marked, and a country more so; what is left out is counted.
func TestPlacesNew(t *testing.T) {
	when := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	v := api.Persona{Person: "p", State: "nothing", Places: api.PersonaPlaces{Days: 20, LeftOut: 4, Says: "In a sentence.", Items: []api.PersonaPlace{
		{Country: "NL", City: evilScript, Days: 20, Share: 1, SignIns: 1300, Succeeded: 1200, First: when, Last: when}, {Country: "NL", City: "Delft", Days: 1, Share: .05, SignIns: 1, Succeeded: 1, First: when, Last: when, New: true},
		{Country: "BR", Days: 1, Share: .05, SignIns: 2, Succeeded: 1, First: when, Last: when, New: true, NewCountry: true}}}}
	tenant := api.Tenant{ID: tenantID, Role: api.Viewer}
	var b strings.Builder
	if err := baselinePage(&page{Me: &api.Me{}, Tenant: &tenant}, baselineOf(v)).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	sound(t, "the places", b.String())
	for want, n := range map[string]int{">New<": 1, ">New country<": 1, "4 more places are left out": 1, evilScript: 0, "country=BR&amp;person=p": 1} {
		if strings.Count(b.String(), want) != n {
			t.Errorf("%q is there %d times", want, strings.Count(b.String(), want))
		}
	}
}

// TestBehaviourList: anomalies are filtered by person, class, what was said and time, and each leads to its explanation.
func TestBehaviourList(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	rows := func(q string) []string {
		_, page := s.get(at + "/behaviour?" + q)
		sound(t, q, page)
		return regexp.MustCompile(`#a-(odd-\d)`).FindAllString(page, -1)
	}
	tomorrow := time.Now().AddDate(0, 0, 1).Format(time.DateOnly)
	for q, want := range map[string]int{"": 5, "class=graph": 1, "person=jane.doe%40acme.example": 5, "person=mirko%40acme.example": 0, "verdict=confirmed": 0, "since=" + tomorrow: 0, "until=" + tomorrow: 5} {
		if got := rows(q); len(got) != want {
			t.Errorf("%q: %v", q, got)
		}
	}
	s.post(at+"/behaviour/odd-0/say", "verdict", "confirmed")
	if got := rows("verdict=confirmed"); !slices.Equal(got, []string{"#a-odd-0"}) {
		t.Error(got)
	}
	_, page := s.get("/t/" + string(bareID) + "/behaviour")
	if !strings.Contains(page, "Nothing is learned yet") {
		t.Error("an empty tenant is not told from one in which everybody was as usual")
	}
	if _, page = s.post(at+"/behaviour/settings", "budget", "0.1", "version", "0"); !strings.Contains(page, "Kept.") {
		t.Error("the budget was not kept")
	}
	if _, page = s.post(at+"/behaviour/settings", "budget", "0.1", "off", "true", "version", "1"); !strings.Contains(page, "Nothing is learned any more") {
		t.Error("learning was not turned off")
	}
	if _, page = s.get(at + "/behaviour"); !strings.Contains(page, "turned off") {
		t.Error("it is not said that learning is off")
	}
}

// TestGraphPage: the odd way is drawn and listed as odd, the window moves by whole weeks, and a node can be looked at alone.
func TestGraphPage(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	_, page := s.get(at + "/behaviour/graph")
	sound(t, "graph", page)
	if len(figures(t, page)) != 1 || !strings.Contains(page, `class="edge odd"`) || !strings.Contains(page, "One edge is odd") || !strings.Contains(page, "contoso.example") {
		t.Error("the odd edge is not there")
	}
	link := regexp.MustCompile(`href="([^"]*)"[^>]*>[^A-Z]*(?:<[^>]*>\s*)*A week earlier`).FindStringSubmatch(page)
	if link == nil {
		t.Fatal("there is no way to the week before")
	}
	_, before := s.get(html.UnescapeString(link[1]))
	if slider := regexp.MustCompile(`type="range"[^>]* value="(\d+)"`); slider.FindStringSubmatch(before)[1] >= slider.FindStringSubmatch(page)[1] {
		t.Error("the window has not moved")
	}
	for _, by := range []string{"domain", "person"} {
		if code, page := s.get(at + "/behaviour/graph?by=" + by + "&weeks=12"); code != http.StatusOK || !strings.Contains(page, "contoso.example") {
			t.Errorf("by %s: %d", by, code)
		}
	}
	if _, page := s.get(at + "/behaviour/graph?group=" + url.QueryEscape("d:contoso.example")); strings.Contains(page, "evil.example") {
		t.Error("one node alone shows others' mail")
	}
	if _, page := s.get("/t/" + string(bareID) + "/behaviour/graph"); !strings.Contains(page, "known yet") {
		t.Error("nothing is shown without saying why")
	}
}

// TestCoverage: what is off says why, in the row of what is not read and in the stages that it leaves blind.
func TestCoverage(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	_, page := s.get(at + "/behaviour/coverage")
	sound(t, "coverage", page)
	for _, want := range []string{"Intent exposed", "Scope and lateral movement", "Exfiltration", "No connection is there to read it by", "shared mailboxes outside the scope", "unusual-correspondents"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	_, page = s.get("/t/" + string(bareID) + "/behaviour/coverage")
	if !strings.Contains(page, "0 of ") {
		t.Error("a tenant without a connection is covered")
	}
}

// TestFirstContact: a mail's page says since when its writer is known.
func TestFirstContact(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	code, page := s.get(at + "/stream/events/mail-of-a-stranger")
	sound(t, "event", page)
	if code != http.StatusOK || !strings.Contains(page, "The correspondent") || !strings.Contains(page, "First contact") {
		t.Error(code, "the first contact is not said")
	}
}

// TestCircle: who corresponded with a mailbox in a time, the new ones marked; and that a time without mail says so.
func TestCircle(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	path := at + "/identities/" + string(tocsin.NewPersonID(tenantID, "jane.doe@acme.example")) + "/circle"
	code, got := s.get(path)
	sound(t, path, got)
	if code != http.StatusOK || !strings.Contains(got, "No mail is known of this time") {
		t.Error(code, "a time without mail has a circle")
	}
	if code, _ = s.get(path + "?since=2020-01-03&until=2020-01-01"); code != http.StatusUnprocessableEntity && code != http.StatusBadRequest {
		t.Error(code, "a time that ends before it begins")
	}
	when := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	v := circleView{Circle: api.Circle{Person: "p", Who: "jane.doe@acme.example", Items: []api.CircleMember{
		{Address: evilScript + "@evil.example", Outside: true, New: true, Sent: 15, First: when, Last: when.Add(time.Hour), Known: when}, {Address: "ann@acme.example", Person: "q", Name: "Ann", Received: 2, First: when, Last: when, Known: when}}}}
	if got := v.says(); got != "2 correspondents: 1 was written to, 1 of them outside, one for the first time." {
		t.Error(got)
	}
	tenant := api.Tenant{ID: tenantID, Role: api.Viewer}
	var b strings.Builder
	if err := circlePage(&page{Me: &api.Me{}, Tenant: &tenant}, v).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	sound(t, "the circle", b.String())
	if n := strings.Count(b.String(), "First contact"); n != 1 || strings.Contains(b.String(), evilScript) {
		t.Errorf("%d first contacts", n)
	}
}

func TestAbout(t *testing.T) {
	for n, want := range map[int]int{0: 0, 7: 7, 99: 99, 104: 100, 2790: 2800, 396_693: 400_000, 996: 1000} {
		if got := about(n); got != want {
			t.Errorf("%d: %d", n, got)
		}
	}
}
