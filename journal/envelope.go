package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"tocsin.dev"
)

// An envelope is one JetStream message. The first twelve bytes are the same in every version; numbers are little-endian:
//
//	0  "TJ"     2  version (1)     3  zero
//	4  count of items, 32 bits
//	8  CRC-32C of bytes 0 to 7 and of everything from byte 12 on
//	12 the items, each: tenant, person, kind, key (uvarint length, bytes), time (varint), body (uvarint length, bytes)
//
// An envelope of no items marks a loss, see markLosses.
const (
	envelopeVersion = 1
	envelopeHead    = 12
	smallestItem    = 6 // five lengths and a time, all zero
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	errDamaged = errors.New("damaged envelope")
	errNewer   = errors.New("envelope of a newer version")
)

// seal makes an envelope of count items, whose encodings follow each other in the parts, in b's memory if it is large enough.
func seal(b []byte, count int, parts ...[]byte) []byte {
	size := envelopeHead
	for _, p := range parts {
		size += len(p)
	}
	b = append(slices.Grow(b[:0], size), 'T', 'J', envelopeVersion, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(count))
	b = append(b, 0, 0, 0, 0) // the checksum
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.LittleEndian.PutUint32(b[8:], checksum(b))
	return b
}

func checksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:8], castagnoli), castagnoli, b[envelopeHead:])
}

// open gives the items of an envelope. The bodies share b's memory. Its errors wrap errDamaged, or errNewer where the
// checksum is right and the version not ours: then nothing is damaged and nothing may be skipped.
func open(b []byte) ([]Item, error) {
	if len(b) < envelopeHead || b[0] != 'T' || b[1] != 'J' {
		return nil, fmt.Errorf("%w: not an envelope", errDamaged)
	}
	if binary.LittleEndian.Uint32(b[8:]) != checksum(b) {
		return nil, fmt.Errorf("%w: checksum does not match", errDamaged)
	}
	if b[2] != envelopeVersion {
		return nil, fmt.Errorf("%w: %d", errNewer, b[2])
	}
	count := int(binary.LittleEndian.Uint32(b[4:]))
	rest := b[envelopeHead:]
	if count > len(rest)/smallestItem {
		return nil, fmt.Errorf("%w: %d items in %d bytes", errDamaged, count, len(rest))
	}
	items := make([]Item, 0, count)
	for range count {
		item, after, ok := openItem(rest)
		if !ok {
			return nil, fmt.Errorf("%w: item %d of %d is cut off", errDamaged, len(items), count)
		}
		items, rest = append(items, item), after
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the last of %d items", errDamaged, len(rest), count)
	}
	return items, nil
}

// sealedSize is how many bytes an item's encoding takes at most.
func sealedSize(item *Item) int {
	return 5*binary.MaxVarintLen32 + binary.MaxVarintLen64 + len(item.Tenant) + len(item.Person) + len(item.Kind) + len(item.Key) + len(item.Body)
}

// sealItem appends the item's encoding to b.
func sealItem(b []byte, item *Item) []byte {
	for _, s := range [...]string{string(item.Tenant), string(item.Person), item.Kind, item.Key} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, item.At)
	b = binary.AppendUvarint(b, uint64(len(item.Body)))
	return append(b, item.Body...)
}

// openItem gives the first item of b and what comes after it; false where b ends too early.
func openItem(b []byte) (item Item, rest []byte, ok bool) {
	var words [4][]byte
	for i := range words {
		if words[i], b, ok = openBytes(b); !ok {
			return Item{}, nil, false
		}
	}
	at, n := binary.Varint(b)
	if n <= 0 {
		return Item{}, nil, false
	}
	body, rest, ok := openBytes(b[n:])
	if !ok {
		return Item{}, nil, false
	}
	item = Item{
		Tenant: tocsin.TenantID(words[0]), Person: tocsin.PersonID(words[1]),
		Kind: string(words[2]), Key: string(words[3]), At: at,
	}
	if len(body) > 0 {
		item.Body = body
	}
	return item, rest, true
}

func openBytes(b []byte) (word, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return b[n:end:end], b[end:], true
}
