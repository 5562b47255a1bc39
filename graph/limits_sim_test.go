package graph

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin.dev/graph/sim"
)

// small are limits that are soon met, as the limiter and as the simulator know them.
func small(r *rand.Rand) (Limits, sim.Limits) {
	n := func(from, to int) int { return from + r.IntN(to-from+1) }
	ours := Limits{Requests: n(50, 400), MailboxRequests: n(3, 30), MailboxUpload: n(500, 3000), DirectoryUnits: n(10, 60), DirectoryAppUnits: n(20, 100),
		DirectoryWrites: n(4, 40), DirectoryAppWrites: n(10, 60), DirectoryTenantWrites: n(10, 60), Reports: n(1, 6), Protection: n(1, 2),
		Intune: n(10, 60), IntuneTenant: n(10, 90), IntuneWrites: n(2, 20), Subscriptions: n(5, 60), Traces: n(3, 30), Activity: n(5, 80), MaxWait: 1000 * time.Hour}.OrDefaults()
	return ours, sim.Limits{Global: ours.Requests, Mailbox: ours.MailboxRequests, Upload: ours.MailboxUpload, Directory: ours.DirectorySmallUnits, AppDirectory: ours.DirectoryAppUnits,
		Writes: ours.DirectoryWrites, AppWrites: ours.DirectoryAppWrites, TenantWrites: ours.DirectoryTenantWrites, Reports: ours.Reports, Protection: ours.Protection,
		Intune: ours.Intune, IntuneTenant: ours.IntuneTenant, IntuneWrites: ours.IntuneWrites, Subscriptions: ours.Subscriptions, Traces: ours.Traces, Activity: ours.Activity}
}

// FuzzNeverMoreThanTheSimulatorAllows: whatever calls are made when, by whom, of whatever kind, and however long they travel
// there and back, what keeps the limits on the other side has nothing to refuse. Nobody waits for ever.
func FuzzNeverMoreThanTheSimulatorAllows(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { anySchedule(t, seed) })
	})
}

func anySchedule(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	ours, theirs := small(rnd)
	w, err := sim.New(sim.Config{Users: 10, Quiet: true, Limits: theirs})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	shared := NewShared(ours, time.Now)
	travels := time.Duration(1 + rnd.Int64N(int64(3*time.Second)))
	var group sync.WaitGroup
	made := 0
	var mu sync.Mutex
	for g := range 12 {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(g)+2))
			for range 40 {
				a := ask{kind: Kind(rnd.IntN(int(kinds))), units: 1 + rnd.IntN(5), write: rnd.IntN(3) == 0, high: rnd.IntN(5) == 0}
				if a.kind == Mailbox {
					a.kind = Other // by a client, below
				}
				tk, err := shared.of(Global, "app", "tenant").acquire(t.Context(), a)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(rnd.Int64N(int64(travels))))
				if !w.Count(a.kind.String(), a.units, a.write) {
					t.Errorf("seed %d: a call of %s (write: %v) is one too many: %+v", seed, a.kind, a.write, w.Limited())
				}
				time.Sleep(time.Duration(rnd.Int64N(int64(travels))))
				tk.release(a.units)
				if rnd.IntN(20) == 0 {
					time.Sleep(time.Duration(rnd.Int64N(int64(30 * time.Second))))
				}
				mu.Lock()
				made++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if made != 12*40 && !t.Failed() {
		t.Errorf("%d calls were made", made)
	}
	for _, u := range shared.Of(Global, "app", "tenant") {
		if u.Waiting != 0 {
			t.Errorf("%s: %d still wait", u.Limit, u.Waiting)
		}
	}
	for _, s := range shared.of(Global, "app", "tenant").scopes {
		if s.pending != 0 || s.persons != 0 {
			t.Errorf("left over: %+v", s)
		}
	}
}

// TestAClientIsNeverThrottled: reading, changing and batches of many mailboxes and of the directory, in any order and by several
// clients of one app, through a simulator with small limits and slow answers: it gives no 429.
func TestAClientIsNeverThrottled(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { anyCalls(t, seed) })
		})
	}
}

func anyCalls(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 9))
	ours, theirs := small(rnd)
	w, err := sim.New(sim.Config{Users: 30, Quiet: true, Limits: theirs, Latency: time.Duration(rnd.Int64N(int64(2 * time.Second)))})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	shared := NewShared(ours, time.Now)
	client := func() *Client {
		c, err := New(Config{Cloud: Cloud{Authority: sim.Address, Graph: sim.Address}, Tenant: w.Tenant(), Client: w.ClientID(), Secret: w.Secret(),
			HTTP: w.Client(), Shared: shared, Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var people []string
	for u, err := range Pages[User](t.Context(), client(), "users.list", nil) {
		if err != nil {
			t.Fatal(err)
		}
		people = append(people, u.ID)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1000*time.Hour)
	defer cancel()
	var group sync.WaitGroup
	for g := range 6 {
		c := client() // as after a new secret
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 15 {
				on := ctx
				if rnd.IntN(3) == 0 {
					on = WithPriority(ctx, High)
				}
				who := P{"user": people[rnd.IntN(4)]}
				var err error
				switch rnd.IntN(4) {
				case 0:
					err = c.Get(on, "users.get", who, nil)
				case 1:
					err = c.Get(on, "mailboxSettings.get", who, nil)
				case 2:
					err = c.Get(on, "subscribedSkus.list", nil, nil)
				default:
					var parts []Part
					for range 1 + rnd.IntN(30) {
						parts = append(parts, Part{"mailboxSettings.get", P{"user": people[rnd.IntN(len(people))]}}, Part{"users.get", who})
					}
					_, err = c.Batch(on, parts)
				}
				if _, none := err.(*NoMailbox); err != nil && !none {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if l := w.Limited(); l.Refused+l.Faults > 0 {
		t.Errorf("seed %d: %+v", seed, l)
	}
	if shared.Usage()[0].Limits[0].Spent == 0 {
		t.Error("nothing was counted")
	}
}

// Another program uses the same app's units. We count only our own, so only Graph's warning can keep us from a 429: the
// background goes on below the caution, a person goes on at once.
func TestAWarningIsHeededBeforeThe429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := sim.New(sim.Config{Users: 10, Quiet: true, Limits: sim.Limits{Directory: 100}})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		c, err := New(Config{Cloud: Cloud{Authority: sim.Address, Graph: sim.Address}, Tenant: w.Tenant(), Client: w.ClientID(), Secret: w.Secret(),
			HTTP: w.Client(), Limits: Limits{DirectoryUnits: 100}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		high := WithPriority(t.Context(), High)
		for n := range 60 {
			if n%20 == 0 {
				time.Sleep(12 * time.Second) // or the other alone is too much
				if err := w.Spend("directory", 85); err != nil {
					t.Fatal(err)
				}
				now := time.Now()
				if err := c.Get(high, "subscribedSkus.list", nil, nil); err != nil {
					t.Fatal(err)
				}
				if time.Since(now) > time.Second {
					t.Errorf("a person waited %s", time.Since(now))
				}
				if u := useOf(t, c.limits, "directory"); u.Used < 85 || u.Careful <= 0 {
					t.Errorf("what Graph said is not held: %+v", u)
				}
			}
			if err := c.Get(t.Context(), "subscribedSkus.list", nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(began); d < 60*time.Second || d > 3*time.Minute {
			t.Errorf("60 calls beside another program took %s", d)
		}
		if l := w.Limited(); l.Refused > 0 || l.Limits[1].Most < 80 {
			t.Errorf("%+v", l)
		}
	})
}
