//go:build unix

package journal

import (
	"encoding/json"
	"errors"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin.dev"
)

// TestADiskThatFailsLosesNothing lets writes fail in mid-record by the limit of file sizes, which is to JetStream as a full disk is.
func TestADiskThatFailsLosesNothing(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir(), Patience: 5 * time.Second}) // for which what the disk does not take is waited for
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ) // and the write gives an error
	full := was
	full.Cur = 3_000_000 // more than what the tests themselves write in a file of their own
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Skip("the limit of file sizes cannot be set here, so no failing disk was tested: ", err)
	}
	t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was) })
	item := numbered("amy", 0)
	item.Body = json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`)
	stored := 0
	var err error
	for ; err == nil && stored < 100; item.At++ {
		if err = j.Append(t.Context(), item); err == nil {
			stored++
		}
	}
	if !errors.Is(err, ErrUnavailable) || stored < 10 {
		t.Fatalf("after %d items got %v, want ErrUnavailable", stored, err)
	}
	problem(t, j.Ready(t.Context()), tocsin.Unavailable, "has stopped")
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	again(t, j)
	item.At = 1000
	appendAll(t, j, item)
	r := read(t, j, 0, Position{})
	for n := range stored {
		if e := r.entry(); int(e.Item.At) != n {
			t.Fatalf("got %d, want %d", e.Item.At, n)
		}
	}
	if e := r.entry(); e.Item.At != 1000 && int(e.Item.At) != stored { // the refused one may be there
		t.Errorf("got %d after what was stored", e.Item.At)
	}
}
