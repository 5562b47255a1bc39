package store

import (
	"context"
	"sync"
)

type patience struct{}

// Patient marks the writes made under ctx as a machine's: on SQLite, which has one writer, those of people go ahead of
// them. Folds, syncs and sweeps run under it.
func Patient(ctx context.Context) context.Context { return context.WithValue(ctx, patience{}, true) }

// gate lets one in at a time, in the order of coming, except that the patient let others ahead: up to overtake in a row.
type gate struct {
	mu       sync.Mutex
	busy     bool
	overtook int
	people   []chan struct{}
	patient  []chan struct{}
}

const overtake = 8

// enter waits for the turn, or until ctx ends. Who came in must leave.
func (g *gate) enter(ctx context.Context) error {
	g.mu.Lock()
	if !g.busy {
		g.busy = true
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	line := &g.people
	if ctx.Value(patience{}) != nil {
		line = &g.patient
	}
	*line = append(*line, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	for i, c := range *line {
		if c == turn {
			*line = append((*line)[:i], (*line)[i+1:]...)
			g.mu.Unlock()
			return ctx.Err()
		}
	}
	g.mu.Unlock()
	g.leave() // the turn came in the same moment
	return ctx.Err()
}

// leave gives the turn on.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	line := &g.people
	if len(g.people) == 0 || (len(g.patient) > 0 && g.overtook >= overtake) {
		line = &g.patient
	}
	if len(*line) == 0 {
		g.busy, g.overtook = false, 0
		return
	}
	if line == &g.people && len(g.patient) > 0 {
		g.overtook++
	} else {
		g.overtook = 0
	}
	turn := (*line)[0]
	*line = (*line)[1:]
	close(turn)
}
