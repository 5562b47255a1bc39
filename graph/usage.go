package graph

import (
	"maps"
	"slices"
	"time"
)

// Use is how much of a limit is used, for metrics and pages.
type Use struct {
	Limit     string        // all, directory, directory-writes, …, mailbox, mailbox-at-once, mailbox-upload
	Kind      Kind          // whose calls count; Other for all
	Level     string        // who shares it: app and tenant, app, tenant, mailbox
	Unit      string        // requests, units, bytes, or places for those at once
	Of        int           // the limit
	In        time.Duration // its window; 0 for those at once
	Used      int           // in the window that runs; of the busiest mailbox for a mailbox's
	Spent     int64         // since the process began
	Waiting   int           // calls held back now
	Waits     int64         // calls held back
	Waited    time.Duration // how long, together
	Refused   int64         // calls given back as Throttled by us
	Throttled int64         // 429s received
	Blocked   time.Duration // how long a 429 still keeps calls off
	Careful   time.Duration // how long a warning of Graph's still keeps the background below Caution
	Mailboxes int           // that are remembered
	Mailbox   string        // the user's id of the busiest; empty where it is not known by its id, and for those at once
	Last      *Refusal      // the last 429
}

// Usage tells of every limit that the client's calls count in, with what others use of it that share it.
func (c *Client) Usage() []Use { return c.limits.usage() }

// Users says how many users the tenant has, or at least has: it decides how many resource units Microsoft gives. Until it is
// known the tenant counts as small.
func (c *Client) Users(n int) { c.limits.users(n) }

// PairUse is what an app uses in a tenant.
type PairUse struct {
	App, Tenant string
	Limits      []Use
}

// Usage tells of every limit of every app in every tenant, in their order.
func (sh *Shared) Usage() []PairUse {
	sh.mu.Lock()
	pairs := slices.Sorted(maps.Keys(sh.pairs))
	list := make([]*limiter, len(pairs))
	for i, k := range pairs {
		list[i] = sh.pairs[k]
	}
	sh.mu.Unlock()
	out := make([]PairUse, len(list))
	for i, l := range list {
		out[i] = PairUse{App: l.app, Tenant: l.tenant, Limits: l.usage()}
	}
	return out
}

// Of tells of every limit of an app in a tenant.
func (sh *Shared) Of(cloud Cloud, app, tenant string) []Use { return sh.of(cloud, app, tenant).usage() }

func (l *limiter) usage() []Use {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().UnixNano()
	l.sweep(now)
	out := make([]Use, 0, number+3)
	for b, s := range l.scopes {
		k := budgets[b]
		_, span := k.of(&l.lim)
		s.roll(now, s.width)
		u := s.tally.use()
		u.Kind, u.Level, u.Unit, u.Of, u.In, u.Used = k.kind, k.level.String(), "requests", s.limit, span, s.sum()+s.pending
		u.Blocked, u.Careful = max(time.Duration(s.blocked-now), 0), max(time.Duration(s.careful-now), 0)
		if k.units {
			u.Unit = "units"
		}
		if budget(b) == all {
			u.Blocked = max(u.Blocked, time.Duration(l.blocked-now))
		}
		out = append(out, u)
	}
	out = append(out, l.boxUses(now)...)
	for i := range out {
		if r, ok := l.last[out[i].Limit]; ok {
			out[i].Last = &r
		}
	}
	return out
}

func (t *tally) use() Use {
	return Use{Limit: t.name, Spent: t.spent, Waiting: t.waiting, Waits: t.waits, Waited: t.waited, Refused: t.refused, Throttled: t.throttled}
}

// boxUses are the mailboxes' limits, each of the mailbox that is nearest to it.
func (l *limiter) boxUses(now int64) []Use {
	in, once, upload := l.boxTally.use(), l.onceTally.use(), l.uploadTally.use()
	in.Unit, in.Of, in.In, in.Mailboxes = "requests", l.lim.MailboxRequests, l.lim.MailboxWindow, len(l.boxes)
	upload.Unit, upload.Of, upload.In, upload.Mailboxes = "bytes", l.lim.MailboxUpload, l.lim.MailboxUploadWindow, len(l.uploads)
	in.Blocked = max(time.Duration(l.boxBlocked-now), 0)
	once.Unit, once.Of, once.Spent = "places", l.lim.MailboxConcurrent, in.Spent
	for n, boxes := range l.atOnce {
		if boxes > 0 {
			once.Used = max(once.Used, int(n))
		}
	}
	for _, u := range []struct {
		to  *Use
		top *busiest
		of  func(boxKey) int
	}{{&in, &l.byRequests, l.requestsOf}, {&upload, &l.byBytes, l.bytesOf}} {
		key, used := u.top.top(u.of)
		u.to.Used, u.to.Mailbox = used, key.String()
	}
	out := []Use{in, once, upload}
	for i := range out {
		out[i].Kind, out[i].Level = Mailbox, "mailbox"
	}
	return out
}
