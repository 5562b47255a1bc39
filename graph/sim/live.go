package sim

import (
	"context"
	"sync"
	"time"
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
	last, owed := time.Now(), 0.0 // by the wall clock: a clock that is moved ahead makes nobody write faster
	for n := 1; s.clock.Sleep(ctx, beat) == nil; n++ {
		s.catchUp()
		if n%50 == 0 {
			s.hook.release()
		}
		now := time.Now()
		rate := s.rate()
		owed = min(owed+rate*now.Sub(last).Seconds(), max(rate, 1)) // a pause of more than a second is not made up for
		last = now
		if err := s.Traffic(int(owed)); err != nil {
			return err
		}
		owed -= float64(int(owed))
	}
	return nil
}

// SetRate sets how many changes everyday mail makes in Run, a second, among the first so many people; 0: all.
func (s *Sim) SetRate(changes float64, active int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Rate, s.cfg.Active = changes, active
}

func (s *Sim) rate() float64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cfg.Rate
}

// Access is how the in-process client (Client) reaches the tenant; it has neither control nor CA.
func (s *Sim) Access() *Running {
	return &Running{Graph: Address, Authority: Address, Tenant: s.cfg.Tenant, ClientID: s.app.id, ClientSecret: s.Secret()}
}

// Throttled is how many answers of 429 were given.
func (s *Sim) Throttled() int64 { return s.counts.throttled.Load() }
