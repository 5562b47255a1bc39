package learn_test

import (
	"math"
	"slices"
	"time"

	"tocsin.dev/learn"
)

// key is a person-day.
type key struct {
	who uint64
	day int32
}

// baselines are the simple detectors that everyone would write first, by person-day: they know the past of each person and
// nothing else. Their scores go up with oddness.
var baselineNames = []string{"first-seen", "volume z", "hour histogram", "edge burst", "sum of three", "knows the hours"}

func baselines(mails []learn.Mail) map[key][6]float64 {
	type edge struct{ total, today float64 }
	type past struct {
		seen         map[uint64]bool
		hours        [24]float64
		n            float64
		days, sum    float64
		square       float64
		first        int32
		edges        map[uint64]*edge
		day          int32
		fresh, rare  float64
		count, burst float64
		h            []int
		to           []uint64
	}
	people := map[uint64]*past{}
	out := map[key][6]float64{}
	closeDay := func(id uint64, p *past) {
		if p.count == 0 {
			return
		}
		mean := (p.sum + 1) / (p.days + 1)
		sd := math.Sqrt(max(p.square/(p.days+1)-mean*mean, 1))
		z := (p.count - mean) / sd
		for _, h := range p.h {
			p.rare += -math.Log((p.hours[h] + 0.5) / (p.n + 12))
		}
		p.rare /= p.count
		// The last one knows what is planted off hours: how many hours of the day, with under 1 % of the past, were used.
		odd, used := 0.0, [24]bool{}
		for _, h := range p.h {
			if !used[h] && p.hours[h] < 0.01*p.n {
				odd++
			}
			used[h] = true
		}
		// MIDAS (Bhatia et al. 2020, https://arxiv.org/abs/1911.04464): chi-squared of an edge's count in this tick against its past.
		for id, e := range p.edges {
			if e.today > 0 {
				t := float64(p.day-p.first) + 1
				total := e.total + e.today
				if t > 1 {
					x := (e.today - total/t) * (e.today - total/t) * t * t / (total * (t - 1))
					p.burst = max(p.burst, x)
				}
				e.total, e.today = total, 0
			}
			_ = id
		}
		out[key{id, p.day}] = [6]float64{p.fresh, z, p.rare, p.burst, math.Log1p(p.fresh) + z/2 + p.rare/2, odd}
		p.days++
		p.sum += p.count
		p.square += p.count * p.count
		for _, h := range p.h {
			p.hours[h]++
			p.n++
		}
		for _, t := range p.to {
			p.seen[t] = true
		}
		p.fresh, p.rare, p.count, p.burst, p.h, p.to = 0, 0, 0, 0, p.h[:0], p.to[:0]
	}
	for _, x := range mails {
		if !x.From.Inside {
			continue
		}
		p := people[x.From.ID]
		t := time.UnixMilli(x.At).UTC()
		day := int32(t.Unix() / 86400)
		if p == nil {
			p = &past{seen: map[uint64]bool{}, edges: map[uint64]*edge{}, day: day, first: day}
			people[x.From.ID] = p
		}
		if day != p.day {
			closeDay(x.From.ID, p)
			p.day = day
		}
		p.count++
		p.h = append(p.h, t.Hour())
		for _, a := range x.To {
			if !p.seen[a.ID] && !slices.Contains(p.to, a.ID) {
				p.fresh++
			}
			p.to = append(p.to, a.ID)
			e := p.edges[a.ID]
			if e == nil {
				e = &edge{}
				p.edges[a.ID] = e
			}
			e.today++
		}
	}
	for id, p := range people {
		closeDay(id, p)
	}
	return out
}
