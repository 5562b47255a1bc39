package collect

import (
	"context"
	"encoding/json"
	"errors"

	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// deltaSource is a part of the directory that is read by delta.
type deltaSource[T any] struct {
	name, call string
	again, key string // the call that gets one object whole, and its placeholder; none: a change told in part begins a whole round
	translate  func(id string, removed bool, v *T) (journal.Item, error)
	held       string // the ids that the tables hold, for finding those that are gone in a whole round
}

// errPartial says that a change came without all that was selected, and cannot be asked for again by itself.
var errPartial = errors.New("a change was told in part")

// delta reads one round of changes into the journal, and keeps the token when all of it is there. Where the token is no
// longer known the round is whole.
func (c *Collector) delta(ctx context.Context, name string, round func(ctx context.Context, token string) (string, error)) error {
	row, err := c.row(ctx, name)
	if err != nil {
		return err
	}
	token, err := round(ctx, row.Token)
	if _, ok := errors.AsType[*graph.Gone](err); (ok || errors.Is(err, errPartial)) && row.Token != "" {
		c.Log.Info("reading all again", "tenant", c.Tenant, "source", name, "because", err)
		token, err = round(ctx, "")
	}
	if err != nil {
		return err
	}
	return c.keep(ctx, name, row.Token, token)
}

// deltaRound is one round under way.
type deltaRound[T any] struct {
	deltaSource[T]
	c     *Collector
	whole bool            // everything, not only what changed
	seen  map[string]bool // ids, in a whole round
	items []journal.Item
	part  []string // ids of changes told in part, to be asked for
	done  int
}

// deltaOf reads one round from token on, which is "" for everything, and gives the next round's token.
func deltaOf[T any](ctx context.Context, c *Collector, s deltaSource[T], token string) (string, error) {
	r := &deltaRound[T]{deltaSource: s, c: c, whole: token == "", seen: map[string]bool{}}
	round := graph.Delta[T](ctx, c.Graph, s.call, nil, token)
	for change, err := range round.All() {
		if err == nil {
			err = r.take(&change)
		}
		if err == nil && len(r.items)+len(r.part) >= 500 {
			err = r.flush(ctx)
		}
		if err != nil {
			return "", err
		}
	}
	if err := r.flush(ctx); err != nil {
		return "", err
	}
	if r.whole {
		if err := r.gone(ctx); err != nil {
			return "", err
		}
	}
	if r.done > 0 {
		if err := c.progress(ctx, s.name, r.done, r.done); err != nil {
			return "", err
		}
	}
	return round.Token(), nil
}

// take translates a change. In a whole round what is not told is empty; in a later one, and of an object that was there
// in this one already, it has not changed, so the object must be looked at as it is.
func (r *deltaRound[T]) take(ch *graph.Change[T]) error {
	selected := graph.Find(r.call).Select
	part := ch.Removed == "" && (!r.whole || r.seen[ch.ID]) && told(ch.Raw, selected...) < len(selected)
	if part && r.whole && r.again == "" && told(ch.Raw, "displayName") < 1 {
		return nil // a further piece of an object that was there
	}
	r.seen[ch.ID] = true
	if part && (!r.whole || r.again != "") {
		if r.again == "" {
			return errPartial
		}
		r.part = append(r.part, ch.ID)
		return nil
	}
	it, err := r.translate(ch.ID, ch.Removed != "", &ch.Value)
	r.items = append(r.items, it)
	return err
}

// told counts which of the names an object has, null or not.
func told(raw json.RawMessage, names ...string) int {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return 0 // it was read once, so this is not met
	}
	n := 0
	for _, name := range names {
		if _, ok := m[name]; ok {
			n++
		}
	}
	return n
}

// flush appends what was gathered.
func (r *deltaRound[T]) flush(ctx context.Context) error {
	if err := r.complete(ctx); err != nil {
		return err
	}
	before := r.done
	r.done += len(r.items)
	if err := r.c.append(ctx, r.items); err != nil {
		return err
	}
	r.items = r.items[:0]
	if r.done/10_000 > before/10_000 {
		return r.c.progress(ctx, r.name, r.done, 0)
	}
	return nil
}

// complete asks for the objects of which only a part was told. One that is gone meanwhile is a removal.
func (r *deltaRound[T]) complete(ctx context.Context) error {
	if len(r.part) == 0 {
		return nil
	}
	parts := make([]graph.Part, len(r.part))
	for i, id := range r.part {
		parts[i] = graph.Part{Call: r.again, P: graph.P{r.key: id}}
	}
	results, err := r.c.Graph.Batch(ctx, parts)
	if err != nil {
		return err
	}
	for i, res := range results {
		var v T
		_, removed := errors.AsType[*graph.NotFound](res.Err)
		if res.Err != nil && !removed {
			return res.Err
		}
		if !removed {
			if err := json.Unmarshal(res.Body, &v); err != nil {
				return unread(r.again)
			}
		}
		it, err := r.translate(r.part[i], removed, &v)
		if err != nil {
			return err
		}
		r.items = append(r.items, it)
	}
	r.part = r.part[:0]
	return nil
}

// gone appends a removal for each that the tables hold and a whole round did not give.
func (r *deltaRound[T]) gone(ctx context.Context) error {
	if err := r.c.settled(ctx); err != nil {
		return err
	}
	err := r.c.Store.ViewTenant(ctx, r.c.Tenant, func(t *store.Tenant) error {
		r.items = r.items[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var id string
			if err := scan(&id); err != nil || r.seen[id] {
				return err
			}
			var none T
			it, err := r.translate(id, true, &none)
			r.items = append(r.items, it)
			return err
		}, r.held)
	})
	if err != nil {
		return err
	}
	return r.flush(ctx)
}

// unread says of an answer that it is JSON, and not what the call gives.
func unread(call string) error {
	return &graph.Unavailable{Where: graph.Where{Call: call}, What: "the answer does not read as expected"}
}
