package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// kept puts objects of a path into acme, as collect keeps them, and notes that the path was read.
func kept(t *testing.T, st *store.Store, path string, objects ...map[string]any) {
	t.Helper()
	err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
		if _, err := tn.Exec(t.Context(), `insert into state_path (tenant, path, read_at, changed, reason, because) values ($1, $2, 1000, 1000, '', '') on conflict (tenant, path) do update set read_at = 1000, reason = '', listed = 0`, path); err != nil {
			return err
		}
		for _, o := range objects {
			name, _ := o["displayName"].(string)
			if _, err := tn.Exec(t.Context(), `insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) values ($1, $2, $3, $4, $5, '', 1, 1, 0)`, path, o["id"], name, text(t, o)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	relisted(t, st)
}

// relisted has the lists of the directory show what was kept without collection.
func relisted(t *testing.T, st *store.Store) {
	t.Helper()
	if err := collect.Relist(t.Context(), st); err != nil {
		t.Fatal(err)
	}
}

type obj = map[string]any

// directoryOf puts three groups, three guests, devices and sites into acme.
func directoryOf(t *testing.T, st *store.Store) {
	t.Helper()
	settle(t, st, acme)
	kept(t, st, "/groups",
		obj{"id": "g-admins", "displayName": "Tier 0", "securityEnabled": true, "isAssignableToRole": true, "visibility": "Private", "groupTypes": []string{}},
		obj{"id": "g-all", "displayName": "Everybody", "mail": "all@acme.example", "mailEnabled": true, "groupTypes": []string{"Unified", "DynamicMembership"}, "membershipRule": "user.accountEnabled -eq true", "visibility": "Public"},
		obj{"id": "aaaaaaaa-1111-4111-8111-000000000001", "displayName": "Partners 100%", "groupTypes": []string{"Unified"}, "visibility": "Private"})
	kept(t, st, "/groups/aaaaaaaa-1111-4111-8111-000000000001/transitiveMembers", obj{"id": "o-eve", "displayName": "Eve", "userPrincipalName": "eve_evil.example#EXT#@acme.example", "userType": "Guest", "@odata.type": "#microsoft.graph.user"},
		obj{"id": "object-" + string(acme), "displayName": "Jane Doe", "userType": "Member", "@odata.type": "#microsoft.graph.user"})
	kept(t, st, "/roleManagement/directory/roleDefinitions", obj{"id": "62e90394-69f5-4237-9190-012177145e10", "templateId": "62e90394-69f5-4237-9190-012177145e10", "displayName": "Global Administrator"})
	kept(t, st, "/roleManagement/directory/roleAssignments", obj{"id": "ra1", "principalId": "g-admins", "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10", "directoryScopeId": "/"})
	kept(t, st, "/identity/conditionalAccess/policies", obj{"id": "ca1", "displayName": "CA1 Everybody", "state": "enabled",
		"conditions":    obj{"clientAppTypes": []string{"all"}, "applications": obj{"includeApplications": []string{"All"}}, "users": obj{"includeUsers": []string{"All"}, "excludeGroups": []string{"aaaaaaaa-1111-4111-8111-000000000001"}}},
		"grantControls": obj{"operator": "OR", "builtInControls": []string{"mfa"}}})
	kept(t, st, "/policies/crossTenantAccessPolicy/default", obj{"id": "d", "inboundTrust": obj{"isMfaAccepted": false}})
	kept(t, st, "/sites", obj{"id": "s1", "displayName": "Everybody", "webUrl": "https://acme.example/sites/everybody"}, obj{"id": "s2", "displayName": "Partners 100%", "webUrl": "https://acme.example/sites/p"},
		obj{"id": "s3", "displayName": "Jane Doe", "webUrl": "https://my/jane", "isPersonalSite": true})
	kept(t, st, "/users", obj{"id": "o-eve", "displayName": "Eve", "userType": "Guest", "externalUserState": "Accepted", "signInActivity": obj{"lastSignInDateTime": time.Now().AddDate(0, 0, -3).UTC().Format(time.RFC3339)}},
		obj{"id": "o-old", "displayName": "Olaf", "userType": "Guest", "externalUserState": "PendingAcceptance", "createdDateTime": "2020-01-01T00:00:00Z"})
	err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
		for _, q := range []string{
			`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, created, mailbox, seen, changed) values ($1, 'p-eve', 'o-eve', 'Eve', 'eve_evil.example#EXT#@acme.example', 'eve@evil.example', 'guest', true, '[]', 1700000000000, 'none', 1, 1)`,
			`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, created, mailbox, seen, changed) values ($1, 'p-old', 'o-old', 'Olaf', 'olaf_old.example#EXT#@acme.example', '', 'guest', false, '[]', 0, 'none', 1, 1)`,
			`insert into audit_record (tenant, id, at, seen, source, operation, workload, person, about, actor, actor_kind, judge, judged, body) values ($1, 'rec1', 5000, 1, 'graph', 'Invite external user', 'Entra', '` + string(personOf(acme)) + `', '', 'jane@acme.example', 'user', false, false, '{"targetResources":[{"id":"o-eve"}]}')`,
			`insert into posture_result (tenant, id, status, reason, why, found, owner, expires, since, judged, n) values ($1, 'device-encrypted', 'fail', '', 'W', '[{"id":"` + deviceOf(acme) + `","name":"LAPTOP-1","path":"/deviceManagement/managedDevices","why":"not encrypted"}]', '', 0, 1, 1, 1)`,
		} {
			if _, err := tn.Exec(t.Context(), q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	relisted(t, st)
}

// TestApplicationsAndRoles: an application at risk comes first, and has its acts, each with why it cannot be done; people are filtered by
// the roles that they have by a group or may take, by their second factor and by their risk.
func TestApplicationsAndRoles(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		directoryOf(t, st)
		const reader = "5d6b6bb7-de71-4623-b4af-96380a352509"
		object := "object-" + string(acme)
		kept(t, st, "/reports/authenticationMethods/userRegistrationDetails", obj{"id": "o-eve", "isMfaRegistered": false}, obj{"id": object, "isMfaRegistered": true})
		kept(t, st, "/applications")
		kept(t, st, "/servicePrincipals", obj{"id": "sp-calm", "appId": "a1", "displayName": "Calm"}, obj{"id": "sp-bad", "appId": "a2", "displayName": "Bad", "accountEnabled": true},
			obj{"id": "sp-graph", "appId": "00000003-0000-0000-c000-000000000000", "displayName": "Microsoft Graph", "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a", "appRoles": []obj{{"id": "r1", "value": "Mail.Read"}}})
		kept(t, st, "/servicePrincipals/sp-graph/appRoleAssignedTo", obj{"id": "as1", "appRoleId": "r1", "principalId": "sp-bad", "resourceId": "sp-graph"})
		kept(t, st, "/oauth2PermissionGrants", obj{"id": "gr1", "clientId": "sp-bad", "consentType": "Principal", "principalId": object, "resourceId": "sp-graph", "scope": "User.Read Mail.Send"})
		err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			if _, err := tn.Exec(t.Context(), `insert into role_holding (tenant, id, object_id, person, role, name, how, via, via_name, scope, highest, ends, since) values ($1, 'h1', 'o-eve', 'p-eve', $2, 'Security Reader', 'eligible', '', '', '/', 0, 0, 1)`, reader); err != nil {
				return err
			}
			_, err := tn.Exec(t.Context(), `insert into protection (tenant, object_id, kind, person, name, level, state, detail, at, seen) values ($1, 'sp-bad', 'application', '', 'Bad', 'high', 'at_risk', '', 5, 5)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		apps := call[api.Page[api.Application]](t, s.owner, "applications list", api.ApplicationsIn{In: in(acme)}).Items
		if len(apps) < 2 || apps[0].Name != "Bad" || !apps[0].AtRisk() || apps[1].AtRisk() {
			t.Errorf("applications: %+v", apps)
		}
		if some := call[api.Page[api.Application]](t, s.owner, "applications list", api.ApplicationsIn{In: in(acme), Risky: true}).Items; len(some) != 1 {
			t.Errorf("those at risk: %+v", some)
		}
		d := call[api.ApplicationDetail](t, s.owner, "applications get", api.ByID{In: in(acme), ID: "sp-bad"})
		var acts []string
		for _, a := range d.Acts {
			acts = append(acts, string(a.Kind)+" "+a.Target+" "+a.Name)
			if a.Off == "" || a.Mend == "" {
				t.Errorf("%s: nothing says why it cannot be done", a.Kind)
			}
		}
		if want := []string{"disable_app  ", "remove_permission as1 Mail.Read", "revoke_grant gr1 User.Read, Mail.Send for Jane Doe"}; !slices.Equal(acts, want) {
			t.Errorf("acts: %q, want %q", acts, want)
		}
		if len(d.Consents) != 1 || d.Consents[0].Person != personOf(acme) || d.Consents[0].Resource != "Microsoft Graph" {
			t.Errorf("consents: %+v", d.Consents)
		}
		for what, c := range map[string]struct {
			in   api.IdentitiesIn
			want string
		}{
			"administrators": {api.IdentitiesIn{Role: "any"}, "Eve,Jane Doe"}, "who may take a role": {api.IdentitiesIn{Role: reader}, "Eve"}, "without a second factor": {api.IdentitiesIn{NoMFA: true}, "Eve"},
			"at high risk": {api.IdentitiesIn{Risk: "high"}, "Jane Doe"}, "at critical risk": {api.IdentitiesIn{Risk: "critical"}, ""}, "guests": {api.IdentitiesIn{Kind: "guest"}, "Eve,Olaf"},
		} {
			var names []string
			c.in.In = in(acme)
			for _, i := range call[api.Page[api.Identity]](t, s.owner, "identities list", c.in).Items {
				names = append(names, i.Name)
				if i.Name == "Eve" && (len(i.Roles) != 0 || len(i.Eligible) != 1) {
					t.Errorf("eve's roles: %v, eligible %v", i.Roles, i.Eligible)
				}
			}
			if got := strings.Join(names, ","); got != c.want {
				t.Errorf("%s: %s, want %s", what, got, c.want)
			}
		}
	})
}

// TestDirectory: groups, guests, devices and sites are listed from what is held, filtered and in pieces; what is not held is unknown,
// and never no.
func TestDirectory(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		directoryOf(t, st)
		ctx := api.WithCaller(t.Context(), everybodysOwner)

		groups := func(set func(*api.GroupsIn)) (names []string) {
			for _, g := range pieces(t, func(p api.Paging) (api.Page[api.Group], error) {
				in := api.GroupsIn{In: in(acme), Paging: p}
				set(&in)
				return s.api.ListGroups(ctx, in)
			}) {
				names = append(names, g.Name)
			}
			return names
		}
		for what, c := range map[string]struct {
			set  func(*api.GroupsIn)
			want string
		}{
			"all by name": {func(*api.GroupsIn) {}, "All,Everybody,Partners 100%,Tier 0"}, "by meaning": {func(in *api.GroupsIn) { in.Sort = "meaning" }, "Tier 0,Partners 100%,All,Everybody"},
			"by members": {func(in *api.GroupsIn) { in.Sort = "members" }, "Partners 100%,All,Everybody,Tier 0"}, "with guests": {func(in *api.GroupsIn) { in.Outside = true }, "All,Partners 100%"},
			"public": {func(in *api.GroupsIn) { in.Public = true }, "Everybody"}, "dynamic": {func(in *api.GroupsIn) { in.Dynamic = true }, "Everybody"}, "assignable": {func(in *api.GroupsIn) { in.Assignable = true }, "Tier 0"},
			"granting": {func(in *api.GroupsIn) { in.Grants = true }, "Partners 100%,Tier 0"}, "of a kind": {func(in *api.GroupsIn) { in.Kind = "security" }, "Tier 0"}, "by text": {func(in *api.GroupsIn) { in.Q = "0%" }, "Partners 100%"},
		} {
			if got := strings.Join(groups(c.set), ","); got != c.want {
				t.Errorf("groups %s: %s, want %s", what, got, c.want)
			}
		}
		if p := call[api.Page[api.Group]](t, s.owner, "groups list", api.GroupsIn{In: in(acme), Paging: api.Paging{Limit: 1}}); len(p.Items) != 1 || p.Total != 4 || p.Next == "" {
			t.Errorf("the first of the groups: %+v", p)
		}
		d := call[api.GroupDetail](t, s.owner, "groups get", api.ByID{In: in(acme), ID: "aaaaaaaa-1111-4111-8111-000000000001"})
		if d.Members == nil || *d.Members != 2 || *d.Guests != 1 || len(d.People) != 2 || d.People[0].Kind != "guest" || d.People[0].Person != "p-eve" || d.Owners != nil || len(d.Policies) != 1 || !d.Policies[0].Excluded || len(d.Sites) != 1 {
			t.Errorf("the group: %+v", d)
		}
		d = call[api.GroupDetail](t, s.owner, "groups get", api.ByID{In: in(acme), ID: "g-admins"})
		if d.Members != nil || len(d.RolesHow) != 1 || !d.RolesHow[0].Highest || d.RolesHow[0].How != "permanent" || !slices.Equal(d.Roles, []string{"Global Administrator"}) {
			t.Errorf("the group with a role, whose members are not read: %+v", d)
		}
		if err := s.owner.Do(t.Context(), "groups get", api.ByID{In: in(globex), ID: "g-admins"}, &d); code(err) != tocsin.NotFound {
			t.Errorf("another tenant's group: %v", err)
		}

		guests := call[api.Page[api.Guest]](t, s.owner, "guests list", api.GuestsIn{In: in(acme), Sort: "name"}).Items
		if len(guests) != 2 {
			t.Fatalf("guests: %+v", guests)
		}
		eve, olaf := guests[0], guests[1]
		if eve.State != "accepted" || eve.Home != "evil.example" || eve.Invited == nil || eve.Invited.By != "jane@acme.example" || eve.Invited.Person != personOf(acme) || eve.Unused == nil || *eve.Unused || eve.MFA != nil ||
			len(eve.Groups) != 1 || eve.Groups[0].Name != "Partners 100%" || eve.Demand.Factor != posture.FactorNot || !strings.Contains(eve.Demand.Why, "excluded by the group Partners 100%") {
			t.Errorf("eve: %+v", eve)
		}
		if olaf.State != "pending" || olaf.Home != "old.example" || olaf.Invited != nil || olaf.Unused == nil || !*olaf.Unused || olaf.Demand.Factor != posture.FactorRequired || !strings.Contains(olaf.Demand.Why, "CA1 Everybody") || !strings.Contains(olaf.Demand.Why, "register one here") {
			t.Errorf("olaf: %+v", olaf)
		}
		for what, c := range map[string]struct {
			in   api.GuestsIn
			want string
		}{"unused": {api.GuestsIn{Unused: true}, "Olaf"}, "no factor": {api.GuestsIn{NoFactor: true}, "Eve"}, "pending": {api.GuestsIn{State: "pending"}, "Olaf"}, "home": {api.GuestsIn{Home: "EVIL.example"}, "Eve"}, "text": {api.GuestsIn{Q: "olaf_"}, "Olaf"}, "oldest": {api.GuestsIn{Sort: "created"}, "Olaf,Eve"}} {
			c.in.In = in(acme)
			var names []string
			for _, g := range call[api.Page[api.Guest]](t, s.owner, "guests list", c.in).Items {
				names = append(names, g.Name)
			}
			if got := strings.Join(names, ","); got != c.want {
				t.Errorf("guests %s: %s, want %s", what, got, c.want)
			}
		}
		if p := call[api.IdentityDetail](t, s.owner, "identities get", api.ByPerson{In: in(acme), Person: "p-eve"}); p.Guest == nil || p.Guest.Demand.Factor != posture.FactorNot || len(p.Groups) != 1 {
			t.Errorf("eve's page: %+v", p.Guest)
		}

		devices := call[api.Page[api.ManagedDevice]](t, s.owner, "devices list", api.DevicesIn{In: in(acme), Unencrypted: true, OutOfDate: true, Silent: true, Compliance: "noncompliant", Failing: true}).Items
		if len(devices) != 1 || devices[0].Checks[0].Check != "device-encrypted" || devices[0].Checks[0].Why != "not encrypted" || devices[0].JailBroken != nil {
			t.Errorf("devices: %+v", devices)
		}
		if n := len(call[api.Page[api.ManagedDevice]](t, s.owner, "devices list", api.DevicesIn{In: in(acme), Compliance: "compliant"}).Items); n != 0 {
			t.Errorf("%d compliant devices", n)
		}

		sites := call[api.Page[api.Site]](t, s.owner, "sites list", api.SitesIn{In: in(acme)}).Items
		if len(sites) != 2 || sites[0].Name != "Everybody" || sites[0].Public == nil || !*sites[0].Public || sites[1].Public == nil || *sites[1].Public || sites[0].Links != nil {
			t.Errorf("sites: %+v", sites)
		}
		if own := call[api.Page[api.Site]](t, s.owner, "sites list", api.SitesIn{In: in(acme), Personal: true}).Items; len(own) != 1 || own[0].Group != nil || own[0].Public != nil {
			t.Errorf("people's own: %+v", own)
		}
		if x := call[api.Sharing](t, s.owner, "sharing get", in(acme)); x.Known || x.With != "" || x.Sites != 2 || x.Public != 1 || x.Personal != 1 {
			t.Errorf("sharing that was not read: %+v", x)
		}

		held := map[string]api.Knowledge{}
		for _, h := range call[api.Page[api.Knowledge]](t, s.owner, "directory list", api.KnowledgeIn{In: in(acme)}).Items {
			held[h.What] = h
			if h.State != "known" && (h.Because == "" || h.Reason == "") {
				t.Errorf("nothing says why: %+v", h)
			}
		}
		for what, want := range map[string]string{"groups": "known", "group_members": "part", "group_owners": "unknown", "guests": "known", "last_sign_ins": "known", "registered_methods": "unknown", "devices": "known", "joined_devices": "unknown", "sharing": "unknown", "sharing_links": "unknown"} {
			if held[what].State != want {
				t.Errorf("%s: %+v, want %s", what, held[what], want)
			}
		}
	})
}
