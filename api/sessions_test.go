package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestSessionsAreListedAndEnded: who is signed in sees where, ends one elsewhere, and that one is out at once.
func TestSessionsAreListedAndEnded(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		const who = "jo@tocsin.example"
		s := serve(t, st)
		s.account(t, who, api.Owner, "*")
		first, second := s.browser(t), s.browser(t)
		for _, b := range []*browser{first, second} {
			b.head.Set("User-Agent", "Browser of the test")
			b.signIn(who, password, "")
		}
		sessions := func() (list api.Page[api.Session]) {
			t.Helper()
			if a := first.do("GET", "/api/v1/sessions", nil); json.Unmarshal(a.body, &list) != nil {
				t.Fatalf("sessions: %d %s", a.status, a.body)
			}
			return list
		}
		list := sessions()
		if len(list.Items) != 2 {
			t.Fatalf("%d sessions, want 2: %+v", len(list.Items), list.Items)
		}
		other := ""
		for _, v := range list.Items {
			if v.Account != who || v.Way != "password" || v.Begun.IsZero() || !v.Ends.After(v.Begun) || v.Agent != "Browser of the test" {
				t.Errorf("a session is %+v", v)
			}
			if !v.Current {
				other = v.ID
			}
		}
		if other == "" || list.Items[0].Current == list.Items[1].Current {
			t.Fatalf("which is the current one? %+v", list.Items)
		}
		if got := first.do("DELETE", "/api/v1/sessions/"+other, nil).status; got != http.StatusOK {
			t.Errorf("ending it: %d", got)
		}
		if got := second.do("GET", "/api/v1/me", nil).status; got != http.StatusUnauthorized {
			t.Errorf("the ended session is answered %d", got)
		}
		if got := first.do("GET", "/api/v1/me", nil).status; got != http.StatusOK {
			t.Errorf("the one that ended it is answered %d", got)
		}
		if got := first.do("DELETE", "/api/v1/sessions/"+other, nil).status; got != http.StatusNotFound {
			t.Errorf("ending it again: %d", got)
		}
		// Signed in again in the same browser, one is there once: the cookie from before is gone, and its session too.
		first.signIn(who, password, "")
		if list := sessions(); len(list.Items) != 1 || !list.Items[0].Current {
			t.Errorf("after signing in again: %+v", list.Items)
		}
		// Another's session is not found by who is no owner.
		s.account(t, "vi@tocsin.example", api.Viewer, "*")
		third := s.browser(t)
		third.signIn("vi@tocsin.example", password, "")
		list = sessions()
		if got := third.do("DELETE", "/api/v1/sessions/"+list.Items[0].ID, nil).status; got != http.StatusNotFound {
			t.Errorf("another's session: %d", got)
		}
		if got := third.do("GET", "/api/v1/sessions?all=true", nil).status; got != http.StatusForbidden {
			t.Errorf("everybody's sessions: %d", got)
		}
	})
}

// TestTrail: it says who did what from where, what was refused and why, and never a secret.
func TestTrail(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		s.account(t, "an@tocsin.example", api.Analyst, string(acme))
		b := s.browser(t)
		if a := b.signIn("an@tocsin.example", "wrong horse battery", ""); a.status == http.StatusOK {
			t.Fatal("signed in with a wrong password")
		}
		b.signIn("an@tocsin.example", password, "")
		analyst := s.token(api.Analyst, string(acme))
		if err := analyst.Do(t.Context(), "partners create", matrix["partners create"].in(acme), nil); code(err) != tocsin.Denied {
			t.Fatalf("an analyst trusts a partner: %v", err)
		}
		p := call[api.Page[api.TrailEntry]](t, s.owner, "trail list", api.TrailIn{})
		had := map[string]api.TrailEntry{}
		for _, e := range p.Items {
			had[e.Operation+" "+e.Outcome+" "+e.Email] = e
		}
		made := had["accounts create done owner@tocsin.example"]
		if made.Detail["email"] != "an@tocsin.example" || made.Detail["role"] != "analyst" || made.Does == "" || made.Tenant != "*" || made.Token == "" && made.Account == "" {
			t.Errorf("the account made: %+v", made)
		}
		if e := had["session open refused an@tocsin.example"]; e.Because == "" || e.Address == "" {
			t.Errorf("the wrong password: %+v of %v", e, p.Items)
		}
		if e := had["session open done an@tocsin.example"]; e.ID == "" {
			t.Error("the sign-in is not there")
		}
		found := false
		for _, e := range p.Items {
			found = found || e.Operation == "partners create" && e.Outcome == "refused" && e.Tenant == string(acme) && strings.Contains(e.Because, "needs the role")
		}
		if !found {
			t.Errorf("what was refused is not there: %+v", p.Items)
		}
		if raw := text(t, p); strings.Contains(raw, "horse") {
			t.Error("the trail holds a password")
		}
		of := call[api.Page[api.TrailEntry]](t, s.owner, "trail of", api.TenantTrailIn{In: api.In{Tenant: acme}})
		for _, e := range of.Items {
			if e.Tenant != string(acme) {
				t.Errorf("another's entry: %+v", e)
			}
		}
	})
}
