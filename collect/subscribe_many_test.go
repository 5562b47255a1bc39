package collect

import (
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
)

var subscribeMailboxes = flag.Int("subscribe.mailboxes", 200, "how many people TestSubscribeMany has; most have a mailbox")

// TestSubscribeMany: every mailbox is subscribed to within Graph's limits, without an answer of 429, and a round in which
// nothing is to be done asks nothing. With -subscribe.mailboxes 100000 -v it says how long that takes.
func TestSubscribeMany(t *testing.T) {
	inBoth(t, *subscribeMailboxes, "", func(f *field) {
		hook := &Hook{Key: make([]byte, 32), Clock: f.st.Clock(), Log: slog.New(slog.DiscardHandler)}
		address := httptest.NewServer(hook)
		defer address.Close()
		gc, err := graph.New(graph.Config{Cloud: graph.Own(sim.Address, sim.Address), Tenant: f.w.Tenant(), Client: f.w.ClientID(), Secret: f.w.Secret(), HTTP: &http.Client{Transport: f}})
		if err != nil {
			t.Fatal(err)
		}
		gc.Lead(true)
		f.c.Graph = gc
		f.c.Webhook = Webhook{URL: address.URL, Key: hook.Key, Connection: "c"}
		f.ask("users")
		f.exec(`update person set mailbox = 'read' where tenant = $1 and kind <> 'guest' and licensed = true and enabled = true`)
		// One of the mailboxes is kept from the app, one is not there: that speaks for no other.
		before := f.w.Requests()
		began := time.Now()
		f.ask("subscriptions")
		took := time.Since(began)
		f.want("subscriptions that are not on", `select count(*) from subscription where tenant = $1 and state not in ('on', 'refused')`, "0")
		f.want("people who are not looked at", `select count(*) from person p where p.tenant = $1 and p.mailbox = 'read' and not exists (select 1 from subscription s where s.tenant = p.tenant and s.person = p.person)`, "0")
		on := len(f.w.Subscriptions())
		if got := f.rows(`select count(*) from subscription where tenant = $1 and state = 'on'`); on == 0 || got[0] != strconv.Itoa(on) {
			t.Errorf("%s are on here, and %d are there", got[0], on)
		}
		after := f.w.Requests()
		if n := after.Throttled - before.Throttled; n > 0 {
			t.Errorf("%d answers of 429", n)
		}
		if got := f.rows(`select succeeded > failed, done, total from source where tenant = $1 and name = 'subscriptions'`); got[0] != fmt.Sprintf("1 %d %[1]d", len(f.rows(`select person from subscription where tenant = $1`))) {
			t.Errorf("the source says %q", got)
		}
		began = time.Now()
		f.ask("subscriptions")
		idle := time.Since(began)
		refused := len(f.rows(`select person from subscription where tenant = $1 and state = 'refused'`)) // some of which may be due again
		if n := f.w.Requests().Total - after.Total; n > int64(refused) {
			t.Errorf("a round with nothing to do made %d requests", n)
		}
		began = time.Now()
		_, _, err = f.c.dueSubscriptions(t.Context())
		t.Logf("%d of %d subscribed in %s (%.0f a second), %d calls, 429: %d; a round with nothing to do %s, what is due %s", on, *subscribeMailboxes, took.Round(time.Millisecond),
			float64(on)/took.Seconds(), after.Total-before.Total, after.Throttled-before.Throttled, idle.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
	})
}
