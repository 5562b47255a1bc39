package server

import (
	"maps"
	"slices"
	"testing"

	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/remediate"
	"tocsin.dev/store/storetest"
)

// actor is a server that reads a simulated tenant in which it may act, and what it finds there of amy.
type actor struct {
	*testing.T
	s       *Server
	w       *sim.Sim
	conn    connect.Connection
	finding api.Finding
}

func newActor(t *testing.T, address string) *actor {
	t.Helper()
	a := &actor{T: t, w: world(t, 60, fraud)}
	a.w.Consent(slices.Concat(sim.ReadTier, sim.RespondTier)...)
	c := settings(t)
	c.Database = address
	a.s = start(t, c, a.w.Client())
	a.conn = join(t, a.s, a.w)
	synced(t, a.s, a.conn.Tenant)
	eventually(t, "the finding", func() string {
		if a.finding = a.found("forward-outside"); a.finding.ID == "" {
			return "is not there"
		}
		return ""
	})
	return a
}

func (a *actor) found(rule string) api.Finding {
	return findings(a, a.s, a.conn.Tenant)[rule+" amy@"+a.w.Domain()]
}

// does asks for an action and waits until it has ended.
func (a *actor) does(kind remediate.Kind) api.Action {
	a.Helper()
	in := api.CreateActionIn{Body: api.ActionNew{Kind: kind, Person: a.finding.Person, Target: a.finding.Subject, Finding: a.finding.ID, Why: "Taken over."}}
	in.Tenant = a.conn.Tenant
	made, err := a.s.API.CreateAction(as(a.Context(), api.Analyst), in)
	if err != nil {
		a.Fatal(err)
	}
	return a.ends(made.ID)
}

func (a *actor) ends(id string) (out api.Action) {
	a.Helper()
	in := api.ByID{ID: id}
	in.Tenant = a.conn.Tenant
	eventually(a, "the action", func() string {
		d, err := a.s.API.GetAction(as(a.Context(), api.Viewer), in)
		if err != nil {
			a.Fatal(err)
		}
		if out = d.Action; !out.State.Ended() {
			return "is " + string(out.State) + " " + out.Because
		}
		return ""
	})
	return out
}

func (a *actor) undoes(id string) api.Action {
	a.Helper()
	in := api.UndoIn{Body: api.UndoNew{Why: "A mistake."}}
	in.Tenant, in.ID = a.conn.Tenant, id
	made, err := a.s.API.UndoAction(as(a.Context(), api.Analyst), in)
	if err != nil {
		a.Fatal(err)
	}
	return a.ends(made.ID)
}

func (a *actor) becomes(what, status string) {
	a.Helper()
	eventually(a, what, func() string {
		if f := a.found("forward-outside"); string(f.Status) != status {
			return "it is " + string(f.Status)
		}
		return ""
	})
}

// TestAct: the attack is stopped from its finding, which is fixed then; nothing that we did ourselves raises anything; the
// undo brings the rule back as it was, and the finding with it.
func TestAct(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		a := newActor(t, address)
		amy := "amy@" + a.w.Domain()
		before, risen := a.w.Digest()[amy], slices.Collect(maps.Keys(findings(t, a.s, a.conn.Tenant)))
		done := a.does(remediate.DisableRule)
		if done.State != remediate.Verified {
			t.Fatalf("%+v", done)
		}
		a.becomes("the finding after the rule was disabled", "fixed")
		if undone := a.undoes(done.ID); undone.State != remediate.Verified || a.w.Digest()[amy] != before {
			t.Errorf("the undo is %s, and the rules are the same: %v", undone.State, a.w.Digest()[amy] == before)
		}
		a.becomes("the finding after the undo", "open")
		if r := a.does(remediate.RevokeSessions); r.State != remediate.Verified {
			t.Errorf("%+v", r)
		}
		gone := a.does(remediate.DeleteRule)
		a.becomes("the finding after the rule was deleted", "fixed")
		for name, f := range findings(t, a.s, a.conn.Tenant) {
			if f.Person == a.finding.Person && f.Subject == a.finding.Subject && !slices.Contains(risen, name) {
				t.Errorf("what we did raised %s: %s", name, f.Why)
			}
		}
		in := api.RuleIn{ID: a.finding.Subject}
		in.Tenant, in.Person = a.conn.Tenant, a.finding.Person
		rule, err := a.s.API.GetRule(as(t.Context(), api.Viewer), in)
		if err != nil {
			t.Fatal(err)
		}
		var by []string
		for _, h := range rule.History {
			if h.Change != "found" && h.Change != "created" {
				by = append(by, h.Change)
				if h.Action == "" {
					t.Errorf("%s is not known to be ours", h.Change)
				}
			}
		}
		slices.Sort(by)
		if !slices.Equal(by, []string{"deleted", "updated", "updated"}) {
			t.Errorf("the rule's history is %v", by)
		}
		if back := a.undoes(gone.ID); back.State != remediate.Verified {
			t.Errorf("%+v", back)
		}
		eventually(t, "the finding on the rule that is back", func() string {
			if f := findings(t, a.s, a.conn.Tenant, "open")["forward-outside amy@"+a.w.Domain()]; f.ID == "" || f.Subject == a.finding.Subject {
				return "is not there"
			}
			return ""
		})
	})
}

// TestActDenied: what Microsoft refuses in spite of what is granted is off from then on, with the reason, and on again
// after a test of the connection.
func TestActDenied(t *testing.T) {
	t.Parallel()
	a := newActor(t, storetest.SQLiteAddress(t))
	if err := a.w.Fault(sim.Fault{Kind: sim.Denied, Method: "PATCH", Path: "**/messageRules/*"}); err != nil {
		t.Fatal(err)
	}
	if done := a.does(remediate.DisableRule); done.State != remediate.Failed || done.Because == "" || done.Mend == "" {
		t.Errorf("%+v", done)
	}
	state := func(name string) api.Capability {
		in := api.ListIn{}
		in.Tenant, in.Limit = a.conn.Tenant, 200
		list, err := a.s.API.ListCapabilities(as(t.Context(), api.Viewer), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list.Items {
			if c.Name == name {
				return c
			}
		}
		return api.Capability{}
	}
	if c := state(connect.RuleChange); c.State != "off" || c.Because == "" || c.Mend == "" {
		t.Errorf("the refused capability is %+v", c)
	}
	if c := state(connect.RevokeSessions); c.State != "works" {
		t.Errorf("the other is %+v", c)
	}
	a.w.Heal()
	if _, err := a.s.Connections.Test(t.Context(), a.conn.Tenant, a.conn.ID); err != nil {
		t.Fatal(err)
	}
	if done := a.does(remediate.DisableRule); done.State != remediate.Verified {
		t.Errorf("after the test of the connection: %+v", done)
	}
}
