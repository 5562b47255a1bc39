package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
)

// Whatever happens to a message goes through here: it is written to the truth, then done, then told to those who
// subscribed. The caller holds mu.

// MAPI's words for what was last done with a message, in its property 0x1081.
const (
	verbReply    = 102
	verbReplyAll = 103
	verbForward  = 104
)

// mailLine is the truth of a message: its state after what happens.
func (s *Sim) mailLine(change, action, by string, at time.Time, p *person, m *message) Truth {
	b := append(make([]byte, 0, 96), `{"folder":`...)
	b = appendString(b, s.folderName(p, m.folder))
	b = strconv.AppendBool(append(b, `,"isRead":`...), m.read)
	b = appendString(append(b, `,"flagStatus":`...), m.flagged())
	if len(m.categories) > 0 {
		b = appendList(append(b, `,"categories":`...), m.categories, appendString)
	}
	b = append(b, '}')
	return Truth{Change: change, Action: action, Mailbox: p.mail, Person: p.id, ID: s.world.messageID(p.i, m, true), By: by, Time: at, Detail: json.RawMessage(b)}
}

// folderName is a well-known folder's name, or the id of another.
func (s *Sim) folderName(p *person, n int) string {
	if n < len(wellKnown) && wellKnown[n].name != "" {
		return wellKnown[n].name
	}
	return s.world.folderID(p.i, n)
}

// came puts a new message into a mailbox.
func (s *Sim) came(by, action string, at time.Time, p *person, m *message) error {
	if !p.hasBox() {
		return fmt.Errorf("%s has no mailbox", p.upn())
	}
	b := s.world.open(p)
	m.serial = b.serial + 1
	n, err := s.number(s.mailLine("message.created", action, by, at, p, m))
	if err != nil {
		return err
	}
	if m.arrived.IsZero() {
		m.arrived = s.clock.Now()
	}
	s.world.deliver(b, m)
	if action == "received" {
		s.world.traced(m.arrived, p.mail, p.i, m)
	}
	s.notify(happening{n: n, what: created, p: p, b: b, m: m, folder: m.folder})
	return nil
}

// sent puts a message that a person wrote into his sent items, and a copy into every mailbox of the tenant that it is for.
func (s *Sim) sent(by string, at time.Time, p *person, m message) error {
	s.world.stamp(&m)
	own := m
	if err := s.came(by, "sent", at, p, &own); err != nil {
		return err
	}
	return s.handOut(by, at, m)
}

// stamp gives a message what its copies have in common.
func (w *world) stamp(m *message) {
	w.mails++
	if m.internet == "" {
		m.internet = fmt.Sprintf("<%016x.%d@mail.%s>", w.seed.at(askMail+3000, w.mails), w.mails, w.domain)
	}
	if m.conversation == 0 {
		m.conversation = w.seed.at(askMail+5000, w.mails) | 1<<32
	}
}

// handOut puts a copy of a message into every mailbox of the tenant that it is for.
func (s *Sim) handOut(by string, at time.Time, m message) error {
	m.folder, m.read, m.draft, m.moves, m.version, m.verb, m.arrived = inbox, false, false, 0, 0, 0, time.Time{}
	to := slices.Concat(m.to, m.cc, m.bcc)
	m.bcc = nil
	for _, a := range to {
		q := s.world.find(a.Address)
		if q == nil || !q.hasBox() {
			out := m
			s.world.traced(s.clock.Now(), a.Address, 0, &out)
			continue
		}
		copied := m
		if err := s.came(by, "received", at, q, &copied); err != nil {
			return err
		}
	}
	return nil
}

// touched changes a message where it is.
func (s *Sim) touched(by, action string, at time.Time, p *person, m *message, change func(*message)) error {
	b := s.world.open(p)
	m = s.world.serial(b, m.serial)
	after := *m
	change(&after)
	n, err := s.number(s.mailLine("message.updated", action, by, at, p, &after))
	if err != nil {
		return err
	}
	was := s.kept(b, m)
	*m = after
	m.version++
	m.modified = at.Truncate(time.Second)
	b.note(boxChange{folder: m.folder, serial: m.serial, what: "updated"})
	s.notify(happening{n: n, what: updated, p: p, b: b, m: m, folder: m.folder, was: was})
	return nil
}

// moved puts a message into another folder.
func (s *Sim) moved(by, action string, at time.Time, p *person, m *message, to int, change func(*message)) error {
	b := s.world.open(p)
	m = s.world.serial(b, m.serial)
	after := *m
	after.folder = to
	if change != nil {
		change(&after)
	}
	n, err := s.number(s.mailLine("message.moved", action, by, at, p, &after))
	if err != nil {
		return err
	}
	from, id := m.folder, s.world.messageID(p.i, m, false)
	b.note(boxChange{folder: from, serial: m.serial, what: "deleted", moves: m.moves})
	*m = after
	m.modified = at.Truncate(time.Second)
	m.moves++
	m.version++
	b.note(boxChange{folder: to, serial: m.serial, what: "created"})
	s.notify(happening{n: n, what: deletedNow, p: p, b: b, m: m, folder: from, id: id, moving: true})
	s.notify(happening{n: n, what: created, p: p, b: b, m: m, folder: to, moving: true})
	return nil
}

// purged takes a message out of the mailbox.
func (s *Sim) purged(by, action string, at time.Time, p *person, m *message) error {
	b := s.world.open(p)
	m = s.world.serial(b, m.serial)
	n, err := s.number(s.mailLine("message.deleted", action, by, at, p, m))
	if err != nil {
		return err
	}
	b.note(boxChange{folder: m.folder, serial: m.serial, what: "deleted", moves: m.moves})
	m.gone = true
	m.version++
	s.notify(happening{n: n, what: deletedNow, p: p, b: b, m: m, folder: m.folder})
	return nil
}

// discarded is what DELETE does: to Deleted Items, or out of there for good.
func (s *Sim) discarded(by string, at time.Time, p *person, m *message) error {
	if m.folder == deleted || m.folder == recoverable {
		return s.purged(by, "purged", at, p, m)
	}
	return s.moved(by, "deleted", at, p, m, deleted, nil)
}

// posted sends a draft: it becomes the copy in the sent items.
func (s *Sim) posted(by string, at time.Time, p *person, m *message) error {
	err := s.moved(by, "sent", at, p, m, sentItems, func(m *message) {
		m.draft, m.read, m.sent, m.received = false, true, at.Truncate(time.Second), at.Truncate(time.Second)
	})
	if err != nil {
		return err
	}
	return s.handOut(by, at, *s.world.serial(s.world.open(p), m.serial))
}

// answered writes a reply or forwards a message, and notes at the message that it was.
func (s *Sim) answered(by string, at time.Time, p *person, m *message, verb int, to []tocsin.Address) error {
	at = at.Truncate(time.Second)
	m = s.world.serial(s.world.open(p), m.serial)
	me := tocsin.Address{Name: p.display, Address: p.mail}
	out := message{subject: "RE: " + m.subject, text: m.text, from: me, to: to, folder: sentItems, read: true, received: at, sent: at, modified: at,
		conversation: m.conversation, inReplyTo: s.world.internetID(p.i, m)}
	action := "replied"
	if verb == verbForward {
		out.subject, out.attached, out.letter, action = "FW: "+m.subject, m.attached, m.letter, "forwarded"
	}
	if err := s.sent(by, at, p, out); err != nil {
		return err
	}
	return s.touched(by, action, at, p, m, func(m *message) { m.verb, m.verbAt = verb, at })
}

// answerers are those who get a reply.
func answerers(m *message, me string, all bool) []tocsin.Address {
	out := []tocsin.Address{m.from}
	if all {
		for _, a := range slices.Concat(m.to, m.cc) {
			if !strings.EqualFold(a.Address, me) {
				out = append(out, a)
			}
		}
	}
	return out
}

// internetID is the message's internetMessageId.
func (w *world) internetID(box int, m *message) string {
	if m.internet != "" {
		return m.internet
	}
	return fmt.Sprintf("<%08x.%d@mail.%s>", w.seed.at(askMail+3000, box)&0xffffffff, m.serial, w.domain)
}

// flagged is the message's flag as Graph writes it.
func (m *message) flagged() string {
	if m.flag == "" {
		return "notFlagged"
	}
	return m.flag
}
