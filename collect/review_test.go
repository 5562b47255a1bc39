package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// TestDecidedMeanwhile: what an analyst decides between the fold's reading of a finding and its writing is not undone.
func TestDecidedMeanwhile(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"))
		row := func() (h filed, x tocsin.Finding) {
			b.inTenant(func(ctx context.Context, t *store.Tenant) error {
				return t.QueryRow(ctx, `select id, rule, body, status, accepted_until from finding where tenant = $1`).Scan(&h.id, &h.rule, &h.body, &h.status, &h.until)
			})
			return h, tocsin.Finding{ID: h.id, Rule: h.rule, Person: amy, Title: tocsin.NewID(), Severity: tocsin.High}
		}
		meets := func(what string, h filed, act func(context.Context, *filing) error, want, history string) {
			b.st.Clock().Advance(time.Millisecond)
			b.Helper()
			b.inTenant(func(ctx context.Context, t *store.Tenant) error {
				f := &filing{t: t, now: b.st.Clock().Now()}
				if err := act(ctx, f); err != nil {
					return err
				}
				return f.write(ctx)
			})
			b.expect(what, "forward-outside", want, history)
		}
		for _, decided := range []tocsin.Status{tocsin.Accepted, tocsin.FalseAlarm} {
			b.exec(`update finding set status = 'open', accepted_until = 0 where tenant = $1`)
			b.exec(`delete from finding_change where tenant = $1`)
			h, x := row()
			b.decide("forward-outside", decided, b.st.Clock().Now().Add(time.Hour))
			meets("gone", h, func(ctx context.Context, f *filing) error { return f.gone(ctx, h, false, nil) }, string(decided), "")
			meets("again", h, func(ctx context.Context, f *filing) error { return f.again(ctx, &x, h) }, string(decided), "updated")
			h.status = string(tocsin.Fixed)
			meets("back", h, func(ctx context.Context, f *filing) error { return f.again(ctx, &x, h) }, string(decided), "updated")
		}
		// Taken into work meanwhile, it is fixed all the same; accepted anew after the end, it stays.
		h, _ := row()
		b.decide("forward-outside", tocsin.InWork, time.Time{})
		meets("in work", h, func(ctx context.Context, f *filing) error { return f.gone(ctx, h, false, nil) }, "fixed", "updated fixed")
		b.decide("forward-outside", tocsin.Accepted, b.st.Clock().Now().Add(-time.Minute))
		h, x := row()
		b.decide("forward-outside", tocsin.Accepted, b.st.Clock().Now().Add(time.Hour))
		meets("accepted anew", h, func(ctx context.Context, f *filing) error { return f.again(ctx, &x, h) }, "accepted", "updated fixed")
	})
}

func (b *bed) inTenant(do func(context.Context, *store.Tenant) error) {
	b.Helper()
	if err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error { return do(b.Context(), t) }); err != nil {
		b.Fatal(err)
	}
}

// TestRejudgedByFirstLook: a guest and a group that are seen first after the rule that sends mail to them.
func TestRejudgedByFirstLook(t *testing.T) {
	onBoth(t, func(b *bed) {
		j := b.journal()
		r := b.reads(j)
		people := b.settle("amy", "bob")
		b.rules(people[0], forwards("r1", "On", "guest@x.example"))
		b.rules(people[1], forwards("r2", "On", "team@x.example"))
		b.follow(j)
		b.folded(r)
		b.same("nobody is known behind it", b.rows(`select subject from finding where tenant = $1 and rule = 'forward-to-group-or-contact'`))
		id, p := b.amy("guest")
		p.Kind = "guest"
		p.Mail, p.Addresses = "eve@evil.example", nil
		b.fold(b.item(kindPerson, id, p))
		b.follow(j)
		b.folded(r)
		b.same("the first sync is under way", b.rows(`select subject from finding where tenant = $1 and rule = 'forward-to-group-or-contact'`))
		b.exec(`insert into source (tenant, name, due) values ($1, 'subscriptions', 99)`)
		b.inTenant(func(ctx context.Context, t *store.Tenant) error { return firstEnded(ctx, t, "rules") })
		b.want("all mailboxes are known, and subscribed to at once", `select due from source where tenant = $1 and name = 'subscriptions'`, "0")
		b.exec(`insert into source (tenant, name, succeeded) values ($1, 'rules', 1)`)
		b.follow(j)
		b.folded(r)
		b.same("the guest", b.rows(`select subject, status from finding where tenant = $1 and rule = 'forward-to-group-or-contact'`), "r1 open")
		b.fold(b.item(kindGroup, "g1", groupSeen{ID: "g1", Mail: "team@x.example", Kind: "distribution"}),
			b.item(kindMembers, "g1", membersSeen{Group: "g1", Outside: []tocsin.Address{{Address: "eve@evil.example"}}}))
		b.follow(j)
		b.folded(r)
		open := `select subject from finding where tenant = $1 and rule = 'forward-to-group-or-contact' and status = 'open' order by subject`
		b.same("the group", b.rows(open), "r1", "r2")

		// The addresses are taken away, and nobody else has them.
		p.UPN = "other@x.example"
		b.fold(b.item(kindPerson, id, p))
		b.follow(j)
		b.folded(r)
		b.same("a guest's address is taken away", b.rows(open), "r2")
		b.fold(b.item(kindGroup, "g1", groupSeen{ID: "g1", Mail: "group@x.example", Kind: "distribution"}))
		b.follow(j)
		b.folded(r)
		b.same("a group's too", b.rows(open))
	})
}

// TestFirstLookConcernsAll: first looks are told as one fact of nobody, which concerns all whose rules send mail on.
func TestFirstLookConcernsAll(t *testing.T) {
	for _, kind := range []string{"group.changed", "person.changed"} {
		if query, args := concerned(&store.Fact{Kind: kind, Body: []byte(`{"count":3}`)}, time.Time{}); !strings.Contains(query, "from rule_target") || len(args) != 0 {
			t.Errorf("%s of nobody: %q %v", kind, query, args)
		}
	}
}

// shortLived makes a rule and deletes it, and gives the query for what is found of it.
func (b *bed) shortLived(person tocsin.PersonID) string {
	b.Helper()
	b.rules(person)
	b.rules(person, forwards("r1", "Pay", "drop@evil.example"))
	b.st.Clock().Advance(10 * time.Minute)
	b.rules(person)
	const query = `select status from finding where tenant = $1 and rule = 'short-lived-rule'`
	b.same("a short-lived rule", b.rows(query), "open")
	return query
}

func (b *bed) tellEnds() {
	b.Helper()
	b.inTenant(tellEnds)
}

// TestShortLivedRejudged: what is found of a rule that is gone heeds an exception, the exception's end, and its own.
func TestShortLivedRejudged(t *testing.T) {
	onBoth(t, func(b *bed) {
		j := b.journal()
		r := b.reads(j)
		query := b.shortLived(b.settle("amy")[0])
		after := func(what, want string) {
			b.Helper()
			b.tellEnds()
			b.follow(j)
			b.folded(r)
			b.same(what, b.rows(query), want)
		}
		b.tellEnds()
		soon := tocsin.Millis(b.st.Clock().Now().Add(time.Hour))
		b.exec(`insert into exception (tenant, id, rule, scope, value, owner, reason, expires, created, created_by) values ($1, 'e1', '*', 'person', 'amy@x.example', 'Amy', 'ours', $2, 1, 'Amy')`, soon)
		b.inTenant(func(ctx context.Context, t *store.Tenant) error {
			return t.Append(ctx, store.Fact{Kind: "exception.changed", Subject: "e1"})
		})
		after("excepted", "fixed")
		b.st.Clock().Advance(2 * time.Hour)
		after("the exception's end", "open")
		b.st.Clock().Advance(remembered)
		after("its own end", "fixed")
		b.same("it is told once", b.since(b.tellEnds))
	})
}

// TestMailboxGone: when a mailbox is no more, what was found in it is fixed, and sweeps do not count it; one that is only
// out of reach stays as it was seen. When it is there again it is judged again.
func TestMailboxGone(t *testing.T) {
	sweep := func(b *bed) {
		b.Helper()
		if err := stream.Fold(b.Context(), b.st, "sweep", store.Lane(acme), Sweep); err != nil {
			b.Fatal(err)
		}
	}
	open := `select rule, person from finding where tenant = $1 and status = 'open' and rule in ('forward-outside', 'shared-destination') order by rule, person`
	for kind, none := range map[string]func(state string) any{
		kindRules:    func(state string) any { return rulesSeen{State: state, Absent: "why"} },
		kindSettings: func(state string) any { return settingsSeen{State: state, Absent: "why"} },
	} {
		onBoth(t, func(b *bed) {
			people := b.settle("amy", "bob")
			amy, bob := people[0], people[1]
			rule := forwards("r", "Pay", "drop@evil.example")
			b.rules(amy, rule)
			b.rules(bob, rule)
			sweep(b)
			both := b.rows(open)
			if len(both) < 3 {
				b.Fatalf("found before: %q", both)
			}
			b.fold(b.item(kind, bob, none("out_of_scope")))
			sweep(b)
			b.same("out of scope", b.rows(open), both...)
			b.fold(b.item(kind, bob, none("none")))
			sweep(b)
			b.same("gone", b.rows(open), "forward-outside "+string(amy))
			b.want("destinations", `select person from rule_target where tenant = $1`, string(amy))
			b.same("gone still", b.since(func() { b.fold(b.item(kind, bob, none("none"))) }))
			b.rules(bob, rule)
			sweep(b)
			b.same("there again", b.rows(open), both...)

			_, guest := b.amy("bob")
			guest.Kind = "guest"
			b.fold(b.item(kindPerson, bob, guest))
			sweep(b)
			b.same("a guest now", b.rows(open), "forward-outside "+string(amy))
			b.fold(b.item(kindPerson, amy, personSeen{Object: "object-amy", Removed: true}))
			sweep(b)
			b.same("deleted", b.rows(open))
		})
	}
}

// TestTellEnds: what ends is told in every tenant, without a collector, and once.
func TestTellEnds(t *testing.T) {
	onBoth(t, func(b *bed) {
		all := []tocsin.TenantID{acme, "99999999-2222-4333-8444-555555555555"}
		soon := tocsin.Millis(b.st.Clock().Now().Add(time.Hour))
		for i, id := range all {
			b.tenant = id
			if i > 0 {
				b.exec(`insert into tenant (tenant, name, created) values ($1, 'Other', 1)`)
			}
			b.exec(`insert into partner (tenant, domain, owner, reason, expires, created) values ($1, 'p.example', 'Amy', 'ours', $2, 1)`, soon)
		}
		tell := func() {
			if err := TellEnds(b.Context(), b.st); err != nil {
				b.Fatal(err)
			}
		}
		tell()
		b.st.Clock().Advance(2 * time.Hour)
		for i, id := range all {
			b.tenant = id
			if i == 0 {
				b.same("the first", b.since(tell), "settings.changed p.example")
			} else {
				out, _ := b.facts(0)
				b.same("the other", out, "settings.changed p.example")
			}
			b.same("once", b.since(tell))
		}
	})
}

// TestTwoHoldersOfAnAddress: whoever stands behind an address that two have is the same on each engine and each time.
func TestTwoHoldersOfAnAddress(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob", "cat", "dan")
		slices.Sort(people)
		look := func(want tocsin.PersonID) {
			b.Helper()
			b.inTenant(func(ctx context.Context, t *store.Tenant) error {
				k, err := lookup(ctx, t, nil, "both@x.example")
				if k.Person != want {
					b.Errorf("%s stands behind it, want %s", k.Person, want)
				}
				return err
			})
		}
		for _, i := range []int{3, 0, 2, 1} {
			b.exec(`insert into person_address (tenant, address, person) values ($1, 'both@x.example', $2)`, string(people[i]))
		}
		look(people[0])
		b.exec(`update person set kind = 'guest' where tenant = $1 and person in ($2, $3)`, string(people[0]), string(people[1]))
		look(people[2])
		for _, id := range []string{"g2", "g1", "g3"} {
			b.fold(b.item(kindGroup, tocsin.PersonID(id), groupSeen{ID: id, Name: id, Mail: "all@x.example", Kind: "distribution"}))
		}
		b.inTenant(func(ctx context.Context, t *store.Tenant) error {
			k, err := lookup(ctx, t, nil, "all@x.example")
			if k.Name != "g1" {
				b.Errorf("%s stands behind it, want g1", k.Name)
			}
			return err
		})
	})
}

// TestAskedAnewMeanwhile: a round that is under way undoes neither that its source was made due nor that all is to be
// asked from the beginning.
func TestAskedAnewMeanwhile(t *testing.T) {
	inBoth(t, 20, "", func(f *field) {
		f.ask("users")
		state := `select token = '', succeeded, due from source where tenant = $1 and name = 'users'`
		meanwhile := func(do func(), broken bool) {
			f.Helper()
			once := sync.OnceFunc(do)
			f.between = func(r *http.Request, res *http.Response) *http.Response {
				if strings.HasSuffix(r.URL.Path, "/users/delta") {
					once()
					if broken {
						res.StatusCode = http.StatusForbidden
					}
				}
				return res
			}
			f.ask("users")
			f.between = nil
		}
		askAll := func() {
			if err := f.st.Update(context.Background(), func(tx *store.Tx) error { return AskAll(context.Background(), tx) }); err != nil {
				f.Error(err)
			}
		}
		meanwhile(askAll, false)
		f.want("all is asked", state, "1 0 0")
		f.ask("users")
		f.want("and was", `select token <> '', succeeded > 0, due > 0 from source where tenant = $1 and name = 'users'`, "1 1 1")
		meanwhile(askAll, true)
		f.want("all is asked, and the round failed", state, "1 0 0")
		f.ask("users")
		due := func() { f.exec(`update source set due = 0 where tenant = $1`) }
		for _, broken := range []bool{false, true} {
			meanwhile(due, broken)
			f.want("it is due", `select due from source where tenant = $1 and name = 'users'`, "0")
		}
	})
}

// TestSeenTwiceInAWholeRound: what changes while a whole round is read: who is told again in part is asked for, and who is
// told again as removed is removed; a further piece of a group is none of these.
func TestSeenTwiceInAWholeRound(t *testing.T) {
	inBoth(t, 20, "", func(f *field) {
		f.ask("domains")
		again := func(path string, pick func(o map[string]any) bool, extra func(id any) []any) {
			f.between = func(r *http.Request, res *http.Response) *http.Response {
				if res.StatusCode != http.StatusOK || !strings.HasSuffix(r.URL.Path, path) {
					return res
				}
				raw, err := io.ReadAll(res.Body)
				var page map[string]any
				if err != nil || json.Unmarshal(raw, &page) != nil {
					panic("a page that does not read")
				}
				list := page["value"].([]any)
				if i := slices.IndexFunc(list, func(o any) bool { return pick(o.(map[string]any)) }); i >= 0 {
					page["value"] = append(list, extra(list[i].(map[string]any)["id"])...)
				}
				out, err := json.Marshal(page)
				if err != nil {
					panic(err)
				}
				res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(out)), int64(len(out))
				res.Header.Del("Content-Length")
				return res
			}
		}
		var part, gone any
		again("/users/delta", func(o map[string]any) bool { return o["mail"] != nil && o["@removed"] == nil }, func(id any) []any {
			if part == nil {
				part = id
				return []any{map[string]any{"id": id, "accountEnabled": false}}
			}
			return nil
		})
		asked := f.calls("/users/{user-id}")
		f.ask("users")
		f.ok("users")
		f.want("told in part, it is whole", `select name <> '', mail <> '', deleted from person where tenant = $1 and object_id = '`+fmt.Sprint(part)+`'`, "1 1 0")
		if n := f.calls("/users/{user-id}") - asked; part == nil || n != 1 {
			f.Errorf("who was told again in part (%v) was asked for %d times: %v", part, n, f.w.Requests().Calls)
		}

		f.exec(`update source set token = '' where tenant = $1`)
		again("/users/delta", func(o map[string]any) bool { return o["id"] != part }, func(id any) []any {
			if gone == nil {
				gone = id
				return []any{map[string]any{"id": id, "@removed": map[string]any{"reason": "deleted"}}}
			}
			return nil
		})
		f.ask("users")
		f.want("told as removed", `select object_id from person where tenant = $1 and deleted > 0`, fmt.Sprint(gone))

		piece := false
		again("/groups/delta", func(o map[string]any) bool { return o["mail"] != nil }, func(id any) []any {
			piece = true
			return []any{map[string]any{"id": id, "members@delta": []any{}}}
		})
		f.ask("groups")
		f.ok("groups")
		f.want("a further piece", `select count(*) from mail_group where tenant = $1 and name = ''`, "0")
		if !piece {
			f.Error("no group was told in pieces")
		}
	})
}

// TestRefusedTogether: whether refusals mean their mailboxes or that a permission is not granted is decided over the round.
func TestRefusedTogether(t *testing.T) {
	inBoth(t, 500, "", func(f *field) {
		f.ask("domains", "users")
		asks := func(answers func(n int) bool) (asked int, err error) {
			var mu sync.Mutex
			f.st.Clock().Advance(25 * time.Hour)
			f.exec(`update source set started = $2 where tenant = $1 and name = 'rules'`, tocsin.Millis(f.st.Clock().Now()))
			err = f.c.poll(f.Context(), asking(func(owners []owner) ([]any, error) {
				mu.Lock()
				defer mu.Unlock()
				results := make([]graph.Result, len(owners))
				for i := range results {
					if !answers(asked) {
						results[i].Err = &graph.Denied{Code: "ErrorAccessDenied"}
					}
					asked++
				}
				return owned(owners, results, func(i int) (any, error) {
					return rulesSeen{}, results[i].Err
				}, func(state, because string) any { return rulesSeen{State: state, Absent: because} })
			}))
			f.folded(f.r)
			return asked, err
		}
		f.exec(`insert into source (tenant, name) values ($1, 'rules')`)
		count := func(state string) string {
			return f.rows(`select count(*) from person where tenant = $1 and kind <> 'guest' and mailbox = $2`, state)[0]
		}
		none := func(int) bool { return false }
		all, err := asks(none)
		if _, ok := errors.AsType[*graph.Denied](err); !ok || count("out_of_scope") != "0" || all < 2*together {
			t.Fatalf("all %d are refused: %v, %s out of scope", all, err, count("out_of_scope"))
		}
		n, err := asks(func(n int) bool { return n == all-1 })
		if err != nil || n != all || count("read") != "1" || count("out_of_scope") != fmt.Sprint(all-1) {
			t.Fatalf("only the last of %d is answered: %v, %s read, %s out of scope", n, err, count("read"), count("out_of_scope"))
		}
		// Who was read before is refused with the others: a permission was taken away.
		f.exec(`update source set succeeded = 1 where tenant = $1 and name = 'rules'`)
		if _, err = asks(none); err == nil || count("read") != "1" {
			t.Errorf("who was read is refused now with all others: %v, %s read", err, count("read"))
		}
		// Only those that were refused before are asked.
		f.exec(`update mailbox set rules_seen = $2 where tenant = $1`, tocsin.Millis(f.st.Clock().Now().Add(48*time.Hour)))
		if n, err = asks(none); err != nil || n != all-1 {
			t.Errorf("%d that were refused before are refused again: %v", n, err)
		}
		// A permission is taken away in the middle of asking those again that were refused beside others.
		f.exec(`update person set mailbox = 'read' where tenant = $1 and kind <> 'guest'`)
		f.exec(`update mailbox set rules_seen = 0 where tenant = $1`)
		if n, err = asks(func(n int) bool { return n < all && n%2 == 0 || n >= all && n < all+20 }); err == nil || n <= all+20 || count("out_of_scope") != "0" {
			t.Errorf("%d were asked, and all but the first twenty of the second asking are refused: %v, %s out of scope", n, err, count("out_of_scope"))
		}
	})
}

func asking(ask func([]owner) ([]any, error)) asked {
	return asked{source: "rules", column: "rules_seen", kind: kindRules, ask: func(_ context.Context, o []owner) ([]any, error) { return ask(o) }}
}
