package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// hears makes a server that the tenant can tell of mail, and runs both.
func hears(t *testing.T, c Config, w *sim.Sim) *subject {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	hooks := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := handler.Load(); h != nil {
			(*h).ServeHTTP(rw, r)
			return
		}
		rw.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(hooks.Close)
	c.Hooks.URL = hooks.URL
	b := begin(t, c, w, nil)
	h := b.s.Handler()
	handler.Store(&h)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return b
}

// count gives the number that a query of the tenant gives.
func (b *subject) count(query string, args ...any) (n int) {
	b.Helper()
	err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error { return t.QueryRow(b.Context(), query, args...).Scan(&n) })
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// subscribed waits until every mailbox that can be read is told of, and gives where the truth stands then.
func (b *subject) subscribed() int { return b.subscribedOf(allSources...) }

// subscribedOf is subscribed where only these sources can be read.
func (b *subject) subscribedOf(sources ...string) int {
	b.Helper()
	b.reads(time.Time{}, sources...)
	eventually(b.T, "the subscriptions", func() string {
		on, all := b.count(`select count(*) from subscription where tenant = $1 and state = 'on'`), b.count(`select count(*) from person where tenant = $1 and mailbox = 'read'`)
		if on == 0 || on < all {
			return fmt.Sprintf("%d of %d", on, all)
		}
		return ""
	})
	return len(b.truth(0))
}

// truth is what the simulator did since its line n.
func (b *subject) truth(n int) []sim.Truth {
	b.Helper()
	all, err := b.w.Truth()
	if err != nil {
		b.Fatal(err)
	}
	return all[n:]
}

// heardAll waits until nothing is under way any more: no notification, no item, nothing parked, no gap.
func (b *subject) heardAll() {
	b.Helper()
	eventually(b.T, "the stream", b.open)
}

// matches says where the tables differ from the truth since line n; short is how many messages came and went unseen.
func (b *subject) matches(n int) (lacks []string, short int) {
	a := b.accounts(n)
	return a.lacks, a.short()
}

// short is how many messages came and were gone before anybody could look.
func (a account) short() int { return a.Unseen + a.Ends + a.Unknown }

// TestStream: what people do with their mail is in the events, once each, whatever becomes of the notifications; and what
// nobody can tell any more is counted.
func TestStream(t *testing.T) {
	everyTenth := func(kind sim.FaultKind) func(*subject) {
		return func(b *subject) {
			if err := b.w.Fault(sim.Fault{Kind: kind, Every: 10}); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		before func(b *subject)
		during func(b *subject)
		gaps   bool                    // there must be some
		on     func(testing.TB) string // the database; nil: SQLite
	}{
		{name: "calm"},
		{name: "repeated, overtaken and garbage", before: func(b *subject) {
			everyTenth(sim.NoticeRepeated)(b)
			everyTenth(sim.NoticeOvertaken)(b)
			everyTenth(sim.NoticeGarbage)(b)
		}},
		{name: "a tenth lost", before: everyTenth(sim.NoticeLost), gaps: true, on: storetest.PostgresAddress},
		{name: "subscriptions removed, told and in silence", gaps: true, during: func(b *subject) {
			for _, silent := range []bool{false, true} {
				if n, err := b.w.RemoveSubscriptions("", 3, silent); err != nil || n == 0 {
					b.Fatalf("%d removed, %v", n, err)
				}
			}
			b.hurry()
		}},
		{name: "said to have missed some", gaps: true, during: func(b *subject) {
			if _, err := b.w.Lifecycle("missed", "", 2); err != nil {
				b.Fatal(err)
			}
		}},
		{name: "authorization lapsed", during: func(b *subject) {
			if _, err := b.w.Lapse("", 2); err != nil {
				b.Fatal(err)
			}
		}},
		{name: "messages refused for a while", on: storetest.PostgresAddress, before: func(b *subject) {
			if err := b.w.Fault(sim.Fault{Kind: sim.Broken, Path: "/users/*/messages/*", Every: 3}); err != nil {
				b.Fatal(err)
			}
		}, during: func(b *subject) { b.w.Heal() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t, 40)
			conf := pressed(t)
			if c.gaps { // a comparison takes what is told of late for left out
				conf.Every.Reconcile = 3 * time.Second
			}
			if c.on != nil {
				conf.Database = c.on(t)
			}
			b := hears(t, conf, w)
			n := b.subscribed()
			if c.before != nil {
				c.before(b)
			}
			for range 8 {
				if err := w.Traffic(100); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			if c.during != nil {
				c.during(b)
			}
			if err := w.Traffic(200); err != nil {
				t.Fatal(err)
			}
			b.heardAll()
			eventually(t, "the events", func() string {
				if lacks, _ := b.matches(n); len(lacks) > 0 {
					return fmt.Sprintf("%d differ, such as %s", len(lacks), lacks[0])
				}
				return ""
			})
			if gaps := b.count(`select count(*) from mail_gap where tenant = $1`); (gaps > 0) != c.gaps {
				t.Errorf("%d gaps", gaps)
			}
			if dead := b.count(`select count(*) from dead_letter where tenant = $1`); dead > 0 {
				t.Errorf("%d dead letters", dead)
			}
			if v := w.Violations(); len(v) > 0 {
				t.Errorf("it asked for content: %v", v)
			}
		})
	}
}

// hurry makes every subscription due, as half a life later.
func (b *subject) hurry() {
	b.Helper()
	err := b.s.Store.UpdateTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		_, err := t.Exec(b.Context(), `update subscription set due = 0 where tenant = $1`)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// TestStreamDisconnected: disconnecting ends what Graph tells; connecting again finds what happened meanwhile, in a gap.
func TestStreamDisconnected(t *testing.T) {
	w := world(t, 12)
	b := hears(t, pressed(t), w)
	n := b.subscribed()
	if err := w.Traffic(60); err != nil {
		t.Fatal(err)
	}
	b.heardAll()
	if err := b.s.Connections.Close(t.Context(), "test", b.tenant(), b.conn.ID, connect.Keep); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the closing", func() string {
		if c, err := b.s.Connections.Get(t.Context(), b.tenant(), b.conn.ID); err != nil || c.State != connect.Closed {
			return fmt.Sprint(c.State, err)
		}
		return ""
	})
	if left, err := w.RemoveSubscriptions("", 1, true); err != nil || left > 0 {
		t.Errorf("%d subscriptions are left in the tenant, %v", left, err)
	}
	if err := w.Traffic(60); err != nil {
		t.Fatal(err)
	}
	if _, err := b.s.Connections.Rotate(t.Context(), "test", b.tenant(), b.conn.ID, connect.Credential{Secret: w.Secret()}); err != nil {
		t.Fatal(err)
	}
	b.subscribed()
	if err := w.Traffic(60); err != nil {
		t.Fatal(err)
	}
	b.heardAll()
	eventually(t, "the events", func() string {
		if lacks, _ := b.matches(n); len(lacks) > 0 {
			return fmt.Sprintf("%d differ, such as %s", len(lacks), lacks[0])
		}
		return ""
	})
	if b.count(`select count(*) from mail_gap where tenant = $1 and because like 'The mailbox was not watched%' and found > 0`) == 0 {
		t.Error("no gap says that nobody watched")
	}
}
