package rule

import (
	"encoding/json"
	"regexp"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

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
