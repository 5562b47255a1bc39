package learn

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// What a model knows of closed days can be written and read: the tenant's part whole, personas one by one. A persona rests as
// the bytes that are written, so a model that was read judges and learns on as the one that was written, to the last bit. The
// mail of open days is put in again, with [Model.Again].

// The form of the tenant's part. Another is another version's.
const modelForm = 2

// State is what the model knows of the tenant as a whole, as of the last day that was closed.
func (m *Model) State() []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, modelForm)
	b = append(b, features, classes, kinds)
	b = le.AppendUint32(le.AppendUint32(b, uint32(m.at)), uint32(m.shut))
	for _, x := range m.decaying() {
		b = put32(b, *x)
	}
	for _, x := range m.slow() {
		b = put32(b, *x)
	}
	b = le.AppendUint64(b, math.Float64bits(m.strict))
	for _, t := range m.tailed() {
		b = t.pack(b)
	}
	for i := range m.attacks {
		for _, x := range m.attacks[i].N {
			b = put32(b, x)
		}
	}
	b = packPopular(b, m.sent)
	b = packPopular(b, m.host)
	ids := keys(m.groups)
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		b = le.AppendUint64(b, id)
		for _, x := range m.groups[id].all() {
			b = put32(b, *x)
		}
	}
	return b
}

// Restore makes of a new model the one whose State is given. Personas are put in after it, with [Model.Adopt]. Names is who the
// model's addresses are made by. A state that is refused leaves the model as it was.
func (m *Model) Restore(state []byte, names *Names) error {
	x := New(m.opt)
	t := taker{b: state}
	if t.u16() != modelForm || t.byte() != features || t.byte() != classes || t.byte() != kinds {
		return ErrForm
	}
	x.at, x.shut = int32(t.u32()), int32(t.u32())
	for _, f := range x.decaying() {
		*f = t.float()
	}
	for _, f := range x.slow() {
		*f = t.float()
	}
	x.strict = math.Float64frombits(t.u64())
	t.bad = t.bad || !(x.strict >= -100 && x.strict <= 0)
	for _, of := range x.tailed() {
		of.unpack(&t)
	}
	for i := range x.attacks {
		for j := range x.attacks[i].N {
			x.attacks[i].N[j] = t.float()
		}
	}
	x.sent = takePopular(&t)
	x.host = takePopular(&t)
	last := uint64(0)
	for i := range t.count(maxGroups, 8) {
		id := t.u64()
		t.bad = t.bad || i > 0 && id <= last
		last = id
		r := &rates{}
		for _, f := range r.all() {
			*f = t.float()
		}
		x.groups[id] = r
	}
	if err := t.done(); err != nil {
		return err
	}
	x.settle()
	x.restless = m.restless
	*m = *x
	return nil
}

// slow are the tenant's numbers that decay by themselves.
func (m *Model) slow() []*float32 {
	var l []*float32
	for i := range m.kinds {
		l = append(l, &m.kinds[i])
	}
	for i := range m.week {
		l = append(l, &m.week[i], &m.weeks[i])
	}
	return l
}

// tailed are all the distributions.
func (m *Model) tailed() []*tail {
	var l []*tail
	for i := range m.tails {
		l = append(l, &m.tails[i])
	}
	for i := range m.classes {
		l = append(l, &m.classes[i])
	}
	return append(l, &m.joint)
}

func (t *tail) pack(b []byte) []byte {
	n := 0
	for _, x := range t.N {
		if x != 0 {
			n++
		}
	}
	b = binary.AppendUvarint(put32(b, t.Total), uint64(n))
	for i, x := range t.N {
		if x != 0 {
			b = put32(binary.LittleEndian.AppendUint16(b, uint16(i)), x)
		}
	}
	return b
}

func (t *tail) unpack(from *taker) {
	t.Total = from.float()
	last := -1
	for range from.count(tailSteps, 6) {
		i := int(from.u16())
		if i <= last || i >= tailSteps {
			from.bad = true
			return
		}
		last = i
		t.N[i] = from.float()
		from.bad = from.bad || t.N[i] == 0
	}
}

func keys[V any](m map[uint64]V) []uint64 {
	l := make([]uint64, 0, len(m))
	for k := range m {
		l = append(l, k)
	}
	slices.Sort(l)
	return l
}

func packPopular(b []byte, of map[uint64]popular) []byte {
	b = binary.AppendUvarint(b, uint64(len(of)))
	for _, id := range keys(of) {
		q := of[id]
		b = binary.LittleEndian.AppendUint64(b, id)
		b = binary.LittleEndian.AppendUint32(put32(b, q.out), uint32(q.day))
		b = putText(b, q.name)
	}
	return b
}

func takePopular(t *taker) map[uint64]popular {
	n := t.count(math.MaxInt32, 17)
	of := make(map[uint64]popular, n)
	last := uint64(0)
	for i := range n {
		id := t.u64()
		t.bad = t.bad || i > 0 && id <= last
		last = id
		of[id] = popular{t.float(), int32(t.u32()), t.text(math.MaxUint16)}
	}
	return of
}

// State is the persona as [ReadPersona] takes it: the address and at most 2.5 KB.
func (p *Persona) State() []byte { return p.pack(putText(nil, p.Of.Name)) }

// ReadPersona reads what [Persona.State] wrote.
func ReadPersona(state []byte, names *Names) (*Persona, error) {
	t := taker{b: state}
	name := t.text(math.MaxUint16)
	if t.bad || name == "" {
		return nil, ErrForm
	}
	p := &Persona{Of: names.Of(name)}
	if p.Of.Name != name {
		return nil, ErrForm
	}
	if err := p.unpack(t.b); err != nil {
		return nil, err
	}
	return p, nil
}

// Adopt puts a persona that was read into the model.
func (m *Model) Adopt(p *Persona) { m.rest(p) }

// Learned gives the personas of which something was learned on that day or later, in the order of their addresses.
func (m *Model) Learned(since int32) []*Persona {
	var l []*Persona
	for _, s := range m.people {
		if s.day >= since {
			l = append(l, m.Persona(s.of))
		}
	}
	slices.SortFunc(l, func(a, b *Persona) int { return strings.Compare(a.Of.Name, b.Of.Name) })
	return l
}

// Gone are the persons whom the model forgot since Gone was asked last, in the order of their addresses: nobody heard of them for 13
// half-lives, or they never sent anything and are too many.
func (m *Model) Gone() []*Address {
	l := m.gone
	m.gone = nil
	slices.SortFunc(l, func(a, b *Address) int { return strings.Compare(a.Name, b.Name) })
	return l
}

// Shut is the last day that was closed; 0 before any was.
func (m *Model) Shut() int32 { return m.shut }

// Days are the days, each in the zone of who wrote or was written to, that a mail belongs to, from the first to the last.
func (m *Model) Days(x Mail) (first, last int32) {
	first, last = math.MaxInt32, math.MinInt32
	note := func(a *Address) {
		n, _ := m.local(a, x.At)
		first, last = min(first, n), max(last, n)
	}
	note(x.From)
	for _, a := range x.To {
		note(a)
	}
	return first, last
}

// Again takes a mail as Mail took it when shut was the last day that was closed. What belongs to a day that is closed by now was
// learned with it and is left out.
func (m *Model) Again(x Mail, shut int32) {
	now := m.shut
	m.shut = min(shut, now)
	m.Mail(x)
	m.shut = now
	m.dropClosed(x.From)
	for _, a := range x.To {
		m.dropClosed(a)
	}
}

// RuleAgain is Again for rules.
func (m *Model) RuleAgain(r Rule, shut int32) {
	now := m.shut
	m.shut = min(shut, now)
	m.Rule(r)
	m.shut = now
	m.dropClosed(r.Who)
}

// dropClosed forgets what a person did on days that are closed, and which is open for nobody.
func (m *Model) dropClosed(a *Address) {
	for n, g := range m.open {
		if n <= m.shut {
			g.drop(a)
			if g.some == 0 {
				delete(m.open, n)
			}
		}
	}
}

// Activity is what somebody of the organisation did on an open day, and what is usual for it.
type Activity struct {
	Who       *Address
	Sent, Got int
	Outside   int // of Sent, with somebody outside
	Files     int // of these, with attachments
	Usual     float64
	Low, High float64 // nine of ten such days are between
}

// Activities are what is known of an open day, in the order of the addresses. Nothing is learned by it.
func (m *Model) Activities(n int32) []Activity {
	var l []Activity
	g, logs := m.inOrder(n)
	quiet := m.quiet(logs)
	for _, x := range logs {
		d := m.day(g, x)
		a := Activity{Who: x.who, Sent: len(d.sent) + d.more, Got: len(d.got)}
		for i := range d.sent {
			if slices.ContainsFunc(d.sent[i].to, func(x *Address) bool { return !x.Inside }) {
				a.Outside++
				if d.sent[i].files > 0 {
					a.Files++
				}
			}
		}
		p := &m.who
		m.wake(p, x.who, n)
		p.age(n, m.half)
		mean, size := m.usual(p, quiet)
		a.Usual = mean
		a.Low, a.High = band(mean, size)
		l = append(l, a)
	}
	slices.SortFunc(l, func(a, b Activity) int { return strings.Compare(a.Who.Name, b.Who.Name) })
	return l
}

// inOrder is an open day, and what was put in of it, in the order in which it is judged.
func (m *Model) inOrder(n int32) (*gather, []*log) {
	g := m.open[n]
	if g == nil {
		return nil, nil
	}
	logs := make([]*log, 0, g.some)
	for _, l := range g.logs {
		if l == nil {
			continue
		}
		if l.sent > maxSent || l.got > maxGot || l.rules > maxRules {
			g.trim(l)
		}
		logs = append(logs, l)
	}
	slices.SortFunc(logs, func(a, b *log) int { return byID(a.who, b.who) })
	return g, logs
}

// band is between which numbers nine of ten days are, of a negative binomial.
func band(mean, size float64) (low, high float64) {
	sum := 0.0
	low = -1
	for x := range 100_000 {
		sum += math.Exp(logNB(float64(x), mean, size))
		if low < 0 && sum >= 0.05 {
			low = float64(x)
		}
		if sum >= 0.95 {
			return low, float64(x)
		}
	}
	return max(low, 0), mean
}

// Look judges an open day as it stands: nothing is learned by it, and the day may yet become more or less odd. It counts as a
// quiet one where its weekday is.
func (m *Model) Look(n int32) []Day {
	g, logs := m.inOrder(n)
	if g == nil {
		return nil
	}
	most := float32(0)
	for w := range m.week {
		if m.weeks[w] > 0 {
			most = max(most, m.week[w]/m.weeks[w])
		}
	}
	quiet := 0
	if w := weekday(n); m.weeks[w] > 0 && m.week[w]/m.weeks[w] < 0.45*most {
		quiet = 1
	}
	return m.judge(g, logs, quiet)
}

// Odd are the addresses that a verdict is about, the oddest first, ten at most.
func (d *Day) Odd() []*Address {
	switch c := &d.cause; d.feature() {
	case strangers, spread:
		return c.fresh
	case files:
		if c.host == nil {
			return nil
		}
		var l []*Address
		for _, x := range d.day().sent {
			for _, a := range x.to {
				if a.Domain == c.host.Domain && len(l) < 10 && !slices.ContainsFunc(l, func(b *Address) bool { return b.ID == a.ID }) {
					l = append(l, a)
				}
			}
		}
		return l
	case drift:
		if c.growing != nil {
			return []*Address{c.growing}
		}
	}
	return nil
}

// IDs are the source's own names of what was sent on the day, and of the rules that were made; the first most of them.
func (d *Day) IDs(most int) []string {
	var l []string
	x := d.day()
	for _, r := range x.rule {
		if r.ID != "" && len(l) < most {
			l = append(l, r.ID)
		}
	}
	for _, s := range x.sent {
		if s.id != "" && len(l) < most {
			l = append(l, s.id)
		}
	}
	if n := len(x.sent); n > 0 && len(l) == most && x.sent[n-1].id != "" {
		l[most-1] = x.sent[n-1].id // of a day that goes on, what came since
	}
	return l
}

// Awake is for each hour of the week, Monday 0:00 first, the share of the person's days of that weekday on which something was
// sent in that hour, as far as it was learned: a weekday on which nothing was ever sent has none.
func (p *Persona) Awake() []float64 {
	l := make([]float64, len(p.Hours))
	most := max(float64(p.Days[0]+p.Days[1])/5, float64(slices.Max(p.Hours[:])), 1e-9) // five working days in a week
	for i, x := range p.Hours {
		l[i] = min(1, float64(x)/most)
	}
	return l
}

// Answers are the mailings that the person sends on a day on which anything is sent, and how many of these go to somebody who wrote
// within [SwiftWithin] before, on the same day. Older days count less. Both are 0 while nothing was sent.
func (p *Persona) Answers() (sent, swift float64) {
	days := float64(p.Days[0] + p.Days[1])
	if days <= 0 || p.Sent <= 0 {
		return 0, 0
	}
	return float64(p.Sent) / days, float64(min(p.Swift, p.Sent)) / days
}

// Acquaintance is how well a person knows somebody.
type Acquaintance struct {
	Since, Last int32   // days since 1970: the first mail either way that is remembered, and the last; 0 where there is none
	Out, In     float32 // mailings to them, mails from them, decayed to Last
	Domain      bool    // their domain is one the person writes to or hears from
	Like        string  // what they look like and are not: a domain, or name@… of a correspondent elsewhere
}

// Knows is how well who knows a, by the days that are closed.
func (m *Model) Knows(who, a *Address) Acquaintance {
	p := m.Persona(who)
	if p == nil {
		return Acquaintance{}
	}
	k := Acquaintance{Domain: a.Inside || p.domain(a.Domain) != nil}
	if c := p.contact(a); c != nil {
		k.Since, k.Last, k.Out, k.In = int32(c.first), int32(c.last), c.out, c.in
	}
	if !a.Inside && k.Out == 0 {
		k.Like = m.likeness(p, a)
	}
	return k
}
