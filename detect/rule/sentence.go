package rule

import (
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// label is the rule's name at the beginning of a sentence.
func label(r *tocsin.MailRule) string {
	if r.Name == "" {
		return "A rule without a name"
	}
	return detect.Quote(r.Name)
}

// labelled is label, also of forwarding set on the mailbox.
func labelled(m *detect.Mailbox, r *detect.Rule) string {
	if r.Setting != "" {
		return "The forwarding of " + m.Address + " (" + r.Setting + ")"
	}
	return label(&r.MailRule)
}

// rulesName names a rule of a mailbox, or its own forwarding, within a sentence.
func rulesName(r *detect.Rule) string {
	if r.Setting != "" {
		return "own forwarding"
	}
	return "rule " + detect.Quote(r.Name)
}

// takes says which mail of whom a rule takes: `every mail of amy@…`, `mail of amy@… with "invoice" in the subject`.
func takes(who string, r *tocsin.MailRule) string {
	out := "mail of " + who
	if detect.RuleBreadth(r) == detect.Every {
		out = "every " + out
	}
	var parts []string
	for _, t := range r.Conditions {
		if p := condition(t); p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) > 0 {
		out += " " + strings.Join(parts, " and ")
	}
	if n := len(r.Exceptions); n > 0 {
		out += fmt.Sprintf(", with %s,", count(n, "exception"))
	}
	return out
}

// condition is a condition as a part of a sentence.
func condition(t tocsin.Term) string {
	switch t.Name {
	case "subject_contains":
		return "with " + words(t.Values) + " in the subject"
	case "body_contains":
		return "with " + words(t.Values) + " in the body"
	case "body_or_subject_contains":
		return "with " + words(t.Values) + " in subject or body"
	case "header_contains":
		return "with " + words(t.Values) + " in the headers"
	case "from_addresses":
		return "from " + some(t.Values)
	case "sender_contains":
		return "from senders with " + words(t.Values) + " in the address"
	case "sent_to_addresses":
		return "to " + some(t.Values)
	case "recipient_contains":
		return "to addresses with " + words(t.Values) + " in them"
	case "sent_to_me", "sent_to_or_cc_me":
		return "that is addressed to them"
	case "has_attachments":
		return "with attachments"
	case "not_told":
		return "under conditions the record does not tell"
	case "restriction":
		return "under a condition of Outlook's own"
	case "within_size_range", "within_size_range_minimum", "within_size_range_maximum":
		return detect.SizePhrase(t)
	}
	name := strings.ReplaceAll(t.Name, "_", " ")
	if len(t.Values) == 1 && t.Values[0] != "true" {
		name += " " + t.Values[0]
	}
	return "(" + name + ")"
}

// words are quoted words: `"a"`, `"a" or "b"`, `"a", "b", "c" or 4 more`.
func words(ws []string) string {
	quoted := make([]string, len(ws))
	for i, w := range ws {
		quoted[i] = detect.Quote(w)
	}
	return join(quoted, "or")
}

// some are names as they are: "a, b, c and 4 more".
func some(list []string) string { return join(list, "and") }

func join(list []string, last string) string {
	const most = 3
	switch n := len(list); {
	case n == 0:
		return "nothing"
	case n == 1:
		return list[0]
	case n > most+1:
		return fmt.Sprintf("%s %s %d more", strings.Join(list[:most], ", "), last, n-most)
	default:
		return strings.Join(list[:n-1], ", ") + " " + last + " " + list[n-1]
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// deeds says what else a rule does to the mail it takes: "marks it as read", "deletes it".
func deeds(r *tocsin.MailRule) []string {
	var out []string
	if r.MoveTo != nil {
		_, folder := detect.FolderRemote(r.MoveTo)
		out = append(out, "moves it to "+folder)
	}
	if r.MarkRead {
		out = append(out, "marks it as read")
	}
	switch {
	case r.Purge:
		out = append(out, "deletes it for ever")
	case r.Delete:
		out = append(out, "deletes it")
	}
	return out
}

// does says what a rule does to the mail it takes: "moves mail of amy@… to the RSS Feeds folder and marks it as read".
func does(who string, r *tocsin.MailRule) string {
	mail := takes(who, r)
	all := deeds(r)
	if len(all) == 0 {
		return "takes " + mail
	}
	verb, rest, _ := strings.Cut(all[0], " it")
	all[0] = verb + " " + mail + rest
	return some(all)
}

// and is ", and marks it as read and deletes it" or nothing.
func and(deeds []string) string {
	if len(deeds) == 0 {
		return ""
	}
	return ", and " + some(deeds)
}

// state is a closing sentence where a rule does not run, or nothing.
func state(r *tocsin.MailRule) string {
	switch {
	case !r.Enabled:
		return " It is switched off now."
	case r.HasError:
		return " Exchange says that the rule has an error, so it may not run."
	}
	return ""
}

// outside says of a place that it is not ours, and how we know.
func outside(o *detect.Org, place detect.Place) string {
	if place == detect.Unknown {
		return "which may be outside: your accepted domains are not known"
	}
	if n := len(o.Domains); n != 1 {
		return fmt.Sprintf("outside your %d accepted domains", n)
	}
	for d := range o.Domains {
		return "outside your accepted domain " + d
	}
	return ""
}

// sending is the verb of what a rule does towards ds: "sends", "redirects", and what follows the mail.
func sending(ds []detect.Destination) (verb, how string) {
	verb = ds[0].Verb
	for _, d := range ds[1:] {
		if d.Verb != verb {
			return "sends", ""
		}
	}
	switch verb {
	case "redirect":
		return "redirects", ""
	case "attach":
		return "sends", " as an attachment"
	}
	return "sends", ""
}

// destinations are the addresses in a sentence, with what they are reached through.
func destinations(ds []detect.Destination) string {
	list := make([]string, len(ds))
	for i, d := range ds {
		list[i] = d.Address
		if d.Via != "" {
			list[i] += " through " + d.Via
		}
	}
	return some(list)
}

// sends is the sentence of a rule that sends mail to ds.
func sends(o *detect.Org, m *detect.Mailbox, r *tocsin.MailRule, ds []detect.Destination) string {
	verb, how := sending(ds)
	return fmt.Sprintf("%s %s %s%s to %s, %s%s.%s", label(r), verb, takes(m.Address, r), how, destinations(ds), outside(o, worst(ds)), and(deeds(r)), state(r))
}

// worst is Outside where one of ds is known to be.
func worst(ds []detect.Destination) detect.Place {
	for _, d := range ds {
		if d.Place == detect.Outside {
			return detect.Outside
		}
	}
	return detect.Unknown
}
