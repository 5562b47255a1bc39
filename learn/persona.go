package learn

import (
	"cmp"
	"slices"
	"unsafe"
)

// The room of a persona. With these it takes about 2.5 KB in memory and never more.
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

	Contacts []contact
	Known    []domain
	Trends   []trend
	Over     [features][2]float32 // days on which a feature passed its tenant's 10 % and 1 %
	Odd      [2]float32           // days on which the person passed the tenant's 10 % and 1 % in all
	Asked    [classes]float32     // what feedback made of the threshold: natural log of the factor on the probability
}

// contact is a correspondent: weights stand at the day of last.
type contact struct {
	key         uint32
	out, in     float32 // mailings to them, mails from them
	first, last uint16  // days since 1970
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

func (p *Persona) contact(a *Address) *contact {
	k := uint32(a.ID)
	for i := range p.Contacts {
		if p.Contacts[i].key == k {
			return &p.Contacts[i]
		}
	}
	return nil
}

func (p *Persona) domain(d uint64) *domain {
	k := uint32(d)
	for i := range p.Known {
		if p.Known[i].key == k {
			return &p.Known[i]
		}
	}
	return nil
}

func (p *Persona) trend(a *Address) *trend {
	k := uint32(a.ID)
	for i := range p.Trends {
		if p.Trends[i].key == k {
			return &p.Trends[i]
		}
	}
	return nil
}

// age decays what stands at the persona's day to day.
func (p *Persona) age(day int32, half *decay) {
	if day <= p.Day {
		return
	}
	f := half.at(day - p.Day)
	p.Day = day
	for _, w := range []*float32{&p.Sent, &p.People, &p.Fresh, &p.Bold, &p.Bold2, &p.Out, &p.Hosts, &p.New, &p.Files, &p.Filed, &p.Rules} {
		*w *= f
	}
	for k := range p.Days {
		p.Days[k] *= f
		p.Volume[k] *= f
		p.Square[k] *= f
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

// meet is the contact for a, made where there is none, with its weights decayed to day.
func (p *Persona) meet(a *Address, day int32, half *decay) *contact {
	c := p.contact(a)
	if c == nil {
		if len(p.Contacts) < maxContacts {
			p.Contacts = append(p.Contacts, contact{})
			c = &p.Contacts[len(p.Contacts)-1]
		} else {
			c = least(p.Contacts, func(c *contact) float32 { return (c.out + c.in/4) * half.at(day-int32(c.last)) })
		}
		*c = contact{key: uint32(a.ID), first: uint16(day), last: uint16(day)}
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
		if len(p.Known) < maxDomains {
			p.Known = append(p.Known, domain{})
			c = &p.Known[len(p.Known)-1]
		} else {
			c = least(p.Known, func(c *domain) float32 { return (c.out + c.in/4) * half.at(day-int32(c.last)) })
		}
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
		if len(p.Trends) < maxTrends {
			p.Trends = append(p.Trends, trend{})
			t = &p.Trends[len(p.Trends)-1]
		} else {
			t = least(p.Trends, func(t *trend) float32 {
				sum := float32(0)
				for i, n := range t.at(week) {
					sum += float32(n) * float32(1+i)
				}
				return sum
			})
		}
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

func least[T any](s []T, weight func(*T) float32) *T {
	at, low := 0, weight(&s[0])
	for i := 1; i < len(s); i++ {
		if w := weight(&s[i]); w < low {
			at, low = i, w
		}
	}
	return &s[at]
}

// decay is 2^(-days/half-life) for whole days.
type decay [1024]float32

func newDecay(half float64) *decay {
	d := new(decay)
	for i := range d {
		d[i] = float32(exp2(-float64(i) / half))
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

// popular is how a tenant knows somebody or a domain: how much is sent there, and who wrote there last.
type popular struct {
	out    float32 // mailings, decayed to day
	people float32 // persons for whom it was new when they first wrote, never decayed
	day    int32
	lately [8]uint32 // the last different persons who wrote there
	next   uint8
}

func (q *popular) learn(who *Address, n float32, fresh bool, day int32, half *decay) {
	q.out = q.out*half.at(day-q.day) + n
	q.day = max(q.day, day)
	if fresh {
		q.people++
	}
	if k := uint32(who.ID); !slices.Contains(q.lately[:], k) {
		q.lately[q.next%8] = k
		q.next++
	}
}

// Size is about how many bytes a persona takes in memory.
func (p *Persona) Size() int {
	return int(unsafe.Sizeof(*p)) + cap(p.Contacts)*int(unsafe.Sizeof(contact{})) + cap(p.Known)*int(unsafe.Sizeof(domain{})) + cap(p.Trends)*int(unsafe.Sizeof(trend{}))
}

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
