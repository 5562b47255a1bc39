package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

func fact(subject string) store.Fact { return store.Fact{Kind: "person.changed", Subject: subject} }

func tell(ctx context.Context, st *store.Store, tenant tocsin.TenantID, subject string) error {
	return st.UpdateTenant(ctx, tenant, func(tn *store.Tenant) error { return tn.Append(ctx, fact(subject)) })
}

func TestFacts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		at := time.Date(2025, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
		lane := store.Lane(contoso)
		do(t, st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error {
			f := fact("a")
			f.At, f.Person, f.Actor, f.Body = at, "p", "ann", json.RawMessage(`{"x":1}`)
			do(t, tn.Append(ctx, f))
			return tn.Append(ctx, fact("b"))
		}))
		do(t, tell(ctx, st, contoso, "c"))
		got, err := st.Facts(ctx, lane, 0, 10)
		do(t, err)
		if len(got) != 3 {
			t.Fatalf("%d facts; want 3", len(got))
		}
		for i, f := range got {
			if f.N != int64(i+1) || f.Subject != string("abc"[i]) || f.Tenant != contoso || f.Lane != lane {
				t.Errorf("fact %d: %+v", i, f)
			}
		}
		a, b := got[0], got[1]
		if !a.At.Equal(at) || a.Kind != "person.changed" || a.Person != "p" || a.Actor != "ann" || string(a.Body) != `{"x":1}` {
			t.Errorf("read %+v", a)
		}
		if since := st.Clock().Now().Sub(b.At); since < 0 || since > time.Minute || string(b.Body) != `{}` {
			t.Errorf("read %+v", b)
		}
		if got, err = st.Facts(ctx, lane, 1, 1); err != nil || len(got) != 1 || got[0].N != 2 {
			t.Errorf("after 1, at most 1: %+v, %v", got, err)
		}
		if last, err := st.LastFact(ctx, lane); err != nil || last != 3 {
			t.Errorf("last %d, %v; want 3", last, err)
		}
		if last, err := st.LastFact(ctx, (lane+1)%store.Lanes); err != nil || last != 0 {
			t.Errorf("last of an empty lane %d, %v; want 0", last, err)
		}
		if got, err = st.TenantFacts(ctx, contoso, 2, 10); err != nil || len(got) != 1 || got[0].Subject != "c" {
			t.Errorf("the tenant's after 2: %+v, %v", got, err)
		}
		if got, err = st.TenantFacts(ctx, fabrikam, 0, 10); err != nil || len(got) != 0 {
			t.Errorf("another tenant's: %+v, %v", got, err)
		}
	})
}

// TestLateCommit: a is numbered first and commits late; b is ready sooner. Nobody who follows may see b and miss a.
func TestLateCommit(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx, lane := t.Context(), store.Lane(contoso)
		numbered, commit := make(chan struct{}), make(chan struct{})
		done := make(chan error, 2)
		go func() {
			done <- st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error {
				if err := tn.Append(ctx, fact("a")); err != nil {
					return err
				}
				if err := tn.Tx().WriteFacts(ctx); err != nil {
					return err
				}
				close(numbered)
				<-commit
				return nil
			})
		}()
		<-numbered
		go func() { done <- tell(ctx, st, contoso, "b") }()
		eventually(t, "b waits for a", func() bool { return waiting(t, st) == 1 })
		if got, err := st.Facts(ctx, lane, 0, 10); err != nil || len(got) != 0 {
			t.Fatalf("seen before any commit: %+v, %v", got, err)
		}
		close(commit)
		do(t, <-done)
		do(t, <-done)
		got, err := st.Facts(ctx, lane, 0, 10)
		do(t, err)
		if len(got) != 2 || got[0].Subject != "a" || got[1].Subject != "b" {
			t.Fatalf("%+v; want a, then b", got)
		}
	})
}

// waiting is how many transactions wait for another.
func waiting(t *testing.T, st *store.Store) (n int) {
	if st.Kind() == "sqlite" {
		return st.Waiting()
	}
	do(t, st.Writer().QueryRowContext(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&n))
	return n
}

// TestNoneMissed: many write at once, each taking its own time, some of them failing; who follows sees each fact once, and no gaps.
func TestNoneMissed(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx, lane := t.Context(), store.Lane(contoso)
		const writers, each = 8, 15
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range each {
					err := st.UpdateTenant(ctx, contoso, func(tn *store.Tenant) error {
						if err := tn.Append(ctx, fact(fmt.Sprint(w, "/", i))); err != nil {
							return err
						}
						if err := tn.Tx().WriteFacts(ctx); err != nil {
							return err
						}
						time.Sleep(rand.N(3 * time.Millisecond)) // the longer the number is held, the likelier a miss would be
						if i%5 == 4 {
							return context.DeadlineExceeded
						}
						return tn.Append(ctx, fact(fmt.Sprint(w, "/", i, "+")))
					})
					if err != nil && i%5 != 4 {
						t.Error(err)
					}
				}
			})
		}
		written := make(chan struct{})
		go func() { all.Wait(); close(written) }()
		seen := map[string]bool{}
		var after int64
		for last := false; ; {
			facts, err := st.Facts(ctx, lane, after, 7)
			do(t, err)
			for _, f := range facts {
				if f.N != after+1 || seen[f.Subject] {
					t.Fatalf("after %d came %d (%s, seen before: %v)", after, f.N, f.Subject, seen[f.Subject])
				}
				seen[f.Subject], after = true, f.N
			}
			if len(facts) == 0 {
				if last {
					break
				}
				select {
				case <-written:
					last = true
				default:
				}
			}
		}
		if want := writers * each / 5 * 4 * 2; len(seen) != want {
			t.Fatalf("saw %d facts; want %d", len(seen), want)
		}
	})
}

// TestLanesCrosswise: transactions that tell of several tenants in different order do not stop each other.
func TestLanesCrosswise(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		if store.Lane(contoso) == store.Lane(fabrikam) {
			t.Fatal("the two tenants of this test share a lane")
		}
		tenants := [][]tocsin.TenantID{{contoso, fabrikam, contoso}, {fabrikam, contoso, fabrikam}}
		var all sync.WaitGroup
		runs := make([]int, 2)
		for i, order := range tenants {
			all.Go(func() {
				for range 30 {
					err := st.Update(ctx, func(tx *store.Tx) error {
						runs[i]++
						for _, id := range order {
							if err := tx.Tenant(id).Append(ctx, fact("x")); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if runs[0] != 30 || runs[1] != 30 {
			t.Errorf("ran %v times; want 30 each, none again", runs)
		}
		for _, id := range tenants[0][:2] {
			if n, err := st.LastFact(ctx, store.Lane(id)); err != nil || n != 90 {
				t.Errorf("%d facts in the lane of %s, %v; want 90", n, id, err)
			}
		}
	})
}

func TestWait(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		ended, end := context.WithCancel(ctx)
		end()
		st.Wait(ended) // returns
		news := st.Appended()
		do(t, st.Update(ctx, func(tx *store.Tx) error { return set(ctx, tx, "a", "1") }))
		select {
		case <-news:
			t.Fatal("news of no fact")
		default:
		}
		woken := make(chan struct{})
		go func() { st.Wait(ctx); close(woken) }()
		do(t, tell(ctx, st, contoso, "a"))
		<-news
		<-woken      // it was there before, or is seen after half a second
		st.Wait(ctx) // so soon after a fact it does not trust the silence
		st.Quiet()   // but later it does:
		soon, stop := context.WithTimeout(ctx, 50*time.Millisecond)
		defer stop()
		st.Wait(soon)
		if soon.Err() == nil {
			t.Fatal("Wait returned for nothing after a long silence")
		}
	})
}

// TestWaitForReplica: what another replica tells is noticed.
func TestWaitForReplica(t *testing.T) {
	addr, ctx := storetest.PostgresAddress(t), t.Context()
	mine, err := store.Open(ctx, addr, &tocsin.Clock{})
	do(t, err)
	defer mine.Close()
	theirs, err := store.Open(ctx, addr, &tocsin.Clock{})
	do(t, err)
	defer theirs.Close()
	woken := make(chan struct{})
	go func() { mine.Wait(ctx); close(woken) }()
	do(t, tell(ctx, theirs, contoso, "a"))
	select {
	case <-woken:
	case <-time.After(90 * time.Second):
		t.Fatal("another replica's fact was not noticed")
	}
	facts, err := mine.Facts(ctx, store.Lane(contoso), 0, 1)
	if err != nil || len(facts) != 1 {
		t.Fatalf("%v, %v", facts, err)
	}
}
