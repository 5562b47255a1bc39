package notify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin.dev"
	"tocsin.dev/notify"
	"tocsin.dev/store"
)

// types are the messages that a receiver took, by type and count.
func (r *receiver) types(t testing.TB) (out []string) {
	t.Helper()
	for _, g := range r.taken() {
		h := read(t, g)
		out = append(out, fmt.Sprintf("%s %d", h.Type, h.Data.Total))
	}
	return out
}

func want(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestDigest: more than N in M minutes become one message that counts them; the next comes after M minutes.
func TestDigest(t *testing.T) {
	onBoth(t, func(b *bed) {
		r := b.receiver(nil)
		b.channel(acme, notify.Webhook, r.URL, func(s *notify.Settings) { s.DigestOver, s.DigestMinutes = 3, 10 })
		n := 0
		raise := func(howMany int) {
			for range howMany {
				n++
				b.found(acme, finding(fmt.Sprint("f", n), tocsin.High), "raised")
			}
			b.fold()
			b.serve()
		}
		raise(2)
		want(b, "few", r.types(b), "finding.opened 1", "finding.opened 1")
		raise(30)
		want(b, "many", r.types(b)[2:], "findings.digest 30")
		b.later(time.Minute)
		raise(2)
		want(b, "soon after", r.types(b)[3:])
		if got := b.rows(acme, `select distinct held from alert where tenant = $1 and state = 'waiting'`); !slices.Equal(got, []string{"gathered for the next digest"}) {
			b.Errorf("why they wait: %q", got)
		}
		b.later(10 * time.Minute)
		b.serve()
		want(b, "after the time", r.types(b)[3:], "findings.digest 2")
		big := read(b, r.taken()[2])
		if len(big.Data.Findings) != 20 || big.Data.Severities["high"] != 30 || big.Data.More == "" {
			b.Errorf("the digest lists %d, counts %v, leads to %q", len(big.Data.Findings), big.Data.Severities, big.Data.More)
		}
	})
}

// TestFirstSync: what the first look at a tenant finds comes as one message when it is over, however long it takes to judge.
func TestFirstSync(t *testing.T) {
	onBoth(t, func(b *bed) {
		ctx := context.Background()
		const fresh = globex
		b.exec(fresh, `update tenant set created = $2 where tenant = $1`, b.st.Clock().Now())
		r := b.receiver(nil)
		b.channel(fresh, notify.Webhook, r.URL, nil)
		for i := range 7 {
			b.found(fresh, finding(fmt.Sprint("f", i), tocsin.High), "raised")
			b.fold()
			b.serve()
			b.later(time.Minute)
		}
		want(b, "while it lasts", r.types(b))
		for _, name := range []string{"users", "rules", "settings"} {
			b.exec(fresh, `insert into source (tenant, name, succeeded) values ($1, $2, 1)`, name)
		}
		b.update(fresh, func(tn *store.Tenant) error {
			return tn.Append(ctx, store.Fact{Kind: "source.changed", Subject: "rules"})
		})
		b.fold()
		b.found(fresh, finding("late", tocsin.Critical), "raised")
		b.fold()
		b.serve()
		want(b, "just after", r.types(b))
		b.later(3 * time.Minute)
		b.serve()
		want(b, "when it is over", r.types(b), "findings.digest 8")
		if h := read(b, r.taken()[0]); !h.Data.First || h.Data.Findings[0].ID != "late" {
			b.Errorf("the digest: %+v", h)
		}
		b.found(fresh, finding("new", tocsin.High), "raised")
		b.fold()
		b.later(15 * time.Minute)
		b.serve()
		want(b, "from then on", r.types(b)[1:], "finding.opened 1")
	})
}

// TestFirstSyncThatFails: a first sync that does not end holds alerts for an hour at most.
func TestFirstSyncThatFails(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	b.exec(globex, `update tenant set created = $2 where tenant = $1`, b.st.Clock().Now())
	r := b.receiver(nil)
	b.channel(globex, notify.Webhook, r.URL, nil)
	b.found(globex, finding("f", tocsin.High), "raised")
	b.fold()
	for range 62 {
		b.serve()
		b.later(time.Minute)
	}
	b.serve()
	want(t, "after an hour", r.types(t), "finding.opened 1")
}

// TestSnooze: alerts of a finding, of a rule or to a channel wait while it is snoozed; what is still so then comes as one
// message, what is over does not come at all.
func TestSnooze(t *testing.T) {
	onBoth(t, func(b *bed) {
		ctx := context.Background()
		r := b.receiver(nil)
		c, _ := b.channel(acme, notify.Webhook, r.URL, func(s *notify.Settings) { s.Filter.Changes = notify.Changes })
		snooze := func(tenant tocsin.TenantID, scope, value string, d time.Duration) (id string) {
			b.update(tenant, func(tn *store.Tenant) (err error) {
				id, err = b.a.Snooze(ctx, tn, "ann", notify.SnoozeNew{Scope: scope, Value: value, Until: b.st.Clock().Now().Add(d)})
				return err
			})
			return id
		}
		b.found(acme, finding("f1", tocsin.High), "raised")
		b.fold()
		b.serve()
		want(b, "told", r.types(b), "finding.opened 1")
		snooze(acme, notify.OfFinding, "f1", time.Hour)
		b.found(acme, finding("f1", tocsin.Critical), "updated")
		b.fold()
		b.serve()
		want(b, "the finding is snoozed", r.types(b)[1:])
		b.later(61 * time.Minute)
		b.serve()
		want(b, "its snooze is over", r.types(b)[1:], "finding.worse 1")

		id := snooze(acme, notify.OfRule, "forwarding", 24*time.Hour) // the family
		for i := range 3 {
			b.found(acme, finding(fmt.Sprint("g", i), tocsin.High), "raised")
		}
		b.found(acme, finding("gone", tocsin.High), "raised")
		b.fold()
		b.serve()
		b.found(acme, finding("gone", tocsin.High), "fixed")
		b.fold()
		b.serve()
		want(b, "the rule is snoozed", r.types(b)[2:])
		if err := b.st.Update(ctx, func(tx *store.Tx) error { return b.a.EndSnooze(ctx, tx, globex, "ann", id) }); tocsin.AsProblem(err).Code != tocsin.NotFound {
			b.Errorf("another tenant's snooze: %v", err)
		}
		if err := b.st.Update(ctx, func(tx *store.Tx) error { return b.a.EndSnooze(ctx, tx, acme, "ann", id) }); err != nil {
			b.Fatal(err)
		}
		b.serve()
		want(b, "ended", r.types(b)[2:], "findings.digest 3")

		b.later(time.Hour)
		b.found(acme, finding("decided", tocsin.High), "raised")
		snooze(acme, notify.OfFinding, "decided", time.Hour)
		b.fold()
		b.serve()
		b.exec(acme, `update finding set status = 'accepted' where tenant = $1 and id = 'decided'`)
		b.later(2 * time.Hour)
		b.serve()
		want(b, "decided while it was snoozed", r.types(b)[3:])
		snooze(acme, notify.OfChannel, c.ID, 24*time.Hour)
		b.found(acme, finding("h", tocsin.Critical), "raised")
		b.fold()
		b.serve()
		want(b, "the channel is snoozed", r.types(b)[3:])
		b.later(25 * time.Hour)
		b.serve()
		want(b, "its snooze is over", r.types(b)[3:], "finding.opened 1")
		own := finding("own1", tocsin.High)
		own.Rule = "own-hidden"
		if err := b.st.UpdateTenant(ctx, acme, func(tn *store.Tenant) error {
			_, err := b.a.Snooze(ctx, tn, "ann", notify.SnoozeNew{Scope: notify.OfRule, Value: own.Rule, Until: b.st.Clock().Now().Add(time.Hour)})
			return err
		}); tocsin.AsProblem(err).Code != tocsin.Invalid {
			b.Errorf("a rule of one's own that there is not: %v", err)
		}
		b.exec(acme, `insert into own_rule (tenant, id, name, title, level, state, sources, version, created, created_by, changed, changed_by, samples, text) values ($1, 'o', 'own-hidden', 'Hidden', 'high', 'live', '{}', 1, 1, 'c', 1, 'c', '[]', '')`)
		for i, name := range []string{own.Rule, "own"} { // one of the customer's own rules, and all of them
			before := len(r.types(b))
			snooze(acme, notify.OfRule, name, time.Hour)
			own.ID = fmt.Sprint("own", i)
			b.found(acme, own, "raised")
			b.fold()
			b.serve()
			want(b, name+" is snoozed", r.types(b)[before:])
			b.later(61 * time.Minute)
			b.serve()
			want(b, "the snooze of "+name+" is over", r.types(b)[before:], "finding.opened 1")
		}
		b.channel(acme, notify.Webhook, r.URL, func(s *notify.Settings) { s.Filter.Rules = []string{own.Rule, "own"} })
		if got := b.rows(acme, `select distinct held from alert where tenant = $1 and state = 'dropped' order by held`); len(got) != 3 {
			b.Errorf("dropped, because: %q", got)
		}
		for _, bad := range []notify.SnoozeNew{{Scope: "finding", Value: "none"}, {Scope: "channel", Value: "none"}, {Scope: "rule", Value: "none"}, {Scope: "world", Value: "x"}} {
			bad.Until = b.st.Clock().Now().Add(time.Hour)
			err := b.st.UpdateTenant(ctx, acme, func(tn *store.Tenant) error { _, err := b.a.Snooze(ctx, tn, "ann", bad); return err })
			if p := tocsin.AsProblem(err); p.Code != tocsin.NotFound && p.Code != tocsin.Invalid {
				b.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

// TestQuiet: quiet hours hold what is not critical, and let it out as one message.
func TestQuiet(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	r := b.receiver(nil)
	now := b.st.Clock().Now()
	b.channel(acme, notify.Webhook, r.URL, func(s *notify.Settings) {
		s.Quiet = notify.Quiet{From: now.Add(-time.Minute).Format("15:04"), To: now.Add(8 * time.Hour).Format("15:04"), Zone: "UTC", Except: tocsin.Critical}
	})
	b.found(acme, finding("f1", tocsin.High), "raised")
	b.found(acme, finding("f2", tocsin.High), "raised")
	b.found(acme, finding("f3", tocsin.Critical), "raised")
	b.fold()
	b.serve()
	want(t, "at night", r.types(t), "finding.opened 1")
	if h := read(t, r.taken()[0]); h.Data.Findings[0].ID != "f3" {
		t.Errorf("what came through: %+v", h)
	}
	b.later(4 * time.Hour)
	b.serve()
	want(t, "later at night", r.types(t)[1:])
	b.later(4*time.Hour + time.Minute)
	b.serve()
	want(t, "in the morning", r.types(t)[1:], "findings.digest 2")
}

// TestQuietHours: the hours are those that clocks show, also on days that have 23 or 25 hours.
func TestQuietHours(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	night := notify.Quiet{From: "22:00", To: "07:00", Zone: "Europe/Berlin"}
	gap := notify.Quiet{From: "22:00", To: "02:30", Zone: "Europe/Berlin"} // 02:30 is left out on 29 March 2026
	weekend := notify.Quiet{Days: []string{"sat", "sun"}, Zone: "America/New_York"}
	both := notify.Quiet{From: "18:00", To: "08:00", Days: []string{"sat", "sun"}, Zone: "UTC"}
	for _, c := range []struct {
		q         notify.Quiet
		now, want string
	}{
		{night, "2026-01-10T12:00:00Z", ""},
		{night, "2026-01-10T21:00:00Z", "2026-01-11T06:00:00Z"},
		{night, "2026-01-11T05:59:59Z", "2026-01-11T06:00:00Z"},
		{night, "2026-01-11T06:00:00Z", ""},
		{night, "2026-03-28T21:30:00Z", "2026-03-29T05:00:00Z"}, // spring: an hour shorter
		{night, "2026-10-24T20:30:00Z", "2026-10-25T06:00:00Z"}, // autumn: an hour longer
		{gap, "2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z"},   // ends when clocks jump from 02:00 to 03:00
		{gap, "2026-03-29T23:00:00Z", "2026-03-30T00:30:00Z"},
		{gap, "2026-10-25T00:45:00Z", ""},                         // 02:45, the first time
		{gap, "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"},     // 02:10, the second time
		{weekend, "2026-03-07T12:00:00Z", "2026-03-09T04:00:00Z"}, // New York jumps on the 8th
		{weekend, "2026-03-09T04:00:00Z", ""},
		{both, "2026-05-08T19:00:00Z", "2026-05-11T08:00:00Z"},
		{notify.Quiet{}, "2026-05-08T19:00:00Z", ""},
	} {
		got := ""
		if u := c.q.Until(at(c.now)); !u.IsZero() {
			got = u.Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%+v at %s: until %q, want %q", c.q, c.now, got, c.want)
		}
	}
	for _, bad := range []notify.Quiet{{From: "22:00"}, {From: "25:00", To: "07:00"}, {From: "7:00", To: "08:00"}, {From: "07:00", To: "07:00"}, {Zone: "Mars/Base"}, {Zone: "Local"}, {Days: []string{"someday"}},
		{Days: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}}, {From: "22:00 ", To: "07:00"}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestKilled: a process that dies between the outbox and the sending, or between the sending and its record, loses nothing:
// the message comes again, under the same id and with the same content.
func TestKilled(t *testing.T) {
	onBoth(t, func(b *bed) {
		ctx := context.Background()
		r := b.receiver(nil)
		c, _ := b.channel(acme, notify.Webhook, r.URL, nil)
		b.found(acme, finding("f1", tocsin.High), "raised")
		b.fold()
		id, err := notify.Cut(ctx, b.a, &c)
		if err != nil || id == "" {
			b.Fatal(err)
		}
		b.serve()
		want(b, "while it may still be under way", r.types(b))
		b.later(notify.Claim + time.Second)
		b.serve()
		want(b, "after the kill", r.types(b), "finding.opened 1")
		if got := r.taken()[0].header.Get("webhook-id"); got != id {
			b.Errorf("it comes as %s, was %s", got, id)
		}
		want(b, "its tries", b.rows(acme, `select n, outcome from alert_try where tenant = $1 order by n`), "1 unknown", "2 taken")

		b.found(acme, finding("f2", tocsin.High), "raised")
		b.fold()
		if err := notify.Drop(ctx, b.a, &c); err != nil {
			b.Fatal(err)
		}
		b.later(notify.Claim + time.Second)
		b.serve()
		g := r.taken()
		if len(g) != 3 || g[1].header.Get("webhook-id") != g[2].header.Get("webhook-id") || g[1].body != g[2].body {
			b.Errorf("sent and not recorded: %d messages", len(g)-1)
		}
		want(b, "in the end", b.rows(acme, `select state, count(*) from alert where tenant = $1 group by state`), "sent 2")
	})
}

// TestTwoSenders: several that send at the same time, as replicas do whose lease has changed hands, send each message once.
func TestTwoSenders(t *testing.T) {
	onBoth(t, func(b *bed) {
		r := b.receiver(nil)
		b.channel(acme, notify.Webhook, r.URL, func(s *notify.Settings) { s.DigestOver = 1000 })
		b.channel(notify.Installation, notify.Webhook, r.URL, func(s *notify.Settings) { s.DigestOver = 1000 })
		for i := range 15 {
			b.found(acme, finding(fmt.Sprint("f", i), tocsin.High), "raised")
		}
		b.fold()
		other := &notify.Alerts{Store: b.a.Store, Keeper: b.a.Keeper, Guard: b.a.Guard, URL: b.a.URL}
		var all sync.WaitGroup
		for i := range 4 {
			a := b.a
			if i%2 == 1 {
				a = other
			}
			all.Go(func() {
				if err := notify.Serve(context.Background(), a); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
		b.serve()
		ids := map[string]int{}
		for _, g := range r.taken() {
			ids[g.header.Get("webhook-id")]++
		}
		for id, n := range ids {
			if n != 1 {
				b.Errorf("message %s was sent %d times", id, n)
			}
		}
		if len(ids) != 30 {
			b.Errorf("%d messages, want 30", len(ids))
		}
	})
}

// TestRun: the sender takes up what comes while it runs, one slow channel holds up no other, and it ends when told.
func TestRun(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	ctx, stop := context.WithCancel(t.Context())
	hang := make(chan struct{})
	slow := b.receiver(func(w httpWriter, r *httpRequest, _ int) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	fast := b.receiver(nil)
	held, _ := b.channel(acme, notify.Webhook, slow.URL, nil)
	b.channel(acme, notify.Webhook, fast.URL, nil)
	done := make(chan error, 1)
	go func() { done <- b.a.Run(ctx) }()
	for i := range 3 {
		b.found(acme, finding(fmt.Sprint("f", i), tocsin.High), "raised")
		b.fold()
	}
	for deadline := time.Now().Add(90 * time.Second); len(fast.taken()) < 3 || len(slow.taken()) < 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the fast channel was told of %d", len(fast.taken()))
		}
	}
	stop()
	<-done
	close(hang)
	want(t, "what was cut off", b.rows(acme, `select r.n, r.outcome from alert_try r join alert_message m on m.tenant = r.tenant and m.id = r.message where r.tenant = $1 and m.channel = $2`, held.ID), "1 unknown")
}

// TestEdited: a channel that is switched off drops what waits; one whose address is mended is tried at once.
func TestEdited(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	ctx := t.Context()
	bad, good := b.receiver(status(500)), b.receiver(nil)
	c, _ := b.channel(acme, notify.Slack, bad.URL, nil)
	b.found(acme, finding("f1", tocsin.High), "raised")
	b.fold()
	b.serve()
	edit := func(version int64, set func(*notify.Settings)) (err error) {
		s := c.Settings
		s.Address = ""
		set(&s)
		return b.st.UpdateTenant(ctx, acme, func(tn *store.Tenant) error { _, err := b.a.Edit(ctx, tn, "ann", c.ID, version, s); return err })
	}
	if err := edit(1, func(s *notify.Settings) { s.Address = good.URL }); err != nil {
		t.Fatal(err)
	}
	b.serve()
	if len(good.taken()) != 1 {
		t.Errorf("mended, and told of %d", len(good.taken()))
	}
	if err := edit(1, func(*notify.Settings) {}); tocsin.AsProblem(err).Code != tocsin.Conflict {
		t.Errorf("a stale version: %v", err)
	}
	b.exec(acme, `insert into snooze (tenant, id, scope, value, until, reason, created, created_by) values ($1, 'z', 'channel', $2, $3, '', 1, '')`, c.ID, b.st.Clock().Now().Add(time.Hour))
	b.found(acme, finding("f2", tocsin.High), "raised")
	b.fold()
	b.serve()
	if err := edit(2, func(s *notify.Settings) { s.Enabled = false }); err != nil {
		t.Fatal(err)
	}
	b.serve()
	want(t, "switched off", b.rows(acme, `select state, held from alert where tenant = $1 and finding = 'f2'`), "dropped the channel is switched off")
	for name, set := range map[string]func(*notify.Settings){
		"no name": func(s *notify.Settings) { s.Name = " " }, "a name in two lines": func(s *notify.Settings) { s.Name = "a\r\nBcc: x@y.example" },
		"a severity of its own": func(s *notify.Settings) { s.Filter.Severity = "loud" }, "nothing told": func(s *notify.Settings) { s.Filter.Changes = nil },
		"another change": func(s *notify.Settings) { s.Filter.Changes = []string{"moved"} }, "no such rule": func(s *notify.Settings) { s.Filter.Rules = []string{"none"} },
		"tenants of a tenant's": func(s *notify.Settings) { s.Filter.Tenants = []tocsin.TenantID{globex} }, "no digest": func(s *notify.Settings) { s.DigestOver = 0 },
		"http": func(s *notify.Settings) { s.Address = "http://hooks.slack.com/x" }, "the inside": func(s *notify.Settings) { s.Address = "https://169.254.169.254/latest" },
		"a page of Slack": func(s *notify.Settings) { s.Address = "https://slack.com/x" },
	} {
		if err := edit(3, set); tocsin.AsProblem(err).Code != tocsin.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for kind, address := range map[string]string{notify.Teams: "https://acme.webhook.office.com/webhookb2/x", notify.Webhook: "https://hooks.slack.com/services/x", "pigeon": "https://x.example"} {
		s := notify.Usual()
		s.Name, s.Address = "n", address
		err := b.st.UpdateTenant(ctx, acme, func(tn *store.Tenant) error { _, _, err := b.a.Create(ctx, tn, "ann", kind, s); return err })
		if tocsin.AsProblem(err).Code != tocsin.Invalid {
			t.Errorf("%s at %s: %v", kind, address, err)
		}
	}
}

// TestOncePerState holds random lives of findings to what must be so: per channel an alert for each opening, each rise of
// the severity above all told since, each fixing of what was told; however the facts are cut into rounds, and told again.
func TestOncePerState(t *testing.T) {
	st := storetestSQLite(t)
	b := newBed(t, st)
	r := b.receiver(nil)
	c, _ := b.channel(acme, notify.Webhook, r.URL, func(s *notify.Settings) {
		s.Filter.Changes, s.Filter.Severity, s.DigestOver = notify.Changes, tocsin.Low, 1000
	})
	levels := []tocsin.Severity{tocsin.Low, tocsin.Medium, tocsin.High, tocsin.Critical}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		id := fmt.Sprintf("p%d-%d", n, rand.Uint64())
		var want []string
		open, told := false, -1
		level := 0
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			next := rapid.IntRange(0, 3).Draw(rt, "level")
			switch what := rapid.SampledFrom([]string{"state", "fixed"}).Draw(rt, "what"); {
			case what == "fixed" && open:
				b.found(acme, finding(id, levels[level]), "fixed")
				open = false
				want = append(want, "fixed")
			case what == "fixed":
				continue
			case !open && told < 0:
				level, told, open = next, next, true
				b.found(acme, finding(id, levels[level]), "raised")
				want = append(want, "opened")
			case !open:
				level, told, open = next, next, true
				b.found(acme, finding(id, levels[level]), "reopened")
				want = append(want, "reopened")
			default:
				level = next
				b.found(acme, finding(id, levels[level]), "updated")
				if level > told {
					told = level
					want = append(want, "worse")
				}
			}
			b.fold()
			b.fold() // nothing new
			b.later(time.Second)
		}
		got := b.rows(acme, `select change from alert where tenant = $1 and channel = $2 and finding = $3 order by id`, c.ID, id)
		if strings.Join(got, " ") != strings.Join(want, " ") {
			rt.Fatalf("told %q, want %q", got, want)
		}
	})
}

// TestFoldedTogether: several states between two rounds are told as the last.
func TestFoldedTogether(t *testing.T) {
	onBoth(t, func(b *bed) {
		r := b.receiver(nil)
		b.channel(acme, notify.Webhook, r.URL, func(s *notify.Settings) { s.Filter.Changes = notify.Changes })
		b.found(acme, finding("short", tocsin.High), "raised")
		b.found(acme, finding("short", tocsin.High), "fixed")
		b.found(acme, finding("grew", tocsin.High), "raised")
		b.found(acme, finding("grew", tocsin.Critical), "updated")
		b.fold()
		b.serve()
		want(b, "told", r.types(b), "finding.opened 1")
		if f := read(b, r.taken()[0]).Data.Findings[0]; f.ID != "grew" || f.Severity != tocsin.Critical {
			b.Errorf("told of %+v", f)
		}
	})
}
