package rule

import (
	"strconv"
	"strings"

	"tocsin.dev"
)

// ruleTerms names the conditions of New-InboxRule by the predicates that the live state has for them.
var ruleTerms = map[string]string{
	"subjectcontainswords":          "subject_contains",
	"bodycontainswords":             "body_contains",
	"subjectorbodycontainswords":    "body_or_subject_contains",
	"from":                          "from_addresses",
	"fromaddresscontainswords":      "sender_contains",
	"headercontainswords":           "header_contains",
	"recipientaddresscontainswords": "recipient_contains",
	"sentto":                        "sent_to_addresses",
	"senttoaddresses":               "sent_to_addresses",
	"sentonlytome":                  "sent_only_to_me",
	"mynameintobox":                 "sent_to_me",
	"mynameinccbox":                 "sent_cc_me",
	"mynameintoorccbox":             "sent_to_or_cc_me",
	"mynamenotintobox":              "not_sent_to_me",
	"hasattachment":                 "has_attachments",
	"hasclassification":             "has_classification",
	"withimportance":                "importance",
	"withsensitivity":               "sensitivity",
	"withinsizerangemaximum":        "within_size_range_maximum",
	"withinsizerangeminimum":        "within_size_range_minimum",
	"messagetypematches":            "message_type",
	"flaggedforaction":              "message_action_flag",
	"receivedafterdate":             "received_after",
	"receivedbeforedate":            "received_before",
	"fromsubscription":              "from_subscription",
}

// ruleIdle are parameters that say nothing of what the rule does.
var ruleIdle = map[string]bool{
	"alwaysdeleteoutlookrulesblob": true, "force": true, "confirm": true, "domaincontroller": true, "identity": true,
	"mailbox": true, "whatif": true, "includehidden": true, "pinmessage": true, "deletesystemcategory": true,
	"validateonly": true, "sweeprule": true, "delivertomailboxandforward": true, "protected": true,
}

// setRuleParam takes one parameter, its name in lower case, into the rule.
func setRuleParam(rule *tocsin.MailRule, name, value string) {
	yes := strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(value), "$"), "true")
	switch name {
	case "name":
		rule.Name = value
	case "forwardto":
		rule.Forward = auditAddresses(value)
	case "redirectto":
		rule.Redirect = auditAddresses(value)
	case "forwardasattachmentto":
		rule.Attach = auditAddresses(value)
	case "movetofolder":
		rule.MoveTo = ruleFolder(value)
	case "copytofolder":
		rule.CopyTo = ruleFolder(value)
	case "deletemessage", "softdeletemessage":
		rule.Delete = rule.Delete || yes
	case "markasread":
		rule.MarkRead = yes
	case "stopprocessingrules":
		rule.Stop = yes
	case "markimportance":
		rule.Importance = strings.ToLower(value)
	case "applycategory", "applysystemcategory":
		rule.Categories = auditSplit(value)
	case "enabled":
		rule.Enabled = yes
	case "priority", "sendtextmessagenotificationto":
	default:
		setRuleTerm(rule, name, value)
	}
}

func setRuleTerm(rule *tocsin.MailRule, name, value string) {
	list := &rule.Conditions
	if bare, ok := strings.CutPrefix(name, "exceptif"); ok {
		name, list = bare, &rule.Exceptions
	}
	term, known := ruleTerms[name]
	switch {
	case strings.HasPrefix(name, "withinsizerange") && value != "":
		*list = append(*list, tocsin.Term{Name: term, Values: []string{kilobytes(value)}})
	case known && value != "" && !strings.EqualFold(strings.TrimPrefix(value, "$"), "false"):
		*list = append(*list, tocsin.Term{Name: term, Values: ruleWords(value)})
	case !known && !ruleIdle[name]:
		rule.Unknown = append(rule.Unknown, name)
	}
}

// kilobytes reads a size as Exchange writes it: "10 KB (10,240 bytes)", "2MB", or bytes.
func kilobytes(s string) string {
	number := strings.TrimSpace(s)
	end := strings.IndexFunc(number, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != ',' })
	unit := ""
	if end >= 0 {
		number, unit = number[:end], strings.ToUpper(strings.TrimSpace(number[end:]))
	}
	n, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", ""), 64)
	switch {
	case err != nil:
		return s
	case strings.HasPrefix(unit, "MB"):
		n *= 1024
	case strings.HasPrefix(unit, "GB"):
		n *= 1024 * 1024
	case !strings.HasPrefix(unit, "KB"):
		n /= 1024
	}
	return strconv.Itoa(int(n))
}

// ruleWords takes a list of words apart: the log joins them with semicolons. Nothing else is trimmed away, because
// control characters among the words are a trick of their own.
func ruleWords(s string) []string {
	var out []string
	for _, w := range strings.Split(strings.Trim(s, "{}"), ";") {
		if w = strings.Trim(w, " "); w != "" {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		out = []string{s}
	}
	return out
}

// ruleFolder is a folder as a cmdlet names it: Name, mailbox:\Path\Name, or an id.
func ruleFolder(s string) *tocsin.Folder {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	name := s
	if i := strings.LastIndexByte(name, '\\'); i >= 0 && i < len(name)-1 {
		name = name[i+1:]
	}
	f := &tocsin.Folder{Name: name}
	if len(name) > 80 && !strings.Contains(name, " ") {
		f = &tocsin.Folder{ID: name}
	}
	return f
}

// overlay is the rule before with what the parameters told of put over it.
func overlay(before, now tocsin.MailRule, told map[string]bool) tocsin.MailRule {
	out := before
	set := func(name string, put func()) {
		if told[name] {
			put()
		}
	}
	set("name", func() { out.Name = now.Name })
	set("forwardto", func() { out.Forward = now.Forward })
	set("redirectto", func() { out.Redirect = now.Redirect })
	set("forwardasattachmentto", func() { out.Attach = now.Attach })
	set("movetofolder", func() { out.MoveTo = now.MoveTo })
	set("copytofolder", func() { out.CopyTo = now.CopyTo })
	set("deletemessage", func() { out.Delete = now.Delete })
	set("softdeletemessage", func() { out.Delete = now.Delete })
	set("markasread", func() { out.MarkRead = now.MarkRead })
	set("stopprocessingrules", func() { out.Stop = now.Stop })
	set("markimportance", func() { out.Importance = now.Importance })
	set("applycategory", func() { out.Categories = now.Categories })
	set("enabled", func() { out.Enabled = now.Enabled })
	out.Conditions = overlayTerms(before.Conditions, now.Conditions, told, "")
	out.Exceptions = overlayTerms(before.Exceptions, now.Exceptions, told, "exceptif")
	out.Unknown = now.Unknown
	return out
}

func overlayTerms(before, now []tocsin.Term, told map[string]bool, prefix string) []tocsin.Term {
	touched := map[string]bool{}
	for param, term := range ruleTerms {
		if told[prefix+param] {
			touched[term] = true
		}
	}
	var out []tocsin.Term
	for _, t := range before {
		if !touched[t.Name] {
			out = append(out, t)
		}
	}
	return append(out, now...)
}
