package sim

import (
	"container/heap"
	"fmt"
	"time"
)

// health is how quick an address answers. The slow share of ten minutes decides: above a tenth notifications come ten
// seconds late, above 15 in a hundred new ones are thrown away for ten minutes, and nobody gets them back.
// See https://learn.microsoft.com/graph/change-notifications-delivery-webhooks.
type health struct {
	since       time.Time // of the window
	all, slow   int
	late, throw time.Time // until when
}

const (
	healthWindow = 10 * time.Minute
	healthLeast  = 10 // answers, before a share says anything
)

// answered notes an answer. Whatever was slow makes what follows slow, or thrown away.
func (h *health) answered(now time.Time, slow bool) {
	if now.Sub(h.since) > healthWindow {
		h.since, h.all, h.slow = now, 0, 0
	}
	h.all++
	if slow {
		h.slow++
	}
	if h.all < healthLeast {
		return
	}
	if h.slow*100 > 10*h.all {
		h.late = now.Add(healthWindow)
	}
	if h.slow*100 > 15*h.all {
		h.throw = now.Add(healthWindow)
	}
}

// authorizedUntil is how long a token that was shown now keeps a subscription alive; zero for ever.
func (s *Sim) authorizedUntil() time.Time {
	if d := time.Duration(s.hook.how.Authorized); d > 0 {
		return s.clock.Now().Add(d)
	}
	return time.Time{}
}

// asks is when reauthorization is to be asked for: a quarter of the token's life ahead. Only who can be asked is asked, and
// only who was asked is cut off.
func (sub *subscription) asks() time.Time {
	if sub.lifecycle == "" || sub.authorized.IsZero() {
		return time.Time{}
	}
	if sub.asked {
		return sub.authorized
	}
	return sub.authorized.Add(-15 * time.Minute)
}

// cutOff says whether the token behind the subscription has ended.
func (sub *subscription) cutOff(now time.Time) bool {
	return sub.lifecycle != "" && !sub.authorized.IsZero() && !now.Before(sub.authorized)
}

// remind asks for reauthorization where it is time, and notes when to look again. The caller holds hook.mu.
func (s *Sim) remind(now time.Time) {
	h := &s.hook
	h.ends = time.Time{}
	for _, sub := range h.living() {
		if at := sub.asks(); !at.IsZero() && !sub.asked && !now.Before(at) {
			sub.asked = true
			s.lifecycle(sub, "reauthorizationRequired", now)
		}
		h.soonest(sub)
	}
	if least := now.Add(time.Second); !h.ends.IsZero() && h.ends.Before(least) {
		h.ends = least
	}
}

// lifecycle tells the application what becomes of a subscription, where it gave an address for that. The caller holds
// hook.mu.
func (s *Sim) lifecycle(sub *subscription, event string, now time.Time) {
	if sub.lifecycle == "" {
		return
	}
	body := appendObject(nil, s.lifecycleForm(sub, event))
	h := &s.hook
	h.told++
	s.enqueue(&notice{sub: sub, url: sub.lifecycle, lifecycle: event, head: body, first: now, due: now}, now)
}

// lifecycleForm is the body of a lifecycle event. Three of four are as they come, with organizationId and about the subscription;
// every fourth is as it is documented. See https://github.com/microsoftgraph/msgraph-sdk-dotnet/issues/3103,
// https://github.com/microsoftgraph/msgraph-sdk-java/issues/1551 and
// https://learn.microsoft.com/graph/change-notifications-lifecycle-events#structure-of-a-lifecycle-notification.
func (s *Sim) lifecycleForm(sub *subscription, event string) obj {
	o := obj{{"subscriptionId", sub.id}, {"subscriptionExpirationDateTime", sub.expires.Format(fine)}}
	if sub.clientState != "" {
		o = append(o, member{"clientState", sub.clientState})
	}
	o = append(o, member{"lifecycleEvent", event})
	if s.hook.told%4 == 3 {
		return append(o, member{"tenantId", s.cfg.Tenant})
	}
	return append(o, member{"organizationId", s.cfg.Tenant}, member{"resource", "Subscriptions/" + sub.id}, member{"sequence", nil}, member{"resourceChangeType", nil}, member{"encryptedContent", nil},
		member{"resourceData", obj{{"@odata.type", "#microsoft.graph.subscription"}, {"@odata.id", "subscriptions/" + sub.id}, {"id", sub.id}}})
}

// enqueue sends a notice on its way: at once, or when it is due. The caller holds hook.mu.
func (s *Sim) enqueue(n *notice, now time.Time) {
	h := &s.hook
	switch {
	case n.due.After(now):
		heap.Push(&h.later, n)
		h.schedule()
	case n.lifecycle == "" && n.raw == nil && n.sub.cutOff(now):
		n.waits = true
		s.again(n, "its subscription was not authorized again", now)
	default:
		h.push(n)
	}
}

// promote makes ready what has become due. The caller holds hook.mu.
func (s *Sim) promote(now time.Time) {
	h := &s.hook
	for len(h.later) > 0 && !h.later[0].due.After(now) {
		n := heap.Pop(&h.later).(*notice)
		n.waits = false
		s.enqueue(n, now)
	}
}

// again tries a notice later, for four hours since it was first tried. The caller holds hook.mu.
func (s *Sim) again(n *notice, why string, now time.Time) {
	h := &s.hook
	n.tries++
	wait := min(time.Duration(h.how.Retry)<<min(n.tries-1, 20), time.Duration(h.how.Longest))
	if now.Add(wait).Sub(n.first) > time.Duration(h.how.GiveUp) {
		s.giveUp(n, why)
		return
	}
	n.due = now.Add(wait)
	heap.Push(&h.later, n)
	h.schedule()
}

// giveUp drops a notice for good, and says so once to the subscription's application. The caller holds hook.mu.
func (s *Sim) giveUp(n *notice, why string) {
	h := &s.hook
	h.sums.Dropped++
	line := Truth{Change: "notification.dropped", ID: n.sub.id, By: "delivery", Why: why}
	if n.of > 0 {
		line.Of = []int{n.of}
	}
	if err := s.tell(line); err != nil {
		s.log.Error("the truth cannot be written", "error", err)
	}
	if n.lifecycle == "missed" {
		n.sub.missed = false
	}
	if n.lifecycle == "" && !n.sub.missed {
		n.sub.missed = true
		s.lifecycle(n.sub, "missed", s.clock.Now())
	}
}

// RemoveSubscriptions ends subscriptions as Microsoft does when it pleases: those to a mailbox, or every so-manieth of all
// where mailbox is "". It says so with subscriptionRemoved unless silent, and gives how many it ended.
func (s *Sim) RemoveSubscriptions(mailbox string, every int, silent bool) (int, error) {
	list, err := s.chosen(mailbox, every)
	if err != nil {
		return 0, err
	}
	s.remove(list, silent)
	return len(list), nil
}

func (s *Sim) remove(list []*subscription, silent bool) {
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	now := s.clock.Now()
	for _, sub := range list {
		h.drop(sub)
		if !silent {
			s.lifecycle(sub, "subscriptionRemoved", now)
		}
	}
}

// Lapse ends the tokens behind the chosen subscriptions now: what happens from here on waits until they are reauthorized. It
// concerns only those whose application can be asked.
func (s *Sim) Lapse(mailbox string, every int) (int, error) {
	list, err := s.chosen(mailbox, every)
	if err != nil {
		return 0, err
	}
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	now := s.clock.Now()
	for _, sub := range list {
		if sub.asked = true; sub.lifecycle != "" {
			sub.authorized = now
			s.lifecycle(sub, "reauthorizationRequired", now)
		}
	}
	return len(list), nil
}

// Lifecycle sends an event (reauthorizationRequired, subscriptionRemoved, missed) to the chosen subscriptions' applications,
// whether it is so or not.
func (s *Sim) Lifecycle(event, mailbox string, every int) (int, error) {
	list, err := s.chosen(mailbox, every)
	if err != nil {
		return 0, err
	}
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, sub := range list {
		s.lifecycle(sub, event, s.clock.Now())
	}
	return len(list), nil
}

// chosen are the subscriptions to a mailbox, or every so-manieth.
func (s *Sim) chosen(mailbox string, every int) ([]*subscription, error) {
	box := -1
	if mailbox != "" {
		s.mu.RLock()
		p := s.world.find(mailbox)
		s.mu.RUnlock()
		if p == nil {
			return nil, fmt.Errorf("sim: there is nobody called %q", mailbox)
		}
		box = p.i
	}
	return s.each(box, every), nil
}

// each is every so-manieth of the subscriptions to a mailbox; of all, where the mailbox's number is below zero.
func (s *Sim) each(box, every int) []*subscription {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	list := s.hook.living()
	if box >= 0 {
		list = s.hook.boxes[box]
	}
	var out []*subscription
	for i, sub := range list {
		if every <= 1 || i%every == 0 {
			out = append(out, sub)
		}
	}
	return out
}
