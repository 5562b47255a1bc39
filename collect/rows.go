package collect

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"tocsin.dev/journal"
)

func anys[T ~string](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func ids[T any](batch []pending[T]) []any {
	out := make([]any, len(batch))
	for i := range batch {
		out[i] = string(batch[i].person)
	}
	return out
}

func journalItems(items ...journal.Item) []journal.Item { return items }

// known is s, or nil where there is none.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// readTexts is json.Unmarshal of an array of texts at a fraction of its time, of what encode wrote.
func readTexts(raw string, into *[]string) error {
	inner, ok := between(raw, `["`, `"]`)
	if !ok {
		return json.Unmarshal([]byte(raw), into)
	}
	list := strings.Split(inner, `","`)
	for _, s := range list {
		if strings.IndexByte(s, '"') >= 0 {
			return json.Unmarshal([]byte(raw), into)
		}
	}
	*into = list
	return nil
}

// readNames is the same of an object.
func readNames(raw string, into map[string]string) error {
	inner, ok := between(raw, `{"`, `"}`)
	if !ok {
		return json.Unmarshal([]byte(raw), &into)
	}
	for pair := range strings.SplitSeq(inner, `","`) {
		k, v, ok := strings.Cut(pair, `":"`)
		if !ok || strings.IndexByte(k, '"') >= 0 || strings.IndexByte(v, '"') >= 0 {
			clear(into)
			return json.Unmarshal([]byte(raw), &into)
		}
		into[k] = v
	}
	return nil
}

// between is what stands between two texts, where no byte of it is escaped.
func between(raw, begin, end string) (string, bool) {
	if len(raw) < len(begin)+len(end) || !strings.HasPrefix(raw, begin) || !strings.HasSuffix(raw, end) || strings.IndexByte(raw, '\\') >= 0 {
		return "", false
	}
	return raw[len(begin) : len(raw)-len(end)], true
}
