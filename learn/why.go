package learn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Kind is a class of anomaly.
type Kind string

// The classes.
const (
	// RuleManipulation is a mailbox rule in context. Features: how rarely the person and the tenant make rules at all, what
	// the rule does (sends outside, deletes, hides), its hour, and strangers written to on the same day. Statistic: −log of
	// an empirical-Bayes rate plus log ratios. Source: MITRE ATT&CK T1564.008 and T1114.003 for what thieves' rules do.
	RuleManipulation Kind = "rule_manipulation"
	// Exfiltration is attachments and bulk to an outside domain. Features: whether the domain is new to the person, how many mails and
	// how many with attachments, whether it wrote first, whether an address is like the person's own. Statistic: the log-likelihood ratio of the day's worst domain under
	// Beta-Binomial rates shrunk from the tenant to the person to the domain (Robbins 1956; Efron and Morris 1975).
	Exfiltration Kind = "exfiltration"
	// Graph is who is written to: a mailbox in strange hands, a fan-out. Features: new correspondents by their relation to the person
	// (contacts in common, domain, who wrote first, whether they look like somebody known), known ones by their share, how many are new,
	// how much is sent. Statistic:
	// a generalised likelihood ratio of a mixture over the day's correspondents, and the tail of a negative binomial. Source: Heard and
	// Rubin-Delanchy 2016 (https://doi.org/10.1214/15-AOAS892), Donoho and Jin 2004 (https://doi.org/10.1214/009053604000000265).
	Graph Kind = "graph"
	// OffHours is activity in improbable hours. Features: the hours of the day in which something was sent, against the share of such
	// days (usual or quiet) on which the person does. Statistic: the sum of log ratios over sittings, the shares smoothed over
	// neighbouring hours and shrunk to the tenant's (a kernel estimate on the circle; Hall, Watson and Cabrera 1987).
	OffHours Kind = "off_hours"
	// Drift is one outside correspondent who gets more week after week. Features: mails there in each of the last ten weeks, and how
	// many came back. Statistic: the log-likelihood ratio of a linearly growing Poisson rate against exchangeable negative binomial
	// weeks, for the best length. Source: the scan for a change of trend (Page 1954; Siegmund 1985), with overdispersion as null.
	Drift Kind = "drift"
)

// Kinds are all classes, in the order of the pages.
var Kinds = []Kind{RuleManipulation, Exfiltration, Graph, OffHours, Drift}

// Score is from 0, as usual as can be, to 1: one minus the probability that a usual day is as odd.
func (d *Day) Score() float64 { return 1 - d.P }

// Surprise is −log of the probability that a usual day is as odd in that class.
func (d *Day) Surprise(k Kind) float64 { return d.y[slices.Index(Kinds, k)] }

// feature is the one that says most, of the class that says most.
func (d *Day) feature() int {
	class := classGraph
	for c := range d.y {
		if d.stats[[...]int{rules, files, strangers, hours, drift}[c]] > 0 && d.odds[c] > d.odds[class] {
			class = c
		}
	}
	switch class {
	case classRules:
		return rules
	case classFiles:
		return files
	case classHours:
		return hours
	case classDrift:
		return drift
	}
	best := strangers
	for _, f := range [...]int{spread, volume} {
		if graphWeights[f]*d.z[f] > graphWeights[best]*d.z[best] {
			best = f
		}
	}
	return best
}

// Kind is the class that the day's oddness is of.
func (d *Day) Kind() Kind {
	switch d.feature() {
	case files:
		return Exfiltration
	case hours:
		return OffHours
	case drift:
		return Drift
	case rules:
		return RuleManipulation
	}
	return Graph
}

// At is when on the day it happened, in Unix milliseconds: the first mailing that shows it.
func (d *Day) At() int64 {
	x := d.day()
	switch f := d.feature(); {
	case f == hours && d.cause.odd > 0:
		return d.cause.oddAt
	case f == rules:
		return x.rule[0].At
	case (f == strangers || f == spread) && len(d.cause.fresh) > 0:
		return x.first(func(a *Address) bool { return a.ID == d.cause.fresh[0].ID })
	case f == files && d.cause.host != nil:
		return x.first(func(a *Address) bool { return a.Domain == d.cause.host.Domain })
	case f == drift && d.cause.growing != nil:
		return x.first(func(a *Address) bool { return a.ID == d.cause.growing.ID })
	}
	return x.first(func(*Address) bool { return true })
}

func (d *day) first(is func(*Address) bool) int64 {
	for _, x := range d.sent {
		for _, a := range x.to {
			if is(a) {
				return x.at
			}
		}
	}
	if len(d.sent) > 0 {
		return d.sent[0].at
	}
	return d.rule[0].At
}

// Why says in a sentence what is odd, for somebody who knows no statistics, and in another what else is of whom, how much and when.
func (m *Model) Why(d *Day) string {
	main := d.feature()
	s := m.opt.Named(d.Who) + " " + m.did(d, main) + "; " + odds(d.P) + "."
	var also []string
	if whom := max(d.z[strangers], d.z[spread]); whom > alsoOdd && d.cause.new > 1 && main != strangers && main != spread {
		also = append(also, m.did(d, strangers))
	}
	for _, f := range [...]int{volume, hours} {
		if f != main && d.z[f] > alsoOdd && (f != hours || d.cause.odd > 0) {
			also = append(also, m.did(d, f))
		}
	}
	if len(also) > 0 {
		s += " Besides, " + they + " " + strings.Join(also, ", and ") + "."
	}
	return s
}

// alsoOdd is −log of the share of days, one in a hundred, that a feature passes which is told beside the one that says most.
var alsoOdd = math.Log(100)

// did is what is odd of one feature, as what the person did.
func (m *Model) did(d *Day, feature int) string {
	c := &d.cause
	name := m.opt.Named
	switch feature {
	case strangers, spread:
		switch {
		case c.new == 0:
			return "wrote to people that are rarely written to from here"
		case c.like != nil && c.new == 1:
			return fmt.Sprintf("wrote for the first time to %s, which looks like %s and is not", name(c.like), c.likes)
		}
		s := fmt.Sprintf("wrote to %s that %s had never written to (%s); %s", count(c.new, "address"), they, list(c.fresh, c.new, name), per(c.newUsual, "new one"))
		if c.unasked == c.new {
			s += ", and none of them had written first"
		}
		if c.like != nil {
			s += fmt.Sprintf("; %s looks like %s and is not", name(c.like), c.likes)
		}
		return s
	case volume:
		return fmt.Sprintf("sent %s, where about %s is usual for such a day", count(d.Sent, "mail"), round(c.usual))
	case hours:
		if c.odd == 0 {
			return "sent mail in hours in which " + they + " seldom writes"
		}
		var at []string
		for _, h := range c.hours {
			at = append(at, fmt.Sprintf("%d:00", h))
		}
		if len(at) > 4 {
			at = append(at[:4], "…")
		}
		return fmt.Sprintf("sent %s in hours in which %s hardly ever writes (%s)", count(c.odd, "mail"), they, strings.Join(at, ", "))
	case files:
		s := fmt.Sprintf("sent %s to %s", count(c.hostN, "mail"), c.host.Host())
		if c.hostF > 0 {
			s += fmt.Sprintf(", %d with attachments", c.hostF)
		}
		if c.hostNew {
			s += ", where " + they + " had never written before"
		}
		if c.own != nil {
			s += "; " + name(c.own) + " seems to be this person's own address"
		}
		return s
	case drift:
		var n []string
		for _, w := range c.weeks {
			n = append(n, fmt.Sprint(w))
		}
		return fmt.Sprintf("writes more to %s every week: %s mails in the last %d weeks", name(c.growing), strings.Join(n, ", "), len(n))
	}
	return "made or changed a mailbox rule, which " + they + " hardly ever does"
}

const they = "this person"

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// odds is a probability as people say it.
func odds(p float64) string {
	if p > 0.5 {
		return "most days are like that"
	}
	n := 1 / p
	switch {
	case n > 1e6:
		return "fewer than one day in a million is as unusual"
	case n >= 10:
		unit := math.Pow(10, math.Floor(math.Log10(n))-1)
		return fmt.Sprintf("about one day in %s is as unusual", thousands(int(math.Round(n/unit)*unit)))
	}
	return fmt.Sprintf("about one day in %d is as unusual", int(math.Round(n)))
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

func round(x float64) string {
	if x < 10 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
	}
	return fmt.Sprintf("%.0f", x)
}

// per is how often something is usual.
func per(a float64, what string) string {
	if a >= 0.8 {
		return "about " + round(a) + " on a day is usual"
	}
	return fmt.Sprintf("usual is a %s every %.0f days", what, 1/max(a, 0.01))
}

// list names the first three of all n.
func list(l []*Address, n int, name func(*Address) string) string {
	var s []string
	for i, a := range l {
		if i == 3 {
			return strings.Join(s, ", ") + fmt.Sprintf(" and %d more", n-3)
		}
		s = append(s, name(a))
	}
	return strings.Join(s, ", ")
}

// Date is the day as a date at midnight UTC.
func Date(day int32) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }
