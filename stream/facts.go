package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// few is how many facts are read at once.
const few = 500

// Fold goes over the facts of a lane that the follower name has not seen, until there are no more. The step's effects and
// the cursor's move are one transaction, so each fact takes effect once; what the step does outside of tx does not count.
// Where several follow under one name, each fact is still folded once.
func Fold(ctx context.Context, st *store.Store, name string, lane int, step func(ctx context.Context, tx *store.Tx, facts []store.Fact) error) error {
	ctx = store.Patient(ctx)
	for ctx.Err() == nil {
		after, facts, err := behind(ctx, st, name, lane)
		if err != nil || len(facts) == 0 {
			return err
		}
		err = st.Update(ctx, func(tx *store.Tx) error {
			if err := tx.MoveCursor(ctx, name, lane, after, facts[len(facts)-1].N); err != nil {
				return err
			}
			return step(ctx, tx, facts)
		})
		if err != nil && !errors.Is(err, store.ErrLost) { // lost: another was quicker, so look where it came to
			return fmt.Errorf("fold facts for %s: %w", name, err)
		}
	}
	return ctx.Err()
}

// Each goes over the facts of a lane that the follower name has not seen, until there are no more. The step acts first, on
// the world outside, and the cursor moves after it: a fact comes again when the process died between the two, and its lane
// and number tell that. It ends with the step's first error, and the next round begins with that fact; with
// store.ErrLost when another follows under the same name.
func Each(ctx context.Context, st *store.Store, name string, lane int, step func(ctx context.Context, fact store.Fact) error) error {
	for ctx.Err() == nil {
		after, facts, err := behind(ctx, st, name, lane)
		if err != nil || len(facts) == 0 {
			return err
		}
		for _, fact := range facts {
			if err := step(ctx, fact); err != nil {
				return fmt.Errorf("fact %d/%d for %s: %w", fact.Lane, fact.N, name, err)
			}
			err := st.Update(store.Patient(ctx), func(tx *store.Tx) error { return tx.MoveCursor(ctx, name, lane, after, fact.N) })
			if err != nil {
				return fmt.Errorf("facts for %s: %w", name, err)
			}
			after = fact.N
		}
	}
	return ctx.Err()
}

// behind gives where the follower stands and the facts that come next.
func behind(ctx context.Context, st *store.Store, name string, lane int) (after int64, facts []store.Fact, err error) {
	err = st.View(ctx, func(tx *store.Tx) (err error) {
		after, err = tx.Cursor(ctx, name, lane)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("facts for %s: %w", name, err)
	}
	facts, err = st.Facts(ctx, lane, after, few)
	if err != nil {
		return 0, nil, fmt.Errorf("facts for %s: %w", name, err)
	}
	return after, facts, nil
}

// Follow gives a tenant's facts behind the number after, in order and as they come, until ctx ends. What it cannot read
// is its last entry.
func Follow(ctx context.Context, st *store.Store, tenant tocsin.TenantID, after int64) iter.Seq2[store.Fact, error] {
	return func(yield func(store.Fact, error) bool) {
		for ctx.Err() == nil {
			news := st.Appended() // before reading: nothing that comes meanwhile is missed
			facts, err := st.TenantFacts(ctx, tenant, after, few)
			if err != nil && ctx.Err() == nil {
				yield(store.Fact{}, fmt.Errorf("follow facts: %w", err))
				return
			}
			for _, fact := range facts {
				if !yield(fact, nil) {
					return
				}
				after = fact.N
			}
			if len(facts) < few {
				await(ctx, news)
			}
		}
	}
}

// await waits for news of this process; those of another replica it sees after half a second.
func await(ctx context.Context, news <-chan struct{}) {
	timer := time.NewTimer(500 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-news:
	case <-timer.C:
	}
}
