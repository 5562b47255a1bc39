package mail

import (
	"slices"
	"strings"
	"time"
)

// Message is a mail as it was read.
type Message struct {
	Header     []Field // in order
	From       []Address
	Sender     []Address
	ReplyTo    []Address
	To         []Address
	Cc         []Address
	Bcc        []Address
	Subject    string
	MessageID  string   // without angle brackets
	InReplyTo  string   // without angle brackets
	References []string // without angle brackets, oldest first
	Date       time.Time
	Received   time.Time // of the topmost Received field; zero where there is none

	Text  string // what a reader sees: plain text, and HTML as text
	Other string // text beside it: the plain form of what is shown as HTML, what HTML hides, the texts of mails inside
	HTML  string // the HTML that is shown, as it came, in UTF-8

	Links       []Link
	Attachments []Attachment

	Size   int64
	Faults []string // what is broken or could not be read, in words
	Lost   Lost     // what may be missing because of it
}

// Field is a field of a header.
type Field struct {
	Name  string // as written
	Value string // unfolded, its encoded words decoded
	raw   string // unfolded only
}

// Address is a mail address with the name shown for it.
type Address struct {
	Name    string
	Address string // as written; empty where the field had a name only
}

// Where a link stood.
const (
	InHTML       = "html"
	InText       = "text"
	InQR         = "qr"
	InAttachment = "attachment"
)

// Link is a link of a mail.
type Link struct {
	URL      string // what is reached in the end: the wrappings of mail filters are taken off
	Domain   string // registrable domain, or IP address, of URL, in ASCII; empty where there is none
	Host     string // of URL, in ASCII
	Text     string // shown for it; empty where the link itself is
	Where    string // InHTML, InText, InQR, InAttachment
	Original string // as it stood in the mail, where URL was taken out of a wrapping
	Picture  bool   // what is loaded to be shown, not what is clicked
}

// Attachment is a file in a mail.
type Attachment struct {
	Name      string
	Type      string // media type in lower case
	Size      int64  // bytes, decoded
	SHA256    string // of the decoded bytes, hexadecimal in lower case
	Inline    bool   // shown within the text
	ContentID string // without angle brackets
	Inside    []Attachment
	Faults    []string
	content   []byte
}

// Content is the attachment's decoded bytes; nil where they were not kept. It must not be changed.
func (a *Attachment) Content() []byte { return a.content }

// Lost tells what of a mail may be missing because it could not be read, or was more than is read.
type Lost uint8

// What may be missing.
const (
	LostHeader Lost = 1 << iota
	LostText
	LostLinks
	LostAttachments
	LostInside // of what is in archives, mails and pictures
)

// Parts says what of a mail is to be read. Header and structure always are.
type Parts uint8

// What can be read.
const (
	ReadText   Parts = 1 << iota // Text, Other, HTML
	ReadLinks                    // Links of text and HTML
	ReadHashes                   // Attachments' sizes and hashes
	ReadInside                   // Attachments' Inside, and the links in them
	ReadQR                       // links in pictures
	ReadAll    Parts = 1<<iota - 1
)

// Parse reads a mail, as far as it can be read. It never panics and never fails; see Faults and Lost.
func Parse(raw []byte) *Message { return ParseParts(raw, ReadAll) }

// ParseParts is Parse for who does not need all of it.
func ParseParts(raw []byte, read Parts) *Message {
	m := &Message{Size: int64(len(raw))}
	r := &reader{m: m, read: read}
	if len(raw) > MaxSize {
		raw = raw[:MaxSize]
		r.lose(LostText|LostLinks|LostAttachments|LostInside, "the mail is larger than %d MB; what lies beyond was not read", MaxSize>>20)
	}
	r.message(raw)
	return m
}

// Get is the value of the first field of that name, in any case; empty where there is none.
func (m *Message) Get(name string) string {
	for i := range m.Header {
		if strings.EqualFold(m.Header[i].Name, name) {
			return m.Header[i].Value
		}
	}
	return ""
}

// raw is Get, with encoded words as they are.
func raw(fields []Field, name string) string {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return fields[i].raw
		}
	}
	return ""
}

// HasAttachments says whether there is a file that is not shown within the text, as Graph's hasAttachments does.
func (m *Message) HasAttachments() bool {
	return slices.ContainsFunc(m.Attachments, func(a Attachment) bool { return !a.Inline })
}

// Domain is the part after the last @, in lower case; empty where there is none.
func (a Address) Domain() string {
	if i := strings.LastIndexByte(a.Address, '@'); i >= 0 {
		return strings.ToLower(a.Address[i+1:])
	}
	return ""
}

// String is the address as people write it.
func (a Address) String() string {
	switch {
	case a.Name == "":
		return a.Address
	case a.Address == "":
		return a.Name
	}
	return a.Name + " <" + a.Address + ">"
}

// ReadBody reads a body that came alone, in UTF-8: its text and its links. kind is text/html or text/plain.
func ReadBody(kind, body string) *Message {
	m := &Message{Size: int64(len(body))}
	r := &reader{m: m, read: ReadText | ReadLinks}
	r.leaf(&part{kind: kind, body: []byte(body), params: map[string]string{"charset": "utf-8"}}, false)
	m.Text, m.Other, m.HTML = r.text.String(), r.other.String(), r.html.String()
	return m
}
