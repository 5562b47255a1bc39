package api_test

import (
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestApprovalByAnother: whoever asked cannot approve, not by another token of the same account either; somebody else can.
// The same key asks once.
func TestApprovalByAnother(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		call[api.ResponseSettings](t, s.owner, "response-settings set", api.SetResponseIn{In: in(acme), Body: api.ResponseNew{Approval: "second_person"}})
		asker, other := s.token(api.Analyst, string(acme)), s.token(api.Analyst, string(acme))
		me := call[api.Me](t, asker, "me get", api.NoInput{})
		again := s.again(t, me.Account.ID)
		ask := api.CreateActionIn{In: in(acme), Key: api.Key{Key: "once"}, Body: revocation(acme)}
		a := call[api.Action](t, asker, "actions create", ask)
		if a.State != "waiting_approval" || !a.Mine {
			t.Errorf("it is %s, mine: %v", a.State, a.Mine)
		}
		if b := call[api.Action](t, asker, "actions create", ask); b.ID != a.ID {
			t.Errorf("the same key asked twice: %s and %s", a.ID, b.ID)
		}
		approve := api.ActionDecideIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: in(acme), ID: a.ID}}}
		for name, c := range map[string]*api.Client{"the token that asked": asker, "another token of the account": again} {
			if err := c.Do(t.Context(), "actions approve", approve, nil); code(err) != tocsin.Denied {
				t.Errorf("approved by %s: %v", name, err)
			}
		}
		if b := call[api.Action](t, other, "actions approve", approve); b.State != "approved" || b.ApprovedBy == "" || b.Mine {
			t.Errorf("approved by somebody else: %+v", b)
		}
		undo := api.UndoIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: in(acme), ID: doneOf(acme)}, Key: api.Key{Key: "undo once"}}, Body: api.UndoNew{Why: "w"}}
		first := call[api.Action](t, asker, "actions undo", undo)
		if b := call[api.Action](t, asker, "actions undo", undo); b.ID != first.ID {
			t.Errorf("the same key undid twice: %s and %s", first.ID, b.ID)
		}
		undo.Key.Key = "another"
		if err := other.Do(t.Context(), "actions undo", undo, nil); code(err) != tocsin.Conflict {
			t.Errorf("undone twice: %v", err)
		}
	})
}

// TestResponseSettingsVersion: who looked at older settings comes too late.
func TestResponseSettingsVersion(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		set := api.SetResponseIn{In: in(acme), Body: api.ResponseNew{Approval: "second_person", Kinds: []string{"delete_rule"}, PerHour: new(3), Spared: []string{"SMTP:Boss@X.example"}}}
		got := call[api.ResponseSettings](t, s.owner, "response-settings set", set)
		if got.Version != 1 || got.ChangedBy == "" || len(got.Spared) != 1 || got.Spared[0] != "boss@x.example" || got.Kinds[0] != "delete_rule" || got.PerHour != 3 || got.AtOnce != 10 {
			t.Errorf("%+v", got)
		}
		if err := s.owner.Do(t.Context(), "response-settings set", set, nil); code(err) != tocsin.Conflict {
			t.Errorf("set twice from the same version: %v", err)
		}
		part := api.SetResponseIn{In: in(acme), Body: api.ResponseNew{Approval: "none", Version: 1}}
		if got := call[api.ResponseSettings](t, s.owner, "response-settings set", part); got.PerHour != 3 || len(got.Kinds) != 1 || len(got.Spared) != 1 || got.Approval != "none" {
			t.Errorf("what was absent did not stay: %+v", got)
		}
		set.Body.Version, set.Body.Kinds = 2, []string{"nonsense"}
		if err := s.owner.Do(t.Context(), "response-settings set", set, nil); code(err) != tocsin.Invalid {
			t.Errorf("a kind that is none: %v", err)
		}
	})
}

// again is a client with another token of an account.
func (s *server) again(t *testing.T, account string) *api.Client {
	t.Helper()
	secret := "tcs_" + tocsin.NewID() + tocsin.NewID()
	if err := s.st.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `insert into api_token (id, account, name, hash, role, tenant, created, expires) values ($1, $2, 't', $3, 'analyst', '*', 1, 0)`, tocsin.NewID(), account, api.HashToken(secret))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return &api.Client{URL: s.http.URL, Token: secret}
}
