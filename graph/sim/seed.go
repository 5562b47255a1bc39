package sim

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// seed makes everything of a world that is not told: a number for each question, always the same.
type seed uint64

// at is the hash of a question about an index (splitmix64 twice).
func (s seed) at(question, i int) uint64 {
	return mix(mix(uint64(s)^uint64(question)*0x9e3779b97f4a7c15) + uint64(i))
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// shuffle is a permutation of the 32-bit numbers (a Feistel network), so that ids look random and can be turned back.
func (s seed) shuffle(i uint32) uint32 {
	l, r := uint16(i>>16), uint16(i)
	for round := range 4 {
		l, r = r, l^uint16(s.at(900+round, int(r)))
	}
	return uint32(l)<<16 | uint32(r)
}

func (s seed) unshuffle(i uint32) uint32 {
	l, r := uint16(i>>16), uint16(i)
	for round := 3; round >= 0; round-- {
		l, r = r^uint16(s.at(900+round, int(l))), l
	}
	return uint32(l)<<16 | uint32(r)
}

// guid is the id of the i-th thing of a kind; its first eight digits hold the shuffled index.
func (s seed) guid(kind, i int) string {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:], s.shuffle(uint32(i)))
	binary.BigEndian.PutUint64(b[4:], s.at(kind, i))
	binary.BigEndian.PutUint32(b[12:], uint32(s.at(kind+1000, i)))
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return string(appendGUID(make([]byte, 0, 36), b))
}

func appendGUID(out []byte, b [16]byte) []byte {
	out = hex.AppendEncode(out, b[0:4])
	out = hex.AppendEncode(append(out, '-'), b[4:6])
	out = hex.AppendEncode(append(out, '-'), b[6:8])
	out = hex.AppendEncode(append(out, '-'), b[8:10])
	return hex.AppendEncode(append(out, '-'), b[10:16])
}

// index is what a guid of that kind was made from; false where it was not made by this seed.
func (s seed) index(kind int, guid string) (int, bool) {
	if len(guid) != 36 {
		return 0, false
	}
	var b [4]byte
	if _, err := hex.Decode(b[:], []byte(guid[:8])); err != nil {
		return 0, false
	}
	i := int(s.unshuffle(binary.BigEndian.Uint32(b[:])))
	return i, s.guid(kind, i) == guid
}

// randomGUID is for what need not come again: request ids, correlation ids.
func randomGUID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return string(appendGUID(make([]byte, 0, 36), b))
}
