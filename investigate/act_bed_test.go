package investigate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

// actBed is a tenant in the tables and the same in the simulator: a phish in several mailboxes, which an investigation has found.
type actBed struct {
	*testing.T
	st     *store.Store
	w      *sim.Sim
	gc     *graph.Client
	desk   *ActDesk
	tenant tocsin.TenantID
	found  string // the investigation
	users  map[string]string
	off    error // what the connection lacks
	inside []string
}

var (
	ann  = Actor{Who: remediate.Who{Account: "account-ann", Email: "ann@fabrikam.com"}}
	max_ = Actor{Who: remediate.Who{Account: "account-max", Email: "max@fabrikam.com"}, Admin: true}
	owen = Actor{Who: remediate.Who{Account: "account-owen", Email: "owen@fabrikam.com", Owner: true}, Admin: true}
)

var actPeople = []string{"amy", "bob", "cat", "dan", "eve"}

// actStory gives everybody a phish, and amy two; some was read, flagged, sorted and moved before we come.
func actStory() string {
	var b strings.Builder
	b.WriteString("# A campaign.\ndomain fabrikam.com\n")
	for _, p := range actPeople {
		fmt.Fprintf(&b, "person %s \"%s\" %s@fabrikam.com\n", p, strings.ToUpper(p), p)
	}
	for i, p := range actPeople {
		fmt.Fprintf(&b, "mon 09:%02d %s receives from bad@evil.example subject \"Invoice 47%d\"\n", i, p, i)
		fmt.Fprintf(&b, "mon 09:%02d %s receives from boss@fabrikam.com subject \"Lunch\"\n", i, p)
	}
	b.WriteString("mon 10:00 amy receives from bad@evil.example subject \"Invoice 99\"\n")
	b.WriteString("mon 10:01 amy reads mail \"Invoice 470\"\nmon 10:02 bob flags mail \"Invoice 471\"\nmon 10:03 cat categorises mail \"Invoice 472\" as \"RED\"\n")
	b.WriteString("mon 10:04 dan moves mail \"Invoice 473\" to archive\nmon 10:05 dan reads mail \"Invoice 473\"\n")
	return b.String()
}

func eachAct(t *testing.T, test func(*testing.T, *actBed)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { test(t, newActBed(t, st)) })
}

func newActBed(t *testing.T, st *store.Store) *actBed {
	t.Helper()
	s, err := story.Parse("campaign", strings.NewReader(actStory()))
	ok(t, err)
	w, err := sim.New(sim.Config{Users: 12, Seed: 11, Quiet: true, Content: true, Stories: []*story.Story{s}, Roles: append(slices.Clone(sim.ReadTier), "Mail.ReadWrite", "MailboxSettings.ReadWrite")})
	ok(t, err)
	t.Cleanup(func() { w.Close() })
	gc := actClient(t, w, w.Client())
	b := &actBed{T: t, st: st, w: w, gc: gc, tenant: tocsin.TenantID(w.Tenant()), found: tocsin.NewID(), users: map[string]string{}}
	b.desk = &ActDesk{Store: st, Way: b.way, Bounds: b.bounds}
	b.exec(`insert into tenant (tenant, name, created) values ($1, 'Fabrikam', 1) on conflict do nothing`)
	b.exec(`insert into investigation (tenant, id, name, query, created, created_by, changed) values ($1, $2, 'Invoices', 'from:evil.example', 1, 'x', 1)`, b.found)
	for _, p := range actPeople {
		var u struct{ ID string }
		ok(t, gc.Get(t.Context(), "users.get", graph.P{"user": p + "@fabrikam.com"}, &u))
		b.users[p] = u.ID
		b.exec(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, mailbox, seen, changed) values ($1, $2, $3, $4, $5, $5, 'member', true, '[]', 'read', 1, 1)`,
			b.person(p), u.ID, strings.ToUpper(p), p+"@fabrikam.com")
	}
	b.find("bad@evil.example")
	return b
}

func actClient(t *testing.T, w *sim.Sim, by *http.Client) *graph.Client {
	t.Helper()
	in := w.Access()
	gc, err := graph.New(graph.Config{Cloud: graph.Cloud{Authority: in.Authority, Graph: in.Graph}, Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, HTTP: by, Backoff: time.Millisecond})
	ok(t, err)
	return gc
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *actBed) way(_ context.Context, _ tocsin.TenantID, _, _ string) (string, string, *graph.Client, error) {
	return "connection", "test", b.gc, b.off
}

func (b *actBed) bounds(context.Context, *store.Tenant, string) ([]string, bool, error) {
	return b.inside, b.inside == nil, nil
}

func (b *actBed) person(name string) tocsin.PersonID {
	return tocsin.NewPersonID(b.tenant, b.users[name])
}

func (b *actBed) exec(q string, args ...any) {
	b.Helper()
	ok(b, b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error { _, err := t.Exec(b.Context(), q, args...); return err }))
}

// find makes a match of every message of a sender, as a search does.
func (b *actBed) find(sender string) {
	b.Helper()
	for _, p := range actPeople {
		for _, m := range b.mails(p) {
			if m.From == nil || m.From.EmailAddress.Address != sender {
				continue
			}
			b.exec(`insert into mail_match (tenant, investigation, person, message, id, address, internet_message_id, conversation, sender, sender_name, sender_domain, subject, received, day, folder, folder_name, found, seen, changed)
				values ($1, $2, $3, $4, $5, $6, $7, '', $8, '', '', 'Invoice', $9, '', $10, '', 1, 1, 1) on conflict do nothing`,
				b.found, b.person(p), m.ID, tocsin.NewID(), p+"@fabrikam.com", m.InternetMessageID, sender, m.ReceivedDateTime.Time, m.ParentFolderID)
		}
	}
}

// mails are a mailbox's, as they are at Microsoft now.
func (b *actBed) mails(p string) (out []graph.Message) {
	b.Helper()
	for m, err := range graph.Pages[graph.Message](context.WithoutCancel(b.Context()), b.gc, "messages.list", graph.P{"user": b.users[p]}) {
		if is[*graph.NoMailbox](err) {
			return nil
		}
		ok(b, err)
		out = append(out, m)
	}
	return out
}

// world is how every message of everybody is: by its id.
func (b *actBed) world() map[string]string {
	out := map[string]string{}
	for _, p := range actPeople {
		for _, m := range b.mails(p) {
			out[p+" "+m.ID] = fmt.Sprintf("%s read %v flag %s categories %v", m.ParentFolderID, m.IsRead != nil && bool(*m.IsRead), m.Flag.FlagStatus, m.Categories)
		}
	}
	return out
}

func (b *actBed) executor() *ActExecutor {
	return &ActExecutor{Store: b.st, Way: b.way, Bounds: b.bounds, Log: slog.New(slog.DiscardHandler)}
}

func (b *actBed) tried(who Actor, ask ActAsk) (a *Act, err error) {
	b.Helper()
	if ask.Investigation == "" {
		ask.Investigation = b.found
	}
	ask.Why = "A phish."
	f, err := b.desk.Plan(b.Context(), b.tenant, who, ask)
	if err != nil {
		return nil, err
	}
	return b.record(f)
}

func (b *actBed) record(f *ActDraft) (a *Act, err error) {
	err = b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		a, err = b.desk.Record(b.Context(), t, f)
		return err
	})
	return a, err
}

func (b *actBed) ask(kind ActKind) *Act {
	b.Helper()
	a, err := b.tried(max_, ActAsk{Kind: kind})
	ok(b, err)
	return a
}

func (b *actBed) restore(id string, items ...string) *Act {
	b.Helper()
	f, err := b.desk.PlanRestore(b.Context(), b.tenant, ann, id, "Innocent.", items)
	ok(b, err)
	a, err := b.record(f)
	ok(b, err)
	return a
}

func (b *actBed) decide(do func(context.Context, *store.Tenant, Actor, string, string) (*Act, error), who Actor, id string) error {
	return b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error { _, err := do(b.Context(), t, who, id, "note"); return err })
}

func (b *actBed) get(id string) (a *Act) {
	b.Helper()
	ok(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) { a, err = GetAct(b.Context(), t, id); return err }))
	return a
}

func (b *actBed) items(id string) (list []*ActItem) {
	b.Helper()
	ok(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) {
		list, err = Items(b.Context(), t, ItemFilter{Act: id})
		return err
	}))
	return list
}

// states are how many items of an act are in each state, counted anew; they are what the act's counts say.
func (b *actBed) states(id string) map[ItemState]int {
	b.Helper()
	out := map[ItemState]int{}
	for _, it := range b.items(id) {
		out[it.State]++
	}
	ok(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		for _, s := range ItemStates {
			n, err := counted(b.Context(), t, id, s)
			if err != nil {
				return err
			}
			if n != out[s] {
				b.Errorf("%d items are %s, and %d are counted", out[s], s, n)
			}
		}
		return nil
	}))
	return out
}

func (b *actBed) history(id string) (out []string) {
	b.Helper()
	ok(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		list, err := ActHistory(b.Context(), t, id)
		out = nil
		for _, c := range list {
			out = append(out, c.Change)
		}
		return err
	}))
	return out
}

func (b *actBed) matches() map[string]int {
	b.Helper()
	out := map[string]int{}
	ok(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		all, err := matched(b.Context(), t, b.found)
		for _, c := range all {
			out[c.state]++
		}
		return err
	}))
	return out
}

// matchesOf are the ids of what was found in somebody's mailbox.
func (b *actBed) matchesOf(name string) (out []string) {
	b.Helper()
	ok(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		all, err := matched(b.Context(), t, b.found)
		for _, c := range all {
			if c.person == b.person(name) {
				out = append(out, c.id)
			}
		}
		return err
	}))
	return out
}

// did are the changes of messages that came by Graph, as the simulator's truth has them.
func (b *actBed) did() (out []string) {
	b.Helper()
	lines, err := b.w.Truth()
	ok(b, err)
	for _, l := range lines {
		if l.By == "graph" && strings.HasPrefix(l.Change, "message.") {
			out = append(out, l.Action+" "+l.ID)
		}
	}
	return out
}

// twice are those that were done more than once to one message, from a place in the truth on.
func (b *actBed) twice(from int) (out []string) {
	seen := map[string]int{}
	for _, d := range b.did()[from:] {
		if seen[d]++; seen[d] == 2 {
			out = append(out, d)
		}
	}
	return out
}

// runs lets the executor go on until the act has ended.
func (b *actBed) runs(e *ActExecutor, id string) *Act {
	b.Helper()
	for range 200 {
		ok(b, e.Round(b.Context()))
		if a := b.get(id); a.State.Ended() {
			return a
		}
		b.st.Clock().Advance(7 * time.Second)
	}
	b.Fatalf("the act never ended: %+v %v", b.get(id), b.said(id))
	return nil
}

func (b *actBed) said(id string) (out []string) {
	for _, it := range b.items(id) {
		out = append(out, fmt.Sprintf("%s %s %s: %s", it.Who, it.Part, it.State, it.Because))
	}
	return out
}

func (b *actBed) is(a *Act, want ActState) {
	b.Helper()
	if a.State != want {
		b.Errorf("%s is %s (%s %s), want %s; history %v", a.Kind, a.State, a.Because, a.Mend, want, b.history(a.ID))
	}
}

func (b *actBed) counts(id string, want map[ItemState]int) {
	b.Helper()
	if got := b.states(id); fmt.Sprint(got) != fmt.Sprint(want) {
		b.Errorf("the items are %v, want %v: %v", got, want, b.said(id))
	}
}

func (b *actBed) same(what string, got, want map[string]string) {
	b.Helper()
	for id, w := range want {
		if got[id] != w {
			b.Errorf("%s: %s is %s, and was %s", what, id, got[id], w)
		}
	}
	for id := range got {
		if want[id] == "" {
			b.Errorf("%s: %s was not there", what, id)
		}
	}
}

func (b *actBed) fault(f sim.Fault) { b.Helper(); ok(b, b.w.Fault(f)) }

func actCode(err error) string {
	if p, is := errors.AsType[*tocsin.Problem](err); is {
		return string(p.Code)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
