package api

import "testing"

// TestOutsideWords: who was not asked is told from who need not be, and from who has nobody outside.
func TestOutsideWords(t *testing.T) {
	for _, c := range []struct {
		g    Group
		want string
	}{
		{Group{Kind: "unified"}, "not needed: no rule leads there"},
		{Group{Kind: "unified", LedTo: true}, "not asked yet"},
		{Group{Kind: "unified", LedTo: true, Outside: []string{}}, "none"},
		{Group{Kind: "unified", Outside: []string{"a@x.example", "b@x.example"}}, "a@x.example, b@x.example"},
		{Group{Kind: "contact"}, ""},
	} {
		if got := outsideWords(c.g); got != c.want {
			t.Errorf("%+v: %q, want %q", c.g, got, c.want)
		}
	}
}
