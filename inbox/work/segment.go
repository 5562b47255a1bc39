package work

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A segment is an inverted index of some mails: for each word the mails that hold it, as in every search engine
// (https://en.wikipedia.org/wiki/Inverted_index). A word is its hash, so what stands in the table is short and is no text; that two words have one
// hash costs a look at a mail too many, for each mail found is read before it is shown. Segments are never changed: mails that come are a new one.
const (
	segmentMails = 256 // a mail's place is a byte
	shards       = 16  // of the words; a word is looked for in one of them
	longestWord  = 40  // letters; what is longer is cut
	mostWords    = 4_000
)

// words are the words of a text, each once, as they are compared: lower case, without accents, letters and digits only.
func words(texts ...string) []string {
	seen := map[string]bool{}
	var out []string
	for _, text := range texts {
		for _, w := range strings.FieldsFunc(plain(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if utf8.RuneCountInString(w) > longestWord {
				w = string([]rune(w)[:longestWord])
			}
			if !seen[w] && len(out) < mostWords {
				seen[w] = true
				out = append(out, w)
			}
		}
	}
	return out
}

// plain is a text as it is compared.
func plain(text string) string {
	if ascii(text) {
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Beginnings of words are kept beside them, for who looks for inv*: of three and of five letters.
var beginnings = []int{3, 5}

// keys are the hashes under which a mail with these words is found.
func keys(salt string, list []string) []uint32 {
	out := make([]uint32, 0, 2*len(list))
	for _, w := range list {
		out = append(out, hash(salt, w))
		r := []rune(w)
		for _, n := range beginnings {
			if len(r) >= n {
				out = append(out, hash(salt, string(r[:n])+"*"))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// beginning is the key for words that begin so; ok is false where it is too short to be looked for.
func beginning(salt, w string) (uint32, bool) {
	r := []rune(w)
	for _, n := range slices.Backward(beginnings) {
		if len(r) >= n {
			return hash(salt, string(r[:n])+"*"), true
		}
	}
	return 0, false
}

func hash(salt, word string) uint32 {
	h := fnv.New64a()
	h.Write([]byte(salt))
	h.Write([]byte{0})
	h.Write([]byte(word))
	s := h.Sum64()
	return uint32(s>>32) ^ uint32(s)
}

func shardOf(key uint32) int { return int(key % shards) }

// pack makes the shards of a segment of mails' keys: in each, the keys in order as differences, each with how many mails hold it and which.
func pack(mails [][]uint32) [shards][]byte {
	by := map[uint32][]byte{}
	for place, list := range mails {
		for _, k := range list {
			by[k] = append(by[k], byte(place))
		}
	}
	all := make([]uint32, 0, len(by))
	for k := range by {
		all = append(all, k)
	}
	slices.Sort(all)
	var out [shards][]byte
	var last [shards]uint32
	for _, k := range all {
		s := shardOf(k)
		out[s] = binary.AppendUvarint(out[s], uint64(k-last[s]))
		out[s] = append(out[s], byte(len(by[k])-1))
		out[s] = append(out[s], by[k]...)
		last[s] = k
	}
	return out
}

var errTorn = errors.New("inbox/work: a segment does not read as it was written")

// look finds keys in a shard: which mails hold each. The keys are in order.
func look(shard []byte, want []uint32) (map[uint32][]byte, error) {
	out := map[uint32][]byte{}
	at := uint32(0)
	for i := 0; len(shard) > 0 && i < len(want); {
		step, n := binary.Uvarint(shard)
		if n <= 0 || step > 1<<32 {
			return nil, errTorn
		}
		at += uint32(step)
		shard = shard[n:]
		if len(shard) < 1 || len(shard) < 2+int(shard[0]) {
			return nil, errTorn
		}
		held := 1 + int(shard[0])
		for i < len(want) && want[i] < at {
			i++
		}
		if i < len(want) && want[i] == at {
			out[at] = shard[1 : 1+held]
			i++
		}
		shard = shard[1+held:]
	}
	return out, nil
}

// both are the places in two ordered lists.
func both(a, b []byte) []byte {
	var out []byte
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return out
}
