package rule

import (
	"fmt"
	"regexp"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// applicationEvents judge what applications were allowed, and who received the keys to them.
var applicationEvents = []detect.Event{
	{Meta: consentTenantWide, Judge: judgeConsent},
	{Meta: consentByUser, Judge: auditBeside},
	{Meta: applicationPermissionGranted, Judge: judgeAppRole},
	{Meta: applicationCredentialAdded, Judge: judgeCredential},
	{Meta: federatedCredentialChanged, Judge: auditBeside},
	{Meta: applicationRedirectChanged, Judge: auditBeside},
	{Meta: applicationOwnerAdded, Judge: judgeOwner},
}

var applicationOperations = []string{
	"Consent to application", "Add delegated permission grant", "Add OAuth2PermissionGrant", "Update delegated permission grant",
	"Add app role assignment to service principal", "Add app role assignment grant to user", "Add service principal credentials",
	"Update service principal", "Add owner to application", "Add owner to service principal", "Add federated identity credential",
}

var consentTenantWide = detect.Meta{
	Name: "consent-for-everybody", Title: "An application was allowed for the whole organisation", Family: "applications",
	Severity: tocsin.High, Attack: []string{"T1098.003", "T1528"}, Stage: "persistence",
	Says:           "An administrator consented for everybody: the application may act as each of them.",
	FalsePositives: "A product being introduced.",
	Fix:            "Confirm the publisher and the permissions; revoke the grant otherwise.",
	Actions:        []string{"revoke_grant"}, Source: "audit_log",
}

var consentByUser = detect.Meta{
	Name: "consent-by-user", Title: "A person allowed an application to act for him", Family: "applications",
	Severity: tocsin.Medium, Attack: []string{"T1528"}, Stage: "access",
	Says:           "A person consented to an application; weightier where it may read mail or files or stay for ever.",
	FalsePositives: "A known product used by one person.",
	Fix:            "Look at the publisher; revoke the grant and the person's sessions if it is not known.",
	Actions:        []string{"revoke_grant", "revoke_sessions"}, Source: "audit_log",
}

var applicationPermissionGranted = detect.Meta{
	Name: "application-permission-granted", Title: "An application received a permission of its own", Family: "applications",
	Severity: tocsin.High, Attack: []string{"T1098.003"}, Stage: "persistence",
	Says:           "An application may now act without anybody signed in; critical where it can give itself more.",
	FalsePositives: "A product being introduced.",
	Fix:            "Confirm the application; remove the assignment otherwise.",
	Actions:        []string{"revoke_grant"}, Source: "audit_log",
}

var applicationCredentialAdded = detect.Meta{
	Name: "application-credential-added", Title: "A secret or certificate was added to an application", Family: "applications",
	Severity: tocsin.High, Attack: []string{"T1098.001"}, Stage: "persistence",
	Says:           "Who holds the new credential acts as the application, with all it may do.",
	FalsePositives: "The yearly renewal.",
	Fix:            "Confirm with the application's owner; remove the credential otherwise.",
	Actions:        []string{"remove_credential", "revoke_sessions"}, Source: "audit_log",
}

var federatedCredentialChanged = detect.Meta{
	Name: "federated-credential-changed", Title: "An application trusts another issuer", Family: "applications",
	Severity: tocsin.High, Attack: []string{"T1098.001", "T1484.002"}, Stage: "persistence",
	Says:           "A federated credential was added or changed: tokens of another system open the application.",
	FalsePositives: "A build pipeline being set up.",
	Fix:            "Confirm issuer and subject with the application's owner.",
	Actions:        []string{"remove_credential"}, Source: "audit_log",
}

var applicationRedirectChanged = detect.Meta{
	Name: "application-redirect-changed", Title: "An application's reply address was changed", Family: "applications",
	Severity: tocsin.Medium, Attack: []string{"T1528", "T1556"}, Stage: "persistence",
	Says:           "Codes of people who sign in to the application go to the new address.",
	FalsePositives: "Development.",
	Fix:            "See that the new address is yours and uses https.",
	Actions:        []string{}, Source: "audit_log",
}

var applicationOwnerAdded = detect.Meta{
	Name: "application-owner-added", Title: "Somebody was made owner of an application", Family: "applications",
	Severity: tocsin.Low, Attack: []string{"T1098"}, Stage: "persistence",
	Says:           "An owner can add credentials and act as the application.",
	FalsePositives: "Ordinary administration.",
	Fix:            "Confirm, above all where the application has permissions of its own.",
	Actions:        []string{}, Source: "audit_log",
}

// reachingScopes are the delegated and application permissions that open mail, files or the directory.
var reachingScopes = regexp.MustCompile(`(?i)\b(Mail\.|Mail\b|MailboxSettings\.|Files\.|Sites\.|Notes\.|Chat\.|ChannelMessage\.|Contacts\.|EWS\.|IMAP\.|POP\.|SMTP\.|` +
	`full_access_as_(app|user)|Directory\.(ReadWrite|AccessAsUser)|User\.ReadWrite\.All|Application\.ReadWrite|Exchange\.Manage|user_impersonation|AuditLog\.)`)

// commandingRoles are application permissions with which an application can give itself everything.
var commandingRoles = regexp.MustCompile(`(?i)(RoleManagement\.ReadWrite\.(Directory|All)|AppRoleAssignment\.ReadWrite\.All|RoleAssignmentSchedule\.ReadWrite\.Directory|` +
	`RoleEligibilitySchedule\.ReadWrite\.Directory|PrivilegedAccess\.ReadWrite\.AzureADGroup)`)

func judgeConsent(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	switch r.Operation {
	case "Consent to application", "Add delegated permission grant", "Add OAuth2PermissionGrant", "Update delegated permission grant":
	default:
		return nil
	}
	if !auditDone(r) || auditService(r) {
		return nil
	}
	scopes, everybody := consentOf(r)
	app, resource := consentedApp(r)
	m := &consentByUser
	terms := auditTerms(25, "an application may act as a person")
	unsaid := auditText(r, "permissions_in") != "" // Defender's tables do not tell for whom
	switch {
	case everybody:
		m, terms = &consentTenantWide, auditTerms(50, "for everybody in the organisation")
	case unsaid:
		terms.Add(25, "the record does not say for whom: it may be everybody")
	}
	if reach := reachingScopes.FindString(scopes); reach != "" {
		terms.Add(20, "it may reach mail, files or the directory ("+strings.TrimRight(reach, ".")+")")
	}
	if strings.Contains(strings.ToLower(scopes), "offline_access") && !everybody {
		terms.Add(10, "and stay when the person is away")
	}
	if r.ActorKind == "app" {
		terms.Add(10, "granted by an application")
	}
	for_ := r.Actor
	switch {
	case everybody:
		for_ = "everybody"
	case unsaid:
		for_ = "people (the record does not say for whom)"
	}
	asked := ""
	if resource != "" {
		asked = " in " + resource
	}
	if scopes != "" {
		asked += " with " + scopes
	}
	name, subject := "The application "+app, strings.ToLower(app)
	if app == "" {
		name, subject = "An application that the record does not name", strings.ToLower(resource)
	}
	why := fmt.Sprintf("%s was allowed to act for %s%s%s.", name, for_, asked, auditBy(r))
	return auditOne(auditFinding(o, m, r, r.Actor, subject, strings.ToLower(r.Actor), why, terms))
}

// consentedApp is the application that was allowed, and the resource it may reach. A record of consent has the application as its
// target; one of a grant has the resource, and the application among the properties or as a second target.
func consentedApp(r *detect.Record) (app, resource string) {
	if in := auditText(r, "permissions_in"); in != "" {
		return r.Target, in
	}
	target := auditTargetOf(r, "ServicePrincipal", "Application").Label()
	if r.Operation == "Consent to application" || len(r.Modified) == 0 {
		return target, ""
	}
	for _, p := range []string{"ServicePrincipal.DisplayName", "ServicePrincipal.Name", "ServicePrincipal.AppId", "ServicePrincipal.ObjectID"} {
		if _, now, ok := auditModified(r, p); ok && auditPlain(now) != "" {
			return auditPlain(now), target
		}
	}
	if all := auditTargets(r); len(all) > 1 {
		return all[1].Label(), target
	}
	return target, ""
}

var scopeText = regexp.MustCompile(`(?i)Scope:\s*([^,\]]+)`)

// consentOf are the scopes and whether the grant is for everybody, from any of the forms in which records tell it.
func consentOf(r *detect.Record) (scopes string, everybody bool) {
	for _, p := range []string{"ConsentAction.Permissions", "DelegatedPermissionGrant.Scope", "Scope", "Permissions", "OAuth2PermissionGrant.Scope"} {
		_, now, ok := auditModified(r, p)
		if !ok {
			now = auditText(r, strings.ToLower(p))
		}
		if now == "" {
			continue
		}
		if strings.Contains(now, "ConsentType: AllPrincipals") {
			everybody = true
		}
		if m := scopeText.FindAllStringSubmatch(now, -1); m != nil {
			now = m[len(m)-1][1]
		}
		if now = auditPlain(now); now != "" {
			scopes = now
			break
		}
	}
	for _, p := range []string{"ConsentContext.IsAdminConsent", "ConsentContext.OnBehalfOfAll"} {
		_, now, ok := auditModified(r, p)
		everybody = everybody || ok && strings.EqualFold(auditPlain(now), "true")
	}
	for _, p := range []string{"DelegatedPermissionGrant.ConsentType", "ConsentType"} {
		_, now, ok := auditModified(r, p)
		everybody = everybody || ok && strings.EqualFold(auditPlain(now), "AllPrincipals")
	}
	return scopes, everybody
}

func judgeAppRole(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Add app role assignment to service principal" || !auditDone(r) || auditService(r) {
		return nil
	}
	role := ""
	for _, p := range []string{"AppRole.Value", "AppRole.DisplayName", "AppRole.Id"} {
		if _, now, ok := auditModified(r, p); ok && auditPlain(now) != "" {
			role = auditPlain(now)
			break
		}
	}
	app := ""
	for _, p := range []string{"ServicePrincipal.DisplayName", "ServicePrincipal.Name", "ServicePrincipal.ObjectID"} {
		if _, now, ok := auditModified(r, p); ok && auditPlain(now) != "" {
			app = auditPlain(now)
			break
		}
	}
	if app == "" {
		app = auditTargetOf(r, "ServicePrincipal").Label()
	}
	terms := auditTerms(30, "it acts without anybody signed in")
	switch {
	case commandingRoles.MatchString(role):
		terms = auditTerms(90, "with it the application can give itself everything")
	case reachingScopes.MatchString(role):
		terms.Add(38, "it reaches mail, files or the directory of everybody")
	}
	if r.ActorKind == "app" {
		terms.Add(15, "granted by an application, past every consent")
	}
	why := fmt.Sprintf("The application %s received the permission %s%s.", app, role, auditBy(r))
	return auditOne(auditFinding(o, &applicationPermissionGranted, r, r.Actor, strings.ToLower(app), strings.ToLower(role), why, terms))
}

func judgeCredential(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !strings.HasPrefix(r.Operation, "Update application") && r.Operation != "Add service principal credentials" &&
		r.Operation != "Update service principal" && r.Operation != "Add federated identity credential" || !auditDone(r) {
		return nil
	}
	if auditService(r) {
		return nil
	}
	app := auditTargetOf(r, "Application", "ServicePrincipal")
	label, subject := app.Label(), strings.ToLower(app.Label())
	if app.ID != "" {
		subject = strings.ToLower(app.ID)
	}
	if old, now, ok := auditModified(r, "FederatedIdentityCredentials"); ok && old != now || r.Operation == "Add federated identity credential" {
		why := fmt.Sprintf("The application %s trusts another issuer now: %s%s.", label, now, auditBy(r))
		return auditOne(auditFinding(o, &federatedCredentialChanged, r, r.Actor, subject, "", why, auditTerms(65, "tokens of another system open the application")))
	}
	if old, now, ok := auditModified(r, "AppAddress"); ok && old != now && now != "[]" {
		terms := auditTerms(40, "sign-in codes go to the new address")
		if strings.Contains(now, "http://") && !strings.Contains(now, "http://localhost") {
			terms.Add(15, "without encryption")
		}
		why := fmt.Sprintf("The reply address of the application %s was changed to %s%s.", label, now, auditBy(r))
		return auditOne(auditFinding(o, &applicationRedirectChanged, r, r.Actor, subject, "", why, terms))
	}
	old, now, told := auditModified(r, "KeyDescription")
	certs := strings.Contains(r.Operation, "ertificates and secrets management")
	if !told && !certs && r.Operation != "Add service principal credentials" {
		return nil
	}
	if told && strings.Count(now, "KeyIdentifier") <= strings.Count(old, "KeyIdentifier") && strings.Contains(old, "KeyIdentifier") && !newKey(old, now) {
		return nil // one was removed
	}
	terms := auditTerms(65, "who holds it acts as the application")
	if strings.Contains(now, "KeyType=Password") {
		terms.Add(3, "a secret, which can be copied")
	}
	if r.Operation == "Add service principal credentials" || strings.EqualFold(app.Type, "ServicePrincipal") {
		terms.Add(5, "on the service principal, where the portal does not show it")
	}
	if strings.Count(old, "KeyIdentifier") > 0 {
		terms.Add(5, "beside those it had")
	}
	why := fmt.Sprintf("A credential was added to the application %s%s.", label, auditBy(r))
	return auditOne(auditFinding(o, &applicationCredentialAdded, r, r.Actor, subject, "", why, terms))
}

var keyIdentifier = regexp.MustCompile(`KeyIdentifier=([0-9a-fA-F-]+)`)

// newKey says whether now has a key that old has not.
func newKey(old, now string) bool {
	for _, m := range keyIdentifier.FindAllStringSubmatch(now, -1) {
		if !strings.Contains(old, m[1]) {
			return true
		}
	}
	return false
}

func judgeOwner(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Add owner to application" && r.Operation != "Add owner to service principal" || !auditDone(r) || auditService(r) {
		return nil
	}
	who := auditTargetOf(r, "User").Label()
	app := auditTargetOf(r, "Application", "ServicePrincipal").Label()
	for _, p := range []string{"Application.DisplayName", "ServicePrincipal.DisplayName"} {
		if _, now, ok := auditModified(r, p); ok {
			app = auditPlain(now)
		}
	}
	if auditSame(who, r.Actor) && app == who {
		return nil
	}
	terms := auditTerms(25, "an owner can add credentials")
	if o.Outside(tocsin.Address{Address: who}) {
		terms.Add(25, "somebody outside")
	}
	why := fmt.Sprintf("%s was made owner of the application %s%s.", who, app, auditBy(r))
	return auditOne(auditFinding(o, &applicationOwnerAdded, r, who, strings.ToLower(app), strings.ToLower(who), why, terms))
}
