package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
)

const contoso = tocsin.TenantID("99999999-2222-4333-8444-555555555555")

// hooked is a webhook before a journal of its own.
func hooked(t testing.TB) (*Hook, *journal.Journal) {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: t.TempDir(), Patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return &Hook{Key: bytes.Repeat([]byte{7}, 32), Journal: j, Clock: &tocsin.Clock{}, Log: slog.New(slog.DiscardHandler)}, j
}

// notification is one of Graph's, as JSON.
func notification(t testing.TB, h *Hook, tenant tocsin.TenantID, person tocsin.PersonID, change, id string) map[string]any {
	t.Helper()
	state, err := ClientState(h.Key, tenant, person)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07", "subscriptionExpirationDateTime": "2027-03-20T11:00:00-08:00", "changeType": change,
		"tenantId": strings.ToUpper(string(tenant)), "clientState": state, "resource": "Users/x/Messages/" + id,
		"resourceData": map[string]any{"@odata.type": "#Microsoft.Graph.Message", "id": id, "@odata.etag": `W/"x"`}}
}

// lifecycle is an event as Graph sends it, which is not as it is documented.
func lifecycle(t testing.TB, h *Hook, tenant tocsin.TenantID, person tocsin.PersonID, event string) map[string]any {
	t.Helper()
	n := notification(t, h, tenant, person, "", "")
	return map[string]any{"subscriptionId": n["subscriptionId"], "encryptedContent": nil, "organizationId": tenant, "lifecycleEvent": event, "clientState": n["clientState"], "sequence": nil,
		"subscriptionExpirationDateTime": "2026-04-29T16:08:45.5745035+00:00", "resource": "Subscriptions/" + n["subscriptionId"].(string), "resourceChangeType": nil,
		"resourceData": map[string]any{"@odata.id": "subscriptions/x", "@odata.type": "#microsoft.graph.subscription", "id": n["subscriptionId"]}}
}

func posting(t testing.TB, h http.Handler, body any) int {
	t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/graph", bytes.NewReader(raw)))
	return w.Code
}

func list(all ...map[string]any) map[string]any { return map[string]any{"value": all} }

// stored are the items that the journal holds.
func stored(t testing.TB, j *journal.Journal) (n uint64) {
	t.Helper()
	for p := range j.Partitions() {
		last, err := j.Last(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if last.Seq == 0 {
			continue
		}
		lag, err := j.Lag(t.Context(), p, journal.Position{})
		if err != nil {
			t.Fatal(err)
		}
		n += lag
	}
	return n
}

// TestHook: what authenticates is stored and answered 202, in one item for each; everything else changes nothing and is counted.
func TestHook(t *testing.T) {
	amy := tocsin.NewPersonID(acme, "amy")
	for _, c := range []struct {
		name   string
		body   func(h *Hook) any
		status int
		stored uint64
		counts map[int]int64
	}{
		{name: "two mailboxes and a lifecycle event in one post", status: 202, stored: 3, counts: map[int]int64{HookStored: 3}, body: func(h *Hook) any {
			life := notification(t, h, acme, amy, "", "")
			delete(life, "changeType")
			delete(life, "resource")
			delete(life, "resourceData")
			life["lifecycleEvent"] = "missed"
			return list(notification(t, h, acme, amy, "created", "a"), notification(t, h, acme, tocsin.NewPersonID(acme, "bob"), "updated", "b"), life)
		}},
		{name: "forged among good ones", status: 202, stored: 1, counts: map[int]int64{HookStored: 1, HookForged: 2}, body: func(h *Hook) any {
			forged, none := notification(t, h, acme, amy, "created", "a"), notification(t, h, acme, amy, "created", "a")
			state := []byte(forged["clientState"].(string))
			state[50] ^= 1
			forged["clientState"] = string(state)
			delete(none, "clientState")
			return list(forged, notification(t, h, acme, amy, "created", "a"), none)
		}},
		{name: "another tenant's clientState", status: 202, counts: map[int]int64{HookForged: 1}, body: func(h *Hook) any {
			n := notification(t, h, acme, amy, "created", "a")
			n["tenantId"] = contoso
			return list(n)
		}},
		{name: "another installation's clientState", status: 202, counts: map[int]int64{HookForged: 1}, body: func(h *Hook) any {
			other := &Hook{Key: bytes.Repeat([]byte{8}, 32)}
			return list(notification(t, other, acme, amy, "created", "a"))
		}},
		{name: "lifecycle events as they come, with organizationId", status: 202, stored: 3, counts: map[int]int64{HookStored: 3}, body: func(h *Hook) any {
			var all []map[string]any
			for _, event := range []string{"missed", "subscriptionRemoved", "reauthorizationRequired"} {
				all = append(all, lifecycle(t, h, acme, amy, event))
			}
			return list(all...)
		}},
		{name: "two tenants in one notification", status: 202, counts: map[int]int64{HookForged: 2}, body: func(h *Hook) any {
			one, two := lifecycle(t, h, acme, amy, "missed"), notification(t, h, acme, amy, "created", "a")
			one["tenantId"], two["organizationId"] = contoso, contoso
			return list(one, two)
		}},
		{name: "a member of another type beside good ones", status: 202, stored: 3, counts: map[int]int64{HookStored: 3, HookUnread: 1, HookForged: 1}, body: func(h *Hook) any {
			odd, worse := notification(t, h, acme, amy, "created", "a"), notification(t, h, acme, amy, "created", "b")
			odd["resourceData"], odd["changeType"] = "Users/x/Messages/a", []int{1}
			worse["resource"], worse["resourceData"], worse["subscriptionId"] = 7, 7, 7
			return map[string]any{"value": []any{7, odd, worse, notification(t, h, contoso, amy, "created", "c")}}
		}},
		{name: "named by its resource only", status: 202, stored: 1, counts: map[int]int64{HookStored: 1}, body: func(h *Hook) any {
			n := notification(t, h, acme, amy, "created", "a")
			delete(n, "resourceData")
			return list(n)
		}},
		{name: "no message named", status: 202, stored: 1, counts: map[int]int64{HookUnread: 1, HookStored: 1}, body: func(h *Hook) any { return list(notification(t, h, acme, amy, "created", "")) }},
		{name: "more than Graph sends", status: 413, counts: map[int]int64{HookTooLong: 1}, body: func(*Hook) any { return []byte(`{"value":[{}` + strings.Repeat(",{}", 1<<20) + `]}`) }},
		{name: "an id of a kilobyte and more", status: 202, stored: 1, counts: map[int]int64{HookUnread: 1, HookStored: 1}, body: func(h *Hook) any {
			return list(notification(t, h, acme, amy, "created", strings.Repeat("x", 1025)))
		}},
		{name: "not JSON", status: 202, counts: map[int]int64{HookUnread: 1}, body: func(*Hook) any { return []byte(`{"value":[`) }},
		{name: "nothing in it", status: 202, counts: map[int]int64{HookUnread: 1}, body: func(*Hook) any { return []byte(`{"value":[]}`) }},
		{name: "too long", status: 413, counts: map[int]int64{HookTooLong: 1}, body: func(*Hook) any { return bytes.Repeat([]byte(" "), hookBody+1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, j := hooked(t)
			if got := posting(t, h, c.body(h)); got != c.status {
				t.Errorf("answered %d, want %d", got, c.status)
			}
			if got := stored(t, j); got != c.stored {
				t.Errorf("%d items are stored, want %d", got, c.stored)
			}
			for what, name := range HookNames {
				if got := h.Count(what); got != c.counts[what] {
					t.Errorf("counted %d %s, want %d", got, name, c.counts[what])
				}
			}
		})
	}
}

// TestHookCannotStore: a journal that does not take it is never answered as if it had.
func TestHookCannotStore(t *testing.T) {
	h, j := hooked(t)
	j.Close()
	if got := posting(t, h, list(notification(t, h, acme, tocsin.NewPersonID(acme, "amy"), "created", "a"))); got != http.StatusServiceUnavailable {
		t.Errorf("answered %d", got)
	}
	if h.Count(HookFailed) != 1 || h.Count(HookStored) != 0 {
		t.Error("it was counted as stored")
	}
}

// TestHookHoldsLittle: what strangers post at the same time is held to a bound, what is short is taken all the same, and
// all is given back.
func TestHookHoldsLittle(t *testing.T) {
	h, _ := hooked(t)
	var posts []*io.PipeWriter
	codes := make(chan int)
	const many = hookHeld/hookBody + 2
	for range many {
		r, w := io.Pipe()
		posts = append(posts, w)
		go func() {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/hooks/graph", r))
			r.Close()
			codes <- rec.Code
		}()
	}
	part := bytes.Repeat([]byte(" "), hookShort)
	for range hookBody/hookShort - 1 { // all come as slowly as one another
		for _, w := range posts {
			_, _ = w.Write(part) // one that was refused takes no more
		}
	}
	if held := h.held.Load(); held == 0 || held > hookHeld {
		t.Errorf("%d bytes are held", held)
	}
	if got := posting(t, h, list(notification(t, h, acme, tocsin.NewPersonID(acme, "amy"), "created", "a"))); got != http.StatusAccepted {
		t.Errorf("a short one was answered %d", got)
	}
	all := map[int]int{}
	for _, w := range posts {
		w.Close()
	}
	for range posts {
		all[<-codes]++
	}
	if all[http.StatusServiceUnavailable] == 0 || all[http.StatusServiceUnavailable]+all[http.StatusAccepted] != many || h.Count(HookBusy) != int64(all[http.StatusServiceUnavailable]) {
		t.Errorf("answered %v", all)
	}
	if held := h.held.Load(); held != 0 {
		t.Errorf("%d bytes stay held", held)
	}
}

// TestHookHoldsShortOnes: short posts that come and do not end are held to a bound as well, by what has come of them; whoever
// says it sends much and sends nothing takes nothing.
func TestHookHoldsShortOnes(t *testing.T) {
	h, _ := hooked(t)
	most := int64(hookShorts)
	silent := httptest.NewRequest(http.MethodPost, "/hooks/graph", nil)
	r, w := io.Pipe()
	silent.Body, silent.ContentLength = r, hookShort
	codes := make(chan int, 3)
	serve := func(req *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		codes <- rec.Code
	}
	go serve(silent)
	h.short.Add(most - hookShort) // of others

	slow := httptest.NewRequest(http.MethodPost, "/hooks/graph", nil)
	sr, sw := io.Pipe()
	slow.Body, slow.ContentLength = sr, hookShort
	go serve(slow)
	if _, err := sw.Write(bytes.Repeat([]byte(" "), hookShort-10)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(90 * time.Second); h.short.Load() != most-10; runtime.Gosched() { // it is counted behind the read
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are held", h.short.Load())
		}
	}
	mine := list(notification(t, h, acme, tocsin.NewPersonID(acme, "amy"), "created", "a"))
	if got := posting(t, h, mine); got != http.StatusServiceUnavailable || h.Count(HookBusy) != 1 {
		t.Errorf("what is too much was answered %d, %d counted", got, h.Count(HookBusy))
	}
	sw.Close()
	if got := <-codes; got != http.StatusAccepted {
		t.Errorf("the slow one was answered %d", got)
	}
	if got := posting(t, h, mine); got != http.StatusAccepted {
		t.Errorf("when there is room again it was answered %d", got)
	}
	w.Close()
	<-codes
	if held := h.short.Load(); held != most-hookShort {
		t.Errorf("%d bytes stay held", held-(most-hookShort))
	}
}

// TestHookCutOff: a post that breaks off is not answered as taken.
func TestHookCutOff(t *testing.T) {
	h, j := hooked(t)
	w := httptest.NewRecorder()
	body := io.MultiReader(strings.NewReader(`{"value":[{`), errReader{})
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/graph", body))
	if w.Code/100 == 2 || h.Count(HookCut) != 1 || stored(t, j) != 0 {
		t.Errorf("answered %d", w.Code)
	}
}

// TestHookGivesBack: what a post took of either bound it gives back, also where one read was too much of both.
func TestHookGivesBack(t *testing.T) {
	h, _ := hooked(t)
	h.short.Store(hookShorts)
	body := taking{h: h, from: strings.NewReader(strings.Repeat(" ", 100)), postHeld: postHeld{first: hookShort - 10}}
	h.short.Add(body.first)
	if _, err := body.Read(make([]byte, 100)); !errors.Is(err, errBusy) {
		t.Errorf("what is too much is read: %v", err)
	}
	h.giveBack(body.end())
	if short, held := h.short.Load(), h.held.Load(); short != hookShorts || held != 0 {
		t.Errorf("%d of %d and %d of 0 stay held", short, int64(hookShorts), held)
	}
}

// TestHookGivesBackInPanic: what a post took it gives back also where reading it fails as nothing should.
func TestHookGivesBackInPanic(t *testing.T) {
	h, _ := hooked(t)
	h.Vouch = func(context.Context, string) (graph.Vouched, error) { panic("a fault of ours") }
	defer func() {
		if short, held := h.short.Load(), h.held.Load(); recover() == nil || short != 0 || held != 0 {
			t.Errorf("%d and %d bytes stay held", short, held)
		}
	}()
	body := list(notification(t, h, acme, tocsin.NewPersonID(acme, "amy"), "created", "a"))
	body["validationTokens"] = []string{"x"}
	posting(t, h, body)
}

// TestHookKeepsNothing: what is stored and remembered of a post does not lie in its memory, which the next one takes.
func TestHookKeepsNothing(t *testing.T) {
	h, j := hooked(t)
	const callers, each = 8, 100
	mark := func(who int) string { return strings.Repeat(string(rune('a'+who)), 100) }
	var all sync.WaitGroup
	for who := range callers {
		all.Go(func() {
			for n := range each {
				one := notification(t, h, acme, tocsin.NewPersonID(acme, fmt.Sprint(who, n)), "created", fmt.Sprintf("%s%03d", mark(who), n))
				one["resourceData"].(map[string]any)["@odata.etag"] = fmt.Sprint(mark(who), n) // as it stands in the post
				posting(t, h, list(one))
			}
		})
	}
	all.Wait()
	left := callers * each
	for e, err := range j.Read(t.Context(), 0, journal.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		var it notified
		if err := it.decode(e.Body); err != nil {
			t.Fatal(err)
		}
		var n int
		who := int(it.ID[0] - 'a')
		if _, err := fmt.Sscanf(it.ID, mark(who)+"%d", &n); err != nil || e.Person != tocsin.NewPersonID(acme, fmt.Sprint(who, n)) || e.Tenant != acme || e.Key != fmt.Sprint(mark(who), n) || e.Kind != kindNotified {
			t.Fatalf("%v: %s is stored as %s of %s", err, it.ID, e.Key, e.Person)
		}
		if left--; left == 0 {
			break
		}
	}
	if len(h.opened.of) != callers*each {
		t.Errorf("%d clientStates are remembered, want %d", len(h.opened.of), callers*each)
	}
	for state, of := range h.opened.of {
		if tenant, person, ok := OpenClientState(h.Key, state); !ok || tenant != of.tenant || person != of.person {
			t.Errorf("%q is remembered as %v", state, of)
		}
	}
}

// TestHookRemembers: a clientState that was looked at once says no more than before, and only so many are remembered.
func TestHookRemembers(t *testing.T) {
	h, j := hooked(t)
	good := notification(t, h, acme, tocsin.NewPersonID(acme, "amy"), "created", "a")
	foreign := maps.Clone(good)
	foreign["tenantId"] = contoso
	for _, n := range []map[string]any{good, foreign, good} {
		posting(t, h, list(n))
	}
	if n, forged := stored(t, j), h.Count(HookForged); n != 2 || forged != 1 {
		t.Errorf("%d are stored and %d forged", n, forged)
	}
	for i := range mostOpened + 10 {
		person := tocsin.NewPersonID(acme, fmt.Sprint(i))
		state, err := ClientState(h.Key, acme, person)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if of, ok := h.whose(state); !ok || of != (whose{acme, person}) {
				t.Fatalf("the %d. is %v, %t", i, of, ok)
			}
		}
	}
	if n := len(h.opened.of); n == 0 || n > mostOpened {
		t.Errorf("%d are remembered", n)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestHandshake: the token comes back as it is, as text; whatever else is asked is refused.
func TestHandshake(t *testing.T) {
	h, _ := hooked(t)
	for _, c := range []struct {
		method, query, body string
		status              int
	}{
		{http.MethodPost, "?validationToken=Validation%3A+Testing+client+%3Cscript%3E", "Validation: Testing client <script>", 200},
		{http.MethodPost, "?validationToken=" + strings.Repeat("x", hookToken+1), "The token is too long.\n", 400},
		{http.MethodGet, "?validationToken=x", "Microsoft Graph posts here.\n", 405},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, "/hooks/graph"+c.query, nil))
		if w.Code != c.status || w.Body.String() != c.body || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %d %q %v", c.method, c.query, w.Code, w.Body, w.Header())
		}
	}
}

// TestClientState: it says whose mailbox it is of, fits into what Graph allows, and no change to it passes.
func TestClientState(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	amy := tocsin.NewPersonID(acme, "amy")
	state, err := ClientState(key, acme, amy)
	if err != nil || len(state) > 128 {
		t.Fatalf("%d characters, %v", len(state), err)
	}
	if tenant, person, ok := OpenClientState(key, state); !ok || tenant != acme || person != amy {
		t.Errorf("it is of %s, %s, %v", tenant, person, ok)
	}
	for i := range state {
		for _, c := range "Ab9-_" {
			changed := state[:i] + string(c) + state[i+1:]
			if tenant, person, ok := OpenClientState(key, changed); ok && changed != state && (tenant != acme || person != amy) {
				t.Fatalf("%s passes", changed)
			}
		}
	}
	for _, s := range []string{"", "x", state + "A", state[1:]} {
		if _, _, ok := OpenClientState(key, s); ok {
			t.Errorf("%q passes", s)
		}
	}
}

func FuzzHook(f *testing.F) {
	h, _ := hooked(f)
	good, err := json.Marshal(list(notification(f, h, acme, tocsin.NewPersonID(acme, "amy"), "created", "a")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	state, err := ClientState(h.Key, acme, tocsin.NewPersonID(acme, "amy"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"value":[{"lifecycleEvent":"missed","clientState":null,"tenantId":7}],"validationTokens":[""]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := h.Count(HookStored)
		code := posting(t, h, body)
		if code != 202 && code != 413 && code != 503 {
			t.Errorf("answered %d", code)
		}
		if n := h.Count(HookStored) - before; n > 0 && !bears(body, state) {
			t.Errorf("%d were taken without a clientState of ours", n)
		}
	})
}

// bears says whether JSON has the text anywhere as a value, in whatever way it is written.
func bears(body []byte, text string) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		switch token, err := d.Token(); {
		case err != nil:
			return false
		case token == text:
			return true
		}
	}
}

// BenchmarkHook is a post of ten notifications, against a handler that reads and drops the body.
func BenchmarkHook(b *testing.B) {
	h, _ := hooked(b)
	var some []map[string]any
	for i := range 10 {
		some = append(some, notification(b, h, acme, tocsin.NewPersonID(acme, fmt.Sprint(i)), "created", strings.Repeat("AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OABGAAAAAADUuTJK", 2)))
	}
	body, err := json.Marshal(list(some...))
	if err != nil {
		b.Fatal(err)
	}
	drops := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			b.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
	})
	for _, c := range []struct {
		name    string
		handler http.Handler
	}{{"drops", drops}, {"stores", h}} {
		b.Run(c.name, func(b *testing.B) {
			s := httptest.NewServer(c.handler)
			defer s.Close()
			client := s.Client()
			client.Transport.(*http.Transport).MaxIdleConnsPerHost = 256
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					res, err := client.Post(s.URL, "application/json", bytes.NewReader(body))
					if err != nil || res.StatusCode != http.StatusAccepted {
						b.Errorf("%v %v", res, err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
		})
	}
}
