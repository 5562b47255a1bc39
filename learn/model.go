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
	Group    func(*Address) string         // who a person's peers are: a department, a title; "" for nobody's, which all are
	Own      func(a, who *Address) bool    // whether an address outside seems to be who's own; never
	Alike    func(a, b string) bool        // whether a domain can be taken for another; never
}

// Model is one tenant's personas and what they share.
type Model struct {
	opt    Options
	half   *decay
	people map[uint64]*slot
	open   map[int32]*gather
	gone   []*Address // who was forgotten since Gone was asked

	sent map[uint64]popular // recipients, by address
	host map[uint64]popular // outside domains that were written to
	out  float32            // mailings to recipients, decayed to at
	at   int32              // the last day learned: what decays over the tenant stands there
	shut int32              // the last day closed

	// Rates over the tenant, decayed: the prior of each person's. Those of groups of peers stand between.
	rates
	groups map[uint64]*rates

	files, filed, newFiles, newFiled float32
	more, moreOf                     float32 // second mailings on the first day of a correspondence, and first ones
	rules                            float32
	owns, alikes                     float32 // first mails to an address like one's own, and to one like a correspondent's
	kinds                            [kinds]float32
	week                             [7]float32 // mailings by weekday
	weeks                            [7]float32 // of how many days
	personDays, calendarDays         float32    // person-days with a mailing, and all of them

	tails   [features]tail
	classes [classes]tail
	joint   tail
	attacks [classes]strength
	strict  float64 // log of what the threshold is multiplied with, so that the budget is held

	today    day              // the person-day at hand, taken apart
	who      Persona          // and whose it is
	first    map[uint64]int64 // when somebody first wrote on it, by ID
	index    map[uint64]int
	met      []met
	hosted   []hosted
	llr      []float64
	tried    [features]float64 // what measure gave with small attacks put in
	restless bool              // takes nothing out that a tenant has in common: only for the test that shows what that is good for
}

// rates are counts over many people, decayed to the tenant's day.
type rates struct {
	people_, fresh, bold, bold2, days float32
	vol, vol2                         float32
	outs, hosts, newHosts             float32
	hours                             [2][24]float32 // person-days with something sent in that hour
	awakeDays                         [2]float32
}

// all are the numbers of r, in the order in which they are kept.
func (r *rates) all() []*float32 {
	l := []*float32{&r.people_, &r.fresh, &r.bold, &r.bold2, &r.days, &r.vol, &r.vol2, &r.outs, &r.hosts, &r.newHosts, &r.awakeDays[0], &r.awakeDays[1]}
	for q := range r.hours {
		for h := range r.hours[q] {
			l = append(l, &r.hours[q][h])
		}
	}
	return l
}

// slot is a person at rest: the persona's bytes.
type slot struct {
	of    *Address
	state []byte
	day   int32
	sent  bool // has ever sent anything
}

// popular is how a tenant knows somebody or a domain: how much is sent there, decayed to day.
type popular struct {
	out  float32
	day  int32
	name string // of a domain
}

// The room of a tenant: what is written to least is forgotten first, and so is who has long not been heard of.
const (
	maxSentTo  = 1 << 16 // recipients, and two for each person
	maxHosts   = 1 << 15 // outside domains
	maxGroups  = 512
	maxSilent  = 4096 // persons who never sent anything, and two for each who has
	forgetting = 13   // half-lives without any mail after which a person is forgotten
)

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
	m := &Model{
		opt: o, half: newDecay(o.HalfLife), people: map[uint64]*slot{}, open: map[int32]*gather{},
		sent: map[uint64]popular{}, host: map[uint64]popular{}, groups: map[uint64]*rates{}, first: map[uint64]int64{}, index: map[uint64]int{},
	}
	for k := range m.kinds {
		m.kinds[k] = 20 * float32(kindPrior(k))
	}
	m.settle()
	return m
}

func (m *Model) settle() {
	for i := range m.tails {
		m.tails[i].settle()
	}
	for i := range m.classes {
		m.classes[i].settle()
	}
	m.joint.settle()
	for i := range m.attacks {
		m.attacks[i].settle()
	}
}

// Persona is a copy of the persona of a, nil where nothing was learned.
func (m *Model) Persona(a *Address) *Persona {
	s := m.people[a.ID]
	if s == nil {
		return nil
	}
	p := &Persona{Of: s.of}
	if p.unpack(s.state) != nil {
		return nil // SetState takes nothing that cannot be taken apart
	}
	return p
}

// wake makes p the persona of a as it stood when it was last learned, or an empty one.
func (m *Model) wake(p *Persona, a *Address, day int32) bool {
	p.Of = a
	if s := m.people[a.ID]; s != nil && p.unpack(s.state) == nil {
		p.Of = s.of
		return true
	}
	*p = Persona{Of: a, First: day, Day: day, Contacts: p.Contacts[:0], Known: p.Known[:0], Trends: p.Trends[:0]}
	return false
}

// rest keeps p.
func (m *Model) rest(p *Persona) {
	s := m.people[p.Of.ID]
	if s == nil {
		s = &slot{of: p.Of}
		m.people[p.Of.ID] = s
	}
	b := p.pack(s.state[:0])
	if cap(b) > len(b)+len(b)/8+64 {
		b = slices.Clone(b)
	}
	s.state, s.day, s.sent = b, p.Day, p.Sent > 0
}

// peers are the rates of the person's group, nil where there is none.
func (m *Model) peers(a *Address) *rates {
	if m.opt.Group == nil {
		return nil
	}
	if g := m.opt.Group(a); g != "" {
		return m.groups[hash(g)]
	}
	return nil
}

// among makes the group that the person is of, nil where there is none or no room for more.
func (m *Model) among(a *Address) *rates {
	if m.opt.Group == nil {
		return nil
	}
	g := m.opt.Group(a)
	if g == "" {
		return nil
	}
	id := hash(g)
	r := m.groups[id]
	if r == nil && len(m.groups) < maxGroups {
		r = &rates{}
		m.groups[id] = r
	}
	return r
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
	g, logs := m.inOrder(n)
	quiet := m.quiet(logs)
	verdicts := m.judge(g, logs, quiet)
	m.learn(g, logs, verdicts, quiet)
	m.bound(n)
	return verdicts
}

// day takes a log apart, with what is asked of it often.
func (m *Model) day(g *gather, l *log) *day {
	d := &m.today
	g.read(l, d)
	d.order()
	clear(m.first)
	for i := len(d.got) - 1; i >= 0; i-- {
		m.first[d.got[i].from.ID] = d.got[i].at
	}
	return d
}

// quiet says whether a day is like a weekend or a holiday: the whole tenant sends less than half of what it sends on the
// busiest weekday.
func (m *Model) quiet(logs []*log) int {
	now := float32(0)
	for _, l := range logs {
		now += float32(l.all)
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

// judge gives the verdict on each person-day, in the order of logs. Nothing is learned.
func (m *Model) judge(g *gather, logs []*log, quiet int) []Day {
	var out []Day
	p := &m.who
	for _, l := range logs {
		if l.sent == 0 && l.rules == 0 {
			continue
		}
		d := m.day(g, l)
		m.wake(p, l.who, g.n)
		v := Day{Who: l.who, Day: g.n, Sent: len(d.sent) + d.more, of: g, log: l}
		p.age(g.n, m.half)
		active := p.Days[0] + p.Days[1]
		v.often, v.asked = often(p.Odd, active), p.Asked
		v.stats, v.cause = m.measure(p, d, quiet)
		var tried [features]float64
		for f := range v.z {
			v.z[f] = m.tails[f].z(v.stats[f])
			own := 0.0
			if f != drift {
				own = often(p.Over[f], active)
			}
			if v.stats[f] > 0 {
				v.z[f] = max(0, v.z[f]-own)
			}
			tried[f] = max(0, m.tails[f].z(m.tried[f])-own)
		}
		tried[rules] = 0
		v.tried = classStats(&tried)
		out = append(out, v)
	}
	ranks := make([]float64, 0, len(out))
	if !m.restless {
		for f := range features {
			calm(out, ranks, func(v *Day) *float64 { return &v.z[f] })
		}
	}
	alarm := m.Threshold()
	for i := range out {
		v := &out[i]
		v.class = classStats(&v.z)
		for c := range v.class {
			v.y[c] = m.classes[c].z(v.class[c])
			if v.y[c] > 0 {
				v.y[c] = max(0, v.y[c]-float64(v.asked[c]))
			}
		}
		// A person who is often odd is less odd for it; a drift of weeks is no habit.
		usual := v.y
		usual[classDrift] = 0
		v.habit = m.joint.z(m.together(usual))
		for c := range usual {
			if c != classDrift && usual[c] > 0 {
				usual[c] = max(0, usual[c]-v.often)
			}
		}
		usual[classDrift] = v.y[classDrift]
		for c, y := range usual {
			v.odds[c] = m.attacks[c].at(y) + math.Log(weights[c])
			v.tried[c] = m.classes[c].z(v.tried[c])
			if c != classDrift {
				v.tried[c] = max(0, v.tried[c]-v.often)
			}
		}
		v.joint = m.together(usual)
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
	for f, weight := range graphWeights {
		c[classGraph] += weight * z[f]
	}
	c[classHours] = z[hours]
	c[classDrift] = z[drift]
	return c
}

// graphWeights are what each feature counts in [Graph].
var graphWeights = [...]float64{strangers: 0.5, spread: 0.5, volume: 0.2, hours: 0.1}

// weights are how likely an attack is of each class.
var weights = [classes]float64{classRules: 0.02, classFiles: 0.1, classGraph: 0.35, classHours: 0.35, classDrift: 0.18}

// often is the log of how much more often than the tenant's 10 % and 1 % of days a person passes what these pass: an
// empirical-Bayes rate, ten days of the tenant's against the person's own.
func often(over [2]float32, days float32) float64 {
	n := float64(days)
	ten := (float64(over[0]) + 1) / (0.1*n + 1)
	one := (float64(over[1]) + 0.5) / (0.01*n + 0.5)
	return min(max(math.Log(ten*one)/2, -1.5), 3)
}

// calm takes out what a whole tenant has in common on a day: where more persons than expected pass the 5 % of what z gives, −log
// of a probability, each probability is raised by as much, and on a stormy day it is never below the person's rank on that day.
func calm(days []Day, ranks []float64, z func(*Day) *float64) {
	n := float64(len(days))
	over := 0.0
	for i := range days {
		if *z(&days[i]) > 3 {
			over++
		}
	}
	storm := (over + 2) / (0.05*n + 2)
	if storm <= 1.5 {
		return
	}
	for i := range days {
		ranks = append(ranks, -*z(&days[i]))
	}
	slices.Sort(ranks)
	for i := range days {
		x := z(&days[i])
		at, _ := slices.BinarySearch(ranks, -*x)
		rank := -math.Log((float64(at) + 1) / (n + 1) * min(1, (storm-1.5)/1.5))
		*x = max(0, min(*x-math.Log(storm/1.5), rank))
	}
}

// Ask takes feedback: the probability of a class is multiplied with e^factor for that person; above 0 after a false alarm, below
// after one that was confirmed, 0 to take it back.
func (m *Model) Ask(a *Address, k Kind, factor float32) {
	if m.wake(&m.who, a, 0) {
		m.who.Asked[slices.Index(Kinds, k)] = min(max(factor, -100), 100)
		m.rest(&m.who)
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

// together is one statistic of all classes, from −log of their p-values: the log of the mean likelihood ratio of a small attack
// against a usual day.
func (m *Model) together(y [classes]float64) float64 {
	sum := 0.0
	for c, x := range y {
		sum += weights[c] * math.Exp(m.attacks[c].at(x))
	}
	return max(0, 3+math.Log(sum))
}

// squeeze keeps −log of a probability within what a float64 near 1 can tell apart, without changing any order.
func squeeze(z float64) float64 {
	if z <= 18 {
		return z
	}
	return 18 + 16*(1-math.Exp(-(z-18)/40))
}
