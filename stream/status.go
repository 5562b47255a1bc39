package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// Partition is how a reader stands with a partition.
type Partition struct {
	Number    int
	Held      bool // this reader has its lease
	Epoch     int64
	At        journal.Position // committed last
	Folded    uint64           // items, since Run began
	Dead      uint64           // of them dead letters were made
	Gaps      uint64           // places that could not be read
	Trouble   string           // what it is held up by now; empty when nothing
	TroubleAt time.Time
}

// Status is how the reader stands, a Partition for each; none before Run.
func (r *Reader) Status() []Partition {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.status)
}

func (r *Reader) note(partition int, change func(*Partition)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status[partition])
}

// trouble notes what holds the reader up, and logs it when it is new.
func (r *Reader) trouble(partition int, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	now, says := r.Store.Clock().Now(), err.Error()
	fresh := false
	r.note(partition, func(p *Partition) {
		fresh = p.Trouble != says
		p.Trouble, p.TroubleAt = says, now
	})
	if fresh {
		r.Log.Warn("the reader of the journal is held up; it tries again", "partition", partition, "err", err)
	}
}

// Lag is how many items are not folded yet, by whichever replica; 0 only when there are none. Above an envelope or two
// it is an estimate (journal.Lag).
func (r *Reader) Lag(ctx context.Context) (items uint64, err error) {
	for p := range r.Journal.Partitions() {
		var at store.Checkpoint
		err := r.Store.View(ctx, func(tx *store.Tx) (err error) {
			at, err = tx.Checkpoint(ctx, r.Name, p)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("lag of the journal: %w", err)
		}
		n, err := r.Journal.Lag(ctx, p, journal.Position{Stream: at.Stream, Seq: at.Seq, Index: at.Index})
		if err != nil {
			return 0, fmt.Errorf("lag of the journal: %w", err)
		}
		items += n
	}
	return items, nil
}
