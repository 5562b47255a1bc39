package graph

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"
)

// Limits are Microsoft's, as published; the zero value of each is the published default.
// They change without notice, so each is a setting. https://learn.microsoft.com/graph/throttling-limits
type Limits struct {
	Requests int           // of the app over all tenants; 130,000 …
	Window   time.Duration // … in 10 s

	MailboxRequests     int           // of the app to one mailbox; 10,000 …
	MailboxWindow       time.Duration // … in 10 min
	MailboxConcurrent   int           // at once; 4, …
	MailboxBackground   int           // … of which those that no person waits for take 3
	MailboxUpload       int           // bytes sent to one mailbox; 150,000,000 …
	MailboxUploadWindow time.Duration // … in 5 min

	DirectoryUnits              int           // resource units of the app in a tenant of many users; 8,000 …
	DirectoryWindow             time.Duration // … in 10 s
	DirectoryMediumUnits        int           // in one of fewer; 5,000
	DirectorySmallUnits         int           // in one of few, or of whose users the number is not known; 3,500
	DirectoryMediumFrom         int           // users; 50
	DirectoryLargeFrom          int           // users; 501
	DirectoryAppUnits           int           // of the app over all tenants; 150,000 …
	DirectoryAppWindow          time.Duration // … in 20 s
	DirectoryWrites             int           // changes by the app in a tenant; 3,000 …
	DirectoryWritesWindow       time.Duration // … in 150 s
	DirectoryAppWrites          int           // by the app over all tenants; 70,000 …
	DirectoryAppWritesWindow    time.Duration // … in 5 min
	DirectoryTenantWrites       int           // by all apps in the tenant; 18,000 …
	DirectoryTenantWritesWindow time.Duration // … in 5 min

	Reports       int           // sign-ins and audits; 5 …
	ReportsWindow time.Duration // … in 10 s

	Protection       int           // Identity Protection and Conditional Access, for all apps together; 1 …
	ProtectionWindow time.Duration // … in 1 s

	Intune             int           // of the app in a tenant; 2,000 …
	IntuneTenant       int           // of all apps in it; 4,000 …
	IntuneWrites       int           // changes by the app in it; 200 …
	IntuneTenantWrites int           // by all apps; 400 …
	IntuneWindow       time.Duration // … in 20 s each

	Subscriptions       int           // of the app in a tenant; 5,000 …
	SubscriptionsTenant int           // of all apps in it; 10,000 …
	SubscriptionsWindow time.Duration // … in 20 s each

	Traces       int           // message traces; 100 …
	TracesWindow time.Duration // … in 5 min

	Activity       int           // Management Activity API, of a tenant; 2,000 …
	ActivityWindow time.Duration // … in 1 min

	Administration       int           // Exchange's administration, of a tenant; 50 …
	AdministrationWindow time.Duration // … in 10 s: Microsoft publishes nothing, so this is ours

	Reserve int           // percent of each limit, but at least one call, that is kept for those for whom a person waits; 5
	Caution int           // percent of a limit from which on Graph warns: the background keeps below it for a window; 80
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
	l.MailboxConcurrent = min(l.MailboxConcurrent, 200) // they are counted in a byte
	count(&l.MailboxBackground, max(l.MailboxConcurrent-1, 1))
	l.MailboxBackground = min(l.MailboxBackground, l.MailboxConcurrent)
	count(&l.MailboxUpload, 150_000_000)
	span(&l.MailboxUploadWindow, 5*time.Minute)
	count(&l.DirectoryUnits, 8_000)
	count(&l.DirectoryMediumUnits, min(5_000, l.DirectoryUnits))
	count(&l.DirectorySmallUnits, min(3_500, l.DirectoryMediumUnits))
	span(&l.DirectoryWindow, 10*time.Second)
	count(&l.DirectoryMediumFrom, 50)
	count(&l.DirectoryLargeFrom, 501)
	count(&l.DirectoryAppUnits, 150_000)
	span(&l.DirectoryAppWindow, 20*time.Second)
	count(&l.DirectoryWrites, 3_000)
	span(&l.DirectoryWritesWindow, 150*time.Second)
	count(&l.DirectoryAppWrites, 70_000)
	span(&l.DirectoryAppWritesWindow, 5*time.Minute)
	count(&l.DirectoryTenantWrites, 18_000)
	span(&l.DirectoryTenantWritesWindow, 5*time.Minute)
	count(&l.Reports, 5)
	span(&l.ReportsWindow, 10*time.Second)
	count(&l.Protection, 1)
	span(&l.ProtectionWindow, time.Second)
	count(&l.Intune, 2_000)
	count(&l.IntuneTenant, 4_000)
	count(&l.IntuneWrites, 200)
	count(&l.IntuneTenantWrites, 400)
	span(&l.IntuneWindow, 20*time.Second)
	count(&l.Subscriptions, 5_000)
	count(&l.SubscriptionsTenant, 10_000)
	span(&l.SubscriptionsWindow, 20*time.Second)
	count(&l.Traces, 100)
	span(&l.TracesWindow, 5*time.Minute)
	count(&l.Activity, 2_000)
	span(&l.ActivityWindow, time.Minute)
	count(&l.Administration, 50)
	span(&l.AdministrationWindow, 10*time.Second)
	count(&l.Reserve, 5)
	l.Reserve = min(l.Reserve, 90)
	count(&l.Caution, 80)
	l.Caution = min(l.Caution, 100)
	span(&l.MaxWait, 5*time.Minute)
	return l
}

// forUsers is how many resource units a tenant of so many users gives the app.
func (l Limits) forUsers(n int) int {
	switch {
	case n >= l.DirectoryLargeFrom:
		return l.DirectoryUnits
	case n >= l.DirectoryMediumFrom:
		return l.DirectoryMediumUnits
	}
	return l.DirectorySmallUnits
}

// share is how much of a limit those may use for whom no person waits.
func (l *Limits) share(limit int, high bool) int {
	if high || limit < 2 {
		return limit
	}
	return limit - max(limit*l.Reserve/100, 1)
}

// Shared is what is used of every limit by all the clients of a process: those of one app in one tenant share that pair's limits,
// all of an app the app's, all in a tenant the tenant's. It outlives them, so a client that is made anew, for a new secret
// say, goes on counting where the old one stood.
type Shared struct {
	lim Limits
	now func() time.Time

	mu      sync.Mutex
	apps    map[string]*row
	tenants map[string]*row
	pairs   map[string]*limiter
	follows bool           // whoever is new does not lead
	among   int            // how many processes use the apps; 0: not known
	costs   map[string]int // the most resource units that Graph said a call took, by the call's name
}

// NewShared keeps the limits l, by the clock now.
func NewShared(l Limits, now func() time.Time) *Shared {
	return &Shared{lim: l.OrDefaults(), now: now, apps: map[string]*row{}, tenants: map[string]*row{},
		pairs: map[string]*limiter{}, costs: map[string]int{}}
}

// Follow says that other processes use the same apps: each limiter keeps to the Reserve until its client is told to [Client.Lead].
func (sh *Shared) Follow() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.follows = true
}

// Among says how many processes use the apps, this one included. What is an app's over all tenants they share evenly, and of a
// mailbox's requests each has a half: one process reads what it is told of the mailbox, and one polls it.
func (sh *Shared) Among(n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.among = n
}

// Lead says whether this process is the one that makes the background's calls of the app in the tenant. Where it is not, after
// [Shared.Follow], it keeps to the part of every limit that the one which does leaves for people.
func (c *Client) Lead(yes bool) {
	c.limits.mu.Lock()
	defer c.limits.mu.Unlock()
	c.limits.guest = c.limits.follows && !yes
}

// of is the limiter of an app in a tenant of a cloud.
func (sh *Shared) of(cloud Cloud, app, tenant string) *limiter {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	at := strings.ToLower(strings.TrimRight(cloud.Graph, "/")) + " "
	app, tenant = strings.ToLower(app), strings.ToLower(tenant)
	key := at + app + " " + tenant
	if l := sh.pairs[key]; l != nil {
		return l
	}
	l := &limiter{Shared: sh, app: app, tenant: tenant, guest: sh.follows, last: map[string]Refusal{}, boxes: map[boxKey]*mailbox{}, uploads: map[boxKey]*upload{},
		boxWidth: width(sh.lim.MailboxWindow), uploadWidth: width(sh.lim.MailboxUploadWindow)}
	l.boxTally.name, l.onceTally.name, l.uploadTally.name = "mailbox", "mailbox-at-once", "mailbox-upload"
	for _, from := range []struct {
		rows  map[string]*row
		key   string
		level level
	}{{sh.apps, at + app, ofApp}, {sh.tenants, at + tenant, ofTenant}, {nil, "", ofPair}} {
		r := from.rows[from.key]
		if r == nil {
			r = newRow(sh.lim, from.level)
			if from.rows != nil {
				from.rows[from.key] = r
			}
		}
		for b, s := range r {
			if s != nil {
				l.scopes[b] = s
			}
		}
	}
	sh.pairs[key] = l
	return l
}

// scope is one limit that is not a mailbox's.
type scope struct {
	window
	pending int // of calls under way
	limit   int
	width   int64 // of a slot, ns
	blocked int64 // until when a 429 told us to keep off, Unix ns
	careful int64 // until when Graph's warning holds, Unix ns
	tally
}

// tally is what happened at a limit.
type tally struct {
	name      string
	spent     int64
	waits     int64
	waited    time.Duration
	throttled int64 // 429s received
	refused   int64 // turned away by us
	waiting   int   // who waits now, …
	persons   int   // … and those of them for whom a person does
}

func newScope(name string, limit int, span time.Duration) *scope {
	return &scope{limit: limit, width: width(span), tally: tally{name: name}}
}

// width is how long a slot of a window is.
func width(span time.Duration) int64 { return max(int64(span)/(slots-1), 1) }

// room is how much of a limit may be used: a guest has the part of it that is kept for people.
func (l *limiter) room(limit int, high bool) int {
	if l.visits() {
		return max(limit-l.lim.share(limit, false), 1)
	}
	return l.lim.share(limit, high)
}

// visits says whether another process leads, as far as is known.
func (l *limiter) visits() bool { return l.guest && l.among != 1 }

// part is how much of a limit may be used that processes share out, each having an equal part.
func (l *limiter) part(limit, processes int, high bool) int {
	if !l.follows || l.among < 2 {
		return l.room(limit, high)
	}
	return l.lim.share(max(limit/processes, 1), high)
}

// wait is how long until n may be spent of a limit.
func (l *limiter) wait(s *scope, n int, high bool, now int64) time.Duration {
	room := l.room(s.limit, high)
	if s == l.scopes[all] {
		room = l.part(s.limit, l.among, high)
	}
	if !high && s.careful > now {
		room = min(room, max(s.limit*l.lim.Caution/100, 1))
	}
	return s.wait(room, n, high, now)
}

// wait is how long until n more fit in room. Whoever no person waits for lets those go ahead for whom one does.
func (s *scope) wait(room, n int, high bool, now int64) time.Duration {
	s.roll(now, s.width)
	d := max(time.Duration(s.blocked-now), s.window.wait(n, room, s.pending, now, s.width))
	if !high && s.persons > 0 {
		d = max(d, min(s.next(now, s.width), time.Second))
	}
	return d
}

// limiter keeps all limits of an app in a tenant. Nothing runs in it: whoever asks does its work. What it holds is guarded by Shared's mu.
type limiter struct {
	*Shared
	app, tenant string
	guest       bool // another process leads: see Follow
	scopes      row  // its own, its app's and its tenant's
	last        map[string]Refusal

	boxes       map[boxKey]*mailbox
	uploads     map[boxKey]*upload
	boxWidth    int64
	uploadWidth int64
	boxTally    tally
	onceTally   tally
	uploadTally tally
	byRequests  busiest
	byBytes     busiest
	boxBlocked  int64    // until when a 429 keeps any mailbox's calls off, Unix ns
	atOnce      [256]int // how many mailboxes have so many calls under way
	sweepAt     int64
	blocked     int64 // until when a 429 that named no scope keeps the whole client off, Unix ns
}

// ask is what a call wants of the limits.
type ask struct {
	call  string
	kind  Kind
	box   boxKey
	units int
	bytes int // sent to the mailbox
	write bool
	high  bool
}

// of is what the call spends of a limit.
func (a ask) of(b budget) int {
	if budgets[b].units {
		return a.units
	}
	return 1
}

// ticket is a call under way.
type ticket struct {
	ask
	l      *limiter
	box    *mailbox // nil for calls to no mailbox
	upload *upload  // nil for those that send it nothing
}

// hold says at which limit somebody waits, and since when.
type hold struct {
	at    *tally
	since time.Time
	high  bool
	asked bool // by Graph
}

// on notes that one waits at t; off that one no longer does.
func (h *hold) on(t *tally, high bool) {
	if h.at == t {
		return
	}
	h.off()
	*h = hold{at: t, since: time.Now(), high: high}
	t.waits++
	t.waiting++
	if high {
		t.persons++
	}
}

func (h *hold) off() {
	if h.at == nil {
		return
	}
	h.at.waiting--
	h.at.waited += time.Since(h.since)
	if h.high {
		h.at.persons--
	}
	h.at = nil
}

// letGo ends a wait.
func (l *limiter) letGo(h *hold) {
	l.mu.Lock()
	h.off()
	l.mu.Unlock()
}

// refuse ends the wait of one that is turned away, and says which limit did it.
func (l *limiter) refuse(h *hold, wait time.Duration) *Throttled {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &Throttled{After: wait, Ours: true, Asked: h.asked}
	if h.at != nil {
		e.Limit = h.at.name
		h.at.refused++
	}
	h.off()
	return e
}

// acquire waits until the call may go. The error is ctx's, or *Throttled when it would take longer than ctx or MaxWait allow.
// What it gives must be released.
func (l *limiter) acquire(ctx context.Context, a ask) (*ticket, error) {
	t := &ticket{ask: a, l: l}
	if a.box != (boxKey{}) {
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

// try is acquire without waiting: when it says no, it says how long to wait at least, 0 when that is not known, and h
// holds at which limit until another try, or [limiter.letGo].
func (l *limiter) try(a ask, h *hold) (*ticket, time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b *mailbox
	if a.box != (boxKey{}) {
		b = l.mailbox(a.box)
		if !b.mayEnter(l, a.high) {
			h.on(&l.onceTally, a.high)
			return nil, 0, false
		}
		b.enter(l, a.high)
	}
	t := &ticket{ask: a, l: l, box: b}
	if wait, by, asked := l.take(t); wait > 0 {
		if t.box != nil {
			t.box.exit(l, a.high)
		}
		h.on(by, a.high)
		h.asked = asked
		return nil, wait, false
	}
	h.off()
	return t, 0, true
}

// spend waits until all windows have room, and spends in all of them.
func (l *limiter) spend(ctx context.Context, t *ticket) error {
	began := time.Now()
	var h hold
	defer l.letGo(&h)
	for {
		l.mu.Lock()
		wait, by, asked := l.take(t)
		if wait <= 0 {
			l.mu.Unlock()
			return nil
		}
		late := time.Since(began)+wait > l.lim.MaxWait || !inTime(ctx, wait)
		if late {
			by.refused++
		}
		h.on(by, t.high)
		l.mu.Unlock()
		if late {
			return &Throttled{After: wait, Limit: by.name, Ours: true, Asked: asked}
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// take spends in every window the call counts in, or in none and says how long to wait, for which, and whether because Graph
// asked for it. mu is held.
func (l *limiter) take(t *ticket) (worst time.Duration, by *tally, asked bool) {
	now := l.now().UnixNano()
	l.sweep(now)
	consider := func(d time.Duration, at *tally, blocked int64) {
		if d > worst {
			worst, by, asked = d, at, int64(d) == blocked-now
		}
	}
	t.units = max(t.units, l.costs[t.call])
	for _, b := range counted(t.kind, t.write) {
		s := l.scopes[b]
		if b == all {
			consider(time.Duration(l.blocked-now), &s.tally, l.blocked)
		}
		consider(l.wait(s, t.of(b), t.high, now), &s.tally, s.blocked)
	}
	if t.box != nil {
		consider(t.box.wait(l, t.high, now), &l.boxTally, t.box.blocked)
		if t.bytes > 0 {
			t.upload = l.upload(t.ask.box)
			consider(t.upload.wait(l, t.bytes, t.high, now), &l.uploadTally, 0)
		}
	}
	if worst > 0 {
		return worst, by, asked
	}
	for _, b := range counted(t.kind, t.write) {
		l.scopes[b].pending += t.of(b)
	}
	if t.box != nil {
		t.box.going++
		if t.upload != nil {
			t.upload.pending += t.bytes
		}
	}
	return 0, nil, false
}

// release ends the call; the mailbox's next in line may go. cost is what Graph said it cost in resource units, 0 if it did not.
// What it spent counts from now on: Graph may have counted it at any time since it was sent.
func (t *ticket) release(cost int) {
	l := t.l
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().UnixNano()
	if cost > 0 && t.kind == Directory {
		l.costs[t.call] = max(l.costs[t.call], cost)
	}
	for _, b := range counted(t.kind, t.write) {
		s, n := l.scopes[b], t.of(b)
		s.pending -= n
		if budgets[b].units && cost > 0 {
			n = cost
		}
		s.roll(now, s.width)
		s.add(n)
		s.spent += int64(n)
	}
	if t.box == nil {
		return
	}
	t.box.going--
	t.box.roll(now, l.boxWidth)
	t.box.add(1)
	l.boxTally.spent++
	l.byRequests.note(t.ask.box, t.box.sum()+int(t.box.going), l.requestsOf)
	if t.upload != nil {
		t.upload.pending -= t.bytes
		t.upload.roll(now, l.uploadWidth)
		t.upload.add(t.bytes)
		l.uploadTally.spent += int64(t.bytes)
		l.byBytes.note(t.ask.box, t.upload.sum()+t.upload.pending, l.bytesOf)
	}
	t.box.exit(l, t.high)
}

// told notes how much of its limit Graph says the app uses, 1 being all of it: others may use it too, or count otherwise. What we
// did not know of counts as spent now, and the background keeps below Caution for a window.
func (l *limiter) told(a ask, part float64) {
	if a.kind != Directory || !(part > 0 && part <= 10) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.scopes[directory]
	now := l.now().UnixNano()
	s.roll(now, s.width)
	if more := int(part*float64(s.limit)) - s.sum() - s.pending; more > 0 {
		s.add(more)
	}
	if part*100 >= float64(l.lim.Caution) {
		s.careful = now + s.width*slots
	}
}

// throttled notes a 429: nobody calls in its scope until after has passed. One without a scope of its own, as a whole batch,
// keeps this client off.
func (l *limiter) throttled(a ask, after time.Duration, r Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	until := now.Add(min(after, math.MaxInt64/4)).UnixNano()
	name := ""
	b, ok := r.scope.budget(a.kind, a.write)
	switch {
	case a.box != (boxKey{}):
		box := l.mailbox(a.box)
		box.blocked = max(box.blocked, until)
		l.boxBlocked = max(l.boxBlocked, until)
		l.boxTally.throttled++
		name = l.boxTally.name
	case ok:
		s := l.scopes[b]
		s.blocked = max(s.blocked, until)
		s.throttled++
		name = s.name
	default:
		l.blocked = max(l.blocked, until)
		l.scopes[all].throttled++
		name = l.scopes[all].name
	}
	r.At, r.Call, r.After = now, a.call, after
	l.last[name] = r
}

// users notes how many users the tenant has, at least: that decides its resource units.
func (l *limiter) users(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scopes[directory].limit = l.lim.forUsers(n)
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
