package posture

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// What pages and lists show of a state besides the checks.

// PolicyView is a conditional access policy in words.
type PolicyView struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	State      string    `json:"state"`      // enabled, report_only, disabled
	Who        []string  `json:"who"`        // who is included
	Without    []string  `json:"without"`    // who is left out
	Apps       []string  `json:"apps"`       // which applications or acts
	AppsLess   []string  `json:"apps_less"`  // which are left out
	Conditions []string  `json:"conditions"` // besides
	Controls   []string  `json:"controls"`   // what is asked
	Created    time.Time `json:"created,omitzero"`
	Modified   time.Time `json:"modified,omitzero"`
}

// PolicyViews are the policies in words, those that are enforced first.
func (s *State) PolicyViews() []PolicyView {
	out := make([]PolicyView, 0, len(s.Policies()))
	for i := range s.Policies() {
		out = append(out, s.policyView(&s.Policies()[i]))
	}
	rank := map[string]int{"enabled": 0, "report_only": 1, "disabled": 2}
	slices.SortStableFunc(out, func(a, b PolicyView) int { return cmp.Compare(rank[a.State], rank[b.State]) })
	return out
}

// inPlace are what stands in a policy in place of an id.
var inPlace = map[string]string{"all": "everybody", "none": "nobody", "guestsorexternalusers": "guests", "office365": "Office 365", "microsoftadminportals": "administration portals", "alltrusted": "trusted places",
	"urn:user:registersecurityinfo": "registering a method", "urn:user:registerdevice": "registering a device"}

// clientNames are the kinds of client as people call them.
var clientNames = map[string]string{"browser": "browsers", "mobileappsanddesktopclients": "applications", "exchangeactivesync": "ActiveSync", "other": "old protocols"}

func (s *State) named(all string, groups ...list) []string {
	out := []string{}
	for _, g := range groups {
		for _, id := range g {
			switch w := inPlace[strings.ToLower(id)]; {
			case strings.EqualFold(id, "All"):
				out = append(out, all)
			case w != "":
				out = append(out, w)
			default:
				out = append(out, s.nameOf(id))
			}
		}
	}
	return out
}

func (s *State) policyView(p *Policy) PolicyView {
	c, u := p.Conditions, p.Conditions.Users
	v := PolicyView{ID: p.ID, Name: or(p.DisplayName, p.ID), State: "disabled", Created: p.CreatedDateTime.Time, Modified: p.Modified.Time,
		Who: s.named("everybody", u.IncludeUsers, u.IncludeGroups, u.IncludeRoles), Without: s.named("everybody", u.ExcludeUsers, u.ExcludeGroups, u.ExcludeRoles),
		Apps: s.named("every application", c.Applications.Include, c.Applications.UserActions), AppsLess: s.named("every application", c.Applications.Exclude), Conditions: []string{}, Controls: []string{}}
	if p.Enabled() {
		v.State = "enabled"
	} else if p.ReportOnly() {
		v.State = "report_only"
	}
	if u.IncludeGuests.any() {
		v.Who = append(v.Who, "guests")
	}
	if u.ExcludeGuests.any() {
		v.Without = append(v.Without, "guests")
	}
	add := func(what string, of []string) {
		if len(of) > 0 {
			v.Conditions = append(v.Conditions, what+" "+strings.Join(of, ", "))
		}
	}
	if !c.ClientAppTypes.has("all") {
		clients := []string{}
		for _, k := range c.ClientAppTypes {
			clients = append(clients, or(clientNames[strings.ToLower(k)], k))
		}
		add("clients:", clients)
	}
	add("from:", s.named("anywhere", c.Locations.Include))
	add("not from:", s.named("anywhere", c.Locations.Exclude))
	add("systems:", s.named("any", c.Platforms.Include))
	add("not systems:", c.Platforms.Exclude)
	add("sign-in risk:", c.SignInRisk)
	add("user risk:", c.UserRisk)
	add("insider risk:", c.InsiderRisk)
	if c.Flows != nil {
		add("flows:", c.Flows.TransferMethods)
	}
	if rule := p.deviceRule(); rule != "" {
		add("devices:", []string{rule})
	}
	controls := map[string]string{"mfa": "a second factor", "block": "block", "compliantdevice": "a compliant device", "domainjoineddevice": "a joined device", "approvedapplication": "an approved application",
		"compliantapplication": "a protected application", "passwordchange": "a new password", "terms": "terms of use", "custom": "another provider's check"}
	for _, k := range p.controls() {
		w := or(controls[strings.ToLower(k)], k)
		if k == "strength" {
			w = or(p.Grant.Strength.DisplayName, "an authentication strength")
		}
		v.Controls = append(v.Controls, w)
	}
	if strings.EqualFold(p.Grant.Operator, "OR") && len(v.Controls) > 1 {
		v.Controls = []string{strings.Join(v.Controls, " or ")}
	}
	if hours, told := p.hours(); told {
		if hours == 0 {
			v.Controls = append(v.Controls, "sign in every time")
		} else {
			v.Controls = append(v.Controls, "sign in every "+count(hours, "hour"))
		}
	}
	return v
}

// PlaceView is a named place of conditional access.
type PlaceView struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Trusted  bool     `json:"trusted"`
	What     []string `json:"what"`     // addresses, or countries
	Policies int      `json:"policies"` // how many name it
}

// PlaceViews are the named places, by name.
func (s *State) PlaceViews() []PlaceView {
	out := []PlaceView{}
	for _, l := range all[namedLocation](s, pathLocations) {
		v := PlaceView{ID: l.ID, Name: or(l.DisplayName, l.ID), Trusted: l.IsTrusted, What: []string{}}
		for _, raw := range l.IPRanges {
			var r struct {
				CIDR string `json:"cidrAddress"`
			}
			if json.Unmarshal(raw, &r) == nil && r.CIDR != "" {
				v.What = append(v.What, r.CIDR)
			}
		}
		v.What = append(v.What, l.Countries...)
		if l.Unknown {
			v.What = append(v.What, "places not known")
		}
		for i := range s.Policies() {
			c := s.Policies()[i].Conditions.Locations
			if c.Include.has(l.ID) || c.Exclude.has(l.ID) || l.IsTrusted && (c.Include.has("AllTrusted") || c.Exclude.has("AllTrusted")) {
				v.Policies++
			}
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b PlaceView) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out
}

// AppView is an application of the tenant.
type AppView struct {
	ID          string    `json:"id"`
	AppID       string    `json:"app_id"`
	Name        string    `json:"name"`
	Whose       string    `json:"whose"` // ours, microsoft, foreign
	Enabled     bool      `json:"enabled"`
	Publisher   string    `json:"publisher"` // verified; empty where none is
	Secrets     int       `json:"secrets"`
	Keys        int       `json:"certificates"`
	Ends        time.Time `json:"ends,omitzero"` // when the last of its credentials does
	Permissions []Held    `json:"permissions"`
	Dangerous   int       `json:"dangerous"` // how many of them reach everybody's data, or the tenant
	ForAll      []string  `json:"for_all"`   // what it does on everybody's behalf
	LastUsed    time.Time `json:"last_used,omitzero"`
}

// Apps are the applications, those that can do most first. Microsoft's own that hold nothing are left out.
func (s *State) Apps() []AppView {
	held := s.Held()
	registered := map[string]application{}
	for _, a := range all[application](s, pathApplications) {
		registered[strings.ToLower(a.AppID)] = a
	}
	forAll := map[string][]string{}
	for _, g := range all[permissionGrant](s, pathGrants) {
		if g.ConsentType == "AllPrincipals" {
			forAll[g.ClientID] = append(forAll[g.ClientID], strings.Fields(g.Scope)...)
		}
	}
	seen := map[string]time.Time{}
	for _, a := range all[appActivity](s, pathAppActivity) {
		if a.LastSignInActivity != nil {
			seen[strings.ToLower(a.AppID)] = a.LastSignInActivity.LastSignInDateTime.Time
		}
	}
	out := []AppView{}
	add := func(v AppView, credentials ...[]credential) {
		v.Secrets, v.Keys = len(credentials[0]), len(credentials[1])
		for _, c := range slices.Concat(credentials...) {
			if c.EndDateTime.After(v.Ends) {
				v.Ends = c.EndDateTime.Time
			}
		}
		for _, h := range v.Permissions {
			if h.Gives != "" {
				v.Dangerous++
			}
		}
		out = append(out, v)
	}
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		if p.theirs() && len(held[p.ID]) == 0 {
			continue
		}
		v := AppView{ID: p.ID, AppID: p.AppID, Name: or(p.DisplayName, p.ID), Whose: "foreign", Enabled: p.AccountEnabled == nil || *p.AccountEnabled, Permissions: slices.Clone(held[p.ID]), ForAll: forAll[p.ID], LastUsed: seen[strings.ToLower(p.AppID)]}
		if p.VerifiedPublisher != nil {
			v.Publisher = p.VerifiedPublisher.DisplayName
		}
		a, ours := registered[strings.ToLower(p.AppID)]
		switch {
		case ours:
			v.Whose = "ours"
			delete(registered, strings.ToLower(p.AppID))
		case p.theirs():
			v.Whose = "microsoft"
		}
		add(v, slices.Concat(p.PasswordCredentials, a.PasswordCredentials), a.KeyCredentials)
	}
	for _, a := range registered {
		add(AppView{ID: a.ID, AppID: a.AppID, Name: or(a.DisplayName, a.ID), Whose: "ours", Enabled: true}, a.PasswordCredentials, a.KeyCredentials)
	}
	for i := range out {
		if out[i].Permissions == nil {
			out[i].Permissions = []Held{}
		}
		if out[i].ForAll == nil {
			out[i].ForAll = []string{}
		}
		slices.SortFunc(out[i].Permissions, func(a, b Held) int {
			return cmp.Or(strings.Compare(b.Gives, a.Gives), strings.Compare(a.Permission, b.Permission))
		})
	}
	slices.SortFunc(out, func(a, b AppView) int {
		return cmp.Or(b.Dangerous-a.Dangerous, len(b.ForAll)-len(a.ForAll), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Principal says what an id is: person, group or application; empty where it is none that is known.
func (s *State) Principal(id string) string {
	switch {
	case s.person(id) != nil:
		return "person"
	case slices.ContainsFunc(all[group](s, pathGroups), func(g group) bool { return strings.EqualFold(g.ID, id) }):
		return "group"
	case slices.ContainsFunc(all[servicePrincipal](s, pathPrincipals), func(p servicePrincipal) bool { return strings.EqualFold(p.ID, id) }):
		return "application"
	}
	return ""
}

// NameOf is what an id is called, else the id.
func (s *State) NameOf(id string) string { return s.nameOf(id) }

// Highest says whether a role is one of the highest: with it somebody takes the tenant, or all of its data.
func Highest(role string) bool { return highest.has(role) }
