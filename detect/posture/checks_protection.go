package posture

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What Exchange Online Protection and Defender for Office 365 are set to. Graph has none of it: it is told by Exchange's cmdlets, as the
// rest of its settings are. A policy of one's own holds for nobody until a rule says for whom.
// https://learn.microsoft.com/defender-office-365/mdo-about
const (
	pathMailPhish         = "/exchange/Get-AntiPhishPolicy"
	pathMailPhishRules    = "/exchange/Get-AntiPhishRule"
	pathMailOutboundRules = "/exchange/Get-HostedOutboundSpamFilterRule"
	pathMailMalware       = "/exchange/Get-MalwareFilterPolicy"
	pathMailMalwareRules  = "/exchange/Get-MalwareFilterRule"
	pathMailAttached      = "/exchange/Get-SafeAttachmentPolicy"
	pathMailAttachedRules = "/exchange/Get-SafeAttachmentRule"
	pathMailLinks         = "/exchange/Get-SafeLinksPolicy"
	pathMailLinksRules    = "/exchange/Get-SafeLinksRule"
	pathMailOffice        = "/exchange/Get-AtpPolicyForO365"
	pathMailPriority      = "/exchange/Get-EmailTenantSettings"
	pathMailPreset        = "/exchange/Get-EOPProtectionPolicyRule"
	pathMailPresetOffice  = "/exchange/Get-ATPProtectionPolicyRule"
	pathMailTeams         = "/exchange/Get-TeamsProtectionPolicy"
	pathMailReports       = "/exchange/Get-ReportSubmissionPolicy"
	pathMailLog           = "/exchange/Get-AdminAuditLogConfig"
	pathMailBoxes         = "/exchange/Get-Mailbox"
)

// guarded are the policies of one kind, and the rules that say for whom they hold.
type guarded struct {
	policies, rules string // paths
	what            string // what one of them is, for a sentence
	link            string // the member of a rule that names its policy
	standing        string // the member by which the policy is known that holds for whoever no other does
}

var (
	ofPhish    = guarded{pathMailPhish, pathMailPhishRules, "anti-phishing policy", "AntiPhishPolicy", "IsDefault"}
	ofOutbound = guarded{pathMailOutbound, pathMailOutboundRules, "outbound spam policy", "HostedOutboundSpamFilterPolicy", "IsDefault"}
	ofMalware  = guarded{pathMailMalware, pathMailMalwareRules, "anti-malware policy", "MalwareFilterPolicy", "IsDefault"}
	ofAttached = guarded{pathMailAttached, pathMailAttachedRules, "Safe Attachments policy", "SafeAttachmentPolicy", "IsBuiltInProtection"}
	ofLinks    = guarded{pathMailLinks, pathMailLinksRules, "Safe Links policy", "SafeLinksPolicy", "IsBuiltInProtection"}
)

// inForce are the policies that hold for somebody: the standing one, and those that a rule which is on gives to somebody; the rules of
// Microsoft's preset policies name theirs too. open are those of which that is not known, since the rules were not collected.
// https://learn.microsoft.com/powershell/module/exchangepowershell/get-eopprotectionpolicyrule
func (g guarded) inForce(s *State) (on, open []exchange) {
	ruled := map[string]bool{}
	for _, r := range all[exchange](s, g.rules) {
		if !strings.EqualFold(r.text("State"), "Disabled") {
			ruled[strings.ToLower(or(r.text(g.link), r.text("Name"), r.text("Identity")))] = true
		}
	}
	for _, path := range []string{pathMailPreset, pathMailPresetOffice} {
		for _, r := range all[exchange](s, path) {
			if named := r.text(g.link); named != "" && strings.EqualFold(r.text("State"), "Enabled") {
				ruled[strings.ToLower(named)] = true
			}
		}
	}
	known := s.has(g.rules)
	for _, p := range all[exchange](s, g.policies) {
		standing, _ := p.is(g.standing)
		switch {
		case standing || ruled[strings.ToLower(p.name())]:
			on = append(on, p)
		case !known && !strings.EqualFold(p.text("RecommendedPolicyType"), "Standard") && !strings.EqualFold(p.text("RecommendedPolicyType"), "Strict"):
			open = append(open, p)
		}
	}
	return on, open
}

// every judges each policy that holds for somebody by what is wrong with it: "" for nothing.
func (g guarded) every(wrong func(exchange) string) func(*State) Verdict {
	return func(s *State) Verdict {
		on, open := g.inForce(s)
		if len(on) == 0 {
			return undecided("No %s was told of that holds for anybody.", g.what)
		}
		var found []Object
		silent := false
		for _, p := range on {
			switch why := wrong(p); why {
			case "":
			case untold:
				silent = true
			default:
				if standing, _ := p.is(g.standing); standing {
					why += "; it holds for whoever no other policy does"
				}
				found = append(found, Object{ID: or(p.text("Guid"), p.text("Identity"), p.name()), Name: p.name(), Path: g.policies, Why: why})
			}
		}
		switch {
		case len(found) > 0:
			return fail("%s in force is not so: %s, %s.", count(len(found), g.what), found[0].Name, found[0].Why).with(found...)
		case silent:
			return undecided("What was read of the %s does not tell.", g.what)
		case slices.ContainsFunc(open, func(p exchange) bool { return wrong(p) != "" }):
			return undecided("It is so for the standing %s; for whom the others hold was not collected.", g.what)
		}
		return pass("It is so for %s in force.", count(len(on), g.what))
	}
}

// lacking says which of some switches is not as it should be: a name alone wants it on, one with "!" before it off.
func lacking(o exchange, names ...string) string {
	var wrong []string
	told := false
	for _, n := range names {
		name, off := strings.CutPrefix(n, "!")
		is, known := o.is(name)
		told = told || known
		switch {
		case known && is == off:
			wrong = append(wrong, name+" is "+map[bool]string{true: "on", false: "off"}[is])
		}
	}
	if len(wrong) == 0 && !told {
		return untold
	}
	return strings.Join(wrong, ", ")
}

// also adds what is wrong to what is.
func also(why string, more ...string) string {
	if why == untold {
		why = ""
	}
	for _, m := range more {
		if m != "" && why != "" {
			why += ", "
		}
		why += m
	}
	return why
}

// unlike says that a word is not one of those wanted.
func unlike(o exchange, name string, wanted ...string) string {
	is := o.text(name)
	if is == "" || slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, is) }) {
		return ""
	}
	return name + " is " + is
}

func wrongPhish(o exchange) string {
	why := lacking(o, "EnableSpoofIntelligence", "EnableFirstContactSafetyTips", "EnableUnauthenticatedSender", "EnableViaTag", "HonorDmarcPolicy")
	if why == untold {
		return untold
	}
	return also(why, unlike(o, "AuthenticationFailAction", "Quarantine"), unlike(o, "DmarcRejectAction", "Quarantine", "Reject"), unlike(o, "DmarcQuarantineAction", "Quarantine"))
}

// wrongOutbound wants somebody to be told when an account sends so much that it is stopped.
func wrongOutbound(o exchange) string {
	why := lacking(o, "NotifyOutboundSpam", "BccSuspiciousOutboundMail")
	if why == untold {
		return untold
	}
	for _, list := range []string{"NotifyOutboundSpamRecipients", "BccSuspiciousOutboundAdditionalRecipients"} {
		if len(o.list(list)) == 0 {
			why = also(why, list+" is empty")
		}
	}
	return why
}

// blockedTypes are kinds of attachment that run something on a double click or a script's call, which no mail needs to bring. Microsoft's
// common attachment filter has them since 2023. https://learn.microsoft.com/defender-office-365/anti-malware-protection-about
var blockedTypes = strings.Fields("ace ani apk app appx arj bat cab cmd com deb dex dll docm elf exe hta img iso jar jnlp kext lha lib library lnk lzh macho msc msi msix msp mst pif ppa ppam reg rev scf scr sct sys uif vb vbe vbs vxd wsc wsf wsh xll xz z")

// wrongTypes wants the filter of attachments to be on and to have at least what runs at a click.
func wrongTypes(wanted []string) func(exchange) string {
	return func(o exchange) string {
		on, known := o.is("EnableFileFilter")
		switch {
		case !known:
			return untold
		case !on:
			return "the filter of attachments by type is off"
		}
		has := list(o.list("FileTypes"))
		var without []string
		for _, w := range wanted {
			if !has.has(w) && !has.has("."+w) {
				without = append(without, w)
			}
		}
		if n := len(without); n > 0 {
			return fmt.Sprintf("it lets through %s", strings.Join(without[:min(n, 6)], ", ")+map[bool]string{true: fmt.Sprintf(" and %d more", n-6)}[n > 6])
		}
		return ""
	}
}

func wrongTold(o exchange) string {
	why := lacking(o, "EnableInternalSenderAdminNotifications")
	if why == "" && o.text("InternalSenderAdminAddress") == "" {
		return "nobody's address is given to be told"
	}
	return why
}

func wrongAttached(o exchange) string {
	why := lacking(o, "Enable", "!Redirect")
	if why == untold {
		return untold
	}
	return also(why, unlike(o, "Action", "Block"), unlike(o, "QuarantineTag", "AdminOnlyAccessPolicy"))
}

func wrongLinks(o exchange) string {
	return lacking(o, "EnableSafeLinksForEmail", "EnableSafeLinksForTeams", "EnableSafeLinksForOffice", "TrackClicks", "!AllowClickThrough", "ScanUrls", "EnableForInternalSenders", "DeliverMessageAfterScan", "!DisableUrlRewrite")
}

func wrongOffice(o exchange) string {
	return lacking(o, "EnableATPForSPOTeamsODB", "EnableSafeDocs", "!AllowSafeDocsOpen")
}

// wrongReports wants what people report of Teams to reach the organisation's own mailbox, as what they report of mail does.
func wrongReports(o exchange) string {
	why := lacking(o, "ReportJunkToCustomizedAddress", "ReportNotJunkToCustomizedAddress", "ReportPhishToCustomizedAddress", "ReportChatMessageToCustomizedAddressEnabled", "!ReportChatMessageEnabled")
	if why == untold {
		return untold
	}
	for _, list := range []string{"ReportJunkAddresses", "ReportNotJunkAddresses", "ReportPhishAddresses"} {
		if len(o.list(list)) == 0 {
			why = also(why, list+" is empty")
		}
	}
	return why
}

// judgeImpersonation wants mail that makes as if it came from people and domains of ours to be looked for.
func judgeImpersonation(s *State) Verdict {
	on, _ := ofPhish.inForce(s)
	if len(on) == 0 {
		return undecided("No anti-phishing policy was told of that holds for anybody.")
	}
	for _, p := range on {
		people, told := p.is("EnableTargetedUserProtection")
		domains, toldToo := p.is("EnableOrganizationDomainsProtection")
		if !told || !toldToo {
			return undecided("What was read of the anti-phishing policies does not tell: without Defender for Office 365 there is no such protection.")
		}
		if n := len(p.list("TargetedUsersToProtect")); people && domains && n > 0 {
			return pass("%s looks for mail that makes as if it came from %s or from domains of ours.", p.name(), count(n, "person"))
		}
	}
	return fail("No policy in force looks for mail that makes as if it came from named people and from domains of ours.").with(Object{ID: pathMailPhish, Name: "Anti-phishing policies", Path: pathMailPhish})
}

// presets are the rules by which Microsoft's preset policies hold, of both kinds of protection: of mail, and of Defender for Office 365.
func presets(s *State, wanted func(exchange) bool) (mail, office bool) {
	find := func(path string) bool {
		return slices.ContainsFunc(all[exchange](s, path), func(r exchange) bool {
			return strings.EqualFold(r.text("State"), "Enabled") && wanted(r)
		})
	}
	return find(pathMailPreset), find(pathMailPresetOffice)
}

func judgeStrict(s *State) Verdict {
	mail, office := presets(s, func(r exchange) bool { return strings.Contains(r.name(), "Strict Preset Security Policy") })
	return bothPresets(mail, office, "The strict preset policy is on", "The strict preset policy is not on")
}

// judgePresets wants everybody under one of the preset policies.
func judgePresets(s *State) Verdict {
	mail, office := presets(s, func(r exchange) bool {
		for _, some := range []string{"SentTo", "SentToMemberOf", "ExceptIfSentTo", "ExceptIfSentToMemberOf", "ExceptIfRecipientDomainIs"} {
			if len(r.list(some)) > 0 {
				return false
			}
		}
		domains := list(r.list("RecipientDomainIs"))
		if len(domains) == 0 {
			return strings.Contains(r.name(), "Preset Security Policy")
		}
		for _, d := range all[domain](s, pathDomains) {
			if d.Verified && !domains.has(d.ID) {
				return false
			}
		}
		return s.has(pathDomains)
	})
	return bothPresets(mail, office, "A preset policy holds for everybody", "No preset policy holds for everybody")
}

func bothPresets(mail, office bool, is, isNot string) Verdict {
	switch {
	case mail && office:
		return pass("%s, for mail and for Defender for Office 365.", is)
	case mail:
		return fail("%s for Defender for Office 365.", isNot).with(Object{ID: pathMailPresetOffice, Name: "Preset policies", Path: pathMailPresetOffice})
	case office:
		return fail("%s for mail.", isNot).with(Object{ID: pathMailPreset, Name: "Preset policies", Path: pathMailPreset})
	}
	return fail("%s, neither for mail nor for Defender for Office 365.", isNot).with(Object{ID: pathMailPreset, Name: "Preset policies", Path: pathMailPreset})
}

// judgeBookings wants shared booking pages to be nobody's to make: they are mailboxes that anybody inside can name as they like.
func judgeBookings(s *State) Verdict {
	org := one[exchange](s, pathMailOrg)
	if org == nil {
		return undecided("No setting of the organisation was told of.")
	}
	on, known := org.is("BookingsEnabled")
	switch {
	case !known:
		return undecided("Whether shared booking pages can be made is not told.")
	case !on:
		return pass("Shared booking pages are switched off.")
	case !s.has(pathMailWeb):
		return undecided("Shared booking pages are on; who may make them was not collected.")
	}
	for _, p := range all[exchange](s, pathMailWeb) {
		if standing, _ := p.is("IsDefault"); !standing {
			continue
		}
		if may, told := p.is("BookingsMailboxCreationEnabled"); told && !may {
			return pass("Who has the default policy of Outlook on the web cannot make shared booking pages.")
		}
	}
	return fail("Everybody may make shared booking pages, each with a mailbox by a name that they choose.").with(Object{ID: pathMailOrg, Name: or(org.text("Name"), "Exchange"), Path: pathMailOrg})
}

// judgeDelicensing wants mailboxes to stay for a while when a licence is taken away by mistake. Microsoft has that from 5,000 licences on.
// https://learn.microsoft.com/exchange/recipients-in-exchange-online/manage-user-mailboxes/exchange-online-delicensing-resiliency
func judgeDelicensing(s *State) Verdict {
	const from = 5000
	org := one[exchange](s, pathMailOrg)
	if org == nil {
		return undecided("No setting of the organisation was told of.")
	}
	on, known := org.is("DelayedDelicensingEnabled")
	paid, told := 0, false
	for _, k := range all[sku](s, pathSkus) {
		if k.Prepaid == nil {
			continue
		}
		told = true
		if len(k.Plans) == 0 || k.mailbox() {
			paid += k.Prepaid.Enabled
		}
	}
	switch {
	case on:
		return pass("A mailbox whose licence is taken away stays for thirty days.")
	case told && paid < from:
		return pass("Microsoft offers it from %d licences on; there are %d.", from, paid)
	case !known:
		return undecided("Whether a mailbox outlasts its licence is not told.")
	}
	return fail("A mailbox whose licence is taken away, by mistake perhaps, is out of reach at once.").with(Object{ID: pathMailOrg, Name: or(org.text("Name"), "Exchange"), Path: pathMailOrg})
}

// judgeSharedSignIn wants nobody to sign in as a shared mailbox: it is used by those whom it is given to.
func judgeSharedSignIn(s *State) Verdict {
	var bad []Object
	for _, m := range all[exchange](s, pathMailBoxes) {
		if !strings.EqualFold(m.text("RecipientTypeDetails"), "SharedMailbox") {
			continue
		}
		id := m.text("ExternalDirectoryObjectId")
		switch u := s.person(id); {
		case u == nil:
			bad = append(bad, Object{ID: or(id, m.name()), Name: m.name(), Path: pathMailBoxes, Why: "its account was not found in the directory"})
		case u.AccountEnabled == nil:
		case *u.AccountEnabled:
			bad = append(bad, Object{ID: u.ID, Name: or(m.text("DisplayName"), m.name()), Path: pathUsers, Why: "its account can sign in"})
		}
	}
	return none(bad, "shared mailbox", "has an account that can sign in, or is not known", "Nobody can sign in as a shared mailbox.")
}

// auditedAtLeast are the acts that each kind of person's record has by Microsoft's own set, but for those that hang on a licence.
// https://learn.microsoft.com/purview/audit-mailboxes
var auditedAtLeast = []struct {
	member, who string
	acts        []string
}{
	{"AuditAdmin", "administrators", strings.Fields("ApplyRecord Create HardDelete MoveToDeletedItems SendAs SendOnBehalf SoftDelete Update UpdateFolderPermissions UpdateInboxRules")},
	{"AuditDelegate", "delegates", strings.Fields("ApplyRecord Create HardDelete MoveToDeletedItems SendAs SendOnBehalf SoftDelete Update UpdateFolderPermissions UpdateInboxRules")},
	{"AuditOwner", "owners", strings.Fields("ApplyRecord HardDelete MoveToDeletedItems SoftDelete Update UpdateFolderPermissions UpdateInboxRules")},
}

// auditedDays is for how long a mailbox keeps its record at least.
const auditedDays = 90

// WrongAudit is what is wrong with what a mailbox records of itself; "" for nothing. told is false where Exchange does not say.
func WrongAudit(mailbox map[string]any) (why string, told bool) {
	on, told := exchange(mailbox).is("AuditEnabled")
	if !told {
		return "", false
	}
	return wrongAudit(mailbox, on), true
}

func wrongAudit(m exchange, on bool) string {
	if !on {
		return "it is switched off"
	}
	usual := list(m.list("DefaultAuditSet")) // of these Microsoft keeps the set as it should be
	for _, a := range auditedAtLeast {
		has := list(m.list(a.member))
		if usual.has(strings.TrimPrefix(a.member, "Audit")) || has == nil && m[a.member] == nil {
			continue
		}
		if at := slices.IndexFunc(a.acts, func(act string) bool { return !has.has(act) }); at >= 0 {
			return fmt.Sprintf("of %s it does not record %s", a.who, a.acts[at])
		}
	}
	if text := m.text("AuditLogAgeLimit"); text != "" {
		days, _, _ := strings.Cut(text, ".")
		if n, err := strconv.Atoi(days); err == nil && n < auditedDays {
			return fmt.Sprintf("it keeps the record for %s only", count(n, "day"))
		}
	}
	return ""
}

func judgeAuditSet(s *State) Verdict {
	var bad []Object
	silent := 0
	for _, m := range all[exchange](s, pathMailBoxes) {
		why, told := WrongAudit(m)
		if !told {
			silent++
		}
		if why != "" {
			bad = append(bad, Object{ID: or(m.text("ExternalDirectoryObjectId"), m.name()), Name: or(m.text("DisplayName"), m.name()), Path: pathMailBoxes, Why: why})
		}
	}
	if silent > 0 && len(bad) == 0 {
		return undecided("Of %s Exchange does not tell what is recorded.", count(silent, "mailbox"))
	}
	return none(bad, "mailbox", "has a record of less than Microsoft's own set", "Every mailbox records at least Microsoft's own set, for 90 days.")
}

// judgeOwnAddress wants mailboxes to have an address of a domain of ours: one of onmicrosoft.com is Microsoft's, and may not send much.
func judgeOwnAddress(s *State) Verdict {
	var bad []Object
	told := false
	for _, u := range all[user](s, pathUsers) {
		told = told || u.Mail != ""
		if !u.guest() && strings.HasSuffix(strings.ToLower(u.Mail), ".onmicrosoft.com") {
			bad = append(bad, Object{ID: u.ID, Name: u.name(), Path: pathUsers, Why: u.Mail})
		}
	}
	if !told {
		return undecided("No mailbox was told of.")
	}
	return none(bad, "mailbox", "has an address of onmicrosoft.com as its main one", "Every mailbox has an address of a domain of the organisation's own.")
}
