package query

import "strings"

// form is how a property's value is read and compared.
type form int

const (
	formWords form = iota
	formAddress
	formFile   // words of a file's name, or *.ending
	formExact  // the value whole, in either case
	formHash   // 64 hexadecimal digits
	formURL    // a part of a link
	formDomain // a domain and its subdomains
	formDate
	formSize
	formBool
)

// prop is a property of the language.
type prop struct {
	name string
	form form
	need Need   // what must have been read of a mail to say no
	what string // in words, for the reasons of a match
}

var props = map[string]*prop{}

// names are the properties in the order in which people are told of them.
var names []string

func init() {
	for _, p := range []*prop{
		{"from", formAddress, 0, "the sender"}, {"sender", formAddress, 0, "who sent it for the sender"}, {"replyto", formAddress, 0, "whom replies go to"},
		{"to", formAddress, 0, "a recipient"}, {"cc", formAddress, 0, "a recipient of a copy"}, {"bcc", formAddress, 0, "a recipient of a blind copy"},
		{"recipients", formAddress, 0, "a recipient"}, {"participants", formAddress, 0, "a participant"},
		{"subject", formWords, 0, "the subject"}, {"body", formWords, Body, "the text"},
		{"attachment", formFile, Attachments | Hashes, "an attachment"}, {"attachment.type", formExact, Attachments, "an attachment's type"}, {"attachment.sha256", formHash, Attachments | Hashes, "an attachment's SHA-256"},
		{"url", formURL, Body | Attachments | Hashes, "a link"}, {"url.domain", formDomain, Body | Attachments | Hashes, "a link's domain"},
		{"received", formDate, 0, "received"}, {"sent", formDate, 0, "sent"}, {"size", formSize, Hashes, "the size"},
		{"hasattachments", formBool, 0, "attachments"}, {"importance", formExact, 0, "importance"}, {"messageid", formExact, 0, "the message id"},
	} {
		props[p.name] = p
		names = append(names, p.name+":")
	}
	names = append(names, "header.NAME:")
	for other, name := range map[string]string{
		"reply-to": "replyto", "recipient": "recipients", "participant": "participants", "attachments": "attachment", "attachmentnames": "attachment", "attachment.name": "attachment", "filename": "attachment",
		"sha256": "attachment.sha256", "attachment.hash": "attachment.sha256", "link": "url", "domain": "url.domain", "date": "received", "hasattachment": "hasattachments",
		"internetmessageid": "messageid", "message-id": "messageid", "attachment.contenttype": "attachment.type",
	} {
		props[other] = props[name]
	}
}

// anywhere is what a word without a property is looked for in.
var anywhere = &prop{"", formWords, Body | Attachments | Hashes, ""}

// known finds a property by its name, in either case.
func known(name string) *prop {
	low := strings.ToLower(name)
	if p := props[low]; p != nil {
		return p
	}
	if field, ok := strings.CutPrefix(low, "header."); ok && field != "" {
		return &prop{name: "header." + name[len("header."):], form: formWords, need: Headers, what: "the field " + name[len("header."):]}
	}
	return nil
}
