package rule

import (
	"tocsin.dev"
	"tocsin.dev/detect"
)

var ruleActions = []string{"disable_rule", "revoke_sessions"}

const forwardFix = "Switch the rule off, ask the owner by another way than mail whether it is theirs; if not, revoke the sessions, reset the password and look at what was sent since the rule was made."

var forwardEverything = detect.Meta{
	Name: "forward-everything", Title: "All mail of a mailbox leaves the organisation", Family: "forwarding",
	Severity: tocsin.Critical, Attack: []string{"T1114.003"}, Stage: "exfiltration",
	Says:           "An inbox rule without a condition (or with one that every mail meets) forwards, redirects or attaches mail to an address outside.",
	FalsePositives: "People who send their mail to a private mailbox, a former employee's mailbox that is kept for them, a ticket system: make it a partner or an exception.",
	Fix:            forwardFix, Actions: ruleActions, Source: "mailbox_rule",
}

var forwardOutside = detect.Meta{
	Name: "forward-outside", Title: "A rule sends mail outside", Family: "forwarding",
	Severity: tocsin.High, Attack: []string{"T1114.003"}, Stage: "exfiltration",
	Says:           "An inbox rule forwards, redirects or attaches some mail to an address that is in no accepted domain and with no trusted partner.",
	FalsePositives: "Invoices sent to a bookkeeping service, alerts sent to a pager: make the domain a partner or an exception with an owner and an end.",
	Fix:            forwardFix, Actions: ruleActions, Source: "mailbox_rule",
}

var forwardThrough = detect.Meta{
	Name: "forward-to-group-or-contact", Title: "A rule sends mail outside through a group, contact or guest", Family: "forwarding",
	Severity: tocsin.Medium, Attack: []string{"T1114.003"}, Stage: "exfiltration",
	Says:           "An inbox rule sends mail to an address inside behind which there is one outside: a group's member, a contact's target, a guest.",
	FalsePositives: "Project groups with guests: make the guests' domain a partner.",
	Fix:            "Look who put the outside address there, and when; take it out of the group, or send the mail to a group without it.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

// direct parts the destinations that a rule names itself from those behind a group, contact or guest.
func direct(ds []detect.Destination) (named, behind []detect.Destination) {
	for _, d := range ds {
		if d.Via == "" {
			named = append(named, d)
		} else {
			behind = append(behind, d)
		}
	}
	return named, behind
}

func judgeForwardEverything(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	named, _ := direct(o.Destinations(m.Address, &r.MailRule))
	if len(named) == 0 || detect.RuleBreadth(&r.MailRule) != detect.Every {
		return nil
	}
	var terms detect.Terms
	terms.Add(85, "every mail is sent outside")
	if n := len(r.Exceptions); n > 0 {
		terms.Add(-5, "but for "+count(n, "exception"))
	}
	sendTerms(o, m, &r.MailRule, named, &terms)
	return scored(about(o, &forwardEverything, m, r), terms, sends(o, m, &r.MailRule, named))
}

func judgeForwardOutside(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	named, _ := direct(o.Destinations(m.Address, &r.MailRule))
	breadth := detect.RuleBreadth(&r.MailRule)
	if len(named) == 0 || breadth == detect.Every {
		return nil
	}
	var terms detect.Terms
	terms.Add(65, "mail is sent outside")
	if breadth == detect.ByAuthor {
		terms.Add(-10, "only what certain senders wrote")
	}
	sendTerms(o, m, &r.MailRule, named, &terms)
	return scored(about(o, &forwardOutside, m, r), terms, sends(o, m, &r.MailRule, named))
}

func judgeForwardThrough(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	_, behind := direct(o.Destinations(m.Address, &r.MailRule))
	if len(behind) == 0 {
		return nil
	}
	var terms detect.Terms
	if behind[0].Kind == detect.Group {
		terms.Add(50, "mail leaves through a group with an outside member")
	} else {
		terms.Add(60, "mail leaves through a "+string(behind[0].Kind))
	}
	if detect.RuleBreadth(&r.MailRule) == detect.Every {
		terms.Add(15, "every mail")
	}
	sendTerms(o, m, &r.MailRule, behind, &terms)
	f := about(o, &forwardThrough, m, r)
	reached(f, behind)
	return scored(f, terms, sends(o, m, &r.MailRule, behind))
}
