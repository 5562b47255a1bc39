package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// rights is what Exchange keeps of a mailbox beside what Graph tells.
type rights struct {
	forwardSMTP, forward string // ForwardingSmtpAddress, ForwardingAddress
	both                 bool   // DeliverToMailboxAndForward
	full, sendAs, behalf []string
	folders              []folderRight
	bypass               bool
}

type folderRight struct {
	folder, user string
	levels       []string
}

type transportRule struct {
	name   string
	params map[string]string
	off    bool
}

// of are the rights of a mailbox, made where there are none yet.
func (w *world) rightsOf(p *person) *rights {
	r := w.rights[p.i]
	if r == nil {
		r = &rights{folders: []folderRight{{"Inbox", "Default", []string{"None"}}, {"Inbox", "Anonymous", []string{"None"}},
			{"Calendar", "Default", []string{"AvailabilityOnly"}}, {"Calendar", "Anonymous", []string{"None"}}}}
		w.rights[p.i] = r
	}
	return r
}

func include(list []string, name string) []string {
	if slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, name) }) {
		return list
	}
	return append(list, name)
}

func exclude(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return strings.EqualFold(x, name) })
}

// command lets a cmdlet take effect on what Exchange keeps. What it does not change is only told by its record. The caller holds mu.
func (s *Sim) command(name, on string, params map[string]string) {
	get := func(names ...string) string {
		for _, n := range names {
			for k, v := range params {
				if strings.EqualFold(k, n) {
					return v
				}
			}
		}
		return ""
	}
	has := func(n string) bool {
		for k := range params {
			if strings.EqualFold(k, n) {
				return true
			}
		}
		return false
	}
	identity, folder, _ := strings.Cut(first(get("Identity"), on), ":")
	p := s.world.find(identity)
	if p == nil {
		p = s.world.find(on)
	}
	switch name {
	case "New-TransportRule", "Set-TransportRule", "Remove-TransportRule", "Disable-TransportRule", "Enable-TransportRule":
		s.world.transportRule(name, first(get("Name"), get("Identity"), on), params)
		return
	case "Set-AdminAuditLogConfig":
		if v := get("UnifiedAuditLogIngestionEnabled"); v != "" {
			s.feed.Off = strings.EqualFold(v, "False")
		}
		return
	}
	if p == nil {
		return
	}
	r := s.world.rightsOf(p)
	user := first(get("User"), get("Trustee"))
	switch name {
	case "Set-Mailbox":
		if has("ForwardingSmtpAddress") {
			r.forwardSMTP = get("ForwardingSmtpAddress")
		}
		if has("ForwardingAddress") {
			r.forward = get("ForwardingAddress")
		}
		if has("DeliverToMailboxAndForward") {
			r.both = strings.EqualFold(get("DeliverToMailboxAndForward"), "True")
		}
		if has("GrantSendOnBehalfTo") {
			r.behalf = nil
			for _, n := range strings.FieldsFunc(get("GrantSendOnBehalfTo"), func(c rune) bool { return c == ',' || c == ';' }) {
				r.behalf = include(r.behalf, strings.TrimSpace(n))
			}
		}
	case "Add-MailboxPermission":
		r.full = include(r.full, user)
	case "Remove-MailboxPermission":
		r.full = exclude(r.full, user)
	case "Add-RecipientPermission":
		r.sendAs = include(r.sendAs, user)
	case "Remove-RecipientPermission":
		r.sendAs = exclude(r.sendAs, user)
	case "Set-MailboxAuditBypassAssociation":
		r.bypass = strings.EqualFold(get("AuditBypassEnabled"), "True")
	case "Add-MailboxFolderPermission", "Set-MailboxFolderPermission", "Remove-MailboxFolderPermission":
		folder = first(strings.TrimPrefix(strings.ReplaceAll(folder, "/", `\`), `\`), "Top of Information Store")
		r.folders = slices.DeleteFunc(slices.Clone(r.folders), func(f folderRight) bool {
			return strings.EqualFold(f.folder, folder) && strings.EqualFold(f.user, user)
		})
		if name != "Remove-MailboxFolderPermission" {
			r.folders = append(r.folders, folderRight{folder, user, strings.Split(strings.ReplaceAll(get("AccessRights"), " ", ""), ",")})
		}
	}
}

func (w *world) transportRule(cmdlet, name string, params map[string]string) {
	i := slices.IndexFunc(w.transport, func(t transportRule) bool { return strings.EqualFold(t.name, name) })
	verb, _, _ := strings.Cut(cmdlet, "-")
	if i < 0 {
		if verb != "New" && verb != "Set" {
			return
		}
		w.transport = append(w.transport, transportRule{name: name, params: map[string]string{}})
		i = len(w.transport) - 1
	}
	switch verb {
	case "Remove":
		w.transport = slices.Delete(w.transport, i, i+1)
	case "Disable":
		w.transport[i].off = true
	case "Enable":
		w.transport[i].off = false
	default:
		for k, v := range params {
			w.transport[i].params[k] = v
		}
	}
}

// cmdlet is the body of a call of Exchange's administration.
type cmdlet struct {
	CmdletInput struct {
		CmdletName string
		Parameters map[string]any
	}
}

// admin answers a cmdlet. which are those that the endpoint runs; all where it is nil.
func (s *Sim) admin(r *request, which []string) reply {
	if !strings.EqualFold(r.vars[0], s.cfg.Tenant) && !s.world.accepted(r.vars[0]) {
		return s.refuse(r, http.StatusForbidden, "Forbidden", "The tenant in the address is not the token's.")
	}
	if s.feed.NoRole {
		return s.refuse(r, http.StatusForbidden, "Forbidden", "The role assigned to application %s isn't supported in this scenario. Please check online documentation for assigning correct Directory Roles to Azure AD Application for EXO App-Only Authentication.", s.app.id)
	}
	var c cmdlet
	if json.Unmarshal(r.body, &c) != nil || c.CmdletInput.CmdletName == "" {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "CmdletInput is missing.")
	}
	name := c.CmdletInput.CmdletName
	if r.header.Get("X-AnchorMailbox") == "" {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "The routing hint X-AnchorMailbox is missing.")
	}
	unknown := s.refuse(r, http.StatusBadRequest, "CommandNotFoundException", "The term '%s' is not recognized as the name of a cmdlet, function, script file, or operable program.", name)
	if which != nil && !slices.Contains(which, name) {
		return unknown
	}
	identity, _ := c.CmdletInput.Parameters["Identity"].(string)
	answer, ok := s.objectsOf(name, identity)
	if !ok {
		return unknown
	}
	if answer == nil {
		return s.refuse(r, http.StatusNotFound, "NotFound", "The operation couldn't be performed because object '%s' couldn't be found.", identity)
	}
	return s.adminPage(r, answer)
}

// adminPage is one page of an answer; the next is asked for with the same body.
func (s *Sim) adminPage(r *request, all []obj) reply {
	size := 1000
	if v, set := r.prefers("odata.maxpagesize"); set {
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			size = min(n, 1000)
		}
	}
	if s.feed.Page > 0 {
		size = s.feed.Page
	}
	from, _ := strconv.Atoi(r.query.get("$skiptoken"))
	from = min(max(from, 0), len(all))
	to := min(from+size, len(all))
	b := append([]byte(`{"@odata.context":"`), r.base...)
	b = append(b, `/$metadata#Collection(Exchange.GenericHashTable)","value":`...)
	b = appendList(b, all[from:to], appendObject)
	if to < len(all) {
		b = append(b, fmt.Sprintf(`,"@odata.nextLink":"%s/%s?$skiptoken=%d"`, r.base, r.path, to)...)
	}
	return ok(append(b, '}'))
}

// objectsOf are the objects a cmdlet gives; nil where it names nobody, false where there is no such cmdlet.
func (s *Sim) objectsOf(name, identity string) ([]obj, bool) {
	w := s.world
	of := func(one func(p *person, r *rights) []obj) []obj {
		out := []obj{}
		if identity != "" {
			who, _, _ := strings.Cut(identity, ":")
			p := w.find(who)
			if p == nil || !p.hasBox() {
				return nil
			}
			return append(out, one(p, w.rightsOf(p))...)
		}
		for i := range w.count() {
			if p := w.person(i); p != nil && p.hasBox() {
				r := w.rights[i]
				if r == nil {
					r = &rights{}
				}
				out = append(out, one(p, r)...)
			}
		}
		return out
	}
	switch name {
	case "Get-Mailbox":
		return of(func(p *person, r *rights) []obj {
			return []obj{{{"ExternalDirectoryObjectId", p.id}, {"UserPrincipalName", p.upn()}, {"PrimarySmtpAddress", p.mail}, {"DisplayName", p.display}, {"Identity", p.display},
				{"RecipientTypeDetails", map[kind]string{employee: "UserMailbox", shared: "SharedMailbox", room: "RoomMailbox", equipment: "EquipmentMailbox"}[p.kind]},
				{"ForwardingAddress", nullable(r.forward)}, {"ForwardingSmtpAddress", nullable(r.forwardSMTP)}, {"DeliverToMailboxAndForward", r.both},
				{"GrantSendOnBehalfTo", texts(r.behalf)}, {"AuditBypassEnabled", r.bypass}, {"AuditEnabled", true}, {"AuditLogAgeLimit", "90.00:00:00"}, {"DefaultAuditSet", []string{"Admin", "Delegate", "Owner"}}}}
		}), true
	case "Get-MailboxPermission":
		return of(func(p *person, r *rights) []obj {
			out := []obj{{{"Identity", p.display}, {"User", `NT AUTHORITY\SELF`}, {"AccessRights", []string{"FullAccess", "ReadPermission"}}, {"IsInherited", false}, {"Deny", false},
				{"MailboxUserPrincipalName", p.upn()}, {"ExternalDirectoryObjectId", p.id}}}
			for _, u := range r.full {
				out = append(out, obj{{"Identity", p.display}, {"User", u}, {"AccessRights", []string{"FullAccess"}}, {"IsInherited", false}, {"Deny", false},
					{"MailboxUserPrincipalName", p.upn()}, {"ExternalDirectoryObjectId", p.id}})
			}
			return out
		}), true
	case "Get-RecipientPermission":
		return of(func(p *person, r *rights) []obj {
			out := []obj{{{"Identity", p.mail}, {"Trustee", `NT AUTHORITY\SELF`}, {"AccessControlType", "Allow"}, {"AccessRights", []string{"SendAs"}}, {"IsInherited", false}}}
			for _, u := range r.sendAs {
				out = append(out, obj{{"Identity", p.mail}, {"Trustee", u}, {"AccessControlType", "Allow"}, {"AccessRights", []string{"SendAs"}}, {"IsInherited", false}})
			}
			return out
		}), true
	case "Get-MailboxFolderPermission":
		if identity == "" {
			return nil, true
		}
		_, folder, _ := strings.Cut(identity, ":")
		folder = first(strings.TrimPrefix(folder, `\`), "Top of Information Store")
		return of(func(p *person, r *rights) []obj {
			var out []obj
			for _, f := range r.folders {
				if strings.EqualFold(f.folder, folder) {
					out = append(out, obj{{"Identity", f.user}, {"FolderName", f.folder}, {"User", f.user}, {"AccessRights", f.levels}, {"IsValid", true}})
				}
			}
			return out
		}), true
	case "Get-TransportRule":
		out := []obj{}
		for _, t := range w.transport {
			state := "Enabled"
			if t.off {
				state = "Disabled"
			}
			o := obj{{"Name", t.name}, {"Identity", t.name}, {"State", state}, {"Mode", "Enforce"}}
			for _, k := range []string{"BlindCopyTo", "CopyTo", "RedirectMessageTo", "DeleteMessage", "From", "SentTo", "SubjectContainsWords"} {
				if v, set := t.params[k]; set {
					o = append(o, member{k, v})
				}
			}
			out = append(out, o)
		}
		return out, true
	case "Get-OrganizationConfig":
		return []obj{{{"Name", w.initial()}, {"Identity", w.initial()}, {"Guid", w.tenant}, {"AuditDisabled", false}, {"OAuth2ClientProfileEnabled", true}, {"MailTipsAllTipsEnabled", true},
			{"MailTipsExternalRecipientsTipsEnabled", false}, {"MailTipsGroupMetricsEnabled", true}, {"MailTipsLargeAudienceThreshold", 25}, {"RejectDirectSend", false}, {"CustomerLockboxEnabled", false}, {"BookingsEnabled", true}, {"DelayedDelicensingEnabled", false}}}, true
	case "Get-TransportConfig":
		return []obj{{{"Name", "Transport Settings"}, {"Identity", "Transport Settings"}, {"SmtpClientAuthenticationDisabled", true}}}, true
	case "Get-ExternalInOutlook":
		return []obj{{{"Identity", w.tenant}, {"Enabled", true}, {"AllowList", []string{}}}}, true
	case "Get-OwaMailboxPolicy":
		return []obj{{{"Name", "OwaMailboxPolicy-Default"}, {"Identity", "OwaMailboxPolicy-Default"}, {"IsDefault", true}, {"AdditionalStorageProvidersAvailable", true}, {"PersonalAccountsEnabled", true},
			{"PersonalAccountCalendarsEnabled", true}, {"BookingsMailboxCreationEnabled", true}}}, true
	case "Get-RoleAssignmentPolicy":
		return []obj{{{"Name", "Default Role Assignment Policy"}, {"Identity", "Default Role Assignment Policy"}, {"IsDefault", true}, {"AssignedRoles", []string{"MyBaseOptions", "My Marketplace Apps", "MyContactInformation"}}}}, true
	case "Get-HostedConnectionFilterPolicy":
		return []obj{{{"Name", "Default"}, {"Identity", "Default"}, {"IPAllowList", []string{}}, {"IPBlockList", []string{}}, {"EnableSafeList", false}}}, true
	case "Get-HostedContentFilterPolicy":
		return []obj{{{"Name", "Default"}, {"Identity", "Default"}, {"IsDefault", true}, {"AllowedSenderDomains", []string{}}, {"SpamAction", "MoveToJmf"}}}, true
	case "Get-HostedOutboundSpamFilterPolicy":
		return []obj{{{"Name", "Default"}, {"Identity", "Default"}, {"IsDefault", true}, {"AutoForwardingMode", "Automatic"}, {"NotifyOutboundSpam", false}, {"NotifyOutboundSpamRecipients", []string{}},
			{"BccSuspiciousOutboundMail", false}, {"BccSuspiciousOutboundAdditionalRecipients", []string{}}}}, true
	case "Get-DkimSigningConfig":
		return []obj{{{"Name", w.domain}, {"Identity", w.domain}, {"Domain", w.domain}, {"Enabled", true}, {"Status", "Valid"}}}, true
	case "Get-SharingPolicy":
		return []obj{{{"Name", "Default Sharing Policy"}, {"Identity", "Default Sharing Policy"}, {"Enabled", true}, {"Domains", []string{"Anonymous:CalendarSharingFreeBusyReviewer", "*:CalendarSharingFreeBusySimple"}}}}, true
	case "Get-RemoteDomain":
		return []obj{{{"Name", "Default"}, {"Identity", "Default"}, {"DomainName", "*"}, {"AutoForwardEnabled", true}}}, true
	case "Get-MailboxAuditBypassAssociation":
		return of(func(p *person, r *rights) []obj {
			return []obj{{{"Name", p.display}, {"Identity", p.display}, {"Guid", p.id}, {"AuditBypassEnabled", r.bypass}}}
		}), true
	}
	if out, ok := s.protection(name); ok {
		return out, true
	}
	switch name {
	case "Get-AcceptedDomain":
		out := []obj{}
		for _, d := range append([]string{w.domain, w.initial()}, w.more...) {
			out = append(out, obj{{"DomainName", d}, {"Default", d == w.domain}, {"DomainType", "Authoritative"}})
		}
		return out, true
	}
	return nil, false
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func texts(list []string) []string { return append([]string{}, list...) }

func (s *Sim) invokeCommand(r *request) reply { return s.admin(r, nil) }

func (s *Sim) adminMailbox(r *request) reply { return s.admin(r, []string{"Get-Mailbox"}) }

func (s *Sim) adminFolders(r *request) reply {
	return s.admin(r, []string{"Get-MailboxFolderPermission"})
}

func (s *Sim) adminDomains(r *request) reply { return s.admin(r, []string{"Get-AcceptedDomain"}) }

// protection are the settings of Exchange Online Protection and Defender for Office 365: as Microsoft delivers them, with a policy of the
// organisation's own for finance that has what the standing one lacks, and the strict preset for the board alone.
func (s *Sim) protection(name string) ([]obj, bool) {
	w := s.world
	policy := func(name, standing string, is bool, more ...member) obj {
		return append(obj{{"Name", name}, {"Identity", name}, {standing, is}, {"RecommendedPolicyType", "Custom"}}, more...)
	}
	const ours = "Finance"
	rule := func(link string) []obj {
		return []obj{{{"Name", ours}, {"Identity", ours}, {link, ours}, {"State", "Enabled"}, {"Priority", 0}, {"SentTo", []string{}}, {"SentToMemberOf", []string{"finance@" + w.domain}}, {"RecipientDomainIs", []string{}}}}
	}
	phish := func(name string, is bool, people []string) obj {
		return policy(name, "IsDefault", is, member{"Enabled", true}, member{"EnableSpoofIntelligence", true}, member{"AuthenticationFailAction", map[bool]string{true: "MoveToJmf", false: "Quarantine"}[is]},
			member{"HonorDmarcPolicy", true}, member{"DmarcRejectAction", "Reject"}, member{"DmarcQuarantineAction", "Quarantine"}, member{"EnableFirstContactSafetyTips", !is}, member{"EnableUnauthenticatedSender", true},
			member{"EnableViaTag", true}, member{"EnableTargetedUserProtection", !is}, member{"TargetedUsersToProtect", people}, member{"EnableOrganizationDomainsProtection", !is}, member{"EnableMailboxIntelligenceProtection", !is})
	}
	preset := []obj{{{"Name", "Strict Preset Security Policy"}, {"Identity", "Strict Preset Security Policy"}, {"State", "Enabled"}, {"Priority", 0}, {"SentTo", []string{}}, {"SentToMemberOf", []string{"board@" + w.domain}}, {"RecipientDomainIs", []string{}}}}
	switch name {
	case "Get-AntiPhishPolicy":
		return []obj{phish("Office365 AntiPhish Default", true, []string{}), phish(ours, false, []string{"Chief Executive;ceo@" + w.domain})}, true
	case "Get-AntiPhishRule":
		return rule("AntiPhishPolicy"), true
	case "Get-HostedOutboundSpamFilterRule":
		return []obj{}, true
	case "Get-MalwareFilterPolicy":
		return []obj{policy("Default", "IsDefault", true, member{"EnableFileFilter", true}, member{"FileTypes", []string{"ace", "ani", "apk", "app", "cmd", "exe", "jar", "reg", "scr", "vbe", "vbs"}}, member{"ZapEnabled", true},
			member{"EnableInternalSenderAdminNotifications", false}, member{"InternalSenderAdminAddress", nil})}, true
	case "Get-MalwareFilterRule":
		return []obj{}, true
	case "Get-SafeAttachmentPolicy":
		return []obj{policy("Built-In Protection Policy", "IsBuiltInProtection", true, member{"Enable", true}, member{"Action", "Block"}, member{"QuarantineTag", "AdminOnlyAccessPolicy"}, member{"Redirect", false})}, true
	case "Get-SafeAttachmentRule", "Get-SafeLinksRule":
		return []obj{}, true
	case "Get-SafeLinksPolicy":
		return []obj{policy("Built-In Protection Policy", "IsBuiltInProtection", true, member{"EnableSafeLinksForEmail", true}, member{"EnableSafeLinksForTeams", true}, member{"EnableSafeLinksForOffice", true}, member{"TrackClicks", true},
			member{"AllowClickThrough", true}, member{"ScanUrls", true}, member{"EnableForInternalSenders", false}, member{"DeliverMessageAfterScan", true}, member{"DisableUrlRewrite", true})}, true
	case "Get-AtpPolicyForO365":
		return []obj{{{"Name", "Default"}, {"Identity", "Default"}, {"EnableATPForSPOTeamsODB", true}, {"EnableSafeDocs", false}, {"AllowSafeDocsOpen", false}}}, true
	case "Get-EmailTenantSettings":
		return []obj{{{"Identity", w.initial()}, {"EnablePriorityAccountProtection", true}}}, true
	case "Get-EOPProtectionPolicyRule", "Get-ATPProtectionPolicyRule":
		return preset, true
	case "Get-TeamsProtectionPolicy":
		return []obj{{{"Name", "Teams Protection Policy"}, {"Identity", "Teams Protection Policy"}, {"ZapEnabled", true}}}, true
	case "Get-ReportSubmissionPolicy":
		return []obj{{{"Name", "DefaultReportSubmissionPolicy"}, {"Identity", "DefaultReportSubmissionPolicy"}, {"ReportJunkToCustomizedAddress", false}, {"ReportNotJunkToCustomizedAddress", false}, {"ReportPhishToCustomizedAddress", false},
			{"ReportJunkAddresses", []string{}}, {"ReportNotJunkAddresses", []string{}}, {"ReportPhishAddresses", []string{}}, {"ReportChatMessageEnabled", true}, {"ReportChatMessageToCustomizedAddressEnabled", false}}}, true
	case "Get-AdminAuditLogConfig":
		return []obj{{{"Name", "Admin Audit Log Settings"}, {"Identity", "Admin Audit Log Settings"}, {"AdminAuditLogEnabled", true}, {"UnifiedAuditLogIngestionEnabled", !s.feed.Off}}}, true
	}
	return nil, false
}
