package remediate

import (
	"encoding/json"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// onRisk is what Identity Protection holds of an account.
const onRisk On = "risk"

// member puts a person of the simulator into the tables, and gives the id.
func (b *bed) member(who string) (tocsin.PersonID, string) {
	b.Helper()
	var u struct{ ID string }
	must(b, b.gc.Get(b.Context(), "users.get", graph.P{"user": who + "@fabrikam.com"}, &u))
	id := tocsin.NewPersonID(b.tenant, u.ID)
	b.exec(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, mailbox, seen, changed) values ($1, $2, $3, $4, $5, $5, 'member', true, '[]', 'read', 1, 1) on conflict do nothing`, id, u.ID, who, who+"@fabrikam.com")
	return id, u.ID
}

// directory puts the roles and who has them into the tables, as a look does.
func (b *bed) directory() {
	b.Helper()
	for r, err := range graph.Pages[graph.DirectoryRole](b.Context(), b.gc, "directoryRoles.list", nil) {
		must(b, err)
		b.exec(`insert into directory_role (tenant, id, name, template, seen) values ($1, $2, $3, $4, 1)`, r.ID, r.DisplayName, r.RoleTemplateID)
		for m, err := range graph.Pages[struct{ ID, DisplayName, UserPrincipalName string }](b.Context(), b.gc, "directoryRoles.members", graph.P{"role": r.ID}) {
			must(b, err)
			person := tocsin.NewPersonID(b.tenant, m.ID)
			b.exec(`insert into role_member (tenant, role, object_id, person, name, seen) values ($1, $2, $3, $4, $5, 1)`, r.ID, m.ID, person, m.DisplayName)
			b.exec(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, mailbox, seen, changed) values ($1, $2, $3, $4, $5, $5, 'member', true, '[]', 'read', 1, 1) on conflict do nothing`, person, m.ID, m.DisplayName, m.UserPrincipalName)
		}
	}
}

// app registers an application to which amy has consented, and puts it into the tables. It gives the service principal's id.
func (b *bed) app(name string) string {
	b.Helper()
	id, _ := b.w.AddApp(name, "Mail.Read", "User.Read.All")
	principal, err := b.w.Grant(id, "amy@fabrikam.com", "Mail.Read offline_access")
	must(b, err)
	b.keepApps()
	return principal
}

func (b *bed) keepApps() {
	b.Helper()
	for raw, err := range graph.Pages[json.RawMessage](b.Context(), b.gc, "servicePrincipals.list", nil) {
		must(b, err)
		var o struct{ ID, DisplayName string }
		must(b, json.Unmarshal(raw, &o))
		b.exec(`insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) values ($1, '/servicePrincipals', $2, $3, $4, '', 1, 1, 0) on conflict do nothing`, o.ID, o.DisplayName, string(raw))
	}
}

// does asks, and lets it come to its end.
func (b *bed) does(ask Ask) *Action {
	b.Helper()
	ask.Why = "Taken over."
	a, err := b.tried(own, ask)
	must(b, err)
	return b.runs(b.executor(), a.ID)
}

// stops are what stands against an action.
func (b *bed) stops(ask Ask) []Stop {
	b.Helper()
	ask.Why = "Taken over."
	f, err := b.desk.Plan(b.Context(), b.tenant, ask)
	must(b, err)
	return f.Plan.Stops
}

// at is the target as Microsoft has it now.
func (b *bed) at(on On, object, id string) seen {
	b.Helper()
	look := map[On]func() (seen, error){
		OnAccount:     func() (seen, error) { return lookAccount(b.Context(), b.gc, target{object, id}) },
		OnMethods:     func() (seen, error) { return lookMethods(b.Context(), b.gc, target{object, id}) },
		OnRole:        func() (seen, error) { return lookRoles(b.Context(), b.gc, target{object, id}) },
		OnEligibility: func() (seen, error) { return lookEligible(b.Context(), b.gc, target{object, id}) },
		OnGrant:       func() (seen, error) { return lookGrants(b.Context(), b.gc, target{object, id}) },
		OnPermission:  func() (seen, error) { return lookPermissions(b.Context(), b.gc, target{object, id}) },
		onRisk:        func() (seen, error) { return lookRisk(b.Context(), b.gc, target{object, id}) },
		OnApp:         func() (seen, error) { return lookApp(b.Context(), b.gc, target{object, id}) },
	}[on]
	s, err := look()
	must(b, err)
	return s
}

// prepared is what each kind that can be asked for is tried on: all but rules, which have tests of their own.
type prepared struct {
	ask    Ask
	on     On
	object string
}

func (b *bed) prepare() map[Kind]prepared {
	b.Helper()
	b.directory()
	b.w.Elevate(true)
	zoe, zoeAt := b.member("zoe")
	roles := b.at(OnRole, zoeAt, "")
	if len(roles.items) != 1 {
		b.Fatalf("zoe has the roles %s", roles.items)
	}
	must(b, b.gc.Act(b.Context(), "roleEligibility.request", nil, map[string]any{"action": "adminAssign", "principalId": b.object, "roleDefinitionId": globalAdministrator, "directoryScopeId": "/", "justification": "x",
		"scheduleInfo": map[string]any{"expiration": map[string]any{"type": "afterDateTime", "endDateTime": "2031-01-02T03:04:05Z"}}}, nil))
	eligible := b.at(OnEligibility, b.object, "")
	sp := b.app("Free PDF tools")
	grants, permissions := b.at(OnGrant, sp, ""), b.at(OnPermission, sp, "")
	if len(eligible.items) != 1 || len(grants.items) != 1 || len(permissions.items) != 2 {
		b.Fatalf("%d eligible, %d consents, %d permissions", len(eligible.items), len(grants.items), len(permissions.items))
	}
	must(b, b.w.AddMethod("amy@fabrikam.com", "phone"))
	must(b, b.w.AddMethod("amy@fabrikam.com", "externalAuthentication"))
	return map[Kind]prepared{
		RevokeSessions:    {Ask{Kind: RevokeSessions, Person: b.amy}, OnAccount, b.object},
		Suspend:           {Ask{Kind: Suspend, Person: b.amy}, OnAccount, b.object},
		ForcePassword:     {Ask{Kind: ForcePassword, Person: b.amy}, OnAccount, b.object},
		RemoveMethods:     {Ask{Kind: RemoveMethods, Person: b.amy}, OnMethods, b.object},
		ConfirmRisk:       {Ask{Kind: ConfirmRisk, Person: b.amy}, onRisk, b.object},
		DismissRisk:       {Ask{Kind: DismissRisk, Person: b.amy}, onRisk, b.object},
		RemoveRole:        {Ask{Kind: RemoveRole, Person: zoe, Target: roles.items[0].id}, OnRole, zoeAt},
		RemoveEligibility: {Ask{Kind: RemoveEligibility, Person: b.amy, Target: eligible.items[0].id}, OnEligibility, b.object},
		RevokeGrant:       {Ask{Kind: RevokeGrant, App: sp, Target: grants.items[0].id}, OnGrant, sp},
		RemovePermission:  {Ask{Kind: RemovePermission, App: sp, Target: permissions.items[0].id}, OnPermission, sp},
		DisableApp:        {Ask{Kind: DisableApp, App: sp}, OnApp, sp},
	}
}

// TestEveryKind: each kind is planned in words, done once, verified, and undone to what was before; what cannot be undone says
// so. Those that rules have are in TestActs.
func TestEveryKind(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		all := b.prepare()
		for _, kind := range Asked {
			p, ok := all[kind]
			if !ok {
				if kind.OnRule() || slices.Contains([]Kind{Reinstate, EnableApp}, kind) { // tried as undos
					continue
				}
				t.Errorf("%s is not tried", kind)
				continue
			}
			b.st.Clock().Advance(2 * time.Hour)
			b.w.Advance(2 * time.Hour)
			before := b.at(p.on, p.object, p.ask.Target)
			had := len(b.truth())
			f, err := b.desk.Plan(t.Context(), b.tenant, Ask{Kind: kind, Person: p.ask.Person, App: p.ask.App, Target: p.ask.Target, Why: "x"})
			must(t, err)
			if len(f.Plan.Stops) > 0 || f.Plan.Already != "" || !strings.HasSuffix(f.Plan.Does, ".") || len(f.Plan.Touches) == 0 || !strings.HasSuffix(f.Plan.Undo, ".") || f.Plan.CanUndo != (kind.Undo() != "") {
				t.Errorf("the plan of %s is %+v", kind, f.Plan)
			}
			if kind.On().Part() && f.Name() == "" {
				t.Errorf("the target of %s has no name", kind)
			}
			a := b.does(p.ask)
			b.is(a, Verified)
			if done := b.truth()[had:]; len(done) == 0 || kind != RemoveMethods && len(done) != 1 {
				t.Errorf("%s did %v", kind, done)
			}
			b.equal("the evidence of "+string(kind), a.Plan.Before, before.raw)
			if kind.Undo() == "" {
				if _, err := b.desk.PlanUndo(t.Context(), b.tenant, a.ID, "x", false); code(err) != "conflict" {
					t.Errorf("undoing %s: %v", kind, err)
				}
				continue
			}
			u := b.runs(b.executor(), b.undo(a.ID).ID)
			b.is(u, Verified)
			b.is(b.get(a.ID), Undone)
			after := b.at(p.on, p.object, u.Made)
			if shape := shapes[p.on]; shape != nil {
				if len(after.items) != len(before.items) {
					t.Errorf("undoing %s left %d of %d", kind, len(after.items), len(before.items))
				}
				for _, it := range before.items {
					want, err := shape.fingerprint(it.raw)
					must(t, err)
					if !slices.ContainsFunc(after.items, func(x item) bool { is, err := shape.fingerprint(x.raw); return err == nil && is == want }) {
						t.Errorf("undoing %s did not bring back %s: %s", kind, it.raw, after.items)
					}
				}
			} else {
				b.equal("what undoing "+string(kind)+" brought back", after.raw, before.raw)
			}
		}
		if v := b.w.Violations(); len(v) > 0 {
			t.Errorf("it asked for content: %v", v)
		}
	})
}

// truth are the changes that came by Graph.
func (b *bed) truth() (out []string) {
	b.Helper()
	lines, err := b.w.Truth()
	must(b, err)
	for _, l := range lines {
		if l.By == "graph" {
			out = append(out, l.Change)
		}
	}
	return out
}

var everyBreak = flag.Bool("breaks.all", false, "TestEveryKindBrokenOff breaks off each kind of act in each way, not in a quarter of them")

// TestEveryKindBrokenOff: wherever an act of any kind breaks off, or its undo, and whatever the answer says, it ends well and is done
// once. Those that rules have are in TestBrokenOff.
func TestEveryKindBrokenOff(t *testing.T) {
	t.Parallel()
	b := newBed(t, storetest.SQLite(t))
	b.set(func(s *Settings) { s.PerHour = 0 })
	all := b.prepare()
	breaks := append(slices.Clone(points), string(sim.Lost), string(sim.Cut), string(sim.Garbage), string(sim.Throttle))
	for i, at := range breaks {
		for j, kind := range Asked {
			if kind == DismissRisk {
				j = slices.Index(Asked, ConfirmRisk) // what is dismissed was confirmed
			}
			p, ok := all[kind]
			if !ok || !*everyBreak && (i+j)%4 != 0 { // each way with some kinds, each kind in some ways
				continue
			}
			b.st.Clock().Advance(2 * time.Hour)
			b.w.Advance(2 * time.Hour)
			if kind == RemoveMethods {
				must(t, b.w.AddMethod("amy@fabrikam.com", "fido2"))
			}
			had := len(b.truth())
			a, err := b.tried(own, Ask{Kind: kind, Person: p.ask.Person, App: p.ask.App, Target: p.ask.Target, Why: "x"})
			must(t, err)
			b.breaks(a, at)
			a = b.get(a.ID)
			b.is(a, Verified)
			if done := b.truth()[had:]; len(done) != 1 && (kind != RemoveMethods || len(done) == 0) {
				t.Errorf("%s broken off at %s did %v; %v", kind, at, done, b.history(a.ID))
			}
			if kind == RemoveMethods && !b.at(OnMethods, b.object, "").gone {
				t.Errorf("broken off at %s, some methods are left", at)
			}
			if kind.Undo() == "" {
				continue
			}
			u := b.undo(a.ID)
			b.breaks(u, at)
			u = b.get(u.ID)
			b.is(u, Verified)
			if done := b.truth()[had:]; len(done) != 2 {
				t.Errorf("undoing %s broken off at %s did %v; %v", kind, at, done, b.history(u.ID))
			}
			if u.Made != "" {
				p.ask.Target = u.Made
				all[kind] = p
			}
		}
	}
}

// TestEveryKindRefused: an act of any kind that Microsoft refuses, and an undo, ends as failed with the reason and what mends it, has
// done nothing, and can be asked for again.
func TestEveryKindRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t, storetest.SQLite(t))
	b.set(func(s *Settings) { s.PerHour = 0 })
	all := b.prepare()
	for _, kind := range []Kind{DisableRule, DeleteRule} {
		all[kind] = prepared{ask: Ask{Kind: kind, Person: b.amy, Target: b.rule(".").ID}}
	}
	refused := map[Kind]bool{}
	refuse := func(a *Action) {
		t.Helper()
		had := len(b.truth())
		for _, method := range []string{"POST", "PATCH", "DELETE"} {
			b.fault(sim.Fault{Kind: sim.Denied, Method: method, Path: "**"})
		}
		a = b.runs(b.executor(), a.ID)
		b.w.Heal()
		b.is(a, Failed)
		if a.Because == "" || a.Mend == "" || count(b.history(a.ID), "failed") != 1 {
			t.Errorf("%s was refused: because %q, mend %q, %v", a.Kind, a.Because, a.Mend, b.history(a.ID))
		}
		if done := b.truth()[had:]; len(done) > 0 {
			t.Errorf("%s was refused and did %v", a.Kind, done)
		}
		if _, err := b.desk.PlanUndo(t.Context(), b.tenant, a.ID, "x", false); code(err) != "conflict" {
			t.Errorf("what was refused can be undone: %v", err)
		}
		refused[a.Kind] = true
	}
	for _, kind := range Asked {
		p, ok := all[kind]
		if !ok {
			continue // an undo as well
		}
		b.st.Clock().Advance(2 * time.Hour)
		b.w.Advance(2 * time.Hour)
		p.ask.Why = "x"
		a, err := b.tried(own, p.ask)
		must(t, err)
		refuse(a)
		a = b.does(p.ask)
		b.is(a, Verified)
		if kind.Undo() == "" {
			continue
		}
		refuse(b.undo(a.ID))
		b.is(b.get(a.ID), Verified)
		b.is(b.runs(b.executor(), b.undo(a.ID).ID), Verified)
		b.is(b.get(a.ID), Undone)
	}
	for _, kind := range Kinds {
		if !refused[kind] {
			t.Errorf("%s was not refused", kind)
		}
	}
}

// breaks lets an action break off at a point, or be answered with a fault, and then go on to its end.
func (b *bed) breaks(a *Action, at string) {
	b.Helper()
	if !slices.Contains(points, at) {
		b.fault(sim.Fault{Kind: sim.FaultKind(at), Method: "POST", Path: "**", Times: 1, After: "0.1"})
		b.fault(sim.Fault{Kind: sim.FaultKind(at), Method: "PATCH", Path: "**", Times: 1, After: "0.1"})
		b.fault(sim.Fault{Kind: sim.FaultKind(at), Method: "DELETE", Path: "**", Times: 1, After: "0.1"})
		b.runs(b.executor(), a.ID)
		b.w.Heal()
		return
	}
	died := errors.New("the process died")
	rough := b.executor()
	rough.at = func(point string) error {
		if point == at {
			return died
		}
		return nil
	}
	if err := rough.Round(b.Context()); !errors.Is(err, died) {
		b.Fatalf("%s at %s: %v", a.Kind, at, err)
	}
	b.runs(b.executor(), a.ID)
}

// TestMethodsInPart: of several sign-in methods some may be removed before one is refused: the record says which. A method that
// is registered meanwhile is found by reading back, and goes as well.
func TestMethodsInPart(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		must(t, b.w.AddMethod("amy@fabrikam.com", "phone"))
		must(t, b.w.AddMethod("amy@fabrikam.com", "fido2"))
		b.fault(sim.Fault{Kind: sim.Denied, Method: "DELETE", Path: "**/fido2Methods/*"})
		a := b.does(Ask{Kind: RemoveMethods, Person: b.amy})
		b.is(a, Failed)
		if !strings.Contains(a.Because, "telephone was removed") || !strings.Contains(a.Because, "security key or passkey was not") {
			t.Errorf("because %q", a.Because)
		}
		b.w.Heal()
		e := b.executor()
		e.at = func(point string) error {
			if point == "done" {
				e.at = nil
				return b.w.AddMethod("amy@fabrikam.com", "email")
			}
			return nil
		}
		again, err := b.tried(own, Ask{Kind: RemoveMethods, Person: b.amy, Why: "x"})
		must(t, err)
		a = b.runs(e, again.ID)
		if a.State != Unknown || !strings.Contains(a.Because, "e-mail address") {
			t.Errorf("a method that was registered meanwhile: %s, because %q", a.State, a.Because)
		}
		b.is(b.does(Ask{Kind: RemoveMethods, Person: b.amy}), Verified)
		if left := b.at(OnMethods, b.object, ""); !left.gone {
			t.Errorf("%s is left", left.raw)
		}
	})
}

// TestGuards: the last Global Administrator, emergency accounts, synced accounts, guests, our own application and Microsoft's
// are kept from harm, with the reason, and only by whom they may be touched all the same.
func TestGuards(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		said := func(list []Stop, what, force string) {
			t.Helper()
			if !slices.ContainsFunc(list, func(s Stop) bool { return strings.Contains(s.What, what) && s.Force == force && s.Do != "" }) {
				t.Errorf("%q (%q) is not said: %+v", what, force, list)
			}
		}
		said(b.stops(Ask{Kind: Suspend, Person: b.amy}), "is not known", "analyst")
		b.w.Elevate(true)
		b.directory()
		if list := b.stops(Ask{Kind: Suspend, Person: b.amy}); len(list) > 0 {
			t.Errorf("against disabling amy stands %+v", list)
		}
		// zoe and yan are Global Administrators with others; all others go, then zoe, and yan is the last.
		zoe, _ := b.member("zoe")
		yan, yanAt := b.member("yan")
		b.exec(`update person set enabled = false where tenant = $1 and person not in ($2, $3)`, zoe, yan)
		a, err := b.tried(own, Ask{Kind: Suspend, Person: zoe, Why: "x"})
		must(t, err)
		last := b.stops(Ask{Kind: Suspend, Person: yan})
		said(last, "last Global Administrator", "")
		said(b.stops(Ask{Kind: RemoveRole, Person: yan, Target: b.at(OnRole, yanAt, "").items[0].id}), "last Global Administrator", "")
		b.is(b.runs(b.executor(), a.ID), Verified)
		said(b.stops(Ask{Kind: Suspend, Person: yan}), "last Global Administrator", "")
		b.is(b.runs(b.executor(), b.undo(a.ID).ID), Verified)

		// Who became the last one between asking and acting is refused.
		a, err = b.tried(own, Ask{Kind: Suspend, Person: yan, Why: "x"})
		must(t, err)
		b.exec(`update person set enabled = false where tenant = $1 and person = $2`, zoe)
		a = b.runs(b.executor(), a.ID)
		b.is(a, Refused)
		if !strings.Contains(a.Because, "last Global Administrator") || a.Mend == "" {
			t.Errorf("because %q", a.Because)
		}

		b.exec(`insert into state_path (tenant, path, read_at, changed, reason, because) values ($1, '/identity/conditionalAccess/policies', 1, 1, '', '')`)
		b.exec(`insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) values ($1, '/identity/conditionalAccess/policies', 'p', 'MFA', $2, '', 1, 1, 0)`,
			`{"id":"p","displayName":"MFA","state":"enabled","conditions":{"users":{"includeUsers":["All"],"excludeUsers":["`+b.object+`"]},"applications":{"includeApplications":["All"]},"clientAppTypes":["all"]},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`)
		said(b.stops(Ask{Kind: ForcePassword, Person: b.amy}), "emergency account", "owner")
		if _, err := b.tried(jo, Ask{Kind: ForcePassword, Person: b.amy, Why: "x", Force: true}); code(err) != "conflict" {
			t.Errorf("an analyst forces what an owner may: %v", err)
		}
		b.is(b.does(Ask{Kind: ForcePassword, Person: b.amy, Force: true}), Verified)
		b.exec(`update person set kind = 'guest' where tenant = $1 and person = $2`, b.amy)
		said(b.stops(Ask{Kind: RevokeSessions, Person: b.amy}), "guest", "")

		b.keepApps()
		apps := map[string]string{}
		must(t, b.st.ViewTenant(t.Context(), b.tenant, func(tt *store.Tenant) error {
			rows, err := tt.Query(t.Context(), `select id, name from state_object where tenant = $1 and path = '/servicePrincipals'`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id, name string
				if err := rows.Scan(&id, &name); err != nil {
					return err
				}
				apps[name] = id
			}
			return rows.Err()
		}))
		said(b.stops(Ask{Kind: DisableApp, App: apps["Tocsin"]}), "Tocsin's own", "")
		said(b.stops(Ask{Kind: DisableApp, App: apps["Microsoft Graph"]}), "Microsoft's own", "owner")
		if _, err := b.desk.Plan(t.Context(), b.tenant, Ask{Kind: DisableApp, App: "nothing", Why: "x"}); code(err) != "not_found" {
			t.Errorf("an application there is not: %v", err)
		}
		for _, ask := range []Ask{{Kind: "nonsense", Person: b.amy}, {Kind: DisableApp, Person: b.amy}, {Kind: RemoveRole, Person: b.amy}, {Kind: Suspend, App: "x"}} {
			if _, err := b.desk.Plan(t.Context(), b.tenant, ask); code(err) != "invalid" {
				t.Errorf("%+v: %v", ask, err)
			}
		}
	})
}

// TestSynced: what belongs to Active Directory is left to it, and said so before anything is sent.
func TestSynced(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	b.directory()
	for u, err := range graph.Pages[struct {
		ID, UserPrincipalName string
		OnPremisesSyncEnabled bool
	}](t.Context(), b.gc, "users.list", nil) {
		must(t, err)
		if !u.OnPremisesSyncEnabled {
			continue
		}
		id := tocsin.NewPersonID(b.tenant, u.ID)
		b.exec(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, mailbox, seen, changed) values ($1, $2, $3, 'S', $4, $4, 'member', true, '[]', 'read', 1, 1) on conflict do nothing`, id, u.ID, u.UserPrincipalName)
		for _, kind := range []Kind{Suspend, ForcePassword} {
			if list := b.stops(Ask{Kind: kind, Person: id}); !slices.ContainsFunc(list, func(s Stop) bool { return strings.Contains(s.What, "synced from Active Directory") && s.Force == "" }) {
				t.Errorf("%s of a synced account: %+v", kind, list)
			}
		}
		b.is(b.does(Ask{Kind: RevokeSessions, Person: id}), Verified)
		return
	}
	t.Fatal("nobody is synced")
}

// TestOverAdministrators: Microsoft refuses to touch an administrator to an app that has the permission and no role; that is
// said, and takes no capability away from others.
func TestOverAdministrators(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	b.directory()
	zoe, _ := b.member("zoe")
	a := b.does(Ask{Kind: Suspend, Person: zoe})
	b.is(a, Failed)
	if !strings.Contains(a.Because, "this is an administrator") || !strings.Contains(a.Mend, "directory role") {
		t.Errorf("because %q, mend %q", a.Because, a.Mend)
	}
	b.is(b.does(Ask{Kind: Suspend, Person: b.amy}), Verified)
}

// TestHard: where a second person approves the hard steps, the others go ahead at once.
func TestHard(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	b.directory()
	b.set(func(s *Settings) { s.Approval = SecondForHard })
	b.is(b.ask(RevokeSessions, ""), Approved)
	a, err := b.tried(jo, Ask{Kind: Suspend, Person: b.amy, Why: "x"})
	must(t, err)
	b.is(a, Waiting)
}
