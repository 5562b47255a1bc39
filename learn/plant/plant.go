// Package plant hides attacks of few mails in a stream of real ones, so that anyone can measure on their own mail what would
// be found and at what price.
//
// Each attack is planted into the mail of a person who has sent 50 mails or more, on a day on which they sent something, in
// the second half of what they sent, so that something is known of them. Nothing of it stands out by its number alone:
//
//   - Takeover: 15 consecutive mails of another real person, on one day, at the times of day at which that person sent them.
//   - Exfiltration: 4 mails with attachments to an outside domain that colleagues have written to and the person has not, at
//     the person's usual times.
//   - Fanout: a mail each to 6 people inside to whom somebody writes to whom the person writes, and the person never did.
//   - Offhours: 3 mails to the person's usual correspondents, each in an hour of the day that holds under 1 % of the person's past.
//   - Drift: somebody outside to whom the person has not written gets 1 mail in the first week, 2 in the second, 8 in the eighth.
package plant

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"tocsin.dev/learn"
)

// Kind is an attack that can be planted.
type Kind string

// The attacks.
const (
	Takeover     Kind = "takeover"
	Exfiltration Kind = "exfiltration"
	Fanout       Kind = "fanout"
	Offhours     Kind = "offhours"
	Drift        Kind = "drift"
)

// Kinds are all attacks.
var Kinds = []Kind{Takeover, Exfiltration, Fanout, Offhours, Drift}

// Least is how many mails a person must have sent to be a victim, and Weeks how long a drift lasts.
const (
	Least = 50
	Weeks = 8
)

// Attack is one that was planted.
type Attack struct {
	Kind Kind
	Who  *learn.Address
	Days []int32 // on which mails were planted, since 1970 in the person's zone, in order
}

// Options say what is planted: Each of every kind as far as there are victims, a victim once.
type Options struct {
	Kinds []Kind
	Each  int
	Seed  uint64
	Zone  func(*learn.Address) *time.Location // UTC where nil
}

type person struct {
	who  *learn.Address
	sent []int // places in mails, in order of time
}

type planter struct {
	Options
	r     *rand.Rand
	mails []learn.Mail
	all   []*person
	// who wrote to whom first when, and to which outside domain, and who is outside at which domain
	met   map[[2]uint64]int64
	hosts map[[2]uint64]int64
	at    map[uint64][]*learn.Address
	doms  []uint64
	since map[uint64]int64 // when somebody inside first wrote to that domain
	to    map[uint64][]*learn.Address
	new   []learn.Mail
}

// Into plants attacks into mails, which are in order of time, and gives all mails in order with the attacks and the possible victims.
func Into(mails []learn.Mail, o Options) ([]learn.Mail, []Attack, []*learn.Address) {
	p := &planter{Options: o, r: rand.New(rand.NewPCG(o.Seed, 0x70636e)), mails: mails}
	if p.Zone == nil {
		p.Zone = func(*learn.Address) *time.Location { return time.UTC }
	}
	p.index()
	var victims []*person
	var able []*learn.Address
	for _, x := range p.all {
		if len(x.sent) >= Least {
			victims = append(victims, x)
			able = append(able, x.who)
		}
	}
	order := p.r.Perm(len(victims))
	used := map[*person]bool{}
	var attacks []Attack
	for range o.Each {
		for _, k := range o.Kinds {
			for _, i := range order {
				v := victims[i]
				if used[v] {
					continue
				}
				if a, ok := p.plant(k, v, victims); ok {
					used[v] = true
					attacks = append(attacks, a)
					break
				}
			}
		}
	}
	out := slices.Concat(mails, p.new)
	slices.SortStableFunc(out, func(a, b learn.Mail) int { return cmp.Compare(a.At, b.At) })
	return out, attacks, able
}

func (p *planter) index() {
	p.met, p.hosts, p.since = map[[2]uint64]int64{}, map[[2]uint64]int64{}, map[uint64]int64{}
	p.at, p.to = map[uint64][]*learn.Address{}, map[uint64][]*learn.Address{}
	by := map[uint64]*person{}
	outside := map[uint64]bool{}
	first := func(m map[[2]uint64]int64, a, b uint64, at int64) bool {
		k := [2]uint64{a, b}
		if _, ok := m[k]; ok {
			return false
		}
		m[k] = at
		return true
	}
	for i, x := range p.mails {
		if x.From.Inside {
			v := by[x.From.ID]
			if v == nil {
				v = &person{who: x.From}
				by[x.From.ID] = v
				p.all = append(p.all, v)
			}
			v.sent = append(v.sent, i)
		}
		for _, a := range x.To {
			out := a
			if !x.From.Inside {
				out = x.From
			}
			if !out.Inside {
				if !outside[out.ID] {
					outside[out.ID] = true
					if p.at[out.Domain] == nil {
						p.doms = append(p.doms, out.Domain)
					}
					p.at[out.Domain] = append(p.at[out.Domain], out)
				}
				in := x.From
				if !in.Inside {
					in = a
				}
				first(p.hosts, in.ID, out.Domain, x.At)
				if _, ok := p.since[out.Domain]; !ok && x.From.Inside {
					p.since[out.Domain] = x.At
				}
			}
			if first(p.met, x.From.ID, a.ID, x.At) && a.Inside && x.From.Inside {
				p.to[x.From.ID] = append(p.to[x.From.ID], a)
			}
		}
	}
}

func (p *planter) local(who *learn.Address, at int64) time.Time {
	return time.UnixMilli(at).In(p.Zone(who))
}

// day is midnight of a time in the person's zone, and its number.
func (p *planter) day(who *learn.Address, at int64) (time.Time, int32) {
	t := p.local(who, at)
	m := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	return m, Number(t)
}

// Number is the day of a time since 1970, in its own zone.
func Number(t time.Time) int32 {
	y, m, d := t.Date()
	return int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// put is a time of day on the day that begins at midnight.
func put(midnight, clock time.Time) int64 {
	return time.Date(midnight.Year(), midnight.Month(), midnight.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, midnight.Location()).UnixMilli()
}

// clock is the time of day of one of the person's mails before.
func (p *planter) clock(v *person, before int) time.Time {
	return p.local(v.who, p.mails[v.sent[p.r.IntN(before)]].At).Add(time.Duration(p.r.IntN(600)) * time.Second)
}

func (p *planter) files() int32 {
	if p.r.IntN(5) == 0 {
		return 1
	}
	return 0
}

func (p *planter) plant(k Kind, v *person, victims []*person) (Attack, bool) {
	before := len(v.sent)/2 + p.r.IntN(len(v.sent)-len(v.sent)/2)
	at := p.mails[v.sent[before]].At
	midnight, n := p.day(v.who, at)
	a := Attack{Kind: k, Who: v.who, Days: []int32{n}}
	add := func(at int64, to []*learn.Address, files int32) {
		p.new = append(p.new, learn.Mail{At: at, From: v.who, To: to, Files: files, ID: "planted"})
	}
	switch k {
	case Takeover:
		q := victims[p.r.IntN(len(victims))]
		if q == v {
			return a, false
		}
		from := p.r.IntN(len(q.sent) - 14)
		for _, i := range q.sent[from : from+15] {
			to := slices.DeleteFunc(slices.Clone(p.mails[i].To), func(x *learn.Address) bool { return x == v.who })
			if len(to) > 0 {
				add(put(midnight, p.local(q.who, p.mails[i].At)), to, p.mails[i].Files)
			}
		}
	case Exfiltration:
		for range 200 {
			d := p.doms[p.r.IntN(len(p.doms))]
			since, ok := p.since[d]
			mine, known := p.hosts[[2]uint64{v.who.ID, d}]
			if !ok || since >= midnight.UnixMilli() || known && mine < midnight.UnixMilli()+86_400_000 {
				continue
			}
			for range 4 {
				add(put(midnight, p.clock(v, before)), []*learn.Address{p.at[d][p.r.IntN(len(p.at[d]))]}, 1)
			}
			return a, true
		}
		return a, false
	case Fanout:
		end := midnight.UnixMilli() + 86_400_000
		var l []*learn.Address
		for _, c := range p.to[v.who.ID] {
			for _, x := range p.to[c.ID] {
				if t, ok := p.met[[2]uint64{v.who.ID, x.ID}]; x != v.who && !(ok && t < end) && p.met[[2]uint64{c.ID, x.ID}] < end && p.met[[2]uint64{v.who.ID, c.ID}] < end && !slices.Contains(l, x) {
					l = append(l, x)
				}
			}
		}
		if len(l) < 6 {
			return a, false
		}
		for _, i := range p.r.Perm(len(l))[:6] {
			add(put(midnight, p.clock(v, before)), []*learn.Address{l[i]}, p.files())
		}
	case Offhours:
		var past [24]int
		for _, i := range v.sent[:before] {
			past[p.local(v.who, p.mails[i].At).Hour()]++
		}
		var odd []int
		for h, c := range past {
			if float64(c) < 0.01*float64(before) {
				odd = append(odd, h)
			}
		}
		if len(odd) == 0 {
			return a, false
		}
		for range 3 {
			x := p.mails[v.sent[p.r.IntN(before)]]
			h := odd[p.r.IntN(len(odd))]
			add(put(midnight, time.Date(2000, 1, 1, h, p.r.IntN(60), p.r.IntN(60), 0, time.UTC)), x.To, p.files())
		}
	case Drift:
		first, last := p.mails[v.sent[len(v.sent)*3/10]].At, p.mails[v.sent[len(v.sent)-1]].At
		room := last - first - Weeks*7*86_400_000
		if room <= 0 {
			return a, false
		}
		begin, _ := p.day(v.who, first+p.r.Int64N(room))
		var to *learn.Address
		for range 200 {
			l := p.at[p.doms[p.r.IntN(len(p.doms))]]
			x := l[p.r.IntN(len(l))]
			if t, ok := p.met[[2]uint64{v.who.ID, x.ID}]; !ok || t > last {
				to = x
				break
			}
		}
		if to == nil {
			return a, false
		}
		a.Days = nil
		for w := range Weeks {
			for range w + 1 {
				d := begin.AddDate(0, 0, 7*w+p.r.IntN(7))
				t := put(d, p.clock(v, len(v.sent)*3/10+1))
				add(t, []*learn.Address{to}, p.files())
				_, n := p.day(v.who, t)
				if !slices.Contains(a.Days, n) {
					a.Days = append(a.Days, n)
				}
			}
		}
		slices.Sort(a.Days)
	}
	return a, true
}

// Second is the day from which each of these persons sends the second half of their mail: victims are hit after it.
func Second(mails []learn.Mail, able []*learn.Address, zone func(*learn.Address) *time.Location) map[*learn.Address]int32 {
	days := map[*learn.Address][]int32{}
	for _, a := range able {
		days[a] = nil
	}
	for _, x := range mails {
		if l, ok := days[x.From]; ok {
			days[x.From] = append(l, Number(time.UnixMilli(x.At).In(zone(x.From))))
		}
	}
	from := map[*learn.Address]int32{}
	for a, l := range days {
		from[a] = l[len(l)/2]
	}
	return from
}
