package graph

import (
	"context"
	"hash/maphash"
	"slices"
	"time"

	"github.com/google/uuid"
)

// boxKey stands for a mailbox: its user's id, or a hash of the name that was used instead. The zero value is no mailbox.
// One addressed now by id and now by name counts as two: use ids.
type boxKey [16]byte

var seed = maphash.MakeSeed()

// hashed marks a key that is no id: version 15 is nobody's.
const hashed = 0xf0

func keyOfMailbox(user string) (k boxKey) {
	if id, err := uuid.Parse(user); err == nil && id != uuid.Nil && id[6]&hashed != hashed {
		return boxKey(id)
	}
	h := maphash.String(seed, user)
	for i := range 8 {
		k[8+i] = byte(h >> (8 * i))
	}
	k[6] = hashed
	return k
}

// String is the user's id; empty where a name was used.
func (k boxKey) String() string {
	if k == (boxKey{}) || k[6]&hashed == hashed {
		return ""
	}
	return uuid.UUID(k).String()
}

// mailbox is the limits of one mailbox, in 80 bytes: a tenant may have 100,000.
type mailbox struct {
	window
	blocked   int64 // until when a 429 told us to keep off, Unix ns
	high, low uint8 // places taken
	going     uint8 // calls under way: those with a place that no longer wait for a window
	queue     *queue
}

// upload is what was sent to one mailbox, in bytes.
type upload struct {
	window
	pending int
}

func (u *upload) wait(l *limiter, n int, high bool, now int64) time.Duration {
	u.roll(now, l.uploadWidth)
	return u.window.wait(n, l.part(l.lim.MailboxUpload, 2, high), u.pending, now, l.uploadWidth)
}

// upload is the one of that mailbox. mu is held.
func (l *limiter) upload(key boxKey) *upload {
	u, ok := l.uploads[key]
	if !ok {
		u = &upload{}
		l.uploads[key] = u
	}
	return u
}

// queue is who waits to enter a mailbox; there is one only while somebody does.
type queue struct{ high, low []chan struct{} }

// wait is how long until one more request fits.
func (b *mailbox) wait(l *limiter, high bool, now int64) time.Duration {
	b.roll(now, l.boxWidth)
	return max(time.Duration(b.blocked-now), b.window.wait(1, l.part(l.lim.MailboxRequests, 2, high), int(b.going), now, l.boxWidth))
}

// room says whether one more call fits beside those under way.
func (b *mailbox) room(l *limiter, high bool) bool {
	all := l.lim.MailboxConcurrent
	if l.visits() {
		all = max(all-l.lim.MailboxBackground, 1)
	}
	if int(b.high)+int(b.low) >= all {
		return false
	}
	return high || int(b.low) < l.lim.MailboxBackground
}

// mayEnter is room, with nobody passed who came before.
func (b *mailbox) mayEnter(l *limiter, high bool) bool {
	if b.queue != nil && (len(b.queue.high) > 0 || !high && len(b.queue.low) > 0) {
		return false
	}
	return b.room(l, high)
}

func (b *mailbox) enter(l *limiter, high bool) {
	l.moved(b, 1)
	if high {
		b.high++
	} else {
		b.low++
	}
}

// moved notes that a mailbox is about to have one call more, or less, under way.
func (l *limiter) moved(b *mailbox, by int) {
	n := b.high + b.low
	if n > 0 {
		l.atOnce[n]--
	}
	if n = uint8(int(n) + by); n > 0 {
		l.atOnce[n]++
	}
}

// requestsOf is what was asked of a mailbox in the window that runs, bytesOf what was sent to it.
func (l *limiter) requestsOf(key boxKey) int {
	b := l.boxes[key]
	if b == nil {
		return 0
	}
	b.roll(l.now().UnixNano(), l.boxWidth)
	return b.sum() + int(b.going)
}

func (l *limiter) bytesOf(key boxKey) int {
	u := l.uploads[key]
	if u == nil {
		return 0
	}
	u.roll(l.now().UnixNano(), l.uploadWidth)
	return u.sum() + u.pending
}

// mailbox is the one of that key. mu is held.
func (l *limiter) mailbox(key boxKey) *mailbox {
	b, ok := l.boxes[key]
	if !ok {
		b = &mailbox{}
		l.boxes[key] = b
	}
	return b
}

// enter waits for a place among the calls to a mailbox: in order, those for whom a person waits first.
func (l *limiter) enter(ctx context.Context, a ask) (*mailbox, error) {
	l.mu.Lock()
	b := l.mailbox(a.box)
	if b.mayEnter(l, a.high) {
		b.enter(l, a.high)
		l.mu.Unlock()
		return b, nil
	}
	turn := make(chan struct{})
	if b.queue == nil {
		b.queue = &queue{}
	}
	line := b.queue.line(a.high)
	*line = append(*line, turn)
	var h hold
	h.on(&l.onceTally, a.high)
	l.mu.Unlock()

	var err error
	select {
	case <-turn:
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.off()
	if err == nil {
		return b, nil
	}
	if i := slices.Index(*line, turn); i >= 0 {
		*line = slices.Delete(*line, i, i+1)
		b.settle(l)
	} else {
		b.exit(l, a.high) // the turn came together with the end of ctx
	}
	return nil, err
}

func (q *queue) line(high bool) *[]chan struct{} {
	if high {
		return &q.high
	}
	return &q.low
}

// leave gives back the place in the mailbox of a call that was not made.
func (t *ticket) leave() {
	if t.box == nil {
		return
	}
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	t.box.exit(t.l, t.high)
}

func (b *mailbox) exit(l *limiter, high bool) {
	l.moved(b, -1)
	if high {
		b.high--
	} else {
		b.low--
	}
	b.settle(l)
}

// settle hands free places to those who wait.
func (b *mailbox) settle(l *limiter) {
	for b.queue != nil {
		high := len(b.queue.high) > 0
		line := b.queue.line(high)
		if len(*line) == 0 {
			b.queue = nil
			return
		}
		if !b.room(l, high) {
			return
		}
		b.enter(l, high)
		close((*line)[0])
		*line = (*line)[1:]
	}
}

// idle says that forgetting the mailbox changes nothing.
func (b *mailbox) idle(now, width int64) bool {
	b.roll(now, width)
	return b.high == 0 && b.low == 0 && b.going == 0 && b.queue == nil && b.blocked <= now && b.sum() == 0
}

// sweep forgets idle mailboxes, once a window. mu is held.
func (l *limiter) sweep(now int64) {
	if now < l.sweepAt {
		return
	}
	l.sweepAt = now + slots*l.boxWidth
	for k, b := range l.boxes {
		if b.idle(now, l.boxWidth) {
			delete(l.boxes, k)
		}
	}
	for k, u := range l.uploads {
		if u.roll(now, l.uploadWidth); u.pending == 0 && u.sum() == 0 {
			delete(l.uploads, k)
		}
	}
}
