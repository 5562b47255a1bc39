package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// lifecycles are the events that came, joined.
func lifecycles(list []map[string]any) string {
	var out []string
	for _, n := range list {
		if e, ok := n["lifecycleEvent"].(string); ok {
			out = append(out, e)
		}
	}
	return strings.Join(out, " ")
}

// forChanges are those that tell of changes.
func forChanges(list []map[string]any) int {
	n := 0
	for _, one := range list {
		if one["changeType"] != nil {
			n++
		}
	}
	return n
}

func (p *probe) receive(who *person, n int) {
	p.t.Helper()
	p.play("# x\n" + strings.Repeat("mon 09:00 "+who.mail+" receives from out@evil.example subject \"S\"\n", n))
}

// TestFailedDeliveriesAreTriedAgain: what is refused comes again, later each time, until it is taken.
func TestFailedDeliveriesAreTriedAgain(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Delivery: Delivery{Retry: Duration(100 * time.Second), Longest: Duration(time.Hour), Authorized: -1}}) // far longer than the test itself may take
	l := listen(t, func(n int) int { return []int{503, 404, 302, 500, 200}[min(n, 4)] })
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	p.receive(amy, 1)
	var posts []int
	for range 40 {
		p.s.Deliver(t.Context())
		posts = append(posts, len(l.posts))
		p.s.Advance(50 * time.Second)
	}
	// 100, 200, 400 and 800 seconds after the failure before: at beats 0, 2, 6, 14 and 30.
	want := []int{0, 2, 6, 14, 30}
	for i, at := range want {
		if posts[at] != i+1 || at > 0 && posts[at-1] != i {
			t.Fatalf("the %d. POST was not at beat %d: %v", i+1, at, posts)
		}
	}
	if d := p.s.Deliveries(); d.Delivered != 1 || d.Failed != 4 || d.Waiting != 0 || len(l.posts) != 5 {
		t.Errorf("%+v after %d POSTs", d, len(l.posts))
	}
}

// TestOutageOfFiveHours: for four hours notifications wait, then they are gone and missed is said, once a subscription.
func TestOutageOfFiveHours(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Delivery: Delivery{Authorized: -1}})
	down := true
	l := listen(t, func(int) int {
		if down {
			return 503
		}
		return 202
	})
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	p.receive(amy, 3)
	for h := range 30 { // five hours
		if h == 18 {
			p.receive(amy, 2)
		}
		p.s.Deliver(t.Context())
		p.s.Advance(10 * time.Minute)
	}
	l.got(t)
	down = false
	for range 3 {
		p.s.Deliver(t.Context())
		p.s.Advance(20 * time.Minute)
	}
	got := l.got(t)
	if forChanges(got) != 2 || lifecycles(got) != "missed" {
		t.Errorf("after the outage came %v", got)
	}
	if d := p.s.Deliveries(); d.Dropped != 3 || d.Delivered != 3 || d.Waiting != 0 {
		t.Errorf("%+v", d)
	}
	truth, _ := p.s.Truth()
	dropped := 0
	for _, line := range truth {
		if line.Change == "notification.dropped" {
			dropped += len(line.Of)
		}
	}
	if dropped != 3 {
		t.Errorf("the truth tells of %d that were dropped", dropped)
	}
}

// TestReauthorization: before the token ends it is asked for; without it nothing comes, and with it what waited does.
func TestReauthorization(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	id := p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	p.s.Advance(46 * time.Minute)
	p.s.Deliver(t.Context())
	if got := l.got(t); lifecycles(got) != "reauthorizationRequired" || got[0]["subscriptionId"] != id || got[0]["clientState"] != "the secret" {
		t.Fatalf("before the token ends: %v", got)
	}
	p.s.Advance(15 * time.Minute)
	p.receive(amy, 2)
	p.s.Deliver(t.Context())
	if got := l.got(t); len(got) != 0 {
		t.Fatalf("not authorized, and yet %v", got)
	}
	p.call("POST", "subscriptions/"+id+"/reauthorize", nil, 204)
	p.s.Deliver(t.Context())
	if got := l.got(t); forChanges(got) != 2 || lifecycles(got) != "" {
		t.Errorf("authorized again: %v", got)
	}
	p.s.Advance(46 * time.Minute)
	p.call("PATCH", "subscriptions/"+id, map[string]any{"expirationDateTime": p.s.clock.Now().Add(24 * time.Hour)}, 200)
	p.s.Deliver(t.Context())
	l.got(t)
	p.s.Advance(40 * time.Minute)
	p.receive(amy, 1)
	p.s.Deliver(t.Context())
	if got := l.got(t); forChanges(got) != 1 {
		t.Errorf("renewed: %v", got)
	}
}

func TestRemovedAndMissedAreSaid(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	id := p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	if n, err := p.s.Lifecycle("missed", amy.mail, 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := p.s.RemoveSubscriptions(amy.mail, 0, false); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	p.receive(amy, 1)
	p.s.Deliver(t.Context())
	if got := l.got(t); lifecycles(got) != "missed subscriptionRemoved" || forChanges(got) != 0 {
		t.Errorf("came: %v", got)
	}
	p.call("GET", "subscriptions/"+id, nil, 404)
}

// TestLifecycleForms: events name the tenant as Graph does, which is organizationId, and now and then as it is documented.
func TestLifecycleForms(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	id := p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	for range 8 {
		if n, err := p.s.Lifecycle("missed", amy.mail, 0); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	p.s.Deliver(t.Context())
	forms := map[string]int{}
	for _, n := range l.got(t) {
		for _, name := range []string{"tenantId", "organizationId"} {
			if n[name] == p.s.cfg.Tenant {
				forms[name]++
			}
		}
		if data, ok := n["resourceData"].(map[string]any); n["tenantId"] == nil && (!ok || data["id"] != id || n["resource"] != "Subscriptions/"+id) || n["changeType"] != nil {
			t.Errorf("%v", n)
		}
	}
	if forms["tenantId"] != 2 || forms["organizationId"] != 6 {
		t.Errorf("%v", forms)
	}
}

func TestLapseHoldsBackUntilReauthorized(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	id := p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	if n, err := p.s.Lapse("", 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	p.receive(amy, 1)
	p.s.Deliver(t.Context())
	if got := l.got(t); lifecycles(got) != "reauthorizationRequired" || forChanges(got) != 0 {
		t.Errorf("lapsed: %v", got)
	}
	p.call("POST", "subscriptions/"+id+"/reauthorize", nil, 204)
	p.s.Deliver(t.Context())
	if got := l.got(t); forChanges(got) != 1 {
		t.Errorf("authorized again: %v", got)
	}
}

func TestFaultsOfNotifications(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Delivery: Delivery{Connections: 1, Batch: 100}})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	for _, c := range []struct {
		fault Fault
		want  int
	}{
		{Fault{Kind: NoticeLost, Every: 10}, 18}, {Fault{Kind: NoticeRepeated, Every: 10}, 22}, {Fault{Kind: NoticeOvertaken, Every: 10}, 20},
		{Fault{Kind: NoticeDelayed, Every: 10, Delay: Duration(time.Minute)}, 18}, {Fault{Kind: NoticeLost, Path: "users/other/messages"}, 20},
	} {
		if err := p.s.Fault(c.fault); err != nil {
			t.Fatal(err)
		}
		p.receive(amy, 20)
		p.s.Deliver(t.Context())
		got := l.got(t)
		if len(got) != c.want {
			t.Errorf("%s: %d notifications, want %d", c.fault.Kind, len(got), c.want)
		}
		var order []string
		for _, n := range got {
			order = append(order, n["resourceData"].(map[string]any)["@odata.etag"].(string))
		}
		if slices.IsSorted(order) != (c.fault.Kind != NoticeOvertaken) {
			t.Errorf("%s: in order is %v", c.fault.Kind, order)
		}
		p.s.Heal()
		p.s.Advance(time.Minute)
		p.s.Deliver(t.Context())
		if late := l.got(t); len(late) != 20-c.want && c.fault.Kind == NoticeDelayed {
			t.Errorf("%d came late", len(late))
		}
	}
	if err := p.s.Fault(Fault{Kind: NoticeGarbage, Times: 1}); err != nil {
		t.Fatal(err)
	}
	p.receive(amy, 3)
	p.s.Deliver(t.Context())
	if len(l.posts) != 2 || !strings.HasSuffix(string(l.posts[0]), `"value":[{`) {
		t.Errorf("%d POSTs, the first is %.80s", len(l.posts), l.posts[0])
	}
	if l.posts = l.posts[1:]; len(l.got(t)) != 3 {
		t.Error("what is no notification took the place of one")
	}
}

// TestSlowAddressLosesForGood: an address that answers late too often gets nothing new for ten minutes.
func TestSlowAddressLosesForGood(t *testing.T) {
	how := Delivery{Timeout: Duration(time.Minute), Batch: 1, Connections: 10, Authorized: -1}
	p := newProbe(t, Config{Users: 30, Delivery: how})
	var hang atomic.Bool
	l := listen(t, func(int) int { return 202 })
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hang.Load() && r.URL.Query().Get("validationToken") == "" {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		l.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(gate.Close)
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", gate.URL)
	hang.Store(true)
	p.receive(amy, 12)
	short := how
	short.Timeout = Duration(50 * time.Millisecond)
	p.s.SetDelivery(short)
	p.s.Deliver(t.Context())
	p.s.SetDelivery(how)
	hang.Store(false)
	p.receive(amy, 5)
	if d := p.s.Deliveries(); d.Dropped != 5 {
		t.Errorf("%+v", d)
	}
	p.s.Advance(time.Minute)
	p.s.Deliver(t.Context())
	if got := l.got(t); forChanges(got) != 12 || lifecycles(got) != "missed" {
		t.Errorf("%d came, and %q", forChanges(got), lifecycles(got))
	}
	p.s.Advance(11 * time.Minute)
	p.receive(amy, 1)
	p.s.Advance(10 * time.Second)
	p.s.Deliver(t.Context())
	if got := l.got(t); forChanges(got) != 1 {
		t.Errorf("after ten minutes: %v", got)
	}
}

// TestNothingButThisMachineIsReached: whatever an address says.
func TestNothingButThisMachineIsReached(t *testing.T) {
	for _, address := range []string{"192.0.2.1:443", "[2001:db8::1]:443", "10.0.0.1:80", "0.0.0.0:80", "nonsense"} {
		if onlyLoopback(address) == nil {
			t.Errorf("%s is dialled", address)
		}
	}
	p := newProbe(t, Config{Users: 30})
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1) }))
	t.Cleanup(other.Close)
	astray := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(astray.Close)
	p.call("POST", "subscriptions", p.subscription("users/"+p.s.world.person(3).id+"/messages", "created", astray.URL), 400)
	if asked.Load() != 0 {
		t.Error("a redirection was followed")
	}
}

// TestRunDelivers: in Run notifications go out by themselves, with the latency asked for.
func TestRunDelivers(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Delivery: Delivery{Latency: Duration(time.Hour), Authorized: -1}})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.s.Run(ctx) }()
	p.receive(amy, 25)
	p.s.Advance(59 * time.Minute)
	if d := p.s.Deliveries(); d.Delivered != 0 || d.Waiting != 25 {
		t.Errorf("before its time: %+v", d)
	}
	p.s.Advance(time.Minute)
	for p.s.Deliveries().Delivered != 25 {
		if err := p.s.clock.Sleep(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := l.got(t); forChanges(got) != 25 {
		t.Errorf("%d came", len(got))
	}
}

// TestHTTPSWithAnAuthorityOfItsOwn: an address over https is believed only where somebody vouches for it.
func TestHTTPSWithAnAuthorityOfItsOwn(t *testing.T) {
	l := listen(t, nil)
	safe := httptest.NewUnstartedServer(l.Config.Handler)
	safe.Config.ErrorLog = log.New(io.Discard, "", 0) // that it was refused once is meant
	safe.StartTLS()
	t.Cleanup(safe.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: safe.Certificate().Raw}))
	for _, c := range []struct {
		ca     string
		status int
	}{{"", 400}, {ca, 201}} {
		p := newProbe(t, Config{Users: 30, HookCA: c.ca})
		p.call("POST", "subscriptions", p.subscription("users/"+p.s.world.person(3).id+"/messages", "created", safe.URL), c.status)
		p.receive(p.s.world.person(3), 1)
		p.s.Deliver(t.Context())
	}
	if got := l.got(t); forChanges(got) != 1 {
		t.Errorf("%d came", len(got))
	}
	if _, err := New(Config{HookCA: "nobody"}); err == nil {
		t.Error("an authority that is none was taken")
	}
}

// TestSubscriptionEndsWithItsMailbox: whose mailbox goes, his subscriptions are removed.
func TestSubscriptionEndsWithItsMailbox(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	id := p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	if err := p.s.DeleteUser(amy.id); err != nil {
		t.Fatal(err)
	}
	p.s.Deliver(t.Context())
	if got := l.got(t); lifecycles(got) != "subscriptionRemoved" {
		t.Errorf("came %v", got)
	}
	p.call("GET", "subscriptions/"+id, nil, 404)
}

// TestSubscriptionEndsWithItsApplication: what is taken out of the tenant is told of nothing any more.
func TestSubscriptionEndsWithItsApplication(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	p.s.Remove(true)
	p.receive(amy, 1)
	p.s.Remove(false)
	p.receive(amy, 1)
	p.s.Deliver(t.Context())
	if got := l.got(t); len(got) != 0 || len(values(p.get("subscriptions"))) != 0 {
		t.Errorf("came %v", got)
	}
}

// TestRateIsLiveTraffic: in Run people write by themselves, and what they do is told.
func TestRateIsLiveTraffic(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Rate: 500})
	l := listen(t, nil)
	amy := p.s.world.person(0)
	p.subscribe("users/"+amy.id+"/messages", "created,updated,deleted", l.URL)
	p.s.SetRate(2000, 1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.s.Run(ctx) }()
	for p.s.Deliveries().Delivered < 100 {
		if err := p.s.clock.Sleep(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	truth, _ := p.s.Truth()
	for _, line := range truth {
		if line.By == "traffic" && line.Mailbox != amy.mail {
			t.Fatalf("%s was not to write", line.Mailbox)
		}
	}
}

func TestDirectoryIsNotified(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Roles: everyRole})
	l := listen(t, nil)
	bob := p.s.world.person(4)
	p.subscribe("users", "updated,deleted", l.URL)
	p.subscribe("users/"+bob.id, "updated", l.URL)
	p.subscribe("groups", "updated,deleted", l.URL)
	p.call("PATCH", "users/"+bob.id, map[string]any{"accountEnabled": false}, 204)
	p.play("# x\ndomain fabrikamfreight.com\ngroup new@fabrikamfreight.com with " + bob.mail + "\n")
	if err := p.s.DeleteUser(p.s.world.person(5).id); err != nil {
		t.Fatal(err)
	}
	p.s.Deliver(t.Context())
	got := map[string]int{}
	for _, n := range l.got(t) {
		data := n["resourceData"].(map[string]any)
		got[data["@odata.type"].(string)+" "+n["changeType"].(string)]++
		if !strings.Contains(n["resource"].(string), data["id"].(string)) {
			t.Errorf("%v", n)
		}
	}
	if got["#Microsoft.Graph.User updated"] != 3 || got["#Microsoft.Graph.Group updated"] != 1 || len(got) != 2 {
		t.Errorf("came %v", got)
	}
}

func TestForgeriesAreOfAllSorts(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	amy, bob := p.s.world.person(3), p.s.world.person(4)
	if _, err := p.s.Forgeries(amy.mail); err == nil {
		t.Error("forged without a subscription")
	}
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	p.call("POST", "subscriptions", with(p.subscription("users/"+bob.id+"/messages?$select=isRead", "created", l.URL), "includeResourceData", true,
		"encryptionCertificate", certificateText(t), "encryptionCertificateId", "x"), 201)
	for who, want := range map[string]int{amy.mail: 11, bob.mail: 21} {
		all, err := p.s.Forgeries(who)
		if err != nil || len(all) != want {
			t.Fatalf("%d forgeries, want %d (%v)", len(all), want, err)
		}
		for i, f := range all {
			if f.To != l.URL || slices.IndexFunc(all, func(g Forgery) bool { return string(g.Body) == string(f.Body) }) != i {
				t.Errorf("%s is of no kind of its own", f.Name)
			}
		}
		if status := p.s.Stranger(t.Context(), all[0].To, all[0].Body); status != 202 {
			t.Errorf("the stranger got %d", status)
		}
	}
}

// TestNotificationOutrunsTheAnswer: a subscription lives before its maker knows of it.
func TestNotificationOutrunsTheAnswer(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	amy := p.s.world.person(3)
	came, answered := make(chan struct{}), atomic.Bool{}
	l := listen(t, func(int) int {
		if !answered.Load() {
			close(came)
		}
		return 202
	})
	if err := p.s.Fault(Fault{Path: "subscriptions", Method: "POST", Kind: Late, Delay: Duration(time.Minute), Times: 1}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		body, _ := json.Marshal(p.subscription("users/"+amy.id+"/messages", "created", l.URL))
		r, _ := http.NewRequestWithContext(ctx, "POST", Address+"/v1.0/subscriptions", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+p.token)
		p.s.Client().Do(r)
		answered.Store(true)
	}()
	for len(p.s.Subscriptions()) == 0 {
		if err := p.s.clock.Sleep(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	p.receive(amy, 1)
	p.s.Deliver(t.Context())
	<-came
	stop()
	<-done
}

// TestMissedIsSaidAgain: an outage after an outage.
func TestMissedIsSaidAgain(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Delivery: Delivery{Authorized: -1, GiveUp: Duration(time.Second)}})
	status := 503
	l := listen(t, func(int) int { return status })
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	for range 2 {
		status = 503
		p.receive(amy, 2)
		p.s.Deliver(t.Context()) // given up at once, and said where nobody hears it yet
		l.got(t)
		status = 202
		p.receive(amy, 1)
		p.s.Deliver(t.Context())
		l.got(t)
	}
	if d := p.s.Deliveries(); d.Dropped < 4 {
		t.Errorf("%+v", d)
	}
	if n, err := p.s.Lifecycle("missed", amy.mail, 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	p.s.Deliver(t.Context())
	if got := l.got(t); lifecycles(got) != "missed" {
		t.Errorf("came %v", got)
	}
}

// TestJitterLetsNotificationsOvertake: with it they come in another order, and all of them.
func TestJitterLetsNotificationsOvertake(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Delivery: Delivery{Connections: 1, Latency: Duration(time.Second), Jitter: Duration(20 * time.Second)}})
	l := listen(t, nil)
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	p.receive(amy, 40)
	var order []string
	for range 22 {
		p.s.Deliver(t.Context())
		for _, n := range l.got(t) {
			order = append(order, n["resourceData"].(map[string]any)["@odata.etag"].(string))
		}
		p.s.Advance(time.Second)
	}
	if len(order) != 40 || slices.IsSorted(order) {
		t.Errorf("%d came, in order: %v", len(order), slices.IsSorted(order))
	}
}

// TestBasicPermissionShowsNoContent: Mail.ReadBasic.All opens neither bodies nor extended properties.
func TestBasicPermissionShowsNoContent(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Roles: []string{"Mail.ReadBasic.All"}, Content: true})
	who := "users/" + p.s.world.person(3).id
	for _, m := range values(p.get(who + "/messages")) {
		if m["body"] != nil || m["bodyPreview"] != nil || m["subject"] == nil {
			t.Errorf("it shows %v", m)
		}
	}
	if m := values(p.get(who + "/mailFolders/inbox/messages?$select=subject,body"))[0]; m["body"] != nil || m["subject"] == nil {
		t.Errorf("it shows %v", m)
	}
	p.call("GET", who+"/messages?$select=id&$expand=singleValueExtendedProperties($filter=id eq 'Integer 0x1081')", nil, 403)
	p.subscribe(who+"/messages", "created", listen(t, nil).URL)
}

// FuzzSubscription: whatever is asked for, it is refused in Graph's form or made.
func FuzzSubscription(f *testing.F) {
	s, err := New(Config{Users: 30})
	if err != nil {
		f.Fatal(err)
	}
	l := listen(f, nil)
	amy := s.world.person(3)
	for _, seed := range []string{"users/" + amy.id + "/messages", "users('" + amy.id + "')/mailFolders('inbox')/messages?$filter=isRead eq false&$select=id", "groups/x/members", "/", "users/%zz/messages", "?$filter=("} {
		f.Add(seed, "created,updated", "2030-01-01T00:00:00Z", "state")
	}
	r := &request{method: "POST", version: "v1.0", path: "subscriptions", header: http.Header{}, claims: &claims{AppID: s.ClientID(), Roles: ReadTier}}
	f.Fuzz(func(t *testing.T, resource, changes, until, state string) {
		again := *r
		again.body = appendObject(nil, obj{{"resource", resource}, {"changeType", changes}, {"expirationDateTime", until}, {"clientState", state}, {"notificationUrl", l.URL}})
		out := s.subscribe(&again)
		var body map[string]any
		if err := json.Unmarshal(out.body, &body); err != nil || out.status != 201 && (out.status < 400 || out.status > 499 || code(body) == "") {
			t.Fatalf("%d %s (%v)", out.status, out.body, err)
		}
		if out.status == 201 {
			s.RemoveSubscriptions("", 0, true)
		}
	})
}
