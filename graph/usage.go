package graph

import "time"

// Use is how much of a limit is used, for metrics and pages.
type Use struct {
	Limit     string        // all, mailbox, directory, reports, protection
	Of        int           // the limit: requests, or resource units for directory
	In        time.Duration // its window
	Used      int           // in the window that runs; of the busiest mailbox for mailbox
	Spent     int64         // since the client was made
	Waits     int64         // calls held back
	Waited    time.Duration // how long, together
	Refused   int64         // calls given back as Throttled by us
	Throttled int64         // 429s received
	Blocked   time.Duration // how long a 429 still keeps calls off
	Mailboxes int           // that are remembered
}

// Usage tells of every limit. The limit of the whole app counts every client that shares it.
func (c *Client) Usage() []Use { return c.limits.usage() }

func (l *limiter) usage() []Use {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().UnixNano()
	l.sweep(now)
	l.all.mu.Lock()
	all := l.all.use("all", l.lim.Window, now)
	l.all.mu.Unlock()
	return []Use{
		all,
		l.boxUse(now),
		l.byKind[Directory].use("directory", l.lim.DirectoryWindow, now),
		l.byKind[Report].use("reports", l.lim.ReportsWindow, now),
		l.byKind[Protection].use("protection", l.lim.ProtectionWindow, now),
	}
}

func (s *scope) use(name string, in time.Duration, now int64) Use {
	s.roll(now, s.width)
	u := s.tally.use()
	u.Limit, u.Of, u.In, u.Used, u.Blocked = name, s.limit, in, s.sum(), max(time.Duration(s.blocked-now), 0)
	return u
}

func (t *tally) use() Use {
	return Use{Spent: t.spent, Waits: t.waits, Waited: t.waited, Refused: t.refused, Throttled: t.throttled}
}

func (l *limiter) boxUse(now int64) Use {
	u := l.boxTally.use()
	u.Limit, u.Of, u.In, u.Mailboxes = "mailbox", l.lim.MailboxRequests, l.lim.MailboxWindow, len(l.boxes)
	for _, b := range l.boxes {
		b.roll(now, l.boxWidth)
		u.Used = max(u.Used, b.sum())
		u.Blocked = max(u.Blocked, time.Duration(b.blocked-now))
	}
	return u
}
