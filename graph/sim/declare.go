package sim

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev/story"
)

// declare makes what a story says is there. The caller holds mu.
func (s *Sim) declare(d *story.Decl) error {
	w, now := s.world, s.clock.Now().Truncate(time.Second)
	switch d.Kind {
	case story.Domain:
		if !w.accepted(d.Name) {
			w.more = append(w.more, strings.ToLower(d.Name))
		}
	case story.Person:
		_, err := s.settleIn(d.Address, d.Title, d.Name, d)
		return err
	case story.Group:
		if w.group(d.Address) != nil {
			return nil
		}
		w.calls++
		g := &group{id: w.seed.guid(askGroup, w.calls), name: first(d.Title, d.Address), mail: d.Address, dept: -1, outside: true}
		for _, a := range d.Members {
			g.members = append(g.members, s.member(a))
		}
		w.groups = append(w.groups, g)
		w.touch("group", g.id, now)
	case story.Contact:
		c := &contact{id: w.seed.guid(askContact, len(w.contact)+1), name: first(d.Title, d.Address), mail: d.Address, aliases: []string{d.Address}}
		if len(d.Members) > 0 {
			c.mail = d.Members[0]
		}
		w.contact = append(w.contact, c)
		w.touch("contact", c.id, now)
	case story.Partner, story.Exception: // known to Tocsin only
	}
	return nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// member is the id of whoever has the address; an outsider becomes a contact.
func (s *Sim) member(address string) string {
	w := s.world
	if p := w.find(address); p != nil {
		return p.id
	}
	if g := w.group(address); g != nil {
		return g.id
	}
	c := &contact{id: w.seed.guid(askContact, len(w.contact)+1), name: address, mail: address}
	w.contact = append(w.contact, c)
	w.touch("contact", c.id, s.clock.Now())
	return c.id
}

// settleIn is the person with the address; made where there is none.
func (s *Sim) settleIn(address, name, short string, d *story.Decl) (*person, error) {
	w := s.world
	if p := w.find(address); p != nil {
		return p, nil
	}
	who, domain, ok := strings.Cut(address, "@")
	if !ok {
		return nil, fmt.Errorf("there is nobody called %q", address)
	}
	if !w.accepted(domain) && !(d != nil && d.Has(story.Guest)) {
		w.more = append(w.more, strings.ToLower(domain))
	}
	i := w.count()
	p := &person{i: i, id: w.seed.guid(askUser, i), local: who, domain: domain, mail: address, display: first(name, short, who),
		enabled: true, licensed: true, boss: -1, place: &places[i%2], created: w.start.AddDate(-2, 0, 0), dept: "Operations"}
	p.first, p.last, _ = strings.Cut(p.display, " ")
	if d != nil {
		s.flags(p, d)
	}
	if err := s.tell(Truth{Change: "user.created", Mailbox: p.mail, Person: p.id, ID: p.id, By: "story"}); err != nil {
		return nil, err
	}
	w.added = append(w.added, p)
	w.byAddr[strings.ToLower(address)] = i
	w.byAddr[strings.ToLower(p.upn())] = i
	w.touch("user", p.id, s.clock.Now())
	if d != nil && d.Has(story.Admin) {
		w.roles[0].members = append(w.roles[0].members, p.id)
		w.touch("role", w.roles[0].id, s.clock.Now())
	}
	return p, nil
}

func (s *Sim) flags(p *person, d *story.Decl) {
	for _, f := range d.Flags {
		switch f {
		case story.Shared:
			p.kind, p.licensed = shared, false
		case story.Guest:
			p.kind, p.licensed = guest, false
			p.local, p.domain = strings.ReplaceAll(p.mail, "@", "_")+"#EXT#", s.world.initial()
		case story.Blocked:
			p.enabled = false
		case story.Newcomer:
			p.created = s.clock.Now().Truncate(time.Second)
		}
	}
}
