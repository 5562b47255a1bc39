package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

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
	defer s.overdue()
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
