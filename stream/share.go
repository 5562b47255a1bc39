package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tocsin.dev/store"
)

// ErrShare says that a lease is given up because another replica, which has fewer, is to have it.
var ErrShare = errors.New("another replica is to have it: they are shared out evenly")

// Share shares leases out evenly among replicas: whoever has its part takes no more, and whoever has more, since another
// replica came, gives some up. Each replica says by a lease of its own that it is there (GROUP@OWNER). A lease that nobody
// took for as long as one lasts is anybody's, so one that says it is there and does not work keeps nothing from being done.
//
// It is needed on PostgreSQL only; on SQLite there is one server, and that may have all.
type Share struct {
	Store *store.Store
	Group string // of the leases: what is shared
	Owner string
	For   time.Duration // how long a lease lasts that is not renewed
	Able  func() bool   // nil: always. Whoever is not able keeps away and gives up what it has
	Log   *slog.Logger

	mu      sync.Mutex
	members int // the able ones, as seen last; 0: not yet
	wanted  map[string]*wanted
}

// wanted is a lease that is shared.
type wanted struct {
	held   bool
	giveUp context.CancelCauseFunc
	taken  bool      // by anybody, when it was last seen
	free   time.Time // since when nobody has it; zero: somebody does
}

// Run says that this replica is there, and looks who else is, until ctx ends.
func (s *Share) Run(ctx context.Context) {
	if s.Store.Kind() == "sqlite" {
		s.mu.Lock()
		s.members = 1
		s.mu.Unlock()
		<-ctx.Done()
		return
	}
	for ok := true; ok; ok = sleep(ctx, s.For/4) {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("it was not seen which replicas there are; it is tried again", "of", s.Group, "err", err)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.Store.Withdraw(last, s.name(), s.Owner); err != nil {
		s.Log.Warn("this replica could not say that it goes; the others see it by themselves", "of", s.Group, "err", err)
	}
}

func (s *Share) name() string { return s.Group + "@" + s.Owner }

// look says that this replica is there, counts the members, and gives up what is too much.
func (s *Share) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.For/2)
	defer cancel()
	able := s.Able == nil || s.Able()
	if able {
		if _, _, err := s.Store.Lease(ctx, s.name(), s.Owner, s.For); err != nil {
			return fmt.Errorf("say that this replica is there: %w", err)
		}
	} else if err := s.Store.Withdraw(ctx, s.name(), s.Owner); err != nil {
		return err
	}
	leases, err := s.Store.Leases(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = 0
	taken := map[string]bool{}
	for _, l := range leases {
		if strings.HasPrefix(l.Name, s.Group+"@") {
			s.members++
		}
		taken[l.Name] = true
	}
	now, held := time.Now(), 0
	for name, w := range s.wanted {
		switch {
		case taken[name]:
			w.free = time.Time{}
		case w.free.IsZero():
			w.free = now
		}
		if w.held {
			held++
		}
	}
	most := 0
	if able {
		most = s.fair()
	}
	for _, w := range s.wanted {
		if held <= most {
			break
		}
		if w.held {
			w.giveUp(ErrShare)
			held--
		}
	}
	return nil
}

// fair is how many leases this replica may have. mu is held.
func (s *Share) fair() int {
	if s.members < 2 {
		return len(s.wanted)
	}
	return (len(s.wanted) + s.members - 1) / s.members
}

// Want names a lease that is shared. May says whether this replica may take it now.
func (s *Share) Want(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted == nil {
		s.wanted = map[string]*wanted{}
	}
	if s.wanted[name] == nil {
		s.wanted[name] = &wanted{}
	}
}

// Forget ends Want, unless the lease is held.
func (s *Share) Forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.wanted[name]; w != nil && !w.held {
		delete(s.wanted, name)
	}
}

// May says whether this replica may take a lease that it wants; if so, it counts as taken until [Share.Gone].
func (s *Share) May(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.wanted[name]
	if w == nil || w.held || s.members == 0 || s.Able != nil && !s.Able() {
		return false
	}
	held := 0
	for _, w := range s.wanted {
		if w.held {
			held++
		}
	}
	if held >= s.fair() && (w.free.IsZero() || time.Since(w.free) < s.For) {
		return false
	}
	w.held, w.giveUp = true, func(error) {}
	return true
}

// Took gives a context that ends with ErrShare as its cause when the lease is to be given up.
func (s *Share) Took(ctx context.Context, name string) (context.Context, context.CancelCauseFunc) {
	ctx, giveUp := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.wanted[name]; w != nil {
		w.giveUp = giveUp
	}
	return ctx, giveUp
}

// Gone says that this replica does not have the lease, or no longer.
func (s *Share) Gone(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.wanted[name]; w != nil {
		w.held, w.giveUp, w.free = false, nil, time.Time{}
	}
}

// Members is how many replicas share, as seen last; 0: that is not known yet.
func (s *Share) Members() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members
}
