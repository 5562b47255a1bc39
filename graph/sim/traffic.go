package sim

import (
	"slices"
	"time"

	"tocsin.dev"
)

// Traffic makes so many changes of everyday mail at once, or a few more: mail from outside and among colleagues, read,
// flagged, filed and thrown away. The same world does the same in the same order. It is what Rate does in Run.
func (s *Sim) Traffic(changes int) error {
	for changes > 0 {
		n, err := s.chat()
		if err != nil {
			return err
		}
		changes -= n
	}
	return nil
}

// chat is the next step of everyday traffic; it gives how many changes of mailboxes that were.
func (s *Sim) chat() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.world
	p := s.talker()
	if p == nil {
		return 1, nil // a world without mailboxes stays silent
	}
	h := w.seed.at(askMail+4001, s.chats)
	now := s.clock.Now()
	b := w.open(p)
	if h%10 >= 6 {
		if m := b.recent(h >> 8); m != nil {
			return s.handled(h, now, p, m)
		}
	}
	if h%10 < 4 {
		g := h
		if k, known := circle(h); known {
			g = w.seed.at(askMail+4002, p.i<<8|k)
		}
		first, last := firstNames[g>>8%uint64(len(firstNames))], lastNames[g>>20%uint64(len(lastNames))]
		from := tocsin.Address{Name: first + " " + last, Address: local(first) + "." + local(last) + "@" + outsiders[g>>32%uint64(len(outsiders))]}
		m := &message{folder: inbox, from: from, to: []tocsin.Address{{Name: p.display, Address: p.mail}}, subject: subjects[h>>40%uint64(len(subjects))],
			received: now, sent: now, modified: now, attached: h>>50%5 == 0, importance: weights[h>>54%uint64(len(weights))]}
		w.stamp(m)
		return 1, s.came("traffic", "received", now, p, m)
	}
	q := s.talker()
	if k, known := circle(h); known {
		q = s.colleague(p, k, q)
	}
	to := tocsin.Address{Name: q.display, Address: q.mail}
	if h>>8%3 == 0 {
		to = tocsin.Address{Address: "orders@" + outsiders[h>>32%uint64(len(outsiders))]}
	}
	m := message{folder: sentItems, read: true, from: tocsin.Address{Name: p.display, Address: p.mail}, to: []tocsin.Address{to}, subject: subjects[h>>40%uint64(len(subjects))],
		received: now, sent: now, modified: now}
	changes := 2
	if to.Name == "" {
		changes = 1
	}
	return changes, s.sent("traffic", now, p, m)
}

// weights are how important mail is.
var weights = []string{"normal", "normal", "normal", "normal", "normal", "normal", "normal", "high", "high", "low"}

// talker is somebody with a mailbox in use; nil where there is nobody.
func (s *Sim) talker() *person {
	for range 1000 {
		s.chats++
		if p := s.acquainted(int(s.world.seed.at(askMail+4000, s.chats) % uint64(s.among()))); p.talks() {
			return p
		}
	}
	return nil
}

// colleague is the one of those with whom a person mostly writes, or else where there is none.
func (s *Sim) colleague(p *person, k int, other *person) *person {
	for ; k < 256; k += circles {
		if q := s.acquainted(int(s.world.seed.at(askMail+4003, p.i<<8|k) % uint64(s.among()))); q.talks() && q.i != p.i {
			return q
		}
	}
	return other
}

// among is how many people everyday traffic is of.
func (s *Sim) among() int {
	if n := s.world.users; s.cfg.Active == 0 || n < s.cfg.Active {
		return max(1, n)
	}
	return s.cfg.Active
}

// talks says whether everyday traffic is of him.
func (p *person) talks() bool {
	return p != nil && p.kind == employee && p.hasBox() && p.enabled && !p.scopedOut
}

// acquainted is the person, remembered where nothing of him was ever changed: to make him anew for each mail costs more
// than the mail.
func (s *Sim) acquainted(i int) *person {
	if _, changed := s.world.changed[i]; changed || i >= s.world.users {
		return s.world.person(i)
	}
	p := s.talkers[i]
	if p == nil && i < s.world.users {
		p = s.world.person(i)
		s.talkers[i] = p
	}
	return p
}

// recent is one of the last messages of the mailbox; nil where the one chosen is gone or was thrown away.
func (b *mailbox) recent(h uint64) *message {
	if len(b.messages) == 0 {
		return nil
	}
	m := b.messages[len(b.messages)-1-int(h%uint64(min(20, len(b.messages))))]
	if m.gone || m.folder == deleted && h%8 != 0 {
		return nil
	}
	return m
}

// handled lets a person do something with a mail: mostly read it.
func (s *Sim) handled(h uint64, now time.Time, p *person, m *message) (int, error) {
	const by = "traffic"
	switch k := h >> 16 % 20; {
	case m.folder == deleted:
		return 1, s.purged(by, "purged", now, p, m)
	case !m.read && k < 14:
		return 1, s.touched(by, "read", now, p, m, func(m *message) { m.read = true })
	case k < 5 && m.flag == "":
		return 1, s.touched(by, "flagged", now, p, m, func(m *message) { m.flag = "flagged" })
	case k < 8 && m.flag != "":
		return 1, s.touched(by, "unflagged", now, p, m, func(m *message) { m.flag = "" })
	case k < 9:
		return 1, s.touched(by, "categorised", now, p, m, func(m *message) { m.categories = append(slices.Clip(m.categories[:0]), "Red category") })
	case k < 11 && m.folder == inbox:
		return 2, s.answered(by, now, p, m, verbReply, answerers(m, p.mail, false))
	case k < 16:
		to := archive
		if m.folder == archive {
			to = inbox
		}
		return 1, s.moved(by, "moved", now, p, m, to, nil)
	}
	return 1, s.discarded(by, now, p, m)
}

// circles is with how many colleagues, and as many outside, a person mostly writes.
const circles = 16

// circle is which of them it is, the first most of all; one time in eight it is none of them. See TestTrafficIsAmongAcquaintances for
// what that is measured against.
func circle(h uint64) (k int, known bool) {
	u := float64(h>>5&0xfff) / 4096
	return int(u * u * u * circles), h>>57%8 != 0
}
