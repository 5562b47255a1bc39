package rule

import (
	"fmt"
	"maps"
	"slices"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var sharedDestination = detect.Meta{
	Name: "shared-destination", Title: "Several mailboxes send mail to one address outside", Family: "forwarding",
	Severity: tocsin.Critical, Attack: []string{"T1114.003", "T1020"}, Stage: "exfiltration",
	Says:           "Rules in two or more mailboxes send mail to the same address outside: one intruder in several accounts.",
	FalsePositives: "A service that many use, such as one that books invoices: make its domain a partner.",
	Fix:            "Treat the mailboxes as one incident: switch all the rules off, revoke all their sessions, and look for other mailboxes the same address wrote to.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

// sender is a rule that sends mail to a destination.
type sender struct {
	m *detect.Mailbox
	r *detect.Rule
	d detect.Destination
}

func judgeSharedDestination(o *detect.Org, ms []*detect.Mailbox) []tocsin.Finding {
	to := map[string][]sender{}
	for _, m := range ms {
		for i := range m.Rules {
			r := &m.Rules[i]
			if r.Deleted() || !r.Enabled {
				continue
			}
			for _, d := range o.Destinations(m.Address, &r.MailRule) {
				key := detect.SameMailbox(d.Address)
				to[key] = append(to[key], sender{m, r, d})
			}
		}
	}
	var out []tocsin.Finding
	for _, key := range slices.Sorted(maps.Keys(to)) {
		if f := judgeShared(o, key, to[key]); f != nil {
			out = append(out, *f)
		}
	}
	return out
}

func judgeShared(o *detect.Org, to string, from []sender) *tocsin.Finding {
	owners := map[string]bool{}
	for _, s := range from {
		owners[s.m.Address] = true
	}
	n := len(owners)
	if n < 2 {
		return nil
	}
	f := sharedDestination.Finding("", to, to, from[0].r.At(o.Now))
	var ds []detect.Destination
	every, sly, by := false, false, "by their rules"
	for _, s := range from {
		f.Evidence = append(f.Evidence, partEvidence(s.m, s.r))
		if at := s.r.At(o.Now); at.After(f.Time) {
			f.Time = at
		}
		ds = append(ds, s.d)
		points, _ := detect.OddName(s.r.Name)
		every = every || detect.RuleBreadth(&s.r.MailRule) == detect.Every
		sly = sly || points >= 15 && s.r.Setting == "" || s.r.Hides()
		if s.r.Setting != "" {
			by = "by their rules or their own forwarding"
		}
	}
	var terms detect.Terms
	terms.Add(75, fmt.Sprintf("%d mailboxes send mail to the same address", n))
	if n > 2 {
		terms.Add(min(15, 5*(n-2)), "more than two")
	}
	switch {
	case every:
		terms.Add(10, "one of them every mail")
	case !sly && !detect.FreeMail(to):
		terms.Add(-25, "only certain mail, and nothing is hidden: perhaps a service they use")
	}
	destinationTerms(o, from[0].m, ds, &terms)
	return scored(&f, terms, fmt.Sprintf("%s gets mail from %d mailboxes %s: %s; it is %s.", to, n, by, some(slices.Sorted(maps.Keys(owners))), outside(o, worst(ds))))
}
