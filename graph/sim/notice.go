package sim

import (
	"slices"
	"time"
)

// happening is a change of a message as subscriptions see it.
type happening struct {
	n      int // number in the truth
	what   changes
	p      *person
	b      *mailbox
	m      *message
	folder int                    // in which it happens
	id     string                 // the mutable id it had, where it has another now
	moving bool                   // to another folder, or from there
	was    map[*subscription]bool // which of those with a filter kept it before
}

// notify tells subscriptions of a change in a mailbox. The caller holds mu.
func (s *Sim) notify(e happening) {
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.boxes[e.p.i]
	if len(list) == 0 {
		return
	}
	now := s.clock.Now()
	for _, sub := range list {
		if sub.target.folder >= 0 && sub.target.folder != e.folder || !now.Before(sub.expires) {
			continue
		}
		if what := s.seen(sub, e); what != 0 && sub.changes&what != 0 {
			s.dispatch(sub, s.mailNotice(sub, e, what, now), now)
		}
	}
}

// kept says which of the mailbox's subscriptions that filter keep the message as it is; nil where none filters.
func (s *Sim) kept(b *mailbox, m *message) map[*subscription]bool {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	var out map[*subscription]bool
	for _, sub := range s.hook.boxes[b.p] {
		if sub.target.keep != nil {
			if out == nil {
				out = map[*subscription]bool{}
			}
			out[sub] = sub.target.keep(s.messageItem(b, m, false).get)
		}
	}
	return out
}

// seen is what a change is for a subscription; 0 where it is nothing. What leaves or enters a filter is deleted or created.
// A move within a mailbox is both, of two ids where they are mutable; where they are not, documentation says nothing: some
// moves are both of the same id, some are an update.
func (s *Sim) seen(sub *subscription, e happening) changes {
	if e.moving && sub.immutable && sub.target.folder < 0 && mix(uint64(s.world.seed)^uint64(e.n))%2 == 0 {
		if e.what == deletedNow {
			return 0
		}
		e.what = updated
	}
	if sub.target.keep == nil {
		return e.what
	}
	is := sub.target.keep(s.messageItem(e.b, e.m, false).get)
	was := is
	if e.was != nil {
		was = e.was[sub]
	}
	switch {
	case is && was:
		return e.what
	case was:
		return deletedNow
	case is:
		return created
	}
	return 0
}

// dispatch sends a notice on its way, unless a fault or a slow address is in it. The caller holds hook.mu.
func (s *Sim) dispatch(sub *subscription, n *notice, now time.Time) {
	h := &s.hook
	h.sums.Made++
	if s.faults.notices.Load() > 0 && s.disturbed(sub, n, now) {
		return
	}
	e := h.endpoint(n.url)
	if now.Before(e.throw) {
		s.giveUp(n, "the address is too slow")
		return
	}
	if now.Before(e.late) {
		n.due = n.due.Add(10 * time.Second)
	}
	s.enqueue(n, now)
}

// mailNotice is the notification of a change of a message. Its shape is one of those that Graph's have.
func (s *Sim) mailNotice(sub *subscription, e happening, what changes, now time.Time) *notice {
	id := e.id
	if id == "" || sub.immutable {
		id = s.world.messageID(e.b.p, e.m, sub.immutable)
	}
	shape := mix(uint64(s.world.seed) + uint64(e.n)<<8 + uint64(what))
	n := &notice{sub: sub, url: sub.url, of: e.n, first: now, due: now.Add(s.hook.how.latency(shape))}
	b := append(make([]byte, 0, 800), '{')
	if shape%4 == 0 {
		b = append(appendString(append(b, `"id":`...), randomGUID()), ',')
	}
	b = append(append(append(b, `"subscriptionId":"`...), sub.id...), `","subscriptionExpirationDateTime":"`...)
	b = append(sub.expires.In(zones[shape>>2%uint64(len(zones))]).AppendFormat(b, fine), `","changeType":"`...)
	b = append(append(b, what.String()...), `","resource":"`...)
	form := shape >> 8 % 3
	b = append(s.appendResource(b, form, e.p.id, id), `",`...)
	if sub.clientState != "" {
		b = append(appendString(append(b, `"clientState":`...), sub.clientState), ',')
	}
	b = append(append(append(b, `"tenantId":"`...), s.cfg.Tenant...), `",`...)
	cut := len(b)
	b = append(b, `"resourceData":{"@odata.type":"`...)
	b = append(append(b, mailTypes[shape>>16%2]...), `","@odata.id":"`...)
	b = append(s.appendResource(b, form, e.p.id, id), `","@odata.etag":"W/\"`...)
	b = append(appendChangeKey(b, e.m), `\"","id":"`...)
	b = append(append(b, id...), `"}}`...)
	n.head, n.tail = b[:cut:cut], b[cut:]
	if sub.rich && what != deletedNow {
		n.plain, n.lock = s.resourceData(sub, e), sub.lock
	}
	return n
}

var (
	zones     = []*time.Location{time.UTC, time.UTC, time.FixedZone("", 5*3600+1800), time.FixedZone("", -8*3600)}
	mailTypes = []string{"#Microsoft.Graph.Message", "#microsoft.graph.message"}
)

// notifyDirectory tells subscriptions of a change of a user or group: whatever happens to one is an update, even that it came
// or went to the bin. The caller holds mu.
func (s *Sim) notifyDirectory(kind, id string) {
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	now := s.clock.Now()
	for _, sub := range h.directory {
		t := sub.target
		if !(kind == "user" && t.kind == ofUsers || kind == "group" && t.kind == ofGroups) || t.id != "" && t.id != id || sub.changes&updated == 0 || !now.Before(sub.expires) {
			continue
		}
		name, plural := "User", "Users"
		if t.kind == ofGroups {
			name, plural = "Group", "Groups"
		}
		o := obj{{"changeType", "updated"}, {"resource", plural + "/" + id}, {"subscriptionId", sub.id}, {"subscriptionExpirationDateTime", sub.expires.Format(fine)}, {"tenantId", s.cfg.Tenant}}
		if sub.clientState != "" {
			o = append(o, member{"clientState", sub.clientState})
		}
		o = append(o, member{"resourceData", obj{{"@odata.type", "#Microsoft.Graph." + name}, {"@odata.id", plural + "/" + id}, {"id", id}, {"organizationId", s.cfg.Tenant},
			{"sequenceNumber", now.UnixNano()}}})
		s.dispatch(sub, &notice{sub: sub, url: sub.url, head: appendObject(nil, o), first: now, due: now.Add(h.how.latency(mix(uint64(len(s.world.log)))))}, now)
	}
}

// appendResource writes where a message is, in one of the forms Graph uses.
func (s *Sim) appendResource(b []byte, form uint64, person, id string) []byte {
	switch form {
	case 0:
		b = append(append(b, `Users/`...), person...)
		return append(append(b, `/Messages/`...), id...)
	case 1:
		b = append(append(b, `Users('`...), person...)
		b = append(append(b, `')/messages('`...), id...)
		return append(b, `')`...)
	}
	b = append(append(append(append(b, `users/`...), person...), '@'), s.cfg.Tenant...)
	return append(append(b, `/messages/`...), id...)
}

// envelope is the body of a POST: resource data are encrypted now, each for its own subscription, and vouched for by one token
// for each application.
func (s *Sim) envelope(batch []*notice) ([]byte, error) {
	size := 64
	for _, n := range batch {
		size += len(n.head) + len(n.tail) + 2*len(n.plain) + 1
	}
	b := append(make([]byte, 0, size), `{"value":[`...)
	var apps []string
	for i, n := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, n.head...)
		if n.plain != nil {
			var err error
			if b, err = n.lock.encrypt(b, n.plain); err != nil {
				return nil, err
			}
		}
		b = append(b, n.tail...)
		if n.sub.rich && n.lifecycle == "" && !slices.Contains(apps, n.sub.app) {
			apps = append(apps, n.sub.app)
		}
	}
	b = append(b, ']')
	if len(apps) > 0 {
		list := make([]string, len(apps))
		for i, app := range apps {
			var err error
			if list[i], err = s.validationToken(app); err != nil {
				return nil, err
			}
		}
		b = appendJSON(append(b, `,"validationTokens":`...), list)
	}
	return append(b, '}'), nil
}
