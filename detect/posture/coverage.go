package posture

import (
	"slices"
	"strings"
)

// Attempt is a sign-in to ask about. What is empty is not told: a policy for which it matters then may apply.
type Attempt struct {
	Person     string // id
	App        string // the application's id; empty is one that no policy names
	Client     string // browser, mobileAppsAndDesktopClients, exchangeActiveSync, other
	Platform   string // windows, macOS, iOS, android, linux
	Place      string // a named location's id; "trusted" is any trusted one, "elsewhere" none of them
	SignInRisk string // none, low, medium, high
	UserRisk   string
}

// Bearing says whether a policy bears on an attempt.
type Bearing string

// The bearings.
const (
	Applies Bearing = "applies"
	Maybe   Bearing = "maybe" // it hangs on something that is not known
	Not     Bearing = "not"
)

// Applied is what a policy does about an attempt.
type Applied struct {
	Policy  *Policy
	Bearing Bearing
	Why     string // a phrase: why not, or what it hangs on
}

// Outcome is what conditional access asks of an attempt, of the policies that are enforced.
type Outcome struct {
	Blocked   bool
	MFA       bool
	Resistant bool
	Unsure    bool // some policy may apply
	Policies  []Applied
}

// WhatIf gives what conditional access does about an attempt: every policy, whether it applies and why not. Those that only report
// are among the policies and do not count for the outcome.
func (s *State) WhatIf(a Attempt) Outcome {
	var out Outcome
	for i := range s.Policies() {
		p := &s.Policies()[i]
		applied := s.bears(p, a)
		out.Policies = append(out.Policies, applied)
		if !p.Enabled() {
			continue
		}
		switch applied.Bearing {
		case Maybe:
			out.Unsure = true
		case Applies:
			out.Blocked = out.Blocked || p.Blocks()
			out.MFA = out.MFA || p.demandsMFA()
			out.Resistant = out.Resistant || p.demandsResistant()
		}
	}
	return out
}

// bears says whether a policy applies to an attempt: each of its conditions must.
func (s *State) bears(p *Policy, a Attempt) Applied {
	out := Applied{Policy: p, Bearing: Applies}
	for _, condition := range []func() (Bearing, string){
		func() (Bearing, string) { return s.meets(p, a.Person) },
		func() (Bearing, string) { return p.aims(a.App) },
		func() (Bearing, string) { return p.through(a.Client) },
		func() (Bearing, string) { return p.on(a.Platform) },
		func() (Bearing, string) { return s.from(p, a.Place) },
		func() (Bearing, string) { return risk(p.Conditions.SignInRisk, a.SignInRisk, "sign-in") },
		func() (Bearing, string) { return risk(p.Conditions.UserRisk, a.UserRisk, "user") },
		p.otherwise,
	} {
		switch bearing, why := condition(); bearing {
		case Not:
			return Applied{Policy: p, Bearing: Not, Why: why}
		case Maybe:
			out.Bearing = Maybe
			out.Why = or(out.Why, why)
		}
	}
	return out
}

// meets says whether the policy is for a person: included, and not excluded.
func (s *State) meets(p *Policy, id string) (Bearing, string) {
	u := p.Conditions.Users
	who := s.person(id)
	guest := who != nil && who.guest()
	in, unsure := Not, ""
	switch {
	case u.ExcludeUsers.has(id), u.ExcludeUsers.has("GuestsOrExternalUsers") && guest:
		return Not, "excluded by name"
	case guest && u.ExcludeGuests.everyGuest():
		return Not, "excluded as a guest"
	}
	group, role := Not, Not
	if group, unsure = s.inGroups(u.ExcludeGroups, id); group == Applies {
		return Not, "excluded by the group " + unsure
	}
	if role = s.inRoles(u.ExcludeRoles, id); role == Applies {
		return Not, "excluded by a role"
	}
	maybeOut := group == Maybe || role == Maybe
	if u.IncludeUsers.has("All") || u.IncludeUsers.has(id) || guest && (u.IncludeUsers.has("GuestsOrExternalUsers") || u.IncludeGuests.everyGuest()) {
		in = Applies
	}
	if in != Applies {
		group, _ := s.inGroups(u.IncludeGroups, id)
		role := s.inRoles(u.IncludeRoles, id)
		switch {
		case group == Applies || role == Applies:
			in = Applies
		case group == Maybe || role == Maybe:
			in = Maybe
		}
	}
	switch {
	case in == Not:
		return Not, "not for this person"
	case in == Maybe:
		return Maybe, "who is in its groups or roles was not collected"
	case maybeOut:
		return Maybe, "who is in its excluded groups or roles was not collected"
	}
	return Applies, ""
}

// inGroups says whether somebody is in one of the groups, and in which.
func (s *State) inGroups(ids list, id string) (Bearing, string) {
	out := Not
	for _, g := range ids {
		path := members(g)
		if !s.has(path) {
			out = Maybe
			continue
		}
		k := "members of " + s.key(path)
		set, ok := s.read[k].(map[string]bool)
		if !ok {
			set = map[string]bool{}
			for _, m := range all[owner](s, path) {
				set[strings.ToLower(m.ID)] = true
			}
			s.read[k] = set
		}
		if set[strings.ToLower(id)] {
			return Applies, s.nameOf(g)
		}
	}
	return out, ""
}

// inRoles says whether somebody has one of the roles at this moment.
func (s *State) inRoles(roles list, id string) Bearing {
	if len(roles) == 0 {
		return Not
	}
	held := false
	for _, h := range s.Holdings() {
		if h.Principal == id && !h.Eligible && roles.has(h.Role) {
			held = true
		}
	}
	switch {
	case held:
		return Applies
	case !s.has(pathActive) && !s.has(pathAssignments) && !s.has(pathDirectoryRole) || !s.roles.opened:
		return Maybe
	}
	return Not
}

// aims says whether the policy is for an application.
func (p *Policy) aims(app string) (Bearing, string) {
	a := p.Conditions.Applications
	switch {
	case len(a.UserActions) > 0:
		return Not, "for registering " + strings.TrimPrefix(a.UserActions[0], "urn:user:register")
	case len(a.Contexts) > 0:
		return Not, "for an authentication context"
	case app != "" && (a.Exclude.has(app) || a.Exclude.has("Office365") && officeApps.has(app)):
		return Not, "the application is excluded"
	case a.Filter != nil && a.Filter.Rule != "":
		return Maybe, "it filters applications by attributes"
	case a.Include.has("All"):
		return Applies, ""
	case app != "" && (a.Include.has(app) || a.Include.has("Office365") && officeApps.has(app)):
		return Applies, ""
	}
	return Not, "not for this application"
}

// officeApps are what Office365 stands for in a policy, of those that people sign in to.
// https://learn.microsoft.com/entra/identity/conditional-access/reference-office-365-application-contents
var officeApps = list{
	"00000002-0000-0ff1-ce00-000000000000", "00000003-0000-0ff1-ce00-000000000000", "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe",
	"4765445b-32c6-49b0-83e6-1d93765276ca", "00000006-0000-0ff1-ce00-000000000000", "Office365",
}

func (p *Policy) through(client string) (Bearing, string) {
	types := p.Conditions.ClientAppTypes
	switch {
	case len(types) == 0 || types.has("all"):
		return Applies, ""
	case client == "" && types.all("browser", "mobileAppsAndDesktopClients"):
		return Applies, ""
	case client == "" && !types.has("browser") && !types.has("mobileAppsAndDesktopClients"):
		return Not, "for legacy clients"
	case client == "":
		return Maybe, "it is for some kinds of client"
	case types.has(client):
		return Applies, ""
	}
	return Not, "not for this kind of client"
}

func (p *Policy) on(platform string) (Bearing, string) {
	f := p.Conditions.Platforms
	switch {
	case p.allPlatforms():
		return Applies, ""
	case platform == "":
		return Maybe, "it is for some systems"
	case f.Exclude.has(platform), !f.Include.has("all") && !f.Include.has(platform):
		return Not, "not for this system"
	}
	return Applies, ""
}

// from says whether the policy holds at a place.
func (s *State) from(p *Policy, place string) (Bearing, string) {
	l := p.Conditions.Locations
	in := func(places list) bool {
		if places.has("All") || places.has(place) {
			return true
		}
		if !places.has("AllTrusted") {
			return false
		}
		return place == "trusted" || slices.ContainsFunc(all[namedLocation](s, pathLocations), func(n namedLocation) bool { return n.IsTrusted && strings.EqualFold(n.ID, place) })
	}
	switch {
	case p.allPlaces():
		return Applies, ""
	case place == "":
		return Maybe, "it is for some places"
	case in(l.Exclude):
		return Not, "the place is excluded"
	case len(l.Include) > 0 && !in(l.Include):
		return Not, "not for this place"
	}
	return Applies, ""
}

func risk(levels list, level, whose string) (Bearing, string) {
	switch {
	case len(levels) == 0:
		return Applies, ""
	case level != "" && levels.has(level):
		return Applies, ""
	}
	return Not, "only at " + whose + " risk " + strings.Join(levels, " or ")
}

// otherwise are the conditions that an attempt does not tell.
func (p *Policy) otherwise() (Bearing, string) {
	c := p.Conditions
	switch {
	case c.Flows != nil && len(c.Flows.TransferMethods) > 0:
		return Not, "only for " + strings.Join(c.Flows.TransferMethods, " and ")
	case len(c.InsiderRisk) > 0:
		return Not, "only at insider risk"
	case p.deviceRule() != "":
		return Maybe, "it filters devices"
	case c.ClientApplications != nil && len(c.ClientApplications.Include) > 0:
		return Not, "for applications' own sign-ins"
	}
	return Applies, ""
}

// Gap is a person of whom conditional access does not ask a second factor.
type Gap struct {
	Object
	Unsure bool // it could not be told
}

// Uncovered goes through persons and gives those who can sign in, to an application that no policy names, without a second factor
// and without being kept out. Emergency accounts are left out, they are meant to be.
func (s *State) Uncovered(which func(*user) bool) []Gap {
	emergency := s.emergency()
	var out []Gap
	for _, u := range all[user](s, pathUsers) {
		if !u.enabled() || !which(&u) || slices.Contains(emergency, strings.ToLower(u.ID)) {
			continue
		}
		o := s.WhatIf(Attempt{Person: u.ID})
		if o.Blocked || o.MFA {
			continue
		}
		gap := Gap{Object: Object{ID: u.ID, Name: u.name(), Path: pathUsers, Why: "no policy asks a second factor"}}
		for _, a := range o.Policies {
			if !a.Policy.Enabled() || a.Bearing == Applies || !a.Policy.demandsMFA() {
				continue
			}
			if who, _ := s.meets(a.Policy, u.ID); who == Maybe && a.Policy.everyApp() && !a.Policy.conditioned() {
				gap.Unsure = true
			}
			if a.Policy.everyone() {
				gap.Why = a.Policy.DisplayName + ": " + a.Why
			}
		}
		out = append(out, gap)
	}
	return out
}

// maxEmergency is how many accounts can pass as emergency accounts: more are not kept for that.
const maxEmergency = 4

// emergency are the accounts, in lower case, that are excluded by name from every enforced policy for all that blocks or asks a
// second factor: those kept for the day on which conditional access locks everybody out.
func (s *State) emergency() []string {
	var ids []string
	first := true
	for i := range s.Policies() {
		p := &s.Policies()[i]
		if !p.Enabled() || !p.everyone() || !p.Blocks() && !p.demandsMFA() || len(p.Conditions.Applications.UserActions) > 0 {
			continue
		}
		var excluded []string
		for _, id := range p.Conditions.Users.ExcludeUsers {
			if !strings.EqualFold(id, "GuestsOrExternalUsers") {
				excluded = append(excluded, strings.ToLower(id))
			}
		}
		if first {
			ids, first = excluded, false
			continue
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return !slices.Contains(excluded, id) })
	}
	if len(ids) > maxEmergency {
		return nil
	}
	return ids
}
