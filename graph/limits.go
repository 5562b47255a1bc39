package graph

import (
	"context"
	"math"
	"sync"
	"time"
)

// Limits are Microsoft's, as published; the zero value of each is the published default.
// They change without notice, so each is a setting. https://learn.microsoft.com/graph/throttling-limits
type Limits struct {
	Requests int           // of the app over all tenants; 130,000 …
	Window   time.Duration // … in 10 s

	MailboxRequests   int           // of the app to one mailbox; 10,000 …
	MailboxWindow     time.Duration // … in 10 min
	MailboxConcurrent int           // at once; 4, …
	MailboxBackground int           // … of which those that no person waits for take 3

	DirectoryUnits  int           // resource units of the app in the tenant; 8,000 (3,500 below 50 users, 5,000 below 500) …
	DirectoryWindow time.Duration // … in 10 s

	Reports       int           // sign-ins and audits; 5 …
	ReportsWindow time.Duration // … in 10 s

	Protection       int           // Identity Protection and Conditional Access, for all apps together; 1 …
	ProtectionWindow time.Duration // … in 1 s

	MaxWait time.Duration // the longest a call is held back before it comes back as Throttled; 5 min
}

// OrDefaults is l with the published limits where it is zero.
func (l Limits) OrDefaults() Limits {
	count := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	span := func(t *time.Duration, d time.Duration) {
		if *t <= 0 {
			*t = d
		}
	}
	count(&l.Requests, 130_000)
	span(&l.Window, 10*time.Second)
	count(&l.MailboxRequests, 10_000)
	span(&l.MailboxWindow, 10*time.Minute)
	count(&l.MailboxConcurrent, 4)
	count(&l.MailboxBackground, max(l.MailboxConcurrent-1, 1))
	l.MailboxBackground = min(l.MailboxBackground, l.MailboxConcurrent)
	count(&l.DirectoryUnits, 8_000)
	span(&l.DirectoryWindow, 10*time.Second)
	count(&l.Reports, 5)
	span(&l.ReportsWindow, 10*time.Second)
	count(&l.Protection, 1)
	span(&l.ProtectionWindow, time.Second)
	span(&l.MaxWait, 5*time.Minute)
	return l
}

// scope is one limit that is not a mailbox's.
type scope struct {
	window
	limit   int
	width   int64 // of a slot, ns
	blocked int64 // until when a 429 told us to keep off, Unix ns
	tally
}

// tally is what happened at a limit.
type tally struct {
	spent     int64
	waits     int64
	waited    time.Duration
	throttled int64 // 429s received
	refused   int64 // turned away by us
}

func newScope(limit int, span time.Duration) *scope {
	return &scope{limit: limit, width: max(int64(span)/(slots-1), 1)}
}

// wait is how long until n may be spent.
func (s *scope) wait(n int, high bool, now int64) time.Duration {
	s.roll(now, s.width)
	return max(time.Duration(s.blocked-now), s.window.wait(n, share(s.limit, high), now, s.width))
}

// share is how much of a limit those may use for whom no person waits: all but a twentieth.
func share(limit int, high bool) int {
	if high {
		return limit
	}
	return limit - limit/20
}

// Shared is the limit of one app over all the tenants it is used in. Clients of the same app registration share one.
type Shared struct {
	mu sync.Mutex
	scope
}

// NewShared makes the limit from l's Requests and Window.
func NewShared(l Limits) *Shared {
	l = l.OrDefaults()
	return &Shared{scope: *newScope(l.Requests, l.Window)}
}

// limiter keeps all limits of one tenant. Nothing runs in it: whoever asks does its work.
type limiter struct {
	lim Limits
	now func() time.Time
	all *Shared // locked after mu

	mu       sync.Mutex
	byKind   map[Kind]*scope
	boxes    map[uint64]*mailbox
	boxWidth int64
	boxTally tally
	sweepAt  int64
	blocked  int64 // until when a 429 that named no scope keeps the whole client off, Unix ns
}

func newLimiter(l Limits, all *Shared, now func() time.Time) *limiter {
	l = l.OrDefaults()
	if all == nil {
		all = NewShared(l)
	}
	return &limiter{
		lim: l, now: now, all: all,
		byKind: map[Kind]*scope{
			Directory:  newScope(l.DirectoryUnits, l.DirectoryWindow),
			Report:     newScope(l.Reports, l.ReportsWindow),
			Protection: newScope(l.Protection, l.ProtectionWindow),
		},
		boxes:    map[uint64]*mailbox{},
		boxWidth: max(int64(l.MailboxWindow)/(slots-1), 1),
	}
}

// ask is what a call wants of the limits.
type ask struct {
	kind  Kind
	box   uint64
	units int
	high  bool
}

// ticket is a call under way.
type ticket struct {
	ask
	l   *limiter
	box *mailbox // nil for calls to no mailbox
}

// acquire waits until the call may go. The error is ctx's, or *Throttled when it would take longer than ctx or MaxWait allow.
// What it gives must be released.
func (l *limiter) acquire(ctx context.Context, a ask) (*ticket, error) {
	t := &ticket{ask: a, l: l}
	if a.box != 0 {
		b, err := l.enter(ctx, a)
		if err != nil {
			return nil, err
		}
		t.box = b
	}
	if err := l.spend(ctx, t); err != nil {
		t.leave()
		return nil, err
	}
	return t, nil
}

// try is acquire without waiting: when it says no, it says how long to wait at least, 0 when that is not known.
func (l *limiter) try(a ask) (*ticket, time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &ticket{ask: a, l: l}
	if a.box != 0 {
		b := l.mailbox(a.box)
		if !b.mayEnter(l.lim, a.high) {
			return nil, 0, false
		}
		b.enter(a.high)
		t.box = b
	}
	if wait, _ := l.take(t); wait > 0 {
		if t.box != nil {
			t.box.exit(l.lim, a.high)
		}
		return nil, wait, false
	}
	return t, 0, true
}

// spend waits until all windows have room, and spends in all of them.
func (l *limiter) spend(ctx context.Context, t *ticket) error {
	began := l.now()
	for first := true; ; first = false {
		l.mu.Lock()
		wait, by := l.take(t)
		if wait <= 0 {
			l.mu.Unlock()
			return nil
		}
		if first {
			*by.waits++
		}
		late := l.tooLong(ctx, began, wait)
		if late {
			*by.refused++
		}
		l.mu.Unlock()
		if late {
			return &Throttled{After: wait, Limit: by.name, Ours: true}
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		l.mu.Lock()
		*by.waited += wait
		l.mu.Unlock()
	}
}

func (l *limiter) tooLong(ctx context.Context, began time.Time, wait time.Duration) bool {
	if l.now().Sub(began)+wait > l.lim.MaxWait {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < wait
}

// culprit is the limit that holds a call back, and its tally.
type culprit struct {
	name           string
	waits, refused *int64
	waited         *time.Duration
}

func (t *tally) as(name string) culprit { return culprit{name, &t.waits, &t.refused, &t.waited} }

// take spends in every window the call counts in, or in none and says how long to wait. mu is held.
func (l *limiter) take(t *ticket) (time.Duration, culprit) {
	now := l.now().UnixNano()
	l.sweep(now)
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	var worst time.Duration
	var by culprit
	consider := func(d time.Duration, tl *tally, name string) {
		if d > worst {
			worst, by = d, tl.as(name)
		}
	}
	consider(time.Duration(l.blocked-now), &l.all.tally, "all")
	consider(l.all.wait(1, t.high, now), &l.all.tally, "all")
	kind := l.byKind[t.kind]
	if kind != nil {
		consider(kind.wait(t.units, t.high, now), &kind.tally, t.kind.String())
	}
	if t.box != nil {
		consider(t.box.wait(l, t.high, now), &l.boxTally, "mailbox")
	}
	if worst > 0 {
		return worst, by
	}
	l.all.add(1)
	l.all.spent++
	if kind != nil {
		kind.add(t.units)
		kind.spent += int64(t.units)
	}
	if t.box != nil {
		t.box.add(1)
		l.boxTally.spent++
	}
	return 0, by
}

// release ends the call; the mailbox's next in line may go. cost is what Graph said it cost in resource units, 0 if it did not.
func (t *ticket) release(cost int) {
	if t.kind == Directory && cost > 0 && cost != t.units {
		t.l.mu.Lock()
		t.l.byKind[Directory].add(cost - t.units)
		t.l.byKind[Directory].spent += int64(cost - t.units)
		t.l.mu.Unlock()
	}
	t.leave()
}

// throttled notes a 429: nobody calls in its scope until after has passed. app says that it is the app's
// limit over all its tenants. One without a scope of its own, as a whole batch, keeps this client off.
func (l *limiter) throttled(a ask, after time.Duration, app bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.now().Add(min(after, math.MaxInt64/4)).UnixNano()
	kind := l.byKind[a.kind]
	switch {
	case app || (kind == nil && a.box == 0):
		l.all.mu.Lock()
		l.all.throttled++
		if app {
			l.all.blocked = max(l.all.blocked, until)
		}
		l.all.mu.Unlock()
		l.blocked = max(l.blocked, until)
	case a.box != 0:
		b := l.mailbox(a.box)
		b.blocked = max(b.blocked, until)
		l.boxTally.throttled++
	default:
		kind.blocked = max(kind.blocked, until)
		kind.throttled++
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
