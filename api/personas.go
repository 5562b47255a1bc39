package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/learn"
	"tocsin.dev/store"
)

// A persona is called young while it rests on fewer days with mail than this.
const knownDays = 14

// newFor is how long a correspondent is called new, where the person is known for longer.
const newFor = 14 * 24 * time.Hour

func dateOf(day int32) string { return learn.Date(day).Format(time.DateOnly) }

// dayOf is the day since 1970 of a time, in UTC.
func dayOf(t time.Time) int32 { return int32(math.Floor(float64(t.Unix()) / 86400)) }

// weekOf is the Monday of a day's week.
func weekOf(day int32) int32 { return day - ((day+3)%7+7)%7 }

// GetPersona is what is usual for a person.
func (s *Service) GetPersona(ctx context.Context, in ByPerson) (Persona, error) {
	return view(ctx, s, "personas get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Persona, error) {
		p := Persona{Hours: make([]float64, 168), Volume: []PersonaDay{}, External: []PersonaWeek{}, Correspondents: []PersonaCorrespondent{}, Anomalies: []Anomaly{}, Zone: "UTC"}
		id, err := personNamed(ctx, t, in.Person)
		if err != nil {
			return p, err
		}
		p.Person = id
		var zone string
		err = t.QueryRow(ctx, `select p.name, case when p.mail <> '' then p.mail else p.upn end, p.department, coalesce(m.timezone, '') from person p
			left join mailbox m on m.tenant = p.tenant and m.person = p.person where p.tenant = $1 and p.person = $2`, id).Scan(&p.Name, &p.Who, &p.Department, &zone)
		if err != nil {
			return p, err
		}
		at := tocsin.Zone(zone)
		if at == nil {
			if at, err = collect.UsualZone(ctx, t); err != nil {
				return p, err
			}
		}
		p.Zone = at.String()
		learned, err := collect.PersonaOf(ctx, t, id)
		if err != nil {
			return p, err
		}
		settings, err := collect.LearnSettingsOf(ctx, t)
		if err != nil {
			return p, err
		}
		_, shut, _, err := collect.Learned(ctx, t)
		if err != nil {
			return p, err
		}
		p.about(learned, settings.Off, shut)
		if err := p.places(ctx, t, s.now()); err != nil {
			return p, err
		}
		if err := p.volume(ctx, t); err != nil {
			return p, err
		}
		if err := p.correspondents(ctx, t); err != nil {
			return p, err
		}
		if p.Anomalies, err = anomalies(ctx, t, (&query{}).add("select "+anomalyColumns+" from anomaly where tenant = $1 and person = ? order by at desc, id desc limit 50", id)); err != nil {
			return p, err
		}
		p.Thresholds, err = thresholds(ctx, t, id)
		return p, err
	})
}

// about says how well the person is known.
func (p *Persona) about(learned *learn.Persona, off bool, shut int32) {
	if learned != nil {
		p.Hours, p.Days = learned.Awake(), math.Round(10*float64(learned.Days[0]+learned.Days[1]))/10
		p.Since, p.Until = dateOf(learned.First), dateOf(max(shut, learned.Day))
	}
	if learned != nil && !off {
		p.Replies = repliesOf(learned)
	}
	switch {
	case off:
		p.State, p.Because = "off", "Learning is switched off for this tenant."
	case learned == nil:
		p.State, p.Because = "nothing", "No mail of this person was learned yet: a day is learned when it is over."
	case p.Days < knownDays:
		p.State, p.Because = "young", fmt.Sprintf("Learned from about %.0f days with mail: what is usual is filled up from what is usual in the whole tenant.", p.Days)
	default:
		p.State, p.Because = "known", fmt.Sprintf("Learned from mail since %s; older days count less, half after 30 days.", p.Since)
	}
}

func (p *Persona) volume(ctx context.Context, t *store.Tenant) error {
	type row struct {
		PersonaDay
		day, usual, low, high int64
	}
	rows, err := find(ctx, t, (&query{}).add("select day, sent, received, outside, files, usual, low, high from persona_day where tenant = $1 and person = ? order by day desc limit 90", p.Person),
		func(r *row) []any {
			return []any{&r.day, &r.Sent, &r.Received, &r.Outside, &r.Files, &r.usual, &r.low, &r.high}
		})
	if err != nil {
		return err
	}
	slices.Reverse(rows)
	for _, r := range rows {
		r.Day, r.Usual, r.Low, r.High = dateOf(int32(r.day)), float64(r.usual)/1000, float64(r.low)/1000, float64(r.high)/1000
		p.Volume = append(p.Volume, r.PersonaDay)
		week := dateOf(weekOf(int32(r.day)))
		if n := len(p.External); n == 0 || p.External[n-1].Week != week {
			p.External = append(p.External, PersonaWeek{Week: week})
		}
		w := &p.External[len(p.External)-1]
		w.Sent, w.Outside = w.Sent+r.Sent, w.Outside+r.Outside
	}
	trend(p.External)
	return nil
}

// trend draws the straight line of least squares through the weeks' shares, each weighing as much as was sent in it.
func trend(weeks []PersonaWeek) {
	var n, sx, sy, sxx, sxy float64
	for i := range weeks {
		w := &weeks[i]
		if w.Sent == 0 {
			continue
		}
		w.Share = float64(w.Outside) / float64(w.Sent)
		x, k := float64(i), float64(w.Sent)
		n, sx, sy, sxx, sxy = n+k, sx+k*x, sy+k*w.Share, sxx+k*x*x, sxy+k*x*w.Share
	}
	if n == 0 {
		return
	}
	slope := 0.0
	if d := n*sxx - sx*sx; d > 0 {
		slope = (n*sxy - sx*sy) / d
	}
	for i := range weeks {
		weeks[i].Line = min(max((sy+slope*(n*float64(i)-sx))/n, 0), 1)
	}
}

type contactRow struct {
	person                                                                  tocsin.PersonID
	address                                                                 string
	who                                                                     tocsin.PersonID
	outside                                                                 bool
	firstSent, lastSent, firstReceived, lastReceived, sent, received, count int64
}

const contactColumns = `person, address, who, outside, first_sent, last_sent, sent, first_received, last_received, received`

func (r *contactRow) fields() []any {
	return []any{&r.person, &r.address, &r.who, &r.outside, &r.firstSent, &r.lastSent, &r.sent, &r.firstReceived, &r.lastReceived, &r.received}
}

// first is when it happened first of all; 0 is never.
func firstTime(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (p *Persona) correspondents(ctx context.Context, t *store.Tenant) error {
	rows, err := find(ctx, t, (&query{}).add("select "+contactColumns+" from contact where tenant = $1 and person = ? order by sent desc, received desc, address limit 50", p.Person), (*contactRow).fields)
	if err != nil {
		return err
	}
	people := map[tocsin.PersonID]bool{}
	for _, r := range rows {
		if r.who != "" {
			people[r.who] = true
		}
	}
	names, err := namesOf(ctx, t, people)
	if err != nil {
		return err
	}
	var from, until time.Time
	if len(p.Volume) > 0 {
		from, _ = time.Parse(time.DateOnly, p.Since)
	}
	for _, r := range rows {
		c := PersonaCorrespondent{Address: r.address, Person: r.who, Name: names[r.who].name, Outside: r.outside, Sent: int(r.sent), Received: int(r.received),
			First: tocsin.FromMillis(firstTime(r.firstSent, r.firstReceived)), Last: tocsin.FromMillis(max(r.lastSent, r.lastReceived))}
		if c.Last.After(until) {
			until = c.Last
		}
		p.Correspondents = append(p.Correspondents, c)
	}
	for i := range p.Correspondents {
		c := &p.Correspondents[i]
		c.New = !from.IsZero() && until.Sub(c.First) < newFor && c.First.Sub(from) > newFor
	}
	return nil
}

const anomalyColumns = `id, person, day, at, class, one_in, why, terms, odd, early, finding, verdict, said_by, said, note`

type anomalyRow struct {
	Anomaly
	day, at, said int64
	terms, odd    string
}

func (r *anomalyRow) fields() []any {
	return []any{&r.ID, &r.Person, &r.day, &r.at, &r.Class, &r.OneIn, &r.Why, &r.terms, &r.odd, &r.Early, &r.Finding, &r.Verdict, &r.SaidBy, &r.said, &r.Note}
}

// classTitle is a class in words.
func classTitle(class string) string {
	if m := rule.Unusual(learn.Kind(class)); m != nil {
		return m.Title
	}
	return class
}

// anomalies runs a query of anomalyColumns, and names whom they are about.
func anomalies(ctx context.Context, t *store.Tenant, q *query) ([]Anomaly, error) {
	rows, err := find(ctx, t, q, (*anomalyRow).fields)
	if err != nil {
		return nil, err
	}
	people := map[tocsin.PersonID]bool{}
	for _, r := range rows {
		people[r.Person] = true
	}
	names, err := namesOf(ctx, t, people)
	if err != nil {
		return nil, err
	}
	out := make([]Anomaly, len(rows))
	for i := range rows {
		r := &rows[i]
		a := r.Anomaly
		a.Who, a.Name = names[a.Person].address, names[a.Person].name
		a.Day, a.At, a.Title = dateOf(int32(r.day)), tocsin.FromMillis(r.at), classTitle(a.Class)
		a.Score = 1 - 1/float64(max(a.OneIn, 1))
		if r.said > 0 && a.Verdict != "" {
			a.Said = tocsin.FromMillis(r.said)
		}
		var terms []collect.OddTerm
		if err := errors.Join(json.Unmarshal([]byte(r.terms), &terms), json.Unmarshal([]byte(r.odd), &a.Odd)); err != nil {
			return nil, fmt.Errorf("anomaly %s: %w", a.ID, err)
		}
		a.Odd, a.Terms = orNone(a.Odd), []AnomalyTerm{}
		for _, x := range terms {
			a.Terms = append(a.Terms, AnomalyTerm{Class: x.Class, Title: classTitle(x.Class), OneIn: x.OneIn})
		}
		out[i] = a
	}
	return out, nil
}

// ListAnomalies lists the days that were not as usual, the newest first.
func (s *Service) ListAnomalies(ctx context.Context, in AnomaliesIn) (Page[Anomaly], error) {
	return view(ctx, s, "personas anomalies", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Anomaly], error) {
		var p Page[Anomaly]
		after, err := parseCursor(in.After, "anomalies", 2)
		if err != nil {
			return p, err
		}
		if in.Person != "" {
			if in.Person, err = personNamed(ctx, t, in.Person); err != nil {
				return p, err
			}
		}
		n := in.limit()
		q := (&query{}).add("select " + anomalyColumns + " from anomaly where tenant = $1")
		in.conditions(q)
		if !after.begins() {
			q.add(" and (at, id) < (?, ?)", after.number(0), after.text(1))
		}
		items, err := anomalies(ctx, t, q.add(" order by at desc, id desc limit ?", n+1))
		if err != nil {
			return p, err
		}
		p = paged(items, n, func(a Anomaly) string { return cursor("anomalies", tocsin.Millis(a.At), a.ID) })
		return total(in.Paging, p, func() (int, bool, error) {
			from := (&query{}).add("anomaly where tenant = $1")
			in.conditions(from)
			return counted(ctx, t, from)
		})
	})
}

func (in *AnomaliesIn) conditions(q *query) {
	if in.Person != "" {
		q.add(" and person = ?", in.Person)
	}
	if in.Class != "" {
		q.add(" and class = ?", in.Class)
	}
	switch in.Verdict {
	case "":
	case "none":
		q.add(" and verdict = ''")
	default:
		q.add(" and verdict = ?", in.Verdict)
	}
	if !in.Since.IsZero() {
		q.add(" and at >= ?", in.Since)
	}
	if !in.Until.IsZero() {
		q.add(" and at < ?", in.Until)
	}
}

// thresholds are what feedback made of a person's thresholds, for each class.
func thresholds(ctx context.Context, t *store.Tenant, person tocsin.PersonID) ([]PersonaThreshold, error) {
	type row struct {
		class, verdict string
		n              int
	}
	rows, err := find(ctx, t, (&query{}).add("select class, verdict, count(*) from anomaly where tenant = $1 and person = ? and verdict <> '' group by class, verdict", person),
		func(r *row) []any { return []any{&r.class, &r.verdict, &r.n} })
	if err != nil {
		return nil, err
	}
	out := make([]PersonaThreshold, len(learn.Kinds))
	for i, k := range learn.Kinds {
		x := PersonaThreshold{Class: string(k)}
		for _, r := range rows {
			switch {
			case r.class == x.Class && r.verdict == "false_alarm":
				x.FalseAlarms = r.n
			case r.class == x.Class && r.verdict == "confirmed":
				x.Confirmed = r.n
			}
		}
		x.Times = math.Round(100*math.Exp(collect.Asked(x.FalseAlarms, x.Confirmed))) / 100
		out[i] = x
	}
	return out, nil
}

// GetCorrespondent is since when an address is known.
func (s *Service) GetCorrespondent(ctx context.Context, in CorrespondentIn) (Correspondent, error) {
	return view(ctx, s, "personas correspondent", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Correspondent, error) {
		c := Correspondent{Address: tocsin.CanonicalAddress(in.Address), People: []CorrespondentOf{}}
		began, _, ok, err := collect.Learned(ctx, t)
		if err != nil {
			return c, err
		}
		if ok {
			c.Since = dateOf(began)
		}
		// Somebody of the directory is known under one address, whichever of theirs is asked for.
		q := (&query{}).add("select "+contactColumns+" from contact where tenant = $1 and (address = ? or address in (select b.address from person_address a join person_address b on b.tenant = a.tenant and b.person = a.person where a.tenant = $1 and a.address = ?))", c.Address, c.Address)
		who, person := "", tocsin.PersonID("")
		if in.Person != "" {
			if person, err = personNamed(ctx, t, in.Person); err != nil {
				return c, err
			}
			names, err := namesOf(ctx, t, map[tocsin.PersonID]bool{person: true})
			if err != nil {
				return c, err
			}
			who = firstOf(names[person].name, names[person].address)
		}
		rows, err := find(ctx, t, q.add(" limit 100000"), (*contactRow).fields)
		if err != nil {
			return c, err
		}
		return c, c.of(ctx, t, rows, person, who)
	})
}

// of takes in who knows the address; the numbers are one person's, where one is asked for.
func (c *Correspondent) of(ctx context.Context, t *store.Tenant, rows []contactRow, one tocsin.PersonID, who string) error {
	slices.SortFunc(rows, func(a, b contactRow) int {
		return cmp.Or(cmp.Compare(firstTime(a.firstSent, a.firstReceived), firstTime(b.firstSent, b.firstReceived)), cmp.Compare(a.person, b.person))
	})
	var sum contactRow
	people := map[tocsin.PersonID]bool{}
	for i, r := range rows {
		if i < 50 {
			people[r.person] = true
		}
		if one != "" && r.person != one {
			continue
		}
		c.Known = true
		sum.firstSent, sum.firstReceived = firstTime(sum.firstSent, r.firstSent), firstTime(sum.firstReceived, r.firstReceived)
		sum.lastSent, sum.lastReceived = max(sum.lastSent, r.lastSent), max(sum.lastReceived, r.lastReceived)
		sum.sent, sum.received = sum.sent+r.sent, sum.received+r.received
	}
	names, err := namesOf(ctx, t, people)
	if err != nil {
		return err
	}
	c.Count = len(rows)
	c.Sent, c.Received = int(sum.sent), int(sum.received)
	for _, x := range []struct {
		to *time.Time
		at int64
	}{{&c.FirstSent, sum.firstSent}, {&c.FirstReceived, sum.firstReceived}, {&c.LastSent, sum.lastSent}, {&c.LastReceived, sum.lastReceived},
		{&c.First, firstTime(sum.firstSent, sum.firstReceived)}, {&c.Last, max(sum.lastSent, sum.lastReceived)}} {
		if x.at > 0 {
			*x.to = tocsin.FromMillis(x.at)
		}
	}
	for _, r := range rows[:min(50, len(rows))] {
		c.People = append(c.People, CorrespondentOf{Person: r.person, Who: names[r.person].address, Name: names[r.person].name, Sent: int(r.sent), Received: int(r.received),
			First: tocsin.FromMillis(firstTime(r.firstSent, r.firstReceived)), Last: tocsin.FromMillis(max(r.lastSent, r.lastReceived))})
	}
	c.say(who)
	return nil
}

// say says in a sentence since when the address is known.
func (c *Correspondent) say(who string) {
	whom := cmp.Or(who, "this organisation")
	switch {
	case c.Since == "":
		c.Says = "Nothing was learned yet, so nobody can say since when the address is known."
	case !c.Known:
		c.Says = fmt.Sprintf("No mail was seen between %s and %s since %s: the next is the first contact.", whom, c.Address, c.Since)
	case c.Sent+c.Received == 1:
		c.Says = fmt.Sprintf("First contact: the one mail seen between %s and %s was on %s.", whom, c.Address, c.First.UTC().Format("2 January 2006"))
	default:
		c.Says = fmt.Sprintf("Known since %s: %s wrote %d mails there, and %d came back.", c.First.UTC().Format("2 January 2006"), whom, c.Sent, c.Received)
	}
}

// GetCircle is who corresponded with a mailbox in a window.
func (s *Service) GetCircle(ctx context.Context, in CircleIn) (Circle, error) {
	return view(ctx, s, "personas circle", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Circle, error) {
		out := Circle{Since: in.Since, Until: in.Until, Items: []CircleMember{}}
		var err error
		if out.Person, err = personNamed(ctx, t, in.Person); err != nil {
			return out, err
		}
		if out.Until.IsZero() {
			out.Until = s.now().UTC()
		}
		if out.Since.IsZero() {
			out.Since = out.Until.AddDate(0, 0, -30)
		}
		if !out.Since.Before(out.Until) {
			return out, invalid("Give a since that is before until.", "The window ends before it begins.")
		}
		mails, cut, err := collect.MailOf(ctx, t, out.Person, out.Since, out.Until)
		if err != nil {
			return out, err
		}
		switch {
		case cut && len(mails) == 0:
			out.Because = "The mail of that time is not kept any more."
		case cut:
			out.Because = fmt.Sprintf("There is more mail in the window than is looked at: only what came from %s on is here.", mails[len(mails)-1].At.UTC().Format("2 January 2006 15:04 UTC"))
		}
		at := map[string]*CircleMember{}
		for _, m := range mails {
			for _, a := range m.With {
				x := at[a]
				if x == nil {
					x = &CircleMember{Address: a, First: m.At, Last: m.At}
					at[a] = x
				}
				if m.Sent {
					x.Sent++
				} else {
					x.Received++
				}
				if m.At.Before(x.First) {
					x.First = m.At
				}
				if m.At.After(x.Last) {
					x.Last = m.At
				}
			}
		}
		return out, out.fill(ctx, t, slices.Collect(maps.Values(at)), cmp.Or(in.Limit, 200))
	})
}

func (c *Circle) fill(ctx context.Context, t *store.Tenant, list []*CircleMember, limit int) error {
	slices.SortFunc(list, func(a, b *CircleMember) int {
		return cmp.Or(cmp.Compare(b.Sent, a.Sent), cmp.Compare(b.Received, a.Received), cmp.Compare(a.Address, b.Address))
	})
	c.LeftOut = max(0, len(list)-limit)
	list = list[:min(limit, len(list))]
	people := map[tocsin.PersonID]bool{c.Person: true}
	by := map[string]contactRow{}
	for some := range slices.Chunk(list, 200) {
		var addresses []any
		for _, x := range some {
			addresses = append(addresses, x.Address)
		}
		q := (&query{}).add("select "+contactColumns+" from contact where tenant = $1 and person = ?", c.Person)
		rows, err := find(ctx, t, q.add(" and address in ("+q.in(addresses...)+")"), (*contactRow).fields)
		if err != nil {
			return err
		}
		for _, r := range rows {
			by[r.address] = r
			if r.who != "" {
				people[r.who] = true
			}
		}
	}
	names, err := namesOf(ctx, t, people)
	if err != nil {
		return err
	}
	c.Who, c.Name = names[c.Person].address, names[c.Person].name
	began, _, learned, err := collect.Learned(ctx, t)
	if err != nil {
		return err
	}
	inside, err := places(ctx, t)
	if err != nil {
		return err
	}
	since := learn.Date(began) // who wrote before is not known
	if c.Because == "" && (!learned || began == 0 || since.After(c.Since)) {
		c.Because = "Who wrote before is not known: nobody is said to be new."
	}
	for _, x := range list {
		r, ok := by[x.Address]
		_, host, _ := strings.Cut(x.Address, "@")
		x.Known, x.Outside = x.First, !inside.Domains[host]
		if ok {
			x.Person, x.Outside, x.Name = r.who, r.outside, names[r.who].name
			if first := firstTime(r.firstSent, r.firstReceived); first > 0 {
				x.Known = tocsin.FromMillis(first)
			}
		}
		x.New = ok && began > 0 && !since.After(c.Since) && !x.Known.Before(c.Since)
		c.Items = append(c.Items, *x)
	}
	return nil
}

// GiveFeedback says what an anomaly was, or takes that back.
func (s *Service) GiveFeedback(ctx context.Context, in FeedbackIn) (FeedbackGiven, error) {
	return act(ctx, s, "anomalies feedback", in, func(ctx context.Context, t *store.Tenant, c Caller) (FeedbackGiven, error) {
		var out FeedbackGiven
		verdict, note := in.Body.Verdict, strings.TrimSpace(in.Body.Note)
		if verdict == "none" {
			verdict, note = "", ""
		}
		var person tocsin.PersonID
		var class string
		err := t.QueryRow(ctx, `update anomaly set verdict = $3, said_by = $4, said = $5, note = $6 where tenant = $1 and id = $2 returning person, class`,
			in.ID, verdict, c.Email, s.now(), note).Scan(&person, &class)
		if errors.Is(err, store.ErrNone) {
			return out, notFound("anomaly")
		}
		if err != nil {
			return out, err
		}
		list, err := anomalies(ctx, t, (&query{}).add("select "+anomalyColumns+" from anomaly where tenant = $1 and id = ?", in.ID))
		if err != nil {
			return out, err
		}
		out.Anomaly = list[0]
		if err := s.decideAlike(ctx, t, c, out.Anomaly); err != nil {
			return out, err
		}
		all, err := thresholds(ctx, t, person)
		if err != nil {
			return out, err
		}
		for _, x := range all {
			if x.Class == class {
				out.Threshold = x
			}
		}
		out.Says = thresholdSays(out.Threshold, cmp.Or(out.Anomaly.Name, out.Anomaly.Who))
		return out, t.Append(ctx, store.Fact{Kind: "anomaly.said", Subject: in.ID, Person: string(person), Actor: c.Email})
	})
}

// decideAlike decides the finding that was made of an anomaly as the anomaly was: one that is open becomes a false alarm, and one that
// was a false alarm and is none is open again.
func (s *Service) decideAlike(ctx context.Context, t *store.Tenant, c Caller, a Anomaly) error {
	h := heldFinding{id: a.Finding}
	var status tocsin.Status
	err := t.QueryRow(ctx, `select person, owner, status from finding where tenant = $1 and id = $2`, a.Finding).Scan(&h.person, &h.owner, &status)
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	is, reason := tocsin.Open, ""
	switch {
	case a.Verdict == "false_alarm" && (status == tocsin.Open || status == tocsin.InWork):
		is, reason = tocsin.FalseAlarm, cmp.Or(a.Note, "The day was said to be a false alarm.")
	case a.Verdict == "false_alarm" || status != tocsin.FalseAlarm:
		return nil
	}
	if _, err := t.Exec(ctx, `update finding set status = $3, reason = $4, version = version + 1 where tenant = $1 and id = $2`, a.Finding, is, reason); err != nil {
		return err
	}
	return s.noteFinding(ctx, t, h, c, string(is), reason)
}

// heedDecision takes what was decided of a finding as what is said of the anomaly that it was made of.
func (s *Service) heedDecision(ctx context.Context, t *store.Tenant, c Caller, finding string, status tocsin.Status, reason string) error {
	switch status {
	case tocsin.FalseAlarm:
		_, err := t.Exec(ctx, `update anomaly set verdict = 'false_alarm', said_by = $3, said = $4, note = $5 where tenant = $1 and finding = $2 and verdict <> 'false_alarm'`, finding, c.Email, s.now(), reason)
		return err
	case tocsin.Open, tocsin.InWork:
		_, err := t.Exec(ctx, `update anomaly set verdict = '', said_by = $3, said = $4, note = '' where tenant = $1 and finding = $2 and verdict = 'false_alarm'`, finding, c.Email, s.now())
		return err
	}
	return nil
}

// thresholdSays says a threshold in a sentence.
func thresholdSays(x PersonaThreshold, who string) string {
	title := strings.ToLower(classTitle(x.Class))
	switch {
	case x.Times > 1:
		return fmt.Sprintf("For %s a day of this kind (%s) now has to be %g times rarer than for others before it is told.", who, title, x.Times)
	case x.Times < 1:
		return fmt.Sprintf("For %s a day of this kind (%s) is now told when it is %g times less rare than for others.", who, title, math.Round(10/x.Times)/10)
	}
	return fmt.Sprintf("For %s a day of this kind (%s) is told as for everybody else.", who, title)
}

// GetPersonaSettings is how a tenant has its people learned.
func (s *Service) GetPersonaSettings(ctx context.Context, in In) (PersonaSettings, error) {
	return view(ctx, s, "persona-settings get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (PersonaSettings, error) {
		return personaSettings(ctx, t)
	})
}

func personaSettings(ctx context.Context, t *store.Tenant) (PersonaSettings, error) {
	is, err := collect.LearnSettingsOf(ctx, t)
	out := PersonaSettings{Off: is.Off, Budget: is.Budget, Version: is.Version, Changed: is.Changed, ChangedBy: is.ChangedBy}
	if is.Version == 0 {
		out.Changed = time.Time{}
	}
	if err != nil {
		return out, err
	}
	if err := t.QueryRow(ctx, `select count(distinct p.key) from learned_part p join learned l on l.tenant = p.tenant where p.tenant = $1 and p.kind = 'person' and p.key not like '@%' and p.day <= l.shut`).Scan(&out.People); err != nil {
		return out, err
	}
	began, shut, ok, err := collect.Learned(ctx, t)
	if ok {
		out.Since, out.Until = dateOf(began), dateOf(shut)
	}
	people := out.People
	if people == 0 {
		people = 100
	}
	if out.Says = budgetSays(is.Budget, people); is.Off {
		out.Says = "Nothing is learned, and nothing is told."
	}
	return out, err
}

// budgetSays is the budget of false alarms in a sentence, for so many people.
func budgetSays(budget float64, people int) string {
	whom, n := thousands(people)+" people", budget*float64(people)
	if people == 1 {
		whom = "1 person"
	}
	alarms := fmt.Sprintf("%.3g", n)
	if n >= 100 {
		alarms = thousands(int(math.Round(n)))
	}
	if alarms == "1" {
		return fmt.Sprintf("For %s about 1 false alarm a month is expected.", whom)
	}
	return fmt.Sprintf("For %s about %s false alarms a month are expected.", whom, alarms)
}

// SetPersonaSettings sets how a tenant has its people learned.
func (s *Service) SetPersonaSettings(ctx context.Context, in SetPersonaSettingsIn) (PersonaSettings, error) {
	return act(ctx, s, "persona-settings set", in, func(ctx context.Context, t *store.Tenant, c Caller) (PersonaSettings, error) {
		b := in.Body
		if !(b.Budget >= 0.001 && b.Budget <= 2) { // nor what is no number
			return PersonaSettings{}, invalid("Give between 0.001 and 2; 0.03 is usual.", "%g false alarms per person and month is no budget.", b.Budget)
		}
		ok, err := collect.SetLearnSettings(ctx, t, collect.LearnSettings{Off: b.Off, Budget: b.Budget, Version: b.Version, ChangedBy: c.Email})
		if err != nil {
			return PersonaSettings{}, err
		}
		if !ok {
			return PersonaSettings{}, errStale
		}
		return personaSettings(ctx, t)
	})
}
