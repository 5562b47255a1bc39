package sim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin.dev/graph/permission"
)

// What an incident responder changes: accounts, sign-in methods, roles held and eligible, delegated grants, permissions of
// applications, applications themselves. Each change is told to the truth before it is made.

// Accepted permissions of these, from Microsoft's own map (least first).
var (
	forRiskEdit     = strings.Fields("IdentityRiskyUser.ReadWrite.All")
	forMethodList   = strings.Fields("UserAuthenticationMethod.Read.All UserAuthenticationMethod.ReadWrite.All")
	forMethodEdit   = strings.Fields("UserAuthenticationMethod.ReadWrite.All")
	forRoleEdit     = strings.Fields("RoleManagement.ReadWrite.Directory")
	forEligibleEdit = strings.Fields("RoleEligibilitySchedule.ReadWrite.Directory RoleManagement.ReadWrite.Directory")
	forGrantEdit    = strings.Fields("DelegatedPermissionGrant.ReadWrite.All Directory.ReadWrite.All")
	forAppEdit      = strings.Fields("Application.ReadWrite.All Directory.ReadWrite.All")
	forAppRoleEdit  = strings.Fields("AppRoleAssignment.ReadWrite.All")
)

// methodKinds are the sign-in methods that can be removed, by their path, with the name in the permission for that one alone.
var methodKinds = map[string]string{"phone": "Phone", "email": "Email", "fido2": "Passkey", "microsoftAuthenticator": "MicrosoftAuthApp", "softwareOath": "SoftwareOATH",
	"temporaryAccessPass": "TAP", "windowsHelloForBusiness": "WindowsHello", "platformCredential": "PlatformCred", "externalAuthentication": "External"}

// respondPaths are the paths that this file serves.
func respondPaths() []*route {
	const (
		user = "users/{user-id}"
		sp   = "servicePrincipals/{servicePrincipal-id}"
		role = "roleManagement/directory/"
	)
	list := []*route{
		{method: http.MethodGet, path: user + "/authentication/methods", roles: forMethodList, cost: 1, query: []string{"$select", "$filter", "$top"}, serve: (*Sim).methodList},
		{method: http.MethodPost, path: role + "roleAssignments", roles: forRoleEdit, cost: 1, serve: (*Sim).assignRole},
		{method: http.MethodDelete, path: role + "roleAssignments/{unifiedRoleAssignment-id}", roles: forRoleEdit, cost: 1, serve: (*Sim).unassignRole},
		{method: http.MethodPost, path: role + "roleEligibilityScheduleRequests", roles: forEligibleEdit, cost: 1, serve: (*Sim).requestEligibility},
		{method: http.MethodPost, path: "oauth2PermissionGrants", roles: forGrantEdit, cost: 1, serve: (*Sim).createGrant},
		{method: http.MethodDelete, path: "oauth2PermissionGrants/{oAuth2PermissionGrant-id}", roles: forGrantEdit, cost: 1, serve: (*Sim).deleteGrant},
		{method: http.MethodPatch, path: sp, roles: forAppEdit, cost: 1, serve: (*Sim).patchPrincipal},
		{method: http.MethodPost, path: sp + "/appRoleAssignments", roles: forAppRoleEdit, cost: 1, serve: (*Sim).addPermission},
		{method: http.MethodDelete, path: sp + "/appRoleAssignments/{appRoleAssignment-id}", roles: forAppRoleEdit, cost: 1, serve: (*Sim).dropPermission},
	}
	list = append(list,
		&route{method: http.MethodGet, path: "identityProtection/riskyUsers/{riskyUser-id}", roles: forRisky, cost: 1, query: one, alone: true, serve: (*Sim).oneRisky},
		&route{method: http.MethodPost, path: "identityProtection/riskyUsers/confirmCompromised", roles: forRiskEdit, cost: 1, serve: (*Sim).judgeRisk},
		&route{method: http.MethodPost, path: "identityProtection/riskyUsers/dismiss", roles: forRiskEdit, cost: 1, serve: (*Sim).judgeRisk})
	for kind, name := range methodKinds {
		path := user + "/authentication/" + kind + "Methods/{" + strings.TrimSuffix(kind, "Authentication") + "AuthenticationMethod-id}"
		list = append(list, &route{method: http.MethodDelete, path: path, roles: append([]string{"UserAuthMethod-" + name + ".ReadWrite.All"}, forMethodEdit...), cost: 1, serve: (*Sim).deleteMethod})
	}
	return list
}

var methodProperties = names(`createdDateTime displayName phoneNumber phoneType smsSignInState deviceTag phoneAppVersion aaGuid model attestationLevel attestationCertificates:l
passkeyType secretKey password emailAddress`)

// responded is what of the world was changed by responding, and by those who put it right again.
type responded struct {
	methods    map[string][]obj // by object id, once one was removed
	eligible   []obj            // once one was removed or given
	grants     []obj
	eligibleIs bool // eligible counts
	risks      map[string]judgedRisk
}

// judgedRisk is what somebody told Microsoft of a person.
type judgedRisk struct {
	level, state, detail string
	at                   time.Time
}

func (s *Sim) lost(r *request) reply {
	return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
}

// methods are the ways in which a person signs in, the password first, then the one asked for by default.
func (w *world) methods(p *person) []obj {
	if list, ok := w.responded.methods[p.id]; ok {
		return list
	}
	at := p.created.Add(time.Hour)
	of := func(n int, kind string, more ...member) obj {
		return append(obj{{"@odata.type", "#microsoft.graph." + kind + "AuthenticationMethod"}, {"id", w.seed.guid(askState, 1<<24+8*p.i+n)}, {"createdDateTime", at}}, more...)
	}
	list := []obj{of(0, "password", member{"password", nil}).set("id", "28c10230-6103-485e-b985-444c60001490")}
	for n, way := range w.registered(p.i) {
		switch way {
		case "microsoftAuthenticatorPush":
			list = append(list, of(1+n, "microsoftAuthenticator", member{"displayName", "iPhone"}, member{"deviceTag", "SoftwareTokenActivated"}, member{"phoneAppVersion", "6.8.15"}))
		case "softwareOneTimePasscode":
			list = append(list, of(1+n, "softwareOath", member{"secretKey", nil}))
		case "mobilePhone":
			list = append(list, of(1+n, "phone", member{"phoneNumber", fmt.Sprintf("+31 6 5550 %04d", p.i%10000)}, member{"phoneType", "mobile"}, member{"smsSignInState", "notAllowedByPolicy"}).set("id", "3179e48a-750b-4051-897c-87b9720928f7"))
		case "fido2SecurityKey":
			list = append(list, of(1+n, "fido2", member{"displayName", "Blue key"}, member{"aaGuid", "2fc0579f-8113-47ea-b116-555a8db9202a"}, member{"model", "YubiKey 5 Series with NFC"}, member{"attestationLevel", "attested"},
				member{"attestationCertificates", []string{}}, member{"passkeyType", "deviceBound"}))
		}
	}
	return list
}

// registered are the ways that the seed has a person sign in by: most the authenticator, some a telephone, few a key, some nothing.
func (w *world) registered(i int) []string {
	switch n := w.seed.at(askState, i) % 20; {
	case n == 0:
		return []string{}
	case n < 4:
		return []string{"mobilePhone"}
	case n < 7:
		return []string{"fido2SecurityKey", "microsoftAuthenticatorPush"}
	}
	return []string{"microsoftAuthenticatorPush", "softwareOneTimePasscode"}
}

// ways are the same as the report of registrations names them, as it is now.
func (w *world) ways(p *person) []string {
	if _, changed := w.responded.methods[p.id]; !changed {
		return w.registered(p.i)
	}
	out := []string{}
	for _, m := range w.methods(p) {
		if way := map[string]string{"microsoftAuthenticator": "microsoftAuthenticatorPush", "softwareOath": "softwareOneTimePasscode", "phone": "mobilePhone", "fido2": "fido2SecurityKey"}[methodKind(m)]; way != "" {
			out = append(out, way)
		}
	}
	return out
}

// methodKind is phone of #microsoft.graph.phoneAuthenticationMethod: how its path begins.
func methodKind(m obj) string {
	kind := strings.TrimSuffix(strings.TrimPrefix(m.text("@odata.type"), "#microsoft.graph."), "AuthenticationMethod")
	if kind == "external" {
		return "externalAuthentication"
	}
	return kind
}

func (s *Sim) methodList(r *request) reply {
	p := s.world.find(r.vars[0])
	if p == nil {
		return s.notFound(r, r.vars[0])
	}
	return s.give(r, "users('"+p.id+"')/authentication/methods", methodProperties, s.world.methods(p))
}

// deleteMethod removes a method. The default one, here the first, is removed when no other is left.
func (s *Sim) deleteMethod(r *request) reply {
	p := s.world.find(r.vars[0])
	if p == nil {
		return s.notFound(r, r.vars[0])
	}
	kind := strings.TrimSuffix(r.route.parts[3], "Methods")
	if bad := s.overAdministrators(r, p); bad != nil {
		return *bad
	}
	list := s.world.methods(p)
	i := slices.IndexFunc(list, func(m obj) bool { return methodKind(m) == kind && m.text("id") == r.vars[1] })
	if i < 0 {
		return s.notFound(r, r.vars[1])
	}
	if i == 1 && len(list) > 2 {
		return s.badRequest(r, "The method is the default method of the user and cannot be deleted before the others.")
	}
	if err := s.tell(Truth{Change: "method.deleted", Person: p.id, Mailbox: p.mail, ID: r.vars[1], By: "graph", Detail: appendObject(nil, list[i])}); err != nil {
		return s.lost(r)
	}
	s.setMethods(p, slices.Delete(slices.Clone(list), i, i+1))
	return reply{status: http.StatusNoContent}
}

func (s *Sim) setMethods(p *person, list []obj) {
	if s.world.responded.methods == nil {
		s.world.responded.methods = map[string][]obj{}
	}
	s.world.responded.methods[p.id] = list
}

// overAdministrators refuses to an application without a role of its own what is done to an administrator.
// https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions
func (s *Sim) overAdministrators(r *request, p *person) *reply {
	a := s.appBy(r.claims.AppID)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.elevated || !s.world.hasRole(p.id) {
		return nil
	}
	bad := s.refuse(r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	return &bad
}

// Elevate gives the applications a role over administrators (Privileged Authentication Administrator), or takes it.
func (s *Sim) Elevate(has bool) {
	for _, a := range s.apps() {
		a.mu.Lock()
		a.elevated = has
		a.mu.Unlock()
	}
}

// AddMethod registers a method of a kind (phone, fido2, microsoftAuthenticator …) for a person, as an attacker does; the others stay.
func (s *Sim) AddMethod(key, kind string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.who(key)
	if err != nil {
		return err
	}
	if methodKinds[kind] == "" {
		return fmt.Errorf("sim: there is no method %q", kind)
	}
	list := s.world.methods(p)
	o := obj{{"@odata.type", "#microsoft.graph." + strings.TrimSuffix(kind, "Authentication") + "AuthenticationMethod"}, {"id", randomGUID()}, {"createdDateTime", s.clock.Now()}}
	if err := s.tell(Truth{Change: "method.registered", Person: p.id, Mailbox: p.mail, ID: o.text("id"), By: "control", Detail: appendObject(nil, o)}); err != nil {
		return err
	}
	s.setMethods(p, append(slices.Clone(list), o))
	return nil
}

// holders are those who have a role now.
func (o *role) holders() []string {
	if len(o.left) == 0 {
		return o.members
	}
	return slices.DeleteFunc(slices.Clone(o.members), func(id string) bool { return o.left[id] })
}

func (w *world) roleOfTemplate(id string) *role {
	if i := slices.IndexFunc(w.roles, func(o *role) bool { return strings.EqualFold(o.template, id) }); i >= 0 {
		return w.roles[i]
	}
	return nil
}

func (s *Sim) roleRow(n int, o *role, who string) obj {
	return obj{{"id", s.world.seed.guid(askState, 1000+n)}, {"principalId", who}, {"roleDefinitionId", o.template}, {"directoryScopeId", "/"}}
}

const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// unassignRole takes a role from somebody; the last Global Administrator keeps it.
func (s *Sim) unassignRole(r *request) reply {
	var found obj
	var of *role
	s.world.eachRole(func(n int, o *role, who string) {
		if row := s.roleRow(n, o, who); strings.EqualFold(row.text("id"), r.vars[0]) {
			found, of = row, o
		}
	})
	if found == nil {
		return s.notFound(r, r.vars[0])
	}
	if of.template == globalAdministrator && len(of.holders()) == 1 {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "Removing the last member of the Company Administrator role is not allowed.")
	}
	if err := s.tell(Truth{Change: "role.unassigned", Person: found.text("principalId"), ID: found.text("id"), By: "graph", Detail: appendObject(nil, found)}); err != nil {
		return s.lost(r)
	}
	if of.left == nil {
		of.left = map[string]bool{}
	}
	of.left[found.text("principalId")] = true
	s.world.touch("role", of.id, s.clock.Now())
	return reply{status: http.StatusNoContent}
}

func (s *Sim) assignRole(r *request) reply {
	in, err := parseObject(r.body)
	of := s.world.roleOfTemplate(in.text("roleDefinitionId"))
	if err != nil || of == nil || in.text("directoryScopeId") != "/" || s.world.find(in.text("principalId")) == nil {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "The role, the principal or the scope of the assignment is not valid.")
	}
	who := in.text("principalId")
	if slices.Contains(of.holders(), who) {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "A conflicting object with one or more of the specified property values is present in the directory.")
	}
	if err := s.tell(Truth{Change: "role.assigned", Person: who, ID: of.template, By: "graph", Detail: appendObject(nil, in)}); err != nil {
		return s.lost(r)
	}
	if of.left[who] {
		delete(of.left, who)
	} else {
		of.members = append(of.members, who)
	}
	s.world.touch("role", of.id, s.clock.Now())
	var made obj
	s.world.eachRole(func(n int, o *role, id string) {
		if o == of && id == who {
			made = s.roleRow(n, o, id)
		}
	})
	return reply{status: http.StatusCreated, body: r.entity("roleManagement/directory/roleAssignments/$entity", made)}
}

// eligible are those who may take a role.
func (w *world) eligible() []obj {
	if w.responded.eligibleIs {
		return w.responded.eligible
	}
	var all []obj
	for k, i := range []int{3, 12, 23, 34} {
		if p := w.person(i); p != nil && len(w.roles) > 0 {
			all = append(all, w.eligibleRow(k, w.roles[k%len(w.roles)].template, p.id, w.start.AddDate(-1, 0, 0), nil))
		}
	}
	return all
}

func (w *world) eligibleRow(k int, role, who string, from, until any) obj {
	return obj{{"id", w.seed.guid(askState, 3000+k)}, {"principalId", who}, {"roleDefinitionId", role}, {"directoryScopeId", "/"}, {"appScopeId", nil}, {"memberType", "Direct"},
		{"startDateTime", from}, {"endDateTime", until}, {"roleEligibilityScheduleId", w.seed.guid(askState, 3500+k)}}
}

// requestEligibility gives and takes eligibility (adminAssign, adminRemove).
func (s *Sim) requestEligibility(r *request) reply {
	in, err := parseObject(r.body)
	if err != nil || s.world.roleOfTemplate(in.text("roleDefinitionId")) == nil || s.world.find(in.text("principalId")) == nil || in.text("directoryScopeId") == "" || in.text("justification") == "" {
		return s.refuse(r, http.StatusBadRequest, "InvalidRoleEligibilityScheduleRequest", "The request is not valid.")
	}
	w := s.world
	list := slices.Clone(w.eligible())
	i := slices.IndexFunc(list, func(o obj) bool {
		return o.text("principalId") == in.text("principalId") && strings.EqualFold(o.text("roleDefinitionId"), in.text("roleDefinitionId")) && o.text("directoryScopeId") == in.text("directoryScopeId")
	})
	change, status := "", "Revoked"
	switch action := in.text("action"); {
	case action == "adminRemove" && i < 0:
		return s.refuse(r, http.StatusBadRequest, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
	case action == "adminAssign" && i >= 0:
		return s.refuse(r, http.StatusBadRequest, "RoleAssignmentExists", "The Role assignment already exists.")
	case action == "adminRemove":
		change, list = "eligibility.removed", slices.Delete(list, i, i+1)
	case action == "adminAssign":
		change, status = "eligibility.assigned", "Provisioned"
		schedule, _ := in.get("scheduleInfo")
		about, _ := schedule.(obj)
		ends, _ := about.get("expiration")
		expiration, _ := ends.(obj)
		until, _ := expiration.get("endDateTime")
		w.calls++
		list = append(list, w.eligibleRow(100_000+w.calls, in.text("roleDefinitionId"), in.text("principalId"), s.clock.Now(), until))
	default:
		return s.refuse(r, http.StatusBadRequest, "InvalidRoleEligibilityScheduleRequest", "The action is not valid.")
	}
	if err := s.tell(Truth{Change: change, Person: in.text("principalId"), ID: in.text("roleDefinitionId"), By: "graph", Detail: appendObject(nil, in)}); err != nil {
		return s.lost(r)
	}
	w.responded.eligible, w.responded.eligibleIs = list, true
	return reply{status: http.StatusCreated, body: r.entity("roleManagement/directory/roleEligibilityScheduleRequests/$entity", obj{{"id", randomGUID()}, {"status", status}, {"action", in.text("action")},
		{"principalId", in.text("principalId")}, {"roleDefinitionId", in.text("roleDefinitionId")}, {"directoryScopeId", in.text("directoryScopeId")}, {"justification", in.text("justification")},
		{"createdDateTime", s.clock.Now()}, {"isValidationOnly", false}})}
}

// grants are the delegated permissions that were consented to: of one application, or of all.
func (s *Sim) grants(r *request) reply {
	all := s.world.responded.grants
	if key := r.vars[0]; key != "" {
		o := s.principal(key)
		if o == nil {
			return s.notFound(r, key)
		}
		all = slices.DeleteFunc(slices.Clone(all), func(g obj) bool { return g.text("clientId") != o.text("id") })
	}
	return s.give(r, "oauth2PermissionGrants", grantProperties, all)
}

func (s *Sim) createGrant(r *request) reply {
	in, err := parseObject(r.body)
	kind := in.text("consentType")
	if err != nil || s.principal(in.text("clientId")) == nil || s.principal(in.text("resourceId")) == nil || kind != "AllPrincipals" && (kind != "Principal" || s.world.find(in.text("principalId")) == nil) {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "The application, the resource or the principal of the grant is not valid.")
	}
	made, err := s.giveConsent("graph", in)
	if err != nil {
		return s.lost(r)
	}
	return reply{status: http.StatusCreated, body: r.entity("oauth2PermissionGrants/$entity", made)}
}

func (s *Sim) giveConsent(by string, in obj) (obj, error) {
	made := obj{{"clientId", in.text("clientId")}, {"consentType", in.text("consentType")}, {"id", strings.ReplaceAll(randomGUID(), "-", "")}, {"principalId", some(in.text("principalId"))}, {"resourceId", in.text("resourceId")}, {"scope", in.text("scope")}}
	if err := s.tell(Truth{Change: "grant.created", Person: in.text("principalId"), ID: made.text("id"), By: by, Detail: appendObject(nil, made)}); err != nil {
		return nil, err
	}
	s.world.responded.grants = append(slices.Clone(s.world.responded.grants), made)
	return made, nil
}

func (s *Sim) deleteGrant(r *request) reply {
	list := s.world.responded.grants
	i := slices.IndexFunc(list, func(g obj) bool { return g.text("id") == r.vars[0] })
	if i < 0 {
		return s.notFound(r, r.vars[0])
	}
	if err := s.tell(Truth{Change: "grant.deleted", Person: list[i].text("principalId"), ID: r.vars[0], By: "graph", Detail: appendObject(nil, list[i])}); err != nil {
		return s.lost(r)
	}
	s.world.responded.grants = slices.Delete(slices.Clone(list), i, i+1)
	return reply{status: http.StatusNoContent}
}

// Grant has a person consent to what an application of [Sim.AddApp] wants on their behalf (a scope, with blanks between), and
// gives the id of its service principal.
func (s *Sim) Grant(app, person, scope string) (principal string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.who(person)
	if err != nil {
		return "", err
	}
	a := s.appBy(app)
	_, err = s.giveConsent("control", obj{{"clientId", a.objectID}, {"consentType", "Principal"}, {"principalId", p.id}, {"resourceId", s.world.seed.guid(askApp, services[0].seed)}, {"scope", scope}})
	return a.objectID, err
}

// patchPrincipal switches an application on and off.
func (s *Sim) patchPrincipal(r *request) reply {
	o := s.principal(r.vars[0])
	if o == nil {
		return s.notFound(r, r.vars[0])
	}
	in, err := parseObject(r.body)
	on, isBool := in.get("accountEnabled")
	enabled, right := on.(bool)
	if err != nil || len(in) != 1 || !isBool || !right {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "The simulator lets accountEnabled alone be changed.")
	}
	a := s.appBy(o.text("appId"))
	if a.id != o.text("appId") {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "Microsoft's own applications cannot be changed.")
	}
	if err := s.tell(Truth{Change: "app.updated", ID: o.text("id"), By: "graph", Detail: appendObject(nil, in)}); err != nil {
		return s.lost(r)
	}
	a.mu.Lock()
	a.disabled = !enabled
	a.mu.Unlock()
	return reply{status: http.StatusNoContent}
}

// permissionOf is the application that a path names, and what of its permissions has the id.
func (s *Sim) permissionOf(r *request, id string) (a *app, row obj, name string) {
	o := s.principal(r.vars[0])
	if o == nil {
		return nil, nil, ""
	}
	if a = s.appBy(o.text("appId")); a.id != o.text("appId") {
		return nil, nil, ""
	}
	for _, row := range s.grantedAssignments([]*app{a}, func(string) bool { return true }) {
		if row.text("id") == id {
			for _, name := range a.granted() {
				if roleID(name) == row.text("appRoleId") {
					return a, row, name
				}
			}
		}
	}
	return a, nil, ""
}

func (s *Sim) dropPermission(r *request) reply {
	a, row, name := s.permissionOf(r, r.vars[1])
	if row == nil {
		return s.notFound(r, r.vars[1])
	}
	if err := s.tell(Truth{Change: "permission.removed", ID: row.text("id"), By: "graph", Detail: appendObject(nil, row)}); err != nil {
		return s.lost(r)
	}
	a.mu.Lock()
	a.roles = slices.DeleteFunc(slices.Clone(a.roles), func(n string) bool { return n == name })
	a.mu.Unlock()
	return reply{status: http.StatusNoContent}
}

func (s *Sim) addPermission(r *request) reply {
	in, err := parseObject(r.body)
	a, _, _ := s.permissionOf(r, "")
	i := slices.IndexFunc(permission.All, func(p permission.Permission) bool { return roleID(p.Name) == in.text("appRoleId") })
	if err != nil || a == nil || i < 0 || in.text("principalId") != a.objectID || s.principal(in.text("resourceId")) == nil {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "The permission being assigned was not found on application.")
	}
	name := permission.All[i].Name
	if slices.Contains(a.granted(), name) {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "Permission being assigned already exists on the object")
	}
	if err := s.tell(Truth{Change: "permission.added", ID: in.text("appRoleId"), By: "graph", Detail: appendObject(nil, in)}); err != nil {
		return s.lost(r)
	}
	a.mu.Lock()
	a.roles = append(slices.Clone(a.roles), name)
	a.mu.Unlock()
	for _, row := range s.grantedAssignments([]*app{a}, func(string) bool { return true }) {
		if row.text("appRoleId") == in.text("appRoleId") {
			return reply{status: http.StatusCreated, body: r.entity("appRoleAssignments/$entity", row)}
		}
	}
	return s.lost(r)
}

// judgedRisks are the people of whom somebody said what their risk is, and who were not at risk anew since.
func (s *Sim) judgedRisks() []obj {
	newer := s.atRisk(false)
	var all []obj
	for _, id := range slices.Sorted(maps.Keys(s.world.responded.risks)) {
		p, j := s.world.find(id), s.world.responded.risks[id]
		if p == nil || slices.ContainsFunc(newer, func(si *signIn) bool { return si.subject == id && si.at.After(j.at) }) {
			continue
		}
		all = append(all, obj{{"id", id}, {"isDeleted", false}, {"isProcessing", false}, {"riskLastUpdatedDateTime", j.at}, {"riskLevel", j.level}, {"riskState", j.state},
			{"riskDetail", j.detail}, {"userDisplayName", p.display}, {"userPrincipalName", p.upn()}})
	}
	return all
}

func (s *Sim) oneRisky(r *request) reply {
	if bad := s.unpremium(r); bad != nil {
		return *bad
	}
	for _, o := range s.allRisky() {
		if strings.EqualFold(o.text("id"), r.vars[0]) {
			return s.object(r, "identityProtection/riskyUsers", riskyUserProperties, nil, whole(o))
		}
	}
	return s.notFound(r, r.vars[0])
}

// judgeRisk takes in that people were taken over, or that their risk is none.
func (s *Sim) judgeRisk(r *request) reply {
	if bad := s.unpremium(r); bad != nil {
		return *bad
	}
	in, err := parseObject(r.body)
	ids, _ := in.get("userIds")
	list := elements(ids)
	if err != nil || len(list) == 0 || len(list) > 60 {
		return s.badRequest(r, "The list of users is not valid.")
	}
	change, j := "risk.dismissed", judgedRisk{"none", "dismissed", "adminDismissedAllRiskForUser", s.clock.Now()}
	if strings.HasSuffix(r.route.path, "confirmCompromised") {
		change, j = "risk.confirmed", judgedRisk{"high", "confirmedCompromised", "adminConfirmedUserCompromised", s.clock.Now()}
	}
	for _, e := range list {
		id, _ := e.(string)
		p := s.world.find(id)
		if p == nil {
			return s.notFound(r, id)
		}
		if err := s.tell(Truth{Change: change, Person: p.id, Mailbox: p.mail, ID: p.id, By: "graph"}); err != nil {
			return s.lost(r)
		}
		if s.world.responded.risks == nil {
			s.world.responded.risks = map[string]judgedRisk{}
		}
		s.world.responded.risks[p.id] = j
	}
	return reply{status: http.StatusNoContent}
}
