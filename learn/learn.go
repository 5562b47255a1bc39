package learn

import (
	"cmp"
	"math"
	"slices"
)

// learn takes a closed day into the personas and the tenant's rates. What a person did on a day that alarmed counts a quarter:
// enough that a new job is usual after some weeks, too little for a thief to teach it.
func (m *Model) learn(g *gather, logs []*log, verdicts []Day, quiet int) {
	m.fade(g.n)
	p := &m.who
	at, sent := 0, 0
	active := m.active(g.n)
	for _, l := range logs {
		var v *Day
		if at < len(verdicts) && verdicts[at].Who.ID == l.who.ID {
			v = &verdicts[at]
			at++
		}
		m.wake(p, l.who, g.n)
		p.age(g.n, m.half)
		weight := float32(1)
		if v != nil && v.Alarm {
			weight = 0.25
		}
		if v != nil {
			if v.Sent > 0 {
				m.personDays++
			}
			for f := range features {
				if z := m.tails[f].z(v.stats[f]); z > 2.3026 {
					p.Over[f][0]++
					if z > 4.6052 {
						p.Over[f][1]++
					}
				}
				v.over[f] = p.Over[f][0]
			}
			if v.habit > 2.3026 {
				p.Odd[0]++
				if v.habit > 4.6052 {
					p.Odd[1]++
				}
			}
			target := m.opt.Budget / 30.44 * m.calendar()
			if v.Alarm {
				m.strict -= 0.15
			}
			m.strict += 0.15 * target
			m.strict = min(max(m.strict, -6), 0)
		}
		var judged []seen
		if v != nil {
			judged = v.cause.seen
			v.cause.seen = nil
		}
		m.take(p, m.day(g, l), judged, quiet, weight)
		m.rest(p)
		sent += int(l.all)
	}
	for i := range verdicts {
		v := &verdicts[i]
		for f := range features {
			w := float32(1)
			if v.z[f] > 2.3 { // one person's habit is not the tenant's
				w = 1 / (0.7 + 0.3*v.over[f])
			}
			m.tails[f].add(v.stats[f], w)
		}
		for c := range classes {
			w := float32(1)
			if c == classDrift && v.z[drift] > 2.3 {
				w = 1 / (0.7 + 0.3*v.over[drift])
			}
			m.classes[c].add(v.class[c], w)
		}
		m.joint.add(v.joint, 1)
		for c := range classes {
			if c != classRules && v.Sent > 0 {
				m.attacks[c].add(v.tried[c])
			}
		}
	}
	m.settle()
	w := weekday(g.n)
	m.week[w] = 0.8*m.week[w] + float32(sent)
	m.weeks[w] = 0.8*m.weeks[w] + 1
	m.calendarDays += float32(max(active, len(verdicts)))
	m.at = g.n
}

// active is how many persons there are of whom alarms are to be expected: who ever sent something, and was heard of in the
// last two half-lives.
func (m *Model) active(n int32) int {
	k := 0
	for _, s := range m.people {
		if s.sent && float64(n-s.day) <= 2*m.opt.HalfLife {
			k++
		}
	}
	return k
}

// bound keeps the model in its room: what is written to least goes first, and who has long not been heard of.
func (m *Model) bound(n int32) {
	m.least(m.sent, maxSentTo+2*len(m.people), n)
	m.least(m.host, maxHosts, n)
	senders := 0
	for _, s := range m.people {
		if s.sent {
			senders++
		}
	}
	var gone []*slot
	for _, s := range m.people {
		if float64(n-s.day) > forgetting*m.opt.HalfLife {
			gone = append(gone, s)
		}
	}
	if silent := len(m.people) - senders; silent > maxSilent+2*senders {
		var l []*slot
		for _, s := range m.people {
			if !s.sent {
				l = append(l, s)
			}
		}
		slices.SortFunc(l, func(a, b *slot) int { return cmp.Or(cmp.Compare(a.day, b.day), byID(a.of, b.of)) })
		gone = append(gone, l[:silent/2]...)
	}
	for _, s := range gone {
		delete(m.people, s.of.ID)
		if len(m.gone) < 1<<18 { // nobody may ever ask
			m.gone = append(m.gone, s.of)
		}
	}
}

// least forgets half of what is known of those who are written to, the least first, where there are more than most.
func (m *Model) least(of map[uint64]popular, most int, n int32) {
	if len(of) <= most {
		return
	}
	type known struct {
		id  uint64
		out float32
	}
	l := make([]known, 0, len(of))
	for id, q := range of {
		l = append(l, known{id, q.out * m.half.at(n-q.day)})
	}
	slices.SortFunc(l, func(a, b known) int { return cmp.Or(cmp.Compare(a.out, b.out), cmp.Compare(a.id, b.id)) })
	for _, k := range l[:len(l)-most/2] {
		delete(of, k.id)
	}
}

// calendar is how many calendar days one person-day with a mailing stands for.
func (m *Model) calendar() float64 {
	if m.personDays == 0 {
		return 1
	}
	return float64(m.calendarDays / m.personDays)
}

// decaying are the tenant's rates, in the order in which they are kept.
func (m *Model) decaying() []*float32 {
	return append(m.rates.all(), &m.out, &m.files, &m.filed, &m.newFiles, &m.newFiled, &m.more, &m.moreOf, &m.rules, &m.owns, &m.alikes, &m.personDays, &m.calendarDays)
}

// fade decays what the tenant has to day n.
func (m *Model) fade(n int32) {
	by := n - m.at
	if m.at == 0 {
		by = 0
	}
	f := m.half.at(by)
	for _, x := range m.decaying() {
		*x *= f
	}
	for _, g := range m.groups {
		for _, x := range g.all() {
			*x *= f
		}
	}
	for k := range m.kinds {
		m.kinds[k] = m.kinds[k]*f + 20*float32(kindPrior(k))*(1-f)
	}
	slow := float32(math.Sqrt(float64(f)))
	for i := range m.tails {
		m.tails[i].fade(slow)
	}
	for i := range m.classes {
		m.classes[i].fade(slow)
	}
	m.joint.fade(slow)
	for i := range m.attacks {
		m.attacks[i].fade(f)
	}
}

// take is one person's day into their persona, with that weight, and into the tenant's rates and their group's.
func (m *Model) take(p *Persona, d *day, judged []seen, quiet int, weight float32) {
	n := d.n
	wk := week(n)
	group := m.among(p.Of)
	both := func(add func(r *rates)) {
		add(&m.rates)
		if group != nil {
			add(group)
		}
	}
	if len(d.sent) > 0 {
		people := m.meets(p, d, judged)
		fresh, bold := float32(0), float32(0)
		for i := range people {
			e := &people[i]
			if e.c != nil && e.c.out > 0 {
				continue
			}
			fresh++
			m.kinds[e.kind] += weight
			if e.own {
				m.owns += weight
			}
			if e.like != "" {
				m.alikes += weight
			}
			if !e.asked {
				m.moreOf += weight
				if e.n > 1 {
					m.more += weight * float32(min(e.n-1, 4)) / 2
				}
				if e.kind&1 == 0 {
					bold++
				}
			}
		}
		count := float32(len(d.sent) + d.more)
		p.Days[quiet] += weight
		p.Volume[quiet] += weight * count
		p.Square[quiet] += weight * count * count
		p.Sent += weight * count
		p.People += weight * float32(len(people))
		p.Fresh += weight * fresh
		p.Bold += weight * bold
		p.Bold2 += weight * bold * bold
		both(func(r *rates) {
			r.days += weight
			r.awakeDays[quiet] += weight
			r.vol += weight * count
			r.vol2 += weight * count * count
			r.people_ += weight * float32(len(people))
			r.fresh += weight * fresh
			r.bold += weight * bold
			r.bold2 += weight * bold * bold
			for i := range d.sent {
				if x := &d.sent[i]; i == 0 || d.sent[i-1].hour != x.hour {
					r.hours[quiet][x.hour%24] += weight
				}
			}
		})
		for i := range people {
			e := &people[i]
			c := p.meet(e.a, n, m.half)
			c.out += weight * float32(e.n)
			m.popular(m.sent, e.a.ID, "", weight*float32(e.n), n)
			m.out += weight * float32(e.n)
			if !e.a.Inside {
				t := p.follow(e.a, wk)
				t.n[trendWeeks-1] = uint8(min(255, int(t.n[trendWeeks-1])+e.n))
			}
		}
		m.takeHosts(p, d, weight, both)
		for i := range d.sent {
			x := &d.sent[i]
			if i == 0 || d.sent[i-1].hour != x.hour {
				p.Hours[x.hour] += weight
			}
			if d.answers(x) {
				p.Swift += weight
			}
		}
	}
	for i := range d.got {
		a := d.got[i].from
		c := p.meet(a, n, m.half)
		c.in++
		if !a.Inside {
			k := p.know(a.Domain, n, m.half)
			k.in++
			if t := p.trend(a); t != nil && t.in < 255 {
				t.in++
			}
		}
	}
	if len(d.rule) > 0 {
		p.Rules += weight
		m.rules += weight
	}
}

func (m *Model) takeHosts(p *Persona, d *day, weight float32, both func(func(*rates))) {
	var seen, fresh []uint64
	for i := range d.sent {
		x := &d.sent[i]
		out := false
		for j, a := range x.to {
			if a.Inside || slices.ContainsFunc(x.to[:j], func(b *Address) bool { return b.Domain == a.Domain }) {
				continue
			}
			out = true
			old := p.domain(a.Domain)
			isNew := old == nil || old.out == 0
			if !slices.Contains(seen, a.Domain) {
				seen = append(seen, a.Domain)
				p.Hosts += weight
				both(func(r *rates) { r.hosts += weight })
				if isNew {
					fresh = append(fresh, a.Domain)
					p.New += weight
					both(func(r *rates) { r.newHosts += weight })
				}
			}
			k := p.know(a.Domain, d.n, m.half)
			k.out += weight
			if x.files >= 0 {
				k.filed += weight
				if x.files > 0 {
					k.files += weight
				}
				if slices.Contains(fresh, a.Domain) {
					m.newFiled += weight
					if x.files > 0 {
						m.newFiles += weight
					}
				}
			}
			m.popular(m.host, hostKey(a.Domain), a.Host(), weight, d.n)
		}
		if out {
			p.Out += weight
			both(func(r *rates) { r.outs += weight })
			if x.files >= 0 {
				p.Filed += weight
				m.filed += weight
				if x.files > 0 {
					p.Files += weight
					m.files += weight
				}
			}
		}
	}
}

// hostKey is a domain as personas know it.
func hostKey(d uint64) uint64 { return uint64(uint32(d)) }

// popular counts n mailings to somebody or to a domain.
func (m *Model) popular(of map[uint64]popular, id uint64, name string, n float32, day int32) {
	q := of[id]
	of[id] = popular{q.out*m.half.at(day-q.day) + n, max(q.day, day), name}
}
