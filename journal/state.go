package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin.dev"
)

// Last is the position of the last item of a partition; Seq is 0 where it never had one.
func (j *Journal) Last(ctx context.Context, partition int) (Position, error) {
	last, _, err := j.ends(ctx, partition)
	if err == nil {
		j.parts[partition].deliver(last.Seq) // one may read from there on
	}
	return last, err
}

// ends is the position of the last item of a partition, and the first sequence that is still there.
func (j *Journal) ends(ctx context.Context, partition int) (last Position, first uint64, err error) {
	stream, err := j.stream(ctx, j.parts[partition].name)
	if err != nil {
		return Position{}, 0, fmt.Errorf("journal partition %d: %w", partition, err)
	}
	info := stream.CachedInfo()
	first = info.State.FirstSeq
	last = Position{Stream: info.Config.Metadata[metaID], Seq: info.State.LastSeq}
	if last.Seq == 0 {
		return last, first, nil
	}
	last.Index = Whole
	msg, err := stream.GetMsg(ctx, last.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return last, first, nil
	}
	if err != nil {
		return Position{}, 0, fmt.Errorf("journal partition %d: %w", partition, err)
	}
	if items, err := open(msg.Data); err == nil {
		last.Index = len(items) - 1
	}
	return last, first, nil
}

// Lag is how many items stand after from. It is exact within the last envelope, so zero means none; further back it is
// the number of envelopes times the mean of those this process has seen.
func (j *Journal) Lag(ctx context.Context, partition int, from Position) (uint64, error) {
	last, first, err := j.ends(ctx, partition)
	if err != nil {
		return 0, err
	}
	if from.Stream != last.Stream {
		from = Position{}
	}
	tail := uint64(1) // items of the last envelope; an unreadable one counts as one, for it is still to be passed
	if last.Index < Whole {
		tail = uint64(last.Index + 1)
	}
	switch {
	case from.Seq > last.Seq || last.Seq == 0:
		return 0, nil
	case from.Seq < last.Seq:
		before := last.Seq - min(last.Seq, max(first, from.Seq+1))
		return before*j.parts[partition].mean() + tail, nil
	case from.Index >= last.Index:
		return 0, nil
	}
	return uint64(last.Index - from.Index), nil
}

// mean is the number of items in an envelope, at least 1.
func (p *partition) mean() uint64 {
	return max(1, p.items.Load()/max(1, p.envelopes.Load()))
}

// Trim forgets the envelopes before that of behind, which is where the partition's reader has come to. A position of
// another stream trims nothing.
func (j *Journal) Trim(ctx context.Context, partition int, behind Position) error {
	stream, err := j.stream(ctx, j.parts[partition].name)
	if err != nil {
		return fmt.Errorf("trim journal partition %d: %w", partition, err)
	}
	info := stream.CachedInfo()
	upto := min(behind.Seq, info.State.LastSeq) // the last one stays, and with it the numbering
	if behind.Stream != info.Config.Metadata[metaID] || upto <= info.State.FirstSeq {
		return nil
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(upto)); err != nil {
		return fmt.Errorf("trim journal partition %d: %w", partition, err)
	}
	return nil
}

// Age is how long ago the oldest envelope that is still there was written, of all partitions.
func (j *Journal) Age(ctx context.Context) (time.Duration, error) {
	var age time.Duration
	for _, p := range j.parts {
		stream, err := j.js.Stream(ctx, p.name)
		if err != nil {
			return 0, fmt.Errorf("journal partition %d: %w", p.number, err)
		}
		if state := stream.CachedInfo().State; state.Msgs > 0 {
			age = max(age, time.Since(state.FirstTime))
		}
	}
	return age, nil
}

// Ready says whether items can be appended and read: nil, or a Problem.
func (j *Journal) Ready(ctx context.Context) error {
	if j.engine != nil && j.engine.stopped() {
		return &tocsin.Problem{Code: tocsin.Unavailable, What: "The journal has stopped: its disk is full or fails.",
			Do: "Free space on the disk; Tocsin goes on by itself when there is some.", Err: errors.New(j.engine.log.last())}
	}
	for _, p := range j.parts {
		stream, err := j.js.Stream(ctx, p.name)
		if err == nil && stream.CachedInfo().Config.Metadata[metaID] == "" {
			err = errors.New("the stream is no longer Tocsin's")
		}
		if err != nil {
			return &tocsin.Problem{Code: tocsin.Unavailable, What: "The journal does not answer.",
				Do: "See that its disk or cluster is well; if a stream was deleted, start Tocsin again.", Err: fmt.Errorf("stream %s: %w", p.name, err)}
		}
		if info := stream.CachedInfo(); info.Config.MaxBytes > 0 && info.State.Bytes > uint64(info.Config.MaxBytes)/100*98 {
			return tocsin.Problemf(tocsin.Unavailable, "See why its reader does not go on, or allow it more bytes.", "The journal is full.")
		}
	}
	return nil
}
