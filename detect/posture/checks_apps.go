package posture

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// dangerous are the permissions with which an application can take the tenant or all of its mail and files, and what each gives.
// https://learn.microsoft.com/graph/permissions-reference
var dangerous = map[string]string{
	"rolemanagement.readwrite.directory": "gives itself any role", "approleassignment.readwrite.all": "gives itself any permission",
	"application.readwrite.all": "signs in as any application", "directory.readwrite.all": "changes the directory",
	"privilegedaccess.readwrite.azureadgroup": "gives itself any role", "privilegedassignmentschedule.readwrite.azureadgroup": "joins any group that has a role",
	"roleassignmentschedule.readwrite.directory": "gives itself any role", "roleeligibilityschedule.readwrite.directory": "gives itself any role",
	"userauthenticationmethod.readwrite.all": "signs in as any person", "user-passwordprofile.readwrite.all": "sets any password",
	"user.readwrite.all": "changes any person", "group.readwrite.all": "joins any group", "groupmember.readwrite.all": "joins any group",
	"policy.readwrite.conditionalaccess": "switches conditional access off", "policy.readwrite.authenticationmethod": "weakens how people sign in",
	"policy.readwrite.permissiongrant": "widens what users consent to", "domain.readwrite.all": "federates a domain",
	"mail.readwrite": "reads and changes all mail", "mail.read": "reads all mail", "mail.send": "sends as anybody", "mailboxsettings.readwrite": "makes inbox rules for anybody",
	"full_access_as_app": "reads and changes all mail", "exchange.manageasapp": "manages Exchange",
	"files.readwrite.all": "changes all files", "files.read.all": "reads all files", "sites.fullcontrol.all": "owns all sites", "sites.readwrite.all": "changes all sites", "sites.read.all": "reads all sites",
	"chat.read.all": "reads all chats", "chat.readwrite.all": "reads and writes all chats", "devicemanagementconfiguration.readwrite.all": "runs what it likes on devices",
	"devicemanagementmanageddevices.privilegedoperations.all": "wipes devices",
}

// Held is a permission of the application's own that an app holds.
type Held struct {
	Resource   string `json:"resource"`
	Permission string `json:"permission"`
	Gives      string `json:"gives"` // what is dangerous about it; empty where nothing is
}

// Held gives the application permissions of every service principal, by its id.
func (s *State) Held() map[string][]Held {
	type role struct{ resource, value string }
	roles := map[string]role{}
	principals := all[servicePrincipal](s, pathPrincipals)
	for _, p := range principals {
		for _, r := range p.AppRoles {
			roles[strings.ToLower(p.ID+r.ID)] = role{p.DisplayName, r.Value}
		}
	}
	out := map[string][]Held{}
	add := func(holder string, a appRoleAssignment) {
		if r, ok := roles[strings.ToLower(a.ResourceID+a.AppRoleID)]; ok {
			out[holder] = append(out[holder], Held{Resource: r.resource, Permission: r.value, Gives: dangerous[strings.ToLower(r.value)]})
		}
	}
	for _, p := range principals {
		for _, a := range p.AppRoleAssignments {
			add(p.ID, a)
		}
		for _, a := range all[appRoleAssignment](s, assignedTo(p.ID)) {
			add(a.PrincipalID, a)
		}
	}
	return out
}

// assignedTo is the path of who holds a service's permissions.
func assignedTo(principal string) string {
	return "/servicePrincipals/" + principal + "/appRoleAssignedTo"
}

// microsoft is the tenant that Microsoft's own applications are of.
const microsoft = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

func (p *servicePrincipal) theirs() bool {
	return strings.EqualFold(p.AppOwnerOrganizationID, microsoft)
}

func judgeOverprivileged(s *State) Verdict {
	held := s.Held()
	var bad []Object
	known := false
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		known = known || p.AppRoleAssignments != nil || s.has(assignedTo(p.ID))
		if p.theirs() || p.AccountEnabled != nil && !*p.AccountEnabled {
			continue
		}
		var why []string
		for _, h := range held[p.ID] {
			if h.Gives != "" {
				why = append(why, h.Permission+" ("+h.Gives+")")
			}
		}
		if len(why) > 0 {
			slices.Sort(why)
			bad = append(bad, Object{ID: p.ID, Name: or(p.DisplayName, p.ID), Path: pathPrincipals, Why: strings.Join(why, ", ")})
		}
	}
	if !known && len(all[servicePrincipal](s, pathPrincipals)) > 0 {
		return undecided("Which permissions applications hold was not collected.")
	}
	return none(bad, "application", "has a permission of its own that reaches everybody's data, or the tenant", "No application has a permission of its own that reaches everybody's data, or the tenant.")
}

func judgePublisher(s *State) Verdict {
	granted := map[string]bool{}
	for _, g := range all[permissionGrant](s, pathGrants) {
		granted[strings.ToLower(g.ClientID)] = true
	}
	own := s.snap.Tenant.ID
	if o := one[organization](s, pathOrganization); o != nil {
		own = or(o.ID, own)
	}
	held := s.Held()
	var bad []Object
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		foreign := p.AppOwnerOrganizationID != "" && !strings.EqualFold(p.AppOwnerOrganizationID, own) && !p.theirs()
		if foreign && (p.VerifiedPublisher == nil || p.VerifiedPublisher.VerifiedPublisherID == "") && (granted[strings.ToLower(p.ID)] || len(held[p.ID]) > 0) {
			bad = append(bad, Object{ID: p.ID, Name: or(p.DisplayName, p.ID), Path: pathPrincipals, Why: "of another organisation, publisher not verified"})
		}
	}
	return none(bad, "application", "of another organisation has permissions and no verified publisher", "Every application of another organisation that has permissions has a verified publisher.")
}

func judgeUnusedApps(s *State) Verdict {
	seen := map[string]time.Time{}
	for _, a := range all[appActivity](s, pathAppActivity) {
		if a.LastSignInActivity != nil {
			seen[strings.ToLower(a.AppID)] = a.LastSignInActivity.LastSignInDateTime.Time
		}
	}
	held := s.Held()
	var bad []Object
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		if p.theirs() || len(held[p.ID]) == 0 || p.AccountEnabled != nil && !*p.AccountEnabled {
			continue
		}
		if at := seen[strings.ToLower(p.AppID)]; s.now.Sub(at) > staleAfter {
			why := "no sign-in known"
			if !at.IsZero() {
				why = "last used " + at.UTC().Format(time.DateOnly)
			}
			bad = append(bad, Object{ID: p.ID, Name: or(p.DisplayName, p.ID), Path: pathPrincipals, Why: why})
		}
	}
	return none(bad, "application", "has permissions of its own and was not used for 90 days", "Every application with permissions of its own was used within 90 days.")
}

// eachApp goes through registrations and service principals of the organisation.
func (s *State) eachApp(bad func(name string, secrets, keys []credential) string) []Object {
	var out []Object
	for _, a := range all[application](s, pathApplications) {
		if why := bad(a.DisplayName, a.PasswordCredentials, a.KeyCredentials); why != "" {
			out = append(out, Object{ID: a.ID, Name: or(a.DisplayName, a.ID), Path: pathApplications, Why: why})
		}
	}
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		if p.theirs() {
			continue
		}
		if why := bad(p.DisplayName, p.PasswordCredentials, nil); why != "" { // certificates of service principals are those for single sign-on
			out = append(out, Object{ID: p.ID, Name: or(p.DisplayName, p.ID), Path: pathPrincipals, Why: why})
		}
	}
	return out
}

func judgeSecrets(s *State) Verdict {
	var bad []Object
	for _, a := range all[application](s, pathApplications) {
		if n := len(a.PasswordCredentials); n > 0 {
			bad = append(bad, Object{ID: a.ID, Name: or(a.DisplayName, a.ID), Path: pathApplications, Why: count(n, "secret")})
		}
	}
	return none(bad, "application", "signs in with a secret, which can be copied", "No application signs in with a secret.")
}

const (
	secretMost = 180 * 24 * time.Hour
	keyMost    = 366 * 24 * time.Hour
)

func judgeLongLived(s *State) Verdict {
	long := func(c credential, most time.Duration) bool {
		return c.live(s.now) && !c.StartDateTime.IsZero() && (c.EndDateTime.IsZero() || c.EndDateTime.Sub(c.StartDateTime.Time) > most)
	}
	bad := s.eachApp(func(_ string, secrets, keys []credential) string {
		for _, c := range secrets {
			if long(c, secretMost) {
				return fmt.Sprintf("a secret for %s", days(c))
			}
		}
		for _, c := range keys {
			if long(c, keyMost) {
				return fmt.Sprintf("a certificate for %s", days(c))
			}
		}
		return ""
	})
	return none(bad, "application", "has a secret for longer than 180 days or a certificate for longer than a year", "Secrets live 180 days and certificates a year at most.")
}

func days(c credential) string {
	if c.EndDateTime.IsZero() {
		return "ever"
	}
	return count(int(c.EndDateTime.Sub(c.StartDateTime.Time).Hours()/24), "day")
}

func judgeExpired(s *State) Verdict {
	bad := s.eachApp(func(_ string, secrets, keys []credential) string {
		for _, c := range slices.Concat(secrets, keys) {
			if !c.live(s.now) {
				return "expired " + c.EndDateTime.UTC().Format(time.DateOnly)
			}
		}
		return ""
	})
	return none(bad, "application", "keeps a credential that has expired", "No application keeps a credential that has expired.")
}

func judgeAudience(s *State) Verdict {
	var bad []Object
	for _, a := range all[application](s, pathApplications) {
		if list := (list{"AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"}); list.has(a.SignInAudience) {
			bad = append(bad, Object{ID: a.ID, Name: or(a.DisplayName, a.ID), Path: pathApplications, Why: "takes accounts of other organisations"})
		}
	}
	return none(bad, "application", "of ours takes accounts of other organisations", "Own applications are single-tenant.")
}

// judgeGrants wants no consent of an administrator, for everybody, to what reads mail or files.
func judgeGrants(s *State) Verdict {
	var bad []Object
	theirs := map[string]bool{}
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		theirs[strings.ToLower(p.ID)] = p.theirs()
	}
	for _, g := range all[permissionGrant](s, pathGrants) {
		if g.ConsentType != "AllPrincipals" || theirs[strings.ToLower(g.ClientID)] {
			continue
		}
		var why []string
		for scope := range strings.FieldsSeq(g.Scope) {
			if dangerous[strings.ToLower(scope)] != "" {
				why = append(why, scope)
			}
		}
		if len(why) > 0 {
			bad = append(bad, Object{ID: g.ClientID, Name: s.nameOf(g.ClientID), Path: pathGrants, Why: "for everybody: " + strings.Join(why, ", ")})
		}
	}
	return none(bad, "application", "acts for everybody on mail, files or the directory", "No application has risky delegated permissions for all users on mail, files or the directory.")
}

func (s *State) tierZeroApps() map[string][]Holding {
	out := map[string][]Holding{}
	for _, h := range s.Holdings() {
		if tierZero.has(h.Role) && !h.Eligible {
			out[strings.ToLower(h.Principal)] = append(out[strings.ToLower(h.Principal)], h)
		}
	}
	return out
}

func judgeRoleSecrets(s *State) Verdict {
	roles := s.tierZeroApps()
	var bad []Object
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		hs := roles[strings.ToLower(p.ID)]
		secrets := p.PasswordCredentials
		for _, a := range all[application](s, pathApplications) {
			if strings.EqualFold(a.AppID, p.AppID) {
				secrets = slices.Concat(secrets, a.PasswordCredentials)
			}
		}
		if len(hs) > 0 && slices.ContainsFunc(secrets, func(c credential) bool { return c.live(s.now) }) {
			bad = append(bad, Object{ID: p.ID, Name: or(p.DisplayName, p.ID), Path: pathPrincipals, Why: roleList(hs) + ", by a secret"})
		}
	}
	return none(bad, "application", "with a highest role signs in with a secret", "No application with a highest role signs in with a secret.")
}

func judgeRoleOwners(s *State) Verdict {
	roles := s.tierZeroApps()
	var bad []Object
	silent := false
	for _, p := range all[servicePrincipal](s, pathPrincipals) {
		owners := slices.Clone(p.Owners)
		silent = silent || p.Owners == nil && len(roles[strings.ToLower(p.ID)]) > 0
		for _, a := range all[application](s, pathApplications) {
			if strings.EqualFold(a.AppID, p.AppID) {
				owners = append(owners, a.Owners...)
			}
		}
		if hs := roles[strings.ToLower(p.ID)]; len(hs) > 0 && len(owners) > 0 {
			bad = append(bad, Object{ID: p.ID, Name: or(p.DisplayName, p.ID), Path: pathPrincipals, Why: "whoever owns it gives it a credential and is " + roleList(hs)})
		}
	}
	if silent && len(bad) == 0 {
		return undecided("Who owns applications was not collected.")
	}
	return none(bad, "application", "with a highest role has an owner", "No application with a highest role has an owner.")
}

// judgeUnusedPermissions takes what App Governance says of use.
func judgeUnusedPermissions(s *State) Verdict {
	var bad []Object
	for _, a := range all[struct {
		ID          string `json:"OAuthAppId"`
		Name        string `json:"AppName"`
		Permissions []struct {
			Name  string `json:"PermissionValue"`
			Level string `json:"PrivilegeLevel"`
			Usage string `json:"InUse"`
		} `json:"Permissions"`
	}](s, pathAppGovernance) {
		var unused []string
		for _, p := range a.Permissions {
			usage := strings.ToLower(strings.NewReplacer("_", "", " ", "", "-", "").Replace(p.Usage))
			if strings.EqualFold(p.Level, "High") && (usage == "notinuse" || usage == "false") {
				unused = append(unused, p.Name)
			}
		}
		if len(unused) > 0 {
			bad = append(bad, Object{ID: a.ID, Name: or(a.Name, a.ID), Path: pathAppGovernance, Why: "not used: " + strings.Join(unused, ", ")})
		}
	}
	return none(bad, "application", "has a high permission that it does not use", "Every application uses the high permissions that it has.")
}
