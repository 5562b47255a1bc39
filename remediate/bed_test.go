package remediate

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/secret"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

// everything is what reading and acting need.
var everything = slices.Concat(sim.ReadTier, sim.RespondTier, sim.PrivilegedTier)

// bed is a tenant in the tables and the same in the simulator: amy, whose mailbox has rules.
type bed struct {
	*testing.T
	st     *store.Store
	w      *sim.Sim
	ways   *connect.Connections
	desk   *Desk
	gc     *graph.Client
	tenant tocsin.TenantID
	amy    tocsin.PersonID
	object string
}

var (
	jo  = Who{Account: "account-jo", Email: "jo@example.com"}
	mia = Who{Account: "account-mia", Email: "mia@example.com"}
	own = Who{Account: "account-own", Email: "own@example.com", Owner: true}
)

const attack = `# Taken over.
domain fabrikam.com
person amy "Amy Adams" amy@fabrikam.com
person zoe "Zoe Zane" zoe@fabrikam.com admin
person yan "Yan Young" yan@fabrikam.com admin
mon 09:00 amy makes rule "." when subject_contains "invoice", "payment" and from_addresses amy forward to drop@evil.example move to conversationhistory mark read stop
mon 09:01 amy makes rule "Kept" when sender_contains "boss" mark high
mon 09:02 amy makes rule "Last" when body_contains "x" delete
`

func each(t *testing.T, test func(*testing.T, *bed)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { test(t, newBed(t, st)) })
}

func newBed(t *testing.T, st *store.Store) *bed {
	t.Helper()
	s, err := story.Parse("attack", strings.NewReader(attack))
	must(t, err)
	w, err := sim.New(sim.Config{Users: 30, Seed: 11, Quiet: true, Stories: []*story.Story{s}, Roles: everything})
	must(t, err)
	t.Cleanup(func() { w.Close() })
	k, err := secret.Open(context.Background(), secret.Source{File: t.TempDir() + "/key"})
	must(t, err)
	b := &bed{T: t, st: st, w: w, tenant: tocsin.TenantID(w.Tenant())}
	b.ways = &connect.Connections{Store: st, Keeper: k, Log: slog.New(slog.DiscardHandler), HTTP: w.Client()}
	in := w.Access()
	c, err := b.ways.Create(t.Context(), "test", connect.New{Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, Cloud: "own", Own: connect.Own{Authority: in.Authority, Graph: in.Graph}})
	must(t, err)
	b.gc, err = b.ways.Client(t.Context(), c)
	must(t, err)
	b.desk = &Desk{Store: st, Ways: Through(b.ways)}
	var u struct{ ID string }
	must(t, b.gc.Get(t.Context(), "users.get", graph.P{"user": "amy@fabrikam.com"}, &u))
	b.object, b.amy = u.ID, tocsin.NewPersonID(b.tenant, u.ID)
	b.exec(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, mailbox, seen, changed) values ($1, $2, $3, 'Amy Adams', 'amy@fabrikam.com', 'amy@fabrikam.com', 'member', true, '["amy@fabrikam.com"]', 'read', 1, 1)`, b.amy, u.ID)
	for _, r := range b.rules() {
		b.keep(r)
	}
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bed) exec(q string, args ...any) {
	b.Helper()
	must(b, b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error { _, err := t.Exec(b.Context(), q, args...); return err }))
}

// rules are amy's as they are at Microsoft now.
func (b *bed) rules() []graph.MessageRule {
	b.Helper()
	var out []graph.MessageRule
	for r, err := range graph.Pages[graph.MessageRule](context.WithoutCancel(b.Context()), b.gc, "messageRules.list", graph.P{"user": b.object, "folder": "inbox"}) {
		must(b, err)
		out = append(out, r)
	}
	return out
}

// rule is the one with a name.
func (b *bed) rule(name string) graph.MessageRule {
	b.Helper()
	for _, r := range b.rules() {
		if r.DisplayName == name {
			return r
		}
	}
	return graph.MessageRule{}
}

// keep puts a rule into the tables, as a look does.
func (b *bed) keep(r graph.MessageRule) {
	b.exec(`insert into mail_rule (tenant, person, id, name, enabled, body, raw, first_seen, changed, seen) values ($1, $2, $3, $4, $5, '{}', $6, 1, 1, 1) on conflict do nothing`, b.amy, r.ID, r.DisplayName, r.IsEnabled, string(r.Raw))
}

// executor is one that acts through the simulator.
func (b *bed) executor() *Executor {
	return &Executor{Store: b.st, Ways: Through(b.ways), Log: slog.New(slog.DiscardHandler)}
}

// ask plans and records.
func (b *bed) ask(kind Kind, rule string) *Action {
	b.Helper()
	a, err := b.tried(jo, Ask{Kind: kind, Person: b.amy, Target: rule, Why: "Taken over."})
	must(b, err)
	return a
}

func (b *bed) tried(who Who, ask Ask) (a *Action, err error) {
	b.Helper()
	f, err := b.desk.Plan(b.Context(), b.tenant, ask)
	if err != nil {
		return nil, err
	}
	return b.record(who, f)
}

func (b *bed) record(who Who, f *Draft) (a *Action, err error) {
	err = b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		a, err = b.desk.Record(b.Context(), t, who, f)
		return err
	})
	return a, err
}

func (b *bed) undo(id string) *Action {
	b.Helper()
	f, err := b.desk.PlanUndo(b.Context(), b.tenant, id, "It was a mistake.", false)
	must(b, err)
	a, err := b.record(jo, f)
	must(b, err)
	return a
}

func (b *bed) get(id string) *Action {
	b.Helper()
	var a *Action
	must(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) { a, err = Get(b.Context(), t, id); return err }))
	return a
}

// history is an action's, in words.
func (b *bed) history(id string) (out []string) {
	b.Helper()
	must(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		list, err := History(b.Context(), t, id)
		out = nil
		for _, c := range list {
			out = append(out, c.Change)
		}
		return err
	}))
	return out
}

// acted are the changes of rules and sessions that came by Graph, as the simulator's truth has them.
func (b *bed) acted() (out []string) {
	b.Helper()
	lines, err := b.w.Truth()
	must(b, err)
	for _, l := range lines {
		if l.By == "graph" && (strings.HasPrefix(l.Change, "rule.") || l.Change == "sessions.revoked") {
			out = append(out, l.Change)
		}
	}
	return out
}

// runs lets the executor go on until the action has ended.
func (b *bed) runs(e *Executor, id string) *Action {
	b.Helper()
	for range 60 {
		must(b, e.Round(b.Context()))
		if a := b.get(id); a.State.Ended() {
			return a
		}
		b.st.Clock().Advance(15_000_000_000)
	}
	b.Fatalf("the action never ended: %+v %v", b.get(id), b.history(id))
	return nil
}

func (b *bed) is(a *Action, want State) {
	b.Helper()
	if a.State != want {
		b.Errorf("%s is %s (%s %s), want %s; history %v", a.Kind, a.State, a.Because, a.Mend, want, b.history(a.ID))
	}
}

func (b *bed) equal(what string, got, want any) {
	b.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if string(g) != string(w) {
		b.Errorf("%s:\n%s\nwant\n%s", what, g, w)
	}
}

func (b *bed) fault(f sim.Fault) { b.Helper(); must(b, b.w.Fault(f)) }

// code is a problem's; "" for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	if p, ok := err.(*tocsin.Problem); ok {
		return string(p.Code)
	}
	return fmt.Sprintf("%T %v", err, err)
}

func play(b *bed, text string) {
	b.Helper()
	s, err := story.Parse("play", strings.NewReader(text))
	must(b, err)
	must(b, b.w.Play(s))
}
