package web

import (
	"strings"

	"tocsin.dev"
	"tocsin.dev/api"
)

// bit is a run of a rule's plain words: ours, a stranger's (said), one that takes mail away (danger), or an address.
type bit struct{ Kind, Text string }

// clause is a sentence of a rule: a leading word and what follows.
type clause struct {
	Lead string
	Bits []bit
}

// termWords are the predicates of a rule as people say them; those with values are followed by them.
var termWords = map[string]string{
	"subject_contains":                  "the subject contains",
	"body_contains":                     "the body contains",
	"body_or_subject_contains":          "the subject or the body contains",
	"header_contains":                   "a header contains",
	"sender_contains":                   "the sender's address contains",
	"recipient_contains":                "a recipient's address contains",
	"from_addresses":                    "it is from",
	"sent_to_addresses":                 "it is sent to",
	"sent_to_me":                        "it is sent to the owner",
	"sent_only_to_me":                   "it is sent only to the owner",
	"sent_cc_me":                        "the owner is in copy",
	"sent_to_or_cc_me":                  "it is sent to the owner or in copy",
	"not_sent_to_me":                    "it is not sent to the owner",
	"has_attachments":                   "it has attachments",
	"importance":                        "its importance is",
	"sensitivity":                       "its sensitivity is",
	"message_action_flag":               "it is flagged",
	"categories":                        "it has the category",
	"within_size_range":                 "its size is within",
	"is_approval_request":               "it is an approval request",
	"is_automatic_forward":              "it is an automatic forward",
	"is_automatic_reply":                "it is an automatic reply",
	"is_encrypted":                      "it is encrypted",
	"is_meeting_request":                "it is a meeting request",
	"is_meeting_response":               "it is a meeting response",
	"is_non_delivery_report":            "it is a non-delivery report",
	"is_permission_controlled":          "it is permission controlled",
	"is_read_receipt":                   "it is a read receipt",
	"is_signed":                         "it is signed",
	"is_voicemail":                      "it is a voicemail",
	"is_delivery_report":                "it is a delivery report",
	"is_undeliverable_mail_notice":      "it is a notice of undeliverable mail",
	"is_low_priority":                   "it is of low priority",
	"has_no_text":                       "it has no text",
	"received_in_the_last_minutes":      "it came in the last minutes",
	"sent_to_distribution_list_members": "it is sent to members of",
}

// clausesOf is a rule in plain words: when, unless, then, and what is odd about it.
func clausesOf(r api.MailRule) []clause {
	out := []clause{condition(r.Rule)}
	if len(r.Rule.Exceptions) > 0 {
		out = append(out, clause{"Unless ", termBits(r.Rule.Exceptions, " or ")})
	}
	out = append(out, clause{"Then ", actionBits(r)})
	if len(r.Rule.Unknown) > 0 {
		out = append(out, clause{"Also ", []bit{{"", "something that Tocsin does not know yet: "}, {"said", strings.Join(r.Rule.Unknown, ", ")}}})
	}
	if r.Rule.ReadOnly {
		out = append(out, clause{"It ", []bit{{"", "cannot be read in full or changed through Graph."}}})
	}
	return out
}

func condition(r tocsin.MailRule) clause {
	if len(r.Conditions) == 0 {
		return clause{"Every mail ", []bit{{"danger", "without any condition"}}}
	}
	return clause{"When ", termBits(r.Conditions, " and ")}
}

// termBits joins terms by and (or or), and each one's values by or.
func termBits(terms []tocsin.Term, join string) []bit {
	var out []bit
	for i, t := range terms {
		if i > 0 {
			out = append(out, bit{"", join})
		}
		words, known := termWords[t.Name]
		if !known {
			words = strings.ToLower(sentence(t.Name))
		}
		out = append(out, bit{"", words})
		if len(t.Values) == 1 && t.Values[0] == "true" {
			continue
		}
		for j, v := range t.Values {
			if j == 0 {
				out = append(out, bit{"", " "})
			} else {
				out = append(out, bit{"", " or "})
			}
			out = append(out, bit{"said", v})
		}
	}
	return out
}

// actionBits is what a rule does, joined by commas.
func actionBits(r api.MailRule) []bit {
	m := r.Rule
	var acts [][]bit
	add := func(bits ...bit) { acts = append(acts, bits) }
	send := func(verb string, to []tocsin.Address) {
		if len(to) == 0 {
			return
		}
		bits := []bit{{"", verb + " to "}}
		for i, a := range to {
			if i > 0 {
				bits = append(bits, bit{"", " and "})
			}
			bits = append(bits, bit{sideOf(r.Targets, a), a.Address})
		}
		add(bits...)
	}
	send("forward it", m.Forward)
	send("redirect it", m.Redirect)
	send("forward it as an attachment", m.Attach)
	if m.Purge {
		add(bit{"danger", "delete it for good"})
	}
	if m.Delete {
		add(bit{"danger", "delete it"})
	}
	if m.MoveTo != nil {
		add(bit{"danger", "move it"}, bit{"", " to "}, bit{"said", folderName(*m.MoveTo)})
	}
	if m.CopyTo != nil {
		add(bit{"", "copy it to "}, bit{"said", folderName(*m.CopyTo)})
	}
	if m.MarkRead {
		add(bit{"danger", "mark it as read"})
	}
	if m.Importance != "" {
		add(bit{"", "mark its importance as " + m.Importance})
	}
	if len(m.Categories) > 0 {
		add(bit{"", "give it the category "}, bit{"said", strings.Join(m.Categories, ", ")})
	}
	if m.Stop {
		add(bit{"", "look at no further rule"})
	}
	if len(acts) == 0 {
		return []bit{{"", "do nothing that can be seen."}}
	}
	var out []bit
	for i, a := range acts {
		if i > 0 {
			out = append(out, bit{"", ", "})
		}
		out = append(out, a...)
	}
	return append(out, bit{"", "."})
}

// sideOf says whether an address is known to be outside or inside; neither where that is not told.
func sideOf(ts []api.Target, a tocsin.Address) string {
	for _, t := range ts {
		if tocsin.CanonicalAddress(t.Address) == a.Canonical() {
			if t.Outside {
				return "outside"
			}
			return "inside"
		}
	}
	return "said"
}

func folderName(f tocsin.Folder) string {
	switch {
	case f.Name != "":
		return f.Name
	case f.WellKnown != "" && f.WellKnown != "none":
		return sentence(f.WellKnown)
	}
	return "a folder whose name is not known"
}

// changed are the lines of a diff that differ.
func changed(diff []api.DiffLine) []api.DiffLine {
	var out []api.DiffLine
	for _, d := range diff {
		if d.Mark != "same" {
			out = append(out, d)
		}
	}
	return out
}

func ruleKnot(change string) string {
	switch change {
	case "created":
		return "k-high"
	case "updated":
		return "k-accent"
	case "deleted":
		return "k-critical"
	}
	return ""
}
