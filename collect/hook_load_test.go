package collect

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store/storetest"
)

const loadEnv = "TOCSIN_TEST_LOAD"

// TestMain is also the process that posts to a benchmark's server, so that what posting costs is not counted as its.
func TestMain(m *testing.M) {
	if os.Getenv(loadEnv) != "" {
		var l load
		if err := json.NewDecoder(os.Stdin).Decode(&l); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(l.post())
			if err == nil {
				return
			}
		}
		os.Exit(1)
	}
	os.Exit(storetest.Main(m))
}

// load is what is to be posted: each connection posts and waits for the answer, again and again.
type load struct {
	Address     string
	Connections int
	Rate        int // posts a second over all connections, each at its time whatever became of those before; 0: as fast as they are answered
	For         time.Duration
	Bodies      []string
}

// loaded is what came of a load.
type loaded struct {
	Answered, Refused int
	Seconds           float64
	P50, P99, Most    float64 // milliseconds, from when it was to be posted
	Trouble           string
}

func (l loaded) rate() float64 { return float64(l.Answered) / l.Seconds }

func (l *load) post() (out loaded) {
	var mu sync.Mutex
	var all sync.WaitGroup
	var took []time.Duration
	began := time.Now()
	for n := range l.Connections {
		all.Go(func() {
			mine, refused, err := l.connection(n, began)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			out.Refused += refused
			if err != nil {
				out.Trouble = err.Error()
			}
		})
	}
	all.Wait()
	out.Seconds = time.Since(began).Seconds()
	out.Answered = len(took)
	if len(took) == 0 {
		return out
	}
	slices.Sort(took)
	at := func(part float64) float64 { return took[int(part*float64(len(took)-1))].Seconds() * 1000 }
	out.P50, out.P99, out.Most = at(0.5), at(0.99), at(1)
	return out
}

// connection posts over one connection until the time is up.
func (l *load) connection(n int, began time.Time) (took []time.Duration, refused int, err error) {
	c, err := net.Dial("tcp", l.Address)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	requests := make([][]byte, len(l.Bodies))
	for i, b := range l.Bodies {
		requests[i] = fmt.Appendf(nil, "POST /hooks/graph HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", l.Address, len(b), b)
	}
	for k := 0; ; k++ {
		at := time.Now()
		if l.Rate > 0 {
			due := began.Add(time.Duration(k*l.Connections+n) * time.Second / time.Duration(l.Rate))
			time.Sleep(time.Until(due))
			at = due
		}
		if at.Sub(began) >= l.For {
			return took, refused, nil
		}
		if _, err := c.Write(requests[(k*7+n)%len(requests)]); err != nil {
			return took, refused, err
		}
		status, err := answer(r)
		if err != nil {
			return took, refused, err
		}
		if status != "202" {
			refused++
			continue
		}
		took = append(took, time.Since(at))
	}
}

// answer reads an answer without a body.
func answer(r *bufio.Reader) (status string, err error) {
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return "", err
		case status == "" && len(line) > 12:
			status = string(line[9:12])
		case len(bytes.TrimSpace(line)) == 0:
			return status, nil
		}
	}
}

// loading has another process post to h, and gives what came of it and what it cost this process in processor time.
func loading(b *testing.B, h http.Handler, l load) (loaded, time.Duration) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	l.Address = listener.Addr().String()
	order, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), loadEnv+"=1")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(order), os.Stderr
	before := spent(b)
	raw, err := cmd.Output()
	cost := spent(b) - before
	var out loaded
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err == nil && out.Trouble != "" {
		err = errors.New(out.Trouble)
	}
	if err == nil && (out.Refused > 0 || out.Answered == 0) {
		err = fmt.Errorf("%d were answered and %d refused", out.Answered, out.Refused)
	}
	if err != nil {
		b.Fatal(err)
	}
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(stop); err != nil {
		b.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		b.Error(err)
	}
	return out, cost
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

// posts are bodies of so many notifications each, of different people.
func posts(b *testing.B, h *Hook, bodies, each int) []string {
	b.Helper()
	var out []string
	for i := range bodies {
		var some []map[string]any
		for k := range each {
			some = append(some, notification(b, h, acme, tocsin.NewPersonID(acme, fmt.Sprint(i, k)), "created",
				fmt.Sprintf("AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OABGAAAAAADUuTJK1K9aTpCdqXop_4NaBwCd9nJ-tVysQos2hTfspaWRAAAAAAEJAACd%012d", i*each+k)))
		}
		raw, err := json.Marshal(list(some...))
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, string(raw))
	}
	return out
}

// reread is how many items a journal of one partition gives.
func reread(b *testing.B, j *journal.Journal) (n int64) {
	b.Helper()
	last, err := j.Last(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	for e, err := range j.Read(b.Context(), 0, journal.Position{}) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; e.At == last {
			break
		}
	}
	return n
}

func drops(b *testing.B) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			b.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
	})
}

// ballast is as much as an idle server holds: with nothing in the heap the garbage collector would run for every megabyte.
var ballast []byte

// BenchmarkHookLoad has another process post over many connections, to the webhook (which stores each notification on
// the disk before it answers) and to a handler that reads and drops the body, in turn and in the same run. ratio is that
// of answers a second.
func BenchmarkHookLoad(b *testing.B) {
	ballast = make([]byte, 40<<20)
	defer func() { ballast = nil }()
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(200)) // as server.Tune has it
	}
	for _, each := range []int{1, 10} {
		b.Run(fmt.Sprint(each, " a POST, as fast as they are answered"), func(b *testing.B) {
			h, j := hooked(b)
			l := load{Connections: 512, For: 2 * time.Second, Bodies: posts(b, h, 256, each)}
			var ratios, rates, bare, p50, p99, cost, less []float64
			for b.Loop() {
				before, _ := loading(b, drops(b), l)
				for range 8 { // the machine is now faster, now slower: each is held against what was measured before and behind it
					ours, dear := loading(b, h, l)
					after, cheap := loading(b, drops(b), l)
					one := (before.rate() + after.rate()) / 2
					ratios, rates, bare = append(ratios, ours.rate()/one), append(rates, ours.rate()), append(bare, one)
					p50, p99 = append(p50, ours.P50), append(p99, ours.P99)
					cost, less = append(cost, float64(dear.Nanoseconds())/1000/float64(ours.Answered)), append(less, float64(cheap.Nanoseconds())/1000/float64(after.Answered))
					before = after
				}
			}
			b.StopTimer()
			if n := reread(b, j); n != h.Count(HookStored) {
				b.Errorf("%d were answered and %d are stored", h.Count(HookStored), n)
			}
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(slices.Min(ratios), "ratio-least")
			b.ReportMetric(median(rates), "posts/s")
			b.ReportMetric(median(bare), "bare-posts/s")
			b.ReportMetric(median(p50), "p50-ms")
			b.ReportMetric(median(p99), "p99-ms")
			b.ReportMetric(median(cost), "cpu-µs/post")
			b.ReportMetric(median(less), "bare-cpu-µs/post")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("5,000 a second", func(b *testing.B) {
		h, _ := hooked(b)
		var p50, p99, most, cost []float64
		for b.Loop() {
			out, dear := loading(b, h, load{Connections: 128, Rate: 5000, For: 3 * time.Second, Bodies: posts(b, h, 256, 1)})
			p50, p99, most = append(p50, out.P50), append(p99, out.P99), append(most, out.Most)
			cost = append(cost, float64(dear.Nanoseconds())/1000/float64(out.Answered))
		}
		b.ReportMetric(median(p50), "p50-ms")
		b.ReportMetric(median(p99), "p99-ms")
		b.ReportMetric(slices.Max(most), "most-ms")
		b.ReportMetric(median(cost), "cpu-µs/post")
		b.ReportMetric(0, "ns/op")
	})
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}
