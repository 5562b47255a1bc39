package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// victim names the directory to whose journal this process is to append until it is killed.
const victim = "TOCSIN_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		fmt.Fprintln(os.Stderr, live(dir, os.Getenv(victim+"_LIFE")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// live appends for eight persons at once and says each item that was acknowledged, without end.
func live(dir, life string) error {
	ctx := context.Background()
	j, err := Open(ctx, Config{Dir: dir, Partitions: 2})
	if err != nil {
		return err
	}
	ended := make(chan error)
	for p := range 8 {
		go func() {
			person := fmt.Sprintf("%s-%d", life, p)
			for n := 0; ; n++ {
				if err := j.Append(ctx, numbered(person, n)); err != nil {
					ended <- err
					return
				}
				fmt.Println(person, n)
			}
		}()
	}
	return <-ended
}

// TestKilledHardEveryAcknowledgedItemIsThere kills a process that appends, at random moments, again and again on the same
// directory.
func TestKilledHardEveryAcknowledgedItemIsThere(t *testing.T) {
	kills := 6
	if testing.Short() {
		kills = 2
	}
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for life := range kills {
		murder(t, dir, fmt.Sprint(life), acknowledged)
	}
	if len(acknowledged) < 20*kills {
		t.Errorf("only %d were acknowledged: the test tests nothing", len(acknowledged))
	}
	j := start(t, Config{Dir: dir, Partitions: 2})
	found, next := 0, map[string]int{}
	for p := range j.Partitions() {
		last, err := j.Last(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		for r, at := read(t, j, p, Position{}), (Position{}); at != last; found++ {
			e := r.entry()
			at = e.At
			if int(e.Item.At) != next[string(e.Person)] {
				t.Fatalf("%s: got %d, want %d", e.Person, e.Item.At, next[string(e.Person)])
			}
			next[string(e.Person)]++
			delete(acknowledged, fmt.Sprint(string(e.Person), " ", e.Item.At))
		}
	}
	for item := range acknowledged {
		t.Errorf("%s was acknowledged and is lost", item)
	}
	t.Logf("%d kills, %d items", kills, found)
}

// murder runs a victim and kills it some time after a number of acknowledgements.
func murder(t *testing.T, dir, life string, acknowledged map[string]bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+dir, victim+"_LIFE="+life)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n, last := 0, 20+rand.N(80)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n++; n == last {
			time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
		}
		acknowledged[strings.TrimSpace(lines.Text())] = true
	}
	cmd.Wait() // it was killed, that is its error
}
