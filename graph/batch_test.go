package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// batches answers $batch part by part; what part gives is the part's answer without its id, "" leaves it out.
func batches(t testing.TB, part func(r *http.Request, url string) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/v1.0/$batch") {
			t.Errorf("not a batch: %s", r.URL)
			return
		}
		var in struct {
			Requests []struct{ ID, Method, URL string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		if n := len(in.Requests); n == 0 || n > 20 {
			t.Errorf("a batch of %d", n)
		}
		var out []string
		for _, q := range in.Requests {
			if a := part(r, q.URL); a != "" {
				out = append(out, fmt.Sprintf(`{"id":%q,%s}`, q.ID, a))
			}
		}
		rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		reply200(w, `{"responses":[`+strings.Join(out, ",")+`]}`)
	}
}

func rulesOf(n int) []Part {
	var parts []Part
	for i := range n {
		parts = append(parts, Part{"messageRules.list", P{"user": fmt.Sprintf("u%d", i), "folder": "inbox"}})
	}
	return parts
}

// who is the user in a part's address.
func who(url string) string {
	_, rest, _ := strings.Cut(url, "/users/")
	user, _, _ := strings.Cut(rest, "/")
	return user
}

func TestBatchOfAnyNumberInOrder(t *testing.T) {
	c, f := serve(t, batches(t, func(r *http.Request, url string) string {
		return fmt.Sprintf(`"status":200,"headers":{},"body":{"value":[{"id":%q}]}`, who(url))
	}))
	res, err := c.Batch(ctxFor(t), rulesOf(95))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		rules, err := List[MessageRule](r)
		if err != nil || len(rules) != 1 || rules[0].ID != fmt.Sprintf("u%d", i) {
			t.Fatalf("part %d: %+v, %v", i, rules, err)
		}
	}
	if n := len(f.requests()); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.Contains(f.body[0], `"/users/u`) || !strings.Contains(f.body[0], `IdType=\"ImmutableId\"`) {
		t.Errorf("the parts are %s", f.body[0])
	}
}

func TestBatchErrorsByPart(t *testing.T) {
	answers := map[string]string{
		"u0": `"status":200,"body":{"value":[]}`,
		"u1": `"status":403,"body":{"error":{"code":"ErrorAccessDenied","message":"x"}}`,
		"u2": `"status":404,"headers":{"request-id":"rid"},"body":{"error":{"code":"MailboxNotEnabledForRESTAPI"}}`,
		"u3": `"status":410,"body":{"error":{"code":"resyncRequired"}}`,
		"u4": `"status":400,"body":{"error":{"code":""}}`,
		"u5": `"status":500,"body":null`,
		"u6": ``,
		"u7": `"status":"200","body":{"value":[]}`,
		"u8": `"status":404,"body":"bm90IEpTT04="`,
		"u9": `"status":{},"body":{}`,
	}
	c, _ := serve(t, batches(t, func(_ *http.Request, url string) string { return answers[who(url)] }), func(c *Config) { c.Tries = 2 })
	res, err := c.Batch(ctxFor(t), append(rulesOf(10), Part{"users.nothing", nil}, Part{"batch", nil}, Part{"users.get", nil}))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 7} {
		if res[i].Err != nil || res[i].Status != 200 {
			t.Errorf("part %d: %+v", i, res[i])
		}
	}
	if !as[*Denied](t, res[1].Err).OutOfScope {
		t.Error("part 1 is out of scope")
	}
	if e := as[*NoMailbox](t, res[2].Err); e.RequestID != "rid" || e.ClientRequestID == "" {
		t.Errorf("part 2: %+v", e)
	}
	as[*Gone](t, res[3].Err)
	as[*Failed](t, res[4].Err)
	as[*Unavailable](t, res[5].Err)
	as[*Unavailable](t, res[6].Err)
	as[*NotFound](t, res[8].Err)
	as[*Unavailable](t, res[9].Err)
	for i := 10; i < 13; i++ {
		if res[i].Err == nil {
			t.Errorf("part %d was accepted", i)
		}
	}
}

func TestBatchRetriesOnlyTheThrottledParts(t *testing.T) {
	var mu sync.Mutex
	asked := map[string][]time.Time{}
	c, f := serve(t, batches(t, func(_ *http.Request, url string) string {
		mu.Lock()
		defer mu.Unlock()
		u := who(url)
		asked[u] = append(asked[u], time.Now())
		if len(asked[u]) == 1 {
			switch u {
			case "u3":
				return `"status":429,"headers":{"retry-after":"0.3"},"body":{"error":{"code":"ApplicationThrottled"}}`
			case "u4":
				return `"status":429,"headers":{"RETRY-AFTER":1},"body":{}`
			case "u5":
				return `"status":503,"body":{}`
			case "u6":
				return `"status":424,"body":{}`
			case "u7":
				return ""
			}
		}
		return `"status":200,"body":{"value":[]}`
	}))
	res, err := c.Batch(ctxFor(t), rulesOf(20))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		if r.Err != nil {
			t.Errorf("part %d: %v", i, r.Err)
		}
	}
	total := 0
	for u, times := range asked {
		total += len(times)
		if i := slices.Index([]string{"u3", "u4", "u5", "u6", "u7"}, u); i >= 0 {
			if len(times) != 2 || times[1].Sub(times[0]) < time.Second {
				t.Errorf("%s: asked %d times, want twice, the longest wait apart", u, len(times))
			}
		}
	}
	if total != 25 || len(f.requests()) > 3 {
		t.Errorf("%d parts in %d requests", total, len(f.requests()))
	}
}

func TestBatchReadsListsWhole(t *testing.T) {
	c, _ := serve(t, hosted(t, func(host, url string) string {
		switch {
		case strings.Contains(url, "skip=2"):
			return `"status":200,"body":{"value":[{"id":"r4"}]}`
		case strings.Contains(url, "skip=1"):
			return `"status":200,"body":{"value":[{"id":"r3"},null],"@odata.nextLink":"https://` + host + `/v1.0/users/u0/mailFolders/inbox/messageRules?skip=2&a=%2F"}`
		case who(url) == "u0":
			return `"status":200,"body":{"value":[{"id":"r1"},{"id":"r2"}],"\u0040odata.nextLink":"https://` + host + `/v1.0/users/u0/mailFolders/inbox/messageRules?skip=1"}`
		case who(url) == "u1":
			return `"status":200,"body":{"value":[],"@odata.nextLink":"https://evil.example/v1.0/users/u1/x"}`
		case who(url) == "u2":
			return `"status":200,"body":{"value":[],"@odata.nextLink":"https://` + host + `/v1.0/users/u2/mailFolders/inbox/messageRules?same"}`
		}
		return `"status":200,"body":{"value":[]}`
	}))
	res, err := c.Batch(ctxFor(t), rulesOf(4))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := List[MessageRule](res[0])
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rules {
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, []string{"r1", "r2", "r3", "r4"}) {
		t.Errorf("got %q", ids)
	}
	as[*ForeignLink](t, res[1].Err)
	if !as[*ForeignLink](t, res[2].Err).Loop {
		t.Error("part 2 leads in a circle")
	}
	if _, err := List[MessageRule](res[1]); err == nil {
		t.Error("a list that is not whole was given")
	}
}

func hosted(t *testing.T, part func(host, url string) string) http.HandlerFunc {
	return batches(t, func(r *http.Request, url string) string { return part(r.Host, url) })
}

func TestBatchStopsAtATopThatWasAskedFor(t *testing.T) {
	c, f := serve(t, hosted(t, func(host, url string) string {
		return `"status":200,"body":{"value":[{"id":"m1"}],"@odata.nextLink":"https://` + host + `/v1.0/users/u/messages?$skip=1"}`
	}))
	res, err := c.Batch(ctxFor(t), []Part{{"messages.list", P{"user": "u", "$top": "1"}}})
	if err != nil || res[0].Err != nil || len(f.requests()) != 1 {
		t.Errorf("%v, %v, %d requests", err, res[0].Err, len(f.requests()))
	}
}

func TestBatchKeepsMailboxLimits(t *testing.T) {
	var mu sync.Mutex
	flying, most := map[string]int{}, 0
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := strings.Count(string(body), "/users/one/")
		mu.Lock()
		flying["one"] += n
		most = max(most, flying["one"])
		mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		batches(t, func(*http.Request, string) string { return `"status":200,"body":{}` })(w, r)
		mu.Lock()
		flying["one"] -= n
		mu.Unlock()
	})
	var parts []Part
	for i := range 60 {
		parts = append(parts, Part{"mailFolders.get", P{"user": "one", "folder": fmt.Sprint(i)}}, Part{"mailFolders.get", P{"user": fmt.Sprint("u", i), "folder": "inbox"}})
	}
	res, err := c.Batch(ctxFor(t), parts)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		if r.Err != nil {
			t.Errorf("%d: %v", i, r.Err)
		}
	}
	if most > 3 || most == 0 {
		t.Errorf("%d calls to one mailbox at a time, want at most 3 in the background", most)
	}
}

func TestBatchesRunSideBySideAndBounded(t *testing.T) {
	var now, most atomic.Int32
	all, once := make(chan struct{}), sync.Once{}
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		if n == 5 {
			once.Do(func() { close(all) })
		}
		select {
		case <-all:
			time.Sleep(20 * time.Millisecond) // a sixth would show
		case <-r.Context().Done():
		}
		now.Add(-1)
		batches(t, func(*http.Request, string) string { return `"status":200,"body":{"value":[]}` })(w, r)
	}, func(c *Config) { c.Batches = 5 })
	if _, err := c.Batch(ctxFor(t), rulesOf(500)); err != nil {
		t.Fatal(err)
	}
	if most.Load() != 5 {
		t.Errorf("%d at a time, want 5", most.Load())
	}
}

func TestBatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(ctxFor(t))
	var n atomic.Int32
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 3 {
			cancel()
		}
		if n.Load() >= 3 {
			hang(r)
		}
		batches(t, func(*http.Request, string) string { return `"status":200,"body":{"value":[]}` })(w, r)
	}, func(c *Config) { c.Batches = 1 })
	res, err := c.Batch(ctx, rulesOf(200))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	var good, ended int
	for _, r := range res {
		switch {
		case r.Err == nil && r.Status == 200:
			good++
		case errors.Is(r.Err, context.Canceled):
			ended++
		}
	}
	if good != 40 || ended != 160 {
		t.Errorf("%d good, %d ended", good, ended)
	}
}

func TestBatchFreshTokenAfter401OfParts(t *testing.T) {
	var fetched atomic.Int32
	c, _ := serve(t, batches(t, func(r *http.Request, url string) string {
		if r.Header.Get("Authorization") == "Bearer token-1-of-test" {
			return `"status":401,"body":{"error":{"code":"InvalidAuthenticationToken"}}`
		}
		return `"status":200,"body":{"value":[]}`
	}), func(c *Config) {
		c.Tokens = func(context.Context, bool) (string, time.Time, error) {
			return fmt.Sprintf("token-%d-of-test", fetched.Add(1)), time.Now().Add(time.Hour), nil
		}
	})
	res, err := c.Batch(ctxFor(t), rulesOf(5))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		if r.Err != nil {
			t.Errorf("%d: %v", i, r.Err)
		}
	}
	if fetched.Load() != 2 {
		t.Errorf("%d tokens", fetched.Load())
	}
}

// A batch that Graph cannot parse does not say which part is to blame: each goes alone.
func TestBatchRefusedAsAWholeGoesPartByPart(t *testing.T) {
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "$batch"):
			refuse(w, 400, "BadRequest")
		case who(r.URL.Path) == "u2":
			refuse(w, 400, "BadRequest")
		default:
			reply200(w, `{"value":[{"id":"r"}]}`)
		}
	})
	res, err := c.Batch(ctxFor(t), rulesOf(4))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		if (r.Err != nil) != (i == 2) {
			t.Errorf("%d: %v", i, r.Err)
		}
	}
	if n := len(f.requests()); n != 5 {
		t.Errorf("%d requests", n)
	}
}

// What goes alone is tried again by itself too, and comes out like a part.
func TestPartsThatGoAlone(t *testing.T) {
	var mu sync.Mutex
	n := map[string]int{}
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		u := who(r.URL.Path)
		n[u]++
		first := n[u] == 1
		mu.Unlock()
		switch {
		case strings.HasSuffix(r.URL.Path, "$batch"):
			refuse(w, 400, "BadRequest")
		case u == "u0" && first:
			panic(http.ErrAbortHandler)
		case u == "u1" && first:
			refuse(w, 503, "x")
		case u == "u2":
			reply200(w, `<html>`)
		case u == "u3":
			refuse(w, 404, "ErrorInvalidUser")
		default:
			reply200(w, `{"value":[]}`)
		}
	})
	res, err := c.Batch(ctxFor(t), rulesOf(4))
	if err != nil || res[0].Err != nil || res[1].Err != nil {
		t.Errorf("%v, %v, %v", err, res[0].Err, res[1].Err)
	}
	as[*Unavailable](t, res[2].Err)
	as[*NoMailbox](t, res[3].Err)
}

func TestBatchThatIsDown(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"503":      func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) },
		"cut":      func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"truncate": func(w http.ResponseWriter, r *http.Request) { reply200(w, `{"responses":[{"id":"1","status":200`) },
		"no list":  func(w http.ResponseWriter, r *http.Request) { reply200(w, `{"responses":"x"}`) },
		"nothing":  func(w http.ResponseWriter, r *http.Request) { reply200(w, `{}`) },
	} {
		c, _ := serve(t, h, func(c *Config) { c.Tries = 2 })
		res, err := c.Batch(ctxFor(t), rulesOf(3))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, r := range res {
			as[*Unavailable](t, r.Err)
		}
	}
}

func TestBatchStopsWhenTheAppIsRefused(t *testing.T) {
	var n atomic.Int32
	c, _ := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("Graph was called") }, func(c *Config) {
		c.Tokens = func(context.Context, bool) (string, time.Time, error) {
			n.Add(1)
			return "", time.Time{}, refused(7000222, "")
		}
	})
	res, err := c.Batch(ctxFor(t), rulesOf(1000))
	as[*Revoked](t, err)
	for _, r := range res {
		as[*Revoked](t, r.Err)
	}
	if n.Load() != 1 {
		t.Errorf("the sign-in was asked %d times", n.Load())
	}
}

func TestBatchWaitsForLimitsWithinItsTime(t *testing.T) {
	h := batches(t, func(*http.Request, string) string { return `"status":200,"body":{}` })
	small := func(c *Config) { c.Limits = Limits{DirectoryUnits: 40, DirectoryWindow: 200 * time.Millisecond} }
	c, _ := serve(t, h, small)
	var parts []Part
	for i := range 120 {
		parts = append(parts, Part{"users.get", P{"user": fmt.Sprint(i)}})
	}
	began := time.Now()
	res, err := c.Batch(ctxFor(t), parts)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		if r.Err != nil {
			t.Errorf("%d: %v", i, r.Err)
		}
	}
	if d := time.Since(began); d < 500*time.Millisecond {
		t.Errorf("120 units under 38 in 200 ms took %s", d)
	}
	slow, _ := serve(t, h, func(c *Config) { c.Limits = Limits{DirectoryUnits: 1, DirectoryWindow: time.Hour} })
	res, err = slow.Batch(ctxFor(t), parts[:30])
	if err != nil || res[0].Err != nil {
		t.Fatalf("%v, %+v", err, res[0])
	}
	if e := as[*Throttled](t, res[1].Err); !e.Ours || e.Limit != "directory" {
		t.Errorf("%+v", e)
	}
}

func FuzzBatchResponse(f *testing.F) {
	f.Add([]byte(`{"responses":[{"id":"1","status":200,"headers":{"Retry-After":"1.5","x":3},"body":{"value":[]}},null,{"id":2,"status":"429"}]}`))
	f.Add([]byte(`{"responses":[{"id":"1","status":200,"body":null},{"id":"1","status":500}]}`))
	f.Add([]byte(`{"responses":{}}`))
	c, _ := New(Config{Tenant: "t", Client: "c", Secret: "s"})
	f.Fuzz(func(t *testing.T, b []byte) {
		reps, err := parseBatch(b) // does not panic on anything
		if err != nil || !json.Valid(b) {
			return
		}
		for _, r := range reps {
			if r.status < 100 || r.status > 599 {
				t.Fatalf("status %d", r.status)
			}
			if r.status/100 != 2 {
				if e := c.judge(Find("messageRules.list"), r); e == nil || e.Error() == "" {
					t.Fatalf("no error for %d", r.status)
				}
			}
			if len(r.body) > 0 && !json.Valid(r.body) {
				t.Fatalf("a body that is not JSON: %s", r.body)
			}
		}
	})
}

func BenchmarkBatchDecode(b *testing.B) {
	var parts []string
	for i := range 20 {
		parts = append(parts, fmt.Sprintf(`{"id":"%d","status":200,"headers":{"Content-Type":"application/json"},"body":{"@odata.context":"x","value":[%s,%s]}}`, i+1, aRule, aRule))
	}
	body := []byte(`{"responses":[` + strings.Join(parts, ",") + `]}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		reps, err := parseBatch(body)
		if err != nil || len(reps) != 20 {
			b.Fatal(err, len(reps))
		}
		for _, r := range reps {
			if rules, err := List[MessageRule](Result{Body: r.body}); err != nil || len(rules) != 2 {
				b.Fatal(err)
			}
		}
	}
}

// A whole batch of twenty mailboxes over loopback TLS, the fake server's work included.
func BenchmarkBatch(b *testing.B) {
	c, _ := serve(b, batches(b, func(*http.Request, string) string {
		return `"status":200,"headers":{},"body":{"value":[` + aRule + `]}`
	}),
		func(c *Config) { c.Limits = Limits{Requests: 1 << 30, MailboxRequests: 1 << 30} })
	parts := rulesOf(2000)
	b.ReportAllocs()
	for b.Loop() {
		res, err := c.Batch(b.Context(), parts)
		if err != nil || res[1999].Err != nil {
			b.Fatal(err, res[1999].Err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/2000, "µs/part")
}
