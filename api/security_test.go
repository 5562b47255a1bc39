package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestTokenReachesNoFurther: whoever finds a token for one tenant cannot make of it one for all that its account may see.
func TestTokenReachesNoFurther(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		settle(t, st, globex)
		c := s.token(api.Analyst, string(acme))
		me := call[api.Me](t, c, "me get", api.NoInput{})
		call[api.Account](t, s.owner, "accounts grant", api.GrantIn{AccountIn: api.AccountIn{ID: me.Account.ID}, Body: api.GrantNew{On: string(globex), Role: api.Owner}})
		narrow := call[api.Token](t, c, "tokens create", api.CreateTokenIn{Body: api.TokenNew{Name: "narrow", Role: api.Viewer, On: string(acme)}})
		found := &api.Client{URL: s.http.URL, Token: narrow.Secret}
		for what, n := range map[string]struct {
			on   string
			role api.Role
			code tocsin.Code
		}{
			"everywhere":         {api.Everywhere, api.Viewer, tocsin.Denied},
			"by default":         {"", api.Viewer, tocsin.Denied},
			"in another":         {string(globex), api.Viewer, tocsin.NotFound},
			"with more":          {string(acme), api.Analyst, tocsin.Denied},
			"everywhere, owning": {api.Everywhere, api.Owner, tocsin.Denied},
		} {
			if err := found.Do(t.Context(), "tokens create", api.CreateTokenIn{Body: api.TokenNew{Name: "wide", Role: n.role, On: n.on}}, nil); code(err) != n.code {
				t.Errorf("a token for one tenant made one %s: %v, want %s", what, err, n.code)
			}
		}
		same := call[api.Token](t, found, "tokens create", api.CreateTokenIn{Body: api.TokenNew{Name: "same", Role: api.Viewer, On: string(acme)}})
		if err := (&api.Client{URL: s.http.URL, Token: same.Secret}).Do(t.Context(), "overview get", in(globex), nil); code(err) != tocsin.NotFound {
			t.Errorf("what it made sees the other tenant: %v", err)
		}
	})
}

// TestForeignIDsInBodies: what a body names of another tenant is not there, as in a path.
func TestForeignIDsInBodies(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		settle(t, st, globex)
		s.account(t, "far@globex.example", api.Owner, string(globex))
		c := s.token(api.Owner, string(acme))
		revoke := func(n api.ActionNew) any {
			n.Why = "w"
			if n.Kind == "" {
				n.Kind = remediate.RevokeSessions
			}
			return api.CreateActionIn{In: in(acme), Body: n}
		}
		snooze := func(scope, value string) any {
			return api.CreateSnoozeIn{In: in(acme), Body: api.SnoozeNew{Scope: scope, Value: value, Until: inHalfAYear}}
		}
		own := personOf(acme)
		for _, x := range []struct {
			op, what string
			in       any
			code     tocsin.Code
		}{
			{"actions create", "a person by id", revoke(api.ActionNew{Person: personOf(globex)}), tocsin.NotFound},
			{"actions create", "a person by address", revoke(api.ActionNew{Person: tocsin.PersonID("jane@" + domainOf(globex))}), tocsin.NotFound},
			{"actions create", "a finding", revoke(api.ActionNew{Person: own, Finding: findingOf(globex)}), tocsin.NotFound},
			{"actions create", "a rule", revoke(api.ActionNew{Kind: remediate.DisableRule, Person: own, Target: ruleOf(globex)}), tocsin.NotFound},
			{"actions create", "a rule of its person", revoke(api.ActionNew{Kind: remediate.DeleteRule, Person: personOf(globex), Target: ruleOf(globex)}), tocsin.NotFound},
			{"snoozes create", "a finding", snooze("finding", findingOf(globex)), tocsin.NotFound},
			{"snoozes create", "a channel", snooze("channel", channelOf(globex)), tocsin.NotFound},
			{"findings assign", "somebody who cannot see the tenant", api.AssignIn{ByIDAct: act(findingOf)(acme).(api.ByIDAct), Body: api.Assignment{Owner: "far@globex.example", Version: 1}}, tocsin.Invalid},
			{"channels create", "the other tenant", api.CreateChannelIn{In: in(acme), Body: api.ChannelNew{Kind: "slack", ChannelSettings: api.ChannelSettings{Name: "n",
				Address: "https://hooks.slack.com/services/x", Tenants: []string{string(globex)}}}}, tocsin.Invalid},
			{"channels create", "all tenants", api.CreateChannelIn{In: api.In{Tenant: api.Everywhere}, Body: api.ChannelNew{Kind: "slack", ChannelSettings: api.ChannelSettings{Name: "n",
				Address: "https://hooks.slack.com/services/x"}}}, tocsin.Denied},
			{"connections create", "the other tenant", api.CreateConnectionIn{Body: api.ConnectionNew{Tenant: string(globex), ClientID: tocsin.NewID(), Secret: "s"}}, tocsin.NotFound},
			{"tokens create", "the other tenant", api.CreateTokenIn{Body: api.TokenNew{Name: "n", Role: api.Viewer, On: string(globex)}}, tocsin.NotFound},
			{"accounts grant", "the other tenant", api.GrantIn{AccountIn: api.AccountIn{ID: "far@globex.example"}, Body: api.GrantNew{On: string(globex), Role: api.Viewer}}, tocsin.Denied},
		} {
			err := s.do(t, c, x.op, x.in)
			if code(err) != x.code {
				t.Errorf("%s with %s: %v, want %s", x.op, x.what, err, x.code)
			}
			if err != nil && strings.Contains(err.Error(), "Tenant "+domainOf(globex)) {
				t.Errorf("%s with %s tells of it: %v", x.op, x.what, err)
			}
		}
	})
}

// TestForeignIDsInQueries: asked in one's own tenant for what a filter names of another, every operation finds nothing of it.
func TestForeignIDsInQueries(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	settle(t, st, acme)
	settle(t, st, globex)
	c := s.token(api.Owner, string(acme))
	foreign := []string{string(globex), string(personOf(globex)), findingOf(globex), ruleOf(globex), connectionOf(globex), channelOf(globex), alertOf(globex), actionOf(globex),
		recordOf(globex), queryOf(globex), exceptionOf(globex), snoozeOf(globex), "jane@" + domainOf(globex), domainOf(globex), "object-" + string(globex)}
	asked := 0
	for _, o := range api.Ops(nil) {
		if o.Method != http.MethodGet || !strings.Contains(o.Path, "{tenant}") {
			continue
		}
		for _, name := range filters(reflect.TypeOf(matrix[o.Name].in(acme))) {
			for _, id := range foreign {
				v := reflect.New(reflect.TypeOf(matrix[o.Name].in(acme))).Elem()
				v.Set(reflect.ValueOf(matrix[o.Name].in(acme)))
				v.FieldByName(name).SetString(id)
				var out json.RawMessage
				_ = c.Do(t.Context(), o.Name, v.Interface(), &out) // refused is well too
				asked++
				text := strings.ReplaceAll(string(out), id, "")
				for _, other := range foreign {
					if strings.Contains(text, other) && !strings.Contains(id, other) {
						t.Errorf("%s with %s=%s shows %s", o.Name, name, id, other)
					}
				}
			}
		}
	}
	if asked < 300 {
		t.Errorf("only %d filters were tried", asked)
	}
}

// filters are the fields of an input that are texts of its query and may hold anything.
func filters(in reflect.Type) (out []string) {
	for _, f := range reflect.VisibleFields(in) {
		if f.Tag.Get("query") != "" && f.Tag.Get("enum") == "" && f.Type.Kind() == reflect.String {
			out = append(out, f.Name)
		}
	}
	return out
}

// TestSessionFixation: a cookie from before a sign-in, planted or seen by somebody else, is worth nothing after it, by whatever
// way one signs in; and one that is made up is never taken on.
func TestSessionFixation(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		p := newIDP(t)
		s := serveWith(t, st, func(o *api.Options) {
			o.OIDC = &api.OIDC{Issuer: p.URL, Client: "tocsin", Secret: "s", Redirect: "https://tocsin.example/sign-in/oidc", Guard: p.guard()}
		})
		settle(t, st, acme)
		s.account(t, "jane@acme.example", api.Analyst, string(acme))
		s.account(t, "kim@acme.example", api.Analyst, string(acme))
		s.account(t, "lee@acme.example", api.Analyst, string(acme))
		at, err := url.Parse(s.http.URL)
		if err != nil {
			t.Fatal(err)
		}
		cookie := func(b *browser) string {
			for _, c := range b.http.Jar.Cookies(at) {
				if c.Name == "tocsin" {
					return c.Value
				}
			}
			return ""
		}
		with := func(value string) *browser {
			b := s.browser(t)
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			if b.http.Jar = jar; value != "" {
				jar.SetCookies(at, []*http.Cookie{{Name: "tocsin", Value: value, Path: "/"}})
			}
			return b
		}
		in := func(b *browser) bool { return b.do("GET", "/api/v1/me", nil).status == 200 }

		secret := secondFactor(t, s, "kim@acme.example")
		oidcBegin := func(b *browser) {
			t.Helper()
			var out api.Redirection
			a := b.do("POST", "/api/v1/session/oidc", map[string]any{})
			u, err := url.Parse("")
			if json.Unmarshal(a.body, &out) == nil {
				u, err = url.Parse(out.Next)
			}
			if err != nil || a.status != 200 {
				t.Fatalf("begin: %d %s", a.status, a.body)
			}
			p.asked = u.Query()
			p.claims = map[string]any{"iss": p.URL, "aud": "tocsin", "sub": "42", "exp": time.Now().Add(time.Hour).Unix(), "nonce": p.asked.Get("nonce"), "email": "lee@acme.example", "email_verified": true}
		}
		for name, way := range map[string]struct{ before, during func(*browser) }{
			"by password": {func(*browser) {}, func(b *browser) { b.signIn("jane@acme.example", password, "") }},
			"by password and code": {func(b *browser) { b.signIn("kim@acme.example", password, "") }, func(b *browser) {
				st.Clock().Advance(time.Minute) // no code is good twice
				now, err := totp.GenerateCode(secret, st.Clock().Now())
				if err != nil {
					t.Fatal(err)
				}
				b.do("POST", "/api/v1/session", map[string]any{"code": now})
			}},
			"by the provider": {oidcBegin, func(b *browser) {
				b.do("POST", "/api/v1/session/oidc/finish", map[string]any{"state": p.asked.Get("state"), "code": "c" + tocsin.NewID()})
			}},
		} {
			for what, planted := range map[string]string{"a planted cookie": "planted-by-eve-0123456789012345678901234567", "none": ""} {
				victim := with(planted)
				way.before(victim)
				seen := cookie(victim) // Eve has seen, or planted, this one
				way.during(victim)
				if !in(victim) {
					t.Fatalf("%s, %s: nobody is signed in", name, what)
				}
				for _, value := range []string{planted, seen} {
					if value == "" {
						continue
					}
					if cookie(victim) == value || in(with(value)) {
						t.Errorf("%s, %s: the cookie from before is signed in", name, what)
					}
				}
				mine := cookie(victim)
				if a := victim.do("DELETE", "/api/v1/session", nil); a.status != 200 || in(with(mine)) || in(victim) {
					t.Errorf("%s, %s: the session goes on after it was ended (%d)", name, what, a.status)
				}
			}
		}
	})
}

// TestTrailTellsWhatWasLoosened: who switches the approval by a second person off, spares or no longer spares somebody, or has the
// server call an address of its own, is in the trail with just that.
func TestTrailTellsWhatWasLoosened(t *testing.T) {
	s := serve(t, storetest.SQLite(t))
	settle(t, s.st, acme)
	call[api.ResponseSettings](t, s.owner, "response-settings set", api.SetResponseIn{In: in(acme), Body: api.ResponseNew{Approval: "second_person", Spared: []string{"boss@acme.example"}}})
	call[api.ResponseSettings](t, s.owner, "response-settings set", api.SetResponseIn{In: in(acme), Body: api.ResponseNew{Approval: "none", Kinds: []string{"delete_rule"}, PerHour: new(0), Spared: []string{"other@acme.example"}, Version: 1}})
	own := call[api.Page[api.TrailEntry]](t, s.owner, "trail of", api.TenantTrailIn{In: in(acme)})
	if len(own.Items) != 2 {
		t.Fatalf("%d entries", len(own.Items))
	}
	if d := own.Items[0].Detail; d["approval"] != "none" || d["kinds"] != `["delete_rule"]` || d["per_hour"] != "0" || d["spared"] != `["other@acme.example"]` {
		t.Errorf("loosened: %v", d)
	}
	if d := own.Items[1].Detail; d["approval"] != "second_person" || d["spared"] != `["boss@acme.example"]` {
		t.Errorf("before: %v", d)
	}
	_ = s.do(t, s.owner, "registrations set", api.SetRegistrationIn{RegistrationIn: api.RegistrationIn{Tier: "read"}, Body: api.RegistrationNew{ClientID: tocsin.NewID(), Secret: "the-secret", Cloud: "own", Authority: "https://10.0.0.1", Graph: "https://10.0.0.1"}})
	all := call[api.Page[api.TrailEntry]](t, s.owner, "trail list", api.TrailIn{})
	if e := all.Items[0]; e.Operation != "registrations set" || e.Outcome != "refused" || e.Detail["authority"] != "https://10.0.0.1" || strings.Contains(text(t, e), "the-secret") {
		t.Errorf("an address inside: %+v", e)
	}
}

// TestTrailHoldsNoSecret: whatever body an act has, no secret of it is in the trail: a webhook's address is one.
func TestTrailHoldsNoSecret(t *testing.T) {
	s := serve(t, storetest.SQLite(t))
	settle(t, s.st, acme)
	for _, o := range api.Ops(nil) {
		if !o.Changes() {
			continue
		}
		v := reflect.New(reflect.TypeOf(matrix[o.Name].in(acme))).Elem()
		v.Set(reflect.ValueOf(matrix[o.Name].in(acme)))
		if body := v.FieldByName("Body"); body.IsValid() && body.Kind() == reflect.Struct {
			for _, f := range reflect.VisibleFields(body.Type()) {
				if is := body.FieldByIndex(f.Index); f.Type.Kind() == reflect.String && slices.Contains([]string{"Secret", "Certificate", "CA", "Address", "Password", "Old", "New", "Code", "State", "Token"}, f.Name) && f.Tag.Get("enum") == "" {
					if f.Name == "Address" && slices.Contains([]string{"audit-queries create", "email-addresses connect"}, o.Name) {
						continue // a person's, and a mailbox's
					}
					is.SetString("https://hooks.example/the-secret-part")
				}
			}
		}
		_ = s.do(t, s.owner, o.Name, v.Interface()) // done or refused
		settle(t, s.st, acme)
	}
	kept := 0
	if err := s.st.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from trail where detail like '%the-secret-part%' or subject like '%the-secret-part%' or because like '%the-secret-part%'`).Scan(&kept)
	}); err != nil || kept != 0 {
		t.Errorf("%d entries hold a secret (%v)", kept, err)
	}
}

// TestErasureLeavesItsEntry: who has a tenant erased, with its trail, is in the installation's trail afterwards.
func TestErasureLeavesItsEntry(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		c := s.token(api.Admin, string(acme))
		call[api.Connection](t, c, "connections edit", api.EditConnectionIn{ByIDAct: act(connectionOf)(acme).(api.ByIDAct), Body: api.ConnectionEdit{Version: 1, MetadataOnly: new(true)}})
		own := call[api.Page[api.TrailEntry]](t, c, "trail of", api.TenantTrailIn{In: in(acme)})
		if len(own.Items) == 0 || own.Items[0].Operation != "connections edit" || own.Items[0].Detail["metadata_only"] != "true" {
			t.Errorf("what was changed is not said: %+v", own.Items)
		}
		call[api.Connection](t, c, "connections close", api.CloseIn{ByIDAct: act(connectionOf)(acme).(api.ByIDAct), Body: api.Closing{What: "erase", Confirm: "main"}})
		if err := st.Erase(t.Context(), acme, "connection", "tenant"); err != nil {
			t.Fatal(err)
		}
		all := call[api.Page[api.TrailEntry]](t, s.owner, "trail list", api.TrailIn{})
		i := slices.IndexFunc(all.Items, func(e api.TrailEntry) bool { return e.Operation == "connections close" })
		if i < 0 {
			t.Fatal("nobody knows who erased it")
		}
		if e := all.Items[i]; e.Subject != string(acme)+" "+connectionOf(acme) || e.Detail["what"] != "erase" || e.Email == "" || e.Outcome != "done" {
			t.Errorf("the entry: %+v", e)
		}
	})
}

// secondFactor gives an account one, and its secret.
func secondFactor(t *testing.T, s *server, email string) string {
	t.Helper()
	b := s.browser(t)
	b.signIn(email, password, "")
	var e api.Enrolment
	if err := json.Unmarshal(b.do("POST", "/api/v1/me/totp", nil).body, &e); err != nil {
		t.Fatal(err)
	}
	first, err := totp.GenerateCode(e.Secret, s.st.Clock().Now())
	if err != nil {
		t.Fatal(err)
	}
	if a := b.do("POST", "/api/v1/me/totp/confirm", api.Code{Code: first}); a.status != 200 {
		t.Fatalf("confirmed: %d %s", a.status, a.body)
	}
	return e.Secret
}
