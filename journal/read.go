package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin.dev"
)

// errStop ends a reading whose caller wants no more.
var errStop = errors.New("enough")

// Read gives the entries of a partition after from, in order, and waits for more until ctx ends; then the sequence ends.
//
// What cannot be read is an error entry of type [*Gap], after which reading goes on. Any other error ends the sequence:
// the journal was closed, or holds what only a newer Tocsin understands. An outage of the cluster is waited out.
func (j *Journal) Read(ctx context.Context, partition int, from Position) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r := &reading{j: j, p: j.parts[partition], at: from, yield: yield}
		if err := r.run(ctx); err != nil && !errors.Is(err, errStop) && ctx.Err() == nil {
			yield(Entry{}, err)
		}
	}
}

// reading is one run of Read.
type reading struct {
	j        *Journal
	p        *partition
	at       Position // everything up to here was given
	consumer string   // the name under which JetStream serves us at present; another one after each of its resets
	yield    func(Entry, error) bool
}

// run reads in sessions: whatever interrupts one, the next begins at what was not given yet.
func (r *reading) run(ctx context.Context) error {
	for wait := pause; ctx.Err() == nil; wait = min(2*wait, time.Second) {
		before := r.at
		err := r.session(ctx)
		var problem *tocsin.Problem
		if errors.Is(err, errStop) || errors.As(err, &problem) {
			return err
		}
		if r.at != before {
			wait = pause
		}
		select {
		case <-ctx.Done():
		case <-r.j.closed:
			return tocsin.Problemf(tocsin.Unavailable, "Start Tocsin again.", "The journal is closed.")
		case <-time.After(wait):
		}
	}
	return nil
}

const pause = 20 * time.Millisecond // before a session that follows an interrupted one; doubles up to a second

func (r *reading) session(ctx context.Context) error {
	stream, err := r.look(ctx)
	if err != nil {
		return err
	}
	consumer, err := stream.OrderedConsumer(ctx, r.order())
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(32))
	if err != nil {
		return err
	}
	defer messages.Stop()
	r.consumer = ""
	for {
		msg, err := r.next(ctx, messages)
		if errors.Is(err, errIdle) {
			stream, err := r.look(ctx)
			if err != nil {
				return err
			}
			if stream.CachedInfo().State.LastSeq >= r.wanted() {
				return errIdle // there is something, and the consumer does not give it: it went with its server
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := r.take(ctx, msg); err != nil {
			return err
		}
	}
}

// order is the consumer for what was not given yet.
func (r *reading) order() jetstream.OrderedConsumerConfig {
	conf := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, MaxResetAttempts: 1, InactiveThreshold: 30 * time.Second}
	if start := r.wanted(); start > 1 {
		conf.DeliverPolicy, conf.OptStartSeq = jetstream.DeliverByStartSequencePolicy, start
	}
	return conf
}

// wanted is the sequence that must come next.
func (r *reading) wanted() uint64 {
	if r.at.Seq == 0 || r.at.Index >= Whole {
		return r.at.Seq + 1
	}
	return r.at.Seq // the rest of its envelope
}

var errIdle = errors.New("nothing new")

func (r *reading) next(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	soon, cancel := context.WithTimeout(ctx, r.j.idle)
	defer cancel()
	msg, err := messages.Next(jetstream.NextContext(soon))
	if err != nil && ctx.Err() == nil && (soon.Err() != nil || errors.Is(err, nats.ErrTimeout)) {
		return nil, errIdle
	}
	return msg, err
}

// look checks that the stream is the one we read and still has what we have read; if not it gives a Gap, moves on and
// says errMoved.
func (r *reading) look(ctx context.Context) (jetstream.Stream, error) {
	stream, err := r.j.stream(ctx, r.p.name)
	if err != nil {
		return nil, err
	}
	info := stream.CachedInfo()
	id := info.Config.Metadata[metaID]
	switch {
	case r.at.Stream == "":
		r.at = Position{Stream: id}
	case r.at.Stream != id:
		return nil, r.gap(Position{Stream: id}, "the stream was made anew")
	default:
		if from, lost := r.lost(info.State.LastSeq); lost {
			return nil, r.gap(Position{Stream: id, Seq: from, Index: Whole}, "the end of the stream was lost")
		}
	}
	return stream, nil
}

// lost says whether the stream, which ends at last, no longer has all that was read from it, and behind which sequence
// everything is new then. The embedded journal has this one process: what it had not when opened, and this process gave to
// nobody, was read before the end was lost, even if new items bear its numbers by now.
func (r *reading) lost(last uint64) (from uint64, lost bool) {
	if r.j.engine == nil {
		return last, r.at.Seq > last
	}
	return r.p.opened, r.at.Seq > max(r.p.opened, r.p.delivered.Load())
}

// errMoved ends a session after a gap.
var errMoved = errors.New("reading goes on elsewhere")

// gap gives a Gap up to resume.
func (r *reading) gap(resume Position, why string) error {
	g := &Gap{Partition: r.p.number, From: r.at, Resume: resume, Why: why}
	r.at = resume
	if !r.yield(Entry{At: resume}, g) {
		return errStop
	}
	return errMoved
}

// take gives the items of a message.
func (r *reading) take(ctx context.Context, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if meta.Consumer != r.consumer { // a reset by the library may have landed on a stream made anew
		if _, err := r.look(ctx); err != nil {
			return err
		}
		r.consumer = meta.Consumer
	}
	seq := meta.Sequence.Stream
	if seq < r.wanted() {
		return nil
	}
	if seq > r.wanted() {
		if err := r.skip(seq-1, fmt.Sprintf("sequences %d to %d are missing", r.wanted(), seq-1)); err != nil {
			return err
		}
	}
	return r.give(seq, msg)
}

// give gives the items of an envelope, but for those that were given before.
func (r *reading) give(seq uint64, msg jetstream.Msg) error {
	r.p.deliver(seq)
	items, err := open(msg.Data())
	switch {
	case errors.Is(err, errNewer):
		return &tocsin.Problem{Code: tocsin.Conflict, What: "The journal was written by a newer Tocsin.",
			Do: "Run that version, or a later one.", Err: fmt.Errorf("journal partition %d, sequence %d: %w", r.p.number, seq, err)}
	case err != nil:
		return r.skip(seq, fmt.Sprintf("sequence %d: %v", seq, err))
	case len(items) == 0:
		until, _ := strconv.ParseUint(msg.Headers().Get(lostUntil), 10, 64) // 0 where it is no number
		return r.skip(max(seq, until), fmt.Sprintf("sequence %d: what stood here was lost by the disk", seq))
	}
	r.p.envelopes.Add(1)
	r.p.items.Add(uint64(len(items)))
	for i := range items {
		if r.at.Seq == seq && i <= r.at.Index {
			continue
		}
		r.at = Position{Stream: r.at.Stream, Seq: seq, Index: i}
		if !r.yield(Entry{Item: items[i], At: r.at}, nil) {
			return errStop
		}
	}
	r.at.Index = Whole
	return nil
}

// skip gives a Gap through a sequence of this stream, and the session goes on.
func (r *reading) skip(through uint64, why string) error {
	err := r.gap(Position{Stream: r.at.Stream, Seq: through, Index: Whole}, why)
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// deliver notes that this process gave seq to a reader.
func (p *partition) deliver(seq uint64) {
	for {
		old := p.delivered.Load()
		if seq <= old || p.delivered.CompareAndSwap(old, seq) {
			return
		}
	}
}
