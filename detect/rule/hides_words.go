package rule

import (
	"fmt"
	"slices"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var hidesNotices = detect.Meta{
	Name: "hides-security-notices", Title: "A rule hides warnings from the mailbox's owner", Family: "hiding",
	Severity: tocsin.High, Attack: []string{"T1564.008"}, Stage: "hiding",
	Says: "An inbox rule deletes, hides or marks as read what would tell the owner of a break-in: words of warnings, of the help desk, of mail that could not be delivered, " +
		"in some thirty languages.",
	FalsePositives: "Security staff who sort alerts, people who delete a help desk's routine mail.",
	Fix:            "Look at the mail the rule has taken (also among the deleted and the recoverable): it says what the intruder did. Switch the rule off and revoke the sessions.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

var hidesMoney = detect.Meta{
	Name: "hides-money-mail", Title: "A rule hides mail about money", Family: "hiding",
	Severity: tocsin.High, Attack: []string{"T1564.008", "T1114.003"}, Stage: "hiding",
	Says: "An inbox rule deletes mail about invoices, payments, pay or bank accounts, or moves it where nobody looks: how an intruder keeps the owner out of a conversation that " +
		"leads to a changed bank account. Words in some thirty languages; null characters and look-alike letters do not help.",
	FalsePositives: "People who delete adverts that speak of money. Sorting such mail into an ordinary folder is silent.",
	Fix:            "Read the conversations the rule has taken, call the other side by a number known from before, and stop open payments. Then switch the rule off and revoke the sessions.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

func judgeHidesNotices(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	if !unseen(&r.MailRule) {
		return nil
	}
	var terms detect.Terms
	found := wordsIn(&r.MailRule, detect.Notices)
	switch weak, bounces := wordsIn(&r.MailRule, detect.Helpers), wordsIn(&r.MailRule, detect.Bounces); {
	case len(found) > 0:
		terms.Add(45, "takes warnings: "+words(found))
	case len(bounces) > 0:
		found = bounces
		terms.Add(30, "takes reports of mail that was not delivered: "+words(found))
	case len(weak) > 0:
		found = weak
		terms.Add(30, "takes the help desk's and security mail: "+words(found))
	default:
		return nil
	}
	hideTerms(&r.MailRule, &terms, map[string]int{"archive": 15, "junkemail": 25, "": 15})
	if detect.RuleBreadth(&r.MailRule) == detect.ByAuthor && !namesSender(&r.MailRule, found) {
		terms.Add(-10, "only what certain senders wrote")
	}
	return hidesFinding(o, &hidesNotices, m, r, terms, 55, found, "security notices")
}

func judgeHidesMoney(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	if !unseen(&r.MailRule) {
		return nil
	}
	found := wordsIn(&r.MailRule, detect.Money)
	if len(found) == 0 {
		return nil
	}
	var terms detect.Terms
	terms.Add(30, "takes mail about money: "+words(found))
	hideTerms(&r.MailRule, &terms, map[string]int{"archive": 0, "junkemail": 30, "": 10})
	if detect.RuleBreadth(&r.MailRule) == detect.ByAuthor {
		terms.Add(-15, "only what certain senders wrote")
	}
	return hidesFinding(o, &hidesMoney, m, r, terms, 45, found, "mail about money")
}

// unseen says whether a rule may keep mail from being seen; one that only sorts it into an ordinary folder, under a name
// of its own, does not.
func unseen(r *tocsin.MailRule) bool {
	if removes(r) || r.MarkRead {
		return true
	}
	remote, _ := detect.FolderRemote(r.MoveTo)
	points, _ := detect.OddName(r.Name)
	return remote != detect.Open || r.MoveTo != nil && points >= 15
}

// namesSender says whether one of the words found is of the sender's address: then that narrows nothing down.
func namesSender(r *tocsin.MailRule, found []string) bool {
	for _, t := range r.Conditions {
		if t.Name == "from_addresses" || t.Name == "sender_contains" {
			if slices.ContainsFunc(t.Values, func(v string) bool { return slices.Contains(found, v) }) {
				return true
			}
		}
	}
	return false
}

// hideTerms is what a rule does to the mail it takes; near is what a move to a folder counts that people file in themselves.
func hideTerms(r *tocsin.MailRule, terms *detect.Terms, near map[string]int) {
	switch remote, folder := detect.FolderRemote(r.MoveTo); {
	case r.Purge:
		terms.Add(30, "deletes it for ever")
	case removes(r):
		terms.Add(25, "deletes it")
	case remote == detect.Far:
		terms.Add(35, "moves it to "+folder+", which nobody opens")
	case remote == detect.Near:
		points, ok := near[detect.FolderKind(r.MoveTo)]
		if !ok {
			points = near[""]
		}
		if points > 0 {
			terms.Add(points, "moves it to "+folder)
		}
	}
	if r.MarkRead {
		terms.Add(10, "marks it as read")
	}
}

// hidesFinding is the finding where the terms reach least, before a rule that does not run counts less.
func hidesFinding(o *detect.Org, meta *detect.Meta, m *detect.Mailbox, r *detect.Rule, terms detect.Terms, least int, found []string, what string) *tocsin.Finding {
	if n := len(found); n >= 3 {
		terms.Add(5, fmt.Sprintf("%d such words", n))
	}
	nameTerm(&r.MailRule, &terms)
	if sum(terms) < least {
		return nil
	}
	stateTerms(&r.MailRule, &terms)
	why := fmt.Sprintf("%s hides %s: it %s.%s", label(&r.MailRule), what, does(m.Address, &r.MailRule), state(&r.MailRule))
	return scored(about(o, meta, m, r), terms, why)
}
