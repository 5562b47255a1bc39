package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// sets changes how the connection's mail is watched, as its owner does.
func (b *subject) sets(e api.StreamEdit) api.StreamSettings {
	b.Helper()
	ctx := api.WithCaller(b.Context(), api.Caller{Email: "owner@tocsin.example", By: "session", Grants: []api.Grant{{Tenant: "*", Role: api.Owner}}})
	at := api.ByID{In: api.In{Tenant: b.tenant()}, ID: b.conn.ID}
	is, err := b.s.API.StreamSettingsOf(ctx, at)
	if err != nil {
		b.Fatal(err)
	}
	e.Version = is.Version
	if is, err = b.s.API.SetStream(ctx, api.SetStreamIn{ByIDAct: api.ByIDAct{ByID: at}, Body: e}); err != nil {
		b.Fatal(err)
	}
	return is
}

// watches waits until Graph tells of exactly so many mailboxes, for these changes, and our table says so.
func (b *subject) watches(n int, changes string) {
	b.Helper()
	eventually(b.T, "the subscriptions", func() string {
		subs := b.w.Subscriptions()
		other := slices.IndexFunc(subs, func(s sim.Subscribed) bool { return s.Changes != changes })
		on := b.count(`select count(*) from subscription where tenant = $1 and state = 'on' and changes = $2`, changes)
		rest := b.count(`select count(*) from subscription where tenant = $1 and state not in ('on', 'off')`)
		if len(subs) != n || other >= 0 || on != n || rest > 0 {
			return fmt.Sprintf("%d at Microsoft, one of other changes at %d, %d here, %d are seen to", len(subs), other, on, rest)
		}
		return ""
	})
}

// TestStreamSettings: what is set of a connection's stream is in force without a restart.
func TestStreamSettings(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		w := world(t, 30)
		conf := pressed(t)
		conf.Database = address
		b := hears(t, conf, w)
		b.subscribed()
		all := b.count(`select count(*) from subscription where tenant = $1`)
		traffic := func() {
			t.Helper()
			if err := w.Traffic(150); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the stream", func() string {
				lag, err := b.s.reader.Lag(t.Context())
				if d := w.Deliveries(); err != nil || d.Waiting > 0 || lag > 0 {
					return fmt.Sprint(d, lag, err)
				}
				return ""
			})
		}
		since := func() int { // of a second that is over: Graph tells of whole seconds
			last := b.count(`select coalesce(max(at), 0) from event where tenant = $1`)
			eventually(t, "the next second", func() string {
				if now := b.s.Clock.Now(); now.Unix() <= int64(last)/1000 {
					return fmt.Sprint(now, " is of the same second as ", last)
				}
				return ""
			})
			return last
		}
		traffic()

		department := b.texts(`select department from person p join subscription s on s.tenant = p.tenant and s.person = p.person where p.tenant = $1 and department <> '' group by department order by count(*) desc, department`)[0]
		in := b.count(`select count(*) from person p join subscription s on s.tenant = p.tenant and s.person = p.person where p.tenant = $1 and department = $2`, department)
		one := b.texts(`select p.mail from person p join subscription s on s.tenant = p.tenant and s.person = p.person where p.tenant = $1 and department <> $2 and p.mail <> '' order by p.mail`, department)[0]
		only := "only"
		b.sets(api.StreamEdit{Mailboxes: &only, Departments: []string{strings.ToUpper(department)}, People: []string{one}})
		b.watches(in+1, "created,updated,deleted")
		if n := b.count(`select count(*) from mail_ledger where tenant = $1 and unwatched > 0 and since = 0`); n != all-in-1 {
			t.Errorf("%d ledgers say that they are not watched by choice, not %d", n, all-in-1)
		}
		before := b.count(`select count(*) from event e join subscription s on s.tenant = e.tenant and s.person = e.person where e.tenant = $1 and e.type = 'EMAIL' and s.state = 'off'`)
		traffic()
		if n := b.count(`select count(*) from event e join subscription s on s.tenant = e.tenant and s.person = e.person where e.tenant = $1 and e.type = 'EMAIL' and s.state = 'off'`); n != before {
			t.Errorf("%d events of mailboxes that are not watched", n-before)
		}
		if n := b.count(`select count(*) from mail m join subscription s on s.tenant = m.tenant and s.person = m.person where m.tenant = $1 and s.state = 'off'`); n > 0 {
			t.Errorf("%d messages of mailboxes that are not watched are held", n)
		}

		// The other way round, by two changes in a row; what is told of, too.
		except := "except"
		b.sets(api.StreamEdit{Changes: []string{"deleted", "created"}})
		b.sets(api.StreamEdit{Mailboxes: &except, Clear: []string{"people"}})
		b.watches(all-in, "created,deleted")
		if n := b.count(`select count(*) from mail_gap where tenant = $1 and because like 'It was not watched%' and closed > 0 and found = 0`); n != all-in-1 {
			t.Errorf("%d gaps by choice, not %d", n, all-in-1)
		}
		if n := b.count(`select count(*) from mail_gap where tenant = $1 and because not like 'It was not watched%'`); n > 0 {
			t.Errorf("%d gaps were made by changing settings", n)
		}
		from := since()
		traffic()
		if n := b.count(`select count(*) from event where tenant = $1 and type = 'EMAIL' and at > $2 and action not in ('email_received', 'email_sent', 'email_deleted', 'email_drafted')`, from); n > 0 {
			t.Errorf("%d events of changes that nobody asked for", n)
		}

		// Everything again, with names hashed, and nothing of what is sent.
		whole, yes := "all", true
		b.sets(api.StreamEdit{Mailboxes: &whole, Changes: []string{"created", "updated", "deleted"}, Folders: []string{"sentitems", "archive"}, Hashing: &yes, Clear: []string{"departments"}})
		b.watches(all, "created,updated,deleted")
		from = since()
		now := tocsin.Millis(b.s.Clock.Now())
		traffic()
		bodies := b.mailEvents("at > $2", from)
		if len(bodies) == 0 {
			t.Fatalf("nothing was told after %d; %q waits; the last: %q", from, b.texts(`select because from parked where tenant = $1`),
				b.texts(`select action || ' ' || cast(at as text) from event where tenant = $1 order by at desc limit 5`))
		}
		for _, body := range bodies {
			raw := body[strings.Index(body, `"raw_metadata"`):]
			if strings.Contains(raw, "@") || !strings.Contains(raw, `"from_name":null`) || !strings.Contains(raw, `"from_domain":"`) || !strings.Contains(raw, `"is_external":`) {
				t.Fatalf("an event says who wrote: %s", body)
			}
		}
		if n := b.count(`select count(*) from event where tenant = $1 and type = 'EMAIL' and at > $2 and action = 'email_sent'`, from); n > 0 {
			t.Errorf("%d events of what was sent", n)
		}
		for _, body := range b.texts(`select body from mail where tenant = $1 and changed > $2`, now) {
			if !strings.Contains(body, `"hidden":true`) || strings.Contains(body, `"name":"`) && !strings.Contains(body, `"name":""`) {
				t.Fatalf("a message says who wrote: %s", body)
			}
		}
		if n := b.count(`select count(*) from tenant_key where tenant = $1`); n != 1 {
			t.Errorf("%d keys", n)
		}

		// The key does not open any more: what comes waits, with the reason, and nothing is at a stand; with a new key it goes on.
		err := b.s.Store.UpdateTenant(b.Context(), b.tenant(), func(tx *store.Tenant) error {
			_, err := tx.Exec(b.Context(), `update tenant_key set sealed = $2 where tenant = $1`, []byte("\x01\xff\xff\xff\xff of another key"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		waits := `select count(*) from parked where tenant = $1 and because like 'The key by which names are hashed does not open.%'`
		was := b.count(`select count(*) from event where tenant = $1 and type = 'EMAIL'`)
		traffic()
		if n := b.count(waits); n == 0 {
			t.Error("nothing waits for the key")
		}
		if n := b.count(`select count(*) from event where tenant = $1 and type = 'EMAIL'`); n != was {
			t.Errorf("%d events were made without the key", n-was)
		}
		if is := b.sets(api.StreamEdit{}); !is.KeyShut {
			t.Error("the settings do not say that the key does not open")
		}
		if n := b.count(waits); n == 0 {
			t.Error("settings that ask for no new key made one")
		}
		if is := b.sets(api.StreamEdit{NewHashKey: true}); is.KeyShut {
			t.Error("the settings say that the new key does not open")
		}
		eventually(t, "what waited for the key", func() string {
			if n := b.count(`select count(*) from parked where tenant = $1`); n > 0 {
				return fmt.Sprint(n, " wait")
			}
			return ""
		})
		if n := b.count(`select count(*) from event where tenant = $1 and type = 'EMAIL'`); n == was {
			t.Error("nothing of what waited was told")
		}
		if n := b.count(`select count(*) from dead_letter where tenant = $1`); n > 0 {
			t.Errorf("%d dead letters", n)
		}
		if v := w.Violations(); len(v) > 0 {
			t.Errorf("it asked for content: %v", v)
		}
	})
}

// TestStreamSettingsRefused: settings that cannot be are refused with what to do, and change nothing.
func TestStreamSettingsRefused(t *testing.T) {
	b := begin(t, settings(t), world(t, 8), nil)
	ctx := api.WithCaller(t.Context(), api.Caller{Email: "owner@tocsin.example", By: "session", Grants: []api.Grant{{Tenant: "*", Role: api.Owner}}})
	at := api.ByID{In: api.In{Tenant: b.tenant()}, ID: b.conn.ID}
	only, odd, many := "only", "odd", 21
	for what, e := range map[string]api.StreamEdit{
		"nobody named": {Mailboxes: &only}, "odd mailboxes": {Mailboxes: &odd}, "odd change": {Changes: []string{"moved"}}, "no change": {Changes: []string{}},
		"odd folder": {Folders: []string{"inbox"}}, "odd form": {Form: &odd}, "a large batch": {Batch: &many}, "nobody": {People: []string{"nobody@nowhere.example"}},
		"no group": {Groups: []string{"none"}}, "no department": {Departments: []string{"none"}}, "no domain": {Domains: []string{"a b"}}, "no list": {Clear: []string{"all"}},
	} {
		_, err := b.s.API.SetStream(ctx, api.SetStreamIn{ByIDAct: api.ByIDAct{ByID: at}, Body: e})
		if p := tocsin.AsProblem(err); err == nil || p.Code != tocsin.Invalid || p.Do == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	yes := true
	edit := api.SetStreamIn{ByIDAct: api.ByIDAct{ByID: at}, Body: api.StreamEdit{Hashing: &yes}}
	if _, err := b.s.API.SetStream(ctx, edit); err != nil {
		t.Fatal(err)
	}
	if _, err := b.s.API.SetStream(ctx, edit); tocsin.AsProblem(err).Code != tocsin.Conflict {
		t.Errorf("a version that is not the last: %v", err)
	}
}
