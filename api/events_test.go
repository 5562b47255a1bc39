package api_test

import (
	"testing"

	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestEventsSayWhatChanged: a rule's event names the rule and what differs.
func TestEventsSayWhatChanged(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	settle(t, st, acme)
	err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
		_, err := tn.Exec(t.Context(), `update rule_change set id = $2 where tenant = $1`, "event-"+string(acme))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	e := call[api.Page[api.Event]](t, s.owner, "events list", api.EventsIn{In: in(acme)}).Items[0]
	if want := "Forward to: drop@evil.example; Delete: yes"; e.Rule != ruleOf(acme) || e.RuleIs != ".." || e.What != want {
		t.Errorf("%q of %q (%s), want %q", e.What, e.RuleIs, e.Rule, want)
	}
}
