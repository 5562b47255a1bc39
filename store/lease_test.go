package store_test

import (
	"database/sql"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// takes asks for the lease x for a minute and checks what comes; epoch 0: it is refused.
func takes(t *testing.T, st *store.Store, owner string, epoch int64) {
	t.Helper()
	got, ok, err := st.Lease(t.Context(), "x", owner, time.Minute)
	do(t, err)
	if got != epoch || ok != (epoch > 0) {
		t.Fatalf("%s: epoch %d, %v; want %d", owner, got, ok, epoch)
	}
}

func guard(t *testing.T, st *store.Store, owner string, epoch int64) error {
	t.Helper()
	return st.Update(t.Context(), func(tx *store.Tx) error { return tx.Guard(t.Context(), "x", owner, epoch) })
}

func TestLease(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		takes(t, st, "a", 1)
		takes(t, st, "b", 0)
		st.Clock().Advance(40 * time.Second)
		takes(t, st, "a", 1) // renewed
		st.Clock().Advance(40 * time.Second)
		takes(t, st, "b", 0)
		do(t, guard(t, st, "a", 1))
		held, err := st.Leases(ctx)
		if err != nil || len(held) != 1 || held[0].Owner != "a" || held[0].Name != "x" || held[0].Epoch != 1 {
			t.Fatalf("held: %+v, %v", held, err)
		}
		st.Clock().Advance(time.Minute)
		do(t, guard(t, st, "a", 1)) // run out, but nobody has it
		if held, err = st.Leases(ctx); err != nil || len(held) != 0 {
			t.Fatalf("held: %+v, %v", held, err)
		}
		takes(t, st, "b", 2)
		if err := guard(t, st, "a", 1); !errors.Is(err, store.ErrLost) {
			t.Fatalf("error %v; want ErrLost", err)
		}
		do(t, st.Release(ctx, "x", "a")) // not a's: nothing
		takes(t, st, "a", 0)
		do(t, st.Release(ctx, "x", "b"))
		if err := guard(t, st, "b", 2); !errors.Is(err, store.ErrLost) {
			t.Fatalf("error %v; want ErrLost", err)
		}
		takes(t, st, "a", 3)
		if err := guard(t, st, "a", 1); !errors.Is(err, store.ErrLost) {
			t.Fatalf("its own earlier epoch: error %v; want ErrLost", err)
		}
	})
}

func TestLeaseAtOnce(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		won := make(chan string, 8)
		var all sync.WaitGroup
		for _, owner := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			all.Go(func() {
				_, ok, err := st.Lease(t.Context(), "x", owner, time.Minute)
				if err != nil {
					t.Error(err)
				}
				if ok {
					won <- owner
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			t.Fatalf("%d have the lease; want 1", len(won))
		}
	})
}

// TestGuardHolds: between the guard and the commit nobody takes the lease, even when it has run out.
func TestGuardHolds(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		takes(t, st, "a", 1)
		st.Clock().Advance(2 * time.Minute)
		taken := make(chan error, 1)
		do(t, st.Update(ctx, func(tx *store.Tx) error {
			do(t, tx.Guard(ctx, "x", "a", 1))
			go func() {
				epoch, ok, err := st.Lease(ctx, "x", "b", time.Minute)
				if err == nil && (!ok || epoch != 2) {
					err = errors.New("b did not get it")
				}
				taken <- err
			}()
			eventually(t, "b waits", func() bool { return waiting(t, st) == 1 })
			_, err := tx.MoveCheckpoint(ctx, "r", 0, store.Checkpoint{}, store.Checkpoint{Stream: "s", Seq: 5, Epoch: 1})
			return err
		}))
		do(t, <-taken)
		do(t, st.Update(ctx, func(tx *store.Tx) error { // and b goes on from a's last commit
			do(t, tx.Guard(ctx, "x", "b", 2))
			c, err := tx.Checkpoint(ctx, "r", 0)
			if c.Seq != 5 {
				t.Errorf("b begins at %+v", c)
			}
			return err
		}))
	})
}

func TestCheckpoint(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		move := func(from, to store.Checkpoint) (moved bool, err error) {
			err = st.Update(ctx, func(tx *store.Tx) (err error) { moved, err = tx.MoveCheckpoint(ctx, "r", 3, from, to); return err })
			return moved, err
		}
		read := func() (c store.Checkpoint) {
			do(t, st.View(ctx, func(tx *store.Tx) (err error) { c, err = tx.Checkpoint(ctx, "r", 3); return err }))
			return c
		}
		if c := read(); c != (store.Checkpoint{}) {
			t.Fatalf("%+v at first", c)
		}
		first := store.Checkpoint{Stream: "s", Seq: 1<<63 + 5, Index: 7, Epoch: 2}
		second := store.Checkpoint{Stream: "reborn", Seq: 1, Epoch: 3}
		for _, c := range []struct {
			what     string
			from, to store.Checkpoint
			moved    bool
			err      error
			at       store.Checkpoint
		}{
			{"the first", store.Checkpoint{}, first, true, nil, first},
			{"the same again", store.Checkpoint{}, first, false, nil, first},
			{"an earlier epoch", first, store.Checkpoint{Stream: "s", Seq: 9, Epoch: 1}, false, store.ErrLost, first},
			{"another epoch to the same place", store.Checkpoint{}, store.Checkpoint{Stream: "s", Seq: 1<<63 + 5, Index: 7, Epoch: 3}, false, store.ErrLost, first},
			{"from another index", store.Checkpoint{Stream: "s", Seq: 1<<63 + 5, Index: 6}, second, false, store.ErrLost, first},
			{"from another sequence", store.Checkpoint{Stream: "s", Seq: 5, Index: 7}, second, false, store.ErrLost, first},
			{"from another stream", store.Checkpoint{Stream: "t", Seq: 1<<63 + 5, Index: 7}, second, false, store.ErrLost, first},
			{"the second", first, second, true, nil, second},
			{"the second again", first, second, false, nil, second},
		} {
			if moved, err := move(c.from, c.to); moved != c.moved || !errors.Is(err, c.err) {
				t.Errorf("%s: moved %v, %v; want %v, %v", c.what, moved, err, c.moved, c.err)
			}
			if at := read(); at != c.at {
				t.Errorf("%s: at %+v; want %+v", c.what, at, c.at)
			}
		}
	})
}

func TestCursor(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		move := func(from, to int64) error {
			return st.Update(ctx, func(tx *store.Tx) error { return tx.MoveCursor(ctx, "c", 3, from, to) })
		}
		if err := move(4, 5); !errors.Is(err, store.ErrLost) {
			t.Fatalf("moved from where it never was: %v", err)
		}
		do(t, move(0, 5))
		do(t, move(5, 8))
		if err := move(5, 9); !errors.Is(err, store.ErrLost) {
			t.Fatalf("moved twice from 5: %v", err)
		}
		do(t, st.View(ctx, func(tx *store.Tx) error {
			n, err := tx.Cursor(ctx, "c", 3)
			if n != 8 {
				t.Errorf("at %d; want 8", n)
			}
			if n, _ := tx.Cursor(ctx, "c", 4); n != 0 {
				t.Errorf("another lane at %d; want 0", n)
			}
			return err
		}))
	})
}

// TestLeaseByTheDatabasesClock: where replicas share a database, its clock says until when a lease lasts, not their own. This
// one is an hour before ours.
func TestLeaseByTheDatabasesClock(t *testing.T) {
	addr := storetest.PostgresAddress(t)
	db, err := sql.Open("pgx", addr)
	do(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `create schema early;
		create function early.clock_timestamp() returns timestamptz language sql volatile as 'select pg_catalog.clock_timestamp() + interval ''1 hour'''`)
	do(t, err)
	u, err := url.Parse(addr)
	do(t, err)
	q := u.Query()
	q.Set("search_path", "public,early,pg_catalog")
	u.RawQuery = q.Encode()
	st, err := store.Open(t.Context(), u.String(), &tocsin.Clock{})
	do(t, err)
	defer st.Close()
	takes(t, st, "a", 1)
	takes(t, st, "b", 0)
	held, err := st.Leases(t.Context())
	if err != nil || len(held) != 1 || time.Until(held[0].Expires) < 30*time.Minute {
		t.Fatalf("held: %+v, %v", held, err)
	}
	st.Clock().Advance(2 * time.Minute) // a test's clock counts besides
	takes(t, st, "b", 2)
}
