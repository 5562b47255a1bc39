package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// fold folds a run. What the store cannot do now is tried again for as long as it takes. Where the step fails by itself,
// the run is cut until the item it fails on stands alone; that one becomes a dead letter and the rest is folded, each
// part in its own transaction and in order.
func (s *stint) fold(ctx context.Context, run []journal.Entry) error {
	for len(run) > 0 {
		err := s.insist(ctx, run)
		if err == nil {
			s.buried = 0
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, store.ErrLost) {
			return err
		}
		bad, named := culprit(err, len(run))
		switch {
		case named:
			err = s.without(ctx, run[:bad+1], err)
			run = run[bad+1:]
		case len(run) == 1:
			return s.alone(ctx, run[0], err)
		default:
			err = s.fold(ctx, run[:len(run)/2])
			run = run[len(run)/2:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// culprit is the item that the step names as poison.
func culprit(err error, n int) (item int, named bool) {
	var poison *Poison
	if errors.As(err, &poison) && poison.Item >= 0 && poison.Item < n {
		return poison.Item, true
	}
	return 0, false
}

// without folds a run but for its last item, which becomes a dead letter.
func (s *stint) without(ctx context.Context, run []journal.Entry, why error) error {
	last := len(run) - 1
	if err := s.fold(ctx, run[:last]); err != nil {
		return err
	}
	return s.bury(ctx, run[last], why)
}

// mostBuried is how many items in a row may become dead letters without having been called poison. When nothing passes
// any more it is not the items that are bad, and the journal holds them better than a table of the dead.
const mostBuried = 20

// alone deals with a single item on which the step fails by itself.
func (s *stint) alone(ctx context.Context, e journal.Entry, why error) error {
	for wait := (backoff{}); s.buried >= mostBuried; {
		s.trouble(s.partition, fmt.Errorf("%d items in a row failed, so the reader waits at %s: %w", s.buried, e.At, why))
		wait.pause(ctx)
		if why = s.insist(ctx, []journal.Entry{e}); why == nil || ctx.Err() != nil || errors.Is(why, store.ErrLost) {
			s.buried = 0
			return why
		}
	}
	s.buried++
	return s.bury(ctx, e, why)
}

// insist commits a run, trying again what the store or the world may allow later, and once more what failed otherwise.
func (s *stint) insist(ctx context.Context, run []journal.Entry) error {
	items := make([]journal.Item, len(run))
	for i := range run {
		items[i] = run[i].Item
	}
	to := run[len(run)-1].At
	failed := 0
	err := s.retry(ctx, func() error {
		err := s.commit(ctx, to, func(tx *store.Tx) error { return s.step(ctx, tx, items) })
		if _, named := culprit(err, len(run)); err == nil || named || passing(err) {
			return err
		}
		if failed++; failed == 1 {
			return &again{err}
		}
		return err
	})
	if err == nil {
		s.note(s.partition, func(p *Partition) { p.Folded += uint64(len(run)) })
		if s.Done != nil {
			s.Done(items)
		}
	}
	return err
}

// retry does something until it succeeds or fails for good.
func (s *stint) retry(ctx context.Context, do func() error) error {
	for wait := (backoff{}); ; {
		err := do()
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrLost) || !passing(err) {
			return err
		}
		s.trouble(s.partition, err)
		wait.pause(ctx)
	}
}

// step is Step, which may panic: one item must not end the process again and again.
func (s *stint) step(ctx context.Context, tx *store.Tx, items []journal.Item) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("the step of the journal's reader panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return s.Step(ctx, tx, items)
}

// commit moves the checkpoint and does something, both or neither. The checkpoint comes first: its row is then locked, and
// a reader with a later epoch either was there before, or waits and sees where we came to. A commit of which the answer
// was lost is seen when it is tried again, by where the checkpoint stands, and nothing is done twice.
func (s *stint) commit(ctx context.Context, to journal.Position, do func(*store.Tx) error) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		moved, err := tx.MoveCheckpoint(ctx, s.Name, s.partition, s.checkpoint(s.at), s.checkpoint(to))
		if err != nil || !moved {
			return err
		}
		return do(tx)
	})
	if err == nil {
		s.at = to
		s.note(s.partition, func(p *Partition) { p.At, p.Trouble = to, "" })
	}
	return err
}

func (s *stint) checkpoint(at journal.Position) store.Checkpoint {
	return store.Checkpoint{Stream: at.Stream, Seq: at.Seq, Index: at.Index, Epoch: s.epoch}
}

// bury writes an item to the dead letters and passes it.
func (s *stint) bury(ctx context.Context, e journal.Entry, why error) error {
	if made, err := json.Marshal(e.Made); e.Made != nil && err == nil {
		e.Body = made
	}
	body, err := json.Marshal(e.Item)
	if err != nil {
		body = e.Body // not JSON, as it should have been
	}
	tenant := e.Tenant
	if tenant == "" {
		tenant = "unknown" // the journal refuses such an item, and yet it would have to go somewhere
	}
	id := tocsin.NewEventID(tenant, "dead", e.At.String())
	because := why.Error()
	err = s.retry(ctx, func() error {
		return s.commit(ctx, e.At, func(tx *store.Tx) error {
			_, err := tx.Tenant(tenant).Exec(ctx, `insert into dead_letter (tenant, id, kind, subject, body, because, at)
				values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, id) do nothing`,
				id, e.Kind, e.Key, body, because[:min(len(because), 1000)], tx.Clock().Now())
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("dead letter: %w", err)
	}
	s.note(s.partition, func(p *Partition) { p.Dead++ })
	s.log.Error("an item could not be folded; it is a dead letter now", "tenant", tenant, "kind", e.Kind, "key", e.Key, "at", e.At, "err", why)
	return nil
}

// pass tells of a gap and moves behind it.
func (s *stint) pass(ctx context.Context, gap *journal.Gap) error {
	err := s.retry(ctx, func() error {
		err := s.commit(ctx, gap.Resume, func(tx *store.Tx) error {
			if s.Reborn == nil {
				return nil
			}
			return s.Reborn(ctx, tx, s.partition, gap.From, gap.Resume)
		})
		if err != nil && !errors.Is(err, store.ErrLost) {
			return &again{err} // there is no going on without having told it
		}
		return err
	})
	if err != nil {
		return err
	}
	s.note(s.partition, func(p *Partition) { p.Gaps++ })
	s.log.Error("items of the journal could not be read", "from", gap.From, "resume", gap.Resume, "why", gap.Why)
	return nil
}
