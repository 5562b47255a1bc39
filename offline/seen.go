package offline

import (
	"hash/fnv"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/detect/rule"
)

// generation is how many records one generation of seen remembers: 2 million, in 32 MB.
const generation = 2 << 20

// seen tells repeated records by 48 bits of a hash of their id and 16 bits of one of their content, or by their content where
// they have no id. It remembers the last generation and the one before, so between two and four million records; what the
// rules judge is told apart by its neighbours after sorting besides, however far apart it stood. Two different records are
// taken for one with a chance of about one in a million over a file of four million.
type seen struct {
	seed     maphash.Seed
	now, old hashSet
}

// idBits are the bits of a key that are of the record's id.
const idBits = 1<<48 - 1

func newSeen() *seen { return &seen{seed: maphash.MakeSeed()} }

// key is the hash of a record. A sign-in that two logs tell of is one by its id alone.
func (s *seen) key(n *audit.Entry, r raw) uint64 {
	if n.Twin != "" {
		return maphash.String(s.seed, n.Twin)
	}
	if n.ID != "" {
		return maphash.String(s.seed, string(n.Shape)+"\x00"+n.ID)&idBits | content(&n.Record)&^uint64(idBits)
	}
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.Write(r.json)
	for _, c := range r.cells {
		h.WriteString(c)
		h.WriteByte(0)
	}
	return h.Sum64()
}

// content is a hash of what a record tells, which is the same in each form and each run. Of what no rule looks at only the
// operation is read.
func content(r *detect.Record) uint64 {
	h := fnv.New64a()
	put := func(s string) { _, _ = h.Write([]byte(s + "\x00")) } // never fails
	put(r.Operation)
	if rule.Judged(r.Operation) {
		put(r.Time.UTC().Format("2006-01-02T15:04:05"))
		put(strings.ToLower(r.Actor))
		for _, k := range slices.Sorted(maps.Keys(r.Params)) {
			put(k)
			put(r.Params[k])
		}
	}
	return h.Sum64()
}

// add says whether the key is new, and remembers it; shared says that its id was there with another content.
func (s *seen) add(key uint64) (isNew, shared bool) {
	if key == 0 {
		key = 1
	}
	for _, g := range []*hashSet{&s.now, &s.old} {
		had, id := g.has(key)
		if had {
			return false, false
		}
		shared = shared || id
	}
	if s.now.n >= generation {
		s.old, s.now = s.now, s.old
		s.now.clear()
	}
	s.now.put(key)
	return true, shared
}

// hashSet is a set of hashes by open addressing: eight bytes a place, half of them free.
type hashSet struct {
	places []uint64
	n      int
}

func (h *hashSet) clear() {
	clear(h.places)
	h.n = 0
}

// has says whether the key is there, or else one with the same id.
func (h *hashSet) has(key uint64) (had, id bool) {
	if h.n == 0 {
		return false, false
	}
	mask := uint64(len(h.places)-1) & idBits
	for i := key & mask; ; i = (i + 1) & mask {
		switch p := h.places[i]; {
		case p == key:
			return true, true
		case p == 0:
			return false, id
		case p&idBits == key&idBits:
			id = true
		}
	}
}

func (h *hashSet) put(key uint64) {
	if 2*(h.n+1) > len(h.places) {
		h.grow()
	}
	mask := uint64(len(h.places) - 1)
	i := key & mask
	for h.places[i] != 0 {
		i = (i + 1) & mask
	}
	h.places[i] = key
	h.n++
}

func (h *hashSet) grow() {
	old := h.places
	h.places = make([]uint64, max(1024, 2*len(old)))
	h.n = 0
	for _, key := range old {
		if key != 0 {
			h.put(key)
		}
	}
}
