package sim

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// limited is what GET /limits says of one limit.
func (p *probe) limited(name string) (Limit, Limited) {
	p.t.Helper()
	w := httptest.NewRecorder()
	p.s.Control().ServeHTTP(w, httptest.NewRequest("GET", "/limits", nil))
	var all Limited
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil {
		p.t.Fatal(err)
	}
	for _, l := range all.Limits {
		if l.Limit == name {
			return l, all
		}
	}
	p.t.Fatalf("there is no limit %q: %s", name, w.Body)
	return Limit{}, all
}

// No stretch of a limit's length holds more of what was let through, wherever it begins; and what can be let through is.
func TestNoStretchHoldsMore(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		limit, length := 1+rnd.IntN(40), time.Duration(1+rnd.IntN(60))*time.Second
		var w window
		var let []time.Time
		now := time.Unix(1_800_000_000, 0)
		for range 2000 {
			now = now.Add(time.Duration(rnd.Int64N(int64(length) / int64(limit) * 2)))
			wait, ok := w.take(now, length, 1, limit)
			if ok {
				let = append(let, now)
				continue
			}
			if wait <= 0 || wait > length {
				t.Fatalf("refused for %s of %s", wait, length)
			}
			if now = now.Add(wait); rnd.IntN(2) == 0 { // who waits as told is let through
				if _, ok := w.take(now, length, 1, limit); !ok {
					t.Fatalf("seed %d: refused after the %s that were asked for", seed, wait)
				}
				let = append(let, now)
			}
		}
		first := 0
		for i := range let {
			for let[i].Sub(let[first]) >= length {
				first++
			}
			// What lies within a 256th of the length counts as one moment.
			if n := i - first + 1; n > limit+limit/10+1 {
				t.Fatalf("seed %d: %d in %s, the limit is %d", seed, n, length, limit)
			}
		}
	}
}

func TestLimitsAreCountedAndTold(t *testing.T) {
	p := newProbe(t, Config{Users: 60, Limits: Limits{Directory: 20}})
	for range 8 {
		if resp := p.raw("GET", "users", nil); resp.StatusCode != 200 || resp.Header.Get("x-ms-throttle-limit-percentage") != "" && resp.Header.Get("x-ms-resource-unit") == "" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	}
	resp := p.raw("GET", "users", nil)
	if got := resp.Header.Get("x-ms-throttle-limit-percentage"); got != "0.90" {
		t.Errorf("18 of 20 units: %q", got)
	}
	if err := p.s.Spend("directory", 4); err != nil {
		t.Fatal(err)
	}
	resp = p.raw("GET", "users", nil)
	if resp.StatusCode != 429 || resp.Header.Get("x-ms-throttle-scope") != "Tenant_Application/ReadWrite/"+p.s.ClientID()+"/"+p.s.Tenant() ||
		resp.Header.Get("x-ms-throttle-information") != "ResourceUnitLimitExceeded" || resp.Header.Get("x-ms-throttle-limit-percentage") != "1.20" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	one, all := p.limited("directory")
	if one.Of != 20 || one.Used != 24 || one.Most != 18 || one.Spent != 18 || one.Refused != 1 || all.Refused != 1 || all.Faults != 0 {
		t.Errorf("%+v of %+v", one, all)
	}
	if err := p.s.Fault(Fault{Path: "/users*", Kind: Throttle, Times: 1}); err != nil {
		t.Fatal(err)
	}
	p.raw("GET", "users", nil)
	if _, all := p.limited("all"); all.Refused != 1 || all.Faults != 1 {
		t.Errorf("a fault is not a limit: %+v", all)
	}
	p.s.Advance(time.Minute)
	if one, _ := p.limited("directory"); one.Used != 0 || one.Refused != 1 {
		t.Errorf("a minute later: %+v", one)
	}
}

func TestMailboxesAreCounted(t *testing.T) {
	p := newProbe(t, Config{Users: 60, Limits: Limits{Upload: 100}, Roles: []string{"MailboxSettings.ReadWrite"}})
	who := p.s.world.person(3).id
	p.get("users/" + who + "/mailboxSettings")
	change := map[string]any{"timeZone": strings.Repeat("U", 70)}
	body, err := json.Marshal(change)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		resp := p.raw("PATCH", "users/"+who+"/mailboxSettings", change)
		if (resp.StatusCode != http.StatusTooManyRequests) != want {
			t.Errorf("%d for %d bytes", resp.StatusCode, len(body))
		}
	}
	for name, want := range map[string]Limit{"mailbox": {Used: 3, Most: 3}, "mailbox-at-once": {Used: 0, Most: 1}, "mailbox-upload": {Used: 2 * len(body), Most: len(body), Refused: 1}} {
		if got, _ := p.limited(name); got.Used != want.Used || got.Most != want.Most || got.Refused != want.Refused || got.Mailbox != who {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Every class is counted under its own limit, changes under theirs as well; Identity Protection does not say how long to wait.
func TestClasses(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	for path, want := range map[string]class{"users": ofDirectory, "auditLogs/signIns": ofReports, "reports/authenticationMethods/userRegistrationDetails": ofReports,
		"identityProtection/riskyUsers": ofProtection, "identity/conditionalAccess/policies": ofProtection, "deviceManagement/managedDevices": ofIntune,
		"subscriptions/{subscription-id}": ofSubscription, "admin/exchange/tracing/messageTraces": ofTrace, "security/auditLog/queries": ofNothing,
		"roleManagement/directory/roleAssignments": ofDirectory} {
		if got := (&route{path: path}).class(); got != want {
			t.Errorf("%s is of %s, want %s", path, got, want)
		}
	}
	for of, times := range map[string]int{"reports": 5, "protection": 1, "trace": 100, "activity": 2000, "intune": 2000} {
		began := time.Now()
		for n := range times + 1 {
			if ok := p.s.Count(of, 1, false); ok != (n < times) && time.Since(began) < time.Second { // a window is a second at least
				t.Errorf("%s: number %d of %d: %v", of, n+1, times, ok)
			}
		}
	}
	for n := range 201 {
		if ok := p.s.Count("intune", 1, true); ok {
			t.Fatalf("a change goes through a full limit: %d", n)
		}
	}
	if l, _ := p.limited("directory-writes"); l.Used != 0 {
		t.Errorf("%+v", l)
	}
	for _, at := range p.s.limits.tenant {
		if bad := p.s.tooMany(&request{route: &route{}}, at, 1500*time.Millisecond); at.name == "protection" {
			for _, kv := range bad.header {
				if kv[0] == "Retry-After" {
					t.Error("Identity Protection says how long to wait")
				}
			}
		}
	}
	w := httptest.NewRecorder()
	p.s.Control().ServeHTTP(w, httptest.NewRequest("POST", "/limits", strings.NewReader(`{"limit":"none","spend":1}`)))
	if w.Code != 400 {
		t.Errorf("a limit that is not there: %d", w.Code)
	}
}

// The Management Activity API refuses with 403 and a code of its own; it is a limit like the others all the same.
func TestTheFeedsLimit(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Feed: Feed{PerMinute: 3}})
	call := &request{path: "feed/subscriptions/list", route: &route{service: "api", seen: &tally{}}}
	for n := range 4 {
		_, bad := p.s.charge(call, nil)
		if (bad != nil) != (n == 3) || bad != nil && (bad.status != http.StatusForbidden || !strings.Contains(string(bad.body), "AF429")) {
			t.Errorf("call %d: %+v", n, bad)
		}
	}
	if l, all := p.limited("activity"); l.Of != 3 || l.Refused != 1 || l.Spent != 3 || all.Refused != 1 || all.Faults != 0 {
		t.Errorf("%+v of %+v", l, all)
	}
}
