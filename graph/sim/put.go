package sim

import (
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/story"
)

// Mail is one that a test or a demo puts into a mailbox, with whatever it holds.
type Mail struct {
	From        string      `json:"from"`
	FromName    string      `json:"from_name"`
	To          []string    `json:"to"` // nil: the mailbox's owner
	Cc          []string    `json:"cc"`
	ReplyTo     []string    `json:"reply_to"`
	Subject     string      `json:"subject"`
	Text        string      `json:"text"`
	HTML        string      `json:"html"`
	Headers     [][2]string `json:"headers"` // besides those of the envelope
	Attachments []File      `json:"attachments"`
	MessageID   string      `json:"message_id"` // internetMessageId, with its angle brackets; "": from the seed
	Folder      string      `json:"folder"`     // a well-known name, an id, or the name of one, which is made where there is none; "": inbox
	Read        bool        `json:"read"`
	Flag        string      `json:"flag"` // flagged, complete; "": none
	Categories  []string    `json:"categories"`
	Received    time.Time   `json:"received"` // zero: now
}

// File is an attachment; one of the type message/rfc822 is a message.
type File struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	ContentID string `json:"content_id"`
	Inline    bool   `json:"inline"`
	Data      []byte `json:"data"`
}

// Put lets a mail come into a mailbox, and gives its immutable id. Whoever subscribed is told.
func (s *Sim) Put(mailbox string, in Mail) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.world.find(mailbox)
	if p == nil || !p.hasBox() {
		return "", fmt.Errorf("sim: there is no mailbox %q", mailbox)
	}
	at := s.clock.Now().Truncate(time.Second)
	if !in.Received.IsZero() {
		at = in.Received.UTC().Truncate(time.Second)
	}
	l := letter{html: in.HTML, text: in.Text, replyTo: s.listed(in.ReplyTo)}
	for _, h := range in.Headers {
		l.headers = append(l.headers, header{h[0], h[1]})
	}
	for _, f := range in.Attachments {
		l.attachments = append(l.attachments, attachment{name: f.Name, kind: f.Type, contentID: f.ContentID, inline: f.Inline, data: f.Data})
	}
	m := &message{subject: in.Subject, text: l.plain(), from: s.named(in.From), to: s.listed(in.To), cc: s.listed(in.Cc), received: at, sent: at, modified: at, read: in.Read,
		flag: in.Flag, categories: in.Categories, internet: in.MessageID, attached: l.visible(), letter: func() letter { return l }, folder: inbox}
	if in.FromName != "" {
		m.from.Name = in.FromName
	}
	if in.To == nil {
		m.to = []tocsin.Address{{Name: p.display, Address: p.mail}}
	}
	if in.Folder != "" {
		b := s.world.open(p)
		f := s.world.folder(b, in.Folder)
		if f == nil {
			f = b.named(in.Folder)
		}
		m.folder = f.n
	}
	s.world.stamp(m)
	if err := s.came("control", "received", at, p, m); err != nil {
		return "", err
	}
	return s.world.messageID(p.i, m, true), nil
}

func (s *Sim) listed(list []string) []tocsin.Address {
	var out []tocsin.Address
	for _, a := range list {
		out = append(out, s.named(a))
	}
	return out
}

// ActOnMail lets a mailbox's owner do something with one of its mails, by any of its ids: a verb of stories that takes a mail. arg
// is the category of SortsMail, the well-known name of the folder of MovesMail, or who gets what ForwardsMail forwards.
func (s *Sim) ActOnMail(mailbox, id string, verb story.Verb, arg string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.world.find(mailbox)
	if p == nil || !p.hasBox() {
		return fmt.Errorf("sim: there is no mailbox %q", mailbox)
	}
	m := s.world.message(s.world.open(p), id)
	if m == nil {
		return fmt.Errorf("sim: %s has no mail of that id", mailbox)
	}
	a := story.Act{Verb: verb, Args: map[string]string{"category": arg, "to": arg}}
	if verb == story.MovesMail {
		a.Folder = &tocsin.Folder{WellKnown: arg}
	}
	return s.actOn(scheduled{at: s.clock.Now(), story: &story.Story{Name: "control"}, act: a}, p, m)
}
