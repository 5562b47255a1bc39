package learn

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// The features of a person's day. Each has a statistic in nats (a log-likelihood ratio or the log of a tail probability),
// and each statistic a distribution over the tenant's person-days.
const (
	strangers = iota // who is written to
	spread           // how many are written to for the first time
	volume           // how much is sent
	hours            // when
	files            // attachments to the outside
	drift            // a correspondent who gets more week after week
	rules            // mailbox rules
	features
)

// Options are what a model can be told. The zero value of each field has the meaning written beside it.

type Options struct {
	HalfLife float64                       // days after which what was learned counts half; 30
	Budget   float64                       // expected false alarms per person and month; 0.03
	Zone     func(*Address) *time.Location // the zone of a person; UTC
	Named    func(*Address) string         // how an address is called in a sentence; its name
}

// Model is one tenant's personas and what they share.
type Model struct {
	opt    Options
	half   *decay
	people map[uint64]*Persona
	open   map[int32]map[uint64]*day

	sent map[uint64]*popular // by address
	host map[uint64]*popular // by outside domain
	out  float32             // mailings to recipients, decayed to at
	at   int32               // the last day learned: what decays over the tenant stands there
	shut int32               // the last day closed

	// Rates over the tenant, decayed: the prior of each person's.
	people_, fresh, bold, bold2, days float32
	vol, vol2                         float32
	outs, hosts, newHosts             float32
	files, filed, newFiles, newFiled  float32
	more, moreOf                      float32 // second mailings on the first day of a correspondence, and first ones
	rules                             float32
	hours                             [2][24]float32 // person-days with something sent in that hour
	awakeDays                         [2]float32
	kinds                             [kinds]float32
	week                              [7]float32 // mailings by weekday
	weeks                             [7]float32 // of how many days
	personDays, calendarDays          float32    // person-days with a mailing, and all of them

	tails   [features]tail
	classes [classes]tail
	joint   tail
	strict  float64 // log of what the threshold is multiplied with, so that the budget is held
}

// New is a model that knows nothing yet.
func New(o Options) *Model {
	o.HalfLife = cmp.Or(o.HalfLife, 30)
	o.Budget = cmp.Or(o.Budget, 0.03)
	if o.Zone == nil {
		o.Zone = func(*Address) *time.Location { return time.UTC }
	}
	if o.Named == nil {
		o.Named = func(a *Address) string { return a.Name }
	}
	m := &Model{opt: o, half: newDecay(o.HalfLife), people: map[uint64]*Persona{}, open: map[int32]map[uint64]*day{}, sent: map[uint64]*popular{}, host: map[uint64]*popular{}}
	for k := range m.kinds {
		m.kinds[k] = 20 * float32(kindPrior(k))
	}
	for i := range m.tails {
		m.tails[i].settle()
	}
	for i := range m.classes {
		m.classes[i].settle()
	}
	m.joint.settle()
	return m
}

// Persona is the persona of a, nil where nothing was learned.
func (m *Model) Persona(a *Address) *Persona { return m.people[a.ID] }

// day is what one person did on one day that is not closed.
type day struct {
	who  *Address
	n    int32
	sent []sent
	got  []got
	rule []Rule
}

type sent struct {
	at    int64
	hour  uint8 // of the week
	to    []*Address
	files int32
	id    string
}

type got struct {
	at   int64
	from *Address
}

// Rule is that somebody made or changed a mailbox rule.
type Rule struct {
	At                     int64
	Who                    *Address
	Outside, Deletes, Hide bool // it sends mail outside; deletes it; moves it where nobody looks, or marks it read
	ID                     string
}

// local is the day since 1970 and the hour of the week in the person's zone.
func (m *Model) local(a *Address, at int64) (int32, uint8) {
	t := time.UnixMilli(at)
	z := m.opt.Zone(a)
	if z != time.UTC {
		_, off := t.In(z).Zone()
		at += int64(off) * 1000
	}
	d := floor(at, 86_400_000)
	hour := (at - d*86_400_000) / 3_600_000
	return int32(d), uint8(weekday(int32(d))*24 + int(hour))
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// weekday counts from Monday; the first of January 1970 was a Thursday.
func weekday(d int32) int { return int(((d+3)%7 + 7) % 7) }

func (m *Model) day(a *Address, n int32) *day {
	of := m.open[n]
	if of == nil {
		of = map[uint64]*day{}
		m.open[n] = of
	}
	d := of[a.ID]
	if d == nil {
		d = &day{who: a, n: n}
		of[a.ID] = d
	}
	return d
}

// Mail takes a mail. Mails may come in any order as long as their day is open; what comes later is learned with the oldest
// open day, so nothing is lost of it but its time.
func (m *Model) Mail(x Mail) {
	if x.From.Inside {
		n, h := m.local(x.From, x.At)
		d := m.day(x.From, max(n, m.shut+1))
		d.sent = append(d.sent, sent{at: x.At, hour: h, to: x.To, files: x.Files, id: x.ID})
	}
	for _, to := range x.To {
		if to.Inside && to != x.From {
			n, _ := m.local(to, x.At)
			d := m.day(to, max(n, m.shut+1))
			d.got = append(d.got, got{x.At, x.From})
		}
	}
}

// Rule takes the making or changing of a mailbox rule.
func (m *Model) Rule(r Rule) {
	n, _ := m.local(r.Who, r.At)
	d := m.day(r.Who, max(n, m.shut+1))
	d.rule = append(d.rule, r)
}

// Open is the days that are not closed, in order.
func (m *Model) Open() []int32 {
	var l []int32
	for n := range m.open {
		l = append(l, n)
	}
	slices.Sort(l)
	return l
}

// Close judges and then learns all open days up to n, in order, and gives what it makes of each person-day on which something
// was sent or a rule was made. A day that is over may stay open for a while, for what comes late.
func (m *Model) Close(n int32) []Day {
	var all []Day
	for _, d := range m.Open() {
		if d <= n {
			all = append(all, m.close(d)...)
			delete(m.open, d)
		}
	}
	m.shut = max(m.shut, n)
	return all
}

func (m *Model) close(n int32) []Day {
	of := m.open[n]
	days := make([]*day, 0, len(of))
	for _, d := range of {
		d.order()
		days = append(days, d)
	}
	slices.SortFunc(days, func(a, b *day) int { return cmp.Compare(a.who.ID, b.who.ID) })
	quiet := m.quiet(n, days)
	verdicts := m.judge(n, days, quiet)
	m.learn(n, days, verdicts, quiet)
	return verdicts
}

// order sorts a day by time and takes what was sent in the same second for one mailing.
func (d *day) order() {
	slices.SortStableFunc(d.sent, func(a, b sent) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
	slices.SortStableFunc(d.got, func(a, b got) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.from.ID, b.from.ID)) })
	w := 0
	for i, s := range d.sent {
		if i > 0 && s.at/1000 == d.sent[w-1].at/1000 {
			last := &d.sent[w-1]
			last.to = append(last.to[:len(last.to):len(last.to)], s.to...)
			last.files = max(last.files, s.files)
			continue
		}
		d.sent[w] = s
		w++
	}
	d.sent = d.sent[:w]
}

// quiet says whether a day is like a weekend or a holiday: the whole tenant sends less than half of what it sends on the
// busiest weekday.
func (m *Model) quiet(n int32, days []*day) int {
	now := float32(0)
	for _, d := range days {
		now += float32(len(d.sent))
	}
	most := float32(0)
	for w := range m.week {
		if m.weeks[w] > 0 {
			most = max(most, m.week[w]/m.weeks[w])
		}
	}
	if m.calendarDays > 0 && now < 0.45*most {
		return 1
	}
	return 0
}

// judge gives the verdict on each person-day, in the order of days. Nothing is learned.
func (m *Model) judge(n int32, days []*day, quiet int) []Day {
	var out []Day
	for _, d := range days {
		if len(d.sent) == 0 && len(d.rule) == 0 {
			continue
		}
		v := Day{Who: d.who, Day: n, Sent: len(d.sent), day: d}
		v.stats, v.cause = m.measure(d, quiet)
		p := m.people[d.who.ID]
		for f := range v.z {
			v.z[f] = m.tails[f].z(v.stats[f])
			if p != nil && f != drift && v.stats[f] > 0 {
				v.z[f] = max(0, v.z[f]-p.factor(f))
			}
		}
		out = append(out, v)
	}
	m.calm(out)
	alarm := m.Threshold()
	for i := range out {
		v := &out[i]
		v.class = classStats(&v.z)
		for c := range v.class {
			v.y[c] = m.classes[c].z(v.class[c])
			if p := m.people[v.Who.ID]; p != nil && v.y[c] > 0 {
				v.y[c] = max(0, v.y[c]-float64(p.Asked[c]))
			}
		}
		// A person who is often odd is less odd for it; a drift of weeks is no habit.
		usual := v.y
		usual[classDrift] = 0
		v.habit = m.joint.z(together(usual))
		if p := m.people[v.Who.ID]; p != nil {
			for c := range usual {
				if c != classDrift && usual[c] > 0 {
					usual[c] = max(0, usual[c]-often(p.Odd, p.Days[0]+p.Days[1]))
				}
			}
		}
		usual[classDrift] = v.y[classDrift]
		v.joint = together(usual)
		v.P = math.Exp(-squeeze(m.joint.z(v.joint)))
		v.Alarm = v.P < alarm
	}
	return out
}

// The classes, in the order of Kinds.
const (
	classRules = iota
	classFiles
	classGraph
	classHours
	classDrift
	classes
)

// classStats is what a day has of each class: its own feature, and in part those that an attack of that class moves as well.
func classStats(z *[features]float64) (c [classes]float64) {
	c[classRules] = z[rules]
	if z[rules] > 0 {
		c[classRules] += 0.3*z[hours] + 0.3*z[strangers]
	}
	if z[files] > 0 {
		c[classFiles] = z[files] + 0.2*z[spread]
	}
	c[classGraph] = 0.5*(z[strangers]+z[spread]) + 0.2*z[volume] + 0.1*z[hours]
	c[classHours] = z[hours]
	c[classDrift] = z[drift]
	return c
}

// weights are what share of the false alarms each class may make.
var weights = [classes]float64{classRules: 0.02, classFiles: 0.05, classGraph: 0.4, classHours: 0.43, classDrift: 0.1}

// factor is the log of how much more often than others this person passes the tenant's 10 % and 1 % of a feature.
func (p *Persona) factor(f int) float64 { return often(p.Over[f], p.Days[0]+p.Days[1]) }

// often is the log of how much more often than the tenant's 10 % and 1 % of days a person passes what these pass: an
// empirical-Bayes rate, ten days of the tenant's against the person's own.
func often(over [2]float32, days float32) float64 {
	n := float64(days)
	ten := (float64(over[0]) + 1) / (0.1*n + 1)
	one := (float64(over[1]) + 0.5) / (0.01*n + 0.5)
	return min(max(math.Log(ten*one)/2, -1.5), 3)
}

// calm takes out what a whole tenant has in common on a day: where more persons than expected pass a feature's 5 %, each
// probability is raised by as much, and on a stormy day it is never below the person's rank on that day.
func (m *Model) calm(days []Day) {
	n := float64(len(days))
	ranks := make([]float64, 0, len(days))
	for f := range features {
		over := 0.0
		for i := range days {
			if days[i].z[f] > 3 {
				over++
			}
		}
		storm := (over + 2) / (0.05*n + 2)
		if storm <= 1.5 {
			continue
		}
		ranks = ranks[:0]
		for i := range days {
			ranks = append(ranks, -days[i].z[f])
		}
		slices.Sort(ranks)
		for i := range days {
			z := days[i].z[f]
			at, _ := slices.BinarySearch(ranks, -z)
			rank := -math.Log((float64(at) + 1) / (n + 1) * min(1, (storm-1.5)/1.5))
			days[i].z[f] = max(0, min(z-math.Log(storm/1.5), rank))
		}
	}
}

// Ask takes feedback: the probability of a class is multiplied with e^factor for that person; above 0 after a false alarm, below
// after one that was confirmed, 0 to take it back.
func (m *Model) Ask(a *Address, k Kind, factor float32) {
	if p := m.people[a.ID]; p != nil {
		p.Asked[slices.Index(Kinds, k)] = factor
	}
}

// Threshold is the probability below which a person-day alarms, so that the budget holds.
func (m *Model) Threshold() float64 {
	share := 0.7
	if m.calendarDays > 0 {
		share = max(0.05, float64(m.personDays/m.calendarDays))
	}
	return m.opt.Budget / 30.44 / share * math.Exp(m.strict)
}

// together is one statistic of all classes, from −log of their p-values: the log of the weighted harmonic mean, which holds
// under any dependence (Wilson 2019, https://doi.org/10.1073/pnas.1814092116).
func together(y [classes]float64) float64 {
	most := slices.Max(y[:])
	sum := 0.0
	for c, x := range y {
		sum += weights[c] * math.Exp(x-most)
	}
	return max(0, most+math.Log(sum))
}

// squeeze keeps −log of a probability within what a float64 near 1 can tell apart, without changing any order.
func squeeze(z float64) float64 {
	if z <= 18 {
		return z
	}
	return 18 + 16*(1-math.Exp(-(z-18)/40))
}
