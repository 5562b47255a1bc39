package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const acme = tocsin.TenantID("6a1e0000-0000-4000-8000-000000000001")

// bench is a journal and a store with a table into which the tests fold: for each person, what was folded, in order.
// An item folded twice, left out or out of order shows.
type bench struct {
	t    *testing.T
	st   *store.Store
	dir  string
	j    *journal.Journal
	want map[string]string
}

func onBoth(t *testing.T, test func(b *bench)) {
	t.Helper()
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		b := &bench{t: t, st: st, dir: t.TempDir(), want: map[string]string{}}
		b.update(func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `create table tally (person text primary key, log text not null)`)
			return err
		})
		b.open(1)
		test(b)
	})
}

func (b *bench) open(partitions int) {
	b.t.Helper()
	j, err := journal.Open(b.t.Context(), journal.Config{Dir: b.dir, Partitions: partitions, Patience: time.Minute})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(j.Close)
	b.j = j
}

func (b *bench) update(do func(*store.Tx) error) {
	b.t.Helper()
	if err := b.st.Update(b.t.Context(), do); err != nil {
		b.t.Fatal(err)
	}
}

func item(person string, n int) journal.Item {
	return journal.Item{Tenant: acme, Person: tocsin.PersonID(person), Kind: "test", Key: fmt.Sprint(person, "-", n), At: int64(n), Body: json.RawMessage(fmt.Sprint(n))}
}

// add appends numbered items of a person and expects them.
func (b *bench) add(person string, from, n int) {
	b.t.Helper()
	var items []journal.Item
	for i := range n {
		items = append(items, item(person, from+i))
		b.want[person] += fmt.Sprintf(" %d", from+i)
	}
	if err := b.j.Append(b.t.Context(), items...); err != nil {
		b.t.Fatal(err)
	}
}

// tally is the step: it writes down what it was given.
func tally(ctx context.Context, tx *store.Tx, items []journal.Item) error {
	for _, i := range items {
		_, err := tx.Exec(ctx, `insert into tally (person, log) values ($1, $2)
			on conflict (person) do update set log = tally.log || excluded.log`, string(i.Person), " "+string(i.Body))
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) reader(step Step) *Reader {
	return &Reader{Store: b.st, Journal: b.j, Name: "test", Owner: "one", Step: step, MaxTime: 5 * time.Millisecond, Lease: time.Minute}
}

// run runs a reader until the test ends or stop is called.
func (b *bench) run(r *Reader) (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			b.t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	b.t.Cleanup(stop)
	return stop
}

func (b *bench) until(what string, reached func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !reached() {
		if time.Now().After(deadline) {
			b.t.Fatalf("not reached in time: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (b *bench) folded(r *Reader) {
	b.t.Helper()
	b.until("everything folded", func() bool {
		lag, err := r.Lag(b.t.Context())
		return err == nil && lag == 0
	})
}

func (b *bench) check() {
	b.t.Helper()
	got := map[string]string{}
	err := b.st.View(b.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(b.t.Context(), `select person, log from tally`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var person, log string
			if err := rows.Scan(&person, &log); err != nil {
				return err
			}
			got[person] = log
		}
		return rows.Err()
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if !maps.Equal(got, b.want) {
		b.t.Errorf("got %v\nwant %v", got, b.want)
	}
}

// dead are the keys of the dead letters, in order of their keys, and why the first is one.
func (b *bench) dead() (keys []string, because string) {
	b.t.Helper()
	err := b.st.ViewTenant(b.t.Context(), acme, func(t *store.Tenant) error {
		rows, err := t.Query(b.t.Context(), `select subject, body, because from dead_letter where tenant = $1 order by subject`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key, why string
			var body []byte
			var kept journal.Item
			if err := rows.Scan(&key, &body, &why); err != nil {
				return err
			}
			if err := json.Unmarshal(body, &kept); err != nil || kept.Key != key {
				b.t.Errorf("the dead letter of %s holds %s", key, body)
			}
			if because == "" {
				because = why
			}
			keys = append(keys, key)
		}
		return rows.Err()
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return keys, because
}

func TestItemsTakeEffectOnceAndInOrder(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.add("amy", 0, 5)
		r := b.reader(tally)
		stop := b.run(r)
		b.add("ben", 0, 700)
		b.add("amy", 5, 5)
		b.folded(r)
		b.check()
		b.until("what was committed is noted", func() bool { return r.Status()[0].Folded == 710 }) // just after it can be seen
		if s := r.Status()[0]; !s.Held || s.Epoch != 1 || s.Folded != 710 || s.Trouble != "" || s.At.Stream != b.j.Stream() {
			b.t.Errorf("got %+v", s)
		}
		stop()
		b.add("amy", 10, 1)
		if lag, err := r.Lag(t.Context()); err != nil || lag != 1 {
			b.t.Errorf("the lag is %d, %v, want 1", lag, err)
		}
		r = b.reader(tally)
		b.run(r)
		b.folded(r)
		b.check()
	})
}

func TestARunIsBounded(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.add("amy", 0, 25)
		var most atomic.Int64
		r := b.reader(func(ctx context.Context, tx *store.Tx, items []journal.Item) error {
			most.Store(max(most.Load(), int64(len(items))))
			return tally(ctx, tx, items)
		})
		r.MaxRun = 10
		b.run(r)
		b.folded(r)
		b.check()
		if most.Load() > 10 {
			b.t.Errorf("a run had %d items, want at most 10", most.Load())
		}
	})
}

// TestNothingIsLostOrDoubledByKills lets the step fail and the reader be killed at random moments before and after the
// writes, between step and commit, with the journal closed and opened again, and compares with what was appended.
func TestNothingIsLostOrDoubledByKills(t *testing.T) {
	onBoth(t, func(b *bench) {
		const kills = 25
		appended := 0
		for kill := range kills {
			for range 3 {
				person := fmt.Sprint("p", rand.N(4))
				b.add(person, appended, 1+rand.N(20))
				appended += 20
			}
			ctx, cancel := context.WithCancel(b.t.Context())
			left := rand.N(4)
			r := b.reader(func(ctx context.Context, tx *store.Tx, items []journal.Item) error {
				left--
				if left == 2 {
					return tocsin.Problemf(tocsin.Unavailable, "Wait.", "Nothing goes now.")
				}
				if left < 0 {
					cancel()
				}
				if err := tally(ctx, tx, items); err != nil {
					return err
				}
				if left < 0 && rand.N(2) == 0 {
					cancel() // between step and commit
				}
				return nil
			})
			r.MaxRun = 1 + rand.N(15)
			go func() { time.Sleep(rand.N(60 * time.Millisecond)); cancel() }()
			if err := r.Run(ctx); err != nil {
				b.t.Fatal(err)
			}
			cancel()
			if kill%8 == 7 {
				b.j.Close()
				b.open(1)
			}
		}
		r := b.reader(tally)
		b.run(r)
		b.folded(r)
		b.check()
		if keys, _ := b.dead(); len(keys) > 0 {
			b.t.Errorf("got dead letters %v, want none", keys)
		}
	})
}

// TestALateCommitIsRefused: the first holder has folded a run but not committed it when its lease is taken.
func TestALateCommitIsRefused(t *testing.T) {
	onBoth(t, func(b *bench) {
		ctx := b.t.Context()
		first, second := b.stint("one"), b.stint("two")
		first.epoch = b.lease("one")
		if err := first.fence(ctx); err != nil {
			b.t.Fatal(err)
		}
		to := func(seq uint64) journal.Position { return journal.Position{Stream: "s", Seq: seq} }
		run := func(n int) func(*store.Tx) error {
			return func(tx *store.Tx) error { return tally(ctx, tx, []journal.Item{item("amy", n)}) }
		}
		if err := first.commit(ctx, to(1), run(1)); err != nil {
			b.t.Fatal(err)
		}
		b.st.Clock().Advance(time.Hour)
		second.epoch = b.lease("two")
		if second.epoch <= first.epoch {
			b.t.Fatalf("the epoch went from %d to %d", first.epoch, second.epoch)
		}
		// Before the second has fenced, a commit of the first still counts, and the second must see it.
		if err := first.commit(ctx, to(2), run(2)); err != nil {
			b.t.Fatal(err)
		}
		if err := second.fence(ctx); err != nil || second.at != to(2) {
			b.t.Fatalf("the second begins at %v, %v, want 2", second.at, err)
		}
		if err := first.commit(ctx, to(3), run(3)); !errors.Is(err, store.ErrLost) {
			b.t.Errorf("the late commit got %v, want ErrLost", err)
		}
		if err := first.fence(ctx); !errors.Is(err, store.ErrLost) {
			b.t.Errorf("the late fence got %v, want ErrLost", err)
		}
		if err := second.commit(ctx, to(3), run(4)); err != nil {
			b.t.Fatal(err)
		}
		b.want["amy"] = " 1 2 4"
		b.check()
	})
}

// TestACommitWhoseAnswerWasLost: the store committed and the connection dropped, so the reader tries again.
func TestACommitWhoseAnswerWasLost(t *testing.T) {
	onBoth(t, func(b *bench) {
		ctx := b.t.Context()
		s := b.stint("one")
		s.epoch = b.lease("one")
		if err := s.fence(ctx); err != nil {
			b.t.Fatal(err)
		}
		to := func(seq uint64, index int) journal.Position {
			return journal.Position{Stream: "s", Seq: seq, Index: index}
		}
		add := func(n int) func(*store.Tx) error {
			return func(tx *store.Tx) error { return tally(ctx, tx, []journal.Item{item("amy", n)}) }
		}
		for i, at := range []journal.Position{to(1, 0), to(1, 1), to(2, 0)} {
			before := s.at
			for range 2 { // the second as though the first had not answered
				s.at = before
				if err := s.commit(ctx, at, add(i)); err != nil || s.at != at {
					b.t.Fatalf("at %v, %v; want %v", s.at, err, at)
				}
			}
		}
		s.at = to(1, 1) // and with another run, which is not the one that was committed
		if err := s.commit(ctx, to(3, 0), add(3)); !errors.Is(err, store.ErrLost) {
			b.t.Errorf("a run that begins where the checkpoint is not got %v, want ErrLost", err)
		}
		b.want["amy"] = " 0 1 2"
		b.check()
	})
}

func (b *bench) stint(owner string) *stint {
	r := b.reader(tally)
	r.Owner = owner
	if err := r.prepare(); err != nil {
		b.t.Fatal(err)
	}
	return &stint{Reader: r, log: r.Log}
}

func (b *bench) lease(owner string) int64 {
	b.t.Helper()
	epoch, ok, err := b.st.Lease(b.t.Context(), leaseName(0), owner, time.Minute)
	if err != nil || !ok {
		b.t.Fatalf("lease for %s: %v, %v", owner, ok, err)
	}
	return epoch
}

// TestTheFenceWaitsForACommitUnderWay is the crossing that the order of statements is for: the first holder's transaction
// has moved the checkpoint and is not committed when the second fences. PostgreSQL only: SQLite has one writer.
func TestTheFenceWaitsForACommitUnderWay(t *testing.T) {
	onBoth(t, func(b *bench) {
		if b.st.Kind() != "postgres" {
			b.t.Skip("SQLite has one writer: the crossing cannot be")
		}
		ctx := b.t.Context()
		first, second := b.stint("one"), b.stint("two")
		first.epoch = b.lease("one")
		if err := first.fence(ctx); err != nil {
			b.t.Fatal(err)
		}
		b.st.Clock().Advance(time.Hour)
		second.epoch = b.lease("two")
		inside, goOn, fenced := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		committed := make(chan error, 1)
		to := journal.Position{Stream: "s", Seq: 7}
		go func() {
			committed <- first.commit(ctx, to, func(tx *store.Tx) error {
				close(inside)
				<-goOn
				return tally(ctx, tx, []journal.Item{item("amy", 1)})
			})
		}()
		<-inside
		go func() { fenced <- second.fence(ctx) }()
		select {
		case err := <-fenced:
			b.t.Fatalf("the fence did not wait: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		close(goOn)
		if err := errors.Join(<-committed, <-fenced); err != nil {
			b.t.Fatal(err)
		}
		if second.at != to {
			b.t.Errorf("the second begins at %v, want %v", second.at, to)
		}
	})
}

// TestReadersTakeOverFromEachOther lets the leases of two readers run out again and again while items come.
func TestReadersTakeOverFromEachOther(t *testing.T) {
	onBoth(t, func(b *bench) {
		var readers []*Reader
		for _, owner := range []string{"one", "two"} {
			r := b.reader(func(ctx context.Context, tx *store.Tx, items []journal.Item) error {
				time.Sleep(rand.N(3 * time.Millisecond))
				return tally(ctx, tx, items)
			})
			r.Owner, r.Lease, r.MaxRun = owner, 600*time.Millisecond, 7
			readers = append(readers, r)
			b.run(r)
		}
		for n := range 60 {
			b.add(fmt.Sprint("p", n%3), n*10, 10)
			if n%5 == 0 {
				b.st.Clock().Advance(time.Minute)
			}
			time.Sleep(5 * time.Millisecond)
		}
		b.folded(readers[0])
		b.check()
		most := max(readers[0].Status()[0].Epoch, readers[1].Status()[0].Epoch)
		if most < 2 {
			b.t.Errorf("the epoch is %d: no lease was taken over", most)
		}
	})
}

func TestPartitionsAreReadSideBySide(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.j.Close()
		b.dir = b.t.TempDir()
		b.open(4)
		r := b.reader(tally)
		b.run(r)
		for p := range 12 {
			b.add(fmt.Sprint("p", p), 0, 10)
		}
		b.folded(r)
		b.check()
		b.until("120 items are counted", func() bool { // which comes after they are committed
			var folded uint64
			for _, p := range r.Status() {
				folded += p.Folded
			}
			return folded == 120
		})
	})
}

func TestPoisonBecomesADeadLetterAndTheRestGoesOn(t *testing.T) {
	for how, fail := range map[string]func(at int) error{
		"named":    func(at int) error { return &Poison{Item: at, Err: errors.New("it is bad")} },
		"unnamed":  func(int) error { return errors.New("it is bad") },
		"panic":    func(int) error { panic("it is bad") },
		"misnamed": func(int) error { return &Poison{Item: 99_999, Err: errors.New("it is bad")} },
	} {
		t.Run(how, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				r := b.reader(func(ctx context.Context, tx *store.Tx, items []journal.Item) error {
					if err := tally(ctx, tx, items); err != nil {
						return err
					}
					for i, it := range items {
						if strings.HasPrefix(string(it.Person), "bad") {
							return fail(i)
						}
					}
					return nil
				})
				b.add("amy", 0, 30)
				b.add("bad1", 0, 1)
				b.add("amy", 30, 30)
				b.add("bad2", 0, 2)
				b.add("ben", 0, 5)
				delete(b.want, "bad1")
				delete(b.want, "bad2")
				b.run(r)
				b.folded(r)
				b.check()
				keys, because := b.dead()
				if got := strings.Join(keys, " "); got != "bad1-0 bad2-0 bad2-1" || !strings.Contains(because, "it is bad") {
					b.t.Errorf("got dead letters %s because %q", got, because)
				}
				b.until("they are counted", func() bool { // which comes after they are committed
					s := r.Status()[0]
					return s.Dead == 3 && s.Folded == 65 && s.Trouble == ""
				})
			})
		})
	}
}

// TestAStepThatFailsOnEverythingDoesNotBuryTheJournal: the fault is then not the items'.
func TestAStepThatFailsOnEverythingDoesNotBuryTheJournal(t *testing.T) {
	onBoth(t, func(b *bench) {
		var mended atomic.Bool
		r := b.reader(func(ctx context.Context, tx *store.Tx, items []journal.Item) error {
			if !mended.Load() {
				return errors.New("no such column")
			}
			return tally(ctx, tx, items)
		})
		b.add("amy", 0, 60)
		b.run(r)
		b.until("the reader waits", func() bool { s := r.Status(); return len(s) > 0 && strings.Contains(s[0].Trouble, "waits") })
		mended.Store(true)
		b.folded(r)
		keys, _ := b.dead()
		if len(keys) != mostBuried {
			b.t.Errorf("got %d dead letters, want %d", len(keys), mostBuried)
		}
		b.want["amy"] = ""
		for n := mostBuried; n < 60; n++ {
			b.want["amy"] += fmt.Sprint(" ", n)
		}
		b.check()
	})
}

func TestWhatTheStoreCannotDoNowIsTriedAgain(t *testing.T) {
	onBoth(t, func(b *bench) {
		tries := 0
		r := b.reader(func(ctx context.Context, tx *store.Tx, items []journal.Item) error {
			if err := tally(ctx, tx, items); err != nil {
				return err
			}
			if tries++; tries < 6 {
				return &tocsin.Problem{Code: tocsin.Unavailable, What: "The disk is full."}
			}
			return nil
		})
		b.add("amy", 0, 3)
		b.run(r)
		b.folded(r)
		b.check()
		if keys, _ := b.dead(); len(keys) != 0 || tries < 6 {
			b.t.Errorf("after %d tries got dead letters %v, want none", tries, keys)
		}
	})
}

func TestErrorsOfTheEnginesAreToldApart(t *testing.T) {
	onBoth(t, func(b *bench) {
		ctx := b.t.Context()
		twice := func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `insert into tally (person, log) values ('x', ''), ('x', '')`)
			return err
		}
		if err := b.st.Update(ctx, twice); err == nil || passing(err) {
			b.t.Errorf("got %v, want an error that stays", err)
		}
		if err := b.st.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(ctx, `select from where`); return err }); err == nil || passing(err) {
			b.t.Errorf("got %v, want an error that stays", err)
		}
	})
}

func TestAJournalMadeAnewIsToldAndReadFromItsBeginning(t *testing.T) {
	onBoth(t, func(b *bench) {
		var mu sync.Mutex
		var told []string
		reader := func() *Reader {
			r := b.reader(tally)
			r.Reborn = func(ctx context.Context, tx *store.Tx, _ int, old, new journal.Position) error {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, fmt.Sprint(old.Stream == new.Stream, old.Seq, new.Seq))
				if len(told) == 1 {
					return errors.New("not now")
				}
				return nil
			}
			return r
		}
		b.add("amy", 0, 3)
		b.add("amy", 3, 3)
		r := reader()
		stop := b.run(r)
		b.folded(r)
		stop()
		b.j.Close()
		b.dir = b.t.TempDir()
		b.open(1)
		b.add("amy", 6, 3)
		r = reader()
		b.run(r)
		b.folded(r)
		b.check()
		mu.Lock()
		defer mu.Unlock()
		if fmt.Sprint(told) != "[false 2 0 false 2 0]" {
			b.t.Errorf("told %v, want the change from sequence 2 to 0, twice", told)
		}
		if s := r.Status()[0]; s.Gaps != 1 {
			b.t.Errorf("got %+v, want one gap", s)
		}
	})
}

func TestTheJournalIsTrimmedBehindTheCheckpoint(t *testing.T) {
	onBoth(t, func(b *bench) {
		r := b.reader(tally)
		r.trim = time.Millisecond
		stop := b.run(r)
		for n := range 20 {
			b.add("amy", n, 1)
			b.folded(r)
		}
		stop()
		b.check()
		left := 0
		ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
		defer cancel()
		for e, err := range b.j.Read(ctx, 0, journal.Position{}) {
			if err != nil {
				continue
			}
			if left++; e.At.Seq >= 20 { // each was appended alone
				break
			}
		}
		if left == 0 || left > 5 {
			b.t.Errorf("%d items are left, want the last few", left)
		}
		b.add("amy", 20, 5)
		r = b.reader(tally)
		b.run(r)
		b.folded(r)
		b.check()
	})
}

func TestTrimmingWaitsForTheSlowestReader(t *testing.T) {
	onBoth(t, func(b *bench) {
		s := b.stint("one")
		s.at = journal.Position{Stream: "s", Seq: 9}
		set := func(name, stream string, seq uint64) {
			b.update(func(tx *store.Tx) error {
				_, err := tx.Exec(b.t.Context(), `insert into checkpoint (name, lane, stream, seq, idx, epoch) values ($1, 0, $2, $3, 0, 0)
					on conflict (name, lane) do update set stream = excluded.stream, seq = excluded.seq`, name, stream, int64(seq))
				return err
			})
		}
		set("test", "s", 9)
		for _, c := range []struct {
			stream string
			seq    uint64
			want   journal.Position
		}{{"s", 4, journal.Position{Stream: "s", Seq: 4}}, {"old", 4, journal.Position{}}, {"s", 12, s.at}} {
			set("other", c.stream, c.seq)
			if got, err := s.behind(b.t.Context()); err != nil || got != c.want {
				b.t.Errorf("with another at %s/%d: got %v, %v, want %v", c.stream, c.seq, got, err, c.want)
			}
		}
	})
}

func TestAReaderNeedsItsParts(t *testing.T) {
	if err := (&Reader{}).Run(t.Context()); err == nil {
		t.Error("a reader without parts began to run")
	}
}
