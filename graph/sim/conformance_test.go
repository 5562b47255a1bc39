package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"tocsin.dev/sharedtest"
)

// described is the description, read once: it takes most of a second.
var described struct {
	once sync.Once
	doc  *openapi3.T
	err  error
}

// description is Microsoft's OpenAPI of the paths served. Error dates have no zone on the wire, whatever it says.
func description(t *testing.T) *openapi3.T {
	t.Helper()
	file := sharedtest.File(t, "graph/openapi.yaml")
	described.once.Do(func() { described.doc, described.err = openapi3.NewLoader().LoadFromFile(file) })
	doc, err := described.doc, described.err
	if err != nil {
		t.Fatal(err)
	}
	date := doc.Components.Schemas["microsoft.graph.ODataErrors.InnerError"].Value.Properties["date"].Value
	date.Pattern, date.Format = "", ""
	return doc
}

// undescribed are the paths that the description lacks; they are held against the schema named.
var undescribed = map[string]string{
	"contacts": "microsoft.graph.orgContact", "contacts/{orgContact-id}": "microsoft.graph.orgContact", "contacts/delta": "microsoft.graph.orgContact", // the slice has what they are, not where
	"users/$count": "", "users/{user-id}/mailFolders/{mailFolder-id}/messages/$count": "", // plain numbers
	"policies/authenticationStrengthPolicies": "", "policies/activityBasedTimeoutPolicies": "", "policies/defaultAppManagementPolicy": "", "policies/deviceRegistrationPolicy": "", "groupSettings": "", "sites/getAllSites": "", // held against byPage
	"directory/onPremisesSynchronization": "", "reports/servicePrincipalSignInActivities": "", "deviceManagement": "", "deviceManagement/deviceCompliancePolicies": "",
	"policies/crossTenantAccessPolicy/partners": "", "policies/b2bManagementPolicies": "", "reports/getSharePointSiteUsageDetail/{period}": "",
	"users/{user-id}/messages/{message-id}/send":                               "", // 202 on the wire, 204 in the description
	"users/{user-id}/sendMail":                                                 "", // the same
	"users/{user-id}/messages/{message-id}/attachments/{attachment-id}/$value": "", // bytes
	"POST roleManagement/directory/roleAssignments":                            "microsoft.graph.unifiedRoleAssignment", "POST oauth2PermissionGrants": "microsoft.graph.oAuth2PermissionGrant",
	"POST servicePrincipals/{servicePrincipal-id}/appRoleAssignments": "microsoft.graph.appRoleAssignment",
}

// fits checks a body against a schema, and that it has no names the schema has not.
func fits(doc *openapi3.T, schema *openapi3.SchemaRef, body any) error {
	if err := schema.Value.VisitJSON(body, openapi3.MultiErrors()); err != nil {
		return err
	}
	return onlyKnown(doc, schema, body, "")
}

// members are the properties that a schema has with all it is made of.
func members(s *openapi3.SchemaRef, into map[string]*openapi3.SchemaRef) {
	if s == nil || s.Value == nil {
		return
	}
	for n, p := range s.Value.Properties {
		into[n] = p
	}
	for _, list := range []openapi3.SchemaRefs{s.Value.AllOf, s.Value.AnyOf, s.Value.OneOf} {
		for _, inner := range list {
			members(inner, into)
		}
	}
}

func itemsOf(s *openapi3.SchemaRef) *openapi3.SchemaRef {
	if s.Value.Items != nil {
		return s.Value.Items
	}
	for _, list := range []openapi3.SchemaRefs{s.Value.AllOf, s.Value.AnyOf, s.Value.OneOf} {
		for _, inner := range list {
			if found := itemsOf(inner); found != nil {
				return found
			}
		}
	}
	return nil
}

func onlyKnown(doc *openapi3.T, s *openapi3.SchemaRef, body any, at string) error {
	switch v := body.(type) {
	case []any:
		inner := itemsOf(s)
		if inner == nil {
			return fmt.Errorf("%s: a list where the description has none", at)
		}
		for i, e := range v {
			if err := onlyKnown(doc, inner, e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		if kind, ok := v["@odata.type"].(string); ok { // a list of several types: each is held against its own
			own := doc.Components.Schemas[strings.TrimPrefix(kind, "#")]
			if own == nil {
				return fmt.Errorf("%s: there is no type %s", at, kind)
			}
			s = own
		}
		known := map[string]*openapi3.SchemaRef{}
		members(s, known)
		for name, e := range v {
			if strings.Contains(name, "@") || name == "auditData" || name == "authenticationMethodConfigurations" { // an open type: the record's own members stand in it; and a list that the slice of the description lacks
				continue
			}
			p, ok := known[name]
			if !ok {
				return fmt.Errorf("%s: there is no property %q", at, name)
			}
			if e == nil || name == "ipRanges" { // of kinds that the slice of the description lacks
				continue
			}
			if err := onlyKnown(doc, p, e, at+"/"+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// schemaOf is what the description says of an operation's answer; nil where it has no body.
func schemaOf(t *testing.T, doc *openapi3.T, method, path string, status int) *openapi3.SchemaRef {
	t.Helper()
	if strings.HasSuffix(path, "/delta") || strings.HasSuffix(path, "/getAllSites") {
		path += "()"
	}
	item := doc.Paths.Value("/" + path)
	if item == nil || item.GetOperation(method) == nil {
		t.Fatalf("%s /%s is not in the description", method, path)
	}
	responses := item.GetOperation(method).Responses
	r := responses.Value(fmt.Sprint(status))
	if r == nil {
		r = responses.Value(fmt.Sprintf("%dXX", status/100))
	}
	if r == nil {
		t.Fatalf("%s /%s: the description knows no answer %d", method, path, status)
	}
	media := r.Value.Content.Get("application/json")
	if media == nil {
		return nil
	}
	return media.Schema
}

// asking are the calls made of every path; {user} and the like are filled in. Every route must be asked.
var asking = []struct {
	method, path, query string
	body                any
	status              int
}{
	{"GET", "organization", "", nil, 200},
	{"GET", "organization/{organization-id}", "", nil, 200},
	{"GET", "domains", "", nil, 200},
	{"GET", "subscribedSkus", "", nil, 200},
	{"GET", "me", "", nil, 400}, // who signed in is held in TestServiceAccount
	{"GET", "users", "$top=50", nil, 200},
	{"GET", "users", "$select={allUser}", nil, 200},
	{"GET", "users", "$filter=endswith(mail,'x')", nil, 400},
	{"GET", "users/$count", "", nil, 200},
	{"GET", "users/delta", "$select={allUser}", nil, 200},
	{"GET", "users/{user-id}", "$select={allUser}&$expand=manager", nil, 200},
	{"PATCH", "users/{user-id}", "", map[string]any{"accountEnabled": false}, 204},
	{"POST", "users/{user-id}/revokeSignInSessions", "", nil, 200},
	{"GET", "users/{user-id}/manager", "", nil, 200},
	{"GET", "users/{user-id}/memberOf", "", nil, 200},
	{"GET", "users/{user-id}/transitiveMemberOf", "", nil, 200},
	{"GET", "groups", "", nil, 200},
	{"GET", "groups", "$select={allGroup}&$expand=members", nil, 200},
	{"GET", "groups/delta", "", nil, 200},
	{"GET", "groups/delta", "$select=displayName,members", nil, 200},
	{"GET", "groups/{group-id}", "", nil, 200},
	{"GET", "groups/{group-id}/members", "", nil, 200},
	{"GET", "groups/{group-id}/transitiveMembers", "", nil, 200},
	{"GET", "contacts", "", nil, 200},
	{"GET", "contacts/{orgContact-id}", "", nil, 200},
	{"GET", "contacts/delta", "", nil, 200},
	{"GET", "directoryRoles", "$expand=members", nil, 200},
	{"GET", "directoryRoles/delta", "", nil, 200},
	{"GET", "directoryRoles/{directoryRole-id}", "", nil, 200},
	{"GET", "directoryRoles/{directoryRole-id}/members", "", nil, 200},
	{"GET", "applications/{application-id}", "$select=id,appId,passwordCredentials,keyCredentials", nil, 200},
	{"GET", "servicePrincipals", "", nil, 200},
	{"GET", "servicePrincipals/{servicePrincipal-id}", "", nil, 200},
	{"GET", "servicePrincipals/{servicePrincipal-id}/appRoleAssignments", "", nil, 200},
	{"GET", "servicePrincipals/{servicePrincipal-id}/appRoleAssignedTo", "", nil, 200},
	{"GET", "servicePrincipals/{servicePrincipal-id}/oauth2PermissionGrants", "", nil, 200},
	{"GET", "oauth2PermissionGrants", "", nil, 200},
	{"GET", "users/{user-id}/mailboxSettings", "", nil, 200},
	{"GET", "users/{user-id}/mailboxSettings", "$select=userPurpose,timeZone", nil, 200},
	{"PATCH", "users/{user-id}/mailboxSettings", "", map[string]any{"timeZone": "UTC"}, 200},
	{"GET", "users/{user-id}/mailFolders", "includeHiddenFolders=true&$top=100", nil, 200},
	{"GET", "users/{user-id}/mailFolders/delta", "", nil, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}", "", nil, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/childFolders", "", nil, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messageRules", "", nil, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messageRules", "$select=id,displayName&$top=2", nil, 200},
	{"POST", "users/{user-id}/mailFolders/{mailFolder-id}/messageRules", "", map[string]any{"displayName": "x", "actions": map[string]any{"delete": true}}, 201},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messageRules/{messageRule-id}", "", nil, 200},
	{"PATCH", "users/{user-id}/mailFolders/{mailFolder-id}/messageRules/{messageRule-id}", "", map[string]any{"isEnabled": false}, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messageRules/{messageRule-id}", "$expand=nonsense", nil, 400},
	{"DELETE", "users/{user-id}/mailFolders/{mailFolder-id}/messageRules/{messageRule-id}", "", nil, 204},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messages", "", nil, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messages", "$select=subject&$orderby=receivedDateTime", nil, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messages/$count", "", nil, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messages/delta", "", nil, 200},
	{"GET", "users/{user-id}/mailFolders/{mailFolder-id}/messages/{message-id}", "", nil, 200},
	{"GET", "users/{user-id}/messages", "", nil, 200},
	{"GET", "users/{user-id}/messages/$count", "", nil, 200},
	{"GET", "users/{user-id}/messages/{message-id}", "", nil, 200},
	{"PATCH", "users/{user-id}/messages/{message-id}", "", map[string]any{"isRead": true, "flag": map[string]any{"flagStatus": "flagged"}, "categories": []string{"Red"}}, 200},
	{"PATCH", "users/{user-id}/messages/{message-id}", "", map[string]any{"isDraft": true}, 400},
	{"GET", "users/{user-id}/messages", "$search=\"subject:a OR from:b\"", nil, 200},
	{"GET", "users/{user-id}/messages/{message-id}", "$select=subject,body,internetMessageHeaders,uniqueBody", nil, 200},
	{"GET", "users/{user-id}/messages/{message-id}/$value", "", nil, 200},
	{"GET", "users/{user-id}/messages/{attached}/attachments", "", nil, 200},
	{"GET", "users/{user-id}/messages/{attached}/attachments", "$select=id,name,contentType,size,isInline", nil, 200},
	{"GET", "users/{user-id}/messages/{attached}/attachments", "$select=id,microsoft.graph.fileAttachment/contentId", nil, 200},
	{"POST", "users/{user-id}/messages/{attached}/attachments", "", map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentBytes": "aGVsbG8="}, 201},
	{"POST", "users/{user-id}/messages/{attached}/attachments", "", map[string]any{"name": "a.txt"}, 400},
	{"POST", "users/{user-id}/messages/{attached}/attachments/createUploadSession", "", map[string]any{"AttachmentItem": map[string]any{"attachmentType": "file", "name": "b.bin", "size": 5000000}}, 201},
	{"POST", "users/{user-id}/messages/{attached}/createReply", "", nil, 201},
	{"POST", "users/{user-id}/messages/{attached}/createReplyAll", "", map[string]any{"comment": "So be it."}, 201},
	{"POST", "users/{user-id}/messages/{attached}/createForward", "", map[string]any{"toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": "x@evil.example"}}}}, 201},
	{"GET", "users/{user-id}/messages/{attached}/attachments/{attachment-id}", "", nil, 200},
	{"GET", "users/{user-id}/messages/{attached}/attachments/{attachment-id}/$value", "", nil, 200},
	{"POST", "users/{user-id}/mailFolders", "", map[string]any{"displayName": "Quarantine", "isHidden": true}, 201},
	{"POST", "users/{user-id}/mailFolders", "", map[string]any{"displayName": "quarantine"}, 409},
	{"POST", "users/{user-id}/mailFolders/{mailFolder-id}/childFolders", "", map[string]any{"displayName": "Below"}, 201},
	{"POST", "users/{user-id}/mailFolders/{mailFolder-id}/messages", "", map[string]any{"subject": "Notice", "body": map[string]any{"contentType": "html", "content": "<p>It is so.</p>"},
		"singleValueExtendedProperties": []any{map[string]any{"id": "Integer 0x0E07", "value": "1"}}}, 201},
	{"GET", "users/{user-id}/outlook/masterCategories", "", nil, 200},
	{"GET", "users/{user-id}/outlook/masterCategories", "$select=id,displayName,color", nil, 200},
	{"POST", "users/{user-id}/outlook/masterCategories", "", map[string]any{"displayName": "Suspicious", "color": "preset0"}, 201},
	{"POST", "users/{user-id}/sendMail", "", map[string]any{"message": map[string]any{"subject": "Thanks", "toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": "x@evil.example"}}}}}, 202},
	{"GET", "admin/exchange/tracing/messageTraces", "", nil, 200},
	{"GET", "admin/exchange/tracing/messageTraces", "$filter=subject eq 'x' and receivedDateTime ge 2020-01-01T00:00:00Z", nil, 400},
	{"PATCH", "users/{user-id}/mailFolders/{mailFolder-id}/messages/{message-id}", "", map[string]any{"isRead": false}, 200},
	{"DELETE", "users/{user-id}/mailFolders/{mailFolder-id}/messages/{message-id}", "", nil, 204},
	{"POST", "users/{user-id}/mailFolders/{mailFolder-id}/messages/{message-id}/permanentDelete", "", nil, 204},
	{"DELETE", "users/{user-id}/messages/{message-id}", "", nil, 204},
	{"POST", "users/{user-id}/messages/{message-id}/permanentDelete", "", nil, 204},
	{"POST", "users/{user-id}/messages", "", map[string]any{"subject": "Draft", "toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": "x@evil.example"}}}}, 201},
	{"POST", "users/{user-id}/messages/{message-id}/send", "", nil, 202},
	{"GET", "users/{user-id}/messages/{message-id}", "$expand=singleValueExtendedProperties($filter=id eq 'Integer 0x1081')", nil, 200},
	{"POST", "users/{user-id}/mailFolders/{mailFolder-id}/messages/{message-id}/move", "", map[string]any{"destinationId": "inbox"}, 201},
	{"POST", "users/{user-id}/messages/{message-id}/move", "", map[string]any{"destinationId": "archive"}, 201},
	{"POST", "subscriptions", "", subscribing{}, 201},
	{"GET", "subscriptions", "", nil, 200},
	{"GET", "subscriptions/{subscription-id}", "", nil, 200},
	{"PATCH", "subscriptions/{subscription-id}", "", map[string]any{"expirationDateTime": "{tomorrow}"}, 200},
	{"POST", "subscriptions/{subscription-id}/reauthorize", "", nil, 204},
	{"DELETE", "subscriptions/{subscription-id}", "", nil, 204},
	{"POST", "security/auditLog/queries", "", map[string]any{"displayName": "rights", "filterStartDateTime": "2020-01-01T00:00:00Z", "filterEndDateTime": "2100-01-01T00:00:00Z",
		"operationFilters": []string{"New-InboxRule"}}, 201},
	{"GET", "security/auditLog/queries/{auditLogQuery-id}", "", nil, 200},
	{"GET", "security/auditLog/queries/{auditLogQuery-id}/records", "$top=10", nil, 200},
	{"GET", "auditLogs/signIns", "", nil, 200},
	{"GET", "auditLogs/signIns", "$filter=createdDateTime ge 2020-01-01T00:00:00Z and createdDateTime le 2100-01-01T00:00:00Z&$top=2", nil, 200},
	{"GET", "auditLogs/signIns", "$filter=createdDateTime lt 2100-01-01T00:00:00Z", nil, 400},
	{"GET", "auditLogs/directoryAudits", "", nil, 200},
	{"GET", "identityProtection/riskyUsers", "$filter=riskLastUpdatedDateTime ge 2020-01-01T00:00:00Z", nil, 200},
	{"GET", "identityProtection/riskDetections", "$filter=detectedDateTime ge 2020-01-01T00:00:00Z and detectedDateTime le 2100-01-01T00:00:00Z", nil, 200},
	{"GET", "identityProtection/riskyServicePrincipals", "", nil, 200},
	{"GET", "identityProtection/servicePrincipalRiskDetections", "", nil, 200},
	{"GET", "identity/conditionalAccess/policies", "", nil, 200},
	{"GET", "identity/conditionalAccess/namedLocations", "", nil, 200},
	{"GET", "policies/authorizationPolicy", "", nil, 200},
	{"GET", "policies/identitySecurityDefaultsEnforcementPolicy", "", nil, 200},
	{"GET", "policies/adminConsentRequestPolicy", "", nil, 200},
	{"GET", "policies/authenticationMethodsPolicy", "", nil, 200},
	{"GET", "policies/crossTenantAccessPolicy/default", "", nil, 200},
	{"GET", "admin/sharepoint/settings", "", nil, 200},
	{"GET", "roleManagement/directory/roleDefinitions", "", nil, 200},
	{"GET", "roleManagement/directory/roleAssignments", "", nil, 200},
	{"GET", "roleManagement/directory/roleAssignmentScheduleInstances", "", nil, 200},
	{"GET", "roleManagement/directory/roleEligibilityScheduleInstances", "", nil, 200},
	{"GET", "reports/authenticationMethods/userRegistrationDetails", "", nil, 200},
	{"GET", "policies/roleManagementPolicyAssignments", "$filter=scopeId eq '/' and scopeType eq 'DirectoryRole'", nil, 200},
	{"GET", "policies/roleManagementPolicyAssignments", "", nil, 400},
	{"GET", "policies/authenticationStrengthPolicies", "", nil, 200},
	{"GET", "policies/activityBasedTimeoutPolicies", "", nil, 200},
	{"GET", "policies/defaultAppManagementPolicy", "", nil, 200},
	{"GET", "policies/deviceRegistrationPolicy", "", nil, 200},
	{"GET", "groupSettings", "", nil, 200},
	{"GET", "directory/onPremisesSynchronization", "", nil, 200},
	{"GET", "reports/servicePrincipalSignInActivities", "$top=999", nil, 200},
	{"GET", "deviceManagement", "", nil, 200},
	{"GET", "sites/getAllSites", "", nil, 200},
	{"GET", "policies/crossTenantAccessPolicy/partners", "$expand=identitySynchronization", nil, 200},
	{"GET", "policies/b2bManagementPolicies", "", nil, 200},
	{"GET", "devices", "$top=999", nil, 200},
	{"GET", "reports/getSharePointSiteUsageDetail/{period}", "$format=application/json", nil, 200},
	{"GET", "deviceManagement/deviceCompliancePolicies", "$expand=assignments", nil, 200},
	{"GET", "applications", "", nil, 200},
	{"GET", "users/{user-id}/authentication/methods", "", nil, 200},
	{"POST", "identityProtection/riskyUsers/dismiss", "", giving("dismissal"), 204},
	{"POST", "identityProtection/riskyUsers/confirmCompromised", "", giving("dismissal"), 204},
	{"GET", "identityProtection/riskyUsers/{riskyUser-id}", "", nil, 200},
	{"DELETE", "users/{user-id}/authentication/softwareOathMethods/{softwareOathAuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "users/{user-id}/authentication/microsoftAuthenticatorMethods/{microsoftAuthenticatorAuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "users/{user-id}/authentication/phoneMethods/{phoneAuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "users/{user-id}/authentication/emailMethods/{emailAuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "users/{user-id}/authentication/fido2Methods/{fido2AuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "users/{user-id}/authentication/temporaryAccessPassMethods/{temporaryAccessPassAuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "users/{user-id}/authentication/windowsHelloForBusinessMethods/{windowsHelloForBusinessAuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "users/{user-id}/authentication/platformCredentialMethods/{platformCredentialAuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "users/{user-id}/authentication/externalAuthenticationMethods/{externalAuthenticationMethod-id}", "", nil, 204},
	{"DELETE", "roleManagement/directory/roleAssignments/{unifiedRoleAssignment-id}", "", nil, 204},
	{"POST", "roleManagement/directory/roleAssignments", "", giving("role"), 201},
	{"POST", "roleManagement/directory/roleEligibilityScheduleRequests", "", giving("eligibility"), 201},
	{"POST", "oauth2PermissionGrants", "", giving("grant"), 201},
	{"DELETE", "oauth2PermissionGrants/{oAuth2PermissionGrant-id}", "", nil, 204},
	{"PATCH", "servicePrincipals/{servicePrincipal-id}", "", map[string]any{"accountEnabled": true}, 204},
	{"DELETE", "servicePrincipals/{servicePrincipal-id}/appRoleAssignments/{appRoleAssignment-id}", "", nil, 204},
	{"POST", "servicePrincipals/{servicePrincipal-id}/appRoleAssignments", "", giving("permission"), 201},
	{"GET", "deviceManagement/managedDevices", "$top=20", nil, 200},
}

// giving stands for the body that gives a role, an eligibility, a consent or a permission.
type giving string

func (p *probe) giving(what string) map[string]any {
	w := p.s.world
	role := map[string]any{"principalId": w.person(4).id, "roleDefinitionId": w.roles[0].template, "directoryScopeId": "/"}
	switch what {
	case "role":
		return role
	case "eligibility":
		role["action"], role["justification"] = "adminAssign", "tried"
		role["scheduleInfo"] = map[string]any{"startDateTime": p.s.clock.Now(), "expiration": map[string]any{"type": "noExpiration"}}
		return role
	case "dismissal":
		return map[string]any{"userIds": []string{w.person(4).id}}
	case "grant":
		return map[string]any{"clientId": p.s.app.objectID, "consentType": "AllPrincipals", "resourceId": w.seed.guid(askApp, 6), "scope": "User.Read"}
	}
	return map[string]any{"principalId": p.s.app.objectID, "resourceId": w.seed.guid(askApp, 6), "appRoleId": roleID(everyRole[len(everyRole)-1])}
}

// respondIDs are the ids of what a responder changes, by what a path calls them.
func (p *probe) respondIDs() []string {
	w := p.s.world
	var out []string
	for _, m := range w.methods(w.person(4)) {
		out = append(out, "{"+strings.TrimSuffix(methodKind(m), "Authentication")+"AuthenticationMethod-id}", m.text("id"))
	}
	slices.Reverse(out) // the last of each kind: the default one goes last
	for i := 0; i < len(out); i += 2 {
		out[i], out[i+1] = out[i+1], out[i]
	}
	out = append(out, "{riskyUser-id}", w.person(4).id)
	w.eachRole(func(n int, o *role, who string) {
		if o.template != globalAdministrator {
			out = append(out, "{unifiedRoleAssignment-id}", p.s.roleRow(n, o, who).text("id"))
		}
	})
	if n := len(w.responded.grants); n > 0 {
		out = append(out, "{oAuth2PermissionGrant-id}", w.responded.grants[n-1].text("id"))
	}
	for _, row := range p.s.grantedAssignments([]*app{p.s.app}, func(string) bool { return true }) {
		if row.text("appRoleId") == roleID(everyRole[len(everyRole)-1]) {
			out = append(out, "{appRoleAssignment-id}", row.text("id"))
		}
	}
	return out
}

// subscribing stands for the body of a subscription to an address that listens.
type subscribing struct{}

var everyRole = append(append(append(slices.Clone(ReadTier), RespondTier...), PrivilegedTier...), "Sites.Read.All", "Policy.Read.B2BManagementPolicy", "Device.Read.All", "Reports.Read.All", "Policy.Read.DeviceConfiguration", "OnPremDirectorySynchronization.Read.All", "DeviceManagementConfiguration.Read.All", "RoleManagement.Read.Directory", "DeviceManagementManagedDevices.Read.All", "SharePointTenantSettings.Read.All", "MailboxSettings.ReadWrite", "Mail.ReadWrite", "Mail.Send", "User.ReadWrite.All", "AuditLogsQuery-Entra.Read.All",
	"ExchangeMessageTrace.Read.All", "IdentityRiskyUser.Read.All", "IdentityRiskEvent.Read.All", "IdentityRiskyServicePrincipal.Read.All")

// TestAnswersFitMicrosoftsDescription asks every path and holds the answer against Microsoft's OpenAPI.
func TestAnswersFitMicrosoftsDescription(t *testing.T) {
	doc := description(t)
	p := newProbe(t, Config{Users: 120, Seed: 5, Roles: everyRole, Content: true, Limits: Limits{Protection: 100}})
	p.play(`# People and groups of a story look like others.
domain fabrikamfreight.com
person amy "Amy Adams" amy@fabrikamfreight.com admin
person box "Team box" box@fabrikamfreight.com shared
group pay@fabrikamfreight.com "Payments" with amy, eve@evil.example
mon 09:00 amy makes rule "All of it" when subject_contains "a", "b" and has_attachments and from_addresses box and within_size_range 10-20 and importance high except sender_contains "boss" and is_signed forward to eve@evil.example redirect to eve@evil.example attach to eve@evil.example move to rssfeeds copy to "Copies" delete purge mark read mark high categorise "Red" stop
mon 09:01 amy sets automatic reply "Gone."
mon 09:02 amy receives from eve@evil.example subject "Hello"
mon 09:03 amy signs in from Leeds mfa=asked session=s1 compliant=true device="FF-1" risk=high risk_types=unfamiliarFeatures
mon 09:04 amy signs in from 203.0.113.7/NL failing risk=high risk_state=atRisk risk_types=anonymizedIPAddress
mon 09:05 amy signs in from Leeds kind=non_interactive mfa=claim protocol=deviceCode token=primaryRefreshToken
mon 09:06 "Nightly Export" signs in from Leeds kind=service_principal credential=clientSecret
mon 09:07 amy audits "Add member to role" target box Role.DisplayName="" becoming "Global Administrator" from 203.0.113.7 agent "Mozilla"
`)
	for kind := range methodKinds {
		if err := p.s.AddMethod(p.s.world.person(4).id, kind); err != nil {
			t.Fatal(err)
		}
	}
	asked := map[string]bool{}
	for _, a := range asking {
		asked[a.method+" "+strings.Replace(a.path, "{attached}", "{message-id}", 1)] = true
		if strings.HasPrefix(a.path, "identity/") {
			p.s.clock.Advance(2 * time.Second) // one a second
		}
		if strings.HasPrefix(a.path, "reports/") {
			p.s.clock.Advance(10 * time.Second) // five in ten seconds
		}
		p.holds(doc, a.method, a.path, a.query, a.body, a.status)
	}
	amy := p.s.world.find("amy@fabrikamfreight.com")
	rules := values(p.get("users/" + amy.id + "/mailFolders/inbox/messageRules"))
	if len(rules) != 1 || len(rules[0]["actions"].(map[string]any)) != 11 || len(rules[0]["conditions"].(map[string]any)) != 5 {
		t.Errorf("the story's rule is not whole: %v", rules)
	}
	p.holdsAt(doc, "users/{user-id}/mailFolders/{mailFolder-id}/messageRules", "users/"+amy.id+"/mailFolders/inbox/messageRules")
	p.holdsAt(doc, "users/{user-id}/mailboxSettings", "users/"+amy.id+"/mailboxSettings")
	for _, r := range paths() {
		if r.service == "" && !asked[r.method+" "+r.path] {
			t.Errorf("%s %s is served and was not asked", r.method, r.path)
		}
	}
}

// byPage are the members of what answers the paths that the description lacks, as their pages give them
// (https://learn.microsoft.com/graph/api/resources/ and the kind's name), each with some of those within it.
var byPage = map[string]string{
	"policies/authenticationStrengthPolicies":   "id createdDateTime modifiedDateTime displayName description policyType requirementsSatisfied allowedCombinations",
	"policies/defaultAppManagementPolicy":       "id displayName description isEnabled applicationRestrictions{passwordCredentials keyCredentials} servicePrincipalRestrictions{passwordCredentials keyCredentials}",
	"policies/deviceRegistrationPolicy":         "id displayName description userDeviceQuota multiFactorAuthConfiguration azureADRegistration{isAdminConfigurable allowedToRegister} azureADJoin{isAdminConfigurable allowedToJoin localAdmins} localAdminPassword{isEnabled}",
	"policies/crossTenantAccessPolicy/partners": "tenantId isServiceProvider isInMultiTenantOrganization inboundTrust{isMfaAccepted isCompliantDeviceAccepted isHybridAzureADJoinedDeviceAccepted} b2bCollaborationInbound b2bCollaborationOutbound b2bDirectConnectInbound b2bDirectConnectOutbound tenantRestrictions",
	"policies/b2bManagementPolicies":            "id deletedDateTime displayName description isOrganizationDefault definition",
	"groupSettings":                             "id displayName templateId values",
	"directory/onPremisesSynchronization":       "id configuration{accidentalDeletionPrevention} features{blockCloudObjectTakeoverThroughHardMatchEnabled blockSoftMatchEnabled deviceWritebackEnabled passwordSyncEnabled passwordWritebackEnabled synchronizeUpnForManagedUsersEnabled userForcePasswordChangeOnLogonEnabled}",
	"reports/servicePrincipalSignInActivities":  "id appId lastSignInActivity{lastSignInDateTime lastSignInRequestId}",
	"deviceManagement":                          "id intuneAccountId settings{deviceComplianceCheckinThresholdDays isScheduledActionEnabled secureByDefault}",
	"deviceManagement/deviceCompliancePolicies": "@odata.type id displayName description createdDateTime lastModifiedDateTime version",
}

// TestAnswersFitTheirPages holds what Microsoft's description lacks to the members that its pages give.
func TestAnswersFitTheirPages(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Seed: 5, Roles: everyRole})
	names := func(o map[string]any) (out []string) {
		for n, v := range o {
			if strings.HasPrefix(n, "@odata.") && n != "@odata.type" {
				continue
			}
			if inner, ok := v.(map[string]any); ok {
				var of []string
				for m := range inner {
					of = append(of, m)
				}
				slices.Sort(of)
				n += "{" + strings.Join(of, " ") + "}"
			}
			out = append(out, n)
		}
		slices.Sort(out)
		return out
	}
	for path, want := range byPage {
		got := p.get(path)
		if list, ok := got["value"].([]any); ok {
			got = list[0].(map[string]any)
		}
		words := regexp.MustCompile(`[^ {]+(\{[^}]*\})?`).FindAllString(want, -1)
		for i, w := range words {
			if head, inner, ok := strings.Cut(w, "{"); ok {
				of := strings.Fields(strings.TrimSuffix(inner, "}"))
				slices.Sort(of)
				words[i] = head + "{" + strings.Join(of, " ") + "}"
			}
		}
		slices.Sort(words)
		if have := names(got); !slices.Equal(have, words) {
			t.Errorf("%s has\n%q, and its page\n%q", path, have, words)
		}
	}
}

// fill puts ids of the world into a path.
func (p *probe) fill(path string) string {
	w := p.s.world
	who := w.person(4) // has a mailbox, a manager and rules or not
	b := w.look(who)
	rule := ""
	if len(b.rules) > 0 {
		rule = b.rules[len(b.rules)-1].id
	}
	var in, any string
	for _, m := range b.messages {
		if !m.gone {
			any = w.messageID(who.i, m, false)
			if m.folder == inbox {
				in = any
			}
		}
	}
	if strings.Contains(path, "mailFolders") {
		any = in
	}
	attached, file := "", ""
	for _, m := range b.messages {
		if !m.gone && len(w.letter(b, m).attachments) > 0 {
			attached, file = w.messageID(who.i, m, false), w.attachmentID(who.i, m, 0)
		}
	}
	var search string
	for id := range p.s.feed.searches {
		search = id
	}
	subscribed := ""
	for id := range p.s.hook.subs {
		subscribed = id
	}
	path = strings.NewReplacer(p.respondIDs()...).Replace(path)
	return strings.NewReplacer("{attached}", attached, "{attachment-id}", file, "{subscription-id}", subscribed, "{auditLogQuery-id}", search, "{organization-id}", p.s.Tenant(), "{user-id}", who.id, "{group-id}", w.groups[len(departments)].id,
		"{orgContact-id}", w.contact[0].id, "{directoryRole-id}", w.roles[0].id, "{servicePrincipal-id}", p.s.app.objectID, "{application-id}", p.s.application().text("id"),
		"{mailFolder-id}", "inbox", "{messageRule-id}", rule, "{message-id}", any).Replace(path)
}

func all(props properties, but ...string) string {
	var out []string
	for n := range props {
		if !slices.Contains(but, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func (p *probe) holds(doc *openapi3.T, method, path, query string, body any, want int) {
	p.t.Helper()
	p.head.Set("ConsistencyLevel", "eventual")
	url := p.fill(path)
	path = strings.Replace(path, "{attached}", "{message-id}", 1)
	if query != "" {
		url += "?" + strings.NewReplacer("{allUser}", all(userProperties, "signInActivity", "mailboxSettings"), "{allGroup}", all(groupProperties)).Replace(query)
	}
	switch in := body.(type) {
	case subscribing:
		body = p.subscription(p.fill("users/{user-id}/messages"), "created,updated", listen(p.t, nil).URL)
	case giving:
		body = p.giving(string(in))
	case map[string]any:
		if in["expirationDateTime"] == "{tomorrow}" {
			body = map[string]any{"expirationDateTime": p.s.clock.Now().Add(24 * time.Hour)}
		}
	}
	resp := p.raw(method, url, body)
	if resp.StatusCode != want {
		p.t.Errorf("%s %s: %d, want %d: %v", method, url, resp.StatusCode, want, decode(p.t, resp))
		return
	}
	for _, key := range []string{path, method + " " + path} {
		if name, ok := undescribed[key]; ok && want < 300 {
			p.undescribed(doc, path, name, resp)
			return
		}
	}
	schema := schemaOf(p.t, doc, method, path, want)
	if resp.Header.Get("request-id") == "" {
		p.t.Errorf("%s %s has no request-id", method, path)
	}
	if want == http.StatusNoContent || schema == nil {
		resp.Body.Close()
		return
	}
	out := decode(p.t, resp)
	if err := fits(doc, schema, any(out)); err != nil {
		p.t.Errorf("%s %s?%s: %v", method, path, query, short(err))
	}
}

// undescribed holds what a path answers, or each of its elements, against the schema of a kind, where one is named.
func (p *probe) undescribed(doc *openapi3.T, path, kind string, resp *http.Response) {
	p.t.Helper()
	if kind == "" {
		resp.Body.Close()
		return
	}
	schema := doc.Components.Schemas[kind]
	out := decode(p.t, resp)
	list, ok := out["value"].([]any)
	if !ok {
		delete(out, "@odata.context")
		list = []any{out}
	}
	if len(list) == 0 {
		p.t.Errorf("%s gave nothing to hold against the description", path)
	}
	for _, one := range list {
		one.(map[string]any)["@odata.type"] = "#" + kind // which its description tells apart by
		if err := fits(doc, schema, one); err != nil {
			p.t.Errorf("%s: %v", path, short(err))
		}
	}
}

func (p *probe) holdsAt(doc *openapi3.T, path, url string) {
	p.t.Helper()
	if err := fits(doc, schemaOf(p.t, doc, "GET", path, 200), any(p.get(url))); err != nil {
		p.t.Errorf("GET %s: %v", path, short(err))
	}
}

func short(err error) string {
	s := err.Error()
	return s[:min(len(s), 900)]
}

// TestPropertyTablesAreMicrosofts: a name is known to us exactly when the description has it.
func TestPropertyTablesAreMicrosofts(t *testing.T) {
	doc := description(t)
	for name, props := range map[string]properties{"user": userProperties, "group": groupProperties, "directoryRole": roleProperties, "domain": domainProperties,
		"organization": organizationProperties, "subscribedSku": skuProperties, "servicePrincipal": principalProperties, "appRoleAssignment": assignmentProperties,
		"oAuth2PermissionGrant": grantProperties, "mailFolder": folderProperties, "messageRule": ruleProperties, "message": messageProperties, "fileAttachment": attachmentProperties, "outlookCategory": categoryProperties, "exchangeMessageTrace": traceProperties,
		"mailboxSettings": settingsProperties, "subscription": subscriptionProperties, "messageRulePredicates": predicates, "messageRuleActions": actions} {
		known := map[string]*openapi3.SchemaRef{}
		members(doc.Components.Schemas["microsoft.graph."+name], known)
		for p := range props {
			if _, ok := known[p]; !ok && p != "id" && !strings.HasPrefix(p, "resource") {
				t.Errorf("%s has no %s", name, p)
			}
		}
		for p := range known {
			if _, ok := props[p]; !ok && navigations[p] == "" && !strings.HasPrefix(p, "@") {
				t.Errorf("%s has %s, which we refuse", name, p)
			}
		}
	}
}

// navigations and write-only properties are not selected.
var navigations = func() map[string]string {
	out := map[string]string{}
	for _, n := range strings.Fields(`appRoleAssignments createdObjects directReports drive drives followedSites licenseDetails mailFolders managedDevices
		memberOf messages oauth2PermissionGrants ownedDevices ownedObjects registeredDevices sponsors sponsorOf identityParentId transitiveMemberOf print
		deviceEnrollmentLimit acceptedSenders createdOnBehalfOf membersWithLicenseErrors rejectedSenders sites transitiveMembers accessType infoCatalogs
		isFavorite organizationId onPremisesExtensionAttributes unseenConversationsCount unseenMessagesCount welcomeMessageEnabled domainNameReferences
		rootDomain appRoleAssignedTo owners members childFolders manager`) {
		out[n] = "navigation"
	}
	return out
}()

// TestExamplesHaveOurShape: every name in Microsoft's example bodies is one that we know.
func TestExamplesHaveOurShape(t *testing.T) {
	for file, props := range map[string]properties{
		"user-delta.response.1": userProperties, "user-list.response.1": userProperties, "group-delta.response.1": groupProperties,
		"group-list.response.1": groupProperties, "mailfolder-list-messagerules.response": ruleProperties, "user-list-mailfolders.response.1": folderProperties,
		"directoryrole-list.response": roleProperties, "organization-list.response": organizationProperties, "subscribedsku-list.response": skuProperties,
		"serviceprincipal-list-approleassignments.response": assignmentProperties, "oauth2permissiongrant-list.response": grantProperties,
		"message-delta.response": messageProperties} {
		raw, err := os.ReadFile(sharedtest.File(t, "graph/examples/"+file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Value []map[string]any }
		if err := json.Unmarshal(raw, &body); err != nil || len(body.Value) == 0 {
			t.Fatalf("%s: %v", file, err)
		}
		for _, v := range body.Value {
			if _, derived := v["@odata.type"]; derived {
				continue
			}
			for name := range v {
				if _, ok := props[name]; !ok && !strings.Contains(name, "@") {
					t.Errorf("%s has %s, which we do not know", file, name)
				}
			}
		}
	}
}

// TestRuleOfTheExampleIsKeptAsItIs: Microsoft's own example of creating a rule gives Microsoft's own answer.
func TestRuleOfTheExampleIsKeptAsItIs(t *testing.T) {
	var in, want map[string]any
	for name, into := range map[string]*map[string]any{"request": &in, "response": &want} {
		raw, err := os.ReadFile(sharedtest.File(t, "graph/examples/mailfolder-post-messagerules."+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	p := newProbe(t, Config{Users: 30, Roles: everyRole})
	got := p.call("POST", p.fill("users/{user-id}/mailFolders/inbox/messageRules"), in, 201)
	delete(got, "@odata.context")
	delete(got, "id")
	delete(want, "id")
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("the answer is\n%s\nMicrosoft's is\n%s", a, b)
	}
}

// TestRolesAreOfMicrosoftsMap: a permission that opens a path here opens it there.
func TestRolesAreOfMicrosoftsMap(t *testing.T) {
	raw, err := os.ReadFile(sharedtest.File(t, "graph/permissions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Operations map[string]struct {
			Application, Delegated *struct{ Least, Higher []string }
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, r := range paths() {
		if r.service != "" { // the map is Graph's; graph/calls_test.go has a table for these
			continue
		}
		path := "/" + r.path
		if strings.HasSuffix(path, "/delta") {
			path += "()"
		}
		op, ok := file.Operations[r.method+" "+path]
		if !ok && strings.HasPrefix(r.path, "subscriptions") { // what opens them is the resource's, see TestSubscriptionsNeedThePermissionOfTheResource
			continue
		}
		if !ok {
			_, known := undescribed[r.path]
			if _, act := undescribed[r.method+" "+r.path]; !known && !act {
				t.Errorf("%s %s is not in Microsoft's map", r.method, path)
			}
			continue
		}
		if op.Application == nil { // for who signs in alone
			for _, scope := range r.scopes {
				if !slices.Contains(slices.Concat(op.Delegated.Least, op.Delegated.Higher), scope) || len(r.roles) > 0 {
					t.Errorf("%s %s: %s does not open it, or an application has it", r.method, path, scope)
				}
			}
			continue
		}
		all := append(slices.Clone(op.Application.Least), op.Application.Higher...)
		for _, role := range r.roles {
			read := strings.Replace(role, ".ReadWrite", ".Read", 1)
			if !slices.Contains(all, role) && !slices.Contains(all, read) {
				t.Errorf("%s %s: %s does not open it", r.method, path, role)
			}
		}
		if len(op.Application.Least) > 0 && !strings.HasSuffix(r.path, "/createUploadSession") && !slices.Contains(r.roles, op.Application.Least[0]) && !strings.HasPrefix(op.Application.Least[0], "Group-") && !strings.HasSuffix(op.Application.Least[0], ".OwnedBy") && !strings.HasPrefix(op.Application.Least[0], "DeviceManagement") {
			t.Errorf("%s %s: the least permission %s does not open it here", r.method, path, op.Application.Least[0])
		}
	}
}
