package story

import (
	"strconv"
	"strings"
)

func (p *parser) domain(l *line) error {
	d := Decl{Line: l.n, Kind: Kind(l.next().text)}
	if !plain(l.peek().text) {
		return l.refuse("a domain such as fabrikam.com")
	}
	d.Name = strings.ToLower(l.next().text)
	p.story.World = append(p.story.World, d)
	return nil
}

func (p *parser) person(l *line) error {
	l.next()
	d := Decl{Line: l.n, Kind: Person}
	if l.peek().quoted || strings.Contains(l.peek().text, "@") {
		return l.refuse("a short name such as amy")
	}
	var err error
	if d.Name, err = l.word("a short name such as amy"); err != nil {
		return err
	}
	if _, twice := p.people[d.Name]; twice {
		return l.wrong(strconv.Quote(d.Name)+" is declared twice", "a name once")
	}
	if l.peek().quoted {
		d.Title = l.next().text
	}
	if t := l.peek(); !t.quoted && strings.Contains(t.text, "@") {
		d.Address = l.next().text
	} else if own := p.story.Domains(Domain); len(own) > 0 {
		d.Address = d.Name + "@" + own[0]
	} else {
		return l.refuse("an address, or a domain declared before")
	}
	for !l.done() {
		switch f := Flag(l.peek().text); f {
		case Shared, Guest, Admin, Blocked, Newcomer:
			d.Flags = append(d.Flags, f)
			l.next()
		default:
			return l.refuse("shared, guest, admin, blocked, newcomer")
		}
	}
	p.people[d.Name] = d.Address
	p.story.World = append(p.story.World, d)
	return nil
}

// listed is a group or a contact.
func (p *parser) listed(l *line) error {
	d := Decl{Line: l.n, Kind: Kind(l.next().text)}
	var err error
	if !strings.Contains(l.peek().text, "@") {
		return l.refuse("an address")
	}
	d.Address = l.next().text
	if l.peek().quoted {
		d.Title = l.next().text
	}
	join := "with"
	if d.Kind == Contact {
		join = "to"
	}
	if err = l.want(join); err != nil {
		return err
	}
	d.Members, err = p.addresses(l)
	p.story.World = append(p.story.World, d)
	return err
}

func (p *parser) exception(l *line) error {
	l.next()
	d := Decl{Line: l.n, Kind: Exception}
	var err error
	if d.Name, err = l.word("a rule's name"); err != nil {
		return err
	}
	if err = l.want("for"); err != nil {
		return err
	}
	switch d.Scope = l.peek().text; d.Scope {
	case "domain", "address", "person", "subject":
		l.next()
	default:
		return l.refuse("domain, address, person, subject")
	}
	if d.Address, err = l.word("what is excepted"); err != nil {
		return err
	}
	if a, ok := p.people[d.Address]; ok {
		d.Address = a
	}
	if err = l.want("by"); err != nil {
		return err
	}
	if d.Owner, err = l.word("who owns the exception"); err != nil {
		return err
	}
	if err = l.want("because"); err != nil {
		return err
	}
	if d.Title, err = l.word("the reason"); err != nil {
		return err
	}
	if l.take("until") {
		if d.Until, err = l.when(); err != nil {
			return err
		}
	}
	p.story.World = append(p.story.World, d)
	return nil
}
