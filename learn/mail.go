package learn

import (
	"hash/fnv"
	"strings"
)

// Address is somebody who writes or is written to. Make them with [Names.Of]; compare them by ID.
type Address struct {
	Name   string // the address in lower case, or its hash
	ID     uint64 // a hash of Name, the same everywhere
	Domain uint64 // a hash of what follows the last @
	Inside bool   // of the organisation: has a persona
	mark   uint16 // a hash of the name before the @ where it is one that people are told apart by; else 0
}

// Host is what follows the last @ of the address.
func (a *Address) Host() string { return host(a.Name) }

// host is empty where there is no @.
func host(name string) string {
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		return name[i+1:]
	}
	return ""
}

// mark is a hash of the name before the @ where it has two words or more, as jane.roe has and info has not; else 0.
func mark(name string) uint16 {
	local, _, ok := strings.Cut(name, "@")
	if !ok {
		return 0
	}
	local, _, _ = strings.Cut(local, "+")
	words, letters, in := 0, 0, false
	h := uint64(0)
	for i := range len(local) {
		c := local[i]
		if c < 'a' || c > 'z' {
			in = false
			continue
		}
		if !in {
			words++
			in = true
		}
		letters++
		h = spread64(h ^ uint64(c))
	}
	if words < 2 || letters < 6 {
		return 0
	}
	return max(1, uint16(h))
}

// Names keeps one Address for each name. It forgets those that have long not been asked for, so that strangers who write from
// ever new addresses do not fill it; who is asked for again then has another Address with the same ID.
type Names struct {
	of, old map[string]*Address
	Domains map[string]bool // the organisation's own domains, in lower case
}

// maxNames is how many names are kept at least, and half of how many at most.
const maxNames = 1 << 18

// NewNames begins with the organisation's own domains.
func NewNames(domains ...string) *Names {
	n := &Names{of: map[string]*Address{}, Domains: map[string]bool{}}
	for _, d := range domains {
		n.Domains[strings.ToLower(d)] = true
	}
	return n
}

// Of is the address of that name, which is compared trimmed and in lower case.
func (n *Names) Of(name string) *Address {
	if a := n.of[name]; a != nil {
		return a
	}
	low := strings.ToLower(strings.TrimSpace(name))
	a := n.of[low]
	if a == nil {
		if a = n.old[low]; a == nil {
			host := host(low)
			low = strings.Clone(low)
			a = &Address{Name: low, ID: hash(low), Domain: hash(host), Inside: n.Domains[host], mark: mark(low)}
		}
		if len(n.of) >= maxNames {
			n.old, n.of = n.of, map[string]*Address{}
		}
		n.of[a.Name] = a
	}
	return a
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	x := h.Sum64()
	x ^= x >> 32 // FNV's upper half is weak on short words
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

// Mail is what learn sees of a mail: who wrote to whom, and when.
type Mail struct {
	At    int64      // Unix milliseconds
	From  *Address   // who wrote
	To    []*Address // who it was sent to, in whatever field
	Files int32      // attachments; [Unknown] where the source does not tell
	Bytes int64      // size; 0 where the source does not tell
	ID    string     // the source's own name for it, for evidence
}

// Unknown is a number of attachments that the source does not tell.
const Unknown = -1
