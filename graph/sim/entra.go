package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// How the tenant is set: conditional access, policies, roles, registered methods, applications, devices and sharing. It is a
// believable mix: some of it as it should be, some not. Everything is made from the seed and the people of the world.

// Accepted permissions of these, from Microsoft's own map (least first).
var (
	forPolicies      = strings.Fields("Policy.Read.All")
	forAuthorization = strings.Fields("Policy.Read.All Policy.ReadWrite.Authorization")
	forDefaults      = strings.Fields("Policy.Read.All")
	forAdminConsent  = strings.Fields("Policy.Read.All Policy.ReadWrite.ConsentRequest Directory.Read.All Directory.ReadWrite.All")
	forMethods       = strings.Fields("Policy.Read.AuthenticationMethod Policy.ReadWrite.AuthenticationMethod Policy.Read.All")
	forCrossTenant   = strings.Fields("Policy.Read.All Policy.ReadWrite.CrossTenantAccess")
	forRoleList      = strings.Fields("RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory Directory.Read.All Directory.ReadWrite.All")
	forActive        = strings.Fields("RoleAssignmentSchedule.Read.Directory RoleAssignmentSchedule.ReadWrite.Directory RoleManagement.Read.All RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory")
	forEligible      = strings.Fields("RoleEligibilitySchedule.Read.Directory RoleEligibilitySchedule.ReadWrite.Directory RoleManagement.Read.All RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory")
	forRegistered    = strings.Fields("AuditLog.Read.All")
	forDevices       = strings.Fields("DeviceManagementManagedDevices.Read.All DeviceManagementManagedDevices.ReadWrite.All DeviceManagementConfiguration.Read.All DeviceManagementConfiguration.ReadWrite.All")
	forSites         = strings.Fields("Sites.Read.All Sites.ReadWrite.All")
	forTaking        = strings.Fields("RoleManagement.Read.All RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory")
	forJoining       = strings.Fields("Policy.Read.DeviceConfiguration Policy.ReadWrite.DeviceConfiguration")
	forGroupSettings = strings.Fields("Directory.Read.All Directory.ReadWrite.All")
	forSync          = strings.Fields("OnPremDirectorySynchronization.Read.All OnPremDirectorySynchronization.ReadWrite.All")
	forCompliance    = strings.Fields("DeviceManagementConfiguration.Read.All DeviceManagementConfiguration.ReadWrite.All")
	forInvitations   = strings.Fields("Policy.Read.B2BManagementPolicy Policy.ReadWrite.B2BManagementPolicy")
	forJoined        = strings.Fields("Device.Read.All Device.ReadWrite.All Directory.Read.All Directory.ReadWrite.All")
	forUsage         = strings.Fields("Reports.Read.All")
	forSharing       = strings.Fields("SharePointTenantSettings.Read.All SharePointTenantSettings.ReadWrite.All")
)

// statePaths are the paths that this file serves.
func statePaths() []*route {
	get := http.MethodGet
	single := []string{"$select", "$expand"}
	return []*route{
		{method: get, path: "identity/conditionalAccess/policies", roles: forPolicies, cost: 1, query: bareList, serve: (*Sim).accessPolicies},
		{method: get, path: "identity/conditionalAccess/namedLocations", roles: forPolicies, cost: 1, query: bareList, serve: (*Sim).namedLocations},
		{method: get, path: "policies/authorizationPolicy", roles: forAuthorization, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "policies/identitySecurityDefaultsEnforcementPolicy", roles: forDefaults, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "policies/adminConsentRequestPolicy", roles: forAdminConsent, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "policies/authenticationMethodsPolicy", roles: forMethods, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "policies/crossTenantAccessPolicy/default", roles: forCrossTenant, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "policies/crossTenantAccessPolicy/partners", roles: forCrossTenant, cost: 1, query: plainList, serve: (*Sim).partners},
		{method: get, path: "policies/b2bManagementPolicies", roles: forInvitations, cost: 1, query: plainList, serve: (*Sim).invitations},
		{method: get, path: "devices", roles: forJoined, cost: 1, query: plainList, serve: (*Sim).joinedDevices},
		{method: get, path: "reports/getSharePointSiteUsageDetail/{period}", roles: forUsage, cost: 1, query: []string{"$format", "$top", "$skiptoken"}, serve: (*Sim).siteUsage},
		{method: get, path: "sites/getAllSites", roles: forSites, cost: 1, query: plainList, serve: (*Sim).sites},
		{method: get, path: "admin/sharepoint/settings", roles: forSharing, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "roleManagement/directory/roleDefinitions", roles: forRoleList, cost: 1, query: bareList, serve: (*Sim).roleDefinitions},
		{method: get, path: "roleManagement/directory/roleAssignments", roles: forRoleList, cost: 1, query: bareList, serve: (*Sim).roleAssignments},
		{method: get, path: "roleManagement/directory/roleAssignmentScheduleInstances", roles: forActive, cost: 1, query: bareList, serve: (*Sim).rolesActive},
		{method: get, path: "roleManagement/directory/roleEligibilityScheduleInstances", roles: forEligible, cost: 1, query: bareList, serve: (*Sim).rolesEligible},
		{method: get, path: "policies/roleManagementPolicyAssignments", roles: forTaking, cost: 1, query: plainList, serve: (*Sim).rolePolicies},
		{method: get, path: "policies/authenticationStrengthPolicies", roles: forPolicies, cost: 1, query: plainList, serve: (*Sim).strengths},
		{method: get, path: "policies/activityBasedTimeoutPolicies", roles: forPolicies, cost: 1, query: plainList, serve: (*Sim).timeouts},
		{method: get, path: "policies/defaultAppManagementPolicy", roles: forPolicies, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "policies/deviceRegistrationPolicy", roles: forJoining, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "groupSettings", roles: forGroupSettings, cost: 1, query: bareList, serve: (*Sim).groupSettings},
		{method: get, path: "directory/onPremisesSynchronization", roles: forSync, cost: 1, query: bareList, serve: (*Sim).synchronization},
		{method: get, path: "reports/servicePrincipalSignInActivities", roles: forAudits, cost: 1, query: []string{"$filter", "$top", "$orderby", "$skiptoken"}, serve: (*Sim).appActivity},
		{method: get, path: "deviceManagement", roles: forCompliance, cost: 1, query: single, serve: (*Sim).setting},
		{method: get, path: "deviceManagement/deviceCompliancePolicies", roles: forCompliance, cost: 1, query: plainList, serve: (*Sim).compliancePolicies},
		{method: get, path: "reports/authenticationMethods/userRegistrationDetails", roles: forRegistered, cost: 1, query: bareList, serve: (*Sim).registrations},
		{method: get, path: "applications", roles: forApps, cost: 2, query: plainList, serve: (*Sim).applications},
		{method: get, path: "deviceManagement/managedDevices", roles: forDevices, cost: 1, query: plainList, serve: (*Sim).managedDevices},
	}
}

var (
	accessProperties     = names(`conditions:o createdDateTime deletedDateTime description displayName grantControls:o modifiedDateTime sessionControls:o state templateId`)
	locationProperties   = names(`createdDateTime deletedDateTime displayName modifiedDateTime ipRanges:l isTrusted countriesAndRegions:l includeUnknownCountriesAndRegions countryLookupMethod`)
	definitionProperties = names(`description displayName isBuiltIn isEnabled resourceScopes:l rolePermissions:l templateId version inheritsPermissionsFrom:l`)
	roleRowProperties    = names(`appScopeId condition directoryScopeId principalId roleDefinitionId directoryScope:o principal:o roleDefinition:o principalOrganizationId`)
	activeProperties     = names(`appScopeId directoryScopeId principalId roleDefinitionId directoryScope:o principal:o roleDefinition:o assignmentType endDateTime memberType roleAssignmentOriginId roleAssignmentScheduleId startDateTime activatedUsing:o`)
	eligibleProperties   = names(`appScopeId directoryScopeId principalId roleDefinitionId directoryScope:o principal:o roleDefinition:o endDateTime memberType roleEligibilityScheduleId startDateTime`)
	registeredProperties = names(`isAdmin isMfaCapable isMfaRegistered isPasswordlessCapable isSsprCapable isSsprEnabled isSsprRegistered isSystemPreferredAuthenticationMethodEnabled
lastUpdatedDateTime methodsRegistered:l systemPreferredAuthenticationMethods:l userDisplayName userPreferredMethodForSecondaryAuthentication userPrincipalName userType`)
	deviceProperties = names(`androidSecurityPatchLevel azureADDeviceId azureADRegistered complianceGracePeriodExpirationDateTime complianceState deviceEnrollmentType deviceName
deviceRegistrationState emailAddress enrolledDateTime freeStorageSpaceInBytes isEncrypted isSupervised jailBroken lastSyncDateTime managedDeviceName managedDeviceOwnerType managementAgent
manufacturer model operatingSystem osVersion serialNumber totalStorageSpaceInBytes userDisplayName userId userPrincipalName`)
	settingProperties = map[string]properties{
		"policies/authorizationPolicy": names(`deletedDateTime description displayName allowedToSignUpEmailBasedSubscriptions allowedToUseSSPR allowEmailVerifiedUsersToJoinOrganization
allowInvitesFrom allowUserConsentForRiskyApps blockMsolPowerShell defaultUserRolePermissions:o guestUserRoleId`),
		"policies/identitySecurityDefaultsEnforcementPolicy": names(`deletedDateTime description displayName isEnabled`),
		"policies/adminConsentRequestPolicy":                 names(`isEnabled notifyReviewers remindersEnabled requestDurationInDays reviewers:l version`),
		"policies/authenticationMethodsPolicy":               names(`description displayName lastModifiedDateTime policyMigrationState policyVersion reconfirmationInDays registrationEnforcement:o authenticationMethodConfigurations:l`),
		"policies/crossTenantAccessPolicy/default": names(`automaticUserConsentSettings:o b2bCollaborationInbound:o b2bCollaborationOutbound:o b2bDirectConnectInbound:o b2bDirectConnectOutbound:o
inboundTrust:o invitationRedemptionIdentityProviderConfiguration:o isServiceDefault tenantRestrictions:o`),
		"policies/defaultAppManagementPolicy": names(`deletedDateTime description displayName isEnabled applicationRestrictions:o servicePrincipalRestrictions:o`),
		"policies/deviceRegistrationPolicy":   names(`description displayName userDeviceQuota multiFactorAuthConfiguration azureADRegistration:o azureADJoin:o localAdminPassword:o`),
		"deviceManagement":                    names(`intuneAccountId settings:o subscriptionState intuneBrand:o`),
		"admin/sharepoint/settings": names(`idleSessionSignOut:o isLegacyAuthProtocolsEnabled isResharingByExternalUsersEnabled isUnmanagedSyncAppForTenantRestricted sharingAllowedDomainList:l
sharingBlockedDomainList:l sharingCapability sharingDomainRestrictionMode isLoopEnabled isRequireAcceptingUserToMatchInvitedUserEnabled isSiteCreationEnabled`),
	}
)

// settings are what the paths of one object answer, as stories and the seed have it.
func (w *world) setting(path string) obj {
	if o, ok := w.set[path]; ok {
		return o
	}
	switch path {
	case "policies/authorizationPolicy":
		return obj{{"id", "authorizationPolicy"}, {"allowInvitesFrom", "adminsAndGuestInviters"}, {"allowedToSignUpEmailBasedSubscriptions", false}, {"allowedToUseSSPR", true},
			{"allowEmailVerifiedUsersToJoinOrganization", false}, {"allowUserConsentForRiskyApps", false}, {"blockMsolPowerShell", false}, {"displayName", "Authorization Policy"},
			{"description", "Used to manage authorization related settings across the company."}, {"guestUserRoleId", "10dae51f-b6af-4016-8d66-8c2a99b929b3"},
			{"defaultUserRolePermissions", obj{{"allowedToCreateApps", true}, {"allowedToCreateSecurityGroups", true}, {"allowedToCreateTenants", false}, {"allowedToReadBitlockerKeysForOwnedDevice", true},
				{"allowedToReadOtherUsers", true}, {"permissionGrantPoliciesAssigned", []string{"ManagePermissionGrantsForSelf.microsoft-user-default-legacy"}}}}}
	case "policies/identitySecurityDefaultsEnforcementPolicy":
		return obj{{"id", "00000000-0000-0000-0000-000000000005"}, {"displayName", "Security Defaults"}, {"description", "Security defaults is a set of basic identity security mechanisms."}, {"isEnabled", false}}
	case "policies/adminConsentRequestPolicy":
		return obj{{"isEnabled", true}, {"notifyReviewers", true}, {"remindersEnabled", true}, {"requestDurationInDays", 30}, {"version", 1}, {"reviewers", []any{}}}
	case "policies/authenticationMethodsPolicy":
		method := func(kind, id, state string, more ...member) obj {
			return append(obj{{"@odata.type", "#microsoft.graph." + kind}, {"id", id}, {"state", state}}, more...)
		}
		all := obj{{"targetType", "group"}, {"id", "all_users"}}
		feature := func(state string) obj { return obj{{"state", state}, {"includeTarget", all}} }
		return obj{{"id", "authenticationMethodsPolicy"}, {"displayName", "Authentication Methods Policy"}, {"description", "The tenant-wide policy that controls which authentication methods are allowed."},
			{"lastModifiedDateTime", w.start.AddDate(0, -3, 0)}, {"policyVersion", "1.5"}, {"policyMigrationState", "migrationInProgress"}, {"reconfirmationInDays", nil},
			{"authenticationMethodConfigurations", []any{
				method("fido2AuthenticationMethodConfiguration", "Fido2", "enabled", member{"isAttestationEnforced", true}, member{"isSelfServiceRegistrationAllowed", true}),
				method("microsoftAuthenticatorAuthenticationMethodConfiguration", "MicrosoftAuthenticator", "enabled", member{"featureSettings",
					obj{{"displayAppInformationRequiredState", feature("enabled")}, {"displayLocationInformationRequiredState", feature("disabled")}, {"numberMatchingRequiredState", feature("enabled")}}}),
				method("smsAuthenticationMethodConfiguration", "Sms", "enabled"), method("voiceAuthenticationMethodConfiguration", "Voice", "disabled"),
				method("emailAuthenticationMethodConfiguration", "Email", "disabled"),
				method("temporaryAccessPassAuthenticationMethodConfiguration", "TemporaryAccessPass", "enabled", member{"isUsableOnce", true}, member{"maximumLifetimeInMinutes", 480}),
			}}}
	case "policies/crossTenantAccessPolicy/default":
		side := func(access string) obj {
			return obj{{"usersAndGroups", obj{{"accessType", access}, {"targets", []any{obj{{"target", "AllUsers"}, {"targetType", "user"}}}}}},
				{"applications", obj{{"accessType", access}, {"targets", []any{obj{{"target", "AllApplications"}, {"targetType", "application"}}}}}}}
		}
		return obj{{"id", w.tenant}, {"isServiceDefault", false}, {"inboundTrust", obj{{"isMfaAccepted", true}, {"isCompliantDeviceAccepted", false}, {"isHybridAzureADJoinedDeviceAccepted", false}}},
			{"b2bCollaborationInbound", side("allowed")}, {"b2bCollaborationOutbound", side("allowed")}, {"b2bDirectConnectInbound", side("blocked")}, {"b2bDirectConnectOutbound", side("blocked")}}
	case "policies/defaultAppManagementPolicy":
		return obj{{"id", "00000000-0000-0000-0000-000000000000"}, {"displayName", "Default app management tenant policy"}, {"description", "Default tenant policy that enforces app management restrictions on applications and service principals."},
			{"isEnabled", false}, {"applicationRestrictions", obj{{"passwordCredentials", []any{}}, {"keyCredentials", []any{}}}}, {"servicePrincipalRestrictions", obj{{"passwordCredentials", []any{}}, {"keyCredentials", []any{}}}}}
	case "policies/deviceRegistrationPolicy":
		anybody := obj{{"@odata.type", "#microsoft.graph.allDeviceRegistrationMembership"}}
		return obj{{"id", "deviceRegistrationPolicy"}, {"displayName", "Device Registration Policy"}, {"description", "Tenant-wide policy that manages initial provisioning controls."}, {"userDeviceQuota", 50},
			{"multiFactorAuthConfiguration", "notRequired"}, {"azureADRegistration", obj{{"isAdminConfigurable", false}, {"allowedToRegister", anybody}}},
			{"azureADJoin", obj{{"isAdminConfigurable", true}, {"allowedToJoin", anybody}, {"localAdmins", obj{{"enableGlobalAdmins", true}, {"registeringUsers", anybody}}}}}, {"localAdminPassword", obj{{"isEnabled", true}}}}
	case "deviceManagement":
		return obj{{"id", w.tenant}, {"intuneAccountId", w.seed.guid(askState, 30)}, {"settings", obj{{"deviceComplianceCheckinThresholdDays", 30}, {"isScheduledActionEnabled", true}, {"secureByDefault", false}}}}
	case "admin/sharepoint/settings":
		return obj{{"id", w.tenant}, {"sharingCapability", "externalUserAndGuestSharing"}, {"sharingDomainRestrictionMode", "none"}, {"sharingAllowedDomainList", []any{}}, {"sharingBlockedDomainList", []any{}},
			{"isResharingByExternalUsersEnabled", true}, {"isRequireAcceptingUserToMatchInvitedUserEnabled", false}, {"isLegacyAuthProtocolsEnabled", false}, {"isUnmanagedSyncAppForTenantRestricted", false}, {"isLoopEnabled", true}, {"isSiteCreationEnabled", true},
			{"idleSessionSignOut", obj{{"isEnabled", true}, {"signOutAfterInSeconds", 3600}, {"warnAfterInSeconds", 3300}}}}
	}
	return nil
}

func (s *Sim) setting(r *request) reply {
	path := r.route.path
	return s.object(r, path, settingProperties[path], nil, whole(s.world.setting(path)))
}

// give answers a list of objects.
func (s *Sim) give(r *request, context string, props properties, all []obj) reply {
	return s.list(r, list{context: context, props: props, total: len(all), page: 100, max: 999, at: func(i int) (item, bool) { return whole(all[i]), true }})
}

// accessPolicies are the conditional access policies: one for everybody with a group left out, one that only reports, one switched off.
func (s *Sim) accessPolicies(r *request) reply {
	return s.give(r, "conditionalAccess/policies", accessProperties, s.world.policies())
}

// policyOf begins a policy.
func (w *world) policyOf(n int, name, state string, age time.Duration, users obj, more ...member) obj {
	conditions := obj{{"clientAppTypes", []string{"all"}}, {"signInRiskLevels", []any{}}, {"userRiskLevels", []any{}}, {"applications", obj{{"includeApplications", []string{"All"}}, {"excludeApplications", []any{}}, {"includeUserActions", []any{}}}},
		{"users", users}, {"platforms", nil}, {"locations", nil}}
	grant := obj{{"operator", "OR"}, {"builtInControls", []string{"mfa"}}, {"customAuthenticationFactors", []any{}}, {"termsOfUse", []any{}}}
	o := obj{{"id", w.seed.guid(askState, n)}, {"displayName", name}, {"state", state}, {"createdDateTime", w.start.Add(-age)}, {"modifiedDateTime", nil}, {"sessionControls", nil}}
	for _, m := range more {
		if _, ok := conditions.get(m.k); ok {
			conditions = conditions.set(m.k, m.v)
		} else if m.k == "grantControls" {
			grant = m.v.(obj)
		} else {
			o = o.set(m.k, m.v)
		}
	}
	return append(o, member{"conditions", conditions}, member{"grantControls", grant})
}

func (w *world) policies() []obj {
	if w.access != nil {
		return w.access
	}
	users := func(include, exclude, without, roles []string) obj {
		list := func(of []string) any {
			if of == nil {
				return []any{}
			}
			return of
		}
		return obj{{"includeUsers", list(include)}, {"excludeUsers", list(exclude)}, {"includeGroups", []any{}}, {"excludeGroups", list(without)}, {"includeRoles", list(roles)}, {"excludeRoles", []any{}}}
	}
	var emergency, partners []string
	if p := w.person(1 + 5*len(departments)); p != nil {
		emergency = []string{p.id}
	}
	for _, g := range w.groups {
		if strings.Contains(strings.ToLower(g.name), "partner") {
			partners = []string{g.id}
		}
	}
	block := obj{{"operator", "OR"}, {"builtInControls", []string{"block"}}, {"customAuthenticationFactors", []any{}}, {"termsOfUse", []any{}}}
	const day = 24 * time.Hour
	w.access = []obj{
		w.policyOf(1, "CA001 - Multifactor authentication for everybody", "enabled", 700*day, users([]string{"All"}, emergency, partners, nil)),
		w.policyOf(2, "CA002 - Block legacy authentication", "enabled", 690*day, users([]string{"All"}, emergency, nil, nil), member{"clientAppTypes", []string{"exchangeActiveSync", "other"}}, member{"grantControls", block}),
		w.policyOf(3, "CA003 - Administrators sign in with a key", "enabledForReportingButNotEnforced", 60*day, users(nil, emergency, nil, []string{"62e90394-69f5-4237-9190-012177145e10", "29232cdf-9323-42fd-ade2-1d097af3e4de", "fe930be7-5e62-47db-91af-98c3a49a38b1"})),
		w.policyOf(4, "CA004 - Block device code flow", "disabled", 30*day, users([]string{"All"}, emergency, nil, nil), member{"grantControls", block}),
		w.policyOf(5, "CA005 - Managed device outside the office", "enabled", 400*day, users([]string{"All"}, emergency, nil, nil),
			member{"locations", obj{{"includeLocations", []string{"All"}}, {"excludeLocations", []string{"AllTrusted"}}}},
			member{"grantControls", obj{{"operator", "OR"}, {"builtInControls", []string{"mfa", "compliantDevice", "domainJoinedDevice"}}, {"customAuthenticationFactors", []any{}}, {"termsOfUse", []any{}}}}),
	}
	return w.access
}

func (s *Sim) namedLocations(r *request) reply {
	w := s.world
	return s.give(r, "conditionalAccess/namedLocations", locationProperties, []obj{
		{{"@odata.type", "#microsoft.graph.ipNamedLocation"}, {"id", w.seed.guid(askState, 20)}, {"displayName", "Rotterdam office"}, {"createdDateTime", w.start.AddDate(-2, 0, 0)}, {"modifiedDateTime", nil},
			{"isTrusted", true}, {"ipRanges", []any{obj{{"@odata.type", "#microsoft.graph.iPv4CidrRange"}, {"cidrAddress", "198.51.100.0/24"}}}}},
		{{"@odata.type", "#microsoft.graph.countryNamedLocation"}, {"id", w.seed.guid(askState, 21)}, {"displayName", "Where we work"}, {"createdDateTime", w.start.AddDate(-2, 0, 0)}, {"modifiedDateTime", nil},
			{"countriesAndRegions", []string{"NL", "BE", "DE"}}, {"includeUnknownCountriesAndRegions", false}, {"countryLookupMethod", "clientIpAddress"}},
	})
}

func (s *Sim) roleDefinitions(r *request) reply {
	var all []obj
	for _, o := range s.world.roles {
		all = append(all, obj{{"id", o.template}, {"description", o.about}, {"displayName", o.name}, {"isBuiltIn", true}, {"isEnabled", true}, {"resourceScopes", []string{"/"}},
			{"rolePermissions", []any{}}, {"templateId", o.template}, {"version", "1"}})
	}
	return s.give(r, "roleManagement/directory/roleDefinitions", definitionProperties, all)
}

// eachRole goes through who holds which role.
func (w *world) eachRole(row func(n int, o *role, who string)) {
	n := 0
	for _, o := range w.roles {
		for _, who := range o.members {
			if n++; !o.left[who] {
				row(n, o, who)
			}
		}
	}
}

func (s *Sim) roleAssignments(r *request) reply {
	var all []obj
	s.world.eachRole(func(n int, o *role, who string) {
		all = append(all, s.roleRow(n, o, who))
	})
	return s.give(r, "roleManagement/directory/roleAssignments", roleRowProperties, all)
}

// rolesActive are the same as Privileged Identity Management has them; every third was taken for some hours.
func (s *Sim) rolesActive(r *request) reply {
	w := s.world
	var all []obj
	w.eachRole(func(n int, o *role, who string) {
		kind, ends := "Assigned", any(nil)
		if n%3 == 0 {
			kind, ends = "Activated", w.start.Add(8*time.Hour)
		}
		all = append(all, obj{{"id", w.seed.guid(askState, 2000+n)}, {"principalId", who}, {"roleDefinitionId", o.template}, {"directoryScopeId", "/"}, {"appScopeId", nil}, {"assignmentType", kind},
			{"memberType", "Direct"}, {"startDateTime", w.start.AddDate(-1, 0, 0)}, {"endDateTime", ends}, {"roleAssignmentOriginId", w.seed.guid(askState, 2000+n)}, {"roleAssignmentScheduleId", w.seed.guid(askState, 2500+n)}})
	})
	return s.give(r, "roleManagement/directory/roleAssignmentScheduleInstances", activeProperties, all)
}

func (s *Sim) rolesEligible(r *request) reply {
	return s.give(r, "roleManagement/directory/roleEligibilityScheduleInstances", eligibleProperties, s.world.eligible())
}

// hasRole says whether somebody is an administrator.
func (w *world) hasRole(id string) bool {
	return slices.ContainsFunc(w.roles, func(o *role) bool { return slices.Contains(o.holders(), id) })
}

// registrations are the methods that people have registered.
func (s *Sim) registrations(r *request) reply {
	w := s.world
	return s.list(r, list{context: "reports/authenticationMethods/userRegistrationDetails", props: registeredProperties, total: w.count(), page: 100, max: 999, at: func(i int) (item, bool) {
		p := w.person(i)
		if p == nil || p.kind != employee && p.kind != guest {
			return item{}, false
		}
		ways := w.ways(p)
		kind := "member"
		if p.kind == guest {
			kind = "guest"
		}
		return whole(obj{{"id", p.id}, {"userPrincipalName", p.upn()}, {"userDisplayName", p.display}, {"userType", kind}, {"isAdmin", w.hasRole(p.id)}, {"isSsprRegistered", len(ways) > 0}, {"isSsprEnabled", true},
			{"isSsprCapable", len(ways) > 0}, {"isMfaRegistered", len(ways) > 0}, {"isMfaCapable", len(ways) > 0}, {"isPasswordlessCapable", slices.Contains(ways, "fido2SecurityKey")}, {"methodsRegistered", ways},
			{"isSystemPreferredAuthenticationMethodEnabled", true}, {"systemPreferredAuthenticationMethods", []any{}}, {"userPreferredMethodForSecondaryAuthentication", "push"}, {"lastUpdatedDateTime", w.start.AddDate(0, 0, -1)}}), true
	}})
}

// ownApps are applications of the organisation's own, besides those of ours.
func (w *world) ownApps() []obj {
	app := func(n int, name, audience string, from, until time.Time, key bool) obj {
		credential := obj{{"customKeyIdentifier", nil}, {"displayName", "deploy"}, {"keyId", w.seed.guid(askState, 4100+n)}, {"startDateTime", from.UTC().Format(time.RFC3339)}, {"endDateTime", until.UTC().Format(time.RFC3339)}}
		secrets, keys := []any{append(credential, member{"hint", "q2K"}, member{"secretText", nil})}, []any{}
		if key {
			secrets, keys = []any{}, []any{append(credential, member{"type", "AsymmetricX509Cert"}, member{"usage", "Verify"}, member{"key", nil})}
		}
		return obj{{"id", w.seed.guid(askState, 4000+n)}, {"deletedDateTime", nil}, {"appId", w.seed.guid(askState, 4200+n)}, {"displayName", name}, {"createdDateTime", from.UTC().Format(time.RFC3339)},
			{"signInAudience", audience}, {"identifierUris", []any{}}, {"passwordCredentials", secrets}, {"keyCredentials", keys}, {"verifiedPublisher", nil}}
	}
	return []obj{
		app(1, "Freight planner", "AzureADMyOrg", w.start.AddDate(-1, -2, 0), w.start.AddDate(0, 10, 0), false),
		app(2, "Customs interface", "AzureADMultipleOrgs", w.start.AddDate(-3, 0, 0), w.start.AddDate(0, -4, 0), false),
		app(3, "Backup", "AzureADMyOrg", w.start.AddDate(0, -3, 0), w.start.AddDate(0, 9, 0), true),
	}
}

func (s *Sim) applications(r *request) reply {
	var all []obj
	for i, a := range s.apps() {
		a.mu.Lock()
		gone := a.removed
		a.mu.Unlock()
		switch {
		case gone:
		case i == 0:
			all = append(all, s.application())
		default:
			all = append(all, s.applicationOf(a, 10_000+i, 1000*i))
		}
	}
	all = append(all, s.world.ownApps()...)
	return s.list(r, list{context: "applications", props: applicationProperties, total: len(all), page: 100, max: 999, at: func(i int) (item, bool) {
		var owners []string
		if p := s.world.person(4); p != nil && all[i].text("displayName") == "Freight planner" {
			owners = []string{p.id}
		}
		return s.owned(whole(all[i]), owners), true
	}})
}

// managedDevices are one for each licensed member of the first two hundred.
func (s *Sim) managedDevices(r *request) reply {
	w := s.world
	systems := []struct{ system, version, maker, model string }{{"Windows", "10.0.26100.2161", "Dell", "Latitude 7450"}, {"Windows", "10.0.22631.4317", "Lenovo", "ThinkPad T14"}, {"iOS", "18.1", "Apple", "iPhone 15"}, {"macOS", "15.1", "Apple", "MacBook Air"}, {"Windows", "10.0.19045.4894", "HP", "EliteBook 840"}}
	var all []obj
	for i := range min(w.users, 200) {
		p := w.person(i)
		if p == nil || p.kind != employee || !p.enabled {
			continue
		}
		n := int(w.seed.at(askState, 10_000+i))
		if n < 0 {
			n = -n
		}
		k := systems[n%11%len(systems)]
		state, encrypted, seen := "compliant", n%17 != 0, w.start.Add(-time.Duration(n%72)*time.Hour)
		if n%13 == 0 {
			state = "noncompliant"
		}
		if n%19 == 0 {
			seen = w.start.AddDate(0, 0, -45)
		}
		name := fmt.Sprintf("%s-%04d", strings.ToUpper(k.maker[:2]), i)
		all = append(all, obj{{"id", w.seed.guid(askState, 20_000+i)}, {"userId", p.id}, {"userPrincipalName", p.upn()}, {"userDisplayName", p.display}, {"emailAddress", p.mail}, {"azureADDeviceId", w.seed.guid(askState, 40_000+i)}, {"deviceName", name}, {"managedDeviceName", name},
			{"managedDeviceOwnerType", "company"}, {"operatingSystem", k.system}, {"osVersion", k.version}, {"manufacturer", k.maker}, {"model", k.model}, {"complianceState", state}, {"managementAgent", "mdm"}, {"isEncrypted", encrypted},
			{"jailBroken", "Unknown"}, {"isSupervised", false}, {"azureADRegistered", true}, {"enrolledDateTime", w.start.AddDate(-1, 0, 0)}, {"lastSyncDateTime", seen}, {"serialNumber", name}})
	}
	return s.give(r, "deviceManagement/managedDevices", deviceProperties, all)
}

// Set has a setting, an object by its path, answer otherwise from now on. The text is a JSON object; it panics where it is none.
func (s *Sim) Set(path, text string) {
	o, err := parseObject([]byte(text))
	if err != nil || settingProperties[path] == nil {
		panic(fmt.Sprintf("sim: %s is no setting, or %q no object", path, text))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.world.set == nil {
		s.world.set = map[string]obj{}
	}
	s.world.set[path] = o
}
