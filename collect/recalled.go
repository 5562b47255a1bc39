package collect

import (
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// recalled is what the fold has read of a tenant's tables that seldom change, for the runs to come.
type recalled struct {
	people  memo[tocsin.PersonID, *mailPerson] // by person
	senders memo[string, tocsin.PersonID]      // whose an address is, by it
	folders memo[string, *knownFolder]         // by id
	rules   memo[tocsin.PersonID, bool]        // whether one of a person's sends mail on; see run.forwarders
	echoes  memo[tocsin.PersonID, bool]        // whether a person has any
	used    time.Time
}

// mailPerson is what is known of somebody while their mail is folded.
type mailPerson struct {
	user string // the mailbox's address
	mine func(string) bool
}

// knownFolder is how a folder is called, and what Graph calls it in every language.
type knownFolder struct{ name, known string }

// mostRecalled is how much is kept of all tenants, mostly of less than 500 bytes each.
const mostRecalled = 100_000

// idleFor is how long it is kept of a tenant of which nothing comes: it may be erased.
const idleFor = time.Hour

// recalls is what is kept of a tenant: nothing where others write beside the transaction.
func (f *Fold) recalls(t *store.Tenant) *recalled {
	if !t.Tx().Alone() {
		return &recalled{}
	}
	n, now := 0, time.Now()
	for id, k := range f.recalled {
		if now.Sub(k.used) > idleFor {
			delete(f.recalled, id)
		}
		n += len(k.people.has) + len(k.senders.has) + len(k.folders.has) + len(k.rules.has) + len(k.echoes.has)
	}
	if f.recalled == nil || n > mostRecalled {
		f.recalled = map[tocsin.TenantID]*recalled{}
	}
	if f.recalled[t.ID()] == nil {
		f.recalled[t.ID()] = &recalled{}
	}
	f.recalled[t.ID()].used = now
	return f.recalled[t.ID()]
}

// memo is what was read of a table by a key, for as long as nobody has changed the tenant's rows of it; what is not there is kept as
// well.
type memo[K ~string, V any] struct {
	at  uint64 // see [store.Tenant.Changes]; 0: it is not kept
	has map[K]V
}

// read has read find what the table holds of those keys of which it is not known; find puts it into has.
func (m *memo[K, V]) read(ctx context.Context, t *store.Tenant, table string, keys []K, find func(lacking []K) error) error {
	at, ok, err := t.Changes(ctx, table)
	if err != nil {
		return err
	}
	if !ok || at != m.at {
		m.has = make(map[K]V, len(keys))
	}
	m.at = 0 // until all is found: who gives up on the way, gives up what is there
	var lacking []K
	var none V
	for _, k := range keys {
		if _, there := m.has[k]; !there {
			lacking = append(lacking, k)
			m.has[k] = none
		}
	}
	if len(lacking) > 0 {
		if err := find(lacking); err != nil {
			return err
		}
	}
	m.at = at
	return nil
}

// knownBoxes is what an opener has read of a tenant's mailboxes of which nothing is parked and the folders are known, for as long as
// nobody has changed the tenant's people, subscriptions or what is parked. Which folders are known is in the ledger, which is written
// all the time; there they are only added, and go with the tenant.
type knownBoxes struct {
	at     uint64 // see [store.Store.Changes]
	places string // which folders are to be known
	of     map[tocsin.PersonID]knownBox
	used   time.Time
}

type knownBox struct {
	object        string
	watched, rich bool
}

// recall takes in what is known of the mailboxes, and gives where what is read of the others is kept; nil: nowhere.
func (t *opening) recall(at uint64, ok bool) *knownBoxes {
	if !ok {
		return nil
	}
	places := strings.Join(t.places, " ")
	t.o.mu.Lock()
	defer t.o.mu.Unlock()
	known := t.o.known[t.tenant]
	if known == nil || known.at != at || known.places != places {
		known = &knownBoxes{at: at, places: places, of: map[tocsin.PersonID]knownBox{}}
		if t.o.known == nil {
			t.o.known = map[tocsin.TenantID]*knownBoxes{}
		}
		t.o.known[t.tenant] = known
	}
	for _, b := range t.order {
		if is, there := known.of[b.person]; there {
			b.known, b.places, b.object, b.watched, b.rich = true, true, is.object, is.watched, is.rich
		}
	}
	return known
}

// forget forgets a tenant that is not read any more.
func (t *opening) forget() {
	t.o.mu.Lock()
	defer t.o.mu.Unlock()
	delete(t.o.known, t.tenant)
}

// keep keeps what was read of mailboxes.
func (t *opening) keep(known *knownBoxes) {
	if known == nil {
		return
	}
	t.o.mu.Lock()
	defer t.o.mu.Unlock()
	for _, b := range t.order {
		if !b.known && b.places && !b.parked {
			known.of[b.person] = knownBox{b.object, b.watched, b.rich}
		}
	}
	n, now := 0, time.Now()
	known.used = now
	for id, k := range t.o.known {
		if now.Sub(k.used) > idleFor {
			delete(t.o.known, id)
		}
		n += len(k.of)
	}
	if n > mostRecalled {
		clear(t.o.known)
	}
}
