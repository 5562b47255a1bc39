package graph

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// drain spends all that goes at once, and says how often that was.
func drain(t *testing.T, l *limiter, a ask) int {
	t.Helper()
	for n := 0; ; n++ {
		tk, _, ok := try(l, a)
		if !ok {
			return n
		}
		tk.release(0)
		if n > 1_000_000 {
			t.Fatalf("%+v has no limit", a)
		}
	}
}

// Clients of one app in one tenant share all; of one app in several tenants, and of several apps in one tenant, what Microsoft
// counts so. A client that is made anew, as for a new secret, goes on where the old one stood.
func TestWhoSharesWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lim := Limits{Requests: 100_000, DirectoryUnits: 100, DirectoryAppUnits: 150, DirectoryWrites: 30, DirectoryTenantWrites: 40, Reports: 5,
			Protection: 3, Intune: 10, IntuneTenant: 15, Traces: 6, Activity: 7, MailboxRequests: 20}
		fresh := func() *Shared { return NewShared(lim, time.Now) }
		for _, tc := range []struct {
			name                                 string
			a                                    ask
			pair, otherTenant, otherApp, another int // at once: by the app in the tenant, then by the others, then by one of nothing in common
		}{
			{"units", ask{kind: Directory, units: 1, high: true}, 100, 50, 100, 100},
			{"changes", ask{kind: Directory, write: true, high: true}, 30, 30, 10, 30},
			{"reports", ask{kind: Report, high: true}, 5, 5, 5, 5},
			{"protection", ask{kind: Protection, high: true}, 3, 3, 0, 3},
			{"intune", ask{kind: Intune, high: true}, 10, 10, 5, 10},
			{"trace", ask{kind: Trace, high: true}, 6, 6, 0, 6},
			{"activity", ask{kind: Activity, high: true}, 7, 7, 0, 7},
			{"mailbox", ask{kind: Mailbox, box: box(1), high: true}, 20, 20, 20, 20},
		} {
			sh := fresh()
			if n := drain(t, sh.of(Global, "app", "tenant"), tc.a); n != tc.pair {
				t.Errorf("%s: %d at once, want %d", tc.name, n, tc.pair)
			}
			if n := drain(t, sh.of(Global, "APP", "Tenant"), tc.a); n != 0 {
				t.Errorf("%s: another client of the same app and tenant has %d more", tc.name, n)
			}
			if n := drain(t, sh.of(Global, "app", "other"), tc.a); n != tc.otherTenant {
				t.Errorf("%s: in another tenant %d, want %d", tc.name, n, tc.otherTenant)
			}
			if n := drain(t, sh.of(Global, "another", "tenant"), tc.a); n != tc.otherApp {
				t.Errorf("%s: another app %d, want %d", tc.name, n, tc.otherApp)
			}
			if n := drain(t, sh.of(USGov, "app", "tenant"), tc.a); n != tc.another {
				t.Errorf("%s: in another cloud %d, want %d", tc.name, n, tc.another)
			}
		}
	})
}

// What an app has over all tenants is shared by the processes that use it, and so is a mailbox: the reader of its partition
// is not a guest there, whoever leads in the tenant.
func TestProcessesShareWhatIsNotATenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at uint64
		for _, tc := range []struct {
			among, all, mailbox int
			lead                bool
		}{{0, 123_500, 9_500, true}, {0, 6_500, 500, false}, {1, 123_500, 9_500, false}, {2, 61_750, 4_750, true}, {2, 61_750, 4_750, false}, {5, 24_700, 4_750, false}} {
			sh := NewShared(Limits{MailboxConcurrent: 1}, time.Now)
			sh.Follow()
			sh.Among(tc.among)
			c, err := New(Config{Tenant: "t", Client: "c", Secret: "s", Shared: sh})
			if err != nil {
				t.Fatal(err)
			}
			c.Lead(tc.lead)
			at++
			if n := drain(t, c.limits, ask{kind: Mailbox, box: box(at)}); n != tc.mailbox {
				t.Errorf("among %d (leads: %v): %d of a mailbox, want %d", tc.among, tc.lead, n, tc.mailbox)
			}
			time.Sleep(time.Hour)
			if n := drain(t, c.limits, ask{kind: Other}); n != tc.all {
				t.Errorf("among %d (leads: %v): %d of all, want %d", tc.among, tc.lead, n, tc.all)
			}
		}
	})
}

// Where several processes use one app, one leads; the others keep to what it leaves for people, so that all together stay below.
func TestWhoeverDoesNotLeadKeepsToTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := NewShared(Limits{}, time.Now)
		sh.Follow()
		c, err := New(Config{Tenant: "t", Client: "c", Secret: "s", Shared: sh})
		if err != nil {
			t.Fatal(err)
		}
		for _, lead := range []bool{false, true, false} {
			time.Sleep(time.Hour)
			c.Lead(lead)
			for kind, want := range map[Kind]map[bool]int{Directory: {true: 3500, false: 175}, Report: {true: 5, false: 1}, Protection: {true: 1, false: 1}} {
				if n := drain(t, c.limits, ask{kind: kind, units: 1, high: true}); n != want[lead] {
					t.Errorf("%s: %d at once, want %d (leads: %v)", kind, n, want[lead], lead)
				}
			}
			var held []*ticket
			for {
				tk, _, ok := try(c.limits, ask{kind: Mailbox, box: box(1), high: true})
				if !ok {
					break
				}
				held = append(held, tk)
			}
			if want := map[bool]int{true: 4, false: 1}[lead]; len(held) != want {
				t.Errorf("%d calls of a mailbox at once, want %d (leads: %v)", len(held), want, lead)
			}
			for _, tk := range held {
				tk.release(0)
			}
		}
		alone := NewShared(Limits{}, time.Now).of(Global, "c", "t")
		if n := drain(t, alone, ask{kind: Report, high: true}); n != 5 {
			t.Errorf("one process alone has %d", n)
		}
	})
}

func TestTheTenantsSizeDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for users, want := range map[int]int{-1: 3500, 0: 3500, 49: 3500, 50: 5000, 500: 5000, 501: 8000, 100_000: 8000} {
			l := limiterOf(Limits{})
			if users >= 0 {
				l.users(users)
			}
			if n := drain(t, l, ask{kind: Directory, units: 1, high: true}); n != want {
				t.Errorf("%d users: %d units, want %d", users, n, want)
			}
		}
		l := limiterOf(Limits{DirectoryUnits: 40})
		if n := drain(t, l, ask{kind: Directory, units: 1, high: true}); n != 40 {
			t.Errorf("%d units of 40 that were set", n)
		}
	})
}

// While a person waits for a limit, no crawl takes what becomes free before them.
func TestAPersonGoesBeforeACrawl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{Protection: 1})
		var mu sync.Mutex
		var order strings.Builder
		call := func(high bool) {
			tk, err := l.acquire(t.Context(), ask{kind: Protection, high: high})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order.WriteByte("lH"[map[bool]int{true: 1}[high]])
			mu.Unlock()
			tk.release(0)
		}
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() { call(false) })
		}
		synctest.Wait()
		for range 3 {
			group.Go(func() { call(true) })
		}
		synctest.Wait()
		if u := useOf(t, l, "protection"); u.Waiting != 8 {
			t.Errorf("%d wait, want 8", u.Waiting)
		}
		group.Wait()
		if got := order.String(); got != "lHHHlllll" {
			t.Errorf("they went as %s", got)
		}
		if u := useOf(t, l, "protection"); u.Waiting != 0 || u.Spent != 9 {
			t.Errorf("%+v", u)
		}
	})
}

func TestUploadsCountByTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(Limits{})
		a := ask{kind: Mailbox, box: box(1), write: true, bytes: 40_000_000, high: true}
		if n := drain(t, l, a); n != 3 {
			t.Errorf("%d times 40 MB at once, want 3 of 150 MB", n)
		}
		if n := drain(t, l, ask{kind: Mailbox, box: box(1)}); n < 1000 {
			t.Errorf("reading waits for what was sent: %d", n)
		}
		if tk, _, ok := try(l, ask{kind: Mailbox, box: box(2), write: true, bytes: 400_000_000, high: true}); !ok {
			t.Error("what is larger than the limit never goes")
		} else {
			tk.release(0)
		}
		if u := useOf(t, l, "mailbox-upload"); u.Used != 400_000_000 || u.Unit != "bytes" || u.Mailboxes != 2 {
			t.Errorf("%+v", u)
		}
		time.Sleep(12 * time.Minute)
		if useOf(t, l, "all"); len(l.uploads) != 0 {
			t.Errorf("%d are remembered", len(l.uploads))
		}
	})
}

// What Graph once said that a call costs is reckoned with from then on.
func TestCostIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := NewShared(Limits{DirectoryUnits: 100}, time.Now)
		l := sh.of(Global, "app", "tenant")
		tk, err := l.acquire(t.Context(), ask{call: "x", kind: Directory, units: 1})
		if err != nil {
			t.Fatal(err)
		}
		tk.release(10)
		if n := drain(t, sh.of(Global, "app", "tenant"), ask{call: "x", kind: Directory, units: 1, high: true}); n > 90 || n < 9 {
			t.Errorf("%d more", n)
		}
		other := sh.of(Global, "app", "other")
		var held []*ticket
		for {
			tk, _, ok := try(other, ask{call: "x", kind: Directory, units: 1, high: true})
			if !ok {
				break
			}
			held = append(held, tk)
		}
		if len(held) != 10 {
			t.Errorf("%d are under way at once, want 10 of 10 units each", len(held))
		}
	})
}

// A 429 holds for what its header names, and for nothing else.
func TestThrottleScopes(t *testing.T) {
	for _, tc := range []struct {
		header string
		kind   Kind
		write  bool
		want   budget
		ok     bool
	}{
		{"Tenant_Application/ReadWrite/a/t", Directory, true, directory, true},
		{"Tenant_Application/Write/a/t", Directory, true, directoryWrites, true},
		{"Tenant/Write/a/t", Directory, true, directoryTenantWrites, true},
		{"Application/ReadWrite/a/t", Directory, false, directoryApp, true},
		{"Application/Write/a/t", Directory, true, directoryAppWrites, true},
		{"", Directory, false, directory, true},
		{"nonsense", Report, false, reports, true},
		{"Tenant/ReadWrite/a/t", Intune, false, intuneTenant, true},
		{"Application/ReadWrite", Subscriptions, false, all, true},
		{"", Activity, false, activity, true},
		{"Application/Read/a/t", Other, false, all, true},
		{"Tenant_Application/Read/a/t", Other, false, 0, false},
	} {
		if got, ok := scopeOf(tc.header).budget(tc.kind, tc.write); ok != tc.ok || ok && got != tc.want {
			t.Errorf("%q of %s: %v %v", tc.header, tc.kind, got, ok)
		}
	}
}

func TestMailboxesAreNamedByTheirId(t *testing.T) {
	const id = "1b2c3d4e-0000-4000-8000-1234567890ab"
	if k := keyOfMailbox(id); k.String() != id {
		t.Errorf("%q", k.String())
	}
	if k := keyOfMailbox("amy@acme.example"); k.String() != "" || k == (boxKey{}) || k != keyOfMailbox("amy@acme.example") {
		t.Errorf("%q", k.String())
	}
	if k := keyOfMailbox("00000000-0000-0000-0000-000000000000"); k == (boxKey{}) {
		t.Error("a mailbox counts as none")
	}
	l := limiterOf(Limits{})
	drain(t, l, ask{kind: Mailbox, box: keyOfMailbox(id)})
	if u := useOf(t, l, "mailbox"); u.Mailbox != id || u.Used == 0 {
		t.Errorf("%+v", u)
	}
}

func TestThe429IsRemembered(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.Header().Set("x-ms-throttle-scope", "Tenant_Application/ReadWrite/a/t")
		w.Header().Set("x-ms-throttle-information", "ResourceUnitLimitExceeded")
		refuse(w, 429, "TooManyRequests")
	})
	as[*Throttled](t, c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil))
	u := useOf(t, c.limits, "directory")
	if u.Last == nil || u.Last.Call != "users.get" || u.Last.After != time.Hour || u.Last.Code != "TooManyRequests" || u.Last.Why != "ResourceUnitLimitExceeded" || u.Throttled != 1 {
		t.Errorf("%+v %+v", u, u.Last)
	}
}

// FuzzWhatGraphSaysOfALimit: whatever the headers say, nothing is spent that was not, nothing breaks, and the next call goes in the end.
func FuzzWhatGraphSaysOfALimit(f *testing.F) {
	f.Add("0.85", "3", "Tenant_Application/ReadWrite/a/t", "why")
	f.Add("1e309", "-7", "Application", "")
	f.Add("NaN", "999999999999", "///", "\x00")
	f.Fuzz(func(t *testing.T, part, unit, scope, why string) {
		l := limiterOf(Limits{DirectoryUnits: 100})
		c := &Client{limits: l}
		tk, _, ok := try(l, ask{kind: Directory, units: 1})
		if !ok {
			t.Fatal("the first does not go")
		}
		rep := &reply{status: 429, header: http.Header{}}
		for k, v := range map[string]string{"x-ms-throttle-limit-percentage": part, "x-ms-resource-unit": unit, "x-ms-throttle-scope": scope, "x-ms-throttle-information": why} {
			rep.header.Set(k, v)
		}
		c.settle(tk, rep)
		l.throttled(tk.ask, time.Minute, told429(rep))
		if u := useOf(t, l, "directory"); u.Used < 1 || u.Used > 2000 {
			t.Errorf("%d are used", u.Used)
		}
		for b, s := range l.scopes {
			if s.pending != 0 {
				t.Errorf("%s: %d are pending", budgets[b].name, s.pending)
			}
		}
	})
}
