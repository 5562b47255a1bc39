package posture

import (
	"strings"
	"testing"
)

// TestReach judges who reaches further than roles say, well, ill and where it is not told.
func TestReach(t *testing.T) {
	const (
		partner  = `{"tenantId":"t1","isServiceProvider":false,"inboundTrust":{"isMfaAccepted":true}}`
		provider = `{"tenantId":"t2","isServiceProvider":true}`
		writer   = `{"tenantId":"t3","identitySynchronization":{"userSyncInbound":{"isSyncAllowed":true}}}`
		direct   = `{"tenantId":"t4","b2bDirectConnectInbound":{"usersAndGroups":{"accessType":"allowed","targets":[{"target":"AllUsers","targetType":"user"}]}}}`
		few      = `{"tenantId":"t5","b2bDirectConnectInbound":{"usersAndGroups":{"accessType":"allowed","targets":[{"target":"some-group","targetType":"group"}]}}}`
		roles    = `[{"principalId":"adm","roleDefinitionId":"` + roleGlobal + `","directoryScopeId":"/"}]`
		users    = `[{"id":"adm","displayName":"Ada"},{"id":"ord","displayName":"Ord"}]`
		policies = `[{"id":"p","displayName":"MFA","state":"enabled","conditions":{"users":{"includeUsers":["All"],"excludeGroups":["g"]}}}]`
		graphAPI = `{"id":"graph","appId":"00000003-0000-0000-c000-000000000000","appOwnerOrganizationId":"f8cdef31-a31e-4b4a-93e4-5f571e91255a","owners":[],"appRoles":[{"id":"r1","value":"Mail.ReadWrite"}]}`
	)
	group := func(owners string) string { return `[{"id":"g","displayName":"Left out"` + owners + `}]` }
	apps := func(owners string) map[string]string {
		return map[string]string{pathPrincipals: `[` + graphAPI + `,{"id":"a","appId":"aa","displayName":"Archiver"` + owners + `,"appRoleAssignments":[{"appRoleId":"r1","resourceId":"graph"}]}]`,
			pathApplications: `[{"id":"x","appId":"aa"` + owners + `}]`, pathAssignments: roles, pathUsers: users}
	}
	reach := func(groups string) map[string]string {
		return map[string]string{pathGroups: groups, pathPolicies: policies, pathAssignments: roles, pathUsers: users}
	}
	day := func(n int) string { return now.AddDate(0, 0, -n).Format("2006-01-02T15:04:05Z") }
	for _, c := range []struct {
		name, check string
		state       map[string]string
		want        Status
		says        string
	}{
		{"nobody writes in", "partners-sync", map[string]string{pathCrossPartners: "[" + partner + "]"}, Pass, ""},
		{"somebody writes in", "partners-sync", map[string]string{pathCrossPartners: "[" + partner + "," + writer + "]"}, Fail, "t3"},
		{"no partner", "partners-sync", map[string]string{pathCrossPartners: "[]"}, Pass, ""},
		{"not read", "partners-sync", map[string]string{}, Unknown, "was not collected"},
		{"a provider", "partners-administer", map[string]string{pathCrossPartners: "[" + provider + "]"}, Fail, "t2"},
		{"no provider", "partners-administer", map[string]string{pathCrossPartners: "[" + partner + "]"}, Pass, ""},
		{"all connect", "partners-direct-all", map[string]string{pathCrossPartners: "[" + direct + "]"}, Fail, "t4"},
		{"some connect", "partners-direct-all", map[string]string{pathCrossPartners: "[" + few + "]"}, Pass, ""},
		{"an ordinary owner", "groups-owners", reach(group(`,"owners":[{"id":"ord"}]`)), Fail, "Left out"},
		{"an administrator owns it", "groups-owners", reach(group(`,"owners":[{"id":"adm"}]`)), Pass, ""},
		{"owners not asked", "groups-owners", reach(group("")), Unknown, "Who owns groups"},
		{"nobody owns it", "groups-ownerless", reach(`[{"id":"g","displayName":"Left out","groupTypes":["Unified"],"owners":[]}]`), Fail, "Left out"},
		{"somebody does", "groups-ownerless", reach(`[{"id":"g","groupTypes":["Unified"],"owners":[{"id":"ord"}]}]`), Pass, ""},
		{"an ordinary owner of an application", "app-owner", apps(`,"owners":[{"id":"ord"}]`), Fail, "Archiver"},
		{"an administrator owns the application", "app-owner", apps(`,"owners":[{"id":"adm"}]`), Pass, ""},
		{"the application's owners not asked", "app-owner", map[string]string{pathPrincipals: `[{"id":"a","appId":"aa"}]`, pathApplications: `[]`, pathAssignments: roles}, Unknown, "Who owns applications"},
		{"an application with a role, owners not asked", "app-role-owner", map[string]string{pathPrincipals: `[{"id":"adm","appId":"aa"}]`, pathAssignments: roles}, Unknown, "Who owns applications"},
		{"joined and managed", "device-unmanaged", map[string]string{pathJoined: `[{"id":"d","trustType":"AzureAd","isManaged":true},{"id":"e","trustType":"Workplace","isManaged":false}]`}, Pass, ""},
		{"joined and not managed", "device-unmanaged", map[string]string{pathJoined: `[{"id":"d","displayName":"KIOSK","trustType":"AzureAd","isManaged":false},{"id":"f","trustType":"AzureAd","isManaged":false,"accountEnabled":false}]`}, Fail, "1 device is joined"},
		{"used", "device-forgotten", map[string]string{pathJoined: `[{"id":"d","approximateLastSignInDateTime":"` + day(100) + `"}]`}, Pass, ""},
		{"forgotten", "device-forgotten", map[string]string{pathJoined: `[{"id":"d","displayName":"KIOSK","approximateLastSignInDateTime":"` + day(200) + `"}]`}, Fail, "KIOSK"},
		{"links", "sharing-anyone-links", map[string]string{pathSiteUse: `[{"siteId":"S1","siteUrl":"","anonymousLinkCount":3},{"siteId":"S2","anonymousLinkCount":0},{"siteId":"S3","isDeleted":true,"anonymousLinkCount":9}]`, pathSites: `[{"id":"acme.sharepoint.com,s1,w1","displayName":"Sales"}]`}, Fail, "3 links, of 1 site: Sales"},
		{"no links", "sharing-anyone-links", map[string]string{pathSiteUse: `[{"siteId":"S2","anonymousLinkCount":0}]`}, Pass, ""},
		{"no counts", "sharing-anyone-links", map[string]string{pathSiteUse: `[{"siteId":"S2"}]`}, Unknown, "no counts"},
		{"invited", "sharing-invited", map[string]string{pathSharing: `[{"sharingCapability":"externalUserSharingOnly","isRequireAcceptingUserToMatchInvitedUserEnabled":true}]`}, Pass, ""},
		{"passed on", "sharing-invited", map[string]string{pathSharing: `[{"sharingCapability":"externalUserSharingOnly","isRequireAcceptingUserToMatchInvitedUserEnabled":false}]`}, Fail, ""},
		{"passed on, not told", "sharing-invited", map[string]string{pathSharing: `[{"sharingCapability":"externalUserSharingOnly"}]`}, Unknown, ""},
		{"a renamed site of a public group", "sharing-public-sites", map[string]string{pathGroups: `[{"displayName":"Sales","mail":"sales-team@acme.example","visibility":"Public","groupTypes":["Unified"]}]`, pathSites: `[{"id":"s","displayName":"Verkauf","webUrl":"https://acme.sharepoint.com/sites/sales-team"}]`}, Fail, "Verkauf"},
		{"a private group of that address", "sharing-public-sites", map[string]string{pathGroups: `[{"displayName":"Sales","mail":"sales-team@acme.example","visibility":"Public","groupTypes":["Unified"]},{"displayName":"Sales","mail":"sales@acme.example","visibility":"Private","groupTypes":["Unified"]}]`, pathSites: `[{"id":"s","displayName":"Sales","webUrl":"https://acme.sharepoint.com/sites/sales"}]`}, Pass, ""},
	} {
		r := result(t, world(t, c.state), c.check)
		if r.Status != c.want || !strings.Contains(r.Why, c.says) {
			t.Errorf("%s: %s is %s, want %s with %q: %s", c.name, c.check, r.Status, c.want, c.says, r.Why)
		}
	}
	s := world(t, map[string]string{pathDefaults: `[{"isEnabled":true}]`, pathUsers: `[{"id":"g","userType":"Guest"}]`, pathCrossDefault: `[{"inboundTrust":{"isMfaAccepted":false}}]`, pathCrossPartners: "[" + partner + "]"})
	if d := s.DemandOn("g"); d.Factor != FactorRequired || !strings.Contains(d.Why, "one of the 1 partner") {
		t.Errorf("of a guest it says %+v", d)
	}
}
