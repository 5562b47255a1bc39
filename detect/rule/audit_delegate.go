package rule

import (
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// delegateEvents judge who was given the right to read, or to send from, somebody else's mailbox.
var delegateEvents = []detect.Event{
	{Meta: mailboxAccessToOneself, Judge: judgeDelegation},
	{Meta: delegationToLookAlike, Judge: auditBeside},
	{Meta: mailboxFullAccess, Judge: auditBeside},
	{Meta: sendAsGranted, Judge: auditBeside},
	{Meta: sendOnBehalfGranted, Judge: auditBeside},
	{Meta: folderOpenedToEveryone, Judge: judgeFolder},
	{Meta: folderSharedWithPerson, Judge: auditBeside},
	{Meta: managementRoleAssigned, Judge: judgeManagementRole},
}

var delegateOperations = []string{
	"Add-MailboxPermission", "Add-RecipientPermission", "Set-Mailbox", "Add-MailboxFolderPermission", "Set-MailboxFolderPermission",
	"AddFolderPermissions", "ModifyFolderPermissions", "UpdateFolderPermissions", "New-ManagementRoleAssignment", "Add-RoleGroupMember",
}

var mailboxAccessToOneself = detect.Meta{
	Name: "mailbox-access-to-oneself", Title: "Somebody gave himself access to a mailbox", Family: "delegation",
	Severity: tocsin.High, Attack: []string{"T1098.002"}, Stage: "lateral_movement",
	Says:           "Who granted the right over somebody else's mailbox is who received it.",
	FalsePositives: "An administrator who had to look into a mailbox and was asked to.",
	Fix:            "Ask for the ticket; without one remove the right and look at what was read.",
	Actions:        []string{"remove_delegation", "revoke_sessions"}, Source: "audit_log",
}

var delegationToLookAlike = detect.Meta{
	Name: "delegation-to-look-alike", Title: "A mailbox was opened to an account that looks like another", Family: "delegation",
	Severity: tocsin.High, Attack: []string{"T1098.002", "T1036"}, Stage: "persistence",
	Says:           "The account that received the right differs from somebody's name by a letter or a look-alike character.",
	FalsePositives: "Two people with nearly the same name.",
	Fix:            "Compare the two accounts; remove the right and block the false one.",
	Actions:        []string{"remove_delegation", "suspend"}, Source: "audit_log",
}

var mailboxFullAccess = detect.Meta{
	Name: "mailbox-full-access-granted", Title: "Full access to a mailbox was granted", Family: "delegation",
	Severity: tocsin.Medium, Attack: []string{"T1098.002"}, Stage: "lateral_movement",
	Says:           "Add-MailboxPermission gave somebody FullAccess to another's mailbox.",
	FalsePositives: "Assistants, stand-ins. A shared mailbox that an administrator gives to a colleague weighs less.",
	Fix:            "Confirm with the mailbox's owner; remove the right where nobody asked for it.",
	Actions:        []string{"remove_delegation"}, Source: "audit_log",
}

var sendAsGranted = detect.Meta{
	Name: "send-as-granted", Title: "The right to send as another was granted", Family: "delegation",
	Severity: tocsin.Medium, Attack: []string{"T1098.002"}, Stage: "lateral_movement",
	Says:           "Add-RecipientPermission gave somebody SendAs: mail from him cannot be told from the owner's.",
	FalsePositives: "Shared mailboxes and assistants.",
	Fix:            "Confirm with the owner; remove the right where nobody asked for it.",
	Actions:        []string{"remove_delegation"}, Source: "audit_log",
}

var sendOnBehalfGranted = detect.Meta{
	Name: "send-on-behalf-granted", Title: "The right to send on behalf of another was granted", Family: "delegation",
	Severity: tocsin.Medium, Attack: []string{"T1098.002"}, Stage: "lateral_movement",
	Says:           "Set-Mailbox named somebody in GrantSendOnBehalfTo.",
	FalsePositives: "Assistants.",
	Fix:            "Confirm with the owner; remove the right where nobody asked for it.",
	Actions:        []string{"remove_delegation"}, Source: "audit_log",
}

var managementRoleAssigned = detect.Meta{
	Name: "exchange-role-assigned", Title: "A powerful Exchange role was assigned", Family: "delegation",
	Severity: tocsin.High, Attack: []string{"T1098.002", "T1098.003"}, Stage: "persistence",
	Says:           "A role that opens every mailbox, such as ApplicationImpersonation, or membership in Organization Management was given.",
	FalsePositives: "A migration or backup product.",
	Fix:            "Confirm the product or the person; scope the role or remove it.",
	Actions:        []string{"remove_admin_role"}, Source: "audit_log",
}

// grant is a right over a mailbox.
type grant struct {
	meta    *detect.Meta
	mailbox string
	trustee string
	right   string
	points  int
}

func judgeDelegation(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) || auditService(r) {
		return nil
	}
	var out []tocsin.Finding
	for _, g := range grantsOf(r) {
		out = append(out, judgeGrant(o, mem, r, g))
	}
	return out
}

func grantsOf(r *detect.Record) []grant {
	mailbox := auditMailbox(r)
	if v, ok := auditParam(r, "Identity"); ok && v != "" {
		mailbox = auditAlias(r, v)
	}
	rights, _ := auditParam(r, "AccessRights")
	switch r.Operation {
	case "Add-MailboxPermission":
		user, _ := auditParam(r, "User")
		if !strings.Contains(strings.ToLower(rights), "fullaccess") || auditSaid(r, "Deny", "true") || BuiltIn(user) {
			return nil
		}
		return []grant{{&mailboxFullAccess, mailbox, user, "full access to", 42}}
	case "Add-RecipientPermission":
		user, _ := auditParam(r, "Trustee")
		if !strings.Contains(strings.ToLower(rights), "sendas") || BuiltIn(user) {
			return nil
		}
		return []grant{{&sendAsGranted, mailbox, user, "the right to send as", 40}}
	case "Set-Mailbox":
		v, ok := auditParam(r, "GrantSendOnBehalfTo")
		if !ok {
			return nil
		}
		var out []grant
		for _, user := range auditSplit(strings.Trim(v, "@{} ")) {
			if strings.EqualFold(user, "$null") || strings.HasPrefix(strings.ToLower(user), "remove=") {
				continue
			}
			user = strings.TrimPrefix(strings.TrimPrefix(user, "Add="), "add=")
			out = append(out, grant{&sendOnBehalfGranted, mailbox, strings.Trim(user, `"' `), "the right to send on behalf of", 35})
		}
		return out
	}
	return nil
}

// BuiltIn says whether a trustee is the mailbox itself or one of Exchange's own groups.
func BuiltIn(user string) bool {
	u := strings.ToLower(user)
	return u == "" || strings.HasPrefix(u, `nt authority\`) || strings.HasPrefix(u, "s-1-5-") && len(u) < 12 ||
		strings.Contains(u, "discovery management") || strings.Contains(u, "discoverysearchmailbox")
}

func judgeGrant(o *detect.Org, mem *detect.Memory, r *detect.Record, g grant) tocsin.Finding {
	g.mailbox = mainAddress(o, g.mailbox)
	subject := strings.ToLower(g.mailbox)
	trustee := mainAddress(o, auditAlias(r, g.trustee))
	cause := strings.ToLower(trustee)
	noteName(mem, r, g.mailbox)
	noteName(mem, r, r.Actor)
	terms := auditTerms(g.points, "a standing right over somebody's mailbox")
	auditOutsider(r, &terms)
	if o.For(g.meta).Outside(tocsin.Address{Address: trustee}) {
		terms.Add(20, "given to somebody outside")
	}
	if sharedOut(o, r.Actor, g.mailbox, trustee) {
		terms.Add(-20, "nobody can sign in to the mailbox itself: it is shared, and an administrator gave it to a colleague")
	}
	if made, ok := justMade(o, mem, r, trustee); ok {
		terms.Add(15, "given to an account made "+auditAgo(r.Time.Sub(made.At))+" before")
	}
	if twin := lookAlike(mem, trustee, g.mailbox, r.Actor); twin != "" {
		terms.Add(30, "the account looks like "+twin)
		why := fmt.Sprintf("%s received %s %s, and its name can be mistaken for %s%s.", trustee, g.right, g.mailbox, twin, auditBy(r))
		return auditFinding(o, &delegationToLookAlike, r, g.mailbox, subject, cause, why, terms)
	}
	if auditSame(r.Actor, trustee) && !auditSame(trustee, g.mailbox) {
		terms.Add(25, "who gave the right received it")
		why := fmt.Sprintf("%s gave himself %s %s%s.", r.Actor, g.right, g.mailbox, auditFrom(r))
		return auditFinding(o, &mailboxAccessToOneself, r, g.mailbox, subject, cause, why, terms)
	}
	why := fmt.Sprintf("%s received %s %s%s.", trustee, g.right, g.mailbox, auditBy(r))
	return auditFinding(o, g.meta, r, g.mailbox, subject, cause, why, terms)
}

// sharedOut says whether an administrator gave somebody inside a mailbox to whose account nobody can sign in. Departments' mailboxes are
// given so all the time: it is the only way to read them. Among 1,000 people it happens every few days.
func sharedOut(o *detect.Org, actor, mailbox, trustee string) bool {
	if o.Lookup == nil || actor == "" || auditSame(actor, trustee) {
		return false
	}
	who := o.Lookup(tocsin.CanonicalAddress(trustee))
	return o.Lookup(tocsin.CanonicalAddress(mailbox)).Blocked && who.Kind == detect.Person && !who.Blocked && o.Lookup(tocsin.CanonicalAddress(actor)).Admin
}

func judgeManagementRole(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) || auditService(r) {
		return nil
	}
	var role, who string
	switch r.Operation {
	case "New-ManagementRoleAssignment":
		role, _ = auditParam(r, "Role")
		for _, p := range []string{"User", "App", "SecurityGroup", "Policy"} {
			if v, ok := auditParam(r, p); ok && v != "" {
				who = v
			}
		}
	case "Add-RoleGroupMember":
		role, _ = auditParam(r, "Identity")
		who, _ = auditParam(r, "Member")
	default:
		return nil
	}
	points := map[string]int{"applicationimpersonation": 75, "application impersonation": 75, "organization management": 75,
		"mailbox import export": 65, "mailbox search": 65, "application mail.read": 65, "application mail.readwrite": 70,
		"application exchange full access": 80, "application mail full access": 75, "audit logs": 65, "discovery management": 65,
		"exchange administrators": 70, "security administrator": 65, "role management": 75, "organizationmanagement": 75}[strings.ToLower(role)]
	if points == 0 {
		return nil
	}
	terms := auditTerms(points, role+" reaches every mailbox")
	if _, scoped := auditParam(r, "CustomRecipientWriteScope"); scoped {
		terms.Add(-20, "held to a scope")
	}
	if auditSame(who, r.Actor) {
		terms.Add(15, "who gave it received it")
	}
	why := fmt.Sprintf("%s received the Exchange role %s%s.", who, role, auditBy(r))
	return auditOne(auditFinding(o, &managementRoleAssigned, r, who, strings.ToLower(who), strings.ToLower(role), why, terms))
}
