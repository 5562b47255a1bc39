package sim

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A delta round walks everything (or, later, what changed since) page by page; its links carry tokens of
// [phase, position, log length when the round began, Unix time, number of the query].
const (
	phaseAll     = 1 // walking what there is
	phaseChanges = 2 // walking what changed since
	phaseDone    = 3 // a deltaLink
)

// tokenLife is how long a token of the directory holds.
const tokenLife = 7 * 24 * time.Hour

// tracked is a collection that tells its changes.
type tracked struct {
	context  string
	props    properties
	defaults []string
	total    int
	at       func(i int) (item, bool)
	now      int // length of the log
	// since gives what changed after line n of the log, each thing once, as items or removals.
	since   func(n int) []changed
	page    int
	latest  bool // $deltatoken=latest is understood
	expires bool // tokens end after tokenLife
	outlook bool
	most    int // how many a first round with a filter gives; 0: all
}

// changed is a thing that changed, or went.
type changed struct {
	item   item
	id     string
	reason string // of removal; "" where it is there
	fresh  bool   // it came since
}

func (s *Sim) delta(r *request, t tracked) reply {
	phase, at, base, bad := s.resume(r, t)
	if bad != nil {
		return *bad
	}
	q, bad := s.asks(r, t.props)
	if bad != nil {
		return *bad
	}
	baked := s.baked.number(r.query.encode(map[string]string{"$skiptoken": "", "$deltatoken": ""}))
	size := t.page
	if v, ok := r.prefers("odata.maxpagesize"); ok {
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			size = min(n, 999)
		}
	} else if n, err := strconv.Atoi(r.query.get("$top")); err == nil && n > 0 {
		size = min(n, 999)
	}
	b := r.context(t.context + q.shape())
	body := []byte(`,"value":[`)
	next := -1
	switch phase {
	case phaseAll:
		body, next = walk(body, q, t, at, size)
	case phaseChanges:
		body, next = walkChanges(body, q, t, base, at, size)
	}
	if next >= 0 {
		b = appendString(append(b, `,"@odata.nextLink":`...), r.deltaLink("$skiptoken", s.token(uint64(phase), uint64(next), uint64(base), s.seconds(), baked)))
	} else {
		mark := t.now
		if phase == phaseAll {
			mark = base // what changed during the first round comes again
		}
		b = appendString(append(b, `,"@odata.deltaLink":`...), r.deltaLink("$deltatoken", s.token(phaseDone, 0, uint64(mark), s.seconds(), baked)))
	}
	return ok(append(append(b, body...), "]}"...))
}

func (s *Sim) seconds() uint64 { return uint64(s.clock.Now().Unix()) }

// resume reads where the round stands: phase, position, and the line of the log it stands on.
func (s *Sim) resume(r *request, t tracked) (phase, at, base int, bad *reply) {
	text, again := r.query.find("$skiptoken")
	if !again {
		text, again = r.query.find("$deltatoken")
	}
	if !again {
		return phaseAll, 0, t.now, nil
	}
	if text == "latest" && t.latest {
		return phaseDone, 0, t.now, nil
	}
	n, valid := s.readToken(text)
	if !valid || len(n) != 5 {
		out := s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "The delta token is not valid.")
		if t.outlook {
			out = s.refuse(r, http.StatusBadRequest, "ErrorInvalidSyncStateData", "The sync state data is invalid.")
		}
		return 0, 0, 0, &out
	}
	made := time.Unix(int64(n[3]), 0)
	asked, known := s.baked.query(n[4])
	if !known || t.expires && s.clock.Now().Sub(made) > tokenLife || int(n[2]) > t.now || n[3] < uint64(s.forgotten.Load()) {
		out := s.refuse(r, http.StatusGone, "syncStateNotFound", "The sync state generation is not found; the delta token has expired. Please perform a full synchronization.")
		if !t.outlook {
			out = s.refuse(r, http.StatusGone, "resyncRequired", "Resync required. Any local state should be dropped and a full synchronization performed.")
		}
		out = out.with("Location", r.base+"/"+r.path)
		return 0, 0, 0, &out
	}
	r.query = asked // what a round asks for was settled by its first call
	phase, at, base = int(n[0]), int(n[1]), int(n[2])
	if phase == phaseDone {
		phase = phaseChanges
	}
	return phase, at, base, nil
}

// ForgetDeltas makes every delta token given so far unknown: 410.
func (s *Sim) ForgetDeltas() { s.forgotten.Store(s.clock.Now().Unix() + 1) }

// deltaLink has nothing but the token: what was asked is baked into it.
func (r *request) deltaLink(name, token string) string {
	return r.base + "/" + r.path + "?" + name + "=" + token
}

// queries numbers what delta rounds asked for.
type queries struct {
	mu      sync.Mutex
	numbers map[string]uint64
	texts   []string
}

func (q *queries) number(text string) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n, ok := q.numbers[text]; ok {
		return n
	}
	if q.numbers == nil {
		q.numbers = map[string]uint64{}
	}
	n := uint64(len(q.texts))
	q.texts = append(q.texts, text)
	q.numbers[text] = n
	return n
}

func (q *queries) query(n uint64) (query, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n >= uint64(len(q.texts)) {
		return nil, false
	}
	out, err := parseQuery(q.texts[n])
	return out, err == nil
}

func walk(b []byte, q *asked, t tracked, at, size int) ([]byte, int) {
	found, left := 0, t.total
	keeps := func(i int) (item, bool) {
		it, ok := t.at(i)
		return it, ok && (q.keep == nil || q.keep(it.get))
	}
	if t.most > 0 && q.keep != nil {
		left = t.most
		for i := range at {
			if _, ok := keeps(i); ok {
				left--
			}
		}
	}
	for i := at; i < t.total; i++ {
		it, ok := keeps(i)
		if !ok {
			continue
		}
		if left == found {
			return b, -1
		}
		if found == size {
			return b, i
		}
		if found++; found > 1 {
			b = append(b, ',')
		}
		b = q.write(b, it, t.defaults)
	}
	return b, -1
}

func walkChanges(b []byte, q *asked, t tracked, base, at, size int) ([]byte, int) {
	all := t.since(base)
	for i := at; i < len(all); i++ {
		if i == at+size {
			return b, i
		}
		if i > at {
			b = append(b, ',')
		}
		if c := all[i]; c.reason != "" {
			b = appendObject(b, obj{{"id", c.id}, {"@removed", obj{{"reason", c.reason}}}})
		} else {
			b = q.write(b, c.item, t.defaults)
		}
	}
	return b, -1
}
