package api

import (
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// summary says what a rule does in a sentence: which mail, and what becomes of it.
func summary(r tocsin.MailRule) string {
	mail, many := which(r)
	is := " is "
	if many {
		is = " are "
	}
	text := mail + is + joined(deedsOf(r)) + "."
	if r.Stop {
		text += " Later rules are skipped."
	}
	if !r.Enabled {
		text += " The rule is off."
	}
	return text
}

// deedsOf are what becomes of the mail, each as it stands after "is".
func deedsOf(r tocsin.MailRule) []string {
	var does []string
	add := func(yes bool, what string) {
		if yes {
			does = append(does, what)
		}
	}
	add(len(r.Forward) > 0, "forwarded to "+recipients(r.Forward))
	add(len(r.Redirect) > 0, "redirected to "+recipients(r.Redirect))
	add(len(r.Attach) > 0, "forwarded as an attachment to "+recipients(r.Attach))
	add(r.CopyTo != nil, "copied to "+folderOf(r.CopyTo))
	add(r.MoveTo != nil, "moved to "+folderOf(r.MoveTo))
	add(r.MarkRead, "marked as read")
	add(r.Delete && !r.Purge, "deleted")
	add(r.Purge, "deleted for good")
	add(r.Importance != "", "marked as of "+phrase(r.Importance)+" importance")
	switch n := len(r.Categories); {
	case n == 1:
		add(true, "given the category "+quotedWords(r.Categories, "and"))
	case n > 1:
		add(true, "given the categories "+quotedWords(r.Categories, "and"))
	}
	add(len(r.Unknown) > 0, "treated in a way that Tocsin does not know ("+strings.Join(r.Unknown, ", ")+")")
	add(len(does) == 0, "left as it is")
	return does
}

func recipients(list []tocsin.Address) string {
	names := make([]string, len(list))
	for i, a := range list {
		if names[i] = a.Address; a.Address == "" {
			names[i] = a.Name
		}
	}
	return several(names, "and")
}

// which says what mail a rule is about, and whether that is a word for many.
func which(r tocsin.MailRule) (mail string, many bool) {
	mail, many = phraseOf(r.Conditions)
	if len(r.Conditions) == 0 {
		mail = "all mail"
	}
	if len(r.Exceptions) > 0 {
		var not []string
		for _, t := range r.Exceptions {
			m, _ := phraseOf([]tocsin.Term{t})
			not = append(not, m)
		}
		mail += ", except " + several(not, "and") + ","
	}
	return strings.ToUpper(mail[:1]) + mail[1:], many
}

// phraseOf is the mail that meets every one of terms, as "meeting requests from amy@x.example": a kind of mail is what it is
// called by, what it is like stands before that, and everything else follows.
func phraseOf(terms []tocsin.Term) (mail string, many bool) {
	var like, after []string
	for _, t := range terms {
		no := len(t.Values) == 1 && t.Values[0] == "false"
		switch kind, quality := kinds[t.Name], qualities[t.Name]; {
		case kind != "" && no:
			after = append(after, "other than "+kind)
		case kind != "" && mail == "":
			mail, many = kind, true
		case kind != "":
			after = append(after, "that are "+kind+" as well")
		case quality != "" && no:
			after = append(after, "that is not "+strings.ReplaceAll(quality, "-", " "))
		case quality != "":
			like = append(like, quality)
		default:
			after = append(after, modifier(t, no))
		}
	}
	if mail == "" {
		mail = "mail"
	}
	if many {
		for i, a := range after {
			after[i] = strings.Replace(a, "that is ", "that are ", 1)
		}
	}
	return strings.TrimSpace(strings.Join(append(like, mail), " ") + " " + joined(after)), many
}

// kinds are the predicates that say what kind of mail it is.
var kinds = map[string]string{
	"is_approval_request": "approval requests", "is_automatic_forward": "automatic forwards", "is_automatic_reply": "automatic replies",
	"is_meeting_request": "meeting requests", "is_meeting_response": "meeting responses", "is_non_delivery_report": "non-delivery reports",
	"is_read_receipt": "read receipts", "is_voicemail": "voicemail messages", "is_delivery_report": "delivery reports",
	"is_undeliverable_mail_notice": "notices of undeliverable mail",
}

// qualities are those that say what it is like.
var qualities = map[string]string{
	"is_encrypted": "encrypted", "is_signed": "signed", "is_permission_controlled": "permission-controlled", "is_low_priority": "low-priority",
}

// flat are the predicates without a value, and what is said where they are not so.
var flat = map[string][2]string{
	"sent_to_me":       {"addressed to the owner", "not addressed to the owner"},
	"sent_only_to_me":  {"addressed to the owner alone", "not addressed to the owner alone"},
	"sent_cc_me":       {"with the owner in copy", "without the owner in copy"},
	"sent_to_or_cc_me": {"addressed or copied to the owner", "neither addressed nor copied to the owner"},
	"not_sent_to_me":   {"not addressed to the owner", "addressed to the owner"},
	"has_attachments":  {"with attachments", "without attachments"},
	"has_no_text":      {"without text", "with text"},
	"not_told":         {"under conditions that the record does not tell", "under conditions that the record does not tell"},
	"restriction":      {"under a condition of Outlook's own", "under a condition of Outlook's own"},
}

// besides is what stands before and after the values of a predicate.
var besides = map[string][2]string{
	"subject_contains":                  {"with ", " in the subject"},
	"body_contains":                     {"with ", " in the body"},
	"body_or_subject_contains":          {"with ", " in the subject or body"},
	"header_contains":                   {"with ", " in a header"},
	"sender_contains":                   {"from senders with ", " in the address"},
	"recipient_contains":                {"to recipients with ", " in the address"},
	"categories":                        {"in the category ", ""},
	"sent_to_distribution_list_members": {"to members of ", ""},
}

// modifier is a predicate as it follows what it is said of.
func modifier(t tocsin.Term, no bool) string {
	if f, ok := flat[t.Name]; ok {
		if no {
			return f[1]
		}
		return f[0]
	}
	if len(t.Values) > 0 {
		if a, ok := besides[t.Name]; ok {
			return a[0] + quotedWords(t.Values, "or") + a[1]
		}
		switch first := phrase(t.Values[0]); t.Name {
		case "from_addresses":
			return "from " + several(t.Values, "or")
		case "sent_to_addresses":
			return "to " + several(t.Values, "or")
		case "importance":
			return "of " + first + " importance"
		case "sensitivity":
			return "of the sensitivity " + quotedWords(t.Values, "or")
		case "message_action_flag":
			if first == "any" {
				return "with a flag"
			}
			return "flagged “" + first + "”"
		case "within_size_range", "within_size_range_minimum", "within_size_range_maximum":
			return detect.SizePhrase(t)
		case "received_in_the_last_minutes":
			return "received in the last " + first + " minutes"
		}
		if !no && t.Values[0] != "true" {
			return "with the condition “" + phrase(t.Name) + "” of " + quotedWords(t.Values, "or")
		}
	}
	if no {
		return "without the condition “" + phrase(t.Name) + "”"
	}
	return "with the condition “" + phrase(t.Name) + "”"
}

func quotedWords(list []string, last string) string {
	quoted := make([]string, len(list))
	for i, w := range list {
		quoted[i] = "“" + w + "”"
	}
	return several(quoted, last)
}

// several are things in a sentence: "a, b or c", and where there are many "a, b or 5 more".
func several(list []string, last string) string {
	switch n := len(list); {
	case n < 2:
		return strings.Join(list, "")
	case n > 3:
		return fmt.Sprintf("%s %s %d more", strings.Join(list[:2], ", "), last, n-2)
	default:
		return strings.Join(list[:n-1], ", ") + " " + last + " " + list[n-1]
	}
}
