package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/story"
)

// written writes the audit record of an act, as Microsoft's looks, and lets a cmdlet take effect. What leaves no record
// in Microsoft 365 leaves none here. The caller holds mu.
func (s *Sim) written(n scheduled, p *person) {
	a := n.act
	op, content := a.Args["operation"], ""
	params := a.Params
	switch a.Verb {
	case story.MakesRule, story.ChangesRule:
		op, params = map[story.Verb]string{story.MakesRule: "New-InboxRule", story.ChangesRule: "Set-InboxRule"}[a.Verb], ruleParams(a.Args["name"], a.Rule)
	case story.DeletesRule:
		op, params = "Remove-InboxRule", map[string]string{"Identity": p.upn() + `\` + a.Args["name"]}
	case story.DisablesRule:
		op, params = "Disable-InboxRule", map[string]string{"Identity": p.upn() + `\` + a.Args["name"]}
	case story.EnablesRule:
		op, params = "Enable-InboxRule", map[string]string{"Identity": p.upn() + `\` + a.Args["name"]}
	case story.SignsIn:
		op = "UserLoggedIn"
		if a.Args["result"] == "failure" {
			op = "UserLoginFailed"
		}
		content = "Audit.AzureActiveDirectory"
	case story.Runs, story.Audits:
	default:
		return
	}
	who := n.story.Address(a.Who)
	if a.Verb == story.Runs {
		s.command(op, first(a.Args["on"], who), params)
	}
	s.feed.ids++
	id := s.world.seed.guid(askAudit, s.feed.ids)
	r := &audited{id: id, at: n.at}
	r.o, r.content = s.record(&a, id, op, who, n.at)
	r.content = first(content, r.content)
	if r.content == "Audit.AzureActiveDirectory" { // the directory's own log has it too
		other := s.reported(n, op, who, p)
		r.o = append(r.o, member{"InterSystemsId", other.correlation}, member{"IntraSystemId", other.id})
	}
	switch {
	case a.Verb == story.Audits:
		r.o = append(r.o, auditMembers(&a)...)
	case a.Verb == story.SignsIn:
		result := "Success"
		if op == "UserLoginFailed" {
			code := first(a.Params["error"], "50126")
			r.o = append(r.o, member{"ErrorNumber", code})
			if code == "50126" {
				r.o = append(r.o, member{"LogonError", "InvalidUserNameOrPassword"})
			}
			result = "Failed"
		} else {
			r.o = append(r.o, member{"ErrorNumber", "0"})
		}
		r.o = r.o.set("ResultStatus", result)
		r.o = append(r.o, member{"ApplicationId", "00000002-0000-0ff1-ce00-000000000000"}, member{"ExtendedProperties", []obj{{{"Name", "RequestType"}, {"Value", "OAuth2:Authorize"}}}})
	default:
		var list []obj
		if a.Args["on"] != "" && params["Identity"] == "" && !strings.HasPrefix(op, "New-") {
			list = append(list, obj{{"Name", "Identity"}, {"Value", a.Args["on"]}})
		}
		for _, k := range slices.Sorted(maps.Keys(params)) {
			list = append(list, obj{{"Name", k}, {"Value", params[k]}})
		}
		r.o = append(r.o, member{"Parameters", append([]obj{}, list...)})
	}
	if len(a.Modified) > 0 {
		var list []obj
		for _, k := range slices.Sorted(maps.Keys(a.Modified)) {
			list = append(list, obj{{"Name", k}, {"OldValue", a.Modified[k][0]}, {"NewValue", a.Modified[k][1]}})
		}
		r.o = append(r.o, member{"ModifiedProperties", list})
	}
	s.enter(r, n.at)
}

// workload is which service writes an operation's records.
func workload(a *story.Act, op string) (name, content string, kind int) {
	switch w := a.Args["workload"]; {
	case w == "AzureActiveDirectory" || a.Verb == story.SignsIn || w == "" && directoryOperation(op):
		if a.Verb == story.SignsIn || strings.HasPrefix(op, "UserLog") {
			return "AzureActiveDirectory", "Audit.AzureActiveDirectory", 15
		}
		return "AzureActiveDirectory", "Audit.AzureActiveDirectory", 8
	case w == "SharePoint" || w == "OneDrive" || w == "" && (strings.HasPrefix(op, "File") || strings.HasPrefix(op, "Sharing") || strings.HasPrefix(op, "Anonymous")):
		return first(w, "SharePoint"), "Audit.SharePoint", 6
	case w == "Exchange" || w == "" && strings.Contains(op, "-"):
		return "Exchange", "Audit.Exchange", 1
	case w == "" && op == "MailItemsAccessed":
		return "Exchange", "Audit.Exchange", 50
	case w == "":
		return "Exchange", "Audit.Exchange", 2
	default:
		return w, "Audit.General", 18
	}
}

// directoryOperation: those of the directory are words, such as "Add member to role."
func directoryOperation(op string) bool {
	return strings.HasPrefix(op, "UserLog") || strings.Contains(op, " ")
}

// record is what every record has: https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema#common-schema
func (s *Sim) record(a *story.Act, id, op, who string, at time.Time) (obj, string) {
	name, content, kind := workload(a, op)
	types := map[string]int{"": 0, "user": 0, "admin": 2, "system": 4, "service": 4, "app": 5}
	userType := types[a.Args["as"]]
	if p := s.world.find(who); p != nil && a.Args["as"] == "" && a.Verb == story.Runs && s.isAdmin(p) {
		userType = 2
	}
	object := a.Args["on"]
	if strings.HasSuffix(op, "-InboxRule") && object == "" {
		object = who + `\` + a.Args["name"]
	}
	o := obj{{"CreationTime", at.UTC().Format("2006-01-02T15:04:05")}, {"Id", id}, {"Operation", op}, {"OrganizationId", s.cfg.Tenant}, {"RecordType", kind},
		{"ResultStatus", first(a.Args["result"], "True")}, {"UserKey", who}, {"UserType", userType}, {"Version", 1}, {"Workload", name}, {"ClientIP", a.Args["ip"]},
		{"ObjectId", object}, {"UserId", who}, {"ExternalAccess", false}, {"OrganizationName", s.world.initial()}}
	if a.Args["agent"] != "" {
		o = append(o, member{"UserAgent", a.Args["agent"]})
	}
	if a.Args["app"] != "" {
		o = append(o, member{"ClientInfoString", a.Args["app"]})
	}
	if t := a.Args["target"]; t != "" && name == "AzureActiveDirectory" {
		target := []obj{{{"ID", t}, {"Type", 1}}}
		if strings.Contains(t, "@") {
			target = []obj{{{"ID", t}, {"Type", 5}}, {{"ID", "User"}, {"Type", 2}}}
		}
		o = append(o, member{"Target", target})
	}
	return o, content
}

func (s *Sim) isAdmin(p *person) bool {
	return slices.ContainsFunc(s.world.roles, func(r *role) bool { return slices.Contains(r.holders(), p.id) })
}

// called is how Microsoft's record names what stories call by our words.
var called = map[string]string{"mailbox": "MailboxOwnerUPN", "logon": "LogonType", "external": "ExternalAccess", "items": "OperationCount", "error": "ErrorNumber",
	"app_id": "AppId", "app": "ApplicationDisplayName", "file": "SourceFileName", "recipient": "TargetUserOrGroupName", "recipient_type": "TargetUserOrGroupType",
	"item_type": "ItemType", "event_data": "EventData", "query": "QueryText", "title": "Name", "severity": "Severity", "category": "Category", "status": "Status"}

// auditMembers are the members of a record that is no cmdlet's.
func auditMembers(a *story.Act) obj {
	var out obj
	for _, k := range slices.Sorted(maps.Keys(a.Params)) {
		v, name := a.Params[k], first(called[k], k)
		switch k {
		case "logon":
			out = append(out, member{name, map[string]int{"owner": 0, "admin": 1, "delegate": 2}[v]})
		case "external":
			out = append(out, member{name, v == "true"})
		case "throttled":
			out = append(out, member{"OperationProperties", []obj{{{"Name", "IsThrottled"}, {"Value", v}}}})
		default:
			out = append(out, member{name, v})
		}
	}
	return out
}

// ruleParams are the parameters of New-InboxRule that make the rule.
// https://learn.microsoft.com/powershell/module/exchangepowershell/new-inboxrule
func ruleParams(name string, r *tocsin.MailRule) map[string]string {
	out := map[string]string{"Name": name, "Force": "False", "AlwaysDeleteOutlookRulesBlob": "False"}
	send := func(param string, list []tocsin.Address) {
		var all []string
		for _, a := range list {
			all = append(all, a.Address)
		}
		if len(all) > 0 {
			out[param] = strings.Join(all, ";")
		}
	}
	flag := func(on bool, param string) {
		if on {
			out[param] = "True"
		}
	}
	send("ForwardTo", r.Forward)
	send("RedirectTo", r.Redirect)
	send("ForwardAsAttachmentTo", r.Attach)
	for param, f := range map[string]*tocsin.Folder{"MoveToFolder": r.MoveTo, "CopyToFolder": r.CopyTo} {
		if f != nil {
			out[param] = first(f.Name, f.WellKnown)
		}
	}
	flag(r.Delete, "DeleteMessage")
	flag(r.Purge, "SoftDeleteMessage")
	flag(r.MarkRead, "MarkAsRead")
	flag(r.Stop, "StopProcessingRules")
	if r.Importance != "" {
		out["MarkImportance"] = r.Importance
	}
	if len(r.Categories) > 0 {
		out["ApplyCategory"] = strings.Join(r.Categories, ";")
	}
	for prefix, list := range map[string][]tocsin.Term{"": r.Conditions, "ExceptIf": r.Exceptions} {
		for _, t := range list {
			v := strings.Join(t.Values, ";")
			if len(t.Values) == 0 {
				v = "True"
			}
			out[prefix+predicate(t.Name)] = v
		}
	}
	return out
}

// predicate is a predicate's parameter.
func predicate(name string) string {
	switch name {
	case "subject_contains":
		return "SubjectContainsWords"
	case "body_contains":
		return "BodyContainsWords"
	case "body_or_subject_contains":
		return "SubjectOrBodyContainsWords"
	case "sender_contains":
		return "FromAddressContainsWords"
	case "recipient_contains":
		return "RecipientAddressContainsWords"
	case "header_contains":
		return "HeaderContainsWords"
	case "from_addresses":
		return "From"
	case "sent_to_addresses":
		return "SentTo"
	case "has_attachments":
		return "HasAttachment"
	}
	var b strings.Builder
	for _, part := range strings.Split(name, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
