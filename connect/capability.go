package connect

import (
	"slices"
	"strings"

	"tocsin.dev/graph"
	"tocsin.dev/graph/permission"
)

// State is how well a capability works.
type State string

// The states. Degraded works in part and says what is lacking; off does nothing and says why.
const (
	Works    State = "works"
	Degraded State = "degraded"
	Off      State = "off"
)

// Capability is something a connection makes possible, by the calls it needs.
type Capability struct {
	Name    string
	Title   string
	Product Product  // under which it is shown
	Tier    Tier     // with which it is consented to
	Needs   []string // calls of graph.Calls without which it is off
	Helps   []string // calls without which it is degraded
	Lost    string   // what is lost without Helps, a phrase
	Cost    string   // what cannot be seen without it, a sentence
	// Optional says that a connection may well do without: its lack is told as a limit of what is known, not as a fault.
	Optional bool
	// Licence is the one that the tenant needs for it, and Plans are the service plans any of which is that licence.
	Licence string
	Plans   []string
	// Asks are the permissions of one that this version does not have (see [Later]).
	Asks []string
	// Not says why it can never be had from Graph, and Instead what to do.
	Not, Instead string
}

// Product is a Microsoft product that can be connected; one consent connects all of them.
type Product string

// The products.
const (
	Outlook    Product = "outlook"
	Entra      Product = "entra"
	Intune     Product = "intune"
	SharePoint Product = "sharepoint"
	Teams      Product = "teams"
)

// Tier is what a consent is for: an app registration each, so that reading never brings the right to act with it.
type Tier string

// The tiers.
const (
	Read    Tier = "read"    // collect and judge
	Respond Tier = "respond" // act: each capability off until granted
	// Investigate is to search mail and to take it out: it reads subjects, texts and attachments, and acts on mail alone. A
	// connection of this tier has a mail configuration, which says in whose mailboxes (see [Boundary]).
	Investigate Tier = "investigate"
	// Privileged is to act by permissions with which who has them could take the tenant (see [Dangerous]): passwords, sign-in
	// methods, roles, applications. It is an app registration of its own, so nobody consents to it by the way.
	Privileged Tier = "privileged"
	// Inbox is to read, write and send in shared mailboxes, in the name of a service account: its connections are [EmailConnection]s.
	Inbox Tier = "inbox"
)

// Capabilities is all that a connection may make possible, in the order pages show it.
var Capabilities = []Capability{
	{Name: "directory", Title: "People and groups", Product: Entra, Tier: Read, Needs: []string{"users.delta", "users.get"}, Helps: []string{"groups.delta", "groups.transitiveMembers", "contacts.delta"},
		Lost: "groups, their members and contacts cannot be looked into, so a rule that forwards to a group with an outside member or to a contact is not seen",
		Cost: "Nobody's mailbox can be found, so nothing else works."},
	{Name: "domains", Title: "Accepted domains", Product: Entra, Tier: Read, Needs: []string{"organization.list"}, Helps: []string{"domains.list"},
		Lost: "only the domains named with the organisation are known",
		Cost: "Inside and outside are told apart by the addresses of your people alone."},
	{Name: "roles", Title: "Directory roles", Product: Entra, Tier: Read, Needs: []string{"directoryRoles.list", "directoryRoles.members"},
		Cost: "Who is an administrator is not known, so pages and lists cannot tell administrators from others."},
	{Name: "consent", Title: "What is granted, and until when", Product: Entra, Tier: Read, Needs: []string{"servicePrincipals.byAppId", "servicePrincipals.appRoleAssignments"}, Helps: []string{"applications.byAppId"},
		Lost: "when the secret ends is known only if it is entered",
		Cost: "That a permission was taken from Tocsin, or given to it, shows only when Microsoft refuses or allows something."},
	{Name: "licences", Title: "The tenant's licences", Product: Entra, Tier: Read, Needs: []string{"subscribedSkus.list"},
		Cost: "What is off for want of a licence says so only when Microsoft refuses it."},
	{Name: "sign-ins", Title: "Sign-ins", Product: Entra, Tier: Read, Optional: true, Needs: []string{"signIns.list"}, Helps: []string{"signIns.interactive"}, Licence: "Entra ID P1", Plans: entraP1,
		Lost: "where Graph does not offer its beta, none are read",
		Cost: "Impossible travel, password sprays, stolen sessions and risky sign-ins are not seen; `tocsin analyze` finds them in exported sign-ins."},
	{Name: "directory-audits", Title: "Directory audits", Product: Entra, Tier: Read, Optional: true, Needs: []string{"directoryAudits.list"},
		Cost: "Roles given, consents, credentials of applications and changes of policy are seen by the activity feed only, where that is on."},
	{Name: "identity-protection", Title: "Identity Protection", Product: Entra, Tier: Read, Optional: true, Needs: []string{"riskyUsers.list", "riskDetections.list"},
		Helps: []string{"riskyServicePrincipals.list", "servicePrincipalRiskDetections.list"}, Licence: "Entra ID P2", Plans: entraP2,
		Lost: "whether Microsoft holds applications to be at risk is not known",
		Cost: "Leaked credentials, stolen tokens and other risks that Microsoft detects are seen only where a sign-in carries them."},
	{Name: "mailbox-rules", Title: "Inbox rules", Product: Outlook, Tier: Read, Needs: []string{"messageRules.list"}, Helps: []string{"mailFolders.get"},
		Lost: "the folders that rules move mail to are known by id only, so a folder nobody opens is not recognised",
		Cost: "Forwarding, hiding and deleting by inbox rules is not seen."},
	{Name: "mailbox-settings", Title: "Mailbox settings and purpose", Product: Outlook, Tier: Read, Needs: []string{"mailboxSettings.get"},
		Cost: "Shared mailboxes, automatic replies and time zones are not known."},
	{Name: "mail-activity", Title: "Mail activity as it happens", Product: Outlook, Tier: Read, Optional: true, Needs: []string{"subscriptions.create", "messages.get"}, Helps: []string{"messages.list"},
		Lost: "what happened while nothing was told cannot be looked up",
		Cost: "What comes, goes, is read, moved and deleted is not seen as it happens, and nothing unusual in it."},
	{Name: "mail-answers", Title: "Mail replied to and forwarded", Product: Outlook, Tier: Read, Optional: true, Needs: []string{"messages.get.answered"}, Helps: []string{"messages.list.answered"},
		Lost: "what was replied to or forwarded while nothing was told cannot be looked up",
		Cost: "That a message was replied to or forwarded is not told (Microsoft shows it under Mail.Read and not under Mail.ReadBasic.All), except where an inbox rule forwards it."},
	{Name: "mail-folders", Title: "Mail folders made, renamed, moved and deleted", Product: Outlook, Tier: Read, Optional: true, Needs: []string{"mailFolders.delta", "mailFolders.get"}, Helps: []string{"mailFolders.list"},
		Lost: "hidden folders are not seen",
		Cost: "A folder that somebody makes to hide mail in is not seen before a rule or a message names it, and folders are named by id only."},
	{Name: "mailbox-forwarding", Title: "Mailbox forwarding, Full Access, Send As, transport rules", Product: Outlook, Tier: Read, Optional: true,
		Needs: []string{"activity.content.list", "activity.content.get", "activity.subscriptions.list", "activity.subscriptions.start"},
		Cost:  "Changes of forwarding set on mailboxes, of delegation and of transport rules are not seen here; `tocsin analyze` finds them in an exported audit log."},
	{Name: "audit-search", Title: "Searching the audit log", Product: Outlook, Tier: Read, Optional: true, Needs: []string{"auditQueries.create", "auditQueries.get", "auditQueries.records"},
		Cost: "What is older than the seven days of the feed is not seen here; `tocsin analyze` finds it in an exported audit log."},
	{Name: "mailbox-rights", Title: "State of forwarding, Full Access and Send As", Product: Outlook, Tier: Read, Optional: true, Needs: []string{"exchange.command"},
		Cost: "How mailboxes stood before the audit log was read is not known."},
	{Name: "folder-permissions", Title: "Send on Behalf and folder permissions", Product: Outlook, Tier: Read, Optional: true, Needs: []string{"exchange.mailboxes", "exchange.folderPermissions"},
		Cost: "Folders that were opened to everybody before the audit log was read are not known."},
	{Name: "conditional-access", Title: "Conditional access and the tenant's policies", Product: Entra, Tier: Read, Optional: true, Needs: []string{"conditionalAccess.policies"},
		Helps: []string{"conditionalAccess.namedLocations", "policies.authorization", "policies.securityDefaults", "policies.adminConsent", "policies.authenticationMethods", "policies.crossTenantDefault", "policies.crossTenantPartners", "policies.strengths", "policies.timeouts", "policies.appManagement"},
		Lost:  "some of the tenant's policies are not read, and the checks that rest on them are unknown",
		Cost:  "Who must give a second factor, what guests and users may do, and which methods are allowed is not judged; the checks that rest on it are unknown."},
	{Name: "privileges", Title: "Roles held at all times, for a time, and eligible", Product: Entra, Tier: Read, Optional: true, Needs: []string{"roleManagement.assignments", "roleManagement.definitions"},
		Helps: []string{"roleManagement.active", "roleManagement.eligible", "roleManagement.policies"},
		Lost:  "who may take a role and by what approval, and whether a role is held at all times or for a time, is not known",
		Cost:  "Who has a highest role at all times is not judged."},
	{Name: "registrations", Title: "Registered sign-in methods", Product: Entra, Tier: Read, Optional: true, Needs: []string{"reports.registrations"},
		Cost: "Who has no second factor, and which administrator has no key, is not known."},
	{Name: "applications", Title: "Applications, their credentials and permissions", Product: Entra, Tier: Read, Optional: true, Needs: []string{"applications.list", "servicePrincipals.list"},
		Helps: []string{"servicePrincipals.appRoleAssignedTo", "oauth2PermissionGrants.list"},
		Lost:  "what applications may do is known in part",
		Cost:  "Which applications reach everybody's data, and how long their credentials live, is not known."},
	{Name: "tenant-settings", Title: "Groups and when people last signed in", Product: Entra, Tier: Read, Optional: true, Needs: []string{"groups.list", "users.settings"}, Helps: []string{"users.activity", "users.changes", "groups.changes", "groupSettings.list"},
		Lost: "when people last signed in, or how passwords and groups are set, is not known",
		Cost: "Public groups, stale guests and stale administrators are not seen."},
	{Name: "devices", Title: "Devices", Product: Intune, Tier: Read, Optional: true, Needs: []string{"managedDevices.list"},
		Cost: "Devices that are not compliant, not encrypted, outdated or silent are not seen."},
	{Name: "joined-devices", Title: "Devices that Entra knows", Product: Entra, Tier: Read, Optional: true, Needs: []string{"devices.list"},
		Cost: "Devices that are joined and not managed, and those that nobody uses any more, are not seen."},
	{Name: "compliance", Title: "Compliance policies for devices", Product: Intune, Tier: Read, Optional: true, Needs: []string{"compliancePolicies.list", "deviceManagement.get"},
		Cost: "Whether a device that nobody judged counts as compliant is not known."},
	{Name: "device-registration", Title: "Who joins and administers devices", Product: Entra, Tier: Read, Optional: true, Needs: []string{"policies.deviceRegistration"},
		Cost: "Who may join devices, how many, and who administers them is not judged."},
	{Name: "guest-domains", Title: "Domains that guests are invited from", Product: Entra, Tier: Read, Optional: true, Needs: []string{"policies.invitations"},
		Cost: "Whether guests can be invited from any domain is not judged."},
	{Name: "synchronisation", Title: "Synchronisation from on premises", Product: Entra, Tier: Read, Optional: true, Needs: []string{"synchronization.list"},
		Cost: "Whether an account made on premises can take one in the cloud is not judged."},
	{Name: "application-use", Title: "When applications were last used", Product: Entra, Tier: Read, Optional: true, Needs: []string{"reports.appActivity"}, Licence: "Entra ID P1", Plans: entraP1,
		Cost: "Applications with permissions that nobody uses any more are not seen."},
	{Name: "sharing", Title: "Sharing settings of SharePoint and OneDrive", Product: SharePoint, Tier: Read, Optional: true, Needs: []string{"sharepoint.settings"},
		Cost: "With whom SharePoint and OneDrive share is not judged."},
	{Name: "sites", Title: "Sites", Product: SharePoint, Tier: Read, Optional: true, Needs: []string{"sites.list"},
		Cost: "Which sites belong to a public group, so that everybody inside reads them, is not seen."},
	{Name: "sharing-links", Title: "How many links anybody can use", Product: SharePoint, Tier: Read, Optional: true, Needs: []string{"reports.siteUsage"},
		Cost: "Sites with links that anybody can use are not seen."},
	{Name: RevokeSessions, Title: "Revoking sessions", Product: Entra, Tier: Respond, Needs: []string{"users.account", "users.revokeSignInSessions"},
		Cost: "Nobody's sessions can be ended from here."},
	{Name: AccountSwitch, Title: "Disabling and enabling accounts", Product: Entra, Tier: Respond, Needs: []string{"users.account", "users.enable"},
		Cost: "Nobody's sign-in can be blocked from here."},
	{Name: RiskVerdict, Title: "Confirming and dismissing risk", Product: Entra, Tier: Respond, Optional: true, Needs: []string{"riskyUsers.get", "riskyUsers.confirm", "riskyUsers.dismiss"},
		Cost: "Microsoft is not told who was taken over, so its risk policies do not act on it. Needs Entra ID P2 besides."},
	{Name: MailCanary, Title: "The canary in a mailbox that is named for it", Product: Outlook, Tier: Respond, Optional: true, Needs: []string{"messages.draft", "messages.purge"},
		Cost: "That what happens in a mailbox is told of is seen from busy mailboxes only, not tried."},
	{Name: RuleChange, Title: "Disabling and deleting inbox rules", Product: Outlook, Tier: Respond,
		Needs: []string{"messageRules.get", "messageRules.update", "messageRules.delete", "messageRules.create"},
		Cost:  "A rule can be seen, and not be stopped from here."},

	{Name: Investigations, Title: "Searching mailboxes for a bad mail", Product: Outlook, Tier: Investigate, Optional: true,
		Needs: []string{"messages.search", "messages.search.folder", "messages.content", "messages.mime", "messages.attachments", "attachments.get"},
		Cost:  "No mailbox can be searched, so what an investigation asks is unknown."},
	{Name: MessageTrace, Title: "Message trace", Product: Outlook, Tier: Investigate, Optional: true, Needs: []string{"messageTraces.list"},
		Cost: "To whom a message went shows only in the mailboxes that are searched, and not where it was deleted since."},
	{Name: MailSend, Title: "Answering who reported a mail", Product: Outlook, Tier: Investigate, Optional: true, Needs: []string{"messages.sendDraft"}, Helps: []string{"messages.send"},
		Lost: "nothing can be sent but by a draft",
		Cost: "Who reported a mail is not told from here what became of it."},
	{Name: MessagesMove, Title: "Moving, deleting and warning of messages", Product: Outlook, Tier: Respond,
		Needs: []string{"messages.state", "messages.move", "messages.mark", "messages.import", "messages.purge", "mailFolders.find", "mailFolders.create"},
		Helps: []string{"masterCategories.list", "masterCategories.create", "mailboxSettings.update"},
		Lost:  "no message can be marked with a category that warns",
		Cost:  "A bad mail can be found, and not be taken out of mailboxes from here."},

	{Name: NewPassword, Title: "Forcing a new password", Product: Entra, Tier: Privileged, Needs: []string{"users.account", "users.newPassword"},
		Cost: "A stolen password stays good until somebody changes it elsewhere."},
	{Name: MethodRemoval, Title: "Removing sign-in methods", Product: Entra, Tier: Privileged,
		Needs: []string{"authentication.methods", "authentication.phone.delete", "authentication.email.delete", "authentication.fido2.delete", "authentication.microsoftAuthenticator.delete", "authentication.softwareOath.delete",
			"authentication.temporaryAccessPass.delete", "authentication.windowsHelloForBusiness.delete", "authentication.platformCredential.delete", "authentication.externalAuthentication.delete"},
		Cost: "A telephone or a key that an attacker registered stays until it is removed in Entra."},
	{Name: RoleRemoval, Title: "Taking administrators' roles", Product: Entra, Tier: Privileged, Needs: []string{"roleAssignments.of", "roleAssignments.delete", "roleAssignments.create"},
		Cost: "No role can be taken from here."},
	{Name: EligibilityRemoval, Title: "Taking the right to activate roles", Product: Entra, Tier: Privileged, Needs: []string{"roleEligibility.of", "roleEligibility.request"},
		Cost: "Who may activate a role may do so until it is taken away in Entra."},
	{Name: GrantRemoval, Title: "Revoking consents", Product: Entra, Tier: Privileged, Needs: []string{"servicePrincipals.grants", "oauth2PermissionGrants.delete", "oauth2PermissionGrants.create"},
		Cost: "What people consented to cannot be revoked from here."},
	{Name: PermissionRemoval, Title: "Taking permissions from applications", Product: Entra, Tier: Privileged, Needs: []string{"servicePrincipals.appRoleAssignments", "appRoleAssignments.delete", "appRoleAssignments.create"},
		Cost: "No application can lose a permission from here."},
	{Name: AppSwitch, Title: "Disabling and enabling applications", Product: Entra, Tier: Privileged, Needs: []string{"servicePrincipals.get", "servicePrincipals.enable"},
		Cost: "No application can be switched off from here."},
}

// Tiers are those with an app registration of the installation, which tenants consent to. To investigate, a tenant has an app
// registration of its own: a mail configuration.
var Tiers = []Tier{Read, Respond, Privileged}

// Registered are the tiers for which an app registration of the installation can be entered.
var Registered = append(slices.Clone(Tiers), Inbox)

// Acts says whether a tier is one to act, not to read.
func (t Tier) Acts() bool { return t == Respond || t == Privileged }

// Has says whether a connection of the tier is meant for a capability: one to act may read what it acts on, one with the
// highest rights may do what the lesser one may, and one to investigate may do to mail what one to respond may.
func (t Tier) Has(c Capability) bool {
	switch {
	case t == Investigate && c.Tier == Respond:
		return c.Product == Outlook
	case t != Investigate && c.Tier == Investigate:
		return c.reads()
	}
	rank := map[Tier]int{Read: 0, Investigate: 0, Respond: 1, Privileged: 2}
	return rank[c.Tier] <= rank[t]
}

// The capabilities to act.
const (
	RevokeSessions = "revoke-sessions"
	RuleChange     = "rule-change"
	MailCanary     = "mail-canary"
	AccountSwitch  = "account-switch"
	RiskVerdict    = "risk-verdict"

	NewPassword        = "password"
	MethodRemoval      = "methods-remove"
	RoleRemoval        = "roles-remove"
	EligibilityRemoval = "eligibility-remove"
	GrantRemoval       = "grants-remove"
	PermissionRemoval  = "permissions-remove"
	AppSwitch          = "app-switch"
)

// Verdict is a capability as it stands.
type Verdict struct {
	Capability
	State   State
	Because string
	Mend    string
}

// reads says whether a capability changes nothing.
func (c Capability) reads() bool {
	return !slices.ContainsFunc(c.Needs, func(call string) bool { k := graph.Find(call); return k.Method != "GET" && !k.Reads })
}

// content says whether a capability reads what metadata does not tell.
func (c Capability) content() bool {
	return slices.ContainsFunc(c.Needs, func(call string) bool { return graph.Find(call).Content })
}

func grant(lacking []string) string {
	service, role := "Microsoft Graph", ""
	for _, p := range permission.All {
		if slices.Contains(lacking, p.Name) && p.App != "" {
			service = p.ServiceName()
			if p.App == permission.Exchange {
				role = ", give the app the role Global Reader in Entra"
			}
		}
	}
	return "In Entra, open the app registration → API permissions → " + service + " → Application permissions, add " +
		strings.Join(lacking, ", ") + ", grant administrator consent" + role + ", wait a few minutes, then test the connection."
}

// Permissions are the least permissions for all that a tier can do, each with why.
func Permissions(tier Tier) []Permission {
	var out []Permission
	for _, c := range Capabilities {
		if c.Tier != tier {
			continue
		}
		for _, name := range append(slices.Clone(c.Needs), c.Helps...) {
			call := graph.Find(name)
			if len(call.Permissions) == 0 {
				continue
			}
			p := call.Permissions[0]
			if i := slices.IndexFunc(out, func(x Permission) bool { return x.Name == p }); i >= 0 {
				if !slices.Contains(out[i].For, c.Title) {
					out[i].For = append(out[i].For, c.Title)
				}
				continue
			}
			out = append(out, Permission{Name: p, For: []string{c.Title}})
		}
	}
	return out
}

// Permission is an application permission and the capabilities it serves.
type Permission struct {
	Name string
	For  []string
}
