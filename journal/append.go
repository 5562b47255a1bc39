package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tocsin.dev"
)

// The bounds of an envelope, and of what may wait for one.
const (
	maxCount   = 500
	maxSize    = 512 << 10
	maxItem    = 1 << 20
	maxWaiting = 64 << 20 // bytes in a partition
)

// ErrUnavailable is the problem of an item that could not be stored in time. It may be stored all the same, so whoever
// sent it sends it again and the reader takes repeats as such.
var ErrUnavailable = tocsin.Problemf(tocsin.Unavailable, "Send it again; if it stays, see that the journal's disk or cluster is well.",
	"The journal did not store it in time.")

func unavailable(cause error) error {
	return &tocsin.Problem{Code: ErrUnavailable.Code, What: ErrUnavailable.What, Do: ErrUnavailable.Do, Err: errors.Join(ErrUnavailable, cause)}
}

// request is what callers append to one partition within a short time: one behind the other, and awaited together.
type request struct {
	made    time.Time
	items   []byte // encoded
	count   int
	callers int
	calm    bool // see Gather

	answered atomic.Bool   // by the writer, or because it is too late
	done     chan struct{} // closed when it is answered, with
	err      error
	late     *time.Timer // the writer's to stop
}

// shared is for how long callers come to the same request.
const shared = 50 * time.Millisecond

func (r *request) answer(err error) {
	if r.answered.CompareAndSwap(false, true) {
		r.err = err
		close(r.done)
	}
}

func (r *request) wait(ctx context.Context) error {
	if ctx.Done() == nil {
		<-r.done
		return r.err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return fmt.Errorf("append to the journal: %w", context.Cause(ctx))
	}
}

// queue is what waits for a partition's writer.
type queue struct {
	patience time.Duration // after which what waits is refused

	mu      sync.Mutex
	waiting []*request
	size    int
	count   int // of items
	closed  bool
	spare   []byte        // for the next request
	wake    chan struct{} // holds one
	full    chan struct{} // holds one: enough waits for an envelope
}

func (q *queue) init(patience time.Duration) {
	q.patience, q.wake, q.full = patience, make(chan struct{}, 1), make(chan struct{}, 1)
}

// Append stores the items. When it returns nil they are on stable storage, those of one person in the order given and after
// all that was appended before. The error is ErrUnavailable (errors.Is) where that did not come about within two seconds,
// a Problem of code invalid for an item above 1 MiB or of no tenant (then none is stored), or ctx's, after which they may be stored all
// the same. A body is not looked at.
func (j *Journal) Append(ctx context.Context, items ...Item) error {
	g, err := j.gather(false, items)
	if err != nil {
		return err
	}
	return g.stored(ctx)
}

// Gather is the first half of Append for one of many callers who come one after the other, of which [Gathered.Stored] is the
// other: while they do, it waits up to calmBeat for others, with whom it costs a fraction of what it does alone. When it returns, the
// items are copied.
func (j *Journal) Gather(items ...Item) (Gathered, error) { return j.gather(true, items) }

// Gathered are items on their way to stable storage.
type Gathered struct {
	in   *request
	more []*request
}

// Stored waits until they are there, or were refused, as Append does.
func (g Gathered) Stored() error { return g.stored(context.Background()) }

func (g Gathered) stored(ctx context.Context) error {
	if g.in == nil {
		return nil
	}
	err := g.in.wait(ctx)
	for _, r := range g.more {
		if err == nil {
			err = r.wait(ctx)
		}
	}
	return err
}

// note has a request that some of the items are in awaited. The requests of a partition follow each other; its queue's mu is held.
func (g *Gathered) note(r *request) {
	last := g.in
	if len(g.more) > 0 {
		last = g.more[len(g.more)-1]
	}
	switch {
	case r == last:
		return
	case last == nil:
		g.in = r
	default:
		g.more = append(g.more, r)
	}
	r.callers++
}

func (j *Journal) gather(calm bool, items []Item) (g Gathered, err error) {
	for i := range items {
		if err := j.check(&items[i]); err != nil {
			return Gathered{}, err
		}
	}
	for n, mine := range j.byPartition(items) {
		if !j.parts[n].queue.put(&g, mine, calm) {
			return Gathered{}, unavailable(errors.New("too much waits, or the journal is closed"))
		}
	}
	return g, nil
}

// byPartition gives each partition that some of the items are in, with these in the order in which they are given.
func (j *Journal) byPartition(items []Item) iter.Seq2[int, []Item] {
	return func(yield func(int, []Item) bool) {
		if len(items) == 0 {
			return
		}
		first := j.Partition(items[0].Tenant, items[0].Person)
		if len(items) == 1 || len(j.parts) == 1 {
			yield(first, items)
			return
		}
		of := make([][]Item, len(j.parts))
		of[first] = append(of[first], items[0])
		for _, item := range items[1:] {
			n := j.Partition(item.Tenant, item.Person)
			of[n] = append(of[n], item)
		}
		for n, mine := range of {
			if len(mine) > 0 && !yield(n, mine) {
				return
			}
		}
	}
}

// check says why an item cannot be stored.
func (j *Journal) check(item *Item) error {
	if item.Tenant == "" {
		return tocsin.Problemf(tocsin.Invalid, "Name the tenant.", "A %s item belongs to no tenant.", item.Kind)
	}
	if size := sealedSize(item); size > j.limit {
		return tocsin.Problemf(tocsin.Invalid, fmt.Sprintf("Send at most %d bytes at once.", j.limit),
			"A %s item of %d bytes is too large for the journal.", item.Kind, size)
	}
	return nil
}

// put gives items to the writer, and notes the requests that they are in; false where there is no room for them. They are one piece,
// stored or refused together, unless they are more than a request can be.
func (q *queue) put(g *Gathered, items []Item, calm bool) bool {
	size := 0
	for i := range items {
		size += sealedSize(&items[i])
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.size+size > maxWaiting {
		return false
	}
	var r *request
	if n := len(q.waiting); n > 0 && time.Since(q.waiting[n-1].made) < shared && q.waiting[n-1].fits(len(items), size) {
		r = q.waiting[n-1]
	}
	for i := range items {
		if r == nil || !r.fits(1, sealedSize(&items[i])) {
			r = q.request()
		}
		before := len(r.items)
		r.items, r.count, r.calm = sealItem(r.items, &items[i]), r.count+1, r.calm || calm
		q.size, q.count = q.size+len(r.items)-before, q.count+1
		g.note(r)
	}
	if q.fills() {
		nudge(q.full)
	}
	return true
}

// fits says whether there is room for so many items of so many bytes; one item always has it in a new request.
func (r *request) fits(count, size int) bool {
	return r.count+count <= maxCount && len(r.items)+size <= maxSize || r.count == 0
}

// request makes the next one that waits. mu is held.
func (q *queue) request() *request {
	r := &request{made: time.Now(), items: q.spare, done: make(chan struct{})}
	q.spare = nil
	r.late = time.AfterFunc(q.patience+shared, func() { r.answer(unavailable(context.DeadlineExceeded)) })
	q.waiting = append(q.waiting, r)
	nudge(q.wake)
	return r
}

// giveBack keeps the memory of a request that was answered.
func (q *queue) giveBack(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cap(r.items) <= mostKept && cap(r.items) > cap(q.spare) {
		q.spare = r.items[:0]
	}
	r.items = nil
}

// mostKept is how much memory is kept of a request, and of an envelope, for the next one.
const mostKept = 256 << 10

// enough is how many items are worth an envelope of their own: a sync is then a small part of what they cost.
const enough = 200

// fills says whether what waits is worth an envelope. mu is held.
func (q *queue) fills() bool { return q.count >= enough || q.size >= maxSize }

func nudge(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// take gives the requests that fit into one envelope, at least one if any waits. What was answered because it is too late is
// not among them.
func (q *queue) take() (batch []*request, count int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size, used := 0, 0
	for _, r := range q.waiting {
		if len(batch) > 0 && (count+r.count > maxCount || size+len(r.items) > maxSize) {
			break
		}
		used++
		q.size, q.count = q.size-len(r.items), q.count-r.count
		if !r.answered.Load() {
			batch, count, size = append(batch, r), count+r.count, size+len(r.items)
		}
	}
	rest := copy(q.waiting, q.waiting[used:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	select {
	case <-q.full:
	default:
	}
	if q.fills() {
		nudge(q.full)
	}
	return batch, count
}

// close refuses what waits and whatever comes.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, r := range q.waiting {
		r.answer(unavailable(errors.New("the journal is closed")))
	}
	q.waiting = nil
}

// beat is the least time between two envelopes while many append at the same time, unless enough waits: a sync and what goes
// with it costs as much for one item as for a hundred. Who comes later than that after the last one does not wait. calmBeat is
// that behind an item of Gather.
const (
	beat     = 2 * time.Millisecond
	calmBeat = 10 * time.Millisecond
)

// write is a partition's writer: whatever waits goes out as one message, one after the other, and the one acknowledgement
// answers all of its callers.
func (j *Journal) write(p *partition) {
	defer p.queue.close()
	var next time.Time // not before
	for {
		select {
		case <-j.closed:
			return
		case <-p.queue.wake:
		}
		for {
			if rest := time.Until(next); rest > 0 {
				select {
				case <-time.After(rest):
				case <-p.queue.full:
				case <-j.closed:
					return
				}
			}
			batch, count := p.queue.take()
			if len(batch) == 0 {
				break
			}
			next = time.Time{}
			switch {
			case slices.ContainsFunc(batch, func(r *request) bool { return r.calm }):
				next = time.Now().Add(calmBeat)
			case len(batch) > 1 || batch[0].callers > 1:
				next = time.Now().Add(beat)
			}
			err := j.publish(p, batch, count)
			for _, r := range batch {
				r.answer(err)
				r.late.Stop()
				p.queue.giveBack(r)
			}
		}
	}
}

func (j *Journal) publish(p *partition, batch []*request, count int) error {
	if e := j.engine; e != nil {
		if !e.healing.TryRLock() {
			return unavailable(errors.New("JetStream is started again"))
		}
		defer e.healing.RUnlock()
		if e.stopped() {
			return unavailable(errors.New("JetStream has stopped"))
		}
	}
	parts := make([][]byte, len(batch))
	for i, r := range batch {
		parts[i] = r.items
	}
	ctx, cancel := context.WithTimeout(context.Background(), j.conf.Patience)
	defer cancel()
	sealed := seal(p.sealed[:0], count, parts...)
	if cap(sealed) <= mostKept {
		p.sealed = sealed // the connection has copied it when Publish returns
	}
	ack, err := j.js.Publish(ctx, p.name, sealed)
	if err != nil {
		return unavailable(err)
	}
	if j.tails != nil {
		j.tails.set(p.number, ack.Sequence)
	}
	p.envelopes.Add(1)
	p.items.Add(uint64(count))
	return nil
}
