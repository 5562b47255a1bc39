package investigate

import (
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/mail"
	"tocsin.dev/query"
)

// envelope is what a list of messages tells of one. https://learn.microsoft.com/graph/api/resources/message
type envelope struct {
	ID                string             `json:"id"`
	ConversationID    string             `json:"conversationId"`
	InternetMessageID string             `json:"internetMessageId"`
	ParentFolderID    string             `json:"parentFolderId"`
	Subject           string             `json:"subject"`
	From              *graph.Recipient   `json:"from"`
	Sender            *graph.Recipient   `json:"sender"`
	To                []graph.Recipient  `json:"toRecipients"`
	Cc                []graph.Recipient  `json:"ccRecipients"`
	Bcc               []graph.Recipient  `json:"bccRecipients"`
	ReplyTo           []graph.Recipient  `json:"replyTo"`
	HasAttachments    *bool              `json:"hasAttachments"`
	Importance        string             `json:"importance"`
	IsRead            *bool              `json:"isRead"`
	IsDraft           *bool              `json:"isDraft"`
	Flag              *graph.MessageFlag `json:"flag"`
	Categories        []string           `json:"categories"`
	Received          graph.Time         `json:"receivedDateTime"`
	Sent              graph.Time         `json:"sentDateTime"`
}

// content is what is read of a message that its envelope leaves open.
type content struct {
	envelope
	Body struct {
		ContentType string `json:"contentType"` // text, html
		Content     string `json:"content"`
	} `json:"body"`
	Headers []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"internetMessageHeaders"`
}

// listedFile is an attachment in the list of a message's.
type listedFile struct {
	Type        string `json:"@odata.type"`
	ID          string `json:"id"`
	Name        string `json:"name"`
	ContentType string `json:"contentType"`
	Size        int64  `json:"size"`
	IsInline    bool   `json:"isInline"`
}

// doc is the envelope as the query is held against it. Where only metadata was read, the subject is what is not known: it is lost.
func (v *envelope) doc(now time.Time, metadata bool) *query.Doc {
	d := &query.Doc{Now: now, From: one(v.From), Sender: one(v.Sender), ReplyTo: addresses(v.ReplyTo), To: addresses(v.To), Cc: addresses(v.Cc), Bcc: addresses(v.Bcc), Subject: v.Subject,
		MessageID: strings.Trim(v.InternetMessageID, "<> "), Received: v.Received.Time, Sent: v.Sent.Time, HasAttachments: query.Unknown, Importance: strings.ToLower(v.Importance)}
	if len(d.Sender) == 0 {
		d.Sender = d.From
	}
	if v.HasAttachments != nil { // what is inline does not count to it
		d.HasAttachments = query.Is(*v.HasAttachments)
	}
	if metadata {
		d.Lost |= mail.LostHeader
	}
	return d
}

func one(r *graph.Recipient) []mail.Address {
	if r == nil {
		return nil
	}
	return addresses([]graph.Recipient{*r})
}

func addresses(list []graph.Recipient) []mail.Address {
	out := make([]mail.Address, len(list))
	for i, r := range list {
		out[i] = mail.Address{Name: r.EmailAddress.Name, Address: r.EmailAddress.Address}
	}
	return out
}

// read puts body and header into a doc.
func (c *content) read(d *query.Doc) {
	for _, h := range c.Headers {
		d.Headers = append(d.Headers, mail.Field{Name: h.Name, Value: h.Value})
	}
	if strings.EqualFold(c.Body.ContentType, "html") {
		d.ReadHTML(c.Body.Content)
	} else {
		d.ReadText(c.Body.Content)
	}
	d.Learn(query.Headers | query.Body)
}

// files puts the names of attachments into a doc. Where there are none, and nobody asks for the size of the whole, the whole tells no more.
func files(d *query.Doc, list []listedFile, size bool) {
	for _, f := range list {
		d.Attachments = append(d.Attachments, mail.Attachment{Name: f.Name, Type: strings.ToLower(f.ContentType), Size: f.Size, Inline: f.IsInline})
	}
	d.Learn(query.Attachments)
	if len(list) == 0 && !size {
		d.Learn(query.Hashes)
	}
}

// match is the row of a message that was found.
func (v *envelope) match(b *Box, run *Run, folder int, truth query.Truth, why []string, d *query.Doc) Match {
	m := Match{Investigation: run.Investigation, Person: b.Person, Address: b.Address, Message: v.ID, InternetMessageID: v.InternetMessageID, Conversation: v.ConversationID, Subject: v.Subject,
		Received: v.Received.Time, Folder: v.ParentFolderID, Importance: strings.ToLower(v.Importance), Categories: v.Categories, Truth: truth.String(), Why: why, Run: run.ID, Direction: "received"}
	from := v.From
	if from == nil {
		from = v.Sender
	}
	if from != nil {
		m.Sender, m.SenderName = from.EmailAddress.Address, from.EmailAddress.Name
		m.SenderDomain = tocsin.Address{Address: m.Sender}.Domain()
	}
	for _, list := range [][]graph.Recipient{v.To, v.Cc, v.Bcc} {
		for _, r := range list {
			if len(m.Recipients) < 50 {
				m.Recipients = append(m.Recipients, r.EmailAddress.Address)
			}
		}
	}
	m.Read = v.IsRead != nil && *v.IsRead
	m.HasAttachments = v.HasAttachments != nil && *v.HasAttachments
	if v.Flag != nil && v.Flag.FlagStatus != "notFlagged" {
		m.Flag = v.Flag.FlagStatus
	}
	switch {
	case v.IsDraft != nil && *v.IsDraft:
		m.Direction = "draft"
	case tocsin.CanonicalAddress(m.Sender) == tocsin.CanonicalAddress(b.Address):
		m.Direction = "sent"
	}
	if folder == recoverable {
		m.FolderName = "Recoverable Items"
	}
	for _, l := range d.Links {
		if len(m.Links) < 20 && l.URL != "" && !l.Picture {
			m.Links = append(m.Links, l.URL)
		}
	}
	for _, a := range d.Attachments {
		if len(m.Attachments) < 20 {
			m.Attachments = append(m.Attachments, Attachment{Name: a.Name, Type: a.Type, Size: a.Size, SHA256: a.SHA256})
		}
	}
	m.text = d.Text
	return m
}
