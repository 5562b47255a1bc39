// Package web is the pages: server-rendered, live, usable without scripts.
//
// A file is named for its page, the handler in x.go beside its components in x.templ; what they have in common is in
// parts.templ and layout.templ. Pages call the operations of package api as whoever is signed in, so what a page shows
// is what that person may see. No page holds a script or a style of its own: the content security policy refuses both.
//
// How the pages speak: a problem says what and what to do. Nothing there, nothing yet, nothing fits, and not all was
// looked at are four different things and read so. What strangers wrote (rules' names, addresses) is shown by the
// component said, which marks what cannot be seen. A time is relative, with the exact one on hover.
package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// Options is what the pages are given besides the service.
type Options struct {
	Clock *tocsin.Clock // the server's
	TLS   bool          // pages are reached over TLS: cookies are marked secure, and browsers told to stay with it
	// Origin is where browsers reach the pages (https://tocsin.example), for what stands elsewhere: the add-in's manifest.
	Origin string
	Log    *slog.Logger
}

type web struct {
	svc *api.Service
	o   Options
	log *slog.Logger
}

// New is the handler of all pages, from / on.
func New(svc *api.Service, opts Options) http.Handler {
	w := &web{svc: svc, o: opts, log: opts.Log}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.o.Clock == nil {
		w.o.Clock = &tocsin.Clock{}
	}
	pages := http.NewServeMux()
	w.routes(pages)
	all := http.NewServeMux()
	all.HandleFunc("GET /static/{file}", serveAsset)
	all.HandleFunc("GET /addin/{key}/{file}", w.addin)
	all.Handle("/", svc.Authenticate(w.look(pages)))
	return w.guard(all)
}

// routes is every page and every form, in the order of the navigation.
func (w *web) routes(m *http.ServeMux) {
	m.HandleFunc("GET /{$}", w.inside("", "Welcome", w.start))
	m.HandleFunc("GET /sign-in", w.signIn)
	m.HandleFunc("POST /sign-in", w.signInDo)
	m.HandleFunc("GET /sign-in/oidc/begin", w.oidcBegin)
	m.HandleFunc("GET /sign-in/oidc", w.oidcBack)
	m.HandleFunc("POST /sign-out", w.signOut)
	m.HandleFunc("GET /setup", w.setup)
	m.HandleFunc("POST /setup", w.setupDo)
	m.HandleFunc("POST /theme", w.theme)
	m.HandleFunc("GET /live", w.live)

	t := func(section, title string, h handler) http.HandlerFunc { return w.inTenant(section, title, h) }
	m.HandleFunc("GET /t/{tenant}/{$}", t("overview", "Overview", w.overview))
	m.HandleFunc("GET /t/{tenant}/overview", t("overview", "Overview", w.overview))
	m.HandleFunc("GET /t/{tenant}/findings", t("findings", "Findings", w.findings))
	m.HandleFunc("GET /t/{tenant}/findings.csv", w.csv(w.findingsCSV))
	m.HandleFunc("POST /t/{tenant}/findings/decide", w.act(w.decideMany))
	m.HandleFunc("GET /t/{tenant}/findings/{id}", t("findings", "Finding", w.finding))
	m.HandleFunc("POST /t/{tenant}/findings/{id}/decide", w.act(w.decide))
	m.HandleFunc("GET /t/{tenant}/stories", t("stories", "Stories", w.stories))
	m.HandleFunc("GET /t/{tenant}/stories/{id}", t("stories", "Story", w.story))
	m.HandleFunc("GET /t/{tenant}/signins", t("signins", "Sign-ins", w.signIns))
	m.HandleFunc("GET /t/{tenant}/signins/{id}", t("signins", "Sign-in", w.oneSignIn))
	m.HandleFunc("GET /t/{tenant}/audit", t("audit", "Audit log", w.audit))
	m.HandleFunc("GET /t/{tenant}/audit/queries", t("audit", "Audit searches", w.auditQueries))
	m.HandleFunc("POST /t/{tenant}/audit/queries", w.act(w.auditQueryAdd))
	m.HandleFunc("GET /t/{tenant}/audit/queries/{id}", t("audit", "Audit search", w.auditQuery))
	m.HandleFunc("GET /t/{tenant}/audit/ledger", t("audit", "What was read", w.auditLedger))
	m.HandleFunc("GET /t/{tenant}/audit/imports", t("audit", "Imports", w.imports))
	m.HandleFunc("POST /t/{tenant}/audit/imports/{kind}", w.importDo)
	m.HandleFunc("GET /t/{tenant}/audit/{id}", t("audit", "Audit record", w.auditRecord))
	m.HandleFunc("GET /t/{tenant}/actions", t("actions", "Actions", w.actions))
	m.HandleFunc("POST /t/{tenant}/actions", w.act(w.actionCreate))
	m.HandleFunc("GET /t/{tenant}/actions/new", t("actions", "Act", w.actionNew))
	m.HandleFunc("GET /t/{tenant}/actions/{id}", t("actions", "Action", w.action))
	m.HandleFunc("GET /t/{tenant}/actions/{id}/undo", t("actions", "Undo", w.actionUndo))
	m.HandleFunc("POST /t/{tenant}/actions/{id}/{do}", w.act(w.actionDo))
	m.HandleFunc("GET /t/{tenant}/mailacts", t("actions", "Actions on mails", w.mailActs))
	m.HandleFunc("GET /t/{tenant}/mailacts/{id}", t("actions", "Action on mails", w.mailAct))
	m.HandleFunc("POST /t/{tenant}/mailacts/{id}/{do}", w.act(w.mailActDo))
	m.HandleFunc("GET /t/{tenant}/investigations", t("investigations", "Investigations", w.investigations))
	m.HandleFunc("GET /t/{tenant}/investigations/new", t("investigations", "New investigation", w.investigateNew))
	m.HandleFunc("POST /t/{tenant}/investigations/new", t("investigations", "New investigation", w.investigateDo))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}", t("investigations", "Investigation", w.investigation))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/edit", t("investigations", "Change the investigation", w.investigateEdit))
	m.HandleFunc("POST /t/{tenant}/investigations/{id}/edit", t("investigations", "Change the investigation", w.investigateDo))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/explorer", t("investigations", "Explorer", w.explorer))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/matches.csv", w.matchesCSV)
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/matches/{match}", t("investigations", "Mail", w.match))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/campaigns", t("investigations", "Campaigns", w.investigationClusters))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/trails", t("investigations", "Who received and opened", w.investigationTrails))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/mailboxes", t("investigations", "Mailboxes", w.investigationMailboxes))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/history", t("investigations", "History", w.investigationHistory))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/act", t("investigations", "Act on mails", w.mailActNew))
	m.HandleFunc("POST /t/{tenant}/investigations/{id}/act", w.act(w.mailActCreate))
	m.HandleFunc("POST /t/{tenant}/investigations/{id}/{do}", w.act(w.investigationDo))
	m.HandleFunc("GET /t/{tenant}/reported", t("investigations", "Reported mails", w.reported))
	m.HandleFunc("GET /t/{tenant}/reported/{id}", t("investigations", "Reported mail", w.reportedMail))
	m.HandleFunc("POST /t/{tenant}/reported/{id}/{do}", w.act(w.reportedDo))
	m.HandleFunc("GET /t/{tenant}/settings/reported", t("settings", "Reported mails", w.reportedSettings))
	m.HandleFunc("POST /t/{tenant}/settings/reported", w.act(w.reportedSettingsSet))
	m.HandleFunc("GET /t/{tenant}/inbox", t("inbox", "Inbox", w.inbox))
	m.HandleFunc("GET /t/{tenant}/inbox/threads/{id}", t("inbox", "Thread", w.inboxThread))
	m.HandleFunc("GET /t/{tenant}/inbox/threads/{id}/mails/{message}", w.threadMail)
	m.HandleFunc("GET /t/{tenant}/inbox/threads/{id}/mails/{message}/files/{file}", w.threadFile)
	m.HandleFunc("GET /t/{tenant}/inbox/threads/{id}/merge", t("inbox", "Merge", w.merging))
	m.HandleFunc("GET /t/{tenant}/inbox/write", t("inbox", "Drafts", w.writing))
	m.HandleFunc("POST /t/{tenant}/inbox/write", w.inboxAct(w.newMail))
	m.HandleFunc("GET /t/{tenant}/inbox/write/{id}", t("inbox", "New mail", w.writing))
	m.HandleFunc("GET /t/{tenant}/inbox/write/{id}/files/{file}", w.writtenFile)
	m.HandleFunc("POST /t/{tenant}/inbox/write/{id}/files", w.writeAct(w.writeFiles))
	m.HandleFunc("POST /t/{tenant}/inbox/write/{id}/{do}", w.writeAct(w.writeForm))
	m.HandleFunc("POST /t/{tenant}/inbox/threads/{id}/{do}", w.inboxAct(w.threadDo))
	m.HandleFunc("POST /t/{tenant}/inbox/bulk", w.inboxActs(w.inboxBulk))
	m.HandleFunc("POST /t/{tenant}/inbox/views/{do}", w.inboxAct(w.inboxViewDo))
	m.HandleFunc("GET /t/{tenant}/inbox/boxes/{id}", t("inbox", "Inbox settings", w.inboxBoxPage))
	m.HandleFunc("POST /t/{tenant}/inbox/boxes/{id}/look", w.act(w.inboxLook))
	m.HandleFunc("POST /t/{tenant}/inbox/boxes/{id}/members", w.act(w.inboxMembers))
	m.HandleFunc("POST /t/{tenant}/inbox/boxes/{id}/keep", w.act(w.inboxKeep))
	m.HandleFunc("GET /t/{tenant}/inbox/boxes/{id}/service", t("inbox", "Service times", w.inboxService))
	m.HandleFunc("POST /t/{tenant}/inbox/boxes/{id}/service", w.act(w.inboxServiceSet))
	m.HandleFunc("GET /t/{tenant}/inbox/macros", t("inbox", "Macros", w.inboxMacros))
	m.HandleFunc("POST /t/{tenant}/inbox/macros/{do}", w.act(w.inboxMacroDo))
	m.HandleFunc("GET /t/{tenant}/inbox/rules", t("inbox", "Rules of the inbox", w.inboxRules))
	m.HandleFunc("GET /t/{tenant}/inbox/rules/{id}", t("inbox", "Rule", w.inboxRule))
	m.HandleFunc("POST /t/{tenant}/inbox/rules/{id}", t("inbox", "Rule", w.inboxRuleDo))
	m.HandleFunc("GET /t/{tenant}/inbox/reports", t("inbox", "Reports of the inbox", w.inboxReports))
	m.HandleFunc("GET /t/{tenant}/inbox/reports.csv", w.inboxReportsCSV)
	m.HandleFunc("GET /t/{tenant}/inbox/teams", t("inbox", "Teams and tags", w.inboxTeams))
	m.HandleFunc("POST /t/{tenant}/inbox/teams/{do}", w.act(w.inboxTeamDo))
	m.HandleFunc("POST /t/{tenant}/inbox/tags/{do}", w.act(w.inboxTagDo))
	m.HandleFunc("GET /t/{tenant}/playbooks/new", t("actions", "Playbook", w.playbookNew))
	m.HandleFunc("GET /t/{tenant}/playbooks", t("actions", "Playbooks", w.playbooks))
	m.HandleFunc("GET /t/{tenant}/playbooks/own/new", t("actions", "Write a playbook", w.playbookWrite))
	m.HandleFunc("POST /t/{tenant}/playbooks/own", t("actions", "Write a playbook", w.playbookAdd))
	m.HandleFunc("GET /t/{tenant}/playbooks/own/{name}", t("actions", "Playbook", w.playbookOwn))
	m.HandleFunc("POST /t/{tenant}/playbooks/own/{name}", t("actions", "Playbook", w.playbookSave))
	m.HandleFunc("POST /t/{tenant}/playbooks/own/{name}/delete", w.act(w.playbookDrop))
	m.HandleFunc("POST /t/{tenant}/playbooks", w.act(w.playbookRun))
	m.HandleFunc("GET /t/{tenant}/playbooks/{id}", t("actions", "Playbook", w.playbook))
	m.HandleFunc("POST /t/{tenant}/playbooks/{id}/{do}", w.act(w.playbookDo))
	m.HandleFunc("GET /t/{tenant}/rules", t("rules", "Rules and forwarding", w.rules))
	m.HandleFunc("GET /t/{tenant}/rules.csv", w.csv(w.rulesCSV))
	m.HandleFunc("GET /t/{tenant}/rules/{person}/{id}", t("rules", "Rule", w.rule))
	m.HandleFunc("GET /t/{tenant}/forwarding", t("rules", "Forwarding", w.forwarding))
	m.HandleFunc("GET /t/{tenant}/forwarding.csv", w.csv(w.forwardingCSV))
	m.HandleFunc("GET /t/{tenant}/delegations", t("delegations", "Delegations", w.delegations))
	m.HandleFunc("GET /t/{tenant}/delegations.csv", w.csv(w.delegationsCSV))
	m.HandleFunc("GET /t/{tenant}/mailboxes", t("mailboxes", "Mailboxes", w.mailboxes))
	m.HandleFunc("GET /t/{tenant}/mailboxes.csv", w.csv(w.mailboxesCSV))
	m.HandleFunc("GET /t/{tenant}/mailboxes/{person}", t("mailboxes", "Mailbox", w.mailbox))
	m.HandleFunc("GET /t/{tenant}/mailboxes/{person}/time", t("mailboxes", "Mailbox over time", w.mailboxTime))
	m.HandleFunc("GET /t/{tenant}/stream", t("stream", "Mail activity", w.stream))
	m.HandleFunc("GET /t/{tenant}/stream/tail", w.tail)
	m.HandleFunc("GET /t/{tenant}/stream/health", t("stream", "Health of the stream", w.health))
	m.HandleFunc("POST /t/{tenant}/stream/health/replay", w.act(w.letterReplay))
	m.HandleFunc("GET /t/{tenant}/stream/events/{id}", t("stream", "Event", w.event))
	m.HandleFunc("GET /t/{tenant}/stream/gaps", t("stream", "Gaps", w.gaps))
	m.HandleFunc("GET /t/{tenant}/stream/mailboxes", t("stream", "Mailboxes", w.watched))
	m.HandleFunc("GET /t/{tenant}/identities", t("identities", "Identities", w.identities))
	m.HandleFunc("GET /t/{tenant}/identities.csv", w.csv(w.identitiesCSV))
	m.HandleFunc("GET /t/{tenant}/identities/{person}", t("identities", "Identity", w.identity))
	m.HandleFunc("GET /t/{tenant}/identities/{person}/baseline", t("identities", "Baseline", w.baseline))
	m.HandleFunc("GET /t/{tenant}/identities/{person}/circle", t("identities", "Circle", w.circle))
	m.HandleFunc("GET /t/{tenant}/behaviour", t("behaviour", "Behaviour", w.behaviour))
	m.HandleFunc("GET /t/{tenant}/behaviour/graph", t("behaviour", "Who writes to whom", w.graph))
	m.HandleFunc("GET /t/{tenant}/behaviour/coverage", t("behaviour", "Coverage of a breach", w.breachCoverage))
	m.HandleFunc("GET /t/{tenant}/behaviour/settings", t("behaviour", "Behaviour", w.behaviourSettings))
	m.HandleFunc("POST /t/{tenant}/behaviour/settings", w.act(w.behaviourSet))
	m.HandleFunc("POST /t/{tenant}/behaviour/{id}/say", w.act(w.feedback))
	m.HandleFunc("GET /t/{tenant}/report", w.report(w.tenantReport))
	m.HandleFunc("GET /t/{tenant}/identities/{person}/report", w.report(w.personReport))
	m.HandleFunc("GET /t/{tenant}/guests", t("identities", "Guests", w.guests))
	m.HandleFunc("GET /t/{tenant}/guests.csv", w.csv(w.guestsCSV))
	m.HandleFunc("GET /t/{tenant}/groups", t("identities", "Groups", w.groups))
	m.HandleFunc("GET /t/{tenant}/groups.csv", w.csv(w.groupsCSV))
	m.HandleFunc("GET /t/{tenant}/groups/{id}", t("identities", "Group", w.group))
	m.HandleFunc("GET /t/{tenant}/devices", t("identities", "Devices", w.devices))
	m.HandleFunc("GET /t/{tenant}/devices.csv", w.csv(w.devicesCSV))
	m.HandleFunc("GET /t/{tenant}/devices/{id}", t("identities", "Device", w.device))
	m.HandleFunc("GET /t/{tenant}/sites", t("posture", "Sites and sharing", w.sites))
	m.HandleFunc("GET /t/{tenant}/sites.csv", w.csv(w.sitesCSV))
	m.HandleFunc("GET /t/{tenant}/posture", t("posture", "Posture", w.posture))
	m.HandleFunc("GET /t/{tenant}/access", t("posture", "Conditional access", w.access))
	m.HandleFunc("GET /t/{tenant}/privileges", t("posture", "Roles", w.privileges))
	m.HandleFunc("GET /t/{tenant}/applications", t("posture", "Applications", w.applications))
	m.HandleFunc("GET /t/{tenant}/applications/{id}", t("posture", "Application", w.application))
	m.HandleFunc("GET /t/{tenant}/reported/{id}/preview", t("investigations", "A reported mail", w.reportedLook))
	m.HandleFunc("POST /t/{tenant}/reported/{id}/preview", w.frame(w.reportedFrame))
	m.HandleFunc("POST /t/{tenant}/reported/{id}/download", w.eml(w.reportedEML))
	m.HandleFunc("GET /t/{tenant}/evidence/{id}/preview", t("investigations", "Evidence", w.evidenceLook))
	m.HandleFunc("POST /t/{tenant}/evidence/{id}/preview", w.frame(w.evidenceFrame))
	m.HandleFunc("POST /t/{tenant}/evidence/{id}/download", w.eml(w.evidenceEML))
	m.HandleFunc("GET /t/{tenant}/investigations/{id}/report", w.report(w.caseReport))
	m.HandleFunc("GET /t/{tenant}/mails/preview", t("investigations", "A mail", w.mailLook))
	m.HandleFunc("POST /t/{tenant}/mails/preview", w.frame(w.mailFrame))
	m.HandleFunc("POST /t/{tenant}/mails/keep", w.act(w.mailKeep))
	m.HandleFunc("GET /t/{tenant}/detections", t("detections", "Detections", w.detections))
	m.HandleFunc("GET /t/{tenant}/detections/own", t("detections", "Your own rules", w.ownRules))
	m.HandleFunc("POST /t/{tenant}/detections/own", t("detections", "Add a rule", w.ownAdd))
	m.HandleFunc("GET /t/{tenant}/detections/own/new", t("detections", "Add a rule", w.ownNew))
	m.HandleFunc("GET /t/{tenant}/detections/own/{id}", t("detections", "Rule", w.own))
	m.HandleFunc("POST /t/{tenant}/detections/own/{id}", t("detections", "Rule", w.ownEdit))
	m.HandleFunc("POST /t/{tenant}/detections/own/{id}/{do}", w.act(w.ownDo))
	m.HandleFunc("GET /t/{tenant}/connections", t("connections", "Connections", w.connections))
	m.HandleFunc("GET /t/{tenant}/connections/limits", t("connections", "Limits", w.limits))
	m.HandleFunc("GET /t/{tenant}/connections/{id}", t("connections", "Connection", w.connection))
	m.HandleFunc("POST /t/{tenant}/connections/{id}/{do}", w.act(w.connectionDo))
	m.HandleFunc("GET /t/{tenant}/connections/{id}/stream", t("connections", "How mail is watched", w.streamSettings))
	m.HandleFunc("POST /t/{tenant}/connections/{id}/stream", t("connections", "How mail is watched", w.streamSettingsDo))
	m.HandleFunc("POST /t/{tenant}/connections/{id}/canary", w.act(w.canarySet))
	m.HandleFunc("POST /t/{tenant}/connections/{id}/hash-key", w.act(w.newHashKey))
	m.HandleFunc("GET /t/{tenant}/mail-configurations", t("connections", "Mail configurations", w.mailConfigs))
	m.HandleFunc("GET /t/{tenant}/mail-configurations/{id}", t("connections", "Mail configuration", w.mailConfig))
	m.HandleFunc("POST /t/{tenant}/mail-configurations/{id}", t("connections", "Mail configuration", w.mailConfigEdit))
	m.HandleFunc("POST /t/{tenant}/mail-configurations/{id}/{do}", w.act(w.mailConfigDo))
	m.HandleFunc("GET /connect/mail", w.inside("connections", "New mail configuration", w.mailConfigNew))
	m.HandleFunc("POST /connect/mail", w.inside("connections", "New mail configuration", w.mailConfigAdd))
	m.HandleFunc("GET /connect", w.inside("connections", "Connect a tenant", w.connect))
	m.HandleFunc("POST /connect", w.inside("connections", "Connect a tenant", w.connectDo))
	m.HandleFunc("POST /connect/consent", w.inside("connections", "To Microsoft", w.consentDo))
	m.HandleFunc("GET "+api.CallbackPath, w.inside("connections", "Back from Microsoft", w.callback))
	m.HandleFunc("GET /browse", w.inside("connections", "Browse", w.browse))
	m.HandleFunc("GET /t/{tenant}/connections/{id}/tested", t("connections", "Test", w.tested))
	m.HandleFunc("POST /t/{tenant}/connections/{id}/again", w.act(w.testAgain))
	m.HandleFunc("POST /t/{tenant}/connections/{id}/products", w.act(w.chooseProducts))
	m.HandleFunc("GET /settings/registrations", w.inside("settings", "App registrations", w.registrations))
	m.HandleFunc("POST /settings/registrations", w.inside("settings", "App registrations", w.registrationDo))

	m.HandleFunc("GET /settings/certificates", w.inside("settings", "Certificates", w.certificates))
	m.HandleFunc("POST /settings/certificates", w.act(w.certificateReplace))
	m.HandleFunc("GET /settings/retention", w.inside("settings", "Retention", w.retention))
	m.HandleFunc("POST /settings/retention", w.act(w.retentionSet))
	m.HandleFunc("GET /settings", w.inside("settings", "Settings", w.settings))
	m.HandleFunc("GET /t/{tenant}/settings/organisation", t("settings", "Organisation", w.organisation))
	m.HandleFunc("POST /t/{tenant}/settings/partners", w.inTenant("settings", "Trust a partner", w.sure(w.partnerQuiets, w.partnerCheck, w.partnerAdd)))
	m.HandleFunc("POST /t/{tenant}/settings/partners/delete", w.act(w.partnerDelete))
	m.HandleFunc("GET /t/{tenant}/settings/exceptions", t("settings", "Exceptions", w.exceptions))
	m.HandleFunc("POST /t/{tenant}/settings/exceptions", w.inTenant("settings", "Excuse something", w.sure(w.exceptionQuiets, w.exceptionCheck, w.exceptionAdd)))
	m.HandleFunc("POST /t/{tenant}/settings/exceptions/delete", w.act(w.exceptionDelete))
	m.HandleFunc("GET /t/{tenant}/settings/alerts", t("settings", "Alerts", w.alerts))
	m.HandleFunc("POST /t/{tenant}/settings/alerts", t("settings", "Alerts", w.channelAdd))
	m.HandleFunc("GET /t/{tenant}/settings/alerts/new", t("settings", "New channel", w.channelNew))
	m.HandleFunc("POST /t/{tenant}/settings/alerts/snoozes", w.act(w.snoozeAdd))
	m.HandleFunc("POST /t/{tenant}/settings/alerts/snoozes/delete", w.act(w.snoozeDelete))
	m.HandleFunc("GET /t/{tenant}/settings/alerts/{of}/{id}", t("settings", "Channel", w.channel))
	m.HandleFunc("POST /t/{tenant}/settings/alerts/{of}/{id}/rotate", t("settings", "Channel", w.channelRotate))
	m.HandleFunc("POST /t/{tenant}/settings/alerts/{of}/{id}/{do}", w.act(w.channelDo))
	m.HandleFunc("GET /t/{tenant}/settings/exports", t("settings", "Exports", w.exports))
	m.HandleFunc("POST /t/{tenant}/settings/exports", t("settings", "Exports", w.exportAdd))
	m.HandleFunc("GET /t/{tenant}/settings/exports/new", t("settings", "New export", w.exportNew))
	m.HandleFunc("GET /t/{tenant}/settings/exports/{id}", t("settings", "Export", w.export))
	m.HandleFunc("POST /t/{tenant}/settings/exports/{id}/rotate", t("settings", "Export", w.exportRotate))
	m.HandleFunc("POST /t/{tenant}/settings/exports/{id}/{do}", w.act(w.exportDo))
	m.HandleFunc("GET /t/{tenant}/settings/email", t("settings", "Email", w.email))
	m.HandleFunc("POST /t/{tenant}/settings/email/consent", t("settings", "Email", w.emailConsent))
	m.HandleFunc("POST /t/{tenant}/settings/email/app", t("settings", "Email", w.emailApp))
	m.HandleFunc("POST /t/{tenant}/settings/email/addresses", t("settings", "Email", w.emailAddressAdd))
	m.HandleFunc("POST /t/{tenant}/settings/email/forget", w.act(w.emailForget))
	m.HandleFunc("POST /t/{tenant}/settings/email/addresses/{id}/{do}", w.act(w.emailAddressDo))
	m.HandleFunc("POST /t/{tenant}/settings/email/connections/{id}/{do}", w.act(w.emailDo))
	m.HandleFunc("GET /t/{tenant}/settings/response", t("settings", "Response", w.response))
	m.HandleFunc("POST /t/{tenant}/settings/response", w.act(w.responseSet))
	m.HandleFunc("POST /t/{tenant}/settings/response/mails", w.act(w.mailActSettingsSet))
	m.HandleFunc("GET /settings/accounts", w.inside("settings", "Accounts", w.accounts))
	m.HandleFunc("POST /settings/accounts", w.act(w.accountAdd))
	m.HandleFunc("POST /settings/accounts/{do}", w.act(w.accountDo))
	m.HandleFunc("GET /settings/email", w.inside("settings", "Email", w.emailStart))
	m.HandleFunc("POST /settings/email/{do}", w.inside("settings", "Email", w.emailStartDo))
	m.HandleFunc("GET /settings/tokens", w.inside("settings", "API tokens", w.tokens))
	m.HandleFunc("POST /settings/tokens", w.inside("settings", "API tokens", w.tokenAdd))
	m.HandleFunc("POST /settings/tokens/revoke", w.act(w.tokenRevoke))
	m.HandleFunc("GET /settings/you", w.inside("settings", "You", w.you))
	m.HandleFunc("GET /settings/trail", w.inside("settings", "Trail", w.trail))
	m.HandleFunc("GET /t/{tenant}/settings/trail", t("settings", "Trail", w.trail))
	m.HandleFunc("POST /settings/you/sessions/end", w.act(w.sessionEnd))
	m.HandleFunc("POST /settings/you/password", w.act(w.password))
	m.HandleFunc("POST /settings/you/factor", w.inside("settings", "You", w.factorBegin))
	m.HandleFunc("POST /settings/you/factor/{do}", w.act(w.factorDo))
	m.HandleFunc("/", w.inside("", "Not found", w.lost))
}

// render answers with a component, whole or not at all.
func (w *web) render(rw http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	var b bytes.Buffer
	if err := c.Render(r.Context(), &b); err != nil {
		w.log.Error("page", "path", r.URL.Path, "error", err)
		http.Error(rw, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	_, _ = rw.Write(b.Bytes()) // who has gone away needs no page
}

// look puts into the context how the viewer wishes to see things: theme and time zone, from cookies.
func (w *web) look(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		l := &look{now: w.o.Clock.Now(), zone: time.UTC}
		if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
			l.theme = c.Value
		}
		if c, err := r.Cookie("zone"); err == nil && len(c.Value) < 64 {
			if z, err := time.LoadLocation(c.Value); err == nil && c.Value != "Local" {
				l.zone = z
			}
		}
		next.ServeHTTP(rw, r.WithContext(withLook(r.Context(), l)))
	})
}
