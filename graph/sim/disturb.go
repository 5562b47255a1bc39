package sim

import (
	"time"
)

// disturbed lets the faults of notifications happen to one; true where it goes no further. The caller holds hook.mu.
func (s *Sim) disturbed(sub *subscription, n *notice, now time.Time) bool {
	h := &s.hook
	for _, f := range s.faults.hits(s.resourcePath(sub)) {
		switch f.Kind {
		case NoticeLost:
			h.sums.Lost++
			s.struckNotice("notification.lost", sub, n)
			return true
		case NoticeRepeated:
			h.sums.Repeated++
			again := *n
			s.struckNotice("notification.repeated", sub, n)
			s.enqueue(&again, now)
		case NoticeDelayed:
			n.due = n.due.Add(time.Duration(f.Delay))
		case NoticeGarbage:
			s.enqueue(&notice{sub: sub, url: n.url, raw: append(append([]byte{}, n.head...), `,"value":[{`...), first: now, due: now}, now)
		case NoticeOvertaken:
			if e := h.endpoint(n.url); e.held == nil && !n.due.After(now) {
				e.held = n
				return true
			}
		}
	}
	return false
}

// resourcePath is the path that a fault of notifications names a subscription by.
func (s *Sim) resourcePath(sub *subscription) string {
	switch t := sub.target; t.kind {
	case ofUsers:
		return "users"
	case ofGroups:
		return "groups"
	default:
		return "users/" + s.world.seed.guid(askUser, t.box) + "/messages"
	}
}

func (s *Sim) struckNotice(what string, sub *subscription, n *notice) {
	if err := s.tell(Truth{Change: what, ID: sub.id, By: "fault", Of: []int{n.of}}); err != nil {
		s.log.Error("the truth cannot be written", "error", err)
	}
}
