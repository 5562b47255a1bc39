package offline

import (
	"hash/maphash"
	"unsafe"

	"tocsin.dev/detect/audit"
)

// generation is how many records one generation of seen remembers: 2 million, in 32 MB.
const generation = 2 << 20

// seen tells repeated records by a 64-bit hash of their id, or of their content where they have none. It remembers the last
// generation and the one before, so between two and four million records; what the rules judge is told apart by its
// neighbours after sorting besides, however far apart it stood. Two different records are taken for one with a chance of
// about one in a million over a file of four million.
type seen struct {
	seed     maphash.Seed
	now, old hashSet
}

func newSeen() *seen { return &seen{seed: maphash.MakeSeed()} }

// key is the hash of a record: by its id where it has one.
func (s *seen) key(n *audit.Entry, r raw) uint64 {
	if n.Twin != "" {
		return maphash.String(s.seed, n.Twin)
	}
	if n.ID != "" {
		return maphash.String(s.seed, string(n.Shape)+"\x00"+n.ID)
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

// add says whether the key is new, and remembers it.
func (s *seen) add(key uint64) bool {
	if key == 0 {
		key = 1
	}
	if s.now.has(key) || s.old.has(key) {
		return false
	}
	if s.now.n >= generation {
		s.old, s.now = s.now, s.old
		s.now.clear()
	}
	s.now.put(key)
	return true
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

func (h *hashSet) has(key uint64) bool {
	if h.n == 0 {
		return false
	}
	mask := uint64(len(h.places) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		switch h.places[i] {
		case key:
			return true
		case 0:
			return false
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

// bytes is what the set holds in memory.
func (h *hashSet) bytes() int { return len(h.places) * int(unsafe.Sizeof(uint64(0))) }
