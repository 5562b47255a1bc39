package sim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tocsin.dev/sharedtest"
)

// employees are people whose mailboxes everyday mail goes through.
func employees(s *Sim, n int) []*person {
	var out []*person
	for i := 0; len(out) < n && i < s.world.users; i++ {
		if p := s.world.person(i); p.kind == employee && p.hasBox() && p.enabled && !p.scopedOut {
			out = append(out, p)
		}
	}
	return out
}

// firsts is which part of the mails are the first from that sender to that recipient: of the earlier half, and of the later.
func firsts(mails [][2]string) (early, late float64) {
	seen, n := map[[2]string]bool{}, [2]int{}
	for i, pair := range mails {
		if !seen[pair] {
			seen[pair] = true
			n[2*i/len(mails)]++
		}
	}
	half := float64(len(mails)) / 2
	return float64(n[0]) / half, float64(n[1]) / half
}

// mostFirsts is the most of [firsts] in the networks of TestNetworksOfPeople, in which people wrote 21 and 32 mails each.
const mostFirsts = 0.36

// TestTrafficIsAmongAcquaintances: people write to those they wrote to before, if less so than in networks of real people: a stream
// that is measured with it has no easier work.
func TestTrafficIsAmongAcquaintances(t *testing.T) {
	s, err := New(Config{Users: 2000, Seed: 7, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	people := employees(s, 2000)
	if err := s.Traffic(58 * len(people)); err != nil {
		t.Fatal(err)
	}
	var told []*message
	for _, p := range people {
		for _, m := range s.world.look(p).messages {
			_, domain, _ := strings.Cut(m.from.Address, "@")
			if !m.arrived.IsZero() && len(m.to) > 0 && (m.from.Address == p.mail || slices.Contains(outsiders, domain)) {
				told = append(told, m)
			}
		}
	}
	slices.SortStableFunc(told, func(a, b *message) int { return a.arrived.Compare(b.arrived) })
	mails := make([][2]string, len(told))
	for i, m := range told {
		mails[i] = [2]string{m.from.Address, m.to[0].Address}
	}
	early, late := firsts(mails)
	each := float64(len(mails)) / float64(len(people))
	t.Logf("%.1f mails each; %.2f of the earlier half and %.2f of the later are the first of their sender to that recipient", each, early, late)
	if each < 21 || each > 32 {
		t.Errorf("%.1f mails each", each)
	}
	if early < mostFirsts || late < mostFirsts || (early+late)/2 > 0.65 || late > 0.55 || late > 0.8*early {
		t.Error("people do not write as they do")
	}
}

// TestNetworksOfPeople is what [mostFirsts] was taken from.
func TestNetworksOfPeople(t *testing.T) {
	most := 0.0
	for _, name := range []string{"CollegeMsg.txt", "dnc-temporalGraph.txt"} {
		raw, err := os.ReadFile(sharedtest.File(t, "data/temporal-email/"+name))
		if err != nil {
			t.Fatal(err)
		}
		type mail struct {
			pair [2]string
			at   int
		}
		var list []mail
		for line := range strings.Lines(string(raw)) {
			var m mail
			if _, err := fmt.Sscan(line, &m.pair[0], &m.pair[1], &m.at); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			list = append(list, m)
		}
		slices.SortStableFunc(list, func(a, b mail) int { return a.at - b.at })
		mails := make([][2]string, len(list))
		for i := range list {
			mails[i] = list[i].pair
		}
		early, late := firsts(mails)
		t.Logf("%s: %.2f of the earlier half of %d and %.2f of the later", name, early, len(mails), late)
		most = max(most, early, late)
	}
	if most > mostFirsts || most < mostFirsts-0.02 {
		t.Errorf("%.3f at most", most)
	}
}

// TestTrafficIsNotifiedWhole: of five thousand changes each is told once, and the truth knows of all; so many that the rarest, a mail
// that is purged, is among them.
func TestTrafficIsNotifiedWhole(t *testing.T) {
	p := newProbe(t, Config{Users: 60})
	l := listen(t, nil)
	p.head.Set("Prefer", `IdType="ImmutableId"`)
	for i := range p.s.world.users {
		if q := p.s.world.person(i); q.hasBox() && !q.scopedOut {
			p.subscribe("users/"+q.id+"/messages", "created,updated,deleted", l.URL)
		}
	}
	if err := p.s.Traffic(5000); err != nil {
		t.Fatal(err)
	}
	p.s.Deliver(t.Context())
	told := map[string]bool{}
	for _, n := range l.got(t) {
		told[n["resourceData"].(map[string]any)["id"].(string)+n["resourceData"].(map[string]any)["@odata.etag"].(string)+n["changeType"].(string)] = true
	}
	truth, err := p.s.Truth()
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for box, digest := range p.s.MailDigest() {
		list, err := p.s.Messages(box)
		if err != nil || DigestOf(list) != digest {
			t.Errorf("%s: %v", box, err)
		}
		for i, m := range list {
			held++
			if i == 0 {
				got := p.get("users/" + box + "/messages/" + m.ID + "?$select=id,parentFolderId,isRead,flag,isDraft")
				if got["id"] != m.ID || got["parentFolderId"] != m.Folder || got["isRead"] != m.IsRead || got["@odata.etag"] != m.Etag || got["flag"].(map[string]any)["flagStatus"] != m.Flag || got["isDraft"] != m.Draft {
					t.Errorf("Graph gives %v, the truth is %+v", got, m)
				}
			}
		}
	}
	if held < 100 {
		t.Errorf("%d messages are held", held)
	}
	actions, moves, changes := map[string]int{}, 0, 0
	for _, line := range truth {
		if strings.HasPrefix(line.Change, "message.") {
			actions[line.Action]++
			changes++
			if line.Change == "message.moved" {
				moves++
			}
		}
	}
	if d := p.s.Deliveries(); d.Made != d.Delivered || len(told) != int(d.Made) || int(d.Made) < changes || int(d.Made) > changes+moves {
		t.Errorf("%+v of %d changes and %d moves; %d are different", d, changes, moves, len(told))
	}
	for _, want := range []string{"received", "sent", "read", "flagged", "unflagged", "categorised", "replied", "moved", "deleted", "purged"} {
		if actions[want] < 3 {
			t.Errorf("%d were %s: %v", actions[want], want, actions)
		}
	}
}

// spent is how much processor time this process took so far.
func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDelivery is how many notifications a second go out from everyday mail to a handler that reads and drops the body,
// in the same process: the processor's time is of both.
func BenchmarkDelivery(b *testing.B) {
	for _, kind := range []string{"basic", "rich"} {
		b.Run(kind, func(b *testing.B) { benchDelivery(b, kind == "rich") })
	}
}

func benchDelivery(b *testing.B, rich bool) {
	s, err := New(Config{Users: 2000, Quiet: true, Delivery: Delivery{Connections: 16, Authorized: -1}, TruthPath: b.TempDir() + "/truth"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var posts, bytes atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		posts.Add(1)
		bytes.Add(n)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer sink.Close()
	for _, q := range employees(s, 2000) {
		sub := &subscription{id: randomGUID(), app: s.ClientID(), target: target{box: q.i, folder: -1}, changes: created | updated | deletedNow, url: sink.URL, clientState: strings.Repeat("x", 80),
			expires: s.clock.Now().Add(24 * time.Hour), immutable: true}
		if rich {
			sub.rich, sub.target.sel = true, strings.Fields("from toRecipients receivedDateTime isRead flag internetMessageId conversationId parentFolderId")
			if why := sub.enrich(obj{{"encryptionCertificate", certificateOnce(b)}, {"encryptionCertificateId", "x"}}); why != "" {
				b.Fatal(why)
			}
		}
		s.hook.add(sub)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { s.deliver(ctx); close(done) }()
	before := spent(b)
	b.ResetTimer()
	for s.Deliveries().Made < int64(b.N) {
		if err := s.Traffic(100); err != nil {
			b.Fatal(err)
		}
		for s.Deliveries().Waiting > 5000 {
			time.Sleep(time.Millisecond)
		}
	}
	for s.Deliveries().Waiting > 0 {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	d := s.Deliveries()
	took := b.Elapsed()
	b.ReportMetric(bare(b, s, sink.URL, int(d.Posts), int(bytes.Load()/max(1, d.Posts))).Seconds()/took.Seconds(), "of-bare-POSTs")
	posts.Add(-d.Posts)
	b.ReportMetric(float64(d.Delivered)/b.Elapsed().Seconds(), "notifications/s")
	b.ReportMetric(float64((spent(b)-before).Nanoseconds())/float64(d.Delivered)/1000, "cpu-µs/notification")
	b.ReportMetric(float64(d.Delivered)/float64(posts.Load()), "notifications/POST")
	if d.Failed > 0 || d.Dropped > 0 {
		b.Error(fmt.Sprintf("%+v", d))
	}
	stop()
	<-done
}

// bare is how long it takes to send so many bodies of that size over as many connections, and nothing else.
func bare(b *testing.B, s *Sim, address string, posts, size int) time.Duration {
	body := []byte(strings.Repeat("x", size))
	var left atomic.Int64
	left.Store(int64(posts))
	began := time.Now()
	var all sync.WaitGroup
	for range s.delivery().Connections {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if status, why := s.send(b.Context(), address, body, time.Minute); status != http.StatusAccepted {
					b.Error(status, why)
				}
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

var benchCertificate string

func certificateOnce(b *testing.B) string {
	if benchCertificate == "" {
		benchCertificate = certificateText(b)
	}
	return benchCertificate
}

// BenchmarkEnrichment is what a basic notification costs the simulator besides: a message by its id, as one of a batch of
// twenty, over TLS.
func BenchmarkEnrichment(b *testing.B) {
	s, err := New(Config{Users: 500, Quiet: true, Limits: Limits{Mailbox: -1, Concurrent: -1, Global: -1}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Traffic(5000); err != nil {
		b.Fatal(err)
	}
	s.app.mu.Lock()
	token, bad := s.issue(time.Now(), audience)
	s.app.mu.Unlock()
	if bad != nil {
		b.Fatal(bad)
	}
	var paths []string
	for _, q := range employees(s, 200) {
		box := s.world.look(q)
		for _, m := range box.messages {
			if !m.gone {
				paths = append(paths, "/users/"+q.id+"/messages/"+s.world.messageID(q.i, m, true)+
					"?$select=id,parentFolderId,from,sender,toRecipients,ccRecipients,receivedDateTime,sentDateTime,isRead,isDraft,flag,categories,importance,hasAttachments,internetMessageId,conversationId,changeKey,lastModifiedDateTime"+
					"&$expand=singleValueExtendedProperties($filter=id eq 'Integer 0x1081')")
				break
			}
		}
	}
	srv := httptest.NewTLSServer(s.Handler())
	defer srv.Close()
	before := spent(b)
	b.ResetTimer()
	for i := 0; i < b.N; i += 20 {
		var body strings.Builder
		body.WriteString(`{"requests":[`)
		for k := range 20 {
			if k > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"id":"%d","method":"GET","url":%q,"headers":{"Prefer":"IdType=\"ImmutableId\""}}`, k, paths[(i+k)%len(paths)])
		}
		body.WriteString("]}")
		r, err := http.NewRequest(http.MethodPost, srv.URL+"/v1.0/$batch", strings.NewReader(body.String()))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		resp, err := srv.Client().Do(r)
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if n := strings.Count(string(text), `"status":200`); err != nil || n != 20 {
			b.Fatalf("%d of 20 are there: %v: %.600s", n, err, text)
		}
	}
	b.ReportMetric(float64((spent(b)-before).Nanoseconds())/float64(b.N)/1000, "cpu-µs/message")
}

// BenchmarkSubscribe makes subscriptions one after the other, with both handshakes over HTTP, and ends each by its id.
func BenchmarkSubscribe(b *testing.B) {
	s, err := New(Config{Users: 2*b.N + 100, Quiet: true, Limits: Limits{Subscriptions: -1, SubscriptionsTenant: -1, Global: -1}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	l := listen(b, nil)
	r := &request{method: "POST", version: "v1.0", path: "subscriptions", header: http.Header{}, claims: &claims{AppID: s.ClientID(), Roles: ReadTier}}
	until := s.clock.Now().Add(24 * time.Hour).Format(time.RFC3339)
	people := employees(s, b.N)
	before := spent(b)
	b.ResetTimer()
	for _, p := range people {
		r.body = appendObject(nil, obj{{"resource", "users/" + p.id + "/messages"}, {"changeType", "created,updated,deleted"}, {"expirationDateTime", until}, {"clientState", "x"},
			{"notificationUrl", l.URL}, {"lifecycleNotificationUrl", l.URL}})
		if out := s.subscribe(r); out.status != 201 {
			b.Fatalf("%s", out.body)
		}
	}
	s.Advance(50 * time.Minute) // all are asked to be authorized again
	for _, sub := range s.Subscriptions() {
		r.vars[0] = sub.ID
		if out := s.deleteSubscription(r); out.status != 204 {
			b.Fatalf("%s", out.body)
		}
	}
	b.ReportMetric(float64((spent(b)-before).Nanoseconds())/float64(b.N)/1000, "cpu-µs/subscription")
}
