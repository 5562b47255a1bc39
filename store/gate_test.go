package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestPeopleFirst: people's writes go ahead of folds that came before them, but not for ever.
func TestPeopleFirst(t *testing.T) {
	var g gate
	ctx := t.Context()
	if err := g.enter(ctx); err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 32)
	queue := func(name string, ctx context.Context) {
		before := len(g.people) + len(g.patient)
		go func() {
			if g.enter(ctx) == nil {
				order <- name
				g.leave()
			}
		}()
		for now := before; now == before; time.Sleep(time.Millisecond) {
			g.mu.Lock()
			now = len(g.people) + len(g.patient)
			g.mu.Unlock()
		}
	}
	queue("f", Patient(ctx))
	queue("f", Patient(ctx))
	for range overtake + 3 {
		queue("p", ctx)
	}
	g.leave()
	var got strings.Builder
	for range overtake + 5 {
		got.WriteString(<-order)
	}
	if want := strings.Repeat("p", overtake) + "f" + "ppp" + "f"; got.String() != want {
		t.Fatalf("in order %s; want %s", got.String(), want)
	}
}

func TestGateGivesUp(t *testing.T) {
	var g gate
	if err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- g.enter(ctx) }()
	end()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	g.leave()
	if err := g.enter(t.Context()); err != nil || len(g.people) != 0 {
		t.Fatalf("the gate stays shut: %v, %d wait", err, len(g.people))
	}
}
