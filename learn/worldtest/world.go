// Package worldtest makes a company of people who write mail to each other, for measuring.
//
// It shares no code and no assumption with package learn: nobody here has a rate, a distribution of correspondents or a
// density of hours. People sit in teams, have working days and habits, take part in projects that begin and end, answer what
// they get when they are at their desk, know customers, go on holiday, travel, work late before a deadline, and change jobs.
package worldtest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"tocsin.dev/learn"
)

// Size is how large a world is.
type Size struct{ People, Days int }

type worker struct {
	a             *learn.Address
	team          int
	start, length float64 // hours
	talk          float64 // how many threads a day they begin, on average
	late          float64 // the share of days on which they sit down again in the evening
	weekend       float64 // the share of weekend days
	files         float64 // how readily they attach something
	sales         bool
	away          map[int]bool
	travel        map[int]float64 // hours by which the day is shifted
	friends       []int
	clients       []*learn.Address
}

type project struct {
	members    []int
	outside    []*learn.Address
	from, till int
	pace       float64
	papers     float64
}

type world struct {
	r        *rand.Rand
	names    *learn.Names
	w        []*worker
	teams    [][]int
	projects []*project
	partners [][]*learn.Address
	pool     []*learn.Address
	begin    time.Time
	holiday  map[int]bool
	season   [][]float64
	out      []learn.Mail
	n        int
}

// New makes the mails of a company, in order of time, with the names it is known by.
func New(s Size, seed uint64) ([]learn.Mail, *learn.Names) {
	w := &world{r: rand.New(rand.NewPCG(seed, 77)), names: learn.NewNames("acme.example"), begin: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), holiday: map[int]bool{}}
	w.hire(s)
	for d := range s.Days {
		w.day(d)
	}
	slices.SortStableFunc(w.out, func(a, b learn.Mail) int { return cmp.Compare(a.At, b.At) })
	return w.out, w.names
}

func (w *world) hire(s Size) {
	r := w.r
	for i := range 60 {
		var l []*learn.Address
		for j := range 3 + r.IntN(12) {
			l = append(l, w.names.Of(fmt.Sprintf("c%d@partner%d.example", j, i)))
		}
		w.partners = append(w.partners, l)
	}
	for i := range 1500 {
		w.pool = append(w.pool, w.names.Of(fmt.Sprintf("info@firm%d.example", i)))
	}
	teams := s.People / 9
	w.teams = make([][]int, teams)
	for i := range s.People {
		t := i % teams
		w.teams[t] = append(w.teams[t], i)
		x := &worker{a: w.names.Of(fmt.Sprintf("p%d@acme.example", i)), team: t, away: map[int]bool{}, travel: map[int]float64{}}
		x.start = 8 + r.NormFloat64()*0.7
		x.length = 7.5 + r.Float64()*2.5
		if r.IntN(25) == 0 { // the late shift
			x.start, x.length = 14+r.NormFloat64(), 8
		}
		x.talk = 0.5 + math.Abs(r.NormFloat64())*1.6
		if r.IntN(3) == 0 {
			x.late = r.Float64() * 0.35
		} else {
			x.late = r.Float64() * 0.03
		}
		if r.IntN(8) == 0 {
			x.weekend = r.Float64() * 0.3
		} else {
			x.weekend = r.Float64() * 0.01
		}
		x.files = 0.05 + r.Float64()*0.3
		x.sales = t%6 == 0
		for range 1 + r.IntN(6) {
			x.friends = append(x.friends, r.IntN(s.People))
		}
		n := r.IntN(4)
		if x.sales {
			n = 6 + r.IntN(12)
		}
		for range n {
			p := w.partners[r.IntN(len(w.partners))]
			x.clients = append(x.clients, p[r.IntN(len(p))])
		}
		for k := range r.IntN(3) { // vacations
			from := r.IntN(s.Days)
			for d := range 4 + r.IntN(10) + k {
				x.away[from+d] = true
			}
		}
		if r.IntN(7) == 0 { // a business trip
			from, by := r.IntN(s.Days), float64(r.IntN(15)-7)
			for d := range 3 + r.IntN(5) {
				x.travel[from+d] = by
			}
		}
		w.w = append(w.w, x)
	}
	for range s.People * s.Days / 450 {
		w.projects = append(w.projects, w.project(s))
	}
	for range 5 {
		w.holiday[r.IntN(s.Days)] = true
	}
	w.season = make([][]float64, teams)
	for t := range w.season {
		w.season[t] = make([]float64, s.Days)
		for d := range w.season[t] {
			w.season[t][d] = 1
		}
		if r.IntN(3) > 0 {
			from := r.IntN(s.Days)
			for d := from; d < min(s.Days, from+7+r.IntN(10)); d++ {
				w.season[t][d] = 1.8
			}
		}
	}
	// Job changes: one in twelve goes to another team, with the customers of a new colleague.
	for i, x := range w.w {
		if r.IntN(12) == 0 {
			day := s.Days/5 + r.IntN(s.Days*3/4)
			w.projects = append(w.projects, &project{members: []int{i}, from: day, till: day, pace: -1})
			_ = x
		}
	}
}

func (w *world) project(s Size) *project {
	r := w.r
	p := &project{from: r.IntN(s.Days+40) - 40, pace: 0.2 + r.Float64()*0.6, papers: r.Float64() * 0.6}
	p.till = p.from + 8 + r.IntN(50)
	for range 1 + r.IntN(3) {
		t := w.teams[r.IntN(len(w.teams))]
		for range 1 + r.IntN(4) {
			if m := t[r.IntN(len(t))]; !slices.Contains(p.members, m) {
				p.members = append(p.members, m)
			}
		}
	}
	if r.IntN(3) == 0 {
		q := w.partners[r.IntN(len(w.partners))]
		for range 1 + r.IntN(3) {
			if a := q[r.IntN(len(q))]; !slices.Contains(p.outside, a) {
				p.outside = append(p.outside, a)
			}
		}
	}
	return p
}

func (w *world) atWork(i, d int) bool {
	x := w.w[i]
	if x.away[d] {
		return false
	}
	if d%7 >= 5 || w.holiday[d] {
		// whether somebody works on a weekend is drawn again each time it is asked, which is near enough
		return w.r.Float64() < x.weekend
	}
	return true
}

// moment is a time of day at which the person sits at the desk, in hours.
func (w *world) moment(i, d int) float64 {
	x := w.w[i]
	r := w.r
	h := x.start + r.Float64()*x.length
	if r.Float64() < 0.6 && math.Abs(h-(x.start+x.length/2)) < 0.7 { // lunch
		h += 1.2
	}
	if d%3 == i%3 && r.Float64() < x.late*2 { // an evening
		h = 20 + r.Float64()*3.2
	}
	return h - x.travel[d]
}

func (w *world) send(d int, h float64, from *learn.Address, to []*learn.Address, files bool) {
	to = slices.DeleteFunc(to, func(a *learn.Address) bool { return a == from })
	if len(to) == 0 {
		return
	}
	w.n++
	x := learn.Mail{At: w.begin.AddDate(0, 0, d).UnixMilli() + int64(h*3_600_000), From: from, To: to, ID: fmt.Sprint("m", w.n)}
	if files {
		x.Files = 1
	}
	w.out = append(w.out, x)
}

func (w *world) day(d int) {
	r := w.r
	for _, p := range w.projects {
		switch {
		case p.pace < 0 && p.from == d:
			x := w.w[p.members[0]]
			t := r.IntN(len(w.teams))
			x.team, x.friends = t, append(x.friends[:len(x.friends)/2], w.teams[t][r.IntN(len(w.teams[t]))])
			x.clients = w.w[w.teams[t][0]].clients
			w.teams[t] = append(w.teams[t], p.members[0])
		case p.pace > 0 && p.from <= d && d < p.till:
			pace := p.pace
			if p.till-d <= 3 {
				pace *= 2
			}
			for i, m := range p.members {
				if w.atWork(m, d) && r.Float64() < pace {
					w.thread(d, m, w.some(p.members, i), p.outside, p.papers)
				}
			}
		}
	}
	for i, x := range w.w {
		if !w.atWork(i, d) {
			continue
		}
		talk := x.talk * w.season[x.team][d] * (0.4 + 1.2*r.Float64())
		for ; r.Float64() < talk; talk-- {
			switch u := r.Float64(); {
			case u < 0.55:
				w.thread(d, i, w.some(w.teams[x.team], -1), nil, x.files)
			case u < 0.72 && len(x.friends) > 0:
				w.thread(d, i, []int{x.friends[r.IntN(len(x.friends))]}, nil, x.files)
			case u < 0.76:
				w.thread(d, i, []int{r.IntN(len(w.w))}, nil, x.files/2)
			case u < 0.90 && len(x.clients) > 0:
				w.thread(d, i, nil, []*learn.Address{x.clients[r.IntN(len(x.clients))]}, x.files*1.5)
			case u < 0.93 || x.sales && u < 0.97:
				a := w.pool[r.IntN(len(w.pool))]
				if r.IntN(2) == 0 {
					p := w.partners[r.IntN(len(w.partners))]
					a = p[r.IntN(len(p))]
				}
				if r.IntN(3) == 0 { // they write first
					w.send(d, w.moment(i, d)-1, a, []*learn.Address{x.a}, r.IntN(4) == 0)
				}
				w.thread(d, i, nil, []*learn.Address{a}, x.files)
			}
		}
		if r.IntN(3) == 0 {
			w.send(d, r.Float64()*24, w.pool[r.IntN(40)], []*learn.Address{x.a}, false)
		}
	}
}

// some is one to four of a group, mostly those who stand near to i.
func (w *world) some(group []int, i int) []int {
	var l []int
	for range 1 + min(w.r.IntN(4), w.r.IntN(4)) {
		m := group[w.r.IntN(len(group))]
		if i >= 0 && w.r.IntN(2) == 0 {
			m = group[(i+1)%len(group)]
		}
		if !slices.Contains(l, m) {
			l = append(l, m)
		}
	}
	return l
}

// thread is a mail and what comes of it: answers while people are at their desk, else on a later day.
func (w *world) thread(d, by int, to []int, outside []*learn.Address, files float64) {
	r := w.r
	all := append([]*learn.Address{w.w[by].a}, outside...)
	for _, m := range to {
		all = append(all, w.w[m].a)
	}
	h := w.moment(by, d)
	w.send(d, h, w.w[by].a, slices.Clone(all[1:]), r.Float64() < files)
	last := by
	for range 5 {
		if r.Float64() > 0.5 {
			return
		}
		n := r.IntN(len(to) + len(outside) + 1)
		wait := r.ExpFloat64() * 0.8
		switch {
		case n < len(to) && to[n] != last:
			m := to[n]
			x := w.w[m]
			for h += wait; h > x.start+x.length-x.travel[d] && r.Float64() > x.late || !w.atWork(m, d); {
				d++
				h = x.start - x.travel[d] + r.Float64()*2
				if d > 200 {
					return
				}
			}
			who := all
			if r.IntN(2) == 0 {
				who = []*learn.Address{w.w[last].a}
			}
			w.send(d, h, x.a, slices.Clone(who), r.Float64() < files/3)
			last = m
		case n == len(to)+len(outside) && last != by:
			if h += wait; h < w.w[by].start+w.w[by].length {
				w.send(d, h, w.w[by].a, []*learn.Address{w.w[last].a}, r.Float64() < files/3)
				last = by
			}
		case n >= len(to) && n < len(to)+len(outside):
			h += wait
			w.send(d, min(h, 30), outside[n-len(to)], []*learn.Address{w.w[last].a}, r.IntN(5) == 0)
		}
	}
}
