package posture

import (
	"strings"
	"testing"
)

// TestProtection judges what protects mail: well, ill, and where it is not told; a policy counts only where a rule gives it to somebody.
func TestProtection(t *testing.T) {
	const (
		phishGood = `"EnableSpoofIntelligence":true,"EnableFirstContactSafetyTips":true,"EnableUnauthenticatedSender":true,"EnableViaTag":true,"HonorDmarcPolicy":true,"AuthenticationFailAction":"Quarantine","DmarcRejectAction":"Reject","DmarcQuarantineAction":"Quarantine"`
		phishBad  = `"EnableSpoofIntelligence":false,"AuthenticationFailAction":"MoveToJmf"`
		linksGood = `"EnableSafeLinksForEmail":true,"EnableSafeLinksForTeams":true,"EnableSafeLinksForOffice":true,"TrackClicks":true,"AllowClickThrough":false,"ScanUrls":true,"EnableForInternalSenders":true,"DeliverMessageAfterScan":true,"DisableUrlRewrite":false`
		everybody = `[{"Name":"Standard Preset Security Policy","State":"Enabled","SentTo":[],"SentToMemberOf":[],"RecipientDomainIs":[]}]`
		oneDomain = `[{"Name":"Strict Preset Security Policy","State":"Enabled","RecipientDomainIs":["acme.example"]}]`
		board     = `[{"Name":"Strict Preset Security Policy","State":"Enabled","SentToMemberOf":["board@acme.example"]}]`
		domains   = `[{"id":"acme.example","isVerified":true},{"id":"acme.onmicrosoft.com","isVerified":true}]`
		usual     = `"AuditEnabled":true,"AuditLogAgeLimit":"90.00:00:00","DefaultAuditSet":["Admin","Delegate","Owner"]`
	)
	for _, c := range []struct {
		name, check string
		state       map[string]string
		want        Status
		says        string // in its sentence
	}{
		{"the standing policy is good", "mail-phishing", map[string]string{pathMailPhish: `[{"Name":"Default","IsDefault":true,` + phishGood + `}]`}, Pass, "1 anti-phishing policy"},
		{"the standing policy is bad", "mail-phishing", map[string]string{pathMailPhish: `[{"Name":"Default","IsDefault":true,` + phishBad + `}]`}, Fail, "holds for whoever no other policy does"},
		{"a bad one that holds for nobody", "mail-phishing", map[string]string{pathMailPhish: `[{"Name":"Default","IsDefault":true,` + phishGood + `},{"Name":"Old",` + phishBad + `}]`, pathMailPhishRules: `[{"AntiPhishPolicy":"Old","State":"Disabled"}]`}, Pass, "1 anti-phishing policy"},
		{"a bad one that holds for some", "mail-phishing", map[string]string{pathMailPhish: `[{"Name":"Default","IsDefault":true,` + phishGood + `},{"Name":"Old",` + phishBad + `}]`, pathMailPhishRules: `[{"Name":"x","AntiPhishPolicy":"old","State":"Enabled"}]`}, Fail, "Old"},
		{"a bad one, the rules not read", "mail-phishing", map[string]string{pathMailPhish: `[{"Name":"Default","IsDefault":true,` + phishGood + `},{"Name":"Old",` + phishBad + `}]`}, Unknown, "for whom the others hold"},
		{"no member that tells", "mail-phishing", map[string]string{pathMailPhish: `[{"Name":"Default","IsDefault":true}]`}, Unknown, "does not tell"},
		{"no policy", "mail-phishing", map[string]string{pathMailPhish: `[]`}, Unknown, "holds for anybody"},
		{"people and domains", "mail-impersonation", map[string]string{pathMailPhish: `[{"Name":"D","IsDefault":true,"EnableTargetedUserProtection":true,"EnableOrganizationDomainsProtection":true,"TargetedUsersToProtect":["Ann;ann@acme.example"]}]`}, Pass, "1 person"},
		{"domains alone", "mail-impersonation", map[string]string{pathMailPhish: `[{"Name":"D","IsDefault":true,"EnableTargetedUserProtection":false,"EnableOrganizationDomainsProtection":true}]`}, Fail, "named people"},
		{"a preset's", "mail-impersonation", map[string]string{pathMailPhish: `[{"Name":"D","IsDefault":true,"EnableTargetedUserProtection":false,"EnableOrganizationDomainsProtection":false},{"Name":"Strict1","RecommendedPolicyType":"Strict","EnableTargetedUserProtection":true,"EnableOrganizationDomainsProtection":true,"TargetedUsersToProtect":["Ann;ann@acme.example"]}]`,
			pathMailPreset: `[{"Name":"Strict Preset Security Policy","State":"Enabled","AntiPhishPolicy":"Strict1"}]`}, Pass, "Strict1"},
		{"a preset's that is off", "mail-impersonation", map[string]string{pathMailPhish: `[{"Name":"D","IsDefault":true,"EnableTargetedUserProtection":false,"EnableOrganizationDomainsProtection":false},{"Name":"Strict1","RecommendedPolicyType":"Strict","EnableTargetedUserProtection":true,"EnableOrganizationDomainsProtection":true,"TargetedUsersToProtect":["Ann;ann@acme.example"]}]`,
			pathMailPreset: `[{"Name":"Strict Preset Security Policy","State":"Disabled","AntiPhishPolicy":"Strict1"}]`}, Fail, "named people"},
		{"no such protection", "mail-impersonation", map[string]string{pathMailPhish: `[{"Name":"D","IsDefault":true}]`}, Unknown, "Defender"},
		{"a preset for everybody", "mail-preset", map[string]string{pathMailPreset: everybody, pathMailPresetOffice: everybody}, Pass, "Defender"},
		{"a preset for one of two domains", "mail-preset", map[string]string{pathMailPreset: oneDomain, pathMailPresetOffice: oneDomain, pathDomains: domains}, Fail, "neither"},
		{"a preset for the board", "mail-preset", map[string]string{pathMailPreset: everybody, pathMailPresetOffice: board}, Fail, "for Defender for Office 365"},
		{"the board's is strict", "mail-preset-strict", map[string]string{pathMailPreset: board, pathMailPresetOffice: board}, Pass, "strict"},
		{"none is strict", "mail-preset-strict", map[string]string{pathMailPreset: everybody, pathMailPresetOffice: everybody}, Fail, "neither"},
		{"half of it read", "mail-preset-strict", map[string]string{pathMailPreset: board}, Unknown, "ATPProtectionPolicyRule"},
		{"links", "mail-links", map[string]string{pathMailLinks: `[{"Name":"B","IsBuiltInProtection":true,` + linksGood + `}]`}, Pass, "Safe Links"},
		{"a click goes through", "mail-links", map[string]string{pathMailLinks: `[{"Name":"B","IsBuiltInProtection":true,` + strings.Replace(linksGood, `"AllowClickThrough":false`, `"AllowClickThrough":true`, 1) + `}]`}, Fail, "AllowClickThrough is on"},
		{"attachments", "mail-attachments", map[string]string{pathMailAttached: `[{"Name":"B","IsBuiltInProtection":true,"Enable":true,"Redirect":false,"Action":"Block","QuarantineTag":"AdminOnlyAccessPolicy"}]`}, Pass, "Safe Attachments"},
		{"attachments let through", "mail-attachments", map[string]string{pathMailAttached: `[{"Name":"B","IsBuiltInProtection":true,"Enable":true,"Redirect":false,"Action":"Allow"}]`}, Fail, "Action is Allow"},
		{"files", "mail-attachments-files", map[string]string{pathMailOffice: `[{"Name":"D","EnableATPForSPOTeamsODB":true,"EnableSafeDocs":true,"AllowSafeDocsOpen":false}]`}, Pass, ""},
		{"files open all the same", "mail-attachments-files", map[string]string{pathMailOffice: `[{"Name":"D","EnableATPForSPOTeamsODB":true,"EnableSafeDocs":true,"AllowSafeDocsOpen":true}]`}, Fail, "AllowSafeDocsOpen is on"},
		{"types", "mail-malware-types", map[string]string{pathMailMalware: `[{"Name":"D","IsDefault":true,"EnableFileFilter":true,"FileTypes":[]}]`}, Pass, ""},
		{"no types", "mail-malware-types", map[string]string{pathMailMalware: `[{"Name":"D","IsDefault":true,"EnableFileFilter":false}]`}, Fail, "is off"},
		{"what runs at a click", "mail-malware-executables", map[string]string{pathMailMalware: `[{"Name":"D","IsDefault":true,"EnableFileFilter":true,"FileTypes":["` + strings.Join(blockedTypes, `","`) + `"]}]`}, Pass, ""},
		{"some of what runs at a click", "mail-malware-executables", map[string]string{pathMailMalware: `[{"Name":"D","IsDefault":true,"EnableFileFilter":true,"FileTypes":["exe"]}]`}, Fail, "and 46 more"},
		{"told of malware", "mail-malware-told", map[string]string{pathMailMalware: `[{"Name":"D","IsDefault":true,"EnableInternalSenderAdminNotifications":true,"InternalSenderAdminAddress":"soc@acme.example"}]`}, Pass, ""},
		{"told of malware, nobody named", "mail-malware-told", map[string]string{pathMailMalware: `[{"Name":"D","IsDefault":true,"EnableInternalSenderAdminNotifications":true,"InternalSenderAdminAddress":null}]`}, Fail, "address"},
		{"told of spam", "mail-outbound-told", map[string]string{pathMailOutbound: `[{"Name":"D","IsDefault":true,"NotifyOutboundSpam":true,"NotifyOutboundSpamRecipients":["a@b"],"BccSuspiciousOutboundMail":true,"BccSuspiciousOutboundAdditionalRecipients":["a@b"]}]`}, Pass, ""},
		{"told of spam, nobody named", "mail-outbound-told", map[string]string{pathMailOutbound: `[{"Name":"D","IsDefault":true,"NotifyOutboundSpam":true,"BccSuspiciousOutboundMail":true}]`}, Fail, "is empty"},
		{"the audit log is on", "mail-audit-log", map[string]string{pathMailLog: `[{"Name":"A","UnifiedAuditLogIngestionEnabled":true}]`}, Pass, ""},
		{"the audit log is off", "mail-audit-log", map[string]string{pathMailLog: `[{"Name":"A","UnifiedAuditLogIngestionEnabled":false}]`}, Fail, "nothing"},
		{"priority", "mail-priority-accounts", map[string]string{pathMailPriority: `[{"EnablePriorityAccountProtection":false}]`}, Fail, ""},
		{"Teams", "mail-teams-purge", map[string]string{pathMailTeams: `[{"ZapEnabled":true}]`}, Pass, ""},
		{"reports", "mail-reports", map[string]string{pathMailReports: `[{"ReportJunkToCustomizedAddress":true,"ReportNotJunkToCustomizedAddress":true,"ReportPhishToCustomizedAddress":true,"ReportChatMessageToCustomizedAddressEnabled":true,"ReportChatMessageEnabled":false,"ReportJunkAddresses":["a"],"ReportNotJunkAddresses":["a"],"ReportPhishAddresses":["a"]}]`}, Pass, ""},
		{"reports to Microsoft alone", "mail-reports", map[string]string{pathMailReports: `[{"ReportJunkToCustomizedAddress":false,"ReportChatMessageEnabled":true}]`}, Fail, "ReportJunkToCustomizedAddress is off"},
		{"bookings for everybody", "mail-bookings", map[string]string{pathMailOrg: `[{"BookingsEnabled":true}]`, pathMailWeb: `[{"IsDefault":true,"BookingsMailboxCreationEnabled":true}]`}, Fail, "booking"},
		{"bookings for some", "mail-bookings", map[string]string{pathMailOrg: `[{"BookingsEnabled":true}]`, pathMailWeb: `[{"IsDefault":true,"BookingsMailboxCreationEnabled":false}]`}, Pass, ""},
		{"bookings, for whom not read", "mail-bookings", map[string]string{pathMailOrg: `[{"BookingsEnabled":true}]`}, Unknown, "who may make them"},
		{"a mailbox lost with its licence", "mail-delicensing", map[string]string{pathMailOrg: `[{"DelayedDelicensingEnabled":false}]`, pathSkus: `[{"prepaidUnits":{"enabled":4000}},{"prepaidUnits":{"enabled":1000}}]`}, Fail, ""},
		{"too small for it", "mail-delicensing", map[string]string{pathMailOrg: `[{"DelayedDelicensingEnabled":false}]`, pathSkus: `[{"prepaidUnits":{"enabled":300}}]`}, Pass, "300"},
		{"a shared mailbox that signs in", "mail-shared-sign-in", map[string]string{pathMailBoxes: `[{"ExternalDirectoryObjectId":"s","RecipientTypeDetails":"SharedMailbox","DisplayName":"Info"}]`, pathUsers: `[{"id":"s","accountEnabled":true}]`}, Fail, "Info"},
		{"one that does not", "mail-shared-sign-in", map[string]string{pathMailBoxes: `[{"ExternalDirectoryObjectId":"s","RecipientTypeDetails":"SharedMailbox"},{"ExternalDirectoryObjectId":"p","RecipientTypeDetails":"UserMailbox"}]`, pathUsers: `[{"id":"s","accountEnabled":false},{"id":"p","accountEnabled":true}]`}, Pass, ""},
		{"Microsoft's own set", "mail-audit-mailboxes", map[string]string{pathMailBoxes: `[{"ExternalDirectoryObjectId":"s",` + usual + `}]`}, Pass, ""},
		{"a set of one's own that lacks something", "mail-audit-mailboxes", map[string]string{pathMailBoxes: `[{"DisplayName":"Ann","AuditEnabled":true,"DefaultAuditSet":["Admin","Delegate"],"AuditOwner":["HardDelete"]}]`}, Fail, "Ann"},
		{"mailboxes that do not say", "mail-audit-mailboxes", map[string]string{pathMailBoxes: `[{"DisplayName":"Ann"},{"DisplayName":"Bo",` + usual + `}]`}, Unknown, "Of 1 mailbox"},
		{"a short memory", "mail-audit-mailboxes", map[string]string{pathMailBoxes: `[{"DisplayName":"Ann",` + strings.Replace(usual, "90.", "7.", 1) + `}]`}, Fail, "Ann"},
		{"an address of Microsoft's", "mail-own-domain", map[string]string{pathUsers: `[{"id":"a","displayName":"Ann","mail":"ann@acme.onmicrosoft.com"},{"id":"g","userType":"Guest","mail":"g@other.onmicrosoft.com"}]`}, Fail, "1 mailbox"},
		{"addresses of one's own", "mail-own-domain", map[string]string{pathUsers: `[{"id":"a","mail":"ann@acme.example"}]`}, Pass, ""},
		{"no address told", "mail-own-domain", map[string]string{pathUsers: `[{"id":"a"}]`}, Unknown, ""},
	} {
		r := result(t, world(t, c.state), c.check)
		if r.Status != c.want || !strings.Contains(r.Why, c.says) {
			t.Errorf("%s: %s is %s, want %s with %q: %s", c.name, c.check, r.Status, c.want, c.says, r.Why)
		}
	}
}
