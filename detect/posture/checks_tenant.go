package posture

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

type organization struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Sync        *bool  `json:"onPremisesSyncEnabled"`
}

// hybrid says whether something is synchronised from on premises; nil where that is not known.
func (s *State) hybrid() *bool {
	o := one[organization](s, pathOrganization)
	if o == nil {
		return nil
	}
	is := o.Sync != nil && *o.Sync
	return &is
}

// authorization is the authorization policy. https://learn.microsoft.com/graph/api/resources/authorizationpolicy
type authorization struct {
	AllowInvitesFrom  string `json:"allowInvitesFrom"`
	GuestUserRoleID   string `json:"guestUserRoleId"`
	RiskyConsent      *bool  `json:"allowUserConsentForRiskyApps"`
	SignUp            *bool  `json:"allowedToSignUpEmailBasedSubscriptions"`
	SelfJoin          *bool  `json:"allowEmailVerifiedUsersToJoinOrganization"`
	BlockMsol         *bool  `json:"blockMsolPowerShell"`
	AdminSelfPassword *bool  `json:"allowedToUseSSPR"`
	GrantsOld         list   `json:"permissionGrantPolicyIdsAssignedToDefaultUserRole"` // beta has it here
	Default           struct {
		Apps           *bool `json:"allowedToCreateApps"`
		SecurityGroups *bool `json:"allowedToCreateSecurityGroups"`
		Tenants        *bool `json:"allowedToCreateTenants"`
		BitLocker      *bool `json:"allowedToReadBitlockerKeysForOwnedDevice"`
		OtherUsers     *bool `json:"allowedToReadOtherUsers"`
		Grants         list  `json:"permissionGrantPoliciesAssigned"`
	} `json:"defaultUserRolePermissions"`
}

// authorizing judges a field of the authorization policy.
func authorizing(judge func(*authorization) Verdict) func(*State) Verdict {
	return func(s *State) Verdict {
		a := one[authorization](s, pathAuthorization)
		if a == nil {
			return undecided("The authorization policy that was collected is empty.")
		}
		v := judge(a)
		if v.Status != Pass {
			v.Found = append(v.Found, Object{ID: "authorizationPolicy", Name: "Authorization policy", Path: pathAuthorization, Why: "as it is set"})
		}
		return v
	}
}

// forbidden judges a permission of every user that should be off. Microsoft's own default is on, but what is not told is unknown.
func forbidden(field func(*authorization) *bool, may, mayNot string) func(*State) Verdict {
	return authorizing(func(a *authorization) Verdict {
		switch v := field(a); {
		case v == nil:
			return undecided("Whether %s is not told.", may)
		case *v:
			return fail("%s.", strings.ToUpper(may[:1])+may[1:])
		}
		return pass("%s.", mayNot)
	})
}

func judgeGuestAccess(a *authorization) Verdict {
	switch strings.ToLower(a.GuestUserRoleID) {
	case "":
		return undecided("What guests may see is not told.")
	case "2af84b1e-32c8-42b7-82bc-daa82404023b":
		return pass("Guests see themselves alone.")
	case "10dae51f-b6af-4016-8d66-8c2a99b929b3":
		return fail("Guests see who else is in the groups that they are in, not themselves alone.")
	case "a0b1b346-4d3e-4e8b-98f8-753987be4970":
		return fail("Guests see as much of the directory as members do.")
	}
	return fail("Guests have a role of their own, %s.", a.GuestUserRoleID)
}

func judgeInvites(a *authorization) Verdict {
	switch a.AllowInvitesFrom {
	case "":
		return undecided("Who may invite guests is not told.")
	case "none", "adminsAndGuestInviters":
		return pass("Guests are invited by administrators and guest inviters alone.")
	case "adminsGuestInvitersAndAllMembers":
		return fail("Every member may invite guests.")
	}
	return fail("Everybody may invite guests, guests as well.")
}

func judgeConsent(a *authorization) Verdict {
	if a.Default.Grants == nil && a.GrantsOld == nil {
		return undecided("Whether users may give applications permissions is not told.")
	}
	grants := slices.Concat(a.Default.Grants, a.GrantsOld)
	for _, g := range grants {
		g = strings.ToLower(g)
		switch {
		case strings.HasSuffix(g, "microsoft-user-default-legacy"):
			return fail("Users may let any application read what they can read.")
		case strings.HasSuffix(g, "microsoft-user-default-recommended"), strings.HasSuffix(g, "microsoft-user-default-low"), strings.HasSuffix(g, "microsoft-user-default-allow-consent-apps"):
			return fail("Users may give applications permissions by themselves, within Microsoft's own limits.")
		case strings.HasPrefix(g, "managepermissiongrantsforself."):
			return fail("Users may give applications permissions by themselves, by the policy %s.", strings.TrimPrefix(g, "managepermissiongrantsforself."))
		}
	}
	return pass("Users cannot consent to applications.")
}

func judgeAdminConsent(s *State) Verdict {
	p := one[struct {
		IsEnabled       *bool `json:"isEnabled"`
		NotifyReviewers bool  `json:"notifyReviewers"`
	}](s, pathAdminConsent)
	switch {
	case p == nil || p.IsEnabled == nil:
		return undecided("Whether users can ask an administrator for an application is not told.")
	case !*p.IsEnabled:
		return fail("Users cannot ask an administrator for an application.")
	case !p.NotifyReviewers:
		return pass("Users can ask an administrator for an application; reviewers are not told of it.")
	}
	return pass("Users can ask an administrator for an application.")
}

// values are settings of a group settings template, by name.
func (s *State) values(template string) map[string]string {
	for _, t := range all[struct {
		TemplateID string `json:"templateId"`
		Values     []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"values"`
	}](s, pathSettings) {
		if strings.EqualFold(t.TemplateID, template) {
			out := make(map[string]string, len(t.Values))
			for _, v := range t.Values {
				var text string
				if json.Unmarshal(v.Value, &text) != nil {
					text = string(v.Value)
				}
				out[strings.ToLower(v.Name)] = text
			}
			return out
		}
	}
	return nil
}

// The templates of settings. https://learn.microsoft.com/graph/group-directory-settings
const (
	templatePasswords = "5cf42378-d67d-4f36-ba46-e8b86229381d"
	templateGroups    = "62375ab9-6b52-47ed-826b-58e47e0e304b"
)

// passwords judges the settings of passwords; where the tenant never changed them Microsoft's own hold.
func passwords(judge func(value func(name, usual string) string) Verdict) func(*State) Verdict {
	return func(s *State) Verdict {
		values := s.values(templatePasswords)
		return judge(func(name, usual string) string {
			if v, ok := values[strings.ToLower(name)]; ok {
				return v
			}
			return usual
		})
	}
}

func judgeBanned(value func(string, string) string) Verdict {
	switch {
	case !strings.EqualFold(value("EnableBannedPasswordCheck", "false"), "true"):
		return fail("No list of words of the organisation's own is kept out of passwords.")
	case strings.TrimSpace(value("BannedPasswordList", "")) == "":
		return fail("The list of words that passwords may not have is enforced, but empty.")
	}
	return pass("Passwords may not have the words of the organisation's own list.")
}

func judgeLockoutTime(value func(string, string) string) Verdict {
	seconds, err := strconv.Atoi(value("LockoutDurationInSeconds", "60"))
	switch {
	case err != nil:
		return undecided("How long an account is locked is not readable.")
	case seconds < 60:
		return fail("An account is locked for %d seconds only after too many wrong passwords.", seconds)
	}
	return pass("An account is locked for %d seconds after too many wrong passwords.", seconds)
}

func judgeLockoutTries(value func(string, string) string) Verdict {
	tries, err := strconv.Atoi(value("LockoutThreshold", "10"))
	switch {
	case err != nil:
		return undecided("After how many wrong passwords an account is locked is not readable.")
	case tries > 10:
		return fail("An account is locked after %d wrong passwords only.", tries)
	}
	return pass("An account is locked after %s.", count(tries, "wrong password"))
}

func judgeOnPremises(s *State) Verdict {
	if is := s.hybrid(); is != nil && !*is {
		return pass("Nothing is synchronised from on premises.")
	}
	return passwords(func(value func(string, string) string) Verdict {
		on := strings.EqualFold(value("EnableBannedPasswordCheckOnPremises", "false"), "true")
		mode := value("BannedPasswordCheckOnPremisesMode", "Audit")
		switch {
		case !on:
			return fail("Passwords on premises are not checked against banned words.")
		case !strings.EqualFold(mode, "Enforced") && !strings.EqualFold(mode, "Enforce"):
			return fail("Passwords on premises are checked against banned words, but only reported.")
		}
		return pass("Passwords on premises are checked against banned words.")
	})(s)
}

func judgeGroupCreation(s *State) Verdict {
	switch v := s.values(templateGroups)["enablegroupcreation"]; strings.ToLower(v) {
	case "false":
		return pass("Only chosen persons create Microsoft 365 groups.")
	case "true":
		return fail("Everybody creates Microsoft 365 groups.")
	}
	return fail("Everybody creates Microsoft 365 groups: nobody has changed what Microsoft sets.")
}

func judgeDefaults(s *State) Verdict {
	p := one[struct {
		IsEnabled *bool `json:"isEnabled"`
	}](s, pathDefaults)
	enforced := slices.ContainsFunc(s.Policies(), func(p Policy) bool { return p.Enabled() })
	switch {
	case p == nil || p.IsEnabled == nil:
		return undecided("Whether security defaults are on is not told.")
	case *p.IsEnabled:
		return pass("Security defaults are on.")
	case enforced:
		return pass("Security defaults are off, and conditional access is in their place.")
	case !s.has(pathPolicies):
		return undecided("Security defaults are off; whether conditional access is in their place is not known.")
	}
	return fail("Security defaults are off, and no conditional access policy is in their place.")
}

// methods judges the authentication methods policy by a configuration of it.
type methodsPolicy struct {
	MigrationState string   `json:"policyMigrationState"`
	ReportSuspect  *feature `json:"reportSuspiciousActivitySettings"`
	Preferred      *struct {
		State string `json:"state"`
	} `json:"systemCredentialPreferences"`
	Configurations []methodConfiguration `json:"authenticationMethodConfigurations"`
}

type methodConfiguration struct {
	ID              string `json:"id"`
	State           string `json:"state"`
	IsUsableOnce    *bool  `json:"isUsableOnce"`
	MaximumLifetime int    `json:"maximumLifetimeInMinutes"`
	Attestation     *bool  `json:"isAttestationEnforced"`
	SelfService     *bool  `json:"isSelfServiceRegistrationAllowed"`
	Restrictions    *struct {
		IsEnforced *bool  `json:"isEnforced"`
		Kind       string `json:"enforcementType"` // allow, block
		Keys       list   `json:"aaGuids"`
	} `json:"keyRestrictions"`
	Features features `json:"featureSettings"`
}

type feature struct {
	State  string `json:"state"`
	Target struct {
		ID string `json:"id"` // a group's, or all_users
	} `json:"includeTarget"`
}

type features struct {
	Number   *feature `json:"numberMatchingRequiredState"`
	App      *feature `json:"displayAppInformationRequiredState"`
	Location *feature `json:"displayLocationInformationRequiredState"`
}

// method is the configuration of a method; nil where there is none.
func (s *State) method(id string) *methodConfiguration {
	p := one[methodsPolicy](s, pathMethods)
	if p == nil {
		return nil
	}
	for i := range p.Configurations {
		if strings.EqualFold(p.Configurations[i].ID, id) {
			return &p.Configurations[i]
		}
	}
	return nil
}

// methodsOff wants methods to be off.
func methodsOff(what string, ids ...string) func(*State) Verdict {
	return func(s *State) Verdict {
		var on []Object
		known := 0
		for _, id := range ids {
			m := s.method(id)
			if m == nil {
				continue
			}
			switch {
			case strings.EqualFold(m.State, "disabled"):
				known++
			case strings.EqualFold(m.State, "enabled"):
				known++
				on = append(on, Object{ID: m.ID, Name: m.ID, Path: pathMethods, Why: "is on"})
			}
		}
		switch {
		case len(on) > 0:
			return fail("%s can be used for sign-in: %s.", what, some(on)).with(on...)
		case known < len(ids):
			return undecided("Whether %s can be used for sign-in is not told.", lower(what))
		}
		return pass("%s cannot be used for sign-in.", what)
	}
}

func on(f *feature) bool { return f != nil && strings.EqualFold(f.State, "enabled") }

func judgeContext(s *State) Verdict {
	m := s.method("MicrosoftAuthenticator")
	if m == nil {
		return undecided("How Microsoft Authenticator is set is not told.")
	}
	o := Object{ID: m.ID, Name: "Microsoft Authenticator", Path: pathMethods}
	switch {
	case !strings.EqualFold(m.State, "enabled"):
		return fail("Microsoft Authenticator is off, so nobody is shown what they approve.").with(o)
	case !on(m.Features.App) && !on(m.Features.Location):
		return fail("Microsoft Authenticator shows neither the application nor the place of what it asks to approve.").with(o)
	case !on(m.Features.App):
		return fail("Microsoft Authenticator does not show the application of what it asks to approve.").with(o)
	case !on(m.Features.Location):
		return fail("Microsoft Authenticator does not show the place of what it asks to approve.").with(o)
	}
	return pass("Microsoft Authenticator shows the application and the place of what it asks to approve.")
}

func judgeNumber(s *State) Verdict {
	m := s.method("MicrosoftAuthenticator")
	switch {
	case m == nil:
		return undecided("How Microsoft Authenticator is set is not told.")
	case !strings.EqualFold(m.State, "enabled"):
		return pass("Microsoft Authenticator is off, so no request of it can be waved through.")
	case m.Features.Number != nil && strings.EqualFold(m.Features.Number.State, "disabled"):
		return fail("Microsoft Authenticator is set not to ask for the number.").with(Object{ID: m.ID, Name: "Microsoft Authenticator", Path: pathMethods})
	}
	return pass("Microsoft Authenticator asks for the number that the screen shows; Microsoft has it so for everybody.")
}

func judgePass(s *State) Verdict {
	m := s.method("TemporaryAccessPass")
	switch {
	case m == nil:
		return undecided("How temporary access passes are set is not told.")
	case !strings.EqualFold(m.State, "enabled"):
		return pass("Temporary access passes are off.")
	case m.IsUsableOnce == nil || !*m.IsUsableOnce:
		return fail("A temporary access pass can be used more than once.").with(Object{ID: m.ID, Name: "Temporary access pass", Path: pathMethods})
	}
	return pass("A temporary access pass can be used once.")
}

func judgeMigration(s *State) Verdict {
	p := one[methodsPolicy](s, pathMethods)
	switch {
	case p == nil || p.MigrationState == "":
		return undecided("Whether the old policies for methods still hold is not told.")
	case !strings.EqualFold(p.MigrationState, "migrationComplete"):
		return fail("The old policies for methods still hold beside the new one.")
	}
	return pass("The authentication methods policy holds alone.")
}

func judgeSuspicious(s *State) Verdict {
	p := one[methodsPolicy](s, pathMethods)
	switch {
	case p == nil || p.ReportSuspect == nil || p.ReportSuspect.State == "":
		return undecided("Whether people can report a request that they did not make is not told.")
	case strings.EqualFold(p.ReportSuspect.State, "disabled"):
		return fail("People cannot report a request that they did not make.")
	case p.ReportSuspect.Target.ID != "" && !strings.EqualFold(p.ReportSuspect.Target.ID, "all_users"):
		return fail("Only some people can report a request that they did not make.")
	}
	return pass("People can report a request that they did not make.")
}

// crossTenant is a default or a partner of cross-tenant access. https://learn.microsoft.com/graph/api/resources/crosstenantaccesspolicyconfigurationdefault
type crossTenant struct {
	TenantID string `json:"tenantId"`
	Provider *bool  `json:"isServiceProvider"`
	Trust    *struct {
		MFA       *bool `json:"isMfaAccepted"`
		Compliant *bool `json:"isCompliantDeviceAccepted"`
		Hybrid    *bool `json:"isHybridAzureADJoinedDeviceAccepted"`
	} `json:"inboundTrust"`
	B2BIn    *access `json:"b2bCollaborationInbound"`
	B2BOut   *access `json:"b2bCollaborationOutbound"`
	DirectIn *access `json:"b2bDirectConnectInbound"`
	UserSync *struct {
		Inbound *struct {
			Allowed bool `json:"isSyncAllowed"`
		} `json:"userSyncInbound"`
	} `json:"identitySynchronization"`
}

type access struct {
	Users *struct {
		AccessType string   `json:"accessType"`
		Targets    []target `json:"targets"`
	} `json:"usersAndGroups"`
}

// target is whom or what a side of cross-tenant access is for.
type target struct {
	Target string `json:"target"` // an id, or AllUsers
}

func (a *access) open() bool {
	return a != nil && a.Users != nil && strings.EqualFold(a.Users.AccessType, "allowed")
}

func judgeDirectConnect(s *State) Verdict {
	d := one[crossTenant](s, pathCrossDefault)
	switch {
	case d == nil || d.DirectIn == nil || d.DirectIn.Users == nil:
		return undecided("Whether other organisations connect directly is not told.")
	case d.DirectIn.open():
		return fail("Persons of every other organisation may be let into shared channels without being guests.").with(Object{ID: "default", Name: "Cross-tenant access, default", Path: pathCrossDefault})
	}
	return pass("Persons of other organisations come as guests only, unless a partner is set otherwise.")
}

func judgeTrust(s *State) Verdict {
	var bad []Object
	if d := one[crossTenant](s, pathCrossDefault); d != nil && d.Trust != nil {
		if is := func(b *bool) bool { return b != nil && *b }; is(d.Trust.MFA) || is(d.Trust.Compliant) || is(d.Trust.Hybrid) {
			bad = append(bad, Object{ID: "default", Name: "Cross-tenant access, default", Path: pathCrossDefault, Why: "trusts every organisation's second factor or devices"})
		}
	} else {
		return undecided("Whose second factor is trusted is not told.")
	}
	return none(bad, "setting", "trusts every other organisation's second factor or devices", "The second factor and the devices of an organisation are trusted only where that partner is set so.")
}

func judgeInvitationDomains(s *State) Verdict {
	p := one[struct {
		InvitationsAllowed *struct {
			Restricted *bool `json:"isRestricted"`
		} `json:"invitations"`
		Definition list `json:"definition"`
	}](s, pathB2B)
	if p == nil {
		return undecided("To which domains guests' invitations are held is not told.")
	}
	for _, d := range p.Definition {
		var body struct {
			Policy struct {
				Domains struct {
					Allowed *list `json:"AllowedDomains"`
					Blocked *list `json:"BlockedDomains"`
				} `json:"InvitationsAllowedAndBlockedDomainsPolicy"`
			} `json:"B2BManagementPolicy"`
		}
		if json.Unmarshal([]byte(d), &body) == nil && body.Policy.Domains.Allowed != nil {
			n := len(*body.Policy.Domains.Allowed)
			if n == 0 {
				return pass("No domain's guests can be invited.")
			}
			return pass("Guests can be invited from %s only.", count(n, "domain"))
		}
	}
	return fail("Guests can be invited from any domain.").with(Object{ID: "b2bManagementPolicy", Name: "B2B management policy", Path: pathB2B})
}

// appManagement is the tenant's own rule for applications' credentials. https://learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy
type appManagement struct {
	IsEnabled *bool `json:"isEnabled"`
	Apps      struct {
		Passwords []restriction `json:"passwordCredentials"`
		Keys      []restriction `json:"keyCredentials"`
	} `json:"applicationRestrictions"`
}

type restriction struct {
	Type  string `json:"restrictionType"`
	State string `json:"state"`
}

func judgeAppManagement(s *State) Verdict {
	p := one[appManagement](s, pathAppManagement)
	if p == nil || p.IsEnabled == nil {
		return undecided("Whether credentials of applications are restricted is not told.")
	}
	o := Object{ID: "defaultAppManagementPolicy", Name: "App management policy", Path: pathAppManagement}
	if !*p.IsEnabled {
		return fail("The policy that restricts applications' credentials is off.").with(o)
	}
	var lacks []string
	for _, want := range []struct {
		have []restriction
		name string
		says string
	}{
		{p.Apps.Passwords, "passwordAddition", "new secrets are allowed"}, {p.Apps.Passwords, "passwordLifetime", "secrets live as long as they like"},
		{p.Apps.Passwords, "customPasswordAddition", "secrets can be chosen"}, {p.Apps.Keys, "asymmetricKeyLifetime", "certificates live as long as they like"},
	} {
		if !slices.ContainsFunc(want.have, func(r restriction) bool { return r.Type == want.name && !strings.EqualFold(r.State, "disabled") }) {
			lacks = append(lacks, want.says)
		}
	}
	if len(lacks) > 0 {
		return fail("The policy that restricts applications' credentials has gaps: %s.", strings.Join(lacks, ", ")).with(o)
	}
	return pass("Secrets and certificates of applications are restricted.")
}

// joining is the device registration policy. https://learn.microsoft.com/graph/api/resources/deviceregistrationpolicy
type joining struct {
	Quota *int `json:"userDeviceQuota"`
	Join  struct {
		Allowed *membership `json:"allowedToJoin"`
		Local   *struct {
			GlobalAdmins *bool       `json:"enableGlobalAdmins"`
			Registering  *membership `json:"registeringUsers"`
		} `json:"localAdmins"`
	} `json:"azureADJoin"`
	Password *struct {
		IsEnabled *bool `json:"isEnabled"`
	} `json:"localAdminPassword"`
}

type membership struct {
	Type string `json:"@odata.type"`
}

// few says whether a membership is of chosen persons or of none.
func (m *membership) few() bool {
	return m != nil && (strings.HasSuffix(m.Type, "enumeratedDeviceRegistrationMembership") || strings.HasSuffix(m.Type, "noDeviceRegistrationMembership"))
}

func joins(judge func(*joining) Verdict) func(*State) Verdict {
	return func(s *State) Verdict {
		j := one[joining](s, pathDeviceJoin)
		if j == nil {
			return undecided("The device registration policy that was collected is empty.")
		}
		v := judge(j)
		if v.Status == Fail {
			v.Found = append(v.Found, Object{ID: "deviceRegistrationPolicy", Name: "Device registration policy", Path: pathDeviceJoin})
		}
		return v
	}
}

func judgeJoin(j *joining) Verdict {
	if j.Join.Allowed.few() {
		return pass("Only chosen persons join devices to the directory.")
	}
	return fail("Everybody joins devices to the directory.")
}

func judgeQuota(j *joining) Verdict {
	const most = 10
	switch {
	case j.Quota == nil || *j.Quota == math.MaxInt32:
		return fail("A person may register any number of devices.")
	case *j.Quota > most:
		return fail("A person may register %d devices; more than %d is more than people have.", *j.Quota, most)
	}
	return pass("A person may register %s.", count(*j.Quota, "device"))
}

func judgeLocalGlobal(j *joining) Verdict {
	switch l := j.Join.Local; {
	case l == nil || l.GlobalAdmins == nil:
		return undecided("Whether Global Administrators are administrators of every joined device is not told.")
	case *l.GlobalAdmins:
		return fail("Global Administrators are administrators of every joined device, so one device can take them.")
	}
	return pass("Global Administrators are not administrators of joined devices.")
}

func judgeLocalUser(j *joining) Verdict {
	if j.Join.Local != nil && j.Join.Local.Registering.few() {
		return pass("Who joins a device does not become its administrator, but for chosen persons.")
	}
	return fail("Who joins a device becomes its administrator.")
}

func judgeLaps(j *joining) Verdict {
	switch {
	case j.Password == nil || j.Password.IsEnabled == nil:
		return undecided("Whether local administrators' passwords are kept by the directory is not told.")
	case !*j.Password.IsEnabled:
		return fail("Local administrators' passwords are not kept and changed by the directory.")
	}
	return pass("Windows LAPS is enabled: the directory keeps and changes local administrators' passwords.")
}

// judgeIdle wants a session in a browser to end when nobody uses it.
func judgeIdle(s *State) Verdict {
	const most = 3 * 3600
	var bad []Object
	for _, p := range all[struct {
		ID          string   `json:"id"`
		DisplayName string   `json:"displayName"`
		Definition  []string `json:"definition"`
	}](s, pathTimeouts) {
		o := Object{ID: p.ID, Name: or(p.DisplayName, p.ID), Path: pathTimeouts}
		for _, d := range p.Definition {
			var body struct {
				Policy struct {
					Apps []struct {
						ID   string `json:"ApplicationId"`
						Time string `json:"WebSessionIdleTimeout"`
					} `json:"ApplicationPolicies"`
				} `json:"ActivityBasedTimeoutPolicy"`
			}
			if json.Unmarshal([]byte(d), &body) != nil {
				continue
			}
			for _, a := range body.Policy.Apps {
				if seconds, ok := clock(a.Time); ok && strings.EqualFold(a.ID, "default") {
					if seconds > 0 && seconds <= most {
						return pass("A session in a browser ends after %s without use.", spell(seconds)).with(o)
					}
					o.Why = "ends after " + spell(seconds)
				}
			}
		}
		bad = append(bad, o)
	}
	if len(bad) > 0 {
		return fail("No policy ends a session in a browser within three hours without use: %s.", some(bad)).with(bad...)
	}
	return fail("Nothing ends a session in a browser that nobody uses.")
}

// clock reads "hh:mm:ss" or "d.hh:mm:ss" as seconds.
func clock(s string) (int, bool) {
	days, rest, found := strings.Cut(s, ".")
	if !found {
		days, rest = "0", s
	}
	total, err := strconv.Atoi(days)
	if err != nil {
		return 0, false
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 3 {
		return 0, false
	}
	for i, unit := range []int{24, 60, 60} {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || total > math.MaxInt32 {
			return 0, false
		}
		total = total*unit + n
	}
	return total, total >= 0
}

func spell(seconds int) string {
	switch {
	case seconds%3600 == 0:
		return count(seconds/3600, "hour")
	case seconds%60 == 0:
		return count(seconds/60, "minute")
	}
	return fmt.Sprintf("%s and %s", count(seconds/60, "minute"), count(seconds%60, "second"))
}

// synchronization is how accounts come from on premises. https://learn.microsoft.com/graph/api/resources/onpremisesdirectorysynchronization
type synchronization struct {
	ID       string `json:"id"`
	Features struct {
		Soft     *bool `json:"blockSoftMatchEnabled"`
		Hard     *bool `json:"blockCloudObjectTakeoverThroughHardMatchEnabled"`
		Seamless *bool `json:"seamlessSingleSignOnEnabled"`
		Hash     *bool `json:"passwordSyncEnabled"`
	} `json:"features"`
}

// synchronizing judges hybrid tenants by how accounts come from on premises.
func synchronizing(alone string, judge func([]synchronization) Verdict) func(*State) Verdict {
	return func(s *State) Verdict {
		is := s.hybrid()
		if is != nil && !*is {
			return pass("%s", alone)
		}
		if v := s.lacks([]string{pathSync}); v != nil {
			return *v
		}
		all := all[synchronization](s, pathSync)
		if len(all) == 0 {
			return undecided("How accounts come from on premises is not told.")
		}
		return judge(all)
	}
}

func judgeTakeover(all []synchronization) Verdict {
	var bad []Object
	for _, y := range all {
		o := Object{ID: y.ID, Name: "Directory synchronisation", Path: pathSync}
		soft, hard := y.Features.Soft, y.Features.Hard
		switch {
		case soft == nil || hard == nil:
			return undecided("Whether an account on premises can take one in the cloud is not told.")
		case !*soft && !*hard:
			o.Why = "neither soft nor hard match is blocked"
		case !*soft:
			o.Why = "soft match is not blocked"
		case !*hard:
			o.Why = "hard match is not blocked"
		default:
			continue
		}
		bad = append(bad, o)
	}
	if len(bad) > 0 {
		return fail("An account made on premises can take one in the cloud: %s.", bad[0].Why).with(bad...)
	}
	return pass("An account made on premises cannot take one in the cloud.")
}

func judgeSeamless(all []synchronization) Verdict {
	var bad []Object
	for _, y := range all {
		if y.Features.Seamless == nil {
			return undecided("Whether seamless single sign-on is on is not told.")
		}
		if *y.Features.Seamless {
			bad = append(bad, Object{ID: y.ID, Name: "Directory synchronisation", Path: pathSync, Why: "seamless single sign-on is on"})
		}
	}
	return none(bad, "synchronisation", "has seamless single sign-on, by which passwords are guessed and tickets forged", "Seamless single sign-on is off.")
}

// judgeHashSync wants hashes of passwords to be synchronised, so that people sign in when what is on premises is down and leaked
// passwords are known.
func judgeHashSync(s *State) Verdict {
	return synchronizing("Nothing is synchronised from on premises.", func(all []synchronization) Verdict {
		for _, y := range all {
			if y.Features.Hash == nil {
				return undecided("Whether hashes of passwords are synchronised is not told.")
			}
			if !*y.Features.Hash {
				return fail("Hashes of passwords are not synchronised, so leaked ones are not noticed.").with(Object{ID: y.ID, Name: "Directory synchronisation", Path: pathSync})
			}
		}
		return pass("Hashes of passwords are synchronised.")
	})(s)
}

func judgeExpiry(s *State) Verdict {
	var bad, told []Object
	for _, d := range all[struct {
		ID       string `json:"id"`
		Verified *bool  `json:"isVerified"`
		Days     *int64 `json:"passwordValidityPeriodInDays"`
		Type     string `json:"authenticationType"`
	}](s, pathDomains) {
		if d.Verified != nil && !*d.Verified || strings.EqualFold(d.Type, "Federated") || d.Days == nil {
			continue
		}
		o := Object{ID: d.ID, Name: d.ID, Path: pathDomains}
		told = append(told, o)
		if *d.Days < math.MaxInt32 {
			o.Why = fmt.Sprintf("expire after %d days", *d.Days)
			bad = append(bad, o)
		}
	}
	if len(told) == 0 {
		return undecided("Whether passwords expire is not told for any domain.")
	}
	return none(bad, "domain", "makes passwords expire, so that people choose them by counting up", "Passwords do not expire.")
}

func judgeFederated(s *State) Verdict {
	var bad []Object
	for _, d := range all[struct {
		ID   string `json:"id"`
		Type string `json:"authenticationType"`
	}](s, pathDomains) {
		if strings.EqualFold(d.Type, "Federated") {
			bad = append(bad, Object{ID: d.ID, Name: d.ID, Path: pathDomains, Why: "who holds its signing key signs in as anybody"})
		}
	}
	return none(bad, "domain", "is federated: who holds its signing key signs in as anybody", "No domain is federated.")
}

func judgePublicGroups(s *State) Verdict {
	var bad []Object
	for _, g := range all[group](s, pathGroups) {
		if g.GroupTypes.has("Unified") && !strings.EqualFold(g.Visibility, "Private") && !strings.EqualFold(g.Visibility, "HiddenMembership") {
			bad = append(bad, Object{ID: g.ID, Name: or(g.DisplayName, g.ID), Path: pathGroups, Why: "anybody in the organisation reads and joins it"})
		}
	}
	return none(bad, "group", "is public, so anybody inside reads its mail and files", "No Microsoft 365 group is public.")
}

func judgeGuestGroup(s *State) Verdict {
	var found []Object
	for _, g := range all[group](s, pathGroups) {
		rule := strings.ToLower(g.MembershipRule)
		if g.GroupTypes.has("DynamicMembership") && strings.Contains(rule, "user.usertype") && strings.Contains(rule, "guest") && !strings.Contains(rule, "-ne") {
			found = append(found, Object{ID: g.ID, Name: or(g.DisplayName, g.ID), Path: pathGroups})
		}
	}
	if len(found) == 0 {
		return fail("No group takes in all guests by itself, for policies and reviews to name.")
	}
	return pass("A dynamic group holds all guests: %s.", some(found)).with(found...)
}

func judgeCapable(s *State) Verdict {
	capable := map[string]*bool{}
	for _, r := range all[registration](s, pathRegistrations) {
		capable[strings.ToLower(r.ID)] = r.IsMfaCapable
	}
	var bad, unsure []Object
	people := 0
	for _, u := range all[user](s, pathUsers) {
		if !u.enabled() || u.guest() || u.EmployeeHireDate.After(s.now) {
			continue
		}
		people++
		o := Object{ID: u.ID, Name: u.name(), Path: pathUsers, Why: "has registered no second factor that works"}
		switch is := capable[strings.ToLower(u.ID)]; {
		case is == nil:
			o.Why = "is not in the report"
			unsure = append(unsure, o)
		case !*is:
			bad = append(bad, o)
		}
	}
	switch {
	case len(bad) > 0:
		return none(bad, "person", "could not give a second factor if asked", "")
	case len(unsure) > 0 && len(unsure) == people:
		return undecided("The report of registered methods names none of the %s.", count(people, "person"))
	case people == 0:
		return undecided("There is no person to judge.")
	}
	return pass("Every person who was reported on has a second factor.")
}
