package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/inbox/work"
)

// inboxServiceView is an inbox's business hours and service times.
type inboxServiceView struct {
	Box     api.SharedInbox
	Service api.InboxService
	Zone    string // the viewer's, where none was set
}

func (w *web) inboxService(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := inboxServiceView{Zone: p.Zone}
	var err error
	if v.Box, err = w.svc.GetInbox(r.Context(), byID(r, p)); err != nil {
		return nil, err
	}
	if v.Service, err = w.svc.GetInboxService(r.Context(), byID(r, p)); err != nil {
		return nil, err
	}
	if v.Service.Hours.Zone != "" {
		v.Zone = v.Service.Hours.Zone
	}
	p.Title = "Service times of " + v.Box.Name
	return inboxServicePage(p, v), nil
}

// weekOrder are the days as the page has them: Monday first. The tables begin with Sunday.
var weekOrder = []int{1, 2, 3, 4, 5, 6, 0}

// dayName is a day of the tables' week.
func dayName(i int) string { return time.Weekday(i).String() }

// hourWord is a minute of a day as a field has it; the end of the day is 00:00.
func hourWord(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60%24, minute%60) }

// dayHours are from when to when a day is open as the fields show it; of a closed one what it would be.
func dayHours(d [2]int) (from, to string) {
	if d[0] == d[1] {
		return "09:00", "17:00"
	}
	return hourWord(d[0]), hourWord(d[1])
}

// dayOpen is a day on the strip beside it.
func dayOpen(d [2]int) []plotBar {
	if d[0] == d[1] {
		return nil
	}
	return []plotBar{{X: float64(d[0]) / 1440, W: float64(d[1]-d[0]) / 1440, Y: 3, H: 12, Class: "bar", Title: hourWord(d[0]) + " to " + hourWord(d[1])}}
}

// spanWord is minutes as they are typed: 2d 4h 30m, of days of 24 hours; empty where it is none.
func spanWord(minutes int) string {
	var out []string
	for _, u := range []struct {
		of   int
		word string
	}{{24 * 60, "d"}, {60, "h"}, {1, "m"}} {
		if n := minutes / u.of; n > 0 {
			out = append(out, strconv.Itoa(n)+u.word)
			minutes %= u.of
		}
	}
	return strings.Join(out, " ")
}

// typedSpan reads minutes as people type them: 30m, 4h, 1h 30m, 2d; a number alone is of minutes.
func typedSpan(s string) (minutes int, err error) {
	bad := tocsin.Problemf(tocsin.Invalid, "Write 30m, 4h, 1h 30m or 2d.", "%q is no length of time.", s)
	rest := strings.ToLower(strings.ReplaceAll(s, " ", ""))
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i < 0 {
			i = len(rest)
		}
		n, err := strconv.Atoi(rest[:i])
		if err != nil || n > 1_000_000 {
			return 0, bad
		}
		of := 1
		if i < len(rest) {
			var ok bool
			if of, ok = map[byte]int{'m': 1, 'h': 60, 'd': 24 * 60}[rest[i]]; !ok {
				return 0, bad
			}
			i++
		}
		minutes, rest = minutes+n*of, rest[i:]
	}
	return minutes, nil
}

// serviceKinds are what is timed, with the name that its fields have.
var serviceKinds = []struct{ Key, Name, Says string }{
	{"first", "First answer", "From the first mail to ours"},
	{"next", "Each later answer", "From a later mail of theirs to ours"},
	{"resolve", "Resolution", "From the first mail until it is resolved; waiting for them does not count"},
}

// targetOf is what a kind has within targets.
func targetOf(t *work.ServiceTargets, kind string) *int {
	switch kind {
	case "first":
		return &t.First
	case "next":
		return &t.Next
	}
	return &t.Resolve
}

func targetWord(t work.ServiceTargets, kind string) string { return spanWord(*targetOf(&t, kind)) }

// inboxServiceSet keeps an inbox's business hours and service times.
func (w *web) inboxServiceSet(r *http.Request) (string, *notice, error) {
	at, f := threadAct(r), r.PostForm
	back := tenantAt(at.Tenant, "inbox", "boxes", at.ID, "service")
	var n api.InboxService
	n.Version, _ = strconv.ParseInt(f.Get("version"), 10, 64) // none is none that fits
	n.Hours.Zone = trim(f.Get("zone"))
	for _, i := range weekOrder {
		key := strconv.Itoa(i)
		if f.Get("open"+key) == "" {
			continue
		}
		from, err := time.Parse("15:04", f.Get("from"+key))
		to, wrong := time.Parse("15:04", f.Get("to"+key))
		if err != nil || wrong != nil {
			return back, nil, tocsin.Problemf(tocsin.Invalid, "Give it as 09:00 and 17:00, or close the day.", "It is not said from when to when it is open on %s.", dayName(i))
		}
		d := [2]int{from.Hour()*60 + from.Minute(), to.Hour()*60 + to.Minute()}
		if d[1] == 0 {
			d[1] = 24 * 60
		}
		if d[0] >= d[1] {
			return back, nil, tocsin.Problemf(tocsin.Invalid, "Let it end after it begins; 00:00 is the end of the day.", "%s ends before it begins.", dayName(i))
		}
		n.Hours.Week[i] = d
	}
	for _, line := range strings.FieldsFunc(f.Get("holidays"), func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ' ' }) {
		n.Hours.Holidays = append(n.Hours.Holidays, line)
	}
	for _, level := range []struct {
		name string
		to   *work.ServiceTargets
	}{{"normal", &n.Targets}, {"high", &n.High}, {"urgent", &n.Urgent}} {
		for _, k := range serviceKinds {
			var err error
			if *targetOf(level.to, k.Key), err = typedSpan(f.Get(level.name + "-" + k.Key)); err != nil {
				return back, nil, err
			}
		}
	}
	_, err := w.svc.SetInboxService(r.Context(), api.SetInboxServiceIn{ByIDAct: at, Body: n})
	return back, &notice{Kind: "good", What: "The service times are kept.", Do: "They hold for what begins from now on; what runs already goes on as it was begun."}, err
}

// inboxKeep keeps how an inbox sends, and for how long it keeps.
func (w *web) inboxKeep(r *http.Request) (string, *notice, error) {
	at, f := threadAct(r), r.PostForm
	back := tenantAt(at.Tenant, "inbox", "boxes", at.ID)
	had, err := w.svc.GetInboxSettings(r.Context(), at.ByID)
	if err != nil {
		return back, nil, err
	}
	n := api.InboxSettings{Undo: atoi(f.Get("undo")), RetentionDays: atoi(f.Get("retention")), Signature: richText(f, "signature", had.Signature)}
	n.Version, _ = strconv.ParseInt(f.Get("version"), 10, 64) // none is none that fits
	_, err = w.svc.SetInboxSettings(r.Context(), api.SetInboxSettingsIn{ByIDAct: at, Body: n})
	return back, &notice{Kind: "good", What: "It is kept."}, err
}

// undoChoices are for how long a mail can be taken back.
var undoChoices = [][2]string{{"0", "Not at all: it goes at once"}, {"5", "5 seconds"}, {"10", "10 seconds"}, {"30", "30 seconds"}, {"60", "1 minute"}, {"300", "5 minutes"}}

// keepChoices are for how long threads are kept.
var keepChoices = [][2]string{{"0", "For ever"}, {"90", "90 days"}, {"180", "180 days"}, {"365", "1 year"}, {"730", "2 years"}, {"1095", "3 years"}, {"2190", "6 years"}, {"3650", "10 years"}}

// chosenAmong is a list of choices with the one that is set, where it is none of them.
func chosenAmong(choices [][2]string, n int, word string) [][2]string {
	for _, c := range choices {
		if c[0] == strconv.Itoa(n) {
			return choices
		}
	}
	return append([][2]string{{strconv.Itoa(n), strconv.Itoa(n) + " " + word}}, choices...)
}
