package server

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// TestLoopsOneAfterTheOther: of a key no two run at once, however long the last takes to end, and the version that is wanted
// last is the one that runs.
func TestLoopsOneAfterTheOther(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var l loops
	var at atomic.Int32
	began := make(chan int)
	end := make(chan struct{})
	want := func(version int) map[string]wish {
		return map[string]wish{"a": {fmt.Sprint(version), func(ctx context.Context) {
			if ctx.Err() != nil {
				return // it was never its turn
			}
			if at.Add(1) != 1 {
				t.Errorf("version %d began beside another", version)
			}
			began <- version
			<-ctx.Done()
			<-end
			at.Add(-1)
		}}}
	}
	l.keep(ctx, want(1))
	l.keep(ctx, want(1))
	if v := <-began; v != 1 {
		t.Fatalf("version %d began, want 1", v)
	}
	l.keep(ctx, want(2))
	l.keep(ctx, nil) // paused, and resumed as it was
	l.keep(ctx, want(2))
	select {
	case v := <-began:
		t.Errorf("version %d began before the last had ended", v)
	case end <- struct{}{}:
		if v := <-began; v != 2 {
			t.Errorf("version %d began, want 2", v)
		}
	}
	stop()
	end <- struct{}{}
	l.all.Wait()
	l.keep(ctx, nil)
	if n := len(l.running); n != 0 {
		t.Errorf("%d are still known", n)
	}
}
