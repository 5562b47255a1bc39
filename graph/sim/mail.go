package sim

import (
	"fmt"
	"slices"
	"time"
)

// Whatever happens to a message goes through here: it is written to the truth, then done, then told to those who
// subscribed. The caller holds mu.

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
	s.world.deliver(b, m)
	s.notify(happening{n: n, what: created, p: p, b: b, m: m, folder: m.folder})
	return nil
}

// sent puts a message that a person wrote into his sent items, and a copy into every mailbox of the tenant that it is for.
func (s *Sim) sent(by string, at time.Time, p *person, m message) error {
	own := m
	if err := s.came(by, "sent", at, p, &own); err != nil {
		return err
	}
	return s.handOut(by, at, m)
}

// handOut puts a copy of a message into every mailbox of the tenant that it is for.
func (s *Sim) handOut(by string, at time.Time, m message) error {
	m.folder, m.read, m.draft = inbox, false, false
	for _, a := range slices.Concat(m.to, m.cc) {
		if q := s.world.find(a.Address); q != nil && q.hasBox() {
			copied := m
			if err := s.came(by, "received", at, q, &copied); err != nil {
				return err
			}
		}
	}
	return nil
}

// mailLine is the truth of a message.
func (s *Sim) mailLine(change, action, by string, at time.Time, p *person, m *message) Truth {
	return Truth{Change: change, Action: action, Mailbox: p.mail, Person: p.id, ID: s.world.messageID(p.i, m, true), By: by, Time: at}
}
