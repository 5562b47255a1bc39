package graph

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// No window of the limit's length, wherever it begins, holds more than the limit; and little less than it is used.
func TestWindowsHoldWhereverOneLooks(t *testing.T) {
	for _, tc := range []struct {
		limit int
		span  time.Duration
	}{{1, time.Second}, {5, 10 * time.Second}, {100, 10 * time.Second}, {1000, 10 * time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			s := newScope(tc.limit, tc.span)
			rnd := rand.New(rand.NewPCG(1, uint64(tc.limit)))
			began := time.Now()
			var at []time.Time
			for len(at) < 6*tc.limit {
				now := time.Now()
				wait := s.wait(1, true, now.UnixNano())
				if wait > 0 {
					if wait > tc.span*slots/(slots-1) {
						t.Fatalf("a wait of %s under %s", wait, tc.span)
					}
					time.Sleep(wait)
					if again := s.wait(1, true, time.Now().UnixNano()); again > 0 {
						t.Fatalf("after waiting %s there are %s more to wait", wait, again)
					}
					continue
				}
				s.add(1)
				at = append(at, now)
				if rnd.IntN(3) == 0 {
					time.Sleep(time.Duration(rnd.Int64N(int64(tc.span) / int64(tc.limit))))
				}
			}
			for i := range at {
				n := 0
				for j := i; j < len(at) && at[j].Sub(at[i]) < tc.span; j++ {
					n++
				}
				if n > tc.limit {
					t.Fatalf("%d in %s, the limit is %d", n, tc.span, tc.limit)
				}
			}
			if d, fair := time.Since(began), 6*tc.span; d > fair*13/10 {
				t.Errorf("%d took %s: more than a quarter of the limit is wasted (%s)", len(at), d, fair)
			}
		})
	}
}

func TestWindowBounds(t *testing.T) {
	s := newScope(10, 10*time.Second)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	if d := s.wait(50, true, now); d != 0 {
		t.Errorf("what costs more than all waits %s, though all is free", d)
	}
	s.add(50)
	if d := s.wait(1, true, now); d != 11*time.Second {
		t.Errorf("the next waits %s", d)
	}
	if d := s.wait(1, true, now-int64(time.Hour)); d <= 0 {
		t.Error("a clock stepping back frees the window")
	}
	s.add(-80)
	if s.sum() != 0 {
		t.Errorf("given back more than was spent: %d", s.sum())
	}
	if d := s.wait(1, true, now+int64(time.Hour)); d != 0 {
		t.Errorf("an hour later it waits %s", d)
	}
}

func mailboxAsk(high bool) ask { return ask{kind: Mailbox, box: 7, units: 1, high: high} }

func TestFourAtATimeOneForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(Limits{}, nil, time.Now)
		var order []string
		var mu sync.Mutex
		call := func(name string, high bool, lasts time.Duration) {
			tk, err := l.acquire(t.Context(), mailboxAsk(high))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			time.Sleep(lasts)
			tk.release(0)
		}
		for i := range 5 {
			go call(fmt.Sprint("low", i), false, time.Minute+time.Duration(i)*time.Second)
			synctest.Wait()
		}
		if len(order) != 3 {
			t.Fatalf("%q go at once, want 3 of the background", order)
		}
		go call("high0", true, time.Hour)
		synctest.Wait()
		go call("high1", true, time.Hour)
		synctest.Wait()
		if want := []string{"low0", "low1", "low2", "high0"}; !slices.Equal(order, want) {
			t.Fatalf("%q, want %q", order, want)
		}
		if _, _, ok := l.try(mailboxAsk(false)); ok {
			t.Error("a fifth was let in")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		// high1 waited the shortest and goes first; then the two that were in line.
		if order[4] != "high1" || !slices.Equal(order[5:], []string{"low3", "low4"}) {
			t.Errorf("then %q", order[4:])
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		b := l.boxes[7]
		if b.high != 0 || b.low != 0 || b.queue != nil {
			t.Errorf("left over: %+v", b)
		}
	})
}

func TestLeavingTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(Limits{MailboxConcurrent: 1}, nil, time.Now)
		first, err := l.acquire(t.Context(), mailboxAsk(false))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := l.acquire(ctx, mailboxAsk(true))
			left <- err
		}()
		synctest.Wait()
		got := make(chan *ticket, 1)
		go func() {
			tk, err := l.acquire(t.Context(), mailboxAsk(false))
			if err != nil {
				t.Error(err)
			}
			got <- tk
		}()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		first.release(0)
		(<-got).release(0)
		if b := l.boxes[7]; b.low != 0 || b.high != 0 || b.queue != nil {
			t.Errorf("left over: %+v", b)
		}
	})
}

func TestMailboxesDoNotShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(Limits{MailboxRequests: 20}, nil, time.Now)
		n := 0
		for {
			tk, _, ok := l.try(mailboxAsk(false))
			if !ok {
				break
			}
			tk.release(0)
			n++
		}
		if n != 19 {
			t.Errorf("%d in the background, want 19 of 20", n)
		}
		if tk, _, ok := l.try(mailboxAsk(true)); !ok {
			t.Error("nothing is left for a person")
		} else {
			tk.release(0)
		}
		if tk, _, ok := l.try(ask{kind: Mailbox, box: 8, units: 1}); !ok {
			t.Error("another mailbox waits")
		} else {
			tk.release(0)
		}
	})
}

func TestKindsHaveTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(Limits{}, nil, time.Now)
		for kind, want := range map[Kind]int{Report: 5, Protection: 1, Directory: 7600 / 4} {
			n := 0
			for {
				tk, wait, ok := l.try(ask{kind: kind, units: map[Kind]int{Directory: 4}[kind] + map[Kind]int{Report: 1, Protection: 1}[kind]})
				if !ok {
					if wait <= 0 || wait > 11*time.Second {
						t.Errorf("%s waits %s", kind, wait)
					}
					break
				}
				tk.release(0)
				n++
			}
			if n != want {
				t.Errorf("%s: %d at once, want %d", kind, n, want)
			}
		}
	})
}

func TestCostIsCorrectedByGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(Limits{}, nil, time.Now)
		tk, err := l.acquire(t.Context(), ask{kind: Directory, units: 1})
		if err != nil {
			t.Fatal(err)
		}
		tk.release(5)
		if got := l.byKind[Directory].sum(); got != 5 {
			t.Errorf("%d units are spent, Graph said 5", got)
		}
	})
}

func Test429IsHonouredForItsScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lim := Limits{}
		shared := NewShared(lim)
		a, b := newLimiter(lim, shared, time.Now), newLimiter(lim, shared, time.Now)
		free := func(l *limiter, k ask) bool {
			tk, wait, ok := l.try(k)
			if ok {
				tk.release(0)
			} else if wait <= 0 {
				t.Errorf("no wait is told for %+v", k)
			}
			return ok
		}
		box, box2 := ask{kind: Mailbox, box: 1, units: 1, high: true}, ask{kind: Mailbox, box: 2, units: 1}
		dir, other := ask{kind: Directory, units: 1}, ask{kind: Other}

		a.throttled(box, time.Minute, false)
		if free(a, box) || !free(a, box2) || !free(a, dir) || !free(b, box) {
			t.Error("a mailbox's 429 holds for that mailbox and nothing else")
		}
		a.throttled(dir, time.Minute, false)
		if free(a, dir) || !free(a, box2) || !free(b, dir) {
			t.Error("the directory's 429 holds for the directory of that tenant")
		}
		a.throttled(other, time.Minute, false)
		if free(a, box2) || free(a, other) || !free(b, other) {
			t.Error("one without a scope holds for the client")
		}
		a.throttled(dir, 2*time.Minute, true)
		if free(a, other) || free(b, other) {
			t.Error("the app's holds for all of its tenants")
		}
		time.Sleep(2*time.Minute + time.Second)
		if !free(a, box) || !free(a, dir) || !free(b, other) {
			t.Error("it does not end")
		}
	})
}

func TestHeldBackNoLongerThanCanBeWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(Limits{Reports: 1, ReportsWindow: time.Minute, MaxWait: 90 * time.Second}, nil, time.Now)
		k := ask{kind: Report, units: 1}
		began := time.Now()
		for range 2 {
			tk, err := l.acquire(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			tk.release(0)
		}
		if d := time.Since(began); d < time.Minute || d > 67*time.Second {
			t.Errorf("the second waited %s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		now := time.Now()
		_, err := l.acquire(ctx, k)
		if e := as[*Throttled](t, err); !e.Ours || e.Limit != "reports" || e.After < 50*time.Second || time.Since(now) != 0 {
			t.Errorf("%+v after %s", e, time.Since(now))
		}
		l.throttled(k, time.Hour, false)
		_, err = l.acquire(t.Context(), k)
		as[*Throttled](t, err)
		ended, end := context.WithCancel(t.Context())
		end()
		l2 := newLimiter(Limits{Reports: 1}, nil, time.Now)
		_, _ = l2.acquire(t.Context(), k)
		if _, err := l2.acquire(ended, k); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		u := l.usage()[3]
		if u.Limit != "reports" || u.Of != 1 || u.Spent != 2 || u.Waits < 1 || u.Waited < time.Minute || u.Refused != 2 || u.Throttled != 1 || u.Blocked != time.Hour {
			t.Errorf("usage %+v", u)
		}
	})
}

func TestIdleMailboxesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(Limits{}, nil, time.Now)
		for i := range 1000 {
			tk, _, ok := l.try(ask{kind: Mailbox, box: uint64(i + 1), units: 1})
			if !ok {
				t.Fatal(i)
			}
			if i > 0 {
				tk.release(0)
			}
		}
		l.throttled(ask{kind: Mailbox, box: 2}, 24*time.Hour, false)
		if u := l.usage()[1]; u.Mailboxes != 1000 || u.Used != 1 {
			t.Errorf("%+v", u)
		}
		time.Sleep(12 * time.Minute)
		if u := l.usage()[1]; u.Mailboxes != 2 {
			t.Errorf("%d are remembered, want the one under way and the one throttled", u.Mailboxes)
		}
	})
}

func TestAMailboxIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(mailbox{}); n > 80 {
		t.Errorf("a mailbox takes %d bytes", n)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const many = 100_000
	before := heap()
	l := newLimiter(Limits{}, nil, time.Now)
	for i := range uint64(many) {
		tk, _, _ := l.try(ask{kind: Mailbox, box: rand.Uint64() | 1, units: 1})
		if tk == nil {
			t.Fatal(i)
		}
		tk.release(0)
	}
	each := (heap() - before) / many
	if each > 200 {
		t.Errorf("%d bytes for each of %d mailboxes", each, many)
	}
	t.Logf("%d bytes for each mailbox", each)
	runtime.KeepAlive(l)
}

// Many at once, high and low, some giving up: never more than the limits, nobody forgotten, nothing left over.
func TestLimiterUnderLoad(t *testing.T) {
	l := newLimiter(Limits{}, nil, time.Now)
	var mu sync.Mutex
	now, low := map[uint64]int{}, map[uint64]int{}
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for range 200 {
				k := ask{kind: Mailbox, box: 1 + rnd.Uint64N(4), units: 1, high: rnd.IntN(4) == 0}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if rnd.IntN(5) == 0 {
					cancel()
				}
				tk, err := l.acquire(ctx, k)
				cancel()
				if err != nil {
					continue
				}
				mu.Lock()
				now[k.box]++
				if !k.high {
					low[k.box]++
				}
				if now[k.box] > 4 || low[k.box] > 3 {
					t.Errorf("%d at a time, %d of them low", now[k.box], low[k.box])
				}
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				now[k.box]--
				if !k.high {
					low[k.box]--
				}
				mu.Unlock()
				tk.release(0)
			}
		})
	}
	wg.Wait()
	for k, b := range l.boxes {
		if b.high != 0 || b.low != 0 || b.queue != nil {
			t.Errorf("mailbox %d: %+v", k, b)
		}
	}
}

func BenchmarkAcquire(b *testing.B) {
	for _, boxes := range []uint64{1, 100_000} {
		b.Run(fmt.Sprint(boxes), func(b *testing.B) {
			l := newLimiter(Limits{Requests: 1 << 30, MailboxRequests: 1 << 30}, nil, time.Now)
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				tk, err := l.acquire(b.Context(), ask{kind: Mailbox, box: 1 + n%boxes, units: 1})
				if err != nil {
					b.Fatal(err)
				}
				tk.release(0)
			}
		})
	}
}
