package learn

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// The room of a day that is open. What a person does on a day beyond it is counted, and of it a sample is kept that does
// not depend on the order in which it came.
const (
	maxSent  = 256 // mailings sent, of one person on one day
	maxGot   = 512 // mails that came
	maxRules = 16
	maxTo    = 128 // recipients of a mailing
	maxOpen  = 400 // days
	maxID    = 64  // bytes of the name of a mail; a longer one is left out
)

// gather is one open day: what was put in of each person, and the addresses it is told by.
type gather struct {
	n     int32
	addrs []*Address
	logs  []*log            // of each address, nil where nothing was put in of it
	index map[uint64]uint32 // where an address stands in both, by ID
	some  int               // how many logs there are
}

// log is what is put in of one person on one day: entries one after the other. See entry.
type log struct {
	who              *Address
	b                []byte
	sent, got, rules int32 // entries in b
	all              int32 // entries of mailings sent that were put in, those left out too
}

// The kinds of entries, in the two lowest bits of the first byte.
const (
	entrySent = iota
	entryGot
	entryRule
)

// day is what one person did on one day, in order.
type day struct {
	who  *Address
	n    int32
	more int // mailings sent beyond those of sent
	sent []sent
	got  []got
	rule []Rule
	to   []*Address // room for those of sent
}

type sent struct {
	at    int64
	hour  uint8 // of the week
	to    []*Address
	files int32
	id    string
}

type got struct {
	at   int64
	from *Address
}

// Rule is that somebody made or changed a mailbox rule.
type Rule struct {
	At                     int64
	Who                    *Address
	Outside, Deletes, Hide bool // it sends mail outside; deletes it; moves it where nobody looks, or marks it read
	ID                     string
}

// gather is the open day that n belongs to: itself, unless too many are open.
func (m *Model) gather(n int32) *gather {
	n = max(n, m.shut+1)
	g := m.open[n]
	if g == nil {
		if len(m.open) >= maxOpen {
			days := m.Open()
			at, _ := slices.BinarySearch(days, n)
			return m.open[days[max(0, at-1)]]
		}
		g = &gather{n: n, index: map[uint64]uint32{}}
		m.open[n] = g
	}
	return g
}

// place is where the address stands.
func (g *gather) place(a *Address) uint32 {
	i, ok := g.index[a.ID]
	if !ok {
		i = uint32(len(g.addrs))
		g.addrs, g.logs = append(g.addrs, a), append(g.logs, nil)
		g.index[a.ID] = i
	}
	return i
}

// log is what was put in of the address at that place.
func (g *gather) log(place uint32) *log {
	l := g.logs[place]
	if l == nil {
		l = &log{who: g.addrs[place]}
		g.logs[place] = l
		g.some++
	}
	return l
}

// drop forgets what was put in of somebody.
func (g *gather) drop(a *Address) {
	if i, ok := g.index[a.ID]; ok && g.logs[i] != nil {
		g.logs[i] = nil
		g.some--
	}
}

// Mail takes a mail. Mails may come in any order as long as their day is open; what comes later is learned with the oldest
// open day, so nothing is lost of it but its time.
func (m *Model) Mail(x Mail) {
	if x.From.Inside {
		n, h := m.local(x.From, x.At)
		g := m.gather(n)
		l := g.log(g.place(x.From))
		l.room()
		l.b = append(l.b, entrySent, h)
		l.b = binary.AppendVarint(l.b, x.At-int64(g.n)*86_400_000)
		l.b = binary.AppendUvarint(l.b, uint64(max(x.Files, Unknown)+1))
		to := x.To[:min(len(x.To), maxTo)]
		l.b = binary.AppendUvarint(l.b, uint64(len(to)))
		for _, a := range to {
			l.b = binary.AppendUvarint(l.b, uint64(g.place(a)))
		}
		l.b = putID(l.b, x.ID)
		l.all++
		if l.sent++; l.sent > 2*maxSent {
			g.trim(l)
		}
	}
	var g *gather
	from := uint32(0)
	for _, to := range x.To {
		if to.Inside && to.ID != x.From.ID {
			n, _ := m.local(to, x.At)
			if of := m.gather(n); of != g {
				g, from = of, of.place(x.From)
			}
			l := g.log(g.place(to))
			l.room()
			l.b = append(l.b, entryGot)
			l.b = binary.AppendVarint(l.b, x.At-int64(g.n)*86_400_000)
			l.b = binary.AppendUvarint(l.b, uint64(from))
			if l.got++; l.got > 2*maxGot {
				g.trim(l)
			}
		}
	}
}

// Rule takes the making or changing of a mailbox rule.
func (m *Model) Rule(r Rule) {
	n, _ := m.local(r.Who, r.At)
	g := m.gather(n)
	l := g.log(g.place(r.Who))
	l.room()
	kind := byte(entryRule)
	for i, is := range [...]bool{r.Outside, r.Deletes, r.Hide} {
		if is {
			kind |= 4 << i
		}
	}
	l.b = append(l.b, kind)
	l.b = binary.AppendVarint(l.b, r.At-int64(g.n)*86_400_000)
	l.b = putID(l.b, r.ID)
	if l.rules++; l.rules > 2*maxRules {
		g.trim(l)
	}
}

// room makes more room by a quarter where append would by the whole.
func (l *log) room() {
	if n := len(l.b); cap(l.b)-n < 64 {
		l.b = slices.Grow(l.b, max(96, n/4))
	}
}

func putID(b []byte, id string) []byte {
	if len(id) > maxID {
		id = ""
	}
	return putText(b, id)
}

// read takes the log apart into d, in the room d has. It says whether the log is whole.
func (g *gather) read(l *log, d *day) bool {
	d.who, d.n, d.more = l.who, g.n, int(l.all-l.sent)
	d.sent, d.got, d.rule, d.to = d.sent[:0], d.got[:0], d.rule[:0], d.to[:0]
	if need := len(l.b) / 2; cap(d.to) < need { // each recipient takes a byte or more, and sent may not lose them
		d.to = make([]*Address, 0, 2*need)
	}
	base := int64(g.n) * 86_400_000
	t := taker{b: l.b}
	address := func() *Address {
		if i := t.uvarint(); i < uint64(len(g.addrs)) {
			return g.addrs[i]
		}
		t.bad = true
		return nil
	}
	for len(t.b) > 0 && !t.bad {
		switch kind := t.byte(); kind & 3 {
		case entrySent:
			x := sent{hour: t.byte()}
			x.at = base + t.varint()
			x.files = int32(t.uvarint()) - 1
			n := t.count(maxTo, 1)
			at := len(d.to)
			for range n {
				d.to = append(d.to, address())
			}
			x.to = d.to[at:len(d.to):len(d.to)]
			x.id = t.text(maxID)
			t.bad = t.bad || x.hour >= 168
			d.sent = append(d.sent, x)
		case entryGot:
			d.got = append(d.got, got{base + t.varint(), address()})
		case entryRule:
			d.rule = append(d.rule, Rule{At: base + t.varint(), Who: l.who, Outside: kind&4 != 0, Deletes: kind&8 != 0, Hide: kind&16 != 0, ID: t.text(maxID)})
		default:
			return false
		}
	}
	return !t.bad
}

// trim keeps as many entries of the log as there is room for: those whose hashes are least, whatever the order they came in.
func (g *gather) trim(l *log) {
	type part struct {
		kind byte
		hash uint64
		b    []byte
	}
	var parts []part
	t := taker{b: l.b}
	for len(t.b) > 0 {
		rest := t.b
		kind := t.byte() & 3
		h := uint64(0)
		mix := func(x uint64) { h = spread64(h ^ x) }
		switch kind {
		case entrySent:
			t.byte()
			mix(uint64(t.varint()))
			t.uvarint()
			for range t.count(maxTo, 1) {
				mix(g.addrs[t.uvarint()].ID)
			}
			mix(hash(t.text(maxID)))
		case entryGot:
			mix(uint64(t.varint()))
			mix(g.addrs[t.uvarint()].ID)
		default:
			mix(uint64(t.varint()))
			mix(hash(t.text(maxID)))
		}
		parts = append(parts, part{kind, h, rest[:len(rest)-len(t.b)]})
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.hash, b.hash)) })
	var n [3]int32
	most := [...]int32{maxSent, maxGot, maxRules}
	b := make([]byte, 0, len(l.b)/2+64)
	for _, p := range parts {
		if n[p.kind] < most[p.kind] {
			n[p.kind]++
			b = append(b, p.b...)
		}
	}
	l.b, l.sent, l.got, l.rules = b, n[entrySent], n[entryGot], n[entryRule]
}

// spread64 mixes the bits of x (the finalizer of SplitMix64, Steele, Lea and Flood 2014, https://doi.org/10.1145/2660193.2660195).
func spread64(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// order sorts a day by time and takes what was sent in the same second for one mailing.
func (d *day) order() {
	slices.SortStableFunc(d.sent, func(a, b sent) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id), slices.CompareFunc(a.to, b.to, byID))
	})
	slices.SortStableFunc(d.got, func(a, b got) int { return cmp.Or(cmp.Compare(a.at, b.at), byID(a.from, b.from)) })
	slices.SortStableFunc(d.rule, func(a, b Rule) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	w := 0
	for i, s := range d.sent {
		if i > 0 && s.at/1000 == d.sent[w-1].at/1000 {
			last := &d.sent[w-1]
			last.to = append(last.to[:len(last.to):len(last.to)], s.to...)
			last.files = max(last.files, s.files)
			continue
		}
		d.sent[w] = s
		w++
	}
	d.sent = d.sent[:w]
}

func byID(a, b *Address) int { return cmp.Compare(a.ID, b.ID) }
