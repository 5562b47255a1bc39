package graph

import (
	"encoding/binary"
	"math/bits"
)

// PlainRun is how many bytes at the beginning of s stand for themselves in a JSON string: ASCII from the space on, but for
// the quote and the backslash.
func PlainRun(s string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		v := binary.LittleEndian.Uint64([]byte(s[i : i+8]))
		// The lowest high bit that is set is that of the first byte that is above ASCII, below the space, a quote or a backslash:
		// (x-1)&^x has it where x is 0, and a borrow goes to the bytes above it.
		quote, slash := v^ones*'"', v^ones*'\\'
		if other := (v | (v-ones*' ')&^v | (quote-ones)&^quote | (slash-ones)&^slash) & highs; other != 0 {
			return i + bits.TrailingZeros64(other)/8
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < 0x80 && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}
