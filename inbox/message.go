package inbox

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/mail"
	"tocsin.dev/store"
)

// Directions of a mail.
const (
	In  = "in"
	Out = "out" // sent by the inbox's address
)

// Message is a mail as its mailbox has it, without what it says: see [BodyOf].
type Message struct {
	ID             string // Graph's immutable id
	Inbox          string
	Thread         string
	Folder         string // Graph's id; empty while it is not known where it went
	Direction      string
	InternetID     string // Message-ID without angle brackets, as InReplyTo and References
	InReplyTo      string
	References     []string // oldest first
	Conversation   string
	Subject        string
	Preview        string // the first 255 characters
	From           tocsin.Address
	Sender         string // the address that sent it, where that is another than From
	ReplyTo        []tocsin.Address
	To, Cc, Bcc    []tocsin.Address
	Authentication string // Authentication-Results, as the mailbox's own server wrote it
	At             time.Time
	Received, Sent time.Time
	Read           bool
	Flag           string // flagged, complete; empty for none
	Importance     string // low, high; empty for normal
	Categories     []string
	HasAttachments bool
	Attachments    []Attachment
	Size           int64     // bytes of what it says
	ETag           string    // another one after every change in the mailbox
	Kept           bool      // what it says is kept
	Gone           time.Time // when it was deleted for good; zero while it is there
	Erased         time.Time // when what it says was erased here
}

// Attachment is what is known of a file of a mail; its bytes are in the mailbox.
type Attachment struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Size      int64  `json:"size"` // bytes, as Exchange counts them
	Inline    bool   `json:"inline,omitempty"`
	ContentID string `json:"content_id,omitempty"`
}

const messageColumns = `id, thread, folder, direction, internet_id, in_reply_to, refers, conversation, subject, preview, from_address, from_name, sender_address, reply_to, to_list, cc_list, bcc_list,
	authentication, at, received, sent, is_read, flag, importance, categories, has_attachments, attachments, size, etag, gone, erased, inbox, case when body is null then 0 else 1 end`

func (m *Message) scan(scan func(...any) error, more ...any) error {
	var refs, reply, to, cc, bcc, categories, attachments string
	var at, received, sent, gone, erased int64
	var kept int
	err := scan(append([]any{&m.ID, &m.Thread, &m.Folder, &m.Direction, &m.InternetID, &m.InReplyTo, &refs, &m.Conversation, &m.Subject, &m.Preview, &m.From.Address, &m.From.Name, &m.Sender, &reply, &to, &cc, &bcc,
		&m.Authentication, &at, &received, &sent, &m.Read, &m.Flag, &m.Importance, &categories, &m.HasAttachments, &attachments, &m.Size, &m.ETag, &gone, &erased, &m.Inbox, &kept}, more...)...)
	if err != nil {
		return err
	}
	m.At, m.Received, m.Sent, m.Gone, m.Erased, m.Kept = tocsin.FromMillis(at), tocsin.FromMillis(received), tocsin.FromMillis(sent), tocsin.FromMillis(gone), tocsin.FromMillis(erased), kept == 1
	return errors.Join(json.Unmarshal([]byte(refs), &m.References), json.Unmarshal([]byte(reply), &m.ReplyTo), json.Unmarshal([]byte(to), &m.To), json.Unmarshal([]byte(cc), &m.Cc),
		json.Unmarshal([]byte(bcc), &m.Bcc), json.Unmarshal([]byte(categories), &m.Categories), json.Unmarshal([]byte(attachments), &m.Attachments))
}

// text is v as the tables hold lists: JSON, [] for none.
func text[T any](v []T) json.RawMessage {
	if len(v) == 0 {
		return json.RawMessage("[]")
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic("inbox: lists of text are JSON: " + err.Error())
	}
	return raw
}

// wire is a mail as Graph tells it: what it does not tell is nil, so a change may tell of one field alone.
// https://learn.microsoft.com/graph/api/resources/message
type wire struct {
	ID           string             `json:"id"`
	ChangeKey    string             `json:"changeKey"`
	Conversation string             `json:"conversationId"`
	InternetID   *string            `json:"internetMessageId"`
	Headers      []field            `json:"internetMessageHeaders"`
	Folder       string             `json:"parentFolderId"`
	Subject      *string            `json:"subject"`
	Preview      *string            `json:"bodyPreview"`
	Body         *wireBody          `json:"body"`
	From         *graph.Recipient   `json:"from"`
	Sender       *graph.Recipient   `json:"sender"`
	ReplyTo      []graph.Recipient  `json:"replyTo"`
	To           []graph.Recipient  `json:"toRecipients"`
	Cc           []graph.Recipient  `json:"ccRecipients"`
	Bcc          []graph.Recipient  `json:"bccRecipients"`
	Attached     *bool              `json:"hasAttachments"`
	Importance   string             `json:"importance"`
	Read         *graph.Flag        `json:"isRead"`
	Draft        *graph.Flag        `json:"isDraft"`
	Flag         *graph.MessageFlag `json:"flag"`
	Categories   *[]string          `json:"categories"`
	Created      graph.Time         `json:"createdDateTime"`
	Received     graph.Time         `json:"receivedDateTime"`
	Sent         graph.Time         `json:"sentDateTime"`

	attachments []Attachment // asked for beside it
}

type wireBody struct {
	Type    string `json:"contentType"`
	Content string `json:"content"`
}

type field struct{ Name, Value string }

// whole says whether it tells all that a mail has.
func (w *wire) whole() bool {
	return w.Body != nil && w.Subject != nil && w.Folder != "" && w.Headers != nil && (!w.Received.IsZero() || !w.Sent.IsZero())
}

func (w *wire) draft() bool { return w.Draft != nil && bool(*w.Draft) }

func (w *wire) header(name string) string {
	for _, h := range w.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// message is the mail that a whole wire tells of; own are the inbox's addresses.
func (w *wire) message(own map[string]bool) *Message {
	m := &Message{ID: w.ID, Folder: w.Folder, Direction: In, Conversation: w.Conversation, Importance: w.Importance, ETag: w.ChangeKey, Received: w.Received.Time, Sent: w.Sent.Time, At: w.Received.Time,
		ReplyTo: addresses(w.ReplyTo), To: addresses(w.To), Cc: addresses(w.Cc), Bcc: addresses(w.Bcc), HasAttachments: w.Attached != nil && *w.Attached, Attachments: w.attachments,
		Authentication: clip(w.header("Authentication-Results"), 4000), Subject: clip(value(w.Subject), 1000), Preview: clip(value(w.Preview), 1000)}
	if m.At.IsZero() {
		m.At = m.Sent
	}
	if w.From != nil {
		m.From = address(*w.From)
	}
	if w.Sender != nil && !strings.EqualFold(w.Sender.EmailAddress.Address, m.From.Address) {
		m.Sender = tocsin.CanonicalAddress(w.Sender.EmailAddress.Address)
	}
	if own[m.From.Address] {
		m.Direction, m.At = Out, w.Sent.Time
		if m.At.IsZero() {
			m.At = m.Received
		}
	}
	if all := ids(value(w.InternetID)); len(all) > 0 {
		m.InternetID = all[0]
	}
	if all := m.ids(w.header("In-Reply-To")); len(all) > 0 {
		m.InReplyTo = all[len(all)-1] // some write who is answered before it
	}
	m.References = lastOf(m.ids(w.header("References")), 50)
	if m.Importance == "normal" {
		m.Importance = ""
	}
	if w.Body != nil {
		m.Size = int64(len(w.Body.Content))
	}
	w.mark(m)
	return m
}

// mark takes over how the mail is marked, as far as that is told; changed says whether anything is another now.
func (w *wire) mark(m *Message) (changed bool) {
	set := func(differs bool) { changed = changed || differs }
	if w.Read != nil {
		set(m.Read != bool(*w.Read))
		m.Read = bool(*w.Read)
	}
	if w.Flag != nil {
		flag := w.Flag.FlagStatus
		if flag == "notFlagged" {
			flag = ""
		}
		set(m.Flag != flag)
		m.Flag = flag
	}
	if w.Categories != nil {
		set(strings.Join(m.Categories, "\x00") != strings.Join(*w.Categories, "\x00"))
		m.Categories = *w.Categories
	}
	if w.Folder != "" {
		set(m.Folder != w.Folder)
		m.Folder = w.Folder
	}
	return changed
}

func address(r graph.Recipient) tocsin.Address {
	a := tocsin.Address{Name: clip(r.EmailAddress.Name, 300), Address: clip(tocsin.CanonicalAddress(r.EmailAddress.Address), 320)}
	if strings.EqualFold(a.Name, a.Address) {
		a.Name = ""
	}
	return a
}

func addresses(list []graph.Recipient) (out []tocsin.Address) {
	for _, r := range list[:min(len(list), 1000)] {
		out = append(out, address(r))
	}
	return out
}

// recipients is the reverse of addresses.
func recipients(list []tocsin.Address) []graph.Recipient {
	out := []graph.Recipient{}
	for _, a := range list {
		out = append(out, graph.Recipient{EmailAddress: graph.EmailAddress{Name: a.Name, Address: a.Address}})
	}
	return out
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

func lastOf[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }

// ids are the Message-IDs in a field, without angle brackets. What is too short to be one of its own, or too long, is none: such
// ("<unknown>") stand in mails that have nothing to do with each other.
func ids(value string) (out []string) {
	keep := func(id string) {
		id = strings.Join(strings.Fields(id), "")
		if len(id) >= 8 && len(id) <= 500 && strings.Contains(id, "@") {
			out = append(out, id)
		}
	}
	value = clip(value, 64<<10)
	found := false
	for {
		_, rest, ok := strings.Cut(value, "<")
		if !ok {
			break
		}
		id, after, ok := strings.Cut(rest, ">")
		if !ok {
			break
		}
		found = true
		keep(id)
		value = after
	}
	if !found {
		for _, id := range strings.Fields(value) { // some write them bare
			keep(strings.Trim(id, "<>,;\"'"))
		}
	}
	return out
}

// ids are those in a field of the mail, without the addresses of people that some programs write in them.
func (m *Message) ids(value string) []string {
	people := map[string]bool{m.From.Address: true}
	for _, a := range slices.Concat(m.To, m.Cc) {
		people[a.Address] = true
	}
	return slices.DeleteFunc(ids(value), func(id string) bool { return people[strings.ToLower(id)] })
}

// Body is what a mail says.
type Body struct {
	HTML   string // safe to show in a sandboxed frame: nothing in it runs, and nothing is loaded from elsewhere but what Remote names, where that was asked for
	Text   string
	Remote []string // the hosts from which the mail would have pictures loaded
}

// bodyOf is a mail as it is shown: with the pictures that lie elsewhere, where remote says so.
func bodyOf(m *mail.Message, remote bool) Body {
	text, hosts := m.RemoteHTML()
	if !remote {
		text = m.SafeHTML()
	}
	return Body{HTML: text, Text: m.Text, Remote: hosts}
}

// stored is a body as it is kept.
type stored struct {
	Type    string `json:"type"` // html or text
	Content string `json:"content"`
}

func aboutMessage(t *store.Tenant, inbox, id string) string {
	return string(t.ID()) + "|inbox|" + inbox + "|message|" + id
}
