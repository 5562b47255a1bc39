package posture

import (
	"fmt"
	"slices"
	"strings"
)

// Who from outside, or by owning something, reaches further than roles say.

// partner is what another tenant is called.
func (c *crossTenant) name() string { return "tenant " + or(c.TenantID, "unknown") }

// eachPartner wants no tenant that is set by itself for which bad gives a phrase.
func eachPartner(wrong, good string, bad func(*crossTenant) string) func(*State) Verdict {
	return func(s *State) Verdict {
		var found []Object
		for _, c := range all[crossTenant](s, pathCrossPartners) {
			if why := bad(&c); why != "" {
				found = append(found, Object{ID: c.TenantID, Name: c.name(), Path: pathCrossPartners, Why: why})
			}
		}
		return none(found, "other tenant", wrong, good)
	}
}

// judgeProviders shows who administers the tenant for it. Which roles a provider has is told to the provider alone.
// https://learn.microsoft.com/graph/api/resources/crosstenantaccesspolicyconfigurationpartner
var judgeProviders = eachPartner("is a service provider that may administer this one", "No service provider is set as a partner.", func(c *crossTenant) string {
	if c.Provider != nil && *c.Provider {
		return "a service provider: look in the Microsoft 365 admin center, Settings, Partner relationships, for its roles and their end"
	}
	return ""
})

// judgeUserSync: a tenant that writes users in here makes persons whom nobody here has made.
var judgeUserSync = eachPartner("may write users into this one", "No other tenant writes users into this one.", func(c *crossTenant) string {
	if c.UserSync != nil && c.UserSync.Inbound != nil && c.UserSync.Inbound.Allowed {
		return "cross-tenant synchronisation is allowed in"
	}
	return ""
})

var judgePartnersDirect = eachPartner("may let all of its people connect directly", "No other tenant's people may all connect directly.", func(c *crossTenant) string {
	if c.DirectIn.open() && c.DirectIn.everybody() {
		return "all of its people, without being guests"
	}
	return ""
})

// everybody says whether a side is for all users.
func (a *access) everybody() bool {
	return a != nil && a.Users != nil && slices.ContainsFunc(a.Users.Targets, func(t target) bool { return strings.EqualFold(t.Target, "AllUsers") })
}

// roleHolders are those who hold or may take any role, by id in lower case.
func (s *State) roleHolders() map[string]bool {
	out := map[string]bool{}
	for _, h := range s.Holdings() {
		out[strings.ToLower(h.Principal)] = true
	}
	return out
}

// ordinary are owners who are no administrators, in words.
func (s *State) ordinary(owners []owner, admins map[string]bool) []string {
	var out []string
	for _, o := range owners {
		if !admins[strings.ToLower(o.ID)] {
			out = append(out, or(o.DisplayName, s.nameOf(o.ID)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// judgeGroupOwners: who owns a group puts people in. Where the group has a role, or a policy asks who is in it, that is an administrator's act.
func judgeGroupOwners(s *State) Verdict {
	admins, told := s.roleHolders(), false
	named := map[string]string{}
	for i := range s.Policies() {
		p := &s.Policies()[i]
		for _, id := range p.Conditions.Users.ExcludeGroups {
			named[strings.ToLower(id)] = "it is left out of " + or(p.DisplayName, p.ID)
		}
	}
	for _, h := range s.Holdings() {
		if h.Group != "" {
			named[strings.ToLower(h.Group)] = "it has the role " + h.RoleName
		}
	}
	var bad []Object
	groups := all[group](s, pathGroups)
	for _, g := range groups {
		told = told || g.Owners != nil
		why := named[strings.ToLower(g.ID)]
		if why == "" && g.IsAssignableToRole {
			why = "roles can be given to it"
		}
		if who := s.ordinary(g.Owners, admins); why != "" && len(who) > 0 {
			bad = append(bad, Object{ID: g.ID, Name: or(g.DisplayName, g.ID), Path: pathGroups, Why: fmt.Sprintf("%s, and %s puts people in", why, strings.Join(who[:min(3, len(who))], ", "))})
		}
	}
	if !told && len(groups) > 0 {
		return undecided("Who owns groups was not collected.")
	}
	return none(bad, "group", "with a role, or left out of a policy, belongs to people without a role", "Groups with a role, and those left out of policies, belong to administrators alone.")
}

// judgeOwnerless: of a group that nobody owns nobody says who should be in it.
func judgeOwnerless(s *State) Verdict {
	var bad []Object
	told := false
	groups := all[group](s, pathGroups)
	for _, g := range groups {
		told = told || g.Owners != nil
		if g.Owners != nil && len(g.Owners) == 0 && g.GroupTypes.has("Unified") {
			bad = append(bad, Object{ID: g.ID, Name: or(g.DisplayName, g.ID), Path: pathGroups, Why: "nobody owns it"})
		}
	}
	if !told && len(groups) > 0 {
		return undecided("Who owns groups was not collected.")
	}
	return none(bad, "Microsoft 365 group", "has no owner", "Every Microsoft 365 group has an owner.")
}

// judgeAppOwners: who owns an application gives it a credential, and holds what it holds.
func judgeAppOwners(s *State) Verdict {
	admins, held := s.roleHolders(), s.Held()
	apps := map[string]*application{}
	list := all[application](s, pathApplications)
	for i := range list {
		apps[strings.ToLower(list[i].AppID)] = &list[i]
	}
	var bad []Object
	told, granted := false, false
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		granted = granted || p.AppRoleAssignments != nil || s.has(assignedTo(p.ID))
		owners := slices.Clone(p.Owners)
		told = told || p.Owners != nil
		if a := apps[strings.ToLower(p.AppID)]; a != nil {
			told = told || a.Owners != nil
			owners = append(owners, a.Owners...)
		}
		var gives []string
		for _, h := range held[p.ID] {
			if h.Gives != "" {
				gives = append(gives, h.Permission)
			}
		}
		if who := s.ordinary(owners, admins); len(gives) > 0 && len(who) > 0 {
			slices.Sort(gives)
			bad = append(bad, Object{ID: p.ID, Name: or(p.DisplayName, p.ID), Path: pathPrincipals, Why: fmt.Sprintf("%s can take %s by it", strings.Join(who[:min(3, len(who))], ", "), strings.Join(gives[:min(3, len(gives))], ", "))})
		}
	}
	if !told {
		return undecided("Who owns applications was not collected.")
	}
	if !granted {
		return undecided("Which permissions applications hold was not collected.")
	}
	return none(bad, "application", "that reaches everybody's data belongs to people without a role", "Applications that reach everybody's data belong to administrators alone, or to nobody.")
}

// joinedDevice is a device that Entra knows. https://learn.microsoft.com/graph/api/resources/device
type joinedDevice struct {
	ID       string `json:"id"`
	DeviceID string `json:"deviceId"`
	Name     string `json:"displayName"`
	System   string `json:"operatingSystem"`
	Enabled  *bool  `json:"accountEnabled"`
	Managed  *bool  `json:"isManaged"`
	Trust    string `json:"trustType"` // AzureAd, ServerAd, Workplace
	LastSeen moment `json:"approximateLastSignInDateTime"`
}

// eachJoined wants no enabled device of Entra's for which bad gives a phrase.
func eachJoined(wrong, good string, bad func(*State, *joinedDevice) string) func(*State) Verdict {
	return func(s *State) Verdict {
		var found []Object
		for _, d := range all[joinedDevice](s, pathJoined) {
			if d.Enabled != nil && !*d.Enabled {
				continue
			}
			if why := bad(s, &d); why != "" {
				found = append(found, Object{ID: d.ID, Name: or(d.Name, d.ID), Path: pathJoined, Why: why})
			}
		}
		return none(found, "device", wrong, good)
	}
}

// judgeUnmanaged: a device that is joined is trusted as the organisation's own; what Intune does not manage nobody keeps so. Registered ones
// are people's own.
var judgeUnmanaged = eachJoined("is joined, and Intune does not manage it", "Every device that is joined is managed.", func(_ *State, d *joinedDevice) string {
	if !strings.EqualFold(d.Trust, "Workplace") && (d.Managed == nil || !*d.Managed) {
		return strings.TrimSpace(d.System + ", not managed")
	}
	return ""
})

// forgottenAfter is after how long a device that nobody signs in with should be disabled. Microsoft's own advice is this, or more.
// https://learn.microsoft.com/entra/identity/devices/manage-stale-devices
const forgottenAfter = 2 * staleAfter

var judgeForgotten = eachJoined("was not used for 180 days and is still enabled", "Every device that is enabled was used within 180 days.", func(s *State, d *joinedDevice) string {
	if !d.LastSeen.IsZero() && s.now.Sub(d.LastSeen.Time) > forgottenAfter {
		return "last used " + d.LastSeen.UTC().Format("2006-01-02")
	}
	return ""
})

// judgeAnyoneLinks counts links that anybody can use, site by site, as SharePoint itself does once a day. Where reports hide names the id stands
// for the site. https://learn.microsoft.com/graph/api/reportroot-getsharepointsiteusagedetail?view=graph-rest-beta
func judgeAnyoneLinks(s *State) Verdict {
	names := map[string]string{}
	for _, x := range all[struct {
		ID   string `json:"id"`
		Name string `json:"displayName"`
		URL  string `json:"webUrl"`
	}](s, pathSites) {
		if parts := strings.Split(x.ID, ","); len(parts) == 3 { // host, site collection, site
			names[strings.ToLower(parts[1])] = or(x.Name, x.URL)
		}
	}
	var bad []Object
	links, told := 0, false
	for _, x := range all[struct {
		Site    string `json:"siteId"`
		URL     string `json:"siteUrl"`
		Deleted bool   `json:"isDeleted"`
		Anyone  *int   `json:"anonymousLinkCount"`
	}](s, pathSiteUse) {
		told = told || x.Anyone != nil
		if x.Deleted || x.Anyone == nil || *x.Anyone == 0 {
			continue
		}
		links += *x.Anyone
		bad = append(bad, Object{ID: x.Site, Name: or(names[strings.ToLower(x.Site)], x.URL, x.Site), Path: pathSiteUse, Why: count(*x.Anyone, "link")})
	}
	if !told {
		return undecided("How many links each site has is not told: SharePoint's report has no rows, or no counts.")
	}
	if v := none(bad, "site", "", "No site has links that anybody can use."); v.Status == Pass {
		return v
	}
	return fail("Whoever has them can use %s, of %s: %s.", count(links, "link"), count(len(bad), "site"), some(bad)).with(bad...)
}
