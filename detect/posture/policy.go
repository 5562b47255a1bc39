package posture

import (
	"slices"
	"strings"
)

// Policy is a conditional access policy, with Graph's field names.
// https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
type Policy struct {
	ID              string      `json:"id"`
	DisplayName     string      `json:"displayName"`
	State           string      `json:"state"` // enabled, disabled, enabledForReportingButNotEnforced
	CreatedDateTime moment      `json:"createdDateTime"`
	Modified        moment      `json:"modifiedDateTime"`
	Conditions      *conditions `json:"conditions"`
	Grant           *grant      `json:"grantControls"`
	Session         *session    `json:"sessionControls"`
}

type conditions struct {
	ClientAppTypes list             `json:"clientAppTypes"`
	Users          *userCondition   `json:"users"`
	Applications   *appCondition    `json:"applications"`
	Platforms      *platforms       `json:"platforms"`
	Locations      *locations       `json:"locations"`
	Devices        *deviceCondition `json:"devices"`
	SignInRisk     list             `json:"signInRiskLevels"`
	UserRisk       list             `json:"userRiskLevels"`
	PrincipalRisk  list             `json:"servicePrincipalRiskLevels"`
	InsiderRisk    list             `json:"insiderRiskLevels"`
	Flows          *struct {
		TransferMethods list `json:"transferMethods"`
	} `json:"authenticationFlows"`
	ClientApplications *struct {
		Include list `json:"includeServicePrincipals"`
	} `json:"clientApplications"`
}

type userCondition struct {
	IncludeUsers  list    `json:"includeUsers"`
	ExcludeUsers  list    `json:"excludeUsers"`
	IncludeGroups list    `json:"includeGroups"`
	ExcludeGroups list    `json:"excludeGroups"`
	IncludeRoles  list    `json:"includeRoles"`
	ExcludeRoles  list    `json:"excludeRoles"`
	IncludeGuests *guests `json:"includeGuestsOrExternalUsers"`
	ExcludeGuests *guests `json:"excludeGuestsOrExternalUsers"`
}

type guests struct {
	Types list `json:"guestOrExternalUserTypes"`
}

func (g *guests) any() bool { return g != nil && len(g.Types) > 0 && !g.Types.has("none") }

// everyGuest says whether all who are guests by invitation are meant.
func (g *guests) everyGuest() bool { return g.any() && g.Types.all("b2bCollaborationGuest") }

type appCondition struct {
	Include     list `json:"includeApplications"`
	Exclude     list `json:"excludeApplications"`
	UserActions list `json:"includeUserActions"`
	Contexts    list `json:"includeAuthenticationContextClassReferences"`
	Filter      *struct {
		Mode string `json:"mode"`
		Rule string `json:"rule"`
	} `json:"applicationFilter"`
}

type platforms struct {
	Include list `json:"includePlatforms"`
	Exclude list `json:"excludePlatforms"`
}

type locations struct {
	Include list `json:"includeLocations"`
	Exclude list `json:"excludeLocations"`
}

type deviceCondition struct {
	Include list `json:"includeDevices"`
	Filter  *struct {
		Mode string `json:"mode"`
		Rule string `json:"rule"`
	} `json:"deviceFilter"`
}

type grant struct {
	Operator string    `json:"operator"`
	BuiltIn  list      `json:"builtInControls"`
	Custom   list      `json:"customAuthenticationFactors"`
	Terms    list      `json:"termsOfUse"`
	Strength *strength `json:"authenticationStrength"`
}

type session struct {
	Frequency *struct {
		IsEnabled bool   `json:"isEnabled"`
		Value     int    `json:"value"`
		Type      string `json:"type"` // hours, days
		Interval  string `json:"frequencyInterval"`
	} `json:"signInFrequency"`
	Restrictions *struct {
		IsEnabled bool `json:"isEnabled"`
	} `json:"applicationEnforcedRestrictions"`
	Browser *struct {
		IsEnabled bool   `json:"isEnabled"`
		Mode      string `json:"mode"`
	} `json:"persistentBrowser"`
}

// Enabled says whether the policy is enforced.
func (p *Policy) Enabled() bool { return strings.EqualFold(p.State, "enabled") }

// ReportOnly says whether the policy only reports what it would do.
func (p *Policy) ReportOnly() bool {
	return strings.EqualFold(p.State, "enabledForReportingButNotEnforced")
}

// fill makes the parts that Graph leaves out.
func (p *Policy) fill() {
	if p.Conditions == nil {
		p.Conditions = &conditions{}
	}
	c := p.Conditions
	if c.Users == nil {
		c.Users = &userCondition{}
	}
	if c.Applications == nil {
		c.Applications = &appCondition{}
	}
	if c.Platforms == nil {
		c.Platforms = &platforms{}
	}
	if c.Locations == nil {
		c.Locations = &locations{}
	}
	if p.Grant == nil {
		p.Grant = &grant{}
	}
	if p.Session == nil {
		p.Session = &session{}
	}
	if g := p.Grant.Strength; g != nil && g.ID == "" && g.DisplayName == "" {
		p.Grant.Strength = nil
	}
}

// Policies are the conditional access policies, by name.
func (s *State) Policies() []Policy {
	s.key(pathPolicies)
	s.key(pathStrengths)
	if s.policies != nil {
		return s.policies
	}
	strengths := map[string]strength{}
	for _, known := range all[strength](s, pathStrengths) {
		strengths[strings.ToLower(known.ID)] = known
	}
	s.policies = slices.Clone(all[Policy](s, pathPolicies))
	for i := range s.policies {
		p := &s.policies[i]
		p.fill()
		if g := p.Grant.Strength; g != nil && len(g.AllowedCombinations) == 0 {
			if known, ok := strengths[strings.ToLower(g.ID)]; ok {
				p.Grant.Strength = &known
			}
		}
	}
	slices.SortStableFunc(s.policies, func(a, b Policy) int {
		return strings.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName))
	})
	return s.policies
}

// Microsoft's own authentication strengths. https://learn.microsoft.com/entra/identity/authentication/concept-authentication-strengths
const (
	strengthMFA       = "00000000-0000-0000-0000-000000000002"
	strengthNoPasswd  = "00000000-0000-0000-0000-000000000003"
	strengthResistant = "00000000-0000-0000-0000-000000000004"
)

// resistant are the ways that a phishing site cannot pass on.
var resistant = list{"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"}

// single are the ways of a strength that are one factor alone.
var single = list{"password", "sms", "federatedSingleFactor", "x509CertificateSingleFactor", "qrCodePin"}

// phishingResistant says whether a strength takes only ways that a phishing site cannot pass on.
func (s *strength) phishingResistant() bool {
	if len(s.AllowedCombinations) == 0 {
		return s.ID == strengthResistant
	}
	for _, way := range s.AllowedCombinations {
		if !resistant.has(way) {
			return false
		}
	}
	return true
}

// multifactor says whether a strength takes only ways of two factors.
func (s *strength) multifactor() bool {
	if len(s.AllowedCombinations) == 0 {
		return s.ID == strengthMFA || s.ID == strengthNoPasswd || s.ID == strengthResistant
	}
	for _, way := range s.AllowedCombinations {
		if single.has(way) {
			return false
		}
	}
	return true
}

// Blocks says whether who meets the policy is kept out.
func (p *Policy) Blocks() bool { return p.Grant.BuiltIn.has("block") }

// controls are what the policy asks for, one word each: Graph's for the built-in ones, "strength" for an authentication
// strength, "custom" and "terms" for the others.
func (p *Policy) controls() list {
	out := slices.Clone(p.Grant.BuiltIn)
	if p.Grant.Strength != nil {
		out = append(out, "strength")
	}
	if len(p.Grant.Custom) > 0 {
		out = append(out, "custom")
	}
	if len(p.Grant.Terms) > 0 {
		out = append(out, "terms")
	}
	return out
}

// demands says whether one of the wanted controls is met whichever way somebody takes: with OR every way must be a wanted one.
func (p *Policy) demands(wanted func(control string) bool) bool {
	controls := p.controls()
	if len(controls) == 0 {
		return false
	}
	if strings.EqualFold(p.Grant.Operator, "OR") {
		return !slices.ContainsFunc(controls, func(c string) bool { return !wanted(c) })
	}
	return slices.ContainsFunc(controls, wanted)
}

// demandsMFA says whether a second factor is needed whichever way somebody takes.
func (p *Policy) demandsMFA() bool {
	return p.demands(func(c string) bool {
		return strings.EqualFold(c, "mfa") || c == "strength" && p.Grant.Strength.multifactor()
	})
}

// demandsResistant says whether a way that no phishing site can pass on is needed.
func (p *Policy) demandsResistant() bool {
	return p.demands(func(c string) bool { return c == "strength" && p.Grant.Strength.phishingResistant() })
}

// demandsAny says whether every way somebody may take is one of the words.
func (p *Policy) demandsAny(words ...string) bool {
	return p.demands(func(c string) bool { return list(words).has(c) })
}

// everyone says whether all persons are included.
func (p *Policy) everyone() bool { return p.Conditions.Users.IncludeUsers.has("All") }

// exempt says whether anybody is excluded.
func (p *Policy) exempt() bool {
	u := p.Conditions.Users
	return len(u.ExcludeUsers)+len(u.ExcludeGroups)+len(u.ExcludeRoles) > 0 || u.ExcludeGuests.any()
}

// allApps says whether all cloud apps are included.
func (p *Policy) allApps() bool { return p.Conditions.Applications.Include.has("All") }

// everyApp says whether all cloud apps are included and none is left out.
func (p *Policy) everyApp() bool {
	a := p.Conditions.Applications
	return p.allApps() && len(a.Exclude) == 0 && (a.Filter == nil || a.Filter.Rule == "")
}

// office says whether all of Office 365 is included.
func (p *Policy) office() bool {
	a := p.Conditions.Applications
	return (a.Include.has("All") || a.Include.has("Office365")) && !a.Exclude.has("Office365")
}

// allClients says whether every modern way to sign in is included.
func (p *Policy) allClients() bool {
	c := p.Conditions.ClientAppTypes
	return len(c) == 0 || c.has("all") || c.all("browser", "mobileAppsAndDesktopClients")
}

// allPlaces says whether the place does not matter.
func (p *Policy) allPlaces() bool {
	l := p.Conditions.Locations
	return (len(l.Include) == 0 || l.Include.has("All")) && len(l.Exclude) == 0
}

// allPlatforms says whether the device's system does not matter.
func (p *Policy) allPlatforms() bool {
	f := p.Conditions.Platforms
	return (len(f.Include) == 0 || f.Include.has("all")) && len(f.Exclude) == 0
}

func (p *Policy) deviceRule() string {
	if d := p.Conditions.Devices; d != nil && d.Filter != nil {
		return d.Filter.Rule
	}
	return ""
}

// conditioned says whether the policy holds only under a condition besides who and which app: risk, place, system, device, flow.
func (p *Policy) conditioned() bool {
	c := p.Conditions
	return len(c.SignInRisk)+len(c.UserRisk)+len(c.InsiderRisk) > 0 || c.Flows != nil && len(c.Flows.TransferMethods) > 0 ||
		!p.allPlaces() || !p.allPlatforms() || p.deviceRule() != "" || !p.allClients() || len(c.Applications.UserActions) > 0
}

// flow says whether the policy is about a way to hand over a sign-in: deviceCodeFlow or authenticationTransfer.
func (p *Policy) flow(way string) bool {
	return p.Conditions.Flows != nil && p.Conditions.Flows.TransferMethods.has(way)
}

// hours is how often somebody must sign in anew, and whether the policy says so at all; zero is every time.
func (p *Policy) hours() (int, bool) {
	f := p.Session.Frequency
	switch {
	case f == nil || !f.IsEnabled:
		return 0, false
	case strings.EqualFold(f.Interval, "everyTime"):
		return 0, true
	case f.Value <= 0:
		return 0, false
	case strings.EqualFold(f.Type, "days"):
		return 24 * f.Value, true
	}
	return f.Value, true
}
