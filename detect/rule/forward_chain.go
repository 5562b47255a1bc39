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

	ends map[*detect.Mailbox]end
}

func judgeForwardChain(o *detect.Org, ms []*detect.Mailbox) []tocsin.Finding {
	c := chains{o: o, by: make(map[string]*detect.Mailbox, 2*len(ms)), ends: map[*detect.Mailbox]end{}}
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

// way is a path from one mailbox through another to the outside, with the rules of the first that send to the second. It is
// told by these two mailboxes alone: as long as mail gets out that way it is one finding, whichever rules and steps it takes.
type way struct {
	rules []*detect.Rule // the newest first
	path  []sender       // begins with the newest of rules
	to    []detect.Destination
}

// end is a rule of a mailbox that leads outside, and everything outside that the mailbox's rules send to.
type end struct {
	r  *detect.Rule
	to []detect.Destination
}

// ways are the paths outside that begin in m, one for each mailbox that its rules send to. A rule that leads outside
// itself is no chain.
func (c *chains) ways(m *detect.Mailbox) []*way {
	var out []*way
	by := map[*detect.Mailbox]*way{}
	for i := range m.Rules {
		r := &m.Rules[i]
		if r.Deleted() || !r.Enabled || len(c.o.Destinations(m.Address, &r.MailRule)) > 0 {
			continue
		}
		for _, a := range r.Targets() {
			next := c.mailbox(a)
			if next == nil || next == m {
				continue
			}
			w, tried := by[next]
			if !tried {
				if path, to := c.out(m, next); len(path) > 0 {
					w = &way{path: append([]sender{{m: m}}, path...), to: to}
					out = append(out, w)
				}
				by[next] = w
			}
			if w != nil && !slices.Contains(w.rules, r) {
				w.rules = append(w.rules, r)
			}
		}
	}
	for _, w := range out {
		slices.SortStableFunc(w.rules, func(a, b *detect.Rule) int { return b.At(time.Time{}).Compare(a.At(time.Time{})) })
		w.path[0].r = w.rules[0]
	}
	return out
}

// out gives the shortest way from one mailbox to a rule that leads outside, not back through from.
func (c *chains) out(from, first *detect.Mailbox) ([]sender, []detect.Destination) {
	been := map[*detect.Mailbox]bool{from: true, first: true}
	paths := [][]sender{{{m: first}}}
	for len(paths) > 0 {
		path := paths[0]
		paths = paths[1:]
		at := len(path) - 1
		m := path[at].m
		if e := c.end(m); e.r != nil {
			path[at].r = e.r
			return path, e.to
		}
		if len(path)+1 >= longest {
			continue
		}
		for i := range m.Rules {
			r := &m.Rules[i]
			if r.Deleted() || !r.Enabled {
				continue
			}
			for _, a := range r.Targets() {
				if next := c.mailbox(a); next != nil && !been[next] {
					been[next] = true
					step := append(slices.Clone(path), sender{m: next})
					step[at].r = r
					paths = append(paths, step)
				}
			}
		}
	}
	return nil, nil
}

// end is where a mailbox's own rules lead outside; its rule is nil where none does.
func (c *chains) end(m *detect.Mailbox) end {
	e, known := c.ends[m]
	if known {
		return e
	}
	for i := range m.Rules {
		r := &m.Rules[i]
		if r.Deleted() || !r.Enabled {
			continue
		}
		for _, d := range c.o.Destinations(m.Address, &r.MailRule) {
			if e.r == nil {
				e.r = r
			}
			if !slices.ContainsFunc(e.to, func(x detect.Destination) bool { return x.Address == d.Address }) {
				e.to = append(e.to, d)
			}
		}
	}
	c.ends[m] = e
	return e
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
	f.Cause = tocsin.CanonicalAddress(path[1].m.Address)
	var terms detect.Terms
	terms.Add(60, fmt.Sprintf("mail leaves through %s inside", count(len(path)-1, "mailbox")))
	every := slices.ContainsFunc(w.rules, func(r *detect.Rule) bool { return detect.RuleBreadth(&r.MailRule) == detect.Every })
	for _, r := range w.rules[1:] {
		f.Evidence = append(f.Evidence, partEvidence(first.m, r))
	}
	why := labelled(first.m, first.r) + " sends " + takes(first.m.Address, &first.r.MailRule)
	for _, s := range path[1:] {
		every = every && detect.RuleBreadth(&s.r.MailRule) == detect.Every
		f.Evidence = append(f.Evidence, partEvidence(s.m, s.r))
		if at := s.r.At(o.Now); at.After(f.Time) {
			f.Time = at
		}
		why += " to " + s.m.Address + ", whose " + rulesName(s.r) + " sends " + what(&s.r.MailRule)
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
