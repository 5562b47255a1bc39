package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (p *probe) batch(want int, parts ...map[string]any) map[string]map[string]any {
	p.t.Helper()
	body := p.call("POST", "$batch", map[string]any{"requests": parts}, want)
	out := map[string]map[string]any{}
	list, _ := body["responses"].([]any)
	for _, r := range list {
		m := r.(map[string]any)
		out[m["id"].(string)] = m
	}
	return out
}

func get(id, url string, more ...string) map[string]any {
	m := map[string]any{"id": id, "method": "GET", "url": url}
	if len(more) > 0 {
		m["dependsOn"] = more
	}
	return m
}

func TestBatch(t *testing.T) {
	p := newProbe(t, Config{Users: 60, Roles: everyRole})
	rules := "/users/" + p.s.world.person(3).id + "/mailFolders/inbox/messageRules"
	made := map[string]any{"id": "post", "method": "POST", "url": rules, "headers": map[string]string{"Content-Type": "application/json"},
		"body": map[string]any{"displayName": "x", "actions": map[string]any{"delete": true}}}
	got := p.batch(200, get("a", rules), get("b", "/users/nobody@nowhere.example"), get("c", "/$batch"), get("d", "/v1.0/users"), get("e", "/users?$top=1"), made)
	for id, want := range map[string]float64{"a": 200, "b": 404, "c": 400, "d": 400, "e": 200, "post": 201} {
		if got[id]["status"] != want {
			t.Errorf("part %s: %v, want %v", id, got[id], want)
		}
	}
	next := got["e"]["body"].(map[string]any)["@odata.nextLink"].(string)
	if !strings.HasPrefix(next, Address+"/v1.0/users?") {
		t.Errorf("the link within the batch is %s", next)
	}
	p.get(next)
	delete(made, "headers")
	if got := p.batch(200, made); got["post"]["status"] != 400.0 {
		t.Errorf("a body without its type: %v", got)
	}
}

func TestBatchRefuses(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	var many []map[string]any
	for n := range 21 {
		many = append(many, get(fmt.Sprint(n), "/users"))
	}
	p.batch(400, many...)
	p.batch(400)
	p.batch(400, get("A", "/users"), get("a", "/users"))
	p.batch(400, get("a", "/users"), get("b", "/users", "nobody"))
	p.batch(400, get("a", "/users"), get("b", "/users", "a"), get("c", "/users"), get("d", "/users", "c"))
	p.call("GET", "$batch", nil, 405)
	got := p.batch(200, get("1", "/users/nobody@nowhere.example"), get("2", "/users", "1"), get("3", "/users", "2"))
	if got["2"]["status"] != 424.0 || got["3"]["status"] != 424.0 {
		t.Errorf("dependants of a failure: %v", got)
	}
	got = p.batch(200, get("1", "/users"), get("2", "/users", "1"), get("3", "/users", "1"))
	if len(got) != 3 || got["3"]["status"] != 200.0 {
		t.Errorf("all on one: %v", got)
	}
}

func TestMailboxLimits(t *testing.T) {
	p := newProbe(t, Config{Users: 60, Limits: Limits{Mailbox: 10}})
	one, other := p.s.world.person(3).id, p.s.world.person(4).id
	for range 10 {
		p.get("users/" + one + "/mailboxSettings")
	}
	resp := p.raw("GET", "users/"+one+"/mailboxSettings", nil)
	body := decode(t, resp)
	if after := resp.Header.Get("Retry-After"); resp.StatusCode != 429 || code(body) != "ApplicationThrottled" || !strings.Contains(after, ".") {
		t.Errorf("%d %v after %q", resp.StatusCode, body, after)
	}
	got := p.batch(200, get("1", "/users/"+one+"/mailboxSettings"), get("2", "/users/"+other+"/mailboxSettings"))
	if got["1"]["status"] != 429.0 || got["1"]["headers"].(map[string]any)["Retry-After"] == nil || got["2"]["status"] != 200.0 {
		t.Errorf("a throttled part: %v", got)
	}
	if p.s.Throttled() != 2 {
		t.Errorf("%d were counted", p.s.Throttled())
	}
	p.s.Advance(11 * time.Minute)
	p.get("users/" + one + "/mailboxSettings")
}

// TestConcurrency: with answers that take a while, a fifth call to one mailbox is refused, and a batch of one mailbox is not.
func TestConcurrency(t *testing.T) {
	p := newProbe(t, Config{Users: 60, Latency: 300 * time.Millisecond})
	path := "users/" + p.s.world.person(3).id + "/mailboxSettings"
	status := make(chan int)
	p.s.mu.Lock() // who was let in is not answered yet
	for range 6 {
		go func() {
			r, _ := http.NewRequest("GET", Address+"/v1.0/"+path, nil)
			r.Header.Set("Authorization", "Bearer "+p.token)
			resp, err := p.s.Client().Do(r)
			if err != nil {
				status <- 0
				return
			}
			resp.Body.Close()
			status <- resp.StatusCode
		}()
	}
	seen := map[int]int{}
	for range 2 {
		seen[<-status]++
	}
	p.s.mu.Unlock()
	for range 4 {
		seen[<-status]++
	}
	if seen[200] != 4 || seen[429] != 2 {
		t.Errorf("six at once: %v", seen)
	}
	var parts []map[string]any
	for n := range 20 {
		parts = append(parts, get(fmt.Sprint(n), "/"+path))
	}
	began := time.Now()
	for id, part := range p.batch(200, parts...) {
		if part["status"] != 200.0 {
			t.Errorf("part %s: %v", id, part["status"])
		}
	}
	if took := time.Since(began); took < 5*300*time.Millisecond {
		t.Errorf("twenty parts of one mailbox took %s, four at a time take five rounds", took)
	}
}

func TestDirectoryLimits(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Limits: Limits{Directory: 10}})
	last := 0
	for range 6 {
		resp := p.raw("GET", "users", nil)
		decode(t, resp)
		if last = resp.StatusCode; last == 429 {
			if resp.Header.Get("x-ms-throttle-scope") == "" || strings.Contains(resp.Header.Get("Retry-After"), ".") {
				t.Errorf("headers: %v", resp.Header)
			}
		} else if resp.Header.Get("x-ms-resource-unit") != "2" {
			t.Errorf("cost: %v", resp.Header)
		}
	}
	if last != 429 {
		t.Errorf("six lists of two units each went through ten: %d", last)
	}
}

func benchmarkRules(b *testing.B, changed bool) {
	s, err := New(Config{Users: 100000, Limits: Limits{Mailbox: -1, Concurrent: -1, Global: -1}})
	if err != nil {
		b.Fatal(err)
	}
	s.app.mu.Lock()
	token, bad := s.issue(time.Now(), audience)
	s.app.mu.Unlock()
	if bad != nil {
		b.Fatal(bad)
	}
	var bodies [][]byte
	for n := range 50 {
		var parts []map[string]any
		for k := range 20 {
			who := s.world.person((n*997 + k*31) % 100000)
			if changed && who.hasBox() {
				s.world.open(who)
			}
			parts = append(parts, get(fmt.Sprint(k), "/users/"+who.id+"/mailFolders/inbox/messageRules"))
		}
		raw, err := json.Marshal(map[string]any{"requests": parts})
		if err != nil {
			b.Fatal(err)
		}
		bodies = append(bodies, raw)
	}
	h := s.Handler()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r, _ := http.NewRequest("POST", Address+"/v1.0/$batch", strings.NewReader(string(bodies[n%len(bodies)])))
		r.Host = "sim.invalid"
		r.Header.Set("Authorization", "Bearer "+token)
		w := &recorded{header: http.Header{}, status: 200}
		h.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatal(w.body.String())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20/1000, "µs/part")
}

func BenchmarkRulesBatch(b *testing.B)        { benchmarkRules(b, false) }
func BenchmarkRulesBatchChanged(b *testing.B) { benchmarkRules(b, true) }

func BenchmarkUsersDelta(b *testing.B) {
	s, err := New(Config{Users: 100000})
	if err != nil {
		b.Fatal(err)
	}
	l := s.userList()
	q := &asked{sel: strings.Split("id,displayName,userPrincipalName,mail,proxyAddresses,otherMails,userType,accountEnabled,onPremisesSyncEnabled,assignedPlans,assignedLicenses,department,jobTitle,createdDateTime", ",")}
	var buf []byte
	for n := 0; b.Loop(); n++ {
		it, _ := l.at(n % 100000)
		buf = q.write(buf[:0], it, nil)
	}
}
