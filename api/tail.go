package api

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/store"
)

// How the tail of a tenant's mail is read: once in a while for all who watch it, never for one of them. What was read
// stays for those who come back.
const (
	tailEvery = time.Second
	tailIdle  = 500 * time.Millisecond // what another replica wrote is seen that late
	tailKeeps = 60                     // moments
	tailRows  = 20                     // of a moment, for each filter
	tailFacts = 5_000                  // read at once, at most
	tailMost  = 100_000                // events are held against filters at once, at most
)

// Moment is what came of a tenant's mail since the moment before it, a second or so. Counts are of all that came. Events
// are those that fit the filter, the newest first; where more than 20 fit, 20 of them picked at random, each as likely as
// any other.
type Moment struct {
	ID      int64          `json:"id"` // of the last fact; who goes on after it misses nothing
	At      time.Time      `json:"at"`
	Span    time.Duration  `json:"span"`
	Count   int            `json:"count"`   // all events
	Fits    int            `json:"fits"`    // of them, those that fit the filter
	Actions map[string]int `json:"actions"` // how many of each action fit
	Events  []Event        `json:"events"`
	Passed  int            `json:"passed"` // events that came and were not looked at: too many, or too long ago
}

// TailIn follows a tenant's mail. Of the filters those of events list count that are about what a mail is; since, until and
// the place in the list do not.
type TailIn struct {
	EventsIn
	Begin string // the id of the moment or fact to begin after; empty: from now on
}

// tailFilter is what one who watches wants to see.
type tailFilter struct {
	person tocsin.PersonID
	action string
	mail   mailFilter
}

// tail is one tenant's, while somebody watches it.
type tail struct {
	st       *store.Store
	tenant   tocsin.TenantID
	watching int // guarded by Service.tailing

	mu      sync.Mutex // held while it is read
	filters map[tailFilter]int
	last    int64     // fact
	came    time.Time // when something came last
	looked  time.Time // when it was looked last, or it began
	moments []*tailMoment
}

// tailMoment is a moment, for all filters.
type tailMoment struct {
	from, to int64
	at       time.Time
	span     time.Duration
	count    int
	of       map[tailFilter]*tailFit // of those that were watched by
}

type tailFit struct {
	count   int
	actions map[string]int
	some    []eventRow
	events  []Event
}

// Tail gives what comes of a tenant's mail, a moment at a time, until ctx ends. The role is checked before it begins; who
// watches for long looks again with [Service.MayFollow].
func (s *Service) Tail(ctx context.Context, in TailIn) (iter.Seq2[Moment, error], error) {
	last, err := view(ctx, s, "events list", in.EventsIn, func(ctx context.Context, t *store.Tenant, _ Caller) (int64, error) {
		return s.st.LastFact(ctx, store.Lane(t.ID()))
	})
	if err != nil {
		return nil, err
	}
	after := last
	if in.Begin != "" {
		if after, err = strconv.ParseInt(in.Begin, 10, 64); err != nil || after < 0 {
			return nil, invalid("Give the id of a moment, or leave it away.", "%q is not a place in the stream.", in.Begin)
		}
		after = min(after, last)
	}
	f := tailFilter{person: in.Person, action: in.Action, mail: mailFilterOf(in.EventsIn)}
	f.mail.action = "" // it is counted by the fold already
	return func(yield func(Moment, error) bool) {
		l, after := s.watch(tenantOf(in.EventsIn), f, after, last)
		defer s.unwatch(l, f)
		for ctx.Err() == nil {
			m, err := l.next(ctx, after)
			if err != nil {
				if ctx.Err() == nil {
					yield(Moment{}, err)
				}
				return
			}
			if m == nil {
				return
			}
			if !yield(m.view(f), nil) {
				return
			}
			after = m.to
		}
	}, nil
}

// watch begins to watch a tenant's mail after a fact: after the last where that one is too far back.
func (s *Service) watch(tenant tocsin.TenantID, f tailFilter, after, last int64) (*tail, int64) {
	s.tailing.Lock()
	l := s.tails[tenant]
	if l == nil {
		if last-after > tailFacts {
			after = last
		}
		l = &tail{st: s.st, tenant: tenant, filters: map[tailFilter]int{}, last: after, looked: time.Now().Add(-tailIdle)}
		s.tails[tenant] = l
	}
	l.watching++
	s.tailing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filters[f]++
	first := l.last
	if len(l.moments) > 0 {
		first = l.moments[0].from
	}
	if after < first {
		after = l.last // what came between nobody kept together: the list has it
	}
	return l, after
}

func (s *Service) unwatch(l *tail, f tailFilter) {
	l.mu.Lock()
	if l.filters[f]--; l.filters[f] == 0 {
		delete(l.filters, f)
	}
	l.mu.Unlock()
	s.tailing.Lock()
	defer s.tailing.Unlock()
	if l.watching--; l.watching == 0 {
		delete(s.tails, l.tenant)
	}
}

// next is the moment after a fact; nil when ctx ended. Whoever comes when it is time reads for all.
func (l *tail) next(ctx context.Context, after int64) (*tailMoment, error) {
	for ctx.Err() == nil {
		news := l.st.Appended()
		l.mu.Lock()
		m, wait, err := l.look(ctx, after)
		l.mu.Unlock()
		if m != nil || err != nil {
			return m, err
		}
		timer := time.NewTimer(wait)
		if wait < tailIdle {
			news = nil // not before its time, whatever comes
		}
		select {
		case <-ctx.Done():
		case <-news:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil, nil
}

// look gives the moment after a fact, reading it where it is time; else how long to wait.
func (l *tail) look(ctx context.Context, after int64) (*tailMoment, time.Duration, error) {
	for i := range l.moments {
		if l.moments[i].to > after {
			return l.moments[i], 0, nil
		}
	}
	now := time.Now()
	if d := tailEvery - now.Sub(l.came); d > 0 {
		return nil, max(d, time.Millisecond), nil
	}
	if now.Sub(l.looked) < tailIdle/10 { // another looked a moment ago, and nothing was there
		return nil, tailIdle / 10, nil
	}
	span := now.Sub(l.looked)
	l.looked = now
	m, err := l.fetch(ctx, span)
	if err != nil || m == nil {
		return nil, tailIdle, err
	}
	l.came = now
	if len(l.moments) == tailKeeps {
		l.moments = l.moments[1:]
	}
	l.moments = append(l.moments, m)
	return m, 0, nil
}

// fetch reads what came since the last moment; nil where nothing did.
func (l *tail) fetch(ctx context.Context, span time.Duration) (*tailMoment, error) {
	m := &tailMoment{from: l.last, to: l.last, at: l.st.Clock().Now(), span: span, of: map[tailFilter]*tailFit{}}
	var runs []collect.Arrivals
	for read := 0; read < tailFacts; {
		facts, err := l.st.TenantFacts(ctx, l.tenant, m.to, 500)
		if err != nil {
			return nil, fmt.Errorf("the tail of mail: %w", err)
		}
		for _, f := range facts {
			m.to = f.N
			if f.Kind != "mail.changed" {
				continue
			}
			var a collect.Arrivals
			if err := json.Unmarshal(f.Body, &a); err != nil {
				return nil, fmt.Errorf("fact %d/%d: %w", f.Lane, f.N, err)
			}
			if a.Run > 0 {
				runs = append(runs, a)
				m.count += a.Count
			}
		}
		if read += len(facts); len(facts) < 500 {
			break
		}
	}
	if m.count == 0 {
		l.last = m.to
		return nil, nil
	}
	err := l.st.ViewTenant(ctx, l.tenant, func(t *store.Tenant) error { return l.sort(ctx, t, m, runs) })
	if err != nil {
		return nil, fmt.Errorf("the tail of mail: %w", err)
	}
	l.last = m.to
	return m, nil
}

// sort finds for each filter what fits. Who filters by nothing is given what the folds picked, which costs nothing.
func (l *tail) sort(ctx context.Context, t *store.Tenant, m *tailMoment, runs []collect.Arrivals) error {
	for f := range l.filters {
		if f != (tailFilter{}) {
			m.of[f] = &tailFit{actions: map[string]int{}}
		}
	}
	if len(m.of) > 0 && m.count <= tailMost {
		numbers := make([]any, len(runs))
		for i, r := range runs {
			numbers[i] = r.Run
		}
		for part := range slices.Chunk(numbers, 400) {
			held := &query{}
			held.add("select " + eventColumns + " from event where tenant = $1 and run in (" + held.in(part...) + ") and run > 0")
			if err := m.hold(ctx, t, held); err != nil {
				return err
			}
		}
	} else {
		clear(m.of) // too many at once: who filters is told so
	}
	if l.filters[tailFilter{}] > 0 {
		all := &tailFit{count: m.count, actions: map[string]int{}}
		for _, r := range runs {
			for action, n := range r.Actions {
				all.actions[action] += n
			}
		}
		q := &query{}
		q.add("select " + eventColumns + " from event where tenant = $1 and id in (" + q.in(anys(pick(runs, tailRows))...) + ")")
		rows, err := find(ctx, t, q, (*eventRow).fields)
		if err != nil {
			return err
		}
		all.some = rows
		m.of[tailFilter{}] = all
	}
	for _, fit := range m.of {
		slices.SortFunc(fit.some, func(a, b eventRow) int { return int(b.at - a.at) })
		views, err := eventViews(ctx, t, fit.some)
		if err != nil {
			return err
		}
		fit.events, fit.some = views, nil
	}
	return nil
}

// hold holds the events that q gives against every filter.
func (m *tailMoment) hold(ctx context.Context, t *store.Tenant, q *query) error {
	rows, err := t.Query(ctx, q.text.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var body []byte
	for rows.Next() {
		var r eventRow
		if err := rows.Scan(r.fields()...); err != nil {
			return err
		}
		body = body[:0]
		for f, fit := range m.of {
			if f.person != "" && r.Person != f.person || f.action != "" && r.Action != f.action {
				continue
			}
			if f.mail.any() {
				if len(body) == 0 {
					body = r.append(body, t.ID())
				}
				if !f.mail.fits(body) {
					continue
				}
			}
			fit.count++
			fit.actions[r.Action]++
			if at := len(fit.some); at < tailRows {
				fit.some = append(fit.some, r)
			} else if at = rand.N(fit.count); at < tailRows {
				fit.some[at] = r
			}
		}
	}
	return rows.Err()
}

// pick picks n events at random out of what runs brought, each as likely as any other: a run is drawn from as often as it
// brought many, and what it named was itself picked at random.
func pick(runs []collect.Arrivals, n int) []string {
	left, total := make([]int, len(runs)), 0
	named := make([][]string, len(runs))
	for i, r := range runs {
		left[i] = r.Count
		total += r.Count
		named[i] = slices.Clone(r.Some)
		rand.Shuffle(len(named[i]), func(a, b int) { named[i][a], named[i][b] = named[i][b], named[i][a] })
	}
	var out []string
	for ; total > 0 && len(out) < n; total-- {
		at, i := rand.N(total), 0
		for at >= left[i] {
			at -= left[i]
			i++
		}
		left[i]--
		if len(named[i]) > 0 {
			out = append(out, named[i][0])
			named[i] = named[i][1:]
		}
	}
	return out
}

// view is a moment for one filter.
func (m *tailMoment) view(f tailFilter) Moment {
	out := Moment{ID: m.to, At: m.at, Span: m.span, Count: m.count, Actions: map[string]int{}}
	fit := m.of[f]
	if fit == nil {
		out.Passed = m.count
		return out
	}
	out.Fits, out.Actions, out.Events = fit.count, fit.actions, fit.events
	return out
}
