package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
	"tocsin.dev/stream"
)

// field is a bed with a simulated tenant and a collector of it, whose rounds the test runs one by one.
type field struct {
	*bed
	w *sim.Sim
	c *Collector
	r *stream.Reader
	// between sees every call, and may change its answer.
	between func(*http.Request, *http.Response) *http.Response
}

// RoundTrip makes a call of the simulator.
func (f *field) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.w.Client().Transport.RoundTrip(r)
	if err == nil && f.between != nil {
		res = f.between(r, res)
	}
	return res, err
}

// inBoth runs test on each engine, with a simulated tenant of so many users.
func inBoth(t *testing.T, users int, stories string, test func(f *field)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { test(newField(t, st, users, stories)) })
}

func newField(t *testing.T, st *store.Store, users int, stories string) *field {
	t.Helper()
	conf := sim.Config{Users: users, Seed: 7, Quiet: true, Limits: sim.Limits{Reports: 10_000, Protection: 100}}
	if stories != "" {
		s, err := story.Parse("test", strings.NewReader(stories))
		if err != nil {
			t.Fatal(err)
		}
		conf.Stories = append(conf.Stories, s)
		if n := len(s.Acts); n > 0 && s.Acts[n-1].At < 24*time.Hour { // a story of one Monday is of the last two days, whatever day it is: who looks a week back finds it
			conf.Start = time.Now().UTC().Add(-s.Acts[n-1].At - 12*time.Hour).Truncate(24 * time.Hour)
		}
	}
	w, err := sim.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	f := &field{bed: &bed{T: t, st: st, tenant: tocsin.TenantID(w.Tenant())}, w: w}
	f.exec(`insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
	gc := f.client()
	j := f.journal()
	f.c = &Collector{Tenant: f.tenant, Graph: gc, Store: st, Journal: j, Batches: 4, Log: slog.New(slog.DiscardHandler)}
	f.r = f.reads(j)
	return f
}

// client is a new client of the tenant, which has used nothing of any limit.
func (f *field) client() *graph.Client {
	f.Helper()
	gc, err := graph.New(graph.Config{Cloud: graph.Own(sim.Address, sim.Address), Tenant: f.w.Tenant(), Client: f.w.ClientID(), Secret: f.w.Secret(),
		HTTP: &http.Client{Transport: f}, Backoff: time.Millisecond, Tries: 2, Now: f.st.Clock().Now, Limits: graph.Limits{Reports: 10_000, Protection: 100, Administration: 10_000}})
	if err != nil {
		f.Fatal(err)
	}
	return gc
}

// ask runs a round of each source and folds what it brought.
func (f *field) ask(names ...string) {
	f.Helper()
	for _, name := range names {
		f.st.Clock().Advance(time.Millisecond)
		if err := f.c.round(f.Context(), f.source(name)); err != nil {
			f.Fatal(err)
		}
	}
	f.folded(f.r)
}

func (f *field) source(name string) source {
	f.Helper()
	for _, s := range f.c.sources() {
		for s := &s; s != nil; s = s.then {
			if s.name == name {
				return *s
			}
		}
	}
	f.Fatalf("there is no source %s", name)
	return source{}
}

// ok fails when a source's row does not say that it was read.
func (f *field) ok(names ...string) {
	f.Helper()
	for _, name := range names {
		if got := f.rows(`select because from source where tenant = $1 and name = $2 and succeeded > failed`, name); len(got) != 1 || got[0] != "" {
			f.Errorf("%s was not read: %q", name, f.rows(`select succeeded, failed, because, mend from source where tenant = $1 and name = $2`, name))
		}
	}
}

// calls is how often a path was asked for.
func (f *field) calls(part string) (n int64) {
	for path, c := range f.w.Requests().Calls {
		if strings.HasSuffix(path, part) {
			n += c.Count
		}
	}
	return n
}

func (f *field) fault(k sim.Fault) {
	f.Helper()
	if err := f.w.Fault(k); err != nil {
		f.Fatal(err)
	}
}

func (f *field) play(text string) {
	f.Helper()
	s, err := story.Parse("play", strings.NewReader(text))
	if err != nil {
		f.Fatal(err)
	}
	if err := f.w.Play(s); err != nil {
		f.Fatal(err)
	}
	if failed := f.w.Failed(); len(failed) > 0 {
		f.Fatal(failed)
	}
}

// TestAskAll: the directory and all mailboxes are read, and each source says how fresh it is.
func TestAskAllSources(t *testing.T) {
	inBoth(t, 120, "", func(f *field) {
		began := tocsin.Millis(f.st.Clock().Now())
		f.ask("domains", "users", "groups", "roles", "rules", "members", "settings")
		f.ok("domains", "users", "groups", "roles", "rules", "members", "settings")
		f.want("people", `select count(*) from person where tenant = $1 and deleted = 0`, "120")
		var boxes, absent int
		fmt.Sscan(f.rows(`select count(*) from mailbox where tenant = $1 and rules_seen > 0 and settings_seen > 0`)[0], &boxes)
		fmt.Sscan(f.rows(`select count(*) from person where tenant = $1 and kind <> 'guest' and mailbox in ('none', 'out_of_scope')`)[0], &absent)
		var members int
		fmt.Sscan(f.rows(`select count(*) from person where tenant = $1 and kind <> 'guest'`)[0], &members)
		if boxes == 0 || boxes+absent != members {
			f.Errorf("%d mailboxes read and %d people without one, of %d", boxes, absent, members)
		}
		if f.rows(`select count(*) from mail_group where tenant = $1`)[0] == "0" || f.rows(`select count(*) from role_member where tenant = $1`)[0] == "0" {
			f.Error("no groups, or no roles")
		}
		for _, row := range f.rows(`select name, started >= $2, succeeded >= started, due > started, failed from source where tenant = $1 order by name`, began) {
			if !strings.HasSuffix(row, "1 1 1 0") {
				f.Errorf("a source's freshness: %s", row)
			}
		}
		f.want("progress", `select name, done = total, total > 0 from source where tenant = $1 and name in ('users', 'rules', 'settings') order by name`, "rules 1 1", "settings 1 1", "users 1 1")
		if v := f.w.Violations(); len(v) > 0 {
			f.Errorf("a metadata-only connection asked for content: %v", v)
		}
		// Nothing has changed: nothing is told but that it was read.
		for _, fact := range f.since(func() { f.ask("users", "groups", "roles", "domains", "rules", "settings") }) {
			if !strings.HasPrefix(fact, "source.changed") {
				f.Errorf("a second look at the same told %s", fact)
			}
		}
	})
}

// TestReasons: people without a mailbox are listed each with the right reason, and asked again after a day.
func TestReasons(t *testing.T) {
	inBoth(t, 60, "", func(f *field) {
		f.ask("users", "rules", "settings")
		f.want("reasons", `select distinct mailbox, mailbox_because from person where tenant = $1 and kind <> 'guest' and mailbox in ('none', 'out_of_scope') order by mailbox, mailbox_because`,
			"none No licence with Exchange Online is assigned.",
			"none The mailbox is on-premises and was not moved: the account is synchronised, and Exchange Online has none for it though a plan is assigned.",
			"none The mailbox is on-premises, or there is none: the account is synchronised and has no Exchange Online plan.",
			"out_of_scope Exchange lets this application into some mailboxes only, and this is none of them (RBAC for Applications or an application access policy).")
		f.want("guests", `select distinct mailbox, mailbox_because from person where tenant = $1 and kind = 'guest'`, "none A guest: their mailbox is in another organisation.")

		absent := f.rows(`select count(*) from person where tenant = $1 and kind <> 'guest' and mailbox in ('none', 'out_of_scope')`)[0]
		count := func() int64 {
			before := f.calls("/messageRules")
			f.st.Clock().Advance(10 * time.Minute)
			f.ask("rules")
			return f.calls("/messageRules") - before
		}
		present := count()
		if n := count(); fmt.Sprint(n) != f.rows(`select count(*) from mailbox where tenant = $1 and rules_seen > 0`)[0] || n != present {
			f.Errorf("%d mailboxes were asked, %d the round before; those without one are not to be", n, present)
		}
		f.st.Clock().Advance(24 * time.Hour)
		if n := count(); fmt.Sprint(n-present) != absent {
			f.Errorf("a day later %d of %s without a mailbox were asked again", n-present, absent)
		}
		if n := count(); n != present {
			f.Errorf("and then again: %d asked, %d have a mailbox", n, present)
		}
		f.ok("rules")
	})
}

// TestDeltaGone: when the delta token is not known any more all is read again, and who was deleted meanwhile is gone.
func TestDeltaGone(t *testing.T) {
	inBoth(t, 60, "", func(f *field) {
		f.ask("users", "groups")
		f.want("a token", `select token <> '' from source where tenant = $1 order by name`, "1", "1")
		gone := f.rows(`select upn from person where tenant = $1 and kind = 'member' order by upn`)[20]
		if err := f.w.DeleteUser(gone); err != nil {
			f.Fatal(err)
		}
		f.w.ForgetDeltas()
		got := f.since(func() { f.ask("users", "groups") })
		f.ok("users", "groups")
		f.want("who is gone", `select upn from person where tenant = $1 and deleted > 0`, gone)
		f.want("the others", `select count(*) from person where tenant = $1 and deleted = 0`, "59")
		if n := len(slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, "person.changed") })); n != 1 {
			f.Errorf("%d people were told as changed, one was", n)
		}
		// And by the token alone.
		second := f.rows(`select upn from person where tenant = $1 and kind = 'member' and deleted = 0 order by upn`)[20]
		if err := f.w.DeleteUser(second); err != nil {
			f.Fatal(err)
		}
		f.w.Advance(2 * time.Second) // the tokens of the second in which they were forgotten are unknown too
		before := f.calls("/users/delta")
		f.ask("users")
		f.ask("users")
		f.want("two are gone", `select count(*) from person where tenant = $1 and deleted > 0`, "2")
		if n := f.calls("/users/delta") - before; n > 4 {
			f.Errorf("%d pages for one change", n)
		}
	})
}

// edit changes the objects of a list in an answer; the last call's URL says which.
func edit(res *http.Response, change func(o map[string]any)) *http.Response {
	raw, err := io.ReadAll(res.Body)
	var page map[string]any
	if err != nil || json.Unmarshal(raw, &page) != nil {
		panic(fmt.Sprint("a page that does not read: ", err))
	}
	list, _ := page["value"].([]any)
	for _, o := range list {
		change(o.(map[string]any))
	}
	out, err := json.Marshal(page)
	if err != nil {
		panic(err)
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(out)), int64(len(out))
	res.Header.Del("Content-Length")
	return res
}

// TestPartialChanges: a change that is told in part empties nobody.
func TestPartialChanges(t *testing.T) {
	inBoth(t, 60, "", func(f *field) {
		f.ask("users", "groups")
		people := f.rows(`select upn from person where tenant = $1 and kind = 'member' and mail <> '' and enabled order by upn`)
		changed, gone := people[3], people[4]
		state := `select person, name, upn, mail, kind, synced, licensed, department, title, addresses, created from person where tenant = $1 and deleted = 0 order by person`
		groups := `select id, name, mail, kind, addresses, deleted from mail_group where tenant = $1 order by id`
		before, held := f.rows(state), f.rows(groups)

		f.between = func(r *http.Request, res *http.Response) *http.Response {
			if res.StatusCode != http.StatusOK || !strings.Contains(r.URL.RawQuery, "token=") && !strings.Contains(r.URL.RawQuery, "token%3D") {
				return res
			}
			switch {
			case strings.HasSuffix(r.URL.Path, "/users/delta"):
				return edit(res, func(o map[string]any) {
					for k := range o {
						if k != "id" && k != "accountEnabled" && k != "userPrincipalName" && k != "@removed" {
							delete(o, k)
						}
					}
				})
			case strings.HasSuffix(r.URL.Path, "/groups/delta"):
				return edit(res, func(o map[string]any) {
					delete(o, "mail")
					delete(o, "proxyAddresses")
				})
			}
			return res
		}
		f.play("# Two are blocked, and a group is made.\ndomain " + f.w.Domain() + "\nperson a \"A\" " + changed + "\nperson b \"B\" " + gone +
			"\ngroup everyone@" + f.w.Domain() + " \"Everyone\" with " + changed + "\nmon 09:00 a is blocked\nmon 09:01 b is blocked\n")
		if err := f.w.DeleteUser(gone); err != nil {
			f.Fatal(err)
		}
		f.ask("users", "groups")
		f.ok("users", "groups")
		f.want("who was blocked", `select upn from person where tenant = $1 and not enabled and upn in ('`+changed+`') `, changed)
		f.want("who went", `select upn from person where tenant = $1 and deleted > 0`, gone)
		f.same("the others", f.rows(state), slices.DeleteFunc(before, func(s string) bool { return strings.Contains(s, " "+gone+" ") })...)
		now := f.rows(groups)
		if len(now) != len(held)+1 || !strings.Contains(strings.Join(now, "\n"), "everyone@"+f.w.Domain()) {
			f.Errorf("%d groups, before %d", len(now), len(held))
		}
		for _, g := range held {
			if !slices.Contains(now, g) {
				f.Errorf("%s is not what it was", g)
			}
		}
	})
}

// TestPartialChangeOfTheGone: who is told in part and then not found is gone, and does not hold up the others.
func TestPartialChangeOfTheGone(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 40, "")
	f.ask("users")
	upn := f.rows(`select upn from person where tenant = $1 and kind = 'member' and enabled order by upn`)[5]
	f.play("# Blocked.\ndomain " + f.w.Domain() + "\nperson a \"A\" " + upn + "\nmon 09:00 a is blocked\n")
	f.between = func(r *http.Request, res *http.Response) *http.Response {
		if strings.HasSuffix(r.URL.Path, "/users/delta") {
			f.fault(sim.Fault{Path: "users/*", Kind: sim.Missing})
			return edit(res, func(o map[string]any) { delete(o, "mail") })
		}
		return res
	}
	f.ask("users")
	f.ok("users")
	f.want("gone", `select upn from person where tenant = $1 and deleted > 0`, upn)
}

// TestResume: a round that was cut short goes on where it was; what was read already is not asked again.
func TestResume(t *testing.T) {
	inBoth(t, 900, "", func(f *field) {
		f.c.Batches = 1
		f.ask("users")
		ctx, cut := context.WithCancel(f.Context())
		var mu sync.Mutex
		batches := 0
		f.between = func(r *http.Request, res *http.Response) *http.Response {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasSuffix(r.URL.Path, "$batch") {
				if batches++; batches == 70 {
					cut()
				}
			}
			return res
		}
		if err := f.c.round(ctx, f.source("rules")); !errors.Is(err, context.Canceled) {
			f.Fatalf("the round that was cut ended with %v", err)
		}
		f.folded(f.r)
		f.want("not said to be read", `select succeeded, started > 0, because from source where tenant = $1 and name = 'rules'`, "0 1 ")
		read := f.rows(`select count(*) from mailbox where tenant = $1 and rules_seen > 0`)[0]
		if read == "0" {
			f.Fatal("nothing was read before the cut")
		}
		asked := f.calls("/messageRules")
		f.st.Clock().Advance(10 * time.Minute) // the process was away
		f.ask("rules")
		f.ok("rules")
		again := f.calls("/messageRules") - asked
		var before, all int64
		fmt.Sscan(read, &before)
		fmt.Sscan(f.rows(`select count(*) from person where tenant = $1 and kind <> 'guest'`)[0], &all)
		if again > all-before {
			f.Errorf("%d mailboxes were asked after the cut, with %d of %d read before it", again, before, all)
		}
		f.want("all are read", `select count(*) from person where tenant = $1 and kind <> 'guest' and mailbox = 'unknown'`, "0")
	})
}

// TestOneMailboxFails: a mailbox that does not answer is said, and keeps none of the others from being read, now and later.
func TestOneMailboxFails(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 60, "")
	f.ask("users")
	bad := f.rows(`select object_id from person where tenant = $1 and licensed and enabled and kind = 'member' order by person`)[7]
	f.fault(sim.Fault{Path: "users/" + bad + "/**", Kind: sim.Broken})
	f.ask("rules")
	if got := f.rows(`select because, mend from source where tenant = $1 and name = 'rules' and failed > succeeded`); len(got) != 1 || !strings.Contains(got[0], "503") {
		t.Errorf("a mailbox that failed is not said: %q", got)
	}
	unread := `select count(*) from person p left join mailbox m on m.tenant = p.tenant and m.person = p.person
		where p.tenant = $1 and p.kind <> 'guest' and p.mailbox = 'unknown' and coalesce(m.rules_seen, 0) = 0`
	f.want("all others are read", unread, "1")
	asked := f.calls("/messageRules")
	f.ask("rules")
	if n := f.calls("/messageRules") - asked; n > 2 {
		t.Errorf("%d mailboxes were asked again at once; one had failed", n)
	}
	f.st.Clock().Advance(6 * time.Minute)
	asked = f.calls("/messageRules")
	f.ask("rules")
	if n := f.calls("/messageRules") - asked; n < 40 {
		t.Errorf("six minutes later only %d mailboxes were asked anew: the one that fails holds them up", n)
	}
	f.w.Heal()
	f.ask("rules")
	f.ok("rules")
	f.want("and it is read", unread, "0")
}

// TestRefusedMailbox: one mailbox that is refused, while others are answered, is out of scope and no lack of permission.
func TestRefusedMailbox(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 60, "")
	f.ask("users")
	bad := f.rows(`select object_id from person where tenant = $1 and licensed and enabled and kind = 'member' order by person`)[7]
	f.fault(sim.Fault{Path: "users/" + bad + "/**", Kind: sim.Denied})
	f.ask("rules")
	f.ok("rules")
	if got := f.rows(`select mailbox, mailbox_because from person where tenant = $1 and object_id = $2`, bad); !strings.HasPrefix(got[0], "out_of_scope Microsoft Graph refuses this mailbox") {
		t.Errorf("it is %q", got)
	}
}

// TestRefusedInPassing: a mailbox that was read before is out of scope only if it is refused again beside somebody who is
// answered; a refusal that is gone by then says nothing of it.
func TestRefusedInPassing(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 60, "")
	f.ask("users")
	f.ask("rules")
	f.ok("rules")
	bad := f.rows(`select object_id from person where tenant = $1 and licensed and enabled and kind = 'member' order by person`)[7]
	for _, c := range []struct {
		times int
		want  string
	}{{1, "read"}, {0, "out_of_scope"}} {
		f.st.Clock().Advance(6 * time.Minute)
		f.fault(sim.Fault{Path: "users/" + bad + "/**", Kind: sim.Denied, Times: c.times})
		f.ask("rules")
		f.ok("rules")
		f.want(fmt.Sprintf("refused %d times", c.times), `select mailbox from person where tenant = $1 and object_id = '`+bad+`'`, c.want)
	}
}

// TestFolders: folders that rules move mail to are known by name and by what they are; where they may not be read, or do
// not answer, the rules are read all the same.
func TestFolders(t *testing.T) {
	const hidden = "# Hidden.\ndomain fabrikamfreight.com\nperson amy\n" + `mon 09:00 amy makes rule "x" when subject_contains "invoice" mark read and move to conversationhistory` + "\n"
	count := `select count(*) from finding where tenant = $1 and rule = 'hidden-folder' and status = 'open'`
	rules := `select name from mail_rule where tenant = $1 and name = 'x'`
	const folders = `users/*/mailFolders/*[^/]` // and not the rules below one
	for _, c := range []struct {
		name  string
		fault *sim.Fault
		roles []string
		said  string // on the row of the rules
		know  string // when
	}{
		{name: "known", know: "at once"},
		{name: "no permission", roles: []string{"User.Read.All", "MailboxSettings.Read"}, know: "never"},
		{name: "down", fault: &sim.Fault{Path: folders, Kind: sim.Broken}, said: "mailFolders.get", know: "later"},
		{name: "refused", fault: &sim.Fault{Path: folders, Kind: sim.Denied}, know: "later"},
		{name: "down in part", fault: &sim.Fault{Path: "users/*/mailFolders/archive", Kind: sim.Broken}, said: "mailFolders.get", know: "later"},
		{name: "refused in part", fault: &sim.Fault{Path: "users/*/mailFolders/conversationhistory", Kind: sim.Denied}, know: "later"},
		{name: "throttled once", fault: &sim.Fault{Path: folders, Kind: sim.Throttle, After: "0.01", Times: 3}, know: "at once"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newField(t, storetest.SQLite(t), 30, hidden)
			if c.roles != nil {
				f.w.Consent(c.roles...)
			}
			f.ask("users")
			if c.fault != nil {
				f.fault(*c.fault)
			}
			f.ask("rules")
			f.want("the rule", rules, "x")
			if got := f.rows(`select because from source where tenant = $1 and name = 'rules'`)[0]; (c.said == "") != (got == "") || !strings.Contains(got, c.said) {
				t.Errorf("the row says %q", got)
			}
			known := map[bool]string{true: "1", false: "0"}
			f.want("the folder", count, known[c.know == "at once"])
			f.w.Heal()
			f.st.Clock().Advance(2 * time.Hour)
			f.ask("rules")
			f.ok("rules")
			f.want("the folder later", count, known[c.know != "never"])
			f.want("no event of it", `select count(*) from event where tenant = $1`, "0")
		})
	}
}

// TestMembers: a group to which a rule sends mail is looked into after the rules were read, not an hour later.
func TestMembers(t *testing.T) {
	inBoth(t, 40, "# Through a group.\ndomain fabrikamfreight.com\nperson amy\ngroup pals@fabrikamfreight.com \"Pals\" with amy, eve@evil.example\n"+
		`mon 09:00 amy makes rule "On" redirect to pals@fabrikamfreight.com`+"\n", func(f *field) {
		f.ask("domains", "users", "groups", "members", "rules", "members")
		f.ok("members")
		f.want("who is outside", `select outside from mail_group where tenant = $1 and name = 'Pals'`, `[{"name":"eve@evil.example","address":"eve@evil.example"}]`)
		f.follow(f.c.Journal)
		f.folded(f.r)
		f.want("the finding", `select status from finding where tenant = $1 and rule = 'forward-to-group-or-contact'`, "open")
		asked := f.calls("/transitiveMembers")
		f.st.Clock().Advance(5 * time.Minute)
		f.ask("members")
		if n := f.calls("/transitiveMembers") - asked; n != 0 {
			f.Errorf("asked again after five minutes: %d", n)
		}
		f.st.Clock().Advance(time.Hour)
		f.ask("members")
		if n := f.calls("/transitiveMembers") - asked; n != 1 {
			f.Errorf("asked %d times after an hour, want once", n)
		}
	})
}

// TestContacts: a rule that sends mail to a contact is judged by where the contact is reached, and again when that changes.
func TestContacts(t *testing.T) {
	inBoth(t, 40, "# Through a contact.\ndomain fabrikamfreight.com\nperson amy\ncontact vendor@fabrikamfreight.com \"Vendor\" to sales@vendor.example\n"+
		`mon 09:00 amy makes rule "On" redirect to vendor@fabrikamfreight.com`+"\n", func(f *field) {
		f.ask("domains", "users", "groups", "contacts", "rules")
		f.ok("contacts", "groups")
		f.follow(f.c.Journal)
		f.folded(f.r)
		f.want("the finding", `select status from finding where tenant = $1 and rule = 'forward-to-group-or-contact'`, "open")
		f.want("what it says", `select count(*) from finding where tenant = $1 and rule = 'forward-to-group-or-contact' and why like '%sales@vendor.example%'`, "1")
		f.want("the group that the world has, untouched by the round of contacts", `select count(*) from mail_group where tenant = $1 and deleted > 0`, "0")
		f.want("contacts", `select count(*) from mail_group where tenant = $1 and deleted = 0 and kind = 'contact'`, "3")
		f.ask("members")
		if n := f.calls("/transitiveMembers"); n != 0 {
			f.Errorf("a contact was asked for its members: %d", n)
		}
	})
}

// TestSettingsAge: settings are asked for when they have become old, a new mailbox's at once.
func TestSettingsAge(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 40, "")
	f.ask("users", "settings")
	asked := f.calls("/mailboxSettings")
	more := func(after time.Duration) int64 {
		t.Helper()
		f.st.Clock().Advance(after)
		f.ask("users", "settings")
		f.ok("settings")
		n := f.calls("/mailboxSettings") - asked
		asked += n
		return n
	}
	if n := more(5 * time.Minute); n != 0 {
		t.Errorf("%d mailboxes were asked again after five minutes", n)
	}
	f.play("# Somebody new.\ndomain " + f.w.Domain() + "\nperson newcomer\nmon 09:00 newcomer stops automatic reply\n")
	if n := more(5 * time.Minute); n != 1 {
		t.Errorf("%d mailboxes were asked after somebody came", n)
	}
	if n := more(6 * time.Hour); n < 25 {
		t.Errorf("%d mailboxes were asked after six hours", n)
	}
}

// TestNobodyKnown: mailboxes are not said to be read when nobody's can be asked.
func TestNobodyKnown(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 20, "")
	f.fault(sim.Fault{Path: "users/delta", Kind: sim.Denied})
	f.ask("users", "rules", "settings")
	for _, name := range []string{"rules", "settings"} {
		if got := f.rows(`select succeeded, because, mend from source where tenant = $1 and name = $2`, name); !strings.Contains(got[0], "0 Nobody's mailbox can be asked") {
			t.Errorf("%s: %q", name, got)
		}
	}
	f.w.Heal()
	f.ask("users", "rules", "settings")
	f.ok("users", "rules", "settings")
}

// TestDown: when Graph is down a round ends soon, and is not asked for mailbox by mailbox.
func TestDown(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 3000, "")
	f.ask("users")
	f.fault(sim.Fault{Kind: sim.Broken})
	var mu sync.Mutex
	n := 0
	f.between = func(_ *http.Request, res *http.Response) *http.Response {
		mu.Lock()
		defer mu.Unlock()
		n++
		return res
	}
	f.ask("rules")
	if got := f.rows(`select because, mend from source where tenant = $1 and name = 'rules'`)[0]; !strings.HasPrefix(got, "Microsoft Graph could not be read") || !strings.Contains(got, "network") {
		t.Errorf("the row says %q", got)
	}
	if all := 2 * 3000 / 20; n > all*2/3 {
		t.Errorf("%d requests to a Graph that is down; every mailbox twice, in batches, would be %d", n, all)
	}
}

// TestDomainsStay: an answer without a domain does not make everybody a stranger.
func TestDomainsStay(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 20, "")
	f.ask("domains")
	had := f.rows(`select name from domain where tenant = $1 order by name`)
	f.between = func(r *http.Request, res *http.Response) *http.Response {
		if strings.HasSuffix(r.URL.Path, "/organization") || strings.HasSuffix(r.URL.Path, "/domains") {
			return edit(res, func(o map[string]any) { o["verifiedDomains"], o["isVerified"] = []any{}, false })
		}
		return res
	}
	f.ask("domains")
	f.same("the domains", f.rows(`select name from domain where tenant = $1 order by name`), had...)
	if got := f.rows(`select because from source where tenant = $1 and name = 'domains'`)[0]; !strings.Contains(got, "no verified domain") {
		t.Errorf("the row says %q", got)
	}
}
