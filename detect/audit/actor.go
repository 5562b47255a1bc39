package audit

import (
	"regexp"
	"strings"
)

// userTypes are the kinds of actors by the unified log's UserType, as number and as Log Analytics names them.
// See https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema#user-type.
var userTypes = map[string]string{
	"0": "user", "regular": "user", "1": "user", "reserved": "user", "2": "admin", "admin": "admin", "3": "system", "dcadmin": "system",
	"4": "system", "system": "system", "5": "app", "application": "app", "6": "app", "serviceprincipal": "app",
	"7": "system", "custompolicy": "system", "8": "system", "systempolicy": "system", "9": "admin", "partnertechnician": "admin",
	"10": "user", "guest": "user", "11": "user", "12": "user",
}

// machinery are the names under which Microsoft's own services act in a tenant.
var machinery = regexp.MustCompile(`(?i)^(` +
	`nt authority\\|nt service\\|sharepoint\\system|app@sharepoint|s-1-5-18$|s-1-5-19$|s-1-5-20$|` +
	`microsoft teams sync$|microsoft\.|ms-pim$|fim_password_service@support\.onmicrosoft\.com|` +
	`spoolsprovisioning|systemmailbox\{|discoverysearchmailbox|healthmailbox|federatedemail\.|migration\.|` +
	`azure ad cloud sync|azure mfa strongauthenticationservice|managed service identity|application$|` +
	`office 365 |office365 |microsoft (office|azure|approval|substrate|intune|online|graph change|exchange|rights|dynamics|managed|invitation)|` +
	`windows azure |azure ad |azure active directory |dlppolicy|certificate-based|complianceworkbench|on-premises directory synchronization|` +
	`sync_[^@]*@|aad_[0-9a-f]{12})`)

// dataCentre are addresses of Exchange Online's own servers and services.
var dataCentre = regexp.MustCompile(`(?i)@[a-z0-9.-]*\.(prod|mgd|sdf)\.(outlook|exchangelabs)\.com$|\.exchangelabs\.com$`)

// actorKind says what sort of actor a name is; given is what the record says of it, which may be wrong for services.
func actorKind(name, given string) string {
	switch {
	case machinery.MatchString(name), dataCentre.MatchString(name):
		return "system"
	case strings.HasPrefix(name, "ServicePrincipal_"):
		return "service"
	}
	kind := userTypes[strings.ToLower(given)]
	if kind == "system" && strings.Contains(name, "@") {
		return "user" // a person whose act a policy or a system type is written under
	}
	if kind == "" {
		return "user"
	}
	return kind
}
