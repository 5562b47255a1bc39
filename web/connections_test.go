package web

import (
	"strings"
	"testing"

	"tocsin.dev/api"
)

// TestProgress: a source's progress is shown while it is read or where it stopped, not of the last round of changes.
func TestProgress(t *testing.T) {
	for _, c := range []struct {
		api.Source
		want bool
	}{
		{api.Source{State: "fresh", Done: 1, Total: 1}, false},
		{api.Source{State: "late", Done: 9, Total: 9}, false},
		{api.Source{State: "waiting"}, false},
		{api.Source{State: "reading"}, false},
		{api.Source{State: "reading", Done: 1, Total: 1}, true},
		{api.Source{State: "reading", Done: 3, Total: 9}, true},
		{api.Source{State: "failed", Done: 3, Total: 9}, true},
	} {
		var b strings.Builder
		c.Name = "users"
		if err := sourceTable([]api.Source{c.Source}).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), " of "); got != c.want {
			t.Errorf("%s, %d of %d: shown %v, want %v", c.State, c.Done, c.Total, got, c.want)
		}
	}
}
