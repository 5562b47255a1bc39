package graph

import (
	"bytes"
	"strings"
	"testing"
)

// TestPlainRun: each byte, at each place in and across eight of them, among bytes that have all or no bits near it.
func TestPlainRun(t *testing.T) {
	for _, around := range []byte{' ', '!', '#', '[', ']', 'a', '~', 0x7f} {
		for at := range 20 {
			for c := range 256 {
				s := bytes.Repeat([]byte{around}, 20)
				s[at] = byte(c)
				want := 20
				if c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
					want = at
				}
				if got := PlainRun(string(s)); got != want {
					t.Fatalf("of %q %d bytes are plain, want %d", s, got, want)
				}
				for after := range 20 - at - 1 { // a second one does not hide the first
					s[at+1+after] = '"'
					if got := PlainRun(string(s)); got != min(want, at+1+after) {
						t.Fatalf("of %q %d bytes are plain, want %d", s, got, min(want, at+1+after))
					}
					s[at+1+after] = around
				}
			}
		}
	}
	if got := PlainRun(strings.Repeat("x", 7)); got != 7 || PlainRun("") != 0 {
		t.Error(got)
	}
}
