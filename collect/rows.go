package collect

import (
	"maps"
	"slices"

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
