package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// other is a tenant whose facts stand in the same lane as acme's.
var other = func() tocsin.TenantID {
	for n := 0; ; n++ {
		if id := tocsin.TenantID(fmt.Sprintf("6a1e0000-0000-4000-8000-%012d", 100+n)); store.Lane(id) == store.Lane(acme) {
			return id
		}
	}
}()

// state appends facts with these subjects.
func state(t *testing.T, st *store.Store, tenant tocsin.TenantID, subjects ...string) {
	t.Helper()
	err := st.UpdateTenant(t.Context(), tenant, func(tx *store.Tenant) error {
		for _, s := range subjects {
			if err := tx.Append(t.Context(), store.Fact{Kind: "person.changed", Subject: s}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func numbers(from, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(from+i))
	}
	return out
}

// logged folds the facts' subjects into one row.
func logged(ctx context.Context, tx *store.Tx, facts []store.Fact) error {
	for _, f := range facts {
		_, err := tx.Exec(ctx, `insert into installation (key, value) values ('log', $1)
			on conflict (key) do update set value = installation.value || excluded.value`, " "+f.Subject)
		if err != nil {
			return err
		}
	}
	return nil
}

func log(t *testing.T, st *store.Store) (s string) {
	t.Helper()
	err := st.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), `select value from installation where key = 'log'`).Scan(&s)
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(s)
}

func TestFoldTakesEachFactOnce(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		lane := store.Lane(acme)
		fold := func(ctx context.Context, step func(context.Context, *store.Tx, []store.Fact) error) error {
			return Fold(ctx, st, "test", lane, step)
		}
		if err := fold(t.Context(), logged); err != nil {
			t.Fatal(err)
		}
		want := numbers(0, 3*few/2)
		state(t, st, acme, want...)
		for range 20 { // die before the commit, at random
			ctx, cancel := context.WithCancel(t.Context())
			err := fold(ctx, func(ctx context.Context, tx *store.Tx, facts []store.Fact) error {
				if err := logged(ctx, tx, facts[:len(facts)/2]); err != nil {
					return err
				}
				if rand.N(2) == 0 {
					cancel()
					return nil
				}
				return errors.New("no")
			})
			cancel()
			if err == nil {
				t.Fatal("a fold that failed gave no error")
			}
		}
		if err := fold(t.Context(), logged); err != nil {
			t.Fatal(err)
		}
		state(t, st, other, "more")
		if err := fold(t.Context(), logged); err != nil {
			t.Fatal(err)
		}
		if got := log(t, st); got != strings.Join(append(want, "more"), " ") {
			t.Errorf("got %s", got)
		}
	})
}

func TestFoldsUnderOneNameShareTheFacts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		want := numbers(0, 2*few+10)
		state(t, st, acme, want...)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := Fold(t.Context(), st, "test", store.Lane(acme), logged); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := log(t, st); got != strings.Join(want, " ") {
			t.Errorf("got %s", got)
		}
	})
}

func TestEachActsAtLeastOnceAndGoesOnWhereItFailed(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		lane := store.Lane(acme)
		state(t, st, acme, numbers(0, 6)...)
		var did []string
		failing := true
		act := func(_ context.Context, f store.Fact) error {
			did = append(did, f.Subject)
			if f.Subject == "3" && failing {
				return errors.New("the mail server is away")
			}
			return nil
		}
		if err := Each(t.Context(), st, "test", lane, act); err == nil || !strings.Contains(err.Error(), "away") {
			t.Fatalf("got %v, want the step's error", err)
		}
		failing = false
		if err := Each(t.Context(), st, "test", lane, act); err != nil {
			t.Fatal(err)
		}
		if err := Each(t.Context(), st, "test", lane, act); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(did, " "); got != "0 1 2 3 3 4 5" {
			t.Errorf("acted on %s", got)
		}
		// Another follower has a cursor of its own; one of the same name must not act beside us.
		did = nil
		err := Each(t.Context(), st, "second", lane, func(ctx context.Context, f store.Fact) error {
			did = append(did, f.Subject)
			return st.Update(ctx, func(tx *store.Tx) error { return tx.MoveCursor(ctx, "second", lane, 0, 2) })
		})
		if !errors.Is(err, store.ErrLost) || len(did) != 1 {
			t.Errorf("after %v got %v, want ErrLost after one", did, err)
		}
	})
}

func TestFollowGivesATenantsFactsAsTheyCome(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		state(t, st, acme, "0", "1", "2")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		facts, done := make(chan store.Fact), make(chan struct{})
		go func() {
			defer close(done)
			for f, err := range Follow(ctx, st, acme, 1) {
				if err != nil {
					t.Error(err)
				}
				facts <- f
			}
		}()
		expect := func(subject string) {
			t.Helper()
			if f := <-facts; f.Subject != subject || f.Tenant != acme {
				t.Errorf("got %+v, want %s", f, subject)
			}
		}
		expect("1")
		expect("2")
		state(t, st, other, "a stranger's")
		state(t, st, acme, "3")
		expect("3")
		state(t, st, acme, "4", "5")
		expect("4")
		expect("5")
		fastest := time.Hour
		for n := range 10 {
			began := time.Now()
			state(t, st, acme, fmt.Sprint("n", n))
			expect(fmt.Sprint("n", n))
			fastest = min(fastest, time.Since(began))
		}
		if fastest > 400*time.Millisecond {
			t.Errorf("the fastest of ten facts came in %v: it looks from time to time and does not hear", fastest)
		}
		cancel()
		<-done
	})
}

func TestFollowEndsWithWhatItCannotRead(t *testing.T) {
	st := storetest.SQLite(t)
	st.Close()
	n := 0
	for _, err := range Follow(t.Context(), st, acme, 0) {
		if n++; err == nil || n > 1 {
			t.Fatalf("entry %d: got %v, want one error and the end", n, err)
		}
	}
	if n != 1 {
		t.Errorf("got %d entries, want the error", n)
	}
}
