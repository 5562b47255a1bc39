package connect

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tocsin.dev/graph"
)

// TestOf: while somebody waits for tables that do not answer, whose app it is is answered all the same: as it was known, or that
// nobody can say.
func TestOf(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		tenant, app := string(c.Tenant), strings.ToLower(c.Client)
		b.s.mu.Lock()
		is, err := b.s.Of(b.Context(), tenant, app)
		b.s.mu.Unlock()
		if is != nil || !errors.Is(err, context.DeadlineExceeded) {
			b.Fatalf("nobody can say, and it says %v, %v", is, err)
		}
		of := func(app string) (is *graph.Client, err error) {
			for range 20 { // it gives itself two seconds each time, which this machine may need for itself
				if is, err = b.s.Of(b.Context(), tenant, app); err == nil {
					break
				}
			}
			return is, err
		}
		had, err := of(app)
		if had == nil || err != nil {
			b.Fatalf("it says %v, %v", had, err)
		}
		due := func() {
			b.s.knowing.Lock()
			defer b.s.knowing.Unlock()
			for key, k := range b.s.known {
				k.again = k.found
				b.s.known[key] = k
			}
		}
		b.s.mu.Lock()
		for range 3 {
			if is, err := b.s.Of(b.Context(), tenant, app); is != had || err != nil {
				b.Errorf("it was known, and it says %v, %v", is, err)
			}
			due()
		}
		b.s.mu.Unlock()
		if is, err := of("00000000-0000-4000-8000-000000000000"); is != nil || err != nil {
			b.Errorf("another app: %v, %v", is, err)
		}
		if err := b.s.Delete(b.Context(), "test", c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		if is, err := of(app); is != nil || err != nil {
			b.Errorf("it is not connected any more, and it says %v, %v", is, err)
		}
	})
}
