package sim

import (
	"fmt"
	"strings"
	"time"
)

// The rest of how the tenant is set: how roles are taken, authentication strengths, settings of passwords and groups, synchronisation
// from on premises, when applications were used, and compliance policies.

var (
	takingProperties   = names(`policyId roleDefinitionId scopeId scopeType policy:o`)
	strengthProperties = names(`allowedCombinations:l createdDateTime description displayName modifiedDateTime policyType requirementsSatisfied`)
	timeoutProperties  = names(`definition:l deletedDateTime description displayName isOrganizationDefault`)
	groupSetProperties = names(`displayName templateId values:l`)
	syncProperties     = names(`configuration:o features:o`)
	usedProperties     = names(`appId applicationAuthenticationClientSignInActivity:o applicationAuthenticationResourceSignInActivity:o delegatedClientSignInActivity:o delegatedResourceSignInActivity:o lastSignInActivity:o`)
	siteProperties     = names(`createdDateTime description displayName isPersonalSite lastModifiedDateTime name root:o siteCollection:o webUrl`)
	partnerProperties  = names(`automaticUserConsentSettings:o b2bCollaborationInbound:o b2bCollaborationOutbound:o b2bDirectConnectInbound:o b2bDirectConnectOutbound:o identitySynchronization:o inboundTrust:o isInMultiTenantOrganization isServiceProvider tenantId tenantRestrictions:o`)
	invitedProperties  = names(`definition:l deletedDateTime description displayName isOrganizationDefault`)
	joinedProperties   = names(`accountEnabled approximateLastSignInDateTime deviceId displayName isCompliant isManaged operatingSystem operatingSystemVersion profileType registrationDateTime trustType`)
	usageProperties    = names(`reportRefreshDate siteId siteUrl ownerDisplayName ownerPrincipalName isDeleted lastActivityDate siteSensitivityLabelId externalSharing unmanagedDevicePolicy geolocation fileCount activeFileCount pageViewCount
visitedPageCount anonymousLinkCount companyLinkCount secureLinkForGuestCount secureLinkForMemberCount storageUsedInBytes storageAllocatedInBytes rootWebTemplate reportPeriod`)
	complianceProperties = names(`createdDateTime description displayName lastModifiedDateTime version assignments:l`)
)

// rolePolicies are how each role is taken: Global Administrator by somebody's approval, the others without.
func (s *Sim) rolePolicies(r *request) reply {
	if filter, ok := r.query.find("$filter"); !ok || !strings.Contains(filter, "scopeId") || !strings.Contains(filter, "scopeType") {
		return s.badRequest(r, "The filter must name scopeId and scopeType.")
	}
	w := s.world
	templates := []string{"e8611ab8-c189-46e8-94e1-60213ab1f814"} // Privileged Role Administrator, who has no role of the directory yet
	for _, o := range w.roles {
		templates = append(templates, o.template)
	}
	var all []item
	for i, template := range templates {
		id := "DirectoryRole_" + w.tenant + "_" + w.seed.guid(askState, 5000+i)
		approval := template == "62e90394-69f5-4237-9190-012177145e10"
		approvers := []any{}
		if approval {
			approvers = []any{obj{{"@odata.type", "#microsoft.graph.singleUser"}, {"userId", w.person(3).id}, {"isBackup", false}}}
		}
		target := obj{{"caller", "EndUser"}, {"operations", []string{"All"}}, {"level", "Assignment"}, {"inheritableSettings", []any{}}, {"enforcedSettings", []any{}}}
		rules := []any{
			obj{{"@odata.type", "#microsoft.graph.unifiedRoleManagementPolicyExpirationRule"}, {"id", "Expiration_EndUser_Assignment"}, {"isExpirationRequired", true}, {"maximumDuration", "PT8H"}, {"target", target}},
			obj{{"@odata.type", "#microsoft.graph.unifiedRoleManagementPolicyEnablementRule"}, {"id", "Enablement_EndUser_Assignment"}, {"enabledRules", []string{"MultiFactorAuthentication", "Justification"}}, {"target", target}},
			obj{{"@odata.type", "#microsoft.graph.unifiedRoleManagementPolicyApprovalRule"}, {"id", "Approval_EndUser_Assignment"}, {"target", target},
				{"setting", obj{{"isApprovalRequired", approval}, {"isApprovalRequiredForExtension", false}, {"isRequestorJustificationRequired", true}, {"approvalMode", "SingleStage"},
					{"approvalStages", []any{obj{{"approvalStageTimeOutInDays", 1}, {"isApproverJustificationRequired", true}, {"escalationTimeInMinutes", 0}, {"isEscalationEnabled", false}, {"primaryApprovers", approvers}, {"escalationApprovers", []any{}}}}}}}},
		}
		it := whole(obj{{"id", id + "_" + template}, {"policyId", id}, {"scopeId", "/"}, {"scopeType", "DirectoryRole"}, {"roleDefinitionId", template}})
		it.expand = func(expansion) any {
			return obj{{"id", id}, {"displayName", "DirectoryRole"}, {"description", "DirectoryRole"}, {"isOrganizationDefault", false}, {"scopeId", "/"}, {"scopeType", "DirectoryRole"}, {"lastModifiedDateTime", nil}, {"lastModifiedBy", nil}, {"rules", rules}}
		}
		all = append(all, it)
	}
	return s.list(r, list{context: "policies/roleManagementPolicyAssignments", props: takingProperties, total: len(all), page: 100, max: 999, at: func(i int) (item, bool) { return all[i], true }})
}

// strengths are Microsoft's own three.
func (s *Sim) strengths(r *request) reply {
	strength := func(id, name string, ways ...string) obj {
		return obj{{"id", "00000000-0000-0000-0000-00000000000" + id}, {"createdDateTime", "2021-12-01T08:00:00Z"}, {"modifiedDateTime", "2021-12-01T08:00:00Z"}, {"displayName", name}, {"description", name}, {"policyType", "builtIn"},
			{"requirementsSatisfied", "mfa"}, {"allowedCombinations", ways}}
	}
	keys := []string{"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"}
	without := append(keys, "deviceBasedPush")
	return s.give(r, "policies/authenticationStrengthPolicies", strengthProperties, []obj{
		strength("2", "Multifactor authentication", append(without, "temporaryAccessPassOneTime", "password,microsoftAuthenticatorPush", "password,softwareOath", "password,sms")...),
		strength("3", "Passwordless MFA", without...), strength("4", "Phishing-resistant MFA", keys...),
	})
}

// timeouts are none: nobody has set one.
func (s *Sim) timeouts(r *request) reply {
	return s.give(r, "policies/activityBasedTimeoutPolicies", timeoutProperties, nil)
}

func (s *Sim) groupSettings(r *request) reply {
	w := s.world
	setting := func(n int, name, template string, pairs ...string) obj {
		values := []any{}
		for i := 0; i+1 < len(pairs); i += 2 {
			values = append(values, obj{{"name", pairs[i]}, {"value", pairs[i+1]}})
		}
		return obj{{"id", w.seed.guid(askState, 40+n)}, {"displayName", name}, {"templateId", template}, {"values", values}}
	}
	return s.give(r, "groupSettings", groupSetProperties, []obj{
		setting(0, "Password Rule Settings", "5cf42378-d67d-4f36-ba46-e8b86229381d", "BannedPasswordCheckOnPremisesMode", "Audit", "EnableBannedPasswordCheckOnPremises", "true",
			"EnableBannedPasswordCheck", "true", "LockoutDurationInSeconds", "60", "LockoutThreshold", "10", "BannedPasswordList", "fabrikam\tfreight\trotterdam"),
		setting(1, "Group.Unified", "62375ab9-6b52-47ed-826b-58e47e0e304b", "EnableGroupCreation", "true", "AllowGuestsToAccessGroups", "true", "GroupCreationAllowedGroupId", ""),
	})
}

// synchronization is how accounts come from on premises: their passwords' hashes too, and none of the takeovers blocked.
func (s *Sim) synchronization(r *request) reply {
	w := s.world
	return s.give(r, "directory/onPremisesSynchronization", syncProperties, []obj{{{"id", w.tenant}, {"configuration", obj{{"accidentalDeletionPrevention", obj{{"synchronizationPreventionType", "enabledForCount"}, {"alertThreshold", 500}}}}},
		{"features", obj{{"blockCloudObjectTakeoverThroughHardMatchEnabled", false}, {"blockSoftMatchEnabled", true}, {"passwordSyncEnabled", true}, {"passwordWritebackEnabled", false}, {"deviceWritebackEnabled", false},
			{"userForcePasswordChangeOnLogonEnabled", false}, {"synchronizeUpnForManagedUsersEnabled", true}}}}})
}

// appActivity is when applications were last used: those of ours today, and each third long ago.
func (s *Sim) appActivity(r *request) reply {
	w := s.world
	var all []obj
	for i, a := range s.apps() {
		a.mu.Lock()
		gone, id := a.removed, a.id
		a.mu.Unlock()
		if gone {
			continue
		}
		at := w.start.Add(-time.Duration(i%3) * 100 * 24 * time.Hour)
		all = append(all, obj{{"id", w.seed.guid(askState, 6000+i)}, {"appId", id}, {"lastSignInActivity", obj{{"lastSignInDateTime", at}, {"lastSignInRequestId", w.seed.guid(askState, 6500+i)}}}})
	}
	return s.give(r, "reports/servicePrincipalSignInActivities", usedProperties, all)
}

// compliancePolicies are one for Windows that is assigned to everybody.
func (s *Sim) compliancePolicies(r *request) reply {
	w := s.world
	id := w.seed.guid(askState, 50)
	it := whole(obj{{"@odata.type", "#microsoft.graph.windows10CompliancePolicy"}, {"id", id}, {"displayName", "Windows: encrypted and patched"}, {"description", nil}, {"createdDateTime", w.start.AddDate(-1, 0, 0)}, {"lastModifiedDateTime", w.start.AddDate(0, -2, 0)}, {"version", 3}})
	it.expand = func(expansion) any {
		return []any{obj{{"id", id + "_adadadad-808e-44e2-905a-0b7873a8a531"}, {"target", obj{{"@odata.type", "#microsoft.graph.allLicensedUsersAssignmentTarget"}}}}}
	}
	return s.list(r, list{context: "deviceManagement/deviceCompliancePolicies", props: complianceProperties, total: 1, page: 100, max: 999, at: func(int) (item, bool) { return it, true }})
}

// sites are one for each group with a mailbox, and everybody's own.
func (s *Sim) sites(r *request) reply {
	w := s.world
	var groups []*group
	for _, g := range w.groups {
		if g.unified && !g.gone {
			groups = append(groups, g)
		}
	}
	host := w.stem + ".sharepoint.com"
	site := func(n int, host, name, at string, own bool) item {
		return whole(obj{{"id", fmt.Sprintf("%s,%s,%s", host, w.siteID(n), w.seed.guid(askState, 30_001+2*n))}, {"createdDateTime", w.start.AddDate(-2, 0, 0)}, {"lastModifiedDateTime", w.start.AddDate(0, 0, -1)},
			{"name", at}, {"displayName", name}, {"webUrl", "https://" + host + "/sites/" + at}, {"isPersonalSite", own}, {"root", obj{}}, {"siteCollection", obj{{"hostname", host}}}})
	}
	return s.list(r, list{context: "sites", props: siteProperties, total: len(groups) + w.count(), page: 200, max: 999, at: func(i int) (item, bool) {
		if i < len(groups) {
			return site(i, host, groups[i].name, strings.ReplaceAll(groups[i].name, " ", ""), false), true
		}
		p := w.person(i - len(groups))
		if p == nil || p.kind != employee || !p.licensed {
			return item{}, false
		}
		return site(i, w.stem+"-my.sharepoint.com", p.display, p.local, true), true
	}})
}

// siteID is of the site collection that is listed n-th.
func (w *world) siteID(n int) string { return w.seed.guid(askState, 30_000+2*n) }

// siteUsage is SharePoint's daily report: each third site of a group has links that anybody can use.
func (s *Sim) siteUsage(r *request) reply {
	if f, ok := r.query.find("$format"); !ok || f != "application/json" {
		return s.badRequest(r, "The simulator gives the report as JSON alone: ask for $format=application/json.")
	}
	w := s.world
	n := 0
	for _, g := range w.groups {
		if g.unified && !g.gone {
			n++
		}
	}
	day := w.start.AddDate(0, 0, -1).Format(time.DateOnly)
	var all []obj
	for i := range n {
		links := 0
		if i%3 == 1 {
			links = 2 + i
		}
		all = append(all, obj{{"reportRefreshDate", day}, {"siteId", w.siteID(i)}, {"siteUrl", ""}, {"ownerDisplayName", w.groups[0].name}, {"ownerPrincipalName", ""}, {"isDeleted", false}, {"lastActivityDate", day},
			{"externalSharing", true}, {"fileCount", 40 * i}, {"activeFileCount", i}, {"anonymousLinkCount", links}, {"companyLinkCount", 3 * i}, {"secureLinkForGuestCount", i}, {"secureLinkForMemberCount", i},
			{"rootWebTemplate", "Group"}, {"reportPeriod", "7"}})
	}
	return s.give(r, "sharePointSiteUsageDetail", usageProperties, all)
}

// partners are the tenants that are set by themselves: who sold the licences and administers, and a carrier whose second factor counts.
func (s *Sim) partners(r *request) reply {
	w := s.world
	partner := func(n int, provider, mfa bool) item {
		it := whole(obj{{"tenantId", w.seed.guid(askState, 60+n)}, {"isServiceProvider", provider}, {"isInMultiTenantOrganization", false},
			{"inboundTrust", obj{{"isMfaAccepted", mfa}, {"isCompliantDeviceAccepted", false}, {"isHybridAzureADJoinedDeviceAccepted", false}}},
			{"b2bCollaborationInbound", nil}, {"b2bCollaborationOutbound", nil}, {"b2bDirectConnectInbound", nil}, {"b2bDirectConnectOutbound", nil}, {"tenantRestrictions", nil}})
		it.expand = func(expansion) any { return nil }
		return it
	}
	all := []item{partner(0, true, false), partner(1, false, true)}
	return s.list(r, list{context: "policies/crossTenantAccessPolicy/partners", props: partnerProperties, total: len(all), page: 100, max: 999, at: func(i int) (item, bool) { return all[i], true }})
}

// invitations are held to no domains.
func (s *Sim) invitations(r *request) reply {
	return s.give(r, "policies/b2bManagementPolicies", invitedProperties, []obj{{{"id", s.world.seed.guid(askState, 70)}, {"deletedDateTime", nil}, {"displayName", "B2BManagementPolicy"}, {"description", nil}, {"isOrganizationDefault", true},
		{"definition", []string{`{"B2BManagementPolicy":{"InvitationsAllowedAndBlockedDomainsPolicy":{"BlockedDomains":["evil.example"]},"AutoRedeemPolicy":{"AdminConsentedForUsersIntoTenantIds":[],"NoAADConsentForUsersFromTenantsIds":[]}}}`}}}})
}

// joinedDevices are the managed ones, people's own telephones, and a few that were joined and forgotten.
func (s *Sim) joinedDevices(r *request) reply {
	w := s.world
	var all []obj
	add := func(n int, device, name, system, trust string, managed bool, seen time.Time) {
		all = append(all, obj{{"id", w.seed.guid(askState, 41_000+n)}, {"deviceId", device}, {"displayName", name}, {"accountEnabled", true}, {"isManaged", managed}, {"isCompliant", managed}, {"trustType", trust},
			{"operatingSystem", system}, {"operatingSystemVersion", "10.0"}, {"registrationDateTime", w.start.AddDate(-1, 0, 0)}, {"approximateLastSignInDateTime", seen}, {"profileType", "RegisteredDevice"}})
	}
	for i := range min(w.users, 200) {
		p := w.person(i)
		if p == nil || p.kind != employee || !p.enabled {
			continue
		}
		add(i, w.seed.guid(askState, 40_000+i), fmt.Sprintf("PC-%04d", i), "Windows", "AzureAd", true, w.start.AddDate(0, 0, -1))
		if i%4 == 1 {
			add(1_000+i, w.seed.guid(askState, 42_000+i), p.display+"'s telephone", "iOS", "Workplace", false, w.start.AddDate(0, 0, -2))
		}
		if i%30 == 3 {
			add(2_000+i, w.seed.guid(askState, 43_000+i), fmt.Sprintf("KIOSK-%04d", i), "Windows", "AzureAd", false, w.start.AddDate(-1, 0, 0))
		}
	}
	return s.give(r, "devices", joinedProperties, all)
}
