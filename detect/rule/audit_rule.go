package rule

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// inboxRuleEvents turn records of inbox rules into the rule itself and let the same rules judge it that judge the live
// state, so that a log and a tenant get one judgement. Only the end of a dangerous rule is a finding of its own.
var inboxRuleEvents = []detect.Event{{Meta: inboxRuleEnded, Judge: judgeInboxRule}}

var inboxRuleOperations = []string{
	"New-InboxRule", "Set-InboxRule", "Enable-InboxRule", "Disable-InboxRule", "Remove-InboxRule", "UpdateInboxRules",
}

var inboxRuleEnded = detect.Meta{
	Name: "inbox-rule-ended", Title: "A dangerous inbox rule was removed or switched off", Family: "mailbox rules",
	Severity: tocsin.Info, Attack: []string{"T1070"}, Stage: "hiding",
	Says:           "A rule that sent mail out or hid it was removed or disabled: the danger has ended, and perhaps its trace was wiped.",
	FalsePositives: "An administrator who cleaned up.",
	Fix:            "If nobody of yours removed it, treat the mailbox as taken over: the mail of the time between has left.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

// How long a rule that the log told of is remembered by name.
const (
	noteRule     = "inbox-rule"      // mailbox, rule → the rule as last told, as JSON
	noteRuleMade = "inbox-rule-made" // mailbox, rule → when it was made
	noteRuleName = "inbox-rule-name" // mailbox, Outlook's id of a rule → its name
)

// RuleChange is what an audit record says of an inbox rule.
type RuleChange struct {
	Mailbox string           // the address of the mailbox, or its alias where only that is told
	Verb    string           // made, changed, enabled, disabled, removed
	Rule    tocsin.MailRule  // as far as the record tells it
	Told    map[string]bool  // the parameters that the record names, in lower case; nil where it tells the whole rule
	Before  *tocsin.MailRule // from the records before; nil where they told nothing
	Made    time.Time        // when it was made, where the records before told it
}

// InboxRuleChange reads a record of an inbox rule; ok is false where it is no such record, failed, or tells nothing of the
// rule: Outlook's re-stamping writes UpdateInboxRules with an empty body.
func InboxRuleChange(mem *detect.Memory, r *detect.Record) (c RuleChange, ok bool) {
	if !auditDone(r) || auditService(r) {
		return c, false
	}
	switch r.Operation {
	case "New-InboxRule", "Set-InboxRule", "Enable-InboxRule", "Disable-InboxRule", "Remove-InboxRule":
		c = cmdletChange(r)
	case "UpdateInboxRules":
		if c, ok = outlookChange(mem, r); !ok {
			return c, false
		}
	default:
		return c, false
	}
	key := ruleKey(c.Mailbox, c.Rule.ID)
	if n, ok := mem.Last(noteRule, key); ok {
		var before tocsin.MailRule
		if json.Unmarshal([]byte(n.Value), &before) == nil {
			c.Before = &before
		}
	}
	if n, ok := mem.Last(noteRuleMade, key); ok {
		c.Made = n.At
	}
	c.settle(r)
	c.note(mem, r, key)
	return c, true
}

// settle completes the rule with what was known of it before.
func (c *RuleChange) settle(r *detect.Record) {
	switch c.Verb {
	case "made":
		c.Before, c.Made = nil, r.Time
	case "changed":
		if c.Told == nil {
			return
		}
		if c.Before != nil {
			c.Rule = overlay(*c.Before, c.Rule, c.Told)
		} else if !c.tellsConditions() {
			// Without the rule's earlier record nobody can say that it has no condition.
			c.Rule.Conditions = append(c.Rule.Conditions, tocsin.Term{Name: "not_told", Values: []string{"true"}})
		}
	default: // enabled, disabled, removed: the record names the rule only
		if c.Before != nil {
			enabled := c.Rule.Enabled
			c.Rule = *c.Before
			c.Rule.Enabled = enabled
		}
	}
}

func (c *RuleChange) tellsConditions() bool { return len(c.Rule.Conditions) > 0 }

func (c *RuleChange) note(mem *detect.Memory, r *detect.Record, key string) {
	mem.Forget(noteRule, key)
	if c.Verb == "removed" {
		mem.Forget(noteRuleMade, key)
		return
	}
	if c.Verb == "made" {
		mem.Forget(noteRuleMade, key)
		mem.Add(noteRuleMade, key, detect.Note{At: r.Time, ID: r.ID})
	}
	text, err := json.Marshal(c.Rule)
	if err == nil {
		mem.Add(noteRule, key, detect.Note{At: r.Time, ID: r.ID, Value: string(text)})
	}
}

func ruleKey(mailbox, id string) string {
	return strings.ToLower(mailbox) + "\x00" + strings.ToLower(id)
}

func judgeInboxRule(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	c, ok := InboxRuleChange(mem, r)
	if !ok {
		return nil
	}
	switch {
	case c.Verb == "disabled" || c.Verb == "removed" && c.Before == nil:
		return ruleEnded(o, r, c)
	case c.Verb == "removed":
		return append(ruleEnded(o, r, c), fromRecord(r, Mailbox(o, c.State(o, r)))...)
	case c.Verb == "enabled" && c.Before == nil:
		return nil
	}
	return fromRecord(r, Mailbox(o, c.State(o, r)))
}

// State is the mailbox with this one rule in it, as the live state would show it after the record.
func (c *RuleChange) State(o *detect.Org, r *detect.Record) *detect.Mailbox {
	k := o.Find(c.Mailbox)
	m := &detect.Mailbox{Person: auditPerson(o, c.Mailbox), Address: c.Mailbox, Name: k.Name}
	rule := detect.Rule{MailRule: c.Rule, FirstSeen: c.Made, Before: c.Before}
	rule.ID = strings.ToLower(c.Mailbox) + `\` + c.Rule.ID // a name is unique in its mailbox only
	if c.Verb == "changed" || c.Verb == "enabled" {
		rule.Changed = r.Time
	}
	if c.Verb == "removed" {
		rule.DeletedAt, rule.Before = r.Time, nil
	}
	m.Rules = []detect.Rule{rule}
	return m
}

// fromRecord makes findings on state into findings on the record that told of it.
func fromRecord(r *detect.Record, fs []tocsin.Finding) []tocsin.Finding {
	for i := range fs {
		raw := ""
		if len(fs[i].Evidence) > 0 {
			raw = fs[i].Evidence[0].Raw
		}
		e := auditEvidence(r)
		e.Raw = raw
		fs[i].Evidence = []tocsin.Evidence{e}
		fs[i].Time = r.Time
	}
	return fs
}

func ruleEnded(o *detect.Org, r *detect.Record, c RuleChange) []tocsin.Finding {
	if c.Before == nil || !dangerousRule(o, *c.Before) {
		return nil
	}
	what := "switched off"
	if c.Verb == "removed" {
		what = "removed"
	}
	why := fmt.Sprintf("The inbox rule %q of %s, which %s, was %s%s.", c.Rule.Name, c.Mailbox, ruleDoes(*c.Before), what, auditBy(r))
	terms := auditTerms(5, "the end of a rule that sent mail on or hid it")
	if !auditSame(r.Actor, c.Mailbox) {
		terms.Add(5, "by somebody else than the mailbox's owner")
	}
	return auditOne(auditFinding(o, &inboxRuleEnded, r, c.Mailbox, ruleKey(c.Mailbox, c.Rule.ID), what, why, terms))
}

func dangerousRule(o *detect.Org, rule tocsin.MailRule) bool {
	return rule.Delete || rule.Purge || slices.ContainsFunc(rule.Targets(), func(a tocsin.Address) bool {
		return o.Place(a) != detect.Inside && o.Place(a) != detect.Partner
	})
}

func ruleDoes(rule tocsin.MailRule) string {
	if to := rule.Targets(); len(to) > 0 {
		return "sent mail to " + to[0].Address
	}
	return "deleted mail"
}

// cmdletChange reads New-, Set-, Enable-, Disable- and Remove-InboxRule.
// Parameters: https://learn.microsoft.com/powershell/module/exchangepowershell/new-inboxrule.
func cmdletChange(r *detect.Record) RuleChange {
	verb, _, _ := strings.Cut(r.Operation, "-")
	c := RuleChange{Verb: map[string]string{"New": "made", "Set": "changed", "Enable": "enabled", "Disable": "disabled", "Remove": "removed"}[verb]}
	c.Mailbox = ruleMailbox(r)
	c.Rule.Enabled = c.Verb != "disabled"
	c.Told = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		c.Told[strings.ToLower(name)] = true
		setRuleParam(&c.Rule, strings.ToLower(name), r.Params[name])
	}
	c.Rule.ID = ruleName(r)
	if c.Rule.Name == "" && !c.Told["name"] {
		c.Rule.Name = c.Rule.ID
	}
	if c.Verb == "made" {
		c.Told = nil
	}
	return c
}

// ruleName is what the log calls the rule by: the last part of the object's name, else the Identity, else the Name.
func ruleName(r *detect.Record) string {
	if _, name, ok := strings.Cut(r.Object, `\`); ok && name != "" {
		return name
	}
	if v, ok := auditParam(r, "Identity"); ok && v != "" {
		if _, name, ok := strings.Cut(v, `\`); ok {
			return name
		}
		return v
	}
	v, _ := auditParam(r, "Name")
	return v
}

// ruleMailbox is whose rule it is: the Mailbox parameter, else the owner before the backslash of Identity or object
// where it is not the actor, else the actor. An object that names only a GUID is the actor's own.
func ruleMailbox(r *detect.Record) string {
	if v, ok := auditParam(r, "Mailbox"); ok && v != "" {
		return auditAlias(r, v)
	}
	if owner := auditText(r, "mailbox"); owner != "" {
		return tocsin.CanonicalAddress(owner)
	}
	if v, ok := auditParam(r, "Identity"); ok {
		if owner, _, ok := strings.Cut(v, `\`); ok && strings.Contains(owner, "@") {
			return tocsin.CanonicalAddress(owner)
		}
	}
	if strings.Contains(r.Actor, "@") {
		return tocsin.CanonicalAddress(r.Actor)
	}
	if r.Object != "" {
		return auditAlias(r, r.Object)
	}
	return r.Actor
}
