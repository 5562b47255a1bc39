package api_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/inbox/work"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// asked is what the test holds of each operation, apart from the table: the least role, and an input that is right.
type asked struct {
	least api.Role
	in    func(t tocsin.TenantID) any
	acts  bool        // changes something, so the world is put back before it
	fails tocsin.Code // the code with which it fails for who may do it, as the world is: "" for well
}

func in(t tocsin.TenantID) api.In { return api.In{Tenant: t} }

func list(t tocsin.TenantID) any { return api.ListIn{In: in(t)} }

func act(id func(tocsin.TenantID) string) func(tocsin.TenantID) any {
	return func(t tocsin.TenantID) any { return api.ByIDAct{ByID: api.ByID{In: in(t), ID: id(t)}} }
}

func person(t tocsin.TenantID) any { return api.ByPerson{In: in(t), Person: personOf(t)} }

var spamRule = api.InboxRuleNew{Name: "Spam", When: []work.InboxCondition{{Field: "subject", Value: []string{"win"}}}, Then: work.InboxRuleThen{State: "spam"}}

func look(id func(tocsin.TenantID) string) func(tocsin.TenantID) any {
	return func(t tocsin.TenantID) any {
		return api.LookIn{ByID: api.ByID{In: in(t), ID: id(t)}, Body: api.Reason{Reason: "To judge it."}}
	}
}

func lookAtMail(t tocsin.TenantID) any {
	return api.LookAtMailIn{In: in(t), Body: api.MailLook{Person: personOf(t), Message: "AAMk", Reason: api.Reason{Reason: "To judge it."}}}
}

func account(tocsin.TenantID) any { return api.AccountIn{ID: "other@tocsin.example"} }

func revocation(t tocsin.TenantID) api.ActionNew {
	return api.ActionNew{Kind: "revoke_sessions", Person: personOf(t), Finding: findingOf(t), Why: "w"}
}

func decide(t tocsin.TenantID) any {
	return api.ActionDecideIn{ByIDAct: act(actionOf)(t).(api.ByIDAct)}
}

func junkOne(t tocsin.TenantID) api.MailActNew {
	return api.MailActNew{Investigation: actedCaseOf(t), Kind: "junk", Matches: []string{"match-" + string(t)}, Why: "w"} // jane's is the mailbox for reports
}

func decideMail(t tocsin.TenantID) any {
	return api.MailActDecideIn{ByIDAct: act(mailActOf)(t).(api.ByIDAct)}
}

func restoreMail(t tocsin.TenantID) any {
	return api.MailActRestoreIn{ByIDAct: act(func(t tocsin.TenantID) string { return "done-" + mailActOf(t) })(t).(api.ByIDAct), Body: api.MailActRestore{Why: "w"}}
}

func containment(t tocsin.TenantID) api.PlaybookNew {
	return api.PlaybookNew{Playbook: "contain", Person: personOf(t), Finding: findingOf(t), Why: "w"}
}

func decideRun(t tocsin.TenantID) any {
	return api.ActionDecideIn{ByIDAct: act(runOf)(t).(api.ByIDAct)}
}

var inHalfAYear = time.Now().AddDate(0, 6, 0).UTC().Truncate(time.Second)

var payslips = api.InvestigationNew{Name: "Payslips", Query: "subject:payslip", Reason: "Two people asked."}

func turn(id func(tocsin.TenantID) string) func(tocsin.TenantID) any {
	return func(t tocsin.TenantID) any {
		return api.StartInvestigationIn{ByIDAct: act(id)(t).(api.ByIDAct)}
	}
}

// matrix is every operation. One that is missing here fails the test.
var matrix = map[string]asked{
	"overview get":     {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"tenants list":     {least: api.Self, in: func(tocsin.TenantID) any { return api.TenantsIn{} }},
	"connections list": {least: api.Viewer, in: list},
	"connections get":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: connectionOf(t)} }},
	"connections create": {least: api.Admin, in: func(t tocsin.TenantID) any {
		return api.CreateConnectionIn{Body: api.ConnectionNew{Name: "n", Tenant: string(t), ClientID: tocsin.NewID(), Secret: "s"}}
	}, acts: true},
	"connections guide": {least: api.Self, in: func(tocsin.TenantID) any { return api.GuideIn{} }},
	"connections choose": {least: api.Admin, in: func(t tocsin.TenantID) any {
		return api.ChooseIn{ByIDAct: act(connectionOf)(t).(api.ByIDAct), Body: api.Choice{Products: []string{"outlook"}}}
	}, acts: true},
	"registrations list": {least: api.Admin, in: func(tocsin.TenantID) any { return api.RegistrationsIn{} }},
	"registrations set": {least: api.Admin, in: func(tocsin.TenantID) any {
		return api.SetRegistrationIn{RegistrationIn: api.RegistrationIn{Tier: "read"}, Body: api.RegistrationNew{ClientID: tocsin.NewID(), Secret: "s"}}
	}},
	"registrations delete": {least: api.Admin, in: func(tocsin.TenantID) any { return api.RegistrationIn{Tier: "read"} }},
	"consents begin":       {least: "session", in: func(tocsin.TenantID) any { return api.BeginConsentIn{} }},
	"consents finish":      {least: "session", in: func(tocsin.TenantID) any { return api.FinishConsentIn{} }},
	"connections test":     {least: api.Admin, in: act(connectionOf), acts: true},
	"connections pause":    {least: api.Admin, in: act(connectionOf), acts: true},
	"connections resume":   {least: api.Admin, in: act(connectionOf), acts: true},
	"connections edit": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditConnectionIn{ByIDAct: act(connectionOf)(t).(api.ByIDAct), Body: api.ConnectionEdit{Version: 1}}
	}},
	"connections rotate": {least: api.Admin, acts: true, fails: "invalid", in: func(t tocsin.TenantID) any {
		return api.RotateIn{ByIDAct: act(connectionOf)(t).(api.ByIDAct), Body: api.CredentialNew{Secret: "s"}}
	}},
	"connections reopen": {least: api.Admin, acts: true, fails: "conflict", in: func(t tocsin.TenantID) any {
		return api.RotateIn{ByIDAct: act(connectionOf)(t).(api.ByIDAct), Body: api.CredentialNew{Secret: "s"}}
	}},
	"connections close": {least: api.Admin, acts: true, fails: "invalid", in: func(t tocsin.TenantID) any {
		return api.CloseIn{ByIDAct: act(connectionOf)(t).(api.ByIDAct), Body: api.Closing{What: "keep", Confirm: "x"}}
	}},
	"connections delete":       {least: api.Admin, in: act(connectionOf), acts: true},
	"mail-configurations list": {least: api.Viewer, in: list},
	"mail-configurations get":  {least: api.Viewer, acts: true, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: connectionOf(t)} }},
	"mail-configurations create": {least: api.Admin, acts: true, fails: tocsin.Invalid, in: func(t tocsin.TenantID) any {
		return api.CreateMailConfigurationIn{Body: api.MailConfigurationNew{Name: "n", Tenant: string(t), ClientID: tocsin.NewID(), Secret: tocsin.NewID(), TestAddress: "a@b.example", Domains: []string{"b.example"}}}
	}},
	"mail-configurations edit": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditMailConfigurationIn{ByIDAct: act(connectionOf)(t).(api.ByIDAct), Body: api.MailConfigurationEdit{Version: 1}}
	}},
	"mail-configurations test":   {least: api.Admin, acts: true, in: act(connectionOf)},
	"mail-configurations delete": {least: api.Admin, acts: true, in: act(connectionOf)},
	"connections stream":         {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: connectionOf(t)} }},
	"connections set-stream": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.SetStreamIn{ByIDAct: act(connectionOf)(t).(api.ByIDAct)}
	}},
	"watched list":       {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.WatchedIn{In: in(t)} }},
	"capabilities list":  {least: api.Viewer, in: list},
	"limits list":        {least: api.Viewer, in: list},
	"sources list":       {least: api.Viewer, in: list},
	"stream get":         {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"stream health":      {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"letters replay":     {least: api.Admin, in: act(letterOf), acts: true, fails: tocsin.Unavailable},
	"mailboxes timeline": {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.TimelineIn{ByPerson: person(t).(api.ByPerson)} }},
	"certificates list":  {least: api.Admin, in: func(tocsin.TenantID) any { return api.CertificatesIn{} }},
	"certificates replace": {least: api.Owner, in: func(tocsin.TenantID) any {
		return api.ReplaceCertificateIn{Body: api.CertificateReplaced{ID: "none"}}
	}, acts: true, fails: tocsin.Unavailable},
	"retention list": {least: api.Admin, in: func(tocsin.TenantID) any { return api.RetentionIn{} }},
	"retention set": {least: api.Owner, in: func(tocsin.TenantID) any {
		return api.SetRetentionIn{Class: "alerts", Body: api.RetentionNew{Days: 30}}
	}, acts: true},
	"gaps list":          {least: api.Viewer, in: list},
	"findings list":      {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.FindingsIn{In: in(t)} }},
	"findings get":       {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: findingOf(t)} }},
	"audit list":         {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.AuditIn{In: in(t)} }},
	"audit get":          {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: recordOf(t)} }},
	"signins list":       {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.SignInsIn{In: in(t)} }},
	"signins get":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: recordOf(t)} }},
	"audit-windows list": {least: api.Viewer, in: list},
	"audit-queries list": {least: api.Viewer, in: list},
	"audit-queries get":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: queryOf(t)} }},
	"audit-queries create": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateAuditQueryIn{In: in(t), Body: api.AuditQueryNew{Since: inHalfAYear.AddDate(-1, 0, 0), Until: inHalfAYear}}
	}},
	"import list":      {least: api.Viewer, in: list},
	"import audit":     {least: api.Analyst, acts: true, fails: "unavailable", in: func(t tocsin.TenantID) any { return api.ImportAuditIn{In: in(t)} }},
	"import mailboxes": {least: api.Analyst, acts: true, fails: "unavailable", in: func(t tocsin.TenantID) any { return api.ImportMailboxesIn{In: in(t)} }},
	"findings decide": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.DecideIn{ByIDAct: act(findingOf)(t).(api.ByIDAct), Body: api.Decision{Status: tocsin.InWork, Version: 1}}
	}},
	"findings assign": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.AssignIn{ByIDAct: act(findingOf)(t).(api.ByIDAct), Body: api.Assignment{Owner: "owner@tocsin.example", Version: 1}}
	}},
	"actions list": {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ActionsIn{In: in(t)} }},
	"actions get":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: actionOf(t)} }},
	"actions plan": {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.PlanActionIn{In: in(t), Body: revocation(t)} }},
	"actions create": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateActionIn{In: in(t), Body: revocation(t)}
	}},
	"actions approve":   {least: api.Analyst, acts: true, in: decide},
	"actions refuse":    {least: api.Analyst, acts: true, in: decide},
	"actions cancel":    {least: api.Analyst, acts: true, in: decide},
	"actions plan-undo": {least: api.Analyst, acts: true, in: act(doneOf)},
	"actions undo": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.UndoIn{ByIDAct: act(doneOf)(t).(api.ByIDAct), Body: api.UndoNew{Why: "w"}}
	}},
	"sigma list": {least: api.Viewer, in: list},
	"sigma get":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: ownOf(t)} }},
	"sigma create": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateOwnRuleIn{In: in(t), Body: api.OwnRuleText{Text: ownText}}
	}},
	"sigma update": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.UpdateOwnRuleIn{ByIDAct: act(ownOf)(t).(api.ByIDAct), Body: api.OwnRuleEdit{Text: ownText, Version: 1}}
	}},
	"sigma test": {least: api.Analyst, in: func(t tocsin.TenantID) any {
		return api.TestOwnRuleIn{In: in(t), Body: api.OwnRuleText{Text: ownText}}
	}},
	"sigma replay": {least: api.Analyst, in: func(t tocsin.TenantID) any {
		return api.ReplayOwnRuleIn{ByID: api.ByID{In: in(t), ID: ownOf(t)}, Body: api.OwnReplayAsked{Days: 1}}
	}},
	"sigma set": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.SetOwnRuleIn{ByIDAct: act(ownOf)(t).(api.ByIDAct), Body: api.OwnRuleState{State: "live", Version: 1}}
	}},
	"sigma delete":    {least: api.Admin, in: act(ownOf), acts: true},
	"reported list":   {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ReportedIn{In: in(t)} }},
	"reported counts": {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"reported get":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: reportedOf(t)} }},
	"reported assign": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		a := api.AssignReportedIn{ByIDAct: act(reportedOf)(t).(api.ByIDAct)}
		a.Body.Owner, a.Body.Version = "owner@tocsin.example", 1
		return a
	}},
	"reported judge": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.JudgeReportedIn{ByIDAct: act(reportedOf)(t).(api.ByIDAct), Body: api.ReportedVerdict{Verdict: "malicious", Reply: true, Version: 1}}
	}},
	"reported reply": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		a := api.ReplyReportedIn{ByIDAct: act(reportedOf)(t).(api.ByIDAct)}
		a.Body.Text = "Thank you."
		return a
	}},
	"reported link":         {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any { return api.LinkReportedIn{ByIDAct: act(reportedOf)(t).(api.ByIDAct)} }},
	"reported preview":      {least: api.Analyst, acts: true, in: look(reportedOf)},
	"reported download":     {least: api.Analyst, acts: true, in: look(reportedOf)},
	"reported-settings get": {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"reported-settings set": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.SetReportedIn{In: in(t), Body: api.ReportedNew{Mailbox: new("jane@" + domainOf(t)), Addin: new(true)}}
	}},
	"addin report": {least: api.Stranger, in: func(t tocsin.TenantID) any {
		return api.AddinReportIn{Body: api.AddinReport{Key: string(t) + ".guessed", Mailbox: "jane@" + domainOf(t), InternetMessageID: "<x@y.example>"}}
	}},
	"mails preview":           {least: api.Analyst, fails: tocsin.Unavailable, in: lookAtMail},
	"mails keep":              {least: api.Analyst, fails: tocsin.Unavailable, in: lookAtMail},
	"investigations report":   {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: caseOf(t)} }},
	"investigations insiders": {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: caseOf(t)} }},
	"evidence list":           {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.EvidenceIn{In: in(t)} }},
	"evidence preview":        {least: api.Analyst, acts: true, in: look(evidenceOf)},
	"evidence download":       {least: api.Analyst, acts: true, in: look(evidenceOf)},
	"personas get":            {least: api.Viewer, in: person},
	"personas anomalies":      {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.AnomaliesIn{In: in(t)} }},
	"personas correspondent":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.CorrespondentIn{In: in(t), Address: "x@out.example"} }},
	"personas graph":          {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.PersonaGraphIn{In: in(t)} }},
	"personas circle":         {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.CircleIn{ByPerson: person(t).(api.ByPerson)} }},
	"anomalies feedback": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.FeedbackIn{ByIDAct: act(anomalyOf)(t).(api.ByIDAct), Body: api.Feedback{Verdict: "false_alarm"}}
	}},
	"persona-settings get": {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"persona-settings set": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.SetPersonaSettingsIn{In: in(t), Body: api.PersonaSettingsNew{Budget: 0.1}}
	}},
	"playbooks list": {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.PlaybooksIn{In: in(t)} }},
	"playbooks plan": {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.PlanPlaybookIn{In: in(t), Body: containment(t)} }},
	"playbooks run": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.RunPlaybookIn{In: in(t), Body: containment(t)}
	}},
	"investigations list": {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.InvestigationsIn{In: in(t)} }},
	"investigations get":  {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: caseOf(t)} }},
	"investigations plan": {least: api.Analyst, fails: tocsin.Unavailable, in: func(t tocsin.TenantID) any {
		return api.PlanInvestigationIn{In: in(t), Body: api.InvestigationAsk{Query: "subject:payslip"}}
	}},
	"investigations from": {least: api.Analyst, in: func(t tocsin.TenantID) any {
		return api.QueryFromIn{In: in(t), Body: api.QueryFrom{Match: "match-" + caseOf(t)}}
	}},
	"investigations create": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateInvestigationIn{In: in(t), Body: payslips}
	}},
	"investigations update": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.UpdateInvestigationIn{ByIDAct: act(caseOf)(t).(api.ByIDAct), Body: api.InvestigationEdit{InvestigationNew: payslips, Version: 1}}
	}},
	"investigations start":  {least: api.Analyst, acts: true, in: turn(caseOf)},
	"investigations stop":   {least: api.Analyst, acts: true, in: turn(func(t tocsin.TenantID) string { return "running-" + caseOf(t) })},
	"investigations resume": {least: api.Analyst, acts: true, in: turn(func(t tocsin.TenantID) string { return "stopped-" + caseOf(t) })},
	"investigations delete": {least: api.Analyst, acts: true, in: act(func(t tocsin.TenantID) string { return "stopped-" + caseOf(t) })},
	"investigations mailboxes": {least: api.Analyst, in: func(t tocsin.TenantID) any {
		return api.SearchMailboxesIn{ByID: api.ByID{In: in(t), ID: caseOf(t)}}
	}},
	"matches list": {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.MatchesIn{ByID: api.ByID{In: in(t), ID: caseOf(t)}} }},
	"matches get": {least: api.Analyst, in: func(t tocsin.TenantID) any {
		return api.MatchIn{ByID: api.ByID{In: in(t), ID: caseOf(t)}, Match: "match-" + caseOf(t)}
	}},
	"matches count":  {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.FacetsIn{ByID: api.ByID{In: in(t), ID: caseOf(t)}} }},
	"matches export": {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.FacetsIn{ByID: api.ByID{In: in(t), ID: caseOf(t)}} }},
	"clusters list":  {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.ClustersIn{ByID: api.ByID{In: in(t), ID: caseOf(t)}} }},
	"trails list":    {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.TrailsIn{ByID: api.ByID{In: in(t), ID: caseOf(t)}} }},
	"mail-acts list": {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.MailActsIn{In: in(t)} }},
	"mail-acts get":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: mailActOf(t)} }},
	"mail-acts items": {least: api.Viewer, in: func(t tocsin.TenantID) any {
		return api.MailActItemsIn{ByID: api.ByID{In: in(t), ID: "done-" + mailActOf(t)}}
	}},
	"mail-acts plan": {least: api.Analyst, in: func(t tocsin.TenantID) any { return api.MailActPlanIn{In: in(t), Body: junkOne(t)} }},
	"mail-acts create": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.MailActCreateIn{In: in(t), Body: junkOne(t)}
	}},
	"mail-acts approve":      {least: api.Analyst, acts: true, in: decideMail},
	"mail-acts refuse":       {least: api.Analyst, acts: true, in: decideMail},
	"mail-acts stop":         {least: api.Analyst, acts: true, in: decideMail},
	"mail-acts plan-restore": {least: api.Analyst, in: restoreMail},
	"mail-acts restore":      {least: api.Analyst, acts: true, in: restoreMail},
	"mail-act-settings get":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"mail-act-settings set":  {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.SetMailActSettingsIn{In: in(t)} }},
	"playbooks get":          {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: runOf(t)} }},
	"playbooks approve":      {least: api.Analyst, acts: true, in: decideRun},
	"playbooks undo": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.UndoIn{ByIDAct: act(func(t tocsin.TenantID) string { return "done-" + runOf(t) })(t).(api.ByIDAct), Body: api.UndoNew{Why: "w"}}
	}},
	"own-playbooks create": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateOwnPlaybookIn{In: in(t), Body: api.OwnPlaybookNew{Name: "own-other", Text: remediate.PlaybookText{Title: "T", Steps: []remediate.Kind{remediate.RevokeSessions}}}}
	}},
	"own-playbooks get": {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: bookOf(t)} }},
	"own-playbooks update": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.UpdateOwnPlaybookIn{ByIDAct: act(bookOf)(t).(api.ByIDAct), Body: api.OwnPlaybookEdit{Version: 1, Text: remediate.PlaybookText{Title: "T", Steps: []remediate.Kind{remediate.RevokeSessions}}}}
	}},
	"own-playbooks delete":  {least: api.Admin, in: act(bookOf), acts: true},
	"playbooks refuse":      {least: api.Analyst, acts: true, in: decideRun},
	"canary set":            {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.SetCanaryIn{In: in(t)} }},
	"response-settings get": {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"response-settings set": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.SetResponseIn{In: in(t), Body: api.ResponseNew{Approval: "none"}}
	}},
	"detections list":    {least: api.Viewer, in: list},
	"rules list":         {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.RulesIn{In: in(t)} }},
	"rules get":          {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.RuleIn{ByPerson: person(t).(api.ByPerson), ID: ruleOf(t)} }},
	"forwarding list":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ForwardingIn{In: in(t)} }},
	"checks list":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ChecksIn{In: in(t)} }},
	"checks trend":       {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.TrendIn{In: in(t)} }},
	"access list":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ListIn{In: in(t)} }},
	"access places":      {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ListIn{In: in(t)} }},
	"access what-if":     {least: api.Viewer, fails: tocsin.NotFound, in: func(t tocsin.TenantID) any { return api.AccessIn{In: in(t), Person: "nobody"} }},
	"privileges list":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ListIn{In: in(t)} }},
	"applications list":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ApplicationsIn{In: in(t)} }},
	"applications get":   {least: api.Viewer, fails: tocsin.NotFound, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: "none"} }},
	"snapshots get":      {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"delegations list":   {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.DelegationsIn{In: in(t)} }},
	"delegations matrix": {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.DelegationsIn{In: in(t)} }},
	"rights list":        {least: api.Viewer, in: list},
	"mailboxes list":     {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.MailboxesIn{In: in(t)} }},
	"mailboxes get":      {least: api.Viewer, in: person},
	"protection list":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ProtectionIn{In: in(t)} }},
	"stories list":       {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.StoriesIn{In: in(t)} }},
	"stories get":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: storyIDOf(t)} }},
	"identities list":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.IdentitiesIn{In: in(t)} }},
	"identities get":     {least: api.Viewer, in: person},
	"reports tenant":     {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"reports person":     {least: api.Viewer, in: person},
	"directory list":     {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.KnowledgeIn{In: in(t)} }},
	"groups list":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.GroupsIn{In: in(t)} }},
	"groups get":         {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: groupOf(t)} }},
	"guests list":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.GuestsIn{In: in(t)} }},
	"devices list":       {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.DevicesIn{In: in(t)} }},
	"devices get":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: deviceOf(t)} }},
	"sites list":         {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.SitesIn{In: in(t)} }},
	"sharing get":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"events get":         {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: "event-" + string(t)} }},
	"events list":        {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.EventsIn{In: in(t)} }},
	"exceptions list":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ExceptionsIn{In: in(t)} }},
	"exceptions create": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateExceptionIn{In: in(t), Body: api.ExceptionNew{Rule: "*", Scope: "address", Value: "a@b.example", Owner: "o", Reason: "r", Expires: inHalfAYear}}
	}},
	"exceptions delete": {least: api.Analyst, in: act(exceptionOf), acts: true},
	"networks list":     {least: api.Viewer, in: list},
	"networks set": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.SetNetworksIn{In: in(t), Body: api.NetworksNew{Text: "AS9009 vpn"}}
	}},
	"partners list": {least: api.Viewer, in: list},
	"partners create": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreatePartnerIn{In: in(t), Body: api.PartnerNew{Domain: "new.example", Owner: "o", Reason: "r", Expires: inHalfAYear}}
	}},
	"partners delete":        {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.PartnerIn{In: in(t), Domain: partnerOf(t)} }},
	"email-connections list": {least: api.Admin, in: list},
	"email-connections get":  {least: api.Admin, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: emailOf(t)} }},
	"email-connections begin": {least: api.Admin, acts: true, fails: tocsin.Denied, in: func(t tocsin.TenantID) any {
		return api.BeginEmailConnectionIn{Body: api.EmailSignInNew{Tenant: string(t)}}
	}},
	"email-connections create": {least: api.Admin, acts: true, fails: tocsin.Invalid, in: func(t tocsin.TenantID) any {
		return api.CreateEmailConnectionIn{Body: api.EmailConnectionNew{Tenant: string(t), ClientID: "x"}}
	}},
	"email-connections test":       {least: api.Admin, acts: true, in: act(emailOf)},
	"email-connections disconnect": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.DisconnectEmailIn{ByIDAct: act(emailOf)(t).(api.ByIDAct)} }},
	"email-addresses list":         {least: api.Admin, in: list},
	"inbox-people forget": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.ForgetPersonIn{In: in(t), Body: api.ForgetPerson{Address: "nobody@example.com"}}
	}},
	"email-addresses get": {least: api.Admin, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: inboxOf(t)} }},
	"email-addresses connect": {least: api.Admin, acts: true, fails: tocsin.Denied, in: func(t tocsin.TenantID) any {
		return api.ConnectAddressIn{In: in(t), Body: api.EmailAddressNew{Connection: emailOf(t), Address: "support@contoso.example"}}
	}},
	"email-addresses disconnect":   {least: api.Admin, acts: true, in: act(inboxOf)},
	"email-addresses reconnect":    {least: api.Admin, acts: true, fails: tocsin.Invalid, in: func(t tocsin.TenantID) any { return api.ReconnectAddressIn{ByIDAct: act(inboxOf)(t).(api.ByIDAct)} }},
	"email-addresses test-sending": {least: api.Admin, acts: true, fails: tocsin.Conflict, in: act(inboxOf)},
	"inboxes list":                 {least: api.Member, in: list},
	"inboxes get":                  {least: api.Member, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: inboxOf(t)} }},
	"inboxes team":                 {least: api.Member, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: inboxOf(t)} }},
	"inboxes looks":                {least: api.Member, in: func(t tocsin.TenantID) any { return api.InboxLooksIn{ByID: api.ByID{In: in(t), ID: inboxOf(t)}} }},
	"inboxes look": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.LookInboxIn{ByIDAct: act(closedInboxOf)(t).(api.ByIDAct), Body: api.Reason{Reason: "To judge it."}}
	}},
	"inboxes set-members": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.SetMembersIn{ByIDAct: act(inboxOf)(t).(api.ByIDAct), Body: api.MembersNew{Members: []api.InboxMember{{Kind: "everyone"}}}}
	}},
	"inboxes service":      {least: api.Member, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: inboxOf(t)} }},
	"inboxes set-service":  {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.SetInboxServiceIn{ByIDAct: act(inboxOf)(t).(api.ByIDAct)} }},
	"inboxes settings":     {least: api.Member, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: inboxOf(t)} }},
	"inboxes set-settings": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.SetInboxSettingsIn{ByIDAct: act(inboxOf)(t).(api.ByIDAct)} }},
	"inboxes report":       {least: api.Member, in: func(t tocsin.TenantID) any { return api.InboxReportIn{ByID: api.ByID{In: in(t), ID: inboxOf(t)}} }},
	"inbox-views list":     {least: api.Member, in: list},
	"inbox-views create": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateThreadViewIn{In: in(t), Body: api.ThreadViewNew{Name: "n"}}
	}},
	"inbox-views edit": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditThreadViewIn{ByIDAct: act(viewOf)(t).(api.ByIDAct), Body: api.ThreadViewNew{Name: "n", Shared: true}}
	}},
	"inbox-views delete": {least: api.Member, acts: true, in: act(viewOf)},
	"macros list":        {least: api.Member, in: func(t tocsin.TenantID) any { return api.MacrosIn{In: in(t)} }},
	"macros create":      {least: api.Member, acts: true, in: func(t tocsin.TenantID) any { return api.CreateMacroIn{In: in(t), Body: api.MacroNew{Name: "n"}} }},
	"macros edit": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditMacroIn{ByIDAct: act(macroOf)(t).(api.ByIDAct), Body: api.MacroNew{Name: "n"}}
	}},
	"macros delete":      {least: api.Member, acts: true, in: act(macroOf)},
	"inbox-rules list":   {least: api.Member, in: list},
	"inbox-rules create": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.CreateInboxRuleIn{In: in(t), Body: spamRule} }},
	"inbox-rules edit": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditInboxRuleIn{ByIDAct: act(inboxRuleOf)(t).(api.ByIDAct), Body: spamRule}
	}},
	"inbox-rules delete": {least: api.Admin, acts: true, in: act(inboxRuleOf)},
	"inbox-rules try": {least: api.Admin, in: func(t tocsin.TenantID) any {
		return api.TryInboxRuleIn{In: in(t), Body: api.InboxRuleTry{InboxRuleNew: spamRule}}
	}},
	"threads search": {least: api.Member, in: func(t tocsin.TenantID) any { return api.SearchThreadsIn{In: in(t), Q: "invoice"} }},
	"threads message": {least: api.Member, fails: tocsin.NotFound, in: func(t tocsin.TenantID) any {
		return api.ThreadMailIn{ByID: api.ByID{In: in(t), ID: threadOf(t)}, Message: "mail-" + string(t)}
	}},
	"threads file": {least: api.Member, fails: tocsin.Unavailable, in: func(t tocsin.TenantID) any {
		return api.ThreadFileIn{ByID: api.ByID{In: in(t), ID: threadOf(t)}, Message: "mail-" + string(t), File: "f"}
	}},
	"threads mailbox": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.ThreadMailboxIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Body: api.ThreadMailbox{Read: new(true)}}
	}},
	"threads merge": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.MergeThreadsIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Body: api.ThreadsNamed{Threads: []string{"other-" + threadOf(t)}}}
	}},
	"threads split": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.MergeThreadsIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Body: api.ThreadsNamed{Mails: []string{"second-mail-" + string(t)}}}
	}},
	"outgoing list": {least: api.Member, in: func(t tocsin.TenantID) any { return api.OutgoingsIn{In: in(t)} }},
	"outgoing get":  {least: api.Member, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: outgoingOf(t)} }},
	"outgoing create": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.WriteIn{ByIDAct: act(inboxOf)(t).(api.ByIDAct), Body: api.OutgoingNew{OutgoingText: api.OutgoingText{Subject: "Hi"}}}
	}},
	"outgoing reply": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.WriteIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Body: api.OutgoingNew{OutgoingText: api.OutgoingText{Text: "Hi"}}}
	}},
	"outgoing edit":   {least: api.Member, acts: true, fails: tocsin.Conflict, in: func(t tocsin.TenantID) any { return api.EditOutgoingIn{ByIDAct: act(outgoingOf)(t).(api.ByIDAct)} }},
	"outgoing send":   {least: api.Member, acts: true, fails: tocsin.Conflict, in: func(t tocsin.TenantID) any { return api.SendOutgoingIn{ByIDAct: act(outgoingOf)(t).(api.ByIDAct)} }},
	"outgoing undo":   {least: api.Member, acts: true, in: act(outgoingOf)},
	"outgoing settle": {least: api.Member, acts: true, fails: tocsin.Conflict, in: func(t tocsin.TenantID) any { return api.SettleOutgoingIn{ByIDAct: act(outgoingOf)(t).(api.ByIDAct)} }},
	"outgoing delete": {least: api.Member, acts: true, fails: tocsin.Conflict, in: act(outgoingOf)},
	"outgoing attach": {least: api.Member, acts: true, fails: tocsin.Conflict, in: func(t tocsin.TenantID) any {
		return api.OutgoingFileIn{ByIDAct: act(outgoingOf)(t).(api.ByIDAct), Body: api.OutgoingFileNew{Name: "a.txt", Data: []byte("x")}}
	}},
	"outgoing file": {least: api.Member, fails: tocsin.NotFound, in: func(t tocsin.TenantID) any {
		return api.OutgoingFileAt{ByID: api.ByID{In: in(t), ID: outgoingOf(t)}, File: "f"}
	}},
	"outgoing detach": {least: api.Member, acts: true, fails: tocsin.Conflict, in: func(t tocsin.TenantID) any {
		return api.DropFileIn{ByIDAct: act(outgoingOf)(t).(api.ByIDAct), File: "f"}
	}},
	"threads bulk": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.BulkThreadsIn{In: in(t), Body: api.BulkThreads{Threads: []string{threadOf(t)}, Change: api.ThreadChange{Priority: 3}}}
	}},
	"threads presence": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.PresenceIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Body: api.PresenceNew{Kind: "viewing"}}
	}},
	"threads security": {least: api.Member, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: threadOf(t)} }},
	"threads report":   {least: api.Member, acts: true, in: func(t tocsin.TenantID) any { return api.ReportThreadIn{ByIDAct: act(threadOf)(t).(api.ByIDAct)} }},
	"threads macro": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.RunMacroIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Body: api.MacroRun{Macro: macroOf(t)}}
	}},
	"inbox-teams list":   {least: api.Member, in: list},
	"inbox-teams create": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.CreateTeamIn{In: in(t), Body: api.TeamNew{Name: "Support"}} }},
	"inbox-teams edit": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditTeamIn{ByIDAct: act(teamOf)(t).(api.ByIDAct), Body: api.TeamNew{Name: "Support"}}
	}},
	"inbox-teams delete": {least: api.Admin, acts: true, in: act(teamOf)},
	"inbox-tags list":    {least: api.Member, in: list},
	"inbox-tags create":  {least: api.Member, acts: true, in: func(t tocsin.TenantID) any { return api.CreateTagIn{In: in(t), Body: api.TagNew{Name: "vip"}} }},
	"inbox-tags edit": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditTagIn{ByIDAct: act(tagOf)(t).(api.ByIDAct), Body: api.TagNew{Name: "vip"}}
	}},
	"inbox-tags delete": {least: api.Admin, acts: true, in: act(tagOf)},
	"threads list":      {least: api.Member, in: func(t tocsin.TenantID) any { return api.ThreadsIn{In: in(t)} }},
	"threads counts":    {least: api.Member, in: func(t tocsin.TenantID) any { return in(t) }},
	"threads get":       {least: api.Member, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: threadOf(t)} }},
	"threads change": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.ChangeThreadIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Body: api.ThreadChange{State: "resolved"}}
	}},
	"threads seen": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any { return api.SeenThreadIn{ByIDAct: act(threadOf)(t).(api.ByIDAct)} }},
	"thread-notes create": {least: api.Member, acts: true, in: func(t tocsin.TenantID) any {
		return api.NoteIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Body: api.NoteNew{Text: "Look."}}
	}},
	"thread-notes edit": {least: api.Member, acts: true, fails: tocsin.NotFound, in: func(t tocsin.TenantID) any {
		return api.EditNoteIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Note: "note", Body: api.NoteNew{Text: "Look."}}
	}},
	"thread-notes delete": {least: api.Member, acts: true, fails: tocsin.NotFound, in: func(t tocsin.TenantID) any {
		return api.DeleteNoteIn{ByIDAct: act(threadOf)(t).(api.ByIDAct), Note: "note"}
	}},
	"channels list": {least: api.Viewer, in: list},
	"channels get":  {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: channelOf(t)} }},
	"channels create": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateChannelIn{In: in(t), Body: api.ChannelNew{Kind: "slack", ChannelSettings: api.ChannelSettings{Name: "n", Address: "https://hooks.slack.com/services/x"}}}
	}},
	"channels edit": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditChannelIn{ByID: api.ByID{In: in(t), ID: channelOf(t)}, Body: api.ChannelEdit{Version: 1, ChannelSettings: api.ChannelSettings{Name: "another"}}}
	}},
	"channels delete": {least: api.Admin, acts: true, in: act(channelOf)},
	"channels test":   {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: channelOf(t)} }},
	"channels rotate": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: channelOf(t)} }},
	"alerts list":     {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.AlertsIn{In: in(t)} }},
	"alerts tries":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.TriesIn{ByID: api.ByID{In: in(t), ID: alertOf(t)}} }},
	"snoozes list":    {least: api.Viewer, in: list},
	"snoozes create": {least: api.Analyst, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateSnoozeIn{In: in(t), Body: api.SnoozeNew{Scope: "finding", Value: findingOf(t), Until: inHalfAYear}}
	}},
	"snoozes delete": {least: api.Analyst, acts: true, in: act(snoozeOf)},
	"exports list":   {least: api.Viewer, in: list},
	"exports get":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: exportOf(t)} }},
	"exports create": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.CreateExportIn{In: in(t), Body: api.ExportNew{Kind: "webhook", ExportSettings: api.ExportSettings{Name: "n", Address: "https://siem.example.com/in"}}}
	}},
	"exports edit": {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any {
		return api.EditExportIn{ByIDAct: act(exportOf)(t).(api.ByIDAct), Body: api.ExportEdit{Version: 1, ExportSettings: api.ExportSettings{Name: "another"}}}
	}},
	"exports delete":  {least: api.Admin, acts: true, in: act(exportOf)},
	"exports test":    {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: exportOf(t)} }},
	"exports pause":   {least: api.Admin, acts: true, in: act(exportOf)},
	"exports resume":  {least: api.Admin, acts: true, in: act(exportOf)},
	"exports rotate":  {least: api.Admin, acts: true, in: func(t tocsin.TenantID) any { return api.ByID{In: in(t), ID: exportOf(t)} }},
	"exports refused": {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.RefusedIn{ByID: api.ByID{In: in(t), ID: exportOf(t)}} }},
	"exports example": {least: api.Viewer, in: func(t tocsin.TenantID) any { return in(t) }},
	"facts stream":    {least: api.Viewer, in: func(t tocsin.TenantID) any { return api.FactsIn{Tenant: t, After: "0"} }},

	"accounts list": {least: api.Owner, in: func(tocsin.TenantID) any { return api.AccountsIn{} }},
	"accounts create": {least: api.Owner, in: func(tocsin.TenantID) any {
		return api.CreateAccountIn{Body: api.AccountNew{Email: tocsin.NewID() + "@tocsin.example", Password: "correct horse battery"}}
	}},
	"accounts grant": {least: api.Owner, acts: true, in: func(t tocsin.TenantID) any {
		return api.GrantIn{AccountIn: account(t).(api.AccountIn), Body: api.GrantNew{On: string(acme), Role: api.Viewer}}
	}},
	"accounts revoke": {least: api.Owner, acts: true, in: func(t tocsin.TenantID) any {
		return api.RevokeIn{AccountIn: account(t).(api.AccountIn), On: string(acme)}
	}},
	"accounts disable": {least: api.Owner, acts: true, in: account},
	"accounts enable":  {least: api.Owner, acts: true, in: account},
	"accounts reset": {least: api.Owner, acts: true, in: func(t tocsin.TenantID) any {
		return api.ResetIn{AccountIn: account(t).(api.AccountIn), Body: api.Reset{Password: "correct horse battery"}}
	}},
	"trail list":    {least: api.Admin, in: func(tocsin.TenantID) any { return api.TrailIn{} }},
	"trail of":      {least: api.Admin, in: func(t tocsin.TenantID) any { return api.TenantTrailIn{In: in(t)} }},
	"sessions list": {least: api.Self, in: func(tocsin.TenantID) any { return api.SessionsIn{} }},
	"sessions end":  {least: "missing", in: func(tocsin.TenantID) any { return api.SessionIn{ID: "none"} }},
	"tokens list":   {least: api.Self, in: func(tocsin.TenantID) any { return api.TokensIn{} }},
	"tokens create": {least: "token", in: func(t tocsin.TenantID) any {
		return api.CreateTokenIn{Body: api.TokenNew{Name: "n", Role: api.Viewer, On: string(t)}}
	}},
	"tokens revoke": {least: "missing", in: func(tocsin.TenantID) any { return api.TokenIn{ID: "none"} }},
	"me get":        {least: api.Self, in: func(tocsin.TenantID) any { return api.NoInput{} }},
	"me password": {least: "session", in: func(tocsin.TenantID) any {
		return api.PasswordIn{Body: api.PasswordChange{Old: "correct horse battery", New: "correct horse battery 2"}}
	}},
	"me enrol":            {least: "session", in: func(tocsin.TenantID) any { return api.NoInput{} }},
	"me confirm":          {least: "session", in: func(tocsin.TenantID) any { return api.CodeIn{Body: api.Code{Code: "123456"}} }},
	"me unenrol":          {least: "session", in: func(tocsin.TenantID) any { return api.CodeIn{Body: api.Code{Code: "123456"}} }},
	"session open":        {least: api.Stranger, in: func(tocsin.TenantID) any { return api.SignInIn{Body: api.SignIn{Email: "a@b.example", Password: "p"}} }},
	"session begin-oidc":  {least: api.Stranger, in: func(tocsin.TenantID) any { return api.BeginOIDCIn{} }},
	"session finish-oidc": {least: api.Stranger, in: func(tocsin.TenantID) any { return api.FinishOIDCIn{} }},
	"session close":       {least: "session", in: func(tocsin.TenantID) any { return api.NoInput{} }},
	"setup get":           {least: api.Stranger, in: func(tocsin.TenantID) any { return api.NoInput{} }},
	"setup claim": {least: api.Stranger, in: func(tocsin.TenantID) any {
		return api.SetupIn{Body: api.Setup{Token: "wrong", Email: "a@b.example", Password: "correct horse battery"}}
	}},
}

// everyRole is in no order; includes below is the test's own idea of which includes which.
var everyRole = []api.Role{"", api.Agent, api.Viewer, api.Analyst, api.Admin, api.Owner}

func includes(role, least api.Role) bool {
	if least == api.Member {
		return role == api.Agent || includes(role, api.Analyst)
	}
	rank := map[api.Role]int{api.Viewer: 1, api.Analyst: 2, api.Admin: 3, api.Owner: 4}
	return rank[role] >= rank[least] && rank[role] > 0
}

// wanted is what an operation must answer to who has role in has ("*" for all, "" for nowhere), asked for tenant.
func wanted(a asked, role api.Role, has string, tenant tocsin.TenantID, tenanted bool) tocsin.Code {
	there := role != "" && (has == "*" || has == string(tenant))
	switch a.least {
	case api.Self:
		return ""
	case "missing":
		return tocsin.NotFound
	case "session":
		return "" // looked at apart: the answer to a token is denied or invalid
	case "token":
		switch {
		case !there:
			return tocsin.NotFound
		case !includes(role, api.Viewer):
			return tocsin.Denied
		}
		return ""
	}
	switch {
	case tenanted && !there:
		return tocsin.NotFound
	case !tenanted && has != "*":
		return tocsin.Denied
	case includes(role, a.least):
		return ""
	}
	return tocsin.Denied
}

func tenanted(o api.Op) bool {
	return strings.Contains(o.Path, "{tenant}") || o.Name == "facts stream" || o.Name == "connections create" || o.Name == "mail-configurations create" || o.Name == "email-connections create" || o.Name == "email-connections begin"
}

func TestMatrixIsWhole(t *testing.T) {
	for _, o := range api.Ops(nil) {
		if _, ok := matrix[o.Name]; !ok {
			t.Errorf("%s has no line in the matrix of this test", o.Name)
		}
	}
	if n := len(api.Ops(nil)); n != len(matrix) {
		t.Errorf("the table has %d operations, the matrix %d", n, len(matrix))
	}
}

// TestRoles asks every operation with every role, in the caller's own tenant, in another, and with a role everywhere. On PostgreSQL these are
// a role that may do nothing and one that may do everything: who may what is told before the engines differ.
func TestRoles(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		roles := everyRole
		if strings.HasSuffix(t.Name(), "/postgres") {
			roles = []api.Role{"", api.Owner}
		}
		s := serve(t, st)
		settle(t, st, acme)
		settle(t, st, globex)
		call[api.Account](t, s.owner, "accounts create", api.CreateAccountIn{Body: api.AccountNew{Email: "other@tocsin.example", Password: "correct horse battery", Role: api.Viewer, On: string(acme)}})
		for _, role := range roles {
			for _, has := range []string{string(acme), "*"} {
				if role == "" && has == "*" {
					continue
				}
				c := s.token(role, has)
				for _, o := range api.Ops(nil) {
					for _, tenant := range []tocsin.TenantID{acme, globex} {
						s.roleCase(t, o, c, role, has, tenant)
					}
				}
			}
		}
	})
}

func (s *server) roleCase(t *testing.T, o api.Op, c *api.Client, role api.Role, has string, tenant tocsin.TenantID) {
	t.Helper()
	a := matrix[o.Name]
	want := wanted(a, role, has, tenant, tenanted(o))
	if a.acts && want == "" {
		settle(t, s.st, tenant)
		s.restoreAccount(t)
	}
	if want == "" {
		want = a.fails
	}
	before := s.trailOf(t, o.Name)
	got := code(s.do(t, c, o.Name, a.in(tenant)))
	// Every act is written down once, done or refused; reading is not. What has no role anywhere is nobody's act here.
	if n := s.trailOf(t, o.Name) - before; n != 0 && !o.Changes() || n != 1 && o.Changes() && got != tocsin.Throttled {
		t.Errorf("%s by %q in %s asked for %s (%q) left %d entries in the trail", o.Name, role, has, tenant, got, n)
	}
	switch {
	case a.least == "session" || a.least == api.Stranger:
		if o.Name != "setup get" && got != tocsin.Denied && got != tocsin.Invalid {
			t.Errorf("%s with a token: %q, want denied or invalid", o.Name, got)
		}
	case got != want:
		t.Errorf("%s by %q in %s asked for %s: %q, want %q", o.Name, role, has, tenant, got, want)
	}
}

// trailOf counts the entries of an operation in the trail.
func (s *server) trailOf(t *testing.T, operation string) (n int) {
	t.Helper()
	if err := s.st.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from trail where operation = $1`, operation).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// restoreAccount undoes what was done to the account that operations on accounts are tried on.
func (s *server) restoreAccount(t *testing.T) {
	t.Helper()
	err := s.st.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `insert into role_grant (account, tenant, role) select id, $1, 'viewer' from account where email = 'other@tocsin.example' on conflict do nothing`, string(acme))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// do calls an operation; of a stream it takes the first entry.
func (s *server) do(t *testing.T, c *api.Client, name string, in any) error {
	t.Helper()
	if name != "facts stream" {
		return c.Do(t.Context(), name, in, nil)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	until := *c
	until.HTTP = &http.Client{Transport: untilLetIn{stop}}
	for _, err := range until.Follow(ctx, name, in) {
		if ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// untilLetIn ends a stream once it is let in.
type untilLetIn struct{ stop func() }

func (u untilLetIn) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusOK {
		u.stop()
	}
	return res, err
}

// TestStrangers asks every operation without a token.
func TestStrangers(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		for _, o := range api.Ops(nil) {
			err := s.do(t, &api.Client{URL: s.http.URL}, o.Name, matrix[o.Name].in(acme))
			if o.Name == "setup get" {
				if err != nil {
					t.Errorf("setup get: %v", err)
				}
				continue
			}
			if code(err) != tocsin.Denied {
				t.Errorf("%s by a stranger: %v, want denied", o.Name, err)
			}
			if o.Role != api.Stranger && err.Error() != "You are not signed in. Sign in, or send an API token as Authorization: Bearer." {
				t.Errorf("%s by a stranger: %v", o.Name, err)
			}
		}
	})
}

// TestAnothersObject asks in a tenant of one's own for what is another's.
func TestAnothersObject(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		settle(t, st, globex)
		c := s.token(api.Owner, string(acme))
		n := 0
		for _, o := range api.Ops(nil) {
			if !strings.Contains(o.Path, "{tenant}") || strings.Count(o.Path, "{") < 2 {
				continue
			}
			n++
			foreign := inTenant(matrix[o.Name].in(globex), acme)
			if err := s.do(t, c, o.Name, foreign); code(err) != tocsin.NotFound {
				t.Errorf("%s of another tenant's object: %v, want not_found", o.Name, err)
			}
		}
		if n < 12 {
			t.Errorf("only %d operations on one object were tried", n)
		}
		if err := s.do(t, s.owner, "overview get", in(nobody)); code(err) != tocsin.NotFound {
			t.Errorf("a tenant that is not there, by the owner of all: %v, want not_found", err)
		}
	})
}

// inTenant is the input with another tenant in its path.
func inTenant(v any, tenant tocsin.TenantID) any {
	in := reflect.New(reflect.TypeOf(v)).Elem()
	in.Set(reflect.ValueOf(v))
	in.FieldByName("Tenant").Set(reflect.ValueOf(tenant))
	return in.Interface()
}
