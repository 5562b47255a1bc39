package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev/story"
)

// act lets one thing happen. The caller holds mu.
func (s *Sim) act(n scheduled) error {
	p, err := s.actor(n)
	if err != nil {
		return err
	}
	if err := s.acted(n, p); err != nil {
		return err
	}
	s.written(n, p)
	return nil
}

// acted lets it happen, but for its audit record.
func (s *Sim) acted(n scheduled, p *person) error {
	a := n.act
	if p == nil { // done by something that is no person of the tenant
		return s.tell(Truth{Change: "audit", By: n.by(), Time: n.at, ID: first(a.Args["operation"], string(a.Verb))})
	}
	switch a.Verb {
	case story.MakesRule, story.ChangesRule, story.DeletesRule, story.DisablesRule, story.EnablesRule:
		return s.actRule(n, p)
	case story.SetsAutoReply, story.StopsAutoReply:
		return s.actReply(n, p)
	case story.Receives, story.Sends, story.DraftsMail, story.SendsDraft, story.ReadsMail, story.UnreadsMail, story.FlagsMail, story.UnflagsMail, story.SortsMail,
		story.MovesMail, story.DeletesMail, story.PurgesMail, story.RepliesTo, story.ForwardsMail:
		return s.actMail(n, p)
	case story.IsBlocked, story.IsUnblocked, story.BecomesShared:
		return s.actAccount(n, p)
	case story.SignsIn, story.Runs, story.Audits: // seen in reports and audit records only
		return s.tell(Truth{Change: "audit", Mailbox: p.mail, Person: p.id, ID: first(a.Args["operation"], string(a.Verb)), By: n.by(), Time: n.at})
	}
	return fmt.Errorf("the simulator knows no verb %q", a.Verb)
}

// actor is who acts; nil for a stranger or a service in an act that only an audit record tells of. Somebody who is not
// declared, but has an address of the tenant's, comes into being.
func (s *Sim) actor(n scheduled) (*person, error) {
	address := n.story.Address(n.act.Who)
	if p := s.world.find(address); p != nil {
		return p, nil
	}
	if _, domain, ok := strings.Cut(address, "@"); ok && s.world.accepted(domain) {
		return s.settleIn(address, "", n.act.Who, nil)
	}
	switch n.act.Verb {
	case story.Runs, story.Audits, story.SignsIn:
		return nil, nil
	}
	return nil, fmt.Errorf("%s is nobody of this tenant", n.act.Who)
}

func (n scheduled) by() string { return fmt.Sprintf("%s:%d", n.story.Name, n.act.Line) }

func (s *Sim) actRule(n scheduled, p *person) error {
	if !p.hasBox() {
		return fmt.Errorf("%s has no mailbox", p.upn())
	}
	name := n.act.Args["name"]
	b := s.world.open(p)
	i := slices.IndexFunc(b.rules, func(r rule) bool { return r.name() == name })
	if n.act.Verb == story.MakesRule {
		o := s.world.graphRule(b, s.world.ruleID(p.i, b.ruled+1), len(b.rules)+1, n.act.Rule)
		return s.commitRule("rule.created", n, p, func() { b.ruled++; b.rules = append(b.rules, newRule(o)) }, o)
	}
	if i < 0 {
		return fmt.Errorf("%s has no rule %q", p.upn(), name)
	}
	old := b.rules[i].o
	switch n.act.Verb {
	case story.DeletesRule:
		return s.commitRule("rule.deleted", n, p, func() { b.rules = slices.Delete(b.rules, i, i+1) }, old)
	case story.ChangesRule:
		o := s.world.graphRule(b, b.rules[i].id, b.rules[i].sequence(), n.act.Rule)
		return s.commitRule("rule.updated", n, p, func() { b.rules[i] = newRule(o) }, o)
	}
	o := old.clone().set("isEnabled", n.act.Verb == story.EnablesRule)
	return s.commitRule("rule.updated", n, p, func() { b.rules[i] = newRule(o) }, o)
}

func (s *Sim) commitRule(what string, n scheduled, p *person, change func(), o obj) error {
	line := Truth{Change: what, Mailbox: p.mail, Person: p.id, ID: o.text("id"), By: n.by(), Time: n.at, Detail: appendObject(nil, o)}
	if err := s.tell(line); err != nil {
		return err
	}
	change()
	s.world.boxes[p.i].encode()
	return nil
}

func (s *Sim) actReply(n scheduled, p *person) error {
	status, text := "disabled", n.act.Args["text"]
	if n.act.Verb == story.SetsAutoReply {
		status = "alwaysEnabled"
	}
	html := "<html>\n<body>\n<p>" + text + "</p>\n</body>\n</html>\n"
	day := n.at.Truncate(24 * time.Hour)
	return s.setSettings(p, n.by(), obj{{"automaticRepliesSetting", replySetting(status, "all", html, html, day, day.AddDate(0, 0, 14))}})
}

func (s *Sim) actAccount(n scheduled, p *person) error {
	return s.changeUser(p.i, "user.updated", n.by(), obj{{"verb", string(n.act.Verb)}}, func(p *person) {
		switch n.act.Verb {
		case story.IsBlocked:
			p.enabled = false
		case story.IsUnblocked:
			p.enabled = true
		case story.BecomesShared:
			p.kind, p.licensed = shared, false
		}
	})
}

// DeleteUser takes a person out of the directory, as an administrator does; subscriptions to his mailbox end with it.
func (s *Sim) DeleteUser(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.world.find(key)
	if p == nil {
		return fmt.Errorf("sim: there is nobody called %q", key)
	}
	err := s.changeUser(p.i, "user.deleted", "control", nil, func(p *person) { p.gone = true })
	if err == nil {
		s.remove(s.each(p.i, 0), false)
	}
	return err
}
