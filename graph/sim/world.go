package sim

import (
	"math/big"
	"strconv"
	"strings"
	"time"
)

// world is the tenant: what it is called, how many people it has, and what differs from what the seed says.
// Its fields are guarded by Sim.mu.
type world struct {
	seed   seed
	users  int // how many the seed makes; people added by stories follow
	start  time.Time
	tenant string
	name   string
	domain string // default domain; the initial one is first+".onmicrosoft.com"
	stem   string
	more   []string // further accepted domains
	outer  map[string]bool

	step, shift, back int // names are walked by i → (step·i+shift) mod names; back undoes step

	early     map[string]int // local part → index, for the first few, whose names follow no pattern
	added     []*person      // index users+n
	byAddr    map[string]int // addresses given by stories, in lower case
	byShort   map[string]int // names as stories call people
	changed   map[int]*person
	boxes     map[int]*mailbox
	groups    []*group
	roles     []*role
	contact   []*contact
	rights    map[int]*rights
	transport []transportRule
	traces    []trace // of what was delivered since the simulator began

	firstTraces []trace // see seededTraces
	campaigns   []*Wave
	log         []change              // of the directory
	calls       int                   // how many objects got numbers
	mails       int                   // and how many mails
	access      []obj                 // conditional access policies, once somebody asked
	set         map[string]obj        // settings that were changed, by path
	touched     func(kind, id string) // is told of what changes in the directory
	responded   responded
}

// change is a line of the directory's log, for delta.
type change struct {
	n    int
	kind string // user, group, role, contact
	id   string
	at   time.Time
}

// Questions asked of the seed; guid kinds are questions too.
const (
	askKind = iota + 1
	askDept
	askPlace
	askTitle
	askCreated
	askRules
	askSynced
	askPhone
	askPurpose
	askFolders
	askMail
	askUser    = 100
	askGroup   = 101
	askRole    = 102
	askContact = 103
	askApp     = 104
	askAudit   = 105
	askSearch  = 106
	askSignIn  = 107
	askChange  = 108
	askState   = 109

	askCategory = 110
	askTrace    = 111
	askCampaign = 112
)

func newWorld(seedNumber int64, users int, tenant string, start time.Time) *world {
	w := &world{seed: seed(mix(uint64(seedNumber))), users: users, tenant: tenant, start: start,
		name: "Fabrikam Freight", domain: "fabrikamfreight.com", stem: "fabrikamfreight",
		early: map[string]int{}, byAddr: map[string]int{}, byShort: map[string]int{},
		changed: map[int]*person{}, boxes: map[int]*mailbox{}, outer: map[string]bool{}, rights: map[int]*rights{}}
	w.walk()
	for i := range min(users, 48) {
		w.early[w.seeded(i).local] = i
	}
	w.settle()
	return w
}

// walk chooses how names are given out: step must have no common divisor with their number, so that no two of the
// first so many people share a name and a name leads back to its person.
func (w *world) walk() {
	n := len(firstNames) * len(lastNames)
	w.shift = int(w.seed.at(askKind, -1) % uint64(n))
	step := n/3 + int(w.seed.at(askKind, -2)%uint64(n/2))
	for ; ; step++ {
		if back := new(big.Int).ModInverse(big.NewInt(int64(step)), big.NewInt(int64(n))); back != nil {
			w.step, w.back = step%n, int(back.Int64())
			return
		}
	}
}

func (w *world) initial() string { return w.stem + ".onmicrosoft.com" }

// accepted says whether the domain is the tenant's own.
func (w *world) accepted(domain string) bool {
	domain = strings.ToLower(domain)
	if domain == w.domain || domain == w.initial() || domain == w.stem+".mail.onmicrosoft.com" {
		return true
	}
	for _, d := range w.more {
		if d == domain {
			return true
		}
	}
	return false
}

// count is how many users there ever were, those that are gone included.
func (w *world) count() int { return w.users + len(w.added) }

// person is the i-th user as he stands now; nil where he was deleted or never was.
func (w *world) person(i int) *person {
	if i < 0 || i >= w.count() {
		return nil
	}
	if p, ok := w.changed[i]; ok {
		if p.gone {
			return nil
		}
		return p
	}
	if i >= w.users {
		return w.added[i-w.users]
	}
	return w.seeded(i)
}

// edit gives the person for changing; it is kept from then on.
func (w *world) edit(i int) *person {
	p := w.person(i)
	if p != nil {
		w.changed[i] = p
	}
	return p
}

// find is the user with that id, user principal name or address; nil where there is none.
func (w *world) find(key string) *person {
	if i, ok := w.seed.index(askUser, strings.ToLower(key)); ok {
		return w.person(i)
	}
	key = strings.ToLower(key)
	if i, ok := w.byAddr[key]; ok {
		return w.person(i)
	}
	at := strings.LastIndexByte(key, '@')
	if at < 0 {
		return nil
	}
	who, domain := key[:at], key[at+1:]
	if domain != w.domain && domain != w.initial() {
		return nil
	}
	for _, i := range w.candidates(strings.TrimSuffix(who, "#ext#")) {
		if p := w.person(i); p != nil && strings.EqualFold(p.local, who) {
			return p
		}
	}
	return nil
}

// candidates are the users a local part may belong to.
func (w *world) candidates(who string) []int {
	var out []int
	if i, ok := w.early[who]; ok {
		out = append(out, i)
	}
	who, _, _ = strings.Cut(who, "_") // a guest's: name_domain
	digits := len(who)
	for digits > 0 && who[digits-1] >= '0' && who[digits-1] <= '9' {
		digits--
	}
	number, _ := strconv.Atoi(who[digits:])
	if strings.HasSuffix(who[:digits], "-") {
		out = append(out, number)
	}
	if first, last, ok := strings.Cut(who[:digits], "."); ok {
		f, okF := firstIndex[first]
		l, okL := lastIndex[last]
		if okF && okL {
			n := len(firstNames) * len(lastNames)
			k := (f*len(lastNames) + l - w.shift + n) % n
			k = k * w.back % n
			out = append(out, k+max(0, number-1)*n)
			if number == 0 {
				out = append(out, k)
			}
		}
	}
	return out
}

var firstIndex, lastIndex = indexNames(firstNames), indexNames(lastNames)

func indexNames(names []string) map[string]int {
	m := make(map[string]int, len(names))
	for i, n := range names {
		m[local(n)] = i
	}
	return m
}
