package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// Step folds a run of items, oldest first: all its effects go through tx. It may be run again for the same items when
// its transaction could not be committed, so it has no effects elsewhere. An item that can never be folded it names by
// returning a *[Poison].
type Step func(ctx context.Context, tx *store.Tx, items []journal.Item) error

// Open makes of a run's items what is folded in their places, one for one, before the transaction: it may ask the world
// outside, and takes its time. What it cannot find out it leaves in the item, for the step to keep; it has no effects of
// its own, since it is called again for items that were not committed. An error (the end of ctx) folds nothing. Runs of a
// partition are opened one after the other, and the next one while the last is still being folded.
type Open func(ctx context.Context, items []journal.Item) ([]journal.Item, error)

// Poison is a Step's error for an item that cannot be folded, now or later.
type Poison struct {
	Item int // its index in the run
	Err  error
}

func (p *Poison) Error() string { return fmt.Sprintf("item %d cannot be folded: %v", p.Item, p.Err) }

// Unwrap gives the cause.
func (p *Poison) Unwrap() error { return p.Err }

// Reader folds the journal into the store. Store, Journal, Name, Owner and Step are needed; zero is right for the rest.
type Reader struct {
	Store   *store.Store
	Journal *journal.Journal
	Name    string // of its checkpoints
	Owner   string // of its leases: this process. The same name after a restart goes on at once, so no two may share it
	Step    Step
	Open    Open // nil: items are folded as they are
	// Reborn is told, in the transaction that moves the checkpoint from old to new, that the items between could not be
	// read: the stream of the partition was made anew (then the creation ids differ), or parts of it are lost. It opens gaps.
	Reborn func(ctx context.Context, tx *store.Tx, partition int, old, new journal.Position) error
	// Done is told of a run that was folded, once it is committed: for those who measure.
	Done    func(items []journal.Item)
	Log     *slog.Logger
	MaxRun  int           // items in a run; 0: 8,000
	MaxTime time.Duration // that a run is gathered from its first item on, up to twenty times that while many come; 0: 50 ms
	// Gather is asked with each run's first item for how long it is gathered, where that is longer than MaxTime; nil: it is not.
	Gather func(ctx context.Context) time.Duration

	Lease time.Duration // how long a partition stays with a reader that is gone; 0: 8 s

	trim   time.Duration // how often the journal is trimmed; tests shorten it
	share  *Share
	mu     sync.Mutex
	status []Partition
}

// Run reads its share of the partitions, and takes over those whose reader is gone, until ctx ends; then it gives its
// leases up and returns nil. An error means that it could not begin.
func (r *Reader) Run(ctx context.Context) error {
	if err := r.prepare(); err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() { r.share.Run(ctx) })
	for p := range r.Journal.Partitions() {
		all.Go(func() { r.serve(ctx, p) })
	}
	all.Wait()
	return nil
}

func (r *Reader) prepare() error {
	if r.Store == nil || r.Journal == nil || r.Step == nil || r.Name == "" || r.Owner == "" {
		return errors.New("stream: a reader needs a store, a journal, a step, a name and an owner")
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	if r.MaxRun <= 0 {
		r.MaxRun = 8000
	}
	if r.MaxTime <= 0 {
		r.MaxTime = 50 * time.Millisecond
	}
	if r.Lease <= 0 {
		r.Lease = 8 * time.Second
	}
	if r.trim <= 0 {
		r.trim = time.Minute
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = make([]Partition, r.Journal.Partitions())
	r.share = &Share{Store: r.Store, Group: "journal", Owner: r.Owner, For: r.Lease, Able: r.Journal.Reached, Log: r.Log}
	for p := range r.status {
		r.status[p].Number = p
		r.share.Want(leaseName(p))
	}
	return nil
}

// leaseName is the lease of a partition.
func leaseName(partition int) string { return fmt.Sprintf("journal/%d", partition) }

// serve takes the lease of a partition whenever it is free and this reader may have it, and reads while it holds it.
func (r *Reader) serve(ctx context.Context, partition int) {
	name, wait := leaseName(partition), backoff{}
	for ctx.Err() == nil {
		if !r.share.May(name) {
			r.note(partition, func(p *Partition) { p.Held, p.Trouble = false, "" })
			sleep(ctx, r.Lease/20)
			continue
		}
		soon, cancel := context.WithTimeout(ctx, r.Lease) // a database that is gone may never answer
		epoch, ok, err := r.Store.Lease(soon, name, r.Owner, r.Lease)
		cancel()
		switch {
		case err != nil:
			r.share.Gone(name)
			r.trouble(partition, err)
			wait.pause(ctx)
		case !ok:
			r.share.Gone(name)
			r.note(partition, func(p *Partition) { p.Held, p.Trouble = false, "" })
			sleep(ctx, r.Lease/8)
		default:
			s := &stint{Reader: r, partition: partition, epoch: epoch, log: r.Log.With("partition", partition, "epoch", epoch)}
			err := s.hold(ctx)
			r.note(partition, func(p *Partition) { p.Held = false })
			switch {
			case errors.Is(err, ErrShare):
				s.log.Info("a partition goes to another replica")
				r.release(ctx, partition)
				r.share.Gone(name)
				sleep(ctx, r.Lease/4)
				continue
			case errors.Is(err, store.ErrLost):
				s.log.Warn("the lease of a partition was lost; another reads it")
				sleep(ctx, r.Lease/6)
			case err != nil && ctx.Err() == nil:
				r.trouble(partition, err)
				wait.pause(ctx)
			default:
				wait = backoff{}
			}
			r.share.Gone(name)
		}
	}
	r.release(ctx, partition)
}

// release lets go of a partition's lease, so that another can have it at once.
func (r *Reader) release(ctx context.Context, partition int) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := r.Store.Release(last, leaseName(partition), r.Owner); err != nil {
		r.Log.Warn("a lease could not be given up; it runs out by itself", "partition", partition, "err", err)
	}
}

// stint is the time during which a reader holds the lease of a partition in one epoch.
type stint struct {
	*Reader
	partition int
	epoch     int64
	log       *slog.Logger
	at        journal.Position // committed
	trimmed   time.Time
	buried    int // items in a row that failed without the step calling them poison
}

// hold reads the partition until ctx ends, the lease is lost (store.ErrLost) or another's (ErrShare), or the journal ends.
func (s *stint) hold(ctx context.Context) error {
	ctx, lose := s.share.Took(ctx, leaseName(s.partition))
	var beside sync.WaitGroup
	defer beside.Wait()
	defer lose(nil)
	beside.Go(func() { s.renew(ctx, lose) })

	if err := s.fence(ctx); err != nil {
		return err
	}
	s.note(s.partition, func(p *Partition) { p.Held, p.Epoch, p.At, p.Trouble = true, s.epoch, s.at, "" })
	s.trimmed = time.Now()
	found, from := make(chan finding, 256), s.at
	beside.Go(func() { s.pump(ctx, from, found) })
	ahead := make(chan opened)
	beside.Go(func() { s.look(ctx, found, ahead) })
	for o := range ahead {
		if o.failed != nil {
			return lost(ctx, o.failed)
		}
		if err := s.fold(store.Patient(ctx), o.run); err != nil {
			return lost(ctx, err)
		}
		if err := s.end(store.Patient(ctx), o.last); err != nil || ctx.Err() != nil {
			return lost(ctx, err)
		}
		if time.Since(s.trimmed) >= s.trim {
			s.forget(ctx)
		}
	}
	return lost(ctx, ctx.Err())
}

// lost is err, or that the lease was lost or is another's where that is why ctx ended.
func lost(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, store.ErrLost) || errors.Is(cause, ErrShare) {
		return cause
	}
	return err
}

// renew keeps the lease well before it runs out, and ends the stint when it is lost.
func (s *stint) renew(ctx context.Context, lose context.CancelCauseFunc) {
	good := time.Now()
	for sleep(ctx, s.Lease/4) {
		soon, cancel := context.WithTimeout(ctx, s.Lease/4)
		began := time.Now()
		epoch, ok, err := s.Store.Lease(soon, leaseName(s.partition), s.Owner, s.Lease)
		cancel()
		switch {
		case err == nil && ok && epoch == s.epoch:
			good = began
		case err == nil, time.Since(good) > s.Lease:
			lose(fmt.Errorf("lease %s: %w", leaseName(s.partition), store.ErrLost))
			return
		}
	}
}

// fence takes the checkpoint over for this epoch and reads it, in one statement: a commit under an earlier epoch is
// either behind it and seen, or refused from now on.
func (s *stint) fence(ctx context.Context) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		var seq int64
		err := tx.QueryRow(ctx, `insert into checkpoint (name, lane, stream, seq, idx, epoch) values ($1, $2, '', 0, 0, $3)
			on conflict (name, lane) do update set epoch = excluded.epoch where checkpoint.epoch <= excluded.epoch
			returning stream, seq, idx`, s.Name, s.partition, s.epoch).Scan(&s.at.Stream, &seq, &s.at.Index)
		if errors.Is(err, store.ErrNone) {
			return fmt.Errorf("checkpoint %s of partition %d, epoch %d: %w", s.Name, s.partition, s.epoch, store.ErrLost)
		}
		s.at.Seq = uint64(seq)
		return err
	})
}

// forget trims the journal behind what every reader of the partition has committed.
func (s *stint) forget(ctx context.Context) {
	s.trimmed = time.Now()
	behind, err := s.behind(ctx)
	if err == nil {
		err = s.Journal.Trim(ctx, s.partition, behind)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("the journal could not be trimmed; it is tried again", "err", err)
	}
}

// behind is the earliest checkpoint of the partition, this reader's or another's; the zero Position where one of them
// is of another stream.
func (s *stint) behind(ctx context.Context) (journal.Position, error) {
	at := s.at
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		var seq, strangers int64
		err := tx.QueryRow(ctx, `select coalesce(min(seq), 0), count(*) filter (where stream <> $2) from checkpoint where lane = $1`,
			s.partition, s.at.Stream).Scan(&seq, &strangers)
		at.Seq = uint64(seq)
		if strangers > 0 {
			at = journal.Position{}
		}
		return err
	})
	return at, err
}

// backoff is a wait that doubles, from 20 ms to 5 s.
type backoff struct{ last time.Duration }

func (b *backoff) pause(ctx context.Context) bool {
	b.last = min(5*time.Second, max(20*time.Millisecond, 2*b.last))
	return sleep(ctx, b.last)
}

// sleep waits; false where ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
