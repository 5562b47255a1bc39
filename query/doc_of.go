package query

import (
	"strings"
	"time"

	"tocsin.dev/mail"
)

// Doc is what is known of a mail. Match remembers in it what it worked out: it is for one goroutine at a time, and its fields are not
// changed after the first Match; [Doc.Learn] tells that more was read.
type Doc struct {
	Known Need      // what has been read beside the envelope
	Lost  mail.Lost // what of that may be missing
	Now   time.Time // when is asked, for terms such as received:today; zero where it is not known

	From, Sender, ReplyTo, To, Cc, Bcc []mail.Address

	Subject        string
	MessageID      string
	Received, Sent time.Time
	HasAttachments Truth
	Importance     string // low, normal, high; empty where it is not known
	Headers        []mail.Field
	Text, Other    string // see mail.Message; the body as text
	Links          []mail.Link
	Attachments    []mail.Attachment
	Size           int64 // known with Hashes, or where it is not 0

	folded map[string]string
}

// DocOf is what a mail that was read whole tells.
func DocOf(m *mail.Message) *Doc {
	d := &Doc{Known: Everything, Lost: m.Lost, From: m.From, Sender: m.Sender, ReplyTo: m.ReplyTo, To: m.To, Cc: m.Cc, Bcc: m.Bcc, Subject: m.Subject, MessageID: m.MessageID,
		Received: m.Received, Sent: m.Date, HasAttachments: Is(m.HasAttachments()), Headers: m.Header, Text: m.Text, Other: m.Other, Links: m.Links, Attachments: m.Attachments, Size: m.Size}
	if d.Received.IsZero() {
		d.Received = d.Sent
	}
	if len(d.Sender) == 0 {
		d.Sender = d.From
	}
	d.Importance = importance(m)
	return d
}

// importance is how a mail's header tells it: Importance, else X-Priority.
func importance(m *mail.Message) string {
	switch v := strings.ToLower(strings.TrimSpace(m.Get("Importance"))); v {
	case "low", "normal", "high":
		return v
	}
	if v := strings.TrimSpace(m.Get("X-Priority")); v != "" {
		switch v[0] {
		case '1', '2':
			return "high"
		case '4', '5':
			return "low"
		}
	}
	return "normal"
}

// ReadHTML puts a body of HTML in the doc, with its text and its links, as when it came alone from Graph.
func (d *Doc) ReadHTML(html string) {
	d.take(mail.ReadBody("text/html", html))
}

// ReadText puts a body of plain text in the doc.
func (d *Doc) ReadText(text string) {
	d.take(mail.ReadBody("text/plain", text))
}

func (d *Doc) take(m *mail.Message) {
	d.Text, d.Other, d.Links = m.Text, m.Other, append(d.Links, m.Links...)
	d.Lost |= m.Lost
	d.Learn(Body)
}

// Learn says that more of the mail has been read.
func (d *Doc) Learn(n Need) {
	d.Known |= n
	d.folded = nil
}

// Merge adds to the envelope that Graph gave what was read of the mail itself: all but the envelope, which stays as the mailbox has it.
func (d *Doc) Merge(m *mail.Message) {
	d.Headers, d.Text, d.Other, d.Links, d.Attachments, d.Size = m.Header, m.Text, m.Other, m.Links, m.Attachments, m.Size
	d.Lost |= m.Lost
	d.Learn(Everything)
}

// fold is foldText of a field, done once.
func (d *Doc) fold(name, text string) string {
	f, ok := d.folded[name]
	if !ok {
		if d.folded == nil {
			d.folded = map[string]string{}
		}
		f = foldText(text)
		d.folded[name] = f
	}
	return f
}
