package graph

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tocsin.dev/sharedtest"
)

func TestCallsAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Calls {
		if seen[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		seen[c.Name] = true
		if Find(c.Name).Path != c.Path {
			t.Errorf("%s is not found by its name", c.Name)
		}
		if c.Why == "" || !strings.HasSuffix(c.Why, ".") || !strings.HasPrefix(c.Docs, "https://learn.microsoft.com/graph/") && (c.Service == "" || !strings.HasPrefix(c.Docs, "https://learn.microsoft.com/")) {
			t.Errorf("%s has no reason or no page", c.Name)
		}
		if c.Name != "batch" && len(c.Permissions) == 0 && len(c.Scopes) == 0 {
			t.Errorf("%s has no permission", c.Name)
		}
		if c.Method == "GET" && !strings.HasPrefix(c.Name, "messageRules.") && c.Kind != Report && c.Service == "" && len(c.Select) == 0 && !c.Raw && !ofKinds[c.Name] {
			t.Errorf("%s asks for all fields", c.Name)
		}
		if (c.Kind == Mailbox) != (strings.HasPrefix(c.Path, "/users/{user}/m") || strings.HasPrefix(c.Path, "/users/{user}/outlook/") || c.Path == "/users/{user}/sendMail") {
			t.Errorf("%s is of kind %s", c.Name, c.Kind)
		}
		if c.Units() < 1 {
			t.Errorf("%s costs %d", c.Name, c.Units())
		}
	}
	if got := Find("groups.transitiveMembers").Units(); got != 4 {
		t.Errorf("transitiveMembers costs %d, want 5 less one for $select", got)
	}
}

// ofKinds are calls whose answer is made of several kinds of object, the fields of which $select cannot name together, and one
// whose page does not know $select.
var ofKinds = map[string]bool{"messageTraces.list": true, "conditionalAccess.namedLocations": true, "policies.authenticationMethods": true, "authentication.methods": true}

// aboutPasswords are fields that tell of passwords without any: when secrets end and when one was changed, whether passwords expire, whether devices' local
// administrators have theirs kept.
var aboutPasswords = []string{"passwordCredentials", "lastPasswordChangeDateTime", "passwordValidityPeriodInDays", "localAdminPassword"}

// What the activity stream and the posture never ask for.
func TestMetadataOnly(t *testing.T) {
	content := regexp.MustCompile(`(?i)subject|body|preview|^attachments|password|contacts|calendar|internetMessageHeaders`)
	for _, c := range Calls {
		if c.Content {
			continue
		}
		for _, f := range append(slices.Clone(c.Select), strings.Split(c.Expand, ",")...) {
			if content.MatchString(f) && !slices.Contains(aboutPasswords, f) {
				t.Errorf("%s asks for %s", c.Name, f)
			}
		}
		if slices.Contains(c.Options, "$select") || slices.Contains(c.Options, "$expand") {
			t.Errorf("%s lets its caller choose fields", c.Name)
		}
		if c.Method == "GET" && strings.Contains(c.Path, "attachments") || strings.HasSuffix(c.Path, "$value") {
			t.Errorf("%s reads content", c.Name)
		}
	}
}

// published is a call's path as Microsoft's description writes it.
func published(c Call) string {
	p := strings.NewReplacer("applications(appId='{appId}')", "applications/{application-id}", "(appId='{appId}')", "/{servicePrincipal-id}", "{user}", "{user-id}", "{group}", "{group-id}", "{role}", "{directoryRole-id}",
		"{folder}", "{mailFolder-id}", "{rule}", "{messageRule-id}", "{message}", "{message-id}", "{attachment}", "{attachment-id}", "{principal}", "{servicePrincipal-id}", "{query}", "{auditLogQuery-id}", "{subscription}", "{subscription-id}").Replace(c.Path)
	for _, kind := range regexp.MustCompile(`/(\w+)Methods/\{method\}`).FindAllStringSubmatch(p, 1) {
		p = strings.Replace(p, "{method}", "{"+strings.TrimSuffix(kind[1], "Authentication")+"AuthenticationMethod-id}", 1)
	}
	if strings.HasPrefix(c.Name, "appRoleAssignments.") {
		p = strings.Replace(p, "{assignment}", "{appRoleAssignment-id}", 1)
	}
	if c.Name == "attachments.get" { // its page has the bytes beside the attachment; the map and the description have the attachment
		p = strings.TrimSuffix(p, "/$value")
	}
	p = strings.NewReplacer("{assignment}", "{unifiedRoleAssignment-id}", "{grant}", "{oAuth2PermissionGrant-id}", "{person}", "{riskyUser-id}").Replace(p)
	if strings.HasSuffix(p, "/delta") || strings.HasSuffix(p, "/getAllSites") {
		p += "()"
	}
	return p
}

// undescribed are the calls that the parts of the map and of the description held here lack: by their page and by what
// they answer they are as said.
var undescribed = map[string]string{"contacts.delta": "microsoft.graph.orgContact", "roleAssignments.create": "microsoft.graph.unifiedRoleAssignment",
	"oauth2PermissionGrants.create": "microsoft.graph.oAuth2PermissionGrant", "appRoleAssignments.create": "microsoft.graph.appRoleAssignment"}

// byPage are the calls that neither the map nor the description held here has, as their pages give them: the request, the permission
// that suffices an application, and the fields.
var byPage = map[string]string{
	"policies.strengths":           "GET /policies/authenticationStrengthPolicies Policy.Read.All: id displayName policyType requirementsSatisfied allowedCombinations",
	"policies.timeouts":            "GET /policies/activityBasedTimeoutPolicies Policy.Read.All: id displayName definition isOrganizationDefault",
	"policies.appManagement":       "GET /policies/defaultAppManagementPolicy Policy.Read.All: id displayName isEnabled applicationRestrictions",
	"policies.deviceRegistration":  "GET /policies/deviceRegistrationPolicy Policy.Read.DeviceConfiguration: id displayName userDeviceQuota azureADRegistration azureADJoin localAdminPassword",
	"policies.crossTenantPartners": "GET /policies/crossTenantAccessPolicy/partners Policy.Read.All: tenantId isServiceProvider inboundTrust b2bCollaborationInbound b2bDirectConnectInbound",
	"policies.invitations":         "GET /policies/b2bManagementPolicies Policy.Read.B2BManagementPolicy: id displayName definition isOrganizationDefault",
	"reports.siteUsage":            "GET /reports/getSharePointSiteUsageDetail(period='D7') Reports.Read.All: ",
	"groupSettings.list":           "GET /groupSettings Directory.Read.All: id displayName templateId values",
	"synchronization.list":         "GET /directory/onPremisesSynchronization OnPremDirectorySynchronization.Read.All: id features",
	"reports.appActivity":          "GET /reports/servicePrincipalSignInActivities AuditLog.Read.All Directory.Read.All: ",
	"deviceManagement.get":         "GET /deviceManagement DeviceManagementConfiguration.Read.All: id settings",
}

// elsewhere are the calls of other services, which neither the map nor the description has, as their pages give them:
// https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-reference and
// https://learn.microsoft.com/exchange/reference/admin-api-overview. InvokeCommand has no page; it is what Exchange's own
// PowerShell module calls, with the permission of https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2.
var elsewhere = map[string]string{
	"activity.subscriptions.list":  "GET /api/v1.0/{tenant}/activity/feed/subscriptions/list ActivityFeed.Read",
	"activity.subscriptions.start": "POST /api/v1.0/{tenant}/activity/feed/subscriptions/start ActivityFeed.Read",
	"activity.content.list":        "GET /api/v1.0/{tenant}/activity/feed/subscriptions/content ActivityFeed.Read",
	"activity.content.get":         "GET /api/v1.0/{tenant}/activity/feed/audit/{content} ActivityFeed.Read",
	"exchange.mailboxes":           "POST /adminapi/v2.0/{tenant}/Mailbox Exchange.ManageAsAppV2",
	"exchange.folderPermissions":   "POST /adminapi/v2.0/{tenant}/MailboxFolderPermission Exchange.ManageAsAppV2",
	"exchange.command":             "POST /adminapi/beta/{tenant}/InvokeCommand Exchange.ManageAsApp",
}

func TestPermissionsAreOfMicrosoftsMap(t *testing.T) {
	raw, err := os.ReadFile(sharedtest.File(t, "graph/permissions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Operations map[string]struct {
			Application, Delegated *struct{ Least, Higher []string }
		}
		IDs map[string]any
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range Calls {
		if c.Service != "" {
			if got := elsewhere[c.Name]; got != c.Method+" "+c.Path+" "+strings.Join(c.Permissions, " ") {
				t.Errorf("%s is %s %s with %v, and by its page %q", c.Name, c.Method, c.Path, c.Permissions, got)
			}
			continue
		}
		if says := byPage[c.Name]; says != "" {
			if got := c.Method + " " + c.Path + " " + strings.Join(c.Permissions, " ") + ": " + strings.Join(c.Select, " "); got != says {
				t.Errorf("%s is %q, and by its page %q", c.Name, got, says)
			}
			continue
		}
		if c.Name == "batch" || undescribed[c.Name] != "" {
			continue
		}
		key := c.Method + " " + published(c)
		if strings.HasPrefix(c.Name, "subscriptions.") { // what a subscription needs is what its resource needs
			key = "GET " + published(Find("messages.list"))
		}
		op, ok := file.Operations[key]
		for _, p := range c.Scopes { // the map has them without their Shared, which is for the mailboxes of others
			own := strings.TrimSuffix(p, ".Shared")
			if !ok || op.Delegated == nil || !slices.Contains(append(op.Delegated.Least, op.Delegated.Higher...), own) && c.Kind != Mailbox {
				t.Errorf("%s: %s does not suffice a person by the map", c.Name, p)
			}
		}
		if len(c.Permissions) == 0 {
			continue
		}
		if !ok || op.Application == nil {
			t.Errorf("%s: %s is not in the map for applications", c.Name, published(c))
			continue
		}
		for _, p := range c.Permissions {
			// The map does not always repeat a ReadWrite beside its Read, which it holds within it.
			read := strings.Replace(p, ".ReadWrite", ".Read", 1)
			if all := append(op.Application.Least, op.Application.Higher...); !slices.Contains(all, p) && !slices.Contains(all, read) {
				t.Errorf("%s: %s does not suffice by the map", c.Name, p)
			}
			if _, ok := file.IDs["Application "+p]; !ok && p != "ExchangeMessageTrace.Read.All" { // no page that can be had here gives that one's
				t.Errorf("%s: %s has no id", c.Name, p)
			}
		}
	}
}

func TestCallsAreOfMicrosoftsDescription(t *testing.T) {
	file := sharedtest.File(t, "graph/openapi.yaml")
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Calls {
		if c.Name == "batch" || c.Service != "" || byPage[c.Name] != "" {
			continue
		}
		if schema := undescribed[c.Name]; schema != "" {
			fields := map[string]bool{}
			gather(doc.Components.Schemas["microsoft.graph.directoryObject"], fields)
			gather(doc.Components.Schemas[schema], fields)
			for _, f := range c.Select {
				if !fields[f] {
					t.Errorf("%s: there is no field %s", c.Name, f)
				}
			}
			continue
		}
		path := doc.Paths.Value(published(c))
		if path == nil || path.GetOperation(c.Method) == nil {
			t.Errorf("%s: %s %s is not there", c.Name, c.Method, published(c))
			continue
		}
		op := path.GetOperation(c.Method)
		known := map[string]bool{"$deltatoken": strings.HasSuffix(c.Path, "/delta") && c.Kind == Directory} // documented in prose only
		for _, p := range append(slices.Clone(op.Parameters), path.Parameters...) {
			known[p.Value.Name] = true
		}
		options := slices.Clone(c.Options)
		if len(c.Select) > 0 {
			options = append(options, "$select")
		}
		if c.Top > 0 {
			options = append(options, "$top")
		}
		if c.Expand != "" {
			options = append(options, "$expand")
		}
		for _, o := range options {
			if !known[o] {
				t.Errorf("%s: %s is not an option of it", c.Name, o)
			}
		}
		if len(c.Select) == 0 {
			continue // of what changes something, the answer is not read
		}
		fields := members(t, op)
		for _, f := range c.Select {
			if !fields[f] && !memberOfMember(c, f) {
				t.Errorf("%s: there is no field %s", c.Name, f)
			}
		}
	}
}

// memberOfMember: members of groups and roles are directoryObjects, whose fields are those of users.
func memberOfMember(c Call, f string) bool {
	if strings.HasPrefix(f, "microsoft.graph.fileAttachment/") { // of one kind of attachment
		return strings.HasSuffix(c.Path, "/attachments")
	}
	return strings.HasSuffix(strings.ToLower(c.Path), "members") && slices.Contains(append(userFields, "id"), f)
}

// members are the properties of what an operation answers, or of its elements.
func members(t *testing.T, op *openapi3.Operation) map[string]bool {
	out := map[string]bool{}
	res := op.Responses.Value("2XX")
	if res == nil {
		res = op.Responses.Status(200)
	}
	if res == nil {
		t.Fatalf("%s has no answer", op.OperationID)
	}
	gather(res.Value.Content.Get("application/json").Schema, out)
	return out
}

func gather(s *openapi3.SchemaRef, out map[string]bool) {
	if s == nil || s.Value == nil {
		return
	}
	for _, part := range append(slices.Clone(s.Value.AllOf), s.Value.AnyOf...) {
		gather(part, out)
	}
	if v, ok := s.Value.Properties["value"]; ok && v.Value.Items != nil {
		gather(v.Value.Items, out)
	}
	for name := range s.Value.Properties {
		out[name] = true
	}
}
