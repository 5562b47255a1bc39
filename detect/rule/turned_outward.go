package rule

import (
	"fmt"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var turnedOutward = detect.Meta{
	Name: "turned-outward", Title: "A rule was turned outward", Family: "forwarding",
	Severity: tocsin.High, Attack: []string{"T1114.003"}, Stage: "exfiltration",
	Says:           "An inbox rule that was there before and kept mail inside now sends it outside: a change that draws less attention than a new rule.",
	FalsePositives: "An owner who changed their own rule.",
	Fix:            "Compare the rule with what it was, and ask the owner by another way than mail; " + "if it was not them, set it back and treat the mailbox as taken over.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

func judgeTurnedOutward(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	if r.Before == nil {
		return nil
	}
	now := o.Destinations(m.Address, &r.MailRule)
	if len(now) == 0 || len(o.Destinations(m.Address, r.Before)) > 0 {
		return nil
	}
	var terms detect.Terms
	terms.Add(75, "a rule that kept mail inside was changed to send it outside")
	sendTerms(o, m, &r.MailRule, now, &terms)
	f := about(o, &turnedOutward, m, r)
	reached(f, now)
	was := ruleEvidence(m, &detect.Rule{MailRule: *r.Before})
	was.ID, was.What = r.ID, "the rule before the change"
	f.Evidence = append(f.Evidence, was)
	return scored(f, terms, fmt.Sprintf("%s was changed%s: before, it %s; now it sends %s to %s, %s%s.%s", label(&r.MailRule), on(r), before(r.Before),
		takes(m.Address, &r.MailRule), destinations(now), outside(o, worst(now)), and(deeds(&r.MailRule)), state(&r.MailRule)))
}

func on(r *detect.Rule) string {
	if r.Changed.IsZero() {
		return ""
	}
	return r.Changed.UTC().Format(" on 2 January 2006 at 15:04 UTC")
}

// before says what a rule did while it kept mail inside.
func before(r *tocsin.MailRule) string {
	if to := r.Targets(); len(to) > 0 {
		list := make([]string, len(to))
		for i, a := range to {
			list[i] = a.Canonical()
		}
		return "sent mail to " + some(list)
	}
	return "sent mail to nobody"
}
