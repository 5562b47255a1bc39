package rule

import (
	"fmt"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var forwardChain = detect.Meta{
	Name: "forward-chain", Title: "Mail leaves the organisation through a colleague's mailbox", Family: "forwarding",
	Severity: tocsin.High, Attack: []string{"T1114.003"}, Stage: "exfiltration",
	Says:           "A rule sends mail to a mailbox inside whose own rule sends mail outside, over one or more steps: each rule alone looks harmless or is another person's.",
	FalsePositives: "A deputy who takes their mail with them; an exception for the last step's destination silences the chain as well.",
	Fix:            "Switch off the last rule, the one that leads outside, then ask both owners.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

// longest is how many mailboxes a chain is followed through.
const longest = 8

// chains looks mailboxes up by what rules name them by.
type chains struct {
	o  *detect.Org
	by map[string]*detect.Mailbox // by address and by person
}

func judgeForwardChain(o *detect.Org, ms []*detect.Mailbox) []tocsin.Finding {
	c := chains{o: o, by: make(map[string]*detect.Mailbox, 2*len(ms))}
	for _, m := range ms {
		c.by[tocsin.CanonicalAddress(m.Address)] = m
		c.by[string(m.Person)] = m
	}
	var out []tocsin.Finding
	for _, m := range ms {
		for i := range m.Rules {
			r := &m.Rules[i]
			if path, to := c.follow(m, r, nil, map[*detect.Mailbox]bool{}); len(path) > 1 {
				out = append(out, chainFinding(o, path, to))
			}
		}
	}
	return out
}

// follow gives the way from a rule to the first destination outside, through mailboxes inside; a rule that leads outside
// itself is no chain. A mailbox in been has been tried, and is not entered again.
func (c *chains) follow(m *detect.Mailbox, r *detect.Rule, path []sender, been map[*detect.Mailbox]bool) ([]sender, []detect.Destination) {
	if r.Deleted() || !r.Enabled || len(path) >= longest {
		return nil, nil
	}
	been[m] = true
	path = append(path[:len(path):len(path)], sender{m: m, r: r})
	if ds := c.o.Destinations(m.Address, &r.MailRule); len(ds) > 0 {
		if len(path) == 1 {
			return nil, nil
		}
		return path, ds
	}
	for _, a := range r.Targets() {
		next := c.mailbox(a)
		if next == nil || been[next] {
			continue
		}
		for i := range next.Rules {
			if way, ds := c.follow(next, &next.Rules[i], path, been); len(way) > 0 {
				return way, ds
			}
		}
	}
	return nil, nil
}

func (c *chains) mailbox(a tocsin.Address) *detect.Mailbox {
	if m := c.by[a.Canonical()]; m != nil {
		return m
	}
	if k := c.o.Find(a.Address); k.Person != "" { // another of the person's addresses
		return c.by[string(k.Person)]
	}
	return nil
}

func chainFinding(o *detect.Org, path []sender, to []detect.Destination) tocsin.Finding {
	first, last := path[0], path[len(path)-1]
	f := about(o, &forwardChain, first.m, first.r)
	var terms detect.Terms
	terms.Add(60, fmt.Sprintf("mail leaves through %s inside", count(len(path)-1, "mailbox")))
	every := true
	why := label(&first.r.MailRule) + " sends " + takes(first.m.Address, &first.r.MailRule)
	for i, s := range path {
		every = every && detect.RuleBreadth(&s.r.MailRule) == detect.Every
		if i == 0 {
			continue
		}
		f.Evidence = append(f.Evidence, ruleEvidence(s.m, s.r))
		if at := s.r.At(o.Now); at.After(f.Time) {
			f.Time = at
		}
		why += " to " + s.m.Address + ", whose rule " + detect.Quote(s.r.Name) + " sends " + what(&s.r.MailRule)
	}
	if every {
		terms.Add(15, "every mail, at each step")
	}
	if last.m.Purpose == "shared" {
		terms.Add(5, "through a shared mailbox")
	}
	destinationTerms(o, first.m, to, &terms)
	nameTerm(&last.r.MailRule, &terms)
	reached(f, to)
	return *scored(f, terms, why+" on to "+destinations(to)+", "+outside(o, worst(to))+".")
}

func what(r *tocsin.MailRule) string {
	if detect.RuleBreadth(r) == detect.Every {
		return "everything"
	}
	return "some of it"
}
