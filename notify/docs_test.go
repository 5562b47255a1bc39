package notify_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestDocumented: the example in the documentation has the fields that a webhook gets, of the same kinds.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	example, _, ok := strings.Cut(rest, "```")
	var want, got any
	if err := json.Unmarshal([]byte(example), &want); err != nil || !ok {
		t.Fatalf("the example is no JSON: %v", err)
	}
	out, err := messages("x")[0].Renders()["json"]()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	alike(t, "", want, got)
}

func alike(t *testing.T, at string, want, got any) {
	t.Helper()
	if reflect.TypeOf(want) != reflect.TypeOf(got) {
		t.Errorf("%s: documented as %T, sent as %T", at, want, got)
		return
	}
	switch w := want.(type) {
	case map[string]any:
		g := got.(map[string]any)
		if a, b := slices.Sorted(maps.Keys(w)), slices.Sorted(maps.Keys(g)); !slices.Equal(a, b) {
			t.Errorf("%s: documented %q, sent %q", at, a, b)
		}
		for k := range w {
			alike(t, at+"."+k, w[k], g[k])
		}
	case []any:
		if g := got.([]any); len(w) > 0 && len(g) > 0 {
			alike(t, at+"[]", w[0], g[0])
		}
	}
}
