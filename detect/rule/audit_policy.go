package rule

import (
	"encoding/json"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// policyEvents judge changes of what the directory demands of everybody.
var policyEvents = []detect.Event{
	{Meta: conditionalAccessWeakened, Judge: judgePolicy},
	{Meta: policyChanged, Judge: auditBeside},
	{Meta: domainFederationChanged, Judge: judgeFederation},
	{Meta: domainAdded, Judge: auditBeside},
	{Meta: signInProviderChanged, Judge: judgeProvider},
	{Meta: crossTenantAccessChanged, Judge: judgeCrossTenant},
	{Meta: userConsentLoosened, Judge: judgeConsentPolicy},
	{Meta: namedLocationChanged, Judge: judgeLocation},
}

var policyOperations = []string{
	"Update conditional access policy", "Delete conditional access policy", "Add conditional access policy", "Update policy", "Delete policy",
	"Set domain authentication", "Set federation settings on domain", "Add unverified domain", "Verify domain", "Add verified domain",
	"Authentication Methods Policy Update", "Update authentication methods policy", "Add a partner to cross-tenant access setting",
	"Update a partner cross-tenant access setting", "Update the default cross-tenant access setting", "Update authorization policy",
	"Add named location", "Update named location", "Delete named location",
}

var conditionalAccessWeakened = detect.Meta{
	Name: "conditional-access-weakened", Title: "A conditional access policy was weakened", Family: "directory policies",
	Severity: tocsin.High, Attack: []string{"T1556.009"}, Stage: "persistence",
	Says:           "A policy was deleted, switched off or set to report only, stopped asking for a second factor, or lets somebody pass.",
	FalsePositives: "A policy replaced by another on the same day.",
	Fix:            "Restore the policy from the record's old value; look at who signed in since.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var policyChanged = detect.Meta{
	Name: "directory-policy-changed", Title: "A policy of the directory was changed or deleted", Family: "directory policies",
	Severity: tocsin.Low, Attack: []string{"T1556.009"}, Stage: "persistence",
	Says:           "A policy was changed in a way that does not clearly weaken it, or one of a kind we do not read was changed.",
	FalsePositives: "Ordinary administration.",
	Fix:            "Compare old and new.",
	Actions:        []string{}, Source: "audit_log",
}

var domainFederationChanged = detect.Meta{
	Name: "domain-federation-changed", Title: "Who vouches for a domain's people was changed", Family: "directory policies",
	Severity: tocsin.Critical, Attack: []string{"T1484.002", "T1556.007"}, Stage: "persistence",
	Says:           "Federation was set up or changed on a domain: whoever holds the new key signs in as anybody.",
	FalsePositives: "A planned change of the identity provider, or a renewed signing certificate.",
	Fix:            "Compare issuer and certificate with your provider's; set the domain back to managed otherwise.",
	Actions:        []string{"revoke_sessions", "suspend"}, Source: "audit_log",
}

var domainAdded = detect.Meta{
	Name: "domain-added", Title: "A domain was added", Family: "directory policies",
	Severity: tocsin.Low, Attack: []string{"T1584.001"}, Stage: "persistence",
	Says:           "A domain was added or proven: mail to it counts as inside.",
	FalsePositives: "A new brand.",
	Fix:            "Confirm; remove it otherwise.",
	Actions:        []string{}, Source: "audit_log",
}

var signInProviderChanged = detect.Meta{
	Name: "sign-in-provider-changed", Title: "Another provider may vouch for sign-ins", Family: "directory policies",
	Severity: tocsin.High, Attack: []string{"T1556.009"}, Stage: "persistence",
	Says:           "The authentication methods policy names a new address of an outside identity provider.",
	FalsePositives: "An outside second-factor product being introduced.",
	Fix:            "See that the address is your provider's; set it back otherwise.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var crossTenantAccessChanged = detect.Meta{
	Name: "cross-tenant-access-changed", Title: "Another organisation's access was widened", Family: "directory policies",
	Severity: tocsin.Medium, Attack: []string{"T1484.002"}, Stage: "persistence",
	Says:           "A partner was added to the cross-tenant settings, or what is trusted from one changed.",
	FalsePositives: "Collaboration that was agreed on.",
	Fix:            "Confirm the partner and what is trusted of it.",
	Actions:        []string{}, Source: "audit_log",
}

var userConsentLoosened = detect.Meta{
	Name: "user-consent-loosened", Title: "People may allow applications more freely", Family: "directory policies",
	Severity: tocsin.Medium, Attack: []string{"T1562"}, Stage: "access",
	Says:           "The policy for consent, invitations or registration by ordinary people was widened.",
	FalsePositives: "A decision that was taken.",
	Fix:            "Set it back to verified publishers with low permissions.",
	Actions:        []string{}, Source: "audit_log",
}

var namedLocationChanged = detect.Meta{
	Name: "named-location-changed", Title: "A trusted network was changed", Family: "directory policies",
	Severity: tocsin.Low, Attack: []string{"T1562.007", "T1556.009"}, Stage: "persistence",
	Says:           "An address list that policies rest on was added, changed or deleted; weightier where it is trusted.",
	FalsePositives: "A new office.",
	Fix:            "See that the addresses are yours.",
	Actions:        []string{}, Source: "audit_log",
}

func judgePolicy(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) || auditService(r) {
		return nil
	}
	what := auditTargetOf(r, "Policy").Label()
	subject := strings.ToLower(what)
	raise := func(m *detect.Meta, terms detect.Terms) []tocsin.Finding {
		auditOutsider(r, &terms)
		why := fmt.Sprintf("%s: %s: %s%s.", r.Operation, what, terms[0].Why, auditBy(r))
		return auditOne(auditFinding(o, m, r, r.Actor, subject, "", why, terms))
	}
	switch r.Operation {
	case "Delete conditional access policy":
		return raise(&conditionalAccessWeakened, auditTerms(68, "the policy was deleted"))
	case "Update conditional access policy":
		old, now, ok := auditModified(r, "ConditionalAccessPolicy")
		if terms := weakened(old, now); ok && len(terms) > 0 {
			return raise(&conditionalAccessWeakened, terms)
		}
		return raise(&policyChanged, auditTerms(15, "the policy was changed, without becoming weaker as far as it can be read"))
	case "Update policy", "Delete policy":
		return raise(&policyChanged, auditTerms(20, "a policy was changed or deleted"))
	}
	return nil
}

// accessPolicy is what is read of a conditional access policy.
type accessPolicy struct {
	State      string
	Conditions struct {
		Users struct {
			IncludeUsers, ExcludeUsers, IncludeGroups, ExcludeGroups, ExcludeRoles []string
		}
		Applications struct{ IncludeApplications, ExcludeApplications []string }
		Locations    struct{ ExcludeLocations []string }
	}
	GrantControls *struct {
		BuiltInControls        []string
		AuthenticationStrength any
	}
}

// weakened are the terms for what the policy no longer asks.
func weakened(before, after string) detect.Terms {
	var old, now accessPolicy
	if json.Unmarshal([]byte(before), &old) != nil || json.Unmarshal([]byte(after), &now) != nil {
		return nil
	}
	var terms detect.Terms
	if strings.EqualFold(old.State, "enabled") && !strings.EqualFold(now.State, "enabled") {
		terms.Add(68, "the policy no longer acts: "+now.State)
	}
	if demands(old) && !demands(now) {
		terms.Add(max(0, 70-points(terms)), "it no longer asks for a second factor or a managed device")
	}
	u, v := old.Conditions.Users, now.Conditions.Users
	passes := more(u.ExcludeUsers, v.ExcludeUsers) + more(u.ExcludeGroups, v.ExcludeGroups) + more(u.ExcludeRoles, v.ExcludeRoles) +
		more(old.Conditions.Applications.ExcludeApplications, now.Conditions.Applications.ExcludeApplications) +
		more(old.Conditions.Locations.ExcludeLocations, now.Conditions.Locations.ExcludeLocations)
	if passes > 0 {
		terms.Add(max(10, 65-points(terms)), auditPlural(passes, "new exclusion"))
	}
	if len(u.IncludeUsers) == 1 && u.IncludeUsers[0] == "All" && (len(v.IncludeUsers) != 1 || v.IncludeUsers[0] != "All") {
		terms.Add(max(10, 65-points(terms)), "it no longer holds for everybody")
	}
	return terms
}

func demands(p accessPolicy) bool {
	if p.GrantControls == nil {
		return false
	}
	for _, c := range p.GrantControls.BuiltInControls {
		switch strings.ToLower(c) {
		case "mfa", "block", "compliantdevice", "domainjoineddevice", "passwordchange", "approvedapplication", "compliantapplication":
			return true
		}
	}
	return p.GrantControls.AuthenticationStrength != nil
}

// more counts what now has and old has not.
func more(old, now []string) int {
	had := map[string]bool{}
	for _, s := range old {
		had[s] = true
	}
	n := 0
	for _, s := range now {
		if !had[s] {
			n++
		}
	}
	return n
}

func judgeFederation(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) || auditService(r) {
		return nil
	}
	domain := auditTargetOf(r, "Domain").Label()
	switch r.Operation {
	case "Set federation settings on domain":
		return auditOne(auditFinding(o, &domainFederationChanged, r, r.Actor, strings.ToLower(domain), "",
			fmt.Sprintf("The federation of %s was set%s: whoever holds its key signs in as anybody there.", domain, auditBy(r)),
			auditTerms(88, "another key vouches for the domain's people")))
	case "Set domain authentication":
		if !federated(r) {
			return nil
		}
		return auditOne(auditFinding(o, &domainFederationChanged, r, r.Actor, strings.ToLower(domain), "",
			fmt.Sprintf("The sign-in of %s was changed%s.", domain, auditBy(r)), auditTerms(88, "how the domain's people sign in was changed")))
	case "Add unverified domain", "Verify domain", "Add verified domain":
		return auditOne(auditFinding(o, &domainAdded, r, r.Actor, strings.ToLower(domain), "",
			fmt.Sprintf("%s: %s%s.", r.Operation, domain, auditBy(r)), auditTerms(20, "mail to the domain will count as inside")))
	}
	return nil
}

// federated says whether a change of a domain's authentication touches who vouches for it; without any member told, it may.
func federated(r *detect.Record) bool {
	if len(r.Modified) == 0 {
		return true
	}
	for name, v := range r.Modified {
		low := strings.ToLower(name + " " + v[1])
		if strings.Contains(low, "livetype") || strings.Contains(low, "federat") || strings.Contains(low, "authentication") || strings.Contains(low, "signingcertificate") || strings.Contains(low, "issuer") {
			return true
		}
	}
	return false
}

func judgeProvider(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Authentication Methods Policy Update" && r.Operation != "Update authentication methods policy" || !auditDone(r) || auditService(r) {
		return nil
	}
	for name, v := range r.Modified {
		old, now := strings.ToLower(v[0]), strings.ToLower(v[1])
		if old == now || !strings.Contains(now, "discoveryurl") && !strings.Contains(strings.ToLower(name), "openidconnect") {
			continue
		}
		why := fmt.Sprintf("The policy for authentication methods now trusts %s%s.", v[1], auditBy(r))
		return auditOne(auditFinding(o, &signInProviderChanged, r, r.Actor, "authentication-methods", "", why, auditTerms(70, "another provider may vouch for sign-ins")))
	}
	return nil
}

func judgeCrossTenant(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !strings.Contains(r.Operation, "cross-tenant access setting") || !auditDone(r) || auditService(r) {
		return nil
	}
	what := auditTargetOf(r, "Policy", "Other").Label()
	why := fmt.Sprintf("%s: %s%s.", r.Operation, what, auditBy(r))
	return auditOne(auditFinding(o, &crossTenantAccessChanged, r, r.Actor, strings.ToLower(what), "", why, auditTerms(42, "another organisation's people or devices are trusted more")))
}

func judgeConsentPolicy(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Update authorization policy" || !auditDone(r) || auditService(r) {
		return nil
	}
	for _, p := range []struct{ property, mark, what string }{
		{"PermissionGrantPolicyIdsAssignedToDefaultUserRole", "microsoft-user-default-legacy", "people may consent to any application"},
		{"DefaultUserRolePermissions.PermissionGrantPoliciesAssigned", "microsoft-user-default-legacy", "people may consent to any application"},
		{"AllowInvitesFrom", "everyone", "everybody, guests too, may invite guests"},
		{"BlockMsolPowerShell", "false", "people may use the old PowerShell"},
		{"AllowUserConsentForRiskyApps", "true", "people may consent to risky applications"},
	} {
		old, now, ok := auditModified(r, p.property)
		if !ok || !strings.Contains(strings.ToLower(now), p.mark) || strings.Contains(strings.ToLower(old), p.mark) {
			continue
		}
		why := fmt.Sprintf("From now on %s%s.", p.what, auditBy(r))
		return auditOne(auditFinding(o, &userConsentLoosened, r, r.Actor, strings.ToLower(p.property), "", why, auditTerms(45, p.what)))
	}
	return nil
}

func judgeLocation(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !strings.HasSuffix(r.Operation, " named location") || !auditDone(r) || auditService(r) {
		return nil
	}
	what := auditTargetOf(r, "NamedLocation", "Policy", "Other").Label()
	terms := auditTerms(20, "policies rest on this list of addresses")
	for _, v := range r.Modified {
		if strings.Contains(strings.ReplaceAll(strings.ToLower(v[1]), " ", ""), `"istrusted":true`) {
			terms.Add(45, "it is trusted: sign-ins from it may pass without a second factor")
			break
		}
	}
	why := fmt.Sprintf("%s: %s%s.", r.Operation, what, auditBy(r))
	return auditOne(auditFinding(o, &namedLocationChanged, r, r.Actor, strings.ToLower(what), "", why, terms))
}
