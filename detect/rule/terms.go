package rule

import (
	"encoding/json"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// off is what a rule that is switched off counts less.
const off = -45

// about begins a finding of meta on a rule of m's, with the rule itself as evidence.
func about(o *detect.Org, meta *detect.Meta, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	subject := r.ID
	if subject == "" {
		subject = r.Name
	}
	f := meta.Finding(m.Person, m.Address, subject, r.At(o.Now))
	f.Evidence = []tocsin.Evidence{ruleEvidence(m, r)}
	return &f
}

// ruleEvidence points at a rule and holds what it was, in our form.
func ruleEvidence(m *detect.Mailbox, r *detect.Rule) tocsin.Evidence {
	if r.Setting != "" {
		return tocsin.Evidence{ID: string(m.Person) + " " + r.Setting, Source: "mailbox_forwarding", What: r.Setting + " of " + m.Address, Raw: r.Forward[0].Address}
	}
	const most = 8 << 10
	raw, err := json.Marshal(r.MailRule)
	if err != nil || len(raw) > most {
		raw = nil // a rule of that length is read where it is kept
	}
	return tocsin.Evidence{ID: r.ID, Source: "mailbox_rule", What: "the rule " + detect.Quote(r.Name) + " of " + m.Address, Raw: string(raw)}
}

// partEvidence points at a rule that has a part in a finding which is not about it, or not about it alone.
func partEvidence(m *detect.Mailbox, r *detect.Rule) tocsin.Evidence {
	e := ruleEvidence(m, r)
	e.Person = m.Person
	return e
}

// reached adds to a finding what the directory tells of the ways to ds.
func reached(f *tocsin.Finding, ds []detect.Destination) {
	for _, d := range ds {
		if d.Via != "" {
			f.Evidence = append(f.Evidence, tocsin.Evidence{ID: d.Address, Source: "directory", What: "outside address behind " + d.Via, Raw: d.Address})
		}
	}
}

// sendTerms are what makes a rule that sends mail to ds better or worse.
func sendTerms(o *detect.Org, m *detect.Mailbox, r *tocsin.MailRule, ds []detect.Destination, terms *detect.Terms) {
	destinationTerms(o, m, ds, terms)
	if n := len(ds); n >= 3 {
		terms.Add(5, fmt.Sprintf("to %d addresses outside", n))
	}
	switch remote, folder := detect.FolderRemote(r.MoveTo); {
	case removes(r):
		terms.Add(10, "keeps no copy: the mail is deleted here")
	case remote == detect.Far:
		terms.Add(10, "moves the mail to "+folder+", out of sight")
	}
	if r.MarkRead {
		terms.Add(5, "marks the mail as read")
	}
	if found := wordsIn(r, detect.Money); len(found) > 0 {
		terms.Add(10, "takes mail about money: "+words(found))
	}
	if found := wordsIn(r, detect.Notices); len(found) > 0 {
		terms.Add(10, "takes security notices: "+words(found))
	}
	if m.Blocked() {
		terms.Add(10, "the account cannot sign in, yet its mail leaves")
	}
	nameTerm(r, terms)
	stateTerms(r, terms)
}

func destinationTerms(o *detect.Org, m *detect.Mailbox, ds []detect.Destination, terms *detect.Terms) {
	if worst(ds) == detect.Unknown {
		terms.Add(-25, "your accepted domains are not known, so it may be inside")
	}
	for _, d := range ds {
		if own, ok := o.Under(d.Address); ok && len(ds) == 1 {
			terms.Add(-20, "the domain lies under your own "+own+", but is not accepted itself")
			return
		}
		if own, ok := o.Resembles(d.Address); ok {
			terms.Add(15, d.Address+" looks like your own domain "+own)
			return
		}
	}
	free, theirs := 0, 0
	for _, d := range ds {
		if detect.FreeMail(d.Address) {
			free++
		}
		if detect.OwnName(d.Address, m.Address, m.Name) {
			theirs++
		}
	}
	switch {
	case theirs == len(ds):
		terms.Add(-10, "the address bears the owner's own name")
	case free > 0:
		terms.Add(5, "a mailbox anybody can have")
	}
}

// nameTerm adds half of what the name alone would count.
func nameTerm(r *tocsin.MailRule, terms *detect.Terms) {
	if points, why := detect.OddName(r.Name); points >= 15 {
		terms.Add((points+1)/2, "its name "+why)
	}
}

// stateTerms takes away for a rule that does not run.
func stateTerms(r *tocsin.MailRule, terms *detect.Terms) {
	if !r.Enabled {
		terms.Add(off, "it is switched off")
	}
	if r.HasError {
		terms.Add(-15, "Exchange says that it has an error")
	}
}

// removes says whether the mail a rule takes ends among the deleted.
func removes(r *tocsin.MailRule) bool {
	if r.Delete || r.Purge {
		return true
	}
	switch detect.FolderKind(r.MoveTo) {
	case "deleteditems", "recoverableitemsdeletions", "recoverableitemspurges":
		return true
	}
	return false
}

// wordsIn gives the words of a rule's conditions that are in the lexicon, as the rule has them.
func wordsIn(r *tocsin.MailRule, lexicon *detect.Lexicon) []string {
	var out []string
	for _, t := range r.Conditions {
		switch t.Name {
		case "subject_contains", "body_contains", "body_or_subject_contains", "header_contains", "sender_contains", "restriction":
			for _, v := range t.Values {
				if _, ok := lexicon.Find(v); ok {
					out = append(out, v)
				}
			}
		case "from_addresses":
			for _, v := range t.Values {
				local, _, _ := strings.Cut(tocsin.CanonicalAddress(v), "@")
				if _, ok := lexicon.Find(local); ok {
					out = append(out, v)
				}
			}
		}
	}
	return out
}

// scored sets a finding's risk and why.
func scored(f *tocsin.Finding, terms detect.Terms, why string) *tocsin.Finding {
	f.Why = detect.Shown(why)
	for i := range terms {
		terms[i].Why = detect.Shown(terms[i].Why)
	}
	detect.Score(f, terms)
	return f
}

// sum is what terms add up to, before they are held to 0..100.
func sum(terms detect.Terms) int {
	n := 0
	for _, t := range terms {
		n += t.Points
	}
	return n
}
