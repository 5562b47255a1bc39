package sim

import (
	"fmt"
	"strconv"
	"time"
)

type kind uint8

const (
	employee kind = iota
	guest
	shared
	room
	equipment
	service // an account that is no person's and has no mailbox
)

// person is a user of the directory: someone, or a shared mailbox, a room, a piece of equipment.
type person struct {
	i                    int
	id                   string
	kind                 kind
	first, last, display string
	local, domain        string // of the user principal name and, for members, the mail address
	mail                 string // "" where he has no address
	aliases              []string
	dept, title          string
	place                *place
	boss                 int // index; -1 where there is none
	enabled              bool
	licensed             bool
	onPrem               bool // his mailbox is on premises, not in the cloud
	synced               bool
	created              time.Time
	scopedOut            bool // an access policy keeps the application out of the mailbox
	gone                 bool
	over                 obj // properties set by PATCH or a story
}

// hasBox says whether Exchange Online holds a mailbox for the person.
func (p *person) hasBox() bool {
	switch p.kind {
	case guest, service:
		return false
	case shared, room, equipment:
		return !p.onPrem
	}
	return p.licensed && !p.onPrem
}

// upn is the user principal name.
func (p *person) upn() string { return p.local + "@" + p.domain }

// purpose is mailboxSettings.userPurpose.
func (p *person) purpose() string {
	switch p.kind {
	case shared:
		return "shared"
	case room:
		return "room"
	case equipment:
		return "equipment"
	}
	return "user"
}

// cast says what the first people after the heads of departments are, so that even a small world has one of each.
var cast = []struct {
	kind                       kind
	enabled, licensed, synced  bool
	onPrem, scopedOut, unnamed bool
}{
	{kind: shared, enabled: true},   // a shared mailbox that can sign in
	{kind: shared},                  // as it should be
	{kind: room},                    //
	{kind: equipment},               //
	{kind: guest, enabled: true},    //
	{kind: employee, enabled: true}, // no licence
	{kind: employee, licensed: true},
	{kind: employee, enabled: true, licensed: true, synced: true, onPrem: true},
	{kind: employee, enabled: true, licensed: true, scopedOut: true},
	{kind: service, enabled: true},
}

// seeded is the i-th user as the seed makes him.
func (w *world) seeded(i int) *person {
	s := w.seed
	p := &person{i: i, id: s.guid(askUser, i), enabled: true, licensed: true, boss: -1,
		created: time.Date(2017, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(s.at(askCreated, i)%(8*365*24*60)) * time.Minute)}
	p.place = &places[s.at(askPlace, i)%uint64(len(places))]
	w.classify(p)
	w.call(p)
	switch p.kind {
	case employee, service:
		w.employ(p)
	case guest:
		p.licensed = false
	default:
		p.licensed = false
	}
	return p
}

// classify says what the i-th user is.
func (w *world) classify(p *person) {
	first := len(departments) + 1
	if p.i < first {
		return
	}
	if n := p.i - first; n < len(cast) {
		c := cast[n]
		p.kind, p.enabled, p.licensed, p.synced = c.kind, c.enabled, c.licensed, c.synced
		p.onPrem, p.scopedOut = c.onPrem, c.scopedOut
		return
	}
	switch h := w.seed.at(askKind, p.i) % 1000; {
	case h < 30:
		p.kind = guest
	case h < 50:
		p.kind, p.enabled = shared, w.seed.at(askSynced, p.i)%4 == 0
	case h < 60:
		p.kind, p.enabled = room, false
	case h < 65:
		p.kind, p.enabled = equipment, false
	case h < 80:
		p.licensed = false
	case h < 95:
		p.enabled = false
	case h < 105:
		p.onPrem, p.synced = true, true
	}
	if p.kind == employee && !p.synced {
		p.synced = w.seed.at(askSynced, p.i)%5 == 0
	}
}

// call gives the person a name and an address.
func (w *world) call(p *person) {
	p.domain = w.domain
	switch p.kind {
	case shared:
		p.display = teams[w.seed.at(askTitle, p.i)%uint64(len(teams))]
		p.local = local(p.display)
		if n := p.i - len(departments) - 1; n < len(cast) {
			p.display = teams[n]
			p.local = local(p.display)
		} else {
			p.display += " " + p.place.city + " " + strconv.Itoa(p.i)
			p.local += "-" + strconv.Itoa(p.i)
		}
	case room:
		p.display = fmt.Sprintf("Room %s %d", p.place.city, p.i)
		p.local = "room-" + strconv.Itoa(p.i)
	case equipment:
		p.display = fmt.Sprintf("Van %d", p.i)
		p.local = "van-" + strconv.Itoa(p.i)
	case service:
		p.display = "Directory Synchronization Service Account"
		p.local = "sync-" + strconv.Itoa(p.i)
		p.domain = w.initial()
		return
	default:
		w.christen(p)
		if p.kind == guest {
			home := outsiders[w.seed.at(askTitle, p.i)%uint64(len(outsiders))]
			p.mail = p.local + "@" + home
			p.local, p.domain = p.local+"_"+home+"#EXT#", w.initial()
			return
		}
	}
	p.mail = p.local + "@" + p.domain
	if p.kind == employee && !p.licensed {
		p.mail = ""
	}
}

// christen takes the person's first and last name from the walk over all of them.
func (w *world) christen(p *person) {
	n := len(firstNames) * len(lastNames)
	k := (p.i%n*w.step + w.shift) % n
	p.first, p.last = firstNames[k/len(lastNames)], lastNames[k%len(lastNames)]
	p.display = p.first + " " + p.last
	p.local = local(p.first) + "." + local(p.last)
	if again := p.i / n; again > 0 {
		p.local += strconv.Itoa(again + 1)
	}
}

// employ gives an employee his department, title and manager: every person leads up to seven of his department.
func (w *world) employ(p *person) {
	if p.kind == service {
		p.licensed, p.dept, p.title = false, "", ""
		return
	}
	if p.i == 0 {
		p.dept, p.title = "Management", "Chief Executive Officer"
		return
	}
	d, rank := (p.i-1)%len(departments), (p.i-1)/len(departments)
	p.dept = departments[d].name
	titles := departments[d].titles
	if rank == 0 {
		p.title, p.boss = titles[0], 0
		return
	}
	p.title = titles[1+w.seed.at(askTitle, p.i)%uint64(len(titles)-1)]
	for rank > 0 {
		rank = (rank - 1) / 7
		p.boss = 1 + rank*len(departments) + d
		b := &person{i: p.boss, licensed: true, enabled: true}
		if w.classify(b); b.kind == employee && b.licensed && b.enabled {
			return
		}
	}
}
