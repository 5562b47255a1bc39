package learn

import (
	"math"
	"slices"
)

// learn takes a closed day into the personas and the tenant's rates. What a person did on a day that alarmed counts a quarter:
// enough that a new job is usual after some weeks, too little for a thief to teach it.
func (m *Model) learn(n int32, days []*day, verdicts []Day, quiet int) {
	m.fade(n)
	at := 0
	sent := 0
	var joints []float64
	for _, d := range days {
		var v *Day
		if at < len(verdicts) && verdicts[at].day == d {
			v = &verdicts[at]
			at++
		}
		p := m.people[d.who.ID]
		if p == nil {
			p = &Persona{Of: d.who, First: n, Day: n}
			m.people[d.who.ID] = p
		}
		p.age(n, m.half)
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
			}
			if v.habit > 2.3026 {
				p.Odd[0]++
				if v.habit > 4.6052 {
					p.Odd[1]++
				}
			}
			joints = append(joints, v.joint)
			target := m.opt.Budget / 30.44 * m.calendar()
			if v.Alarm {
				m.strict -= 0.05
			}
			m.strict += 0.05 * target
			m.strict = min(max(m.strict, -6), 0)
		}
		m.take(p, d, quiet, weight)
		sent += len(d.sent)
	}
	for i := range verdicts {
		for f := range features {
			w := float32(1)
			if verdicts[i].z[f] > 2.3 { // one person's habit is not the tenant's
				w = 1 / (0.7 + 0.3*m.people[verdicts[i].Who.ID].Over[f][0])
			}
			m.tails[f].add(verdicts[i].stats[f], w)
		}
		for c := range classes {
			w := float32(1)
			if c == classDrift && verdicts[i].z[drift] > 2.3 {
				o := 0.7 + 0.3*m.people[verdicts[i].Who.ID].Over[drift][0]
				w = 1 / o
			}
			m.classes[c].add(verdicts[i].class[c], w)
		}
	}
	for c := range m.classes {
		m.classes[c].settle()
	}
	for _, j := range joints {
		m.joint.add(j, 1)
	}
	for f := range m.tails {
		m.tails[f].settle()
	}
	m.joint.settle()
	w := weekday(n)
	m.week[w] = 0.8*m.week[w] + float32(sent)
	m.weeks[w] = 0.8*m.weeks[w] + 1
	m.calendarDays += float32(len(m.people))
	m.at = n
}

// calendar is how many calendar days one person-day with a mailing stands for.
func (m *Model) calendar() float64 {
	if m.personDays == 0 {
		return 1
	}
	return float64(m.calendarDays / m.personDays)
}

// fade decays what the tenant has to day n.
func (m *Model) fade(n int32) {
	by := n - m.at
	if m.at == 0 {
		by = 0
	}
	f := m.half.at(by)
	for _, x := range []*float32{&m.out, &m.people_, &m.fresh, &m.bold, &m.bold2, &m.days, &m.vol, &m.vol2, &m.outs, &m.hosts, &m.newHosts, &m.files, &m.filed, &m.newFiles, &m.newFiled, &m.more, &m.moreOf, &m.rules, &m.personDays, &m.calendarDays} {
		*x *= f
	}
	for k := range m.kinds {
		m.kinds[k] = m.kinds[k]*f + 20*float32(kindPrior(k))*(1-f)
	}
	for q := range m.hours {
		m.awakeDays[q] *= f
		for h := range m.hours[q] {
			m.hours[q][h] *= f
		}
	}
	slow := float32(math.Sqrt(float64(f)))
	for i := range m.tails {
		m.tails[i].fade(slow)
	}
	for i := range m.classes {
		m.classes[i].fade(slow)
	}
	m.joint.fade(slow)
}

// take is one person's day into their persona, with that weight, and into the tenant's rates.
func (m *Model) take(p *Persona, d *day, quiet int, weight float32) {
	n := d.n
	week := int32(floor(int64(n+3), 7))
	if len(d.sent) > 0 {
		people := m.meets(p, d)
		fresh, bold := float32(0), float32(0)
		for _, e := range people {
			if e.c != nil && e.c.out > 0 {
				continue
			}
			fresh++
			m.kinds[e.kind] += weight
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
		count := float32(len(d.sent))
		p.Days[quiet] += weight
		p.Volume[quiet] += weight * count
		p.Square[quiet] += weight * count * count
		p.Sent += weight * count
		p.People += weight * float32(len(people))
		p.Fresh += weight * fresh
		p.Bold += weight * bold
		p.Bold2 += weight * bold * bold
		m.days += weight
		m.awakeDays[quiet] += weight
		m.vol += weight * count
		m.vol2 += weight * count * count
		m.people_ += weight * float32(len(people))
		m.fresh += weight * fresh
		m.bold += weight * bold
		m.bold2 += weight * bold * bold
		for _, e := range people {
			isNew := e.c == nil || e.c.out == 0
			c := p.meet(e.a, n, m.half)
			c.out += weight * float32(e.n)
			m.pop(m.sent, e.a.ID).learn(d.who, weight*float32(e.n), isNew, n, m.half)
			m.out += weight * float32(e.n)
			if !e.a.Inside {
				t := p.follow(e.a, week)
				t.n[trendWeeks-1] = uint8(min(255, int(t.n[trendWeeks-1])+e.n))
			}
		}
		m.takeHosts(p, d, weight)
		for i := range d.sent {
			x := &d.sent[i]
			if i == 0 || d.sent[i-1].hour != x.hour {
				p.Hours[x.hour] += weight
				m.hours[quiet][x.hour%24] += weight
			}
		}
	}
	for i := range d.got {
		g := &d.got[i]
		c := p.meet(g.from, n, m.half)
		c.in++
		if !g.from.Inside {
			k := p.know(g.from.Domain, n, m.half)
			k.in++
			if t := p.trend(g.from); t != nil && t.in < 255 {
				t.in++
			}
		}
	}
	if len(d.rule) > 0 {
		p.Rules += weight
		m.rules += weight
	}
}

func (m *Model) takeHosts(p *Persona, d *day, weight float32) {
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
				m.hosts += weight
				if isNew {
					fresh = append(fresh, a.Domain)
					p.New += weight
					m.newHosts += weight
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
			m.pop(m.host, a.Domain).learn(d.who, weight, isNew, d.n, m.half)
		}
		if out {
			p.Out += weight
			m.outs += weight
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

func (m *Model) pop(of map[uint64]*popular, id uint64) *popular {
	q := of[id]
	if q == nil {
		q = &popular{}
		of[id] = q
	}
	return q
}
