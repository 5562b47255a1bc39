package graph

import "time"

const slots = 11

// window counts what was spent in the last stretch of time, in ten slots and the one that runs: whatever ten slots
// long one looks at, no more than the limit was spent in it. It errs by a tenth on the safe side, which also covers
// requests that arrive closer together than they were sent. Times are Unix nanoseconds, width is a slot's.
type window struct {
	slot [slots]uint32
	at   int64 // the number of the running slot since 1970
}

// roll forgets what is too old.
func (w *window) roll(now, width int64) {
	n := now / width
	if n <= w.at { // the clock may step back; slots never do
		return
	}
	if n-w.at >= slots {
		w.slot = [slots]uint32{}
	} else {
		for i := w.at + 1; i <= n; i++ {
			w.slot[i%slots] = 0
		}
	}
	w.at = n
}

func (w *window) sum() int {
	n := 0
	for _, v := range w.slot {
		n += int(v)
	}
	return n
}

// wait is how long until n more fit under limit, at least, beside what is pending: spent, but maybe not yet counted by who keeps
// the limit. 0 is now. roll comes first.
func (w *window) wait(n, limit, pending int, now, width int64) time.Duration {
	n = min(n, limit) // what costs more than the whole limit goes when all of it is free
	over := w.sum() + pending + n - limit
	if over <= 0 {
		return 0
	}
	for i := w.at - slots + 1; i <= w.at; i++ { // the oldest first
		over -= int(w.slot[((i%slots)+slots)%slots])
		if over <= 0 {
			return time.Duration((i+slots)*width - now)
		}
	}
	return time.Duration((w.at+slots)*width - now) // what is pending counts from its end on, so from now at the earliest
}

// next is how long the running slot still runs.
func (w *window) next(now, width int64) time.Duration {
	return time.Duration(max((w.at+1)*width-now, 1))
}

// add spends n; a negative n gives back what was spent in the running slot.
func (w *window) add(n int) {
	v := int64(w.slot[w.at%slots]) + int64(n)
	w.slot[w.at%slots] = uint32(min(max(v, 0), 1<<32-1))
}
