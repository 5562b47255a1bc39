package learn

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// The room of a persona. With these it rests in 2.5 KB at most.
const (
	maxContacts = 96 // correspondents, those with the least weight left out first
	maxDomains  = 24 // outside domains
	maxTrends   = 16 // outside correspondents whose weeks are counted
	trendWeeks  = 10
)

// Persona is what is usual for one person. Weights decay by the model's half-life; each is a number of mails or days.
type Persona struct {
	Of    *Address
	First int32 // the first day anything was learned, in days since 1970
	Day   int32 // the day to which the weights are decayed

	Sent   float32      // mailings
	People float32      // different recipients, counted once a day
	Fresh  float32      // of these, those who had not been written to before
	Bold   float32      // of these, those written to unasked and not in a wide mailing
	Bold2  float32      // the sum of their squares by day
	Days   [2]float32   // days on which anything was sent: usual ones, and quiet ones
	Volume [2]float32   // mailings on these
	Square [2]float32   // the sum of their squares
	Hours  [168]float32 // days on which something was sent in that hour of the week, Monday 0:00 first, in the person's zone
	Out    float32      // mailings with a recipient outside
	Hosts  float32      // outside domains, counted once a day
	New    float32      // of these, those not written to before
	Files  float32      // mailings to the outside with attachments
	Filed  float32      // mailings to the outside of which it is known whether they had attachments
	Rules  float32      // days on which a mailbox rule was made or changed
	Swift  float32      // mailings that answered what had come in the 90 minutes before

	Contacts []contact            // in order of key, and so are the next two
	Known    []domain             // outside domains
	Trends   []trend              // who gets how much by week
	Over     [features][2]float32 // days on which a feature passed its tenant's 10 % and 1 %
	Odd      [2]float32           // days on which the person passed the tenant's 10 % and 1 % in all
	Asked    [classes]float32     // what feedback made of the threshold: natural log of the factor on the probability
}

// contact is a correspondent: weights stand at the day of last.
type contact struct {
	key         uint32
	out, in     float32 // mailings to them, mails from them
	first, last uint16  // days since 1970
	mark        uint16  // a hash of the name before the @, where it is one by which people are told apart; else 0
}

// domain is a domain outside.
type domain struct {
	key          uint32
	out, in      float32
	files, filed float32 // mailings there with attachments, and those of which that is known
	last         uint16
}

// trend counts the mailings to one outside correspondent in each of the last weeks.
type trend struct {
	key  uint32
	week uint16            // the week of the last count
	n    [trendWeeks]uint8 // the last one is that week's
	in   uint8             // mails that came back in this time
}

// search is where the key is, or belongs.
func search[T any](s []T, k uint32, key func(*T) uint32) (int, bool) {
	lo, hi := 0, len(s)
	for lo < hi {
		at := int(uint(lo+hi) >> 1)
		switch x := key(&s[at]); {
		case x == k:
			return at, true
		case x < k:
			lo = at + 1
		default:
			hi = at
		}
	}
	return lo, false
}

func (c *contact) id() uint32 { return c.key }
func (d *domain) id() uint32  { return d.key }
func (t *trend) id() uint32   { return t.key }

func (p *Persona) contact(a *Address) *contact {
	if i, ok := search(p.Contacts, uint32(a.ID), (*contact).id); ok {
		return &p.Contacts[i]
	}
	return nil
}

func (p *Persona) domain(d uint64) *domain {
	if i, ok := search(p.Known, uint32(d), (*domain).id); ok {
		return &p.Known[i]
	}
	return nil
}

func (p *Persona) trend(a *Address) *trend {
	if i, ok := search(p.Trends, uint32(a.ID), (*trend).id); ok {
		return &p.Trends[i]
	}
	return nil
}

// place makes room for the key in s, which holds as many as most at most: the one with the least weight goes.
func place[T any](s []T, k uint32, most int, key func(*T) uint32, weight func(*T) float32) ([]T, *T) {
	if len(s) >= most {
		at, low := 0, weight(&s[0])
		for i := 1; i < len(s); i++ {
			if w := weight(&s[i]); w < low {
				at, low = i, w
			}
		}
		s = slices.Delete(s, at, at+1)
	}
	i, _ := search(s, k, key)
	var none T
	s = slices.Insert(s, i, none)
	return s, &s[i]
}

// weights are all that decays at once.
func (p *Persona) weights() [18]*float32 {
	return [...]*float32{&p.Sent, &p.People, &p.Fresh, &p.Bold, &p.Bold2, &p.Days[0], &p.Days[1], &p.Volume[0], &p.Volume[1], &p.Square[0], &p.Square[1],
		&p.Out, &p.Hosts, &p.New, &p.Files, &p.Filed, &p.Rules, &p.Swift}
}

// age decays what stands at the persona's day to day.
func (p *Persona) age(day int32, half *decay) {
	if day <= p.Day {
		return
	}
	f := half.at(day - p.Day)
	p.Day = day
	for _, w := range p.weights() {
		*w *= f
	}
	for i := range p.Over {
		p.Over[i][0] *= f
		p.Over[i][1] *= f
	}
	p.Odd[0] *= f
	p.Odd[1] *= f
	for i, h := range p.Hours {
		if h > 0 {
			p.Hours[i] = h * f
		}
	}
}

// week is the week of a day, from Monday on.
func week(day int32) int32 { return int32(floor(int64(day)+3, 7)) }

// meet is the contact for a, made where there is none, with its weights decayed to day.
func (p *Persona) meet(a *Address, day int32, half *decay) *contact {
	c := p.contact(a)
	if c == nil {
		p.Contacts, c = place(p.Contacts, uint32(a.ID), maxContacts, (*contact).id, func(c *contact) float32 { return (c.out + c.in/4) * half.at(day-int32(c.last)) })
		*c = contact{key: uint32(a.ID), first: uint16(day), last: uint16(day), mark: a.mark}
		return c
	}
	if day > int32(c.last) {
		f := half.at(day - int32(c.last))
		c.out, c.in, c.last = c.out*f, c.in*f, uint16(day)
	}
	return c
}

func (p *Persona) know(d uint64, day int32, half *decay) *domain {
	c := p.domain(d)
	if c == nil {
		p.Known, c = place(p.Known, uint32(d), maxDomains, (*domain).id, func(c *domain) float32 { return (c.out + c.in/4) * half.at(day-int32(c.last)) })
		*c = domain{key: uint32(d), last: uint16(day)}
		return c
	}
	if day > int32(c.last) {
		f := half.at(day - int32(c.last))
		c.out, c.in, c.files, c.filed, c.last = c.out*f, c.in*f, c.files*f, c.filed*f, uint16(day)
	}
	return c
}

func (p *Persona) follow(a *Address, week int32) *trend {
	t := p.trend(a)
	if t == nil {
		p.Trends, t = place(p.Trends, uint32(a.ID), maxTrends, (*trend).id, func(t *trend) float32 {
			sum := float32(0)
			for i, n := range t.at(week) {
				sum += float32(n) * float32(1+i)
			}
			return sum
		})
		*t = trend{key: uint32(a.ID), week: uint16(week)}
		return t
	}
	t.n = t.at(week)
	t.week = max(t.week, uint16(week))
	return t
}

// at is the counts as they stand in week, the last one that week's.
func (t *trend) at(week int32) (n [trendWeeks]uint8) {
	if by := int(week) - int(t.week); by <= 0 {
		n = t.n
	} else if by < trendWeeks {
		copy(n[:], t.n[by:])
	}
	return n
}

// decay is 2^(-days/half-life) for whole days.
type decay [1024]float32

func newDecay(half float64) *decay {
	d := new(decay)
	for i := range d {
		d[i] = float32(math.Exp2(-float64(i) / half))
	}
	return d
}

func (d *decay) at(days int32) float32 {
	switch {
	case days <= 0:
		return 1
	case int(days) >= len(d):
		return d[len(d)-1]
	}
	return d[days]
}

// The form of a persona's bytes. What stands first is what is read without taking it apart: the counts and the keys.
const personaForm = 1

// pack appends the persona's bytes to b. Floats of lists take 16 bits each; see small.
func (p *Persona) pack(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, personaForm, byte(len(p.Contacts)), byte(len(p.Known)), byte(len(p.Trends)))
	for i := range p.Contacts {
		b = le.AppendUint32(b, p.Contacts[i].key)
	}
	b = le.AppendUint32(b, uint32(p.First))
	b = le.AppendUint32(b, uint32(p.Day))
	for _, w := range p.weights() {
		b = put32(b, *w)
	}
	for f := range p.Over {
		b = put16(put16(b, p.Over[f][0]), p.Over[f][1])
	}
	b = put16(put16(b, p.Odd[0]), p.Odd[1])
	for _, a := range p.Asked {
		b = put32(b, a)
	}
	at := len(b)
	b = append(b, make([]byte, len(p.Hours)/8)...)
	for h, x := range p.Hours {
		if q := small(x); q > 0 {
			b[at+h/8] |= 1 << (h % 8)
			b = le.AppendUint16(b, q)
		}
	}
	for i := range p.Contacts {
		c := &p.Contacts[i]
		b = put16(put16(b, c.out), c.in)
		b = le.AppendUint16(le.AppendUint16(le.AppendUint16(b, c.first), c.last), c.mark)
	}
	for i := range p.Known {
		k := &p.Known[i]
		b = le.AppendUint32(b, k.key)
		b = put16(put16(put16(put16(b, k.out), k.in), k.files), k.filed)
		b = le.AppendUint16(b, k.last)
	}
	for i := range p.Trends {
		t := &p.Trends[i]
		b = le.AppendUint32(b, t.key)
		b = le.AppendUint16(b, t.week)
		b = append(append(b, t.n[:]...), t.in)
	}
	return b
}

// unpack makes the persona what the bytes say, in the room it has. What pack wrote comes back as those bytes and no others;
// anything else is refused.
func (p *Persona) unpack(b []byte) error {
	t := taker{b: b}
	form, contacts, known, trends := t.byte(), int(t.byte()), int(t.byte()), int(t.byte())
	if form != personaForm || contacts > maxContacts || known > maxDomains || trends > maxTrends {
		return ErrForm
	}
	*p = Persona{Of: p.Of, Contacts: p.Contacts[:0], Known: p.Known[:0], Trends: p.Trends[:0]}
	order := func(i int, last, key uint32) uint32 {
		t.bad = t.bad || i > 0 && key <= last
		return key
	}
	last := uint32(0)
	for i := range contacts {
		last = order(i, last, t.u32())
		p.Contacts = append(p.Contacts, contact{key: last})
	}
	p.First, p.Day = int32(t.u32()), int32(t.u32())
	for _, w := range p.weights() {
		*w = t.float()
	}
	for f := range p.Over {
		p.Over[f] = [2]float32{t.weight(), t.weight()}
	}
	p.Odd = [2]float32{t.weight(), t.weight()}
	for i := range p.Asked {
		a := math.Float32frombits(t.u32())
		t.bad = t.bad || !(a >= -100 && a <= 100)
		p.Asked[i] = a
	}
	if on := t.take(len(p.Hours) / 8); on != nil {
		for h := range p.Hours {
			if on[h/8]&(1<<(h%8)) != 0 {
				p.Hours[h] = t.weight()
				t.bad = t.bad || p.Hours[h] == 0
			}
		}
	}
	for i := range p.Contacts {
		c := &p.Contacts[i]
		c.out, c.in, c.first, c.last, c.mark = t.weight(), t.weight(), t.u16(), t.u16(), t.u16()
	}
	for i := range known {
		last = order(i, last, t.u32())
		p.Known = append(p.Known, domain{last, t.weight(), t.weight(), t.weight(), t.weight(), t.u16()})
	}
	for i := range trends {
		last = order(i, last, t.u32())
		x := trend{key: last, week: t.u16()}
		copy(x.n[:], t.take(trendWeeks))
		x.in = t.byte()
		p.Trends = append(p.Trends, x)
	}
	return t.done()
}

// common counts the correspondents that the persona and the packed one have in common, up to most.
func (p *Persona) common(packed []byte, most int) int {
	keys := packed[4 : 4+4*int(packed[1])]
	n := 0
	for i := 0; i < len(p.Contacts) && len(keys) > 0; {
		switch k := binary.LittleEndian.Uint32(keys); {
		case k < p.Contacts[i].key:
			keys = keys[4:]
		case k > p.Contacts[i].key:
			i++
		default:
			if n++; n == most {
				return n
			}
			keys = keys[4:]
			i++
		}
	}
	return n
}

// Size is how many bytes the persona takes where it is kept.
func (p *Persona) Size() int { return len(p.pack(nil)) }

// Correspondent is somebody whom a person writes to or hears from, as the persona knows them: by the hash of the address.
type Correspondent struct {
	Key         uint32  // the lower half of the address's ID
	Out, In     float32 // mailings to them, mails from them, decayed to Last
	First, Last int32   // days since 1970
}

// Is says whether it is that address.
func (c Correspondent) Is(a *Address) bool { return c.Key == uint32(a.ID) }

// Correspondents are those the persona knows, who is written to most first.
func (p *Persona) Correspondents() []Correspondent {
	l := make([]Correspondent, len(p.Contacts))
	for i, c := range p.Contacts {
		l[i] = Correspondent{c.key, c.out, c.in, int32(c.first), int32(c.last)}
	}
	slices.SortFunc(l, func(a, b Correspondent) int {
		return cmp.Or(cmp.Compare(b.Out, a.Out), cmp.Compare(b.In, a.In), cmp.Compare(a.Key, b.Key))
	})
	return l
}
