package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// request is what one caller appends to one partition, as one piece.
type request struct {
	part  *partition
	items []byte // encoded
	count int
	calm  bool        // see AppendCalmly
	taken atomic.Bool // by the writer, or by the caller who no longer waits
	done  chan error  // holds one
}

// requests are those that were stored, and that nobody holds any more: most appends are of one item, and make nothing anew.
var requests = sync.Pool{New: func() any { return &request{done: make(chan error, 1)} }}

// mostKept is how large the memory of a request is that is used again.
const mostKept = 4 << 10

// queue is what waits for a partition's writer.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	size    int
	count   int // of items
	closed  bool
	wake    chan struct{} // holds one
	full    chan struct{} // holds one: enough waits for an envelope
}

// Append stores the items. When it returns nil they are on stable storage, those of one person in the order given and after
// all that was appended before. The error is ErrUnavailable (errors.Is) where that did not come about within two seconds,
// a Problem of code invalid for an item above 1 MiB, of no tenant, or whose body is not JSON (then none is stored), or ctx's.
func (j *Journal) Append(ctx context.Context, items ...Item) error {
	return j.append(ctx, false, items)
}

// AppendCalmly is Append for one of many callers who come one after the other: while they do, it waits up to calmBeat for
// others, with whom it costs a fraction of what it does alone.
func (j *Journal) AppendCalmly(items ...Item) error {
	return j.append(context.Background(), true, items)
}

func (j *Journal) append(ctx context.Context, calm bool, items []Item) error {
	var room [1]*request
	all, err := j.pack(room[:0], items)
	if err != nil {
		return err
	}
	late := j.late.after(j.conf.Patience)
	for _, r := range all {
		r.calm = calm
		if !r.part.queue.put(r) {
			r.done <- unavailable(errors.New("too much waits, or the journal is closed"))
		}
	}
	for _, r := range all {
		select {
		case err = <-r.done:
		case <-late:
			err = unavailable(context.DeadlineExceeded)
		case <-ctx.Done():
			err = fmt.Errorf("append to the journal: %w", context.Cause(ctx))
		}
		if err != nil {
			abandon(all)
			return err
		}
	}
	for _, r := range all { // each was answered, after which the writer knows nothing of it
		if cap(r.items) <= mostKept {
			requests.Put(r)
		}
	}
	return nil
}

// abandon takes back what the writers have not begun.
func abandon(all []*request) {
	for _, r := range all {
		r.taken.Store(true)
	}
}

// pack appends the items to all as requests, in order within each partition.
func (j *Journal) pack(all []*request, items []Item) ([]*request, error) {
	var open map[int]*request // by partition, but for the last one
	var last *request
	for i := range items {
		item := &items[i]
		if item.Tenant == "" {
			return nil, tocsin.Problemf(tocsin.Invalid, "Name the tenant.", "A %s item belongs to no tenant.", item.Kind)
		}
		if len(item.Body) > 0 && !json.Valid(item.Body) {
			return nil, tocsin.Problemf(tocsin.Invalid, "Send JSON.", "The body of a %s item is not JSON.", item.Kind)
		}
		size := sealedSize(item)
		if size > j.limit {
			return nil, tocsin.Problemf(tocsin.Invalid, fmt.Sprintf("Send at most %d bytes at once.", j.limit),
				"A %s item of %d bytes is too large for the journal.", item.Kind, size)
		}
		n := j.Partition(item.Tenant, item.Person)
		r := last
		if r == nil || r.part.number != n {
			r = open[n]
		}
		if r == nil || r.count == maxCount || len(r.items)+size > maxSize {
			r = requests.Get().(*request)
			r.part, r.items, r.count = j.parts[n], slices.Grow(r.items[:0], min(size*(len(items)-i), maxSize)), 0
			r.taken.Store(false)
			all = append(all, r)
			if len(j.parts) > 1 {
				if open == nil {
					open = make(map[int]*request, 1)
				}
				open[n] = r
			}
		}
		last = r
		r.items, r.count = sealItem(r.items, item), r.count+1
	}
	return all, nil
}

// put gives a request to the writer; false where there is no room.
func (q *queue) put(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.size+len(r.items) > maxWaiting {
		return false
	}
	q.waiting, q.size, q.count = append(q.waiting, r), q.size+len(r.items), q.count+r.count
	nudge(q.wake)
	if q.fills() {
		nudge(q.full)
	}
	return true
}

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

// take gives the requests that fit into one envelope, at least one if any waits.
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
		if r.taken.CompareAndSwap(false, true) {
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
		r.done <- unavailable(errors.New("the journal is closed"))
	}
	q.waiting = nil
}

// beat is the least time between two envelopes while many append at the same time, unless enough waits: a sync and what goes
// with it costs as much for one item as for a hundred. Who comes later than that after the last one does not wait. calmBeat is
// that behind an item of AppendCalmly.
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
			case len(batch) > 1:
				next = time.Now().Add(beat)
			}
			err := j.publish(p, batch, count)
			for _, r := range batch {
				r.done <- err
			}
		}
	}
}

// deadline is a timer that many share: it is for seldom happens, and a timer for each costs more than the rest of an append.
type deadline struct {
	mu    sync.Mutex
	made  time.Time
	ended chan struct{}
}

// shared is for how long callers get the same timer.
const shared = 50 * time.Millisecond

// after gives a channel that is closed when patience is over, or up to shared later. One deadline serves one patience.
func (d *deadline) after(patience time.Duration) <-chan struct{} {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended == nil || now.Sub(d.made) > shared {
		ended := make(chan struct{})
		d.made, d.ended = now, ended
		time.AfterFunc(patience+shared, func() { close(ended) })
	}
	return d.ended
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
	ack, err := j.js.Publish(ctx, p.name, seal(count, parts...))
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
