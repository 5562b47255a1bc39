package posture

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

func judgeGlobals(s *State) Verdict {
	who := s.globals()
	switch n := len(who); {
	case n == 0:
		return undecided("No Global Administrator is among what was collected.")
	case n < 2:
		return fail("There is 1 Global Administrator: without them nobody can mend anything.").with(who...)
	case n > 4:
		return fail("There are %d Global Administrators; two to four are enough.", n).with(who...)
	}
	return pass("There are %d Global Administrators.", len(who)).with(who...)
}

// globals are the persons who are Global Administrator, held or eligible.
func (s *State) globals() []Object {
	var out []Object
	for _, h := range s.Holdings() {
		if h.Role != roleGlobal || slices.ContainsFunc(out, func(o Object) bool { return o.ID == h.Principal }) {
			continue
		}
		if slices.ContainsFunc(all[servicePrincipal](s, pathPrincipals), func(p servicePrincipal) bool { return strings.EqualFold(p.ID, h.Principal) }) {
			continue
		}
		out = append(out, Object{ID: h.Principal, Name: s.nameOf(h.Principal), Path: pathUsers, Why: map[bool]string{true: "eligible"}[h.Eligible]})
	}
	return out
}

// ofAdmins goes through the persons with one of the roles and wants none for whom wrong gives a phrase.
func ofAdmins(of list, noun, wrong, good string, bad func(*State, *user, []Holding) string) func(*State) Verdict {
	return func(s *State) Verdict {
		var found []Object
		admins := s.admins(of)
		for id, hs := range admins {
			u := s.person(id)
			if why := bad(s, u, hs); why != "" {
				found = append(found, Object{ID: u.ID, Name: u.name(), Path: pathUsers, Why: roleList(hs) + ": " + why})
			}
		}
		return none(found, noun, wrong, good)
	}
}

var judgeCloudOnly = ofAdmins(administrators, "administrator", "comes from on premises, so who takes that takes the cloud", "Every administrator is an account of the cloud alone.",
	func(_ *State, u *user, _ []Holding) string {
		if u.synced() {
			return "synchronised from on premises"
		}
		return ""
	})

var judgeGuestAdmins = ofAdmins(administrators, "guest", "is an administrator", "No guest holds a privileged role.",
	func(_ *State, u *user, _ []Holding) string {
		if u.guest() {
			return "a guest"
		}
		return ""
	})

var judgeDisabledAdmins = ofAdmins(administrators, "account", "is disabled and still has a role", "No disabled account has a role.",
	func(_ *State, u *user, _ []Holding) string {
		if !u.enabled() {
			return "disabled"
		}
		return ""
	})

// staleAfter is after how long without a sign-in an account is not used.
const staleAfter = 90 * 24 * time.Hour

func judgeStaleAdmins(s *State) Verdict {
	if !slices.ContainsFunc(all[user](s, pathUsers), func(u user) bool { return u.SignInActivity != nil }) {
		return undecided("When administrators last signed in is not told: that needs AuditLog.Read.All and Entra ID P1.")
	}
	emergency := s.emergency()
	return ofAdmins(administrators, "administrator", "has not signed in for 90 days", "Every administrator has signed in within 90 days.", func(s *State, u *user, _ []Holding) string {
		seen := u.lastSeen()
		switch {
		case !u.enabled() || slices.Contains(emergency, strings.ToLower(u.ID)):
		case seen.IsZero() && !u.CreatedDateTime.IsZero() && s.now.Sub(u.CreatedDateTime.Time) > staleAfter:
			return "has never signed in"
		case !seen.IsZero() && s.now.Sub(seen) > staleAfter:
			return fmt.Sprintf("last signed in %s", seen.UTC().Format(time.DateOnly))
		}
		return ""
	})(s)
}

func judgeStaleGuests(s *State) Verdict {
	if !slices.ContainsFunc(all[user](s, pathUsers), func(u user) bool { return u.SignInActivity != nil }) {
		return undecided("When guests last signed in is not told: that needs AuditLog.Read.All and Entra ID P1.")
	}
	var bad []Object
	for _, u := range all[user](s, pathUsers) {
		seen := u.lastSeen()
		if u.guest() && u.enabled() && (!seen.IsZero() && s.now.Sub(seen) > staleAfter || seen.IsZero() && !u.CreatedDateTime.IsZero() && s.now.Sub(u.CreatedDateTime.Time) > staleAfter) {
			bad = append(bad, Object{ID: u.ID, Name: u.name(), Path: pathUsers, Why: "not seen for 90 days"})
		}
	}
	return none(bad, "guest", "has not signed in for 90 days and can still", "Every guest has signed in within 90 days.")
}

// judgePermanent wants the highest roles to be taken for a time.
func judgePermanent(s *State) Verdict {
	var bad []Object
	emergency := s.emergency()
	for _, h := range s.Holdings() {
		if !highest.has(h.Role) || !h.Permanent() || s.person(h.Principal) == nil || slices.Contains(emergency, strings.ToLower(h.Principal)) {
			continue
		}
		if i := slices.IndexFunc(bad, func(o Object) bool { return o.ID == h.Principal }); i >= 0 {
			bad[i].Why += ", " + h.RoleName
			continue
		}
		bad = append(bad, Object{ID: h.Principal, Name: s.nameOf(h.Principal), Path: pathUsers, Why: "always " + h.RoleName})
	}
	return none(bad, "person", "has a highest role at all times", "No highly privileged role is assigned permanently, but to emergency access accounts.")
}

// judgeAdminKeys wants administrators to have registered a way that no phishing site can pass on.
func judgeAdminKeys(s *State) Verdict {
	ways := map[string]list{}
	for _, r := range all[registration](s, pathRegistrations) {
		ways[strings.ToLower(r.ID)] = r.MethodsRegistered
	}
	return ofAdmins(administrators, "administrator", "has no way to sign in that a phishing site cannot pass on", "Every administrator has a way to sign in that no phishing site can pass on.",
		func(_ *State, u *user, _ []Holding) string {
			have, known := ways[strings.ToLower(u.ID)]
			switch {
			case !u.enabled() || !known:
				return ""
			case slices.ContainsFunc(have, func(w string) bool {
				return list{"fido2SecurityKey", "fido2", "windowsHelloForBusiness", "passKeyDeviceBound", "passKeyDeviceBoundAuthenticator", "passKeyDeviceBoundWindowsHello", "x509CertificateMultiFactor", "certificateBasedAuthentication", "macOsSecureEnclaveKey"}.has(w)
			}):
				return ""
			case len(have) == 0:
				return "nothing registered"
			}
			return "has " + strings.Join(have, ", ")
		})(s)
}

// judgeAdminLicence wants administrators to have no mailbox, chat or files of their own.
func judgeAdminLicence(s *State) Verdict {
	skus := map[string]sku{}
	for _, k := range all[sku](s, pathSkus) {
		skus[strings.ToLower(k.SkuID)] = k
	}
	productive := func(k sku) bool {
		if len(k.Plans) == 0 {
			return !strings.HasPrefix(k.Part, "AAD_PREMIUM") && !strings.HasPrefix(k.Part, "EMS")
		}
		if k.mailbox() {
			return true
		}
		for _, p := range k.Plans {
			n := strings.ToUpper(p.Name)
			if strings.HasPrefix(n, "TEAMS") || strings.HasPrefix(n, "SHAREPOINT") {
				return true
			}
		}
		return false
	}
	return ofAdmins(administrators, "administrator", "has a mailbox, chat or files, where an attacker reaches them", "No administrator has a mailbox, chat or files.", func(_ *State, u *user, _ []Holding) string {
		for _, l := range u.AssignedLicenses {
			if k, ok := skus[strings.ToLower(l.SkuID)]; ok && productive(k) {
				return "licence " + k.Part
			}
		}
		return ""
	})(s)
}

// rolePolicy is how a role is taken. https://learn.microsoft.com/graph/api/resources/unifiedrolemanagementpolicyassignment
type rolePolicy struct {
	RoleDefinitionID string `json:"roleDefinitionId"`
	Policy           struct {
		Rules []struct {
			ID      string `json:"id"`
			Setting *struct {
				Required *bool `json:"isApprovalRequired"`
				Stages   []struct {
					Primary []json.RawMessage `json:"primaryApprovers"`
				} `json:"approvalStages"`
			} `json:"setting"`
			Enabled   list `json:"enabledRules"`
			IsEnabled bool `json:"isEnabled"` // of an authentication context
		} `json:"rules"`
	} `json:"policy"`
}

// judgeActivation wants a second factor to be asked of whoever takes a highest role. A policy that asks an authentication context
// does so in another way.
func judgeActivation(s *State) Verdict {
	var bad, told []Object
	for _, p := range all[rolePolicy](s, pathRolePolicies) {
		if !highest.has(p.RoleDefinitionID) {
			continue
		}
		o := Object{ID: p.RoleDefinitionID, Name: or(roleNames[strings.ToLower(p.RoleDefinitionID)], p.RoleDefinitionID), Path: pathRolePolicies}
		asked, known := false, false
		for _, r := range p.Policy.Rules {
			switch r.ID {
			case "Enablement_EndUser_Assignment":
				known = true
				asked = asked || r.Enabled.has("MultiFactorAuthentication")
			case "AuthenticationContext_EndUser_Assignment":
				asked = asked || r.IsEnabled
			}
		}
		if !known && !asked {
			continue
		}
		told = append(told, o)
		if !asked {
			o.Why = "a password is enough to take it"
			bad = append(bad, o)
		}
	}
	if len(told) == 0 {
		return undecided("How the highest roles are taken is not told.")
	}
	return none(bad, "highest role", "is taken without a second factor", "Whoever takes a highest role gives a second factor.")
}

// approval wants that somebody else approves before a role is taken.
func approval(role string) func(*State) Verdict {
	name := roleNames[role]
	return func(s *State) Verdict {
		for _, p := range all[rolePolicy](s, pathRolePolicies) {
			if !strings.EqualFold(p.RoleDefinitionID, role) {
				continue
			}
			o := Object{ID: role, Name: name, Path: pathRolePolicies}
			for _, r := range p.Policy.Rules {
				if r.ID != "Approval_EndUser_Assignment" || r.Setting == nil || r.Setting.Required == nil {
					continue
				}
				approvers := 0
				for _, stage := range r.Setting.Stages {
					approvers += len(stage.Primary)
				}
				switch {
				case !*r.Setting.Required:
					return fail("%s is taken without anybody's approval.", name).with(o)
				case approvers == 0:
					return fail("Approval is asked for %s, but nobody is named to give it.", name).with(o)
				}
				return pass("%s is taken only with somebody's approval.", name)
			}
		}
		return undecided("How %s is taken is not told.", name)
	}
}
