package journal

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"

	"tocsin.dev"
)

// Item is something from outside that awaits its reader: that Graph said "look", or an object that Graph gave.
type Item struct {
	Tenant tocsin.TenantID `json:"t"`
	Person tocsin.PersonID `json:"p"` // whose it is; items of one person keep their order
	Kind   string          `json:"k"`
	Key    string          `json:"key,omitempty"` // tells repeats apart, for the reader
	At     int64           `json:"at"`            // Unix milliseconds
	Body   json.RawMessage `json:"b"`

	Made any `json:"-"` // in place of Body, what a reader made of the item, for itself: it is not stored
}

// Position is a place in a partition: that of an item. Reading from a position gives what comes after it;
// the zero Position is before everything.
type Position struct {
	Stream string // creation id of the stream it belongs to; empty for the zero Position
	Seq    uint64 // of the envelope, from 1
	Index  int    // of the item in the envelope, from 0; see Whole
}

// Whole as an Index stands behind every item of the envelope.
const Whole = math.MaxInt32

func (p Position) String() string { return fmt.Sprintf("%s/%d/%d", p.Stream, p.Seq, p.Index) }

// Entry is an item and where it stands.
type Entry struct {
	Item
	At Position
}

// Gap is the error entry for a place where the journal no longer gives what it had: a damaged envelope, sequences that are
// missing or were trimmed away, a tail that was lost, or a stream that was made anew (then the creation ids differ). What stood between
// From and Resume must be fetched from its source again. Reading goes on after Resume.
type Gap struct {
	Partition    int
	From, Resume Position
	Why          string
}

func (g *Gap) Error() string {
	return fmt.Sprintf("journal partition %d: %s: nothing readable between %s and %s", g.Partition, g.Why, g.From, g.Resume)
}

// Partition is the partition in which the items of a person are kept. It never changes for a journal.
func (j *Journal) Partition(tenant tocsin.TenantID, person tocsin.PersonID) int {
	if len(j.parts) == 1 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(tenant))
	h.Write([]byte{0})
	h.Write([]byte(person))
	return int(h.Sum64() % uint64(len(j.parts)))
}
