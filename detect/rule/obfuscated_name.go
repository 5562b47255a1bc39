package rule

import (
	"fmt"
	"slices"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var obfuscatedName = detect.Meta{
	Name: "obfuscated-name", Title: "A rule's name is made not to be noticed", Family: "hiding",
	Severity: tocsin.Medium, Attack: []string{"T1564.008", "T1137.005"}, Stage: "hiding",
	Says: "The name of an inbox rule that hides mail or sends it away is empty, punctuation, one or two characters, has characters nobody sees, or letters of another script " +
		"that look Latin.",
	FalsePositives: "People in a hurry. A rule that only sorts mail into ordinary folders is silent whatever its name.",
	Fix:            "Look at what the rule does rather than at its name, and ask the owner about it.",
	Actions:        ruleActions, Source: "mailbox_rule",
}

func judgeObfuscatedName(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	points, odd := detect.OddName(r.Name)
	if points == 0 {
		return nil
	}
	var terms detect.Terms
	terms.Add(points, "its name "+odd)
	bad, what := harm(o, m, &r.MailRule)
	if bad == 0 || points+bad < 35 {
		return nil
	}
	terms.Add(bad, "it "+what)
	stateTerms(&r.MailRule, &terms)
	return scored(about(o, &obfuscatedName, m, r), terms,
		fmt.Sprintf("The name of the rule %s of %s %s, and the rule %s.%s", detect.Quote(r.Name), m.Address, odd, what, state(&r.MailRule)))
}

// withoutNamesCounted leaves out what is found on a rule's name where another finding on that rule counts the name among its
// terms: one rule does not speak twice of one thing.
func withoutNamesCounted(fs []tocsin.Finding) []tocsin.Finding {
	counted := map[[2]string]bool{} // by subject and term
	for i := range fs {
		if fs[i].Rule == obfuscatedName.Name {
			continue
		}
		for _, t := range fs[i].Terms {
			counted[[2]string{fs[i].Subject, t.Why}] = true
		}
	}
	return slices.DeleteFunc(fs, func(f tocsin.Finding) bool {
		return f.Rule == obfuscatedName.Name && counted[[2]string{f.Subject, f.Terms[0].Why}]
	})
}

// harm is the worst a rule does, as points and words: it sends mail out, takes it away, or files it out of sight.
func harm(o *detect.Org, m *detect.Mailbox, r *tocsin.MailRule) (points int, what string) {
	ds := o.Destinations(m.Address, r)
	remote, folder := detect.FolderRemote(r.MoveTo)
	breadth := detect.RuleBreadth(r)
	switch {
	case len(ds) > 0 && worst(ds) == detect.Outside:
		return 30, "sends " + takes(m.Address, r) + " to " + destinations(ds)
	case removes(r) && breadth == detect.Every:
		return 30, "deletes " + takes(m.Address, r)
	case remote == detect.Far:
		return 25, "moves " + takes(m.Address, r) + " to " + folder
	case len(ds) > 0:
		return 20, "sends " + takes(m.Address, r) + " to " + destinations(ds)
	case removes(r):
		return 15, "deletes " + takes(m.Address, r)
	case remote == detect.Near && breadth != detect.ByAuthor:
		return 10, "moves " + takes(m.Address, r) + " to " + folder
	}
	return 0, ""
}
