package posture

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// State is a snapshot as the checks read it. It is for one goroutine.
type State struct {
	snap    *Snapshot
	now     time.Time
	paths   map[string]string // of key
	missing map[string]Missing
	read    map[string]any
	keys    map[string]string // of paths as they were asked for
	rests   map[string]bool   // keys of the paths that were looked at since this was emptied
	err     error             // the first of loading

	policies []Policy
	roles    *roster
}

// The paths that are looked at.
const (
	pathOrganization  = "/organization"
	pathUsers         = "/users"
	pathGroups        = "/groups"
	pathDomains       = "/domains"
	pathSkus          = "/subscribedSkus"
	pathPolicies      = "/identity/conditionalAccess/policies"
	pathLocations     = "/identity/conditionalAccess/namedLocations"
	pathStrengths     = "/policies/authenticationStrengthPolicies"
	pathAuthorization = "/policies/authorizationPolicy"
	pathDefaults      = "/policies/identitySecurityDefaultsEnforcementPolicy"
	pathAdminConsent  = "/policies/adminConsentRequestPolicy"
	pathMethods       = "/policies/authenticationMethodsPolicy"
	pathCrossDefault  = "/policies/crossTenantAccessPolicy/default"
	pathCrossPartners = "/policies/crossTenantAccessPolicy/partners"
	pathAppManagement = "/policies/defaultAppManagementPolicy"
	pathDeviceJoin    = "/policies/deviceRegistrationPolicy"
	pathTimeouts      = "/policies/activityBasedTimeoutPolicies"
	pathB2B           = "/policies/b2bManagementPolicies"
	pathSettings      = "/groupSettings"
	pathSync          = "/directory/onPremisesSynchronization"
	pathDefinitions   = "/roleManagement/directory/roleDefinitions"
	pathAssignments   = "/roleManagement/directory/roleAssignments"
	pathActive        = "/roleManagement/directory/roleAssignmentScheduleInstances"
	pathEligible      = "/roleManagement/directory/roleEligibilityScheduleInstances"
	pathDirectoryRole = "/directoryRoles"
	pathRolePolicies  = "/policies/roleManagementPolicyAssignments"
	pathRegistrations = "/reports/authenticationMethods/userRegistrationDetails"
	pathApplications  = "/applications"
	pathPrincipals    = "/servicePrincipals"
	pathGrants        = "/oauth2PermissionGrants"
	pathAppActivity   = "/reports/servicePrincipalSignInActivities"
	pathAppGovernance = "/security/runHuntingQuery/OAuthAppInfo"
	pathDevices       = "/deviceManagement/managedDevices"
	pathCompliance    = "/deviceManagement/deviceCompliancePolicies"
	pathManagement    = "/deviceManagement"
	pathSharing       = "/admin/sharepoint/settings"
	pathSites         = "/sites"
	pathSiteUse       = "/reports/getSharePointSiteUsageDetail"
	pathJoined        = "/devices"
)

// NewState reads a snapshot as of now; where the snapshot says when it was taken, that is its now.
func NewState(snap *Snapshot, now time.Time) *State {
	if !snap.Taken.IsZero() {
		now = snap.Taken
	}
	s := &State{snap: snap, now: now, paths: map[string]string{}, missing: map[string]Missing{}, read: map[string]any{}, keys: map[string]string{}, rests: map[string]bool{}}
	for path := range snap.Collections {
		s.paths[key(path)] = path
	}
	for path, m := range snap.Missing {
		s.missing[key(path)] = m
	}
	return s
}

// Err is why something that was looked at could not be loaded: what was judged without it counts for nothing.
func (s *State) Err() error { return s.err }

// key notes that a path is looked at, and gives what it is told apart by.
func (s *State) key(path string) string {
	k, ok := s.keys[path]
	if !ok {
		k = key(path)
		s.keys[path] = k
	}
	s.rests[k] = true
	return k
}

// has says whether a path was collected.
func (s *State) has(path string) bool {
	_, ok := s.paths[s.key(path)]
	return ok
}

// anyMembers stands for the members of every group, where something rests on who is in any.
const anyMembers = "groups/*"

// RestsOn says whether a result that rests on some paths, as [Result.Rests] has them, may change with a path.
func RestsOn(rests []string, path string) bool {
	k := key(path)
	return slices.Contains(rests, k) || strings.HasPrefix(k, "groups/") && slices.Contains(rests, anyMembers)
}

// members is the path of a group's members, those in groups of it as well.
func members(groupID string) string { return "/groups/" + groupID + "/transitiveMembers" }

// all are the objects of a path; none where it was not collected. An object that is not of the form is left out.
func all[T any](s *State, path string) []T {
	k := s.key(path)
	if done, ok := s.read[k].([]T); ok {
		return done
	}
	bodies := s.snap.Collections[s.paths[k]]
	if _, known := s.paths[k]; known && s.snap.Load != nil {
		var err error
		if bodies, err = s.snap.Load(s.paths[k]); err != nil && s.err == nil {
			s.err = err
		}
	}
	out := make([]T, 0, len(bodies))
	for _, body := range bodies {
		var one T
		if json.Unmarshal(body, &one) == nil {
			out = append(out, one)
		}
	}
	s.read[k] = out
	return out
}

// one is the object of a path that has one; nil where there is none.
func one[T any](s *State, path string) *T {
	if list := all[T](s, path); len(list) > 0 {
		return &list[0]
	}
	return nil
}

// lacks is the verdict where one of the needs was not collected, or nil. A need is a path, or several with "|" between of which one is enough.
func (s *State) lacks(needs []string) *Verdict {
	for _, need := range needs {
		alternatives := strings.Split(need, "|")
		found := false
		for _, path := range alternatives {
			found = found || s.has(path)
		}
		if found {
			continue
		}
		for _, path := range alternatives {
			if m, ok := s.missing[s.key(path)]; ok {
				why := or(m.Why, reasons[m.Reason], reasons[NotCollected])
				return &Verdict{Status: Unknown, Reason: m.Reason, Why: fmt.Sprintf("%s could not be read: %s", path, lower(why))}
			}
		}
		return &Verdict{Status: Unknown, Reason: NotCollected, Why: fmt.Sprintf("%s was not collected.", alternatives[0])}
	}
	return nil
}

// asOf is a verdict that may rest on what could once be read and cannot be any more: what failed then is said to be of then, and of what
// passed then it is not known whether it would now.
func (s *State) asOf(v Verdict) Verdict {
	path, m, at := "", Missing{}, time.Time{}
	for _, k := range slices.Sorted(maps.Keys(s.rests)) {
		p, held := s.paths[k]
		if refused := s.missing[k]; held && (refused.Reason == Permission || refused.Reason == Licence) && (path == "" || s.snap.Read[p].Before(at)) {
			path, m, at = p, refused, s.snap.Read[p]
		}
	}
	if path == "" || v.Status == Unknown {
		return v
	}
	since := fmt.Sprintf("since then %s could not be read: %s", path, lower(or(m.Why, reasons[m.Reason])))
	on := at.UTC().Format("2 January 2006")
	if v.Status == Pass {
		return Verdict{Status: Unknown, Reason: m.Reason, Why: fmt.Sprintf("On %s this was so: %s But %s", on, v.Why, since)}
	}
	v.Why += fmt.Sprintf(" That was on %s; %s", on, since)
	return v
}

// reasons are the sentences for a reason that comes without one.
var reasons = map[Reason]string{
	Permission:   "The permission for it was not granted.",
	Licence:      "The tenant has no licence that it is part of.",
	NotCollected: "It was not collected.",
	Undecided:    "What was collected does not tell.",
}

// lower is a sentence as it goes on after a colon; a name or a permission at its beginning stays as it is.
func lower(sentence string) string {
	first, _, _ := strings.Cut(sentence, " ")
	if first == "" || first[1:] != strings.ToLower(first[1:]) {
		return sentence
	}
	return strings.ToLower(first) + sentence[len(first):]
}

// person is a user by id; nil where not known.
func (s *State) person(id string) *user {
	s.key(pathUsers)
	k := "person by id"
	byID, ok := s.read[k].(map[string]*user)
	if !ok {
		users := all[user](s, pathUsers)
		byID = make(map[string]*user, len(users))
		for i := range users {
			byID[strings.ToLower(users[i].ID)] = &users[i]
		}
		s.read[k] = byID
	}
	return byID[strings.ToLower(id)]
}

// nameOf is what an id is called: a person's, a group's, an application's or a role's name, else the id.
func (s *State) nameOf(id string) string {
	if u := s.person(id); u != nil {
		return u.name()
	}
	for _, path := range []string{pathGroups, pathPrincipals, pathLocations} {
		s.key(path)
	}
	k := "name by id"
	names, ok := s.read[k].(map[string]string)
	if !ok {
		names = map[string]string{}
		for _, g := range all[group](s, pathGroups) {
			names[strings.ToLower(g.ID)] = or(g.DisplayName, g.ID)
		}
		for _, p := range all[servicePrincipal](s, pathPrincipals) {
			names[strings.ToLower(p.ID)] = or(p.DisplayName, p.ID)
			names[strings.ToLower(p.AppID)] = or(p.DisplayName, p.AppID)
		}
		for _, l := range all[namedLocation](s, pathLocations) {
			names[strings.ToLower(l.ID)] = or(l.DisplayName, l.ID)
		}
		s.read[k] = names
	}
	if n, ok := names[strings.ToLower(id)]; ok {
		return n
	}
	if n, ok := roleNames[strings.ToLower(id)]; ok {
		return n
	}
	if n, ok := appNames[strings.ToLower(id)]; ok {
		return n
	}
	return id
}

// AppNamed is the id of an application that every tenant has, by its name; empty where none is known by it.
func AppNamed(name string) string {
	if strings.EqualFold(name, "Office 365") || strings.EqualFold(name, "Office365") {
		return "Office365"
	}
	for id, n := range appNames {
		if strings.EqualFold(n, name) {
			return id
		}
	}
	return ""
}

// appNames are Microsoft's applications that policies name by id.
var appNames = map[string]string{
	"797f4846-ba00-4fd7-ba43-dac1f8f63013": "Windows Azure Service Management API",
	"499b84ac-1321-427f-aa17-267ca6975798": "Azure DevOps",
	"d4ebce55-015a-49b5-a083-c84d1797ae8c": "Microsoft Intune Enrollment",
	"0000000a-0000-0000-c000-000000000000": "Microsoft Intune",
	"00000003-0000-0ff1-ce00-000000000000": "Office 365 SharePoint Online",
	"00000002-0000-0ff1-ce00-000000000000": "Office 365 Exchange Online",
	"00000003-0000-0000-c000-000000000000": "Microsoft Graph",
}
