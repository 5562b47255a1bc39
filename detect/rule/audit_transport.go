package rule

import (
	"fmt"
	"iter"
	"maps"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// transportEvents judge the mail flow rules of the organisation, which act on everybody's mail and stand in no mailbox.
// Parameters: https://learn.microsoft.com/powershell/module/exchangepowershell/new-transportrule.
var transportEvents = []detect.Event{
	{Meta: transportRuleTakesMail, Judge: judgeTransportRule},
	{Meta: transportRuleSkipsFilter, Judge: auditBeside},
	{Meta: transportRuleOff, Judge: judgeTransportOff},
	{Meta: journalOutside, Judge: judgeJournal},
}

var transportOperations = []string{
	"New-TransportRule", "Set-TransportRule", "Disable-TransportRule", "Remove-TransportRule", "New-JournalRule", "Set-JournalRule",
}

var transportRuleTakesMail = detect.Meta{
	Name: "transport-rule-takes-mail", Title: "A mail flow rule copies, redirects or deletes mail", Family: "mail flow",
	Severity: tocsin.High, Attack: []string{"T1114.003", "T1537"}, Stage: "exfiltration",
	Says:           "A mail flow rule of the organisation sends copies of mail elsewhere, redirects it or deletes it.",
	FalsePositives: "Archiving and disclaimers services; a migration.",
	Fix:            "Read the rule's conditions, disable it, and look at who made it and from where.",
	Actions:        []string{"disable_transport_rule", "revoke_sessions"}, Source: "audit_log",
}

var transportRuleSkipsFilter = detect.Meta{
	Name: "transport-rule-skips-filter", Title: "A mail flow rule lets mail past the spam filter", Family: "mail flow",
	Severity: tocsin.Medium, Attack: []string{"T1562.001"}, Stage: "access",
	Says:           "A mail flow rule sets the spam confidence level to -1 or strips the marks of the filter.",
	FalsePositives: "Phishing exercises, scanners, a partner's server.",
	Fix:            "Narrow the rule to the sending addresses that need it.",
	Actions:        []string{"disable_transport_rule"}, Source: "audit_log",
}

var transportRuleOff = detect.Meta{
	Name: "transport-rule-off", Title: "A mail flow rule was switched off or removed", Family: "mail flow",
	Severity: tocsin.Medium, Attack: []string{"T1562.001", "T1537"}, Stage: "hiding",
	Says:           "A mail flow rule, which may have guarded the mail or taken it, is gone.",
	FalsePositives: "Ordinary administration.",
	Fix:            "Find out what the rule did; restore it if it was a guard.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var journalOutside = detect.Meta{
	Name: "journal-goes-outside", Title: "Mail is journalled to an address outside", Family: "mail flow",
	Severity: tocsin.High, Attack: []string{"T1114.003"}, Stage: "exfiltration",
	Says:           "A journal rule sends a copy of all mail to an address that is not the organisation's.",
	FalsePositives: "An archive provider: name it as a trusted partner.",
	Fix:            "Remove the journal rule unless the address is your archive's.",
	Actions:        []string{"disable_transport_rule"}, Source: "audit_log",
}

const noteTransport = "transport-rule" // rule → that it took mail

func judgeTransportRule(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "New-TransportRule" && r.Operation != "Set-TransportRule" || !auditDone(r) || auditService(r) {
		return nil
	}
	name := transportName(r)
	if fs := transportTakes(o, mem, r, name); fs != nil {
		return fs
	}
	if v, ok := auditParam(r, "SetSCL"); ok && strings.TrimSpace(v) == "-1" {
		why := fmt.Sprintf("The mail flow rule %q lets mail past the spam filter%s.", name, auditBy(r))
		return auditOne(auditFinding(o, &transportRuleSkipsFilter, r, r.Actor, strings.ToLower(name), "", why, auditTerms(45, "mail that matches is not filtered")))
	}
	return nil
}

func transportTakes(o *detect.Org, mem *detect.Memory, r *detect.Record, name string) []tocsin.Finding {
	seen := o.For(&transportRuleTakesMail)
	var terms detect.Terms
	var does []string
	for _, p := range []struct {
		param, verb string
		outside     int
	}{
		{"BlindCopyTo", "copies mail in secret to", 70}, {"RedirectMessageTo", "redirects mail to", 70},
		{"CopyTo", "copies mail to", 65}, {"AddToRecipients", "adds to the recipients", 65},
	} {
		v, ok := auditParam(r, p.param)
		if !ok {
			continue
		}
		for _, a := range auditAddresses(v) {
			switch seen.Place(a) {
			case detect.Partner:
				continue
			case detect.Outside:
				terms.Add(max(0, p.outside-points(terms)), p.verb+" somebody outside")
			default:
				terms.Add(max(0, 45-points(terms)), p.verb+" a mailbox inside")
			}
			does = append(does, p.verb+" "+a.Address)
		}
	}
	if auditSaid(r, "DeleteMessage", "true") {
		terms.Add(max(10, 45-points(terms)), "deletes mail before it arrives")
		does = append(does, "deletes mail")
	}
	if len(does) == 0 {
		return nil
	}
	if !transportConditions(r) && r.Operation == "New-TransportRule" {
		terms.Add(15, "it has no condition: it acts on all mail")
	}
	auditOutsider(r, &terms)
	mem.Add(noteTransport, strings.ToLower(name), detect.Note{At: r.Time, ID: r.ID, Value: strings.Join(does, ", ")})
	why := fmt.Sprintf("The mail flow rule %q %s%s.", name, strings.Join(does, " and "), auditBy(r))
	return auditOne(auditFinding(o, &transportRuleTakesMail, r, r.Actor, strings.ToLower(name), "", why, terms))
}

func points(terms detect.Terms) int {
	n := 0
	for _, t := range terms {
		n += t.Points
	}
	return n
}

// transportConditions says whether the rule is held to some mail: any parameter that is neither an action nor bookkeeping.
func transportConditions(r *detect.Record) bool { return narrowed(maps.Keys(r.Params)) }

func narrowed(params iter.Seq[string]) bool {
	for p := range params {
		switch strings.ToLower(p) {
		case "name", "identity", "blindcopyto", "redirectmessageto", "copyto", "addtorecipients", "deletemessage", "mode", "enabled",
			"priority", "comments", "stopruleprocessing", "ruleerroraction", "senderaddresslocation", "setauditseverity", "dlppolicy", "confirm", "force",
			"guid", "state", "setscl", "description", "version", "isvalid", "ruleversion", "whenchanged", "manuallymodified", "immutableid":
		default:
			return true
		}
	}
	return false
}

func transportName(r *detect.Record) string {
	for _, p := range []string{"Name", "Identity"} {
		if v, ok := auditParam(r, p); ok && v != "" {
			return v
		}
	}
	return r.Object
}

func judgeTransportOff(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Disable-TransportRule" && r.Operation != "Remove-TransportRule" || !auditDone(r) || auditService(r) {
		return nil
	}
	name := transportName(r)
	terms := auditTerms(42, "what guarded or took mail is gone")
	did := ""
	if n, ok := mem.Last(noteTransport, strings.ToLower(name)); ok {
		terms.Add(20, "it took mail")
		did = ", which " + n.Value + ","
	}
	what := "switched off"
	if strings.HasPrefix(r.Operation, "Remove") {
		what = "removed"
	}
	why := fmt.Sprintf("The mail flow rule %q%s was %s%s.", name, did, what, auditBy(r))
	return auditOne(auditFinding(o, &transportRuleOff, r, r.Actor, strings.ToLower(name), what, why, terms))
}

func judgeJournal(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "New-JournalRule" && r.Operation != "Set-JournalRule" || !auditDone(r) || auditService(r) {
		return nil
	}
	v, _ := auditParam(r, "JournalEmailAddress")
	to, ok := auditAddress(v)
	if !ok || !o.For(&journalOutside).Outside(to) {
		return nil
	}
	why := fmt.Sprintf("The journal rule %q sends copies of mail to %s, outside the organisation%s.", transportName(r), to.Address, auditBy(r))
	return auditOne(auditFinding(o, &journalOutside, r, r.Actor, strings.ToLower(transportName(r)), to.Canonical(), why,
		auditTerms(70, "a copy of all mail goes outside")))
}
