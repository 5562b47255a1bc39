package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
		for _, w := range c.ways(m) {
			out = append(out, chainFinding(o, w))
		}
	}
	return out
}

// way is a path from one mailbox to the outside, with the rules of that mailbox that lead there.
type way struct {
	rules []*detect.Rule // the newest first
	path  []sender       // begins with one of rules
	to    []detect.Destination
}

// name is the way's own: the mailboxes after the first, then the destinations.
func (w *way) name() string {
	var steps []string
	for _, s := range w.path[1:] {
		steps = append(steps, tocsin.CanonicalAddress(s.m.Address))
	}
	ends := make([]string, len(w.to))
	for i, d := range w.to {
		ends[i] = tocsin.CanonicalAddress(d.Address)
	}
	slices.Sort(ends)
	return strings.Join(append(steps, strings.Join(ends, ", ")), " → ")
}

// ways are the paths outside that begin in m; rules that take the same path are one.
func (c *chains) ways(m *detect.Mailbox) []*way {
	var out []*way
	by := map[string]*way{}
	for i := range m.Rules {
		r := &m.Rules[i]
		path, to := c.follow(m, r, nil, map[*detect.Mailbox]bool{})
		if len(path) < 2 {
			continue
		}
		w := &way{path: path, to: to}
		if same := by[w.name()]; same != nil {
			w = same
		} else {
			by[w.name()] = w
			out = append(out, w)
		}
		w.rules = append(w.rules, r)
	}
	for _, w := range out {
		slices.SortStableFunc(w.rules, func(a, b *detect.Rule) int { return b.At(time.Time{}).Compare(a.At(time.Time{})) })
		w.path[0].r = w.rules[0]
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

func chainFinding(o *detect.Org, w *way) tocsin.Finding {
	path, to := w.path, w.to
	first, last := path[0], path[len(path)-1]
	f := about(o, &forwardChain, first.m, first.r)
	f.Cause = w.name()
	var terms detect.Terms
	terms.Add(60, fmt.Sprintf("mail leaves through %s inside", count(len(path)-1, "mailbox")))
	every := slices.ContainsFunc(w.rules, func(r *detect.Rule) bool { return detect.RuleBreadth(&r.MailRule) == detect.Every })
	for _, r := range w.rules[1:] {
		f.Evidence = append(f.Evidence, ruleEvidence(first.m, r))
	}
	why := label(&first.r.MailRule) + " sends " + takes(first.m.Address, &first.r.MailRule)
	for _, s := range path[1:] {
		every = every && detect.RuleBreadth(&s.r.MailRule) == detect.Every
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
	return *scored(f, terms, why+" on to "+destinations(to)+", "+outside(o, worst(to))+"."+others(w.rules[1:]))
}

// others names the further rules of a mailbox that take the same way.
func others(rules []*detect.Rule) string {
	if len(rules) == 0 {
		return ""
	}
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = detect.Quote(r.Name)
	}
	if len(names) == 1 {
		return " The rule " + names[0] + " leads there as well."
	}
	return " The rules " + strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " lead there as well."
}

func what(r *tocsin.MailRule) string {
	if detect.RuleBreadth(r) == detect.Every {
		return "everything"
	}
	return "some of it"
}
