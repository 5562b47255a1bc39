package detect

import "testing"

// TestShown holds a sentence to one form of what nobody sees, whether it was quoted before or not.
func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"plain, ünï 発票": "plain, ünï 発票", "a\u200bb@evil.example": `a\u200bb@evil.example`, "x\u202ey": `x\u202ey`,
		"\x00": `\x00`, "tag \U000e0041": `tag \U000e0041`, Quote("\u200b."): `"\u200b."`,
	} {
		if got := Shown(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
