package graph

import (
	"context"
	"encoding/binary"
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
			s := newScope("x", tc.limit, tc.span)
			rnd := rand.New(rand.NewPCG(1, uint64(tc.limit)))
			began := time.Now()
			var at []time.Time
			for len(at) < 6*tc.limit {
				now := time.Now()
				wait := s.wait(s.limit, 1, true, now.UnixNano())
				if wait > 0 {
					if wait > tc.span*slots/(slots-1) {
						t.Fatalf("a wait of %s under %s", wait, tc.span)
					}
					time.Sleep(wait)
					if again := s.wait(s.limit, 1, true, time.Now().UnixNano()); again > 0 {
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
	s := newScope("x", 10, 10*time.Second)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	if d := s.wait(s.limit, 50, true, now); d != 0 {
		t.Errorf("what costs more than all waits %s, though all is free", d)
	}
	s.add(50)
	if d := s.wait(s.limit, 1, true, now); d != 11*time.Second {
		t.Errorf("the next waits %s", d)
	}
	if d := s.wait(s.limit, 1, true, now-int64(time.Hour)); d <= 0 {
		t.Error("a clock stepping back frees the window")
	}
	s.add(-80)
	if s.sum() != 0 {
		t.Errorf("given back more than was spent: %d", s.sum())
	}
	if d := s.wait(s.limit, 1, true, now+int64(time.Hour)); d != 0 {
		t.Errorf("an hour later it waits %s", d)
	}
}

// limiterOf is the limiter of an app in a tenant, by the system's clock.
func limiterOf(l Limits) *limiter { return NewShared(l, time.Now).of(Global, "app", "tenant") }

func box(n uint64) (k boxKey) {
	binary.LittleEndian.PutUint64(k[8:], n)
	return k
}

func try(l *limiter, a ask) (*ticket, time.Duration, bool) {
	var h hold
	defer l.letGo(&h)
	return l.try(a, &h)
}

func useOf(t *testing.T, l *limiter, name string) Use {
	t.Helper()
	for _, u := range l.usage() {
		if u.Limit == name {
			return u
		}
	}
	t.Fatalf("there is no limit %q", name)
	return Use{}
}

func mailboxAsk(high bool) ask { return ask{kind: Mailbox, box: box(7), units: 1, high: high} }

func TestFourAtATimeOneForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{})
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
		if _, _, ok := try(l, mailboxAsk(false)); ok {
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
		b := l.boxes[box(7)]
		if b.high != 0 || b.low != 0 || b.going != 0 || b.queue != nil {
			t.Errorf("left over: %+v", b)
		}
	})
}

func TestLeavingTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{MailboxConcurrent: 1})
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
		if b := l.boxes[box(7)]; b.low != 0 || b.high != 0 || b.queue != nil {
			t.Errorf("left over: %+v", b)
		}
	})
}

func TestMailboxesDoNotShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{MailboxRequests: 20})
		n := 0
		for {
			tk, _, ok := try(l, mailboxAsk(false))
			if !ok {
				break
			}
			tk.release(0)
			n++
		}
		if n != 19 {
			t.Errorf("%d in the background, want 19 of 20", n)
		}
		if tk, _, ok := try(l, mailboxAsk(true)); !ok {
			t.Error("nothing is left for a person")
		} else {
			tk.release(0)
		}
		if tk, _, ok := try(l, ask{kind: Mailbox, box: box(8), units: 1}); !ok {
			t.Error("another mailbox waits")
		} else {
			tk.release(0)
		}
	})
}

// Each kind has its own limits; of each some is kept for a person, and as much goes at once as is published.
func TestKindsHaveTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{})
		l.users(100)
		for kind, want := range map[Kind][2]int{Report: {4, 5}, Protection: {1, 1}, Directory: {4750 / 4, 5000 / 4}, Intune: {1900, 2000},
			Subscriptions: {4750, 5000}, Trace: {95, 100}, Activity: {1900, 2000}} {
			for i, high := range []bool{false, true} {
				n := 0
				if i == 1 {
					n = want[0] // what the background left over
				}
				for {
					tk, wait, ok := try(l, ask{kind: kind, units: map[Kind]int{Directory: 4}[kind], high: high})
					if !ok {
						list := counted(kind, false)
						if _, span := budgets[list[len(list)-1]].of(&l.lim); wait <= 0 || wait > span*11/10 {
							t.Errorf("%s waits %s", kind, wait)
						}
						break
					}
					tk.release(0)
					n++
				}
				if n != want[i] {
					t.Errorf("%s: %d at once, want %d (high: %v)", kind, n, want[i], high)
				}
			}
		}
	})
}

func TestCostIsCorrectedByGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{})
		tk, err := l.acquire(t.Context(), ask{kind: Directory, units: 1})
		if err != nil {
			t.Fatal(err)
		}
		tk.release(5)
		if got := l.scopes[directory].sum(); got != 5 {
			t.Errorf("%d units are spent, Graph said 5", got)
		}
	})
}

func Test429IsHonouredForItsScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewShared(Limits{}, time.Now)
		a, b := shared.of(Global, "app", "a"), shared.of(Global, "app", "b")
		free := func(l *limiter, k ask) bool {
			tk, wait, ok := try(l, k)
			if ok {
				tk.release(0)
			} else if wait <= 0 {
				t.Errorf("no wait is told for %+v", k)
			}
			return ok
		}
		box1, box2 := ask{kind: Mailbox, box: box(1), units: 1, high: true}, ask{kind: Mailbox, box: box(2), units: 1}
		dir, other := ask{kind: Directory, units: 1}, ask{kind: Other}

		a.throttled(box1, time.Minute, Refusal{})
		if free(a, box1) || !free(a, box2) || !free(a, dir) || !free(b, box1) {
			t.Error("a mailbox's 429 holds for that mailbox and nothing else")
		}
		a.throttled(dir, time.Minute, Refusal{})
		if free(a, dir) || !free(a, box2) || !free(b, dir) {
			t.Error("the directory's 429 holds for the directory of that tenant")
		}
		a.throttled(other, time.Minute, Refusal{})
		if free(a, box2) || free(a, other) || !free(b, other) {
			t.Error("one without a scope holds for the client")
		}
		a.throttled(dir, 2*time.Minute, Refusal{scope: scopeOf("Application/ReadWrite/app/a")})
		if free(b, dir) || !free(b, other) {
			t.Error("the app's holds for the directory of all its tenants")
		}
		a.throttled(other, 2*time.Minute, Refusal{scope: scopeOf("Application/ReadWrite/app/a")})
		if free(a, other) || free(b, other) {
			t.Error("the app's, of a kind without a limit of its own, holds for all")
		}
		time.Sleep(2*time.Minute + time.Second)
		if !free(a, box1) || !free(a, dir) || !free(b, other) {
			t.Error("it does not end")
		}
	})
}

func TestHeldBackNoLongerThanCanBeWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{Reports: 1, ReportsWindow: time.Minute, MaxWait: 90 * time.Second})
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
		if e := as[*Throttled](t, err); !e.Ours || e.Asked || e.Limit != "reports" || e.After < 50*time.Second || time.Since(now) != 0 {
			t.Errorf("%+v after %s", e, time.Since(now))
		}
		l.throttled(k, time.Hour, Refusal{})
		_, err = l.acquire(t.Context(), k)
		if e := as[*Throttled](t, err); !e.Ours || !e.Asked {
			t.Errorf("it is not said that Graph asked for it: %+v", e)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		l2 := limiterOf(Limits{Reports: 1})
		_, _ = l2.acquire(t.Context(), k)
		if _, err := l2.acquire(ended, k); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		u := useOf(t, l, "reports")
		if u.Limit != "reports" || u.Of != 1 || u.Spent != 2 || u.Waits < 1 || u.Waited < time.Minute || u.Refused != 2 || u.Throttled != 1 || u.Blocked != time.Hour {
			t.Errorf("usage %+v", u)
		}
	})
}

func TestIdleMailboxesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{})
		for i := range 1000 {
			tk, _, ok := try(l, ask{kind: Mailbox, box: box(uint64(i + 1)), units: 1})
			if !ok {
				t.Fatal(i)
			}
			if i > 0 {
				tk.release(0)
			}
		}
		l.throttled(ask{kind: Mailbox, box: box(2)}, 24*time.Hour, Refusal{})
		if u := useOf(t, l, "mailbox"); u.Mailboxes != 1000 || u.Used != 1 {
			t.Errorf("%+v", u)
		}
		time.Sleep(12 * time.Minute)
		if u := useOf(t, l, "mailbox"); u.Mailboxes != 2 {
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
	l := limiterOf(Limits{})
	for i := range uint64(many) {
		tk, _, _ := try(l, ask{kind: Mailbox, box: box(rand.Uint64() | 1), units: 1})
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
	l := limiterOf(Limits{})
	var mu sync.Mutex
	now, low := map[boxKey]int{}, map[boxKey]int{}
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for range 200 {
				k := ask{kind: Mailbox, box: box(1 + rnd.Uint64N(4)), units: 1, high: rnd.IntN(4) == 0}
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
		if b.high != 0 || b.low != 0 || b.going != 0 || b.queue != nil {
			t.Errorf("mailbox %v: %+v", k, b)
		}
	}
}

func BenchmarkAcquire(b *testing.B) {
	for _, boxes := range []uint64{1, 100_000} {
		b.Run(fmt.Sprint(boxes), func(b *testing.B) {
			l := limiterOf(Limits{Requests: 1 << 30, MailboxRequests: 1 << 30})
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				tk, err := l.acquire(b.Context(), ask{kind: Mailbox, box: box(1 + n%boxes), units: 1})
				if err != nil {
					b.Fatal(err)
				}
				tk.release(0)
			}
		})
	}
}

// A change of the directory counts in five limits, of the app, of the tenant and of both.
func BenchmarkAcquireChange(b *testing.B) {
	sh := NewShared(Limits{Requests: 1 << 30, DirectoryUnits: 1 << 30, DirectorySmallUnits: 1 << 30, DirectoryAppUnits: 1 << 30, DirectoryWrites: 1 << 30,
		DirectoryAppWrites: 1 << 30, DirectoryTenantWrites: 1 << 30}, time.Now)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		l := sh.of(Global, "app", fmt.Sprint(rand.IntN(100)))
		for pb.Next() {
			tk, err := l.acquire(b.Context(), ask{call: "users.patch", kind: Directory, units: 1, write: true})
			if err != nil {
				b.Error(err)
				return
			}
			tk.release(1)
		}
	})
}

// BenchmarkUsage is what a look at the page or the metrics costs, with 100,000 mailboxes remembered.
func BenchmarkUsage(b *testing.B) {
	l := limiterOf(Limits{})
	for range 100_000 {
		tk, _, _ := l.try(ask{kind: Mailbox, box: box(rand.Uint64() | 1)}, &hold{})
		tk.release(0)
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(l.usage()) == 0 {
			b.Fatal("nothing")
		}
	}
}

// The busiest mailbox is told, whichever it is among many, and another when it has become quiet.
func TestTheBusiestMailboxIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{})
		call := func(n uint64, times int) {
			for range times {
				tk, _, ok := try(l, ask{kind: Mailbox, box: box(n)})
				if !ok {
					t.Fatal("it may not go")
				}
				tk.release(0)
			}
		}
		for n := range uint64(2000) {
			call(n+1, 2)
		}
		call(1777, 40)
		for n := range uint64(2000) {
			call(n+1, 1)
		}
		if u := useOf(t, l, "mailbox"); u.Used != 43 || u.Mailboxes != 2000 {
			t.Errorf("%+v", u)
		}
		if k, _ := l.byRequests.top(l.requestsOf); k != box(1777) {
			t.Errorf("the busiest is %v", k)
		}
		time.Sleep(12 * time.Minute)
		if u := useOf(t, l, "mailbox"); u.Used != 0 {
			t.Errorf("%+v", u)
		}
		for range 3 { // enough for old standings to be looked at again
			for n := range uint64(200) {
				call(n+3000, 1)
			}
		}
		call(3000, 5)
		if k, used := l.byRequests.top(l.requestsOf); k != box(3000) || used != 8 {
			t.Errorf("the busiest is %v with %d", k, used)
		}
		tk, _, _ := try(l, ask{kind: Mailbox, box: box(1)})
		tk2, _, _ := try(l, ask{kind: Mailbox, box: box(1)})
		if u := useOf(t, l, "mailbox-at-once"); u.Used != 2 {
			t.Errorf("%+v", u)
		}
		tk.release(0)
		tk2.release(0)
		if u := useOf(t, l, "mailbox-at-once"); u.Used != 0 {
			t.Errorf("%+v", u)
		}
	})
}
