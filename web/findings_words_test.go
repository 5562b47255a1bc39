package web

import (
	"slices"
	"testing"

	"tocsin.dev/api"
)

// TestPastChanges: what was seen anew on end is one entry with those before it, and what somebody did meanwhile parts them.
func TestPastChanges(t *testing.T) {
	t.Parallel()
	var history []api.FindingChange
	for i, change := range []string{"updated", "updated", "updated", "in_work", "updated", "reopened", "fixed", "updated", "updated", "raised"} {
		history = append(history, api.FindingChange{ID: string(rune('a' + i)), Change: change})
	}
	var got []string
	for _, p := range pastChanges(history) {
		ids := p.ID
		for _, b := range p.Before {
			ids += b.ID
		}
		got = append(got, ids)
	}
	if want := []string{"abc", "d", "e", "f", "g", "hi", "j"}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}
