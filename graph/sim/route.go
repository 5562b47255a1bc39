package sim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is a path that the simulator serves: what opens it, what it costs, what may be asked of it.
type route struct {
	method, path string
	roles        []string // any of these application permissions
	scopes       []string // any of these delegated ones, where they do not follow from roles, see scopesFor
	outlook      bool     // served by Exchange: other errors, other limits
	cost         int      // of the directory's resource units
	query        []string // names of the query that it takes; others are refused
	service      string   // of another service than Graph: how its paths begin
	alone        bool     // even a GET changes what is kept
	free         bool     // nothing is locked meanwhile: it locks what it needs
	serve        func(*Sim, *request) reply
	parts        []string
	seen         *tally
}

// Accepted permissions by resource, from Microsoft's own map (least first).
var (
	forUsers    = strings.Fields("User.ReadBasic.All User.Read.All User.ReadWrite.All Directory.Read.All Directory.ReadWrite.All")
	forUserLog  = strings.Fields("User.Read.All User.ReadWrite.All Directory.Read.All Directory.ReadWrite.All")
	forUserEdit = strings.Fields("User.ReadWrite.All Directory.ReadWrite.All User.EnableDisableAccount.All User-PasswordProfile.ReadWrite.All")
	forRevoke   = strings.Fields("User.RevokeSessions.All User.ReadWrite.All Directory.ReadWrite.All")
	forMemberOf = strings.Fields("Directory.Read.All Directory.ReadWrite.All Group.ReadBasic.All GroupMember.ReadBasic.All")
	forAllOf    = strings.Fields("User.Read.All Directory.Read.All Directory.ReadWrite.All Group.Read.All Group.ReadBasic.All GroupMember.Read.All GroupMember.ReadBasic.All")
	forGroups   = strings.Fields("Group.ReadBasic.All GroupMember.Read.All Group.Read.All Group.ReadWrite.All Directory.Read.All Directory.ReadWrite.All")
	forMembers  = strings.Fields("GroupMember.ReadBasic.All GroupMember.Read.All GroupMember.ReadWrite.All Group.ReadBasic.All Group.Read.All Group.ReadWrite.All Directory.Read.All")
	forContacts = strings.Fields("OrgContact.Read.All Directory.Read.All Directory.ReadWrite.All")
	forRoles    = strings.Fields("RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory Directory.Read.All Directory.ReadWrite.All")
	forOrg      = strings.Fields("Organization.Read.All Organization.ReadWrite.All User.Read.All Directory.Read.All Directory.ReadWrite.All DeviceManagementServiceConfig.Read.All")
	forOneOrg   = strings.Fields("DeviceManagementServiceConfig.Read.All User.Read.All")
	forDomains  = strings.Fields("Domain.Read.All Domain.ReadWrite.All Directory.Read.All")
	forSkus     = strings.Fields("LicenseAssignment.Read.All Organization.Read.All Organization.ReadWrite.All Directory.Read.All Directory.ReadWrite.All")
	forApps     = strings.Fields("Application.Read.All Application.ReadWrite.OwnedBy Application.ReadWrite.All Directory.Read.All")
	forGrants   = strings.Fields("Directory.Read.All DelegatedPermissionGrant.ReadWrite.All Directory.ReadWrite.All")
	forSettings = strings.Fields("MailboxSettings.Read MailboxSettings.ReadWrite")
	forRuleEdit = strings.Fields("MailboxSettings.ReadWrite")
	forMail     = strings.Fields("Mail.ReadBasic.All Mail.Read Mail.ReadWrite")
	forMailEdit = strings.Fields("Mail.ReadWrite")
	forContent  = strings.Fields("Mail.Read Mail.ReadWrite")
	forTraces   = strings.Fields("ExchangeMessageTrace.Read.All")
	forMailSend = strings.Fields("Mail.Send")
	forSearch   = strings.Fields("AuditLogsQuery-Exchange.Read.All AuditLogsQuery-Entra.Read.All AuditLogsQuery-SharePoint.Read.All AuditLogsQuery.Read.All")
	forFeed     = strings.Fields("ActivityFeed.Read")
	forReports  = strings.Fields("AuditLog.Read.All")
	forAudits   = strings.Fields("AuditLog.Read.All Directory.Read.All")
	forAdmin    = strings.Fields("Exchange.ManageAsAppV2")
	forCommand  = strings.Fields("Exchange.ManageAsApp")
)

// What may be asked of a path.
var (
	one        = strings.Fields("$select $expand")
	plainList  = strings.Fields("$select $filter $top $count $orderby $expand $search $skiptoken")
	bareList   = strings.Fields("$select $filter $top $skiptoken $count")
	reportList = strings.Fields("$filter $top $skiptoken")
	deltaList  = strings.Fields("$select $filter $top $expand $skiptoken $deltatoken")
	boxList    = strings.Fields("$select $filter $top $skip $count $orderby $expand includeHiddenFolders")
	ruleList   = strings.Fields("$select $filter $top $skip $count $orderby")
	mailList   = strings.Fields("$select $filter $top $skip $count $orderby $expand $search $skiptoken")
	mailDelta  = strings.Fields("$select $filter $top $expand $orderby $skiptoken $deltatoken changeType")
)

// paths is everything that is served.
func paths() []*route {
	get, post, patch, del := http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	const (
		user   = "users/{user-id}"
		folder = user + "/mailFolders/{mailFolder-id}"
		sp     = "servicePrincipals/{servicePrincipal-id}"
		feed   = "v1.0/{tenant}/activity/feed"
		api    = "api"
		admin  = "adminapi"
	)
	return append(slices.Concat(statePaths(), protectionPaths(), respondPaths(), draftPaths()), []*route{
		{method: get, path: "organization", roles: forOrg, cost: 1, query: bareList, serve: (*Sim).organizations},
		{method: get, path: "organization/{organization-id}", roles: forOneOrg, cost: 1, query: one, serve: (*Sim).organization},
		{method: get, path: "domains", roles: forDomains, cost: 1, query: bareList, serve: (*Sim).domains},
		{method: get, path: "subscribedSkus", roles: forSkus, cost: 3, query: bareList, serve: (*Sim).skus},

		{method: get, path: "me", scopes: []string{"User.Read"}, cost: 1, query: one, serve: (*Sim).me},
		{method: get, path: "users", roles: forUsers, cost: 2, query: plainList, serve: (*Sim).users},
		{method: get, path: "users/$count", roles: forUsers, cost: 1, query: []string{"$filter", "$search"}, serve: (*Sim).usersCount},
		{method: get, path: "users/delta", roles: forUserLog, cost: 2, query: deltaList, serve: (*Sim).usersDelta},
		{method: get, path: user, roles: forUsers, cost: 1, query: one, serve: (*Sim).oneUser},
		{method: patch, path: user, roles: forUserEdit, cost: 1, serve: (*Sim).patchUser},
		{method: post, path: user + "/revokeSignInSessions", roles: forRevoke, cost: 1, serve: (*Sim).revokeSessions},
		{method: get, path: user + "/manager", roles: forUserLog, cost: 1, query: one, serve: (*Sim).manager},
		{method: get, path: user + "/memberOf", roles: forMemberOf, cost: 2, query: plainList, serve: (*Sim).memberOf},
		{method: get, path: user + "/transitiveMemberOf", roles: forAllOf, cost: 2, query: plainList, serve: (*Sim).memberOf},

		{method: get, path: "groups", roles: forGroups, cost: 2, query: plainList, serve: (*Sim).groupList},
		{method: get, path: "groups/delta", roles: forGroups, cost: 2, query: deltaList, serve: (*Sim).groupsDelta},
		{method: get, path: "groups/{group-id}", roles: forGroups, cost: 1, query: one, serve: (*Sim).oneGroup},
		{method: get, path: "groups/{group-id}/members", roles: forMembers, cost: 3, query: plainList, serve: (*Sim).groupMembers},
		{method: get, path: "groups/{group-id}/transitiveMembers", roles: forMembers, cost: 5, query: plainList, serve: (*Sim).groupTransitive},
		{method: get, path: "contacts", roles: forContacts, cost: 1, query: plainList, serve: (*Sim).contacts},
		{method: get, path: "contacts/{orgContact-id}", roles: forContacts, cost: 1, query: one, serve: (*Sim).oneContact},
		{method: get, path: "contacts/delta", roles: forContacts, cost: 1, query: deltaList, serve: (*Sim).contactsDelta},

		{method: get, path: "directoryRoles", roles: forRoles, cost: 1, query: []string{"$select", "$filter", "$expand"}, serve: (*Sim).roleList},
		{method: get, path: "directoryRoles/delta", roles: forRoles, cost: 1, query: deltaList, serve: (*Sim).rolesDelta},
		{method: get, path: "directoryRoles/{directoryRole-id}", roles: forRoles, cost: 1, query: one, serve: (*Sim).oneRole},
		{method: get, path: "directoryRoles/{directoryRole-id}/members", roles: forRoles, cost: 1, query: bareList, serve: (*Sim).roleMembers},

		{method: get, path: "applications/{application-id}", roles: forApps, cost: 1, query: one, serve: (*Sim).oneApplication},
		{method: get, path: "servicePrincipals", roles: forApps, cost: 1, query: plainList, serve: (*Sim).principals},
		{method: get, path: sp, roles: forApps, cost: 1, query: one, serve: (*Sim).onePrincipal},
		{method: get, path: sp + "/appRoleAssignments", roles: forApps, cost: 2, query: bareList, serve: (*Sim).assignments},
		{method: get, path: sp + "/appRoleAssignedTo", roles: forApps, cost: 2, query: bareList, serve: (*Sim).assignedTo},
		{method: get, path: sp + "/oauth2PermissionGrants", roles: forGrants, cost: 2, query: bareList, serve: (*Sim).grants},
		{method: get, path: "oauth2PermissionGrants", roles: forGrants, cost: 2, query: bareList, serve: (*Sim).grants},

		{method: get, path: user + "/mailboxSettings", roles: forSettings, outlook: true, query: one, serve: (*Sim).getSettings},
		{method: patch, path: user + "/mailboxSettings", roles: forRuleEdit, outlook: true, serve: (*Sim).patchSettings},
		{method: get, path: user + "/mailFolders", roles: forMail, outlook: true, query: boxList, serve: (*Sim).folders},
		{method: get, path: user + "/mailFolders/delta", roles: forMail, outlook: true, query: mailDelta, serve: (*Sim).foldersDelta},
		{method: get, path: folder, roles: forMail, outlook: true, query: one, serve: (*Sim).oneFolder},
		{method: post, path: user + "/mailFolders", roles: forMailEdit, outlook: true, serve: (*Sim).makeFolder},
		{method: post, path: folder + "/childFolders", roles: forMailEdit, outlook: true, serve: (*Sim).makeFolder},
		{method: post, path: folder + "/messages", roles: forMailEdit, outlook: true, serve: (*Sim).putInFolder},
		{method: get, path: user + "/outlook/masterCategories", roles: forSettings, outlook: true, query: ruleList, serve: (*Sim).masterCategories},
		{method: post, path: user + "/outlook/masterCategories", roles: forRuleEdit, outlook: true, serve: (*Sim).makeCategory},
		{method: post, path: user + "/sendMail", roles: forMailSend, outlook: true, serve: (*Sim).sendMail},
		{method: get, path: user + "/messages/{message-id}/$value", roles: forContent, outlook: true, serve: (*Sim).messageMIME},
		{method: get, path: user + "/messages/{message-id}/attachments", roles: forContent, outlook: true, query: boxList, serve: (*Sim).messageAttachments},
		{method: get, path: user + "/messages/{message-id}/attachments/{attachment-id}", roles: forContent, outlook: true, query: one, serve: (*Sim).oneAttachment},
		{method: get, path: user + "/messages/{message-id}/attachments/{attachment-id}/$value", roles: forContent, outlook: true, serve: (*Sim).attachmentBytes},
		{method: get, path: "admin/exchange/tracing/messageTraces", roles: forTraces, query: reportList, alone: true, serve: (*Sim).messageTraces},
		{method: get, path: folder + "/childFolders", roles: forMail, outlook: true, query: boxList, serve: (*Sim).childFolders},
		{method: get, path: folder + "/messageRules", roles: forSettings, outlook: true, query: ruleList, serve: (*Sim).rules},
		{method: post, path: folder + "/messageRules", roles: forRuleEdit, outlook: true, serve: (*Sim).postRule},
		{method: get, path: folder + "/messageRules/{messageRule-id}", roles: forSettings, outlook: true, query: one, serve: (*Sim).oneRule},
		{method: patch, path: folder + "/messageRules/{messageRule-id}", roles: forRuleEdit, outlook: true, serve: (*Sim).patchRule},
		{method: del, path: folder + "/messageRules/{messageRule-id}", roles: forRuleEdit, outlook: true, serve: (*Sim).deleteRule},
		{method: get, path: folder + "/messages", roles: forMail, outlook: true, query: mailList, serve: (*Sim).messages},
		{method: get, path: folder + "/messages/$count", roles: forMail, outlook: true, query: []string{"$filter"}, serve: (*Sim).messagesCount},
		{method: get, path: folder + "/messages/delta", roles: forMail, outlook: true, query: mailDelta, serve: (*Sim).messagesDelta},
		{method: get, path: folder + "/messages/{message-id}", roles: forMail, outlook: true, query: one, serve: (*Sim).oneMessage},
		{method: patch, path: folder + "/messages/{message-id}", roles: forMailEdit, outlook: true, serve: (*Sim).patchMessage},
		{method: del, path: folder + "/messages/{message-id}", roles: forMailEdit, outlook: true, serve: (*Sim).deleteMessage},
		{method: post, path: folder + "/messages/{message-id}/permanentDelete", roles: forMailEdit, outlook: true, serve: (*Sim).purgeMessage},
		{method: post, path: folder + "/messages/{message-id}/move", roles: forMailEdit, outlook: true, serve: (*Sim).moveMessage},
		{method: get, path: user + "/messages", roles: forMail, outlook: true, query: mailList, serve: (*Sim).messages},
		{method: post, path: user + "/messages", roles: forMailEdit, outlook: true, serve: (*Sim).draftMessage},
		{method: get, path: user + "/messages/$count", roles: forMail, outlook: true, query: []string{"$filter"}, serve: (*Sim).messagesCount},
		{method: get, path: user + "/messages/{message-id}", roles: forMail, outlook: true, query: one, serve: (*Sim).oneMessage},
		{method: patch, path: user + "/messages/{message-id}", roles: forMailEdit, outlook: true, serve: (*Sim).patchMessage},
		{method: del, path: user + "/messages/{message-id}", roles: forMailEdit, outlook: true, serve: (*Sim).deleteMessage},
		{method: post, path: user + "/messages/{message-id}/permanentDelete", roles: forMailEdit, outlook: true, serve: (*Sim).purgeMessage},
		{method: post, path: user + "/messages/{message-id}/send", roles: forMailSend, outlook: true, serve: (*Sim).sendMessage},
		{method: post, path: user + "/messages/{message-id}/move", roles: forMailEdit, outlook: true, serve: (*Sim).moveMessage},

		{method: get, path: "subscriptions", roles: forSubscribe, cost: 1, query: bareList, free: true, serve: (*Sim).subscriptionList},
		{method: post, path: "subscriptions", roles: forSubscribe, cost: 1, free: true, serve: (*Sim).subscribe},
		{method: get, path: "subscriptions/{subscription-id}", roles: forSubscribe, cost: 1, query: one, free: true, serve: (*Sim).oneSubscription},
		{method: patch, path: "subscriptions/{subscription-id}", roles: forSubscribe, cost: 1, free: true, serve: (*Sim).patchSubscription},
		{method: del, path: "subscriptions/{subscription-id}", roles: forSubscribe, cost: 1, free: true, serve: (*Sim).deleteSubscription},
		{method: post, path: "subscriptions/{subscription-id}/reauthorize", roles: forSubscribe, cost: 1, free: true, serve: (*Sim).reauthorize},

		{method: post, path: "security/auditLog/queries", roles: forSearch, cost: 1, serve: (*Sim).searchCreate},
		{method: get, path: "security/auditLog/queries/{auditLogQuery-id}", roles: forSearch, cost: 1, query: one, alone: true, serve: (*Sim).searchGet},
		{method: get, path: "security/auditLog/queries/{auditLogQuery-id}/records", roles: forSearch, cost: 1, query: bareList, serve: (*Sim).searchRecords},

		{method: get, path: "auditLogs/signIns", roles: forReports, cost: 1, query: reportList, alone: true, serve: (*Sim).signInList},
		{method: get, path: "auditLogs/directoryAudits", roles: forAudits, cost: 1, query: reportList, serve: (*Sim).directoryAuditList},

		{service: api, method: get, path: feed + "/subscriptions/list", roles: forFeed, query: []string{"PublisherIdentifier"}, alone: true, serve: (*Sim).feedList},
		{service: api, method: post, path: feed + "/subscriptions/start", roles: forFeed, query: []string{"contentType", "PublisherIdentifier"}, serve: (*Sim).feedStart},
		{service: api, method: get, path: feed + "/subscriptions/content", roles: forFeed, query: []string{"contentType", "startTime", "endTime", "nextPage", "PublisherIdentifier"}, alone: true, serve: (*Sim).feedContent},
		{service: api, method: get, path: feed + "/audit/{content}", roles: forFeed, query: []string{"PublisherIdentifier"}, alone: true, serve: (*Sim).feedGet},

		{service: admin, method: post, path: "v2.0/{tenant}/Mailbox", roles: forAdmin, query: []string{"$skiptoken"}, serve: (*Sim).adminMailbox},
		{service: admin, method: post, path: "v2.0/{tenant}/MailboxFolderPermission", roles: forAdmin, query: []string{"$skiptoken"}, serve: (*Sim).adminFolders},
		{service: admin, method: post, path: "v2.0/{tenant}/AcceptedDomain", roles: forAdmin, query: []string{"$skiptoken"}, serve: (*Sim).adminDomains},
		{service: admin, method: post, path: "beta/{tenant}/InvokeCommand", roles: forCommand, query: []string{"$skiptoken"}, serve: (*Sim).invokeCommand},
	}...)
}

// table finds routes by their number of parts.
type table [8][]*route

func newTable() *table {
	t := &table{}
	for _, r := range paths() {
		r.parts = strings.Split(r.path, "/")
		r.seen = &tally{}
		t[len(r.parts)] = append(t[len(r.parts)], r)
	}
	for _, list := range t { // words before variables: users/delta is no user's id
		slices.SortStableFunc(list, func(a, b *route) int { return a.wild() - b.wild() })
	}
	return t
}

func (r *route) wild() int { return strings.Count(r.path, "{") }

// split cuts a path into parts; users('x') is users/x, delta() is delta. ok is false where a part cannot be unescaped.
func split(path string, parts []string) ([]string, bool) {
	for path != "" {
		var p string
		p, path, _ = strings.Cut(path, "/")
		if p == "" {
			continue
		}
		if strings.IndexByte(p, '%') >= 0 {
			var err error
			if p, err = url.PathUnescape(p); err != nil {
				return nil, false
			}
		}
		p = strings.TrimSuffix(strings.TrimPrefix(p, "microsoft.graph."), "()")
		if name, key, ok := strings.Cut(p, "("); ok && name != "" && strings.HasSuffix(key, ")") {
			parts = append(parts, name, strings.Trim(strings.TrimSuffix(key, ")"), "'"))
			continue
		}
		parts = append(parts, p)
	}
	return parts, true
}

// find gives the route of a request and sets its variables; known says whether the path is served by any method.
func (t *table) find(r *request) (found *route, known bool) {
	var buf [8]string
	parts, ok := split(r.path, buf[:0])
	if !ok || len(parts) >= len(t) {
		return nil, false
	}
	for _, c := range t[len(parts)] {
		if c.service != r.service() || !c.matches(parts) {
			continue
		}
		if known = true; c.method != r.method {
			continue
		}
		n := 0
		for i, p := range c.parts {
			if p[0] == '{' {
				r.vars[n] = parts[i]
				n++
			}
		}
		return c, true
	}
	return nil, known
}

func (c *route) matches(parts []string) bool {
	for i, p := range c.parts {
		if p[0] != '{' && !strings.EqualFold(p, parts[i]) {
			return false
		}
	}
	return true
}
