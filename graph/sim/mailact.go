package sim

import (
	"fmt"
	"html"
	"mime"
	"path"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/story"
)

// actMail lets a person send or receive, or do something with a mail he has.
func (s *Sim) actMail(n scheduled, p *person) error {
	me := tocsin.Address{Name: p.display, Address: p.mail}
	a := n.act
	switch a.Verb {
	case story.Receives, story.Sends, story.DraftsMail:
		m := message{subject: a.Args["subject"], received: n.at, sent: n.at, modified: n.at}
		tellMail(&m, a.Args)
		if a.Verb == story.Receives {
			m.from, m.to, m.folder = s.named(a.Args["from"]), []tocsin.Address{me}, inbox
			s.world.stamp(&m)
			return s.came(n.by(), "received", n.at, p, &m)
		}
		m.from, m.to, m.folder, m.read = me, s.addressed(a.Args["to"]), sentItems, true
		if a.Verb == story.Sends {
			return s.sent(n.by(), n.at, p, m)
		}
		m.folder, m.draft = drafts, true
		s.world.stamp(&m)
		return s.came(n.by(), "drafted", n.at, p, &m)
	}
	m := s.meant(p, a.Args["mail"], a.Verb == story.SendsDraft)
	if m == nil {
		return fmt.Errorf("%s has no mail %q", p.upn(), a.Args["mail"])
	}
	return s.actOn(n, p, m)
}

// tellMail gives a mail the text, the link and the file that a story names.
func tellMail(m *message, args map[string]string) {
	text, link, file := args["text"], args["link"], args["attaching"]
	if text+link+file == "" {
		return
	}
	l := letter{html: "<html><body><p>" + html.EscapeString(text) + "</p></body></html>"}
	if link != "" {
		l.html = "<html><body><p>" + html.EscapeString(text) + ` <a href="` + html.EscapeString(link) + `">Open it here</a></p></body></html>`
	}
	if file != "" {
		kind := mime.TypeByExtension(path.Ext(file))
		if kind == "" {
			kind = "application/octet-stream"
		}
		l.attachments = []attachment{{name: file, kind: kind, data: []byte("This is " + file + " of a story.\n")}}
	}
	m.text, m.attached, m.letter = l.plain(), file != "", func() letter { return l }
}

// actOn does something with a mail.
func (s *Sim) actOn(n scheduled, p *person, m *message) error {
	by, at, a := n.by(), n.at, n.act
	switch a.Verb {
	case story.SendsDraft:
		return s.posted(by, at, p, m)
	case story.ReadsMail:
		return s.touched(by, "read", at, p, m, func(m *message) { m.read = true })
	case story.UnreadsMail:
		return s.touched(by, "unread", at, p, m, func(m *message) { m.read = false })
	case story.FlagsMail:
		return s.touched(by, "flagged", at, p, m, func(m *message) { m.flag = "flagged" })
	case story.UnflagsMail:
		return s.touched(by, "unflagged", at, p, m, func(m *message) { m.flag = "" })
	case story.SortsMail:
		return s.touched(by, "categorised", at, p, m, func(m *message) { m.categories = append(slices.Clip(m.categories), a.Args["category"]) })
	case story.MovesMail:
		return s.moved(by, "moved", at, p, m, s.world.storyFolder(s.world.open(p), a.Folder).n, nil)
	case story.DeletesMail:
		return s.discarded(by, at, p, m)
	case story.PurgesMail:
		return s.purged(by, "purged", at, p, m)
	case story.RepliesTo:
		verb := verbReply
		if a.Args["all"] != "" {
			verb = verbReplyAll
		}
		return s.answered(by, at, p, m, verb, answerers(m, p.mail, verb == verbReplyAll))
	}
	return s.answered(by, at, p, m, verbForward, s.addressed(a.Args["to"]))
}

// meant is the newest mail with the subject; among drafts only where one is to be sent.
func (s *Sim) meant(p *person, subject string, draft bool) *message {
	if !p.hasBox() {
		return nil
	}
	for _, m := range slices.Backward(s.world.open(p).messages) {
		if !m.gone && m.subject == subject && (!draft || m.draft) {
			return m
		}
	}
	return nil
}

// named is an address with the name that the tenant knows for it.
func (s *Sim) named(address string) tocsin.Address {
	if q := s.world.find(address); q != nil {
		return tocsin.Address{Name: q.display, Address: q.mail}
	}
	return tocsin.Address{Name: address, Address: address}
}

func (s *Sim) addressed(list string) []tocsin.Address {
	var out []tocsin.Address
	for _, a := range strings.Split(list, ",") {
		out = append(out, s.named(a))
	}
	return out
}
