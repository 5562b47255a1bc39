package sim

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
)

// who is the person with an address or an id, to be changed. The caller holds mu.
func (s *Sim) who(key string) (*person, error) {
	if p := s.world.find(key); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("sim: there is nobody called %q", key)
}

// License gives a person the licence for a mailbox, or takes it. Without one the mailbox is inactive: it answers
// MailboxNotEnabledForRESTAPI and receives nothing, and subscriptions to it are gone without a word. What it holds is there
// again with the licence.
func (s *Sim) License(key string, has bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.who(key)
	if err != nil {
		return err
	}
	err = s.changeUser(p.i, "user.updated", "control", obj{{"licensed", has}}, func(p *person) { p.licensed = has })
	if err == nil && !has {
		s.remove(s.each(p.i, 0), true)
	}
	return err
}

// Rename gives a person another address and user principal name; the former address stays one of his.
func (s *Sim) Rename(key, address string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.who(key)
	if err != nil {
		return err
	}
	who, domain, ok := strings.Cut(address, "@")
	if !ok || !s.world.accepted(domain) || s.world.find(address) != nil {
		return fmt.Errorf("sim: nobody can be called %q", address)
	}
	return s.changeUser(p.i, "user.updated", "control", obj{{"mail", address}}, func(p *person) {
		former := p.mail
		delete(s.world.byAddr, strings.ToLower(former))
		delete(s.world.byAddr, strings.ToLower(p.upn()))
		p.local, p.domain, p.mail, p.aliases = who, domain, address, append(p.aliases, former)
		s.world.byAddr[strings.ToLower(address)] = p.i
	})
}

// RestoreUser takes a person back into the directory who was deleted less than 30 days ago, with his mailbox as it was; id is
// the object id. Subscriptions to it do not come back.
func (s *Sim) RestoreUser(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.world.seed.index(askUser, strings.ToLower(id))
	p := s.world.changed[i]
	if !ok || p == nil || !p.gone {
		return fmt.Errorf("sim: nobody with the id %q was deleted", id)
	}
	p.gone = false
	return s.changeUser(i, "user.created", "control", obj{{"restored", true}}, func(*person) {})
}

// Fill puts so many messages into a mailbox that have been there since before, received evenly over a time until now.
// Nobody is told of them.
func (s *Sim) Fill(mailbox string, messages int, over time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.who(mailbox)
	if err != nil {
		return err
	}
	b, w := s.world.open(p), s.world
	from := tocsin.Address{Name: "Tailspin Support", Address: "support@tailspintoys.com"}
	to := []tocsin.Address{{Name: p.display, Address: p.mail}}
	now := s.clock.Now().Truncate(time.Second)
	for n := range messages {
		at := now.Add(-over + time.Duration(n)*(over/time.Duration(messages)))
		w.deliver(b, &message{folder: inbox, subject: "Weekly figures", from: from, to: to, received: at, sent: at, modified: at, read: true})
	}
	return nil
}
