package posture

import (
	"fmt"
	"slices"
	"strings"
)

// coverage judges that policies ask a second factor of persons: by a policy that is for all of them, and, where persons were
// collected, person by person.
func coverage(forAll func(*Policy) bool, which func(*user) bool, whom string) func(*State) Verdict {
	byPolicy := anyPolicy(func(p *Policy) bool {
		return forAll(p) && p.everyApp() && p.demandsMFA() && !p.conditioned()
	}, "asks a second factor of "+whom+" for every application", "No policy asks a second factor of "+whom+" for every application")
	return func(s *State) Verdict {
		v := byPolicy(s)
		if len(all[user](s, pathUsers)) == 0 || !slices.ContainsFunc(all[user](s, pathUsers), func(u user) bool { return u.enabled() && which(&u) }) {
			return v
		}
		var bare, unsure []Object
		for _, g := range s.Uncovered(which) {
			if g.Unsure {
				unsure = append(unsure, g.Object)
			} else {
				bare = append(bare, g.Object)
			}
		}
		switch {
		case len(bare) > 0 && v.Status == Pass:
			return none(bare, "person", "signs in without a second factor although a policy asks it of "+whom, "")
		case len(bare) > 0:
			return v.with(bare...)
		case len(unsure) > 0:
			return undecided("Of %s it cannot be told whether a policy applies, because who is in its groups was not collected: %s.", count(len(unsure), "person"), some(unsure)).with(unsure...)
		case v.Status == Pass:
			return v
		}
		return pass("Policies together ask a second factor of %s, person by person.", whom)
	}
}

// forAdmins says whether a policy is for everyone or for all roles of administrators.
func forAdmins(p *Policy) bool {
	return p.everyone() || p.Conditions.Users.IncludeRoles.all(administrators...)
}

func forGuests(p *Policy) bool {
	u := p.Conditions.Users
	return (p.everyone() || u.IncludeUsers.has("GuestsOrExternalUsers") || u.IncludeGuests.everyGuest()) &&
		!u.ExcludeUsers.has("GuestsOrExternalUsers") && !u.ExcludeGuests.any()
}

func judgeAdminMFA(s *State) Verdict {
	admins := s.admins(administrators)
	return coverage(forAdmins, func(u *user) bool { return len(admins[u.ID]) > 0 }, "administrators")(s)
}

func blocksLegacy(p *Policy) bool {
	c := p.Conditions
	return p.Blocks() && p.everyone() && p.everyApp() && (c.ClientAppTypes.all("exchangeActiveSync", "other")) &&
		len(c.SignInRisk)+len(c.UserRisk) == 0 && p.allPlaces() && p.allPlatforms() && p.deviceRule() == ""
}

// adminFrequency wants administrators to sign in anew at least so often.
func judgeAdminFrequency(s *State) Verdict {
	const most = 24
	return anyPolicy(func(p *Policy) bool {
		hours, told := p.hours()
		return forAdmins(p) && p.allApps() && told && hours <= most
	}, "makes administrators sign in anew within a day", "No policy makes administrators sign in anew within a day")(s)
}

func judgeAllFrequency(s *State) Verdict {
	const most = 7 * 24
	return anyPolicy(func(p *Policy) bool {
		hours, told := p.hours()
		return p.everyone() && !p.exempt() && p.everyApp() && !p.conditioned() && told && hours <= most
	}, "makes everybody sign in anew within a week", "No policy makes everybody sign in anew within a week")(s)
}

// unmanaged says whether a policy's device filter singles out devices that are not the organisation's.
func (p *Policy) unmanaged() bool {
	rule := strings.ToLower(strings.Join(strings.Fields(p.deviceRule()), " "))
	if rule == "" {
		return false
	}
	own := strings.Contains(rule, "iscompliant -eq true") || strings.Contains(rule, `trusttype -eq "serverad"`)
	strange := strings.Contains(rule, "iscompliant -ne true") || strings.Contains(rule, "iscompliant -eq false") || strings.Contains(rule, `trusttype -ne "serverad"`)
	if strings.EqualFold(p.Conditions.Devices.Filter.Mode, "exclude") {
		return own && !strange
	}
	return strange && !own
}

func unknownPlatforms(p *Policy) bool {
	f := p.Conditions.Platforms
	return p.Blocks() && f.Include.has("all") && f.Exclude.all("android", "iOS", "windows", "macOS", "linux")
}

func mobileApps(p *Policy) bool {
	f := p.Conditions.Platforms
	mobile := (f.Include.has("all") || f.Include.all("android", "iOS")) && !f.Exclude.has("android") && !f.Exclude.has("iOS")
	return p.everyone() && p.office() && mobile && p.demandsAny("approvedApplication", "compliantApplication")
}

func appRestrictions(p *Policy) bool {
	apps := p.Conditions.Applications.Include
	both := apps.has("Office365") || apps.all("00000003-0000-0ff1-ce00-000000000000", "00000002-0000-0ff1-ce00-000000000000")
	return p.everyone() && both && p.allClients() && p.Session.Restrictions != nil && p.Session.Restrictions.IsEnabled
}

func adminPortals(p *Policy) bool {
	u := p.Conditions.Users
	return p.Blocks() && p.everyone() && p.Conditions.Applications.Include.has("MicrosoftAdminPortals") && len(u.ExcludeRoles) > 0
}

func judgeEverything(s *State) Verdict {
	acts := func(p *Policy) bool {
		return p.Blocks() || p.demands(func(c string) bool { return !strings.EqualFold(c, "passwordChange") })
	}
	v := anyPolicy(func(p *Policy) bool { return p.everyone() && !p.exempt() && p.everyApp() && acts(p) },
		"is for all persons and all applications", "No policy is for all persons and all applications")(s)
	if v.Status == Pass {
		return v
	}
	var some []Object
	for i := range s.Policies() {
		if p := &s.Policies()[i]; p.Enabled() && p.everyone() && p.allApps() && acts(p) {
			some = append(some, Object{ID: p.ID, Name: p.DisplayName, Path: pathPolicies, Why: "has exclusions"})
		}
	}
	if len(some) > 0 {
		return undecided("The policies for all persons and all applications have exclusions; whether they are meant cannot be told from here.").with(some...)
	}
	return v
}

func allAppsCovered(p *Policy) bool {
	return p.allApps() && (p.Blocks() || p.demands(func(c string) bool { return !strings.EqualFold(c, "passwordChange") }))
}

func signInRisk(p *Policy) bool {
	return p.everyone() && p.allApps() && p.Conditions.SignInRisk.all("high", "medium") && (p.Blocks() || p.demandsMFA())
}

func signInRiskBlocked(p *Policy) bool {
	return p.everyone() && p.allApps() && p.Conditions.SignInRisk.all("high", "medium") && p.Blocks()
}

func userRisk(p *Policy) bool {
	return p.everyone() && p.allApps() && p.Conditions.UserRisk.has("high") && (p.Blocks() || p.demandsAny("passwordChange", "mfa", "strength"))
}

func insiderRisk(office bool) func(*Policy) bool {
	return func(p *Policy) bool {
		apps := p.allApps() || office && p.office()
		return p.Blocks() && p.everyone() && apps && p.Conditions.InsiderRisk.has("elevated")
	}
}

func managedDevice(p *Policy) bool {
	return p.everyone() && p.allApps() && len(p.Conditions.Applications.UserActions) == 0 && p.demandsAny("compliantDevice", "domainJoinedDevice", "mfa", "strength") &&
		(p.Grant.BuiltIn.has("compliantDevice") || p.Grant.BuiltIn.has("domainJoinedDevice"))
}

func managedRegistration(p *Policy) bool {
	return p.everyone() && p.Conditions.Applications.UserActions.has("urn:user:registersecurityinfo") &&
		(p.Grant.BuiltIn.has("compliantDevice") || p.Grant.BuiltIn.has("domainJoinedDevice"))
}

func deviceOrMFA(p *Policy) bool {
	u := p.Conditions.Users
	admins := p.everyone() || slices.ContainsFunc(u.IncludeRoles, administrators.has)
	return admins && p.allApps() && strings.EqualFold(p.Grant.Operator, "OR") && p.Grant.BuiltIn.all("mfa", "compliantDevice", "domainJoinedDevice")
}

func judgeCompliantDevice(s *State) Verdict {
	v := anyPolicy(func(p *Policy) bool {
		return p.everyone() && p.everyApp() && p.demandsAny("compliantDevice")
	}, "lets in compliant devices alone", "No policy lets in compliant devices alone")(s)
	if v.Status != Pass {
		return v
	}
	if lacks := s.lacks([]string{pathCompliance, pathManagement, pathDevices}); lacks != nil {
		lacks.Why = "A policy asks for a compliant device; whether Intune says which are is not known. " + lacks.Why
		return *lacks
	}
	assigned := slices.ContainsFunc(all[struct {
		Assignments []struct{} `json:"assignments"`
	}](s, pathCompliance), func(p struct {
		Assignments []struct{} `json:"assignments"`
	}) bool {
		return len(p.Assignments) > 0
	})
	management := one[struct {
		Settings *struct {
			SecureByDefault *bool `json:"secureByDefault"`
		} `json:"settings"`
	}](s, pathManagement)
	switch {
	case !assigned:
		return fail("A policy asks for a compliant device, but no compliance policy of Intune is assigned to anybody.").with(v.Found...)
	case management != nil && management.Settings != nil && management.Settings.SecureByDefault != nil && !*management.Settings.SecureByDefault:
		return fail("A policy asks for a compliant device, but Intune takes devices without a compliance policy as compliant.").with(v.Found...)
	case !slices.ContainsFunc(all[managedDevicePC](s, pathDevices), func(d managedDevicePC) bool { return strings.EqualFold(d.ComplianceState, "compliant") }):
		return fail("A policy asks for a compliant device, but Intune knows none that is compliant.").with(v.Found...)
	}
	return v
}

func judgeSyncExcluded(s *State) Verdict {
	var bad, fine []Object
	for i := range s.Policies() {
		p := &s.Policies()[i]
		if !p.Enabled() && !p.ReportOnly() || !p.everyone() || !p.allApps() {
			continue
		}
		o := Object{ID: p.ID, Name: p.DisplayName, Path: pathPolicies}
		if p.Conditions.Users.ExcludeRoles.has(roleSync) {
			fine = append(fine, o)
		} else {
			o.Why = "does not exclude the role Directory Synchronization Accounts"
			bad = append(bad, o)
		}
	}
	if org := one[organization](s, pathOrganization); org != nil && org.Sync != nil && !*org.Sync {
		return pass("Nothing is synchronised from on premises, so no account of it can be locked out.")
	}
	return none(bad, "policy", "for all persons and applications would lock out the synchronisation account",
		fmt.Sprintf("No policy locks out the synchronisation account; %s it by role.", or(map[bool]string{true: some(fine) + " excludes"}[len(fine) > 0], "none needs to exclude")))
}

func judgeReportOnly(s *State) Verdict {
	var bad []Object
	for i := range s.Policies() {
		if p := &s.Policies()[i]; p.ReportOnly() {
			bad = append(bad, Object{ID: p.ID, Name: p.DisplayName, Path: pathPolicies, Why: "only reports"})
		}
	}
	return none(bad, "policy", "only reports what it would do", "Every policy that is on is enforced.")
}

func judgeDisabled(s *State) Verdict {
	var bad []Object
	for i := range s.Policies() {
		if p := &s.Policies()[i]; !p.Enabled() && !p.ReportOnly() {
			bad = append(bad, Object{ID: p.ID, Name: p.DisplayName, Path: pathPolicies, Why: "is switched off"})
		}
	}
	return none(bad, "policy", "is switched off", "No policy is switched off.")
}

// sentinels are the words that stand in a policy in place of an id.
var sentinels = list{"All", "None", "GuestsOrExternalUsers", "Office365", "MicrosoftAdminPortals", "AllTrusted", "00000000-0000-0000-0000-000000000000"}

// judgeReferences wants everything that a policy names to be there.
func judgeReferences(s *State) Verdict {
	groups := map[string]bool{}
	for _, g := range all[group](s, pathGroups) {
		groups[strings.ToLower(g.ID)] = true
	}
	roles := map[string]bool{}
	for id := range roleNames {
		roles[id] = true
	}
	for _, d := range all[owner](s, pathDefinitions) {
		roles[strings.ToLower(d.ID)] = true
	}
	kinds := []struct {
		noun string
		path string
		ids  func(*userCondition) []list
		know func(string) bool
	}{
		{"person", pathUsers, func(u *userCondition) []list { return []list{u.IncludeUsers, u.ExcludeUsers} }, func(id string) bool { return s.person(id) != nil }},
		{"group", pathGroups, func(u *userCondition) []list { return []list{u.IncludeGroups, u.ExcludeGroups} }, func(id string) bool { return groups[strings.ToLower(id)] }},
		{"role", pathDefinitions, func(u *userCondition) []list { return []list{u.IncludeRoles, u.ExcludeRoles} }, func(id string) bool { return roles[strings.ToLower(id)] }},
	}
	var bad []Object
	unseen := map[string]bool{}
	for i := range s.Policies() {
		p := &s.Policies()[i]
		for _, k := range kinds {
			for _, ids := range k.ids(p.Conditions.Users) {
				for _, id := range ids {
					switch {
					case sentinels.has(id) || k.know(id):
					case !s.has(k.path):
						unseen[k.path] = true
					default:
						bad = append(bad, Object{ID: p.ID, Name: p.DisplayName, Path: pathPolicies, Why: "names a " + k.noun + " that is not there: " + id})
					}
				}
			}
		}
	}
	switch {
	case len(bad) > 0:
		return none(bad, "reference", "of a policy is to somebody or something that was deleted", "")
	case len(unseen) > 0:
		return undecided("Policies name persons, groups or roles that were not collected.")
	}
	return pass("Everything that policies name is there.")
}

// judgeExclusions wants each that is left out of a policy to be in another.
func judgeExclusions(s *State) Verdict {
	var on []*Policy
	blocking := 0
	for i := range s.Policies() {
		if p := &s.Policies()[i]; p.Enabled() {
			on = append(on, p)
			if p.Blocks() {
				blocking++
			}
		}
	}
	type kind struct {
		noun     string
		in, out  func(*Policy) list
		allowed  func(*Policy, string) bool // where the policy is for all of them
		excusing bool
	}
	kinds := []kind{
		{"person", func(p *Policy) list { return p.Conditions.Users.IncludeUsers }, func(p *Policy) list { return p.Conditions.Users.ExcludeUsers }, func(p *Policy, _ string) bool { return p.everyone() }, true},
		{"group", func(p *Policy) list { return p.Conditions.Users.IncludeGroups }, func(p *Policy) list { return p.Conditions.Users.ExcludeGroups }, func(p *Policy, _ string) bool { return p.everyone() }, true},
		{"role", func(p *Policy) list { return p.Conditions.Users.IncludeRoles }, func(p *Policy) list { return p.Conditions.Users.ExcludeRoles }, func(p *Policy, _ string) bool { return p.everyone() }, false},
		{"application", func(p *Policy) list { return p.Conditions.Applications.Include }, func(p *Policy) list { return p.Conditions.Applications.Exclude }, func(p *Policy, _ string) bool { return p.allApps() }, false},
	}
	var bad []Object
	for _, k := range kinds {
		done := map[string]bool{}
		for _, p := range on {
			for _, id := range k.out(p) {
				low := strings.ToLower(id)
				if done[low] || strings.EqualFold(id, roleSync) {
					continue
				}
				done[low] = true
				if k.excusing && blocking > 0 && !slices.ContainsFunc(on, func(o *Policy) bool { return o.Blocks() && !k.out(o).has(id) }) {
					continue // kept for emergencies
				}
				covered := slices.ContainsFunc(on, func(o *Policy) bool {
					return !k.out(o).has(id) && (k.in(o).has(id) || k.allowed(o, id))
				})
				if !covered {
					bad = append(bad, Object{ID: id, Name: s.nameOf(id), Path: pathPolicies, Why: "a " + k.noun + " that " + p.DisplayName + " leaves out and no policy takes in"})
				}
			}
		}
	}
	return none(bad, "exclusion", "has no policy in its place", "Everybody and everything left out of a policy is in another.")
}

// judgeGroupsProtected wants the groups that policies name to be changed by few.
func judgeGroupsProtected(s *State) Verdict {
	known := map[string]group{}
	for _, g := range all[group](s, pathGroups) {
		known[strings.ToLower(g.ID)] = g
	}
	var bad, unknown []Object
	seen := map[string]bool{}
	for i := range s.Policies() {
		p := &s.Policies()[i]
		if !p.Enabled() && !p.ReportOnly() {
			continue
		}
		for _, id := range slices.Concat(p.Conditions.Users.IncludeGroups, p.Conditions.Users.ExcludeGroups) {
			g, ok := known[strings.ToLower(id)]
			switch {
			case seen[strings.ToLower(id)]:
			case !ok:
				unknown = append(unknown, Object{ID: id, Name: id, Path: pathGroups})
			case !g.IsAssignableToRole && !g.IsManagementRestricted:
				bad = append(bad, Object{ID: g.ID, Name: or(g.DisplayName, g.ID), Path: pathGroups, Why: "any groups administrator can change who is in it"})
			}
			seen[strings.ToLower(id)] = true
		}
	}
	if len(bad) == 0 && len(unknown) > 0 {
		return undecided("Policies name groups that are not known: %s.", some(unknown)).with(unknown...)
	}
	return none(bad, "group", "that policies name can be changed by any groups administrator", "The groups that policies name are protected, or there are none.")
}

func judgeUntrusted(s *State) Verdict {
	trusted := map[string]bool{}
	for _, l := range all[namedLocation](s, pathLocations) {
		trusted[strings.ToLower(l.ID)] = l.IsTrusted
	}
	return anyPolicy(func(p *Policy) bool {
		l := p.Conditions.Locations
		if !p.Blocks() || !p.everyone() || !p.everyApp() || !l.Exclude.has("AllTrusted") && !slices.ContainsFunc(l.Exclude, func(id string) bool { return trusted[strings.ToLower(id)] }) {
			return false
		}
		return l.Include.has("All") || slices.ContainsFunc(l.Include, func(id string) bool {
			is, known := trusted[strings.ToLower(id)]
			return known && !is && !l.Exclude.has(id)
		})
	}, "keeps out sign-ins from places that are not trusted", "No policy keeps out sign-ins from places that are not trusted")(s)
}

func judgeTrustedPlace(s *State) Verdict {
	var places, good []Object
	for _, l := range all[namedLocation](s, pathLocations) {
		o := Object{ID: l.ID, Name: or(l.DisplayName, l.ID), Path: pathLocations}
		places = append(places, o)
		if l.IsTrusted && len(l.IPRanges) > 0 {
			good = append(good, o)
		}
	}
	switch {
	case len(good) > 0:
		return pass("Trusted places are named: %s.", some(good)).with(good...)
	case len(places) > 0:
		return fail("None of the %s is a trusted range of addresses.", count(len(places), "named place")).with(places...)
	}
	return fail("No place is named, so policies cannot tell the organisation's own network.")
}

// judgeEmergency wants an account, or a group, that no blocking policy keeps out.
func judgeEmergency(s *State) Verdict {
	var blocking []*Policy
	for i := range s.Policies() {
		if p := &s.Policies()[i]; p.Enabled() && p.Blocks() && len(p.Conditions.Applications.UserActions) == 0 {
			blocking = append(blocking, p)
		}
	}
	if len(blocking) == 0 {
		return pass("No enforced policy blocks, so nobody can be locked out by one.")
	}
	var spared []Object
	u := blocking[0].Conditions.Users
	for _, id := range u.ExcludeUsers {
		if !slices.ContainsFunc(blocking, func(p *Policy) bool { return !p.Conditions.Users.ExcludeUsers.has(id) }) {
			spared = append(spared, Object{ID: id, Name: s.nameOf(id), Path: pathUsers})
		}
	}
	for _, id := range u.ExcludeGroups {
		if !slices.ContainsFunc(blocking, func(p *Policy) bool { return !p.Conditions.Users.ExcludeGroups.has(id) }) {
			spared = append(spared, Object{ID: id, Name: s.nameOf(id), Path: pathGroups})
		}
	}
	if len(spared) == 0 {
		return fail("Nobody is excluded from all %s that block, so a mistake in one locks everybody out.", count(len(blocking), "policy"))
	}
	return pass("Kept for emergencies, and excluded from every policy that blocks: %s.", some(spared)).with(spared...)
}

// judgeEmergencyKey wants the emergency accounts to have a security key.
func judgeEmergencyKey(s *State) Verdict {
	var on []*Policy
	for i := range s.Policies() {
		if p := &s.Policies()[i]; p.Enabled() && len(p.Conditions.Applications.UserActions) == 0 {
			on = append(on, p)
		}
	}
	var ids []string
	if len(on) > 0 {
		for _, id := range on[0].Conditions.Users.ExcludeUsers {
			if !sentinels.has(id) && !slices.ContainsFunc(on, func(p *Policy) bool { return !p.Conditions.Users.ExcludeUsers.has(id) }) {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return undecided("No account is excluded from every enforced policy, so which are kept for emergencies cannot be told.")
	}
	if lacks := s.lacks([]string{pathRegistrations}); lacks != nil {
		return *lacks
	}
	ways := map[string]list{}
	for _, r := range all[registration](s, pathRegistrations) {
		ways[strings.ToLower(r.ID)] = r.MethodsRegistered
	}
	var bad, unsure, good []Object
	for _, id := range ids {
		o := Object{ID: id, Name: s.nameOf(id), Path: pathUsers}
		have, known := ways[strings.ToLower(id)]
		switch {
		case !known:
			o.Why = "what is registered is not known"
			unsure = append(unsure, o)
		case have.has("fido2SecurityKey") || have.has("fido2"):
			good = append(good, o)
		case have.has("passKeyDeviceBound"):
			o.Why = "a passkey that is bound to a device: a key, or a telephone"
			unsure = append(unsure, o)
		default:
			o.Why = "no security key"
			bad = append(bad, o)
		}
	}
	switch {
	case len(bad) > 0:
		return none(bad, "emergency account", "has no security key", "")
	case len(unsure) > 0:
		return undecided("Whether the emergency accounts have a security key cannot be told: %s.", some(unsure)).with(unsure...)
	}
	return pass("Every emergency account has a security key: %s.", some(good)).with(good...)
}
