package rule

import (
	"fmt"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var deletesAll = detect.Meta{
	Name: "mark-read-delete-all", Title: "A rule deletes every mail", Family: "hiding",
	Severity: tocsin.High, Attack: []string{"T1564.008"}, Stage: "hiding",
	Says:           "An inbox rule without a condition deletes all mail, usually marked as read first, so that the owner sees nothing of what an intruder does.",
	FalsePositives: "Mailboxes that only send, and those of people who left: the latter are judged lower while the account is blocked.",
	Fix:            "Switch the rule off, bring the mail back from Deleted Items and Recoverable Items, and look who made the rule.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

func judgeDeletesAll(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	if !removes(&r.MailRule) || detect.RuleBreadth(&r.MailRule) != detect.Every || len(r.Targets()) > 0 {
		return nil // one that sends the mail on first is judged for that
	}
	var terms detect.Terms
	terms.Add(60, "every mail is deleted")
	if r.MarkRead {
		terms.Add(15, "and marked as read before")
	}
	if r.Purge {
		terms.Add(10, "for ever")
	}
	if n := len(r.Exceptions); n > 0 {
		terms.Add(-10, "but for "+count(n, "exception"))
	}
	if m.Blocked() {
		terms.Add(-30, "the account cannot sign in")
	}
	if m.Purpose == "room" || m.Purpose == "equipment" {
		terms.Add(-30, "nobody reads the mailbox of a "+m.Purpose)
	}
	nameTerm(&r.MailRule, &terms)
	stateTerms(&r.MailRule, &terms)
	why := fmt.Sprintf("%s %s: the owner sees none of it.%s", label(&r.MailRule), does(m.Address, &r.MailRule), state(&r.MailRule))
	return scored(about(o, &deletesAll, m, r), terms, why)
}
