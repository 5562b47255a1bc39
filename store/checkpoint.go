package store

import (
	"context"
	"errors"
	"fmt"
)

// Checkpoint is how far a reader of the journal has folded a partition: the journal's stream (its creation id), the
// message's sequence, the item's index within it; and the epoch of the lease under which that was.
type Checkpoint struct {
	Stream string
	Seq    uint64
	Index  int
	Epoch  int64
}

// Checkpoint is where the reader name stands in a partition; the zero value where it never was.
func (tx *Tx) Checkpoint(ctx context.Context, name string, lane int) (Checkpoint, error) {
	var c Checkpoint
	var seq int64
	err := tx.QueryRow(ctx, `select stream, seq, idx, epoch from checkpoint where name = $1 and lane = $2`, name, lane).
		Scan(&c.Stream, &seq, &c.Index, &c.Epoch)
	if errors.Is(err, ErrNone) {
		return Checkpoint{}, nil
	}
	c.Seq = uint64(seq)
	return c, err
}

// MoveCheckpoint moves the reader name from one place to another, under to's epoch. It moves nothing where it stands at
// to already in that epoch: an earlier commit of the same move was done, though who asked never heard of it, and what
// goes with the move must not be done again. It fails with ErrLost where it stands anywhere else or a later epoch has
// written there.
func (tx *Tx) MoveCheckpoint(ctx context.Context, name string, lane int, from, to Checkpoint) (moved bool, err error) {
	q := `insert into checkpoint (name, lane, stream, seq, idx, epoch) values ($1, $2, $3, $4, $5, $6)
		on conflict (name, lane) do update set stream = excluded.stream, seq = excluded.seq, idx = excluded.idx, epoch = excluded.epoch
		where checkpoint.epoch <= excluded.epoch and checkpoint.stream = $7 and checkpoint.seq = $8 and checkpoint.idx = $9`
	args := []any{name, lane, to.Stream, int64(to.Seq), to.Index, to.Epoch, from.Stream, int64(from.Seq), from.Index}
	n, err := tx.Exec(ctx, q, args...)
	if err != nil || n > 0 {
		return err == nil, err
	}
	at, err := tx.Checkpoint(ctx, name, lane)
	if err == nil && at != to {
		err = tx.failed(fmt.Errorf("checkpoint %s of partition %d, epoch %d, is not at %s/%d.%d: %w", name, lane, to.Epoch, from.Stream, from.Seq, from.Index, ErrLost))
	}
	return false, err
}

// Cursor is the number of the last fact of a lane that the follower name has dealt with; 0 where it never did.
func (tx *Tx) Cursor(ctx context.Context, name string, lane int) (int64, error) {
	var n int64
	err := tx.QueryRow(ctx, `select n from cursor where name = $1 and lane = $2`, name, lane).Scan(&n)
	if errors.Is(err, ErrNone) {
		return 0, nil
	}
	return n, err
}

// MoveCursor moves the follower name from one number to another, or fails with ErrLost when it does not stand there:
// two that follow under one name would both deal with the same facts, and one of them must lose.
func (tx *Tx) MoveCursor(ctx context.Context, name string, lane int, from, to int64) error {
	q, args := `update cursor set n = $3 where name = $1 and lane = $2 and n = $4`, []any{name, lane, to, from}
	if from == 0 { // where a new follower stands
		q = `insert into cursor (name, lane, n) values ($1, $2, $3)
			on conflict (name, lane) do update set n = excluded.n where cursor.n = 0`
		args = args[:3]
	}
	n, err := tx.Exec(ctx, q, args...)
	if err == nil && n == 0 {
		return tx.failed(fmt.Errorf("cursor %s of lane %d is not at %d: %w", name, lane, from, ErrLost))
	}
	return err
}
