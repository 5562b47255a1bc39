package posture

import (
	"slices"
	"strings"
	"time"
)

// Directory roles by their template's id. https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
const (
	roleGlobal     = "62e90394-69f5-4237-9190-012177145e10"
	rolePrivileged = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	roleSync       = "d29b2b05-8046-44ba-8758-1e26182fcf32"
)

// administrators are the roles for which conditional access should ask more: those CIS names (5.2.2.1).
var administrators = list{
	"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "c4e39bd9-1100-46d3-8c65-fb160da0071f", "b0f54661-2d74-4c50-afa3-1ec803f12efe",
	"158c047a-c907-4556-b7ef-446551a6b5f7", "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", "29232cdf-9323-42fd-ade2-1d097af3e4de",
	roleGlobal, "f2ef992c-3afb-46b9-b7cf-a126ee74c451", "729827e3-9c14-49f7-bb1b-9608f156bbb8", "966707d0-3269-4727-9be2-8c3a10f19b9d",
	"7be44c8a-adaf-4e2a-84d6-ab2649e08a13", rolePrivileged, "194ae4cb-b126-40b2-bd5b-6091b380977d",
	"f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "fe930be7-5e62-47db-91af-98c3a49a38b1",
}

// highest are the roles that can give themselves any other, or all data: those SCuBA holds to eligible assignments (MS.AAD.7.4).
var highest = list{
	roleGlobal, rolePrivileged, "fe930be7-5e62-47db-91af-98c3a49a38b1", "f28a1f50-f6e7-4571-818b-6a12f2af6b6c",
	"29232cdf-9323-42fd-ade2-1d097af3e4de", "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
	"158c047a-c907-4556-b7ef-446551a6b5f7", "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
}

// tierZero are the roles with which an application can take the tenant.
var tierZero = list{
	roleGlobal, rolePrivileged, "7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
	"158c047a-c907-4556-b7ef-446551a6b5f7", "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", "e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8",
	"be2f45a1-457d-42af-a067-6ec1fa63bc45", "8329153b-31d0-4727-b945-745eb3bc5f31",
}

var roleNames = map[string]string{
	roleGlobal:                             "Global Administrator",
	"f2ef992c-3afb-46b9-b7cf-a126ee74c451": "Global Reader",
	rolePrivileged:                         "Privileged Role Administrator",
	"7be44c8a-adaf-4e2a-84d6-ab2649e08a13": "Privileged Authentication Administrator",
	"c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator",
	"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
	"158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
	"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": "Conditional Access Administrator",
	"29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
	"f28a1f50-f6e7-4571-818b-6a12f2af6b6c": "SharePoint Administrator",
	"729827e3-9c14-49f7-bb1b-9608f156bbb8": "Helpdesk Administrator",
	"966707d0-3269-4727-9be2-8c3a10f19b9d": "Password Administrator",
	"194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator",
	"fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator",
	"b0f54661-2d74-4c50-afa3-1ec803f12efe": "Billing Administrator",
	"8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2": "Hybrid Identity Administrator",
	"3a2c62db-5318-420d-8d74-23affee5d9d5": "Intune Administrator",
	roleSync:                               "Directory Synchronization Accounts",
	"e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8": "Partner Tier2 Support",
	"be2f45a1-457d-42af-a067-6ec1fa63bc45": "External Identity Provider Administrator",
	"8329153b-31d0-4727-b945-745eb3bc5f31": "Domain Name Administrator",
	"69091246-20e8-4a56-aa4d-066075b2a7a8": "Teams Administrator",
	"95e79109-95c0-4d8e-aee3-d01accf2d47b": "Guest Inviter",
	"88d8e3e3-8f55-4a1e-953a-9b9898b8876b": "Directory Readers",
	"4a5d8f65-41da-4de4-8968-e035b65339cf": "Reports Reader",
	"5d6b6bb7-de71-4623-b4af-96380a352509": "Security Reader",
	"5f2222b1-57c3-48ba-8ad5-d4759f1fde6f": "Security Operator",
	"17315797-102d-40b4-93e0-432062caca18": "Compliance Administrator",
}

// Holding is a role that somebody has, or may take.
type Holding struct {
	Role      string // the template's id
	RoleName  string
	Principal string // who: a person, or an application
	Group     string // the group by which it comes; empty where directly
	GroupName string
	Eligible  bool // may be taken, is not held
	Activated bool // held for a time, out of an eligible one
	Ends      time.Time
	Scope     string // "/" is the whole tenant
}

// Permanent says whether the role is held at all times, with no end.
func (h *Holding) Permanent() bool { return !h.Eligible && !h.Activated && h.Ends.IsZero() }

// How says in a word how it is held: permanent, active (for a time) or eligible.
func (h *Holding) How() string {
	switch {
	case h.Eligible:
		return "eligible"
	case h.Permanent():
		return "permanent"
	}
	return "active"
}

type roster struct {
	holdings []Holding
	groups   map[string]string // names by id
	opened   bool              // groups that hold roles were resolved
}

// rolePaths are the paths on which [State.Holdings] rests, besides who is in which group.
var rolePaths = []string{pathDefinitions, pathActive, pathAssignments, pathDirectoryRole, pathEligible, pathGroups}

// HoldingsRestOn says whether who has which role may change with a path.
func HoldingsRestOn(path string) bool {
	k := key(path)
	return strings.HasPrefix(k, "groups/") || slices.ContainsFunc(rolePaths, func(p string) bool { return key(p) == k })
}

type roleRow struct {
	ID               string `json:"id"`
	PrincipalID      string `json:"principalId"`
	RoleDefinitionID string `json:"roleDefinitionId"`
	DirectoryScopeID string `json:"directoryScopeId"`
	AssignmentType   string `json:"assignmentType"`
	EndDateTime      moment `json:"endDateTime"`
}

// Holdings is who has which role, and who may take one. Where assignments were not collected the members of directory roles stand
// for them. Of a group that has a role each person in it is given.
func (s *State) Holdings() []Holding {
	for _, path := range rolePaths {
		s.key(path)
	}
	s.rests[anyMembers] = true
	if s.roles != nil {
		return s.roles.holdings
	}
	s.roles = &roster{opened: true, groups: map[string]string{}}
	for _, g := range all[group](s, pathGroups) {
		s.roles.groups[strings.ToLower(g.ID)] = or(g.DisplayName, g.ID)
	}
	template := map[string]string{}
	names := map[string]string{}
	for _, d := range all[struct {
		ID          string `json:"id"`
		TemplateID  string `json:"templateId"`
		DisplayName string `json:"displayName"`
	}](s, pathDefinitions) {
		template[strings.ToLower(d.ID)] = strings.ToLower(or(d.TemplateID, d.ID))
		names[strings.ToLower(or(d.TemplateID, d.ID))] = d.DisplayName
	}
	add := func(r roleRow, eligible bool) {
		role := strings.ToLower(r.RoleDefinitionID)
		role = or(template[role], role)
		s.roles.add(s, Holding{
			Role: role, RoleName: or(names[role], roleNames[role], role), Principal: r.PrincipalID, Scope: or(r.DirectoryScopeID, "/"),
			Eligible: eligible, Activated: strings.EqualFold(r.AssignmentType, "Activated"), Ends: r.EndDateTime.Time,
		})
	}
	switch {
	case s.has(pathActive):
		for _, r := range all[roleRow](s, pathActive) {
			add(r, false)
		}
	case s.has(pathAssignments):
		for _, r := range all[roleRow](s, pathAssignments) {
			add(r, false)
		}
	default:
		for _, r := range all[struct {
			ID             string  `json:"id"`
			RoleTemplateID string  `json:"roleTemplateId"`
			DisplayName    string  `json:"displayName"`
			Members        []owner `json:"members"`
		}](s, pathDirectoryRole) {
			for _, m := range r.Members {
				add(roleRow{PrincipalID: m.ID, RoleDefinitionID: or(r.RoleTemplateID, r.ID)}, false)
			}
		}
	}
	for _, r := range all[roleRow](s, pathEligible) {
		add(r, true)
	}
	return s.roles.holdings
}

// add takes a holding in, and for a group's those of its members.
func (r *roster) add(s *State, h Holding) {
	name, isGroup := r.groups[strings.ToLower(h.Principal)]
	if path := members(h.Principal); s.has(path) {
		for _, m := range all[owner](s, path) {
			one := h
			one.Group, one.GroupName, one.Principal = h.Principal, or(name, h.Principal), m.ID
			r.holdings = append(r.holdings, one)
		}
		return
	}
	if isGroup {
		r.opened = false
	}
	r.holdings = append(r.holdings, h)
}

// needRoles is what tells who is an administrator: any of these.
var needRoles = strings.Join([]string{pathActive, pathAssignments, pathDirectoryRole}, "|")

// admins are the persons with one of the roles, held or eligible, with what each holds.
func (s *State) admins(of list) map[string][]Holding {
	out := map[string][]Holding{}
	for _, h := range s.Holdings() {
		if of.has(h.Role) && s.person(h.Principal) != nil {
			out[h.Principal] = append(out[h.Principal], h)
		}
	}
	return out
}

// roleList names the roles of some holdings.
func roleList(hs []Holding) string {
	var names []string
	for _, h := range hs {
		if !slices.Contains(names, h.RoleName) {
			names = append(names, h.RoleName)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
