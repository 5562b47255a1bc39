package sim

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits are the published ones where a field is zero; a negative one is no limit.
// See https://learn.microsoft.com/graph/throttling-limits.
type Limits struct {
	Mailbox       int // requests to a mailbox in ten minutes: 10,000
	Concurrent    int // requests to a mailbox at a time: 4
	Upload        int // bytes sent to a mailbox in five minutes: 150,000,000
	Directory     int // resource units in ten seconds: 3,500, 5,000 or 8,000 by the number of users
	AppDirectory  int // of the app over all its tenants in twenty seconds: 150,000
	Writes        int // of the directory in 150 seconds: 3,000
	AppWrites     int // of the app over all its tenants in five minutes: 70,000
	TenantWrites  int // of all apps in five minutes: 18,000
	Reports       int // sign-ins, directory audits, registration details in ten seconds: 5
	Protection    int // Identity Protection and Conditional Access in a second: 1
	Intune        int // devices in twenty seconds: 2,000 for the app, …
	IntuneTenant  int // … 4,000 for all apps
	IntuneWrites  int // … and 200 changes
	Subscriptions int // of subscriptions in twenty seconds: 5,000 for the app, …
	Traces        int // message traces in five minutes: 100
	Activity      int // requests of the Management Activity API in a minute: 2,000
	Global        int // requests in ten seconds: 130,000

	SubscriptionsTenant int // … and of subscriptions in twenty seconds 10,000 for all apps
}

// class is whose limits a call falls under.
type class string

const (
	ofMailbox      class = "mailbox"
	ofDirectory    class = "directory"
	ofReports      class = "reports"
	ofProtection   class = "protection"
	ofIntune       class = "intune"
	ofSubscription class = "subscriptions"
	ofTrace        class = "trace"
	ofActivity     class = "activity"
	ofExchange     class = "exchange administration"
	ofNothing      class = "other"
)

// classes are the beginnings of paths that are not the directory's, the first that fits counts.
var classes = []struct {
	path  string
	class class
}{
	{"auditLogs/", ofReports}, {"reports/", ofReports},
	{"identityProtection/", ofProtection}, {"identity/conditionalAccess", ofProtection},
	{"deviceManagement/", ofIntune}, {"subscriptions", ofSubscription}, {"admin/exchange/tracing/", ofTrace},
	{"security/", ofNothing}, {"admin/", ofNothing}, {"sites", ofNothing}, {"drives", ofNothing}, {"teams", ofNothing},
}

// class is the route's.
func (r *route) class() class {
	if r.outlook {
		return ofMailbox
	}
	for _, c := range classes {
		if strings.HasPrefix(r.path, c.path) {
			return c.class
		}
	}
	return ofDirectory
}

// limit is one that is kept for the whole tenant.
type limit struct {
	name   string
	class  class // "" for every call
	scope  string
	units  bool // counts resource units
	writes bool // counts changes only
	of     int
	in     time.Duration
	window
	told
}

// told is what a limit had to do.
type told struct {
	spent   int64 // all that was let through
	refused int64 // answers of 429
	most    int   // that any window held of what was let through
}

// limits count what was asked.
type limits struct {
	Limits
	mu     sync.Mutex
	tenant []*limit
	boxes  map[string]*usage
	box    [3]told // of all mailboxes: requests, at a time, bytes
	worst  [3]string
}

// usage is of one mailbox.
type usage struct {
	window
	busy   int
	upload *window
}

// window is what was asked within the time that lies behind, whenever one looks: no stretch of that length is counted in two
// parts. What lies close together is one mark.
type window struct {
	marks []mark
	used  int
}

type mark struct {
	at int64 // Unix ns
	n  int
}

const (
	mailboxWindow = 10 * time.Minute
	uploadWindow  = 5 * time.Minute
)

func newLimits(l Limits, users int) *limits {
	set := func(v *int, published int) int {
		if *v == 0 {
			*v = published
		}
		if *v < 0 {
			*v = math.MaxInt
		}
		return *v
	}
	units := 8000
	if users <= 500 {
		units = 5000
	}
	if users < 50 {
		units = 3500
	}
	set(&l.Mailbox, 10000)
	set(&l.Concurrent, 4)
	set(&l.Upload, 150_000_000)
	const app, pair, tenant = "Application", "Tenant_Application", "Tenant"
	sec := time.Second
	all := &limits{Limits: l, boxes: map[string]*usage{}, tenant: []*limit{
		{name: "all", scope: app, of: set(&l.Global, 130_000), in: 10 * sec},
		{name: "directory", class: ofDirectory, scope: pair, units: true, of: set(&l.Directory, units), in: 10 * sec},
		{name: "directory-app", class: ofDirectory, scope: app, units: true, of: set(&l.AppDirectory, 150_000), in: 20 * sec},
		{name: "directory-writes", class: ofDirectory, scope: pair, writes: true, of: set(&l.Writes, 3_000), in: 150 * sec},
		{name: "directory-app-writes", class: ofDirectory, scope: app, writes: true, of: set(&l.AppWrites, 70_000), in: 300 * sec},
		{name: "directory-tenant-writes", class: ofDirectory, scope: tenant, writes: true, of: set(&l.TenantWrites, 18_000), in: 300 * sec},
		{name: "reports", class: ofReports, scope: pair, of: set(&l.Reports, 5), in: 10 * sec},
		{name: "protection", class: ofProtection, scope: tenant, of: set(&l.Protection, 1), in: sec},
		{name: "intune", class: ofIntune, scope: pair, of: set(&l.Intune, 2_000), in: 20 * sec},
		{name: "intune-tenant", class: ofIntune, scope: tenant, of: set(&l.IntuneTenant, 4_000), in: 20 * sec},
		{name: "intune-writes", class: ofIntune, scope: pair, writes: true, of: set(&l.IntuneWrites, 200), in: 20 * sec},
		{name: "subscriptions", class: ofSubscription, scope: pair, of: set(&l.Subscriptions, 5_000), in: 20 * sec},
		{name: "subscriptions-tenant", class: ofSubscription, scope: tenant, of: set(&l.SubscriptionsTenant, 10_000), in: 20 * sec},
		{name: "trace", class: ofTrace, scope: tenant, of: set(&l.Traces, 100), in: 300 * sec},
		{name: "activity", class: ofActivity, scope: tenant, of: set(&l.Activity, 2_000), in: 60 * sec},
	}}
	return all
}

// roll forgets what is too old.
func (w *window) roll(now time.Time, length time.Duration) {
	old, since := 0, now.Add(-length).UnixNano()
	for old < len(w.marks) && w.marks[old].at <= since {
		w.used -= w.marks[old].n
		old++
	}
	if old > 0 {
		w.marks = append(w.marks[:0], w.marks[old:]...)
	}
}

// take adds n to the window; where that is too much it says how long until n have become too old. What is refused counts too.
func (w *window) take(now time.Time, length time.Duration, n, limit int) (time.Duration, bool) {
	w.roll(now, length)
	w.used += n
	at := now.UnixNano()
	if last := len(w.marks) - 1; last >= 0 && at-w.marks[last].at < int64(length/256) {
		w.marks[last].n += n
	} else {
		w.marks = append(w.marks, mark{at, n})
	}
	over := w.used - limit
	if over <= 0 {
		return 0, true
	}
	over += n // for it to be let through then
	for _, m := range w.marks {
		if over -= m.n; over <= 0 {
			return time.Duration(m.at + int64(length) - at), false
		}
	}
	return length, false
}

// slots are how often a batch holds a mailbox: Graph sends at most four of a batch at a time to one, the others wait.
type slots map[string]int

// charge counts a call against its limits; done gives back what it held.
func (s *Sim) charge(r *request, held slots) (done func(), bad *reply) {
	switch r.route.service {
	case "":
	case "api":
		return func() {}, s.chargeFeed(r)
	default: // of Exchange's administration no limit is published
		return func() {}, nil
	}
	of, write := r.route.class(), r.method != http.MethodGet
	l := s.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	now := s.clock.Now()
	if at, wait := l.spend(now, of, s.cost(r), write, &r.part); at != nil {
		return nil, s.tooMany(r, at, wait)
	}
	if of == ofMailbox {
		return s.chargeBox(r, held, now)
	}
	return func() {}, nil
}

// chargeFeed counts a call of the Management Activity API, which refuses in its own words.
func (s *Sim) chargeFeed(r *request) *reply {
	s.mu.RLock()
	own := s.feed.PerMinute
	s.mu.RUnlock()
	l := s.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.tenant {
		if k.class == ofActivity && own > 0 {
			k.of = own
		}
	}
	if full, _ := l.spend(s.clock.Now(), ofActivity, 1, false, &r.part); full == nil {
		return nil
	}
	s.counts.throttled.Add(1)
	bad := refuseFeed(http.StatusForbidden, "AF429", "Too many requests. Method=%s, PublisherId=%s", lastPart(r.path), r.query.get("PublisherIdentifier"))
	return &bad
}

// spend counts a call in every limit of its class, and gives the one that is full. part is the share that is used of the
// directory's units then.
func (l *limits) spend(now time.Time, of class, cost int, write bool, part *float64) (full *limit, wait time.Duration) {
	for _, k := range l.tenant {
		if k.class != "" && k.class != of || k.writes && !write || k.name == "all" && (of == ofActivity || of == ofExchange) { // other services, which are not Graph
			continue
		}
		n := 1
		if k.units {
			n = cost
		}
		d, ok := k.take(now, k.in, n, k.of)
		if k.name == "directory" {
			*part = float64(k.used) / float64(k.of)
		}
		if !ok {
			k.refused++
			return k, d
		}
		k.let(n, k.used)
	}
	return nil, 0
}

func (t *told) let(n, used int) {
	t.spent += int64(n)
	t.most = max(t.most, used)
}

// chargeBox counts a call of a mailbox. The caller holds limits.mu.
func (s *Sim) chargeBox(r *request, held slots, now time.Time) (func(), *reply) {
	l := s.limits
	key := strings.ToLower(r.vars[0])
	if strings.Contains(key, "@") { // one mailbox, whatever it is called by
		s.mu.RLock()
		if p := s.world.find(key); p != nil {
			key = p.id
		}
		s.mu.RUnlock()
	}
	u := l.boxes[key]
	if u == nil {
		u = &usage{}
		l.boxes[key] = u
	}
	if bad := s.fill(r, u, key, now); bad != nil {
		return nil, bad
	}
	if held[key] > 0 && (held[key] >= 4 || u.busy >= l.Concurrent) {
		return func() {}, nil
	}
	if u.busy >= l.Concurrent {
		l.box[1].refused++
		return nil, s.outlookFull(r, time.Second)
	}
	u.busy++
	l.note(1, 1, u.busy, key)
	if held != nil {
		held[key]++
	}
	free := func() {
		l.mu.Lock()
		u.busy--
		l.mu.Unlock()
	}
	return free, nil
}

// fill counts a call in a mailbox's windows.
func (s *Sim) fill(r *request, u *usage, key string, now time.Time) *reply {
	l := s.limits
	if wait, ok := u.take(now, mailboxWindow, 1, l.Mailbox); !ok {
		l.box[0].refused++
		return s.outlookFull(r, wait)
	}
	l.note(0, 1, u.used, key)
	if r.method == http.MethodGet || len(r.body) == 0 {
		return nil
	}
	if u.upload == nil {
		u.upload = &window{}
	}
	if wait, ok := u.upload.take(now, uploadWindow, len(r.body), l.Upload); !ok {
		l.box[2].refused++
		return s.outlookFull(r, wait)
	}
	l.note(2, len(r.body), u.upload.used, key)
	return nil
}

// note remembers which mailbox came nearest to one of the mailboxes' limits.
func (l *limits) note(which, n, used int, key string) {
	if used > l.box[which].most {
		l.worst[which] = key
	}
	l.box[which].let(n, used)
}

// outlookFull is Exchange's 429, in fractions of a second.
func (s *Sim) outlookFull(r *request, wait time.Duration) *reply {
	out := s.throttled(r, "ApplicationThrottled", strconv.FormatFloat(wait.Seconds(), 'f', 3, 64))
	return &out
}

// tooMany is the 429 of all others, in whole seconds. Identity Protection and Conditional Access do not say how long; the
// services of identity and access say whose limit it was.
func (s *Sim) tooMany(r *request, at *limit, wait time.Duration) *reply {
	after := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	if at.class == ofProtection {
		after = ""
	}
	out := s.throttled(r, "TooManyRequests", after)
	if at.class == ofDirectory {
		what, why := "ReadWrite", "ResourceUnitLimitExceeded"
		if at.writes {
			what, why = "Write", "WriteLimitExceeded"
		}
		out = out.with("x-ms-throttle-scope", fmt.Sprintf("%s/%s/%s/%s", at.scope, what, s.app.id, s.cfg.Tenant)).
			with("x-ms-throttle-information", why).with("x-ms-resource-unit", units[min(s.cost(r), len(units)-1)]).
			with("x-ms-throttle-limit-percentage", percentage(r.part))
	}
	return &out
}

// percentage is the header of that name: said from 0.8 on, at most 1.8.
func percentage(part float64) string {
	return strconv.FormatFloat(min(max(part, 0.8), 1.8), 'f', 2, 64)
}

// cost is the call's price in resource units: $select and a small $top lower it, $expand raises it.
func (s *Sim) cost(r *request) int {
	n := r.route.cost
	for _, p := range r.query {
		switch p.name {
		case "$select":
			n--
		case "$expand":
			n++
		case "$top":
			if top, err := strconv.Atoi(p.value); err == nil && top < 20 {
				n--
			}
		}
	}
	return max(1, n)
}

// Limit is how near a limit was come to, and how often it was hit.
type Limit struct {
	Limit   string `json:"limit"`
	Of      int    `json:"of"`
	In      string `json:"in,omitempty"`      // its window; "" for calls at a time
	Used    int    `json:"used"`              // in the window that ends now; of the mailbox that came nearest for a mailbox's
	Most    int    `json:"most"`              // that any window held
	Spent   int64  `json:"spent"`             // since the simulator began
	Refused int64  `json:"refused"`           // answers of 429
	Mailbox string `json:"mailbox,omitempty"` // which came nearest
}

// Limited is the state of all limits.
type Limited struct {
	Refused int64   `json:"refused"` // answers of 429 for a limit: none, where the client keeps them
	Faults  int64   `json:"faults"`  // answers of 429 that a fault asked for
	Limits  []Limit `json:"limits"`
}

// Limited says how near every limit was come to.
func (s *Sim) Limited() Limited {
	l := s.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	now := s.clock.Now()
	out := Limited{Limits: []Limit{}}
	for _, k := range l.tenant {
		k.roll(now, k.in)
		out.Limits = append(out.Limits, Limit{Limit: k.name, Of: k.of, In: k.in.String(), Used: k.used, Most: k.most, Spent: k.spent, Refused: k.refused})
	}
	for i, k := range []Limit{{Limit: "mailbox", Of: l.Mailbox, In: mailboxWindow.String()}, {Limit: "mailbox-at-once", Of: l.Concurrent},
		{Limit: "mailbox-upload", Of: l.Upload, In: uploadWindow.String()}} {
		k.Most, k.Spent, k.Refused, k.Mailbox = l.box[i].most, l.box[i].spent, l.box[i].refused, l.worst[i]
		if u := l.boxes[k.Mailbox]; u != nil {
			k.Used = u.now(i, now)
		}
		out.Limits = append(out.Limits, k)
	}
	for _, k := range out.Limits {
		out.Refused += k.Refused
	}
	out.Faults = max(s.counts.throttled.Load()-out.Refused, 0)
	return out
}

// now is what the mailbox holds of its requests, of calls at a time, or of bytes.
func (u *usage) now(which int, now time.Time) int {
	switch {
	case which == 1:
		return u.busy
	case which == 0:
		u.roll(now, mailboxWindow)
		return u.used
	case u.upload != nil:
		u.upload.roll(now, uploadWindow)
		return u.upload.used
	}
	return 0
}

// Count counts a call of a class (directory, reports, protection, intune, subscriptions, trace, activity or other) that costs
// so many resource units and is served elsewhere than by the table of routes. It says whether every limit allows it.
func (s *Sim) Count(of string, units int, write bool) bool {
	l := s.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	var part float64
	full, _ := l.spend(s.clock.Now(), class(of), units, write, &part)
	return full == nil
}

// Spend uses up n of a limit, as another app, or another program with the same one, would.
func (s *Sim) Spend(name string, n int) error {
	l := s.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.tenant {
		if k.name == name && n > 0 {
			k.take(s.clock.Now(), k.in, n, k.of)
			return nil
		}
	}
	return fmt.Errorf("no limit of the tenant is called %q, or %d is not above zero", name, n)
}
