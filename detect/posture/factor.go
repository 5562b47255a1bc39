package posture

import (
	"fmt"
	"strings"
	"time"
)

// Factor is whether somebody must give a second factor to sign in.
type Factor string

// The answers. What is not known is never no.
const (
	FactorRequired Factor = "required"
	FactorNot      Factor = "not"
	FactorBlocked  Factor = "blocked" // no sign-in goes through at all
	FactorUnknown  Factor = "unknown"
)

// Demand is whether somebody must give a second factor, by conditional access or security defaults, and why, in a sentence.
type Demand struct {
	Factor Factor `json:"factor"` // required, not, blocked, unknown
	Why    string `json:"why"`
}

// DemandOn says whether a person must give a second factor, whichever application they sign in to. Of a guest it says besides whether
// the factor of their own organisation counts, which cross-tenant access decides.
// https://learn.microsoft.com/entra/external-id/authentication-conditional-access
func (s *State) DemandOn(id string) Demand {
	who := s.person(id)
	suffix := ""
	if who != nil && who.guest() {
		suffix = s.trusts()
	}
	if d := one[struct {
		IsEnabled bool `json:"isEnabled"`
	}](s, pathDefaults); d != nil && d.IsEnabled {
		return Demand{FactorRequired, "Security defaults ask everybody for a second factor." + suffix}
	}
	if lack := s.lacks([]string{pathPolicies}); lack != nil {
		return Demand{FactorUnknown, "The policies are not known: " + lower(lack.Why)}
	}
	o := s.WhatIf(Attempt{Person: id})
	named := func(wanted func(Applied) bool) (names []string, why string) {
		for _, a := range o.Policies {
			if a.Policy.Enabled() && wanted(a) {
				names = append(names, or(a.Policy.DisplayName, a.Policy.ID))
				why = or(why, a.Why)
			}
		}
		return names, why
	}
	if o.Blocked {
		names, _ := named(func(a Applied) bool { return a.Bearing == Applies && a.Policy.Blocks() })
		return Demand{FactorBlocked, fmt.Sprintf("%s keeps them out.", strings.Join(names, ", "))}
	}
	if o.MFA {
		names, _ := named(func(a Applied) bool { return a.Bearing == Applies && a.Policy.demandsMFA() })
		return Demand{FactorRequired, fmt.Sprintf("By %s.%s", strings.Join(names, ", "), suffix)}
	}
	// Of those that hang on where or with what somebody signs in none asks always.
	always := func(a Applied) bool { return a.Policy.demandsMFA() && !a.Policy.conditioned() }
	if names, why := named(func(a Applied) bool { return a.Bearing == Maybe && always(a) }); len(names) > 0 {
		return Demand{FactorUnknown, fmt.Sprintf("It hangs on %s: %s.", names[0], why)}
	}
	if names, why := named(func(a Applied) bool { return a.Bearing == Not && always(a) && a.Policy.allApps() }); len(names) > 0 {
		return Demand{FactorNot, fmt.Sprintf("%s does not hold: %s.", names[0], why)}
	}
	return Demand{FactorNot, "No policy asks them for it always."}
}

// trusts says whether the second factor of a guest's own organisation counts, as a sentence that goes on.
func (s *State) trusts() string {
	d := one[crossTenant](s, pathCrossDefault)
	switch {
	case d == nil || d.Trust == nil || d.Trust.MFA == nil:
		return " Whether that of their own organisation counts is not known."
	case *d.Trust.MFA:
		return " That of their own organisation counts."
	}
	partners := 0
	for _, p := range all[crossTenant](s, pathCrossPartners) {
		if p.Trust != nil && p.Trust.MFA != nil && *p.Trust.MFA {
			partners++
		}
	}
	switch {
	case partners > 0:
		return fmt.Sprintf(" That of their own organisation counts where it is one of the %s trusted; else they register one here.", count(partners, "partner"))
	case !s.has(pathCrossPartners):
		return " They register one here, unless their own organisation is a partner whose second factor counts: partners are not known."
	}
	return " They register one here: that of their own organisation does not count."
}

// Use is a conditional access policy that names a group.
type Use struct {
	Policy   string `json:"policy"` // its name
	State    string `json:"state"`  // enabled, report_only, disabled
	Excluded bool   `json:"excluded"`
}

// UsesOf are the policies that are for the members of a group, or leave them out.
func (s *State) UsesOf(group string) []Use {
	out := []Use{}
	for i := range s.Policies() {
		p := &s.Policies()[i]
		u := Use{Policy: or(p.DisplayName, p.ID), State: "disabled"}
		if p.Enabled() {
			u.State = "enabled"
		} else if p.ReportOnly() {
			u.State = "report_only"
		}
		if p.Conditions.Users.IncludeGroups.has(group) {
			out = append(out, u)
		}
		if u.Excluded = p.Conditions.Users.ExcludeGroups.has(group); u.Excluded {
			out = append(out, u)
		}
	}
	return out
}

// GroupsNamed are the groups that policies name, by their folded ids.
func (s *State) GroupsNamed() map[string]bool {
	out := map[string]bool{}
	for i := range s.Policies() {
		u := s.Policies()[i].Conditions.Users
		if u == nil {
			continue
		}
		for _, list := range []list{u.IncludeGroups, u.ExcludeGroups} {
			for _, id := range list {
				out[strings.ToLower(id)] = true
			}
		}
	}
	return out
}

// NoLongerMended says whether a system's maker mends it no more, at a time, and since when.
func NoLongerMended(system, version string, at time.Time) (since time.Time, is bool) {
	for _, e := range ended {
		if strings.HasPrefix(strings.ToLower(system), e.system) && version != "" && older(version, e.before) && at.After(e.since) {
			return e.since, true
		}
	}
	return time.Time{}, false
}
