package rule

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
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

// outlookChange reads UpdateInboxRules, which the mailbox itself writes when Outlook changes a rule: its operation, name,
// condition and actions stand in the operation's properties.
func outlookChange(mem *detect.Memory, r *detect.Record) (c RuleChange, ok bool) {
	op, _ := auditParam(r, "RuleOperation")
	name, _ := auditParam(r, "RuleName")
	id, _ := auditParam(r, "RuleId")
	actions, _ := auditParam(r, "RuleActions")
	condition, _ := auditParam(r, "RuleCondition")
	server, _ := auditParam(r, "ServerRule")
	state, _ := auditParam(r, "RuleState")
	c.Mailbox = ruleMailbox(r)
	c.Rule = tocsin.MailRule{ID: outlookName(mem, r, c.Mailbox, id, name), Name: name, Enabled: state == "" || strings.Contains(state, "Enabled")}
	switch {
	case strings.HasPrefix(op, "Remove"), strings.HasPrefix(op, "Delete"):
		c.Verb = "removed"
		return c, true
	case strings.HasPrefix(op, "Add"), op == "":
		c.Verb = "made"
	default:
		c.Verb = "changed"
	}
	outlookActions(&c.Rule, actions)
	outlookActions(&c.Rule, server)
	if len(c.Rule.Targets()) == 0 && !c.Rule.Hides() && c.Rule.CopyTo == nil && name == "" {
		return c, false // a re-stamp: nothing of the rule is told
	}
	outlookCondition(&c.Rule, condition)
	c.Rule.Stop = strings.Contains(state, "ExitAfterExecution")
	return c, true
}

// outlookName is what the rule is called by in all records: its name, under which the cmdlets tell of it too. A record that has
// only Outlook's id is put to the name that an earlier one told with it.
func outlookName(mem *detect.Memory, r *detect.Record, mailbox, id, name string) string {
	key := ruleKey(mailbox, id)
	switch {
	case name != "" && id != "" && id != "0":
		mem.Forget(noteRuleName, key)
		mem.Add(noteRuleName, key, detect.Note{At: r.Time, ID: r.ID, Value: name})
	case name == "":
		if n, ok := mem.Last(noteRuleName, key); ok {
			return n.Value
		}
		return id
	}
	return name
}

// outlookActions reads the actions, a JSON list whose members differ by client; what is no JSON is read as words.
func outlookActions(rule *tocsin.MailRule, text string) {
	if text == "" || text == "[]" {
		return
	}
	var told any
	if json.Unmarshal([]byte(text), &told) != nil {
		outlookAction(rule, text, addressesIn(text))
		return
	}
	if whole, ok := told.(map[string]any); ok {
		told = whole["Actions"]
	}
	list, _ := told.([]any)
	for _, e := range list {
		switch a := e.(type) {
		case map[string]any:
			kind, _ := a["ActionType"].(string)
			if kind == "" {
				kind, _ = a["$type"].(string)
			}
			flags, _ := a["ForwardFlags"].(string)
			if folder, ok := a["DestinationFolderId"].(string); ok && strings.Contains(strings.ToLower(kind), "move") {
				rule.MoveTo = &tocsin.Folder{ID: folder}
			}
			outlookAction(rule, kind+" "+flags, addressesIn(a))
		case string:
			outlookAction(rule, a, addressesIn(a))
		}
	}
}

func outlookAction(rule *tocsin.MailRule, kind string, to []tocsin.Address) {
	k := strings.ToLower(kind)
	has := func(s string) bool { return strings.Contains(k, s) }
	switch {
	case has("redirect"), has("preservesender"), has("donotchangesender"):
		rule.Redirect = append(rule.Redirect, to...)
	case has("asattach"):
		rule.Attach = append(rule.Attach, to...)
	case has("forward"):
		rule.Forward = append(rule.Forward, to...)
	case has("permanent"), has("harddelete"):
		rule.Purge = true
	case has("delete"):
		rule.Delete = true
	case has("move"):
		if rule.MoveTo == nil {
			rule.MoveTo = &tocsin.Folder{}
		}
	case has("copy"):
		rule.CopyTo = &tocsin.Folder{}
	case has("read"):
		rule.MarkRead = true
	case has("stop"):
		rule.Stop = true
	case has("categor"), has("importance"), has("tag"), has("reply"), has("defer"), has("oof"):
	case k != "" && k != " ":
		rule.Unknown = append(rule.Unknown, strings.TrimSpace(kind))
	}
}

var (
	mailAddress = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}.-]+\.[\p{L}\p{N}-]{2,}`)
	quotedWord  = regexp.MustCompile(`"([^"]+)"`)
)

// addressesIn are all mail addresses in the texts of a JSON value, each once.
func addressesIn(v any) []tocsin.Address {
	var out []tocsin.Address
	seen := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch x := v.(type) {
		case string:
			for _, a := range mailAddress.FindAllString(x, -1) {
				if !seen[strings.ToLower(a)] {
					seen[strings.ToLower(a)] = true
					out = append(out, tocsin.Address{Address: a})
				}
			}
		case []any:
			for _, e := range x {
				walk(e)
			}
		case map[string]any:
			for _, e := range x {
				walk(e)
			}
		}
	}
	walk(v)
	return out
}

// outlookCondition reads what can be read of Outlook's restriction: the quoted words, or the sender it names.
func outlookCondition(rule *tocsin.MailRule, text string) {
	text = strings.TrimSpace(text)
	if text == "" || text == "{}" || text == "[]" {
		return
	}
	low := strings.ToLower(text)
	words := []string{}
	for _, m := range quotedWord.FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	term := tocsin.Term{Name: "restriction", Values: []string{text}}
	switch {
	case len(words) > 0 && strings.Contains(low, "subject") && strings.Contains(low, "body"):
		term = tocsin.Term{Name: "body_or_subject_contains", Values: words}
	case len(words) > 0 && strings.Contains(low, "subject"):
		term = tocsin.Term{Name: "subject_contains", Values: words}
	case len(words) > 0 && strings.Contains(low, "body"):
		term = tocsin.Term{Name: "body_contains", Values: words}
	case strings.Contains(low, "sender") && len(addressesIn(text)) > 0:
		term = tocsin.Term{Name: "from_addresses"}
		for _, a := range addressesIn(text) {
			term.Values = append(term.Values, a.Address)
		}
	case strings.Contains(low, "messagetome"):
		term = tocsin.Term{Name: "sent_to_me", Values: []string{"true"}}
	case strings.Contains(low, ":"):
		if _, after, _ := strings.Cut(text, ":"); strings.Contains(low, "subject") || strings.Contains(low, "body") {
			term = tocsin.Term{Name: "body_or_subject_contains", Values: auditSplit(after)}
		}
	}
	rule.Conditions = append(rule.Conditions, term)
}
