package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin.dev"
)

func stream(t *testing.T, j *Journal, partition int) jetstream.Stream {
	t.Helper()
	s, err := j.js.Stream(t.Context(), j.parts[partition].name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestADamagedEnvelopeIsNamedAndPassed(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	appendAll(t, j, numbered("amy", 1))
	torn := sealed(numbered("amy", 2))
	torn[20] ^= 1
	if _, err := j.js.Publish(t.Context(), j.parts[0].name, torn); err != nil {
		t.Fatal(err)
	}
	r := read(t, j, 0, Position{})
	if got := r.bodies(1); got != "1" {
		t.Errorf("got %s", got)
	}
	if last, err := j.Last(t.Context(), 0); err != nil || last.Seq != 2 || last.Index != Whole {
		t.Errorf("last is %v, %v", last, err)
	}
	appendAll(t, j, numbered("amy", 3))
	g := r.gap()
	if g.From.Seq != 1 || g.Resume.Seq != 2 || g.Resume.Index != Whole || !strings.Contains(g.Error(), "sequence 2") {
		t.Errorf("got %v", g)
	}
	if got := r.bodies(1); got != "3" {
		t.Errorf("after the gap came %s", got)
	}
	if got := read(t, j, 0, g.Resume).bodies(1); got != "3" {
		t.Errorf("from the end of the gap came %s", got)
	}
}

func TestWhatANewerTocsinWroteIsNotPassed(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	newer := sealed(numbered("amy", 1))
	newer[2]++
	if _, err := j.js.Publish(t.Context(), j.parts[0].name, resign(newer)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range j.Read(t.Context(), 0, Position{}) {
		n++
		problem(t, err, tocsin.Conflict, "newer Tocsin")
	}
	if n != 1 {
		t.Errorf("got %d entries, want the problem and the end", n)
	}
}

func TestMissingSequencesAreNamedAndPassed(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	for n := range 6 {
		appendAll(t, j, numbered("amy", n))
	}
	for _, seq := range []uint64{3, 4} {
		if err := stream(t, j, 0).DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	r := read(t, j, 0, Position{})
	if got := r.bodies(2); got != "0 1" {
		t.Errorf("got %s", got)
	}
	if g := r.gap(); g.Resume.Seq != 4 || !strings.Contains(g.Why, "3 to 4") {
		t.Errorf("got %v", g)
	}
	if got := r.bodies(2); got != "4 5" {
		t.Errorf("got %s", got)
	}
}

func TestAStreamMadeAnewIsFound(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	j.idle = 20 * time.Millisecond
	appendAll(t, j, numbered("amy", 1))
	r := read(t, j, 0, Position{})
	before := r.entry().At
	name := j.parts[0].name
	if err := j.js.DeleteStream(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := j.Ready(t.Context()); err == nil {
		t.Error("a journal without its stream says it is ready")
	}
	if _, err := j.js.CreateStream(t.Context(), j.newStream(name)); err != nil {
		t.Fatal(err)
	}
	g := r.gap() // while it waits, with nothing in the new stream
	if g.From.Seq != before.Seq || g.Resume.Stream == before.Stream || g.Resume.Seq != 0 {
		t.Errorf("got %v", g)
	}
	appendAll(t, j, numbered("amy", 2), numbered("amy", 3))
	if got := r.bodies(2); got != "2 3" {
		t.Errorf("got %s", got)
	}
	r = read(t, j, 0, before) // as a checkpoint of the old one
	if g := r.gap(); g.From != before || g.Resume.Seq != 0 {
		t.Errorf("got %v", g)
	}
	if got := r.bodies(2); got != "2 3" {
		t.Errorf("got %s", got)
	}
}

// TestALostTailIsFound puts an older copy of the directory in place, as a disk that lied or a backup does. New items take
// the numbers of the lost ones, and the reader must not take them for those it has seen.
func TestALostTailIsFound(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	j := start(t, Config{Dir: dir})
	for n := range 5 {
		appendAll(t, j, numbered("amy", n))
	}
	j.Close()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	j = start(t, Config{Dir: dir})
	for n := range 5 {
		appendAll(t, j, numbered("amy", 5+n))
	}
	checkpoint, err := j.Last(t.Context(), 0)
	if err != nil || checkpoint.Seq != 10 {
		t.Fatalf("last is %v, %v", checkpoint, err)
	}
	if got := read(t, j, 0, Position{Stream: checkpoint.Stream, Seq: 8}).bodies(1); got != "8" {
		t.Errorf("in the same process came %s", got)
	}
	j.Close()

	j = start(t, Config{Dir: copied})
	for n := range 7 {
		appendAll(t, j, numbered("amy", 100+n))
	}
	r := read(t, j, 0, checkpoint)
	g := r.gap()
	if g.From != checkpoint || g.Resume.Seq != 5 || g.Resume.Stream != checkpoint.Stream {
		t.Errorf("got %v", g)
	}
	if got := r.bodies(7); got != "100 101 102 103 104 105 106" {
		t.Errorf("got %s", got)
	}
}

// TestReadingSurvivesTheLossOfItsConsumer deletes the reader's consumer from under it, which makes the library reset.
func TestReadingSurvivesTheLossOfItsConsumer(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	r := read(t, j, 0, Position{})
	for n := range 40 {
		appendAll(t, j, numbered("amy", n), numbered("ben", n))
		if got := r.bodies(2); got != fmt.Sprint(n, n) {
			t.Fatalf("got %s, want %d twice", got, n)
		}
		if n%10 == 5 {
			for name := range stream(t, j, 0).ConsumerNames(t.Context()).Name() {
				if err := stream(t, j, 0).DeleteConsumer(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestAStoppedEngineRefusesAtOnceAndStartsAgain(t *testing.T) {
	dir := t.TempDir()
	j := start(t, Config{Dir: dir})
	appendAll(t, j, numbered("amy", 1))
	r := read(t, j, 0, Position{})
	if got := r.bodies(1); got != "1" {
		t.Errorf("got %s", got)
	}
	room := filepath.Join(dir, "room") // as long as it is a directory there is no room
	if err := os.Mkdir(room, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.engine.ns.ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	err := j.Append(t.Context(), numbered("amy", 2))
	problem(t, err, tocsin.Unavailable, "did not store it in time")
	if cause := errors.Unwrap(err); !errors.Is(err, ErrUnavailable) || !strings.Contains(fmt.Sprint(cause), "JetStream") {
		t.Errorf("got %v (%v), want ErrUnavailable because JetStream has stopped, and not because it took long", err, cause)
	}
	problem(t, j.Ready(t.Context()), tocsin.Unavailable, "has stopped")
	os.Remove(room)
	again(t, j)
	appendAll(t, j, numbered("amy", 3))
	if got := r.bodies(1); got != "3" {
		t.Errorf("the reader got %s", got)
	}
}

// TestWhatAHealedJournalHasLostIsAGap damages the end of the journal while JetStream has stopped. Whoever had read it gets
// what comes, and whoever had not is told.
func TestWhatAHealedJournalHasLostIsAGap(t *testing.T) {
	dir := t.TempDir()
	j := start(t, Config{Dir: dir})
	const count = 5
	for n := range count {
		appendAll(t, j, numbered("amy", n))
	}
	ahead := read(t, j, 0, Position{})
	if got := ahead.bodies(count); got != "0 1 2 3 4" {
		t.Errorf("got %s", got)
	}
	blocks, _ := filepath.Glob(filepath.Join(dir, "jetstream/*/streams/*/msgs/1.blk"))
	if len(blocks) != 1 {
		t.Fatalf("got blocks %v, want one", blocks)
	}
	room := filepath.Join(dir, "room")
	if err := os.Mkdir(room, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.engine.ns.ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	spoil(t, blocks[0], func(b []byte) []byte { return b[:len(b)*3/count+10] })
	os.Remove(room)
	again(t, j)
	for n := range 3 {
		appendAll(t, j, numbered("amy", 100+n))
	}
	if got := ahead.bodies(3); got != "100 101 102" {
		t.Errorf("who had read the end got %s", got)
	}
	behind := read(t, j, 0, Position{})
	if got := behind.bodies(3); got != "0 1 2" {
		t.Errorf("got %s", got)
	}
	if g := behind.gap(); g.Resume.Seq != count {
		t.Errorf("got %v, want a gap up to sequence %d", g, count)
	}
	if got := behind.bodies(3); got != "100 101 102" {
		t.Errorf("who had not read the end got %s", got)
	}
}

// again waits until the journal is ready again.
func again(t *testing.T, j *Journal) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); j.Ready(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(j.Ready(t.Context()))
		}
	}
}

func TestWhatIsNotAcknowledgedInTimeIsRefused(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir(), Patience: 2 * time.Second})
	deaf := &partition{name: "nobody.listens.here"} // no responder: the library tries again, and gives up
	deaf.queue.init(j.conf.Patience)
	j.parts = []*partition{deaf}
	began := time.Now()
	err := j.Append(t.Context(), numbered("amy", 2)) // nobody writes for it either
	if !errors.Is(err, ErrUnavailable) || time.Since(began) < j.conf.Patience {
		t.Errorf("after %v got %v, want ErrUnavailable after %v", time.Since(began), err, j.conf.Patience)
	}
	if err := j.publish(deaf, nil, 0); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Append(ctx, numbered("amy", 3)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if _, n := deaf.queue.take(); n != 1 {
		t.Errorf("%d items would be stored, want the one that nobody awaits any more, and not the one that was refused", n)
	}
}

func TestAFullJournalRefusesAndTakesAgainWhenTrimmed(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir(), MaxBytes: 20_000})
	item := numbered("amy", 1)
	item.Body = json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`)
	stored := 0
	var err error
	for ; err == nil && stored < 100; stored++ {
		err = j.Append(t.Context(), item)
	}
	if !errors.Is(err, ErrUnavailable) || stored < 10 {
		t.Fatalf("after %d items got %v, want ErrUnavailable", stored, err)
	}
	last, _ := j.Last(t.Context(), 0)
	if last.Seq != uint64(stored-1) {
		t.Errorf("%d envelopes are there, %d were acknowledged", last.Seq, stored-1)
	}
	problem(t, j.Ready(t.Context()), tocsin.Unavailable, "full")
	if err := j.Trim(t.Context(), 0, last); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, item)
	if err := j.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatWaitsTooLongInTheQueueIsNotStoredLater(t *testing.T) {
	var q queue
	q.init(time.Minute)
	put := func(n int) []*request {
		t.Helper()
		var g Gathered
		if !q.put(&g, slices.Repeat([]Item{numbered("amy", 1)}, n), true) {
			t.Fatalf("%d items are refused", n)
		}
		return append([]*request{g.in}, g.more...)
	}
	late := put(200)
	if len(late) != 1 {
		t.Fatalf("200 items are in %d requests", len(late))
	}
	late[0].made = time.Time{} // whoever comes now does not share it
	if all := put(200); len(all) != 1 || all[0] == late[0] {
		t.Fatal("what came later shares what waits for long")
	}
	all := put(250)
	if more := put(350); len(more) != 1 || more[0] == all[0] || all[0].count != 450 {
		t.Fatal("what has room in a request of its own is parted")
	}
	if more := put(700); len(more) != 2 || more[0].count != maxCount || more[1].count != 200 {
		t.Fatalf("700 items are in %d requests", len(more))
	}
	late[0].answer(ErrUnavailable)
	if err := late[0].wait(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	for _, want := range []int{450, 350, maxCount, 200} {
		if batch, n := q.take(); n != want || len(batch) != 1 {
			t.Errorf("took %d requests with %d items, want one of %d", len(batch), n, want)
		}
	}
	if q.size != 0 || q.count != 0 {
		t.Errorf("%d items of %d bytes are left", q.count, q.size)
	}
	all = put(1)
	q.close()
	if err := all[0].wait(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("what waited when the queue was closed got %v, want ErrUnavailable", err)
	}
	if q.put(new(Gathered), []Item{numbered("amy", 1)}, true) {
		t.Error("a closed queue took an item")
	}
}

// TestADamagedDirectoryIsAProblemOrAGap truncates, overwrites and removes files of a closed journal, at random and each
// kind of file at least once. Opening gives a Problem, or what is left is read with its gaps named; never silence or a panic.
func TestADamagedDirectoryIsAProblemOrAGap(t *testing.T) {
	pristine := t.TempDir()
	j := start(t, Config{Dir: pristine})
	const count = 40
	for n := range count {
		appendAll(t, j, numbered("amy", n))
	}
	checkpoint, _ := j.Last(t.Context(), 0)
	j.Close()

	var files []string
	filepath.WalkDir(pristine, func(path string, d os.DirEntry, err error) error {
		if name, _ := filepath.Rel(pristine, path); err == nil && !d.IsDir() && name != "lock" {
			files = append(files, name)
		}
		return err
	})
	damages := map[string]func(b []byte) []byte{
		"empty":   func([]byte) []byte { return nil },
		"cut":     func(b []byte) []byte { return b[:rand.N(len(b))] },
		"flipped": func(b []byte) []byte { b[rand.N(len(b))] ^= byte(1 << rand.N(8)); return b },
		"noise": func(b []byte) []byte {
			for i := range b {
				b[i] = byte(rand.Uint32())
			}
			return b
		},
		"removed": nil,
	}
	for _, name := range files {
		for how, damage := range damages {
			t.Run(filepath.Base(name)+" "+how, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
					t.Fatal(err)
				}
				spoil(t, filepath.Join(dir, name), damage)
				survey(t, dir, checkpoint, count)
			})
		}
	}
}

// TestAFlippedBitIsAGap flips bits throughout the head of a record. With JetStream's index in place, those in the sequence
// number made it hang, or eat all memory; see distrust.
func TestAFlippedBitIsAGap(t *testing.T) {
	pristine := t.TempDir()
	j := start(t, Config{Dir: pristine})
	const count = 4
	for n := range count {
		appendAll(t, j, numbered("amy", n))
	}
	checkpoint, _ := j.Last(t.Context(), 0)
	j.Close()
	blocks, _ := filepath.Glob(filepath.Join(pristine, "jetstream/*/streams/*/msgs/1.blk"))
	if len(blocks) != 1 {
		t.Fatalf("got blocks %v, want one", blocks)
	}
	block, _ := filepath.Rel(pristine, blocks[0])
	info, err := os.Stat(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	record := int(info.Size()) / count
	for at := record; at < record+24; at++ {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
			t.Fatal(err)
		}
		spoil(t, filepath.Join(dir, block), func(b []byte) []byte { b[at] ^= 1 << rand.N(8); return b })
		survey(t, dir, checkpoint, count)
	}
}

func spoil(t *testing.T, path string, damage func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 {
		t.Skip("nothing in it to damage")
	}
	if damage == nil {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, damage(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// survey opens what is left of a journal and checks that every item is read or its absence told.
func survey(t *testing.T, dir string, checkpoint Position, count int) {
	t.Helper()
	j, err := Open(t.Context(), Config{Dir: dir, Patience: time.Minute})
	if err != nil {
		problem(t, err, tocsin.Unavailable, "cannot be read")
		return
	}
	defer j.Close()
	if err := j.Append(t.Context(), numbered("amy", count)); err != nil {
		problem(t, err, tocsin.Unavailable, "did not store it")
		problem(t, j.Ready(t.Context()), tocsin.Unavailable, "")
		return
	}
	// A reader that had read nothing yet: all of it, or told. One that had read all: the new item, and told if numbers were lost.
	for _, from := range []Position{{Stream: checkpoint.Stream}, checkpoint} {
		next, gaps := 0, 0
		if from == checkpoint {
			next = count
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		for e, err := range j.Read(ctx, 0, from) {
			var g *Gap
			switch {
			case errors.As(err, &g):
				gaps++
			case err != nil:
				t.Fatal(err)
			case int(e.Item.At) < next && gaps == 0, int(e.Item.At) > next && gaps == 0:
				t.Fatalf("from %v: %d came in place of %d and no gap was told", from, e.Item.At, next)
			default:
				next = int(e.Item.At) + 1
			}
			if next == count+1 {
				break
			}
		}
		cancel()
		if next != count+1 {
			t.Errorf("from %v: the new item did not come", from)
		}
	}
}
