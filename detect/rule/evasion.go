package rule

import (
	"fmt"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var evasionTricks = detect.Meta{
	Name: "evasion-tricks", Title: "A rule uses a trick against those who look for it", Family: "hiding",
	Severity: tocsin.High, Attack: []string{"T1564.008"}, Stage: "hiding",
	Says: "An inbox rule has null or invisible characters in its words, look-alike letters, a condition that takes every mail in disguise (at least 1 kB, an \"e\" in the body), " +
		"or moves mail into the calendar.",
	FalsePositives: "Invisible characters copied from a web page together with a word.",
	Fix:            "Nobody makes such a rule by clicking: treat the mailbox as taken over, revoke the sessions and look for the application that made it.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

func judgeEvasionTricks(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	var terms detect.Terms
	wordTricks(r.Conditions, &terms)
	if detect.FolderKind(r.MoveTo) == "calendar" {
		terms.Add(45, "moves mail into the calendar, where it is not shown")
	}
	t, all := disguised(&r.MailRule)
	if len(terms) == 0 && !all {
		return nil
	}
	bad, what := harm(o, m, &r.MailRule)
	if all && bad > 0 {
		terms.Add(35, "takes every mail in disguise: "+condition(t))
	}
	if len(terms) == 0 {
		return nil
	}
	why := fmt.Sprintf("%s of %s %s", label(&r.MailRule), m.Address, terms[0].Why)
	if bad > 0 {
		terms.Add(bad, "it "+what)
		why += "; it " + what
	} else {
		why += and(deeds(&r.MailRule))
	}
	stateTerms(&r.MailRule, &terms)
	return scored(about(o, &evasionTricks, m, r), terms, why+"."+state(&r.MailRule))
}

// wordTricks are characters nobody sees, and letters of another script, in the words of conditions.
func wordTricks(conditions []tocsin.Term, terms *detect.Terms) {
	for _, t := range conditions {
		for _, v := range t.Values {
			if c, ok := detect.Hidden(v); ok {
				terms.Add(50, fmt.Sprintf("has a character nobody sees (%U) in the word %s", c, detect.Quote(v)))
				return
			}
			if looks, ok := detect.Deceives(v); ok {
				terms.Add(40, fmt.Sprintf("has letters of another script in the word %s, so that it looks like %q", detect.Quote(v), looks))
				return
			}
		}
	}
}

// disguised gives a condition that looks like one and leaves nothing out; that mail is addressed to the owner, or of
// ordinary importance, is no disguise.
func disguised(r *tocsin.MailRule) (tocsin.Term, bool) {
	if detect.RuleBreadth(r) != detect.Every {
		return tocsin.Term{}, false
	}
	for _, t := range r.Conditions {
		switch t.Name {
		case "sent_to_me", "sent_to_or_cc_me", "importance", "sensitivity":
		default:
			return t, true
		}
	}
	return tocsin.Term{}, false
}
