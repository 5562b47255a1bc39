package collect

import (
	"sync"
	"time"

	"tocsin.dev"
)

// Handed hands the mail of a run from the fold that wrote it to the learner of the same process, which otherwise reads it from the
// tables again. The learner asks for the runs that committed facts tell of, so what a run leaves that was rolled back is never taken.
// What is not here, since another replica folded it, or this process was killed, or too much waited, is in the tables.
type Handed struct {
	mu    sync.Mutex
	runs  map[handedRun][]heldMail
	order []handedRun // the oldest first, those taken too
	size  int         // of all mails together, see sizeOf
}

type handedRun struct {
	tenant tocsin.TenantID
	run    int64 // begins with the time
}

// handedMost is how many mails and recipients wait to be taken, some 200 bytes each; handedFor how long.
const (
	handedMost = 200_000
	handedFor  = 2 * time.Minute
)

// put hands over what a run at that time folded.
func (h *Handed) put(tenant tocsin.TenantID, run int64, now time.Time, mails []heldMail) {
	if h == nil || len(mails) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for old := tocsin.Millis(now.Add(-handedFor)) << 16; len(h.order) > 0 && (h.order[0].run < old || h.runs[h.order[0]] == nil); h.order = h.order[1:] {
		h.drop(h.order[0])
	}
	key := handedRun{tenant, run}
	h.drop(key)
	if h.size+sizeOf(mails) > handedMost {
		return // the first are wanted first
	}
	if h.runs == nil {
		h.runs = map[handedRun][]heldMail{}
	}
	h.runs[key], h.order, h.size = mails, append(h.order, key), h.size+sizeOf(mails)
}

func sizeOf(mails []heldMail) (n int) {
	for i := range mails {
		n += 1 + len(mails[i].To)
	}
	return n
}

func (h *Handed) drop(key handedRun) {
	h.size -= sizeOf(h.runs[key])
	delete(h.runs, key)
}

// holds says how many mails and recipients of a run are here.
func (h *Handed) holds(tenant tocsin.TenantID, run int64) (size int, ok bool) {
	if h == nil {
		return 0, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	mails, ok := h.runs[handedRun{tenant, run}]
	return sizeOf(mails), ok
}

// take gives what a run folded, once.
func (h *Handed) take(tenant tocsin.TenantID, run int64) (mails []heldMail, ok bool) {
	if h == nil {
		return nil, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key := handedRun{tenant, run}
	mails, ok = h.runs[key]
	h.drop(key)
	return mails, ok
}
