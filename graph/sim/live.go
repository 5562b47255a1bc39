package sim

import (
	"context"
	"sync"
	"time"

	"tocsin.dev"
)

// Run keeps the tenant alive until ctx ends: stories of a living world begin, acts come as the clock passes them (they
// also do whenever somebody asks), and people write each other at the configured rate. Serve runs it by itself.
func (s *Sim) Run(ctx context.Context) error {
	if s.cfg.Live && s.began.CompareAndSwap(false, true) {
		for _, st := range s.cfg.Stories {
			if err := s.Live(st, s.cfg.Over); err != nil {
				return err
			}
		}
	}
	ctx, stop := context.WithCancel(ctx)
	var carrier sync.WaitGroup
	defer carrier.Wait()
	defer stop()
	carrier.Go(func() { s.deliver(ctx) })
	const beat = 20 * time.Millisecond
	owed, beats := 0.0, 0
	for n := 0; s.clock.Sleep(ctx, beat) == nil; {
		s.catchUp()
		if beats++; beats%50 == 0 {
			s.hook.release()
		}
		for owed += s.cfg.Rate * beat.Seconds(); owed >= 1; owed-- {
			if err := s.chat(n); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}

// chat is the n-th mail of the everyday traffic: one person writes to a colleague, or hears from outside.
func (s *Sim) chat(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.world
	h := w.seed.at(askMail+4000, n)
	p := w.person(int(h % uint64(max(1, w.users))))
	if p == nil || p.kind != employee || !p.hasBox() || !p.enabled || p.scopedOut {
		return nil
	}
	now := s.clock.Now().Truncate(time.Second)
	me := tocsin.Address{Name: p.display, Address: p.mail}
	from := w.correspondent(h>>16, p)
	m := message{folder: inbox, from: from, to: []tocsin.Address{me}, subject: subjects[h>>40%uint64(len(subjects))], received: now, sent: now, modified: now}
	if q := w.find(from.Address); q != nil && q.hasBox() {
		m.folder, m.read = sentItems, true
		return s.sent("traffic", now, q, m)
	}
	return s.came("traffic", "received", now, p, &m)
}

// Access is how the in-process client (Client) reaches the tenant; it has neither control nor CA.
func (s *Sim) Access() *Running {
	return &Running{Graph: Address, Authority: Address, Tenant: s.cfg.Tenant, ClientID: s.app.id, ClientSecret: s.Secret()}
}

// Throttled is how many answers of 429 were given.
func (s *Sim) Throttled() int64 { return s.counts.throttled.Load() }
