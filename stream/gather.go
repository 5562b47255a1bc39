package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin.dev/journal"
)

// maxBytes is the most that the bodies of a run may take, but for its last item.
const maxBytes = 16 << 20

// finding is what the journal's reader found: an entry, or an error.
type finding struct {
	entry journal.Entry
	err   error
}

var errEnded = errors.New("the journal ended")

// pump reads the journal behind from into found, and closes it at the end.
func (s *stint) pump(ctx context.Context, from journal.Position, found chan<- finding) {
	defer close(found)
	for entry, err := range s.Journal.Read(ctx, s.partition, from) {
		select {
		case found <- finding{entry, err}:
		case <-ctx.Done():
			return
		}
	}
}

// beats are what a run is gathered for, in MaxTimes: the first, and the next as long as many come.
var beats = []time.Duration{1, 3, 4, 4, 4, 4}

// gather waits for an item and takes those that come within MaxTime of it, up to MaxRun; an error ends the run early. As long as many
// come, MaxRun in forty MaxTimes, it waits on, for twenty MaxTimes at most: what a transaction costs by itself, and a page that it
// writes, many share.
func (s *stint) gather(ctx context.Context, found <-chan finding) (run []journal.Entry, last error) {
	var late <-chan time.Time
	var span time.Duration // of the beat
	beat, had := 0, 0
	for size := 0; len(run) < s.MaxRun && size < maxBytes; {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			many := max(2, int(time.Duration(s.MaxRun)*span/s.MaxTime/40))
			if beat++; beat == len(beats) || len(run)-had < many {
				return run, nil
			}
			span, had = beats[beat]*s.MaxTime, len(run)
			late = time.After(span)
		case f, more := <-found:
			if !more {
				return run, errEnded
			}
			if f.err != nil {
				return run, f.err
			}
			run, size = append(run, f.entry), size+len(f.entry.Body)
			if len(run) == 1 {
				span = beats[0] * s.MaxTime
				if s.Gather != nil {
					span = max(span, s.Gather(ctx))
				}
				timer := time.NewTimer(span)
				defer timer.Stop()
				late = timer.C
			}
		}
	}
	return run, nil
}

// opened is a run that is ready to be folded, and what ended it.
type opened struct {
	run    []journal.Entry
	last   error
	failed error
}

// look gathers runs and opens them, each while the one before is folded: what answers slowly holds nobody up but itself.
func (s *stint) look(ctx context.Context, found <-chan finding, ahead chan<- opened) {
	defer close(ahead)
	for ctx.Err() == nil {
		var o opened
		o.run, o.last = s.gather(ctx, found)
		o.failed = s.open(ctx, o.run)
		select {
		case ahead <- o:
		case <-ctx.Done():
			return
		}
		if o.failed != nil || errors.Is(o.last, errEnded) {
			return
		}
	}
}

// end deals with what ended a run: nothing, a gap, which is passed on, or the end of reading.
func (s *stint) end(ctx context.Context, err error) error {
	var gap *journal.Gap
	if !errors.As(err, &gap) {
		return err
	}
	return s.pass(ctx, gap)
}

// open puts what Open makes of the run's items in their places.
func (s *stint) open(ctx context.Context, run []journal.Entry) error {
	if s.Open == nil || len(run) == 0 {
		return nil
	}
	items := make([]journal.Item, len(run))
	for i := range run {
		items[i] = run[i].Item
	}
	opened, err := s.Open(ctx, items)
	if err != nil {
		return err
	}
	if len(opened) != len(run) {
		return fmt.Errorf("stream: Open made %d items of %d", len(opened), len(run))
	}
	for i := range run {
		run[i].Item = opened[i]
	}
	return nil
}
