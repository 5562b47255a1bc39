package graph

import "slices"

// Calls is every request Tocsin can make to a tenant. The consent page, the permissions table and the simulator read it too.
// Permissions are from Microsoft's own map (microsoft-graph-devx-content, permissions.json), those that suffice for the
// fields selected here, and those to read and write where the map has the one to read; costs from https://learn.microsoft.com/graph/throttling-limits.
var Calls = []Call{
	{
		Name: "organization.list", Method: "GET", Path: "/organization", Kind: Directory,
		Permissions: []string{"Organization.Read.All", "User.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/organization-list",
		Select:      []string{"id", "displayName", "verifiedDomains", "assignedPlans", "countryLetterCode", "createdDateTime", "onPremisesSyncEnabled", "tenantType"},
		Why:         "The tenant's name, its verified domains (what is inside and what outside), and the plans that decide what can be watched.",
	},
	{
		Name: "domains.list", Method: "GET", Path: "/domains", Kind: Directory,
		Permissions: []string{"Domain.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/domain-list",
		Select:      []string{"id", "isVerified", "isDefault", "isInitial", "authenticationType", "supportedServices", "passwordValidityPeriodInDays"},
		Why:         "Which domains are verified and take mail, so that an address outside is known as such; whether passwords expire.",
	},
	{
		Name: "subscribedSkus.list", Method: "GET", Path: "/subscribedSkus", Kind: Directory, Cost: 3,
		Permissions: []string{"Organization.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/subscribedsku-list",
		Select:      []string{"id", "skuId", "skuPartNumber", "capabilityStatus", "consumedUnits", "prepaidUnits", "servicePlans"},
		Why:         "The licences the tenant holds: sign-ins need Entra P1, risk needs P2.",
	},

	{
		Name: "users.delta", Method: "GET", Path: "/users/delta", Kind: Directory,
		Permissions: []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-delta",
		Select:      userFields, Options: []string{"$deltatoken"},
		Why: "Who is in the tenant, their addresses and licences, and what changed since the last look.",
	},
	{
		Name: "users.list", Method: "GET", Path: "/users", Kind: Directory, Cost: 2, Top: 999,
		Permissions: []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list",
		Select:      userFields, Options: []string{"$filter", "$top"},
		Why: "The same where delta is refused, and one person by an address.",
	},
	{
		Name: "users.get", Method: "GET", Path: "/users/{user}", Kind: Directory, Cost: 1,
		Permissions: []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-get",
		Select:      userFields,
		Why:         "One person as they are now.",
	},
	{
		Name: "users.account", Method: "GET", Path: "/users/{user}", Kind: Directory, Cost: 1,
		Permissions: []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-get",
		Select:      []string{"id", "userType", "accountEnabled", "onPremisesSyncEnabled", "signInSessionsValidFromDateTime", "lastPasswordChangeDateTime"},
		Why:         "Whether an account is on, whose directory it is of, since when its sessions are valid and its password is the one it is: read before one of these is changed, and again to see that it was.",
	},
	{
		Name: "users.revokeSignInSessions", Method: "POST", Path: "/users/{user}/revokeSignInSessions", Kind: Directory, Cost: 1,
		Permissions: []string{"User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-revokesigninsessions",
		Why:         "Ends a person's sessions, when an analyst asks for it: whoever took them over must sign in again.",
	},
	{
		Name: "users.enable", Method: "PATCH", Path: "/users/{user}", Kind: Directory, Cost: 1,
		Permissions: []string{"User.EnableDisableAccount.All", "User.ReadWrite.All", "Directory.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-update",
		Why:         "Blocks an account's sign-in, when an analyst asks for it, and lets it in again.",
	},
	{
		Name: "users.newPassword", Method: "PATCH", Path: "/users/{user}", Kind: Directory, Cost: 1,
		Permissions: []string{"User-PasswordProfile.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-update",
		Why:         "Replaces a password by one that nobody knows, when an analyst asks for it, so that another has to be chosen.",
	},
	{
		Name: "authentication.methods", Method: "GET", Path: "/users/{user}/authentication/methods", Kind: Directory, Cost: 1,
		Permissions: []string{"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/authentication-list-methods",
		Why:         "The sign-in methods of one person, before they are removed and after.",
	},
	methodRemoval("phone", "phoneauthenticationmethod"),
	methodRemoval("email", "emailauthenticationmethod"),
	methodRemoval("fido2", "fido2authenticationmethod"),
	methodRemoval("microsoftAuthenticator", "microsoftauthenticatorauthenticationmethod"),
	methodRemoval("softwareOath", "softwareoathauthenticationmethod"),
	methodRemoval("temporaryAccessPass", "temporaryaccesspassauthenticationmethod"),
	methodRemoval("windowsHelloForBusiness", "windowshelloforbusinessauthenticationmethod"),
	methodRemoval("platformCredential", "platformcredentialauthenticationmethod"),
	methodRemoval("externalAuthentication", "externalauthenticationmethod"),

	{
		Name: "groups.delta", Method: "GET", Path: "/groups/delta", Kind: Directory,
		Permissions: []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/group-delta",
		Select:      groupFields, Options: []string{"$deltatoken"},
		Why: "Groups that have an address: mail forwarded to one goes to all its members.",
	},
	{
		Name: "groups.transitiveMembers", Method: "GET", Path: "/groups/{group}/transitiveMembers", Kind: Directory, Cost: 5, Top: 999,
		Permissions: []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/group-list-transitivemembers",
		Select:      []string{"id", "displayName", "mail", "userPrincipalName", "userType", "proxyAddresses"},
		Why:         "Whether a group to which mail is forwarded has members outside.",
	},
	{
		Name: "contacts.delta", Method: "GET", Path: "/contacts/delta", Kind: Directory,
		Permissions: []string{"OrgContact.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/orgcontact-delta",
		Select:      []string{"id", "displayName", "mail", "proxyAddresses"}, Options: []string{"$deltatoken"},
		Why: "Contacts of the organisation: an address inside behind which there is one outside.",
	},

	{
		Name: "directoryRoles.list", Method: "GET", Path: "/directoryRoles", Kind: Directory,
		Permissions: []string{"RoleManagement.Read.Directory", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/directoryrole-list",
		Select:      []string{"id", "displayName", "roleTemplateId"},
		Why:         "Which directory roles are in use.",
	},
	{
		Name: "directoryRoles.delta", Method: "GET", Path: "/directoryRoles/delta", Kind: Directory,
		Permissions: []string{"RoleManagement.Read.Directory", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/directoryrole-delta",
		Select:      []string{"id", "displayName", "roleTemplateId"}, Options: []string{"$deltatoken"},
		Why: "Roles that came into use since the last look.",
	},
	{
		Name: "directoryRoles.members", Method: "GET", Path: "/directoryRoles/{role}/members", Kind: Directory,
		Permissions: []string{"RoleManagement.Read.Directory", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/directoryrole-list-members",
		Select:      []string{"id", "displayName", "userPrincipalName", "mail", "accountEnabled"},
		Why:         "Who is an administrator: pages and lists say so.",
	},

	{
		Name: "mailboxSettings.get", Method: "GET", Path: "/users/{user}/mailboxSettings", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.Read", "MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/user-get-mailboxsettings",
		Select:      []string{"automaticRepliesSetting", "timeZone", "language", "userPurpose", "workingHours", "archiveFolder"},
		Why:         "Whether the mailbox is a person's, shared, a room or equipment; automatic replies; the person's hours.",
	},
	{
		Name: "messageRules.list", Method: "GET", Path: "/users/{user}/mailFolders/{folder}/messageRules", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.Read", "MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/mailfolder-list-messagerules",
		Why:         "Inbox rules that forward, hide or delete mail: the mark of a mailbox taken over. The folder is inbox.",
	},
	{
		Name: "messageRules.get", Method: "GET", Path: "/users/{user}/mailFolders/{folder}/messageRules/{rule}", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.Read", "MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/messagerule-get",
		Why:         "One rule as it is now, before it is changed and after.",
	},
	{
		Name: "messageRules.update", Method: "PATCH", Path: "/users/{user}/mailFolders/{folder}/messageRules/{rule}", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/messagerule-update",
		Why:         "Switches a rule off, when an analyst asks for it, and on again to undo that.",
	},
	{
		Name: "messageRules.delete", Method: "DELETE", Path: "/users/{user}/mailFolders/{folder}/messageRules/{rule}", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/messagerule-delete",
		Why:         "Deletes a rule, when an analyst asks for it.",
	},
	{
		Name: "messageRules.create", Method: "POST", Path: "/users/{user}/mailFolders/{folder}/messageRules", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/mailfolder-post-messagerules",
		Why:         "Makes a rule again that was deleted, to undo that.",
	},
	{
		Name: "mailFolders.get", Method: "GET", Path: "/users/{user}/mailFolders/{folder}", Kind: Mailbox,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/mailfolder-get",
		Select:      []string{"id", "displayName", "parentFolderId"},
		Why:         "The name of the folder to which a rule moves mail, and which folder is the deleted items. The folder is an id or a well-known name.",
	},
	{
		Name: "mailFolders.list", Method: "GET", Path: "/users/{user}/mailFolders", Kind: Mailbox, Top: 250,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list-mailfolders",
		Select:      folderFields, Options: []string{"includeHiddenFolders"},
		Why: "The folders of a mailbox, hidden ones among them.",
	},
	{
		Name: "mailFolders.delta", Method: "GET", Path: "/users/{user}/mailFolders/delta", Kind: Mailbox, PageSize: 200,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/mailfolder-delta",
		Select:      folderFields,
		Why:         "Folders made, renamed, moved and deleted since the last look.",
	},
	{
		Name: "messages.list", Method: "GET", Path: "/users/{user}/messages", Kind: Mailbox, Top: 200,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list-messages",
		Select:      messageFields, Options: []string{"$filter", "$orderby", "$top"},
		Why: "Who wrote to whom and when; never what was written. Closes a gap by time.",
	},
	{
		Name: "messages.get", Method: "GET", Path: "/users/{user}/messages/{message}", Kind: Mailbox,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/message-get",
		Select:      messageFields,
		Why:         "The same of one message, after Graph said that it changed.",
	},
	{
		Name: "messages.list.answered", Method: "GET", Path: "/users/{user}/messages", Kind: Mailbox, Top: 200,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/singlevaluelegacyextendedproperty-get",
		Select:      messageFields, Expand: lastVerb, Options: []string{"$filter", "$orderby", "$top"},
		Why: "The same list with whether a message was answered or forwarded last, and when, which Mail.ReadBasic.All does not show.",
	},
	{
		Name: "messages.get.answered", Method: "GET", Path: "/users/{user}/messages/{message}", Kind: Mailbox,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/singlevaluelegacyextendedproperty-get",
		Select:      messageFields, Expand: lastVerb,
		Why: "One message with the same: a reply and a forward are told apart by it.",
	},
	{
		Name: "messages.newest", Method: "GET", Path: "/users/{user}/messages", Kind: Mailbox, Top: 5,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list-messages",
		Select:      []string{"id", "isDraft", "receivedDateTime"}, Options: []string{"$orderby"},
		Why: "The newest messages of a busy mailbox, to see that they were told of, and how soon.",
	},
	{
		Name: "messages.draft", Method: "POST", Path: "/users/{user}/messages", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/user-post-messages",
		Why:         "Makes a draft in the mailbox that was named for the canary, to see that it is told of. Nothing is sent.",
	},
	{
		Name: "messages.purge", Method: "POST", Path: "/users/{user}/messages/{message}/permanentDelete", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-permanentdelete",
		Why:         "Deletes the canary's draft again, for good.",
	},
	{
		Name: "messages.ids", Method: "GET", Path: "/users/{user}/messages", Kind: Mailbox, Top: 1000,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list-messages",
		Select:      []string{"id"}, Options: []string{"$filter"},
		Why: "Which messages are still there, after a time of which not every change was told.",
	},
	{
		// Delta of messages is by folder. The metadata also has /users/{id}/messages/delta, which the documentation does not support.
		Name: "messages.delta", Method: "GET", Path: "/users/{user}/mailFolders/{folder}/messages/delta", Kind: Mailbox, PageSize: 200,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/message-delta",
		Select:      messageFields, Options: []string{"$filter", "changeType"},
		Why: "What changed in a folder since the last look, removals too.",
	},

	// What an investigation asks of mailboxes, and does there. https://learn.microsoft.com/graph/search-query-parameter says what $search
	// finds; it goes with neither $filter nor $orderby, and what was delivered seconds ago may not be in its index yet.
	{
		Name: "messages.search", Method: "GET", Path: "/users/{user}/messages", Kind: Mailbox, Top: 250, Content: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list-messages",
		Select:      searchFields, Options: []string{"$filter", "$search", "$orderby", "$top"},
		Why: "Which messages of a mailbox an investigation is about, by what stands on their envelopes. Recoverable items are not among them.",
	},
	{
		Name: "messages.search.folder", Method: "GET", Path: "/users/{user}/mailFolders/{folder}/messages", Kind: Mailbox, Top: 250, Content: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/mailfolder-list-messages",
		Select:      searchFields, Options: []string{"$filter", "$search", "$orderby", "$top"},
		Why: "The same in one folder: recoverable items are found by theirs alone, recoverableitemsdeletions.",
	},
	{
		Name: "messages.content", Method: "GET", Path: "/users/{user}/messages/{message}", Kind: Mailbox, Content: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/message-get",
		Select:      append(slices.Clone(searchFields), "body", "internetMessageHeaders"),
		Why:         "What one message says, where its envelope leaves open whether an investigation is about it.",
	},
	{
		Name: "messages.mime", Method: "GET", Path: "/users/{user}/messages/{message}/$value", Kind: Mailbox, Content: true, Raw: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/outlook-get-mime-message",
		Why:         "A whole message as MIME: evidence, and what is searched by hash. Exchange makes it anew, so it is not byte for byte what came.",
	},
	{
		Name: "messages.attachments", Method: "GET", Path: "/users/{user}/messages/{message}/attachments", Kind: Mailbox, Content: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/message-list-attachments",
		Select:      []string{"id", "name", "contentType", "size", "isInline"},
		Why:         "The names, types and sizes of a message's attachments.",
	},
	{
		Name: "attachments.get", Method: "GET", Path: "/users/{user}/messages/{message}/attachments/{attachment}/$value", Kind: Mailbox, Content: true, Raw: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/attachment-get",
		Why:         "The bytes of one attachment, where an investigation asks for their hash or looks into an archive.",
	},
	{
		Name: "messages.state", Method: "GET", Path: "/users/{user}/messages/{message}", Kind: Mailbox,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-get",
		Select:      []string{"id", "changeKey", "internetMessageId", "parentFolderId", "isRead", "isDraft", "flag", "categories", "receivedDateTime"},
		Why:         "Where a message is and how it is marked, before something is done with it and after: what an undo restores.",
	},
	{
		Name: "messages.move", Method: "POST", Path: "/users/{user}/messages/{message}/move", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-move",
		Why:         "Takes a message into another folder, when an analyst asks for it: quarantine, Junk Email, the recoverable items; and back.",
	},
	{
		Name: "messages.mark", Method: "PATCH", Path: "/users/{user}/messages/{message}", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-update",
		Why:         "Marks a message with a category that warns, and restores read state, flag and categories. What a message says is never changed.",
	},
	{
		Name: "messages.import", Method: "POST", Path: "/users/{user}/mailFolders/{folder}/messages", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/mailfolder-post-messages",
		Why:         "Puts a notice of what was done into a mailbox, when an analyst asks for it. Nothing is sent.",
	},
	{
		Name: "messages.sendDraft", Method: "POST", Path: "/users/{user}/messages/{message}/send", Kind: Mailbox,
		Permissions: []string{"Mail.Send"},
		Scopes:      []string{"Mail.Send.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-send",
		Why:         "Sends a draft that was written from here, such as the answer to who reported a mail: whether it went can be read afterwards.",
	},
	{
		Name: "messages.send", Method: "POST", Path: "/users/{user}/sendMail", Kind: Mailbox,
		Permissions: []string{"Mail.Send"},
		Docs:        "https://learn.microsoft.com/graph/api/user-sendmail",
		Why:         "Sends a message at once, where nobody has to know whether it went.",
	},
	{
		Name: "mailFolders.find", Method: "GET", Path: "/users/{user}/mailFolders", Kind: Mailbox, Top: 250,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list-mailfolders",
		Select:      folderFields, Options: []string{"$filter", "includeHiddenFolders"},
		Why: "Whether a mailbox has our quarantine folder, by its name.",
	},
	{
		Name: "mailFolders.create", Method: "POST", Path: "/users/{user}/mailFolders", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/user-post-mailfolders",
		Why:         "Makes our quarantine folder in a mailbox from which a message is taken.",
	},
	{
		Name: "masterCategories.list", Method: "GET", Path: "/users/{user}/outlook/masterCategories", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.Read", "MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/outlookuser-list-mastercategories",
		Select:      []string{"id", "displayName", "color"},
		Why:         "Whether a mailbox knows the category that warns, and in which colour.",
	},
	{
		Name: "masterCategories.create", Method: "POST", Path: "/users/{user}/outlook/masterCategories", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/outlookuser-post-mastercategories",
		Why:         "Makes that category in a mailbox in which a message is marked with it.",
	},
	{
		Name: "mailboxSettings.update", Method: "PATCH", Path: "/users/{user}/mailboxSettings", Kind: Mailbox,
		Permissions: []string{"MailboxSettings.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/user-update-mailboxsettings",
		Why:         "Writes the time zone of the test mailbox as it is, when a mail configuration is tested, to see that it may.",
	},
	{
		// It does not select: its page knows $filter, $top and $skiptoken only, and the subject is in every row. A step in the tenant is
		// needed besides the permission: https://learn.microsoft.com/exchange/monitoring/trace-an-email-message/graph-api-message-trace.
		Name: "messageTraces.list", Method: "GET", Path: "/admin/exchange/tracing/messageTraces", Kind: Trace, Top: 5000, Content: true,
		Permissions: []string{"ExchangeMessageTrace.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/messagetracingroot-list-messagetraces",
		Options:     []string{"$filter", "$top"},
		Why:         "Who got a message in the last 90 days, ten at a time, before mailboxes are searched.",
	},

	{
		Name: "subscriptions.create", Method: "POST", Path: "/subscriptions", Kind: Subscriptions,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/subscription-post-subscriptions",
		Why:         "To be told within a minute that mail came, went, was read, moved or deleted; one for each mailbox.",
	},
	{
		Name: "subscriptions.get", Method: "GET", Path: "/subscriptions/{subscription}", Kind: Subscriptions,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/subscription-get",
		Select:      []string{"id", "resource", "notificationUrl", "expirationDateTime", "includeResourceData"},
		Why:         "Whether a subscription that exists already leads to us, before it is adopted.",
	},
	{
		Name: "subscriptions.update", Method: "PATCH", Path: "/subscriptions/{subscription}", Kind: Subscriptions,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/subscription-update",
		Why:         "Renews a subscription long before it ends, and its authorization with it.",
	},
	{
		Name: "subscriptions.delete", Method: "DELETE", Path: "/subscriptions/{subscription}", Kind: Subscriptions,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Docs:        "https://learn.microsoft.com/graph/api/subscription-delete",
		Why:         "Ends a subscription, when a mailbox is no longer watched or the connection is closed.",
	},

	{
		Name: "servicePrincipals.byAppId", Method: "GET", Path: "/servicePrincipals(appId='{appId}')", Kind: Directory,
		Permissions: []string{"Application.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-get",
		Select:      []string{"id", "appId", "displayName", "accountEnabled", "appOwnerOrganizationId", "servicePrincipalType", "appRoles"},
		Why:         "Tocsin's own app in the tenant, to see that it is there and enabled; and Microsoft Graph's, for the names of its permissions.",
	},
	{
		Name: "servicePrincipals.appRoleAssignments", Method: "GET", Path: "/servicePrincipals/{principal}/appRoleAssignments", Kind: Directory, Cost: 2,
		Permissions: []string{"Application.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-list-approleassignments",
		Select:      []string{"id", "appRoleId", "principalId", "principalType", "principalDisplayName", "resourceId", "resourceDisplayName", "createdDateTime"},
		Why:         "Which permissions Tocsin was granted, as the tenant has it and not as a token of an hour ago says.",
	},
	{
		Name: "applications.byAppId", Method: "GET", Path: "/applications(appId='{appId}')", Kind: Directory,
		Permissions: []string{"Application.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/application-get",
		Select:      []string{"id", "appId", "displayName", "passwordCredentials", "keyCredentials"},
		Why:         "When the secret or certificate of Tocsin's own app registration ends, so that it is replaced before. Secrets are not told, only their first letters.",
	},
	{
		Name: "servicePrincipals.get", Method: "GET", Path: "/servicePrincipals/{principal}", Kind: Directory,
		Permissions: []string{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-get",
		Select:      []string{"id", "appId", "displayName", "accountEnabled", "appOwnerOrganizationId", "servicePrincipalType"},
		Why:         "An application as it stands, before it is switched off or loses a permission, and after.",
	},
	{
		Name: "servicePrincipals.enable", Method: "PATCH", Path: "/servicePrincipals/{principal}", Kind: Directory,
		Permissions: []string{"Application.ReadWrite.All", "Directory.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-update",
		Why:         "Switches an application off in the tenant, when an analyst asks for it, and on again.",
	},
	{
		Name: "servicePrincipals.grants", Method: "GET", Path: "/servicePrincipals/{principal}/oauth2PermissionGrants", Kind: Directory, Cost: 2,
		Permissions: []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All"}, // the one that revoking needs
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-list-oauth2permissiongrants",
		Select:      []string{"id", "clientId", "consentType", "principalId", "resourceId", "scope"},
		Why:         "What an application was consented to, before a consent is revoked and after.",
	},
	{
		Name: "oauth2PermissionGrants.delete", Method: "DELETE", Path: "/oauth2PermissionGrants/{grant}", Kind: Directory,
		Permissions: []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/oauth2permissiongrant-delete",
		Why:         "Revokes a consent, when an analyst asks for it.",
	},
	{
		Name: "oauth2PermissionGrants.create", Method: "POST", Path: "/oauth2PermissionGrants", Kind: Directory,
		Permissions: []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/oauth2permissiongrant-post",
		Why:         "Gives a consent again that was revoked, to undo that.",
	},
	{
		Name: "appRoleAssignments.delete", Method: "DELETE", Path: "/servicePrincipals/{principal}/appRoleAssignments/{assignment}", Kind: Directory,
		Permissions: []string{"AppRoleAssignment.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-delete-approleassignments",
		Why:         "Takes a permission from an application, when an analyst asks for it.",
	},
	{
		Name: "appRoleAssignments.create", Method: "POST", Path: "/servicePrincipals/{principal}/appRoleAssignments", Kind: Directory,
		Permissions: []string{"AppRoleAssignment.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignments",
		Why:         "Gives a permission again that was taken, to undo that.",
	},
	{
		Name: "roleAssignments.of", Method: "GET", Path: "/roleManagement/directory/roleAssignments", Kind: Directory,
		Permissions: []string{"RoleManagement.ReadWrite.Directory", "RoleManagement.Read.Directory", "Directory.Read.All"}, // the one that taking needs
		Docs:        "https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments",
		Select:      []string{"id", "principalId", "roleDefinitionId", "directoryScopeId"}, Options: []string{"$filter"},
		Why: "The roles of one person, before one is taken and after.",
	},
	{
		Name: "roleAssignments.delete", Method: "DELETE", Path: "/roleManagement/directory/roleAssignments/{assignment}", Kind: Directory,
		Permissions: []string{"RoleManagement.ReadWrite.Directory"},
		Docs:        "https://learn.microsoft.com/graph/api/unifiedroleassignment-delete",
		Why:         "Takes an administrator's role, when an analyst asks for it.",
	},
	{
		Name: "roleAssignments.create", Method: "POST", Path: "/roleManagement/directory/roleAssignments", Kind: Directory,
		Permissions: []string{"RoleManagement.ReadWrite.Directory"},
		Docs:        "https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments",
		Why:         "Gives a role again that was taken, to undo that.",
	},
	{
		Name: "roleEligibility.of", Method: "GET", Path: "/roleManagement/directory/roleEligibilityScheduleInstances", Kind: Directory,
		Permissions: []string{"RoleManagement.ReadWrite.Directory", "RoleEligibilitySchedule.Read.Directory", "RoleManagement.Read.Directory"}, // the one that taking needs
		Docs:        "https://learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityscheduleinstances",
		Select:      []string{"id", "principalId", "roleDefinitionId", "directoryScopeId", "memberType", "startDateTime", "endDateTime"}, Options: []string{"$filter"},
		Why: "The roles that one person may take, before one is taken away and after.",
	},
	{
		Name: "roleEligibility.request", Method: "POST", Path: "/roleManagement/directory/roleEligibilityScheduleRequests", Kind: Directory,
		Permissions: []string{"RoleManagement.ReadWrite.Directory", "RoleEligibilitySchedule.ReadWrite.Directory"},
		Docs:        "https://learn.microsoft.com/graph/api/rbacapplication-post-roleeligibilityschedulerequests",
		Why:         "Takes away that somebody may take a role, when an analyst asks for it, and gives it again to undo that.",
	},

	{
		Name: "auditQueries.create", Method: "POST", Path: "/security/auditLog/queries", Kind: Other,
		Permissions: auditQueryPermissions,
		Docs:        "https://learn.microsoft.com/graph/api/security-auditcoreroot-post-auditlogqueries",
		Why:         "A search of the unified audit log that somebody asks for: what the feed no longer has.",
	},
	{
		Name: "auditQueries.get", Method: "GET", Path: "/security/auditLog/queries/{query}", Kind: Other,
		Permissions: auditQueryPermissions,
		Docs:        "https://learn.microsoft.com/graph/api/security-auditlogquery-get",
		Select:      []string{"id", "status", "displayName"},
		Why:         "Whether the search has ended; it takes minutes.",
	},
	{
		Name: "auditQueries.records", Method: "GET", Path: "/security/auditLog/queries/{query}/records", Kind: Other, Top: 999,
		Permissions: auditQueryPermissions,
		Docs:        "https://learn.microsoft.com/graph/api/security-auditlogquery-list-records",
		Select:      []string{"id", "createdDateTime", "auditLogRecordType", "operation", "service", "userPrincipalName", "clientIp", "objectId", "auditData"},
		Why:         "What the search found.",
	},

	{
		// Neither call selects fields: the page knows $top, $skiptoken and $filter only, and each fact of a sign-in is of use.
		Name: "signIns.list", Method: "GET", Path: "/auditLogs/signIns", Kind: Report, Beta: true,
		Permissions: []string{"AuditLog.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/signin-list?view=graph-rest-beta", Options: []string{"$filter"},
		Why: "Who signed in, from where, with what and how: by people, on their behalf, by applications and by managed identities. Only the beta tells of all four, and of sessions, networks and second factors.",
	},
	{
		Name: "signIns.interactive", Method: "GET", Path: "/auditLogs/signIns", Kind: Report,
		Permissions: []string{"AuditLog.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/signin-list", Options: []string{"$filter"},
		Why: "The sign-ins of people alone, where the beta is not offered.",
	},
	{
		Name: "directoryAudits.list", Method: "GET", Path: "/auditLogs/directoryAudits", Kind: Report,
		Permissions: []string{"AuditLog.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/directoryaudit-list", Options: []string{"$filter"},
		Why: "What was changed in the directory, and by whom: roles, applications, consents, policies, methods, guests.",
	},

	{
		Name: "activity.subscriptions.list", Method: "GET", Service: ActivityFeed, Path: feed + "/subscriptions/list", Kind: Activity,
		Permissions: []string{"ActivityFeed.Read"},
		Docs:        feedDocs + "#list-current-subscriptions", Options: []string{"PublisherIdentifier"},
		Why: "Which parts of the audit log are delivered to us.",
	},
	{
		Name: "activity.subscriptions.start", Method: "POST", Service: ActivityFeed, Path: feed + "/subscriptions/start", Kind: Activity,
		Permissions: []string{"ActivityFeed.Read"},
		Docs:        feedDocs + "#start-a-subscription", Options: []string{"contentType", "PublisherIdentifier"},
		Why: "To have a part of the audit log delivered: mailboxes, directory, the rest, SharePoint.",
	},
	{
		Name: "activity.content.list", Method: "GET", Service: ActivityFeed, Path: feed + "/subscriptions/content", Kind: Activity,
		Permissions: []string{"ActivityFeed.Read"},
		Docs:        feedDocs + "#list-available-content", Options: []string{"contentType", "startTime", "endTime", "PublisherIdentifier"},
		Why: "Which parcels of audit records have come since the last look.",
	},
	{
		// The address of each parcel is told by the list; it is followed only to the service that was asked.
		Name: "activity.content.get", Method: "GET", Service: ActivityFeed, Path: feed + "/audit/{content}", Kind: Activity,
		Permissions: []string{"ActivityFeed.Read"},
		Docs:        feedDocs + "#retrieve-content", Options: []string{"PublisherIdentifier"},
		Why: "The audit records of a parcel: forwarding set on mailboxes, rights given, rules made, sign-ins.",
	},

	{
		Name: "exchange.mailboxes", Method: "POST", Service: ExchangeAdmin, Path: "/adminapi/v2.0/{tenant}/Mailbox", Kind: Administration, Reads: true, PageSize: 1000,
		Permissions: []string{"Exchange.ManageAsAppV2"},
		Docs:        "https://learn.microsoft.com/exchange/reference/admin-api-endpoints-reference-mailbox",
		Why:         "Who may send on behalf of whom. Needs a role in Exchange besides.",
	},
	{
		Name: "exchange.folderPermissions", Method: "POST", Service: ExchangeAdmin, Path: "/adminapi/v2.0/{tenant}/MailboxFolderPermission", Kind: Administration, Reads: true, PageSize: 1000,
		Permissions: []string{"Exchange.ManageAsAppV2"},
		Docs:        "https://learn.microsoft.com/exchange/reference/admin-api-endpoints-reference-mailboxfolderpermission",
		Why:         "To whom a mailbox's inbox is open, everybody perhaps. Needs a role in Exchange besides.",
	},
	{
		Name: "exchange.command", Method: "POST", Service: ExchangeAdmin, Path: "/adminapi/beta/{tenant}/InvokeCommand", Kind: Administration, Reads: true, PageSize: 1000,
		Permissions: []string{"Exchange.ManageAsApp"},
		Docs:        "https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2",
		Why:         "The state of forwarding, Full Access, Send As and transport rules, what the organisation's mail is set to and what protects it, by Get- cmdlets alone. Needs a role in Exchange besides.",
	},

	{
		Name: "users.activity", Method: "GET", Path: "/users", Kind: Directory, Cost: 2, Top: 500,
		Permissions: []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list",
		Select:      append(slices.Clone(stateUserFields), "signInActivity"),
		Expand:      "manager($select=id,displayName)",
		Why:         "When people last signed in, so that administrators and guests who are gone are seen. Needs AuditLog.Read.All and Entra ID P1 besides.",
	},
	{
		Name: "users.settings", Method: "GET", Path: "/users", Kind: Directory, Cost: 2, Top: 999,
		Permissions: []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-list",
		Select:      stateUserFields,
		Expand:      "manager($select=id,displayName)",
		Why:         "The same without when people last signed in, where that is refused.",
	},
	{
		Name: "users.changes", Method: "GET", Path: "/users/delta", Kind: Directory,
		Permissions: []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/user-delta",
		Select:      stateUserFields, Options: []string{"$deltatoken"},
		Why: "What changed of people since they were read, in place of reading all of them again.",
	},
	{
		Name: "groups.changes", Method: "GET", Path: "/groups/delta", Kind: Directory,
		Permissions: []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/group-delta",
		Select:      stateGroupFields, Options: []string{"$deltatoken"},
		Why: "What changed of groups since they were read, in place of reading all of them again.",
	},
	{
		Name: "groups.list", Method: "GET", Path: "/groups", Kind: Directory, Cost: 2, Top: 999,
		Permissions: []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/group-list",
		Select:      stateGroupFields, Expand: ownersOf,
		Why: "Which groups are public, have a rule, or can be given roles; who owns them; and whether those that policies name are protected.",
	},
	{
		Name: "conditionalAccess.policies", Method: "GET", Path: "/identity/conditionalAccess/policies", Kind: Protection,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/conditionalaccessroot-list-policies",
		Select:      []string{"id", "displayName", "state", "createdDateTime", "modifiedDateTime", "conditions", "grantControls", "sessionControls"},
		Why:         "The conditional access policies: who must give a second factor where, and who is left out.",
	},
	{
		Name: "conditionalAccess.namedLocations", Method: "GET", Path: "/identity/conditionalAccess/namedLocations", Kind: Protection,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/conditionalaccessroot-list-namedlocations",
		Why:         "The places that policies name, and which of them are trusted.",
	},
	{
		Name: "policies.authorization", Method: "GET", Path: "/policies/authorizationPolicy", Kind: Directory,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/authorizationpolicy-get",
		Select:      []string{"id", "displayName", "allowedToSignUpEmailBasedSubscriptions", "allowedToUseSSPR", "allowEmailVerifiedUsersToJoinOrganization", "allowInvitesFrom", "allowUserConsentForRiskyApps", "blockMsolPowerShell", "defaultUserRolePermissions", "guestUserRoleId"},
		Why:         "What users and guests may do: invite, consent, register applications, see the directory.",
	},
	{
		Name: "policies.securityDefaults", Method: "GET", Path: "/policies/identitySecurityDefaultsEnforcementPolicy", Kind: Directory,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/identitysecuritydefaultsenforcementpolicy-get",
		Select:      []string{"id", "displayName", "isEnabled"},
		Why:         "Whether security defaults are on.",
	},
	{
		Name: "policies.adminConsent", Method: "GET", Path: "/policies/adminConsentRequestPolicy", Kind: Directory,
		Permissions: []string{"Policy.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/adminconsentrequestpolicy-get",
		Select:      []string{"isEnabled", "notifyReviewers", "remindersEnabled", "requestDurationInDays", "version"},
		Why:         "Whether users can ask an administrator for an application.",
	},
	{
		Name: "policies.authenticationMethods", Method: "GET", Path: "/policies/authenticationMethodsPolicy", Kind: Directory,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/authenticationmethodspolicy-get",
		Why:         "By which methods people may sign in, and how each is set.",
	},
	{
		Name: "policies.crossTenantDefault", Method: "GET", Path: "/policies/crossTenantAccessPolicy/default", Kind: Directory,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/crosstenantaccesspolicyconfigurationdefault-get",
		Select:      []string{"id", "isServiceDefault", "b2bCollaborationInbound", "b2bCollaborationOutbound", "b2bDirectConnectInbound", "b2bDirectConnectOutbound", "inboundTrust"},
		Why:         "Whose second factor and devices are trusted, and how other organisations come in.",
	},
	{
		Name: "policies.crossTenantPartners", Method: "GET", Path: "/policies/crossTenantAccessPolicy/partners", Kind: Directory,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/crosstenantaccesspolicy-list-partners",
		Select:      []string{"tenantId", "isServiceProvider", "inboundTrust", "b2bCollaborationInbound", "b2bDirectConnectInbound"}, Expand: "identitySynchronization",
		Why: "Which other tenants are trusted further than all, write users in, or administer this one.",
	},
	{
		// Only the beta has it, and not in every cloud.
		Name: "policies.invitations", Method: "GET", Path: "/policies/b2bManagementPolicies", Kind: Directory, Beta: true,
		Permissions: []string{"Policy.Read.B2BManagementPolicy"},
		Docs:        "https://learn.microsoft.com/graph/api/policyroot-list-b2bmanagementpolicies?view=graph-rest-beta",
		Select:      []string{"id", "displayName", "definition", "isOrganizationDefault"},
		Why:         "From which domains guests can be invited.",
	},
	{
		Name: "roleManagement.definitions", Method: "GET", Path: "/roleManagement/directory/roleDefinitions", Kind: Directory,
		Permissions: []string{"RoleManagement.Read.Directory", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/rbacapplication-list-roledefinitions",
		Select:      []string{"id", "displayName", "isBuiltIn", "isEnabled", "templateId"},
		Why:         "What the roles are called, those of the organisation's own as well.",
	},
	{
		Name: "roleManagement.assignments", Method: "GET", Path: "/roleManagement/directory/roleAssignments", Kind: Directory,
		Permissions: []string{"RoleManagement.Read.Directory", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments",
		Select:      []string{"id", "principalId", "roleDefinitionId", "directoryScopeId"},
		Why:         "Who has which role, where Privileged Identity Management cannot be read.",
	},
	{
		Name: "roleManagement.active", Method: "GET", Path: "/roleManagement/directory/roleAssignmentScheduleInstances", Kind: Directory,
		Permissions: []string{"RoleManagement.Read.Directory", "RoleAssignmentSchedule.Read.Directory"},
		Docs:        "https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignmentscheduleinstances",
		Select:      []string{"id", "principalId", "roleDefinitionId", "directoryScopeId", "assignmentType", "memberType", "startDateTime", "endDateTime"},
		Why:         "Who has which role now, at all times or for a time.",
	},
	{
		Name: "roleManagement.eligible", Method: "GET", Path: "/roleManagement/directory/roleEligibilityScheduleInstances", Kind: Directory,
		Permissions: []string{"RoleManagement.Read.Directory", "RoleEligibilitySchedule.Read.Directory"},
		Docs:        "https://learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityscheduleinstances",
		Select:      []string{"id", "principalId", "roleDefinitionId", "directoryScopeId", "memberType", "startDateTime", "endDateTime"},
		Why:         "Who may take which role.",
	},
	{
		Name: "roleManagement.policies", Method: "GET", Path: "/policies/roleManagementPolicyAssignments", Kind: Directory,
		Permissions: []string{"RoleManagement.Read.Directory"},
		Docs:        "https://learn.microsoft.com/graph/api/policyroot-list-rolemanagementpolicyassignments",
		Select:      []string{"id", "policyId", "roleDefinitionId", "scopeId", "scopeType"},
		Expand:      "policy($expand=rules)", Options: []string{"$filter"},
		Why: "How each role is taken: whether somebody approves, whether a second factor and a reason are asked, and for how long.",
	},
	{
		Name: "policies.strengths", Method: "GET", Path: "/policies/authenticationStrengthPolicies", Kind: Directory,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/authenticationstrengthroot-list-policies",
		Select:      []string{"id", "displayName", "policyType", "requirementsSatisfied", "allowedCombinations"},
		Why:         "Which ways to sign in the authentication strengths take that conditional access asks for.",
	},
	{
		Name: "policies.timeouts", Method: "GET", Path: "/policies/activityBasedTimeoutPolicies", Kind: Directory,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/activitybasedtimeoutpolicy-list",
		Select:      []string{"id", "displayName", "definition", "isOrganizationDefault"},
		Why:         "Whether a session in a browser ends that nobody uses.",
	},
	{
		Name: "policies.appManagement", Method: "GET", Path: "/policies/defaultAppManagementPolicy", Kind: Directory,
		Permissions: []string{"Policy.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/tenantappmanagementpolicy-get",
		Select:      []string{"id", "displayName", "isEnabled", "applicationRestrictions"},
		Why:         "Whether new credentials of applications are restricted.",
	},
	{
		Name: "policies.deviceRegistration", Method: "GET", Path: "/policies/deviceRegistrationPolicy", Kind: Directory,
		Permissions: []string{"Policy.Read.DeviceConfiguration"},
		Docs:        "https://learn.microsoft.com/graph/api/deviceregistrationpolicy-get",
		Select:      []string{"id", "displayName", "userDeviceQuota", "azureADRegistration", "azureADJoin", "localAdminPassword"},
		Why:         "Who may join devices, how many, and who administers them.",
	},
	{
		Name: "groupSettings.list", Method: "GET", Path: "/groupSettings", Kind: Directory,
		Permissions: []string{"Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/group-list-settings",
		Select:      []string{"id", "displayName", "templateId", "values"},
		Why:         "The tenant's settings of passwords and groups: banned words, lockout, who makes groups.",
	},
	{
		Name: "synchronization.list", Method: "GET", Path: "/directory/onPremisesSynchronization", Kind: Directory,
		Permissions: []string{"OnPremDirectorySynchronization.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/onpremisesdirectorysynchronization-get",
		Select:      []string{"id", "features"},
		Why:         "Whether an account made on premises can take one in the cloud, and whether leaked passwords of synchronised accounts are noticed.",
	},
	{
		Name: "reports.appActivity", Method: "GET", Path: "/reports/servicePrincipalSignInActivities", Kind: Report, Beta: true, Top: 999,
		Permissions: []string{"AuditLog.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/reportroot-list-serviceprincipalsigninactivities?view=graph-rest-beta",
		Why:         "When each application was last used. Only the beta tells, and not in every cloud.",
	},
	{
		Name: "reports.registrations", Method: "GET", Path: "/reports/authenticationMethods/userRegistrationDetails", Kind: Report, Top: 999,
		Permissions: []string{"AuditLog.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/authenticationmethodsroot-list-userregistrationdetails",
		Select:      []string{"id", "userPrincipalName", "userDisplayName", "isAdmin", "isMfaCapable", "isMfaRegistered", "methodsRegistered"},
		Why:         "Which methods each person has registered, so that who has none, and which administrator has no key, is seen.",
	},
	{
		Name: "applications.list", Method: "GET", Path: "/applications", Kind: Directory, Cost: 2, Top: 999,
		Permissions: []string{"Application.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/application-list",
		Select:      []string{"id", "appId", "displayName", "createdDateTime", "signInAudience", "passwordCredentials", "keyCredentials", "verifiedPublisher"}, Expand: ownersOf,
		Why: "The organisation's applications, who owns them, and how long their credentials live. No secret is ever in an answer.",
	},
	{
		Name: "servicePrincipals.list", Method: "GET", Path: "/servicePrincipals", Kind: Directory, Cost: 2, Top: 999,
		Permissions: []string{"Application.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-list",
		Select:      []string{"id", "appId", "displayName", "accountEnabled", "appOwnerOrganizationId", "servicePrincipalType", "verifiedPublisher", "passwordCredentials", "tags", "appRoles"}, Expand: ownersOf,
		Why: "The applications in the tenant: whose they are, who owns them, and whether their publisher is verified.",
	},
	{
		Name: "servicePrincipals.appRoleAssignedTo", Method: "GET", Path: "/servicePrincipals/{principal}/appRoleAssignedTo", Kind: Directory, Cost: 2, Top: 999,
		Permissions: []string{"Application.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/serviceprincipal-list-approleassignedto",
		Select:      []string{"id", "appRoleId", "principalId", "principalType", "principalDisplayName", "resourceId", "createdDateTime"},
		Why:         "Which applications hold which permissions of Microsoft's services.",
	},
	{
		Name: "oauth2PermissionGrants.list", Method: "GET", Path: "/oauth2PermissionGrants", Kind: Directory, Cost: 2, Top: 999,
		Permissions: []string{"Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/oauth2permissiongrant-list",
		Select:      []string{"id", "clientId", "consentType", "principalId", "resourceId", "scope"},
		Why:         "On whose behalf applications act: one person's, or everybody's.",
	},
	{
		Name: "managedDevices.list", Method: "GET", Path: "/deviceManagement/managedDevices", Kind: Intune, Top: 999,
		Permissions: []string{"DeviceManagementManagedDevices.Read.All", "DeviceManagementManagedDevices.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/intune-devices-manageddevice-list",
		Select: []string{"id", "deviceName", "userId", "userPrincipalName", "operatingSystem", "osVersion", "complianceState", "managementAgent", "isEncrypted", "jailBroken", "enrolledDateTime", "lastSyncDateTime",
			"azureADDeviceId", "managedDeviceOwnerType", "manufacturer", "model"},
		Why: "Devices that are not compliant, not encrypted, outdated, or silent.",
	},
	{
		Name: "devices.list", Method: "GET", Path: "/devices", Kind: Directory, Top: 999,
		Permissions: []string{"Device.Read.All", "Directory.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/device-list",
		Select:      []string{"id", "deviceId", "displayName", "accountEnabled", "isManaged", "isCompliant", "trustType", "operatingSystem", "operatingSystemVersion", "registrationDateTime", "approximateLastSignInDateTime"},
		Why:         "The devices that Entra knows, those besides that Intune does not manage and that nobody uses any more.",
	},
	{
		Name: "compliancePolicies.list", Method: "GET", Path: "/deviceManagement/deviceCompliancePolicies", Kind: Intune,
		Permissions: []string{"DeviceManagementConfiguration.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/intune-deviceconfig-devicecompliancepolicy-list",
		Select:      []string{"id", "displayName", "lastModifiedDateTime"}, Expand: "assignments",
		Why: "Whether a compliance policy is assigned to anybody, without which every device is compliant.",
	},
	{
		Name: "deviceManagement.get", Method: "GET", Path: "/deviceManagement", Kind: Intune,
		Permissions: []string{"DeviceManagementConfiguration.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/intune-deviceconfig-devicemanagement-get",
		Select:      []string{"id", "settings"},
		Why:         "Whether a device without a compliance policy counts as compliant.",
	},
	{
		Name: "sites.list", Method: "GET", Path: "/sites/getAllSites", Kind: Other,
		Permissions: []string{"Sites.Read.All", "Sites.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/site-getallsites",
		Select:      []string{"id", "displayName", "name", "webUrl", "isPersonalSite", "createdDateTime"},
		Why:         "Which sites there are, so that those of public groups are seen. Nothing in them is read.",
	},
	{
		// Only the beta counts links, and not in every cloud. What else is in a row is not kept.
		Name: "reports.siteUsage", Method: "GET", Path: "/reports/getSharePointSiteUsageDetail(period='D7')", Kind: Report, Beta: true,
		Permissions: []string{"Reports.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/reportroot-getsharepointsiteusagedetail?view=graph-rest-beta",
		Options:     []string{"$format"},
		Why:         "How many links that anybody can use each site has, as SharePoint counts them once a day. No file is looked at.",
	},
	{
		Name: "sharepoint.settings", Method: "GET", Path: "/admin/sharepoint/settings", Kind: Other,
		Permissions: []string{"SharePointTenantSettings.Read.All", "SharePointTenantSettings.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/sharepointsettings-get",
		Select:      []string{"id", "sharingCapability", "sharingDomainRestrictionMode", "sharingAllowedDomainList", "sharingBlockedDomainList", "isResharingByExternalUsersEnabled", "isRequireAcceptingUserToMatchInvitedUserEnabled", "isLegacyAuthProtocolsEnabled", "isUnmanagedSyncAppForTenantRestricted", "idleSessionSignOut"},
		Why:         "With whom SharePoint and OneDrive share.",
	},
	{
		Name: "riskyUsers.list", Method: "GET", Path: "/identityProtection/riskyUsers", Kind: Protection, Top: 500,
		Permissions: []string{"IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/riskyuser-list",
		Select:      []string{"id", "isDeleted", "riskDetail", "riskLastUpdatedDateTime", "riskLevel", "riskState", "userDisplayName", "userPrincipalName"}, Options: []string{"$filter"},
		Why: "Whom Microsoft's Identity Protection holds to be at risk, and what became of it. Needs Entra ID P2 besides.",
	},
	{
		Name: "riskyUsers.get", Method: "GET", Path: "/identityProtection/riskyUsers/{person}", Kind: Protection,
		Permissions: []string{"IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/riskyuser-get",
		Select:      []string{"id", "riskDetail", "riskLastUpdatedDateTime", "riskLevel", "riskState"},
		Why:         "The risk of one person, before it is confirmed or dismissed and after.",
	},
	{
		Name: "riskyUsers.confirm", Method: "POST", Path: "/identityProtection/riskyUsers/confirmCompromised", Kind: Protection,
		Permissions: []string{"IdentityRiskyUser.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/riskyuser-confirmcompromised",
		Why:         "Tells Microsoft that an account was taken over, when an analyst asks for it.",
	},
	{
		Name: "riskyUsers.dismiss", Method: "POST", Path: "/identityProtection/riskyUsers/dismiss", Kind: Protection,
		Permissions: []string{"IdentityRiskyUser.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/riskyuser-dismiss",
		Why:         "Tells Microsoft that the risk of a person is none, when an analyst asks for it.",
	},
	{
		Name: "riskDetections.list", Method: "GET", Path: "/identityProtection/riskDetections", Kind: Protection, Top: 500,
		Permissions: []string{"IdentityRiskEvent.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/riskdetection-list",
		Select:      append(slices.Clone(detectionFields), "userId", "userDisplayName", "userPrincipalName"), Options: []string{"$filter"},
		Why: "What Microsoft detected about people's sign-ins and accounts: leaked credentials, stolen tokens, strange places.",
	},
	{
		Name: "riskyServicePrincipals.list", Method: "GET", Path: "/identityProtection/riskyServicePrincipals", Kind: Protection, Top: 500,
		Permissions: []string{"IdentityRiskyServicePrincipal.Read.All", "IdentityRiskyServicePrincipal.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/identityprotectionroot-list-riskyserviceprincipals",
		Select:      []string{"id", "appId", "displayName", "riskDetail", "riskLastUpdatedDateTime", "riskLevel", "riskState"}, Options: []string{"$filter"},
		Why: "Which applications Identity Protection holds to be at risk. Needs Workload ID Premium besides.",
	},
	{
		Name: "servicePrincipalRiskDetections.list", Method: "GET", Path: "/identityProtection/servicePrincipalRiskDetections", Kind: Protection, Top: 500,
		Permissions: []string{"IdentityRiskEvent.Read.All"},
		Docs:        "https://learn.microsoft.com/graph/api/identityprotectionroot-list-serviceprincipalriskdetections",
		Select:      append(slices.Clone(detectionFields), "appId", "servicePrincipalId", "servicePrincipalDisplayName"), Options: []string{"$filter"},
		Why: "What Microsoft detected about applications: leaked credentials, suspicious sign-ins.",
	},

	// What a team inbox asks of its shared mailbox, and does there: with immutable ids, by a service account that is a member of the mailbox
	// (Scopes), or by the app itself. https://learn.microsoft.com/graph/outlook-share-messages-folders
	{
		Name: "messages.inbox.list", Method: "GET", Path: "/users/{user}/mailFolders/{folder}/messages", Kind: Mailbox, Top: 100, Content: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/mailfolder-list-messages",
		Select:      inboxFields, Options: []string{"$filter", "$orderby", "$top"},
		Why: "The mails of a folder, newest first, to fill a team inbox.",
	},
	{
		Name: "messages.inbox.delta", Method: "GET", Path: "/users/{user}/mailFolders/{folder}/messages/delta", Kind: Mailbox, PageSize: 100, Content: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-delta",
		Select:      inboxFields, Options: []string{"$filter", "$orderby", "changeType"},
		Why: "What changed in a folder since the last look, so that a team inbox and Outlook show the same.",
	},
	{
		Name: "messages.inbox.states", Method: "GET", Path: "/users/{user}/mailFolders/{folder}/messages", Kind: Mailbox, Top: 1000,
		Permissions: []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/mailfolder-list-messages",
		Select:      []string{"id", "changeKey", "parentFolderId", "isRead", "isDraft", "flag", "categories"}, Options: []string{"$filter"},
		Why: "How every mail of a folder is marked, once a day: what delta missed.",
	},
	{
		Name: "messages.inbox.get", Method: "GET", Path: "/users/{user}/messages/{message}", Kind: Mailbox, Content: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-get",
		Select:      inboxFields,
		Why:         "One mail as it is now: after something was done with it, and a draft whose sending has no known outcome.",
	},
	{
		Name: "messages.write", Method: "PATCH", Path: "/users/{user}/messages/{message}", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-update",
		Why:         "Writes what an agent wrote into the draft that will be sent: text, recipients, the shared address as its sender.",
	},
	{
		Name: "messages.delete", Method: "DELETE", Path: "/users/{user}/messages/{message}", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-delete",
		Why:         "Puts a mail into the deleted items, when an agent asks for it, and takes a draft away that is not wanted.",
	},
	{
		Name: "messages.createReply", Method: "POST", Path: "/users/{user}/messages/{message}/createReply", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-createreply",
		Why:         "Makes the draft of an answer, with the headers that keep the thread together and the mail quoted.",
	},
	{
		Name: "messages.createReplyAll", Method: "POST", Path: "/users/{user}/messages/{message}/createReplyAll", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-createreplyall",
		Why:         "The same to all who got the mail.",
	},
	{
		Name: "messages.createForward", Method: "POST", Path: "/users/{user}/messages/{message}/createForward", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-createforward",
		Why:         "Makes the draft by which a mail is forwarded, with its attachments.",
	},
	{
		Name: "attachments.list", Method: "GET", Path: "/users/{user}/messages/{message}/attachments", Kind: Mailbox, Top: 200, Content: true,
		Permissions: []string{"Mail.Read", "Mail.ReadWrite"},
		Scopes:      []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-list-attachments",
		Select:      []string{"id", "name", "contentType", "size", "isInline", "microsoft.graph.fileAttachment/contentId"},
		Why:         "The names, types and sizes of a mail's attachments, and by which id its text shows a picture.",
	},
	{
		// Up to 3 MB; what is larger goes by attachments.upload.
		Name: "attachments.add", Method: "POST", Path: "/users/{user}/messages/{message}/attachments", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/message-post-attachments",
		Why:         "Attaches a file to a draft.",
	},
	{
		// The parts are then put to the address that it answers, which needs no token and is given none: see [Client.Upload]. For a mailbox
		// shared with the account it was refused when Microsoft last wrote of it: https://learn.microsoft.com/graph/outlook-large-attachments
		Name: "attachments.upload", Method: "POST", Path: "/users/{user}/messages/{message}/attachments/createUploadSession", Kind: Mailbox,
		Permissions: []string{"Mail.ReadWrite"},
		Scopes:      []string{"Mail.ReadWrite.Shared"},
		Docs:        "https://learn.microsoft.com/graph/api/attachment-createuploadsession",
		Why:         "Begins to attach a file of 3 to 150 MB to a draft.",
	},
	{
		Name: "me.get", Method: "GET", Path: "/me", Kind: Directory,
		Scopes: []string{"User.Read"},
		Docs:   "https://learn.microsoft.com/graph/api/user-get",
		Select: []string{"id", "displayName", "userPrincipalName", "mail"},
		Why:    "Which account has signed in for a team inbox: the one and only call about it.",
	},

	{
		// Carries up to twenty of the calls above; needs no permission of its own.
		Name: "batch", Method: "POST", Path: "/$batch", Kind: Other,
		Docs: "https://learn.microsoft.com/graph/json-batching",
		Why:  "Twenty of the calls above in one request.",
	},
}

// methodRemoval is the call that removes a sign-in method of a kind; page is its resource's in the documentation.
func methodRemoval(kind, page string) Call {
	return Call{
		Name: "authentication." + kind + ".delete", Method: "DELETE", Path: "/users/{user}/authentication/" + kind + "Methods/{method}", Kind: Directory, Cost: 1,
		Permissions: []string{"UserAuthenticationMethod.ReadWrite.All"},
		Docs:        "https://learn.microsoft.com/graph/api/" + page + "-delete",
		Why:         "Removes a sign-in method, when an analyst asks for it, so that it has to be registered again.",
	}
}

// Paths of the Management Activity API.
const (
	feed     = "/api/v1.0/{tenant}/activity/feed"
	feedDocs = "https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-reference"
)

// auditQueryPermissions begin with the least that finds what mailboxes tell; each searches its own part of the log.
var auditQueryPermissions = []string{"AuditLogsQuery-Exchange.Read.All", "AuditLogsQuery.Read.All", "AuditLogsQuery-Entra.Read.All"}

var userFields = []string{
	"id", "displayName", "userPrincipalName", "mail", "proxyAddresses", "otherMails", "userType", "accountEnabled",
	"onPremisesSyncEnabled", "assignedPlans", "assignedLicenses", "department", "jobTitle", "createdDateTime",
}

// detectionFields are what a detection of Identity Protection tells, of whomever it is.
var detectionFields = []string{
	"id", "activity", "activityDateTime", "correlationId", "detectedDateTime", "detectionTimingType", "ipAddress", "lastUpdatedDateTime", "location",
	"requestId", "riskDetail", "riskEventType", "riskLevel", "riskState", "source", "tokenIssuerType",
}

// stateUserFields are what people are judged by.
var stateUserFields = []string{
	"id", "displayName", "userPrincipalName", "mail", "userType", "accountEnabled", "onPremisesSyncEnabled", "assignedLicenses", "createdDateTime",
	"employeeHireDate", "creationType", "externalUserState", "externalUserStateChangeDateTime",
}

// ownersOf asks for owners with what they own: the first twenty, as $expand gives them.
const ownersOf = "owners($select=id,displayName)"

// stateGroupFields are what groups are judged by.
var stateGroupFields = []string{"id", "displayName", "visibility", "groupTypes", "membershipRule", "isAssignableToRole", "isManagementRestricted", "securityEnabled", "mail", "mailEnabled", "createdDateTime", "onPremisesSyncEnabled"}

var groupFields = []string{"id", "displayName", "mail", "mailEnabled", "securityEnabled", "groupTypes", "proxyAddresses"}

var folderFields = []string{"id", "displayName", "parentFolderId", "isHidden", "childFolderCount", "totalItemCount"}

// lastVerb asks for what was last done with a message (PidTagLastVerbExecuted), and when (PidTagLastVerbExecutionTime).
// https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxomsg/0b30ab8d-0ea2-4ed0-bf52-d3c1f1b9d4c9
const lastVerb = "singleValueExtendedProperties($filter=id eq '" + propLastVerb + "' or id eq '" + propLastVerbTime + "')"

// searchFields are what a message's envelope tells an investigation.
var searchFields = []string{
	"id", "changeKey", "conversationId", "internetMessageId", "parentFolderId", "subject", "from", "sender", "toRecipients", "ccRecipients", "bccRecipients", "replyTo",
	"hasAttachments", "importance", "isRead", "isDraft", "flag", "categories", "receivedDateTime", "sentDateTime",
}

// inboxFields are what a team inbox has of a mail. Headers are told only to who selects them.
var inboxFields = []string{
	"id", "changeKey", "conversationId", "internetMessageId", "internetMessageHeaders", "parentFolderId", "subject", "bodyPreview", "body", "from", "sender", "replyTo",
	"toRecipients", "ccRecipients", "bccRecipients", "hasAttachments", "importance", "isRead", "isDraft", "flag", "categories",
	"createdDateTime", "lastModifiedDateTime", "receivedDateTime", "sentDateTime",
}

// messageFields are what Mail.ReadBasic.All gives, less the subject.
var messageFields = []string{
	"id", "changeKey", "conversationId", "internetMessageId", "parentFolderId", "from", "sender", "toRecipients", "ccRecipients",
	"bccRecipients", "replyTo", "hasAttachments", "importance", "isRead", "isDraft", "flag", "categories",
	"createdDateTime", "lastModifiedDateTime", "receivedDateTime", "sentDateTime",
}
