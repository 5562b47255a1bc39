package learn

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Day is the verdict on what one person did on one day.
type Day struct {
	Who   *Address
	Day   int32   // since 1970, in the person's zone
	Sent  int     // mailings
	P     float64 // the probability that a usual day is as odd: 1 − P is the score
	Alarm bool    // P is below the threshold

	stats [features]float64
	z     [features]float64 // −log of the probability of each
	class [classes]float64  // the statistic of each class
	y     [classes]float64  // −log of the probability of each
	cause cause
	joint float64
	habit float64           // −log of the probability before the person's habit of being odd is counted
	odds  [classes]float64  // the log of the likelihood ratio of an attack of each class
	tried [classes]float64  // what y would be with a small attack of each class in the day
	often float64           // the log of how much more often than others the person is odd
	over  [features]float32 // how often a feature passed its 10 %, this day counted
	asked [classes]float32  // what feedback said
	of    *gather
	log   *log
}

// day is what the person did, taken apart anew.
func (d *Day) day() *day {
	x := &day{}
	d.of.read(d.log, x)
	x.order()
	return x
}

// cause is what the sentence of a verdict is made of.
type cause struct {
	fresh    []*Address // written to for the first time, the most surprising first, eight at most
	new      int        // how many these are
	seen     []seen     // what was made of all of them, in the order of meets
	unasked  int
	own      *Address // an address outside that seems to be the person's own
	like     *Address // who looks like somebody else, and like whom
	likes    string
	odd      int     // mailings in odd hours
	oddAt    int64   // the first of them
	hours    []uint8 // and in which hours of the day, five at most
	host     *Address
	hostNew  bool
	hostN    int
	hostF    int
	growing  *Address
	weeks    []int
	usual    float64 // mailings on such a day
	newUsual float64 // new correspondents on such a day
}

// How a new correspondent stands to the person: six relations, asked or unasked, in a wide mailing or not.
const (
	stranger  = iota // inside, nobody in common
	colleague        // inside, one or two in common
	circle           // inside, three or more in common
	known            // outside, at a domain that the person knows
	ours             // outside, at a domain that the tenant knows
	foreign          // outside, at a domain that nobody has written to
	relations
	kinds = relations * 4
)

// kindPrior is how new correspondents would be shared out among the kinds by an attacker, who does not know who asked.
func kindPrior(k int) float64 {
	p := [relations]float64{0.25, 0.2, 0.15, 0.1, 0.2, 0.1}[k/4]
	if k&2 != 0 {
		p *= 0.05
	} else {
		p *= 0.95
	}
	if k&1 != 0 {
		return p * 0.25
	}
	return p * 0.75
}

// met is one person written to on a day.
type met struct {
	a     *Address
	c     *contact // nil where new
	n     int      // mailings
	llr   float64
	asked bool
	seen
}

// seen is what is made of somebody who is new.
type seen struct {
	kind uint8
	own  bool   // like the person's own address
	like string // like this known domain or correspondent
}

// host is one outside domain written to on a day.
type hosted struct {
	a              *Address
	n, files, none int
	asked          bool
}

// measure gives the statistics of a day, of a persona as it stands on it.
func (m *Model) measure(p *Persona, d *day, quiet int) (s [features]float64, c cause) {
	people := m.meets(p, d, nil)
	for i := range people {
		if e := &people[i]; e.c == nil || e.c.out == 0 {
			c.seen = append(c.seen, e.seen)
		}
	}
	s[strangers], s[spread] = m.strange(p, d, people, &c)
	s[volume] = m.much(p, d, quiet, &c)
	s[hours] = m.late(p, d, quiet, &c)
	s[files] = m.carried(p, d, people, &c)
	s[drift] = m.grows(p, d, people, &c)
	s[rules] = m.ruled(p, d)
	// What adds up over a day comes in bursts: its tail is heavy, and the logarithm of it is not.
	for f := range s {
		s[f], m.tried[f] = bent(f, s[f]), bent(f, m.tried[f])
	}
	return s, c
}

func bent(f int, s float64) float64 {
	const bend = 6
	if f == drift {
		return s
	}
	return bend * math.Log1p(s/bend)
}

// meets is everybody written to on a day, once each. What was made of them when the day was judged is not asked again.
func (m *Model) meets(p *Persona, d *day, judged []seen) []met {
	l := m.met[:0]
	clear(m.index)
	for i := range d.sent {
		x := &d.sent[i]
		for _, a := range x.to {
			if a.ID == d.who.ID {
				continue
			}
			if j, again := m.index[a.ID]; again {
				l[j].n++
				continue
			}
			m.index[a.ID] = len(l)
			e := met{a: a, c: p.contact(a), n: 1}
			e.asked = (e.c != nil && e.c.in > 0) || m.first[a.ID] != 0
			switch {
			case e.c != nil && e.c.out > 0:
			case judged != nil:
				e.seen, judged = judged[0], judged[1:]
			default:
				wide := 0
				if len(x.to) >= 4 {
					wide = 1
				}
				e.kind = uint8(m.relation(p, a)*4 + wide)
				if e.asked {
					e.kind += 2
				}
				if !a.Inside {
					e.own = m.opt.Own != nil && m.opt.Own(a, d.who)
					e.like = m.likeness(p, a)
				}
			}
			l = append(l, e)
		}
	}
	m.met = l
	return l
}

// relation is how a new correspondent stands to the person.
func (m *Model) relation(p *Persona, a *Address) int {
	if !a.Inside {
		if p.domain(a.Domain) != nil {
			return known
		}
		if _, ok := m.host[hostKey(a.Domain)]; ok {
			return ours
		}
		return foreign
	}
	q := m.people[a.ID]
	if q == nil {
		return stranger
	}
	switch p.common(q.state, 3) {
	case 0:
		return stranger
	case 1, 2:
		return colleague
	}
	return circle
}

// likeness is which domain that the person writes to, or works at, somebody outside at a domain new to the person can be taken to
// be at; or whose name before the @ is that of a correspondent at another domain. "" where it is like nothing.
func (m *Model) likeness(p *Persona, a *Address) string {
	if p.domain(a.Domain) != nil {
		return ""
	}
	if m.opt.Alike != nil {
		name := a.Host()
		if own := p.Of.Host(); m.opt.Alike(name, own) {
			return own
		}
		for i := range p.Known {
			k := &p.Known[i]
			if k.out == 0 {
				continue
			}
			if of := m.host[uint64(k.key)].name; of != "" && m.opt.Alike(name, of) {
				return of
			}
		}
	}
	if mark := a.mark; mark != 0 {
		for i := range p.Contacts {
			if c := &p.Contacts[i]; c.mark == mark && c.out > 0 {
				local, _, _ := strings.Cut(a.Name, "@")
				return local + "@…"
			}
		}
	}
	return ""
}

func rate(own, of, prior, weight float64) float64 { return (own + weight*prior) / (of + weight) }

// strange is how unlike the person those are who were written to, and how many are new.
//
// Each correspondent of the day has a log-likelihood ratio: that somebody would write there who does not know the person,
// against that the person would. Under the person, a correspondent is new with the person's own rate, drawn towards the
// tenant's (a two-level Beta-Binomial; for the number of new ones among n this is the Pitman-Yor process's rule with the
// discount learned instead of assumed; Heard and Rubin-Delanchy 2016, https://doi.org/10.1214/15-AOAS892, and Sanna Passino,
// Turcotte and Heard 2022, https://doi.org/10.1214/21-AOAS1540), of a kind (relation, asked, wide) with the tenant's Dirichlet frequencies; a known
// one comes with their share. The day's statistic is the mixture's.
func (m *Model) strange(p *Persona, d *day, people []met, c *cause) (float64, float64) {
	g := m.peers(p.Of)
	prior := (float64(m.fresh) + 2) / (float64(m.people_) + 10)
	if g != nil {
		prior = rate(float64(g.fresh), float64(g.people_), prior, 50)
	}
	fresh := rate(float64(p.Fresh), float64(p.People), prior, 10)
	all := 0.0
	for _, k := range m.kinds {
		all += float64(k)
	}
	total := float64(m.out) + 1
	l := m.llr[:0]
	bold, most := 0.0, math.Inf(-1)
	for i := range people {
		e := &people[i]
		if e.c == nil || e.c.out == 0 {
			e.llr = math.Log(0.9/fresh) + math.Log(kindPrior(int(e.kind))/(float64(m.kinds[e.kind])/all))
			if !e.asked {
				more := (float64(m.more) + 2) / (float64(m.moreOf) + 10)
				e.llr += float64(min(e.n-1, 4)) * math.Log(0.6/min(more, 0.6))
			}
			if e.like != "" {
				e.llr += math.Log(0.2 * (float64(m.fresh) + 200) / (float64(m.alikes) + 1))
				c.like, c.likes = e.a, e.like
			}
			e.llr = min(max(e.llr, -3), 9)
			if c.new++; e.llr > most {
				most = e.llr
				c.fresh = slices.Insert(c.fresh, 0, e.a)
			} else if len(c.fresh) < 8 {
				c.fresh = append(c.fresh, e.a)
			}
			c.fresh = c.fresh[:min(8, len(c.fresh))]
			if !e.asked {
				c.unasked++
				if e.kind&1 == 0 {
					bold++
				}
			}
		} else {
			own := float64(e.c.out*m.half.at(d.n-int32(e.c.last))) / (float64(p.People) + 1)
			pop := 0.0
			if q, ok := m.sent[e.a.ID]; ok {
				pop = float64(q.out * m.half.at(d.n-q.day))
			}
			e.llr = min(max(math.Log((pop+0.5)/total/max(own, 1e-4)), -4), 1.5)
		}
		l = append(l, e.llr)
	}
	m.llr = l
	days, tdays := float64(p.Days[0]+p.Days[1]), float64(m.days)+5
	prior = (float64(m.bold) + 1) / tdays
	prior2 := (float64(m.bold2) + 1) / tdays
	if g != nil {
		prior = rate(float64(g.bold), float64(g.days), prior, 20)
		prior2 = rate(float64(g.bold2), float64(g.days), prior2, 20)
	}
	mean := rate(float64(p.Bold), days, prior, 5)
	second := rate(float64(p.Bold2), days, max(prior2, prior+prior*prior), 8)
	c.newUsual = mean
	s0, s1 := mixture(l), surprise(bold, mean, size(mean, second))
	// An attack: four colleagues of colleagues are written to, and one who has nobody in common.
	for i := range 5 {
		kind := colleague * 4
		if i == 0 {
			kind = stranger * 4
		}
		l = append(l, min(max(math.Log(0.9/fresh)+math.Log(kindPrior(kind)/(float64(m.kinds[kind])/all)), -3), 9))
	}
	m.tried[strangers], m.tried[spread] = mixture(l), surprise(bold+5, mean, size(mean, second))
	return s0, s1
}

// size is the size of the negative binomial with that mean and second moment, kept in bounds.
func size(mean, second float64) float64 {
	over := second - mean*mean - mean
	if over <= 0 {
		return 20
	}
	return min(max(mean*mean/over, 0.15), 20)
}

// much is how much more was sent than usual on such a day: the tail of a negative binomial with the person's mean and
// spread of usual and of quiet days, drawn towards the tenant's.
func (m *Model) much(p *Persona, d *day, quiet int, c *cause) float64 {
	mean, size := m.usual(p, quiet)
	c.usual = mean
	n := float64(len(d.sent) + d.more)
	m.tried[volume] = surprise(n+5, mean, size)
	return surprise(n, mean, size)
}

// usual is the mean and the size of the negative binomial of how much is sent on such a day.
func (m *Model) usual(p *Persona, quiet int) (float64, float64) {
	prior := (float64(m.vol) + 2) / (float64(m.days) + 1)
	prior2 := (float64(m.vol2) + 10) / (float64(m.days) + 1)
	if g := m.peers(p.Of); g != nil {
		prior = rate(float64(g.vol), float64(g.days), prior, 20)
		prior2 = rate(float64(g.vol2), float64(g.days), prior2, 20)
	}
	prior2 = max(prior2, prior*prior)
	other := 1 - quiet
	n := float64(p.Days[quiet]) + 0.3*float64(p.Days[other])
	mean := rate(float64(p.Volume[quiet])+0.3*float64(p.Volume[other]), n, prior, 3)
	second := rate(float64(p.Square[quiet])+0.3*float64(p.Square[other]), n, prior2, 3)
	return mean, size(mean, second)
}

// awake is for each hour of the day the chance that the person sends something in it, on a usual or a quiet day with mail: the
// share of such days, drawn towards what it is in the hours around and towards the tenant's share.
func (m *Model) awake(p *Persona, quiet int) (f [24]float64) {
	var own [24]float64
	n := float64(p.Days[quiet]) + 0.3*float64(p.Days[1-quiet])
	for h := range 24 {
		for w := range 7 {
			x := float64(p.Hours[w*24+h])
			if (w >= 5) != (quiet == 1) {
				x *= 0.3
			}
			own[h] += x
		}
	}
	n = max(n, slices.Max(own[:]))
	tn := float64(m.awakeDays[quiet]) + 0.2*float64(m.awakeDays[1-quiet]) + 4
	g := m.peers(p.Of)
	for h := range 24 {
		near := 0.35*(own[(h+1)%24]+own[(h+23)%24]) + 0.15*(own[(h+2)%24]+own[(h+22)%24])
		all := (float64(m.hours[quiet][h]) + 0.2*float64(m.hours[1-quiet][h]) + 0.4) / tn
		if g != nil {
			all = rate(float64(g.hours[quiet][h]), float64(g.awakeDays[quiet]), all, 20)
		}
		f[h] = (own[h] + 2*near/(n+1) + 2*all) / (n + 4)
	}
	return f
}

// late is how odd the hours are: for each hour of the day in which something was sent, the log ratio of a day without night
// to the person's own, where that is above nothing. Hours in a row are mostly one sitting and count less, and so does what
// answers a mail that has just come, and what is answered at once.
func (m *Model) late(p *Persona, d *day, quiet int, c *cause) float64 {
	f := m.awake(p, quiet)
	var on [24]bool
	for i := range d.sent {
		on[d.sent[i].hour%24] = true
	}
	sum := 0.0
	last := -10
	for i := range d.sent {
		x := &d.sent[i]
		h := int(x.hour)
		llr := math.Log(0.125 / f[h%24])
		if llr <= 0 {
			last = h
			continue
		}
		if llr > 1 {
			if c.odd++; c.odd == 1 {
				c.oddAt = x.at
			}
			if o := uint8(h % 24); len(c.hours) < 5 && (len(c.hours) == 0 || c.hours[len(c.hours)-1] != o) {
				c.hours = append(c.hours, o)
			}
		}
		switch {
		case h == last:
			llr = 0.3
		case on[(h+1)%24] || on[(h+23)%24]:
			llr *= 0.6
		}
		switch {
		case d.answers(x):
			llr *= 0.25
		case d.answered(x):
			llr *= 0.5
		}
		sum += llr
		last = h
	}
	// An attack: three mails, in hours like the third, the sixth and the ninth of those that are used least.
	slices.Sort(f[:])
	m.tried[hours] = sum
	for _, h := range [...]int{2, 5, 8} {
		m.tried[hours] += max(0, math.Log(0.125/f[h]))
	}
	return sum
}

// SwiftWithin is the time within which an answer is a swift one.
const SwiftWithin = 90 * time.Minute

// answers says whether a mailing goes to somebody who wrote in the time before within which answers are swift.
func (d *day) answers(x *sent) bool { return d.between(x, x.at-SwiftWithin.Milliseconds(), x.at) }

// answered says whether it was answered within 30 minutes: they are talking.
func (d *day) answered(x *sent) bool { return d.between(x, x.at, x.at+1_800_000) }

// between says whether somebody to whom a mailing goes wrote from one time to another.
func (d *day) between(x *sent, from, till int64) bool {
	i, _ := slices.BinarySearchFunc(d.got, from, func(g got, at int64) int { return cmp.Compare(g.at, at) })
	for ; i < len(d.got) && d.got[i].at < till; i++ {
		id := d.got[i].from.ID
		if slices.ContainsFunc(x.to, func(a *Address) bool { return a.ID == id }) {
			return true
		}
	}
	return false
}

// carried is how unlike the person it is to send attachments to an outside domain: for the domain of the day where this is
// most so, the log ratio that the domain is new, that mails there carry attachments, and that there are so many.
func (m *Model) carried(p *Persona, d *day, people []met, c *cause) float64 {
	hosts := m.hosted[:0]
	for i := range d.sent {
		x := &d.sent[i]
		for j, a := range x.to {
			if a.Inside || a.ID == d.who.ID {
				continue
			}
			again := false
			for _, b := range x.to[:j] {
				again = again || b.Domain == a.Domain
			}
			if again {
				continue
			}
			k := 0
			for k < len(hosts) && hosts[k].a.Domain != a.Domain {
				k++
			}
			if k == len(hosts) {
				hosts = append(hosts, hosted{a: a})
			}
			h := &hosts[k]
			h.n++
			switch {
			case x.files > 0:
				h.files++
			case x.files == 0:
				h.none++
			}
			h.asked = h.asked || m.first[a.ID] != 0
		}
	}
	m.hosted = hosts
	best := 0.0
	days := float64(p.Days[0] + p.Days[1])
	prior := (float64(m.newHosts) + 1) / (float64(m.days) + 5)
	if g := m.peers(p.Of); g != nil {
		prior = rate(float64(g.newHosts), float64(g.days), prior, 20)
	}
	newHost := rate(float64(p.New), days, prior, 5)
	base := rate(float64(p.Files), float64(p.Filed), (float64(m.files)+1)/(float64(m.filed)+5), 8)
	baseNew := rate(float64(m.newFiles), float64(m.newFiled), base, 8)
	more := (float64(m.more) + 2) / (float64(m.moreOf) + 10)
	// An attack: three mails with attachments to a domain that is new to the person.
	m.tried[files] = max(0, math.Log(1/min(newHost, 1))+2*math.Log(0.7/min(more, 0.7))+3*math.Log(0.9/min(baseNew, 0.9)))
	for _, h := range hosts {
		k := p.domain(h.a.Domain)
		s := 0.0
		at := base
		isNew := k == nil || k.out == 0
		switch {
		case isNew:
			s = math.Log(1 / min(newHost, 1))
			at = baseNew
			if h.asked || (k != nil && k.in > 0) {
				s -= 2
			}
			s += float64(min(h.n-1, 6)) * math.Log(0.7/min(more, 0.7))
		default:
			at = rate(float64(k.files), float64(k.filed), base, 6)
			share := float64(k.out*m.half.at(d.n-int32(k.last))) / (days + 1)
			s = 0.5 * surprise(float64(h.n), share, 0.5)
		}
		s += float64(h.files)*math.Log(0.9/min(at, 0.9)) + float64(h.none)*math.Log(0.1/(1-min(at, 0.9)))
		if h.files+h.none == 0 {
			s *= 0.5
		}
		own := (*Address)(nil)
		for i := range people {
			if e := &people[i]; e.own && e.a.Domain == h.a.Domain {
				own = e.a
				s += math.Log(0.2 * (float64(m.hosts) + 100) / (float64(m.owns) + 0.5))
				break
			}
		}
		if s > best {
			best = s
			c.host, c.hostNew, c.hostN, c.hostF, c.own = h.a, isNew, h.n, h.files, own
		}
	}
	return best
}

// grows is the trend of the outside correspondent of the day whose weeks grow most: the log-likelihood ratio of a Poisson
// rate that grows by as much every week, from nothing, against weeks that are exchangeable and overdispersed as
// correspondences are (a negative binomial of size 0.8), for the best length of at least four weeks; and that nobody answers.
func (m *Model) grows(p *Persona, d *day, people []met, c *cause) float64 {
	best := 0.0
	for i := range people {
		e := &people[i]
		if e.a.Inside {
			continue
		}
		t := p.trend(e.a)
		if t == nil {
			continue
		}
		n := t.at(week(d.n))
		n[trendWeeks-1] = uint8(min(255, int(n[trendWeeks-1])+e.n))
		part := float64(weekday(d.n)+1) / 7
		if s, from := growth(n, part); s > best {
			s += answers(n, t.in)
			if s > best {
				best = s
				c.growing = e.a
				c.weeks = c.weeks[:0]
				for _, x := range n[from:] {
					c.weeks = append(c.weeks, int(x))
				}
			}
		}
	}
	m.tried[drift] = drifting
	return best
}

// drifting is the statistic of an attack: one mail more every week for six weeks, and no answer.
var drifting = func() float64 {
	n := [trendWeeks]uint8{trendWeeks - 6: 1, 2, 3, 4, 5, 6}
	s, _ := growth(n, 1)
	return s + answers(n, 0)
}()

// growth is the largest log-likelihood ratio over the lengths, and where the run begins. part is how much of the last week is over.
func growth(n [trendWeeks]uint8, part float64) (float64, int) {
	best, from := 0.0, 0
	for length := 2; length <= trendWeeks; length++ {
		run := n[trendWeeks-length:]
		sum, parts, steps := 0.0, 0.0, 0.0
		zero := 0
		for i, x := range run {
			w := 1.0
			if i == length-1 {
				w = part
			}
			sum += float64(x)
			parts += w
			steps += w * float64(i+1)
			if x == 0 && i < length-1 {
				zero++
			}
		}
		if sum < 2 || zero > 1 {
			continue
		}
		slope, mean := sum/steps, sum/parts
		llr := 0.0
		for i, x := range run {
			w := 1.0
			if i == length-1 {
				w = part
			}
			llr += logPoisson(float64(x), slope*float64(i+1)*w) - logNB(float64(x), mean*w, 0.8)
		}
		if llr > best {
			best, from = llr, trendWeeks-length
		}
	}
	return best, from
}

// answers is how much it tells that out of so many mails so few were answered.
func answers(n [trendWeeks]uint8, in uint8) float64 {
	out := 0.0
	for _, x := range n {
		out += float64(x)
	}
	return min(3, 0.8*math.Log((out+1)/(float64(in)*2+1)))
}

// ruled is how odd it is that the person made a mailbox rule, by what the rule does.
func (m *Model) ruled(p *Persona, d *day) float64 {
	if len(d.rule) == 0 {
		return 0
	}
	prior := (float64(m.rules) + 0.2) / (float64(m.days) + 20)
	s := -math.Log(rate(float64(p.Rules), float64(p.Days[0]+p.Days[1]), prior, 20))
	worst := 0.0
	f := m.awake(p, 0)
	for _, r := range d.rule {
		x := 0.0
		if r.Outside {
			x += 3
		}
		if r.Deletes {
			x += 1.5
		}
		if r.Hide {
			x += 1.5
		}
		_, h := m.local(d.who, r.At)
		x += max(0, math.Log(0.125/f[h%24]))
		worst = max(worst, x)
	}
	return max(0, s+worst)
}
