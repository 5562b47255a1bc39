package learn

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrForm says that a state is broken, or was written by another version in another form: what is learned is to be learned anew.
var ErrForm = errors.New("what was learned is in no form that this version knows")

// small is a weight in 16 bits: six of exponent, from 2^-40, and ten of fraction, so that it is right to one part in 2,000
// and what is added to it while it decays is never lost. Taking it apart and putting it together again changes nothing.
func small(x float32) uint16 {
	const base = 87 << 10
	q := int64(math.Float32bits(max(x, 0))+1<<12)>>13 - base
	return uint16(min(max(q, 0), math.MaxUint16))
}

func large(q uint16) float32 {
	if q == 0 {
		return 0
	}
	return math.Float32frombits((uint32(q) + 87<<10) << 13)
}

func put32(b []byte, x float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
}
func put16(b []byte, x float32) []byte { return binary.LittleEndian.AppendUint16(b, small(x)) }

// taker takes bytes apart. After what was not there everything is nothing, and bad says so.
type taker struct {
	b   []byte
	bad bool
}

func (t *taker) take(n int) []byte {
	if n < 0 || n > len(t.b) {
		t.bad, t.b = true, nil
		return nil
	}
	x := t.b[:n]
	t.b = t.b[n:]
	return x
}

func (t *taker) byte() byte {
	if x := t.take(1); x != nil {
		return x[0]
	}
	return 0
}

func (t *taker) u16() uint16 {
	if x := t.take(2); x != nil {
		return binary.LittleEndian.Uint16(x)
	}
	return 0
}

func (t *taker) u32() uint32 {
	if x := t.take(4); x != nil {
		return binary.LittleEndian.Uint32(x)
	}
	return 0
}

func (t *taker) u64() uint64 {
	if x := t.take(8); x != nil {
		return binary.LittleEndian.Uint64(x)
	}
	return 0
}

func (t *taker) weight() float32 { return large(t.u16()) }

// float is a weight of 32 bits: finite and not below nothing.
func (t *taker) float() float32 {
	x := math.Float32frombits(t.u32())
	if !(x >= 0 && x < 1e30) || math.Signbit(float64(x)) {
		t.bad = true
		return 0
	}
	return x
}

func (t *taker) uvarint() uint64 {
	x, n := binary.Uvarint(t.b)
	if n <= 0 {
		t.bad, t.b = true, nil
		return 0
	}
	t.b = t.b[n:]
	return x
}

func (t *taker) varint() int64 {
	x, n := binary.Varint(t.b)
	if n <= 0 {
		t.bad, t.b = true, nil
		return 0
	}
	t.b = t.b[n:]
	return x
}

// count is a number of things of which each takes at least size bytes.
func (t *taker) count(most, size int) int {
	n := t.uvarint()
	if n > uint64(most) || n*uint64(size) > uint64(len(t.b)) {
		t.bad, t.b = true, nil
		return 0
	}
	return int(n)
}

func (t *taker) text(most int) string { return string(t.take(t.count(most, 1))) }

func putText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// done is nil where all was taken and all was there.
func (t *taker) done() error {
	if t.bad || len(t.b) > 0 {
		return ErrForm
	}
	return nil
}
