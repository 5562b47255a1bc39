package api

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
)

// TestSummaryReadsAsEnglish holds what is said of every condition and every action, singly and together.
func TestSummaryReadsAsEnglish(t *testing.T) {
	term := func(name string, values ...string) tocsin.Term {
		if len(values) == 0 {
			values = []string{"true"}
		}
		return tocsin.Term{Name: name, Values: values}
	}
	conditions := map[string]struct {
		term tocsin.Term
		mail string
	}{
		"subject":    {term("subject_contains", "a", "b"), "Mail with “a” or “b” in the subject is"},
		"body":       {term("body_contains", "a"), "Mail with “a” in the body is"},
		"either":     {term("body_or_subject_contains", "a", "b", "c", "d", "e"), "Mail with “a”, “b” or 3 more in the subject or body is"},
		"header":     {term("header_contains", "X-Spam"), "Mail with “X-Spam” in a header is"},
		"sender":     {term("sender_contains", "news"), "Mail from senders with “news” in the address is"},
		"recipient":  {term("recipient_contains", "all"), "Mail to recipients with “all” in the address is"},
		"from":       {term("from_addresses", "a@x.example", "b@x.example"), "Mail from a@x.example or b@x.example is"},
		"to":         {term("sent_to_addresses", "a@x.example"), "Mail to a@x.example is"},
		"me":         {term("sent_to_me"), "Mail addressed to the owner is"},
		"only me":    {term("sent_only_to_me"), "Mail addressed to the owner alone is"},
		"cc":         {term("sent_cc_me"), "Mail with the owner in copy is"},
		"to or cc":   {term("sent_to_or_cc_me"), "Mail addressed or copied to the owner is"},
		"not me":     {term("not_sent_to_me"), "Mail not addressed to the owner is"},
		"attached":   {term("has_attachments"), "Mail with attachments is"},
		"bare":       {term("has_attachments", "false"), "Mail without attachments is"},
		"important":  {term("importance", "high"), "Mail of high importance is"},
		"private":    {term("sensitivity", "private"), "Mail of the sensitivity “private” is"},
		"flagged":    {term("message_action_flag", "follow_up"), "Mail flagged “follow up” is"},
		"any flag":   {term("message_action_flag", "any"), "Mail with a flag is"},
		"category":   {term("categories", "Blue"), "Mail in the category “Blue” is"},
		"approval":   {term("is_approval_request"), "Approval requests are"},
		"forward":    {term("is_automatic_forward"), "Automatic forwards are"},
		"reply":      {term("is_automatic_reply"), "Automatic replies are"},
		"meeting":    {term("is_meeting_request"), "Meeting requests are"},
		"response":   {term("is_meeting_response"), "Meeting responses are"},
		"no meeting": {term("is_meeting_request", "false"), "Mail other than meeting requests is"},
		"bounce":     {term("is_non_delivery_report"), "Non-delivery reports are"},
		"receipt":    {term("is_read_receipt"), "Read receipts are"},
		"voicemail":  {term("is_voicemail"), "Voicemail messages are"},
		"delivery":   {term("is_delivery_report"), "Delivery reports are"},
		"notice":     {term("is_undeliverable_mail_notice"), "Notices of undeliverable mail are"},
		"encrypted":  {term("is_encrypted"), "Encrypted mail is"},
		"plain":      {term("is_encrypted", "false"), "Mail that is not encrypted is"},
		"signed":     {term("is_signed"), "Signed mail is"},
		"controlled": {term("is_permission_controlled"), "Permission-controlled mail is"},
		"low":        {term("is_low_priority"), "Low-priority mail is"},
		"empty":      {term("has_no_text"), "Mail without text is"},
		"members":    {term("sent_to_distribution_list_members", "all@x.example"), "Mail to members of “all@x.example” is"},
		"recent":     {term("received_in_the_last_minutes", "5"), "Mail received in the last 5 minutes is"},
		"untold":     {term("not_told"), "Mail under conditions that the record does not tell is"},
		"outlook":    {term("restriction"), "Mail under a condition of Outlook's own is"},
		"new":        {term("moon_is_full"), "Mail with the condition “moon is full” is"},
		"new value":  {term("moon_is", "full"), "Mail with the condition “moon is” of “full” is"},
	}
	for name, c := range conditions {
		if got, want := summary(tocsin.MailRule{Enabled: true, Delete: true, Conditions: []tocsin.Term{c.term}}), c.mail+" deleted."; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	to := []tocsin.Address{{Address: "a@x.example"}, {Name: "Bob"}}
	actions := map[string]struct {
		rule tocsin.MailRule
		does string
	}{
		"forward":    {tocsin.MailRule{Forward: to}, "forwarded to a@x.example and Bob"},
		"redirect":   {tocsin.MailRule{Redirect: to[:1]}, "redirected to a@x.example"},
		"attach":     {tocsin.MailRule{Attach: to[:1]}, "forwarded as an attachment to a@x.example"},
		"copy":       {tocsin.MailRule{CopyTo: &tocsin.Folder{Name: "Old"}}, "copied to Old"},
		"move":       {tocsin.MailRule{MoveTo: &tocsin.Folder{WellKnown: "junkemail", Name: "Junk Email"}}, "moved to Junk Email"},
		"read":       {tocsin.MailRule{MarkRead: true}, "marked as read"},
		"delete":     {tocsin.MailRule{Delete: true}, "deleted"},
		"purge":      {tocsin.MailRule{Purge: true, Delete: true}, "deleted for good"},
		"importance": {tocsin.MailRule{Importance: "high"}, "marked as of high importance"},
		"category":   {tocsin.MailRule{Categories: []string{"Blue category"}}, "given the category “Blue category”"},
		"categories": {tocsin.MailRule{Categories: []string{"a", "b"}}, "given the categories “a” and “b”"},
		"unknown":    {tocsin.MailRule{Unknown: []string{"pin"}}, "treated in a way that Tocsin does not know (pin)"},
		"nothing":    {tocsin.MailRule{}, "left as it is"},
	}
	for name, a := range actions {
		a.rule.Enabled = true
		if got, want := summary(a.rule), "All mail is "+a.does+"."; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		// With each condition the sentence is the one's beginning and the other's end.
		for with, c := range conditions {
			a.rule.Conditions = []tocsin.Term{c.term}
			if got, want := summary(a.rule), c.mail+" "+a.does+"."; got != want {
				t.Errorf("%s with %s: %s, want %s", name, with, got, want)
			}
		}
	}
	for _, c := range []struct {
		rule tocsin.MailRule
		want string
	}{
		{tocsin.MailRule{Enabled: true, Delete: true, Conditions: []tocsin.Term{term("has_attachments"), term("subject_contains", "invoice"), term("from_addresses", "a@x.example")}},
			"Mail with attachments, with “invoice” in the subject and from a@x.example is deleted."},
		{tocsin.MailRule{Enabled: true, MarkRead: true, Conditions: []tocsin.Term{term("is_signed"), term("is_meeting_request"), term("is_encrypted", "false"), term("is_read_receipt")}},
			"Signed meeting requests that are not encrypted and that are read receipts as well are marked as read."},
		{tocsin.MailRule{Delete: true, Stop: true, Exceptions: []tocsin.Term{term("is_meeting_request"), term("from_addresses", "a@x.example")}},
			"All mail, except meeting requests and mail from a@x.example, is deleted. Later rules are skipped. The rule is off."},
		{tocsin.MailRule{Enabled: true, Forward: to[:1], MoveTo: &tocsin.Folder{Name: "Old"}, MarkRead: true, Stop: true},
			"All mail is forwarded to a@x.example, moved to Old and marked as read. Later rules are skipped."},
	} {
		if got := summary(c.rule); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	// No two conditions together leave a gap, or a word of the source's.
	for _, a := range slices.Sorted(maps.Keys(conditions)) {
		for _, b := range slices.Sorted(maps.Keys(conditions)) {
			got := summary(tocsin.MailRule{Enabled: true, Delete: true, Conditions: []tocsin.Term{conditions[a].term, conditions[b].term}})
			if strings.Contains(got, "  ") || strings.Contains(got, "_") || !strings.HasSuffix(got, " deleted.") {
				t.Errorf("%s and %s: %s", a, b, got)
			}
		}
	}
}
