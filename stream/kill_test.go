package stream

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// victim names the directory in which this process is to append and fold until it is killed.
const victim = "TOCSIN_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		fmt.Fprintln(os.Stderr, live(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// live appends numbers, says each that was acknowledged, and folds them, without end.
func live(dir string) error {
	ctx := context.Background()
	from, err := strconv.Atoi(os.Getenv(victim + "_FROM"))
	if err != nil {
		return err
	}
	st, j, err := open(ctx, dir)
	if err != nil {
		return err
	}
	r := &Reader{Store: st, Journal: j, Name: "test", Owner: "one", Step: tally, MaxRun: 17, MaxTime: time.Millisecond, trim: 30 * time.Millisecond}
	go r.Run(ctx)
	for n := from; ; n++ {
		if err := j.Append(ctx, item("amy", n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func open(ctx context.Context, dir string) (*store.Store, *journal.Journal, error) {
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "tocsin.db"), &tocsin.Clock{})
	if err != nil {
		return nil, nil, err
	}
	err = st.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `create table if not exists tally (person text primary key, log text not null)`)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	j, err := journal.Open(ctx, journal.Config{Dir: filepath.Join(dir, "journal")})
	return st, j, err
}

// TestKilledHardNothingIsLostOrDoubled kills the process that appends, folds and trims, at random moments.
func TestKilledHardNothingIsLostOrDoubled(t *testing.T) {
	kills := 6
	if testing.Short() {
		kills = 2
	}
	dir := t.TempDir()
	var acknowledged []string
	for kill := range kills {
		acknowledged = append(acknowledged, murder(t, dir, kill*1_000_000)...)
	}
	st, j, err := open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	b := &bench{t: t, st: st, j: j}
	t.Cleanup(j.Close)
	r := b.reader(tally)
	b.run(r)
	b.folded(r)

	var log string
	err = st.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `select log from tally where person = 'amy'`).Scan(&log)
	})
	if err != nil {
		t.Fatal(err)
	}
	last, folded := -1, map[string]bool{}
	for _, s := range strings.Fields(log) {
		n, err := strconv.Atoi(s)
		if err != nil || n <= last {
			t.Fatalf("after %d came %s", last, s)
		}
		last, folded[s] = n, true
	}
	for _, n := range acknowledged {
		if !folded[n] {
			t.Errorf("%s was acknowledged and is lost", n)
		}
	}
	t.Logf("%d kills, %d acknowledged, %d folded", kills, len(acknowledged), len(folded))
	if len(acknowledged) < 10*kills {
		t.Errorf("only %d were acknowledged: the test tests nothing", len(acknowledged))
	}
}

// murder runs a victim and kills it some time after a number of acknowledgements; it gives what it acknowledged.
func murder(t *testing.T, dir string, from int) (acknowledged []string) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+dir, fmt.Sprintf("%s_FROM=%d", victim, from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := 10 + rand.N(60)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if acknowledged = append(acknowledged, lines.Text()); len(acknowledged) == last {
			time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
		}
	}
	cmd.Wait() // it was killed, that is its error
	return acknowledged
}
