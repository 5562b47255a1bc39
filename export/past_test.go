package export_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev/export"
	"tocsin.dev/store"
)

var longAgo = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// makesPast makes an export of the past since a time, and of what comes.
func (b *bed) makesPast(address string, from time.Time, set func(*export.Settings)) (e export.Export) {
	b.Helper()
	s := export.Usual(export.Webhook)
	s.Name, s.Address, s.Wait, s.Batch = "The past", address, 0, 20
	if set != nil {
		set(&s)
	}
	b.update(func(t *store.Tenant) (err error) {
		e, _, err = b.x.Create(context.Background(), t, "owner@tocsin.example", export.Webhook, s, export.Given{From: from})
		return err
	})
	return e
}

// late makes an event that happened before all others, as one that was caught up on.
func (b *bed) late(at time.Time) string {
	b.Helper()
	b.n++
	id := number(b.n)
	b.update(func(t *store.Tenant) error {
		return t.Insert(context.Background(), store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}}, [][]any{{id, at, "EMAIL", "email_received", "zoe", mail(id, "zoe", at)}})
	})
	return id
}

// TestPast: what is stored since a time goes out first, in order, then what comes: each once, also what comes while the past goes
// out, and what comes late and is as old as the past. Stopped in the middle it goes on from there.
func TestPast(t *testing.T) {
	onBoth(t, func(b *bed) {
		another := b.late(longAgo.Add(-time.Hour)) // before the time that is asked for
		b.happen(300)
		b.late(longAgo)
		var got receiver
		var posts atomic.Int64
		hook := b.hook(func(r *http.Request, body []byte) (int, string) {
			switch posts.Add(1) {
			case 5: // behind where the past stands, and before it
				b.late(longAgo.Add(time.Minute))
				b.happen(30)
			case 8: // it is stopped here, in the middle
				<-r.Context().Done()
				return 503, ""
			case 9:
				b.late(time.Date(2026, 3, 15, 9, 0, 0, 10*1e6, time.UTC))
				b.happen(30)
			}
			got.lines(t, body)
			return 204, ""
		})
		e := b.makesPast(hook.URL, longAgo, nil)
		b.late(longAgo.Add(2 * time.Minute)) // after it was made, before the past is looked at
		stop := b.serve(e.ID)
		b.eventually("a part of the past", func() string {
			if n := posts.Load(); n < 8 {
				return fmt.Sprintf("%d posts", n)
			}
			return ""
		})
		stop()
		if at := b.get(e.ID); at.BackTo.IsZero() || at.BackSent == 0 || at.BackAt.Before(longAgo) {
			t.Errorf("in the middle of the past: %+v", at)
		}
		b.serve(e.ID)
		b.eventually("the past and what came", func() string {
			if at := b.get(e.ID); !at.BackTo.IsZero() || at.Behind > 0 {
				return fmt.Sprintf("%d of the past, %d behind", at.BackSent, at.Behind)
			}
			return ""
		})
		b.happen(10)
		b.caughtUp(e.ID)
		// What was on its way when it was stopped comes again; nothing else does.
		seen, last := map[string]bool{}, map[string]string{}
		repeats := 0
		got.mu.Lock()
		defer got.mu.Unlock()
		if got.all[0].person != "zoe" {
			b.Error("the oldest did not come first")
		}
		for _, g := range got.all {
			if seen[g.id] {
				repeats++
				continue
			}
			seen[g.id] = true
			if g.person != "zoe" && g.id < last[g.person] {
				b.Errorf("%s came after %s of the same person", g.id, last[g.person])
			}
			last[g.person] = g.id
		}
		for i := 1; i <= b.n; i++ {
			if want := number(i) != another; seen[number(i)] != want {
				b.Errorf("%s came: %v, want %v", number(i), !want, want)
			}
		}
		if repeats > 20 {
			b.Errorf("%d came more than once", repeats)
		}
		at := b.get(e.ID)
		if at.Sent != int64(b.n-1) || at.BackFrom.IsZero() || at.Lost != 0 || at.Trouble != "" {
			b.Errorf("in the end: %+v", at)
		}
		if n := b.number(`select count(*) from export_back where tenant = $1`); n != 0 {
			t.Errorf("%d notes of the past are left", n)
		}
	})
}

func (b *bed) number(query string) (n int) {
	b.Helper()
	if err := b.st.ViewTenant(context.Background(), acme, func(t *store.Tenant) error { return t.QueryRow(context.Background(), query).Scan(&n) }); err != nil {
		b.Fatal(err)
	}
	return n
}

// TestPastOfSome: of the past only what is wanted goes out, an empty past is no past, one that is to come is refused, and a
// receiver that refuses one of its events takes the others.
func TestPastOfSome(t *testing.T) {
	onBoth(t, func(b *bed) {
		b.happen(40)
		var got receiver
		hook := b.hook(func(_ *http.Request, body []byte) (int, string) {
			if strings.Contains(string(body), number(6)) {
				return 422, "not this one"
			}
			got.lines(t, body)
			return 200, ""
		})
		e := b.makesPast(hook.URL, longAgo, func(s *export.Settings) { s.People = []string{people[0]} })
		none := b.makesPast(hook.URL, time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC), nil)
		b.serve(e.ID)
		b.serve(none.ID)
		for _, id := range []string{e.ID, none.ID} {
			b.eventually("the past", func() string {
				if at := b.get(id); !at.BackTo.IsZero() {
					return at.State + " " + at.Because
				}
				return ""
			})
		}
		if n := got.count(); n != 12 { // of 13 of that person one is refused
			t.Errorf("%d came, want 12", n)
		}
		if at := b.get(e.ID); at.Refused != 1 || at.BackSent != 12 {
			t.Errorf("%d refused, %d of the past sent", at.Refused, at.BackSent)
		}
		err := b.st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			s := export.Usual(export.Webhook)
			s.Name, s.Address = "Tomorrow", hook.URL
			_, _, err := b.x.Create(t.Context(), tn, "o", export.Webhook, s, export.Given{From: b.st.Clock().Now().Add(time.Hour)})
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "past") {
			t.Errorf("a past that is to come: %v", err)
		}
	})
}

// TestTroubles: an export that is paused by what its receiver answers, or fails, or lags for long is told of once, until it has
// caught up; one that somebody pauses is not.
func TestTroubles(t *testing.T) {
	onBoth(t, func(b *bed) {
		var status atomic.Int64
		status.Store(503)
		hook := b.hook(func(*http.Request, []byte) (int, string) { return int(status.Load()), "" })
		e, _ := b.makes(export.Webhook, hook.URL, "", nil)
		told := 0
		look := func() string {
			t.Helper()
			before := b.number(`select count(*) from fact where tenant = $1 and kind = 'export.changed'`)
			if err := b.x.TellTroubles(t.Context()); err != nil {
				t.Fatal(err)
			}
			told += b.number(`select count(*) from fact where tenant = $1 and kind = 'export.changed'`) - before
			return b.get(e.ID).Trouble
		}
		b.happen(3)
		stop := b.serve(e.ID)
		b.eventually("a failure", func() string {
			if b.get(e.ID).Failures == 0 {
				return "none"
			}
			return ""
		})
		if is := look(); is != "" && b.st.Clock().Now().Sub(b.get(e.ID).Failed) < export.UsualLate {
			t.Errorf("at once it is told: %s", is)
		}
		b.st.Clock().Advance(20 * time.Minute)
		if is := look(); is != export.TroubleFailing {
			t.Errorf("after twenty minutes: %q", is)
		}
		look()
		status.Store(200)
		b.caughtUp(e.ID)
		if is := look(); is != "" || told != 2 {
			t.Errorf("after it caught up: %q, told %d times", is, told)
		}
		stop() // nobody serves it: it lags
		b.happen(3)
		b.st.Clock().Advance(20 * time.Minute)
		if is := look(); is != export.TroubleBehind {
			t.Errorf("left behind: %q", is)
		}
		status.Store(401)
		b.serve(e.ID)
		b.eventually("that it is paused", func() string { return map[bool]string{false: "not yet"}[b.get(e.ID).State == export.Paused] })
		if is := look(); is != export.TroublePaused {
			t.Errorf("turned away: %q", is)
		}
		b.update(func(tn *store.Tenant) error {
			_, err := b.x.Pause(context.Background(), tn, "owner", e.ID, true)
			return err
		})
		if is := look(); is != "" {
			t.Errorf("paused by somebody: %q", is)
		}
	})
}
