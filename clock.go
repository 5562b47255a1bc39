package tocsin

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time; nothing else in Tocsin asks for it, except TLS, tokens and timeouts.
// The zero value is the system's clock. Advance moves it ahead, for tests of the whole server.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
	moved chan struct{}
}

// Now is the time, in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead).UTC()
}

// Advance moves the clock ahead by d and wakes whoever waits.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	if c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
}

// Until waits until the clock shows t, or ctx ends; it returns ctx's error then.
func (c *Clock) Until(ctx context.Context, t time.Time) error {
	for {
		c.mu.Lock()
		left := t.Sub(time.Now().Add(c.ahead))
		if c.moved == nil {
			c.moved = make(chan struct{})
		}
		moved := c.moved
		c.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-moved:
			timer.Stop()
		}
	}
}

// Sleep waits for d by the clock, or until ctx ends.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	return c.Until(ctx, c.Now().Add(d))
}

// Millis is t as the tables hold it: Unix milliseconds; zero for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the time that the tables hold as ms; the zero time for zero.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
