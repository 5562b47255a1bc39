package journal

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// payload is an item with a body of half a kilobyte, as a notification has.
func payload() Item {
	item := numbered("amy", 1)
	item.Body = json.RawMessage(`"` + strings.Repeat("x", 510) + `"`)
	return item
}

// BenchmarkAppend has 64 callers append an item each; ratio is how many times more items a second that is than one
// message for each of the same callers, measured just before it.
func BenchmarkAppend(b *testing.B) {
	j := start(b, Config{Dir: b.TempDir()})
	item := payload()
	plain := rate(b, 2000, func() error {
		_, err := j.js.Publish(b.Context(), j.parts[0].name, sealed(item))
		return err
	})
	b.ResetTimer()
	b.SetParallelism(32) // times GOMAXPROCS; 64 on two cores
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := j.Append(b.Context(), item); err != nil {
				b.Error(err)
			}
		}
	})
	items := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(items, "items/s")
	b.ReportMetric(plain, "plain/s")
	b.ReportMetric(items/plain, "ratio")
	b.ReportMetric(float64(j.parts[0].items.Load())/float64(j.parts[0].envelopes.Load()), "items/envelope")
}

// BenchmarkGather has posts of ten items come one after the other, 500 a second, as at 5,000 notifications a second.
func BenchmarkGather(b *testing.B) {
	for _, by := range []struct {
		name string
		do   func(*Journal, ...Item) error
	}{{"gathered", func(j *Journal, items ...Item) error {
		g, err := j.Gather(items...)
		return errors.Join(err, g.Stored())
	}}, {"at once", func(j *Journal, items ...Item) error { return j.Append(b.Context(), items...) }}} {
		b.Run(by.name, func(b *testing.B) {
			j := start(b, Config{Dir: b.TempDir()})
			items := slices.Repeat([]Item{payload()}, 10)
			began, before := time.Now(), spent(b)
			var all sync.WaitGroup
			n := 0
			for b.Loop() {
				time.Sleep(time.Until(began.Add(time.Duration(n) * 2 * time.Millisecond)))
				n++
				all.Go(func() {
					if err := by.do(j, items...); err != nil {
						b.Error(err)
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64((spent(b)-before).Nanoseconds())/1000/float64(n*len(items)), "cpu-µs/item")
			b.ReportMetric(float64(j.parts[0].items.Load())/float64(j.parts[0].envelopes.Load()), "items/envelope")
		})
	}
}

// spent is how much processor time this process took so far.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rate is how often a second 64 goroutines do something, n times in all.
func rate(b *testing.B, n int, do func() error) float64 {
	b.Helper()
	tickets, errs := make(chan struct{}, n), make(chan error)
	for range n {
		tickets <- struct{}{}
	}
	close(tickets)
	began := time.Now()
	for range 64 {
		go func() {
			for range tickets {
				if err := do(); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 64 {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}

func BenchmarkRead(b *testing.B) {
	j := start(b, Config{Dir: b.TempDir()})
	items := make([]Item, maxCount)
	for i := range items {
		items[i] = payload()
	}
	for n := 0; n < b.N; n += len(items) {
		appendAll(b, j, items...)
	}
	b.ResetTimer()
	n := 0
	for _, err := range j.Read(b.Context(), 0, Position{}) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n == b.N {
			break
		}
	}
}

func BenchmarkEnvelope(b *testing.B) {
	item := payload()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := open(sealed(item)); err != nil {
			b.Fatal(err)
		}
	}
}
