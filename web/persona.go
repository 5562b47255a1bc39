package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/learn"
)

// classWords are the classes of anomalies as people say them, in the order of the pages.
var classWords = []struct {
	Class, Word string
}{
	{string(learn.RuleManipulation), "Mailbox rules"},
	{string(learn.Exfiltration), "Data leaving"},
	{string(learn.Graph), "Unusual correspondents"},
	{string(learn.OffHours), "Unusual hours"},
	{string(learn.Drift), "Slow drift"},
}

func classWord(class string) string {
	for _, c := range classWords {
		if c.Class == class {
			return c.Word
		}
	}
	return sentence(class)
}

// behaviourView is what the list of anomalies shows.
type behaviourView struct {
	Query    url.Values
	In       api.AnomaliesIn
	Person   string // the name of the person that is filtered by
	Page     api.Page[api.Anomaly]
	Settings api.PersonaSettings
}

func (v behaviourView) filtered() bool {
	for _, k := range []string{"person", "class", "verdict", "since", "until", "after"} {
		if v.Query.Get(k) != "" {
			return true
		}
	}
	return false
}

func (w *web) behaviour(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := behaviourView{Query: kept(r), In: api.AnomaliesIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Person: tocsin.PersonID(strings.TrimSpace(q.Get("person"))), Class: q.Get("class"), Verdict: q.Get("verdict"), Since: dayOf(q.Get("since"))}}
	if until := dayOf(q.Get("until")); !until.IsZero() {
		v.In.Until = until.AddDate(0, 0, 1) // that day with it
	}
	var err error
	if v.Page, err = w.svc.ListAnomalies(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.In.Person != "" {
		v.Person = w.personName(r, p.Tenant.ID, v.In.Person)
	}
	if v.Settings, err = w.svc.GetPersonaSettings(r.Context(), v.In.In); err != nil {
		return nil, err
	}
	return behaviourPage(p, v), nil
}

// numbered is an anomaly with the number by which the plots name it.
type numbered struct {
	api.Anomaly
	N int
}

// baselineView is what a person's baseline shows.
type baselineView struct {
	api.Persona
	Odd        []numbered
	Volume     volumePlot
	Share      sharePlot
	HourPins   []plotPin
	VolumePins []plotPin
	SharePins  []plotPin
	About      map[string][]int // the anomalies that are about an address
	Most       int              // the most mail with one correspondent, both ways
	New        int              // correspondents that are new
}

func (w *web) baseline(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	got, err := w.svc.GetPersona(r.Context(), byPerson(r, p))
	if err != nil {
		return nil, err
	}
	p.Title = "Baseline of " + nameOr(got.Name, got.Who)
	return baselinePage(p, baselineOf(got)), nil
}

// baselineOf lays a persona out.
func baselineOf(got api.Persona) baselineView {
	until := ""
	for _, a := range got.Anomalies {
		until = max(until, a.Day)
	}
	v := baselineView{Persona: got, Volume: volumeOf(got.Volume, until), Share: shareOf(got.External), About: map[string][]int{}}
	zone := tocsin.Zone(got.Zone)
	if zone == nil {
		zone = time.UTC
	}
	sent := map[string]float64{}
	for _, d := range got.Volume {
		sent[d.Day] = float64(d.Sent)
	}
	weekly := map[string]float64{}
	for _, x := range got.External {
		weekly[x.Week] = 100 * x.Share
	}
	for i, a := range got.Anomalies {
		n := numbered{a, i + 1}
		v.Odd = append(v.Odd, n)
		pin := plotPin{N: n.N, To: "#a-" + a.ID, Title: longDay(a.Day) + ": " + a.Why}
		at := a.At.In(zone)
		if a.Class == string(learn.OffHours) || a.Class == string(learn.RuleManipulation) {
			pin.X, pin.Y = (float64(at.Hour())+.5)/24, (float64((int(at.Weekday())+6)%7)+.5)*heatRow
			v.HourPins = append(v.HourPins, pin)
		}
		if x, ok := v.Volume.at(a.Day); ok {
			pin.X, pin.Y = x, max(9, v.Volume.Scale.down(sent[a.Day], v.Volume.Height)-11)
			v.VolumePins = append(v.VolumePins, pin)
		}
		if a.Class == string(learn.Drift) || a.Class == string(learn.Exfiltration) {
			if x, ok := v.Share.at(a.Day); ok {
				pin.X = x
				pin.Y = max(9, v.Share.Scale.down(weekly[mondayOf(a.Day)], v.Share.Height)-13)
				v.SharePins = append(v.SharePins, pin)
			}
		}
		for _, address := range a.Odd {
			v.About[address] = append(v.About[address], n.N)
		}
	}
	unstack(v.HourPins, .05)
	unstack(v.VolumePins, .02)
	unstack(v.SharePins, .03)
	for _, c := range v.Correspondents {
		v.Most = max(v.Most, c.Sent+c.Received)
		if c.New {
			v.New++
		}
	}
	return v
}

// mondayOf is the Monday of a day's week.
func mondayOf(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7).Format(time.DateOnly)
}

// correspondentsSay is who is written with, in a sentence.
func correspondentsSay(v baselineView) string {
	if len(v.Correspondents) == 0 {
		return "Nobody is known yet whom this person writes with."
	}
	outside := 0
	for _, c := range v.Correspondents {
		if c.Outside {
			outside++
		}
	}
	s := fmt.Sprintf("%s, %d of them outside.", plural(len(v.Correspondents), "correspondent is known best", "correspondents are known best"), outside)
	if outside == 0 {
		s = plural(len(v.Correspondents), "correspondent is known best, inside the organisation.", "correspondents are known best, all inside the organisation.")
	}
	switch v.New {
	case 0:
		s += " None is new."
	case 1:
		s += " One is new: known for less than two weeks."
	default:
		s += fmt.Sprintf(" %d are new: known for less than two weeks.", v.New)
	}
	return s
}

// placesLack is why places are not known, or not all of them, and what to do.
func placesLack(l api.PersonaPlaces) string {
	s := strings.TrimSpace(l.Because + " " + l.Mend)
	if len(l.Items) > 0 {
		return "Incomplete: " + s
	}
	return s
}

// oddsWord is how rare a day is.
func oddsWord(a api.Anomaly) string {
	if a.OneIn < 2 {
		return "not rare"
	}
	return "1 day in " + thousands(about(a.OneIn))
}

// about is n to two figures: how rare something is is not known better.
func about(n int) int {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}

// gradeOdd is a mark's severity for how rare a day is.
func gradeOdd(a api.Anomaly) string {
	switch {
	case a.OneIn >= 10_000:
		return string(tocsin.High)
	case a.OneIn >= 1_000:
		return string(tocsin.Medium)
	}
	return string(tocsin.Low)
}

// termsOf are what a day is made of, those that say something.
func termsOf(a api.Anomaly) []api.AnomalyTerm {
	l := slices.DeleteFunc(slices.Clone(a.Terms), func(t api.AnomalyTerm) bool { return t.OneIn < 2 })
	slices.SortStableFunc(l, func(a, b api.AnomalyTerm) int { return cmp.Compare(b.OneIn, a.OneIn) })
	return l
}

// thresholdSays is what feedback made of a threshold.
func thresholdSays(t api.PersonaThreshold) string {
	switch {
	case t.Times > 1.01:
		return fmt.Sprintf("Told only when a day is %s times rarer than others have to be", number(t.Times))
	case t.Times > 0 && t.Times < .99:
		return fmt.Sprintf("Told already when a day is %s times less rare than others have to be", number(1/t.Times))
	}
	return "As for everybody"
}

// moved are the thresholds that feedback has changed.
func moved(list []api.PersonaThreshold) []api.PersonaThreshold {
	return slices.DeleteFunc(slices.Clone(list), func(t api.PersonaThreshold) bool {
		return t.FalseAlarms+t.Confirmed == 0 && t.Times > .99 && t.Times < 1.01
	})
}

// feedback keeps what somebody says of an anomaly, and tells what that made of the threshold.
func (w *web) feedback(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := nameOr(r.PostFormValue("back"), tenantAt(tenant, "behaviour"))
	got, err := w.svc.GiveFeedback(r.Context(), api.FeedbackIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}, Body: api.Feedback{Verdict: r.PostFormValue("verdict"), Note: strings.TrimSpace(r.PostFormValue("note"))}})
	if err != nil {
		return to, nil, err
	}
	what := map[string]string{"false_alarm": "Kept as a false alarm.", "confirmed": "Kept as confirmed."}[got.Anomaly.Verdict]
	return to, &notice{Kind: "good", What: nameOr(what, "Taken back."), Do: got.Says}, nil
}

func (w *web) behaviourSettings(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	s, err := w.svc.GetPersonaSettings(r.Context(), api.In{Tenant: p.Tenant.ID})
	if err != nil {
		return nil, err
	}
	return behaviourSettingsPage(p, s), nil
}

// behaviourSet keeps how the tenant has its people learned.
func (w *web) behaviourSet(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	to := tenantAt(tenant, "behaviour", "settings")
	var budget float64
	var version int64
	if _, err := fmt.Sscan(r.PostFormValue("budget"), &budget); err != nil {
		return to, nil, tocsin.Problemf(tocsin.Invalid, "Choose one of those that are offered.", "The number of false alarms is not a number.")
	}
	if _, err := fmt.Sscan(r.PostFormValue("version"), &version); err != nil {
		return to, nil, tocsin.Problemf(tocsin.Invalid, "Load the page again.", "The form is not whole.")
	}
	s, err := w.svc.SetPersonaSettings(r.Context(), api.SetPersonaSettingsIn{In: api.In{Tenant: tenant}, Body: api.PersonaSettingsNew{Off: r.PostFormValue("off") == "true", Budget: budget, Version: version}})
	if err != nil {
		return to, nil, err
	}
	if s.Off {
		return to, &notice{Kind: "warn", What: "Nothing is learned any more.", Do: "What was told stays. Behaviour is not watched until it is turned on."}, nil
	}
	return to, &notice{Kind: "good", What: "Kept.", Do: s.Says}, nil
}

// budgets are what the budget of false alarms can be chosen from, by person and month.
var budgets = []struct {
	Value float64
	Word  string
}{{0.01, "Few: one a month for 100 people"}, {0.03, "Usual: three a month for 100 people"}, {0.1, "Many: ten a month for 100 people"}, {0.3, "Very many: thirty a month for 100 people"}}

// budgetOwn says whether the budget that is set is none of those that are offered.
func budgetOwn(set float64) bool {
	for _, b := range budgets {
		if b.Value > set*.999 && b.Value < set*1.001 {
			return false
		}
	}
	return true
}

func classChoices() [][2]string {
	out := [][2]string{{"", "Any class"}}
	for _, c := range classWords {
		out = append(out, [2]string{c.Class, c.Word})
	}
	return out
}

// baselineNone is why there is no baseline.
func baselineNone(state string) string {
	if state == "off" {
		return "Nothing is learned"
	}
	return "Nothing is known yet"
}

func daysSpan(v baselineView) string {
	if len(v.Persona.Volume) == 0 {
		return ""
	}
	return shortDay(v.Persona.Volume[0].Day) + " to " + shortDay(v.Persona.Volume[len(v.Persona.Volume)-1].Day)
}

func aboveBand(d api.PersonaDay) bool { return d.High > 0 && float64(d.Sent) > d.High }

// ofMost is n as a share of the most.
func ofMost(n, most int) float64 {
	if most <= 0 {
		return 0
	}
	return float64(n) / float64(most)
}

// saidCounts is how often what was said of a class.
func saidCounts(t api.PersonaThreshold) string {
	var parts []string
	if t.FalseAlarms > 0 {
		parts = append(parts, plural(t.FalseAlarms, "false alarm", "false alarms"))
	}
	if t.Confirmed > 0 {
		parts = append(parts, fmt.Sprintf("%d confirmed", t.Confirmed))
	}
	return strings.Join(parts, ", ")
}

// learnedSays is of whom something was learned, and since when.
func learnedSays(s api.PersonaSettings) string {
	if s.People == 0 {
		return "Nothing was learned yet"
	}
	return plural(s.People, "person is", "people are") + " known, " + shortDay(s.Since) + " to " + shortDay(s.Until)
}

// circleView is who corresponded with a mailbox in a window of time.
type circleView struct {
	api.Circle
	Query url.Values
}

// circle is whom a thief of the mailbox wrote to, or could have: those who corresponded with it in a window.
func (w *web) circle(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	in := api.CircleIn{ByPerson: byPerson(r, p), Since: dayOf(q.Get("since"))}
	if until := dayOf(q.Get("until")); !until.IsZero() {
		in.Until = until.AddDate(0, 0, 1) // that day with it
	}
	v := circleView{Query: kept(r)}
	var err error
	if v.Circle, err = w.svc.GetCircle(r.Context(), in); err != nil {
		return nil, err
	}
	p.Title = "Circle of " + nameOr(v.Name, v.Who)
	return circlePage(p, v), nil
}

// says is the circle in a sentence.
func (v circleView) says() string {
	to, fresh, outside := 0, 0, 0
	for _, x := range v.Items {
		if x.Sent > 0 {
			to++
			if x.New {
				fresh++
			}
			if x.Outside {
				outside++
			}
		}
	}
	s := fmt.Sprintf("%s: %s written to, %d of them outside", plural(len(v.Items)+v.LeftOut, "correspondent", "correspondents"), plural(to, "was", "were"), outside)
	switch fresh {
	case 0:
		return s + ", nobody for the first time."
	case 1:
		return s + ", one for the first time."
	}
	return s + fmt.Sprintf(", %d for the first time.", fresh)
}
