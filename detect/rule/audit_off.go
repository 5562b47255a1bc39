package rule

import (
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// protectionEvents judge protection and logging that was switched off.
var protectionEvents = []detect.Event{
	{Meta: auditLogOff, Judge: judgeAuditOff},
	{Meta: mailboxAuditOff, Judge: auditBeside},
	{Meta: mailboxAuditBypass, Judge: auditBeside},
	{Meta: mailProtectionOff, Judge: judgeProtectionOff},
	{Meta: automaticForwardingAllowed, Judge: judgeForwardingAllowed},
}

var protectionOperations = []string{
	"Set-AdminAuditLogConfig", "Set-OrganizationConfig", "Set-Mailbox", "Set-MailboxAuditBypassAssociation", "Set-DkimSigningConfig",
	"Set-AtpPolicyForO365", "Set-AntiPhishPolicy", "Set-SafeLinksPolicy", "Set-SafeAttachmentPolicy", "Set-DlpPolicy", "Set-DlpCompliancePolicy",
	"Set-HostedOutboundSpamFilterPolicy", "New-HostedOutboundSpamFilterPolicy", "New-RemoteDomain", "Set-RemoteDomain",
	"Set-HostedConnectionFilterPolicy", "Set-UnifiedAuditLogRetentionPolicy", "Set-RetentionCompliancePolicy",
}

var auditLogOff = detect.Meta{
	Name: "audit-log-off", Title: "The audit log was switched off", Family: "protection off",
	Severity: tocsin.Critical, Attack: []string{"T1562.008"}, Stage: "hiding",
	Says:           "The unified audit log, or mailbox auditing for the whole organisation, was disabled.",
	FalsePositives: "Next to none.",
	Fix:            "Switch it on again, and treat the time between as unseen.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "audit_log",
}

var mailboxAuditOff = detect.Meta{
	Name: "mailbox-audit-off", Title: "A mailbox is no longer audited", Family: "protection off",
	Severity: tocsin.High, Attack: []string{"T1562.008"}, Stage: "hiding",
	Says:           "Auditing was switched off, or its actions narrowed, on one mailbox.",
	FalsePositives: "A resource mailbox under a migration.",
	Fix:            "Switch it on again with Set-Mailbox -AuditEnabled $true.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var mailboxAuditBypass = detect.Meta{
	Name: "mailbox-audit-bypass", Title: "Somebody's acts in mailboxes are no longer recorded", Family: "protection off",
	Severity: tocsin.High, Attack: []string{"T1562.008", "T1098"}, Stage: "hiding",
	Says:           "Set-MailboxAuditBypassAssociation exempts an account: what it reads leaves no record.",
	FalsePositives: "Backup and journaling accounts.",
	Fix:            "Remove the bypass unless a product needs it.",
	Actions:        []string{"revoke_sessions", "suspend"}, Source: "audit_log",
}

var mailProtectionOff = detect.Meta{
	Name: "mail-protection-off", Title: "A protection of mail was switched off", Family: "protection off",
	Severity: tocsin.Medium, Attack: []string{"T1562.001"}, Stage: "hiding",
	Says:           "An anti-phishing, Safe Links, Safe Attachments, malware, DKIM, DLP or retention policy was disabled or removed.",
	FalsePositives: "One policy replaced by another on the same day.",
	Fix:            "Restore the policy, or see that another covers the same people.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var automaticForwardingAllowed = detect.Meta{
	Name: "automatic-forwarding-allowed", Title: "Automatic forwarding outside was allowed", Family: "protection off",
	Severity: tocsin.Medium, Attack: []string{"T1114.003"}, Stage: "exfiltration",
	Says:           "The outbound policy or a remote domain now lets mailboxes forward outside by themselves.",
	FalsePositives: "A partner's domain that was agreed on.",
	Fix:            "Set AutoForwardingMode to Off, or AutoForwardEnabled to false.",
	Actions:        []string{}, Source: "audit_log",
}

func judgeAuditOff(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) || auditService(r) {
		return nil
	}
	off := func(m *detect.Meta, points int, subject, what string) []tocsin.Finding {
		terms := auditTerms(points, what)
		auditOutsider(r, &terms)
		why := fmt.Sprintf("%s%s.", what, auditBy(r))
		return auditOne(auditFinding(o, m, r, r.Actor, subject, "", why, terms))
	}
	switch r.Operation {
	case "Set-AdminAuditLogConfig":
		if auditSaid(r, "UnifiedAuditLogIngestionEnabled", "false") || auditSaid(r, "AdminAuditLogEnabled", "false") {
			return off(&auditLogOff, 90, "audit-log", "The audit log of the organisation was switched off")
		}
	case "Set-OrganizationConfig":
		if auditSaid(r, "AuditDisabled", "true") {
			return off(&auditLogOff, 90, "mailbox-audit", "Mailbox auditing was switched off for the whole organisation")
		}
	case "Set-Mailbox":
		if auditSaid(r, "AuditEnabled", "false") {
			mailbox := mainAddress(o, auditMailbox(r))
			return off(&mailboxAuditOff, 68, strings.ToLower(mailbox), "The mailbox "+mailbox+" is no longer audited")
		}
	case "Set-MailboxAuditBypassAssociation":
		if auditSaid(r, "AuditByPassEnabled", "true") {
			account := mainAddress(o, auditMailbox(r))
			return off(&mailboxAuditBypass, 75, strings.ToLower(account), "What "+account+" does in mailboxes is no longer recorded")
		}
	}
	return nil
}

// protections are the objects whose Remove- and Disable- cmdlets take a protection away.
var protections = map[string]string{
	"AntiPhishPolicy": "anti-phishing policy", "AntiPhishRule": "anti-phishing rule", "SafeLinksPolicy": "Safe Links policy",
	"SafeLinksRule": "Safe Links rule", "SafeAttachmentPolicy": "Safe Attachments policy", "SafeAttachmentRule": "Safe Attachments rule",
	"MalwareFilterPolicy": "malware filter policy", "MalwareFilterRule": "malware filter rule",
	"HostedContentFilterPolicy": "spam filter policy", "HostedContentFilterRule": "spam filter rule",
	"HostedOutboundSpamFilterPolicy": "outbound spam policy", "HostedOutboundSpamFilterRule": "outbound spam rule",
	"DlpPolicy": "data loss policy", "DlpCompliancePolicy": "data loss policy", "DlpComplianceRule": "data loss rule",
	"RetentionCompliancePolicy": "retention policy", "RetentionComplianceRule": "retention rule",
	"UnifiedAuditLogRetentionPolicy": "audit retention policy", "EOPProtectionPolicyRule": "preset security policy",
	"ATPProtectionPolicyRule": "preset security policy", "ProtectionAlert": "alert policy", "DkimSigningConfig": "DKIM signing",
	"CaseHoldPolicy": "hold", "QuarantinePolicy": "quarantine policy", "InsiderRiskPolicy": "insider risk policy",
}

func judgeProtectionOff(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) || auditService(r) {
		return nil
	}
	verb, object, _ := strings.Cut(r.Operation, "-")
	name := transportName(r)
	raise := func(points int, what string) []tocsin.Finding {
		terms := auditTerms(points, what)
		auditOutsider(r, &terms)
		why := fmt.Sprintf("%s: %s%s.", strings.ToUpper(what[:1])+what[1:], name, auditBy(r))
		return auditOne(auditFinding(o, &mailProtectionOff, r, r.Actor, strings.ToLower(object+":"+name), "", why, terms))
	}
	if what, ok := protections[object]; ok && (verb == "Remove" || verb == "Disable") {
		return raise(45, map[string]string{"Remove": "removed the ", "Disable": "switched off the "}[verb]+what)
	}
	switch {
	case r.Operation == "Set-DkimSigningConfig" && auditSaid(r, "Enabled", "false"):
		return raise(45, "switched off DKIM signing")
	case (object == "AntiPhishPolicy" || object == "SafeLinksPolicy" || object == "SafeAttachmentPolicy") && verb == "Set" &&
		(auditSaid(r, "Enabled", "false") || auditSaid(r, "Enable", "false") || auditSaid(r, "IsEnabled", "false") ||
			auditSaid(r, "EnableSafeLinksForEmail", "false")):
		return raise(45, "switched off the "+protections[object])
	case r.Operation == "Set-AtpPolicyForO365" && (auditSaid(r, "EnableATPForSPOTeamsODB", "false") || auditSaid(r, "EnableSafeDocs", "false")):
		return raise(45, "switched off the protection of files")
	case (object == "DlpPolicy" || object == "DlpCompliancePolicy") && verb == "Set" && (auditSaid(r, "State", "Disabled") || auditSaid(r, "Mode", "Disable")):
		return raise(45, "switched off the "+protections[object])
	}
	return nil
}

func judgeForwardingAllowed(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) || auditService(r) {
		return nil
	}
	var what string
	switch r.Operation {
	case "Set-HostedOutboundSpamFilterPolicy", "New-HostedOutboundSpamFilterPolicy":
		if auditSaid(r, "AutoForwardingMode", "on") {
			what = "the outbound policy " + transportName(r) + " lets every mailbox forward outside"
		}
	case "New-RemoteDomain", "Set-RemoteDomain":
		if domain, _ := auditParam(r, "DomainName"); auditSaid(r, "AutoForwardEnabled", "true") && !o.Partners[strings.ToLower(domain)] {
			what = "mail may be forwarded by itself to the remote domain " + transportName(r)
		}
	}
	if what == "" {
		return nil
	}
	why := strings.ToUpper(what[:1]) + what[1:] + auditBy(r) + "."
	return auditOne(auditFinding(o, &automaticForwardingAllowed, r, r.Actor, strings.ToLower(transportName(r)), "", why, auditTerms(45, what)))
}
