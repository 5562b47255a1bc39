package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/story"
)

// scheduled is an act that waits for its time.
type scheduled struct {
	at    time.Time
	story *story.Story
	act   story.Act
}

// week is Monday 00:00 of the week of t, in UTC.
func week(t time.Time) time.Time {
	t = t.UTC().Truncate(24 * time.Hour)
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
}

// anchor is the Monday 00:00 from which the configured stories' acts count: the start that was told, else latestPast.
func (s *Sim) anchor(st *story.Story) time.Time {
	if !s.cfg.Start.IsZero() {
		return s.cfg.Start
	}
	return s.latestPast(st)
}

// latestPast is the Monday 00:00 of the latest week from which counted all acts are past.
func (s *Sim) latestPast(st *story.Story) time.Time {
	now := s.clock.Now()
	at := week(now)
	for n := len(st.Acts); n > 0 && at.Add(st.Acts[n-1].At).After(now); {
		at = at.AddDate(0, 0, -7)
	}
	return at
}

// Play lets a story happen now, all acts at once in their order, each with its own time: those of the latest week in
// which all are past.
func (s *Sim) Play(st *story.Story) error {
	if err := s.schedule(st, s.latestPast(st)); err != nil {
		return err
	}
	s.catchUp()
	return nil
}

// Live lets a story happen from now on, its times compressed so that its last act comes after so long: the demo.
func (s *Sim) Live(st *story.Story, over time.Duration) error {
	if len(st.Acts) == 0 {
		return s.schedule(st, s.clock.Now())
	}
	first, last := st.Acts[0].At, st.Acts[len(st.Acts)-1].At
	quick := *st
	quick.Acts = slices.Clone(st.Acts)
	for i := range quick.Acts {
		part := 1.0
		if last > first {
			part = float64(quick.Acts[i].At-first) / float64(last-first)
		}
		quick.Acts[i].At = time.Duration(part * float64(over))
	}
	return s.schedule(&quick, s.clock.Now())
}

// schedule makes the story's people and puts its acts into the queue.
func (s *Sim) schedule(st *story.Story, monday time.Time) error {
	if err := s.people(st); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range st.Acts {
		s.queue = append(s.queue, scheduled{at: monday.Add(a.At), story: st, act: a})
	}
	slices.SortStableFunc(s.queue, func(a, b scheduled) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	s.nextDue()
	return nil
}

// people makes what the story declares.
func (s *Sim) people(st *story.Story) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range st.World {
		if err := s.declare(&st.World[i]); err != nil {
			return err
		}
	}
	return nil
}

// nextDue notes the time of the queue's first act. The caller holds mu.
func (s *Sim) nextDue() {
	if len(s.queue) == 0 {
		s.due.Store(0)
		return
	}
	s.due.Store(s.queue[0].at.UnixNano())
}

// catchUp lets happen what is due. It costs nothing where nothing is.
func (s *Sim) catchUp() {
	due := s.due.Load()
	if due == 0 || s.clock.Now().UnixNano() < due {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && !s.queue[0].at.After(s.clock.Now()) {
		next := s.queue[0]
		s.queue = s.queue[1:]
		if err := s.act(next); err != nil {
			s.log.Error("an act of a story could not happen", "story", next.story.Name, "line", next.act.Line, "error", err)
			s.counts.fail(fmt.Sprintf("%s:%d: %v", next.story.Name, next.act.Line, err))
		}
	}
	s.nextDue()
}

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

// act lets one thing happen. The caller holds mu.
func (s *Sim) act(n scheduled) error {
	a := n.act
	p, err := s.actor(n)
	if err != nil {
		return err
	}
	if p == nil { // done by something that is no person of the tenant
		return s.tell(Truth{Change: "audit", By: n.by(), Time: n.at, ID: first(a.Args["operation"], string(a.Verb))})
	}
	switch a.Verb {
	case story.MakesRule, story.ChangesRule, story.DeletesRule, story.DisablesRule, story.EnablesRule:
		return s.actRule(n, p)
	case story.SetsAutoReply, story.StopsAutoReply:
		return s.actReply(n, p)
	case story.Receives, story.Sends:
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

func (s *Sim) actMail(n scheduled, p *person) error {
	me := tocsin.Address{Name: p.display, Address: p.mail}
	name := func(a string) tocsin.Address {
		if q := s.world.find(a); q != nil {
			return tocsin.Address{Name: q.display, Address: q.mail}
		}
		return tocsin.Address{Name: a, Address: a}
	}
	m := message{subject: n.act.Args["subject"], text: "", received: n.at, sent: n.at, modified: n.at}
	if n.act.Verb == story.Receives {
		m.from, m.to, m.folder = name(n.act.Args["from"]), []tocsin.Address{me}, inbox
		return s.put(n, p, m)
	}
	m.from, m.folder, m.read = me, sentItems, true
	for _, a := range strings.Split(n.act.Args["to"], ",") {
		m.to = append(m.to, name(a))
	}
	if err := s.put(n, p, m); err != nil {
		return err
	}
	m.folder, m.read = inbox, false
	for _, a := range m.to {
		if q := s.world.find(a.Address); q != nil && q.hasBox() {
			if err := s.put(n, q, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// put delivers a copy of the message to a mailbox.
func (s *Sim) put(n scheduled, p *person, m message) error { return s.place(n.by(), n.at, p, m) }

func (s *Sim) place(by string, at time.Time, p *person, m message) error {
	if !p.hasBox() {
		return fmt.Errorf("%s has no mailbox", p.upn())
	}
	b := s.world.open(p)
	m.serial = b.serial + 1
	if err := s.tell(Truth{Change: "message.created", Mailbox: p.mail, Person: p.id, ID: s.world.messageID(p.i, &m, true), By: by, Time: at}); err != nil {
		return err
	}
	s.world.deliver(b, &m)
	return nil
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

// DeleteUser takes a person out of the directory, as an administrator does.
func (s *Sim) DeleteUser(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.world.find(key)
	if p == nil {
		return fmt.Errorf("sim: there is nobody called %q", key)
	}
	return s.changeUser(p.i, "user.deleted", "control", nil, func(p *person) { p.gone = true })
}
