package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"tocsin.dev/journal"
)

// TestGather: what comes by ones is folded at once, what comes all at a time soon, and only of what keeps on coming fast a second's is
// folded together.
func TestGather(t *testing.T) {
	for name, c := range map[string]struct {
		at    func(beat int) int // how many come at once, after 40 ms, and then every 50
		want  int
		after time.Duration
	}{
		"one":                        {func(beat int) int { return max(0, 1-beat) }, 1, 50 * time.Millisecond},
		"one by one":                 {func(int) int { return 1 }, 2, 50 * time.Millisecond},
		"a campaign":                 {func(beat int) int { return 300 * max(0, 1-beat) }, 300, 200 * time.Millisecond},
		"less than is waited for":    {func(int) int { return 99 }, 198, 50 * time.Millisecond},
		"a stream":                   {func(int) int { return 250 }, 21 * 250, time.Second},
		"a stream that ends":         {func(beat int) int { return 250 * max(0, min(1, 8-beat)) }, 8 * 250, 400 * time.Millisecond},
		"what waited, and then less": {func(beat int) int { return 500*max(0, 1-beat) + 75*min(1, beat) }, 800, 200 * time.Millisecond},
		"more than a run may have":   {func(int) int { return 2000 }, 8000, 140 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stint{Reader: &Reader{MaxRun: 8000, MaxTime: 50 * time.Millisecond}}
				found := make(chan finding)
				done := make(chan struct{})
				go func() {
					for beat := 0; ; beat++ {
						for range c.at(beat) {
							select {
							case found <- finding{entry: journal.Entry{}}:
							case <-done:
								return
							}
						}
						select {
						case <-time.After(time.Duration(50-10*max(0, 1-beat)) * time.Millisecond):
						case <-done:
							return
						}
					}
				}()
				began := time.Now()
				run, err := s.gather(t.Context(), found)
				close(done)
				if took := time.Since(began); err != nil || len(run) != c.want || took != c.after {
					t.Errorf("%d after %v, %v; want %d after %v", len(run), took, err, c.want, c.after)
				}
			})
		})
	}
}

// TestGatherOfFew: a run that may not have many does not wait for them.
func TestGatherOfFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stint{Reader: &Reader{MaxRun: 10, MaxTime: 50 * time.Millisecond}}
		found := make(chan finding, 1)
		found <- finding{}
		began := time.Now()
		if run, err := s.gather(t.Context(), found); err != nil || len(run) != 1 || time.Since(began) != 50*time.Millisecond {
			t.Errorf("%d after %v, %v", len(run), time.Since(began), err)
		}
	})
}
