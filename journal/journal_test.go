package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tocsin.dev"
)

const tenant = tocsin.TenantID("6a1e0000-0000-4000-8000-000000000001")

func start(t testing.TB, conf Config) *Journal {
	t.Helper()
	if conf.Patience == 0 {
		conf.Patience = time.Minute // this machine may stand still for a while
	}
	j, err := Open(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// numbered is an item of a person whose body is a number.
func numbered(person string, n int) Item {
	return Item{Tenant: tenant, Person: tocsin.PersonID(person), Kind: "test", Key: fmt.Sprint(n), At: int64(n), Body: json.RawMessage(fmt.Sprint(n))}
}

func appendAll(t testing.TB, j *Journal, items ...Item) {
	t.Helper()
	if err := j.Append(t.Context(), items...); err != nil {
		t.Fatal(err)
	}
}

// reader pulls entries one by one, failing the test where none comes in time.
type reader struct {
	t    testing.TB
	next func() (Entry, error, bool)
}

func read(t testing.TB, j *Journal, partition int, from Position) *reader {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	next, stop := iter.Pull2(j.Read(ctx, partition, from))
	t.Cleanup(func() { cancel(); stop() })
	return &reader{t, next}
}

func (r *reader) entry() Entry {
	r.t.Helper()
	e, err, ok := r.next()
	if err != nil || !ok {
		r.t.Fatalf("got %v, %v, want an entry", err, ok)
	}
	return e
}

func (r *reader) gap() *Gap {
	r.t.Helper()
	e, err, ok := r.next()
	var g *Gap
	if !ok || !errors.As(err, &g) {
		r.t.Fatalf("got %+v, %v, %v, want a gap", e, err, ok)
	}
	if e.At != g.Resume {
		r.t.Errorf("the entry of the gap is at %v, want %v", e.At, g.Resume)
	}
	return g
}

func (r *reader) bodies(n int) string {
	r.t.Helper()
	var all []string
	for range n {
		all = append(all, string(r.entry().Body))
	}
	return strings.Join(all, " ")
}

// TestAnAppendIsOnePiece: what a caller appends to a partition is in one envelope, in its order, also where its items are mixed with those of others.
func TestAnAppendIsOnePiece(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir(), Partitions: 3})
	want := make(map[int]string)
	var items []Item
	for n := range 60 {
		it := numbered(fmt.Sprint("person ", n%10), n)
		p := j.Partition(it.Tenant, it.Person)
		items, want[p] = append(items, it), strings.TrimSpace(fmt.Sprint(want[p], " ", n))
	}
	appendAll(t, j, items...)
	if len(want) < 2 {
		t.Fatal("all are in one partition")
	}
	for p, bodies := range want {
		if n := j.parts[p].envelopes.Load(); n != 1 {
			t.Errorf("partition %d: %d envelopes, want one", p, n)
		}
		if got := read(t, j, p, Position{}).bodies(len(strings.Fields(bodies))); got != bodies {
			t.Errorf("partition %d: got %s, want %s", p, got, bodies)
		}
	}
}

func problem(t *testing.T, err error, code tocsin.Code, says string) {
	t.Helper()
	var p *tocsin.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem", err)
	}
	if p.Code != code || !strings.Contains(p.Error(), says) || p.Do == "" {
		t.Errorf("got %s %q, want %s with %q and what to do", p.Code, p.Error(), code, says)
	}
}

func TestItemsComeBackInOrderFromAnyPosition(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	first := Item{Tenant: tenant, Person: "amy", Kind: "rules", Key: "k", At: 1_700_000_000_000, Body: json.RawMessage(`{"a":[1,2]}`)}
	appendAll(t, j, first, numbered("amy", 1), numbered("ben", 2))
	appendAll(t, j, numbered("amy", 3))
	appendAll(t, j, Item{Tenant: tenant, Kind: "empty"})

	all := read(t, j, 0, Position{})
	var entries []Entry
	for range 5 {
		entries = append(entries, all.entry())
	}
	if got := fmt.Sprintf("%+v", entries[0].Item); got != fmt.Sprintf("%+v", first) {
		t.Errorf("got %s, want %+v", got, first)
	}
	if entries[4].Body != nil || entries[4].Kind != "empty" {
		t.Errorf("got %+v, want no body", entries[4])
	}
	for i, e := range entries[:4] {
		if got := read(t, j, 0, e.At).entry(); got.At != entries[i+1].At {
			t.Errorf("after %v came %v, want %v", e.At, got.At, entries[i+1].At)
		}
	}
	last, err := j.Last(t.Context(), 0)
	if err != nil || last != entries[4].At {
		t.Errorf("last is %v, %v, want %v", last, err, entries[4].At)
	}
}

func TestReadWaitsForMoreUntilItsContextEnds(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	j.idle = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string)
	go func() {
		defer close(got)
		for e, err := range j.Read(ctx, 0, Position{}) {
			got <- fmt.Sprint(string(e.Body), err)
		}
	}()
	for n := range 3 {
		appendAll(t, j, numbered("amy", n))
		if s := <-got; s != fmt.Sprint(n)+"<nil>" {
			t.Fatalf("got %s, want %d", s, n)
		}
	}
	cancel()
	if s, more := <-got; more {
		t.Errorf("got %s after the context ended", s)
	}
}

func TestManyCallersShareEnvelopesAndKeepTheirOrder(t *testing.T) {
	const callers, each = 32, 50
	j := start(t, Config{Dir: t.TempDir(), Partitions: 3})
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for n := range each {
				if err := j.Append(t.Context(), numbered(fmt.Sprint("p", c), n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	counts, envelopes := map[tocsin.PersonID]int{}, uint64(0)
	for p := range j.Partitions() {
		last, err := j.Last(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		envelopes += last.Seq
		for r, at := read(t, j, p, Position{}), (Position{}); at != last; {
			e := r.entry()
			if j.Partition(e.Tenant, e.Person) != p {
				t.Fatalf("%s is in partition %d", e.Person, p)
			}
			if e.At.Seq < at.Seq || int(e.Item.At) != counts[e.Person] {
				t.Fatalf("%s: got %d at %v, want %d", e.Person, e.Item.At, e.At, counts[e.Person])
			}
			counts[e.Person]++
			at = e.At
		}
	}
	for c := range callers {
		if got := counts[tocsin.PersonID(fmt.Sprint("p", c))]; got != each {
			t.Errorf("p%d has %d items, want %d", c, got, each)
		}
	}
	if envelopes >= callers*each {
		t.Errorf("%d envelopes for %d items: none was shared", envelopes, callers*each)
	}
}

func TestALargeAppendIsCutAndWhole(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	var items []Item
	for n := range 2*maxCount + 7 {
		items = append(items, numbered("amy", n))
	}
	appendAll(t, j, items...)
	r := read(t, j, 0, Position{})
	for n := range items {
		if e := r.entry(); int(e.Item.At) != n {
			t.Fatalf("got %d, want %d", e.Item.At, n)
		}
	}
	if last, _ := j.Last(t.Context(), 0); last.Seq != 3 {
		t.Errorf("got %d envelopes, want 3", last.Seq)
	}
}

func TestWhatCannotBeStoredIsRefusedWhole(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	big := numbered("amy", 2)
	big.Body = json.RawMessage(`"` + strings.Repeat("x", maxItem) + `"`)
	problem(t, j.Append(t.Context(), numbered("amy", 1), big), tocsin.Invalid, "too large")
	big.Body = big.Body[:0:0]
	big.Body = json.RawMessage(`"` + strings.Repeat("x", maxItem-200) + `"`)
	appendAll(t, j, big)
	if e := read(t, j, 0, Position{}).entry(); len(e.Body) != len(big.Body) {
		t.Errorf("got %d bytes, want %d", len(e.Body), len(big.Body))
	}
}

func TestNothingToAppendIsNothing(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	appendAll(t, j)
	if last, err := j.Last(t.Context(), 0); err != nil || last.Seq != 0 || last.Stream != j.Stream() {
		t.Errorf("got %v, %v, want an empty stream", last, err)
	}
}

func TestClosingLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	j := start(t, Config{Dir: t.TempDir(), Partitions: 2})
	appendAll(t, j, numbered("amy", 1))
	for range j.Read(t.Context(), j.Partition(tenant, "amy"), Position{}) {
		break
	}
	ended := make(chan error)
	go func() {
		for _, err := range j.Read(context.Background(), 0, Position{}) {
			if err != nil {
				ended <- err
			}
		}
		close(ended)
	}()
	j.Close()
	problem(t, <-ended, tocsin.Unavailable, "closed")
	<-ended
	for deadline := time.Now().Add(time.Minute); ; {
		err := goleak.Find(before)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestReopeningKeepsAll(t *testing.T) {
	conf := Config{Dir: t.TempDir()}
	j := start(t, conf)
	id := j.Stream()
	appendAll(t, j, numbered("amy", 1), numbered("amy", 2))
	j.Close()
	if err := j.Append(t.Context(), numbered("amy", 9)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("appending to a closed journal: got %v, want ErrUnavailable", err)
	}
	j = start(t, conf)
	if j.Stream() != id {
		t.Errorf("the stream is %s, want %s", j.Stream(), id)
	}
	appendAll(t, j, numbered("amy", 3))
	if got := read(t, j, 0, Position{}).bodies(3); got != "1 2 3" {
		t.Errorf("got %s", got)
	}
	if err := j.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if j.Warn() != "" {
		t.Errorf("got %q, want no warning", j.Warn())
	}
}

func TestASecondInstanceIsRefused(t *testing.T) {
	conf := Config{Dir: t.TempDir()}
	j := start(t, conf)
	_, err := Open(t.Context(), conf)
	problem(t, err, tocsin.Conflict, "Another Tocsin")
	appendAll(t, j, numbered("amy", 1))
}

func TestAnotherNumberOfPartitionsIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, Config{Dir: dir, Partitions: 2}).Close()
	_, err := Open(t.Context(), Config{Dir: dir, Partitions: 4})
	problem(t, err, tocsin.Conflict, "to 2")
	_, err = Open(t.Context(), Config{Dir: dir})
	problem(t, err, tocsin.Conflict, "to 2")
	start(t, Config{Dir: dir, Partitions: 2})
}

func TestSettingsThatCannotBe(t *testing.T) {
	for _, conf := range []Config{{}, {Dir: t.TempDir(), URL: "nats://127.0.0.1:1"}, {Dir: t.TempDir(), Partitions: -1}} {
		_, err := Open(t.Context(), conf)
		problem(t, err, tocsin.Invalid, "journal")
	}
	_, err := Open(t.Context(), Config{URL: "nats://127.0.0.1:1"})
	problem(t, err, tocsin.Unavailable, "does not answer")
	_, err = Open(t.Context(), Config{Dir: "/dev/null/journal"})
	problem(t, err, tocsin.Unavailable, "cannot be made")
}

func TestTrimForgetsOnlyWhatIsBehind(t *testing.T) {
	conf := Config{Dir: t.TempDir()}
	j := start(t, conf)
	for n := range 6 {
		appendAll(t, j, numbered("amy", n))
	}
	r := read(t, j, 0, Position{})
	var at []Position
	for range 4 {
		at = append(at, r.entry().At)
	}
	for _, behind := range []Position{at[3], {Stream: "another", Seq: 6}, at[1], {}} {
		if err := j.Trim(t.Context(), 0, behind); err != nil {
			t.Fatal(err)
		}
	}
	beginning := read(t, j, 0, Position{})
	if g := beginning.gap(); g.Resume.Seq != 3 || !strings.Contains(g.Why, "1 to 3") {
		t.Errorf("from the beginning got %v, want what was trimmed", g)
	}
	if got := beginning.bodies(3); got != "3 4 5" {
		t.Errorf("then got %s, want what was not trimmed", got)
	}
	if got := read(t, j, 0, at[3]).bodies(2); got != "4 5" {
		t.Errorf("from the checkpoint got %s", got)
	}
	g := read(t, j, 0, at[1]).gap()
	if !strings.Contains(g.Why, "2 to 3") || g.Resume.Seq != 3 {
		t.Errorf("reading what was trimmed gave %v", g)
	}
	// Trimmed to its end it still knows its number.
	last, _ := j.Last(t.Context(), 0)
	if err := j.Trim(t.Context(), 0, Position{Stream: last.Stream, Seq: last.Seq + 10}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j = start(t, conf)
	appendAll(t, j, numbered("amy", 6))
	if got := read(t, j, 0, last).entry(); string(got.Body) != "6" || got.At.Seq != 7 {
		t.Errorf("got %s at %v, want 6 at 7", got.Body, got.At)
	}
}

func TestLag(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir()})
	lag := func(from Position) uint64 {
		t.Helper()
		n, err := j.Lag(t.Context(), 0, from)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := lag(Position{}); got != 0 {
		t.Errorf("an empty journal lags %d", got)
	}
	for n := range 3 {
		appendAll(t, j, numbered("amy", n), numbered("amy", n))
	}
	id := j.Stream()
	for from, want := range map[Position]uint64{
		{}: 6, {Stream: id, Seq: 1, Index: 1}: 4, {Stream: id, Seq: 3, Index: 0}: 1,
		{Stream: id, Seq: 3, Index: 1}: 0, {Stream: id, Seq: 3, Index: Whole}: 0, {Stream: "old", Seq: 3, Index: 1}: 6,
	} {
		if got := lag(from); got != want {
			t.Errorf("from %v the lag is %d, want %d", from, got, want)
		}
	}
}
