package api

import "net/http"

// Ops is every operation: its name, its route, who may, what it does, and what does it. A line of it is the REST route
// with its OpenAPI entry, the Go client's call, the command `tocsin <noun> <verb>` and the role that [Service.allow]
// looks for. Where the route names a tenant the role is needed there; otherwise on the installation (a grant on *).
// A nil service gives the table for those who only call: clients and commands.
func Ops(s *Service) []Op {
	return []Op{
		op("overview get", "GET /api/v1/tenants/{tenant}/overview", Viewer, "A tenant at a glance", s.Overview),
		op("tenants list", "GET /api/v1/tenants", Self, "The tenants you may see", s.ListTenants),

		op("connections list", "GET /api/v1/tenants/{tenant}/connections", Viewer, "The ways to a tenant, and what each allows", s.ListConnections),
		op("connections get", "GET /api/v1/tenants/{tenant}/connections/{id}", Viewer, "One connection", s.GetConnection),
		op("connections create", "POST /api/v1/connections", Admin, "Connect a tenant with API credentials", s.CreateConnection, status(http.StatusCreated), inBody),
		op("connections guide", "GET /api/v1/guide", Self, "What to do in Entra to make an app registration: steps, permissions, manifest, scripts", s.GuideConnection),
		op("connections choose", "POST /api/v1/tenants/{tenant}/connections/{id}/products", Admin, "Switch products of a connection on and off", s.ChooseProducts),
		op("connections test", "POST /api/v1/tenants/{tenant}/connections/{id}/test", Admin, "Try the credentials, and look again at what is granted", s.TestConnection),
		op("connections pause", "POST /api/v1/tenants/{tenant}/connections/{id}/pause", Admin, "Stop every call to Microsoft at once", s.PauseConnection),
		op("connections resume", "POST /api/v1/tenants/{tenant}/connections/{id}/resume", Admin, "Go on after a pause", s.ResumeConnection),
		op("connections edit", "PATCH /api/v1/tenants/{tenant}/connections/{id}", Admin, "Change a connection's name, whether it reads metadata only, when its secret ends", s.EditConnection),
		op("connections rotate", "POST /api/v1/tenants/{tenant}/connections/{id}/rotate", Admin, "Give a connection another credential; the old one stays until the new one is proven", s.RotateConnection),
		op("connections close", "POST /api/v1/tenants/{tenant}/connections/{id}/close", Admin, "Disconnect: ask nothing any more, keep or erase what was read, erase the credential last", s.CloseConnection),
		op("connections reopen", "POST /api/v1/tenants/{tenant}/connections/{id}/reopen", Admin, "Open a closed connection again with a new credential; its history is there", s.ReopenConnection),
		op("connections delete", "DELETE /api/v1/tenants/{tenant}/connections/{id}", Admin, "Forget a connection and its credentials", s.DeleteConnection),
		op("capabilities list", "GET /api/v1/tenants/{tenant}/capabilities", Viewer, "What the connections allow, and what is off and why", s.ListCapabilities),
		op("limits list", "GET /api/v1/tenants/{tenant}/limits", Viewer, "Microsoft's limits, and how near each connection is to them", s.ListLimits),
		op("sources list", "GET /api/v1/tenants/{tenant}/sources", Viewer, "What is read, and how fresh it is", s.ListSources),

		op("registrations list", "GET /api/v1/registrations", Admin, "The app registrations of this installation, by which tenants consent", s.ListRegistrations),
		op("registrations set", "PUT /api/v1/registrations/{tier}", Admin, "Enter an app registration, in place of the tier's there was", s.SetRegistration),
		op("registrations delete", "DELETE /api/v1/registrations/{tier}", Admin, "Forget an app registration and its credential", s.DeleteRegistration),
		op("consents begin", "POST /api/v1/consents", Self, "Begin to connect a tenant by signing in to it, in a browser", s.BeginConsent, noCommand),
		op("consents finish", "POST /api/v1/consents/finish", Self, "Take what Microsoft sent a browser back with", s.FinishConsent, noCommand),

		op("findings list", "GET /api/v1/tenants/{tenant}/findings", Viewer, "What is dangerous", s.ListFindings),
		op("findings get", "GET /api/v1/tenants/{tenant}/findings/{id}", Viewer, "A finding with why, evidence and history", s.GetFinding),
		op("findings decide", "POST /api/v1/tenants/{tenant}/findings/{id}/decide", Analyst, "Decide a finding: open, in work, fixed, accepted until, false alarm", s.DecideFinding),
		op("findings assign", "POST /api/v1/tenants/{tenant}/findings/{id}/assign", Analyst, "Say who looks after a finding", s.AssignFinding),
		op("actions list", "GET /api/v1/tenants/{tenant}/actions", Viewer, "What was done to the tenant, and is to be", s.ListActions),
		op("actions get", "GET /api/v1/tenants/{tenant}/actions/{id}", Viewer, "An action with its plan and its history", s.GetAction),
		op("actions plan", "POST /api/v1/tenants/{tenant}/actions/plan", Analyst, "What an action would do: nothing is recorded, and nothing done", s.PlanAction),
		op("actions create", "POST /api/v1/tenants/{tenant}/actions", Analyst, "Revoke a person's sessions, disable or delete a rule", s.CreateAction, status(http.StatusAccepted)),
		op("actions approve", "POST /api/v1/tenants/{tenant}/actions/{id}/approve", Analyst, "Let an action go ahead that somebody else asked for", s.ApproveAction, status(http.StatusAccepted)),
		op("actions refuse", "POST /api/v1/tenants/{tenant}/actions/{id}/refuse", Analyst, "End an action that waits for approval", s.RefuseAction),
		op("actions cancel", "POST /api/v1/tenants/{tenant}/actions/{id}/cancel", Analyst, "End an action that has not begun", s.CancelAction),
		op("actions plan-undo", "POST /api/v1/tenants/{tenant}/actions/{id}/undo/plan", Analyst, "What undoing an action would do", s.PlanUndo),
		op("actions undo", "POST /api/v1/tenants/{tenant}/actions/{id}/undo", Analyst, "Undo an action, back to the state before", s.UndoAction, status(http.StatusAccepted)),
		op("response-settings get", "GET /api/v1/tenants/{tenant}/response-settings", Viewer, "How acts may happen: approval, limits, who is spared", s.GetResponse),
		op("response-settings set", "PUT /api/v1/tenants/{tenant}/response-settings", Admin, "Set how acts may happen", s.SetResponse),
		op("detections list", "GET /api/v1/tenants/{tenant}/detections", Viewer, "What is looked for: the catalogue", s.ListDetections),

		op("rules list", "GET /api/v1/tenants/{tenant}/rules", Viewer, "Mailbox rules and forwarding", s.ListRules),
		op("rules get", "GET /api/v1/tenants/{tenant}/rules/{person}/{id}", Viewer, "A mailbox rule with its history", s.GetRule),
		op("mailboxes list", "GET /api/v1/tenants/{tenant}/mailboxes", Viewer, "Mailboxes: which are read, and which are not, because", s.ListMailboxes),
		op("mailboxes get", "GET /api/v1/tenants/{tenant}/mailboxes/{person}", Viewer, "A mailbox with its rules and findings", s.GetMailbox),
		op("identities list", "GET /api/v1/tenants/{tenant}/identities", Viewer, "The people of the directory", s.ListIdentities),
		op("identities get", "GET /api/v1/tenants/{tenant}/identities/{person}", Viewer, "A person: roles, mailbox, rules, findings, timeline", s.GetIdentity),
		op("groups list", "GET /api/v1/tenants/{tenant}/groups", Viewer, "Mail groups, and their members outside", s.ListGroups),
		op("events list", "GET /api/v1/tenants/{tenant}/events", Viewer, "What happened, newest first", s.ListEvents),

		op("exceptions list", "GET /api/v1/tenants/{tenant}/exceptions", Viewer, "What is excused, by whom, until when", s.ListExceptions),
		op("exceptions create", "POST /api/v1/tenants/{tenant}/exceptions", Analyst, "Excuse something from a detection, until a date", s.CreateException, status(http.StatusCreated)),
		op("exceptions delete", "DELETE /api/v1/tenants/{tenant}/exceptions/{id}", Analyst, "End an exception", s.DeleteException),
		op("partners list", "GET /api/v1/tenants/{tenant}/partners", Viewer, "Domains outside that are trusted", s.ListPartners),
		op("partners create", "POST /api/v1/tenants/{tenant}/partners", Admin, "Trust a domain outside, until a date", s.CreatePartner, status(http.StatusCreated)),
		op("partners delete", "DELETE /api/v1/tenants/{tenant}/partners/{domain}", Admin, "Trust a domain no longer", s.DeletePartner),

		op("channels list", "GET /api/v1/tenants/{tenant}/channels", Viewer, "Who is told of findings, by which way (tenant *: of every tenant)", s.ListChannels),
		op("channels get", "GET /api/v1/tenants/{tenant}/channels/{id}", Viewer, "One channel", s.GetChannel),
		op("channels create", "POST /api/v1/tenants/{tenant}/channels", Admin, "Tell somebody of findings: by e-mail, Slack, Teams, webhook or syslog", s.CreateChannel, status(http.StatusCreated)),
		op("channels edit", "PATCH /api/v1/tenants/{tenant}/channels/{id}", Admin, "Change a channel", s.EditChannel),
		op("channels delete", "DELETE /api/v1/tenants/{tenant}/channels/{id}", Admin, "Forget a channel", s.DeleteChannel),
		op("channels test", "POST /api/v1/tenants/{tenant}/channels/{id}/test", Admin, "Send a test message, and see how it goes", s.TestChannel),
		op("channels rotate", "POST /api/v1/tenants/{tenant}/channels/{id}/rotate", Admin, "Give a webhook a new signing secret; the old one holds for a day more", s.RotateChannel),
		op("alerts list", "GET /api/v1/tenants/{tenant}/alerts", Viewer, "What was told, what waits, and what could not be delivered", s.ListAlerts),
		op("alerts tries", "GET /api/v1/tenants/{tenant}/alerts/{id}/tries", Viewer, "Every try to deliver an alert", s.ListTries),
		op("snoozes list", "GET /api/v1/tenants/{tenant}/snoozes", Viewer, "Of what nobody is told for now, by whom, until when", s.ListSnoozes),
		op("snoozes create", "POST /api/v1/tenants/{tenant}/snoozes", Analyst, "Tell nobody of a finding, of a detection or by a channel, until a date", s.CreateSnooze, status(http.StatusCreated)),
		op("snoozes delete", "DELETE /api/v1/tenants/{tenant}/snoozes/{id}", Analyst, "End a snooze", s.DeleteSnooze),

		follow("facts stream", "GET /api/v1/facts", Viewer, "What changes, as it changes (server-sent events)", s),

		op("accounts list", "GET /api/v1/accounts", Owner, "Who may sign in", s.ListAccounts),
		op("accounts create", "POST /api/v1/accounts", Owner, "Let somebody sign in", s.CreateAccount, status(http.StatusCreated)),
		op("accounts grant", "POST /api/v1/accounts/{id}/grants", Owner, "Give an account a role in a tenant, or in all (*)", s.Grant),
		op("accounts revoke", "DELETE /api/v1/accounts/{id}/grants/{on}", Owner, "Take a role away", s.Revoke),
		op("accounts disable", "POST /api/v1/accounts/{id}/disable", Owner, "Shut an account out, with its sessions and tokens", s.DisableAccount),
		op("accounts enable", "POST /api/v1/accounts/{id}/enable", Owner, "Let an account in again", s.EnableAccount),
		op("accounts reset", "POST /api/v1/accounts/{id}/reset", Owner, "Give an account another password, and no second factor", s.ResetAccount),
		op("tokens list", "GET /api/v1/tokens", Self, "Your API tokens", s.ListTokens),
		op("tokens create", "POST /api/v1/tokens", Self, "Make an API token; it is shown once", s.CreateToken, status(http.StatusCreated)),
		op("tokens revoke", "DELETE /api/v1/tokens/{id}", Self, "End an API token", s.RevokeToken),

		op("me get", "GET /api/v1/me", Self, "Who you are here", s.Me),
		op("me password", "POST /api/v1/me/password", Self, "Change your password", s.ChangePassword, noCommand),
		op("me enrol", "POST /api/v1/me/totp", Self, "Begin a second factor", s.EnrolTOTP, noCommand),
		op("me confirm", "POST /api/v1/me/totp/confirm", Self, "Confirm the second factor with a first code", s.ConfirmTOTP, noCommand),
		op("me unenrol", "POST /api/v1/me/totp/remove", Self, "Remove the second factor", s.RemoveTOTP, noCommand),
		op("session open", "POST /api/v1/session", Stranger, "Sign in", s.SignIn, noCommand),
		op("session close", "DELETE /api/v1/session", Self, "Sign out", s.SignOut, noCommand),
		op("setup get", "GET /api/v1/setup", Stranger, "Whether the server waits to be claimed", s.GetSetup, noCommand),
		op("setup claim", "POST /api/v1/setup", Stranger, "Claim a new server with its one-time link", s.ClaimSetup, status(http.StatusCreated), noCommand),
	}
}
