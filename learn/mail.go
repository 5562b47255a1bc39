package learn

import (
	"hash/fnv"
	"strings"
)

// Address is somebody who writes or is written to. An address has one *Address in a model: make them with [Names.Of].
type Address struct {
	Name   string // the address in lower case, or its hash
	ID     uint64 // a hash of Name, the same everywhere
	Domain uint64 // a hash of what follows the last @
	Inside bool   // of the organisation: has a persona
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

// Names keeps one Address for each name.
type Names struct {
	of      map[string]*Address
	Domains map[string]bool // the organisation's own domains, in lower case
}

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
		host := host(low)
		a = &Address{Name: low, ID: hash(low), Domain: hash(host), Inside: n.Domains[host]}
		n.of[low] = a
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
